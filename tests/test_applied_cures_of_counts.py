"""Errors of tables of counts and of their controls: what each message says is done, and
the counts that were meant are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cures import Cases, cure_in, cured, number_in, refusal

import causalgia as cg

case = Cases()
mpra = cg.mpra

RNG = np.random.default_rng(2)
BARCODES = ["".join(RNG.choice(list("ACGT"), 10)) for _ in range(8)]
SIDE = pd.DataFrame({"oligo_name": ["o1", "o2"], "element": "e", "arm": ["a", "b"]})
ROWS = "".join(f"{x}\to{1 + i % 2}\t{9 + i}\t{3 + i}\n" for i, x in enumerate(BARCODES))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(header: str, rows: str = ROWS) -> dict[str, Any]:
    Path("counts.tsv").write_text(
        header.replace(" ", "\t") + "\n" * bool(header) + rows
    )
    return {"path": "counts.tsv", "side_table": SIDE}


def is_whole(read: Any) -> bool:
    return read["dna"].to_numpy().ravel().tolist() == list(range(9, 17))


def activity(*groups: str) -> pd.DataFrame:
    """Return 12 elements of each group in one arm."""
    return pd.DataFrame(
        {
            "element": [f"{group}{i}" for group in groups for i in range(12)],
            "arm": "x",
            "log2": RNG.normal(size=12 * len(groups)),
            "group": np.repeat(groups, 12),
        }
    )


@case
def no_files_at_all() -> Any:
    """It was said that read_counts reads files, not a list."""
    named = cure_in(
        refusal(mpra.read_counts, [], side_table=SIDE), r"such as (\[.*\])$"
    )
    files = eval(named)
    for path in files:
        given = table("barcode oligo_name dna rna")
        Path(given["path"]).rename(path)
    return mpra.read_counts(files, side_table=SIDE).sizes["replicate"] == 2


@case
def arms_of_a_rule_that_is_not_given() -> Any:
    """They were ignored without a word."""
    counts = mpra.read_counts(**table("barcode oligo_name dna rna"))
    given = {"counts": counts, "min_dna": 10, "arm_names": "a"}
    text = refusal(mpra.filter, **given)
    assert cure_in(text, r"such as (min_barcodes=5),")
    assert mpra.filter(**given, min_barcodes=3).sizes["barcode"] == 7
    return cured(mpra.filter, given, r"leave (arm_names)= out$").sizes["barcode"] == 7


@case
def one_column_of_dna_and_one_of_rna_by_their_conditions() -> Any:
    """What was marked as told was refused: of DNA without a replicate's name."""
    given = table("barcode oligo_name plasmid_r1 K562_r1")
    marks = {"plasmid_r1": "K562", "K562_r1": "K562"}
    text = refusal(mpra.read_counts, **given, conditions=marks)
    assert text.endswith(
        "those of the plasmids with DNA, and the others with their cell type"
    )
    read = mpra.read_counts(**given, conditions=marks | {"plasmid_r1": "DNA"})
    return is_whole(read) and read["replicate"].to_numpy().tolist() == ["K562_r1"]


@case
def a_table_without_a_header() -> Any:
    """A count that stands twice in the first line was taken for a column twice."""
    for rows in (ROWS, ROWS.replace("\t9\t3\n", "\t9\t9\n", 1)):
        text = refusal(mpra.read_counts, **table("", rows))
        header = cure_in(text, r"above it, such as (.*)$")
        assert is_whole(mpra.read_counts(**table(header, rows)))
    return True


@case
def barcodes_by_another_name() -> Any:
    """Their column was told to be left out or to be that of oligos."""
    text = refusal(mpra.read_counts, **table("x y dna_count_1 rna_count_1"))
    oligo, barcode = (
        cure_in(text, cure) for cure in (r"rename it (\w+), if", r"barcode, (\w+);")
    )
    header = f"{barcode} {oligo} dna_count_1 rna_count_1"
    return is_whole(mpra.read_counts(**table(header)))


@case
def negatives_by_another_name() -> Any:
    """The smallest group was named, and were it that of the tests."""
    counts = mpra.simulate(activity("test", "positive", "negative"), rng=0)
    given = {"counts": counts, "negative": "neg"}
    found = cured(mpra.calls, given, r"for example (negative='negative')$")
    text = refusal(mpra.calls, mpra.simulate(activity("test"), rng=0))
    assert text.endswith(
        "measure negative controls, and give them that group in the side table"
    )
    return found.equals(mpra.calls(counts))


@case
def halves_that_no_number_of_oligos_has() -> Any:
    """Fewer oligos were asked for where none has enough barcodes."""
    counts = mpra.simulate(activity("test"), n_barcodes=5, rng=0)
    given = {"counts": counts, "rng": 0, "min_barcodes": 50}
    found = cured(
        mpra.split_duplicates, given, r"; give smaller halves, (min_barcodes=\d+)$"
    )
    more = given | {"min_barcodes": 2, "n_oligos": 90}
    text = refusal(mpra.split_duplicates, **more)
    most = number_in(text, r"; ask for (\d+) at most$")
    again = mpra.split_duplicates(**more | {"n_oligos": most})
    return found.sizes["oligo"] == again.sizes["oligo"] == 24


@case.each
def test_the_cure_of_counts_is_applied_and_succeeds(case):
    assert case()
