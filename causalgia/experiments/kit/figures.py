"""Figures shared by experiments of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.experiments.kit.answer import Answer
    from causalgia.plot import Axes


def profile_along(along: str, *, by: str | None = None) -> Callable[[Answer], Axes]:
    """Return a function that draws the contrasts of one task along a coordinate, by `causalgia.plot.profile`.

    Examples
    --------
    >>> profile_along("copies").keywords
    {'along': 'copies', 'by': None}
    """
    return partial(_draw_profile, along=along, by=by)


def _draw_profile(answer: Answer, *, along: str, by: str | None) -> Axes:
    from causalgia.plot import profile

    return profile(answer.decisions, along=along, by=by)


def mean_over_models(table: xr.Dataset) -> xr.Dataset:
    """Return the mean over the models of an ensemble, with task names that say so.

    Parameters
    ----------
    table
        ``ace (..., task[, model])``; variables that are not floats are dropped. A table without models is unchanged.

    Examples
    --------
    >>> import xarray as xr
    >>> table = xr.Dataset({"ace": (("contrast", "task", "model"), [[[1.0, 2.0]]])}, coords={"task": ["K562"]})
    >>> mean_over_models(table)["ace"].values.ravel(), mean_over_models(table)["task"].values
    (array([1.5]), array(['K562, mean over 2 models'], dtype='<U24'))
    """
    if "model" not in table.dims:
        return table
    names = [f"{task}, mean over {table.sizes['model']} models" for task in table["task"].to_numpy()]
    floats = [name for name, values in table.data_vars.items() if values.dtype.kind == "f"]
    return table[floats].mean("model", keep_attrs=True).assign_coords(task=("task", names))
