"""`run`: run a trial and keep its outcomes, its individual effects, or their moments."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia._run import effects_reduction
from causalgia._run.contrast_reduction import ContrastReduction
from causalgia._run.effects_reduction import EffectsAndRanges, EffectsReduction, SharedRanges
from causalgia._run.overlap import overlap_notes
from causalgia._run.requested_contrasts import ContrastRequest, contrast_request, effect_labels
from causalgia._run.stored_trial import open_store
from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.design.null_model import NullModel
from causalgia.effects.numerical_floor import floor_of
from causalgia.errors import DegenerateWarning, DesignError, StoreError, quoted
from causalgia.estimation.request import Grouping, check_clusters
from causalgia.predict import Predictor
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, derive
from causalgia.trial._run import Until, check_run_arguments, flush_on_interrupt, open_or_create, run_sums
from causalgia.trial._run import run as run_and_hold
from causalgia.trial.archive import Archive, open_archive, place_of
from causalgia.trial.attributes import n_known_answers
from causalgia.trial.capacity import check_memory, explain_memory_error
from causalgia.trial.in_memory import OutcomeBuffer
from causalgia.trial.in_memory import outcomes_dataset as of_units
from causalgia.trial.local_turns import run_turns
from causalgia.trial.progress import meter
from causalgia.trial.setup import TrialSetup, set_up_trial
from causalgia.trial.stored_design import store_design
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit

if TYPE_CHECKING:
    from distributed import Client

KEEPS = ("outcomes", "effects", "moments")


def run(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    store: str | os.PathLike[str] | None = None,
    same_answers: bool = False,
    keep: Literal["outcomes", "effects", "moments"] = "outcomes",
    client: Client | None = None,
    analysis: Analysis | None = None,
    until: Until | None = None,
    progress: bool = True,
    real: Source | Literal["parents"] | None = None,
) -> xr.Dataset:
    """Run a trial: draw units from the null model, apply every arm, and collect the predictor's outcomes.

    This is the first verb of a trial; `causalgia.contrast` or `causalgia.analyze` follows. The outcome of unit u under
    arm a is ``Y_u(a) = f(a(u))``. Results depend only on the design, the predictor and `rng`; batch size, workers,
    storage and interruptions do not change them.

    Parameters
    ----------
    design
        The null model, the arms and the number of units.
    predictor
        The network as a function: `cg.TorchPredictor`, `cg.FunctionPredictor`, `cg.Ensemble`, or an oracle of the zoo.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    store
        Folder (zarr) in which the trial is saved while it runs. The same call resumes an interrupted trial and returns
        the result of a finished one; the result is lazy, as from `causalgia.open`. None: in memory.
    same_answers
        Resume a store with a changed predictor, if up to 256 stored units, predicted again under every arm, differ by
        at most 4 times the predictor's rounding error. ``attrs["notes"]`` records this. Not for ``keep="moments"``.
    keep
        ``"outcomes"``; ``"effects"``, the individual effects of the contrasts of the design or the analysis; or
        ``"moments"``, only their moments, in memory that does not grow with the number of units. The last two need a
        crossover.
    client
        Client of a Dask cluster (`distributed.Client`) whose workers predict. None: this process.
    analysis
        The planned analysis, stored with the outcomes, so that later changes are marked as exploratory. None: that of
        the design.
    until
        Stopping rule, `causalgia.Precision` or `causalgia.Decided`, for a crossover in memory. ``design.n_units`` is
        then the largest number of units.
    progress
        Whether to draw a progress bar if standard error is a terminal.
    real
        Natural sequences of the length of the backgrounds, or ``"parents"`` for those of the null model. Up to 200 are
        predicted beside 200 untreated units, and a note gives the AUROC of each task in which null model and data do
        not overlap (AUROC >= .9 or <= .1).

    Returns
    -------
    Dataset
        ``keep="outcomes"``: ``outcome (unit, arm, task[, model])`` in the predictor's dtype, on ``attrs["scale"]``. In
        a parallel trial, ``outcome (unit, task[, model])`` and ``assigned (unit)``. Coordinates are ``parent``, ``gc``
        (and ``block``) of units, and ``do``, ``kind``, ``random`` and the factor levels of arms. ``attrs["design"]`` is
        the design as JSON (``design (byte)`` if it is long).

        ``keep="effects"``: the result of `causalgia.contrast`. ``keep="moments"``: ``ice_mean, ice_sd, ice_skewness,
        ice_least, ice_most (contrast, task[, model])``, ``ice_quantile (quantile, ...)`` and ``control_sd``, for
        `causalgia.estimate`.

        With `until`, also the interim intervals ``look_lower, look_upper (look, contrast, task[, model])`` with
        ``look_n_units, look_n_clusters (look)``, and for `causalgia.Decided` ``look_counts (look)``, whether there were
        enough clusters for a verdict; ``attrs["stopped"]`` says where and why the trial ended.

    Raises
    ------
    DesignError
        If all units are the same sequence, an arm cannot be applied, the result does not fit into memory, the analysis
        names an arm, factor, task or coordinate that the outcomes will not have, or `until` or `keep` does not go with
        the trial.
    PredictorError
        If an answer is not finite (the message names arm, unit and task), has the wrong shape, or depends on batch
        mates.
    ContrastError
        If effects or moments are kept and an outcome cannot be put on their scale.
    EstimateError
        If moments are kept and all units share one parent.
    StoreError
        If the store belongs to another trial (the message names the difference) or version, cannot be written, or holds
        answers that the predictor does not reproduce (`same_answers`).
    ClusterError
        If the cluster has no workers, loses them, or the predictor cannot be sent to them.
    TrialInterruptedError
        At Ctrl-C in a stored trial; the answers so far are stored.

    Warns
    -----
    DegenerateWarning
        If the predictor gives one answer for every sequence, or few units are distinct.
    FewClustersWarning
        If moments are kept and units share fewer than 20 parents.
    DamageWarning
        If files of the store are damaged; their units are predicted again.

    Notes
    -----
    A trial runs in turns of some thousand sequences. Equal sequences within a turn are predicted once, so contrasts
    share the control arm. Before the first turn some 26 rows are predicted, to check that answers do not depend on
    batch mates. The draws of a unit depend on `rng` and the unit's id alone, so adding an arm changes no other arm, and
    a trial that stops early has the first units of the full trial.

    Quantiles of moments (percentiles and those of usual intervals) are known to ``attrs["relative_error"]`` of their
    distance from the mean of the first turn: 0.7 % up to 1,024 contrasts of a task, 3 % at 4,096, at most 11 %
    (`causalgia.estimation.Sketch`).

    Moments also hold what `estimate` needs for covariances. Up to 512 contrasts: ``ice_correlation (contrast,
    contrast_, task[, model])``. If units share parents: ``ice_sum (cluster, contrast, task[, model])``, sums by parent.
    Beyond 512 contrasts of independent units: sums by random group. Unit i is in group ``i mod G``, and ``F_g = sum_{i
    in g} (ICE_i - mean) / (n sqrt(1 - n_g / n))`` makes ``F' F`` unbiased for the covariance, on G - 1 degrees of
    freedom; G groups fit into 32 MiB, at least 256 (1,024 for 4,096 contrasts of one task). Standard errors use all
    units. The sums take 0.3 MB for 10 contrasts of one task and 67 MB for 4,096.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115. Masson, Rim & Lee (2019),
    doi:10.14778/3352063.3352135. Wolter (2007), Introduction to Variance Estimation, doi:10.1007/978-0-387-35099-8,
    chapter 2 (random groups).

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=50,
    ...     contrasts="control",
    ... )
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share")
    >>> outcomes = cg.run(design, share, rng=0)
    >>> outcomes["outcome"].shape
    (50, 2, 1)
    >>> moments = cg.run(design, share, rng=0, keep="moments")
    >>> moments["ice_quantile"].sel(quantile=0.5).round(2).values, cg.estimate(moments)["ace"].round(2).values
    (array([[0.1]]), array([[0.1]]))
    """
    if not isinstance(keep, str) or keep not in KEEPS:
        raise DesignError(f"keep={quoted(keep)} is none of {', '.join(map(quoted, KEEPS))}")
    path = None if store is None else place_of(store)
    if same_answers and path is None:
        raise DesignError("same_answers= is about the answers that a store keeps; give store=, or leave it out")
    notes: list[str] = []
    if real is not None:
        check_run_arguments(design, predictor, analysis, until)
        notes = overlap_notes(design, predictor, real)
    if keep == "outcomes":
        return run_and_hold(
            design,
            predictor,
            rng=rng,
            analysis=analysis,
            until=until,
            store=path,
            client=client,
            progress=progress,
            notes=notes,
            same_answers=same_answers,
        )
    analysis = design.planned() if analysis is None and isinstance(design, Design) else analysis
    check_run_arguments(design, predictor, analysis, until)
    if until is not None:
        raise DesignError(
            f"until= looks at outcomes as they come, and keep={quoted(keep)} does not hold them; leave one out"
        )
    question = contrast_request(design, predictor, analysis, keep=keep)
    setup = set_up_trial(design, predictor, rng=rng, analysis=analysis, client=client, notes=notes)
    setup = ContrastTrialSetup(setup.trial, setup.attrs, question, sparing=keep == "moments")
    kept = _run_moments if keep == "moments" else _run_effects
    return kept(setup, path, client, progress, same_answers)


@dataclass(frozen=True)
class ContrastTrialSetup(TrialSetup):
    """A trial before its first answer, and the contrasts that are computed while it runs."""

    question: ContrastRequest
    sparing: bool

    @property
    def frame(self) -> xr.Dataset:
        """Labels of the effects or moments, without units and numbers."""
        names = effect_labels(self.question, self.trial.predictor, self.attrs, sparing=self.sparing)
        if self.trial.floor is not None:
            floor = self._floor
            names["floor"] = (("contrast", "task", "model")[: floor.ndim], floor)
        kept = store_design(names, self.trial.design)
        return kept if self.sparing else kept.drop_vars("design", errors="ignore")

    @property
    def roundings(self) -> dict[str, NDArray[np.float64]]:
        """Rounding error of effects, and of the outcomes stored beside them."""
        return {"ice": self._floor, "measured": super().roundings["outcome"]}

    @property
    def _floor(self) -> NDArray[np.float64]:
        return np.asarray(floor_of(self.question.matrix, self.floor_by_scale, self.question.scale))


def _run_moments(
    setup: ContrastTrialSetup, path: Path | None, client: Client | None, progress: bool, same_answers: bool
) -> xr.Dataset:
    design, predictor = setup.trial.design, setup.trial.predictor
    parents = shared_parents(design, setup.question.analysis, key=setup.trial.key)
    reduction = ContrastReduction.of(setup.question, predictor)
    from causalgia._run import running_moments

    kept = running_moments.RunningMoments(
        setup.question, reduction, parents=parents, models=predictor.models is not None
    )
    run_sums(setup, kept, path, client=client, progress=progress, same_answers=same_answers)
    found = running_moments.moments_dataset(setup.frame, kept.moments()) if path is None else open_store(path)
    _warn_constant(kept.constant_tasks, found)
    return found


def _run_effects(
    setup: ContrastTrialSetup, path: Path | None, client: Client | None, progress: bool, same_answers: bool
) -> xr.Dataset:
    predictor, ends = setup.trial.predictor, SharedRanges()
    reduction = ContrastReduction.of(setup.question, predictor)
    models = predictor.models is not None
    of_unit, of_turn = EffectsReduction(reduction, models=models), EffectsAndRanges(reduction, models=models)
    if path is None:
        _check_effects_memory(setup.question, predictor)
        found = _effects_in_memory(setup, of_unit, of_turn, ends, client, progress)
    else:
        _store_effects(setup, of_unit, of_turn, ends, path, client, progress, same_answers)
        found = open_store(path)
    _warn_constant(ends.constant_tasks, found)
    return found


def _check_effects_memory(question: ContrastRequest, predictor: Predictor) -> None:
    """Raise DesignError if the effects exceed memory: eight bytes each, four for a measured outcome."""
    rows, answers = outcomes_per_unit(question.design), n_known_answers(predictor)
    numbers = (2 * len(question.weights) + len(question.measured)) * answers
    check_memory(question.design, tasks=-(-numbers // rows))


def _effects_in_memory(
    setup: ContrastTrialSetup,
    of_unit: EffectsReduction,
    of_turn: EffectsAndRanges,
    ends: SharedRanges,
    client: Client | None,
    progress: bool,
) -> xr.Dataset:
    """Run a trial in memory."""
    trial, design = setup.trial, setup.trial.design
    with explain_memory_error(design), meter(design.n_units * outcomes_per_unit(design), show=progress) as advance:
        plan = setup.probe()
        gathered, models = OutcomeBuffer(trial, plan, of_unit), len(trial.predictor.models or ())
        for turn, model, parts in run_turns(
            trial, plan, range(len(plan)), reduction=of_turn, client=client, advance=advance
        ):
            ends.take(parts, model=model, models=models)
            gathered.put(turn, model, parts)
        raw = of_units(setup.frame, of_unit, gathered.parts)
    return effects_reduction.effects_dataset(raw, setup.question, ends)


def _store_effects(
    setup: ContrastTrialSetup,
    of_unit: EffectsReduction,
    of_turn: EffectsAndRanges,
    ends: SharedRanges,
    path: Path,
    client: Client | None,
    progress: bool,
    same_answers: bool,
) -> None:
    """Run the part of a trial that a store lacks. The ranges of a turn are saved before its units."""
    archive, plan = open_or_create(setup, of_unit, path, same_answers=same_answers)
    trial, n = setup.trial, plan.n_units
    per_unit, models = outcomes_per_unit(trial.design), len(trial.predictor.models or ())
    with archive, flush_on_interrupt(archive, path, n), meter(n * per_unit, show=progress) as advance:
        n_changes, turns, whole = _restore_ranges(ends, archive, plan)
        advance((n - sum(last - first for first, last in map(plan.bounds, turns))) * per_unit)
        for turn, model, parts in run_turns(trial, plan, turns, reduction=of_turn, client=client, advance=advance):
            if ends.take(parts, model=model, models=models):
                n_changes = min(n_changes + 1, len(plan))
                archive.put_state(ends.state(), turns=n_changes)
            archive.put(turn, parts, model=model)
        if not whole:
            archive.flush()
            found = effects_reduction.effects_dataset(open_archive(path), setup.question, ends)
            archive.put_state({**ends.state(), **effects_reduction.summary_arrays(found)}, turns=len(plan))


def _restore_ranges(ends: SharedRanges, archive: Archive, plan: TurnPlan) -> tuple[int, tuple[int, ...], bool]:
    """Restore the ranges; return how often they changed, the turns to run, and whether they are final.

    If they are lost all turns are run again; units that are in the store stay as they are.
    """
    state = archive.state()
    if state is None:
        return 0, tuple(range(len(plan))), False
    shape = next((field.shape for field in archive.grid.fields if field.name == "ice"), ())
    try:
        ends.restore(state[1], of=shape)
    except StoreError as error:
        raise StoreError(f"{archive.path}: {error}; move the store away, and run the trial anew") from error
    return state[0], archive.missing, effects_reduction.has_summary(state[1])


def _warn_constant(constant: list[int], found: xr.Dataset) -> None:
    if constant:
        task = str(found["task"].to_numpy()[constant[0]])
        text = f"task '{task}': the predictor gives the same answer for every unit under every arm"
        warnings.warn(text, DegenerateWarning, stacklevel=4)


_AT_ONCE = 2**16


def shared_parents(design: Design, analysis: Analysis, *, key: int) -> tuple[Any, ...] | None:
    """Return the parents in order of appearance, where units share them and errors are to be clustered; else None.

    Raises
    ------
    EstimateError
        If all units share one parent.

    Warns
    -----
    FewClustersWarning
        Below 20 parents.
    """
    if analysis.cluster == "none" or type(design.drawn).parents is NullModel.parents:
        return None
    parents = _distinct_parents(design, key)
    if len(parents) == design.n_units:
        return None
    names = tuple(map(str, parents))
    check_clusters(Grouping("parent", np.arange(len(parents)), names), len(parents))
    return parents


def _distinct_parents(design: Design, key: int) -> tuple[Any, ...]:
    """Return the distinct parents of all units; units are drawn until every existing parent has appeared."""
    null, n, stream = design.drawn, design.n_units, derive(key, "null")
    most = len(set(getattr(null, "parent_names", range(n))))
    seen: dict[Any, None] = {}
    for start in range(0, n, _AT_ONCE):
        ids = np.arange(start, min(start + _AT_ONCE, n), dtype=np.uint64)
        seen |= dict.fromkeys(null.parents(ids, key=stream, n_units=n).tolist())
        if len(seen) == most:
            break
    return tuple(seen)
