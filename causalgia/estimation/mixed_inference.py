"""Fixed effects of a linear mixed model, with the degrees of freedom that few levels leave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.mixed_layout import lay_out, respond
from causalgia.estimation.mixed_model import Point, inverse_information, maximise
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class MixedFit:
    """Fixed effects and variance components by restricted maximum likelihood.

    Attributes
    ----------
    names
        The groupings in the order given, then ``"residual"``: J + 1 names.
    variance, variance_se
        Variances and their standard errors, shape ``(J + 1,)``, on the squared scale of the data. With Satterthwaite's
        degrees of freedom a variance at its bound counts as known and has 0.
    singular
        Whether a variance lies on its bound, 0.
    beta, se, df
        Fixed effects, shape ``(p,)``, with standard errors and degrees of freedom of their t.
    covariance
        Covariance of the fixed effects, shape ``(p, p)``, adjusted where `method` is ``"kenward_roger"``.
    criterion
        Minus twice the restricted log likelihood.
    method
        ``"satterthwaite"`` or ``"kenward_roger"``.
    """

    names: tuple[str, ...]
    variance: Array
    variance_se: Array
    singular: bool
    beta: Array
    se: Array
    df: Array
    covariance: Array
    criterion: float
    method: str


def reml(
    y: Array,
    X: Array,
    groups: Mapping[str, Codes],
    *,
    df: Literal["satterthwaite", "kenward_roger"] = "satterthwaite",
) -> MixedFit:
    """Fit random intercepts, crossed or nested, by restricted maximum likelihood (REML), bounded at 0.

    Closed-form starts (MINQUE with weights 0: analysis of variance where the table is balanced), then projected
    steps by the average information, with exact scores by complex differentiation. Satterthwaite's degrees of freedom
    take the observed information about the variances, Kenward and Roger's the expected one, with their adjusted
    covariance.

    Parameters
    ----------
    y
        Response, shape ``(N,)``.
    X
        Fixed effects, shape ``(N, p)``, of full rank.
    groups
        Grouping name -> level of each row, 0 to q_j - 1, shape ``(N,)``.
    df
        How the degrees of freedom (and standard errors) of the fixed effects are found. ``"kenward_roger"`` forms
        dense matrices of the size of the random effects: up to 3,000 of them.

    Raises
    ------
    EstimateError
        If shapes disagree, values are not finite, X is not of full rank, groupings cannot be told apart from each
        other or from the residual, or no maximum is found.

    References
    ----------
    Patterson & Thompson (1971), doi:10.1093/biomet/58.3.545. Gilmour, Thompson & Cullis (1995), doi:10.2307/2533274.
    Squire & Trapp (1998), doi:10.1137/S003614459631241X. Rao (1971), doi:10.1016/0047-259X(71)90001-7. Bertsekas
    (1982), doi:10.1137/0320018. Kenward & Roger (1997), doi:10.2307/2533558. Giesbrecht & Burns (1985),
    doi:10.2307/2530872.

    Examples
    --------
    >>> y = np.array([1.0, 2.0, 2.0, 4.0, 6.0, 8.0])
    >>> fit = reml(y, np.ones((6, 1)), {"unit": np.array([0, 0, 1, 1, 2, 2])})
    >>> fit.names, fit.variance.round(4)
    (('unit', 'residual'), array([7.3333, 1.5   ]))
    >>> fit.beta.round(4), fit.se.round(4), fit.df.round(4)
    (array([3.8333]), array([1.6415]), array([2.]))
    """
    if df not in ("satterthwaite", "kenward_roger"):
        raise EstimateError(f"df={quoted(df)} is neither 'satterthwaite' nor 'kenward_roger'")
    table = respond(lay_out(X, groups), y)
    if table.scale == 0:
        raise EstimateError("the fixed effects fit y exactly: nothing varies, and every variance component is 0")
    theta = maximise(table)
    at = Point(table, theta)
    inverse: Array = np.asarray(np.linalg.inv(at.layout.R))
    plain, beta = inverse @ at.fixed @ inverse.T, table.start + table.scale * (inverse @ at.shift)
    covariance, spread = (plain, _observed(at)) if df == "satterthwaite" else _kenward_roger(at, inverse)
    slopes = _slopes(at, inverse)
    dfs = 2 * np.diagonal(plain) ** 2 / np.einsum("pi,ij,pj->p", slopes, spread, slopes)
    units, n = table.scale**2, len(table.y) - len(beta)
    criterion = float(at.criterion + 2 * np.log(np.abs(np.diagonal(at.layout.R))).sum() + n * np.log(2 * np.pi * units))
    zero = at.at_bound
    return MixedFit(
        names=(*at.layout.names, "residual"),
        variance=np.where(zero, 0.0, theta) * units,
        variance_se=np.sqrt(np.diagonal(spread)) * units,
        singular=bool(zero.any()),
        beta=beta,
        se=np.sqrt(np.diagonal(covariance)) * table.scale,
        df=dfs,
        covariance=covariance * units,
        criterion=criterion,
        method=df,
    )


def _slopes(at: Point, inverse: Array) -> Array:
    """Slope of each fixed effect's variance in each variance component, shape ``(p, J + 1)``."""
    x = at.inverse_times(at.layout.Q) @ at.fixed @ inverse.T
    parts = [(np.asarray(Z.T @ x) ** 2).sum(axis=0) for Z in at.layout.blocks]
    return np.column_stack([*parts, (x**2).sum(axis=0)])


def _observed(at: Point) -> Array:
    """Covariance of the variances inside their bounds, by the observed information.

    By the average one where that is not definite or there is no residual.
    """
    free = ~at.at_bound
    moves = 1e-4 * np.minimum(at.theta, 1 / np.sqrt(2 * np.diagonal(at.average_information)))[free]
    columns = []
    for j, move in zip(np.flatnonzero(free), moves, strict=True):
        away = np.where(np.arange(len(free)) == j, move, 0.0)
        columns.append((Point(at.table, at.theta + away).score - Point(at.table, at.theta - away).score) / (4 * move))
    hessian = np.zeros((len(free), len(free)))
    hessian[:, free] = np.array(columns).T
    hessian[~free] = 0.0
    hessian = (hessian + hessian.T) / 2
    inner = hessian[np.ix_(free, free)] * np.outer(moves, moves)
    definite = bool(at.not_exact[-1] and np.linalg.eigvalsh(inner / np.abs(inner).max())[0] > 0)
    return inverse_information(hessian if definite else at.average_information, free)


def _kenward_roger(at: Point, inverse: Array) -> tuple[Array, Array]:
    """Return the fixed effects' adjusted covariance, and the variances' covariance by the expected information."""
    q = len(at.ratio)
    if q > 3_000:
        raise EstimateError(f"{q} random effects are too many for df='kenward_roger'; use df='satterthwaite'")
    P, Q = _moment_matrices(at)
    traces = _traces(at)
    F = at.fixed
    J = len(P)
    corrected = np.array([[Q[i][j] - P[i] @ F @ P[j] for j in range(J)] for i in range(J)])
    lost = [[2 * np.trace(F @ Q[i][j]) - np.trace(F @ P[i] @ F @ P[j]) for j in range(J)] for i in range(J)]
    W = inverse_information((traces - np.array(lost)) / 2, at.not_exact)
    adjusted = F + 2 * F @ np.einsum("ij,ijab->ab", W, corrected) @ F
    return inverse @ adjusted @ inverse.T, W


def _moment_matrices(at: Point) -> tuple[list[Array], list[list[Array]]]:
    """``X'V^-1 V_i V^-1 X`` (their P_i with the other sign) and ``X'V^-1 V_i V^-1 V_j V^-1 X``."""
    x = at.inverse_times(at.layout.Q)
    parts = [*(Z @ (Z.T @ x) for Z in at.layout.blocks), x]
    solved = [at.inverse_times(part) for part in parts]
    return [x.T @ part for part in parts], [[part.T @ other for other in solved] for part in parts]


def _traces(at: Point) -> Array:
    """``tr(V^-1 V_i V^-1 V_j)``, shape ``(J + 1, J + 1)``."""
    owner, A = at.layout.owner, at.layout.cross.toarray()
    K = np.eye(len(owner)) - at.ratio[:, None] * at.lu.solve(A)
    pairs, alone = (A @ K) ** 2, np.diagonal(K.T @ A @ K)
    J = len(at.layout.names)
    out = np.empty((J + 1, J + 1))
    out[:J, :J] = [[pairs[np.ix_(owner == i, owner == j)].sum() for j in range(J)] for i in range(J)]
    out[:J, J] = out[J, :J] = [alone[owner == j].sum() for j in range(J)]
    out[J, J] = len(at.table.y) - len(owner) + (K * K.T).sum()
    return np.asarray(out / at.residual**2)
