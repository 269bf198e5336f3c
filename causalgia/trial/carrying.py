"""Turns carried out one after the other on this machine; the next is made ready while the predictor answers one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

from numpy.typing import NDArray

from causalgia.trial.kept import Kept
from causalgia.trial.plan import Plan
from causalgia.trial.turns import Advance, Trial, Turn

Parts: TypeAlias = dict[str, NDArray[Any]]


def each_turn(
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


def unit_parts(trial: Trial, turn: Turn) -> Parts:
    """Return what is known of the units themselves: parent, gc, and block and assigned arm where there are any."""
    units = turn.units
    parts: Parts = {"parent": units.parents, "gc": units.gc}
    if units.blocks is not None:
        parts["block"] = units.blocks
    if units.assigned is not None:
        parts["assigned"] = trial.arm_names[units.assigned]
    return parts


def carry_out(
    trial: Trial, plan: Plan, turns: Iterable[int], *, kept: Kept, advance: Advance | None = None
) -> Iterator[tuple[int, int | None, Parts]]:
    """Yield the number of each turn, None (every model), and what is kept of it, in the order of `turns`."""
    numbers = list(turns)
    carried = each_turn(trial, (plan.bounds(number) for number in numbers), advance=advance)
    for number, (turn, outcome) in zip(numbers, carried, strict=True):
        yield number, None, {**unit_parts(trial, turn), **kept.reduce(outcome)}
