"""Selective intervals: intervals of the effects that a screen selected, at a false-coverage rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.checks import is_real
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.request import as_ci_prob
from causalgia.multiplicity.families import estimates_of, family_label
from causalgia.multiplicity.fdr import fcr_ci_prob
from causalgia.multiplicity.tost import t_limits, unbounded_column
from causalgia.schema import annotate
from causalgia.types import Array


def selected_intervals(
    estimates: Any, *, select: float | Sequence[str] | xr.DataArray | npt.NDArray[np.bool_], ci_prob: float = 0.95
) -> xr.Dataset:
    """Return intervals of selected effects of which, on average, at most a share ``1 - ci_prob`` miss.

    The winners of a screen are extreme partly by chance, so their ordinary intervals cover less often than stated.
    With R of m contrasts of a task selected, each interval has the probability ``1 - R (1 - ci_prob) / m``. Where p
    was adjusted over all tasks together (``family="all"``), R and m count all tasks.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, or a table with columns ``effect`` and ``se``; or the effects from
        `causalgia.contrast`, which are estimated first.
    select
        A number: the contrasts whose ``p_adjusted`` is at most that (from `causalgia.adjust`); names of contrasts; or
        a mask, bool, ``(contrast)`` or of the shape of ``ace``. m is the number of contrasts in the estimates.
    ci_prob
        Probability, 1 minus the false-coverage rate.

    Returns
    -------
    Dataset
        The contrasts selected in any task, with ``lower`` and ``upper`` replaced, ``selected`` on the dims of ``ace``
        (an effect that is not selected in this task keeps its row), and ``fcr_ci_prob (task[, model])``.

    Raises
    ------
    EstimateError
        If nothing is selected, `select` is none of these, a name is unknown, or there is no ``p_adjusted``.

    References
    ----------
    Benjamini & Yekutieli (2005), doi:10.1198/016214504000001907.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> screen = from_effects([5.0, 0.1, -0.2, 0.4], 1.0, names=["a", "b", "c", "d"])
    >>> found = selected_intervals(screen, select=["a"])
    >>> found["fcr_ci_prob"].values.round(4), found["lower"].values.round(2)
    (array([0.9875]), array([[2.5]]))
    """
    table, ci_prob = estimates_of(estimates), as_ci_prob(ci_prob)
    mask = _selection_mask(table, select)
    if not mask.any():
        raise EstimateError("no contrast is selected, and no interval needed; select by a larger number, or names")
    dims, n = table["ace"].dims, mask.shape[0]
    over_tasks = table.attrs.get("family") == family_label("all", table["ace"])  # p was adjusted over all tasks
    levels = _interval_levels(mask, together=_is_real(select) and over_tasks, ci_prob=ci_prob)
    lower, upper = t_limits(table, levels)
    columns = {"lower": lower, "upper": upper, "selected": mask} | unbounded_column(table, lower)
    out = table.assign({name: (dims, values) for name, values in columns.items()}).assign(
        fcr_ci_prob=(dims[1:], levels)
    )
    rows = np.flatnonzero(mask.reshape(n, -1).any(axis=1))
    selected = {"contrast": rows} | ({"contrast_": rows} if "contrast_" in table.dims else {})
    label = f"intervals of the selected (false-coverage rate {1 - ci_prob:.3g})"
    return annotate(out.isel(selected).assign_attrs(ci_prob=ci_prob, selected=label))


def _interval_levels(mask: npt.NDArray[np.bool_], *, together: bool, ci_prob: float) -> Array:
    """Return the probability of each interval by task (and model): by the number selected there, or in all tasks."""
    selected, n = (np.full(mask.shape[1:], mask.sum()), mask.size) if together else (mask.sum(axis=0), len(mask))
    return np.asarray(np.vectorize(lambda r: fcr_ci_prob(max(int(r), 1), n, ci_prob), otypes=[float])(selected))


def _is_real(value: Any) -> bool:
    return is_real(value)


def _selection_mask(estimates: xr.Dataset, select: Any) -> npt.NDArray[np.bool_]:
    ace = estimates["ace"]
    if _is_real(select):
        return _mask_by_p(estimates, float(select))
    if isinstance(select, xr.DataArray):
        select = _align_mask(select, ace).broadcast_like(ace).transpose(*ace.dims).to_numpy()
    chosen = np.asarray([select] if isinstance(select, str) else select)
    if chosen.ndim == 0:
        raise EstimateError(
            f"select={quoted(select)} is not a number, a list of names or a mask; for example select=0.05"
        )
    if chosen.dtype == bool:
        if chosen.shape not in ((len(ace),), ace.shape):
            raise EstimateError(f"the mask has shape {chosen.shape}, and the effects {ace.shape}; give one for each")
        wide = chosen.reshape(len(chosen), *[1] * (ace.ndim - 1)) if chosen.ndim == 1 else chosen
        return np.asarray(np.broadcast_to(wide, ace.shape))
    names = ace["contrast"].to_numpy()
    unknown = [name for name in chosen.tolist() if name not in names.tolist()]
    if unknown:
        raise EstimateError(
            f"contrast {quoted(unknown[0])} is not among the estimates; estimates['contrast'] lists them"
        )
    return np.asarray(np.broadcast_to(np.isin(names, chosen).reshape(-1, *[1] * (ace.ndim - 1)), ace.shape))


def _align_mask(mask: xr.DataArray, ace: xr.DataArray) -> xr.DataArray:
    """Return a mask in the order of the effects, matched by name."""
    named = [dim for dim in mask.dims if dim in mask.coords and dim in ace.coords]
    try:
        return mask.sel({dim: ace[dim] for dim in named})
    except KeyError as error:
        raise EstimateError(f"the mask does not say whether {error.args[0]} is selected; give one for each") from error


def _mask_by_p(estimates: xr.Dataset, alpha: float) -> npt.NDArray[np.bool_]:
    if "p_adjusted" not in estimates:
        raise EstimateError(f"select={alpha:g} asks for p_adjusted, which cg.adjust(estimates, method='bh') adds")
    if not 0 < alpha < 1:
        raise EstimateError(f"select={alpha:g} is not between 0 and 1")
    return np.asarray(estimates["p_adjusted"].transpose(*estimates["ace"].dims).to_numpy() <= alpha)
