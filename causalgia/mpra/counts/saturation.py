"""Smooth saturation of RNA reads, from abundant and rare barcodes of the same oligos."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import in_list
from causalgia.mpra.counts.barcodes import dna_observed
from causalgia.mpra.counts.read_faults import Finding
from causalgia.types import Array, Ints, Mask

_LEAST_HALF = 2  # barcodes of an oligo in each half
_LEAST_SUM = 5.0  # reads expected of each half
_LEAST_OLIGOS = 20
_SURE, _NOT_OTHERWISE = 4.0, 1.64  # standard errors
_BENT = 0.95  # effects come out at this part of their size, or less
_MAD_SQUARED = 0.455  # median of chi-square of 1 df
_LARGEST_LEVERAGE, _FULL = 0.95, 0.98


class Saturation(NamedTuple):
    """How RNA levels off as more of it is expected.

    Attributes
    ----------
    z
        By how many standard errors abundant barcodes have less RNA for their DNA.
    z_active
        By how many standard errors they do so the more, the more active their oligo.
    ceiling
        Reads m of ``m (1 - exp(-y / m))`` for y expected; infinite where RNA does not
        level off.
    slope
        Part of a small effect that is left, averaged over reads; from the straight line,
        which says too little where less than .7 is left.
    n_oligos
        Oligos that this is from.
    """

    z: float
    z_active: float
    ceiling: float
    slope: float
    n_oligos: int

    @property
    def is_found(self) -> bool:
        """Whether effects shrink by 5 % or more, and neither chance nor reads that are
        assigned to wrong barcodes explain it.
        """
        sure = max(min(self.z, self.z_active / _NOT_OTHERWISE * _SURE), self.z_active)
        return self.slope <= _BENT and sure >= _SURE


class _Halves(NamedTuple):
    """Sums of each oligo over its abundant and its rare barcodes, shape ``(2, n)``.

    Attributes
    ----------
    rna, expected
        Reads, and those that DNA predicts at the mean activity of the library.
    known, squared
        As `expected`, by the DNA that the halves were made by, and its squares.
    cells
        Number of cells.
    """

    rna: Array
    expected: Array
    known: Array
    squared: Array
    cells: Array


def saturation(counts: xr.Dataset) -> Saturation | None:
    r"""Return how RNA levels off as more of it is expected; None where too few oligos
    have barcodes of unlike abundance.

    The RNA of a barcode is proportional to its DNA, whatever its oligo. If reads level
    off as :math:`m (1 - e^{-y/m})`, that of abundant barcodes is less than that, and
    more so the more active the oligo. Barcodes of each oligo are halved by their DNA,
    and with E the RNA that DNA predicts,

    .. math:: L = \log(R/E)_{abundant} - \log(R/E)_{rare}
              \approx c - (\bar y_{abundant} - \bar y_{rare}) / (2 m)

    with y averaged over reads, which is fitted over oligos by weighted least squares, with a variance that allows
    for unequal ones (HC3). The halves are made by the DNA of the other replicates:
    then E has the right mean in both, and c is 0 where RNA is proportional to DNA. Reads
    that are assigned to wrong barcodes lower L as well, but less so in active oligos.
    So RNA levels off where the fit with c = 0 says so by 4 standard errors, and that
    with a free c by 1.64, or by 4. With one DNA library noise of the DNA that makes the
    halves lowers L in all oligos alike: c is free there, and `z` is `z_active`.

    What cannot be told: a saturation of oligos with one barcode (or sum) each, or whose
    barcodes have the same DNA; one of activity itself, which barcodes of an oligo share
    (in cells that transcribe no faster, say); one that DNA has as well.

    Parameters
    ----------
    counts
        Of kind ``counts``.

    References
    ----------
    MacKinnon & White (1985), doi:10.1016/0304-4076(85)90158-7 (HC3).

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> found = saturation(simulated())
    >>> found.n_oligos, found.z < 4
    (60, True)
    """
    rna = counts["rna"].to_numpy().astype(np.float64)
    dna = counts["dna"].to_numpy().astype(np.float64).reshape(len(rna), -1)
    used = np.broadcast_to(dna_observed(counts).reshape(dna.shape), rna.shape) & counts[
        "rna_observed"
    ].to_numpy().reshape(rna.shape)
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    halves = _halves(rna, dna, used, of, n)
    total, of_dna = halves.rna.sum(axis=0), halves.expected.sum(axis=0)
    activity = total / np.where(of_dna > 0, of_dna, 1.0)
    some: Mask = (
        (halves.cells.min(axis=0) >= _LEAST_HALF * rna.shape[1])
        & (halves.expected.min(axis=0) >= _LEAST_SUM)
        & (halves.known.min(axis=0) > 0)
        & (activity * halves.expected.min(axis=0) >= _LEAST_SUM)
    )
    if some.sum() < _LEAST_OLIGOS:
        return None
    R, E, known, squared, _ = (x[:, some] for x in halves)
    mean = activity[some] * squared / known  # over reads
    L = np.subtract(*np.log((R + 0.5) / (E + 0.5)))
    counted = (1 / (R + 0.5) + 1 / (E + 0.5)).sum(axis=0)
    between = np.median((L - np.median(L)) ** 2) / _MAD_SQUARED - np.median(counted)
    weight = 1 / (counted + max(float(between), 0.0))
    gap = mean[0] - mean[1]
    free = np.column_stack([gap, np.ones_like(gap)])
    decline, z_active = _first_coefficient(free, L, weight)
    z = z_active
    if dna.shape[1] > 1:
        decline, z = _first_coefficient(gap[:, None], L, weight)
    if not np.isfinite([z, z_active]).all():
        return None
    top = -1 / (2 * decline) if decline < 0 else np.inf
    filled = np.minimum(mean / top, _FULL)
    slopes = np.where(
        filled > 0,
        -np.log1p(-filled) * (1 - filled) / np.where(filled > 0, filled, 1),
        1,
    )
    slope = float((R * slopes).sum() / R.sum())
    return Saturation(-z, -z_active, float(top), slope, int(some.sum()))


def _halves(rna: Array, dna: Array, used: Mask, of: Ints, n: int) -> _Halves:
    """Return sums over the barcodes of more and of less DNA than the median barcode of
    their oligo, by the DNA of other replicates where there are any.
    """
    R, own = rna.shape[1], dna.shape[1] > 1
    dna = np.broadcast_to(dna, rna.shape)
    per = np.where(used, rna, 0).sum(axis=0) / np.maximum(
        np.where(used, dna, 0).sum(axis=0), 1
    )
    # DNA in RNA reads of its replicate at the mean activity
    expected = np.where(used, dna * per, 0.0)
    sums = np.zeros((5, 2, n))
    for r in range(R):
        others = np.arange(R) != r if own else np.arange(R) == r
        n_others = used[:, others].sum(axis=1)
        rows = np.flatnonzero(used[:, r] & (n_others > 0))
        share = (dna * used / np.maximum((dna * used).sum(axis=0), 1))[:, others]
        key = share.sum(axis=1)[rows] / n_others[rows] * expected[:, r].sum()
        for half, chosen in enumerate(_more_and_less(key, of[rows], n)):
            cells = rows[chosen]
            for one, values in zip(
                sums,
                (
                    *(rna[cells, r], expected[cells, r]),
                    *(key[chosen], key[chosen] ** 2, np.ones(len(cells))),
                ),
                strict=True,
            ):
                one[half] += np.bincount(of[cells], values, n)
    return _Halves(*sums)


def _more_and_less(
    key: Array, of: Ints, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows in the upper and in the lower half of their oligo, without the
    middle one of an odd number.

    Examples
    --------
    >>> key, of = np.array([3.0, 1.0, 2.0, 5.0, 4.0]), np.array([0, 0, 0, 1, 1])
    >>> [rows.tolist() for rows in _more_and_less(key, of, 2)]
    [[0, 3], [1, 4]]
    """
    order = np.lexsort((key, of))
    size = np.bincount(of, minlength=n)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    oligo = of[order]
    rank, half = np.arange(len(order)) - start[oligo], size[oligo] // 2
    return order[rank >= size[oligo] - half], order[rank < half]


def _first_coefficient(X: Array, y: Array, weight: Array) -> tuple[float, float]:
    """Return the first coefficient by weighted least squares, and over its error by
    HC3.

    Examples
    --------
    >>> X = np.column_stack([np.arange(4.0), np.ones(4)])
    >>> b, z = _first_coefficient(X, np.array([1.0, 3.1, 4.9, 7.0]), np.ones(4))
    >>> round(b, 2), bool(z > 20)
    (1.98, True)
    """
    inverse = np.linalg.pinv(X.T @ (weight[:, None] * X))
    beta = inverse @ (X.T @ (weight * y))
    leverage = np.einsum("ij,jk,ik->i", X, inverse, X) * weight
    left = weight * (y - X @ beta) / (1 - np.minimum(leverage, _LARGEST_LEVERAGE))
    variance = float((inverse @ (X.T * left**2) @ X @ inverse)[0, 0])
    return float(beta[0]), float(
        beta[0] / np.sqrt(variance)
    ) if variance > 0 else np.nan


def find_saturation(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find RNA that levels off smoothly."""
    found = saturation(counts)
    if found is None or not found.is_found:
        return []
    says = (
        f"RNA of replicate{'s' * (len(names) > 1)} {in_list(names)} levels off: in "
        f"{found.n_oligos:,} oligos abundant barcodes have less RNA for their DNA than "
        "rare ones, and the more active the oligo, the less, as if it could not exceed "
        f"some {found.ceiling:,.0f} reads a barcode; effects come out at about "
        f"{found.slope:.2f} of their size; count reads in place of molecular "
        "identifiers that run out, or use longer ones, and see whether amplification "
        "was stopped before its plateau"
    )
    return [Finding("ceiling", tuple(names), says)]
