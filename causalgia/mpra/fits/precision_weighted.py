"""Precision weights of log ratios: what a ratio is worth by the DNA reads that it rests on."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import BarcodeNoiseWarning
from causalgia.mpra.fits.barcode_means import barcode_means
from causalgia.mpra.fits.blocks import consensus_correlation
from causalgia.mpra.fits.cells import cells_of
from causalgia.mpra.fits.fit_contrasts import Asked
from causalgia.mpra.fits.fitted import Fitted
from causalgia.mpra.fits.linear import blocked, paired
from causalgia.mpra.fits.sums import ratio_of_sums
from causalgia.mpra.fits.two_way import sds
from causalgia.types import Array

_SPAN, _ROBUST, _DELTA = 0.4, 3, 0.01
_LEAST_ELEMENTS, _NO_SPREAD = 10, 1e-12
_NEGLIGIBLE, _SURE = 0.1, 3.0


def precision(counts: xr.Dataset, asked: Asked) -> Fitted:
    """Compare arms by a precision-weighted linear model of reads summed over barcodes (limma with weights).

    log2(RNA/DNA) of the sums, one an arm and replicate, are regressed on arms by generalised least squares: weights by
    the trend of the residual spread in DNA (`precision_weights`), one consensus correlation within a replicate because
    its arms share a library and an experiment, and residual variances moderated over elements. An arm without DNA in a
    replicate has no ratio there.

    Fewer than ten elements have no trend and no consensus: a correlation that is estimated from one element and taken
    as known made .08 of verdicts false where .05 is promised. Their replicates are fixed effects, with weights of 1,
    and each element has its own variance on ``(A - 1) (R - 1)`` degrees of freedom.

    Sums over barcodes leave nothing of the noise between barcodes, which repeats in every replicate: **the effect is of
    these barcodes**, and its interval covers the effect of the arm only where barcodes of an arm have one activity.

    Warns
    -----
    BarcodeNoiseWarning
        If the noise between barcodes, beyond three of its standard errors, would add more than a tenth to the variance
        of the typical effect.

    References
    ----------
    Law, Chen, Shi & Smyth (2014), doi:10.1186/gb-2014-15-2-r29. Myint, Avramopoulos, Goff & Hansen (2019),
    doi:10.1186/s12864-019-5556-x. Smyth, Michaud & Scott (2005), doi:10.1093/bioinformatics/bti270.
    """
    y, log_dna = ratio_of_sums(counts, asked)
    E, A, R = y.shape
    group = np.arange(E * A, dtype=np.int64)
    rows, seen = y.reshape(-1, R), log_dna.reshape(-1, R) > 0
    correlation = consensus_correlation(rows, seen, group, (E, A))
    n_whole = np.equal(seen.reshape(E, A, R).sum(axis=1), A).sum(axis=1)
    few = E < _LEAST_ELEMENTS and bool((n_whole > 0).all())
    if few:
        found = paired(y, seen.reshape(E, A, R)).unmoderated(asked.weights)
    else:
        weights = precision_weights(rows, log_dna.reshape(-1, R), seen, group, (E, A))
        found = blocked(rows, weights, group, (E, A), correlation).contrasts(asked.weights)
    cells = cells_of(counts, asked)
    noise, means = sds(cells), barcode_means(cells)
    variance = noise["sd_barcode"] ** 2
    share = float(np.median(variance * ((1 / means.n) @ (asked.weights**2).T) / found.se**2))
    df = means.df.sum()
    if share > _NEGLIGIBLE and variance > _SURE * np.sqrt(2 / df) * means.squares.sum() / df:
        _warn(share, noise["sd_barcode"])
    attrs: dict[str, float | str] = {"null": "these barcodes", "correlation": correlation, "barcode_share": share}
    return Fitted(found.ace, found.se, found.df, {}, attrs | dict(found.attrs) | noise)


def precision_weights(
    y: Array, log_dna: Array, used: NDArray[np.bool_], group: NDArray[np.int64], shape: tuple[int, int]
) -> Array:
    """Return weights of log ratios from the trend of their spread in log2 DNA.

    The residual standard deviation of each element about its arms, its square root against the element's mean log2 DNA
    by robust local regression (lowess, span 0.4, three rounds), read at each number's own log2 DNA, constant beyond the
    ends; the weight is the inverse of the variance there.

    Parameters
    ----------
    y, log_dna, used
        Numbers, their log2 DNA, and which there are, shape ``(B, R)``.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).

    Returns
    -------
    array
        Shape ``(B, R)``; 0 where there is no number; all else 1 where there is no trend: fewer than ten elements can
        have a spread, most have none, or most have the same DNA.

    References
    ----------
    Law, Chen, Shi & Smyth (2014), doi:10.1186/gb-2014-15-2-r29. Cleveland (1979), doi:10.2307/2286407.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    model = blocked(y, used.astype(np.float64), group, shape, 0.0)
    known = model.df > 0
    if known.sum() < _LEAST_ELEMENTS or np.median(model.s2[known]) < _NO_SPREAD:
        return used.astype(np.float64)
    element = pd.Series(np.broadcast_to((group // shape[1])[:, None], y.shape)[used])
    x = pd.Series(log_dna[used]).groupby(element).mean().reindex(range(shape[0]), fill_value=0.0).to_numpy()[known]
    root = np.sqrt(np.sqrt(model.s2[known]))
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = lowess(root, x, frac=_SPAN, it=_ROBUST, delta=_DELTA * np.ptp(x), return_sorted=True)
    if not np.isfinite(smooth).all():  # so many elements with one and the same DNA that there is no trend in it
        return used.astype(np.float64)
    trend = pd.Series(smooth[:, 1]).groupby(smooth[:, 0]).mean()
    least = 1e-3 * float(np.median(root))
    at = np.maximum(np.interp(log_dna, trend.index.to_numpy(), trend.to_numpy()), least)
    return np.where(used, at**-4, 0.0)


def _warn(share: float, sd_barcode: float) -> None:
    warnings.warn(
        f"method='precision' claims these barcodes only: barcodes of one arm differ by {sd_barcode:.2g} on log2, "
        f"which would add {share:.0%} to the variance of the typical effect; use method='hierarchical' or 'two_way' "
        "for the effect of the arm",
        BarcodeNoiseWarning,
        stacklevel=4,
    )
