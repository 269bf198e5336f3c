"""Estimators for a parallel trial, in which each unit receives one arm: functions of
arrays.

Each arm is fitted by itself, and a contrast is ``sum_a w_a mean_a``: the closed form of
`causalgia.estimation.own_arms` where no unit has two arms. Arms have in common only
clusters and the mean of the covariates; without these, adding an arm changes no other
contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from causalgia.estimation.cells import Cells, pooled_error_of_clusters
from causalgia.estimation.crossover import Estimate, from_factor, mean_ice
from causalgia.estimation.standard_errors import Regression, bell_mccaffrey_df, regress
from causalgia.numerics.moments import (
    centered,
    group_sums,
    root_sum_squares,
    satterthwaite,
)
from causalgia.types import Array, Codes

Fits: TypeAlias = "dict[int, ArmFit]"


@dataclass(frozen=True)
class ArmFit:
    """Mean outcome of one arm, with the parts of its error.

    Attributes
    ----------
    mean
        Mean outcome (at the covariates' mean, where there are covariates), shape
        ``(R,)``.
    slope
        Coefficients of the covariates, shape ``(p, R)``; p is 0 without.
    cluster
        Labels of the clusters that have units in this arm, shape ``(g,)``.
    influence
        Share of each of them in the error of the mean, shape ``(g, R)``.
    delta, loading
        Working-model covariance of the influences (see `Regression`), shapes ``(g,)``
        and ``(g, q)``.
    rows, weight, residual
        The arm's units, with their weights in the mean and residuals, shapes ``(n,)``,
        ``(n,)`` and ``(n, R)``.
    df
        Residual degrees of freedom of the arm.
    rounding
        Largest change of the mean and of each slope by rounding of the outcomes, shape
        ``(1 + p, R)``. The influence is 0 where rounding can explain all residuals of
        the arm.
    """

    mean: Array
    slope: Array
    cluster: Codes
    influence: Array
    delta: Array
    loading: Array
    rows: Codes
    weight: Array
    residual: Array
    df: int
    rounding: Array

    @property
    def variance(self) -> Array:
        """Variance of the mean, shape ``(R,)``."""
        return np.asarray((self.influence**2).sum(axis=0))


def fit_arms(
    Y: Array,
    arm: Codes,
    arm_codes: Sequence[int],
    *,
    cluster: Codes | None = None,
    covariates: Array | None = None,
    rounding: Array | None = None,
) -> Fits:
    """Regress the outcomes of each arm on its (centered) covariates, with CR2
    influences (HC2 without clusters).

    Parameters
    ----------
    Y
        Outcomes, shape ``(n, R)``.
    arm
        Arm of each unit, shape ``(n,)``.
    arm_codes
        The arms to fit.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. Without it each unit is one.
    covariates
        Centered at their mean over all n units, shape ``(n, p)``.
    rounding
        Bound on the rounding of each outcome, shape ``(n, R)``; without it outcomes are
        exact.

    Returns
    -------
    dict
        Arm -> `ArmFit`.

    References
    ----------
    Lin (2013), doi:10.1214/12-AOAS583. Bell & McCaffrey (2002), Survey Methodology
    28(2), 169-181.

    Examples
    --------
    >>> fits = fit_arms(
    ...     np.array([[1.0], [3.0], [10.0], [14.0]]), np.array([0, 0, 1, 1]), [0, 1]
    ... )
    >>> fits[1].mean, fits[1].variance
    (array([12.]), array([4.]))
    """
    X = np.column_stack(
        [np.ones(len(Y)), *([] if covariates is None else [covariates])]
    )
    bound = np.zeros_like(Y) if rounding is None else rounding
    return {
        a: _fit_arm(Y, X, bound, rows, cluster)
        for a in arm_codes
        if (rows := np.flatnonzero(arm == a)).size
    }


def _fit_arm(
    Y: Array, X: Array, bound: Array, rows: Codes, cluster: Codes | None
) -> ArmFit:
    labels, within = (
        (rows, None)
        if cluster is None
        else np.unique(cluster[rows], return_inverse=True)
    )
    fit: Regression = regress(X[rows], Y[rows], np.eye(X.shape[1])[0], within)
    flat, rounding = _rounding_bounds(X[rows], Y[rows], bound[rows])
    return ArmFit(
        mean=fit.estimate,
        slope=fit.beta[1:],
        cluster=labels,
        influence=np.where(flat, 0.0, fit.influence),
        delta=fit.delta,
        loading=fit.loading,
        rows=rows,
        weight=fit.weight,
        residual=np.where(flat, 0.0, fit.residual),
        df=fit.df_residual,
        rounding=rounding,
    )


def cells_of_arms(fits: Fits, W: Array) -> Cells:
    """Return the arms as independent cells of contrasts with weights ``(K, A)``.

    Examples
    --------
    >>> fits = fit_arms(
    ...     np.array([[1.0], [3.0], [10.0], [14.0]]), np.array([0, 0, 1, 1]), [0, 1]
    ... )
    >>> cells_of_arms(fits, np.array([[-1.0, 1.0]])).sd.round(3).ravel()
    array([1.414, 2.828])
    """
    arms = list(fits.values())
    sizes = np.array([len(fit.weight) for fit in arms])
    return Cells(
        weight=W[:, list(fits)],
        loading=np.concatenate([fit.weight for fit in arms]),
        residual=np.concatenate([fit.residual for fit in arms]),
        cell=np.repeat(np.arange(len(arms)), sizes),
        df=np.array([fit.df for fit in arms]),
    )


def _rounding_bounds(
    X: Array, Y: Array, bound: Array
) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return whether rounding can explain all residuals, (R,), and the largest change
    of coefficients, (q, R).

    Errors d within ``bound`` change residual i by ``|d_i - h_i' d|``, at most
    ``bound_i + |h_i| |bound|``, with h_i a row of the hat matrix and ``|h_i|^2`` its
    diagonal.
    """
    Q, R = np.linalg.qr(X)
    residuals = Y - Y[0] - Q @ (Q.T @ (Y - Y[0]))
    spread = np.sqrt((Q**2).sum(axis=1))[:, None] * np.sqrt((bound**2).sum(axis=0))
    flat = (np.abs(residuals) <= bound + spread).all(axis=0)
    return flat, np.abs(np.linalg.solve(R, Q.T)) @ bound


def fixed_blocks(
    Y: Array, arm: Codes, block: Codes, W: Array, *, rounding: Array | None = None
) -> tuple[Estimate, Cells]:
    """Contrast arms inside fixed blocks, weighted by the units of the contrast's own
    arms.

    ``sum_b n_b / n sum_a w_a mean_ab`` with ``n_b`` the units of its arms in block b;
    ``se^2 = sum_ab (w_a n_b / n)^2 s_ab^2 / n_ab`` (Neyman by block) on Satterthwaite's
    df over blocks and arms. A block without any of its arms is left out.

    Parameters
    ----------
    Y
        Outcomes, shape ``(n, R)``.
    arm
        Arm of each unit, shape ``(n,)``.
    block
        Block of each unit, shape ``(n,)``. Where it has one own arm of a contrast, it
        has two units of each.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.
    rounding
        As in `fit_arms`.

    Returns
    -------
    Estimate, Cells
        Shape ``(K, R)``, a row per block and arm in its factor; and these cells.

    References
    ----------
    Neyman (1923/1990), doi:10.1214/ss/1177012031. Satterthwaite (1946),
    doi:10.2307/3002019.

    Examples
    --------
    >>> y = np.array([[1.0], [3.0], [5.0], [9.0], [2.0], [2.0], [7.0], [8.0]])
    >>> arm, block = np.array([0, 0, 1, 1] * 2), np.repeat([0, 1], 4)
    >>> found, _ = fixed_blocks(y, arm, block, np.array([[-1.0, 1.0]]))
    >>> found.ace, found.se.round(4), found.df.round(4)
    (array([[5.25]]), array([[1.1456]]), array([[1.6154]]))
    """
    cells, cell = _block_cells(arm, block)
    sizes: Array = np.bincount(cell)[:, None].astype(np.float64)
    means, away = centered(Y, cell)
    bound = np.zeros_like(Y) if rounding is None else rounding
    spread = np.sqrt(group_sums(bound**2, cell) / sizes)[cell]
    for a in np.unique(arm):
        own = arm == a
        flat = (np.abs(away[own]) <= (bound + spread)[own]).all(axis=0)
        away[own] = np.where(flat, 0.0, away[own])
    squares = away**2 / (sizes * np.maximum(sizes - 1, 1))[cell]
    variance, peak = group_sums(squares, cell), np.zeros_like(means)
    np.maximum.at(peak, cell, squares)
    reach = group_sums(bound, cell) / sizes
    shape = len(W), Y.shape[1]
    ace, df, leverage, within = np.zeros((4, *shape))
    factor, weight = np.zeros((len(cells), *shape)), np.zeros((len(W), len(cells)))
    for k, w in enumerate(W):
        own = np.flatnonzero(w[cells[:, 1]])
        of_block = np.bincount(cells[own, 0], weights=sizes[own, 0])
        share = w[cells[own, 1]] * of_block[cells[own, 0]] / sizes[own].sum()
        weight[k, own] = share
        factor[own, k] = share[:, None] * np.sqrt(variance[own])
        ace[k], within[k] = share @ means[own], np.abs(share) @ reach[own]
        df[k] = satterthwaite(factor[own, k] ** 2, sizes[own] - 1)
        leverage[k] = (share[:, None] ** 2 * peak[own]).max(axis=0)
    answer = from_factor(ace, factor, df)
    se = answer.se
    answer = replace(
        answer,
        ace=np.where((se == 0) & (np.abs(ace) <= within), 0.0, ace),
        leverage=np.divide(leverage, se**2, out=np.zeros(shape), where=se > 0),
    )
    return answer, Cells(weight, 1 / sizes[cell, 0], away, cell, sizes[:, 0] - 1)


def pooled_error_of_arms(fits: Fits, W: Array, cluster: Codes) -> tuple[Array, Array]:
    """Return `pooled_error_of_clusters` of contrasts with weights ``(K, A)``, shape
    ``(K, R)`` each.

    Examples
    --------
    >>> arm, parent = np.repeat([0, 1], 4), np.repeat(np.arange(4), 2)
    >>> y = np.array([[1.0], [3], [5], [7], [0], [0], [2], [2]])
    >>> fits = fit_arms(y, arm, [0, 1], cluster=parent)
    >>> se, df = pooled_error_of_arms(fits, np.array([[-1.0, 1.0]]), parent)
    >>> se.round(3), df
    (array([[2.236]]), array([[2.]]))
    """
    found = []
    for w in W:
        own = [(w[a], a, fit) for a, fit in fits.items() if w[a] != 0]
        rows = np.concatenate([fit.rows for *_, fit in own])
        found.append(
            pooled_error_of_clusters(
                np.concatenate([weight * fit.weight for weight, _, fit in own]),
                np.concatenate([fit.residual for *_, fit in own]),
                np.concatenate([np.full(len(fit.rows), a) for _, a, fit in own]),
                cluster[rows],
                len(own) * (1 + len(own[0][2].slope)),
            )
        )
    se, df = zip(*found, strict=True)
    return np.stack(se), np.stack(df)


def _block_cells(arm: Codes, block: Codes) -> tuple[Codes, Codes]:
    """Return block and arm of each cell that has a unit, (C, 2), and the cell of each
    unit.
    """
    cells, cell = np.unique(np.column_stack([block, arm]), axis=0, return_inverse=True)
    return cells, cell.ravel()


def cells_of_drawn_blocks(Y: Array, arm: Codes, block: Codes, W: Array) -> Cells:
    """Return the arms of blocks as cells of the mean over blocks of their contrasts.

    Examples
    --------
    >>> y, arm = np.array([[1.0], [3.0], [5.0], [9.0]] * 2), np.array([0, 0, 1, 1] * 2)
    >>> cells = cells_of_drawn_blocks(
    ...     y, arm, np.repeat([0, 1], 4), np.array([[-1.0, 1.0]])
    ... )
    >>> cells.weight, cells.df
    (array([[-0.5,  0.5, -0.5,  0.5]]), array([1, 1, 1, 1]))
    """
    cells, cell = _block_cells(arm, block)
    sizes = np.bincount(cell)
    n_blocks = int(block.max()) + 1
    return Cells(
        W[:, cells[:, 1]] / n_blocks,
        1 / sizes[cell],
        centered(Y, cell)[1],
        cell,
        sizes - 1,
    )


def welch(fits: Fits, W: Array) -> Estimate:
    """Contrast arms with independent units: Neyman's variance and Welch's degrees of
    freedom for any weights.

    ``se^2 = sum_a w_a^2 s_a^2 / n_a``,
    ``df = se^4 / sum_a (w_a^2 s_a^2 / n_a)^2 / (n_a - 1)``.

    Parameters
    ----------
    fits
        From `fit_arms` without clusters.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.

    Returns
    -------
    Estimate
        Shape ``(K, R)``; its factor has one row per arm that is used.

    References
    ----------
    Welch (1947), doi:10.1093/biomet/34.1-2.28. Neyman (1923/1990),
    doi:10.1214/ss/1177012031.

    Examples
    --------
    >>> fits = fit_arms(
    ...     np.array([[1.0], [3.0], [10.0], [14.0]]), np.array([0, 0, 1, 1]), [0, 1]
    ... )
    >>> answer = welch(fits, np.array([[-1.0, 1.0]]))
    >>> answer.ace, answer.se.round(4), answer.df.round(4)
    (array([[10.]]), array([[2.2361]]), array([[1.4706]]))
    """
    variance = np.stack([fit.variance for fit in fits.values()])
    dfs = np.array([float(fit.df) for fit in fits.values()])
    w2 = W[:, list(fits)] ** 2
    df = [
        satterthwaite(w2[k, used, None] * variance[used], dfs[used, None])
        for k, used in enumerate(w2 > 0)
    ]
    return _independent_contrasts(fits, W, np.stack(df))


def residual_df(fits: Fits, W: Array) -> Estimate:
    """Contrast arms with independent units on the residual degrees of freedom of the
    arms that a contrast uses.

    This is Lin's regression with HC2 on ``n - A (p + 1)``, for the A arms of the
    contrast and their n units.

    Parameters
    ----------
    fits
        From `fit_arms` without clusters.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.

    Returns
    -------
    Estimate
        Shape ``(K, R)``; its factor has one row per arm that is used.

    References
    ----------
    Lin (2013), doi:10.1214/12-AOAS583.

    Examples
    --------
    >>> fits = fit_arms(
    ...     np.array([[1.0], [3.0], [10.0], [14.0]]), np.array([0, 0, 1, 1]), [0, 1]
    ... )
    >>> residual_df(fits, np.array([[-1.0, 1.0]])).df
    array([[2.]])
    """
    dfs = np.array([float(fit.df) for fit in fits.values()])
    return _independent_contrasts(fits, W, ((W[:, list(fits)] != 0) @ dfs)[:, None])


def _independent_contrasts(fits: Fits, W: Array, df: Array) -> Estimate:
    w = W[:, list(fits)]
    sd, share = (
        np.stack(x)
        for x in zip(
            *(root_sum_squares(fit.influence) for fit in fits.values()), strict=True
        )
    )
    answer = from_factor(_contrast_means(w, fits), w.T[:, :, None] * sd[:, None, :], df)
    peak = (w.T[:, :, None] ** 2 * (share * sd**2)[:, None, :]).max(axis=0)
    leverage = np.divide(
        peak, answer.se**2, out=np.zeros_like(peak), where=answer.se > 0
    )
    return Estimate(
        _zero_within_rounding(answer, fits, w),
        answer.se,
        answer.df,
        answer.factor,
        leverage,
    )


def _contrast_means(w: Array, fits: Fits) -> Array:
    """Return contrasts of the arm means, without losing digits to a common offset."""
    mean = np.stack([fit.mean for fit in fits.values()])
    return np.asarray(w @ (mean - mean[0]))


def _zero_within_rounding(answer: Estimate, fits: Fits, w: Array) -> Array:
    """Return the ACE, set to 0 where nothing varies and it is within rounding."""
    bound = np.abs(w) @ np.stack([fit.rounding[0] for fit in fits.values()])
    return np.where((answer.se == 0) & (np.abs(answer.ace) <= bound), 0.0, answer.ace)


def clustered(fits: Fits, W: Array, n_clusters: int) -> Estimate:
    """Contrast arms whose units share clusters: CR2 over clusters with Satterthwaite
    degrees of freedom.

    ``u_g = sum_a w_a v_ga' e_ga`` with the CR2 adjustment inside each cluster and arm,
    which is where the arms' saturated regression puts it.

    Parameters
    ----------
    fits
        From `fit_arms` with clusters labeled 0 to G - 1.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.
    n_clusters
        G.

    Returns
    -------
    Estimate
        Shape ``(K, R)``; its factor has one row per cluster.

    References
    ----------
    Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> y = np.array([[1.0], [3.0], [10.0], [14.0], [2.0], [8.0]])
    >>> fits = fit_arms(
    ...     y,
    ...     np.array([0, 0, 1, 1, 0, 1]),
    ...     [0, 1],
    ...     cluster=np.array([0, 1, 0, 1, 2, 2]),
    ... )
    >>> answer = clustered(fits, np.array([[-1.0, 1.0]]), 3)
    >>> answer.ace.round(4), answer.se.round(4), answer.df.round(4)
    (array([[8.6667]]), array([[1.453]]), array([[2.]]))
    """
    n_responses = next(iter(fits.values())).mean.shape[0]
    factor, df = np.zeros((n_clusters, len(W), n_responses)), np.empty(len(W))
    for k, w in enumerate(W):
        used = [a for a in fits if w[a] != 0]
        delta, loading = np.zeros(n_clusters), []
        for a in used:
            factor[fits[a].cluster, k] += w[a] * fits[a].influence
            delta[fits[a].cluster] += w[a] ** 2 * fits[a].delta
            loading.append(np.zeros((n_clusters, fits[a].loading.shape[1])))
            loading[-1][fits[a].cluster] = w[a] * fits[a].loading
        df[k] = bell_mccaffrey_df(delta, np.hstack(loading))
    answer = from_factor(_contrast_means(W[:, list(fits)], fits), factor, df[:, None])
    return replace(answer, ace=_zero_within_rounding(answer, fits, W[:, list(fits)]))


def covariate_sampling(
    fits: Fits, W: Array, covariates: Array, cluster: Codes | None
) -> Array:
    """Return what sampling the covariates' mean adds to the error, for claims about a
    population of units: pieces whose sum of squares is the variance.

    Of independent units ``gamma' S_x gamma / n`` with ``gamma = sum_a w_a slope_a`` (for
    two arms ``(b1 - b0)' S_x (b1 - b0) / n``). With clusters it is each cluster's share,
    ``gamma' sum_{i in g} x_i / n`` with its CR2 factor, which belongs to its influence,
    because residuals and covariates may correlate within clusters.

    Parameters
    ----------
    fits
        The arms' regressions.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.
    covariates
        Centered, shape ``(n, p)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each unit is one.

    Returns
    -------
    array
        Shape ``(G, K, R)``; without clusters ``(p, K, R)``.

    References
    ----------
    Negi & Wooldridge (2021), doi:10.1080/07474938.2020.1824732.

    Examples
    --------
    >>> y, x = (
    ...     np.array([[1.0], [3.0], [2.0], [8.0], [2.0], [7.0]]),
    ...     np.array([[-1.0], [1], [0], [1], [-1], [0]]),
    ... )
    >>> fits = fit_arms(y, np.array([0, 0, 0, 1, 1, 1]), [0, 1], covariates=x)
    >>> pieces = covariate_sampling(fits, np.array([[-1.0, 1.0]]), x, None)
    >>> (pieces**2).sum(axis=0).round(4), (2.0**2 * x.var(ddof=1) / 6).round(4)
    (array([[0.5333]]), np.float64(0.5333))
    """
    w = W[:, list(fits)]
    gamma = np.tensordot(w, np.stack([fit.slope for fit in fits.values()]), axes=1)
    bound = np.tensordot(
        np.abs(w), np.stack([fit.rounding[1:] for fit in fits.values()]), axes=1
    )
    gamma = np.where(np.abs(gamma) <= bound, 0.0, gamma)
    sampling: Array = mean_ice(covariates, cluster).factor
    if cluster is None:
        sampling = np.asarray(np.linalg.cholesky(sampling.T @ sampling).T, np.float64)
    return np.asarray(np.einsum("gp,kpr->gkr", sampling, gamma))


def with_sampling(answer: Estimate, pieces: Array, *, of_clusters: bool) -> Estimate:
    """Return an answer with the error of `covariate_sampling`.

    Examples
    --------
    >>> before = from_factor(np.array([[1.0]]), np.array([[[3.0]]]), 5.0)
    >>> with_sampling(before, np.array([[[4.0]]]), of_clusters=False).se
    array([[5.]])
    """
    factor = answer.factor
    if of_clusters:
        return from_factor(answer.ace, factor + pieces, answer.df)
    whole = from_factor(answer.ace, np.concatenate([factor, pieces]), answer.df)
    shrink = np.divide(
        answer.se, whole.se, out=np.ones_like(whole.se), where=whole.se > 0
    )
    return replace(whole, leverage=answer.leverage * shrink**2)
