"""The law of two scales: against brute force, its limits, and what it promises at truths of many kinds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

import causalgia as cg
from causalgia.errors import InferenceError
from causalgia.posterior.noise import Noise
from causalgia.posterior.two_scales import two_scales
from causalgia.posterior.two_scales_hyper import log_prior


def by_brute_force(effect: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Posterior mean, sd and P(< 0) by a sum over a grid of (mu, tau1, tau2, share); the median se is 1."""
    mu = np.linspace(-12, 14, 53)
    t1, excess, w = np.geomspace(0.02, 40, 34), np.geomspace(0.02, 300, 34), (np.arange(16) + 0.5) / 16
    total, first, second, below = 0.0, 0.0, 0.0, 0.0
    for one in (False, True):
        narrow, gap = np.meshgrid(t1, excess[:1] if one else excess, indexing="ij")
        narrow, wide = narrow.ravel(), (narrow + 0 if one else 2 * narrow + gap).ravel()
        density = np.exp(log_prior(narrow, wide, one=one)) * narrow * (1 if one else gap.ravel())
        density *= np.log(t1[1] / t1[0]) * (1 if one else np.log(excess[1] / excess[0]))
        for share in np.ones(1) if one else w:
            scales = np.stack([narrow, wide])[:, :, None, None] ** 2
            away = effect - mu[:, None]
            height = np.exp(-0.5 * away**2 / (noise + scales)) / np.sqrt(noise + scales)
            height *= np.array([share, 1 - share])[:, None, None, None]
            both = height.sum(axis=0)
            weight = density[:, None] * both.prod(axis=2) / (1 if one else len(w))
            part = height / both * weight[None, :, :, None]
            kept = scales / (scales + noise)
            mean, variance = mu[:, None] + kept * away, kept * noise
            total += weight.sum()
            first += (part * mean).sum(axis=(0, 1, 2))
            second += (part * (mean**2 + variance)).sum(axis=(0, 1, 2))
            below += (part * ndtr(-mean / np.sqrt(variance))).sum(axis=(0, 1, 2))
    mean = first / total
    return mean, np.sqrt(second / total - mean**2), below / total


@pytest.mark.parametrize(
    "effect", [[-0.3, 0.2, 0.5, 0.1, 8.0], [0.1, -0.2, 0.3, 0.0, 0.4], [-3.0, 3.0, 2.5, -2.0, 1.0, 0.0]]
)
def test_it_is_what_a_sum_over_a_grid_is(effect: list[float]) -> None:
    noise = np.ones(len(effect))
    mean, sd, below = by_brute_force(np.array(effect), noise)
    found = two_scales(np.array(effect), Noise(noise))
    np.testing.assert_allclose(found.mean, mean, atol=0.04)
    np.testing.assert_allclose(found.sd, sd, rtol=0.04)
    np.testing.assert_allclose(found.lfsr, np.minimum(below, 1 - below), atol=0.015)


def test_draws_agree_with_the_moments() -> None:
    rng = np.random.default_rng(0)
    effect = np.r_[rng.normal(0, 1.1, 50), 9.0, -12.0]
    found = two_scales(effect, Noise(np.full(52, 0.8)))
    draws = found.draw(40_000, rng)
    np.testing.assert_allclose(draws.ace.mean(axis=0), found.mean, atol=0.04)
    np.testing.assert_allclose(draws.ace.std(axis=0), found.sd, rtol=0.05)
    assert set(draws.law) == {"tau_narrow", "tau_wide", "share_narrow"}
    assert (draws.law["tau_wide"] >= 2 * draws.law["tau_narrow"] - 1e-9).mean() > 0.5
    assert (found.lfdr == 0).all()


def test_another_unit_and_another_place_change_nothing_else() -> None:
    effect, noise = np.random.default_rng(1).normal(0, 2, 40), np.full(40, 0.5)
    one = two_scales(effect, Noise(noise))
    other = two_scales(-100 * effect + 7, Noise(100**2 * noise))
    np.testing.assert_allclose(other.mean, -100 * one.mean + 7, atol=2.0)
    np.testing.assert_allclose(other.sd, 100 * one.sd, rtol=0.02)


def test_which_law_is_the_default() -> None:
    rng = np.random.default_rng(2)
    for size, law in ((2, "normal"), (29, "normal"), (30, "two_scales"), (1, "two_scales")):
        posterior = cg.infer(cg.from_effects(rng.normal(0, 1, size), np.full(size, 0.5)), rng=0)
        attrs = posterior["posterior"].attrs
        assert attrs["law"] == law
        assert ("cannot show the law" in attrs.get("notes", "")) == (1 < size < 30)
        moments = posterior["moments"]
        width = (moments["upper_unshrunken"] - moments["lower_unshrunken"]).values
        np.testing.assert_allclose(width, 2 * 1.959964 * 0.5, rtol=1e-6)


def test_one_effect_is_its_unshrunken_answer() -> None:
    posterior = cg.infer(cg.from_effects([3.0], [0.5]), rng=0)
    assert posterior["moments"]["mean"].item() == pytest.approx(3.0, abs=1e-6)
    assert posterior["moments"]["sd"].item() == pytest.approx(0.5, rel=2e-3)
    assert "unshrunken answer" in posterior["posterior"].attrs["notes"]


def test_no_interval_has_zero_width() -> None:
    rng = np.random.default_rng(3)
    estimates = cg.from_effects(np.r_[rng.normal(0, 0.5, 60), 5.0], np.full(61, 0.5))
    for law in ("auto", "spike_and_slab"):
        decisions = cg.decide(cg.infer(estimates, law=law, rng=0), rope=(-0.5, 0.5))
        assert (decisions["upper"] > decisions["lower"]).all()


def test_two_scales_have_one_engine() -> None:
    estimates = cg.from_effects(np.arange(30.0), np.ones(30))
    with pytest.raises(InferenceError, match="has the exact engine alone"):
        cg.infer(estimates, law="two_scales", engine="nuts", rng=0)


TRUTHS = {
    "N(0, .5)": lambda rng, k: rng.normal(0, 0.5, k),
    "N(0, 2)": lambda rng, k: rng.normal(0, 2, k),
    "a sixth at 50": lambda rng, k: np.where(np.arange(k) < k / 6, 50.0, rng.normal(0, 0.5, k)),
    "10 % wide": lambda rng, k: np.where(rng.random(k) < 0.1, rng.normal(0, 4, k), rng.normal(0, 0.3, k)),
    "sparse": lambda rng, k: np.where(rng.random(k) < 0.05, rng.normal(0, 5, k), 0.0),
    "one-sided": lambda rng, k: rng.exponential(2, k),
}


@pytest.mark.long
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize(("size", "n_trials"), [(30, 80), (100, 30)])
def test_intervals_and_negligibles_hold_at_truths_of_many_kinds(truth: str, size: int, n_trials: int) -> None:
    rng, covered, wrong = np.random.default_rng(len(truth) + size), [], []
    for _ in range(n_trials):
        true = TRUTHS[truth](rng, size)
        draws = two_scales(true + rng.normal(size=size), Noise(np.ones(size))).draw(1_000, rng).ace
        lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
        covered.append(((lower <= true) & (true <= upper)).mean())
        negligible = (np.abs(draws) < 1).mean(axis=0) >= 0.95
        wrong.append((negligible & (np.abs(true) >= 1)).sum() / max(negligible.sum(), 1))
    error = np.std(covered) / np.sqrt(n_trials)
    assert np.mean(covered) > 0.85 - 4 * error
    assert np.mean(wrong) < 0.05 + 4 * np.std(wrong) / np.sqrt(n_trials)
