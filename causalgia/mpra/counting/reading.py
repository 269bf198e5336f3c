"""Read barcode tables: the columns of an IGVF reporter experiment, and a side table that says each oligo's arm."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

from causalgia.mpra.counting.tables import counts_of


def read_counts(path: str | Path, *, arms: str | Path | pd.DataFrame) -> xr.Dataset:
    """Read barcode counts and the side table of their oligos.

    Parameters
    ----------
    path
        Tab-separated, also compressed: ``barcode oligo_name`` and ``dna_count_<rep> rna_count_<rep>`` a replicate; one
        ``dna_count_`` column alone is one plasmid pool for every replicate. An empty cell is no count, not 0.
    arms
        The side table: ``oligo_name element arm group``, a path or a DataFrame.

    Returns
    -------
    Dataset
        As `causalgia.mpra.counting.tables.counts_of`.
    """
    side = arms if isinstance(arms, pd.DataFrame) else pd.read_csv(arms, sep="\t", dtype=str, keep_default_na=False)
    table = pd.read_csv(path, sep="\t", dtype={"barcode": str, "oligo_name": str})
    rna = [c for c in table.columns if c.startswith("rna_count_")]
    dna = [c for c in table.columns if c.startswith("dna_count_")]
    names = [c.removeprefix("rna_count_") for c in rna]
    D, R = table[dna].to_numpy(float), table[rna].to_numpy(float)
    if len(dna) == 1 and len(rna) > 1:
        D = D[:, 0]
    return counts_of(
        D,
        R,
        barcodes=table["barcode"].to_numpy(),
        oligos=table["oligo_name"].to_numpy(),
        arms=side,
        replicates=names,
        dna_observed=D == D,
        rna_observed=R == R,
    )
