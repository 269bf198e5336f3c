"""Counting draws against what was observed in one pass over memory: each statistic alone, and maxima from below."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["tally"]


@njit(nogil=True, cache=True)
def tally(block: Any, bar: Any, alone: Any, down: Any, top: Any) -> None:
    """Add to `alone` and `down` how many draws reach the bar of each row: by themselves, as maxima over rows from it.

    Parameters
    ----------
    block
        Draws of statistics, (K, b), the largest observed one first.
    bar
        What each row has to reach, (K,), of the same type.
    alone, down
        Counts so far, (K,) int64.
    top
        Written with the maximum of each draw over all rows, (b,).
    """
    top[:] = -np.inf
    for i in range(block.shape[0] - 1, -1, -1):
        row, limit, by_itself, from_below = block[i], bar[i], 0, 0
        for j in range(row.size):
            value, most = row[j], top[j]
            most = value if value > most else most
            top[j] = most
            by_itself += value >= limit
            from_below += most >= limit
        alone[i] += by_itself
        down[i] += from_below
