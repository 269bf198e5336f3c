"""A review of the bench: conditions as rows of one table, labels in place of arms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import ContrastError, CountsError
from causalgia.mpra.counts import counts_of


def rows(n_oligos: int = 6, n_each: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = n_oligos * n_each
    letters = ["".join("ACGT"[(i >> 2 * k) & 3] for k in range(5)) for i in range(n)]
    counted = {
        f"{kind}_count_{r}": rng.poisson(40, n) for kind in ("dna", "rna") for r in "12"
    }
    oligos = np.repeat([f"o{i}" for i in range(n_oligos)], n_each)
    return pd.DataFrame({"barcode": letters, "oligo_name": oligos, **counted})


def refused(table: pd.DataFrame, folder: Path) -> str:
    side = pd.DataFrame({"oligo_name": sorted(set(table["oligo_name"]))})
    side["element"] = side["oligo_name"].str[:2]
    side["arm"] = side["oligo_name"].str[3:].replace("", "x")
    path = folder / "counts.tsv"
    table.to_csv(path, sep="\t", index=False)
    with pytest.raises(CountsError) as error:
        cg.mpra.read_counts(path, side_table=side)
    return str(error.value)


def test_barcodes_of_two_conditions_are_no_errors_of_assignment(tmp_path):
    one = rows()
    both = pd.concat(
        [one.assign(oligo_name=one["oligo_name"] + end) for end in ("_K562", "_HepG2")]
    )
    text = refused(both, tmp_path)
    assert "is of oligo 'o0_K562' and of oligo 'o0_HepG2'" in text
    assert "each is a library of its own" in text.lower()
    assert "cg.mpra.concordance(fit, fit)" in text
    assert "drop" not in text


def test_a_few_barcodes_of_two_oligos_are(tmp_path):
    one = rows()
    few = pd.concat([one, one[:3].assign(oligo_name="o5")])
    assert "drop the barcodes that are assigned twice" in refused(few, tmp_path)


@pytest.mark.parametrize("control", ["test", "negative"])
def test_labels_in_place_of_arms_lead_to_calls(control):
    one = rows()
    side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(6)]})
    side["element"] = side["oligo_name"]
    side["arm"] = side["group"] = ["test"] * 3 + ["negative"] * 3
    counts = counts_of(
        one.filter(like="dna").to_numpy(),
        one.filter(like="rna").to_numpy(),
        barcodes=one["barcode"].tolist(),
        oligos=one["oligo_name"].tolist(),
        side_table=side,
    )
    with pytest.raises(ContrastError, match=r"cg\.mpra\.calls"):
        cg.mpra.fit(counts, control=control)
    with pytest.raises(
        CountsError, match=r"no element .* test, negative.* cg\.mpra\.calls"
    ):
        cg.mpra.activity(counts)
