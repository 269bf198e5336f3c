"""What the settings of an experiment may be: checked once, with words that name the setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from causalgia.checks import as_position
from causalgia.design import NullModel
from causalgia.design.patterns import Pattern, as_pattern, pattern_from_plain
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.sequences import Motif
from causalgia.sequences import motif as motif_of
from causalgia.sequences.alphabet import BASES, parse_word


def background(null: object) -> NullModel:
    """Return the null model that an experiment is given; every other setting may be checked against it.

    Raises
    ------
    DesignError
        If it is none.

    Examples
    --------
    >>> background("peaks.fa")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: null='peaks.fa' is not a null model, such as cg.Uniform(length=200); ...
    """
    if isinstance(null, NullModel):
        return null
    what = f"{quoted(null)}" if isinstance(null, str | int | float | None) else f"a value of type {type(null).__name__}"
    raise DesignError(
        f"null={what} is not a null model, such as cg.Uniform(length=200); sequences are one as cg.Genomic(of=...)"
    )


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
    places = tuple(as_position(value, name) for value in listed)
    if len(places) < least:
        raise DesignError(f"{name}={quoted(values)}: {least} positions or more are needed")
    if len(set(places)) < len(places):
        raise DesignError(f"{name}={quoted(values)} names a position twice; name each once")
    return places


def centered(length: int, width: int, n: int = 1, *, gap: int = 0) -> tuple[int, ...]:
    """Return the 0-based starts of n sites of one width about the centre of a sequence, `gap` bases between neighbours.

    Where they do not fit they begin at 0, and the last ones leave the sequence, which a design refuses by name.

    Examples
    --------
    >>> centered(41, 6), centered(41, 6, 3, gap=4)
    ((17,), (7, 17, 27))
    """
    step = width + gap
    first = max((length - (n * step - gap)) // 2, 0)
    return tuple(first + i * step for i in range(n))


def spread(length: int, width: int, n: int) -> tuple[int, ...]:
    """Return n starts of sites of one width, each in the middle of an equal share of the sequence's starts.

    Examples
    --------
    >>> spread(41, 6, 6)
    (2, 8, 14, 20, 26, 32)
    """
    return tuple(max(length - width, 0) * (2 * i + 1) // (2 * n) for i in range(n))


def start_of(value: object, name: str, length: int, width: int) -> int:
    """Return a 0-based start as it was given, or where a site of this width lies in the centre of the sequence.

    Examples
    --------
    >>> start_of(None, "at", 41, 6), start_of(3, "at", 41, 6)
    (17, 3)
    """
    return centered(length, width)[0] if value is None else as_position(value, name)


def site(value: Any, name: str) -> str | Motif:
    """Return the word or motif that a setting means.

    A string of IUPAC letters is a word, whatever factor may have that name; any other string, a path and a table go
    to `causalgia.motif`: a name or identifier of JASPAR, MEME or JASPAR text, a PFM. A motif is itself, and a
    ``trial.toml`` may say ``{file = "x.meme", motif = "GATA1"}``.

    Raises
    ------
    DesignError
        If it is none of them; the message names the setting and the names that are near.

    Examples
    --------
    >>> site("UGCAUG", "word"), site("GATA1", "word").name
    ('UGCAUG', 'GATA1')
    """
    try:
        if isinstance(value, Mapping) and not set(value) <= {"motif", "file"}:
            return motif_of(value)  # letter -> counts
        if isinstance(value, Mapping):
            return as_pattern(pattern_from_plain(value)).source
        return as_pattern(value).source if _is_pattern(value) else motif_of(value)
    except (DesignError, SequenceError) as error:
        raise DesignError(f"{name}: {error}") from error


def _is_pattern(value: object) -> bool:
    if not isinstance(value, str):
        return isinstance(value, Motif | Pattern)
    try:
        return bool(parse_word(value))
    except SequenceError:
        return False


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
        If they are no words, or one is given twice (U is T); the message names the setting.

    Examples
    --------
    >>> words(["UGCAUG", "AGCAUG"], "words")
    ('UGCAUG', 'AGCAUG')
    """
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise DesignError(f"{name}={quoted(values)} is no list of words")
    patterns = [_plain_word(value, name) for value in ([values] if isinstance(values, str) else values)]
    if len(patterns) < least:
        raise DesignError(f"{name}={quoted(values)}: {least} words or more are needed")
    count = Counter(pattern.reads for pattern in patterns)
    twice = [pattern.label for pattern in patterns if count[pattern.reads] > 1]
    if twice:
        raise DesignError(f"{name}: {', '.join(twice[:3])} is given twice; name each word once")
    return tuple(pattern.label for pattern in patterns)


def _plain_word(value: object, name: str) -> Pattern:
    """Return the pattern of a word whose letters are bases."""
    if isinstance(value, str) and value and set(value.upper()) <= {*BASES, "U"}:
        return as_pattern(value)
    shown = value.name if isinstance(value, Motif) else value
    raise DesignError(f"{name}: {quoted(shown)} is not a word of A C G T (U)")
