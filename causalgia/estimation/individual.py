"""Which effects are individual ones: what is said of their spread cannot be said of anything else."""

from __future__ import annotations

import xarray as xr

from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover_estimates import settled
from causalgia.estimation.from_moments import has_moments, needs_units
from causalgia.schema import validate
from causalgia.types import Array


def individual_effects(effects: xr.Dataset, what: str) -> Array:
    """Return the ICE, shape ``(n, K, ...)``; refuse where there are none, or fewer than three units.

    Parameters
    ----------
    effects
        From `contrast`, or any Dataset with ``ice (unit, contrast, task[, model])``.
    what
        What they are needed for.

    Raises
    ------
    EstimateError
        For a parallel trial, for moments, for a function of means, or with one or two units.

    Examples
    --------
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), [[[1.0]], [[2.0]], [[4.0]]])})
    >>> individual_effects(effects, "heterogeneity").ravel()
    array([1., 2., 4.])
    """
    if has_moments(effects):
        raise needs_units(what)
    validate(effects, "effects")
    if "ice" not in effects:
        raise EstimateError(
            f"{what} needs the individual effects (ICE) of a crossover, and in a parallel trial each unit shows one "
            'arm; run the design with assignment="crossover"'
        )
    scale = effects.attrs.get("transform")
    if scale in OF_MEANS:
        raise EstimateError(
            f"{what} needs individual effects, and scale={quoted(scale)} has influence values of a function of means; "
            "use scale='identity' or scale='log'"
        )
    if effects.sizes["unit"] < 3:
        raise EstimateError(f"{what} needs three or more units, and there are {effects.sizes['unit']}; draw more units")
    return settled(effects)
