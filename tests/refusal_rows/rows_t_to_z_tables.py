"""Tables that would be read as something else, and tables with gaps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
import xarray as xr

import causalgia as cg
from causalgia.errors import DataError, EstimateError

from . import Row

COLUMNS: dict[str, Any] = {"outcome": "y", "arm": "arm", "unit": "unit"}
OURS = pd.DataFrame({"effect": [1.0, 0.2], "se": [0.2, 0.1]}, index=list("ab"))


def rows(*cells: tuple[Any, str, float], **columns: Any) -> pd.DataFrame:
    """Return a table of units, arms and outcomes."""
    return pd.DataFrame(cells, columns=["unit", "arm", "y"]).assign(**columns)


FEW = rows(
    *(
        (u, a, u + (2.0 + u * 7 % 5) * (a == "A") + (a == "B") * (u % 4) + u**2 / 9)
        for u in range(6)
        for a in "cAB"
    )
)
HOLE = FEW.drop(index=[4, 9])


def estimated(table: pd.DataFrame, **columns: Any) -> xr.Dataset:
    outcomes = cg.from_frame(table, **COLUMNS, **columns)
    return cg.estimate(cg.contrast(outcomes, control="c"))


@cache
def gaps() -> xr.Dataset:
    """Return outcomes of two tasks with cells that are missing."""
    table = pd.concat(
        [HOLE.assign(task="K562"), HOLE.assign(task="HepG2", y=HOLE.y**2)]
    )
    return cg.from_frame(table, **COLUMNS, task="task")


@cache
def effects() -> xr.Dataset:
    return cg.contrast(gaps(), control="c")


class Fit:
    """What a fitted model has, of given arrays."""

    def __init__(self, params: Any, covariance: Any) -> None:
        self.params, self.covariance = np.asarray(params), np.asarray(covariance)

    def cov_params(self) -> Any:
        return self.covariance


ROWS = [
    Row(
        "errors beside a table that has them",
        lambda: cg.from_effects(OURS, 0.5),
        EstimateError,
        "se",
    ),
    Row(
        "a fit has fewer errors than effects",
        lambda: cg.from_effects(Fit(np.ones(3), np.eye(2))),
        EstimateError,
    ),
    Row(
        "the covariance of a fit is singular",
        lambda: cg.from_effects(Fit(np.ones(2), np.ones((2, 2)))),
        EstimateError,
    ),
    Row(
        "two columns that may be the effect",
        lambda: cg.decide(OURS.assign(logFC=7.0), rope=0),
        EstimateError,
    ),
    Row(
        "limits of a ratio in place of its error",
        lambda: cg.from_effects({"estimate": [2.0], "lower": [1.0], "upper": [4.0]}),
        EstimateError,
    ),
    Row(
        "t of a one-sided test in place of an error",
        lambda: cg.from_effects({"logFC": [2.0], "t": [2.0], "P.Value": [0.0228]}),
        EstimateError,
    ),
    Row(
        "columns of unequal lengths",
        lambda: cg.decide({"effect": [1.0, 2.0], "se": [1.0]}, rope=0),
        DataError,
    ),
    Row(
        "errors of other rows beside a matrix",
        lambda: cg.from_effects(
            pd.DataFrame([[1.0]], ["a"]), pd.DataFrame([[1.0]], ["b"])
        ),
        EstimateError,
    ),
    Row(
        "errors of another shape beside a matrix",
        lambda: cg.from_effects(np.ones((2, 3)), np.ones((3, 2))),
        EstimateError,
    ),
    Row(
        "a covariance beside a matrix",
        lambda: cg.from_effects(np.ones((2, 3)), np.ones((2, 3)), np.eye(2)),
        EstimateError,
    ),
    Row(
        "a test of several coefficients at once",
        lambda: cg.decide(smf.ols("y ~ unit", FEW).fit().f_test("unit = 0"), rope=0),
        EstimateError,
    ),
    Row(
        "a ratio of a table with gaps",
        lambda: cg.contrast(gaps(), control="c", scale="ratio"),
        EstimateError,
    ),
    Row(
        "these units, of which some lack an arm",
        lambda: cg.estimate(effects(), target="units"),
        EstimateError,
        "target",
    ),
    Row(
        "tasks of a table with gaps are subtracted",
        lambda: cg.contrast(gaps(), control="c", tasks="K562 - HepG2"),
        EstimateError,
        "tasks",
    ),
    Row(
        "a tilt of a table with gaps",
        lambda: cg.tipping_point(gaps(), contrast="A - c", rope=(-1, 1)),
        DataError,
    ),
    Row(
        "an arm without an outcome",
        lambda: estimated(FEW.assign(y=FEW.y.where(FEW.arm != "B"))),
        DataError,
        "B",
    ),
    Row(
        "an outcome of a table is inf",
        lambda: estimated(FEW.assign(y=FEW.y.where(FEW.index != 3, np.inf))),
        DataError,
        "row 3",
    ),
    Row(
        "a cell is measured twice",
        lambda: estimated(pd.concat([HOLE, HOLE])),
        DataError,
        "more than once",
    ),
    Row(
        "units of a table with gaps share one parent",
        lambda: estimated(HOLE.assign(parent="p1"), parent="parent"),
        EstimateError,
        "p1",
    ),
]
