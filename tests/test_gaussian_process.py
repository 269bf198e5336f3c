"""Imports gaussian_process from the inside: proofs of the kernel alone.

The exact Gaussian process: against a dense integral of its definition, its own
draws, and data drawn from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from causalgia.calibration.binomial_bands import rank_row
from causalgia.posterior._profile import gaussian_process, matern52
from causalgia.posterior.error_covariance import Noise


def half_normal(s: np.ndarray) -> np.ndarray:
    return -0.5 * s**2


def profile_of(rng: np.random.Generator, x: np.ndarray, **given: float) -> np.ndarray:
    trend = rng.normal(size=2) * given["mu_sd"]
    line = trend[0] + trend[1] * (x - (x.max() + x.min()) / 2) / np.ptp(x)
    smooth = rng.multivariate_normal(
        np.zeros(len(x)), given["sd"] ** 2 * matern52(x, given["length"])
    )
    turn = 2 * np.pi * x / given["period"]
    a, b = rng.normal(size=2) * given["amplitude"]
    return line + smooth + a * np.cos(turn) + b * np.sin(turn)


def dense(
    effect: np.ndarray, noise: Noise, x: np.ndarray, mu_sd: float
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and sd without a period, by a fine grid over sd and length and the
    joint normal density.
    """
    sigma = np.diag(noise.variances) + (
        0 if noise.loadings is None else noise.loadings @ noise.loadings.T
    )
    middle = (x.max() + x.min()) / 2
    T = np.stack([np.ones_like(x), (x - middle) / np.ptp(x)], axis=1)
    logs, means, squares = [], [], []
    for log_s in np.linspace(np.log(1e-4), np.log(8), 160):
        for length in np.geomspace(np.diff(x).min(), 2 * np.ptp(x), 12):
            prior = np.exp(2 * log_s) * matern52(x, length) + mu_sd**2 * T @ T.T
            C = prior + sigma
            logs.append(
                stats.multivariate_normal.logpdf(effect, cov=C)
                + half_normal(np.exp(log_s))
                + log_s
            )
            means.append(prior @ np.linalg.solve(C, effect))
            squares.append(
                np.diagonal(prior - prior @ np.linalg.solve(C, prior)) + means[-1] ** 2
            )
    w = special.softmax(np.array(logs))
    mean = w @ np.array(means)
    return mean, np.sqrt(w @ np.array(squares) - mean**2)


def test_a_whole_covariance_is_that_of_its_factors() -> None:
    rng = np.random.default_rng(1)
    x, effect, loadings = (
        np.arange(6.0),
        rng.normal(size=6),
        rng.normal(size=(6, 1)) * 0.3,
    )
    whole = np.diag(np.full(6, 0.09)) + loadings @ loadings.T
    noises = (
        Noise(np.full(6, 0.09), loadings),
        Noise(np.diag(whole).copy(), whole=whole),
    )
    factors, dense_one = (
        gaussian_process(effect, noise, x, log_prior=half_normal, mu_sd=2.0)
        for noise in noises
    )
    for name in ("mean", "sd", "lfsr"):
        np.testing.assert_allclose(
            getattr(dense_one, name), getattr(factors, name), rtol=1e-9, err_msg=name
        )


@pytest.mark.parametrize("low_rank", [False, True])
def test_moments_are_those_of_the_definition(low_rank: bool) -> None:
    rng = np.random.default_rng(1)
    x = np.array([0.0, 1.0, 2.5, 4.0, 7.0, 8.0])
    noise = Noise(np.full(6, 0.09), rng.normal(size=(6, 1)) * 0.3 if low_rank else None)
    effect = rng.normal(size=6)
    profile = gaussian_process(effect, noise, x, log_prior=half_normal, mu_sd=2.0)
    mean, sd = dense(effect, noise, x, 2.0)
    np.testing.assert_allclose(profile.mean, mean, atol=0.01 * sd.max())
    np.testing.assert_allclose(profile.sd, sd, rtol=0.01)


@pytest.mark.parametrize("periods", [None, [9.0, 10.0, 10.5, 11.0]])
def test_draws_have_the_moments(periods: list[float] | None) -> None:
    rng = np.random.default_rng(2)
    x = np.arange(30.0)
    effect = profile_of(
        rng, x, mu_sd=1, sd=0.3, length=5, amplitude=0.3, period=10.5
    ) + 0.2 * rng.normal(size=30)
    profile = gaussian_process(
        effect, Noise(np.full(30, 0.04)), x, log_prior=half_normal, periods=periods
    )
    draws = profile.sample(4000, np.random.default_rng(3))
    mcse = profile.sd / np.sqrt(4000)
    assert np.abs((draws.ace.mean(axis=0) - profile.mean) / mcse).max() < 4.2
    np.testing.assert_allclose(draws.ace.std(axis=0), profile.sd, rtol=0.08)
    below = (draws.ace < 0).mean(axis=0)
    np.testing.assert_allclose(np.minimum(below, 1 - below), profile.lfsr, atol=0.04)
    if periods:
        np.testing.assert_allclose(
            [(draws.period == p).mean() for p in periods],
            profile.period_probability,
            atol=0.04,
        )
    else:
        assert not draws.period.any()
        assert profile.log_evidence == profile.log_evidence_without_period


def test_the_period_is_found_and_its_evidence_counted() -> None:
    rng = np.random.default_rng(4)
    x, grid = np.arange(11.0, 61.0), np.arange(9.0, 12.01, 0.1)
    smooth = 0.8 * np.exp(-x / 40)
    noise = Noise(np.full(50, 0.05**2))
    with_wave = (
        smooth + 0.15 * np.cos(2 * np.pi * (x - 2) / 10.4) + 0.05 * rng.normal(size=50)
    )
    found = gaussian_process(with_wave, noise, x, log_prior=half_normal, periods=grid)
    mean = found.periods @ found.period_probability
    sd = np.sqrt((found.periods - mean) ** 2 @ found.period_probability)
    assert abs(mean - 10.4) < 4 * sd
    assert sd < 0.2
    assert found.log_evidence - found.log_evidence_without_period > 10
    without = gaussian_process(
        smooth + 0.05 * rng.normal(size=50),
        noise,
        x,
        log_prior=half_normal,
        periods=grid,
    )
    assert without.log_evidence - without.log_evidence_without_period < 1


@pytest.mark.simulation
def test_ranks_of_what_was_drawn_from_it_are_uniform() -> None:
    rng, x, grid = np.random.default_rng(5), np.arange(8.0) * 2, np.array([5.0, 7.0])
    lengths = np.geomspace(2.0, 2 * np.ptp(x), 12)
    ranks = []
    for _ in range(60):
        sd, amplitude = np.abs(rng.normal(size=2))
        given = {"mu_sd": 1.0, "sd": sd, "amplitude": amplitude}
        truth = profile_of(
            rng, x, **given, length=rng.choice(lengths), period=rng.choice(grid)
        )
        effect = truth + 0.3 * rng.normal(size=8)
        profile = gaussian_process(
            effect,
            Noise(np.full(8, 0.09)),
            x,
            log_prior=half_normal,
            mu_sd=1.0,
            periods=grid,
        )
        draws = profile.sample(99, rng)
        ranks.append((draws.ace < truth).sum(axis=0)[[0, 4]])
    for k, each in enumerate(np.array(ranks).T):
        assert rank_row(f"point {k}", each, 99).passes(1e-4)


@pytest.mark.parametrize("unit", [100.0, 0.01])
def test_effects_in_another_unit_have_the_same_profile(unit: float) -> None:
    """Estimates, errors and priors in hundredths: what is found is in hundredths too,
    and densities are a factor.
    """
    rng = np.random.default_rng(0)
    x = np.array([0.0, 1.0, 2.5, 4.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 15.0])
    effect, noise = (
        np.cos(2 * np.pi * x / 10) + 0.3 * rng.normal(size=12),
        np.full(12, 0.04),
    )
    grid = [8.0, 10.0, 12.0]
    here = gaussian_process(
        effect, Noise(noise), x, log_prior=lambda s: -s, mu_sd=2.0, periods=grid
    )
    there = gaussian_process(
        unit * effect,
        Noise(unit**2 * noise),
        x,
        log_prior=lambda s: -s / unit - np.log(unit),
        mu_sd=2.0 * unit,
        periods=grid,
    )
    for name in ("mean", "sd"):
        np.testing.assert_allclose(
            getattr(there, name) / unit, getattr(here, name), rtol=1e-9
        )
    for name in ("lfsr", "period_probability"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=1e-9)
    for name in ("log_evidence", "log_evidence_without_period"):
        assert getattr(there, name) + 12 * np.log(unit) == pytest.approx(
            getattr(here, name), abs=1e-9
        )


def test_the_evidence_is_that_of_curves_drawn_from_the_prior() -> None:
    """Of six effects, by 4,000 draws of the sd of the smooth part and of its length
    scale.
    """
    rng = np.random.default_rng(0)
    x, effect, noise = (
        np.arange(6.0),
        np.array([0.3, 0.8, 0.1, -0.4, -0.2, 0.5]),
        Noise(np.full(6, 0.2)),
    )
    found = gaussian_process(effect, noise, x, log_prior=lambda s: -s, mu_sd=1.0)
    sd, length = (
        rng.exponential(size=4_000),
        np.exp(rng.uniform(0, np.log(10.0), 4_000)),
    )
    r = np.sqrt(5) * np.abs(np.subtract.outer(x, x)) / length[:, None, None]
    smooth = sd[:, None, None] ** 2 * (1 + r + r**2 / 3) * np.exp(-r)
    rise = (x - x.mean()) / np.ptp(x)
    whole = smooth + 0.2 * np.eye(6) + 1 + np.outer(rise, rise)
    square = np.einsum("i,nij,j->n", effect, np.linalg.inv(whole), effect)
    # up to (2 pi)^3, as it is given
    density = np.exp(-square / 2) / np.sqrt(np.linalg.det(whole))
    assert found.log_evidence == pytest.approx(np.log(density.mean()), abs=0.1)
    assert found.log_evidence_without_period == pytest.approx(found.log_evidence)


@pytest.mark.parametrize("k", range(4))
def test_draws_at_one_sd_and_length_have_the_moments_there(k: int) -> None:
    rng = np.random.default_rng(3)
    x = np.arange(12.0)
    effect = np.sin(x / 3) + 0.2 * rng.normal(size=12)
    nodes = gaussian_process(
        effect, Noise(np.full(12, 0.04)), x, log_prior=half_normal
    ).sample.__self__
    weight = np.zeros_like(nodes.weight)
    weight[k] = 1.0
    alone = replace(nodes, weight=weight)
    draws, (mean, sd, _) = (
        alone.sample(2_000, np.random.default_rng(k)),
        alone.moments(),
    )
    assert (draws.sd == nodes.sds[k]).all()
    assert (draws.length == nodes.lengths[k]).all()
    np.testing.assert_allclose(
        draws.ace.mean(axis=0), mean, atol=4.5 * sd.max() / np.sqrt(2_000)
    )
    np.testing.assert_allclose(draws.ace.std(axis=0), sd, rtol=0.1)
