"""Verdicts on what cannot be decided, lines, tilts and posteriors without an answer."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.errors import (
    CausalgiaWarning,
    EstimateError,
)
from causalgia.estimation.lines import (
    errors_in_both,
    errors_in_variables,
    weighted_line,
)
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.two_scales import two_scales

from . import Row

EFFECT = ("contrast", "task")
ONE = cg.from_effects([0.0], [1.0])
TWO = xr.Dataset(
    {"ace": (EFFECT, [[1.0, 1.0]]), "se": (EFFECT, [[0.1, 0.1]])},
    {"contrast": ["a"], "task": ["x", "y"]},
)
AT, SAME = np.arange(4.0), np.ones(4)


def units(n: int = 100, **on_unit: Any) -> xr.Dataset:
    """Return outcomes of a word and its control, and gc of each unit."""
    rng = np.random.default_rng(0)
    y = 30 + rng.normal(size=(n, 2, 1)) + [[0.0], [1.0]]
    coords = {"unit": np.arange(n), "arm": ["control", "word"], "task": ["K562"]}
    on_unit = {"gc": rng.normal(size=n)} | on_unit
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords | {name: ("unit", x) for name, x in on_unit.items()},
    )


def tilted(outcomes: xr.Dataset | None = None, **options: Any) -> xr.Dataset:
    outcomes = units() if outcomes is None else outcomes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        return cg.tipping_point(
            outcomes, contrast="word - control", rope=(-0.5, 0.5), **options
        )


def parallel() -> xr.Dataset:
    coords = {
        "unit": np.arange(100),
        "task": ["K562"],
        "assigned": ("unit", ["control", "word"] * 50),
        "arm": ["control", "word"],
        "gc": ("unit", np.arange(100.0)),
    }
    return xr.Dataset(
        {"outcome": (("unit", "task"), np.arange(100.0)[:, None])}, coords
    )


def of_one_unit() -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        one = cg.estimate(xr.Dataset({"ice": (("unit", *EFFECT), [[[1.0]]])}))
    return cg.decide(one, rope=(-0.1, 0.1))


def seen_to_be_larger() -> xr.Dataset:
    cells = {"ace": 1.3, "se": 0.05, "n_units": 50, "largest_ice": 4.0}
    table = xr.Dataset({name: (EFFECT, [[x]]) for name, x in cells.items()})
    return cg.decide(table, rope=(-1, 1), largest=3.0)


ROWS = [
    Row(
        "a covariate is the same in all units",
        lambda: tilted(by=np.ones(100)),
        EstimateError,
        "by",
    ),
    Row(
        "a covariate of a unit is nan",
        lambda: tilted(by=np.r_[np.nan, np.arange(99.0)]),
        EstimateError,
        "unit 0",
    ),
    Row(
        "a covariate comes in another order",
        lambda: tilted(by=lambda y: y["gc"][::-1]),
        EstimateError,
        "order",
    ),
    Row(
        "a series comes in another order",
        lambda: tilted(by=units()["gc"].to_series().sort_values()),
        EstimateError,
        "order",
    ),
    Row("a tilt of a ratio", lambda: tilted(scale="ratio"), EstimateError),
    Row("a tilt of 40 units", lambda: tilted(units(40)), EstimateError, "40"),
    Row(
        "a tilt of ten parents",
        lambda: tilted(units(parent=np.arange(100) % 10)),
        EstimateError,
        "10",
    ),
    Row("a tilt of a parallel trial", lambda: tilted(parallel()), EstimateError),
    Row(
        "a region to decide is reversed",
        lambda: cg.decide(ONE, rope=(0.2, -0.2)),
        EstimateError,
        "rope",
    ),
    Row(
        "a region to decide is one number below 0",
        lambda: cg.decide(ONE, rope=-0.3),
        EstimateError,
        "rope",
    ),
    Row(
        "a region of 0 sd",
        lambda: cg.decide(ONE.assign(control_sd=ONE["ace"] + 1), rope="0 sd"),
        EstimateError,
        "rope",
    ),
    Row(
        "a region in sd of a control that is not known",
        lambda: cg.decide(ONE, rope="0.2 sd"),
        EstimateError,
        "control",
    ),
    Row(
        "a region in sd of a control that does not vary",
        lambda: cg.decide(ONE.assign(control_sd=ONE["ace"] * 0), rope="0.2 sd"),
        EstimateError,
        "control",
    ),
    Row(
        "a region lacks a task",
        lambda: cg.decide(TWO, rope={"x": (-0.1, 0.1)}),
        EstimateError,
        "y",
    ),
    Row("a verdict on one unit", of_one_unit, EstimateError, "unit"),
    Row(
        "a largest effect is stated of some tasks",
        lambda: cg.decide(TWO, rope=0, largest={"x": 9.0}),
        EstimateError,
        "largest",
    ),
    Row(
        "a verdict at the level 1",
        lambda: cg.decide(ONE, rope=0, ci_prob=1.0),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "a largest effect of 0 to decide",
        lambda: cg.decide(ONE, rope=0, largest=0),
        EstimateError,
        "largest",
    ),
    Row("a larger effect was seen", seen_to_be_larger, EstimateError, "largest"),
    Row(
        "variances of one row, moderated",
        lambda: cg.decide(ONE, rope=0, shrink=cg.Shrinkage(variances=True)),
        EstimateError,
        "variances",
    ),
    Row(
        "a unit of effects of 0",
        lambda: two_scales(np.ones(30), Noise(np.ones(30)), unit=0.0),
        EstimateError,
        "unit",
    ),
    Row(
        "a line is vertical",
        lambda: errors_in_variables(
            np.tile([-1.0, 1.0], 10),
            np.repeat([-1.0, 1.0], 10),
            y_covariance=np.full(20, 0.5),
            x_covariance=np.full(20, 4.0),
        ),
        EstimateError,
    ),
    Row(
        "a line of points in one place",
        lambda: errors_in_both(SAME, AT, SAME, SAME),
        EstimateError,
    ),
    Row(
        "a line of points of which one has no error",
        lambda: errors_in_both(AT, AT, SAME, np.array([1.0, 1.0, 0.0, 1.0])),
        EstimateError,
    ),
    Row(
        "a line of two parents",
        lambda: weighted_line(AT, AT**2, cluster=np.array([0, 0, 1, 1])),
        EstimateError,
        "2",
    ),
    Row(
        "a line of points with a nan",
        lambda: errors_in_variables([0, 1, np.nan, 2], AT, y_covariance=[0.1] * 4),
        EstimateError,
        "x",
    ),
    Row(
        "errors of a line are no covariance",
        lambda: errors_in_variables(AT, AT, y_covariance=np.diag([1.0, 1, 1, -1])),
        EstimateError,
        "y_covariance",
    ),
    Row(
        "errors of a line are not symmetric",
        lambda: errors_in_variables(AT, AT, y_covariance=np.eye(4) + np.eye(4, k=1)),
        EstimateError,
        "y_covariance",
    ),
]
