"""Units on which a predictor is checked, and the rounding of contrasts on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia._check.cost import LongProbe
from causalgia.design import Design
from causalgia.errors import PredictorError, quoted
from causalgia.predict import NonFiniteError, Predictor
from causalgia.predict.answer_comparisons import (
    SAME_TWICE,
    batch_dependence,
    check_batch_mates,
    rounding_allowed,
)
from causalgia.sequences.alphabet import reverse_complement
from causalgia.trial.attributes import apply_arm
from causalgia.trial.outcomes import max_difference
from causalgia.trial.turns import DrawnUnits, Trial
from causalgia.types import Array, Tokens

Weights: TypeAlias = dict[str, dict[str, float]]


@dataclass(frozen=True)
class ProbeUnits:
    """The first units of a design, drawn with a key of their own, and the contrasts to
    check.

    Attributes
    ----------
    trial
        The trial.
    units
        The backgrounds.
    weights
        Contrast -> arm -> weight.
    seconds_a_row
        Approximate time of an answer.
    probe
        The first passes of a sequence above 50 kb, where every pass counts; else None.
    n_calls
        Sequences asked so far, by precision: ``"float32"`` of the predictor itself,
        ``"float64"`` of its reference.
    """

    trial: Trial
    units: DrawnUnits
    weights: Weights
    seconds_a_row: float = 0.0
    probe: LongProbe | None = None
    n_calls: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    _answered: dict[str, NDArray[Any]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __len__(self) -> int:
        return len(self.units.ids)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The arms of the contrasts, in the order of the design, the reference arm
        first.
        """
        used = {arm for row in self.weights.values() for arm in row}
        first = reference_arm(self.trial.design)
        return (
            first,
            *(name for name in self.trial.design.arm_names if name in used - {first}),
        )

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Weights of the contrasts over `arms`, (K, arms)."""
        return np.array(
            [[row.get(arm, 0.0) for arm in self.arms] for row in self.weights.values()]
        )

    @cached_property
    def goes_one_by_one(self) -> bool:
        """Whether sequences are long and go through the predictor alone, so that none
        has batch mates.
        """
        sizes = (
            part.resolve_batch_size(n)
            for part in self.trial.predictor.parts
            for n in self.lengths
        )
        return self.probe is not None and max(sizes) == 1

    @cached_property
    def lengths(self) -> set[int]:
        """The lengths of the trial's sequences."""
        return {self.tokens(arm, 1).shape[1] for arm in self.trial.design.arm_names}

    def tokens(self, arm: str, n: int | None = None) -> Tokens:
        """Return the first n units under an arm, (n, length)."""
        named = next(one for one in self.trial.design.named_arms if one.name == arm)
        return apply_arm(
            named, self.units.tokens[:n], self.units.ids[:n], self.trial.key
        )

    def answers(self, arm: str) -> NDArray[Any]:
        """Return the predictor's answers to the units under an arm, (units, tasks[,
        models]), cached.

        Raises
        ------
        PredictorError
            If it fails; names the arm, and the unit and task whose answer is not
            finite.
        """
        if arm not in self._answered:
            tokens = self.tokens(arm)
            known = self.trial.known(tokens)
            new = [row for row in range(len(tokens)) if row not in known]
            made = (
                self.named(self.trial.predictor, tokens[new], arm, new) if new else ()
            )
            self._answered[arm] = np.stack([*known.values(), *made])[
                np.argsort([*known, *new])
            ]
        return self._answered[arm]

    def named(
        self,
        predictor: Predictor,
        tokens: Tokens,
        arm: str,
        rows: Sequence[int] | None = None,
    ) -> NDArray[Any]:
        """Return the answers to tokens of units (the first ones) under an arm; an error
        names the arm and unit.
        """
        self.n_calls[str(predictor.precision)] += len(tokens)
        try:
            return predictor.predict(tokens)
        except NonFiniteError as error:
            unit = int(self.units.ids[error.row if rows is None else rows[error.row]])
            raise PredictorError(
                f"arm {quoted(arm)}, unit {unit}: {error.detail}"
            ) from error
        except PredictorError as error:
            raise type(error)(
                f"arm {quoted(arm)} ({tokens.shape[1]} bp): {error}"
            ) from error

    def outcomes(self) -> NDArray[np.float64]:
        """Return the answers to the units under each of `arms`, (arms, units, tasks[,
        models]).
        """
        return np.stack([self.answers(arm) for arm in self.arms]).astype(np.float64)

    def outcomes_of(self, predictor: Predictor) -> NDArray[np.float64]:
        """Return the outcomes of another predictor."""
        answers = [self.named(predictor, self.tokens(arm), arm) for arm in self.arms]
        return np.stack(answers).astype(np.float64)


def reference_arm(design: Design) -> str:
    """Return the arm that others are compared with: the design's control, else the
    untreated arm, else the first.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"GATA": cg.Embed("GATA", at=20), "as it is": cg.Untreated()}
    >>> reference_arm(cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=10))
    'as it is'
    """
    control = design.analysis_fields.get("control")
    untreated = (
        arm.name for arm in design.named_arms if arm.intervention.kind == "untreated"
    )
    called = (name for name in design.arm_names if name.lower() == "control")
    return (
        str(control)
        if control is not None
        else next(untreated, next(called, design.arm_names[0]))
    )


def contrasts_to_check(design: Design, *, most: int, most_arms: int) -> Weights:
    """Return at most `most` contrasts of a design, spread evenly, that together weigh
    few arms.

    They are those that the design names, else every arm against the reference arm. If
    each of them weighs too many arms, it is one other arm against the reference arm.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "untreated": cg.Untreated(),
    ...     **{w: cg.Embed(w, at=20) for w in ("GATA", "TATA", "CACC")},
    ... }
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=10)
    >>> contrasts_to_check(design, most=2, most_arms=8)
    {'GATA': {'GATA': 1.0, 'untreated': -1.0}, 'CACC': {'CACC': 1.0, 'untreated': -1.0}}
    """
    control = reference_arm(design)
    named: Mapping[str, Mapping[str, float]] | None = design.named_contrasts
    names = (
        list(named)
        if named is not None
        else [arm for arm in design.arm_names if arm != control]
    )
    chosen: Weights = {}
    arms = {control}
    for i in np.unique(
        np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    ):
        name = names[i]
        row = {name: 1.0, control: -1.0} if named is None else dict(named[name])
        if len(arms | row.keys()) <= most_arms:
            chosen[name] = row
            arms |= row.keys()
    if chosen:
        return chosen
    other = next(arm for arm in design.arm_names if arm != control)
    return {f"{other} - {control}": {other: 1.0, control: -1.0}}


AGAINST_EXACT = "against float64"
"""Method, if the same outcomes were computed in higher precision."""
_SD_ROUNDINGS = 2
"""Number of roundings of the outcomes below which an ICE counts as constant."""


@dataclass(frozen=True)
class Rounding:
    """The rounding error ``e`` of individual effects, in units of their sd.

    With ``ICE_u = sum_a w_a Y_u(a)`` and ``e_u`` its error, over m units: `rms` is
    ``sqrt(mean e^2) / sd``, `bias` ``mean e / se`` with ``se`` the standard error of
    the average effect at the design's own number of units, `mcse` the standard error of
    `bias` itself, from m units. `sd` is the sd of the ICE (of a parallel trial: the
    standard error of the average effect times the root of the number of units). Where
    the ICE do not vary, `constant`, there is no standard error: `rms` is then relative
    to the largest outcome, `bias` and `mcse` are 0.

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
    """Return the contrasts, (K, units, ...), of outcomes (arms, units, ...) with
    weights (K, arms).
    """
    return np.tensordot(weights, y, axes=1)


def rounding_against_float64(
    y: Array, exact: Array, weights: Array, *, n_units: int, dealt: int = 1
) -> Rounding:
    """Return the rounding of contrasts, from the same outcomes computed in higher
    precision.

    Parameters
    ----------
    y, exact
        Outcomes of the predictor, and in higher precision, (arms, units, tasks[,
        models]).
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
    >>> y = exact + np.array([0.05, 0.0]).reshape(
    ...     2, 1, 1
    ... )  # the first arm is always answered 0.05 too high
    >>> found = rounding_against_float64(
    ...     y, exact, np.array([[1.0, -1.0]]), n_units=10_000
    ... )
    >>> (
    ...     found.rms.round(3).tolist(),
    ...     found.bias.round(2).tolist(),
    ... )  # about 0.05 / sqrt(2), and 100 times that
    ([[0.037]], [[3.69]])
    """
    error = contrast_values(weights, y - exact)
    return _standardize_rounding(
        error[None], 0.0, exact, weights, n_units=n_units, dealt=dealt, eps=2.0**-40
    )


def rounding_across_batches(
    repeats: Array, weights: Array, *, eps: float, n_units: int, dealt: int = 1
) -> Rounding:
    """Return the rounding of contrasts that shows when the same sequences are predicted
    in other batches.

    An error that is the same in every batch is not seen: `bias` is the largest shift of
    the average effect between two ways of batching. The rounding of the answers to
    their dtype, at most ``eps |Y| / sqrt(12)``, is added to `rms` and `mcse`.

    Parameters
    ----------
    repeats
        The same outcomes from several ways of batching, (ways, arms, units, tasks[,
        models]).
    weights
        Weights of the contrasts, (K, arms).
    eps
        Relative spacing of the numbers that answers are computed in.
    n_units, dealt
        As in `rounding_against_float64`.
    """
    first = repeats[0]
    # (K, ways - 1, units, ...)
    error = contrast_values(weights, np.moveaxis(repeats[1:] - first, 0, 1))
    own = np.sqrt(np.tensordot(weights**2, (eps * first) ** 2 / 12, axes=1))
    return _standardize_rounding(
        np.moveaxis(error, 1, 0),
        own,
        first,
        weights,
        n_units=n_units,
        dealt=dealt,
        eps=eps,
    )


def _standardize_rounding(
    errors: Array,
    own: Array | float,
    y: Array,
    weights: Array,
    *,
    n_units: int,
    dealt: int,
    eps: float,
) -> Rounding:
    """Return errors (ways, K, units, ...) relative to the spread of the ICE of outcomes
    y (arms, units, ...).
    """
    m = y.shape[1]
    size = np.abs(y).max(axis=(0, 1))
    sd, varies = _contrast_sd(y, weights, dealt=dealt, least=_SD_ROUNDINGS * eps * size)
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


def _contrast_sd(
    y: Array, weights: Array, *, dealt: int, least: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the standard errors of the contrasts times root n, (K, ...), and whether
    they exceed rounding.
    """
    ice = contrast_values(weights, y)
    if y.shape[1] < 2:
        return np.zeros_like(ice[:, 0]), np.zeros(ice[:, 0].shape, bool)
    sd = ice.std(axis=1, ddof=1)
    if dealt > 1:
        sd = np.sqrt(np.tensordot(weights**2 * dealt, y.var(axis=1, ddof=1), axes=1))
    return sd, sd > least * np.abs(weights).sum(axis=1).reshape(-1, *[1] * least.ndim)


def answer_sd(y: Array) -> Array:
    """Return the unit of differences of answers (units, ...): their sd over units; if
    that is 0, their size.

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
    """Differences between answers to one sequence, in sd of the answers over units, by
    task (and model).

    Attributes
    ----------
    twice
        In the same batch, predicted twice.
    mates
        Alone versus among others, or in the reverse order: the larger difference.
    random, dependent
        The fault, in words, if a difference exceeds rounding; else "".
    one_by_one
        Whether every sequence goes through the predictor alone, so that nothing was
        asked for `mates`.
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
    limit, unit = (
        rounding_allowed(predictor, first),
        answer_sd(first.astype(np.float64)),
    )
    if sample.probe is not None:
        twice = max_difference(sample.probe.answers[:1], sample.probe.answers[1:])
    else:
        twice = max_difference(first, sample.named(predictor, tokens, arm))
    if sample.goes_one_by_one:
        random = f"the predictor {SAME_TWICE}" if twice.max() > limit else ""
        parts = (
            label_by_task(twice / unit, predictor),
            label_by_task(np.zeros_like(unit), predictor),
        )
        return Repeats(*parts, random=random, dependent="", one_by_one=True)
    lonely = [sample.named(predictor, tokens[i : i + 1], arm, [i]) for i in range(n)]
    alone = max_difference(first[:n], np.concatenate(lonely))
    order = max_difference(
        first,
        sample.named(predictor, tokens[::-1], arm, range(len(tokens))[::-1])[::-1],
    )
    at_door = refused or _refusal_at_other_lengths(sample)
    random = (
        at_door
        if _TWICE in at_door
        else f"the predictor {SAME_TWICE}"
        if twice.max() > limit
        else ""
    )
    how = (
        "alone and among others"
        if alone.max() >= order.max()
        else "when the batch is in another order"
    )
    own = (
        f"the predictor {batch_dependence(predictor, how)}"
        if max(alone.max(), order.max()) > limit
        else ""
    )
    return Repeats(
        twice=label_by_task(twice / unit, predictor),
        mates=label_by_task(np.maximum(alone, order) / unit, predictor),
        random=random,
        dependent="" if random else at_door or own,
    )


def _refusal_at_other_lengths(sample: ProbeUnits) -> str:
    """Return why `causalgia.run` would refuse the predictor for sequences of another
    length; else "".
    """
    lengths = {sample.tokens(sample.arms[0], 1).shape[1]}
    for arm in sample.arms[1:]:
        tokens = sample.tokens(arm, _ALONE)
        if tokens.shape[1] in lengths:
            continue
        lengths.add(tokens.shape[1])
        try:
            check_batch_mates(sample.trial.predictor, tokens)
        except PredictorError as error:
            return f"arm '{arm}' ({tokens.shape[1]} bp): {error}"
    return ""


def label_by_task(
    values: NDArray[Any], predictor: Predictor, contrasts: Iterable[str] = ()
) -> xr.DataArray:
    """Return values ([contrasts, ][positions, ]tasks[, models]) with labels."""
    coords: dict[str, Any] = {"contrast": list(contrasts)} if contrasts else {}
    coords |= predictor.coordinates
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


_SAME = 1e-5  # sd; below, two answers are the same
_MOST_PAIRED = 2_000  # tasks: each is compared with each
_UNITS_PAIRED = 32
_OF_OTHER = 0.5  # of a task's own difference between the strands, another task's


def strand_asymmetry(
    sample: ProbeUnits,
) -> tuple[xr.DataArray, list[tuple[str, str]]]:
    """Return the difference between the answers to a sequence and to its reverse
    complement, and the pairs of tasks that change places on it.

    The root mean square over units of ``f(x) - f(reverse complement of x)``, in sd of
    ``f(x)`` over units, by task (and model). Unrelated answers have the square root of
    2; a predictor that averages both strands has 0. Tasks that change places by its
    ``opposite=`` are exchanged.

    A pair are two tasks of which each answers the reverse complement as the other does
    the sequence, by less than half of its own difference, and closer than any third; of
    a predictor that averages both strands, two tasks that are equal in every unit.

    Raises
    ------
    PredictorError
        If an answer is not finite.
    """
    predictor, arm = sample.trial.predictor, sample.arms[0]
    forward = sample.answers(arm).astype(np.float64)
    backward = sample.named(
        predictor, reverse_complement(sample.tokens(arm)), f"{arm}, reverse complement"
    )
    given = dict(getattr(predictor.parts[0], "opposite", ()))
    given |= {other: one for one, other in given.items()}
    if given.keys() <= {*predictor.tasks} and "position" not in predictor.dims:
        order = [predictor.tasks.index(given.get(x, x)) for x in predictor.tasks]
        backward = backward[:, order]
    gap = np.sqrt(((forward - backward) ** 2).mean(axis=0))
    pairs = []
    if len(predictor.tasks) <= _MOST_PAIRED and "position" not in predictor.dims:
        few = (forward[:_UNITS_PAIRED], backward[:_UNITS_PAIRED])
        strands = [x if x.ndim == 2 else x.mean(axis=2) for x in few]
        averaged = all(getattr(one, "rc_average", False) for one in predictor.parts)
        pairs = [
            (predictor.tasks[i], predictor.tasks[j])
            for i, j in opposite_tasks(*strands, averaged=averaged)
        ]
    return label_by_task(gap / answer_sd(forward), predictor), pairs


def opposite_tasks(
    forward: NDArray[np.float64], backward: NDArray[np.float64], *, averaged: bool
) -> list[tuple[int, int]]:
    """Return the pairs of tasks that change places on the reverse complement, of answers
    (n, tasks) to sequences and to their reverse complements; `averaged`: that are equal.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(16, 3))
    >>> opposite_tasks(x, x[:, [1, 0, 2]], averaged=False)
    [(0, 1)]
    """
    scale = np.maximum(forward.std(axis=0), np.finfo(np.float64).tiny)
    varies = forward.std(axis=0) > 0
    gaps = np.empty((forward.shape[1],) * 2)
    for i in range(len(gaps)):
        gaps[i] = np.sqrt(((forward[:, [i]] - backward) ** 2).mean(axis=0)) / scale[i]
    own = np.full(len(gaps), np.inf) if averaged else np.diagonal(gaps).copy()
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.argmin(axis=1)
    found = []
    for i, j in enumerate(nearest.tolist()):
        bound = _SAME if averaged else _OF_OTHER * own[i]
        if varies[i] and i < j and nearest[j] == i and gaps[i, j] < bound:
            found.append((i, j))
    return found


def outcomes_in_other_batches(sample: ProbeUnits) -> NDArray[np.float64]:
    """Return outcomes predicted in three ways: in order, in reverse order, and in small
    batches.

    Long sequences that go one at a time are not asked again.

    Returns
    -------
    ndarray
        (ways, arms, units, tasks[, models]).
    """
    if sample.goes_one_by_one:
        # each sequence goes alone, whatever the batch
        return np.stack([sample.outcomes(), sample.outcomes()])
    small, places = max(2, min(7, len(sample) // 3)), range(len(sample))

    def predict(arm: str, rows: range) -> NDArray[Any]:
        return sample.named(sample.trial.predictor, sample.tokens(arm)[rows], arm, rows)

    reverse = [predict(arm, places[::-1])[::-1] for arm in sample.arms]
    cut = [
        np.concatenate([predict(arm, places[i : i + small]) for i in places[::small]])
        for arm in sample.arms
    ]
    return np.stack([sample.outcomes(), np.stack(reverse), np.stack(cut)]).astype(
        np.float64
    )
