"""The verb `decide`: a verdict on every effect from where its interval lies against a
region of practical equivalence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtri

from causalgia.analysis import as_result
from causalgia.analysis_values import Shrinkage
from causalgia.attributes import about, attributes, has
from causalgia.choices import (
    LEAST_TO_SHRINK,
    Error,
)
from causalgia.errors import (
    EstimateError,
)
from causalgia.estimation.effect_intervals import independent_draws
from causalgia.estimation.ratios import open_ended
from causalgia.estimation.request import FEW_CLUSTERS, check_cluster_name, null_value
from causalgia.multiplicity.bands import band_limits
from causalgia.multiplicity.families import (
    JointEstimates,
    Units,
    as_joint_estimates,
    units_to_resample,
)
from causalgia.multiplicity.joint_methods import bootstrap_by_family
from causalgia.multiplicity.regions import Region, in_words_of
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.ropes import RopeLike
from causalgia.streams import RNG, Seed, check_seed
from causalgia.types import (
    Array,
    Codes,
    EstimateTable,
    HasToPandas,
    PosteriorGroups,
)
from causalgia.verdicts.evidence import (
    Evidence,
    from_estimates,
    more_units,
    row_families,
)
from causalgia.verdicts.posterior_evidence import Shrunken, summarize_posterior
from causalgia.verdicts.rare_effects import as_rare
from causalgia.verdicts.shrinkage import shrink_effects
from causalgia.verdicts.verdict_request import Request, as_evidence, as_request
from causalgia.verdicts.verdict_rule import UNDECIDED, Rows, Verdicts, rule

_N_DRAWS = 9_999


@usual_errors
def decide(
    x: EstimateTable | HasToPandas | PosteriorGroups,
    *,
    rope: RopeLike | None = None,
    error: Error | None = None,
    ci_prob: float | None = None,
    rare: float | str | None = "auto",
    largest: float | None = None,
    family: str | None = None,
    shrink: Shrinkage | None = Shrinkage(),  # noqa: B008 - frozen
    cluster: str = "auto",
    rng: RNG | None = None,
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
        Estimates, or a table (of pandas, or of another library with ``to_pandas()``)
        with columns ``effect`` and ``se``; effects ``ice (unit, contrast, task)``,
        which are estimated first; or a posterior of `causalgia.infer`, or another one
        with ``posterior/ace (chain, draw, contrast[, task])``.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. ``(lower, upper)`` is on the scale of the contrasts, as is a mapping of
        these by task; ``"0.2 sd"`` is of the control arm's outcomes, on both sides of
        no effect; ``"placebo"``, the central 95 % of placebos, 40 for each other
        contrast less one (119 for three); ``"placebo outliers"``, within five standard
        deviations of their median by a normal law of their central 80 %, or within the
        outermost on a side where these have one effect; 0, the direction alone.
    error
        The error rate that is bounded by ``1 - ci_prob``. ``"fdr"``: the expected share
        of false directions among the directions of a family, and of false negligibles
        among its negligibles. ``"fwer"``: the probability of any false verdict in a
        family, by one simultaneous band of effects in 20 clusters or more, else by
        Holm. ``"each"``: of each verdict by itself. ``"posterior"``, of a posterior
        alone: the probability that an effect of the prior's law lies elsewhere; the
        interval of the effect has to lie in the region as well. None: ``"posterior"``
        of a posterior, else ``"fdr"``.
    ci_prob
        Probability of the intervals. None: that of the estimates, else .95.
    rare
        Share of the backgrounds on which an effect must not be missed: no effect is
        negligible where n independent backgrounds all miss it with a probability
        ``(1 - rare)^n`` above ``1 - ci_prob`` (299 for .01). ``"none"``: rare, large
        effects are assumed not to exist. ``"auto"``: .01 for claims about a predictor
        over a population of backgrounds, else ``"none"``.
    largest
        Bound on the effect on any background, if one was stated beforehand: a direction
        then takes as many backgrounds as show that too few were missed to undo it.
        None: no direction is withheld.
    family
        Rows among which an error rate holds. None: all rows of the table (contrasts by
        tasks, without placebos); ``"task"``: those of one task; a coordinate on
        contrast: those that share its value.
    shrink
        Law and prior of the hierarchical effect sizes that stand beside estimates of 10
        or more exchangeable contrasts of a task; None leaves them out.
    cluster
        Units that vary together. For effects: these are resampled together, as in
        `causalgia.estimate`.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For effects: that of a
        simultaneous band.

    Returns
    -------
    Dataset
        On (contrast, task[, model]): ``verdict``; ``ace`` with ``lower, upper`` at
        attrs["ci_prob"]; ``p`` of no effect; ``p_verdict`` of the kind of verdict (a
        direction, negligible) that is nearer, and its ``q``;
        ``rope_lower, rope_upper``; ``shrunken, shrunken_lower, shrunken_upper`` and the
        local false sign rate ``lfsr`` of hierarchical effect sizes, NaN for rows that
        are not shrunken; ``more_units`` for even odds of a verdict in a new trial (-1
        if decided or unknown). attrs["exploratory"] names settings that differ from the
        stored analysis.

    Raises
    ------
    EstimateError
        If there is no ROPE or an impossible one (too few placebos, say), `error`,
        `rare`, `largest`, `shrink` or `ci_prob` is impossible or does not go with `x`,
        a posterior has fewer than 10 effects or too few draws, or its groups are of
        different effects.
    EstimateError
        If a posterior lacks ``ace``.
    EstimateError
        If draws that did not come from `causalgia.infer` have divergent transitions, or
        chains that disagree.
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
    doi:10.1111/j.2517-6161.1995.tb02031.x. Hall (1992),
    doi:10.1111/j.2517-6161.1992.tb01872.x: skewness.

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
    check_seed(rng)
    check_cluster_name(cluster, of_units=given.kind == "effects")
    request = as_request(
        given,
        rope=rope,
        error=error,
        ci_prob=ci_prob,
        rare=rare,
        largest=largest,
        family=family,
        shrink=shrink,
    )
    if given.kind == "effects":
        out = decide_effects(given.data, request, cluster, rng)
    elif given.kind == "estimates":
        out = decide_estimates(given.data, request)
    else:
        out = decide_posterior(given.data, request)
    return as_result(out, "decisions", settings=request.settings)


def decide_effects(
    effects: xr.Dataset, request: Request, cluster: str, rng: RNG | None
) -> xr.Dataset:
    """Return decisions on effects of units, which are estimated first; of a family by
    one simultaneous band where clusters are enough to resample.

    Examples
    --------
    >>> ice = np.random.default_rng(0).normal(1.0, 1.0, size=(40, 1, 1))
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)})
    >>> request = as_request(as_evidence(effects), rope=0, error="fwer")
    >>> decide_effects(effects, request, "auto", 0)["verdict"].item()
    'increases'
    """
    joint = as_joint_estimates(effects, cluster, request.ci_prob)
    out = decide_estimates(joint.estimates, request)
    banded = (
        request.error == "fwer"
        and joint.units is not None
        and joint.units.n_clusters >= FEW_CLUSTERS
        and request.rope.kind != "placebo"  # whose directions need ranks
    )
    return _by_band(out, joint, request, rng) if banded else out


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
    ci_prob, largest = request.ci_prob, request.largest
    error: Any = request.error  # of tests
    share = as_rare(request.rare, estimates)
    found = from_estimates(
        estimates, request.rope, ci_prob=ci_prob, rare=share, largest=largest
    )
    members, words = row_families(estimates, request.family)
    verdicts = rule(found.rows, members, error=error, ci_prob=ci_prob)
    attrs = attributes(
        error=error,
        ci_prob=ci_prob,
        families=words,
        rare="none" if share is None else share,
    )
    out = _decisions_dataset(
        found,
        verdicts,
        attrs | ({} if largest is None else {"largest": largest}),
    )
    if unsized := _without_units(estimates, request):
        out = with_notes(out, unsized)
    if request.shrink is None:
        return out
    columns, note = shrink_effects(estimates, request.shrink, ci_prob=ci_prob)
    return with_notes(out.assign(columns), *([note] if note else []))


def _without_units(estimates: xr.Dataset, request: Request) -> str:
    """Return a note that bounds on effects of single units need the number of these,
    where it is not known; "" for none.
    """
    given = [
        f"{name}={value:g}"
        for name, value in (("rare", request.rare), ("largest", request.largest))
        if isinstance(value, float)
    ]
    if not given or (independent_draws(estimates) > 0).any():
        return ""
    of = "changes" if len(given) == 1 else "change"
    return (
        f"{' and '.join(given)} {of} no verdict here: it takes the number of independent "
        "units, which these effects lack (a column n_units of a table)"
    )


def decide_posterior(tree: Any, request: Request) -> xr.Dataset:
    """Return decisions of a posterior: each by its local error, where the effect's own
    interval lies there as well.

    Examples
    --------
    >>> ace = (
    ...     np.random.default_rng(0).normal(size=(1, 4000, 10))
    ...     + np.r_[3.0, np.zeros(9)]
    ... )
    >>> tree = {"posterior": xr.Dataset({"ace": (("chain", "draw", "contrast"), ace)})}
    >>> request = as_request(as_evidence(tree), rope=(-6, 6))
    >>> decide_posterior(tree, request)["verdict"].values.ravel()[:2].tolist()
    ['negligible', 'negligible']
    """
    ci_prob = request.ci_prob
    posterior = summarize_posterior(tree, request.rope, ci_prob=ci_prob)
    effects = posterior.effects
    if has(effects).law and effects.sizes["contrast"] < LEAST_TO_SHRINK:
        raise EstimateError(
            f"error='posterior' takes {LEAST_TO_SHRINK} or more exchangeable "
            "contrasts, from which the law of effects is learned, and there "
            f"{('is' if effects.sizes['contrast'] == 1 else 'are')} "
            f"{effects.sizes['contrast']}; decide by tests: cg.decide(estimates, "
            "...)",
            argument="error",
        )
    share = as_rare(request.rare, effects)
    errors = np.maximum(1 - np.maximum(posterior.above, posterior.below), 0.0)
    elsewhere = np.clip(posterior.above + posterior.below, 0.0, 1.0)
    found = _own_evidence(posterior, request, share, errors, elsewhere)
    # the interval says where an effect lies, and the posterior how sure that is
    rows = replace(
        found.rows,
        p_direction=np.maximum(errors, _of_unseen(found.rows.p_direction, ci_prob)),
        p_negligible=np.maximum(
            elsewhere, _of_unseen(found.rows.p_negligible, ci_prob)
        ),
    )
    _, words = row_families(effects, request.family)
    verdicts = rule(rows, [], error="each", ci_prob=ci_prob)
    attrs = attributes(error="posterior", ci_prob=ci_prob, families=words)
    out = _decisions_dataset(
        found, verdicts, attrs | {"rare": "none" if share is None else share}
    )
    if about(effects, None).predictors:  # units do not make them agree
        out["more_units"] = xr.full_like(out["more_units"], -1)
    dims = out["ace"].dims
    return out.assign(
        {name: (dims, values) for name, values in posterior.columns.items()}
    )


def _of_unseen(p: Array, ci_prob: float) -> Array:
    """Return p where it forbids a verdict, else 0: what units that were not drawn could
    do binds a posterior, too.
    """
    return np.where(p > (1 - ci_prob) * (1 + RELATIVE_ROUNDING), p, 0.0)


def _own_evidence(
    posterior: Shrunken,
    request: Request,
    rare: float | None,
    errors: Array,
    elsewhere: Array,
) -> Evidence:
    """Return the evidence of the measured effects of a posterior; of draws alone their
    intervals and tail areas.
    """
    if posterior.measured:
        return from_estimates(
            posterior.effects,
            request.rope,
            ci_prob=request.ci_prob,
            rare=rare,
            largest=request.largest,
        )
    low, high = (
        np.broadcast_to(end, errors.shape)
        for end in (posterior.region.lower, posterior.region.upper)
    )
    lower, upper = (
        posterior.columns[f"shrunken_{side}"] for side in ("lower", "upper")
    )
    rows = Rows(lower, upper, errors, elsewhere, low, high, np.full(errors.shape, True))
    p = np.minimum(2 * posterior.columns["lfsr"], 1.0)
    return Evidence(posterior.effects, posterior.region, rows, p, rare)


def _by_band(
    out: xr.Dataset,
    joint: JointEstimates,
    request: Request,
    rng: RNG | None,
) -> xr.Dataset:
    """Return decisions by one simultaneous band in place of the intervals of single
    effects.
    """
    if rng is None:
        raise EstimateError(
            "error='fwer' resamples clusters for one simultaneous band, and needs "
            "a seed: rng=0",
            argument="error",
        )
    units, seed = units_to_resample(joint, "bootstrap_t"), Seed.parse(rng)
    ci_prob = request.ci_prob
    over = row_families(joint.estimates, request.family)[0]
    tested = bootstrap_by_family(
        joint, units, over, ci_prob=ci_prob, n_draws=_N_DRAWS, key=seed.key
    )
    lower, upper, open_ends = band_limits(
        joint.estimates, joint.working_scale(ci_prob), tested.half_width, ci_prob
    )
    dims = out["ace"].dims
    low, high = (
        out[f"rope_{side}"].transpose(*dims).to_numpy() for side in ("lower", "upper")
    )
    p_verdict = out["p_verdict"].transpose(*dims).to_numpy()
    label = about(out).rope
    region = Region(low, high, label, of_placebos=request.rope.of_placebos)
    q = band_error(joint, region, ci_prob=ci_prob, family=over, key=seed.key)
    still = joint.numbers("se").reshape(lower.shape) == 0
    for name, limit in (
        ("lower", lower),
        ("upper", upper),
    ):  # a band has no width where nothing varies
        limit[still] = out[name].transpose(*dims).to_numpy()[still]
    rows = Rows(
        lower, upper, np.ones(lower.shape), np.ones(lower.shape), low, high, ~open_ends
    )
    # effects that no unit showed have p-values of their own
    q = np.where(
        still | rows.inside,
        np.maximum(q, np.where(p_verdict > 1 - ci_prob, p_verdict, 0.0)),
        q,
    )
    verdict = np.where(
        rows.counted & (q <= (1 - ci_prob) * (1 + RELATIVE_ROUNDING)),
        rows.named,
        UNDECIDED,
    )
    share = None if about(out).rare == "none" else float(about(out).rare)
    more = _units_still_needed(
        Evidence(out, region, rows, p_verdict, share),
        Verdicts(verdict, p_verdict, q),
        ci_prob,
        tested.critical.reshape(lower.shape),
    )
    verdict = in_words_of(region, verdict)
    columns = {"lower": lower, "upper": upper, "q": q, "verdict": verdict}
    columns["more_units"] = more
    return out.assign(
        {name: (dims, values) for name, values in columns.items()}
    ).assign_attrs(band="bootstrap_t", seed=str(seed), n_draws=_N_DRAWS)


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
    ace = found.effects["ace"]
    out = found.effects.assign(
        {name: (ace.dims, np.array(values)) for name, values in columns.items()}
    )
    out["more_units"] = (
        ace.dims,
        _units_still_needed(
            found,
            verdicts,
            about(attrs).ci_prob,
            float(ndtri(0.5 + about(attrs).ci_prob / 2)),
        ),
    )
    if found.region.direction_only.all() and not found.region.of_placebos:
        of_others = (
            ""
            if found.region.label == "0"
            else f", above or below {found.region.label}"
        )
        attrs = attrs | attributes(
            caution=(
                f"rope=0 asks for the direction alone{of_others}: no effect is called "
                "negligible"
            )
        )
    return out.assign_attrs(attrs, rope=found.region.label)


def _units_still_needed(
    found: Evidence, verdicts: Verdicts, ci_prob: float, z: Array | float
) -> Any:
    """Return how many further units would decide each undecided effect with even odds,
    if a verdict needs z standard errors; -1 where that is unknown.
    """
    effects, undecided = found.effects, verdicts.verdict == UNDECIDED
    if "se" not in effects or "n_units" not in effects:
        return np.full(undecided.shape, -1)
    dims = effects["ace"].dims
    se, n = (effects[name].transpose(*dims).to_numpy() for name in ("se", "n_units"))
    ace, low, high = (
        effects["ace"].to_numpy(),
        found.rows.region_lower,
        found.rows.region_upper,
    )
    distance = np.minimum(np.abs(ace - low), np.abs(ace - high))
    more = more_units(distance, se, n.astype(np.int64), z)
    within = (low < ace) & (ace < high)
    if found.rare is not None:
        draws = np.maximum(independent_draws(effects), 1)
        needed = np.ceil(np.log1p(-ci_prob) / np.log1p(-found.rare) - RELATIVE_ROUNDING)
        of_rare = np.ceil(n * np.maximum(needed / draws - 1, 0.0) - RELATIVE_ROUNDING)
        more = np.where(
            within & (found.rows.inside | (more >= 0)), np.maximum(more, of_rare), more
        )
    # 1: by its error this trial would decide; it does not, for few df, skewness or the
    # company of other rows
    more = np.where((more == 0) | (more == 1), -1, more)
    if "below_floor" in effects:  # no number of units distinguishes it from 0
        more = np.where(effects["below_floor"].transpose(*dims).to_numpy(), -1, more)
    beyond = found.rows.above | found.rows.below
    more = np.where(beyond, -1, more)
    return np.where(undecided, more, -1).astype(np.int64)


def band_error(
    joint: JointEstimates,
    region: Region,
    *,
    ci_prob: float,
    family: Sequence[Codes],
    key: int,
) -> Array:
    """Return the least ``1 - ci_prob`` at which the band of
    `causalgia.multiplicity.simultaneous` decides each effect.

    That is the single-step p of the largest |t| of ICE minus the nearest end of the
    region, since the band lies on one side of that end where
    ``|ace - end| > critical * se``. Deciding where it is at most ``1 - ci_prob`` bounds
    the probability of any wrong verdict in a family. It is 1 where an interval is
    unbounded.

    Parameters
    ----------
    joint
        Effects with their units.
    region
        On the scale of the contrast.
    ci_prob
        Probability of the band.
    family
        Flat positions of the rows of each family.
    key
        Key of the resamples of the band.

    Returns
    -------
    array
        Of the shape of the effects.

    References
    ----------
    Romano & Wolf (2005), doi:10.1198/016214504000000539: the single step.

    Examples
    --------
    >>> ice = np.random.default_rng(0).normal([0.0, 1.0], 1.0, size=(50, 2))[..., None]
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)})
    >>> region = Region(np.full((2, 1), -0.5), np.full((2, 1), 0.5), "-0.5 to 0.5")
    >>> band_error(
    ...     as_joint_estimates(effects, "none"),
    ...     region,
    ...     ci_prob=0.95,
    ...     family=[np.arange(2)],
    ...     key=0,
    ... ).ravel() <= 0.05
    array([ True,  True])
    """
    units, working = (
        units_to_resample(joint, "bootstrap_t"),
        joint.working_scale(ci_prob),
    )
    lower, upper = working.put(region.lower), working.put(region.upper)
    nearest = np.where(
        np.abs(working.center - lower) < np.abs(working.center - upper), lower, upper
    )
    from_end = Units(
        units.ice - (nearest - working.put(null_value(joint.estimates))).ravel(),
        units.cluster,
    )
    tested = bootstrap_by_family(
        joint, from_end, family, ci_prob=ci_prob, n_draws=_N_DRAWS, key=key
    )
    return np.where(
        open_ended(joint.estimates, working, ci_prob), 1.0, tested.p_single_step
    )
