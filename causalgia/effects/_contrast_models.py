"""Contrasts between the models of an ensemble, on the same units."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from causalgia.attributes import about
from causalgia.choices import Scale
from causalgia.effects._contrast import as_outcomes, contrast, names_of_arms
from causalgia.effects.contrast_weights import Contrasts, requested_weights
from causalgia.effects.scales import (
    ATTRIBUTE,
    requested_model_weights,
    stacked_models,
    stacked_weights,
)
from causalgia.errors import quoted
from causalgia.numerics.float_errors import usual_errors


@usual_errors
def contrast_models(
    outcomes: xr.Dataset,
    *,
    control: str | float | None = None,
    models: Contrasts | None = None,
    contrasts: Contrasts | None = None,
    interaction: Sequence[str] | None = None,
    tasks: Contrasts | None = None,
    scale: Scale = "identity",
) -> xr.Dataset:
    """Compute contrasts between the members of an ensemble: for each unit, the outcome
    of one model minus that of another.

    Give `control` or `models`. With `contrasts` or `interaction` of arms, effects are
    compared, ``E[ICE_u(model) - ICE_u(control)]``; without them, the outcomes of each
    arm. Use it for networks that lack a filter, against the intact one;
    `causalgia.estimate` follows, with standard errors for the units that all models
    share.

    Parameters
    ----------
    outcomes
        Of an ensemble, a crossover: ``outcome (unit, arm, task, model)``.
    control
        The model that is subtracted from every other:
        ``"UGCAUG: without 3 minus intact"``.
    models
        Other contrasts between models than "each minus `control`":
        ``{"redundancy": "both - first - second + intact"}``, of networks without two
        filters, each of them, and none.
    contrasts, interaction
        Of arms, as in `causalgia.contrast`.
    tasks, scale
        As in `causalgia.contrast`.

    Returns
    -------
    Dataset
        As from `causalgia.contrast`, without the dim model: ``ice (unit, contrast,
        task)``, with a contrast for each of arms and of models.

    Raises
    ------
    EstimateError
        If the outcomes are of one predictor or of a parallel trial, `control` and
        `models` are both given or neither is, a model is unknown, weights do not sum to
        zero; or as in `causalgia.contrast`.
    DataError
        If `outcomes` is not a Dataset of outcomes.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {
    ...         "outcome": (
    ...             ("unit", "arm", "task", "model"),
    ...             [[[[1.0, 0.0]], [[3.0, 0.5]]]],
    ...         )
    ...     },
    ...     {"arm": ["none", "G"], "task": ["t"], "model": ["intact", "without 3"]},
    ... )
    >>> lost = contrast_models(outcomes, control="intact", contrasts="G - none")
    >>> lost["contrast"].item(), lost["ice"].item()
    ('G - none: without 3 minus intact', -1.5)
    """
    outcomes = as_outcomes(outcomes)
    of_models = requested_model_weights(outcomes, control, models)
    arms = names_of_arms(outcomes)
    by_arm = contrasts is None and interaction is None
    weights = (
        {arm: {arm: 1.0} for arm in arms}
        if by_arm
        else requested_weights(outcomes, arms, None, contrasts, interaction)
    )
    stacked = stacked_weights(weights, of_models)
    effects = contrast(
        stacked_models(outcomes),
        contrasts=stacked,
        tasks=tasks,
        scale=scale,
    )
    what = about(effects).estimand
    if by_arm:
        what = what.replace(
            "the weighted sum of outcome over arms", "outcome under each arm"
        )
    compared = (
        f"each model minus {quoted(str(control))}"
        if models is None
        else "contrasts between models"
    )
    if ATTRIBUTE in effects.attrs:  # the sum over tasks stands first
        of_tasks, _, what = what.partition(", of the ")
        estimand = f"{of_tasks}, of {compared}, of the {what}"
    else:
        estimand = f"{compared}, of {what}"
    return effects.assign_attrs(estimand=estimand, over="model")
