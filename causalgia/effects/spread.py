"""How much the control arm varies over units: the unit of priors and of standardised effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from causalgia.scales import Array, agreement


def pooled_sd(sds: Array, W: sparse.csr_array) -> Array:
    """Pool the sd of the arms that each contrast subtracts: ``sqrt(sum |w_a| s_a^2 / sum |w_a|)`` over ``w_a < 0``.

    Parameters
    ----------
    sds
        Standard deviation of each arm over units, shape ``(A, ...)``; only arms of negative weight are read.
    W
        Weights of K contrasts, each with a negative one, shape ``(K, A)``.

    Returns
    -------
    array
        Shape ``(K, ...)``, on the scale of `sds`.

    Examples
    --------
    >>> pooled_sd(np.array([3.0, 1.0, 5.0]), sparse.csr_array([[-1.0, 1.0, 0.0], [-0.5, 1.0, -0.5]])).round(4)
    array([3.    , 4.1231])
    """
    share = (-W).maximum(0)
    share = sparse.diags_array(1 / share.sum(axis=1)) @ share
    flat = sds.reshape(len(sds), -1)
    peak = np.where(flat.max(axis=0) > 0, flat.max(axis=0), 1.0)
    pooled = np.asarray(share @ (flat / peak) ** 2)
    return np.asarray(peak * np.sqrt(pooled)).reshape(W.shape[0], *sds.shape[1:])


def arm_sds(values: Sequence[Array], bounds: Sequence[Array]) -> Array:
    """Return the sd over units of each arm, 0 where its values are one number within their own rounding.

    Parameters
    ----------
    values, bounds
        For each arm: outcomes of two or more units, and bounds on their rounding, shape ``(n_a, ...)`` each.

    Returns
    -------
    array
        Shape ``(A, ...)``.

    Examples
    --------
    >>> arm_sds([np.array([1.0, 3.0]), np.array([0.3, 0.1 + 0.2])], [np.zeros(2), np.full(2, 1e-16)]).round(4)
    array([1.4142, 0.    ])
    """
    return np.stack([_sd(y, bound) for y, bound in zip(values, bounds, strict=True)])


def _sd(y: Array, bound: Array) -> Array:
    peak = np.abs(y).max(axis=0)
    z = y / np.where(peak > 0, peak, 1.0)
    return np.where(agreement(y, bound)[0], 0.0, peak * (z - z[0]).std(axis=0, ddof=1))


def control_sd(values: Sequence[Array], bounds: Sequence[Array], W: sparse.csr_array) -> dict[str, Array]:
    """Return ``control_sd`` of each contrast, shape ``(K, ...)``; nothing where an arm has fewer than two units.

    Parameters
    ----------
    values, bounds
        For each of A arms: outcomes of its units, and bounds on their rounding, shape ``(n_a, ...)`` each.
    W
        Weights, shape ``(K, A)``.

    Examples
    --------
    >>> control_sd([np.array([1.0, 3.0]), np.array([5.0, 6.0])], [np.zeros(2)] * 2, sparse.csr_array([[-1.0, 1.0]]))
    {'control_sd': array([1.41421356])}
    """
    subtracted = np.unique(W.indices[W.data < 0])
    if min(len(values[a]) for a in subtracted) < 2:
        return {}
    sds = arm_sds([values[a] for a in subtracted], [bounds[a] for a in subtracted])
    return {"control_sd": pooled_sd(sds, W[:, subtracted])}
