"""A trial in a store: created, resumed, or taken over from another predictor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import StoreError, TrialInterruptedError, quoted, quoted_apart
from causalgia.notes import notes_of
from causalgia.trial.archive import UNIT, Archive, Field
from causalgia.trial.setup import TrialSetup
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import RunningSums, TurnReduction, unit_coordinates


def open_or_create(
    setup: TrialSetup, reduction: TurnReduction, path: Path, *, same_answers: bool = False
) -> tuple[Archive, TurnPlan]:
    """Return the new or resumed store and the plan of turns; the predictor is probed only where that is needed.

    With `same_answers`, answers of another predictor are taken over if this one reproduces a sample of them.
    """
    identity, parts = setup.identity(reduction), setup.parts
    if not Archive.exists(path):
        plan = setup.probe()
        ends = plan.ends.tolist()
        fields, frame = store_fields(setup, reduction), setup.frame
        return Archive.create(
            path,
            identity=identity,
            fields=fields,
            turn_ends=ends,
            turns_a_chunk=plan.chunk,
            frame=frame,
            settled=setup.trial.settings,
            parts=parts,
        ), plan
    archive = Archive.resume(path, identity=identity, parts=parts, but=("predictor",) if same_answers else ())
    try:
        setup.trial.apply_settings(_as_part_settings(archive, len(setup.trial.predictor.parts)))
        plan = TurnPlan(setup.trial.design.n_units, archive.grid.turn_ends[0], archive.grid.turns_a_chunk)
        if list(archive.grid.turn_ends) != plan.ends.tolist():
            raise StoreError(
                f"{archive.path}: was made for other units ({archive.grid.n_units:,}) than the trial has ({plan}); "
                "give another path as store="
            )
        other = archive.identity != identity
        if archive.missing or other:
            setup.probe(resumed=not other)
            _check_fields(archive, store_fields(setup, reduction))
        if other:
            note = take_over_answers(setup, reduction, archive, plan)
            attrs = {"predictor_fingerprint": setup.attrs["predictor_fingerprint"]}
            archive.take_over(identity, parts, attrs | {"notes": "\n".join([*notes_of(archive.frame), note])})
    except BaseException:
        archive.release()
        raise
    return archive, plan


def _as_part_settings(archive: Archive, n_parts: int) -> list[dict[str, Any]]:
    """Return the batch sizes and algorithm choices of each part of the predictor, as fixed when the trial began."""
    match archive.settled:
        case [*parts] if len(parts) == n_parts and all(map(_is_part_settings, parts)):
            return parts
    raise StoreError(
        f"{archive.path}: the manifest has no batch sizes and choices of {n_parts} predictors; move the store "
        "away, and run the trial anew"
    )


def _is_part_settings(part: object) -> bool:
    match part:
        case {"batches": dict(batches), "choices": dict(choices), **more}:
            lengths = all(name.isascii() and name.isdecimal() and len(name) < 16 for name in batches)
            sizes = all(type(size) is int and 0 < size < 2**31 for size in batches.values())
            return not more and lengths and sizes and all(type(choice) is bool for choice in choices.values())
    return False


def _check_fields(archive: Archive, fields: tuple[Field, ...]) -> None:
    """Raise StoreError if the store was made for outcomes of other dims or shapes."""
    mine = {field.name: (field.dims, field.shape) for field in fields}
    theirs = {field.name: (field.dims, field.shape) for field in archive.grid.fields if field != UNIT}
    differ = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    if differ:
        there, now = quoted_apart(theirs.get(differ[0]), mine.get(differ[0]))
        raise StoreError(
            f"{archive.path}: was made for other answers than the predictor gives: {quoted(differ[0])} has dims, "
            f"shape {there} there, {now} now; give another path as store="
        )


def store_fields(setup: TrialSetup, reduction: TurnReduction) -> tuple[Field, ...]:
    """Return the variables that a store has for each unit: reduced outcomes, and coordinates of the unit."""
    if isinstance(reduction, RunningSums):
        return ()
    trial = setup.trial
    assert trial.answer_like is not None, "the predictor has been met"
    arms = (len(trial.design.named_arms),) if trial.design.assignment == "crossover" else ()
    outcome = np.broadcast_to(trial.answer_like, (1, *arms, *trial.answer_like.shape))
    parts = {**unit_coordinates(trial, trial.draw(0, 1)), **reduction.reduce(outcome)}
    return tuple(
        Field(name, reduction.dims.get(name, ("unit",)), part.shape[1:], part.dtype.str) for name, part in parts.items()
    )


@contextmanager
def flush_on_interrupt(archive: Archive) -> Iterator[None]:
    """At Ctrl-C, write the answers so far and say how to resume."""
    try:
        yield
    except KeyboardInterrupt as error:
        archive.flush()
        n = archive.grid.n_units
        raise TrialInterruptedError(
            f"{archive.path}: interrupted with {n - n_missing(archive):,} of {n:,} units kept; the same call (or "
            "command) continues from there"
        ) from error


def n_missing(archive: Archive) -> int:
    """Return the number of units whose outcomes (or sums) the store lacks."""
    grid = archive.grid
    if grid.fields:
        return sum(last - first for first, last in map(grid.units, archive.missing))
    state = archive.state()
    return grid.n_units - (grid.turn_ends[state[0] - 1] if state is not None and state[0] else 0)


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
    n_compared = sum(
        _compare_turn(setup, reduction, archive, plan, turn, max(1, most // len(chosen))) for turn in chosen
    )
    members = [model for model in archive.grid.models if model is not None]
    by_model = [turn for turn in lacking if not all(archive.lacks(turn, model=model) for model in members)]
    n = sum(last - first for first, last in map(plan.bounds, [*turns, *by_model]))
    moved = archive.moved(setup.parts)
    return (
        f"{n:,} of {plan.n_units:,} units were answered by another predictor ({archive.identity['predictor']}"
        f"{moved and '; '}{moved}) and taken over: {n_compared:,} of them, asked again, had the same answers within "
        "rounding"
    )


def _check_frames(setup: TrialSetup, archive: Archive) -> None:
    """Raise StoreError if tasks, models or scale differ."""
    mine, theirs = setup.frame, archive.frame
    for name in ("task", "model", "task_scale"):
        one, other = (frame[name].to_numpy().tolist() if name in frame.coords else [] for frame in (mine, theirs))
        if one != other:
            raise StoreError(
                f"{archive.path}: has answers of the {name.replace('_', ' ')}s {other}, not {one}; give another path "
                "as store="
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
