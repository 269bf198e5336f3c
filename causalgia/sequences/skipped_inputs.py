"""Lines and records of input files that are left out on request, each with its
reason.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, ParamSpec, TypeAlias, TypeVar

from causalgia.checks import nearest
from causalgia.errors import SequenceError, quoted

_P = ParamSpec("_P")
_R = TypeVar("_R")

Skip: TypeAlias = "str | Sequence[str]"
"""Reasons for which lines are left out: one, several, or ``"all"``."""


Parsed = TypeVar("Parsed")
Input = TypeVar("Input")


class Skipped(NamedTuple):
    """A line or record of an input file that was left out.

    Attributes
    ----------
    name
        The variant, window or record.
    reason
        One of the words that ``skip=`` takes.
    detail
        What was met there.
    line
        Line of the file, from 1; 0 where it is unknown.
    chromosome, position, reference, alternate
        Of a variant, the position counted from 1.
    """

    name: str
    reason: str
    detail: str = ""
    line: int = 0
    chromosome: str = ""
    position: int | str = ""
    reference: str = ""
    alternate: str = ""


def as_skip(skip: object, known: Sequence[str], *, what: str) -> frozenset[str]:
    """Return the reasons of ``skip=`` as a set, all of `known` for ``"all"``.

    Raises
    ------
    SequenceError
        If a reason is not among `known`.

    Examples
    --------
    >>> sorted(as_skip(["N", "edge"], ("N", "edge", "long"), what="windows"))
    ['N', 'edge']
    >>> len(as_skip("all", ("N", "edge", "long"), what="windows"))
    3
    """
    given = [skip] if isinstance(skip, str) else skip
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        given = [given]
    chosen = list(given)
    everything = "all" in chosen
    for reason in chosen:
        if reason == "all":
            continue
        if reason not in known:
            near = nearest(str(reason), known)
            words = ", ".join(map(quoted, known))
            raise SequenceError(
                f"``skip={quoted(reason)}`` is no reason to leave {what} out"
                f"{near or f'; there are {words}'}"
            )
    return frozenset(known if everything else chosen)


def _no_skip() -> bool:
    return False


_TAKES_SKIP: ContextVar[Callable[[], bool]] = ContextVar("takes", default=_no_skip)
"""Whether ``skip=`` is a way out of an error."""


def takes_skip(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make the errors of a function, and of what it calls, name its ``skip=`` as a way
    out.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        token = _TAKES_SKIP.set(lambda: True)
        try:
            return function(*args, **kwargs)
        finally:
            _TAKES_SKIP.reset(token)

    return call


@contextmanager
def of_inputs(
    inputs: Iterable[Input], read: Callable[[Input], object]
) -> Iterator[None]:
    """Make the errors of the body name ``skip=`` only if one of the inputs is read
    without an error, so that something is left without those that it leaves out.

    Parameters
    ----------
    inputs
        The lines of a file, or what was made of them.
    read
        Raises SequenceError for one that is flawed, and returns nothing (None, an empty
        list) for one that is left out.

    Examples
    --------
    >>> @takes_skip
    ... def cure_of(lines, *, skip=()):
    ...     with of_inputs(lines, lambda line: line != "?"):
    ...         return ways_out("correct it", skip="malformed")
    >>> cure_of(["?", "?"])
    'correct it'
    >>> cure_of(["?", "chr1"])
    "correct it, or leave such lines out by ``skip='malformed'``"
    """
    takes = _TAKES_SKIP.get()

    def is_whole(one: Input) -> bool:
        try:
            return bool(read(one))
        except SequenceError:
            return False

    def any_left() -> bool:
        within = _TAKES_SKIP.set(_no_skip)
        try:
            return any(map(is_whole, inputs))
        finally:
            _TAKES_SKIP.reset(within)

    token = _TAKES_SKIP.set(lambda: takes() and any_left())
    try:
        yield
    finally:
        _TAKES_SKIP.reset(token)


def ways_out(*cures: str, skip: str, what: str = "lines", n_left: int = 1) -> str:
    """Return cures in words; the last leaves such lines out, where the function that was
    called can, and `n_left` others are left then.

    Examples
    --------
    >>> ways_out("drop it", "give a shorter length=", skip="edge")
    'drop it, or give a shorter length='
    >>> @takes_skip
    ... def read(path, *, skip=()):
    ...     return ways_out("drop it", skip="edge")
    >>> read("peaks.bed")
    "drop it, or leave such lines out by ``skip='edge'``"
    """
    if n_left and (left_out := or_left_out(skip, what)):
        return ", ".join(cures) + left_out
    return ", or ".join(filter(None, (", ".join(cures[:-1]), cures[-1])))


def or_left_out(reason: str, what: str = "lines") -> str:
    """Return the last of several ways out, which leaves such lines (or rows of a table)
    out, where the function that was called can.
    """
    there = _TAKES_SKIP.get()()
    return f", or leave such {what} out by ``skip={quoted(reason)}``" if there else ""


def parsed_or_left_out(
    parse: Callable[[], Parsed],
    place: str,
    number: int,
    reasons: frozenset[str],
    skipped: list[Skipped],
    what: str = "lines",
) -> Parsed | None:
    """Return what a line says; None if it cannot be parsed and ``"malformed"``, or the
    code of the error, is among the reasons, for which it is left out.

    Raises
    ------
    SequenceError
        As `parse`, with the place and the cure.
    """
    try:
        return parse()
    except SequenceError as error:
        reason = error.code if error.code in reasons else "malformed"
        if reason not in reasons:
            cure = "" if error.code else or_left_out("malformed", what)
            raise error.at(place, then=cure) from error
        detail = SequenceError(need=error.need) if error.cure else error
        skipped.append(Skipped(f"line {number}", reason, detail.text(), number))
        return None


def skip_counts(skipped: Sequence[Skipped]) -> str:
    """Return how many were left out for each reason, the most frequent first.

    Examples
    --------
    >>> skip_counts([Skipped("a", "N"), Skipped("b", "edge"), Skipped("c", "N")])
    'N 2, edge 1'
    """
    counts = Counter(x.reason for x in skipped)
    return ", ".join(f"{reason} {n:,}" for reason, n in counts.most_common())


def skip_sentence(skipped: Sequence[Skipped], n_used: int, what: str) -> str:
    """Return the account of what was left out, in a sentence; empty if nothing was.

    Examples
    --------
    >>> skip_sentence([Skipped("a", "symbolic")], 10, "variants")
    'Skipped: 1 of 11 variants (symbolic 1)'
    """
    if not skipped:
        return ""
    n = len(skipped)
    return f"Skipped: {n:,} of {n + n_used:,} {what} ({skip_counts(skipped)})"


_LISTED: ContextVar[dict[Skipped, None] | None] = ContextVar("listed", default=None)


@contextmanager
def listing_skipped() -> Iterator[dict[Skipped, None]]:
    """Gather what is left out by the readers that the body calls, so that it can be
    listed even where nothing is left to run or an error follows.

    Examples
    --------
    >>> with listing_skipped() as skipped:
    ...     check_any_left(3, [Skipped("rs1", "edge")], "calls.vcf")
    >>> [one.name for one in skipped]
    ['rs1']
    """
    listed = dict[Skipped, None]()
    token = _LISTED.set(listed)
    try:
        yield listed
    finally:
        _LISTED.reset(token)


def check_any_left(
    n_used: int, skipped: Sequence[Skipped], place: str, what: str = "variants"
) -> None:
    """Raise SequenceError if everything was left out; what was is gathered by
    `listing_skipped`.
    """
    if (listed := _LISTED.get()) is not None:
        listed.update(dict.fromkeys(skipped))
    if not n_used and skipped:
        first = skipped[0]
        raise SequenceError(
            f"{place}: all {len(skipped):,} {what} are skipped ({skip_counts(skipped)}); "
            f"the first is {quoted(first.name)}, {first.detail or first.reason}: nothing "
            "is left to run"
        )


def skipped_table(skipped: Sequence[Skipped]) -> dict[str, list[str | int]]:
    """Return the columns of a table of what was left out, without those that are empty
    throughout.

    Examples
    --------
    >>> skipped_table([Skipped("rs1", "edge", line=4)])
    {'name': ['rs1'], 'reason': ['edge'], 'line': [4]}
    """
    order = ("chromosome", "position", "name", "reference", "alternate")
    columns: dict[str, list[str | int]] = {
        name: [getattr(x, name) for x in skipped]
        for name in (*order, "reason", "detail", "line")
    }
    return {
        name: column
        for name, column in columns.items()
        if name in ("name", "reason") or any(column)
    }
