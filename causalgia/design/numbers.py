"""Numbers that users give, checked once: counts, positions, spans."""

from __future__ import annotations

import numpy as np

from causalgia.errors import DesignError, quoted

Span = tuple[int, int]


def positive_int(value: object, name: str) -> int:
    """Return `value` as an int of at least 1, or raise DesignError naming it; a length is that of a genome at most."""
    most = 32 if name == "length" else 48
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value < 2**most:
        raise DesignError(f"{name}={quoted(value)} must be a whole number of at least 1 (and below 2^{most})")
    return int(value)


def position(value: object, name: str) -> int:
    """Return `value` as a 0-based position, or raise DesignError naming it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise DesignError(f"{name}={quoted(value)} must be a whole number: a 0-based position")
    if value < 0:
        raise DesignError(f"{name}={quoted(value)} is negative; positions are counted from 0 at the left end")
    if value >= 2**48:
        raise DesignError(f"{name}={quoted(value)} is beyond any sequence; positions are below 2^48")
    return int(value)


def span_of(value: object) -> Span:
    """Return `value` as (start, stop), stop excluded, or raise DesignError."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DesignError(f"a span is (start, stop), not {quoted(value)}")
    start, stop = position(value[0], "start"), position(value[1], "stop")
    if stop <= start:
        raise DesignError(f"span ({start}, {stop}) is empty; stop is excluded and must be greater than start")
    return start, stop


def share(value: object, name: str) -> float:
    """Return `value` as a number from 0 to below 1, or raise DesignError naming it."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:  # type: ignore[operator]  # a number, as just seen
        raise DesignError(f"{name}={quoted(value)} must be a share: a number of 0 or more and below 1")
    return float(value)  # type: ignore[arg-type]
