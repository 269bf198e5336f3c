"""Counts in: barcode tables read, filtered and looked at; activities with both layers of noise."""

from __future__ import annotations

import gzip
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
