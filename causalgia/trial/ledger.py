"""Who is asked what: each distinct sequence goes to the predictor once, however many arms and units share it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError
from causalgia.predict import NonFiniteError, Predictor, check_batch_mates

Tokens = NDArray[np.uint8]
_ROWS_IN_HAND = 4_096


@dataclass
class _Queue:
    """Sequences of one length that wait for the predictor, and the arm and unit that each came from first."""

    enough: int
    rows: list[Tokens] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    origins: list[tuple[str, int]] = field(default_factory=list)

    @property
    def full(self) -> int:
        """Rows that make whole batches, once enough are in hand; else 0."""
        return len(self.rows) // self.enough * self.enough


class Ledger:
    """Sequences in, numbers of answers out; the answers are asked for in whole batches.

    A sequence is known by a 128-bit BLAKE2 digest of its tokens. `enter` gives each row the number of its answer,
    `settle` predicts what is left and returns the answers. Memory is one digest and one answer for each distinct
    sequence, and the tokens in hand; no one-hot array is made here.
    """

    def __init__(self, predictor: Predictor, *, progress: Callable[[int], None]) -> None:
        self._predictor = predictor
        self._progress = progress
        self._numbers: dict[bytes, int] = {}
        self._queues: dict[int, _Queue] = {}
        self._answered: list[tuple[list[int], NDArray[Any]]] = []

    def enter(self, tokens: Tokens, *, arm: str, units: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the answer number of each row of tokens (n, length); sequences not met before are queued."""
        queue = self._queue(tokens, arm, units)
        numbers = np.empty(len(tokens), np.int64)
        known = 0
        for row, sequence in enumerate(tokens):
            digest = hashlib.blake2b(sequence.tobytes(), digest_size=16).digest()
            number = self._numbers.get(digest)
            if number is None:
                number = self._numbers[digest] = len(self._numbers)
                queue.rows.append(sequence)
                queue.numbers.append(number)
                queue.origins.append((arm, int(units[row])))
            else:
                known += 1
            numbers[row] = number
        self._progress(known)
        self._predict(queue, queue.full)
        return numbers

    def settle(self) -> NDArray[Any]:
        """Predict what is queued and return every answer, (n_distinct, tasks[, models])."""
        for queue in self._queues.values():
            self._predict(queue, len(queue.rows))
        first = self._answered[0][1]
        answers = np.empty(
            (len(self._numbers), *first.shape[1:]), np.result_type(*(a.dtype for _, a in self._answered))
        )
        for numbers, values in self._answered:
            answers[numbers] = values
        return answers

    def _queue(self, tokens: Tokens, arm: str, units: NDArray[np.uint64]) -> _Queue:
        """Return the queue of this length; where it is the first of its length, check the predictor on eight rows."""
        length = tokens.shape[1]
        if length not in self._queues:
            self._queues[length] = _Queue(rows_at_once(self._predictor, tokens, arm=arm, units=units))
        return self._queues[length]

    def _predict(self, queue: _Queue, n: int) -> None:
        if n == 0:
            return
        try:
            values = self._predictor.predict(np.stack(queue.rows[:n]), progress=self._progress)
        except NonFiniteError as error:
            raise of_unit(error, *queue.origins[error.row]) from error
        except PredictorError as error:
            raise PredictorError(f"arm '{queue.origins[0][0]}': {error}") from error
        self._answered.append((queue.numbers[:n], values))
        del queue.rows[:n], queue.numbers[:n], queue.origins[:n]


def rows_at_once(predictor: Predictor, tokens: Tokens, *, arm: str, units: NDArray[np.uint64]) -> int:
    """Return how many sequences of this length are asked for at once, whole batches; check the predictor on eight.

    Raises
    ------
    PredictorError
        If an answer is not finite, or depends on batch mates; names the arm.
    """
    try:
        check_batch_mates(predictor, tokens[:8])
        batch = predictor.resolve_batch_size(tokens.shape[1])
    except NonFiniteError as error:
        raise of_unit(error, arm, int(units[error.row])) from error
    except PredictorError as error:
        raise PredictorError(f"arm '{arm}' ({tokens.shape[1]} bp): {error}") from error
    return -(-_ROWS_IN_HAND // batch) * batch


def of_unit(error: NonFiniteError, arm: str, unit: int) -> PredictorError:
    """Return the error of an answer that is not finite, with the arm and the unit that it was asked for."""
    return PredictorError(f"arm '{arm}', unit {unit}: {error.detail}")
