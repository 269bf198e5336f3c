"""Evidence about each effect: its interval, its p-values against its region, and what
decisions carry of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.effect_table import of_effects
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
from causalgia.verdicts.verdict_rule import Rows, with_largest

_CARRIED = (
    *("se", "n_units", "n_clusters", "control_sd", "exact", "weight", "unbounded"),
    *("df", "skewness", "leverage", "floor", "below_floor", "largest_ice"),
    "n_smallest_arm",
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
    unbounded = np.isinf(lower) | np.isinf(upper)
    up = tests.above <= tests.below
    p_direction = 2 * np.where(up, tests.above, tests.below)
    needed = np.where(up, tests.above + tests.not_below, tests.below + tests.not_above)
    if found.by_rank:
        by_rank = np.where(up, *rank_errors(estimates))
        p_direction, needed = (np.maximum(x, by_rank) for x in (p_direction, needed))
    low, high = (
        np.broadcast_to(end, lower.shape) for end in (found.lower, found.upper)
    )
    rows = Rows(
        lower,
        upper,
        *(
            np.where(unbounded, 1.0, np.minimum(p, 1.0))
            for p in (p_direction, 2 * tests.inside, needed, tests.inside)
        ),
        low,
        high,
        ~unbounded,
        found.by_rank,
    )
    if largest is not None:
        bound = _largest_of_rows(largest, estimates)
        rows = with_largest(rows, independent_draws(estimates), bound)
    p = np.where(unbounded, 1.0, two_sided_p(estimates, null, ci_prob))
    carried = carry_effects(estimates, estimates["ace"])
    if unbounded.any():
        carried = carried.assign(unbounded=(carried["ace"].dims, unbounded))
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
    name = "largest_ice" if "largest_ice" in estimates else "ace"
    seen = np.abs(of_effects(estimates, name))
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


def row_families(
    table: xr.Dataset, family: str | None, counted: npt.NDArray[np.bool_] | None = None
) -> tuple[list[Codes], str]:
    """Return the rows of each family of verdicts, as flat positions in (contrast,
    task[, model]), and what they share.

    A family is the rows of the question, and placebos are another. Rows in no family
    are judged each by itself.

    Parameters
    ----------
    table
        With ``ace``; the bool coordinate ``of_question (contrast)`` names the rows of
        the question, without it all.
    family
        None: all rows of the question; ``"task"``: those of one task; or a coordinate
        on contrast: those that share its value.
    counted
        Which rows have a p, of the shape of ``ace``; None: all.

    Raises
    ------
    EstimateError
        If `family` is neither, or no row of the question has its coordinate, or there
        is no such row.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), np.zeros((2, 2)))},
    ...     coords={"contrast": ["a", "b"]},
    ... )
    >>> [members.tolist() for members in row_families(table, "task")[0]]
    [[0, 2], [1, 3]]
    """
    ace, placebo, asked = table["ace"], is_placebo(table), _of_question(table)
    by_contrast = (-1, *[1] * (ace.ndim - 1))
    codes = _family_codes(table, family, asked)
    alone = ~(asked | placebo)
    kinds = np.broadcast_to((placebo + 2 * alone).reshape(by_contrast), ace.shape)
    of_row = np.where(kinds == 2, -1, 2 * codes + kinds).ravel()
    order = np.argsort(of_row, kind="stable")[int((of_row < 0).sum()) :]
    families = np.split(order, np.flatnonzero(np.diff(of_row[order])) + 1)
    counts = kinds == (1 if placebo.all() else 0)
    n = int((counts if counted is None else counts & counted).sum())
    if family is not None:
        named = f"the rows of each {family}{' in the question' if alone.any() else ''}"
    elif n > 1:
        named = (
            f"the {n:,} rows of the question" if alone.any() else f"these {n:,} rows"
        )
    else:
        return families, ""
    if alone.any():
        named += ", each helper by itself"
    elif placebo.any() and not placebo.all():
        named += " without placebos"
    return families, named


def _of_question(table: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast is one of the question, shape ``(contrast,)``."""
    if "of_question" not in table.variables:
        return np.full(table["ace"].shape[0], True)
    marked = table["of_question"]
    if marked.dims != ("contrast",) or marked.dtype != bool:
        raise EstimateError(
            f"of_question has dims {marked.dims} and dtype {marked.dtype}, not bool on "
            "contrast"
        )
    if not marked.any():
        raise EstimateError("of_question is False for every contrast: no row is asked")
    return np.asarray(marked.to_numpy())


def _family_codes(
    table: xr.Dataset, family: str | None, asked: npt.NDArray[np.bool_]
) -> Codes:
    """Return the number of the family of each row, which spreads over ``ace``."""
    ace = table["ace"]
    if family is None:
        return np.zeros([1] * ace.ndim, dtype=np.intp)
    if isinstance(family, str) and family == "task" and "task" in ace.dims:
        return np.arange(ace.sizes["task"]).reshape(1, -1, *[1] * (ace.ndim - 2))
    on_contrast = [str(c) for c in table.coords if table[c].dims == ("contrast",)]
    if not isinstance(family, str) or family not in on_contrast:
        whole = "; None is the whole table" if str(family) == "all" else ""
        raise EstimateError(
            f"family={quoted(family)} is neither 'task' nor a coordinate on "
            f"contrast ({', '.join(on_contrast)}){whole}",
            argument="family",
        )
    labels = table[family].to_numpy()
    if not (pd.notna(labels) & (labels != ""))[asked].any():
        raise EstimateError(
            f"family={quoted(family)}: no row of the question has that coordinate",
            argument="family",
        )
    codes = np.unique(labels.astype(str), return_inverse=True)[1]
    return codes.reshape(-1, *[1] * (ace.ndim - 1))


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
    for name in ("is_placebo", "of_question"):
        if name in source.data_vars:
            out = out.assign_coords({name: source[name]})
    stale = {"adjust", "family", "rope", "band"}
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
