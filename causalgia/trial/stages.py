"""The stages of a long computation as lines on stderr, on a terminal and off it, with
the time that each is expected to take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console

from causalgia.errors import printable

_LEAST_ELAPSED, _LEAST_LEFT, _LONG_BATCH = 1.0, 3.0, 30.0
"""Seconds after which a time is expected; that it has for a line; and of a first batch
that is not mostly preparation, such as compilation.
"""


class Stages:
    """The stages of a computation, numbered as they begin.

    Parameters
    ----------
    n
        Their number.
    show
        Whether they are printed.
    console
        Where; by default stderr.

    Examples
    --------
    >>> import sys
    >>> stages = Stages(2, show=True, console=Console(file=sys.stdout))
    >>> with stages.stage("maps of 80 sequences"):
    ...     pass
    1 of 2: maps of 80 sequences
    """

    def __init__(self, n: int, *, show: bool, console: Console | None = None) -> None:
        self.n, self.show, self.number = n, show, 0
        self._console = console

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        """Print that a stage begins; counters within it say how long they take."""
        self.number += 1
        self.line(f"{self.number} of {self.n}: {what}")
        token = _running.set(self if self.show else None)
        try:
            yield
        finally:
            _running.reset(token)

    def line(self, text: str) -> None:
        """Print a line, if lines are printed."""
        if self.show:
            console = self._console or Console(stderr=True)
            console.print(
                printable(text), markup=False, highlight=False, soft_wrap=True
            )


_running: ContextVar[Stages | None] = ContextVar("stage", default=None)


def expected_time(total: int) -> Callable[[int], None] | None:
    """Return a function to call with the number of new outcomes, which prints once how
    long the rest of `total` will take; None outside of a stage that is printed. The
    first batch, which may include preparations, does not count, unless it is long.
    """
    stages = _running.get()
    if stages is None:
        return None
    begin, since, done, before = time.monotonic(), 0.0, 0, 0
    announced = False

    def advance(n: int) -> None:
        nonlocal since, done, before, announced
        done += n
        now = time.monotonic()
        if announced or not done or now - begin < _LEAST_ELAPSED:
            return
        if not since and now - begin < _LONG_BATCH:  # the rate is that of the next ones
            since, before = now, done
            return
        announced = True
        left = (now - (since or begin)) / max(done - before, 1) * max(total - done, 0)
        if left >= _LEAST_LEFT:
            stages.line(f"    about {duration(left)} ({done:,} of {total:,} are done)")

    return advance


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> [duration(s) for s in (4.4, 75, 7_500, 200_000)]
    ['4.4 s', '1 min 15 s', '2 h 5 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for size, name, next_size, next_name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // next_size} {next_name}"
    return f"{whole} s"
