"""Execution of the control pass and of edits, a block of units at a time."""

from __future__ import annotations

import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from causalgia.predict.incremental.program import Network, SpanPlan, Workspace
from causalgia.predict.incremental.window_steps import Span
from causalgia.types import Ints, Tokens

_MOST_UNITS = 256
_MOST_KEPT = 2**28
_KEPT_SPACES = 16


class Runner:
    """Runs one network; `columns` reads (rows, tasks) from the network's output for a number of rows.

    `budget` is the largest size in bytes of a value of the control pass, and a fourth of it that of an edit; all values
    of a stored control take at most 256 MiB.
    """

    def __init__(
        self,
        network: Network,
        *,
        columns: Callable[[Any, int], torch.Tensor],
        order: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device,
        budget: int,
    ) -> None:
        self.network = network
        self._columns = columns
        self._make: dict[str, Any] = {"dtype": dtype, "device": device}
        self._order = torch.tensor(order, dtype=torch.uint8, device=device)
        self._budget = budget
        self._whole = SpanPlan.control(network)
        fitting = (budget // self._whole.largest(), _MOST_KEPT // self._whole.numbers())
        n = min(_MOST_UNITS, max(1, min(fitting) // dtype.itemsize))
        self.units = n // 8 * 8 or n
        self._plans: dict[Span, SpanPlan] = {}
        self._spaces: OrderedDict[tuple[Span, int], Workspace] = OrderedDict()
        self._controls: list[tuple[weakref.ref[ControlBlock], Workspace]] = []
        self.kept: frozenset[int] = frozenset()
        """Values of the control that edits have needed so far."""

    def clock(self) -> float:
        """Return the time in seconds when all queued work is done; this thread's own time if it works alone."""
        device = self._make["device"]
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        return time.thread_time() if alone else time.perf_counter()  # excludes other load on the machine

    def plan(self, span: Span) -> SpanPlan:
        """Return the plan of a span of edits, cached."""
        if span not in self._plans:
            self._plans[span] = SpanPlan.of(self.network, span)
            self.kept |= self._plans[span].kept
        return self._plans[span]

    def rows_at_once(self, span: Span, n: int) -> int:
        """Return how many times n units fit into one pass over a span of edits."""
        most: int = self._budget // 4 // (self.plan(span).largest() * self._make["dtype"].itemsize * n)
        return max(1, min(most, _MOST_UNITS // n))

    def space(self, span: Span, n_rows: int) -> Workspace:
        """Return reusable memory for edits of a span in a number of rows."""
        key = span, n_rows
        if key not in self._spaces:
            self._spaces[key] = Workspace(self.plan(span), n_rows, **self._make)
        self._spaces.move_to_end(key)
        while len(self._spaces) > _KEPT_SPACES:
            self._spaces.popitem(last=False)
        return self._spaces[key]

    def control_space(self, block: ControlBlock, n_rows: int) -> Workspace:
        """Return memory for whole sequences, reusing that of a block that is no longer referenced."""
        alive = [(owner, space) for owner, space in self._controls if owner() is not None]
        left = (space for owner, space in self._controls if owner() is None)
        fitting = (space for space in left if space.n_rows == n_rows and space.keep == self.kept)
        space = next(fitting, None) or Workspace(self._whole, n_rows, keep=self.kept, **self._make)
        self._controls = [*alive, (weakref.ref(block), space)]
        return space

    def one_hot(self, tokens: Tokens) -> torch.Tensor:
        """Return tokens (rows, width) as (width, rows, 4)."""
        letters = torch.from_numpy(np.ascontiguousarray(tokens.T)).to(self._make["device"])
        return (letters.unsqueeze(2) == self._order).to(self._make["dtype"])

    def answers(self, handed: list[torch.Tensor], n_rows: int) -> torch.Tensor:
        """Return the columns (rows, tasks) for the output of the local part."""
        return self._columns(self.network.rest(*handed), n_rows)


class ControlBlock:
    """Some units with their control pass; `control` are its answers (n, tasks)."""

    def __init__(self, runner: Runner, tokens: Tokens) -> None:
        self._runner = runner
        self._tokens = tokens
        self.kept = runner.kept
        self.trusted: bool | None = None
        """Whether the control agrees with full passes; None if that was not checked."""
        space = runner.control_space(self, len(tokens))
        space.run(runner.one_hot(tokens))
        self._values, self._ends = space.controlled()
        self.control = runner.answers(space.wholly_handed(self._ends), len(tokens))

    def edited(self, span: Span, tokens: Tokens, rows: Ints) -> torch.Tensor:
        """Return the answers (m, tasks) for edits inside a span; tokens (m, length) are edits of units `rows` (m,)."""
        n, windows = len(self._tokens), tokens[:, slice(*span)]
        layers, left = arrange_in_layers(rows, n)
        at_once = self._runner.rows_at_once(span, n)
        made = self.control.new_empty((len(rows), self.control.shape[1]))
        for first in range(0, len(layers), at_once):
            self._layers(span, windows, layers[first : first + at_once], made)
        for first in range(0, len(left), at_once * n):
            self._few(span, windows, left[first : first + at_once * n], rows, made)
        return made

    def _layers(self, span: Span, windows: Tokens, layers: Ints, made: torch.Tensor) -> None:
        """Answer for whole sets of units; a unit without an edit is recomputed unedited, and its answer is dropped."""
        there, places = layers >= 0, layers.reshape(-1)
        taken = windows[places]
        if not there.all():
            own = np.broadcast_to(self._tokens[None, :, slice(*span)], (*layers.shape, windows.shape[1]))
            taken = np.where(there[:, :, None], taken.reshape(own.shape), own).reshape(taken.shape)
        space = self._runner.space(span, len(places))
        if space.filled is None or space.filled() is not self:
            space.fill(self._values, self._ends, None)
            space.filled = weakref.ref(self)
        answers = self._of_windows(space, taken, None)
        present = torch.from_numpy(np.flatnonzero(there.reshape(-1))).to(made.device)
        made[torch.from_numpy(places[there.reshape(-1)]).to(made.device)] = answers[present]

    def _few(self, span: Span, windows: Tokens, places: Ints, rows: Ints, made: torch.Tensor) -> None:
        """Answer for edits of single units, padded with the first to a power of two, so that few sizes occur."""
        padded = np.concatenate([places, np.repeat(places[:1], (1 << (len(places) - 1).bit_length()) - len(places))])
        space = self._runner.space(span, len(padded))
        units = torch.from_numpy(rows[padded]).to(made.device)
        space.fill(self._values, self._ends, units)
        space.filled = None
        made[torch.from_numpy(places).to(made.device)] = self._of_windows(space, windows[padded], units)[: len(places)]

    def _of_windows(self, space: Workspace, windows: Tokens, units: torch.Tensor | None) -> torch.Tensor:
        space.run(self._runner.one_hot(windows))
        return self._runner.answers(space.handed(self._values, units), len(windows))


_AT_ONCE = 2**22


def changed_spans(base: Tokens, edited: Tokens, rows: Ints) -> tuple[Ints, Ints]:
    """Return the first changed position of each edited sequence (m, length), and one past the last.

    Row i is compared with ``base[rows[i]]``; both are -1 if nothing differs.

    Examples
    --------
    >>> base = np.zeros((2, 6), np.uint8)
    >>> edited = np.array([[0, 1, 0, 2, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8)
    >>> changed_spans(base, edited, np.array([0, 1]))
    (array([ 1, -1]), array([ 4, -1]))
    """
    starts, stops = (np.full(len(rows), -1, np.int64) for _ in range(2))
    length = base.shape[1]
    for first in range(0, len(rows), step := max(1, _AT_ONCE // length)):
        part = slice(first, first + step)
        differs = edited[part] != base[rows[part]]
        some = differs.any(axis=1)
        starts[part][some] = differs[some].argmax(axis=1)
        stops[part][some] = length - differs[some, ::-1].argmax(axis=1)
    return starts, stops


def group_by_span(starts: Ints, stops: Ints, *, length: int, n_base: int) -> list[tuple[Span, Ints]]:
    """Return spans, and the rows that are recomputed on each, in the order of the spans; unedited rows in none.

    Edits at one place (within twice the width of the widest) share a span: the letters outside an edit may be unchanged
    by chance. Otherwise a span that half of the units have is used as it is, together with edits inside it that are at
    least half as wide. All others, such as words at random places, use spans of a grid that are one and a half times
    the next power of two wide, so that few spans occur.

    Examples
    --------
    >>> starts, stops = np.array([4, 4, 5, -1, 19]), np.array([8, 8, 8, -1, 21])
    >>> [(span, rows.tolist()) for span, rows in group_by_span(starts, stops, length=30, n_base=4)]
    [((4, 8), [0, 1, 2]), ((19, 22), [4])]
    >>> [(span, rows.tolist()) for span, rows in group_by_span(starts[:4], stops[:4], length=30, n_base=4)]
    [((4, 8), [0, 1, 2])]
    """
    edits = np.flatnonzero(starts >= 0)
    if not edits.size:
        return []
    whole = int(starts[edits].min()), int(stops[edits].max())
    if whole[1] - whole[0] <= 2 * int((stops - starts).max()):
        return [(whole, edits)]
    pairs, place, counts = np.unique(np.stack([starts, stops], 1), axis=0, return_inverse=True, return_counts=True)
    owners = _owners([(int(a), int(b)) for a, b in pairs], counts, length, n_base)
    place = place.reshape(-1)
    found: dict[Span, list[int]] = {}
    for number, span in enumerate(owners):
        if span is not None:
            found.setdefault(span, []).append(number)
    return [(span, np.flatnonzero(np.isin(place, found[span]))) for span in sorted(found)]


def _owners(pairs: list[Span], counts: NDArray[np.int64], length: int, n_base: int) -> list[Span | None]:
    """Return the span on which each distinct span of edits is recomputed; None for no edit."""
    frequent = [pair for pair, n in zip(pairs, counts, strict=True) if pair[0] >= 0 and 2 * n >= n_base]
    return [None if pair[0] < 0 else _owner(pair, frequent, length) for pair in pairs]


def _owner(pair: Span, frequent: list[Span], length: int) -> Span:
    holding = [s for s in frequent if s[0] <= pair[0] and pair[1] <= s[1] <= s[0] + 2 * (pair[1] - pair[0])]
    return max(holding, key=lambda s: (s[1] - s[0], s)) if holding else _grid_span(pair, length)


def _grid_span(pair: Span, length: int) -> Span:
    """Return a span of a coarse grid that contains another one.

    Examples
    --------
    >>> _grid_span((13, 19), 100), _grid_span((97, 99), 100), _grid_span((5, 95), 100), _grid_span((7, 8), 100)
    ((12, 24), (97, 100), (0, 100), (7, 8))
    """
    size = 1 << (pair[1] - pair[0] - 1).bit_length()
    step = max(size // 2, 1)
    start = pair[0] // step * step
    width = size + step if size > 1 else 1
    if width >= length:
        return 0, length
    start = min(start, length - width)
    return start, start + width


def arrange_in_layers(rows: Ints, n: int) -> tuple[Ints, Ints]:
    """Arrange edits of n units in layers, each with all units.

    Returns the layers (layers, n) of indices into `rows`, -1 where a unit has no such edit, and the indices of the
    edits that are left, because fewer than half of the units have that many.

    Examples
    --------
    >>> layers, left = arrange_in_layers(np.array([0, 1, 2, 0, 2, 0]), 3)
    >>> layers.tolist(), left.tolist()
    ([[0, 1, 2], [3, -1, 4]], [5])
    """
    order = np.argsort(rows, kind="stable")
    sorted_rows = rows[order]
    counts = np.bincount(rows, minlength=n)
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((int(counts.max(initial=0)), n), -1, np.int64)
    table[rank, sorted_rows] = order
    full = 2 * (table >= 0).sum(axis=1) >= n
    left = table[~full]
    return table[full], left[left >= 0]


def other_strand(tokens: Tokens) -> Tokens:
    """Return the reverse complements of sequences (m, length)."""
    return np.ascontiguousarray((3 - tokens)[:, ::-1])
