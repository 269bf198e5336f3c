"""Ratios of means and their logarithms: one p and one interval, where means are clear of
0 and where they are not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check, Claim, Rng

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


Draw = Callable[[Rng, tuple[int, ...]], np.ndarray]


def _normal(away: float, n: int) -> Draw:
    """Outcomes whose mean over n lies so many standard errors from 0."""
    return lambda rng, shape: 1 + np.sqrt(n) / away * rng.normal(size=shape)


def _lognormal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return np.exp(rng.normal(size=shape))


def _poisson(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return 2.0 * rng.poisson(0.5, shape)


_N_UNCLEAR = 20
_LAWS: dict[str, Draw] = {
    "normal, 1.5 errors from 0": _normal(1.5, _N_UNCLEAR),
    "normal, 3 errors from 0": _normal(3.0, _N_UNCLEAR),
    "normal, 6 errors from 0": _normal(6.0, _N_UNCLEAR),
    "lognormal, sd 1": _lognormal,
    "Poisson, mean .5": _poisson,
}
_UNCLEAR = (
    "Ratios of means that are not clear of 0, 20 units an arm, those with means above 0: "
    "95 % intervals and p, alike on both scales"
)


def _pairs(
    draw: Draw, ratio: float, n_arms: int, *, parallel: bool, rng: Rng, n: int
) -> tuple[xr.Dataset, xr.Dataset]:
    """Estimates on both scales of a ratio of two or four means, in n tasks; the last arm
    is multiplied by the ratio.
    """
    names = ["0", "A", "B", "AB"][:n_arms]
    size = np.ones(n_arms)
    size[-1] = ratio
    coords = {"arm": names, "task": [f"t{t}" for t in range(n)]}
    coords |= {"a": ("arm", [0, 1, 0, 1][:n_arms]), "b": ("arm", [0, 0, 1, 1][:n_arms])}
    y = draw(rng, (_N_UNCLEAR, n_arms, n)) * size[:, None]
    if parallel:
        assigned = np.repeat(names, _N_UNCLEAR)
        y, dims = np.moveaxis(y, 1, 0).reshape(-1, n), ("unit", "task")
        coords |= {"assigned": ("unit", assigned)}
    else:
        dims = ("unit", "arm", "task")
    outcomes = xr.Dataset({"outcome": (dims, y)}, coords)
    how = {"interaction": ["a", "b"]} if n_arms == 4 else {"control": "0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of means that are not above 0
        found = [
            cg.estimate(cg.contrast(outcomes, scale=scale, **how)).squeeze("contrast")
            for scale in ("ratio", "log_of_means")
        ]
    known = found[0]["ace"].notnull().to_numpy()
    return found[0].isel(task=known), found[1].isel(task=known)


def _named(ratio: xr.Dataset, log: xr.Dataset) -> np.ndarray:
    """Whether p is .05 or less, by either scale."""
    return ((ratio["p"] <= 0.05) | (log["p"] <= 0.05)).to_numpy()


def _covers_3(ratio: xr.Dataset, log: xr.Dataset) -> np.ndarray:
    """Whether 3 lies in both intervals."""
    lower = np.maximum(np.exp(log["lower"]), ratio["lower"])
    upper = np.minimum(np.exp(log["upper"]), ratio["upper"])
    return ((lower <= 3) & (upper >= 3)).to_numpy()


def _alike(ratio: xr.Dataset, log: xr.Dataset) -> np.ndarray:
    """Whether p and limits are those of the other scale."""
    ends = [
        np.isclose(ratio[name], np.exp(log[name]), rtol=1e-9, atol=1e-12)
        for name in ("lower", "upper")
    ]
    return np.logical_and.reduce([*ends, np.isclose(ratio["p"], log["p"], rtol=1e-9)])


def of_both(
    draw: Draw,
    ratio: float,
    count: Callable[[xr.Dataset, xr.Dataset], np.ndarray],
    n_arms: int,
    *,
    parallel: bool,
) -> Callable[[Rng, int], np.ndarray]:
    """What is counted in trials with means above 0; a trial is a task."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        counted: list[np.ndarray] = []
        while sum(map(len, counted)) < n:
            found = _pairs(draw, ratio, n_arms, parallel=parallel, rng=rng, n=1_000)
            counted.append(count(*found))
        return np.concatenate(counted)[:n]

    return trials


_COUNTED: tuple[
    tuple[str, float, Callable[[xr.Dataset, xr.Dataset], np.ndarray], float, Claim], ...
] = (
    ("a ratio of 1, p <= .05", 1.0, _named, 0.05, "at most"),
    ("coverage of a ratio of 3", 3.0, _covers_3, 0.94, "at least"),
    ("p and limits alike on both scales", 3.0, _alike, 1.0, "at least"),
    ("reported, a ratio of 3, p <= .05", 3.0, _named, 1.0, "reported"),
)


def _rows() -> list[Check]:
    return [
        Check(
            _UNCLEAR,
            f"{'two' if n_arms == 2 else 'four'} means, "
            f"{'parallel' if parallel else 'crossover'}, {law}: {said}",
            of_both(draw, ratio, count, n_arms, parallel=parallel),
            nominal,
            claim,
        )
        for law, draw in _LAWS.items()
        for n_arms in (2, 4)
        for parallel in (False, True)
        for said, ratio, count, nominal, claim in _COUNTED
        if count is not _alike or law == "normal, 3 errors from 0"
    ]


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
    *_rows(),
]
