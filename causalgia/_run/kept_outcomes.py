"""Trials that keep their outcomes: in memory, until a rule stops them, or in a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import xarray as xr

from causalgia._run.request import Look, RunRequest, Until
from causalgia.design import Design
from causalgia.schema import annotate, validate
from causalgia.trial.archive import open_archive
from causalgia.trial.attributes import n_known_answers
from causalgia.trial.outcome_reductions import AllOutcomes
from causalgia.trial.outcomes import OutcomeBuffer, outcome_dims, outcomes_dataset, run_turns, warn_constant
from causalgia.trial.progress import meter
from causalgia.trial.resumed_store import flush_on_interrupt, n_missing, open_or_create
from causalgia.trial.setup import TrialSetup, check_memory, explain_memory_error
from causalgia.trial.turn_plan import outcomes_per_unit


def run_outcomes(request: RunRequest) -> xr.Dataset:
    """Run a trial and keep its outcomes."""
    setup = request.set_up()
    reduction = AllOutcomes(outcome_dims(request.design, request.predictor))
    found = (_hold_outcomes if request.path is None else _store_outcomes)(request, setup, reduction)
    warn_constant(found["outcome"])
    return found


def _hold_outcomes(request: RunRequest, setup: TrialSetup, reduction: AllOutcomes) -> xr.Dataset:
    """Run a trial in memory, to its end or until its rule stops it."""
    design, client = request.design, request.client
    check_memory(design, tasks=n_known_answers(request.predictor))
    with explain_memory_error(design), meter(design.n_units * outcomes_per_unit(design), show=request.progress) as done:
        plan = setup.probe()
        gathered = OutcomeBuffer(setup.trial, plan, reduction)
        label = partial(outcomes_dataset, setup.frame, reduction)
        if request.until is not None:
            return validate(_run_until(request.until, design, lambda n: label(gathered.up_to(n, done))), "outcomes")
        turns = range(len(plan))
        for job in run_turns(setup.trial, plan, turns, reduction=reduction, client=client, advance=done):
            gathered.put(*job)
        return validate(label(gathered.parts), "outcomes")


def _run_until(until: Until, design: Design, up_to: Callable[[int], xr.Dataset]) -> xr.Dataset:
    """Predict more and more units until the rule stops the trial; return outcomes with the trajectory of looks."""
    looks: list[Look] = []
    for n in until.schedule(design.n_units):
        outcomes = up_to(n)
        looks.append(until.look(outcomes))
        if looks[-1].stop:
            break
    return _with_looks(outcomes, looks, until, most=design.n_units)


def _with_looks(outcomes: xr.Dataset, looks: Sequence[Look], until: Until, *, most: int) -> xr.Dataset:
    """Return outcomes with the interim looks on the dim look, and where and why the trial ended."""
    trajectory = xr.concat([look.record for look in looks], dim="look")
    trajectory = trajectory.rename({str(name): f"look_{name}" for name in trajectory.data_vars})
    n, last = outcomes.sizes["unit"], looks[-1]
    where = f"stopped at {n:,} of at most {most:,} units" if last.stop else f"ended at the {most:,} units there are"
    sentence = f"{where}, look {len(looks)}: {last.words}"
    attrs = {"until": repr(until), "stopped": sentence} | {f"until_{name}": x for name, x in last.record.attrs.items()}
    return annotate(outcomes.assign(trajectory.data_vars).assign_attrs(attrs))


def _store_outcomes(request: RunRequest, setup: TrialSetup, reduction: AllOutcomes) -> xr.Dataset:
    """Run the part of a trial that a store lacks, and return the whole trial lazily."""
    assert request.path is not None
    archive, plan = open_or_create(setup, reduction, request.path, same_answers=request.same_answers)
    per_unit = outcomes_per_unit(request.design)
    with (
        archive,
        flush_on_interrupt(archive),
        meter(plan.n_units * per_unit, show=request.progress) as advance,
    ):
        advance((plan.n_units - n_missing(archive)) * per_unit)
        answers = run_turns(
            setup.trial,
            plan,
            archive.missing,
            reduction=reduction,
            client=request.client,
            advance=advance,
            lacks=lambda turn, model: archive.lacks(turn, model=model),
        )
        for turn, model, parts in answers:
            archive.put(turn, parts, model=model)
    return annotate(open_archive(request.path))
