"""Which contrasts are exchangeable: draws from one law of effects."""

from __future__ import annotations

import xarray as xr

from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.types import Mask

EXCHANGEABLE = "exchangeable"
"""Coordinate on contrast: contrasts that share a label are exchangeable, those with an
empty one with none.
"""


def exchangeable_contrasts(table: xr.Dataset) -> Mask:
    """Return which contrasts are exchangeable with others, (contrast,): placebos and
    those with an empty label ``exchangeable`` are not.
    """
    kept: Mask = ~is_placebo(table)
    if EXCHANGEABLE in table.coords:
        kept &= table[EXCHANGEABLE].to_numpy().astype(str) != ""
    return kept
