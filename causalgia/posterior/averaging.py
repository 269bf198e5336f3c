"""Posterior of the effects averaged over nodes of everything they share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from causalgia.posterior.scale_mixture import Node, Tails, probability_below, tails_of
from causalgia.types import Array

def average_tails(nodes: Iterable[Node], noise: Array, marginal: Array | None = None) -> Tails:
    """Return the posterior of the effects, averaged over nodes; noise and marginal variances as in `tails_of`."""
    return pooled((node.weight, tails_of(node, noise, marginal)) for node in nodes)


def pooled(parts: Iterable[tuple[float, Tails]]) -> Tails:
    """Return the average of weighted posteriors.

    The spread between their means is kept exactly: a running mean and a running sum of squares about it.
    """
    total, mean, square, sums = 0.0, np.zeros(()), np.zeros(()), np.zeros(())
    for weight, tails in parts:
        total += weight
        move = tails.mean - mean
        mean = mean + weight / total * move
        square = square + weight * (tails.square + move * (tails.mean - mean))
        sums = sums + weight * np.array([tails.below, tails.above, tails.zero, tails.shrinkage])
    return Tails(mean, square / total, *(sums / total))


def average_below(x: Array, nodes: Iterable[Node], noise: Array) -> Array:
    """Return P(effect_k <= x_k), (K,), averaged over nodes whose weights sum to 1."""
    terms = (node.weight * probability_below(x, node, noise) for node in nodes)
    return np.asarray(sum(terms))


def lfsr_of(tails: Tails) -> Array:
    """Return the local false sign rate, P(= 0) + min(P(< 0), P(> 0)), (K,)."""
    return np.asarray(tails.zero + np.minimum(tails.below, tails.above))
