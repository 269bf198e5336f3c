"""Evidence about each effect: its interval, its p-values against its region, and what
decisions carry of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.effect_intervals import (
    effect_limits,
    independent_draws,
    one_sided_p,
    two_sided_p,
)
from causalgia.estimation.request import null_value
from causalgia.multiplicity.placebo import rank_errors
from causalgia.multiplicity.regions import Region, rope_region
from causalgia.ropes import Rope
from causalgia.types import Array, Codes
from causalgia.verdicts.verdict_rule import Rows, with_largest, with_rare

_CARRIED = (
    *("se", "n_units", "n_clusters", "control_sd", "exact", "weight", "unbounded"),
    *("df", "skewness", "leverage", "floor", "below_floor", "largest_ice"),
)
_OF_DECISIONS = ("shrunken", "shrunken_lower", "shrunken_upper", "lfsr", "p_zero")
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
    rare
        Share of the backgrounds on which an effect must not be missed, None where no
        rare effects are assumed.
    """

    effects: xr.Dataset
    region: Region
    rows: Rows
    p: Array
    rare: float | None = None


def from_estimates(
    estimates: xr.Dataset,
    rope: Rope,
    *,
    ci_prob: float,
    rare: float | None = None,
    largest: float | None = None,
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
    unbounded = np.isinf(lower) | np.isinf(upper)
    above, below = np.minimum(2 * tests.above, 1.0), np.minimum(2 * tests.below, 1.0)
    if found.by_rank:
        above, below = (
            np.maximum(p, q)
            for p, q in zip((above, below), rank_errors(estimates), strict=True)
        )
    direction = np.where(unbounded, 1.0, np.minimum(above, below))
    inside = np.where(unbounded, 1.0, np.minimum(2 * tests.inside, 1.0))
    n = independent_draws(estimates)
    low, high = (
        np.broadcast_to(end, lower.shape) for end in (found.lower, found.upper)
    )
    negligible = with_rare(inside, n, rare)
    rows = Rows(
        lower, upper, direction, negligible, low, high, ~unbounded, found.by_rank
    )
    if largest is not None:
        check_largest(largest, estimates)
        rows = replace(rows, p_direction=with_largest(rows, n, largest))
    p = np.where(unbounded, 1.0, two_sided_p(estimates, null, ci_prob))
    carried = carry_effects(estimates, estimates["ace"])
    if unbounded.any():
        carried = carried.assign(unbounded=(carried["ace"].dims, unbounded))
    return Evidence(carried, found, rows, p, rare)


def check_largest(largest: Any, estimates: xr.Dataset) -> None:
    """Raise EstimateError if a bound on individual effects is less than an effect that
    was seen.

    Examples
    --------
    >>> seen = xr.Dataset(
    ...     {"ace": ("contrast", [1.0]), "largest_ice": ("contrast", [6.0])},
    ...     {"contrast": ["GATA1"]},
    ... )
    >>> check_largest(5.0, seen)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: largest=5.0 is less than an individual effect that was seen: 6 (GATA1); ...
    """
    seen = estimates["largest_ice" if "largest_ice" in estimates else "ace"]
    seen = seen.copy(data=np.abs(seen.to_numpy()))
    if float(seen.max()) <= largest * (1 + 1e-9):
        return
    at = np.unravel_index(int(np.argmax(seen.to_numpy())), seen.shape)
    coordinates = {str(dim): i for dim, i in zip(seen.dims, at, strict=True)}
    names = [
        str(seen[dim].to_numpy()[i]) if dim in seen.coords else str(i)
        for dim, i in coordinates.items()
    ]
    raise EstimateError(
        f"largest={quoted(largest)} is less than an individual effect that was "
        f"seen: {float(seen.max()):.4g} ({', '.join(names)}); state a bound that holds "
        "for every background, or leave largest= out"
    )


def row_families(table: xr.Dataset, family: str | None) -> tuple[list[Codes], str]:
    """Return the rows of each family of verdicts, as flat positions in (contrast,
    task[, model]), and what they share.

    Placebos are families of their own.

    Parameters
    ----------
    table
        With ``ace``.
    family
        None: all rows of the table; ``"task"``: those of one task; or a coordinate on
        contrast: those that share its value.

    Raises
    ------
    EstimateError
        If `family` is neither.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), np.zeros((2, 2)))},
    ...     coords={"contrast": ["a", "b"]},
    ... )
    >>> [members.tolist() for members in row_families(table, "task")[0]]
    [[0, 2], [1, 3]]
    """
    ace = table["ace"]
    codes = np.zeros(ace.shape, dtype=np.intp)
    placebo = np.broadcast_to(
        is_placebo(table).reshape(-1, *[1] * (ace.ndim - 1)), ace.shape
    )
    mixed = placebo.any() and not placebo.all()
    n = int((~placebo).sum()) if mixed else ace.size
    named = f"these {n:,} rows" if n > 1 else ""
    if family is not None:
        on_contrast = [str(c) for c in table.coords if table[c].dims == ("contrast",)]
        if isinstance(family, str) and family == "task" and "task" in ace.dims:
            values = np.arange(ace.sizes["task"]).reshape(1, -1, *[1] * (ace.ndim - 2))
            named = "the rows of each task"
        elif isinstance(family, str) and family in on_contrast:
            labels = table[family].to_numpy().astype(str)
            values = np.unique(labels, return_inverse=True)[1].reshape(
                -1, *[1] * (ace.ndim - 1)
            )
            named = f"the rows of each {family}"
        else:
            whole = "; None is the whole table" if str(family) == "all" else ""
            raise EstimateError(
                f"family={quoted(family)} is neither 'task' nor a coordinate on "
                f"contrast ({', '.join(on_contrast)}){whole}",
                argument="family",
            )
        codes = np.broadcast_to(values, ace.shape)
        named += " without placebos" if mixed else ""
    both = (2 * codes + placebo).ravel()
    return [np.flatnonzero(both == code) for code in np.unique(both)], named


def carry_effects(source: xr.Dataset, ace: xr.DataArray) -> xr.Dataset:
    """Return the effects with the coordinates, columns and attrs of `source` that
    decisions keep.
    """
    source = source.drop_vars(_OF_DECISIONS, errors="ignore")
    ace = ace.drop_vars(_OF_DECISIONS, errors="ignore")
    carried = [name for name in _CARRIED if name in source.variables]
    coords = {
        n: c
        for n, c in source.coords.items()
        if set(c.dims) <= {*ace.dims, "arm"} and n not in ("contrast_",)
    }
    columns = source[carried].copy()
    ace = ace.copy(deep=False)
    # drop_attrs aligns every column with all
    for variable in (*columns.variables.values(), ace.variable):
        variable.attrs = {}
    out = xr.Dataset({"ace": ace, **columns.data_vars}).assign_coords(coords)
    if "is_placebo" in source.data_vars:
        out = out.assign_coords(is_placebo=source["is_placebo"])
    stale = {"family", "rope", "band"}
    return out.assign_attrs({k: v for k, v in source.attrs.items() if k not in stale})


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
