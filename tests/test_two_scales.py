"""The law of two scales: against brute force, its limits, and what it promises at truths of many kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp, ndtr

import causalgia as cg
from causalgia.errors import InferenceError
from causalgia.posterior import two_scales_hyper
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import fixed_effects_design
from causalgia.posterior.factor_scores import LinearPart, linear_part
from causalgia.posterior.lattice import Lattice, bin_estimates, build_lattice
from causalgia.posterior.two_scales import two_scales
from causalgia.posterior.two_scales_hyper import TwoScaleModel, log_prior
from causalgia.prior import Prior


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


@pytest.mark.parametrize("size", [60, 100, 400, 3_000])
def test_many_large_effects_do_not_hide_the_small_ones(size: int) -> None:
    """Given scales the density has a mode about the mean of all effects too; most of them lie about the median."""
    rng = np.random.default_rng(size)
    truth = np.where(np.arange(size) < size / 6, 50.0, rng.normal(0, 0.5, size))
    law = two_scales(truth + rng.normal(size=size), Noise(np.ones(size))).draw(4_000, rng).law
    assert abs(np.median(law["share_narrow"]) - 5 / 6) < 0.1
    assert np.median(law["tau_narrow"]) < 1.5
    assert abs(np.median(law["tau_wide"]) / 50 - 1) < 0.3


def law_of_log_density(effect: np.ndarray, noise: np.ndarray) -> float:
    """Return the log evidence of two scales by a sum over a fine lattice of (mu, tau1, tau2, share)."""
    mu = np.median(effect) + np.linspace(-1.5, 1.5, 31)
    t1, gap, w = np.geomspace(0.02, 5, 30), np.geomspace(5, 400, 40), (np.arange(40) + 0.5) / 40
    total = []
    for narrow in t1:
        wide = 2 * narrow + gap
        first = np.exp(-0.5 * (effect - mu[:, None]) ** 2 / (noise + narrow**2)) / np.sqrt(noise + narrow**2)
        scale = noise + wide[:, None, None] ** 2
        second = np.exp(-0.5 * (effect - mu[:, None]) ** 2 / scale) / np.sqrt(scale)
        rows = w[:, None, None, None] * first + (1 - w)[:, None, None, None] * second
        height = np.log(rows + 1e-300).sum(axis=-1)
        prior = log_prior(np.full(len(wide), narrow), wide, one=False) + np.log(narrow * gap)
        total.append(height + prior[None, :, None])
    cell = (mu[1] - mu[0]) * np.log(t1[1] / t1[0]) * np.log(gap[1] / gap[0]) / len(w)
    return float(logsumexp(total) + np.log(cell) - 0.5 * len(effect) * np.log(2 * np.pi))


def test_the_evidence_is_that_of_a_sum_where_a_sixth_is_large() -> None:
    rng = np.random.default_rng(8)
    effect = np.where(np.arange(30) < 5, 50.0, rng.normal(0, 0.5, 30)) + rng.normal(size=30)
    assert two_scales(effect, Noise(np.ones(30))).log_evidence == pytest.approx(
        law_of_log_density(effect, np.ones(30)), abs=0.25
    )


@pytest.mark.parametrize("alike", [True, False])
def test_points_of_a_lattice_stand_for_thousands_of_effects(alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    noise = np.ones(4_000) if alike else rng.uniform(0.5, 1.5, 4_000) ** 2
    truth = np.where(rng.random(4_000) < 0.1, rng.normal(0, 4, 4_000), rng.normal(0, 0.3, 4_000))
    effect = truth + np.sqrt(noise) * rng.normal(size=4_000)
    lattice = build_lattice(effect, noise)
    assert lattice is not None
    np.testing.assert_allclose(lattice.read(np.log1p(lattice.effect**2)), np.log1p(effect**2), atol=2e-3)
    monkeypatch.setattr("causalgia.posterior.two_scales._WORK", 10**12)
    quick = two_scales(effect, Noise(noise))
    monkeypatch.setattr("causalgia.posterior.two_scales.build_lattice", lambda *_: None)
    slow = two_scales(effect, Noise(noise))
    assert np.abs((quick.mean - slow.mean) / slow.sd).max() < 1e-3
    np.testing.assert_allclose(quick.sd, slow.sd, rtol=1e-3)
    np.testing.assert_allclose(quick.lfsr, slow.lfsr, atol=1e-3)
    np.testing.assert_allclose(quick.shrinkage, slow.shrinkage, atol=1e-3)
    assert quick.log_evidence == pytest.approx(slow.log_evidence, abs=0.02)


@pytest.mark.parametrize("alike", [True, False])
def test_the_law_of_thousands_of_effects_takes_few_densities(alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(10_000)
    noise = np.full(10_000, 0.09) if alike else rng.uniform(0.1, 0.6, 10_000) ** 2
    wide = rng.random(10_000) < 0.01
    effect = 0.3 + np.where(wide, 2, 0.5) * rng.normal(size=10_000) + np.sqrt(noise) * rng.normal(size=10_000)
    work, inner = [], two_scales_hyper._integrate_share_kernel

    def counted(*given: Any) -> None:
        work.append(len(given[0]) * len(given[5]) * len(given[7]))  # rows, points of the scales and of the share
        inner(*given)

    monkeypatch.setattr(two_scales_hyper, "_integrate_share_kernel", counted)
    two_scales(effect, Noise(noise))
    assert sum(work) < (1e6 if alike else 4e6)  # 4.2e6 and 72e6 where every point of the scales had nine of the share


def test_moments_are_read_well_where_most_effects_are_far_from_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points of a lattice lie far apart there, and on them the probability of a sign jumps."""
    rng = np.random.default_rng(11)
    noise = np.exp(rng.uniform(np.log(0.3), np.log(3), 4_000)) ** 2
    effect = rng.exponential(4, 4_000) + np.sqrt(noise) * rng.normal(size=4_000)
    monkeypatch.setattr("causalgia.posterior.two_scales._WORK", 10**12)
    quick, read = two_scales(effect, Noise(noise)), []
    monkeypatch.setattr(Lattice, "read", lambda *given: read.append(given))
    monkeypatch.setattr("causalgia.posterior.two_scales.build_lattice", lambda *_: None)
    slow = two_scales(effect, Noise(noise))
    assert not read
    np.testing.assert_allclose(quick.lfsr, slow.lfsr, atol=5e-4)
    assert np.abs((quick.mean - slow.mean) / slow.sd).max() < 2e-3


@pytest.mark.parametrize("one", [False, True])
def test_slopes_are_those_of_the_log_density_of_the_scales(one: bool) -> None:
    rng = np.random.default_rng(2)
    effect = np.where(np.arange(60) % 5 == 0, rng.normal(0, 6, 60), rng.normal(0, 0.5, 60)) + rng.normal(size=60)
    center = fixed_effects_design(60, None, Prior(mu_sd=np.inf))
    model = TwoScaleModel(effect, np.ones(60), linear_part(center, Noise(np.ones(60))), np.ones(60))
    points = np.array([[-0.5, 0.3], [0.4, 0.8], [0.9, -0.6], [-1.0, 1.4]])[:, : 1 if one else 2]

    def height(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.zeros(1) if one else two_scales_hyper.X
        found = two_scales_hyper.integrate_share(model, points, np.zeros((len(points), 2)), x, one=one)
        return two_scales_hyper._scales_log_density(found, points, one=one)

    slope = height(points)[1]
    for axis, step in enumerate(1e-3 * np.eye(points.shape[1])):
        by_differences = (height(points + step)[0] - height(points - step)[0]) / 2e-3
        np.testing.assert_allclose(slope[:, axis], by_differences, rtol=0.05, atol=1)  # Laplace's factor is left out


def test_bins_in_another_unit_are_in_that_unit() -> None:
    rng = np.random.default_rng(4)
    noise = rng.uniform(0.5, 1.5, 600) ** 2
    effect = rng.normal(0, 3, 600) + np.sqrt(noise) * rng.normal(size=600)
    (mean, variance, count), other = bin_estimates(effect, noise), bin_estimates(8 * effect, 64 * noise)
    np.testing.assert_allclose(other, [8 * mean, 64 * variance, count], rtol=1e-12)
    assert count.sum() == 600
    assert count @ mean == pytest.approx(effect.sum())


def test_few_effects_are_not_put_on_a_lattice() -> None:
    assert build_lattice(np.arange(30.0), np.ones(30)) is None


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
        assert ("too few to estimate their distribution" in attrs.get("notes", "")) == (1 < size < 30)
        moments = posterior["moments"]
        width = (moments["upper_unshrunken"] - moments["lower_unshrunken"]).values
        np.testing.assert_allclose(width, 2 * 1.959964 * 0.5, rtol=1e-6)


def test_one_effect_is_its_unshrunken_answer() -> None:
    posterior = cg.infer(cg.from_effects([3.0], [0.5]), rng=0)
    assert posterior["moments"]["mean"].item() == pytest.approx(3.0, abs=1e-6)
    assert posterior["moments"]["sd"].item() == pytest.approx(0.5, rel=2e-3)
    assert "is not shrunken" in posterior["posterior"].attrs["notes"]


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


@pytest.mark.parametrize("unit", [-1.0, 0.0, np.nan])
def test_a_unit_that_is_none_is_refused(unit: float) -> None:
    with pytest.raises(InferenceError, match="is not a positive number"):
        two_scales(np.ones(30), Noise(np.ones(30)), unit=unit)
    with pytest.raises(InferenceError, match="effects of shape .* and noise of"):
        two_scales(np.ones(3), Noise(np.ones(4)))


def test_nodes_and_draws_have_one_center() -> None:
    """The sd of mu by its nodes, spread and sd within each together, is that of its draws, in any unit."""
    rng = np.random.default_rng(4)
    effect = 20 * (np.where(rng.random(60) < 0.2, rng.normal(0, 6, 60), rng.normal(0, 0.4, 60)) + rng.normal(size=60))
    answer = two_scales(effect, Noise(np.full(60, 400.0)))
    mu, sd, w = answer.nodes.coefficients[:, 0], answer.nodes.coefficients_sd[:, 0], answer.nodes.weight
    mean = w @ mu
    draws = answer.draw(20_000, rng).mu
    assert draws.mean() == pytest.approx(mean, abs=4 * draws.std() / np.sqrt(20_000))
    assert draws.std() == pytest.approx(np.sqrt(w @ (sd**2 + (mu - mean) ** 2)), rel=0.03)


def test_probabilities_below_any_number_are_shares_of_draws() -> None:
    rng = np.random.default_rng(5)
    effect = 20 * np.array([-0.3, 0.2, 0.5, 0.1, 8.0, -2.0])
    answer = two_scales(effect, Noise(np.full(6, 400.0)))
    draws = answer.draw(20_000, rng).ace
    for x in (np.full(6, -10.0), np.full(6, 15.0), effect):
        np.testing.assert_allclose(answer.below(x), (draws <= x).mean(axis=0), atol=4.5 * 0.5 / np.sqrt(20_000))


def test_a_smaller_model_with_covariates_has_effects_evenly_spaced_by_rank() -> None:
    rng = np.random.default_rng(2)
    effect, columns = rng.normal(size=1_000), np.column_stack([np.ones(1_000), rng.normal(size=1_000)])
    shared = LinearPart(columns, np.array([0.0, 1.0]), 2)
    fewer = TwoScaleModel(effect, 1 + effect**2, shared, np.ones(1_000)).fewer()
    assert len(fewer.effect) == 500
    assert (np.diff(fewer.effect) > 0).all()
    assert (fewer.effect[0], fewer.effect[-1]) == (effect.min(), effect.max())
    np.testing.assert_array_equal(fewer.noise, 1 + fewer.effect**2)
    rows = [int(np.flatnonzero(effect == e)[0]) for e in fewer.effect]
    np.testing.assert_array_equal(fewer.shared.columns, columns[rows])
    assert np.diff(np.searchsorted(np.sort(effect), fewer.effect)).max() <= 3


def test_the_evidence_in_another_unit_is_that_of_a_flat_center() -> None:
    """Each of K estimates has a density, and the flat mu takes one of the K units back."""
    effect = np.array([-0.3, 0.2, 0.5, 0.1, 8.0])
    here, there = (two_scales(size * effect, Noise(np.full(5, size**2))).log_evidence for size in (1.0, 32.0))
    assert there - here == pytest.approx(-4 * np.log(32), abs=1e-6)
