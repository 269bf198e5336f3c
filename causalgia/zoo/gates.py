"""Logic between words: an effect that exists where words are present together, or where any of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from causalgia.errors import PredictorError, quoted
from causalgia.types import Array
from causalgia.zoo.automaton import expected_exp
from causalgia.zoo.numbers import number
from causalgia.zoo.terms import Term
from causalgia.zoo.windows import Reading, Site, Strand, n_windows, total


@dataclass(frozen=True)
class Gate(Term):
    """An effect gated by the presence of words: ``bonus`` where all of them (AND) or any of them (OR) are present.

    A word is present where one or more windows read it; more copies add nothing. With ``"and"`` each word is necessary
    and none is sufficient; with ``"or"`` each is sufficient and none is necessary. The expectation is exact: the
    probability that words are absent is that of an automaton which never ends in one, and inclusion and exclusion
    gives the presence of all.

    Parameters
    ----------
    words
        Two words or more.
    bonus
        The effect where the gate is open.
    logic
        ``"and"``, or ``"or"``.
    strand
        As for `Word`, for every word.

    Raises
    ------
    PredictorError
        If there are fewer than two words, two are equal, or the logic is another one.

    References
    ----------
    Buchler, Gerland & Hwa (2003), On schemes of combinatorial transcription logic, doi:10.1073/pnas.0930314100.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> reading = Reading(encode(["GATACACG", "GATAGATA", "CCCCCCCC"]))
    >>> Gate(("GATA", "CACG"), bonus=2.0, logic="and").score(reading)
    array([2., 0., 0.])
    >>> Gate(("GATA", "CACG"), bonus=2.0, logic="or").score(reading)
    array([2., 2., 0.])
    """

    words: tuple[str, ...]
    bonus: float = field(kw_only=True)
    logic: Literal["and", "or"] = field(kw_only=True)
    strand: Strand = field(default="+", kw_only=True)

    def __post_init__(self) -> None:
        words: object = self.words
        if not isinstance(words, tuple | list) or len(set(words)) < max(2, len(words)):
            raise PredictorError(
                f"Gate(words={quoted(words)}): give two or more different words, such as ('GATA', 'CACG')"
            )
        object.__setattr__(self, "words", tuple(words))
        object.__setattr__(self, "bonus", number(self.bonus, f"gate {self.words}: bonus"))
        if self.logic not in ("and", "or"):
            raise PredictorError(f"gate {self.words}: logic={quoted(self.logic)} must be 'and' or 'or'")
        self.sites()

    def sites(self) -> tuple[Site, ...]:
        """Return what is read for each word."""
        return tuple(Site.of(word, self.strand) for word in self.words)

    def score(self, reading: Reading) -> Array:
        present = np.array([reading.present(site) for site in self.sites()])
        opened = present.all(axis=0) if self.logic == "and" else present.any(axis=0)
        return np.where(opened, self.bonus, 0.0)

    def expected(self, columns: Array) -> Array:
        sites = self.sites()
        if self.logic == "or":
            return self.bonus * (1 - _absent(columns, sites))
        subsets = [some for size in range(1, len(sites) + 1) for some in combinations(sites, size)]
        return self.bonus * (1 + total([(-1) ** len(some) * _absent(columns, some) for some in subsets]))


def _absent(columns: Array, sites: Sequence[Site]) -> Array:
    """Return the probability that no window reads any of the sites, (m,)."""
    never = [(site, np.full(n_windows(columns.shape[1], site.width), -np.inf)) for site in sites]
    return expected_exp(columns, never)
