"""Count tables of MPRAs as sequencers, spreadsheets and R write them: barcodes in lower case
names of columns in another case; commas in counts and numbers of samples are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import causalgia as cg

RNG = np.random.default_rng(0)
OLIGOS = [f"e{i}_{arm}" for i in range(20) for arm in ("ref", "alt")]
SIDE = pd.DataFrame(
    [(name, *name.split("_")) for name in OLIGOS],
    columns=["oligo_name", "element", "arm"],
)


def table() -> pd.DataFrame:
    rows = []
    for name in OLIGOS:
        for _ in range(5):
            barcode = "".join(RNG.choice(list("ACGT"), 12))
            counts = RNG.poisson(2_000, 6) * np.tile([1, 1 + name.endswith("alt")], 3)
            rows.append([barcode, name, *counts])
    counts_of = [f"{kind}_count_{i}" for i in (1, 2, 3) for kind in ("dna", "rna")]
    return pd.DataFrame(rows, columns=["barcode", "oligo_name", *counts_of])


PLAIN = table()


def counts_of(path: Path, **settings: Any) -> pd.DataFrame:
    found = cg.mpra.read_counts(path, side_table=SIDE, **settings)
    columns = {
        "barcode": found["barcode"],
        "oligo": found["oligo"][found["oligo_index"]],
    }
    for kind in ("dna", "rna"):
        columns |= {f"{kind}_{i}": found[kind][:, i] for i in range(3)}
    frame = pd.DataFrame({k: np.asarray(x) for k, x in columns.items()})
    return frame.sort_values("barcode").reset_index(drop=True)


def thousands(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{x: frame[x].map("{:,}".format) for x in frame.columns[2:]})


def renamed(change: Callable[[str], str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.rename(columns=change)


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "lower case": lambda x: x.assign(barcode=x.barcode.str.lower()),
    "heads in upper case": renamed(str.upper),
    "heads with blanks": renamed(lambda name: name.replace("_", " ").title()),
    "heads with points, by R": renamed(lambda name: name.replace("_", ".")),
    "heads with hyphens": renamed(lambda name: name.replace("_", "-")),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_the_same_counts_are_read(tmp_path, kind, separator):
    plain, changed = tmp_path / "plain.tsv", tmp_path / "changed.csv"
    PLAIN.to_csv(plain, sep="\t", index=False)
    CHANGES[kind](PLAIN).to_csv(changed, sep=separator, index=False)
    pd.testing.assert_frame_equal(counts_of(changed), counts_of(plain))


@pytest.mark.parametrize(
    "changed", [thousands, lambda x: x.assign(barcode=x.barcode + "-1")]
)
def test_other_spellings_of_counts_and_barcodes_are_refused(tmp_path, changed):
    path = tmp_path / "changed.tsv"
    changed(PLAIN).to_csv(path, sep="\t", index=False)
    with pytest.raises(cg.errors.DataError):
        counts_of(path)


ASSIGNMENTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "lower case": lambda x: x.assign(barcode=x.barcode.str.lower()),
    "points in heads": renamed(lambda name: name.replace("_", ".")),
}


@pytest.mark.parametrize("kind", ASSIGNMENTS)
@pytest.mark.parametrize("head", [True, False])
def test_an_assignment_may_be_written_otherwise(tmp_path, kind, head):
    plain, path, pairs = (tmp_path / name for name in ("p.tsv", "c.tsv", "a.tsv"))
    PLAIN.to_csv(plain, sep="\t", index=False)
    counts = PLAIN.drop(columns="oligo_name")
    counts.to_csv(path, sep="\t", index=False)
    changed = ASSIGNMENTS[kind](PLAIN[["barcode", "oligo_name"]])
    changed.to_csv(pairs, sep="\t", index=False, header=head)
    found = counts_of(path, assignment=pairs)
    pd.testing.assert_frame_equal(found, counts_of(plain))


def test_a_side_table_may_have_blanks_and_points_in_heads(tmp_path):
    path = tmp_path / "plain.tsv"
    PLAIN.to_csv(path, sep="\t", index=False)
    for between in (" ", "."):
        side = SIDE.rename(columns=lambda x, b=between: x.replace("_", b).title())
        found = cg.mpra.read_counts(path, side_table=side)
        assert found["arm"].values.tolist() == SIDE["arm"].tolist()
