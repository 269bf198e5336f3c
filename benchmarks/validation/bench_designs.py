"""Fits of libraries as the bench delivers them: elements that lack arms, replicates of
few reads, conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pandas as pd

import causalgia as cg
from validation.checks import Check, Rng
from validation.count_designs import amplified, conditions, ragged

Trials = Callable[[Rng, int], np.ndarray]


def _of_tables(one: Callable[[int], np.ndarray]) -> Trials:
    """Return what happened to n effects, of as many tables as that takes."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        first = int(rng.integers(2**31))
        found: list[np.ndarray] = []
        tables: Iterator[int] = count(first)
        while sum(map(len, found)) < n:
            found.append(one(next(tables)))
        return np.concatenate(found)[:n]

    return trials


def pairs_cover(method: str) -> Trials:
    """Whether intervals of the measured pairs hold the truth, where elements lack arms."""

    def one(seed: int) -> np.ndarray:
        counts, table = ragged(seed)
        fit = cg.mpra.fit(counts, control="WT", method=method)
        wide = table.pivot(index="element", columns="arm", values="log2")
        truth = wide[fit["contrast"].to_numpy()].sub(wide["WT"], axis=0)
        truth = truth.loc[fit["element"].to_numpy()].to_numpy()
        held = (fit["lower"] <= truth) & (truth <= fit["upper"])
        return np.asarray(held.to_numpy()[fit["measured"].to_numpy()])

    return _of_tables(one)


def error_with_few_reads(share: float) -> Trials:
    """The root mean square error of a fit of four replicates, of which one keeps a share
    of its reads, over that of the fit of the other three.
    """

    def error(counts: object, effect: np.ndarray) -> float:
        fit = cg.mpra.fit(counts, control="WT")
        return float(((fit["ace"].to_numpy().ravel() - effect) ** 2).mean())

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = []
        for seed in rng.integers(2**31, size=n):
            counts, effect = amplified(int(seed), share=share)
            three = counts.isel(replicate=slice(3))
            found.append((error(counts, effect) / error(three, effect)) ** 0.5)
        return np.array(found)

    return trials


def compared(arms: tuple[str, ...], *, shared: bool, respond: bool) -> Trials:
    """Whether p < .05 for oligos that respond to a condition, or that do not."""

    def one(seed: int) -> np.ndarray:
        counts, true = conditions(seed, arms, shared=shared)
        settings = {} if len(arms) == 1 else {"arm_control": arms[0]}
        fit = cg.mpra.conditions(counts, control="rest", **settings)
        p = fit["p"].isel(contrast=-1)
        names = [f"e{i}" for i in range(len(true))]
        truth = pd.Series(true[:, -1], names).loc[p["element"].to_numpy()].to_numpy()
        return np.asarray(p.to_numpy()[(truth != 0) == respond] < 0.05)

    return _of_tables(one)


_PAIRS = "Elements that lack arms, and replicates of few reads"
_CONDITIONS = "Conditions: 250 elements, 8 barcodes (sd .6), 3 replicates (sd .15) each"
_KINDS = {
    "one arm": ("tile",),
    "arm by condition": ("WT", "mut"),
}
CHECKS = [
    *(
        Check(
            _PAIRS,
            f"{method}: 95 % intervals of the pairs that were measured",
            pairs_cover(method),
            0.94,
            "at least",
            full=6_000,
            quick=250,
        )
        for method in ("hierarchical", "two_way")
    ),
    *(
        Check(
            _PAIRS,
            f"error of a fit over that without its worst replicate, of {share:g} of the "
            "reads",
            error_with_few_reads(share),
            1.01,
            "at most",
            full=60,
            quick=2,
        )
        for share in (0.1, 0.01, 0.001, 0.0001)
    ),
    *(
        Check(
            _CONDITIONS,
            f"{kind}, {'the same barcodes' if shared else 'barcodes of their own'}: no "
            "response, p < .05",
            compared(arms, shared=shared, respond=False),
            0.06,
            "at most",
            full=10_000,
            quick=400,
        )
        for kind, arms in _KINDS.items()
        for shared in (True, False)
    ),
    *(
        Check(
            _CONDITIONS,
            f"{kind}, {'the same barcodes' if shared else 'barcodes of their own'}: "
            "response of .4, p < .05",
            compared(arms, shared=shared, respond=True),
            power,
            "at least",
            full=3_000,
            quick=100,
        )
        for kind, arms, shared, power in (
            ("one arm", ("tile",), True, 0.65),
            ("one arm", ("tile",), False, 0.15),
            ("arm by condition", ("WT", "mut"), True, 0.35),
            ("arm by condition", ("WT", "mut"), False, 0.08),
        )
    ),
]
