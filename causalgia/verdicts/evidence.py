"""Evidence about each effect: its interval, its p-values against its region, and what
decisions carry of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import EffectTable, of_effects
from causalgia.effects.two_values import WEIGHT
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.effect_intervals import (
    effect_limits,
    independent_draws,
    one_sided_p,
    two_sided_p,
)
from causalgia.estimation.ratios import open_ends
from causalgia.estimation.request import null_value
from causalgia.multiplicity.placebo import rank_errors
from causalgia.multiplicity.regions import Region, rope_region
from causalgia.ropes import Rope
from causalgia.types import Array
from causalgia.verdicts.verdict_rule import Rows, with_largest

_CARRIED = (
    *("se", "n_units", "n_clusters", "control_sd", "exact", "weight", "unbounded"),
    *("df", "skewness", "leverage", "floor", "below_floor", "largest_ice"),
    *("n_smallest_arm", WEIGHT, "measured", "mean_variance"),
    # read by the rule where a table of decisions is decided anew
    *("se_pooled", "df_pooled", "se_welch", "df_welch", "variance_share"),
)
_OF_DECISIONS = ("shrunken", "shrunken_lower", "shrunken_upper", "lfsr")
"""Columns that decisions write themselves, so that none of that name is carried
over.
"""
_BEYOND_ANY_TRIAL = 1e15


@dataclass(frozen=True)
class Evidence:
    """Effects, their intervals and p-values, and their regions.

    Attributes
    ----------
    effects
        ``ace`` on (contrast, task[, model]) with the coordinates, columns and attrs
        that decisions carry on.
    region
        Region of practical equivalence.
    rows
        What the rule of verdicts reads.
    p
        Two-sided p of no effect, of the shape of ``ace``.
    """

    effects: xr.Dataset
    region: Region
    rows: Rows
    p: Array


def from_estimates(
    estimates: xr.Dataset,
    rope: Rope,
    *,
    ci_prob: float,
    largest: float | tuple[tuple[str, float], ...] | None = None,
) -> Evidence:
    """Return the evidence of estimates: the interval of each effect, and its p-values
    against the ends of its region.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), [[1.0]]),
    ...         "se": (("contrast", "task"), [[0.5]]),
    ...     }
    ... )
    >>> found = from_estimates(estimates, Rope.parse((-0.1, 0.1)), ci_prob=0.95)
    >>> (
    ...     found.rows.p_direction.round(3),
    ...     found.rows.p_negligible.round(3),
    ...     found.rows.lower.round(2),
    ... )
    (array([[0.072]]), array([[1.]]), array([[0.02]]))
    """
    null = null_value(estimates)
    found = rope_region(rope, estimates, null)
    tests = one_sided_p(estimates, found.lower, found.upper, ci_prob=ci_prob)
    lower, upper = effect_limits(estimates, ci_prob)
    low_open, high_open = open_ends(about(estimates, None).transform, lower, upper)
    nothing = low_open & high_open
    up = tests.above <= tests.below
    p_direction = 2 * np.where(up, tests.above, tests.below)
    needed = np.where(up, tests.above + tests.not_below, tests.below + tests.not_above)
    if found.by_rank:
        by_rank = np.where(up, *rank_errors(estimates))
        p_direction, needed = (np.maximum(x, by_rank) for x in (p_direction, needed))
    low, high = (
        np.broadcast_to(end, lower.shape) for end in (found.lower, found.upper)
    )
    p_direction, p_negligible, needed, inside = (
        np.where(nothing, 1.0, np.minimum(p, 1.0))
        for p in (p_direction, 2 * tests.inside, needed, tests.inside)
    )
    rows = Rows(
        lower=lower,
        upper=upper,
        p_direction=p_direction,
        p_negligible=p_negligible,
        needed_direction=needed,
        needed_negligible=inside,
        region_lower=low,
        region_upper=high,
        counted=~nothing,
        by_rank=found.by_rank,
    )
    if largest is not None:
        bound = _largest_of_rows(largest, estimates)
        rows = with_largest(rows, independent_draws(estimates), bound)
    p = np.where(nothing, 1.0, two_sided_p(estimates, null, ci_prob))
    carried = carry_effects(estimates)
    if (low_open | high_open).any():
        opened = carried["ace"].dims, low_open | high_open
        carried = carried.assign(unbounded=opened)
    return Evidence(carried, found, rows, p)


def _largest_of_rows(
    largest: float | tuple[tuple[str, float], ...], estimates: xr.Dataset
) -> Array:
    """Return the bound on individual effects of each row, which is stated once or by
    task.

    Raises
    ------
    EstimateError
        If a task has none, or a larger effect was seen.
    """
    ace = estimates["ace"]
    bound = np.full(ace.shape, largest if isinstance(largest, float) else np.nan)
    if isinstance(largest, tuple):
        stated = dict(largest)
        tasks = estimates["task"].to_numpy().astype(str)
        for t, task in enumerate(tasks):
            if task not in stated:
                raise EstimateError(
                    f"largest={quoted(stated)} states no size for the task "
                    f"{quoted(task)}",
                    argument="largest",
                )
            bound[:, t] = stated[task]
    seen = np.abs(of_effects(estimates, "ace"))
    if "largest_ice" in estimates:
        seen = np.maximum(seen, of_effects(estimates, "largest_ice"))
    if (beyond := seen > bound * (1 + 1e-9)).any():
        at = tuple(np.argwhere(beyond)[np.argmax(seen[beyond])])
        names = [
            str(ace[dim].to_numpy()[i]) if dim in ace.coords else str(i)
            for dim, i in zip(ace.dims, at, strict=True)
        ]
        raise EstimateError(
            f"largest={bound[at]:.4g} is less than an individual effect that was seen: "
            f"{seen[at]:.4g} ({', '.join(names)})",
            argument="largest",
        )
    return bound


def carry_effects(source: xr.Dataset) -> xr.Dataset:
    """Return the effects with the coordinates, columns and attrs of `source` that
    decisions keep.
    """
    names = [name for name in ("ace", *_CARRIED) if name in source.data_vars]
    of = source.variables
    columns = {name: xr.Variable(of[name].dims, of[name].data) for name in names}
    dims = {"arm"}.union(*(column.dims for column in columns.values()))
    left = [
        name
        for name, coord in source.coords.items()
        if name in _OF_DECISIONS or not set(coord.dims) <= dims
    ]
    marks = [n for n in ("is_placebo", "of_question") if n in source.data_vars]
    coords = source.set_coords(marks).drop_vars(left).coords
    stale = {"family", "rope", "rope_kind", "band"}
    attrs = {k: v for k, v in source.attrs.items() if k not in stale}
    return EffectTable(columns, coords, attrs)


def more_units(
    distance: Array, se: Array, n_units: npt.NDArray[np.int64], z: Array | float
) -> npt.NDArray[np.int64]:
    """Return the number of further units at which an effect would be decided with even
    odds, if its estimate is true.

    A verdict needs the effect `z` standard errors from the nearest end of its region,
    and the standard error falls with the root of the number of units.

    Parameters
    ----------
    distance
        From the effect to the nearest end of its region, shape ``(K,)``.
    se
        Standard error, shape ``(K,)``.
    n_units
        Units of this trial, shape ``(K,)``; 0 where they are not known.
    z
        Distance in standard errors that the verdict needs.

    Returns
    -------
    array
        At least 1; -1 where it is unknown: units are not known, nothing varies, or the
        effect is on an end.

    Examples
    --------
    >>> more_units(
    ...     np.array([1.0, 0.0]), np.array([1.0, 1.0]), np.array([100, 100]), z=2.0
    ... )
    array([300,  -1])
    """
    known = (
        (n_units > 0)
        & (se > 0)
        & (distance > 0)
        & np.isfinite(se)
        & np.isfinite(distance)
    )
    with np.errstate(over="ignore"):
        needed = (
            n_units
            * (z * np.where(known, se, 1.0) / np.where(known, distance, 1.0)) ** 2
        )
    known &= needed < _BEYOND_ANY_TRIAL
    more = np.maximum(np.ceil(np.where(known, needed - n_units, 0.0)), 1.0)
    return np.where(known, more, -1).astype(np.int64)
