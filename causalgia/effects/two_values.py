"""Outcomes that take two values: how many units show each, by arm and by pair of arms
of a contrast.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from causalgia.errors import EstimateError, quoted
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


def counts_of_combinations(
    ice: Array, W: Array, known: TwoValues, H: Array, names: list[str]
) -> TwoValues | None:
    """Count the outcomes of combinations of contrasts of a crossover, whose effects are
    known and not its outcomes; None where all take other values.

    Effects say which arms of a unit differ. In units where none does, all show the
    larger value or all the smaller one: how many, the contrasts' own counts tell.

    Parameters
    ----------
    ice
        Individual effects of K contrasts, shape ``(n, K, R)``.
    W
        Weights of the contrasts, shape ``(K, A)``.
    known
        Counts of the contrasts, shape ``(K, R, ...)``.
    H
        Weights of the contrasts in h combinations, shape ``(h, K)``.
    names
        Names of the combinations, for errors.

    Raises
    ------
    EstimateError
        If the contrasts do not say how two arms of a combination differ.

    Examples
    --------
    >>> y = np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])[:, :, None]
    >>> W = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    >>> each = count_two_values(y, lambda: iter([y]), sparse.csr_array(W))
    >>> ice = np.einsum("ka,nar->nkr", W, y)
    >>> found = counts_of_combinations(ice, W, each, np.array([[1.0, -1.0]]), ["a - b"])
    >>> found.weight.ravel(), found.counts[0, 0, 0, 1]
    (array([ 1., -1.]), array([1, 1, 1, 0]))
    """
    B = H @ W
    B[np.abs(B) < _EQUAL * np.abs(H).max(axis=1, keepdims=True)] = 0.0
    own = [np.flatnonzero(row) for row in B]
    m = max((len(arms) for arms in own if len(arms) <= _MOST_ARMS), default=0)
    n_tasks = ice.shape[2]
    weight = np.zeros((len(H), n_tasks, m))
    counts = np.zeros((len(H), n_tasks, m, m, 4), dtype=np.int64)
    for j, arms in enumerate(own):
        used = np.flatnonzero(H[j])
        of_rows = (known.weight[used] != 0).any(axis=-1).all(axis=0)
        if not len(arms) or len(arms) > _MOST_ARMS or not of_rows.any():
            continue
        # differences from the first arm, as sums of the contrasts
        differ = np.eye(W.shape[1])[arms] - np.eye(W.shape[1])[arms[0]]
        by = np.linalg.lstsq(W[used].T, differ.T, rcond=None)[0]
        if np.abs(W[used].T @ by - differ.T).max() > _EQUAL:
            raise EstimateError(
                f"hypothesis {quoted(names[j])}: the outcomes take two values, and the "
                "effects do not say how its arms agree; give the outcomes to cg.contrast"
            )
        for t in np.flatnonzero(of_rows).tolist():
            found = _of_differences(ice[:, used, t] @ by, arms, W[used], used, known, t)
            if found is not None:
                above, distance = found
                k = len(arms)
                weight[j, t, :k] = B[j, arms] * distance
                cells = (
                    (above, above),
                    (above, ~above),
                    (~above, above),
                    (~above, ~above),
                )
                for cell, (one, other) in enumerate(cells):
                    counts[j, t, :k, :k, cell] = one.astype(np.int64).T @ other
    return TwoValues(weight, np.asarray(counts)) if weight.any() else None


def _of_differences(
    away: Array, arms: Codes, W: Array, used: Codes, known: TwoValues, t: int
) -> tuple[Mask, float] | None:
    """Return which outcomes of the arms show the larger value, up to the order of units
    in which all arms agree, and the distance of the two; None where they take others.
    """
    distance, total = set[float](), dict[int, int]()
    for row, k in zip(W, used, strict=True):
        for place, a in enumerate(np.flatnonzero(row)):
            distance.add(float(f"{abs(known.weight[k, t, place] / row[a]):.6g}"))
            total[int(a)] = int(known.counts[k, t, place, place, 0])
    if len(distance) > 1:
        return None
    level = np.rint((away - away.min(axis=1, keepdims=True)) / (size := distance.pop()))
    agree = level.max(axis=1) == 0
    short = np.array([total[int(a)] for a in arms]) - level[~agree].sum(axis=0)
    if level.max() > 1 or np.ptp(short) > 0 or not 0 <= short[0] <= agree.sum():
        return None
    above = level > 0
    above[np.flatnonzero(agree)[: int(short[0])]] = True
    return above, size


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
