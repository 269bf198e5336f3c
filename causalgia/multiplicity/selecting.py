"""Intervals for the effects that a screen selected, wide enough for having been selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation import as_estimates
from causalgia.multiplicity.fdr import fcr_level
from causalgia.multiplicity.tost import limits, with_open
from causalgia.schema import annotate


def selected_intervals(
    estimates: Any, *, select: float | Sequence[str] | xr.DataArray | npt.NDArray[np.bool_], ci_prob: float = 0.95
) -> xr.Dataset:
    """Return intervals for selected effects of which, on average, at most a share ``1 - ci_prob`` miss.

    The winners of a screen are extreme partly by luck, so that their plain intervals miss more than they say. With R
    of m contrasts of a task selected, each interval is given the probability ``1 - R (1 - ci_prob) / m``.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, or a table with columns ``effect`` and ``se``.
    select
        A number: the contrasts whose ``p_adjusted`` is at most that (from `causalgia.adjust`); names of contrasts; or
        a mask, bool, ``(contrast)`` or of the shape of ``ace``. m is the number of contrasts in the estimates.
    ci_prob
        Probability, 1 minus the false-coverage rate.

    Returns
    -------
    Dataset
        The contrasts selected in any task, with ``lower`` and ``upper`` replaced, ``selected`` on the dims of ``ace``
        (an effect that is not selected in this task keeps its row), and ``fcr_level (task[, model])``.

    Raises
    ------
    EstimateError
        If nothing is selected, a name is unknown, or there is no ``p_adjusted``.

    References
    ----------
    Benjamini & Yekutieli (2005), doi:10.1198/016214504000001907.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> screen = from_effects([5.0, 0.1, -0.2, 0.4], 1.0, names=["a", "b", "c", "d"])
    >>> found = selected_intervals(screen, select=["a"])
    >>> found["fcr_level"].values.round(4), found["lower"].values.round(2)
    (array([0.9875]), array([[2.5]]))
    """
    taken = as_estimates(estimates)
    mask = _mask(taken, select)
    if not mask.any():
        raise EstimateError("no contrast is selected, and no interval needed; select by a larger number, or names")
    dims, n = taken["ace"].dims, mask.shape[0]
    levels = np.vectorize(lambda r: fcr_level(max(int(r), 1), n, ci_prob), otypes=[float])(mask.sum(axis=0))
    lower, upper = limits(taken, levels)
    columns = {"lower": lower, "upper": upper, "selected": mask} | with_open(taken, lower)
    out = taken.assign({name: (dims, values) for name, values in columns.items()}).assign(fcr_level=(dims[1:], levels))
    rows = np.flatnonzero(mask.reshape(n, -1).any(axis=1))
    kept = {"contrast": rows} | ({"contrast_": rows} if "contrast_" in taken.dims else {})
    said = f"intervals of the selected (false-coverage rate {1 - ci_prob:.3g})"
    return annotate(out.isel(kept).assign_attrs(ci_prob=float(ci_prob), selected=said))


def _mask(estimates: xr.Dataset, select: Any) -> npt.NDArray[np.bool_]:
    ace = estimates["ace"]
    if isinstance(select, int | float) and not isinstance(select, bool):
        return _small(estimates, float(select))
    if isinstance(select, xr.DataArray):
        select = select.broadcast_like(ace).transpose(*ace.dims).to_numpy()
    given = np.asarray([select] if isinstance(select, str) else select)
    if given.dtype == bool:
        if given.shape not in ((len(ace),), ace.shape):
            raise EstimateError(f"the mask has shape {given.shape}, and the effects {ace.shape}; give one for each")
        wide = given.reshape(len(given), *[1] * (ace.ndim - 1)) if given.ndim == 1 else given
        return np.asarray(np.broadcast_to(wide, ace.shape))
    names = ace["contrast"].to_numpy()
    unknown = [name for name in given.tolist() if name not in names.tolist()]
    if unknown:
        raise EstimateError(f"contrast {unknown[0]!r} is not among the estimates; estimates['contrast'] lists them")
    return np.asarray(np.broadcast_to(np.isin(names, given).reshape(-1, *[1] * (ace.ndim - 1)), ace.shape))


def _small(estimates: xr.Dataset, level: float) -> npt.NDArray[np.bool_]:
    if "p_adjusted" not in estimates:
        raise EstimateError(f"select={level:g} asks for p_adjusted, which cg.adjust(estimates, method='bh') adds")
    if not 0 < level < 1:
        raise EstimateError(f"select={level:g} is not between 0 and 1")
    return np.asarray(estimates["p_adjusted"].transpose(*estimates["ace"].dims).to_numpy() <= level)
