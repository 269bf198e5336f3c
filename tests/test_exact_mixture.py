"""The exact mixture: against quadrature, the normal law, simulation; and where it is
degenerate.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from causalgia.posterior import (
    scale_mixture,
)
from causalgia.posterior.mixture import (
    _step_to_boundary,
    effect_se_dependence,
    mixture,
    mixture_weights,
    null_biased_counts,
    scale_grid,
)
from causalgia.posterior.scale_mixture import (
    Components,
    Node,
    draw_mixtures,
    effect_summary,
    posterior_normals,
)
from causalgia.types import Array


def screen(n: int, seed: int, share: float = 0.1) -> tuple[Array, Array, Array]:
    """Effects of which a share is not 0, their estimates and se."""
    generator = np.random.default_rng(seed)
    se = generator.uniform(0.1, 0.6, n)
    delta = np.where(generator.random(n) < share, generator.normal(size=n), 0.0)
    return delta, generator.normal(delta, se), se


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


def test_draws_are_a_function_of_the_generator() -> None:
    _, effect, se = screen(30, 4, share=0.5)
    answer = mixture(effect, se**2)
    once, again = (answer.draw(20, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert (once != answer.draw(20, np.random.default_rng(1))).any()


@pytest.mark.simulation
def test_sign_rates_are_calibrated_when_truth_follows_the_model() -> None:
    delta, effect, se = screen(20_000, 10, share=0.3)
    answer = mixture(effect, se**2)
    wrong = np.sign(delta) != np.sign(answer.mean)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.5)):
        here = (answer.lfsr >= low) & (answer.lfsr < high)
        band = (
            4 * np.sqrt((answer.lfsr[here] * (1 - answer.lfsr[here])).sum())
            + 0.02 * here.sum()
        )
        assert abs(wrong[here].sum() - answer.lfsr[here].sum()) < band


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


def test_effects_of_exactly_0_stay_there() -> None:
    answer = mixture(np.zeros(10_000), np.full(10_000, 0.09))
    assert (answer.mean == 0).all()
    np.testing.assert_allclose(answer.lfsr, 1, atol=1e-6)


def test_an_outlier_is_left_alone() -> None:
    effect, se = (np.array(x) for x in DEGENERATE["outlier"])
    answer = mixture(effect, se**2)
    assert answer.mean[-1] == pytest.approx(1e4, rel=1e-3)


def test_shrinking_beats_raw_where_there_is_something_to_shrink() -> None:
    delta, effect, se = screen(4_000, 12, share=0.05)
    answer = mixture(effect, se**2)
    top = np.argsort(-np.abs(effect / se))[:40]
    raw, shrunken = (
        np.sqrt(np.mean((x - delta)[top] ** 2)) for x in (effect, answer.mean)
    )
    assert shrunken < raw
    everywhere = np.sqrt(np.mean((answer.mean - delta) ** 2)) / np.sqrt(
        np.mean((effect - delta) ** 2)
    )
    assert everywhere < 0.5


THREE = Components(np.array([0.0, 0.5, 9.0]), np.array([0.5, 0.3, 0.2]))


def test_moments_of_effects_at_a_node_are_those_of_its_normals() -> None:
    residual, noise = np.array([-2.0, 0.3, 4.0, 0.0]), np.array([0.3, 1.0, 2.0, 0.5])
    location = np.array([0.0, 0.0, -1.0, 0.7])
    node = Node(1.0, residual, location, THREE)
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
    np.testing.assert_allclose(sd, np.sqrt(gain * noise[:, None]), rtol=1e-12)

    found = effect_summary(node, noise)
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
