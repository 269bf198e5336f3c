# Imports from the inside: lines with errors in both, proved against scipy.odr and
# York's own table.
"""A line through points with errors in both coordinates: against scipy.odr, least
squares, and known truth.
"""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from causalgia.errors import EstimateError
from causalgia.estimation.lines import (
    _ANGLES,
    _Points,
    errors_in_both,
    errors_in_variables,
    weighted_line,
)

# Pearson's data with York's weights: slope -0.480533, intercept 5.479910 (York 1966;
# York et al. 2004, table II)
X = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
Y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
WX = np.array([1000.0, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1])
WY = np.array([1.0, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])


def _spd(rng, K, size):
    A = rng.normal(size=(K, K))
    return size**2 * (A @ A.T / K + 0.3 * np.eye(K))


def test_reproduces_the_line_of_york():
    line = errors_in_variables(X, Y, y_covariance=1 / WY, x_covariance=1 / WX)
    assert line.slope == pytest.approx(-0.480533407, abs=1e-8)
    assert line.intercept == pytest.approx(5.47991022, abs=1e-7)
    assert line.chi2 == pytest.approx(11.8663532, abs=1e-6)


def test_agrees_with_scipy_odr_where_errors_are_independent():
    odr = pytest.importorskip("scipy.odr", reason="scipy has no odr any more")
    fit = odr.ODR(
        odr.RealData(X, Y, sx=WX**-0.5, sy=WY**-0.5),
        odr.unilinear,
        beta0=[-0.5, 5.0],
        sstol=1e-14,
    ).run()
    line = errors_in_variables(X, Y, y_covariance=1 / WY, x_covariance=1 / WX)
    assert [line.slope, line.intercept] == pytest.approx(fit.beta, rel=1e-5)
    assert line.chi2 == pytest.approx(fit.sum_square, rel=1e-6)
    # odr's covariance linearizes at the data, ours at the adjusted points: alike to the
    # order of the errors
    assert [line.slope_se, line.intercept_se] == pytest.approx(
        np.sqrt(np.diag(fit.cov_beta)), rel=0.05
    )


def test_is_generalized_least_squares_where_x_is_exact():
    rng = np.random.default_rng(0)
    V = _spd(rng, 10, 0.3)
    D = np.column_stack([np.ones(10), X])
    information = D.T @ np.linalg.solve(V, D)
    beta = np.linalg.solve(information, D.T @ np.linalg.solve(V, Y))
    line = errors_in_variables(X, Y, y_covariance=V)
    assert [line.intercept, line.slope] == pytest.approx(beta, rel=1e-10)
    assert line.covariance == pytest.approx(np.linalg.inv(information), rel=1e-9)


def test_is_ordinary_least_squares_where_scatter_is_all_there_is():
    line, expected = (
        errors_in_variables(X, Y, y_covariance=np.zeros(10), scatter=True),
        stats.linregress(X, Y),
    )
    assert line.slope == pytest.approx(expected.slope, rel=1e-8)
    assert line.slope_se == pytest.approx(expected.stderr, rel=1e-6)
    assert line.intercept_se == pytest.approx(expected.intercept_stderr, rel=1e-6)
    assert line.r2 == pytest.approx(expected.rvalue**2, rel=1e-8)
    half = stats.t.ppf(0.975, 8) * expected.stderr
    assert (line.slope_lower, line.slope_upper) == pytest.approx(
        (expected.slope - half, expected.slope + half), rel=1e-6
    )
    assert (line.chi2, line.p) == (np.inf, 0.0)


def test_minimizes_the_misfit_over_every_line():
    rng = np.random.default_rng(3)
    Vx, Vy = _spd(rng, 10, 0.4), _spd(rng, 10, 0.3)
    line = errors_in_variables(X, Y, y_covariance=Vy, x_covariance=Vx)

    def misfit(slope, intercept):
        left = Y - intercept - slope * X
        return left @ np.linalg.solve(Vy + slope**2 * Vx, left)

    at = misfit(line.slope, line.intercept)
    assert line.chi2 == pytest.approx(at, rel=1e-10)
    for ds, di in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        assert misfit(line.slope + ds, line.intercept + di) > at


@pytest.mark.parametrize("sign", [1, -1])
def test_the_slope_is_where_the_misfit_has_no_derivative(sign):
    rng = np.random.default_rng(5)
    x = np.arange(12.0)
    vx, vy = rng.uniform(0.1, 2, 12), rng.uniform(0.1, 2, 12)
    y = sign * (0.7 * x + rng.normal(size=12))

    def derivative(slope, step=1e-100):
        slope = slope + 1j * step
        weights = 1 / (vy + slope**2 * vx)
        left = y - slope * x
        left = left - (weights * left).sum() / weights.sum()
        return (weights * left**2).sum().imag / step

    root = optimize.brentq(
        derivative, *sorted([0.4 * sign, 1.1 * sign]), xtol=1e-15, rtol=1e-15
    )
    assert errors_in_both(x, y, vx, vy).slope == pytest.approx(root, rel=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("steps", [2, 3, 5, 8])
def test_a_slope_that_is_steep_on_either_side_is_found(sign, steps):
    """Points on a line whose angle is a few steps of the grid from a right one, with
    errors of x.
    """
    slope = sign * np.tan(np.pi / 2 - steps * np.pi / (_ANGLES + 1))
    x = np.linspace(-1, 1, 9)
    line = errors_in_both(x, 3 + slope * x, np.full(9, 1e-4), np.full(9, 1e-3))
    assert (line.slope, line.intercept) == pytest.approx((slope, 3), rel=1e-6)


@pytest.mark.parametrize("seed", [13, 40, 45, 75])
def test_no_other_slope_has_less_misfit_where_yorks_iteration_fails(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    x, y = rng.normal(size=n), rng.normal(size=n)
    vx, vy = np.exp(rng.normal(0, 2.5, n)), np.exp(rng.normal(0, 2.5, n))
    slopes = np.tan(np.linspace(-1.5, 1.5, 20_001))
    weights = 1 / (vy + slopes[:, None] ** 2 * vx)
    left = y - slopes[:, None] * x
    left -= (weights * left).sum(axis=1, keepdims=True) / weights.sum(
        axis=1, keepdims=True
    )
    misfit = (weights * left**2).sum(axis=1)
    line = errors_in_variables(x, y, y_covariance=vy, x_covariance=vx)
    assert line.slope == pytest.approx(
        slopes[misfit.argmin()], abs=3e-4 * (1 + line.slope**2)
    )
    assert line.chi2 == pytest.approx(misfit.min(), rel=1e-5)
    if seed in (
        13,
        75,
    ):  # a least misfit where x vary less than their errors has no standard error
        with pytest.raises(EstimateError):
            errors_in_both(x, y, vx, vy)
    else:
        fast = errors_in_both(x, y, vx, vy)
        assert (fast.slope, fast.objective) == pytest.approx(
            (line.slope, line.chi2), rel=1e-5
        )


def test_does_not_depend_on_units_and_offsets():
    line = errors_in_variables(X, Y, y_covariance=1 / WY, x_covariance=1 / WX)
    far = errors_in_variables(
        1e3 * X + 1e6, 1e-3 * Y - 50, y_covariance=1e-6 / WY, x_covariance=1e6 / WX
    )
    assert far.slope == pytest.approx(1e-6 * line.slope, rel=1e-6)
    assert far.slope_se == pytest.approx(1e-6 * line.slope_se, rel=1e-6)
    assert far.chi2 == pytest.approx(line.chi2, rel=1e-6)


def _coverage(*, x_error, scatter, fitted_scatter, n):
    rng = np.random.default_rng(11)
    xi, truth = np.linspace(0, 3.5, 8), (4.0, -1.6)
    Vy, Vx = _spd(rng, 8, 0.15), np.diag(np.full(8, x_error**2))
    Ly = np.linalg.cholesky(Vy)
    held, slopes = 0, []
    for _ in range(n):
        y = (
            truth[0]
            + truth[1] * xi
            + scatter * rng.normal(size=8)
            + Ly @ rng.normal(size=8)
        )
        x = xi + x_error * rng.normal(size=8)
        line = errors_in_variables(
            x, y, y_covariance=Vy, x_covariance=Vx, scatter=fitted_scatter
        )
        held += line.slope_lower <= truth[1] <= line.slope_upper
        slopes.append(line.slope)
    return held, np.array(slopes)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("x_error", "scatter", "fitted"),
    [(0.1, 0.0, False), (0.0, 0.4, True), (0.1, 0.4, True)],
)
def test_intervals_hold_and_the_slope_is_not_attenuated(x_error, scatter, fitted):
    n = 500
    held, slopes = _coverage(
        x_error=x_error, scatter=scatter, fitted_scatter=fitted, n=n
    )
    low, high = stats.binom.ppf([5e-5, 1 - 5e-5], n, 0.95)
    assert low <= held <= high
    assert abs(slopes.mean() + 1.6) < 4 * slopes.std() / n**0.5 + 0.005


@pytest.mark.simulation
def test_the_known_errors_alone_hold_too_rarely_where_points_scatter():
    held, _ = _coverage(x_error=0.1, scatter=0.4, fitted_scatter=False, n=300)
    assert held < 0.85 * 300


@pytest.mark.simulation
def test_the_test_of_fit_has_its_level_and_finds_scatter():
    rng = np.random.default_rng(2)
    xi, Vy, Vx = np.linspace(0, 4, 8), np.full(8, 0.04), np.full(8, 0.0025)

    def p(scatter):
        y = 1 - xi + rng.normal(size=8) * (0.04 + scatter**2) ** 0.5
        return errors_in_variables(
            xi + 0.05 * rng.normal(size=8), y, y_covariance=Vy, x_covariance=Vx
        ).p

    low, high = stats.binom.ppf([5e-5, 1 - 5e-5], 600, 0.1)
    assert low <= sum(p(0.0) < 0.1 for _ in range(600)) <= high
    assert np.median([p(0.6) for _ in range(50)]) < 1e-3


def test_exact_points_on_a_line():
    line = errors_in_variables(
        [0, 1, 2, 3], [1, 3, 5, 7], y_covariance=[0.0] * 4, scatter=True
    )
    assert (line.slope, line.intercept) == pytest.approx((2, 1))
    assert (line.scatter, line.chi2, line.p) == (0.0, 0.0, 1.0)
    flat = errors_in_variables(
        [0, 1, 2], [0.0, 0, 0], y_covariance=[0.0] * 3, scatter=True
    )
    assert (flat.slope, flat.r2, flat.scatter) == (0.0, 0.0, 0.0)


def test_errors_of_x_alone_explain_exact_y():
    x, y, variance = (
        np.array([0.0, 1.0, 2.0, 3.0]),
        np.array([0.1, 0.9, 2.2, 2.8]),
        np.full(4, 0.04),
    )
    line = errors_in_variables(
        x, y, y_covariance=[0.0] * 4, x_covariance=variance, scatter=True
    )
    slopes = np.linspace(0.5, 2, 15_001)
    left = y - slopes[:, None] * x
    least = (left - left.mean(axis=1, keepdims=True)) ** 2 / (
        slopes[:, None] ** 2 * variance
    )
    assert line.chi2 == pytest.approx(least.sum(axis=1).min(), rel=1e-6)
    assert np.isinf(
        errors_in_variables(x, y, y_covariance=[0.0] * 4, scatter=True).chi2
    )


def test_p_is_that_of_the_chi_square_of_the_scatter():
    line = errors_in_variables(X, Y, y_covariance=1 / WY, x_covariance=1 / WX)
    assert line.df == 8
    assert line.p == pytest.approx(stats.chi2.sf(line.chi2, 8), rel=1e-9)
    assert line.chi2 == pytest.approx(
        (
            (Y - line.intercept - line.slope * X) ** 2 / (1 / WY + line.slope**2 / WX)
        ).sum(),
        rel=1e-6,
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_line_that_is_all_but_vertical_on_either_side_is_refused(sign: float) -> None:
    """The least misfit lies at the last angle on one side, where errors of x are larger
    than all their spread.
    """
    x, y = np.tile([-1.0, 1.0], 10), np.repeat([-1.0, 1.0], 10)
    x = x + sign * 1e-3 * y
    with pytest.raises(EstimateError):
        errors_in_variables(
            x, y, y_covariance=np.full(20, 0.5), x_covariance=np.full(20, 4.0)
        )
    with pytest.raises(EstimateError):
        _Points(x, y, np.full(20, 4.0), np.full(20, 0.5)).slope(0.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_line_by_three_clusters_has_the_sandwich_of_statsmodels(weighted):
    rng = np.random.default_rng(3)
    x, cluster = rng.normal(size=8), np.array([0, 0, 0, 1, 1, 2, 2, 2])
    y, w = (
        1 + 2 * x + rng.normal(size=8),
        rng.uniform(0.5, 3, 8) if weighted else np.ones(8),
    )
    theirs = sm.WLS(y, sm.add_constant(x), weights=w).fit(
        cov_type="cluster", cov_kwds={"groups": cluster}
    )
    # statsmodels adds (n - 1) / (n - p) to G / (G - 1)
    expected = theirs.cov_params() * 6 / 7
    mine = weighted_line(x, y, weights=w, cluster=cluster)
    np.testing.assert_allclose([mine.intercept, mine.slope], theirs.params, rtol=1e-10)
    np.testing.assert_allclose(mine.covariance, expected, rtol=1e-9)
    assert mine.df == 2
    exact_x = errors_in_both(x, y, np.zeros(8), 1 / w, cluster=cluster)
    np.testing.assert_allclose(
        [exact_x.intercept, exact_x.slope], theirs.params, rtol=1e-7
    )
    np.testing.assert_allclose(exact_x.covariance, expected, rtol=1e-6)
    assert exact_x.df == 2
