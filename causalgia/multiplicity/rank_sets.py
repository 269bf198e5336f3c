"""Ranks of effects that a simultaneous band allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import has
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import annotate
from causalgia.types import Array

Ranks = npt.NDArray[np.int64]


@usual_errors
def rank_intervals(band: xr.Dataset) -> xr.Dataset:
    """Return the ranks that each effect may have, from the largest (rank 1) to the
    least.

    Where all intervals ``[L, U]`` of a simultaneous band hold, effect k is smaller than
    the effects whose interval lies above its own and larger than those whose interval
    lies below: its rank is in ``[1 + #{j: L_j > U_k}, K - #{j: U_j < L_k}]``. The ranks
    of all K effects are then covered together with at least the probability of the
    band, whatever K and however close the effects are. Intervals that touch say nothing
    about the order. Equal effects share the ranks that they occupy, and each of these
    is covered.

    Parameters
    ----------
    band
        From `causalgia.multiplicity.simultaneous`. Any other Dataset with ``lower`` and
        ``upper`` on (contrast, ...) is taken as simultaneous at its word.

    Returns
    -------
    Dataset
        The same with ``rank_lower`` and ``rank_upper``, the first and last rank, among
        the contrasts of one task (and model); placebos are neither ranked nor
        counted (0).

    Raises
    ------
    EstimateError
        If there are no intervals, or they are those of each effect alone, as of
        `causalgia.estimate` or `causalgia.decide`.

    Notes
    -----
    Time is ``O(K log K)``: two binary searches among sorted ends. Every effect is
    ranked by its value; for ranks by size take the band of absolute effects. The
    confidence sets that Mogstad and others get from a band of all K (K - 1) / 2
    differences are at most as wide, and take quadratic time.

    References
    ----------
    Mogstad, Romano, Shaikh & Wilhelm (2024), doi:10.1093/restud/rdad006; from intervals
    of each effect: Klein, Wright & Wieczorek (2020), doi:10.1111/rssa.12536.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.multiplicity import simultaneous
    >>> screen = from_effects(
    ...     [3.0, 0.1, 0.0], 0.1, names=["UGCAUG", "GCAUGU", "AAAAAA"]
    ... )
    >>> ranks = rank_intervals(simultaneous(screen, method="bonferroni"))
    >>> ranks["rank_lower"].values.ravel(), ranks["rank_upper"].values.ravel()
    (array([1, 2, 2]), array([1, 3, 3]))
    """
    _check_band(band)
    dims = band["lower"].dims
    lower, upper = (_by_column(band[name], dims) for name in ("lower", "upper"))
    if np.isnan(lower).any() or np.isnan(upper).any() or (lower > upper).any():
        raise EstimateError(
            "rank_intervals: an interval has no number, or its lower end above its "
            "upper one"
        )
    ranked = np.ones(len(lower), bool)
    if "is_placebo" in band.variables:
        ranked = ~band["is_placebo"].to_numpy().astype(bool)
    first, last = np.zeros(lower.shape, np.int64), np.zeros(lower.shape, np.int64)
    for j in range(lower.shape[1]):
        first[ranked, j], last[ranked, j] = possible_ranks(
            lower[ranked, j], upper[ranked, j]
        )
    shape = band["lower"].transpose("contrast", ...).shape
    order = ("contrast", *(dim for dim in dims if dim != "contrast"))
    columns = {"rank_lower": first, "rank_upper": last}
    out = band.assign({name: (order, x.reshape(shape)) for name, x in columns.items()})
    return annotate(out)


def possible_ranks(lower: Array, upper: Array) -> tuple[Ranks, Ranks]:
    """Return the first and last rank of each of K effects by the ends of simultaneous
    intervals.

    Examples
    --------
    >>> possible_ranks(np.array([2.0, 0.0, 1.0]), np.array([3.0, 1.0, 2.5]))
    (array([1, 2, 1]), array([2, 3, 3]))
    """
    k = len(lower)
    above = k - np.searchsorted(np.sort(lower), upper, side="right")
    below = np.searchsorted(np.sort(upper), lower, side="left")
    return (1 + above).astype(np.int64), (k - below).astype(np.int64)


def _check_band(band: Any) -> None:
    if not isinstance(band, xr.Dataset) or not {"lower", "upper"} <= set(
        band.variables
    ):
        what = (
            quoted(sorted(map(str, band)))
            if isinstance(band, xr.Dataset)
            else type_in_words(band)
        )
        raise EstimateError(
            "rank_intervals takes a simultaneous band with 'lower' and 'upper', "
            f"cg.multiplicity.simultaneous(effects), not {what}"
        )
    if "contrast" not in band["lower"].dims:
        raise EstimateError(
            "rank_intervals ranks contrasts, and these intervals have no dim 'contrast'"
        )
    if ("ace" in band and not has(band).band) or "verdict" in band:
        raise EstimateError(
            "these are intervals of each effect alone, and ranks need intervals that "
            "hold together: cg.multiplicity.simultaneous(effects)"
        )


def _by_column(values: xr.DataArray, dims: tuple[Any, ...]) -> Array:
    order = ("contrast", *(dim for dim in dims if dim != "contrast"))
    found = values.transpose(*order).to_numpy().astype(np.float64)
    return np.asarray(found.reshape(len(found), -1))
