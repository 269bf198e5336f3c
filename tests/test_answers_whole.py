# Imports from the inside: the posterior laws, all their numbers against their draws.
"""What each law answers, in all its numbers: against its draws, and in another unit."""

from __future__ import annotations

import numpy as np
import pytest

from causalgia.analysis_values import Prior
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.normal import normal
from causalgia.posterior.two_scales import two_scales
from causalgia.types import Array

N_DRAWS = 10_000


def uneven(n: int, seed: int = 0) -> tuple[Array, Array]:
    """Effects on one side of 0 for the most part, one far off, in a unit in which the
    errors are about 5.
    """
    generator = np.random.default_rng(seed)
    se = generator.uniform(3, 8, n)
    effect = generator.normal(6, 6, n) + se * generator.normal(size=n)
    effect[-1] = -45.0
    return effect, se


def build(law: str, form: str, n: int, factor: float = 1.0) -> Exact:
    effect, se = uneven(n)
    x = np.random.default_rng(2).normal(3, 2, (n, 1)) if form == "covariate" else None
    load = (
        np.random.default_rng(1).normal(2.0, 1.0, (n, 1)) if form == "shared" else None
    )
    noise = Noise((factor * se) ** 2, None if load is None else factor * load)
    prior = Prior(mu_sd=20 * abs(factor), tau_scale=8 * abs(factor))
    effect = factor * effect
    if law == "normal":
        return normal(effect, noise, prior, covariates=x)
    return two_scales(effect, noise, covariates=x)


CASES = [
    *[
        (law, form, 30)
        for law in ("normal", "two_scales")
        for form in ("plain", "covariate", "shared")
    ],
    ("normal", "plain", 4),
]


@pytest.mark.parametrize(("law", "form", "n"), CASES)
def test_moments_and_probabilities_are_those_of_draws(
    law: str, form: str, n: int
) -> None:
    answer = build(law, form, n)
    draws = answer.draw(N_DRAWS, np.random.default_rng(3))

    def near(values: Array, expected: Array, loose: float = 0.0) -> None:
        """Means of draws, within 5 standard errors and an approximation of
        Laplace's.
        """
        error = values.std(axis=0) / np.sqrt(N_DRAWS)
        assert (np.abs(values.mean(axis=0) - expected) <= 5 * error + loose).all(), (
            values.mean(axis=0),
            expected,
        )

    ace = draws.ace
    near(ace, answer.mean, 0.02)
    near((ace - answer.mean) ** 2, answer.sd**2, 0.5)
    signs = np.minimum((ace <= 0).mean(axis=0), (ace >= 0).mean(axis=0))
    np.testing.assert_allclose(
        answer.lfsr, signs, atol=5 * 0.5 / np.sqrt(N_DRAWS) + 2e-3
    )
    for x in (answer.mean - answer.sd, answer.mean + 0.5 * answer.sd):
        np.testing.assert_allclose(
            answer.below(x),
            (ace <= x).mean(axis=0),
            atol=5 * 0.5 / np.sqrt(N_DRAWS) + 2e-3,
        )
    nodes = answer.nodes
    assert nodes.weight.sum() == pytest.approx(1)
    near(draws.tau, np.asarray(nodes.weight @ nodes.tau), 0.03)
    coefficients = np.column_stack([draws.mu, draws.beta])
    mean = nodes.weight @ nodes.coefficients
    near(coefficients, mean, 0.02)
    spread = nodes.weight @ (
        nodes.coefficients_sd**2 + (nodes.coefficients - mean) ** 2
    )
    np.testing.assert_allclose(
        coefficients.std(axis=0), np.sqrt(spread), rtol=0.06, atol=1e-12
    )


@pytest.mark.parametrize(("law", "form", "n"), CASES[::2])
def test_another_unit_and_sign_change_nothing_else(law: str, form: str, n: int) -> None:
    """A factor of -1/16 takes errors from above 1 to below it, and turns all signs."""
    here, there, size = build(law, form, n), build(law, form, n, -1 / 16), 1 / 16
    # two scales take one of many nodes, in the order of the center, which is reversed
    near = 0.02 if law == "two_scales" else 1e-6
    assert np.abs(there.mean / -size - here.mean).max() < near * here.sd.min()
    np.testing.assert_allclose(there.sd, size * here.sd, rtol=near)
    for name in ("lfsr", "shrinkage"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=near)
    flat = (1 + (form == "covariate")) * (law == "two_scales")
    assert there.log_evidence == pytest.approx(
        here.log_evidence - (n - flat) * np.log(size), abs=1e-5
    )
    assert there.nodes.weight @ there.nodes.tau == pytest.approx(
        size * (here.nodes.weight @ here.nodes.tau), rel=1e-6
    )
    x = here.mean + 0.3 * here.sd
    np.testing.assert_allclose(1 - there.below(-size * x), here.below(x), atol=near)
    about = [
        answer.draw(400, np.random.default_rng(0)).log_likelihood
        for answer in (here, there)
    ]
    assert about[0] is not None
    assert about[1] is not None
    plain, scaled = about[0]().mean(axis=0), about[1]().mean(axis=0)
    np.testing.assert_allclose(scaled + np.log(size), plain, atol=0.3)
