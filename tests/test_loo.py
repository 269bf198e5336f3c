"""Imports pointwise_likelihood from the inside: densities and draws against dense matrices.

The pointwise log likelihood: ArviZ's leave-one-out against families from which an
estimate was truly left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.normal import normal
from causalgia.posterior.pointwise_likelihood import normal_log_density
from causalgia.posterior.posterior_tree import as_tree, import_quietly, tree_datasets
from causalgia.posterior.two_scales import two_scales

PRIOR = Prior(standardized=False)
EFFECT = np.random.default_rng(0).normal(0.5, 1.5, 14) + np.r_[np.zeros(13), 4.0]
SE = np.full(14, 1.0)
SHARED = Noise(np.full(14, 0.6), np.sqrt(0.4) * np.ones((14, 1)))
WHOLE = Noise(
    np.ones(14),
    whole=0.5 * np.eye(14)
    + 0.5 * 0.6 ** np.abs(np.subtract.outer(np.arange(14), np.arange(14))),
)
FITS: dict[str, Callable[[np.ndarray, Noise], Exact]] = {
    "normal": lambda d, noise: normal(d, noise, PRIOR),
    "two_scales": lambda d, noise: two_scales(d, noise, unit=1.0),
}


def without(noise: Noise, k: int) -> Noise:
    rest = np.delete(np.arange(len(noise.variances)), k)
    loadings = None if noise.loadings is None else noise.loadings[rest]
    return Noise(
        noise.variances[rest],
        loadings,
        None if noise.whole is None else noise.whole[np.ix_(rest, rest)],
    )


def left_out(law: str, noise: Noise) -> np.ndarray:
    """Return ``log p(d_k | others)`` of each estimate: evidence of all less that of the
    others, by quadrature.
    """
    whole = FITS[law](EFFECT, noise).log_evidence
    rest = [
        FITS[law](np.delete(EFFECT, k), without(noise, k)).log_evidence
        for k in range(len(EFFECT))
    ]
    return whole - np.array(rest)


def loo(posterior: Any) -> Any:
    """Return ArviZ's pointwise answer, whichever ArviZ is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_quietly("arviz").loo(
            cg.posterior.as_arviz(posterior), pointwise=True
        )


@pytest.mark.simulation
@pytest.mark.parametrize(
    "law",
    [
        "normal",
        *(pytest.param(law) for law in FITS if law != "normal"),
    ],
)
def test_loo_is_what_leaving_out_gives(law: Any) -> None:
    prior = PRIOR if law == "normal" else None
    posterior = cg.infer(
        cg.from_effects(EFFECT, SE), prior=prior, n_draws=20_000, rng=1
    )
    found = loo(posterior)
    elpd = np.asarray(found.elpd_i if hasattr(found, "elpd_i") else found.loo_i).ravel()
    np.testing.assert_allclose(elpd, left_out(law, Noise(SE**2)), atol=0.06)
    assert (np.asarray(found.pareto_k) < 0.7).mean() > 0.9


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("law", "noise"),
    [
        ("normal", WHOLE),
        ("normal", SHARED),
        ("two_scales", SHARED),
    ],
)
def test_shared_errors_are_part_of_what_is_left_out(law: str, noise: Noise) -> None:
    draws = FITS[law](EFFECT, noise).draw(40_000, np.random.default_rng(2))
    assert draws.log_likelihood is not None
    inverse = np.exp(-draws.log_likelihood())
    # the outlier alone shows the law its tail: plain importance weights are rough there
    others = slice(0, 13)
    np.testing.assert_allclose(
        -np.log(inverse.mean(axis=0))[others], left_out(law, noise)[others], atol=0.06
    )


def test_given_the_effect_itself_pareto_k_is_high() -> None:
    """Why the effect is integrated: effects of sd 3 and errors of 1."""
    effect = np.random.default_rng(3).normal(0, 3, 40)
    posterior = cg.infer(cg.from_effects(effect, np.ones(40)), rng=0)
    groups = tree_datasets(posterior)
    integrated = np.asarray(loo(posterior).pareto_k)
    conditional = groups["log_likelihood"].copy()
    conditional["effect"] = (
        -0.5 * (groups["observed_data"]["effect"] - groups["posterior"]["ace"]) ** 2
    )
    plain = np.asarray(loo(as_tree(groups | {"log_likelihood": conditional})).pareto_k)
    assert (integrated < 0.7).all()  # what ArviZ calls good
    assert (plain > 0.7).mean() > 0.5


@pytest.mark.simulation
def test_loo_prefers_the_law_that_the_effects_have() -> None:
    rng = np.random.default_rng(4)
    truth = np.where(
        rng.random(200) < 0.1, rng.normal(0, 8, 200), rng.normal(0, 0.3, 200)
    )
    table = cg.from_effects(truth + rng.normal(size=200), np.ones(200))
    priors = (Prior(), None)  # one scale, two
    fits = [loo(cg.infer(table, prior=prior, n_draws=2_000, rng=0)) for prior in priors]
    elpd = [float(fit.elpd if hasattr(fit, "elpd") else fit.elpd_loo) for fit in fits]
    assert elpd[1] > elpd[0] + 10


@pytest.mark.parametrize("factors", [0, 1, 3])
@pytest.mark.parametrize("whole", [False, True])
def test_the_density_of_an_estimate_given_the_others_is_that_of_dense_matrices(
    factors: int, whole: bool
) -> None:
    generator = np.random.default_rng(4)
    loadings, own = generator.normal(size=(5, factors)), generator.uniform(0.3, 2, 5)
    sigma, tau = np.diag(own) + loadings @ loadings.T, np.array([0.0, 0.7, 3.0])
    residual = generator.normal(size=(3, 5))
    noise = (
        Noise(np.diagonal(sigma).copy(), whole=sigma)
        if whole
        else Noise(own, loadings if factors else None)
    )
    found = normal_log_density(residual, noise, tau)
    for row, t, r in zip(found, tau, residual, strict=True):
        law = multivariate_normal(np.zeros(5), sigma + t**2 * np.eye(5))
        for k in range(5):
            others = np.arange(5) != k
            rest = multivariate_normal(np.zeros(4), law.cov[np.ix_(others, others)])
            np.testing.assert_allclose(
                row[k], law.logpdf(r) - rest.logpdf(r[others]), atol=1e-10
            )
