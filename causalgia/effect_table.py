"""Datasets of effects, estimates and decisions whose ``to_dataframe`` has one row per
effect, and curves of effects.

Estimators know units, contrasts and tasks. A verb that takes curves folds
``(..., position, task, ...)`` to ``(..., task, ...)`` at its front, one task for each
position and task, and unfolds its result.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import about
from causalgia.checks import as_names, in_list, nearest
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.types import Array, Mask

if TYPE_CHECKING:
    import pandas as pd


#: variables with one value per effect, in order of preference; the dims of the first
#: one present define the rows
_EFFECT_VARIABLES = ("ace", "ice", "ice_mean", "verdict", "outcome")
_FOLDED_ATTR = "positions"
_MEASURED = ("outcome", "ice", "ice_mean", "ace")


class EffectTable(xr.Dataset):  # type: ignore[no-untyped-call]  # xarray's __init_subclass__ has no types
    """A Dataset of effects whose `to_dataframe` has one row per effect.

    It is an `xarray.Dataset` otherwise. `to_dataframe` omits variables with other dims
    (covariance, weights of arms), for which a plain Dataset would repeat each effect.

    Examples
    --------
    >>> weight = (("contrast", "arm"), [[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    >>> table = EffectTable(
    ...     {"ace": (("contrast", "task"), [[1.5], [0.2]]), "weight": weight},
    ...     coords={"contrast": ["GATA1", "TAL1"], "task": ["K562"]},
    ... )
    >>> table.to_dataframe().reset_index()
      contrast  task  ace
    0    GATA1  K562  1.5
    1     TAL1  K562  0.2
    """

    __slots__ = ()

    def to_dataframe(self, dim_order: Sequence[Hashable] | None = None) -> pd.DataFrame:
        """Return a DataFrame with one row per effect and a column for each variable on
        the dims of an effect.

        Parameters
        ----------
        dim_order
            Order of the levels of the index, by default that of the effect's dims:
            contrast, task[, model].

        Returns
        -------
        DataFrame
            One row per effect. Variables with other dims are read from the Dataset
            itself: ``covariance (contrast, contrast_, task)``,
            ``weight (contrast, arm)``, ``kind (arm)``.
        """
        effect = next(
            (self[name] for name in _EFFECT_VARIABLES if name in self.variables), None
        )
        if effect is None:
            return super().to_dataframe(dim_order)
        table = xr.Dataset.drop_dims(
            as_rows(self),
            [dim for dim in self.dims if dim not in effect.dims],
        )
        return xr.Dataset.to_dataframe(
            table, list(effect.dims) if dim_order is None else dim_order
        )

    def _repr_html_(self) -> str:
        """Return the report of the effects for notebooks, with xarray's own view below
        in a fold.
        """
        # by name: the report stands on this table, and not the other way round
        view = import_module("causalgia.tell._report").view_of(self)
        own = super()._repr_html_()
        fold = f"<details><summary>as a Dataset</summary>{own}</details>"
        return f"{view}\n{fold}" if view else own


def as_effect_table(dataset: xr.Dataset) -> EffectTable:
    """Return a Dataset as an `EffectTable` of the same variables.

    Examples
    --------
    >>> as_effect_table(
    ...     xr.Dataset({"ace": ("contrast", [1.0])}, attrs={"scale": "log"})
    ... ).attrs
    {'scale': 'log'}
    """
    if isinstance(dataset, EffectTable):
        return dataset
    data = {name: dataset.variables[name] for name in dataset.data_vars}
    table = EffectTable(data, dataset.coords, dataset.attrs)
    table.encoding = dataset.encoding
    return table


def as_rows(table: xr.Dataset) -> xr.Dataset:
    """Return a table whose columns of one value per effect give its limits, or say that
    they do not.

    Without the skewness where limits do not follow from it, and with ``two_valued``
    where they follow from counts of two values.
    """
    known = about(table, None)
    target = known.target or _SAMPLED[0]
    # the t of a function of means is no sum of contributions
    if target not in _SAMPLED or known.ice_is:
        table = table.drop_vars("skewness", errors="ignore")
    if "two_valued_weight" in table and target == _SAMPLED[0]:
        two = (table["two_valued_weight"] != 0).any("own")
        table = table.assign(two_valued=two)
    return table


_TASKS_LISTED = 12


def tasks_in_table(table: xr.Dataset) -> list[str]:
    """Return the names of the tasks of a table, numbers if they have none.

    Examples
    --------
    >>> tasks_in_table(xr.Dataset(coords={"task": ["K562"]}))
    ['K562']
    """
    if "task" not in table.coords:
        return list(map(str, range(table.sizes.get("task", 1))))
    return [str(name) for name in np.atleast_1d(table["task"].to_numpy())]


def selected_tasks(
    known: Sequence[str],
    task: str | Iterable[str],
    *,
    place: str = "",
    argument: str = "task",
) -> list[str]:
    """Return the tasks of a selection: a name, a pattern such as ``"DNASE:*"``, or
    several of them.

    In a pattern, ``*`` is any text, ``?`` a letter and ``[ab]`` one of these letters; a
    name that is there is taken as it stands.

    Parameters
    ----------
    known
        The tasks there are.
    task
        Names and patterns.
    place, argument
        What takes the selection, and by which argument, for errors.

    Raises
    ------
    EstimateError
        If a name or pattern is that of no task.

    Examples
    --------
    >>> selected_tasks(
    ...     ["DNASE:K562", "DNASE:HepG2", "RNA:K562"], ["RNA:K562", "DNASE:*"]
    ... )
    ['RNA:K562', 'DNASE:K562', 'DNASE:HepG2']
    """
    patterns = as_names(task)
    if not patterns:
        raise EstimateError(
            f"{place}{argument}={quoted(task)} is not a task; give a name, a "
            'pattern such as "DNASE:*", or a list of them'
        )
    there, found = set(known), dict[str, None]()
    for pattern in patterns:
        names = (
            [pattern]
            if pattern in there
            else [name for name in known if fnmatchcase(name, pattern)]
        )
        if not names:
            hint = nearest(
                pattern,
                known,
                then=f"say {argument}= one of {tasks_for_errors(known)}",
            )
            raise EstimateError(f"{place}task {quoted(pattern)} is not there{hint}")
        found |= dict.fromkeys(names)
    return list(found)


def tasks_for_errors(known: Sequence[str]) -> str:
    """Return the names of tasks for a message; of many the first, with what else can be
    said.

    Examples
    --------
    >>> (
    ...     tasks_for_errors(["K562", "HepG2"]),
    ...     tasks_for_errors([f"DNASE:{i}" for i in range(919)]).partition("(")[2],
    ... )
    ("'K562', 'HepG2'", "919 tasks; a pattern such as 'DNASE:*' takes several)")
    """
    if len(known) <= _TASKS_LISTED:
        return ", ".join(map(quoted, known))
    head = known[0].partition(":")[0] + ":*" if ":" in known[0] else known[0][:4] + "*"
    first = ", ".join(map(quoted, known[:4]))
    return (
        f"{first}, ... ({len(known):,} tasks; a pattern such as {quoted(head)} takes "
        "several)"
    )


def select_tasks(
    table: xr.Dataset, task: str | Iterable[str] | None, *, place: str = ""
) -> Any:
    """Return a table of the tasks of a selection, as `selected_tasks`; None: all.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5, 0.2]])},
    ...     coords={"task": ["DNASE:K562", "RNA:K562"]},
    ... )
    >>> select_tasks(table, "DNASE:*")["task"].values.tolist()
    ['DNASE:K562']
    """
    if task is None:
        return table
    known = tasks_in_table(table)
    at = {name: i for i, name in enumerate(known)}
    return table.isel(
        task=[at[name] for name in selected_tasks(known, task, place=place)]
    )


_SAMPLED = ("population", "parents")
"""Targets whose error comes from the sampled units alone, so that the skewness of the
estimates applies.
"""


def hall_coefficient(estimates: xr.Dataset) -> Array:
    """Return ``skewness / sqrt(n)`` of each estimate, in the shape of ``ace``; 0 where
    it is not known.

    n is the number of independent contributions (``n_clusters``, else ``n_units``). The
    coefficient is also 0 for targets with another source of variance (placebos,
    predictors, replicates), for which the skewness of units says little.

    Raises
    ------
    EstimateError
        If a contrast has a skewness and no number of units.

    Examples
    --------
    >>> one = {
    ...     name: ("contrast", [x])
    ...     for name, x in {"ace": 1.0, "skewness": 2.0, "n_units": 100}.items()
    ... }
    >>> (
    ...     hall_coefficient(xr.Dataset(one)),
    ...     hall_coefficient(xr.Dataset({"ace": ("contrast", [1.0])})),
    ... )
    (array([0.2]), array([0.]))
    """
    if (
        "skewness" not in estimates
        or about(estimates, "population").target not in _SAMPLED
    ):
        return np.zeros(estimates.variables["ace"].shape)
    skewness = of_effects(estimates, "skewness").astype(np.float64)
    skewness = np.where(rows_measured(estimates), skewness, 0.0)
    counts = [name for name in ("n_clusters", "n_units") if name in estimates]
    n = of_effects(estimates, counts[0]) if counts else np.zeros(skewness.shape)
    if (uncounted := (skewness != 0) & ~(n > 0)).any():
        raise EstimateError(
            f"contrast {first_row(estimates, uncounted)}: skewness "
            f"{skewness[uncounted][0]:g} without the number of units that it is of; "
            "give n_units or n_clusters"
        )
    return np.asarray(skewness / np.sqrt(np.maximum(n, 1)))


def of_effects(estimates: xr.Dataset, column: str | xr.Variable) -> Array:
    """Return a column in the shape of ``ace``, which may have more dims than it.

    That is ``broadcast_like``, but for the alignment of indexes, which are the same.

    Examples
    --------
    >>> table = xr.Dataset({"ace": (("contrast", "task"), [[1.0, 2.0]])})
    >>> of_effects(table.assign(n_units=("contrast", [40])), "n_units")
    array([[40, 40]])
    """
    ace = estimates.variables["ace"]
    if isinstance(column, str):
        column = estimates.variables[column]
    if column.dims != ace.dims:
        wide: xr.Variable = column.set_dims(dict(ace.sizes))  # type: ignore[no-untyped-call]
        column = wide.transpose(*ace.dims)
    return np.asarray(column.to_numpy())


def first_row(estimates: xr.Dataset, rows: Mask) -> object:
    """Return the name of the contrast of the first of these rows, of the shape of
    ``ace``, or its number where contrasts have no names.
    """
    k = int(np.argwhere(rows)[0][0])
    names = estimates.coords.get("contrast")
    return k if names is None else np.atleast_1d(names.to_numpy())[k]


def rows_measured(estimates: xr.Dataset) -> Mask:
    """Return which rows were measured, of the shape of ``ace``."""
    if "measured" not in estimates:
        return np.ones(estimates.variables["ace"].shape, dtype=bool)
    return np.asarray(of_effects(estimates, "measured"), dtype=bool)


def unmeasured_in_words(measured: xr.DataArray) -> str:
    """Return the names of the rows that were not measured, by contrast and, of several,
    by task.
    """
    shown = [d for d in measured.dims if d == "contrast" or measured.sizes[d] > 1]
    lacking = np.argwhere(~measured.to_numpy())
    names = [
        " in ".join(
            quoted(str(measured[dim].to_numpy()[i] if dim in measured.coords else i))
            for dim, i in zip(measured.dims, at, strict=True)
            if dim in shown
        )
        for at in lacking[:3]
    ]
    return in_list(names, n=len(lacking))


def blanked(estimates: xr.Dataset) -> xr.Dataset:
    """Return estimates with nan in the rows that were not measured."""
    if "measured" not in estimates:
        return estimates
    known = estimates["measured"]
    return estimates.assign(
        {
            name: column.where(known)
            for name, column in estimates.data_vars.items()
            if column.dims == known.dims and column.dtype.kind == "f"
        }
    )


def filled(estimates: xr.Dataset) -> xr.Dataset:
    """Return estimates with no effect, and a standard error of 1, in the rows that were
    not measured, which no family has.
    """
    if "measured" not in estimates:
        return estimates
    known, null = estimates["measured"], float(about(estimates, 0.0).null_value)
    return estimates.assign(
        {
            name: column.where(known, null if name == "ace" else 1.0)
            for name, column in estimates.data_vars.items()
            if column.dims == known.dims and column.dtype.kind == "f"
        }
    )


def has_positions(dataset: object) -> bool:
    """Return whether a Dataset has outcomes, effects, moments or estimates with a dim
    position.

    Examples
    --------
    >>> has_positions(
    ...     xr.Dataset({"ace": (("contrast", "position", "task"), np.zeros((1, 3, 1)))})
    ... )
    True
    """
    if not isinstance(dataset, xr.Dataset) or "position" not in dataset.dims:
        return False
    return any(
        name in dataset and "position" in dataset[name].dims for name in _MEASURED
    )


INCOMPLETE = "incomplete"
"""The assignment of a table in which some units lack some arms or tasks."""


def has_gaps(dataset: object) -> bool:
    """Return whether outcomes, or effects made of them, lack cells of units by arms.

    Such outcomes have NaN where nothing was measured; what `contrast` makes of them
    keeps the outcomes, because a unit that lacks an arm has no individual effect.
    Outcomes of which all gaps were left out are those of a crossover, or of a parallel
    trial.

    Examples
    --------
    >>> y = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), [[[1.0], [np.nan]]])},
    ...     attrs={"assignment": "incomplete"},
    ... )
    >>> has_gaps(y), has_gaps(y.isel(arm=[0]))
    (True, False)
    """
    if (
        not isinstance(dataset, xr.Dataset)
        or about(dataset, None).assignment != INCOMPLETE
    ):
        return False
    if "outcome" not in dataset or "unit" not in dataset["outcome"].dims:
        return False
    crossed = "arm" in dataset["outcome"].dims
    if crossed and "contrast" in dataset.dims:
        return True
    known = crossed or "assigned" in dataset.variables
    return known and bool(np.isnan(dataset["outcome"].to_numpy()).any())


def gaps_in_words(dataset: xr.Dataset) -> str:
    """Return how many of the cells of a table with gaps are missing.

    Examples
    --------
    >>> y = xr.Dataset({"outcome": (("unit", "arm", "task"), [[[1.0], [np.nan]]])})
    >>> gaps_in_words(y)
    '1 of 2 cells is missing'
    """
    missing = np.isnan(dataset["outcome"].to_numpy())
    n = int(missing.sum())
    return f"{n:,} of {missing.size:,} cells {'is' if n == 1 else 'are'} missing"


def positions_of(curves: xr.Dataset) -> NDArray[Any]:
    """Return the positions of curves, in bp.

    Raises
    ------
    DataError
        If the dim has no coordinate, or a position appears twice.

    Examples
    --------
    >>> positions_of(xr.Dataset(coords={"position": [-1, 0, 1]})).tolist()
    [-1, 0, 1]
    """
    if "position" not in curves.coords:
        raise DataError("the dim 'position' has no coordinate")
    at = curves["position"].to_numpy()
    if at.ndim and len(at) > 1 and not (at[1:] > at[:-1]).all():
        found, counts = np.unique(at, return_counts=True)
        if (counts > 1).any():
            raise DataError(
                f"position {found[counts > 1][0]} appears {counts.max()} times"
            )
    return at


def folded(curves: xr.Dataset) -> xr.Dataset:
    """Return curves as columns: a task ``"K562 at -50"`` for each position and task,
    position by position.

    Raises
    ------
    DataError
        If there is no dim task, or a variable has a dim position that is not followed
        by task.

    Examples
    --------
    >>> y = xr.Dataset(
    ...     {"ace": (("contrast", "position", "task"), np.arange(4.0).reshape(1, 2, 2))}
    ... )
    >>> columns = folded(y.assign_coords(position=[0, 8], task=["a", "b"]))
    >>> columns["task"].values.tolist(), columns["ace"].values
    (['a at 0', 'b at 0', 'a at 8', 'b at 8'], array([[0., 1., 2., 3.]]))
    """
    if "task" not in curves.dims:
        raise DataError(
            "no dim 'task' after 'position': .sel(task=[...]) keeps it where one task "
            "is selected, and .expand_dims(task=['...'], axis=-1) adds it to effects "
            "of your own"
        )
    positions, tasks = positions_of(curves), curves["task"].to_numpy()
    variables: dict[Any, Any] = {}
    for name, variable in curves.variables.items():
        if name in ("position", "task"):
            continue
        if {"position", "task"} <= set(variable.dims):
            variables[name] = _folded(str(name), variable)
        elif (
            "task" in variable.dims and variable.ndim == 1
        ):  # a label of tasks, the same at each position
            variables[name] = xr.Variable(
                ("task",), np.tile(variable.to_numpy(), len(positions)), variable.attrs
            )
        elif "position" not in variable.dims:
            variables[name] = variable
        elif variable.ndim > 1:
            raise DataError(
                f"{quoted(str(name))} has dims {variable.dims}; 'position' is followed "
                "by 'task'"
            )
    labels = [
        f"{task} at {position}"
        for position in positions.tolist()
        for task in tasks.tolist()
    ]
    coords = {name: variables.pop(name) for name in curves.coords if name in variables}
    attrs = {**curves.attrs, _FOLDED_ATTR: len(positions)}
    made = xr.Dataset(variables, {**coords, "task": np.asarray(labels)}, attrs)
    return as_effect_table(made) if isinstance(curves, EffectTable) else made


def _folded(name: str, variable: xr.Variable) -> xr.Variable:
    at = variable.dims.index("position")
    if variable.dims[at + 1 : at + 2] != ("task",):
        raise DataError(
            f"{quoted(name)} has dims {variable.dims}; 'task' follows 'position': "
            "transpose(..., 'position', 'task')"
        )
    shape = variable.shape
    data = variable.data.reshape(
        *shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]
    )
    return xr.Variable(
        (*variable.dims[:at], *variable.dims[at + 1 :]), data, variable.attrs
    )


def unfolded(columns: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    """Return a Dataset of columns that `folded` made of `like` (or a verb made of
    these) as curves again.

    Examples
    --------
    >>> y = xr.Dataset(
    ...     {"ace": (("contrast", "position", "task"), np.arange(4.0).reshape(1, 2, 2))}
    ... )
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
        data = variable.data.reshape(
            *variable.shape[:at], *inner, *variable.shape[at + 1 :]
        )
        dims = (*variable.dims[:at], "position", *variable.dims[at:])
        variables[name] = xr.Variable(dims, data, variable.attrs)
    rest = columns.drop_dims("task")
    of_curves = {
        n: c.variable
        for n, c in like.coords.items()
        if {"position", "task"} & set(c.dims)
    }
    made = rest.assign(
        {n: v for n, v in variables.items() if n not in columns.coords}
    ).assign_coords(
        {**{n: v for n, v in variables.items() if n in columns.coords}, **of_curves}
    )
    made.attrs = {
        name: value for name, value in columns.attrs.items() if name != _FOLDED_ATTR
    }
    return as_effect_table(made) if isinstance(columns, EffectTable) else made


def is_folded(columns: object) -> bool:
    """Return whether `folded` made a Dataset, so that its tasks are positions of
    curves.

    Examples
    --------
    >>> is_folded(xr.Dataset())
    False
    """
    return isinstance(columns, xr.Dataset) and _FOLDED_ATTR in columns.attrs
