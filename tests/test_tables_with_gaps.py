"""Tables of units by arms with missing cells: against lme4 (lmerTest), what every verb does with them, coverage."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import CausalgiaError, ContrastError, DegenerateWarning, EstimateError, OutcomesError
from causalgia.estimation import contrasts_of_arms, from_incomplete, mean_ice, reml

CASE = Path(__file__).parent / "reference" / "tables_with_gaps"
EXPECTED = json.loads((CASE / "expected.json").read_text())
NAMES: dict[str, Any] = {"outcome": "y", "arm": "arm", "unit": "unit"}
MISSING = {"few_gaps": (4, 48), "heavy_gaps": (70, 120), "unbalanced": (5, 24), "singular": (4, 30)}


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(CASE / f"input_{name}.csv")


def estimated(long: pd.DataFrame, **columns: Any) -> xr.Dataset:
    return cg.estimate(cg.contrast(cg.from_frame(long, **NAMES, **columns), control="wt"))


def check(found: xr.Dataset, theirs: dict[str, Any]) -> None:
    """Compare one task: estimates and errors to 1e-6; df, which lmerTest differentiates numerically, to 1e-6 too."""
    mine = found.sel(contrast=theirs["contrast"])
    for here, there in (("ace", "estimate"), ("se", "se"), ("df", "df"), ("p", "p")):
        np.testing.assert_allclose(mine[here], theirs[there], rtol=1e-6, atol=1e-9, err_msg=here)
    covariance = mine["covariance"].sel(contrast_=theirs["contrast"]).to_numpy()
    np.testing.assert_allclose(covariance, theirs["covariance"], rtol=1e-6)
    assert set(found["n_units"].values.ravel()) == {theirs["n_units"]}


@pytest.mark.parametrize("name", [*MISSING, "disconnected"])
def test_gaps_are_estimated_as_by_lmer(name: str) -> None:
    found = estimated(table(name))
    check(found.isel(task=0), EXPECTED[name])
    if name in MISSING:
        missing, cells = MISSING[name]
        assert found.attrs["method"].endswith(f"{missing} of {cells} cells are missing")
    assert ("variance between units was estimated as 0" in found.attrs["notes"]) is EXPECTED[name]["singular"]
    assert ("far: no unit joins these arms" in found.attrs["notes"]) is (name == "disconnected")


@pytest.mark.parametrize("name", [*MISSING, "disconnected"])
def test_a_contrast_of_several_arms_has_the_df_of_lmer(name: str) -> None:
    theirs = EXPECTED[name]
    weights = {arm: 1 / len(theirs["contrast"]) for arm in theirs["contrast"]} | {"wt": -1.0}
    effects = cg.contrast(cg.from_frame(table(name), **NAMES), contrasts={"mean": weights})
    found, mean = cg.estimate(effects), theirs["mean_of_arms"]
    for here, there in (("ace", "estimate"), ("se", "se"), ("df", "df"), ("p", "p")):
        assert found[here].item() == pytest.approx(mean[there], rel=1e-6)


def test_tasks_have_gaps_of_their_own() -> None:
    found = estimated(table("two_tasks"), task="task")
    for task, theirs in EXPECTED["two_tasks"].items():
        check(found.sel(task=task), theirs)
    assert "15 of 90 cells are missing" in cg.report(found)


def test_parents_are_random_with_their_interaction() -> None:
    found = estimated(table("parents"), parent="parent")
    check(found.isel(task=0), EXPECTED["parents"])
    assert found.attrs["cluster"] == "parent"
    assert set(found["n_clusters"].values.ravel()) == {14}
    effects = cg.contrast(cg.from_frame(table("parents"), **NAMES, parent="parent"), control="wt")
    assert cg.estimate(effects, cluster="none")["se"].max() < found["se"].min()


def test_a_complete_table_stays_a_crossover() -> None:
    long = table("few_gaps")
    whole = long[long.groupby("unit")["arm"].transform("size") == 4]
    outcomes = cg.from_frame(whole, **NAMES)
    assert outcomes.attrs["assignment"] == "crossover"
    assert "notes" not in outcomes.attrs
    found = cg.estimate(cg.contrast(outcomes, control="wt"))
    wide = whole.pivot(index="unit", columns="arm", values="y")
    paired = stats.ttest_rel(wide["A"], wide["wt"])
    assert found["p"].sel(contrast="A").item() == pytest.approx(paired.pvalue, rel=1e-9)
    xr.testing.assert_identical(from_incomplete(whole, **NAMES, control="wt"), found)
    # what is left of a table with gaps is one as well
    left = cg.from_frame(long, **NAMES).dropna("unit")
    again = cg.estimate(cg.contrast(left, control="wt"))
    assert again.attrs["assignment"] == "crossover"
    np.testing.assert_array_equal(again["se"], found["se"])


def test_two_arms_without_gaps_are_paired_differences() -> None:
    y = np.random.default_rng(3).normal(size=(15, 2)) + 2 * np.random.default_rng(4).normal(size=(15, 1))
    unit, arm = (x.ravel() for x in np.indices(y.shape))
    found, paired = contrasts_of_arms(y.ravel(), arm, unit, np.array([[-1.0, 1.0]])), mean_ice(y[:, 1] - y[:, 0])
    np.testing.assert_allclose([found.ace[0], found.se[0]], [paired.ace, paired.se], rtol=1e-9)
    assert found.df[0] == pytest.approx(14, rel=1e-6)


def test_from_incomplete_takes_a_table_without_models() -> None:
    long = table("heavy_gaps")
    xr.testing.assert_identical(from_incomplete(long, **NAMES, control="wt"), estimated(long))
    wide = from_incomplete(long, **NAMES, control="wt", ci_prob=0.99)
    assert wide.attrs["ci_prob"] == 0.99
    assert (wide["lower"] < estimated(long)["lower"]).all()
    with pytest.raises(EstimateError, match="'mock' is not an arm"):
        from_incomplete(long, **NAMES, control="mock")
    with pytest.raises(EstimateError, match="not both"):
        from_incomplete(long, **NAMES, control="wt", model="unit", words=["A"])


def test_a_row_without_a_value_is_a_gap_that_is_said() -> None:
    long = table("few_gaps")
    empty = pd.concat([long, pd.DataFrame({"unit": ["u99"], "arm": ["A"], "y": [np.nan]})], ignore_index=True)
    empty.loc[0, "y"] = np.nan
    outcomes = cg.from_frame(empty, **NAMES)
    assert outcomes.attrs["notes"].startswith("9 of 52 cells are missing, 2 of them with a row in which 'y' has no value")
    found, fewer = estimated(empty), estimated(long.drop(index=0))
    np.testing.assert_array_equal(found["ace"].sortby("contrast"), fewer["ace"].sortby("contrast"))
    assert "9 of 52 cells are missing" in cg.report(found)


def test_the_verbs_take_the_estimates() -> None:
    outcomes = cg.from_frame(table("few_gaps"), **NAMES)
    effects = cg.contrast(outcomes, control="wt")
    estimates = cg.estimate(effects)
    for method in ("holm", "dunnett", "auto"):
        of_effects, of_estimates = (cg.adjust(x, method=method) for x in (effects, estimates))
        np.testing.assert_array_equal(of_effects["p_adjusted"], of_estimates["p_adjusted"])
        assert (of_effects["p_adjusted"] >= estimates["p"]).all()
    dunnett = cg.adjust(estimates, method="dunnett")["p_adjusted"]
    assert (dunnett <= cg.adjust(estimates, method="bonferroni")["p_adjusted"]).all()
    band = cg.simultaneous(estimates, method="dunnett")
    assert (band["lower"] < estimates["lower"]).all()
    posterior = cg.infer(estimates, rng=0)
    assert posterior["moments"]["mean"].shape == (3, 1)
    assert cg.decide(estimates, rope=(-0.1, 0.1))["verdict"].sel(contrast="C").item() == "increases"
    ask = cg.Analysis(control="wt", rope=(-0.1, 0.1), adjust="dunnett")
    assert "mixed model" in cg.report(cg.analyze(outcomes, ask, rng=0))
    assert "a linear mixed model of all arms with units as random effects" in cg.methods(estimates)
    assert "some of which lack some arms" in cg.methods(estimates)
    pair = cg.estimation.hypotheses(estimates, "A - B = 0")
    direct = cg.estimate(cg.contrast(outcomes, contrasts="A - B"))
    np.testing.assert_allclose([pair["ace"].item(), pair["se"].item()], [direct["ace"].item(), direct["se"].item()])
    assert cg.estimation.joint_test(estimates).p < 0.001


def test_scales_and_interactions() -> None:
    long = table("few_gaps").assign(y=lambda d: d["y"].abs() + 1)
    on_log = cg.estimate(cg.contrast(cg.from_frame(long, **NAMES), control="wt", scale="log"))
    by_hand = estimated(long.assign(y=np.log(long["y"])))
    np.testing.assert_allclose(on_log["se"], by_hand["se"], rtol=1e-12)
    np.testing.assert_allclose(on_log["control_sd"], by_hand["control_sd"], rtol=1e-12)
    outcomes = cg.from_frame(long, **NAMES).assign_coords(a=("arm", [0, 1, 0, 1]), b=("arm", [0, 0, 1, 1]))
    arms = outcomes["arm"].values.tolist()
    weights = dict(zip(arms, [1.0, -1.0, -1.0, 1.0], strict=True))
    one = cg.estimate(cg.contrast(outcomes, interaction=["a", "b"]))
    two = cg.estimate(cg.contrast(outcomes, contrasts={"by hand": weights}))
    np.testing.assert_allclose(one["se"], two["se"], rtol=1e-9)
    for scale in ("ratio", "log_of_means", "sd"):
        with pytest.raises(ContrastError, match="4 of 48 cells are missing"):
            cg.contrast(outcomes, control="wt", scale=scale)


OUTCOMES = cg.from_frame(table("two_tasks"), **NAMES, task="task")
EFFECTS = cg.contrast(OUTCOMES, control="wt")
ESTIMATES = cg.estimate(EFFECTS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cg.estimate(EFFECTS, target="units"), "some lack an arm"),
        (lambda: cg.estimate(EFFECTS, target="population x predictors"), "some lack an arm"),
        (lambda: cg.estimate(EFFECTS, weights="clusters"), "some lack an arm"),
        (lambda: cg.estimate(EFFECTS, block="unit"), "for parallel trials"),
        (lambda: cg.estimate(EFFECTS, covariates="unit"), "for parallel trials"),
        (lambda: cg.estimate(EFFECTS, cluster="locus"), "no coordinate 'locus'"),
        (lambda: cg.estimate(EFFECTS, task_correlation=True), "a mixed model of its own"),
        (lambda: cg.contrast(OUTCOMES, control="wt", tasks="K562 - HepG2"), "a contrast between tasks"),
        (lambda: cg.contrast(OUTCOMES, over="model", control="wt"), "model"),
        (lambda: cg.adjust(EFFECTS, method="bootstrap_t", rng=0), "of a table with gaps that lack an arm have none"),
        (lambda: cg.adjust(ESTIMATES, method="sign_flip", rng=0), "of a table with gaps that lack an arm have none"),
        (lambda: cg.adjust(ESTIMATES, method="dunnett", family="all"), "how tasks .* correlate"),
        (lambda: cg.simultaneous(EFFECTS, method="bootstrap_t", rng=0), "have none; use method='dunnett'"),
        (lambda: cg.decide(EFFECTS, rope=(-1, 1), error="bootstrap_t", rng=0), "have none"),
        (lambda: cg.heterogeneity(EFFECTS), "15 of 90 cells are missing.*dropna"),
        (lambda: cg.modification(EFFECTS, by="unit"), "15 of 90 cells are missing"),
        (lambda: cg.variance_components(OUTCOMES), "15 of 90 cells are missing"),
        (lambda: cg.variance_components(EFFECTS), "15 of 90 cells are missing|parallel"),
        (lambda: cg.estimation.hypotheses(EFFECTS, "A - B = 0"), "15 of 90 cells are missing"),
        (lambda: cg.tipping_point(OUTCOMES, contrast="A - wt", rope=(-1, 1)), "15 of 90 cells are missing"),
        (lambda: cg.refute(OUTCOMES, rng=0), "15 of 90 cells are missing"),
        (lambda: cg.sample_size(EFFECTS, rope=(-1, 1)), "15 of 90 cells are missing"),
        (lambda: cg.cheapest_split(EFFECTS), "15 of 90 cells are missing"),
        (lambda: cg.power(EFFECTS, effect=1.0), "15 of 90 cells are missing"),
        (lambda: cg.plot.outcomes(OUTCOMES), "15 of 90 cells are missing"),
        (lambda: cg.confirm(OUTCOMES, None, rng=0), "15 of 90 cells are missing"),
    ],
)
def test_what_takes_whole_units_says_so(call: Any, message: str) -> None:
    with pytest.raises(CausalgiaError, match=message):
        call()
