"""Exponential and inverse square root that compile to vector instructions inside a kernel's loop over components."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["LOG2E", "exp2", "inverse_root", "log2"]

LOG2E = 1.4426950408889634
_LN2 = 0.6931471805599453
_MANTISSA, _HALF_ROOT = 0x000FFFFFFFFFFFFF, 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
_HALVED = 0x5FE6EB50C7B537A9  # the bits of 1/sqrt(x) are about this less half those of x


@njit(nogil=True, fastmath=True, inline="always", cache=True)
def exp2(x):  # type: ignore[no-untyped-def]
    """2^x for -1000 <= x <= 0, to 1e-11 relative: a series on [0, 1), and the bits of the exponent."""
    whole = np.floor(x)
    r = (x - whole) * _LN2
    tail = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800))))
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * tail))))))
    return series * np.int64((np.int64(whole) + 1023) << 52).view(np.float64)


@njit(nogil=True, fastmath=True, inline="always", cache=True)
def inverse_root(x):  # type: ignore[no-untyped-def]
    """1 / sqrt(x) to 4e-11 relative, without division: three of Newton's steps from the halved exponent."""
    y = np.int64(_HALVED - (np.float64(x).view(np.int64) >> 1)).view(np.float64)
    half = 0.5 * x
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    return y


@njit(nogil=True, fastmath=True, error_model="numpy", inline="always", cache=True)
def log2(x):  # type: ignore[no-untyped-def]
    """log2 of a normal x > 0, to 1e-13: the exponent, and a series of atanh on (.7, 1.42)."""
    bits = np.int64(np.float64(x).view(np.int64) - _HALF_ROOT)
    low = np.int64((bits & _MANTISSA) + _HALF_ROOT).view(np.float64)  # x over a power of 2
    z = (low - 1) / (low + 1)
    w = z * z
    tail = 1 / 9 + w * (1 / 11 + w * (1 / 13 + w * (1 / 15 + w / 17)))
    series = 1 + w * (1 / 3 + w * (1 / 5 + w * (1 / 7 + w * tail)))
    return np.float64(bits >> 52) + 2 * LOG2E * z * series
