"""Effects in source sequences, beside those on the backgrounds made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.effects.scales import MeansFunction, TaskWeights, check_scale, transform
from causalgia.errors import EstimateError
from causalgia.types import Array

QUANTILES = (0.025, 0.5, 0.975)
"""Probabilities of the quantiles of the backgrounds' outcomes."""
MOST_BACKGROUNDS = 1_000
"""Backgrounds, the first ones, whose quantiles are taken."""
_UNIT_SCALES = ("identity", "log", "log2", "logit")


def source_effects(
    outcomes: xr.Dataset,
    weights: Mapping[str, Mapping[str, float]],
    *,
    scale: str | MeansFunction,
    measured_on: str,
    over: TaskWeights | None = None,
) -> dict[str, Any]:
    """Return ``source_effect``: the contrasts whose arms source sequences received.

    Parameters
    ----------
    outcomes
        With ``source_outcome (source_sequence, source_arm, task[, model])``; without
        it, nothing is returned. Rows of one sequence, one for each draw of random arms,
        are averaged.
    weights
        Contrast -> arm -> weight.
    scale, measured_on
        As in `causalgia.effects.scales.on_scale`; scales of means have no effects here.
    over
        Contrasts between the tasks, which replace them.

    Returns
    -------
    dict
        ``source_effect (source_sequence, source_contrast, task[, model])`` and its
        coordinates; empty where there is none, as on a scale that is impossible for
        an outcome.

    Examples
    --------
    >>> y = xr.DataArray(
    ...     [[[1.0], [3.0]]], dims=("source_sequence", "source_arm", "task")
    ... )
    >>> outcomes = xr.Dataset(
    ...     {"source_outcome": y},
    ...     coords={"source_sequence": ["a"], "source_arm": ["placebo", "GATA1"]},
    ... )
    >>> weights = {"GATA1": {"GATA1": 1.0, "placebo": -1.0}, "TAL1": {"TAL1": 1.0}}
    >>> found = source_effects(
    ...     outcomes, weights, scale="identity", measured_on="counts"
    ... )
    >>> found["source_effect"][1], found["source_contrast"]
    (array([[[2.]]]), ['GATA1'])
    """
    if "source_outcome" not in outcomes or scale not in _UNIT_SCALES:
        return {}
    y = outcomes["source_outcome"]
    arms = {str(arm): i for i, arm in enumerate(y["source_arm"].to_numpy())}
    rows = {
        name: {arm: w for arm, w in row.items() if w} for name, row in weights.items()
    }
    rows = {
        name: row for name, row in rows.items() if row and arms.keys() >= row.keys()
    }
    if not rows:
        return {}
    used = sorted({arms[arm] for row in rows.values() for arm in row})
    y = y.isel(source_arm=used)
    try:
        check_scale(y, scale, measured_on)
    except EstimateError:
        return {}
    W = np.zeros((len(rows), len(arms)))
    for i, row in enumerate(rows.values()):
        for arm, weight in row.items():
            W[i, arms[arm]] = weight
    put = transform(y.to_numpy(), scale=scale, over=over)
    effect = np.moveaxis(np.tensordot(W[:, used], put, axes=(1, 1)), 0, 1)
    names = y["source_sequence"].to_numpy()
    n = n_draws(names)
    effect = effect.reshape(-1, n, *effect.shape[1:]).mean(axis=1)
    return {
        "source_effect": (("source_sequence", "source_contrast", *y.dims[2:]), effect),
        "source_sequence": names[::n],
        "source_contrast": list(rows),
    }


def n_draws(names: NDArray[Any]) -> int:
    """Return the number of rows of each source sequence, from the names of all rows.

    Examples
    --------
    >>> n_draws(np.array(["a", "a", "b", "b"]))
    2
    """
    return max(1, len(names) // max(1, len(set(names.tolist()))))


def source_answers(
    outcomes: xr.Dataset, weights: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return outcomes of source sequences, and quantiles of those of the backgrounds.

    Both are under one arm, that of `reference_arm`.

    Parameters
    ----------
    outcomes
        ``outcome`` of a crossover or of a parallel trial, and ``source_outcome``.
    weights
        Contrast -> arm -> weight: the control is an arm with a negative weight.

    Returns
    -------
    dict
        ``source_answer (source_sequence, task[, model])`` and ``background_answer
        (background_quantile, task[, model])``; empty without an arm that both received.
    """
    arm = reference_arm(outcomes, weights)
    if arm is None:
        return {}
    y = outcomes["outcome"]
    if "arm" in y.dims:
        some = y.isel(unit=slice(MOST_BACKGROUNDS)).sel(arm=arm)
    else:
        rows = np.flatnonzero(outcomes["assigned"].to_numpy().astype(str) == arm)
        some = y.isel(unit=rows[:MOST_BACKGROUNDS])
    if some.sizes["unit"] < 2:
        return {}
    others = [dim for dim in y.dims if dim not in ("unit", "arm")]
    answer = first_draws(outcomes["source_outcome"].sel(source_arm=arm))
    values = answer.transpose("source_sequence", *others).to_numpy()
    return {
        "source_answer": (("source_sequence", *others), values.astype(np.float64)),
        "source_sequence": answer["source_sequence"].to_numpy(),
        **background_quantiles(some.transpose("unit", *others).to_numpy(), others),
    }


def first_draws(answer: xr.DataArray) -> xr.DataArray:
    """Return the first draw of each source sequence: backgrounds have one, too."""
    step = n_draws(answer["source_sequence"].to_numpy())
    return answer.isel(source_sequence=slice(None, None, step))


def background_quantiles(y: NDArray[Any], dims: list[Any]) -> dict[str, Any]:
    """Return ``background_answer`` of outcomes (units, tasks[, models]) of one arm."""
    found: Array = np.quantile(y.astype(np.float64), QUANTILES, axis=0)
    return {
        "background_answer": (("background_quantile", *dims), found),
        "background_quantile": list(QUANTILES),
    }


def reference_arm(
    outcomes: xr.Dataset, weights: Mapping[str, Mapping[str, float]]
) -> str | None:
    """Return the arm under which source sequences and backgrounds are compared.

    An untreated one, else the first control that both received; None if there is none.

    Examples
    --------
    >>> arms = {"arm": ["placebo", "GATA1"], "source_arm": ["untreated", "placebo"]}
    >>> outcomes = xr.Dataset({"source_outcome": 0}, coords=arms)
    >>> reference_arm(outcomes, {"GATA1": {"GATA1": 1.0, "placebo": -1.0}})
    'placebo'
    """
    if "source_outcome" not in outcomes or "arm" not in outcomes.coords:
        return None
    there = set(map(str, outcomes["source_arm"].to_numpy()))
    names = [str(arm) for arm in outcomes["arm"].to_numpy()]
    kinds = outcomes["kind"].to_numpy() if "kind" in outcomes.coords else names
    for name, kind in zip(names, kinds, strict=True):
        if kind == "untreated" and name in there:
            return name
    controls = (a for row in weights.values() for a, w in row.items() if w < 0)
    return next((arm for arm in controls if arm in there and arm in names), None)
