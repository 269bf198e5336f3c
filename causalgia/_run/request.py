"""The request of `run`: its arguments, checked, and the contrasts that are computed
while the trial runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import (
    Any,
    Literal,
    Protocol,
    TypeAlias,
    get_args,
    runtime_checkable,
)

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from causalgia.analysis import (
    Analysis,
    analysis_in_attrs,
    exploratory_attrs,
    fixed_placebo_contrasts,
    rows_of_question,
)
from causalgia.attributes import about, attributes, has
from causalgia.checks import is_whole
from causalgia.design import Design
from causalgia.design.design import check_design
from causalgia.effects._contrast import floor_of
from causalgia.effects.contrast_weights import (
    Weights,
    arm_name,
    requested_weights,
    weight_matrix,
)
from causalgia.effects.functions_of_means import check_scale_of_means
from causalgia.effects.pointwise_effects import sd_weights, sums_over_arms
from causalgia.effects.scales import (
    OF_MEANS,
    TaskWeights,
    bound_of_alike,
    check_not_log,
    check_one_task_scale,
    check_scale,
    check_task_scale,
    do_coordinate,
    effect_attrs,
    measured_on,
    requested_task_weights,
    transform_with_bound,
)
from causalgia.effects.source_effects import first_draws, reference_arm, source_effects
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    caller_stacklevel,
    quoted,
    type_in_words,
)
from causalgia.estimation.request import OVER_PREDICTORS
from causalgia.numerics.row_blocks import as_dense
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.ropes import Rope
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, derive
from causalgia.trial.attributes import (
    arm_coordinates,
    check_analysis,
    check_matched_region,
    known_tasks,
    store_design,
    task_scale_coordinate,
)
from causalgia.trial.design_notes import overlap_notes
from causalgia.trial.setup import TrialSetup, set_up_trial
from causalgia.trial.source_sequences import source_trial
from causalgia.trial.turns import NamedArrays
from causalgia.types import Client

MEASURED = "measured"
"""Attribute of ``source_answer``: the place of its arm among the measured ones."""
Keep: TypeAlias = Literal["outcomes", "effects", "moments"]
KEEPS = get_args(Keep)


class Look(Protocol):
    """Result of one interim look at the outcomes."""

    @property
    def stop(self) -> bool:
        """Whether the trial stops at this look."""

    @property
    def words(self) -> str:
        """The result as part of a sentence, such as "every interval is at most 0.1 to
        each side".
        """

    @property
    def record(self) -> xr.Dataset:
        """``n_units, n_clusters ()`` and the intervals
        ``lower, upper (contrast, task[, model])``, with attrs.
        """


@runtime_checkable
class Until(Protocol):
    """A stopping rule: `causalgia.Decided`."""

    def schedule(self, n_units: int) -> Iterable[int]:
        """Return the increasing numbers of units at which to look; the last is
        `n_units`, the maximum.
        """

    def look(self, outcomes: xr.Dataset) -> Look:
        """Analyze the outcomes of the first units."""

    def stored_text(self) -> str:
        """Return the rule as the outcomes' attribute ``until``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRequest:
    """The arguments of `causalgia.run`, checked; `path` is its ``store=``.

    Raises
    ------
    DesignError
        If the design, the analysis or the stopping rule is none, or two of them do not
        go together.
    EstimateError
        If the scale of the analysis is impossible for the predictor's answers.
    EstimateError
        If the region of the stopping rule does not contain 1 and the analysis is of
        ratios.
    PredictorError
        If the predictor is none.
    """

    design: Design
    predictor: Predictor
    rng: RNG
    keep: Keep
    analysis: Analysis | None
    until: Until | None
    real: int | Source | Literal["parents"] | None
    path: Path | None
    same_answers: bool
    client: Client | None
    progress: bool

    def __post_init__(self) -> None:
        if not isinstance(self.keep, str) or self.keep not in KEEPS:
            raise DesignError(
                f"keep={quoted(self.keep)} is not one of {', '.join(map(quoted, KEEPS))}",
                argument="keep",
            )
        if not isinstance(self.same_answers, bool | np.bool_):
            raise TypeError(
                f"same_answers={quoted(self.same_answers)} must be True or False"
            )
        if self.same_answers and self.path is None:
            raise DesignError(
                "same_answers= is about the answers that a store keeps, and "
                "there is no store="
            )
        check_design(self.design, self.predictor, "run(design, predictor)")
        check_predictor(self.predictor, "run(design, predictor)")
        if self.until is not None:
            self._check_until(self.until)
        self._check_verdicts_of_curves()
        if self.analysis is None:
            object.__setattr__(self, "analysis", self.design.planned())
        if self.analysis is not None:
            if not isinstance(self.analysis, Analysis):
                raise DesignError(
                    f"analysis= takes a cg.Analysis, not {type_in_words(self.analysis)}"
                )
            if self.until is not None and self.analysis.tasks is not None:
                raise DesignError(
                    "until monitors the effect in each task, and the analysis "
                    "asks for contrasts between tasks",
                    argument="until",
                )
            if self.until is not None and self.analysis.across is not None:
                raise DesignError(
                    "until decides by its confidence sequence, and across='task' "
                    "by a posterior",
                    argument="until",
                )
            tasks = known_tasks(self.predictor)
            check_analysis(self.analysis, self.design, tasks)
            check_matched_region(self.analysis, self.design)
            self._check_outcomes(self.analysis)

    def _check_verdicts_of_curves(self) -> None:
        """Raise DesignError if an analysis that is given asks for verdicts on a
        track.
        """
        rope = getattr(self.analysis, "rope", None)
        if rope is not None and "position" in self.predictor.dims:
            raise DesignError(
                f"Analysis: rope={quoted(rope)} is for verdicts on one number for "
                "each task, and the predictor answers a track",
                argument="rope",
            )

    def _check_outcomes(self, analysis: Analysis) -> None:
        """Raise for an analysis of what the predictor's outcomes cannot show."""
        crossover = self.design.assignment == "crossover"
        check_scale_of_means(
            analysis.scale, analysis.interaction, crossover, self.predictor.scale
        )
        if analysis.tasks is not None:
            check_task_scale(analysis.scale)
            known = known_tasks(self.predictor)
            if known is not None:
                as_comparable_tasks(analysis, self.predictor, known)
        if analysis.scale not in ("identity", *OF_MEANS):
            check_not_log(analysis.scale, self.predictor.scale)
        if analysis.target in OVER_PREDICTORS and len(self.predictor.models or ()) < 2:
            raise DesignError(
                f"Analysis: target={quoted(analysis.target)} needs the answers of "
                "two or more predictors, and there is one",
                argument="target",
            )
        if (
            analysis.across is not None
            and analysis.target not in OVER_PREDICTORS
            and self.predictor.models is not None
        ):
            raise DesignError(
                "Analysis: across='task' of several predictors needs "
                "target='population x predictors'",
                argument="across",
            )
        rope = getattr(self.until, "rope", None)
        if rope is not None:
            tasks = list(analysis.weights_by_task_contrast or ()) or known_tasks(
                self.predictor
            )
            if tasks is not None:
                null = 1.0 if analysis.scale == "ratio" else 0.0
                Rope.parse(rope).ends([str(task) for task in tasks], null)

    def _check_until(self, until: object) -> None:
        if isinstance(until, type) or not isinstance(until, Until):
            raise DesignError(
                "until takes cg.Decided(rope=), not "
                f"{(type_in_words(until) if isinstance(until, type) else quoted(until))}",
                argument="until",
            )
        if self.design.assignment != "crossover":
            raise DesignError(
                "until monitors the individual effects of a crossover",
                argument="until",
            )
        if "position" in self.predictor.dims:
            raise DesignError(
                "until monitors one number for each task, and the predictor "
                "answers a track",
                argument="until",
            )
        # which refuses units that are too few to decide anything
        until.schedule(self.design.n_units)
        if self.keep != "outcomes":
            raise DesignError(
                f"until looks at outcomes as they are made, and keep={quoted(self.keep)} "
                "does not keep them",
                argument="until",
            )
        for name, value in (("store", self.path), ("client", self.client)):
            if value is not None:
                raise DesignError(
                    "until looks at outcomes as they are made, in memory and in "
                    f"order, so it cannot be combined with {name}=",
                    argument="until",
                )

    def set_up(self) -> TrialSetup:
        """Return the trial before its first answer; only real sequences are predicted,
        to compare them with units.
        """
        setup = set_up_trial(
            self.design,
            self.predictor,
            rng=self.rng,
            analysis=self.analysis,
            client=self.client,
        )
        setup.trial.announce = self.progress
        if self.analysis is not None and self.analysis.target == "parents":
            n, drawn, key = (
                self.design.n_units,
                setup.trial.design.drawn,
                derive(setup.trial.key, "null"),
            )
            parents = drawn.parents(np.arange(n, dtype=np.uint64), key=key, n_units=n)
            lone = int((np.bincount(pd.factorize(parents)[0]) < 2).sum())
            if lone:
                raise DesignError(
                    "Analysis: target='parents' needs two or more units of each parent, "
                    f"and {lone:,} of them would have one",
                    argument="target",
                )
        given = self.real is not None and not is_whole(self.real)
        if given and (notes := overlap_notes(self.design, self.predictor, self.real)):
            known = [about(setup).notes] if has(setup).notes else []
            setup.attrs.update(attributes(notes="\n".join([*notes, *known])))
        question = (self.analysis or Analysis()).asking(self.design.analysis_fields)
        trial = setup.trial
        found = source_trial(
            trial.design, trial.predictor, question, self.real, key=trial.key
        )
        return replace(setup, sources=found)


def as_comparable_tasks(
    analysis: Analysis, predictor: Predictor, known: tuple[str, ...]
) -> TaskWeights:
    """Return the contrasts between tasks; EstimateError if one is of tasks on different
    scales.
    """
    assert analysis.tasks is not None
    over = requested_task_weights(analysis.weights_by_task_contrast, known)
    if predictor.task_scales is not None and analysis.scale == "identity":
        check_one_task_scale(
            over.weights, dict(zip(known, predictor.task_scales, strict=True))
        )
    return over


@dataclass(frozen=True)
class ContrastRequest:
    """The contrasts of a crossover, and the arms that they need.

    Attributes
    ----------
    analysis
        The planned analysis, with its contrasts.
    design
        The design whose arms are weighted.
    weights
        Contrast -> arm -> weight.
    control
        The arm that every contrast subtracts, if there is one control.
    over
        Contrasts between tasks, which replace the tasks; None: each task.
    """

    analysis: Analysis
    design: Design
    weights: Weights
    control: str | None
    over: TaskWeights | None

    @property
    def interaction(self) -> list[str] | None:
        """The factors of the interaction, if one is requested."""
        return list(self.analysis.interaction) if self.analysis.interaction else None

    @property
    def scale(self) -> str:
        """The scale on which outcomes are transformed first."""
        return self.analysis.scale

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """Weights of K contrasts over all arms, ``(K, A)``."""
        return weight_matrix(self.weights, self.design.arm_names)

    @cached_property
    def sd_matrix(self) -> sparse.csr_array:
        """Weights of the arms whose sd is the unit of each contrast, ``(K, A)``; by
        default `matrix` itself.
        """
        kinds = [arm.intervention.kind for arm in self.design.named_arms]
        return sd_weights(self.matrix, kinds, self.control)

    @cached_property
    def used(self) -> NDArray[np.intp]:
        """Arms that any contrast or sd needs."""
        return np.union1d(self.matrix.indices, self.sd_matrix.indices).astype(np.intp)

    @cached_property
    def measured(self) -> NDArray[np.intp]:
        """Arms whose sd is computed: the untreated one, and, in case it does not vary,
        those subtracted.
        """
        return np.union1d(
            *(W.indices[W.data < 0] for W in (self.sd_matrix, self.matrix))
        ).astype(np.intp)


def contrast_request(
    design: Design, predictor: Predictor, analysis: Analysis | None, *, keep: str
) -> ContrastRequest:
    """Return the contrasts of a trial that keeps only effects or moments, from its
    analysis, else from its design.

    Raises
    ------
    DesignError
        If neither names contrasts, the trial is parallel, or the analysis needs the
        outcomes themselves.
    EstimateError
        If the scale is impossible for the predictor's answers.
    """
    prefix = f"keep={quoted(keep)}"
    if design.assignment != "crossover":
        raise DesignError(f"{prefix}: a parallel trial has no individual effects")
    request = (analysis or Analysis()).asking(design.analysis_fields)
    if not request.asks:
        raise DesignError(
            f"{prefix}: the design names no contrasts, and there is no analysis="
        )
    if keep == "moments" and "position" in predictor.dims:
        shifted = next((arm.name for arm in design.named_arms if arm.aligned), None)
        if shifted is not None:
            raise DesignError(
                f"{prefix}: arm {quoted(shifted)} lacks bases of the track in some units"
            )
    needs_units = {"scale": request.scale in OF_MEANS}
    if keep == "moments":
        needs_units |= {
            "across": request.across is not None,
            "target": request.target != "population",
            "weights": request.weights != "units",
            "cluster": request.cluster not in ("auto", "none", "parent"),
        }
    for name in (name for name, needed in needs_units.items() if needed):
        raise DesignError(
            f"{prefix}: {name}={quoted(getattr(request, name))} of the analysis "
            "needs the outcomes of all units at once"
        )
    if keep == "moments" and design.n_units < 2:
        raise DesignError(f"{prefix}: one unit gives no standard error")
    if request.scale != "identity":
        check_not_log(request.scale, predictor.scale)
    shell, arms = (
        xr.Dataset(coords=arm_coordinates(design.named_arms)),
        design.arm_names,
    )
    control = None if request.control is None else arm_name(request.control, arms)
    rows = None if control is not None else request.weights_by_contrast or None
    weights = requested_weights(
        shell,
        arms,
        control,
        rows,
        list(request.interaction) if request.interaction else None,
    )
    return ContrastRequest(
        request, design, weights, control, _task_weights(request, predictor, prefix)
    )


def _task_weights(
    analysis: Analysis, predictor: Predictor, prefix: str
) -> TaskWeights | None:
    """Return the contrasts between tasks, of a predictor whose tasks are known."""
    if analysis.tasks is None:
        return None
    if "position" in predictor.dims:
        raise DesignError(
            f"{prefix}: contrasts between tasks of curves are taken of outcomes"
        )
    known = known_tasks(predictor)
    if known is None:
        raise DesignError(
            f"{prefix}: the analysis compares tasks, and those of this predictor "
            "have no names before its first answer (tasks= names them)"
        )
    return as_comparable_tasks(analysis, predictor, known)


_MOST_WEIGHTS = 2**25


def effect_labels(
    question: ContrastRequest,
    predictor: Predictor,
    attrs: dict[str, Any],
    *,
    sparing: bool = False,
) -> xr.Dataset:
    """Return effects without units and numbers, labeled as by `causalgia.contrast`.

    Parameters
    ----------
    question
        The contrasts.
    predictor
        Has the tasks and models.
    attrs
        Attributes of the trial.
    sparing
        Leave out ``weight`` and the arms beyond 33 million weights, and mark the
        contrasts of one placebo.
    """
    design, weights = question.design, question.weights
    # for contrasts named after the trial
    attrs = {name: value for name, value in attrs.items() if name != "edits"}
    outcomes = xr.Dataset(coords=arm_coordinates(design.named_arms), attrs=attrs)
    words = effect_attrs(
        measured_on(outcomes),
        weights,
        question.scale,
        "crossover",
        question.control,
        question.interaction,
        question.over,
    )
    coords = {
        "contrast": list(weights),
        **predictor.coordinates,
        **(
            task_scale_coordinate(predictor)
            if question.over is None
            else {"task": question.over.names}
        ),
        **do_coordinate(outcomes, weights, question.scale),
    }
    if (asked := analysis_in_attrs(attrs).question) is not None:
        coords["of_question"] = ("contrast", rows_of_question(asked, list(weights)))
    names = xr.Dataset(
        coords=coords,
        attrs=attrs | words | exploratory_attrs(attrs, scale=question.scale),
    )
    if sparing and question.matrix.shape[0] * question.matrix.shape[1] > _MOST_WEIGHTS:
        fixed_placebos = {
            arm.name
            for arm in design.named_arms
            if arm.intervention.kind == "fixed_placebo"
        }
        single = set(fixed_placebo_contrasts(weights, fixed_placebos))
        if not fixed_placebos:
            return names
        return names.assign_coords(
            is_placebo=("contrast", [k in single for k in weights])
        )
    on_arms = {
        str(name): c.variable for name, c in outcomes.coords.items() if name != "do"
    }
    return names.assign(
        weight=(("contrast", "arm"), as_dense(question.matrix))
    ).assign_coords(on_arms)


@dataclass(frozen=True)
class ContrastReduction:
    """Computes contrasts of the outcomes of some units, (units, arms, tasks[, models]);
    it can be pickled.

    Attributes
    ----------
    names
        Names of the arms, and of the tasks where they are known before the first
        answer, for errors.
    used, matrix
        The arms in use, and the weights of the contrasts over them, ``(K, len(used))``.
    measured
        The arms whose sd is a unit of the contrasts.
    scale, measured_on
        The transformation of the outcomes, and the scale of the predictor, in words.
    dims
        The dims of an answer.
    over
        Contrasts between tasks, which replace the tasks.
    """

    names: dict[str, list[str]]
    used: NDArray[np.intp]
    matrix: sparse.csr_array
    measured: NDArray[np.intp]
    scale: str
    measured_on: str
    dims: tuple[str, ...]
    over: TaskWeights | None = None

    @classmethod
    def of(cls, question: ContrastRequest, predictor: Predictor) -> ContrastReduction:
        """Return the reduction for the requested contrasts."""
        tasks, over = known_tasks(predictor), question.over
        if tasks is not None and over is not None:
            tasks = tuple(tasks[i] for i in over.used)
        return cls(
            names={
                "arm": question.design.arm_names,
                **({} if tasks is None else {"task": list(tasks)}),
            },
            used=question.used,
            matrix=question.matrix[:, question.used],
            measured=question.measured,
            scale=question.scale,
            measured_on=predictor.scale,
            dims=predictor.dims,
            over=over,
        )

    def effects(self, outcome: NDArray[Any]) -> NamedArrays:
        """Return ``ice`` (units, K, tasks[, models]), and ``low``, ``high`` (K, tasks[,
        models]).

        The intervals ICE +- rounding of all units have [low, high] in common; they are
        disjoint where low > high.

        Raises
        ------
        EstimateError
            If the scale is impossible for an outcome.
        """
        outcome = self.of_tasks(outcome)
        named = xr.DataArray(
            outcome, dims=("unit", "arm", *self.dims)[: outcome.ndim], coords=self.names
        )
        check_scale(named.isel(arm=self.used), self.scale, self.measured_on)
        y, bound = transform_with_bound(
            np.take(outcome, self.used, axis=1), scale=self.scale, over=self.over
        )
        bound = bound_of_alike(y, bound)
        ice, within = (
            sums_over_arms(self.matrix, y),
            sums_over_arms(abs(self.matrix), bound),
        )
        return {
            "ice": np.ascontiguousarray(np.moveaxis(ice, 0, 1)),
            "low": np.fmax.reduce(ice - within, axis=1),
            "high": np.fmin.reduce(ice + within, axis=1),
        }

    def of_arms(self, outcome: NDArray[Any]) -> NamedArrays:
        """Return the outcomes of the measured arms on the scale, ``arms`` (units, S,
        ...), with their low and high.
        """
        measured = np.take(self.of_tasks(outcome), self.measured, axis=1)
        y, bound = transform_with_bound(measured, scale=self.scale, over=self.over)
        return {
            "arms": np.ascontiguousarray(y),
            "arms_low": (y - bound).max(0),
            "arms_high": (y + bound).min(0),
        }

    def of_tasks(self, outcome: NDArray[Any]) -> NDArray[Any]:
        """Return the outcomes of the tasks in use."""
        return (
            outcome if self.over is None else np.take(outcome, self.over.used, axis=2)
        )

    def extremes(self, outcome: NDArray[Any]) -> NamedArrays:
        """Return the smallest and largest answer of each task or contrast of tasks (and
        model), ``least``, ``most``.
        """
        if self.over is not None:
            outcome = self.over.sums(self.of_tasks(outcome).astype(np.float64), 2)
        axes = (0, 1)
        least, most = (x.reduce(outcome, axis=axes) for x in (np.fmin, np.fmax))
        return {"least": least, "most": most}


@dataclass(frozen=True)
class ContrastTrialSetup(TrialSetup):
    """A trial before its first answer, and the contrasts that are computed while it
    runs.
    """

    question: ContrastRequest
    sparing: bool

    @property
    def reduction(self) -> ContrastReduction:
        """Computes the contrasts of some units."""
        return ContrastReduction.of(self.question, self.trial.predictor)

    @property
    def frame(self) -> xr.Dataset:
        """Labels of the effects or moments, without units and numbers."""
        names = effect_labels(
            self.question, self.trial.predictor, self.attrs, sparing=self.sparing
        )
        names = self._with_sources(names)
        if self.trial.floor is not None:
            floor = self._floor
            names["floor"] = (("contrast", *self.trial.predictor.dims), floor)
        stored = store_design(names, self.trial.design)
        return stored if self.sparing else stored.drop_vars("design", errors="ignore")

    def _with_sources(self, names: xr.Dataset) -> xr.Dataset:
        """Return labels with the effects in source sequences.

        Where units are kept, also with their outcomes under the arm under which they
        are compared with backgrounds.
        """
        sources, question = self.source_outcomes, self.question
        if sources is None:
            return names
        names = names.assign_attrs(sources.attrs)
        found = source_effects(
            self._sources_in_use(sources),
            question.weights,
            scale=question.scale,
            measured_on=self.trial.predictor.scale,
            over=question.over,
        )
        names = names.assign(found)
        arms = xr.Dataset(coords=arm_coordinates(self.trial.design.named_arms))
        both = sources.assign_coords(arms.coords)
        reference = reference_arm(both, question.weights)
        if self.sparing or question.over is not None or reference is None:
            return names
        place = self.trial.design.arm_names.index(reference)
        at = np.flatnonzero(question.measured == place)
        if not len(at):
            return names
        answer = sources["source_outcome"].sel(source_arm=reference, drop=True)
        answer = first_draws(answer).astype(np.float64)
        answer.attrs[MEASURED] = int(at[0])
        return names.assign(source_answer=answer)

    def _sources_in_use(self, sources: xr.Dataset) -> xr.Dataset:
        """Return outcomes of source sequences in the tasks in use."""
        over = self.question.over
        if over is None or "source_outcome" not in sources:
            return sources
        return sources.isel(task=over.used)

    @property
    def roundings(self) -> dict[str, NDArray[np.float64]]:
        """Rounding error of effects, and of the outcomes stored beside them."""
        of_outcomes, over = super().roundings["outcome"], self.question.over
        return {
            "ice": self._floor,
            "measured": of_outcomes if over is None else of_outcomes[over.used],
        }

    @property
    def _floor(self) -> NDArray[np.float64]:
        over, by_scale = self.question.over, self.floor_by_scale
        by_scale = by_scale if over is None else by_scale.isel(task=over.used)
        floor = np.asarray(
            floor_of(self.question.matrix, by_scale, self.question.scale)
        )
        return floor if over is None else over.bounds(floor, 1)


def set_up_contrasts(request: RunRequest) -> ContrastTrialSetup:
    """Return a trial that keeps effects or moments, before its first answer.

    Raises
    ------
    DesignError
        If it names no contrasts, is parallel, or its analysis needs the outcomes
        themselves.
    EstimateError
        If the scale is impossible for the predictor's answers.
    """
    question = contrast_request(
        request.design, request.predictor, request.analysis, keep=request.keep
    )
    setup = request.set_up()
    return ContrastTrialSetup(
        setup.trial,
        setup.attrs,
        question,
        sparing=request.keep == "moments",
        sources=setup.sources,
    )


def which_tasks(holds: NDArray[np.bool_], dims: tuple[str, ...]) -> list[int]:
    """Return the tasks for which something holds everywhere, of an array with the dims
    of an answer.

    Examples
    --------
    >>> which_tasks(np.array([[True, False], [True, True]]), ("position", "task"))
    [0]
    """
    by_task = np.moveaxis(holds, dims.index("task"), 0)
    return [
        int(task)
        for task in np.flatnonzero(by_task.reshape(len(by_task), -1).all(axis=1))
    ]


def warn_constant_tasks(constant: list[int], found: xr.Dataset) -> None:
    """Warn of the first of the tasks that have one answer for every sequence."""
    if constant:
        task = str(found["task"].to_numpy()[constant[0]])
        text = (
            f"task '{task}': the predictor gives the same answer for every unit under "
            "every arm"
        )
        warnings.warn(DegenerateWarning(text), stacklevel=caller_stacklevel())
