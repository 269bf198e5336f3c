"""Groups of the tree of a posterior: draws, moments, observed data, what is known beside it, sampler statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.estimation.crossover_estimates import placebo_words
from causalgia.posterior.engine_input import FamilyData, average_over_predictors
from causalgia.posterior.engines import FamilyPosterior
from causalgia.posterior.mixture import effect_se_dependence
from causalgia.types import Array

_DIMS = {
    "ace": ("contrast", "task"),
    "ace_slab": ("contrast", "task"),
    "mu": ("group", "task"),
    "tau": ("group", "task"),
    "tau_gamma": ("group", "task"),
    "tau_narrow": ("group", "task"),
    "tau_wide": ("group", "task"),
    "share_narrow": ("group", "task"),
    "beta": ("covariate", "group", "task"),
    "ace_model": ("contrast", "task", "model"),
}
_KNOWN = ("control_sd", "n_units", "n_clusters", "df", "exact", "skewness", "largest_ice", "leverage", "floor")
_LEAST_FOR_DEPENDENCE = 20
_MOST_WITH_COVARIANCE = 512
_NATS = 3.0
_HALF_WIDTHS = 1.959963984540054  # of 95 % intervals: standard errors are normal scores of their p


def posterior_groups(
    table: xr.Dataset,
    families: list[FamilyData],
    posteriors: list[FamilyPosterior],
    coords: dict[str, Any],
    *,
    with_log_likelihood: bool = False,
) -> dict[str, xr.Dataset]:
    """Return the groups of the tree: posterior, moments, observed_data, constant_data, and from NUTS sample_stats.

    Parameters
    ----------
    table
        The estimates.
    families, posteriors
        Each family and its posterior, in the same order.
    coords
        Coordinates of the result, from `result_coordinates`.
    with_log_likelihood
        Add that group: each posterior must have one.
    """
    observed = {"effect": average_over_predictors(table)["ace"].transpose("contrast", "task")}
    observed |= {"effect_model": table["ace"]} if "model" in table["ace"].dims else {}
    variables = {name: _draws_variable(name, families, posteriors, coords) for name in posteriors[0].draws}
    shape = posteriors[0].draws["mu"].shape
    used = {dim for dims, _ in variables.values() for dim in dims}
    posterior_group = xr.Dataset(
        variables, coords_on(coords, used) | {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    )
    groups = {
        "posterior": posterior_group,
        "moments": _moments_group(families, posteriors, coords),
        "observed_data": on_contrasts(observed, coords),
        "constant_data": constant_group(table, families, coords),
    }
    if with_log_likelihood:
        # `effect (chain, draw, contrast, task)`, under the name of what was observed
        chains, draws = posteriors[0].draws["mu"].shape
        out = np.empty((chains, draws, len(coords["contrast"]), len(coords["task"])))
        for family, found in zip(families, posteriors, strict=True):
            assert found.log_likelihood is not None  # for mypy: `infer` has checked
            out[:, :, family.rows, family.task] = found.log_likelihood().reshape(chains, draws, -1)
        names = coords_on(coords, {"contrast", "task"}) | {"chain": np.arange(chains), "draw": np.arange(draws)}
        groups["log_likelihood"] = xr.Dataset({"effect": (("chain", "draw", "contrast", "task"), out)}, names)
    stats = [(q, a.stats) for q, a in zip(families, posteriors, strict=True) if a.stats]
    return groups | ({"sample_stats": _sample_stats(stats, coords)} if stats else {})


def _draws_variable(
    name: str, families: list[FamilyData], posteriors: list[FamilyPosterior], coords: dict[str, Any]
) -> tuple[tuple[str, ...], Array]:
    """Return the draws of all families in one array; those of a single family are not copied."""
    dims = tuple(d for d in _DIMS[name] if d != "group" or "group" in coords)
    first = posteriors[0].draws[name]
    if len(families) == 1 and "group" not in coords:
        return ("chain", "draw", *dims), np.expand_dims(first, 2 + dims.index("task"))
    places = np.empty((*(len(coords[d]) for d in dims), *first.shape[:2]))  # the draws of an effect are contiguous
    for family, found in zip(families, posteriors, strict=True):
        at = {"contrast": family.rows, "task": family.task, "group": family.group}
        index: Any = tuple(at.get(d, slice(None)) for d in dims)
        places[index] = np.moveaxis(found.draws[name], (0, 1), (-2, -1))
    return ("chain", "draw", *dims), np.moveaxis(places, (-2, -1), (0, 1))


def _moments_group(families: list[FamilyData], posteriors: list[FamilyPosterior], coords: dict[str, Any]) -> xr.Dataset:
    columns = {
        name: _by_contrast_and_task([(q, a.moments[name]) for q, a in zip(families, posteriors, strict=True)], coords)
        for name in posteriors[0].moments
    }
    half = [(q, _HALF_WIDTHS * np.sqrt(q.noise.marginal)) for q in families]
    columns |= {
        f"{side}_unshrunken": _by_contrast_and_task([(q, q.effect + sign * w) for q, w in half], coords)
        for side, sign in (("lower", -1), ("upper", 1))
    }
    out = xr.Dataset(columns, coords_on(coords, {"contrast", "task"}))
    # attrs on whether effects grow with their se: the gain, in nats, of exchangeable effect / se instead
    large = [(q, a) for q, a in zip(families, posteriors, strict=True) if len(q.rows) >= _LEAST_FOR_DEPENDENCE]
    gains = [
        effect_se_dependence(q.effect - float(a.draws["mu"].mean()), np.sqrt(q.noise.marginal)).gain for q, a in large
    ]
    if not gains:
        out.attrs = {"effect_se_dependence": f"not tested: fewer than {_LEAST_FOR_DEPENDENCE} effects"}
    else:
        names = ", ".join(
            str(coords["task"].to_numpy()[q.task]) for (q, _), g in zip(large, gains, strict=True) if g > _NATS
        )
        dependence = f"effects grow with their standard errors (task {names})" if names else "none seen"
        out.attrs = {"effect_se_dependence": dependence, "effect_se_gain": float(max(gains))}
    return out


def _by_contrast_and_task(parts: list[tuple[FamilyData, Any]], coords: dict[str, Any]) -> tuple[tuple[str, str], Array]:
    out = np.empty((len(coords["contrast"]), len(coords["task"])))
    for family, values in parts:
        out[family.rows, family.task] = values
    return ("contrast", "task"), out


def constant_group(table: xr.Dataset, families: list[FamilyData], coords: dict[str, Any]) -> xr.Dataset:
    """Return the data of the estimates, averaged over predictors; ``se_model`` is that of each predictor."""
    table, each = average_over_predictors(table), table
    known = {name: table[name] for name in _KNOWN if name in table}
    known |= {"se_model": each["se"]} if "model" in each["se"].dims else {}
    out = on_contrasts(known, coords)
    out["se"] = _by_contrast_and_task([(q, np.sqrt(q.noise.marginal)) for q in families], coords)
    out["prior_unit"] = _by_contrast_and_task([(q, q.unit) for q in families], coords)
    out["placebo_word"] = ("contrast", placebo_words(table))
    # `covariance (contrast, contrast_, task)` of the errors; empty for many contrasts
    names = coords["contrast"].to_numpy()
    if "covariance" not in table or "model" in table["covariance"].dims or len(names) > _MOST_WITH_COVARIANCE:
        covariance_data = xr.Dataset()
    else:
        matrix = table["covariance"]
        if "contrast_" in matrix.coords:
            matrix = matrix.sel(contrast_=names)
        values = matrix.transpose("contrast", "contrast_", "task").to_numpy()
        covariance_data = xr.Dataset({"covariance": (("contrast", "contrast_", "task"), values)}, {"contrast_": names})
    return out.assign_coords(coords_on(coords, {"contrast", "task"})).merge(covariance_data)


def on_contrasts(columns: dict[str, xr.DataArray], coords: dict[str, Any]) -> xr.Dataset:
    """Return columns of estimates as a Dataset with the coordinates of the result.

    Examples
    --------
    >>> effect = xr.DataArray([1.0], dims="contrast")
    >>> on_contrasts({"effect": effect}, {"contrast": ["GATA1"]})["contrast"].item()
    'GATA1'
    """
    used = {dim for column in columns.values() for dim in map(str, column.dims)}
    return xr.Dataset({n: (c.dims, c.to_numpy()) for n, c in columns.items()}, coords_on(coords, used))


def coords_on(coords: dict[str, Any], dims: set[str]) -> dict[str, Any]:
    """Return the coordinates on these dims.

    Examples
    --------
    >>> coords_on({"contrast": ["GATA1"], "task": ["K562"]}, {"task"})
    {'task': ['K562']}
    """
    return {n: c for n, c in coords.items() if (set(c.dims) if isinstance(c, xr.DataArray) else {n}) <= dims}


def _sample_stats(parts: list[tuple[FamilyData, dict[str, Array]]], coords: dict[str, Any]) -> xr.Dataset:
    """Return sampler statistics: (chain, draw) of one family, as ArviZ plots it; of several with the dim family."""
    if len(parts) == 1:
        out = xr.Dataset({name: (("chain", "draw"), values) for name, values in parts[0][1].items()})
    else:
        stacked = {n: np.stack([stats[n] for _, stats in parts], axis=2) for n in parts[0][1]}
        out = xr.Dataset({name: (("chain", "draw", "family"), v) for name, v in stacked.items()})
        out = out.assign_coords(family=[_family_label(family, coords) for family, _ in parts])
    return out.assign_coords(chain=np.arange(out.sizes["chain"]), draw=np.arange(out.sizes["draw"]))


def _family_label(family: FamilyData, coords: dict[str, Any]) -> str:
    task = str(coords["task"].to_numpy()[family.task])
    return f"{task}, {coords['group'][family.group]!s}" if "group" in coords else task
