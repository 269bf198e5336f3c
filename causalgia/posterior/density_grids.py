"""The density of a hyperparameter on a half line: quadrature nodes and independent
draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from scipy.fft import dct
from scipy.linalg import eigh_tridiagonal

from causalgia.errors import EstimateError
from causalgia.types import Array

_NATS_BELOW_PEAK = 30.0
_POINTS = 25
_FIRST_NODES = 32
_LAST_NODES = 2**14
_LEAST_MASS = 1e-12
_GAUSS_NODES = 16
_SHORT_SUPPORT = 1.0


@dataclass(frozen=True, eq=False)
class HalfLine:
    """A distribution of x > 0, as that of ``v = asinh(x / scale)`` on [start, stop],
    which has all but 1e-13 of it.
    """

    value: Array
    """Nodes x, (T,), increasing."""
    weight: Array
    """Probability of each node, (T,); an expectation is the weighted sum over nodes."""
    log_total: float
    """Log of the integral of the density as it was given."""
    scale: float
    start: float
    stop: float
    density: Array
    """Chebyshev coefficients of the density of v on [start, stop] mapped to [-1, 1]."""
    cumulative: Array
    """Chebyshev coefficients of its distribution function."""

    def quantile(self, probability: Array) -> Array:
        """Return quantiles, of the shape of `probability`, by a table and Newton steps
        within its cells.
        """
        grid = np.linspace(-1, 1, 4097)
        table = np.maximum.accumulate(chebyshev.chebval(grid, self.cumulative))
        cell = np.clip(np.searchsorted(table, probability), 1, len(grid) - 1)
        lower, upper = grid[cell - 1], grid[cell]
        at = np.clip(np.interp(probability, table, grid), lower, upper)
        for _ in range(4):
            rise = np.maximum(chebyshev.chebval(at, self.density), np.finfo(float).tiny)
            at = np.clip(
                at - (chebyshev.chebval(at, self.cumulative) - probability) / rise,
                lower,
                upper,
            )
        return self._value(at)

    def draw(self, n: int, generator: np.random.Generator) -> Array:
        """Return n independent draws, (n,), by inversion."""
        return self.quantile(generator.random(n))

    def carry(self, function: Callable[[Array], Array], x: Array) -> Array:
        """Return a smooth function at many x, (n, ...), by its Chebyshev series if it
        converges, else directly.

        Parameters
        ----------
        function
            Of x, (T,), to values (T, ...).
        x
            Values inside the interval that holds the mass, (n,).
        """
        n = _FIRST_NODES
        while n < len(x) // 4:
            values = function(self._value(_chebyshev_points(n, -1.0, 1.0)))
            series = dct(values[::-1], type=1, axis=0) / n
            series[[0, -1]] /= 2
            if (
                np.abs(series[-n // 8 :]).max(axis=0)
                <= 1e-11 * np.abs(series).max(axis=0)
            ).all():
                at = (
                    2
                    * (np.arcsinh(x / self.scale) - self.start)
                    / (self.stop - self.start)
                    - 1
                )
                values = np.asarray(
                    chebyshev.chebval(np.clip(at, -1, 1), series), dtype=np.float64
                )
                return np.moveaxis(values, -1, 0)
            n *= 2
        return function(x)

    def _value(self, at: Array) -> Array:
        return np.asarray(
            self.scale * np.sinh(self.start + (at + 1) / 2 * (self.stop - self.start))
        )


def resolve_density(
    log_density: Callable[[Array], Array], *, scale: float, upper: float
) -> HalfLine:
    """Return the distribution of a density on (0, upper): peaked, highest at the edge,
    or heavy-tailed.

    ``v = asinh(x / scale)`` is linear near 0, where a density may end at any height,
    and logarithmic far out, where it may fall as slowly as a power. The interval that
    contains the mass is found first; on it the density is interpolated at Chebyshev
    points, doubled until the series converges to rounding, and integrated by
    Clenshaw-Curtis.

    Parameters
    ----------
    log_density
        Log density at x of shape ``(T,)``, up to a constant.
    scale
        Scale below which the density has no finer features.
    upper
        End of the support, or an x beyond which less than 1e-14 of the mass lies.

    Raises
    ------
    EstimateError
        If the density is nowhere finite, or too rough for 16,384 points.

    References
    ----------
    Trefethen (2019), Approximation Theory and Approximation Practice,
    doi:10.1137/1.9781611975949.

    Examples
    --------
    >>> half_normal = resolve_density(lambda x: -(x**2) / 2, scale=1.0, upper=40.0)
    >>> (
    ...     half_normal.quantile(np.array([0.5])).round(6),
    ...     round(float(half_normal.weight @ half_normal.value**2), 9),
    ... )
    (array([0.67449]), 1.0)
    """

    def log_v(v: Array) -> Array:
        return np.asarray(
            log_density(scale * np.sinh(v))
            + np.log(scale)
            + np.logaddexp(v, -v)
            - np.log(2)
        )

    start, stop = _narrow_support(log_v, 0.0, float(np.arcsinh(upper / scale)))
    n, heights = _FIRST_NODES, log_v(_chebyshev_points(_FIRST_NODES, start, stop))
    while True:
        top = float(heights.max())
        # coefficients of the polynomial through values at increasing Chebyshev points
        series = np.asarray(
            dct(np.exp(heights - top)[::-1], type=1) / (len(heights) - 1)
        )
        series[[0, -1]] /= 2
        if _has_converged(series, top):
            break
        if n >= _LAST_NODES:
            raise EstimateError(
                "the posterior of tau is too rough to be integrated; are effects and "
                "se on one scale?"
            )
        finer = np.empty(2 * n + 1)
        finer[::2], finer[1::2] = (
            heights,
            log_v(_chebyshev_points(2 * n, start, stop)[1::2]),
        )
        n, heights = 2 * n, finer
    return _as_half_line(heights, top, series, scale, start, stop)


def _as_half_line(
    heights: Array, top: float, series: Array, scale: float, start: float, stop: float
) -> HalfLine:
    at, mass = (
        _chebyshev_points(len(heights) - 1, -1.0, 1.0),
        _clenshaw_curtis(len(heights) - 1) * np.exp(heights - top),
    )
    total = float(mass.sum())
    if 1e-9 < stop - start < _SHORT_SUPPORT:
        at, mass = _gauss_nodes(at, mass)
    used = mass > _LEAST_MASS * mass.sum()
    return HalfLine(
        value=scale * np.sinh(start + (at[used] + 1) / 2 * (stop - start)),
        weight=mass[used] / mass[used].sum(),
        log_total=top + float(np.log(total * (stop - start) / 2)),
        scale=scale,
        start=start,
        stop=stop,
        density=series / total,
        cumulative=np.asarray(
            chebyshev.chebint(series / total, lbnd=-1), dtype=np.float64
        ),
    )


def _gauss_nodes(at: Array, mass: Array) -> tuple[Array, Array]:
    """Return the Gauss nodes and masses of a discrete measure (Golub & Welsch 1969,
    doi:10.2307/2004418).

    Over a short interval functions of x are close to polynomials of low degree, which
    16 nodes integrate.
    """
    basis = np.zeros((_GAUSS_NODES + 1, len(at)))
    diagonal, beside = np.empty((2, _GAUSS_NODES))
    basis[0] = np.sqrt(mass / mass.sum())
    for n in range(_GAUSS_NODES):
        diagonal[n] = basis[n] ** 2 @ at
        rest = at * basis[n]
        for _ in range(2):  # two passes give orthogonality to rounding
            rest -= basis[: n + 1].T @ (basis[: n + 1] @ rest)
        beside[n] = np.sqrt(rest @ rest)
        basis[n + 1] = rest / beside[n]
    nodes, vectors = eigh_tridiagonal(diagonal, beside[:-1])
    return np.asarray(nodes, dtype=np.float64), np.asarray(mass.sum() * vectors[0] ** 2)


def _narrow_support(
    log_v: Callable[[Array], Array], start: float, stop: float
) -> tuple[float, float]:
    """Return the interval where the density may be within exp(-30) of its peak."""
    while True:
        v = np.linspace(start, stop, _POINTS)
        height = log_v(v)
        height = np.where(np.isfinite(height), height, -np.inf)
        if not np.isfinite(height).any():
            raise EstimateError(
                "the posterior of tau is nowhere finite; are effects, se and prior of "
                "one scale?"
            )
        top, known = (
            height.max(),
            np.where(np.isfinite(height), height, height[np.isfinite(height)].min()),
        )
        # an upper bound of a function within each cell, by extrapolating the slopes of
        # its neighbors
        rise = np.diff(known)
        from_left = known[:-1] + 2 * np.maximum(np.insert(rise[:-1], 0, np.inf), 0)
        from_right = known[1:] + 2 * np.maximum(np.append(-rise[1:], np.inf), 0)
        cell_upper_bounds = np.asarray(
            np.maximum(
                np.minimum(from_left, from_right), np.maximum(known[:-1], known[1:])
            )
            + 2.0
        )
        possible = np.flatnonzero(cell_upper_bounds >= top - _NATS_BELOW_PEAK)  # cells
        first, last = int(possible[0]), int(possible[-1]) + 1
        if v[last] - v[first] <= 1e-12 * v[last]:
            return float(v[first]), float(v[last])
        if last - first > 0.7 * (_POINTS - 1):
            return _level_crossings(
                v[first : last + 1], known[first : last + 1] - (top - _NATS_BELOW_PEAK)
            )
        start, stop = float(v[first]), float(v[last])


def _level_crossings(v: Array, above: Array) -> tuple[float, float]:
    """Return where linear interpolation first rises and last falls through 0, or else
    the ends.
    """
    inside = np.flatnonzero(above >= 0)
    if len(inside) < 5:  # a narrow peak between points
        return float(v[0]), float(v[-1])
    first, last = int(inside[0]), int(inside[-1])
    start = (
        v[0]
        if first == 0
        else np.interp(0, above[first - 1 : first + 1], v[first - 1 : first + 1])
    )
    stop = (
        v[-1]
        if last == len(v) - 1
        else np.interp(0, above[[last + 1, last]], v[[last + 1, last]])
    )
    return float(start), float(stop)


def _chebyshev_points(n: int, start: float, stop: float) -> Array:
    return np.asarray(
        start + (stop - start) * np.sin(np.pi * np.arange(n + 1) / (2 * n)) ** 2
    )


def _has_converged(series: Array, top: float) -> bool:
    tail = np.abs(series[-max(len(series) // 8, 3) :]).max()
    return bool(
        tail <= (1e-10 + 4 * np.finfo(float).eps * abs(top)) * np.abs(series).max()
    )


@lru_cache(maxsize=16)
def _clenshaw_curtis(n: int) -> Array:
    """Return weights of the n + 1 Chebyshev points on [-1, 1]; n is even."""
    moments = np.zeros(n + 1)
    moments[::2] = 2 / (1 - np.arange(0, n + 1, 2, dtype=float) ** 2)
    weights = np.asarray(dct(moments, type=1) / n)
    weights[[0, -1]] /= 2
    return weights
