# Imports from the inside: a law whose numbers other methods compute as well.
"""The law of two scales against brute force and against another sampler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.two_scales import two_scales

_FOLDER = Path(__file__).parent / "reference" / "two_scales"
_BRUTE = json.loads((_FOLDER / "brute_force.json").read_text())["cases"]


def posterior_of(effect: np.ndarray, se: np.ndarray) -> Exact:
    return two_scales(effect, Noise(se**2))


@pytest.mark.parametrize("case", _BRUTE, ids=lambda case: case["name"])
def test_a_dozen_effects_are_those_of_brute_force(case: dict[str, Any]) -> None:
    known = {name: np.array(case[name]) for name in case if name != "name"}
    found, sd = posterior_of(known["effect"], known["se"]), known["sd"]
    assert np.abs((found.mean - known["mean"]) / sd).max() < 0.01
    assert np.abs(found.sd / sd - 1).max() < 0.01
    assert np.abs(found.lfsr - known["lfsr"]).max() < 0.004
    for probability, name in ((0.025, "lower"), (0.975, "upper")):
        limit = found.quantile(probability)
        assert np.abs((limit - known[name]) / sd).max() < 0.02, name
