"""Validation of the settings of experiments; every error names the setting."""

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


def as_null_model(null: object) -> NullModel:
    """Return the null model, to be validated before the settings that depend on it.

    Examples
    --------
    >>> as_null_model("peaks.fa")
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


def as_positions(values: object, name: str, *, least: int = 1) -> tuple[int, ...]:
    """Return distinct 0-based positions, at least `least` of them.

    Examples
    --------
    >>> as_positions([4, 12], "at")
    (4, 12)
    """
    if isinstance(values, str):
        raise DesignError(f"{name}={quoted(values)} is text; give a position counted from 0, or a list such as [4, 12]")
    listed = list(values) if isinstance(values, Iterable) else [values]
    places = tuple(as_position(value, name) for value in listed)
    if len(places) < least:
        raise DesignError(f"{name}={quoted(values)}: give {least} position{'s' if least > 1 else ''} or more")
    if len(set(places)) < len(places):
        raise DesignError(f"{name}={quoted(values)} names a position twice; name each once")
    return places


def centered_starts(length: int, width: int, n: int = 1, *, gap: int = 0) -> tuple[int, ...]:
    """Return the 0-based starts of n sites of one width, centered in a sequence with `gap` bases between neighbours.

    Sites that do not fit begin at 0; the design then raises an error about the ones that leave the sequence.

    Examples
    --------
    >>> centered_starts(41, 6), centered_starts(41, 6, 3, gap=4)
    ((17,), (7, 17, 27))
    """
    step = width + gap
    first = max((length - (n * step - gap)) // 2, 0)
    return tuple(first + i * step for i in range(n))


def evenly_spaced_starts(length: int, width: int, n: int) -> tuple[int, ...]:
    """Return the starts of n sites spread evenly: each in the middle of one n-th of the possible starts.

    Examples
    --------
    >>> evenly_spaced_starts(41, 6, 6)
    (2, 8, 14, 20, 26, 32)
    """
    return tuple(max(length - width, 0) * (2 * i + 1) // (2 * n) for i in range(n))


def as_start(value: object, name: str, length: int, width: int) -> int:
    """Return a valid 0-based start; None: the start that centers a site of this width.

    Examples
    --------
    >>> as_start(None, "at", 41, 6), as_start(3, "at", 41, 6)
    (17, 3)
    """
    return centered_starts(length, width)[0] if value is None else as_position(value, name)


def as_site(value: Any, name: str) -> str | Motif:
    """Return a word or motif from a setting.

    A string of IUPAC letters is a word, even where a factor has that name. Other strings, paths and tables go to
    `causalgia.motif`: JASPAR names or identifiers, MEME or JASPAR text, a PFM. A ``trial.toml`` may give
    ``{file = "x.meme", motif = "GATA1"}``.

    Examples
    --------
    >>> as_site("UGCAUG", "word"), as_site("GATA1", "word").name
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


def as_words(values: Sequence[str], name: str, *, least: int = 1) -> tuple[str, ...]:
    """Return distinct words of A C G T (U), at least `least` of them.

    Examples
    --------
    >>> as_words(["UGCAUG", "AGCAUG"], "words")
    ('UGCAUG', 'AGCAUG')
    """
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise DesignError(f"{name}={quoted(values)} is not a list of words")
    patterns = []
    for value in [values] if isinstance(values, str) else values:
        if not isinstance(value, str) or not value or not set(value.upper()) <= {*BASES, "U"}:
            shown = value.name if isinstance(value, Motif) else value
            raise DesignError(f"{name}: {quoted(shown)} is not a word of A C G T (U)")
        patterns.append(as_pattern(value))
    if len(patterns) < least:
        raise DesignError(f"{name}={quoted(values)}: {least} words or more are needed")
    count = Counter(pattern.reads for pattern in patterns)
    twice = [pattern.label for pattern in patterns if count[pattern.reads] > 1]
    if twice:
        raise DesignError(f"{name}: {', '.join(twice[:3])} is given twice; name each word once")
    return tuple(pattern.label for pattern in patterns)
