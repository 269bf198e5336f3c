"""The verb `decide`: a verdict on every effect from where its interval lies against a
region of practical equivalence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtri

from causalgia.analysis import Analysis, as_result
from causalgia.analysis_values import Shrinkage
from causalgia.attributes import about, attributes
from causalgia.choices import (
    DECREASES,
    INCREASES,
    LEAST_FACTOR,
    NEGLIGIBLE,
    ROPES_OF_DATA,
    Error,
)
from causalgia.effect_table import filled, of_effects, rows_measured
from causalgia.errors import EstimateError
from causalgia.estimation.effect_intervals import (
    independent_draws,
    missed_share_of,
)
from causalgia.estimation.moderated_variances import moderate
from causalgia.estimation.request import (
    check_cluster_name,
    floor_of_estimates,
    is_below_floor,
)
from causalgia.multiplicity.families import estimate_effects, row_families
from causalgia.multiplicity.regions import Region, in_words_of
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.ropes import RopeLike
from causalgia.streams import warn_of_rng
from causalgia.types import (
    Array,
    GivenTable,
    PosteriorGroups,
)
from causalgia.verdicts.evidence import (
    Evidence,
    from_estimates,
    more_units,
)
from causalgia.verdicts.posteriors import effects_of_posterior
from causalgia.verdicts.shrinkage import shrink_effects
from causalgia.verdicts.verdict_request import Request, as_evidence, as_request
from causalgia.verdicts.verdict_rule import (
    UNDECIDED,
    Verdicts,
    reversal_size,
    rule,
)


@usual_errors
def decide(
    x: GivenTable | PosteriorGroups,
    *,
    rope: RopeLike | None = None,
    error: Error | None = None,
    ci_prob: float | None = None,
    largest: float | Mapping[str, float] | None = None,
    family: str | None = None,
    shrink: Shrinkage | None = Shrinkage(),  # noqa: B008 - frozen
    cluster: str = "auto",
    rng: object = None,
) -> xr.Dataset:
    r"""Decide for each effect whether it increases, decreases, is negligible or
    undecided, relative to a ROPE.

    The region of practical equivalence (ROPE) holds the effects that are too small to
    matter. A verdict is where the interval of an effect lies: beyond the region, or
    inside; and its ``q`` is at most ``1 - ci_prob``. ``"undecided"`` means that the
    data do not settle the question, not that there is no effect.

    Parameters
    ----------
    x
        Estimates; a table, or a result of statsmodels, as `causalgia.from_effects`
        takes them; slopes; effects ``ice (unit, contrast, task)``, which are estimated
        first; or a posterior of `causalgia.infer`, or of
        `causalgia.posterior.to_pymc`, whose estimates are decided on.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. ``(lower, upper)`` is on the scale of the contrasts, as is a mapping of
        these by task; a region of one side, ``(-inf, upper)``, asks for
        non-inferiority; ``"0.2 sd"`` is of the control arm's outcomes, on both sides of
        no effect; ``"placebo"``, the central 95 % of placebos, 40 for each other
        contrast less one (119 for three); ``"placebo outliers"``, within five standard
        deviations of their median by a normal law of their central 80 %, or within the
        outermost on a side where these have one effect; 0, the direction alone.
    error
        The error rate that is bounded by ``1 - ci_prob``. ``"fdr"``: the expected share
        of false directions among the directions of a family, and of false negligibles
        among its negligibles. ``"fwer"``: the probability of any false verdict in a
        family, by Holm over both p of all its rows. ``"each"``: of each verdict by
        itself. None: ``"fdr"``.
    ci_prob
        Probability of the intervals. None: that of the estimates, else .95.
    largest
        Bound on the effect on any background (or one by task), if one was stated
        beforehand: every p is then at least ``(1 - s)^n``, s the share of backgrounds
        that could undo the verdict at that size and n the independent units of the
        smallest arm. None: nothing is withheld, an effect on a share r of the
        backgrounds is missed by all of them with probability ``(1 - r)^n``, and
        ``reversal`` says what size it would need.
    family
        Rows among which an error rate holds. None: all rows of the table (contrasts by
        tasks, without placebos); ``"task"``: those of one task; a coordinate on
        contrast: those that share its value.
    shrink
        The hierarchical effect sizes that stand beside 10 or more exchangeable effects
        of a task, unasked in a table of up to 5,000 rows, which decide nothing; and
        whether variances are moderated. None leaves both out.
    cluster
        Units that vary together, of effects, as in `causalgia.estimate`.
    rng
        Ignored, with a DeprecationWarning: verdicts draw nothing at random. Gone in 0.5.

    Returns
    -------
    Dataset
        On (contrast, task[, model]): ``verdict``; ``ace`` with ``lower, upper`` at
        attrs["ci_prob"]; ``p`` of no effect; ``p_verdict`` of the kind of verdict (a
        direction, negligible) that is nearer, and its ``q``;
        ``rope_lower, rope_upper``; ``shrunken, shrunken_lower, shrunken_upper`` and the
        local false sign rate ``lfsr`` of hierarchical effect sizes, NaN for rows that
        are not shrunken; ``reversal``, the effect that the largest share of backgrounds
        missed by chance, ``s0 = 1 - (1 - ci_prob)^(1/n)``, would need to undo a verdict
        (NaN for other rows); ``more_units`` for even odds of a verdict in a new trial (-1
        if decided or unknown). attrs["exploratory"] names settings that differ from the
        stored analysis.

    Raises
    ------
    EstimateError
        If there is no ROPE or an impossible one (too few placebos, say), `error`,
        `largest`, `shrink` or `ci_prob` is impossible, or a posterior keeps no
        estimates.
    EstimateError
        If estimates have no standard error.

    Notes
    -----
    The interval is the union of Student's t interval and Hall's, each by itself valid
    for means (`causalgia.estimation.effect_intervals` has 0/1 outcomes and effects that
    do not vary). ``p_direction`` is twice the one-sided p beyond the region,
    ``p_negligible`` twice the p of two one-sided tests: each is at most ``1 - ci_prob``
    where the interval lies there. q is Benjamini-Hochberg's within the kind of verdict,
    over the rows still open to it (`causalgia.verdicts.verdict_rule.rule`), which
    bounds the false discovery rate for independent or positively dependent rows.

    References
    ----------
    Kruschke (2018), doi:10.1177/2515245918771304. Schuirmann (1987),
    doi:10.1007/BF01068419. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x. Holm (1979), www.jstor.org/stable/4615733.
    Hall (1992), doi:10.1111/j.2517-6161.1992.tb01872.x: skewness.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> estimates = from_effects(
    ...     [1.38, 0.01, 0.12], se=[0.02, 0.02, 0.03], names=["GATA1", "mutant", "TAL1"]
    ... )
    >>> decisions = decide(estimates, rope=(-0.1, 0.1))
    >>> decisions["verdict"].values.ravel().tolist()
    ['increases', 'negligible', 'undecided']
    """
    given = as_evidence(x)
    warn_of_rng(rng)
    check_cluster_name(cluster, of_units=given.kind == "effects")
    request = as_request(
        given,
        rope=rope,
        error=error,
        ci_prob=ci_prob,
        largest=largest,
        family=family,
        shrink=shrink,
    )
    if given.kind == "effects":
        out = decide_estimates(estimate_effects(given.data, cluster), request)
    elif given.kind == "estimates":
        out = decide_estimates(given.data, request)
    else:
        out = decide_posterior(given.data, request)
    return as_result(out, "decisions", settings=request.settings)


def decide_estimates(estimates: xr.Dataset, request: Request) -> xr.Dataset:
    """Return decisions on estimates by tests, as `decide`, with hierarchical effect
    sizes beside them.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> one = from_effects([1.0], se=[0.1], names=["GATA1"])
    >>> request = as_request(as_evidence(one), rope=(-0.1, 0.1), error="each")
    >>> decide_estimates(one, request)["verdict"].item()
    'increases'
    """
    if request.shrink is not None and request.shrink.variances:
        estimates = moderate(estimates)
    with_gaps, estimates = estimates, filled(estimates)
    ci_prob, largest = request.ci_prob, request.largest
    error: Any = request.error  # of tests
    found = from_estimates(estimates, request.rope, ci_prob=ci_prob, largest=largest)
    measured = rows_measured(estimates)
    _check_size_known(estimates, found)
    members, family = row_families(
        estimates, request.family, found.rows.counted & measured
    )
    members = [own for rows in members if (own := rows[measured.ravel()[rows]]).size]
    verdicts = rule(found.rows, members, error=error, ci_prob=ci_prob)
    attrs = attributes(
        error=error,
        ci_prob=ci_prob,
        family_rows=family.rows,
        family_by=family.by,
        family_without=family.without,
    )
    by_task = () if largest is None or isinstance(largest, float) else largest
    stated = largest if isinstance(largest, float) else ""
    stated = stated or ", ".join(f"{size:g} ({task})" for task, size in by_task)
    out = _decisions_dataset(
        found,
        verdicts,
        attrs | ({} if largest is None else {"largest": stated}),
    )
    if unsized := _without_units(estimates, request):
        out = with_notes(out, unsized)
    if not measured.all():
        out = _without_unmeasured(out)
    if request.shrink is None:
        return out
    columns, notes = shrink_effects(with_gaps, request.shrink, ci_prob=ci_prob)
    return with_notes(out.assign(columns), *notes)


def decide_known(
    estimates: xr.Dataset,
    region: Region,
    analysis: Analysis,
    *,
    beyond: xr.DataArray | bool = True,
) -> xr.Dataset:
    """Return decisions on effects that are known exactly: each from where it lies.

    Parameters
    ----------
    estimates
        ``ace`` without errors; differences within its ``floor`` are none.
    region
        Region of practical equivalence.
    analysis
        The analysis that is stored with them.
    beyond
        Where a direction may be named.

    Examples
    --------
    >>> from causalgia.multiplicity.regions import rope_region
    >>> from causalgia.ropes import Rope
    >>> known = xr.Dataset({"ace": (("contrast", "task"), [[-2.0], [0.0]])})
    >>> region = rope_region(Rope.parse((-1, 1)), known, 0.0)
    >>> found = decide_known(known, region, Analysis(rope=(-1, 1)))
    >>> found["verdict"].values.ravel().tolist()
    ['decreases', 'negligible']
    """
    effect, low, high = estimates["ace"], region.lower, region.upper
    size = effect.to_numpy()
    compared = np.where(np.abs(size) <= floor_of_estimates(estimates), 0.0, size)
    inside = (compared >= low) & (compared <= high)
    inside &= (low < high) | (region.kind in ROPES_OF_DATA)
    verdict = np.select(
        [inside, (compared < low) & beyond, (compared > high) & beyond],
        [NEGLIGIBLE, DECREASES, INCREASES],
        UNDECIDED,
    )
    columns = {
        "lower": size,
        "upper": size,
        "rope_lower": low,
        "rope_upper": high,
        "verdict": in_words_of(region, verdict),
        "more_units": np.full(size.shape, -1),
    }
    out = estimates.assign({k: effect.copy(data=x) for k, x in columns.items()})
    attrs = attributes(
        error="each",
        ci_prob=analysis.ci_prob,
        rope=region.label,
        rope_kind=region.kind,
        family_rows=effect.size,
        family_by=analysis.family or "",
        family_without="",
        analysis=analysis.to_json(),
    )
    return as_result(out.assign_attrs(attrs), "decisions")


def _check_size_known(estimates: xr.Dataset, found: Evidence) -> None:
    """Raise EstimateError for a region of effects whose size is not known."""
    factor = about(estimates, 1.0).truncation_factor
    if factor < LEAST_FACTOR and not found.region.direction_only.all():
        raise EstimateError(
            f"rope={found.region.label}: effects of this zero-truncated table come out "
            f"at about {factor:.2f} of their size; below {LEAST_FACTOR:g} only "
            "directions are decided, rope=0",
            argument="rope",
        )


def _without_unmeasured(decisions: xr.Dataset) -> xr.Dataset:
    """Return decisions with nan, and no verdict, in the rows that were not measured."""
    known = decisions["measured"]
    blank: dict[str, Any] = {"f": np.nan, "U": "", "b": False}
    blanked = {
        name: column.where(known, blank[column.dtype.kind])
        for name, column in decisions.data_vars.items()
        if column.dims == known.dims and column.dtype.kind in blank
    }
    unknown = decisions["more_units"].where(known, -1)
    return decisions.assign(blanked | {"more_units": unknown})


def _without_units(estimates: xr.Dataset, request: Request) -> str:
    """Return a note that bounds on effects of single units need the number of these,
    where it is not known; "" for none.
    """
    if request.largest is None or (independent_draws(estimates) > 0).any():
        return ""
    return (
        "largest= changes no verdict here: it takes the number of independent units, "
        "which these effects lack (a column n_units of a table)"
    )


def decide_posterior(tree: Any, request: Request) -> xr.Dataset:
    """Return decisions on the estimates that a posterior keeps, and its hierarchical
    effect sizes beside them.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.posterior import infer
    >>> tree = infer(from_effects(np.arange(12.0), se=1.0), rng=0)
    >>> request = as_request(as_evidence(tree), rope=(-3, 3))
    >>> decide_posterior(tree, request)["verdict"].values.ravel()[[0, -1]].tolist()
    ['negligible', 'increases']
    """
    effects, columns = effects_of_posterior(tree, request.ci_prob)
    out = decide_estimates(effects, replace(request, shrink=None))
    if about(effects, None).predictors:  # units do not make them agree
        out["more_units"] = xr.full_like(out["more_units"], -1)
    if "floor" in effects:  # no number of units distinguishes it from 0
        below = is_below_floor(effects)
        columns["lfsr"] = np.where(below, 1.0, columns["lfsr"])
        out["below_floor"] = (("contrast", "task"), below)
    return out.assign(
        {name: (("contrast", "task"), values) for name, values in columns.items()}
    )


def _decisions_dataset(
    found: Evidence, verdicts: Verdicts, attrs: dict[str, Any]
) -> xr.Dataset:
    """Return the Dataset of decisions from the evidence and the verdicts."""
    verdict = in_words_of(found.region, verdicts.verdict)
    columns = {
        "lower": found.rows.lower,
        "upper": found.rows.upper,
        "p": found.p,
        "verdict": verdict,
        "p_verdict": verdicts.p_verdict,
        "q": verdicts.q,
        "rope_lower": found.rows.region_lower,
        "rope_upper": found.rows.region_upper,
    }
    n = independent_draws(found.effects)
    missed = np.where(
        n > 0, missed_share_of(np.maximum(n, 1), about(attrs).ci_prob), np.nan
    )
    named = verdicts.verdict != UNDECIDED
    columns["reversal"] = np.where(named, reversal_size(found.rows, missed), np.nan)
    z = float(ndtri(0.5 + about(attrs).ci_prob / 2))
    columns["more_units"] = _units_still_needed(found, verdicts, z)
    dims = found.effects.variables["ace"].dims
    out = found.effects.assign(
        {name: (dims, np.array(values)) for name, values in columns.items()}
    )
    out.attrs |= attrs | found.region.attributes()
    return out


def _units_still_needed(found: Evidence, verdicts: Verdicts, z: Array | float) -> Any:
    """Return how many further units would decide each undecided effect with even odds,
    if a verdict needs z standard errors; -1 where that is unknown.
    """
    effects, undecided = found.effects, verdicts.verdict == UNDECIDED
    if "se" not in effects or "n_units" not in effects:
        return np.full(undecided.shape, -1)
    ace, se, n = (of_effects(effects, name) for name in ("ace", "se", "n_units"))
    low, high = found.rows.region_lower, found.rows.region_upper
    distance = np.minimum(np.abs(ace - low), np.abs(ace - high))
    more = more_units(distance, se, n.astype(np.int64), z)
    # 1: by its error this trial would decide; it does not, for few df, skewness or the
    # company of other rows
    more = np.where((more == 0) | (more == 1), -1, more)
    if "below_floor" in effects:  # no number of units distinguishes it from 0
        more = np.where(of_effects(effects, "below_floor"), -1, more)
    beyond = found.rows.above | found.rows.below
    more = np.where(beyond | ~found.rows.counted, -1, more)
    return np.where(undecided, more, -1).astype(np.int64)
