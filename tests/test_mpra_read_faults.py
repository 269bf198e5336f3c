# Imports from the inside: counts without a file, with reads swapped.
"""Faults in the reads of replicates: each is found in 20 of 20 simulated tables, and
not in sound tables of the same kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.mpra.counts import counts_of

Reads = tuple[np.ndarray, np.ndarray, np.ndarray]
N_TABLES = 20


def simulated(
    seed: int,
    *,
    n: int = 40,
    each: int = 10,
    replicates: int = 4,
    depth: float = 60.0,
    sd: float = 1.0,
    dispersion: float = 0.1,
) -> Reads:
    """Return DNA and RNA of barcodes that differ in abundance and activity, and the
    oligo of each.
    """
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n), each)
    activity = np.repeat(rng.normal(0, sd, n // 2), 2)
    activity[1::2] += 1.0
    abundance = rng.gamma(2, 0.5, n * each)[:, None] * depth
    both = (activity[of] + rng.normal(0, 0.5, n * each))[:, None]
    both = both + rng.normal(0, 0.15, (n, replicates))[of]
    noise = rng.gamma(1 / dispersion, dispersion, (2, n * each, replicates))
    return (
        rng.poisson(abundance * noise[0]),
        rng.poisson(abundance * 2.0**both * noise[1]),
        of,
    )


def table(dna: np.ndarray, rna: np.ndarray, of: np.ndarray) -> xr.Dataset:
    n = int(of.max()) + 1
    side = pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(n)],
            "element": [f"e{i // 2}" for i in range(n)],
            "arm": ["ref", "alt"] * (n // 2),
        }
    )
    codes = [
        "".join("ACGT"[(i >> 2 * k) & 3] for k in range(7)) for i in range(len(of))
    ]
    return counts_of(
        dna, rna, barcodes=codes, oligos=[f"o{i}" for i in of], side_table=side
    )


def findings(counts: xr.Dataset) -> list[dict]:
    return json.loads(cg.mpra.quality(counts).attrs["verdicts"])


def verdicts(counts: xr.Dataset) -> list[tuple[str, tuple[str, ...]]]:
    return [(one["verdict"], tuple(one["replicates"])) for one in findings(counts)]


def shift_third(dna, rna, of, rng):
    return *(_replaced(x, 2, np.roll(x[:, 2], 1)) for x in (dna, rna)), of


def shift_rna_back(dna, rna, of, rng):
    return dna, _replaced(rna, 1, np.roll(rna[:, 1], -2)), of


def shift_by_many(dna, rna, of, rng):
    return *(_replaced(x, 2, np.roll(x[:, 2], 37)) for x in (dna, rna)), of


def scale_part(dna, rna, of, rng):
    copied = rng.random(len(of)) < 0.4
    return *(
        _replaced(x, 1, np.where(copied, np.round(0.7 * x[:, 0]), x[:, 1]).astype(int))
        for x in (dna, rna)
    ), of


def scale_whole(dna, rna, of, rng):
    return *(
        _replaced(x, 1, np.round(1.3 * x[:, 0]).astype(int)) for x in (dna, rna)
    ), of


def cut_off(dna, rna, of, rng):
    return dna, np.minimum(rna, int(np.quantile(rna, 0.88))), of


def few_identifiers(dna, rna, of, rng):
    seen = 200 * -np.expm1(-6.0 * rna / 200)
    return dna, rng.binomial(200, np.minimum(seen / 200, 1.0)), of


def copy_part(dna, rna, of, rng):
    copied = rng.random(len(of)) < 0.4
    return *(
        _replaced(x, 1, np.where(copied, x[:, 0], x[:, 1])) for x in (dna, rna)
    ), of


def hundredth(dna, rna, of, rng):
    return *(_replaced(x, 3, rng.binomial(x[:, 3], 0.01)) for x in (dna, rna)), of


def no_rna(dna, rna, of, rng):
    return dna, np.where((of == 6)[:, None], 0, rna), of


def _replaced(x: np.ndarray, r: int, column: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[:, r] = column
    return x


EVERY = ("1", "2", "3", "4")
FAULTS: dict[str, tuple[Callable, dict, tuple[str, tuple[str, ...]]]] = {
    "rows of one replicate one down": (shift_third, {}, ("shifted", ("3",))),
    "RNA of one replicate two up": (shift_rna_back, {}, ("shifted", ("2",))),
    "rows of one of two": (
        shift_rna_back,
        {"replicates": 2},
        ("shifted", ("1", "2")),
    ),
    "rows of one replicate 37 down": (shift_by_many, {}, ("shifted", ("3",))),
    "two fifths copied and scaled": (
        scale_part,
        {"dispersion": 0.5},
        ("part_copied", ("1", "2")),
    ),
    "all copied and scaled": (scale_whole, {}, ("copied", ("1", "2"))),
    "RNA cut off": (cut_off, {}, ("ceiling", EVERY)),
    "identifiers that run out": (few_identifiers, {}, ("ceiling", EVERY)),
    "two fifths copied": (copy_part, {}, ("part_copied", ("1", "2"))),
    "two fifths copied, of overdispersed reads": (
        copy_part,
        {"dispersion": 0.5},
        ("part_copied", ("1", "2")),
    ),
    "a hundredth of the reads": (hundredth, {}, ("shallow", ("4",))),
    "a hundredth of very many reads": (
        hundredth,
        {"depth": 5_000.0},
        ("few_reads", ("4",)),
    ),
    "an oligo without RNA": (no_rna, {}, ("no_rna", EVERY)),
}


@pytest.mark.simulation
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_in_every_table_and_no_other_is(name):
    how, settings, verdict = FAULTS[name]
    found = Counter()
    for seed in range(N_TABLES):
        reads = simulated(seed, **settings)
        found.update(set(verdicts(table(*how(*reads, np.random.default_rng(seed))))))
    assert found.pop(verdict) == N_TABLES
    assert sum(found.values()) <= 1, found


SOUND = {
    "usual": {},
    "shallow": {"depth": 2.0, "each": 20},
    "one sum an oligo": {"each": 1, "depth": 2_000.0, "n": 100},
    "two replicates": {"replicates": 2},
    "oligos alike": {"sd": 0.0},
    "oligos far apart": {"sd": 2.5},
    "no overdispersion": {"depth": 500.0, "dispersion": 1e-4},
    "overdispersed": {"dispersion": 1.0},
    "few": {"n": 12, "each": 4},
}


@pytest.mark.simulation
@pytest.mark.parametrize("name", SOUND)
def test_sound_reads_have_none_of_these_faults(name):
    found = Counter()
    for seed in range(N_TABLES):
        found.update(one for one, _ in verdicts(table(*simulated(seed, **SOUND[name]))))
    for fault in ("shifted", "apart", "ceiling", "part_copied", "few_reads", "no_rna"):
        assert not found[fault]


@pytest.mark.parametrize("dna_too", [False, True])
def test_arms_in_different_replicates_are_apart_and_not_shifted(dna_too):
    first = np.arange(4) == 0
    for seed in range(5):
        dna, rna, of = simulated(seed)
        there = (of % 2 == 0)[:, None] == first
        counts = table(dna * (there if dna_too else 1), rna * there, of)
        found = verdicts(counts)
        assert found == [("apart", (r,)) for r in "1234"], found


@pytest.mark.simulation
def test_replicates_of_a_third_of_the_reads_are_no_fault():
    for seed in range(N_TABLES):
        dna, rna, of = simulated(seed)
        rng = np.random.default_rng(seed)
        less = [_replaced(x, 3, rng.binomial(x[:, 3], 0.3)) for x in (dna, rna)]
        assert verdicts(table(*less, of)) == []


@pytest.mark.simulation
def test_two_sequencings_of_one_library_are_no_copy_of_a_part():
    for seed in range(N_TABLES):
        dna, rna, of = simulated(seed)
        rng = np.random.default_rng(seed)
        twice = [np.hstack([x[:, :3], rng.poisson(x[:, 2:3])]) for x in (dna, rna)]
        found = [one for one, _ in verdicts(table(*twice, of))]
        assert "part_copied" not in found


@pytest.mark.simulation
@pytest.mark.parametrize(("how", "at"), [(cut_off, 0.04), (few_identifiers, 0.05)])
def test_the_slope_at_a_ceiling_is_the_one_that_effects_have(how, at):
    said, true = [], []
    for seed in range(N_TABLES):
        dna, rna, of = simulated(seed, n=60, sd=0.2)
        _, less, _ = how(dna, rna, of, np.random.default_rng(seed))
        says = findings(table(dna, less, of))[0]["says"]
        said.append(float(says.split("at about ")[1].split(" ")[0]))
        small = simulated(seed, n=60, sd=0.2)[1] * 1.05
        # the elasticity of the sums of reads in the reads that were there
        if how is cut_off:
            top = less.max()
            more = np.minimum(small, top)
        else:
            more = 200 * -np.expm1(-6.0 * small / 200)
            less = 200 * -np.expm1(-6.0 * rna / 200)
        true.append(np.log(more.sum() / less.sum()) / np.log(1.05))
    assert np.mean(said) == pytest.approx(np.mean(true), abs=at)


def test_an_oligo_without_rna_moves_an_average_and_the_cure_moves_it_back(tmp_path):
    dna, rna, of = simulated(3, n=20, each=8)
    counts = table(*no_rna(dna, rna, of, np.random.default_rng(0)))
    moved = cg.mpra.average(cg.mpra.fit(counts, control="ref"))["ace"].item()
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side = side[side["element"] != "e3"].reset_index()
    less = cg.mpra.read_counts(path, side_table=side, drop_unknown=True)
    cured = cg.mpra.average(cg.mpra.fit(less, control="ref"))["ace"].item()
    assert abs(moved - 1.0) > 0.3
    assert cured == pytest.approx(1.0, abs=0.25)


@pytest.mark.simulation
def test_few_counts_that_were_counted_twice_are_found_by_their_divisor():
    found = Counter()
    for seed in range(N_TABLES):
        dna, rna, of = simulated(seed, n=12, each=4, depth=2_000.0)
        found.update(one for one, _ in verdicts(table(2 * dna, rna, of)))
        sound = [one for one, _ in verdicts(table(dna, rna, of))]
        assert "transformed" not in sound
    assert found["transformed"] == N_TABLES


@pytest.mark.real
def test_published_dna_that_was_counted_twice_is_found(shared):
    path = shared / "data" / "mpra_public" / "mattioli24_even_dna.tsv"
    names = pd.read_csv(path, sep="\t")["oligo_name"].drop_duplicates()
    side = pd.DataFrame({"oligo_name": names, "element": names, "arm": "tile"})
    counts = cg.mpra.read_counts(path, side_table=side)
    assert [one for one, _ in verdicts(counts)] == ["transformed"]
