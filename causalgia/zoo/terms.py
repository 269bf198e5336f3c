"""Terms of an oracle: motifs, end composition, gates, and saturating responses to
motifs.

Every term has a score for each sequence, and the expectation of that score under
independent positions: a sum over windows of products of base probabilities.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from causalgia.checks import as_int, as_number, as_positive
from causalgia.errors import PredictorError, quoted
from causalgia.types import Array
from causalgia.zoo.automaton import (
    Reading,
    Site,
    Strand,
    WeightedSite,
    distribution,
    expected_exp,
    n_windows,
    row_sums,
    site_probability,
    total,
)


class Term(ABC):
    """One additive part of an oracle."""

    def check(self, length: int) -> None:  # noqa: B027 - most terms take any length
        """Raise PredictorError if sequences of this length have no score."""

    @abstractmethod
    def score(self, reading: Reading) -> Array:
        """Return the score of each sequence, (n,)."""

    @abstractmethod
    def expected(self, columns: Array) -> Array:
        """Return the expected score under each of m distributions with independent
        positions, (m,).

        Raises
        ------
        NoClosedForm
            If there is no computable closed form.
        """


class Linear(Term):
    """Terms that are sums of window weights:
    ``sum_i v_i 1{window i matches the site}``.
    """

    @abstractmethod
    def site(self) -> Site:
        """Return the site that windows are matched with."""

    @abstractmethod
    def vector(self, length: int) -> Array:
        """Return the weight v of each window, (windows,)."""

    def weighted_site(self, length: int) -> WeightedSite:
        """Return the site with its window weights."""
        return self.site(), self.vector(length)

    def score(self, reading: Reading) -> Array:
        return row_sums(
            reading.places(self.site()), self.vector(reading.length), reading.n
        )

    def expected(self, columns: Array) -> Array:
        expected: Array = site_probability(columns, self.site()) @ self.vector(
            columns.shape[1]
        )
        return expected


@dataclass(frozen=True)
class MotifCount(Linear):
    """A motif with a weight: ``weight * sum_i gain(i) 1{window i matches the motif}``.

    Parameters
    ----------
    motif
        Letters A C G T (U); IUPAC letters admit several bases.
    weight
        Effect of one copy.
    strand
        ``"both"`` counts windows with the motif or its reverse complement, a palindrome
        once.
    gain
        Dependence of the weight on the position of the window; None: constant.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> MotifCount("UGCAUG", 3.5).score(
    ...     Reading(encode(["ATGCATGCATGA", "AAAAAAAAAAAA"]))
    ... )
    array([7., 0.])
    """

    motif: str
    weight: float = 1.0
    strand: Strand = "+"
    gain: Gain | None = None

    def __post_init__(self) -> None:
        Site.of(self.motif, self.strand)
        object.__setattr__(
            self, "weight", as_number(self.weight, f"motif '{self.motif}': weight")
        )
        if self.gain is not None and not isinstance(self.gain, Gain):
            raise PredictorError(
                f"gain={quoted(self.gain)} of motif {quoted(self.motif)} must be "
                "a zoo.Slope, zoo.Peak or another factor of its windows",
                argument="gain",
            )

    def site(self) -> Site:
        return Site.of(self.motif, self.strand)

    def vector(self, length: int) -> Array:
        windows = n_windows(length, len(self.motif))
        return self.weight * (
            np.ones(windows) if self.gain is None else self.gain.along(windows)
        )


@dataclass(frozen=True)
class EndGC(Linear):
    """A bias for G and C at the 3' end: ``weight *`` the share of G and C in the last
    `last` positions.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> EndGC(2.0, last=2).score(Reading(encode(["GGGA"])))
    array([1.])
    """

    weight: float
    last: int = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", as_number(self.weight, "EndGC: weight"))
        object.__setattr__(self, "last", as_int(self.last, "EndGC: last"))

    def check(self, length: int) -> None:
        if self.last > length:
            raise PredictorError(
                f"EndGC(last={self.last}) needs at least {self.last} positions; these "
                f"have {length}"
            )

    def site(self) -> Site:
        return Site.of("S")

    def vector(self, length: int) -> Array:
        return np.where(
            np.arange(length) >= length - self.last, self.weight / self.last, 0.0
        )

    def score(self, reading: Reading) -> Array:
        end = reading.tokens[:, -self.last :]
        share: Array = ((end == 1) | (end == 2)).sum(axis=1) / self.last
        return self.weight * share


@dataclass(frozen=True)
class Saturating(Term):
    """A nonlinear response to the summed score of motifs:
    ``response(sum of the terms' scores)``.

    The expectation is exact, from the distribution of the sum by a recursion along the
    sequence.

    Parameters
    ----------
    terms
        Motifs (`MotifCount`, `EndGC`).
    response
        `Hill` (Michaelis-Menten for power 1), or `Exponential`:
        ``top * (1 - exp(-x / scale))``.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> from causalgia.zoo.terms import Hill
    >>> Saturating((MotifCount("GATA"),), Hill(top=6, half=1)).score(
    ...     Reading(encode(["GATAGATA", "GATAAAAA"]))
    ... )
    array([4., 3.])
    """

    terms: tuple[Linear, ...]
    response: Response

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(self.terms))
        odd = [term for term in self.terms if not isinstance(term, Linear)]
        if odd or not self.terms:
            raise PredictorError(
                "Saturating takes MotifCount and EndGC terms, not "
                f"{odd[0] if odd else 'none'}"
            )

    def check(self, length: int) -> None:
        for term in self.terms:
            term.check(length)

    def score(self, reading: Reading) -> Array:
        return self.response.of(total([term.score(reading) for term in self.terms]))

    def expected(self, columns: Array) -> Array:
        return self.response.expected(
            columns, [term.weighted_site(columns.shape[1]) for term in self.terms]
        )


class Gain(ABC):
    """Factor of each window by its start i = 0, 1, ..., with center c (by default the
    middle window).
    """

    center: float | None

    @abstractmethod
    def along(self, windows: int) -> Array:
        """Return the factor of each of `windows` windows."""

    def _offsets(self, windows: int) -> Array:
        center = (windows - 1) / 2 if self.center is None else self.center
        offsets: Array = np.arange(windows, dtype=np.float64) - center
        return offsets


@dataclass(frozen=True)
class Slope(Gain):
    """``1 + per_base * (i - c)``: a linear trend along the sequence.

    Examples
    --------
    >>> Slope(0.5).along(3)
    array([0.5, 1. , 1.5])
    """

    per_base: float
    center: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "per_base", as_number(self.per_base, "Slope: per_base")
        )
        if self.center is not None:
            object.__setattr__(self, "center", as_number(self.center, "Slope: center"))

    def along(self, windows: int) -> Array:
        return 1 + self.per_base * self._offsets(windows)


@dataclass(frozen=True)
class Bump(Gain):
    """``exp(-(i - c)^2 / (2 sd^2))``: a peak at the center.

    Examples
    --------
    >>> Bump(1.0, center=0).along(2).round(3)
    array([1.   , 0.607])
    """

    sd: float
    center: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sd", as_positive(self.sd, "Bump: sd"))
        if self.center is not None:
            object.__setattr__(self, "center", as_number(self.center, "Bump: center"))

    def along(self, windows: int) -> Array:
        factor: Array = np.exp(-(self._offsets(windows) ** 2) / (2 * self.sd**2))
        return factor


@dataclass(frozen=True)
class Gate(Term):
    """An effect gated by the presence of motifs: ``bonus`` where all of them (AND) or
    any of them (OR) are present.

    A motif is present if one or more windows match it; further copies add nothing. With
    ``"and"`` each motif is necessary and none is sufficient; with ``"or"`` each is
    sufficient and none is necessary. The expectation is exact: an automaton gives the
    probability that motifs are absent, and inclusion and exclusion that all are
    present.

    Parameters
    ----------
    motifs
        Two motifs or more.
    bonus
        The effect if the gate is open.
    logic
        ``"and"``, or ``"or"``.
    strand
        As for `MotifCount`, for every motif.

    Raises
    ------
    PredictorError
        If there are fewer than two motifs, two are equal, or the logic is unknown.

    References
    ----------
    Buchler, Gerland & Hwa (2003), On schemes of combinatorial transcription logic,
    doi:10.1073/pnas.0930314100.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> reading = Reading(encode(["GATACACG", "GATAGATA", "CCCCCCCC"]))
    >>> Gate(("GATA", "CACG"), bonus=2.0, logic="and").score(reading)
    array([2., 0., 0.])
    >>> Gate(("GATA", "CACG"), bonus=2.0, logic="or").score(reading)
    array([2., 2., 0.])
    """

    motifs: tuple[str, ...]
    bonus: float = field(kw_only=True)
    logic: Literal["and", "or"] = field(kw_only=True)
    strand: Strand = field(default="+", kw_only=True)

    def __post_init__(self) -> None:
        motifs: object = self.motifs
        if not isinstance(motifs, tuple | list) or len(set(motifs)) < max(
            2, len(motifs)
        ):
            raise PredictorError(
                f"Gate(motifs={quoted(motifs)}): give two or more different motifs, "
                "such as ('GATA', 'CACG')"
            )
        object.__setattr__(self, "motifs", tuple(motifs))
        object.__setattr__(
            self, "bonus", as_number(self.bonus, f"gate {self.motifs}: bonus")
        )
        if self.logic not in ("and", "or"):
            raise PredictorError(
                f"gate {self.motifs}: logic={quoted(self.logic)} must be 'and' or 'or'"
            )
        self.sites()

    def sites(self) -> tuple[Site, ...]:
        """Return the site of each motif."""
        return tuple(Site.of(motif, self.strand) for motif in self.motifs)

    def score(self, reading: Reading) -> Array:
        present = np.array([reading.present(site) for site in self.sites()])
        opened = present.all(axis=0) if self.logic == "and" else present.any(axis=0)
        return np.where(opened, self.bonus, 0.0)

    def expected(self, columns: Array) -> Array:
        sites = self.sites()
        if self.logic == "or":
            return self.bonus * (1 - _probability_absent(columns, sites))
        subsets = [
            some
            for size in range(1, len(sites) + 1)
            for some in combinations(sites, size)
        ]
        return self.bonus * (
            1
            + total(
                [
                    (-1) ** len(some) * _probability_absent(columns, some)
                    for some in subsets
                ]
            )
        )


def _probability_absent(columns: Array, sites: Sequence[Site]) -> Array:
    """Return the probability that none of the sites occurs, (m,)."""
    never = [
        (site, np.full(n_windows(columns.shape[1], site.width), -np.inf))
        for site in sites
    ]
    return expected_exp(columns, never)


class Response(ABC):
    """A function g of a score."""

    @abstractmethod
    def of(self, score: Array) -> Array:
        """Return g(score), elementwise."""

    def expected(self, columns: Array, sites: Sequence[WeightedSite]) -> Array:
        """Return E[g(sum of the windows' weights)], (m,), from the exact distribution
        of the sum.
        """
        values, probabilities = distribution(columns, sites)
        expected: Array = probabilities @ self.of(values)
        return expected


@dataclass(frozen=True)
class Hill(Response):
    """``top * x^power / (half^power + x^power)`` for x = max(score, 0); power 1 is
    Michaelis-Menten.

    Examples
    --------
    >>> Hill(top=2, half=1).of(np.array([0.0, 1.0, 3.0]))
    array([0. , 1. , 1.5])
    """

    top: float = field(kw_only=True)
    half: float = field(kw_only=True)
    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", as_number(self.top, "Hill: top"))
        object.__setattr__(self, "half", as_positive(self.half, "Hill: half"))
        object.__setattr__(self, "power", as_positive(self.power, "Hill: power"))

    def of(self, score: Array) -> Array:
        x = np.maximum(score, 0.0) ** self.power
        answer: Array = self.top * x / (self.half**self.power + x)
        return answer


@dataclass(frozen=True)
class Exponential(Response):
    """``top * (1 - exp(-score / scale))``.

    Examples
    --------
    >>> Exponential(top=1, scale=1).of(np.array([0.0, np.log(2)]))
    array([0. , 0.5])
    """

    top: float = field(kw_only=True)
    scale: float = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", as_number(self.top, "Exponential: top"))
        object.__setattr__(self, "scale", as_positive(self.scale, "Exponential: scale"))

    def of(self, score: Array) -> Array:
        return self.top * -np.expm1(-score / self.scale)

    def expected(self, columns: Array, sites: Sequence[WeightedSite]) -> Array:
        return self.top * (
            1
            - expected_exp(
                columns, [(site, -weights / self.scale) for site, weights in sites]
            )
        )
