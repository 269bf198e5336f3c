"""Crossed tables with missing cells: against lme4 (lmerTest), against the balanced
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
from causalgia.errors import DegenerateWarning, EstimateError, OutcomesError
from causalgia.estimation import crossed_mean, from_incomplete
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


@pytest.mark.parametrize("file", ["balanced", "unbalanced"])
def test_missing_cells_are_those_of_lme4(file: str) -> None:
    theirs, found = (
        EXPECTED[file]["ice_crossed"]["satterthwaite"],
        from_incomplete(table(file), **COLUMNS),
    )
    row = found.isel(contrast=0, task=0)
    assert row["ace"].item() == pytest.approx(theirs["estimate"], rel=1e-6)
    assert row["se"].item() == pytest.approx(theirs["se"], rel=1e-6)
    for name in ("df", "lower", "upper"):
        assert row[name].item() == pytest.approx(theirs[name], abs=1e-3)
    assert row["p"].item() == pytest.approx(theirs["p"], abs=1e-5)
    assert row["n_units"].item() == EXPECTED[file]["n_units"]
    missing = (
        EXPECTED[file]["n_units"] * EXPECTED[file]["n_models"]
        - EXPECTED[file]["n_cells"]
    )
    assert (
        f"treated: {missing} of 120 cells are missing" in found.attrs.get("notes", "")
    ) is (missing > 0)


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
    assert "notes" not in mine.attrs


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
    assert "cells are missing, which is assumed to be at random" in fewer.attrs["notes"]
    assert fewer["se"].item() > 0.95 * mine["se"].item()
    assert abs(fewer["ace"].item() - mine["ace"].item()) < mine["se"].item()
    outcomes = cg.from_frame(long[kept], outcome="y", arm="arm", unit="unit")
    assert outcomes.attrs["assignment"] == "incomplete"


def test_what_has_no_partner_is_said() -> None:
    long = table("balanced")
    lost = long[
        ~(
            (long["unit"] == "u01")
            & (long["model"] == "m1")
            & (long["arm"] == "control")
        )
    ]
    assert (
        "treated: 1 rows have no partner in their cell"
        in from_incomplete(lost, **COLUMNS).attrs["notes"]
    )
    words = placebos_table()
    names = [name for name in words["arm"].unique() if name != "none"]
    found = from_incomplete(
        words, outcome="y", arm="arm", unit="unit", control="none", placebos=names[:22]
    )
    assert "2 arms are neither the control nor placebos" in found.attrs["notes"]
    with pytest.raises(EstimateError, match="takes 20 or more besides the control"):
        from_incomplete(
            words,
            outcome="y",
            arm="arm",
            unit="unit",
            control="none",
            placebos=names[:19],
        )


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
    decided = cg.decide(cg.adjust(found, method="holm"), rope=(-0.1, 0.1))
    assert (decided["verdict"] == "increases").all()
    assert "cells are missing" in cg.report(decided, notes=True)


def test_levels_that_do_not_differ_are_said() -> None:
    unit, level = np.indices((12, 4))
    y = np.arange(12.0)[unit] + np.where((unit + level) % 2 == 0, 1.0, -1.0)
    long = pd.DataFrame(
        {"unit": unit.ravel(), "model": level.ravel(), "y": y.ravel(), "arm": "treated"}
    )
    found = from_incomplete(
        pd.concat([long, long.assign(arm="control", y=0.0)]), **COLUMNS
    )
    assert "variance between predictors was estimated as 0" in found.attrs["notes"]


def test_cells_without_spread_are_exact() -> None:
    long = table("unbalanced")
    long["y"] = (long["arm"] == "treated") * 1.5
    with pytest.warns(DegenerateWarning, match="do(es)? not vary"):
        found = from_incomplete(long, **COLUMNS)
    assert found["exact"].all()
    assert found["lower"].item() == found["upper"].item() == 1.5


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"model": None}, OutcomesError, "is measured more than once; average them"),
        ({"placebos": ["treated"]}, EstimateError, "give one of model="),
        (
            {"control": "mock"},
            EstimateError,
            "control 'mock' is not an arm; the arms are 'control', 'treated'",
        ),
        ({"control": 10**5_000}, EstimateError, "is not a name of an arm"),
        ({"unit": "oligo"}, OutcomesError, "no one column 'oligo'"),
        ({"outcome": None}, OutcomesError, "no one column None"),
        ({"arm": None}, OutcomesError, "no one column None"),
        ({"unit": None}, OutcomesError, "no one column None"),
        ({"parent": pd.Series(["a", "b"])}, OutcomesError, "no one column"),
        ({"ci_prob": 95}, EstimateError, "ci_prob"),
    ],
)
def test_questions_that_have_no_answer(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        from_incomplete(table("balanced"), **(COLUMNS | change))


def test_tables_that_are_none() -> None:
    long = table("balanced")
    with pytest.raises(OutcomesError, match="measured more than once"):
        from_incomplete(pd.concat([long, long.iloc[:1]]), **COLUMNS)
    with pytest.raises(
        OutcomesError, match="a missing cell is a row that is not there"
    ):
        from_incomplete(long.assign(y=long["y"].where(long.index > 0)), **COLUMNS)
    with pytest.raises(OutcomesError, match="not finite"):
        from_incomplete(
            long.assign(y=long["y"].where(long.index > 0, np.inf)), **COLUMNS
        )
    with pytest.raises(EstimateError, match="no cell has both its arm"):
        from_incomplete(
            long[(long["arm"] == "control") == (long["model"] == "m1")], **COLUMNS
        )
    with pytest.raises(
        EstimateError, match="'model' has one predictor, which gives no spread"
    ):
        from_incomplete(long[long["model"] == "m1"], **COLUMNS)
    with pytest.raises(OutcomesError, match="changes between its rows"):
        from_incomplete(long, **COLUMNS, parent="model")
    diagonal = long[
        long["unit"].str[1:].astype(int) == long["model"].str[1:].astype(int)
    ]
    with pytest.raises(EstimateError, match="cannot be separated"):
        from_incomplete(diagonal, **COLUMNS)


def test_predictors_need_no_order() -> None:
    long = table("balanced")
    names = dict(zip(dict.fromkeys(long["model"]), [1 + 2j, 3, "m"], strict=False))
    mixed = long.assign(
        model=long["model"].map(lambda name: names.get(name, name)).astype(object)
    )
    found, other = from_incomplete(mixed, **COLUMNS), from_incomplete(long, **COLUMNS)
    np.testing.assert_allclose(found["control_sd"], other["control_sd"], rtol=1e-12)
    np.testing.assert_allclose(found["se"], other["se"], rtol=1e-12)


def test_the_way_from_a_refused_table_is_said() -> None:
    with pytest.raises(OutcomesError, match=r"cg\.estimation\.from_incomplete"):
        cg.from_frame(
            table("unbalanced"), outcome="y", arm="arm", unit="unit", model="model"
        )


@pytest.mark.rotating
@pytest.mark.parametrize("trials", [100, pytest.param(200, marks=pytest.mark.long)])
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
