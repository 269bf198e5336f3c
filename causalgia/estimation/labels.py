"""Names that arrays of anybody's bring along, in an index or a coordinate, and whether they name the same contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError, quoted

Labels = npt.NDArray[Any]


def labels_of(values: Any) -> list[Labels]:
    """Return the names along each axis of a Series, DataFrame or DataArray that has them; of anything else none.

    Examples
    --------
    >>> labels_of(pd.Series([1.0, 2.0], index=["a", "b"]))[0].tolist(), labels_of([1.0, 2.0])
    (['a', 'b'], [])
    """
    if isinstance(values, pd.Series | pd.DataFrame):
        return [_items(axis) for axis in values.axes]
    if isinstance(values, xr.DataArray):
        return [_items(values[dim].to_numpy()) for dim in values.dims if dim in values.coords]
    return []


def shared_labels(given: Mapping[str, Any]) -> Labels | None:
    """Return the names that labelled arguments share, or None where none has any.

    Parameters
    ----------
    given
        Argument -> its value.

    Raises
    ------
    EstimateError
        If two of them name their entries differently, or in another order.

    Examples
    --------
    >>> shared_labels({"effect": pd.Series([1.0, 2.0], index=["a", "b"]), "se": 0.5}).tolist()
    ['a', 'b']
    """
    named = [(name, labels) for name, values in given.items() for labels in labels_of(values)]
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
    """Return n unique names of contrasts; None counts from 0.

    Raises
    ------
    EstimateError
        If there are not n, one is missing, repeated, or no single value.

    Examples
    --------
    >>> contrast_names(["a", "b"], 2)
    array(['a', 'b'], dtype='<U1')
    """
    if names is None:
        return np.arange(n)
    items = _items(names)
    if items.shape != (n,):
        raise EstimateError(f"names has shape {items.shape}, and there are {n} effects; give one name for each")
    for k, item in enumerate(items):
        if (
            not np.isscalar(item)
            and not isinstance(item, np.generic | pd.Timestamp | pd.Timedelta)
            and item is not None
        ):
            raise EstimateError(
                f"name {k}, {quoted(item)}, is no single value; join the levels of an index: index.map(' '.join)"
            )
    missing = np.array([item is None or bool(pd.isna(item)) for item in items])
    if missing.any():
        raise EstimateError(f"name {int(np.argmax(missing))} is missing; give one name for each effect")
    labels = np.array(items.tolist())
    unique, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise EstimateError(f"the name {unique[counts > 1][0]!s} appears {counts.max()} times; make names unique")
    return labels


def square(matrix: xr.DataArray, rows: str, columns: str) -> xr.DataArray:
    """Return a covariance with its columns in the order of its rows, whichever rows were selected.

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
    >>> square(v.sel(x=["b"]), "x", "y").values
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
    lost = [name for name in wanted if name not in place]
    if lost:
        raise EstimateError(f"contrast {lost[0]!s} has a row in the covariance and no column; select the same on both")
    return matrix.isel({columns: [place[name] for name in wanted]})


def _items(values: Any) -> Labels:
    """Return values one by one as objects, tuples whole."""
    if isinstance(values, str):
        return np.array(values, dtype=object)
    try:
        listed = list(values)
    except TypeError:
        return np.array(values, dtype=object)
    items = np.empty(len(listed), dtype=object)
    items[:] = listed
    return items
