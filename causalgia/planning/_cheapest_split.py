"""The cheapest split of a trial between parents, shuffles of each, and predictors (or placebo words)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from causalgia.arm_weights import weights_of
from causalgia.errors import EstimateError, quoted
from causalgia.estimation import variance_components
from causalgia.estimation.crossover_estimates import LEAST_WORDS, words_as_levels
from causalgia.numerics.moments import satterthwaite
from causalgia.planning.pilot import contrasted
from causalgia.planning.power_functions import MOST, least_integer, require_positive, require_probability, t_quantile
from causalgia.schema import check_dataset
from causalgia.types import Array

_WORDS = "population x words"


def cheapest_split(
    pilot: xr.Dataset,
    *,
    halfwidth: float,
    price_per_prediction: float = 1.0,
    price_per_parent: float = 0.0,
    price_per_predictor: float = 0.0,
    max_parents: int | None = None,
    max_units_per_parent: int | None = None,
    max_predictors: int | None = None,
    target: str | None = None,
    level: float = 0.95,
) -> xr.Dataset:
    """Find the cheapest trial whose interval has a given half width: how many parents, shuffles of each, predictors.

    ``se^2 = s2_parent/P + s2_background/(P m) + s2_predictor/M + s2_parent_by_predictor/(P M) + s2_residual/(P m M)``
    with the pilot's variance components and Satterthwaite's degrees of freedom over the sources; the price is ``P m M *
    arms of the contrast * price_per_prediction + P * price_per_parent + M * price_per_predictor``.
    A prediction costs the same for a new parent as for a new shuffle of an old one, so without a price or a limit of
    parents every unit has a parent of its own.

    Parameters
    ----------
    pilot
        Effects of a crossover from `contrast`; what `variance_components` made of them; or outcomes that keep an
        analysis, which says the contrasts. Several predictors (dim model) mean the claim about retrainings, and how
        many to train is part of the answer. Where the pilot's units share no parents, nothing is known of shuffles of
        one, and every unit is a parent.
    halfwidth
        Half width wanted, on the scale of the effect.
    price_per_prediction
        Price of one unit in one arm on one predictor.
    price_per_parent, price_per_predictor
        Price of one more parent, and of training one more predictor.
    max_parents, max_units_per_parent, max_predictors
        Most of each that can be had; None is no limit. `max_predictors` limits the words where they are drawn.
    target
        ``"population x words"``: the contrasts of placebo words are draws, and how many words to use is part of the
        answer; a unit then costs one prediction for each word and one for the control.
    level
        Probability of the interval.

    Returns
    -------
    Dataset
        ``n_parents, units_per_parent, n_units, n_predictors (or n_words), n_predictions, price, halfwidth (contrast,
        task)``. Exact effects need 2 units. attrs ``at_zero`` and ``caution`` name variances that the pilot puts at 0,
        of which the split takes few draws.

    Raises
    ------
    EstimateError
        If no split reaches the half width within the limits, or the pilot has no individual effects.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., Wiley, section 10.6. Satterthwaite (1946), doi:10.2307/3002019.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ice = np.repeat(rng.normal(size=50), 4) + 2 * rng.normal(size=200)
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice[:, None, None])},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"], "parent": ("unit", np.repeat(np.arange(50), 4))},
    ... )
    >>> split = cheapest_split(effects, halfwidth=0.2, price_per_parent=20)
    >>> split["n_parents"].item(), split["units_per_parent"].item(), split["price"].item()
    (92, 10, 3680.0)
    """
    wanted, level = require_positive(halfwidth, "halfwidth"), require_probability(level, "level")
    pilot = contrasted(pilot)
    components, words = _components(pilot, target)
    prices = Prices(
        prediction=require_positive(price_per_prediction, "price_per_prediction"),
        parent=_price(price_per_parent, "price_per_parent"),
        level=_price(price_per_predictor, "price_per_predictor"),
        arms=1.0 if words else 2.0,
        shared=1.0 if words else 0.0,
        max_parents=_most(max_parents, "max_parents", 2),
        max_units=_most(max_units_per_parent, "max_units_per_parent", 1),
        max_levels=_most(max_predictors, "max_predictors", LEAST_WORDS if words else 2),
    )
    names = set(components["component"].to_numpy().astype(str))
    least = 1 if "predictor" not in names else LEAST_WORDS if words else 2
    shape = components["variance"].shape[1:]
    arms = np.full(shape[0], 1.0) if words else _arms(pilot, shape[0])
    rows = {}
    for where in np.ndindex(shape):
        own = replace(prices, arms=float(arms[where[0]]))
        rows[where] = _row(components, where, own, wanted, least, level)
    return _laid_out(components, rows, {"words": words, "least": least, "level": level, "halfwidth": wanted})


def _components(pilot: Any, target: str | None) -> tuple[xr.Dataset, bool]:
    check_dataset(pilot, "effects")
    if target not in (None, "population", "population x predictors", _WORDS):
        raise EstimateError(
            f"target={quoted(target)}: cheapest_split knows {quoted(_WORDS)}, or None for what the pilot has"
        )
    if "component" in pilot.dims and "variance" in pilot:
        if target == _WORDS:
            raise EstimateError(f"target={quoted(_WORDS)} needs the effects themselves, not their components")
        return pilot, False
    if "ice" not in pilot:
        raise EstimateError("cheapest_split needs individual effects: cg.contrast of a crossover, or its components")
    return variance_components(words_as_levels(pilot) if target == _WORDS else pilot), target == _WORDS


def _price(value: float, name: str) -> float:
    return 0.0 if value == 0 else require_positive(value, name)


def _most(value: int | None, name: str, least: int) -> float:
    if value is None:
        return np.inf
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise EstimateError(f"{name}={quoted(value)}: give an integer of at least {least}, or None for no limit")
    return float(value)


def _arms(pilot: xr.Dataset, n: int) -> Array:
    """Predictions of a unit that each contrast needs: its arms."""
    if "weight" not in pilot:
        return np.full(n, 2.0)
    return np.diff(weights_of(pilot).indptr).astype(np.float64)


def _sources(components: xr.Dataset, where: tuple[int, ...]) -> tuple[Sources, bool]:
    """Variances of one contrast and task, and whether parents are known apart from their shuffles."""
    values = components["variance"].to_numpy().reshape(components.sizes["component"], -1)
    values = values[:, np.ravel_multi_index(where, components["variance"].shape[1:])]
    v = dict(zip(components["component"].to_numpy().astype(str), map(float, values), strict=True))
    shared, crossed = "parent" in v, "predictor" in v
    unknown = set(v) - {"parent", "background", "predictor", "parent_by_predictor", "residual", "background + residual"}
    if unknown:
        raise EstimateError(f"component {quoted(min(unknown))} has no place in a split; give the components of effects")
    own, rest = (v["background"], v["residual"]) if crossed else (v["background + residual"], 0.0)
    level = v.get("predictor", 0.0)
    if not shared:
        return Sources(own, 0.0, level, rest, 0.0), False
    return Sources(v["parent"], own, level, v.get("parent_by_predictor", 0.0), rest), True


def _row(
    components: xr.Dataset, where: tuple[int, ...], prices: Prices, halfwidth: float, least: int, level: float
) -> dict[str, float]:
    sources, shared = _sources(components, where)
    prices = prices if shared else replace(prices, max_units=1.0)
    prices = prices if least > 1 else replace(prices, max_levels=1.0)
    found = cheapest(sources, prices, halfwidth, least_levels=least, level=level)
    if found is None:
        name, cure = _name(components, where), _cure(prices, least)
        raise EstimateError(f"{name}: no split reaches a half width of {halfwidth:g}: {cure}")
    parents, units, levels = (np.array(float(x)) for x in found)
    if prices.predictions(parents, units, float(levels)) >= 2**63:
        raise EstimateError(
            f"{_name(components, where)}: a half width of {halfwidth:g} takes more predictions than can be counted; "
            "ask for a wider one"
        )
    return {
        "n_parents": float(parents),
        "units_per_parent": float(units),
        "n_units": float(parents * units),
        "levels": float(levels),
        "n_predictions": float(prices.predictions(parents, units, float(levels))),
        "price": float(prices.price(parents, units, float(levels))),
        "halfwidth": float(sources.halfwidth(parents, units, float(levels), level)),
    }


def _cure(prices: Prices, least: int) -> str:
    if least > 1 and np.isfinite(prices.max_levels):
        return f"{prices.max_levels:g} predictors (or words) leave too much between them; raise max_predictors"
    limits = {"max_parents": prices.max_parents, "max_units_per_parent": prices.max_units}
    finite = [name for name, most in limits.items() if np.isfinite(most)]
    return f"raise {' or '.join(finite)}" if finite else "ask for a wider one"


def _name(components: xr.Dataset, where: tuple[int, ...]) -> str:
    return ", ".join(
        f"{dim} {components[dim].to_numpy()[i] if dim in components.coords else i!s}"
        for dim, i in zip(("contrast", "task"), where, strict=True)
    )


def _zeros(components: xr.Dataset) -> dict[str, str]:
    """Say which variances the pilot puts at 0: the split draws few of what has none."""
    variance = components["variance"]
    zero = (variance == 0) & (variance > 0).any("component")
    names = [str(c) for c in components["component"].to_numpy() if bool(zero.sel(component=c).any())]
    if not names:
        return {}
    said = f"the pilot puts the variance of {', '.join(names)} at 0, as a small pilot may by chance, and the split "
    return {
        "at_zero": ", ".join(names),
        "caution": f"{said}rests on it: see the standard errors of variance_components",
    }


def _laid_out(
    components: xr.Dataset, rows: dict[tuple[int, ...], dict[str, float]], said: dict[str, Any]
) -> xr.Dataset:
    shape = components["variance"].shape[1:]
    keys = next(iter(rows.values()))
    columns = {key: np.array([rows[where][key] for where in np.ndindex(shape)]).reshape(shape) for key in keys}
    levels = columns.pop("levels").astype(np.int64)
    for key in ("n_parents", "units_per_parent", "n_units", "n_predictions"):
        columns[key] = columns[key].astype(np.int64)
    if said["least"] > 1:
        columns["n_words" if said["words"] else "n_predictors"] = levels
    target = "population" if said["least"] == 1 else _WORDS if said["words"] else "population x predictors"
    coords = {d: components[d] for d in ("contrast", "task") if d in components.coords}
    attrs = _zeros(components) | {
        "target": target,
        "level": said["level"],
        "not_identified": components.attrs.get("not_identified", ""),
    }
    return xr.Dataset({key: (("contrast", "task"), value) for key, value in columns.items()}, coords, attrs)


#: units of a parent beyond which nobody asks
MOST_UNITS = 100_000
#: up to so many levels, and units of a parent, each number is tried; beyond, steps of a twentieth, and then between
EACH_LEVEL, EACH_UNIT = 64, 512


@dataclass(frozen=True)
class Sources:
    """Variances of an ICE by what is drawn: of parents, backgrounds inside them, levels, and interactions with levels.

    Attributes
    ----------
    parent, background
        Variance between parents, and between the shuffles of one.
    level
        Variance between predictors (or words); 0 with one level.
    parent_by_level, rest
        Variance of a parent's own effect in a level, and of the rest.
    """

    parent: float
    background: float
    level: float
    parent_by_level: float
    rest: float

    def parts(self, parents: Array, units: Array, levels: float) -> Array:
        """Return the squared standard error by source: parents, levels, their interaction."""
        drawn = (self.parent + self.background / units) / parents
        both = (self.parent_by_level + self.rest / units) / (parents * levels)
        return np.stack([drawn, np.full_like(drawn, self.level / levels), both])

    def halfwidth(self, parents: Array, units: Array, levels: float, confidence: float) -> Array:
        """Return the half width with Satterthwaite's degrees of freedom over the sources."""
        parts = self.parts(parents, units, levels)
        if levels == 1:
            parts, df = parts.sum(axis=0, keepdims=True), parents - 1
        else:
            each = np.stack([parents - 1, np.full_like(parents, levels - 1), (parents - 1) * (levels - 1)])
            df = satterthwaite(parts, each)
        return np.asarray(t_quantile(df, 0.5 + confidence / 2) * np.sqrt(parts.sum(axis=0)))


@dataclass(frozen=True)
class Prices:
    """What things cost, and how many of each there are at most.

    Attributes
    ----------
    prediction, parent, level
        Price of one prediction, of one parent, of one more predictor (or word).
    arms
        Predictions of one unit by one level; `shared` of them are made once for all levels (the control of words).
    shared
        Predictions of one unit that all levels share.
    max_parents, max_units, max_levels
        Most parents, units of each, and levels.
    """

    prediction: float
    parent: float
    level: float
    arms: float
    shared: float
    max_parents: float
    max_units: float
    max_levels: float

    def predictions(self, parents: Array, units: Array, levels: float) -> Array:
        """Return the number of predictions."""
        return np.asarray(parents * units * (self.arms * levels + self.shared))

    def price(self, parents: Array, units: Array, levels: float) -> Array:
        """Return the price of a split."""
        made = self.predictions(parents, units, levels)
        return np.asarray(self.prediction * made + self.parent * parents + self.level * levels)


def cheapest(
    sources: Sources, prices: Prices, halfwidth: float, *, least_levels: int = 1, level: float = 0.95
) -> tuple[int, int, int] | None:
    """Find the cheapest parents, units of each and levels whose half width is at most this; None if none is.

    For each number of levels, Cochran's closed-form number of units, ``sqrt(within / between * price of a parent /
    price of a unit)``, bounds the price from above; a normal quantile bounds it from below. Every number of units
    between is tried, with the least number of parents for each. Ties go to fewer levels, then to fewer units. Beyond
    64 levels and 512 units the numbers tried are a twentieth apart, and then those about the best of them, so that
    the price is the least up to the rounding to whole parents.

    Parameters
    ----------
    sources
        Variances, from a pilot.
    prices
        Prices and limits.
    halfwidth
        Half width wanted.
    least_levels
        1 where there are none to draw; else the fewest that may be drawn.
    level
        Probability of the interval.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., Wiley, section 10.6.

    Examples
    --------
    >>> prices = Prices(1.0, 20.0, 0.0, 2.0, 0.0, np.inf, np.inf, 1.0)
    >>> cheapest(Sources(1.0, 4.0, 0.0, 0.0, 0.0), prices, 0.25)
    (105, 6, 1)
    """
    goal = (halfwidth / float(t_quantile(np.inf, 0.5 + level / 2))) ** 2
    enough = least_levels if least_levels == 1 else 20 + 50 * sources.level / goal
    tried = _numbers(least_levels, min(prices.max_levels, enough), EACH_LEVEL)
    best, price = _cheapest_of(sources, prices, halfwidth, tried, (None, np.inf), level)
    while best is not None and (between := _about(tried, float(best[2]), EACH_LEVEL)).size:
        best, price = _cheapest_of(sources, prices, halfwidth, between, (best, price), level)
        tried = np.union1d(tried, between)
    return best


_Split: TypeAlias = tuple[int, int, int]


def _numbers(first: float, last: float, each: int) -> Array:
    """Return whole numbers from `first` to `last`: each of them up to `each`, then in steps of a twentieth."""
    every = np.arange(float(first), min(np.floor(last), float(each)) + 1)
    if last <= each:
        return every
    start = max(float(first), float(each))
    steps = int(np.ceil(np.log(last / start) / np.log(1.05))) + 1
    return np.unique(np.concatenate([every, np.floor(np.geomspace(start, last, max(steps, 2)))]))


def _about(tried: Array, best: float, most: int) -> Array:
    """Return the numbers not yet tried between the neighbours of the best one, at most `most` of them."""
    i = int(np.searchsorted(tried, best))
    low, high = tried[max(i - 1, 0)], tried[min(i + 1, len(tried) - 1)]
    between = np.unique(np.linspace(low, high, int(min(high - low + 1, most + 2))).round())
    return np.setdiff1d(between, tried)


def _cheapest_of(
    sources: Sources,
    prices: Prices,
    halfwidth: float,
    tried: Array,
    known: tuple[_Split | None, float],
    level: float,
) -> tuple[_Split | None, float]:
    """Cheapest split with one of these numbers of levels, in order, or the known one; and its price."""
    best, price = known
    goal = (halfwidth / float(t_quantile(np.inf, 0.5 + level / 2))) ** 2
    for levels in tried.astype(int).tolist():
        if _bound(sources, prices, goal, np.inf, levels) >= price:
            break
        if _bound(sources, prices, goal, levels, levels) < price:
            found = _at_levels(sources, prices, halfwidth, levels, price, level)
            best, price = (found[0], found[1]) if found is not None else (best, price)
    return best, price


def _fewest(sources: Sources, goal: float, units: Array, levels: float) -> Array:
    """Parents below which even the normal quantile does not reach; inf where no number of parents does."""
    parts = sources.parts(np.ones_like(units), units, levels)
    left = goal - parts[1]
    return np.where(left > 0, np.maximum(2.0, np.floor((parts[0] + parts[2]) / np.where(left > 0, left, 1.0))), np.inf)


def _bound(sources: Sources, prices: Prices, goal: float, drawn: float, paid: int) -> float:
    """Price that no split with so many levels drawn goes below, with `paid` levels paid for."""
    fewest = float(_fewest(sources, goal, np.array(np.inf), drawn))
    if np.isinf(fewest) or fewest > prices.max_parents:
        return np.inf
    return float(prices.price(np.array(fewest), np.array(1.0), paid))


def _at_levels(
    sources: Sources, prices: Prices, halfwidth: float, levels: int, below: float, level: float
) -> tuple[tuple[int, int, int], float] | None:
    """Cheapest split with this many levels, and its price, if that is below a price."""
    goal = (halfwidth / float(t_quantile(np.inf, 0.5 + level / 2))) ** 2
    fewest = float(_fewest(sources, goal, np.array(np.inf), levels))
    first = _priced(sources, prices, halfwidth, _likely_units(sources, prices, levels), levels, level)
    if np.isinf(first[1]):
        return None
    bound = min(below, first[1])
    unit = prices.prediction * (prices.arms * levels + prices.shared) * fewest
    most = (bound - prices.parent * fewest - prices.level * levels) / unit
    units = _numbers(1.0, max(1.0, min(most, prices.max_units, MOST_UNITS)), EACH_UNIT)
    found = _priced(sources, prices, halfwidth, units, levels, level)
    while np.isfinite(found[1]) and (between := _about(units, float(found[0][1]), EACH_UNIT)).size:
        again = _priced(sources, prices, halfwidth, between, levels, level)
        found, units = (again if again[1] < found[1] else found), np.union1d(units, between)
    return found if found[1] < below else None


def _likely_units(sources: Sources, prices: Prices, levels: int) -> Array:
    """Cochran's number of units of a parent, and a coarse grid beside it."""
    within, between = sources.background + sources.rest / levels, sources.parent + sources.parent_by_level / levels
    unit = prices.prediction * (prices.arms * levels + prices.shared)
    ideal = np.sqrt(within / between * prices.parent / unit) if between > 0 else MOST_UNITS
    likely = np.concatenate([[1.0, np.floor(ideal), np.ceil(ideal)], np.geomspace(1, MOST_UNITS, 60).round()])
    return np.unique(np.clip(likely, 1.0, min(prices.max_units, float(MOST_UNITS))))


def _priced(
    sources: Sources, prices: Prices, halfwidth: float, units: Array, levels: int, level: float
) -> tuple[tuple[int, int, int], float]:
    """Cheapest of these numbers of units, each with its least number of parents, and its price (inf if none serves)."""
    parents = _least_parents(sources, prices, halfwidth, units, levels, level)
    serves = np.isfinite(parents)
    price = np.where(serves, prices.price(np.where(serves, parents, 2.0), units, levels), np.inf)
    i = int(price.argmin())
    return (int(parents[i]) if serves[i] else 0, int(units[i]), levels), float(price[i])


def _least_parents(
    sources: Sources, prices: Prices, halfwidth: float, units: Array, levels: int, level: float
) -> Array:
    """Least parents for each number of units, inf where none (up to the most) serves.

    The half width rises again where many parents leave few degrees of freedom, those of the levels: the search ends
    where the levels have all but a hundredth of the variance.
    """
    goal = (halfwidth / float(t_quantile(np.inf, 0.5 + level / 2))) ** 2
    start = _fewest(sources, goal, units, levels)
    possible = np.isfinite(start) & (start <= prices.max_parents)
    if not possible.any():
        return np.full(len(units), np.inf)
    ones = np.ones(possible.sum())
    parts = sources.parts(ones, units[possible], levels)
    lost = t_quantile(max(levels - 1.0, 1.0), 0.5 + level / 2) * np.sqrt(parts[1]) > halfwidth
    hopeless = np.divide(parts[0] + parts[2], 1e-2 * parts[1], out=MOST * ones, where=lost)
    most = np.minimum(prices.max_parents, np.where(lost, np.ceil(hopeless), MOST))
    found = least_integer(
        lambda p: sources.halfwidth(p, units[possible], levels, level) <= halfwidth,
        start[possible],
        ratio=1.05,
        most=most,
    )
    out = np.full(len(units), np.inf)
    out[possible] = found
    return out
