"""Straight line through points with correlated errors in both coordinates (errors in variables)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, special

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.request import as_ci_prob
from causalgia.types import Array

_ANGLES, _STEPS = 89, 50
_ROUNDING, _EXACT = 1e-10, 1e-14
_STILL = 1e-7  # of York's iteration; what a search finds is no more precise


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
        Limits: normal, or t with ``K - 2`` degrees of freedom where scatter is estimated.
    scatter
        Standard deviation of the true points about the line; 0 if scatter was not requested.
    chi2, df, p
        Test that a line fits within the given errors alone: ``chi2`` on ``df = K - 2``; infinite, with p 0, for points
        without error that do not lie on a line.
    r2
        Squared correlation of x and y, weighted by the inverse covariance of the residuals.
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

    ``x = xi + e, y = intercept + slope xi + u``, ``e ~ N(0, V_x)``, ``u ~ N(0, V_y + scatter^2 I)``, with the true
    positions xi unknown constants. The estimate is generalized least squares if x has no errors, and York's line if
    errors are independent.

    Parameters
    ----------
    x, y
        Coordinates of K points, shape ``(K,)``, three or more.
    y_covariance, x_covariance
        Covariance of their errors, shape ``(K, K)``; or variances of independent errors, shape ``(K,)``. None: x is
        exact.
    scatter
        Whether points scatter about the line beyond their errors.
    ci_prob
        Probability of the limits.

    Raises
    ------
    EstimateError
        If shapes differ, numbers are not finite, there are fewer than three points, a matrix is not a covariance, all x
        are equal, the best line is vertical, or errors are singular and ``scatter=False``.

    Notes
    -----
    Profiling out xi at a given slope leaves ``S = r' V^-1 r`` with residuals ``r = y - intercept - slope x`` and ``V =
    V_y + scatter^2 I + slope^2 V_x``, which is minimized. Standard errors are from the profile information, ``(X' V^-1
    X)^-1`` at the adjusted positions.

    With `scatter` the variance of the true points about the line makes the least S equal its expectation ``K - 2``, or
    is 0 (Paule and Mandel), and limits are of t with K - 2 degrees of freedom (ordinary least squares if no errors are
    given). Without it ``chi2`` tests whether the given errors explain the residuals.

    References
    ----------
    York, Evensen, Lopez Martinez & De Basabe Delgado (2004), doi:10.1119/1.1632486. Paule & Mandel (1982),
    doi:10.6028/jres.087.022. Knapp & Hartung (2003), doi:10.1002/sim.1482.

    Examples
    --------
    >>> line = errors_in_variables([0.0, 1.0, 2.0, 3.0], [0.1, 0.9, 2.2, 2.8], y_covariance=[0.01] * 4)
    >>> round(line.slope, 3), round(line.slope_se, 3), round(line.chi2, 2)
    (0.94, 0.045, 8.2)
    """
    x, y = (_as_coordinates(values, name) for values, name in ((x, "x"), (y, "y")))
    K = len(x)
    if len(y) != K or K < 3:
        raise EstimateError(f"x and y are {K} and {len(y)} numbers; a line with errors needs three or more of each")
    Vy = _as_error_covariance(y_covariance, K, "y_covariance")
    Vx = np.zeros((K, K)) if x_covariance is None else _as_error_covariance(x_covariance, K, "x_covariance")
    ci_prob = as_ci_prob(ci_prob)
    points = _Points(x - x.mean(), y - y.mean(), Vx, Vy).standardized()
    if not scatter:
        points.check_nonsingular()
    extra = points.scatter() if scatter else 0.0
    quantile = special.stdtrit(K - 2, 0.5 + ci_prob / 2) if scatter else special.ndtri(0.5 + ci_prob / 2)
    fit = points.fit(extra)
    back = points.y_unit * np.array([[1.0, -x.mean() / points.x_unit], [0.0, 1 / points.x_unit]])
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
    except (TypeError, ValueError) as error:
        raise EstimateError(f"{name}={quoted(values)} are not numbers") from error
    if found.ndim != 1 or not np.isfinite(found).all():
        raise EstimateError(f"{name} are one list of finite numbers; leave out points that have none")
    return found


def _as_error_covariance(values: npt.ArrayLike, K: int, name: str) -> Array:
    """Return a covariance (K, K), given as a matrix or as variances of independent errors."""
    matrix = np.asarray(values, dtype=np.float64)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.shape != (K, K) or not np.isfinite(matrix).all():
        raise EstimateError(f"{name} has shape {np.shape(values)}; give ({K}, {K}), or {K} variances, all finite")
    size = np.abs(np.diag(matrix)).max()
    if not np.allclose(matrix, matrix.T, rtol=0, atol=_ROUNDING * size):
        raise EstimateError(f"{name} is not symmetric")
    if np.linalg.eigvalsh(matrix).min() < -_ROUNDING * size:
        raise EstimateError(f"{name} is not a covariance: some combination of errors would have a negative variance")
    return (matrix + matrix.T) / 2


@dataclass(frozen=True)
class _Fit:
    """A line (intercept, slope), the covariance of these, the least S, r2 and the adjusted x of one scatter."""

    line: Array
    covariance: Array
    S: float
    r2: float
    x: Array


@dataclass(frozen=True)
class _Points:
    """Centered points, (K,) each, with the covariances of their errors, (K, K) each."""

    x: Array
    y: Array
    Vx: Array
    Vy: Array
    x_unit: float = 1.0
    y_unit: float = 1.0

    def standardized(self) -> _Points:
        """Return the points in units of the sd of each coordinate, in which slopes are searched by angle."""
        x_unit, y_unit = float(self.x.std()), float(self.y.std())
        if x_unit <= 1e-12 * max(1.0, np.abs(self.x).max()):
            raise EstimateError("all x are equal; a line needs points at different places")
        y_unit = y_unit or 1.0
        return _Points(self.x / x_unit, self.y / y_unit, self.Vx / x_unit**2, self.Vy / y_unit**2, x_unit, y_unit)

    @property
    def singular(self) -> bool:
        """Whether some combination of y has no error."""
        values = np.linalg.eigvalsh(self.Vy)
        return bool(values[0] <= max(_ROUNDING * values[-1], _EXACT))

    def check_nonsingular(self) -> None:
        """Raise EstimateError where some combination of y has no error, and so no weight."""
        if self.singular:
            raise EstimateError(
                "y_covariance is singular: some combination of y has no error, and no weight follows from that; "
                "allow for scatter about the line with scatter=True"
            )

    def chi2(self) -> float:
        """Return the least S under the given errors, infinite if points without error do not lie on a line."""
        if not self.singular or np.linalg.eigvalsh(self.Vx)[0] > _ROUNDING:
            return self.fit(0.0).S
        left = self.fit(_EXACT).S
        return np.inf if left > len(self.x) else 0.0

    def scatter(self) -> float:
        """Return the variance about the line at which the least S is its expectation, K - 2, or 0."""
        K = len(self.x)

        def excess(variance: float) -> float:
            V0 = self._variance(variance)
            return float(self._profile(np.array([self._best_slope(V0)]), V0)[0]) - (K - 2)

        least = _EXACT if self.singular else 0.0
        if excess(least) <= 0:
            return 0.0
        return float(optimize.brentq(excess, least, K / (K - 2), xtol=1e-12, rtol=1e-9))

    def fit(self, scatter: float) -> _Fit:
        """Return the line of least S at a variance of scatter."""
        V0 = self._variance(scatter)
        slope = self._best_slope(V0)
        factor = linalg.cho_factor(V0 + slope**2 * self.Vx)
        Z, line = self._york_step(slope, factor)
        covariance: Array = np.asarray(np.linalg.inv(Z.T @ linalg.cho_solve(factor, Z)), dtype=np.float64)
        S = float(self._profile(line[1:], V0)[0])
        return _Fit(line, covariance, S, _weighted_r2(self.x, self.y, factor), Z[:, 1])

    def _variance(self, scatter: float) -> Array:
        return self.Vy + max(scatter, _EXACT if self.singular else 0.0) * np.eye(len(self.x))

    def _best_slope(self, V0: Array) -> float:
        """Return the slope of least S, intercept profiled out, starting from the best of a grid of angles."""
        if not self.Vx.any():
            return self._york_slope(0.0, V0)
        angles = np.linspace(-np.pi / 2, np.pi / 2, _ANGLES + 2)[1:-1]
        S = self._profile(np.tan(angles), V0)
        best = int(S.argmin())
        if best in (0, _ANGLES - 1):
            raise EstimateError("the errors of x leave no slope: the best line is vertical; give points farther apart")
        slope = self._york_slope(float(np.tan(angles[best])), V0)
        if np.tan(angles[best - 1]) < slope < np.tan(angles[best + 1]):
            return slope  # not where it is nan
        return self._search_slope(angles[best - 1], angles[best + 1], V0)

    def _search_slope(self, low: float, high: float, V0: Array) -> float:
        """Return the slope of least S between two angles, for cases where York's iteration does not converge."""
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
        return np.asarray((left * weighted).sum(1) - (left * ones).sum(1) ** 2 / ones.sum(1))

    def _york_slope(self, slope: float, V0: Array) -> float:
        """Return the solution of York's equations, by iteration from a nearby slope; nan where it ends in a cycle."""
        for _ in range(_STEPS):
            _, line = self._york_step(slope, linalg.cho_factor(V0 + slope**2 * self.Vx))
            before, slope = slope, float(line[1])
            if abs(slope - before) <= 1e-14 * (1 + abs(slope)):
                break
        return slope if abs(slope - before) <= _STILL * (1 + abs(slope)) else np.nan

    def _york_step(self, slope: float, factor: tuple[Array, bool]) -> tuple[Array, Array]:
        """Return columns of 1 and adjusted x, (K, 2), and the line whose residuals are orthogonal to them."""
        ones = np.ones_like(self.x)
        weights = linalg.cho_solve(factor, ones)
        left = self.y - slope * self.x
        residual = left - (weights @ left) / weights.sum()
        Z = np.column_stack([ones, self.x + slope * self.Vx @ linalg.cho_solve(factor, residual)])
        WZ = linalg.cho_solve(factor, Z)
        line: Array = np.asarray(np.linalg.solve(WZ.T @ np.column_stack([ones, self.x]), WZ.T @ self.y), np.float64)
        return Z, line


def _weighted_r2(x: Array, y: Array, factor: tuple[Array, bool]) -> float:
    weights = linalg.cho_solve(factor, np.ones_like(x))
    x, y = (v - weights @ v / weights.sum() for v in (x, y))
    xx, xy, yy = (a @ linalg.cho_solve(factor, b) for a, b in ((x, x), (x, y), (y, y)))
    return min(float(xy**2 / (xx * yy)), 1.0) if yy > 0 else 0.0
