# Imports from the inside: where RNA levels off, against simulated ceilings.
"""RNA that levels off smoothly in all replicates: seen by barcodes of an oligo that
differ in DNA, and by nothing else.
"""

from __future__ import annotations

import json

import numpy as np
from test_mpra_read_faults import simulated, table

import causalgia as cg
from causalgia.mpra.counts.saturation import saturation

ASTRAY = 0.4
CEILING = 300.0


def leveled(rna: np.ndarray, m: float, rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(m * -np.expm1(-rna / m))


def tables(seed: int, **settings):
    """Return DNA and RNA of 200 oligos, RNA that levels off, and the oligos."""
    dna, rna, of = simulated(seed, n=200, each=8, depth=40.0, replicates=3, **settings)
    return dna, rna, leveled(rna, CEILING, np.random.default_rng(seed)), of


def test_a_smooth_ceiling_is_found_with_the_part_of_effects_that_is_left():
    for seed in range(3):
        dna, rna, level, of = tables(seed)
        x = rna / CEILING
        left = (level * x / np.expm1(np.maximum(x, 1e-9))).sum() / level.sum()
        found = saturation(table(dna, level, of))
        assert found.is_found
        assert abs(found.slope - left) < 0.2
        (verdict,) = json.loads(
            cg.mpra.quality(table(dna, level, of)).attrs["verdicts"]
        )
        assert verdict["verdict"] == "ceiling"
        assert f"{found.slope:.2f}" in verdict["says"]


def test_sound_rna_does_not_level_off():
    for seed in range(3):
        dna, rna, _, of = tables(seed)
        assert not saturation(table(dna, rna, of)).is_found


def test_reads_that_went_to_wrong_barcodes_are_no_ceiling():
    """They give rare barcodes RNA beyond their DNA, least so in active oligos."""
    dna, rna, _, of = tables(5)
    stray = np.random.default_rng(5).poisson(ASTRAY * rna.mean(), rna.shape)
    found = saturation(table(dna, rna + stray, of))
    assert found.z > 4 > 1.64 > found.z_active
    assert not found.is_found


def test_it_is_not_seen_in_sums_or_in_barcodes_of_the_same_dna():
    dna, _, level, of = tables(6)
    sums = [
        np.array([x[of == o].sum(axis=0) for o in range(200)]) for x in (dna, level)
    ]
    assert saturation(table(*sums, np.arange(200))) is None
    same = np.random.default_rng(0).poisson(40.0, dna.shape)
    activity = np.repeat(np.random.default_rng(1).normal(size=200), 8)
    expected = 40.0 * 2.0 ** activity[:, None] * np.ones(3)
    assert not saturation(
        table(same, leveled(expected, 60.0, np.random.default_rng(2)), of)
    ).is_found


def test_shallow_tables_are_not_called_wrong():
    """Halves of some oligos have no DNA in the other replicate."""
    for seed in range(3):
        dna, rna, of = simulated(seed, n=200, each=8, depth=3.0, replicates=2)
        found = saturation(table(dna, rna, of))
        assert found is None or not found.is_found
