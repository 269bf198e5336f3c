"""Run a trial: from a design and a predictor to outcomes, in memory or in a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.errors import DesignError, StoreError, TrialInterruptedError, quoted, quoted_apart
from causalgia.notes import notes_of
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.schema import annotate, validate
from causalgia.streams import RNG
from causalgia.trial.analysis_check import check_analysis
from causalgia.trial.archive import UNIT, Archive, Field, open_archive, place_of
from causalgia.trial.attributes import known_tasks, n_known_answers
from causalgia.trial.capacity import check_memory, explain_memory_error
from causalgia.trial.in_memory import OutcomeBuffer, outcome_dims, outcomes_dataset, warn_constant
from causalgia.trial.local_turns import run_turns
from causalgia.trial.outcome_reductions import AllOutcomes, NamedArrays, RunningSums, TurnReduction
from causalgia.trial.progress import meter
from causalgia.trial.same_answers import take_over_answers
from causalgia.trial.setup import TrialSetup, set_up_trial
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import Trial, unit_coordinates

if TYPE_CHECKING:
    from distributed import Client


def run(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    analysis: Analysis | None = None,
    until: Until | None = None,
    store: str | os.PathLike[str] | None = None,
    client: Client | None = None,
    progress: bool = True,
    notes: Sequence[str] = (),
    same_answers: bool = False,
) -> xr.Dataset:
    """Run a trial and keep its outcomes, in memory or in a store; `causalgia.run` documents the arguments.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50)
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share")
    >>> run(design, share, rng=0)["outcome"].shape
    (50, 2, 1)
    """
    if analysis is None and isinstance(design, Design):
        analysis = design.planned()
    check_run_arguments(design, predictor, analysis, until)
    _check_until(until, store=store, client=client)
    place = None if store is None else place_of(store)
    reduction = AllOutcomes(outcome_dims(design, predictor))
    setup = set_up_trial(design, predictor, rng=rng, analysis=analysis, client=client, notes=notes)
    if place is not None:
        return run_stored(setup, reduction, place, client=client, progress=progress, same_answers=same_answers)
    check_memory(design, tasks=n_known_answers(predictor))
    with explain_memory_error(design), meter(design.n_units * outcomes_per_unit(design), show=progress) as advance:
        plan = setup.probe()
        gathered = OutcomeBuffer(setup.trial, plan, reduction)
        lay = partial(outcomes_dataset, setup.frame, reduction)
        if until is not None:
            outcomes = _run_until_stopped(until, design, lambda n: lay(gathered.up_to(n, advance)))
        else:
            for job in run_turns(
                setup.trial, plan, range(len(plan)), reduction=reduction, client=client, advance=advance
            ):
                gathered.put(*job)
            outcomes = lay(gathered.parts)
    warn_constant(outcomes["outcome"], predictor.tasks)
    return validate(outcomes, "outcomes")


def check_run_arguments(design: object, predictor: Predictor, analysis: object, until: object) -> None:
    """Raise DesignError unless design, predictor, analysis and stopping rule are valid and compatible."""
    if not isinstance(design, Design):
        raise DesignError(f"run(design, predictor): the first argument is {type(design).__name__}, not a cg.Design")
    check_predictor(predictor, "run(design, predictor)")
    if analysis is not None:
        if not isinstance(analysis, Analysis):
            raise DesignError(f"analysis= takes a cg.Analysis, not {type(analysis).__name__}")
        check_analysis(analysis, design, known_tasks(predictor))
    if until is not None:
        if not isinstance(until, Until):
            raise DesignError(f"until= takes cg.Precision(half_width=) or cg.Decided(rope=), not {quoted(until)}")
        if design.assignment != "crossover":
            raise DesignError("until= watches the individual effects of a crossover; a parallel trial has n_units=")
        until.schedule(design.n_units)  # which refuses units that are too few to decide anything


def _check_until(until: object, **others: object) -> None:
    for name, value in others.items():
        if until is not None and value is not None:
            raise DesignError(
                f"until= looks at outcomes as they come, in memory and in order: it goes with no {name}=; leave one out"
            )


def _run_until_stopped(until: Until, design: Design, up_to: Callable[[int], xr.Dataset]) -> xr.Dataset:
    """Predict more and more units until the rule stops the trial; return outcomes with the trajectory of looks."""
    looks: list[Look] = []
    for n in until.schedule(design.n_units):
        outcomes = up_to(n)
        looks.append(until.look(outcomes))
        if looks[-1].stop:
            break
    return with_looks(outcomes, looks, until, most=design.n_units)


class Look(Protocol):
    """Result of one interim look at the outcomes."""

    @property
    def stop(self) -> bool:
        """Whether the trial stops at this look."""

    @property
    def words(self) -> str:
        """The result as part of a sentence, such as "every interval is at most 0.1 to each side"."""

    @property
    def record(self) -> xr.Dataset:
        """``n_units, n_clusters ()`` and the intervals ``lower, upper (contrast, task[, model])``, with attrs."""


@runtime_checkable
class Until(Protocol):
    """A stopping rule: `causalgia.Precision` or `causalgia.Decided`."""

    def schedule(self, n_units: int) -> Iterable[int]:
        """Return the increasing numbers of units at which to look; the last is `n_units`, the maximum."""

    def look(self, outcomes: xr.Dataset) -> Look:
        """Analyze the outcomes of the first units."""


def with_looks(outcomes: xr.Dataset, looks: Sequence[Look], until: Until, *, most: int) -> xr.Dataset:
    """Return outcomes with the interim looks on the dim look, and where and why the trial ended."""
    trajectory = xr.concat([look.record for look in looks], dim="look")
    trajectory = trajectory.rename({str(name): f"look_{name}" for name in trajectory.data_vars})
    n, last = outcomes.sizes["unit"], looks[-1]
    where = f"stopped at {n:,} of at most {most:,} units" if last.stop else f"ended at the {most:,} units there are"
    sentence = f"{where}, look {len(looks)}: {last.words}"
    attrs = {"until": repr(until), "stopped": sentence} | {f"until_{name}": x for name, x in last.record.attrs.items()}
    return annotate(outcomes.assign(trajectory.data_vars).assign_attrs(attrs))


def run_stored(
    setup: TrialSetup,
    reduction: TurnReduction,
    path: Path,
    *,
    client: Client | None,
    progress: bool,
    same_answers: bool = False,
) -> xr.Dataset:
    """Run the part of a trial that a store lacks, and return the whole trial lazily.

    Raises
    ------
    StoreError
        If the store belongs to another trial (the message says what differs) or another version, or cannot be written.
    TrialInterruptedError
        At Ctrl-C; the answers so far are in the store.
    """
    archive, plan = open_or_create(setup, reduction, path, same_answers=same_answers)
    per_unit = outcomes_per_unit(setup.trial.design)
    with (
        archive,
        flush_on_interrupt(archive, path, plan.n_units),
        meter(plan.n_units * per_unit, show=progress) as advance,
    ):
        advance((plan.n_units - _n_missing(archive)) * per_unit)
        answers = run_turns(
            setup.trial,
            plan,
            archive.missing,
            reduction=reduction,
            client=client,
            advance=advance,
            lacks=lambda turn, model: archive.lacks(turn, model=model),
        )
        for turn, model, parts in answers:
            archive.put(turn, parts, model=model)
    found = annotate(open_archive(path))
    warn_constant(found["outcome"], tuple(map(str, found["task"].to_numpy())))
    return found


def open_or_create(
    setup: TrialSetup, reduction: TurnReduction, path: Path, *, same_answers: bool = False
) -> tuple[Archive, TurnPlan]:
    """Return the new or resumed store and the plan of turns; the predictor is probed only where that is needed.

    With `same_answers`, answers of another predictor are taken over if this one reproduces a sample of them.

    With `same_answers` what another predictor answered is taken over, where this one answers a part of it alike.
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
        _check_units(archive, plan)
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


def _check_units(archive: Archive, plan: TurnPlan) -> None:
    """Raise StoreError if the store was made for other units."""
    if list(archive.grid.turn_ends) != plan.ends.tolist():
        raise StoreError(
            f"{archive.path}: was made for other units ({archive.grid.n_units:,}) than the trial has ({plan}); give "
            "another path as store="
        )


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
def flush_on_interrupt(archive: Archive, path: Path, n_units: int) -> Iterator[None]:
    """At Ctrl-C, write the answers so far and say how to resume."""
    try:
        yield
    except KeyboardInterrupt as error:
        archive.flush()
        raise TrialInterruptedError(
            f"{path}: interrupted with {n_units - _n_missing(archive):,} of {n_units:,} units kept; the same call (or "
            "command) goes on from there"
        ) from error


def _n_missing(archive: Archive) -> int:
    """Return the number of units whose outcomes (or sums) the store lacks."""
    grid = archive.grid
    if grid.fields:
        return sum(last - first for first, last in map(grid.units, archive.missing))
    state = archive.state()
    return grid.n_units - (grid.turn_ends[state[0] - 1] if state is not None and state[0] else 0)


_SECONDS = 1.0
_SPARING = 20
"""Least pause between two saves of the sums, as a multiple of the time of the last save: saves take at most 1/20."""


def run_sums(
    setup: TrialSetup,
    reduction: RunningSums,
    path: Path | None,
    *,
    client: Client | None,
    progress: bool,
    same_answers: bool = False,
) -> None:
    """Run a trial, or the rest of it, and accumulate all turns in `reduction`.

    Raises
    ------
    StoreError
        If the store belongs to another trial (the message says what differs) or another version, or cannot be written.
    TrialInterruptedError
        At Ctrl-C in a stored trial; the sums over the first turns are in the store.
    """
    with ExitStack() as stack:
        archive, plan = (
            (None, setup.probe()) if path is None else open_or_create(setup, reduction, path, same_answers=same_answers)
        )
        if archive is not None and path is not None:
            stack.enter_context(archive)
            stack.enter_context(flush_on_interrupt(archive, path, plan.n_units))
        first = 0 if archive is None else _restore_sums(reduction, archive)
        advance = stack.enter_context(meter(plan.n_units * outcomes_per_unit(setup.trial.design), show=progress))
        if first:
            advance(plan.bounds(first - 1)[1] * outcomes_per_unit(setup.trial.design))
        turns = range(first, len(plan))
        answers = run_turns(setup.trial, plan, turns, reduction=reduction, client=client, advance=advance)
        _accumulate(reduction, plan, _ordered_turns(answers, setup.trial, reduction, first), archive)


def _restore_sums(reduction: RunningSums, archive: Archive) -> int:
    """Restore the sums of a store, and return the number of turns that they cover."""
    state = archive.state()
    if state is None:
        return 0
    try:
        reduction.restore(state[1])
    except StoreError as error:
        raise StoreError(f"{archive.path}: {error}; move the store away, and run the trial anew") from error
    return state[0]


def _accumulate(
    reduction: RunningSums, plan: TurnPlan, turns: Iterable[tuple[int, NamedArrays]], archive: Archive | None
) -> None:
    """Accumulate turn after turn; save the sums about every second and at the end."""
    last, pause = time.monotonic(), _SECONDS
    for turn, parts in turns:
        reduction.take(parts)
        started = time.monotonic()
        if archive is not None and (started - last >= pause or turn == len(plan) - 1):
            archive.put_state(reduction.state(), turns=turn + 1)
            last = time.monotonic()
            pause = max(_SECONDS, _SPARING * (last - started))


def _ordered_turns(
    answers: Iterable[tuple[int, int | None, NamedArrays]], trial: Trial, reduction: TurnReduction, first: int
) -> Iterator[tuple[int, NamedArrays]]:
    """Yield turns in order; the models of an ensemble that were asked separately are stacked again."""
    waiting: dict[int, dict[int, NamedArrays]] = {}
    n_parts = len(trial.predictor.parts)
    for turn, model, parts in answers:
        waiting.setdefault(turn, {})[0 if model is None else model] = parts
        while len(waiting.get(first, ())) == (1 if model is None else n_parts):
            yield first, _stack_models(waiting.pop(first), reduction, apart=model is not None)
            first += 1


def _stack_models(models: dict[int, NamedArrays], reduction: TurnReduction, *, apart: bool) -> NamedArrays:
    if not apart:
        return models[0]
    found = dict(models[0])
    for name, dims in reduction.dims.items():
        if "model" in dims:
            found[name] = np.stack([models[model][name] for model in sorted(models)], axis=-1)
    return found
