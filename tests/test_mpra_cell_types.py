"""Columns of two cell types are not pooled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from test_cli import call

import causalgia as cg
from causalgia.errors import DataError


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
    assert "K562" not in said
