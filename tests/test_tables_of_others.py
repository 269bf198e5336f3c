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
    "infer": lambda x: cg.infer(x, law="normal", rng=0)["moments"].to_dataset(),
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
