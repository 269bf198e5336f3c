"""Outcomes of the models of an ensemble as arms of one trial, on the same units."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import nearest
from causalgia.effects.contrast_weights import Contrasts, Weights, weights_as_given
from causalgia.errors import ContrastError, quoted
from causalgia.numerics.row_blocks import by_block
from causalgia.types import Array


def requested_model_weights(
    outcomes: xr.Dataset, over: str, control: str | float | None, models: Contrasts | None
) -> Weights:
    """Return weights of models by the name of the comparison: each minus a control, or as given.

    Raises
    ------
    ContrastError
        If `over` is not ``"model"``, there are not two models or more of a crossover, control and models are both
        given, or a model is unknown.
    """
    if over != "model":
        raise ContrastError(f"over={quoted(over)}: contrasts are over arms, or over='model' of an ensemble")
    if "model" not in outcomes["outcome"].dims:
        raise ContrastError(
            "over='model': these are outcomes of one predictor; run the predictors that are compared on the same "
            "units: cg.run(design, cg.Ensemble({'intact': ..., 'without 3': ...}), rng=)"
        )
    if "arm" not in outcomes["outcome"].dims:
        raise ContrastError("over='model' takes outcomes of a crossover; leave assignment='parallel' out of the design")
    known = [str(name) for name in outcomes["model"].to_numpy()]
    listed = ", ".join(map(quoted, known[:20])) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    if control is not None and models is not None:
        raise ContrastError("control= and models= are given; they are two questions: say one of them")
    if models is not None:
        return weights_as_given(models, known, of="model")
    if control is None:
        raise ContrastError(f"over='model': say with control= which model is subtracted; the models are {listed}")
    if str(control) not in known:
        hint = nearest(str(control), known, most=3) or "."
        raise ContrastError(f"over='model': control {quoted(control)} is not a model{hint} The models are {listed}")
    if len(known) < 2:
        raise ContrastError(f"over='model': {quoted(control)} is the only model; there is none to compare it with")
    return {f"{model} minus {control}": {model: 1.0, str(control): -1.0} for model in known if model != str(control)}


def stacked_models(outcomes: xr.Dataset) -> xr.Dataset:
    """Return outcomes with an arm for each arm and model, ``"GATA1 in intact"``, and without the dim model.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task", "model"), np.arange(4.0).reshape(1, 2, 1, 2))},
    ...     coords={"arm": ["A", "B"], "task": ["K562"], "model": ["m", "n"]},
    ... )
    >>> stacked = stacked_models(outcomes)
    >>> dict(zip(stacked["arm"].values.tolist(), stacked["outcome"].values.ravel().tolist(), strict=True))
    {'A in m': 0.0, 'B in m': 2.0, 'A in n': 1.0, 'B in n': 3.0}
    """
    y = outcomes["outcome"].transpose("unit", "arm", ..., "model")
    models = [str(name) for name in y["model"].to_numpy()]
    n = len(models)
    coords: dict[str, Any] = {"arm": [f"{arm} in {model}" for model in models for arm in y["arm"].to_numpy()]}
    for name, c in outcomes.coords.items():
        if c.dims == ("arm",) and name not in ("arm", "kind", "random"):
            values = [f"{x} in {model}" for model in models for x in c.to_numpy()] if name == "do" else np.tile(c, n)
            coords[str(name)] = ("arm", values)
        elif "arm" not in c.dims and "model" not in c.dims:
            coords[str(name)] = c.variable
    stacked: dict[str, Any] = {"outcome": (y.dims[:-1], by_block(y.data, _with_models_as_arms))}
    if "answer_floor" in outcomes:
        stacked["answer_floor"] = outcomes["answer_floor"].max("model").variable
    attrs = {name: value for name, value in outcomes.attrs.items() if name not in ("edits", "model_is")}
    return xr.Dataset(stacked, coords, attrs)


def _with_models_as_arms(block: Array) -> Array:
    """Return outcomes (b, arms, ..., models) as (b, models x arms, ...)."""
    by_model = np.moveaxis(block, -1, 1)
    return np.ascontiguousarray(by_model.reshape(len(block), -1, *by_model.shape[3:]))


def stacked_weights(weights: Weights, of_models: Weights) -> Weights:
    """Return the weights of stacked arms by which each contrast of arms is compared between models.

    Examples
    --------
    >>> stacked_weights({"B": {"B": 1.0, "A": -1.0}}, {"n minus m": {"n": 1.0, "m": -1.0}})
    {'B: n minus m': {'B in n': 1.0, 'A in n': -1.0, 'B in m': -1.0, 'A in m': 1.0}}
    """
    return {
        f"{name}: {comparison}": {
            f"{arm} in {model}": of_model * w
            for model, of_model in of_models[comparison].items()
            for arm, w in row.items()
        }
        for comparison in of_models
        for name, row in weights.items()
    }
