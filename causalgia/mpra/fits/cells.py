"""The cells of a question as arrays, and sums over their barcodes and replicates."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from causalgia.mpra.counts.log_ratios import cell_ratios
from causalgia.mpra.counts.summing import group_sums
from causalgia.mpra.fits.fit_contrasts import Asked
from causalgia.types import Array, Ints, Mask


@dataclass(frozen=True)
class Cells:
    """Log ratios of B barcodes in R replicates, each barcode of one element under one arm.

    Attributes
    ----------
    ratio
        log2(RNA/DNA), 0 where there is none, shape ``(B, R)``.
    used
        Whether there is one, shape ``(B, R)``; every barcode has one at least.
    group
        ``element * A + arm`` of each barcode, shape ``(B,)``.
    shape
        Elements and arms, (E, A).
    """

    ratio: Array
    used: Mask
    group: Ints
    shape: tuple[int, int]

    def sums(self, values: Array | Mask) -> Array:
        """Sum numbers of barcodes, shape ``(B, ...)``, over the barcodes of each element and arm, ``(E, A, ...)``."""
        return group_sums(values, self.group, self.shape)

    def at(self, means: Array) -> Array:
        """Return numbers of elements and arms, ``(E, A, ...)``, at each barcode, ``(B, ...)``."""
        return means.reshape(-1, *means.shape[2:])[self.group]


def cells_of(counts: xr.Dataset, asked: Asked) -> Cells:
    """Return the cells of the barcodes that a question uses and whose DNA was read somewhere."""
    ratio, used = cell_ratios(counts)
    keep = (asked.element >= 0) & used.any(axis=1)
    E, A = asked.oligos.shape
    return Cells(ratio[keep], used[keep], asked.element[keep] * A + asked.arm[keep], (E, A))
