"""What the figures of the catalogue share."""

from __future__ import annotations

import xarray as xr


def mean_over_models(table: xr.Dataset) -> xr.Dataset:
    """Return the mean over the models of an ensemble for a figure of one, and say so in the names of the tasks.

    Parameters
    ----------
    table
        ``ace (..., task[, model])``; what is no float is left out of a mean. Returned as it is without models.

    Examples
    --------
    >>> table = xr.Dataset({"ace": (("contrast", "task", "model"), [[[1.0, 2.0]]])}, coords={"task": ["K562"]})
    >>> mean_over_models(table)["ace"].values.ravel(), mean_over_models(table)["task"].values
    (array([1.5]), array(['K562, mean over 2 models'], dtype='<U24'))
    """
    if "model" not in table.dims:
        return table
    names = [f"{task}, mean over {table.sizes['model']} models" for task in table["task"].to_numpy()]
    floats = [name for name, values in table.data_vars.items() if values.dtype.kind == "f"]
    return table[floats].mean("model", keep_attrs=True).assign_coords(task=("task", names))
