"""The labeled verb of smooth profiles: names, groups, tasks, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.posterior import profile

AT = np.arange(11.0, 61.0)
GRID = np.arange(9.0, 12.01, 0.25)


def table(rng: np.random.Generator, amplitude: float = 0.3) -> pd.DataFrame:
    wave = amplitude * np.cos(2 * np.pi * (AT - 2) / 10.5)
    return pd.DataFrame(
        {"effect": 1 + wave + 0.1 * rng.normal(size=50), "se": 0.1, "spacing": AT}
    )


def test_period_amplitude_and_phase_are_found() -> None:
    post = profile(
        table(np.random.default_rng(1)), along="spacing", periods=GRID, rng=0
    )["posterior"]
    for name, truth in {
        "period": 10.5,
        "amplitude": 0.3,
        "phase": 2.0,
        "mu": 1.0,
    }.items():
        draws = post[name].to_numpy().ravel()
        low, high = np.quantile(draws, [0.0005, 0.9995])
        assert low <= truth <= high, name
    assert post["ace"].dims == ("chain", "draw", "contrast", "task")
    assert post["ace"].sizes["chain"] * post["ace"].sizes["draw"] == 4000


def test_the_same_seed_gives_the_same_draws_and_verdicts_read_them() -> None:
    one, two = (
        profile(table(np.random.default_rng(1)), along="spacing", n_draws=400, rng=3)
        for _ in range(2)
    )
    xr.testing.assert_identical(one["posterior"]["ace"], two["posterior"]["ace"])
    assert "period" not in one["posterior"]
    decisions = cg.decide(one, rope=(-0.1, 0.1))
    assert (decisions["verdict"] == "increases").all()


def test_a_profile_with_periods_is_decided_by_its_moments() -> None:
    found = profile(
        table(np.random.default_rng(1)),
        along="spacing",
        periods=GRID,
        n_draws=400,
        rng=3,
    )
    decisions = cg.decide(found, rope=(-0.1, 0.1))
    assert (decisions["verdict"] == "increases").all()
    np.testing.assert_array_equal(decisions["shrunken"], found["moments"]["mean"])
    np.testing.assert_array_equal(decisions["lfsr"], found["moments"]["lfsr"])


@pytest.mark.simulation
def test_every_task_has_its_own_curve() -> None:
    rng = np.random.default_rng(2)
    up, flat = table(rng), table(rng, amplitude=0.0)
    both = xr.concat(
        [cg.from_effects(t.effect, t.se) for t in (up, flat)], dim="task"
    ).assign_coords(task=["wave", "flat"], spacing=("contrast", AT))
    found = profile(both, along="spacing", periods=GRID, n_draws=400, rng=0)
    factor = found["moments"]["log_bayes_factor"]
    assert factor.sel(task="wave") > 10
    assert factor.sel(task="flat") < 1
    np.testing.assert_allclose(found["moments"]["period_probability"].sum("period"), 1)


def test_a_profile_keeps_the_errors_that_it_was_given() -> None:
    data = (
        table(np.random.default_rng(1)).iloc[::5].assign(se=np.linspace(0.05, 0.3, 10))
    )
    kept = profile(data, along="spacing", n_draws=400, rng=3)["constant_data"]["se"]
    np.testing.assert_allclose(kept.to_numpy().ravel(), data["se"])
