"""What estimates keep of the own arms of a contrast where units do not have every arm."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import scipy
import xarray as xr

from causalgia.effects.two_values import AT_FIRST, COUNTS, WEIGHT, count_two_values
from causalgia.estimation.request import Request
from causalgia.numerics.moments import centered, root_sum_squares
from causalgia.types import Array, Codes, Mask

OF_OWN_ARMS = (WEIGHT, COUNTS, "n_smallest_arm", "se_pooled", "df_pooled")
"""Variables of estimates that the rule of verdicts reads, beside effect and error."""
OF_EACH_ARM = ("arm_sd", "arm_units")
"""Those of independent arms, which moderated variances need."""
_ROWS = 4096


def has_lone_arm(effects: xr.Dataset, request: Request) -> bool:
    """Return whether an arm of a parallel trial has fewer than two independent units,
    and the trial can be read as a table with gaps.
    """
    if adjusted(effects, request) or "model" in effects["outcome"].dims:
        return False
    groups = None if request.groups is None else request.groups.codes
    used = (effects["weight"].to_numpy() != 0).any(axis=0)
    return bool((_independent(_assigned(effects), groups)[used] < 2).any())


def adjusted(effects: xr.Dataset, request: Request) -> tuple[str, Any] | None:
    """Return the first setting, with its value, by which more is asked of a parallel
    trial than the arms' means over its units; None without any.
    """
    block = request.block or ("block" if "block" in effects.coords else None)
    settings = (
        ("target", request.target, "population"),
        ("weights", request.weights, "units"),
        ("covariates", request.covariates, ()),
        ("block", block, None),
    )
    return next(((name, x) for name, x, plain in settings if x != plain), None)


def as_table_with_gaps(effects: xr.Dataset) -> xr.Dataset:
    """Return a parallel trial with a dim arm, and a gap for every arm that a unit
    lacks.
    """
    has = xr.DataArray(_assigned(effects), dims=("unit", "arm"))
    wide = {
        name: effects[name].where(has).transpose("unit", "arm", ...)
        for name in ("outcome", "rounding")
        if name in effects
    }
    return effects.drop_vars("assigned").assign(wide)


def _assigned(effects: xr.Dataset) -> Mask:
    """Return whether each unit of a parallel trial has each arm, ``(n, A)``."""
    assigned = effects["assigned"].to_numpy().astype(str)
    return np.asarray(assigned[:, None] == effects["arm"].to_numpy().astype(str))


def counts_of_arms(effects: xr.Dataset, sums_of_arms: Mask | None) -> xr.Dataset:
    """Return the counts of two values of effects that hold the outcomes of units: a
    parallel trial, or a table with gaps.

    Parameters
    ----------
    effects
        From `contrast`.
    sums_of_arms
        Which effects are weighted sums of the arms' means, shape ``(K, ...)``; the
        others have no counts. None: all are.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {
    ...         "outcome": (("unit", "task"), [[0.0], [1.0], [0.0], [0.0], [0.0]]),
    ...         "weight": (("contrast", "arm"), [[-1.0, 1.0]]),
    ...     },
    ...     {"arm": ["c", "w"], "assigned": ("unit", ["c", "w", "w", "c", "c"])},
    ... )
    >>> found = counts_of_arms(effects, None)
    >>> found["two_valued_counts"].values[0, 0, 0, 0], found.two_valued_weight.values
    (array([0, 0, 0, 3]), array([[[-1.,  1.]]]))
    """
    if sums_of_arms is not None and not sums_of_arms.any():
        return xr.Dataset()
    y, parallel = effects["outcome"], "arm" not in effects["outcome"].dims
    dims: tuple[Hashable, ...] = (
        "contrast",
        *(dim for dim in y.dims if dim not in ("unit", "arm")),
    )
    values = y.to_numpy() if parallel else y.transpose("unit", "arm", ...).to_numpy()
    values = values.astype(np.float64)
    has = _assigned(effects) if parallel else np.isfinite(values)
    there = has.reshape(*has.shape, *[1] * (values.ndim - 1)) if parallel else has

    def table(rows: slice | Codes) -> Array:
        if not parallel:
            return values[rows]
        return np.where(there[rows], values[rows][:, None], np.nan)

    def blocks() -> Iterator[Array]:
        for start in range(0, len(values), _ROWS):
            yield table(slice(start, start + _ROWS))

    # the first units that have each arm
    first = np.unique(np.argsort(~has, axis=0, kind="stable")[:AT_FIRST].ravel())
    W = scipy.sparse.csr_array(effects["weight"].to_numpy().astype(np.float64))
    two = count_two_values(table(first), blocks, W)
    if two is None:
        return xr.Dataset()
    if sums_of_arms is not None:
        two.weight[~sums_of_arms] = 0.0
    return xr.Dataset(two.columns(dims))


def spread_of_arms(values: Array) -> tuple[Array, Codes]:
    """Return standard deviation and number of units of each arm of outcomes with gaps,
    ``(n, A, T)``; 0 of fewer than two.

    Examples
    --------
    >>> spread_of_arms(np.array([[[1.0], [np.nan]], [[3.0], [2.0]]]))
    (array([[1.41421356],
           [0.        ]]), array([[2],
           [1]]))
    """
    n = np.isfinite(values).sum(axis=0)
    sd = np.zeros(n.shape)
    for a, t in np.argwhere(n > 1):
        own = values[np.isfinite(values[:, a, t]), a, t]
        sd[a, t] = root_sum_squares(centered(own)[1])[0] / np.sqrt(len(own) - 1.0)
    return sd, n


def _independent(there: Mask, groups: Codes | None) -> Array:
    """Return the number of independent units that have each arm, ``(A, ...)``."""
    if groups is None:
        return np.asarray(there.sum(axis=0))
    shared = np.zeros((int(groups.max()) + 1, *there.shape[1:]), dtype=bool)
    np.logical_or.at(shared, groups, there)
    return np.asarray(shared.sum(axis=0))
