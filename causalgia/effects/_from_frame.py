"""Outcomes from a long table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import converts_to_float, in_order
from causalgia.effect_table import INCOMPLETE
from causalgia.errors import (
    NAMES_LISTED,
    DataError,
    first_of,
    quoted,
    type_in_words,
)
from causalgia.inputs import as_pandas, separator_cure
from causalgia.notes import MODERATION_OFFERED, with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.outcome_values import with_first_unit
from causalgia.types import Codes, HasToPandas
from causalgia.variables import RESERVED

Labels: TypeAlias = npt.NDArray[Any]
_LEAST_OFFERED, _MOST_DF_OFFERED = 30, 10
"""Rows, and their df, for which moderated variances are offered."""


@usual_errors
def from_frame(
    frame: pd.DataFrame | HasToPandas,
    *,
    outcome: str,
    arm: str,
    unit: str | None = None,
    parent: str | None = None,
    block: str | None = None,
    task: str | None = None,
    model: str | None = None,
    covariates: str | Iterable[str] | None = (),
    scale: str = "outcome",
) -> xr.Dataset:
    """Convert a long table, one row per measurement, to the Dataset of outcomes that
    `contrast` takes.

    If every unit has every arm the trial is a crossover; if every unit has one arm it
    is parallel. Anything in between, and one that lacks cells, is a table with gaps,
    which `causalgia.estimate` takes as it is: rows are neither dropped nor imputed.

    Parameters
    ----------
    frame
        A pandas DataFrame, or anything with ``to_pandas()``; levels of its index are
        columns.
    outcome, arm
        Columns of the measurement and of the arm's name (0 becomes ``"0"``). A
        measurement without a value (NaN) is a gap, as a row that is not there; a note
        says how many there are.
    unit
        Column of the unit; None: each row is a unit.
    parent, block
        Columns, constant within a unit: the source that units share, the stratum of the
        randomization.
    task, model
        Columns of the task, and of the predictor or replicate; without `task` the one
        task is named after the outcome's column.
    covariates
        Numeric columns measured before the intervention, constant within a unit. They
        keep their names, which must not be those of other variables of outcomes (such
        as ``parent``).
    scale
        Scale of the outcome in words, such as ``"log counts"``.

    Returns
    -------
    Dataset
        ``outcome (unit, arm, task[, model])`` for a crossover;
        ``outcome (unit, task[, model])`` with ``assigned (unit)`` and the arms' names
        as coordinate ``arm`` for a parallel trial. Of a table with gaps the outcome has
        the dims of a crossover, or where every unit has one arm those of a parallel
        trial, NaN in the cells that are missing, and attrs["assignment"] is
        ``"incomplete"``. Units, arms, tasks and models are in order of first
        appearance; a float32 outcome stays float32.

    Raises
    ------
    DataError
        If a column is missing, a name has no value, an outcome or covariate is infinite
        or no real number, a measurement is duplicated, or missing where there are
        several models or no `unit`, an arm has no outcome in a task, a unit's
        parent, block or covariate changes, or two names are the same as text (0 and
        ``"0"``). The message names the unit, the arm and the task.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {
    ...         "seq": ["s1", "s1", "s2", "s2"],
    ...         "arm": [0, 1, 0, 1],
    ...         "y": [1.0, 2.0, 1.5, 3.5],
    ...     }
    ... )
    >>> outcomes = from_frame(frame, outcome="y", arm="arm", unit="seq")
    >>> (
    ...     outcomes["outcome"].dims,
    ...     outcomes["arm"].values.tolist(),
    ...     outcomes.attrs["assignment"],
    ... )
    (('unit', 'arm', 'task'), ['0', '1'], 'crossover')
    """
    covariates = _as_covariate_columns(covariates, outcome, arm)
    named = {
        "outcome": outcome,
        "arm": arm,
        "unit": unit,
        "parent": parent,
        "block": block,
        "task": task,
        "model": model,
    }
    table = _as_table(frame, named, covariates)
    check_outcome_column(named)
    n = len(table)
    units = (
        _axis(table, "unit", unit)
        if unit is not None
        else _Axis("unit", np.arange(n), list(range(n)))
    )
    arms = _axis(table, "arm", arm, text=True)
    one_task = _Axis("task", np.zeros(n, dtype=np.intp), [outcome])
    tasks = _axis(table, "task", task, text=True) if task is not None else one_task
    models = [_axis(table, "model", model, text=True)] if model is not None else []
    parallel = _is_parallel(units, arms)
    axes = [units, *([] if parallel else [arms]), tasks, *models]
    # rows that are units of their own are in one task each
    may_have_gaps = not models and (unit is not None or task is None)
    y = _as_finite_column(table, outcome, [units, arms, tasks], gaps=may_have_gaps)
    cube = _as_cube(y, axes, gaps=may_have_gaps)
    missing = np.isnan(cube)
    assignment = (
        INCOMPLETE if missing.any() else "parallel" if parallel else "crossover"
    )
    outcomes = xr.Dataset(
        {"outcome": ([axis.dim for axis in axes], cube)},
        coords={axis.dim: axis.names for axis in [*axes, arms]},
        attrs=attributes(assignment=assignment, scale=scale, source="from_frame"),
    )
    if assignment == INCOMPLETE:
        _check_arms_measured(~np.isnan(y), arms, tasks)
        outcomes = with_notes(
            outcomes, _gaps_note(missing, int(np.isnan(y).sum()), outcome)
        )
    first = np.unique(units.codes, return_index=True)[1]
    on_unit = {"parent": parent, "block": block} | {c: c for c in covariates}
    for name, column in on_unit.items():
        if column is not None:
            factorized(table, column)
            values = (
                _as_finite_column(table, column, [units])
                if name in covariates
                else table[column].to_numpy()
            )
            outcomes = outcomes.assign_coords(
                {name: ("unit", _constant_within_unit(values, column, units, first))}
            )
    if parallel:
        outcomes = outcomes.assign_coords(
            assigned=("unit", [arms.names[code] for code in arms.codes[first]])
        )
    if _few_units(outcomes, parallel):
        outcomes = with_notes(outcomes, MODERATION_OFFERED)
    return as_result(with_first_unit(outcomes), "outcomes", gaps=True)


@dataclass(frozen=True)
class _Axis:
    """One dim: the code of each row of the table, and the names of the codes."""

    dim: str
    codes: Codes
    names: list[Any]


def _as_covariate_columns(
    covariates: str | Iterable[str] | None, outcome: str, arm: str
) -> tuple[str, ...]:
    names = () if covariates is None else in_order(covariates)
    if names is None:
        raise DataError(
            f"covariates takes names of columns, not {type_in_words(covariates)}",
            argument="covariates",
        )
    for name in names:
        if not isinstance(name, str):
            raise DataError(
                "covariates takes the name of a column as text, not "
                f"{type_in_words(name)}",
                argument="covariates",
            )
        if name in (outcome, arm):
            raise DataError(
                f"covariates={quoted(name)} is the column of the outcome or the arm",
                argument="covariates",
            )
        if name in RESERVED - {"gc"}:
            raise DataError(
                f"covariate {quoted(name)}: a Dataset of outcomes means something else "
                "by that name"
            )
    return names


def check_outcome_column(named: Mapping[str, str | None]) -> list[str]:
    """Raise DataError if the outcome is the column of another argument; return the
    columns of the others.

    Examples
    --------
    >>> check_outcome_column({"outcome": "y", "arm": "dose", "unit": None})
    ['dose']
    >>> check_outcome_column({"outcome": "seq", "arm": "dose", "unit": "seq"})
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: outcome='seq' is the column of unit=
    """
    others = {
        name: column
        for name, column in named.items()
        if name != "outcome" and column is not None
    }
    for name, column in others.items():
        if column == named["outcome"]:
            raise DataError(
                f"outcome={quoted(column)} is the column of {name}=",
                argument="outcome",
            )
    return list(others.values())


def _as_table(
    frame: Any, named: Mapping[str, str | None], covariates: Sequence[str]
) -> pd.DataFrame:
    table = as_pandas(frame)
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"from_frame takes a table, not {type_in_words(frame)}")
    levels = [name for name in table.index.names if name is not None]
    if levels and not set(levels) & set(table.columns):
        table = table.reset_index()
    if table.empty:
        raise DataError("from_frame: the table has no rows")
    columns = [
        (name, column)
        for name, column in named.items()
        if column is not None or name in ("outcome", "arm")
    ]
    for name, column in [*columns, *(("covariates", column) for column in covariates)]:
        if not isinstance(column, str):
            raise DataError(
                f"{name}= takes the name of a column as text, not "
                f"{type_in_words(column)}"
            )
        if column not in table.columns:
            raise DataError(
                f"no column {quoted(column)}; the columns are "
                f"{first_of(map(quoted, table.columns), NAMES_LISTED)}"
                + separator_cure([*table.columns, table.index.name])
            )
        if (table.columns == column).sum() > 1:
            raise DataError(f"column {quoted(column)} appears twice")
    return table


def _axis(table: pd.DataFrame, dim: str, column: str, *, text: bool = False) -> _Axis:
    """Encode a column by order of first appearance; raise DataError for a gap."""
    absent = table[column].isna().to_numpy()
    if absent.any():
        raise DataError(
            f"row {_first_bad_row(table, absent)}: column {quoted(column)} has no value"
        )
    codes, uniques = factorized(table, column)
    names = uniques.tolist()
    if text or not all(isinstance(name, int) for name in names):
        names = [
            str(int(name))
            if isinstance(name, float) and name.is_integer()
            else str(name)
            for name in names
        ]
        _check_distinct_labels(names, column)
        odd = next((x for x in names if not x.strip() or not x.isprintable()), None)
        if odd is not None and text:
            raise DataError(
                f"column {quoted(column)} has {quoted(odd)}, which cannot be printed"
            )
    return _Axis(dim, np.asarray(codes, dtype=np.intp), names)


def factorized(table: pd.DataFrame, column: str) -> tuple[Any, Any]:
    """Return the codes of a column's values and the values, as `pandas.factorize` does.

    Raises
    ------
    DataError
        If a cell holds a list or a table, or text with half a surrogate pair.

    Examples
    --------
    >>> factorized(pd.DataFrame({"arm": ["a", ["b"]]}), "arm")
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: row 1: column 'arm' holds ['b']; a cell holds one number or one text ...
    """
    try:
        codes, uniques = pd.factorize(table[column])
        for value in (
            ()
            if isinstance(uniques.dtype, np.dtype) and uniques.dtype != object
            else uniques
        ):
            # half a surrogate pair, or more digits than Python writes, would fail later
            str(value).encode()
    except (TypeError, ValueError) as error:
        for row, value in zip(table.index, table[column], strict=True):
            if not isinstance(value, Hashable) or not _has_text(value):
                raise DataError(
                    f"row {row}: column {quoted(column)} holds {quoted(value)}; a cell "
                    "holds one number or one text that can be printed"
                ) from error
        raise DataError(
            f"column {quoted(column)} holds values that are not names ({error})"
        ) from error
    return codes, uniques


def _has_text(value: object) -> bool:
    try:
        str(value).encode()
    except ValueError:
        return False
    return True


def _check_distinct_labels(names: list[str], column: str) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"column {quoted(column)} has {count} values that are all {quoted(name)} "
            "as text"
        )


def _first_bad_row(table: pd.DataFrame, bad: npt.NDArray[np.bool_]) -> str:
    return str(table.index[np.flatnonzero(bad)[0]])


def _as_finite_column(
    table: pd.DataFrame,
    column: str,
    axes: Sequence[_Axis],
    *,
    gaps: bool = False,
) -> npt.NDArray[np.floating]:
    """Return a column as finite floats, NaN where there may be `gaps`; float16 and
    float32 are kept.
    """
    # extension dtypes of pandas and Arrow name their numpy dtype
    dtype: Any = table[column].dtype
    kind = (
        dtype
        if isinstance(dtype, np.dtype)
        else np.dtype(getattr(dtype, "numpy_dtype", object))
    )
    if kind.kind in "cmM":
        raise DataError(
            f"column {quoted(column)} is {table[column].dtype}, not real numbers"
        )
    try:
        values = table[column].to_numpy(
            dtype=kind if kind in (np.float16, np.float32) else np.float64,
            na_value=np.nan,
        )
    except (
        TypeError,
        ValueError,
        ArithmeticError,
    ) as error:  # too large for a float, or a signaling NaN
        raise not_numeric(table, column, error) from error
    bad = np.isinf(values) if gaps else ~np.isfinite(values)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        unit, *others = ((axis.dim, axis.names[axis.codes[i]]) for axis in axes)
        where = "".join(f", {dim} '{name}'" for dim, name in others)
        raise DataError(
            f"row {_first_bad_row(table, bad)} (unit {unit[1]}{where}): "
            f"{quoted(column)} is {values[i]}"
        )
    return np.asarray(values)


def _is_parallel(units: _Axis, arms: _Axis) -> bool:
    """Return whether every unit has rows of one arm."""
    has = np.zeros((len(units.names), len(arms.names)), dtype=bool)
    has[units.codes, arms.codes] = True
    return bool((has.sum(axis=1) == 1).all() and len(units.names) > 1)


def not_numeric(
    table: pd.DataFrame,
    column: str,
    error: BaseException,
) -> DataError:
    """Return the error of a column that holds a value which is no number, with its
    row.

    Examples
    --------
    >>> table = pd.DataFrame({"y": [0.1, "low"], "name": ["a", "b"], "gc": [0.4, 0.5]})
    >>> print(not_numeric(table, "y", ValueError()))
    column 'y' is not numeric: row 1 has 'low'
    >>> print(not_numeric(table, "name", ValueError()))
    column 'name' is not numeric: row 0 has 'a'
    """
    bad = [
        (row, value)
        for row, value in zip(table.index, table[column], strict=True)
        if not (
            converts_to_float(value)
            or value is None
            or value is pd.NA
            or value is pd.NaT
        )
    ]
    where = f": row {bad[0][0]} has {quoted(bad[0][1])}" if bad else f" ({error})"
    return DataError(f"column {quoted(column)} is not numeric{where}")


def _check_arms_measured(
    measured: npt.NDArray[np.bool_], arms: _Axis, tasks: _Axis
) -> None:
    """Raise DataError for an arm without any outcome in a task; `measured` is of the
    rows of the table.
    """
    lacking = np.ones((len(arms.names), len(tasks.names)), dtype=bool)
    lacking[arms.codes[measured], tasks.codes[measured]] = False
    nowhere = np.argwhere(lacking)
    if len(nowhere):
        arm, task = arms.names[nowhere[0, 0]], tasks.names[nowhere[0, 1]]
        raise DataError(
            f"arm {quoted(arm)} has no outcome in any unit of task {quoted(task)}"
        )


def _few_units(outcomes: xr.Dataset, parallel: bool) -> bool:
    """Return whether 30 or more rows (treatments by tasks) have at most 10 df each."""
    if "block" in outcomes.coords or "model" in outcomes.dims:
        return False
    of = outcomes["parent"] if "parent" in outcomes.coords else outcomes["unit"]
    table = pd.DataFrame({"of": of.to_numpy()})
    if parallel:
        table["arm"] = outcomes["assigned"].to_numpy()
        n = table.groupby("arm")["of"].nunique()
        df = int(n.nlargest(2).sum()) - 2
    else:
        df = table["of"].nunique() - 1
    rows = (outcomes.sizes["arm"] - 1) * outcomes.sizes["task"]
    return rows >= _LEAST_OFFERED and df <= _MOST_DF_OFFERED


def _gaps_note(missing: npt.NDArray[np.bool_], n_empty: int, outcome: str) -> str:
    """Return a note on the missing cells of a table: how many, and how many of them
    have a row without a value.
    """
    n, n_whole = (
        int(missing.sum()),
        int((~missing.reshape(len(missing), -1)).all(axis=1).sum()),
    )
    cells = f"{n:,} of {missing.size:,} cells {'is' if n == 1 else 'are'} missing"
    empty = (
        f", {n_empty:,} of them with a row in which {quoted(outcome)} has no value"
        if n_empty
        else ""
    )
    units = f"{n_whole:,} of {len(missing):,} units have every cell"
    return f"{cells}{empty}; {units}; cells are assumed to be missing at random"


def _as_cube(
    y: npt.NDArray[np.floating], axes: Sequence[_Axis], *, gaps: bool = False
) -> npt.NDArray[np.floating]:
    shape = tuple(len(axis.names) for axis in axes)
    flat = np.ravel_multi_index(tuple(axis.codes for axis in axes), shape)
    counts = np.bincount(flat, minlength=int(np.prod(shape)))
    for wrong, times in ((counts > 1, "more than once"), (counts == 0, "nowhere")):
        if wrong.any() and not (gaps and times == "nowhere"):
            where = np.unravel_index(np.flatnonzero(wrong)[0], shape)
            at = ", ".join(
                f"{axis.dim} '{axis.names[i]}'"
                for axis, i in zip(axes, where, strict=True)
            )
            raise DataError(f"{at} is measured {times}")
    cube = np.full(len(counts), np.nan, dtype=y.dtype)
    cube[flat] = y
    return cube.reshape(shape)


def _constant_within_unit(
    values: Labels, column: str, units: _Axis, first: Codes
) -> Labels:
    """Return one value for each unit; raise DataError where a unit has two."""
    absent = pd.isna(values)
    if absent.any():
        raise DataError(
            f"unit {units.names[units.codes[np.argmax(absent)]]}: {quoted(column)} has "
            "no value"
        )
    one = values[first]
    differs = np.asarray(values != one[units.codes])
    if differs.any():
        i = int(np.flatnonzero(differs)[0])
        name = units.names[units.codes[i]]
        raise DataError(
            f"unit {name}: {quoted(column)} is {one[units.codes[i]]} in one row and "
            f"{values[i]} in another"
        )
    if one.dtype != object:
        return one
    _check_distinct_labels([str(name) for name in pd.unique(one)], column)
    # numpy's astype takes a pair for two values
    return np.array([str(name) for name in one])
