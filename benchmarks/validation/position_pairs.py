"""Interactions of pairs of positions: how often the largest t over all pairs finds one
where there is none.

In uniform random sequences the base that is there is a random one, as is the one that
it is exchanged for, so that the average interaction of every pair is 0 for every
predictor, while those of single sequences are not.
"""

from __future__ import annotations

import warnings

import numpy as np

import causalgia as cg
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import Trials, each

_LENGTH, _LEVEL = 8, 0.05


def found_any(
    n_parents: int,
    n_each: int,
    threshold: float | None,
) -> Trials:
    """Whether the band of any of 28 pairs excludes 0; sequences of a parent
    share their first six bases.

    The predictor is a smooth function of all bases; above a threshold, few sequences
    interact at all.
    """

    def one(rng: Rng) -> bool:
        weights = 1.5 * rng.normal(size=(4, _LENGTH)) / _LENGTH**0.5

        def answer(x: np.ndarray) -> np.ndarray:
            total = (x * weights).sum(axis=(1, 2))
            return np.asarray(
                np.tanh(total)
                if threshold is None
                else np.maximum(total - threshold, 0)
            )[:, None]

        predictor = cg.FunctionPredictor(
            answer, tasks=["y"], scale="s", fingerprint=f"{rng.integers(2**62):x}"
        )
        tokens = rng.integers(0, 4, (n_parents * n_each, _LENGTH)).astype(np.uint8)
        parent = np.repeat(np.arange(n_parents), n_each)
        tokens[:, :6] = tokens[parent * n_each, :6]
        found = cg.attribution.interactions(tokens, predictor, progress=False)
        found = found.assign_coords(parent=("unit", parent))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
            band = cg.simultaneous(found, rng=int(rng.integers(2**62)))
        return bool(((band["lower"] > 0) | (band["upper"] < 0)).any())

    return each(one)


_SECTION = (
    "Interactions of pairs of positions: family-wise error of the largest t over all "
    "pairs"
)
CHECKS = [
    Check(
        _SECTION,
        f"28 pairs of positions, {words}",
        found_any(*how),
        _LEVEL,
        "at most",
        full=400,
        quick=40,
    )
    for words, how in (
        ("dunnett, 40 sequences", (40, 1, None)),
        ("dunnett, 60 sequences of 30 parents", (30, 2, None)),
        ("dunnett, 40 sequences of which few interact", (40, 1, 1.0)),
    )
]
