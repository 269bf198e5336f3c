"""Replicates with so few reads that they add more noise than they tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

_NOISY, _NOISIER, _LEAST_LEFT = 0.05, 10.0, 2


class Depth(NamedTuple):
    """A replicate with few reads.

    Attributes
    ----------
    replicate
        Its name.
    reads, others
        RNA reads of the median oligo in it, and in the median of the other replicates.
    """

    replicate: str
    reads: float
    others: float

    def __str__(self) -> str:
        return (
            f"replicate {self.replicate} has {self.reads:,.0f} RNA reads an oligo "
            f"(median), where the others have {self.others:,.0f}"
        )


def shallow_replicates(counts: xr.Dataset, sums: xr.Dataset) -> list[Depth]:
    """Return the replicates whose counting noise is large, and ten times that of the
    others.

    The noise of the median oligo's log ratio is ``1/dna + 1/rna`` (natural logs). A
    replicate counts where it exceeds .05 and ten times the median of the other
    replicates, and where two or more others are left. With replicates weighted alike
    such a one widens intervals: of three replicates with 600 reads an oligo and one
    with 6, ``method="two_way"`` had the power .36, and .44 without the last.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    sums
        From `causalgia.mpra.counts.aggregate`.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> from causalgia.mpra.counts._activity import aggregate
    >>> counts = simulated()
    >>> shallow_replicates(counts, aggregate(counts))
    []
    """
    n_bc = sums["n_bc"].to_numpy() > 0
    names = sums["replicate"].to_numpy().astype(str).tolist()
    rna = sums["rna_counts"].to_numpy().astype(np.float64)
    noise = 1 / np.maximum(rna, 0.5)
    if counts["dna"].ndim == 2:  # else all replicates share the noise of their DNA
        noise = noise + 1 / np.maximum(sums["dna_counts"].to_numpy(), 0.5)
    some = n_bc.any(axis=1)
    if not some.any():
        return []
    each = np.median(noise[some], axis=0)
    found = []
    for r, name in enumerate(names):
        others = np.delete(each, r)
        if len(others) < _LEAST_LEFT or each[r] <= _NOISY:
            continue
        if each[r] > _NOISIER * np.median(others):
            reads = np.median(rna[some], axis=0)
            found.append(Depth(name, reads[r], float(np.median(np.delete(reads, r)))))
    return found if len(names) - len(found) >= _LEAST_LEFT else []
