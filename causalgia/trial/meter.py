"""The progress of a trial: a bar with rate and time left on a terminal, silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def meter(total: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more outcomes are known; draws a bar only on a terminal."""
    if not show:
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _ignore
        return
    columns = (BarColumn(), MofNCompleteColumn(), TaskProgressColumn(show_speed=True), TimeRemainingColumn())
    with Progress("predicting", *columns, console=console, transient=True) as bar:
        task = bar.add_task("predicting", total=total)
        yield lambda n: bar.advance(task, n)


def _ignore(n: int) -> None:
    del n
