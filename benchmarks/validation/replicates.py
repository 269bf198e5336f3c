"""Replicates of barcode counts: averages over elements under noise that they share, and
verdicts on what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia.mpra.counts import counts_of
from validation.checks import Check, Rng

Trials = Callable[[Rng, int], np.ndarray]
Change = Callable[[np.ndarray, np.ndarray, np.ndarray, Rng], None]
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


# --- verdicts of `causalgia.mpra.quality`


def sound(**settings: Any) -> Trials:
    """Whether counts without fault have a verdict."""
    return _each(
        lambda rng: bool(_verdicts(_counts(rng, np.full(_ELEMENTS, 0.5), **settings)))
    )


def found(verdict: str, change: Change, replicates: int = _REPLICATES) -> Trials:
    """Whether the fault that was put in is found, named with its replicates, and
    nothing else.
    """

    def one(rng: Rng) -> bool:
        counts = _counts(rng, np.full(_ELEMENTS, 0.5), n_replicates=replicates)
        dna, rna = (counts[name].to_numpy().astype(float) for name in ("dna", "rna"))
        odd = rng.permutation(replicates)
        change(dna, rna, odd, rng)
        wrong = (
            sorted(odd[:2] + 1) if verdict in ("copied", "disagree") else [odd[0] + 1]
        )
        return _verdicts(_again(counts, dna, rna)) == [
            (verdict, [str(r) for r in wrong])
        ]

    return _each(one)


def _verdicts(counts: xr.Dataset) -> list[tuple[str, list[str]]]:
    records = json.loads(cg.mpra.quality(counts).attrs["verdicts"])
    return [(record["verdict"], sorted(record["replicates"])) for record in records]


def _again(counts: xr.Dataset, dna: np.ndarray, rna: np.ndarray) -> xr.Dataset:
    """Return counts with other reads, where none was observed still none."""
    return counts_of(
        np.where(counts["dna_observed"], dna, np.nan),
        np.where(counts["rna_observed"], rna, np.nan),
        barcodes=counts["barcode"].to_numpy(),
        oligos=counts["oligo"].to_numpy()[counts["oligo_index"].to_numpy()],
        side_table=counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index(),
    )


def _noisy(sd: float) -> Change:
    """Multiply the RNA of one replicate by noise that barcodes of an oligo share."""

    def change(_dna: np.ndarray, rna: np.ndarray, odd: np.ndarray, rng: Rng) -> None:
        per_oligo = np.repeat(
            rng.normal(0, sd, 2 * _ELEMENTS), len(rna) // (2 * _ELEMENTS)
        )
        rna[:, odd[0]] = np.rint(rna[:, odd[0]] * 2 ** np.resize(per_oligo, len(rna)))

    return change


def _made_of_another(how: Callable[[np.ndarray, Rng], np.ndarray]) -> Change:
    """Put in the place of the RNA of one replicate what is made of another's."""

    def change(_dna: np.ndarray, rna: np.ndarray, odd: np.ndarray, rng: Rng) -> None:
        rna[:, odd[1]] = how(rna[:, odd[0]], rng)

    return change


def _thinned(share: float) -> Callable[[np.ndarray, Rng], np.ndarray]:
    return lambda x, rng: rng.binomial(x.astype(np.int64), share)


def _shuffled(_dna: np.ndarray, rna: np.ndarray, odd: np.ndarray, rng: Rng) -> None:
    rna[:, odd[0]] = rng.permutation(rna[:, odd[0]])


def _swapped(dna: np.ndarray, rna: np.ndarray, odd: np.ndarray, _rng: Rng) -> None:
    dna[:, odd[0]], rna[:, odd[0]] = rna[:, odd[0]], dna[:, odd[0]].copy()


_AVERAGE = (
    "Averages of measured effects over elements: coverage of 95 % intervals, 4 "
    "replicates"
)
_QUALITY = (
    "Faults of replicates, from their counts: 60 elements, 8 barcodes, 4 replicates"
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
    *(
        Check(
            _QUALITY,
            f"sound counts{what}: any fault reported",
            sound(**settings),
            0.01,
            "at most",
            full=full,
            quick=20,
        )
        for what, full, settings in (
            ("", 500, {}),
            (", few reads", 500, {"depth_dna": 6.0, "depth_rna": 6.0}),
            (
                ", a fifth of cells silent",
                500,
                {"noise": cg.mpra.NoiseModel(p_silent=0.2)},
            ),
            (
                ", noisy replicates",
                500,
                {"noise": cg.mpra.NoiseModel(sd_replicate=1.5, sd_barcode=1.0)},
            ),
            (", two replicates", 200, {"n_replicates": 2}),
            (
                ", reads Poisson",
                200,
                {
                    "noise": cg.mpra.NoiseModel(
                        disp_dna=0.0, disp_rna=0.0, sd_replicate=0.0
                    )
                },
            ),
        )
    ),
    *(
        Check(
            _QUALITY,
            f"{what}: detected, and nothing else",
            found(name, change),
            0.99,
            "at least",
            full=full,
            quick=20,
        )
        for what, full, name, change in (
            (
                "RNA of one replicate noisier, sd 3 (log2) per oligo",
                500,
                "outlier",
                _noisy(3.0),
            ),
            (
                "RNA of one replicate copied from another",
                500,
                "copied",
                _made_of_another(lambda x, _: x),
            ),
            (
                "RNA of one replicate half of another's",
                200,
                "copied",
                _made_of_another(lambda x, _: np.rint(x / 2)),
            ),
            (
                "RNA of one replicate three times another's",
                200,
                "copied",
                _made_of_another(lambda x, _: 3 * x),
            ),
            (
                "RNA of one replicate another's, thinned to 30 %",
                200,
                "copied",
                _made_of_another(_thinned(0.3)),
            ),
            ("DNA and RNA of one replicate swapped", 500, "swapped", _swapped),
        )
    ),
    Check(
        _QUALITY,
        "RNA of one of two replicates shuffled: disagreement detected, and nothing "
        "else",
        found("disagree", _shuffled, replicates=2),
        0.95,
        "at least",
        full=200,
        quick=20,
    ),
]
