"""Effects inside blocks of a parallel trial: blocks that are drawn are units of a crossover."""

from __future__ import annotations

import numpy as np

from causalgia.effects.scales import agreement
from causalgia.numerics.moments import centred
from causalgia.types import Array, Codes


def block_effects(Y: Array, arm: Codes, block: Codes, W: Array) -> Array:
    """Return the effect inside each block: the contrast of the block's arm means.

    Blocks that are drawn from the null model are then units of a crossover: `mean_ice` of these.

    Parameters
    ----------
    Y
        Outcomes, shape ``(n, R)``.
    arm
        Arm of each unit, shape ``(n,)``.
    block
        Block of each unit, 0 to B - 1, shape ``(n,)``; every block has every arm with a weight.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.

    Returns
    -------
    array
        Shape ``(B, K, R)``.

    Examples
    --------
    >>> y = np.array([[1.0], [4.0], [2.0], [9.0]])
    >>> block_effects(y, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.array([[-1.0, 1.0]]))[:, 0, 0]
    array([3., 7.])
    """
    used = np.flatnonzero((W != 0).any(axis=0))
    means = np.stack([centred(Y[arm == a], block[arm == a])[0] for a in used])
    offset = means[0] if np.allclose(W.sum(axis=1), 0.0, atol=1e-9 * np.abs(W).max()) else 0.0
    return np.ascontiguousarray(np.moveaxis(np.tensordot(W[:, used], means - offset, axes=1), 1, 0))


def settled_block_effects(Y: Array, arm: Codes, block: Codes, W: Array, rounding: Array) -> Array:
    """Return `block_effects`; where they are one number within rounding, that number, and 0 where it may be 0.

    Parameters
    ----------
    Y, arm, block, W
        As in `block_effects`.
    rounding
        Bound on the rounding of each outcome, shape ``(n, R)``.

    Examples
    --------
    >>> y, arm, block = np.array([[0.3], [0.1 + 0.2], [0.3], [0.3]]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    >>> W = np.array([[-1.0, 1.0]])
    >>> block_effects(y, arm, block, W)[:, 0, 0], settled_block_effects(y, arm, block, W, np.spacing(y))[:, 0, 0]
    (array([5.55111512e-17, 0.00000000e+00]), array([0., 0.]))
    """
    inside = block_effects(Y, arm, block, W)
    used = np.flatnonzero((W != 0).any(axis=0))
    bounds = np.stack([centred(rounding[arm == a], block[arm == a])[0] for a in used])
    bound = np.moveaxis(np.tensordot(np.abs(W[:, used]), bounds, axes=1), 1, 0)
    constant, zero = agreement(inside, bound)
    return np.where(constant, np.where(zero, 0.0, centred(inside)[0][0]), inside)
