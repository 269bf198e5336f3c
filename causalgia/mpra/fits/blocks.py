"""How much the numbers of one replicate have in common: a correlation of each element, and their consensus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.mpra.counts.summing import group_sums
from causalgia.types import Array, Ints

_TRIM, _MARGIN = 0.15, 0.01
_STEPS = 60


def consensus_correlation(y: Array, used: NDArray[np.bool_], group: Ints, shape: tuple[int, int]) -> float:
    """Return the correlation of numbers within a replicate that elements agree on.

    Each element's comes from restricted maximum likelihood of ``arm + replicate`` with replicates random, where the
    variance between replicates may be negative; the consensus is the hyperbolic tangent of the mean of their inverse
    hyperbolic tangents, 15 % trimmed off either end. 0 where no element can say.

    Parameters
    ----------
    y, used
        Numbers, shape ``(B, R)``, and which there are.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).

    References
    ----------
    Smyth, Michaud & Scott (2005), doi:10.1093/bioinformatics/bti270.
    """
    n = group_sums(used, group, shape)
    squares, sizes, repeats = _independent(np.where(used, y, 0.0), used, group, shape, n)
    total, blocks = n.sum(axis=(1, 2)), (n.sum(axis=1) > 0).sum(axis=1)
    able = (total > shape[1] + 2) & (blocks > 1) & (blocks < total - 1) & (squares.sum(axis=1) > 0)
    if not able.any():
        return 0.0
    least = 1 / (1 - n.sum(axis=1).max()) + _MARGIN
    found = _likeliest(squares[able], sizes[able], repeats[able])
    z = np.sort(np.arctanh(np.clip(found, least, 1 - _MARGIN)))
    cut = int(_TRIM * len(z))
    return float(np.tanh(z[cut : len(z) - cut].mean()))


def _independent(
    y: Array, used: NDArray[np.bool_], group: Ints, shape: tuple[int, int], n: Array
) -> tuple[Array, Array, Array]:
    """Turn each element's numbers, arms taken out, into independent ones of variance ``error + size * between``.

    Returns
    -------
    squares, sizes, repeats
        Sum of squares, size and number of such, shape ``(E, R + 1)``; the first column holds all of size 0.
    """
    per_arm = n.sum(axis=2)
    mean = group_sums(y.sum(axis=1), group, shape) / np.maximum(per_arm, 1)
    left = (y - mean.reshape(-1)[group][:, None]) * used
    of_replicate = group_sums(left, group, shape).sum(axis=1)
    shared = -np.einsum("ear,eas->ers", n / np.maximum(per_arm, 1)[..., None], n)
    R = y.shape[1]
    shared[:, np.arange(R), np.arange(R)] += n.sum(axis=1)
    sizes, vectors = np.linalg.eigh(shared)
    there = sizes > 1e-8 * np.maximum(sizes[:, -1:], 1.0)
    turned = np.einsum("erj,er->ej", vectors, of_replicate) ** 2
    squares = np.where(there, turned / np.where(there, sizes, 1.0), 0.0)
    all_squares = group_sums((left**2).sum(axis=1), group, shape).sum(axis=1)
    rest = np.maximum(all_squares - squares.sum(axis=1), 0.0)
    n_rest = per_arm.sum(axis=1) - (per_arm > 0).sum(axis=1) - there.sum(axis=1)
    return (
        np.column_stack([rest, squares]),
        np.column_stack([np.zeros(len(rest)), np.where(there, sizes, 0.0)]),
        np.column_stack([n_rest, there]).astype(np.float64),
    )


def _likeliest(squares: Array, sizes: Array, repeats: Array) -> Array:
    """Return the correlation of each row that makes its squares likeliest, by a grid and golden sections, ``(E,)``."""
    total, largest = repeats.sum(axis=1), sizes.max(axis=1)
    low = np.maximum(-1 / np.maximum(largest - 1, 1e-3), -1.0)

    def deviance(place: Array) -> Array:
        """Return minus twice the log likelihood at places 0 to 1 between the bounds of the correlation."""
        rho = low + place * (1 - low)
        relative = np.maximum(1 - rho[:, None] + rho[:, None] * sizes, 1e-12)
        error = (squares / relative).sum(axis=1) / total
        return np.asarray(total * np.log(np.maximum(error, 1e-300)) + (repeats * np.log(relative)).sum(axis=1))

    grid = np.linspace(0.002, 0.998, 84)
    best = np.argmin([deviance(np.full(len(total), g)) for g in grid], axis=0)
    a, b = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        c, d = b - golden * (b - a), a + golden * (b - a)
        lower = deviance(c) < deviance(d)
        a, b = np.where(lower, a, c), np.where(lower, d, b)
    return np.asarray(low + (a + b) / 2 * (1 - low))
