"""Taking over stored answers of another predictor, after a sample of them was reproduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import StoreError, quoted
from causalgia.trial.outcome_reductions import RunningSums, TurnReduction
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import unit_coordinates

if TYPE_CHECKING:
    from causalgia.trial.archive import Archive
    from causalgia.trial.setup import TrialSetup

_ROWS, _LEAST, _MOST, _TURNS = 2_048, 8, 256, 16
"""Sequences to predict again, the least and largest number of units, and the number of turns they come from."""
_TIMES = 4
"""Tolerated difference in multiples of the measured rounding: both answers are rounded, and the sample was small."""


def take_over_answers(setup: TrialSetup, reduction: TurnReduction, archive: Archive, plan: TurnPlan) -> str:
    """Predict a sample of the stored answers again; return the note that says what is taken over.

    Up to 256 units, from up to 16 turns spread evenly over the stored ones, are predicted under every arm.

    Parameters
    ----------
    setup, reduction, plan
        The trial, whose predictor has been probed and its rounding measured.
    archive
        The answers of the other predictor.

    Raises
    ------
    StoreError
        If an answer differs by more than 4 times the predictor's own rounding (unit, arm and task are named), tasks,
        models or the scale differ, or nothing is kept that could be compared.
    """
    if isinstance(reduction, RunningSums):
        raise StoreError(
            f"{archive.path}: keeps sums, and no answers that could be compared with the predictor's; give another "
            "path as store= (keep='outcomes' and keep='effects' can be taken over)"
        )
    _check_frames(setup, archive)
    lacking = set(archive.missing)
    turns = [turn for turn in range(len(plan)) if turn not in lacking]
    if not turns:
        raise StoreError(f"{archive.path}: keeps no whole turn that could be compared; give another path as store=")
    chosen = [turns[int(i)] for i in np.unique(np.linspace(0, len(turns) - 1, _TURNS).round())]
    most = int(np.clip(_ROWS // outcomes_per_unit(setup.trial.design), _LEAST, _MOST))
    asked = sum(_compare_turn(setup, reduction, archive, plan, turn, max(1, most // len(chosen))) for turn in chosen)
    members = [model for model in archive.grid.models if model is not None]
    by_model = [turn for turn in lacking if not all(archive.lacks(turn, model=model) for model in members)]
    n = sum(last - first for first, last in map(plan.bounds, [*turns, *by_model]))
    moved = archive.moved(setup.parts)
    return (
        f"{n:,} of {plan.n_units:,} units were answered by another predictor ({archive.identity['predictor']}"
        f"{moved and '; '}{moved}) and taken over: {asked:,} of them, asked again, had the same answers within rounding"
    )


def _check_frames(setup: TrialSetup, archive: Archive) -> None:
    """Raise StoreError if tasks, models or scale differ."""
    mine, theirs = setup.frame, archive.frame
    for name in ("task", "model"):
        one, other = (frame[name].to_numpy().tolist() if name in frame.coords else [] for frame in (mine, theirs))
        if one != other:
            raise StoreError(
                f"{archive.path}: has answers of the {name}s {other}, not {one}; give another path as store="
            )
    if mine.attrs["scale"] != theirs.attrs.get("scale"):
        raise StoreError(
            f"{archive.path}: has answers on the scale {quoted(theirs.attrs.get('scale'))}, not "
            f"{quoted(mine.attrs['scale'])}; give another path as store="
        )


def _compare_turn(
    setup: TrialSetup, reduction: TurnReduction, archive: Archive, plan: TurnPlan, turn: int, n: int
) -> int:
    """Compare the stored values of the first units of a turn with new predictions; return the number of units."""
    first, last = plan.bounds(turn)
    n = min(n, last - first)
    made = setup.trial.prepare(first, first + n)
    now = {**unit_coordinates(setup.trial, made.units), **reduction.reduce(setup.trial.answer(made))}
    before = archive.values_of(turn)
    for name, values in now.items():
        here = before[name][:n].reshape(values.shape)
        if name in setup.roundings:
            _check_close(setup, archive, name, reduction.dims[name], first, here, values)
        elif not np.array_equal(here, values):
            raise StoreError(
                f"{archive.path}: {name} of units {first:,} to {first + n - 1:,} differ; give another path"
            )
    return n


def _check_close(
    setup: TrialSetup,
    archive: Archive,
    name: str,
    dims: tuple[str, ...],
    first: int,
    before: NDArray[Any],
    now: NDArray[Any],
) -> None:
    """Raise StoreError if answers differ by more than rounding; names the one that differs most."""
    allowed = np.broadcast_to(_TIMES * setup.roundings[name], now.shape)
    beyond = np.abs(now.astype(np.float64) - before) - allowed
    if not (beyond > 0).any():
        return
    at = np.unravel_index(int(beyond.argmax()), beyond.shape)
    frame = setup.frame
    where = [f"unit {first + int(at[0])}"]
    where += [
        f"{dim} {quoted(str(frame[dim].to_numpy()[i]))}" if dim in frame.coords else f"{dim} {i}"
        for dim, i in zip(dims[1:], at[1:], strict=True)
    ]
    raise StoreError(
        f"{archive.path}: the predictor does not give the answers that are kept: {', '.join(where)}: {before[at]:.9g} "
        f"there, {now[at]:.9g} now, and its own rounding is {setup.roundings[name].max():.1g}; give another path as "
        "store=, and run the trial anew"
    )
