"""Imports variant_windows from the inside: letters of windows, base by base.

Matched null variants on real networks: null against null, planted effects, and
broken splice sites.

The networks are those of Chao et al. (2025, doi:10.7554/eLife.107454), Movva et al.
(2019, doi:10.1371/journal.pone.0218073) and de Almeida et al. (2022,
doi:10.1038/s41588-022-01048-5). The figures with 20,000 null variants are in
docs/howto/variants.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

import causalgia as cg
from causalgia.sequences.windowed_variants import variant_windows

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validation import matched

pytestmark = [pytest.mark.real, pytest.mark.torch]
N = 3_000  # null variants of each network


@pytest.mark.simulation
@pytest.mark.parametrize("name", matched.REAL)
@pytest.mark.usefixtures("shared")
def test_null_variants_are_rejected_at_the_nominal_rate(name):
    effects = matched.null_effects(name, N)[0][:, 0]
    # no z-score holds in such tails
    assert ((effects - effects.mean()) ** 4).mean() / effects.var() ** 2 > 6
    rng, m = np.random.default_rng(1), N // 2
    order = rng.permutation(N)
    p = matched.rank_among_matched(
        effects[order[m:]], effects[order[:m]], matched.one_stratum(m, m)
    ).p
    for alpha in (0.05, 0.01):
        band = 4 * np.sqrt(2 * alpha * (1 - alpha) / m)  # of two samples of m
        assert abs((p <= alpha).mean() - alpha) < band
    assert kstest(p, "uniform", method="asymp").statistic < 2.7 / np.sqrt(m / 2)
    shares = [
        matched.planted(rng, effects[o[m : m + 950]], effects[o[:m]], 50)
        for o in map(rng.permutation, [N] * 100)
    ]
    assert np.mean(shares) < 0.055 + 4 * np.std(shares) / 10


@pytest.mark.simulation
@pytest.mark.usefixtures("shared")
def test_broken_splice_sites_are_found():
    found = matched.splice_recall(300, 3_000)
    assert found["sites called"] >= 10
    assert found["recall"] >= 0.95
    assert found["of those found, not at a GT or AG"] <= 0.15


@pytest.mark.usefixtures("shared")
def test_sequences_keep_their_letters_but_for_the_change(tmp_path):
    chosen, _ = matched.splice_variants(tmp_path, 60)
    windows = variant_windows(chosen, tmp_path / "genome.fa", length=181)
    nulls = cg.MatchedVariants(of="genome").draw(
        windows, n_null=200, genome=tmp_path / "genome.fa"
    )
    assert ((nulls.reference != nulls.alternate).sum(1) == 1).all()
