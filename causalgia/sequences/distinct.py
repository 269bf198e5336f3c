"""A table of distinct sequences: which rows of tokens have been met before, compared letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.compiled import njit
from causalgia.errors import SequenceError
from causalgia.sequences.arguments import as_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distinct"]

_LETTERS = 32  # in a word of 64 bits
_WORDS_AT_ONCE = 1 << 14  # 512 KiB of letters and 128 KiB of packed rows stay in the cache while they are looked up
_ODD = np.uint64(0x9E3779B97F4A7C15)
_0, _2, _4, _6, _29, _64 = (np.uint64(i) for i in (0, 2, 4, 6, 29, 64))


@njit(nogil=True)
def _pack(letters: Any, packed: Any) -> None:
    """Write rows of letters, eight a word, as rows of 32 letters a word, in an order of the letters of our own."""
    n_words = packed.shape[1]
    for i in range(packed.shape[0]):
        row = letters[i]
        for j in range(n_words):
            fourth = row[3 * n_words + j] << _6
            packed[i, j] = row[j] | row[n_words + j] << _2 | row[2 * n_words + j] << _4 | fourth


@njit(nogil=True)
def _hash(packed: Any, hashes: Any) -> None:
    for i in range(packed.shape[0]):
        state = _0
        for j in range(packed.shape[1]):
            state = (state ^ packed[i, j]) * _ODD
            state ^= state >> _29
        hashes[i] = state * _ODD


@njit(nogil=True)
def _look_up(packed: Any, hashes: Any, slots: Any, rows: Any, n_rows: Any, numbers: Any, fresh: Any) -> Any:
    """Find the number of each packed row; enter fresh ones into `slots` (hash, number + 1) and `rows`; count them."""
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
                for j in range(packed.shape[1]):  # numba takes 5 s to compile rows[number] = packed[i], for its message
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
    """Enter every taken slot of the old table into the new one."""
    last = new.shape[0] - 1
    shift = _64 - np.uint64(np.log2(new.shape[0]))
    for i in range(old.shape[0]):
        if old[i, 1] > _0:
            place = np.int64(old[i, 0] >> shift)
            while new[place, 1] > _0:
                place = (place + 1) & last
            new[place, 0], new[place, 1] = old[i, 0], old[i, 1]


class Distinct:
    """Numbers for sequences of one length: equal sequences get the same number, in order of first appearance.

    Sequences are compared letter by letter: a 64-bit hash only says where to look (open addressing, linear probing),
    so two sequences never share a number. The table keeps a quarter of a byte for each letter of a distinct sequence.

    Parameters
    ----------
    length
        Letters in a sequence.
    capacity
        Distinct sequences to make room for beforehand; the table grows by doubling.

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
        self._n = 0
        self._words = -(-self.length // _LETTERS)
        self._rows = np.empty((0, self._words), np.uint64)
        self._slots = np.zeros((2, 2), np.uint64)
        self._make_room(max(capacity, 1))

    def __len__(self) -> int:
        return self._n

    def enter(self, tokens: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of each row of tokens, and which rows are the first of their sequence in this table.

        Parameters
        ----------
        tokens
            Sequences, (n, length), uint8 of 0-3.

        Returns
        -------
        numbers
            How many distinct sequences had been met before the first with these letters, (n,).
        fresh
            Indices of the rows that had not been met before, ascending; their numbers follow one another.

        Raises
        ------
        SequenceError
            If the array is not uint8 of that length, or a token is not 0-3; nothing is entered then.
        """
        self._check(tokens)
        numbers, fresh = np.empty(len(tokens), np.int64), np.empty(len(tokens), np.int64)
        step, before = max(1, _WORDS_AT_ONCE // self._words), len(self)
        for start in range(0, len(tokens), step):
            rows, found = slice(start, start + step), len(self) - before
            self._enter(tokens[rows], numbers[rows], fresh[found:])
            fresh[found : len(self) - before] += start
        return numbers, fresh[: len(self) - before].copy()

    def _check(self, tokens: NDArray[np.uint8]) -> None:
        shape = (len(tokens), self.length) if np.ndim(tokens) else ()
        if tokens.dtype != np.uint8 or tokens.shape != shape:
            msg = f"tokens are uint8 of shape (n, {self.length}), not {tokens.dtype} of shape {tokens.shape}"
            raise SequenceError(msg)
        if tokens.max(initial=0) > 3:
            row, position = np.argwhere(tokens > 3)[0].tolist()
            msg = f"sequence {row} has token {tokens[row, position]} at {position}; tokens are 0-3 = A, C, G, T"
            raise SequenceError(msg)

    def _enter(self, tokens: NDArray[np.uint8], numbers: NDArray[np.int64], fresh: NDArray[np.int64]) -> None:
        letters = np.zeros((len(tokens), _LETTERS * self._words), np.uint8)
        letters[:, : self.length] = tokens
        packed, hashes = np.empty((len(tokens), self._words), np.uint64), np.empty(len(tokens), np.uint64)
        _pack(letters.view(np.uint64), packed)
        _hash(packed, hashes)
        self._make_room(self._n + len(tokens))
        self._n += _look_up(packed, hashes, self._slots, self._rows, self._n, numbers, fresh)

    def _make_room(self, n: int) -> None:
        """Grow to hold n distinct sequences with at least half of the slots free."""
        if n > len(self._rows):
            rows = np.empty((max(n, 2 * self._n), self._words), np.uint64)
            rows[: self._n] = self._rows[: self._n]
            self._rows = rows
        if 2 * n > len(self._slots):
            slots = np.zeros((1 << (2 * n - 1).bit_length(), 2), np.uint64)
            _move(self._slots, slots)
            self._slots = slots
