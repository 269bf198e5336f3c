"""`run`: from a design and a predictor to outcomes."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.errors import DesignError
from causalgia.predict import Predictor
from causalgia.predict.predictor import require_predictor
from causalgia.streams import RNG, root_key
from causalgia.trial.asking import check_analysis
from causalgia.trial.describing import attributes, known_tasks, question_kept
from causalgia.trial.gathering import Gathered, frame_of
from causalgia.trial.looking import Look, Until, with_looks
from causalgia.trial.meter import meter
from causalgia.trial.plan import columns, plan_of
from causalgia.trial.turns import Trial
from causalgia.trial.units import check_distinct, memory_said, require_memory


def run(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    analysis: Analysis | None = None,
    until: Until | None = None,
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
    _check_kinds(design, predictor, analysis, until)
    require_memory(design, tasks=_n_answers(predictor))
    attrs = attributes(design, predictor, predictor.fingerprint, rng)  # before an answer: a network may count its calls
    if analysis is not None:
        attrs["analysis"] = question_kept(analysis, design)
    trial = Trial(design, predictor, root_key(rng))
    with memory_said(design), meter(design.n_units * columns(design), show=progress) as advance:
        check_distinct(trial)
        trial.meet()
        plan = plan_of(design, n_tasks=len(predictor.tasks), n_models=len(predictor.models or ("",)))
        gathered = Gathered(trial, plan, frame_of(design, predictor, attrs), advance)
        outcomes = gathered.up_to(design.n_units) if until is None else _watched(until, design, gathered.up_to)
    gathered.warn_constant()
    return outcomes


def _check_kinds(design: object, predictor: Predictor, analysis: object, until: object) -> None:
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
