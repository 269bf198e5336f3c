"""Rearrangements of a pattern that do not carry it: what placebos are made of.

A rearrangement carries the pattern where it reads, on either strand, a run of it longer than two thirds (rounded up).
``GAGATAA`` still holds six of the seven letters of ``AGATAAG``, and networks answer it. Such words are never drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from math import ceil, factorial, prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from causalgia.design.patterns import Pattern
from causalgia.errors import DesignError, quoted
from causalgia.sequences.alphabet import encode, reverse_complement
from causalgia.sequences.motifs import Motif
from causalgia.streams import derive
from causalgia.types import Tokens, Units

_MOST_ATTEMPTS = 1_000
_MOST_ENUMERATED = 20_000


def longest_run(width: int) -> int:
    """Return how many consecutive letters of a pattern a placebo may share: two thirds, rounded up, and not all.

    Examples
    --------
    >>> [longest_run(width) for width in (2, 4, 6, 7, 9)]
    [1, 3, 4, 5, 6]
    """
    return min(ceil(2 * width / 3), width - 1)


def carries(words: Tokens, pattern: Tokens) -> NDArray[np.bool_]:
    """Return which words (n, w) read too long a run of the pattern, (w,) or a row for each word, on either strand.

    Examples
    --------
    >>> carries(encode(["GAGATAA", "TAGAGAA"]), encode("AGATAAG")[0])
    array([ True, False])
    """
    width = words.shape[1]
    run = longest_run(width) + 1
    found = np.zeros(len(words), bool)
    read = sliding_window_view(words, run, axis=1)
    for strand in (pattern, reverse_complement(pattern)):
        for start in range(width - run + 1):
            piece = np.atleast_2d(strand)[:, None, start : start + run]
            found |= (read == piece).all(axis=2).any(axis=1)
    return found


def count_orders(word: str) -> int:
    """Return how many distinct rearrangements a word has, itself included.

    Examples
    --------
    >>> count_orders("AGATAAG")
    105
    """
    counts = Counter(encode(word)[0].tolist())
    return factorial(len(word)) // prod(map(factorial, counts.values()))


@lru_cache(maxsize=64)
def admissible(word: str) -> Tokens:
    """Return every rearrangement of a word that does not carry it, (m, w) tokens; for words with few orders.

    Examples
    --------
    >>> len(admissible("AGATAAG"))
    102
    """
    tokens = encode(word)[0]
    orders = np.array(list(_orders(Counter(tokens.tolist()), len(tokens))), np.uint8)
    free = orders[~carries(orders, tokens)]
    free.setflags(write=False)
    return free


def _orders(left: Counter[int], n: int) -> Iterator[tuple[int, ...]]:
    if n == 0:
        yield ()
    for token in [token for token, count in left.items() if count]:
        left[token] -= 1
        yield from ((token, *rest) for rest in _orders(left, n - 1))
        left[token] += 1


def check_rearrangeable(pattern: Pattern, *, n: int = 1) -> None:
    """Raise DesignError where fewer than `n` distinct placebos can be made of the pattern."""
    if isinstance(pattern.source, Motif) and pattern.random:
        return
    word = pattern.word
    if pattern.random:
        raise DesignError(f"placebo of {quoted(word)}: give a word of A C G T or a Motif, not IUPAC letters")
    if count_orders(word) > _MOST_ENUMERATED:
        return
    most = len(admissible(word))
    if most == 0:
        raise DesignError(
            f"placebo of {quoted(word)}: every rearrangement reads as the pattern (on one strand or the other); "
            "use Ablate, or an Embed of another word, as the control"
        )
    if n > most:
        raise DesignError(
            f"placebos of {quoted(word)}: only {most:,} distinct rearrangements do not carry it, {n:,} were asked for; "
            "ask for fewer, or take a longer pattern"
        )


def rearrangements(pattern: Pattern, units: Units, key: int) -> Tokens:
    """Return a rearrangement of the pattern for each unit, (n, w), uniform over those that do not carry it.

    Uniform shuffles are drawn and those that carry the pattern (for a motif: the instance or the consensus) are drawn
    again, each unit from its own stream, so a unit's word depends on that unit alone.
    """
    words = np.empty((len(units), len(pattern)), np.uint8)
    pending = np.arange(len(units))
    for attempt in range(_MOST_ATTEMPTS):
        drawn, refused = _shuffled_instances(pattern, units[pending], derive(key, "attempt", attempt))
        words[pending] = drawn
        pending = pending[refused]
        if not len(pending):
            return words
    raise DesignError(f"placebo of {quoted(pattern.label)}: hardly any rearrangement is free of it; use Ablate instead")


def _shuffled_instances(pattern: Pattern, units: Units, key: int) -> tuple[Tokens, NDArray[np.bool_]]:
    from causalgia.sequences.samplers import shuffle

    instances = pattern.instances(units, derive(key, "instance"))
    piece = np.ascontiguousarray(np.broadcast_to(instances, (len(units), len(pattern))))
    drawn = shuffle(derive(key, "arrangement"), units, piece)
    return drawn, carries(drawn, piece) | carries(drawn, encode(pattern.word)[0])
