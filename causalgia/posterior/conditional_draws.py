"""Draws of effects given hyperparameters: a mixture component for each effect, then a normal from it.

Random numbers are taken from the generator in blocks that fit the cache; draws depend on its state alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from causalgia.compiled import njit
from causalgia.posterior.scale_mixture import Components, Node, posterior_normals
from causalgia.posterior.vector_math import LOG2E, exp2, inverse_root
from causalgia.types import Array

__all__ = ["Window", "draw_effects", "draw_mixtures", "whole_window", "window_of"]

Window: TypeAlias = tuple[
    npt.NDArray[np.intp], npt.NDArray[np.intp]
]  # first component and one past the last, (K,) each

_BLOCK = 1 << 16
_WIDTH = 64
_UNUSED = 1e-9


def draw_mixtures(n: int, mean: Array, sd: Array, probability: Array, generator: np.random.Generator) -> Array:
    """Return n draws, (n, K), of effects that are mixtures of normals (mean, sd, probability; each (K, J)).

    References
    ----------
    Vose (1991), doi:10.1109/32.92917 (a component in constant time).
    """
    share, other = np.empty_like(probability), np.empty(probability.shape, dtype=np.intp)
    _alias_tables(probability, share, other)
    out = np.empty((n, len(mean)))
    for some in _slices(len(mean), _WIDTH):
        tables = tuple(x[some] for x in (mean, sd, share, other))
        for draws in _slices(n, _BLOCK // _WIDTH):
            shape = (draws.stop - draws.start, some.stop - some.start)
            _draw_mixtures_kernel(*tables, generator.random(shape), generator.standard_normal(shape), out[draws, some])
    return out


def draw_effects(
    residual: Array,
    location: Array,
    noise: Array,
    scale: Array,
    components: Components,
    window: Window,
    generator: np.random.Generator,
) -> Array:
    """Return a draw of each effect under each of n hyperparameters, (n, K).

    Residuals and locations are (n, K), noise variances (K,), and `scale`, (n,), multiplies the sd of the components.
    """
    out = np.empty_like(residual)
    weight, variance = components.weight, components.variance
    for draws in _slices(len(out), max(1, _BLOCK // len(noise))):
        u, z = generator.random(out[draws].shape), generator.standard_normal(out[draws].shape)
        _draw_effects_kernel(
            residual[draws], location[draws], noise, scale[draws] ** 2, variance, weight, *window, u, z, out[draws]
        )
    return out


def whole_window(n: int, components: Components) -> Window:
    """Return the window that leaves out no component of any of n effects."""
    return np.zeros(n, dtype=np.intp), np.full(n, len(components.weight), dtype=np.intp)


def window_of(places: Iterable[tuple[Array, float]], noise: Array, components: Components) -> Window:
    """Return the components that matter for each effect: at these (residual, scale) others have probability below 1e-9.

    The other nodes of a Student-t matter for outliers only, and would cost time.
    """
    used = np.zeros((len(noise), len(components.weight)), dtype=bool)
    for residual, scale in places:
        here = Components(scale**2 * components.variance, components.weight)
        used |= posterior_normals(Node(1.0, residual, residual, here), noise)[2] > _UNUSED
    return np.argmax(used, axis=1), used.shape[1] - np.argmax(used[:, ::-1], axis=1)


def _slices(length: int, width: int) -> list[slice]:
    return [slice(start, min(start + width, length)) for start in range(0, length, width)]


@njit(nogil=True)
def _alias_tables(probability, share, other):  # type: ignore[no-untyped-def]
    """Split J probabilities into J equal cells of at most two components each: j below `share`, else `other`."""
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


@njit(nogil=True, fastmath=True)
def _draw_effects_kernel(  # type: ignore[no-untyped-def]
    residual, location, noise, scale2, variance, weight, first, last, u, z, out
):
    term = np.empty(len(weight))
    for i in range(out.shape[0]):
        t2 = scale2[i]
        for k in range(out.shape[1]):
            s2, start, size = noise[k], first[k], last[k] - first[k]
            half = 0.5 * LOG2E * residual[i, k] ** 2
            least = half / (s2 + t2 * variance[last[k] - 1])  # exponent of the widest component, the largest
            for j in range(size):
                y = inverse_root(s2 + t2 * variance[start + j])
                exponent = least - half * y * y
                term[j] = weight[start + j] * y * exp2(min(max(exponent, -1000.0), 0.0))
            total = 0.0
            for j in range(size):
                total += term[j]
            j = 0
            at = u[i, k] * total
            while j < size - 1 and at >= term[j]:
                at -= term[j]
                j += 1
            v = t2 * variance[start + j]
            gain = v / (s2 + v)
            out[i, k] = location[i, k] + gain * residual[i, k] + np.sqrt(gain * s2) * z[i, k]
