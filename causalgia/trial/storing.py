"""A trial kept on disk as it is carried out: begun, gone on with, or found finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from causalgia.errors import StoreError, TrialInterruptedError, quoted, quoted_apart
from causalgia.notes import notes_of
from causalgia.schema import annotate
from causalgia.trial.archive import UNIT, Archive, Field, open_archive
from causalgia.trial.execution import carried, unit_parts
from causalgia.trial.in_memory import warn_constant
from causalgia.trial.progress import meter
from causalgia.trial.reductions import Kept, Summary
from causalgia.trial.same_answers import taken_over
from causalgia.trial.setup import Begun
from causalgia.trial.turn_plan import Plan, columns

if TYPE_CHECKING:
    from distributed import Client


def stored(
    begun: Begun, kept: Kept, path: Path, *, client: Client | None, progress: bool, same_answers: bool = False
) -> xr.Dataset:
    """Carry out what a store lacks of a trial, and return all of it, lazily.

    Raises
    ------
    StoreError
        If the store is another trial's (says what differs), of another version, or cannot be written.
    TrialInterruptedError
        At Ctrl-C; what was answered is in the store.
    """
    archive, plan = opened(begun, kept, path, same_answers=same_answers)
    per_unit = columns(begun.trial.design)
    with (
        archive,
        interruptible(archive, path, plan.n_units),
        meter(plan.n_units * per_unit, show=progress) as advance,
    ):
        advance((plan.n_units - _n_missing(archive)) * per_unit)
        answers = carried(
            begun.trial,
            plan,
            archive.missing,
            kept=kept,
            client=client,
            advance=advance,
            lacks=lambda turn, model: archive.lacks(turn, model=model),
        )
        for turn, model, parts in answers:
            archive.put(turn, parts, model=model)
    found = annotate(open_archive(path))
    warn_constant(found["outcome"], tuple(map(str, found["task"].to_numpy())))
    return found


def opened(begun: Begun, kept: Kept, path: Path, *, same_answers: bool = False) -> tuple[Archive, Plan]:
    """Return the store, new or as far as it is, and the cut of the trial; the predictor is met where it is needed.

    With `same_answers` what another predictor answered is taken over, where this one answers a part of it alike.
    """
    identity, parts = begun.identity(kept), begun.parts
    if not Archive.exists(path):
        plan = begun.meet()
        ends = plan.ends.tolist()
        fields, frame = fields_of(begun, kept), begun.frame
        return Archive.create(
            path,
            identity=identity,
            fields=fields,
            turn_ends=ends,
            turns_a_chunk=plan.chunk,
            frame=frame,
            settled=begun.trial.settled,
            parts=parts,
        ), plan
    archive = Archive.resume(path, identity=identity, parts=parts, but=("predictor",) if same_answers else ())
    try:
        begun.trial.settle(_as_settled(archive, len(begun.trial.predictor.parts)))
        plan = Plan(begun.trial.design.n_units, archive.grid.turn_ends[0], archive.grid.turns_a_chunk)
        _check_units(archive, plan)
        other = archive.identity != identity
        if archive.missing or other:
            begun.meet(resumed=not other)
            _check_fields(archive, fields_of(begun, kept))
        if other:
            note = taken_over(begun, kept, archive, plan)
            attrs = {"predictor_fingerprint": begun.attrs["predictor_fingerprint"]}
            archive.take_over(identity, parts, attrs | {"notes": "\n".join([*notes_of(archive.frame), note])})
    except BaseException:
        archive.release()
        raise
    return archive, plan


def _as_settled(archive: Archive, n_parts: int) -> list[dict[str, Any]]:
    """Return what the trial settled on when it was begun: batch sizes by length, and choices, of each part."""
    match archive.settled:
        case [*parts] if len(parts) == n_parts and all(map(_is_settled, parts)):
            return parts
    raise StoreError(
        f"{archive.path}: the manifest has no batch sizes and choices of {n_parts} predictors; move the store "
        "away, and run the trial anew"
    )


def _is_settled(part: object) -> bool:
    match part:
        case {"batches": dict(batches), "choices": dict(choices), **more}:
            lengths = all(name.isascii() and name.isdecimal() and len(name) < 16 for name in batches)
            sizes = all(type(size) is int and 0 < size < 2**31 for size in batches.values())
            return not more and lengths and sizes and all(type(choice) is bool for choice in choices.values())
    return False


def _check_units(archive: Archive, plan: Plan) -> None:
    """Refuse to go on with a store that was made for other units."""
    if list(archive.grid.turn_ends) != plan.ends.tolist():
        raise StoreError(
            f"{archive.path}: was made for other units ({archive.grid.n_units:,}) than the trial has ({plan}); give "
            "another path as store="
        )


def _check_fields(archive: Archive, fields: tuple[Field, ...]) -> None:
    """Refuse to fill a store that was made for other answers."""
    mine = {field.name: (field.dims, field.shape) for field in fields}
    theirs = {field.name: (field.dims, field.shape) for field in archive.grid.fields if field != UNIT}
    differ = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    if differ:
        there, now = quoted_apart(theirs.get(differ[0]), mine.get(differ[0]))
        raise StoreError(
            f"{archive.path}: was made for other answers than the predictor gives: {quoted(differ[0])} has dims, "
            f"shape {there} there, {now} now; give another path as store="
        )


def fields_of(begun: Begun, kept: Kept) -> tuple[Field, ...]:
    """Return what a store has for each unit: what is kept of an outcome, and what is known of the unit itself."""
    if isinstance(kept, Summary):
        return ()
    trial = begun.trial
    assert trial.answer_like is not None, "the predictor has been met"
    arms = (len(trial.design.named_arms),) if trial.design.assignment == "crossover" else ()
    outcome = np.broadcast_to(trial.answer_like, (1, *arms, *trial.answer_like.shape))
    parts = {**unit_parts(trial, trial.draw(0, 1)), **kept.reduce(outcome)}
    return tuple(
        Field(name, kept.dims.get(name, ("unit",)), part.shape[1:], part.dtype.str) for name, part in parts.items()
    )


@contextmanager
def interruptible(archive: Archive, path: Path, n_units: int) -> Iterator[None]:
    """At Ctrl-C keep what was answered, and say how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        archive.flush()
        raise TrialInterruptedError(
            f"{path}: interrupted with {n_units - _n_missing(archive):,} of {n_units:,} units kept; the same call (or "
            "command) goes on from there"
        ) from error


def _n_missing(archive: Archive) -> int:
    """Return the units that a store lacks of outcomes, or of sums."""
    grid = archive.grid
    if grid.fields:
        return sum(last - first for first, last in map(grid.units, archive.missing))
    state = archive.state()
    return grid.n_units - (grid.turn_ends[state[0] - 1] if state is not None and state[0] else 0)
