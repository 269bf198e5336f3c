"""Seqlets: windows with a large contribution to a prediction, also from tables, and the
patterns that they share.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from causalgia.checks import is_not_among, nearest
from causalgia.errors import (
    MissingExtraError,
    PredictorError,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.sequences.motifs import NARROWEST_MOTIF
from causalgia.sequences.pattern_files import trimmed
from causalgia.types import Tokens

if TYPE_CHECKING:
    import pandas as pd

_AT_LEAST = 5
_LEAST_PEAK_SHARE = 0.25
NO_LETTER = 9


@dataclass(frozen=True)
class Windows:
    """Windows of equal width in sequences, with the contributions inside them.

    Attributes
    ----------
    unit, start, task
        Of each window, (n,): the row of its sequence, its first position, and the task
        of the map.
    total
        Sum of its contributions, (n,).
    letters
        Its tokens with `flank` positions on either side, (n, width + 2 flank); 9
        outside of the sequence.
    contributions
        Of its positions, (n, width).
    """

    unit: NDArray[np.int64]
    start: NDArray[np.int64]
    task: NDArray[np.int64]
    total: NDArray[np.float64]
    letters: Tokens
    contributions: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Positions of a window."""
        return int(self.contributions.shape[1])

    @property
    def flank(self) -> int:
        """Positions on either side of a window of which the letters are held."""
        return (int(self.letters.shape[1]) - self.width) // 2


@dataclass(frozen=True)
class Group:
    """Windows of one pattern.

    Attributes
    ----------
    members
        Rows of the windows, (m,); the first is the one with the largest contributions.
    counts
        Letters of the aligned windows with their flanks, (width + 2 flank, 4).
    consensus
        The most frequent letter at each of these positions, (width + 2 flank,); 9 where
        no window reaches.
    """

    members: NDArray[np.int64]
    counts: NDArray[np.int64]
    consensus: Tokens


def window_sums(contributions: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the sums of contributions (n, length, ...) in all windows: (n, length -
    width + 1, ...).
    """
    total = np.cumsum(
        np.concatenate([np.zeros_like(contributions[:, :1]), contributions], axis=1),
        axis=1,
    )
    sums: NDArray[np.float64] = total[:, width:] - total[:, :-width]
    return sums


def windows(
    tokens: Tokens,
    contributions: NDArray[np.float64],
    *,
    width: int,
    below: NDArray[np.float64],
    above: NDArray[np.float64],
) -> Windows:
    """Return the windows whose summed contributions lie beyond two limits, the largest
    first, without overlaps.

    Parameters
    ----------
    tokens
        Sequences (n, length).
    contributions
        Of the observed bases, (n, length, tasks).
    width
        Positions of a window.
    below, above
        Limits of each task, (tasks,).
    """
    found = []
    for task in range(contributions.shape[2]):
        sums = window_sums(contributions[:, :, task], width)
        size = np.where((sums > above[task]) | (sums < below[task]), np.abs(sums), 0.0)
        place = np.arange(size.shape[1])
        while (size > 0).any():
            best = size.argmax(axis=1)
            rows = np.flatnonzero(size[np.arange(len(size)), best] > 0)
            found.append(np.stack([rows, best[rows], np.full(len(rows), task)]))
            size[np.abs(place - best[:, None]) < width] = 0.0
    unit, start, of_task = np.concatenate([np.zeros((3, 0), np.int64), *found], axis=1)
    return windows_at(tokens, contributions, unit, start, of_task, width)


def windows_at(
    tokens: Tokens,
    contributions: NDArray[np.float64],
    unit: NDArray[np.int64],
    start: NDArray[np.int64],
    task: NDArray[np.int64],
    width: int,
) -> Windows:
    """Return the windows of a width at places (m,), the largest first.

    Parameters
    ----------
    tokens
        Sequences (n, length).
    contributions
        Of the observed bases, (n, length, tasks).
    unit, start, task
        Row of the sequence, first position and task of each window, (m,).
    width
        Positions of a window.
    """
    flank = width // 2
    padded = np.pad(tokens, ((0, 0), (flank, flank)), constant_values=NO_LETTER)
    letters = sliding_window_view(padded, width + 2 * flank, axis=1)[unit, start]
    inside = sliding_window_view(contributions, width, axis=1)[unit, start, task]
    total = inside.sum(axis=1)
    order = np.lexsort((start, unit, task, -np.abs(total)))
    return Windows(
        unit[order],
        start[order],
        task[order],
        total[order],
        letters[order],
        inside[order],
    )


def groups(of: Windows, *, both_strands: bool) -> list[Group]:
    """Return windows of equal motifs as groups, each around the one with the largest
    contributions left.

    The motif of a group is the letters of that window with a contribution of a quarter
    of its largest or more (five at the least). Windows of the same sign that have the
    motif, up to half a width away, are of the group. Letters are compared, not
    contributions: motifs of one motif that differ at a single base may differ in
    effect, and are proposed one by one.

    Parameters
    ----------
    of
        Windows, the largest first.
    both_strands
        Whether a motif and its reverse complement are one.
    """
    flank, width = of.flank, of.width
    opposite = np.where(of.letters == NO_LETTER, NO_LETTER, 3 - of.letters)[:, ::-1]
    strands = [of.letters, opposite] if both_strands else [of.letters]
    shifts = np.array(sorted(range(-flank, flank + 1), key=abs))
    free = np.ones(len(of.total), dtype=bool)
    found = []
    for leader in range(len(of.total)):
        if not free[leader]:
            continue
        size = np.abs(of.contributions[leader])
        least = min(
            np.sort(size)[-min(_AT_LEAST, width)], _LEAST_PEAK_SHARE * size.max()
        )
        at = np.flatnonzero(size >= least)
        motif = of.letters[leader, flank + at]
        rows = np.flatnonzero(free & (np.sign(of.total) == np.sign(of.total[leader])))
        aligned = np.full((len(rows), width + 2 * flank), NO_LETTER, dtype=np.uint8)
        is_member = np.zeros(len(rows), dtype=bool)
        for letters in strands:
            for shift in shifts:
                left = np.flatnonzero(~is_member)
                have = left[
                    (letters[rows[left][:, None], flank + shift + at] == motif).all(
                        axis=1
                    )
                ]
                is_member[have] = True
                to = slice(max(0, -shift), width + 2 * flank - max(0, shift))
                source = slice(max(0, shift), width + 2 * flank - max(0, -shift))
                aligned[have, to] = letters[rows[have], source]
        found.append(group_of(rows[is_member], aligned[is_member]))
        free[found[-1].members] = False
    return found


def group_of(members: NDArray[np.int64], aligned: Tokens) -> Group:
    """Return windows as a group, with their aligned letters (m, width + 2 flank)."""
    counts = (aligned[:, :, None] == np.arange(4)).sum(axis=0)
    consensus = np.where(counts.any(axis=1), counts.argmax(axis=1), NO_LETTER).astype(
        np.uint8
    )
    return Group(members, counts, consensus)


_PLACE_COLUMNS = ("example_idx", "start", "end")


def windows_of_table(
    table: pd.DataFrame,
    tokens: Tokens,
    contributions: NDArray[np.float64],
    tasks: list[str],
) -> list[Windows]:
    """Return the seqlets of a table as windows, those of each width together; rows of
    one place are one seqlet.

    Parameters
    ----------
    table
        Columns ``example_idx`` (row of the sequence), ``start`` and ``end`` (one past
        the last position), and ``task``.
    tokens
        Sequences (n, length).
    contributions
        Of the observed bases, (n, length, tasks).
    tasks
        Names of the tasks of the maps.

    Raises
    ------
    PredictorError
        If it is no such table, or a seqlet leaves the sequences, has fewer than 4
        positions or an unknown task.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "example_idx": [0, 1],
    ...         "start": [1, 0],
    ...         "end": [5, 4],
    ...         "p-value": [0.01, 0.001],
    ...     }
    ... )
    >>> maps = np.arange(12.0).reshape(2, 6, 1)
    >>> (found,) = windows_of_table(table, np.zeros((2, 6), np.uint8), maps, ["K562"])
    >>> found.unit, found.start, found.total
    (array([1, 0]), array([0, 1]), array([30., 10.]))
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise PredictorError(f"seqlets= is {type_in_words(table)}, not a DataFrame")
    columns = {name: _whole_numbers(table, name) for name in _PLACE_COLUMNS}
    unit, start, end = columns.values()
    n, length = tokens.shape
    limits = {
        "example_idx": (unit, 0, n - 1),
        "start": (start, 0, length),
        "end": (end, 0, length),
    }
    for name, (values, least, most) in limits.items():
        beyond = np.flatnonzero((values < least) | (values > most))
        if len(beyond):
            raise PredictorError(
                f"seqlets=: row {beyond[0]} has {name} {values[beyond[0]]}, and the "
                f"maps are of {n:,} sequences of {length:,} bp"
            )
    narrow = np.flatnonzero(end - start < NARROWEST_MOTIF)
    if len(narrow):
        raise PredictorError(
            f"seqlets=: row {narrow[0]} is from {start[narrow[0]]} to "
            f"{end[narrow[0]]}; motifs have {NARROWEST_MOTIF} positions or more"
        )
    places = np.stack([unit, start, end, _task_of_each(table, tasks)], axis=1)
    # a place that is listed twice is one seqlet
    unit, start, end, task = np.unique(places, axis=0).T
    widths = np.unique(end - start)
    return [
        windows_at(
            tokens, contributions, unit[rows], start[rows], task[rows], int(width)
        )
        for width in widths
        for rows in [np.flatnonzero(end - start == width)]
    ]


def _whole_numbers(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    if name not in table.columns:
        have = [str(column) for column in table.columns]
        raise PredictorError(
            f"seqlets= has no column {quoted(name)}{nearest(name, have)}"
        )
    column = table[name].to_numpy()
    if column.dtype.kind not in "iu" and len(column):
        raise PredictorError(
            f"seqlets=: column {quoted(name)} is of {column.dtype}, and places are "
            "whole numbers"
        )
    return column.astype(np.int64)


def _task_of_each(table: pd.DataFrame, tasks: list[str]) -> NDArray[np.int64]:
    if "task" not in table.columns:
        if len(tasks) > 1:
            raise PredictorError(
                f"seqlets= has no column 'task', and the maps have {quoted(tasks)}"
            )
        return np.zeros(len(table), dtype=np.int64)
    named = table["task"].astype(str).tolist()
    other = next((task for task in named if task not in tasks), None)
    if other is not None:
        raise PredictorError(
            f"seqlets=: task {quoted(other)} {is_not_among(other, tasks, 'task')}"
        )
    return np.array([tasks.index(task) for task in named], dtype=np.int64)


_MODISCO_SHARE = 0.3
_LONGER_THAN = 50
"""Positions of a pattern of modisco-lite: a window of 30 and 10 on either side."""
_RUNS = 2
"""Runs of its clustering, as on its command line."""


def check_modisco() -> None:
    """Raise MissingExtraError unless modisco-lite is installed."""
    try:
        import modiscolite  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"method='modisco' needs modisco-lite: {install_command('modisco')}",
            argument="method",
        ) from error


def modisco_groups(
    tokens: Tokens,
    hypothetical: NDArray[np.float64],
    contributions: NDArray[np.float64],
    *,
    tasks: list[str],
    both_strands: bool,
) -> list[tuple[Windows, Group]]:
    """Return the patterns of each task, both signs, with the instances of each as
    windows.

    modisco-lite runs with the settings of its command line. A pattern is cut to the
    positions that have 0.3 or more of its largest mean contribution, as in
    `causalgia.sequences.read_patterns`. It aligns both strands; if they are not read
    alike, the instances on each are a group.

    Parameters
    ----------
    tokens
        Sequences (n, length).
    hypothetical
        Contribution that each base would have, (n, length, 4, tasks).
    contributions
        Of the observed bases, (n, length, tasks).
    tasks
        Names of the tasks of the maps.
    both_strands
        Whether a motif and its reverse complement are one.

    Raises
    ------
    PredictorError
        If sequences are too short, or modisco-lite stops on them.
    """
    from modiscolite.tfmodisco import TFMoDISco

    if tokens.shape[1] <= _LONGER_THAN:
        raise PredictorError(
            f"patterns of modisco have {_LONGER_THAN} positions, and sequences "
            f"{tokens.shape[1]}; use method='seqlets'"
        )
    one_hot = np.eye(4, dtype=np.float32)[tokens]
    found = []
    for task in range(contributions.shape[2]):
        if not contributions[:, :, task].any():
            continue
        try:
            with threads_of_torch():
                signs = TFMoDISco(
                    one_hot,
                    hypothetical[..., task].astype(np.float32),
                    n_leiden_runs=_RUNS,
                )
        except Exception as error:  # where all seqlets are alike, or none is left
            raise PredictorError(
                f"modisco-lite stopped in task {quoted(tasks[task])} ({type(error).__name__}: "
                f"{error}): it takes contributions of both signs, in windows that are "
                "not all alike; use method='seqlets', or give more sequences, which "
                "differ"
            ) from error
        for pattern in [one for patterns in signs for one in patterns or []]:
            found += _groups_of(
                pattern, tokens, contributions, task, both_strands=both_strands
            )
    return found


def _groups_of(
    pattern: Any,
    tokens: Tokens,
    contributions: NDArray[np.float64],
    task: int,
    *,
    both_strands: bool,
) -> list[tuple[Windows, Group]]:
    """Return the instances of a pattern as one group, or as one for each strand."""
    first, stop = trimmed(pattern.contrib_scores, _MODISCO_SHARE)
    opposite: dict[tuple[int, int], bool] = {}
    for seqlet in pattern.seqlets:
        start = seqlet.end - stop if seqlet.is_revcomp else seqlet.start + first
        opposite.setdefault(
            (int(seqlet.example_idx), int(start)), bool(seqlet.is_revcomp)
        )
    sides = (
        [list(opposite)]
        if both_strands
        else [[at for at in opposite if opposite[at] == side] for side in (0, 1)]
    )
    found = []
    for places in filter(None, sides):
        unit, start = np.array(places, dtype=np.int64).T
        of = windows_at(
            tokens, contributions, unit, start, np.full(len(unit), task), stop - first
        )
        if both_strands:
            turned = np.array(
                [
                    opposite[at]
                    for at in zip(of.unit.tolist(), of.start.tolist(), strict=True)
                ]
            )
            complement = np.where(of.letters == NO_LETTER, NO_LETTER, 3 - of.letters)[
                :, ::-1
            ]
            letters = np.where(turned[:, None], complement, of.letters)
            values = np.where(
                turned[:, None], of.contributions[:, ::-1], of.contributions
            )
            of = replace(of, letters=letters, contributions=values)
        found.append((of, group_of(np.arange(len(unit)), of.letters)))
    return found


@contextmanager
def threads_of_torch() -> Iterator[None]:
    """Give torch its number of threads back: numba's parallel kernels set it to all
    cores, for the whole process.
    """
    torch = sys.modules.get("torch")
    n = None if torch is None else torch.get_num_threads()
    yield
    if torch is not None:
        torch.set_num_threads(n)
