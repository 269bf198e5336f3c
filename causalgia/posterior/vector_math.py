"""Vectorizable functions for kernels: exponential, inverse square root, logarithm, erfc."""

from __future__ import annotations

import numpy as np

from causalgia.compiled import njit

__all__ = ["LOG2E", "erfc", "exp2", "inverse_root", "log2"]

LOG2E = 1.4426950408889634
_LN2 = 0.6931471805599453
_MANTISSA, _HALF_ROOT = 0x000FFFFFFFFFFFFF, 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
_HALVED = 0x5FE6EB50C7B537A9  # the bits of 1/sqrt(x) are about this less half those of x


@njit(nogil=True, fastmath=True, inline="always")
def exp2(x):  # type: ignore[no-untyped-def]
    """Return 2^x for -1000 <= x <= 0, to 1e-11 relative: a series on [0, 1), and the bits of the exponent."""
    whole = np.floor(x)
    r = (x - whole) * _LN2
    tail = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800))))
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * tail))))))
    return series * np.int64((np.int64(whole) + 1023) << 52).view(np.float64)


@njit(nogil=True, fastmath=True, inline="always")
def inverse_root(x):  # type: ignore[no-untyped-def]
    """Return 1 / sqrt(x) to 4e-11 relative, without division: three Newton steps from the halved exponent."""
    y = np.int64(_HALVED - (np.float64(x).view(np.int64) >> 1)).view(np.float64)
    half = 0.5 * x
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    return y


@njit(nogil=True, fastmath=True, error_model="numpy", inline="always")
def log2(x):  # type: ignore[no-untyped-def]
    """Return log2 of a normal x > 0, to 1e-13: the exponent, and a series of atanh on (.7, 1.42)."""
    bits = np.int64(np.float64(x).view(np.int64) - _HALF_ROOT)
    low = np.int64((bits & _MANTISSA) + _HALF_ROOT).view(np.float64)  # x over a power of 2
    z = (low - 1) / (low + 1)
    w = z * z
    tail = 1 / 9 + w * (1 / 11 + w * (1 / 13 + w * (1 / 15 + w / 17)))
    series = 1 + w * (1 / 3 + w * (1 / 5 + w * (1 / 7 + w * tail)))
    return np.float64(bits >> 52) + 2 * LOG2E * z * series


@njit(nogil=True, fastmath=True, error_model="numpy", inline="always")
def erfc(x):  # type: ignore[no-untyped-def]
    """Return erfc(x) for x >= 0, to 3e-11 relative; constant at 1e-303 from x = 26 on.

    ``(x + 3) exp(x^2) erfc(x)`` is smooth in ``(x - 3) / (x + 3)``, which lies in [-1, 1): a polynomial of degree 15,
    least squares at 400 Chebyshev points of values in 40 digits.
    """
    inverse = 1 / (x + 3)
    s = 1 - 6 * inverse
    tail = -1.5676261198600252e-05 + s * (-3.890431739972931e-06 + s * (1.5353652639295465e-06 + s * 3.99344915e-07))
    tail = -0.00027642046216074044 + s * (0.00010612602823911773 + s * (2.967911126632696e-05 + s * tail))
    tail = -0.0012125784272727213 + s * (0.0030339590922705785 + s * (-0.0005476593730160465 + s * tail))
    tail = -0.31046726301245364 + s * (0.11952778118488498 + s * (-0.02682721871994465 + s * tail))
    tail = 1.0740069070955838 + s * (-0.8833944531470983 + s * (0.590228356168129 + s * tail))
    return tail * inverse * exp2(max(-x * x * LOG2E, -1000.0))
