# Imports from the inside: tails behind a warning, against dense matrices and chi squared.
"""Tail probabilities behind the warning of a prior that conflicts with the effects:
against dense matrices.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from causalgia.analysis_values import Prior
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.model_checks import (
    _mean_variance,
    _spread_tail,
    prior_conflict,
)
from causalgia.types import Array


def noises() -> dict[str, tuple[Noise, Array]]:
    rng = np.random.default_rng(0)
    variances, loadings, root = (
        rng.uniform(0.5, 2, 5),
        rng.normal(size=(5, 2)),
        rng.normal(size=(5, 8)),
    )
    whole = root @ root.T / 4
    return {
        "independent": (Noise(variances), np.diag(variances)),
        "shared": (
            Noise(variances, loadings),
            np.diag(variances) + loadings @ loadings.T,
        ),
        "whole": (Noise(np.diagonal(whole).copy(), whole=whole), whole),
    }


@pytest.mark.parametrize("form", ["independent", "shared", "whole"])
def test_tails_are_those_of_gammas_with_the_moments_of_quadratic_forms(
    form: str,
) -> None:
    noise, sigma = noises()[form]
    effect, variance = np.array([1.0, -2.0, 0.5, 3.0, 1.0]), np.array([0.3, 1.0, 4.0])
    n, center = 5, np.eye(5) - 1 / 5
    assert _mean_variance(noise) == pytest.approx(sigma.sum() / n**2)
    about_mean = []
    for v in variance:
        V = sigma + v * np.eye(n)
        mean = np.trace(center @ V)
        df = mean**2 / (np.trace(V @ V) * (n - 1) / n)
        about_mean.append(chi2.sf(effect @ center @ effect * df / mean, df))
    assert _spread_tail(effect, noise, variance) == pytest.approx(
        np.mean(about_mean), rel=1e-9
    )


def test_tails_of_equal_independent_errors_are_chi_squared() -> None:
    effect = np.array([1.0, -2.0, 0.5, 3.0])
    noise = Noise(np.full(4, 2.0))
    about = effect - effect.mean()
    assert _spread_tail(effect, noise, np.array([1.5])) == pytest.approx(
        chi2.sf(about @ about / 3.5, 3)
    )


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_mean_and_the_spread_are_named_each_by_itself(sign: int) -> None:
    noise, prior = (
        Noise(np.full(6, 0.01)),
        Prior(mu_sd=1.0, tau_scale=1.0),
    )
    near = 0.3 * np.cos(np.arange(6))
    assert prior_conflict(near, noise, prior) == ""
    assert prior_conflict(near + sign * 20, noise, prior)
    wide = sign * 20 * np.array([1.0, -1, 1, -1, 1, -1])
    assert prior_conflict(wide, noise, prior)
    both = prior_conflict(wide + 1e3, noise, prior)
    assert both.count(";") == 1
    assert prior_conflict(near[:1] + sign * 20, noise, prior)
    assert prior_conflict(near[:1], noise, prior) == ""
