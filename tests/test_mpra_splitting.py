"""A/A comparisons of random barcodes: every barcode in one half, halves alike, and no
effect that is not there.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from assay import simulated_counts

import causalgia as cg


def counts_for(n, **options):
    table = pd.DataFrame(
        {
            "element": np.repeat([f"u{i}" for i in range(n)], 2),
            "arm": ["control", "GATA1"] * n,
        }
    )
    control = pd.DataFrame(
        {"element": ["s0"], "arm": ["scramble"], "group": ["negative"]}
    )
    table = pd.concat([table.assign(group="test"), control]).assign(log2=0.0)
    return simulated_counts(
        table, **{"n_barcodes": 9, "n_replicates": 3, "rng": 1, **options}
    )


@pytest.mark.parametrize("plasmid", [False, True])
def test_every_barcode_of_a_test_oligo_is_in_one_half_with_its_own_counts(plasmid):
    counts = counts_for(10, plasmid=plasmid)
    halves = cg.mpra.split_duplicates(counts, rng=3)
    assert halves.sizes["oligo"] == 40
    was, now = (
        counts["oligo"].values[counts["oligo_index"].values],
        halves["oligo_index"].values,
    )
    of = dict(zip(counts["barcode"].values, was, strict=True))
    assert [of[b] for b in halves["barcode"].values] == halves["split_from"].values[
        now
    ].tolist()
    assert np.bincount(now).reshape(-1, 2).tolist() == [[5, 4]] * 20
    same = counts.sel(barcode=halves["barcode"].values)
    for name in (
        "dna",
        "rna",
        "dna_observed",
        "rna_observed",
        "dna_total",
        "rna_total",
    ):
        np.testing.assert_array_equal(halves[name], same[name])
    assert (
        halves["element"].values[:4].tolist() == ["u0:control"] * 2 + ["u0:GATA1"] * 2
    )
    assert set(halves["group"].values) == {"duplicate"}
    assert json.loads(halves.attrs["split"]) == {
        "oligos": 20,
        "too_few": 0,
        "not_chosen": 0,
    }


def test_the_split_depends_on_the_seed_alone():
    counts = counts_for(10)
    turned = counts.isel(
        barcode=np.random.default_rng(0).permutation(counts.sizes["barcode"])
    )

    def half_of(one, rng):
        made = cg.mpra.split_duplicates(one, n_oligos=5, rng=rng)
        of = made["oligo"].values[made["oligo_index"].values]
        return dict(zip(made["barcode"].values.tolist(), of.tolist(), strict=True))

    assert half_of(counts, 1) == half_of(turned, 1)
    assert half_of(counts, 1) != half_of(counts, 2)


@pytest.mark.simulation
def test_each_barcode_is_as_often_in_either_half():
    counts = counts_for(2, n_barcodes=8)
    first = np.zeros(32)
    for rng in range(200):
        halves = cg.mpra.split_duplicates(counts, rng=rng)
        first += halves["oligo_index"].values % 2
    assert np.abs(first - 100).max() < 4.2 * np.sqrt(200 / 4)


def test_oligos_with_few_barcodes_are_counted():
    table = pd.DataFrame({"element": ["u0", "u1", "u2"], "arm": "GATA1", "log2": 0.0})
    counts = cg.mpra.simulate(table, n_barcodes=[3, 4, 9], rng=1)
    halves = cg.mpra.split_duplicates(counts, n_oligos=1, rng=1)
    assert json.loads(halves.attrs["split"]) == {
        "oligos": 1,
        "too_few": 1,
        "not_chosen": 1,
    }


@pytest.mark.simulation
@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_halves_of_an_oligo_differ_as_often_as_chance_would_have_it():
    halves = cg.mpra.split_duplicates(
        counts_for(150, n_barcodes=20, n_replicates=4, sd_barcode=0.6), rng=2
    )
    share = {}
    for method in ("hierarchical", "two_way"):
        share[method] = float(
            (
                cg.mpra.fit(halves, control="duplicate 1", method=method)["p"] < 0.05
            ).mean()
        )
    error = np.sqrt(0.05 * 0.95 / 300)
    assert share["hierarchical"] < 0.05 + 3 * error
    assert abs(share["two_way"] - 0.05) < 3.5 * error
