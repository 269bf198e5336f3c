"""Numbers of a grammar, checked once."""

from __future__ import annotations

import math
from typing import SupportsFloat

import numpy as np

from causalgia.errors import PredictorError, quoted


def number(value: object, name: str) -> float:
    """Return a finite number as a float, or raise PredictorError naming it."""
    if isinstance(value, bool) or not isinstance(value, SupportsFloat) or not math.isfinite(float(value)):
        raise PredictorError(f"{name} = {quoted(value)} must be a finite number")
    return float(value)


def positive(value: object, name: str) -> float:
    """Return a number above 0, or raise PredictorError naming it."""
    checked = number(value, name)
    if checked <= 0:
        raise PredictorError(f"{name} = {quoted(value)} must be above 0")
    return checked


def whole(value: object, name: str, *, least: int = 1) -> int:
    """Return a whole number of at least `least`, or raise PredictorError naming it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise PredictorError(f"{name} = {quoted(value)} must be a whole number of at least {least}")
    return int(value)
