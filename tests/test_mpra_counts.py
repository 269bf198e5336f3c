"""Counts in: barcode tables read, filtered and looked at; activities with both layers of noise."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import CountsError

SIDE = pd.DataFrame(
    {"oligo_name": ["a", "b"], "element": ["u1", "u1"], "arm": ["control", "treated"], "group": ["test", "test"]}
)
HEADER = "barcode\toligo_name\tdna_count_1\trna_count_1\tdna_count_2\trna_count_2"
ROWS = ("AAA\ta\t10\t20\t12\t\n", "CCC\ta\t4\t0\t\t\n", "GGG\tb\t7\t9\t0\t3\n", "TTT\tb\t\t5\t6\t8\n")


def table(tmp_path: Path, text: str, name: str = "counts.tsv") -> Path:
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


def read(tmp_path: Path, text: str, side: object = SIDE, name: str = "counts.tsv") -> xr.Dataset:
    return cg.mpra.read_counts(table(tmp_path, text, name), arms=side)


def test_an_empty_cell_is_not_a_zero_and_tabs_at_the_end_are_cells(tmp_path):
    counts = read(tmp_path, HEADER + "\n" + "".join(ROWS))
    assert counts["dna"].values.tolist() == [[10, 12], [4, 0], [7, 0], [0, 6]]
    assert counts["dna_observed"].values.tolist() == [[True, True], [True, False], [True, True], [False, True]]
    assert counts["rna"].values.tolist() == [[20, 0], [0, 0], [9, 3], [5, 8]]
    assert counts["rna_observed"].values.tolist() == [[True, False], [True, False], [True, True], [True, True]]
    assert counts["dna_total"].values.tolist() == [21, 18]
    assert counts["rna_total"].values.tolist() == [34, 11]
    assert counts["oligo_index"].values.tolist() == [0, 0, 1, 1]
    assert counts.attrs["source"] == "counts.tsv"


def test_columns_in_any_order_gzip_and_either_spelling_are_one_table(tmp_path):
    plain = read(tmp_path, HEADER + "\n" + "".join(ROWS))
    mixed = "rna_counts_1\toligo_name\tdna_counts_2\tbarcode\trna_counts_2\tdna_counts_1"
    rows = ""
    for row in ROWS:
        barcode, oligo, d1, r1, d2, r2 = row[:-1].split("\t")
        rows += "\t".join([r1, oligo, d2, barcode, r2, d1]) + "\r\n"
    other = read(tmp_path, mixed + "\r\n" + rows, name="counts.tsv.gz")
    xr.testing.assert_equal(plain, other)


def test_a_long_table_is_the_wide_one_and_what_has_no_row_is_empty(tmp_path):
    wide = read(tmp_path, HEADER + "\n" + "".join(ROWS))
    lines = ["replicate\tbarcode\toligo_name\trna_counts\tdna_counts"]
    for row in ROWS:
        barcode, oligo, *cells = row[:-1].split("\t")
        for r in (0, 1):
            dna, rna = cells[2 * r : 2 * r + 2]
            if dna or rna:
                lines.append(f"{r + 1}\t{barcode}\t{oligo}\t{rna}\t{dna}")
    long = read(tmp_path, "\n".join(lines) + "\n")
    xr.testing.assert_equal(wide, long)


def test_one_dna_column_beside_several_of_rna_is_a_pool(tmp_path):
    header = "barcode\toligo_name\tdna_count_1\trna_count_1\trna_count_2"
    counts = read(tmp_path, header + "\nAAA\ta\t10\t1\t2\nCCC\tb\t5\t3\t4\n")
    assert counts["dna"].dims == ("barcode",)
    assert counts["dna_total"].item() == 15
    assert counts["rna_total"].values.tolist() == [4, 6]


def test_the_side_table_may_be_a_path_a_frame_without_groups_or_a_library(tmp_path):
    text = HEADER + "\n" + "".join(ROWS)
    whole = read(tmp_path, text)
    path = tmp_path / "arms.tsv"
    SIDE[["arm", "oligo_name", "element"]].to_csv(path, sep="\t", index=False)
    xr.testing.assert_equal(whole, read(tmp_path, text, path))
    rows = SIDE.iloc[[0, 0, 1]]
    library = xr.Dataset({name: ("row", rows[name].to_numpy().astype(str)) for name in SIDE.columns})
    library = library.assign(
        unit=("row", [0, 0, 0]), name=("row", ["a1", "a2", "b1"]), insert=("row", ["A", "A", "C"]), oligo=library["arm"]
    )
    xr.testing.assert_equal(whole, read(tmp_path, text, library))


def bad(old: str, new: str) -> str:
    text = HEADER + "\n" + "".join(ROWS)
    assert old in text
    return text.replace(old, new, 1)


BAD_TABLES = {
    "unknown oligo": (bad("GGG\tb", "GGG\tz"), r"counts.tsv, line 4: oligo 'z' is not in the side table.*add its row"),
    "barcode of two oligos": (
        bad("GGG\tb", "AAA\tb"),
        r"line 4: barcode AAA is of oligo 'a' and of oligo 'b' \(first in line 2\).*drop",
    ),
    "row twice": (bad("CCC\ta", "AAA\ta"), r"line 3: barcode AAA is of oligo 'a' twice"),
    "negative": (
        bad("\t7\t", "\t-7\t"),
        r"line 4: dna_count_1 of oligo 'b' is -7; give the reads as they were counted",
    ),
    "fractional": (bad("\t9\t", "\t9.5\t"), r"line 4: rna_count_1 of oligo 'b' is 9.5.*not normalised"),
    "infinite": (bad("\t9\t", "\tinf\t"), r"line 4: rna_count_1 of oligo 'b' is inf"),
    "text": (bad("\t9\t", "\tnine\t"), r"line 4: rna_count_1 of oligo 'b' is 'nine'; a count is a whole number"),
    "stripped tabs": (bad("CCC\ta\t4\t0\t\t\n", "CCC\ta\t4\t0\n"), r"line 3: 4 cells under a header of 6.*stripping"),
    "a cell more": (bad("\t8\n", "\t8\t1\n"), r"line 5: 7 cells under a header of 6"),
    "blank line": (bad("CCC", "\nCCC"), r"line 3: 1 cells under a header of 6"),
    "letters": (bad("GGG", "GXG"), r"line 4: barcode 'GXG' is not of the letters"),
    "other letters": (bad("GGG", "GÄG"), r"line 4: barcode 'GÄG' is not of the letters"),
    "no letters": (bad("GGG", ""), r"line 4: barcode '' is not of the letters"),
    "RNA without DNA": (bad("dna_count_2", "dna_count_3"), r"line 1: replicate '3' has no column of rna"),
    "no DNA": (HEADER.replace("dna_count", "rna_count_of") + "\n", r"no column dna_count_<replicate>"),
    "no RNA": (HEADER.replace("rna_count", "dna_count_of") + "\n", r"no column rna_count_<replicate>"),
    "another column": (bad("rna_count_2", "gc"), r"line 1: column 'gc' is no count of DNA or RNA; leave it out"),
    "column twice": (bad("dna_count_2", "dna_count_1"), r"column 'dna_count_1' is there twice"),
    "replicate twice": (bad("dna_count_2", "dna_counts_1"), r"two columns of dna for one replicate"),
    "no names": (bad("barcode\toligo_name", "tag\tname"), r"no column 'barcode' and 'oligo_name' among tag, name"),
    "commas": (bad(HEADER, HEADER.replace("\t", ",")), r"the table is tab-separated"),
    "no rows": (HEADER + "\n", r"counts.tsv: no row below the header"),
    "empty file": ("", r"no column 'barcode' and 'oligo_name' among none"),
    "no DNA read": (HEADER + "\nAAA\ta\t0\t1\t2\t3\nCCC\tb\t0\t1\t2\t3\n", r"DNA of replicate 1 has no read at all"),
    "no RNA read": (HEADER + "\nAAA\ta\t1\t1\t2\t\nCCC\tb\t4\t1\t2\t\n", r"RNA of replicate 2 has no read at all"),
    "long twice": (
        "barcode\toligo_name\treplicate\tdna_count\trna_count\nAAA\ta\t1\t2\t3\nAAA\ta\t1\t2\t3\n",
        r"line 3: barcode AAA is of oligo 'a' twice",
    ),
    "long of two oligos": (
        "barcode\toligo_name\treplicate\tdna_count\trna_count\nAAA\ta\t1\t2\t3\nAAA\tb\t2\t2\t3\n",
        r"line 3: barcode AAA is of oligo 'a' and of oligo 'b'",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_refused_by_line_with_its_cure(tmp_path, name):
    text, message = BAD_TABLES[name]
    with pytest.raises(CountsError, match=f"(?s){message}"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (SIDE.drop(columns=["arm", "element"]), "no column 'element' and 'arm'"),
        (pd.concat([SIDE, SIDE[:1]]), r"oligo 'a' twice, as \(u1, control, test\) and \(u1, control, test\)"),
        (SIDE.assign(arm=["control", ""]), r"row 2 \(oligo 'b'\): arm is empty"),
        (SIDE.assign(arm=["control", None]), r"row 2 \(oligo 'b'\): arm is empty"),
    ],
)
def test_a_bad_side_table_is_refused(tmp_path, side, message):
    with pytest.raises(CountsError, match=message):
        read(tmp_path, HEADER + "\n" + "".join(ROWS), side)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dna": [[1.5], [2]]}, "barcode AA: dna is 1.5"),
        ({"rna": [[1], [-2]]}, "barcode CC: rna is -2"),
        ({"rna": [["1"], ["2"]]}, "rna is of dtype"),
        ({"rna": [1, 2]}, r"dna has shape \(2, 1\) and rna \(2,\)"),
        ({"rna": [[1]]}, r"rna has shape \(1, 1\) for 2 barcodes"),
        ({"rna_observed": [True, True]}, r"rna_observed has shape \(2,\)"),
        ({"oligos": ["a", "z"]}, "barcode CC: its oligo 'z' is not in the side table"),
        ({"oligos": ["a"]}, "2 barcodes and 1 names of oligos"),
        ({"dna": [0, 0], "rna": [[1], [1]]}, "DNA of the plasmid pool has no read"),
    ],
)
def test_bad_arrays_are_refused(changed, message):
    given = {
        "dna": [[1], [2]],
        "rna": [[1], [2]],
        "barcodes": ["AA", "CC"],
        "oligos": ["a", "b"],
        "arms": SIDE,
    } | changed
    with pytest.raises(CountsError, match=message):
        cg.mpra.counts_of(given.pop("dna"), given.pop("rna"), **given)


def test_counts_of_arrays_take_nan_for_empty():
    counts = cg.mpra.counts_of([[1.0], [np.nan]], [[3], [4]], barcodes=["AA", "CC"], oligos=["a", "b"], arms=SIDE)
    assert counts["dna_observed"].values.tolist() == [[True], [False]]
    assert counts["dna_total"].item() == 1


CASES = ("allelic_clean", "allelic_barcode", "factorial", "backgrounds")


def case(shared: Path, name: str) -> xr.Dataset:
    folder = shared / "reference" / "mpra" / name
    return cg.mpra.read_counts(folder / "counts.tsv.gz", arms=folder / "arms.tsv")


def expected(shared: Path, name: str, table: str) -> pd.DataFrame:
    return pd.read_csv(shared / "reference" / "mpra" / name / "expected" / f"{table}.tsv", sep="\t")


@pytest.mark.parametrize("name", CASES)
def test_sums_over_barcodes_are_those_of_the_reference(shared, name):
    found = cg.mpra.aggregate(case(shared, name)).to_dataframe().reset_index()
    wanted = expected(shared, name, "aggregate").astype({"replicate": str})
    both = wanted.merge(found, left_on=["oligo_name", "replicate"], right_on=["oligo", "replicate"])
    assert len(both) == len(wanted) == len(found)
    for column in ("dna_counts", "rna_counts", "n_bc"):
        assert (both[f"{column}_x"] == both[f"{column}_y"]).all()
    for column in ("dna_normalized", "rna_normalized", "log2_ratio"):
        np.testing.assert_allclose(both[f"{column}_y"], both[f"{column}_x"], rtol=1e-9)


@pytest.mark.parametrize("name", ["allelic_clean", "allelic_barcode"])
def test_calls_against_the_negative_controls_are_those_of_the_reference(shared, name):
    counts = case(shared, name)
    wanted = expected(shared, name, "activity").set_index("oligo_name")
    found = cg.mpra.calls(counts).to_dataframe().loc[wanted.index]
    for column in wanted:
        np.testing.assert_allclose(found[column], wanted[column], rtol=1e-8)
    outcomes = cg.mpra.activity(counts, method="sums")
    oligos = [f"{u}:{a}" for u in outcomes["unit"].values for a in outcomes["arm"].values]
    np.testing.assert_allclose(
        outcomes["outcome"].mean("model").values.ravel(), wanted.loc[oligos, "activity"], rtol=1e-8
    )


def test_the_mean_over_backgrounds_is_that_of_the_reference(shared):
    outcomes = cg.mpra.activity(case(shared, "backgrounds"))
    wanted = (
        expected(shared, "backgrounds", "backgrounds").query("method == 'mean_over_backgrounds'").set_index("motif")
    )
    each = expected(shared, "backgrounds", "backgrounds_each").set_index("background")
    ice = cg.contrast(outcomes, control="control")["ice"].mean("model").squeeze()
    np.testing.assert_allclose(ice, each["effect"][ice["unit"].values], rtol=1e-8, atol=1e-12)
    for motif, row in wanted.iterrows():
        of = outcomes.sel(unit=outcomes["group"] == motif)
        effects = cg.contrast(of, control="control")
        alone = cg.estimate(cg.contrast(of.mean("model", keep_attrs=True), control="control"), target="population")
        for name, value in (("ace", row["effect"]), ("se", row["se"]), ("df", row["df"]), ("p", row["p"])):
            np.testing.assert_allclose(alone[name].item(), value, rtol=1e-8)
        whole = cg.estimate(effects)
        assert whole.attrs["target"] == "population x replicates"
        np.testing.assert_allclose(whole["ace"].item(), row["effect"], rtol=1e-8)
        assert whole["se"].item() >= alone["se"].item() * (1 - 1e-12)


@pytest.mark.real
def test_the_example_of_the_format_sums_up_to_its_published_table(shared):
    folder = shared / "reference" / "mpra_formats"
    wanted = pd.read_csv(folder / "oligo_counts.IGVFDS2165KBMD.head20000.tsv.gz", sep="\t").set_index("ID")
    side = pd.DataFrame({"oligo_name": wanted.index, "element": wanted.index, "arm": "insert"})
    path = folder / "reporter_experiment_barcode_IGVFDS2165KBMD.input.head20000.tsv.gz"
    counts = cg.mpra.read_counts(path, arms=side)
    assert counts.sizes == {"barcode": 19_999, "replicate": 3, "oligo": 89}
    sums = cg.mpra.aggregate(counts)
    for r in ("1", "2", "3"):
        for kind in ("dna", "rna"):
            assert (sums[f"{kind}_counts"].sel(replicate=r).values == wanted[f"{kind}_count_{r}"]).all()


@pytest.mark.real
def test_a_real_library_is_filtered_to_the_pairs_of_the_reference(shared):
    folder = shared / "reference" / "mpra_real" / "library1"
    counts = cg.mpra.read_counts(folder / "counts.tsv.gz", arms=folder / "arms.tsv")
    summary = json.loads((folder / "expected" / "summary.json").read_text())
    pair = ["MUT-allCrxSites", "WT"]
    kept = cg.mpra.filter(counts, min_dna=10, min_barcodes=2, arms=pair)
    assert kept["dna_total"].item() == summary["size_dna"]
    assert kept["rna_total"].values.tolist() == summary["size_rna"]
    floor, few = json.loads(kept.attrs["filters"])
    assert counts.sizes["barcode"] - sum(floor["barcodes"].values()) == summary["barcodes_kept"]
    assert floor["unknown"] == {}
    assert sum(few["oligos"].values()) == counts.sizes["oligo"] - kept.sizes["oligo"]
    outcomes = cg.mpra.activity(kept, arms=pair)
    assert outcomes.sizes["unit"] == summary["n_pairs"] == 1963
    assert sum(json.loads(outcomes.attrs["left_out"]).values()) > 0
    effects = cg.contrast(outcomes, control="MUT-allCrxSites")
    wanted = pd.read_csv(folder / "expected" / "barcode_moderated.tsv.gz", sep="\t").set_index("element")
    ice = effects["ice"].mean("model").squeeze()
    np.testing.assert_allclose(ice, wanted["logFC"][ice["unit"].values], rtol=1e-8, atol=1e-10)
    mean = cg.contrast(outcomes.mean("model", keep_attrs=True), control="MUT-allCrxSites")
    alone = cg.estimate(mean, target="population")
    assert alone["ace"].item() == pytest.approx(summary["average_effect"]["effect"], rel=1e-8)
    assert alone["se"].item() == pytest.approx(summary["average_effect"]["se"], rel=1e-8)
    assert cg.estimate(effects)["se"].item() > alone["se"].item()
    with pytest.raises(CountsError, match=r"no oligo in arm .* say which are compared: arms="):
        cg.mpra.activity(kept)
