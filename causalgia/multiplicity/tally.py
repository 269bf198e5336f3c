"""What is done to a block of drawn statistics in one pass over memory: counting it, and making its maxima exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalgia.compiled import njit

__all__ = ["refine_maxima", "tally"]


@njit(nogil=True)
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


@njit(nogil=True)
def refine_maxima(block: Any, sums: Any, signs: Any, absolute: Any) -> None:
    """Take absolute values if asked, and write the largest statistic of each draw anew, summed in float64.

    A product in float32 has a relative error of 1e-6 where a thousand terms cancel; what is compared with everything is
    the maximum.

    Parameters
    ----------
    block
        Products of sums and signs, (K, b); changed in place.
    sums, signs
        What they are products of, (K, G) and (b, G).
    absolute
        Whether the test is two-sided.
    """
    most, which = np.full(block.shape[1], -np.inf, block.dtype), np.zeros(block.shape[1], np.int32)
    for i in range(block.shape[0]):
        row, number = block[i], np.int32(i)
        for j in range(row.size):
            value = abs(row[j]) if absolute else row[j]
            row[j] = value
            larger = value > most[j]
            most[j] = value if larger else most[j]
            which[j] = number if larger else which[j]
    for j in range(block.shape[1]):
        terms, sign, total = sums[which[j]], signs[j], 0.0
        for g in range(sign.size):
            total += np.float64(terms[g]) * np.float64(sign[g])
        block[which[j], j] = abs(total) if absolute else total
