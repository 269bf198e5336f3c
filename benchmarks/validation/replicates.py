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


# --- batches


def in_batches(what: str, *, told: bool, batches: tuple[int, ...]) -> Trials:
    """Whether nulls have p < .05, intervals cover, or effects of 1 have q <= .05, by
    element, where an oligo has noise of sd .3 that the replicates of a batch share.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        return np.concatenate([_of_batches(rng, batches, told)[what] for _ in range(n)])

    return trials


def _of_batches(
    rng: Rng, batches: tuple[int, ...], told: bool
) -> dict[str, np.ndarray]:
    E, B, R = 200, 8, len(batches)
    effect = np.where(np.arange(E) % 5 == 0, rng.choice([-1.0, 1.0], E), 0.0)
    of = np.repeat(np.arange(2 * E), B)
    shared = rng.normal(0, 0.3, (2 * E, max(batches) + 1))[:, list(batches)]
    activity = np.repeat(rng.normal(0, 1, E), 2)
    activity[1::2] += effect
    log2 = (activity[of] + rng.normal(0, 0.5, len(of)))[:, None]
    log2 = log2 + (shared + rng.normal(0, 0.12, shared.shape))[of]
    amount = 40 * rng.lognormal(0, 0.6, (len(of), 1)) * np.ones(R)
    dna, rna = (
        rng.poisson(amount * x * rng.gamma(5, 1 / 5, x.shape))
        for x in (np.ones(log2.shape), 2**log2)
    )
    names = np.array([f"e{i}_{arm}" for i in range(E) for arm in "ct"])
    side = pd.DataFrame({"oligo_name": names, "arm": [*"ct"] * E})
    side["element"] = np.repeat([f"e{i}" for i in range(E)], 2)
    counts = cg.mpra.counts_of(
        dna,
        rna,
        barcodes=[f"b{i}" for i in range(len(of))],
        oligos=names[of],
        side_table=side,
        batch=[f"day{i}" for i in batches] if told else None,
    )
    found = cg.mpra.fit(counts, control="c").isel(contrast=0)
    found = found.sel(element=[f"e{i}" for i in range(E)])
    p, q, low, high = (found[x].to_numpy() for x in ("p", "q", "lower", "upper"))
    return {
        "nulls": p[effect == 0] < 0.05,
        "coverage": (low <= effect) & (effect <= high),
        "power": q[effect != 0] <= 0.05,
    }


_BATCHES = "Replicates in batches, in which an oligo has noise of sd .3 of its own"
_LAYOUTS = {
    "two of two": (0, 0, 1, 1),
    "three of two": (0, 0, 1, 1, 2, 2),
    "of three and of one": (0, 0, 0, 1),
}
_PROMISED = {
    "nulls": ("p below .05 of nulls", 0.06, "at most"),
    "coverage": ("coverage of 95 % intervals", 0.94, "at least"),
    "power": ("power for an effect of 1, q <= .05", 0.0, "reported"),
}
_AVERAGE = (
    "Averages of measured effects over elements: coverage of 95 % intervals, 4 "
    "replicates"
)
CHECKS = [
    *(
        Check(
            _BATCHES,
            f"{name}, {'told' if told else 'not told'}: {says}",
            in_batches(what, told=told, batches=batches),
            nominal,
            claim if told else "reported",
            full=8,
            quick=1,
        )
        for name, batches in _LAYOUTS.items()
        for told in (True, False)
        for what, (says, nominal, claim) in _PROMISED.items()
    ),
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
