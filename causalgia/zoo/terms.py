"""What a term is; words, end composition, and a saturating response to words.

Every term has a score for each sequence, and the score's expectation where the positions of the sequence are
independent: on paper a sum over windows of products of base probabilities.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from causalgia.errors import PredictorError
from causalgia.types import Array
from causalgia.zoo.automaton import WeightedSite
from causalgia.zoo.gains import Gain
from causalgia.zoo.numbers import number, whole
from causalgia.zoo.responses import Response
from causalgia.zoo.windows import Reading, Site, Strand, n_windows, row_sums, site_chance, total


class Term(ABC):
    """One additive part of an oracle."""

    def check(self, length: int) -> None:  # noqa: B027 - most terms have nothing to refuse
        """Raise PredictorError where sequences of this length have no score."""

    @abstractmethod
    def score(self, reading: Reading) -> Array:
        """Return the score of each sequence, (n,)."""

    @abstractmethod
    def expected(self, columns: Array) -> Array:
        """Return the expected score under each of m distributions with independent positions, (m,).

        Raises
        ------
        NoClosedForm
            If there is no exact expression that can be computed.
        """


class Linear(Term):
    """Terms that are sums of window weights: ``sum_i v_i 1{window i reads the site}``."""

    @abstractmethod
    def site(self) -> Site:
        """Return what a window must read."""

    @abstractmethod
    def vector(self, length: int) -> Array:
        """Return the weight v of each window, (windows,)."""

    def weighted_site(self, length: int) -> WeightedSite:
        """Return the site with its window weights."""
        return self.site(), self.vector(length)

    def score(self, reading: Reading) -> Array:
        return row_sums(reading.places(self.site()), self.vector(reading.length), reading.n)

    def expected(self, columns: Array) -> Array:
        expected: Array = site_chance(columns, self.site()) @ self.vector(columns.shape[1])
        return expected


@dataclass(frozen=True)
class Word(Linear):
    """A word with a weight: ``weight * sum_i gain(i) 1{window i reads the word}``.

    Parameters
    ----------
    word
        Letters A C G T (U); IUPAC letters admit several bases.
    weight
        Effect of one copy.
    strand
        ``"both"`` counts a window that reads the word or its reverse complement, a palindrome once.
    gain
        How the weight depends on the window's position; None: not at all.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> Word("UGCAUG", 3.5).score(Reading(encode(["ATGCATGCATGA", "AAAAAAAAAAAA"])))
    array([7., 0.])
    """

    word: str
    weight: float = 1.0
    strand: Strand = "+"
    gain: Gain | None = None

    def __post_init__(self) -> None:
        Site.of(self.word, self.strand)
        object.__setattr__(self, "weight", number(self.weight, f"word '{self.word}': weight"))

    def site(self) -> Site:
        return Site.of(self.word, self.strand)

    def vector(self, length: int) -> Array:
        windows = n_windows(length, len(self.word))
        return self.weight * (np.ones(windows) if self.gain is None else self.gain.along(windows))


@dataclass(frozen=True)
class EndGC(Linear):
    """A bias for G and C at the 3' end: ``weight *`` the share of G and C in the last `last` positions.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> EndGC(2.0, last=2).score(Reading(encode(["GGGA"])))
    array([1.])
    """

    weight: float
    last: int = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", number(self.weight, "EndGC: weight"))
        object.__setattr__(self, "last", whole(self.last, "EndGC: last"))

    def check(self, length: int) -> None:
        if self.last > length:
            raise PredictorError(f"EndGC(last={self.last}) needs at least {self.last} positions; these have {length}")

    def site(self) -> Site:
        return Site.of("S")

    def vector(self, length: int) -> Array:
        return np.where(np.arange(length) >= length - self.last, self.weight / self.last, 0.0)

    def score(self, reading: Reading) -> Array:
        end = reading.tokens[:, -self.last :]
        share: Array = ((end == 1) | (end == 2)).sum(axis=1) / self.last
        return self.weight * share


@dataclass(frozen=True)
class Saturating(Term):
    """A nonlinear response to the summed score of words: ``response(sum of the terms' scores)``.

    The expectation is exact: the distribution of the sum comes from a recursion along the sequence.

    Parameters
    ----------
    terms
        Words (`Word`, `EndGC`).
    response
        `Hill` (Michaelis-Menten for power 1), or `Exponential`: ``top * (1 - exp(-x / scale))``.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> from causalgia.zoo import Hill
    >>> Saturating((Word("GATA"),), Hill(top=6, half=1)).score(Reading(encode(["GATAGATA", "GATAAAAA"])))
    array([4., 3.])
    """

    terms: tuple[Linear, ...]
    response: Response

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(self.terms))
        odd = [term for term in self.terms if not isinstance(term, Linear)]
        if odd or not self.terms:
            raise PredictorError(f"Saturating takes Word and EndGC terms, not {odd[0] if odd else 'none'}")

    def check(self, length: int) -> None:
        for term in self.terms:
            term.check(length)

    def score(self, reading: Reading) -> Array:
        return self.response.of(total([term.score(reading) for term in self.terms]))

    def expected(self, columns: Array) -> Array:
        return self.response.expected(columns, [term.weighted_site(columns.shape[1]) for term in self.terms])
