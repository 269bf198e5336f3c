"""Whether a sequence has one answer: asked twice, alone, in another order, in other batches, as its reverse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia._check.numerical_noise import yardstick
from causalgia._check.probe_units import Sample
from causalgia.errors import PredictorError
from causalgia.predict import Predictor, check_batch_mates
from causalgia.predict.batch_mates import MATES, SAME_TWICE, rounding_allowed
from causalgia.sequences.alphabet import reverse_complement
from causalgia.types import Tokens

_ALONE = 8
_TWICE = "when asked twice"


@dataclass(frozen=True)
class Repeats:
    """How far two answers to one sequence are apart, in sd of the answers over units, by task (and model).

    Attributes
    ----------
    twice
        In the same batch, asked for twice.
    mates
        Alone and among others, and in the reverse order: the larger.
    random, dependent
        What is wrong, in words, where a difference is more than rounding; else "".
    """

    twice: xr.DataArray
    mates: xr.DataArray
    random: str
    dependent: str


def repeated(sample: Sample, *, refused: str) -> Repeats:
    """Ask for the same sequences again and again.

    Parameters
    ----------
    sample
        Units, and who is asked.
    refused
        Why `causalgia.run` would refuse the predictor, as its check at the door says; "" where it would not.

    Raises
    ------
    PredictorError
        If an answer is not finite; names arm, unit and task.
    """
    predictor, arm = sample.trial.predictor, sample.arms[0]
    tokens, first = sample.tokens(arm), sample.answers(arm)
    n = min(_ALONE, len(tokens))
    limit, unit = rounding_allowed(predictor, first), yardstick(first.astype(np.float64))
    twice = _gap(first, sample.named(predictor, tokens, arm))
    alone = _gap(first[:n], np.concatenate([predictor.predict(tokens[i : i + 1]) for i in range(n)]))
    order = _gap(first, predictor.predict(tokens[::-1])[::-1])
    at_door = refused or _refused_for_other_lengths(sample)
    random = at_door if _TWICE in at_door else f"the predictor {SAME_TWICE}" if twice.max() > limit else ""
    how = "alone and among others" if alone.max() >= order.max() else "when the batch is in another order"
    own = f"the predictor {MATES.format(how=how)}" if max(alone.max(), order.max()) > limit else ""
    return Repeats(
        twice=by_task(twice / unit, predictor),
        mates=by_task(np.maximum(alone, order) / unit, predictor),
        random=random,
        dependent="" if random else at_door or own,
    )


def _gap(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Return the largest difference over rows, (tasks[, models])."""
    gap: NDArray[np.float64] = np.abs(first.astype(np.float64) - second).max(axis=0)
    return gap


def _refused_for_other_lengths(sample: Sample) -> str:
    """Return why `causalgia.run` would refuse the predictor for sequences of another length; "" where it would not."""
    seen = {sample.tokens(sample.arms[0], 1).shape[1]}
    for arm in sample.arms[1:]:
        tokens = sample.tokens(arm, _ALONE)
        if tokens.shape[1] in seen:
            continue
        seen.add(tokens.shape[1])
        try:
            check_batch_mates(sample.trial.predictor, tokens)
        except PredictorError as error:
            return f"arm '{arm}' ({tokens.shape[1]} bp): {error}"
    return ""


def by_task(values: NDArray[Any], predictor: Predictor, contrasts: Iterable[str] = ()) -> xr.DataArray:
    """Return values ([contrasts, ]tasks[, models]) under their names."""
    coords: dict[str, Any] = {"contrast": list(contrasts)} if contrasts else {}
    coords["task"] = list(predictor.tasks)
    if predictor.models is not None:
        coords["model"] = list(predictor.models)
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


def strand_asymmetry(sample: Sample) -> xr.DataArray:
    """Return how far a sequence and its reverse complement are answered apart.

    The root mean square over units of ``f(x) - f(reverse complement of x)``, in sd of ``f(x)`` over units, by task (and
    model). Unrelated answers have the square root of 2; a predictor that averages both strands has 0.

    Raises
    ------
    PredictorError
        If an answer is not finite.
    """
    predictor, arm = sample.trial.predictor, sample.arms[0]
    forward = sample.answers(arm).astype(np.float64)
    backward = sample.named(predictor, reverse_complement(sample.tokens(arm)), f"{arm}, reverse complement")
    gap = np.sqrt(((forward - backward) ** 2).mean(axis=0))
    return by_task(gap / yardstick(forward), predictor)


def in_other_batches(sample: Sample) -> NDArray[np.float64]:
    """Return outcomes asked for in three ways: in order, in the reverse order, and in small batches.

    Returns
    -------
    ndarray
        (ways, arms, units, tasks[, models]).
    """
    predict = sample.trial.predictor.predict
    small = max(2, min(7, len(sample) // 3))
    ways: tuple[Callable[[Tokens], NDArray[Any]], ...] = (
        lambda rows: predict(rows[::-1])[::-1],
        lambda rows: np.concatenate([predict(rows[i : i + small]) for i in range(0, len(rows), small)]),
    )
    again = [np.stack([way(sample.tokens(arm)) for arm in sample.arms]) for way in ways]
    return np.stack([sample.outcomes(), *again]).astype(np.float64)
