"""Sample size and power, for an interval, a verdict or a test; and the pilot data that
they use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.analysis import analysis_in_attrs
from causalgia.attributes import about, attributes, has
from causalgia.checks import as_ci_prob, as_probability, is_real, is_whole
from causalgia.effect_table import has_gaps, rows_measured
from causalgia.effects import contrast
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.crossover import crossed_variances
from causalgia.estimation.crossover_estimates import ice_without_rounding, is_placebo
from causalgia.estimation.ratios import working_scale_of
from causalgia.estimation.request import parents_if_shared
from causalgia.multiplicity.families import row_families
from causalgia.multiplicity.regions import Region, rope_region
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import NORMAL, satterthwaite, t_quantile
from causalgia.planning.power_functions import (
    MOST,
    as_positive,
    as_variance,
    detectable,
    least_integer,
    verdict_chances,
)
from causalgia.ropes import Rope, RopeLike
from causalgia.schema import check_no_positions, validate
from causalgia.types import Array, EstimateTable

_USUAL_ASSURANCE = 0.8
#: backgrounds that miss effects on 1 % of all with a probability of .05
_LEAST_DRAWN = 300
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


@usual_errors
def sample_size(
    pilot: EstimateTable | None = None,
    *,
    sd: float | None = None,
    half_width: float | None = None,
    rope: RopeLike | None = None,
    true_effect: float | None = None,
    assurance: float = 0.8,
    ci_prob: float = 0.95,
    n_contrasts: int | None = None,
) -> xr.Dataset:
    """Find the number of units of a new trial for an interval of given half width, a
    verdict, or a test.

    ``half_width=``: the smallest n with ``t_df se(n) <= half_width``. ``rope=``: that
    at which `causalgia.decide` gives a verdict on one effect with probability
    `assurance`, averaged over the uncertainty of the pilot unless ``true_effect=`` is
    given. ``true_effect=`` alone: that at which the two-sided test of no effect has
    this power.

    Parameters
    ----------
    pilot
        Effects from `contrast`; estimates; a table with effect, se and n_units; or
        outcomes with a stored analysis, which gives the contrasts. With effects of
        several predictors (dim model) the claim is about retrainings too: the new trial
        has as many, newly trained, and the variance between them is a floor of the half
        width. Units share parents as in the pilot.
    sd
        Instead of a pilot: the sd of the ICE of independent units.
    half_width
        Required half width, on the scale of the effect.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. That from placebos of the pilot is taken as fixed.
    true_effect
        A true effect to plan for, on the scale of the contrast: 1 is no effect for
        ratios.
    assurance
        Required probability of a verdict, or power; not for `half_width`.
    ci_prob
        Probability of the intervals. Verdicts and tests have the error rate ``1 -
        ci_prob``.
    n_contrasts
        Rows (contrasts times tasks) among which ``q`` of a verdict is taken. The plan
        is for the verdict that is the only one of its kind among them, which needs
        ``p <= (1 - ci_prob) / n_contrasts``; where others have verdicts, it is more
        likely than planned. None: those of the pilot's question, without placebos; of
        `sd` one.

    Returns
    -------
    Dataset
        ``n_units, n_clusters (contrast, task)`` and the ``half_width`` or ``assurance``
        that they reach; for a verdict also ``rope_lower, rope_upper`` and ``n_rows``,
        among which its q is taken. Without dims for a plain sd.

    Raises
    ------
    EstimateError
        If no number of units reaches the target, the question is not one of the three,
        or the pilot is incomplete; the message names the contrast and the remedy.
    EstimateError
        If `rope` is not a region, or one that needs data which the pilot lacks (the sd
        of the control arm, tasks, placebos).

    Notes
    -----
    The standard error at n follows from the pilot's variances. A verdict is planned by
    the rule of `causalgia.decide`: the interval at `ci_prob` lies beyond the region, or
    inside, and q among `n_contrasts` rows is at most ``1 - ci_prob`` although all of
    them are open to its kind and no other is named; individual effects are taken as
    normal. Where they are skewed, or outcomes are 0 or 1, intervals are wider and
    verdicts fewer. The test of ``true_effect=`` alone is the classical t test, of one
    row. The uncertainty of the pilot is that of the effect and its sd under the
    reference prior: a t distribution about the pilot's estimate. Where all units of the
    pilot answer alike, those of the new trial are taken to do so, too.

    A verdict on a predictor whose backgrounds can be drawn is planned with 300 units
    (or parents) at least: fewer miss an effect on 1 % of the backgrounds altogether
    with a probability above .05, and the pilot cannot show how large that is.

    References
    ----------
    O'Hagan, Stevens & Campbell (2005), doi:10.1002/pst.175 (assurance). Schuirmann
    (1987), doi:10.1007/BF01068419.

    Examples
    --------
    >>> int(sample_size(sd=1.0, half_width=0.25)["n_units"])
    64
    >>> int(sample_size(sd=1.0, true_effect=0.5)["n_units"])
    34
    >>> int(sample_size(sd=1.0, true_effect=0.0, rope=(-0.5, 0.5))["n_units"])
    45
    """
    if half_width is None and rope is None and true_effect is None:
        raise EstimateError(
            "no goal is given: one of half_width=, rope= and true_effect= is needed"
        )
    wanted = as_probability(assurance, "assurance")
    if half_width is not None:
        if not (rope is None and true_effect is None):
            raise EstimateError("half_width= beside rope= or true_effect=: two goals")
        if wanted != _USUAL_ASSURANCE or n_contrasts is not None:
            raise EstimateError(
                "assurance= and n_contrasts= are of verdicts and tests; half_width= "
                "asks for none of them"
            )
        return _units_for_half_width(
            read_pilot(pilot, sd),
            as_positive(half_width, "half_width"),
            as_ci_prob(ci_prob),
        )
    plan = read_pilot(pilot, sd)
    goal = _as_goal(plan, true_effect, rope, ci_prob, n_contrasts)
    least = _LEAST_DRAWN if goal.region and plan.of_drawn else 2
    clusters = least_integer(
        lambda g: _verdict_chance(plan, g, goal) >= wanted,
        np.full(plan.per_cluster.shape, float(least)),
    )
    _check_reached(plan, clusters, goal, wanted)
    chance = _verdict_chance(plan, clusters, goal)
    attrs = goal.attrs() | ({"least_clusters": least} if least > 2 else {})
    columns = {"assurance": chance} | goal.columns()
    return _units_dataset(plan, clusters, columns, attrs)


@usual_errors
def power(
    pilot: EstimateTable | None = None,
    *,
    n_units: int,
    sd: float | None = None,
    true_effect: float | None = None,
    rope: RopeLike | None = None,
    ci_prob: float = 0.95,
    n_contrasts: int | None = None,
) -> xr.Dataset:
    """Return the probability that a new trial of `n_units` reaches a verdict (`rope`),
    or rejects no effect.

    Without ``true_effect=`` the probability is averaged over the uncertainty of the
    pilot (assurance), as in `sample_size`; power at the pilot's estimate would be
    inflated for a contrast that was selected for its size.

    Parameters
    ----------
    pilot, sd, true_effect, n_contrasts
        As in `sample_size`.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.
    ci_prob
        Probability of the intervals.
    n_units
        Units of the new trial.

    Returns
    -------
    Dataset
        ``power, se, half_width (contrast, task)``; for a verdict also ``rope_lower,
        rope_upper`` and ``n_rows``, as in `sample_size`.

    Raises
    ------
    EstimateError
        If the pilot is incomplete, or there are fewer than two units (or clusters).
    EstimateError
        As `sample_size`.

    Examples
    --------
    >>> power(sd=1.0, n_units=20, true_effect=0.5)["power"].round(6).item()
    0.564504
    """
    plan = read_pilot(pilot, sd)
    goal = _as_goal(plan, true_effect, rope, ci_prob, n_contrasts)
    clusters = _as_clusters(plan, n_units)
    columns = {
        "power": _verdict_chance(plan, clusters, goal),
        "se": plan.size_of(plan.error(clusters)[0]),
        "half_width": plan.half_width(clusters, goal.ci_prob),
    }
    attrs = goal.attrs() | {"n_units": int(n_units)}
    return plan.dataset(columns | goal.columns(), attrs)


@usual_errors
def minimal_detectable_effect(
    pilot: EstimateTable | None = None,
    *,
    n_units: int,
    sd: float | None = None,
    power: float = 0.8,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Return the smallest effect that the two-sided test detects with the given power
    in a trial of `n_units`.

    Parameters
    ----------
    pilot, sd
        As in `sample_size`.
    ci_prob
        Probability of the intervals.
    n_units
        Units of the new trial.
    power
        Required power.

    Returns
    -------
    Dataset
        ``minimal_detectable_effect, se (contrast, task)``. It is the distance from no
        effect, attrs["null_value"]; for a ratio of means the excess over 1 of the ratio
        or of its inverse.

    Raises
    ------
    EstimateError
        If the pilot is incomplete, or there are fewer than two units (or clusters).

    Examples
    --------
    >>> minimal_detectable_effect(sd=1.0, n_units=20)[
    ...     "minimal_detectable_effect"
    ... ].round(6).item()
    0.660442
    """
    ci_prob, power = as_ci_prob(ci_prob), as_probability(power, "power")
    plan = read_pilot(pilot, sd)
    clusters = _as_clusters(plan, n_units)
    se, df = plan.error(clusters)
    least = detectable(se, df, power=power, ci_prob=ci_prob)
    least = least if plan.ratio is None else np.expm1(least)
    columns = {"minimal_detectable_effect": least, "se": plan.size_of(se)}
    return plan.dataset(
        columns,
        attributes(
            ci_prob=ci_prob, goal="smallest effect", power=power, n_units=int(n_units)
        ),
    )


@dataclass(frozen=True)
class Goal:
    """A verdict, or a test of no effect, to plan for.

    Attributes
    ----------
    at
        True effect on the scale of the pilot; None: averaged over its uncertainty.
    true_effect
        The same on the scale of the contrast.
    lower, upper
        Ends of the region on the scale of the contrast, of the shape of the pilot;
        without a rope both are no effect.
    region
        The region; None of a test.
    ci_prob
        Probability of the intervals.
    n_rows
        Rows among which the q of each effect is taken, of the shape of the pilot.
    """

    at: float | None
    true_effect: float | None
    lower: Array
    upper: Array
    region: Region | None
    ci_prob: float
    n_rows: Array

    def attrs(self) -> dict[str, Any]:
        """Return the attrs of a plan: what is asked, and at which true effect."""
        known = {} if self.true_effect is None else {"true_effect": self.true_effect}
        return attributes(
            ci_prob=self.ci_prob,
            n_contrasts=int(self.n_rows.max()),
            goal="effect" if self.region is None else "verdict",
            **known,
        ) | ({} if self.region is None else self.region.attributes())

    def columns(self) -> dict[str, Any]:
        """Return the region of each row, and among how many rows its q is taken."""
        if self.region is None:
            return {}
        rows = self.n_rows.astype(np.int64)
        return {"rope_lower": self.lower, "rope_upper": self.upper, "n_rows": rows}


def _units_for_half_width(plan: Pilot, half_width: float, ci_prob: float) -> xr.Dataset:
    def reached(clusters: Array) -> Array:
        return plan.half_width(clusters, ci_prob)

    start = np.full(plan.per_cluster.shape, 2.0)
    ratio = 1.05 if (plan.floor > 0).any() else 2.0
    clusters = least_integer(lambda g: reached(g) <= half_width, start, ratio=ratio)
    if np.isinf(clusters).any():
        never = np.isinf(clusters)
        if not (plan.floor > 0)[never].all():
            never &= plan.floor == 0
            raise EstimateError(
                f"{plan.name(never)}: a half width of {half_width:g} needs more than "
                f"{MOST:.0g} clusters"
            )
        floor = plan.size_of(np.sqrt(plan.floor))[never][0] * float(
            t_quantile(plan.floor_df, 0.5 + ci_prob / 2)
        )
        raise EstimateError(
            f"{plan.name(never)}: no number of units reaches a half width of "
            f"{half_width:g}, because {plan.floor_df + 1:g} predictors alone leave "
            f"{floor:.3g}"
        )
    return _units_dataset(
        plan,
        clusters,
        {"half_width": reached(clusters)},
        attributes(ci_prob=ci_prob, goal="half width"),
    )


def _as_clusters(plan: Pilot, n_units: int) -> Array:
    whole = is_whole(n_units)
    if not whole or (n_units < 2 * plan.size).any():
        least = int(np.ceil(2 * plan.size.max()))
        raise EstimateError(
            f"n_units={quoted(n_units)}: give an integer of at least {least} (two "
            "clusters as in the pilot)",
            argument="n_units",
        )
    return np.asarray(n_units / plan.size)


def _units_dataset(
    plan: Pilot, clusters: Array, reached: dict[str, Array], attrs: dict[str, Any]
) -> xr.Dataset:
    units = np.ceil(clusters * plan.size - 1e-9).astype(np.int64)
    return plan.dataset(
        {"n_units": units, "n_clusters": clusters.astype(np.int64)} | reached, attrs
    )


def _verdict_chance(plan: Pilot, clusters: Array, goal: Goal) -> Array:
    """Return the probability of a verdict (without a rope, of rejection)."""
    se, df = plan.error(clusters)
    ends = (plan.put(goal.lower), plan.put(goal.upper))
    # a test is the classical one; intervals of means alone are unions with Hall's
    n = clusters if goal.region and plan.of_units else np.full_like(clusters, np.inf)
    how: dict[str, Any] = {"ci_prob": goal.ci_prob, "n_rows": goal.n_rows, "n": n}
    if goal.at is not None:
        return np.asarray(verdict_chances(goal.at, se, se, df, ends, **how))
    assert plan.ace is not None  # _as_effect
    assert plan.se is not None
    assert plan.df is not None
    # sd / (the pilot's sd) given the pilot is sqrt(df / chi2_df): its quadrature nodes
    # and weights
    finite, axes = (
        np.where(np.isfinite(plan.df), plan.df, 1e9),
        (-1, *[1] * plan.df.ndim),
    )
    scale, weight = (
        np.sqrt(finite / special.chdtri(finite, ((_NODES + 1) / 2).reshape(axes))),
        _WEIGHTS / 2,
    )
    spread = np.sqrt(plan.se**2 + se**2) * scale
    chance = verdict_chances(plan.ace, spread, se * scale, df, ends, **how)
    return np.asarray((weight.reshape(axes) * chance).sum(axis=0))


def _as_goal(
    plan: Pilot,
    true_effect: float | None,
    rope: Any,
    ci_prob: float,
    n_contrasts: int | None,
) -> Goal:
    """Return a verdict or a test as it is planned."""
    ci_prob = as_ci_prob(ci_prob)
    at = _as_effect(plan, true_effect)
    if n_contrasts is not None and (not is_whole(n_contrasts) or n_contrasts < 1):
        raise EstimateError(
            f"n_contrasts={quoted(n_contrasts)} is not a number of rows, 1 or more"
        )
    if n_contrasts is not None and rope is None:
        raise EstimateError("n_contrasts= is of the q of verdicts, and needs rope=")
    shape = plan.per_cluster.shape
    lower = upper = np.full(shape, plan.null)
    region, n_rows = None, np.ones(shape)
    if rope is not None:
        region = _as_region(plan, rope)
        lower, upper = region.lower, region.upper
        n_rows = plan.n_rows if n_contrasts is None else n_rows * n_contrasts
    stated = None if at is None else float(true_effect)  # type: ignore[arg-type]
    return Goal(at, stated, lower, upper, region, ci_prob, n_rows)


def _as_region(plan: Pilot, rope: Any) -> Region:
    """Return the region of each effect, on the contrast's scale."""
    parsed = Rope.parse(rope, plan.null)
    if plan.source is None and parsed.kind not in ("numbers", "direction"):
        raise EstimateError(
            f"rope={quoted(rope)} needs a pilot, which sd= is not: the sd of its "
            "control arm, its tasks or its placebos; or give two numbers, rope=(-0.1, "
            "0.1)",
            argument="rope",
        )
    effects = plan.source
    if effects is None:
        effects = xr.Dataset({"ace": (("contrast", "task"), np.zeros((1, 1)))})
    found = rope_region(parsed, effects, plan.null)
    lower, upper = (
        np.asarray(end, dtype=np.float64).reshape(plan.per_cluster.shape)
        for end in (found.lower, found.upper)
    )
    if plan.ratio is not None and not (lower > 0).all():
        raise EstimateError(
            f"rope={quoted(rope)}: {float(lower.min()):g} is not a ratio of means, "
            "which is above 0; no effect is 1",
            argument="rope",
        )
    return replace(found, lower=lower, upper=upper)


def _as_effect(plan: Pilot, true_effect: float | None) -> float | None:
    """Return an effect on the pilot's scale."""
    if true_effect is None and plan.ace is None:
        raise EstimateError(
            "sd= does not tell the size of the effect: true_effect= is missing"
        )
    if true_effect is None:
        return None
    if not is_real(true_effect) or not np.isfinite(float(true_effect)):
        raise EstimateError(f"true_effect={quoted(true_effect)} is not a finite number")
    if plan.ratio is not None and true_effect <= 0:
        raise EstimateError(
            f"true_effect={quoted(true_effect)}: {true_effect:g} is not a ratio of "
            "means, which is above 0; no effect is 1"
        )
    return float(plan.put(np.asarray(true_effect, dtype=np.float64)))


def _check_reached(plan: Pilot, clusters: Array, goal: Goal, assurance: float) -> None:
    never = np.isinf(clusters)
    if not never.any():
        return
    lower, upper = (float(end[never][0]) for end in (goal.lower, goal.upper))
    raise EstimateError(
        f"{plan.name(never)}: no number of units gives assurance {assurance:g} of a "
        f"verdict on the region ({lower:g}, {upper:g})"
    )


@dataclass(frozen=True)
class Pilot:
    """A pilot for planning: ``se^2 = floor + per_cluster / G`` with G clusters (units,
    or parents with several).

    No effect is 0: a ratio of means is planned on its logarithm, as it will be tested.

    Attributes
    ----------
    table
        Coordinates of the contrasts and tasks; all arrays have the shape ``(...)`` of
        `per_cluster`.
    dims
        Names of its dims.
    ace, se, df
        Estimate of the pilot; None for a plain sd.
    per_cluster
        Squared standard error of the pilot times its clusters, without the floor.
    floor, floor_df
        Squared standard error that more units do not reduce (predictors), with its
        degrees of freedom.
    df_per_cluster
        Degrees of freedom for each cluster beyond the first.
    size
        Units in a cluster.
    target
        Target of the claim.
    null
        Value of no effect on the contrast's scale.
    ratio
        The pilot's ratio of means; None on other scales.
    source
        Its estimates; None of a plain sd.
    """

    table: xr.Dataset
    dims: tuple[str, ...]
    ace: Array | None
    se: Array | None
    df: Array | None
    per_cluster: Array
    floor: Array
    floor_df: float
    df_per_cluster: Array
    size: Array
    target: str
    null: float = 0.0
    ratio: Array | None = None
    source: xr.Dataset | None = None

    def put(self, value: Array) -> Array:
        """Transform effects from the contrast's scale to that of the pilot, on which no
        effect is 0.
        """
        return np.asarray(value - self.null if self.ratio is None else np.log(value))

    @property
    def n_rows(self) -> Array:
        """Rows among which the q of each effect is taken; 1 of placebos, which are not
        counted.
        """
        n = np.ones(self.per_cluster.shape)
        if self.source is not None:
            for members in row_families(self.source, None)[0]:
                n.flat[members] = len(members)
            n[is_placebo(self.source)] = 1
        return n

    @property
    def of_drawn(self) -> bool:
        """Whether it is of a predictor, over backgrounds of which more can be drawn."""
        attrs = {} if self.source is None else self.source.attrs
        kind = about(attrs, "").null_kind
        predicted = has(attrs).predictor_fingerprint and not about(attrs, "").effect_on
        return bool(predicted and kind and kind != "genomic")

    @property
    def of_units(self) -> bool:
        """Whether trials like the pilot have the skewness of their units."""
        if self.source is None:
            return True
        return "skewness" in self.source and not (self.floor > 0).any()

    def half_width(self, clusters: Array, ci_prob: float) -> Array:
        """Return the half width of intervals of a trial with a number of clusters, on
        the contrast's scale.
        """
        se, df = self.error(clusters)
        return self.size_of(np.asarray(t_quantile(df, 0.5 + ci_prob / 2) * se))

    def size_of(self, spread: Array) -> Array:
        """Return standard errors or half widths on the contrast's scale, at the ratio
        of the pilot.
        """
        return spread if self.ratio is None else spread * self.ratio

    def error(self, clusters: Array) -> tuple[Array, Array]:
        """Return the standard error and degrees of freedom of a trial with a number of
        clusters.
        """
        parts = np.stack([self.per_cluster / clusters, self.floor])
        drawn = np.where(
            np.isinf(self.df_per_cluster),
            10 * NORMAL,
            self.df_per_cluster * (clusters - 1),
        )
        df = satterthwaite(parts, np.stack([drawn, np.full_like(drawn, self.floor_df)]))
        return np.sqrt(parts.sum(axis=0)), np.where(self.floor > 0, df, drawn)

    def dataset(self, columns: dict[str, Any], attrs: dict[str, Any]) -> xr.Dataset:
        """Return a Dataset of results on the pilot's contrasts and tasks."""
        data = {
            name: (self.dims, np.broadcast_to(values, self.per_cluster.shape))
            for name, values in columns.items()
        }
        return xr.Dataset(
            data, self.table.coords, attrs | attributes(target=self.target)
        )

    def name(self, where: npt.NDArray[Any]) -> str:
        """Return the name of the first cell of a mask."""
        at = np.argwhere(where)[0]
        labels = (
            self.table[d].to_numpy()[i] if d in self.table.coords else i
            for d, i in zip(self.dims, at, strict=True)
        )
        return (
            ", ".join(
                f"{dim} {label!s}" for dim, label in zip(self.dims, labels, strict=True)
            )
            or "the effect"
        )


def read_pilot(pilot: Any, sd: float | None) -> Pilot:
    """Make a `Pilot` from outcomes, effects, estimates, a table with effect, se and
    n_units, or an sd of the ICE.

    Examples
    --------
    >>> read_pilot(None, 2.0).per_cluster
    array(4.)
    """
    if pilot is None and sd is None:
        raise EstimateError("neither a pilot nor sd= is given")
    if pilot is not None and sd is not None:
        raise EstimateError(
            "a pilot and sd= are given, and the pilot has an sd of its own"
        )
    if sd is not None:
        one, variance = np.ones(()), np.asarray(as_variance(sd, "sd"))
        return Pilot(
            xr.Dataset(),
            (),
            None,
            None,
            None,
            variance,
            0 * one,
            1.0,
            one,
            one,
            "population",
        )
    pilot = effects_if_outcomes(pilot)
    if isinstance(pilot, xr.Dataset):
        check_no_positions(pilot, "the pilot")
    if isinstance(pilot, xr.Dataset) and (
        "ice" in pilot or "assigned" in pilot.variables or has_gaps(pilot)
    ):
        several = "ice" in pilot and pilot["ice"].sizes.get("model", 1) > 1
        return (
            _about_no_effect(_pilot_over_predictors(pilot), pilot)
            if several
            else _pilot_of_estimates(estimate(pilot))
        )
    return _pilot_of_estimates(_with_units(pilot))


def effects_if_outcomes(pilot: Any) -> Any:
    """Return a pilot, with outcomes replaced by their effects under the stored
    analysis.

    Examples
    --------
    >>> effects_if_outcomes(
    ...     xr.Dataset({"outcome": (("unit", "arm", "task"), np.zeros((2, 2, 1)))})
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the pilot is outcomes, and keeps no analysis that says what is contrasted
    """
    if (
        not isinstance(pilot, xr.Dataset)
        or "outcome" not in pilot
        or "contrast" in pilot.dims
    ):
        return pilot
    analysis = analysis_in_attrs(pilot.attrs)
    if (
        analysis.control is None
        and analysis.contrasts is None
        and analysis.interaction is None
    ):
        raise EstimateError(
            "the pilot is outcomes, and keeps no analysis that says what is contrasted"
        )
    return contrast(pilot, **analysis.contrasting)


def _about_no_effect(pilot: Pilot, source: xr.Dataset) -> Pilot:
    """Transform a pilot so that no effect is 0: minus attrs["null_value"], or the
    logarithm of a ratio of means.
    """
    null, ratio = float(about(source, 0.0).null_value), pilot.ace
    assert ratio is not None
    assert pilot.se is not None
    if about(source, None).transform != "ratio":
        return replace(pilot, ace=ratio - null, null=null)
    on_log = replace(
        pilot, ace=np.log(ratio), se=pilot.se / ratio, null=null, ratio=ratio
    )
    return replace(
        on_log, per_cluster=pilot.per_cluster / ratio**2, floor=pilot.floor / ratio**2
    )


def _with_units(pilot: Any) -> xr.Dataset:
    if isinstance(pilot, xr.Dataset) and "ace" in pilot and "n_units" in pilot:
        pilot = pilot.assign(
            n_units=pilot["n_units"]
            .broadcast_like(pilot["ace"])
            .transpose(*pilot["ace"].dims)
        )
    estimates = as_estimates(pilot)
    if "n_units" in estimates:
        return estimates
    units = (
        pilot["n_units"]
        if isinstance(pilot, pd.DataFrame | xr.Dataset) and "n_units" in pilot
        else None
    )
    if units is None:
        raise EstimateError(
            "the pilot does not say how many units its standard errors rest on"
        )
    counts = np.broadcast_to(
        np.asarray(units, dtype=np.int64).reshape(-1, 1), estimates["ace"].shape
    )
    return estimates.assign(n_units=(estimates["ace"].dims, counts))


def _pilot_of_estimates(estimates: xr.Dataset) -> Pilot:
    target = about(estimates, "population").target
    if target != "population":
        raise EstimateError(
            f"a pilot for target={quoted(target)} does not show the gain from more "
            "units"
        )
    if "se" not in estimates:
        raise EstimateError("the pilot has no standard errors, because it has one unit")
    dims = tuple(map(str, estimates["ace"].dims))
    ace, se = (
        np.asarray(estimates[name].to_numpy(), dtype=np.float64)
        for name in ("ace", "se")
    )
    units = np.broadcast_to(estimates["n_units"].to_numpy(), ace.shape).astype(
        np.float64
    )
    clusters = (
        estimates["n_clusters"].to_numpy().astype(np.float64)
        if "n_clusters" in estimates
        else units
    )
    if not (clusters >= 2).all():
        raise EstimateError("the pilot has fewer than two units for some contrast")
    df = estimates["df"].to_numpy() if "df" in estimates else np.full(ace.shape, np.inf)
    table = xr.Dataset(coords={d: estimates[d] for d in dims if d in estimates.coords})
    table = table.assign_coords(is_placebo=("contrast", is_placebo(estimates)))
    zero, share, size = np.zeros(ace.shape), df / (clusters - 1), units / clusters
    pilot = Pilot(
        table, dims, ace, se, df, se**2 * clusters, zero, 1.0, share, size, target
    )
    if not (known := rows_measured(estimates)).all():
        raise EstimateError(
            f"{pilot.name(~known)}: the pilot has no effect in this row"
        )
    unclear = working_scale_of(estimates, ace, se, df, 0.95).unclear
    if unclear.any():
        raise EstimateError(
            f"{pilot.name(unclear)}: a mean that enters the ratio is not clear of 0, "
            "so that nothing can be predicted for a larger trial"
        )
    return replace(_about_no_effect(pilot, estimates), source=estimates)


def _pilot_over_predictors(effects: xr.Dataset) -> Pilot:
    """Return a pilot for claims about retrainings: the variance between predictors is
    the floor.
    """
    effects = validate(effects, "effects")
    m = effects.sizes["model"]
    ice = effects["ice"].copy(data=ice_without_rounding(effects))
    ice = ice.transpose("unit", "model", "contrast", "task")
    n, parents = len(ice), parents_if_shared(effects)
    codes = None if parents is None else parents.codes
    variances = crossed_variances(ice.to_numpy(), codes)[0]
    sizes = np.ones(n) if parents is None else parents.sizes.astype(np.float64)
    clusters = len(sizes)
    if parents is None:
        background, predictor, residual = variances
        own = background + residual / m
    else:
        parent, background, predictor, by_predictor, residual = variances
        own = (background + residual / m) * clusters / n
        own += (parent + by_predictor / m) * clusters * float((sizes**2).sum()) / n**2
    shape = own.shape
    pilot = Pilot(
        table=xr.Dataset(
            coords={d: ice[d] for d in ("contrast", "task") if d in ice.coords}
            | {"is_placebo": ("contrast", is_placebo(effects))}
        ),
        dims=("contrast", "task"),
        ace=ice.to_numpy().mean(axis=(0, 1)),
        se=None,
        df=None,
        per_cluster=own,
        floor=predictor / m,
        floor_df=float(m - 1),
        df_per_cluster=np.ones(shape),
        size=np.full(shape, n / clusters),
        target="population x predictors",
    )
    se, df = pilot.error(np.full(shape, float(clusters)))
    source = pilot.table.assign(ace=(pilot.dims, pilot.ace), se=(pilot.dims, se))
    if "control_sd" in effects:
        sd = effects["control_sd"]
        over = [dim for dim in sd.dims if dim not in pilot.dims]
        source["control_sd"] = np.sqrt((sd**2).mean(over))
    source = source.assign_attrs(effects.attrs)
    return replace(pilot, se=se, df=df, source=source)
