# Imports from the inside: mixed models and tables without a model, proved against R
# and dense matrices.
"""Tables of units by arms with missing cells, in every verb."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
)
from causalgia.estimation import from_incomplete
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.incomplete_estimates import contrasts_of_arms
from causalgia.estimation.mixed_model import reml

CASE = Path(__file__).parent / "reference" / "tables_with_gaps"
NAMES: dict[str, Any] = {"outcome": "y", "arm": "arm", "unit": "unit"}


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(CASE / f"input_{name}.csv")


def estimated(long: pd.DataFrame, **columns: Any) -> xr.Dataset:
    return cg.estimate(
        cg.contrast(cg.from_frame(long, **NAMES, **columns), control="wt")
    )


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


def test_the_note_counts_missing_cells_and_whole_units() -> None:
    rows = [(u, arm, u + len(arm)) for u in range(5) for arm in ("wt", "A")]
    long = pd.DataFrame(rows, columns=["unit", "arm", "y"]).drop(index=[1, 4])
    note = cg.from_frame(long, **NAMES).attrs["notes"]
    assert re.findall(r"\d+", note) == ["2", "10", "3", "5"]


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


def test_a_row_without_a_value_is_a_gap() -> None:
    long = table("few_gaps")
    empty = pd.concat(
        [long, pd.DataFrame({"unit": ["u99"], "arm": ["A"], "y": [np.nan]})],
        ignore_index=True,
    )
    empty.loc[0, "y"] = np.nan
    outcomes = cg.from_frame(empty, **NAMES)
    assert outcomes["outcome"].isnull().sum() == 9
    found, fewer = estimated(empty), estimated(long.drop(index=0))
    np.testing.assert_allclose(
        found["ace"].sortby("contrast"), fewer["ace"].sortby("contrast"), rtol=1e-9
    )
    np.testing.assert_allclose(
        found["se"].sortby("contrast"), fewer["se"].sortby("contrast"), rtol=1e-7
    )


def test_the_verbs_take_the_estimates() -> None:
    outcomes = cg.from_frame(table("few_gaps"), **NAMES)
    effects = cg.contrast(outcomes, control="wt")
    estimates = cg.estimate(effects)
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


OUTCOMES = cg.from_frame(table("two_tasks"), **NAMES, task="task")
EFFECTS = cg.contrast(OUTCOMES, control="wt")
ESTIMATES = cg.estimate(EFFECTS)


def test_what_is_kept_in_a_file_comes_back(tmp_path: Path) -> None:
    for kind, kept in (
        ("outcomes", OUTCOMES),
        ("effects", EFFECTS),
        ("estimates", ESTIMATES),
    ):
        path = cg.store.save(kept, tmp_path / f"{kind}.nc")
        assert cg.store.load(path, kind).identical(kept)


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
    with pytest.warns(DegenerateWarning):
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


@pytest.mark.simulation
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
