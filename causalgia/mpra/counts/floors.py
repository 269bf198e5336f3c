"""How much DNA a barcode should have: what each floor leaves out, and what it does to the means of oligos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from causalgia.mpra.counts.log_ratios import cell_ratios, dna_observed
from causalgia.mpra.counts.noise_layers import oligo_means
from causalgia.types import Array, Ints, Mask

FLOORS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
WORTH = 1.02


@dataclass(frozen=True)
class Floors:
    """What floors of DNA do, shape ``(F,)`` each.

    Attributes
    ----------
    floor
        Least DNA of a barcode, the mean over replicates in which it was observed.
    left_out
        Share of the barcodes that have DNA which are under it.
    oligos
        Share of the oligos that have barcodes which lose them all.
    error
        Mean squared error of an oligo's mean log ratio, over its least value among the floors.
    """

    floor: Array
    left_out: Array
    oligos: Array
    error: Array

    @property
    def advised(self) -> float:
        """The lowest floor whose error is within 2 % of the least."""
        return float(self.floor[int(np.argmax(self.error <= WORTH))])


def dna_floors(counts: xr.Dataset, *more: float) -> Floors:
    """Compare floors of DNA by the error that they leave in the mean log ratio of an oligo.

    Barcodes with little DNA have noisy log ratios, and more barcodes average out. The squared error of an oligo's mean
    is the variance of barcodes within oligos over their number, both of the barcodes that stay; where none stays, or
    the mean would be worse than the average of all oligos, it is the variance between oligos.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    *more
        Floors beside 1, 2, 3, 5, 10, 20 and 50 reads.

    Examples
    --------
    >>> from causalgia.mpra.counts.example_counts import simulated
    >>> found = dna_floors(simulated())
    >>> found.advised, found.left_out.round(2)
    (1.0, array([0.  , 0.  , 0.  , 0.  , 0.  , 0.03, 0.29]))
    """
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    ratios, used = cell_ratios(counts)
    means = oligo_means(ratios, used, of, n)
    observed = dna_observed(counts)
    dna = counts["dna"].to_numpy().reshape(len(of), -1).sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
    seen = means.seen
    x, of, dna = means.barcode[seen], of[seen], dna[seen]
    floor = np.unique([*FLOORS, *(value for value in more if value > 0)])
    there = np.bincount(of, minlength=n) > 0
    between = _between(x, of, n, there)
    left_out, oligos, error = np.zeros((3, len(floor)))
    for i, least in enumerate(floor):
        kept = dna >= least
        size = np.bincount(of[kept], minlength=n)[there]
        within = _within(x[kept], of[kept], n)
        left_out[i], oligos[i] = 1 - kept.mean() if len(kept) else 0.0, (size == 0).mean() if len(size) else 0.0
        own = np.divide(within, size, out=np.full(len(size), between), where=size > 0)
        error[i] = np.minimum(own, between).mean() if len(size) else 0.0
    least_error = error.min()
    relative = error / least_error if least_error > 0 else np.ones_like(error)
    return Floors(floor, left_out, oligos, relative)


def _within(x: Array, of: Ints, n: int) -> float:
    """Return the variance of barcodes within oligos; inf where no oligo has two."""
    size = np.bincount(of, minlength=n)
    mean = np.bincount(of, x, n) / np.maximum(size, 1)
    df = int((size[size > 0] - 1).sum())
    return float(((x - mean[of]) ** 2).sum() / df) if df else float("inf")


def _between(x: Array, of: Ints, n: int, there: Mask) -> float:
    mean = (np.bincount(of, x, n) / np.maximum(np.bincount(of, minlength=n), 1))[there]
    return float(mean.var(ddof=1)) if len(mean) > 1 else 0.0
