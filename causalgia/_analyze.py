"""Complete analysis in one call: outcomes -> effects -> estimates ->
decisions.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import xarray as xr

from causalgia.analysis import (
    NOTHING_PLANNED,
    Analysis,
    AnalysisFields,
    as_result,
    rows_of_question,
    stored_analysis,
    with_fields,
)
from causalgia.attributes import about, attributes, has
from causalgia.effects import contrast
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    EstimateError,
    ExploratoryWarning,
    caller_stacklevel,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.moderated_variances import moderate
from causalgia.estimation.request import are_known, check_has_errors, null_value
from causalgia.notes import design_question
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import weights_of
from causalgia.ropes import Rope
from causalgia.schema import check_no_average_map, keeps_effects, validate
from causalgia.stopping._confidence_sequence import by_sequence, is_monitored
from causalgia.streams import warn_of_rng
from causalgia.types import Client

__all__ = [
    "Steps",
    "analyze",
    "estimate_effects",
    "infer_and_decide",
    "steps",
    "steps_from",
]


@dataclass(frozen=True)
class Steps:
    """Results of each step of an analysis.

    Attributes
    ----------
    effects, estimates, decisions
        Datasets, as `causalgia.contrast`, `causalgia.estimate` and `causalgia.decide`
        return them; effects are None if the analysis started from estimates.
    """

    effects: xr.Dataset | None
    estimates: xr.Dataset
    decisions: xr.Dataset


@usual_errors
def analyze(
    outcomes: xr.Dataset,
    analysis: Analysis | None = None,
    *,
    client: Client | None = None,
    rng: object = None,
    **fields: Unpack[AnalysisFields],
) -> xr.Dataset:
    """Run an analysis from outcomes to decisions: contrast, estimate, infer, decide.

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
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers infer tasks in parallel, as in `causalgia.infer`, with the same results.
    rng
        Ignored, with a DeprecationWarning: an analysis draws nothing at random. Gone in
        0.5.
    **fields
        Fields of `causalgia.Analysis`, in its place: ``control="wt", rope=(-1, 1)``.
        Of outcomes with a stored analysis they replace its fields, and are named in
        ``attrs["exploratory"]`` where they differ.

    Returns
    -------
    Dataset
        Decisions, as `causalgia.decide` returns them: ``verdict``,
        ``ace, lower, upper``, ``p``, ``p_verdict``, ``q``, and the hierarchical sizes
        ``shrunken`` beside them (contrast, task), on ``attrs["contrast_scale"]``, with
        ``attrs["analysis"]`` (JSON) and ``attrs["analysis_fingerprint"]``.
        `causalgia._analyze.steps` returns every step. If the trial was run with
        ``until=Decided(...)`` on the same effects, verdicts and intervals are those of
        its confidence sequence (``attrs["error"] == "sequence"``, at the ``ci_prob`` of
        the rule), unless the analysis names an error rate other than ``"fdr"``.

    Raises
    ------
    DataError
        If no analysis is given and none is stored with the outcomes.
    EstimateError
        If the analysis has no control, contrasts or interaction, names an unknown arm,
        or needs other contrasts, another scale or single units where only effects or
        moments were stored.
    EstimateError
        If the analysis has no region of practical equivalence.
    DesignError
        If an analysis and a field are both given, a field is not one of an analysis
        (with the nearest, or the one that took its place), or its value is invalid.

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
    >>> ask = cg.Analysis(control="untreated", rope=(-0.01, 0.01))
    >>> outcomes = cg.run(design, share, rng=0, analysis=ask)
    >>> cg.analyze(outcomes)["verdict"].item()
    'increases'

    Without a stored analysis, in one line:

    >>> outcomes = cg.run(design, share, rng=0)
    >>> cg.analyze(outcomes, control="untreated", rope=0)["verdict"].item()
    'increases'
    """
    warn_of_rng(rng)
    if fields:
        analysis = _of_fields(outcomes, analysis, fields)
    return steps(outcomes, analysis, client=client).decisions


def _of_fields(
    outcomes: xr.Dataset, analysis: Analysis | None, given: AnalysisFields
) -> Analysis:
    """Return the analysis of fields given beside outcomes: those of the stored one,
    with these in their place.
    """
    plain: dict[str, Any] = {**given}
    if analysis is not None:
        raise DesignError(f"analyze: analysis= and {', '.join(plain)}= are both given")
    stored = stored_analysis(outcomes) if isinstance(outcomes, xr.Dataset) else None
    return with_fields(stored, plain, "analyze")


def steps(
    outcomes: xr.Dataset,
    analysis: Analysis | None = None,
    *,
    client: Client | None = None,
    coords: Mapping[str, Mapping[str, Any]] | None = None,
    shrinks: bool = True,
) -> Steps:
    """Run an analysis as `analyze` does and return the result of each step.

    Results are marked exploratory only for fields that differ from the stored analysis.
    `coords`, a value for each contrast, are what its region needs: ``placebo_class``,
    the placebos it is compared with, and ``single``, the effects of one site; `shrinks`
    says whether hierarchical effect sizes stand beside.

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
    >>> ask = Analysis(control="placebo", rope=0)
    >>> round(steps(outcomes, ask).estimates["ace"].item(), 3)
    2.333
    """
    if client is not None:
        from causalgia.workers import check_client

        check_client(client)
    if not keeps_effects(outcomes):
        validate(outcomes, "outcomes", gaps=True)
    requested = requested_analysis(outcomes, analysis)
    check_rope(requested)
    effects, estimates = estimate_effects(outcomes, requested)
    if not are_known(estimates):
        check_has_errors(estimates)
    estimates = _with_coords(estimates, coords)
    return infer_and_decide(
        outcomes, effects, estimates, requested, client=client, shrinks=shrinks
    )


def _with_coords(
    estimates: xr.Dataset, coords: Mapping[str, Mapping[str, Any]] | None
) -> xr.Dataset:
    """Return estimates with coordinates of their contrasts."""
    if not coords:
        return estimates
    names = [str(name) for name in estimates["contrast"].to_numpy()]
    return estimates.assign_coords(
        {
            coord: ("contrast", [values[name] for name in names])
            for coord, values in coords.items()
        }
    )


def steps_from(
    estimates: xr.Dataset,
    analysis: Analysis,
    *,
    coords: Mapping[str, Mapping[str, Any]] | None = None,
    shrinks: bool = True,
) -> Steps:
    """Run an analysis on estimates: decide; `coords` and `shrinks` as for
    `steps`.

    Raises
    ------
    EstimateError
        If the analysis asks for contrasts that these estimates are not of.
    EstimateError
        If the analysis has no region of practical equivalence.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> given = from_effects([2.0, 0.01], [0.1, 0.1], names=["GATA1", "CTCF"])
    >>> steps_from(given, Analysis(rope=(-0.5, 0.5))).decisions[
    ...     "verdict"
    ... ].values.ravel().tolist()
    ['increases', 'negligible']
    """
    check_rope(analysis)
    estimates = _with_coords(as_estimates(estimates), coords)
    return infer_and_decide(estimates, None, estimates, analysis, shrinks=shrinks)


def with_question(table: xr.Dataset, analysis: Analysis) -> xr.Dataset:
    """Return effects or estimates marked with the contrasts that the question of an
    analysis names.

    Raises
    ------
    EstimateError
        If it names one that there is not.

    Examples
    --------
    >>> table = xr.Dataset(coords={"contrast": ["pair", "interaction"]})
    >>> ask = Analysis(question="interaction")
    >>> with_question(table, ask)["of_question"].values.tolist()
    [False, True]
    """
    table = table.drop_vars("of_question", errors="ignore")
    if analysis.question is None:
        return table
    names = [str(name) for name in table["contrast"].to_numpy()]
    asked = rows_of_question(analysis.question, names, error=EstimateError)
    return table.assign_coords(of_question=("contrast", asked))


def _stored_question(effects: xr.Dataset) -> dict[str, Any]:
    """Return the contrasts of the design stored with outcomes or effects; without a
    design, those of the effects.
    """
    if (question := design_question(effects)) or not keeps_effects(effects):
        return question
    if has(effects).control:
        return {"control": about(effects).control}
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


@usual_errors
def infer_and_decide(
    stored: xr.Dataset,
    effects: xr.Dataset | None,
    estimates: xr.Dataset,
    requested: Analysis,
    *,
    client: Client | None = None,
    shrinks: bool = True,
) -> Steps:
    """Decide on estimates, the last step of `steps`.

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
    client
        As in `analyze`.
    shrinks
        Whether hierarchical effect sizes stand beside verdicts that do not need them.
    """
    from causalgia.multiplicity.regions import (
        left_out_sentence,
        tasks_that_vary,
    )

    if requested.shrink.variances:  # type: ignore[union-attr]  # frozen above
        estimates = moderate(estimates)
    estimates = with_question(estimates, requested)
    effects = None if effects is None else with_question(effects, requested)
    rope = Rope.parse(requested.region)
    tasks = tasks_that_vary(estimates, rope)
    note = left_out_sentence(estimates, tasks, rope)
    left_out = [str(t) for t in estimates["task"].values.tolist() if t not in tasks]
    without = attributes(no_verdict=json.dumps(left_out)) if left_out else {}
    decisions = _decisions(stored, estimates, tasks, requested, client, shrinks=shrinks)
    # may warn (exploratory), so after everything that may raise
    attrs = analysis_attrs(stored, requested)
    if note:
        warnings.warn(DegenerateWarning(note), stacklevel=caller_stacklevel())
    return Steps(
        effects,
        _with_analysis_attrs(estimates, attrs),
        _with_analysis_attrs(decisions, attrs | without),
    )


def _decisions(
    stored: xr.Dataset,
    estimates: xr.Dataset,
    tasks: list[Any],
    requested: Analysis,
    client: Client | None,
    *,
    shrinks: bool,
) -> xr.Dataset:
    """Return decisions of these tasks."""
    from causalgia.estimation.given_table import Given
    from causalgia.multiplicity.regions import rope_region, select_tasks
    from causalgia.verdicts._decide import decide_estimates, decide_known
    from causalgia.verdicts.shrinkage import shrink_effects
    from causalgia.verdicts.verdict_request import as_request

    check_no_average_map(estimates, "cg.decide")
    estimates = select_tasks(estimates, tasks)
    if are_known(estimates):
        null = null_value(estimates)
        region = rope_region(Rope.parse(requested.region), estimates, null)
        return decide_known(estimates, region, requested)
    request = as_request(
        Given("estimates", estimates),
        rope=requested.region,
        error=requested.error,
        ci_prob=requested.ci_prob,
        largest=requested.largest,
        family=requested.family,
    )
    decisions, notes = decide_estimates(estimates, request), list[str]()
    if requested.error == "fdr" and is_monitored(stored, estimates):
        decisions = by_sequence(decisions, stored)
    if shrinks:
        shrink: Any = requested.shrink
        columns, notes = shrink_effects(
            estimates,
            shrink,
            ci_prob=float(about(decisions).ci_prob),
            across=requested.across,
            client=client,
        )
        decisions = decisions.assign(columns) if columns else decisions
    return as_result(decisions, "decisions", *notes)


def requested_analysis(outcomes: xr.Dataset, analysis: Analysis | None) -> Analysis:
    """Return the given analysis, or the one stored with the outcomes.

    Raises
    ------
    DataError
        If there is neither.
    """
    stored = stored_analysis(outcomes)
    if analysis is None:
        analysis = stored
    if analysis is None:
        raise DataError("these outcomes have no stored analysis, and analysis=None")
    if not isinstance(analysis, Analysis):
        raise DataError(
            f"analysis={quoted(analysis)} is not a cg.Analysis",
            argument="analysis",
        )
    if not analysis.asks:
        asked = {"question": None if stored is None else stored.question}
        analysis = analysis.asking({**asked, **_stored_question(outcomes)})
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
            raise EstimateError(
                "these are effects already, and the analysis asks for another "
                f"{' and '.join(differ)}"
            )
    if not analysis.asks:
        raise EstimateError(
            "the analysis defines no contrasts: control=, contrasts= and interaction= "
            "are None"
        )
    return analysis


def check_rope(analysis: Analysis) -> None:
    """Raise EstimateError if an analysis has no region of practical equivalence.

    Examples
    --------
    >>> check_rope(Analysis(control="placebo"))
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: rope=None: a verdict compares an effect with a region of practical ...
    """
    if analysis.region is not None and analysis.region.kind == "matched":
        raise EstimateError(
            "rope='matched' ranks each variant among matched null variants, which "
            "are not part of the outcomes",
            argument="rope",
        )
    Rope.parse(analysis.rope)


def analysis_attrs(outcomes: xr.Dataset, analysis: Analysis) -> dict[str, str]:
    """Return the attrs of results: the analysis, its fingerprint, and fields changed
    after the outcomes were seen.
    """
    attrs = attributes(
        analysis=analysis.to_json(), analysis_fingerprint=analysis.fingerprint
    )
    attrs |= {
        name: str(outcomes.attrs[name])
        for name in ("design", "confirms", "stopped")
        if name in outcomes.attrs
    }
    stored = stored_analysis(outcomes)
    if stored is None:
        return attrs | {"exploratory": NOTHING_PLANNED}
    if fields := ", ".join(analysis.differs(stored)):
        text = (
            f"the analysis differs from the one kept with the outcomes in {fields}: "
            "its results are exploratory"
        )
        warnings.warn(ExploratoryWarning(text), stacklevel=caller_stacklevel())
    exploratory = ", ".join(
        filter(None, (about(outcomes, "").protocol_deviations, fields))
    )
    return attrs | ({"exploratory": exploratory} if exploratory else {})


def _with_analysis_attrs(result: xr.Dataset, attrs: dict[str, str]) -> xr.Dataset:
    """Return a result with `analysis_attrs`, replacing the exploratory marks of the
    single verbs.
    """
    own = {name: value for name, value in result.attrs.items() if name != "exploratory"}
    marked = result.drop_attrs(deep=False)
    marked.attrs = own | attrs
    return marked


def estimate_effects(
    outcomes: xr.Dataset, analysis: Analysis
) -> tuple[xr.Dataset | None, xr.Dataset]:
    """Return the effects and estimates of an analysis.

    Stored effects are used as they are; stored moments give estimates only.
    """
    if keeps_effects(outcomes) and "ice" not in outcomes:
        return None, _estimate_from_moments(outcomes, analysis)
    effects = (
        outcomes
        if keeps_effects(outcomes)
        else contrast(outcomes, **analysis.contrasting)
    )
    effects = _with_families(effects, analysis)
    try:
        estimates = estimate(
            effects,
            cluster=analysis.cluster,
            block=analysis.block,
            covariates=analysis.covariates,
            target=analysis.target,
            ci_prob=analysis.ci_prob,
            weights=analysis.weights,
            variances=analysis.shrink.variances,  # type: ignore[union-attr]  # frozen above
            task_correlation=analysis.across is not None,
        )
    except EstimateError as error:
        # of the argument that the plan has no name for
        if analysis.across is None or error.argument != "task_correlation":
            raise
        raise EstimateError(f"across='task': {error}", argument="across") from error
    return effects, estimates


def _estimate_from_moments(moments: xr.Dataset, analysis: Analysis) -> xr.Dataset:
    """Return estimates from moments; raise EstimateError for options that need single
    units.
    """
    known = (
        "auto",
        "none"
        if about(moments, None).cluster == "unit"
        else about(moments, None).cluster,
    )
    needs = {
        "across": (analysis.across, analysis.across is None),
        "target": (analysis.target, analysis.target == "population"),
        "weights": (analysis.weights, analysis.weights == "units"),
        "cluster": (analysis.cluster, analysis.cluster in known),
    }
    for name, (value, had) in needs.items():
        if not had:
            raise EstimateError(
                f"{name}={quoted(value)} needs the values of every unit, and these "
                "are moments",
                argument=name,
            )
    return estimate(
        _with_families(moments, analysis),
        ci_prob=analysis.ci_prob,
        variances=analysis.shrink.variances,  # type: ignore[union-attr]  # frozen above
    )


def _with_families(effects: xr.Dataset, analysis: Analysis) -> xr.Dataset:
    """Return effects with a family coordinate by contrast, from the factor level of
    each treatment arm.
    """
    name = analysis.family
    if name in (None, "task") or (
        name in effects.coords and effects[name].dims == ("contrast",)
    ):
        return effects
    if name not in effects.coords or effects[name].dims != ("arm",):
        raise EstimateError(
            f"family={quoted(name)} is not a coordinate of the contrasts or arms",
            argument="family",
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
            raise EstimateError(
                f"contrast {contrast_name} is of arms with several levels of "
                f"{quoted(name)} ({', '.join(found)})"
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
