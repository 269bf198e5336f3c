"""Rounding of contrasts: on one unit, and in a mean over units; and differences between repeated answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia._check.probe_units import ProbeUnits
from causalgia.errors import PredictorError
from causalgia.predict import Predictor, check_batch_mates
from causalgia.predict.answer_comparisons import MATES, SAME_TWICE, rounding_allowed
from causalgia.sequences.alphabet import reverse_complement
from causalgia.trial.answer_precision import max_difference
from causalgia.types import Array

AGAINST_EXACT = "against float64"
"""Method, if the same outcomes were computed in higher precision."""
_NOTHING = 2
"""Number of roundings of the outcomes below which an ICE counts as constant."""


@dataclass(frozen=True)
class Rounding:
    """The rounding error ``e`` of individual effects, in units of their sd.

    With ``ICE_u = sum_a w_a Y_u(a)`` and ``e_u`` its error, over m units: `rms` is ``sqrt(mean e^2) / sd``, `bias`
    ``mean e / se`` with ``se`` the standard error of the average effect at the design's own number of units, `mcse` the
    standard error of `bias` itself, from m units. `sd` is the sd of the ICE (of a parallel trial: the
    standard error of the average effect times the root of the number of units). Where the ICE do not vary, `constant`,
    there is no standard error: `rms` is then relative to the largest outcome, `bias` and `mcse` are 0.

    All are (contrasts, tasks[, models]).
    """

    rms: Array
    bias: Array
    mcse: Array
    sd: Array
    constant: NDArray[np.bool_]

    @property
    def most(self) -> Array:
        """Upper bound of the bias in se: two standard errors beyond its estimate."""
        return np.abs(self.bias) + 2 * self.mcse


def contrast_values(weights: Array, y: Array) -> Array:
    """Return the contrasts, (K, units, ...), of outcomes (arms, units, ...) with weights (K, arms)."""
    return np.tensordot(weights, y, axes=1)


def rounding_against_float64(y: Array, exact: Array, weights: Array, *, n_units: int, dealt: int = 1) -> Rounding:
    """Return the rounding of contrasts, from the same outcomes computed in higher precision.

    Parameters
    ----------
    y, exact
        Outcomes of the predictor, and in higher precision, (arms, units, tasks[, models]).
    weights
        Weights of the contrasts, (K, arms).
    n_units
        Units of the trial.
    dealt
        Number of arms of a parallel trial; 1 in a crossover.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> exact = rng.normal(size=(2, 400, 1))
    >>> y = exact + np.array([0.05, 0.0]).reshape(2, 1, 1)  # the first arm is always answered 0.05 too high
    >>> found = rounding_against_float64(y, exact, np.array([[1.0, -1.0]]), n_units=10_000)
    >>> found.rms.round(3).tolist(), found.bias.round(2).tolist()  # about 0.05 / sqrt(2), and 100 times that
    ([[0.037]], [[3.69]])
    """
    error = contrast_values(weights, y - exact)
    return _standardize_rounding(error[None], 0.0, exact, weights, n_units=n_units, dealt=dealt, eps=2.0**-40)


def rounding_across_batches(repeats: Array, weights: Array, *, eps: float, n_units: int, dealt: int = 1) -> Rounding:
    """Return the rounding of contrasts that shows when the same sequences are predicted in other batches.

    An error that is the same in every batch is not seen: `bias` is the largest shift of the average effect between two
    ways of batching. The rounding of the answers to their dtype, at most ``eps |Y| / sqrt(12)``, is added to `rms` and
    `mcse`.

    Parameters
    ----------
    repeats
        The same outcomes from several ways of batching, (ways, arms, units, tasks[, models]).
    weights
        Weights of the contrasts, (K, arms).
    eps
        Relative spacing of the numbers that answers are computed in.
    n_units, dealt
        As in `rounding_against_float64`.
    """
    first = repeats[0]
    error = contrast_values(weights, np.moveaxis(repeats[1:] - first, 0, 1))  # (K, ways - 1, units, ...)
    own = np.sqrt(np.tensordot(weights**2, (eps * first) ** 2 / 12, axes=1))
    return _standardize_rounding(np.moveaxis(error, 1, 0), own, first, weights, n_units=n_units, dealt=dealt, eps=eps)


def _standardize_rounding(
    errors: Array, own: Array | float, y: Array, weights: Array, *, n_units: int, dealt: int, eps: float
) -> Rounding:
    """Return errors (ways, K, units, ...) relative to the spread of the ICE of outcomes y (arms, units, ...)."""
    m = y.shape[1]
    size = np.abs(y).max(axis=(0, 1))
    sd, varies = _contrast_sd(y, weights, dealt=dealt, least=_NOTHING * eps * size)
    unit = np.where(varies, sd, np.where(size > 0, size, 1.0))
    square = np.broadcast_to(errors**2 + np.asarray(own) ** 2, errors.shape)
    mean = errors.mean(axis=2)
    worst = np.take_along_axis(mean, np.abs(mean).argmax(axis=0)[None], axis=0)[0]
    variance = (square.mean(axis=2) - mean**2).clip(0).max(axis=0) / max(m - 1, 1)
    se = unit / np.sqrt(n_units)
    return Rounding(
        rms=np.sqrt(square.mean(axis=(0, 2))) / unit,
        bias=np.where(varies, worst / se, 0.0),
        mcse=np.where(varies, np.sqrt(variance) / se, 0.0),
        sd=np.where(varies, sd, 0.0),
        constant=~varies,
    )


def _contrast_sd(y: Array, weights: Array, *, dealt: int, least: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the standard errors of the contrasts times root n, (K, ...), and whether they exceed rounding."""
    ice = contrast_values(weights, y)
    if y.shape[1] < 2:
        return np.zeros_like(ice[:, 0]), np.zeros(ice[:, 0].shape, bool)
    sd = ice.std(axis=1, ddof=1)
    if dealt > 1:
        sd = np.sqrt(np.tensordot(weights**2 * dealt, y.var(axis=1, ddof=1), axes=1))
    return sd, sd > least * np.abs(weights).sum(axis=1).reshape(-1, *[1] * least.ndim)


def answer_sd(y: Array) -> Array:
    """Return the unit of differences of answers (units, ...): their sd over units; if that is 0, their size.

    Examples
    --------
    >>> answer_sd(np.array([[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]])).round(3).tolist()
    [1.414, 5.0, 1.0]
    """
    size = np.abs(y).max(axis=0)
    sd = y.std(axis=0, ddof=1) if len(y) > 1 else np.zeros_like(size)
    return np.where(sd > 1e-12 * size, sd, np.where(size > 0, size, 1.0))


_ALONE = 8
_TWICE = "when asked twice"


@dataclass(frozen=True)
class Repeats:
    """Differences between answers to one sequence, in sd of the answers over units, by task (and model).

    Attributes
    ----------
    twice
        In the same batch, predicted twice.
    mates
        Alone versus among others, or in the reverse order: the larger difference.
    random, dependent
        The fault, in words, if a difference exceeds rounding; else "".
    one_by_one
        Whether every sequence goes through the predictor alone, so that nothing was asked for `mates`.
    """

    twice: xr.DataArray
    mates: xr.DataArray
    random: str
    dependent: str
    one_by_one: bool = False


def measure_repeats(sample: ProbeUnits, *, refused: str) -> Repeats:
    """Predict the same sequences repeatedly: twice, alone, and in another order.

    Parameters
    ----------
    sample
        Units, and the predictor.
    refused
        Why `causalgia.run` would refuse the predictor; "" if it would not.

    Raises
    ------
    PredictorError
        If an answer is not finite; names arm, unit and task.
    """
    predictor, arm = sample.trial.predictor, sample.arms[0]
    tokens, first = sample.tokens(arm), sample.answers(arm)
    n = min(_ALONE, len(tokens))
    limit, unit = rounding_allowed(predictor, first), answer_sd(first.astype(np.float64))
    if sample.probe is not None:
        twice = max_difference(sample.probe.answers[:1], sample.probe.answers[1:])
    else:
        twice = max_difference(first, sample.named(predictor, tokens, arm))
    if sample.goes_one_by_one:
        random = f"the predictor {SAME_TWICE}" if twice.max() > limit else ""
        parts = label_by_task(twice / unit, predictor), label_by_task(np.zeros_like(unit), predictor)
        return Repeats(*parts, random=random, dependent="", one_by_one=True)
    lonely = [sample.named(predictor, tokens[i : i + 1], arm, [i]) for i in range(n)]
    alone = max_difference(first[:n], np.concatenate(lonely))
    order = max_difference(first, sample.named(predictor, tokens[::-1], arm, range(len(tokens))[::-1])[::-1])
    at_door = refused or _refusal_at_other_lengths(sample)
    random = at_door if _TWICE in at_door else f"the predictor {SAME_TWICE}" if twice.max() > limit else ""
    how = "alone and among others" if alone.max() >= order.max() else "when the batch is in another order"
    own = f"the predictor {MATES.format(how=how)}" if max(alone.max(), order.max()) > limit else ""
    return Repeats(
        twice=label_by_task(twice / unit, predictor),
        mates=label_by_task(np.maximum(alone, order) / unit, predictor),
        random=random,
        dependent="" if random else at_door or own,
    )


def _refusal_at_other_lengths(sample: ProbeUnits) -> str:
    """Return why `causalgia.run` would refuse the predictor for sequences of another length; else ""."""
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


def label_by_task(values: NDArray[Any], predictor: Predictor, contrasts: Iterable[str] = ()) -> xr.DataArray:
    """Return values ([contrasts, ][positions, ]tasks[, models]) with labels."""
    coords: dict[str, Any] = {"contrast": list(contrasts)} if contrasts else {}
    coords |= predictor.coordinates
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


def strand_asymmetry(sample: ProbeUnits) -> xr.DataArray:
    """Return the difference between the answers to a sequence and to its reverse complement.

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
    return label_by_task(gap / answer_sd(forward), predictor)


def outcomes_in_other_batches(sample: ProbeUnits) -> NDArray[np.float64]:
    """Return outcomes predicted in three ways: in order, in reverse order, and in small batches.

    Long sequences that go one at a time are not asked again.

    Returns
    -------
    ndarray
        (ways, arms, units, tasks[, models]).
    """
    if sample.goes_one_by_one:
        return np.stack([sample.outcomes(), sample.outcomes()])  # each sequence goes alone, whatever the batch
    small, places = max(2, min(7, len(sample) // 3)), range(len(sample))

    def predict(arm: str, rows: range) -> NDArray[Any]:
        return sample.named(sample.trial.predictor, sample.tokens(arm)[rows], arm, rows)

    reverse = [predict(arm, places[::-1])[::-1] for arm in sample.arms]
    cut = [np.concatenate([predict(arm, places[i : i + small]) for i in places[::small]]) for arm in sample.arms]
    return np.stack([sample.outcomes(), np.stack(reverse), np.stack(cut)]).astype(np.float64)
