"""Effects below the arithmetic: interactions that a network's architecture excludes,
and ones that are there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng

_SECTION = "Effects below the rounding error: a network in float32, 4 arms, 200 units"


def _estimates(rng: Rng, interaction: float) -> xr.Dataset:
    """Estimate the interaction of two words on a random network of two layers that adds
    up what each word does.
    """
    kernel = rng.normal(size=(8, 4, 5)).astype(np.float32)
    head = rng.normal(size=8).astype(np.float32)

    def answer(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(
            x.astype(np.float32), 5, axis=2
        )
        hidden = np.maximum(np.einsum("ncpw,kcw->nkp", windows, kernel), 0).astype(
            np.float32
        )
        both = (x[:, 0, 5:9].sum(1) == 4) & (x[:, 0, 25:29].sum(1) == 4)
        return (hidden.sum(axis=2) @ head).astype(np.float32) + np.float32(
            interaction
        ) * both

    predictor = cg.FunctionPredictor(
        answer, tasks=["y"], scale="s", fingerprint=f"{rng.integers(2**62):x}"
    )
    first, second = cg.Embed("AAAA", at=5), cg.Embed("AAAA", at=25)
    arms = {
        "0": cg.Embed("CCCC", at=5) + cg.Embed("CCCC", at=25),
        "A": first + cg.Embed("CCCC", at=25),
    }
    arms |= {"B": cg.Embed("CCCC", at=5) + second, "AB": first + second}
    contrasts = {"interaction": {"AB": 1, "A": -1, "B": -1, "0": 1}}
    design = cg.Design(
        null=cg.Uniform(length=36), arms=arms, n_units=200, contrasts=contrasts
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        return cg.estimate(
            cg.contrast(
                cg.run(design, predictor, rng=int(rng.integers(2**62)), progress=False)
            )
        )


def called(interaction: float) -> Callable[[Rng, int], np.ndarray]:
    """Whether the interaction is given a direction."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = (
            cg.decide(_estimates(rng, interaction), rope=0)["verdict"].item()
            for _ in range(n)
        )
        return np.array([verdict in ("increases", "decreases") for verdict in found])

    return trials


_LONG = (
    "Effects below the rounding error: one sequence of 51,200 bases at a time, 4 arms, "
    "60 units"
)


def _long_estimates(rng: Rng, interaction: float, *, exact: bool) -> xr.Dataset:
    """Estimate the interaction of two words 10 kb apart on a network that adds up what
    each position does.

    `exact`: the floor is measured against float64, on one sequence; else it is 32
    roundings of the largest answer.
    """
    import torch

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv1d(4, 8, 5)
            self.head = torch.nn.Linear(8, 1)
            for values in self.parameters():
                values.data = torch.from_numpy(
                    rng.normal(size=values.shape).astype(np.float32)
                )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            both = (x[:, 0, 5000:5004].sum(1) == 4) & (x[:, 0, 15000:15004].sum(1) == 4)
            return (
                self.head(torch.relu(self.layer(x)).sum(2))[:, 0] + interaction * both
            )

    net = Sum()

    def answer(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(x.astype(np.float32))).numpy()

    function = cg.FunctionPredictor(
        answer, tasks=["y"], scale="s", fingerprint=f"{rng.integers(2**62):x}"
    )
    predictor = (
        cg.TorchPredictor(net, tasks=["y"], scale="s", device="cpu")
        if exact
        else function
    )
    first, second = cg.Embed("AAAA", at=5000), cg.Embed("AAAA", at=15000)
    arms = {
        "0": cg.Embed("CCCC", at=5000) + cg.Embed("CCCC", at=15000),
        "A": first + cg.Embed("CCCC", at=15000),
    }
    arms |= {"B": cg.Embed("CCCC", at=5000) + second, "AB": first + second}
    contrasts = {"interaction": {"AB": 1, "A": -1, "B": -1, "0": 1}}
    design = cg.Design(
        null=cg.Uniform(length=51_200), arms=arms, n_units=60, contrasts=contrasts
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        return cg.estimate(
            cg.contrast(
                cg.run(design, predictor, rng=int(rng.integers(2**62)), progress=False)
            )
        )


def long_called(interaction: float, *, exact: bool) -> Callable[[Rng, int], np.ndarray]:
    """Whether the interaction is given a direction."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = (_long_estimates(rng, interaction, exact=exact) for _ in range(n))
        verdicts = [
            cg.decide(estimates, rope=0)["verdict"].item() for estimates in found
        ]
        return np.array([verdict in ("increases", "decreases") for verdict in verdicts])

    return trials


CHECKS = [
    Check(
        _SECTION,
        "only rounding: given a direction",
        called(0.0),
        0.001,
        "at most",
        500,
        40,
    ),
    Check(
        _SECTION,
        "an interaction of .01: given a direction",
        called(0.01),
        0.99,
        "at least",
        500,
        40,
    ),
    Check(
        _LONG,
        "only rounding, floor from float64: given a direction",
        long_called(0.0, exact=True),
        0.001,
        "at most",
        80,
        4,
    ),
    Check(
        _LONG,
        "only rounding, floor of 32 roundings: given a direction",
        long_called(0.0, exact=False),
        0.001,
        "at most",
        80,
        4,
    ),
    Check(
        _LONG,
        "an interaction of 10, floor from float64: given a direction",
        long_called(10.0, exact=True),
        0.99,
        "at least",
        30,
        4,
    ),
]
