"""The fewest units, rows, levels and effects that each verb takes: one fewer is refused
by name.
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
from causalgia.errors import CausalgiaError, EstimateError, InferenceError
from causalgia.estimation import from_effects
from causalgia.estimation._helical_phase import helical_phase, trend_basis
from causalgia.estimation._heterogeneity import modification
from causalgia.estimation._random_effects import random_effects
from causalgia.estimation._variance_components import variance_components
from causalgia.estimation.crossover import (
    crossed_mean,
    mean_ice,
    next_level,
    stratified_mean,
)
from causalgia.estimation.joint_tests import randomization_test
from causalgia.estimation.lines import (
    errors_in_both,
    errors_in_variables,
    weighted_line,
)
from causalgia.estimation.mixed_model import reml
from causalgia.posterior import prior_predictive
from causalgia.posterior._profile import gaussian_process
from causalgia.posterior.engines import over_predictors
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import check_proper, fixed_effects_design
from causalgia.posterior.mixture import mixture
from causalgia.posterior.normal import normal
from causalgia.verdicts import heterogeneity


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


LEAST: dict[str, tuple[Callable[[int], Any], int, type[CausalgiaError], str]] = {
    "draws of a posterior": (
        lambda n: normal(numbers(3), Noise(np.ones(3)), Prior()).draw(
            n, np.random.default_rng(0)
        ),
        *(1, InferenceError, "n_draws=0"),
    ),
    "draws of infer": (
        lambda n: cg.infer(TABLE, law="normal", n_draws=n, rng=0),
        1,
        InferenceError,
        "n_draws=0",
    ),
    "draws of a prior": (
        lambda n: prior_predictive(TABLE, n_draws=n, rng=0),
        1,
        InferenceError,
        "n_draws=0",
    ),
    "points of a profile": (
        lambda n: gaussian_process(
            numbers(n), Noise(np.ones(n)), np.arange(float(n)), log_prior=lambda s: -s
        ),
        *(4, InferenceError, "3 points: an exact smooth profile takes 4 to 300"),
    ),
    "effects under a flat tau": (
        lambda n: check_proper(n, fixed_effects_design(n, None, Prior()), FLAT_TAU),
        *(2, InferenceError, "1 effect with a flat prior of tau .* it takes 2 or more"),
    ),
    "effects under a flat tau and mu": (
        lambda n: check_proper(n, fixed_effects_design(n, None, FLAT), FLAT),
        *(
            3,
            InferenceError,
            "2 effects with a flat prior of tau .* it takes 3 or more",
        ),
    ),
    "predictors of one contrast under a flat tau": (
        lambda n: over_predictors(numbers(1, n), Noise(np.ones(1)), FLAT_TAU, usual),
        *(3, InferenceError, "one contrast of two predictors"),
    ),
    "contrasts of two predictors under a flat tau": (
        lambda n: over_predictors(numbers(n, 2), Noise(np.ones(n)), FLAT_TAU, usual),
        *(2, InferenceError, "one contrast of two predictors"),
    ),
    "distances of a line and a wave": (
        lambda n: trend_basis(np.arange(float(n)), "linear"),
        *(5, EstimateError, "needs 5 or more distances, and there are 4"),
    ),
    "distances of a spline and a wave": (
        lambda n: trend_basis(np.arange(float(n)), "natural_spline_4"),
        *(8, EstimateError, "needs 8 or more distances, and there are 7"),
    ),
    "units of a wave": (
        lambda n: helical_phase(waves(n), trend="linear"),
        *(3, EstimateError, "3 or more of them, and there are 2"),
    ),
    "clusters of a mean": (
        lambda n: mean_ice(numbers(2 * n), groups_of(n)),
        *(2, EstimateError, "1 cluster gives no spread"),
    ),
    "units of a mean": (
        lambda n: mean_ice(numbers(n)),
        2,
        EstimateError,
        "1 cluster gives no spread",
    ),
    "units of a stratum": (
        lambda n: stratified_mean(
            numbers(n + 3),
            np.r_[np.zeros(3, int), np.ones(n, int)],
            np.array([0.5, 0.5]),
        ),
        *(2, EstimateError, "a stratum of 1 unit"),
    ),
    "levels of a crossed mean": (
        lambda n: crossed_mean(numbers(4, n)),
        2,
        EstimateError,
        "one level gives no",
    ),
    "levels before the next": (
        lambda n: next_level(numbers(4, n)),
        2,
        EstimateError,
        "one level gives no",
    ),
    "units that differ": (
        lambda n: heterogeneity(effects(n)),
        *(3, EstimateError, "heterogeneity needs three or more units, and there are 2"),
    ),
    "units of one modifier": (
        lambda n: modification(effects(n, gc=("unit", numbers(n))), by="gc"),
        *(3, EstimateError, "modification needs three or more units, and there are 2"),
    ),
    "units of two modifiers": (
        lambda n: modification(
            effects(n, a=("unit", numbers(n)), b=("unit", numbers(n) ** 2)),
            by=["a", "b"],
        ),
        *(4, EstimateError, "2 covariates need 4 or more units, and there are 3"),
    ),
    "units of a variance": (
        lambda n: variance_components(effects(n)),
        2,
        EstimateError,
        "1 unit gives no variance",
    ),
    "units of an arm": (
        lambda n: cg.estimate(parallel(n)),
        *(2, EstimateError, r"arm 'b' has 1 unit\(s\), and a spread needs two"),
    ),
    "units of an arm with two covariates": (
        lambda n: cg.estimate(parallel(n, 2), covariates=["x0", "x1"]),
        *(
            4,
            EstimateError,
            r"arm 'b' has 3 units, and 2 covariate\(s\) need 4 or more",
        ),
    ),
    "points of a line": (
        lambda n: errors_in_variables(
            np.arange(float(n)), numbers(n), y_covariance=np.ones(n)
        ),
        *(3, EstimateError, "x and y are 2 and 2 numbers"),
    ),
    "parents of a line": (
        lambda n: weighted_line(
            numbers(2 * n), numbers(n, 2).ravel() ** 2, None, groups_of(n)
        ),
        *(3, EstimateError, "2 parents give no standard error of a line"),
    ),
    "parents of a line with two errors": (
        lambda n: errors_in_both(
            np.arange(2.0 * n),
            np.arange(2.0 * n) + 0.1 * numbers(2 * n),
            *np.full((2, 2 * n), 0.01),
            cluster=groups_of(n),
        ),
        *(3, EstimateError, "2 parents give no standard error of a line"),
    ),
    "rows of a mixed model": (
        lambda n: reml(
            numbers(n),
            np.column_stack([np.ones(n), np.arange(n)]),
            {"unit": np.arange(n) // 2},
        ),
        *(4, EstimateError, "3 rows for 2 fixed effects leave no spread"),
    ),
    "levels of a grouping": (
        lambda n: reml(numbers(4 * n), np.ones((4 * n, 1)), {"unit": groups_of(n, 4)}),
        *(2, EstimateError, "grouping 'unit' has one level"),
    ),
    "effects of a mean": (
        lambda n: random_effects(numbers(n), np.ones(n)),
        *(2, EstimateError, "1 effects for 1 coefficients leave no spread"),
    ),
    "effects of a line": (
        lambda n: random_effects(numbers(n), np.ones(n), covariates=numbers(n) ** 2),
        *(3, EstimateError, "2 effects for 2 coefficients leave no spread"),
    ),
    "units of an arm under Welch's t": (
        lambda n: randomization_test(
            numbers(n + 3), np.arange(n + 3) < n, statistic="welch_t"
        ),
        *(
            2,
            EstimateError,
            "there are 1 treated and 3 control units; 2 or more of each",
        ),
    ),
    "units of an arm by permutation": (
        lambda n: randomization_test(numbers(n + 3), np.arange(n + 3) >= 3),
        *(
            1,
            EstimateError,
            "there are 0 treated and 3 control units; 1 or more of each",
        ),
    ),
}
FLAT_TAU = Prior(tau="uniform", tau_scale=np.inf)
FLAT = Prior(mu_sd=np.inf, tau="uniform", tau_scale=np.inf)
TABLE = from_effects(np.array([1.0, 2.0, 0.5]), se=1.0)


def usual(mean: np.ndarray, noise: Noise) -> Any:
    return normal(mean, noise, Prior())


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("name", LEAST)
def test_the_least_is_taken_and_one_fewer_is_refused(name: str) -> None:
    call, least, error, words = LEAST[name]
    call(least)
    with pytest.raises(error, match=words):
        call(least - 1)


REFUSED: dict[str, tuple[Callable[[], Any], type[CausalgiaError], str]] = {
    "a mode of effects": (
        lambda: mixture(numbers(4), Noise(np.ones(4)), Prior(), mode="median"),
        *(InferenceError, "mode='median' is neither 'zero' nor 'estimate'"),
    ),
    "what counts alike": (
        lambda: cg.estimate(effects(4), weights="parents"),
        *(EstimateError, "weights='parents' must be one of \"units\""),
    ),
    "degrees of freedom": (
        lambda: reml(
            numbers(6), np.ones((6, 1)), {"unit": groups_of(3)}, ddf="containment"
        ),  # type: ignore[arg-type]
        *(
            EstimateError,
            "df='containment' is neither 'satterthwaite' nor 'kenward_roger'",
        ),
    ),
    "codes that are no integers": (
        lambda: reml(numbers(6), np.ones((6, 1)), {"unit": groups_of(3) * 1.0}),  # type: ignore[dict-item]
        *(
            EstimateError,
            r"grouping 'unit' has shape \(6,\) and dtype float64; give 6 integers",
        ),
    ),
    "codes of other rows": (
        lambda: reml(numbers(6), np.ones((6, 1)), {"unit": groups_of(4)}),
        *(
            EstimateError,
            r"grouping 'unit' has shape \(8,\) and dtype int64; give 6 integers",
        ),
    ),
    "two forms of errors": (
        lambda: random_effects(numbers(4), np.ones(4), covariance=np.eye(4)),
        *(EstimateError, "give either variance= .* or covariance=, and not both"),
    ),
    "no errors": (
        lambda: random_effects(numbers(4)),
        EstimateError,
        "give either variance= .* and not both",
    ),
    "instances of outcomes": (
        lambda: variance_components(outcomes(), instance="motif"),
        *(EstimateError, "instance='motif' groups effects; give control= too"),
    ),
    "a spread without a square": (
        lambda: variance_components(effects(4) * 1e160),
        *(EstimateError, "have no variance in double precision; rescale them"),
    ),
    "a spread without a square among others": (
        lambda: variance_components(
            effects(4, 3) * xr.DataArray([1.0, 1e-160, 1.0], dims="contrast")
        ),
        *(EstimateError, "have no variance in double precision; rescale them"),
    ),
    "a name twice": (
        lambda: from_effects(numbers(3), se=1.0, names=["a", "b", "a"]),
        *(EstimateError, "the name a appears 2 times; make names unique"),
    ),
    "blocks beside parents": (
        lambda: cg.estimate(
            parallel(4).assign_coords(PARENTS), target="parents", block="other"
        ),
        *(
            EstimateError,
            "target='parents' takes parents as blocks; leave block='other' out",
        ),
    ),
    "a unit without a parent": (
        lambda: cg.estimate(
            effects(4, parent=("unit", np.array(["p", "q", None, "q"], dtype=object)))
        ),
        *(EstimateError, "unit 2 has no 'parent'; fill it in"),
    ),
}
PARENTS = {name: ("unit", np.arange(14) % 2) for name in ("parent", "other")}


def outcomes() -> xr.Dataset:
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), numbers(4, 2, 1))},
        {"arm": ["a", "b"], "task": ["y"]},
    )


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_cure(name: str) -> None:
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call()
