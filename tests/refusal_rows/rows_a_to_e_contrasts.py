"""Questions that would have a wrong answer: weights, arms, scales, regions, plans."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.errors import DataError, DesignError, EstimateError

from . import Row

ARMS = ["placebo", "GATA1", "TAL1"]


def crossover(
    values: Any = ((1, 1, 1), (1, 1, 1)), arms: Any = ARMS, scale: str = "counts"
) -> xr.Dataset:
    """Return outcomes of every unit under every arm."""
    values = np.asarray(values, float)[:, :, None]
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), values)},
        {"unit": np.arange(len(values)), "arm": arms, "task": ["K562"]},
        {"scale": scale},
    )


def parallel(assigned: list[str]) -> xr.Dataset:
    """Return outcomes of four units, each under one arm."""
    return xr.Dataset(
        {"outcome": (("unit", "task"), np.arange(1.0, 5)[:, None])},
        {
            "unit": np.arange(4),
            "task": ["K562"],
            "arm": ARMS,
            "assigned": ("unit", assigned),
        },
        {"scale": "counts"},
    )


def factorial(levels_b: list[int], kept: Any = slice(None)) -> xr.Dataset:
    """Return outcomes of arms with levels of A, and of B as given."""
    outcomes = crossover(np.ones((2, 4)), ["00", "01", "10", "11"]).assign_coords(
        A=("arm", [0, 0, 1, 1]), B=("arm", levels_b)
    )
    return outcomes.isel(arm=kept)


def of_weights(**weights: Any) -> Any:
    return cg.contrast(crossover(), contrasts={"c": weights})


def two_arms(**attrs: Any) -> xr.Dataset:
    values = np.linspace(0, 1, 40)
    return crossover(np.stack([values, 2 * values + 1], 1), ["wt", "b"]).assign_attrs(
        attrs
    )


def words(n: int) -> dict[str, dict[str, float]]:
    return {f"w{k}": {f"w{k}": 1, "none": -1} for k in range(n)}


HALF = np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.0]])
ROWS = [
    Row("weights sum to 1", lambda: of_weights(GATA1=1), EstimateError, "sum"),
    Row(
        "weights sum to -1", lambda: of_weights(GATA1=1, TAL1=-2), EstimateError, "sum"
    ),
    Row(
        "weights are infinite",
        lambda: of_weights(GATA1=np.inf, TAL1=-np.inf),
        EstimateError,
    ),
    Row(
        "weights beyond 1e100",
        lambda: of_weights(GATA1=1e300, TAL1=-1e300),
        EstimateError,
    ),
    Row("weights are all 0", lambda: of_weights(GATA1=0, TAL1=0), EstimateError),
    Row(
        "an arm is weighed twice",
        lambda: cg.contrast(
            crossover([[1.0, 2.0]], ["0", "1"]),
            contrasts={"c": {1: 5.0, "1": 1.0, 0: -1.0}},
        ),
        EstimateError,
    ),
    Row(
        "two contrasts have one name",
        lambda: cg.contrast(
            crossover(),
            contrasts={
                1: {"GATA1": 1, "placebo": -1},
                "1": {"TAL1": 1, "placebo": -1},
            },
        ),
        EstimateError,
    ),
    Row(
        "one contrast is asked twice, with the other sign",
        lambda: cg.contrast(
            crossover(),
            contrasts={"one": "GATA1 - placebo", "two": "placebo - GATA1"},
        ),
        EstimateError,
    ),
    Row(
        "two questions",
        lambda: cg.contrast(crossover(), control="placebo", interaction=["A", "B"]),
        EstimateError,
        "control",
    ),
    Row(
        "two arms are one as text",
        lambda: cg.contrast(
            crossover(arms=np.array([0, "0", "1"], dtype=object)), control="1"
        ),
        DataError,
        "arm",
    ),
    Row(
        "an outcome is nan",
        lambda: cg.contrast(crossover([[1.0, np.nan, 2.0]]), control="placebo"),
        DataError,
        "GATA1",
    ),
    Row(
        "a unit was given an arm that is none",
        lambda: cg.contrast(parallel(["SPI1"] * 4), control="placebo"),
        DataError,
        "SPI1",
    ),
    Row(
        "no unit was given an arm",
        lambda: cg.contrast(
            parallel(["placebo", "GATA1"] * 2), control="placebo", scale="ratio"
        ),
        EstimateError,
        "TAL1",
    ),
    Row(
        "a logarithm of 0",
        lambda: cg.contrast(crossover(HALF), control="placebo", scale="log"),
        EstimateError,
        "TAL1",
    ),
    Row(
        "a logit of 1",
        lambda: cg.contrast(crossover(HALF + 0.5), control="placebo", scale="logit"),
        EstimateError,
        "unit 0",
    ),
    Row(
        "a logarithm of logarithms",
        lambda: cg.contrast(
            crossover(HALF + 1, scale="log2FC"), control="placebo", scale="log"
        ),
        EstimateError,
        "log2FC",
    ),
    Row(
        "a logit of logits",
        lambda: cg.contrast(
            crossover(HALF + 0.1, scale="logits"), control="placebo", scale="logit"
        ),
        EstimateError,
        "logits",
    ),
    Row(
        "a cell of a factorial is missing",
        lambda: cg.contrast(factorial([0, 1, 0, 1], [0, 1, 3]), interaction=["A", "B"]),
        EstimateError,
        "A",
    ),
    Row(
        "a cell of a factorial is taken twice",
        lambda: cg.contrast(factorial([0, 0, 1, 1]), interaction=["A", "B"]),
        EstimateError,
        "01",
    ),
    Row(
        "a factor has three levels",
        lambda: cg.contrast(factorial([0, 1, 2, 2]), interaction=["A", "B"]),
        EstimateError,
        "B",
    ),
    Row(
        "a factor crosses itself",
        lambda: cg.contrast(factorial([0, 1, 0, 1]), interaction=["A", "A"]),
        EstimateError,
    ),
    Row(
        "a control for effects",
        lambda: cg.estimate(cg.contrast(two_arms(), control="wt"), control="wt"),
        EstimateError,
        "control",
    ),
    Row(
        "a damaged plan beside outcomes",
        lambda: cg.contrast(two_arms(analysis='{"control": ')),
        DataError,
        "analysis",
    ),
    Row(
        "a plan of weights that sum to 2",
        lambda: cg.Analysis(contrasts={"x": {"a": 1, "b": 1}}),
        DesignError,
        "x",
    ),
    Row(
        "a plan of a weight that is nan",
        lambda: cg.Analysis(contrasts={"x": {"a": np.nan, "b": -1}}),
        DesignError,
        "x",
    ),
    Row(
        "a plan in text whose right side is 1",
        lambda: cg.Analysis(contrasts="v - none = 1"),
        DesignError,
    ),
    Row(
        "a plan lists a contrast twice",
        lambda: cg.Analysis(contrasts=["v - none", "v  -  none"]),
        DesignError,
        "contrasts",
    ),
    Row(
        "a plan lists a task twice",
        lambda: cg.Analysis(control="none", tasks=["a", "`a`"]),
        DesignError,
        "tasks",
    ),
    Row(
        "a plan of two questions",
        lambda: cg.Analysis(control="a", interaction=["A", "B"]),
        DesignError,
        "control",
    ),
    Row(
        "a plan crosses a factor with itself",
        lambda: cg.Analysis(interaction=["A", "A"]),
        DesignError,
        "interaction",
    ),
    Row("a level in percent", lambda: cg.Analysis(ci_prob=95), DesignError, "ci_prob"),
    Row(
        "a region is reversed",
        lambda: cg.Analysis(rope=(0.1, -0.1)),
        DesignError,
        "rope",
    ),
    Row(
        "a region has no width",
        lambda: cg.Analysis(rope=(0.1, 0.1)),
        DesignError,
        "rope",
    ),
    Row(
        "an end of a region is nan",
        lambda: cg.Analysis(rope=(np.nan, 1)),
        DesignError,
        "rope",
    ),
    Row("a region is below 0", lambda: cg.Analysis(rope=-0.1), DesignError, "rope"),
    Row(
        "a region of a task is reversed",
        lambda: cg.Analysis(rope={"K562": (1, -1)}),
        DesignError,
        "K562",
    ),
    Row(
        "a largest effect of 0", lambda: cg.Analysis(largest=0), DesignError, "largest"
    ),
    Row(
        "an analysis and a field beside it",
        lambda: cg.analyze(two_arms(), cg.Analysis(control="wt", rope=0), ci_prob=0.9),
        DesignError,
        "ci_prob",
    ),
    Row(
        "a plan that shares ratios across tasks",
        lambda: cg.Analysis(
            control="untreated", across="task", scale="ratio", rope=(0.9, 1.1)
        ),
        DesignError,
        "across",
    ),
    Row(
        "an unknown key of a plan in a file",
        lambda: cg.Analysis.from_dict({"contorl": "a"}),
        DesignError,
        "contorl",
    ),
    Row(
        "a plan in a file is no TOML",
        lambda: cg.Analysis.from_toml("control ="),
        DesignError,
    ),
]
