# Imports from the inside: how reads split between two replicates, against scipy and the
# derivation; floors of DNA, against the true error.
"""Verdicts on replicates, floors of DNA by data, and columns of two cell types."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from scipy import special, stats
from test_cli import call

import causalgia as cg
from causalgia.errors import DataError
from causalgia.mpra.counts import counts_of
from causalgia.mpra.counts._quality import dna_floors
from causalgia.mpra.counts.replicate_faults import ALSO_DEEP, TOO_ALIKE
from causalgia.mpra.counts.split_index import (
    _binomial_masses,
    _truncated_moments,
    split_index,
)


def simulated(n: int = 60, spread: float = 0.8, **settings: object) -> xr.Dataset:
    base = np.random.default_rng(3).normal(0, spread, n)
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["c", "t"] * n,
            "log2": np.column_stack([base, base + 0.5]).ravel(),
        }
    )
    return simulated_counts(
        table, **{"n_barcodes": 8, "n_replicates": 4, "rng": 2} | settings
    )


def again(counts: xr.Dataset, dna: np.ndarray, rna: np.ndarray) -> xr.Dataset:
    """Return counts with other reads, where none was observed still none."""
    side = (
        counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index()
    )
    return counts_of(
        np.where(counts["dna_observed"], dna, np.nan),
        np.where(counts["rna_observed"], rna, np.nan),
        barcodes=counts["barcode"].values,
        oligos=counts["oligo"].values[counts["oligo_index"].values],
        side_table=side,
    )


def reads(counts: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    return counts["dna"].values.astype(float), counts["rna"].values.astype(float)


def verdicts(counts: xr.Dataset) -> list[tuple[str, tuple[str, ...]]]:
    found = json.loads(cg.mpra.quality(counts).attrs["verdicts"])
    return [(one["verdict"], tuple(one["replicates"])) for one in found]


@pytest.mark.simulation
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"spread": 0.0},
        {"depth_dna": 3.0, "depth_rna": 300.0, "spread": 0.0, "n_barcodes": 3},
        {
            "depth_dna": 3.0,
            "depth_rna": 300.0,
            "spread": 0.0,
            "n_barcodes": 3,
            "plasmid": True,
        },
        {"depth_dna": 6.0, "depth_rna": 6.0},
        {"sd_replicate": 1.5, "sd_barcode": 1.0},
        {"p_silent": 0.2},
        {"n_replicates": 1},
    ],
)
def test_sound_counts_have_no_verdict(settings):
    for rng in range(5):
        assert verdicts(simulated(rng=rng, **settings)) == []


@pytest.mark.simulation
@pytest.mark.real
def test_real_counts_have_no_verdict(shared):
    for name in ("library1", "library2"):
        at = shared / "reference" / "mpra_real" / name
        assert (
            verdicts(
                cg.mpra.read_counts(at / "counts.tsv.gz", side_table=at / "arms.tsv")
            )
            == []
        )


@pytest.mark.parametrize("odd", range(4))
def test_the_replicate_that_stands_apart_is_named(odd):
    counts = simulated()
    dna, rna = reads(counts)
    noise = (
        2
        ** np.random.default_rng(0).normal(0, 3, counts.sizes["oligo"])[
            counts["oligo_index"].values
        ]
    )
    rna[:, odd] = np.rint(rna[:, odd] * noise)
    found = again(counts, dna, rna)
    assert verdicts(found) == [("outlier", (str(odd + 1),))]


def test_a_copied_replicate_is_found():
    counts = simulated()
    dna, rna = reads(counts)
    rna[:, 3] = rna[:, 1]
    assert verdicts(again(counts, dna, rna)) == [("copied", ("2", "4"))]
    dna[:, 3] = dna[:, 1]
    assert verdicts(again(counts, dna, rna)) == [("copied", ("2", "4"))] * 2


MADE_OF_ANOTHER = {
    "doubled": lambda x, _: 2 * x,
    "times 1.5": lambda x, _: np.rint(1.5 * x),
    "a third": lambda x, _: np.rint(x / 3),
    "thinned to .9": lambda x, rng: rng.binomial(x.astype(int), 0.9),
    "thinned to .5": lambda x, rng: rng.binomial(x.astype(int), 0.5),
    "thinned to .2": lambda x, rng: rng.binomial(x.astype(int), 0.2),
}


@pytest.mark.parametrize("how", MADE_OF_ANOTHER)
@pytest.mark.parametrize("replicates", [2, 4])
def test_a_copy_that_is_scaled_or_thinned_is_found(how, replicates):
    counts = simulated(n_replicates=replicates)
    dna, rna = reads(counts)
    both = (counts["rna_observed"].values[:, 0], counts["rna_observed"].values[:, -1])
    rna[:, -1] = np.where(
        both[0] & both[1],
        MADE_OF_ANOTHER[how](rna[:, 0], np.random.default_rng(0)),
        rna[:, -1],
    )
    found = again(counts, dna, rna)
    assert verdicts(found) == [("copied", ("1", str(replicates)))]


# honest counts that are cut off, transformed, or few


@pytest.mark.simulation
@pytest.mark.parametrize("umis", [64, 256])
@pytest.mark.parametrize("cut", ["saturated", "capped"])
def test_rna_at_a_ceiling_is_neither_swapped_nor_copied(umis, cut):
    for rng in range(4):
        counts = simulated(rng=rng, spread=1.1, depth_rna=900.0)
        dna, rna = reads(counts)
        top = (
            np.rint(umis * -np.expm1(-rna / umis))
            if cut == "saturated"
            else np.minimum(rna, umis - 1)
        )
        found = verdicts(again(counts, dna, top))
        assert {verdict for verdict, _ in found} == {"ceiling"}


@pytest.mark.simulation
def test_few_oligos_are_not_called_swapped():
    """Of sets of 5 elements with 3 barcodes log ratios fall with DNA by chance in
    some.
    """
    assert [
        verdicts(simulated(5, rng=rng, n_barcodes=3, spread=0.5)) for rng in range(60)
    ] == [[]] * 60


@pytest.mark.parametrize("most", [100, 255])
def test_a_copy_is_found_below_a_ceiling(most):
    counts = simulated(depth_rna=60.0)
    dna, rna = reads(counts)
    rna[:, 3] = rna[:, 1]
    found = verdicts(again(counts, dna, np.minimum(rna, most)))
    assert [one for one in found if one[0] != "ceiling"] == [("copied", ("2", "4"))]


def test_cells_at_a_ceiling_do_not_agree():
    for rng in range(6):
        counts = simulated(
            80, rng=rng, depth_dna=60_000.0, depth_rna=60_000.0, n_barcodes=10
        )
        found = verdicts(again(counts, *(np.minimum(x, 65_535) for x in reads(counts))))
        assert {verdict for verdict, _ in found} == {"ceiling"}


TRANSFORMED = {
    "scaled": lambda x: np.rint(x / 30),
    "normalized": lambda x: np.rint(x / x.sum(axis=0) * 2e3),
    "logarithms": lambda x: np.rint(np.log2(1 + x)),
}


@pytest.mark.parametrize("how", TRANSFORMED)
def test_transformed_counts_are_not_called_copies(how):
    counts = simulated(80, depth_rna=200.0, disp_rna=0.02, sd_replicate=0.05)
    dna, rna = reads(counts)
    found = again(counts, dna, TRANSFORMED[how](rna))
    assert verdicts(found) == [("transformed", ("1", "2", "3", "4"))]


@pytest.mark.parametrize("factor", [2, 8.3])
@pytest.mark.parametrize("kind", ["dna", "rna"])
def test_counts_that_were_multiplied_are_no_raw_counts(kind, factor):
    counts = simulated()
    dna, rna = reads(counts)
    of = {"dna": dna, "rna": rna}
    every = again(counts, **of | {kind: np.rint(of[kind] * factor)})
    assert verdicts(every) == [("transformed", ("1", "2", "3", "4"))]
    of[kind] = of[kind].copy()
    of[kind][:, 2] = np.rint(of[kind][:, 2] * factor)
    assert verdicts(again(counts, **of)) == [("transformed", ("3",))]


@pytest.mark.real
def test_real_counts_that_were_normalized_are_not_called_copies(shared):
    at = shared / "reference" / "mpra_real" / "library1"
    counts = cg.mpra.read_counts(at / "counts.tsv.gz", side_table=at / "arms.tsv")
    dna, rna = reads(counts)
    assert verdicts(again(counts, dna, np.rint(rna / rna.sum(axis=0) * 1e5))) == [
        ("transformed", ("1", "2", "3"))
    ]


@pytest.mark.simulation
def test_a_replicate_of_few_reads_does_not_stand_apart():
    """Log ratios of few reads are not normal numbers: one oligo without RNA lies 10
    below the others.
    """
    for rng in range(25):
        assert (
            verdicts(
                simulated(
                    80, rng=rng, spread=1.1, n_barcodes=10, depth_dna=3.0, depth_rna=3.0
                )
            )
            == []
        )
    for rng in range(15):
        assert verdicts(simulated(2, rng=rng)) == []  # four oligos are too few to say
        counts = simulated(rng=rng)
        dna, rna = reads(counts)
        rna[:, 2] = np.random.default_rng(rng).binomial(rna[:, 2].astype(int), 1 / 30)
        assert verdicts(again(counts, dna, rna)) == []


def test_copies_of_one_replicate_among_others_stay_accused():
    counts = simulated()
    dna, rna = reads(counts)
    rna[:, 2:] = rna[:, [1]] * np.array([2, 3])
    wanted = [("copied", pair) for pair in (("2", "3"), ("2", "4"), ("3", "4"))]
    assert verdicts(again(counts, dna, rna)) == wanted


# how reads split between two replicates


def two_libraries(rng, n, depth, *, dispersion=0.0, ratio=1.0, floor=0):
    """Counts of n barcodes in two independent libraries, those under a floor in either
    left out.
    """
    rates = depth * np.exp2(rng.normal(size=n)) * np.array([[1.0], [ratio]])
    more = rng.gamma(1 / dispersion, dispersion, (2, n)) if dispersion else 1.0
    a, b = rng.poisson(rates * more)
    return a[(a >= floor) & (b >= floor)], b[(a >= floor) & (b >= floor)]


LIBRARIES = [
    {"n": n, "depth": depth, "dispersion": dispersion, "ratio": ratio, "floor": floor}
    for n, depth in ((60, 10), (300, 3), (1000, 1), (1000, 60))
    for dispersion, ratio, floor in (
        (0.0, 1.0, 0),
        (0.0, 8.0, 0),
        (0.0, 0.1, 1),
        (0.0, 1.0, 10),
        (0.1, 2.0, 1),
    )
]


@pytest.mark.simulation
@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_independent_libraries_split_as_chance_does_or_more(library):
    """Twenty kinds of libraries, 50 pairs each: no alarm in 1,000, the mean z within
    four of its errors or above.
    """
    rng = np.random.default_rng(zlib.crc32(str(library).encode()))
    found = [split_index(*two_libraries(rng, **library)) for _ in range(50)]
    z = np.array([one.z for one in found])
    assert not any(one.z < TOO_ALIKE and one.z_deep < ALSO_DEEP for one in found)
    assert z.mean() > -4 / np.sqrt(50)
    if not library["dispersion"]:
        assert z.mean() < 4 / np.sqrt(50)
        assert z.std() < 1.4


def test_the_index_of_a_copy_is_the_one_derived():
    rng = np.random.default_rng(5)
    first, other = two_libraries(rng, 20_000, 60, dispersion=0.1)
    assert split_index(first, other).index > 3
    for p in (0.1, 0.3, 0.5, 0.9):
        assert split_index(first, rng.binomial(first, p)).index == pytest.approx(
            (1 - p) / (1 + p), abs=0.04
        )
    for c in (1, 2, 7):
        assert split_index(first, c * first).index < 1e-3
    split = rng.binomial(first, 0.5)
    poisson = rng.poisson(60, 20_000)
    half = rng.binomial(poisson, 0.5)
    # technical splits look independent
    assert split_index(half, poisson - half).index == pytest.approx(1, abs=0.04)
    assert split_index(split, first - split).index == pytest.approx(1, abs=0.04)


def test_the_power_to_find_a_thinned_copy():
    """Of 960 barcodes: all at .5 from 3 reads on, at .3 from 10, at .2 from 60; of 200,
    all at .5 from 10.
    """
    rng = np.random.default_rng(6)
    for n, depth, p in ((960, 3, 0.5), (960, 10, 0.3), (960, 60, 0.2), (200, 10, 0.5)):
        first = [two_libraries(rng, n, depth, dispersion=0.1)[0] for _ in range(20)]
        found = [split_index(one, rng.binomial(one, p)) for one in first]
        assert (
            sum(one.z < TOO_ALIKE and one.z_deep < ALSO_DEEP for one in found) >= 19
        ), (n, depth, p)


def test_a_split_that_is_not_free_says_nothing():
    ones = np.ones(500, dtype=np.int64)
    for a, b in (
        (ones, ones),
        (0 * ones, ones),
        (ones, 1000 * ones),
        (ones[:5], ones[:5]),
    ):
        assert split_index(a, b).z == 0


def test_moments_of_a_split_that_is_cut_off():
    for n, pi, low, high in (
        (7, 0.3, 1, 1),
        (40, 0.2, 3, 10),
        (22, 0.5, 10, 10),
        (5, 0.5, 0, 0),
        (3000, 0.01, 1, 1),
    ):
        x = np.arange(low, n - high + 1)
        weight = stats.binom.pmf(x, n, pi)
        weight /= weight.sum()
        mean = weight @ x
        wanted = [mean, weight @ (x - mean) ** 2, weight @ (x - mean) ** 4]
        found = [
            moment.item()
            for moment in _truncated_moments(np.array([float(n)]), pi, low, high)
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def mass_of_whole_range(n, pi, low, high):
    """Return the mass of a binomial between two values from both distribution
    functions, evaluated everywhere.
    """

    def cdf(k):
        inner = special.bdtr(np.clip(k, 0, n - 1), n.astype(np.int64), pi)
        return np.where(k < 0, 0.0, np.where(k >= n, 1.0, inner))

    return cdf(high) - cdf(np.full_like(n, low - 1.0))


def test_masses_are_differences_of_distribution_functions_to_the_bit():
    n = np.r_[np.arange(4.0, 60.0), 1e3, 1e6]
    for low, high in (
        (0.0, 0.0),
        (0.0, 2.0),
        (1.0, 0.0),
        (1.0, 1.0),
        (2.0, 1.0),
        (1.0, 7.0),
    ):
        sizes = n[n - low - high >= 2]
        masses = _binomial_masses(sizes, low, high, 4)
        for pi in (1e-6, 0.03, 0.5, 0.9, 1 - 1e-9):
            wanted = [
                mass_of_whole_range(sizes - k, pi, low - k, sizes - high - k)
                for k in range(5)
            ]
            np.testing.assert_array_equal(masses(pi), wanted)


# replicates that do not agree


def shuffled(counts, columns, rng, by):
    """Return reads with the labels of barcodes, or of whole oligos, permuted in some
    columns of the last replicate.
    """
    dna, rna = reads(counts)
    n = counts.sizes["barcode"]
    order = rng.permutation(n)
    if by == "oligo":
        of = counts["oligo_index"].values
        moved = rng.permutation(of.max() + 1)[of]
        order = np.argsort(moved, kind="stable")
    for kind, values in (("dna", dna), ("rna", rna)):
        if kind in columns:
            values[:, -1] = values[order, -1]
    return again(counts, dna, rna)


@pytest.mark.parametrize("by", ["barcode", "oligo"])
@pytest.mark.parametrize("columns", [("rna",), ("dna", "rna")], ids="+".join)
def test_of_two_replicates_that_do_not_agree_neither_is_named(columns, by):
    counts = simulated(n_replicates=2, p_missing=0.0)
    found = cg.mpra.quality(shuffled(counts, columns, np.random.default_rng(1), by))
    (one,) = json.loads(found.attrs["verdicts"])
    assert one["verdict"] == "disagree"
    assert one["replicates"] == ["1", "2"]
    limits = re.search(
        r"(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]",
        one["says"],
    )
    value, lower, upper = map(float, limits.groups())
    assert lower < value < upper < 0.5


@pytest.mark.simulation
@pytest.mark.parametrize(
    "settings",
    [{}, {"spread": 0.0}, {"depth_dna": 3.0, "depth_rna": 6.0}, {"sd_replicate": 1.5}],
)
def test_two_sound_replicates_agree(settings):
    for rng in range(10):
        assert verdicts(simulated(n_replicates=2, rng=rng, **settings)) == []


@pytest.mark.parametrize("replicates", [3, 4])
def test_labels_of_dna_that_are_out_of_order_are_found(replicates):
    """Activities differ so much that those of sums over eight barcodes still repeat."""
    counts = simulated(n_replicates=replicates, spread=2.0, p_missing=0.0)
    found = shuffled(counts, ("dna",), np.random.default_rng(1), "barcode")
    assert verdicts(found) == [("outlier", (str(replicates),))]


@pytest.mark.simulation
def test_dna_of_few_reads_or_of_equal_barcodes_is_not_out_of_order():
    for rng in range(5):
        assert verdicts(simulated(rng=rng, sd_abundance=0.0)) == []
        counts = simulated(rng=rng, p_missing=0.0)
        dna, rna = reads(counts)
        dna[:, 2] = np.random.default_rng(rng).binomial(dna[:, 2].astype(int), 1 / 40)
        found = verdicts(again(counts, dna, rna))
        assert found in ([], [("shallow", ("3",))])


def test_three_replicates_of_which_no_two_agree():
    counts = simulated(n_replicates=3, p_missing=0.0)
    dna, rna = reads(counts)
    rng = np.random.default_rng(1)
    for r in (1, 2):
        order = rng.permutation(len(rna))
        dna[:, r], rna[:, r] = dna[order, r], rna[order, r]
    found = again(counts, dna, rna)
    assert verdicts(found) == [("disagree", ("1", "2", "3"))]


def test_one_pool_in_every_column_of_dna_is_found():
    counts = simulated(n_replicates=2)
    dna, rna = reads(counts)
    found = json.loads(
        cg.mpra.quality(again(counts, dna[:, [0, 0]], rna)).attrs["verdicts"]
    )
    assert found[0]["verdict"] == "copied"


@pytest.mark.parametrize("plasmid", [True, False])
def test_a_replicate_does_not_stand_apart_from_another_and_its_copy(plasmid):
    counts = simulated(plasmid=plasmid, n_replicates=3, sd_replicate=0.5)
    dna, rna = reads(counts)
    rna[:, 2] = rna[:, 1]
    if not plasmid:
        dna[:, 2] = dna[:, 1]
    assert set(verdicts(again(counts, dna, rna))) == {("copied", ("2", "3"))}


@pytest.mark.parametrize(
    "groups", [(0, 0, 1, 1), (0, 1, 0, 1), (0, 0, 0, 1, 1, 1), (1, 0, 1, 0, 0, 0)]
)
def test_replicates_of_two_kinds_under_one_name_are_told_apart(groups):
    of_groups = []
    for base in (3, 4):  # two cell types, in which other oligos are active
        level = np.random.default_rng(base).normal(0, 0.8, 120)
        table = pd.DataFrame(
            {
                "element": np.repeat([f"e{i}" for i in range(60)], 2),
                "arm": ["c", "t"] * 60,
            }
        )
        counts = simulated_counts(
            table.assign(log2=level), n_barcodes=8, n_replicates=len(groups), rng=2
        )
        of_groups.append((counts, *reads(counts)))
    counts = of_groups[0][0]
    dna, rna = (
        np.column_stack([of_groups[g][k][:, i] for i, g in enumerate(groups)])
        for k in (1, 2)
    )
    found = again(counts, dna, rna)
    assert verdicts(found) == [
        ("disagree", tuple(str(i + 1) for i in range(len(groups))))
    ]


@pytest.mark.parametrize(
    ("swapped", "of"),
    [([1], 4), ([0, 2], 4), ([0, 1, 2, 3], 4), ([0, 1], 3), ([0, 1, 3], 4)],
)
def test_swapped_dna_and_rna_are_found(swapped, of):
    counts = simulated(p_missing=0.0, n_replicates=of)
    dna, rna = reads(counts)
    dna[:, swapped], rna[:, swapped] = rna[:, swapped], dna[:, swapped]
    assert verdicts(again(counts, dna, rna)) == [
        ("swapped", (str(r + 1),)) for r in swapped
    ]


# the floor of DNA


def test_the_advised_floor_is_the_one_with_the_least_true_error():
    """Few reads: 10 leaves out two thirds of the barcodes, and doubles the squared
    error.
    """
    counts = simulated(
        150,
        n_barcodes=12,
        depth_dna=5.0,
        depth_rna=8.0,
        sd_abundance=1.5,
        sd_barcode=0.3,
        rng=1,
    )
    found, true = dna_floors(counts), {}
    for floor in (1.0, 2.0, 5.0, 10.0):
        kept = cg.mpra.activity(cg.mpra.filter(counts, min_dna=floor, min_barcodes=1))[
            "outcome"
        ].mean("model")
        wanted = counts["true_activity"].values.reshape(-1, 2)
        rows = pd.Index(counts["element"].values[::2]).get_indexer(kept["unit"].values)
        off = kept.squeeze().values - wanted[rows]
        true[floor] = float(((off - off.mean()) ** 2).mean())
    assert found.advised == min(true, key=true.__getitem__) == 1.0
    at_ten = found.error[list(found.floor).index(10.0)]
    assert at_ten == pytest.approx(true[10.0] / min(true.values()), rel=0.25)
    assert found.left_out[list(found.floor).index(10.0)] > 0.6


@pytest.mark.real
def test_the_real_file_of_the_format_loses_three_quarters_of_its_barcodes_at_ten(
    shared,
):
    at = shared / "reference" / "mpra_formats"
    path = at / "reporter_experiment_barcode_IGVFDS2165KBMD.input.head20000.tsv.gz"
    names = pd.read_csv(path, sep="\t", usecols=["oligo_name"])["oligo_name"].unique()
    side = pd.DataFrame({"oligo_name": names, "element": names, "arm": "x"})
    quality = cg.mpra.quality(cg.mpra.read_counts(path, side_table=side))
    assert quality.attrs["advised_floor"] <= 2
    assert quality["floor_left_out"].sel(floor=10).item() == pytest.approx(
        0.73, abs=0.005
    )


def test_a_floor_of_ones_own_is_compared():
    counts = simulated(n_barcodes=4)
    quality = cg.mpra.quality(counts, min_dna=200)
    assert 200.0 in quality["floor"].values
    single = cg.mpra.quality(simulated(n_barcodes=1))
    assert np.isfinite(single["floor_error"]).all()


# cell types


def written(
    folder: Path, names: list[str], long: bool = False
) -> tuple[Path, pd.DataFrame]:
    """Return a table of counts whose replicates have these names, and its side
    table.
    """
    counts = simulated(8, n_replicates=len(names))
    table = cg.mpra.igvf_table(counts, "reporter_experiment_barcode")
    for i, name in enumerate(names):
        table = table.rename(
            columns={
                f"{kind}_count_{i + 1}": f"{kind}_count_{name}"
                for kind in ("dna", "rna")
            }
        )
    if long:
        parts = [
            table[["barcode", "oligo_name", f"dna_count_{name}", f"rna_count_{name}"]]
            .set_axis(["barcode", "oligo_name", "dna_count", "rna_count"], axis=1)
            .assign(replicate=name)
            for name in names
        ]
        table = pd.concat(parts)
    table.to_csv(folder / "counts.tsv", sep="\t", index=False)
    side = (
        counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index()
    )
    side.to_csv(folder / "arms.tsv", sep="\t", index=False)
    return folder / "counts.tsv", side


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    "names",
    [
        ["K562_1", "K562_2", "HepG2_1"],
        ["HepG2", "K562"],
        ["liver", "brain"],
        ["HepG2_rep1", "K562.rep1"],
    ],
)
def test_columns_of_two_cell_types_are_not_pooled(tmp_path, names, long):
    path, side = written(tmp_path, names, long)
    both = cg.mpra.read_counts(path, side_table=side)
    assert len({*both["condition"].values.tolist()}) == 2
    with pytest.raises(DataError):
        cg.mpra.quality(both)
    one = cg.mpra.read_counts(path, side_table=side, replicates=names[:1])
    whole = cg.mpra.read_counts(path, side_table=side, replicates=names)
    assert one["replicate"].values.tolist() == names[:1]
    assert whole["replicate"].values.tolist() == names
    wanted = whole["rna"].sel(barcode=one["barcode"].values, replicate=names[0])
    np.testing.assert_array_equal(one["rna"].values[:, 0], wanted)
    assert one["rna_total"].item() == whole["rna_total"].values[0]
    with pytest.raises(DataError):
        cg.mpra.read_counts(path, side_table=side, replicates=["K563"])


@pytest.mark.parametrize(
    "names",
    [
        ["1", "2", "3"],
        ["A", "B"],
        ["rep1", "rep2"],
        ["K562_1", "K562_2"],
        ["HepG2 r1", "HepG2 r2"],
        ["r1", "2"],
    ],
)
def test_replicates_of_one_kind_are_read(tmp_path, names):
    path, side = written(tmp_path, names)
    assert (
        cg.mpra.read_counts(path, side_table=side)["replicate"].values.tolist() == names
    )


@pytest.mark.simulation
def test_the_command_line_reads_one_cell_type(tmp_path):
    path, _ = written(tmp_path, ["K562_1", "K562_2", "HepG2_1", "HepG2_2"])
    asked = (
        "mpra",
        "analyze",
        path,
        "--design",
        tmp_path / "arms.tsv",
        "--control",
        "c",
        "--method",
        "two_way",
    )
    call(*asked, "--out", tmp_path / "x", code=2)
    said = call(
        *asked, "--replicates", "HepG2_1, HepG2_2", "--out", tmp_path / "x"
    ).stdout
    counts = (tmp_path / "x" / "quality.txt").read_text(encoding="utf-8")
    assert "\nHepG2_1 " in counts
    assert "K562" not in counts + said
