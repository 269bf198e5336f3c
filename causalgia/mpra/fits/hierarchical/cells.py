"""Barcode counts arranged for the hierarchical model, with the RNA offsets that DNA gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from causalgia.mpra.counts.log_ratios import dna_observed
from causalgia.mpra.fits.fit_contrasts import FitRequest
from causalgia.types import Array, Ints, Mask

PSEUDO = 0.5
SURE_DNA, ENOUGH_CELLS, SWEEPS, SCORES = 10, 50, 6, 6


@dataclass(frozen=True, eq=False)
class CountCells:
    """RNA of the N requested barcodes, sorted by (element, arm), in R replicates; natural logs.

    Attributes
    ----------
    rna, used
        Reads, and whether a cell is used (its DNA was read), shape ``(N, R)``.
    offset
        Log RNA expected at activity 0, up to a constant, shape ``(N, R)``: the barcode's DNA and the depth of the RNA
        library.
    own
        Variance from the cell's own DNA, shape ``(N, R)``.
    shared
        Variance from the barcode's DNA, shared by all its cells, shape ``(N,)``.
    start
        Where the barcodes of each (element, arm) start, shape ``(E A + 1,)``.
    rows
        Place of each barcode in the counts, shape ``(N,)``.
    n_arms
        A.
    share_paired
        Slope of a cell's RNA on its DNA in the replicate, beyond the barcode's DNA in all: 1 where DNA and RNA come
        from the same cells, 0 where the DNA of all replicates measures one abundance.
    """

    rna: Array
    used: Mask
    offset: Array
    own: Array
    shared: Array
    start: Ints
    rows: Ints
    n_arms: int
    share_paired: float


def model_cells(counts: xr.Dataset, request: FitRequest) -> CountCells:
    """Return the cells of the requested barcodes; every oligo has a barcode with DNA."""
    R, A = counts.sizes["replicate"], len(request.arms)
    place = request.element * A + request.arm
    dna = np.broadcast_to(counts["dna"].to_numpy().reshape(len(place), -1), (len(place), R))
    used = np.broadcast_to(dna_observed(counts), dna.shape) & (dna > 0)
    rows = np.flatnonzero((request.element >= 0) & used.any(axis=1))
    rows = rows[np.argsort(place[rows], kind="stable")]
    start = np.searchsorted(place[rows], np.arange(len(request.elements) * A + 1)).astype(np.int64)
    D, used = dna[rows].astype(np.float64), used[rows]
    rna = np.where(used, counts["rna"].to_numpy()[rows], 0).astype(np.float64)
    paired = "replicate" in counts["dna"].dims and R > 1
    offset, own, shared, theta = _rna_offsets(D, rna, used, start[:-1], paired)
    seen = used & (rna > 0)
    offset = offset + library_levels(np.log(rna + PSEUDO) - offset, seen)
    return CountCells(rna, used, np.where(used, offset, 0.0), own, shared, start, rows, A, theta)


def _rna_offsets(dna: Array, rna: Array, used: Mask, first: Ints, paired: bool) -> tuple[Array, Array, Array, float]:
    """Return RNA offsets of cells, their variances by cell and by barcode, and theta (see below).

    Log DNA is ``theta (cell) + (1 - theta) (barcode, all replicates)``: its errors, of variance s^2 in one cell, then
    have covariance ``(1 - theta^2) / sum of 1 / s^2`` between the cells of a barcode.
    """
    if not paired:
        log, once = np.log(np.maximum(dna, PSEUDO)), 1.0 / np.maximum(dna.max(axis=1), 1.0)
        return log, np.zeros_like(dna), once, 0.0
    log = np.log(dna + PSEUDO)
    depth = library_levels(log, used)
    theta, dispersion = _dna_rna_pairing(dna, rna, used, first)
    pooled, variance = _barcode_abundance(dna, used, depth, dispersion)
    offset = theta * (log - depth) + (1 - theta) * pooled[:, None]
    own = np.where(used, theta**2 / np.maximum(dna, 1.0), 0.0)
    return offset, own, (1 - theta**2) * variance, theta


def _barcode_abundance(dna: Array, used: Mask, depth: Array, dispersion: float) -> tuple[Array, Array]:
    """Return the log DNA abundance of each barcode over its replicates, by quasi-likelihood, and its variance."""
    log = np.log((dna * used).sum(1) / (np.exp(depth) * used).sum(1))
    for _ in range(SCORES):
        m = np.exp(depth + log[:, None])
        weight = used / (1 / m + dispersion)
        log = log + (weight * (dna / m - 1)).sum(1) / weight.sum(1)
    return log, 1 / weight.sum(1)


def _dna_rna_pairing(dna: Array, rna: Array, used: Mask, first: Ints) -> tuple[float, float]:
    """Return the slope of RNA on DNA of the same cell within barcodes, and the dispersion of DNA."""
    sure = used & (rna > 0) & (dna >= SURE_DNA)
    left = sure.sum() - (sure.any(1)).sum() - (np.add.reduceat(sure, first) > 0).sum()
    if left < ENOUGH_CELLS:
        return 0.0, 0.0
    d, r = (_deviations(np.log(x + PSEUDO), sure, first) for x in (dna, rna))
    dispersion = (d**2).sum() / left - (1 / dna[sure]).mean()
    return float(np.clip((d * r).sum() / (d**2).sum(), 0.0, 1.0)), max(float(dispersion), 0.0)


def _deviations(x: Array, used: Mask, first: Ints) -> Array:
    """Return x less the means of its barcode and of its oligo in the replicate, 0 where not used."""
    x = np.where(used, x, 0.0)
    of_barcode, of_oligo = (
        np.maximum(used.sum(1, keepdims=True), 1),
        np.maximum(np.add.reduceat(used, first, dtype=int), 1),
    )
    n = np.diff(np.append(first, len(x)))
    for _ in range(SWEEPS):
        x = np.where(used, x - x.sum(1, keepdims=True) / of_barcode, 0.0)
        x = np.where(used, x - np.repeat(np.add.reduceat(x, first) / of_oligo, n, axis=0), 0.0)
    return x


def library_levels(x: Array, used: Mask) -> Array:
    """Return the least-squares level of each replicate, with a level for each barcode; their mean is 0."""
    n = np.maximum(used.sum(1), 1)
    x = np.where(used, x, 0.0)
    within = np.diag(used.sum(0).astype(float)) - (used / n[:, None]).T @ used.astype(float)
    return np.asarray(np.linalg.pinv(within, rcond=1e-9) @ (x - used * (x.sum(1) / n)[:, None]).sum(0))
