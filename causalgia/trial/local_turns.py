"""Run turns on this machine (the next is prepared while the predictor answers one) or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from causalgia.trial.outcome_reductions import NamedArrays, TurnReduction
from causalgia.trial.turn_plan import TurnPlan
from causalgia.trial.turns import Advance, Trial, Turn, unit_coordinates

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
