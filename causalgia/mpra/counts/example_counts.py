"""Small counts for examples in docstrings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.mpra.counts._simulate import simulate
from causalgia.mpra.counts.counts_table import counts_of


def two_arms() -> xr.Dataset:
    """Return four barcodes of one element in two arms and two replicates; one cell is empty."""
    side = pd.DataFrame(
        {"oligo_name": ["u1_cont", "u1_gata"], "element": ["u1", "u1"], "arm": ["control", "GATA1"], "group": "test"}
    )
    dna: list[list[float]] = [[10, 12], [20, 16], [15, np.nan], [10, 11]]
    rna: list[list[float]] = [[9, 14], [25, 16], [31, np.nan], [18, 25]]
    names = ["u1_cont", "u1_cont", "u1_gata", "u1_gata"]
    return counts_of(dna, rna, barcodes=["AAA", "CCC", "GGG", "TTT"], oligos=names, arms=side)


def simulated() -> xr.Dataset:
    """Return counts of 30 elements, 10 of them negative controls, in two arms; the effect is about 1."""
    rng = np.random.default_rng(1)
    effect = np.where(np.arange(30) < 10, 0.0, rng.normal(1, 0.3, 30))
    activity = pd.DataFrame(
        {
            "element": np.repeat([f"u{i:02d}" for i in range(30)], 2),
            "arm": ["control", "GATA1"] * 30,
            "group": np.repeat(["negative"] * 10 + ["test"] * 20, 2),
            "log2": np.column_stack([np.zeros(30), effect]).ravel() + np.repeat(rng.normal(0, 0.3, 30), 2),
        }
    )
    return simulate(activity, n_barcodes=8, n_replicates=3, rng=1)
