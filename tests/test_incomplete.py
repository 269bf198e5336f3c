"""Imports crossed_reml from the inside: coverage over thousands of tables, by the kernel alone.

Crossed tables with missing cells: against lme4 (lmerTest), against the balanced
estimator, and what is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import causalgia as cg
from causalgia.errors import DegenerateWarning
from causalgia.estimation import from_incomplete
from causalgia.estimation.crossover import crossed_mean
from causalgia.estimation.incomplete import crossed_reml

CASE = Path(__file__).parent / "reference" / "mixed_model"


EXPECTED = json.loads((CASE / "expected.json").read_text())


COLUMNS: dict[str, Any] = {
    "outcome": "y",
    "arm": "arm",
    "unit": "unit",
    "control": "control",
    "model": "model",
}


def table(file: str) -> pd.DataFrame:
    return pd.read_csv(CASE / f"input_{file}.csv")


def test_a_complete_table_is_what_estimate_says() -> None:
    long = table("balanced")
    outcomes = cg.from_frame(long, outcome="y", arm="arm", unit="unit", model="model")
    whole = cg.estimate(
        cg.contrast(outcomes, control="control"), target="population x predictors"
    )
    mine = from_incomplete(long.sample(frac=1, random_state=0), **COLUMNS)
    for name, tolerance in (
        ("ace", 1e-9),
        ("se", 1e-6),
        ("df", 1e-3),
        ("control_sd", 1e-9),
    ):
        np.testing.assert_allclose(
            mine[name], whole[name], rtol=tolerance, err_msg=name
        )
    assert mine.attrs["target"] == whole.attrs["target"]


def placebos_table(n: int = 25, n_placebos: int = 24, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit, arm = (x.ravel() for x in np.indices((n, n_placebos + 1)))
    y = rng.normal(size=n)[unit] + (arm > 0) * (
        0.5 + 0.6 * rng.normal(size=n_placebos + 1)[arm]
    )
    y = (
        y
        + 0.8 * (arm > 0) * rng.normal(size=n)[unit]
        + 0.5 * rng.normal(size=len(unit))
    )
    names = np.array(["none", *(f"placebo{i}" for i in range(n_placebos))])
    return pd.DataFrame({"unit": unit, "arm": names[arm], "y": y})


def test_words_of_which_some_units_lack_some() -> None:
    long = placebos_table()
    words = [name for name in long["arm"].unique() if name != "none"]
    ask: dict[str, Any] = {
        "outcome": "y",
        "arm": "arm",
        "unit": "unit",
        "control": "none",
        "placebos": words,
    }
    wide = long.pivot(index="unit", columns="arm", values="y")
    balanced = crossed_mean(
        (wide[words].to_numpy() - wide[["none"]].to_numpy())[:, :, None]
    )
    mine = from_incomplete(long, **ask)
    assert mine["contrast"].values.tolist() == ["placebos"]
    assert mine["ace"].item() == pytest.approx(balanced.ace.item(), rel=1e-9)
    assert mine["se"].item() == pytest.approx(balanced.se.item(), rel=1e-6)
    assert mine["df"].item() == pytest.approx(balanced.df.item(), rel=1e-3)
    kept = np.random.default_rng(1).random(len(long)) > np.where(
        long["arm"] == "none", 0.0, 0.2
    )
    fewer = from_incomplete(long[kept], **ask)
    assert fewer["se"].item() > 0.95 * mine["se"].item()
    assert abs(fewer["ace"].item() - mine["ace"].item()) < mine["se"].item()
    outcomes = cg.from_frame(long[kept], outcome="y", arm="arm", unit="unit")
    assert outcomes.attrs["assignment"] == "incomplete"


def test_units_of_one_parent_share_its_variance() -> None:
    rng, (parent, sub, net) = (
        np.random.default_rng(2),
        (x.ravel() for x in np.indices((15, 4, 4))),
    )
    ice = (
        rng.normal(size=15)[parent]
        + 0.3 * rng.normal(size=4)[net]
        + 0.5 * rng.normal(size=len(net))
    )
    long = pd.DataFrame(
        {
            "unit": 4 * parent + sub,
            "parent": parent,
            "model": net,
            "y": ice,
            "arm": "treated",
        }
    )
    long = pd.concat([long, long.assign(arm="control", y=0.0)])
    kept = long[rng.random(len(long)) > 0.1]
    alone, clustered = (
        from_incomplete(kept, **COLUMNS),
        from_incomplete(kept, **COLUMNS, parent="parent"),
    )
    assert clustered["se"].item() > 1.3 * alone["se"].item()
    assert clustered["n_clusters"].item() == 15
    assert alone["n_clusters"].item() == 60


def test_tasks_are_estimated_each_by_itself_and_the_verbs_take_them() -> None:
    long = pd.concat(
        [
            table("unbalanced").assign(task="K562"),
            table("balanced").assign(task="HepG2"),
        ]
    )
    found = from_incomplete(long, **COLUMNS, task="task")
    assert found["ace"].dims == ("contrast", "task")
    both = [
        EXPECTED[f]["ice_crossed"]["satterthwaite"]["estimate"]
        for f in ("unbalanced", "balanced")
    ]
    np.testing.assert_allclose(found["ace"].sel(contrast="treated"), both, rtol=1e-6)
    decided = cg.decide(found, rope=(-0.1, 0.1))
    assert (decided["verdict"] == "increases").all()


def test_cells_without_spread_are_exact() -> None:
    long = table("unbalanced")
    long["y"] = (long["arm"] == "treated") * 1.5
    with pytest.warns(DegenerateWarning):
        found = from_incomplete(long, **COLUMNS)
    assert found["exact"].all()
    assert found["lower"].item() == found["upper"].item() == 1.5


def test_predictors_need_no_order() -> None:
    long = table("balanced")
    names = dict(zip(dict.fromkeys(long["model"]), [1 + 2j, 3, "m"], strict=False))
    mixed = long.assign(
        model=long["model"].map(lambda name: names.get(name, name)).astype(object)
    )
    found, other = from_incomplete(mixed, **COLUMNS), from_incomplete(long, **COLUMNS)
    np.testing.assert_allclose(found["control_sd"], other["control_sd"], rtol=1e-12)
    np.testing.assert_allclose(found["se"], other["se"], rtol=1e-12)


@pytest.mark.simulation
@pytest.mark.parametrize("trials", [100, pytest.param(200)])
def test_intervals_hold_for_both_populations(trials: int) -> None:
    """25 units by 8 levels, equal components, 30 % of the cells missing at random;
    |coverage - .95| < 4 se.
    """
    rng, covered = np.random.default_rng(7), 0
    unit, level = np.indices((25, 8))
    for _ in range(trials):
        y = (
            rng.normal(size=(25, 1))
            + rng.normal(size=(1, 8))
            + rng.normal(size=(25, 8))
        )
        there = rng.random(y.shape) >= 0.3
        codes = [
            np.unique(x[there], return_inverse=True)[1].astype(np.intp)
            for x in (unit, level)
        ]
        found = crossed_reml(y[there], *codes)
        covered += abs(found.ace) <= stats.t.ppf(0.975, found.df) * found.se
    assert abs(covered / trials - 0.95) < 4 * np.sqrt(0.95 * 0.05 / trials)
