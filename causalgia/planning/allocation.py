"""The cheapest numbers of parents, of units of each and of levels that reach a half width, as a function of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from causalgia.numerics.moments import satterthwaite
from causalgia.planning.power_functions import t_quantile
from causalgia.planning.precision import MOST, least_integer
from causalgia.types import Array

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
