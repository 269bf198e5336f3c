"""Permutation test that the measured units are a random draw of the predicted ones."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy import special

from causalgia.types import Array, Codes

N_DRAWS = 19_999
_ENOUGH, _BLOCK, _TIE = 20, 100, 1e-10
_NUMBERS = 10_000_000  # in memory at a time: 80 MB


@dataclass(frozen=True)
class DrawTest:
    """Result of the permutation test.

    Attributes
    ----------
    p
        Permutation p-value: a random draw has ``p <= a`` with probability at most a, whatever the predictions are.
    by_spread
        Whether the measured units differ in the distance of their predictions from the middle, not in their level.
    contrast
        Contrast in which they differ most.
    """

    p: float
    by_spread: bool
    contrast: int = 0


def random_draw_test(
    f: Array, f_rest: Array, *, cluster: Codes | None = None, cluster_rest: Codes | None = None
) -> DrawTest:
    """Test that n measured units are a random draw of the n + N that were predicted.

    Under the null hypothesis every choice of n of the n + N units is equally likely, whatever the distribution of the
    predictions. Two scores detect selection by prediction: the normal score of the midrank (large or small predictions)
    and the distance of the midrank from the middle (extreme or typical ones). The statistic is the largest ``|mean
    score of the measured - mean score of all|``, in standard deviations, over scores and contrasts; the p-value is the
    share of random choices in which it is as large, the observed one included. Choices keep the predictions of a unit
    together, so the test has one level for all contrasts. They are drawn until twenty are as large, at most 19,999
    (Besag & Clifford 1991); the level is exact either way. Ranks keep the power under long tails; with binary
    predictions both scores compare shares.

    Units of one cluster (parent) were drawn together, so clusters are permuted. Larger clusters have mean scores of
    smaller variance; to make clusters exchangeable, the same number of units is taken from each at random, that of the
    smallest.

    Parameters
    ----------
    f, f_rest
        Predictions of the n measured units and of the N others, shapes ``(n, K)`` and ``(N, K)`` of K contrasts, or
        ``(n,)`` and ``(N,)`` of one.
    cluster, cluster_rest
        Cluster of each unit, 0 to G - 1 on each side; None: each is its own. No cluster is on both sides.

    Returns
    -------
    DrawTest
        With p 1 where all predictions are equal.

    References
    ----------
    Besag & Clifford (1991), doi:10.1093/biomet/78.2.301. Phipson & Smyth (2010), doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> f = np.arange(100.0)
    >>> random_draw_test(f[::5], np.delete(f, np.s_[::5])).p > 0.05, random_draw_test(f[-20:], f[:-20]).p < 0.001
    (True, True)
    """
    f, f_rest = (x.reshape(len(x), -1) for x in (f, f_rest))
    # seeded by all predictions, so that the result is reproducible
    rng = np.random.default_rng(zlib.crc32(np.sort(np.concatenate([f, f_rest]), axis=0).tobytes()))
    values, sizes = _equal_clusters(f, f_rest, cluster, cluster_rest, rng)
    scores = _rank_scores(values).mean(axis=1).reshape(len(values), -1)
    sd = scores.std(axis=0)
    varies = sd > _TIE
    if not varies.any():
        return DrawTest(1.0, by_spread=False)
    scores = (scores - scores.mean(axis=0))[:, varies] / sd[varies]
    distance = np.abs(scores[: sizes[0]].sum(axis=0))
    contrast, by_spread = divmod(int(np.flatnonzero(varies)[distance.argmax()]), 2)
    p = _permuted_p(scores[np.lexsort(scores.T)], min(sizes), float(distance.max()), rng)
    return DrawTest(p, bool(by_spread), contrast)


def _equal_clusters(
    f: Array, f_rest: Array, cluster: Codes | None, cluster_rest: Codes | None, rng: np.random.Generator
) -> tuple[Array, tuple[int, int]]:
    """Return predictions (cluster, unit, contrast), measured first, and the number of clusters of each side."""
    sides = [(f, cluster), (f_rest, cluster_rest)]
    codes = [np.arange(len(x)) if c is None else c for x, c in sides]
    sizes = [np.bincount(c) for c in codes]
    least = int(min(s.min() for s in sizes))
    parts = []
    for (x, _), c, size in zip(sides, codes, sizes, strict=True):
        order = np.lexsort((rng.random(len(x)), c)) if size.max() > least else np.argsort(c, kind="stable")
        first = np.cumsum(size) - size
        parts.append(x[order][first[:, None] + np.arange(least)])
    return np.concatenate(parts), (len(parts[0]), len(parts[1]))


def _rank_scores(values: Array) -> Array:
    """Return the normal score of each midrank within its contrast, and its distance from the middle, (..., K, 2)."""
    from scipy import stats

    columns = values.reshape(-1, values.shape[-1])
    share = stats.rankdata(columns, axis=0).reshape(values.shape) / (len(columns) + 1)
    return np.stack([special.ndtri(share), np.abs(share - 0.5)], axis=-1)


def _permuted_p(scores: Array, n: int, observed: float, rng: np.random.Generator) -> float:
    """Return the share of random choices of n rows whose largest standardized sum is as far from 0."""
    least, larger, done = observed * (1 - _TIE), 0, 0
    most = int(np.clip(_NUMBERS // (n * scores.shape[1]), 1, _BLOCK))
    while done < N_DRAWS and larger < _ENOUGH:
        block = min(most, N_DRAWS - done)
        chosen = np.stack([rng.choice(len(scores), n, replace=False, shuffle=False) for _ in range(block)])
        as_large = np.abs(scores[chosen].sum(axis=1)).max(axis=1) >= least
        counts = larger + np.cumsum(as_large)
        if counts[-1] >= _ENOUGH:
            return _ENOUGH / (done + int(np.argmax(counts >= _ENOUGH)) + 1)
        larger, done = int(counts[-1]), done + block
    return (larger + 1) / (done + 1)
