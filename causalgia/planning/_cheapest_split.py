"""Cheapest allocation of a trial to parents, shuffles of each, and predictors (or
placebos).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob, is_whole
from causalgia.errors import EstimateError, quoted
from causalgia.estimation import variance_components
from causalgia.estimation.crossover_estimates import (
    LEAST_CROSSED_PLACEBOS,
    placebos_as_levels,
)
from causalgia.former_names import former_arguments
from causalgia.numerics.moments import satterthwaite, t_quantile
from causalgia.numerics.row_blocks import weights_of
from causalgia.planning._sample_size import effects_if_outcomes
from causalgia.planning.power_functions import (
    MOST,
    as_positive,
    least_integer,
)
from causalgia.schema import check_dataset
from causalgia.types import Array

_CROSSED = "population x placebos"


@former_arguments
def cheapest_split(
    pilot: xr.Dataset,
    *,
    half_width: float,
    price_per_prediction: float = 1.0,
    price_per_parent: float = 0.0,
    price_per_predictor: float = 0.0,
    max_parents: int | None = None,
    max_units_per_parent: int | None = None,
    max_predictors: int | None = None,
    target: str | None = None,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Find the cheapest trial with a given half width: numbers of parents, shuffles of
    each, and predictors.

    ``se^2 = s2_parent/P + s2_background/(P m) + s2_predictor/M +
    s2_parent_by_predictor/(P M) + s2_residual/(P m M)`` with the pilot's variance
    components and Satterthwaite's degrees of freedom. The price is ``P m M * arms of
    the contrast * price_per_prediction + P * price_per_parent + M *
    price_per_predictor``.

    Parameters
    ----------
    pilot
        Effects of a crossover from `contrast`; their `variance_components`; or outcomes
        with a stored analysis, which gives the contrasts. With several predictors (dim
        model) the claim is about retrainings, and the number to train is part of the
        result. If the pilot's units share no parents, the variance between shuffles of
        a parent cannot be estimated, and every unit is a parent.
    half_width
        Required half width, on the scale of the effect.
    price_per_prediction
        Price of one unit in one arm on one predictor.
    price_per_parent, price_per_predictor
        Price of one more parent, and of training one more predictor.
    max_parents, max_units_per_parent, max_predictors
        Largest available number of each; None: no limit. `max_predictors` limits the
        placebos if these are drawn.
    target
        ``"population x placebos"``: the contrasts of placebos are draws, and the number
        of placebos is part of the result; a unit then costs one prediction for each
        placebo and one for the control.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``n_parents, units_per_parent, n_units, n_predictors (or n_placebos),
        n_predictions, price, half_width (contrast, task)``. Exact effects need 2 units.
        attrs ``at_zero`` and ``caution`` name variances that the pilot estimates as 0,
        so that few draws are taken.

    Raises
    ------
    EstimateError
        If no split reaches the half width within the limits, or the pilot has no
        individual effects.

    Notes
    -----
    A prediction costs the same for a new parent as for a new shuffle of an old one, so
    without a price or a limit of parents every unit has its own parent.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., Wiley, section 10.6. Satterthwaite
    (1946), doi:10.2307/3002019.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ice = np.repeat(rng.normal(size=50), 4) + 2 * rng.normal(size=200)
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice[:, None, None])},
    ...     coords={
    ...         "contrast": ["GATA1"],
    ...         "task": ["K562"],
    ...         "parent": ("unit", np.repeat(np.arange(50), 4)),
    ...     },
    ... )
    >>> split = cheapest_split(effects, half_width=0.2, price_per_parent=20)
    >>> (
    ...     split["n_parents"].item(),
    ...     split["units_per_parent"].item(),
    ...     split["price"].item(),
    ... )
    (92, 10, 3680.0)
    """
    wanted, ci_prob = (
        as_positive(half_width, "half_width"),
        as_ci_prob(ci_prob),
    )
    pilot = effects_if_outcomes(pilot)
    components, placebos = _pilot_components(pilot, target)
    prices = Prices(
        prediction=as_positive(price_per_prediction, "price_per_prediction"),
        parent=_as_price(price_per_parent, "price_per_parent"),
        member=_as_price(price_per_predictor, "price_per_predictor"),
        arms_per_member=1.0 if placebos else 2.0,
        shared=1.0 if placebos else 0.0,
        max_parents=_as_limit(max_parents, "max_parents", 2),
        max_units=_as_limit(max_units_per_parent, "max_units_per_parent", 1),
        max_members=_as_limit(
            max_predictors, "max_predictors", LEAST_CROSSED_PLACEBOS if placebos else 2
        ),
    )
    names = set(components["component"].to_numpy().astype(str))
    least = 1 if "predictor" not in names else LEAST_CROSSED_PLACEBOS if placebos else 2
    shape = components["variance"].shape[1:]
    # predictions of a unit for each contrast
    arms = np.full(shape[0], 1.0 if placebos else 2.0)
    if not placebos and "weight" in pilot:
        arms = np.diff(weights_of(pilot).indptr).astype(np.float64)
    rows = {}
    for where in np.ndindex(shape):
        own = replace(prices, arms_per_member=float(arms[where[0]]))
        rows[where] = _split_of_cell(components, where, own, wanted, least, ci_prob)
    return _splits_dataset(
        components,
        rows,
        {
            "placebos": placebos,
            "least": least,
            "ci_prob": ci_prob,
            "half_width": wanted,
        },
    )


def _pilot_components(pilot: Any, target: str | None) -> tuple[xr.Dataset, bool]:
    check_dataset(pilot, "effects")
    if target not in (None, "population", "population x predictors", _CROSSED):
        raise EstimateError(
            argument="target",
            value=target,
            need=f": cheapest_split takes {quoted(_CROSSED)}, or None for what the pilot "
            "has",
        )
    if "component" in pilot.dims and "variance" in pilot:
        if target == _CROSSED:
            raise EstimateError(
                argument="target",
                value=_CROSSED,
                need="needs the effects themselves, not their components",
            )
        return pilot, False
    if "ice" not in pilot:
        raise EstimateError(
            "cheapest_split needs individual effects: ``cg.contrast`` of a crossover, "
            "or its components"
        )
    return variance_components(
        placebos_as_levels(pilot) if target == _CROSSED else pilot
    ), target == _CROSSED


def _as_price(value: float, name: str) -> float:
    return 0.0 if value == 0 else as_positive(value, name)


def _as_limit(value: int | None, name: str, least: int) -> float:
    if value is None:
        return np.inf
    if not is_whole(value) or value < least:
        raise EstimateError(
            f"``{name}={quoted(value)}``: give an integer of at least {least}, or None "
            "for no limit"
        )
    return float(value)


def _sources_of_cell(
    components: xr.Dataset, where: tuple[int, ...]
) -> tuple[Sources, bool]:
    """Return the variances of one contrast and task, and whether parents are separated
    from their shuffles.
    """
    values = (
        components["variance"].to_numpy().reshape(components.sizes["component"], -1)
    )
    values = values[:, np.ravel_multi_index(where, components["variance"].shape[1:])]
    v = dict(
        zip(
            components["component"].to_numpy().astype(str),
            map(float, values),
            strict=True,
        )
    )
    shared, crossed = "parent" in v, "predictor" in v
    unknown = set(v) - {
        "parent",
        "background",
        "predictor",
        "parent_by_predictor",
        "residual",
        "background + residual",
    }
    if unknown:
        raise EstimateError(
            f"component {quoted(min(unknown))} has no place in a split of parents, "
            "units and predictors; give the effects, or their components without "
            "others, ``cg.estimation.variance_components(effects)``"
        )
    own, rest = (
        (v["background"], v["residual"])
        if crossed
        else (v["background + residual"], 0.0)
    )
    member = v.get("predictor", 0.0)
    if not shared:
        return Sources(own, 0.0, member, rest, 0.0), False
    return Sources(
        v["parent"], own, member, v.get("parent_by_predictor", 0.0), rest
    ), True


def _split_of_cell(
    components: xr.Dataset,
    where: tuple[int, ...],
    prices: Prices,
    half_width: float,
    least: int,
    ci_prob: float,
) -> dict[str, float]:
    sources, shared = _sources_of_cell(components, where)
    prices = prices if shared else replace(prices, max_units=1.0)
    prices = prices if least > 1 else replace(prices, max_members=1.0)
    found = cheapest(sources, prices, half_width, min_members=least, ci_prob=ci_prob)
    if found is None:
        limits = {
            "max_parents": {"max_parents": np.inf},
            "max_units_per_parent": {"max_units": np.inf} if shared else {},
            "max_predictors": {"max_members": np.inf} if least > 1 else {},
        }

        def is_reached(raised: Sequence[str]) -> bool:
            freed = replace(
                prices, **{k: v for of in raised for k, v in limits[of].items()}
            )
            return bool(
                cheapest(sources, freed, half_width, min_members=least, ci_prob=ci_prob)
            )

        enough: list[tuple[str, ...]] = []
        for n in range(1, 1 + len(limits)):
            enough = enough or [x for x in combinations(limits, n) if is_reached(x)]
        cure = " or ".join(" and ".join(names) for names in enough)
        cure = f"raise {cure}" if cure else "ask for a wider one"
        raise EstimateError(
            f"{_cell_name(components, where)}: no split reaches a half width of "
            f"{half_width:g}: {cure}"
        )
    parents, units, members = (np.array(float(x)) for x in found)
    if prices.predictions(parents, units, float(members)) >= 2**63:
        raise EstimateError(
            f"{_cell_name(components, where)}: a half width of {half_width:g} takes "
            "more predictions than can be counted; ask for a wider one"
        )
    return {
        "n_parents": float(parents),
        "units_per_parent": float(units),
        "n_units": float(parents * units),
        "members": float(members),
        "n_predictions": float(prices.predictions(parents, units, float(members))),
        "price": float(prices.price(parents, units, float(members))),
        "half_width": float(
            sources.half_width(parents, units, float(members), ci_prob)
        ),
    }


def _cell_name(components: xr.Dataset, where: tuple[int, ...]) -> str:
    return ", ".join(
        f"{dim} {components[dim].to_numpy()[i] if dim in components.coords else i!s}"
        for dim, i in zip(("contrast", "task"), where, strict=True)
    )


def _splits_dataset(
    components: xr.Dataset,
    rows: dict[tuple[int, ...], dict[str, float]],
    settings: dict[str, Any],
) -> xr.Dataset:
    shape = components["variance"].shape[1:]
    keys = next(iter(rows.values()))
    columns = {
        key: np.array([rows[where][key] for where in np.ndindex(shape)]).reshape(shape)
        for key in keys
    }
    members = columns.pop("members").astype(np.int64)
    for key in ("n_parents", "units_per_parent", "n_units", "n_predictions"):
        columns[key] = columns[key].astype(np.int64)
    if settings["least"] > 1:
        columns["n_placebos" if settings["placebos"] else "n_predictors"] = members
    target = (
        "population"
        if settings["least"] == 1
        else _CROSSED
        if settings["placebos"]
        else "population x predictors"
    )
    coords = {d: components[d] for d in ("contrast", "task") if d in components.coords}
    variance = components["variance"]
    zero = (variance == 0) & (variance > 0).any("component")
    names = ", ".join(
        str(c)
        for c in components["component"].to_numpy()
        if bool(zero.sel(component=c).any())
    )
    caution = (
        f"the pilot puts the variance of {names} at 0, as a small pilot may by chance, "
        "and the split rests on it: "
    )
    cautions = {
        "at_zero": names,
        "caution": f"{caution}see the standard errors of variance_components",
    }
    attrs = (cautions if names else {}) | attributes(
        target=target,
        ci_prob=settings["ci_prob"],
        not_identified=about(components, "").not_identified,
    )
    return xr.Dataset(
        {key: (("contrast", "task"), value) for key, value in columns.items()},
        coords,
        attrs,
    )


#: largest number of units of a parent that is tried
MOST_UNITS = 100_000
#: numbers of members, and of units of a parent, up to which each is tried; above, a
#: grid in steps of 5 % is refined
EACH_MEMBER, EACH_UNIT = 64, 512


@dataclass(frozen=True)
class Sources:
    """Variance components of an ICE: parents, backgrounds in them, members (predictors
    or placebos), and interactions.

    Attributes
    ----------
    parent, background
        Variance between parents, and between the shuffles of one.
    member
        Variance between predictors (or placebos); 0 with one member.
    parent_by_member, rest
        Variance of a parent's own effect in a member, and of the rest.
    """

    parent: float
    background: float
    member: float
    parent_by_member: float
    rest: float

    def parts(self, parents: Array, units: Array, members: float) -> Array:
        """Return the squared standard error by source: parents, members, their
        interaction.
        """
        drawn = (self.parent + self.background / units) / parents
        both = (self.parent_by_member + self.rest / units) / (parents * members)
        return np.stack([drawn, np.full_like(drawn, self.member / members), both])

    def half_width(
        self, parents: Array, units: Array, members: float, ci_prob: float
    ) -> Array:
        """Return the half width with Satterthwaite's degrees of freedom over the
        sources.
        """
        parts = self.parts(parents, units, members)
        if members == 1:
            parts, df = parts.sum(axis=0, keepdims=True), parents - 1
        else:
            each = np.stack(
                [
                    parents - 1,
                    np.full_like(parents, members - 1),
                    (parents - 1) * (members - 1),
                ]
            )
            df = satterthwaite(parts, each)
        return np.asarray(
            t_quantile(df, 0.5 + ci_prob / 2) * np.sqrt(parts.sum(axis=0))
        )


@dataclass(frozen=True)
class Prices:
    """Prices, and upper limits of parents, units and members.

    Attributes
    ----------
    prediction, parent, member
        Price of one prediction, of one parent, of one more predictor (or placebo).
    arms_per_member
        Predictions of one unit by one member.
    shared
        Predictions of one unit that all members share (the control of placebos).
    max_parents, max_units, max_members
        Most parents, units of each, and members.
    """

    prediction: float
    parent: float
    member: float
    arms_per_member: float
    shared: float
    max_parents: float
    max_units: float
    max_members: float

    def predictions(self, parents: Array, units: Array, members: float) -> Array:
        """Return the number of predictions."""
        return np.asarray(
            parents * units * (self.arms_per_member * members + self.shared)
        )

    def price(self, parents: Array, units: Array, members: float) -> Array:
        """Return the price of a split."""
        made = self.predictions(parents, units, members)
        return np.asarray(
            self.prediction * made + self.parent * parents + self.member * members
        )


@former_arguments
def cheapest(
    sources: Sources,
    prices: Prices,
    half_width: float,
    *,
    min_members: int = 1,
    ci_prob: float = 0.95,
) -> tuple[int, int, int] | None:
    """Find the cheapest numbers of parents, units of each and members that reach a half
    width; None if none do.

    Parameters
    ----------
    sources
        Variances, from a pilot.
    prices
        Prices and limits.
    half_width
        Required half width.
    min_members
        1 if members are not drawn; else their smallest number.
    ci_prob
        Probability of the intervals.

    Notes
    -----
    For each number of members, Cochran's closed-form number of units, ``sqrt(within /
    between * price of a parent / price of a unit)``, bounds the price from above; a
    normal quantile bounds it from below. Every number of units between is tried, with
    the smallest number of parents for each. Ties go to fewer members, then to fewer
    units. Above 64 members and 512 units a grid in steps of 5 % is refined around its
    best point, so that the price is minimal up to rounding to whole parents.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., Wiley, section 10.6.

    Examples
    --------
    >>> prices = Prices(1.0, 20.0, 0.0, 2.0, 0.0, np.inf, np.inf, 1.0)
    >>> cheapest(Sources(1.0, 4.0, 0.0, 0.0, 0.0), prices, 0.25)
    (105, 6, 1)
    """
    goal = (half_width / float(t_quantile(np.inf, 0.5 + ci_prob / 2))) ** 2
    enough = min_members if min_members == 1 else 20 + 50 * sources.member / goal
    tried = _search_grid(min_members, min(prices.max_members, enough), EACH_MEMBER)
    best, price = _cheapest_over_members(
        sources, prices, half_width, tried, (None, np.inf), ci_prob
    )
    while (
        best is not None
        and (between := _refined_grid(tried, float(best[2]), EACH_MEMBER)).size
    ):
        best, price = _cheapest_over_members(
            sources, prices, half_width, between, (best, price), ci_prob
        )
        tried = np.union1d(tried, between)
    return best


_Split: TypeAlias = tuple[int, int, int]


def _search_grid(first: float, last: float, each: int) -> Array:
    """Return whole numbers from `first` to `last`: all up to `each`, then in steps of 5
    %.
    """
    every = np.arange(float(first), min(np.floor(last), float(each)) + 1)
    if last <= each:
        return every
    start = max(float(first), float(each))
    steps = int(np.ceil(np.log(last / start) / np.log(1.05))) + 1
    return np.unique(
        np.concatenate([every, np.floor(np.geomspace(start, last, max(steps, 2)))])
    )


def _refined_grid(tried: Array, best: float, most: int) -> Array:
    """Return numbers not yet tried between the neighbors of the best one, at most
    `most` of them.
    """
    i = int(np.searchsorted(tried, best))
    low, high = tried[max(i - 1, 0)], tried[min(i + 1, len(tried) - 1)]
    between = np.unique(
        np.linspace(low, high, int(min(high - low + 1, most + 2))).round()
    )
    return np.setdiff1d(between, tried)


def _cheapest_over_members(
    sources: Sources,
    prices: Prices,
    half_width: float,
    tried: Array,
    known: tuple[_Split | None, float],
    ci_prob: float,
) -> tuple[_Split | None, float]:
    """Return the cheapest split among these numbers of members and a known one, and its
    price.
    """
    best, price = known
    goal = (half_width / float(t_quantile(np.inf, 0.5 + ci_prob / 2))) ** 2
    for members in tried.astype(int).tolist():
        if _price_bound(sources, prices, goal, np.inf, members) >= price:
            break
        if _price_bound(sources, prices, goal, members, members) < price:
            found = _cheapest_at_members(
                sources, prices, half_width, members, price, ci_prob
            )
            best, price = (found[0], found[1]) if found is not None else (best, price)
    return best, price


def _parents_bound(
    sources: Sources, goal: float, units: Array, members: float
) -> Array:
    """Return a lower bound on the number of parents, by the normal quantile; inf if no
    number suffices.
    """
    parts = sources.parts(np.ones_like(units), units, members)
    left = goal - parts[1]
    return np.where(
        left > 0,
        np.maximum(
            2.0, np.floor((parts[0] + parts[2]) / np.where(left > 0, left, 1.0))
        ),
        np.inf,
    )


def _price_bound(
    sources: Sources, prices: Prices, goal: float, drawn: float, paid: int
) -> float:
    """Return a lower bound on the price of splits with `drawn` members, of which `paid`
    are paid for.
    """
    fewest = float(_parents_bound(sources, goal, np.array(np.inf), drawn))
    if np.isinf(fewest) or fewest > prices.max_parents:
        return np.inf
    return float(prices.price(np.array(fewest), np.array(1.0), paid))


def _cheapest_at_members(
    sources: Sources,
    prices: Prices,
    half_width: float,
    members: int,
    below: float,
    ci_prob: float,
) -> tuple[tuple[int, int, int], float] | None:
    """Return the cheapest split with this number of members, and its price, if that is
    below `below`.
    """
    goal = (half_width / float(t_quantile(np.inf, 0.5 + ci_prob / 2))) ** 2
    fewest = float(_parents_bound(sources, goal, np.array(np.inf), members))
    unit = prices.prediction * (prices.arms_per_member * members + prices.shared)
    # Cochran's number of units of a parent, and a coarse grid
    within, between = (
        sources.background + sources.rest / members,
        sources.parent + sources.parent_by_member / members,
    )
    ideal = (
        np.sqrt(within / between * prices.parent / unit) if between > 0 else MOST_UNITS
    )
    likely = np.concatenate(
        [
            [1.0, np.floor(ideal), np.ceil(ideal)],
            np.geomspace(1, MOST_UNITS, 60).round(),
        ]
    )
    likely = np.unique(np.clip(likely, 1.0, min(prices.max_units, float(MOST_UNITS))))
    first = _cheapest_units(sources, prices, half_width, likely, members, ci_prob)
    if np.isinf(first[1]):
        return None
    bound = min(below, first[1])
    most = (bound - prices.parent * fewest - prices.member * members) / (unit * fewest)
    units = _search_grid(
        1.0, max(1.0, min(most, prices.max_units, MOST_UNITS)), EACH_UNIT
    )
    found = _cheapest_units(sources, prices, half_width, units, members, ci_prob)
    while (
        np.isfinite(found[1])
        and (finer := _refined_grid(units, float(found[0][1]), EACH_UNIT)).size
    ):
        again = _cheapest_units(sources, prices, half_width, finer, members, ci_prob)
        found, units = (
            (again if again[1] < found[1] else found),
            np.union1d(units, finer),
        )
    return found if found[1] < below else None


def _cheapest_units(
    sources: Sources,
    prices: Prices,
    half_width: float,
    units: Array,
    members: int,
    ci_prob: float,
) -> tuple[tuple[int, int, int], float]:
    """Return the cheapest of these numbers of units, each with its fewest parents, and
    its price (inf if none).
    """
    parents = _least_parents(sources, prices, half_width, units, members, ci_prob)
    serves = np.isfinite(parents)
    price = np.where(
        serves, prices.price(np.where(serves, parents, 2.0), units, members), np.inf
    )
    i = int(price.argmin())
    return (int(parents[i]) if serves[i] else 0, int(units[i]), members), float(
        price[i]
    )


def _least_parents(
    sources: Sources,
    prices: Prices,
    half_width: float,
    units: Array,
    members: int,
    ci_prob: float,
) -> Array:
    """Return the smallest number of parents for each number of units, inf where no
    number suffices.

    The half width increases again where many parents leave few degrees of freedom,
    those of the members: the search ends where the members have 99 % of the variance.
    """
    goal = (half_width / float(t_quantile(np.inf, 0.5 + ci_prob / 2))) ** 2
    start = _parents_bound(sources, goal, units, members)
    possible = np.isfinite(start) & (start <= prices.max_parents)
    if not possible.any():
        return np.full(len(units), np.inf)
    ones = np.ones(possible.sum())
    parts = sources.parts(ones, units[possible], members)
    unreachable = (
        t_quantile(max(members - 1.0, 1.0), 0.5 + ci_prob / 2) * np.sqrt(parts[1])
        > half_width
    )
    hopeless = np.divide(
        parts[0] + parts[2], 1e-2 * parts[1], out=MOST * ones, where=unreachable
    )
    most = np.minimum(
        prices.max_parents, np.where(unreachable, np.ceil(hopeless), MOST)
    )
    found = least_integer(
        lambda p: (
            sources.half_width(p, units[possible], members, ci_prob) <= half_width
        ),
        start[possible],
        ratio=1.05,
        most=most,
    )
    out = np.full(len(units), np.inf)
    out[possible] = found
    return out
