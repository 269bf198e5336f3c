"""Instances of a word or a motif in sequences, on both strands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import shown
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import parse_word
from causalgia.sequences.motif_scores import PER_BIT, cutoff, step_scores
from causalgia.sequences.motifs import Motif
from causalgia.sequences.sampler_arguments import as_tokens
from causalgia.types import Tokens

_BLOCK = 1 << 21
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
    tokens: NDArray[np.integer], motif: str | Motif, *, threshold: float | None = None, overlapping: bool = False
) -> Instances:
    """Find a word or a motif in sequences, on both strands.

    A word is found where every base is one that its IUPAC letter admits. A motif is found where its log-odds reach
    the score that a word of uniform random bases reaches with probability `threshold`, on one strand of one place; that
    distribution is exact (`causalgia.sequences.motif_scores`). Of two strands at one start the one that scores higher
    counts, plus if they are equal: a palindrome is one instance. Overlapping instances are thinned greedily: the
    highest score stays (the leftmost among equals), what overlaps it goes, and so on.

    Parameters
    ----------
    tokens
        (n, length) tokens, 0, 1, 2, 3 = A, C, G, T.
    motif
        A word of IUPAC letters, or a motif; `causalgia.motif` finds one by name.
    threshold
        p-value of a motif's lowest score, by default 1e-4. A word takes none.
    overlapping
        Whether to keep instances that overlap a better one.

    Raises
    ------
    SequenceError
        If tokens or word are invalid, the pattern is longer than the sequences, a word comes with a threshold, or no
        word reaches the threshold.

    References
    ----------
    Staden (1989), doi:10.1093/bioinformatics/5.2.89. Grant, Bailey & Noble (2011), FIMO: scanning for occurrences of a
    given motif, doi:10.1093/bioinformatics/btr064.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> found = find_instances(encode(["AAGATAAGCC", "CTTATCTTTT"]), "AGATAAG")
    >>> found.row.tolist(), found.start.tolist(), found.strand.tolist(), found.score.tolist()
    ([0, 1], [1, 0], ['+', '-'], [14.0, 14.0])
    """
    rows = as_tokens(tokens)
    _check_pattern(motif)
    steps, lowest, per_bit = (
        _word_scoring(motif, threshold) if isinstance(motif, str) else _motif_scoring(motif, threshold)
    )
    width = len(steps)
    if width > rows.shape[1]:
        label = f"word {shown(motif)}" if isinstance(motif, str) else f"motif {quoted(motif.name)}"
        msg = f"{label} has {width} bases and the sequences {rows.shape[1]}; scan longer sequences"
        raise SequenceError(msg)
    row, start, minus, score = map(np.concatenate, zip(*_scan_blocks(rows, steps, lowest), strict=True))
    kept = slice(None) if overlapping else _best(row * (rows.shape[1] + width) + start, score, width)
    strand = np.where(minus, "-", "+")
    return Instances(row[kept], start[kept], strand[kept], score[kept] / per_bit, width)


def _check_pattern(pattern: object) -> None:
    if not isinstance(pattern, str | Motif):
        what = type(pattern).__name__
        msg = f"{what} is neither a word nor a Motif; causalgia.motif() makes a Motif of names, files and tables"
        raise SequenceError(msg)


def _motif_scoring(motif: Motif, threshold: float | None) -> tuple[NDArray[np.int64], int, float]:
    """Return a motif's scores (w, 4), the lowest score of an instance, and the score of one bit."""
    return step_scores(motif), cutoff(motif, _P_VALUE if threshold is None else threshold), PER_BIT


def _word_scoring(word: str, threshold: float | None) -> tuple[NDArray[np.int64], int, float]:
    """Return the same for a word: admitted bases score 1, others 0, and only a full score counts."""
    if threshold is not None:
        msg = (
            f"threshold={quoted(threshold)} is for a motif's score; the word {quoted(word)} is found exactly: "
            "leave it out"
        )
        raise SequenceError(msg)
    try:
        _, admitted = parse_word(word)
    except SequenceError as error:
        msg = f"{error}; causalgia.motif() finds a motif by name"
        raise SequenceError(msg) from error
    steps = np.array([[base in bases for base in range(4)] for bases in admitted], np.int64)
    bits = 2 * len(steps) - float(np.log2(steps.sum(axis=1)).sum())
    # a word of N alone carries no information: every position is an instance, with score 0
    return steps, len(steps), len(steps) / bits if bits else np.inf


def _scan_blocks(rows: Tokens, steps: NDArray[np.int64], lowest: int) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield row, start, whether it is the minus strand, and score of every hit, by blocks of sequences."""
    n_starts = rows.shape[1] - len(steps) + 1
    size = max(_BLOCK // n_starts, 1)
    opposite = steps[::-1, ::-1]
    for first in range(0, len(rows), size):
        block = rows[first : first + size]
        plus, minus = _start_scores(block, steps, n_starts), _start_scores(block, opposite, n_starts)
        better = np.maximum(plus, minus)
        row, start = np.nonzero(better >= lowest)
        score = better[row, start]
        yield row + first, start, (plus[row, start] < score).astype(np.int64), score


def _start_scores(rows: Tokens, steps: NDArray[np.int64], n_starts: int) -> NDArray[np.int64]:
    """Return the score of each start, (n, n_starts)."""
    total = np.zeros((len(rows), n_starts), np.int64)
    for i, step in enumerate(steps):
        total += step[rows[:, i : i + n_starts]]
    return total


def _best(place: NDArray[np.int64], score: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return the hits, in order of position, that the greedy rule keeps; those nearer than `width` overlap."""
    before = np.searchsorted(place, place - width, side="right")
    behind = np.searchsorted(place, place + width, side="left")
    gone = np.zeros(len(place), bool)
    kept = []
    for hit in np.lexsort((place, -score)).tolist():
        if not gone[hit]:
            kept.append(hit)
            gone[before[hit] : behind[hit]] = True
    return np.sort(np.array(kept, np.int64))
