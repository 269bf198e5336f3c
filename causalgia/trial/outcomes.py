"""Outcomes of a trial: turns predicted here or on a cluster, with a progress bar, gathered in memory and labeled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from causalgia.design import Design
from causalgia.errors import DegenerateWarning
from causalgia.predict import Predictor
from causalgia.schema import annotate
from causalgia.trial.answer_precision import NEAR_ONE, SAME_ROUNDINGS, softmax_hint
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import Advance, NamedArrays, Trial, Turn, TurnReduction, unit_coordinates

if TYPE_CHECKING:
    from distributed import Client


def predicted_turns(
    trial: Trial, bounds: Iterable[tuple[int, int]], *, advance: Advance | None = None
) -> Iterator[tuple[Turn, NDArray[Any]]]:
    """Yield each turn with its outcomes, (units, arms, tasks[, models]); `bounds` has first units and ends.

    Raises
    ------
    DesignError
        If an arm cannot be applied (the arm is named).
    PredictorError
        As `Trial.answer`.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="next turn") as pool:
        following: Future[Turn] | None = None
        coming = iter(bounds)
        this = next(coming, None)
        while this is not None:
            turn = trial.prepare(*this) if following is None else following.result()
            this = next(coming, None)
            following = None if this is None else pool.submit(trial.prepare, *this)
            yield turn, trial.answer(turn, advance=advance)


def run_turns(
    trial: Trial,
    plan: TurnPlan,
    turns: Iterable[int],
    *,
    reduction: TurnReduction,
    client: Client | None,
    advance: Advance,
    lacks: Callable[[int, int], bool] = lambda _turn, _model: True,
) -> Iterator[tuple[int, int | None, NamedArrays]]:
    """Yield each turn's number, its model (None: all of them) and its reduced outcomes, computed here or by workers.

    Workers are asked for the members of an ensemble separately, those that `lacks` names; here they are asked together.
    """
    if client is None:
        return run_here(trial, plan, turns, reduction=reduction, advance=advance)
    from causalgia.trial import distributed_turns

    n = len(trial.predictor.parts)
    jobs = (
        (turn, model)
        for turn in turns
        for model in (range(n) if n > 1 else (None,))
        if model is None or lacks(turn, model)
    )
    return distributed_turns.run_on_cluster(client, trial, plan, jobs, reduction=reduction, advance=advance)


def run_here(
    trial: Trial, plan: TurnPlan, turns: Iterable[int], *, reduction: TurnReduction, advance: Advance | None = None
) -> Iterator[tuple[int, int | None, NamedArrays]]:
    """Yield the number of each turn, None (every model), and its reduced outcomes, in the order of `turns`.

    Raises
    ------
    DesignError
        If an arm cannot be applied (the arm is named).
    PredictorError
        As `Trial.answer`; or if the predictor's answers changed while the trial ran.
    """
    numbers = list(turns)
    carried = predicted_turns(trial, (plan.bounds(number) for number in numbers), advance=advance)
    for number, (turn, outcome) in zip(numbers, carried, strict=True):
        if number == numbers[-1]:
            trial.check_unchanged()
        yield number, None, {**unit_coordinates(trial, turn.units), **reduction.reduce(outcome)}


def outcome_dims(design: Design, predictor: Predictor) -> tuple[str, ...]:
    """Return the dims of the outcomes of a trial."""
    arm = ("arm",) if design.assignment == "crossover" else ()
    return ("unit", *arm, *predictor.dims)


def outcomes_dataset(frame: xr.Dataset, reduction: TurnReduction, parts: NamedArrays) -> xr.Dataset:
    """Return a frame with the reduced outcomes of its units, and the units' coordinates."""
    found = {name: (dims, parts[name]) for name, dims in reduction.dims.items()}
    units = {name: ("unit", part) for name, part in parts.items() if name not in found}
    n = len(next(iter(parts.values())))
    return annotate(frame.assign(found).assign_coords({"unit": np.arange(n), **units}))


class OutcomeBuffer:
    """Reduced outcomes of the first units of a trial, a growing number of them, in memory.

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
        """Return the reduced outcomes of the first n units, a row for each; new units are predicted."""
        cuts = [self._n, *(int(end) for end in self._plan.ends if self._n < end < n), n]
        bounds = [(first, last) for first, last in pairwise(cuts) if last > first]
        for turn, outcome in predicted_turns(self._trial, bounds, advance=advance):
            self._write(self._n, None, {**unit_coordinates(self._trial, turn.units), **self._kept.reduce(outcome)})
            self._n += len(turn.units.ids)
        return {name: part[:n] for name, part in self.parts.items()}

    def put(self, turn: int, model: int | None, parts: NamedArrays) -> None:
        """Store the reduced outcomes of a turn; of one model, where models are asked separately."""
        self._write(self._plan.bounds(turn)[0], model, parts)

    def _write(self, first: int, model: int | None, parts: NamedArrays) -> None:
        for name, part in parts.items():
            apart = model is not None and "model" in self._kept.dims.get(name, ())
            rest = (*part.shape[1:], len(self._trial.predictor.models or ())) if apart else part.shape[1:]
            whole = self.parts.get(name)
            if whole is None:
                whole = np.empty((self._plan.n_units, *rest), part.dtype)
            whole = whole.astype(np.result_type(whole.dtype, part.dtype), copy=False)
            rows = whole[first : first + len(part)]
            rows[(..., model) if apart else ...] = part
            self.parts[name] = whole


def warn_constant(outcome: xr.DataArray) -> None:
    """Warn of a task that has the same answer for all units, in every model; up to rounding where it is 1."""
    over = [dim for dim in outcome.dims if dim in ("unit", "arm")]
    low, high = outcome.min(over), outcome.max(over)
    one = (abs(low - 1) < NEAR_ONE) & (high - low <= SAME_ROUNDINGS * np.finfo(outcome.dtype).eps)
    same = ((low == high) | one).transpose("task", ...).to_numpy()
    constant = same.reshape(outcome.sizes["task"], -1).all(axis=1)
    if outcome.sizes["unit"] > 1 and constant.any():
        task, n = outcome["task"].to_numpy()[int(constant.argmax())], np.prod([outcome.sizes[dim] for dim in over])
        text = f"task '{task}': the predictor gives the same answer for all {n:,} sequences that it was asked"
        first = low.isel(task=int(constant.argmax())).to_numpy().flat[0]
        warnings.warn(text + softmax_hint(float(first)), DegenerateWarning, stacklevel=4)


_REMEMBERED = 3_600.0
"""Seconds over which the rate is averaged: a slow network may need minutes for a batch."""


class RateColumn(ProgressColumn):
    """Outcomes per second, such as ``1,234/s``; nothing before the first are known."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s", style="progress.data.speed")


@contextmanager
def meter(total: int, *, show: bool, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of new outcomes; a bar is drawn only on a terminal."""
    if not show:
        yield _ignore
        return
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _ignore
        return
    columns = (BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress("predicting", *columns, console=console, transient=True, speed_estimate_period=_REMEMBERED) as bar:
        task = bar.add_task("predicting", total=total)
        yield lambda n: bar.advance(task, n)


def _ignore(n: int) -> None:
    del n


def announce_cost(trial: Trial) -> None:
    """Write what one sequence takes on this machine, and what the trial will take, as one line to stderr."""
    length, each = trial.design.null.length, trial.seconds_a_pass
    n = trial.design.n_units * outcomes_per_unit(trial.design)
    line = (
        f"one sequence of {length:,} bp takes {duration(each)} here; the trial has {n:,} (fewer where arms agree): "
        f"{duration(n * each)} on this machine"
    )
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> [duration(s) for s in (4.4, 75, 7_500, 200_000)]
    ['4.4 s', '1 min 15 s', '2 h 5 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for size, name, next_size, next_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // next_size} {next_name}"
    return f"{whole} s"
