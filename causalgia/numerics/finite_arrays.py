"""Arrays of finite numbers, as functions of arrays take them from users."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalgia.checks import why_no_numbers
from causalgia.errors import CausalgiaError
from causalgia.types import Array


def as_finite_array(
    values: Any, name: str, cure: str, *, error: type[CausalgiaError]
) -> Array:
    """Return finite numbers of any shape as floats, or raise `error` with the place of
    the first that is not finite, and the cure.

    Examples
    --------
    >>> from causalgia.errors import EstimateError
    >>> as_finite_array([1, 2], "mean", "leave it out", error=EstimateError)
    array([1., 2.])
    >>> as_finite_array([1, np.nan], "mean", "leave it out", error=EstimateError)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: mean: value [1] is nan; leave it out
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as reason:
        raise error(
            f"{name} does not hold numbers alone ({why_no_numbers(values)}); give floats"
        ) from reason
    if not np.isfinite(numbers).all():
        where = np.argwhere(~np.isfinite(numbers))[0].tolist()
        place = f"value {where}" if where else "the value"
        raise error(f"{name}: {place} is {numbers[tuple(where)]}; {cure}")
    return numbers
