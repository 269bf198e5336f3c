"""Limits of floating point: the floor that rounding in the predictor sets, and numbers with squares beyond float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.ratios import null_value
from causalgia.estimation.request import Answer
from causalgia.notes import with_notes
from causalgia.numerics.row_blocks import extremes, in_memory
from causalgia.schema import annotate
from causalgia.types import Array, Codes, Mask

ZERO = "zero within rounding"
"""Label of an effect below its floor."""
_LARGEST = float(np.sqrt(np.finfo(float).max))


def floor_of_estimates(estimates: xr.Dataset) -> Array:
    """Return the floor of each estimate, in the shape of ``ace``; 0 where it is not known.

    Examples
    --------
    >>> floor_of_estimates(xr.Dataset({"ace": ("contrast", [1.0, 2.0])}))
    array([0., 0.])
    """
    if "floor" not in estimates:
        return np.zeros(estimates["ace"].shape)
    return np.asarray(estimates["floor"].transpose(*estimates["ace"].dims).to_numpy(), np.float64)


def is_below_floor(estimates: xr.Dataset) -> Mask:
    """Return which effects are zero within rounding, in the shape of ``ace``, except those that are 0 in every unit.

    Examples
    --------
    >>> is_below_floor(xr.Dataset({"ace": ("contrast", [1e-9, 2.0]), "floor": ("contrast", [1e-7, 1e-7])}))
    array([ True, False])
    """
    null = null_value(estimates)
    away = np.abs(estimates["ace"].to_numpy() - null)
    return np.asarray(
        (away <= floor_of_estimates(estimates)) & ~(_is_exact(estimates) & (away == 0)) & ("floor" in estimates)
    )


def _is_exact(estimates: xr.Dataset) -> Mask:
    if "exact" not in estimates:
        return np.zeros(estimates["ace"].shape, dtype=bool)
    return np.asarray(estimates["exact"].transpose(*estimates["ace"].dims).to_numpy(), bool)


def at_least_floor(estimates: xr.Dataset, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return limits at least the floor away from the effect; intervals of exact effects above the floor stay points.

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


def with_floor(estimates: xr.Dataset, effects: xr.Dataset) -> xr.Dataset:
    r"""Add ``floor`` and ``below_floor`` to estimates; set p to 1 below it, and widen intervals to at least the floor.

    The floor of a contrast is :math:`\sum_a |w_a| \max|e|`, with e the rounding error of an output of the predictor.
    Intervals are :math:`\mathrm{ACE} \mp \max(h, \mathrm{floor})`, h being the half width, so that they hold for the
    network in exact arithmetic even if rounding is the same in every unit. For several predictors, or words, the
    largest floor is used.
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
    """Return a note on the effects that are zero within rounding, with the size of the floor."""
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


def rescale(effects: xr.Dataset) -> tuple[xr.Dataset, Codes]:
    """Divide the numbers of tasks outside 1e-100 to 1e100 by a power of two, without loss of digits.

    Returns
    -------
    effects, exponents
        Rescaled effects, and the powers of two, shape ``(task,)``.

    Examples
    --------
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), [[[1e200, 1.0]], [[3e200, 2.0]]])})
    >>> small, exponents = rescale(effects)
    >>> exponents, small["ice"].max("unit").values.round(3)
    (array([666,   0]), array([[0.98, 2.  ]]))
    """
    name = "ice" if "ice" in effects else "outcome"
    low, high = extremes(effects[name].data)
    others = tuple(i for i, dim in enumerate(effects[name].dims[1:]) if dim != "task")
    peak = np.maximum(high.max(axis=others), -low.min(axis=others)).astype(np.float64)
    exponents = np.where((peak > 0) & ((peak < 1e-100) | (peak > 1e100)), np.frexp(peak)[1], 0).astype(np.intp)
    if not exponents.any():
        return effects, exponents
    power = xr.DataArray(-exponents, dims="task")
    effects, names = in_memory(effects), [n for n in (name, "rounding") if n in effects]
    return effects.assign({n: xr.apply_ufunc(np.ldexp, effects[n].astype(float), power) for n in names}), exponents


def undo_rescale(answer: Answer, exponents: Codes, effects: xr.Dataset) -> Answer:
    """Multiply an answer by the powers of two of `rescale`.

    Raises
    ------
    EstimateError
        If a squared standard error is beyond float64, so that there is no covariance.
    """
    if not exponents.any():
        return answer
    e = answer.estimate
    power = exponents.reshape(-1, *[1] * (e.ace.ndim - 2))
    with np.errstate(over="ignore"):
        ace, se, factor = (np.ldexp(x, power) for x in (e.ace, e.se, e.factor))
    check_squares(se, effects)
    return replace(answer, estimate=replace(e, ace=ace, se=se, factor=factor))


def check_squares(se: Array, effects: xr.Dataset) -> None:
    """Check that float64 holds the squares of standard errors; `effects` has the names for the message.

    Raises
    ------
    EstimateError
        If it does not, so that there is no covariance.
    """
    too_large = ~(se < _LARGEST)
    if too_large.any():
        k, t = np.argwhere(too_large)[0][:2]
        contrast, task = effects["contrast"].to_numpy()[k], effects["task"].to_numpy()[t]
        raise EstimateError(
            f"contrast {contrast!s}, task {task!s}: the standard error {se[too_large][0]:.3g} has a square beyond "
            "float64; divide the outcomes by a constant first"
        )
