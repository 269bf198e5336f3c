"""`run`: from a design and a predictor to outcomes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import xarray as xr

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.errors import DesignError, quoted
from causalgia.predict import Predictor
from causalgia.predict.predictor import require_predictor
from causalgia.schema import validate
from causalgia.streams import RNG
from causalgia.trial.archive import place_of
from causalgia.trial.asking import check_analysis
from causalgia.trial.attributes import known_tasks
from causalgia.trial.capacity import memory_said, require_memory
from causalgia.trial.execution import carried
from causalgia.trial.in_memory import Gathered, laid_out, outcome_dims, warn_constant
from causalgia.trial.looking import Look, Until, with_looks
from causalgia.trial.progress import meter
from causalgia.trial.reductions import Everything
from causalgia.trial.setup import begin
from causalgia.trial.storing import stored
from causalgia.trial.turn_plan import columns

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
    """Run a trial and keep its outcomes, in memory or in a store; `causalgia.run` says all of it.

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
    check_kinds(design, predictor, analysis, until)
    _refuse_until(until, store=store, client=client)
    place = None if store is None else place_of(store)
    kept = Everything(outcome_dims(design, predictor))
    begun = begin(design, predictor, rng=rng, analysis=analysis, client=client, notes=notes)
    if place is not None:
        return stored(begun, kept, place, client=client, progress=progress, same_answers=same_answers)
    require_memory(design, tasks=_n_answers(predictor))
    with memory_said(design), meter(design.n_units * columns(design), show=progress) as advance:
        plan = begun.meet()
        gathered = Gathered(begun.trial, plan, kept)
        lay = partial(laid_out, begun.frame, kept)
        if until is not None:
            outcomes = _watched(until, design, lambda n: lay(gathered.up_to(n, advance)))
        else:
            for job in carried(begun.trial, plan, range(len(plan)), kept=kept, client=client, advance=advance):
                gathered.put(*job)
            outcomes = lay(gathered.parts)
    warn_constant(outcomes["outcome"], predictor.tasks)
    return validate(outcomes, "outcomes")


def check_kinds(design: object, predictor: Predictor, analysis: object, until: object) -> None:
    """Refuse what is no design, predictor, analysis or rule, or does not go together, before anything is drawn."""
    if not isinstance(design, Design):
        raise DesignError(f"run(design, predictor): the first argument is {type(design).__name__}, not a cg.Design")
    require_predictor(predictor, "run(design, predictor)")
    if analysis is not None:
        if not isinstance(analysis, Analysis):
            raise DesignError(f"analysis= takes a cg.Analysis, not {type(analysis).__name__}")
        check_analysis(analysis, design, known_tasks(predictor))
    if until is not None:
        if not isinstance(until, Until):
            raise DesignError(f"until= takes cg.Precision(halfwidth=) or cg.Decided(rope=), not {quoted(until)}")
        if design.assignment != "crossover":
            raise DesignError("until= watches the individual effects of a crossover; a parallel trial has n_units=")
        until.schedule(design.n_units)  # which refuses units that are too few to decide anything


def _refuse_until(until: object, **others: object) -> None:
    for name, value in others.items():
        if until is not None and value is not None:
            raise DesignError(
                f"until= looks at outcomes as they come, in memory and in order: it goes with no {name}=; leave one out"
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
