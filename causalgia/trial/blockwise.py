"""A trial block by block: some units under every arm, answered, handed over and forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design
from causalgia.errors import PredictorError
from causalgia.predict import NonFiniteError, Predictor
from causalgia.trial.describing import applied
from causalgia.trial.ledger import Tokens, of_unit, rows_at_once
from causalgia.trial.units import Units

Rows: TypeAlias = NDArray[np.int64]
_BYTES = 2**22
_LEAST = 8


def blocks(n_units: int, *, bytes_a_unit: int) -> list[Rows]:
    """Return the units of each block, of about 4 MiB and as even as may be; eight units or more where there are.

    Examples
    --------
    >>> [len(rows) for rows in blocks(1_000, bytes_a_unit=2**15)]
    [125, 125, 125, 125, 125, 125, 125, 125]
    """
    most = max(_BYTES // bytes_a_unit, _LEAST)
    return np.array_split(np.arange(n_units), -(-n_units // most))


@dataclass
class _Waiting:
    """Sequences of one length that wait for the predictor, and the row of the block's answers that each has."""

    tokens: Tokens
    places: Rows
    n: int = 0


class _Answers:
    """The answers of a block, one array that is made when the first of them says its shape."""

    def __init__(self, n: int) -> None:
        self._n = n
        self.values: NDArray[Any] = np.empty(0, np.float32)

    def put(self, places: Rows, answer: NDArray[Any]) -> None:
        """Write answers (m, tasks[, models]) to their places."""
        if not self.values.size:
            self.values = np.empty((self._n, *answer.shape[1:]), answer.dtype)
        self.values = self.values.astype(np.result_type(self.values, answer), copy=False)
        self.values[places] = answer


@dataclass
class Blockwise:
    """Asks a predictor for units under every arm of a crossover, in whole batches that reach across arms.

    Nothing is kept but the sequences that wait. An arm is asked for once for each unit, so that an arm which several
    contrasts share is predicted once.

    Parameters
    ----------
    design, units
        The trial, and its units as drawn.
    predictor
        Who is asked; checked on the first eight rows of every length.
    key
        Root key of the trial.
    progress
        Told how many more outcomes are known.
    """

    design: Design
    units: Units
    predictor: Predictor
    key: int
    progress: Callable[[int], None]
    _waiting: dict[int, _Waiting] = field(default_factory=dict)

    def meet(self) -> None:
        """Ask for eight units under the first arm, so that the names of the tasks are known.

        Raises
        ------
        PredictorError
            If an answer is not finite, or depends on batch mates.
        """
        rows = np.arange(min(8, len(self.units.ids)))
        self._queue(
            applied(self.design.named_arms[0], self.units.tokens[rows], self.units.ids[rows], self.key), 0, rows
        )

    def answers(self, rows: Rows) -> NDArray[Any]:
        """Return the outcomes of some units, (arms, units, tasks[, models]).

        Raises
        ------
        PredictorError
            If an answer is not finite (naming arm and unit), has the wrong shape, or depends on batch mates.
        DesignError
            If an arm cannot be applied (the arm is named).
        """
        tokens, ids, arms = self.units.tokens[rows], self.units.ids[rows], self.design.named_arms
        made = _Answers(len(arms) * len(rows))
        for index, arm in enumerate(arms):
            edited = applied(arm, tokens, ids, self.key)
            queue = self._queue(edited, index, rows)
            for places, answer in self._fill(queue, edited, index, rows):
                made.put(places, answer)
        for queue in self._waiting.values():
            for places, answer in self._predicted(queue, rows):
                made.put(places, answer)
        return made.values.reshape(len(arms), len(rows), *made.values.shape[1:])

    def _queue(self, edited: Tokens, index: int, rows: Rows) -> _Waiting:
        length = edited.shape[1]
        if length not in self._waiting:
            name = self.design.named_arms[index].name
            enough = rows_at_once(self.predictor, edited, arm=name, units=self.units.ids[rows])
            self._waiting[length] = _Waiting(np.empty((enough, length), np.uint8), np.empty(enough, np.int64))
        return self._waiting[length]

    def _fill(self, queue: _Waiting, edited: Tokens, index: int, rows: Rows) -> Iterator[tuple[Rows, NDArray[Any]]]:
        """Queue the rows of an arm; yield the answers of every full queue."""
        done = 0
        while done < len(edited):
            take = min(len(queue.tokens) - queue.n, len(edited) - done)
            place = slice(queue.n, queue.n + take)
            queue.tokens[place] = edited[done : done + take]
            queue.places[place] = np.arange(done, done + take) + index * len(edited)
            queue.n, done = queue.n + take, done + take
            if queue.n == len(queue.tokens):
                yield from self._predicted(queue, rows)

    def _predicted(self, queue: _Waiting, rows: Rows) -> Iterator[tuple[Rows, NDArray[Any]]]:
        if queue.n == 0:
            return
        places = queue.places[: queue.n]
        try:
            answer = self.predictor.predict(queue.tokens[: queue.n], progress=self.progress)
        except NonFiniteError as error:
            raise of_unit(error, *self._origin(int(places[error.row]), rows)) from error
        except PredictorError as error:
            raise PredictorError(f"arm '{self._origin(int(places[0]), rows)[0]}': {error}") from error
        queue.n = 0
        yield places, answer

    def _origin(self, place: int, rows: Rows) -> tuple[str, int]:
        index, unit = divmod(place, len(rows))
        return self.design.named_arms[index].name, int(self.units.ids[rows[unit]])
