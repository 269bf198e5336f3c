"""Scores of words under a motif: their exact distribution, cutoffs, and ladders from weak to strong."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import BASES
from causalgia.sequences.motifs import Motif

_NEAR = 0.05
_IMPOSSIBLE = np.iinfo(np.int16).max // 2


def strength_ladder(motif: Motif, n_steps: int, *, weakest: float = 0.0) -> tuple[tuple[str, float], ...]:
    """Return `n_steps` words of a motif, from weak to strong in even steps of score, the consensus last.

    The score of a word is its log-odds against uniform bases in bits (a word of 0 bits is as likely without the motif
    as with it); each row of the motif first gets 1 % of uniform bases, so that no base is impossible. The rungs aim at
    ``weakest``, then even steps up to the consensus. A rung is the word that differs from the consensus at the fewest
    positions, among those within a twentieth of a step of its aim, or if there are none the word nearest its aim.
    Exact, by dynamic programming over all words: the fewest differences for each score that can be reached.

    Parameters
    ----------
    motif
        The motif.
    n_steps
        Number of words, at least 2.
    weakest
        Target score of the first, in bits.

    Returns
    -------
    tuple
        Pairs of a word and its score in bits, rounded at each position to 0.001; scores increase.

    Raises
    ------
    SequenceError
        If `n_steps` is not a whole number of at least 2, `weakest` is not below the consensus, or no word is within
        half a step of a rung, so that words would repeat or the steps be far from even.

    Examples
    --------
    >>> toy = Motif("toy", ((0.1, 0.1, 0.7, 0.1), (0.6, 0.2, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7)))
    >>> strength_ladder(toy, 3, weakest=-1.0)
    (('GGA', -1.126), ('GGT', 1.651), ('GAT', 4.207))
    """
    steps = step_scores(motif)
    best = int(steps.max(axis=1).sum())
    _check_rungs(motif, n_steps, weakest, best)
    aims = np.linspace(weakest * PER_BIT, best, n_steps)
    fewest = _fewest_changes(steps)
    lowest = int(steps.min(axis=1).sum())
    apart = (best - weakest * PER_BIT) / (n_steps - 1)
    scores = [_reached(fewest[-1], aim - lowest, apart) + lowest for aim in aims]
    for rung, (aim, score) in enumerate(zip(aims, scores, strict=True)):
        _check_near(motif, rung, aim, score, apart)
    return tuple((_spell(steps, fewest, score - lowest), score / PER_BIT) for score in scores)


def _check_rungs(motif: Motif, n_steps: int, weakest: float, best: int) -> None:
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 2:
        msg = f"n_steps={quoted(n_steps)}; a ladder has a whole number of words, at least 2"
        raise SequenceError(msg)
    if not np.isfinite(weakest) or weakest * PER_BIT >= best:
        msg = (
            f"motif {quoted(motif.name)}: weakest={quoted(weakest)} bits, and its consensus has {best / PER_BIT:g}; "
            "give a number below that"
        )
        raise SequenceError(msg)


def _check_near(motif: Motif, rung: int, aim: float, score: int, apart: float) -> None:
    if abs(score - aim) >= apart / 2:
        msg = (
            f"motif {quoted(motif.name)}: no word scores within half a step ({apart / 2 / PER_BIT:.3g} bits) of rung "
            f"{rung}, which aims at {aim / PER_BIT:.3g} bits; the nearest scores {score / PER_BIT:.3g}: ask for fewer "
            "words, or change weakest="
        )
        raise SequenceError(msg)


def _fewest_changes(steps: NDArray[np.int64]) -> list[NDArray[np.int16]]:
    """Return, for the first 0 to w positions, the fewest differences from the consensus at each score.

    Scores are counted from the lowest possible one of those positions; an impossible score has a number that is too
    large for any word.
    """
    above = steps - steps.min(axis=1, keepdims=True)
    tables = [np.zeros(1, np.int16)]
    for shifts in above:
        before = tables[-1]
        after = np.full(before.size + int(shifts.max()), _IMPOSSIBLE, np.int16)
        for base, shift in enumerate(shifts.tolist()):
            changed = before + np.int16(base != int(shifts.argmax()))
            here = after[shift : shift + before.size]
            np.minimum(here, changed, out=here)
        tables.append(np.minimum(after, _IMPOSSIBLE))
    return tables


def _reached(fewest: NDArray[np.int16], aim: float, apart: float) -> int:
    """Return the score for a target: the one with fewest differences nearby, or else the nearest."""
    scores = np.flatnonzero(fewest < _IMPOSSIBLE)
    far = np.abs(scores - aim)
    near = far <= _NEAR * apart
    if near.any():
        scores, far = scores[near], far[near]
        return int(scores[np.lexsort((scores, far, fewest[scores]))[0]])
    return int(scores[np.lexsort((scores, far))[0]])


def _spell(steps: NDArray[np.int64], fewest: list[NDArray[np.int16]], score: int) -> str:
    """Return the word of a score with the fewest differences; ties go to the first base of A, C, G, T."""
    above = steps - steps.min(axis=1, keepdims=True)
    word = ""
    for i in range(len(above) - 1, -1, -1):
        left = int(fewest[i + 1][score])
        for base, shift in enumerate(above[i].tolist()):
            rest, cost = score - shift, int(base != int(above[i].argmax()))
            if 0 <= rest < fewest[i].size and int(fewest[i][rest]) + cost == left:
                word, score = BASES[base] + word, rest
                break
    return word


PER_BIT = 1000
"""Score units per bit: integers add without error, so that the distribution is exact."""

PSEUDOCOUNT = 0.01
"""Weight of the uniform background in every row, ``(p + 0.01 / 4) / 1.01``, so that no base is impossible."""


def step_scores(motif: Motif) -> NDArray[np.int64]:
    """Return the log-odds of each base at each position against uniform bases, (w, 4), in thousandths of a bit.

    Examples
    --------
    >>> step_scores(Motif("toy", ((0.25, 0.25, 0.25, 0.25),)))
    array([[0, 0, 0, 0]])
    """
    return np.rint(PER_BIT * motif.log_odds(pseudocount=PSEUDOCOUNT)).astype(np.int64)


def tail_probabilities(steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``P(score >= s)`` of a word of uniform random bases, for s from the lowest score to the highest.

    Exact by dynamic programming over the positions: the distribution after a position is the mean of four shifted
    copies of the distribution before it.

    Parameters
    ----------
    steps
        (w, 4) whole scores.

    Returns
    -------
    ndarray
        Entry i is the probability of a score of at least ``steps.min(axis=1).sum() + i``.

    References
    ----------
    Staden (1989), Methods for calculating the probabilities of finding patterns in sequences,
    doi:10.1093/bioinformatics/5.2.89. Touzet & Varré (2007), Efficient and accurate P-value computation for position
    weight matrices, doi:10.1186/1748-7188-2-15.

    Examples
    --------
    >>> tail_probabilities(np.array([[0, 0, 1, 2]]))
    array([1.  , 0.5 , 0.25])
    """
    mass = np.ones(1)
    for shifts in steps - steps.min(axis=1, keepdims=True):
        wider = np.zeros(mass.size + int(shifts.max()))
        for shift in shifts.tolist():
            wider[shift : shift + mass.size] += mass / 4
        mass = wider
    tails: NDArray[np.float64] = np.cumsum(mass[::-1])[::-1]
    return tails


def cutoff(motif: Motif, threshold: float) -> int:
    """Return the lowest score, in thousandths of a bit, whose p-value is at most `threshold`.

    The p-value of a score is the probability that a word of uniform random bases scores at least as high.

    Raises
    ------
    SequenceError
        If the threshold is not between 0 and 1, or even the best word of the motif has a greater p-value.

    Examples
    --------
    >>> toy = Motif("toy", ((0.25, 0.25, 0.4, 0.1),))
    >>> step_scores(toy).tolist(), cutoff(toy, 0.25)
    ([[0, 0, 673, -1301]], 1)
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or not 0 < threshold < 1:
        msg = f"threshold={quoted(threshold)} is a p-value, above 0 and below 1, such as 1e-4"
        raise SequenceError(msg)
    steps = step_scores(motif)
    tails = tail_probabilities(steps)
    if tails[-1] > threshold * (1 + 1e-9):
        msg = (
            f"motif {quoted(motif.name)} is too short for threshold={threshold:g}: its best word has p-value "
            f"{tails[-1]:.3g}; give threshold={_above(float(tails[-1]))}, or scan for its word "
            f"{quoted(motif.consensus)}"
        )
        raise SequenceError(msg)
    return int(steps.min(axis=1).sum()) + int(np.argmax(tails <= threshold * (1 + 1e-9)))


def _above(p_value: float) -> str:
    """Write a p-value with two digits, rounded up, so that the p-value meets it as a threshold."""
    unit = 10.0 ** (math.floor(math.log10(p_value)) - 1)
    return f"{math.ceil(p_value / unit) * unit:.2g}"
