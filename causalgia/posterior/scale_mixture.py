"""Mixtures of centered normals as prior of effects about a location: likelihood,
posterior, derivatives.

``effect_k = location_k + delta'_k + noise_k``, ``delta'_k ~ sum_j w_j N(0, v_j)``,
``noise_k ~ N(0, s_k^2)``: the ash mixture, where the v_j are a grid and v_0 = 0 the
spike, and the Student-t, where they are tau^2 over the nodes of its mixing
distribution. Everything is closed form given (w, v).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from causalgia.compiled import njit
from causalgia.numerics.row_blocks import CACHE_BLOCK
from causalgia.types import Array

LOG2E = 1.4426950408889634
LN2 = 0.6931471805599453
_MANTISSA, _HALF_ROOT = 0x000FFFFFFFFFFFFF, 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
# the bits of 1/sqrt(x) are about this less half those of x
_HALVED = np.uint64(0x5FE6EB50C7B537A9)
_ONE, _LOW_BITS, _FAR = 1023 << 52, np.uint64(1075 << 52), 2.0**52 + 1023
_WHOLE = 6755399441055744.0  # 1.5 2^52: with it a whole number is in the low bits


@njit(nogil=True, inline="always")
def exp2(x):  # type: ignore[no-untyped-def]
    """Return 2^x for -1000 <= x <= 0, to 1e-11 relative: a series on [0, 1), and the
    bits of the exponent.
    """
    whole = np.floor(x)
    r = (x - whole) * LN2
    r2 = r * r
    r4 = r2 * r2
    low = (1 + r) + (1 / 2 + r * (1 / 6)) * r2
    middle = (1 / 24 + r * (1 / 120)) + (1 / 720 + r * (1 / 5040)) * r2
    high = (1 / 40320 + r * (1 / 362880)) + (1 / 3628800 + r * (1 / 39916800)) * r2
    series = low + (middle + high * r4) * r4
    bits = np.float64(whole + _WHOLE).view(np.int64)
    return series * np.int64((bits + 1023) << 52).view(np.float64)


@njit(nogil=True, inline="always")
def inverse_root(x):  # type: ignore[no-untyped-def]
    """Return 1 / sqrt(x) to 4e-11 relative, without division: three Newton steps from
    the halved exponent.
    """
    halved = np.float64(x).view(np.uint64) >> np.uint64(1)
    y = np.uint64(_HALVED - halved).view(np.float64)
    half = 0.5 * x
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    return y


@njit(nogil=True, inline="always")
def mantissa(x):  # type: ignore[no-untyped-def]
    """Return a normal x > 0 over a power of 2, in (.7, 1.42)."""
    bits = np.int64(np.float64(x).view(np.int64) - _HALF_ROOT)
    return np.int64((bits & _MANTISSA) + _HALF_ROOT).view(np.float64)


@njit(nogil=True, inline="always")
def exponent(x):  # type: ignore[no-untyped-def]
    """Return the log2 of this power of 2."""
    bits = np.int64(np.float64(x).view(np.int64) - _HALF_ROOT)
    # as the low bits of 2^52: a conversion would not be vector code
    power = np.uint64(np.uint64(bits + _ONE) >> np.uint64(52)) | _LOW_BITS
    return np.uint64(power).view(np.float64) - _FAR


@njit(nogil=True, error_model="numpy", inline="always")
def log2(x):  # type: ignore[no-untyped-def]
    """Return log2 of a normal x > 0, to 1e-13: the exponent, and a series of atanh on
    (.7, 1.42).
    """
    low = mantissa(x)
    z = (low - 1) / (low + 1)
    w = z * z
    w2 = w * w
    w4 = w2 * w2
    low = (1 + w * (1 / 3)) + (1 / 5 + w * (1 / 7)) * w2
    high = (1 / 9 + w * (1 / 11)) + (1 / 13 + w * (1 / 15)) * w2
    series = low + (high + w4 * (1 / 17)) * w4
    return exponent(x) + 2 * LOG2E * z * series


@njit(nogil=True, no_cpython_wrapper=True)
def log2_product(x):  # type: ignore[no-untyped-def]
    """Return the log2 of the product of mantissas: one of every 1,024, whose product
    neither under- nor overflows.
    """
    total = 0.0
    for start in range(0, len(x), 1024):
        end = min(start + 1024, len(x))
        a = b = c = d = 1.0
        for i in range((end - start) // 4):
            k = start + 4 * i
            a *= x[k]
            b *= x[k + 1]
            c *= x[k + 2]
            d *= x[k + 3]
        for k in range(end - (end - start) % 4, end):
            a *= x[k]
        total += log2((a * b) * (c * d))
    return total


@njit(nogil=True, error_model="numpy", inline="always")
def erfc(x):  # type: ignore[no-untyped-def]
    """Return erfc(x) for x >= 0, to 3e-11 relative; constant at 1e-303 from x = 26 on."""
    return scaled_erfc(x) * exp2(max(-x * x * LOG2E, -1000.0))


@njit(nogil=True, error_model="numpy", inline="always")
def scaled_erfc(x):  # type: ignore[no-untyped-def]
    """Return exp(x^2) erfc(x) for x >= 0.

    ``(x + 3) exp(x^2) erfc(x)`` is smooth in ``(x - 3) / (x + 3)``, which lies in [-1,
    1): a polynomial of degree 15, least squares at 400 Chebyshev points of values in 40
    digits.
    """
    inverse = 1 / (x + 3)
    s = 1 - 6 * inverse
    s2 = s * s
    s4 = s2 * s2
    first = (1.0740069070955838 - 0.8833944531470983 * s) + (
        0.590228356168129 - 0.31046726301245364 * s
    ) * s2
    second = (0.11952778118488498 - 0.02682721871994465 * s) + (
        -0.0012125784272727213 + 0.0030339590922705785 * s
    ) * s2
    third = (-0.0005476593730160465 - 0.00027642046216074044 * s) + (
        0.00010612602823911773 + 2.967911126632696e-05 * s
    ) * s2
    fourth = (-1.5676261198600252e-05 - 3.890431739972931e-06 * s) + (
        1.5353652639295465e-06 + 3.99344915e-07 * s
    ) * s2
    series = (first + second * s4) + (third + fourth * s4) * (s4 * s4)
    return series * inverse


@njit(nogil=True, no_cpython_wrapper=True)
def summed(x):  # type: ignore[no-untyped-def]
    """Return the sum: four sums, each of every fourth number, in vector code."""
    a = b = c = d = 0.0
    for i in range(len(x) // 4):
        k = 4 * i
        a += x[k]
        b += x[k + 1]
        c += x[k + 2]
        d += x[k + 3]
    for k in range(len(x) // 4 * 4, len(x)):
        a += x[k]
    return (a + b) + (c + d)


@njit(nogil=True, no_cpython_wrapper=True)
def product_sum(x, y):  # type: ignore[no-untyped-def]
    """Return the sum of products, as `summed` does."""
    a = b = c = d = 0.0
    for i in range(len(x) // 4):
        k = 4 * i
        a += x[k] * y[k]
        b += x[k + 1] * y[k + 1]
        c += x[k + 2] * y[k + 2]
        d += x[k + 3] * y[k + 3]
    for k in range(len(x) // 4 * 4, len(x)):
        a += x[k] * y[k]
    return (a + b) + (c + d)


@dataclass(frozen=True, eq=False)
class Components:
    """Prior of an effect about its location: J normals centered there."""

    variance: Array
    """Their variances, (J,), ascending; 0 is a point mass."""
    weight: Array
    """Their weights, (J,); they sum to 1."""


@dataclass(frozen=True, eq=False)
class Node:
    """A value of the shared parameters; given it, effects are independent."""

    weight: float
    """Its posterior probability."""
    residual: Array
    """Estimate minus the linear part, (K,)."""
    location: Array
    """Center of the effects, (K,)."""
    components: Components
    """Their prior about it."""


@dataclass(frozen=True, eq=False)
class EffectSummary:
    """Posterior of each effect given the location and the components; K rows."""

    mean: Array
    """Posterior mean, (K,)."""
    square: Array
    """Posterior variance, (K,)."""
    below: Array
    """P(effect < 0), (K,)."""
    above: Array
    """P(effect > 0), (K,)."""
    zero: Array
    """P(effect = 0), (K,)."""


def log_component_densities(
    residual: Array, noise: Array, components: Components
) -> Array:
    """Return ``log w_j N(residual_k; 0, s_k^2 + v_j)``, (K, J); noise is s^2, (K,)."""
    total = noise[:, None] + components.variance
    with np.errstate(divide="ignore"):
        constant = np.log(components.weight) - 0.5 * np.log(2 * np.pi * total)
    return np.asarray(constant - 0.5 * (residual / np.sqrt(total.T)).T ** 2)


def effect_summary(node: Node, noise: Array) -> EffectSummary:
    """Return the posterior of the effects at a node; noise variances are (K,)."""
    mean, sd, weight = posterior_normals(node, noise)
    average = (weight * mean).sum(axis=1)
    spread = (weight * (sd**2 + (mean - average[:, None]) ** 2)).sum(axis=1)
    atom = sd == 0
    minor = np.where(atom, 0.0, ndtr(-np.abs(mean) / np.where(atom, 1.0, sd)))
    at_zero = atom & (mean == 0)
    below = (weight * np.where(at_zero, 0.0, np.where(mean > 0, minor, 1 - minor))).sum(
        axis=1
    )
    above = (weight * np.where(at_zero, 0.0, np.where(mean > 0, 1 - minor, minor))).sum(
        axis=1
    )
    return EffectSummary(average, spread, below, above, (weight * at_zero).sum(axis=1))


def posterior_normals(node: Node, noise: Array) -> tuple[Array, Array, Array]:
    """Return the posterior of each effect as a mixture of normals: mean, sd and
    probability, (K, J) each.
    """
    terms = log_component_densities(node.residual, noise, node.components)
    top = terms.max(axis=1)
    weight = np.exp(terms - top[:, None])
    total = weight.sum(axis=1)
    weight /= total[:, None]
    gain = node.components.variance / (noise[:, None] + node.components.variance)
    sd = np.sqrt(gain * noise[:, None])
    return node.location[:, None] + gain * node.residual[:, None], sd, weight


_EFFECTS_A_BLOCK = 64


def draw_mixtures(
    n: int, mean: Array, sd: Array, probability: Array, generator: np.random.Generator
) -> Array:
    """Return n draws, (n, K), of effects that are mixtures of normals (mean, sd,
    probability; each (K, J)).

    References
    ----------
    Vose (1991), doi:10.1109/32.92917 (a component in constant time).
    """
    share, other = (
        np.empty_like(probability),
        np.empty(probability.shape, dtype=np.intp),
    )
    _alias_tables(probability, share, other)
    out = np.empty((n, len(mean)))
    for some in _slices(len(mean), _EFFECTS_A_BLOCK):
        tables = tuple(x[some] for x in (mean, sd, share, other))
        for draws in _slices(n, CACHE_BLOCK // _EFFECTS_A_BLOCK):
            shape = (draws.stop - draws.start, some.stop - some.start)
            _draw_mixtures_kernel(
                *tables,
                generator.random(shape),
                generator.standard_normal(shape),
                out[draws, some],
            )
    return out


def _slices(length: int, width: int) -> list[slice]:
    return [
        slice(start, min(start + width, length)) for start in range(0, length, width)
    ]


@njit(nogil=True)
def _alias_tables(probability, share, other):  # type: ignore[no-untyped-def]
    """Split J probabilities into J equal cells of at most two components each: j below
    `share`, else `other`.
    """
    size = probability.shape[1]
    small, large = np.empty(size, np.intp), np.empty(size, np.intp)
    for k in range(probability.shape[0]):
        n_small = n_large = 0
        for j in range(size):
            share[k, j], other[k, j] = probability[k, j] * size, j
            if share[k, j] < 1:
                small[n_small] = j
                n_small += 1
            else:
                large[n_large] = j
                n_large += 1
        while n_small > 0 and n_large > 0:
            n_small -= 1
            little, big = small[n_small], large[n_large - 1]
            other[k, little] = big
            share[k, big] -= 1 - share[k, little]
            if share[k, big] < 1:
                n_large -= 1
                small[n_small] = big
                n_small += 1


@njit(nogil=True)
def _draw_mixtures_kernel(mean, sd, share, other, u, z, out):  # type: ignore[no-untyped-def]
    size = mean.shape[1]
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            at = u[i, k] * size
            cell = int(at)
            j = cell if at - cell < share[k, cell] else other[k, cell]
            out[i, k] = mean[k, j] + sd[k, j] * z[i, k]
