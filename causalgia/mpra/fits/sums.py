"""Reads summed over barcodes, as log ratios in libraries of one size."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.mpra.counts.summing import group_sums
from causalgia.mpra.fits.fit_contrasts import Asked
from causalgia.types import Array

LIBRARY = 1e7


def ratio_of_sums(counts: xr.Dataset, asked: Asked) -> tuple[Array, Array]:
    """Return log2(RNA/DNA) and log2(DNA) of the sums over barcodes, shape ``(E, A, R)`` each.

    Every library (type, replicate) is brought to 1e7 reads, whatever the arms in it, and 1 is added: the ratio is
    ``log2(1e7 rna / rna_total + 1) - log2(1e7 dna / dna_total + 1)``. An empty cell adds nothing.
    """
    own = asked.element >= 0
    group = (asked.element * len(asked.arms) + asked.arm)[own]
    dna, rna = (counts[name].to_numpy().reshape(len(own), -1)[own].astype(np.float64) for name in ("dna", "rna"))
    log_dna, log_rna = (
        np.log2(group_sums(reads, group, asked.oligos.shape) * (LIBRARY / counts[total].to_numpy()) + 1)
        for reads, total in ((dna, "dna_total"), (rna, "rna_total"))
    )
    return log_rna - log_dna, np.broadcast_to(log_dna, log_rna.shape)
