"""Imports numerical kernels from the inside: each has numbers of R, or of another
program, that no public verb returns, though public verbs rest on the kernel.

=====================  ===============================================================
folder                 what only the inside has
=====================  ===============================================================
adaptive_shrinkage     weights of components and the grid; uniform counts (public: the
                       null-biased law, in test_references.py)
cluster_robust         a mean and a regression by parents; HTZ's joint test, which
                       `experiments.position` prints
difference_in_means    regressions without interactions
dose_response,         joint tests of several contrasts
factorial_2x2x2
eight_schools,         quantiles of tau, mu and each effect without the error of draws
random_effects_...
mixed_model            variances of units, predictors and the rest
helical_phase          the wave itself; `experiments.spacing` needs a predictor for it
moderated_t            moderated variances
p_adjust, stats_turn4  Holm; p that are missing, or 0
power                  normal power, and two one-sided tests
ppi                    weights of the predictions that are given
random_effects         the interval of tau, and Cochran's p
shared_control         critical values of a given correlation
shared_effects         patterns that are given, where `cg.infer` learns them
=====================  ===============================================================

Such a test goes with its room, or to a public verb that has the number.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize, special, stats

import causalgia as cg
from causalgia.effects.contrast_weights import orthonormal_polynomials
from causalgia.estimation._helical_phase import helical_phase
from causalgia.estimation._random_effects import random_effects
from causalgia.estimation.crossover import crossed_variances, mean_ice
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.estimation.standard_errors import regress, wald_htz
from causalgia.mpra.comparisons.prediction_powered_means import (
    powered_mean,
)
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.multiplicity.multivariate_t import correlation_factor, equicoordinate
from causalgia.planning.power_functions import (
    _inside_probability,
    detectable,
    least_integer,
    rejection_probability,
)
from causalgia.posterior.density_grids import HalfLine
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.mixture import (
    mixture,
    mixture_weights,
    scale_grid,
)
from causalgia.posterior.normal import _scaled_problem, normal
from causalgia.posterior.pattern_mixture import (
    PatternLaw,
    averaged_moments,
    fitted_weights,
    log_densities,
    signed_moments,
)
from causalgia.posterior.task_covariances import Pattern

# of few clusters, which some folders are about
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

HERE = Path(__file__).parent / "reference"


@cache
def expected(case: str) -> Any:
    return json.loads((HERE / case / "expected.json").read_text())


def table(case: str, file: str = "input") -> pd.DataFrame:
    return pd.read_csv(HERE / case / f"{file}.csv")


def codes(*columns: Any) -> np.ndarray:
    keys = columns[0] if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)
    return pd.factorize(keys)[0].astype(np.intp)


def effects_of(frame: pd.DataFrame, columns: list[str], **coords: Any) -> xr.Dataset:
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), frame[columns].to_numpy()[:, :, None])},
        {"contrast": columns, "task": ["y"], **coords},
    )


def joint_test_agrees(
    estimates: xr.Dataset, names: list[str], theirs: dict[str, Any]
) -> None:
    chosen = estimates.sel(contrast=names).isel(task=0)
    V = cg.estimation.covariance(estimates, names).isel(task=0).to_numpy()
    found = wald_htz(chosen["ace"].to_numpy(), V, float(chosen["df"].min()))
    for name in ("F", "df1", "df2"):
        np.testing.assert_allclose(
            getattr(found, name), theirs[name], rtol=1e-9, err_msg=name
        )
    np.testing.assert_allclose(found.p, theirs["p"], rtol=1e-7, atol=1e-12)


# ---- adaptive_shrinkage: mixsqp


def ash() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    d, grid = table("adaptive_shrinkage"), table("adaptive_shrinkage", "input_grid")
    return d["ace"].to_numpy(), d["se"].to_numpy(), grid["prior_sd"].to_numpy()


@pytest.mark.parametrize("name", ["null_biased", "uniform"])
def test_weights_and_posterior_of_ash(name: str) -> None:
    (effect, se, grid), theirs = ash(), expected("adaptive_shrinkage")[name]
    counts = np.array(theirs["prior_count"], dtype=float)
    log_density = stats.norm.logpdf(
        effect[:, None], 0, np.sqrt(grid**2 + se[:, None] ** 2)
    )
    weights = mixture_weights(log_density, counts)
    assert weights.penalized == pytest.approx(theirs["penalised_loglik"], rel=1e-9)
    assert weights.log_likelihood == pytest.approx(theirs["loglik"], rel=1e-9)
    assert weights.kkt_excess < 1e-10
    assert weights.weight[0] == pytest.approx(theirs["pi0"], abs=1e-6)
    np.testing.assert_allclose(weights.weight, theirs["weights"], atol=1e-4)
    if name != "null_biased":
        return
    answer = mixture(effect, se**2)
    for mine, other in ((answer.mean, "posterior_mean"), (answer.sd, "posterior_sd")):
        np.testing.assert_allclose(mine, theirs[other], atol=1e-8)
    np.testing.assert_allclose(answer.lfsr, theirs["lfsr"], atol=1e-8)
    np.testing.assert_allclose(answer.lfdr, theirs["lfdr"], atol=1e-8)


def test_the_grid_of_ash() -> None:
    effect, se, grid = ash()
    np.testing.assert_allclose(scale_grid(effect, se), grid, atol=1e-8)


# ---- cluster_robust: clubSandwich


@pytest.mark.parametrize("size", ["few", "many"])
def test_clustered_mean(size: str) -> None:
    frame = table("cluster_robust", f"input_{size}")
    theirs = expected("cluster_robust")[size]["robust"]["CR2"]
    answer = mean_ice(frame["ice"].to_numpy(), codes(frame["parent"]))
    np.testing.assert_allclose(
        [answer.ace, answer.se, answer.df],
        [theirs["ace"], theirs["se"], theirs["df_satterthwaite"]],
        rtol=1e-9,
    )


def test_parallel_arms_inside_parents() -> None:
    frame = table("cluster_robust", "input_parallel")
    theirs = expected("cluster_robust")["parallel_arm"]["CR2"]
    X = np.c_[np.ones(len(frame)), frame["arm"]]
    arm = np.array([0.0, 1.0])
    fit = regress(X, frame[["y"]].to_numpy(), arm, codes(frame["parent"]))
    np.testing.assert_allclose(
        [fit.estimate[0], fit.se[0], fit.df],
        [theirs["ace"], theirs["se"], theirs["df_satterthwaite"]],
        rtol=1e-9,
    )


def test_covariance_and_joint_test_of_clustered_contrasts() -> None:
    theirs, frame = (
        expected("cluster_robust")["contrasts"],
        table("cluster_robust", "input_contrasts"),
    )
    ice = frame[theirs["contrast"]].to_numpy()
    factor = mean_ice(ice, codes(frame["parent"])).factor
    np.testing.assert_allclose(
        factor.T @ factor, theirs["covariance"]["CR2"], rtol=1e-9
    )
    effects = effects_of(frame, theirs["contrast"], parent=("unit", frame["parent"]))
    joint_test_agrees(cg.estimate(effects), theirs["contrast"], theirs["wald_HTZ"])


# ---- difference_in_means: estimatr


def covariate_design(
    covariates: list[str], interacted: bool
) -> tuple[np.ndarray, np.ndarray]:
    frame = table("difference_in_means", "input_covariate")
    x, arm = frame[covariates].to_numpy(), frame[["arm"]].to_numpy()
    x = x - x.mean(axis=0)
    products = arm * x if interacted else x[:, :0]
    X = np.hstack([np.ones_like(arm, dtype=float), arm, x, products])
    return X, frame[["y"]].to_numpy()


@pytest.mark.parametrize(
    ("name", "interacted", "covariates"),
    [
        ("lin_hc2", True, ["x1", "x2"]),
        ("ancova_hc2", False, ["x1", "x2"]),
        ("unadjusted_hc2", False, []),
    ],
)
def test_regressions(name: str, interacted: bool, covariates: list[str]) -> None:
    X, y = covariate_design(covariates, interacted)
    fit = regress(X, y, np.eye(X.shape[1])[1])
    theirs = expected("difference_in_means")["covariate"][name]
    np.testing.assert_allclose(fit.estimate, theirs["ace"], rtol=1e-9)
    np.testing.assert_allclose(fit.se, theirs["se"], rtol=1e-9)
    assert fit.df_residual == theirs["df"]


# ---- dose_response, factorial_2x2x2: Hotelling's T-squared


def test_all_orders_of_a_dose_beyond_the_linear_one() -> None:
    long = table("dose_response").melt("unit", var_name="arm", value_name="y")
    outcomes = cg.from_frame(long, outcome="y", arm="arm", unit="unit")
    arms = outcomes["arm"].values
    copies = np.array([float(arm.removeprefix("count")) for arm in arms])
    rows = orthonormal_polynomials(copies, 5)
    for row, theirs in zip(
        rows, expected("dose_response")["orthonormal"].values(), strict=True
    ):
        np.testing.assert_allclose(row, theirs["coefficients"], rtol=1e-11, atol=1e-12)
    weights = {
        f"degree {j}": dict(zip(arms, row, strict=True))
        for j, row in enumerate(rows, 1)
    }
    joint_test_agrees(
        cg.estimate(cg.contrast(outcomes, contrasts=weights)),
        [f"degree {j}" for j in range(2, 6)],
        expected("dose_response")["hotelling_beyond_linear"],
    )


@pytest.mark.parametrize(
    ("scale", "name", "test", "contrasts"),
    [
        ("identity", "additive", "hotelling_two_way", ["AB", "AC", "BC"]),
        (
            "identity",
            "additive",
            "hotelling_all_interactions",
            ["AB", "AC", "BC", "ABC"],
        ),
        ("log", "mean_of_logs", "hotelling_two_way", ["AB", "AC", "BC"]),
    ],
)
def test_joint_tests_of_interactions(
    scale: Any, name: str, test: str, contrasts: list[str]
) -> None:
    theirs = expected("factorial_2x2x2")
    long = table("factorial_2x2x2").melt("unit", theirs["arms"], "arm", "y")
    outcomes = cg.from_frame(long, outcome="y", arm="arm", unit="unit")
    weights = {
        contrast: dict(zip(theirs["arms"], row, strict=True))
        for contrast, row in zip(
            theirs["additive"]["contrast"], theirs["coefficients"], strict=True
        )
    }
    estimates = cg.estimate(cg.contrast(outcomes, contrasts=weights, scale=scale))
    joint_test_agrees(estimates, contrasts, theirs[name][test])


# ---- eight_schools, random_effects_multivariate: quadrature in R

# as flat as a half-normal prior of tau can be
FLAT = cg.Prior(mu_sd=np.inf, tau_scale=1e6)


def tau_posterior(effect: np.ndarray, noise: Noise, prior: cg.Prior) -> HalfLine:
    """Return the marginal posterior of tau that `normal` averages over."""
    unit, _, tau, _ = _scaled_problem(effect, noise, prior, None)
    return replace(tau, value=tau.value * unit, scale=tau.scale * unit)


def posterior_agrees(
    post: Exact, tau: HalfLine, theirs: Any, within: dict[str, Any], atol: float
) -> None:
    """Compare effects, mu and tau with R's: mean, sd, quantiles, lfsr, P(> 0) and
    P(ROPE).
    """
    probabilities, rope = within["quantile_probabilities"], within["rope"]
    theta = {
        key: np.array([row[key] for row in theirs["theta"]])
        for key in theirs["theta"][0]
    }
    k = len(post.mean)
    inside = post.below(np.full(k, rope[1])) - post.below(np.full(k, rope[0]))
    for mine, name in (
        (post.mean, "mean"),
        (post.sd, "sd"),
        (post.lfsr, "lfsr"),
        (1 - post.below(np.zeros(k)), "p_positive"),
        (inside, "p_rope"),
    ):
        np.testing.assert_allclose(mine, theta[name], atol=atol, err_msg=name)
    for i, p in enumerate(probabilities):
        np.testing.assert_allclose(
            post.quantile(p), theta["quantiles"][:, i], atol=atol
        )
    w, t = post.nodes.weight, post.nodes.tau
    m, s = post.nodes.coefficients[:, 0], post.nodes.coefficients_sd[:, 0]
    mean = w @ m
    np.testing.assert_allclose(
        [mean, np.sqrt(w @ (s**2 + (m - mean) ** 2))],
        [theirs["mu"][x] for x in ("mean", "sd")],
        atol=atol,
    )
    for p, q in zip(probabilities, theirs["mu"]["quantiles"], strict=True):
        assert w @ stats.norm.cdf(q, m, s) == pytest.approx(p, abs=atol)
    np.testing.assert_allclose(
        [w @ t, np.sqrt(w @ (t - w @ t) ** 2)],
        [theirs["tau"][x] for x in ("mean", "sd")],
        atol=atol,
    )
    np.testing.assert_allclose(
        tau.quantile(np.array(probabilities)), theirs["tau"]["quantiles"], atol=atol
    )


def test_eight_schools() -> None:
    d, r = table("eight_schools"), expected("eight_schools")
    effect, noise = d["y"].to_numpy(float), Noise(d["sigma"].to_numpy(float) ** 2)
    post, tau = normal(effect, noise, FLAT), tau_posterior(effect, noise, FLAT)
    posterior_agrees(post, tau, r["mu_flat_tau_flat"], r, 1e-6)


def test_effects_with_a_known_covariance() -> None:
    case = "random_effects_multivariate"
    theirs, known = expected(case)["bayes"], table(case, "input_covariance").to_numpy()
    prior = cg.Prior(
        mu_sd=theirs["prior"]["mu_sd"],
        tau_scale=theirs["prior"]["tau_half_normal_scale"],
    )
    effect = table(case)["ace"].to_numpy()
    noise = Noise(np.diag(known).copy(), whole=known)
    post, tau = normal(effect, noise, prior), tau_posterior(effect, noise, prior)
    posterior_agrees(post, tau, theirs, theirs, 1e-5)


# ---- helical_phase

WAVE = ("cos", "sin", "amplitude", "amplitude_se", "phase_bp", "phase_bp_se")


def wave(**options: Any) -> xr.Dataset:
    y = table("helical_phase").pivot(
        index="unit", columns="distance", values="interaction"
    )
    names = [f"{distance} bp" for distance in y.columns]
    distance = ("contrast", y.columns.to_numpy())
    effects = effects_of(y.set_axis(names, axis=1), names, distance=distance)
    return helical_phase(effects, **options).isel(task=0)


@pytest.mark.parametrize("trend", ["linear", "quadratic", "cubic", "natural_spline_4"])
def test_the_wave_of_the_mean_curve(trend: Any) -> None:
    theirs = expected("helical_phase")["mean_curve"][trend]
    found = wave(trend=trend).sel(fit="mean_curve")
    numbers = {name: theirs["fit"][name] for name in WAVE}
    numbers |= {name: theirs[name] for name in ("F", "df1", "df2")}
    numbers |= {name: theirs[name] for name in ("rss_trend", "rss_full")}
    for name, value in numbers.items():
        np.testing.assert_allclose(found[name].item(), value, rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(found["p"].item(), theirs["p"], rtol=1e-7)
    np.testing.assert_allclose(
        found["pair_covariance"], theirs["fit"]["covariance"], rtol=1e-8, atol=1e-14
    )


def test_the_wave_of_each_unit() -> None:
    theirs, found = (
        expected("helical_phase")["unitwise"],
        wave().sel(fit="unitwise"),
    )
    for name in (*WAVE, "F", "df1", "df2"):
        np.testing.assert_allclose(
            found[name].item(), theirs[name], rtol=1e-8, err_msg=name
        )
    np.testing.assert_allclose(found["p"].item(), theirs["p"], rtol=1e-7)
    np.testing.assert_allclose(
        found["pair_covariance"], theirs["covariance"], rtol=1e-8
    )


def test_the_scan_over_periods() -> None:
    theirs, found = expected("helical_phase")["period_scan"], wave()
    np.testing.assert_allclose(found["period"], theirs["period"], rtol=1e-12)
    np.testing.assert_allclose(found["rss"], theirs["rss"], rtol=1e-8)
    np.testing.assert_allclose(found["best_period"].item(), theirs["best"])


# ---- mixed_model: lme4


def test_variances_of_units_and_predictors() -> None:
    y = table("mixed_model", "input_balanced").pivot_table(
        "y", ["unit", "arm"], "model"
    )
    ice = (y.xs("treated", level="arm") - y.xs("control", level="arm")).to_numpy()
    theirs = expected("mixed_model")["balanced"]["ice_crossed"]["variance"]
    np.testing.assert_allclose(
        crossed_variances(ice)[0],
        [theirs[name] for name in ("unit", "model", "Residual")],
        rtol=1e-7,
    )


# ---- moderated_t: limma's squeezeVar


def test_moderated_variances() -> None:
    theirs, Y = expected("moderated_t"), table("moderated_t").iloc[:, 1:].to_numpy()
    mine = moderate_variances(Y.var(axis=1, ddof=1), np.full(len(Y), Y.shape[1] - 1.0))
    np.testing.assert_allclose(mine.prior_df, theirs["df_prior"], rtol=1e-6)
    np.testing.assert_allclose(mine.prior_variance, theirs["var_prior"], rtol=1e-6)
    np.testing.assert_allclose(mine.df, theirs["df_total"], rtol=1e-6)
    np.testing.assert_allclose(mine.variance, theirs["variance_posterior"], rtol=1e-6)
    se = np.sqrt(mine.variance / Y.shape[1])
    found = cg.from_effects(
        Y.mean(axis=1), se=se, df=mine.df, ci_prob=theirs["ci_prob"]
    )
    for name in ("se", "lower", "upper", "p"):
        np.testing.assert_allclose(
            found[name][:, 0], theirs[name], rtol=1e-6, atol=1e-12, err_msg=name
        )


# ---- p_adjust, stats_turn4: p.adjust


@pytest.mark.parametrize("method", ["BH", "holm"])
def test_adjusted_p(method: str) -> None:
    """With p that are missing, or 0, which no estimate has."""
    found = stepwise(table("p_adjust")["p"].to_numpy(float), method.lower())  # type: ignore[arg-type]
    theirs = np.array(expected("p_adjust")["adjusted"][method], dtype=float)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", [False, True])
def test_holm_by_family(family: bool) -> None:
    """q of `decide(error="fwer")` is Holm's over both p of each row."""
    d = table("stats_turn4", "p_values")
    of = d["family"] if family else np.zeros(len(d))
    found = d.groupby(of)["p"].transform(lambda p: stepwise(p.to_numpy(), "holm"))
    case = "p.adjust holm by family" if family else "p.adjust holm"
    frame = pd.read_csv(HERE / "stats_turn4" / "expected.tsv", sep="\t", comment="#")
    theirs = frame[frame["case"] == case]
    np.testing.assert_allclose(found, theirs["value"].astype(float), rtol=1e-12)


# ---- power: pwr


@pytest.mark.parametrize("i", range(5))
def test_power_of_a_paired_t(i: int) -> None:
    row, theirs = table("power").iloc[i], expected("power")["paired"][i]
    level, se = 1 - row.alpha, row.sd / np.sqrt(row.n)

    def chance(n: float) -> float:
        se = row.sd / np.sqrt(n)
        return float(rejection_probability(row.effect, se, n - 1, level=level))

    mine = {
        "power": chance(row.n),
        "n_real": optimize.brentq(lambda n: chance(n) - row.power, 2, 1e9, rtol=1e-14),
        "minimal_detectable_effect": detectable(
            se, row.n - 1, power=row.power, ci_prob=level
        ),
        "power_normal": rejection_probability(row.effect, se, np.inf, level=level),
    }
    for name, value in mine.items():
        assert value == pytest.approx(theirs[name], rel=1e-7), name


@pytest.mark.parametrize("i", range(3))
def test_power_of_two_one_sided_tests(i: int) -> None:
    row = table("power", "input_equivalence").iloc[i]
    theirs = expected("power")["equivalence"][i]

    def chance(n: Any) -> Any:
        """TOST at alpha a side: the t interval at 1 - 2 alpha lies inside."""
        arrays = np.broadcast_arrays(
            row.true_effect,
            row.sd / np.sqrt(n),
            n - 1.0,
            row.rope_lower,
            row.rope_upper,
        )
        effect, se, df, low, high = map(np.asarray, arrays)
        reach = np.asarray(stats.t.ppf(1 - row.alpha, df))
        return _inside_probability(effect, se, se, df, (low, high), (reach, reach))

    assert chance(row.n) == pytest.approx(theirs["power"], rel=1e-7)
    needed = least_integer(lambda n: chance(n) >= row.power, np.array([2.0]))[0]
    assert needed == theirs["n_required"]


# ---- ppi: ppi-python


@pytest.mark.parametrize("case", ["good", "poor", "skewed"])
def test_weights_of_predictions_that_are_given(case: str) -> None:
    wanted = expected("ppi")["cases"][case]
    d = table("ppi").query("case == @case")
    few = d["y"].notna().to_numpy()
    y, f = d["y"].to_numpy()[few], d["f"].to_numpy()[few]
    rest = d["f"].to_numpy()[~few]

    n, N = len(y), len(rest)
    for label, weight in (
        ("tuned", wanted["lam"]),
        ("given_0.5", 0.5),
        ("given_1", 1.0),
        ("classical", 0.0),
    ):
        found = powered_mean(y, f, rest, lam=weight)
        assert found.mean == pytest.approx(wanted[label]["mean"], rel=1e-12)
        few_part, rest_part = (
            float(part @ part) for part in np.split(found.pieces, [n])
        )
        # theirs divides by n, not n - 1
        by_n = np.sqrt(few_part * (n - 1) / n + rest_part * (N - 1) / N)
        half = (wanted[label]["upper"] - wanted[label]["lower"]) / 2
        assert special.ndtri(0.975) * by_n == pytest.approx(half, rel=1e-12)


# ---- random_effects: metafor


@pytest.mark.parametrize(
    ("which", "file"),
    [("heterogeneous", "input"), ("homogeneous", "input_homogeneous")],
)
def test_random_effects(which: str, file: str) -> None:
    d = table("random_effects", file)
    mine = random_effects(d["ace"], d["variance"])
    r = expected("random_effects")[which]
    theirs, profile = r["PM_knapp_hartung"], r["tau2_q_profile"]
    assert (mine.mean, mine.se, mine.df, mine.Q_p, mine.tau2) == pytest.approx(
        tuple(theirs[name] for name in ("beta", "se", "df", "QE_p", "tau2")),
        rel=1e-6,
        abs=1e-9,
    )
    assert (mine.tau2_lower, mine.tau2_upper) == pytest.approx(
        (profile["lower"], profile["upper"]), rel=1e-6, abs=1e-9
    )


# ---- shared_control: mvtnorm


@pytest.mark.parametrize(
    ("case", "critical"),
    [("crossover", 5e-4), ("parallel_dunnett", 1e-6)],
    ids=["qmc", "quadrature"],
)
def test_maxima_of_a_multivariate_t(case: str, critical: float) -> None:
    theirs = expected("shared_control")[case]
    mine = equicoordinate(
        correlation_factor(np.array(theirs["correlation"])), theirs["df"]
    )
    np.testing.assert_allclose(
        mine, theirs["critical_two_sided"], rtol=0, atol=critical
    )


# ---- shared_effects: mash by mixsqp and mvtnorm


def test_weights_and_posterior_of_mash() -> None:
    """With given patterns."""
    r = expected("shared_effects")
    effect, error = (
        table("shared_effects", name).to_numpy() for name in ("input", "input_error")
    )
    parts = pd.read_csv(
        HERE / "shared_effects" / "input_components.csv", keep_default_na=False
    )
    names = [name for name in dict.fromkeys(parts["pattern"]) if name != "null"]
    covariances = parts.filter(regex="^u").to_numpy().reshape(-1, 4, 4)
    patterns = []
    for name in names:
        row = parts.index[parts["pattern"] == name][0]
        value, vector = np.linalg.eigh(covariances[row] / parts["scale"][row] ** 2)
        patterns.append(Pattern(name, vector * np.sqrt(np.maximum(value, 0))))
    place = np.array(
        [names.index(name) if name != "null" else -1 for name in parts["pattern"]]
    )
    value, vector = np.linalg.eigh(error)
    n, scale = len(effect), parts["scale"].to_numpy()

    def errors(rows: Any) -> tuple[np.ndarray, np.ndarray]:
        return np.tile(value, (n, 1))[rows], np.tile(vector, (n, 1, 1))[rows]

    def moments(weight: np.ndarray) -> Any:
        law = PatternLaw(patterns, place, scale, weight)
        return averaged_moments([signed_moments(effect, errors, law)])

    flat = PatternLaw(patterns, place, scale, np.full(len(parts), 1 / len(parts)))
    density = log_densities(effect, errors, flat)
    weight = fitted_weights(density, scale)
    loglik = np.log(np.exp(density) @ weight).sum() - n * 2 * np.log(2 * np.pi)
    assert loglik + 9 * np.log(weight[0]) == pytest.approx(
        r["penalised_loglik"], abs=1e-6
    )
    found, exact = moments(weight), moments(np.array(r["weights"]))
    for mine, theirs in (
        (found.mean, "posterior_mean"),
        (found.sd, "posterior_sd"),
        (found.lfsr, "lfsr"),
    ):
        np.testing.assert_allclose(mine, r[theirs], atol=1e-4)
    np.testing.assert_allclose(exact.mean, r["posterior_mean"], atol=1e-9)
    np.testing.assert_allclose(exact.sd, r["posterior_sd"], atol=1e-7)
