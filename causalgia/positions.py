"""Datasets with a dim position, folded to one column for each position and task, and unfolded again.

Estimators know units, contrasts and tasks. A verb that takes curves folds ``(..., position, task, ...)`` to ``(...,
task, ...)`` at its front, one task for each position and task, and unfolds its result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.effect_table import EffectTable, as_effect_table
from causalgia.errors import OutcomesError, quoted

_MARK = "positions"
_MEASURED = ("outcome", "ice", "ice_mean", "ace")


def has_positions(dataset: object) -> bool:
    """Return whether a Dataset has outcomes, effects, moments or estimates with a dim position.

    Examples
    --------
    >>> has_positions(xr.Dataset({"ace": (("contrast", "position", "task"), np.zeros((1, 3, 1)))}))
    True
    """
    if not isinstance(dataset, xr.Dataset) or "position" not in dataset.dims:
        return False
    return any(name in dataset and "position" in dataset[name].dims for name in _MEASURED)


def positions_of(curves: xr.Dataset) -> NDArray[Any]:
    """Return the positions of curves, in bp.

    Raises
    ------
    OutcomesError
        If the dim has no coordinate, or a position appears twice.

    Examples
    --------
    >>> positions_of(xr.Dataset(coords={"position": [-1, 0, 1]})).tolist()
    [-1, 0, 1]
    """
    if "position" not in curves.coords:
        raise OutcomesError("the dim 'position' has no coordinate; give it the positions in bp: .assign_coords()")
    at = curves["position"].to_numpy()
    if at.ndim and len(at) > 1 and not (at[1:] > at[:-1]).all():
        found, counts = np.unique(at, return_counts=True)
        if (counts > 1).any():
            raise OutcomesError(
                f"position {found[counts > 1][0]} appears {counts.max()} times; give each bin its own place, "
                ".assign_coords(position=...), or keep the first of each: .drop_duplicates('position')"
            )
    return at


def folded(curves: xr.Dataset) -> xr.Dataset:
    """Return curves as columns: a task ``"K562 at -50"`` for each position and task, position by position.

    Raises
    ------
    OutcomesError
        If there is no dim task, or a variable has a dim position that is not followed by task.

    Examples
    --------
    >>> y = xr.Dataset({"ace": (("contrast", "position", "task"), np.arange(4.0).reshape(1, 2, 2))})
    >>> columns = folded(y.assign_coords(position=[0, 8], task=["a", "b"]))
    >>> columns["task"].values.tolist(), columns["ace"].values
    (['a at 0', 'b at 0', 'a at 8', 'b at 8'], array([[0., 1., 2., 3.]]))
    """
    if "task" not in curves.dims:
        raise OutcomesError(
            "no dim 'task' after 'position': .sel(task=[...]) keeps it where one task is selected, and "
            ".expand_dims(task=['...'], axis=-1) adds it to effects of your own"
        )
    positions, tasks = positions_of(curves), curves["task"].to_numpy()
    variables: dict[Any, Any] = {}
    for name, variable in curves.variables.items():
        if name in ("position", "task"):
            continue
        if {"position", "task"} <= set(variable.dims):
            variables[name] = _folded(str(name), variable)
        elif "task" in variable.dims and variable.ndim == 1:  # a label of tasks, the same at each position
            variables[name] = xr.Variable(("task",), np.tile(variable.to_numpy(), len(positions)), variable.attrs)
        elif "position" not in variable.dims:
            variables[name] = variable
        elif variable.ndim > 1:
            raise OutcomesError(f"{quoted(str(name))} has dims {variable.dims}; 'position' is followed by 'task'")
    labels = [f"{task} at {position}" for position in positions.tolist() for task in tasks.tolist()]
    coords = {name: variables.pop(name) for name in curves.coords if name in variables}
    attrs = {**curves.attrs, _MARK: len(positions)}
    made = xr.Dataset(variables, {**coords, "task": np.asarray(labels)}, attrs)
    return as_effect_table(made) if isinstance(curves, EffectTable) else made


def _folded(name: str, variable: xr.Variable) -> xr.Variable:
    at = variable.dims.index("position")
    if variable.dims[at + 1 : at + 2] != ("task",):
        raise OutcomesError(
            f"{quoted(name)} has dims {variable.dims}; 'task' follows 'position': transpose(..., 'position', 'task')"
        )
    shape = variable.shape
    data = variable.data.reshape(*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :])
    return xr.Variable((*variable.dims[:at], *variable.dims[at + 1 :]), data, variable.attrs)


def unfolded(columns: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    """Return a Dataset of columns that `folded` made of `like` (or a verb made of these) as curves again.

    Examples
    --------
    >>> y = xr.Dataset({"ace": (("contrast", "position", "task"), np.arange(4.0).reshape(1, 2, 2))})
    >>> y = y.assign_coords(position=[0, 8], task=["a", "b"])
    >>> unfolded(folded(y), y).equals(y)
    True
    """
    inner = (like.sizes["position"], like.sizes["task"])
    variables: dict[Any, Any] = {}
    for name, variable in columns.variables.items():
        if name == "task" or "task" not in variable.dims or name in like.coords:
            continue
        at = variable.dims.index("task")
        data = variable.data.reshape(*variable.shape[:at], *inner, *variable.shape[at + 1 :])
        dims = (*variable.dims[:at], "position", *variable.dims[at:])
        variables[name] = xr.Variable(dims, data, variable.attrs)
    rest = columns.drop_dims("task")
    of_curves = {n: c.variable for n, c in like.coords.items() if {"position", "task"} & set(c.dims)}
    made = rest.assign({n: v for n, v in variables.items() if n not in columns.coords}).assign_coords(
        {**{n: v for n, v in variables.items() if n in columns.coords}, **of_curves}
    )
    made.attrs = {name: value for name, value in columns.attrs.items() if name != _MARK}
    return as_effect_table(made) if isinstance(columns, EffectTable) else made


def is_folded(columns: object) -> bool:
    """Return whether `folded` made a Dataset, so that its tasks are positions of curves.

    Examples
    --------
    >>> is_folded(xr.Dataset())
    False
    """
    return isinstance(columns, xr.Dataset) and _MARK in columns.attrs
