"""Contrasts of arms: individual causal effects on a named scale from outcomes, and
their numerical floor.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.analysis import (
    Analysis,
    analysis_in_attrs,
    as_result,
    rows_of_question,
)
from causalgia.attributes import About, has
from causalgia.checks import as_names
from causalgia.choices import Scale
from causalgia.effect_table import (
    INCOMPLETE,
    EffectTable,
    folded,
    gaps_in_words,
    has_gaps,
    has_positions,
    is_folded,
    tasks_in_table,
    unfolded,
)
from causalgia.effects.contrast_weights import (
    Contrasts,
    Weights,
    arm_name,
    as_unique,
    duplicate_notes,
    requested_weights,
    weight_matrix,
)
from causalgia.effects.functions_of_means import (
    check_scale_of_means,
    expand_crossover,
    expand_parallel,
    no_means_note,
    parts_and_slopes,
    rows_of_tasks,
    steps,
)
from causalgia.effects.pointwise_effects import (
    control_sd,
    effects_of_units,
    sd_attrs,
    shared_control_sd,
    skewed_control_note,
    varying_sd_weights,
)
from causalgia.effects.scales import (
    OF_MEANS,
    MeansFunction,
    TaskWeights,
    check_task_scale,
    do_coordinate,
    effect_attrs,
    measured_on,
    on_scale,
    requested_task_weights,
    tasks_in_use,
)
from causalgia.effects.source_effects import source_answers, source_effects
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    quoted,
)
from causalgia.expressions import matched, without_patterns
from causalgia.notes import (
    design_question,
    edits_from_json,
    notes_of_controls,
)
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import as_dense, by_block, in_memory, is_finite
from causalgia.outcome_values import as_measured
from causalgia.schema import validate
from causalgia.types import Array


@usual_errors
def contrast(
    outcomes: xr.Dataset,
    *,
    control: str | float | None = None,
    contrasts: Contrasts | None = None,
    interaction: Sequence[str] | None = None,
    tasks: Contrasts | None = None,
    scale: Scale | MeansFunction = "identity",
) -> xr.Dataset:
    """Compute individual causal effects (ICE): for each unit, a weighted sum of its
    outcomes, on a named scale.

    ``ICE_u = sum_a w_a g(Y_u(a))`` with weights that sum to zero. Give `control`,
    `contrasts` or `interaction`; without them, the contrasts are those of the analysis
    stored with the outcomes, or of the design. The estimand is the mean over the null
    model; `causalgia.estimate` follows. `causalgia.contrast_models` compares the models
    of an ensemble.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `from_frame`: a crossover, ``outcome (unit, arm, task[,
        model])``, or a parallel trial, ``outcome (unit, task[, model])`` and ``assigned
        (unit)``; or a table with gaps of `from_frame`. With a dim ``position`` before
        task (curves), the effects have it, too.
    control
        The arm subtracted from every other arm; each contrast has the name of its
        treatment arm. A number stands for the arm of that name: 0 and 0.0 for
        ``"0"``.
    contrasts
        Weights of arms by the name of the contrast,
        ``{"AB alone": {"AB": 1, "A": -1}}``; or text, ``"GATA1 - placebo"`` or
        ``"(A + B)/2 = placebo"``, one or a list, with backticks around names that have
        spaces or signs; or ``"pairwise"``, ``"reference"`` (each arm minus the first)
        or ``"sequential"`` (minus the previous one).
    interaction
        Two or more two-level factors, coordinates on arm, for their full interaction:
        AB - A - B + 0 for two factors, 0 being the smaller level. Arms with a missing
        level are left out.
    tasks
        Contrasts between tasks, of which each takes the place of a task:
        ``{"K562 minus HepG2": {"K562": 1, "HepG2": -1}}``, or text, ``"K562 - HepG2"``.
        The effect is the weighted sum over tasks of the ICE, unit by unit, so that its
        standard error accounts for the units that all tasks share. Weights that sum to
        zero compare tasks. A pattern (``"DNASE:*"``) selects each task that it matches;
        in a sum, in backticks, it is their mean.
    scale
        The function g, ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``; or
        ``"sd"``, in sd of the control arm of each task (for tasks that are measured on
        different scales); or a function of the means of the arms, ``"log_of_means"`` or
        ``"ratio"``, or for an interaction of two factors in a crossover a function of
        your own, ``f(none, first, second, both)`` of the mean outcomes of these arms,
        which is 0 where there is no interaction. One that divides returns a tuple of
        numerator and divisor, whose limits are then Fieller's where the divisor may be
        0. Its gradient is found by differences, to a relative 1e-9 of a smooth function.

    Returns
    -------
    Dataset
        Crossover: ``ice (unit, contrast, task[, model])``, with ``constant`` where all
        units have the same ICE within rounding and ``zero`` where it may be 0. Parallel
        trial: ``outcome`` on the scale g, ``assigned`` and ``rounding``. Table with
        gaps: ``outcome (unit, arm, task)`` on the scale g, NaN where it is missing,
        from which `estimate` fits all arms together. All: ``weight (contrast, arm)``,
        ``control_sd``, ``do (contrast)``, and attrs that describe the estimand;
        attrs["exploratory"] names settings that differ from the stored analysis. A
        ratio, or logarithm, of means that are not all above 0 is not ``measured``.

    Raises
    ------
    EstimateError
        If several of `control`, `contrasts` and `interaction` are given, or none and
        none is stored; if an arm or factor is unknown, a text is not linear in the arms
        or repeats a contrast, weights do not sum to zero, a cell of the factorial is
        empty or occurs twice, the scale is impossible for an outcome, or a contrast
        names an unknown task, or tasks on different scales (coordinate ``task_scale``);
        or if a table with gaps is to be contrasted on a function of means or between
        tasks, which take whole units.
    DataError
        If `outcomes` is not a Dataset of outcomes.

    Warns
    -----
    DegenerateWarning
        If some rows of a ratio, or logarithm, of means have a mean that is not above 0;
        a note names them.

    Notes
    -----
    Functions of means have no individual effects; their ``ice`` are influence values,
    whose mean is the effect and whose spread gives its error. The page "What is
    estimated" (the scale) has the formulas.

    ``control_sd``, the unit of a ROPE or prior in sd, is the sd over units of the
    `control`, else of the untreated arm; if there is none or several, or it does not
    vary, the pooled sd of the arms with negative weights. For a contrast of tasks it is
    the sd of the same weighted sum of the tasks: "0.2 sd" of K562 - HepG2 is a fifth of
    the sd over units of their difference in the control arm.

    Lazy outcomes of a crossover are streamed, and ``ice`` is lazy in the same chunks;
    others are loaded. Arms that no contrast uses are not read.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925: global importance is such an
    average.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), [[[1.0], [3.0]], [[2.0], [5.0]]])},
    ...     coords={"unit": [0, 1], "arm": ["placebo", "GATA1"], "task": ["K562"]},
    ... )
    >>> effects = contrast(outcomes, control="placebo")
    >>> effects["ice"].squeeze().values, effects.attrs["estimand"]
    (array([2., 3.]), "mean over units of outcome under 'GATA1' minus outcome under 'placebo'")

    An interaction as in BPNet (Avsec et al. 2021): what B adds to A, less what it adds
    alone, relative to A:

    >>> def bpnet(none, a, b, both):
    ...     return (both - a) - (b - none), a
    >>> y = np.array([[1.0, 2.0, 3.0, 9.0], [1.0, 2.0, 5.0, 11.0]])
    >>> coords = {"arm": ["0", "B", "A", "AB"], "task": ["K562"]}
    >>> factors = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords | factors
    ... )
    >>> effects = contrast(outcomes, interaction=["a", "b"], scale=bpnet)
    >>> effects["ice"].mean().item(), effects.attrs["contrast_scale"]
    (1.25, 'bpnet of mean outcome')
    """
    outcomes = as_outcomes(outcomes)
    question = _as_question(outcomes, control, contrasts, interaction, tasks, scale)
    columns, by_column, curves = outcomes, question.tasks, has_positions(outcomes)
    if curves:
        columns = folded(outcomes)
        by_column = (
            None
            if by_column is None
            else by_column.at_each(outcomes["position"].to_numpy().tolist())
        )
        if (
            question.tasks is not None
        ):  # contrasts between tasks, whose labels are those of effects, replace the tasks
            labels = [name for name, c in outcomes.coords.items() if "task" in c.dims]
            first = outcomes.drop_vars(labels).isel(
                task=np.zeros(len(question.tasks.names), int)
            )
            outcomes = first.assign_coords(task=question.tasks.names)
    effects = _effects(columns, question, by_column, scale)
    return unfolded(effects, outcomes) if curves else effects


class _Question(NamedTuple):
    """Contrasts of arms and of tasks as they were given, or as the plan has them.

    Parameters
    ----------
    control, interaction
        None where the contrasts were given by weights.
    weights
        Weights of the arms by the name of the contrast.
    tasks
        Weights of the tasks, if contrasts between tasks are estimated.
    as_planned
        Whether the contrasts of arms are those of the stored analysis or design.
    settings
        The fields of an `Analysis` that the question was given by; those that the
        stored analysis has otherwise are exploratory.
    """

    control: str | None
    interaction: Sequence[str] | None
    weights: Weights
    tasks: TaskWeights | None
    as_planned: bool
    settings: dict[str, Any]
    asked: Sequence[str] | None


def _as_question(
    outcomes: xr.Dataset,
    control: str | float | None,
    contrasts: Contrasts | None,
    interaction: Sequence[str] | None,
    tasks: Contrasts | None,
    scale: Scale | MeansFunction,
) -> _Question:
    from_plan, stored = (
        control is None and contrasts is None and interaction is None,
        has(outcomes).analysis,
    )
    plan = Analysis()
    if from_plan or stored:  # of outcomes without a plan, the contrasts of their design
        plan = analysis_in_attrs(outcomes.attrs)
        plan = plan if plan.asks else plan.asking(design_question(outcomes))
    planned = (
        plan.control,
        plan.weights_by_contrast or None,
        list(plan.interaction or ()) or None,
    )
    if from_plan:
        control, contrasts, interaction = planned
        tasks = (plan.weights_by_task_contrast or None) if tasks is None else tasks
    arms = names_of_arms(outcomes)
    control = None if control is None else arm_name(control, arms)
    if (factors := as_names(interaction)) is not None:
        interaction = list(factors)
    weights = requested_weights(outcomes, arms, control, contrasts, interaction)
    over = (
        None
        if tasks is None
        else requested_task_weights(tasks, tasks_in_table(outcomes))
    )
    question = (control, None if contrasts is None else weights, interaction)
    as_planned = from_plan or (stored and question == planned)
    requested = (
        {}
        if as_planned
        else dict(zip(("control", "contrasts", "interaction"), question, strict=True))
    )
    settings = requested | {"tasks": _tasks_for_plan(plan, over), "scale": scale}
    asked = plan.question if as_planned else None
    return _Question(control, interaction, weights, over, as_planned, settings, asked)


def _effects(
    outcomes: xr.Dataset,
    question: _Question,
    over: TaskWeights | None,
    scale: Scale | MeansFunction,
) -> xr.Dataset:
    """Return the effects of outcomes without positions; `over` are the weights of their
    tasks.
    """
    control, interaction, weights, of_tasks, as_planned, settings, asked = question
    arms, on, crossover = (
        names_of_arms(outcomes),
        measured_on(outcomes),
        "arm" in outcomes["outcome"].dims,
    )
    W, cells = weight_matrix(weights, arms), list(next(iter(weights.values())))
    gaps = has_gaps(outcomes)
    if gaps:
        _check_takes_gaps(outcomes, scale, over)
    if is_folded(outcomes) and (callable(scale) or scale in OF_MEANS):
        _check_no_lacking_bases(outcomes, scale)
    check_scale_of_means(scale, interaction, crossover, on)
    if over is not None:
        check_task_scale(scale)
        outcomes = tasks_in_use(outcomes, over, scale)
    sources = source_effects(outcomes, weights, scale=scale, measured_on=on, over=over)
    if over is None:
        sources |= source_answers(outcomes, weights)
    sd_of, sds = varying_sd_weights(outcomes, W, arms, control)
    if gaps and crossover:
        parts = _effects_with_gaps(outcomes, sd_of, scale, on)
    elif crossover:
        parts = _crossover_effects(outcomes, W, sd_of, sds, scale, on, cells, over)
    else:
        outcomes, parts = _parallel_effects(outcomes, W, sd_of, arms, scale, on, over)
    floor = floor_column(outcomes, W, arms, scale, cells, over=over, sd_of=sd_of)
    sentences = [] if as_planned else duplicate_notes(weights)
    sentences += (
        skewed_control_note(outcomes["outcome"], sd_of) if scale == "sd" else []
    )
    if over is not None:
        outcomes = outcomes.drop_vars(
            [name for name, c in outcomes.coords.items() if "task" in c.dims]
        )
    dims = {*outcomes["outcome"].dims, "arm"}
    coords: dict[Any, Any] = {
        name: c for name, c in outcomes.coords.items() if dims.issuperset(c.dims)
    }
    coords |= {} if over is None else {"task": over.names}
    coords |= {"contrast": list(weights), "arm": arms}
    coords |= do_coordinate(outcomes, weights, scale)
    if asked is not None:
        of = rows_of_question(asked, list(weights), error=EstimateError)
        coords["of_question"] = ("contrast", of)
    columns = parts | {"weight": (("contrast", "arm"), as_dense(W))} | floor
    if "design" in outcomes.variables:  # too long for an attribute
        columns["design"] = outcomes.variables["design"]
    effects = EffectTable(columns | sources, coords, outcomes.attrs)
    edits = str(effects.attrs.pop(About.edits.name, ""))
    if edits and not (as_planned or interaction):
        sentences += notes_of_controls(weights, edits_from_json(edits))
    assignment = INCOMPLETE if gaps else "crossover" if crossover else "parallel"
    effects.attrs |= effect_attrs(
        on, weights, scale, assignment, control, interaction, of_tasks
    )
    effects.attrs |= sd_attrs(sd_of, W)
    if "measured" in effects:
        sentences += [no_means_note(effects)]
        warnings.warn(DegenerateWarning(sentences[-1]), stacklevel=caller_stacklevel())
    return as_result(effects, "effects", *sentences, settings=settings, gaps=True)


def names_of_arms(outcomes: xr.Dataset) -> list[str]:
    return as_unique([str(arm) for arm in outcomes["arm"].to_numpy()], "arms")


def _tasks_for_plan(plan: Analysis, over: TaskWeights | None) -> Any:
    """Return the weights of tasks in the form in which a plan has them: its own
    patterns, where they say the same.
    """
    planned = plan.weights_by_task_contrast
    if over is None or (
        not planned and over.selects and set(over.names) == set(over.known)
    ):
        return None
    known = set(over.known)
    patterns = [task for row in planned.values() for task in row if task not in known]
    if patterns and all(matched(task, over.known) for task in patterns):
        return (
            planned
            if without_patterns(planned, over.known) == over.weights
            else over.weights
        )
    return over.weights


def as_outcomes(outcomes: xr.Dataset) -> xr.Dataset:
    """Return outcomes of one unit or more with a dim arm, in memory but for those of a
    crossover.
    """
    curves = has_positions(outcomes)
    validate(outcomes, "outcomes", positions=curves, gaps=not curves)
    if outcomes.sizes["unit"] == 0:
        raise DataError("outcomes: no units; the selection before contrast left none")
    if "arm" not in outcomes.dims:
        raise DataError(
            "outcomes: no dim 'arm'; a Dataset from cg.run or cg.from_frame has it"
        )
    outcomes = in_memory(
        as_measured(outcomes), but="unit" if "arm" in outcomes["outcome"].dims else None
    )
    return outcomes.set_coords(
        [name for name in ("assigned", "parent", "block") if name in outcomes]
    )


def _crossover_effects(
    outcomes: xr.Dataset,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    untreated_sd: Array | None,
    scale: str | MeansFunction,
    on: str,
    cells: list[str],
    over: TaskWeights | None,
) -> dict[str, Any]:
    y, used = outcomes["outcome"], np.union1d(W.indices, sd_of.indices)
    if len(used) < y.sizes["arm"]:
        y = y.isel(arm=used).copy(data=by_block(y.data, np.take, indices=used, axis=1))
    if callable(scale) or scale in OF_MEANS:
        return expand_crossover(y, W[:, used], sd_of[:, used], scale, on, cells, over)
    return effects_of_units(
        y,
        W[:, used],
        sd_of[:, used],
        scale,
        on,
        over,
        untreated_sd=untreated_sd,
        two_valued=not is_folded(outcomes),
    )


def _check_takes_gaps(
    outcomes: xr.Dataset, scale: object, over: TaskWeights | None
) -> None:
    """Raise EstimateError where a question takes the outcome of every unit under every
    arm, in every task.
    """
    if over is not None:
        raise EstimateError(
            f"tasks: {gaps_in_words(outcomes)}, and a contrast between tasks is the "
            "sum of a unit's own outcomes",
            argument="tasks",
        )
    if callable(scale) or scale in OF_MEANS:
        raise EstimateError(
            f"scale={quoted(scale)}: {gaps_in_words(outcomes)}, and a function of the "
            "means of the arms needs every cell",
            argument="scale",
        )


def _check_no_lacking_bases(outcomes: xr.Dataset, scale: object) -> None:
    """Raise EstimateError where arms lack bases of a track, of whose means over units a
    function is asked.
    """
    if not is_finite(outcomes["outcome"].data):
        raise EstimateError(
            f"scale={quoted(scale)}: some units lack bases under an arm, and a function "
            "of means takes the same units in every arm",
            argument="scale",
        )


def _effects_with_gaps(
    outcomes: xr.Dataset, sd_of: sparse.csr_array, scale: str | MeansFunction, on: str
) -> dict[str, Any]:
    """Return the outcomes on a scale, NaN where they are missing, and the sd of the
    control over units that have it.
    """
    y, bound = _cells_on_scale(
        outcomes["outcome"].transpose("unit", "arm", "task"), scale, on
    )
    sds = _control_sd_by_task(
        [*np.moveaxis(y.to_numpy(), 1, 0)], [*np.moveaxis(bound, 1, 0)], sd_of
    )
    of_effects = {name: (("contrast", "task"), sd) for name, sd in sds.items()}
    return {"outcome": y, "rounding": (y.dims, bound), **of_effects}


def _cells_on_scale(
    y: xr.DataArray, scale: str | MeansFunction, on: str
) -> tuple[xr.DataArray, Array]:
    """Return `on_scale` of outcomes that may be missing: NaN, with a bound of 0."""
    measured = y.notnull().to_numpy()
    if measured.all():
        return on_scale(y, scale, on)
    # a value that every scale takes, removed again
    put, bound = on_scale(y.fillna(0.5), scale, on)
    return put.where(measured), np.where(measured, bound, 0.0)


def _control_sd_by_task(
    values: list[Array], bounds: list[Array], sd_of: sparse.csr_array
) -> dict[str, Array]:
    """Return `control_sd` over the units that have the arm in a task."""
    found = []
    for t in range(values[0].shape[1]):
        there = [np.isfinite(x[:, t]) for x in values]
        y, bound = (
            [x[has, t] for x, has in zip(cells, there, strict=True)]
            for cells in (values, bounds)
        )
        found.append(control_sd(y, bound, sd_of))
    if not all(found):
        return {}
    return {"control_sd": np.stack([sd["control_sd"] for sd in found], axis=1)}


def _parallel_effects(
    outcomes: xr.Dataset,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    arms: list[str],
    scale: str | MeansFunction,
    on: str,
    over: TaskWeights | None,
) -> tuple[xr.Dataset, dict[str, Any]]:
    if "assigned" not in outcomes:
        raise DataError(
            "outcomes: neither a dim 'arm' of the outcome nor a coordinate 'assigned'"
        )
    known = set(arms)
    assigned = outcomes["assigned"].to_numpy().astype(str)
    for i, arm in enumerate(assigned):
        if arm not in known:
            raise DataError(
                f"unit {outcomes['unit'].to_numpy()[i]} is assigned to {quoted(arm)}, "
                "which is not an arm"
            )
    if scale != "identity":
        outcomes = outcomes.isel(
            unit=np.isin(
                assigned, [arms[j] for j in np.union1d(W.indices, sd_of.indices)]
            )
        )
    received = outcomes["assigned"].to_numpy().astype(str)
    rows = [np.flatnonzero(received == arm) for arm in arms]
    if scale in OF_MEANS:
        y, bound, more = expand_parallel(
            outcomes["outcome"], rows, arms, W, sd_of, scale, on
        )
    else:
        (y, bound), more = _cells_on_scale(outcomes["outcome"], scale, on), {}
    if over is not None:
        if "measured" in more:
            dims, measured = more["measured"]
            more["measured"] = dims, rows_of_tasks(measured, over)
        coords = {str(name): c for name, c in y.coords.items() if "task" not in c.dims}
        y, bound = (
            xr.DataArray(over.sums(y.to_numpy(), 1), coords, y.dims),
            over.bounds(bound, 1),
        )
    of_arms = control_sd if y.notnull().all() else _control_sd_by_task
    spread = of_arms(
        [y.to_numpy()[i].astype(np.float64) for i in rows],
        [bound[i] for i in rows],
        sd_of,
    )
    sds = {name: (("contrast", *y.dims[1:]), values) for name, values in spread.items()}
    return outcomes, {"outcome": y, "rounding": (y.dims, bound), **sds, **more}


def floor_of(W: sparse.csr_array, by_scale: xr.DataArray, scale: str) -> Array:
    """Return ``sum_a |w_a| r``, with r the largest rounding error of a prediction,
    ``(K, tasks[, models])``.

    Parameters
    ----------
    W
        Weights of K contrasts, ``(K, A)``.
    by_scale
        r, shape ``(transform, task[, model])``, as measured in a trial.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``.

    Examples
    --------
    >>> r = xr.DataArray(
    ...     [[1e-7], [0.0]],
    ...     dims=("transform", "task"),
    ...     coords={"transform": ["identity", "log"]},
    ... )
    >>> floor_of(sparse.csr_array([[1.0, -1.0, -1.0, 1.0]]), r, "identity")
    array([[4.e-07]])
    """
    r = by_scale.sel(transform=scale).to_numpy()
    size = np.asarray(abs(W).sum(axis=1), np.float64).ravel()
    return np.asarray(np.multiply.outer(size, r))


def floor_of_means(
    W: sparse.csr_array,
    error: Array,
    mean: Array,
    scale: str | MeansFunction,
    cells: list[int],
) -> Array:
    """Return ``sum_a |d theta / d m_a| r`` of functions theta of the arms' means,
    ``(K, tasks[, models])``.

    Parameters
    ----------
    W
        Weights, ``(K, A)``.
    error
        The largest rounding error of a prediction, ``(tasks[, models])``.
    mean
        Means of the arms, ``(A, tasks[, models])``.
    scale
        As in `causalgia.contrast`.
    cells
        Arms 0, B, A and AB of an interaction, for a function.

    Examples
    --------
    >>> W, mean = sparse.csr_array([[-1.0, 1.0]]), np.array([[2.0], [4.0]])
    >>> floor_of_means(W, np.array([1e-6]), mean, "log_of_means", [])
    array([[7.5e-07]])
    """
    shape = (W.shape[0], *mean.shape[1:])
    if not callable(scale):
        used = np.asarray(abs(W).sum(axis=0)).ravel() > 0
        size = np.where(
            used.reshape(-1, *[1] * (mean.ndim - 1)) & (mean > 0), mean, 1.0
        )
        relative = (error / size).reshape(len(mean), -1)
        floor = np.asarray(abs(W) @ relative).reshape(shape)
        if scale == "log_of_means":
            return floor
        logs = np.log(size).reshape(len(mean), -1)
        return np.asarray(floor * np.exp(np.asarray(W @ logs)).reshape(shape))
    four = np.stack([mean[cell] for cell in cells])
    (top, below), slopes, _ = parts_and_slopes(scale, four, steps(four))
    gradient = (slopes[0] - top / below * slopes[1]) / below
    return np.array(np.broadcast_to(np.abs(gradient).sum(axis=0) * error, shape))


def floor_column(
    outcomes: xr.Dataset,
    W: sparse.csr_array,
    arms: list[str],
    scale: str | MeansFunction,
    cells: list[Any],
    *,
    over: TaskWeights | None = None,
    sd_of: sparse.csr_array | None = None,
) -> dict[str, Any]:
    """Return the variable ``floor`` of effects, if the outcomes have the rounding error
    of predictions.

    Examples
    --------
    >>> floor_column(
    ...     xr.Dataset(),
    ...     sparse.csr_array([[1.0, -1.0]]),
    ...     ["a", "b"],
    ...     "identity",
    ...     [],
    ... )
    {}
    """
    if "answer_floor" not in outcomes:
        return {}
    others = [dim for dim in outcomes["outcome"].dims if dim not in ("unit", "arm")]
    by_scale = outcomes["answer_floor"].transpose("transform", *others)
    if not callable(scale) and scale not in OF_MEANS:
        floor = floor_of(W, by_scale, scale)
    elif scale == "sd" and sd_of is not None:
        sd = shared_control_sd(outcomes["outcome"].data, sd_of, scale="identity")
        floor = floor_of(W, by_scale, "identity") / sd
    else:
        error, mean = (
            by_scale.sel(transform="identity").to_numpy(),
            _arm_means(outcomes, arms),
        )
        of_four = [arms.index(str(cell)) for cell in cells] if callable(scale) else []
        floor = floor_of_means(W, error, mean, scale, of_four)
    return {
        "floor": (
            ("contrast", *others),
            floor if over is None else over.bounds(floor, 1),
        )
    }


def _arm_means(outcomes: xr.Dataset, arms: list[str]) -> Array:
    """Return the mean outcome of every arm, 1 for an arm without units."""
    y = outcomes["outcome"]
    if "arm" in y.dims:
        return np.asarray(y.to_numpy().astype(np.float64).mean(axis=0))
    assigned, values = (
        outcomes["assigned"].to_numpy().astype(str),
        y.to_numpy().astype(np.float64),
    )
    return np.stack(
        [
            values[assigned == a].mean(axis=0)
            if (assigned == a).any()
            else np.ones(values.shape[1:])
            for a in arms
        ]
    )
