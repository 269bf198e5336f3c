"""Sample size and power: for an interval, a verdict or a test."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.checks import is_real, is_whole
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.request import as_ci_prob
from causalgia.planning.pilot import Pilot, effects_if_outcomes, read_pilot
from causalgia.planning.power_functions import (
    MOST,
    as_level,
    as_positive,
    as_probability,
    detectable,
    least_integer,
    t_power,
    t_quantile,
    verdict_probability,
)
from causalgia.types import Array
from causalgia.verdicts.rare_effects import as_rare

_USUAL = 0.95
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def sample_size(
    pilot: Any = None,
    *,
    sd: float | None = None,
    half_width: float | None = None,
    rope: tuple[float, float] | float | None = None,
    effect: float | None = None,
    assurance: float = 0.8,
    level: float = 0.95,
    ci_prob: float = 0.95,
    rare: float | str | None = "auto",
) -> xr.Dataset:
    """Find the number of units of a new trial for an interval of given half width, a verdict, or a test.

    ``half_width=``: the smallest n with ``t_df se(n) <= half_width``. ``rope=``: the smallest n at which
    `causalgia.decide` gives a verdict on one effect with probability `assurance`, averaged over the uncertainty of the
    pilot unless ``effect=`` is given. ``effect=`` alone: the smallest n at which the two-sided test of no effect has
    power `assurance`.

    Parameters
    ----------
    pilot
        Effects from `contrast`; estimates; a table with effect, se and n_units; or outcomes with a stored analysis,
        which gives the contrasts. With effects of several predictors (dim model) the claim is about retrainings too:
        the new trial has as many, newly trained, and the variance between them is a floor of the half width. Units
        share parents as in the pilot.
    sd
        Instead of a pilot: the sd of the ICE of independent units.
    half_width
        Required half width, on the scale of the effect.
    rope
        Region of practical equivalence on the scale of the contrast; 0: direction alone.
    effect
        A true effect to plan for, on the scale of the contrast: 1 is no effect for ratios.
    assurance
        Required probability of a verdict, or power.
    level
        Of verdicts and tests, above 0.5: their error rate is 1 - level.
    ci_prob
        Probability of the interval of `half_width`.
    rare
        Share of the backgrounds on which an effect must not be missed, as in `causalgia.decide`: no effect is
        negligible with fewer than ``3 / rare`` clusters. ``"auto"`` is .01 for pilots of a predictor, else ``"none"``.

    Returns
    -------
    Dataset
        ``n_units, n_clusters (contrast, task)`` and the ``half_width`` or ``assurance`` that they reach. An exact pilot
        (no spread) needs 2. Without dims for a plain sd.

    Raises
    ------
    EstimateError
        If no number of units reaches the target, the question is not one of the three, or the pilot is incomplete; the
        message names the contrast and the remedy.
    DecisionError
        If `rare` is neither ``"auto"``, ``"none"`` nor between 0 and 1.

    Notes
    -----
    The standard error at n follows from the pilot's variances. Verdicts are increases or decreases by t tests at
    ``(1 - level) / 2`` a side, and negligible by two one-sided tests at ``1 - level``. The uncertainty of the pilot is
    that of the effect and its sd under the reference prior: a t distribution about the pilot's estimate.

    References
    ----------
    O'Hagan, Stevens & Campbell (2005), doi:10.1002/pst.175 (assurance). Schuirmann (1987), doi:10.1007/BF01068419.

    Examples
    --------
    >>> int(sample_size(sd=1.0, half_width=0.25)["n_units"])
    64
    >>> int(sample_size(sd=1.0, effect=0.5)["n_units"])
    34
    >>> int(sample_size(sd=1.0, effect=0.0, rope=(-0.5, 0.5))["n_units"])
    36
    """
    if half_width is None and rope is None and effect is None:
        raise EstimateError("no goal is given: say half_width= (an interval), rope= (a verdict) or effect= (a test)")
    if half_width is not None and not (rope is None and effect is None):
        other = "effect= (a test)" if rope is None else "rope= (a verdict)"
        raise EstimateError(f"half_width= (an interval) and {other} are two goals; give one of them")
    level, ci_prob, wanted = as_level(level), as_ci_prob(ci_prob), as_probability(assurance, "assurance")
    if half_width is not None and level != _USUAL:
        raise EstimateError(
            f"level={level:g} is of verdicts and tests; an interval's half_width= takes ci_prob={level:g}"
        )
    if half_width is None and ci_prob != _USUAL:
        raise EstimateError(f"ci_prob={ci_prob:g} is of the interval of half_width=; verdicts and tests take level=")
    plan = read_pilot(pilot, sd)
    if half_width is not None:
        return _units_for_half_width(plan, as_positive(half_width, "half_width"), ci_prob)
    at, region, least = _as_effect(plan, effect), _as_region(plan, rope), _least_clusters(pilot, rare)
    attrs = {"level": level, "question": _describe_question(effect, rope, plan)}
    clusters = least_integer(
        lambda g: _verdict_chance(plan, g, at, region, level, least) >= wanted, np.full(plan.per_cluster.shape, 2.0)
    )
    _check_reached(plan, clusters, at, region, wanted)
    return _units_dataset(
        plan, clusters, {"assurance": _verdict_chance(plan, clusters, at, region, level, least)}, attrs
    )


def power(
    pilot: Any = None,
    *,
    n_units: int,
    sd: float | None = None,
    effect: float | None = None,
    rope: tuple[float, float] | float | None = None,
    level: float = 0.95,
    ci_prob: float = 0.95,
    rare: float | str | None = "auto",
) -> xr.Dataset:
    """Return the probability that a new trial of `n_units` reaches a verdict (`rope`), or rejects no effect.

    Without ``effect=`` the probability is averaged over the uncertainty of the pilot (assurance), as in `sample_size`;
    power at the pilot's estimate would be inflated for a contrast that was selected for its size.

    Parameters
    ----------
    pilot, sd, effect, rope, level, rare
        As in `sample_size`.
    n_units
        Units of the new trial.
    ci_prob
        Probability of the interval whose half width is returned.

    Returns
    -------
    Dataset
        ``power, se, half_width (contrast, task)``.

    Raises
    ------
    EstimateError
        If the pilot is incomplete, or there are fewer than two units (or clusters).

    Examples
    --------
    >>> power(sd=1.0, n_units=20, effect=0.5)["power"].round(6).item()
    0.564504
    """
    level, ci_prob = as_level(level), as_ci_prob(ci_prob)
    plan = read_pilot(pilot, sd)
    at, region = _as_effect(plan, effect), _as_region(plan, rope)
    attrs = {"level": level, "ci_prob": ci_prob, "question": _describe_question(effect, rope, plan)}
    clusters = _as_clusters(plan, n_units)
    se, df = plan.error(clusters)
    chance = _verdict_chance(plan, clusters, at, region, level, _least_clusters(pilot, rare))
    half = t_quantile(df, 0.5 + ci_prob / 2) * se
    columns = {"power": chance, "se": plan.size_of(se), "half_width": plan.size_of(half)}
    return plan.dataset(columns, attrs | {"n_units": int(n_units)})


def minimal_detectable_effect(
    pilot: Any = None, *, n_units: int, sd: float | None = None, power: float = 0.8, level: float = 0.95
) -> xr.Dataset:
    """Return the smallest effect that the two-sided test detects with the given power in a trial of `n_units`.

    Parameters
    ----------
    pilot, sd, level
        As in `sample_size`.
    n_units
        Units of the new trial.
    power
        Required power.

    Returns
    -------
    Dataset
        ``minimal_detectable_effect, se (contrast, task)``; 0 for an exact pilot. It is the distance from no effect,
        attrs["null_value"]; for a ratio of means the excess over 1 of the ratio or of its inverse.

    Raises
    ------
    EstimateError
        If the pilot is incomplete, or there are fewer than two units (or clusters).

    Examples
    --------
    >>> minimal_detectable_effect(sd=1.0, n_units=20)["minimal_detectable_effect"].round(6).item()
    0.660442
    """
    level, power = as_level(level), as_probability(power, "power")
    plan = read_pilot(pilot, sd)
    se, df = plan.error(_as_clusters(plan, n_units))
    least = detectable(se, df, power=power, level=level)
    least = least if plan.ratio is None else np.expm1(least)
    columns = {"minimal_detectable_effect": least, "se": plan.size_of(se)}
    return plan.dataset(columns, {"level": level, "power": power, "n_units": int(n_units)})


def as_rope(rope: Any) -> tuple[float, float]:
    """Return the ends of a region of practical equivalence; 0 is the point of no effect.

    Examples
    --------
    >>> as_rope(0), as_rope((-0.1, 0.2))
    ((0.0, 0.0), (-0.1, 0.2))
    """
    if is_real(rope) and rope == 0:
        return 0.0, 0.0
    try:
        low, high = (float(end) for end in rope)
    except (TypeError, ValueError) as error:
        raise EstimateError(f"rope={quoted(rope)}: give (lower, upper), for example (-0.1, 0.1), or 0") from error
    if not -np.inf < low < high < np.inf:
        raise EstimateError(
            f"rope={quoted(rope)}: the lower end is not below the upper one; rope=0 asks for a direction"
        )
    return low, high


def _units_for_half_width(plan: Pilot, half_width: float, ci_prob: float) -> xr.Dataset:
    def reached(clusters: Array) -> Array:
        se, df = plan.error(clusters)
        return plan.size_of(np.asarray(t_quantile(df, 0.5 + ci_prob / 2) * se))

    start = np.full(plan.per_cluster.shape, 2.0)
    ratio = 1.05 if (plan.floor > 0).any() else 2.0
    clusters = least_integer(lambda g: reached(g) <= half_width, start, ratio=ratio)
    if np.isinf(clusters).any():
        never = np.isinf(clusters)
        if not (plan.floor > 0)[never].all():
            never &= plan.floor == 0
            raise EstimateError(
                f"{plan.name(never)}: a half width of {half_width:g} needs more than {MOST:.0g} clusters; ask for a "
                "wider one, on the scale of the effect"
            )
        floor = plan.size_of(np.sqrt(plan.floor))[never][0] * float(t_quantile(plan.floor_df, 0.5 + ci_prob / 2))
        raise EstimateError(
            f"{plan.name(never)}: no number of units reaches a half width of {half_width:g}, because "
            f"{plan.floor_df + 1:g} predictors alone leave {floor:.3g}; train more predictors "
            "(cg.planning.cheapest_split says how many), or claim less by picking one of the dim 'model'"
        )
    return _units_dataset(
        plan, clusters, {"half_width": reached(clusters)}, {"ci_prob": ci_prob, "question": "half width"}
    )


def _as_clusters(plan: Pilot, n_units: int) -> Array:
    whole = is_whole(n_units)
    if not whole or (n_units < 2 * plan.size).any():
        least = int(np.ceil(2 * plan.size.max()))
        raise EstimateError(
            f"n_units={quoted(n_units)}: give an integer of at least {least} (two clusters as in the pilot)"
        )
    return np.asarray(n_units / plan.size)


def _units_dataset(plan: Pilot, clusters: Array, reached: dict[str, Array], attrs: dict[str, Any]) -> xr.Dataset:
    units = np.ceil(clusters * plan.size - 1e-9).astype(np.int64)
    return plan.dataset({"n_units": units, "n_clusters": clusters.astype(np.int64)} | reached, attrs)


def _verdict_chance(
    plan: Pilot, clusters: Array, effect: float | None, rope: tuple[float, float] | None, level: float, least: float
) -> Array:
    """Return the probability of a verdict (without a rope, of rejection); negligible needs `least` clusters."""
    se, df = plan.error(clusters)
    enough = clusters >= least
    if effect is not None:
        if rope is None:
            return t_power(effect, se, df, level=level)
        return verdict_probability(effect, se, se, df, rope=rope, level=level, negligible=enough)
    assert plan.ace is not None  # _read_effect
    assert plan.se is not None
    assert plan.df is not None
    # sd / (the pilot's sd) given the pilot is sqrt(df / chi2_df): its quadrature nodes and weights
    finite, axes = np.where(np.isfinite(plan.df), plan.df, 1e9), (-1, *[1] * plan.df.ndim)
    scale, weight = np.sqrt(finite / special.chdtri(finite, ((_NODES + 1) / 2).reshape(axes))), _WEIGHTS / 2
    spread = np.sqrt(plan.se**2 + se**2) * scale
    ends = (0.0, 0.0) if rope is None else rope
    chance = verdict_probability(plan.ace, spread, se * scale, df, rope=ends, level=level, negligible=enough)
    return np.asarray((weight.reshape(axes) * chance).sum(axis=0))


def _least_clusters(pilot: Any, rare: float | str | None) -> float:
    """Return the smallest number of clusters with which an effect may be called negligible."""
    share = as_rare(rare, effects_if_outcomes(pilot) if isinstance(pilot, xr.Dataset) else xr.Dataset())
    return 0.0 if share is None else 3 / share - 1e-9


def _as_region(plan: Pilot, rope: Any) -> tuple[float, float] | None:
    """Return the region on the pilot's scale; 0 is no effect."""
    if rope is None:
        return None
    low, high = as_rope(rope)
    return (
        (0.0, 0.0) if low == high else (plan.put(low, f"rope={quoted(rope)}"), plan.put(high, f"rope={quoted(rope)}"))
    )


def _as_effect(plan: Pilot, effect: float | None) -> float | None:
    """Return an effect on the pilot's scale."""
    if effect is None and plan.ace is None:
        raise EstimateError(
            "sd= does not tell the size of the effect; give effect= (the true effect to plan for) beside sd=, or a "
            "pilot instead"
        )
    if effect is not None and not (isinstance(effect, int | float | np.number) and np.isfinite(effect)):
        raise EstimateError(f"effect={quoted(effect)} is not a finite number")
    return None if effect is None else plan.put(float(effect), f"effect={quoted(effect)}")


def _check_reached(
    plan: Pilot, clusters: Array, effect: float | None, rope: tuple[float, float] | None, assurance: float
) -> None:
    if not np.isinf(clusters).any():
        return
    where = plan.name(np.isinf(clusters))
    if (plan.floor > 0)[np.isinf(clusters)].any():
        cure = "the predictors' own variance leaves it open; train more predictors"
    elif rope is None or rope[0] == rope[1]:
        cure = f"the effect is {plan.null:g} (or too near it), which is no effect; plan for another effect="
    elif effect is not None or plan.se is None or (plan.se == 0).any():
        ends = tuple(float(f"{plan.back(end):g}") for end in rope)
        cure = f"the effect lies on (or too near) an end of the region {ends}; move the region or the effect"
    else:
        cure = "ask less assurance"
    raise EstimateError(f"{where}: no number of units gives assurance {assurance:g}: {cure}")


def _describe_question(effect: float | None, rope: Any, plan: Pilot) -> str:
    low, high = (0.0, 0.0) if rope is None else as_rope(rope)
    low, high = (plan.null, plan.null) if low == high else (low, high)
    what = "test of no effect" if rope is None else f"verdict about ({low:g}, {high:g})"
    return f"{what}, " + ("averaged over the pilot's uncertainty" if effect is None else f"at an effect of {effect:g}")
