# Imports from the inside: the weights of the mixture, which verbs do not return.
"""Effects that are alike for the reason that their errors are: the posterior of a
screen of words.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DegenerateWarning
from causalgia.posterior import mixture
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.labeled_data import shared_patterns
from causalgia.posterior.mixture import mixture_weights, null_biased_counts, scale_grid
from causalgia.posterior.scale_mixture import Components, log_component_densities

LARGEST = 40


def screened(name: str, *, n_units: int, seed: int) -> tuple[xr.Dataset, np.ndarray]:
    """Return the estimates of all words of four letters that vary, and the truth of
    each, (contrast,).
    """
    experiment = cg.experiments.kmer_screen(cg.Uniform(length=41), k=4, n_units=n_units)
    oracle = cg.zoo.oracle(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        estimates = cg.estimate(cg.contrast(cg.run(experiment, oracle, rng=seed)))
    estimates = estimates.isel(contrast=(estimates["se"] > 0).all("task").to_numpy())
    return estimates, oracle.true_ace(experiment).sel(
        contrast=estimates["contrast"]
    ).to_numpy()[:, 0]


def judged(estimates: xr.Dataset, truth: np.ndarray) -> np.ndarray:
    """Return coverage of all and of the largest, and their mean square error, over that
    of the raw estimates.
    """
    draws = cg.infer(estimates, n_draws=1_000, rng=0)["posterior"]["ace"].to_numpy()[
        ..., 0
    ]
    low, high = np.quantile(draws, [0.025, 0.975], axis=(0, 1))
    raw = estimates["ace"].to_numpy()[:, 0]
    largest = np.argsort(-np.abs(raw))[:LARGEST]
    inside, square = (
        (low <= truth) & (truth <= high),
        (draws.mean(axis=(0, 1)) - truth) ** 2,
    )
    plain = np.abs(raw - truth) <= 1.97 * estimates["se"].to_numpy()[:, 0]
    means = (inside, inside[largest], plain, plain[largest], square, square[largest])
    return np.array([*(x.mean() for x in means), ((raw - truth) ** 2)[largest].mean()])


@pytest.mark.simulation
@pytest.mark.torch
@pytest.mark.parametrize("name", ["additive", "rbfox1_like"])
def test_a_screen_of_words_covers_its_truth(name: str) -> None:
    """One error is shared by nearly all words: over the trials, as often inside as the
    t interval of one word.
    """
    covers, of_largest, raw, raw_of_largest, _, square, raw_square = np.mean(
        [judged(*screened(name, n_units=1_000, seed=seed)) for seed in range(2)], axis=0
    )
    assert covers > raw - 0.05
    assert of_largest > raw_of_largest - 0.05
    assert of_largest > 0.85
    # it was 30 times, and .1 inside, where scores were read from the effects
    assert square < 1.5 * raw_square


def test_patterns_are_what_covariates_leave() -> None:
    generator = np.random.default_rng(0)
    loadings = generator.normal(size=(50, 2))
    noise = Noise(np.ones(50), loadings=loadings)
    patterns = shared_patterns(noise)
    np.testing.assert_allclose(patterns.T @ patterns, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(patterns.sum(axis=0), 0, atol=1e-12)
    centered = loadings - loadings.mean(axis=0)
    np.testing.assert_allclose(patterns @ (patterns.T @ centered), centered, atol=1e-12)
    one = shared_patterns(noise, loadings[:, :1])
    assert one.shape == (50, 1)
    np.testing.assert_allclose(one.T @ loadings[:, 0], 0, atol=1e-10)
    assert shared_patterns(noise, loadings) is None
    assert shared_patterns(Noise(np.ones(50))) is None


def test_a_pattern_takes_ten_effects() -> None:
    loadings = np.random.default_rng(1).normal(size=(25, 4)) * [1.0, 5.0, 3.0, 0.1]
    patterns = shared_patterns(Noise(np.ones(25), loadings=loadings))
    assert patterns.shape == (25, 2)
    centered = loadings - loadings.mean(axis=0)
    left = centered - patterns @ (patterns.T @ centered)
    assert (left**2).sum() < 0.15 * (centered**2).sum()  # the largest are kept
    assert shared_patterns(Noise(np.ones(9), loadings=loadings[:9])) is None


def test_weights_stop_where_only_rounding_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(11)
    effect = np.where(
        generator.random(3_000) < 0.1, generator.normal(size=3_000) * 8, 0.0
    )
    effect = effect + 0.6 * generator.normal(size=3_000)
    sd = scale_grid(effect, np.ones(3_000))
    terms = log_component_densities(
        effect, np.ones(3_000), Components(sd**2, np.ones(len(sd)))
    )
    steps, newton = [], mixture._newton_step
    monkeypatch.setattr(
        mixture, "_newton_step", lambda *given: steps.append(1) or newton(*given)
    )
    assert mixture_weights(terms, null_biased_counts(sd)).kkt_excess < 1e-9
    assert len(steps) < 30  # 43 before
