"""What a replicate does to the mean effect of all elements at once: averages over elements have to know it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.mpra.counts.side_table import CONTROLS
from causalgia.mpra.fits.cells import cells_of
from causalgia.mpra.fits.fit_contrasts import Asked

Columns: TypeAlias = dict[str, tuple[tuple[str, ...], NDArray[Any]]]


def replicate_shifts(counts: xr.Dataset, asked: Asked) -> tuple[Columns, float]:
    """Return how far each replicate's mean effect lies from that of all, and what elements' own noise makes of that.

    The effect of an element in a replicate is the contrast of its arms' mean log ratios there; elements that have
    barcodes with DNA under every arm in every replicate count, controls of the bench do not. By two-way analysis of
    variance, the mean square of elements by replicates gives the variance that their own noise leaves in the mean over
    elements and replicates.

    Returns
    -------
    tuple
        ``replicate_shift (contrast, replicate)``, ``replicate_within (contrast)``, and the degrees of freedom of the
        latter; no variables below two replicates or two such elements.

    Examples
    --------
    >>> from causalgia.mpra.counts.example_counts import simulated
    >>> from causalgia.mpra.fits.fit_contrasts import asked_of
    >>> counts = simulated()
    >>> columns, df = replicate_shifts(counts, asked_of(counts, control="control"))
    >>> columns["replicate_shift"][1].shape, df
    ((1, 3), 38.0)
    """
    cells = cells_of(counts, asked)
    used = cells.sums(cells.used)
    test = ~np.isin(counts["group"].to_numpy().astype(str)[asked.oligos[:, 0]], CONTROLS)
    whole = (used > 0).all(axis=(1, 2)) & test
    n, R = int(whole.sum()), used.shape[2]
    if n < 2 or R < 2:
        return {}, 0.0
    effect = np.einsum("ear,ka->ekr", cells.sums(cells.ratio)[whole] / used[whole], asked.weights)
    shift = effect.mean(axis=0) - effect.mean(axis=(0, 2))[:, None]
    left = effect - effect.mean(axis=2, keepdims=True) - shift
    df = (n - 1.0) * (R - 1.0)
    within = (left**2).sum(axis=(0, 2)) / (df * n * R)
    return {"replicate_shift": (("contrast", "replicate"), shift), "replicate_within": (("contrast",), within)}, df
