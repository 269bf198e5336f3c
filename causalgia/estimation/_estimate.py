"""Average causal effects with standard errors, and their covariance."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy
import xarray as xr

from causalgia.analysis import as_result, exploratory_attrs
from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob, as_names, check_flag
from causalgia.choices import Target
from causalgia.effect_table import (
    EffectTable,
    blanked,
    folded,
    gaps_in_words,
    has_gaps,
    has_positions,
    is_folded,
    tasks_in_table,
    unfolded,
)
from causalgia.effects import contrast
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    quoted,
)
from causalgia.estimation._from_effects import (
    as_estimates,
    check_not_decisions,
    with_aligned_covariance,
)
from causalgia.estimation.arm_columns import (
    OF_EACH_ARM,
    OF_OWN_ARMS,
    adjusted,
    as_table_with_gaps,
    counts_of_arms,
    has_lone_arm,
    spread_of_arms,
)
from causalgia.estimation.crossover import Estimate
from causalgia.estimation.crossover_estimates import (
    check_crossover_request,
    check_one_unit,
    estimate_crossover,
    estimate_from_moments,
    has_moments,
    ice_without_rounding,
    is_unclustered_population,
    uses_random_arms,
)
from causalgia.estimation.effect_intervals import by_the_rule
from causalgia.estimation.given_effects import task_columns
from causalgia.estimation.moderated_variances import moderate
from causalgia.estimation.own_arms import own_arms
from causalgia.estimation.parallel_estimates import estimate_parallel
from causalgia.estimation.ratios import Limits, check_means_are_units, limits_of_means
from causalgia.estimation.request import (
    Answer,
    Request,
    as_contrasts,
    as_target,
    check_clusters,
    check_two_clusters,
    contrast_labels,
    null_value,
    rescale,
    undo_rescale,
    with_clusters,
    with_floor,
)
from causalgia.estimation.source_notes import source_notes
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import centered, log_p, p_and_limits
from causalgia.numerics.row_blocks import (
    HELD,
    LARGE_BLOCK,
    Rows,
    by_block,
    gram,
    in_memory,
    is_finite,
    sums_in_random_groups,
)
from causalgia.outcome_values import selection
from causalgia.schema import annotate, check_dataset, validate
from causalgia.types import Array, Codes

MAX_COVARIANCE = 512


@usual_errors
def estimate(
    effects: xr.Dataset,
    *,
    control: str | float | None = None,
    cluster: str = "auto",
    block: str | None = None,
    covariates: str | Iterable[str] | None = None,
    target: Target | None = None,
    ci_prob: float = 0.95,
    weights: Literal["units", "clusters"] = "units",
    variances: bool = False,
    task_correlation: bool = False,
) -> xr.Dataset:
    """Estimate average causal effects (ACE) with standard errors, tests and intervals.

    The ACE is ``E_u[ICE_u]`` over the population that `target` names. The estimator
    follows from the trial: a crossover averages the ICE, a parallel trial compares the
    means of the arms, a table with gaps takes generalized least squares, and units that
    share a parent are clustered. `causalgia.report`, `infer` or `decide`
    follow.

    Parameters
    ----------
    effects
        From `contrast`; or the moments of a trial, ``cg.run(..., keep="moments")``, for
        the population as target, equal weights of units, and the clusters of the
        trial's analysis; or outcomes, with their `control`.
    control
        Of outcomes: the arm subtracted from every other arm, as in `contrast`.
    cluster
        Units that vary together. ``"auto"``: by ``parent`` if any parent has more than
        one unit. ``"none"``: units are independent. Or the name of a coordinate on the
        units. Clustered standard errors are CR2 with Satterthwaite degrees of freedom.
    block
        Parallel trials: the coordinate within which arms were randomized. None:
        ``block``, if the outcomes have it. Blocks are random for the target
        ``"population"`` (mean of block effects) and fixed for ``"units"``.
    covariates
        Parallel trials: numeric coordinates on the units for Lin's interacted
        regression.
    target
        The population of the claim. ``"population"`` (None): new backgrounds, and new
        parents. ``"parents"``: new shuffles of these parents. ``"units"``: exactly
        these units. ``"population x predictors"``: also new retrainings of the
        predictor (dim model). ``"next predictor"``: the ACE in one more retraining,
        with its prediction interval. ``"population x replicates"``: new elements and
        replicates, the default for measured activities.
    ci_prob
        Probability of the intervals.
    weights
        Crossover: ``"units"``, each unit has weight 1; or ``"clusters"``, each cluster
        has weight 1. They differ if effects depend on the size of a cluster.
    variances
        Whether variances are moderated over 10 or more rows, as limma does
        (`causalgia.estimation.moderated_variances`): for rows of few units, or few
        predictors. The field of a `causalgia.Shrinkage` in an analysis.
    task_correlation
        Whether to keep how the errors of tasks vary together, for
        ``infer(..., across="task")``.

    Returns
    -------
    Dataset
        ``ace, se, df, p, log_p, lower, upper, skewness, leverage, exact, n_units,
        n_clusters (contrast, task[, model])`` on attrs["contrast_scale"];
        ``covariance (contrast, contrast_, task[, model])`` up to 512 contrasts, above
        that ``factor (cluster, contrast, task[, model])`` with covariance = factor'
        factor; ``control_sd``. Effects with a dim ``position`` keep it before task;
        their intervals hold position by position, and `factor`, summed over 256 or more
        random groups of clusters, is what `causalgia.simultaneous` makes a band of. On
        request ``task_correlation (contrast, task, task_)`` and
        ``shared_covariance (task, task_)``.

    Raises
    ------
    EstimateError
        If the data do not identify the requested standard error; the message says what
        is lacking and the remedy. If a `control` is given with effects, which have one.
    EstimateError
        If the `control` is no arm of the outcomes.

    Warns
    -----
    DegenerateWarning
        If nothing varies among the units, or there is one unit.
    DegenerateWarning
        If the mean ICE of clusters depends on their size (10 or more clusters; false
        alarms in 1 %) and units are weighted equally; ``weights="clusters"`` is the
        remedy.
    DegenerateWarning
        Below 20 clusters; not for drawn blocks, where t on G - 1 is exact arithmetic.

    Notes
    -----
    If nothing varies beyond the rounding of the outcomes, ``exact`` is true and
    the interval is that value. Curves over positions have t intervals alone, and
    `causalgia.multiplicity.simultaneous` gives their bands. ``log_p`` is the natural
    logarithm of p, also where p underflows. ``p_t`` is the p of Student's t alone, as R
    prints it from ``ace, se, df``. One unit gives ``ace`` alone, and so does
    the target ``"units"`` of a crossover without random arms, with se 0. For
    ``"next predictor"``, ``se`` is the standard deviation of the prediction error. On a
    scale of means, p tests attrs["null_value"]. A ratio of means has the p of the
    logarithm of means, and its limits; both are Fieller's where a mean is not clear of
    0, with an open end where ``unbounded``, and p 1 where both are open. A row with a mean
    that is not above 0 is not ``measured``: it has nan, and a note names it.

    Of a table with gaps each contrast is estimated from the cells of its own arms
    (`causalgia.estimation.own_arms.own_arms`): generalized least squares with a random
    unit, CR2 over independent units; where none of these is missing it is the mean ICE.
    Where every unit has one arm, each task is a parallel trial of the units that have
    it, without blocks and covariates. Such tables are estimated for the target
    ``"population"``. An arm with fewer than two independent units leaves its contrasts
    ``unbounded``, with p 1.

    Lazy ICE are streamed for the population without clusters (memory does not grow with
    the number of units).

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181. Pustejovsky & Tipton
    (2018), doi:10.1080/07350015.2016.1247004. Welch (1947),
    doi:10.1093/biomet/34.1-2.28. Lin (2013), doi:10.1214/12-AOAS583.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {
    ...         "ice": (
    ...             ("unit", "contrast", "task"),
    ...             [[[1.0]], [[2.0]], [[4.0]], [[9.0]]],
    ...         )
    ...     },
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ... )
    >>> estimates = estimate(effects)
    >>> (
    ...     estimates["ace"].item(),
    ...     round(estimates["se"].item(), 4),
    ...     round(estimates["lower"].item(), 4),
    ... )
    (4.0, 1.7795, -1.6632)
    """
    if control is not None:
        effects = minus_control(effects, control)
    given, of_moments, curves = effects, has_moments(effects), has_positions(effects)
    effects = folded(effects) if curves else effects
    with_positions, parallel = is_folded(effects), "assigned" in effects
    validate(effects, "moments" if of_moments else "effects", gaps=True)
    if with_positions and "ice" in effects and not is_finite(effects["ice"].data):
        raise EstimateError(
            "effects: units lack bases of the track (n_units), so that its positions are "
            "of different units; .dropna('position', subset=['ice']) leaves those out"
        )
    if effects.sizes.get("unit", 1) == 0:
        raise EstimateError(
            "the effects have no units; the selection before estimate left none"
        )
    ci_prob, target = as_ci_prob(ci_prob), as_target(effects, target)
    check_flag(variances, "variances", error=EstimateError)
    if task_correlation and with_positions:
        raise EstimateError(
            "task_correlation=True: the effects have the dim 'position'",
            argument="task_correlation",
        )
    if isinstance(covariates, xr.Coordinates):
        covariates = tuple(map(str, covariates))
    names = as_names(covariates) or ()
    if covariates is not None and not names:
        raise EstimateError(
            f"covariates={quoted(covariates)}: give names of coordinates on the units",
            argument="covariates",
        )
    request = Request(cluster, block, names, target, weights)
    answer, limits, note, of_means = (
        None,
        None,
        None,
        about(effects, "").transform in OF_MEANS,
    )
    if of_moments:
        effects, request, answer = estimate_from_moments(effects, request)
    else:
        crossover, gaps = "ice" in effects, has_gaps(effects)
        if of_means:
            check_means_are_units(effects, request)
        if crossover and effects.sizes["unit"] == 1 and target != "units":
            check_one_unit(effects, request)
        else:
            request = with_clusters(effects, request)
            if gaps and parallel:
                _check_not_adjusted(effects, request)
                effects = as_table_with_gaps(effects)
            # lazy effects are loaded, unless their ICE are large and can be streamed in
            # blocks
            by_blocks = not of_means and is_unclustered_population(effects, request)
            held = not by_blocks or (
                effects["ice"].nbytes <= HELD
                and effects.sizes["contrast"] <= MAX_COVARIANCE
            )
            effects = in_memory(effects) if held else in_memory(effects, but="unit")
            rescaled, exponents = rescale(effects)
            lone = not (gaps or crossover or of_means) and has_lone_arm(
                effects, request
            )
            if lone:  # a table with gaps says what can be said of the other rows
                rescaled = as_table_with_gaps(rescaled)
            estimator = (
                estimate_with_gaps
                if gaps or lone
                else estimate_crossover
                if crossover
                else estimate_parallel
            )
            answer = undo_rescale(estimator(rescaled, request), exponents, effects)
            if of_means:
                answer, limits = limits_of_means(
                    effects, answer, request, ci_prob, estimator
                )
            elif crossover:
                note = _size_note(effects, request)
    if answer is not None:
        if limits is None:
            t = answer.estimate.ace, answer.estimate.se, answer.estimate.df
            limits = (*p_and_limits(*t, ci_prob), {"log_p": log_p(*t)})
        estimates = _labeled(
            effects,
            *_answer_columns(
                answer,
                limits,
                null_value(effects),
                curves=with_positions,
                parallel=parallel,
            ),
            request,
            ci_prob,
        )
        if answer.measured is not None:
            known = estimates["ace"].dims, answer.measured
            estimates = blanked(estimates.assign(measured=known))
        if not (
            with_positions
            or of_means
            or (answer.by_definition and bool((answer.estimate.se == 0).all()))
        ):
            estimates = _by_the_rule(estimates, effects, answer, ci_prob)
        estimates = _with_covariance(
            estimates, answer.estimate.factor, curves=with_positions
        )
        estimates = (
            _with_task_columns(estimates, answer, given, request)
            if task_correlation
            else estimates
        )
    else:
        estimates = _labeled(effects, *_one_unit(effects), request, ci_prob)
    estimates = annotate(unfolded(estimates, given) if curves else estimates)
    if variances:
        marks = exploratory_attrs(estimates.attrs, variances=True)
        estimates = moderate(estimates).assign_attrs(marks)
    return with_notes(estimates, *filter(None, [note]), *source_notes(given))


def minus_control(outcomes: xr.Dataset, control: str | float) -> xr.Dataset:
    """Return the effects of outcomes against a control.

    Raises
    ------
    EstimateError
        If they are effects already.
    """
    check_dataset(outcomes, "outcomes")
    if "contrast" in outcomes.dims:
        raise EstimateError(
            f"control={quoted(control)} is of outcomes, and these are effects of "
            "contrasts already",
            argument="control",
        )
    return contrast(outcomes, control=control)


def _check_not_adjusted(effects: xr.Dataset, request: Request) -> None:
    """Raise EstimateError where more is asked of a parallel trial with gaps than the
    arms' means over the units that have a task.
    """
    if (setting := adjusted(effects, request)) is not None:
        name, value = setting
        raise EstimateError(
            f"{name}={quoted(value)}: {gaps_in_words(effects)}, and of a parallel trial "
            "with gaps the means of the arms alone are compared; "
            "outcomes.dropna('task') keeps the tasks without gaps",
            argument=name,
        )


def estimate_with_gaps(effects: xr.Dataset, request: Request) -> Answer:
    """Estimate the ACE of every contrast and task from the cells of its own arms
    (`causalgia.estimation.own_arms`).
    """
    for name, value, default in (
        ("target", request.target, "population"),
        ("weights", request.weights, "units"),
    ):
        if value != default:
            raise EstimateError(
                f"{name}={quoted(value)} needs the individual effects of every unit, "
                "and some lack an arm",
                argument=name,
            )
    check_crossover_request(request)
    groups, tasks = request.groups, tasks_in_table(effects)
    if groups is not None:
        check_two_clusters(groups, len(groups.labels))
    dims = ("unit", "arm", "task")
    Y = effects["outcome"].transpose(*dims).to_numpy().astype(np.float64)
    W = effects["weight"].to_numpy().astype(np.float64)
    arms = effects["arm"].to_numpy()
    lacking = ((W != 0).any(axis=0)[:, None]) & ~np.isfinite(Y).any(axis=0)
    for a, t in np.argwhere(lacking)[:1]:
        raise EstimateError(
            f"arm {quoted(str(arms[a]))} has no outcome in any unit of task "
            f"{quoted(tasks[t])}"
        )
    rounding = (
        effects["rounding"].transpose(*dims).to_numpy()
        if "rounding" in effects
        else None
    )
    found = own_arms(Y, W, None if groups is None else groups.codes, rounding=rounding)
    by = "unit" if groups is None else groups.name
    error = f"CR2 by {by}, Satterthwaite df"
    method = f"GLS over the contrast's own arms, {error}"
    if np.isfinite(Y).any(axis=2).sum(axis=1).max() == 1:
        error = "Welch standard error and df" if groups is None else error
        method = f"difference in means over the units that have a task, of one arm each; {error}"
    if groups is not None and found.known.any():
        check_clusters(groups, int(found.n_clusters[found.known].min()))
    return Answer(
        estimate=Estimate(
            found.ace,
            found.se,
            found.df,
            found.factor,
            np.where(found.known, found.leverage, 0.0),
        ),
        skewness=found.skewness,
        reach=found.largest,
        n_units=found.n_units,
        n_clusters=found.n_clusters,
        method=method,
        cluster=by,
        unbounded=~found.known,
        smallest=found.n,
        pooled=(found.se_pooled, found.df_pooled),
        of_arms=spread_of_arms(Y) if groups is None else None,
    )


_EACH = "each unit"


def _with_task_columns(
    estimates: xr.Dataset, answer: Answer, effects: xr.Dataset, request: Request
) -> xr.Dataset:
    """Add what is known of the errors between tasks; raise EstimateError where rows of
    units are not to be had.

    Independent units of a parallel trial have a factor with a row for each arm, and
    moments have one of each task by itself: neither says how tasks vary together. Units
    of a parallel trial are then taken as clusters of one.
    """
    if "model" in estimates["ace"].dims:
        raise EstimateError(
            "task_correlation=True: the estimates have the dim 'model'",
            argument="task_correlation",
        )
    if "ice_correlation" in effects and "ice_sum" not in effects:
        raise EstimateError(
            "task_correlation=True: moments do not keep how tasks vary together",
            argument="task_correlation",
        )
    if "assigned" in effects and answer.cluster == "unit":
        if request.target != "population":
            raise EstimateError(
                f"task_correlation=True: target={quoted(request.target)} of a parallel "
                "trial has no errors by unit",
                argument="task_correlation",
            )
        each = effects.assign_coords(
            {_EACH: ("unit", np.arange(effects.sizes["unit"]))}
        )
        with warnings.catch_warnings():
            # the estimates themselves gave the warnings
            warnings.simplefilter("ignore")
            by_unit = estimate(
                each,
                cluster=_EACH,
                covariates=request.covariates or None,
                task_correlation=True,
            )
        columns = by_unit[["task_correlation", "shared_covariance"]]
        return estimates.merge(columns.drop_attrs()).assign_attrs(
            task_correlation_df=about(by_unit).task_correlation_df
        )
    labels = contrast_labels(estimates)
    tasks = (
        estimates["task"].to_numpy()
        if "task" in estimates.coords
        else np.arange(estimates.sizes["task"])
    )
    found = task_columns(answer.estimate.factor, labels, tasks)
    df = min(int(answer.n_clusters.min()), len(answer.estimate.factor)) - 1
    return estimates.assign(found).assign_attrs(task_correlation_df=df)


def _by_the_rule(
    estimates: xr.Dataset, effects: xr.Dataset, answer: Answer, ci_prob: float
) -> xr.Dataset:
    """Return estimates of means with p and limits by the one rule
    (`causalgia.estimation.effect_intervals`).
    """
    dims = estimates["ace"].dims
    columns: dict[str, tuple[tuple[Hashable, ...], npt.NDArray[Any]]] = {}
    if answer.smallest is not None:
        columns["n_smallest_arm"] = (
            dims,
            _by_effect(answer.smallest, estimates["ace"].to_numpy()),
        )
    if answer.pooled is not None:
        columns |= {"se_pooled": (dims, answer.pooled[0])}
        columns |= {"df_pooled": (dims, answer.pooled[1])}
    if answer.of_arms is not None:
        for name, of_arm in zip(OF_EACH_ARM, answer.of_arms, strict=True):
            columns[name] = ("arm", *dims[1:]), of_arm
    estimates = estimates.assign(columns)
    counts = effects
    if "outcome" in effects:
        sampled = about(estimates).target == "population"
        counts = (
            counts_of_arms(effects, answer.sums_of_arms) if sampled else xr.Dataset()
        )
    found = [name for name in (*OF_OWN_ARMS, *OF_EACH_ARM) if name in counts]
    estimates = estimates.assign({name: counts.variables[name] for name in found})
    return annotate(
        estimates.assign(
            {name: (dims, x) for name, x in by_the_rule(estimates, ci_prob).items()}
        )
    )


def _one_unit(effects: xr.Dataset) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the columns and attrs of estimates from one unit, and warn."""
    # effects on these units need several draws of a random arm
    or_fixed = "" if uses_random_arms(effects).any() else ", or ask target='units'"
    warnings.warn(
        DegenerateWarning(
            "one unit: the effects have no standard error, p and interval; draw more "
            f"units{or_fixed}"
        ),
        stacklevel=caller_stacklevel(),
    )
    ace = effects["ice"].to_numpy()[0].astype(np.float64)
    attrs = attributes(
        method="the ICE of one unit, without standard error", cluster="unit"
    )
    return {"ace": ace, "n_units": np.ones(ace.shape, dtype=np.int64)}, attrs


def _answer_columns(
    answer: Answer, limits: Limits, null: float, *, curves: bool, parallel: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the columns and attrs of estimates from an answer and its p and limits."""
    e = answer.estimate
    (p, lower, upper, others), exact = limits, e.se == 0
    if answer.unbounded is not None and answer.unbounded.any():
        others, exact = (
            others | {"unbounded": answer.unbounded},
            exact & ~answer.unbounded,
        )
    if answer.measured is not None:
        exact = exact & answer.measured
    if (exact.all() if curves else exact.any()) and not answer.by_definition:
        of_what = (
            "contrasts" if exact.size == len(exact) else "effects (contrast by task)"
        )
        counts = _by_effect(answer.n_clusters, e.ace)[exact]
        n, n_exact = int(counts.min()), int(exact.sum())
        over = f"{n} or more" if counts.max() > n else n
        do = "does" if n_exact == 1 else "do"
        # half of the units of a parallel trial have the treatment
        most, of_n = (6, "3/(n/2)") if parallel else (3, "3/n")
        warnings.warn(
            DegenerateWarning(
                f"{n_exact} of {exact.size} {of_what} {do} not vary at all over {over} "
                f"independent units, but up to {of_n} = {min(most / n, 1):.2g} of the "
                "population may still differ (95 %)"
            ),
            stacklevel=caller_stacklevel(),
        )
    columns: dict[str, Any] = {"ace": e.ace, "se": e.se}
    if not (answer.by_definition and exact.all()):
        columns |= {"df": e.df, "p": p, "lower": lower, "upper": upper, **others}
        if not curves:
            columns["p_t"] = p_and_limits(e.ace - null, e.se, e.df, ci_prob=0.95)[0]
    columns |= {"skewness": answer.skewness, "leverage": e.leverage, "exact": exact}
    if curves or not parallel:  # units of one arm each show no effect
        columns["largest_ice"] = np.broadcast_to(answer.reach, e.ace.shape)
    for name, count in (("n_units", answer.n_units), ("n_clusters", answer.n_clusters)):
        columns[name] = _by_effect(count, e.ace).astype(np.int64)
    return columns, {"cluster": answer.cluster, "method": answer.method}


def _by_effect(count: Codes, ace: Array) -> Codes:
    """Return counts by contrast, or by effect, in the shape of the effects."""
    trailing = [1] * (ace.ndim - count.ndim)
    return np.broadcast_to(count.reshape(*count.shape, *trailing), ace.shape)


def _with_covariance(
    estimates: xr.Dataset, factor: Rows, *, curves: bool
) -> xr.Dataset:
    """Add the covariance of the estimates; of curves and of very many contrasts its
    factor.
    """
    dims, labels = estimates["ace"].dims, contrast_labels(estimates)
    if curves or len(labels) > MAX_COVARIANCE:
        return estimates.assign(
            factor=(
                ("cluster", *dims),
                sums_in_random_groups(factor) if curves else factor,
            )
        )
    between = ("contrast", "contrast_", *dims[1:])
    return estimates.assign(
        contrast_=("contrast_", labels), covariance=(between, gram(factor))
    )


def _labeled(
    effects: xr.Dataset,
    columns: dict[str, Any],
    attrs: dict[str, str],
    request: Request,
    ci_prob: float,
) -> xr.Dataset:
    """Return columns of estimates with the labels and attrs of the effects, and what
    was requested.
    """
    source = effects["ice"] if "ice" in effects else effects["outcome"]
    dims = ("contrast", *(d for d in source.dims if d in ("task", "model")))[
        : columns["ace"].ndim
    ]
    weighted = "weight" in effects
    left = [
        name
        for name, c in effects.coords.items()
        if not (c.dims and {*c.dims} <= {*dims})
        and not (weighted and {*c.dims} <= {"contrast", "arm"})
    ]
    coords = effects.drop_vars(left).coords
    of_effects: dict[Any, Any] = {}
    if weighted:
        of_effects["weight"] = effects.variables["weight"]
    if (
        "control_sd" in effects
    ):  # the root mean square over predictors that were averaged
        sd = effects.variables["control_sd"]
        over = [dim for dim in sd.dims if dim not in dims]
        peak = sd.max(over)
        relative = sd / peak.where(peak > 0, 1.0)  # type: ignore[no-untyped-call]
        of_effects["control_sd"] = peak * np.sqrt((relative**2).mean(over))
    settings: dict[str, Any] = {
        "target": request.target,
        "ci_prob": ci_prob,
        "weights": request.weights,
    }
    chosen = settings | {"covariates": ", ".join(request.covariates)}
    of_trial = {
        name: getattr(request, name) for name in ("cluster", "block", "covariates")
    }
    levels = "model" if "predictor" in request.target else None
    if levels in effects.sizes:
        chosen["n_levels"] = effects.sizes["model"]
    chosen |= exploratory_attrs(effects.attrs, **of_trial, **settings)
    estimates = EffectTable(
        {name: (dims, values) for name, values in columns.items()} | of_effects,
        coords,
        dict(effects.attrs) | selection(effects) | chosen | attrs,
    )
    return with_floor(as_result(estimates, "estimates"), effects)


@usual_errors
def covariance(
    estimates: xr.Dataset, contrast: str | Sequence[str] | None = None
) -> xr.DataArray:
    """Return the covariance of ACEs, stored as a matrix or as a factor.

    Parameters
    ----------
    estimates
        From `estimate`, with ``covariance`` or ``factor``.
    contrast
        Names of contrasts, one or several; None: all. From a factor only this block is
        formed.

    Returns
    -------
    DataArray
        ``(contrast, contrast_, task[, model])``, on attrs["contrast_scale"] squared.

    Raises
    ------
    EstimateError
        If a contrast is unknown, the estimates have no covariance (one unit, errors
        from elsewhere, decisions), or names do not identify the columns of the selected
        contrasts.
    DataError
        If these are outcomes or effects.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {
    ...         "ice": (
    ...             ("unit", "contrast", "task"),
    ...             [[[1.0], [0.0]], [[2.0], [3.0]], [[6.0], [3.0]]],
    ...         )
    ...     },
    ...     coords={"contrast": ["GATA1", "TAL1"], "task": ["K562"]},
    ... )
    >>> covariance(estimate(effects)).sel(contrast="GATA1", contrast_="TAL1").round(
    ...     6
    ... ).item()
    1.0
    """
    check_dataset(estimates, "estimates")
    estimates = with_aligned_covariance(estimates)
    if "covariance" not in estimates and "factor" not in estimates:
        check_not_decisions(estimates)
        if "se" in as_estimates(estimates):
            raise EstimateError(
                "the estimates have standard errors alone, and how they vary together "
                "is not known"
            )
        raise EstimateError(
            "the estimates have neither 'covariance' nor 'factor': one unit gives none"
        )
    known = contrast_labels(estimates).tolist()
    names = known if contrast is None else as_contrasts(contrast, known, "contrast")
    where = [known.index(name) for name in names]
    if "covariance" in estimates:
        return estimates["covariance"].isel(contrast=where, contrast_=where)
    factor = estimates["factor"]
    chosen = by_block(factor.data, np.take, indices=where, axis=1)
    dims = ("contrast", "contrast_", *factor.dims[2:])
    coords = {d: estimates[d].to_numpy() for d in dims[2:] if d in estimates.coords} | {
        "contrast": names,
        "contrast_": names,
    }
    return xr.DataArray(
        gram(chosen), dims=dims, coords=coords, name="covariance", attrs=factor.attrs
    )


LEVEL = 0.01
"""Level of the test, over all contrasts, tasks and predictors."""
FEWEST = 10
"""Clusters below which there is no test: too few for a rank correlation."""
_PERMUTATIONS = 999
_PERMUTATION_SEED = 0


def size_dependence(ice: Array, cluster: Codes) -> tuple[Array, float]:
    r"""Test whether the mean ICE of clusters depends on their size, in any of K
    contrasts.

    The statistic is the correlation :math:`r_k` of the logarithm of a cluster's size
    with the rank of its mean ICE. The p of the largest :math:`|r_k|` is its rank among
    999 permutations of the sizes (with a fixed seed, and only if a single :math:`r_k`
    has p below .05 by t).

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. All are present.

    Returns
    -------
    correlation, p
        Correlation of log size and rank, shape ``(...)``, 0 where means or sizes do not
        vary; and p of the largest, 1 below 10 clusters.

    Notes
    -----
    If cluster effects are independent of size and identically distributed, p is exact
    for any distribution of effects, any sizes and any dependence between contrasts.
    Means of large clusters vary less, which makes the test conservative. Its power in
    few clusters is low: for a slope of one sd of the cluster effects per unit of log
    size (Pareto sizes, index 1.5) it is .1 with 20 clusters, .5 with 50 and .9
    with 100.

    References
    ----------
    Hoffman, Sen & Weinberg (2001), doi:10.1093/biomet/88.4.1121. Westfall & Young
    (1993), Resampling-Based Multiple Testing.

    Examples
    --------
    >>> cluster = np.repeat(np.arange(12), np.arange(1, 13))
    >>> correlation, p = size_dependence(cluster[:, None] / 10, cluster)
    >>> correlation.round(2), p
    (array([0.95]), 0.001)
    """
    from scipy.stats import rankdata  # slow to import

    sizes, means = np.bincount(cluster), centered(ice, cluster)[0]
    n_clusters, trailing = len(sizes), means.shape[1:]
    size = _standardized(np.log(sizes)[:, None])[:, 0]
    effect = _standardized(rankdata(means.reshape(n_clusters, -1), axis=0))
    correlation = size @ effect
    largest = float(np.abs(correlation).max(initial=0.0))
    p = 1.0
    r2 = min(largest**2, 1 - 1e-12)
    by_t = 2 * scipy.special.stdtr(
        n_clusters - 2, -np.sqrt(r2 * (n_clusters - 2) / (1 - r2))
    )
    if n_clusters >= FEWEST and largest > 0 and by_t <= 5 * LEVEL:
        p = _by_permutation(size, effect, largest)
    return correlation.reshape(trailing), p


def _standardized(values: Array) -> Array:
    """Return each column centered, with a sum of squares of 1, or 0 where all are
    equal.
    """
    values = values - values.mean(axis=0)
    norm = np.sqrt((values**2).sum(axis=0))
    return np.asarray(values / np.where(norm > 0, norm, 1.0))


def _by_permutation(size: Array, effect: Array, largest: float) -> float:
    """Return the rank of the largest correlation among those with permuted sizes."""
    draw = np.random.default_rng(_PERMUTATION_SEED)
    permuted = draw.permuted(np.broadcast_to(size, (_PERMUTATIONS, len(size))), axis=1)
    width = max(1, LARGE_BLOCK // _PERMUTATIONS)
    most = np.zeros(_PERMUTATIONS)
    for start in range(0, effect.shape[1], width):
        most = np.maximum(
            most, np.abs(permuted @ effect[:, start : start + width]).max(axis=1)
        )
    return float(
        (1 + np.count_nonzero(most >= largest * (1 - 1e-9))) / (1 + _PERMUTATIONS)
    )


def _size_note(effects: xr.Dataset, request: Request) -> str | None:
    """Return a note, and warn, if the effects of a crossover depend on the size of
    clusters (`size_dependence`).

    Only means over units with randomly drawn clusters are tested (not
    ``weights="clusters"``, fixed parents or units).
    """
    if request.weights == "clusters" or not (
        request.target == "population" or request.is_crossed
    ):
        return None
    groups = request.groups
    if groups is None or np.ptp(groups.sizes) == 0:
        return None
    ice = ice_without_rounding(effects)
    if request.is_crossed:
        ice = ice.mean(axis=-1)
    correlation, p = size_dependence(ice, groups.codes)
    if p > LEVEL:
        return None
    worst = int(np.argmax(np.abs(correlation)))
    at, one = (
        np.unravel_index(worst, correlation.shape),
        ice.reshape(len(ice), -1)[:, worst],
    )
    over_units, over_clusters = (
        float(one.mean()),
        float(centered(one, groups.codes)[0].mean()),
    )
    dims = [str(dim) for dim in effects["ice"].dims if dim != "unit"]
    names = [
        str(effects[dim].to_numpy()[i]) if dim in effects.coords else str(i)
        for dim, i in zip(dims, at, strict=False)
        if dim == "contrast" or effects.sizes[dim] > 1
    ]
    name = groups.name
    sentence = (
        f"effects depend on the size of their {name} ({' in '.join(names)}: "
        f"correlation of rank and log size {float(correlation[at]):.2f}): the mean "
        f"over units, {over_units:.3g}, and the mean over {name}s, "
        f"{over_clusters:.3g}, are two different estimands, and intervals of the first "
        f"cover less than their nominal level where few {name}s have most of the "
        'units; weights="clusters" estimates the second'
    )
    warnings.warn(DegenerateWarning(sentence), stacklevel=caller_stacklevel())
    return sentence
