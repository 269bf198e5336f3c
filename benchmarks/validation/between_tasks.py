"""Contrasts between tasks: coverage of the difference of two effects on the same units,
as it is and in sd.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng

_SECTION = "Contrasts between two tasks, errors correlated at .9: 95 % intervals"
Draw = Callable[[Rng, tuple[int, ...]], np.ndarray]


def _normal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def _exponential(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.exponential(size=shape) - 1


def _lognormal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)


def covers(
    n_units: int, draw: Draw, *, scale: str, as_if_known: bool = False
) -> Callable[[Rng, int], np.ndarray]:
    """Whether the interval of the difference has the truth in it; a trial is a pair of
    tasks.

    Effects are 3 in a task whose control has sd 1, and 2 in one of sd 2. With
    ``scale="sd"`` the individual effects vary little, so that the error is mostly that
    of the sd; `as_if_known` leaves that out.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        covered = []
        for first in range(0, n, 500):
            pairs = min(500, n - first)
            shape = (n_units, 2, pairs)
            sd = np.array([1.0, 2.0])[:, None]
            control = draw(rng, shape) * sd
            wide = 0.1 if scale == "sd" else 1.0
            common = np.sqrt(0.9) * rng.normal(size=(n_units, 1, pairs)) + np.sqrt(
                0.1
            ) * rng.normal(size=shape)
            ice = np.array([3.0, 2.0])[:, None] + wide * common
            truth = 3.0 / 1.0 - 2.0 / 2.0 if scale == "sd" else 1.0
            if as_if_known:
                z = (
                    ice / control.std(axis=0, ddof=1) * np.array([1.0, -1.0])[:, None]
                ).sum(axis=1)
                covered.append(
                    np.abs(z.mean(axis=0) - truth)
                    <= 1.96 * z.std(axis=0, ddof=1) / np.sqrt(n_units)
                )
                continue
            y = np.stack([control, control + ice], axis=1).reshape(n_units, 2, -1)
            tasks = [f"{side}{i}" for side in "ab" for i in range(pairs)]
            outcomes = xr.Dataset(
                {"outcome": (("unit", "arm", "task"), y)},
                {"arm": ["placebo", "motif"], "task": tasks},
            )
            between = {f"a{i} - b{i}": {f"a{i}": 1, f"b{i}": -1} for i in range(pairs)}
            found = cg.estimate(
                cg.contrast(outcomes, control="placebo", tasks=between, scale=scale)
            )
            covered.append(
                ((found["lower"] <= truth) & (found["upper"] >= truth))
                .to_numpy()
                .ravel()
            )
        return np.concatenate(covered)

    return trials


CHECKS = [
    Check(
        _SECTION,
        "K562 - HepG2, 50 units",
        covers(50, _normal, scale="identity"),
        0.95,
        "exact",
    ),
    Check(
        _SECTION,
        "K562 - HepG2 in sd, normal control, 1,000 units",
        covers(1_000, _normal, scale="sd"),
        0.95,
        "exact",
    ),
    Check(
        _SECTION,
        "K562 - HepG2 in sd, normal control, 200 units",
        covers(200, _normal, scale="sd"),
        0.95,
        "reported",
    ),
    Check(
        _SECTION,
        "K562 - HepG2 in sd, exponential control, 200 units",
        covers(200, _exponential, scale="sd"),
        0.95,
        "reported",
    ),
    Check(
        _SECTION,
        "K562 - HepG2 in sd, exponential control, 1,000 units",
        covers(1_000, _exponential, scale="sd"),
        0.95,
        "reported",
    ),
    Check(
        _SECTION,
        "K562 - HepG2 in sd, lognormal control, 200 units (a note reports the skewness "
        "of the control)",
        covers(200, _lognormal, scale="sd"),
        0.95,
        "reported",
    ),
    Check(
        _SECTION,
        "K562 - HepG2 in sd, the sd taken as known, 200 units",
        covers(200, _normal, scale="sd", as_if_known=True),
        0.95,
        "fails",
    ),
]
