"""Rare effects, on few backgrounds: the share of these on which an effect must not be
missed.
"""

from __future__ import annotations

from typing import Any

import xarray as xr

from causalgia.analysis_values import as_field
from causalgia.attributes import about, has
from causalgia.choices import TARGET_MEANINGS
from causalgia.errors import EstimateError
from causalgia.estimation.effect_intervals import independent_units

RARE = 0.01
"""Default share of backgrounds on which an effect must not be missed."""


def as_rare(rare: Any, estimates: xr.Dataset) -> float | None:
    """Return the share of backgrounds on which an effect must not be missed, None where
    no such effects are assumed.

    ``"auto"`` is 1 % for predictions over a population of backgrounds, of which a few
    may have large effects. It is None for exactly these units, for an average over
    fewer than 300 real sequences, for tables of effects and for measured activities;
    the report then says that no rare, large effects are assumed.

    Raises
    ------
    EstimateError
        If it is neither ``"auto"``, ``"none"`` (or None) nor a number between 0 and 1.

    Examples
    --------
    >>> asked_of_a_network = xr.Dataset(attrs={"predictor_fingerprint": "0123"})
    >>> (
    ...     as_rare("auto", asked_of_a_network),
    ...     as_rare("auto", xr.Dataset()),
    ...     as_rare(0.02, xr.Dataset()),
    ... )
    (0.01, None, 0.02)
    """
    share = as_field("rare", rare, error=EstimateError)
    if share == "none":
        return None
    if share == "auto":
        attrs = estimates.attrs
        predicted = (
            has(attrs).predictor_fingerprint and not about(attrs, None).effect_on
        )
        target = TARGET_MEANINGS.get(about(attrs, "population").target)
        of_backgrounds = predicted and target is not None and target.of_backgrounds
        return RARE if of_backgrounds and not few_real_sequences(estimates) else None
    return float(share)


def few_real_sequences(estimates: xr.Dataset) -> int:
    """Return the number of real sequences used as backgrounds where they are too few
    for `RARE`, else 0.

    Unlike backgrounds from a null model, more of them cannot be drawn.

    Examples
    --------
    >>> found = xr.Dataset(
    ...     {"ace": ("contrast", [1.0]), "n_units": ("contrast", [24])},
    ...     attrs={"null_kind": "genomic"},
    ... )
    >>> few_real_sequences(found)
    24
    """
    if about(estimates, None).null_kind != "genomic" or "ace" not in estimates:
        return 0
    n = int(independent_units(estimates).max(initial=0.0))
    return n if n < 3 / RARE else 0
