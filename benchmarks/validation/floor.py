"""Effects below the arithmetic: interactions that a network's architecture excludes, and ones that are there."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng

_SECTION = "Effects below the arithmetic: a network in float32, 4 arms, 200 units"


def _estimates(rng: Rng, interaction: float) -> xr.Dataset:
    """Estimate the interaction of two words on a random network of two layers that adds up what each word does."""
    kernel = rng.normal(size=(8, 4, 5)).astype(np.float32)
    head = rng.normal(size=8).astype(np.float32)

    def answer(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float32), 5, axis=2)
        hidden = np.maximum(np.einsum("ncpw,kcw->nkp", windows, kernel), 0).astype(np.float32)
        both = (x[:, 0, 5:9].sum(1) == 4) & (x[:, 0, 25:29].sum(1) == 4)
        return (hidden.sum(axis=2) @ head).astype(np.float32) + np.float32(interaction) * both

    predictor = cg.FunctionPredictor(answer, tasks=["y"], scale="s", fingerprint=f"{rng.integers(2**62):x}")
    first, second = cg.Embed("AAAA", at=5), cg.Embed("AAAA", at=25)
    arms = {"0": cg.Embed("CCCC", at=5) + cg.Embed("CCCC", at=25), "A": first + cg.Embed("CCCC", at=25)}
    arms |= {"B": cg.Embed("CCCC", at=5) + second, "AB": first + second}
    contrasts = {"interaction": {"AB": 1, "A": -1, "B": -1, "0": 1}}
    design = cg.Design(null=cg.Uniform(length=36), arms=arms, n_units=200, contrasts=contrasts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        return cg.estimate(cg.contrast(cg.run(design, predictor, rng=int(rng.integers(2**62)), progress=False)))


def called(interaction: float) -> Callable[[Rng, int], np.ndarray]:
    """Whether the interaction is given a direction."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = (cg.decide(_estimates(rng, interaction), rope=0)["verdict"].item() for _ in range(n))
        return np.array([verdict in ("increases", "decreases") for verdict in found])

    return trials


CHECKS = [
    Check(_SECTION, "no interaction but rounding: given a direction", called(0.0), 0.001, "at most", 500, 40),
    Check(_SECTION, "an interaction of .01: given a direction", called(0.01), 0.99, "at least", 500, 40),
]
