"""The cheapest split of a trial between parents, shuffles of each, and predictors (or placebo words)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from causalgia.arm_weights import weights_of
from causalgia.errors import EstimateError, quoted
from causalgia.estimation import variance_components
from causalgia.estimation.words import LEAST_WORDS, words_as_levels
from causalgia.planning.allocation import Prices, Sources, cheapest
from causalgia.planning.pilot import contrasted
from causalgia.planning.precision import require_positive, require_probability
from causalgia.schema import require_dataset
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
    require_dataset(pilot, "effects")
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
