"""Settings of simulated and planned assays in one flat table, as tests vary them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd
import xarray as xr

import causalgia as cg

_NOISE = {field.name for field in fields(cg.mpra.NoiseModel)}


def with_noise(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as arguments: fields of the noise model are gathered in ``noise``."""
    noise = {name: value for name, value in settings.items() if name in _NOISE}
    return {name: value for name, value in settings.items() if name not in _NOISE} | {
        "noise": cg.mpra.NoiseModel(**noise)
    }


def simulated_counts(activity: pd.DataFrame, **settings: Any) -> xr.Dataset:
    return cg.mpra.simulate(activity, **with_noise(settings))
