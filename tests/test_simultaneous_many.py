# Imports from the inside: resampled blocks of units, and their merged clusters.
"""Bands of very many units: blocks of units are resampled, and the distribution of the
largest t stays what it was.
"""

from __future__ import annotations

import numpy as np
import pytest

from causalgia.multiplicity import bootstrap_t
from causalgia.multiplicity.bootstrap_t import (
    MOST_RESAMPLED,
    _merge_clusters,
    bootstrap_t_max,
)

LEVELS = (0.5, 0.8, 0.9, 0.95)


def skewed(rng, n):
    return np.exp(1.2 * rng.standard_normal((n, 3)))


def few_respond(rng, n):
    return (rng.random((n, 3)) < 0.006) + 1e-3 * rng.standard_normal((n, 3))


def test_draws_are_of_at_most_so_many_blocks_whatever_the_number_of_units(monkeypatch):
    drawn = []
    counts_of = bootstrap_t._resampled_counts

    def recorded(n_clusters, n_draws, size, draw):
        for counts in counts_of(n_clusters, n_draws, size, draw):
            drawn.append(counts.shape)
            yield counts

    monkeypatch.setattr(bootstrap_t, "_resampled_counts", recorded)
    for n in (300, MOST_RESAMPLED, MOST_RESAMPLED + 1, 100_003):
        drawn.clear()
        found = bootstrap_t_max(skewed(np.random.default_rng(0), n), n_draws=99, rng=0)
        assert {columns for _, columns in drawn} == {min(n, MOST_RESAMPLED)}
        assert sum(rows for rows, _ in drawn) == 99 == len(found.maxima)


@pytest.mark.simulation
@pytest.mark.parametrize("make", [skewed, few_respond])
@pytest.mark.parametrize("clustered", [False, True])
def test_blocks_have_the_distribution_of_their_units(monkeypatch, make, clustered):
    rng = np.random.default_rng(5)
    ice = make(rng, 9_000)
    cluster = (
        np.sort(np.r_[np.arange(6_000), rng.integers(0, 6_000, 3_000)])
        if clustered
        else None
    )
    joined = bootstrap_t_max(ice, cluster, n_draws=4_999, rng=1)
    monkeypatch.setattr(bootstrap_t, "MOST_RESAMPLED", len(ice))
    alone = bootstrap_t_max(ice, cluster, n_draws=4_999, rng=2)
    for level in LEVELS:  # the share of one that lies below a quantile of the other, with the errors of both
        share = (joined.maxima <= np.quantile(alone.maxima, level)).mean()
        assert abs(share - level) < 4.5 * np.sqrt(2 * level * (1 - level) / 4_999)


@pytest.mark.simulation
def test_contrasts_that_move_together_keep_their_band(monkeypatch):
    one = np.random.default_rng(0).exponential(size=(9_000, 1))
    twice = bootstrap_t_max(np.hstack([one, one]), n_draws=4_999, rng=1)
    assert twice.critical == pytest.approx(
        bootstrap_t_max(one, n_draws=4_999, rng=1).critical, rel=1e-5
    )
    assert twice.critical == pytest.approx(1.96, abs=0.09)


def test_merged_clusters_keep_their_sums_and_columns_of_zeros() -> None:
    n = 3 * MOST_RESAMPLED + 5
    rng = np.random.default_rng(0)
    sums, sizes = (
        np.stack([rng.normal(size=n), np.zeros(n)]).astype(np.float32),
        rng.integers(1, 4, n).astype(float),
    )
    merged, blocks = _merge_clusters(sums, sizes, np.random.default_rng(1))
    assert merged.shape == (2, MOST_RESAMPLED)
    assert blocks.sum() == sizes.sum()
    assert (merged[1] == 0).all()
    assert (merged[0] ** 2).mean() == pytest.approx(1, rel=1e-5)
    order = np.random.default_rng(1).permutation(n)
    first = sums[0, order[:3]].astype(float).sum()
    whole = np.array(
        [
            part.sum()
            for part in np.array_split(sums[0, order].astype(float), MOST_RESAMPLED)
        ]
    )
    assert merged[0, 0] == pytest.approx(first / np.sqrt((whole**2).mean()), rel=0.05)
