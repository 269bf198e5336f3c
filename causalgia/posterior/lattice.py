"""Sums of smooth functions over thousands of estimates, as weighted sums over a lattice of (estimate, standard error).

Given mu and a law that is a mixture of normals, the log density of an estimate is a smooth function of
``u = (d - c) / s`` and ``v = log s``: a density is not narrower than its error, and its features far out widen with u.
Interpolated by polynomials on a lattice of (asinh u, v), its sum over all estimates is a sum over the lattice, with
counts that do not depend on the law. So are its derivatives, and smooth functions of (u, v) are interpolated at each
estimate by the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalgia.compiled import njit
from causalgia.types import Array

__all__ = ["COARSE", "FINE", "Lattice", "Spacing", "bin_estimates", "build_lattice"]

_SAME = 1e-9
_BIN, _BIN_SE = 0.4, 0.3
_LEAST_GAIN = 2


@dataclass(frozen=True)
class Spacing:
    """Spacing of the points of a lattice, and order of the interpolating polynomials."""

    step: float
    """In ``u`` near the centre."""
    bend: float
    """Beyond this u the step grows with u."""
    order: int
    step_se: float
    """In the log of standard errors."""
    order_se: int


FINE = Spacing(0.25, 4.0, 8, 0.1, 6)
"""Sums of log densities of two scales over 10,000 estimates have an error of a few 1e-3."""
COARSE = Spacing(0.35, 3.0, 8, 0.2, 6)
"""Such sums have an error of half a nat, and interpolated values of 1e-4."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """J points that represent K estimates."""

    effect: Array
    """Estimates at the points, (J,)."""
    noise: Array
    """Noise variances there, (J,)."""
    count: Array
    """Number of estimates that each point represents, (J,): some negative, K in total."""
    place: npt.NDArray[np.int64]
    """Index of the point at each place, (U, V); -1 where there is none."""
    first: npt.NDArray[np.int64]
    """Place of the first point about each estimate along both axes, (2, K)."""
    share_u: Array
    """Weights of the points along u about each estimate, (K, order)."""
    share_v: Array
    """And along v."""

    def read(self, values: Array) -> Array:
        """Return values of K estimates, (..., K), from those at the points, (..., J).

        Examples
        --------
        >>> effect = np.random.default_rng(0).normal(size=400)
        >>> lattice = build_lattice(effect, np.ones(400))
        >>> bool(np.allclose(lattice.read(np.sin(lattice.effect)), np.sin(effect), atol=1e-6))
        True
        """
        columns = np.ascontiguousarray(values.reshape(-1, values.shape[-1]).T)
        out = np.zeros((self.first.shape[1], columns.shape[1]))
        _interpolate(self.place, self.first, self.share_u, self.share_v, columns, out)
        return np.ascontiguousarray(out.T).reshape(*values.shape[:-1], -1)


def build_lattice(effect: Array, noise: Array, spacing: Spacing = FINE) -> Lattice | None:
    """Return the lattice of these estimates, or None where it has more than half as many points.

    With equal standard errors it has one dimension.

    Parameters
    ----------
    effect, noise
        Estimates and their independent noise variances, (K,).
    spacing
        `FINE` or `COARSE`.

    References
    ----------
    Berrut & Trefethen (2004), doi:10.1137/S0036144502417715.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(0, 2, 10_000)
    >>> lattice = build_lattice(effect, np.ones(10_000))
    >>> len(lattice.effect) < 100, float(lattice.count @ lattice.effect**2 / (effect**2).sum()).__round__(6)
    (True, 1.0)
    """
    center, log_se, bend = float(np.median(effect)), 0.5 * np.log(noise), spacing.bend
    least = float(log_se.min())
    u = bend / spacing.step * np.arcsinh((effect - center) / np.sqrt(noise) / bend)
    v, order_se = (log_se - least) / spacing.step_se, spacing.order_se
    if np.ptp(log_se) < _SAME:
        v, order_se = np.zeros(len(effect)), 1
    along, share_u = _interpolation_weights(u, spacing.order)
    across, share_v = _interpolation_weights(v, order_se)
    left, low = along.min(), across.min()
    first = np.stack([along - left, across - low])
    counts = np.zeros(first.max(axis=1) + np.array([spacing.order, order_se]))
    used = np.zeros(counts.shape, dtype=np.bool_)
    _add_counts(first, share_u, share_v, counts, used)
    place, (row, column) = np.cumsum(used).reshape(used.shape) - 1, np.nonzero(used)
    if _LEAST_GAIN * len(row) > len(effect):
        return None
    se = np.exp(least + spacing.step_se * (column + low))
    at = center + se * bend * np.sinh((row + left) * spacing.step / bend)
    return Lattice(at, se**2, counts[used], np.where(used, place, -1), first, share_u, share_v)


def bin_estimates(effect: Array, noise: Array) -> tuple[Array, Array, Array]:
    """Return binned estimates: means of estimates, variances at mean log standard errors, and counts, (J,) each.

    Unlike the points of a lattice they are plausible estimates under any law, with slightly less variance.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(0, 2, 10_000)
    >>> middle, _, count = bin_estimates(effect, np.ones(10_000))
    >>> len(middle) < 40, float((count @ middle**2 / (effect**2).sum()).round(2))
    (True, 1.0)
    """
    log_se = 0.5 * np.log(noise)
    u = COARSE.bend * np.arcsinh((effect - np.median(effect)) / np.sqrt(noise) / COARSE.bend)
    row, column = (np.rint(x / step).astype(np.int64) for x, step in ((u, _BIN), (log_se - log_se.min(), _BIN_SE)))
    _, place = np.unique((row - row.min()) * (column.max() + 1) + column, return_inverse=True)
    count = np.bincount(place).astype(np.float64)
    return np.bincount(place, effect) / count, np.exp(2 * np.bincount(place, log_se) / count), count


def _interpolation_weights(x: Array, order: int) -> tuple[npt.NDArray[np.int64], Array]:
    """Return the first of the integers about each x, (K,), and the weights of the polynomial in them, (K, order)."""
    first = np.floor(x).astype(np.int64) - (order // 2 - 1 if order > 1 else 0)
    nodes = np.arange(order)
    scale = np.array([np.prod(j - np.delete(nodes, j)) for j in nodes], dtype=np.float64)
    share = np.empty((len(x), order))
    _lagrange_weights(x - first, scale, share)
    return first, share


@njit(nogil=True)
def _lagrange_weights(away, scale, share):  # type: ignore[no-untyped-def]
    order = len(scale)
    for k in range(len(away)):
        product = 1.0
        for j in range(order):
            share[k, j] = product / scale[j]
            product *= away[k] - j
        product = 1.0
        for j in range(order - 1, -1, -1):
            share[k, j] *= product
            product *= away[k] - j


@njit(nogil=True)
def _add_counts(first, share_u, share_v, counts, used):  # type: ignore[no-untyped-def]
    for k in range(first.shape[1]):
        for i in range(share_u.shape[1]):
            for j in range(share_v.shape[1]):
                counts[first[0, k] + i, first[1, k] + j] += share_u[k, i] * share_v[k, j]
                used[first[0, k] + i, first[1, k] + j] = True


@njit(nogil=True)
def _interpolate(place, first, share_u, share_v, values, out):  # type: ignore[no-untyped-def]
    for k in range(len(out)):
        for i in range(share_u.shape[1]):
            for j in range(share_v.shape[1]):
                share, at = share_u[k, i] * share_v[k, j], place[first[0, k] + i, first[1, k] + j]
                for h in range(out.shape[1]):
                    out[k, h] += share * values[at, h]
