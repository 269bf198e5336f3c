"""Plan of a trial: turns of units that are predicted together, and chunks of turns that
share a file of a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design
from causalgia.errors import DesignError
from causalgia.predict.predictor import LONG

_BATCHES = 8
_ROWS_LEAST, _ROWS_MOST = 2**12, 2**16
_TOKENS = 2**25
_ANSWERS = 2**25
_CHUNK_BYTES = 2**22
_MANY_ARMS = 128
_LEAST_TURN = 8
_MOST_TURNS = 2**24


@dataclass(frozen=True)
class TurnPlan:
    """The division of a trial into turns, fixed by the design and the number of answers
    per sequence.

    Sequences are deduplicated and batched within a turn, never across turns, so that
    the answers of a turn are the same numbers, bit for bit, wherever and whenever it is
    run.

    Attributes
    ----------
    n_units
        Units of the trial.
    turn
        Units that are predicted together under every arm.
    chunk
        Turns whose outcomes share one file of a store.

    Examples
    --------
    >>> TurnPlan(n_units=1_000, turn=400, chunk=2).ends.tolist()
    [400, 800, 1000]
    """

    n_units: int
    turn: int
    chunk: int

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """One past the last unit of each turn."""
        return np.minimum(
            np.arange(self.turn, self.n_units + self.turn, self.turn), self.n_units
        )

    def __len__(self) -> int:
        return -(-self.n_units // self.turn)

    def bounds(self, turn: int) -> tuple[int, int]:
        """Return the first unit of a turn and one past its last."""
        return turn * self.turn, min((turn + 1) * self.turn, self.n_units)

    def __str__(self) -> str:
        return f"{self.n_units} units, {self.turn} a turn, {self.chunk} turns a chunk"


def outcomes_per_unit(design: Design) -> int:
    """Return the number of outcomes of a unit: one for each arm of a crossover, else
    one.
    """
    return len(design.named_arms) if design.assignment == "crossover" else 1


def plan_turns(
    design: Design, *, batch: int, n_tasks: int, n_models: int = 1, held: int = 1
) -> TurnPlan:
    """Return the plan of a trial.

    A turn has about eight batches, 4,096 to 65,536 sequences. It has more where there
    are many arms (at least 128 units, since an arm is applied to all units of a turn at
    once), and fewer where sequences or answers are so long that it would exceed 32 MiB.
    A chunk has turns whose outcomes take about 4 MiB.

    Above 50 kb a turn is one unit, so that a store keeps every unit as it is answered;
    eight batches where sequences go through the network together, and at least the
    units whose edits are recomputed together.

    Parameters
    ----------
    design
        What is done to which units.
    batch
        Batch size of the predictor.
    n_tasks, n_models
        Numbers of tasks and of models.
    held
        Number of units whose edits are recomputed together.

    Raises
    ------
    DesignError
        If there are more than 16,777,216 turns, a list of which would not fit into
        memory.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> plan_turns(
    ...     cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=10**7),
    ...     batch=1024,
    ...     n_tasks=1,
    ... )
    TurnPlan(n_units=10000000, turn=4096, chunk=128)
    """
    rows, length = outcomes_per_unit(design), design.null.length
    limit = min(_TOKENS // (rows * length), _ANSWERS // (4 * rows * n_tasks * n_models))
    most = min(max(_BATCHES * batch, _ROWS_LEAST), _ROWS_MOST)
    turn = max(min(max(most // rows, _MANY_ARMS), limit), _LEAST_TURN)
    if length > LONG:
        turn = max(1, held, -(-_BATCHES * batch // rows) if batch > 1 else 1)
    turn = min(turn, design.n_units)
    if design.n_units > _MOST_TURNS * turn:
        raise DesignError(
            f"n_units={design.n_units:,}: at {turn:,} units a turn, a trial has "
            f"at most {_MOST_TURNS * turn:,} units"
        )
    return TurnPlan(
        design.n_units, turn, max(1, _CHUNK_BYTES // (4 * turn * rows * n_tasks))
    )
