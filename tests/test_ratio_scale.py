# Imports from the inside: the p of one side, against Fieller.
"""What follows `estimate` takes ratios as it does: on their logarithm, or by Fieller
where a mean is unclear.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.estimation.effect_intervals import one_sided_p


def clear(scale: Any) -> xr.Dataset:
    """Parallel arms of 12: means well away from 0, ratios of .03 to .2, where se/ace is
    large and se small.
    """
    rng = np.random.default_rng(3)
    control, x = np.exp(rng.normal(size=12)) + 40, 1 + rng.gamma(30, size=12) / 10
    frame = pd.concat(
        pd.DataFrame({"unit": np.arange(12), "arm": a, "y": y})
        for a, y in (
            ("c", control),
            ("x", x),
            ("y", x[::-1] * 1.2 + 1),
            ("z", control[::-1] * 1.01),
        )
    )
    return cg.contrast(
        cg.from_frame(frame, outcome="y", arm="arm", unit="unit"),
        control="c",
        scale=scale,
    )


def unclear(offset: float = 1.6, n: int = 30) -> xr.Dataset:
    """Arms in the same units whose control lies some 3 to 6 standard errors from 0."""
    rng = np.random.default_rng(6)
    y = rng.normal(offset, 2, size=n)
    y = np.stack(
        [y, 3 + 0.5 * y + rng.normal(size=n), 0.9 * y + rng.normal(0, 0.1, size=n)],
        axis=1,
    )
    coords = {"unit": np.arange(n), "arm": ["c", "up", "same"], "task": ["y"]}
    return cg.contrast(
        xr.Dataset({"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords),
        control="c",
        scale="ratio",
    )


def test_verdicts_on_ratios_are_those_on_their_logarithms() -> None:
    ratio, log = (cg.estimate(clear(scale)) for scale in ("ratio", "log_of_means"))
    rope = (0.8, 1.25)
    mine, theirs = (
        cg.decide(ratio, rope=rope),
        cg.decide(log, rope=(np.log(0.8), np.log(1.25))),
    )
    for name in ("p", "p_verdict", "q"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(mine["lower"], np.exp(theirs["lower"]), rtol=1e-9)
    np.testing.assert_array_equal(mine["verdict"], theirs["verdict"])
    assert set(mine["verdict"].to_numpy().ravel()) == {"decreases", "negligible"}


def test_bands_of_ratios_are_those_of_their_logarithms() -> None:
    rng = np.random.default_rng(0)
    y = np.array([50.0, 2.0, 2.4, 50.5]) * rng.gamma(25, 1 / 25, size=(12, 4))
    coords = {"unit": np.arange(12), "arm": ["c", "x", "y", "z"], "task": ["y"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords)
    ratio, log = (
        cg.contrast(outcomes, control="c", scale=scale)
        for scale in ("ratio", "log_of_means")
    )
    mine, theirs = (cg.multiplicity.simultaneous(x) for x in (ratio, log))
    np.testing.assert_allclose(mine["upper"], np.exp(theirs["upper"]), rtol=1e-8)
    assert (mine["lower"] > 0).all()


def test_dunnett_of_parallel_ratios_is_that_of_their_logarithms() -> None:
    ratio, log = (
        cg.multiplicity.simultaneous(cg.estimate(clear(s)), method="dunnett", rng=0)
        for s in ("ratio", "log_of_means")
    )
    np.testing.assert_allclose(ratio["lower"], np.exp(log["lower"]), rtol=1e-8)


@pytest.mark.parametrize("end", [0.7, 1.3, 2.5])
def test_an_unclear_ratio_is_tested_as_fieller_does(end: float) -> None:
    effects = unclear()
    rope = (end, 2.0) if end < 1 else (0.5, end)
    estimates = cg.estimate(effects)
    found, at = estimates.sel(contrast="same").squeeze(), ("up", "same").index("same")
    p = one_sided_p(estimates, *rope)
    raw = effects["ice"].sel(contrast="same").to_numpy()[:, 0]
    divisor = effects["denominator"].sel(contrast="same").to_numpy()[:, 0]
    # ice is the ratio plus (numerator - ratio denominator) / mean denominator, so this
    # is numerator - end denominator
    away = (
        raw
        + (found["ace"].item() - end) * divisor / divisor.mean()
        - found["ace"].item()
    )
    side, tail = (p.not_below, "greater") if end < 1 else (p.not_above, "less")
    np.testing.assert_allclose(
        side[at], stats.ttest_1samp(away, 0, alternative=tail).pvalue, rtol=1e-6
    )


def test_a_band_of_unclear_ratios_is_fieller_s_at_its_critical_value() -> None:
    effects = unclear()
    ratio = cg.multiplicity.simultaneous(effects, rng=0)
    each = cg.estimate(effects)
    raw = effects["ice"].to_numpy()[..., 0]
    below = effects["denominator"].to_numpy()[..., 0]
    for k in range(2):
        ace, critical = each["ace"].values[k, 0], ratio["critical"].values[k, 0]
        assert critical > stats.t.ppf(0.975, 29)
        for name in ("lower", "upper"):
            x = ratio[name].values[k, 0] / ace
            away = raw[:, k] / ace - 1 + (1 - x) * below[:, k]
            t = stats.ttest_1samp(away, 0).statistic
            np.testing.assert_allclose(abs(t), critical, rtol=1e-6)
