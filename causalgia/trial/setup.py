"""Setup of a trial: its identity, whether it is feasible, first answers; its store:
created, resumed or taken over.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.attributes import about, attributes
from causalgia.design import Design
from causalgia.design.arms import edits_of_arms
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    StoreError,
    caller_stacklevel,
    quoted,
    quoted_apart,
)
from causalgia.notes import LONGEST_ATTRIBUTE, edits_to_json, notes_of
from causalgia.predict import Predictor
from causalgia.predict.fingerprint import UNREAD
from causalgia.predict.predictor import LONG
from causalgia.schema import annotate
from causalgia.streams import RNG, Seed
from causalgia.trial.archive import Archive, Field
from causalgia.trial.attributes import (
    analysis_json,
    arm_coordinates,
    store_design,
    task_scale_coordinate,
    trial_attributes,
)
from causalgia.trial.design_notes import notes_of_design
from causalgia.trial.outcomes import TRANSFORMS, announce_cost, answer_floor
from causalgia.trial.source_sequences import SourceTrial
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import RunningSums, Trial, TurnReduction, unit_coordinates

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class TrialSetup:
    """A trial before its first answer.

    Attributes
    ----------
    trial
        Design, predictor and key.
    attrs
        Attributes of its outcomes.
    sources
        Source sequences that are predicted beside its units, if any.
    """

    trial: Trial
    attrs: dict[str, Any]
    _: KW_ONLY
    sources: SourceTrial | None = None

    def identity(self, reduction: TurnReduction) -> dict[str, str]:
        """Return the identity of the trial; a store with another identity is
        refused.
        """
        design, names = self.trial.design, self.trial.design.arm_names
        # the design in one line, so that an error shows which setting changed
        arms = ", ".join(names[:6]) + (
            f", ... ({len(names):,})" if len(names) > 6 else ""
        )
        text = (
            f"{design.n_units:,} units of {design.drawn.describe()}, "
            f"{design.assignment}, arms {arms}"
        )
        return {
            "design": f"{text} ({about(self).design_fingerprint})",
            "predictor": about(self).predictor_fingerprint,
            "rng": f"{self.trial.key:016x}",
            "analysis": about(self, "").analysis,
            "keep": reduction.name,
        }

    @property
    def parts(self) -> dict[str, str]:
        """Digests of the parts of the predictor's fingerprint, and versions that its
        code depends on.
        """
        torch = sys.modules.get("torch")
        versions = f"Python {about(self).python}, numpy {about(self).numpy}"
        named = versions if torch is None else f"{versions}, torch {torch.__version__}"
        return {**self.trial.predictor.fingerprint_parts, "versions": named}

    @property
    def roundings(self) -> dict[str, NDArray[np.float64]]:
        """Rounding error of the stored quantities, by field (their last dims); it has
        been measured.
        """
        assert self.trial.floor is not None, "the predictor has been met"
        return {"outcome": self.trial.floor[0]}

    def probe(self, *, resumed: bool = False) -> TurnPlan:
        """Predict a few units, so that tasks, batch sizes and rounding are known;
        return the plan of turns.

        A resumed trial has the size of rounding in its store.

        Raises
        ------
        DesignError
            If every unit comes out as one sequence.
        PredictorError
            If an answer is not finite, or depends on batch mates.
        """
        check_distinct(self.trial)
        self.trial.probe()
        if self.trial.announce and self.trial.design.null.length > LONG:
            announce_cost(self.trial)
        plan = self.trial.plan()
        self.trial.floor = None if resumed else answer_floor(self.trial)
        if self.sources is not None and not resumed:
            self.sources.predict(self.trial)
        return plan

    @property
    def frame(self) -> xr.Dataset:
        """The outcomes Dataset without units: arms, tasks, models, the design and the
        attributes.
        """
        design, predictor = self.trial.design, self.trial.predictor
        coords = {
            **predictor.coordinates,
            **task_scale_coordinate(predictor),
            **arm_coordinates(design.named_arms),
        }
        found = store_design(xr.Dataset(coords=coords, attrs=self.attrs), design)
        if self.source_outcomes is not None:
            found = found.assign(self.source_outcomes.variables)
            found = found.assign_attrs(self.source_outcomes.attrs)
        return annotate(
            found
            if self.trial.floor is None
            else found.assign(answer_floor=self.floor_by_scale)
        )

    @property
    def source_outcomes(self) -> xr.Dataset | None:
        """Outcomes of the source sequences, and attributes, once predicted."""
        return None if self.sources is None else self.sources.outcomes

    @property
    def floor_by_scale(self) -> xr.DataArray:
        """Rounding error of an answer, (transform, task[, model]); it has been
        measured.
        """
        coords = {"transform": list(TRANSFORMS), **self.trial.predictor.coordinates}
        return xr.DataArray(self.trial.floor, dims=tuple(coords), coords=coords)


def set_up_trial(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    analysis: Analysis | None,
    client: Client | None = None,
) -> TrialSetup:
    """Return a trial that is set up; nothing is drawn or predicted yet.

    Raises
    ------
    StoreError
        If a client is given that has no workers, or the predictor cannot be sent to
        them.
    """
    seed = Seed.parse(rng)
    # a network may count its calls
    attrs = trial_attributes(design, predictor, predictor.fingerprint, seed)
    # an empty plan, which a trial file without [analysis] is, is none at all
    planned = "" if analysis is None else analysis_json(analysis, design)
    if planned not in ("", Analysis().to_json()):
        attrs.update(attributes(analysis=planned))
    edits, requested = (
        edits_of_arms(design.named_arms),
        (analysis or Analysis()).asking(design.analysis_fields),
    )
    trial = Trial(design, predictor, seed.key)
    with explain_memory_error(design):
        notes = [
            *design.drawn.notes(design.n_units),
            *notes_of_design(design, requested, edits, key=trial.key),
        ]
    if notes:
        attrs.update(attributes(notes="\n".join(notes)))
    text = edits_to_json(edits)  # of hundreds of arms too long for an attribute
    if len(text) <= LONGEST_ATTRIBUTE:
        attrs.update(attributes(edits=text))
    if client is not None:
        from causalgia.workers import check_client
        from causalgia.workers.jobs import pickle_with_code

        check_client(client)
        pickle_with_code(trial, "the trial")
    return TrialSetup(trial, attrs)


_UNITS_LOOKED_AT = 16_384
_TOKENS = 2**26


def check_memory(design: Design, *, tasks: int) -> None:
    """Raise DesignError if the units and outcomes of a design exceed this machine's
    memory; nothing is allocated.

    Counted are 24 bytes of coordinates per unit and 4 bytes per outcome: a lower bound.

    Raises
    ------
    DesignError
        If they would not fit; says how much they would take.
    """
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        memory = math.inf
    if _bytes_needed(design, tasks) > memory:
        raise _memory_error(design, tasks)


def _bytes_needed(design: Design, tasks: int) -> int:
    answers = len(design.named_arms) if design.assignment == "crossover" else 1
    return design.null.length + design.n_units * (24 + 4 * answers * tasks)


def _memory_error(design: Design, tasks: int) -> DesignError:
    n, gib = design.n_units, _bytes_needed(design, tasks) / 2**30
    return DesignError(
        f"n_units={n:,}: units of {design.null.length:,} bp and their outcomes "
        f"would take {gib:,.1f} GiB, more than this machine's memory (store= keeps "
        "them on disk)"
    )


@contextmanager
def explain_memory_error(design: Design) -> Iterator[None]:
    """Say how much memory a design takes where memory runs out."""
    try:
        yield
    except MemoryError as error:
        raise _memory_error(design, 1) from error


def check_distinct(trial: Trial) -> None:
    """Raise or warn if the first units repeat and the null model could not predict
    that.

    Raises
    ------
    DesignError
        If every one of them came out as the same sequence.

    Warns
    -----
    DegenerateWarning
        If fewer than half of them are distinct sequences.
    """
    design = trial.design
    most = min(_UNITS_LOOKED_AT, max(_TOKENS // design.null.length, 2), design.n_units)
    if most == 1 or np.isfinite(design.drawn.log_reachable(design.n_units)):
        return
    tokens = trial.draw(0, most).tokens
    rows = np.ascontiguousarray(tokens)
    distinct = len(np.unique(rows.view(np.dtype((np.void, rows.shape[1])))))
    if distinct >= max(2, most / 2) or np.isfinite(design.drawn.log_reachable(most)):
        return
    if distinct == 1:
        raise DesignError(
            f"{most:,} units are the same sequence: "
            f"{design.drawn.describe()} hardly vary"
        )
    text = (
        f"{design.drawn.describe()}: only {distinct:,} of the first {most:,} units are "
        "distinct sequences"
    )
    warnings.warn(DegenerateWarning(text), stacklevel=caller_stacklevel())


def open_or_create(
    setup: TrialSetup,
    reduction: TurnReduction,
    path: Path,
    *,
    same_answers: bool = False,
) -> tuple[Archive, TurnPlan]:
    """Return the new or resumed store and the plan of turns; the predictor is probed
    only where that is needed.

    With `same_answers`, answers of another predictor are taken over if this one
    reproduces a sample of them.
    """
    identity, parts = setup.identity(reduction), setup.parts
    if not Archive.exists(path):
        plan = setup.probe()
        return Archive.create(
            path,
            identity=identity,
            fields=store_fields(setup, reduction),
            plan=plan,
            frame=setup.frame,
            settled=setup.trial.settings,
            parts=parts,
        ), plan
    archive = Archive.resume(
        path, identity=identity, parts=parts, but=("predictor",) if same_answers else ()
    )
    try:
        setup.trial.apply_settings(
            _as_part_settings(archive, len(setup.trial.predictor.parts))
        )
        plan = archive.plan
        if plan.n_units != setup.trial.design.n_units:
            raise StoreError(
                f"{archive.path}: was made for {plan.n_units:,} units, and the trial has "
                f"{setup.trial.design.n_units:,}"
            )
        other = archive.identity != identity
        if archive.missing or other:
            setup.probe(resumed=not other)
            _check_fields(archive, store_fields(setup, reduction))
            if not other and identity["predictor"].endswith(UNREAD):
                _compare_one_turn(setup, reduction, archive, plan)
        if other:
            note = take_over_answers(setup, reduction, archive, plan)
            attrs = attributes(predictor_fingerprint=about(setup).predictor_fingerprint)
            archive.take_over(
                identity,
                parts,
                attrs | {"notes": "\n".join([*notes_of(archive.frame), note])},
            )
    except BaseException:
        archive.release()
        raise
    return archive, plan


def _as_part_settings(archive: Archive, n_parts: int) -> list[dict[str, Any]]:
    """Return the batch sizes and algorithm choices of each part of the predictor, as
    fixed when the trial began.
    """
    match archive.settled:
        case [*parts] if len(parts) == n_parts and all(map(_is_part_settings, parts)):
            return parts
    raise StoreError(
        f"{archive.path}: it has no batch sizes and choices of {n_parts} predictors"
    )


def _is_part_settings(part: object) -> bool:
    match part:
        case {"batches": dict(batches), "choices": dict(choices), **more}:
            lengths = all(
                name.isascii() and name.isdecimal() and len(name) < 16
                for name in batches
            )
            sizes = all(
                type(size) is int and 0 < size < 2**31 for size in batches.values()
            )
            return (
                not more
                and lengths
                and sizes
                and all(type(choice) is bool for choice in choices.values())
            )
    return False


def _check_fields(archive: Archive, fields: tuple[Field, ...]) -> None:
    """Raise StoreError if the store was made for outcomes of other dims, shapes or a
    narrower dtype.
    """
    mine = {field.name: (field.dims, field.shape) for field in fields}
    theirs = {field.name: (field.dims, field.shape) for field in archive.fields}
    differ = sorted(
        name
        for name in mine.keys() | theirs.keys()
        if mine.get(name) != theirs.get(name)
    )
    if differ:
        there, now = quoted_apart(theirs.get(differ[0]), mine.get(differ[0]))
        raise StoreError(
            f"{archive.path}: was made for other answers than the predictor "
            f"gives: {quoted(differ[0])} has dims, shape {there} there, {now} now"
        )
    held = {field.name: field.dtype for field in archive.fields}
    for field in fields if archive.missing else ():
        if not np.can_cast(field.dtype, held[field.name], "safe"):
            raise StoreError(
                f"{archive.path}: keeps {quoted(field.name)} as "
                f"{np.dtype(held[field.name])}, which cannot hold the predictor's "
                f"{np.dtype(field.dtype)}"
            )


def store_fields(setup: TrialSetup, reduction: TurnReduction) -> tuple[Field, ...]:
    """Return the variables that a store has for each unit: reduced outcomes, and
    coordinates of the unit.
    """
    if isinstance(reduction, RunningSums):
        return ()
    trial = setup.trial
    assert trial.answer_like is not None, "the predictor has been met"
    arms = (
        (len(trial.design.named_arms),)
        if trial.design.assignment == "crossover"
        else ()
    )
    outcome = np.broadcast_to(trial.answer_like, (1, *arms, *trial.answer_like.shape))
    parts = {**unit_coordinates(trial, trial.draw(0, 1)), **reduction.reduce(outcome)}
    return tuple(
        Field(name, reduction.dims.get(name, ("unit",)), part.shape[1:], part.dtype.str)
        for name, part in parts.items()
    )


@contextmanager
def flush_on_interrupt(archive: Archive) -> Iterator[None]:
    """At Ctrl-C, write the answers so far and say how to resume."""
    try:
        yield
    except KeyboardInterrupt as error:
        archive.flush()
        n = archive.plan.n_units
        raise KeyboardInterrupt(
            f"{archive.path}: interrupted with {n - n_missing(archive):,} of {n:,} "
            "units kept; the same call (or command) continues from there"
        ) from error


def n_missing(archive: Archive) -> int:
    """Return the number of units whose outcomes (or sums) the store lacks."""
    plan = archive.plan
    if archive.fields:
        return sum(last - first for first, last in map(plan.bounds, archive.missing))
    state = archive.state()
    return plan.n_units - (
        plan.bounds(state[0] - 1)[1] if state is not None and state[0] else 0
    )


# sequences to predict again, the least and largest number of units, and the number of
# turns they come from
_ROWS_COMPARED = 2_048
_LEAST_UNITS_COMPARED = 8
_MOST_UNITS_COMPARED = 256
_TURNS_COMPARED = 16
_TIMES = 4
"""Tolerated difference in multiples of the measured rounding: both answers are rounded,
and the sample was small.
"""


def take_over_answers(
    setup: TrialSetup, reduction: TurnReduction, archive: Archive, plan: TurnPlan
) -> str:
    """Predict a sample of the stored answers again; return the note that says what is
    taken over.

    Up to 256 units, from up to 16 turns spread evenly over the stored ones, are
    predicted under every arm.

    Parameters
    ----------
    setup, reduction, plan
        The trial, whose predictor has been probed and its rounding measured.
    archive
        The answers of the other predictor.

    Raises
    ------
    StoreError
        If an answer differs by more than 4 times the predictor's own rounding (unit,
        arm and task are named), tasks, models or the scale differ, or nothing is kept
        that could be compared.
    """
    if isinstance(reduction, RunningSums):
        raise StoreError(
            f"{archive.path}: keeps sums, not predictions that could be compared "
            "with those of this predictor"
        )
    _check_frames(setup, archive)
    lacking = set(archive.missing)
    turns = [turn for turn in range(len(plan)) if turn not in lacking]
    if not turns:
        raise StoreError(
            f"{archive.path}: has no complete block of predictions yet that could "
            "be compared"
        )
    chosen = [
        turns[int(i)]
        for i in np.unique(np.linspace(0, len(turns) - 1, _TURNS_COMPARED).round())
    ]
    most = int(
        np.clip(
            _ROWS_COMPARED // outcomes_per_unit(setup.trial.design),
            _LEAST_UNITS_COMPARED,
            _MOST_UNITS_COMPARED,
        )
    )
    n_compared = sum(
        _compare_turn(
            setup, reduction, archive, plan, turn, max(1, most // len(chosen))
        )
        for turn in chosen
    )
    members = [model for model in archive.models if model is not None]
    by_model = [
        turn
        for turn in lacking
        if not all(archive.lacks(turn, model=model) for model in members)
    ]
    n = sum(last - first for first, last in map(plan.bounds, [*turns, *by_model]))
    moved = archive.moved(setup.parts)
    return (
        f"{n:,} of {plan.n_units:,} units were predicted by another predictor "
        f"({archive.identity['predictor']}{moved and '; '}{moved}) and are reused: "
        f"{n_compared:,} of them, predicted again, agree within rounding"
    )


def _check_frames(setup: TrialSetup, archive: Archive) -> None:
    """Raise StoreError if tasks, models or scale differ."""
    mine, theirs = setup.frame, archive.frame
    for name in ("task", "model", "task_scale"):
        one, other = (
            frame[name].to_numpy().tolist() if name in frame.coords else []
            for frame in (mine, theirs)
        )
        if one != other:
            raise StoreError(
                f"{archive.path}: has answers of the {name.replace('_', ' ')}s "
                f"{other}, not {one}"
            )
    if about(mine).scale != about(theirs, None).scale:
        raise StoreError(
            f"{archive.path}: has answers on the scale "
            f"{quoted(about(theirs, None).scale)}, not {quoted(about(mine).scale)}"
        )


def _compare_one_turn(
    setup: TrialSetup, reduction: TurnReduction, archive: Archive, plan: TurnPlan
) -> None:
    """Predict the first stored turn again, where a fingerprint does not tell whether
    the predictor is the same; a store of sums has none to compare with.

    Raises
    ------
    StoreError
        If an answer differs by more than 4 times the predictor's own rounding.
    """
    stored = [turn for turn in range(len(plan)) if turn not in set(archive.missing)]
    if isinstance(reduction, RunningSums) or not stored:
        return
    first, last = plan.bounds(stored[0])
    setup.trial.floor = answer_floor(setup.trial)
    _compare_turn(setup, reduction, archive, plan, stored[0], last - first)
    setup.trial.floor = None


def _compare_turn(
    setup: TrialSetup,
    reduction: TurnReduction,
    archive: Archive,
    plan: TurnPlan,
    turn: int,
    n: int,
) -> int:
    """Compare the stored values of the first units of a turn with new predictions;
    return the number of units.
    """
    first, last = plan.bounds(turn)
    n = min(n, last - first)
    made = setup.trial.prepare(first, first + n)
    now = {
        **unit_coordinates(setup.trial, made.units),
        **reduction.reduce(setup.trial.answer(made)),
    }
    before = archive.values_of(turn)
    for name, values in now.items():
        here = before[name][:n].reshape(values.shape)
        if name in setup.roundings:
            _check_close(
                setup, archive, name, reduction.dims[name], first, here, values
            )
        elif not np.array_equal(here, values):
            raise StoreError(
                f"{archive.path}: {name} of units {first:,} to {first + n - 1:,} differ"
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
    """Raise StoreError if answers differ by more than rounding; names the one that
    differs most.
    """
    allowed = np.broadcast_to(_TIMES * setup.roundings[name], now.shape)
    beyond = np.abs(now.astype(np.float64) - before) - allowed
    if not (beyond > 0).any():
        return
    at = np.unravel_index(int(beyond.argmax()), beyond.shape)
    frame = setup.frame
    where = [f"unit {first + int(at[0])}"]
    where += [
        f"{dim} {quoted(str(frame[dim].to_numpy()[i]))}"
        if dim in frame.coords
        else f"{dim} {i}"
        for dim, i in zip(dims[1:], at[1:], strict=True)
    ]
    raise StoreError(
        f"{archive.path}: the predictor does not give the answers that are kept: "
        f"{', '.join(where)}: {before[at]:.9g} there, {now[at]:.9g} now, and its "
        f"own rounding is {allowed[at] / _TIMES:.1g}"
    )
