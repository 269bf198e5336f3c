"""Settings of simulated and planned assays in one flat table, as tests vary them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd
import xarray as xr

import causalgia as cg

_NOISE = {field.name for field in fields(cg.mpra.NoiseModel)}


def with_noise(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as arguments: fields of the noise model are gathered in ``noise``,
    of a plan in its values.
    """
    gathered: dict[str, Any] = {
        "noise": cg.mpra.NoiseModel(
            **{k: v for k, v in settings.items() if k in _NOISE}
        )
    }
    for name, kind in {"contrast": cg.mpra.PlannedContrast}.items():
        names = {field.name for field in fields(kind)}
        if own := {key: value for key, value in settings.items() if key in names}:
            settings = {
                key: value for key, value in settings.items() if key not in names
            }
            gathered[name] = kind(**own)
    return {
        name: value for name, value in settings.items() if name not in _NOISE
    } | gathered


_GROUPS: dict[str, tuple[type, dict[str, str]]] = {
    "rules": (
        cg.mpra.OligoRules,
        {field.name: field.name for field in fields(cg.mpra.OligoRules)},
    ),
    "controls": (
        cg.mpra.Controls,
        {field.name: field.name for field in fields(cg.mpra.Controls)},
    ),
    "barcode_rules": (
        cg.mpra.BarcodeRules,
        {"barcode_length": "length", "min_distance": "min_distance", "seeds": "seeds"},
    ),
}


def library_of(design: Any, **options: Any) -> xr.Dataset:
    """The library of a design, with the fields of its rules and controls as in the flat
    table of a trial file.
    """
    for name, (kind, keys) in _GROUPS.items():
        if given := {
            keys[key]: options.pop(key) for key in list(options) if key in keys
        }:
            options[name] = kind(**given)
    return cg.mpra.library(design, **options)


def simulated_counts(activity: pd.DataFrame, **settings: Any) -> xr.Dataset:
    return cg.mpra.simulate(activity, **with_noise(settings))
