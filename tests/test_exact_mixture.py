"""The exact mixture: against quadrature, the normal law, simulation; and where it is
degenerate.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import betaln, logsumexp
from scipy.stats import kstest, multivariate_normal, norm

from causalgia.analysis_values import Prior
from causalgia.posterior import (
    exact as exact_module,
    mixture as mixture_module,
    scale_mixture,
)
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import (
    Exact,
    LinearPart,
    fixed_effects_design,
    linear_part,
    log_prior_tau,
    row_nodes,
    shared_mode,
)
from causalgia.posterior.mixture import (
    _interior_point,
    _step_to_boundary,
    average_summaries,
    effect_se_dependence,
    lfsr_of,
    mixture,
    mixture_weights,
    null_biased_counts,
    scale_grid,
)
from causalgia.posterior.normal import normal
from causalgia.posterior.scale_mixture import (
    Components,
    Node,
    draw_effects,
    draw_mixtures,
    effect_summary,
    posterior_normals,
    probability_below,
    residual_rows,
    whole_window,
    window_of,
)
from causalgia.posterior.spike_and_slab import (
    _draw_effects_and_scores,
    _draw_scores,
    _draw_scores_given_effects,
    _draw_spike_slab,
    _relevant_scores,
    _scaled_model,
    _score_precision,
    spike_and_slab,
)
from causalgia.types import Array

PRIOR = Prior(tau_scale=2)


def screen(n: int, seed: int, share: float = 0.1) -> tuple[Array, Array, Array]:
    """Effects of which a share is not 0, their estimates and se."""
    generator = np.random.default_rng(seed)
    se = generator.uniform(0.1, 0.6, n)
    delta = np.where(generator.random(n) < share, generator.normal(size=n), 0.0)
    return delta, generator.normal(delta, se), se


def is_finite(answer: Exact) -> None:
    draws = answer.draw(50, np.random.default_rng(0))
    for values in (
        answer.mean,
        answer.sd,
        answer.lfsr,
        answer.lfdr,
        answer.shrinkage,
        draws.ace,
        draws.mu,
        draws.tau,
    ):
        assert np.isfinite(values).all()
    assert np.isfinite(answer.log_evidence)
    assert ((answer.lfsr >= 0) & (answer.lfsr <= 1 + 1e-12)).all()
    assert (answer.lfdr <= answer.lfsr + 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
def test_no_other_weights_are_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    _, effect, se = screen(300, seed)
    grid = scale_grid(effect, se)
    log_density = norm.logpdf(effect[:, None], 0, np.sqrt(grid**2 + se[:, None] ** 2))
    counts = null_biased_counts(grid)
    best = mixture_weights(log_density, counts)
    assert best.kkt_excess < 1e-10
    assert best.weight.sum() == pytest.approx(1)
    for concentration in (0.1, 1.0, 100.0):
        other = 0.9 * best.weight + 0.1 * generator.dirichlet(
            np.full(len(grid), concentration)
        )
        height = (
            logsumexp(log_density + np.log(other), axis=1).sum()
            + ((counts - 1) * np.log(other)).sum()
        )
        assert height <= best.penalized + 1e-8


def test_weights_with_more_components_than_rows_and_equal_columns() -> None:
    fit = mixture_weights(np.array([[0.0, 0.0, -1.0, -800.0]]), np.ones(4))
    assert fit.weight[:2].sum() == pytest.approx(1, abs=1e-6)
    assert fit.log_likelihood == pytest.approx(0, abs=1e-8)


def test_draws_are_those_of_the_posterior() -> None:
    _, effect, se = screen(60, 3, share=0.5)
    answer = mixture(effect, Noise(se**2), PRIOR)
    ace = answer.draw(4_000, np.random.default_rng(1)).ace
    z = (ace.mean(axis=0) - answer.mean) / (answer.sd / np.sqrt(4_000))
    assert np.abs(z).max() < 4.5
    zeros = (ace == 0).mean(axis=0)
    assert np.abs(zeros - answer.lfdr).max() < 4.5 * 0.5 / np.sqrt(4_000)
    below = (ace <= 0.1).mean(axis=0)
    assert np.abs(below - answer.below(np.full(60, 0.1))).max() < 4.5 * 0.5 / np.sqrt(
        4_000
    )
    real = int(np.argmin(answer.lfsr))
    grid = np.linspace(ace[:, real].min(), ace[:, real].max(), 401)
    law = np.array([answer.below(np.full(60, x))[real] for x in grid])
    assert kstest(ace[:, real], lambda x: np.interp(x, grid, law)).pvalue > 1e-4
    assert abs(np.corrcoef(ace[:-1, real], ace[1:, real])[0, 1]) < 4.5 / np.sqrt(4_000)


def test_draws_are_a_function_of_the_generator() -> None:
    _, effect, se = screen(30, 4, share=0.5)
    answer = mixture(effect, Noise(se**2), PRIOR)
    once, again = (answer.draw(20, np.random.default_rng(0)).ace for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert (once != answer.draw(20, np.random.default_rng(1)).ace).any()


def test_one_known_normal_is_the_normal_family() -> None:
    generator = np.random.default_rng(6)
    noise = Noise(generator.uniform(0.1, 1, 40), generator.normal(0, 0.4, size=(40, 2)))
    effect = generator.normal(size=40)
    mine = mixture(effect, noise, PRIOR, scales=np.array([0.7]), prior_count=np.ones(1))
    sigma = np.diag(noise.variances) + noise.loadings @ noise.loadings.T  # type: ignore[operator]
    gain = 0.49 * np.linalg.inv(sigma + 0.49 * np.eye(40))
    sd = np.sqrt(np.diag(0.49 * np.eye(40) - 0.49 * gain))
    np.testing.assert_allclose(mine.mean, gain @ effect, atol=1e-9)
    np.testing.assert_allclose(mine.sd, sd, rtol=1e-9)
    np.testing.assert_allclose(
        mine.lfsr, norm.cdf(-np.abs(gain @ effect) / sd), atol=3e-4
    )
    joint = mine.draw(4_000, np.random.default_rng(0)).ace
    exact = 0.49 * np.eye(40) - 0.49 * gain
    assert np.abs(np.cov(joint.T) - exact).max() < 6 * exact.diagonal().max() / np.sqrt(
        4_000
    )


@pytest.mark.parametrize("n", [60, 600])
def test_factor_scores_against_quadrature(n: int) -> None:
    """Given the components, Laplace over the score against a sum over a fine grid of
    it.
    """
    generator = np.random.default_rng(8)
    _, effect, se = screen(n, 8)
    loadings = generator.normal(0, 0.5, size=(n, 1))
    effect = effect + 1.3 * loadings[:, 0]
    components = Components(np.array([0.0, 0.25, 1.0]), np.array([0.8, 0.1, 0.1]))
    noise, center = Noise(se**2, loadings), np.zeros(n)
    mode = shared_mode(effect, se**2, components, linear_part(None, noise), np.zeros(1))
    shared = linear_part(None, noise)
    mine = average_summaries(
        row_nodes(1.0, effect, components, shared, mode.value, mode.root), se**2
    )
    scores = np.linspace(-1, 3, 801)
    residuals = effect - scores[:, None] * loadings[:, 0]
    height = np.array(
        [residual_rows(r, se**2, components).log_density.sum() for r in residuals]
    ) + norm.logpdf(scores)
    weight = np.exp(height - height.max())
    assert mode.peaked
    assert mode.log_integral == pytest.approx(
        np.log(weight.sum() * 0.005) + height.max(), abs=0.02
    )
    places = zip(weight / weight.sum(), residuals, strict=True)
    exact = average_summaries(
        [Node(w, r, center, components) for w, r in places if w > 1e-12], se**2
    )
    np.testing.assert_allclose(
        mine.mean, exact.mean, atol=0.01 * np.sqrt(exact.square).mean()
    )
    np.testing.assert_allclose(lfsr_of(mine), lfsr_of(exact), atol=0.01)


def test_factor_scores_beat_ignoring_them() -> None:
    generator = np.random.default_rng(14)
    delta, effect, se = screen(1_000, 14)
    loadings = generator.normal(0, 1, size=(1_000, 2))
    shaken = effect + loadings @ np.array([1.2, -0.8])
    oracle = mixture(effect, Noise(se**2), PRIOR)
    answer = mixture(shaken, Noise(se**2, loadings), PRIOR)
    ignoring = mixture(shaken, Noise(se**2 + (loadings**2).sum(axis=1)), PRIOR)
    error = [
        np.sqrt(np.mean((x.mean - delta) ** 2)) for x in (oracle, answer, ignoring)
    ]
    assert error[1] < 1.05 * error[0]
    assert error[1] < 0.7 * error[2]
    draws = answer.draw(4_000, np.random.default_rng(0)).ace
    assert np.abs((draws.mean(axis=0) - answer.mean) / answer.sd).max() < 5 / np.sqrt(
        4_000
    )


def test_covariates_and_mode_are_found() -> None:
    generator = np.random.default_rng(9)
    delta, effect, se = screen(3_000, 9)
    x = generator.normal(size=(3_000, 1))
    center = 0.7 + 0.3 * (x[:, 0] - x[:, 0].mean())
    answer = mixture(
        effect + center, Noise(se**2), PRIOR, mode="estimate", covariates=x
    )
    distance = (
        answer.nodes.coefficients[0] - [0.7, 0.3]
    ) / answer.nodes.coefficients_sd[0]
    assert np.abs(distance).max() < 4.5
    assert (answer.lfdr == 0).all()  # the spike lies elsewhere
    draws = answer.draw(1_000, np.random.default_rng(0))
    assert draws.beta.shape == (1_000, 1)
    assert abs(draws.mu.mean() - 0.7) < 0.05
    known = mixture(effect, Noise(se**2), PRIOR)
    error = [
        np.sqrt(np.mean((a - b) ** 2))
        for a, b in ((answer.mean, delta + center), (known.mean, delta))
    ]
    assert error[0] < 1.05 * error[1]


@pytest.mark.simulation
def test_sign_rates_are_calibrated_when_truth_follows_the_model() -> None:
    delta, effect, se = screen(20_000, 10, share=0.3)
    answer = mixture(effect, Noise(se**2), PRIOR)
    wrong = np.sign(delta) != np.sign(answer.mean)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.5)):
        here = (answer.lfsr >= low) & (answer.lfsr < high)
        band = (
            4 * np.sqrt((answer.lfsr[here] * (1 - answer.lfsr[here])).sum())
            + 0.02 * here.sum()
        )
        assert abs(wrong[here].sum() - answer.lfsr[here].sum()) < band
    lower, upper = answer.quantile(0.05), answer.quantile(0.95)
    selected = answer.lfdr < 0.05
    inside = ((delta >= lower) & (delta <= upper))[selected]
    assert abs(inside.mean() - 0.9) < 4 * np.sqrt(0.09 / selected.sum()) + 0.01


def test_effects_that_grow_with_their_error_are_noticed() -> None:
    generator = np.random.default_rng(0)
    se = np.exp(generator.normal(size=2_000))
    grown = effect_se_dependence(
        generator.normal(generator.normal(0, 3, 2_000) * se, se), se
    )
    plain = effect_se_dependence(
        generator.normal(generator.normal(0, 3, 2_000), se), se
    )
    assert (grown.alpha, plain.alpha) == (1, 0)
    assert grown.gain > 100
    assert plain.gain < -100


DEGENERATE = {
    "one": ([3.0], [1.0]),
    "one at 0": ([0.0], [1.0]),
    "all 0": ([0.0] * 200, [0.3] * 200),
    "all equal": ([2.0] * 20, [0.5] * 20),
    "outlier": ([*np.linspace(-1, 1, 50), 1e4], [1.0] * 51),
    "six decades of se": (
        list(np.linspace(-1, 1, 61)),
        list(10 ** np.linspace(-3, 3, 61)),
    ),
    "far apart": ([-60.0, 60.0], [1.0, 1.0]),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("build", ["zero", "estimate", "spike_and_slab"])
def test_degenerate_input_is_answered(case: str, build: str) -> None:
    effect, se = (np.array(x) for x in DEGENERATE[case])
    if build == "spike_and_slab":
        is_finite(spike_and_slab(effect, Noise(se**2), PRIOR))
    else:
        is_finite(mixture(effect, Noise(se**2), PRIOR, mode=build))  # type: ignore[arg-type]


def test_what_lies_at_0_is_not_above_it() -> None:
    answer = mixture(np.linspace(0.1, 3, 20), Noise(np.ones(20)), PRIOR)
    assert (answer.lfdr > 0.01).any()
    # P(<= 0), as all lie above 0
    np.testing.assert_allclose(answer.below(np.zeros(20)), answer.lfsr, rtol=1e-9)


def test_effects_of_exactly_0_stay_there() -> None:
    answer = mixture(np.zeros(10_000), Noise(np.full(10_000, 0.09)), PRIOR)
    assert (answer.mean == 0).all()
    np.testing.assert_allclose(answer.lfsr, 1, atol=1e-6)


def test_an_outlier_is_left_alone() -> None:
    effect, se = (np.array(x) for x in DEGENERATE["outlier"])
    answer = mixture(effect, Noise(se**2), PRIOR)
    assert answer.mean[-1] == pytest.approx(1e4, rel=1e-3)
    assert answer.shrinkage[-1] < 1e-3


@pytest.mark.parametrize("factor", [1e-8, 3.7, 1e8])
@pytest.mark.parametrize("build", [mixture, spike_and_slab])
def test_another_unit_gives_the_same_answer(factor: float, build: Any) -> None:
    _, effect, se = screen(50, 11)
    here = build(effect, Noise(se**2), Prior(mu_sd=2, tau_scale=1))
    there = build(
        factor * effect,
        Noise((factor * se) ** 2),
        Prior(mu_sd=2 * factor, tau_scale=factor),
    )
    np.testing.assert_allclose(
        there.mean, factor * here.mean, rtol=1e-8, atol=1e-10 * factor
    )
    np.testing.assert_allclose(there.sd, factor * here.sd, rtol=1e-8)
    np.testing.assert_allclose(there.lfsr, here.lfsr, atol=1e-9)
    assert there.log_evidence + 50 * np.log(factor) == pytest.approx(
        here.log_evidence, rel=1e-9
    )


@pytest.mark.parametrize("span", [1e6, 1e10])
def test_a_spike_and_slab_of_standard_errors_over_many_powers_of_10(
    span: float,
) -> None:
    """An effect known to the last figure is there and tells its size; one of which
    nothing is known tells nothing.
    """
    effect = np.array([1.0, 2.0, 3.0, 4.0])
    near, far = (
        spike_and_slab(effect, Noise(np.array([1 / s, 1, 1, s]) ** 2), Prior())
        for s in (1e4, span)
    )
    np.testing.assert_allclose(far.mean[:3], near.mean[:3], rtol=1e-5)
    np.testing.assert_allclose(far.sd[1:], near.sd[1:], rtol=1e-4)
    np.testing.assert_allclose(far.lfdr, near.lfdr, atol=1e-5)
    assert far.sd[0] == pytest.approx(1 / span, rel=1e-2)
    assert np.isfinite(far.draw(1_000, np.random.default_rng(2)).ace).all()


@pytest.mark.parametrize("n", [5, 40])
def test_spike_and_slab_against_a_fine_grid(n: int) -> None:
    _, effect, se = screen(n, n, share=0.4)
    answer = spike_and_slab(effect, Noise(se**2), PRIOR, weight=(1.0, 2.0))
    x, v = np.linspace(-14, 9, 500), np.linspace(-25, 25, 701)
    tau, log_w, log_rest = np.exp(x), -np.logaddexp(0, -v), -np.logaddexp(0, v)
    spike = norm.logpdf(effect, 0, se)
    slab = norm.logpdf(effect, 0, np.sqrt(se**2 + tau[:, None] ** 2))
    height = (log_prior_tau(PRIOR, tau) + x)[:, None] + log_w + 2 * log_rest + np.log(2)
    for k in range(n):
        height = height + np.logaddexp(log_rest + spike[k], log_w + slab[:, k, None])
    mass = np.exp(height - height.max())
    total = np.log(mass.sum() * (x[1] - x[0]) * (v[1] - v[0])) + height.max()
    assert answer.log_evidence == pytest.approx(total, abs=1e-3)
    for k in range(0, n, 7):
        real = 1 / (1 + np.exp(log_rest - log_w + spike[k] - slab[:, k, None]))
        kept = tau[:, None] ** 2 / (tau[:, None] ** 2 + se[k] ** 2)
        assert answer.lfdr[k] == pytest.approx(
            (mass * (1 - real)).sum() / mass.sum(), abs=5e-4
        )
        assert answer.mean[k] == pytest.approx(
            (mass * real * kept * effect[k]).sum() / mass.sum(), abs=5e-4
        )
    draws = answer.draw(4_000, np.random.default_rng(0))
    assert np.abs(
        (draws.ace.mean(axis=0) - answer.mean) / answer.sd
    ).max() < 4.5 / np.sqrt(4_000)
    assert np.abs(
        (draws.ace == 0).mean(axis=0) - answer.lfdr
    ).max() < 4.5 * 0.5 / np.sqrt(4_000)


@pytest.mark.parametrize("r", [1, 2])
def test_a_spike_and_slab_under_shared_errors_by_enumeration(r: int) -> None:
    """All 2^K sets of effects that are 0, each with the whole covariance, on a grid of
    tau.
    """
    generator = np.random.default_rng(r)
    loadings, variances = (
        0.7 + 0.5 * generator.normal(size=(3, r)),
        np.array([0.4, 1.0, 1.4]),
    )
    effect = np.array([3.0, 0.2, 1.1]) + loadings @ generator.normal(size=r)
    sigma, log_tau_grid = (
        loadings @ loadings.T + np.diag(variances),
        np.linspace(-9, 8, 400),
    )
    height, mean, zero = [], [], []
    for x, which in product(log_tau_grid, product((0.0, 1.0), repeat=3)):
        slab = np.exp(2 * x) * np.array(which)
        total, n = sigma + np.diag(slab), int(sum(which))
        level = betaln(1 + n, 4 - n) + log_prior_tau(PRIOR, np.exp(x)) + x
        height.append(
            multivariate_normal(np.zeros(3), total).logpdf(effect) + float(level)
        )
        mean.append(slab * np.linalg.solve(total, effect))
        zero.append(1 - np.array(which))
    weight = np.exp(np.array(height) - logsumexp(height))
    answer = spike_and_slab(effect, Noise(variances, loadings), PRIOR)
    np.testing.assert_allclose(answer.mean, weight @ np.array(mean), atol=5e-4)
    np.testing.assert_allclose(answer.lfdr, weight @ np.array(zero), atol=5e-4)
    evidence = logsumexp(height) + np.log(log_tau_grid[1] - log_tau_grid[0])
    assert answer.log_evidence == pytest.approx(evidence, abs=1e-3)
    draws = answer.draw(4_000, np.random.default_rng(0)).ace
    assert np.abs((draws.mean(axis=0) - answer.mean) / answer.sd).max() < 4.5 / np.sqrt(
        4_000
    )
    assert np.abs((draws == 0).mean(axis=0) - answer.lfdr).max() < 4.5 * 0.5 / np.sqrt(
        4_000
    )
    middle = answer.quantile(0.9)
    assert np.abs((draws <= middle).mean(axis=0) - 0.9).max() < 4.5 * 0.3 / np.sqrt(
        4_000
    )


def test_effects_that_are_not_0_under_shared_errors_by_enumeration() -> None:
    """Given w and tau: the mean of each effect that is not 0, over all sets of effects
    that are not.
    """
    effect, variances, loadings = (
        np.array([20.0, 10.0, -45.0]),
        np.array([36.0, 16.0, 9.0]),
        np.array([[3.0], [4], [3]]),
    )
    model = _scaled_model(effect, Noise(variances, loadings), PRIOR, (1.0, 1.0))
    w, tau, n = 0.6, 9.0, 40_000
    sigma = np.diag(variances) + loadings @ loadings.T
    sets = np.array(list(product([0.0, 1.0], repeat=3)))
    chance, mean = np.empty(8), np.empty((8, 3))
    for i, which in enumerate(sets):
        slab = tau**2 * which
        law = multivariate_normal(np.zeros(3), sigma + np.diag(slab))
        chance[i] = w ** which.sum() * (1 - w) ** (3 - which.sum()) * law.pdf(effect)
        mean[i] = slab * np.linalg.solve(sigma + np.diag(slab), effect)
    chance /= chance.sum()
    ace, normal, present = _draw_effects_and_scores(
        model, np.full(n, w), np.full(n, tau), np.random.default_rng(0)
    )
    np.testing.assert_allclose(present.mean(axis=0), chance @ sets, atol=0.01)
    np.testing.assert_allclose((ace != 0).mean(axis=0), chance @ sets, atol=0.01)
    expected = (chance @ mean) / (chance @ sets)
    np.testing.assert_allclose(
        (present * normal).mean(axis=0) / present.mean(axis=0), expected, atol=0.15
    )
    np.testing.assert_allclose(
        ace.sum(axis=0) / (ace != 0).sum(axis=0), expected, atol=0.15
    )


def test_shrinking_beats_raw_where_there_is_something_to_shrink() -> None:
    delta, effect, se = screen(4_000, 12, share=0.05)
    answer = mixture(effect, Noise(se**2), PRIOR)
    top = np.argsort(-np.abs(effect / se))[:40]
    raw, shrunken = (
        np.sqrt(np.mean((x - delta)[top] ** 2)) for x in (effect, answer.mean)
    )
    assert shrunken < raw
    everywhere = np.sqrt(np.mean((answer.mean - delta) ** 2)) / np.sqrt(
        np.mean((effect - delta) ** 2)
    )
    assert everywhere < 0.5


def test_normal_family_agrees_when_the_truth_is_normal() -> None:
    generator = np.random.default_rng(13)
    se = generator.uniform(0.3, 0.6, 3_000)
    effect = generator.normal(0, np.sqrt(1 + se**2))
    mine, other = (
        mixture(effect, Noise(se**2), PRIOR),
        normal(effect, Noise(se**2), PRIOR),
    )
    assert np.sqrt(np.mean((mine.mean - other.mean) ** 2)) < 0.05


@pytest.mark.parametrize("loading", [0.3, 1.0, 2.0])
def test_one_effect_does_not_tell_a_shared_error_from_its_own(loading: float) -> None:
    """The noise of one estimate is one number: evidence, moments and rates do not
    depend on how it is written.
    """
    for effect in (1.3, -4.0):
        shared = spike_and_slab(
            np.array([effect]), Noise(np.array([0.5]), np.array([[loading]])), PRIOR
        )
        own = spike_and_slab(
            np.array([effect]), Noise(np.array([0.5 + loading**2])), PRIOR
        )
        assert shared.log_evidence == pytest.approx(own.log_evidence, abs=1e-8)
        for name in ("mean", "sd", "lfsr", "lfdr"):
            np.testing.assert_allclose(
                getattr(shared, name), getattr(own, name), rtol=1e-6, err_msg=name
            )


def test_a_window_holds_the_components_that_may_hold_an_effect() -> None:
    """By the normal density of each residual under each component: of others at the
    scale asked none above 1e-9.
    """
    components = Components(
        np.array([0.0, 1e-4, 1e-2, 1.0, 100.0, 1e4]), np.full(6, 1 / 6)
    )
    noise = np.array([1.0, 1.0, 1.0, 0.01])
    for scale in (0.03, 1.0, 30.0):
        residual = np.array([0.0, 8.0, 60.0, -5.0])
        first, last = window_of([(residual, scale)], noise, components)
        sd = np.sqrt(noise[:, None] + scale**2 * components.variance)
        share = norm.pdf(residual[:, None], 0, sd)
        used = share / share.sum(axis=1, keepdims=True) > 1e-9
        for k in range(4):
            held = np.flatnonzero(used[k])
            assert (first[k], last[k]) == (held[0], held[-1] + 1)


@pytest.mark.parametrize("tau", ["half_t", "uniform"])
@pytest.mark.parametrize("shared", [False, True])
def test_probabilities_below_a_number_are_shares_of_draws(
    tau: Any, shared: bool
) -> None:
    rng = np.random.default_rng(5)
    effect = 10 * np.array([-0.3, 0.2, 0.5, 0.1, 4.0, -2.0])
    noise = Noise(np.full(6, 50.0), np.full((6, 1), 7.0) if shared else None)
    answer = spike_and_slab(effect, noise, Prior(tau=tau, tau_scale=20))
    draws = answer.draw(20_000, rng).ace
    for x in (np.full(6, -10.0), np.full(6, 15.0), effect):
        np.testing.assert_allclose(
            answer.below(x), (draws <= x).mean(axis=0), atol=4.5 * 0.5 / np.sqrt(20_000)
        )


def test_no_other_center_is_likelier() -> None:
    """The estimated center against the best of given ones, the weights of each at their
    own best.
    """
    rng = np.random.default_rng(0)
    noise = Noise(rng.uniform(0.3, 1.5, 80))
    own = np.where(np.arange(80) < 25, rng.normal(1.5, 2, 80), 0.0)
    effect = 1.7 + own + np.sqrt(noise.variances) * rng.normal(size=80)
    given: Any = {
        "scales": np.array([0.0, 0.2, 0.5, 1.0, 2.0, 4.0]),
        "prior_count": np.ones(6),
    }
    wide = Prior(mu_sd=np.inf, tau_scale=2)

    def height(center: float) -> float:
        return -mixture(effect - center, noise, wide, mode="zero", **given).log_evidence

    found = mixture(effect, noise, wide, mode="estimate", **given).nodes.coefficients[
        0, 0
    ]
    best = minimize_scalar(
        height,
        bounds=(found - 0.5, found + 0.5),
        method="bounded",
        options={"xatol": 1e-6},
    )
    assert found == pytest.approx(best.x, abs=1e-3)


def test_draws_given_the_scale_are_those_of_a_mixture_of_normals() -> None:
    """A narrow and a wide component: of a small residual the draws are shrunken, of a
    large one they are not.
    """
    components, noise = (
        Components(np.array([0.25, 9.0]), np.array([0.7, 0.3])),
        np.array([1.0, 1.0, 0.25]),
    )
    residual, location, scale = (
        np.array([0.3, -4.0, 2.5]),
        np.array([0.0, 1.0, -2.0]),
        1.5,
    )
    n, window = 20_000, whole_window(3, components)
    drawn = draw_effects(
        *(np.tile(x, (n, 1)) for x in (residual, location)),
        noise,
        np.full(n, scale),
        components,
        window,
        np.random.default_rng(0),
    )
    prior = scale**2 * components.variance[:, None]
    weight = components.weight[:, None] * norm.pdf(residual, 0, np.sqrt(prior + noise))
    weight /= weight.sum(axis=0)
    center, variance = (
        prior / (prior + noise) * residual,
        prior * noise / (prior + noise),
    )
    mean = (weight * center).sum(axis=0)
    sd = np.sqrt((weight * (variance + center**2)).sum(axis=0) - mean**2)
    assert (np.abs(drawn.mean(axis=0) - location - mean) < 4 * sd / np.sqrt(n)).all()
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.04)


def test_scales_that_are_given_are_in_the_unit_of_the_effects() -> None:
    effect, variance, scales = (
        np.array([0.1, -0.2, 0.4, 3.0, -0.1]),
        np.full(5, 0.04),
        np.array([0.0, 0.3, 2.0]),
    )
    here = mixture(effect, Noise(variance), Prior(mu_sd=1.0), scales=scales)
    there = mixture(
        32 * effect, Noise(32**2 * variance), Prior(mu_sd=32.0), scales=32 * scales
    )
    np.testing.assert_allclose(there.mean, 32 * here.mean, rtol=1e-9)
    np.testing.assert_allclose(there.sd, 32 * here.sd, rtol=1e-9)
    np.testing.assert_allclose(there.lfsr, here.lfsr, rtol=1e-9)


THREE = Components(np.array([0.0, 0.5, 9.0]), np.array([0.5, 0.3, 0.2]))


def test_rows_are_the_log_density_of_residuals_and_its_derivatives() -> None:
    residual, noise = (
        np.array([-40.0, -3.0, -0.2, 0.0, 0.4, 2.0, 7.0]),
        np.array([0.3, 1.0, 2.0, 0.5, 0.1, 1.5, 0.7]),
    )

    def height(residual: Array) -> Array:
        sd = np.sqrt(noise[:, None] + THREE.variance)
        return np.asarray(
            logsumexp(norm.logpdf(residual[:, None], 0, sd), b=THREE.weight, axis=1)
        )

    found, h = residual_rows(residual, noise, THREE), 1e-4
    np.testing.assert_allclose(found.log_density, height(residual), rtol=1e-9)
    slope = (height(residual + h) - height(residual - h)) / (2 * h)
    np.testing.assert_allclose(-residual * found.precision, slope, atol=1e-6)
    bend = (height(residual + h) + height(residual - h) - 2 * height(residual)) / h**2
    np.testing.assert_allclose(found.curvature, -bend, atol=2e-5)


def test_moments_of_effects_at_a_node_are_those_of_its_normals() -> None:
    residual, noise = np.array([-2.0, 0.3, 4.0, 0.0]), np.array([0.3, 1.0, 2.0, 0.5])
    location = np.array([0.0, 0.0, -1.0, 0.7])
    node = Node(
        1.0,
        residual,
        location,
        THREE,
        np.array([0.2, 0.0, 0.3, 0.1]),
        np.array([0.0, 0.0, 0.4, 0.1]),
        0.0,
    )
    mean, sd, weight = posterior_normals(node, noise)
    gain = THREE.variance / (THREE.variance + noise[:, None])
    density = THREE.weight * norm.pdf(
        residual[:, None], 0, np.sqrt(noise[:, None] + THREE.variance)
    )
    np.testing.assert_allclose(
        weight, density / density.sum(axis=1, keepdims=True), rtol=1e-12
    )
    np.testing.assert_allclose(
        mean, location[:, None] + gain * residual[:, None], rtol=1e-12
    )
    moved = (
        np.array([0.0, 0.0, 0.4, 0.1])[:, None]
        - gain * np.array([0.2, 0.0, 0.3, 0.1])[:, None]
    )
    np.testing.assert_allclose(
        sd, np.sqrt(gain * noise[:, None] + moved**2), rtol=1e-12
    )
    wider = posterior_normals(
        Node(1.0, residual, location, THREE, location_rest=np.full(4, 0.25)), noise
    )[1]
    np.testing.assert_allclose(
        wider, np.sqrt(gain * noise[:, None] + 0.25**2), rtol=1e-12
    )

    found = effect_summary(node, noise, noise + 1)
    average = (weight * mean).sum(axis=1)
    atom = (sd == 0) & (mean == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        under = np.where(sd > 0, norm.cdf(-mean / sd), mean < 0)
    np.testing.assert_allclose(found.mean, average, rtol=1e-12)
    np.testing.assert_allclose(
        found.square, (weight * (sd**2 + mean**2)).sum(axis=1) - average**2, rtol=1e-10
    )
    np.testing.assert_allclose(
        found.below, (weight * np.where(atom, 0, under)).sum(axis=1), atol=1e-12
    )
    np.testing.assert_allclose(
        found.above, (weight * np.where(atom, 0, 1 - under)).sum(axis=1), atol=1e-12
    )
    np.testing.assert_allclose(found.zero, (weight * atom).sum(axis=1), atol=1e-12)
    assert (found.zero > 0).tolist() == [True, True, False, False]
    whole = (noise + 1)[:, None]
    np.testing.assert_allclose(
        found.shrinkage,
        (weight * whole / (whole + THREE.variance)).sum(axis=1),
        rtol=1e-12,
    )
    alone = effect_summary(node, noise).shrinkage
    np.testing.assert_allclose(
        alone,
        (weight * noise[:, None] / (noise[:, None] + THREE.variance)).sum(axis=1),
        rtol=1e-12,
    )


def test_an_atom_lies_below_its_own_place() -> None:
    node = Node(1.0, np.array([0.3, 0.3, 0.3]), np.array([1.0, 1.0, 1.0]), THREE)
    noise, x = np.ones(3), np.array([1.0, np.nextafter(1.0, 0.0), 1.3])
    mean, sd, weight = posterior_normals(node, noise)
    slabs = (weight[:, 1:] * norm.cdf((x[:, None] - mean[:, 1:]) / sd[:, 1:])).sum(
        axis=1
    )
    np.testing.assert_allclose(
        probability_below(x, node, noise), slabs + weight[:, 0] * [1, 0, 1], rtol=1e-12
    )


def test_tables_of_aliases_hold_their_probabilities() -> None:
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.full(6, 0.3), 40)
    probability = np.vstack([probability, np.full(6, 1 / 6), np.eye(6)[2]])
    share, other = np.empty_like(probability), np.empty(probability.shape, np.intp)
    scale_mixture._alias_tables(probability, share, other)
    held = np.zeros_like(probability)
    for k, j in np.ndindex(*probability.shape):
        held[k, j] += min(share[k, j], 1.0)
        held[k, other[k, j]] += 1 - min(share[k, j], 1.0)
    np.testing.assert_allclose(held / 6, probability, atol=1e-12)


def test_draws_of_mixtures_are_those_of_their_numbers() -> None:
    """A component by its table, and a place on its normal, for more effects than are
    drawn at a time.
    """
    rng = np.random.default_rng(1)
    mean, sd, probability = (
        rng.normal(size=(150, 3)),
        rng.uniform(0, 1, (150, 3)),
        rng.dirichlet(np.ones(3), 150),
    )
    found = draw_mixtures(7, mean, sd, probability, np.random.default_rng(2))
    share, other = np.empty_like(probability), np.empty(probability.shape, np.intp)
    scale_mixture._alias_tables(probability, share, other)
    again, expected = np.random.default_rng(2), np.empty((7, 150))
    for some in (slice(0, 64), slice(64, 128), slice(128, 150)):
        u, z = (
            again.random((7, some.stop - some.start)),
            again.standard_normal((7, some.stop - some.start)),
        )
        for i, k in np.ndindex(*u.shape):
            at = u[i, k] * 3
            row = some.start + k
            j = int(at) if at - int(at) < share[row, int(at)] else other[row, int(at)]
            expected[i, row] = mean[row, j] + sd[row, j] * z[i, k]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("narrowed", [False, True])
def test_draws_of_effects_are_those_of_their_numbers(narrowed: bool) -> None:
    rng = np.random.default_rng(3)
    n, size = 30, 6
    residual, location, noise = (
        rng.normal(0, 3, (n, size)),
        rng.normal(size=(n, size)),
        rng.uniform(0.3, 2, size),
    )
    scale = rng.uniform(0.5, 2, n)
    first, last = whole_window(size, THREE)
    if narrowed:
        first, last = np.array([0, 1, 0, 2, 0, 1]), np.array([3, 3, 2, 3, 1, 2])
    found = draw_effects(
        residual, location, noise, scale, THREE, (first, last), np.random.default_rng(4)
    )
    again = np.random.default_rng(4)
    u, z = again.random((n, size)), again.standard_normal((n, size))
    for i, k in np.ndindex(n, size):
        v = scale[i] ** 2 * THREE.variance[first[k] : last[k]]
        term = THREE.weight[first[k] : last[k]] * norm.pdf(
            residual[i, k], 0, np.sqrt(noise[k] + v)
        )
        j = np.searchsorted(np.cumsum(term), u[i, k] * term.sum(), side="right")
        gain = v[j] / (v[j] + noise[k])
        expected = (
            location[i, k] + gain * residual[i, k] + np.sqrt(gain * noise[k]) * z[i, k]
        )
        assert found[i, k] == pytest.approx(expected, abs=1e-8)


def test_a_grid_reaches_from_a_tenth_of_the_least_error_to_twice_the_excess() -> None:
    grid = scale_grid(np.array([0.5, -3.0, 2.9]), np.array([1.0, 1.0, 0.4]))
    largest = 2 * np.sqrt(2.9**2 - 0.4**2)
    steps = int(np.ceil(2 * np.log2(largest / 0.04)))
    np.testing.assert_allclose(grid[1:], largest * np.sqrt(2.0) ** np.arange(-steps, 1))
    assert grid[1] <= 0.04 < grid[2]
    within = scale_grid(np.array([0.3, -1.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(within, [0, *(0.8 * 2.0 ** (np.arange(-6, 1) / 2))])


def test_a_step_ends_where_the_first_falls_to_0() -> None:
    assert (
        _step_to_boundary(np.array([1.0, 2.0, 3.0]), np.array([-0.5, -4.0, 1.0])) == 0.5
    )
    assert _step_to_boundary(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == np.inf


@pytest.mark.parametrize("seed", range(4))
def test_weights_meet_the_conditions_of_their_optimum(seed: int) -> None:
    """The gradient is the number of rows where a weight is used and no larger elsewhere
    (Karush, Kuhn, Tucker).
    """
    rng = np.random.default_rng(seed)
    rows, counts = np.exp(rng.normal(0, 1.5, (60, 20))), rng.uniform(0.3, 3, 60)
    weight = _interior_point(rows, counts)
    gradient = rows.T @ (counts / (rows @ weight)) / counts.sum()
    assert weight.sum() == pytest.approx(1, abs=1e-12)
    assert (weight >= 0).all()
    assert np.abs(gradient[weight > 0] - 1).max() < 1e-9
    assert (gradient < 1 + 1e-9).all()
    assert (weight == 0).any()


@pytest.mark.parametrize("factors", [0, 1, 2])
@pytest.mark.parametrize("weight", [(1.0, 1.0), (2.0, 6.0)])
def test_the_joint_density_of_a_spike_and_slab_is_that_of_its_rows(
    factors: int, weight: tuple[float, float]
) -> None:
    rng = np.random.default_rng(factors)
    k = 21
    loadings = rng.normal(0, 0.4, (k, factors)) if factors else None
    effect, noise = rng.normal(0, 2, k), Noise(rng.uniform(0.5, 2, k), loadings)
    prior = Prior(tau_scale=1.5)
    model = _scaled_model(effect, noise, prior, weight)
    assert model.grain == pytest.approx(1 / np.sqrt(np.mean(1 / noise.marginal)))
    assert model.upper == pytest.approx(np.arcsinh(1.5 / model.grain) + 2 + 20 / 3)
    ends = replace(model, prior=Prior(tau="uniform", tau_scale=3.0))
    assert float(ends.tau(ends.upper)) == pytest.approx(3.0)
    u, v = np.array([0.4, 1.7]), np.array([-2.0, 0.5, 3.0])
    w = 1 / (1 + np.exp(-v))

    def by_rows(scores: Array, tau: float, w: float) -> Array:
        left = effect - scores @ model.loadings.T
        both = (1 - w) * norm.pdf(left, 0, np.sqrt(noise.variances))
        both = both + w * norm.pdf(left, 0, np.sqrt(noise.variances + tau**2))
        return np.asarray(np.log(both).sum(axis=1) - 0.5 * (scores**2).sum(axis=1))

    for i, tau in enumerate(model.grain * np.sinh(u)):
        each = np.array([by_rows(model.scores, tau, x) for x in w])
        np.testing.assert_allclose(model.log_scores(tau, w, 1 - w), each, rtol=1e-9)
        prior_u = log_prior_tau(prior, np.array([tau]))[0] + np.log(
            model.grain * np.cosh(u[i])
        )
        a, b = weight
        prior_v = a * np.log(w) + b * np.log(1 - w) - betaln(a, b)
        expected = logsumexp(each, axis=1) + prior_u + prior_v
        np.testing.assert_allclose(model.log_joint(u, v)[i], expected, rtol=1e-9)
    residual = effect - model.scores @ model.loadings.T
    ratio = norm.logpdf(residual, 0, np.sqrt(noise.variances + 4)) - norm.logpdf(
        residual, 0, np.sqrt(noise.variances)
    )
    np.testing.assert_allclose(
        model.log_ratio(residual, 2.0), ratio, rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("weight", [(1.0, 1.0), (0.5, 6.0)])
def test_scores_within_thirty_nats_of_the_likeliest_are_kept(
    weight: tuple[float, float], few: bool
) -> None:
    rng = np.random.default_rng(3)
    k = 4 if few else 25
    noise = Noise(rng.uniform(0.5, 2, k), rng.normal(0, 0.4, (k, 1)))
    effect = rng.normal(0, 2, k)
    if few:  # a score of 0 leaves an effect of 40, one of 4 none
        noise.loadings[3], effect[3] = 10.0, 40.0
    model = _scaled_model(effect, noise, Prior(tau_scale=1.5), weight)
    model = replace(model, scores=np.linspace(-12, 12, 1_201)[:, None])
    v, u = (
        np.linspace(-x, x, 13) if i == 0 else np.linspace(0, x, 13)
        for i, x in enumerate((20 + np.log(k), model.upper))
    )
    w, best = 1 / (1 + np.exp(-v)), []
    for x in u:
        tau = model.grain * np.sinh(x)
        level = log_prior_tau(model.prior, np.array([tau]))[0] + np.log(
            model.grain * np.cosh(x)
        )
        prior = weight[0] * np.log(w) - weight[1] * np.logaddexp(0, v)
        best.append(
            (
                model.log_scores(tau, w, 1 / (1 + np.exp(v))) + prior[:, None] + level
            ).max(axis=0)
        )
    highest = np.max(best, axis=0)
    kept = _relevant_scores(model)
    np.testing.assert_array_equal(kept, highest > highest.max() - 30)
    assert 0 < kept.sum() < 1_201


def test_scores_given_effects_are_those_of_a_regression() -> None:
    rng = np.random.default_rng(4)
    noise = Noise(rng.uniform(0.5, 2, 9), rng.normal(0, 0.6, (9, 2)))
    model = _scaled_model(rng.normal(0, 2, 9), noise, Prior(), (1.0, 1.0))
    variance = rng.uniform(0, 3, (5, 9))
    found = _draw_scores_given_effects(model, variance, np.random.default_rng(7))
    z = np.random.default_rng(7).standard_normal((5, 2))
    L = model.loadings
    for i in range(5):
        weight = 1 / (model.variances + variance[i])
        covariance = np.linalg.inv(np.eye(2) + (L.T * weight) @ L)
        mean = covariance @ L.T @ (weight * model.effect)
        np.testing.assert_allclose(
            found[i], mean + np.linalg.cholesky(covariance) @ z[i], rtol=1e-9
        )


@pytest.mark.parametrize("first", [True, False])
def test_of_two_maxima_the_higher_one_is_taken(
    first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect, noise = np.array([0.0, 1.0, 8.0]), Noise(np.ones(3))
    shared = linear_part(fixed_effects_design(3, None, Prior(mu_sd=2.0)), noise)
    plain, fits = mixture_module._alternate_maxima, []

    def lower(*given: Any) -> Any:
        fit = plain(*given)
        better = (not fits) == first
        weights = replace(
            fit.weights, penalized=fit.weights.penalized - (0.0 if better else 5.0)
        )
        fits.append((better, replace(fit, weights=weights)))
        return fits[-1][1]

    monkeypatch.setattr(mixture_module, "_alternate_maxima", lower)
    variance = np.array([0.0, 1.0, 9.0])
    found = mixture_module._fit_mixture(
        effect, noise.variances, variance, np.ones(3), shared
    )
    assert len(fits) == 2
    assert found is next(fit for better, fit in fits if better)


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_the_likeliest_given_the_center_and_the_center_given_them(
    seed: int,
) -> None:
    rng, k, variance, counts = (
        np.random.default_rng(seed),
        12,
        np.array([0.0, 1.0, 4.0, 16.0]),
        np.array([4.0, 1, 1, 1]),
    )
    effect, prior = rng.normal(4, 2, k), Prior(mu_sd=1.0)
    shared = linear_part(fixed_effects_design(k, None, prior), Noise(np.ones(k)))
    fit = mixture_module._fit_mixture(effect, np.ones(k), variance, counts, shared)
    center = float((shared.columns @ fit.mode.value)[0])
    density = norm.pdf(effect[:, None], center, np.sqrt(1 + variance))
    weight = fit.weights.weight
    each = density * weight / (density @ weight)[:, None]
    np.testing.assert_allclose(
        each.sum(axis=0) + counts - 1, (k + 3) * weight, atol=2e-3
    )
    slope = (
        each / (1 + variance) * (effect[:, None] - center)
    ).sum() - center / prior.mu_sd**2
    assert slope == pytest.approx(0, abs=2e-3)


def test_weights_say_their_own_objective_and_gradient() -> None:
    density = np.random.default_rng(0).normal(size=(40, 3))
    counts = np.array([10.0, 1.0, 3.0])
    fit = mixture_weights(density, counts)
    likelihood = np.log(np.exp(density) @ fit.weight).sum()
    assert fit.log_likelihood == pytest.approx(likelihood)
    assert fit.penalized == pytest.approx(
        likelihood + 9 * np.log(fit.weight[0]) + 2 * np.log(fit.weight[2])
    )
    gradient = (np.exp(density) / (np.exp(density) @ fit.weight)[:, None]).sum(
        axis=0
    ) + (counts - 1) / fit.weight
    assert fit.kkt_excess == pytest.approx(gradient.max() / (40 + 11) - 1, abs=1e-12)
    assert abs(fit.kkt_excess) < 1e-10
    assert fit.weight.sum() == pytest.approx(1, abs=1e-12)


def test_how_much_better_ratios_fit_does_not_depend_on_the_unit() -> None:
    generator = np.random.default_rng(0)
    se = np.exp(generator.normal(size=60))
    effect = generator.normal(0, np.sqrt(1 + 4) * se)
    here, there = (
        effect_se_dependence(effect, se),
        effect_se_dependence(100 * effect, 100 * se),
    )
    assert there.gain == pytest.approx(here.gain, abs=1e-6)
    assert here.alpha == int(here.gain > 0)


def test_one_scale_is_the_spread_and_one_bad_scale_is_refused() -> None:
    effect, noise = np.array([30.0, -10.0, 5.0]), Noise(np.full(3, 25.0))
    assert mixture(
        effect, noise, Prior(), scales=np.array([9.0])
    ).nodes.tau == pytest.approx(9)
    np.testing.assert_allclose(
        scale_grid(np.array([-3.0, 0.0]), np.ones(2))[-1], 2 * np.sqrt(8)
    )


def test_where_all_is_at_0_an_effect_that_is_not_0_is_not_shrunken() -> None:
    effect = np.array([0.3, -0.2])
    draws = mixture(
        effect, Noise(np.array([1.0, 4.0])), Prior(), scales=np.array([0.0])
    ).draw(20_000, np.random.default_rng(0))
    assert draws.slab is not None
    np.testing.assert_allclose(draws.slab.mean(axis=0), effect, atol=0.08)
    np.testing.assert_allclose(draws.slab.std(axis=0), [1.0, 2.0], rtol=0.03)


def test_an_effect_without_a_loading_has_the_posterior_that_it_has_alone() -> None:
    """Its linear part is known: every stratum is the same."""
    shared = LinearPart(np.array([[0.0], [0.7]]), np.ones(1), 0)
    effect, noise = np.array([1.5, -0.4]), np.array([1.0, 2.0])
    nodes = row_nodes(1.0, effect, THREE, shared, np.array([0.3]), np.array([[0.5]]))
    alone = effect_summary(Node(1.0, effect[:1], np.zeros(1), THREE), noise[:1])
    for node in nodes:
        found = effect_summary(node, noise)
        for name in ("mean", "square", "below", "above", "zero"):
            np.testing.assert_allclose(
                getattr(found, name)[:1], getattr(alone, name), rtol=1e-12
            )


def test_scores_are_drawn_with_their_probabilities_however_far_the_heights_lie_apart() -> (
    None
):
    """Two scores alike, whose densities no float holds, and one of e^-10^6 of their
    probability.
    """
    one = _scaled_model(
        np.zeros(1), Noise(np.ones(1), np.ones((1, 1))), PRIOR, (1.0, 1.0)
    )
    many = {
        "effect": np.zeros(1_500),
        "variances": np.ones(1_500),
        "loadings": np.ones((1_500, 1)),
    }
    model = replace(one, **many, scores=np.array([[40.0], [0.5], [-0.5]]))
    drawn = _draw_scores(
        model, np.full(400, 0.5), np.full(400, 1e-3), np.random.default_rng(0)
    )
    share = np.bincount(drawn, minlength=3) / 400
    assert share[0] == 0
    assert abs(share[1] - 0.5) < 4.5 * 0.5 / np.sqrt(400)


@pytest.mark.parametrize("r", [1, 2])
def test_two_effects_of_a_spike_and_slab_under_shared_errors_by_enumeration(
    r: int,
) -> None:
    """Four sets of two effects that are 0, each a normal with the whole covariance,
    integrated over tau.
    """
    loadings = np.array([[0.8, 0.3], [0.5, -0.6]])[:, :r]
    variances, effect = np.array([0.5, 1.2]), np.array([2.0, -0.4])
    sigma, x = loadings @ loadings.T + np.diag(variances), np.linspace(-9, 8, 250)
    height, mean, square, zero = [], [], [], []
    prior = log_prior_tau(PRIOR, np.exp(x)) + x
    for (i, tau), which in product(enumerate(np.exp(x)), product((0.0, 1.0), repeat=2)):
        slab = np.diag(tau**2 * np.array(which))
        total = sigma + slab
        gain, n = slab @ np.linalg.inv(total), sum(which)
        level = -0.5 * np.log(
            np.linalg.det(2 * np.pi * total)
        ) - 0.5 * effect @ np.linalg.solve(total, effect)
        height.append(level + prior[i] + betaln(1 + n, 3 - n))
        mean.append(gain @ effect)
        square.append(np.diagonal(slab - gain @ slab) + (gain @ effect) ** 2)
        zero.append(1 - np.array(which))
    answer = spike_and_slab(effect, Noise(variances, loadings), PRIOR)
    assert answer.log_evidence == pytest.approx(
        logsumexp(height) + np.log(x[1] - x[0]), abs=1e-3
    )
    weight = np.exp(np.array(height) - logsumexp(height))
    np.testing.assert_allclose(answer.mean, weight @ np.array(mean), atol=5e-4)
    np.testing.assert_allclose(
        answer.sd**2 + answer.mean**2, weight @ np.array(square), rtol=1e-3
    )
    np.testing.assert_allclose(answer.lfdr, weight @ np.array(zero), atol=5e-4)


def test_each_tau_has_the_heights_of_its_own_weight() -> None:
    """Of forty effects at three scores, where tau is one number and where there is one
    for each weight.
    """
    rng = np.random.default_rng(8)
    noise = Noise(rng.uniform(0.5, 2, 40), rng.normal(0, 0.4, (40, 1)))
    model = replace(
        _scaled_model(rng.normal(0, 2, 40), noise, PRIOR, (1.0, 1.0)),
        scores=np.array([[0.0], [1], [-2]]),
    )
    tau, share = np.array([0.3, 2.0]), np.array([0.2, 0.7])
    both = model.log_scores(tau[:, None, None], share, 1 - share)
    for i in range(2):
        left = model.effect - model.scores @ model.loadings.T
        density = (1 - share[i]) * norm.pdf(left, 0, np.sqrt(noise.variances))
        density += share[i] * norm.pdf(left, 0, np.sqrt(noise.variances + tau[i] ** 2))
        expected = np.log(density).sum(axis=1) - 0.5 * model.scores[:, 0] ** 2
        np.testing.assert_allclose(both[i], expected, rtol=1e-12)
        np.testing.assert_allclose(
            model.log_scores(tau[i], share[i : i + 1], 1 - share[i : i + 1])[0],
            expected,
        )


def test_a_center_has_its_covariates_about_their_means() -> None:
    x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 20.0], [3.0, 20.0]])
    design = fixed_effects_design(4, x, Prior(mu_sd=6.0))
    np.testing.assert_allclose(
        design.columns, np.column_stack([np.ones(4), x - [3.0, 20.0]])
    )
    np.testing.assert_allclose(design.sd, [6.0, 6 / x[:, 0].std(), 6 / x[:, 1].std()])
    apart = fixed_effects_design(4, x * [1e-7, 1e7], Prior())
    np.testing.assert_allclose(apart.columns[:, 1:], (x - [3.0, 20.0]) * [1e-7, 1e7])


def test_a_step_that_goes_too_far_is_halved_until_the_density_does_not_fall() -> None:
    effect, noise = np.array([0.3, -0.2, 0.4]), Noise(np.ones(3))
    shared = linear_part(fixed_effects_design(3, None, Prior(mu_sd=2.0)), noise)
    law, start = Components(np.array([0.5]), np.ones(1)), np.array([-1.0])
    rows = exact_module._rows_at(effect, noise.variances, law, shared, start)
    for step in (2.0, 64.0):
        ahead, _ = exact_module._line_search(
            effect, noise.variances, law, shared, start, rows, np.array([step])
        )

        def height(mu: float) -> float:
            return float(
                norm.logpdf(effect - mu, 0, np.sqrt(1.5)).sum() + norm.logpdf(mu, 0, 2)
            )

        halvings = next(k for k in range(9) if height(-1 + step / 2**k) >= height(-1.0))
        np.testing.assert_allclose(ahead, -1 + step / 2**halvings)


def test_draws_of_a_spike_and_slab_say_the_density_of_each_effect_at_their_weight_and_tau() -> (
    None
):
    effect, noise = np.array([1.0, -6.0, 0.0]), Noise(np.array([1.0, 4.0, 0.25]))
    model = _scaled_model(effect, noise, PRIOR, (1.0, 1.0))
    w, tau = np.array([0.1, 0.5, 0.9, 0.3]), np.array([0.2, 1.0, 5.0, 2.0])
    u, v = np.arcsinh(tau / model.grain), np.log(w / (1 - w))
    surface: Any = SimpleNamespace(draw=lambda n, generator: (u[:n], v[:n]))
    draws = _draw_spike_slab(model, surface, 4.0, 4, np.random.default_rng(0))
    np.testing.assert_allclose(draws.tau, 4 * tau * np.sqrt(w))
    assert draws.log_likelihood is not None
    sd = np.sqrt(noise.variances)
    for i, row in enumerate(draws.log_likelihood()):
        density = (1 - w[i]) * norm.pdf(effect, 0, sd) + w[i] * norm.pdf(
            effect, 0, np.sqrt(sd**2 + tau[i] ** 2)
        )
        np.testing.assert_allclose(row, np.log(density / 4), rtol=1e-9)


@pytest.mark.parametrize("first", [True, False])
def test_maxima_are_compared_with_the_prior_of_their_coefficients(
    first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Likelihoods of 5 and 4; the center of the first is 2 sd of its prior from 0."""
    shared = linear_part(
        fixed_effects_design(3, None, Prior(mu_sd=2.0)), Noise(np.ones(3))
    )
    fits = [
        SimpleNamespace(
            weights=SimpleNamespace(penalized=height),
            mode=SimpleNamespace(value=np.array([mu])),
        )
        for height, mu in ((5.0, 4.0), (4.0, 0.0))
    ]
    given = iter(fits if first else fits[::-1])
    monkeypatch.setattr(mixture_module, "_alternate_maxima", lambda *_: next(given))
    monkeypatch.setattr(
        mixture_module, "_starting_coefficients", lambda *_: np.zeros(1)
    )
    found = mixture_module._fit_mixture(
        np.ones(3), np.ones(3), np.ones(1), np.ones(1), shared
    )
    assert found is fits[1]


def test_the_precision_of_scores_is_largest_where_no_effect_varies() -> None:
    rng = np.random.default_rng(9)
    loadings, variances = rng.normal(size=(6, 2)), rng.uniform(0.1, 5.0, 6)
    joint = np.linalg.inv(
        np.block(
            [
                [np.eye(2), loadings.T],
                [loadings, loadings @ loadings.T + np.diag(variances)],
            ]
        )
    )
    np.testing.assert_allclose(
        _score_precision(loadings, variances), joint[:2, :2], rtol=1e-9
    )


def test_the_evidence_of_effects_that_are_all_0_is_that_of_quadrature() -> None:
    """Twenty of them: tau has its prior where hardly any effect is in the slab, and is
    small where all are.
    """
    prior = Prior(tau="half_cauchy", tau_scale=2.0)
    t, w = (
        np.exp(np.linspace(-9, 14, 1_500)),
        np.linspace(1e-5, 1 - 1e-5, 4_001)[:, None],
    )
    height = (
        20 * np.log((1 - w) + w / np.sqrt(1 + t**2))
        + log_prior_tau(prior, t)
        + np.log(t)
    )
    expected = np.log(
        np.exp(height).mean(axis=0).sum() * np.log(t[1] / t[0])
    ) - 10 * np.log(2 * np.pi)
    answer = spike_and_slab(np.zeros(20), Noise(np.ones(20)), prior)
    assert answer.log_evidence == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("third", [-2.0, 2.0])
def test_the_mode_of_a_slope_is_the_highest_point_though_one_effect_says_nothing_of_it(
    sign: int, third: float
) -> None:
    """A slope through 0: the effect at x = 0 has the same linear part at any slope."""
    x, noise = np.array([[0.0], [1.0], [third], [3.0]]), np.ones(4)
    effect = sign * np.array([0.5, 1.0, 1.15 * third, 5.0])
    shared = LinearPart(x, np.array([0.25]), 1)
    law = Components(np.array([0.1, 16.0]), np.array([0.7, 0.3]))

    def height(slope: float) -> float:
        rest = effect - slope * x[:, 0]
        density = 0.7 * norm.pdf(rest, 0, np.sqrt(1.1)) + 0.3 * norm.pdf(
            rest, 0, np.sqrt(17.0)
        )
        return float(np.log(density).sum() - 0.125 * slope**2)

    best = minimize_scalar(
        lambda slope: -height(slope),
        bounds=(-5, 5),
        method="bounded",
        options={"xatol": 1e-9},
    ).x
    found = shared_mode(effect, noise, law, shared, np.zeros(1))
    np.testing.assert_allclose(found.value, best, atol=1e-6)


def test_nodes_of_a_linear_part_have_its_moments() -> None:
    """A center mu ~ N(1, .09) and a score f ~ N(-.5, .25) given mu: of the residuals,
    the centers, and both.
    """
    shared = LinearPart(np.array([[1.0, 2.0], [1.0, -1.0], [1.0, 0.0]]), np.ones(2), 1)
    effect, value, root = (
        np.array([3.0, 0.0, 1.0]),
        np.array([1.0, -0.5]),
        np.array([[0.3, 0.0], [0.2, 0.5]]),
    )
    nodes = row_nodes(
        0.8, effect, Components(np.ones(1), np.ones(1)), shared, value, root
    )
    weight = np.array([node.weight for node in nodes])
    linear = np.array([effect - node.residual for node in nodes])
    center = np.array([node.location for node in nodes])
    covariance = root @ root.T
    assert weight.sum() == pytest.approx(0.8)
    np.testing.assert_allclose(
        weight @ linear / 0.8, shared.columns @ value, atol=1e-12
    )
    np.testing.assert_allclose(weight @ center / 0.8, np.full(3, value[0]))
    both = weight @ ((linear - shared.columns @ value) * (center - value[0])) / 0.8
    both += (
        weight @ np.array([node.residual_sd * node.location_sd for node in nodes]) / 0.8
    )
    np.testing.assert_allclose(both, shared.columns @ covariance[:, 0], rtol=1e-9)


@pytest.mark.parametrize("factors", [0, 1])
@pytest.mark.parametrize("unit", [1e-3, 7.0])
def test_the_evidence_of_a_spike_and_slab_is_a_density_in_the_unit_of_the_effects(
    unit: float, factors: int
) -> None:
    rng = np.random.default_rng(8)
    effect, variances = rng.normal(0, 2, 9), rng.uniform(0.5, 2, 9)
    loadings = rng.normal(0, 0.5, (9, factors)) if factors else None
    here = spike_and_slab(effect, Noise(variances, loadings), Prior(tau_scale=1.5))
    there = spike_and_slab(
        unit * effect,
        Noise(unit**2 * variances, None if loadings is None else unit * loadings),
        Prior(tau_scale=1.5 * unit),
    )
    assert there.log_evidence == pytest.approx(
        here.log_evidence - 9 * np.log(unit), abs=1e-6
    )


def test_draws_of_a_spike_and_slab_are_taken_one_by_one_where_a_block_holds_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(9)
    answer = spike_and_slab(
        rng.normal(0, 2, 5), Noise(np.full(5, 0.7), rng.normal(0, 0.5, (5, 1))), PRIOR
    )
    monkeypatch.setattr("causalgia.posterior.spike_and_slab.BLOCK", 1)
    draws = answer.draw(2_000, np.random.default_rng(1)).ace
    assert (
        np.abs(draws.mean(axis=0) - answer.mean) < 4.5 * answer.sd / np.sqrt(2_000)
    ).all()
