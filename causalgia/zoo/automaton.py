"""Exact expectations of a nonlinear response to a sum of site weights, where positions
are independent.

A finite automaton tracks all sites at once (the determinized shift-and automaton, which
for plain motifs is that of Aho and Corasick). Its state is a Markov chain along the
sequence, so the distribution of the weighted sum follows from a recursion over
positions.

References
----------
Aho & Corasick (1975), doi:10.1145/360825.360855; Baeza-Yates & Gonnet (1992),
doi:10.1145/135239.135243; Nuel (2008), Pattern Markov chains,
doi:10.1239/jap/1208358964.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted
from causalgia.sequences.alphabet import parse_iupac, reverse_complement_iupac
from causalgia.types import Array, Tokens

Strand: TypeAlias = Literal["+", "-", "both"]
BaseSets: TypeAlias = tuple[int, ...]
"""For each position of a motif the set of admitted bases, as four bits: 1 2 4 8 = A C G
T.
"""

Places: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and starts of windows, both (hits,), ordered by row and then by start."""

ANY = 15


@dataclass(frozen=True)
class Site:
    """Patterns of one width that count as an occurrence: a motif, its reverse
    complement, or either.
    """

    patterns: tuple[BaseSets, ...]

    @classmethod
    def of(cls, motif: str, strand: Strand = "+") -> Site:
        """Return the site of a motif; on both strands a palindrome is one pattern and
        counts once.

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
            raise PredictorError(
                f"motif {quoted(motif)}: strand={quoted(strand)} must be '+', '-' "
                "or 'both'"
            )
        forward, backward = (
            _base_sets(motif),
            _base_sets(reverse_complement_iupac(motif)),
        )
        both = {"+": (forward,), "-": (backward,), "both": (forward, backward)}[strand]
        return cls(tuple(dict.fromkeys(both)))

    @property
    def width(self) -> int:
        """Bases in the window."""
        return len(self.patterns[0])

    @property
    def signed(self) -> tuple[tuple[int, BaseSets], ...]:
        """Signed patterns whose indicators sum to the indicator of "any of them"
        (inclusion and exclusion).
        """
        plain = tuple((1, pattern) for pattern in self.patterns)
        if len(plain) == 1:
            return plain
        shared = merged_pattern(self.patterns[0], self.patterns[1], 0)
        return plain if shared is None else (*plain, (-1, shared))


@cache
def _base_sets(motif: str) -> BaseSets:
    return tuple(sum(1 << base for base in bases) for bases in parse_iupac(motif)[1])


def merged_pattern(first: BaseSets, second: BaseSets, distance: int) -> BaseSets | None:
    """Return the joint pattern, with `second` starting `distance` after `first`; None
    if they contradict.

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
        # the 4-mer that begins at each position as a number, (n, length), padded with A
        padded = np.pad(tokens, ((0, 0), (0, 3)))
        twos = np.asarray(padded[:, :-1] << 2 | padded[:, 1:], np.uint8)
        self._fours = np.asarray(twos[:, :-2] << 4 | twos[:, 2:], np.uint8)
        self._places: dict[Site, Places] = {}
        self._found: dict[BaseSets, NDArray[np.int64]] = {}

    def places(self, site: Site) -> Places:
        """Return the row and the start of every occurrence of the site, row by row from
        left to right.
        """
        if site not in self._places:
            found = reduce(
                np.union1d, [self._windows(pattern) for pattern in site.patterns]
            )
            self._places[site] = np.divmod(
                found, max(1, n_windows(self.length, site.width))
            )
        return self._places[site]

    def present(self, site: Site) -> NDArray[np.bool_]:
        """Return whether each sequence has the site, (n,)."""
        present = np.zeros(self.n, bool)
        present[self.places(site)[0]] = True
        return present

    def _windows(self, pattern: BaseSets) -> NDArray[np.int64]:
        """Return the windows that match the pattern, numbered through all rows."""
        if pattern not in self._found:
            # search the rarest four adjacent letters everywhere, and the other letters
            # only where these match
            windows = n_windows(self.length, len(pattern))
            first, among = _rarest_four(pattern)
            fours = self._fours[:, first : first + windows]
            found = np.flatnonzero(
                fours == among.argmax() if among.sum() == 1 else among[fours]
            )
            for k, bases in enumerate(pattern):
                if bases != ANY and not first <= k < first + 4:
                    rows, at = np.divmod(found, max(1, windows))
                    found = found[(bases >> self.tokens[rows, at + k] & 1) != 0]
            self._found[pattern] = found
        return self._found[pattern]


@cache
def _rarest_four(pattern: BaseSets) -> tuple[int, NDArray[np.bool_]]:
    """Return the start of the most specific four letters of a pattern, and which 4-mers
    match them, (256,).

    Examples
    --------
    >>> first, among = _rarest_four((15, 15, 4, 1, 8, 1))
    >>> first, np.flatnonzero(among).tolist(), np.base_repr(140, 4)
    (2, [140], '2030')
    """
    padded = (*pattern, *[ANY] * (4 - len(pattern)))
    motifs = [
        math.prod(bases.bit_count() for bases in padded[i : i + 4])
        for i in range(len(padded) - 3)
    ]
    first = motifs.index(min(motifs))
    admits = [
        np.array([bases >> base & 1 for base in range(4)], bool)
        for bases in padded[first : first + 4]
    ]
    return first, reduce(np.logical_and.outer, admits).ravel()


def n_windows(length: int, width: int) -> int:
    """Return the number of windows of a width in a sequence; 0 where it is shorter."""
    return max(0, length - width + 1)


def row_sums(places: Places, vector: Array, n: int) -> Array:
    """Return for each of n rows the sum of `vector` over its places, (n,), in an order
    independent of other rows.
    """
    rows, at = places
    return np.bincount(rows, weights=vector[at], minlength=n).astype(
        np.float64, copy=False
    )


def pattern_probability(columns: Array, pattern: BaseSets) -> Array:
    """Return the probability that each window matches the pattern, (m, windows): a
    product over its positions.

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
    return total(
        [sign * pattern_probability(columns, pattern) for sign, pattern in site.signed]
    )


def total(parts: Sequence[Array]) -> Array:
    """Return the sum of arrays of one shape, in order."""
    return reduce(np.add, parts)


WeightedSite: TypeAlias = tuple[Site, Array]
"""A site and its weight in each window, (windows,)."""

_MOST_STATES = 5_000
_MOST_CELLS = 200_000
_LEAST_STATE_PROBABILITY = 1e-18


class NoClosedForm(Exception):  # noqa: N818 - not an error: the zoo then uses large n
    """Raised where there is no exact expectation; the message gives the reason."""


@dataclass(frozen=True)
class Automaton:
    """Automaton whose states record the sites that have begun.

    Attributes
    ----------
    step
        Sparse (states, 4 states) transition matrix: the next state for each base (A
        first) and state.
    ends
        Whether a site ends in a state, (sites, states).
    """

    step: Any
    ends: NDArray[np.bool_]


def automaton(sites: Sequence[Site]) -> Automaton:
    """Return the automaton of several sites.

    Raises
    ------
    NoClosedForm
        If it would have more than 5,000 states.

    Examples
    --------
    >>> automaton([Site.of("ACA")]).ends.sum(axis=1)
    array([1])
    """
    patterns = [pattern for site in sites for pattern in site.patterns]
    starts = np.cumsum([0, *map(len, patterns)]).tolist()
    begin = sum(1 << start for start in starts[:-1])
    admits = [
        sum(1 << i for i, bases in enumerate(sum(patterns, ())) if bases >> b & 1)
        for b in range(4)
    ]
    states, following = {0: 0}, []
    for state in _visit_states(states):
        after = [((state << 1) | begin) & admit for admit in admits]
        following.append([states.setdefault(s, len(states)) for s in after])
    last = iter(stop - 1 for stop in starts[1:])
    finals = [sum(1 << next(last) for _ in site.patterns) for site in sites]
    ends = np.array([[bool(state & final) for state in states] for final in finals])
    target = np.array(following).T.ravel()
    n = len(target)
    return Automaton(
        sp.csr_array((np.ones(n), (target, np.arange(n))), shape=(len(states), n)), ends
    )


def _visit_states(states: dict[int, int]) -> Iterator[int]:
    """Yield every state, including those added during the iteration."""
    visited = 0
    while visited < len(states):
        if len(states) > _MOST_STATES:
            raise NoClosedForm(
                f"the motifs need an automaton of more than {_MOST_STATES:,} states"
            )
        fresh = list(states)[visited:]
        visited = len(states)
        yield from fresh


def _move_mass(machine: Automaton, columns: Array, t: int, mass: Array) -> Array:
    """Move probability mass (states, values, m) by the base at position t."""
    read = columns[:, t].T[:, None, None] * mass
    moved: Array = (machine.step @ read.reshape(4 * len(mass), -1)).reshape(mass.shape)
    return moved


def _emitted_weights(
    machine: Automaton, sites: Sequence[WeightedSite], t: int
) -> Array:
    """Return the weight that each state adds to the sum at position t: those of the
    windows that end there.
    """
    added = np.zeros(machine.ends.shape[1])
    for (site, weights), ends in zip(sites, machine.ends, strict=True):
        start = t - site.width + 1
        if start >= 0:
            added[ends] += weights[start]
    return added


def expected_exp(columns: Array, sites: Sequence[WeightedSite]) -> Array:
    """Return E[exp(sum of the weights of all windows that match their site)], (m,),
    exactly.

    Examples
    --------
    >>> one = expected_exp(np.full((1, 1, 4), 0.25), [(Site.of("A"), np.array([1.0]))])
    >>> bool(np.isclose(one[0], 0.75 + 0.25 * np.e))
    True
    """
    machine = automaton([site for site, _ in sites])
    mass = _initial_mass(machine, columns)
    for t in range(columns.shape[1]):
        mass = (
            _move_mass(machine, columns, t, mass)
            * np.exp(_emitted_weights(machine, sites, t))[:, None, None]
        )
    expected: Array = mass.sum(axis=(0, 1))
    return expected


def _initial_mass(machine: Automaton, columns: Array) -> Array:
    mass = np.zeros((machine.ends.shape[1], 1, len(columns)))
    mass[0] = 1
    return mass


def distribution(columns: Array, sites: Sequence[WeightedSite]) -> tuple[Array, Array]:
    """Return the exact distribution of the sum of the weights of all windows that match
    their site.

    Sums within 1e-10 are one value; values with a probability below 1e-18 at some
    position are dropped.

    Returns
    -------
    values
        (values,), increasing.
    probabilities
        (m, values); rows sum to 1.

    Raises
    ------
    NoClosedForm
        If there are too many values.

    Examples
    --------
    >>> values, probabilities = distribution(
    ...     np.full((1, 2, 4), 0.25), [(Site.of("A"), np.ones(2))]
    ... )
    >>> values.tolist(), probabilities.tolist()
    ([0.0, 1.0, 2.0], [[0.5625, 0.375, 0.0625]])
    """
    machine = automaton([site for site, _ in sites])
    values, mass = np.zeros(1), _initial_mass(machine, columns)
    for t in range(columns.shape[1]):
        values, mass = _add_emissions(
            values,
            _move_mass(machine, columns, t, mass),
            _emitted_weights(machine, sites, t),
        )
    return values, mass.sum(axis=0).T


def _add_emissions(values: Array, mass: Array, added: Array) -> tuple[Array, Array]:
    """Shift the sums in the states that emit, and merge equal sums: mass (states,
    values, m).
    """
    steps, group = np.unique(added, return_inverse=True)
    shifted = values[None, :] + steps[:, None]
    _, first, where = np.unique(
        np.round(shifted, 10), return_index=True, return_inverse=True
    )
    if len(mass) * len(first) > _MOST_CELLS:
        raise NoClosedForm("the motifs' weights can sum to too many different values")
    grown = np.zeros((len(mass), len(first), mass.shape[2]))
    for i, at in enumerate(where.reshape(shifted.shape)):
        states = np.flatnonzero(group == i)
        grown[np.ix_(states, at)] = mass[states]
    probable = grown.sum(axis=0).max(axis=1) > _LEAST_STATE_PROBABILITY
    return shifted.reshape(-1)[first][probable], grown[:, probable]
