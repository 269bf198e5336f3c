"""Combinations of contrasts, and crossed tables with missing cells: coverage of 95 %
intervals.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.estimation.incomplete import crossed_reml
from validation.checks import Check, Rng
from validation.draws import normal

Trials = Callable[[Rng, int], np.ndarray]
_SECTION = (
    "Linear combinations of contrasts on the same units: 95 % intervals of a difference"
)
_CROSSED = (
    "Crossed tables with missing cells, 30 units, equal variance components, by REML: "
    "95 % intervals"
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
        found = cg.estimation.hypotheses(cg.estimate(effects), "a - b = 0")
        return ((found["lower"] <= 0) & (found["upper"] >= 0)).to_numpy().ravel()

    return trials


def incomplete(n_levels: int, missing: float) -> Trials:
    """Whether the interval for both populations has the truth in it; cells are missing
    at random.
    """

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        covered = np.empty(n_trials, dtype=bool)
        unit, level = np.indices((30, n_levels))
        for t in range(n_trials):
            y = (
                rng.normal(size=(30, 1))
                + rng.normal(size=(1, n_levels))
                + rng.normal(size=(30, n_levels))
            )
            there = rng.random(y.shape) >= missing
            codes = [
                np.unique(x[there], return_inverse=True)[1].astype(np.intp)
                for x in (unit, level)
            ]
            found = crossed_reml(y[there], *codes)
            covered[t] = abs(found.ace) <= stats.t.ppf(0.975, found.df) * found.se
        return covered

    return trials


def crossed(name: str, n_levels: int, missing: float) -> Check:
    """Return a row of tables with missing cells, whose fits take a twentieth of a
    second each.
    """
    return Check(
        _CROSSED,
        name,
        incomplete(n_levels, missing),
        0.95,
        "reported",
        full=2_000,
        quick=40,
    )


CHECKS = [
    Check(_SECTION, "difference of two contrasts, 20 units", differences(20), 0.95),
    Check(
        _SECTION,
        "difference of two contrasts, 120 units of 30 parents",
        differences(120, clustered=True),
        0.95,
    ),
    crossed("crossed table, 5 levels, a fifth of the cells missing", 5, 0.2),
    crossed("crossed table, 8 levels, a fifth of the cells missing", 8, 0.2),
    crossed("crossed table, 5 levels, half of the cells missing", 5, 0.5),
]
