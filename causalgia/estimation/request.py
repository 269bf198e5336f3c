"""Arguments of `estimate`, groupings of units, and tables of effects obtained elsewhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.checks import is_real
from causalgia.choices import TARGETS
from causalgia.errors import EstimateError, FewClustersWarning, OutcomesError, quoted
from causalgia.estimation.crossover import Estimate
from causalgia.types import Array, Codes

OVER_PREDICTORS = ("population x predictors", "next predictor")
FEW_CLUSTERS = 20


def check_cluster_name(cluster: object, *, of_units: bool) -> None:
    """Raise EstimateError unless `cluster` names how units are grouped; estimates have no units left to group.

    Examples
    --------
    >>> check_cluster_name("parent", of_units=False)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: cluster='parent' groups units, and these are estimates; give it to cg.estimate
    """
    if not isinstance(cluster, str):
        raise EstimateError(f"cluster={quoted(cluster)} is not 'auto', 'none' or a coordinate of the units")
    if not of_units and cluster not in ("auto", "none"):
        raise EstimateError(f"cluster={quoted(cluster)} groups units, and these are estimates; give it to cg.estimate")


@dataclass(frozen=True)
class Request:
    """Validated arguments of one call of `estimate`."""

    cluster: str
    block: str | None
    covariates: tuple[str, ...]
    target: str
    weights: str
    moderate: bool | None = None

    def __post_init__(self) -> None:
        check_cluster_name(self.cluster, of_units=True)
        if self.target not in TARGETS:
            raise EstimateError(f"target {quoted(self.target)} is none of {', '.join(map(quoted, TARGETS))}")
        if self.weights not in ("units", "clusters"):
            raise EstimateError(f"weights {quoted(self.weights)} is neither 'units' (each counts once) nor 'clusters'")
        if self.moderate not in (None, True, False):
            raise EstimateError(
                f"moderate={quoted(self.moderate)} is neither True nor False (nor None, as the target has it)"
            )
        if self.moderate is not None and self.target not in OVER_PREDICTORS:
            raise EstimateError(
                f"moderate={self.moderate} is of the variance between predictors, which target={quoted(self.target)} "
                "lacks; leave moderate= out, or use target='next predictor'"
            )

    @property
    def is_crossed(self) -> bool:
        """Whether the target has a second population beside that of the units, so that it needs every ICE."""
        return self.target.startswith("population x") or self.target == "next predictor"


@dataclass(frozen=True)
class Grouping:
    """Units sorted into groups.

    Attributes
    ----------
    name
        The coordinate that the groups come from.
    codes
        Group of each unit, 0 to G - 1, shape ``(n,)``.
    labels
        Name of each group, shape ``(G,)``.
    """

    name: str
    codes: Codes
    labels: tuple[str, ...]

    @property
    def sizes(self) -> Codes:
        """Units in each group, shape ``(G,)``."""
        return np.bincount(self.codes, minlength=len(self.labels))


@dataclass(frozen=True)
class Answer:
    """An `Estimate` with further columns, for K contrasts and a trailing shape of tasks (and models).

    Attributes
    ----------
    estimate
        Shape ``(K, ...)``.
    skewness
        Skewness of the independent contributions to the estimate, shape ``(K, ...)``.
    reach
        Bound on |ICE| over the units, shape ``(K, ...)``.
    n_units, n_clusters
        Shape ``(K,)``.
    method, cluster
        The estimator in words, and the coordinate that names the independent clusters.
    by_definition
        Whether a standard error of 0 follows from the target, not from a lack of spread.
    """

    estimate: Estimate
    skewness: Array
    reach: Array
    n_units: Codes
    n_clusters: Codes
    method: str
    cluster: str
    by_definition: bool = False


def grouping(effects: xr.Dataset, name: str, argument: str) -> Grouping:
    """Return the units grouped by a coordinate; `argument` is how error messages name the request.

    Examples
    --------
    >>> effects = xr.Dataset(coords={"unit": [0, 1, 2], "parent": ("unit", ["a", "b", "a"])})
    >>> grouping(effects, "parent", "cluster='parent'").codes
    array([0, 1, 0])
    """
    on_unit = [str(c) for c in effects.coords if effects[c].dims == ("unit",)]
    if not isinstance(name, str) or name not in on_unit:
        raise EstimateError(
            f"{argument}: no coordinate {quoted(name)} on the units; there are {', '.join(on_unit) or 'none'}"
        )
    codes, labels = pd.factorize(effects[name].to_numpy())
    if (codes < 0).any():
        raise EstimateError(f"unit {unit_name(effects, int(np.argmin(codes)))} has no {quoted(name)}; fill it in")
    return Grouping(name, np.asarray(codes, dtype=np.intp), tuple(map(str, labels)))


def contrast_labels(dataset: xr.Dataset) -> npt.NDArray[Any]:
    """Return the names of the contrasts, numbers from 0 where they have none.

    Examples
    --------
    >>> contrast_labels(xr.Dataset({"ace": ("contrast", [0.5, 1.0])}))
    array([0, 1])
    """
    return dataset["contrast"].to_numpy() if "contrast" in dataset.coords else np.arange(dataset.sizes["contrast"])


def unit_name(effects: xr.Dataset, i: int) -> str:
    """Return the name of the i-th unit."""
    return str(effects["unit"].to_numpy()[i]) if "unit" in effects.coords else str(i)


def parents_if_shared(effects: xr.Dataset) -> Grouping | None:
    """Return the units grouped by parent if any parent has more than one, else None."""
    if "parent" not in effects.coords:
        return None
    parents = grouping(effects, "parent", "cluster='auto'")
    return parents if len(parents.labels) < len(parents.codes) else None


def clusters(effects: xr.Dataset, request: Request) -> Grouping | None:
    """Return the requested clusters, or None where units are independent."""
    if request.cluster == "none":
        return None
    if request.cluster == "auto":
        return parents_if_shared(effects)
    return grouping(effects, request.cluster, f"cluster={quoted(request.cluster)}")


def check_clusters(groups: Grouping, n_clusters: int) -> None:
    """Raise EstimateError for one cluster, warn below 20."""
    check_two_clusters(groups, n_clusters)
    if n_clusters < FEW_CLUSTERS:
        warnings.warn(
            f"{n_clusters} clusters ({groups.name}): below {FEW_CLUSTERS}, intervals may cover less than their nominal "
            "level when clusters are skewed; draw from more of them",
            FewClustersWarning,
            stacklevel=caller_stacklevel(),
        )


def check_two_clusters(groups: Grouping, n_clusters: int) -> None:
    """Raise EstimateError for one cluster, from which no variance between clusters can be estimated."""
    if n_clusters < 2:
        shuffles = "target='parents' (new shuffles of this one) or " if groups.name == "parent" else ""
        raise EstimateError(
            f"all units share the one {groups.name} {quoted(groups.labels[0])}, so the variance between {groups.name}s "
            f"cannot be estimated; draw from more {groups.name}s, or claim less: {shuffles}target='units'"
        )


def caller_stacklevel() -> int:
    """Return the stack level of the first caller outside this package and xarray's pipe, for warnings."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(("causalgia.", "xarray.")):
        level, frame = level + 1, frame.f_back
    return level


def check_no_cluster(request: Request, instead: str) -> None:
    """Raise EstimateError where a cluster is named and the target does not use it."""
    if request.cluster not in ("none", "auto", "parent" if request.target == "parents" else "auto"):
        raise EstimateError(
            f"cluster={quoted(request.cluster)} does not go with target={quoted(request.target)}: {instead}; "
            "leave cluster= out"
        )


def parents_as_strata(effects: xr.Dataset) -> Grouping:
    """Return the units grouped by parent, for claims about new shuffles of these parents."""
    if "parent" not in effects.coords:
        raise EstimateError("target='parents' needs a coordinate 'parent' on the units; use target='population'")
    return grouping(effects, "parent", "target='parents'")


def as_target(effects: xr.Dataset, target: str | None) -> str:
    """Return the target; None is new elements and replicates for measured outcomes, else new units.

    Raises
    ------
    EstimateError
        If the target is for predictions and the outcomes were measured, or the reverse.
    """
    measured = effects.attrs.get("model_is") == "replicates"
    if target is None:
        return "population x replicates" if measured else "population"
    if measured and target in ("units", "parents", "population x predictors", "next predictor"):
        raise EstimateError(
            f"target={quoted(target)} is for predictions, and these outcomes were measured, with noise of barcodes and "
            "replicates: leave target= out for the mean over elements, or use cg.mpra.fit for each element's effect"
        )
    if not measured and target == "population x replicates":
        raise EstimateError(
            f"target={quoted(target)} is for measured activities, from cg.mpra.activity; leave target= out"
        )
    return target


def as_ci_prob(ci_prob: Any, *, least: float = 0.0) -> float:
    """Return the probability of an interval as a float; it must lie between `least` and 1.

    Examples
    --------
    >>> as_ci_prob(np.float32(0.5))
    0.5
    >>> as_ci_prob(95)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: ci_prob=95 is not between 0 and 1; for example ci_prob=0.95
    """
    if not is_real(ci_prob) or ci_prob <= least or not ci_prob < 1:
        raise EstimateError(f"ci_prob={quoted(ci_prob)} is not between {least:g} and 1; for example ci_prob=0.95")
    return float(ci_prob)


Labels = npt.NDArray[Any]


def labels_of(values: Any) -> list[Labels]:
    """Return the names along each axis of a Series, DataFrame or DataArray; an empty list for anything else.

    Examples
    --------
    >>> labels_of(pd.Series([1.0, 2.0], index=["a", "b"]))[0].tolist(), labels_of([1.0, 2.0])
    (['a', 'b'], [])
    """
    if isinstance(values, pd.Series | pd.DataFrame):
        return [_as_objects(axis) for axis in values.axes]
    if isinstance(values, xr.DataArray):
        return [_as_objects(values[dim].to_numpy()) for dim in values.dims if dim in values.coords]
    return []


def shared_labels(arguments: Mapping[str, Any]) -> Labels | None:
    """Return the names shared by labelled arguments, or None if none has any.

    Parameters
    ----------
    given
        Argument -> its value.

    Raises
    ------
    EstimateError
        If two of them have different names, or another order.

    Examples
    --------
    >>> shared_labels({"effect": pd.Series([1.0, 2.0], index=["a", "b"]), "se": 0.5}).tolist()
    ['a', 'b']
    """
    named = [(name, labels) for name, values in arguments.items() for labels in labels_of(values)]
    for name, labels in named[1:]:
        first, reference = named[0]
        if len(labels) == len(reference) and labels.tolist() != reference.tolist():
            k = next(i for i, (a, b) in enumerate(zip(reference, labels, strict=True)) if a != b)
            raise EstimateError(
                f"{first} and {name} name entry {k} differently, {reference[k]!s} and {labels[k]!s}; bring them into "
                "one order (se.reindex(effect.index)), or give arrays without names (.to_numpy()) if they are in one"
            )
    return named[0][1] if named else None


def contrast_names(names: Any, n: int) -> Labels:
    """Return n unique names of contrasts; None: numbers from 0.

    Raises
    ------
    EstimateError
        If there are not n, or one is missing, repeated, or not a single value.

    Examples
    --------
    >>> contrast_names(["a", "b"], 2)
    array(['a', 'b'], dtype='<U1')
    """
    if names is None:
        return np.arange(n)
    items = _as_objects(names)
    if items.shape != (n,):
        raise EstimateError(f"names has shape {items.shape}, and there are {n} effects; give one name for each")
    for k, item in enumerate(items):
        if (
            not np.isscalar(item)
            and not isinstance(item, np.generic | pd.Timestamp | pd.Timedelta)
            and item is not None
        ):
            raise EstimateError(
                f"name {k}, {quoted(item)}, is not a single value; join the levels of an index: index.map(' '.join)"
            )
    missing = np.array([item is None or bool(pd.isna(item)) for item in items])
    if missing.any():
        raise EstimateError(f"name {int(np.argmax(missing))} is missing; give one name for each effect")
    labels = np.array(items.tolist())
    unique, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise EstimateError(f"the name {unique[counts > 1][0]!s} appears {counts.max()} times; make names unique")
    return labels


def aligned_covariance(matrix: xr.DataArray, rows: str, columns: str) -> xr.DataArray:
    """Return a covariance with its columns selected and ordered as its rows.

    Parameters
    ----------
    matrix
        With the dims `rows` and `columns`.
    rows, columns
        Names of the dims.

    Raises
    ------
    EstimateError
        If a row has no column, or sizes differ where there are no names.

    Examples
    --------
    >>> v = xr.DataArray([[4.0, 1.0], [1.0, 9.0]], coords={"x": ["a", "b"], "y": ["a", "b"]}, dims=("x", "y"))
    >>> aligned_covariance(v.sel(x=["b"]), "x", "y").values
    array([[9.]])
    """
    if rows not in matrix.coords or columns not in matrix.coords:
        if matrix.sizes[rows] != matrix.sizes[columns]:
            raise EstimateError(
                f"the covariance is of {matrix.sizes[rows]} by {matrix.sizes[columns]} contrasts, and no names on both "
                f"dims say which; select on both: isel({rows}=..., {columns}=...)"
            )
        return matrix
    wanted, known = matrix[rows].to_numpy().tolist(), matrix[columns].to_numpy().tolist()
    if wanted == known:
        return matrix
    place = {name: i for i, name in enumerate(known)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise EstimateError(
            f"contrast {missing[0]!s} has a row in the covariance and no column; select the same on both"
        )
    return matrix.isel({columns: [place[name] for name in wanted]})


def _as_objects(values: Any) -> Labels:
    """Return values as an array of objects in which tuples are single values."""
    if isinstance(values, str):
        return np.array(values, dtype=object)
    try:
        listed = list(values)
    except TypeError:
        return np.array(values, dtype=object)
    items = np.empty(len(listed), dtype=object)
    items[:] = listed
    return items


#: column name in broom, marginaleffects or a table of estimates -> name here
_OTHER_NAMES = {"estimate": "effect", "std_error": "se", "std.error": "se", "ace": "effect"}


def with_effect_columns(table: Any) -> Any:
    """Return a table with columns ``estimate, std_error`` renamed to ``effect, se``; anything else as it is.

    ``estimates.to_dataframe()`` has ``ace``, and its contrasts and tasks in the index.

    Raises
    ------
    EstimateError
        If a table has both names with different values. The message gives the row.

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
            _check_columns_agree(table, theirs, ours)
            table = table.drop(columns=theirs) if isinstance(table, pd.DataFrame) else table.drop_vars(theirs)
        else:
            table = (
                table.rename(columns={theirs: ours})
                if isinstance(table, pd.DataFrame)
                else table.rename({theirs: ours})
            )
    return table


def _check_columns_agree(table: Any, theirs: str, ours: str) -> None:
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


def split_by_task(table: Any) -> dict[Any, Any] | None:
    """Return the table of each task, or None if there are no tasks.

    Parameters
    ----------
    table
        A DataFrame with a column ``task``, or a Dataset with ``effect`` on a dim of its own and ``task``.

    Raises
    ------
    OutcomesError
        If a task has no name, or the table has no rows.

    Examples
    --------
    >>> table = pd.DataFrame({"task": ["x", "y"], "effect": [1.0, 2.0]}, index=["a", "a"])
    >>> {task: one["effect"].tolist() for task, one in split_by_task(table).items()}
    {'x': [1.0], 'y': [2.0]}
    """
    if isinstance(table, pd.DataFrame):
        return _split_frame(table) if list(table.columns).count("task") == 1 else None
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
class GivenEffects:
    """Validated effects from elsewhere, of K contrasts in one task, or in T tasks on a last axis."""

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


def stack_tasks(tasks: Mapping[Any, GivenEffects]) -> GivenEffects:
    """Stack effects of the same contrasts in several tasks, in the order of the first.

    Raises
    ------
    EstimateError
        If a contrast lacks a task, or some tasks are normal and others are not.
    """
    first = next(iter(tasks.values()))
    wanted, ordered = first.labels.tolist(), []
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
        ordered.append(_reordered(one, [place[name] for name in wanted]))
    matrices = [one.covariance for one in ordered if one.covariance is not None]
    return GivenEffects(
        first.labels,
        np.stack([one.effect for one in ordered], axis=-1),
        np.stack([one.se for one in ordered], axis=-1),
        np.stack([one.df for one in ordered], axis=-1),
        np.stack(matrices, axis=-1) if matrices else None,
        {name: _stack_columns([one.beside[name] for one in ordered]) for name in first.beside},
    )


def _reordered(one: GivenEffects, rows: list[int]) -> GivenEffects:
    if rows == list(range(len(rows))):
        return one
    matrix = None if one.covariance is None else one.covariance[np.ix_(rows, rows)]
    beside = {name: column[rows] for name, column in one.beside.items()}
    return GivenEffects(one.labels[rows], one.effect[rows], one.se[rows], one.df[rows], matrix, beside)


def _stack_columns(columns: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return a column as (K, T), or (K,) if it is the same in all tasks."""
    first = xr.Variable("contrast", columns[0])
    same = all(first.equals(xr.Variable("contrast", x)) for x in columns[1:])  # type: ignore[no-untyped-call]
    return columns[0] if same else np.stack(columns, axis=-1)


def _split_frame(table: pd.DataFrame) -> dict[Any, Any]:
    missing = table["task"].isna().to_numpy()
    if missing.any() or table.empty:
        where = f"row {int(np.argmax(missing))} has no task" if missing.any() else "the table has no rows"
        raise OutcomesError(f"estimates: {where}; give its name in the column 'task'")
    rest, rows = table.drop(columns="task"), table.reset_index(drop=True).groupby("task", sort=False).indices
    return {task: rest.iloc[rows[task]] for task in table["task"].unique()}
