"""Public verbs against R, other programs, enumeration and closed forms: one section for
each folder of tests/reference.

A folder holds its script (`case.R`, or `make.py`), inputs, expected numbers and
versions; `tests/reference/RETIRED.md` lists what is no longer compared. What no public
verb reaches is in test_reference_kernels.py. Tolerance, where nothing else is said:
1e-9 relative in estimates, errors, df and limits; 1e-7 relative or 1e-12 absolute in p.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from student import assert_holds_t, of_t

import causalgia as cg

# of few clusters, which several folders are about
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

HERE = Path(__file__).parent / "reference"


@cache
def expected(case: str) -> Any:
    return json.loads((HERE / case / "expected.json").read_text())


def table(case: str, file: str = "input") -> pd.DataFrame:
    return pd.read_csv(HERE / case / f"{file}.csv")


def agrees(
    mine: xr.Dataset,
    theirs: dict[str, Any],
    columns: str = "ace se df p lower upper",
    *,
    atol: float = 0.0,
) -> None:
    """Compare one row or several with R's, whose p and limits are those of Student's t;
    ours hold them.
    """
    mine = mine.squeeze()
    p, lower, upper = of_t(mine)
    ours = {name: mine[name].to_numpy() for name in ("ace", "se", "df")}
    ours |= {"p": p, "lower": lower, "upper": upper}
    for name in columns.split():
        close = {"rtol": 1e-9, "atol": atol}
        if name == "p":
            close = {"rtol": 1e-7, "atol": 1e-12}
        value = theirs["estimate" if name not in theirs and name == "ace" else name]
        np.testing.assert_allclose(ours[name], value, err_msg=name, **close)
    assert_holds_t(mine)


def agrees_as_function_of_means(mine: xr.Dataset, theirs: dict[str, Any]) -> None:
    """Compare the row of a function of means with R's delta method: its p and limits are
    ours.
    """
    row, slack = mine.squeeze(), 1e-9 * abs(theirs["se"])
    np.testing.assert_allclose(row["ace"], theirs["estimate"], rtol=1e-9)
    np.testing.assert_allclose(row["se"], theirs["se"], rtol=1e-9)
    for name in ("lower", "upper"):
        np.testing.assert_allclose(row[name], theirs[name], rtol=0, atol=slack)
    if "p" in theirs:
        np.testing.assert_allclose(row["df"], theirs["df"], rtol=1e-9)
        np.testing.assert_allclose(row["p"], theirs["p"], rtol=1e-7, atol=1e-12)


def outcomes_of(frame: pd.DataFrame, **columns: Any) -> xr.Dataset:
    return cg.from_frame(frame, outcome="y", arm="arm", unit="unit", **columns)


def wide(frame: pd.DataFrame, arms: list[str]) -> xr.Dataset:
    """Outcomes of a table with a row for each unit and a column for each arm."""
    return outcomes_of(frame.melt("unit", arms, "arm", "y"))


def ice_of(frame: pd.DataFrame, columns: list[str], **coords: Any) -> xr.Dataset:
    """Effects of a table with a row for each unit and a column for each contrast."""
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), frame[columns].to_numpy()[:, :, None])},
        {"unit": frame["unit"], "contrast": columns, "task": ["y"], **coords},
    )


# ---- adaptive_shrinkage: ash by mixsqp


def shrunken() -> xr.Dataset:
    d = table("adaptive_shrinkage")
    estimates = cg.from_effects(d["ace"], se=d["se"])
    moments = cg.infer(estimates, n_draws=4, rng=0)["moments"]
    return moments.to_dataset().isel(task=0)


def test_the_default_law_beside_ash(record_property: Any) -> None:
    """Another law, without an atom: the differences are recorded, and none is wrong."""
    theirs, found = expected("adaptive_shrinkage"), shrunken()
    for mine, name in (
        ("mean", "posterior_mean"),
        ("sd", "posterior_sd"),
        ("lfsr", "lfsr"),
    ):
        for weights in ("null_biased", "uniform"):
            gap = np.abs(found[mine].to_numpy() - theirs[weights][name])
            assert np.isfinite(gap).all()
            record_property(f"{mine}, {weights}: largest difference", float(gap.max()))


# ---- cluster_robust: clubSandwich


def satterthwaite_row(theirs: dict[str, Any]) -> dict[str, Any]:
    return {"ace": theirs["ace"], "se": theirs["se"]} | {
        name: theirs[f"{name}_satterthwaite"] for name in ("df", "p", "lower", "upper")
    }


def clustered(file: str, columns: list[str]) -> xr.Dataset:
    frame = table("cluster_robust", f"input_{file}")
    return ice_of(frame, columns, parent=("unit", frame["parent"]))


@pytest.mark.parametrize("size", ["few", "many"])
def test_clustered_means(size: str) -> None:
    effects, theirs = clustered(size, ["ice"]), expected("cluster_robust")[size]
    found = cg.estimate(effects)
    agrees(found, satterthwaite_row(theirs["robust"]["CR2"]))
    assert found["n_units"].item() == theirs["n_units"]
    assert found["n_clusters"].item() == theirs["n_clusters"]
    by_cluster = cg.estimate(effects, weights="clusters")
    agrees(by_cluster, theirs["mean_of_cluster_means"])
    alone = cg.estimate(effects, cluster="none")
    np.testing.assert_allclose(alone["ace"].item(), theirs["iid"]["ace"], rtol=1e-9)
    np.testing.assert_allclose(alone["se"].item(), theirs["iid"]["se"], rtol=1e-9)


def test_parallel_arms_inside_parents() -> None:
    outcomes = outcomes_of(table("cluster_robust", "input_parallel"), parent="parent")
    found = cg.estimate(cg.contrast(outcomes, control="0"))
    agrees(found, satterthwaite_row(expected("cluster_robust")["parallel_arm"]["CR2"]))


def test_clustered_contrasts_have_one_covariance() -> None:
    theirs = expected("cluster_robust")["contrasts"]
    found = cg.estimate(clustered("contrasts", theirs["contrast"]))
    np.testing.assert_allclose(found["ace"][:, 0], theirs["ace"], rtol=1e-9)
    np.testing.assert_allclose(
        cg.estimation.covariance(found)[..., 0], theirs["covariance"]["CR2"], rtol=1e-9
    )
    np.testing.assert_allclose(
        found["df"][:, 0], theirs["df_satterthwaite_CR2"], rtol=1e-9
    )


# ---- difference_in_means: t.test, estimatr


def test_crossover_is_the_paired_t() -> None:
    outcomes = wide(
        table("difference_in_means", "input_crossover"), ["control", "treated"]
    )
    agrees(
        cg.estimate(cg.contrast(outcomes, control="control")),
        expected("difference_in_means")["crossover_paired_t"],
    )


def parallel(file: str, **columns: Any) -> xr.Dataset:
    frame = table("difference_in_means", f"input_{file}")
    return cg.contrast(outcomes_of(frame, **columns), control=0)


@pytest.mark.parametrize("target", ["population", "units"])
def test_parallel_is_welch(target: str) -> None:
    agrees(
        cg.estimate(parallel("parallel"), target=target),
        expected("difference_in_means")["parallel_welch"],
    )


def test_blocks_fixed_are_blocked_neyman() -> None:
    agrees(
        cg.estimate(parallel("blocked", block="block"), target="units"),
        expected("difference_in_means")["blocked_neyman"],
        columns="ace se",
    )


COVARIATES = ("x1", "x2")


def test_lin_hc2_for_these_units() -> None:
    effects = parallel("covariate", covariates=COVARIATES)
    agrees(
        cg.estimate(effects, covariates=COVARIATES, target="units"),
        expected("difference_in_means")["covariate"]["lin_hc2"],
    )


def test_lin_for_the_population_adds_the_sampling_of_the_covariates() -> None:
    effects = parallel("covariate", covariates=COVARIATES)
    units, population = (
        cg.estimate(effects, covariates=COVARIATES, target=target)
        for target in ("units", "population")
    )
    frame = table("difference_in_means", "input_covariate")
    x, y, arm = frame[["x1", "x2"]].to_numpy(), frame["y"], frame["arm"]
    slope = [
        np.linalg.lstsq(np.c_[np.ones((arm == a).sum()), x[arm == a]], y[arm == a])[0]
        for a in (0, 1)
    ]
    change = (slope[1] - slope[0])[1:]
    np.testing.assert_allclose(
        population["se"] ** 2,
        units["se"] ** 2 + change @ np.cov(x.T) @ change / len(x),
        rtol=1e-9,
    )


def test_welch_has_the_error_of_an_unadjusted_regression() -> None:
    """HC2 of the regression on the arm alone; its df, n - 2, are not Welch's."""
    found = cg.estimate(parallel("covariate"))
    theirs = expected("difference_in_means")["covariate"]["unadjusted_hc2"]
    agrees(found, theirs, "ace se")


# ---- dose_response


def doses() -> xr.Dataset:
    y = table("dose_response").set_index("unit")
    outcomes = wide(y.reset_index(), list(y.columns))
    copies = [int(name.removeprefix("count")) for name in outcomes["arm"].values]
    return outcomes.assign_coords(copies=("arm", copies))


def test_slope_of_each_unit() -> None:
    outcomes, theirs = doses(), expected("dose_response")["slope"]
    x = outcomes["copies"].to_numpy() - outcomes["copies"].mean().item()
    np.testing.assert_allclose(x / (x @ x), theirs["coefficients"], rtol=1e-12)
    weights = {"slope": dict(zip(outcomes["arm"].values, x / (x @ x), strict=True))}
    agrees(cg.estimate(cg.contrast(outcomes, contrasts=weights)), theirs)


@pytest.mark.parametrize("kind", ["orthonormal", "equally_spaced"])
def test_polynomials_of_doses(kind: Any) -> None:
    outcomes, theirs = doses(), expected("dose_response")[kind]
    weights = {
        name: dict(zip(outcomes["arm"].values, row["coefficients"], strict=True))
        for name, row in theirs.items()
    }
    found = cg.estimate(cg.contrast(outcomes, contrasts=weights))
    for name, row in theirs.items():
        agrees(found.sel(contrast=name), row)


def test_each_step_of_doses() -> None:
    outcomes, theirs = doses(), expected("dose_response")["consecutive"]
    found = cg.estimate(cg.contrast(outcomes, contrasts="sequential"))
    for name, row in theirs.items():
        agrees(found.sel(contrast=name.replace("_minus_", " - ")), row)


# ---- eight_schools: quadrature in R

# as flat as a half-normal prior of tau can be
FLAT = cg.Prior(mu_sd=np.inf, tau_scale=1e6)


def schools() -> xr.Dataset:
    d = table("eight_schools")
    return cg.from_effects(d["y"], se=d["sigma"], names=[f"s{i}" for i in range(8)])


def test_eight_schools() -> None:
    found = cg.infer(schools(), prior=FLAT, rng=1)
    theirs = expected("eight_schools")["mu_flat_tau_flat"]
    for name in ("mean", "sd", "lfsr"):
        mine = found["moments"][name].to_numpy()[:, 0]
        np.testing.assert_allclose(
            mine, [row[name] for row in theirs["theta"]], rtol=1e-6
        )
    draws = found["posterior"]
    for name in ("mu", "tau"):
        values, truth = draws[name].to_numpy().ravel(), theirs[name]
        error = truth["sd"] / np.sqrt(values.size)
        assert abs(values.mean() - truth["mean"]) < 4 * error
    assert draws["ace"].dims == ("chain", "draw", "contrast", "task")
    assert dict(draws.sizes) == {"chain": 4, "draw": 1000, "contrast": 8, "task": 1}


def test_draws_of_eight_schools() -> None:
    theirs, n = expected("eight_schools")["mu_flat_tau_flat"], 40_000
    draws = cg.infer(schools(), prior=FLAT, n_draws=n, rng=0)["posterior"]
    ace = draws["ace"].to_numpy().reshape(n, 8)
    for column, row in zip(ace.T, theirs["theta"], strict=True):
        assert abs(column.mean() - row["mean"]) < 4 * row["sd"] / np.sqrt(n)
        assert abs(column.std() / row["sd"] - 1) < 0.03
    for name in ("mu", "tau"):
        values, row = draws[name].to_numpy().ravel(), theirs[name]
        assert abs(values.mean() - row["mean"]) < 4 * row["sd"] / np.sqrt(n)
        probabilities = expected("eight_schools")["quantile_probabilities"]
        for p, q in zip(probabilities, row["quantiles"], strict=True):
            assert abs((values <= q).mean() - p) < 4 * np.sqrt(p * (1 - p) / n)


# ---- equivalence: two one-sided tests


def verdict_agrees(row: xr.Dataset, theirs: dict[str, Any]) -> None:
    for name in ("ace", "se", "df", "lower", "upper"):
        np.testing.assert_allclose(
            row[name].item(), theirs[name], rtol=1e-9, err_msg=name
        )
    np.testing.assert_allclose(row["p"].item(), theirs["p_zero"], rtol=1e-7, atol=1e-12)
    assert row["verdict"].item() == theirs["verdict"]
    direction = min(theirs["p_above_upper"], theirs["p_below_lower"])
    kinds = {"increases": direction, "decreases": direction}
    kinds |= {"negligible": theirs["p_tost"]}
    one_sided = kinds.get(theirs["verdict"], min(direction, theirs["p_tost"]))
    np.testing.assert_allclose(
        row["p_verdict"].item(), 2 * one_sided, rtol=1e-7, atol=1e-12
    )
    assert bool(row["lower"] > 0) | bool(row["upper"] < 0) == theirs["differs"]


def decided(estimates: xr.Dataset) -> xr.Dataset:
    r = expected("equivalence")
    return cg.decide(
        estimates, rope=tuple(r["rope"]), ci_prob=1 - r["alpha"], error="each"
    )


def by_t(estimates: xr.Dataset) -> xr.Dataset:
    """The estimates as if they came from elsewhere: with the interval of t alone."""
    ace, se, df = (estimates[name].to_numpy()[:, 0] for name in ("ace", "se", "df"))
    return cg.from_effects(ace, se=se, df=df, names=estimates["contrast"].values)


def test_verdicts_of_a_crossover() -> None:
    """The skewness of these units widens an interval and changes no verdict."""
    theirs, frame = expected("equivalence")["crossover"], table("equivalence")
    names = [column for column in frame if column != "unit"]
    estimates = cg.estimate(ice_of(frame, names))
    found, of_t_alone = decided(estimates), decided(by_t(estimates))
    assert len({row["verdict"] for row in theirs.values()}) == 4
    for name in names:
        verdict_agrees(of_t_alone.sel(contrast=name).isel(task=0), theirs[name])
        assert found["verdict"].sel(contrast=name).item() == theirs[name]["verdict"]
    slack = 1e-12
    assert (found["lower"].values <= of_t_alone["lower"].values + slack).all()
    assert (found["upper"].values >= of_t_alone["upper"].values - slack).all()
    assert (found["p_verdict"].values >= of_t_alone["p_verdict"].values - slack).all()
    width = [(x["upper"] - x["lower"]).values for x in (found, of_t_alone)]
    assert (width[0] > width[1]).all()


def test_verdict_of_a_parallel_trial() -> None:
    outcomes = outcomes_of(table("equivalence", "input_parallel"))
    found = decided(by_t(cg.estimate(cg.contrast(outcomes, control=0))))
    verdict_agrees(
        found.isel(contrast=0, task=0), expected("equivalence")["parallel_welch"]
    )


# ---- factorial_2x2, factorial_2x2x2: t.test, delta method

TWO, THREE = "factorial_2x2", "factorial_2x2x2"


def factorial(case: str, file: str = "input") -> xr.Dataset:
    """Arms named by their digits, with a coordinate for each factor."""
    y = table(case, file).rename(columns=lambda name: name.removeprefix("y"))
    arms = [name for name in y.columns if name.isdigit()]
    outcomes = wide(y, arms)
    return outcomes.assign_coords(
        {
            factor: ("arm", [int(arm[i]) for arm in outcomes["arm"].values])
            for i, factor in enumerate("ABC"[: len(arms[0])])
        }
    )


@pytest.mark.parametrize(
    ("scale", "name", "compare"),
    [
        ("identity", "additive", agrees),
        ("log", "mean_of_logs", agrees),
        ("log_of_means", "log_of_means", agrees_as_function_of_means),
        ("ratio", "ratio_of_ratios", agrees_as_function_of_means),
    ],
)
def test_interactions_of_two_factors(scale: Any, name: str, compare: Any) -> None:
    effects = cg.contrast(factorial(TWO), interaction=["A", "B"], scale=scale)
    compare(cg.estimate(effects), expected(TWO)[name])


@pytest.mark.parametrize(
    ("arm", "name"), [("10", "main_10_at_0"), ("01", "main_01_at_0")]
)
def test_effects_of_one_factor_without_the_other(arm: str, name: str) -> None:
    weights = {name: {arm: 1, "00": -1}}
    agrees(
        cg.estimate(cg.contrast(factorial(TWO), contrasts=weights)), expected(TWO)[name]
    )


@pytest.mark.parametrize("name", ["expected_additive", "expected_multiplicative"])
def test_what_is_expected_without_interaction(name: str) -> None:
    """No contrast (its weights do not sum to zero): the delta method on R's means, with
    t intervals of ours.
    """
    theirs = expected(TWO)
    m = np.array(theirs["means"]["mean"])
    covariance = np.array(theirs["means"]["covariance_of_means"])
    value, gradient = m[1] + m[2] - m[0], np.array([-1.0, 1.0, 1.0, 0.0])
    if name == "expected_multiplicative":
        value = m[1] * m[2] / m[0]
        gradient = value * gradient / m
    se = np.sqrt(gradient @ covariance @ gradient)
    found = cg.from_effects([value], se=[se], df=theirs[name]["df"])
    agrees_as_function_of_means(found, theirs[name])


SCALES = [
    ("identity", "additive"),
    ("log_of_means", "log_of_means"),
    ("log", "mean_of_logs"),
]


def three_factors(scale: Any) -> xr.Dataset:
    theirs = expected(THREE)
    arms = [arm.removeprefix("y") for arm in theirs["arms"]]
    weights = {
        name: dict(zip(arms, row, strict=True))
        for name, row in zip(
            theirs["additive"]["contrast"], theirs["coefficients"], strict=True
        )
    }
    effects = cg.contrast(factorial(THREE), contrasts=weights, scale=scale)
    return cg.estimate(effects)


@pytest.mark.parametrize(("scale", "name"), SCALES)
def test_contrasts_of_three_factors(scale: Any, name: str) -> None:
    found, theirs = three_factors(scale), expected(THREE)[name]
    compare = agrees_as_function_of_means if scale == "log_of_means" else agrees
    for i in range(len(theirs["estimate"])):
        row = {k: theirs[k][i] for k in ("estimate", "se", "lower", "upper", "p")}
        compare(found.isel(contrast=i), row | {"df": 31.0})
    np.testing.assert_allclose(
        cg.estimation.covariance(found)[:7, :7, 0],
        theirs["covariance_first_seven"],
        rtol=1e-9,
        atol=1e-15,
    )


@pytest.mark.parametrize("scale", ["identity", "log_of_means", "log"])
def test_the_interaction_of_three_factors_by_name(scale: Any) -> None:
    named = cg.contrast(factorial(THREE), interaction=["A", "B", "C"], scale=scale)
    np.testing.assert_allclose(
        cg.estimate(named)["ace"].item(),
        three_factors(scale)["ace"].sel(contrast="ABC").item(),
        rtol=1e-12,
    )


# ---- finemo: files that FiNeMo and deepdish wrote


def test_hits_of_finemo(tmp_path: Path) -> None:
    """Words of the hits are those of the sites."""
    folder = HERE / "finemo"
    truth, regions = np.load(folder / "truth.npz"), np.load(folder / "regions.npz")
    fasta = tmp_path / "genome.fa"
    with fasta.open("w") as file:
        for name in sorted(set(regions["chr"].tolist())):
            letters = np.full(int(regions["start"].max()) + 100, "N")
            for row in np.flatnonzero(regions["chr"] == name):
                word = np.array(list("ACGT"))[regions["sequences"][row].argmax(0)]
                start = int(regions["start"][row])
                letters[start : start + len(word)] = word
            file.write(f">{name}\n{''.join(letters)}\n")
    (found,) = cg.read_patterns(folder / "hits.tsv", genome=fasta).values()
    windows = [
        (-1 if minus else 1, row, slice(start, start + 6))
        for row, (start, minus) in enumerate(
            zip(truth["start"], truth["minus"], strict=True)
        )
    ]
    one_hot = np.eye(4)[truth["tokens"]]
    np.testing.assert_array_equal(
        found.probabilities,
        np.mean([one_hot[r, at][::t, ::t] for t, r, at in windows], 0),
    )
    np.testing.assert_array_equal(
        found.probabilities, np.eye(4)[["ACGT".index(base) for base in "GATAAG"]]
    )


def test_scores_that_deepdish_compressed_by_blosc() -> None:
    """As ChromBPNet has it write its scores, opened as the guide says."""
    h5py, _ = pytest.importorskip("h5py"), pytest.importorskip("hdf5plugin")
    truth = np.load(HERE / "finemo" / "truth.npz")
    with h5py.File(HERE / "finemo" / "chrombpnet.h5") as file:
        maps = cg.attribution.read_attributions(
            file["shap/seq"][()], sequences=file["raw/seq"][()].argmax(1)
        )
    np.testing.assert_array_equal(
        maps["score"][..., 0], truth["scores"].transpose(0, 2, 1).astype(float)
    )
    np.testing.assert_array_equal(maps["observed"], truth["tokens"])


# ---- linear_hypotheses: multcomp, emmeans

ARMS = ["none", "A", "B", "AB"]


def crossover() -> xr.Dataset:
    return wide(table("linear_hypotheses", "input_crossover"), ARMS)


def test_hypotheses_of_a_crossover() -> None:
    theirs = expected("linear_hypotheses")["crossover"]
    text = [hypothesis.replace("==", "=") for hypothesis in theirs["hypothesis"]]
    effects = cg.contrast(crossover(), control="none")
    mine = cg.estimate(cg.estimation.hypotheses(effects, text))
    agrees(mine, theirs, atol=1e-12)
    assert mine["contrast"].values.tolist() == text
    np.testing.assert_allclose(
        cg.estimation.covariance(mine)[..., 0],
        theirs["covariance"],
        rtol=1e-9,
        atol=1e-14,
    )


def test_all_pairs_of_arms_are_paired_t_tests() -> None:
    theirs = expected("linear_hypotheses")["pairwise"]
    effects = cg.contrast(crossover(), contrasts="pairwise")
    agrees(cg.estimate(effects).sel(contrast=theirs["name"]), theirs, atol=1e-12)
    assert set(effects["contrast"].values) == set(theirs["name"])


def test_contrasts_of_several_arms_have_satterthwaites_df() -> None:
    theirs = expected("linear_hypotheses")["parallel"]
    outcomes = outcomes_of(table("linear_hypotheses", "input_parallel"))
    named = cg.estimate(cg.contrast(outcomes, contrasts=theirs["name"]))
    agrees(named, theirs, atol=1e-12)
    effects = cg.contrast(outcomes, control="none")
    text = ["AB - A - B", "(A+B)/2", "AB-A"]
    combined = cg.estimation.hypotheses(effects, dict(zip("cdb", text, strict=True)))
    agrees(cg.estimate(combined), theirs, atol=1e-12)


def test_hypotheses_of_parents() -> None:
    """Their error is CR1's; that of CR2 is compared under cluster_robust."""
    theirs = expected("linear_hypotheses")["clustered"]
    frame = table("linear_hypotheses", "input_clustered")
    effects = ice_of(frame, ["c1", "c2", "c3", "c4"], parent=("unit", frame["parent"]))
    text = [hypothesis.replace("==", "=") for hypothesis in theirs["hypothesis"]]
    mine = cg.estimate(cg.estimation.hypotheses(effects, text))
    agrees(mine, theirs, "ace", atol=1e-12)


def test_pairs_of_means_are_those_of_emmeans() -> None:
    """Whose error is that of all arms together; ours is of the two."""
    theirs = expected("linear_hypotheses")["emmeans"]
    outcomes = outcomes_of(table("linear_hypotheses", "input_parallel"))
    pairs = cg.estimate(cg.contrast(outcomes, contrasts="pairwise"))
    agrees(pairs.sel(contrast=theirs["name"]), theirs, "ace", atol=1e-12)


# ---- mixed_model: lme4, lmerTest; both stop early, so that df agree to 1e-3


def networks(file: str) -> pd.DataFrame:
    return table("mixed_model", f"input_{file}")


def of_lmer(row: xr.Dataset, theirs: dict[str, Any]) -> None:
    np.testing.assert_allclose(row["ace"], theirs["estimate"], rtol=1e-6)
    np.testing.assert_allclose(row["se"], theirs["se"], rtol=1e-6)


def test_predictors_crossed_with_units() -> None:
    outcomes = outcomes_of(networks("balanced"), model="model")
    found = cg.estimate(
        cg.contrast(outcomes, control="control"), target="population x predictors"
    ).isel(contrast=0, task=0)
    theirs = expected("mixed_model")["balanced"]["ice_crossed"]["satterthwaite"]
    of_lmer(found, theirs)
    for name in ("df", "lower", "upper"):
        np.testing.assert_allclose(found[name], theirs[name], rtol=1e-3, err_msg=name)


def test_predictors_and_units_of_a_plan() -> None:
    """A trial as large as its pilot has the error of the pilot's variances."""
    outcomes = outcomes_of(networks("balanced"), model="model")
    found = cg.planning.power(cg.contrast(outcomes, control="control"), n_units=24)
    theirs = expected("mixed_model")["balanced"]["ice_crossed"]["kenward_roger"]
    np.testing.assert_allclose(found["se"].item(), theirs["se"], rtol=1e-7)


# ---- power: pwr


def scenarios(file: str, key: str) -> list[Any]:
    return [
        pytest.param(row, theirs, id=f"{row.scenario:g}")
        for (_, row), theirs in zip(
            table("power", file).iterrows(), expected("power")[key], strict=True
        )
    ]


@pytest.mark.parametrize(("row", "theirs"), scenarios("input", "paired"))
def test_power_and_size_of_a_paired_t(row: Any, theirs: dict[str, float]) -> None:
    level, n = 1 - row.alpha, int(row.n)
    needed = cg.sample_size(
        sd=row.sd, true_effect=row.effect, assurance=row.power, ci_prob=level
    )
    assert needed["n_units"].item() == theirs["n_required"]
    half_width = theirs["half_width_target"]
    narrow = cg.sample_size(sd=row.sd, half_width=half_width, ci_prob=level)
    assert narrow["n_units"].item() == theirs["n_for_half_width"]
    assert narrow["half_width"].item() <= half_width
    found = cg.planning.power(
        sd=row.sd, n_units=n, true_effect=row.effect, ci_prob=level
    )
    assert found["power"].item() == pytest.approx(theirs["power"], rel=1e-7)
    assert found["half_width"].item() == pytest.approx(theirs["half_width"], rel=1e-7)
    least = cg.planning.minimal_detectable_effect(
        sd=row.sd, n_units=n, power=row.power, ci_prob=level
    )["minimal_detectable_effect"].item()
    assert least == pytest.approx(theirs["minimal_detectable_effect"], rel=1e-7)


def power_of_t(effect: float, se: float, df: float, ci_prob: float) -> float:
    """That of the paired t with these degrees of freedom and this standard error."""
    n = int(df) + 1
    found = cg.planning.power(
        sd=se * np.sqrt(n), n_units=n, true_effect=effect, ci_prob=ci_prob
    )
    return float(found["power"].item())


@pytest.mark.parametrize(("row", "theirs"), scenarios("input_parallel", "parallel"))
def test_power_of_two_arms(row: Any, theirs: dict[str, float]) -> None:
    n, se = (
        row.n_control + row.n_treated,
        row.sd * np.sqrt(1 / row.n_control + 1 / row.n_treated),
    )
    mine = power_of_t(row.effect, se, n - 2, 1 - row.alpha)
    assert mine == pytest.approx(theirs["power"], rel=1e-7)


@pytest.mark.parametrize(("row", "theirs"), scenarios("input_cluster", "cluster"))
def test_power_of_clusters(row: Any, theirs: dict[str, float]) -> None:
    n = row.n_clusters * row.mean_size
    se = row.sd * np.sqrt(theirs["design_effect_unequal"] / n)
    assert se == pytest.approx(theirs["se"], rel=1e-12)
    mine = power_of_t(row.effect, se, theirs["df"], 1 - row.alpha)
    assert mine == pytest.approx(theirs["power"], rel=1e-7)


# ---- random_effects_multivariate: quadrature in R (metafor: test_reference_kernels.py)


def test_effects_with_a_known_covariance() -> None:
    case, theirs = (
        "random_effects_multivariate",
        expected("random_effects_multivariate")["bayes"],
    )
    known, n = table(case, "input_covariance").to_numpy(), 50_000
    prior = cg.Prior(
        mu_sd=theirs["prior"]["mu_sd"],
        tau_scale=theirs["prior"]["tau_half_normal_scale"],
    )
    estimates = cg.from_effects(table(case)["ace"], covariance=known)
    found = cg.infer(estimates, prior=prior, n_draws=n, rng=1)
    for name in ("mean", "sd", "lfsr"):
        mine = found["moments"][name].to_numpy()[:, 0]
        np.testing.assert_allclose(
            mine, [row[name] for row in theirs["theta"]], atol=1e-9, err_msg=name
        )
    draws = found["posterior"]["ace"].to_numpy().reshape(n, -1)
    covariance = np.array(theirs["theta_covariance"])
    sd = found["moments"]["sd"].to_numpy()[:, 0]
    mcse = np.sqrt((np.outer(sd**2, sd**2) + covariance**2) / n)
    assert (np.abs(np.cov(draws.T) - covariance) < 6 * mcse).all()


# ---- shared_control: multcomp, mvtnorm


def test_contrasts_with_one_control_have_one_covariance() -> None:
    theirs = expected("shared_control")["crossover"]
    frame = table("shared_control", "input_crossover")
    outcomes = wide(frame, ["control", *theirs["contrast"]])
    found = cg.estimate(cg.contrast(outcomes, control="control"))
    assert found["contrast"].values.tolist() == theirs["contrast"]
    agrees(found, theirs, "ace se df")
    p, _, _ = of_t(found.squeeze())
    np.testing.assert_allclose(p, theirs["p_unadjusted"], rtol=1e-7)
    np.testing.assert_allclose(
        cg.estimation.covariance(found)[..., 0],
        theirs["covariance"],
        rtol=1e-9,
        atol=1e-15,
    )


def band_agrees(
    given: xr.Dataset, theirs: dict[str, Any], critical: float, p: float
) -> None:
    ci_prob = expected("shared_control")["ci_prob"]
    band = cg.simultaneous(given, method="dunnett", ci_prob=ci_prob)
    np.testing.assert_allclose(
        band["critical"][:, 0], theirs["critical_two_sided"], rtol=0, atol=critical
    )
    for name in ("lower", "upper"):
        gap = (band[name][:, 0] - theirs[name]) / band["se"][:, 0]
        assert np.abs(gap).max() < critical
    # by a band of probability 1 - p the effect of that single-step p lies on its end
    single = np.array(theirs["p_single_step"])
    for k in np.flatnonzero((single > 1e-3) & (single < 0.5)):
        to_its_p = cg.simultaneous(given, method="dunnett", ci_prob=1 - single[k])
        gap = np.abs(np.array(theirs["t"])[k]) - to_its_p["critical"].values[k, 0]
        assert np.abs(gap) < 10 * critical


def test_the_band_of_a_crossover() -> None:
    """Integrated by quasi Monte Carlo."""
    theirs = expected("shared_control")["crossover"]
    frame = table("shared_control", "input_crossover")
    effects = frame[theirs["contrast"]].sub(frame["control"], axis=0)
    effects = ice_of(effects.assign(unit=frame["unit"]), theirs["contrast"])
    for given in (effects, cg.estimate(effects)):
        band_agrees(given, theirs, critical=5e-4, p=1e-4)


@pytest.mark.parametrize(
    ("case", "critical", "p"),
    [
        pytest.param("crossover", 5e-4, 1e-4),
        ("parallel_dunnett", 1e-6, 1e-6),
    ],
)
def test_the_band_of_a_covariance(case: str, critical: float, p: float) -> None:
    """That of one factor is integrated by quadrature."""
    theirs = expected("shared_control")[case]
    given = cg.from_effects(
        theirs["ace"],
        covariance=theirs["covariance"],
        df=theirs["df"],
        names=theirs["contrast"],
    )
    band_agrees(given, theirs, critical, p)


# ---- stats_turn4: options that had not been compared before (its README has the table)

TURN4 = "stats_turn4"
FACTORS = {"i": {"AB": 1, "A": -1, "B": -1, "none": 1}}
MINUS_HALF = {"i": {"a": 1, "w": -0.5, "c": -0.5}}
Found = dict[tuple[str, str], float]


@cache
def turn4() -> pd.Series:
    read = {"sep": "\t", "dtype": {"row": str, "column": str}}
    frame = pd.read_csv(HERE / TURN4 / "expected.tsv", **read)
    return frame.set_index(["case", "row", "column"])["value"]


def of_arms(
    estimates: xr.Dataset, arms: str, columns: str = "ace se df", *, row: str = ""
) -> Found:
    """Columns of each contrast named by a letter, or of the only one, called `row`."""
    rows = (
        {row: estimates}
        if row
        else {a: estimates.sel(contrast=a) for a in arms.split()}
    )
    return {
        (name, column): one[column].item()
        for name, one in rows.items()
        for column in columns.split()
    }


def crossed_parents() -> xr.Dataset:
    frame = table(TURN4, "crossed_parents").reset_index(names="unit")
    long = frame.melt(["unit", "cl"], var_name="arm", value_name="y")
    return cg.contrast(outcomes_of(long, parent="cl"), control="c")


def unequal(file: str = "parallel", **columns: Any) -> xr.Dataset:
    return cg.contrast(outcomes_of(table(TURN4, file), **columns), control="c")


def with_gaps(**columns: Any) -> Found:
    """Of all arms: no other one changes a contrast."""
    frame = table(TURN4, "gaps")
    effects = cg.contrast(outcomes_of(frame, **columns), control="c")
    return of_arms(cg.estimate(effects), "a w z")


def positive() -> xr.Dataset:
    frame = table(TURN4, "positive").reset_index(names="unit")
    return outcomes_of(frame.melt("unit", var_name="arm", value_name="y"))


def on_scale(scale: Any, columns: str = "ace se df") -> Found:
    effects = cg.contrast(positive(), control="none", scale=scale)
    return of_arms(cg.estimate(effects), "A", columns)


def interaction(scale: Any) -> Found:
    effects = cg.contrast(positive(), contrasts=FACTORS, scale=scale)
    return of_arms(cg.estimate(effects), "", row="AB - A - B + none")


def zero_and_one() -> Found:
    """Limits of the union, but Newcombe's where neither t is wider."""
    found: Found = {}
    for _, row in table(TURN4, "zero_one").iterrows():
        y = {"a": (row.hits_a, row.n_a), "c": (row.hits_c, row.n_c)}
        arms = [
            pd.DataFrame({"arm": arm, "y": np.repeat([1.0, 0.0], [hits, n - hits])})
            for arm, (hits, n) in y.items()
        ]
        frame = pd.concat(arms, ignore_index=True).reset_index(names="unit")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
            estimates = cg.estimate(cg.contrast(outcomes_of(frame), control="c"))
        of = of_arms(estimates, "", "ace lower upper", row=row.case)
        a, c = (frame.loc[frame["arm"] == arm, "y"] for arm in "ac")
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # arms that do not vary
            by_t = [
                stats.ttest_ind(a, c, equal_var=pooled).confidence_interval()
                for pooled in (False, True)
            ]
        for side, widest in (("lower", min), ("upper", max)):
            r = turn4()[("zero-one, parallel", row.case, side)]
            ends = [t.low if side == "lower" else t.high for t in by_t]
            union = widest([r, *(end for end in ends if np.isfinite(end))])
            key = (row.case, side)
            assert of[key] == pytest.approx(union, abs=1e-9)
            of[key] = r
        found |= of
    return found


def of_two_populations() -> Found:
    effect = table(TURN4, "predictors").to_numpy()
    unit, model = (x.ravel() for x in np.indices(effect.shape))
    treated = pd.DataFrame({"unit": unit, "m": model, "y": effect.ravel(), "arm": "w"})
    long = pd.concat([treated, treated.assign(y=0.0, arm="c")], ignore_index=True)
    effects = cg.contrast(outcomes_of(long, model="m"), control="c")
    return of_arms(cg.estimate(effects, target="population x predictors"), "w")


def of_family(family: bool = False) -> Found:
    """q of `decide` with a direction alone at stake."""
    d = table(TURN4, "p_values")
    by, row = ("family", "50 and 150") if family else (None, "all 200")
    estimates = cg.from_effects(stats.norm.isf(d["p"] / 2), se=1.0)
    found = cg.decide(
        estimates.assign_coords(family=("contrast", d["family"].to_numpy(str))),
        rope=0,
        family=by,
        shrink=None,
    )["q"]
    return {(row, str(i + 1)): q for i, q in enumerate(found.to_numpy()[:, 0])}


def many_rows() -> Found:
    long = (
        table(TURN4, "moderated")
        .reset_index(names="row")
        .melt("row", var_name="unit", value_name="y")
    )
    long = long.assign(arm=long["unit"].str[0], row="r" + (long["row"] + 1).astype(str))
    effects = cg.contrast(outcomes_of(long, task="row"), control="c")
    estimates = cg.estimate(effects, variances=True).isel(contrast=0)
    found: Found = {}
    for i in range(0, 1_000, 10):
        one = estimates.sel(task=f"r{i + 1}").drop_vars("p").rename(p_t="p")
        found |= of_arms(one, "", "ace se df p", row=f"row {i + 1}")
    return found


def sizes() -> Found:
    size = (
        cg.sample_size(sd=1.3, half_width=0.2),
        cg.sample_size(sd=1.3, true_effect=0.4, assurance=0.9),
    )
    power = cg.planning.power(sd=1.3, true_effect=0.4, n_units=77)["power"]
    least = cg.planning.minimal_detectable_effect(sd=1.3, n_units=50, power=0.85)
    return {
        ("sd 1.3", "half_width_.2"): size[0]["n_units"].item(),
        ("sd 1.3", "effect_.4_assurance_.9"): size[1]["n_units"].item(),
        ("sd 1.3", "power_77_.4"): power.item(),
        ("sd 1.3", "least_effect_50_power_.85"): least[
            "minimal_detectable_effect"
        ].item(),
    }


def hypothesis(
    text: str, row: str, columns: str = "ace se df", **options: Any
) -> Found:
    effects = cg.estimation.hypotheses(crossed_parents(), [text])
    return of_arms(cg.estimate(effects, **options), "", columns, row=row)


# case of the table (a note in brackets, where a case is compared twice), call, relative
# tolerance: that of the README
TURN4_CASES: list[tuple[str, Any, float]] = [
    ("crossed, parents", lambda: of_arms(cg.estimate(crossed_parents()), "a w"), 1e-12),
    (
        "crossed, weights clusters",
        lambda: of_arms(cg.estimate(crossed_parents(), weights="clusters"), "a w"),
        1e-12,
    ),
    (
        "crossed, cluster none",
        lambda: of_arms(cg.estimate(crossed_parents(), cluster="none"), "a w"),
        1e-12,
    ),
    (
        "crossed, target parents",
        lambda: of_arms(cg.estimate(crossed_parents(), target="parents"), "a w"),
        1e-12,
    ),
    (
        "hypothesis a - w = 0.1",
        lambda: hypothesis("a - w = 0.1", "a - w"),
        1e-12,
    ),
    (
        "hypothesis a = 2*w, cluster none",
        lambda: hypothesis("a = 2*w", "a - 2*w", "ace se", cluster="none"),
        1e-12,
    ),
    ("parallel", lambda: of_arms(cg.estimate(unequal()), "a w"), 1e-12),
    (
        "parallel, parents",
        lambda: of_arms(cg.estimate(unequal(parent="parent")), "a w"),
        1e-12,
    ),
    (
        "parallel, blocks as a population",
        lambda: of_arms(
            cg.estimate(unequal(block="block"), target="population"), "a w"
        ),
        1e-12,
    ),
    (
        "parallel, covariates, target units",
        lambda: of_arms(
            cg.estimate(
                unequal(covariates=COVARIATES), covariates=COVARIATES, target="units"
            ),
            "a w",
        ),
        1e-12,
    ),
    (
        "parallel, average of controls",
        lambda: of_arms(
            cg.estimate(
                cg.contrast(outcomes_of(table(TURN4, "parallel")), contrasts=MINUS_HALF)
            ),
            "",
            row="a - (w + c)/2",
        ),
        1e-12,
    ),
    (
        "blocks, target units, weights of the two arms",
        lambda: of_arms(
            cg.estimate(unequal("blocks", block="block"), target="units"),
            "a w",
            "ace se",
        ),
        1e-12,
    ),
    ("gaps, own arms, GLS with CR2 by unit", with_gaps, 1e-9),
    (
        "gaps, own arms, GLS with CR2 by parent",
        lambda: with_gaps(parent="parent"),
        1e-6,
    ),
    ("scale log", lambda: on_scale("log"), 1e-12),
    ("scale log2", lambda: on_scale("log2"), 1e-12),
    (
        "scale log_of_means",
        lambda: on_scale("log_of_means", "ace se df lower upper"),
        1e-12,
    ),
    ("scale ratio", lambda: on_scale("ratio", "ace se df lower upper"), 1e-12),
    ("scale sd", lambda: on_scale("sd"), 1e-12),
    ("interaction, identity", lambda: interaction("identity"), 1e-12),
    ("interaction, log_of_means", lambda: interaction("log_of_means"), 1e-12),
    ("zero-one, parallel", zero_and_one, 1e-12),
    ("population x predictors", of_two_populations, 1e-12),
    ("p.adjust BH [q of decide]", of_family, 1e-12),
    ("p.adjust BH by family [q of decide]", lambda: of_family(family=True), 1e-12),
    ("moderated", many_rows, 1e-6),
    ("sample size", sizes, 1e-9),
]


@pytest.mark.parametrize(
    ("case", "call", "rtol"), [pytest.param(*row, id=row[0]) for row in TURN4_CASES]
)
def test_numbers_of_r(case: str, call: Any, rtol: float) -> None:
    theirs, found = turn4().loc[case.split(" [")[0]], call()
    assert found
    for (row, column), value in found.items():
        # check.py divides by 1e-9 at the least
        np.testing.assert_allclose(
            value, theirs.loc[row, column], rtol=rtol, atol=1e-9 * rtol, err_msg=column
        )


@pytest.mark.parametrize("arm", ["a", "w"])
def test_df_of_fixed_blocks_are_those_of_welch_by_block(arm: str) -> None:
    """estimatr takes n less two a block, whatever the variances are: 41 for 3.6."""
    frame = table(TURN4, "blocks")
    own = frame[frame["arm"].isin(["c", arm])]
    cells = own.groupby(["block", "arm"])["y"].agg(["var", "size"]).reset_index()
    share = cells["block"].map(own["block"].value_counts() / len(own))
    part = share**2 * cells["var"] / cells["size"]
    df = part.sum() ** 2 / (part**2 / (cells["size"] - 1)).sum()
    found = cg.estimate(unequal("blocks", block="block"), target="units")
    np.testing.assert_allclose(found["df"].sel(contrast=arm).item(), df, rtol=1e-12)
