"""Effects, errors and their laws that would give wrong intervals or wrong verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import (
    DataError,
    EstimateError,
)
from causalgia.estimation import helical_phase
from causalgia.multiplicity.adjusted_p import hierarchical_p
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.normal import normal

from . import Row

TWO = np.array([0.0, 1.0])
RNG = np.random.default_rng(0)


def crossover(n: int = 40, parents: int | None = None, n_arms: int = 3) -> xr.Dataset:
    """Return effects of arms against the first, of units with a parent each."""
    parent = np.arange(n) % (parents or n)
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), RNG.normal(size=(n, n_arms, 2)))},
        {
            "unit": np.arange(n),
            "arm": ["control", *(f"arm{i}" for i in range(1, n_arms))],
            "task": ["x", "y"],
            "parent": ("unit", [f"p{i}" for i in parent]),
            "gc": ("unit", np.arange(n) % 9 / 200),
        },
        {"scale": "counts"},
    )
    return cg.contrast(outcomes, control="control")


def parallel(n: int = 60, **coords: Any) -> xr.Dataset:
    """Return outcomes of a parallel trial of two arms, with covariates of units."""
    rng = np.random.default_rng(1)
    outcomes = xr.Dataset(
        {"outcome": (("unit", "task"), rng.normal(size=(n, 1)))},
        {
            "unit": np.arange(n),
            "arm": ["control", "arm1"],
            "task": ["x"],
            "assigned": ("unit", ["control", "arm1"] * (n // 2)),
            "x": ("unit", rng.normal(size=n)),
            **{name: ("unit", value) for name, value in coords.items()},
        },
        {"scale": "counts"},
    )
    return cg.contrast(outcomes, control="control")


def of_random_arms() -> xr.Dataset:
    """Return effects of arms of which one draws, once for each unit."""
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), RNG.normal(size=(40, 2, 1)))},
        {
            "unit": np.arange(40),
            "arm": ["control", "arm1"],
            "task": ["x"],
            "random": ("arm", [False, True]),
        },
        {"scale": "counts"},
    )
    return cg.contrast(outcomes, control="control")


def long_table(correlation: Any = None, n: int = 25) -> Any:
    """Return effects of contrasts in two tasks, with a correlation of their errors."""
    rows = [(f"c{k}", f"t{t}", 0.1 * k, 1.0) for k in range(n) for t in range(2)]
    table = pd.DataFrame(rows, columns=["contrast", "task", "effect", "se"])
    given = {} if correlation is None else {"task_correlation": correlation}
    return cg.from_effects(table.set_index("contrast"), **given)


def across(table: xr.Dataset, **options: Any) -> Any:
    return cg.infer(table, across="task", rng=0, **options)


def dependent_tasks() -> xr.Dataset:
    """Return estimates in two tasks and in their sum."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(80, 25, 2))
    y = np.concatenate([y, y.sum(axis=2, keepdims=True)], axis=2)
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["none", *(f"w{k}" for k in range(24))], "task": ["A", "B", "both"]},
    )
    return cg.estimate(cg.contrast(outcomes, control="none"), task_correlation=True)


def many_tasks() -> xr.Dataset:
    dims, zeros = ("contrast", "task"), np.zeros((20, 1_001))
    return xr.Dataset(
        {"ace": (dims, zeros), "se": (dims, zeros + 1)},
        {"contrast": np.arange(20), "task": [f"t{t}" for t in range(1_001)]},
    )


def of_models() -> xr.Dataset:
    return xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task", "model"),
                RNG.normal(size=(30, 2, 2, 3)),
            )
        },
        {"contrast": ["a", "b"], "task": ["x", "y"], "model": ["m", "n", "o"]},
    )


def ice(values: Any, **coords: Any) -> xr.Dataset:
    values = np.asarray(values, float)
    dims = ("unit", "contrast", "task", "model")[: values.ndim]
    names = {"contrast": [f"c{i}" for i in range(values.shape[1])], "task": ["t"]}
    return xr.Dataset({"ice": (dims, values)}, names | coords)


def curves() -> xr.Dataset:
    values = RNG.normal(size=(30, 1, 12, 1))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "position", "task"), values)},
        {"contrast": ["c"], "position": np.arange(12), "task": ["t"]},
    )


def waves(distance: Any, n: int = 12, **options: Any) -> Any:
    effects = ice(RNG.normal(size=(40, n, 1))).assign_coords(
        distance=("contrast", np.asarray(distance, float))
    )
    return helical_phase(effects, **options)


def p_values(p: Any, **coords: Any) -> xr.Dataset:
    p = np.asarray(p, float)
    return xr.Dataset(
        {"ace": ("contrast", np.ones_like(p)), "p": ("contrast", p)},
        {"contrast": [f"c{i}" for i in range(len(p))], **coords},
    )


Y, X, U = np.arange(6.0), np.ones((6, 1)), np.array([0, 0, 1, 1, 2, 2])
CROOKED = np.array([[1.0, 0.1], [0.3, 1.0]])
SWAPPED = pd.DataFrame(np.eye(2), index=["t1", "t0"], columns=["t1", "t0"])
HALF_PERIODS = 2.5 + 5.0 * np.arange(12)

ROWS = [
    Row(
        "a standard error below 0",
        lambda: cg.from_effects([1.0, 2.0], se=[1.0, -1.0]),
        EstimateError,
        "se",
    ),
    Row(
        "an effect that is infinite",
        lambda: cg.from_effects([1.0, np.inf], se=1.0),
        EstimateError,
        "effect",
    ),
    Row(
        "degrees of freedom that are infinite for some",
        lambda: cg.from_effects([1.0, 2.0], se=1.0, df=[np.inf, 5.0]),
        EstimateError,
        "df",
    ),
    Row(
        "a covariance that is not symmetric",
        lambda: cg.from_effects([1.0, 2.0], covariance=CROOKED),
        EstimateError,
    ),
    Row(
        "a covariance with a negative eigenvalue",
        lambda: cg.from_effects([1.0, 2.0], covariance=[[1.0, 1.5], [1.5, 1.0]]),
        EstimateError,
    ),
    Row(
        "a correlation of tasks that is not symmetric",
        lambda: long_table(CROOKED),
        EstimateError,
        "task_correlation",
    ),
    Row(
        "a correlation of tasks in another order",
        lambda: long_table(SWAPPED),
        EstimateError,
        "task_correlation",
    ),
    Row(
        "a share across tasks whose correlation is unknown",
        lambda: across(long_table()),
        EstimateError,
        "task_correlation",
    ),
    Row(
        "a share across tasks of 19 contrasts",
        lambda: across(long_table(np.eye(2), n=19)),
        EstimateError,
        "19",
    ),
    Row(
        "a share across one task",
        lambda: across(long_table(np.eye(2)).isel(task=[0])),
        EstimateError,
        "task",
    ),
    Row(
        "a share across tasks that repeat each other",
        lambda: across(long_table(np.ones((2, 2)))),
        EstimateError,
    ),
    Row(
        "a share across tasks and their sum",
        lambda: across(dependent_tasks()),
        EstimateError,
        "both",
    ),
    Row("a share across a thousand tasks", lambda: across(many_tasks()), EstimateError),
    Row(
        "draws across tasks that no memory holds",
        lambda: across(long_table(np.eye(2)), n_draws=20_000_000),
        EstimateError,
        "n_draws",
    ),
    Row(
        "effects whose squares no float holds",
        lambda: cg.infer(cg.from_effects(np.arange(12) * 1e307, se=1.0), rng=0),
        EstimateError,
    ),
    Row(
        "a correlation of tasks over several predictors",
        lambda: cg.estimate(of_models(), task_correlation=True),
        EstimateError,
        "task_correlation",
    ),
    Row(
        "a correlation of tasks at several positions",
        lambda: cg.estimate(curves(), task_correlation=True),
        EstimateError,
        "task_correlation",
    ),
    Row(
        "clusters of estimates, which have no units",
        lambda: cg.decide(
            cg.from_effects([0.2, 0.5], [0.1, 0.1]), rope=0, cluster="parent"
        ),
        EstimateError,
        "cluster",
    ),
    Row(
        "clusters by a measurement",
        lambda: cg.estimate(crossover(), cluster="gc"),
        EstimateError,
        "gc",
    ),
    Row(
        "a unit without its cluster",
        lambda: cg.estimate(
            crossover().assign_coords(
                plate=("unit", np.where(np.arange(40) == 3, np.nan, 1.0))
            ),
            cluster="plate",
        ),
        EstimateError,
        "plate",
    ),
    Row(
        "one cluster for all units",
        lambda: cg.estimate(crossover(parents=1)),
        EstimateError,
        "p0",
    ),
    Row(
        "strata of one unit",
        lambda: cg.estimate(crossover(), target="parents"),
        EstimateError,
        "parent",
    ),
    Row(
        "clusters beside strata",
        lambda: cg.estimate(crossover(parents=10), target="parents", cluster="unit"),
        EstimateError,
        "cluster",
    ),
    Row(
        "an arm that draws, known for exactly these units",
        lambda: cg.estimate(of_random_arms(), target="units"),
        EstimateError,
        "units",
    ),
    Row(
        "a target of predictions for measurements",
        lambda: cg.estimate(
            crossover().assign_attrs(model_is="replicates"), target="units"
        ),
        EstimateError,
        "target",
    ),
    Row(
        "a tipping point of measurements",
        lambda: cg.tipping_point(
            crossover().assign_attrs(model_is="replicates"),
            contrast="arm1",
            rope=(-1, 1),
        ),
        EstimateError,
        "measured",
    ),
    Row(
        "a target of measurements for predictions",
        lambda: cg.estimate(crossover(), target="population x replicates"),
        EstimateError,
        "replicates",
    ),
    Row(
        "blocks of a crossover",
        lambda: cg.estimate(crossover(), block="parent"),
        EstimateError,
        "block",
    ),
    Row(
        "covariates of a crossover",
        lambda: cg.estimate(crossover(), covariates="gc"),
        EstimateError,
        "covariates",
    ),
    Row(
        "a covariate that is nan",
        lambda: cg.estimate(
            parallel(z=np.where(np.arange(60) == 3, np.nan, 1.0 * np.arange(60))),
            covariates="z",
        ),
        EstimateError,
        "z",
    ),
    Row(
        "a covariate that does not vary",
        lambda: cg.estimate(parallel(z=np.ones(60)), covariates="z"),
        EstimateError,
        "z",
    ),
    Row(
        "blocks by a measurement",
        lambda: cg.estimate(parallel(), block="x"),
        EstimateError,
        "block",
    ),
    Row(
        "one block",
        lambda: cg.estimate(parallel(block=["b0"] * 60)),
        EstimateError,
        "b0",
    ),
    Row(
        "a block without one of the arms",
        lambda: cg.estimate(parallel(block=["b0"] + ["b1"] * 29 + ["b2"] * 30)),
        EstimateError,
        "b0",
    ),
    Row(
        "parents that cross blocks",
        lambda: cg.estimate(
            parallel(
                n=160,
                block=[f"b{i}" for i in np.arange(160) // 2 % 40],
                parent=[f"p{i}" for i in np.arange(160) // 16],
            )
        ),
        EstimateError,
        "block",
    ),
    Row(
        "a square beyond float64",
        lambda: cg.estimate(ice(1e200 * RNG.normal(size=(20, 2, 1)))),
        EstimateError,
        "c0",
    ),
    Row(
        "variances of one unit",
        lambda: cg.sample_size(ice(np.zeros((1, 1, 1, 3))), half_width=1.0),
        EstimateError,
    ),
    Row(
        "variances of values beyond double precision",
        lambda: cg.sample_size(
            ice(1e200 * RNG.normal(size=(9, 1, 1, 3))), half_width=1
        ),
        EstimateError,
    ),
    Row(
        "a wave whose sine is part of the trend",
        lambda: waves(HALF_PERIODS, period=10.0),
        EstimateError,
        "period",
    ),
    Row(
        "a wave at a distance of nan",
        lambda: waves([*range(11), np.nan]),
        EstimateError,
    ),
    Row("a wave over six distances", lambda: waves(range(6), n=6), EstimateError, "6"),
    Row(
        "a band of curves whose correlation was dropped",
        lambda: cg.simultaneous(
            cg.estimate(curves()).drop_vars("factor"), over="position"
        ),
        EstimateError,
        "position",
    ),
    Row(
        "a band of ten draws",
        lambda: cg.simultaneous(curves(), over="position", n_draws=10, rng=0),
        EstimateError,
        "n_draws",
    ),
    Row(
        "a curve that has a position twice",
        lambda: cg.simultaneous(
            curves().assign_coords(position=[0, *range(11)]), over="position", rng=0
        ),
        DataError,
        "position",
    ),
    Row(
        "p of a tree above 1",
        lambda: hierarchical_p([0.1, 1.2], np.array([-1, 0]), [2, 1]),
        EstimateError,
    ),
    Row(
        "a tree whose children are larger than their parent",
        lambda: hierarchical_p([0.1, 0.2], np.array([-1, 0]), [2, 3]),
        EstimateError,
    ),
    Row(
        "outliers of 39 placebos",
        lambda: cg.decide(
            cg.from_effects(np.arange(41.0), se=0.1).assign_coords(
                is_placebo=("contrast", np.arange(41) < 39)
            ),
            rope="placebo outliers",
        ),
        EstimateError,
        "39",
    ),
    Row(
        "an effect of nan",
        lambda: normal(np.array([1.0, np.nan]), Noise(np.ones(2)), Prior()),
        EstimateError,
    ),
    Row(
        "a variance of 0",
        lambda: normal(np.ones(2), Noise(np.array([0.0, 1.0])), Prior()),
        EstimateError,
    ),
    Row(
        "covariates that are sums of others",
        lambda: normal(
            np.arange(4.0),
            Noise(np.ones(4)),
            Prior(),
            covariates=np.array([[1.0, 2], [2, 4], [3, 6], [5, 10]]),
        ),
        EstimateError,
    ),
]
