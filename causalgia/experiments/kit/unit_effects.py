"""Quantiles of the individual effects of sites or sequences."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.types import Array

PROBS = (0.05, 0.25, 0.5, 0.75, 0.95)


def means_by(values: Array, of: Array) -> Array:
    """Return the mean of the values, (unit, ...), of each label, in the order of first
    appearance.

    Examples
    --------
    >>> means_by(np.array([1.0, 3.0, 5.0]), np.array(["b", "b", "a"])).tolist()
    [2.0, 5.0]
    """
    _, first, code, n = np.unique(
        of, return_index=True, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(n), *values.shape[1:]))
    np.add.at(sums, code, values)
    means: Array = sums / n.reshape(-1, *[1] * (values.ndim - 1))
    return means[np.argsort(first)]


def quantiles_of(effects: xr.DataArray, decisions: xr.Dataset) -> xr.Dataset:
    """Return ``quantiles (prob, ...)`` of effects over their first dim; over the mean of
    predictors where that is what is decided.

    Examples
    --------
    >>> effects = xr.DataArray(np.arange(101.0), dims="site")
    >>> quantiles_of(effects, xr.Dataset({"ace": 50.0}))["quantiles"].to_numpy()
    array([ 5., 25., 50., 75., 95.])
    """
    if "model" in effects.dims and "model" not in decisions["ace"].dims:
        effects = effects.mean("model")
    unit, *others = effects.dims
    return xr.Dataset(
        {"quantiles": (("prob", *others), np.quantile(effects, PROBS, axis=0))},
        {"prob": list(PROBS)}
        | {str(name): of for name, of in effects.coords.items() if unit not in of.dims},
    )
