"""Sums over thousands of estimates on a lattice of (estimate, standard error), and
adaptive cells of a density.

Given mu and a law that is a mixture of normals, the log density of an estimate is a
smooth function of ``u = (d - c) / s`` and ``v = log s``: a density is not narrower than
its error, and its features far out widen with u. Interpolated by polynomials on a
lattice of (asinh u, v), its sum over all estimates is a sum over the lattice, with
counts that do not depend on the law. So are its derivatives, and smooth functions of
(u, v) are interpolated at each estimate by the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from causalgia.compiled import njit
from causalgia.errors import EstimateError
from causalgia.types import Array

__all__ = [
    "COARSE",
    "FINE",
    "Cells",
    "Density",
    "Lattice",
    "Spacing",
    "adaptive_cells",
    "bin_estimates",
    "build_lattice",
    "sharpen_cells",
    "tilted_quantile",
]


_SAME = 1e-9
_BIN, _BIN_SE = 0.4, 0.3
_LEAST_GAIN = 2


@dataclass(frozen=True)
class Spacing:
    """Spacing of the points of a lattice, and order of the interpolating
    polynomials.
    """

    step: float
    """In ``u`` near the center."""
    bend: float
    """Beyond this u the step grows with u."""
    order: int
    step_se: float
    """In the log of standard errors."""
    order_se: int


FINE = Spacing(0.25, 4.0, 8, 0.1, 6)
"""Sums of log densities of two scales over 10,000 estimates have an error of a few
1e-3.
"""
COARSE = Spacing(0.35, 3.0, 8, 0.2, 6)
"""Such sums have an error of half a nat, and interpolated values of 1e-4."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """J points that represent K estimates."""

    effect: Array
    """Estimates at the points, (J,)."""
    noise: Array
    """Noise variances there, (J,)."""
    count: Array
    """Number of estimates that each point represents, (J,): some negative, K in
    total.
    """
    place: npt.NDArray[np.int64]
    """Index of the point at each place, (U, V); -1 where there is none."""
    first: npt.NDArray[np.int64]
    """Place of the first point about each estimate along both axes, (2, K)."""
    share_u: Array
    """Weights of the points along u about each estimate, (K, order)."""
    share_v: Array
    """And along v."""

    def read(self, values: Array) -> Array:
        """Return values of K estimates, (..., K), from those at the points, (..., J).

        Examples
        --------
        >>> effect = np.random.default_rng(0).normal(size=400)
        >>> lattice = build_lattice(effect, np.ones(400))
        >>> bool(
        ...     np.allclose(
        ...         lattice.read(np.sin(lattice.effect)), np.sin(effect), atol=1e-6
        ...     )
        ... )
        True
        """
        columns = np.ascontiguousarray(values.reshape(-1, values.shape[-1]).T)
        out = np.zeros((self.first.shape[1], columns.shape[1]))
        _interpolate(self.place, self.first, self.share_u, self.share_v, columns, out)
        return np.ascontiguousarray(out.T).reshape(*values.shape[:-1], -1)


def build_lattice(
    effect: Array, noise: Array, spacing: Spacing = FINE
) -> Lattice | None:
    """Return the lattice of these estimates, or None where it has more than half as
    many points.

    With equal standard errors it has one dimension.

    Parameters
    ----------
    effect, noise
        Estimates and their independent noise variances, (K,).
    spacing
        `FINE` or `COARSE`.

    References
    ----------
    Berrut & Trefethen (2004), doi:10.1137/S0036144502417715.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(0, 2, 10_000)
    >>> lattice = build_lattice(effect, np.ones(10_000))
    >>> (
    ...     len(lattice.effect) < 100,
    ...     float(lattice.count @ lattice.effect**2 / (effect**2).sum()).__round__(6),
    ... )
    (True, 1.0)
    """
    center, log_se, bend = float(np.median(effect)), 0.5 * np.log(noise), spacing.bend
    least = float(log_se.min())
    u = bend / spacing.step * np.arcsinh((effect - center) / np.sqrt(noise) / bend)
    v, order_se = (log_se - least) / spacing.step_se, spacing.order_se
    if np.ptp(log_se) < _SAME:
        v, order_se = np.zeros(len(effect)), 1
    along, share_u = _interpolation_weights(u, spacing.order)
    across, share_v = _interpolation_weights(v, order_se)
    left, low = along.min(), across.min()
    first = np.stack([along - left, across - low])
    counts = np.zeros(first.max(axis=1) + np.array([spacing.order, order_se]))
    used = np.zeros(counts.shape, dtype=np.bool_)
    _add_counts(first, share_u, share_v, counts, used)
    place, (row, column) = np.cumsum(used).reshape(used.shape) - 1, np.nonzero(used)
    if _LEAST_GAIN * len(row) > len(effect):
        return None
    se = np.exp(least + spacing.step_se * (column + low))
    at = center + se * bend * np.sinh((row + left) * spacing.step / bend)
    return Lattice(
        at, se**2, counts[used], np.where(used, place, -1), first, share_u, share_v
    )


def bin_estimates(effect: Array, noise: Array) -> tuple[Array, Array, Array]:
    """Return binned estimates: means of estimates, variances at mean log standard
    errors, and counts, (J,) each.

    Unlike the points of a lattice they are plausible estimates under any law, with
    slightly less variance.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(0, 2, 10_000)
    >>> middle, _, count = bin_estimates(effect, np.ones(10_000))
    >>> len(middle) < 40, float((count @ middle**2 / (effect**2).sum()).round(2))
    (True, 1.0)
    """
    log_se = 0.5 * np.log(noise)
    u = COARSE.bend * np.arcsinh(
        (effect - np.median(effect)) / np.sqrt(noise) / COARSE.bend
    )
    row, column = (
        np.rint(x / step).astype(np.int64)
        for x, step in ((u, _BIN), (log_se - log_se.min(), _BIN_SE))
    )
    _, place = np.unique(
        (row - row.min()) * (column.max() + 1) + column, return_inverse=True
    )
    count = np.bincount(place).astype(np.float64)
    return (
        np.bincount(place, effect) / count,
        np.exp(2 * np.bincount(place, log_se) / count),
        count,
    )


def _interpolation_weights(x: Array, order: int) -> tuple[npt.NDArray[np.int64], Array]:
    """Return the first of the integers about each x, (K,), and the weights of the
    polynomial in them, (K, order).
    """
    first = np.floor(x).astype(np.int64) - (order // 2 - 1 if order > 1 else 0)
    nodes = np.arange(order)
    scale = np.array(
        [np.prod(j - np.delete(nodes, j)) for j in nodes], dtype=np.float64
    )
    share = np.empty((len(x), order))
    _lagrange_weights(x - first, scale, share)
    return first, share


@njit(nogil=True)
def _lagrange_weights(away, scale, share):  # type: ignore[no-untyped-def]
    order = len(scale)
    for k in range(len(away)):
        product = 1.0
        for j in range(order):
            share[k, j] = product / scale[j]
            product *= away[k] - j
        product = 1.0
        for j in range(order - 1, -1, -1):
            share[k, j] *= product
            product *= away[k] - j


@njit(nogil=True)
def _add_counts(first, share_u, share_v, counts, used):  # type: ignore[no-untyped-def]
    for k in range(first.shape[1]):
        for i in range(share_u.shape[1]):
            for j in range(share_v.shape[1]):
                counts[first[0, k] + i, first[1, k] + j] += (
                    share_u[k, i] * share_v[k, j]
                )
                used[first[0, k] + i, first[1, k] + j] = True


@njit(nogil=True)
def _interpolate(place, first, share_u, share_v, values, out):  # type: ignore[no-untyped-def]
    for k in range(len(out)):
        for i in range(share_u.shape[1]):
            for j in range(share_v.shape[1]):
                share, at = (
                    share_u[k, i] * share_v[k, j],
                    place[first[0, k] + i, first[1, k] + j],
                )
                for h in range(out.shape[1]):
                    out[k, h] += share * values[at, h]


Density: TypeAlias = Callable[[Array, Array], tuple[Array, Array, Array]]
"""Points (N, d) and their states (N, s) -> log density (N,), gradient (N, d), and
starting states for points nearby.
"""

_NO_COEFFICIENTS = np.zeros(0)
_MATTERS = 5.5  # nats below the highest cell; lower cells are not cut
_DROP = 14.0
# of a normal density h^2 / sd^2, and the rise over a cell where it is appreciable
_BEND, _RISE = 0.7, 6.0
_CUTTING_ROUNDS = 60
_MOST_CELLS = 20_000


@dataclass(frozen=True, eq=False)
class Cells:
    """Boxes that are small beside the curvature of the log density."""

    points: Array
    """Centers, (N, d)."""
    size: Array
    """Of each cell, (N, d)."""
    slope: Array
    """Gradient of the log density at the centers, (N, d)."""
    bend: Array
    """Approximate second derivatives along the axes, (N, d)."""
    weight: Array
    """Probabilities, (N,); sum to 1."""
    state: Array
    """States of the density at the centers, (N, s)."""
    log_total: float
    """Log of the integral of the unnormalized density."""

    def under(self, height: Array, slope: Array) -> Cells:
        """Return these cells with the probabilities of another log density, given with
        its gradient at their centers.
        """
        weight, total = _cell_weights(height, self.size)
        return replace(self, slope=slope, weight=weight, log_total=total)


@njit(nogil=True)
def tilted_quantile(rise, u):  # type: ignore[no-untyped-def]
    """Return the quantile u of the density ``exp(rise x)`` on (-1/2, 1/2).

    Examples
    --------
    >>> round(tilted_quantile(6.0, 0.5), 2)
    0.38
    """
    fall = -min(max(abs(rise), 1e-6), 500.0)  # towards the lower of the two ends
    away = np.log1p(u * np.expm1(fall)) / fall - 0.5
    return -away if rise > 0 else away


def adaptive_cells(
    density: Density,
    lower: Array,
    upper: Array,
    counts: npt.NDArray[np.intp],
    start: Array = _NO_COEFFICIENTS,
    flatter: Density | None = None,
) -> Cells:
    """Cut a box into cells until they are small beside the curvature of the log
    density, wherever its mass is appreciable.

    A cell is cut along an axis where the second derivative times the square of its size
    is above .7, or the rise over it above 6, and its mass (or an upper bound by its slope) is within exp(-5.5) of
    the largest. Integrals are by the midpoint rule.

    Parameters
    ----------
    density
        Log density and gradient.
    lower, upper
        Corners of the box, (d,); next to no mass is outside.
    counts
        Cells along each axis to begin with, (d,).
    start
        Starting state, (s,), or several, (S, s): each point uses the one with the
        highest density.
    flatter
        A log density that costs less and whose high cells include those of `density`,
        such as that of fewer data: `density` is evaluated at the first cells that are
        high under it, and at the neighbors of every cell that is high under `density`
        itself. None: at all of the first cells.

    Raises
    ------
    EstimateError
        If the density is nowhere finite, or 20,000 cells do not resolve it.

    Examples
    --------
    >>> def normal(x, state):
    ...     return -(x**2).sum(axis=1) / 2, -x, state
    >>> found = adaptive_cells(
    ...     normal, np.full(2, -9.0), np.full(2, 7.0), np.array([4, 4])
    ... )
    >>> (
    ...     abs(found.log_total - np.log(2 * np.pi)) < 0.1,
    ...     np.abs(found.weight @ found.points).max() < 0.1,
    ... )
    (np.True_, np.True_)
    """
    size = (upper - lower) / counts
    axes = [
        low + (np.arange(m) + 0.5) * s
        for low, m, s in zip(lower, counts, size, strict=True)
    ]
    points = np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)
    sizes = np.tile(size, (len(points), 1))
    starts = np.atleast_2d(start)
    height, slope, state = _replace_nonfinite(
        *(
            _evaluate_best_start(density, points, starts)
            if flatter is None
            else _evaluate_high_cells(
                density, flatter, points, sizes, tuple(counts.tolist()), starts
            )
        )
    )
    # second derivatives along each axis by differences of the slopes of a tensor grid,
    # (N, d)
    out = np.zeros_like(slope)
    for axis, n in enumerate(counts):
        if n > 1:
            along = np.gradient(
                slope[:, axis].reshape(*counts), float(size[axis]), axis=axis
            )
            out[:, axis] = along.ravel()
    return _refine_cells(density, (points, sizes, height, slope, out, state))


def sharpen_cells(
    density: Density, cells: Cells, power: float, most: float = 1.0
) -> Cells:
    """Return cells of a log density that is about `power` times that of `cells`,
    refined from these.

    Parameters
    ----------
    density
        Log density and gradient.
    cells
        Cells of a flatter density, which contain all mass.
    power
        Ratio of the curvatures of the log densities.
    most
        Threshold of curvature, as a multiple of that of `adaptive_cells`.
    """
    height, slope, state = _replace_nonfinite(*density(cells.points, cells.state))
    return _refine_cells(
        density,
        (cells.points, cells.size, height, slope, power * cells.bend, state),
        most,
    )


def _refine_cells(
    density: Density, table: tuple[Array, ...], most: float = 1.0
) -> Cells:
    """Cut cells of (points, sizes, height, slope, bend, state) by the rules of
    `adaptive_cells`.
    """
    for _ in range(_CUTTING_ROUNDS):
        points, sizes, height, slope, bend, state = table
        bound, best = _bounds(height, slope, sizes)
        live = bound > best - _DROP
        rough = np.maximum(
            np.abs(bend) * sizes**2 / _BEND, np.abs(slope) * sizes / _RISE
        )
        cut = live & (bound > best - _MATTERS) & (rough.max(axis=1) > most)
        if not cut.any():
            log_mass = height + np.log(sizes).sum(axis=1)
            used = log_mass > log_mass.max() - _DROP
            points, sizes, height, slope, bend, state = (x[used] for x in table)
            weight, total = _cell_weights(height, sizes)
            return Cells(points, sizes, slope, bend, weight, state, total)
        if len(points) > _MOST_CELLS:
            break
        table = _halve_cells(density, table, rough, live, cut)
    raise EstimateError(
        "the posterior of the law is too irregular to integrate over cells of a grid"
    )


def _bounds(height: Array, slope: Array, sizes: Array) -> tuple[Array, float]:
    """Return upper bounds of the log masses of cells, (N,), far too high for wide
    cells, and the largest log mass by the height of its center.
    """
    volume = np.log(sizes).sum(axis=1)
    bound = height + np.abs(slope * sizes).sum(axis=1) / 2 + volume
    return bound, float((height + volume).max())


def _cell_weights(height: Array, sizes: Array) -> tuple[Array, float]:
    """Return the probability of each cell, (N,), and the log of the whole integral, by
    the midpoint rule: for smooth densities that fall to 0 its error falls
    exponentially.
    """
    log_mass = height + np.log(sizes).sum(axis=1)
    largest = float(log_mass.max())
    mass = np.exp(log_mass - largest)
    total = float(mass.sum())
    return np.asarray(mass / total), largest + float(np.log(total))


def _evaluate_best_start(
    density: Density, points: Array, starts: Array
) -> tuple[Array, Array, Array]:
    """Evaluate the density from each start, and return for each point the highest."""
    n = len(points)
    height, slope, state = density(
        np.tile(points, (len(starts), 1)), np.repeat(starts, n, axis=0)
    )
    known = np.where(np.isfinite(height), height, -np.inf)
    best = np.arange(n) + n * np.argmax(known.reshape(-1, n), axis=0)
    return height[best], slope[best], state[best]


def _evaluate_high_cells(
    density: Density,
    flatter: Density,
    points: Array,
    sizes: Array,
    shape: tuple[int, ...],
    starts: Array,
) -> tuple[Array, Array, Array]:
    """Evaluate the density, as `_evaluate_best_start` does, at the cells of a tensor
    grid that are high under a flatter one, and around all that turn out to be high; it
    is nan elsewhere.

    The cells about a high one count for its second derivatives.
    """
    rough, rise, state = _replace_nonfinite(
        *_evaluate_best_start(flatter, points, starts)
    )
    bound, best = _bounds(rough, rise, sizes)
    height, slope = np.full(len(points), np.nan), np.zeros(points.shape)
    done, due = np.zeros(len(points), bool), bound > best - _DROP
    while (due & ~done).any():
        rows = np.flatnonzero(due & ~done)
        height[rows], slope[rows], state[rows] = density(points[rows], state[rows])
        done[rows] = True
        finite = np.flatnonzero(
            done & np.isfinite(height) & np.isfinite(slope).all(axis=1)
        )
        high = np.zeros(len(points), bool)
        if len(finite):
            bound, best = _bounds(height[finite], slope[finite], sizes[finite])
            high[finite] = bound > best - _DROP
        due = (
            binary_dilation(high.reshape(shape)).ravel()
            if high.any()
            else np.ones(len(points), bool)
        )
    return height, slope, state


def _replace_nonfinite(
    height: Array, slope: Array, state: Array
) -> tuple[Array, Array, Array]:
    fine = np.isfinite(height) & np.isfinite(slope).all(axis=1)
    if not fine.any():
        raise EstimateError(
            "the posterior of the law is nowhere finite; are effects and se on one "
            "scale?"
        )
    return np.where(fine, height, -1e300), np.where(fine[:, None], slope, 0.0), state


def _halve_cells(
    density: Density,
    table: tuple[Array, ...],
    rough: Array,
    live: npt.NDArray[np.bool_],
    cut: npt.NDArray[np.bool_],
) -> tuple[Array, ...]:
    """Halve the cells to be cut, each along its roughest axis; drop cells that are not
    live.
    """
    points, sizes, _, _, bend, state = table
    rows, axis = np.flatnonzero(cut), np.argmax(rough[cut], axis=1)
    shift = np.zeros((len(rows), points.shape[1]))
    shift[np.arange(len(rows)), axis] = sizes[rows, axis] / 4
    halves = np.where(shift > 0, 0.5, 1.0) * sizes[rows]
    after = np.concatenate([points[rows] - shift, points[rows] + shift])
    height, slope, reached = _replace_nonfinite(
        *density(after, np.concatenate([state[rows], state[rows]]))
    )
    n, at = len(rows), np.arange(len(rows))
    bent = bend[rows].copy()
    bent[at, axis] = (slope[n:][at, axis] - slope[:n][at, axis]) / (2 * shift[at, axis])
    new = (
        after,
        np.concatenate([halves, halves]),
        height,
        slope,
        np.concatenate([bent, bent]),
        reached,
    )
    stay = live & ~cut
    return tuple(
        np.concatenate([old[stay], more]) for old, more in zip(table, new, strict=True)
    )
