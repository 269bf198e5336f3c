"""Tables of other libraries by the one door, and the fits of statsmodels as effects."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import xarray as xr
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

import causalgia as cg

TABLE = pd.DataFrame(
    {
        "contrast": list("abcd"),
        "effect": [1.0, 0.02, -1.0, 0.3],
        "se": [0.1, 0.1, 0.2, 0.1],
    }
)


class Polarsish:
    """A table of another library: neither a Mapping nor of pandas."""

    columns = tuple(TABLE.columns)

    def __init__(self, table: Any = TABLE) -> None:
        self.table = table

    def to_pandas(self) -> Any:
        if isinstance(self.table, Exception):
            raise self.table
        return self.table


VERBS = {
    "infer": lambda x: cg.infer(x, rng=0)["moments"].to_dataset(),
    "decide": lambda x: cg.decide(x, rope=(-0.5, 0.5)),
    "tidy": lambda x: cg.tidy(x).to_xarray(),
    "from_effects": cg.from_effects,
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_table_of_another_library_is_the_table_of_pandas(verb: str) -> None:
    assert VERBS[verb](Polarsish()).identical(VERBS[verb](TABLE))


X = pd.DataFrame(
    {
        "const": 1.0,
        "GATA1": np.tile([0.0, 1.0], 20),
        "TAL1": np.repeat([0.0, 1.0], 20),
        "site": np.arange(40) % 8,
    }
)
Y = (
    0.5 * X["const"]
    + 2 * X["GATA1"]
    - X["TAL1"]
    + np.random.default_rng(0).normal(size=40)
)
ARMS = ["const", "GATA1", "TAL1"]


def check_as_fitted(fit: Any, n: int = 3) -> xr.Dataset:
    """Assert that the effects are the coefficients of a fit, without the intercept
    unless it is named, and return all.
    """
    params = getattr(fit, "fe_params", fit.params)
    found = cg.from_effects(fit, names=params.index)
    slopes = cg.from_effects(fit)
    assert slopes.identical(cg.from_effects(fit, names=params.index[1:]))
    np.testing.assert_array_equal(slopes["contrast"], params.index[1:])
    np.testing.assert_array_equal(found["contrast"], params.index)
    np.testing.assert_allclose(found["ace"].squeeze(), params, rtol=1e-12)
    np.testing.assert_allclose(found["se"].squeeze(), fit.bse[:n], rtol=1e-9)
    np.testing.assert_allclose(found["p"].squeeze(), fit.pvalues[:n], rtol=1e-7)
    limits = np.asarray(fit.conf_int())[:n]
    np.testing.assert_allclose(found["lower"].squeeze(), limits[:, 0], rtol=1e-7)
    np.testing.assert_allclose(found["upper"].squeeze(), limits[:, 1], rtol=1e-7)
    np.testing.assert_allclose(
        found["covariance"].squeeze(), np.asarray(fit.cov_params())[:n, :n]
    )
    return found


def test_coefficients_of_a_linear_model_with_t_tests() -> None:
    found = check_as_fitted(sm.OLS(Y, X[ARMS]).fit())
    assert (found["df"] == 37).all()
    verdicts = cg.decide(found.sel(contrast=["GATA1", "TAL1"]), rope=(-0.2, 0.2))
    assert verdicts["verdict"].values.ravel()[0] == "increases"


def test_coefficients_with_clustered_errors_have_the_df_of_the_clusters() -> None:
    fit = sm.OLS(Y, X[ARMS]).fit(
        cov_type="cluster", cov_kwds={"groups": X["site"]}, use_t=True
    )
    assert (check_as_fitted(fit)["df"] == 7).all()


def test_coefficients_of_a_generalized_model_are_normal() -> None:
    high = Y.gt(Y.median()).astype(int)
    fit = sm.GLM(high, X[ARMS], sm.families.Binomial()).fit()
    assert "df" not in check_as_fitted(fit)


def test_a_mixed_model_gives_its_fixed_effects_alone() -> None:
    data = X.assign(y=Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a variance near 0
        fit = smf.mixedlm("y ~ GATA1 + TAL1", data, groups=data["site"]).fit()
    assert list(check_as_fitted(fit)["contrast"].values) == [
        "Intercept",
        "GATA1",
        "TAL1",
    ]


def test_arrays_in_place_of_frames_have_the_names_of_the_model() -> None:
    found = cg.from_effects(sm.OLS(Y.to_numpy(), X[ARMS].to_numpy()).fit())
    assert found["contrast"].values.tolist() == ["x1", "x2"]


def test_a_fit_without_slopes_gives_its_mean() -> None:
    found = cg.from_effects(smf.ols("y ~ 1", X.assign(y=Y)).fit())
    assert found["contrast"].values.tolist() == ["Intercept"]


def test_effects_that_nobody_randomized_are_no_ace() -> None:
    fit = sm.OLS(Y, X[ARMS]).fit()
    found = cg.decide(cg.from_effects(fit), rope=0)
    texts = (cg.report(found, notes=True, sentences=True), str(cg.methods(found)))
    texts = (*texts, cg.table(found), cg.report(cg.from_effects(fit), notes=True))
    assert not any("ACE" in text or "causal effect" in text for text in texts)
    assert "taken as independent" not in texts[0]
    assert "taken as independent" in cg.report(cg.decide(TABLE, rope=0))


# ---- the results of statsmodels, and the tables of other programs


RNG = np.random.default_rng(1)
T = RNG.normal(size=30) * 2
DF = 9.5
P = 2 * stats.t.sf(np.abs(T), DF)
SE = RNG.uniform(0.1, 0.3, 30)
EFFECT = T * SE
NAMES = [f"gene{i}" for i in range(30)]
LIMITS = EFFECT + np.outer([-1.0, 1.0], stats.norm.ppf(0.975) * SE)


def table_of(columns: dict[str, Any], index: str | None = None) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.Index(NAMES, name=index))


# program -> its table; whether it tells the degrees of freedom
TABLES = {
    "limma": (
        table_of({"logFC": EFFECT, "AveExpr": 1.0, "t": T, "P.Value": P, "B": 0.0}),
        DF,
    ),
    "DESeq2": (
        table_of(
            {
                "baseMean": 9.0,
                "log2FoldChange": EFFECT,
                "lfcSE": SE,
                "stat": T,
                "pvalue": 2 * stats.norm.sf(np.abs(T)),
                "padj": np.nan,
            }
        ),
        np.inf,
    ),
    "pyfixest": (
        table_of(
            {"Estimate": EFFECT, "Std. Error": SE, "t value": T, "Pr(>|t|)": P},
            "Coefficient",
        ),
        DF,
    ),
    "broom": (
        table_of({"estimate": EFFECT, "std.error": SE, "statistic": T, "p.value": P})
        .rename_axis("term")
        .reset_index(),
        DF,
    ),
    "broom without errors": (
        table_of({"estimate": EFFECT, "conf.low": LIMITS[0], "conf.high": LIMITS[1]})
        .rename_axis("term")
        .reset_index(),
        np.inf,
    ),
    "statsmodels": (
        table_of({"Coef.": EFFECT, "Std.Err.": SE, "t": T, "P>|t|": P}),
        DF,
    ),
    "ashr": (
        table_of({"betahat": EFFECT, "sebetahat": SE, "PosteriorMean": 0.0}),
        np.inf,
    ),
}


@pytest.mark.parametrize("program", TABLES)
def test_the_columns_of_other_programs_are_effects_and_errors(program: str) -> None:
    given, df = TABLES[program]
    found = cg.from_effects(given)
    assert found["contrast"].values.tolist() == NAMES
    np.testing.assert_allclose(found["ace"].squeeze(), EFFECT)
    np.testing.assert_allclose(found["se"].squeeze(), SE, rtol=1e-10)
    if np.isinf(df):
        assert "df" not in found
    else:
        np.testing.assert_allclose(found["df"].squeeze(), df, rtol=1e-8)
        np.testing.assert_allclose(found["p"].squeeze(), P, rtol=1e-8)


@pytest.mark.parametrize("program", TABLES)
def test_polars_has_them_too(program: str) -> None:
    polars = pytest.importorskip("polars")
    given = TABLES[program][0].rename_axis("term")
    given = given if "term" in given else given.reset_index()
    found = cg.from_effects(polars.from_pandas(given))
    np.testing.assert_array_equal(found["ace"], cg.from_effects(given)["ace"])
    assert found["contrast"].values.tolist() == NAMES


def test_what_topTable_finds_is_found() -> None:
    d = cg.decide(TABLES["limma"][0], rope=0, shrink=None)
    np.testing.assert_allclose(
        d["q"].squeeze(), stats.false_discovery_control(P), rtol=1e-8
    )


def test_limits_have_their_level() -> None:
    given = TABLES["broom without errors"][0].assign(conf_level=0.9)
    wide = stats.norm.ppf(0.975) / stats.norm.ppf(0.95)
    np.testing.assert_allclose(cg.from_effects(given)["se"].squeeze(), wide * SE)


def test_matrices_of_effects_and_errors_have_tasks() -> None:
    effects = pd.DataFrame(EFFECT.reshape(10, 3), list("abcdefghij"), ["K", "H", "S"])
    errors = effects * 0 + SE.reshape(10, 3)
    found = cg.from_effects(effects, errors)
    assert found["ace"].sel(contrast="b", task="H").item() == EFFECT[4]
    assert found["se"].sel(contrast="c", task="S").item() == SE[8]
    for given in (
        {"Bhat": effects, "Shat": errors},
        xr.Dataset(
            {"Bhat": (("gene", "cell"), effects), "Shat": (("gene", "cell"), errors)},
            {"gene": effects.index, "cell": effects.columns},
        ),
    ):
        xr.testing.assert_identical(cg.decide(given, rope=0), cg.decide(found, rope=0))
    assert cg.infer({"Bhat": effects, "Shat": errors}, rng=0)["moments"].sizes == {
        "contrast": 10,
        "task": 3,
    }


def test_rows_that_are_no_effects_are_left_out_and_said() -> None:
    given = pd.DataFrame(
        {
            "term": ["(Intercept)", "dose", "time"],
            "estimate": [5.0, 1.0, np.nan],
            "std.error": [0.1, 0.1, np.nan],
        }
    )
    found = cg.from_effects(given)
    assert found["contrast"].values.tolist() == ["dose"]
    assert {"(Intercept)", "time"} <= {*found.attrs["notes"].split("'")}


def test_a_linear_test_has_its_p_whatever_it_tests_against() -> None:
    fit = sm.OLS(Y, X[ARMS]).fit()
    tests = fit.t_test("GATA1 = 1.5, GATA1 + TAL1 = 0")
    found = cg.from_effects(tests, names=["GATA1 - 1.5", "sum"])
    np.testing.assert_allclose(found["p"].squeeze(), tests.pvalue)
    np.testing.assert_allclose(
        found["ace"].squeeze(), [fit.params["GATA1"] - 1.5, tests.effect[1]]
    )
    one = cg.from_effects(fit.t_test("TAL1 = 0"))
    assert one["ace"].item() == fit.params["TAL1"]
    np.testing.assert_allclose(
        [one["lower"].item(), one["upper"].item()], fit.conf_int().loc["TAL1"]
    )
    normal = sm.OLS(Y, X[ARMS]).fit(cov_type="HC3").t_test("TAL1 = 0")
    np.testing.assert_allclose(cg.from_effects(normal)["p"].item(), normal.pvalue)


@pytest.mark.parametrize("use_t", [False, True])
def test_a_meta_analysis_is_its_random_effect(use_t: bool) -> None:
    pooled = combine_effects(EFFECT[:8], SE[:8] ** 2, method_re="iterated", use_t=use_t)
    found = cg.from_effects(pooled).squeeze()
    at = pooled.conf_int(use_t=use_t)[1]
    np.testing.assert_allclose([found["lower"], found["upper"]], at, rtol=1e-10)
    assert found["ace"] == pooled.mean_effect_re


def test_parameters_that_are_no_coefficients_are_no_effects() -> None:
    counts = np.random.default_rng(2).poisson(3, 40)
    design = X[["const", "GATA1"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = (
            sm.NegativeBinomial(counts, design).fit(disp=0),
            sm.ZeroInflatedPoisson(counts, design).fit(disp=0),
        )
    for fit in fits:
        assert cg.from_effects(fit)["contrast"].values.tolist() == ["GATA1"]


def test_few_clusters_leave_each_coefficient_its_verdict() -> None:
    wide = pd.DataFrame(np.random.default_rng(3).normal(size=(40, 10)))
    fit = sm.OLS(Y.to_numpy(), sm.add_constant(wide.to_numpy())).fit(
        cov_type="cluster", cov_kwds={"groups": X["site"].to_numpy()}, use_t=True
    )
    found = cg.decide(fit, rope=0)
    np.testing.assert_allclose(found["p"].squeeze(), fit.pvalues[1:])


# ---- from individual effects to a regression and back


def units(n_parents: int = 20, each: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = n_parents * each
    gc = rng.uniform(0.3, 0.7, n)
    of_parent = np.repeat(rng.normal(size=n_parents), each)
    ice = 1 + 2 * (gc - 0.5) + 0.3 * of_parent + rng.normal(0, 0.2, n)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 2),
            "locus": np.repeat(np.arange(n) // each, 2),
            "gc": np.repeat(gc, 2),
            "arm": ["control", "GATA1"] * n,
            "y": np.column_stack([np.zeros(n), ice]).ravel(),
        }
    )


def effects_of(table: pd.DataFrame) -> xr.Dataset:
    outcomes = cg.from_frame(
        table, outcome="y", arm="arm", unit="unit", parent="locus", covariates="gc"
    )
    return cg.contrast(outcomes, control="control")


def test_individual_effects_are_a_row_a_unit() -> None:
    table = cg.tidy(effects_of(units()))
    assert table.columns.tolist() == ["unit", "contrast", "task", "ice", "parent", "gc"]
    of_arm = units().query("arm == 'GATA1'")
    np.testing.assert_array_equal(table["ice"], of_arm["y"])
    np.testing.assert_array_equal(table["gc"], of_arm["gc"])
    np.testing.assert_array_equal(table["parent"], of_arm["locus"])


def test_a_clustered_regression_on_nothing_is_the_ace() -> None:
    """The mean to 1e-12 for any parents. Its error, where parents are of one size:
    there CR2 is the factor G / (G - 1) of statsmodels, and Satterthwaite's degrees of
    freedom are G - 1; the p of means also knows their skewness.
    """
    for drop in (0, 2):
        effects = effects_of(units().iloc[2 * drop :])
        rows = cg.tidy(effects)
        fit = smf.ols("ice ~ 1", rows).fit(
            cov_type="cluster", cov_kwds={"groups": rows["parent"]}, use_t=True
        )
        ours, theirs = cg.estimate(effects).squeeze(), cg.from_effects(fit).squeeze()
        assert abs(ours["ace"].item() - theirs["ace"].item()) < 1e-12
    effects = effects_of(units())
    rows = cg.tidy(effects)
    fit = smf.ols("ice ~ 1", rows).fit(
        cov_type="cluster", cov_kwds={"groups": rows["parent"]}, use_t=True
    )
    ours, theirs = cg.estimate(effects).squeeze(), cg.from_effects(fit).squeeze()
    for name in ("se", "df"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12)


def test_a_regression_of_individual_effects_goes_back_to_a_verdict() -> None:
    effects = effects_of(units())
    rows = cg.tidy(effects)
    fit = smf.ols("ice ~ gc", rows).fit(cov_type="HC2", use_t=True)
    slopes = cg.moderation(effects, by="gc", cluster="none")
    found = cg.decide(fit, rope=0), cg.decide(slopes, rope=0)
    assert [list(x["contrast"].values) for x in found] == [["gc"], ["GATA1 by gc"]]
    for name in ("ace", "se"):
        np.testing.assert_allclose(*(x[name].squeeze() for x in found), rtol=1e-10)
    np.testing.assert_array_equal(
        found[1]["lower"].squeeze(), slopes["lower"].squeeze()
    )
    assert "ACE" not in cg.report(slopes)
    assert cg.infer(slopes, rng=0)["moments"]["mean"].size == 1


def test_every_door_prints_effects_of_others_and_posteriors() -> None:
    fit = sm.OLS(Y, X[ARMS]).fit()
    posterior = cg.infer(TABLES["limma"][0], rng=0)
    for given in (fit, fit.t_test("GATA1 = 0"), TABLES["limma"][0], posterior):
        text = cg.report(given)
        assert "effect" in text
        assert "ACE" not in text
        assert len(cg.tidy(given)) == cg.table(given, rows="all").count("\n| ") - 2
    assert "shrunken" in cg.report(posterior)
