# Imports from the inside: the estimator of own arms, proved against dense matrices.
"""Tables of units by arms with missing cells, in every verb."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import linalg, optimize, stats

import causalgia as cg
from causalgia.errors import CausalgiaError, DegenerateWarning, EstimateError
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.own_arms import own_arms
from causalgia.estimation.parallel import clustered, fit_arms, welch

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
        cg.decide(x, rope=(-0.1, 0.1), error="fwer")["q"].sortby("contrast")
        for x in (effects, estimates)
    ]
    np.testing.assert_array_equal(*q)
    direct = cg.estimate(cg.contrast(outcomes, contrasts="A - B"))
    of_effects = cg.estimate(cg.estimation.hypotheses(effects, "A - B = 0"))
    for name in ("ace", "se"):
        assert of_effects[name].item() == pytest.approx(direct[name].item(), rel=1e-9)
    xr.testing.assert_identical(
        cg.sample_size(effects, half_width=0.2),
        cg.sample_size(estimates, half_width=0.2),
    )


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


SAMPLES: dict[str, Any] = {**NAMES, "task": "row"}


def samples(
    n: int = 6, n_rows: int = 20, *, missing: float = 0.1, seed: int = 5
) -> pd.DataFrame:
    """Rows of n + n samples, each sample in one arm, some of them missing."""
    rng = np.random.default_rng(seed)
    y = 5 + rng.normal(size=(2 * n, n_rows)) * np.sqrt(4 / rng.chisquare(4, n_rows))
    y[n:, : n_rows // 5] += 2
    y[rng.random(y.shape) < missing] = np.nan
    y[:, -1] = np.arange(2 * n) ** 2
    y[0, 0] = np.nan
    unit, row = np.indices(y.shape)
    columns = {"unit": unit, "arm": np.where(unit < n, "wt", "A"), "row": row}
    columns |= {"block": unit % 3, "x": (unit * 5) % 7, "parent": unit // 2}
    long = pd.DataFrame({name: x.ravel() for name, x in columns.items()})
    return long.assign(y=y.ravel(), row=[f"r{t}" for t in long["row"]])


def arrays(long: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    wide = long.pivot(index="unit", columns="row", values="y")
    wide = wide[long["row"].unique()].to_numpy()
    return wide[len(wide) // 2 :], wide[: len(wide) // 2]


def test_rows_of_samples_have_the_t_of_welch_by_those_that_have_it() -> None:
    long = samples()
    outcomes = cg.from_frame(long, **SAMPLES)
    assert outcomes.attrs["assignment"] == "incomplete"
    assert outcomes["outcome"].dims == ("unit", "task")
    found = cg.estimate(cg.contrast(outcomes, control="wt"))
    theirs = stats.ttest_ind(*arrays(long), equal_var=False, nan_policy="omit")
    mine = (x.isel(contrast=0) for x in (found["ace"] / found["se"], found["df"]))
    for one, other in zip(mine, (theirs.statistic, theirs.df), strict=True):
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-9)
    np.testing.assert_allclose(
        found["p_t"].isel(contrast=0), np.asarray(theirs.pvalue), rtol=1e-9
    )
    np.testing.assert_array_equal(
        found["n_units"].isel(contrast=0), outcomes["outcome"].notnull().sum("unit")
    )
    # a row that is not there is the same gap
    fewer = cg.estimate(
        cg.contrast(cg.from_frame(long.dropna(), **SAMPLES), control="wt")
    )
    xr.testing.assert_equal(fewer.sel(task=found["task"]), found)


@pytest.mark.parametrize("law", ["normal", "binary", "constant"])
@pytest.mark.parametrize("columns", [{}, {"parent": "parent"}])
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_row_of_samples_is_what_it_is_alone(
    columns: dict[str, str], law: str
) -> None:
    long = samples()
    if law == "binary":
        long["y"] = (long["y"] > 5).where(long["y"].notnull()).astype(float)
    if law == "constant":
        still = (long["arm"] == "A") & long["row"].isin(["r1", "r2"])
        long["y"] = long["y"].where(~still | long["y"].isnull(), 3.0)
    together = estimated(long, task="row", **columns)
    assert ("two_valued_counts" in together) == (law == "binary")
    for row in together["task"].values:
        own = long[(long["row"] == row) & long["y"].notnull()]
        alone = estimated(own, task="row", **columns)
        for name in {*together.data_vars} - {"covariance"}:
            column = together[name]
            mine = column.sel(task=[row]) if "task" in column.dims else column
            theirs = alone.get(name, 0.0)
            np.testing.assert_allclose(
                mine.astype(float), theirs, rtol=1e-12, atol=1e-12, err_msg=name
            )


def test_samples_of_rows_without_gaps_are_a_parallel_trial() -> None:
    long = samples()
    whole = long[long.groupby("row")["y"].transform("count") == 12]
    columns = {"block": "block", "covariates": "x"}
    given, left = (cg.from_frame(x, **SAMPLES, **columns) for x in (whole, long))
    left = left.dropna("task")
    assert 0 < left.sizes["task"] < 20
    requests: list[dict[str, Any]] = [
        {},
        {"target": "units"},
        {"covariates": "x"},
    ]
    for request in requests:
        pair = [
            x.drop_vars("block") if "covariates" in request else x
            for x in (given, left)
        ]
        mine, theirs = (
            cg.estimate(cg.contrast(x, control="wt"), **request) for x in pair
        )
        xr.testing.assert_equal(mine, theirs)
    ratio = cg.contrast(left, control="wt", scale="ratio")
    xr.testing.assert_equal(ratio, cg.contrast(given, control="wt", scale="ratio"))
    # so are the samples that have every row
    samples_left = cg.from_frame(samples(missing=0.01), **SAMPLES).dropna("unit")
    assert cg.contrast(samples_left, control="wt").attrs["assignment"] == "parallel"


@pytest.mark.parametrize(
    "request_",
    [
        {"block": "block"},
        {"covariates": "x"},
        {"target": "units"},
        {"target": "parents"},
        {"weights": "clusters"},
    ],
)
def test_samples_with_gaps_are_not_adjusted(request_: dict[str, Any]) -> None:
    outcomes = cg.from_frame(samples(), **SAMPLES, covariates="x", parent="parent")
    outcomes = outcomes.assign_coords(block_=("unit", np.arange(12) % 3))
    if "block" in request_:
        request_ = {"block": "block_"}
    (name,) = request_
    with pytest.raises(EstimateError) as refused:
        cg.estimate(cg.contrast(outcomes, control="wt"), **request_)
    assert refused.value.argument == name
    # of a design
    blocked = outcomes.assign_coords(block=outcomes["block_"])
    with pytest.raises(EstimateError) as refused:
        cg.analyze(blocked, control="wt", rope=0)
    assert refused.value.argument == "block"


def test_variances_of_samples_are_moderated_on_the_df_of_each_row() -> None:
    long = samples(4, 300, missing=0.05)
    differs = (long["arm"] == "A") & (long.index % 300 < 60)
    long["y"] += 3.0 * differs
    outcomes = cg.from_frame(long, **SAMPLES)
    assert "shrink" in outcomes.attrs["notes"]
    effects = cg.contrast(outcomes, control="wt")
    plain, found = (cg.estimate(effects, variances=x) for x in (False, True))
    n = outcomes["outcome"].notnull().sum("unit")
    own, prior = n - 2.0, found.attrs["prior_df"]
    assert own.min() < own.max()
    mine = found.isel(contrast=0).where(~plain["unbounded"].isel(contrast=0))
    share, df = (
        x.where(mine["ace"].notnull()) for x in (own / (own + prior), own + prior)
    )
    np.testing.assert_allclose(mine["variance_share"], share, rtol=1e-12)
    np.testing.assert_allclose(mine["df"], df, rtol=1e-12)
    np.testing.assert_array_equal(found["ace"], plain["ace"])
    answer = cg.analyze(
        outcomes, control="wt", rope=0, shrink=cg.Shrinkage(variances=True)
    )
    assert (answer["verdict"] != "undecided").sum() > 10


def test_a_gap_of_a_sample_that_has_no_other_row() -> None:
    """A sample without any value, and rows in which one is left of an arm."""
    long = samples(missing=0.0)
    empty = long.assign(y=long["y"].where(long["unit"] != 2))
    found, fewer = (
        cg.estimate(cg.contrast(cg.from_frame(x, **SAMPLES), control="wt"))
        for x in (empty, long[long["unit"] != 2])
    )
    np.testing.assert_allclose(found["lower"], fewer["lower"], rtol=1e-12)
    gap = (long["row"] == "r3") & (long["unit"] < 5)
    lone = estimated(long[~gap], task="row")
    assert lone["unbounded"].isel(contrast=0).values.nonzero()[0].size == 1
    assert lone["p"].sel(task="r3").item() == 1.0
    assert np.isfinite(lone["lower"].drop_sel(task="r3")).all()


@pytest.mark.parametrize("law", ["normal", "exponential"])
def test_rows_of_samples_with_gaps_have_few_false_positives(law: str) -> None:
    rng = np.random.default_rng(8)
    long = samples(10, 800, missing=0.05)
    drawn = getattr(rng, "standard_" + law)(len(long))
    found = estimated(
        long.assign(y=np.where(long["y"].isnull(), np.nan, drawn)), task="row"
    )
    assert 0.01 < (found["p"] <= 0.05).mean() < 0.065
    assert ((found["lower"] <= 0) & (found["upper"] >= 0)).mean() > 0.935


def test_other_verbs_take_samples_with_gaps_or_refuse_them(tmp_path: Path) -> None:
    outcomes = cg.from_frame(samples(), **SAMPLES)
    effects = cg.contrast(outcomes, control="wt")
    estimates = cg.estimate(effects)
    for kind, kept in (
        ("outcomes", outcomes),
        ("effects", effects),
        ("estimates", estimates),
    ):
        path = cg.store.save(kept, tmp_path / f"{kind}.nc")
        assert cg.store.load(path, kind).identical(kept)
    decided = cg.decide(effects, rope=0)
    np.testing.assert_array_equal(
        decided["verdict"], cg.decide(estimates, rope=0)["verdict"]
    )
    assert len(cg.tidy(decided)) == 20
    page = cg.report(
        decided, outcomes=outcomes, as_="page", path=tmp_path / "page.html"
    )
    assert Path(page).exists()
    assert "Welch" in cg.report(decided, as_="methods")
    on_log = cg.estimate(
        cg.contrast(
            outcomes.assign(outcome=outcomes["outcome"] + 90), control="wt", scale="log"
        )
    )
    assert on_log["ace"].notnull().all()
    refusals: list[tuple[Any, ...]] = [
        (cg.contrast, (outcomes,), {"control": "wt", "scale": "ratio"}),
        (cg.contrast, (outcomes,), {"control": "wt", "tasks": "r1 - r2"}),
        (cg.refute, (outcomes, None), {"rng": 0, "control": "wt"}),
        (cg.moderation, (effects, "x"), {"rope": 0}),
    ]
    for verb, given, settings in refusals:
        with pytest.raises(CausalgiaError):
            verb(*given, **settings)


def test_the_first_unit_may_have_had_the_only_gap() -> None:
    long = samples(missing=0.0)
    left = cg.from_frame(long, **SAMPLES).isel(unit=slice(1, None))
    assert cg.contrast(left, control="wt").attrs["assignment"] == "parallel"
    crossed = cg.from_frame(table("few_gaps").query("unit != 'u99'").iloc[1:], **NAMES)
    assert crossed.dropna("unit").sizes["unit"] > 2
    cg.estimate(cg.contrast(crossed.dropna("unit"), control="wt"))


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


def cells(
    n: int, n_arms: int, *, missing: float = 0.3, noise: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Outcomes of one task with gaps, each arm in two units at least."""
    rng = np.random.default_rng(seed)
    y = 2 * rng.normal(size=(n, 1)) + 0.5 * np.arange(n_arms)
    y = y + noise * rng.normal(size=(n, n_arms))
    gap = rng.random(y.shape) < missing
    gap[:2] = False
    return np.where(gap, np.nan, y)[:, :, None]


def dense(
    y: np.ndarray, w: np.ndarray, cluster: np.ndarray
) -> tuple[float, float, float]:
    """ACE, se and df with all matrices written out (Pustejovsky & Tipton 2018)."""
    unit, arm = np.nonzero(np.isfinite(y) & (w != 0))
    v, group, own = y[unit, arm], cluster[unit], np.flatnonzero(w)
    X, same = (arm[:, None] == own) * 1.0, (unit[:, None] == unit) * 1.0

    def fit(ratio: float) -> tuple[Any, ...]:
        V = np.eye(len(v)) + ratio * same
        inverse = np.linalg.inv(V)
        M = np.linalg.inv(X.T @ inverse @ X)
        return V, inverse, M, M @ X.T @ inverse @ v

    def deviance(log_ratio: float) -> float:
        V, inverse, M, beta = fit(np.exp(log_ratio))
        e = v - X @ beta
        free = len(v) - X.shape[1]
        parts = np.linalg.slogdet(V)[1] - np.linalg.slogdet(M)[1]
        return float(parts + free * np.log(e @ inverse @ e))

    best = optimize.minimize_scalar(
        deviance, bounds=(-12, 12), method="bounded", options={"xatol": 1e-10}
    )
    V, inverse, M, beta = fit(np.exp(best.x))
    rest = np.eye(len(v)) - X @ M @ X.T @ inverse
    P, psi = [], []
    for g in np.unique(cluster):
        at = np.flatnonzero(group == g)
        D = linalg.cholesky(V[np.ix_(at, at)])
        B = D @ (rest @ V @ rest.T)[np.ix_(at, at)] @ D.T
        A = D.T @ linalg.inv(linalg.sqrtm(B).real) @ D
        q = A @ (inverse @ X @ M @ w[own])[at]
        psi.append(q @ (v - X @ beta)[at])
        P.append(rest[at].T @ q)
    between = np.array(P) @ V @ np.array(P).T
    df = np.trace(between) ** 2 / (between**2).sum()
    return float(w[own] @ beta), float(np.linalg.norm(psi)), float(df)


@pytest.mark.parametrize("parents", [False, True])
@pytest.mark.parametrize("w", [(-1.0, 1.0, 0.0, 0.0), (1.0, -0.5, 0.0, -0.5)])
def test_it_is_generalized_least_squares_with_cr2(
    w: tuple[float, ...], parents: bool
) -> None:
    y, weights = cells(26, 4, seed=3), np.array(w)
    group = np.arange(26) // 4 if parents else np.arange(26)
    found = own_arms(y, weights[None], group if parents else None)
    mine = found.ace.item(), found.se.item(), found.df.item()
    np.testing.assert_allclose(mine, dense(y[:, :, 0], weights, group), rtol=1e-7)
    psi = found.factor[:, 0, 0]
    assert found.leverage.item() == pytest.approx((psi**2).max() / (psi**2).sum())
    a = (psi**3).sum() / (psi**2).sum() ** 1.5
    assert found.skewness.item() == pytest.approx(a * np.sqrt(found.n_clusters.item()))


def test_without_gaps_it_is_the_mean_and_without_pairs_welch() -> None:
    rng = np.random.default_rng(2)
    y, parent = rng.normal(size=(21, 3, 2)), np.arange(21) // 3
    W = np.array([[-1.0, 1.0, 0.0], [1.0, -0.5, -0.5]])
    for group in (None, parent):
        mine, ice = own_arms(y, W, group), np.einsum("uat,ka->ukt", y, W)
        whole = mean_ice(ice, group)
        for name in ("ace", "se", "df", "factor"):
            np.testing.assert_allclose(
                getattr(mine, name), getattr(whole, name), rtol=1e-12, atol=1e-15
            )
    arm = rng.permutation(np.arange(21) % 3)
    lone, each = np.full_like(y, np.nan), y[np.arange(21), arm]
    lone[np.arange(21), arm] = each
    alone, shared = own_arms(lone, W), own_arms(lone, W, parent)
    fits = (
        fit_arms(each, arm, [0, 1, 2]),
        fit_arms(each, arm, [0, 1, 2], cluster=parent),
    )
    theirs = welch(fits[0], W), clustered(fits[1], W, 7)
    for mine, whole in zip((alone, shared), theirs, strict=True):
        for name in ("ace", "se", "df", "leverage"):
            expected = np.broadcast_to(getattr(whole, name), mine.ace.shape)
            np.testing.assert_allclose(getattr(mine, name), expected, rtol=1e-12)


def test_no_other_arm_moves_a_row() -> None:
    long = table("few_gaps")
    whole = long[long.groupby("unit")["arm"].transform("size") == 4]
    one = whole[~((whole["arm"] == "C") & (whole["unit"] == whole["unit"].iloc[0]))]
    before, after = estimated(whole), estimated(one)
    for name in ("ace", "se", "df", "p", "lower", "upper", "skewness", "n_units"):
        mine, theirs = (x[name].sel(contrast=["A", "B"]) for x in (after, before))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, err_msg=name)
    both = long[long["arm"].isin(["A", "wt"])]
    np.testing.assert_allclose(
        estimated(both)["se"].item(), estimated(long)["se"].sel(contrast="A").item()
    )


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-5, 1e-7])
def test_little_noise_is_the_limit_of_pairs_alone(noise: float) -> None:
    y = cells(30, 2, noise=noise)
    ice = (y[:, 1] - y[:, 0]).ravel()
    pairs = mean_ice(ice[np.isfinite(ice)])
    found = own_arms(y, np.array([[-1.0, 1.0]]))
    assert abs(found.ace.item() - pairs.ace) < 0.05 * pairs.se
    assert found.se.item() == pytest.approx(float(pairs.se), rel=1e-2)
    assert found.df.item() == pytest.approx(float(pairs.df), rel=1e-2)


def test_effects_without_noise_are_exact() -> None:
    y = cells(12, 3, noise=0.0)
    unit, arm = np.nonzero(np.isfinite(y[:, :, 0]))
    names = np.array(["wt", "A", "B"])[arm]
    long = pd.DataFrame({"unit": unit, "arm": names, "y": y[unit, arm, 0]})
    with pytest.warns(DegenerateWarning):
        estimates = estimated(long)
    np.testing.assert_allclose(estimates["ace"].values.ravel(), [0.5, 1.0])
    assert estimates["exact"].all()
    np.testing.assert_array_equal(estimates["lower"], estimates["ace"])


def test_an_arm_of_one_unit_has_no_verdict_and_leaves_the_others() -> None:
    long = table("few_gaps")
    lone = long[(long["arm"] != "C") | (long["unit"] == long["unit"].iloc[0])]
    found = estimated(lone)
    row = found.sel(contrast="C").isel(task=0)
    assert row["unbounded"].item()
    assert (row["p"].item(), row["lower"].item(), row["upper"].item()) == (
        1.0,
        -np.inf,
        np.inf,
    )
    decided = cg.decide(found, rope=(-0.1, 0.1))
    assert decided["verdict"].sel(contrast="C").item() == "undecided"
    np.testing.assert_allclose(
        found["se"].sel(contrast="A"), estimated(long)["se"].sel(contrast="A")
    )
    alone = estimated(lone[lone["arm"].isin(["C", "wt"])])
    assert alone["ace"].item() == row["ace"].item()
    assert alone["unbounded"].item()


def test_an_arm_of_one_unit_moves_no_other_row_of_a_parallel_trial() -> None:
    rng = np.random.default_rng(0)
    arms = np.repeat(["wt", "A", "B"], [9, 4, 1])
    y = rng.exponential(size=14)
    long = pd.DataFrame({"unit": range(14), "arm": arms, "y": y})
    beside, alone = (estimated(x).sel(contrast=["A"]) for x in (long, long[:13]))
    for name in ("se", "df", "p", "lower", "upper", "skewness", "se_pooled"):
        np.testing.assert_allclose(beside[name], alone[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("size", [1e-250, 1e-3, 1e6, 1e140])
def test_the_unit_of_measurement_does_not_matter(size: float) -> None:
    long = table("few_gaps")
    one, scaled = estimated(long), estimated(long.assign(y=long["y"] * size))
    for name, factor in (("ace", size), ("se", size), ("df", 1.0), ("p", 1.0)):
        np.testing.assert_allclose(
            scaled[name] / factor, one[name], rtol=1e-6, err_msg=name
        )
    shifted = estimated(long.assign(y=long["y"] + 1e6))
    np.testing.assert_allclose(shifted["se"], one["se"], rtol=1e-6)


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


@pytest.mark.simulation
@pytest.mark.parametrize("n_parents", [None, 20])
@pytest.mark.parametrize("missing", [0.05, 0.2, 0.4])
def test_intervals_cover_whatever_is_missing(
    missing: float, n_parents: int | None
) -> None:
    """At least .94 of 95 % intervals, of a pair and of an average of controls."""
    rng, n_tables, n = np.random.default_rng(7), 1_500, 60
    W = np.array([[-1.0, 1.0, 0.0, 0.0], [1.0, 0.0, -0.5, -0.5]])
    parent = None if n_parents is None else np.arange(n) % n_parents
    shared = np.arange(n) if parent is None else parent
    y = (
        rng.normal(size=(n, 1, n_tables))
        + rng.normal(size=(n, 4, n_tables)) * (np.array([0.3, 1.0, 0.5, 0.5])[:, None])
    )
    y += 0.5 * rng.normal(size=(n, 4, n_tables))[shared]
    found = own_arms(np.where(rng.random(y.shape) < missing, np.nan, y), W, parent)
    half = stats.t.ppf(0.975, found.df) * found.se
    assert (np.abs(found.ace) <= half).mean(axis=1).min() >= 0.94
