"""Comparisons of answers to one sequence in several batches."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted
from causalgia.predict.predictor import (
    LONG,
    NonFiniteError,
    Predictor,
    as_token_rows,
)
from causalgia.types import Tokens

_SEQUENCES_COMPARED = 8
_NOISE = {8: 1e-9, 4: 1e-4, 2: 1e-2}
"""Tolerated difference, relative to the largest answer, by the size of the floating
dtype in bytes.
"""
_TF32_NOISE = 5e-3
"""The same for float32 with CUDA: code outside this library may round products to 10
bits.
"""
SAME_TWICE = (
    "answers the same batch differently when asked twice: something random is left on. "
    "Turn dropout off (F.dropout(..., training=self.training), never "
    "training=True) or fix the predictor's own random numbers"
)
MIDWAY = (
    "answers the same batch differently when asked twice: its answers changed midway. "
    "Look for weights, a mode, a file or a count of calls on which they depend"
)
_DEPENDS = (
    "the answer depends on its batch mates. Put batch norm into eval mode "
    "(track_running_stats=True, no .train() in forward), and take out any mean, "
    "softmax or scaling over the batch"
)
MATES = "answers a sequence differently {how}: " + _DEPENDS
DYNAMIC = (
    "the network is quantized dynamically, so that each batch is scaled by its own "
    "largest value, and answers depend on batch mates. Give the network in float32, or "
    "quantize it statically; batch_size=1 leaves its rounding alone"
)
CHANGED = (
    "answers otherwise than when the trial began: outcomes from before and after the "
    "change cannot be compared. Look for weights, a mode or a file that something "
    "changed meanwhile, and run the trial again"
)


def batch_dependence(predictor: Predictor, how: str) -> str:
    """Return the sentence on a predictor whose answers depend on batch mates, with the
    cure for its kind; `how` says between which answers they differ.
    """
    if any(part.is_quantized_dynamically for part in predictor.parts):
        return f"answers a sequence differently {how}: {DYNAMIC}"
    return MATES.format(how=how)


def check_batch_mates(predictor: Predictor, tokens: Tokens) -> float:
    """Raise PredictorError if answers are random or depend on which sequences are
    predicted together.

    An effect is a difference of two answers; if answers depend on batch mates (dropout
    left on, batch norm in training mode, a per-batch normalization), no two of them are
    comparable. One row is predicted alone, then up to eight (above 50 kb two) together,
    another one alone, and all in reverse order: four small forward passes, and more
    where they differ. If all rows are the same sequence, copies with exchanged bases are added
    (unless those have no finite answer). A predictor that takes one sequence at a time
    has no batch mates: it answers one row, another, and the first again.

    Parameters
    ----------
    predictor
        Any predictor.
    tokens
        Sequences (n, length) of the kind that will be predicted.

    Returns
    -------
    float
        Largest difference between two answers to one sequence that counts as rounding,
        on the scale of the answers.

    Raises
    ------
    PredictorError
        If answers differ by more than 1e-9 (float64), 1e-4 (float32; 5e-3 where CUDA is
        in use) or 1e-2 (half precision) of the largest answer; the message says which
        comparison failed and the likely cause. An answer that is not finite is a
        `NonFiniteError`, whose `row` is a row of `tokens`, also where it was finite
        before.

    Examples
    --------
    >>> from causalgia.predict import FunctionPredictor
    >>> tokens = np.array([[0, 1, 2, 3], [0, 0, 0, 0]], np.uint8)
    >>> check_batch_mates(FunctionPredictor(lambda x: x[:, 0].sum(-1)), tokens)
    0.0004
    >>> check_batch_mates(
    ...     FunctionPredictor(lambda x: x[:, 0].sum(-1) - x[:, 0].sum(-1).mean()),
    ...     tokens,
    ... )
    Traceback (most recent call last):
    causalgia.errors.PredictorError: the predictor answers a sequence differently alone and among others: ...
    """
    return probe_answers(predictor, as_token_rows(tokens)).limit


def check_same_twice(predictor: Predictor, tokens: Tokens) -> None:
    """Raise PredictorError if up to eight sequences (above 50 kb one) get other answers
    when asked again.

    Examples
    --------
    >>> from causalgia.predict import FunctionPredictor
    >>> generator = np.random.default_rng(0)
    >>> check_same_twice(
    ...     FunctionPredictor(lambda x: generator.normal(size=len(x))),
    ...     np.zeros((1, 4), np.uint8),
    ... )
    Traceback (most recent call last):
    causalgia.errors.PredictorError: the predictor answers the same batch differently when asked twice: ...
    """
    some = tokens[: _SEQUENCES_COMPARED if tokens.shape[1] <= LONG else 1]
    first = predictor.predict(some)
    _check_again(
        predictor,
        some,
        first,
        _predict_or_error(predictor, some),
        rounding_allowed(predictor, first),
    )


@dataclass(frozen=True)
class ProbeAnswers:
    """Answers of a predictor whose answers depend on the sequence alone.

    Attributes
    ----------
    tokens, answers
        Sequences (n, length) that were asked alone, the first of the probe among them,
        and their answers.
    limit
        Largest difference between two answers to one sequence that counts as rounding.
    seconds
        Time of the last pass of a single sequence.
    """

    tokens: Tokens
    answers: NDArray[Any]
    limit: float
    seconds: float


def probe_answers(predictor: Predictor, tokens: Tokens) -> ProbeAnswers:
    """Return the answers of `check_batch_mates`, which raises what this raises; the
    first sequence goes alone.
    """
    length = tokens.shape[1]
    some = tokens[: _SEQUENCES_COMPARED if length <= LONG else 2]
    first = _ask_first(predictor, some)
    if asks_one_by_one(predictor, length):
        return _ask_one_by_one(predictor, tokens[:_SEQUENCES_COMPARED], first)
    try:
        rows, other, together = _answer_with_mates(predictor, some)
    except NonFiniteError:
        _check_still(predictor, some[:1], first, rounding_allowed(predictor, first))
        raise
    limit = rounding_allowed(predictor, together)
    lonely, began = [0, other], time.perf_counter()
    try:
        alone = np.concatenate([first, predictor.predict(rows[other : other + 1])])
    except PredictorError as error:
        # one that broke meanwhile fails among others, too
        _check_still(predictor, rows, together, limit, n_given=len(some))
        raise _failed_alone(error) from error
    seconds = time.perf_counter() - began
    backwards = _predict_or_error(predictor, rows[::-1])
    for before, now, how in (
        (together[lonely], alone, "alone and among others"),
        (together[::-1], backwards, "when the batch is in another order"),
    ):
        if found := _difference(predictor, before, now, limit):
            again = _predict_or_error(predictor, rows)
            _check_again(predictor, rows, together, again, limit, n_given=len(some))
            _check_still(predictor, rows[:1], first, limit)
            raise PredictorError(
                f"the predictor {batch_dependence(predictor, how)} ({found})"
            )
    return ProbeAnswers(rows[lonely], alone, limit, seconds)


def _ask_first(predictor: Predictor, some: Tokens) -> NDArray[Any]:
    """Return the answer to the first sequence, alone; the error says whether it is
    answered among others.
    """
    try:
        return predictor.predict(some[:1])
    except PredictorError as error:
        call_failed = error.__cause__ is not None or isinstance(error, NonFiniteError)
        if not call_failed or len(some) < 2 or some.shape[1] > LONG:
            raise
        try:
            predictor.predict(some)
        except PredictorError:
            raise error from error.__cause__
        raise _failed_alone(error) from error


def asks_one_by_one(predictor: Predictor, length: int) -> bool:
    """Say whether every sequence goes through the predictor alone, so that its answer
    is the same number anywhere.
    """
    parts = predictor.parts
    return all(
        part.resolve_batch_size(length) == 1 and not part.incremental for part in parts
    )


def _ask_one_by_one(
    predictor: Predictor, rows: Tokens, first: NDArray[Any]
) -> ProbeAnswers:
    """Ask for another sequence, if there is one, and for the first again."""
    differs = np.flatnonzero((rows != rows[0]).any(axis=1))[:1]
    others = [predictor.predict(rows[i : i + 1]) for i in differs]
    began = time.perf_counter()
    again = _predict_or_error(predictor, rows[:1])
    seconds = time.perf_counter() - began
    answers = np.concatenate(
        [first if isinstance(again, NonFiniteError) else again, *others]
    )
    limit = rounding_allowed(predictor, answers)
    _check_again(predictor, rows[:1], first, again, limit)
    return ProbeAnswers(rows[[0, *differs]], answers, limit, seconds)


def check_unchanged(
    predictor: Predictor, rows: Tokens, before: NDArray[Any], limit: float
) -> None:
    """Raise PredictorError if the answers to sequences (n, length) differ from
    `before`, (n, tasks[, models]).

    Raises
    ------
    PredictorError
        If the answers differ by more than the limit, on their scale; the message names
        the task and both answers.

    Examples
    --------
    >>> from causalgia.predict import FunctionPredictor
    >>> row = np.array([[0, 1, 2, 3]], np.uint8)
    >>> check_unchanged(
    ...     FunctionPredictor(lambda x: x[:, 0].sum(-1)), row, np.array([[2.0]]), 1e-9
    ... )
    Traceback (most recent call last):
    causalgia.errors.PredictorError: the predictor answers otherwise than when the trial began: ...
    """
    if found := _difference(
        predictor, before, _predict_or_error(predictor, rows), limit
    ):
        raise PredictorError(f"the predictor {CHANGED} ({found})")


def _answer_with_mates(
    predictor: Predictor, rows: Tokens
) -> tuple[Tokens, int, NDArray[Any]]:
    """Return the rows to compare, the index of one that differs from the first, and
    their answers.
    """
    differs = (rows != rows[0]).any(axis=1)
    if differs.any():
        return rows, int(differs.argmax()), predictor.predict(rows)
    half = rows[: _SEQUENCES_COMPARED // 2]
    for exchange in (
        1,
        2,
        3,
    ):  # A with C, G with T; A with G, C with T; A with T, C with G
        company = np.concatenate([half, half ^ np.uint8(exchange)])
        try:
            return company, len(half), predictor.predict(company)
        except NonFiniteError as error:
            if error.row < len(half):
                raise
    return rows, 0, predictor.predict(rows)


def _predict_or_error(
    predictor: Predictor, rows: Tokens
) -> NDArray[Any] | NonFiniteError:
    """Return the answers for rows whose answers were finite before, or the error of the
    one that is not finite now.
    """
    try:
        return predictor.predict(rows)
    except NonFiniteError as error:
        return error


def _check_again(
    predictor: Predictor,
    rows: Tokens,
    before: NDArray[Any],
    now: NDArray[Any] | NonFiniteError,
    limit: float,
    *,
    n_given: int | None = None,
) -> None:
    """Raise PredictorError if answers `now` are not those of `before`: random ones, if
    a third time differs as well.
    """
    found = _difference(predictor, before, now, limit)
    if not found:
        return
    third = _predict_or_error(predictor, rows)
    if isinstance(now, NonFiniteError):
        changed = isinstance(third, NonFiniteError)
    else:
        changed = not _difference(predictor, now, third, limit)
    raise _not_the_same(MIDWAY if changed else SAME_TWICE, found, now, n_given)


def _check_still(
    predictor: Predictor,
    rows: Tokens,
    before: NDArray[Any],
    limit: float,
    *,
    n_given: int | None = None,
) -> None:
    """Raise PredictorError if the answers to the same batch are no longer those of
    `before`.
    """
    now = _predict_or_error(predictor, rows)
    if found := _difference(predictor, before, now, limit):
        raise _not_the_same(MIDWAY, found, now, n_given)


def _not_the_same(
    cause: str, found: str, now: NDArray[Any] | NonFiniteError, n_given: int | None
) -> PredictorError:
    """Return the error of a changed answer, with its row where it is not finite and one
    of the rows that were given.
    """
    detail = f"the predictor {cause} ({found})"
    if not isinstance(now, NonFiniteError) or (
        n_given is not None and now.row >= n_given
    ):
        return PredictorError(detail)
    return NonFiniteError(
        f"sequence {now.row}: {detail}",
        row=now.row,
        task=now.task,
        value=now.value,
        detail=detail,
    )


def rounding_allowed(predictor: Predictor, answers: NDArray[Any]) -> float:
    """Return the largest difference between two answers to a sequence that counts as
    rounding, for any task.
    """
    size = min(predictor.precision.itemsize, answers.dtype.itemsize)
    torch = sys.modules.get("torch")
    on_cuda = torch is not None and torch.cuda.is_initialized()
    relative_noise = (
        _TF32_NOISE if on_cuda and size == 4 else _NOISE.get(size, _NOISE[8])
    )
    return relative_noise * float(np.abs(answers).max())


def _failed_alone(error: PredictorError) -> PredictorError:
    return PredictorError(
        f"{error}. This sequence fails alone and has an answer among others: {_DEPENDS}"
    )


def _difference(
    predictor: Predictor,
    first: NDArray[Any],
    second: NDArray[Any] | NonFiniteError,
    limit: float,
) -> str:
    """Return the largest difference between answers in words, "" if it is within the
    limit.
    """
    if isinstance(second, NonFiniteError):
        return f"task {quoted(second.task)}: a finite answer, then {second.value}"
    if first.shape != second.shape:
        raise PredictorError(
            f"the predictor answers with shape {first.shape}, then {second.shape}; "
            "its outputs depend on the batch"
        )
    gap = np.abs(first.astype(np.float64) - second.astype(np.float64))
    if gap.max() <= limit:
        return ""
    at = np.unravel_index(int(gap.argmax()), gap.shape)
    labels = {
        dim: predictor.coordinates[dim][int(i)]
        for dim, i in zip(predictor.dims, at[1:], strict=True)
    }
    where = f", position {labels['position']}" if "position" in labels else ""
    return (
        f"task {quoted(labels['task'])}{where}: {first[at]:.6g}, then {second[at]:.6g}"
    )
