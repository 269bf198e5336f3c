"""Composition of sequences: runs, GC, tandem repeats, dinucleotides, motifs, and which
of them are distinct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from causalgia.compiled import njit
from causalgia.errors import SequenceError
from causalgia.sequences.alphabet import parse_iupac, reverse_complement_iupac
from causalgia.sequences.random import LETTERS_A_WORD, as_tokens, words_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST_PERIOD = 6  # of a simple repeat: microsatellites
_REPEAT_COPIES = 3
_SHORTEST_REPEAT = 9  # bp
_LETTERS_AT_ONCE = 1 << 16


@njit(nogil=True)
def _longest_runs(tokens: Any, out: Any) -> None:
    for i in range(tokens.shape[0]):
        longest, run = 1, 1
        for j in range(1, tokens.shape[1]):
            run = run + 1 if tokens[i, j] == tokens[i, j - 1] else 1
            longest = max(longest, run)
        out[i] = longest


@njit(nogil=True)
def _gc_extremes(tokens: Any, width: Any, low: Any, high: Any) -> None:
    for i in range(tokens.shape[0]):
        count = 0
        for j in range(width):
            count += tokens[i, j] == 1 or tokens[i, j] == 2
        low[i], high[i] = count, count
        for j in range(width, tokens.shape[1]):
            count += tokens[i, j] == 1 or tokens[i, j] == 2
            count -= tokens[i, j - width] == 1 or tokens[i, j - width] == 2
            low[i], high[i] = min(low[i], count), max(high[i], count)


@njit(nogil=True)
def _repeated(tokens: Any, covered: Any) -> None:
    """Mark the bases of each row that lie in a tandem repeat."""
    length = tokens.shape[1]
    for i in range(tokens.shape[0]):
        for period in range(1, _LONGEST_PERIOD + 1):
            start = 0
            for j in range(period, length + 1):
                if j < length and tokens[i, j] == tokens[i, j - period]:
                    continue
                if j - start >= max(_REPEAT_COPIES * period, _SHORTEST_REPEAT):
                    covered[i, start:j] = True
                start = j - period + 1


@njit(nogil=True)
def _count_iupac_hits(tokens: Any, masks: Any, counts: Any, first: Any) -> None:
    """Add each row's hits of a string, given as bit masks of admitted bases; record the
    leftmost start.
    """
    width = masks.size
    for i in range(tokens.shape[0]):
        for start in range(tokens.shape[1] - width + 1):
            at = 0
            while at < width and (masks[at] >> tokens[i, start + at]) & 1:
                at += 1
            if at == width:
                counts[i] += 1
                if first[i] < 0 or start < first[i]:
                    first[i] = start


def longest_runs(tokens: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the length of the longest run of one base in each sequence, (n,), of
    tokens (n, length).

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> longest_runs(encode(["ACCCGT", "ACGTAC"]))
    array([3, 1])
    """
    rows = as_tokens(tokens)
    out = np.empty(len(rows), np.int64)
    _longest_runs(rows, out)
    return out


def count_dinucleotides(tokens: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the count of letter b after letter a in each sequence, (n, 16), at column
    4 a + b.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> count_dinucleotides(encode(["AACAAC"])).nonzero()[1].tolist()
    [0, 1, 4]
    """
    counts, step = (
        np.empty((len(tokens), 16), np.int32),
        max(1, _LETTERS_AT_ONCE // tokens.shape[1]),
    )
    for start in range(0, len(tokens), step):
        rows = tokens[start : start + step]
        pairs = 4 * rows[:, :-1] + rows[:, 1:] + 16 * np.arange(len(rows))[:, None]
        counts[start : start + step] = np.bincount(
            pairs.ravel(), minlength=16 * len(rows)
        ).reshape(-1, 16)
    return counts


def first_of_equal_dinucleotides(tokens: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return, for each sequence, the first one with the same dinucleotide counts on
    either strand, (n,).

    Dinucleotide shuffles of one sequence share these counts; independent sequences of
    30 bp or more hardly ever do. A sequence of one base is compared by that base.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> first_of_equal_dinucleotides(
    ...     encode(["ACGTACA", "TTTTTTT", "ACACGTA", "AAAAAAA", "TGTACGT"])
    ... )
    array([0, 1, 0, 1, 0])
    """
    rows = as_tokens(tokens)
    counts = count_dinucleotides(rows)
    if rows.shape[1] == 1:
        counts[:, 0] = rows[:, 0]
    # ab on one strand is the complements of b and a on the other
    other = counts.reshape(-1, 4, 4)[:, ::-1, ::-1].transpose(0, 2, 1).reshape(-1, 16)
    differs = counts != other
    at = np.arange(len(rows)), differs.argmax(axis=1)
    counts = np.where((counts[at] > other[at])[:, None], other, counts)
    # a row as one value
    whole = counts.view(np.dtype((np.void, counts.itemsize * 16)))[:, 0]
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int64)


def gc_extremes(
    tokens: NDArray[np.integer], width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and the highest share of G and C in any window of each
    sequence, (n,) each.

    Parameters
    ----------
    tokens
        (n, length) tokens, 0, 1, 2, 3 = A, C, G, T.
    width
        Bases of a window; a sequence that is shorter is one window.

    Raises
    ------
    SequenceError
        If the width is below 1.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> gc_extremes(encode("GGGGATAT"), 4)
    (array([0.]), array([1.]))
    """
    if width < 1:
        raise SequenceError(f"width={width}: a window has at least one base")
    rows = as_tokens(tokens)
    low, high = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    bases = min(width, rows.shape[1])
    _gc_extremes(rows, bases, low, high)
    return low / bases, high / bases


def repeat_shares(tokens: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the share of bases of each sequence that lie in simple tandem repeats,
    (n,).

    A simple repeat is a unit of 1 to 6 bases, repeated at least three times without an
    error (the last copy may be cut), over at least 9 bases. Random sequences with equal
    base frequencies have about 0.002 of their bases in one.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> repeat_shares(encode(["CACACACACAGATTCGTAGC", "CACACAGGATTCGTAGCTGA"]))
    array([0.5, 0. ])
    """
    return np.asarray(simple_repeats(tokens).mean(axis=1), np.float64)


def simple_repeats(tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each base lies in a simple repeat, as `repeat_shares` counts them,
    (n, length).
    """
    rows = as_tokens(tokens)
    covered = np.zeros(rows.shape, np.bool_)
    _repeated(rows, covered)
    return covered


def iupac_masks(text: str) -> NDArray[np.uint8]:
    """Return the admitted tokens at each position of an IUPAC string, as bits,
    (width,).

    Raises
    ------
    SequenceError
        If the string is empty or has a letter outside the IUPAC code.

    Examples
    --------
    >>> iupac_masks("AN")
    array([ 1, 15], dtype=uint8)
    """
    return np.array(
        [sum(1 << base for base in bases) for bases in parse_iupac(text)[1]], np.uint8
    )


def iupac_hits(
    tokens: NDArray[np.integer], text: str, *, both_strands: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the occurrences of a string in each sequence, overlapping ones too, and
    find the leftmost.

    A palindromic string counts once per position; any other string counts on each
    strand.

    Parameters
    ----------
    tokens
        (n, length) tokens, 0, 1, 2, 3 = A, C, G, T.
    text
        IUPAC letters, 5' to 3'.
    both_strands
        Whether occurrences on the opposite strand count.

    Returns
    -------
    tuple
        Counts (n,), and the 0-based start of the leftmost occurrence on the plus strand
        (n,), -1 if there is none.

    Raises
    ------
    SequenceError
        If the string is empty or has a letter outside the IUPAC code.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> iupac_hits(encode(["AAGGTCTCA", "TGAGACCTT", "AAAAAAAAA"]), "GGTCTC")
    (array([1, 1, 0]), array([ 2,  1, -1]))
    """
    rows = as_tokens(tokens)
    counts, first = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int64)
    opposite = reverse_complement_iupac(text)
    _count_iupac_hits(rows, iupac_masks(text), counts, first)
    if both_strands and not np.array_equal(iupac_masks(text), iupac_masks(opposite)):
        _count_iupac_hits(rows, iupac_masks(opposite), counts, first)
    return counts, first


_WORDS_AT_ONCE = 1 << 14  # 512 KiB of letters and 128 KiB of packed rows: in the cache
_2, _32 = np.uint64(2), np.uint64(32)


def number_distinct(
    tokens: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers of sequences, in order of first appearance; equal ones share one.

    Rows are told apart by 64-bit hashes, and those with an equal hash are compared
    letter by letter, so that two sequences never share a number.

    Parameters
    ----------
    tokens
        Sequences, (n, length), 0-3.

    Returns
    -------
    numbers
        The number of distinct sequences before the first one with these letters, (n,).
    fresh
        The first row of each distinct sequence, ascending.

    Raises
    ------
    SequenceError
        If a token is not 0-3.

    Examples
    --------
    >>> number_distinct(np.array([[0, 1, 2], [3, 3, 3], [0, 1, 2]], np.uint8))
    (array([0, 1, 0]), array([0, 1]))
    """
    rows = as_tokens(tokens)
    numbers, found = pd.factorize(_hashes(rows))
    n = np.arange(len(rows))
    if len(found) == len(rows):
        return n, n
    fresh = np.empty(len(found), np.int64)
    fresh[numbers[::-1]] = n[::-1]
    again = np.flatnonzero(fresh[numbers] != n)
    if not np.array_equal(rows[again], rows[fresh[numbers[again]]]):
        _, first, which = np.unique(
            rows, axis=0, return_index=True, return_inverse=True
        )
        fresh = np.sort(first)
        numbers = np.searchsorted(fresh, first[which.ravel()])
    return np.asarray(numbers, np.int64), fresh


def _hashes(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row: of its words of 32 letters, multiplied, folded
    and multiplied by odd words of their place, the sum.
    """
    n, length = rows.shape
    n_words = -(-length // LETTERS_A_WORD)
    first, second = words_from(np.arange(2, dtype=np.uint64), n_words) | np.uint64(1)
    step = max(1, _WORDS_AT_ONCE // n_words)
    letters = np.zeros((min(step, n), LETTERS_A_WORD * n_words), np.uint8)
    found = np.empty(n, np.uint64)
    for start in range(0, n, step):
        some = rows[start : start + step]
        letters[: len(some), :length] = some
        eights = letters[: len(some)].view(np.uint64).reshape(len(some), 4, n_words)
        words = eights[:, 3] << _2
        for quarter in (2, 1):
            words = (words | eights[:, quarter]) << _2
        words = (words | eights[:, 0]) * first
        words ^= words >> _32
        words *= second
        found[start : start + step] = words.sum(axis=1)
    return found
