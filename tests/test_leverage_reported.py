"""One unit that carries nearly all of the variance."""

from __future__ import annotations

import numpy as np
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
