"""Headers of other packages: the error names the column that is meant."""

from __future__ import annotations

import pandas as pd
import pytest

import causalgia as cg

NUMBERS = [[0.1, 0.2], [1.0, 0.2], [0.5, 0.3]]


@pytest.mark.parametrize(
    ("effect", "se"),
    [
        ("logFC", "SE"),
        ("log2FoldChange", "lfcSE"),
        ("coef", "stderr"),
        ("effect", "SE"),
    ],
)
def test_the_rename_that_an_error_prints_can_be_applied(effect, se):
    table = pd.DataFrame(NUMBERS, columns=[effect, se], index=["a", "b", "c"])
    with pytest.raises(cg.errors.OutcomesError, match="; rename: table.rename") as one:
        cg.from_effects(table)
    call = str(one.value).rpartition("; rename: ")[2]
    renamed = eval(call, {"table": table})
    assert cg.from_effects(renamed)["ace"].values.ravel().tolist() == [0.1, 1.0, 0.5]


@pytest.mark.parametrize("columns", [["logFC", "P.Value"], ["coef", "beta"]])
def test_no_rename_is_named_where_none_would_do(columns):
    table = pd.DataFrame(NUMBERS, columns=columns, index=["a", "b", "c"])
    with pytest.raises(cg.errors.OutcomesError, match="a DataFrame without") as one:
        cg.from_effects(table)
    assert "rename" not in str(one.value)


def test_a_column_that_may_name_oligos_is_said_to(tmp_path):
    (tmp_path / "counts.tsv").write_text(
        "Insert_ID\tbarcode\tdna_count_1\trna_count_1\nu1_GATA1\tACGTACGT\t10\t20\n"
    )
    (tmp_path / "arms.tsv").write_text(
        "oligo_name\telement\tarm\tgroup\nu1_GATA1\tu1\tGATA1\ttest\n"
    )
    with pytest.raises(
        cg.errors.CountsError, match="'Insert_ID' is not a count .*rename it oligo_name"
    ):
        cg.mpra.read_counts(tmp_path / "counts.tsv", side_table=tmp_path / "arms.tsv")
