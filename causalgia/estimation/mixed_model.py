"""Restricted maximum likelihood (REML) for crossed and nested random intercepts, on
sparse arrays.

The model is ``y = X beta + sum_j Z_j u_j + e``: each level of grouping j has a normal
random intercept of variance s_j, and e is the residual of variance s_e. All matrices
except the data have the size of the random effects, are sparse, and are factored once
for each evaluation: ``V^-1 = (I - Z G (I + Z'Z G)^-1 Z') / s_e`` with G the diagonal of
the ratios s_j / s_e, which is regular where a variance is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from causalgia.errors import EstimateError, quoted
from causalgia.types import Array, Codes

#: residual variance, as a share of the variance of y, below which it counts as 0
FLOOR = 1e-10
STEP = 1e-20
MOST_STEPS = 200


@dataclass(frozen=True)
class Variances:
    """Variance components of one response at the maximum of the restricted likelihood.

    Attributes
    ----------
    names
        The J groupings in their order, then ``"residual"``.
    variance
        Their variances on the squared scale of the data, shape ``(J + 1,)``, bounded
        at 0.
    covariance
        Inverse of the average information about them, shape ``(J + 1, J + 1)``; of the
        unbounded estimate for a grouping at the bound, 0 for a residual of 0.
    """

    names: tuple[str, ...]
    variance: Array
    covariance: Array

    @property
    def se(self) -> Array:
        """Standard errors of the variances, shape ``(J + 1,)``."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)))


def fit_variances(table: Table) -> Variances:
    """Fit the variance components of a table by REML; all 0 if nothing varies.

    Examples
    --------
    >>> from causalgia.estimation.mixed_model import mixed_layout, respond
    >>> layout = mixed_layout(np.ones((6, 1)), {"unit": np.array([0, 0, 1, 1, 2, 2])})
    >>> fit_variances(
    ...     respond(layout, np.array([1.0, 2.0, 2.0, 4.0, 6.0, 8.0]))
    ... ).variance.round(4)
    array([7.3333, 1.5   ])
    """
    names = (*table.layout.names, "residual")
    if table.scale == 0:
        return Variances(
            names, np.zeros(len(names)), np.zeros((len(names), len(names)))
        )
    at = Point(table, maximize(table))
    units = table.scale**2
    covariance = inverse_information(at.average_information, at.not_exact) * units**2
    return Variances(names, np.where(at.at_bound, 0.0, at.theta) * units, covariance)


def inverse_information(information: Array, free: npt.NDArray[np.bool_]) -> Array:
    """Invert the information about the free variances, each on its own scale; 0 for the
    others.

    Examples
    --------
    >>> inverse_information(np.diag([4.0, 1e-20]), np.array([True, True]))
    array([[2.5e-01, 0.0e+00],
           [0.0e+00, 1.0e+20]])
    """
    out, block = np.zeros_like(information), np.ix_(free, free)
    size = np.sqrt(np.diagonal(information)[free])
    size = np.where(size > 0, size, 1.0)
    out[block] = np.linalg.pinv(
        information[block] / np.outer(size, size), hermitian=True
    ) / np.outer(size, size)
    return out


class Point:
    """The restricted likelihood of a table at given variances (groupings, then
    residual).
    """

    def __init__(self, table: Table, theta: npt.NDArray[Any]) -> None:
        self.table, self.layout, self.theta, self.residual = (
            table,
            table.layout,
            theta,
            theta[-1],
        )
        self.ratio = theta[self.layout.owner] / self.residual
        q = len(self.ratio)
        M = sparse.csc_array(
            sparse.eye_array(q, format="csc") + self.layout.cross * self.ratio[None, :]
        )
        self.lu = factorize(M)
        sides, projected = table.sides, table.projected
        solved = self.lu.solve(projected.astype(M.dtype))
        inner = (
            sides.T @ sides - projected.T @ (self.ratio[:, None] * solved)
        ) / self.residual
        self.information, self.side, whole = (
            inner[:-1, :-1],
            inner[:-1, -1],
            inner[-1, -1],
        )
        self.shift = np.linalg.solve(self.information, self.side)
        self.squares = whole - self.side @ self.shift

    @cached_property
    def fixed(self) -> Array:
        """Covariance of the orthonormal fixed effects."""
        return np.asarray(np.linalg.inv(self.information))

    @property
    def at_bound(self) -> npt.NDArray[np.bool_]:
        """Which variances are at their bounds."""
        return np.asarray(self.theta <= np.append(np.zeros(len(self.theta) - 1), FLOOR))

    @property
    def not_exact(self) -> npt.NDArray[np.bool_]:
        """All variances, except that of a residual which is rounding alone."""
        return np.append(
            np.ones(len(self.theta) - 1, dtype=bool), self.residual > FLOOR
        )

    @property
    def criterion(self) -> Any:
        """Minus twice the restricted log likelihood, without constants."""
        sign, size = np.linalg.slogdet(self.information)
        determinant = np.log(self.lu.U.diagonal()).sum() + len(self.table.y) * np.log(
            self.residual
        )
        return (
            determinant
            + size
            + (1j * np.angle(sign) if np.iscomplexobj(sign) else 0.0)
            + self.squares
        )

    @cached_property
    def score(self) -> Array:
        """Derivative of the criterion in each variance, by complex steps; for the
        residual by homogeneity.
        """
        n_groups = len(self.theta) - 1
        slopes = np.array(
            [_criterion_slope(self.table, self.theta, j) for j in range(n_groups)]
        )
        rows = len(self.table.y) - self.layout.Q.shape[1]
        residual = (rows - self.squares - slopes @ self.theta[:-1]) / self.residual
        return np.append(slopes, residual)

    def inverse_times(self, v: Array) -> Array:
        """``V^-1 v`` for columns v, shape ``(N, c)``."""
        solved = self.lu.solve(np.asarray(self.layout.Z.T @ v))
        return np.asarray(
            (v - self.layout.Z @ (self.ratio[:, None] * solved)) / self.residual
        )

    @cached_property
    def average_information(self) -> Array:
        """``y'P V_i P V_j P y / 2``, shape ``(J + 1, J + 1)``."""
        Q = self.layout.Q
        py = self.inverse_times((self.table.y - Q @ self.shift)[:, None])
        columns = [Z @ (Z.T @ py) for Z in self.layout.blocks]
        parts = np.column_stack([*columns, py])
        solved = self.inverse_times(parts)
        projected = Q.T @ solved
        return np.asarray(parts.T @ solved - projected.T @ self.fixed @ projected) / 2


def _criterion_slope(table: Table, theta: Array, j: int) -> float:
    moved = theta.astype(np.complex128)
    moved[j] += 1j * STEP
    return float(Point(table, moved).criterion.imag / STEP)


def maximize(table: Table) -> Array:
    """Return the REML variances (groupings, then residual) on the scale of the table,
    by average-information steps.

    Raises
    ------
    EstimateError
        If the groupings are not identifiable, or no maximum is found.
    """
    least = np.append(np.zeros(len(table.layout.names)), FLOOR)
    # start at MINQUE with weights 0, in closed form: the analysis of variance of a
    # balanced table
    layout = table.layout
    squares = [(np.asarray(Z.T @ table.y) ** 2).sum() for Z in layout.blocks] + [
        table.y @ table.y
    ]
    norm = np.sqrt(np.diagonal(layout.gram))
    minque = np.asarray(
        np.linalg.solve(layout.gram / np.outer(norm, norm), np.array(squares) / norm)
        / norm
    )
    at = Point(table, np.maximum(minque, least))
    for _ in range(MOST_STEPS):
        free = ~((at.theta <= least) & (at.score > 0))
        step = -inverse_information(2 * at.average_information, free) @ at.score
        # a gain below this is rounding, of which the score has more for a residual at
        # its bound
        least_gain = 1e-18 * len(table.y) if at.residual > FLOOR else 1e-10
        new = at if -at.score @ step < least_gain else _shortened(at, step, least)
        if np.array_equal(new.theta, at.theta):
            return np.asarray(at.theta)
        at = new
    raise EstimateError(
        f"no maximum of the restricted likelihood after {MOST_STEPS} steps"
    )


def _shortened(at: Point, step: Array, least: Array) -> Point:
    """Halve a step until the criterion does not rise beyond its rounding."""
    slack = 1e-11 * max(1.0, abs(float(at.criterion)))
    for halvings in range(60):
        theta = np.maximum(at.theta + step * 0.5**halvings, least)
        new = Point(at.table, theta)
        if float(new.criterion) <= float(at.criterion) + slack:
            return new
    return at


@dataclass(frozen=True)
class Layout:
    """Fixed effects and groupings, without a response.

    Attributes
    ----------
    Q, R
        The orthonormal and the triangular part of the fixed effects, shapes ``(N, p)``
        and ``(p, p)``.
    Z
        Indicators of the levels of all groupings, shape ``(N, q)``, in an order that
        keeps its factors sparse.
    owner
        Grouping of each column of Z, shape ``(q,)``.
    names
        Names of the J groupings.
    """

    Q: Array
    R: Array
    Z: sparse.csr_array
    owner: Codes
    names: tuple[str, ...]

    @cached_property
    def cross(self) -> sparse.csc_array:
        """``Z'Z``, shape ``(q, q)``."""
        return sparse.csc_array(self.Z.T @ self.Z)

    @cached_property
    def blocks(self) -> list[sparse.csr_array]:
        """The columns of Z that belong to each grouping."""
        return [
            sparse.csr_array(self.Z[:, np.flatnonzero(self.owner == j)])
            for j in range(len(self.names))
        ]

    @cached_property
    def gram(self) -> Array:
        """``tr(M V_i M V_j)`` with ``M = I - QQ'`` and the residual last, shape
        ``(J + 1, J + 1)``.
        """
        shadows = [np.asarray(Z.T @ self.Q) for Z in self.blocks]
        n, p = self.Q.shape
        gram = np.full((len(shadows) + 1, len(shadows) + 1), float(n - p))
        for i, (Z, S) in enumerate(zip(self.blocks, shadows, strict=True)):
            gram[i, -1] = gram[-1, i] = Z.sum() - (S**2).sum()
            for j in range(i + 1):
                gram[i, j] = gram[j, i] = _overlap(Z, S, self.blocks[j], shadows[j])
        return gram


@dataclass(frozen=True)
class Table:
    """A layout with a response, scaled so that its residuals from the fixed effects
    have variance 1.

    Attributes
    ----------
    layout
        Fixed effects and groupings.
    y
        Residuals of least squares, divided by `scale`, shape ``(N,)``; 0 where the
        fixed effects fit exactly.
    start
        Coefficients of least squares, shape ``(p,)``, on the scale of the data.
    scale
        Standard deviation of the residuals of least squares, 0 where they are rounding
        alone.
    """

    layout: Layout
    y: Array
    start: Array
    scale: float

    @cached_property
    def sides(self) -> Array:
        """``[Q, y]``, shape ``(N, p + 1)``."""
        return np.column_stack([self.layout.Q, self.y])

    @cached_property
    def projected(self) -> Array:
        """``Z' [Q, y]``, shape ``(q, p + 1)``."""
        return np.asarray(self.layout.Z.T @ self.sides)


def mixed_layout(X: Array, groups: Mapping[str, Codes]) -> Layout:
    """Check fixed effects and groupings, and factor the matrices that all responses
    share.

    Examples
    --------
    >>> mixed_layout(np.ones((3, 1)), {"unit": np.array([0, 0, 1])}).owner
    array([0, 0])
    """
    X = np.asarray(X, dtype=np.float64)
    _check_layout(X, groups)
    Q, R = np.linalg.qr(X)
    if np.abs(np.diagonal(R)).min() <= 1e-10 * np.abs(R).max():
        raise EstimateError("the columns of X are not of full rank")
    n = len(X)
    indicators = [
        sparse.csr_array((np.ones(n), (np.arange(n), codes)))
        for codes in groups.values()
    ]
    Z = sparse.csr_array(sparse.hstack(indicators, format="csr"))
    owner = np.concatenate(
        [np.full(codes.max() + 1, j) for j, codes in enumerate(groups.values())]
    ).astype(np.intp)
    order = _elimination_order(Z)
    layout = Layout(Q, R, sparse.csr_array(Z[:, order]), owner[order], tuple(groups))
    _check_identifiable(layout)
    return layout


def _elimination_order(Z: sparse.csr_array) -> npt.NDArray[Any]:
    """Return an order of the random effects with little fill-in; to find it costs more
    than a factorization.
    """
    M = sparse.csc_array(Z.T @ Z + sparse.eye_array(Z.shape[1]))
    return np.argsort(factorize(M, "MMD_AT_PLUS_A").perm_c)


def _check_identifiable(layout: Layout) -> None:
    """Raise EstimateError where no quadratic forms of the residuals identify all
    variances.
    """
    whole = np.array(
        [(np.asarray(Z.sum(axis=0)) ** 2).sum() for Z in layout.blocks]
        + [len(layout.Q)]
    )
    left = np.diagonal(layout.gram)
    norm = np.sqrt(np.where(left > 1e-12 * whole, left, 1.0))
    if (left <= 1e-12 * whole).any() or np.linalg.cond(
        layout.gram / np.outer(norm, norm)
    ) > 1e12:
        raise EstimateError(
            f"the groupings {', '.join(map(quoted, layout.names))}, the fixed effects "
            "and the residual cannot be separated by these rows"
        )


def respond(layout: Layout, y: Array) -> Table:
    """Check a response and scale it by the sd of its residuals.

    Examples
    --------
    >>> layout = mixed_layout(np.ones((3, 1)), {"unit": np.array([0, 0, 1])})
    >>> respond(layout, np.array([1.0, 2.0, 6.0])).start
    array([3.])
    """
    y, (n, p) = np.asarray(y, dtype=np.float64), layout.Q.shape
    if y.shape != (n,):
        raise EstimateError(
            f"y has shape {y.shape} and X has {n} rows; give one value for each row"
        )
    if not np.isfinite(y).all():
        raise EstimateError("y has values that are not finite")
    shifted = y - y[0]
    residuals = shifted - layout.Q @ (layout.Q.T @ shifted)
    residuals -= layout.Q @ (layout.Q.T @ residuals)
    scale = float(np.sqrt((residuals**2).sum() / (n - p)))
    scale = 0.0 if scale <= 1e-14 * np.abs(shifted).max() else scale
    start = np.linalg.solve(layout.R, layout.Q.T @ shifted) + np.linalg.solve(
        layout.R, layout.Q.T @ np.full(n, y[0])
    )
    return Table(layout, residuals / scale if scale > 0 else np.zeros(n), start, scale)


def factorize(
    M: sparse.csc_array, order: Literal["NATURAL", "MMD_AT_PLUS_A"] = "NATURAL"
) -> SuperLU:
    """Factorize a matrix that is similar to a positive definite one, without
    pivoting.
    """
    return splu(
        M, permc_spec=order, diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )


def _check_layout(X: Array, groups: Mapping[str, Codes]) -> None:
    if X.ndim != 2 or not np.isfinite(X).all():
        raise EstimateError(
            f"X has shape {X.shape} or values that are not finite; give finite numbers "
            "of shape (N, p)"
        )
    if not groups:
        raise EstimateError(
            "no groupings: give at least one, for example {'unit': codes}"
        )
    if len(X) <= X.shape[1] + 1:
        raise EstimateError(
            f"{len(X)} rows for {X.shape[1]} fixed effects leave no spread; more rows "
            "are needed"
        )
    for name, codes in groups.items():
        _check_grouping(name, np.asarray(codes), len(X))
    for one, other in combinations(groups, 2):
        if same_partition(np.asarray(groups[one]), np.asarray(groups[other])):
            raise EstimateError(
                f"the groupings {quoted(one)} and {quoted(other)} are the same"
            )


def _check_grouping(name: str, codes: npt.NDArray[Any], n: int) -> None:
    if codes.shape != (n,) or codes.dtype.kind not in "iu":
        raise EstimateError(
            f"grouping {quoted(name)} has shape {codes.shape} and dtype {codes.dtype}; "
            f"give {n} integers"
        )
    levels = np.unique(codes)
    if levels[0] != 0 or levels[-1] != len(levels) - 1:
        raise EstimateError(
            f"grouping {quoted(name)}: the levels are not 0 to {len(levels) - 1}"
        )
    if len(levels) < 2:
        raise EstimateError(
            f"grouping {quoted(name)} has one level, which gives no variance"
        )
    if len(levels) == n:
        raise EstimateError(
            f"grouping {quoted(name)} has one row for each level: it is the residual"
        )


def same_partition(one: Codes, other: Codes) -> bool:
    """Return whether two groupings are the same up to the numbering of their levels.

    Examples
    --------
    >>> same_partition(np.array([0, 0, 1]), np.array([1, 1, 0]))
    True
    """
    pairs = len(np.unique(one * (other.max() + 1) + other))
    return bool(pairs == one.max() + 1 == other.max() + 1)


def _overlap(Z: sparse.csr_array, S: Array, other: sparse.csr_array, T: Array) -> float:
    """Return ``|| Z' (I - QQ') other ||^2`` with S = Z'Q and T = other'Q."""
    both = sparse.csr_array(Z.T @ other)
    return float(
        (both.multiply(both)).sum()
        - 2 * np.sum(S * (both @ T))
        + np.sum((S.T @ S) * (T.T @ T))
    )
