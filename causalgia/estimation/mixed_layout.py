"""Fixed effects, groupings and responses of a linear mixed model, laid out as sparse arrays."""

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


@dataclass(frozen=True)
class Layout:
    """Fixed effects and groupings, without a response.

    Attributes
    ----------
    Q, R
        The orthonormal and the triangular part of the fixed effects, shapes ``(N, p)`` and ``(p, p)``.
    Z
        Indicators of the levels of all groupings, shape ``(N, q)``, in an order that keeps its factors sparse.
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
        return [sparse.csr_array(self.Z[:, np.flatnonzero(self.owner == j)]) for j in range(len(self.names))]

    @cached_property
    def gram(self) -> Array:
        """``tr(M V_i M V_j)`` with ``M = I - QQ'`` and the residual last, shape ``(J + 1, J + 1)``."""
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
    """A response over a layout, on a scale where its residuals from the fixed effects have variance 1.

    Attributes
    ----------
    layout
        Fixed effects and groupings.
    y
        Residuals of least squares, divided by `scale`, shape ``(N,)``; 0 where the fixed effects fit exactly.
    start
        Coefficients of least squares, shape ``(p,)``, on the scale of the data.
    scale
        Standard deviation of the residuals of least squares, 0 where they are none but rounding.
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


def lay_out(X: Array, groups: Mapping[str, Codes]) -> Layout:
    """Check fixed effects and groupings and factor what every response shares.

    Examples
    --------
    >>> lay_out(np.ones((3, 1)), {"unit": np.array([0, 0, 1])}).owner
    array([0, 0])
    """
    X = np.asarray(X, dtype=np.float64)
    _check(X, groups)
    Q, R = np.linalg.qr(X)
    if np.abs(np.diagonal(R)).min() <= 1e-10 * np.abs(R).max():
        raise EstimateError("the columns of X are not of full rank; leave out those that are sums of others")
    Z = sparse.csr_array(sparse.hstack([_indicators(codes) for codes in groups.values()], format="csr"))
    owner = np.concatenate([np.full(codes.max() + 1, j) for j, codes in enumerate(groups.values())]).astype(np.intp)
    order = _elimination_order(Z)
    return _told_apart(Layout(Q, R, sparse.csr_array(Z[:, order]), owner[order], tuple(groups)))


def _told_apart(layout: Layout) -> Layout:
    """Refuse groupings whose variances no quadratic form of the residuals can tell apart."""
    whole = np.array([(np.asarray(Z.sum(axis=0)) ** 2).sum() for Z in layout.blocks] + [len(layout.Q)])
    left = np.diagonal(layout.gram)
    norm = np.sqrt(np.where(left > 1e-12 * whole, left, 1.0))
    if (left <= 1e-12 * whole).any() or np.linalg.cond(layout.gram / np.outer(norm, norm)) > 1e12:
        raise EstimateError(
            f"the groupings {', '.join(map(quoted, layout.names))}, the fixed effects and the residual cannot be told "
            "apart by these rows; leave one out or add rows"
        )
    return layout


def respond(layout: Layout, y: Array) -> Table:
    """Check a response and bring it to the scale of its residuals.

    Examples
    --------
    >>> layout = lay_out(np.ones((3, 1)), {"unit": np.array([0, 0, 1])})
    >>> respond(layout, np.array([1.0, 2.0, 6.0])).start
    array([3.])
    """
    y, (n, p) = np.asarray(y, dtype=np.float64), layout.Q.shape
    if y.shape != (n,):
        raise EstimateError(f"y has shape {y.shape} and X has {n} rows; give one value for each row")
    if not np.isfinite(y).all():
        raise EstimateError("y has values that are not finite; leave those rows out or repair them")
    near = y - y[0]
    residuals = near - layout.Q @ (layout.Q.T @ near)
    residuals -= layout.Q @ (layout.Q.T @ residuals)
    scale = float(np.sqrt((residuals**2).sum() / (n - p)))
    scale = 0.0 if scale <= 1e-14 * np.abs(near).max() else scale
    start = np.linalg.solve(layout.R, layout.Q.T @ near) + np.linalg.solve(layout.R, layout.Q.T @ np.full(n, y[0]))
    return Table(layout, residuals / scale if scale > 0 else np.zeros(n), start, scale)


def _elimination_order(Z: sparse.csr_array) -> npt.NDArray[Any]:
    """Order of the random effects that fills little, found once: it costs more than a factorisation."""
    M = sparse.csc_array(Z.T @ Z + sparse.eye_array(Z.shape[1]))
    return np.argsort(factored(M, "MMD_AT_PLUS_A").perm_c)


def factored(M: sparse.csc_array, order: Literal["NATURAL", "MMD_AT_PLUS_A"] = "NATURAL") -> SuperLU:
    """Factor a matrix that is similar to a positive definite one, without pivoting."""
    return splu(M, permc_spec=order, diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def _check(X: Array, groups: Mapping[str, Codes]) -> None:
    if X.ndim != 2 or not np.isfinite(X).all():
        raise EstimateError(f"X has shape {X.shape} or values that are not finite; give finite numbers of shape (N, p)")
    if not groups:
        raise EstimateError("no groupings: give at least one, for example {'unit': codes}")
    if len(X) <= X.shape[1] + 1:
        raise EstimateError(f"{len(X)} rows for {X.shape[1]} fixed effects leave no spread; more rows are needed")
    for name, codes in groups.items():
        _check_grouping(name, np.asarray(codes), len(X))
    for one, other in combinations(groups, 2):
        if same_partition(np.asarray(groups[one]), np.asarray(groups[other])):
            raise EstimateError(f"the groupings {quoted(one)} and {quoted(other)} are the same; leave one of them out")


def _check_grouping(name: str, codes: npt.NDArray[Any], n: int) -> None:
    if codes.shape != (n,) or codes.dtype.kind not in "iu":
        raise EstimateError(
            f"grouping {quoted(name)} has shape {codes.shape} and dtype {codes.dtype}; give {n} integers"
        )
    levels = np.unique(codes)
    if levels[0] != 0 or levels[-1] != len(levels) - 1:
        raise EstimateError(f"grouping {quoted(name)}: the levels are not 0 to {len(levels) - 1}; use pandas.factorize")
    if len(levels) < 2:
        raise EstimateError(
            f"grouping {quoted(name)} has one level, which gives no variance; leave it out or add levels"
        )
    if len(levels) == n:
        raise EstimateError(f"grouping {quoted(name)} has one row for each level: it is the residual; leave it out")


def same_partition(one: Codes, other: Codes) -> bool:
    """Return whether two groupings put the same rows together.

    Examples
    --------
    >>> same_partition(np.array([0, 0, 1]), np.array([1, 1, 0]))
    True
    """
    pairs = len(np.unique(one * (other.max() + 1) + other))
    return bool(pairs == one.max() + 1 == other.max() + 1)


def _indicators(codes: Codes) -> sparse.csr_array:
    n = len(codes)
    return sparse.csr_array((np.ones(n), (np.arange(n), codes)))


def _overlap(Z: sparse.csr_array, S: Array, other: sparse.csr_array, T: Array) -> float:
    """``|| Z' (I - QQ') other ||^2`` with S = Z'Q and T = other'Q."""
    both = sparse.csr_array(Z.T @ other)
    return float((both.multiply(both)).sum() - 2 * np.sum(S * (both @ T)) + np.sum((S.T @ S) * (T.T @ T)))
