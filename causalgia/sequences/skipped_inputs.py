"""Lines and records of input files that are left out on request, each with its
reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, ParamSpec, TypeAlias, TypeVar

from causalgia.checks import nearest
from causalgia.errors import SequenceError, quoted

_P = ParamSpec("_P")
_R = TypeVar("_R")

Skip: TypeAlias = str | Sequence[str]
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
                f"skip={quoted(reason)} is no reason to leave {what} out"
                f"{near or f'; there are {words}'}"
            )
    return frozenset(known if everything else chosen)


class NoSummitError(SequenceError):
    """A line of narrowPeak whose summit was not called."""


def parsed_or_left_out(
    parse: Callable[[], Parsed],
    place: str,
    number: int,
    reasons: frozenset[str],
    skipped: list[Skipped],
) -> Parsed | None:
    """Return what a line says; None if it cannot be parsed and ``"malformed"`` (or
    ``"summit"``, of one without) is among the reasons, for which it is left out.

    Raises
    ------
    SequenceError
        As `parse`, with the place.
    """
    try:
        return parse()
    except SequenceError as error:
        no_summit = isinstance(error, NoSummitError) and "summit" in reasons
        reason = "summit" if no_summit else "malformed"
        if reason not in reasons:
            raise SequenceError(f"{place}: {error}") from error
        skipped.append(Skipped(f"line {number}", reason, str(error), number))
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
