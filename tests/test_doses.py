"""Polynomials and the turn of the helix: against arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from scipy import stats
from scipy.interpolate import CubicSpline

from causalgia.effects.contrast_weights import orthonormal_polynomials
from causalgia.errors import DegenerateWarning, EstimateError
from causalgia.estimation import (
    helical_phase,
)
from causalgia.estimation._helical_phase import (
    mean_curve_wave,
    trend_basis,
    unitwise_wave,
)

HERE = Path(__file__).parent / "reference"


@given(st.sets(st.integers(-30, 30), min_size=2, max_size=9))
def test_polynomials_are_orthonormal_and_start_upwards(points: set[int]) -> None:
    x = np.array(sorted(points), dtype=float)
    P = orthonormal_polynomials(x, len(x) - 1)
    np.testing.assert_allclose(P @ P.T, np.eye(len(P)), atol=1e-12)
    np.testing.assert_allclose(P.sum(axis=1), 0, atol=1e-12)
    assert (P[:, -1] > 0).all()


def curve(**more: Any) -> xr.Dataset:
    y = pd.read_csv(HERE / "helical_phase" / "input.csv").pivot(
        index="unit", columns="distance", values="interaction"
    )
    coords = {
        "unit": y.index.to_numpy(),
        "contrast": [f"{d} bp" for d in y.columns],
        "task": ["K562"],
    }
    ice = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), y.to_numpy()[:, :, None])}, coords=coords
    )
    return ice.assign_coords(distance=("contrast", y.columns.to_numpy()), **more)


def test_order_of_distances_and_offset_change_nothing() -> None:
    forward = helical_phase(curve())
    for other in (curve().isel(contrast=slice(None, None, -1)), curve() + 0.0):
        xr.testing.assert_allclose(
            helical_phase(other).drop_attrs(), forward.drop_attrs(), rtol=1e-9
        )
    shifted = helical_phase(curve().assign(ice=curve()["ice"] + 1e6))
    np.testing.assert_allclose(shifted["amplitude"], forward["amplitude"], rtol=1e-7)


def test_clusters_carry_the_degrees_of_freedom() -> None:
    parents = ("unit", np.arange(20) // 2)
    with pytest.warns(DegenerateWarning):
        found = helical_phase(curve(parent=parents))
    np.testing.assert_allclose(found["df2"].sel(fit="unitwise").item(), 8.0)


@pytest.mark.parametrize("first", [0.0, 2.5])
def test_distances_at_which_sine_or_cosine_alone_is_part_of_the_trend_are_refused(
    first: float,
) -> None:
    """At multiples of half a period the sine is 0, a quarter later the cosine is: the
    other one still turns.
    """
    x = first + 5.0 * np.arange(12)
    ice = xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task"),
                np.random.default_rng(0).normal(size=(40, 12, 1)),
            )
        }
    )
    effects = ice.assign_coords(
        distance=("contrast", x), contrast=[f"{d} bp" for d in x], task=["K562"]
    )
    assert np.isfinite(
        helical_phase(effects, period=10.7, periods=[10.6, 10.7])["p"]
    ).all()


@pytest.mark.parametrize("unit", [1.0, -1e-120, 1e120])
def test_a_wave_of_a_curve_is_least_squares_and_its_f(unit: float) -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 60, 30))
    turn = 2 * np.pi * x / 10.5
    y = unit * (
        0.02 * x + 0.3 * np.cos(turn) - 0.2 * np.sin(turn) + rng.normal(0, 0.2, 30)
    )
    base = trend_basis(x, "quadratic")
    np.testing.assert_allclose(base.T @ base, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(base @ (base.T @ x**2), x**2)
    found = mean_curve_wave(x, y, base, 10.5)
    X = np.column_stack(
        [base, np.cos(2 * np.pi * x / 10.5), np.sin(2 * np.pi * x / 10.5)]
    )
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    full, alone = (y - X @ beta) / unit, (y - base @ (base.T @ y)) / unit
    variance = full @ full / 25
    F = (alone @ alone - full @ full) / 2 / variance
    assert (found.cos, found.sin) == pytest.approx((beta[-2], beta[-1]), rel=1e-9)
    assert (found.F, found.df1, found.df2, found.p) == pytest.approx(
        (F, 2, 25, stats.f.sf(F, 2, 25)), rel=1e-8
    )
    V = np.linalg.inv(X.T @ X)[-2:, -2:] * variance
    np.testing.assert_allclose(found.covariance, V * unit**2, rtol=1e-8)
    a, b = beta[-2:] / unit

    def of_pair(a: float, b: float) -> np.ndarray:
        return np.array(
            [
                np.hypot(a, b),
                np.arctan2(np.sign(unit) * b, np.sign(unit) * a) * 10.5 / (2 * np.pi),
            ]
        )

    amplitude, phase = of_pair(a, b)
    assert found.amplitude == pytest.approx(amplitude * abs(unit), rel=1e-9)
    assert found.phase_bp == pytest.approx(phase % 10.5, rel=1e-9)
    h = 1e-6
    jacobian = np.column_stack(
        [
            (of_pair(a + h, b) - of_pair(a - h, b)) / (2 * h),
            (of_pair(a, b + h) - of_pair(a, b - h)) / (2 * h),
        ]
    )
    se = np.sqrt(np.diagonal(jacobian @ V @ jacobian.T))
    assert (found.amplitude_se, found.phase_bp_se) == pytest.approx(
        (se[0] * abs(unit), se[1]), rel=1e-5
    )


def test_a_natural_spline_is_a_line_beyond_its_ends_and_bends_at_its_quartiles() -> (
    None
):
    x = np.r_[np.arange(0.0, 8.0), 11.0, 17.0, 19.0, 20.0]
    knots = np.r_[0, np.quantile(x, [0.25, 0.5, 0.75]), 20]
    base = trend_basis(x, "natural_spline_4")
    assert base.shape == (12, 5)
    np.testing.assert_allclose(base.T @ base, np.eye(5), atol=1e-12)
    for values in (np.sin(np.arange(5.0)), np.array([1.0, -2.0, 0.5, 3.0, 0.0])):
        spline = CubicSpline(knots, values, bc_type="natural")(x)
        np.testing.assert_allclose(base @ (base.T @ spline), spline, atol=1e-9)


def test_decays_of_one_two_and_four_turns_are_fitted_exactly() -> None:
    x = np.sort(np.random.default_rng(1).uniform(5, 70, 20))
    base = trend_basis(x, "decay", period=9.0)
    assert base.shape == (20, 5)
    for curve in (np.ones(20), x, np.exp(-x / 9), np.exp(-x / 18), np.exp(-x / 36)):
        np.testing.assert_allclose(base @ (base.T @ curve), curve, rtol=1e-7)


AWAY = np.arange(11.0, 161.0)


def waves_of(ice, x, trend="decay"):
    """p between units (None where they differ in size alone) and of the mean curve."""
    base = trend_basis(x, trend)
    try:
        between = unitwise_wave(x, ice, base, 10.5).p
    except EstimateError:
        between = None
    return between, mean_curve_wave(x, ice.mean(axis=0), base, 10.5).p


@pytest.mark.parametrize("x", [AWAY, AWAY[:42], AWAY[::5]])
@pytest.mark.parametrize("length", [12.0, 25.0, 50.0, 120.0])
def test_a_decay_is_no_wave_and_a_wave_that_decays_is_one(x, length):
    """Units differ in how large an interaction is and in how far it reaches, and in
    nothing else.
    """
    rng = np.random.default_rng(int(length))
    reach, size = (
        rng.normal(length, length / 20, (128, 1)),
        rng.normal(1.0, 0.2, (128, 1)),
    )
    smooth = size * np.exp(-x / reach)
    assert max(p for p in waves_of(smooth, x) if p is not None) > 0.05
    if length == 50:
        # a cubic's misfit is sure between units, and is no wave
        assert waves_of(smooth, x, "cubic")[0] < 1e-6
    wavy = smooth * (1 + 0.3 * np.cos(2 * np.pi * (x - 3) / 10.5))
    assert all(p is None or p < 1e-2 for p in waves_of(wavy, x))


@pytest.mark.simulation
def test_p_of_the_helix_is_at_most_uniform_beside_a_decay():
    rng, n = np.random.default_rng(0), 400
    x = AWAY[:60]
    ice = (
        np.exp(-x / 50)
        + rng.normal(0.0, 0.2, (n, 30, len(x)))
        + rng.normal(0.0, 0.2, (n, 30, 1))
    )
    p = np.array([max(waves_of(one, x)) for one in ice])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).sum() <= stats.binom.ppf(1 - 1e-4, n, level)


@pytest.mark.parametrize("trend", ["linear", "cubic", "natural_spline_4", "decay"])
def test_a_trend_spans_the_same_curves_wherever_distances_begin(trend):
    near, far = (trend_basis(AWAY[:60] + start, trend) for start in (0.0, 20_000.0))
    np.testing.assert_allclose(near @ near.T, far @ far.T, atol=1e-8)


@pytest.mark.parametrize("sign", [1, -1])
def test_waves_that_are_alike_in_every_unit_judge_no_mean(sign):
    curve = sign * (5 + np.sin(2 * np.pi * AWAY / 10.5))
    # units differ in their level alone
    ice = curve + np.random.default_rng(0).normal(size=(40, 1))
    with pytest.raises(EstimateError):
        unitwise_wave(AWAY, ice, trend_basis(AWAY, "linear"), 10.5)
