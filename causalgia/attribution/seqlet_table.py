"""Seqlets that other programs called, from their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.seqlets import Windows, windows_at
from causalgia.checks import nearest
from causalgia.errors import AttributionError, quoted
from causalgia.types import Tokens

if TYPE_CHECKING:
    import pandas as pd

_PLACES = ("example_idx", "start", "end")
_NARROWEST = 4


def windows_of_table(
    table: pd.DataFrame, tokens: Tokens, contributions: NDArray[np.float64], tasks: list[str]
) -> list[Windows]:
    """Return the seqlets of a table as windows, those of each width together.

    Parameters
    ----------
    table
        Columns ``example_idx`` (row of the sequence), ``start`` and ``end`` (one past the last position), and ``task``.
    tokens
        Sequences (n, length).
    contributions
        Of the observed bases, (n, length, tasks).
    tasks
        Names of the tasks of the maps.

    Raises
    ------
    AttributionError
        If it is no such table, or a seqlet leaves the sequences, has fewer than 4 positions or an unknown task.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"example_idx": [0, 1], "start": [1, 0], "end": [5, 4], "p-value": [0.01, 0.001]})
    >>> maps = np.arange(12.0).reshape(2, 6, 1)
    >>> (found,) = windows_of_table(table, np.zeros((2, 6), np.uint8), maps, ["K562"])
    >>> found.unit, found.start, found.total
    (array([1, 0]), array([0, 1]), array([30., 10.]))
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise AttributionError(
            f"seqlets= is a {type(table).__name__}; give a DataFrame with {', '.join(_PLACES)}, such as that of "
            "tangermeme.seqlet.recursive_seqlets"
        )
    columns = {name: _whole_numbers(table, name) for name in _PLACES}
    unit, start, end = columns.values()
    n, length = tokens.shape
    limits = {"example_idx": (unit, 0, n - 1), "start": (start, 0, length), "end": (end, 0, length)}
    for name, (values, least, most) in limits.items():
        beyond = np.flatnonzero((values < least) | (values > most))
        if len(beyond):
            raise AttributionError(
                f"seqlets=: row {beyond[0]} has {name} {values[beyond[0]]}, and the maps are of {n:,} sequences of "
                f"{length:,} bp; give the maps on which the seqlets were called, or leave the row out"
            )
    narrow = np.flatnonzero(end - start < _NARROWEST)
    if len(narrow):
        raise AttributionError(
            f"seqlets=: row {narrow[0]} is from {start[narrow[0]]} to {end[narrow[0]]}, and words have {_NARROWEST} "
            f"positions or more; leave it out, seqlets[seqlets.end - seqlets.start >= {_NARROWEST}]"
        )
    task = _task_of_each(table, tasks)
    widths = np.unique(end - start)
    return [
        windows_at(tokens, contributions, unit[rows], start[rows], task[rows], int(width))
        for width in widths
        for rows in [np.flatnonzero(end - start == width)]
    ]


def _whole_numbers(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    if name not in table.columns:
        have = [str(column) for column in table.columns]
        raise AttributionError(
            f"seqlets= has no column {quoted(name)}{nearest(name, have)}; it has {quoted(have)}. Rename them by "
            f"seqlets.rename(columns={{...: {quoted(name)}}})"
        )
    column = table[name].to_numpy()
    if column.dtype.kind not in "iu" and len(column):
        raise AttributionError(
            f"seqlets=: column {quoted(name)} is of {column.dtype}, and places are whole numbers; see "
            f"seqlets[{quoted(name)}].head(), and convert it by .astype(int)"
        )
    return column.astype(np.int64)


def _task_of_each(table: pd.DataFrame, tasks: list[str]) -> NDArray[np.int64]:
    if "task" not in table.columns:
        if len(tasks) > 1:
            raise AttributionError(
                f"seqlets= has no column 'task', and the maps have {quoted(tasks)}; say on which the seqlets were "
                f"called: seqlets.assign(task={quoted(tasks[0])})"
            )
        return np.zeros(len(table), dtype=np.int64)
    named = table["task"].astype(str).tolist()
    other = next((task for task in named if task not in tasks), None)
    if other is not None:
        raise AttributionError(
            f"seqlets=: task {quoted(other)} is none of the maps{nearest(other, tasks)}; they have {quoted(tasks)}"
        )
    return np.array([tasks.index(task) for task in named], dtype=np.int64)
