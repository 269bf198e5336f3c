"""Draws of the weights of a mixture, by data augmentation: what leave-one-out of the spike and slab needs."""

from __future__ import annotations

import numpy as np
from numba import njit

from causalgia.posterior.exact import Array

__all__ = ["weight_draws"]

_SWEEPS, _BURN_IN = 3, 100


def weight_draws(log_terms: Array, counts: Array, start: Array, n: int, generator: np.random.Generator) -> Array:
    """Return n draws of weights ``w ~ Dirichlet(counts)`` given observations with density ``sum_j w_j L_kj``, (n, J).

    The mode of this posterior is the penalised maximum with penalty ``sum_j (counts_j - 1) log w_j``. Components of the
    observations and weights are drawn in turn, three times a draw, after 100 turns from the start.

    Parameters
    ----------
    log_terms
        ``log L_kj``, (K, J).
    counts
        Of the Dirichlet prior, (J,), each positive.
    start
        Weights to start from, (J,).
    n
        How many draws.

    References
    ----------
    Diebolt & Robert (1994), doi:10.1111/j.2517-6161.1994.tb01985.x.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> apart = np.log(np.repeat([[0.9, 0.1], [0.1, 0.9]], [30, 10], axis=0))
    >>> weight_draws(apart, np.ones(2), np.full(2, 0.5), 2_000, rng).mean(axis=0).round(1)
    array([0.8, 0.2])
    """
    likelihood = np.exp(log_terms - log_terms.max(axis=1, keepdims=True))
    weight, out = start.astype(np.float64), np.empty((n, len(counts)))
    found = np.empty(len(counts))
    for turn in range(-_BURN_IN, n * _SWEEPS):
        _counted(likelihood, weight, generator.random(len(likelihood)), found)
        gamma = generator.standard_gamma(counts + found)
        weight = gamma / gamma.sum()
        if turn >= 0:
            out[turn // _SWEEPS] = weight
    return out


@njit(nogil=True, cache=True)
def _counted(likelihood, weight, u, found):  # type: ignore[no-untyped-def]
    """Draw the component of each observation, and count them."""
    size = len(weight)
    found[:] = 0.0
    for k in range(len(likelihood)):
        total = 0.0
        for j in range(size):
            total += weight[j] * likelihood[k, j]
        at, j = u[k] * total, 0
        while j < size - 1 and at >= weight[j] * likelihood[k, j]:
            at -= weight[j] * likelihood[k, j]
            j += 1
        found[j] += 1.0
