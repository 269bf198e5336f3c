"""Straight lines through many points with independent errors in both coordinates, in O(n)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from causalgia.errors import EstimateError
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes

_ANGLES, _STEPS, _TINY = 89, 100, 1e-12
_STILL = 1e-7  # of York's iteration; what a search finds is no more precise
_NO_SLOPE = (
    "the virtual effects do not vary beyond their own standard errors, so no slope is left; take more elements, or "
    "predict them more precisely"
)


@dataclass(frozen=True)
class FittedLine:
    """A line ``y = intercept + slope x``.

    Attributes
    ----------
    intercept, slope
        The line.
    covariance
        Covariance of intercept and slope, shape ``(2, 2)``.
    df
        Degrees of freedom of their t intervals.
    scatter
        Standard deviation of the true points about the line; 0 if scatter was not requested.
    objective
        Sum over points of ``residual^2 / variance`` at the line.
    """

    intercept: float
    slope: float
    covariance: Array
    df: float
    scatter: float
    objective: float

    def at(self, x: Array) -> Array:
        """Return the line's y at each x."""
        return self.intercept + self.slope * x


def weighted_line(x: Array, y: Array, weights: Array | None = None, cluster: Codes | None = None) -> FittedLine:
    """Fit y on exact x by (weighted) least squares.

    Standard errors are those of least squares with a free residual variance, t with n - 2; with clusters, the sandwich
    by cluster times ``G / (G - 1)``, t with G - 1.

    Parameters
    ----------
    x, y, weights
        Shape ``(n,)``; None: equal weights.
    cluster
        Cluster of each point, 0 to G - 1, shape ``(n,)``.

    Examples
    --------
    >>> line = weighted_line(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.9, 5.1, 7.0]))
    >>> round(line.intercept, 3), round(line.slope, 3), float(np.sqrt(line.covariance[1, 1]).round(4))
    (0.97, 2.02, 0.0424)
    """
    w = np.ones_like(x) if weights is None else weights
    Z = np.column_stack([np.ones_like(x), x])
    bread = _invert_2x2((Z * w[:, None]).T @ Z)
    line = bread @ (Z.T @ (w * y))
    left = y - Z @ line
    objective = float(w @ left**2)
    if cluster is None:
        return _as_line(line, bread * objective / (len(x) - 2), len(x) - 2, 0.0, objective)
    meat, df = _cluster_scatter(Z * (w * left)[:, None], cluster)
    return _as_line(line, bread @ meat @ bread, df, 0.0, objective)


def errors_in_both(
    x: Array, y: Array, vx: Array, vy: Array, *, scatter: bool = False, cluster: Codes | None = None
) -> FittedLine:
    """Fit a line to points with known, independent errors in both coordinates (York), with optional scatter.

    The line minimizes ``S = sum_i (y_i - a - b x_i)^2 / (vy_i + scatter^2 + b^2 vx_i)``, as
    `causalgia.estimation.errors_in_variables` does for any covariance, in time and memory linear in n. With `scatter`
    its variance is the one at which S is n - 2 (Paule and Mandel), or 0.

    Parameters
    ----------
    x, y
        Shape ``(n,)``, three or more.
    vx, vy
        Variances of their errors, shape ``(n,)``; 0 is exact.
    scatter
        Whether points scatter about the line beyond their errors.
    cluster
        Cluster of each point, 0 to G - 1, shape ``(n,)``.

    Raises
    ------
    EstimateError
        If the slope is not identified: x do not vary beyond their errors, or y have no errors and ``scatter=False``.

    Notes
    -----
    The covariance is ``A^-1 B A^-1``: B is the sum of ``w z z'`` over adjusted points, ``z = (1, x~)``, and A is B
    minus the contribution of the errors of ``x~`` to their squares. (The usual ``B^-1`` is too small by about the
    squared reliability of x.) An estimated scatter adds the dependence of the slope on its error, where x have errors.
    With clusters B is ``G / (G - 1)`` times the sum of squares of the clusters' scores.

    References
    ----------
    York, Evensen, Lopez Martinez & De Basabe Delgado (2004), doi:10.1119/1.1632486. Paule & Mandel (1982),
    doi:10.6028/jres.087.022. Fuller (1987), Measurement Error Models, doi:10.1002/9780470316665.

    Examples
    --------
    >>> x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.1, 0.9, 2.2, 2.8])
    >>> line = errors_in_both(x, y, np.full(4, 0.01), np.full(4, 0.01))
    >>> round(line.slope, 4), round(line.objective, 2)
    (0.9482, 4.34)
    """
    spread, unit = float(x.std()), float(y.std()) or 1.0
    if spread <= _TINY * max(1.0, float(np.abs(x).max())):
        raise EstimateError("all virtual effects are equal; a line needs elements whose effects differ")
    points = _Points((x - x.mean()) / spread, (y - y.mean()) / unit, vx / spread**2, vy / unit**2)
    if not scatter:
        points.check_errors()
    extra = points.scatter() if scatter else 0.0
    slope = points.slope(extra)
    intercept, covariance, df = points.line(slope, extra, cluster)
    back = unit * np.array([[1.0, -x.mean() / spread], [0.0, 1.0 / spread]])
    line = back @ np.array([intercept, slope]) + np.array([y.mean(), 0.0])
    objective = float(points.profile(np.array([slope]), extra)[0])
    return _as_line(line, back @ covariance @ back.T, df, float(np.sqrt(extra)) * unit, objective)


def _as_line(line: Array, covariance: Array, df: float, scatter: float, objective: float) -> FittedLine:
    return FittedLine(float(line[0]), float(line[1]), covariance, float(df), scatter, objective)


def _invert_2x2(M: Array) -> Array:
    if np.linalg.det(M) <= _TINY * M[0, 0] * max(M[1, 1], _TINY):
        raise EstimateError("all virtual effects are equal; a line needs elements whose effects differ")
    return np.asarray(np.linalg.inv(M), dtype=np.float64)


def _cluster_scatter(scores: Array, cluster: Codes) -> tuple[Array, float]:
    """Return the sum of squares of the clusters' scores, (2, 2), and its degrees of freedom."""
    sums = group_sums(scores, cluster)
    G = len(sums)
    if G < 3:
        raise EstimateError(f"{G} parents give no standard error of a line; take elements of three or more")
    return sums.T @ sums * G / (G - 1), G - 1.0


@dataclass(frozen=True)
class _Points:
    """Standardized points, (n,) each, with the variances of their errors."""

    x: Array
    y: Array
    vx: Array
    vy: Array

    def check_errors(self) -> None:
        if (self.vy <= 0).any():
            raise EstimateError("a measured effect has no error, and no weight follows from that; give its se")

    def profile(self, slopes: Array, extra: float) -> Array:
        """Return S at each slope, shape ``(m,)``, at the best intercept of each."""
        w = 1 / (self.vy + extra + slopes[:, None] ** 2 * self.vx)
        left = self.y - slopes[:, None] * self.x
        left -= (w * left).sum(1, keepdims=True) / w.sum(1, keepdims=True)
        return np.asarray((w * left**2).sum(1))

    def scatter(self) -> float:
        """Return the variance about the line at which S is its expectation, n - 2, or 0."""
        n = len(self.x)

        def excess(extra: float) -> float:
            return float(self.profile(np.array([self.slope(extra)]), extra)[0]) - (n - 2)

        least = 0.0 if (self.vy > 0).all() else _TINY
        if excess(least) <= 0:
            return least
        return float(optimize.brentq(excess, least, n / (n - 2) + 1e-9, xtol=1e-13, rtol=1e-11))

    def slope(self, extra: float) -> float:
        """Return the slope of least S, by York's iteration from the best of a grid of angles."""
        angles = np.linspace(-np.pi / 2, np.pi / 2, _ANGLES + 2)[1:-1]
        S = np.concatenate([self.profile(np.tan(part), extra) for part in np.array_split(angles, 8)])
        best = int(S.argmin())
        if best in (0, _ANGLES - 1) and self.vx.any():
            raise EstimateError(_NO_SLOPE)
        low, high = np.tan(angles[max(best - 1, 0)]), np.tan(angles[min(best + 1, _ANGLES - 1)])
        slope = float(np.tan(angles[best]))
        for _ in range(_STEPS):
            before, slope = slope, self._step(slope, extra)
            if abs(slope - before) <= 1e-14 * (1 + abs(slope)):
                break
        if (low < slope < high and abs(slope - before) <= _STILL * (1 + abs(slope))) or not self.vx.any():
            return slope
        return float(
            optimize.minimize_scalar(
                lambda b: float(self.profile(np.array([b]), extra)[0]),
                bounds=(low, high),
                method="bounded",
                options={"xatol": 1e-12},
            ).x
        )

    def _moved(self, slope: float, extra: float) -> tuple[float, Array, Array, Array]:
        """Return the best intercept, weights, residuals and adjusted x."""
        w = 1 / (self.vy + extra + slope**2 * self.vx)
        left = self.y - slope * self.x
        intercept = float((w * left).sum() / w.sum())
        left = left - intercept
        return intercept, w, left, self.x + slope * self.vx * w * left

    def _step(self, slope: float, extra: float) -> float:
        """Return the slope whose residuals are orthogonal to the x adjusted at this slope."""
        _, w, _, place = self._moved(slope, extra)
        center = w / w.sum()
        side = w * (place - center @ place)
        return float(side @ (self.y - center @ self.y) / (side @ (self.x - center @ self.x)))

    def line(self, slope: float, extra: float, cluster: Codes | None) -> tuple[float, Array, float]:
        """Return the intercept, the covariance of intercept and slope, and its degrees of freedom."""
        intercept, w, left, place = self._moved(slope, extra)
        Z = np.column_stack([np.ones_like(place), place])
        meat = (Z * w[:, None]).T @ Z
        bread: NDArray[Any] = meat.copy()
        bread[1, 1] -= float(w @ (self.vx * (1 - slope**2 * self.vx * w)))
        if np.linalg.det(bread) <= _TINY * meat[0, 0] * meat[1, 1]:
            raise EstimateError(_NO_SLOPE)
        bread, n, df = np.linalg.inv(bread), len(place), len(place) - 2.0
        by_scatter = float(slope * self.vx @ w**2 / w.sum()) if extra else 0.0
        if cluster is None:
            meat[1, 1] += 2 * n * by_scatter**2
        else:
            scores = Z * (w * left)[:, None]
            scores[:, 1] -= by_scatter * (w * left**2 - (n - 2) / n)
            meat, df = _cluster_scatter(scores, cluster)
        return intercept, bread @ meat @ bread, df
