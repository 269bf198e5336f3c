"""Error of the levels of libraries, where the arms of an element were read in different
replicates.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.mpra.counts.barcodes import cell_ratios, group_sums
from causalgia.mpra.fits.element_effects import FitRequest
from causalgia.types import Array

_NEGLIGIBLE, _NOTED = 1e-12, 0.1


def level_loadings(counts: xr.Dataset, request: FitRequest) -> Array | None:
    """Return what the error of the replicates' levels adds to each effect, as loadings
    on independent errors of variance 1, shape ``(E, K, R)``; None where it adds
    nothing.

    The level of a replicate's library is common to its oligos. It leaves a contrast
    where every arm was read in the same replicates. Where arms were not, it is known
    from the oligos of both replicates alone: the variance of the levels is that of
    least squares on ``oligo + replicate``, with a cell of n barcodes of variance
    ``v + w / n``; v is from the residuals, w from the barcodes within cells. Few such
    oligos leave the same error in all effects, which an average does not reduce.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> from causalgia.mpra.fits.element_effects import fit_request
    >>> counts = simulated()
    >>> level_loadings(counts, fit_request(counts, control="control")) is None
    True
    """
    ratio, used = cell_ratios(counts)
    used = used & counts["rna_observed"].to_numpy()
    of, size = counts["oligo_index"].to_numpy(), (counts.sizes["oligo"],)
    n = group_sums(used.astype(np.float64), of, size)
    read = n > 0
    share = read / np.maximum(read.sum(axis=1, keepdims=True), 1)
    of_arms = np.where(request.oligos[..., None] >= 0, share[request.oligos], 0.0)
    moved = np.stack(
        [(request.few_weights @ x).T for x in of_arms.transpose(2, 1, 0)], axis=-1
    )
    moved[~request.measured] = 0.0
    if np.abs(moved).max() < _NEGLIGIBLE:
        return None
    mean = group_sums(np.where(used, ratio, 0.0), of, size) / np.maximum(n, 1)
    left = np.where(used, ratio - mean[of], 0.0)
    within = float((left**2).sum() / max(n.sum() - read.sum(), 1))
    several = read.sum(axis=1) > 1
    residual, df = _two_way_residual(mean[several], read[several])
    counted = read & several[:, None]
    of_barcodes = within * float((1 / n[counted]).mean()) if counted.any() else 0.0
    between = max(residual - of_barcodes, 0.0) if df > 0 else within
    weight = np.where(read, 1 / (between + within / np.maximum(n, 1)), 0.0)
    values, vectors = np.linalg.eigh(_level_information(weight))
    known = values > 1e-9 * values.max()
    scale = np.where(known, 1 / np.sqrt(np.where(known, values, 1.0)), 0.0)
    return np.asarray(moved @ (vectors * scale))


def level_notes(fitted: xr.Dataset) -> list[str]:
    """Return a note where the error of levels is a tenth or more of the variance of an
    effect.

    Examples
    --------
    >>> level_notes(xr.Dataset())
    []
    """
    if "level_error" not in fitted:
        return []
    ratio = (fitted["level_error"] ** 2).sum("level") / fitted["se"] ** 2
    large = int((ratio >= _NOTED).any("contrast").sum())
    if not large:
        return []
    least = float(np.sqrt((fitted["level_error"] ** 2).sum("level").max()))
    return [
        f"in {large:,} of {fitted.sizes['element']:,} elements arms were read in "
        "different replicates, whose levels are compared through the oligos that were "
        f"read in both; these are few, and the error of the levels (up to {least:.2g} "
        "on log2) is in the intervals, also of averages: measure more oligos in both"
    ]


def _level_information(weight: Array) -> Array:
    """Return the information on the levels of replicates, with a level for each oligo.

    Examples
    --------
    >>> _level_information(np.ones((3, 2)))
    array([[ 1.5, -1.5],
           [-1.5,  1.5]])
    """
    total = np.maximum(weight.sum(axis=1), 1e-300)
    return np.asarray(
        np.diag(weight.sum(axis=0)) - weight.T @ (weight / total[:, None])
    )


def _two_way_residual(mean: Array, read: Array) -> tuple[float, float]:
    """Return the mean square about oligo + replicate, and its degrees of freedom."""
    w = read.astype(np.float64)
    n = np.maximum(w.sum(axis=1, keepdims=True), 1)
    left = np.where(read, mean - (mean * w).sum(axis=1, keepdims=True) / n, 0.0)
    information = _level_information(w)
    levels = np.linalg.pinv(information, rcond=1e-9) @ left.sum(axis=0)
    at = levels - (w @ levels)[:, None] / n
    df = float(w.sum() - len(w) - np.linalg.matrix_rank(information))
    return float((np.where(read, left - at, 0.0) ** 2).sum() / max(df, 1.0)), df
