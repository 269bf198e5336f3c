"""The measured effects that a posterior keeps, and what it says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.arm_columns import OF_OWN_ARMS
from causalgia.posterior.posterior_tree import tree_datasets, tree_group
from causalgia.types import Array
from causalgia.verdicts.shrinkage import posterior_columns


def effects_of_posterior(
    tree: Any, ci_prob: float
) -> tuple[xr.Dataset, dict[str, Array]]:
    """Return the estimates in a posterior, and its four columns, (contrast, task).

    Verdicts are of the estimates; the posterior stands beside them.

    Parameters
    ----------
    tree
        Of `causalgia.infer`, or of any sampler: ``posterior/ace (chain, draw,
        contrast[, task])``, ``observed_data/effect`` and ``constant_data/se``.
    ci_prob
        Probability of the intervals.

    Raises
    ------
    EstimateError
        If it lacks one of the three, or these are of other effects.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.posterior import infer
    >>> effects, columns = effects_of_posterior(
    ...     infer(from_effects(np.arange(12.0), se=1.0), rng=0), 0.95
    ... )
    >>> effects["ace"].sizes["contrast"], sorted(columns)[0]
    (12, 'lfsr')
    """
    groups = tree_datasets(tree)
    ace = _on_task(tree_group(groups, "posterior", "ace"))["ace"]
    observed, constant = (
        _on_task(groups[name]) if name in groups else xr.Dataset()
        for name in ("observed_data", "constant_data")
    )
    if "effect" not in observed or "se" not in constant:
        raise EstimateError(
            "a posterior decides nothing, and this one keeps no estimates "
            "(observed_data/effect, constant_data/se): give the estimates themselves"
        )
    if {*ace.dims} != {"chain", "draw", "contrast", "task"}:
        raise EstimateError(
            f"the posterior's ace has the dims {ace.dims}: they are chain, draw, "
            "contrast and, maybe, task"
        )
    names = {dim: ace[dim] for dim in ("contrast", "task") if dim in ace.coords}
    known = constant.merge(observed[["effect"]], compat="override")
    known = known.rename(effect="ace")
    if "effect_model" in observed:
        known = _over_predictors(known, observed["effect_model"])
    elif "se_estimated" in known:
        known["se"] = known["se_estimated"]
    known = known.drop_vars(["se_estimated", "se_model"], errors="ignore")
    for dim, labels in names.items():
        own = known.get_index(dim)
        if dim not in known.coords and len(own) == labels.size:  # in the same order
            known = known.assign_coords({dim: labels})
            continue
        if not (own.is_unique and labels.to_index().is_unique):
            raise EstimateError(f"the posterior has two effects of one {dim}")
        if absent := [label for label in labels.to_numpy() if label not in own]:
            raise EstimateError(
                f"the estimates in the posterior lack {dim} {absent[0]}"
            )
        known = known.sel({dim: labels})
        if dim == "contrast" and "contrast_" in known.dims:
            known = known.sel(contrast_=labels.to_numpy())
    moments = _on_task(groups["moments"]) if "moments" in groups else xr.Dataset()
    moments = moments.sel(names) if moments else moments
    attrs = {**constant.attrs, **groups["posterior"].attrs}
    if known["ace"].sizes != {d: ace.sizes[d] for d in known["ace"].dims}:
        raise EstimateError(
            f"the posterior has {ace.sizes['contrast']} contrasts, and its estimates "
            f"{known.sizes['contrast']}, without names to match them"
        )
    known["ace"] = known["ace"].transpose("contrast", "task")
    if not (measured := known["ace"].notnull()).all():
        known["measured"] = measured
    return known.assign_attrs(attrs), posterior_columns(ace, moments, ci_prob)


def _on_task(group: xr.Dataset) -> xr.Dataset:
    """Return a group with the dim task, which one of a single task may lack."""
    if "task" in group.dims or "contrast" not in group.dims:
        return group
    plain = [name for name in ("is_placebo", "weight") if name in group]
    own = [
        name
        for name, v in group.data_vars.items()
        if "contrast" in v.dims and name not in plain
    ]
    if "task" in group.coords:  # one task was selected
        out = group[own].expand_dims("task", axis=-1)
    else:
        out = group[own].expand_dims(task=["effect"], axis=-1)
    return out.assign({name: group[name].variable for name in plain})


def _over_predictors(effects: xr.Dataset, each: xr.DataArray) -> xr.Dataset:
    """Return effects with the standard error of a mean over units and predictors, where
    each predictor has its own effect; its df are Satterthwaite's.
    """
    values = each.transpose("contrast", "task", "model").to_numpy()
    m = values.shape[-1]
    between = values.var(axis=-1, ddof=1) / m
    # no error: nothing varies between units
    units = np.nan_to_num(effects["se"].transpose("contrast", "task").to_numpy()) ** 2
    df = (
        effects["df"].transpose("contrast", "task").to_numpy()
        if "df" in effects
        else np.full(units.shape, np.inf)
    )
    spread = between**2 / (m - 1) + units**2 / df
    total = between + units
    columns = {
        "se": np.sqrt(total),
        "df": np.divide(total**2, spread, out=df.astype(float), where=spread > 0),
    }
    # of units alone
    effects = effects.drop_vars(["skewness", *OF_OWN_ARMS], errors="ignore")
    return effects.assign(
        {name: (("contrast", "task"), column) for name, column in columns.items()}
    )
