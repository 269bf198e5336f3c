"""Threads over the rows of an array."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from causalgia.errors import SequenceError
from causalgia.workers.clusters import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable


_WORTH_A_THREAD = 1 << 17  # letters: a quarter of a millisecond of work


def over_rows(run: Callable[[slice], object], n_rows: int, width: int, *, threads: int | None) -> None:
    """Call `run` on slices that cover the rows, on at most `threads` threads (None: all available cores).

    Raises
    ------
    SequenceError
        If `threads` is below 1.

    Examples
    --------
    >>> seen = []
    >>> over_rows(seen.append, 10, 4, threads=2)
    >>> seen
    [slice(0, 10, None)]
    """
    if threads is not None and threads < 1:
        msg = f"threads={threads}: at least one thread does the work; leave it out to use every core"
        raise SequenceError(msg)
    wanted = threads if threads is not None else available_cores()
    workers = max(1, min(wanted, n_rows * width // _WORTH_A_THREAD))
    chunk = max(1, -(-n_rows // workers))
    slices = [slice(start, min(start + chunk, n_rows)) for start in range(0, n_rows, chunk)]
    if len(slices) < 2:
        for rows in slices:
            run(rows)
        return
    with ThreadPoolExecutor(len(slices) - 1) as pool:
        others = [pool.submit(run, rows) for rows in slices[1:]]
        run(slices[0])
        for other in others:
            other.result()
