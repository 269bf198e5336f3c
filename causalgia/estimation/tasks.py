"""Tables of several tasks: apart, to be read one by one, and side by side again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError, OutcomesError, quoted
from causalgia.estimation.labels import Labels
from causalgia.types import Array

#: the columns of broom and marginaleffects, and of estimates written as a table -> ours
_OTHER_NAMES = {"estimate": "effect", "std_error": "se", "std.error": "se", "ace": "effect"}


def with_effect_columns(table: Any) -> Any:
    """Return a table with ``effect`` and ``se`` where it has ``estimate`` and ``std_error``; anything else as it is.

    ``estimates.to_dataframe()`` has ``ace``, and its contrasts and tasks in the index.

    Raises
    ------
    EstimateError
        If a table has a column under both names, and they differ. The message says in which row.

    Examples
    --------
    >>> with_effect_columns(pd.DataFrame({"estimate": [1.0], "std.error": [0.5]})).columns.tolist()
    ['effect', 'se']
    """
    if not isinstance(table, pd.DataFrame | xr.Dataset) or (isinstance(table, xr.Dataset) and "ace" in table):
        return table
    if isinstance(table, pd.DataFrame) and {"contrast", "task"} <= set(table.index.names):
        table = table.reset_index()
    for theirs, ours in _OTHER_NAMES.items():
        if theirs not in table:
            continue
        if ours in table:
            _refuse_disagreement(table, theirs, ours)
            table = table.drop(columns=theirs) if isinstance(table, pd.DataFrame) else table.drop_vars(theirs)
        else:
            table = (
                table.rename(columns={theirs: ours})
                if isinstance(table, pd.DataFrame)
                else table.rename({theirs: ours})
            )
    return table


def _refuse_disagreement(table: Any, theirs: str, ours: str) -> None:
    one, other = (np.asarray(table[name]) for name in (theirs, ours))
    same = one.shape == other.shape and bool(pd.Series(one.ravel()).equals(pd.Series(other.ravel())))
    if same:
        return
    where = ""
    if one.shape == other.shape and one.ndim == 1:
        row = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if not (a == b or (a != a and b != b)))
        where = f": {one[row]!s} and {other[row]!s} in row {row}"
    raise EstimateError(
        f"the table has the columns {quoted(theirs)} and {quoted(ours)}, and they differ{where}; drop one of them"
    )


def by_task(table: Any) -> dict[Any, Any] | None:
    """Return the table of each task, or None where it says nothing of tasks.

    Parameters
    ----------
    table
        A DataFrame with a column ``task``, or a Dataset with ``effect`` on a dim of its own and ``task``.

    Raises
    ------
    OutcomesError
        If a task has no name, or there is none.

    Examples
    --------
    >>> table = pd.DataFrame({"task": ["x", "y"], "effect": [1.0, 2.0]}, index=["a", "a"])
    >>> {task: one["effect"].tolist() for task, one in by_task(table).items()}
    {'x': [1.0], 'y': [2.0]}
    """
    if isinstance(table, pd.DataFrame):
        return _of_frame(table) if list(table.columns).count("task") == 1 else None
    if not isinstance(table, xr.Dataset) or "effect" not in table or "task" not in table["effect"].dims:
        return None
    if table["effect"].ndim != 2 or table.sizes["task"] == 0:
        return None
    names = table["task"].to_numpy().tolist() if "task" in table.coords else range(table.sizes["task"])
    tables = {name: table.isel(task=i, drop=True) for i, name in enumerate(names)}
    if len(tables) < table.sizes["task"]:
        raise OutcomesError("estimates: a task appears more than once; make the names of 'task' unique")
    return tables


@dataclass(frozen=True, eq=False)
class Given:
    """Effects that were given and are usable, of K contrasts in one task, or in T of them on a last axis."""

    labels: Labels
    """Names of the contrasts, (K,)."""
    effect: Array
    se: Array
    df: Array
    """Infinite where normal."""
    covariance: Array | None
    """(K, K[, T])."""
    beside: dict[str, npt.NDArray[Any]]
    """Further columns, (K,), or where tasks differ in them (K, T)."""


def side_by_side(tasks: Mapping[Any, Given]) -> Given:
    """Put effects of the same contrasts in several tasks side by side, in the order of the first.

    Raises
    ------
    EstimateError
        If a contrast lacks a task, or some tasks are normal and others are not.
    """
    first = next(iter(tasks.values()))
    wanted, together = first.labels.tolist(), []
    for task, one in tasks.items():
        place = {name: k for k, name in enumerate(one.labels.tolist())}
        apart = sorted(set(wanted) ^ set(place), key=str)
        if apart:
            raise EstimateError(
                f"contrast {apart[0]!s} has an effect in some tasks and none in others (see task {task!s}); give every "
                "contrast in every task, or one task at a time"
            )
        if np.isinf(one.df).any() != np.isinf(first.df).any():
            raise EstimateError(f"task {task!s}: df is infinite there and not elsewhere; give 1e9 for a normal one")
        together.append(_in_order(one, [place[name] for name in wanted]))
    matrices = [one.covariance for one in together if one.covariance is not None]
    return Given(
        first.labels,
        np.stack([one.effect for one in together], axis=-1),
        np.stack([one.se for one in together], axis=-1),
        np.stack([one.df for one in together], axis=-1),
        np.stack(matrices, axis=-1) if matrices else None,
        {name: _of_tasks([one.beside[name] for one in together]) for name in first.beside},
    )


def _in_order(one: Given, rows: list[int]) -> Given:
    if rows == list(range(len(rows))):
        return one
    matrix = None if one.covariance is None else one.covariance[np.ix_(rows, rows)]
    beside = {name: column[rows] for name, column in one.beside.items()}
    return Given(one.labels[rows], one.effect[rows], one.se[rows], one.df[rows], matrix, beside)


def _of_tasks(columns: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return a column of every task, (K, T), or (K,) where it is the same in all."""
    first = xr.Variable("contrast", columns[0])
    same = all(first.equals(xr.Variable("contrast", x)) for x in columns[1:])  # type: ignore[no-untyped-call]
    return columns[0] if same else np.stack(columns, axis=-1)


def _of_frame(table: pd.DataFrame) -> dict[Any, Any]:
    missing = table["task"].isna().to_numpy()
    if missing.any() or table.empty:
        where = f"row {int(np.argmax(missing))} has no task" if missing.any() else "the table has no rows"
        raise OutcomesError(f"estimates: {where}; give its name in the column 'task'")
    rest, rows = table.drop(columns="task"), table.reset_index(drop=True).groupby("task", sort=False).indices
    return {task: rest.iloc[rows[task]] for task in table["task"].unique()}
