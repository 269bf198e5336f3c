"""Complete analysis in one call: outcomes -> effects -> estimates -> posterior ->
decisions.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis import Analysis, stored_analysis
from causalgia.choices import Error, is_matched_rope, is_placebo_rope
from causalgia.effects import contrast
from causalgia.errors import (
    ContrastError,
    DecisionError,
    DegenerateWarning,
    ExploratoryWarning,
    OutcomesError,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.estimation._from_effects import check_has_errors
from causalgia.estimation.crossover_estimates import placebo_contrasts
from causalgia.estimation.request import caller_stacklevel
from causalgia.multiplicity import adjust
from causalgia.multiplicity.families import family_codes
from causalgia.notes import design_question, notes_of, with_notes
from causalgia.numerics.row_blocks import weights_of
from causalgia.schema import keeps_effects, validate
from causalgia.stopping import by_sequence, is_monitored
from causalgia.streams import RNG, derive, root_key

if TYPE_CHECKING:
    from distributed import Client

__all__ = [
    "Steps",
    "analyze",
    "estimate_effects",
    "infer_and_decide",
    "steps",
    "steps_from",
]

BY_TESTS = ("bh", "holm", "bootstrap_t")
"""Error rates whose verdicts are tests on estimates, without a posterior."""


@dataclass(frozen=True)
class Steps:
    """Results of each step of an analysis.

    Attributes
    ----------
    effects, estimates, decisions
        Datasets, as `causalgia.contrast`, `causalgia.estimate` with ``p_adjusted`` of
        `causalgia.adjust`, and `causalgia.decide` return them; effects are None if the
        analysis started from estimates.
    posterior
        As `causalgia.infer` returns it, for the contrasts that vary; None if the error
        rate needs none ("bh", "bootstrap_t") or no contrast varies.
    """

    effects: xr.Dataset | None
    estimates: xr.Dataset
    posterior: Any
    decisions: xr.Dataset


def analyze(
    outcomes: xr.Dataset,
    analysis: Analysis | None = None,
    *,
    rng: RNG,
    client: Client | None = None,
) -> xr.Dataset:
    """Run an analysis from outcomes to decisions: contrast, estimate, adjust, infer,
    decide.

    Use it for the whole analysis in one call: it carries out the plan that is stored
    with the outcomes, or another one, and names every deviation from the plan.

    Parameters
    ----------
    outcomes
        From `causalgia.run` (or the effects or moments that it kept of them) or
        `causalgia.from_frame`.
    analysis
        The analysis; None for the one stored with the outcomes. Fields that differ from
        the stored one (or the whole analysis, if none was stored) are named in
        ``attrs["exploratory"]``: they were chosen after the outcomes were seen.
    rng
        Seed (0 is a seed), Generator or SeedSequence, for the draws of the posterior
        and for resampling.
    client
        A `distributed.Client` whose workers infer tasks in parallel, as in
        `causalgia.infer`; None: this process. The results are the same.

    Returns
    -------
    Dataset
        Decisions, as `causalgia.decide` returns them: ``verdict``,
        ``ace, lower, upper``, ``lfsr``, ``p_rope``, ``local_error``, ``q`` (contrast,
        task) on ``attrs["contrast_scale"]``, with ``attrs["analysis"]`` (JSON) and
        ``attrs["analysis_fingerprint"]``. `causalgia._analyze.steps` returns every
        step. A contrast without spread among the units (``exact``) is decided without
        shrinkage, and is undecided below ``3 / (1 - level)`` independent units
        (`causalgia.decide`). If the trial was run with ``until=Decided(...)`` on the
        same effects, verdicts and intervals are those of its confidence sequence,
        unless the analysis names an error rate other than ``"auto"``.

    Raises
    ------
    OutcomesError
        If no analysis is given and none is stored with the outcomes.
    ContrastError
        If the analysis has no control, contrasts or interaction, names an unknown arm,
        or needs other contrasts, another scale or single units where only effects or
        moments were stored.
    DecisionError
        If the analysis has no region of practical equivalence.

    Warns
    -----
    ExploratoryWarning
        If the analysis differs from the one stored with the outcomes; names the fields.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=200,
    ... )
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share of GC"
    ... )
    >>> ask = cg.Analysis(control="untreated", rope=(-0.01, 0.01), law="normal")
    >>> outcomes = cg.run(design, share, rng=0, analysis=ask)
    >>> cg.analyze(outcomes, rng=0)["verdict"].item()
    'increases'
    """
    return steps(outcomes, analysis, rng=rng, client=client).decisions


def steps(
    outcomes: xr.Dataset,
    analysis: Analysis | None = None,
    *,
    rng: RNG,
    client: Client | None = None,
    placebo_class: Mapping[str, int] | None = None,
) -> Steps:
    """Run an analysis as `analyze` does and return the result of each step.

    Results are marked exploratory only for fields that differ from the stored analysis.
    `placebo_class`, a class for each contrast, says which placebos it is compared
    with.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {
    ...         "outcome": (
    ...             ("unit", "arm", "task"),
    ...             [[[1.0], [3.0]], [[2.0], [5.0]], [[2.0], [4.0]]],
    ...         )
    ...     },
    ...     coords={"unit": [0, 1, 2], "arm": ["placebo", "GATA1"], "task": ["K562"]},
    ... )
    >>> ask = Analysis(control="placebo", rope=0, error="bh")
    >>> round(steps(outcomes, ask, rng=0).estimates["ace"].item(), 3)
    2.333
    """
    if not keeps_effects(outcomes):
        validate(outcomes, "outcomes", gaps=True)
    requested = requested_analysis(outcomes, analysis)
    check_rope(requested)
    key = root_key(rng)
    effects, estimates = estimate_effects(
        outcomes, requested, rng=derive(key, "adjust")
    )
    check_has_errors(estimates)
    estimates = _with_placebo_class(estimates, placebo_class)
    return infer_and_decide(outcomes, effects, estimates, requested, key, client=client)


def _with_placebo_class(
    estimates: xr.Dataset, classes: Mapping[str, int] | None
) -> xr.Dataset:
    """Return estimates with the class of placebos that each contrast is compared
    with, if there are any.
    """
    if classes is None:
        return estimates
    return estimates.assign_coords(
        placebo_class=(
            "contrast",
            [classes[str(name)] for name in estimates["contrast"].to_numpy()],
        )
    )


def steps_from(
    estimates: xr.Dataset,
    analysis: Analysis,
    *,
    rng: RNG,
    placebo_class: Mapping[str, int] | None = None,
) -> Steps:
    """Run an analysis on estimates: adjust, infer, decide; `placebo_class` as for
    `steps`.

    Raises
    ------
    ContrastError
        If the adjustment or the error rate resamples units, which estimates do not
        contain.
    DecisionError
        If the analysis has no region of practical equivalence.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> given = from_effects([2.0, 0.01], [0.1, 0.1], names=["GATA1", "CTCF"])
    >>> steps_from(given, Analysis(rope=(-0.5, 0.5), error="bh"), rng=0).decisions[
    ...     "verdict"
    ... ].values.ravel().tolist()
    ['increases', 'negligible']
    """
    check_rope(analysis)
    for name, method in (("adjust", analysis.adjust), ("error", analysis.error)):
        if method in ("bootstrap_t", "sign_flip"):
            raise ContrastError(
                f"{name}={quoted(method)} resamples units, and these are estimates; "
                "give outcomes, or 'bh'"
            )
    how: dict[str, Any] = {"method": analysis.adjust, "family": analysis.family}
    adjusted = adjust(estimates, **how, rng=derive(root_key(rng), "adjust"))
    adjusted = _with_placebo_class(adjusted, placebo_class)
    return infer_and_decide(estimates, None, adjusted, analysis, root_key(rng))


def _stored_question(effects: xr.Dataset) -> dict[str, Any]:
    """Return the contrasts of the design stored with outcomes or effects; without a
    design, those of the effects.
    """
    if (question := design_question(effects)) or not keeps_effects(effects):
        return question
    if "control" in effects.attrs:
        return {"control": effects.attrs["control"]}
    W, arms = weights_of(effects), effects["arm"].to_numpy().tolist()
    starts = W.indptr[1:-1]
    of_row = (
        {arms[j]: float(w) for j, w in zip(columns, values, strict=True)}
        for columns, values in zip(
            np.split(W.indices, starts), np.split(W.data, starts), strict=True
        )
    )
    return {
        "contrasts": dict(
            zip(map(str, effects["contrast"].to_numpy()), of_row, strict=True)
        )
    }


def infer_and_decide(
    stored: xr.Dataset,
    effects: xr.Dataset | None,
    estimates: xr.Dataset,
    requested: Analysis,
    key: int,
    *,
    client: Client | None = None,
) -> Steps:
    """Infer and decide from (adjusted) estimates, the last two steps of `steps`.

    Parameters
    ----------
    stored
        The Dataset whose attrs hold the preregistered analysis.
    effects
        Effects of units, or None.
    estimates
        Estimates of these effects.
    requested
        The analysis, with a region of practical equivalence.
    key
        Root key of the random streams.
    client
        As `analyze`.
    """
    from causalgia.verdicts.rope import left_out_sentence, tasks_that_vary, with_note

    tasks = tasks_that_vary(estimates, requested.rope)
    note = left_out_sentence(estimates, tasks, requested.rope)
    posterior, decisions = _posterior_and_decisions(
        stored, effects, estimates, tasks, requested, key, client
    )
    # may warn (exploratory), so after everything that may raise
    attrs = analysis_attrs(stored, requested)
    if note:
        warnings.warn(note, DegenerateWarning, stacklevel=caller_stacklevel())
    return Steps(
        effects,
        _with_analysis_attrs(estimates, attrs),
        posterior,
        with_note(_with_analysis_attrs(decisions, attrs), note),
    )


def _posterior_and_decisions(
    stored: xr.Dataset,
    effects: xr.Dataset | None,
    estimates: xr.Dataset,
    tasks: list[Any],
    requested: Analysis,
    key: int,
    client: Client | None,
) -> tuple[Any, xr.Dataset]:
    """Return posterior and decisions of these tasks."""
    from causalgia.verdicts.rope import select_tasks

    effects, estimates = (
        None if effects is None else select_tasks(effects, tasks),
        select_tasks(estimates, tasks),
    )
    posterior, exact = None, _has_no_spread(estimates)
    if requested.error == "auto" and is_monitored(stored, estimates):
        by_tests = _decide_effects(
            effects,
            estimates,
            None,
            replace(requested, error="bh"),
            rng=derive(key, "decide"),
        )
        return None, by_sequence(by_tests, stored)
    error, why = deciding_error(estimates, requested)
    chosen = replace(
        requested, error=error, across=None if error in BY_TESTS else requested.across
    )
    if chosen.error not in BY_TESTS and not exact.all():
        from causalgia.posterior import infer

        varying = estimates.isel(contrast=~exact)
        posterior = infer(
            varying, **_infer_arguments(chosen, client), rng=derive(key, "infer")
        )
    decisions = _decide_effects(
        effects, estimates, posterior, chosen, rng=derive(key, "decide")
    )
    if posterior is not None and exact.any():
        decisions = _add_exact_contrasts(decisions, estimates, exact, chosen)
    if why:
        alone = ", and tasks share nothing" if requested.across is not None else ""
        decisions = with_notes(
            decisions, f"tests decide, and no posterior of these effects{alone}: {why}"
        )
    if chosen.error in BY_TESTS and (
        requested.law != Analysis().law or requested.prior is not None
    ):
        decisions = with_notes(
            decisions,
            "the law and the prior of effects are a posterior's, and tests take none",
        )
    return posterior, decisions


def deciding_error(estimates: xr.Dataset, analysis: Analysis) -> tuple[Error, str]:
    """Return the error rate that ``error="auto"`` resolves to for these estimates, and
    the reason.

    The smallest family counts (contrasts that vary, without placebos). Ratios,
    whose null value is 1, have no posterior. A reason is given if tests decide although
    the family is large enough for a posterior.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> [
    ...     deciding_error(from_effects([0.0] * n, 1.0), Analysis(control="untreated"))
    ...     for n in (29, 30)
    ... ]
    [('bh', ''), ('local', '')]
    """
    if analysis.error == "auto" and float(estimates.attrs.get("null_value", 0.0)) != 0:
        return "bh", ""
    counted = ~_has_no_spread(estimates) & ~placebo_contrasts(estimates)
    codes = family_codes(
        estimates, None if analysis.family == "all" else analysis.family
    )
    n = int(np.bincount(codes, weights=counted).min()) if len(codes) else 0
    if analysis.decides_by(n) != "local":
        return analysis.decides_by(n), ""
    from causalgia.posterior.model_checks import deciding_error

    return deciding_error(analysis, estimates, counted, n)


def requested_analysis(outcomes: xr.Dataset, analysis: Analysis | None) -> Analysis:
    """Return the given analysis, or the one stored with the outcomes.

    Raises
    ------
    OutcomesError
        If there is neither.
    """
    stored = stored_analysis(outcomes)
    if analysis is None:
        analysis = stored
    if analysis is None:
        raise OutcomesError(
            "these outcomes have no stored analysis; give one: "
            "cg.Analysis(control='...', rope=(lower, upper))"
        )
    if not isinstance(analysis, Analysis):
        raise OutcomesError(
            f"analysis={quoted(analysis)} is not a cg.Analysis; for example "
            "cg.Analysis(control='...', rope=0)"
        )
    analysis = (
        analysis if analysis.asks else analysis.asking(_stored_question(outcomes))
    )
    if keeps_effects(outcomes):
        of = (
            stored
            if stored is not None and stored.asks
            else (stored or Analysis()).asking(_stored_question(outcomes))
        )
        differ = [
            name
            for name in ("control", "contrasts", "interaction", "scale", "tasks")
            if name in analysis.differs(of)
        ]
        if differ:
            raise ContrastError(
                "these are effects already, and the analysis asks for another "
                f"{' and '.join(differ)}; leave {' and '.join(differ)} as it was, or "
                "keep the outcomes: cg.run(..., keep='outcomes')"
            )
    if not analysis.asks:
        arms = (
            ", ".join(map(quoted, outcomes["arm"].to_numpy()[:4].tolist()))
            if "arm" in outcomes.coords
            else "none"
        )
        raise ContrastError(
            f"the analysis defines no contrasts: say control= (one of {arms}, ...), "
            "contrasts= or interaction="
        )
    return analysis


def check_rope(analysis: Analysis) -> None:
    """Raise DecisionError if an analysis has no region of practical equivalence.

    Examples
    --------
    >>> check_rope(Analysis(control="placebo"))
    Traceback (most recent call last):
    ...
    causalgia.errors.DecisionError: the analysis has no rope: say rope=(lower, upper) on the scale of the effects, ...
    """
    if is_matched_rope(analysis.rope):
        raise DecisionError(
            "rope='matched' ranks each variant among matched null variants, which "
            "belong to the experiment, not to its outcomes: use "
            "experiment.analyze(outcomes), with the cg.experiments.variants(...) that "
            "cg.run was given (of a folder: the command that wrote it, again), or "
            "another rope="
        )
    if analysis.rope is None:
        raise DecisionError(
            "the analysis has no rope: say rope=(lower, upper) on the scale of the "
            "effects, 'placebo' (with 40 placebos), sd of the control arm such as "
            "'0.2 sd', or 0 for direction alone"
        )


def analysis_attrs(outcomes: xr.Dataset, analysis: Analysis) -> dict[str, str]:
    """Return the attrs of results: the analysis, its fingerprint, and fields changed
    after the outcomes were seen.
    """
    attrs = {
        "analysis": analysis.to_json(),
        "analysis_fingerprint": analysis.fingerprint,
    }
    attrs |= {
        name: str(outcomes.attrs[name])
        for name in ("design", "confirms", "stopped")
        if name in outcomes.attrs
    }
    stored = stored_analysis(outcomes)
    if stored is None:
        return attrs | {
            "exploratory": "the whole analysis: none was kept with the outcomes"
        }
    if fields := ", ".join(analysis.differs(stored)):
        text = (
            f"the analysis differs from the one kept with the outcomes in {fields}: "
            "its results are exploratory"
        )
        warnings.warn(text, ExploratoryWarning, stacklevel=caller_stacklevel())
    exploratory = ", ".join(
        filter(None, (str(outcomes.attrs.get("protocol_deviations", "")), fields))
    )
    return attrs | ({"exploratory": exploratory} if exploratory else {})


def _with_analysis_attrs(result: xr.Dataset, attrs: dict[str, str]) -> xr.Dataset:
    """Return a result with `analysis_attrs`, replacing the exploratory marks of the
    single verbs.
    """
    own = {name: value for name, value in result.attrs.items() if name != "exploratory"}
    return result.drop_attrs(deep=False).assign_attrs(own | attrs)


def estimate_effects(
    outcomes: xr.Dataset, analysis: Analysis, *, rng: RNG
) -> tuple[xr.Dataset | None, xr.Dataset]:
    """Return the effects and estimates of an analysis, with adjusted p-values where
    there are p-values.

    Stored effects are used as they are; stored moments give estimates only.
    """
    if keeps_effects(outcomes) and "ice" not in outcomes:
        return None, _estimate_from_moments(outcomes, analysis, rng)
    effects = (
        outcomes
        if keeps_effects(outcomes)
        else contrast(outcomes, **analysis.contrasting)
    )
    effects = _with_families(effects, analysis)
    estimates = estimate(
        effects,
        cluster=analysis.cluster,
        block=analysis.block,
        covariates=analysis.covariates,
        target=analysis.target,
        ci_prob=analysis.ci_prob,
        weights=analysis.weights,
        moderate=analysis.moderate,
        task_correlation=analysis.across is not None,
    )
    return effects, _adjust_p_values(
        effects, estimates, analysis, rng
    ) if "p" in estimates else estimates


def _estimate_from_moments(
    moments: xr.Dataset, analysis: Analysis, rng: RNG
) -> xr.Dataset:
    """Return estimates from moments; raise ContrastError for options that need single
    units.
    """
    known = (
        "auto",
        "none"
        if moments.attrs.get("cluster") == "unit"
        else moments.attrs.get("cluster"),
    )
    needs = {
        "across": (analysis.across, analysis.across is None),
        "adjust": (
            analysis.adjust,
            analysis.adjust not in ("bootstrap_t", "sign_flip"),
        ),
        "error": (analysis.error, analysis.error != "bootstrap_t"),
        "target": (analysis.target, analysis.target == "population"),
        "weights": (analysis.weights, analysis.weights == "units"),
        "cluster": (analysis.cluster, analysis.cluster in known),
    }
    for name, (value, had) in needs.items():
        if not had:
            raise ContrastError(
                f"{name}={quoted(value)} takes every unit, and these are moments; keep "
                "outcomes or effects"
            )
    estimates = estimate(_with_families(moments, analysis), ci_prob=analysis.ci_prob)
    how: dict[str, Any] = {
        "method": analysis.adjust,
        "family": analysis.family,
        "rng": rng,
    }
    return adjust(estimates, **how) if "p" in estimates else estimates


def _adjust_p_values(
    effects: xr.Dataset, estimates: xr.Dataset, analysis: Analysis, rng: RNG
) -> xr.Dataset:
    """Return the estimates with adjusted p-values, computed from the units if the
    method resamples them.
    """
    how: dict[str, Any] = {
        "method": analysis.adjust,
        "family": analysis.family,
        "rng": rng,
    }
    of_units = (analysis.target, analysis.weights) == ("population", "units")
    if analysis.adjust not in ("auto", "bootstrap_t", "sign_flip") or (
        analysis.adjust == "auto" and not of_units
    ):
        return adjust(estimates, **how)
    found = adjust(effects, cluster=analysis.cluster, **how)
    attrs = {
        name: value
        for name, value in found.attrs.items()
        if name not in estimates.attrs
    }
    return with_notes(
        estimates.assign(p_adjusted=found["p_adjusted"]).assign_attrs(attrs),
        *notes_of(found),
    )


def _with_families(effects: xr.Dataset, analysis: Analysis) -> xr.Dataset:
    """Return effects with a family coordinate by contrast, from the factor level of
    each treatment arm.
    """
    name = analysis.family
    if name in (None, "all") or (
        name in effects.coords and effects[name].dims == ("contrast",)
    ):
        return effects
    if name not in effects.coords or effects[name].dims != ("arm",):
        own = {"do", "kind", "random"}  # of contrasts and arms both
        on_arm = [
            str(c)
            for c in effects.coords
            if effects[c].dims in (("arm",), ("contrast",)) and c not in own
        ]
        raise ContrastError(
            f"family={quoted(name)} is not a coordinate of the contrasts or arms; "
            f"there are {', '.join(on_arm)}"
        )
    levels = effects[name].to_numpy()
    positive = weights_of(effects) > 0
    levels_by_contrast = [
        np.unique(levels[row].astype(str))
        for row in np.split(positive.indices, positive.indptr[1:-1])
    ]
    for contrast_name, found in zip(
        effects["contrast"].to_numpy(), levels_by_contrast, strict=True
    ):
        if len(found) != 1:
            raise ContrastError(
                f"contrast {contrast_name!s} is of arms with several levels of "
                f"{quoted(name)} ({', '.join(found)}); give the family of each "
                "contrast as a coordinate, or leave family out"
            )
    coords = {"contrast": effects["contrast"].to_numpy()}
    return effects.drop_vars(str(name)).assign_coords(
        {
            name: xr.DataArray(
                [found[0] for found in levels_by_contrast],
                dims="contrast",
                coords=coords,
            )
        }
    )


def _infer_arguments(analysis: Analysis, client: Client | None) -> dict[str, Any]:
    if analysis.across is not None:
        return {"across": analysis.across, "exchangeable": analysis.exchangeable}
    family = analysis.family if analysis.family not in (None, "all") else None
    prior = {} if analysis.prior is None else {"prior": analysis.prior}
    law = {"law": analysis.law, "family": family, "exchangeable": analysis.exchangeable}
    return {**law, **prior, "client": client}


def _decide_effects(
    effects: xr.Dataset | None,
    estimates: xr.Dataset,
    posterior: Any,
    analysis: Analysis,
    *,
    rng: RNG,
) -> xr.Dataset:
    from causalgia.verdicts import decide

    how: dict[str, Any] = {
        "rope": analysis.region,
        "level": analysis.level,
        "error": analysis.error,
    }
    how |= {"family": analysis.family, "rare": analysis.rare, "rng": rng}
    if effects is not None and analysis.error == "bootstrap_t":
        return decide(effects, **how, cluster=analysis.cluster)
    if posterior is None and analysis.error not in BY_TESTS:
        estimates, how["error"] = _pooled_over_predictors(estimates), "local"
    return decide(estimates if posterior is None else posterior, **how)


def _has_no_spread(estimates: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return a mask (contrast,) of contrasts without spread in some task (for all
    predictors).
    """
    if "se" not in estimates:
        return np.zeros(estimates.sizes["contrast"], bool)
    still = estimates["se"] == 0
    still = still.all("model") if "model" in still.dims else still
    return np.asarray(still.any("task").to_numpy())


def _pooled_over_predictors(estimates: xr.Dataset) -> xr.Dataset:
    """Return unshrunken estimates; over several predictors the mean, with their
    variance added to the error.
    """
    from causalgia.posterior.labeled_data import average_over_predictors

    if "model" not in estimates.dims:
        return estimates
    n = estimates.sizes["model"]
    columns = ("ace", "se", "control_sd", "exact", "n_units", "n_clusters", "weight")
    mean, spread = (
        average_over_predictors(
            estimates[[name for name in columns if name in estimates]]
        ),
        estimates["ace"].var("model", ddof=1),
    )
    return mean.assign(
        se=np.sqrt(mean["se"] ** 2 + spread / n), df=xr.full_like(spread, n - 1.0)
    )


def _add_exact_contrasts(
    decisions: xr.Dataset,
    estimates: xr.Dataset,
    exact: npt.NDArray[np.bool_],
    analysis: Analysis,
) -> xr.Dataset:
    """Merge the verdicts on contrasts without spread with those of the posterior, in
    the order of the estimates.
    """
    from causalgia.verdicts import decide

    rope = (
        _region_by_task(decisions)
        if is_placebo_rope(analysis.rope)
        else analysis.region
    )
    points = decide(
        _pooled_over_predictors(estimates.isel(contrast=exact)),
        rope=rope,
        level=analysis.level,
        error="local",
        rare=analysis.rare,
    )
    marked = ("contrast", placebo_contrasts(estimates)[exact])
    points = points.assign(raw=points["ace"]).assign_coords(is_placebo=marked)
    shared = [name for name in decisions.data_vars if name in points]
    coords = [
        name
        for name, c in decisions.coords.items()
        if c.dims == ("contrast",) and name in points.coords
    ]
    parts = [
        part[shared].reset_coords(drop=True).assign_coords({c: part[c] for c in coords})
        for part in (decisions, points)
    ]
    place = np.argsort(np.concatenate([np.flatnonzero(~exact), np.flatnonzero(exact)]))
    both = xr.concat(parts, dim="contrast").isel(contrast=place)
    names = ", ".join(map(str, estimates["contrast"].to_numpy()[exact][:6])) + (
        ", ..." if exact.sum() > 6 else ""
    )
    return both.assign_attrs(
        decisions.attrs, exact=f"decided as they stand, for no unit differs: {names}"
    )


def _region_by_task(decisions: xr.Dataset) -> dict[str, tuple[float, float]]:
    ends = (
        decisions[side].isel(contrast=0).to_numpy().tolist()
        for side in ("rope_lower", "rope_upper")
    )
    return dict(
        zip(
            map(str, decisions["task"].to_numpy()), zip(*ends, strict=True), strict=True
        )
    )
