"""Straight lines through points with errors in both coordinates, correlated or (in
O(n)) independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from scipy import linalg, optimize, special

from causalgia.checks import as_ci_prob
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes

_ANGLES = 89
_YORK_STEPS = 50
_INDEPENDENT_STEPS = 100  # of the search where errors are independent
_DETERMINANT_ROUNDING = 1e-12
_MATRIX_ROUNDING = 1e-10
_LEAST_SCATTER = 1e-14
_STILL = 1e-7  # of York's iteration; what a search finds is no more precise


class NoSlopeError(EstimateError):
    """The x do not vary beyond their errors."""

    def __init__(self) -> None:
        super().__init__(
            "the virtual effects do not vary beyond their own standard errors, so no "
            "slope is left; take more elements, or predict them more precisely"
        )


@dataclass(frozen=True)
class Line:
    """A fitted line ``y = intercept + slope x``.

    Attributes
    ----------
    slope, intercept
        The line.
    slope_se, intercept_se, covariance
        Their standard errors and covariance (intercept first), shape ``(2, 2)``.
    slope_lower, slope_upper, intercept_lower, intercept_upper
        Limits: normal, or t with ``K - 2`` degrees of freedom where scatter is
        estimated.
    scatter
        Standard deviation of the true points about the line; 0 if scatter was not
        requested.
    chi2, df, p
        Test that a line fits within the given errors alone: ``chi2`` on ``df = K - 2``;
        infinite, with p 0, for points without error that do not lie on a line.
    r2
        Squared correlation of x and y, weighted by the inverse covariance of the
        residuals.
    x
        x of the points adjusted for its errors, shape ``(K,)``.
    """

    slope: float
    intercept: float
    slope_se: float
    intercept_se: float
    covariance: Array
    slope_lower: float
    slope_upper: float
    intercept_lower: float
    intercept_upper: float
    scatter: float
    chi2: float
    df: int
    p: float
    r2: float
    x: Array


def errors_in_variables(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    y_covariance: npt.ArrayLike,
    x_covariance: npt.ArrayLike | None = None,
    scatter: bool = False,
    ci_prob: float = 0.95,
) -> Line:
    """Fit a line to points with known error covariances in both coordinates.

    ``x = xi + e, y = intercept + slope xi + u``, ``e ~ N(0, V_x)``,
    ``u ~ N(0, V_y + scatter^2 I)``, with the true positions xi unknown constants. The
    estimate is generalized least squares if x has no errors, and York's line if errors
    are independent.

    Parameters
    ----------
    x, y
        Coordinates of K points, shape ``(K,)``, three or more.
    y_covariance, x_covariance
        Covariance of their errors, shape ``(K, K)``; or variances of independent
        errors, shape ``(K,)``. None: x is exact.
    scatter
        Whether points scatter about the line beyond their errors.
    ci_prob
        Probability of the intervals.

    Raises
    ------
    EstimateError
        If shapes differ, numbers are not finite, there are fewer than three points, a
        matrix is not a covariance, all x are equal, the best line is vertical, or
        errors are singular and ``scatter=False``.

    Notes
    -----
    Profiling out xi at a given slope leaves ``S = r' V^-1 r`` with residuals
    ``r = y - intercept - slope x`` and ``V = V_y + scatter^2 I + slope^2 V_x``, which
    is minimized. Standard errors are from the profile information, ``(X' V^-1 X)^-1``
    at the adjusted positions.

    With `scatter` the variance of the true points about the line makes the least S
    equal its expectation ``K - 2``, or is 0 (Paule and Mandel), and limits are of t
    with K - 2 degrees of freedom (ordinary least squares if no errors are given).
    Without it ``chi2`` tests whether the given errors explain the residuals.

    References
    ----------
    York, Evensen, Lopez Martinez & De Basabe Delgado (2004), doi:10.1119/1.1632486.
    Paule & Mandel (1982), doi:10.6028/jres.087.022. Knapp & Hartung (2003),
    doi:10.1002/sim.1482.

    Examples
    --------
    >>> line = errors_in_variables(
    ...     [0.0, 1.0, 2.0, 3.0], [0.1, 0.9, 2.2, 2.8], y_covariance=[0.01] * 4
    ... )
    >>> round(line.slope, 3), round(line.slope_se, 3), round(line.chi2, 2)
    (0.94, 0.045, 8.2)
    """
    x, y = (_as_coordinates(values, name) for values, name in ((x, "x"), (y, "y")))
    K = len(x)
    if len(y) != K or K < 3:
        raise EstimateError(
            f"x and y are {K} and {len(y)} numbers; a line with errors needs three or "
            "more of each"
        )
    Vy = _as_error_covariance(y_covariance, K, "y_covariance")
    Vx = (
        np.zeros((K, K))
        if x_covariance is None
        else _as_error_covariance(x_covariance, K, "x_covariance")
    )
    ci_prob = as_ci_prob(ci_prob)
    points = _CorrelatedPoints(x - x.mean(), y - y.mean(), Vx, Vy).standardized()
    if not scatter and points.singular:
        raise EstimateError(
            "y_covariance is singular: some combination of y has no error, and no "
            "weight follows from that"
        )
    extra = points.scatter() if scatter else 0.0
    quantile = (
        special.stdtrit(K - 2, 0.5 + ci_prob / 2)
        if scatter
        else special.ndtri(0.5 + ci_prob / 2)
    )
    fit = points.fit(extra)
    back = points.y_unit * np.array(
        [[1.0, -x.mean() / points.x_unit], [0.0, 1 / points.x_unit]]
    )
    line, covariance = back @ fit.line + [y.mean(), 0.0], back @ fit.covariance @ back.T
    se = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    lower, upper = line - quantile * se, line + quantile * se
    chi2 = points.chi2()
    return Line(
        slope=float(line[1]),
        intercept=float(line[0]),
        slope_se=float(se[1]),
        intercept_se=float(se[0]),
        covariance=covariance,
        slope_lower=float(lower[1]),
        slope_upper=float(upper[1]),
        intercept_lower=float(lower[0]),
        intercept_upper=float(upper[0]),
        scatter=float(np.sqrt(extra) * points.y_unit),
        chi2=chi2,
        df=K - 2,
        p=float(special.chdtrc(K - 2, chi2)),
        r2=fit.r2,
        x=fit.x * points.x_unit + x.mean(),
    )


def _as_coordinates(values: npt.ArrayLike, name: str) -> Array:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EstimateError(f"{name}={quoted(values)} are not numbers") from error
    if found.ndim != 1 or not np.isfinite(found).all():
        raise EstimateError(f"{name} are one list of finite numbers")
    return found


def _as_error_covariance(values: npt.ArrayLike, K: int, name: str) -> Array:
    """Return a covariance (K, K), given as a matrix or as variances of independent
    errors.
    """
    matrix = np.asarray(values, dtype=np.float64)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.shape != (K, K) or not np.isfinite(matrix).all():
        raise EstimateError(
            f"{name} has shape {np.shape(values)}; give ({K}, {K}), or {K} variances, "
            "all finite"
        )
    size = np.abs(np.diag(matrix)).max()
    if not np.allclose(matrix, matrix.T, rtol=0, atol=_MATRIX_ROUNDING * size):
        raise EstimateError(f"{name} is not symmetric")
    if np.linalg.eigvalsh(matrix).min() < -_MATRIX_ROUNDING * size:
        raise EstimateError(
            f"{name} is not a covariance: some combination of errors would have a "
            "negative variance"
        )
    return (matrix + matrix.T) / 2


@dataclass(frozen=True)
class _Fit:
    """A line (intercept, slope), the covariance of these, the least S, r2 and the
    adjusted x of one scatter.
    """

    line: Array
    covariance: Array
    S: float
    r2: float
    x: Array


@dataclass(frozen=True)
class _CorrelatedPoints:
    """Centered points, (K,) each, with the covariances of their errors, (K, K) each."""

    x: Array
    y: Array
    Vx: Array
    Vy: Array
    x_unit: float = 1.0
    y_unit: float = 1.0

    def standardized(self) -> _CorrelatedPoints:
        """Return the points in units of the sd of each coordinate, in which slopes are
        searched by angle.
        """
        x_unit, y_unit = float(self.x.std()), float(self.y.std())
        if x_unit <= 1e-12 * max(1.0, np.abs(self.x).max()):
            raise EstimateError(
                "all x are equal; a line needs points at different places"
            )
        y_unit = y_unit or 1.0
        return _CorrelatedPoints(
            self.x / x_unit,
            self.y / y_unit,
            self.Vx / x_unit**2,
            self.Vy / y_unit**2,
            x_unit,
            y_unit,
        )

    @property
    def singular(self) -> bool:
        """Whether some combination of y has no error."""
        values = np.linalg.eigvalsh(self.Vy)
        return bool(values[0] <= max(_MATRIX_ROUNDING * values[-1], _LEAST_SCATTER))

    def chi2(self) -> float:
        """Return the least S under the given errors, infinite if points without error
        do not lie on a line.
        """
        if not self.singular or np.linalg.eigvalsh(self.Vx)[0] > _MATRIX_ROUNDING:
            return self.fit(0.0).S
        left = self.fit(_LEAST_SCATTER).S
        return np.inf if left > len(self.x) else 0.0

    def scatter(self) -> float:
        """Return the variance about the line at which the least S is its expectation,
        K - 2, or 0.
        """
        K = len(self.x)

        def excess(variance: float) -> float:
            V0 = self._variance(variance)
            return float(self._profile(np.array([self._best_slope(V0)]), V0)[0]) - (
                K - 2
            )

        least = _LEAST_SCATTER if self.singular else 0.0
        if excess(least) <= 0:
            return 0.0
        return float(
            optimize.brentq(excess, least, K / (K - 2) + 1e-9, xtol=1e-12, rtol=1e-9)
        )

    def fit(self, scatter: float) -> _Fit:
        """Return the line of least S at a variance of scatter."""
        V0 = self._variance(scatter)
        slope = self._best_slope(V0)
        factor = linalg.cho_factor(V0 + slope**2 * self.Vx)
        Z, line = self._york_step(slope, factor)
        covariance: Array = np.asarray(
            np.linalg.inv(Z.T @ linalg.cho_solve(factor, Z)), dtype=np.float64
        )
        S = float(self._profile(line[1:], V0)[0])
        return _Fit(line, covariance, S, _weighted_r2(self.x, self.y, factor), Z[:, 1])

    def _variance(self, scatter: float) -> Array:
        return self.Vy + max(
            scatter, _LEAST_SCATTER if self.singular else 0.0
        ) * np.eye(len(self.x))

    def _best_slope(self, V0: Array) -> float:
        """Return the slope of least S, intercept profiled out, starting from the best
        of a grid of angles.
        """
        if not self.Vx.any():
            return self._york_slope(0.0, V0)
        angles = np.linspace(-np.pi / 2, np.pi / 2, _ANGLES + 2)[1:-1]
        S = self._profile(np.tan(angles), V0)
        best = int(S.argmin())
        if best in (0, _ANGLES - 1):
            raise EstimateError(
                "the errors of x leave no slope: the best line is vertical"
            )
        slope = self._york_slope(float(np.tan(angles[best])), V0)
        if np.tan(angles[best - 1]) < slope < np.tan(angles[best + 1]):
            return slope  # not where it is nan
        return self._search_slope(angles[best - 1], angles[best + 1], V0)

    def _search_slope(self, low: float, high: float, V0: Array) -> float:
        """Return the slope of least S between two angles, for cases where York's
        iteration does not converge.
        """
        found = optimize.minimize_scalar(
            lambda angle: float(self._profile(np.tan([angle]), V0)[0]),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return float(np.tan(found.x))

    def _profile(self, slopes: Array, V0: Array) -> Array:
        """Return S at each slope, (m,), at the best intercept of each."""
        V = V0 + slopes[:, None, None] ** 2 * self.Vx
        left = self.y - slopes[:, None] * self.x
        both = np.linalg.solve(V, np.stack([np.ones_like(left), left], axis=-1))
        ones, weighted = both[..., 0], both[..., 1]
        return np.asarray(
            (left * weighted).sum(1) - (left * ones).sum(1) ** 2 / ones.sum(1)
        )

    def _york_slope(self, slope: float, V0: Array) -> float:
        """Return the solution of York's equations, by iteration from a nearby slope;
        nan where it ends in a cycle.
        """
        for _ in range(_YORK_STEPS):
            _, line = self._york_step(slope, linalg.cho_factor(V0 + slope**2 * self.Vx))
            before, slope = slope, float(line[1])
            if abs(slope - before) <= 1e-14 * (1 + abs(slope)):
                break
        return slope if abs(slope - before) <= _STILL * (1 + abs(slope)) else np.nan

    def _york_step(
        self, slope: float, factor: tuple[Array, bool]
    ) -> tuple[Array, Array]:
        """Return columns of 1 and adjusted x, (K, 2), and the line whose residuals are
        orthogonal to them.
        """
        ones = np.ones_like(self.x)
        weights = linalg.cho_solve(factor, ones)
        left = self.y - slope * self.x
        residual = left - (weights @ left) / weights.sum()
        Z = np.column_stack(
            [ones, self.x + slope * self.Vx @ linalg.cho_solve(factor, residual)]
        )
        WZ = linalg.cho_solve(factor, Z)
        line: Array = np.asarray(
            np.linalg.solve(WZ.T @ np.column_stack([ones, self.x]), WZ.T @ self.y),
            np.float64,
        )
        return Z, line


def _weighted_r2(x: Array, y: Array, factor: tuple[Array, bool]) -> float:
    weights = linalg.cho_solve(factor, np.ones_like(x))
    x, y = (v - weights @ v / weights.sum() for v in (x, y))
    xx, xy, yy = (a @ linalg.cho_solve(factor, b) for a, b in ((x, x), (x, y), (y, y)))
    return min(float(xy**2 / (xx * yy)), 1.0) if yy > 0 else 0.0


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
        Standard deviation of the true points about the line; 0 if scatter was not
        requested.
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


def weighted_line(
    x: Array, y: Array, weights: Array | None = None, cluster: Codes | None = None
) -> FittedLine:
    """Fit y on exact x by (weighted) least squares.

    Standard errors are those of least squares with a free residual variance, t with n -
    2; with clusters, the sandwich by cluster times ``G / (G - 1)``, t with G - 1.

    Parameters
    ----------
    x, y, weights
        Shape ``(n,)``; None: equal weights.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. A unit is a point.

    Examples
    --------
    >>> line = weighted_line(
    ...     np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.9, 5.1, 7.0])
    ... )
    >>> (
    ...     round(line.intercept, 3),
    ...     round(line.slope, 3),
    ...     float(np.sqrt(line.covariance[1, 1]).round(4)),
    ... )
    (0.97, 2.02, 0.0424)
    """
    w = np.ones_like(x) if weights is None else weights
    Z = np.column_stack([np.ones_like(x), x])
    M = (Z * w[:, None]).T @ Z
    if np.linalg.det(M) <= _DETERMINANT_ROUNDING * M[0, 0] * max(
        M[1, 1], _DETERMINANT_ROUNDING
    ):
        raise EstimateError(
            "all virtual effects are equal; a line needs elements whose effects differ"
        )
    bread = np.asarray(np.linalg.inv(M), dtype=np.float64)
    line = bread @ (Z.T @ (w * y))
    left = y - Z @ line
    objective = float(w @ left**2)
    if cluster is None:
        return _as_line(
            line, bread * objective / (len(x) - 2), len(x) - 2, 0.0, objective
        )
    meat, df = _cluster_scatter(Z * (w * left)[:, None], cluster)
    return _as_line(line, bread @ meat @ bread, df, 0.0, objective)


def errors_in_both(
    x: Array,
    y: Array,
    vx: Array,
    vy: Array,
    *,
    scatter: bool = False,
    cluster: Codes | None = None,
) -> FittedLine:
    """Fit a line to points with known, independent errors in both coordinates (York),
    with optional scatter.

    The line minimizes ``S = sum_i (y_i - a - b x_i)^2 / (vy_i + scatter^2 + b^2
    vx_i)``, as `errors_in_variables` does for any covariance, in
    time and memory linear in n. With `scatter` its variance is the one at which S is
    n - 2 (Paule and Mandel), or 0.

    Parameters
    ----------
    x, y
        Shape ``(n,)``, three or more.
    vx, vy
        Variances of their errors, shape ``(n,)``; 0 is exact.
    scatter
        Whether points scatter about the line beyond their errors.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. A unit is a point.

    Raises
    ------
    EstimateError
        If the slope is not identified: x do not vary beyond their errors
        (`NoSlopeError`), or y have no errors and ``scatter=False``.

    Notes
    -----
    The covariance is ``A^-1 B A^-1``: B is the sum of ``w z z'`` over adjusted points,
    ``z = (1, x~)``, and A is B minus the contribution of the errors of ``x~`` to their
    squares. (The usual ``B^-1`` is too small by about the squared reliability of x.) An
    estimated scatter adds the dependence of the slope on its error, where x have
    errors. With clusters B is ``G / (G - 1)`` times the sum of squares of the clusters'
    scores.

    References
    ----------
    York, Evensen, Lopez Martinez & De Basabe Delgado (2004), doi:10.1119/1.1632486.
    Paule & Mandel (1982), doi:10.6028/jres.087.022. Fuller (1987), Measurement Error
    Models, doi:10.1002/9780470316665.

    Examples
    --------
    >>> x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.1, 0.9, 2.2, 2.8])
    >>> line = errors_in_both(x, y, np.full(4, 0.01), np.full(4, 0.01))
    >>> round(line.slope, 4), round(line.objective, 2)
    (0.9482, 4.34)
    """
    spread, unit = float(x.std()), float(y.std()) or 1.0
    if spread <= _DETERMINANT_ROUNDING * max(1.0, float(np.abs(x).max())):
        raise EstimateError(
            "all virtual effects are equal; a line needs elements whose effects differ"
        )
    points = _Points(
        (x - x.mean()) / spread, (y - y.mean()) / unit, vx / spread**2, vy / unit**2
    )
    if not scatter and (points.vy <= 0).any():
        raise EstimateError(
            f"a measured effect has no error (point {int(np.argmin(points.vy))}), and "
            "no weight follows from that"
        )
    extra = points.scatter() if scatter else 0.0
    slope = points.slope(extra)
    intercept, covariance, df = points.line(slope, extra, cluster)
    back = unit * np.array([[1.0, -x.mean() / spread], [0.0, 1.0 / spread]])
    line = back @ np.array([intercept, slope]) + np.array([y.mean(), 0.0])
    objective = float(points.profile(np.array([slope]), extra)[0])
    return _as_line(
        line, back @ covariance @ back.T, df, float(np.sqrt(extra)) * unit, objective
    )


def _as_line(
    line: Array, covariance: Array, df: float, scatter: float, objective: float
) -> FittedLine:
    return FittedLine(
        float(line[0]), float(line[1]), covariance, float(df), scatter, objective
    )


def _cluster_scatter(scores: Array, cluster: Codes) -> tuple[Array, float]:
    """Return the sum of squares of the clusters' scores, (2, 2), and its degrees of
    freedom.
    """
    sums = group_sums(scores, cluster)
    G = len(sums)
    if G < 3:
        raise EstimateError(f"{G} parents give no standard error of a line")
    return sums.T @ sums * G / (G - 1), G - 1.0


@dataclass(frozen=True)
class _Points:
    """Standardized points, (n,) each, with the variances of their errors."""

    x: Array
    y: Array
    vx: Array
    vy: Array

    def profile(self, slopes: Array, extra: float) -> Array:
        """Return S at each slope, shape ``(m,)``, at the best intercept of each."""
        w = 1 / (self.vy + extra + slopes[:, None] ** 2 * self.vx)
        left = self.y - slopes[:, None] * self.x
        left -= (w * left).sum(1, keepdims=True) / w.sum(1, keepdims=True)
        return np.asarray((w * left**2).sum(1))

    def scatter(self) -> float:
        """Return the variance about the line at which S is its expectation, n - 2,
        or 0.
        """
        n = len(self.x)

        def excess(extra: float) -> float:
            return float(self.profile(np.array([self.slope(extra)]), extra)[0]) - (
                n - 2
            )

        least = 0.0 if (self.vy > 0).all() else _DETERMINANT_ROUNDING
        if excess(least) <= 0:
            return least
        return float(
            optimize.brentq(excess, least, n / (n - 2) + 1e-9, xtol=1e-13, rtol=1e-11)
        )

    def slope(self, extra: float) -> float:
        """Return the slope of least S, by York's iteration from the best of a grid of
        angles.
        """
        angles = np.linspace(-np.pi / 2, np.pi / 2, _ANGLES + 2)[1:-1]
        S = np.concatenate(
            [self.profile(np.tan(part), extra) for part in np.array_split(angles, 8)]
        )
        best = int(S.argmin())
        if best in (0, _ANGLES - 1) and self.vx.any():
            raise NoSlopeError
        low, high = (
            np.tan(angles[max(best - 1, 0)]),
            np.tan(angles[min(best + 1, _ANGLES - 1)]),
        )
        slope = float(np.tan(angles[best]))
        for _ in range(_INDEPENDENT_STEPS):
            before, slope = slope, self._step(slope, extra)
            if abs(slope - before) <= 1e-14 * (1 + abs(slope)):
                break
        if (
            low < slope < high and abs(slope - before) <= _STILL * (1 + abs(slope))
        ) or not self.vx.any():
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
        """Return the slope whose residuals are orthogonal to the x adjusted at this
        slope.
        """
        _, w, _, place = self._moved(slope, extra)
        center = w / w.sum()
        side = w * (place - center @ place)
        return float(
            side @ (self.y - center @ self.y) / (side @ (self.x - center @ self.x))
        )

    def line(
        self, slope: float, extra: float, cluster: Codes | None
    ) -> tuple[float, Array, float]:
        """Return the intercept, the covariance of intercept and slope, and its degrees
        of freedom.
        """
        intercept, w, left, place = self._moved(slope, extra)
        Z = np.column_stack([np.ones_like(place), place])
        meat = (Z * w[:, None]).T @ Z
        bread: NDArray[Any] = meat.copy()
        bread[1, 1] -= float(w @ (self.vx * (1 - slope**2 * self.vx * w)))
        if np.linalg.det(bread) <= _DETERMINANT_ROUNDING * meat[0, 0] * meat[1, 1]:
            raise NoSlopeError
        bread, n, df = np.linalg.inv(bread), len(place), len(place) - 2.0
        by_scatter = float(slope * self.vx @ w**2 / w.sum()) if extra else 0.0
        if cluster is None:
            meat[1, 1] += 2 * n * by_scatter**2
        else:
            scores = Z * (w * left)[:, None]
            scores[:, 1] -= by_scatter * (w * left**2 - (n - 2) / n)
            meat, df = _cluster_scatter(scores, cluster)
        return intercept, bread @ meat @ bread, df
