"""Words in windows of sequences: their occurrences, and their probabilities under independent positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted
from causalgia.sequences.alphabet import parse_word, reverse_complement_word
from causalgia.types import Array, Tokens

Strand: TypeAlias = Literal["+", "-", "both"]
BaseSets: TypeAlias = tuple[int, ...]
"""For each position of a word the set of admitted bases, as four bits: 1 2 4 8 = A C G T."""

Places: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and starts of windows, both (hits,), ordered by row and then by start."""

ANY = 15


@dataclass(frozen=True)
class Site:
    """Patterns of one width that count as an occurrence: a word, its reverse complement, or either."""

    patterns: tuple[BaseSets, ...]

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
            raise PredictorError(f"word {quoted(word)}: strand={quoted(strand)} must be '+', '-' or 'both'")
        forward, backward = _base_sets(word), _base_sets(reverse_complement_word(word))
        both = {"+": (forward,), "-": (backward,), "both": (forward, backward)}[strand]
        return cls(tuple(dict.fromkeys(both)))

    @property
    def width(self) -> int:
        """Bases in the window."""
        return len(self.patterns[0])

    @property
    def signed(self) -> tuple[tuple[int, BaseSets], ...]:
        """Signed patterns whose indicators sum to the indicator of "any of them" (inclusion and exclusion)."""
        plain = tuple((1, pattern) for pattern in self.patterns)
        if len(plain) == 1:
            return plain
        shared = merged_pattern(self.patterns[0], self.patterns[1], 0)
        return plain if shared is None else (*plain, (-1, shared))


@cache
def _base_sets(word: str) -> BaseSets:
    return tuple(sum(1 << base for base in bases) for bases in parse_word(word)[1])


def merged_pattern(first: BaseSets, second: BaseSets, distance: int) -> BaseSets | None:
    """Return the joint pattern, with `second` starting `distance` after `first`; None if they contradict.

    Examples
    --------
    >>> merged_pattern((8, 4), (4, 2), 1), merged_pattern((8, 4), (8, 2), 1)
    ((8, 4, 2), None)
    """
    width = max(len(first), distance + len(second))
    padded = (*first, *[ANY] * (width - len(first)))
    other = (*[ANY] * distance, *second, *[ANY] * (width - distance - len(second)))
    both = tuple(a & b for a, b in zip(padded, other, strict=True))
    return both if all(both) else None


class Reading:
    """A batch of sequences with the places of each site, found once and cached.

    Parameters
    ----------
    tokens
        (n, length) uint8.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.n, self.length = tokens.shape
        self._fours = _fours(tokens)
        self._places: dict[Site, Places] = {}
        self._found: dict[BaseSets, NDArray[np.int64]] = {}

    def places(self, site: Site) -> Places:
        """Return the row and the start of every occurrence of the site, row by row from left to right."""
        if site not in self._places:
            found = reduce(np.union1d, [self._windows(pattern) for pattern in site.patterns])
            self._places[site] = np.divmod(found, max(1, n_windows(self.length, site.width)))
        return self._places[site]

    def present(self, site: Site) -> NDArray[np.bool_]:
        """Return whether each sequence has the site, (n,)."""
        present = np.zeros(self.n, bool)
        present[self.places(site)[0]] = True
        return present

    def _windows(self, pattern: BaseSets) -> NDArray[np.int64]:
        """Return the windows that match the pattern, numbered through all rows."""
        if pattern not in self._found:
            self._found[pattern] = self._search(pattern)
        return self._found[pattern]

    def _search(self, pattern: BaseSets) -> NDArray[np.int64]:
        """Search the rarest four adjacent letters everywhere, and the other letters only where these match."""
        windows = n_windows(self.length, len(pattern))
        first, among = _rarest_four(pattern)
        fours = self._fours[:, first : first + windows]
        found = np.flatnonzero(fours == among.argmax() if among.sum() == 1 else among[fours])
        for k, bases in enumerate(pattern):
            if bases != ANY and not first <= k < first + 4:
                rows, at = np.divmod(found, max(1, windows))
                found = found[(bases >> self.tokens[rows, at + k] & 1) != 0]
        return found


def _fours(tokens: Tokens) -> Tokens:
    """Return the 4-mer that begins at each position as a number, (n, length), padded with A."""
    padded = np.pad(tokens, ((0, 0), (0, 3)))
    twos = np.asarray(padded[:, :-1] << 2 | padded[:, 1:], np.uint8)
    return np.asarray(twos[:, :-2] << 4 | twos[:, 2:], np.uint8)


@cache
def _rarest_four(pattern: BaseSets) -> tuple[int, NDArray[np.bool_]]:
    """Return the start of the most specific four letters of a pattern, and which 4-mers match them, (256,).

    Examples
    --------
    >>> first, among = _rarest_four((15, 15, 4, 1, 8, 1))
    >>> first, np.flatnonzero(among).tolist(), np.base_repr(140, 4)
    (2, [140], '2030')
    """
    padded = (*pattern, *[ANY] * (4 - len(pattern)))
    words = [math.prod(bases.bit_count() for bases in padded[i : i + 4]) for i in range(len(padded) - 3)]
    first = words.index(min(words))
    admits = [np.array([bases >> base & 1 for base in range(4)], bool) for bases in padded[first : first + 4]]
    return first, reduce(np.logical_and.outer, admits).ravel()


def n_windows(length: int, width: int) -> int:
    """Return the number of windows of a width in a sequence; 0 where it is shorter."""
    return max(0, length - width + 1)


def row_sums(places: Places, vector: Array, n: int) -> Array:
    """Return for each of n rows the sum of `vector` over its places, (n,), in an order independent of other rows."""
    rows, at = places
    return np.bincount(rows, weights=vector[at], minlength=n).astype(np.float64, copy=False)


def pattern_probability(columns: Array, pattern: BaseSets) -> Array:
    """Return the probability that each window matches the pattern, (m, windows): a product over its positions.

    Examples
    --------
    >>> pattern_probability(np.full((1, 3, 4), 0.25), (1, 5))
    array([[0.125, 0.125]])
    """
    windows = n_windows(columns.shape[1], len(pattern))
    product = np.ones((len(columns), windows))
    for k, bases in enumerate(pattern):
        if bases != ANY:
            members = [base for base in range(4) if bases >> base & 1]
            product *= columns[:, k : k + windows][..., members].sum(axis=-1)
    return product


def site_probability(columns: Array, site: Site) -> Array:
    """Return the probability that each window matches the site, (m, windows)."""
    return total([sign * pattern_probability(columns, pattern) for sign, pattern in site.signed])


def total(parts: Sequence[Array]) -> Array:
    """Return the sum of arrays of one shape, in order."""
    return reduce(np.add, parts)
