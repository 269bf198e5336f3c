"""Outcomes that take two values: how many units show each, by arm and by pair of arms
of a contrast.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.types import Array, Codes, Mask

WEIGHT, COUNTS = "two_valued_weight", "two_valued_counts"
"""Variables of effects and estimates: those of `TwoValues`."""
_EQUAL = 1e-6
AT_FIRST = 64
"""Units that are looked at first."""
_MOST_ARMS = 64
"""Arms of a contrast whose pairs are counted, at most; sums of more hardly show that
their outcomes have two values.
"""


class TwoValues(NamedTuple):
    """What K contrasts know of outcomes that take two values.

    Attributes
    ----------
    weight
        Weight of each own arm times the distance of the two values, shape
        ``(K, ..., m)`` for contrasts of at most m arms; 0 beyond the arms of a
        contrast, and where its outcomes take other values.
    counts
        Units of two own arms that show the larger value in both, in the first alone, in
        the second alone and in neither, shape ``(K, ..., m, m, 4)``; on the diagonal
        those of one arm.
    """

    weight: Array
    counts: Array

    def columns(
        self, dims: tuple[Hashable, ...]
    ) -> dict[str, tuple[tuple[Hashable, ...], Array]]:
        """Return the variables of effects on dims (contrast, ...)."""
        return {
            WEIGHT: ((*dims, "own"), self.weight),
            COUNTS: ((*dims, "own", "own_", "cell"), self.counts),
        }


def count_two_values(
    first: Array, blocks: Callable[[], Iterator[Array]], W: sparse.csr_array
) -> TwoValues | None:
    """Count the outcomes of contrasts whose own arms take two values; None where all
    take others.

    Values are equal within 1e-6 of the distance of the two. Arms that show nothing but
    0, or but 1, are those of 0/1 outcomes.

    Parameters
    ----------
    first
        Outcomes of some units, shape ``(n, A, ...)``; NaN for an arm that a unit lacks.
        Where they take other values, as most do, no more are read.
    blocks
        Returns the outcomes of all units, in blocks of that shape.
    W
        Weights, shape ``(K, A)``.

    Examples
    --------
    >>> y = np.array([[0.0, 0.0], [0.0, 100.0], [100.0, 100.0]])[:, :, None]
    >>> found = count_two_values(y, lambda: iter([y]), sparse.csr_array([[-1.0, 1.0]]))
    >>> found.weight.ravel(), found.counts[0, 0, 0, 1]
    (array([-100.,  100.]), array([1, 0, 1, 1]))
    """
    own: list[Codes] = [
        W.indices[start:stop].astype(np.intp)
        for start, stop in zip(W.indptr[:-1], W.indptr[1:], strict=True)
    ]
    low, high = _extremes(first)
    if not _show_two([first], own, _ends_of_contrasts(low, high, own)).any():
        return None
    for block in blocks():
        least, most = _extremes(block)
        low, high = np.fmin(low, least), np.fmax(high, most)
    ends = _ends_of_contrasts(low, high, own)
    known = _show_two(blocks(), own, ends)
    known[[len(arms) > _MOST_ARMS for arms in own]] = False
    if not known.any():
        return None
    some = np.flatnonzero(known.reshape(len(own), -1).any(axis=1)).tolist()
    # of the contrasts, not of what they show: tables of several predictors are joined
    m = max(len(arms) for arms in own if len(arms) <= _MOST_ARMS)
    trailing = low.shape[1:]
    weight = np.zeros((len(own), m, *trailing))
    counts = np.zeros((len(own), m, m, 4, *trailing), dtype=np.int64)
    for k in some:
        w = W.data[W.indptr[k] : W.indptr[k + 1]]
        distance = np.where(known[k], ends[1][k] - ends[0][k], 0.0)
        weight[k, : len(w)] = np.multiply.outer(w, distance)
    for block in blocks():
        for k in some:
            y = block[:, own[k]]
            here = np.isfinite(y) & known[k]
            above = here & (y - ends[0][k] > ends[1][k] - y)
            below, n = here & ~above, len(own[k])
            for cell, (one, other) in enumerate(
                ((above, above), (above, below), (below, above), (below, below))
            ):
                counts[k, :n, :n, cell] += np.einsum(
                    "na...,nb...->ab...", one.astype(np.int64), other.astype(np.int64)
                )
    return TwoValues(
        np.moveaxis(weight, 1, -1).copy(),
        np.moveaxis(counts, (1, 2, 3), (-3, -2, -1)).copy(),
    )


def _extremes(y: Array) -> tuple[Array, Array]:
    """Return the least and the largest value of each arm, NaN for one without any."""
    return np.fmin.reduce(y, axis=0), np.fmax.reduce(y, axis=0)


def _ends_of_contrasts(
    low: Array, high: Array, own: list[Codes]
) -> tuple[Array, Array]:
    """Return the two values that the own arms of each contrast would have to take,
    ``(K, ...)`` each; equal where there is one value.
    """
    least, most = (
        np.stack([take(x[arms], axis=0) for arms in own])
        for take, x in ((np.fmin.reduce, low), (np.fmax.reduce, high))
    )
    size = np.fmax(np.abs(least), np.abs(most))
    one = most - least <= RELATIVE_ROUNDING * size
    # nothing but 0, or but 1
    plain = one & (np.fmin(np.abs(least), np.abs(least - 1)) <= RELATIVE_ROUNDING)
    least, most = np.where(plain, 0.0, least), np.where(plain, 1.0, most)
    return least, np.where(one & ~plain, least, most)


def _show_two(
    blocks: Iterator[Array] | list[Array],
    own: list[Codes],
    ends: tuple[Array, Array],
) -> Mask:
    """Return whether the own arms of each contrast take no other values, ``(K, ...)``."""
    least, most = ends
    known = np.asarray(most > least)
    for block in blocks:
        for k in np.flatnonzero(known.reshape(len(own), -1).any(axis=1)):
            y, reach = block[:, own[k]], _EQUAL * (most[k] - least[k])
            away = np.minimum(np.abs(y - least[k]), np.abs(y - most[k]))
            known[k] &= (np.isnan(y) | (away <= reach)).all(axis=(0, 1))
    return known
