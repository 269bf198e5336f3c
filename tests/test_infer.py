"""Imports kernels of the posterior from the inside: laws, tails and noise have proofs of their own.

The verb infer: labels, doors, degenerate and bad input, and what the exact engine
says through it.
"""

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
from causalgia.analysis_values import Prior
from causalgia.errors import DegenerateWarning, EstimateError
from causalgia.estimation import estimate, from_effects
from causalgia.posterior import infer, posterior_predictive
from causalgia.posterior.error_covariance import Noise, noises_of, spiked_noise
from causalgia.posterior.labeled_data import (
    result_coordinates,
    shared_patterns,
)
from causalgia.posterior.model_checks import (
    _spread_tail,
    errors_grow_with_effects,
    prior_conflict,
)
from causalgia.posterior.normal import normal
from causalgia.posterior.posterior_tree import import_quietly, tree_datasets
from causalgia.posterior.predictor_level import (
    _regress_on_sum,
    draw_errors,
    over_predictors,
)
from causalgia.verdicts import decide

CASE = Path(__file__).parent / "reference" / "eight_schools"


SCHOOLS = pd.read_csv(CASE / "input.csv")


def schools(**coords: Any) -> xr.Dataset:
    return from_effects(
        SCHOOLS["y"], se=SCHOOLS["sigma"], names=[f"s{i}" for i in range(8)]
    ).assign_coords(coords)


def crossover(n: int = 60, k: int = 4, seed: int = 0, **sizes: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    dims = ("unit", "contrast", "task", *sizes)
    ice = generator.normal(size=(n, k, 2, *sizes.values())) + generator.normal(
        size=(n, 1, 1, *([1] * len(sizes)))
    )
    ice += np.arange(k).reshape(1, k, *[1] * (len(dims) - 2))
    coords = {"contrast": [f"c{i}" for i in range(k)], "task": ["K562", "HepG2"]}
    return xr.Dataset({"ice": (dims, ice)}, coords=coords)


def test_pytest_sees_the_arviz_that_reads_the_tree() -> None:
    posterior = infer(schools(), rng=0)
    az = import_quietly("arviz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = az.summary(cg.posterior.as_arviz(posterior))
        draws = cg.posterior.as_arviz(posterior)["posterior"]
        rhat, ess = az.rhat(draws), az.ess(draws)
    assert len(summary) == 10  # eight effects, mu and tau
    assert abs(float(rhat["mu"].values.ravel()[0]) - 1) < 0.01
    assert float(ess["tau"].values.ravel()[0]) > 3_000  # 4,000 independent draws


def test_a_posterior_has_one_type_whichever_arviz_is_installed() -> None:
    posterior = infer(schools(), n_draws=40, rng=0)
    assert type(posterior) is xr.DataTree
    assert posterior["/posterior"]["ace"].identical(posterior["posterior"]["ace"])
    assert posterior.posterior["ace"].dims == ("chain", "draw", "contrast", "task")
    given = cg.posterior.as_arviz(posterior)
    for name, group in tree_datasets(posterior).items():
        assert tree_datasets(given)[name].identical(group)
    assert tree_datasets(cg.posterior.as_arviz(given)).keys() == posterior.keys()
    assert cg.tidy(given).equals(cg.tidy(posterior))


def test_draws_follow_from_the_seed_alone() -> None:
    first, again, other = (
        infer(schools(), rng=rng)["posterior"]["ace"] for rng in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_draws_are_rounded_up_to_four_chains() -> None:
    assert dict(infer(schools(), n_draws=10, rng=0)["posterior"].sizes)["draw"] == 3


def test_the_tree_names_what_it_is_about() -> None:
    table = schools(word=("contrast", list("aabbaabb")))
    posterior = tree_datasets(infer(table, rng=0))
    attrs = posterior["posterior"].attrs
    assert (attrs["law"], attrs["sigma"], attrs["prior_unit"]) == (
        "normal",
        "diagonal",
        "median standard error",
    )
    given = infer(table, prior=Prior(tau_scale=4), rng=0)["posterior"].attrs
    assert json.loads(given["prior"])["tau_scale"] == 4
    assert given["prior_unit"] == "contrast scale"
    assert posterior["posterior"]["word"].dims == ("contrast",)
    np.testing.assert_array_equal(
        posterior["observed_data"]["effect"].to_numpy()[:, 0], SCHOOLS["y"]
    )
    np.testing.assert_array_equal(
        posterior["constant_data"]["se"].to_numpy()[:, 0], SCHOOLS["sigma"]
    )
    assert not posterior["constant_data"]["is_placebo"].any()
    assert all(
        isinstance(v, str | int | float)
        for group in posterior.values()
        for v in group.attrs.values()
    )


def test_it_is_written_and_read_by_its_own_methods(tmp_path: Path) -> None:
    posterior = infer(schools(), n_draws=40, rng=0)
    posterior.to_netcdf(tmp_path / "posterior.nc")
    back = xr.open_datatree(tmp_path / "posterior.nc")
    assert set(tree_datasets(back)) == {
        "posterior",
        "moments",
        "observed_data",
        "constant_data",
        "log_likelihood",
    }
    np.testing.assert_array_equal(
        back["posterior"]["ace"], posterior["posterior"]["ace"]
    )
    assert back["posterior"].attrs["law"] == "normal"


def test_each_task_is_inferred_by_itself() -> None:
    estimates = estimate(crossover())
    both, one = (
        infer(estimates, rng=0),
        infer(estimates.sel(task=["HepG2"]), rng=0),
    )
    np.testing.assert_allclose(
        both["moments"]["mean"].sel(task="HepG2"),
        one["moments"]["mean"][:, 0],
        rtol=1e-12,
    )
    assert both["posterior"].attrs["sigma"] == "whole"
    assert both["constant_data"]["n_units"].dims == ("contrast", "task")


def test_a_covariance_from_few_units_is_low_rank_and_diagonal() -> None:
    posterior = infer(estimate(crossover(n=30, k=40)), rng=0)
    assert posterior["posterior"].attrs["sigma"].startswith("low rank + diagonal (r=")


@pytest.mark.simulation
@pytest.mark.parametrize("k", [4, 60])
def test_a_small_shift_of_all_effects_is_not_taken_for_the_error_of_the_control(
    k: int,
) -> None:
    """Words without an effect differ from the control by its own; a clear effect stays
    where its estimate is.
    """
    inside = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        # 1.4 standard errors below 0, all of it the control's
        truth = np.r_[1.0, np.full(k - 1, -0.1)]
        ice = (
            truth
            + generator.normal(size=(200, 1))
            + 0.3 * generator.normal(size=(200, k))
        )
        names = [f"c{i}" for i in range(k)]
        effects = xr.Dataset(
            {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
            {"contrast": names, "task": ["t"]},
        )
        draws = infer(estimate(effects), n_draws=400, rng=seed)["posterior"]["ace"][
            :, :, 0, 0
        ]
        low, high = np.quantile(draws, [0.025, 0.975])
        inside.append(low <= 1.0 <= high)
    assert np.mean(inside) >= stats.binom.ppf(1e-4, 40, 0.95) / 40


def test_errors_that_placebo_words_share_reach_decide() -> None:
    from causalgia.verdicts import decide

    generator = np.random.default_rng(4)
    true = np.concatenate([[2.0], generator.normal(0, 0.2, 50)])
    ice = (
        true
        + 3 * generator.normal(size=(400, 1))
        + 0.5 * generator.normal(size=(400, 51))
    )
    names = [f"c{i}" for i in range(51)]
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
        {"contrast": names, "task": ["t"]},
    )
    estimates = estimate(effects).assign_coords(
        is_placebo=("contrast", np.arange(51) > 0)
    )
    posterior = infer(estimates, n_draws=400, rng=0)
    drawn, tested = decide(posterior, rope=0), decide(estimates, rope=0)
    for name in ("ace", "se", "lower", "upper", "p"):  # one interval, whoever asks
        np.testing.assert_array_equal(drawn[name], tested[name])
    covariance = posterior["constant_data"]["covariance"]
    assert covariance.dims == ("contrast", "contrast_", "task")
    np.testing.assert_array_equal(covariance, estimates["covariance"])
    placebos = xr.DataArray(np.arange(51) > 0, dims="contrast")
    posterior["constant_data"]["is_placebo"] = placebos
    drawn, tested = decide(posterior, rope="placebo"), decide(estimates, rope="placebo")
    for name in ("rope_lower", "rope_upper"):
        np.testing.assert_allclose(drawn[name], tested[name], atol=0.02)
    half = float(drawn["rope_upper"][0, 0] - drawn["rope_lower"][0, 0]) / 2
    # 1.96 * 0.2; with errors as if independent, the words spread less than their errors
    assert 0.25 < half < 0.55


def test_a_standardized_prior_is_in_sd_of_the_control_arm() -> None:
    known = schools().assign(control_sd=(("contrast", "task"), np.full((8, 1), 4.0)))
    a = infer(known, prior=Prior(mu_sd=2, tau_scale=1), rng=0)
    b = infer(schools(), prior=Prior(mu_sd=8, tau_scale=4), rng=0)
    np.testing.assert_allclose(a["moments"]["mean"], b["moments"]["mean"], rtol=1e-9)
    assert a["posterior"].attrs["prior_unit"] == "sd of the control arm"
    assert float(a["constant_data"]["prior_unit"][0, 0]) == 4
    raw = infer(
        known,
        prior=Prior(mu_sd=8, tau_scale=4, standardized=False),
        rng=0,
    )
    np.testing.assert_allclose(raw["moments"]["mean"], b["moments"]["mean"], rtol=1e-12)


def test_two_scales_have_a_unit_of_their_own_and_need_no_control_that_varies() -> None:
    effect, se = np.random.default_rng(0).normal(size=(30, 1)), np.full((30, 1), 0.5)
    table = from_effects(effect.ravel(), se=se.ravel())
    still = infer(table.assign(control_sd=(("contrast", "task"), 0 * se)), rng=0)
    plain = infer(table, rng=0)
    np.testing.assert_array_equal(still["posterior"]["ace"], plain["posterior"]["ace"])
    assert (
        still["posterior"].attrs["prior_unit"]
        == plain["posterior"].attrs["prior_unit"]
        == "median standard error"
    )
    assert float(plain["constant_data"]["prior_unit"][0, 0]) == pytest.approx(0.5)


def test_coordinates_of_contrasts_and_of_their_tasks_stay_with_every_group() -> None:
    strength = (("contrast", "task"), np.arange(5.0)[:, None])
    table = from_effects(np.arange(5.0), se=1.0).assign_coords(
        strength=strength, word=("contrast", list("abcde"))
    )
    groups = tree_datasets(infer(table, n_draws=4, rng=0))
    for name in (
        "posterior",
        "log_likelihood",
        "observed_data",
        "constant_data",
        "moments",
    ):
        assert groups[name]["word"].to_numpy().tolist() == list("abcde"), name
        np.testing.assert_array_equal(
            groups[name]["strength"], table["strength"], err_msg=name
        )


@pytest.mark.parametrize(("n", "df", "strength"), [(50, 199, 0.4), (400, 99, 0.22)])
def test_a_pattern_of_errors_is_one_above_what_chance_gives(
    n: int, df: int, strength: float
) -> None:
    """Marchenko and Pastur: the largest eigenvalue of independent errors is about (1 +
    sqrt(n / df))^2.
    """
    rng = np.random.default_rng(5)
    own, shared = rng.normal(size=(20, df + 1, n)), rng.normal(size=(20, df + 1, 1))
    found = []
    for errors in (*own, *(own + strength * shared)):
        errors = errors - errors.mean(axis=0)
        noise = spiked_noise(errors / np.sqrt((errors**2).sum(axis=0)), df, np.ones(n))
        found.append(0 if noise.loadings is None else noise.loadings.shape[1])
    assert sum(found[:20]) <= 4
    assert min(found[20:]) >= 1


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("slope", "matters"), [(0.1, False), (0.6, True)])
def test_errors_that_grow_matter_where_they_are_a_fifth_of_the_largest_effects(
    sign: float, slope: float, matters: bool
) -> None:
    size = np.random.default_rng(0).exponential(size=200)
    assert errors_grow_with_effects(sign * size, 0.05 + slope * size) == matters


def by_brute_force(
    effect: np.ndarray, sigma: np.ndarray, prior: Prior
) -> tuple[np.ndarray, np.ndarray, float]:
    """Condition the joint normal law of all K * M estimates on a grid of (tau,
    tau_gamma).
    """
    k, m = effect.shape
    design = np.kron(np.eye(k), np.ones((m, 1)))
    total, mean, square, tau_gamma = 0.0, np.zeros(k), np.zeros(k), 0.0
    grid = np.geomspace(1e-3, 60, 200)
    from causalgia.posterior.exact import log_prior_tau

    for tau in grid:
        between = tau**2 * np.eye(k) + prior.mu_sd**2
        for gamma in grid:
            joint = design @ (between + sigma) @ design.T + gamma**2 * np.eye(k * m)
            root = np.linalg.cholesky(joint)
            half = np.linalg.solve(root, effect.ravel())
            log = -0.5 * half @ half - np.log(np.diag(root)).sum()
            log += float(
                (
                    log_prior_tau(prior, np.array([tau]))
                    + log_prior_tau(prior, np.array([gamma]))
                )[0]
            ) + np.log(tau * gamma)
            pull = between @ design.T @ np.linalg.inv(joint)
            delta, spread = (
                pull @ effect.ravel(),
                np.diag(between - pull @ design @ between),
            )
            weight = np.exp(log)
            total, mean = total + weight, mean + weight * delta
            square, tau_gamma = (
                square + weight * (spread + delta**2),
                tau_gamma + weight * gamma,
            )
    mean = mean / total
    return mean, np.sqrt(square / total - mean**2), tau_gamma / total


def test_predictors_as_a_level_by_brute_force() -> None:
    effect = np.array([[1.0, 1.8], [0.1, -0.5]])
    sigma, prior = (
        np.array([[0.09, 0.04], [0.04, 0.16]]),
        Prior(mu_sd=2, tau_scale=1),
    )
    level = over_predictors(
        effect,
        Noise(np.diag(sigma), whole=sigma),
        prior,
        lambda x, s: normal(x, s, prior),
    )
    mean, sd, tau_gamma = by_brute_force(effect, sigma, prior)
    np.testing.assert_allclose(level.mean, mean, atol=2e-3)
    np.testing.assert_allclose(level.sd, sd, atol=2e-3)
    assert abs(float(level.weight @ level.tau_gamma) - tau_gamma) < 2e-3


def test_predictors_have_effects_of_their_own() -> None:
    effects = crossover(n=200, k=4, model=3)
    effects["ice"] = effects["ice"] + 0.5 * xr.DataArray(
        np.random.default_rng(1).normal(size=(4, 3)), dims=("contrast", "model")
    )
    estimates = estimate(effects)
    posterior = infer(estimates, rng=0)
    draws = posterior["posterior"]
    assert draws["ace_model"].dims == ("chain", "draw", "contrast", "task", "model")
    assert draws["tau_gamma"].dims == ("chain", "draw", "task")
    assert "retrainings" in draws.attrs["predictors"]
    # the error of the units, shared by the predictors
    error = draws["ace_model"] - estimates["ace"]
    np.testing.assert_allclose(error.std("model"), 0, atol=1e-9)
    # three predictors are few
    assert float(posterior["moments"]["sd"].min()) > float(estimates["se"].max())
    assert abs(float(draws["tau_gamma"].mean()) - 0.5) < 0.3


def test_predictors_that_agree_have_the_effect_that_was_measured() -> None:
    """Errors of the units are drawn about what was measured less the effect: by its
    negative, effects change sign.
    """
    effect, prior = (
        np.add.outer([10.0, -10.0, 5.0, 0.0], [0.0, 0.1, 0.2]),
        Prior(mu_sd=10, tau_scale=10),
    )
    level = over_predictors(
        effect, Noise(np.ones(4)), prior, lambda x, s: normal(x, s, prior)
    )
    drawn = level.draw(2_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.ace_model.mean(axis=0), effect, atol=0.6)


def test_the_fewest_degrees_of_freedom_say_whether_a_covariance_is_used_whole() -> None:
    table = from_effects([1.0, 2.0, 3.0], covariance=np.eye(3) + 0.5)
    del table.attrs["errors"]
    for fewest, whole in ((29.0, False), (30.0, True)):
        known = table.assign(
            df=(("contrast", "task"), np.array([[1e3], [fewest], [1e3]]))
        )
        assert (noises_of(known)[0].whole is not None) == whole


def test_predictors_as_a_level_are_decided_with_what_was_measured() -> None:
    effects = crossover(n=200, k=12, model=3)
    shift = xr.DataArray(
        np.random.default_rng(1).normal(size=(12, 3)), dims=("contrast", "model")
    )
    effects["ice"] = effects["ice"] + 0.5 * shift
    estimates = estimate(effects)
    estimates["control_sd"] = xr.full_like(estimates["ace"], 2.0)
    posterior = infer(estimates, rng=0)
    observed, constant = posterior["observed_data"], posterior["constant_data"]
    assert (
        constant["se"].dims
        == constant["n_units"].dims
        == observed["effect"].dims
        == ("contrast", "task")
    )
    np.testing.assert_allclose(observed["effect"], estimates["ace"].mean("model"))
    np.testing.assert_array_equal(observed["effect_model"], estimates["ace"])
    np.testing.assert_array_equal(constant["se_model"], estimates["se"])
    decisions = decide(posterior, rope="0.2 sd", ci_prob=0.99)
    np.testing.assert_allclose(decisions["ace"], estimates["ace"].mean("model"))
    between = estimates["ace"].var("model", ddof=1) / 3
    np.testing.assert_allclose(decisions["se"] ** 2, constant["se"] ** 2 + between)
    assert (decisions["n_units"] == 200).all()
    assert decisions["n_units"].dtype.kind == "i"
    assert decisions["exact"].dtype == bool
    np.testing.assert_allclose(decisions["rope_upper"], 0.4)
    undecided = decisions["verdict"] == "undecided"
    assert undecided.any()
    # predictors disagree on what is undecided, and units cannot help
    assert (decisions["more_units"] == -1).all()


def test_effects_where_the_prior_said_they_would_not_be_warn() -> None:
    with pytest.warns(DegenerateWarning):
        infer(
            from_effects([1e4, 1.1e4, 1.2e4], se=np.full(3, 1e3)), prior=Prior(), rng=0
        )
    with pytest.warns(DegenerateWarning):
        infer(from_effects([-900.0, 0.0, 900.0], se=np.ones(3)), prior=Prior(), rng=0)


def test_conflict_is_as_rare_as_it_says() -> None:
    generator, prior, noise = (
        np.random.default_rng(0),
        Prior(mu_sd=2, tau_scale=1),
        Noise(np.ones(6)),
    )
    seen = 0
    for _ in range(2_000):
        tau = abs(generator.normal())
        effect = (
            generator.normal(0, 2)
            + tau * generator.normal(size=6)
            + generator.normal(size=6)
        )
        seen += bool(prior_conflict(effect, noise, prior))
    # two checks at 1 %: at most 40 expected, 20 if they always coincide; 4 binomial sd
    assert 14 <= seen <= 66


def test_predictive_draws_are_as_wide_as_they_should_be() -> None:
    posterior = infer(schools(), rng=0)
    replicated = posterior_predictive(posterior, rng=1)
    effect = replicated["posterior_predictive"]["effect"].to_numpy().reshape(4_000, 8)
    total = np.sqrt(
        posterior["moments"]["sd"].to_numpy()[:, 0] ** 2 + SCHOOLS["sigma"] ** 2
    )
    assert (np.abs(effect.std(axis=0) / total - 1) < 4 / np.sqrt(8_000)).all()
    assert "posterior_predictive" not in tree_datasets(posterior)


@pytest.mark.parametrize(("slope", "share"), [(0.0, 0.0), (0.1, 0.05), (0.3, 1.0)])
def test_errors_that_grow_with_the_effects_are_said(slope: float, share: float) -> None:
    """False alarms where errors differ by themselves are rare, and so they are where
    the largest effects are exact.
    """
    rng, said = np.random.default_rng(5), 0
    for _ in range(20):
        truth = rng.normal(size=100)
        se = 0.1 + slope * np.abs(truth) if slope else np.exp(rng.normal(-1, 1, 100))
        said += errors_grow_with_effects(truth + se * rng.normal(size=100), se)
    assert said == 20 if share == 1 else said <= 1


def factorial() -> xr.Dataset:
    """Return estimates of two simple effects and their mean, with the weights that made
    them.
    """
    arms = ["none", "A", "B"]
    rows = [[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [-1.0, 0.5, 0.5]]
    table = from_effects([1.0, 2.0, 1.5], se=0.5, names=["A", "B", "mean"])
    table = table.assign_coords(
        arm=arms, sort=("contrast", ["simple", "simple", "mean"])
    )
    return table.assign(weight=(("contrast", "arm"), rows))


def test_contrasts_that_differ_in_kind_are_no_draws_of_one_law() -> None:
    mixed = factorial()
    with pytest.raises(EstimateError):
        infer(mixed, rng=0)
    assert infer(mixed, rng=0, exchangeable=True)["moments"]["mean"].shape == (3, 1)
    assert infer(mixed.isel(contrast=[0, 1]), rng=0)["moments"]["mean"].shape == (2, 1)


def test_one_effect_is_exchangeable_with_itself() -> None:
    assert (
        infer(schools().isel(contrast=[0]), exchangeable=False, rng=0)["moments"][
            "mean"
        ].size
        == 1
    )


@pytest.mark.parametrize("size", [0.8, 1.2, 1.6])
def test_the_tail_of_the_spread_is_chi_square_for_noise_of_one_size(
    size: float,
) -> None:
    effect, variance = (
        3.0 + size * np.array([-1.5, -0.5, 0.0, 0.2, 0.8, 1.0]),
        np.array([0.25, 0.5]),
    )
    squares = ((effect - effect.mean()) ** 2).sum()
    tails = stats.chi2.sf(squares / (variance + 0.3), 5)
    assert 0.001 < tails.min() < tails.max() < 0.95
    assert _spread_tail(effect, Noise(np.full(6, 0.3)), variance) == pytest.approx(
        tails.mean(), rel=1e-9
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_mean_that_the_prior_excludes_is_a_conflict_on_either_side(
    sign: float,
) -> None:
    effect = sign * np.array([29.0, 30.0, 31.0])
    assert prior_conflict(effect, Noise(np.ones(3)), Prior(mu_sd=3))
    assert prior_conflict(effect, Noise(np.ones(3)), Prior(mu_sd=30)) == ""


@pytest.mark.parametrize("least", [1e-170, 1e-320])
def test_a_standard_error_that_no_unit_holds_with_the_others_is_left_out(
    least: float,
) -> None:
    table = from_effects(
        [0.5, 1.0, -0.5, least], [1.0, 1.0, 1.0, least], names=list("abcd")
    )
    left = infer(table.drop_sel(contrast="d"), rng=0)["moments"]["mean"]
    other = from_effects([0.5, 1.0, -0.5], [1.0, 1.0, 1.0], names=list("abc"))
    np.testing.assert_array_equal(left, infer(other, rng=0)["moments"]["mean"])


def test_standard_errors_that_another_unit_holds_are_inferred_in_it() -> None:
    effects, se = np.array([3e-2, 1e-150, -2e-2]), np.array([1e-2, 1e-151, 1e-2])
    found = infer(from_effects(effects * 100, se * 100), rng=0)["moments"]["mean"]
    assert np.isfinite(found).all()


def test_patterns_of_shared_errors_point_where_the_errors_add_up() -> None:
    """What remains of the loadings beside a common level, summed over errors, is
    nowhere against a pattern.
    """
    for seed in range(8):
        loadings = np.random.default_rng(seed).normal(size=(40, 3))
        patterns = shared_patterns(Noise(np.ones(40), loadings=loadings))
        assert patterns is not None
        rest = loadings - loadings.mean(axis=0)
        assert (patterns.T @ rest.sum(axis=1) > 0).all()


def test_growth_that_chance_may_give_is_not_taken_for_growth() -> None:
    """Squares less squared errors that rise with the errors at p of .002 to .4, by
    scipy's rank correlation.
    """
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        se = rng.uniform(0.5, 1.5, 100)
        effect = rng.normal(size=100) * np.sqrt(1 + 2 * se**2)
        p = stats.spearmanr(se, effect**2 - se**2, alternative="greater").pvalue
        found += [errors_grow_with_effects(effect, se)] if 0.002 < p < 0.4 else []
    assert len(found) > 5
    assert sum(found) <= 2
    effect = np.where(se > 1, 3 * rng.normal(size=100), 0.0) + se * rng.normal(size=100)
    assert errors_grow_with_effects(effect, se)


def test_errors_given_their_sum_are_those_of_the_whole_covariance() -> None:
    """Loadings and their covariance as one matrix: the same regression, and draws of
    that covariance.
    """
    rng = np.random.default_rng(0)
    variances, loadings = rng.uniform(0.1, 0.6, 5), rng.normal(0, 0.7, (5, 2))
    covariance = np.diag(variances) + loadings @ loadings.T
    low, whole = (
        Noise(variances, loadings),
        Noise(np.diagonal(covariance).copy(), whole=covariance),
    )
    missing = rng.normal(size=(3, 5))
    expected = missing @ np.linalg.solve(covariance + 0.4 * np.eye(5), covariance)
    np.testing.assert_allclose(_regress_on_sum(missing, low, 0.4), expected, rtol=1e-9)
    np.testing.assert_allclose(
        _regress_on_sum(missing, whole, 0.4), expected, rtol=1e-9
    )
    own = _regress_on_sum(missing, Noise(variances), 0.4)
    np.testing.assert_allclose(own, missing * variances / (variances + 0.4), rtol=1e-12)
    sd = np.sqrt(np.diagonal(covariance))
    for noise in (low, whole):
        drawn = np.cov(draw_errors(noise, 40_000, rng), rowvar=False)
        np.testing.assert_allclose(
            (drawn - covariance) / np.outer(sd, sd), 0, atol=4.5 * np.sqrt(2 / 40_000)
        )


def test_one_whole_covariance_among_the_families_asks_for_the_normal_law() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(40, 40)) / 8
    both = np.stack([np.eye(40), np.eye(40) + root @ root.T], axis=-1)
    names = {"contrast": [f"c{i}" for i in range(40)], "task": ["alone", "correlated"]}
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), rng.normal(0, 2, (40, 2))),
            "se": (("contrast", "task"), np.sqrt(np.moveaxis(np.diagonal(both), 0, 1))),
            "covariance": (("contrast", "contrast_", "task"), both),
        },
        coords=names | {"contrast_": names["contrast"]},
        attrs={"errors": "known"},
    )
    law = [
        infer(x, n_draws=400, rng=0)["posterior"].attrs["law"]
        for x in (table, table.isel(task=[0]))
    ]
    assert law == ["normal", "two_scales"]


def test_unshrunken_intervals_are_those_of_each_estimate_alone() -> None:
    effect, se = np.array([1.0, -2.0, 0.5]), np.array([0.5, 1.5, 3.0])
    moments = infer(from_effects(effect, se=se), n_draws=400, rng=0)["moments"]
    z = stats.norm.isf(0.025)
    np.testing.assert_allclose(
        moments["lower_unshrunken"].to_numpy().ravel(), effect - z * se
    )
    np.testing.assert_allclose(
        moments["upper_unshrunken"].to_numpy().ravel(), effect + z * se
    )


def test_labels_of_a_contrast_in_a_task_of_a_predictor_stay_and_those_of_other_dims_do_not() -> (
    None
):
    shape, dims = (2, 3, 2), ("contrast", "task", "model")
    label = np.arange(12).reshape(shape)
    estimates = xr.Dataset(
        {"ace": (dims, np.zeros(shape))},
        coords={
            "whole": (dims, label),
            "site": ("contrast", [4, 5]),
            "size": ("arm", [1, 2, 3]),
            "assay": "MPRA",
        },
    )
    kept = result_coordinates(estimates, ())
    assert set(kept) == {"whole", "site"}
    np.testing.assert_array_equal(kept["whole"], label)


def test_the_law_is_that_of_decide() -> None:
    """Placebos and effects of no kind are left out, and kinds are not mixed."""
    rng = np.random.default_rng(1)
    estimates = from_effects(rng.normal(size=36), se=0.5)
    kinds = np.array(["word"] * 12 + [""] * 12 + ["placebo"] * 12)
    marked = estimates.assign_coords(
        exchangeable=("contrast", kinds), is_placebo=("contrast", kinds == "placebo")
    )
    found = infer(marked, rng=0)["moments"]["mean"].to_numpy()
    decided = cg.decide(marked, rope=(-1, 1))["shrunken"].to_numpy()
    np.testing.assert_allclose(found, decided, rtol=1e-9)
    assert np.isfinite(found[:12]).all()
    assert np.isnan(found[12:]).all()
    two = estimates.assign_coords(exchangeable=("contrast", [*"ab"] * 18))
    with pytest.raises(EstimateError):
        infer(two, rng=0)


def test_rows_without_an_error_are_no_observations() -> None:
    rng = np.random.default_rng(0)
    table = {"contrast": [*"abcdefghijkl"] * 2, "task": ["x"] * 12 + ["y"] * 12}
    estimates = from_effects(
        pd.DataFrame(table | {"effect": rng.normal(size=24), "se": 0.5})
    )
    estimates["se"][:, 1] = 0.0  # a dead task
    estimates["se"][0, 0] = 0.0
    found = infer(estimates, rng=0)
    observed = found["log_likelihood"]["effect"]
    assert observed.sizes["observation"] == 11
    assert np.isfinite(observed).all()
    assert "n/a" not in cg.report(found)
    decided = cg.decide(found, rope=(-1, 1))["shrunken"]
    assert int(np.isfinite(decided).sum()) == 11
