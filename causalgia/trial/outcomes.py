"""Outcomes of a trial: predicted here or by workers, with a progress bar, gathered,
labeled; their rounding error.
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from causalgia.design import Arm, Design
from causalgia.design.intervention import Layout
from causalgia.errors import (
    DegenerateWarning,
    PredictorError,
    caller_stacklevel,
    quoted,
)
from causalgia.outcome_values import with_first_unit
from causalgia.predict import NonFiniteError, Predictor
from causalgia.predict.answer_comparisons import asks_one_by_one
from causalgia.predict.ensemble import reference_of
from causalgia.predict.predictor import LONG
from causalgia.schema import annotate
from causalgia.trial.attributes import apply_arm
from causalgia.trial.stages import duration, expected_time
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import (
    Advance,
    NamedArrays,
    Trial,
    Turn,
    TurnReduction,
    unit_coordinates,
)
from causalgia.types import Array, Tokens
from causalgia.workers.clusters import available_cores

if TYPE_CHECKING:
    from distributed import Client


_MOST_AHEAD = 8
_MOST_BEHIND = 2
"""Turns that are prepared at once, at most, and turns that wait to be gathered."""


def answer_turns(
    trial: Trial,
    bounds: Iterable[tuple[int, int]],
    gather: Callable[[Turn, NDArray[Any]], None],
    *,
    advance: Advance | None = None,
) -> None:
    """Hand each turn and its outcomes, (units, arms, tasks[, models]), to `gather`, in
    order.

    The predictor is asked from this thread alone. Turns are drawn and edited by others
    meanwhile, by one more whenever this thread had to wait, and `gather` runs in another
    one. Turns in hand are at most as many as there are cores, and 8, and two that are
    gathered.

    Parameters
    ----------
    trial
        The trial.
    bounds
        First units and ends of the turns.
    gather
        Called once a turn, one at a time.
    advance
        Called with the number of new outcomes.

    Raises
    ------
    DesignError
        If an arm cannot be applied (the arm is named).
    PredictorError
        As `Trial.answer`; or if the predictor's answers changed while the trial ran.
    """
    coming, at_once, sound = iter(bounds), 1, True
    most = min(available_cores(), _MOST_AHEAD)
    ahead, behind = deque[Future[Turn]](), deque[Future[None]]()

    def prepare() -> None:
        for place in islice(coming, at_once - len(ahead)):
            ahead.append(preparing.submit(trial.prepare, *place))

    def gather_answers(turn: Turn, answers: dict[int, NDArray[Any]]) -> None:
        nonlocal sound
        if sound:  # after a turn that failed none is gathered
            sound = False
            gather(turn, trial.gather(turn, answers))
            sound = True

    preparing = ThreadPoolExecutor(most, thread_name_prefix="next turn")
    with ThreadPoolExecutor(1, thread_name_prefix="last turn") as gathering:
        try:
            prepare()
            while ahead:
                at_once = min(at_once + (not ahead[0].done()), most)
                turn = ahead.popleft().result()
                prepare()
                answers = trial.ask(turn, advance=advance)
                if not ahead:
                    trial.check_unchanged()
                behind.append(gathering.submit(gather_answers, turn, answers))
                if len(behind) > _MOST_BEHIND:
                    behind.popleft().result()
            for last in behind:
                last.result()
        finally:
            preparing.shutdown(cancel_futures=True)


def run_turns(
    trial: Trial,
    plan: TurnPlan,
    turns: Sequence[int],
    keep: Callable[[int, int | None, NamedArrays], None],
    *,
    reduction: TurnReduction,
    client: Client | None = None,
    advance: Advance | None = None,
    lacks: Callable[[int, int], bool] = lambda _turn, _model: True,
) -> None:
    """Hand each turn's number, its model (None: all of them) and its reduced outcomes
    to `keep`, computed here, in the order of `turns`, or by workers, as they finish.

    Workers are asked for the members of an ensemble separately, those that `lacks`
    names; here they are asked together.

    Raises
    ------
    DesignError, PredictorError
        As `answer_turns`.
    StoreError
        As `causalgia.trial.distributed_turns.run_on_cluster`.
    """
    if client is None:
        waiting = iter(turns)
        answer_turns(
            trial,
            map(plan.bounds, turns),
            lambda turn, outcome: keep(
                next(waiting), None, reduced(trial, reduction, turn, outcome)
            ),
            advance=advance,
        )
        return
    from causalgia.trial import distributed_turns

    n = len(trial.predictor.parts)
    jobs = (
        (turn, model)
        for turn in turns
        for model in (range(n) if n > 1 else (None,))
        if model is None or lacks(turn, model)
    )
    for job in distributed_turns.run_on_cluster(
        client, trial, plan, jobs, reduction=reduction, advance=advance
    ):
        keep(*job)


def reduced(
    trial: Trial, reduction: TurnReduction, turn: Turn, outcome: NDArray[Any]
) -> NamedArrays:
    """Return the reduced outcomes of a turn, and the coordinates of its units."""
    return {**unit_coordinates(trial, turn.units), **reduction.reduce(outcome)}


def outcome_dims(design: Design, predictor: Predictor) -> tuple[str, ...]:
    """Return the dims of the outcomes of a trial."""
    arm = ("arm",) if design.assignment == "crossover" else ()
    return ("unit", *arm, *predictor.dims)


def outcomes_dataset(
    frame: xr.Dataset, reduction: TurnReduction, parts: NamedArrays
) -> xr.Dataset:
    """Return a frame with the reduced outcomes of its units, and the units'
    coordinates.
    """
    found = {name: (dims, parts[name]) for name, dims in reduction.dims.items()}
    units = {name: ("unit", part) for name, part in parts.items() if name not in found}
    n = len(next(iter(parts.values())))
    made = frame.assign(found).assign_coords({"unit": np.arange(n), **units})
    return annotate(with_first_unit(made) if "outcome" in made else made)


class OutcomeBuffer:
    """Reduced outcomes of the first units of a trial, a growing number of them, in
    memory.

    Parameters
    ----------
    trial, plan
        The trial and its plan of turns.
    reduction
        Applied to the outcomes of each turn.
    """

    def __init__(self, trial: Trial, plan: TurnPlan, reduction: TurnReduction) -> None:
        self._trial, self._plan, self._kept = trial, plan, reduction
        self._n = 0
        self.parts: NamedArrays = {}

    def up_to(self, n: int, advance: Advance) -> NamedArrays:
        """Return the reduced outcomes of the first n units, a row for each; new units
        are predicted.
        """
        cuts = [self._n, *(int(end) for end in self._plan.ends if self._n < end < n), n]
        bounds = [(first, last) for first, last in pairwise(cuts) if last > first]

        def put(turn: Turn, outcome: NDArray[Any]) -> None:
            parts = reduced(self._trial, self._kept, turn, outcome)
            self._write(self._n, None, parts)
            self._n += len(turn.units.ids)

        answer_turns(self._trial, bounds, put, advance=advance)
        return {name: part[:n] for name, part in self.parts.items()}

    def put(self, turn: int, model: int | None, parts: NamedArrays) -> None:
        """Store the reduced outcomes of a turn; of one model, where models are asked
        separately.
        """
        self._write(self._plan.bounds(turn)[0], model, parts)

    def _write(self, first: int, model: int | None, parts: NamedArrays) -> None:
        for name, part in parts.items():
            apart = model is not None and "model" in self._kept.dims.get(name, ())
            rest = (
                (*part.shape[1:], len(self._trial.predictor.models or ()))
                if apart
                else part.shape[1:]
            )
            whole = self.parts.get(name)
            if whole is None:
                whole = np.empty((self._plan.n_units, *rest), part.dtype)
            whole = whole.astype(np.result_type(whole.dtype, part.dtype), copy=False)
            rows = whole[first : first + len(part)]
            rows[(..., model) if apart else ...] = part
            self.parts[name] = whole


def warn_constant(outcome: xr.DataArray) -> None:
    """Warn of a task that has the same answer for all units, in every model; up to
    rounding where it is 1.
    """
    over = [dim for dim in outcome.dims if dim in ("unit", "arm")]
    low, high = outcome.min(over), outcome.max(over)
    one = (abs(low - 1) < _NEAR_ONE) & (
        high - low <= _SAME_ROUNDINGS * np.finfo(outcome.dtype).eps
    )
    same = ((low == high) | one).transpose("task", ...).to_numpy()
    constant = same.reshape(outcome.sizes["task"], -1).all(axis=1)
    if outcome.sizes["unit"] > 1 and constant.any():
        task, n = (
            outcome["task"].to_numpy()[int(constant.argmax())],
            np.prod([outcome.sizes[dim] for dim in over]),
        )
        text = (
            f"task '{task}': the predictor gives the same answer for all {n:,} "
            "sequences that it was asked"
        )
        first = low.isel(task=int(constant.argmax())).to_numpy().flat[0]
        warnings.warn(
            DegenerateWarning(text + softmax_hint(float(first))),
            stacklevel=caller_stacklevel(),
        )


_REMEMBERED = 3_600.0
"""Seconds over which the rate is averaged: a slow network may need minutes for a
batch.
"""


class RateColumn(ProgressColumn):
    """Outcomes per second, such as ``1,234/s``; nothing before the first are known."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(
            f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s",
            style="progress.data.speed",
        )


@contextmanager
def meter(
    total: int, *, show: bool, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of new outcomes; a bar is drawn only on
    a terminal. Elsewhere, within a stage (`Stages`), a line says how long it will take.
    """
    if not show or not (console := console or Console(stderr=True)).is_terminal:
        yield (expected_time(total) if show else None) or (lambda _n: None)
        return
    columns = (BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(
        "predicting",
        *columns,
        console=console,
        transient=True,
        speed_estimate_period=_REMEMBERED,
    ) as bar:
        task = bar.add_task("predicting", total=total)
        yield lambda n: bar.advance(task, n)


def announce_cost(trial: Trial) -> None:
    """Write what one sequence takes on this machine, and what the trial will take, as
    one line to stderr.
    """
    length, each = trial.design.null.length, trial.seconds_a_pass
    n = trial.design.n_units * outcomes_per_unit(trial.design)
    line = (
        f"one sequence of {length:,} bp takes {duration(each)} here; the trial has "
        f"{n:,} (fewer where arms agree): {duration(n * each)} on this machine"
    )
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


TRANSFORMS = ("identity", "log", "log2", "logit")
"""Scales that an outcome may be put on before it enters a contrast."""
_MOST_ROWS_AGAIN = 32
_LEAST_ROWS_AGAIN = 8
_ARMS_AGAIN = 8
_UNITS_AGAIN = 8
_OUTCOMES_A_ROW = 100  # of the trial, for each that is predicted again
_DEPTH = 32
"""Rounding of a whole computation in roundings of its largest answer, where higher
precision is not available.
"""
_FOR_EIGHT = 2.24
"""Largest of eight absolute errors relative to their mean, for normal errors."""
_SHARED_ROUNDING = 4
"""Rounding shared by all orders of a computation, in multiples of the largest
difference between two of them.
"""
_SAME_ROUNDINGS, _NEAR_ONE = 8, 1e-3
"""Roundings by which answers may differ and be one, and how far from 1 a sum of
probabilities may be.
"""
_IN_SESSION = 2
_COST = {True: 3.5, False: 3.0}
"""Cost of a row in answers: itself and one in float64 (2.5); or itself, alone and in
another order.
"""


def probe_cost(design: Design, predictor: Predictor) -> float:
    """Return the cost of the measurement, in answers of the predictor."""
    exact = predictor.precision.itemsize < 8 and all(
        hasattr(part, "reference") for part in predictor.parts
    )
    return _COST[exact] * math.prod(_n_arms_and_units(design))


def _n_arms_and_units(design: Design) -> tuple[int, int]:
    """Return the numbers of arms and of units that are measured; above 50 kb one
    sequence.
    """
    if design.null.length > LONG:
        return 1, 1
    rows = int(
        np.clip(
            design.n_units * outcomes_per_unit(design) // _OUTCOMES_A_ROW,
            _LEAST_ROWS_AGAIN,
            _MOST_ROWS_AGAIN,
        )
    )
    arms = min(len(design.named_arms), _ARMS_AGAIN, rows)
    return arms, int(np.clip(rows // arms, 1, min(_UNITS_AGAIN, design.n_units)))


def answer_floor(trial: Trial) -> Array:
    r"""Return the largest error that the predictor's own arithmetic makes in an answer,
    by scale.

    With :math:`e` the error of an
    answer, :math:`|\sum_a w_a \bar e_a| \le \sum_a |w_a| \max|e|`: an average effect
    below that is none that these numbers can show, however many units agree on it,
    because rounding is alike in every unit. Where the predictor can be asked in
    float64, :math:`e` is the difference from that, on the paths that the trial takes
    (whole sequences, and edits recomputed in part), and at least one rounding of the
    largest answer. Above 50 kb one sequence stands for eight: its error counts 2.24
    times (the largest of eight errors is on average 2.24 times the mean one, if they
    are normal), and at least as four roundings. Where float64 is not available it is 4
    times the largest difference between batches of other sizes and orders, plus 32
    roundings of the largest answer in the precision of the predictor (float32 also
    where float64 answers carry no more digits than float32).

    On another scale g it is multiplied by the mean of :math:`|g'(Y)|` over the same
    sequences.

    Returns
    -------
    ndarray
        (4, tasks[, models]): on the scales of `TRANSFORMS`, 0 where a scale is
        impossible for an answer.

    Raises
    ------
    PredictorError
        If the predictor does not answer; names the arm, and the unit whose answer is
        not finite.
    """
    rows = _arm_rows(trial)
    answers = [_predict_rows(trial, row) for row in rows]
    _check_one_shape(trial, rows, answers)
    error = _error_against_float64(trial.predictor, rows, answers)
    if error is None:
        error = _error_across_batches(trial, rows, answers)
    elif trial.design.null.length > LONG:
        error = _for_eight(error, trial.predictor, answers)
    return _by_scale(error, np.concatenate(answers).astype(np.float64))


def constant_answers(predictor: Predictor, y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which tasks (and models) have one answer for several sequences, up to 8
    roundings: y (n, tasks[, models]).

    Examples
    --------
    >>> import causalgia as cg
    >>> constant_answers(
    ...     cg.zoo.oracle("gata1_like"),
    ...     np.array([[1.0, 2.0], [1.0 + 1e-7, 2.1]], np.float32),
    ... ).tolist()
    [True, False]
    """
    if len(y) < 2:
        return np.zeros(y.shape[1:], bool)
    spread = np.ptp(y.astype(np.float64), axis=0)
    return np.asarray(
        spread
        <= _SAME_ROUNDINGS * _eps(predictor, [y]) * abs(y.astype(np.float64)).max(0)
    )


def softmax_hint(answer: float) -> str:
    """Return a question where the answer to every sequence is 1, as probabilities add
    up to; else "".

    Examples
    --------
    >>> softmax_hint(1.0000001), softmax_hint(3.0)
    (' (1, as of a softmax summed over its classes? No edit changes that sum: answer one class, or the logits)', '')
    """
    if abs(answer - 1) > _NEAR_ONE:
        return ""
    return (
        " (1, as of a softmax summed over its classes? No edit changes that sum: "
        "answer one class, or the logits)"
    )


def floor_of_one(
    predictor: Predictor, answer: NDArray[Any], exact: NDArray[Any] | None
) -> Array:
    """Return the `answer_floor` of one long sequence, from its answer (1, tasks[,
    models]) and that in float64.
    """
    scale = _eps(predictor, [answer]) * _largest_answer([answer])
    error = _DEPTH * scale
    if exact is not None:
        error = _for_eight(
            np.maximum(max_difference(answer, exact), scale), predictor, [answer]
        )
    return _by_scale(np.asarray(error), answer.astype(np.float64))


def _for_eight(
    error: Array, predictor: Predictor, answers: list[NDArray[Any]]
) -> Array:
    """Return the error of one sequence as that of eight."""
    return np.maximum(
        _FOR_EIGHT * error,
        _SHARED_ROUNDING * _eps(predictor, answers) * _largest_answer(answers),
    )


@dataclass(frozen=True)
class _ArmRows:
    """Some units under an arm: their ids, their backgrounds, and what the arm makes of
    these.
    """

    arm: Arm
    ids: NDArray[np.uint64]
    base: Tokens
    tokens: Tokens


def _arm_rows(trial: Trial) -> list[_ArmRows]:
    """Return some arms, spread evenly, on the first units; in a parallel trial on units
    that receive them.
    """
    n_arms, n_units = _n_arms_and_units(trial.design)
    places = np.unique(
        np.linspace(0, len(trial.design.named_arms) - 1, n_arms).round().astype(int)
    )
    parallel = trial.design.assignment == "parallel"
    units = trial.draw(
        0,
        min(
            n_units * len(trial.design.named_arms) if parallel else n_units,
            trial.design.n_units,
        ),
    )
    if n_arms == 1 and units.assigned is not None:
        places = units.assigned[:1]
    if trial.predictor.positions is not None:  # of a track, one arm of each length
        layout = Layout(trial.design.null.length)
        lengths = [a.intervention.lay(layout).length for a in trial.design.named_arms]
        drawn = units.assigned if units.assigned is not None else range(len(lengths))
        others = {lengths[place]: place for place in drawn}
        for place in places:
            others.pop(lengths[place], None)
        places = np.r_[places, [*others.values()]].astype(int)
    found = []
    for place in places:
        mine = (
            slice(None)
            if units.assigned is None
            else np.flatnonzero(units.assigned == place)[:n_units]
        )
        ids, base, arm = (
            units.ids[mine],
            units.tokens[mine],
            trial.design.named_arms[place],
        )
        if len(ids):
            found.append(_ArmRows(arm, ids, base, apply_arm(arm, base, ids, trial.key)))
    return found


def _check_one_shape(
    trial: Trial, rows: list[_ArmRows], answers: list[NDArray[Any]]
) -> None:
    """Raise PredictorError if arms have tracks of other lengths."""
    shapes = [one.shape[1:] for one in answers]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is None:
        return
    length, own = trial.design.null.length, rows[0].tokens.shape[1]
    changed = rows[other] if own == length else rows[0]
    raise PredictorError(
        f"arm {quoted(changed.arm.name)} changes the length from {length:,} to "
        f"{changed.tokens.shape[1]:,}, and the arms of a trial need tracks of one "
        "length"
    )


def _predict_rows(trial: Trial, row: _ArmRows) -> NDArray[Any]:
    """Return the answers to some rows, of which those of the probe are known and the
    others become known.
    """
    known = trial.known(row.tokens)
    new = [i for i in range(len(row.tokens)) if i not in known]
    answers = _predict_places(trial, row, new) if new else None
    if answers is not None:
        trial.remember(row.tokens[new], answers)
        if not known:
            return answers
    known = trial.known(row.tokens)
    return np.stack([known[i] for i in range(len(known))])


def _predict_places(trial: Trial, row: _ArmRows, places: Sequence[int]) -> NDArray[Any]:
    """Return the answers to the rows at some places; an error names the arm, and the
    unit whose answer is none.
    """
    try:
        return trial.predictor.predict(row.tokens[places])
    except NonFiniteError as error:
        raise trial.error_of_unit(
            error, row.arm.name, int(row.ids[places[error.row]])
        ) from error
    except PredictorError as error:
        length = row.tokens.shape[1]
        raise type(error)(
            f"arm {quoted(row.arm.name)} ({length} bp): {error}"
        ) from error


def _error_against_float64(
    predictor: Predictor, rows: list[_ArmRows], answers: list[NDArray[Any]]
) -> Array | None:
    """Return the largest difference from float64, (tasks[, models]); None if float64 is
    not available.
    """
    reference = reference_of(predictor)
    if reference is None:
        return None
    try:
        exact = [reference.predict(row.tokens) for row in rows]
    except PredictorError:
        return None  # a layer that is written for float32 alone
    gaps = [max_difference(y, z) for y, z in zip(answers, exact, strict=True)]
    edits = [i for i, row in enumerate(rows) if row.tokens.shape == row.base.shape]
    in_part = [
        part.backgrounds_at_once(rows[0].base.shape[1]) > 0 for part in predictor.parts
    ]
    if edits and any(in_part):
        # sessions that recompute in part are asked for all arms at once, as in a trial
        together = all(part.incremental for part in predictor.parts)
        for some in [edits] if together else [[i] for i in edits]:
            in_session = _answers_in_session(
                predictor, [rows[i] for i in some], in_part
            )
            gaps.append(
                max_difference(
                    in_session, np.concatenate([exact[i][:_IN_SESSION] for i in some])
                )
            )
    return np.asarray(
        np.maximum(
            np.max(gaps, axis=0), _eps(predictor, answers) * _largest_answer(answers)
        )
    )


def _answers_in_session(
    predictor: Predictor, rows: list[_ArmRows], in_part: list[bool]
) -> NDArray[Any]:
    """Return answers to the first units of arms, as edits of their backgrounds by those
    parts that take edits.
    """
    base = np.concatenate([row.base[:_IN_SESSION] for row in rows])
    tokens = np.concatenate([row.tokens[:_IN_SESSION] for row in rows])
    places = np.arange(len(base))
    answers = [
        part.edits(base).answers(tokens, places)
        if takes_edits
        else part.predict(tokens)
        for part, takes_edits in zip(predictor.parts, in_part, strict=True)
    ]
    return answers[0] if predictor.models is None else np.stack(answers, axis=-1)


def _error_across_batches(
    trial: Trial, rows: list[_ArmRows], answers: list[NDArray[Any]]
) -> Array:
    """Return the differences between batches plus the rounding of the largest answer,
    (tasks[, models]).
    """
    predictor = trial.predictor
    gaps = [np.zeros(answers[0].shape[1:])]
    for row, y in zip(rows, answers, strict=True):
        if asks_one_by_one(predictor, row.tokens.shape[1]):
            continue  # each sequence goes alone, whatever the batch
        places = range(len(row.tokens))
        gaps.append(max_difference(_predict_places(trial, row, places[::-1])[::-1], y))
        gaps.append(
            max_difference(
                np.concatenate(
                    [_predict_places(trial, row, [place]) for place in places]
                ),
                y,
            )
        )
    return np.asarray(
        _SHARED_ROUNDING * np.max(gaps, axis=0)
        + _DEPTH * _eps(predictor, answers) * _largest_answer(answers)
    )


def max_difference(one: NDArray[Any], other: NDArray[Any]) -> Array:
    """Return the largest absolute difference over rows, (tasks[, models])."""
    return np.asarray(np.abs(one.astype(np.float64) - other).max(axis=0))


def _largest_answer(answers: list[NDArray[Any]]) -> Array:
    return np.asarray(
        np.max([np.abs(y.astype(np.float64)).max(axis=0) for y in answers], axis=0)
    )


def _eps(predictor: Predictor, answers: list[NDArray[Any]]) -> float:
    """Return the relative spacing of the numbers in which the answers are computed."""
    dtype = min(predictor.precision, answers[0].dtype, key=lambda dtype: dtype.itemsize)
    if name := predictor.rounded_to:
        return {"float16": 2.0**-11, "bfloat16": 2.0**-8}[name]
    with np.errstate(over="ignore"):
        single = all(np.array_equal(y, y.astype(np.float32)) for y in answers)
    return float(np.finfo(np.float32 if single and dtype.itemsize == 8 else dtype).eps)


def _by_scale(error: Array, y: Array) -> Array:
    """Return the error on each scale: multiplied by the mean of |g'|, 0 where g does
    not exist.
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = [np.ones_like(y), 1 / y, 1 / (y * np.log(2)), 1 / (y * (1 - y))]
        moved = np.stack([error * slope.mean(axis=0) for slope in slopes])
    positive, within = (y > 0).all(axis=0), ((y > 0) & (y < 1)).all(axis=0)
    possible = np.stack([np.ones_like(positive), positive, positive, within])
    return np.where(possible & np.isfinite(moved), moved, 0.0)
