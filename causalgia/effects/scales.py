"""Scales of outcomes, with bounds on rounding."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causalgia.errors import ContrastError, quoted
from causalgia.numerics.row_blocks import extremes, first_where
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.effects.task_weights import TaskWeights

_TASK_AXIS = 2  # of outcomes (unit, arm, task, ...)

#: scale of a function of the arms' means -> null value
OF_MEANS = {
    "log_of_means": 0.0,
    "ratio": 1.0,
    "excess_over_multiplicative": 0.0,
    "bpnet": 1.0,
    "cooperativity": 1.0,
    "bliss": 0.0,
    "sd": 0.0,
}

#: scale -> (transform g, |g'|)
_TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (lambda y: y, np.ones_like),
    "log": (np.log, lambda y: 1 / y),
    "log2": (np.log2, lambda y: 1 / (y * np.log(2))),
    "logit": (lambda y: np.log(y) - np.log1p(-y), lambda y: 1 / (y * (1 - y))),
}
#: relative rounding error of the calculation of an outcome in float64
_CALCULATION = 4 * np.finfo(float).eps

_LOG_WORD = re.compile(r"(?<![a-z])(log(2|10|1p|e|s|ged|arithms?|arithmic)?|ln|logits?)(?![a-z])", re.IGNORECASE)
_LOG_PREFIX = re.compile(r"(?<![A-Za-z])log[A-Z]")


def on_scale(y: xr.DataArray, scale: str, measured_on: str) -> tuple[xr.DataArray, Array]:
    """Transform outcomes to a scale in float64, with a bound on the rounding of each.

    The bound is half a unit in the last place of the outcome's dtype plus four units of float64 for its calculation,
    times the derivative of the scale.

    Parameters
    ----------
    y
        Outcomes of any shape.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``.
    measured_on
        Scale of the outcomes, in words.

    Returns
    -------
    transformed, bound
        Of the shape of `y`, both on the new scale.

    Raises
    ------
    ContrastError
        If the scale is unknown, or impossible for what is measured or for a value.

    Examples
    --------
    >>> import xarray as xr
    >>> y, bound = on_scale(xr.DataArray(np.array([1.0, 1e6], dtype=np.float32)), "identity", "counts")
    >>> bound.round(7)
    array([1.000e-07, 3.125e-02])
    """
    check_scale(y, scale, measured_on)
    put, bound = transform_with_bound(y.to_numpy(), scale=scale)
    return y.copy(data=put), bound


def transform_with_bound(
    values: npt.NDArray[np.floating], *, scale: str, over: TaskWeights | None = None
) -> tuple[Array, Array]:
    """Return `on_scale` of an array, without checks.

    Parameters
    ----------
    values
        Outcomes of any shape, in their original dtype; with `over` (unit, arm, task, ...).
    scale
        As in `on_scale`.
    over
        Contrasts between tasks, of the transformed outcomes; they replace the tasks.

    Examples
    --------
    >>> transform_with_bound(np.array([1.0, 8.0]), scale="log2")[0]
    array([0., 3.])
    """
    size, put = values.astype(np.float64), transform(values, scale=scale)
    bound = _TRANSFORMS[scale][1](size) * (np.spacing(np.abs(values)) / 2 + _CALCULATION * np.abs(size))
    bound = bound + np.finfo(float).eps * np.abs(put)
    return (put, bound) if over is None else (over.sums(put, _TASK_AXIS), over.bounds(bound, _TASK_AXIS))


def transform(values: npt.NDArray[np.floating], *, scale: str, over: TaskWeights | None = None) -> Array:
    """Return outcomes transformed to a scale, in float64, and their contrasts between tasks."""
    put = _TRANSFORMS[scale][0](values.astype(np.float64))
    return put if over is None else over.sums(put, _TASK_AXIS)


def check_scale(y: xr.DataArray, scale: Any, measured_on: str) -> None:
    """Raise ContrastError where a scale is unknown, or impossible for the outcomes."""
    if not isinstance(scale, str) or scale not in _TRANSFORMS:
        raise ContrastError(f"scale {quoted(scale)} is not one of {', '.join([*_TRANSFORMS, *OF_MEANS])}")
    if scale != "identity":
        check_not_log(scale, measured_on)
        _check_values(y, scale)


def is_log(measured_on: str) -> bool:
    """Return whether the description of a scale names a logarithm.

    Examples
    --------
    >>> [is_log(words) for words in ("log counts", "log2FC", "logCPM", "biology score", "analog signal")]
    [True, True, True, False, False]
    """
    return bool(_LOG_WORD.search(measured_on) or _LOG_PREFIX.search(measured_on))


def check_not_log(scale: str, measured_on: str) -> None:
    """Raise ContrastError where the log, logit or ratio of logarithms is requested.

    Examples
    --------
    >>> check_not_log("log", "log counts")
    Traceback (most recent call last):
    ...
    causalgia.errors.ContrastError: scale='log': the outcomes are already on 'log counts'; use scale='identity', ...
    """
    if not is_log(measured_on):
        return
    if scale == "logit":
        raise ContrastError(
            f"scale='logit': the outcomes are on {quoted(measured_on)} and not probabilities; use scale='identity'"
        )
    raise ContrastError(
        f"scale={quoted(scale)}: the outcomes are already on {quoted(measured_on)}; use scale='identity', which "
        "compares logs"
    )


def _check_values(y: xr.DataArray, scale: str) -> None:
    low, high = extremes(y.data) if y.size else (np.ones(1), np.zeros(1))
    if not ((low <= 0).any() or (scale == "logit" and (high >= 1).any())):
        return
    value, where = first_where(y.data, lambda block: (block <= 0) | (block >= 1) if scale == "logit" else block <= 0)
    labels = ", ".join(
        f"{dim} {y[dim].to_numpy()[i]!s}" for dim, i in zip(y.dims, where, strict=True) if dim in y.coords
    )
    need = "outcomes between 0 and 1" if scale == "logit" else "positive outcomes"
    raise ContrastError(f"scale={quoted(scale)} needs {need}, and {labels} has {value:g}; use scale='identity'")
