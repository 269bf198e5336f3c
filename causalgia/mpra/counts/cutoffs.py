"""Tables that keep a barcode only where it has reads, and how much that shrinks
effects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from causalgia.errors import DataError
from causalgia.mpra.counts.barcodes import dna_observed, filter
from causalgia.tell.table_formats import format_share
from causalgia.types import Array, Mask

_LEAST_CELLS, _LEAST_AT, _PILED = 50, 5, 0.3
_FLOORS = (2, 3, 5, 10, 20, 30, 50, 100)
MOST_LOST, MOST_LOST_OF_LOGS, NOTED = 0.075, 0.02, 0.01


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
        the factor by which small effects come out.
    of_barcodes
        Whether the reads are those of a barcode in all replicates together, so that
        single cells may be 0.
    """

    reads: int
    share_at: float
    slope: float
    of_barcodes: bool = False


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


def cutoff_in_words(found: Cutoff) -> str:
    """Return what a table leaves out, and what it does to effects.

    Examples
    --------
    >>> print(cutoff_in_words(Cutoff(1, 0.36, 0.69)))
    no cell with DNA has fewer than 1 RNA read, and 36 % have just 1, so the table keeps
    a barcode only where RNA was seen: weak arms lose more barcodes, and effects come out
    at about 0.69 of their size
    """
    n = f"{found.reads} RNA read{'s' * (found.reads != 1)}"
    seen = "RNA was seen" if found.reads == 1 else f"it has {n} or more"
    row = "barcode" if found.of_barcodes else "cell"
    together = " in all replicates together" if found.of_barcodes else ""
    return (
        f"no {row} with DNA has fewer than {n}{together}, and "
        f"{format_share(found.share_at)} have "
        f"just {found.reads}, so the table keeps a barcode only where {seen}: weak arms "
        f"lose more barcodes, and effects come out at about {found.slope:.2g} of their "
        "size"
    )


def check_cutoff(counts: xr.Dataset, *, of_logs: bool = False) -> list[str]:
    """Return a note where a table keeps cells only with RNA and effects shrink little.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    of_logs
        Whether effects are means of the barcodes' log ratios, which shrink by several
        times as much as ratios of sums.

    Raises
    ------
    DataError
        If effects shrink by a tenth or more.
    """
    found = cutoff(counts)
    if found is None or 1 - found.slope < NOTED:
        return []
    most = MOST_LOST_OF_LOGS if of_logs else MOST_LOST
    if 1 - found.slope < most:
        return [cutoff_in_words(found)]
    more = " or less, since these are means of log ratios" if of_logs else ""
    raise DataError(
        f"{cutoff_in_words(found)}{more}. Give a table that has a 0 where DNA was read "
        f"and RNA was not{_floor_that_helps(counts, most)}"
    )


def _floor_that_helps(counts: xr.Dataset, most: float) -> str:
    """Return the cure by filtering, where a tenth or more of the barcodes have the DNA
    that it takes.
    """
    for floor in _FLOORS:
        try:
            deeper = filter(counts, min_dna=floor)
        except DataError:
            return ""
        if deeper.sizes["barcode"] < 0.1 * counts.sizes["barcode"]:
            return ""
        found = cutoff(deeper)
        if found is None or 1 - found.slope < most:
            left = format_share(deeper.sizes["barcode"] / counts.sizes["barcode"])
            return (
                ", or keep the barcodes with DNA enough, of which few are lost: "
                f"cg.mpra.filter(counts, min_dna={floor}) leaves {left} of the "
                "barcodes"
            )
    return ""
