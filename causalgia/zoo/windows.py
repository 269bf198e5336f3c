"""Words read in windows: where sequences have them, and how probable they are where positions are independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError
from causalgia.sequences.alphabet import Tokens, parse_word, reverse_complement_word

Strand: TypeAlias = Literal["+", "-", "both"]
Admitted: TypeAlias = tuple[int, ...]
"""For each position of a word the set of bases that it admits, as four bits: 1 2 4 8 = A C G T."""
Columns: TypeAlias = NDArray[np.float64]
"""m distributions of sequences with independent positions, (m, length, 4): probabilities of A, C, G, T."""
Numbers: TypeAlias = NDArray[np.float64]

Places: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and starts of windows, both (hits,), ordered by row and then by start."""

ANY = 15
_LETTERS_EVERYWHERE = 4


@dataclass(frozen=True)
class Site:
    """What a window must read: one of several patterns of one width (a word, its reverse complement, or either)."""

    patterns: tuple[Admitted, ...]

    @classmethod
    def of(cls, word: str, strand: Strand = "+") -> Site:
        """Return the site of a word; on both strands a palindrome is one pattern and counts once.

        Raises
        ------
        SequenceError
            If a letter is not an IUPAC letter.
        PredictorError
            If the strand is not "+", "-" or "both".

        Examples
        --------
        >>> Site.of("CACGTG", "both") == Site.of("CACGTG")
        True
        """
        if strand not in ("+", "-", "both"):
            raise PredictorError(f"word '{word}': strand={strand!r} must be '+', '-' or 'both'")
        forward, backward = _admitted(word), _admitted(reverse_complement_word(word))
        both = {"+": (forward,), "-": (backward,), "both": (forward, backward)}[strand]
        return cls(tuple(dict.fromkeys(both)))

    @property
    def width(self) -> int:
        """Bases in the window."""
        return len(self.patterns[0])

    @property
    def signed(self) -> tuple[tuple[int, Admitted], ...]:
        """Signed patterns whose indicators sum to the indicator of "any of them" (inclusion and exclusion)."""
        plain = tuple((1, pattern) for pattern in self.patterns)
        if len(plain) == 1:
            return plain
        shared = merged(self.patterns[0], self.patterns[1], 0)
        return plain if shared is None else (*plain, (-1, shared))


def _admitted(word: str) -> Admitted:
    return tuple(sum(1 << base for base in bases) for bases in parse_word(word)[1])


def merged(first: Admitted, second: Admitted, distance: int) -> Admitted | None:
    """Return the pattern that reads both, `second` starting `distance` after `first`; None if they contradict.

    Examples
    --------
    >>> merged((8, 4), (4, 2), 1), merged((8, 4), (8, 2), 1)
    ((8, 4, 2), None)
    """
    width = max(len(first), distance + len(second))
    padded = (*first, *[ANY] * (width - len(first)))
    other = (*[ANY] * distance, *second, *[ANY] * (width - distance - len(second)))
    both = tuple(a & b for a, b in zip(padded, other, strict=True))
    return both if all(both) else None


class Reading:
    """A batch of sequences being read: where each site is, found once however many terms ask.

    Parameters
    ----------
    tokens
        (n, length) uint8.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.n, self.length = tokens.shape
        self._bits = np.left_shift(np.uint8(1), tokens)
        self._found: dict[Site, Places] = {}

    def places(self, site: Site) -> Places:
        """Return the row and the start of every window that reads the site, row by row from left to right."""
        if site not in self._found:
            found = reduce(np.union1d, [self._reads(pattern) for pattern in site.patterns])
            rows, at = np.divmod(found, max(1, n_windows(self.length, site.width)))
            self._found[site] = rows, at
        return self._found[site]

    def present(self, site: Site) -> NDArray[np.bool_]:
        """Return whether each sequence has the site, (n,)."""
        present = np.zeros(self.n, bool)
        present[self.places(site)[0]] = True
        return present

    def _reads(self, pattern: Admitted) -> NDArray[np.int64]:
        """Return the windows that read the pattern, counted through all rows.

        Its first letters are looked for everywhere, the others only where these are.
        """
        windows = n_windows(self.length, len(pattern))
        letters = [(k, np.uint8(bases)) for k, bases in enumerate(pattern) if bases != ANY]
        read = np.ones((self.n, windows), bool)
        for k, bases in letters[:_LETTERS_EVERYWHERE]:
            read &= (self._bits[:, k : k + windows] & bases) != 0
        found = np.flatnonzero(read)
        for k, bases in letters[_LETTERS_EVERYWHERE:]:
            rows, at = np.divmod(found, max(1, windows))
            found = found[(self._bits[rows, at + k] & bases) != 0]
        return found


def n_windows(length: int, width: int) -> int:
    """Return how many windows of a width a sequence has; none where it is shorter."""
    return max(0, length - width + 1)


def row_sums(places: Places, vector: Numbers, n: int) -> Numbers:
    """Return for each of n rows the sum of `vector` over its places, (n,), in an order that no other row can change."""
    rows, at = places
    return np.bincount(rows, weights=vector[at], minlength=n).astype(np.float64, copy=False)


def chance(columns: Columns, pattern: Admitted) -> Numbers:
    """Return the probability that each window reads the pattern, (m, windows): a product over its positions.

    Examples
    --------
    >>> chance(np.full((1, 3, 4), 0.25), (1, 5))
    array([[0.125, 0.125]])
    """
    windows = n_windows(columns.shape[1], len(pattern))
    product = np.ones((len(columns), windows))
    for k, bases in enumerate(pattern):
        if bases != ANY:
            product *= columns[:, k : k + windows][..., _members(bases)].sum(axis=-1)
    return product


def _members(bases: int) -> list[int]:
    return [base for base in range(4) if bases >> base & 1]


def site_chance(columns: Columns, site: Site) -> Numbers:
    """Return the probability that each window reads the site, (m, windows)."""
    return total([sign * chance(columns, pattern) for sign, pattern in site.signed])


def total(parts: Sequence[Numbers]) -> Numbers:
    """Return the sum of arrays of one shape, first to last."""
    return reduce(np.add, parts)
