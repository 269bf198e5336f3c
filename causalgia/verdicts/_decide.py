"""The verb `decide`: a verdict on every effect from estimates or a posterior and a
region of practical equivalence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from causalgia.analysis import analysis_in_attrs, exploratory_attrs
from causalgia.checks import is_real, nearest
from causalgia.choices import ERRORS, LEAST_FOR_A_LAW, Error, too_few_for_a_law
from causalgia.errors import DecisionError, quoted
from causalgia.estimation import as_estimates
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.ratios import open_ended, unbounded
from causalgia.estimation.request import check_cluster_name, null_value
from causalgia.multiplicity.bands import band_limits, seed_label
from causalgia.multiplicity.families import (
    JointEstimates,
    Units,
    as_joint_estimates,
    families,
    family_label,
    has_effects,
    units_to_resample,
)
from causalgia.multiplicity.joint_methods import bootstrap_by_family
from causalgia.multiplicity.placebo import resolution_note
from causalgia.notes import with_notes
from causalgia.schema import annotate, check_no_average_map, validate
from causalgia.streams import RNG, root_key
from causalgia.types import Array, EstimateTable, PosteriorGroups
from causalgia.verdicts.evidence import (
    CLAIMS,
    UNDECIDED,
    Evidence,
    from_estimates,
    more_units,
    rule,
    union_interval,
)
from causalgia.verdicts.posterior_evidence import from_posterior
from causalgia.verdicts.rare_effects import as_rare, independent_draws
from causalgia.verdicts.rope import Region, in_words_of

_ROUNDING = 1e-9


def decide(
    x: EstimateTable | PosteriorGroups,
    *,
    rope: tuple[float, float]
    | str
    | int
    | Mapping[str, tuple[float, float]]
    | None = None,
    level: float = 0.95,
    error: Error = "auto",
    rare: float | str | None = "auto",
    ci_prob: float | None = None,
    family: str | None = None,
    cluster: str = "auto",
    rng: RNG | None = None,
) -> xr.Dataset:
    """Decide for each effect whether it increases, decreases, is negligible or
    undecided, relative to a ROPE.

    The region of practical equivalence (ROPE) holds the effects that are too small to
    matter. Estimates are decided by *tests* of the unshrunken effects, each false with
    probability at most ``1 - level`` whatever the truth; a posterior by the probability
    above, below and inside the region, with errors bounded *on average over effects
    like these*. ``"undecided"`` means that the data do not settle the question, not
    that there is no effect.

    Parameters
    ----------
    x
        Estimates, or a table with columns ``effect`` and ``se``; a posterior of
        `causalgia.infer`, or another one with
        ``posterior/ace (chain, draw, contrast[, task])``; or effects
        ``ice (unit, contrast, task)`` for ``error="bootstrap_t"``.
    rope
        ``(lower, upper)`` on the scale of the contrasts, or a mapping of these by task;
        ``"0.2 sd"`` of the control arm's outcomes, on both sides of no effect;
        ``"placebo"``, the central 95 % of 40 or more placebos;
        ``"placebo outliers"``, within five standard deviations of their median by a
        normal law of their central 80 %, or within the outermost on a side where these
        have one effect; or 0, the direction alone.
    level
        1 minus the bound on the error rate.
    error
        The error rate that is bounded. Of estimates: ``"bh"``, the expected share of
        false verdicts in a family, or ``"holm"``, the probability of any, for
        directions and negligible effects separately. Of estimates or a posterior:
        ``"local"``, the error of each verdict by itself (tests are not adjusted). Of a
        posterior also ``"bayes_fdr"``, the mean error of the verdicts of each kind. Of
        effects: ``"bootstrap_t"``, the probability of any false verdict. ``"auto"``:
        ``"bh"`` of estimates, ``"local"`` of a posterior.
    rare
        Share of the backgrounds on which an effect must not be missed: no effect is
        negligible before ``-log(1 - level) / rare`` independent backgrounds were drawn
        (``3 / rare`` at .95). ``"none"``: rare, large effects are assumed not to exist.
        ``"auto"``: .01 for claims about a predictor over a population of backgrounds,
        else ``"none"``.
    ci_prob
        For a posterior: probability of the equal-tailed intervals, by default
        ``2 level - 1``. Tests return the interval that gave the verdict, and take no
        `ci_prob`.
    family
        The set of verdicts over which an error rate other than ``"local"`` holds. None:
        the contrasts of one task (and model); a coordinate on contrast: each of its
        values within a task; ``"all"``.
    cluster, rng
        For ``error="bootstrap_t"``: the units that are resampled together, as in
        `causalgia.estimate`, and the seed.

    Returns
    -------
    Dataset
        On (contrast, task[, model]): ``verdict`` (``increases``, ``decreases``,
        ``negligible`` or ``undecided``; of placebos ``higher``, ``lower``,
        ``within`` or ``undecided``); ``ace`` (the estimate, or the posterior mean) with
        ``lower, upper`` and their probability ``interval_level``; ``lfsr``; ``p_rope,
        p_above, p_below``, the probability of each region; ``local_error`` of the best
        claim; ``q``, the error rate of the set of verdicts that ends with this one;
        ``rope_lower, rope_upper``; ``raw`` and ``se``, before shrinkage; ``more_units``
        for even odds of a verdict in a new trial (-1 if decided or unknown); with
        `rare` ``missed_share``; with the spike and slab ``p_zero, lower_slab,
        upper_slab``. attrs["exploratory"] names settings that differ from the stored
        analysis.

    Raises
    ------
    DecisionError
        If there is no ROPE or an impossible one (too few placebos, say), `level`
        is not a probability, `error`, `rare` or `ci_prob` does not go with `x`, there
        are too few draws for `level`, or the groups of a posterior are of different
        effects.
    InferenceError
        If a posterior lacks ``ace``.
    ConvergenceError
        If draws that did not come from `causalgia.infer` have divergent transitions, or
        chains that disagree.
    EstimateError
        If estimates have no standard error.

    Notes
    -----
    A direction is tested at ``(1 - level) / 2`` a side, "negligible" by two one-sided
    tests at ``1 - level``; the bound of ``"bh"`` holds if p-values are independent or
    positively dependent. The page "Choose a region of practical equivalence" has the
    levels of intervals, and rare, skewed and exact effects.

    References
    ----------
    Kruschke (2018), doi:10.1177/2515245918771304. Schuirmann (1987),
    doi:10.1007/BF01068419. Mueller, Parmigiani, Robert & Rousseau (2004),
    doi:10.1198/016214504000001646. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x. Hall (1992),
    doi:10.1111/j.2517-6161.1992.tb01872.x: skewness. Benjamini & Yekutieli (2005),
    doi:10.1198/016214504000001907: intervals of what was selected.

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
    level = _as_level(level, "level")
    of_draws = isinstance(x, xr.Dataset) and {"chain", "draw"} <= set(x.dims)
    evidence: Any = {"posterior": x} if of_draws else x
    check_no_average_map(evidence, "cg.decide")
    kind = _kind_of_evidence(evidence)
    check_cluster_name(cluster, of_units=kind == "effects")
    error = _as_error(error, kind)
    if kind != "posterior" and ci_prob is not None:
        raise DecisionError(
            "a test reports the interval that its level implies; set level= and leave "
            "ci_prob= out"
        )
    attrs: dict[str, Any] = {"level": level, "error": error}
    if kind == "effects":
        out = _decide_by_band(
            evidence, rope, attrs, rare=rare, family=family, cluster=cluster, rng=rng
        )
    elif kind == "estimates":
        out = _decide_by_tests(evidence, rope, attrs, rare, family)
    else:
        interval = 2 * level - 1 if ci_prob is None else _as_level(ci_prob, "ci_prob")
        found = from_posterior(evidence, rope, level=level, ci_prob=interval, rare=rare)
        attrs |= {
            "evidence": kind,
            "ci_prob": interval,
            "rare": "none" if found.rare is None else found.rare,
        }
        columns, attrs["families"] = _family_verdicts(found, attrs, family)
        out = _decisions_dataset(
            found, columns, float(ndtri(level)), attrs | _law_caution(found)
        )
    settings = _analysis_settings(out, rope, rare, family)
    out = out.assign_attrs(exploratory_attrs(out.attrs, **settings))
    out["verdict"] = in_words_of(rope, out["verdict"])
    return validate(annotate(out), "decisions")


_Kind: TypeAlias = Literal["effects", "estimates", "posterior"]


def _kind_of_evidence(x: Any) -> _Kind:
    if has_effects(x):
        return "effects"
    if isinstance(x, xr.Dataset | pd.DataFrame):
        return "estimates"
    if not (
        isinstance(x, xr.DataTree)
        or hasattr(x, "groups")
        or (isinstance(x, Mapping) and len(x))
    ):
        what = (
            quoted(x) if x is None or isinstance(x, Mapping) else f"{type(x).__name__}"
        )
        raise DecisionError(
            "cg.decide takes estimates (of cg.estimate or cg.from_effects, or a table "
            "with columns 'effect' and 'se'), a posterior (of cg.infer) or effects (of "
            f"cg.contrast), not {what}"
        )
    return "posterior"


def _as_error(error: Any, kind: _Kind) -> Any:
    """Return the error rate, that of the kind of evidence for "auto"; refuse one that
    does not go with it.
    """
    if error not in ERRORS:
        hint = nearest(str(error), ERRORS)
        raise DecisionError(
            f"error={quoted(error)} is not one of "
            f"{', '.join(map(quoted, ERRORS))}{hint}"
        )
    if kind == "effects" and error != "bootstrap_t":
        raise DecisionError(
            f"these are effects of single units; error={quoted(error)} needs "
            "cg.estimate(effects), while error='bootstrap_t' takes the effects "
            "themselves"
        )
    if kind != "effects" and error == "bootstrap_t":
        raise DecisionError(
            "error='bootstrap_t' resamples units: give the effects of cg.contrast, or "
            "use error='bh'"
        )
    if kind == "estimates" and error == "bayes_fdr":
        raise DecisionError(
            "error='bayes_fdr' takes a posterior: cg.decide(cg.infer(estimates, "
            "rng=0), ...); estimates take error='bh'"
        )
    if kind == "posterior" and error in ("bh", "holm"):
        raise DecisionError(
            f"error={quoted(error)} adjusts p-values, and a posterior has none; use "
            "error='bayes_fdr'"
        )
    return {"estimates": "bh", "posterior": "local"}[kind] if error == "auto" else error


def _analysis_settings(
    out: xr.Dataset, rope: Any, rare: Any, family: str | None
) -> dict[str, Any]:
    """Return the settings that affect these verdicts, by the names of an `Analysis`."""
    error, varies = out.attrs["error"], "se" not in out or bool((out["se"] != 0).any())
    counted = ~is_placebo(out)
    if "exact" in out:  # decided without a law
        counted &= (
            ~out["exact"]
            .any([dim for dim in out["exact"].dims if dim != "contrast"])
            .to_numpy()
        )
    analysis = analysis_in_attrs(out.attrs)
    by_default = analysis.decides_by(int(counted.sum()))
    if error == "bh" and by_default == "local":
        from causalgia.posterior.model_checks import deciding_error

        by_default, _ = deciding_error(analysis, out, counted, int(counted.sum()))
    if error == by_default:
        error = analysis.error
    settings = {"rope": rope, "level": out.attrs["level"]} | (
        {"error": error} if varies else {}
    )
    settings |= {"rare": rare}
    return settings | ({"family": family} if out.attrs["error"] != "local" else {})


def _law_caution(found: Evidence) -> dict[str, str]:
    """Return the caution for posteriors of too few effects to show their law."""
    n = found.effects.sizes["contrast"]
    if "across" in found.effects.attrs:  # a law of all tasks together
        n *= found.effects.sizes["task"]
    # a single effect is not shrunken
    alone = n == 1 and found.effects.attrs.get("law") == "two_scales"
    if n >= LEAST_FOR_A_LAW or alone:
        return {}
    few = too_few_for_a_law(n, str(found.effects.attrs.get("law", "normal")))
    return {
        "caution": (
            f"{few}; error rates of the posterior hold only on average over effects "
            "drawn from that law; cg.decide(estimates, ...) tests each effect"
        )
    }


def _as_level(value: Any, name: str) -> float:
    number = is_real(value)
    if not number or not 0.5 < value < 1:
        raise DecisionError(
            f"{name}={quoted(value)} is not between 0.5 and 1; for example {name}=0.95"
        )
    return float(value)


def _decide_by_tests(
    table: Any, rope: Any, attrs: dict[str, Any], rare: Any, family: str | None
) -> xr.Dataset:
    estimates = as_estimates(table)
    if "is_placebo" in table and "is_placebo" not in estimates.variables:
        estimates = estimates.assign_coords(
            is_placebo=("contrast", np.asarray(table["is_placebo"]))
        )
    share, level = as_rare(rare, estimates), attrs["level"]
    found = from_estimates(estimates, rope, ci_prob=level, rare=share)
    attrs = attrs | {"evidence": "tests", "rare": "none" if share is None else share}
    columns, attrs["families"] = _family_verdicts(found, attrs, family)
    columns |= _deciding_interval(estimates, found, columns, 1 - level)
    ace = found.effects["ace"].to_numpy()
    within = (found.region.lower < ace) & (ace < found.region.upper)
    directional, negligible = (
        columns.pop(f"share_{kind}") for kind in ("directional", "negligible")
    )
    z = ndtri(
        1
        - (1 - level) * np.where(within, np.minimum(negligible, 0.999), directional / 2)
    )
    out = _decisions_dataset(found, columns, z, attrs)
    if found.region.of_placebos:
        beyond_region = (out["lower"] > out["rope_upper"]) | (
            out["upper"] < out["rope_lower"]
        )
        could_be = (
            (beyond_region & (out["verdict"] == UNDECIDED))
            .transpose(*out["ace"].dims)
            .to_numpy()
        )
        # what is lacking are words: no number of units lets an effect rank higher among
        # those that there are
        out["more_units"] = out["more_units"].copy(
            data=np.where(could_be, -1, out["more_units"].to_numpy())
        )
        note = None
        if found.region.by_rank:
            note = resolution_note(estimates, could_be, 1 - level)
        out = with_notes(out, *filter(None, [note]))
    return out.drop_attrs(deep=False).assign_attrs(
        {k: v for k, v in out.attrs.items() if k != "ci_prob"}
    )


def _deciding_interval(
    estimates: xr.Dataset, found: Evidence, columns: dict[str, Any], alpha: float
) -> dict[str, Any]:
    """Return the limits behind each verdict and their probability; of undecided effects
    the union of both intervals.
    """
    verdict = columns["verdict"]
    directional = 1 - alpha * columns["share_directional"]
    negligible = np.maximum(1 - 2 * alpha * columns["share_negligible"], 0.5)
    of_negligible = verdict == CLAIMS[1]
    open_to_both = (verdict == UNDECIDED) & ~found.region.direction_only
    lower, upper = union_interval(
        estimates,
        np.where(of_negligible, 0.0, directional),
        np.where(of_negligible | open_to_both, negligible, 0.0),
        hall=found.hall,
        unseen=found.unseen,
    )
    level = np.where(of_negligible, negligible, directional)
    level = np.where(open_to_both, np.maximum(directional, negligible), level)
    return {"lower": lower, "upper": upper, "interval_level": level}


def _family_verdicts(
    found: Evidence, attrs: dict[str, Any], family: str | None
) -> tuple[dict[str, Any], str]:
    """Return verdicts and errors by family, and a family in words."""
    shape, level = found.errors.shape[1:], attrs["level"]
    flat = found.errors.reshape(3, -1)
    names = ("verdict", "local_error", "q", "share_directional", "share_negligible")
    columns = {
        name: np.empty(flat.shape[1], dtype="<U10" if name == "verdict" else np.float64)
        for name in names
    }
    sets, in_words = (
        families(found.effects, family, shape),
        family_label(family, found.effects["ace"]),
    )
    if (
        found.region.of_placebos
    ):  # the words that define the region are a family of their own
        word = np.repeat(is_placebo(found.effects), int(np.prod(shape[1:])))
        sets = [
            part
            for members in sets
            for part in (members[~word[members]], members[word[members]])
            if len(part)
        ]
        in_words = f"{in_words}, placebos apart"
    for members in sets:
        verdicts = rule(flat[:, members], alpha=1 - level, error=attrs["error"])
        for name in names:
            columns[name][members] = getattr(verdicts, name)
    if attrs["evidence"] == "posterior":
        columns = {name: columns[name] for name in names[:3]}
    elif attrs["error"] == "local":
        columns["q"] = columns["local_error"]
    return {name: values.reshape(shape) for name, values in columns.items()}, in_words


def _decide_by_band(
    effects: xr.Dataset,
    rope: Any,
    attrs: dict[str, Any],
    *,
    rare: Any,
    family: str | None,
    cluster: str,
    rng: RNG | None,
) -> xr.Dataset:
    level = attrs["level"]
    if rng is None:
        raise DecisionError(
            "error='bootstrap_t' resamples at random and needs a seed: rng=0"
        )
    joint = as_joint_estimates(effects, cluster, level)
    units, key = units_to_resample(joint, "bootstrap_t"), root_key(rng)
    tested = bootstrap_by_family(
        joint, units, family, ci_prob=level, n_draws=_N_DRAWS, key=key
    )
    lower, upper, open_ends = band_limits(
        joint.estimates, joint.working_scale(level), tested.half_width, level
    )
    band = joint.estimates.assign_attrs(
        band="bootstrap_t", seed=seed_label(rng), n_draws=_N_DRAWS
    )
    band = (
        band.assign(unbounded=(band["ace"].dims, open_ends))
        if open_ends.any()
        else band
    )
    share = as_rare(rare, band)
    found = from_estimates(band, rope, ci_prob=level, rare=share)
    inside = (
        (lower > found.region.lower)
        & (upper < found.region.upper)
        & (found.errors[1] <= 1 - level)
    )
    claims = [
        unbounded(band) | (found.lacking > 0),
        upper < found.region.lower,
        inside,
        lower > found.region.upper,
    ]
    verdict = np.select(claims, [UNDECIDED, *CLAIMS], UNDECIDED)
    local_error = np.minimum(found.errors.min(axis=0), 1.0)
    q = band_error(joint, found.region, level=level, family=family, key=key)
    # band and p of rare effects come from different bounds; the band decides
    q = np.where(
        verdict == UNDECIDED,
        np.maximum(q, np.nextafter(1 - level, 1)),
        np.minimum(q, 1 - level),
    )
    columns = {
        "verdict": verdict,
        "local_error": local_error,
        "q": q,
        "lower": lower,
        "upper": upper,
    }
    attrs = attrs | {
        "evidence": "simultaneous band",
        "families": family_label(family, band["ace"]),
    }
    attrs |= {"rare": "none" if share is None else share}
    columns["interval_level"] = np.full(verdict.shape, level)
    return _decisions_dataset(
        found, columns, tested.critical, attrs | {"ci_prob": level}
    )


def _decisions_dataset(
    found: Evidence, verdicts: dict[str, Any], z: Array | float, attrs: dict[str, Any]
) -> xr.Dataset:
    """Return the Dataset of decisions from the evidence and the columns of the
    verdicts.
    """
    rope = {"rope_lower": found.region.lower, "rope_upper": found.region.upper}
    columns = {
        **found.columns,
        **verdicts,
        **rope,
        "more_units": _units_still_needed(
            found, verdicts["verdict"], z, attrs["level"]
        ),
    }
    ace = found.effects["ace"]
    out = found.effects.assign(
        {name: (ace.dims, np.asarray(values)) for name, values in columns.items()}
    )
    if found.region.direction_only.all() and not found.region.of_placebos:
        cautions = [str(attrs["caution"])] if "caution" in attrs else []
        about = (
            ""
            if found.region.label == "0"
            else f", above or below {found.region.label}"
        )
        cautions.append(
            f"rope=0 asks for the direction alone{about}: no effect is called "
            "negligible"
        )
        attrs = attrs | {"caution": "; ".join(cautions)}
    return out.assign_attrs(attrs, rope=found.region.label)


def _units_still_needed(
    found: Evidence, verdict: npt.NDArray[np.str_], z: Array | float, level: float
) -> npt.NDArray[np.int64]:
    effects = found.effects
    if "se" not in effects or "n_units" not in effects:
        return np.full(verdict.shape, -1)
    se, n = (
        effects[name].transpose(*effects["ace"].dims).to_numpy()
        for name in ("se", "n_units")
    )
    of_rare = _units_lacking_for_rare(found, level)
    ace = effects["ace"].to_numpy()
    distance = np.minimum(
        np.abs(ace - found.region.lower), np.abs(ace - found.region.upper)
    )
    more = more_units(distance, found.sd, se, n.astype(np.int64), z=z)
    within = (found.region.lower < ace) & (ace < found.region.upper)
    more = np.where(within & (more >= 0), np.maximum(more, of_rare), more)
    # 1: by its sd this trial would decide, and it does not, for few df or skewness, of
    # which the sd knows nothing
    more = np.where(more == 1, -1, more)
    few = np.maximum(found.lacking, np.where(found.too_few, of_rare, 0)).astype(
        np.int64
    )
    if "below_floor" in effects:  # no number of units distinguishes it from 0
        more = np.where(
            effects["below_floor"].transpose(*effects["ace"].dims).to_numpy(), -1, more
        )
    return np.where(verdict == UNDECIDED, np.where(few > 0, few, more), -1)


def _units_lacking_for_rare(found: Evidence, level: float) -> npt.NDArray[np.int64]:
    """Return how many more units "negligible" needs for effects on a share `rare` of
    backgrounds, as ``ace``.
    """
    effects, share = found.effects, found.rare
    if share is None:
        return np.zeros(effects["ace"].shape, dtype=np.int64)
    draws = np.maximum(independent_draws(effects), 1)
    n = (
        effects["n_units" if "n_units" in effects else "n_clusters"]
        .transpose(*effects["ace"].dims)
        .to_numpy()
    )
    lacks = np.ceil(n * (-np.log1p(-level) / share / draws - 1) - _ROUNDING)
    return np.asarray(np.maximum(lacks, 0), dtype=np.int64)


_N_DRAWS = 9_999


def band_error(
    joint: JointEstimates, region: Region, *, level: float, family: str | None, key: int
) -> Array:
    """Return the least ``1 - level`` at which the band of
    `causalgia.multiplicity.simultaneous` decides each effect.

    That is the single-step p of the largest |t| of ICE minus the nearest end of the
    region, since the band lies on one side of that end where
    ``|ace - end| > critical * se``. Deciding where it is at most ``1 - level`` bounds
    the probability of any wrong verdict in a family. It is 1 where an interval is
    unbounded.

    Parameters
    ----------
    joint
        Effects with their units.
    region
        On the scale of the contrast.
    level, family
        As for the band.
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
    ...     as_joint_estimates(effects, "none"), region, level=0.95, family=None, key=0
    ... ).ravel() <= 0.05
    array([ True,  True])
    """
    units, working = units_to_resample(joint, "bootstrap_t"), joint.working_scale(level)
    lower, upper = working.put(region.lower), working.put(region.upper)
    nearest = np.where(
        np.abs(working.center - lower) < np.abs(working.center - upper), lower, upper
    )
    from_end = Units(
        units.ice - (nearest - working.put(null_value(joint.estimates))).ravel(),
        units.cluster,
    )
    tested = bootstrap_by_family(
        joint, from_end, family, ci_prob=level, n_draws=_N_DRAWS, key=key
    )
    return np.where(
        open_ended(joint.estimates, working, level), 1.0, tested.p_single_step
    )
