"""What the settings of an experiment may be: checked once, with words that name the setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from causalgia.design.numbers import position
from causalgia.design.patterns import as_pattern, pattern_from_plain
from causalgia.errors import DesignError
from causalgia.sequences import Motif


def positions(values: object, name: str, *, least: int = 1) -> tuple[int, ...]:
    """Return 0-based positions, different ones and at least so many.

    Raises
    ------
    DesignError
        If they are not such positions; the message names the setting.

    Examples
    --------
    >>> positions([4, 12], "at")
    (4, 12)
    """
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    places = tuple(position(value, name) for value in listed)
    if len(places) < least:
        raise DesignError(f"{name}={values!r}: {least} positions or more are needed")
    if len(set(places)) < len(places):
        raise DesignError(f"{name}={values!r} names a position twice; name each once")
    return places


def site(value: Any, name: str) -> str | Motif:
    """Return a word or motif: as it is, or from what a `trial.toml` says, ``{file = "x.meme", motif = "GATA1"}``.

    Raises
    ------
    DesignError
        If it is neither; the message names the setting.

    Examples
    --------
    >>> site("UGCAUG", "word")
    'UGCAUG'
    """
    try:
        return as_pattern(value if isinstance(value, Motif) else pattern_from_plain(value)).source
    except DesignError as error:
        raise DesignError(f"{name}: {error}") from error


def word_of(value: str | Motif) -> str:
    """Return the word itself, or a motif's consensus: what an experiment with fixed letters embeds.

    Examples
    --------
    >>> word_of("UGCAUG")
    'UGCAUG'
    """
    return as_pattern(value).word


def words(values: Sequence[str], name: str, *, least: int = 1) -> tuple[str, ...]:
    """Return different words of A C G T (U), at least so many.

    Raises
    ------
    DesignError
        If one is not a word, or is given twice (U is T); the message names the setting.

    Examples
    --------
    >>> words(["UGCAUG", "AGCAUG"], "words")
    ('UGCAUG', 'AGCAUG')
    """
    listed = [values] if isinstance(values, str) else list(values)
    patterns = [as_pattern(value) for value in listed]
    for pattern in patterns:
        if not isinstance(pattern.source, str) or pattern.random:
            raise DesignError(f"{name}: {pattern.label!r} is not a word of A C G T (U)")
    if len(patterns) < least:
        raise DesignError(f"{name}={values!r}: {least} words or more are needed")
    count = Counter(pattern.reads for pattern in patterns)
    twice = [pattern.label for pattern in patterns if count[pattern.reads] > 1]
    if twice:
        raise DesignError(f"{name}: {', '.join(twice[:3])} is given twice; name each word once")
    return tuple(pattern.label for pattern in patterns)
