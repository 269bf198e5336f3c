"""Log ratios of RNA to DNA in each cell, relative to library totals."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.types import Array, Ints, Mask

LEAST_EXPECTED = 10.0


def cell_ratios(counts: xr.Dataset, *, pseudo: float = 0.5) -> tuple[Array, Mask]:
    """Return log2(RNA/DNA) of each barcode in each replicate, and which cells have one.

    ``log2(rna + pseudo) - log2(rna_total + 1) - log2(dna + pseudo) + log2(dna_total + 1)``: size factors are by library
    (type, replicate), for all arms. A cell is used where its DNA was read (observed and above 0); missing RNA counts as
    0.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    pseudo
        Added to every count.

    Returns
    -------
    tuple
        Ratios, shape ``(n_barcodes, n_replicates)``, 0 in cells that are not used; and the mask of those that are.
    """
    rna = counts["rna"].to_numpy()
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    used = np.broadcast_to(dna_observed(counts) & (dna > 0), rna.shape)
    top = np.log2(rna + pseudo) - np.log2(counts["rna_total"].to_numpy() + 1.0)
    bottom = np.log2(dna + pseudo) - np.log2(counts["dna_total"].to_numpy() + 1.0)
    return np.where(used, top - bottom, 0.0), used


def silent_share(counts: xr.Dataset) -> float:
    """Return the share of cells without RNA among those in which 10 reads or more are expected.

    The expectation is the barcode's DNA times RNA over DNA of the oligo's other barcodes in the replicate; at a
    dispersion of .1, 10 expected reads are 0 by chance in one of a thousand cells. 0 where no cell expects as many.
    """
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    rna = counts["rna"].to_numpy().astype(np.float64)
    dna = np.broadcast_to(counts["dna"].to_numpy().reshape(len(rna), -1), rna.shape).astype(np.float64)
    both = [group_sums(x, of, (n,))[of] - x for x in (rna, dna)]
    expected = np.divide(dna * both[0], both[1], out=np.zeros_like(dna), where=both[1] > 0)
    deep = (expected >= LEAST_EXPECTED) & counts["rna_observed"].to_numpy()
    return float((rna[deep] == 0).mean()) if deep.any() else 0.0


def dna_observed(counts: xr.Dataset) -> Mask:
    """Return the mask of observed DNA cells, shape ``(n_barcodes, 1 or n_replicates)``."""
    return counts["dna_observed"].to_numpy().reshape(counts.sizes["barcode"], -1)


def group_sums(values: NDArray[Any], group: Ints, shape: tuple[int, ...]) -> Array:
    """Sum values, shape ``(B, ...)``, within groups 0 to G - 1 of their rows, to ``(*shape, ...)`` with G entries.

    Examples
    --------
    >>> group_sums(np.array([1.0, 2.0, 4.0]), np.array([1, 1, 0]), (2, 1)).ravel()
    array([4., 3.])
    """
    columns = values.reshape(len(values), -1)
    size = int(np.prod(shape))
    found = [np.bincount(group, column, size) for column in columns.T]
    return np.stack(found, axis=-1).reshape(*shape, *values.shape[1:]).astype(np.float64, copy=False)
