"""Checks of counts: planted faults are found, and sound tables have none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import call
from validation.count_quality import (
    FAULTS,
    KINDS,
    OTHERWISE,
    USUAL,
    counted,
    drawn,
    found,
)

import causalgia as cg

N_TABLES = 4


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    check, fault, _ = FAULTS[name]
    for seed in range(N_TABLES):
        rng = np.random.default_rng(seed)
        reads = fault(*drawn(OTHERWISE.get(name, USUAL), rng), rng)
        assert check in found(reads), seed


@pytest.mark.parametrize("name", [name for name in KINDS if "1,000" not in name])
def test_sound_counts_have_no_fault(name):
    for seed in range(N_TABLES):
        reads = drawn(KINDS[name], np.random.default_rng(100 + seed))
        assert found(reads) == set(), seed


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("dispersion", [0.05, 0.5, 2.0])
def test_independent_libraries_are_no_copies_however_dispersed(share, dispersion):
    rng = np.random.default_rng(0)
    for _ in range(5):
        rates = 40 * rng.gamma(1 / dispersion, dispersion, (300, 1)) * [1.0, share]
        rna = rng.poisson(rates)
        quality = cg.mpra.quality(
            counted(rng.poisson(30, 300), rna, np.arange(300) // 3)
        )
        assert not quality["found"].values[quality["check"].values == "copies"].any()


def test_a_row_is_found_where_its_value_is_beyond_its_threshold():
    dna, rna, of = drawn(USUAL, np.random.default_rng(1))
    rna[:, 3] = np.random.default_rng(1).binomial(rna[:, 3], 0.0005)
    rna[:, 1] = rna[:, 0]
    quality = cg.mpra.quality(counted(dna, rna, of))
    value, threshold = quality["value"].values, quality["threshold"].values
    beyond = np.where(quality["below"].values, value < threshold, value > threshold)
    np.testing.assert_array_equal(quality["found"].values, beyond)
    rows = quality.isel(row=np.flatnonzero(quality["found"].values))
    assert set(rows["where"].values) == {"RNA 4", "RNA 2, RNA 1"}
    assert rows["at"].values[rows["check"].values == "copies"].tolist() == [1.0]


def test_the_page_has_a_line_for_each_check():
    quality = cg.mpra.quality(counted(*drawn(USUAL, np.random.default_rng(2))))
    page = str(cg.report(quality)).split("\n")
    assert len(page) <= 16
    checks = list(dict.fromkeys(quality["check"].values.tolist()))
    assert [line.split()[0] for line in page[3:]] == checks
    every = str(cg.report(quality, rows="all")).split("\n")
    assert len(every) >= quality.sizes["row"]


def test_what_a_table_cannot_tell_is_no_fault():
    dna, rna, of = drawn(KINDS["a sum an oligo"], np.random.default_rng(3))
    quality = cg.mpra.quality(counted(dna, rna, of))
    unknown = quality["check"].values == "misassigned"
    assert np.isnan(quality["value"].values[unknown]).all()
    assert not quality["found"].values[unknown].any()


def test_few_barcodes_of_few_oligos_are_checked():
    dna = np.array([[8, 4], [8, 12], [0, 8], [30, 0]])
    quality = cg.mpra.quality(counted(dna, dna + 1, np.array([0, 0, 1, 2])))
    assert not quality["found"].any()
    assert quality["n_barcodes"].values.tolist() == [2, 1, 1]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "side", "faults"),
    [
        ("bcalm12_counts", "bcalm12_side", {"truncation": {"RNA"}}),
        ("tewhey60_sums", "tewhey60_side", {}),
        ("zheng120_rhom", "zheng120_side", {"depth": {"RNA 4"}}),
        ("mattioli24_even_dna", None, {}),
    ],
)
def test_public_excerpts_have_the_faults_that_they_are_known_for(
    shared, name, side, faults
):
    at = shared / "data" / "mpra_public"
    table = at / f"{side}.tsv" if side else None
    if table is None:
        names = pd.read_csv(at / f"{name}.tsv", sep="\t")["oligo_name"].unique()
        table = pd.DataFrame({"oligo_name": names, "element": names, "arm": "tile"})
    quality = cg.mpra.quality(cg.mpra.read_counts(at / f"{name}.tsv", side_table=table))
    rows = quality.isel(row=np.flatnonzero(quality["found"].values))
    wrong: dict[str, set[str]] = {}
    for check, where in zip(rows["check"].values, rows["where"].values, strict=True):
        wrong.setdefault(str(check), set()).add(str(where))
    assert wrong == faults


@pytest.mark.real
@pytest.mark.simulation
@pytest.mark.parametrize("library", ["library1", "library2"])
def test_parts_of_a_public_library_are_sound(shared, library):
    at = shared / "reference" / "mpra_real" / library
    counts = cg.mpra.read_counts(at / "counts.tsv.gz", side_table=at / "arms.tsv")
    dna, rna, of = (counts[x].values for x in ("dna", "rna", "oligo_index"))
    rng, n_found = np.random.default_rng(0), 0
    for _ in range(25):
        chosen = rng.permutation(counts.sizes["oligo"])[: rng.integers(100, 900)]
        kept = np.isin(of, chosen)
        place = np.unique(of[kept], return_inverse=True)[1]
        n_found += bool(found((dna[kept], rna[kept], place)))
    assert n_found <= 1


def test_the_command_prints_the_page(tmp_path):
    counts = counted(*drawn(USUAL, np.random.default_rng(4)))
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side.to_csv(tmp_path / "arms.tsv", sep="\t")
    asked = ("mpra", "quality", path, "--design", tmp_path / "arms.tsv")
    said = call(*asked).stdout
    read = cg.mpra.read_counts(path, side_table=tmp_path / "arms.tsv")
    assert said.strip() == str(cg.report(cg.mpra.quality(read))).strip()


def test_no_design_is_needed(tmp_path):
    counts = counted(*drawn(USUAL, np.random.default_rng(4)))
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    first, *_ = str(cg.report(cg.mpra.quality(counts))).splitlines()
    assert call("mpra", "quality", path).stdout.startswith(first)
    activities = cg.mpra.activity(cg.mpra.read_counts(path))["activity"].to_series()
    own = cg.mpra.activity(counts)["activity"].to_series()
    np.testing.assert_allclose(activities[own.index], own, atol=1e-12)
    assert call("mpra", "activity", path).exit_code == 0
