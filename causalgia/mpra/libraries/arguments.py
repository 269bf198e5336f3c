"""Checks of the arguments of a library: whole numbers, shares, lists of words."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from causalgia.errors import LibraryError, quoted
from causalgia.sequences.motifs import Motif

_MOST = 10**9


def as_whole(value: object, name: str, *, least: int) -> int:
    """Return a whole number of at least `least`, or raise LibraryError naming it.

    Examples
    --------
    >>> as_whole(np.int64(3), "n", least=1)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= _MOST:
        raise LibraryError(f"{name}={quoted(value)} must be a whole number of at least {least} (and at most {_MOST:,})")
    return int(value)


def as_share_range(pair: Any, name: str) -> tuple[float, float]:
    """Return a lowest and a highest share, or raise LibraryError naming the argument.

    Examples
    --------
    >>> as_share_range([0, 0.5], "gc")
    (0.0, 0.5)
    """
    if isinstance(pair, tuple | list | np.ndarray) and len(pair) == 2 and all(_is_real(x) for x in pair):
        low, high = map(float, pair)
        if 0 <= low <= high <= 1:
            return low, high
    raise LibraryError(
        f"{name}={quoted(pair)} is not a pair of shares: two numbers between 0 and 1, the lowest first; 0.25 is 25 "
        "per cent"
    )


def as_share(value: Any, name: str) -> float:
    """Return a share, or raise LibraryError naming the argument."""
    if not _is_real(value) or not 0 <= value <= 1:
        raise LibraryError(f"{name}={quoted(value)} is not a share: a number between 0 and 1; 0.25 is 25 per cent")
    return float(value)


def as_texts(value: Any, name: str, what: str) -> tuple[str, ...]:
    """Return one text or several as a tuple, or raise LibraryError naming what texts are expected.

    Examples
    --------
    >>> as_texts("EcoRI", "avoid", "sites"), as_texts(["EcoRI", "SbfI"], "avoid", "sites")
    (('EcoRI',), ('EcoRI', 'SbfI'))
    """
    found = _as_tuple(value, name, what)
    for one in found:
        if not isinstance(one, str) or not one:
            raise LibraryError(f"{name}= has {quoted(one)}, which is not text; give {what} as text, or a list of such")
    return found


def as_words_or_motifs(value: Any, name: str) -> tuple[str | Motif, ...]:
    """Return one word or motif, or several, as a tuple, or raise LibraryError."""
    found = _as_tuple(value, name, "words or motifs")
    for one in found:
        if not isinstance(one, Motif) and (not isinstance(one, str) or not one):
            raise LibraryError(f"{name}= has {quoted(one)}, neither a word nor a Motif; give words such as 'CACGTG'")
    return found


def _as_tuple(value: Any, name: str, what: str) -> tuple[Any, ...]:
    if isinstance(value, str | Motif):
        return (value,)
    if value is None or isinstance(value, bytes):
        raise LibraryError(f"{name}={quoted(value)}: give {what} as text, or a list of such; () for none")
    try:
        return tuple(value)
    except TypeError as error:
        raise LibraryError(f"{name}={quoted(value)}: give {what} as text, or a list of such; () for none") from error


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
