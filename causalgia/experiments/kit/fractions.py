"""Regular two-level fractional factorials: runs, defining relation, aliases and resolution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_whole
from causalgia.errors import DesignError, quoted

LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # without I, the identity
_MOST_BASE = _MOST_GENERATORS = 12
_GENERATOR = re.compile(r"\s*([A-HJ-Z])\s*=\s*([+-]?)\s*([A-HJ-Z]+)\s*")


@dataclass(frozen=True)
class Word:
    """A product of factors with its sign, as in ``-ABC``.

    Attributes
    ----------
    factors
        Indices of the factors, from 0.
    sign
        1 or -1.

    Examples
    --------
    >>> print(Word(frozenset([0, 1]), -1) * Word(frozenset([1, 2])))
    -AC
    """

    factors: frozenset[int]
    sign: int = 1

    def __mul__(self, other: Word) -> Word:
        return Word(self.factors ^ other.factors, self.sign * other.sign)

    def __len__(self) -> int:
        return len(self.factors)

    def __str__(self) -> str:
        return ("-" if self.sign < 0 else "") + "".join(LETTERS[i] for i in sorted(self.factors))


@dataclass(frozen=True, eq=False)
class Fraction:
    """A regular fraction 2^(k-p): k two-level factors in 2^(k-p) runs.

    Attributes
    ----------
    signs
        (runs, k) of -1 (low) and 1 (high), in standard order: the first factor changes fastest.
    made
        Each of the p generated factors with its generator, the word whose column it has.
    """

    signs: NDArray[np.int64]
    made: tuple[tuple[int, Word], ...]

    @property
    def n_factors(self) -> int:
        """Number of factors, k."""
        return int(self.signs.shape[1])

    @property
    def relation(self) -> tuple[Word, ...]:
        """The defining relation: the 2^p - 1 words whose column is 1 in every run, shortest first."""
        words = [Word(frozenset())]
        for factor, word in self.made:
            words += [before * word * Word(frozenset([factor])) for before in words]
        return tuple(sorted(words[1:], key=lambda word: (len(word), sorted(word.factors))))

    @property
    def resolution(self) -> int | None:
        """Length of the shortest word of the defining relation; None for a full factorial."""
        return min(map(len, self.relation), default=None)

    @property
    def notation(self) -> str:
        """Usual notation: ``2^(6-2)``, or ``2^6`` for a full factorial."""
        return f"2^({self.n_factors}-{len(self.made)})" if self.made else f"2^{self.n_factors}"

    def column(self, word: Word) -> NDArray[np.int64]:
        """Return the product of the columns of a word's factors, with its sign, (runs,) of -1 and 1."""
        product: NDArray[np.int64] = word.sign * np.prod(self.signs[:, sorted(word.factors)], axis=1)
        return product

    def weights(self, word: Word) -> NDArray[np.float64]:
        """Return the weight of each run in an effect, (runs,): mean where its column is 1 minus mean where it is -1."""
        return 2.0 * self.column(word) / len(self.signs)

    def strings(self, order: int = 2) -> dict[Word, tuple[Word, ...]]:
        """Return the alias strings of effects of up to `order` factors: first effect -> its aliases.

        The first effect of a string has the fewest factors and comes first by letters. Aliases carry the sign with
        which they enter; the estimable quantity is the sum of the string.
        """
        found: dict[frozenset[int], list[Word]] = {}
        for size in range(1, min(order, self.n_factors) + 1):
            for factors in map(frozenset, combinations(range(self.n_factors), size)):
                same = Word(factors)  # to become the product of ungenerated factors with the same column
                for factor, word in self.made:
                    same = same * word * Word(frozenset([factor])) if factor in same.factors else same
                found.setdefault(same.factors, []).append(Word(factors, same.sign))
        return {
            Word(first.factors): tuple(Word(word.factors, word.sign * first.sign) for word in others)
            for first, *others in found.values()
        }


def fraction(n_factors: int, generators: Sequence[str] = ()) -> Fraction:
    """Return the runs of a two-level fractional factorial from its generators.

    Parameters
    ----------
    n_factors
        Factors, 1 to 25: A, B, C, ... (I is left out: it is the identity).
    generators
        Factors that are products of others, such as ``["E=ABC", "F=-BCD"]``; none: the full factorial.

    Raises
    ------
    DesignError
        If a generator is malformed, names an unknown or generated factor, or generates one twice; if two factors have
        the same levels (resolution II); or if there are more than 4,096 runs.

    References
    ----------
    Box & Hunter (1961), The 2^(k-p) fractional factorial designs, doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> half = fraction(3, ["C=AB"])
    >>> half.signs.tolist(), half.resolution, [str(word) for word in half.relation]
    ([[-1, -1, 1], [1, -1, -1], [-1, 1, -1], [1, 1, 1]], 3, ['ABC'])
    """
    if not is_whole(n_factors) or not 1 <= n_factors <= len(LETTERS):
        raise DesignError(f"n_factors={quoted(n_factors)} must be a whole number from 1 to {len(LETTERS)}")
    if isinstance(generators, str) or not all(isinstance(text, str) for text in generators):
        raise DesignError(f"generators={quoted(generators)} must be a list such as ['E=ABC', 'F=BCD']")
    made = _parse_generators(generators, int(n_factors))
    base = [i for i in range(n_factors) if i not in dict(made)]
    if len(base) > _MOST_BASE or len(made) > _MOST_GENERATORS:
        raise DesignError(
            f"{n_factors} factors with {len(made)} generators have 2^{len(base)} runs; at most 2^{_MOST_BASE} runs and "
            f"{_MOST_GENERATORS} generators can be had: give more generators, or fewer factors"
        )
    signs = np.ones((2 ** len(base), int(n_factors)), np.int64)
    signs[:, base] = 2 * (np.arange(len(signs))[:, None] >> np.arange(len(base)) & 1) - 1
    for factor, word in made:
        signs[:, factor] = word.sign * np.prod(signs[:, sorted(word.factors)], axis=1)
    found = Fraction(signs, made)
    short = [word for word in found.relation if len(word) < 3]
    if short:
        names = " and ".join(LETTERS[i] for i in sorted(short[0].factors))
        raise DesignError(
            f"generators make {names} change together in every run (I = {short[0]}), so that their effects "
            "cannot be separated; generate them from other products"
        )
    return found


def aliases(generators: Sequence[str], n_factors: int, *, order: int = 2) -> dict[str, tuple[str, ...]]:
    """Return the alias table of a fractional factorial: each effect with the effects it is confounded with.

    Parameters
    ----------
    generators
        As `fraction` takes them.
    n_factors
        Number of factors.
    order
        Largest number of factors of the listed effects.

    Returns
    -------
    dict
        Effect -> its aliases, in letters; a minus sign marks an alias that enters with opposite sign.

    Raises
    ------
    DesignError
        As `fraction`.

    Examples
    --------
    >>> aliases(["D=ABC"], 4)
    {'A': (), 'B': (), 'C': (), 'D': (), 'AB': ('CD',), 'AC': ('BD',), 'AD': ('BC',)}
    """
    if not is_whole(order) or order < 1:
        raise DesignError(f"order={quoted(order)} must be a whole number of at least 1")
    strings = fraction(n_factors, generators).strings(int(order))
    return {str(effect): tuple(map(str, others)) for effect, others in strings.items()}


def _parse_generators(generators: Sequence[str], n_factors: int) -> tuple[tuple[int, Word], ...]:
    """Return each generated factor with the word that it equals."""
    made = []
    for text in generators:
        found = _GENERATOR.fullmatch(text.upper())
        if found is None or len(set(found[3])) < len(found[3]):
            raise DesignError(
                f"generator {quoted(text)} is not of the form 'E=ABC' or 'E=-ABC', each letter once and never I"
            )
        left, sign, right = found.groups()
        beyond = [letter for letter in left + right if LETTERS.index(letter) >= n_factors]
        if beyond:
            raise DesignError(
                f"generator {quoted(text)}: there is no factor {beyond[0]}; the factors are {LETTERS[:n_factors]}"
            )
        word = Word(frozenset(map(LETTERS.index, right)), -1 if sign == "-" else 1)
        made.append((LETTERS.index(left), word))
    factors = [factor for factor, _ in made]
    for (factor, word), text in zip(made, generators, strict=True):
        if factors.count(factor) > 1:
            raise DesignError(f"generators: {LETTERS[factor]} is generated twice; generate each factor once")
        circular = sorted(word.factors & set(factors))
        if circular:
            raise DesignError(
                f"generator {quoted(text)}: {LETTERS[circular[0]]} is generated itself; use the other factors"
            )
    return tuple(made)
