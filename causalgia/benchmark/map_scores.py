"""How well scores of positions agree with a truth: ranks, precision, and calls against null maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from causalgia.types import Array

Bases = NDArray[np.bool_]


def average_precision(scores: Array, read: Bases) -> float:
    """Return the mean precision over the read bases, each at its own score; equal scores enter together.

    Examples
    --------
    >>> average_precision(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
    0.833...
    """
    above = rankdata(-scores, method="max")
    recalled = rankdata(-scores[read], method="max")
    return float((recalled / above[read]).mean())


def precision_at_k(scores: Array, read: Bases) -> float:
    """Return the share of read bases among the k largest scores, k their number, with ties broken at random.

    Examples
    --------
    >>> precision_at_k(np.array([3.0, 1.0, 1.0, 0.0]), np.array([True, True, False, False]))
    0.75
    """
    k = int(read.sum())
    last = np.sort(scores)[-k]
    above, tied = scores > last, scores == last
    return float((read[above].sum() + (k - above.sum()) * read[tied].mean()) / k)


def called(scores: Array, null: Array, rate: float) -> Bases:
    """Return which scores are called at a nominal false discovery rate, by Benjamini-Hochberg against null scores.

    The p-value of a score is the share of null scores that are as large, both counted with one more.

    Examples
    --------
    >>> called(np.array([9.0, 0.1]), np.arange(100) / 100, 0.1)
    array([ True, False])
    """
    ranked = np.sort(null.ravel())
    at_least = len(ranked) - np.searchsorted(ranked, scores.ravel(), "left")
    p = (1 + at_least) / (1 + len(ranked))
    order = np.sort(p)
    within = np.flatnonzero(order <= rate * np.arange(1, len(p) + 1) / len(p))
    return (p <= order[within[-1]]).reshape(scores.shape) if len(within) else np.zeros(scores.shape, dtype=bool)


def mean_with_se(values: Array) -> tuple[float, float]:
    """Return a mean over sequences and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def ratio_with_se(above: Array, below: Array) -> tuple[float, float]:
    """Return a ratio of sums over sequences and its standard error by linearization; 0 of nothing is 0.

    Examples
    --------
    >>> ratio_with_se(np.array([1.0, 1.0]), np.array([2.0, 2.0]))
    (0.5, 0.0)
    """
    total = float(below.sum())
    if total == 0:
        return 0.0, 0.0
    ratio, n = float(above.sum()) / total, len(above)
    residual = above - ratio * below
    return ratio, float(np.sqrt(n / (n - 1) * (residual**2).sum()) / abs(total))


def map_correlation(one: Array, other: Array) -> Array:
    """Return the correlation over positions of two maps of each sequence, (n, length); 0 of a map that is flat.

    Examples
    --------
    >>> map_correlation(np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]), np.array([[0.0, 2.0, 4.0], [1.0, 2.0, 3.0]]))
    array([1., 0.])
    """
    centered = [x - x.mean(1, keepdims=True) for x in (one, other)]
    size = np.sqrt((centered[0] ** 2).sum(1) * (centered[1] ** 2).sum(1))
    found: Array = np.divide((centered[0] * centered[1]).sum(1), size, out=np.zeros(len(one)), where=size > 0)
    return found
