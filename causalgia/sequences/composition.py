"""Composition of sequences: runs, GC, tandem repeats, dinucleotides, motifs, and which
of them are distinct.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia import compiled
from causalgia.compiled import njit
from causalgia.errors import SequenceError
from causalgia.sequences.alphabet import parse_iupac, reverse_complement_iupac
from causalgia.sequences.random import LETTERS_A_WORD, as_length, as_tokens

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


# 512 KiB of letters and 128 KiB of packed rows fit into the cache
_WORDS_AT_ONCE = 1 << 14
_ODD = np.uint64(0x9E3779B97F4A7C15)
_0, _2, _29, _64 = (np.uint64(i) for i in (0, 2, 29, 64))
# nanoseconds of a dictionary for a row, and for each of its words
_A_ROW, _A_WORD = 400, 4


@njit(nogil=True)
def _hash_rows(packed: Any, hashes: Any) -> None:
    for i in range(packed.shape[0]):
        state = _0
        for j in range(packed.shape[1]):
            state = (state ^ packed[i, j]) * _ODD
            state ^= state >> _29
        hashes[i] = state * _ODD


@njit(nogil=True)
def _look_up(
    packed: Any,
    hashes: Any,
    slots: Any,
    rows: Any,
    n_rows: Any,
    numbers: Any,
    fresh: Any,
) -> Any:
    """Find the number of each packed row; add new ones to `slots` (hash, number + 1)
    and `rows`; count them.
    """
    last = slots.shape[0] - 1
    shift = _64 - np.uint64(np.log2(slots.shape[0]))
    n_fresh = 0
    for i in range(packed.shape[0]):
        place = np.int64(hashes[i] >> shift)
        while True:
            number = np.int64(slots[place, 1]) - 1
            if number < 0:
                number = n_rows + n_fresh
                slots[place, 0], slots[place, 1] = hashes[i], number + 1
                for j in range(
                    packed.shape[1]
                ):  # numba takes 5 s to compile rows[number] = packed[i], for its message
                    rows[number, j] = packed[i, j]
                fresh[n_fresh] = i
                n_fresh += 1
                break
            if slots[place, 0] == hashes[i]:
                j = 0
                while j < packed.shape[1] and rows[number, j] == packed[i, j]:
                    j += 1
                if j == packed.shape[1]:
                    break
            place = (place + 1) & last
        numbers[i] = number
    return n_fresh


@njit(nogil=True)
def _move(old: Any, new: Any) -> None:
    """Copy every used slot of the old table into the new one."""
    last = new.shape[0] - 1
    shift = _64 - np.uint64(np.log2(new.shape[0]))
    for i in range(old.shape[0]):
        if old[i, 1] > _0:
            place = np.int64(old[i, 0] >> shift)
            while new[place, 1] > _0:
                place = (place + 1) & last
            new[place, 0], new[place, 1] = old[i, 0], old[i, 1]


class Distinct:
    """Numbers for sequences of one length: equal sequences get the same number, in
    order of first appearance.

    Few sequences are kept in a dictionary, many in a compiled table with a quarter of a
    byte for each letter of a distinct sequence. The 64-bit hash only gives the place to
    look (open addressing, linear probing) and sequences are compared letter by letter,
    so two sequences never share a number.

    Parameters
    ----------
    length
        Letters in a sequence.
    capacity
        Initial room in distinct sequences; it grows by doubling.

    Examples
    --------
    >>> table = Distinct(3)
    >>> table.enter(np.array([[0, 1, 2], [3, 3, 3], [0, 1, 2]], np.uint8))
    (array([0, 1, 0]), array([0, 1]))
    >>> table.enter(np.array([[3, 3, 3], [1, 1, 1]], np.uint8))
    (array([1, 2]), array([1]))
    >>> len(table)
    3
    """

    def __init__(self, length: int, *, capacity: int = 1_024) -> None:
        self.length = as_length(length)
        self._words = -(-self.length // LETTERS_A_WORD)
        self._capacity = max(capacity, 1)
        self._kept: _Dictionary | _Table = _Dictionary()

    def __len__(self) -> int:
        return len(self._kept)

    def enter(
        self, tokens: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of each row of tokens, and which rows are the first of
        their sequence in this table.

        Parameters
        ----------
        tokens
            Sequences, (n, length), uint8 of 0-3.

        Returns
        -------
        numbers
            The number of distinct sequences before the first one with these letters,
            (n,).
        fresh
            Indices of the rows that are new, ascending; their numbers are consecutive.

        Raises
        ------
        SequenceError
            If the array is not uint8 of that length, or a token is not 0-3; nothing is
            entered then.
        """
        shape = (len(tokens), self.length) if np.ndim(tokens) else ()
        if tokens.dtype != np.uint8 or tokens.shape != shape:
            msg = (
                f"tokens are uint8 of shape (n, {self.length}), not {tokens.dtype} of "
                f"shape {tokens.shape}"
            )
            raise SequenceError(msg)
        if tokens.max(initial=0) > 3:
            row, position = np.argwhere(tokens > 3)[0].tolist()
            msg = (
                f"sequence {row} has token {tokens[row, position]} at {position}; "
                "tokens are 0-3 = A, C, G, T"
            )
            raise SequenceError(msg)
        cost = len(tokens) * (_A_ROW + _A_WORD * self._words)
        if isinstance(self._kept, _Dictionary) and not compiled.NUMPY_ALLOWANCE.covers(
            cost
        ):
            # from a dictionary to a table: there are so many rows that compiling it
            # pays
            known = self._kept.rows(self._words)
            self._kept = _Table(self._words, max(self._capacity, len(known)))
            self._kept.enter(
                known, np.empty(len(known), np.int64), np.empty(len(known), np.int64)
            )
        numbers, fresh = (
            np.empty(len(tokens), np.int64),
            np.empty(len(tokens), np.int64),
        )
        step, before = max(1, _WORDS_AT_ONCE // self._words), len(self)
        for start in range(0, len(tokens), step):
            rows, found = slice(start, start + step), len(self) - before
            self._kept.enter(self._pack(tokens[rows]), numbers[rows], fresh[found:])
            fresh[found : len(self) - before] += start
        return numbers, fresh[: len(self) - before].copy()

    def _pack(self, tokens: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Return rows of tokens with 32 letters a word, (n, words), in an internal
        order of the letters.
        """
        letters = np.zeros((len(tokens), LETTERS_A_WORD * self._words), np.uint8)
        letters[:, : self.length] = tokens
        eights = letters.view(np.uint64).reshape(len(tokens), 4, self._words)
        packed: NDArray[np.uint64] = eights[:, 3]
        for quarter in (2, 1, 0):
            packed = packed << _2 | eights[:, quarter]
        return packed


@dataclass(eq=False)
class _Dictionary:
    """Numbers of packed rows by their bytes."""

    _known: dict[bytes, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._known)

    def enter(
        self,
        packed: NDArray[np.uint64],
        numbers: NDArray[np.int64],
        fresh: NDArray[np.int64],
    ) -> None:
        """Write the number of each row, and the indices of new ones."""
        known, new = self._known, []
        for i, row in enumerate(packed):
            size = len(known)
            numbers[i] = known.setdefault(row.tobytes(), size)
            if len(known) > size:
                new.append(i)
        fresh[: len(new)] = new

    def rows(self, n_words: int) -> NDArray[np.uint64]:
        """Return the distinct rows by number, (n, words)."""
        return np.frombuffer(b"".join(self._known), np.uint64).reshape(-1, n_words)


class _Table:
    """Numbers of packed rows by a hash table of their words, compiled."""

    def __init__(self, n_words: int, capacity: int) -> None:
        self._n = 0
        self._rows = np.empty((0, n_words), np.uint64)
        self.slots = np.zeros((2, 2), np.uint64)
        self._make_room(capacity)

    def __len__(self) -> int:
        return self._n

    def enter(
        self,
        packed: NDArray[np.uint64],
        numbers: NDArray[np.int64],
        fresh: NDArray[np.int64],
    ) -> None:
        """Write the number of each row, and the indices of new ones."""
        hashes = np.empty(len(packed), np.uint64)
        _hash_rows(packed, hashes)
        self._make_room(self._n + len(packed))
        self._n += _look_up(
            packed, hashes, self.slots, self._rows, self._n, numbers, fresh
        )

    def _make_room(self, n: int) -> None:
        """Grow to hold n distinct sequences with at least half of the slots free."""
        if n > len(self._rows):
            rows = np.empty((max(n, 2 * self._n), self._rows.shape[1]), np.uint64)
            rows[: self._n] = self._rows[: self._n]
            self._rows = rows
        if 2 * n > len(self.slots):
            slots = np.zeros((1 << (2 * n - 1).bit_length(), 2), np.uint64)
            _move(self.slots, slots)
            self.slots = slots
