"""Replicates of barcode counts: averages over elements under noise that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng

Trials = Callable[[Rng, int], np.ndarray]
_ELEMENTS, _REPLICATES = 60, 4


def _each(one: Callable[[Rng], bool]) -> Trials:
    return lambda rng, n: np.array([one(rng) for _ in range(n)])


# --- averages over elements


def average_covers(method: str, between: float, p_silent: float = 0.0) -> Trials:
    """Whether 95 % intervals cover the average over elements, the effect shifted by sd
    `between` in each replicate.
    """

    def one(rng: Rng) -> bool:
        truth = rng.normal(0.5, 0.3, 40)
        counts = _counts(
            rng,
            truth,
            n_barcodes=6,
            depth_rna=400.0,
            noise=cg.mpra.NoiseModel(p_silent=p_silent),
        )
        treated = (counts["arm"].to_numpy() == "t")[counts["oligo_index"].to_numpy()]
        factor = np.where(
            treated[:, None], 2 ** rng.normal(0, between, _REPLICATES), 1.0
        )
        rna = np.rint(counts["rna"].to_numpy() * factor).astype(np.int64)
        fitted = cg.mpra.fit(
            counts.assign(rna=(counts["rna"].dims, rna)), control="c", method=method
        )
        found = cg.mpra.average(fitted)
        return bool(found["lower"].item() <= 0.5 <= found["upper"].item())

    return _each(one)


def _counts(rng: Rng, effect: np.ndarray, **settings: Any) -> xr.Dataset:
    base = rng.normal(0, 0.8, len(effect))
    names = np.repeat([f"e{i}" for i in range(len(effect))], 2)
    log2 = np.column_stack([base, base + effect]).ravel()
    table = pd.DataFrame(
        {"element": names, "arm": ["c", "t"] * len(effect), "log2": log2}
    )
    return cg.mpra.simulate(
        table,
        **{
            "n_barcodes": 8,
            "n_replicates": _REPLICATES,
            "rng": int(rng.integers(2**31)),
        }
        | settings,
    )


_AVERAGE = (
    "Averages of measured effects over elements: coverage of 95 % intervals, 4 "
    "replicates"
)
CHECKS = [
    *(
        Check(
            _AVERAGE,
            f"{method}, effects shifted by {between:g} between "
            f"replicates{silent and ', a fifth of cells silent'}",
            average_covers(method, between, 0.2 if silent else 0.0),
            0.94,
            "at least",
            full=300,
            quick=12,
        )
        for method, between, silent in (
            ("two_way", 0.0, ""),
            ("two_way", 0.2, ""),
            ("hierarchical", 0.0, ""),
            ("hierarchical", 0.2, ""),
            ("hierarchical", 0.0, "silent"),
        )
    ),
]
