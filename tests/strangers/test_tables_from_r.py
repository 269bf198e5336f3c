# the bench beside the field's packages: tables as R writes them, and columns of gDNA and cDNA
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import refused

import causalgia as cg
from causalgia.errors import CountsError

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
    ("text", "read_as"),
    [
        (_sums(["oligo_name"], COUNTS, "1234"), "row names not used"),
        (_sums(["", "oligo_name"], COUNTS, "1234"), "row names not used"),
        (_sums([""], COUNTS), "row names read as names of oligos"),
        (_sums([], COUNTS), "row names read as names of oligos"),
        (_sums(["ID"], COUNTS), "oligos in 'ID'"),
        (_sums(["oligo_name"], ["gDNA_1", "cDNA_1", "gDNA_2", "cDNA_2"]), "one sum"),
        (_sums(["oligo_name"], ["DNA_1", "mRNA_1", "DNA_2", "mRNA_2"]), "one sum"),
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
def test_sums_as_r_writes_them(tmp_path, text, read_as):
    path = tmp_path / "sums.tsv"
    path.write_text(text)
    counts = cg.mpra.read_counts(path, side_table=SIDE)
    order = counts["oligo"].to_series().reset_index(drop=True)
    at = [order[order == name].index[0] for name in SIDE["oligo_name"]]
    np.testing.assert_array_equal(counts["dna"].to_numpy()[at], READS[:, ::2])
    np.testing.assert_array_equal(counts["rna"].to_numpy()[at], READS[:, 1::2])
    assert read_as in counts.attrs["table_format"]


def test_barcodes_with_names_of_rows(tmp_path):
    table = pd.DataFrame({"barcode": ["ACGT", "CCGT", "GCGT", "TCGT"]})
    table["oligo_name"] = SIDE["oligo_name"]
    table[COUNTS] = READS
    table.to_csv(tmp_path / "b.tsv", sep="\t")
    counts = cg.mpra.read_counts(tmp_path / "b.tsv", side_table=SIDE)
    np.testing.assert_array_equal(counts["rna"].to_numpy(), READS[:, 1::2])


def test_a_stripped_line_is_no_name_of_a_row(tmp_path):
    lines = _sums(["oligo_name"], COUNTS).splitlines()
    (tmp_path / "c.tsv").write_text("\n".join([lines[0], lines[1] + "\t7", *lines[2:]]))
    with pytest.raises(CountsError, match="line 2"):
        cg.mpra.read_counts(tmp_path / "c.tsv", side_table=SIDE)


def test_conditions_with_a_header(tmp_path):
    (tmp_path / "cond.tsv").write_text("\tcondition\np1\tDNA\nk1\tK562\nk2\tK562\n")
    text = "Barcode\tOligo\tp1\tk1\tk2\nACGT\to1\t9\t8\t7\nCCGT\to2\t9\t8\t7\n"
    (tmp_path / "d.tsv").write_text(text)
    side = SIDE.iloc[:2]
    conditions = tmp_path / "cond.tsv"
    counts = cg.mpra.read_counts(
        tmp_path / "d.tsv", side_table=side, conditions=conditions
    )
    assert counts["rna"].to_numpy().tolist() == [[8, 7], [8, 7]]


def test_numbers_of_more_rows(tmp_path):
    text = _sums(["oligo_name"], COUNTS)
    (tmp_path / "e.tsv").write_text(text)
    with pytest.raises(CountsError, match=r"not in the side table; add"):
        cg.mpra.read_counts(tmp_path / "e.tsv", side_table=SIDE.iloc[:3])


def test_two_measured_libraries_are_called_so():
    rng = np.random.default_rng(0)
    true = rng.normal(size=40)
    fits = [_fitted(true * slope + rng.normal(0, 0.1, 40)) for slope in (1, 0.85)]
    words = cg.report(cg.mpra.concordance(*fits)).split("\n\n")[0]
    assert "irtual" not in words
    assert "Those of the second are" in words.replace("\n", " ")


def _fitted(effect):
    n = len(effect)
    truth = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["ref", "alt"] * n,
            "group": "test",
            "log2": np.column_stack([np.zeros(n), effect]).ravel(),
        }
    )
    counts = cg.mpra.simulate(truth, n_barcodes=6, n_replicates=2, rng=1)
    return cg.mpra.fit(counts, control="ref")


def test_one_arm_has_nothing_to_be_compared_with(tmp_path):
    (tmp_path / "f.tsv").write_text(_sums(["oligo_name"], COUNTS))
    side = tmp_path / "side.tsv"
    SIDE.assign(arm="tile", element=SIDE["oligo_name"]).to_csv(
        side, sep="\t", index=False
    )
    command = ["mpra", "analyze", tmp_path / "f.tsv", "--design", side]
    refused(*command, "--out", tmp_path / "out", said="there is one arm, 'tile'")
