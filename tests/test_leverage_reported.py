"""One unit that carries nearly all of the variance, and skewed rows among many."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import causalgia as cg


def test_an_effect_that_one_unit_carries_is_undecided() -> None:
    ice = np.random.default_rng(0).normal(0.0, 0.01, size=(100, 2, 1))
    ice[0, 0] += 5.0
    coords = {"contrast": ["carried", "none"], "task": ["K562"]}
    whole = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)
    found = cg.decide(whole, rope=(-0.02, 0.02))
    assert found["verdict"].values.ravel().tolist() == ["undecided", "negligible"]
    assert cg.estimate(whole)["leverage"].values[0, 0] > 0.98


@pytest.mark.simulation
def test_skewed_rows_of_a_long_table_take_more_units() -> None:
    """Of 1,000 verdicts the first is decided further in the tail than of 10."""
    rng = np.random.default_rng(1)
    ice = rng.normal(0.0, 1.0, size=(60, 1_000, 1))
    ice[:, 0, 0] = rng.lognormal(size=60)
    coords = {"contrast": [f"c{i}" for i in range(1_000)], "task": ["K562"]}
    whole = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)

    def enough(table: xr.Dataset) -> int:
        text = " ".join(str(cg.report(table, notes=True)).split())
        return int(text.split("(about ")[1].split(" would")[0].replace(",", ""))

    few = whole.isel(contrast=slice(0, 10))
    long, short = (enough(cg.decide(one, rope=(-0.1, 0.1))) for one in (whole, few))
    assert long == pytest.approx(1.58 * short, rel=0.02)
