"""How rare an effect beyond every placebo word is, by a Student t tail fitted to the words: a model, where ranks end.

Placebo estimates ``d_1, ..., d_M`` and a new word's of their own law are exchangeable, noise included. Their ranks hold
for any law and resolve no p below ``1 / (M + 1)``. Beyond all words the tail is extrapolated, each side by itself, for
laws are skewed. With the median ``m`` of the words as the origin, the ``n`` excesses ``e = d_i - m > 0`` of a side are
taken as draws of a half-t with scale ``s`` and ``nu`` degrees of freedom. The prior is ``1/s`` on the scale, and ``1 /
nu`` uniform from 1/200 to 1/1.5. The predictive tail averages over the posterior on a grid::

    P(d_new >= d | words) = (n + 1) / (M + 1)  E[ 2 (1 - F_nu((d - m) / s)) | e ]

Words that equal the median count in M alone, so that a law with an atom there is one. The error of the median, an
eighth of an sd for 100 normal words, is left aside: tails are asked for at several sd. A side with fewer than 10
excesses has no tail, and ranks decide.

The rate that follows holds where the tail is no heavier than the t that the words support. No rule from M words holds
for a law with rare, large effects that they did not show: where 5 % of the words have 4 times the sd of the others,
more than .05 of the directions are false (docs/validation.md has how many).
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, stdtr

from causalgia.types import Array

LEAST_EXCESSES = 10
_INVERSE_DF = np.linspace(1 / 200, 1 / 1.5, 24)
_LOG_SCALE = np.linspace(-2.5, 2.5, 101)  # about the median excess


def upper_tail(words: Array, at: Array) -> Array:
    """Return the predictive probability that a new word's estimate is at `at` or above.

    Parameters
    ----------
    words
        Estimates of M placebo words, shape ``(M,)``.
    at
        Where, above every word; shape ``(K,)``.

    Returns
    -------
    array
        Shape ``(K,)``; 1 where fewer than `LEAST_EXCESSES` words lie above the median, and no tail is fitted.

    References
    ----------
    Knijnenburg, Wessels, Reinders & Shmulevich (2009), doi:10.1093/bioinformatics/btp211: tails beyond the resolution
    of ranks, by a generalized Pareto law.

    Examples
    --------
    >>> words = np.random.default_rng(0).normal(size=100)
    >>> upper_tail(words, np.array([4.0, 40.0])) < [1e-2, 1e-5]
    array([ True,  True])
    """
    center = float(np.median(words))
    excess = words[words > center] - center
    if len(excess) < LEAST_EXCESSES or not len(at):
        return np.ones(len(at))
    unit = float(np.median(excess))
    df, scale = (1 / _INVERSE_DF)[:, None], unit * np.exp(_LOG_SCALE)[None, :]
    weight = _posterior(excess, df, scale)
    likely = weight > 1e-12 * weight.max()
    df, scale = (np.broadcast_to(value, weight.shape)[likely] for value in (df, scale))
    tails = 2 * stdtr(df, -(np.asarray(at, dtype=np.float64) - center)[:, None] / scale)
    share = (len(excess) + 1) / (len(words) + 1)
    return np.asarray(share * (tails @ weight[likely]) / weight[likely].sum(), dtype=np.float64)


def _posterior(excess: Array, df: Array, scale: Array) -> Array:
    """Return the weights of (df, scale), given excesses; the prior 1/scale is flat on the grid of its logarithm."""
    n = len(excess)
    log = n * (gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(df) / 2 - np.log(scale))
    for e in excess:
        log = log - (df + 1) / 2 * np.log1p((e / scale) ** 2 / df)
    return np.asarray(np.exp(log - log.max()), dtype=np.float64)
