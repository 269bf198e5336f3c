"""Scores of words under a motif, in whole thousandths of a bit, and their exact distribution among random words."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, quoted
from causalgia.sequences.motifs import Motif

PER_BIT = 1000
"""Steps of a score per bit: whole numbers add without error, so that the distribution is exact."""

PSEUDOCOUNT = 0.01
"""Weight of the uniform background in every row, ``(p + 0.01 / 4) / 1.01``: no base is impossible."""


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
    """Write a p-value with two digits, rounded up, so that it is a threshold which the p-value meets."""
    unit = 10.0 ** (math.floor(math.log10(p_value)) - 1)
    return f"{math.ceil(p_value / unit) * unit:.2g}"
