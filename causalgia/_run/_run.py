"""`run`: run a trial and keep its outcomes, its individual effects, or their
moments.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from causalgia._run import kept_effects
from causalgia._run.kept_effects import run_effects
from causalgia._run.request import Keep, Look, RunRequest, Until
from causalgia.analysis import Analysis
from causalgia.attributes import attributes
from causalgia.design import Design
from causalgia.errors import StoreError
from causalgia.inputs import not_written, parse_json, read_text
from causalgia.numerics.float_errors import usual_errors
from causalgia.outcome_values import with_first_unit
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG
from causalgia.trial.archive import (
    open_archive,
    place_of,
    replace,
    saved_sums,
    state_of_trial,
)
from causalgia.trial.attributes import n_known_answers
from causalgia.trial.outcomes import (
    OutcomeBuffer,
    meter,
    outcome_dims,
    outcomes_dataset,
    run_turns,
    warn_constant,
)
from causalgia.trial.setup import (
    TrialSetup,
    check_memory,
    explain_memory_error,
    flush_on_interrupt,
    n_missing,
    open_or_create,
)
from causalgia.trial.turn_plan import outcomes_per_unit
from causalgia.trial.turns import AllOutcomes
from causalgia.types import Client

_LARGEST_MARKS, _MACHINE = 1_000_000, ("threads", "torch")


def open_store(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a finished trial on disk: the result of ``cg.run(..., store=path)``.

    Variables with a value for each unit are lazy (dask), a chunk for each file; every
    verb accepts them and returns the same results as in memory, bit for bit.

    Parameters
    ----------
    path
        The folder that was given as ``store=``.

    Returns
    -------
    Dataset
        Outcomes, effects or moments, as given by ``keep=``.

    Raises
    ------
    StoreError
        If there is no trial at the path, it is not finished (says how far it is), is of
        another version, or damaged.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30), arms=arms, n_units=50, contrasts="untreated"
    ... )
    >>> path = tempfile.mkdtemp() + "/trial.zarr"
    >>> effects = cg.run(
    ...     design, cg.zoo.oracle("rbfox1_like"), rng=0, store=path, keep="effects"
    ... )
    >>> open_store(path).identical(effects)
    True
    """
    place = place_of(path)
    raw = annotate(open_archive(place)).assign_attrs(protocol_marks(place) or {})
    if "outcome" in raw:
        return annotate(with_first_unit(raw))
    state = saved_sums(place)
    from causalgia._run import running_moments

    with state_of_trial(place):
        if "ice" in raw and kept_effects.has_summary(state, n_units=raw.sizes["unit"]):
            return kept_effects.with_summary(raw, state)
        if "ice" not in raw and running_moments.has_moments(state):
            return running_moments.moments_dataset(raw, state)
    raise StoreError(f"{place}: not finished; the same cg.run(..., store=) resumes it")


def protocol_marks(path: Path) -> dict[str, Any] | None:
    """Return what marks a trial on disk as run under a lock, kept in a file beside it;
    None of another trial.

    Raises
    ------
    StoreError
        If the file cannot be read.
    """
    beside = _marks_file(path)
    if not beside.exists():
        return None
    text = read_text(beside, StoreError, most=_LARGEST_MARKS)
    marks: dict[str, Any] = parse_json(text, StoreError, source=str(beside))
    known = isinstance(marks, dict) and all(
        name.startswith("protocol") or name in _MACHINE for name in marks
    )
    if not known or not all(isinstance(value, str | int) for value in marks.values()):
        raise StoreError(f"{beside}: no marks of a protocol")
    return marks


def write_protocol_marks(path: Path, marks: Mapping[str, Any]) -> None:
    """Keep the marks of a trial that is run under a lock in a file beside it.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    beside = _marks_file(path)
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        replace(beside, (json.dumps(dict(marks), indent=1) + "\n").encode())
    except OSError as error:
        raise not_written(beside, error, StoreError) from error


def _marks_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.protocol.json")


@usual_errors
def run(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    store: str | os.PathLike[str] | None = None,
    same_answers: bool = False,
    keep: Keep = "outcomes",
    client: Client | None = None,
    analysis: Analysis | None = None,
    until: Until | None = None,
    progress: bool = True,
    real: int | Source | Literal["parents"] | None = None,
) -> xr.Dataset:
    """Run a trial: draw units from the null model, apply every arm, and collect the
    predictor's outcomes.

    This is the first verb of a trial; `causalgia.contrast` or `causalgia.analyze`
    follows. The outcome of unit u under arm a is ``Y_u(a) = f(a(u))``. Only the design,
    the predictor and `rng` determine it, not batch size, workers, storage or
    interruptions.

    Parameters
    ----------
    design
        The null model, the arms and the number of units.
    predictor
        The network as a function, such as a `cg.TorchPredictor`.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    store
        Folder (zarr) in which the trial is saved while it runs; the same call resumes
        it, and the result is lazy, as from `causalgia.open`. None: in memory.
    same_answers
        Resume a store with a changed predictor, if it reproduces the answers of up to
        256 stored units.
    keep
        ``"outcomes"``; ``"effects"``, the individual effects of the contrasts of the
        design or the analysis; or ``"moments"``, their moments, in memory that does not
        grow with the number of units. The last two need a crossover.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers predict.
    analysis
        The planned analysis, stored with the outcomes. None: that of the design.
    until
        Stopping rule, `causalgia.Decided`, for a crossover in memory of at most
        ``design.n_units`` units.
    progress
        Whether to draw a progress bar on a terminal.
    real
        How many of the sequences that the null model is made of (``of=``) are
        predicted beside the units, untreated and under up to five arms of its contrasts
        (Notes). Or natural sequences of the length of the backgrounds, or ``"parents"``
        for those of the null model: ten are predicted so, and a note names the tasks in
        which null model and data hardly overlap (up to 200 of each are predicted).

    Returns
    -------
    Dataset
        ``outcome (unit, arm, task[, model])`` in the predictor's dtype, on
        ``attrs["scale"]``; in a parallel trial, ``outcome (unit, task[, model])`` and
        ``assigned (unit)``. ``keep="effects"``: the result of `causalgia.contrast`.
        ``keep="moments"``: the input of `causalgia.estimate`. With `until`, also the
        interim intervals on the dim ``look``, and ``attrs["stopped"]``.

    Raises
    ------
    DesignError
        If all units are one sequence, an arm cannot be applied, the result does not fit
        into memory, the analysis names what the outcomes will not have, or `until` or
        `keep` does not go with the trial.
    PredictorError
        If an answer is not finite, has the wrong shape, or depends on batch mates.
    EstimateError
        If an outcome cannot be put on the scale of the effects or moments.
    EstimateError
        If moments are kept and all units share one parent.
    StoreError
        If the store holds another trial (the message names the difference) or cannot be
        written.
    StoreError
        If the cluster has no workers, or the predictor cannot be sent to them.
    KeyboardInterrupt
        At Ctrl-C; the answers so far are in the store, if there is one.

    Warns
    -----
    DegenerateWarning
        If the predictor gives one answer for every sequence, or few units are distinct.
    DegenerateWarning
        If moments are kept and units share fewer than 20 parents.
    FallbackWarning
        If units are predicted again because files of the store are damaged.

    Notes
    -----
    The draws of a unit depend on `rng` and its id alone: adding an arm changes no other
    arm, and a trial that stops early has the first units of the full trial. The guide
    "Run a large trial" describes stores, moments and clusters.

    Source sequences are drawn by the seed and predicted before the first unit, on which
    they have no influence: ``source_outcome (source_sequence, source_arm, task[,
    model])``, ``attrs["source_predictions"]``; effects have ``source_effect`` and
    ``source_answer``. A note of the estimates says where half or more of them lie
    outside the central 95 % of the backgrounds (not with ``keep="moments"``). Contrasts
    that embed nothing, scales of means and tracks have no effects in them. A
    store keeps those that it began with.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=50,
    ...     contrasts="control",
    ... )
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share"
    ... )
    >>> outcomes = cg.run(design, share, rng=0)
    >>> outcomes["outcome"].shape
    (50, 2, 1)
    >>> moments = cg.run(design, share, rng=0, keep="moments")
    >>> (
    ...     moments["ice_quantile"].sel(quantile=0.5).round(2).values,
    ...     cg.estimate(moments)["ace"].round(2).values,
    ... )
    (array([[0.1]]), array([[0.1]]))
    """
    request = RunRequest(
        design=design,
        predictor=predictor,
        rng=rng,
        keep=keep,
        analysis=analysis,
        until=until,
        real=real,
        path=None if store is None else place_of(store),
        same_answers=same_answers,
        client=client,
        progress=progress,
    )
    if keep == "outcomes":
        return run_outcomes(request)
    if keep == "effects":
        return run_effects(request)
    from causalgia._run.running_moments import run_moments

    return run_moments(request)


def run_outcomes(request: RunRequest) -> xr.Dataset:
    """Run a trial and keep its outcomes."""
    setup = request.set_up()
    reduction = AllOutcomes(outcome_dims(request.design, request.predictor))
    try:
        found = (_hold_outcomes if request.path is None else _store_outcomes)(
            request, setup, reduction
        )
    except KeyboardInterrupt as error:
        if request.path is not None:
            raise
        raise KeyboardInterrupt(
            "interrupted, and nothing is kept; with store='trial.zarr' the same call "
            "goes on where it stopped"
        ) from error
    warn_constant(found["outcome"])
    return found


def _hold_outcomes(
    request: RunRequest, setup: TrialSetup, reduction: AllOutcomes
) -> xr.Dataset:
    """Run a trial in memory, to its end or until its rule stops it."""
    design, client = request.design, request.client
    check_memory(design, tasks=n_known_answers(request.predictor))
    with (
        explain_memory_error(design),
        meter(
            design.n_units * outcomes_per_unit(design), show=request.progress
        ) as done,
    ):
        plan = setup.probe()
        gathered = OutcomeBuffer(setup.trial, plan, reduction)
        label = partial(outcomes_dataset, setup.frame, reduction)
        if request.until is not None:
            return validate(
                _run_until(
                    request.until, design, lambda n: label(gathered.up_to(n, done))
                ),
                "outcomes",
            )
        run_turns(
            setup.trial,
            plan,
            range(len(plan)),
            gathered.put,
            reduction=reduction,
            client=client,
            advance=done,
        )
        return validate(label(gathered.parts), "outcomes", positions=True)


def _run_until(
    until: Until, design: Design, up_to: Callable[[int], xr.Dataset]
) -> xr.Dataset:
    """Predict more and more units until the rule stops the trial; return outcomes with
    the trajectory of looks.
    """
    looks: list[Look] = []
    for n in until.schedule(design.n_units):
        outcomes = up_to(n)
        looks.append(until.look(outcomes))
        if looks[-1].stop:
            break
    trajectory = xr.concat([look.record for look in looks], dim="look")
    trajectory = trajectory.rename(
        {str(name): f"look_{name}" for name in trajectory.data_vars}
    )
    n, most, last = outcomes.sizes["unit"], design.n_units, looks[-1]
    where = (
        f"stopped at {n:,} of at most {most:,} units"
        if last.stop
        else f"ended at the {most:,} units there are"
    )
    sentence = f"{where}, look {len(looks)}: {last.words}"
    attrs = attributes(until=until.stored_text(), stopped=sentence, n_drawn=n) | {
        f"until_{name}": x for name, x in last.record.attrs.items()
    }
    return annotate(outcomes.assign(trajectory.data_vars).assign_attrs(attrs))


def _store_outcomes(
    request: RunRequest, setup: TrialSetup, reduction: AllOutcomes
) -> xr.Dataset:
    """Run the part of a trial that a store lacks, and return the whole trial lazily."""
    assert request.path is not None
    archive, plan = open_or_create(
        setup, reduction, request.path, same_answers=request.same_answers
    )
    per_unit = outcomes_per_unit(request.design)
    with (
        archive,
        flush_on_interrupt(archive),
        meter(plan.n_units * per_unit, show=request.progress) as advance,
    ):
        advance((plan.n_units - n_missing(archive)) * per_unit)
        run_turns(
            setup.trial,
            plan,
            archive.missing,
            lambda turn, model, parts: archive.put(turn, parts, model=model),
            reduction=reduction,
            client=request.client,
            advance=advance,
            lacks=lambda turn, model: archive.lacks(turn, model=model),
        )
    return annotate(with_first_unit(open_archive(request.path)))
