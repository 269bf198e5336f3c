"""Progress bar of a trial, with rate and time left, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

_REMEMBERED = 3_600.0
"""Seconds over which the rate is averaged: a slow network may need minutes for a batch."""


class RateColumn(ProgressColumn):
    """Outcomes per second, such as ``1,234/s``; nothing before the first are known."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s", style="progress.data.speed")


@contextmanager
def meter(total: int, *, show: bool, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of new outcomes; a bar is drawn only on a terminal."""
    if not show:
        yield _ignore
        return
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _ignore
        return
    columns = (BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress("predicting", *columns, console=console, transient=True, speed_estimate_period=_REMEMBERED) as bar:
        task = bar.add_task("predicting", total=total)
        yield lambda n: bar.advance(task, n)


def _ignore(n: int) -> None:
    del n
