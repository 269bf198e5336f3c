"""Effects of a virtual trial as what is expected of the measured one."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.mpra.planning.noise_model import require_pilot
from causalgia.schema import require_dataset


def virtual_effects(pilot: xr.Dataset, slope: float | None) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the mean effect and its spread between backgrounds that a virtual trial lets one expect, on log2.

    ``slope * ACE`` and ``slope * sd(ICE)``. The spread is that of the predictor; what it does not see makes the
    measured one wider, and a noisy slope makes both uncertain.

    Parameters
    ----------
    pilot
        Effects, with ``ice (unit, contrast, task)``; or estimates, with ``ace``, ``se`` and ``n_units``.
    slope
        Measured log2 effect for one unit of the virtual effect.

    Raises
    ------
    EstimateError
        If there is no slope, or the table has neither ICE nor standard errors with their number of units.

    Examples
    --------
    >>> ice = xr.Dataset({"ice": (("unit", "contrast", "task"), np.array([[[0.0]], [[2.0]]]))})
    >>> effect, tau = virtual_effects(ice, slope=0.5)
    >>> effect.values.item(), round(tau.values.item(), 4)
    (0.5, 0.7071)
    """
    require_dataset(pilot, "effects")
    if slope is not None and (isinstance(slope, bool) or not isinstance(slope, int | float | np.number)):
        raise EstimateError(
            f"slope={quoted(slope)} is no number: the measured log2 effect for one unit of the virtual one"
        )
    if slope is None or not np.isfinite(slope):
        raise EstimateError(
            "slope= is missing: the measured log2 effect for one unit of the virtual one; take it from "
            "cg.mpra.concordance of an earlier library, or give 1 where the predictor's outcome is log2 activity"
        )
    if "ice" in pilot:
        ice = pilot["ice"].mean("model") if "model" in pilot["ice"].dims else pilot["ice"]
        return slope * ice.mean("unit"), abs(slope) * ice.std("unit", ddof=1)
    if {"ace", "se", "n_units"} <= set(pilot.variables):
        if "model" in pilot["ace"].dims:
            raise EstimateError("estimates of several predictors: pick one of the dim 'model', or give the effects")
        return slope * pilot["ace"], abs(slope) * pilot["se"] * np.sqrt(pilot["n_units"])
    raise EstimateError("the virtual pilot has no ice, and no ace with se and n_units; give effects from cg.contrast")


def of_same_contrasts(pilot: xr.Dataset, size: xr.DataArray) -> xr.Dataset:
    """Return a pilot with the contrasts of a virtual trial, by name; a pilot of one contrast speaks for all of them.

    Parameters
    ----------
    pilot
        Variance components.
    size
        Effects that are expected, by contrast.

    Raises
    ------
    EstimateError
        If the pilot has several contrasts, and lacks one of the trial's.

    Examples
    --------
    >>> noise = {"sd_barcode": 0.6, "sd_replicate": 0.1, "sd_noisiness": 0.0, "tau": ("contrast", [0.4])}
    >>> pilot = xr.Dataset(noise, {"contrast": ["GATA1"]}, {"plasmid": 0})
    >>> of_same_contrasts(pilot, xr.DataArray([0.5], {"contrast": ["two"]}, ("contrast",)))["tau"].item()
    0.4
    """
    require_pilot(pilot)
    if "contrast" not in pilot.dims or "contrast" not in size.dims:
        return pilot
    known, wanted = ([str(name) for name in x["contrast"].to_numpy()] for x in (pilot, size))
    absent = [name for name in wanted if name not in known]
    if not absent:
        return pilot.isel(contrast=[known.index(name) for name in wanted])
    if len(known) == 1:
        return pilot.isel(contrast=0, drop=True)
    raise EstimateError(
        f"the virtual contrast {quoted(absent[0])} is none of the pilot's ({', '.join(known)}); say whose noise it "
        f"has: pilot=pilot.sel(contrast={quoted(known[0])}, drop=True)"
    )
