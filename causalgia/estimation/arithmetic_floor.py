"""Effects below the arithmetic: an estimate that rounding alone could make is zero, whatever its t says."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.notes import with_notes
from causalgia.schema import annotate
from causalgia.types import Array, Mask

ZERO = "zero within rounding"
"""What is said of an effect below its floor."""


def floor_of_estimates(estimates: xr.Dataset) -> Array:
    """Return the floor of each estimate, of the shape of ``ace``; 0 where it is not known.

    Examples
    --------
    >>> floor_like(xr.Dataset({"ace": ("contrast", [1.0, 2.0])}))
    array([0., 0.])
    """
    if "floor" not in estimates:
        return np.zeros(estimates["ace"].shape)
    return np.asarray(estimates["floor"].transpose(*estimates["ace"].dims).to_numpy(), np.float64)


def is_below_floor(estimates: xr.Dataset) -> Mask:
    """Return which effects are zero within rounding, of the shape of ``ace``; not those that are 0 in every unit.

    Examples
    --------
    >>> is_below_floor(xr.Dataset({"ace": ("contrast", [1e-9, 2.0]), "floor": ("contrast", [1e-7, 1e-7])}))
    array([ True, False])
    """
    null = float(estimates.attrs.get("null_value", 0.0))
    away = np.abs(estimates["ace"].to_numpy() - null)
    return np.asarray(
        (away <= floor_of_estimates(estimates)) & ~(_is_exact(estimates) & (away == 0)) & ("floor" in estimates)
    )


def _is_exact(estimates: xr.Dataset) -> Mask:
    if "exact" not in estimates:
        return np.zeros(estimates["ace"].shape, dtype=bool)
    return np.asarray(estimates["exact"].transpose(*estimates["ace"].dims).to_numpy(), bool)


def at_least_floor(estimates: xr.Dataset, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return limits that are at least the floor away from the effect; those of exact effects above it stay points.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [1e-9]), "floor": ("contrast", [1e-7])})
    >>> at_least_floor(one, np.array([9e-10]), np.array([1.1e-9]))
    (array([-9.9e-08]), array([1.01e-07]))
    """
    if "floor" not in estimates:
        return lower, upper
    ace, floor = estimates["ace"].to_numpy(), floor_of_estimates(estimates)
    reach = np.where(_is_exact(estimates) & ~is_below_floor(estimates), 0.0, floor)
    return np.where(reach > 0, np.minimum(lower, ace - reach), lower), np.where(
        reach > 0, np.maximum(upper, ace + reach), upper
    )


def p_outside_floor(p: Array, distance: Array, floor: Array) -> Array:
    """Return one-sided p of "the distance is at most 0", 1 where rounding could make all of the distance.

    With an interval ``distance -+ max(half width, floor)`` at every level this is its test: a distance beyond the floor
    keeps its p, one within it has none that is below 1.

    Examples
    --------
    >>> p_outside_floor(np.array([1e-9, 1e-9]), np.array([1e-8, 1e-3]), np.array([1e-7, 1e-7]))
    array([1.e+00, 1.e-09])
    """
    return np.where((floor > 0) & (np.abs(distance) <= floor), 1.0, p)


def with_floor(estimates: xr.Dataset, effects: xr.Dataset) -> xr.Dataset:
    r"""Return estimates with the floor of their effects: ``floor`` and ``below_floor``, p 1 there, intervals as wide.

    The floor of a contrast is :math:`\sum_a |w_a| \max|e|`, e the error of the predictor's own arithmetic in an answer.
    An effect within it has p 1. An interval is :math:`\mathrm{ACE} \mp \max(h, \mathrm{floor})`, h its half width: it
    holds for the effect of the network in exact arithmetic, of which rounding that is alike in every unit says nothing.
    Of several predictors, or words, taken together the floor is the largest of theirs.
    """
    if "floor" not in effects:
        return estimates
    dims = estimates["ace"].dims
    over = [dim for dim in effects["floor"].dims if dim not in dims]
    floor = effects["floor"].max(over) if over else effects["floor"]
    if floor.sizes["contrast"] != estimates.sizes["contrast"]:
        floor = floor.max("contrast").expand_dims(contrast=estimates.sizes["contrast"])
    values = floor.transpose(*dims).to_numpy()
    out = estimates.assign(floor=(dims, values))
    below = is_below_floor(out)
    out["below_floor"] = (dims, below)
    if "p" in out:
        out["p"] = (dims, np.where(below, 1.0, out["p"].to_numpy()))
        out["log_p"] = (dims, np.where(below, 0.0, out["log_p"].to_numpy()))
    if "lower" in out:
        lower, upper = at_least_floor(out, out["lower"].to_numpy(), out["upper"].to_numpy())
        out["lower"], out["upper"] = (dims, lower), (dims, upper)
    return annotate(with_notes(out, *_floor_note(out, below)))


def _floor_note(estimates: xr.Dataset, below: Mask) -> list[str]:
    """Say which effects are zero within rounding, and how far rounding goes."""
    if not below.any():
        return []
    named = [dim for dim in estimates["ace"].dims if dim == "contrast" or estimates.sizes[dim] > 1]
    names = [
        ", ".join(
            str(estimates[dim].to_numpy()[i])
            for dim, i in zip(estimates["ace"].dims, where, strict=True)
            if dim in named
        )
        for where in np.argwhere(below)[:3]
    ]
    n = int(below.sum())
    more = f" and {n - len(names)} more" if n > len(names) else ""
    size = float(floor_of_estimates(estimates)[below].max())
    return [
        f"{ZERO}: {'; '.join(names)}{more}: rounding in the predictor alone can produce an effect of up to {size:.2g}, "
        "the same in every unit, which no number of units distinguishes from 0; compute in float64 to lower this limit"
    ]
