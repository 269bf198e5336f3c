"""Imports kernels of estimation and posterior from the inside: each has a least count of its own.

The fewest units, rows, levels and effects that each takes: one fewer is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import CausalgiaError, EstimateError
from causalgia.estimation import from_effects
from causalgia.estimation._helical_phase import helical_phase, trend_basis
from causalgia.estimation._random_effects import random_effects
from causalgia.estimation.crossover import (
    crossed_mean,
    crossed_variances,
    mean_ice,
    next_level,
    stratified_mean,
)
from causalgia.estimation.lines import (
    errors_in_both,
    errors_in_variables,
    weighted_line,
)
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.normal import normal
from causalgia.posterior.two_scales import two_scales


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape)


def effects(n: int, k: int = 1, **coords: Any) -> xr.Dataset:
    """Return ICE of n units in one task."""
    names = [f"c{i}" for i in range(k)]
    ice = (("unit", "contrast", "task"), numbers(n, k, 1))
    return xr.Dataset({"ice": ice}, {"contrast": names, "task": ["y"]} | coords)


def waves(n: int) -> xr.Dataset:
    return effects(n, 12, distance=("contrast", np.arange(20.0, 32)))


def parallel(n: int, covariates: int = 0) -> xr.Dataset:
    """Return effects of a parallel trial of n treated and ten control units."""
    arms = np.array(["b"] * n + ["c"] * 10)
    frame = pd.DataFrame({"arm": arms, "y": numbers(n + 10)})
    for j in range(covariates):
        frame[f"x{j}"] = numbers(n + 10, 3)[:, j]
    names = [f"x{j}" for j in range(covariates)]
    outcomes = cg.from_frame(frame, outcome="y", arm="arm", covariates=names or None)
    return cg.contrast(outcomes, control="c")


def groups_of(n: int, sizes: int = 2) -> np.ndarray:
    return np.repeat(np.arange(n), sizes)


LEAST: dict[str, tuple[Callable[[int], Any], int, type[CausalgiaError]]] = {
    "draws of a posterior": (
        lambda n: normal(numbers(3), Noise(np.ones(3)), Prior()).draw(
            n, np.random.default_rng(0)
        ),
        1,
        EstimateError,
    ),
    "draws of infer": (
        lambda n: cg.infer(TABLE, n_draws=n, rng=0),
        1,
        EstimateError,
    ),
    "effects of two scales": (
        lambda n: two_scales(numbers(n), Noise(np.ones(n))),
        2,
        EstimateError,
    ),
    "distances of a line and a wave": (
        lambda n: trend_basis(np.arange(float(n)), "linear"),
        5,
        EstimateError,
    ),
    "distances of a spline and a wave": (
        lambda n: trend_basis(np.arange(float(n)), "natural_spline_4"),
        8,
        EstimateError,
    ),
    "units of a wave": (
        lambda n: helical_phase(waves(n), trend="linear"),
        3,
        EstimateError,
    ),
    "clusters of a mean": (
        lambda n: mean_ice(numbers(2 * n), groups_of(n)),
        2,
        EstimateError,
    ),
    "units of a mean": (lambda n: mean_ice(numbers(n)), 2, EstimateError),
    "units of a stratum": (
        lambda n: stratified_mean(
            numbers(n + 3),
            np.r_[np.zeros(3, int), np.ones(n, int)],
            np.array([0.5, 0.5]),
        ),
        2,
        EstimateError,
    ),
    "levels of a crossed mean": (
        lambda n: crossed_mean(numbers(4, n)),
        2,
        EstimateError,
    ),
    "levels of a variance": (
        lambda n: crossed_variances(numbers(4, n)),
        2,
        EstimateError,
    ),
    "levels before the next": (lambda n: next_level(numbers(4, n)), 2, EstimateError),
    "units that differ": (lambda n: cg.moderation(effects(n), ()), 3, EstimateError),
    "units of one modifier": (
        lambda n: cg.moderation(effects(n, gc=("unit", numbers(n))), by="gc"),
        3,
        EstimateError,
    ),
    "units of two modifiers": (
        lambda n: cg.moderation(
            effects(n, a=("unit", numbers(n)), b=("unit", numbers(n) ** 2)),
            by=["a", "b"],
        ),
        4,
        EstimateError,
    ),
    "units of a variance": (
        lambda n: crossed_variances(numbers(n, 4)),
        2,
        EstimateError,
    ),
    "units of an arm with two covariates": (
        lambda n: cg.estimate(parallel(n, 2), covariates=["x0", "x1"]),
        4,
        EstimateError,
    ),
    "points of a line": (
        lambda n: errors_in_variables(
            np.arange(float(n)), numbers(n), y_covariance=np.ones(n)
        ),
        3,
        EstimateError,
    ),
    "parents of a line": (
        lambda n: weighted_line(
            numbers(2 * n), numbers(n, 2).ravel() ** 2, None, groups_of(n)
        ),
        3,
        EstimateError,
    ),
    "parents of a line with two errors": (
        lambda n: errors_in_both(
            np.arange(2.0 * n),
            np.arange(2.0 * n) + 0.1 * numbers(2 * n),
            *np.full((2, 2 * n), 0.01),
            cluster=groups_of(n),
        ),
        3,
        EstimateError,
    ),
    "effects of a mean": (
        lambda n: random_effects(numbers(n), np.ones(n)),
        2,
        EstimateError,
    ),
}


TABLE = from_effects(np.array([1.0, 2.0, 0.5]), se=1.0)


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("name", LEAST)
def test_the_least_is_taken_and_one_fewer_is_refused(name: str) -> None:
    call, least, error = LEAST[name]
    call(least)
    with pytest.raises(error):
        call(least - 1)
