# the bench beside the field's packages: tables as R writes them, and columns of gDNA and cDNA
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg

SIDE = pd.DataFrame(
    {
        "oligo_name": ["o1", "o2", "o3", "o4"],
        "element": ["a", "a", "b", "b"],
        "arm": ["ref", "alt"] * 2,
        "group": "test",
    }
)
READS = np.random.default_rng(0).poisson(200, (4, 4))


def _sums(first, counts, rows=None):
    lines = ["\t".join(first + counts)]
    for i, name in enumerate(SIDE["oligo_name"]):
        cells = [name] if rows is None else [rows[i], name]
        lines.append("\t".join([*cells, *map(str, READS[i])]))
    return "\n".join(lines) + "\n"


COUNTS = ["dna_count_1", "rna_count_1", "dna_count_2", "rna_count_2"]


@pytest.mark.parametrize(
    "text",
    [
        _sums(["oligo_name"], COUNTS, "1234"),
        _sums(["", "oligo_name"], COUNTS, "1234"),
        _sums([""], COUNTS),
        _sums([], COUNTS),
        _sums(["ID"], COUNTS),
        _sums(["oligo_name"], ["gDNA_1", "cDNA_1", "gDNA_2", "cDNA_2"]),
        _sums(["oligo_name"], ["DNA_1", "mRNA_1", "DNA_2", "mRNA_2"]),
    ],
    ids=[
        "header one short",
        "no name",
        "oligos",
        "oligos, short",
        "ID",
        "cDNA",
        "mRNA",
    ],
)
def test_sums_as_r_writes_them(tmp_path, text):
    path = tmp_path / "sums.tsv"
    path.write_text(text)
    counts = cg.mpra.read_counts(path, side_table=SIDE)
    order = counts["oligo"].to_series().reset_index(drop=True)
    at = [order[order == name].index[0] for name in SIDE["oligo_name"]]
    np.testing.assert_array_equal(counts["dna"].to_numpy()[at], READS[:, ::2])
    np.testing.assert_array_equal(counts["rna"].to_numpy()[at], READS[:, 1::2])


def test_barcodes_with_names_of_rows(tmp_path):
    table = pd.DataFrame({"barcode": ["ACGT", "CCGT", "GCGT", "TCGT"]})
    table["oligo_name"] = SIDE["oligo_name"]
    table[COUNTS] = READS
    table.to_csv(tmp_path / "b.tsv", sep="\t")
    counts = cg.mpra.read_counts(tmp_path / "b.tsv", side_table=SIDE)
    np.testing.assert_array_equal(counts["rna"].to_numpy(), READS[:, 1::2])


def _as_r(table, *, row_names=True, sep=" ", corner=""):
    """Return a table as write.table and write.csv write it."""
    lines = [corner + sep.join(f'"{name}"' for name in table.columns)]
    for i, row in enumerate(table.itertuples(index=False)):
        cells = [f'"{x}"' if isinstance(x, str) else str(x) for x in row]
        lines.append(sep.join([f'"{i + 1}"'] * row_names + cells))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"row_names": False},
        {"sep": "\t"},
        {"sep": ",", "corner": '"",'},
    ],
    ids=["write.table", "without row names", "tabs", "write.csv"],
)
@pytest.mark.parametrize("keys", [["barcode", "oligo_name"], ["oligo_name"]])
def test_tables_with_quotes_and_columns_of_text(tmp_path, how, keys):
    table = pd.DataFrame({"barcode": ["ACGT", "CCGT", "GCGT", "TCGT"]})
    table["oligo_name"] = SIDE["oligo_name"]
    table = table[keys].assign(group="an enhancer", REF="A", gc=0.41)
    table[COUNTS] = READS
    (tmp_path / "b.txt").write_text(_as_r(table, **how))
    counts = cg.mpra.read_counts(tmp_path / "b.txt", side_table=SIDE)
    np.testing.assert_array_equal(counts["dna"].to_numpy(), READS[:, ::2])
    np.testing.assert_array_equal(counts["rna"].to_numpy(), READS[:, 1::2])
