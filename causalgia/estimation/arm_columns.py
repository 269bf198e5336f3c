"""What estimates keep of the own arms of a contrast, where units do not have every arm:
independent units, the pooled error, and outcomes of two values.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np
import scipy
import xarray as xr

from causalgia.effects.two_values import AT_FIRST, COUNTS, WEIGHT, count_two_values
from causalgia.estimation.pooled_error import pooled_error
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
    plain = request.target == "population" and "block" not in effects.coords
    alone = plain and not request.covariates and request.block is None
    if not alone or request.weights != "units" or "model" in effects["outcome"].dims:
        return False
    groups = None if request.groups is None else request.groups.codes
    used = (effects["weight"].to_numpy() != 0).any(axis=0)
    return bool((_independent(_assigned(effects), groups)[used] < 2).any())


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


def of_own_arms(effects: xr.Dataset, request: Request) -> xr.Dataset:
    """Return `OF_OWN_ARMS` of effects that hold the outcomes of units: a parallel
    trial, or a table with gaps.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {
    ...         "outcome": (("unit", "task"), [[0.0], [1.0], [0.0], [0.0], [0.0]]),
    ...         "weight": (("contrast", "arm"), [[-1.0, 1.0]]),
    ...     },
    ...     {"arm": ["c", "w"], "assigned": ("unit", ["c", "w", "w", "c", "c"])},
    ... )
    >>> found = of_own_arms(effects, Request("auto", None, (), "population", "units"))
    >>> found["n_smallest_arm"].values, found["se_pooled"].values.round(3)
    (array([[2]]), array([[0.373]]))
    >>> found["two_valued_counts"].values[0, 0, 0, 0], found.two_valued_weight.values
    (array([0, 0, 0, 3]), array([[[-1.,  1.]]]))
    """
    W = effects["weight"].to_numpy().astype(np.float64)
    y = effects["outcome"]
    dims: tuple[Hashable, ...] = (
        "contrast",
        *(dim for dim in y.dims if dim not in ("unit", "arm")),
    )
    groups = None if request.groups is None else request.groups.codes
    parallel = "arm" not in y.dims
    values = y.to_numpy() if parallel else y.transpose("unit", "arm", ...).to_numpy()
    values = values.astype(np.float64)
    if parallel:
        has = _assigned(effects)
        there = has.reshape(*has.shape, *[1] * (values.ndim - 1))
    else:
        has = there = np.isfinite(values)
    counts = _independent(there, groups)
    smallest = np.stack([counts[w != 0].min(axis=0) for w in W])
    shape = (len(W), *values.shape[1 if parallel else 2 :])
    columns: dict[str, tuple[tuple[Hashable, ...], Array | Codes]] = {
        "n_smallest_arm": (dims, np.broadcast_to(smallest, shape).astype(np.int64))
    }
    alone = groups is None and request.block is None and not request.covariates
    if alone and "block" not in effects.coords:
        flat = values.reshape(len(values), -1)
        errors = (
            pooled_error(flat, np.argmax(has, axis=1), W)
            if parallel
            else _pooled_of_gaps(values, W)
        )
        for name, of in zip(("se_pooled", "df_pooled"), errors, strict=True):
            columns[name] = (dims, of.reshape(shape))
        units = there.reshape(len(there), there.shape[1], -1)
        sd, n = _spread_of_arms(flat if parallel else values, units, parallel)
        wide = (len(sd), *shape[1:])
        columns["arm_sd"] = (("arm", *dims[1:]), sd.reshape(wide))
        columns["arm_units"] = (("arm", *dims[1:]), n.reshape(wide))
    if request.target == "population":

        def table(rows: slice | Codes) -> Array:
            if not parallel:
                return values[rows]
            return np.where(there[rows], values[rows][:, None], np.nan)

        def blocks() -> Iterator[Array]:
            for start in range(0, len(values), _ROWS):
                yield table(slice(start, start + _ROWS))

        # the first units that have each arm
        first = np.unique(np.argsort(~has, axis=0, kind="stable")[:AT_FIRST].ravel())
        two = count_two_values(table(first), blocks, scipy.sparse.csr_array(W))
        if two is not None:
            columns |= two.columns(dims)
    return xr.Dataset(columns)


def _pooled_of_gaps(values: Array, W: Array) -> tuple[Array, Array]:
    """Return `pooled_error` of the contrasts no unit of which has two arms, in a table
    ``(n, A, R)`` with gaps; se 0 of others.
    """
    there = np.isfinite(values)
    se, df = np.zeros((len(W), values.shape[2])), np.ones((len(W), values.shape[2]))
    for k, w in enumerate(W):
        own = np.flatnonzero(w)
        per_unit = there[:, own].sum(axis=1)
        for t in np.flatnonzero((per_unit <= 1).all(axis=0)):
            units, place = np.nonzero(there[:, own, t])
            y = values[units, own[place], t, None]
            found = pooled_error(y, place, w[None, own])
            se[k, t], df[k, t] = (x.item() for x in found)
    return se, df


def _spread_of_arms(values: Array, there: Mask, parallel: bool) -> tuple[Array, Codes]:
    """Return standard deviation and number of units of each arm, ``(A, R)``; 0 of fewer
    than two. Outcomes are ``(n, R)``, or with gaps ``(n, A, R)``.
    """
    n_arms, n_tasks = there.shape[1], values.shape[-1]
    n = np.broadcast_to(there.sum(axis=0), (n_arms, n_tasks))
    sd = np.zeros((n_arms, n_tasks))
    for a in range(n_arms):
        y = values if parallel else values[:, a]
        for t in [slice(None)] if parallel else range(n_tasks):
            mine = y[there[:, a, 0 if parallel else t], t]
            if len(mine) > 1:
                rest = centered(mine)[1]
                sd[a, t] = root_sum_squares(rest)[0] / np.sqrt(len(mine) - 1.0)
    return sd, n.astype(np.int64)


def _independent(there: Mask, groups: Codes | None) -> Array:
    """Return the number of independent units that have each arm, ``(A, ...)``."""
    if groups is None:
        return np.asarray(there.sum(axis=0))
    shared = np.zeros((int(groups.max()) + 1, *there.shape[1:]), dtype=bool)
    np.logical_or.at(shared, groups, there)
    return np.asarray(shared.sum(axis=0))
