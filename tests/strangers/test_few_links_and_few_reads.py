# Imports from the inside: arrays of counts, without a file of each.
"""Replicates that few oligos link, or of few reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.mpra.counts import counts_of

N_BARCODES = 12


def _table(rng, effect, depth, *, n_elements=60, dna=40.0):
    """Poisson counts of two arms; sds of barcodes .2, replicates .1 and cells .2."""
    n, R = 2 * n_elements, len(depth)
    activity = np.repeat(rng.normal(size=n_elements), 2)
    activity[1::2] += effect
    of = np.repeat(np.arange(n), N_BARCODES)
    abundance = rng.gamma(2, dna / 2, len(of))
    log = (activity[:, None] + rng.normal(0, 0.1, (n, R)))[of]
    log = log + rng.normal(0, 0.2, len(of))[:, None] + rng.normal(0, 0.2, log.shape)
    reads = rng.poisson(abundance[:, None] * np.asarray(depth) * 2**log)
    return of, rng.poisson(abundance[:, None] * np.ones(R)), reads


def _counts(of, dna, rna, read=None):
    read = np.ones(dna.shape, dtype=bool) if read is None else read
    side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(of[-1] + 1)]})
    side["element"] = [f"e{i // 2}" for i in range(len(side))]
    side["arm"] = ["ref", "alt"] * (len(side) // 2)
    barcodes = [
        "".join("ACGT"[i >> 2 * k & 3] for k in range(7)) for i in range(len(of))
    ]
    return counts_of(
        np.where(read, dna, 0),
        np.where(read, rna, 0),
        barcodes=barcodes,
        oligos=side["oligo_name"].to_numpy()[of],
        side_table=side,
        dna_observed=read,
        rna_observed=read,
    )


@pytest.mark.simulation
@pytest.mark.parametrize("depth", [0.01, 0.03])
def test_a_shallow_replicate_costs_no_precision(depth):
    effect = np.where(np.arange(60) < 30, 0.5, 0.0)
    of, dna, rna = _table(np.random.default_rng(0), effect, [1, 1, 1, depth])
    both, alone = (
        cg.mpra.fit(_counts(of, dna[:, :R], rna[:, :R]), control="ref") for R in (4, 3)
    )
    se = [fit["se"].median().item() for fit in (both, alone)]
    assert se[0] < 1.03 * se[1]
    assert both.attrs["sd_replicate"] < 0.15
    averages = [cg.mpra.average(fit)["se"].item() for fit in (both, alone)]
    assert averages[0] < 1.1 * averages[1]


def _apart(of, n_linking):
    """Ref in replicate 1, alt in 2 and 3; the first elements in all."""
    read = np.where(of[:, None] % 2 == 1, [[False, True, True]], [[True, False, False]])
    read[of < 2 * n_linking] = True
    return read


@pytest.mark.simulation
def test_levels_known_from_few_oligos_are_in_the_intervals():
    inside, inside_without = 0, 0
    for seed in range(12):
        of, dna, rna = _table(
            np.random.default_rng(seed), 1.0, [1, 4, 4], n_elements=30
        )
        fitted = cg.mpra.fit(_counts(of, dna, rna, _apart(of, 1)), control="ref")
        for found, names in ((fitted, "with"), (fitted.drop_vars("level_error"), "")):
            mean = cg.mpra.average(found)
            holds = mean["lower"].item() <= 1.0 <= mean["upper"].item()
            inside += holds if names else 0
            inside_without += 0 if names else holds
    assert inside >= 10 > inside_without
    assert cg.decide(fitted, rope=0).sizes["contrast"] == 30


def test_complete_tables_have_no_error_of_levels():
    of, dna, rna = _table(np.random.default_rng(0), 0.0, [1, 4], n_elements=20)
    assert "level_error" not in cg.mpra.fit(_counts(of, dna, rna), control="ref")


def test_barcodes_kept_for_reads_in_any_replicate_are_found():
    of, dna, rna = _table(np.random.default_rng(0), 1.0, [1, 1, 1], dna=1.0)
    cells = (dna > 0) & (rna > 0)
    rows = np.flatnonzero(cells.any(axis=1))
    found, every = (
        cg.mpra.fit(_counts(of[x], dna[x], rna[x]), control="ref").attrs
        for x in (rows, slice(None))
    )
    assert found["truncation_factor"] < 0.9
    assert "truncation_factor" not in every
