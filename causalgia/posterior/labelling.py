"""Answers of the engines -> Datasets with names: the groups of the tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.estimation.words import placebo_words
from causalgia.posterior.engines import Answer
from causalgia.posterior.exact import Array
from causalgia.posterior.mixture import effect_se_dependence
from causalgia.posterior.questions import Question, pooled

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


def labelled(
    table: xr.Dataset,
    asked: list[Question],
    answers: list[Answer],
    coords: dict[str, Any],
    *,
    with_log_likelihood: bool = False,
) -> dict[str, xr.Dataset]:
    """Return the groups of the tree: posterior, moments, observed_data, constant_data, and from NUTS sample_stats.

    Parameters
    ----------
    table
        The estimates.
    asked, answers
        Each question and its answer, in the same order.
    coords
        Coordinates of the result, from `coords.coordinates`.
    with_log_likelihood
        Add that group: each answer must know its own.
    """
    groups = {
        "posterior": _posterior(asked, answers, coords),
        "moments": _moments(asked, answers, coords),
        "observed_data": _of_contrasts(_observed(table), coords),
        "constant_data": _constant(table, asked, coords),
    }
    if with_log_likelihood:
        groups["log_likelihood"] = _log_likelihood(asked, answers, coords)
    stats = [(q, a.stats) for q, a in zip(asked, answers, strict=True) if a.stats]
    return groups | ({"sample_stats": _sample_stats(stats, coords)} if stats else {})


def _posterior(asked: list[Question], answers: list[Answer], coords: dict[str, Any]) -> xr.Dataset:
    variables = {name: _variable(name, asked, answers, coords) for name in answers[0].draws}
    shape = answers[0].draws["mu"].shape
    used = {dim for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, _on(coords, used) | {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])})


def _log_likelihood(asked: list[Question], answers: list[Answer], coords: dict[str, Any]) -> xr.Dataset:
    """Return ``effect (chain, draw, contrast, task)``, under the name of what was observed."""
    chains, draws = answers[0].draws["mu"].shape
    out = np.empty((chains, draws, len(coords["contrast"]), len(coords["task"])))
    for question, answer in zip(asked, answers, strict=True):
        assert answer.log_likelihood is not None  # for mypy: `infer` has checked
        out[:, :, question.rows, question.task] = answer.log_likelihood().reshape(chains, draws, -1)
    names = _on(coords, {"contrast", "task"}) | {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.Dataset({"effect": (("chain", "draw", "contrast", "task"), out)}, names)


def _variable(
    name: str, asked: list[Question], answers: list[Answer], coords: dict[str, Any]
) -> tuple[tuple[str, ...], Array]:
    """Put the draws of all questions in their places of one array; a single question's are not copied."""
    dims = tuple(d for d in _DIMS[name] if d != "group" or "group" in coords)
    first = answers[0].draws[name]
    if len(asked) == 1 and "group" not in coords:
        return ("chain", "draw", *dims), np.expand_dims(first, 2 + dims.index("task"))
    places = np.empty((*(len(coords[d]) for d in dims), *first.shape[:2]))  # each effect's draws are one run of memory
    for question, answer in zip(asked, answers, strict=True):
        at = {"contrast": question.rows, "task": question.task, "group": question.group}
        index: Any = tuple(at.get(d, slice(None)) for d in dims)
        places[index] = np.moveaxis(answer.draws[name], (0, 1), (-2, -1))
    return ("chain", "draw", *dims), np.moveaxis(places, (-2, -1), (0, 1))


def _moments(asked: list[Question], answers: list[Answer], coords: dict[str, Any]) -> xr.Dataset:
    columns = {
        name: _column([(q, a.moments[name]) for q, a in zip(asked, answers, strict=True)], coords)
        for name in answers[0].moments
    }
    half = [(q, _HALF_WIDTHS * np.sqrt(q.noise.marginal)) for q in asked]
    columns |= {
        f"{side}_unshrunken": _column([(q, q.effect + sign * w) for q, w in half], coords)
        for side, sign in (("lower", -1), ("upper", 1))
    }
    out = xr.Dataset(columns, _on(coords, {"contrast", "task"}))
    out.attrs = _dependence(asked, answers, coords)
    return out


def _column(parts: list[tuple[Question, Any]], coords: dict[str, Any]) -> tuple[tuple[str, str], Array]:
    out = np.empty((len(coords["contrast"]), len(coords["task"])))
    for question, values in parts:
        out[question.rows, question.task] = values
    return ("contrast", "task"), out


def _dependence(asked: list[Question], answers: list[Answer], coords: dict[str, Any]) -> dict[str, str | float]:
    """Say whether effects grow with their se: the gain, in nats, of taking effect / se for exchangeable instead."""
    large = [(q, a) for q, a in zip(asked, answers, strict=True) if len(q.rows) >= _LEAST_FOR_DEPENDENCE]
    gains = [
        effect_se_dependence(q.effect - float(a.draws["mu"].mean()), np.sqrt(q.noise.marginal)).gain for q, a in large
    ]
    if not gains:
        return {"effect_se_dependence": f"not asked: fewer than {_LEAST_FOR_DEPENDENCE} effects"}
    names = ", ".join(
        str(coords["task"].to_numpy()[q.task]) for (q, _), g in zip(large, gains, strict=True) if g > _NATS
    )
    said = f"effects grow with their standard errors (task {names})" if names else "none seen"
    return {"effect_se_dependence": said, "effect_se_gain": float(max(gains))}


def _observed(table: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the effects as they were estimated; of several predictors their mean, and beside it each one's."""
    effect = {"effect": pooled(table)["ace"].transpose("contrast", "task")}
    return effect | ({"effect_model": table["ace"]} if "model" in table["ace"].dims else {})


def _constant(table: xr.Dataset, asked: list[Question], coords: dict[str, Any]) -> xr.Dataset:
    """Return what the estimates knew, of several predictors together; ``se_model`` is each one's own."""
    table, each = pooled(table), table
    known = {name: table[name] for name in _KNOWN if name in table}
    known |= {"se_model": each["se"]} if "model" in each["se"].dims else {}
    out = _of_contrasts(known, coords)
    out["se"] = _column([(q, np.sqrt(q.noise.marginal)) for q in asked], coords)
    out["prior_unit"] = _column([(q, q.unit) for q in asked], coords)
    out["placebo_word"] = ("contrast", placebo_words(table))
    return out.assign_coords(_on(coords, {"contrast", "task"})).merge(_covariance(table, coords))


def _covariance(table: xr.Dataset, coords: dict[str, Any]) -> xr.Dataset:
    """Return ``covariance (contrast, contrast_, task)`` of the errors, as estimated; nothing where there are many."""
    names = coords["contrast"].to_numpy()
    if "covariance" not in table or "model" in table["covariance"].dims or len(names) > _MOST_WITH_COVARIANCE:
        return xr.Dataset()
    matrix = table["covariance"]
    if "contrast_" in matrix.coords:
        matrix = matrix.sel(contrast_=names)
    values = matrix.transpose("contrast", "contrast_", "task").to_numpy()
    return xr.Dataset({"covariance": (("contrast", "contrast_", "task"), values)}, {"contrast_": names})


def _of_contrasts(columns: dict[str, xr.DataArray], coords: dict[str, Any]) -> xr.Dataset:
    used = {dim for column in columns.values() for dim in map(str, column.dims)}
    return xr.Dataset({n: (c.dims, c.to_numpy()) for n, c in columns.items()}, _on(coords, used))


def _on(coords: dict[str, Any], dims: set[str]) -> dict[str, Any]:
    """Return the coordinates that live on these dims."""
    return {n: c for n, c in coords.items() if (set(c.dims) if isinstance(c, xr.DataArray) else {n}) <= dims}


def _sample_stats(parts: list[tuple[Question, dict[str, Array]]], coords: dict[str, Any]) -> xr.Dataset:
    """One question: (chain, draw), as ArviZ plots it; several: one more dim, named by task and group."""
    if len(parts) == 1:
        out = xr.Dataset({name: (("chain", "draw"), values) for name, values in parts[0][1].items()})
    else:
        together = {n: np.stack([stats[n] for _, stats in parts], axis=2) for n in parts[0][1]}
        out = xr.Dataset({name: (("chain", "draw", "family"), v) for name, v in together.items()})
        out = out.assign_coords(family=[_family(question, coords) for question, _ in parts])
    return out.assign_coords(chain=np.arange(out.sizes["chain"]), draw=np.arange(out.sizes["draw"]))


def _family(question: Question, coords: dict[str, Any]) -> str:
    task = str(coords["task"].to_numpy()[question.task])
    return f"{task}, {coords['group'][question.group]!s}" if "group" in coords else task
