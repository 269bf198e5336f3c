"""Tables of units by arms with missing cells: against lmerTest, and in every verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    CausalgiaError,
    ContrastError,
    DegenerateWarning,
    EstimateError,
    OutcomesError,
)
from causalgia.estimation import from_incomplete, mean_ice
from causalgia.estimation.incomplete_estimates import contrasts_of_arms
from causalgia.estimation.mixed_model import reml

CASE = Path(__file__).parent / "reference" / "tables_with_gaps"
EXPECTED = json.loads((CASE / "expected.json").read_text())
NAMES: dict[str, Any] = {"outcome": "y", "arm": "arm", "unit": "unit"}
MISSING = {
    "few_gaps": (4, 48),
    "heavy_gaps": (70, 120),
    "unbalanced": (5, 24),
    "singular": (4, 30),
}


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(CASE / f"input_{name}.csv")


def estimated(long: pd.DataFrame, **columns: Any) -> xr.Dataset:
    return cg.estimate(
        cg.contrast(cg.from_frame(long, **NAMES, **columns), control="wt")
    )


def check(found: xr.Dataset, theirs: dict[str, Any]) -> None:
    """Compare one task with lmer: estimates, errors, df, p and covariance to 1e-6."""
    mine = found.sel(contrast=theirs["contrast"])
    for here, there in (("ace", "estimate"), ("se", "se"), ("df", "df"), ("p", "p")):
        np.testing.assert_allclose(
            mine[here], theirs[there], rtol=1e-6, atol=1e-9, err_msg=here
        )
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
    assert (
        "variance between units was estimated as 0" in found.attrs["notes"]
    ) is EXPECTED[name]["singular"]
    assert ("far: no unit joins these arms" in found.attrs["notes"]) is (
        name == "disconnected"
    )


@pytest.mark.parametrize("name", [*MISSING, "disconnected"])
def test_a_contrast_of_several_arms_has_the_df_of_lmer(name: str) -> None:
    theirs = EXPECTED[name]
    weights = {arm: 1 / len(theirs["contrast"]) for arm in theirs["contrast"]} | {
        "wt": -1.0
    }
    effects = cg.contrast(
        cg.from_frame(table(name), **NAMES), contrasts={"mean": weights}
    )
    found, mean = cg.estimate(effects), theirs["mean_of_arms"]
    for here, there in (("ace", "estimate"), ("se", "se"), ("df", "df"), ("p", "p")):
        assert found[here].item() == pytest.approx(mean[there], rel=1e-6)


def test_tasks_have_gaps_of_their_own() -> None:
    found = estimated(table("two_tasks"), task="task")
    for task, theirs in EXPECTED["two_tasks"].items():
        check(found.sel(task=task), theirs)
    assert "15 of 90 cells are missing" in cg.report(found, notes=True)


def test_parents_are_random_with_their_interaction() -> None:
    found = estimated(table("parents"), parent="parent")
    check(found.isel(task=0), EXPECTED["parents"])
    assert found.attrs["cluster"] == "parent"
    assert set(found["n_clusters"].values.ravel()) == {14}
    effects = cg.contrast(
        cg.from_frame(table("parents"), **NAMES, parent="parent"), control="wt"
    )
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
    np.testing.assert_array_equal(
        again["se"].sel(contrast=found["contrast"]), found["se"]
    )


def test_two_arms_without_gaps_are_paired_differences() -> None:
    y = np.random.default_rng(3).normal(size=(15, 2)) + 2 * np.random.default_rng(
        4
    ).normal(size=(15, 1))
    unit, arm = (x.ravel() for x in np.indices(y.shape))
    found, paired = (
        contrasts_of_arms(y.ravel(), arm, unit, np.array([[-1.0, 1.0]])),
        mean_ice(y[:, 1] - y[:, 0]),
    )
    np.testing.assert_allclose(
        [found.ace[0], found.se[0]], [paired.ace, paired.se], rtol=1e-9
    )
    assert found.df[0] == pytest.approx(14, rel=1e-6)


def test_from_incomplete_takes_a_table_without_models() -> None:
    long = table("heavy_gaps")
    xr.testing.assert_identical(
        from_incomplete(long, **NAMES, control="wt"), estimated(long)
    )
    wide = from_incomplete(long, **NAMES, control="wt", ci_prob=0.99)
    assert wide.attrs["ci_prob"] == 0.99
    assert (wide["lower"] < estimated(long)["lower"]).all()
    with pytest.raises(EstimateError, match="'mock' is not an arm"):
        from_incomplete(long, **NAMES, control="mock")
    with pytest.raises(EstimateError, match="not both"):
        from_incomplete(long, **NAMES, control="wt", model="unit", placebos=["A"])


def test_a_row_without_a_value_is_a_gap_that_is_said() -> None:
    long = table("few_gaps")
    empty = pd.concat(
        [long, pd.DataFrame({"unit": ["u99"], "arm": ["A"], "y": [np.nan]})],
        ignore_index=True,
    )
    empty.loc[0, "y"] = np.nan
    outcomes = cg.from_frame(empty, **NAMES)
    said = "9 of 52 cells are missing, 2 of them with a row in which 'y' has no value"
    assert outcomes.attrs["notes"].startswith(said)
    found, fewer = estimated(empty), estimated(long.drop(index=0))
    np.testing.assert_allclose(
        found["ace"].sortby("contrast"), fewer["ace"].sortby("contrast"), rtol=1e-9
    )
    np.testing.assert_allclose(
        found["se"].sortby("contrast"), fewer["se"].sortby("contrast"), rtol=1e-7
    )
    assert "9 of 52 cells are missing" in cg.report(found, notes=True)


def test_the_verbs_take_the_estimates() -> None:
    outcomes = cg.from_frame(table("few_gaps"), **NAMES)
    effects = cg.contrast(outcomes, control="wt")
    estimates = cg.estimate(effects)
    for method in ("holm", "dunnett", "auto"):
        of_effects, of_estimates = (
            cg.adjust(x, method=method) for x in (effects, estimates)
        )
        np.testing.assert_array_equal(
            of_effects["p_adjusted"], of_estimates["p_adjusted"]
        )
        assert (of_effects["p_adjusted"] >= estimates["p"]).all()
    dunnett = cg.adjust(estimates, method="dunnett")["p_adjusted"]
    assert (dunnett <= cg.adjust(estimates, method="bonferroni")["p_adjusted"]).all()
    band = cg.simultaneous(estimates, method="dunnett")
    assert (band["lower"] < estimates["lower"]).all()
    posterior = cg.infer(estimates, rng=0)
    assert posterior["moments"]["mean"].shape == (3, 1)
    assert (
        cg.decide(estimates, rope=(-0.1, 0.1))["verdict"].sel(contrast="C").item()
        == "increases"
    )
    # Holm over both p: no units to resample
    q = [
        cg.decide(x, rope=(-0.1, 0.1), error="fwer", rng=0)["q"].sortby("contrast")
        for x in (effects, estimates)
    ]
    np.testing.assert_array_equal(*q)
    ask = cg.Analysis(control="wt", rope=(-0.1, 0.1))
    assert "mixed model" in cg.report(cg.analyze(outcomes, ask, rng=0), notes=True)
    methods = str(cg.methods(estimates))
    assert "a linear mixed model of all arms with units as random effects" in methods
    assert "some of which lack some arms" in methods
    pair = cg.estimation.hypotheses(estimates, "A - B = 0")
    direct = cg.estimate(cg.contrast(outcomes, contrasts="A - B"))
    of_effects = cg.estimate(cg.estimation.hypotheses(effects, "A - B = 0"))
    for name in ("ace", "se"):
        assert pair[name].item() == pytest.approx(direct[name].item(), rel=1e-7)
        assert of_effects[name].item() == pytest.approx(direct[name].item(), rel=1e-9)
    xr.testing.assert_identical(
        cg.sample_size(effects, half_width=0.2),
        cg.sample_size(estimates, half_width=0.2),
    )
    assert "12, incomplete (4 of 48 cells are missing)" in cg.report(outcomes)
    assert cg.estimation.joint_test(estimates).p < 0.001


def test_scales_and_interactions() -> None:
    long = table("few_gaps").assign(y=lambda d: d["y"].abs() + 1)
    on_log = cg.estimate(
        cg.contrast(cg.from_frame(long, **NAMES), control="wt", scale="log")
    )
    by_hand = estimated(long.assign(y=np.log(long["y"])))
    np.testing.assert_allclose(on_log["se"], by_hand["se"], rtol=1e-12)
    np.testing.assert_allclose(on_log["control_sd"], by_hand["control_sd"], rtol=1e-12)
    outcomes = cg.from_frame(long, **NAMES).assign_coords(
        a=("arm", [0, 1, 0, 1]), b=("arm", [0, 0, 1, 1])
    )
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
        (
            lambda: cg.estimate(EFFECTS, target="population x predictors"),
            "some lack an arm",
        ),
        (lambda: cg.estimate(EFFECTS, weights="clusters"), "some lack an arm"),
        (lambda: cg.estimate(EFFECTS, block="unit"), "for parallel trials"),
        (lambda: cg.estimate(EFFECTS, covariates="unit"), "for parallel trials"),
        (lambda: cg.estimate(EFFECTS, cluster="locus"), "no coordinate 'locus'"),
        (
            lambda: cg.estimate(EFFECTS, task_correlation=True),
            "a mixed model of its own",
        ),
        (
            lambda: cg.contrast(OUTCOMES, control="wt", tasks="K562 - HepG2"),
            "a contrast between tasks",
        ),
        (lambda: cg.contrast_models(OUTCOMES, control="wt"), "of one predictor"),
        (
            lambda: cg.adjust(EFFECTS, method="bootstrap_t", rng=0),
            "of a table with gaps that lack an arm have none",
        ),
        (
            lambda: cg.adjust(ESTIMATES, method="sign_flip", rng=0),
            "of a table with gaps that lack an arm have none",
        ),
        (
            lambda: cg.adjust(ESTIMATES, method="dunnett", family="all"),
            "how tasks .* correlate",
        ),
        (
            lambda: cg.simultaneous(EFFECTS, method="bootstrap_t", rng=0),
            "have none; use method='dunnett'",
        ),
        (
            lambda: cg.verdicts.heterogeneity(EFFECTS),
            "15 of 90 cells are missing.*dropna",
        ),
        (
            lambda: cg.estimation.modification(EFFECTS, by="unit"),
            "15 of 90 cells are missing",
        ),
        (
            lambda: cg.estimation.variance_components(OUTCOMES),
            "15 of 90 cells are missing",
        ),
        (
            lambda: cg.estimation.variance_components(EFFECTS),
            "15 of 90 cells are missing",
        ),
        (
            lambda: cg.estimation.hypotheses(EFFECTS, "A - B = 0.5"),
            "a table with gaps has no effects of units",
        ),
        (lambda: cg.estimation.helical_phase(EFFECTS), "15 of 90 cells are missing"),
        (
            lambda: cg.tipping_point(OUTCOMES, contrast="A - wt", rope=(-1, 1)),
            "15 of 90 cells are missing",
        ),
        (
            lambda: cg.refute(OUTCOMES, None, rng=0, control="wt"),
            "15 of 90 cells are missing",
        ),
        (
            lambda: cg.planning.cheapest_split(EFFECTS, half_width=0.1),
            "individual effects",
        ),
        (lambda: cg.plot.boxes(OUTCOMES), "15 of 90 cells are missing"),
        (lambda: cg.plot.raincloud(EFFECTS), "no effects of single units"),
        (lambda: cg.infer(EFFECTS, rng=0), "these are effects; give estimates"),
        (
            lambda: cg.estimation.joint_test(EFFECTS),
            "these are effects; give estimates",
        ),
    ],
)
def test_what_takes_whole_units_says_so(call: Any, message: str) -> None:
    with pytest.raises(CausalgiaError, match=message):
        call()


def test_what_is_kept_in_a_file_comes_back(tmp_path: Path) -> None:
    for kind, kept in (
        ("outcomes", OUTCOMES),
        ("effects", EFFECTS),
        ("estimates", ESTIMATES),
    ):
        path = cg.store.save(kept, tmp_path / f"{kind}.nc")
        assert cg.store.load(path, kind).identical(kept)


def refused(long: pd.DataFrame, message: str, **columns: Any) -> None:
    with pytest.raises(CausalgiaError, match=message):
        estimated(long, **columns)


def test_what_cannot_be_estimated_is_named() -> None:
    long = table("few_gaps")
    refused(
        long.assign(y=long["y"].where(long["arm"] != "B")),
        "arm 'B' has no outcome in any unit of task 'y'",
    )
    both = table("two_tasks")
    gone = both[~((both["arm"] == "B") & (both["task"] == "HepG2"))]
    refused(gone, "arm 'B' has no outcome in any unit of task 'HepG2'", task="task")
    some = OUTCOMES.isel(
        unit=OUTCOMES["outcome"].sel(arm="A", task="K562").isnull().to_numpy()
    )
    with pytest.raises(
        EstimateError, match="arm 'A' has no outcome in any unit of task 'K562'"
    ):
        cg.estimate(cg.contrast(some, control="wt"))
    each_one = pd.DataFrame(
        {"unit": [0, 0, 1, 1, 2, 2, 3, 3], "arm": ["wt", "A"] * 4, "y": np.arange(8.0)}
    )
    each_one.loc[[0, 3, 4, 7], "y"] = np.nan
    refused(each_one, "task 'y': no unit has two arms")
    few = pd.DataFrame(
        {"unit": [0, 0, 1], "arm": ["wt", "A", "A"], "y": [1.0, 3.0, 2.0]}
    )
    refused(few, "task 'y': 3 rows for 2 fixed effects leave no spread")
    refused(
        long.assign(y=long["y"].where(long.index != 3, np.inf)), r"row 3 .*'y' is inf"
    )
    one = pd.DataFrame(
        {"unit": [0, 0, 0], "arm": ["wt", "A", "B"], "y": [1.0, 3.0, np.nan]}
    )
    refused(one, "arm 'B' has no outcome")
    parents = table("parents").assign(parent="p1")
    refused(parents, "all units share the one parent 'p1'", parent="parent")


def test_noise_that_few_units_do_not_show_is_not_taken_as_0() -> None:
    arm, unit = np.array([0, 1, 0, 1]), np.array([0, 1, 2, 2])
    for y in ([2.0, 1.0, 3.0, 2.0], [1e6 + 1, 1e6, 1e6 + 2, 1e6 + 1]):
        with pytest.raises(EstimateError, match="the noise inside units was estimated"):
            contrasts_of_arms(np.array(y), arm, unit, np.array([[-1.0, 1.0]]))


def test_tables_that_may_have_no_gaps_are_refused_as_before() -> None:
    alone = pd.DataFrame(
        {"unit": range(6), "arm": ["wt", "A"] * 3, "y": [1.0, 2, 3, 4, 5, np.nan]}
    )
    refused(alone, "row 5 .*'y' is nan; repair the value")
    with pytest.raises(OutcomesError, match="'y' is nan"):
        cg.from_frame(alone, outcome="y", arm="arm")
    several = pd.concat(
        [alone.assign(task=t, y=1.0) for t in ("a", "b")], ignore_index=True
    )
    refused(
        several.drop(index=9),
        "task 'b' is measured nowhere; .* or take each task by itself",
        task="task",
    )
    nets = pd.concat([table("few_gaps").assign(net=n) for n in ("one", "two")])
    refused(nets, "is measured nowhere; .*cg.estimation.from_incomplete", model="net")
    twice = pd.concat([table("few_gaps")] * 2)
    refused(twice, "is measured more than once")


def cells(n: int = 8, *, noise: float = 0.0, seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    unit, arm = (x.ravel() for x in np.indices((n, 3)))
    keep = ~((unit == 1) & (arm == 1)) & ~((unit == 4) & (arm > 0))
    y = 3 * rng.normal(size=n)[unit] + 0.5 * arm + noise * rng.normal(size=len(unit))
    return y[keep], arm[keep], unit[keep]


WEIGHTS = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])


def test_effects_without_noise_are_exact() -> None:
    y, arm, unit = cells()
    found = contrasts_of_arms(y, arm, unit, WEIGHTS)
    np.testing.assert_allclose(found.ace, [0.5, 1.0], rtol=1e-12)
    np.testing.assert_array_equal(found.se, 0.0)
    long = pd.DataFrame({"unit": unit, "arm": np.array(["wt", "A", "B"])[arm], "y": y})
    with pytest.warns(
        DegenerateWarning, match="2 of 2 effects .* do not vary at all inside units"
    ):
        estimates = estimated(long)
    assert estimates["exact"].all()
    assert (estimates["p"] == 0).all()
    # units that do not differ either
    flat = contrasts_of_arms(0.5 * arm, arm, unit, WEIGHTS)
    np.testing.assert_array_equal(flat.se, 0.0)
    np.testing.assert_allclose(flat.ace, [0.5, 1.0])
    # an arm that no unit joins is uncertain all the same
    lone = (
        np.append(y, [4.0, 6.0, 9.0]),
        np.append(arm, [3, 3, 3]),
        np.append(unit, [8, 9, 10]),
    )
    apart = contrasts_of_arms(
        *lone, np.array([[-1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 1.0]])
    )
    assert apart.se[0] == 0
    joined, alone = y - 0.5 * arm, np.array([4.0, 6.0, 9.0])
    levels = np.array([joined[unit == u].mean() for u in range(8)])
    theirs = stats.ttest_ind(alone, levels)
    assert apart.ace[1] / apart.se[1] == pytest.approx(theirs.statistic, rel=1e-9)
    assert apart.df.tolist() == [11, 9]
    assert apart.between.tolist() == [False, True]


@pytest.mark.parametrize("noise", [1e-3, 1e-7, 1e-10])
def test_little_noise_is_the_limit_of_fixed_units(noise: float) -> None:
    y, arm, unit = cells(12, noise=noise)
    found = contrasts_of_arms(y, arm, unit, WEIGHTS)
    X = np.column_stack([np.eye(12)[unit], np.eye(3)[arm][:, 1:]])
    beta, rss = np.linalg.lstsq(X, y, rcond=None)[:2]
    df = len(y) - X.shape[1]
    covariance = rss[0] / df * np.linalg.inv(X.T @ X)[-2:, -2:]
    np.testing.assert_allclose(found.ace, beta[-2:], rtol=1e-6)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-4)
    np.testing.assert_allclose(found.df, df, rtol=1e-3)


@pytest.mark.parametrize("size", [1e-250, 1e-3, 1e6, 1e140])
def test_the_unit_of_measurement_does_not_matter(size: float) -> None:
    y, arm, unit = cells(noise=1.0)
    one, scaled = (
        contrasts_of_arms(y, arm, unit, WEIGHTS),
        contrasts_of_arms(size * y, arm, unit, WEIGHTS),
    )
    np.testing.assert_allclose(scaled.ace, size * one.ace, rtol=1e-8)
    np.testing.assert_allclose(scaled.se, size * one.se, rtol=1e-7)
    np.testing.assert_allclose(scaled.df, one.df, rtol=1e-5)
    shifted = contrasts_of_arms(y + 1e6, arm, unit, WEIGHTS)
    np.testing.assert_allclose(shifted.ace, one.ace, rtol=1e-6)


def test_the_order_of_rows_and_names_does_not_matter() -> None:
    long = table("heavy_gaps")
    one, other = estimated(long), estimated(long.sample(frac=1, random_state=4))
    for name in ("ace", "se", "df", "p"):
        np.testing.assert_allclose(
            other[name].sel(contrast=one["contrast"]),
            one[name],
            rtol=1e-5,
            err_msg=name,
        )


def test_narrow_floats_and_many_contrasts() -> None:
    long = table("heavy_gaps").astype({"y": "float32"})
    outcomes = cg.from_frame(long, **NAMES)
    assert outcomes["outcome"].dtype == np.float32
    found = cg.estimate(cg.contrast(outcomes, contrasts="pairwise"))
    assert found.sizes["contrast"] == 10
    np.testing.assert_allclose(
        np.diagonal(found["covariance"].isel(task=0)), found["se"].isel(task=0) ** 2
    )
    many = {f"k{k}": {"A": 1.0, "B": -k / 600, "wt": k / 600 - 1} for k in range(600)}
    wide = cg.estimate(
        cg.contrast(
            cg.from_frame(table("two_tasks"), **NAMES, task="task"), contrasts=many
        )
    )
    assert "factor" in wide
    of_block = cg.estimation.covariance(wide, ["k0", "k300"])
    np.testing.assert_allclose(
        np.sqrt(np.diagonal(of_block.isel(task=1))),
        wide["se"].sel(contrast=["k0", "k300"]).isel(task=1),
    )
    with pytest.raises(EstimateError, match="how tasks"):
        cg.adjust(wide, method="dunnett", family="all")


def test_combinations_are_those_of_the_fixed_effects() -> None:
    y, arm, unit = cells(noise=1.0)
    X = np.eye(3)[arm]
    one, whole = (
        reml(y, X, {"unit": unit}, combinations=WEIGHTS),
        reml(y, X, {"unit": unit}),
    )
    np.testing.assert_allclose(one.beta, WEIGHTS @ whole.beta)
    np.testing.assert_allclose(one.covariance, WEIGHTS @ whole.covariance @ WEIGHTS.T)
    np.testing.assert_allclose(
        reml(y, X, {"unit": unit}, combinations=np.eye(3)).df, whole.df, rtol=1e-9
    )
    assert one.criterion == whole.criterion
    kr = reml(y, X, {"unit": unit}, ddf="kenward_roger", combinations=WEIGHTS)
    assert (kr.se >= one.se * (1 - 1e-9)).all()
    for wrong in (np.ones((1, 2)), np.full((1, 3), np.nan), np.ones(3)):
        with pytest.raises(EstimateError, match="combinations has shape"):
            reml(y, X, {"unit": unit}, combinations=wrong)


@pytest.mark.rotating
@pytest.mark.long
@pytest.mark.parametrize(
    ("n", "n_arms", "share", "size"), [(12, 4, 0.3, 0.054), (20, 3, 0.2, 0.052)]
)
def test_intervals_cover_and_tests_keep_their_size(
    n: int, n_arms: int, share: float, size: float
) -> None:
    """Compare misses of 95 % intervals, and false alarms at .05, with stated sizes."""
    rng, n_tables, missed, rejected = np.random.default_rng(0), 200, 0, 0
    weights = np.column_stack([-np.ones(n_arms - 1), np.eye(n_arms - 1)])
    unit, arm = (x.ravel() for x in np.indices((n, n_arms)))
    for _ in range(n_tables):
        keep = rng.random(n_arms * n) > share
        y = rng.normal(size=n)[unit] + 0.7 * (arm == 2) + rng.normal(size=n_arms * n)
        codes = np.unique(unit[keep], return_inverse=True)[1]
        found = contrasts_of_arms(y[keep], arm[keep], codes, weights)
        half = stats.t.ppf(0.975, found.df) * found.se
        missed += abs(found.ace[1] - 0.7) > half[1]
        rejected += abs(found.ace[0]) > half[0]
    least, most = stats.binom.interval(0.999, n_tables, size)
    assert least <= missed <= most
    assert least <= rejected <= most
