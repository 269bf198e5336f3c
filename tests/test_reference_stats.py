"""Against R, digit by digit: each case lies in tests/reference/<case> with its script
`case.R`.

R 4.2.2, clubSandwich 0.5.8, estimatr 1.0.0, lme4 1.1.31, lmerTest 3.1.3, multcomp
1.4.22, mvtnorm 1.1.3, limma 3.54.1; every `expected.json` repeats its versions.
Tolerance: 1e-9 relative in estimates, se, df and limits; p to 1e-7 relative or 1e-12
absolute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from student import assert_holds_t, of_t

from causalgia.effects import contrast
from causalgia.effects._from_frame import from_frame
from causalgia.errors import FewClustersWarning
from causalgia.estimation import covariance, estimate, mean_ice
from causalgia.estimation.crossover import mean_of_cluster_means
from causalgia.estimation.standard_errors import moderate, regress, wald_htz
from causalgia.multiplicity import adjust
from causalgia.numerics.moments import p_and_limits

HERE = Path(__file__).parent / "reference"


def table(case: str, file: str = "input") -> pd.DataFrame:
    return pd.read_csv(HERE / case / f"{file}.csv")


def expected(case: str) -> Any:
    return json.loads((HERE / case / "expected.json").read_text())


def codes(frame: pd.DataFrame, column: str = "parent") -> np.ndarray:
    return pd.factorize(frame[column])[0].astype(np.intp)


def agrees(mine: xr.Dataset, theirs: dict[str, Any], **where: str) -> None:
    """Compare one contrast's row with R's, whose intervals are t intervals; ours hold
    them.
    """
    row = mine.sel(where) if where else mine.isel(contrast=0, task=0)
    p, low, high = of_t(row)
    for name, value, reference in (
        ("ace", row["ace"].item(), theirs.get("ace", theirs.get("estimate"))),
        ("se", row["se"].item(), theirs["se"]),
        ("df", row["df"].item(), theirs["df"]),
        ("lower", low, theirs["lower"]),
        ("upper", high, theirs["upper"]),
    ):
        np.testing.assert_allclose(value, reference, rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(p, theirs["p"], rtol=1e-7, atol=1e-12)
    assert_holds_t(row)


def parallel(file: str, **columns: Any) -> xr.Dataset:
    frame = table("difference_in_means", file)
    return contrast(
        from_frame(frame, outcome="y", arm="arm", unit="unit", **columns), control=0
    )


def wide_crossover(case: str, file: str, arms: list[str]) -> xr.Dataset:
    long = table(case, file).melt(
        id_vars="unit", value_vars=arms, var_name="arm", value_name="y"
    )
    return from_frame(long, outcome="y", arm="arm", unit="unit")


# difference_in_means (t.test, estimatr 1.0.0)


def test_crossover_is_the_paired_t() -> None:
    outcomes = wide_crossover(
        "difference_in_means", "input_crossover", ["control", "treated"]
    )
    agrees(
        estimate(contrast(outcomes, control="control")),
        expected("difference_in_means")["crossover_paired_t"],
    )


@pytest.mark.parametrize("target", ["population", "units"])
def test_parallel_is_welch(target: str) -> None:
    agrees(
        estimate(parallel("input_parallel"), target=target),
        expected("difference_in_means")["parallel_welch"],
    )


def test_blocks_fixed_are_blocked_neyman() -> None:
    effects = parallel("input_blocked", block="block")
    agrees(
        estimate(effects, target="units"),
        expected("difference_in_means")["blocked_neyman"],
    )


def test_lin_hc2_for_these_units() -> None:
    effects = parallel("input_covariate", covariates=("x1", "x2"))
    theirs = expected("difference_in_means")["covariate"]["lin_hc2"]
    agrees(estimate(effects, covariates=("x1", "x2"), target="units"), theirs)


def test_lin_for_the_population_adds_the_sampling_of_the_covariates() -> None:
    effects = parallel("input_covariate", covariates=("x1", "x2"))
    units, population = (
        estimate(effects, covariates=("x1", "x2"), target=t)
        for t in ("units", "population")
    )
    frame = table("difference_in_means", "input_covariate")
    x = frame[["x1", "x2"]].to_numpy()
    slope = [
        np.linalg.lstsq(
            np.c_[np.ones((frame.arm == a).sum()), x[frame.arm == a]],
            frame.y[frame.arm == a],
        )[0][1:]
        for a in (0, 1)
    ]
    more = (slope[1] - slope[0]) @ np.cov(x.T) @ (slope[1] - slope[0]) / len(x)
    np.testing.assert_allclose(
        population["se"] ** 2, units["se"] ** 2 + more, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("name", "kind", "interacted", "covariates"),
    [
        ("lin_hc2", "CR2", True, ["x1", "x2"]),
        ("lin_hc3", "CR3", True, ["x1", "x2"]),
        ("ancova_hc2", "CR2", False, ["x1", "x2"]),
        ("unadjusted_hc2", "CR2", False, []),
    ],
)
def test_regressions(
    name: str, kind: Any, interacted: bool, covariates: list[str]
) -> None:
    X, y = _lin_design(covariates, interacted)
    fit, theirs = (
        regress(X, y, np.eye(X.shape[1])[1], kind=kind),
        expected("difference_in_means")["covariate"][name],
    )
    np.testing.assert_allclose(fit.estimate, theirs["ace"], rtol=1e-9)
    np.testing.assert_allclose(fit.se, theirs["se"], rtol=1e-9)
    assert fit.df_residual == theirs["df"]


def test_classical_regression() -> None:
    X, y = _lin_design(["x1", "x2"], interacted=True)
    theirs = expected("difference_in_means")["covariate"]["lin_classical"]
    np.testing.assert_allclose(
        regress(X, y, np.eye(6)[1]).classical_se, theirs["se"], rtol=1e-9
    )


def _lin_design(
    covariates: list[str], interacted: bool
) -> tuple[np.ndarray, np.ndarray]:
    frame = table("difference_in_means", "input_covariate")
    x, arm = frame[covariates].to_numpy(), frame[["arm"]].to_numpy()
    x = x - x.mean(axis=0)
    X = np.hstack(
        [np.ones_like(arm, dtype=float), arm, x, arm * x if interacted else x[:, :0]]
    )
    return X, frame[["y"]].to_numpy()


# cluster_robust (clubSandwich 0.5.8)


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3"])
@pytest.mark.parametrize("size", ["few", "many"])
def test_clustered_mean(size: str, kind: Any) -> None:
    frame, theirs = (
        table("cluster_robust", f"input_{size}"),
        expected("cluster_robust")[size]["robust"][kind],
    )
    answer = mean_ice(frame.ice.to_numpy(), codes(frame), kind=kind)
    np.testing.assert_allclose(
        [answer.ace, answer.se, answer.df],
        [theirs["ace"], theirs["se"], theirs["df_satterthwaite"]],
        rtol=1e-9,
    )


def satterthwaite_row(theirs: dict[str, Any]) -> dict[str, Any]:
    return {"ace": theirs["ace"], "se": theirs["se"]} | {
        name: theirs[f"{name}_satterthwaite"] for name in ("df", "p", "lower", "upper")
    }


def ice_dataset(frame: pd.DataFrame, columns: list[str]) -> xr.Dataset:
    ice = frame[columns].to_numpy()[:, :, None]
    coords = {
        "unit": frame.unit,
        "parent": ("unit", frame.parent),
        "contrast": columns,
        "task": ["y"],
    }
    return xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords=coords)


@pytest.mark.parametrize("size", ["few", "many"])
@pytest.mark.filterwarnings("ignore::causalgia.errors.FewClustersWarning")
def test_clustered_by_default(size: str) -> None:
    effects = ice_dataset(table("cluster_robust", f"input_{size}"), ["ice"])
    theirs = expected("cluster_robust")[size]
    agrees(estimate(effects), satterthwaite_row(theirs["robust"]["CR2"]))
    agrees(estimate(effects, weights="clusters"), theirs["mean_of_cluster_means"])
    unclustered = estimate(effects, cluster="none")
    np.testing.assert_allclose(unclustered["se"].item(), theirs["iid"]["se"], rtol=1e-9)
    assert estimate(effects)["n_units"].item() == theirs["n_units"]
    assert estimate(effects)["n_clusters"].item() == theirs["n_clusters"]


@pytest.mark.parametrize("size", ["few", "many"])
def test_the_mean_of_cluster_means(size: str) -> None:
    frame, theirs = (
        table("cluster_robust", f"input_{size}"),
        expected("cluster_robust")[size],
    )
    answer = mean_of_cluster_means(frame.ice.to_numpy(), codes(frame))
    np.testing.assert_allclose(
        answer.se, theirs["mean_of_cluster_means"]["se"], rtol=1e-9
    )


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3"])
def test_parallel_arms_inside_parents(kind: Any) -> None:
    frame, theirs = (
        table("cluster_robust", "input_parallel"),
        expected("cluster_robust")["parallel_arm"][kind],
    )
    X = np.c_[np.ones(len(frame)), frame.arm]
    fit = regress(
        X, frame[["y"]].to_numpy(), np.array([0.0, 1.0]), codes(frame), kind=kind
    )
    np.testing.assert_allclose(
        [fit.estimate[0], fit.se[0], fit.df],
        [theirs["ace"], theirs["se"], theirs["df_satterthwaite"]],
        rtol=1e-9,
    )


def test_parallel_clusters_by_parent() -> None:
    frame = table("cluster_robust", "input_parallel")
    outcomes = from_frame(frame, outcome="y", arm="arm", unit="unit", parent="parent")
    with pytest.warns(FewClustersWarning, match="parent"):
        mine = estimate(contrast(outcomes, control="0"))
    agrees(mine, satterthwaite_row(expected("cluster_robust")["parallel_arm"]["CR2"]))


@pytest.mark.filterwarnings("ignore::causalgia.errors.FewClustersWarning")
def test_covariance_and_joint_test() -> None:
    theirs, names = expected("cluster_robust")["contrasts"], ["c1", "c2", "c3", "c4"]
    frame = table("cluster_robust", "input_contrasts")
    ice = frame[names].to_numpy()
    for kind in ("CR0", "CR1", "CR2"):
        factor = mean_ice(ice, codes(frame), kind=kind).factor
        np.testing.assert_allclose(
            factor.T @ factor, theirs["covariance"][kind], rtol=1e-9
        )
    estimates = estimate(ice_dataset(frame, names))
    V = covariance(estimates)[..., 0].to_numpy()
    np.testing.assert_allclose(V, theirs["covariance"]["CR2"], rtol=1e-9)
    np.testing.assert_allclose(
        estimates["df"][:, 0], theirs["df_satterthwaite_CR2"], rtol=1e-9
    )
    test, wald = (
        wald_htz(estimates["ace"][:, 0].to_numpy(), V, estimates["df"][0, 0].item()),
        theirs["wald_HTZ"],
    )
    np.testing.assert_allclose(
        [test.F, test.df1, test.df2], [wald["F"], wald["df1"], wald["df2"]], rtol=1e-9
    )
    np.testing.assert_allclose(test.p, wald["p"], rtol=1e-7)


# shared_control, crossover part (multcomp 1.4.22)


def test_shared_control_covariance() -> None:
    arms, theirs = (
        [f"arm{i:02d}" for i in range(1, 13)],
        expected("shared_control")["crossover"],
    )
    outcomes = wide_crossover("shared_control", "input_crossover", ["control", *arms])
    estimates = estimate(contrast(outcomes, control="control"))
    assert estimates["contrast"].values.tolist() == theirs["contrast"]
    np.testing.assert_allclose(estimates["ace"][:, 0], theirs["ace"], rtol=1e-9)
    np.testing.assert_allclose(estimates["se"][:, 0], theirs["se"], rtol=1e-9)
    np.testing.assert_allclose(
        of_t(estimates)[0][:, 0], theirs["p_unadjusted"], rtol=1e-7
    )
    assert_holds_t(estimates)
    np.testing.assert_allclose(
        covariance(estimates)[..., 0], theirs["covariance"], rtol=1e-9, atol=1e-15
    )


# factorial_2x2


@pytest.mark.parametrize(
    ("scale", "name"), [("identity", "additive"), ("log", "mean_of_logs")]
)
def test_interaction(scale: Any, name: str) -> None:
    outcomes = wide_crossover("factorial_2x2", "input", ["y00", "y10", "y01", "y11"])
    outcomes = outcomes.assign_coords(
        A=("arm", [0, 1, 0, 1]), B=("arm", [False, False, True, True])
    )
    agrees(
        estimate(contrast(outcomes, interaction=["A", "B"], scale=scale)),
        expected("factorial_2x2")[name],
    )


# mixed_model, balanced (lme4 1.1.31, lmerTest 3.1.3): optimized, so se to 1e-6 and
# Satterthwaite df to 1e-3


def test_predictors_crossed_with_units() -> None:
    frame = table("mixed_model", "input_balanced").rename(columns={"model": "net"})
    effects = contrast(
        from_frame(frame, outcome="y", arm="arm", unit="unit", model="net"),
        control="control",
    )
    mine = estimate(effects, target="population x predictors").isel(contrast=0, task=0)
    theirs = expected("mixed_model")["balanced"]["ice_crossed"]["satterthwaite"]
    np.testing.assert_allclose(mine["ace"], theirs["estimate"], rtol=1e-6)
    np.testing.assert_allclose(mine["se"], theirs["se"], rtol=1e-6)
    np.testing.assert_allclose(mine["df"], theirs["df"], rtol=1e-3)
    np.testing.assert_allclose(
        [mine["lower"], mine["upper"]], [theirs["lower"], theirs["upper"]], rtol=1e-3
    )


# p_adjust (p.adjust)


@pytest.mark.parametrize(
    ("method", "theirs"),
    [
        ("bh", "BH"),
        ("by", "BY"),
        ("holm", "holm"),
        ("hochberg", "hochberg"),
        ("bonferroni", "bonferroni"),
    ],
)
def test_adjusted_p(method: Any, theirs: str) -> None:
    answer = expected("p_adjust")["adjusted"][theirs]
    estimates = xr.Dataset({"p": ("contrast", table("p_adjust")["p"].to_numpy())})
    mine = adjust(estimates, method=method)["p_adjusted"].values
    np.testing.assert_allclose(mine, np.array(answer, dtype=float), rtol=0, atol=1e-12)


# moderated_t (limma 3.54.1: squeezeVar)


def test_moderated_variances() -> None:
    theirs, Y = expected("moderated_t"), table("moderated_t").iloc[:, 1:].to_numpy()
    mine = moderate(Y.var(axis=1, ddof=1), Y.shape[1] - 1.0)
    np.testing.assert_allclose(mine.prior_df, theirs["df_prior"], rtol=1e-6)
    np.testing.assert_allclose(mine.prior_variance, theirs["var_prior"], rtol=1e-6)
    np.testing.assert_allclose(mine.df, theirs["df_total"], rtol=1e-6)
    np.testing.assert_allclose(mine.variance, theirs["variance_posterior"], rtol=1e-6)
    se = np.sqrt(mine.variance / Y.shape[1])
    p, lower, upper = p_and_limits(
        Y.mean(axis=1), se, np.full(len(Y), mine.df), theirs["ci_prob"]
    )
    for name, value in {"se": se, "lower": lower, "upper": upper, "p": p}.items():
        np.testing.assert_allclose(
            value, theirs[name], rtol=1e-6, atol=1e-12, err_msg=name
        )
