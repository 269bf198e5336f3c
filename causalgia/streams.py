"""Keyed random streams: each unit's draws depend on the seed, the purpose and the unit
alone.

A draw is a function of (root key, purpose, unit id, counter). Results therefore do not
depend on batch size, order, workers or the other arms, and the first 100 units of a
1,000-unit trial equal the 100-unit trial. The counter-based generator (SplitMix64) is
in `sequences`.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from causalgia.checks import is_whole
from causalgia.errors import caller_stacklevel, quoted

RNG: TypeAlias = int | np.integer | np.random.Generator | np.random.SeedSequence


_MOST_DIGITS = 78
"""Digits of 2^256, below which seeds lie."""


@dataclass(frozen=True)
class Seed:
    """The source of all random draws of one call, parsed once.

    Attributes
    ----------
    key
        The 64-bit root key of the draws.
    words
        As results store it: the whole number; or ``"Generator"``, ``"SeedSequence"``,
        whose draws cannot be repeated from a result.

    Examples
    --------
    >>> str(Seed.parse(7)), str(Seed.parse(np.random.SeedSequence(7)))
    ('7', 'SeedSequence')
    """

    key: int
    words: str

    @classmethod
    def parse(cls, rng: RNG | Seed) -> Seed:
        """Return the seed that is given; a `Generator` is advanced by one draw.

        Raises
        ------
        TypeError
            If it is none of these, such as None or a bool: a seed must be explicit.

        Examples
        --------
        >>> Seed.parse(7) == Seed.parse(np.int64(7)) == Seed.parse(Seed.parse(7))
        True
        """
        if isinstance(rng, Seed):
            return rng
        if isinstance(rng, np.random.Generator):
            key = int(rng.integers(0, 2**64, dtype=np.uint64))
            return cls(key, type(rng).__name__)
        if isinstance(rng, np.random.SeedSequence):
            key = int(rng.generate_state(1, np.uint64)[0])
            return cls(key, type(rng).__name__)
        if is_whole(rng) and 0 <= rng < 2**256:
            sequence = np.random.SeedSequence(int(rng))
            key = int(sequence.generate_state(1, np.uint64)[0])
            return cls(key, str(int(rng)))
        raise TypeError(
            "rng takes a non-negative int (below 2^256), a numpy Generator or a "
            f"SeedSequence, not {quoted(rng)}"
        )

    @classmethod
    def stored(cls, words: str) -> Seed | None:
        """Return the seed that a result was made with, from its attribute ``rng``; None
        if that is not a number.

        Examples
        --------
        >>> Seed.stored("7") == Seed.parse(7), Seed.stored("Generator")
        (True, None)
        """
        if not (words.isascii() and words.isdecimal() and len(words) <= _MOST_DIGITS):
            return None
        return cls.parse(int(words)) if int(words) < 2**256 else None

    def __str__(self) -> str:
        return self.words


def check_seed(rng: object) -> None:
    """Raise TypeError unless a value is None or a seed; a `Generator` is not
    advanced. For calls that draw only in some cases.
    """
    if rng is not None and not isinstance(rng, np.random.Generator):
        Seed.parse(rng)  # type: ignore[arg-type]  # what it may be is its to say


def warn_of_rng(rng: object) -> None:
    """Warn of the seed of a verb that draws nothing at random."""
    if rng is not None:
        warnings.warn(
            "rng= is ignored, and goes in 0.5: nothing is drawn at random here",
            DeprecationWarning,
            stacklevel=caller_stacklevel(),
        )


def root_key(rng: RNG) -> int:
    """Return the 64-bit root key of all random draws of one call.

    An integer (0 is a valid seed) or a `SeedSequence` always gives the same key. A
    `Generator` is advanced by one draw, so two calls with the same Generator differ.

    Raises
    ------
    TypeError
        If `rng` is anything else, such as None or a bool: a seed must be explicit.

    Examples
    --------
    >>> root_key(0) == root_key(0), root_key(0) == root_key(1)
    (True, False)
    """
    return Seed.parse(rng).key


def derive(key: int, *purpose: str | int) -> int:
    """Return the 64-bit key of a purpose under `key`; different purposes have
    independent keys.

    Examples
    --------
    >>> derive(7, "null") != derive(7, "assignment")
    True
    """
    text = "\x1f".join([str(key), *map(str, purpose)])
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"
    )
