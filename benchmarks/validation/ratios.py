"""Ratios of several means: coverage where each mean is clear of 0 and the product of
two is not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng

_SECTION = (
    "Ratios of four means (an interaction), each 12 standard errors from 0, 200 units: "
    "95 % intervals"
)
_AWAY, _N = 12.0, 200


def _outcomes(rng: Rng, n_tasks: int, *, parallel: bool) -> xr.Dataset:
    arms = ["0", "A", "B", "AB"]
    coords = {
        "unit": np.arange(_N),
        "arm": arms,
        "task": [f"t{t}" for t in range(n_tasks)],
    }
    coords |= {"a": ("arm", [0, 1, 0, 1]), "b": ("arm", [0, 0, 1, 1])}
    if parallel:
        y = _AWAY + np.sqrt(_N / 4) * rng.normal(size=(_N, n_tasks))
        coords |= {"assigned": ("unit", np.array(arms)[np.arange(_N) % 4])}
        return xr.Dataset({"outcome": (("unit", "task"), y)}, coords=coords)
    common, own = rng.normal(size=(_N, 1, n_tasks)), rng.normal(size=(_N, 4, n_tasks))
    y = _AWAY + np.sqrt(_N) * (np.sqrt(0.9) * common + np.sqrt(0.1) * own)
    return xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords=coords)


def covers(*, parallel: bool) -> Callable[[Rng, int], np.ndarray]:
    """Whether the interval of the ratio has 1 in it; a trial is a task."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        covered = []
        for first in range(0, n, 1_000):
            outcomes = _outcomes(rng, min(1_000, n - first), parallel=parallel)
            found = cg.estimate(
                cg.contrast(outcomes, interaction=["a", "b"], scale="ratio")
            )
            covered.append(
                ((found["lower"] <= 1) & (found["upper"] >= 1)).to_numpy().ravel()
            )
        return np.concatenate(covered)

    return trials


CHECKS = [
    Check(
        _SECTION,
        "ratio of four means, crossover, outcomes correlated at .9",
        covers(parallel=False),
        0.95,
        "at least",
    ),
    Check(
        _SECTION,
        "ratio of four means, parallel",
        covers(parallel=True),
        0.95,
        "at least",
    ),
]
