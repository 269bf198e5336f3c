"""Rescaling of very large or small numbers, whose squares float64 does not hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.request import Answer
from causalgia.numerics.row_blocks import extremes, in_memory
from causalgia.types import Array, Codes

_LARGEST = float(np.sqrt(np.finfo(float).max))


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
