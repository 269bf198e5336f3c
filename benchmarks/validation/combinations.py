"""Combinations of contrasts: coverage of 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng
from validation.draws import normal

Trials = Callable[[Rng, int], np.ndarray]
_SECTION = (
    "Linear combinations of contrasts on the same units: 95 % intervals of a difference"
)
_PARENTS = np.repeat(np.arange(30), 4)


def differences(n: int, *, clustered: bool = False) -> Trials:
    """Whether the interval of "a - b = 0" has 0 in it, of effects that share most of
    what varies; a trial is a task.
    """

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        ice = normal(rng, (n, 1, n_trials)) + 0.5 * normal(rng, (n, 2, n_trials))
        coords = {"contrast": ["a", "b"]}
        if clustered:
            ice = ice + normal(rng, (30, 2, n_trials))[_PARENTS]
            coords |= {"parent": ("unit", _PARENTS)}
        effects = xr.Dataset(
            {"ice": (("unit", "contrast", "task"), ice)}, coords=coords
        )
        found = cg.estimate(cg.estimation.hypotheses(effects, "a - b = 0"))
        return ((found["lower"] <= 0) & (found["upper"] >= 0)).to_numpy().ravel()

    return trials


CHECKS = [
    Check(_SECTION, "difference of two contrasts, 20 units", differences(20), 0.95),
    Check(
        _SECTION,
        "difference of two contrasts, 120 units of 30 parents",
        differences(120, clustered=True),
        0.95,
    ),
]
