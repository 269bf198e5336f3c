"""Sums over the arms of each unit, block by block of units, and where they are one number within their rounding."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from causalgia.effects.scales import put_on, transformed
from causalgia.numerics.row_blocks import Rows, by_block, is_lazy, remember, row_blocks
from causalgia.types import Array, Mask


def weighed(y: Rows, W: sparse.csr_array, *, scale: str) -> tuple[Rows, Mask, Mask]:
    """Return ``sum_a w_a g(Y_u(a))`` of each unit u, where all units have one such number, and where that may be 0.

    Parameters
    ----------
    y
        Outcomes as they were measured, which the scale is possible for, in memory or lazy, shape ``(n, A, ...)``.
    W
        Weights, shape ``(K, A)``.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g.

    Returns
    -------
    sums, constant, zero
        Shape ``(n, K, ...)`` in float64, lazy where the outcomes are and in chunks of the same units; and ``(K, ...)``.

    Examples
    --------
    >>> weighed(np.array([[1.0, 3.0], [2.0, 4.0]]), sparse.csr_array([[-1.0, 1.0]]), scale="identity")
    (array([[2.],
           [2.]]), array([ True]), array([False]))
    """
    shape = (W.shape[0], *y.shape[2:])
    out = None if is_lazy(y) else np.empty((len(y), *shape))
    start, ends = 0, _Ends(shape)
    for block in row_blocks(y, math.prod(shape)):
        sums = ends.add(block, W, scale)
        if out is not None:
            out[start : start + len(block)] = np.moveaxis(sums, 0, 1)
        start += len(block)
    found = by_block(y, _weighed, W=W, scale=scale) if out is None else out
    if out is None:
        remember(found, ends.least, ends.most)
    constant = ends.low <= ends.high
    return found, constant, constant & (ends.low <= 0) & (ends.high >= 0)


class _Ends:
    """Extremes of sums of arms, and the interval that all of them share within their rounding, shape ``(K, ...)``."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.least, self.high = np.full(shape, np.inf), np.full(shape, np.inf)
        self.most, self.low = np.full(shape, -np.inf), np.full(shape, -np.inf)

    def add(self, block: Array, W: sparse.csr_array, scale: str) -> Array:
        """Take in outcomes of some units, ``(b, A, ...)``; return their sums, ``(K, b, ...)``."""
        y, bound = put_on(block, scale=scale)
        sums, within = times(W, y), times(abs(W), bound)
        np.minimum(self.least, sums.min(axis=1), out=self.least)
        np.maximum(self.most, sums.max(axis=1), out=self.most)
        np.minimum(self.high, (sums + within).min(axis=1), out=self.high)
        np.maximum(self.low, (sums - within).max(axis=1), out=self.low)
        return sums


def _weighed(block: Array, *, W: sparse.csr_array, scale: str) -> Array:
    return np.ascontiguousarray(np.moveaxis(times(W, transformed(block, scale=scale)), 0, 1))


def times(W: sparse.csr_array, x: Array) -> Array:
    """Return weighted sums of the arms, ``(K, n, ...)``, of numbers ``(n, A, ...)``.

    Examples
    --------
    >>> times(sparse.csr_array([[-1.0, 1.0]]), np.array([[1.0, 3.0], [2.0, 5.0]]))
    array([[2., 3.]])
    """
    by_arm = np.moveaxis(x, 1, 0)
    return np.asarray(W @ by_arm.reshape(len(by_arm), -1)).reshape(W.shape[0], *by_arm.shape[1:])
