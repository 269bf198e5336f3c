"""Errors of directions against placebo words: by rank among the words, or by a fitted tail."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import gammaln, stdtr

from causalgia.estimation.crossover_estimates import is_placebo_word
from causalgia.multiplicity.placebo import placebo_classes, placebo_rank
from causalgia.types import Array


def rank_errors(estimates: xr.Dataset) -> tuple[Array, Array]:
    """Return twice the conformal p of "above the words" and of "below them", each of the shape of ``ace``.

    ``p = (1 + #{words at least as far}) / (M + 1)`` is super-uniform for a word exchangeable with the placebos,
    so that Benjamini-Hochberg over many of them bounds the false discoveries. A region alone does not: by construction
    5 % of the words lie outside it.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

    Examples
    --------
    >>> effect, word = [5.0, 0.3, -0.1, 0.2, 0.4], [False, True, True, True, True]
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.array(effect)[:, None])})
    >>> above, below = rank_errors(table.assign_coords(placebo_word=("contrast", word)))
    >>> above.ravel()[0], below.ravel()[0]
    (np.float64(0.4), np.float64(1.0))
    """
    ranked = placebo_rank(estimates)
    above, below = (
        ranked[f"p_placebo_{side}"].transpose(*ranked["ace"].dims).to_numpy() for side in ("above", "below")
    )
    return np.minimum(2 * above, 1.0), np.minimum(2 * below, 1.0)


TAIL_NOTE = (
    "beyond the outermost placebo word, directions rest on a model, a Student t tail fitted to the placebo words: "
    "their error rate holds if the true tail is no heavier than the t that the words support"
)


def tail_errors(estimates: xr.Dataset) -> tuple[Array, Array]:
    """Return the errors of `rank_errors`, or of a fitted tail where an effect lies beyond every word.

    Beyond all words the error is the smaller of the least error that
    ranks resolve, ``2 / (M + 1)``, and of twice the predictive tail probability (`causalgia.verdicts.placebo_words`).

    Examples
    --------
    >>> effect = np.concatenate([[40.0, 0.3], np.random.default_rng(0).normal(size=100)])
    >>> table = xr.Dataset({"ace": (("contrast", "task"), effect[:, None])})
    >>> above, below = tail_errors(table.assign_coords(placebo_word=("contrast", np.arange(102) >= 2)))
    >>> above[0] < 1e-3, above[1] > 0.5
    (array([ True]), array([ True]))
    """
    word = is_placebo_word(estimates)
    errors = np.stack(rank_errors(estimates)).reshape(2, len(word), -1)
    effects = estimates["ace"].to_numpy().reshape(len(word), -1)
    for rows, j in product(placebo_classes(estimates), range(effects.shape[1])):
        for side, sign in enumerate((1.0, -1.0)):
            of_words, beyond = sign * effects[rows[word[rows]], j], sign * effects[rows, j]
            is_far = ~word[rows] & (beyond > of_words.max())
            far = rows[is_far]
            errors[side, far, j] = np.minimum(errors[side, far, j], 2 * upper_tail(of_words, beyond[is_far]))
    above, below = errors.reshape(2, *estimates["ace"].shape)
    return above, below


def words_needed(n_effects: int, n_beyond: int, alpha: float) -> int:
    """Return the number of placebo words needed to distinguish R of K effects that lie beyond every word.

    The least doubled p among M words is ``2 / (M + 1)``, and R of K effects have to be at ``alpha R / K``.

    Examples
    --------
    >>> words_needed(1, 1, 0.05), words_needed(10, 1, 0.05), words_needed(10, 5, 0.05)
    (39, 399, 79)
    """
    return math.ceil(round(2 * n_effects / (alpha * n_beyond), 6)) - 1


def resolution_note(estimates: xr.Dataset, could_be: npt.NDArray[np.bool_], alpha: float) -> str | None:
    """Return a note where effects lie beyond the region but the words are too few to distinguish them.

    Parameters
    ----------
    estimates
        Estimates with placebo words.
    could_be
        Which effects lie beyond the region by tests and have no verdict, of the shape of ``ace``.
    alpha
        Error rate of the directions.
    """
    word = is_placebo_word(estimates)
    m = min(int(word[rows].sum()) for rows in placebo_classes(estimates))
    k, beyond = int((~word).sum()), int(could_be[~word].sum(axis=0).max(initial=0))
    needed = words_needed(k, beyond, alpha) if beyond else 0
    if m >= needed:
        return None
    return (
        f"{beyond} of {k:,} effects lie beyond the region of placebo words and are undecided: with {m} words no "
        f"p-value of a direction is below {2 / (m + 1):.2g}; {needed:,} words are needed to find {beyond} of {k:,} "
        "effects"
    )


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
    weight = _tail_weights(excess, df, scale)
    likely = weight > 1e-12 * weight.max()
    df, scale = (np.broadcast_to(value, weight.shape)[likely] for value in (df, scale))
    tails = 2 * stdtr(df, -(np.asarray(at, dtype=np.float64) - center)[:, None] / scale)
    share = (len(excess) + 1) / (len(words) + 1)
    return np.asarray(share * (tails @ weight[likely]) / weight[likely].sum(), dtype=np.float64)


def _tail_weights(excess: Array, df: Array, scale: Array) -> Array:
    """Return the weights of (df, scale), given excesses; the prior 1/scale is flat on the grid of its logarithm."""
    n = len(excess)
    log = n * (gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(df) / 2 - np.log(scale))
    for e in excess:
        log = log - (df + 1) / 2 * np.log1p((e / scale) ** 2 / df)
    return np.asarray(np.exp(log - log.max()), dtype=np.float64)
