"""Scores of strings under a motif (distribution, cutoffs), and instances in sequences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_real
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import parse_iupac
from causalgia.sequences.motif_names import MotifLike, as_string_or_motif
from causalgia.sequences.motifs import Motif
from causalgia.sequences.random import as_tokens
from causalgia.types import Tokens

PER_BIT = 1000
"""Score units per bit: integers add without error, so that the distribution is
exact.
"""

PSEUDOCOUNT = 0.01
"""Weight of the uniform background in every row, ``(p + 0.01 / 4) / 1.01``, so that no
base is impossible.
"""


def step_scores(motif: Motif) -> NDArray[np.int64]:
    """Return the log-odds of each base at each position against uniform bases, (w, 4),
    in thousandths of a bit.

    Examples
    --------
    >>> step_scores(Motif("toy", ((0.25, 0.25, 0.25, 0.25),)))
    array([[0, 0, 0, 0]])
    """
    return np.rint(PER_BIT * motif.log_odds(pseudocount=PSEUDOCOUNT)).astype(np.int64)


def tail_probabilities(steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``P(score >= s)`` of a string of uniform random bases, for s from the
    lowest score to the highest.

    Exact by dynamic programming over the positions: the distribution after a position
    is the mean of four shifted copies of the distribution before it.

    Parameters
    ----------
    steps
        (w, 4) whole scores.

    Returns
    -------
    ndarray
        Entry i is the probability of a score of at least
        ``steps.min(axis=1).sum() + i``.

    References
    ----------
    Staden (1989), Methods for calculating the probabilities of finding patterns in
    sequences, doi:10.1093/bioinformatics/5.2.89. Touzet & Varré (2007), Efficient and
    accurate P-value computation for position weight matrices,
    doi:10.1186/1748-7188-2-15.

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


@lru_cache(maxsize=4_096)
def _lowest(motif: Motif, threshold: float) -> int | None:
    """Return the lowest score whose p-value is at most `threshold`; None if that of the
    best string is above it.
    """
    steps = step_scores(motif)
    tails = tail_probabilities(steps)
    reached = tails <= threshold * (1 + 1e-9)
    if not reached[-1]:
        return None
    return int(steps.min(axis=1).sum()) + int(np.argmax(reached))


def cutoff(motif: Motif, threshold: float) -> int:
    """Return the lowest score, in thousandths of a bit, whose p-value is at most
    `threshold`.

    The p-value of a score is the probability that a string of uniform random bases
    scores at least as high.

    Raises
    ------
    SequenceError
        If the threshold is not between 0 and 1, or even the best string of the motif
        has a greater p-value.

    Examples
    --------
    >>> toy = Motif("toy", ((0.25, 0.25, 0.4, 0.1),))
    >>> step_scores(toy).tolist(), cutoff(toy, 0.25)
    ([[0, 0, 673, -1301]], 1)
    """
    if not is_real(threshold) or not 0 < threshold < 1:
        msg = (
            f"threshold={quoted(threshold)} is a p-value, above 0 and below 1, "
            "such as 1e-4"
        )
        raise SequenceError(msg)
    lowest = _lowest(motif, float(threshold))
    if lowest is None:
        least = float(tail_probabilities(step_scores(motif))[-1])
        # two digits, rounded up, so that the p-value meets it
        unit = 10.0 ** (math.floor(math.log10(least)) - 1)
        met = math.ceil(least / unit) * unit
        cure = (
            f"give threshold={met:.2g}, or scan for its string "
            f"{quoted(motif.consensus)}"
            if met < 1
            else "it does not tell strings apart: give a motif with bases that differ"
        )
        msg = (
            f"motif {quoted(motif.name)} is too short for threshold={threshold:g}: "
            f"its best string has p-value {least:.3g}; {cure}"
        )
        raise SequenceError(msg)
    return lowest


def holds_site(tokens: Tokens, motif: str | Motif) -> NDArray[np.bool_]:
    """Return which sequences (n, length) hold the motif on either strand: a string that
    its letters admit, or a matrix with a p-value of 1e-4 or less. A matrix of which no
    string has one, and a motif longer than the sequences, is in none.

    Examples
    --------
    >>> holds_site(np.array([[0, 2, 0, 3, 0], [0, 0, 0, 3, 2]], np.uint8), "GATA")
    array([ True, False])
    """
    held = np.zeros(len(tokens), bool)
    if len(motif) > tokens.shape[1]:
        return held
    if isinstance(motif, Motif) and _lowest(motif, _P_VALUE) is None:
        return held
    found = find_instances(tokens, motif, overlapping=True)
    held[found.row] = True
    return held


_SCORES_A_BLOCK = 1 << 21
_P_VALUE = 1e-4


@dataclass(frozen=True, eq=False)
class Instances:
    """The m instances that a scan found, sorted by row and start.

    Parameters
    ----------
    row
        (m,) index of the sequence.
    start
        (m,) 0-based start of the instance, on the plus strand.
    strand
        (m,) ``"+"``, or ``"-"`` where the reverse complement reads as the motif.
    score
        (m,) log-odds against uniform bases in bits, rounded at each position to 0.001.
    width
        Number of bases of each.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    strand: NDArray[np.str_]
    score: NDArray[np.float64]
    width: int

    def __len__(self) -> int:
        return len(self.row)


def find_instances(
    tokens: NDArray[np.integer],
    motif: MotifLike,
    *,
    threshold: float | None = None,
    overlapping: bool = False,
    both_strands: bool = True,
) -> Instances:
    """Find a string or a motif in sequences, on both strands or, as in RNA, on the
    given one.

    A string is found where every base is one that its IUPAC letter admits. A motif is
    found where its log-odds reach the score that a string of uniform random bases
    reaches with probability `threshold`, on one strand of one place; that distribution
    is exact (`causalgia.sequences.motif_scores`). Of two strands at one start the one
    that scores higher counts, plus if they are equal: a palindrome is one instance.
    Overlapping instances are thinned greedily: the highest score stays (the leftmost
    among equals), what overlaps it goes, and so on.

    Parameters
    ----------
    tokens
        (n, length) tokens, 0, 1, 2, 3 = A, C, G, T.
    motif
        A string of IUPAC letters, or anything else that `causalgia.motif` takes.
    threshold
        p-value of a motif's lowest score, by default 1e-4. A string takes none.
    overlapping
        Whether to keep instances that overlap a better one.
    both_strands
        Whether reverse complements are instances too.

    Raises
    ------
    SequenceError
        If tokens or string are invalid, the pattern is longer than the sequences, a
        string comes with a threshold, or no string reaches the threshold.

    References
    ----------
    Staden (1989), doi:10.1093/bioinformatics/5.2.89. Grant, Bailey & Noble (2011),
    FIMO: scanning for occurrences of a given motif, doi:10.1093/bioinformatics/btr064.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> found = find_instances(encode(["AAGATAAGCC", "CTTATCTTTT"]), "AGATAAG")
    >>> (
    ...     found.row.tolist(),
    ...     found.start.tolist(),
    ...     found.strand.tolist(),
    ...     found.score.tolist(),
    ... )
    ([0, 1], [1, 0], ['+', '-'], [14.0, 14.0])
    """
    rows = as_tokens(tokens)
    sought = as_string_or_motif(motif)
    steps, lowest, per_bit = (
        _iupac_scoring(sought, threshold)
        if isinstance(sought, str)
        else (
            step_scores(sought),
            cutoff(sought, _P_VALUE if threshold is None else threshold),
            PER_BIT,
        )
    )
    width = len(steps)
    if width > rows.shape[1]:
        label = (
            f"string {quoted(sought)}"
            if isinstance(sought, str)
            else f"motif {quoted(sought.name)}"
        )
        msg = (
            f"{label} has {width} bases and the sequences {rows.shape[1]}; scan longer "
            "sequences"
        )
        raise SequenceError(msg)
    row, start, minus, score = map(
        np.concatenate,
        zip(*_scan_blocks(rows, steps, lowest, both_strands), strict=True),
    )
    best = (
        slice(None)
        if overlapping
        else _best(row * (rows.shape[1] + width) + start, score, width)
    )
    strand = np.where(minus, "-", "+")
    return Instances(row[best], start[best], strand[best], score[best] / per_bit, width)


def _iupac_scoring(
    letters: str, threshold: float | None
) -> tuple[NDArray[np.int64], int, float]:
    """Return the same for a string: admitted bases score 1, others 0, and only a full
    score counts.
    """
    if threshold is not None:
        msg = (
            f"threshold={quoted(threshold)} is for a motif's score; the string "
            f"{quoted(letters)} is found exactly: leave it out"
        )
        raise SequenceError(msg)
    try:
        _, admitted = parse_iupac(letters)
    except SequenceError as error:
        msg = f"{error}; causalgia.motif() finds a motif by name"
        raise SequenceError(msg) from error
    steps = np.array(
        [[base in bases for base in range(4)] for bases in admitted], np.int64
    )
    bits = 2 * len(steps) - float(np.log2(steps.sum(axis=1)).sum())
    # a string of N alone carries no information: every position is an instance, with
    # score 0
    return steps, len(steps), len(steps) / bits if bits else np.inf


def _scan_blocks(
    rows: Tokens, steps: NDArray[np.int64], lowest: int, both_strands: bool
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield row, start, whether it is the minus strand, and score of every hit, by
    blocks of sequences.
    """
    n_starts = rows.shape[1] - len(steps) + 1
    size = max(_SCORES_A_BLOCK // n_starts, 1)
    opposite = steps[::-1, ::-1]
    for first in range(0, len(rows), size):
        words = _words(rows[first : first + size])
        plus = _start_scores(words, steps, n_starts)
        better = (
            np.maximum(plus, _start_scores(words, opposite, n_starts))
            if both_strands
            else plus
        )
        row, start = np.nonzero(better >= lowest)
        score = better[row, start]
        yield row + first, start, (plus[row, start] < score).astype(np.int64), score


def _words(rows: Tokens) -> Tokens:
    """Return the number of the four letters that start at each place, (n, length), read
    on as A beyond the end.
    """
    padded = np.pad(rows.astype(np.uint8), ((0, 0), (0, 3)))
    pairs = 4 * padded[:, :-1] + padded[:, 1:]
    return 16 * pairs[:, :-2] + pairs[:, 2:]


def _start_scores(
    words: Tokens, steps: NDArray[np.int64], n_starts: int
) -> NDArray[np.int64]:
    """Return the score of each start, (n, n_starts), four letters at a time."""
    by_word = np.pad(steps, ((0, -len(steps) % 4), (0, 0))).reshape(-1, 4, 4)
    total = np.zeros((len(words), n_starts), np.int64)
    for i, (a, b, c, d) in enumerate(by_word):
        table = np.add.outer(np.add.outer(a, b), np.add.outer(c, d)).ravel()
        total += table[words[:, 4 * i : 4 * i + n_starts]]
    return total


def _best(
    place: NDArray[np.int64], score: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    """Return the hits, in order of position, that the greedy rule keeps; those nearer
    than `width` overlap.
    """
    before = np.searchsorted(place, place - width, side="right")
    behind = np.searchsorted(place, place + width, side="left")
    gone = np.zeros(len(place), bool)
    best = []
    for hit in np.lexsort((place, -score)).tolist():
        if not gone[hit]:
            best.append(hit)
            gone[before[hit] : behind[hit]] = True
    return np.sort(np.array(best, np.int64))
