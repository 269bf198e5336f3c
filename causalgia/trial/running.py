"""`run`: from a design and a predictor to outcomes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.design import Arm, Design
from causalgia.errors import DegenerateWarning, DesignError
from causalgia.predict import Predictor
from causalgia.predict.predictor import require_predictor
from causalgia.schema import annotate, validate
from causalgia.streams import RNG, root_key
from causalgia.trial.asking import check_analysis
from causalgia.trial.describing import applied, arm_coordinates, attributes, known_tasks, question_kept
from causalgia.trial.keeping import keep_design
from causalgia.trial.ledger import Ledger
from causalgia.trial.looking import Look, Until, with_looks
from causalgia.trial.meter import meter
from causalgia.trial.units import Units, draw_units, require_memory

Numbers: TypeAlias = NDArray[np.int64]
_UNITS_AT_ONCE = 512


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
    fingerprint = predictor.fingerprint  # before the first answer: a network may count its calls
    key = root_key(rng)
    units = draw_units(design, key=key)
    attrs = attributes(design, predictor, fingerprint, rng)
    if analysis is not None:
        attrs["analysis"] = question_kept(analysis, design)
    lay = partial(_outcomes, design, predictor, attrs=attrs)
    with meter(design.n_units * _columns(design), show=progress) as advance:
        asked = _asked(design, units, key, Ledger(predictor, progress=advance))
        if until is None:
            answers, numbers = asked(design.n_units)
            outcomes = lay(units, answers[numbers])
        else:
            answers, outcomes = _watched(until, design, units, asked, lay)
    _warn_constant(answers, predictor)
    return keep_design(outcomes, design)


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


def _columns(design: Design) -> int:
    return len(design.named_arms) if design.assignment == "crossover" else 1


def _asked(design: Design, units: Units, key: int, ledger: Ledger) -> Callable[[int], tuple[NDArray[Any], Numbers]]:
    """Return a function that asks for units up to the n-th, and returns every answer and which one each unit has."""
    numbers = np.empty((design.n_units, _columns(design)), np.int64)
    done = 0

    def ask(n: int) -> tuple[NDArray[Any], Numbers]:
        nonlocal done
        for arm, column, rows in _jobs(design, units, done, n):
            edited = applied(arm, units.tokens[rows], units.ids[rows], key)
            numbers[rows, column] = ledger.enter(edited, arm=arm.name, units=units.ids[rows])
        done = n
        return ledger.settle(), numbers[:n]

    return ask


def _watched(
    until: Until,
    design: Design,
    units: Units,
    asked: Callable[[int], tuple[NDArray[Any], Numbers]],
    lay: Callable[[Units, NDArray[Any]], xr.Dataset],
) -> tuple[NDArray[Any], xr.Dataset]:
    """Ask for more and more units until the rule says stop; every answer, and outcomes with the trajectory of looks."""
    looks: list[Look] = []
    for n in until.schedule(design.n_units):
        answers, numbers = asked(n)
        outcomes = lay(units.first(n), answers[numbers])
        looks.append(until.look(outcomes))
        if looks[-1].stop:
            break
    return answers, with_looks(outcomes, looks, until, most=design.n_units)


def _n_answers(predictor: Predictor) -> int:
    """Return the numbers that a sequence is answered with, as far as that is known before the first answer."""
    return len(known_tasks(predictor) or ("",)) * len(predictor.models or ("",))


def _jobs(design: Design, units: Units, first: int, last: int) -> Iterator[tuple[Arm, int, NDArray[np.int64]]]:
    for start in range(first, last, _UNITS_AT_ONCE):
        rows = np.arange(start, min(start + _UNITS_AT_ONCE, last))
        for index, arm in enumerate(design.named_arms):
            if units.assigned is None:
                yield arm, index, rows
            elif (mine := rows[units.assigned[rows] == index]).size:
                yield arm, 0, mine


def _warn_constant(answers: NDArray[Any], predictor: Predictor) -> None:
    constant = (answers == answers[0]).all(axis=0).reshape(len(predictor.tasks), -1).all(axis=1)
    if len(answers) > 1 and constant.any():
        task = predictor.tasks[int(constant.argmax())]
        text = f"task '{task}': the predictor gives the same answer for all {len(answers):,} distinct sequences"
        warnings.warn(text, DegenerateWarning, stacklevel=3)


def _outcomes(
    design: Design, predictor: Predictor, units: Units, values: NDArray[Any], *, attrs: dict[str, Any]
) -> xr.Dataset:
    dims = ["unit", "arm", "task", "model"][: values.ndim]
    if units.assigned is not None:
        values, dims = values[:, 0], [dim for dim in dims if dim != "arm"]
    coords: dict[str, Any] = {
        "unit": units.ids.astype(np.int64),
        "parent": ("unit", units.parents),
        "gc": ("unit", units.gc),
        "task": list(predictor.tasks),
        **arm_coordinates(design.named_arms),
    }
    if predictor.models is not None:
        coords["model"] = list(predictor.models)
    if units.blocks is not None:
        coords["block"] = ("unit", units.blocks)
    if units.assigned is not None:
        coords["assigned"] = ("unit", np.asarray([arm.name for arm in design.named_arms])[units.assigned])
    outcomes = xr.Dataset({"outcome": (dims, values)}, coords=coords, attrs=attrs)
    return validate(annotate(outcomes), "outcomes")
