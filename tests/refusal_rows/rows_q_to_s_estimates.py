"""Imports estimators of arrays from the inside: they are given what no verb lets through.

Numbers from which no estimate, posterior or verdict can be made."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
)
from causalgia.estimation import from_effects
from causalgia.estimation._random_effects import random_effects
from causalgia.estimation.lines import errors_in_variables
from causalgia.multiplicity import rank_intervals, simultaneous
from causalgia.multiplicity.adjusted_p import hierarchical_p
from causalgia.multiplicity.multivariate_t import correlation_factor, equicoordinate
from causalgia.multiplicity.placebo import placebo_region
from causalgia.planning import sample_size
from causalgia.posterior.density_grids import resolve_density
from causalgia.posterior.error_covariance import Noise, noises_of
from causalgia.posterior.lattice import adaptive_cells
from causalgia.posterior.normal import normal
from causalgia.posterior.predictor_level import over_predictors
from refusal_rows import Row

TREE = np.array([-1, 0, 0, 1])
FRAME = pd.DataFrame(
    {
        "seq": ["s1", "s1", "s2", "s2"],
        "arm": [0, 1, 0, 1],
        "y": [1.0, 2.0, 1.5, 3.5],
        "gc": 0.5,
    }
)
ESTIMATES = from_effects([0.1, 0.4, -0.3, 0.2], se=0.2, names=["a", "b", "c", "d"])
RATIOS = ESTIMATES.assign(ace=ESTIMATES["ace"] + 1).assign_attrs(
    transform="ratio", null_value=1.0
)
SOME = np.arange(4.0)
NOISE = Noise(np.ones(4))


def with_one(value: float, n: int = 4) -> np.ndarray:
    """Return numbers of which the third is this one."""
    out = np.arange(1.0, n + 1)
    out[2] = value
    return out


def of_frame(frame: pd.DataFrame = FRAME, **given: Any) -> xr.Dataset:
    return cg.from_frame(
        frame, **({"outcome": "y", "arm": "arm", "unit": "seq"} | given)
    )


def line(x: np.ndarray, y: np.ndarray, covariance: Any = None) -> Any:
    covariance = np.eye(len(y)) if covariance is None else covariance
    return errors_in_variables(x, y, y_covariance=covariance)


def factorial(*means: tuple[float, float]) -> xr.Dataset:
    """Return outcomes of a 2 x 2 factorial in two tasks, with these means of 0, B, A
    and AB.
    """
    y = np.array(means) + np.array([-0.25, 0.25, 0.0])[:, None, None]
    levels = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["0", "B", "A", "AB"], "task": ["x", "y"]} | levels,
    )


NEGATIVE = factorial((1, 1), (2, 2), (3, 3), (4, -4))
BELOW_0 = factorial((1, 1), (2, 2), (3, 3), (-4, -5))


def words(second: np.ndarray, se: float = 0.01) -> xr.Dataset:
    """Return estimates of placebos in two tasks, usable in the first."""
    ace = np.column_stack([np.random.default_rng(0).normal(size=len(second)), second])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace),
            "se": (("contrast", "task"), np.full(ace.shape, se)),
        }
    )
    return table.assign_coords(
        task=["x", "y"], is_placebo=("contrast", np.full(len(second), True))
    )


def cells_of(height: float, slope: float) -> Any:
    """Return cells of a density of this height and slope everywhere."""

    def density(x: np.ndarray, state: np.ndarray) -> Any:
        return np.full(len(x), height), np.full(x.shape, slope), state

    return adaptive_cells(density, np.zeros(2), np.ones(2), np.array([4, 4]))


def level_of(effect: list[list[float]], prior: Prior) -> Any:
    def of_one(mean: Any, noise: Any) -> Any:
        return normal(mean, noise, Prior())

    return over_predictors(np.array(effect), Noise(np.ones(len(effect))), prior, of_one)


def effects_of(ice: np.ndarray, **coords: Any) -> xr.Dataset:
    """Return effects of each unit under contrasts a, b, ..."""
    names = [chr(97 + k) for k in range(ice.shape[1])]
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
        {"unit": np.arange(len(ice)), "contrast": names, "task": ["x"], **coords},
    )


NORMAL = effects_of(np.random.default_rng(0).normal(size=(40, 3)))
MODIFIED = effects_of(
    np.random.default_rng(0).normal(size=(12, 1)), dose=("unit", with_one(np.nan, 12))
)


def two_arms(control: Any, treated: Any, scale: str = "counts") -> xr.Dataset:
    y = np.stack([control, treated], axis=1).astype(float)[:, :, None]
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"unit": np.arange(len(y)), "arm": ["0", "A"], "task": ["K562"]},
        {"scale": scale},
    )


def outcomes_of_parallel_curves() -> Any:
    trial = cg.Design(
        null=cg.Uniform(length=200),
        arms={"control": cg.Untreated(), "site": cg.Embed("AGATAAG", at=90)},
        n_units=20,
        assignment="parallel",
        contrasts="control",
    )
    return cg.run(trial, cg.zoo.footprint(), rng=0)


def one_unit() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return simultaneous(effects_of(np.ones((1, 3))), rng=0)


def band(lower: float, upper: float) -> Any:
    ends = {"lower": ("contrast", [lower]), "upper": ("contrast", [upper])}
    return rank_intervals(xr.Dataset(ends))


ROWS = [
    # tables of a user
    Row(
        "a covariate that is the outcome",
        lambda: of_frame(covariates=["gc", "y"]),
        DataError,
        "y",
    ),
    Row(
        "names of arms that are lists",
        lambda: of_frame(FRAME.assign(arm=[(0, []), 1, (0, []), 1])),
        DataError,
        "arm",
    ),
    Row(
        "effects of two columns that differ",
        lambda: from_effects(
            pd.DataFrame({"estimate": SOME, "effect": with_one(9.0), "se": 1.0})
        ),
        EstimateError,
        "estimate",
    ),
    Row(
        "an error below 0", lambda: from_effects(SOME, se=with_one(-1.0)), EstimateError
    ),
    Row(
        "a variance of 0",
        lambda: from_effects(SOME, covariance=np.diag(with_one(0.0))),
        EstimateError,
    ),
    Row(
        "effects that were written with decimal commas",
        lambda: cg.infer(
            pd.DataFrame({"effect": ["1,81", "1,2"], "se": [0.2, 0.2]}), rng=0
        ),
        EstimateError,
    ),
    # p-values and bands
    Row(
        "a p-value above 1",
        lambda: hierarchical_p([0.1, 0.2, 1.1, 0.2], TREE, [4, 2, 2, 1]),
        EstimateError,
    ),
    Row(
        "a parent that is no earlier node",
        lambda: hierarchical_p([0.1] * 4, np.array([-1, 1, 0, 1]), [4, 2, 2, 1]),
        EstimateError,
    ),
    Row(
        "children that are larger than their node",
        lambda: hierarchical_p([0.1] * 4, TREE, [9, 2, 2, 3]),
        EstimateError,
        "node 1",
    ),
    Row(
        "a statistic without variance",
        lambda: equicoordinate(np.diag(with_one(0.0))),
        EstimateError,
        "contrast 2",
    ),
    Row(
        "a correlation of two values",
        lambda: correlation_factor(np.array([[1.0, 0.5], [0.4, 1.0]])),
        EstimateError,
    ),
    Row(
        "correlations that no statistics have",
        lambda: correlation_factor(
            np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
        ),
        EstimateError,
    ),
    Row(
        "degrees of freedom below 0",
        lambda: equicoordinate(np.eye(2), -1.0),
        EstimateError,
        "df",
    ),
    Row(
        "an error of a millionth by simulation",
        lambda: equicoordinate(
            np.kron(np.eye(6), np.full((5, 5), 0.5)) + 0.5 * np.eye(30),
            ci_prob=0.999999,
        ),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "draws of units for a band of parallel arms",
        lambda: simultaneous(
            cg.contrast(outcomes_of_parallel_curves()),
            over="position",
            method="sup_t",
            rng=0,
        ),
        EstimateError,
        "method",
    ),
    Row("a band of one unit", one_unit, EstimateError),
    Row(
        "a family that is no coordinate",
        lambda: simultaneous(NORMAL, family="motif", rng=0),
        EstimateError,
        "motif",
    ),
    Row(
        "ranks of intervals of each effect alone",
        lambda: rank_intervals(ESTIMATES),
        EstimateError,
    ),
    Row("ranks of an interval that is reversed", lambda: band(2.0, 1.0), EstimateError),
    Row(
        "ranks of an interval without a number",
        lambda: band(np.nan, 1.0),
        EstimateError,
    ),
    # scales
    Row(
        "a divisor below 0",
        lambda: cg.contrast(
            factorial((1, 1), (2, 2), (3, -3), (4, 4)),
            interaction=["a", "b"],
            scale=lambda none, a, b, both: (both - a - b + none, a),
        ),
        EstimateError,
        "-3",
    ),
    Row(
        "a function of means that is nan",
        lambda: cg.contrast(
            factorial((1, 1), (2, 2), (3, 3), (4, 4)),
            interaction=["a", "b"],
            scale=lambda none, a, b, both: np.log(-both),
        ),
        EstimateError,
    ),
    Row(
        "a logarithm of an outcome below 0",
        lambda: cg.contrast(NEGATIVE, interaction=["a", "b"], scale="log"),
        EstimateError,
        "AB",
    ),
    Row(
        "a logarithm of a mean below 0",
        lambda: cg.contrast(BELOW_0, control="AB", scale="log_of_means"),
        EstimateError,
        "AB",
    ),
    Row(
        "a ratio to a mean of 0",
        lambda: cg.contrast(two_arms([-1, 1], [1, 2]), control="0", scale="ratio"),
        EstimateError,
    ),
    Row(
        "a ratio of an arm below 0 to two",
        lambda: cg.contrast(
            BELOW_0, contrasts={"k": {"AB": 1, "A": -0.5, "B": -0.5}}, scale="ratio"
        ),
        EstimateError,
    ),
    Row(
        "a ratio of logarithms",
        lambda: cg.contrast(
            two_arms([1, 2], [1, 2], "log counts"), control="0", scale="ratio"
        ),
        EstimateError,
        "log counts",
    ),
    # posteriors
    Row(
        "a covariate that is nan",
        lambda: cg.infer(
            ESTIMATES.assign_coords(x=("contrast", [0.0, 1, np.nan, 2])),
            covariates="x",
            rng=0,
        ),
        EstimateError,
        "x",
    ),
    Row(
        "errors of several predictors as one",
        lambda: noises_of(ESTIMATES.expand_dims("model")),
        EstimateError,
        "model",
    ),
    Row(
        "a density that is too rough",
        lambda: resolve_density(lambda x: 5 * np.sin(1e6 * x), scale=1.0, upper=4.0),
        EstimateError,
    ),
    Row("cells of a density of 0", lambda: cells_of(-np.inf, 0.0), EstimateError),
    Row(
        "cells of a density that is too steep",
        lambda: cells_of(0.0, 1e9),
        EstimateError,
    ),
    Row(
        "predictors that agree exactly",
        lambda: level_of([[1.0, 1.0], [2.0, 2.0]], Prior()),
        EstimateError,
    ),
    # lines, and effects of effects
    Row("a line through nan", lambda: line(with_one(np.nan), SOME), EstimateError),
    Row(
        "a line of an error that is inf",
        lambda: line(SOME, SOME, with_one(np.inf)),
        EstimateError,
    ),
    Row(
        "a mean of an effect that is nan",
        lambda: random_effects(with_one(np.nan), np.ones(4)),
        EstimateError,
    ),
    Row(
        "a mean of a variance of 0",
        lambda: random_effects(SOME, with_one(0.0)),
        EstimateError,
    ),
    Row(
        "a region without ends",
        lambda: cg.moderation(MODIFIED, rope=(-np.inf, np.inf)),
        EstimateError,
        "rope",
    ),
    Row(
        "a modifier that is nan",
        lambda: cg.moderation(MODIFIED, by="dose"),
        EstimateError,
        "dose",
    ),
    # regions and levels
    Row(
        "a level below one half",
        lambda: cg.decide(ESTIMATES, rope=0, ci_prob=0.3),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "estimates at a level below one half",
        lambda: cg.estimate(NORMAL, ci_prob=0.05),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "a region that is reversed",
        lambda: cg.decide(ESTIMATES, rope={"effect": (1, 0)}),
        EstimateError,
        "rope",
    ),
    Row(
        "a region of 0 sd",
        lambda: cg.decide(ESTIMATES.assign(control_sd=ESTIMATES["se"]), rope="0 sd"),
        EstimateError,
        "0 sd",
    ),
    Row(
        "a region of ratios that is one number",
        lambda: cg.decide(RATIOS, rope=1.5),
        EstimateError,
        "1.5",
    ),
    Row(
        "a region of placebos that are not there",
        lambda: cg.decide(ESTIMATES, rope="placebo"),
        EstimateError,
        "placebo",
    ),
    Row(
        "a region of placebos that are alike",
        lambda: placebo_region(words(np.zeros(40))),
        EstimateError,
        "y",
    ),
    Row(
        "a region of placebos that are nearly all alike",
        lambda: placebo_region(words(np.r_[50.0, np.zeros(99)], 0.0)),
        EstimateError,
        "y",
    ),
    Row(
        "a plan of an sd without a square",
        lambda: sample_size(sd=1e300, rope=(-1, 1), true_effect=0),
        EstimateError,
        "sd",
    ),
    # what was asked of results that do not have it
    Row(
        "estimates of outcomes",
        lambda: cg.estimate(two_arms([1, 2, 4], [2, 4, 5])),
        DataError,
    ),
    Row(
        "contrasts of effects",
        lambda: cg.contrast(NORMAL, control="a"),
        DataError,
    ),
    Row(
        "an arm that is not there",
        lambda: cg.contrast(of_frame(), control="B"),
        EstimateError,
        "B",
    ),
    Row(
        "a control that is a number",
        lambda: cg.Analysis(control=0.0),
        DesignError,
        "control",
    ),
]
