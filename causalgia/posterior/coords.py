"""Names of what is inferred, made in one place: contrasts, tasks, groups, covariates, and the table they come from."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.errors import InferenceError, quoted
from causalgia.estimation.given import as_estimates
from causalgia.posterior.exact import Array

Rows = npt.NDArray[np.intp]
_OF_RESULT = ("chain", "draw", "group", "covariate", "family")


def at_the_door(table: Any, names: Sequence[str]) -> xr.Dataset:
    """Take estimates, or a table with effect and se (or covariance), with the named columns as coordinates.

    Parameters
    ----------
    table
        As in `causalgia.estimation.as_estimates`.
    names
        Coordinates on contrast that will be asked for: columns of the table.

    Examples
    --------
    >>> table = pd.DataFrame({"effect": [1.0, 2.0], "se": [0.5, 0.5], "word": ["a", "b"]})
    >>> at_the_door(table, ["word"])["word"].values
    array(['a', 'b'], dtype='<U1')
    """
    estimates = as_estimates(table)
    source = table if isinstance(table, pd.DataFrame | xr.Dataset) else estimates
    for name in names:
        if name in source and name not in estimates.variables:
            column = np.asarray(source[name])
            if column.shape == (estimates.sizes["contrast"],):
                column = column.astype(str) if column.dtype == object else column
                estimates = estimates.assign_coords({name: ("contrast", column)})
    for name in ("contrast", "task", "model"):
        if name in estimates.dims and name not in estimates.coords:
            estimates = estimates.assign_coords({name: np.arange(estimates.sizes[name])})
    return estimates


def on_contrast(estimates: xr.Dataset, name: object, what: str) -> xr.DataArray:
    """Return a coordinate on contrast by its name, or refuse naming those that there are.

    Raises
    ------
    InferenceError
        If there is none of that name, or it is not on contrast alone.
    """
    known = [str(n) for n, c in estimates.coords.items() if c.dims == ("contrast",)]
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(quoted(name), known, n=1)
        raise InferenceError(
            f"{what}={quoted(name)} is no coordinate on contrast; there are {', '.join(sorted(known))}"
            + (f": did you mean {quoted(near[0])}?" if near else "; add one with estimates.assign_coords")
        )
    return estimates[name]


def groups_of(estimates: xr.Dataset, groups: str | None) -> tuple[npt.NDArray[Any] | None, list[Rows]]:
    """Return the labels of the groups (None without) and the rows of each, in the order of their labels.

    Examples
    --------
    >>> estimates = xr.Dataset(coords={"contrast": ["x", "y", "z"], "word": ("contrast", ["b", "a", "b"])})
    >>> labels, rows = groups_of(estimates, "word")
    >>> labels.tolist(), [r.tolist() for r in rows]
    (['a', 'b'], [[1], [0, 2]])
    """
    if groups is None:
        return None, [np.arange(estimates.sizes["contrast"])]
    values = on_contrast(estimates, groups, "groups").to_numpy()
    values = values.astype(str) if values.dtype == object else values
    labels, codes = np.unique(values, return_inverse=True)
    return labels, [np.flatnonzero(codes == g) for g in range(len(labels))]


def covariates_of(
    estimates: xr.Dataset, covariates: str | Sequence[str] | None
) -> tuple[tuple[str, ...], Array | None]:
    """Return the names of the covariates and their values, (K, q); None without.

    Raises
    ------
    InferenceError
        If one is absent, not numeric or not finite; the message names the contrast.

    Examples
    --------
    >>> estimates = xr.Dataset(coords={"contrast": ["x", "y"], "position": ("contrast", [10, 20])})
    >>> covariates_of(estimates, "position")
    (('position',), array([[10.], [20.]]))
    """
    if covariates is None:
        return (), None
    names = (covariates,) if isinstance(covariates, str) else tuple(covariates)
    if not names or len(set(names)) < len(names):
        raise InferenceError(f"covariates={quoted(covariates)}: name each coordinate on contrast once, or give None")
    return names, np.column_stack([_numeric(estimates, name) for name in names])


def _numeric(estimates: xr.Dataset, name: str) -> Array:
    values = on_contrast(estimates, name, "covariates").to_numpy()
    if values.dtype.kind not in "fiub":
        raise InferenceError(
            f"covariates: {quoted(name)} holds {values.dtype} and no numbers; give numbers, or groups={quoted(name)}"
        )
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        k = int(np.argmax(~np.isfinite(numbers)))
        contrast = estimates["contrast"].to_numpy()[k]
        raise InferenceError(
            f"contrast {contrast!s}: covariate {quoted(name)} is {numbers[k]:g}; leave the contrast out"
        )
    return numbers


def coordinates(estimates: xr.Dataset, labels: npt.NDArray[Any] | None, covariates: tuple[str, ...]) -> dict[str, Any]:
    """Return every coordinate of a result: those of the estimates on contrast, task and model, groups, covariates."""
    kept = {
        str(name): c
        for name, c in estimates.coords.items()
        if c.dims and set(c.dims) <= {"contrast", "task", "model"} and name not in _OF_RESULT
    }
    kept |= {} if labels is None else {"group": labels}
    return kept | ({"covariate": list(covariates)} if covariates else {})
