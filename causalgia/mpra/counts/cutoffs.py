"""Tables that keep cells only where RNA was seen (zero-truncated), and the factor by
which effects come out of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from causalgia.attributes import attributes
from causalgia.mpra.counts.barcodes import dna_observed
from causalgia.types import Array, Mask

_LEAST_CELLS, _LEAST_AT, _PILED = 50, 5, 0.3
_NOTED = 0.01
_KEPT, _ROWS, _MOST_THINNED = 0.9, 400, 6


class Cutoff(NamedTuple):
    """The fewest RNA reads with which a table keeps a cell.

    Attributes
    ----------
    reads
        The fewest reads, t.
    share_at
        Share of the kept cells with exactly t.
    slope
        Elasticity of an oligo's RNA/DNA, over the cells that are kept, in its activity:
        the factor by which small effects on ratios of sums come out.
    of_barcodes
        Whether the reads are those of a barcode in all replicates together, so that
        single cells may be 0.
    """

    reads: int
    share_at: float
    slope: float
    of_barcodes: bool = False

    @property
    def shrinks(self) -> bool:
        """Whether effects on ratios of sums shrink by a hundredth or more."""
        return 1 - self.slope >= _NOTED


def cutoff(counts: xr.Dataset) -> Cutoff | None:
    """Return the fewest RNA reads with which a table keeps a cell whose DNA was read,
    and the factor by which effects come out; None where cells without RNA are kept.

    For Poisson reads of mean m, ``d P(R >= t) / d log m = t P(R = t)``. Where cells are
    kept for R >= t, the sum of DNA over the kept cells of an oligo grows with its
    activity, by ``t sum(D 1{R = t}) / sum(D)`` for a unit of log activity, and the sum
    of RNA by ``1 + t (t - 1) n_t / sum(R)``; their ratio by the difference, which is the
    slope. For t = 1 it is 1 minus the share of the DNA in cells with one RNA read. On
    gamma-Poisson counts it was within .03 of the simulated factor from 1 to 40 reads a
    cell and for t from 1 to 3, and below it by at most .05 for t = 5 and 10.

    Parameters
    ----------
    counts
        Of kind ``counts``.

    References
    ----------
    Plackett (1953), doi:10.2307/2333106, of truncated Poisson counts.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> cutoff(simulated()) is None
    True
    """
    dna, rna, used = _cells(counts)
    found = _cutoff_of(dna[used], rna[used])
    if found is None and rna.shape[1] > 1:
        rows = used.any(axis=1)
        # a barcode is kept for cells with both; or for RNA, also where its DNA was missed
        observed = np.broadcast_to(dna_observed(counts), rna.shape)
        for cells in (used, observed):
            if found is None:
                found = _cutoff_of(*((x * cells).sum(axis=1)[rows] for x in (dna, rna)))
        found = None if found is None else found._replace(of_barcodes=True)
    return found


def _cutoff_of(dna: Array, reads: Array) -> Cutoff | None:
    if len(reads) < _LEAST_CELLS or reads.min() == 0:
        return None
    least = int(reads.min())
    at = reads == least
    # where nothing is cut off, few cells have the fewest reads
    few = at.sum() < max(_LEAST_AT, _PILED * (reads == least + 1).sum())
    if few or at.all():
        return None
    slope = (
        1
        + least * (least - 1) * float(at.sum()) / float(reads.sum())
        - least * float(dna[at].sum()) / float(dna.sum())
    )
    return Cutoff(least, float(at.mean()), float(np.clip(slope, 0.0, 1.0)))


def _cells(counts: xr.Dataset) -> tuple[Array, Array, Mask]:
    rna = counts["rna"].to_numpy().astype(np.float64)
    dna = np.broadcast_to(
        counts["dna"].to_numpy().reshape(len(rna), -1), rna.shape
    ).astype(np.float64)
    used: Mask = np.broadcast_to(dna_observed(counts), rna.shape) & (dna > 0)
    return dna, rna, used


def thinned(
    counts: xr.Dataset, found: Cutoff, rng: np.random.Generator
) -> tuple[xr.Dataset, Array]:
    """Return the table that half of the oligos, at random, would give at .9 of their
    activity, and the log2 change of each oligo.

    Each read of these oligos is kept with probability .9, and cells left with fewer
    than t reads are dropped. Poisson reads of mean m seen where R >= t become Poisson
    reads of mean .9 m seen where R >= t, whatever the law of m. An oligo that would
    lose all its cells stays as it is.
    """
    dna, rna, used = _cells(counts)
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    chosen = rng.random(n) < 0.5
    fewer = rng.binomial(rna.astype(np.int64), _KEPT)

    def kept(reads: Any) -> Mask:
        if not found.of_barcodes:
            enough = reads >= found.reads
            # a table without a gap keeps barcodes that have every cell
            return np.asarray(
                enough.all(axis=1, keepdims=True) if used.all() else enough
            )
        seen = used if (rna * used).sum(axis=1).min() >= found.reads else dna >= 0
        return np.asarray(((reads * seen).sum(axis=1) >= found.reads)[:, None])

    left = np.bincount(of, (used & kept(fewer)).sum(axis=1), minlength=n) > 0
    chosen &= left
    reads = np.where(chosen[of][:, None], fewer, rna)
    there = np.broadcast_to(dna_observed(counts), rna.shape) & (
        kept(reads) | ~chosen[of][:, None]
    )
    cells = {"dna": dna, "rna": reads, "dna_observed": there, "rna_observed": there}
    return counts.assign(
        {
            name: (
                ("barcode", "replicate"),
                x if x.dtype == bool else np.where(there, x, 0).astype(np.int64),
            )
            for name, x in cells.items()
        }
    ), np.where(chosen, np.log2(_KEPT), 0.0)


def truncation_factor(
    counts: xr.Dataset,
    found: Cutoff,
    effects: Array,
    measure: Callable[[xr.Dataset], Array],
    expect: Callable[[Array], Array],
) -> float:
    """Return the factor by which effects come out of a truncated table, 0 to 1: the
    slope of their change on its truth when `thinned` changes activities by a known
    amount.

    Of small tables the slope is that of several thinnings, 400 effects or six at most.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    found
        From `cutoff`.
    effects
        Effects of the table, of any shape; NaN where there is none.
    measure
        Makes the effects of another table.
    expect
        Makes their true change of the log2 change of each oligo, ``(n_oligos,)``.
    """
    rng = np.random.default_rng(0)
    known = np.isfinite(effects)
    times = int(np.clip(-(-_ROWS // max(known.sum(), 1)), 1, _MOST_THINNED))
    top = bottom = 0.0
    for _ in range(times):
        other, change = thinned(counts, found, rng)
        moved, truth = measure(other) - effects, expect(change)
        both = known & np.isfinite(moved)
        top += float((moved * truth)[both].sum())
        bottom += float((truth**2)[both].sum())
    if not bottom:
        return found.slope
    # that of an activity between the table's and .9 of it
    between = cutoff(other) or found
    return float(np.clip(top / bottom * found.slope / between.slope, 0.0, 1.0))


def truncation_attrs(
    found: Cutoff, factor: float, *, corrected: bool
) -> dict[str, Any]:
    """Return what results of a truncated table say of it."""
    return attributes(
        truncation_reads=found.reads,
        truncation_share=found.share_at,
        truncation_factor=factor,
        truncation_corrected=int(corrected),
    )
