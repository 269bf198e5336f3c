# Imports from the inside: the bootstrap of arrays, draw by draw.
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from causalgia.estimation.crossover import mean_ice
from causalgia.multiplicity.bootstrap_t import (
    _t_of_equal_clusters,
    _t_of_unequal_clusters,
    bootstrap_t_max,
    rare_reach,
)

# ---- bootstrap-t


@pytest.mark.parametrize(
    "sizes", [[1] * 12, [3] * 12, [1, 4, 2, 7, 3, 2, 5, 1, 1, 2, 6, 3]]
)
def test_a_draw_is_the_estimate_of_the_resampled_clusters(sizes: list[int]) -> None:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(12), sizes)
    ice = rng.exponential(size=(len(cluster), 5)) + rng.normal(size=(12, 5))[cluster]
    counts = np.array(
        [np.bincount(rng.integers(0, 12, 12), minlength=12) for _ in range(6)],
        dtype=np.float32,
    )
    residuals = ice - ice.mean(axis=0)
    sums = np.array([residuals[cluster == g].sum(axis=0) for g in range(12)]).T.astype(
        np.float32
    )
    blocks = (
        _t_of_equal_clusters(sums, iter([counts]))
        if len(set(sizes)) == 1
        else _t_of_unequal_clusters(
            sums, np.array(sizes, dtype=np.float32), iter([counts])
        )
    )
    mine = next(blocks)
    for b, row in enumerate(counts.astype(int)):
        drawn = [g for g in range(12) for _ in range(row[g])]
        units = np.concatenate([np.flatnonzero(cluster == g) for g in drawn])
        codes = np.repeat(np.arange(12), [sizes[g] for g in drawn])
        theirs = mean_ice(residuals[units], codes)
        np.testing.assert_allclose(
            mine[:, b], np.abs(theirs.ace / theirs.se), rtol=2e-5, atol=1e-6
        )


def test_one_normal_contrast_is_students_t() -> None:
    ice = np.random.default_rng(3).normal(size=(400, 1)) + 0.12
    answer = bootstrap_t_max(ice, n_draws=20_000, rng=0)
    t = stats.ttest_1samp(ice[:, 0], 0)
    assert abs((answer.maxima >= abs(t.statistic)).mean() - t.pvalue) < 0.012
    assert abs(answer.critical - stats.t.ppf(0.975, 399)) < 0.06


@pytest.mark.simulation
@pytest.mark.parametrize(
    "kind", ["exponential", "lognormal", "rare binary", "rare exponential", "clustered"]
)
def test_family_wise_error_is_at_most_nominal(kind: str) -> None:
    rng, n, k, trials = np.random.default_rng(8), 100, 200, 100
    cluster = np.arange(n) // 4 if kind == "clustered" else None

    def null() -> np.ndarray:
        if kind == "exponential":
            return rng.exponential(size=(n, k)) - 1
        if kind == "lognormal":
            return np.exp(rng.normal(size=(n, k))) - np.exp(0.5)
        if kind == "clustered":
            return np.repeat(rng.normal(size=(n // 4, k)), 4, axis=0) + rng.normal(
                size=(n, k)
            )
        size = 1.0 if kind == "rare binary" else rng.exponential(size=(n, k))
        return (rng.random((n, k)) < 0.03) * size - 0.03

    false = 0
    for _ in range(trials):
        ice = null()
        half = bootstrap_t_max(ice, cluster, n_draws=199, rng=rng).half_width
        false += bool((np.abs(ice.mean(axis=0)) > half).any())
    assert false <= stats.binom.ppf(1 - 1e-4, trials, 0.05)


@settings(max_examples=settings.default.max_examples // 2)
@given(st.integers(0, 10_000), st.sampled_from([1e-200, 1e-3, 1e150]))
def test_bootstrap_t_is_invariant(seed: int, size: float) -> None:
    ice = np.random.default_rng(seed).exponential(size=(20, 6)) - 0.5
    plain = bootstrap_t_max(ice, n_draws=99, rng=1)
    order = np.random.default_rng(seed).permutation(6)
    again = bootstrap_t_max(-ice[:, order] * size, n_draws=99, rng=1)
    np.testing.assert_allclose(
        again.half_width, plain.half_width[order] * size, rtol=1e-4
    )
    np.testing.assert_allclose(again.critical, plain.critical, rtol=1e-4)


def test_contrasts_that_do_not_vary() -> None:
    zeros = bootstrap_t_max(np.zeros((30, 10_000)), n_draws=39, rng=0)
    assert (zeros.half_width == 0).all()
    ones = bootstrap_t_max(np.ones((30, 3)), n_draws=39, rng=0)
    assert (ones.half_width == 0).all()
    mixed = bootstrap_t_max(
        np.column_stack([np.ones(30), np.random.default_rng(0).normal(size=30)]),
        n_draws=39,
        rng=0,
    )
    assert mixed.rare.tolist() == [True, False]
    assert 0 < mixed.half_width[0] < 1


def test_the_few_that_vary_answer_to_bonferroni() -> None:
    rng = np.random.default_rng(3)
    ice = (rng.random((115, 200)) < 0.03) - 0.03
    answer = bootstrap_t_max(ice, n_draws=199, rng=0)
    assert 100 < np.count_nonzero(answer.rare) < 200
    assert answer.critical >= stats.t.ppf(1 - 0.05 / 400, 114)


def test_few_clusters_that_all_differ_are_not_rare() -> None:
    ice = np.random.default_rng(0).normal(size=(5, 400))
    assert not bootstrap_t_max(ice, n_draws=39, rng=0).rare.any()


@pytest.mark.parametrize("n_hits", [1, 2, 4])
def test_rare_effects_of_either_sign_have_the_same_band(n_hits: int) -> None:
    """A band reaches from the ACE, past the common value, as far as clusters unseen
    could move it.
    """
    ice = np.full((100, 3), 0.3)
    ice[:n_hits] += np.array([5.0, 2.0, 1.0])
    up, down = (bootstrap_t_max(sign * ice, n_draws=199, rng=0) for sign in (1, -1))
    assert up.rare.all()
    np.testing.assert_allclose(down.half_width, up.half_width, rtol=1e-12)
    reach = rare_reach(5.0, np.full(3, n_hits), 100, 3, ci_prob=0.95)
    np.testing.assert_allclose(
        up.half_width, reach + n_hits / 100 * np.array([5.0, 2.0, 1.0]), rtol=1e-9
    )


def test_the_few_that_vary_among_many_rare_have_the_band_of_bonferroni() -> None:
    rng = np.random.default_rng(2)
    ice = np.zeros((60, 30))
    ice[0] = 1.0
    ice[:, :2] = rng.normal(size=(60, 2)) + np.array([0.0, 2.0])
    answer = bootstrap_t_max(ice, n_draws=199, rng=0)
    assert answer.rare.tolist() == [False] * 2 + [True] * 28
    alone = stats.t.ppf(1 - 0.05 / 60, 59) * stats.sem(ice[:, :2])
    assert (answer.half_width[:2] >= alone * (1 - 1e-9)).all()


def test_the_rule_of_three_covers() -> None:
    rng, share, trials = np.random.default_rng(0), 0.02, 4_000
    u = rng.binomial(100, share, trials)
    covered = (rare_reach(1.0, u, 100, 1, ci_prob=0.95) >= share).mean()
    assert covered >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / trials)


def test_a_cluster_as_large_as_a_whole_resample_is_no_error() -> None:
    """Five draws among four clusters of one unit have five units, as the fifth cluster
    has, which is not among them.
    """
    cluster = np.repeat(np.arange(5), [1, 1, 1, 1, 5])
    answer = bootstrap_t_max(
        np.random.default_rng(0).normal(size=(9, 2)), cluster, n_draws=999, rng=0
    )
    assert np.isfinite(answer.half_width).all()
