"""Units and their edits through the two parts of a network, a block of units at a time."""

from __future__ import annotations

import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from causalgia.predict.incremental.grouping import layered
from causalgia.predict.incremental.network import Network
from causalgia.predict.incremental.program import Plan, Workspace
from causalgia.predict.incremental.reach import Span
from causalgia.types import Ints, Tokens

_MOST_UNITS = 256
_MOST_KEPT = 2**28
_KEPT_SPACES = 16


class Runner:
    """Answers of one network: `columns` reads (rows, tasks) from what it returns for so many rows.

    `budget` is the bytes that a value of the control pass may take, and a fourth of it a value of an edit; all values
    of a control that is kept take at most 256 MiB.
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
        self._whole = Plan.control(network)
        fitting = (budget // self._whole.largest(), _MOST_KEPT // self._whole.numbers())
        self.units = _even(min(_MOST_UNITS, max(1, min(fitting) // dtype.itemsize)))
        self._plans: dict[Span, Plan] = {}
        self._spaces: OrderedDict[tuple[Span, int], Workspace] = OrderedDict()
        self._controls: list[tuple[weakref.ref[Block], Workspace]] = []
        self.kept: frozenset[int] = frozenset()
        """Values of the control that edits so far have needed."""

    def clock(self) -> float:
        """Return the time in seconds when all that was asked is done; this thread's own where it works alone."""
        device = self._make["device"]
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        return time.thread_time() if alone else time.perf_counter()  # other work on the machine is not ours

    def plan(self, span: Span) -> Plan:
        """Return the plan of a span of edits, made once."""
        if span not in self._plans:
            self._plans[span] = Plan.of(self.network, span)
            self.kept |= self._plans[span].kept
        return self._plans[span]

    def rows_at_once(self, span: Span, n: int) -> int:
        """Return how many times n units go through one span of edits at once."""
        most: int = self._budget // 4 // (self.plan(span).largest() * self._make["dtype"].itemsize * n)
        return max(1, min(most, _MOST_UNITS // n))

    def space(self, span: Span, n_rows: int) -> Workspace:
        """Return memory for edits of a span in so many rows, used again and again."""
        key = span, n_rows
        if key not in self._spaces:
            self._spaces[key] = Workspace(self.plan(span), n_rows, **self._make)
        self._spaces.move_to_end(key)
        while len(self._spaces) > _KEPT_SPACES:
            self._spaces.popitem(last=False)
        return self._spaces[key]

    def control_space(self, block: Block, n_rows: int) -> Workspace:
        """Return memory for whole sequences, that of a block which nobody has any more where there is one."""
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
        """Return the columns (rows, tasks) of what the local part handed over."""
        return self._columns(self.network.rest(*handed), n_rows)


class Block:
    """Some units whose control is at hand: `control` are its answers (n, tasks)."""

    def __init__(self, runner: Runner, tokens: Tokens) -> None:
        self._runner = runner
        self._tokens = tokens
        self.kept = runner.kept
        self.trusted: bool | None = None
        """Whether the control answers as full passes do; None where that was not looked at."""
        space = runner.control_space(self, len(tokens))
        space.run(runner.one_hot(tokens))
        self._values, self._ends = space.controlled()
        self.control = runner.answers(space.wholly_handed(self._ends), len(tokens))

    def edited(self, span: Span, tokens: Tokens, rows: Ints) -> torch.Tensor:
        """Return the answers (m, tasks) for edits inside a span; tokens (m, length) are edits of units `rows` (m,)."""
        n, windows = len(self._tokens), tokens[:, slice(*span)]
        layers, left = layered(rows, n)
        at_once = self._runner.rows_at_once(span, n)
        made = self.control.new_empty((len(rows), self.control.shape[1]))
        for first in range(0, len(layers), at_once):
            self._layers(span, windows, layers[first : first + at_once], made)
        for first in range(0, len(left), at_once * n):
            self._few(span, windows, left[first : first + at_once * n], rows, made)
        return made

    def _layers(self, span: Span, windows: Tokens, layers: Ints, made: torch.Tensor) -> None:
        """Answer for whole sets of units; where a unit has no edit its own letters stand in, and nobody asks."""
        there, places = layers >= 0, layers.reshape(-1)
        taken = windows[places]
        if not there.all():
            own = np.broadcast_to(self._tokens[None, :, slice(*span)], (*layers.shape, windows.shape[1]))
            taken = np.where(there[:, :, None], taken.reshape(own.shape), own).reshape(taken.shape)
        space = self._runner.space(span, len(places))
        if space.filled is None or space.filled() is not self:
            space.fill(self._values, self._ends, None)
            space.filled = weakref.ref(self)
        answers = self._asked(space, taken, None)
        asked = torch.from_numpy(np.flatnonzero(there.reshape(-1))).to(made.device)
        made[torch.from_numpy(places[there.reshape(-1)]).to(made.device)] = answers[asked]

    def _few(self, span: Span, windows: Tokens, places: Ints, rows: Ints, made: torch.Tensor) -> None:
        """Answer for edits of single units; the first is repeated up to a power of two, so that few sizes occur."""
        padded = np.concatenate([places, np.repeat(places[:1], (1 << (len(places) - 1).bit_length()) - len(places))])
        space = self._runner.space(span, len(padded))
        units = torch.from_numpy(rows[padded]).to(made.device)
        space.fill(self._values, self._ends, units)
        space.filled = None
        made[torch.from_numpy(places).to(made.device)] = self._asked(space, windows[padded], units)[: len(places)]

    def _asked(self, space: Workspace, windows: Tokens, units: torch.Tensor | None) -> torch.Tensor:
        space.run(self._runner.one_hot(windows))
        return self._runner.answers(space.handed(self._values, units), len(windows))


def _even(n: int) -> int:
    """Return the largest multiple of 8 up to n, or n where it is smaller: sizes that products are fast at.

    Examples
    --------
    >>> _even(65), _even(6)
    (64, 6)
    """
    return n // 8 * 8 or n
