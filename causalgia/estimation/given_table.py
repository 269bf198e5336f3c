"""What a verb was given in place of estimates, read once: its kind, and the rows of a
table of effects.

A user gives effects of units, estimates, effects of elements or slopes (Datasets of
this library), a table of effects (of pandas or with ``to_pandas()``, a mapping of
columns or of matrices, a Dataset), a result of statsmodels, or the groups of a
posterior. `read_given` says which; a table of any layout becomes `EffectRows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.checks import in_list, why_no_numbers
from causalgia.effect_table import has_gaps
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.estimation.effect_columns import (
    COLUMN_NAMES,
    INTERCEPTS,
    columns_of,
    numbers,
    with_effect_columns,
)
from causalgia.estimation.given_effects import contrast_names, shared_labels
from causalgia.estimation.request import null_value
from causalgia.estimation.results_of_others import kind_of_result
from causalgia.inputs import as_pandas
from causalgia.schema import SCHEMA

_ON_ESTIMATES = [row for row in SCHEMA if "estimates" in row.datasets]
VARIABLES = frozenset(
    row.name for row in _ON_ESTIMATES if ("contrast", "task") in row.dims
)
"""Columns that are variables of estimates, one value for each effect."""
_ELSEWHERE = frozenset(
    r.name
    for r in _ON_ESTIMATES
    if not {("contrast", "task"), ("contrast",)} & set(r.dims)
)
_ON_DECISIONS = frozenset(
    row.name
    for row in SCHEMA
    if {"decisions", "estimates"} & {*row.datasets} == {"decisions"}
)
NOT_COLUMNS = _ELSEWHERE | {
    *("effect", "unit", "arm", "task", "model"),
    *("contrast", "contrast_", "cluster", "df"),
}
"""Names that no further column of a table may have on estimates."""
_NUMBERS = frozenset(
    name
    for kind, names in COLUMN_NAMES.items()
    if kind not in ("effect", "contrast")
    for name in names
)


class Given(NamedTuple):
    """What was given, and its kind.

    ``"estimates"`` may be of elements; ``"other"`` is nothing that has effects, and may
    be numbers.
    """

    kind: Literal[
        "effects", "estimates", "slopes", "table", "result", "posterior", "other"
    ]
    data: Any

    @property
    def of_others(self) -> bool:
        """Whether estimates are made of it without units."""
        return self.kind in ("slopes", "table", "result")

    @property
    def null(self) -> float:
        """No effect: 1 for ratios, else 0."""
        if self.kind != "posterior":
            return null_value(self.data)
        try:
            return null_value(self.data["posterior"])
        except KeyError:  # refused where the groups are read
            return 0.0

    @property
    def ci_prob(self) -> float:
        """Probability of the intervals that it was given with, else .95."""
        of_estimates = self.kind == "estimates"
        return float(about(self.data, 0.95).ci_prob) if of_estimates else 0.95


def read_given(x: Any) -> Given:
    """Return what was given and its kind; a table of another library as one of pandas.

    Examples
    --------
    >>> read_given({"Bhat": [[1.0]], "Shat": [[0.5]]}).kind, read_given([1.0]).kind
    ('table', 'other')
    >>> read_given({"posterior": xr.Dataset()}).kind
    'posterior'
    """
    x = as_pandas(x)
    if isinstance(x, xr.Dataset):
        return _read_dataset(x)
    if kind_of_result(x) is not None:
        return Given("result", x)
    if isinstance(x, xr.DataTree) or hasattr(x, "groups"):
        return Given("posterior", x)
    if isinstance(x, pd.DataFrame | Mapping):
        if columns_of(x, "effect"):
            return Given("table", x)
        no_groups = isinstance(x, pd.DataFrame) or not x
        return Given("other" if no_groups else "posterior", x)
    return Given("other", x)


def _read_dataset(x: xr.Dataset) -> Given:
    if {"chain", "draw"} <= set(x.dims):
        return Given("posterior", x)
    if "ace" in x:
        return Given("estimates", x)
    if has_effects(x):
        return Given("effects", x)
    if {"slope", "moderator"} <= {*x.variables}:
        return Given("slopes", x)
    return Given("table" if columns_of(x, "effect") else "other", x)


def has_effects(given: Any) -> TypeGuard[xr.Dataset]:
    """Return whether this is a Dataset of effects rather than of estimates."""
    if not isinstance(given, xr.Dataset) or "ace" in given:
        return False
    of_arms = {"outcome", "assigned"} <= set(given.variables) or has_gaps(given)
    return "ice" in given or ("contrast" in given.dims and of_arms)


@dataclass(frozen=True, eq=False)
class EffectRows:
    """A table of effects of any layout, as rows."""

    frame: pd.DataFrame
    """A row for each effect: columns ``effect[, se, df]`` and others, ``task`` where
    there are several; its index names the contrasts.
    """
    covariance: xr.DataArray | None = None
    """Of the errors, (contrast, contrast[, task]), the dims named as they were."""
    notes: tuple[str, ...] = ()

    def by_task(self) -> dict[Any, EffectRows] | None:
        """Return the rows of each task; None if no column names tasks.

        Raises
        ------
        DataError
            If a task has no name, or the table has no rows.

        Examples
        --------
        >>> frame = pd.DataFrame(
        ...     {"task": ["x", "y"], "effect": [1.0, 2.0]}, index=["a", "a"]
        ... )
        >>> tasks = EffectRows(frame).by_task()
        >>> {task: one.frame["effect"].tolist() for task, one in tasks.items()}
        {'x': [1.0], 'y': [2.0]}
        """
        if "task" not in self.frame:
            return None
        task = self.frame["task"]
        missing = task.isna().to_numpy()
        if missing.any() or self.frame.empty:
            where = (
                f"row {int(np.argmax(missing))} has no task"
                if missing.any()
                else "the table has no rows"
            )
            raise DataError(f"estimates: {where}")
        rest, matrix = self.frame.drop(columns="task"), self.covariance
        rows = self.frame.reset_index(drop=True).groupby("task", sort=False).indices
        return {
            name: EffectRows(
                rest.iloc[rows[name]],
                matrix.isel(task=i, drop=True)
                if matrix is not None and "task" in matrix.dims
                else matrix,
            )
            for i, name in enumerate(task.unique())
        }


def effect_rows(table: Any) -> EffectRows:
    """Return the rows of a table of effects: their columns under our names, without
    rows that are no effects, with notes on these.

    Parameters
    ----------
    table
        A DataFrame, a mapping of names to columns or matrices, or a Dataset with
        ``effect`` on a dim that names the contrasts, and maybe one of tasks.

    Examples
    --------
    >>> top = pd.DataFrame({"term": ["const", "dose"], "coef": [9.0, 1.0], "se": 0.5})
    >>> rows = effect_rows(top)
    >>> rows.frame["effect"].to_dict(), rows.notes
    ({'dose': 1.0}, ("left out: 'const' (an intercept is no effect)",))
    """
    if isinstance(table, xr.Dataset):
        return _rows_of_dataset(table)
    if not isinstance(table, pd.DataFrame):
        columns = {name: as_pandas(column) for name, column in table.items()}
        kinds = {
            kind: next((columns[n] for n in columns_of(columns, kind)), None)
            for kind in ("effect", "se", "df")
        }
        if is_matrix(kinds["effect"]):
            return rows_of_matrices(**kinds)
        try:
            table = pd.DataFrame(columns)
        except ValueError as error:
            raise DataError(f"estimates: {why_no_numbers(columns)}") from error
    # estimates.to_dataframe() has its contrasts and tasks in the index
    if {"contrast", "task"} <= set(table.index.names):
        table = table.reset_index()
    if not table.columns.is_unique:
        raise DataError("estimates: two columns of the table have one name")
    frame, notes = _with_names(with_effect_columns(table))
    if {"verdict", "rope_lower"} <= {*frame.columns}:  # to be decided anew
        frame = frame.drop(columns=list(_ON_DECISIONS & {*frame.columns}))
    rows = _without_empty(EffectRows(frame, None, tuple(notes)))
    ground = rows.frame.index.isin(INTERCEPTS)
    return _without(rows, ground, "an intercept is no effect")


def _rows_of_dataset(table: xr.Dataset) -> EffectRows:
    """Return the rows of a Dataset with ``effect (x[, task])``."""
    effect = table[columns_of(table, "effect")[0]]
    if len(effect.dims) == 2 and "task" not in effect.dims:
        table = table.rename({effect.dims[1]: "task"})
        effect = table[effect.name]
    if not 1 <= len(effect.dims) <= 2 or effect.sizes.get("task") == 0:
        raise DataError(f"estimates: 'effect' has dims {effect.dims}")
    order = sorted(effect.dims, key=lambda dim: len(effect.dims) > 1 and dim != "task")
    dim, dims = order[-1], {*order}
    if len(order) == 2 and not table.get_index("task").is_unique:
        raise DataError("estimates: a task appears more than once")
    kept = [
        name
        for name, v in table.variables.items()
        if {*v.dims} <= dims and (dim in v.dims or name in _NUMBERS) and name != "task"
    ]  # of each effect, or a number of all alike
    others = {*table.variables} - dims.union(kept)
    frame = xr.Dataset.to_dataframe(table.drop_vars(others), order)
    frame = with_effect_columns(frame, has_covariance="covariance" in table)
    if len(order) == 2:
        frame = frame.reset_index("task")
    matrix = table["covariance"].transpose(dim, ...) if "covariance" in table else None
    return _without_empty(EffectRows(frame, matrix))


def rows_of_matrices(
    effect: Any, se: Any, df: Any = None, names: Any = None
) -> EffectRows:
    """Return the rows of effects and errors of shape (K, T).

    Raises
    ------
    EstimateError
        If shapes or names differ.

    Examples
    --------
    >>> rows_of_matrices([[1.0, 2.0]], [[0.1, 0.2]]).frame["task"].tolist()
    [0, 1]
    """
    shape, given = np.shape(effect), {"effect": effect, "se": se, "df": df}
    given = {name: values for name, values in given.items() if values is not None}
    for name, values in given.items():
        if np.shape(values) not in ((), shape):
            raise EstimateError(
                f"{name} has shape {np.shape(values)}, and the effects {shape}"
            )
    if len(shape) != 2 or se is None:
        raise EstimateError(
            f"effects of shape {shape} take standard errors of this shape"
        )
    rows, tasks = (shared_labels(given, axis) for axis in range(2))
    labels = contrast_names(rows if names is None else names, shape[0])
    frame = pd.DataFrame(
        {
            name: np.broadcast_to(np.asarray(values), shape).T.ravel()
            for name, values in given.items()
        },
        index=np.tile(labels, shape[1]),
    )
    task = np.repeat(contrast_names(tasks, shape[1]), shape[0])
    return _without_empty(EffectRows(with_effect_columns(frame).assign(task=task)))


def is_matrix(values: Any, *, tables: bool = True) -> bool:
    """Return whether values have two dims; `tables`: whether a DataFrame counts.

    Examples
    --------
    >>> is_matrix([[1.0, 2.0]]), is_matrix([[1.0], [1.0, 2.0]]), is_matrix(0.5)
    (True, False, False)
    """
    if isinstance(values, pd.DataFrame):
        return tables
    try:
        return np.ndim(values) == 2
    except ValueError:  # rows of unequal lengths, refused where they are read
        return False


def _with_names(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table with the names of its contrasts as index: of a column that holds
    them, or of the only column of text that differs in each row (of a task), with a
    note on that.

    Examples
    --------
    >>> table = pd.DataFrame({"gene": ["a", "b"], "effect": [1.0, 2.0], "se": 1.0})
    >>> named, notes = _with_names(table)
    >>> named.index.tolist(), notes
    (['a', 'b'], ["contrasts are named after the column 'gene'"])
    >>> _with_names(table.assign(id=["x", "y"]))[1][0][:46]
    "contrasts are numbered: 'gene' and 'id' may be"
    """
    there = columns_of(table, "contrast")
    # the index of a table that is read from a file says nothing
    unnamed = table.index.name is None and pd.api.types.is_integer_dtype(table.index)
    if "contrast" in there or (there and unnamed):
        return table.set_index(there[0]), []
    if not unnamed:
        return table, []
    task = [table["task"]] if "task" in table else []
    others = VARIABLES | NOT_COLUMNS | _ON_DECISIONS
    texts = [
        name
        for name in table.columns
        if name not in others
        and len(table)
        and all(isinstance(value, str) for value in table[name])
        and pd.to_numeric(table[name], errors="coerce").isna().any()  # of a file
        and not pd.concat([*task, table[name]], axis=1).duplicated().any()
    ]
    if len(texts) == 1:
        note = f"contrasts are named after the column {quoted(texts[0])}"
        return table.set_index(texts[0], drop=False), [note]
    if not texts:
        return table, []
    shown = in_list([quoted(name) for name in texts])
    return table, [
        f"contrasts are numbered: {shown} may be their names; rename the column that "
        "has them to 'contrast'"
    ]


def _without_empty(rows: EffectRows) -> EffectRows:
    """Return rows without those that have neither effect nor error in any task."""
    frame = rows.frame
    if not {"effect", "se"} <= {*frame}:
        return rows
    effect, se = (numbers(frame[name], name) for name in ("effect", "se"))
    empty = pd.Series(np.isnan(effect) & np.isnan(se))
    if "task" in frame:
        empty = empty.groupby(frame.index.to_numpy(), sort=False).transform("all")
    return _without(rows, empty.to_numpy(), "they have neither effect nor error")


def _without(rows: EffectRows, out: Any, why: str) -> EffectRows:
    """Return rows without some, with a note that says why; all where none would be
    left.
    """
    if out.all() or not out.any():
        return rows
    names, matrix = rows.frame.index[out].unique(), rows.covariance
    shown = in_list([quoted(str(name)) for name in names[:3]], n=len(names))
    if matrix is not None:
        matrix = matrix.isel({matrix.dims[0]: ~out[: matrix.sizes[matrix.dims[0]]]})
    note = f"left out: {shown} ({why})"
    return replace(
        rows, frame=rows.frame[~out], covariance=matrix, notes=(*rows.notes, note)
    )
