"""`run`: from a design and a predictor to outcomes."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.errors import DesignError
from causalgia.predict import Predictor
from causalgia.predict.predictor import require_predictor
from causalgia.schema import validate
from causalgia.streams import RNG
from causalgia.trial.asking import check_analysis
from causalgia.trial.beginning import begin
from causalgia.trial.carrying import carried
from causalgia.trial.describing import known_tasks
from causalgia.trial.gathering import Gathered, laid_out, outcome_dims, warn_constant
from causalgia.trial.kept import Everything
from causalgia.trial.looking import Look, Until, with_looks
from causalgia.trial.meter import meter
from causalgia.trial.plan import columns
from causalgia.trial.storing import stored
from causalgia.trial.units import memory_said, require_memory

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
) -> xr.Dataset:
    """Run a trial: draw the units, apply the arms, ask the predictor, and return the outcomes.

    The outcome of unit u under arm a is ``Y_u(a) = f(a(u))``. Every distinct sequence is predicted once: the control
    arm is shared by all contrasts. (Before, some 26 rows are asked for once, to see that answers do not depend on batch
    mates.) Units, draws of the arms and the assignment depend on `rng` and the unit's id
    alone, not on batch size, order, or on which other arms exist.

    Parameters
    ----------
    design
        What is done to which units.
    predictor
        The network as a function, from `cg.TorchPredictor`, `cg.FunctionPredictor`, `cg.Ensemble` or the zoo.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    analysis
        What will be asked of the outcomes: kept with them, so that `causalgia.analyze` can say what was fixed before
        they were seen. None: the one that the design brings (an experiment of the catalogue).
    until
        When to stop: `causalgia.Precision` or `causalgia.Decided`, for a crossover. ``design.n_units`` is then the most
        units that are used; a trial that stops has the first units of the whole one.
    progress
        Draw a progress bar when standard error is a terminal.

    Returns
    -------
    Dataset
        ``outcome (unit, arm, task[, model])`` in the dtype that the predictor gives, on ``attrs["scale"]``; in a
        parallel trial ``outcome (unit, task[, model])`` with ``assigned (unit)``. Coordinates: ``parent``, ``gc``
        (and ``block``) of each unit; ``do``, ``kind``, ``random`` and the factor levels of each arm. With `until` also
        the trajectory: ``look_n_units, look_n_clusters (look)`` and the intervals ``look_lower, look_upper (look,
        contrast, task[, model])``, with ``attrs["stopped"]`` saying where it ended and why. The design is kept as JSON,
        ``attrs["design"]`` (compressed, as ``design (byte)``, where it is long).

    Raises
    ------
    DesignError
        If all units came out as one sequence, an arm cannot be applied (the arm is named), the units would not fit
        into this machine's memory, the analysis names what the outcomes will not have (an arm, a factor, a task, a
        coordinate), or the trial is parallel and has `until`.
    PredictorError
        If an answer is not finite (naming arm, unit and task), has the wrong shape, or depends on batch mates.

    Warns
    -----
    DegenerateWarning
        If the predictor gives one answer for every sequence, or few units are distinct.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=50,
    ... )
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share")
    >>> outcomes = cg.run(design, share, rng=0)
    >>> outcomes["outcome"].shape
    (50, 2, 1)
    """
    if analysis is None and isinstance(design, Design):
        analysis = design.planned()
    check_kinds(design, predictor, analysis, until)
    kept = Everything(outcome_dims(design, predictor))
    begun = begin(design, predictor, rng=rng, analysis=analysis)
    if store is not None:
        _refuse_until(until, "store")
        return stored(begun, kept, Path(store), client=client, progress=progress)
    require_memory(design, tasks=_n_answers(predictor))
    with memory_said(design), meter(design.n_units * columns(design), show=progress) as advance:
        plan = begun.meet()
        gathered = Gathered(begun.trial, plan, kept)
        lay = partial(laid_out, begun.frame, kept)
        if until is not None:
            _refuse_until(until if client is not None else None, "client")
            outcomes = _watched(until, design, lambda n: lay(gathered.up_to(n, advance)))
        else:
            for job in carried(begun.trial, plan, range(len(plan)), kept=kept, client=client, advance=advance):
                gathered.put(*job)
            outcomes = lay(gathered.parts)
    warn_constant(outcomes["outcome"], predictor.tasks)
    return validate(outcomes, "outcomes")


def check_kinds(design: object, predictor: Predictor, analysis: object, until: object) -> None:
    if not isinstance(design, Design):
        raise DesignError(f"run(design, predictor): the first argument is {type(design).__name__}, not a cg.Design")
    require_predictor(predictor, "run(design, predictor)")
    if analysis is not None:
        if not isinstance(analysis, Analysis):
            raise DesignError(f"analysis= takes a cg.Analysis, not {type(analysis).__name__}")
        check_analysis(analysis, design, known_tasks(predictor))
    if until is not None:
        if not isinstance(until, Until):
            raise DesignError(f"until= takes cg.Precision(halfwidth=) or cg.Decided(rope=), not {until!r}")
        if design.assignment != "crossover":
            raise DesignError("until= watches the individual effects of a crossover; a parallel trial has n_units=")


def _refuse_until(until: object, what: str) -> None:
    if until is not None:
        raise DesignError(
            f"until= looks at outcomes as they come, in memory and in order, and goes with no {what}=; leave one out"
        )


def _watched(until: Until, design: Design, up_to: Callable[[int], xr.Dataset]) -> xr.Dataset:
    """Ask for more and more units until the rule says stop; return outcomes with the trajectory of looks."""
    looks: list[Look] = []
    for n in until.schedule(design.n_units):
        outcomes = up_to(n)
        looks.append(until.look(outcomes))
        if looks[-1].stop:
            break
    return with_looks(outcomes, looks, until, most=design.n_units)


def _n_answers(predictor: Predictor) -> int:
    """Return the numbers that a sequence is answered with, as far as that is known before the first answer."""
    return len(known_tasks(predictor) or ("",)) * len(predictor.models or ("",))
