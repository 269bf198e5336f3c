"""Tracks, the predictions of networks with a number for each position, and windows that
summarize them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_whole
from causalgia.errors import PredictorError, quoted
from causalgia.predict.answer_checks import (
    name_tasks,
    parts_in_words,
    place_columns,
    without_trailing,
)

Reduction: TypeAlias = Literal["sum", "mean", "log sum", "max"]
_AXES = {1: 1, -2: 1, 2: 2, -1: 2}


@dataclass(frozen=True, kw_only=True)
class Track:
    """The axis of a network's output that runs along the sequence, for predictors whose
    outcomes have a dim position.

    Give it to a predictor, ``cg.TorchPredictor(net, track=cg.Track(origin=500))``. The
    output is (n, tasks, positions), (n, positions, tasks) or, of one task, (n,
    positions); outcomes are then ``outcome (unit, arm, position, task)``. The
    coordinate of bin i, counted from 0, is its first base:
    ``position = i * bin - origin``.

    Parameters
    ----------
    axis
        The axis of positions in the output, counted with the batch as axis 0: -1 or 2
        for (n, tasks, positions), 1 or -2 for (n, positions, tasks). An output (n,
        positions) has no other.
    origin
        Base of the track, counted from 0 at its first, that is position 0: 500 for the
        center of 1,000 bases.
    bin
        Bases in a bin.

    Raises
    ------
    PredictorError
        If a choice is impossible.

    Notes
    -----
    Turning around assumes that a cropped output is centered in the sequence, as it is
    where a network crops both ends alike.

    Examples
    --------
    >>> Track(origin=64, bin=32).positions(5).tolist()
    [-64, -32, 0, 32, 64]
    """

    axis: int = -1
    origin: int = 0
    bin: int = 1

    def __post_init__(self) -> None:
        if not is_whole(self.axis) or self.axis not in _AXES:
            raise PredictorError(
                f"Track(axis={quoted(self.axis)}): positions are on axis -1, (n, "
                "tasks, positions), or on axis 1, (n, positions, tasks); axis 0 is the "
                "batch"
            )
        if not is_whole(self.bin) or self.bin < 1:
            raise PredictorError(
                f"Track(bin={quoted(self.bin)}): give the bases in a bin, a whole "
                "number from 1 on"
            )
        if not is_whole(self.origin):
            raise PredictorError(
                f"Track(origin={quoted(self.origin)}): give the base of the track that "
                "is position 0, a whole number"
            )

    def positions(self, n: int) -> NDArray[np.int64]:
        """Return the position of the first base of each of n bins."""
        return np.arange(n, dtype=np.int64) * self.bin - self.origin


@dataclass(frozen=True)
class Window:
    """A named read-out of a track: the sum, mean, logarithm of the sum, or maximum over
    an interval of positions.

    A predictor with ``reduce=[Window, ...]`` answers one number for each window and
    task, so that every verb for scalar outcomes applies; what chooses the track in an
    output of several stands before, ``reduce=["human", Window(...)]``. A task is named after the
    window, and ``"window: task"`` where the network has several.

    Parameters
    ----------
    name
        Name of the read-out.
    start, stop
        First position, and the one after the last, in bp relative to the origin of the
        track; both at edges of bins.
    reduce
        ``"sum"``, ``"mean"``, ``"log sum"`` (natural logarithm of the sum, of a
        positive track) or ``"max"``.

    Raises
    ------
    PredictorError
        If a choice is impossible.

    Examples
    --------
    >>> import causalgia as cg
    >>> letters = cg.FunctionPredictor(
    ...     lambda x: x[:, 0] + 1.0,
    ...     track=cg.Track(origin=2),
    ...     reduce=[Window("TSS", -1, 1), Window("end", 1, 2)],
    ... )
    >>> (
    ...     letters.predict(np.array([[0, 0, 3, 3]], np.uint8)),
    ...     letters.tasks,
    ...     letters.scale,
    ... )
    (array([[3., 1.]], dtype=float32), ('TSS', 'end'), 'sum of outcome')
    """

    name: str
    start: int
    stop: int
    reduce: Reduction = "sum"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise PredictorError(
                f"Window({quoted(self.name)}, ...): give the read-out a name, such as "
                "'TSS'"
            )
        if not (
            is_whole(self.start) and is_whole(self.stop) and self.start < self.stop
        ):
            raise PredictorError(
                f"window {quoted(self.name)}: start={quoted(self.start)}, stop={quoted(self.stop)} "
                "must be whole numbers of bp, start below stop"
            )
        if self.reduce not in get_args(Reduction):
            raise PredictorError(
                f"window {quoted(self.name)}: reduce={quoted(self.reduce)} is not "
                f"one of {', '.join(map(quoted, get_args(Reduction)))}"
            )

    def bins(self, track: Track, n: int) -> slice:
        """Return the bins of a track of n that the window has.

        Raises
        ------
        PredictorError
            If an end is outside the track, or inside a bin.
        """
        first, last = -track.origin, n * track.bin - track.origin
        if self.start < first or self.stop > last:
            raise PredictorError(
                f"window {quoted(self.name)}: {self.start} to {self.stop} bp "
                f"leaves the track, which has positions {first} to {last} (origin={track.origin}, "
                f"{n:,} bins of {track.bin} bp)"
            )
        for end in (self.start, self.stop):
            if (end + track.origin) % track.bin:
                below = (end + track.origin) // track.bin * track.bin - track.origin
                raise PredictorError(
                    f"window {quoted(self.name)}: {end} bp is inside a bin of "
                    f"{track.bin} bp, whose edges are {below} and "
                    f"{below + track.bin}"
                )
        return slice(
            (self.start + track.origin) // track.bin,
            (self.stop + track.origin) // track.bin,
        )


Step: TypeAlias = Callable[[Any], Any] | str | int
Reduce: TypeAlias = Step | Window | Sequence[Step | Window] | None


@dataclass(frozen=True)
class Chosen:
    """The part of an output under a key of a dict, or at a place of a tuple or list.

    Examples
    --------
    >>> Chosen("human")({"human": 1, "mouse": 2}), Chosen(-1)((3, 4))
    (1, 4)
    """

    key: str | int

    def __call__(self, output: Any) -> Any:
        try:
            if isinstance(output, Mapping | tuple | list):
                return output[self.key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            pass
        raise PredictorError(
            f"reduce={quoted(self.key)}: the network's output is "
            f"{parts_in_words(output)}"
        )


@dataclass(frozen=True)
class Steps:
    """Functions of a network's output, one after another."""

    functions: tuple[Callable[[Any], Any], ...]

    def __call__(self, output: Any) -> Any:
        for function in self.functions:
            output = function(output)
        return output


def split_reduce(
    reduce: Reduce, track: Track | None
) -> tuple[Callable[[Any], Any] | None, tuple[Window, ...]]:
    """Return the function of `reduce`, and its windows: steps that choose, and then the
    windows of what is chosen.

    Raises
    ------
    PredictorError
        If there are other steps; or windows have no track, one name, or several
        reductions.
    """
    if track is not None and not isinstance(track, Track):
        raise PredictorError(f"track={quoted(track)} is not a cg.Track")
    if reduce is None:
        return None, ()
    given = (
        [reduce]
        if isinstance(reduce, str) or not isinstance(reduce, Sequence)
        else reduce
    )
    windows = tuple(one for one in given if isinstance(one, Window))
    first = given[: len(given) - len(windows)]
    if not given or not all(
        callable(one) or isinstance(one, str) or is_whole(one) for one in first
    ):
        raise PredictorError(
            f"reduce={quoted(reduce)} is not a key, a place or a function of the "
            "network's output, and then windows of a track, such as "
            "reduce=['human', cg.Window('TSS', -50, 50, reduce='log sum')]"
        )
    steps: list[Callable[[Any], Any]] = [
        one if callable(one) else Chosen(one if isinstance(one, str) else int(one))
        for one in first
        if not isinstance(one, Window)
    ]
    function = steps[0] if len(steps) == 1 else Steps(tuple(steps)) if steps else None
    if not windows:
        return function, ()
    if track is None:
        raise PredictorError(
            f"window {quoted(windows[0].name)} reads a track, and the predictor "
            "has none (track=)"
        )
    names = [window.name for window in windows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PredictorError(f"two windows are named {quoted(twice)}")
    if len({window.reduce for window in windows}) > 1:
        raise PredictorError(
            f"the windows have several reductions ({', '.join(sorted({w.reduce for w in windows}))}), "
            "and the answers of a predictor have one scale"
        )
    return function, windows


class TrackAnswers:
    """Reads a network's output as a track: a table (n, positions x tasks), and the
    answers made of it.

    Inside a predictor a track is a table, whose columns are position by position, the
    tasks of a position together.

    Parameters
    ----------
    track, windows
        What the user said.
    tasks, heads
        The tasks wanted, and the names of all in the output; None where not said.
    other_strand
        Gives the places of tasks on the other strand.
    """

    def __init__(
        self,
        track: Track,
        windows: tuple[Window, ...],
        tasks: tuple[str, ...] | None,
        heads: tuple[str, ...] | None,
        other_strand: Callable[[Sequence[str]], list[int]],
    ) -> None:
        self.track, self.windows, self.tasks, self.heads = track, windows, tasks, heads
        self._other_strand = other_strand
        self.n_positions: int | None = None

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the answers: the tasks, or a name for each window and task; None
        before the first answer.
        """
        if not self.windows or self.tasks is None:
            return self.tasks
        if self.tasks == name_tasks(1):
            return tuple(window.name for window in self.windows)
        alone = len(self.tasks) == 1
        return tuple(
            window.name if alone else f"{window.name}: {task}"
            for window in self.windows
            for task in self.tasks
        )

    @property
    def positions(self) -> NDArray[np.int64]:
        """The position of each bin.

        Raises
        ------
        PredictorError
            Before the first answer.
        """
        if self.n_positions is None:
            raise PredictorError(
                "the positions of a track are not known before the first answer"
            )
        return self.track.positions(self.n_positions)

    def table(self, value: Any, n_rows: int) -> Any:
        """Return an output, numpy or torch, as a table (n_rows, positions x tasks).

        Raises
        ------
        PredictorError
            If it is no track of that many rows, tasks and positions.
        """
        if isinstance(value, Mapping | tuple | list):
            raise PredictorError(
                f"the network's output is {parts_in_words(value)}, and a track is one "
                "array: reduce= chooses it, by its key or place, before windows"
            )
        value = without_trailing(value, 3)
        shape = tuple(getattr(value, "shape", ()))
        if len(shape) not in (2, 3) or shape[0] != n_rows or 0 in shape:
            raise PredictorError(
                f"the network's output for {n_rows} sequences has shape {shape}; a track is "
                f"({n_rows}, tasks, positions), ({n_rows}, positions, tasks) with "
                f"Track(axis=1), or ({n_rows}, positions)"
            )
        if len(shape) == 2:
            cube = value.reshape(n_rows, shape[1], 1)
        else:
            cube = value if _AXES[self.track.axis] == 1 else value.swapaxes(1, 2)
        n_positions, n_tasks = cube.shape[1:]
        wanted = self.heads or self.tasks
        if len(shape) == 2 and wanted is not None and 1 < len(wanted) == n_positions:
            raise PredictorError(
                f"the network's output for {n_rows} sequences has shape {shape}, "
                f"one number for each of the {n_positions} tasks, and track= "
                "needs positions"
            )
        if wanted is not None and len(wanted) != n_tasks and len(wanted) == n_positions:
            raise PredictorError(
                f"the track has {n_positions} positions and {n_tasks} tasks by "
                f"Track(axis={self.track.axis}), and {len(wanted)} tasks are named"
            )
        places, names = place_columns(n_tasks, self.tasks, self.heads)
        if self.n_positions not in (None, n_positions):
            raise PredictorError(
                f"the network answers a track of {n_positions} positions after one of "
                f"{self.n_positions}; the arms of a trial need tracks of one length"
            )
        for window in self.windows:
            whole = (
                window.bins(self.track, n_positions) == slice(0, n_positions)
                and window.reduce != "max"
            )
            if whole and self.n_positions is None and abs(cube.sum(1) - 1).max() < 1e-4:
                raise PredictorError(
                    f"window {quoted(window.name)} is the whole track, which adds "
                    "up to 1 for every sequence (a softmax over positions)"
                )
        self.n_positions, self.tasks = n_positions, names
        chosen = cube if places == list(range(n_tasks)) else cube[:, :, places]
        return chosen.reshape(n_rows, -1)

    def check_length(self, length: int) -> None:
        """Raise PredictorError if the bins of a track do not fit into sequences of
        `length` bp.
        """
        n, width = self.n_positions, self.track.bin
        if n is None or n * width <= length:
            return
        raise PredictorError(
            f"the track has {n:,} positions of {width} bp, more than the {length:,} bp "
            "of a sequence (track=Track(axis=, bin=))"
        )

    def answers(self, table: Any, *, reverse: bool = False) -> Any:
        """Return the answers of a table: itself, turned around where it is of the other
        strand, or its windows.
        """
        if not self.windows and not reverse:
            return table
        assert self.tasks is not None
        cube = table.reshape(len(table), self.n_positions, len(self.tasks))
        if reverse:
            turned = list(range(cube.shape[1]))[::-1]
            cube = cube[:, turned][:, :, self._other_strand(self.tasks)]
        if not self.windows:
            return cube.reshape(len(table), -1)
        parts = [
            _reduced(cube[:, w.bins(self.track, cube.shape[1])], w.reduce)
            for w in self.windows
        ]
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts, axis=1)
        return sys.modules["torch"].cat(parts, dim=1)

    def __repr__(self) -> str:
        return f"TrackAnswers({self.track!r}, {self.windows!r})"


def _reduced(part: Any, reduce: str) -> Any:
    """Return (n, tasks) of the bins (n, bins, tasks) of a window."""
    if reduce == "mean":
        return part.mean(1)
    if reduce == "max":
        top = part.max(1)
        return getattr(top, "values", top)  # of torch, values and indices
    total = part.sum(1)
    if reduce == "sum":
        return total
    if not isinstance(total, np.ndarray):
        return total.log()
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # refused later, with the unit and the task
        return np.log(total)
