"""Effects obtained elsewhere (names, columns, tasks and covariance), and the
correlation of estimates between tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.numerics.row_blocks import Rows, row_blocks
from causalgia.types import Array

Labels = npt.NDArray[Any]
_MOST_BYTES = 2**31
_SYMMETRIC = 1e-6


def labels_of(values: Any) -> list[Labels]:
    """Return the names along each axis of a Series, DataFrame or DataArray; an empty
    list for anything else.

    Examples
    --------
    >>> (
    ...     labels_of(pd.Series([1.0, 2.0], index=["a", "b"]))[0].tolist(),
    ...     labels_of([1.0, 2.0]),
    ... )
    (['a', 'b'], [])
    """
    if isinstance(values, pd.Series | pd.DataFrame):
        return [_as_objects(axis) for axis in values.axes]
    if isinstance(values, xr.DataArray):
        return [
            _as_objects(values[dim].to_numpy())
            for dim in values.dims
            if dim in values.coords
        ]
    return []


def shared_labels(
    arguments: Mapping[str, Any], axis: int | None = None
) -> Labels | None:
    """Return the names shared by labeled arguments, or None if none has any.

    Parameters
    ----------
    arguments
        Argument -> its value.
    axis
        The axis whose names are shared; None: those of all axes.

    Raises
    ------
    EstimateError
        If two of them have different names, or another order.

    Examples
    --------
    >>> shared_labels(
    ...     {"effect": pd.Series([1.0, 2.0], index=["a", "b"]), "se": 0.5}
    ... ).tolist()
    ['a', 'b']
    """
    named = [
        (name, labels)
        for name, values in arguments.items()
        for at, labels in enumerate(labels_of(values))
        if axis in (None, at)
    ]
    for name, labels in named[1:]:
        first, reference = named[0]
        if len(labels) == len(reference) and labels.tolist() != reference.tolist():
            k = next(
                i
                for i, (a, b) in enumerate(zip(reference, labels, strict=True))
                if a != b
            )
            raise EstimateError(
                f"{first} and {name} name entry {k} differently, {reference[k]} and "
                f"{labels[k]}"
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
        raise EstimateError(f"names has shape {items.shape}, and there are {n} effects")
    for k, item in enumerate(items):
        if (
            not np.isscalar(item)
            and not isinstance(item, np.generic | pd.Timestamp | pd.Timedelta)
            and item is not None
        ):
            raise EstimateError(f"name {k}, {quoted(item)}, is not a single value")
    missing = np.array(
        [item is None or bool(pd.isna(item)) or not str(item).strip() for item in items]
    )
    if missing.any():
        raise EstimateError(f"name {int(np.argmax(missing))} is missing")
    labels = np.array(items.tolist())
    unique, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise EstimateError(
            f"the name {unique[counts > 1][0]} appears {counts.max()} times"
        )
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
    >>> v = xr.DataArray(
    ...     [[4.0, 1.0], [1.0, 9.0]],
    ...     coords={"x": ["a", "b"], "y": ["a", "b"]},
    ...     dims=("x", "y"),
    ... )
    >>> aligned_covariance(v.sel(x=["b"]), "x", "y").values
    array([[9.]])
    """
    if rows not in matrix.coords or columns not in matrix.coords:
        if matrix.sizes[rows] != matrix.sizes[columns]:
            raise EstimateError(
                f"the covariance is of {matrix.sizes[rows]} by {matrix.sizes[columns]} "
                "contrasts, and no names on both dims say which"
            )
        return matrix
    wanted, known = (
        matrix[rows].to_numpy().tolist(),
        matrix[columns].to_numpy().tolist(),
    )
    if wanted == known:
        return matrix
    place = {name: i for i, name in enumerate(known)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise EstimateError(
            f"contrast {missing[0]} has a row in the covariance and no column"
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


@dataclass(frozen=True, eq=False)
class GivenEffects:
    """Validated effects from elsewhere, of K contrasts in one task, or in T tasks on a
    last axis.
    """

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
                f"contrast {apart[0]} has an effect in some tasks and none in others "
                f"(see task {task})"
            )
        if np.isinf(one.df).any() != np.isinf(first.df).any():
            raise EstimateError(f"task {task}: df is infinite there and not elsewhere")
        ordered.append(_reordered(one, [place[name] for name in wanted]))
    matrices = [one.covariance for one in ordered if one.covariance is not None]
    return GivenEffects(
        first.labels,
        np.stack([one.effect for one in ordered], axis=-1),
        np.stack([one.se for one in ordered], axis=-1),
        np.stack([one.df for one in ordered], axis=-1),
        np.stack(matrices, axis=-1) if matrices else None,
        {
            name: _stack_columns([one.beside[name] for one in ordered])
            for name in first.beside
        },
    )


def _reordered(one: GivenEffects, rows: list[int]) -> GivenEffects:
    if rows == list(range(len(rows))):
        return one
    matrix = None if one.covariance is None else one.covariance[np.ix_(rows, rows)]
    beside = {name: column[rows] for name, column in one.beside.items()}
    return GivenEffects(
        one.labels[rows], one.effect[rows], one.se[rows], one.df[rows], matrix, beside
    )


def _stack_columns(columns: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return a column as (K, T), or (K,) if it is the same in all tasks."""
    first = xr.Variable("contrast", columns[0])
    same = all(first.equals(xr.Variable("contrast", x)) for x in columns[1:])  # type: ignore[no-untyped-call]
    return columns[0] if same else np.stack(columns, axis=-1)


def task_columns(factor: Rows, contrasts: Any, tasks: Any) -> dict[str, xr.DataArray]:
    """Return what is known of the errors between tasks, from the rows of units or
    clusters.

    Parameters
    ----------
    factor
        ``(G, K, T)``, whose products are the covariances; a lazy one is read once.
    contrasts, tasks
        Names of the contrasts and of the tasks.

    Returns
    -------
    dict
        ``task_correlation (contrast, task, task_)``, in single precision, and
        ``shared_covariance (task, task_)``: the mean covariance of the errors of two
        contrasts, which is 0 unless contrasts share an arm.

    Raises
    ------
    EstimateError
        If the correlations take more than 2 GiB.
    """
    n, size = factor.shape[1:]
    if 4 * n * size**2 > _MOST_BYTES:
        raise EstimateError(
            f"task_correlation=True: the correlations between {size:,} tasks of {n:,} "
            f"contrasts take {4 * n * size**2 / 2**30:.1f} GiB",
            argument="task_correlation",
        )
    square, total = np.zeros((n, size, size)), np.zeros((size, size))
    for rows in row_blocks(factor):
        each = np.ascontiguousarray(np.moveaxis(rows, 1, 0), dtype=np.float64)
        square += np.matmul(each.transpose(0, 2, 1), each)
        whole = rows.sum(axis=1, dtype=np.float64)
        total += whole.T @ whole
    shared = (
        (total - square.sum(axis=0)) / (n * (n - 1))
        if n > 1
        else np.zeros((size, size))
    )
    sd = np.sqrt(np.diagonal(square, axis1=1, axis2=2))
    sd = np.where(sd > 0, sd, 1.0)
    square /= sd[:, :, None]
    square /= sd[:, None, :]
    square[:, np.arange(size), np.arange(size)] = 1.0
    coords = {"contrast": contrasts, "task": tasks, "task_": tasks}
    own = {name: coords[name] for name in ("task", "task_")}
    return {
        "task_correlation": xr.DataArray(
            square.astype(np.float32), coords, ("contrast", "task", "task_")
        ),
        "shared_covariance": xr.DataArray(shared, own, ("task", "task_")),
    }


def with_given_correlation(estimates: xr.Dataset, given: Any) -> xr.Dataset:
    """Return estimates with the correlation of their errors between tasks, given by the
    user.

    Parameters
    ----------
    estimates
        Of two or more tasks.
    given
        ``(T, T)``, the same for all contrasts, or ``(K, T, T)``.

    Raises
    ------
    EstimateError
        If it has another shape or other names, a number is not finite, or a matrix is
        no correlation.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.0, 2.0]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["A"], "task": ["liver", "lung"]}
    ... )
    >>> with_given_correlation(estimates, [[1.0, 0.3], [0.3, 1.0]])[
    ...     "task_correlation"
    ... ].dims
    ('task', 'task_')
    """
    n, size = estimates.sizes["contrast"], estimates.sizes["task"]
    tasks = estimates["task"].to_numpy().tolist()
    for names in labels_of(given)[-2:]:
        if names.tolist() != tasks:
            raise EstimateError(
                f"task_correlation names the tasks {', '.join(map(str, names[:4]))} "
                f"and the effects {', '.join(map(str, tasks[:4]))}",
                argument="task_correlation",
            )
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise EstimateError(
            f"task_correlation is {type_in_words(given)} that does not hold numbers",
            argument="task_correlation",
        ) from None
    if values.shape not in ((size, size), (n, size, size)):
        raise EstimateError(
            f"task_correlation has shape {values.shape}, and the effects have {n} "
            f"contrasts in {size} tasks; give ({size}, {size}) for all contrasts "
            f"alike, or ({n}, {size}, {size})",
            argument="task_correlation",
        )
    stack = values.reshape(-1, size, size)
    check_correlations(
        stack, estimates["contrast"].to_numpy() if values.ndim == 3 else None
    )
    dims = ("contrast", "task", "task_")[3 - values.ndim :]
    return estimates.assign(task_correlation=(dims, values)).assign_coords(
        task_=estimates["task"].to_numpy()
    )


def check_correlations(stack: Array, contrasts: Any) -> None:
    """Raise EstimateError unless every matrix, (n, T, T), is a correlation: finite,
    symmetric, of diagonal 1.
    """
    size = stack.shape[1]
    finite = np.isfinite(stack)
    stack = np.where(finite, stack, 0.0)
    unit = np.abs(np.diagonal(stack, axis1=1, axis2=2) - 1) <= _SYMMETRIC
    # one of each pair of differences is not negative
    symmetric = stack - stack.transpose(0, 2, 1) <= _SYMMETRIC
    bounded = np.abs(stack) <= 1 + _SYMMETRIC
    for holds, why in (
        (finite, "holds a number that is not finite"),
        (
            unit,
            "does not have ones on its diagonal; for a covariance V give V / "
            "np.outer(se, se)",
        ),
        (symmetric, "is not symmetric"),
        (bounded, "exceeds 1"),
    ):
        if not holds.all():
            first = int(np.argwhere(~holds)[0, 0])
            which = "" if contrasts is None else f" of contrast {contrasts[first]!s}"
            raise EstimateError(f"task_correlation={which}: the matrix {why}")
    negative = np.asarray(np.linalg.eigvalsh(stack)[:, 0] < -_SYMMETRIC * size)
    if negative.any():
        which = (
            ""
            if contrasts is None
            else f" of contrast {contrasts[int(np.argmax(negative))]!s}"
        )
        raise EstimateError(
            f"task_correlation={which}: the matrix has a negative eigenvalue, and no "
            "errors correlate like that"
        )


def task_columns_of(estimates: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return `task_columns` of estimates, kept with them or from their factor; empty
    where neither is known.

    Tasks that were selected from the estimates are selected on both dims.

    Raises
    ------
    EstimateError
        If a task is missing on one of the dims.

    Examples
    --------
    >>> task_columns_of(xr.Dataset({"ace": (("contrast", "task"), [[1.0]])}))
    {}
    """
    if "task_correlation" in estimates:
        found = {
            n: estimates[n]
            for n in ("task_correlation", "shared_covariance")
            if n in estimates
        }
        wanted = estimates["task"].to_numpy().tolist()
        place = {
            name: i for i, name in enumerate(estimates["task_"].to_numpy().tolist())
        }
        missing = [name for name in wanted if name not in place]
        if missing:
            raise EstimateError(
                f"task {missing[0]} has a row in task_correlation and no column"
            )
        return {
            name: column.isel(task_=[place[task] for task in wanted])
            for name, column in found.items()
        }
    if (
        "factor" in estimates
        and "model" not in estimates["factor"].dims
        and not is_factor_by_arm(estimates)
    ):
        factor = estimates["factor"].transpose("cluster", "contrast", "task")
        return task_columns(
            factor.data, estimates["contrast"].to_numpy(), estimates["task"].to_numpy()
        )
    return {}


def is_factor_by_arm(estimates: xr.Dataset) -> bool:
    """Return whether a row of the factor is an arm, and so says nothing of two tasks.

    Independent units of a parallel trial have a row of standard deviations for each
    arm, in each task by itself.

    Examples
    --------
    >>> is_factor_by_arm(
    ...     xr.Dataset(attrs={"assignment": "parallel", "cluster": "unit"})
    ... )
    True
    """
    known = about(estimates, None)
    return known.assignment == "parallel" and known.cluster == "unit"
