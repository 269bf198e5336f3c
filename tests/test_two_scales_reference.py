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
_SAMPLED = json.loads((_FOLDER / "sampler.json").read_text())["cases"]


def sampled_table(k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The data of reference/two_scales/sampler.py."""
    rng = np.random.default_rng(seed)
    se = np.exp(rng.normal(np.log(0.4), 0.4, k))
    truth = 0.1 + np.where(rng.random(k) < 0.1, 1.5, 0.2) * rng.standard_normal(k)
    return truth + se * rng.standard_normal(k), se


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


@pytest.mark.parametrize("case", _SAMPLED, ids=lambda case: case["name"])
def test_thousands_of_effects_are_those_of_a_sampler(case: dict[str, Any]) -> None:
    effect, se = sampled_table(case["k"], case["seed"])
    kept = np.array(case["kept"])
    np.testing.assert_allclose(effect[kept], case["effect"], rtol=1e-12)
    found, sd = posterior_of(effect, se), np.array(case["sd"])
    assert case["error"] < 0.003  # of the sampler itself, in sd
    assert np.abs((found.mean[kept] - case["mean"]) / sd).max() < 0.01
    assert np.abs(found.sd[kept] / sd - 1).max() < 0.01
    assert np.abs(found.lfsr[kept] - case["lfsr"]).max() < 0.004
    center = found.nodes.weight @ found.nodes.coefficients[:, 0]
    mean, spread = case["law"]["mu"]
    assert abs(center - mean) < 0.1 * spread


@pytest.mark.parametrize(
    ("wide", "precise", "mean"),
    [
        (0.2, 0.001, 0.787),
        (0.25, 0.001, 0.741),
        (0.3, 0.01, 0.630),
        (0.3, 0.001, 0.629),
        (0.35, 0.01, 0.441),
    ],
)
def test_effects_beside_others_that_are_far_more_precise(
    wide: float, precise: float, mean: float
) -> None:
    """Of brute force over a grid: the center lies at the precise effects, in a mode far
    narrower than the distance of the others.
    """
    effect = np.r_[np.random.default_rng(2).normal(0.8, 0.2, 12), np.zeros(12)]
    found = posterior_of(effect, np.r_[np.full(12, wide), np.full(12, precise)])
    assert found.mean[0] == pytest.approx(mean, abs=0.002)
