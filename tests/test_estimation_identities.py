"""Estimates of one problem put in other ways: mirrored, shifted, in other units and
orders, one odd case among many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.estimation import from_effects
from causalgia.estimation._from_effects import as_estimates, estimates_of_elements
from causalgia.estimation._helical_phase import helical_phase
from causalgia.estimation.lines import errors_in_both, errors_in_variables
from causalgia.estimation.request import check_has_errors, rescale

ROWS = np.random.default_rng(5)


X = np.array([0.0, 0.7, 1.1, 2.0, 2.4, 3.1, 4.0, 4.4])


Y = 1 + 0.8 * X + np.array([0.3, -0.5, 0.4, -0.6, 0.5, -0.2, 0.4, -0.3])


VX, VY = (
    np.array([4.0, 1, 2, 3, 1, 2, 5, 3]) / 100,
    np.array([1.0, 2, 1, 4, 3, 1, 2, 2]) / 100,
)


CLUSTER = np.array([0, 0, 1, 1, 2, 2, 3, 3])


def of_both(
    x: np.ndarray, y: np.ndarray, vx: np.ndarray, vy: np.ndarray, given: dict[str, Any]
) -> Any:
    cluster = CLUSTER if given["clustered"] else None
    return errors_in_both(
        x, y, vx, vy, scatter=given["scatter"], cluster=given.get("cluster", cluster)
    )


CASES = [
    {"scatter": scatter, "clustered": clustered}
    for scatter in (False, True)
    for clustered in (False, True)
]


@pytest.mark.parametrize("given", CASES)
def test_a_line_with_two_errors_is_its_definition_point_by_point(
    given: dict[str, Any],
) -> None:
    """Weights, scores and both matrices by sums over points; the slope has the least
    misfit of 4,001.
    """
    line = of_both(X, Y, VX, VY, given)
    b, extra, n = line.slope, line.scatter**2, len(X)
    assert (extra > 0) == given["scatter"]

    def misfit(slope: float) -> float:
        w = 1 / (VY + extra + slope**2 * VX)
        left = Y - slope * X
        return float((w * (left - w @ left / w.sum()) ** 2).sum())

    around = b + np.linspace(-0.2, 0.2, 4_001)
    assert abs(around[np.argmin([misfit(s) for s in around])] - b) <= 1e-4
    assert line.objective == pytest.approx(misfit(b), rel=1e-9)
    if given["scatter"]:
        assert line.objective == pytest.approx(n - 2, rel=1e-6)
    bread, meat, scores = np.zeros((2, 2)), np.zeros((2, 2)), []
    total = float((1 / (VY + extra + b**2 * VX)).sum())
    by_scatter = (
        sum(
            b * vx / (vy + extra + b**2 * vx) ** 2
            for vx, vy in zip(VX, VY, strict=True)
        )
        / total
    )
    by_scatter = by_scatter if given["scatter"] else 0.0
    for x, y, vx, vy in zip(X, Y, VX, VY, strict=True):
        w = 1 / (vy + extra + b**2 * vx)
        left = y - line.intercept - b * x
        place = np.array([1.0, x + b * vx * w * left])
        bread += w * np.outer(place, place) - np.diag([0, w * vx * (vy + extra) * w])
        meat += w * np.outer(place, place)
        scores.append(
            w * left * place - np.array([0, by_scatter * (w * left**2 - (n - 2) / n)])
        )
    if given["clustered"]:
        sums = [np.add(*scores[2 * g : 2 * g + 2]) for g in range(4)]
        meat = 4 / 3 * sum(np.outer(s, s) for s in sums)
    else:
        meat[1, 1] += 2 * n * by_scatter**2
    expected = np.linalg.inv(bread) @ meat @ np.linalg.inv(bread)
    # the dependence on the scatter is taken where y has its own sd as unit and x is
    # centered
    tolerance = 1e-6 if not given["scatter"] else 0.02
    np.testing.assert_allclose(
        np.sqrt(np.diag(line.covariance)), np.sqrt(np.diag(expected)), rtol=tolerance
    )
    assert line.df == (3 if given["clustered"] else n - 2)


@pytest.mark.parametrize("given", CASES)
def test_a_line_turns_with_its_axes_and_moves_with_its_points(
    given: dict[str, Any],
) -> None:
    line = of_both(X, Y, VX, VY, given)
    se = np.sqrt(np.diag(line.covariance))
    for p, q, left, up in (
        (1.0, -1.0, 0.0, 0.0),
        (-1.0, 1.0, 0.0, 0.0),
        (1e4, 1e-3, 0.0, 0.0),
        (1.0, 1.0, 30.0, -7.0),
    ):
        moved = of_both(p * X + left, q * Y + up, p**2 * VX, q**2 * VY, given)
        assert moved.slope == pytest.approx(line.slope * q / p, rel=1e-7)
        assert moved.intercept == pytest.approx(
            q * line.intercept + up - moved.slope * left, rel=1e-6
        )
        assert moved.scatter == pytest.approx(
            abs(q) * line.scatter, rel=1e-6, abs=1e-12
        )
        assert moved.objective == pytest.approx(line.objective, rel=1e-6)
        assert np.sqrt(moved.covariance[1, 1]) == pytest.approx(
            se[1] * abs(q / p), rel=1e-6
        )
        if left == 0:
            assert np.sqrt(moved.covariance[0, 0]) == pytest.approx(
                se[0] * abs(q), rel=1e-6
            )
            assert moved.covariance[0, 1] == pytest.approx(
                line.covariance[0, 1] * q * q / p, rel=1e-6
            )
    order = ROWS.permutation(8)
    turned = of_both(
        *(v[order] for v in (X, Y, VX, VY)),
        given | ({"cluster": CLUSTER[order]} if given["clustered"] else {}),
    )
    np.testing.assert_allclose(turned.covariance, line.covariance, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e5])
@pytest.mark.parametrize("error", [0.0, 0.05])
def test_the_scatter_of_points_without_a_slope_is_their_variance_less_that_of_errors(
    error: float, unit: float
) -> None:
    """As large as scatter can be: y does not depend on x at all."""
    x, y = np.array([-1.0, 0.0, 1.0]), unit * np.array([1.0, -2.0, 1.0])
    variance = np.full(3, (error * unit) ** 2)
    for line in (
        errors_in_variables(x, y, y_covariance=variance, scatter=True),
        errors_in_both(x, y, np.zeros(3), variance, scatter=True),
    ):
        assert line.slope == pytest.approx(0, abs=1e-9 * unit)
        assert line.scatter == pytest.approx(unit * np.sqrt(6 - error**2), rel=1e-6)


def test_one_exact_point_among_others_has_the_weight_of_the_scatter_alone() -> None:
    """Its weight is infinite without scatter, where it is refused."""
    vy = np.where(np.arange(8) == 3, 0.0, VY)
    line = errors_in_both(X, Y, np.zeros(8), vy, scatter=True)
    nearly = errors_in_both(X, Y, np.zeros(8), np.maximum(vy, 1e-10), scatter=True)
    assert [line.slope, line.scatter] == pytest.approx(
        [nearly.slope, nearly.scatter], rel=1e-6
    )
    w = 1 / (vy + line.scatter**2)
    assert [line.slope, line.intercept] == pytest.approx(
        np.polyfit(X, Y, 1, w=np.sqrt(w)), rel=1e-6
    )


@pytest.mark.parametrize("ci_prob", [0.5, 0.8, 0.99])
@pytest.mark.parametrize("scatter", [False, True])
def test_limits_of_a_line_are_its_quantiles_on_both_sides(
    scatter: bool, ci_prob: float
) -> None:
    line = errors_in_variables(
        X, Y, y_covariance=VY, x_covariance=VX, scatter=scatter, ci_prob=ci_prob
    )
    law: Any = stats.t(6) if scatter else stats.norm
    half = law.ppf(0.5 + ci_prob / 2) * np.array([line.slope_se, line.intercept_se])
    assert [line.slope_lower, line.intercept_lower] == pytest.approx(
        np.array([line.slope, line.intercept]) - half
    )
    assert [line.slope_upper, line.intercept_upper] == pytest.approx(
        np.array([line.slope, line.intercept]) + half
    )
    w = 1 / (VY + line.scatter**2 + line.slope**2 * VX)
    assert line.r2 == pytest.approx(
        np.corrcoef(X, Y)[0, 1] ** 2 if scatter is None else weighted_r2(w), rel=1e-6
    )
    left = Y - line.intercept - line.slope * X
    np.testing.assert_allclose(line.x, X + line.slope * VX * w * left, rtol=1e-6)


def weighted_r2(w: np.ndarray) -> float:
    x, y = X - w @ X / w.sum(), Y - w @ Y / w.sum()
    return float((w @ (x * y)) ** 2 / ((w @ x**2) * (w @ y**2)))


@pytest.mark.parametrize("task", [0, 1])
def test_a_covariance_of_either_task_is_checked_against_its_errors(task: int) -> None:
    stack = np.stack([np.diag([1.0, 4.0]), np.diag([0.25, 9.0])], axis=-1)
    dims = ("contrast", "contrast_", "task")
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), np.ones((2, 2))),
            "se": (("contrast", "task"), np.array([[1.0, 0.5], [2.0, 3.0]])),
            "covariance": (dims, stack),
        },
        {"contrast": ["a", "b"], "contrast_": ["a", "b"], "task": ["x", "y"]},
    )
    assert as_estimates(table) is not None
    apart = table.copy(deep=True)
    apart["se"][1, task] = 2.5
    with pytest.raises(EstimateError):
        as_estimates(apart)
    crooked = table.copy(deep=True)
    crooked["covariance"][0, 1, task] = 0.5
    with pytest.raises(EstimateError):
        as_estimates(crooked)
    none = table.copy(deep=True)
    size = float(np.sqrt(stack[0, 0, task] * stack[1, 1, task]))
    none["covariance"][0, 1, task] = none["covariance"][1, 0, task] = 1.1 * size
    with pytest.raises(EstimateError):
        as_estimates(none)


def test_effects_on_exactly_these_units_have_no_test_unless_one_has_an_error() -> None:
    known = xr.Dataset(
        {"ace": ("contrast", [1.0, 2.0]), "se": ("contrast", [0.0, 0.0])},
        attrs={"target": "units"},
    )
    with pytest.raises(EstimateError):
        check_has_errors(known)
    check_has_errors(known.assign_attrs(target="population"))
    check_has_errors(known.assign(p=("contrast", [1.0, 1.0])))
    check_has_errors(known.assign(se=("contrast", [0.0, 0.5])))


def test_infinite_degrees_of_freedom_are_those_of_all_contrasts_or_none() -> None:
    assert "df" not in from_effects([1.0, 2.0], se=1.0, df=[np.inf, np.inf])


def test_effects_of_elements_keep_the_columns_of_both_dims_and_of_elements_alone() -> (
    None
):
    shape = (3, 2)
    fitted = xr.Dataset(
        {
            "ace": (("element", "contrast"), np.arange(6.0).reshape(shape)),
            "se": (("contrast", "element"), np.arange(1.0, 7).reshape(2, 3)),
            "n_units": (("element",), np.arange(3)),
            "other": (("element", "contrast"), np.ones(shape)),
        },
        {
            "element": ["e", "f", "g"],
            "contrast": ["A", "B"],
            "gene": ("element", ["p", "q", "r"]),
        },
        {"control": "c", "method": "nb"},
    )
    found = estimates_of_elements(fitted)
    assert dict(found.sizes) == {"contrast": 3, "task": 2}
    np.testing.assert_array_equal(found["ace"], fitted["ace"])
    np.testing.assert_array_equal(found["se"], fitted["se"].T)
    assert set(found.data_vars) == {"ace", "se"}
    assert found["gene"].values.tolist() == ["p", "q", "r"]
    assert "control" not in found.attrs


@pytest.mark.parametrize("shift", [0.0, 4.0, 8.5])
def test_a_wave_that_is_moved_has_its_phase_moved_and_nothing_else(
    shift: float,
) -> None:
    """By rotation of cosine and sine; distances in other units have the period in
    these.
    """
    rng, d = np.random.default_rng(1), np.arange(20.0, 50)
    noise = rng.normal(size=(15, 30)) + 0.5 * np.cos(2 * np.pi * (d - 3) / 10.5)

    def found(at: np.ndarray, period: float) -> xr.Dataset:
        effects = xr.Dataset(
            {"ice": (("unit", "contrast", "task"), noise[:, :, None])},
            {
                "contrast": [str(x) for x in d],
                "distance": ("contrast", at),
                "task": ["y"],
            },
        )
        periods = np.array([9.0, 10.5, 12.0]) * period / 10.5
        return helical_phase(
            effects, period=period, periods=periods, trend="linear"
        ).isel(task=0)

    here, moved, wide = found(d, 10.5), found(d + shift, 10.5), found(3 * d, 31.5)
    for other, phase, unit in (
        (moved, (here["phase_bp"] + shift) % 10.5, 1),
        (wide, here["phase_bp"] * 3, 3),
    ):
        np.testing.assert_allclose(other["amplitude"], here["amplitude"], rtol=1e-8)
        np.testing.assert_allclose(
            other["amplitude_se"], here["amplitude_se"], rtol=1e-7
        )
        np.testing.assert_allclose(other["phase_bp"], phase, rtol=1e-7)
        np.testing.assert_allclose(
            other["phase_bp_se"], unit * here["phase_bp_se"], rtol=1e-7
        )
        np.testing.assert_allclose(other["p"], here["p"], rtol=1e-7)
        np.testing.assert_allclose(other["rss"], here["rss"], rtol=1e-8)
        np.testing.assert_allclose(
            other["rss_full"], here["rss"].sel(period=10.5), rtol=1e-8
        )
        assert (
            other["best_period"].item()
            == here["period"].values[here["rss"].values.argmin()] * unit
        )
    assert (here["rss_trend"] > here["rss_full"]).item()


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("contrast", [0, 1])
def test_the_largest_number_of_a_task_on_either_side_says_whether_it_is_rescaled(
    contrast: int, side: float
) -> None:
    ice = np.ones((3, 2, 2))
    ice[1, contrast, 1] = side * 1e120
    effects = xr.Dataset(
        {
            "ice": (("unit", "contrast", "task"), ice),
            "rounding": (("unit", "contrast", "task"), ice),
        }
    )
    small, exponents = rescale(effects)
    assert exponents.tolist() == [0, np.frexp(1e120)[1]]
    np.testing.assert_array_equal(small["ice"][..., 0], 1.0)
    np.testing.assert_array_equal(
        small["ice"][..., 1], np.ldexp(ice[..., 1], -exponents[1])
    )
    np.testing.assert_array_equal(small["rounding"], small["ice"])
    assert rescale(effects.isel(task=[0]))[0] is not None
    tiny, down = rescale(effects * xr.DataArray([1e-130, 1e-120], dims="task"))
    assert (down[0] < 0, down[1] == 0) == (True, True)
    assert np.abs(tiny["ice"][..., 0]).max().item() <= 1


def test_adjusted_levels_are_kept_by_the_limits() -> None:
    """Limits at another ``ci_prob`` are those of the same t."""
    table = from_effects([1.0, -2.0], se=[0.5, 1.0], df=[4.0, 9.0], ci_prob=0.8)
    half = stats.t([4, 9]).ppf(0.9) * [0.5, 1.0]
    np.testing.assert_allclose(
        table["upper"].values[:, 0], np.array([1.0, -2.0]) + half
    )
    np.testing.assert_allclose(
        table["lower"].values[:, 0], np.array([1.0, -2.0]) - half
    )


@pytest.mark.parametrize("unit", [1.0, 1e200, 1e-200])
@pytest.mark.parametrize(
    "sds", [[2.0, 0.0, 1.0], [0.0, 0.0, 3.0], [1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]
)
def test_the_control_sd_of_a_combination_is_pooled_though_one_is_0(
    sds: list[float], unit: float
) -> None:
    """By the sizes of the weights, whatever their signs, and however large or small the
    numbers are.
    """
    dims, own = ("contrast", "task"), np.array([sds, sds[::-1]]).T
    ice = np.random.default_rng(0).normal(size=(5, 3, 2))
    table = xr.Dataset(
        {"ice": (("unit", *dims), ice), "control_sd": (dims, unit * own)},
        {"contrast": ["a", "b", "c"], "task": ["x", "y"]},
    )
    found = cg.estimation.hypotheses(table, {"ab": "a - b", "all": "2*a + b - c"})
    share = np.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(
        found["control_sd"], unit * np.sqrt(share @ own**2), rtol=1e-12
    )
