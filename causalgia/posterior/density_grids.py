"""A density of two hyperparameters, known on a coarse grid: refined by splines, drawn from, and condensed to nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RectBivariateSpline
from scipy.linalg import eigh_tridiagonal

from causalgia.errors import InferenceError
from causalgia.types import Array

__all__ = ["Surface", "gauss_rule", "reach", "refined"]

_FINER = 8
_DROP = 20.0
_PROBES = 25
_GROWTH = 1.6


@dataclass(frozen=True, eq=False)
class Surface:
    """A density of (a, b) in A x B cells."""

    a: Array
    """Edges of the cells, (A + 1,)."""
    b: Array
    """Edges of the cells, (B + 1,)."""
    probability: Array
    """Probability of each cell, (A, B); sums to 1."""
    log_total: float
    """Log of the integral of the density as it was given."""

    def draw(self, n: int, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return n independent draws of a and b, (n,) each: a cell by inversion, then a point of it.

        Within a cell a point is drawn from the slope of its neighbours, so that the density has no steps.
        """
        cumulative = np.cumsum(self.probability)
        cell = np.searchsorted(cumulative, generator.random(n) * cumulative[-1], side="right")
        i, j = np.unravel_index(np.minimum(cell, cumulative.size - 1), self.probability.shape)
        place = generator.random((2, n))
        density = self.probability / np.outer(np.diff(self.a), np.diff(self.b))
        slopes = _slope(density, 0)[i, j], _slope(density, 1)[i, j]
        across, along = (_tilted(u, slope) for u, slope in zip(place, slopes, strict=True))
        return self.a[i] + across * np.diff(self.a)[i], self.b[j] + along * np.diff(self.b)[j]

    def nodes(self, n_a: int, n_b: int) -> tuple[Array, Array, Array]:
        """Return weights, a and b of Gauss' rule, for what is smooth in both: n_b nodes of b for each n_a of a."""
        middle = (self.b[1:] + self.b[:-1]) / 2
        rows = [(w, a, *gauss_rule(middle, row, n_b)) for w, a, row in self._columns(n_a)]
        weight = np.concatenate([w * inner for w, _, _, inner in rows])
        return weight, np.repeat(*_repeats(rows)), np.concatenate([b for _, _, b, _ in rows])

    def strata(self, n_a: int, n_b: int) -> tuple[Array, Array, Array, Array]:
        """Return weights, a, b and sd of b, for what may jump in b: n_b strata of b for each Gauss node of a."""
        middle = (self.b[1:] + self.b[:-1]) / 2
        rows = [(w, a, *_strata(middle, row, n_b)) for w, a, row in self._columns(n_a)]
        weight = np.concatenate([w * inner for w, _, _, inner, _ in rows])
        b, sd = (np.concatenate([row[i] for row in rows]) for i in (2, 4))
        return weight, np.repeat(*_repeats(rows)), b, sd

    def _columns(self, n: int) -> list[tuple[float, float, Array]]:
        """Gauss' nodes of a, with the distribution of b at each."""
        across = (self.a[1:] + self.a[:-1]) / 2
        a, weight = gauss_rule(across, self.probability.sum(axis=1), n)
        at = np.interp(a, across, np.arange(len(across)))
        lower = np.minimum(at.astype(int), len(across) - 2)
        rows = [
            (1 - x + i) * self.probability[i] + (x - i) * self.probability[i + 1]
            for x, i in zip(at, lower, strict=True)
        ]
        return list(zip(weight, a, rows, strict=True))


def _repeats(rows: Sequence[tuple[Any, ...]]) -> tuple[Array, list[int]]:
    return np.array([row[1] for row in rows]), [len(row[2]) for row in rows]


def refined(a: Array, b: Array, log_density: Array) -> Surface:
    """Return the density between the points of a tensor grid, (A, B), eight cells to a step, by a bicubic spline.

    Where next to nothing is left the density is cut off at a level, and then to 0: a deeper fall would swing the spline
    beside it.
    """
    top = float(log_density.max())
    spline = RectBivariateSpline(a, b, np.maximum(log_density - top, -2 * _DROP))
    edges = tuple(_subdivided(x) for x in (a, b))
    across, along = ((e[1:] + e[:-1]) / 2 for e in edges)
    mass = np.exp(np.minimum(spline(across, along), 1.0)) * np.outer(np.diff(edges[0]), np.diff(edges[1]))
    mass *= _somewhere(log_density > top - 2 * _DROP).repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    return Surface(edges[0], edges[1], mass / mass.sum(), top + float(np.log(mass.sum())))


def _somewhere(at: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether it holds at a corner of the cells between grid points, (A - 1, B - 1)."""
    return np.asarray(at[1:, 1:] | at[1:, :-1] | at[:-1, 1:] | at[:-1, :-1])


def _subdivided(points: Array) -> Array:
    n = len(points) - 1
    return np.interp(np.arange(_FINER * n + 1) / _FINER, np.arange(n + 1), points)


def reach(log_density: Callable[[float], float], start: float, stop: float) -> tuple[Array, Array]:
    """Return an even grid over the part of [start, stop] where a density of one peak is within exp(-20) of it.

    The peak lies within a step of the highest point: the interval is narrowed to there until it holds enough points.

    Parameters
    ----------
    log_density
        Log density, up to a constant.
    start, stop
        Ends of the support.

    Returns
    -------
    tuple
        Points that follow the density's own curvature, (T,), and its logarithm there, (T,).

    Raises
    ------
    InferenceError
        If the density is nowhere finite.
    """
    while True:
        points = np.linspace(start, stop, _PROBES)
        heights = np.array([log_density(x) for x in points])
        heights[np.isnan(heights)] = -np.inf
        if not np.isfinite(heights).any():
            raise InferenceError("the posterior of tau is nowhere finite; are effects, se and prior of one scale?")
        near = np.flatnonzero(heights >= heights.max() - _DROP)
        first, last = max(near[0] - 1, 0), min(near[-1] + 1, _PROBES - 1)
        if last - first > (_PROBES - 1) // 2 or points[last] - points[first] < 1e-9 * abs(stop):
            return points[first : last + 1], heights[first : last + 1]
        start, stop = float(points[first]), float(points[last])


def gauss_rule(x: Array, weight: Array, n: int) -> tuple[Array, Array]:
    """Return the n nodes and weights that integrate polynomials to degree 2n - 1 as a discrete distribution does.

    References
    ----------
    Golub & Welsch (1969), doi:10.1090/S0025-5718-69-99647-1, on the Lanczos vectors of the distribution.

    Examples
    --------
    >>> x, w = gauss_rule(np.linspace(-1, 1, 2001), np.full(2001, 1.0), 2)
    >>> x.round(2), w.round(2)
    (array([-0.58,  0.58]), array([0.5, 0.5]))
    """
    weight = weight / weight.sum()
    vector, basis = np.sqrt(weight), np.zeros((0, len(x)))
    diagonal, off = np.empty(0), np.empty(0)
    for _ in range(n):
        basis = np.vstack([basis, vector])
        ahead = x * vector
        diagonal = np.append(diagonal, ahead @ vector)
        ahead = ahead - basis.T @ (basis @ ahead)
        ahead = ahead - basis.T @ (basis @ ahead)
        norm = float(np.linalg.norm(ahead))
        if norm <= 1e-12 * (np.abs(x).max() + np.ptp(x)):
            break
        off, vector = np.append(off, norm), ahead / norm
    nodes, vectors = eigh_tridiagonal(diagonal, off[: len(diagonal) - 1])
    return np.asarray(nodes, dtype=np.float64), np.asarray(vectors[0] ** 2, dtype=np.float64)


def _strata(x: Array, weight: Array, n: int) -> tuple[Array, Array, Array]:
    """Cut a discrete distribution into at most n equally likely parts: their mean, weight and sd."""
    weight = weight / weight.sum()
    part = np.minimum((n * (np.cumsum(weight) - weight / 2)).astype(int), n - 1)
    total = np.bincount(part, weight, n)
    used = total > 0
    mean = np.bincount(part, weight * x, n)[used] / total[used]
    centre = np.zeros(n)
    centre[used] = mean
    square = np.bincount(part, weight * (x - centre[part]) ** 2, n)[used] / total[used]
    return mean, np.asarray(total[used], dtype=np.float64), np.asarray(np.sqrt(square), dtype=np.float64)


def _slope(density: Array, axis: int) -> Array:
    """Relative slope of the density across each cell, within the +-2 at which it reaches 0 at an end."""
    rise = np.gradient(density, axis=axis)
    return np.clip(rise / np.maximum(density, np.finfo(float).tiny), -2, 2)


def _tilted(u: Array, slope: Array) -> Array:
    """Quantiles u of the density ``1 + slope (x - 1/2)`` on [0, 1]."""
    tilt = slope / 2
    return np.asarray(2 * u / (1 - tilt + np.sqrt((1 - tilt) ** 2 + 4 * tilt * u)))
