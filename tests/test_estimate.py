from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from scipy import stats
from student import assert_alike, assert_holds_t, of_t

from causalgia.effects import contrast
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
)
from causalgia.estimation import covariance, estimate
from causalgia.estimation.crossover import crossed_mean, mean_ice
from causalgia.estimation.parallel import clustered, fit_arms
from causalgia.estimation.parallel_estimates import block_effects, rounded_block_effects
from causalgia.estimation.standard_errors import regress
from causalgia.numerics.moments import skewness

COLUMNS = ("ace", "se", "df", "p", "log_p", "lower", "upper", "skewness", "leverage")


def crossover(
    n: int = 40,
    n_arms: int = 3,
    *,
    seed: int = 0,
    parents: int | None = None,
    tasks: int = 2,
    **attrs: Any,
) -> xr.Dataset:
    """Outcomes with unit, arm and parent effects; parents are balanced."""
    rng = np.random.default_rng(seed)
    parent = np.arange(n) % (parents or n)
    y = (
        rng.exponential(size=(n, n_arms, tasks))
        + rng.normal(size=(parent.max() + 1, n_arms, 1))[parent]
    )
    y += rng.normal(size=(n, 1, tasks))
    coords = {
        "unit": np.arange(n),
        "arm": ["control", *(f"arm{i}" for i in range(1, n_arms))],
        "task": [f"task{i}" for i in range(tasks)],
        "parent": ("unit", [f"p{p}" for p in parent]),
    }
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords=coords,
        attrs={"scale": "counts"} | attrs,
    )


def effects_of(outcomes: xr.Dataset) -> xr.Dataset:
    return contrast(outcomes, control="control")


def parallel(
    n: int = 60,
    n_arms: int = 2,
    *,
    seed: int = 0,
    parents: int | None = None,
    blocks: int = 0,
) -> xr.Dataset:
    """A randomized trial with unequal arms; a covariate x, a second one z."""
    rng = np.random.default_rng(seed)
    whole = crossover(n, n_arms, seed=seed, parents=parents, tasks=1)
    arm = np.concatenate(
        [
            np.arange(n) // max(blocks, 1) % n_arms
            if blocks
            else np.minimum(np.arange(n) % (n_arms + 1), n_arms - 1)
        ]
    )
    y = whole["outcome"].to_numpy()[np.arange(n), arm]
    x = rng.normal(size=(n, 2)) + y[:, 0, None] * [0.5, 0.0]
    coords = {
        "assigned": ("unit", whole["arm"].to_numpy()[arm]),
        "x": ("unit", x[:, 0]),
        "z": ("unit", x[:, 1]),
    }
    if blocks:
        coords["block"] = ("unit", [f"b{i % blocks}" for i in range(n)])
    return xr.Dataset(
        {"outcome": (("unit", "task"), y)},
        coords=dict(whole.coords) | coords,
        attrs=whole.attrs,
    )


def same(a: xr.Dataset, b: xr.Dataset, **tolerance: float) -> None:
    for name in COLUMNS:
        np.testing.assert_allclose(
            a[name], b[name], err_msg=name, **({"rtol": 1e-9} | tolerance)
        )


def test_the_table_has_every_column_and_says_what_it_is() -> None:
    estimates = estimate(effects_of(crossover(null="peaks")))
    assert set(COLUMNS) | {
        "exact",
        "largest_ice",
        "n_units",
        "p_t",
        "n_clusters",
        "covariance",
        "weight",
        "control_sd",
    } == set(estimates.data_vars)
    assert estimates["ace"].dims == ("contrast", "task")
    assert estimates["covariance"].dims == ("contrast", "contrast_", "task")
    assert estimates.attrs["target"] == "population"
    assert estimates.attrs["cluster"] == "unit"
    assert all(isinstance(value, str | float) for value in estimates.attrs.values())


def test_models_are_estimated_each() -> None:
    outcomes = crossover().expand_dims(model=["a", "b"], axis=-1)
    outcomes["outcome"] = outcomes["outcome"] * xr.DataArray([1.0, 2.0], dims="model")
    estimates = estimate(effects_of(outcomes))
    assert estimates["covariance"].dims == ("contrast", "contrast_", "task", "model")
    np.testing.assert_allclose(
        estimates["se"].sel(model="b"), 2 * estimates["se"].sel(model="a")
    )


def test_the_interval_is_the_union_of_the_t_interval_and_halls() -> None:
    effects = effects_of(crossover())
    estimates, ice = estimate(effects, ci_prob=0.9), effects["ice"].to_numpy()
    theirs = stats.ttest_1samp(ice, 0)
    p, low, high = of_t(estimates, 0.9)
    np.testing.assert_allclose(p, theirs.pvalue, rtol=1e-9)
    np.testing.assert_allclose(estimates["p_t"], theirs.pvalue, rtol=1e-9)
    np.testing.assert_allclose(low, theirs.confidence_interval(0.9).low, rtol=1e-9)
    np.testing.assert_allclose(estimates["skewness"], stats.skew(ice), rtol=1e-9)
    # Hall's limits: t solves g(t) = t + a t^2 / 3 + a^2 t^3 / 27 + a / 6 = -+q
    a = stats.skew(ice) / np.sqrt(len(ice))
    q = stats.t.ppf(0.95, len(ice) - 1)
    ends = [3 / a * (np.cbrt(1 + a * (sign * q - a / 6)) - 1) for sign in (1, -1)]
    assert (np.abs(ends) < 4).all()
    se = stats.sem(ice)
    np.testing.assert_allclose(
        estimates["lower"], np.minimum(low, ice.mean(0) - ends[0] * se), rtol=1e-9
    )
    np.testing.assert_allclose(
        estimates["upper"], np.maximum(high, ice.mean(0) - ends[1] * se), rtol=1e-9
    )
    t = theirs.statistic
    g = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    one_sided = [
        np.maximum(stats.t.sf(sign * t, 39), stats.t.sf(sign * g, 39))
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(
        estimates["p"], np.minimum(2 * np.minimum(*one_sided), 1), rtol=1e-9
    )
    assert_holds_t(estimates, 0.9)


def test_symmetric_contributions_have_the_t_interval() -> None:
    ice = np.random.default_rng(0).normal(size=(20, 2, 1))
    ice = 0.2 + np.concatenate([ice, -ice])
    estimates = estimate(xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}))
    theirs = stats.ttest_1samp(ice, 0)
    interval = theirs.confidence_interval(0.95)
    np.testing.assert_allclose(estimates["p"], theirs.pvalue, rtol=1e-9)
    np.testing.assert_allclose(estimates["lower"], interval.low, rtol=1e-9)
    np.testing.assert_allclose(estimates["upper"], interval.high, rtol=1e-9)


def test_leverage_is_the_largest_share_of_the_variance() -> None:
    effects = effects_of(crossover())
    estimates, ice = estimate(effects), effects["ice"].to_numpy()
    squares = (ice - ice.mean(axis=0)) ** 2
    np.testing.assert_allclose(
        estimates["leverage"], squares.max(axis=0) / squares.sum(axis=0), rtol=1e-9
    )


@pytest.mark.simulation
@given(st.permutations(range(40)))
def test_the_order_of_units_changes_nothing(order: list[int]) -> None:
    effects = effects_of(crossover(parents=20))
    same(estimate(effects), estimate(effects.isel(unit=order)))


@pytest.mark.simulation
@given(st.permutations(range(60)), st.sampled_from(["plain", "lin", "block"]))
def test_the_order_of_units_changes_nothing_in_a_parallel_trial(
    order: list[int], kind: str
) -> None:
    effects = effects_of(
        parallel(
            blocks=20 if kind == "block" else 0, parents=30 if kind == "lin" else None
        )
    )
    covariates = "x" if kind == "lin" else None
    same(
        estimate(effects, covariates=covariates),
        estimate(effects.isel(unit=order), covariates=covariates),
    )


def test_relabeling_arms_flips_signs() -> None:
    outcomes = crossover(n_arms=2, parents=20)
    there, back = (
        estimate(effects_of(outcomes)),
        estimate(contrast(outcomes, control="arm1")),
    )
    np.testing.assert_array_equal(there["ace"], -back["ace"])
    np.testing.assert_array_equal(there["lower"], -back["upper"])
    np.testing.assert_array_equal(there["p"], back["p"])


@pytest.mark.parametrize("target", ["population", "parents"])
def test_adding_an_arm_changes_no_other_contrast(target: str) -> None:
    outcomes = crossover(n_arms=4, parents=20)
    few = estimate(effects_of(outcomes.isel(arm=[0, 1, 2])), target=target)
    many = estimate(effects_of(outcomes), target=target).sel(contrast=few["contrast"])
    same(few, many)


def test_adding_an_arm_to_a_parallel_trial_changes_no_other_contrast() -> None:
    more = effects_of(parallel(n_arms=3))
    assigned = more["assigned"].isin(["control", "arm1"]).to_numpy()
    fewer = more.isel(unit=assigned, contrast=[0])
    same(estimate(fewer), estimate(more).isel(contrast=[0]))


@pytest.mark.parametrize("cluster", ["auto", "none"])
def test_an_offset_costs_no_digits(cluster: str) -> None:
    rng = np.random.default_rng(1)
    # exact in binary, also after adding 1e6
    ice = rng.integers(-512, 512, size=(40, 3, 1)) / 64
    parents = ("unit", np.arange(40) % 20)

    def at(offset: float) -> xr.Dataset:
        return estimate(
            xr.Dataset(
                {"ice": (("unit", "contrast", "task"), ice + offset)},
                {"parent": parents},
            ),
            cluster=cluster,
        )

    near, far = at(0.0), at(1e6)
    for name in ("se", "df", "skewness", "leverage", "covariance"):
        np.testing.assert_allclose(far[name], near[name], rtol=1e-13)
    np.testing.assert_allclose(far["ace"] - 1e6, near["ace"], atol=1e-9)


@pytest.mark.parametrize("covariates", [None, "x"])
def test_an_offset_costs_no_digits_in_a_parallel_trial(covariates: str | None) -> None:
    effects = effects_of(parallel())
    effects["outcome"] = (effects["outcome"] * 1024).round() / 1024
    shifted = effects.assign(outcome=effects["outcome"] + 2.0**20)
    for name in ("ace", "se", "df", "p"):
        there, here = (
            estimate(e, covariates=covariates)[name] for e in (shifted, effects)
        )
        np.testing.assert_allclose(there, here, rtol=1e-11)


def test_huge_and_tiny_effects_stay_finite() -> None:
    ice = (
        np.random.default_rng(0).normal(size=(30, 1, 1))
        * np.array([1e160, 1e-170])[None, :, None]
    )
    with np.errstate(over="ignore"):
        e = mean_ice(ice)
    np.testing.assert_allclose(e.se[0, 0] / 1e160, e.se[1, 0] / 1e-170)


def test_factor_and_covariance_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for effects in (effects_of(crossover(parents=20)), effects_of(parallel(n_arms=3))):
        whole = estimate(effects)
        monkeypatch.setattr("causalgia.estimation._estimate.MAX_COVARIANCE", 1)
        factored = estimate(effects)
        monkeypatch.undo()
        assert "covariance" not in factored
        assert factored["factor"].dims == ("cluster", "contrast", "task")
        np.testing.assert_allclose(covariance(factored), covariance(whole), rtol=1e-12)
        block = covariance(factored, ["arm2", "arm1"])
        np.testing.assert_allclose(
            block, covariance(whole, ["arm2", "arm1"]), rtol=1e-12
        )
        assert block["contrast_"].values.tolist() == ["arm2", "arm1"]
        for held in (factored, whole):
            one = covariance(held, "arm2")
            assert one.sizes["contrast"] == one.sizes["contrast_"] == 1
            np.testing.assert_allclose(
                one[0, 0], whole["se"].sel(contrast="arm2") ** 2, rtol=1e-12
            )
        diagonal = np.einsum("kkt->kt", covariance(whole).to_numpy())
        np.testing.assert_allclose(diagonal, whole["se"] ** 2, rtol=1e-12)


def test_many_contrasts_never_form_their_covariance() -> None:
    ice = np.random.default_rng(0).normal(size=(50, 600, 1))
    estimates = estimate(xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}))
    assert "covariance" not in estimates
    np.testing.assert_allclose(
        covariance(estimates, [3, 5])[..., 0],
        np.cov(ice[:, [3, 5], 0].T) / 50,
        rtol=1e-9,
    )


def test_a_shared_control_correlates_parallel_contrasts() -> None:
    effects = effects_of(parallel(n_arms=3))
    y, assigned = effects["outcome"].to_numpy()[:, 0], effects["assigned"].to_numpy()
    control = y[assigned == "control"]
    np.testing.assert_allclose(
        covariance(estimate(effects))[0, 1, 0],
        control.var(ddof=1) / len(control),
        rtol=1e-12,
    )


def test_parents_cluster_by_default_only_where_they_are_shared() -> None:
    assert estimate(effects_of(crossover()))["n_clusters"].max() == 40
    shared = effects_of(crossover(parents=20))
    assert estimate(shared).attrs["cluster"] == "parent"
    assert estimate(shared)["n_clusters"].max() == 20
    naive = estimate(shared, cluster="none")
    assert naive.attrs["cluster"] == "unit"
    assert (naive["se"] < estimate(shared)["se"]).all()


def test_any_coordinate_can_be_the_cluster() -> None:
    effects = effects_of(crossover(parents=20))
    same(estimate(effects.rename(parent="locus"), cluster="locus"), estimate(effects))


def test_the_arm_by_arm_variance_is_that_of_the_saturated_regression() -> None:
    rng = np.random.default_rng(3)
    n, x = 60, rng.normal(size=(60, 2))
    x -= x.mean(axis=0)
    arm, cluster, Y = rng.integers(0, 2, n), np.arange(n) % 12, rng.normal(size=(n, 2))
    D = arm[:, None]
    joint = regress(np.hstack([np.ones((n, 1)), D, x, D * x]), Y, np.eye(6)[1], cluster)
    apart = clustered(
        fit_arms(Y, arm, [0, 1], cluster=cluster, covariates=x),
        np.array([[-1.0, 1.0]]),
        12,
    )
    np.testing.assert_allclose(apart.ace[0], joint.estimate, rtol=1e-9)
    np.testing.assert_allclose(apart.se[0], joint.se, rtol=1e-9)
    np.testing.assert_allclose(apart.df[0], joint.df, rtol=1e-9)


def test_fewer_than_twenty_clusters_warn_and_one_is_refused() -> None:
    with pytest.warns(DegenerateWarning) as caught:
        estimate(effects_of(crossover(parents=8)))
    assert caught[0].filename == __file__
    arm = parallel(parents=30)
    arm["parent"] = ("unit", np.where(arm["assigned"] == "arm1", "p0", arm["parent"]))


def test_whole_numbers_name_clusters() -> None:
    effects = effects_of(crossover())
    number = np.arange(40) // 2
    by_name = estimate(
        effects.assign_coords(plate=("unit", number.astype(str))), cluster="plate"
    )
    for dtype in (int, float, object):
        same(
            estimate(
                effects.assign_coords(plate=("unit", number.astype(dtype))),
                cluster="plate",
            ),
            by_name,
        )


def test_parents_as_strata() -> None:
    effects = effects_of(crossover(parents=10))
    estimates, ice = estimate(effects, target="parents"), effects["ice"].to_numpy()
    by_parent = ice.reshape(4, 10, *ice.shape[1:])
    v = by_parent.var(axis=0, ddof=1) / 4 / 100
    np.testing.assert_allclose(estimates["se"] ** 2, v.sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(
        estimates["df"], v.sum(axis=0) ** 2 / (v**2 / 3).sum(axis=0), rtol=1e-9
    )


def test_weights_by_cluster() -> None:
    effects = effects_of(crossover(n=50, parents=20))
    means = effects["ice"].groupby("parent").mean()
    for target in ("population", "parents", "units"):
        estimates = estimate(effects, weights="clusters", target=target)
        np.testing.assert_allclose(estimates["ace"], means.mean("parent"), rtol=1e-12)


def test_these_units_of_a_deterministic_crossover_are_known_exactly() -> None:
    effects = effects_of(crossover())
    estimates = estimate(effects, target="units")
    assert estimates["exact"].all()
    assert (estimates["se"] == 0).all()
    assert not {"p", "lower", "upper"} & set(estimates.variables)  # nothing is sampled
    np.testing.assert_allclose(estimates["ace"], effects["ice"].mean("unit"))
    assert estimate(effects.isel(unit=[0]), target="units")["exact"].all()


def test_a_random_arm_needs_several_draws_of_a_unit() -> None:
    outcomes = crossover(parents=20).assign_coords(random=("arm", [False, True, False]))
    outcomes.attrs["null_kind"] = "genomic"
    effects = effects_of(outcomes)
    estimates = estimate(effects, target="units")
    same_as = estimate(effects, target="parents")
    np.testing.assert_allclose(
        estimates["se"].sel(contrast="arm1"), same_as["se"].sel(contrast="arm1")
    )
    assert estimates["exact"].sel(contrast="arm2").all()
    assert not estimates["exact"].sel(contrast="arm1").any()


def with_models(n_models: int = 6, **choices: Any) -> xr.Dataset:
    effects = effects_of(crossover(tasks=1, **choices))
    rng = np.random.default_rng(5)
    shift = xr.DataArray(rng.normal(size=(2, n_models)), dims=("contrast", "model"))
    noise = xr.DataArray(
        rng.normal(size=(40, 2, 1, n_models)),
        dims=("unit", "contrast", "task", "model"),
    )
    ice = (effects["ice"] + shift + noise).transpose(
        "unit", "contrast", "task", "model"
    )
    return effects.drop_vars(["ice", "constant", "zero"]).assign(ice=ice)


def test_predictors_as_a_second_population() -> None:
    effects = with_models()
    estimates = estimate(effects, target="population x predictors")
    assert estimates["se"].dims == ("contrast", "task")
    assert (estimates["se"] > estimate(effects)["se"].mean("model")).all()
    diagonal = np.einsum("kkt->kt", covariance(estimates).to_numpy())
    np.testing.assert_allclose(diagonal, estimates["se"] ** 2, rtol=1e-12)
    by_parent = estimate(with_models(parents=20), target="population x predictors")
    assert by_parent["n_clusters"].max() == 20
    of_means = estimate(
        with_models(parents=20), target="population x predictors", weights="clusters"
    )
    # balanced parents
    np.testing.assert_allclose(of_means["ace"], by_parent["ace"], rtol=1e-9)


def test_crossed_mean_is_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=(12, 5)) + rng.normal(size=(12, 1)) + rng.normal(size=(1, 5))
    rows, columns = y.mean(axis=1), y.mean(axis=0)
    between_rows, between_columns = 5 * rows.var(ddof=1), 12 * columns.var(ddof=1)
    rest = ((y - rows[:, None] - columns + y.mean()) ** 2).sum() / 44
    answer = crossed_mean(y)
    total = between_rows + between_columns - rest
    np.testing.assert_allclose(answer.se**2, total / 60, rtol=1e-9)
    df = total**2 / (between_rows**2 / 11 + between_columns**2 / 4 + rest**2 / 44)
    np.testing.assert_allclose(answer.df, df, rtol=1e-9)
    np.testing.assert_allclose(crossed_mean(y, np.arange(12)).se, answer.se)


def test_three_arms_in_one_contrast_have_welch_df() -> None:
    outcomes = parallel(n_arms=3)
    weights = {"control": -1.0, "arm1": 0.5, "arm2": 0.5}
    estimates = estimate(contrast(outcomes, contrasts={"mean": weights}))
    y, assigned = outcomes["outcome"].to_numpy()[:, 0], outcomes["assigned"].to_numpy()
    groups = [y[assigned == a] for a in weights]
    v = np.array(
        [
            w**2 * g.var(ddof=1) / len(g)
            for w, g in zip(weights.values(), groups, strict=True)
        ]
    )
    np.testing.assert_allclose(estimates["se"].item(), np.sqrt(v.sum()), rtol=1e-9)
    df = v.sum() ** 2 / sum(v**2 / [len(g) - 1 for g in groups])
    np.testing.assert_allclose(estimates["df"].item(), df, rtol=1e-9)
    assert estimates["n_units"].item() == 60
    third = sum(
        w**3 * stats.moment(g, 3) / len(g) ** 2
        for w, g in zip(weights.values(), groups, strict=True)
    )
    second = sum(
        w**2 * g.var() / len(g) for w, g in zip(weights.values(), groups, strict=True)
    )
    np.testing.assert_allclose(
        estimates["skewness"].item(), np.sqrt(60) * third / second**1.5, rtol=1e-9
    )
    largest = max(
        w**2 * np.max((g - g.mean()) ** 2) / len(g) / (len(g) - 1)
        for w, g in zip(weights.values(), groups, strict=True)
    )
    np.testing.assert_allclose(
        estimates["leverage"].item(), largest / v.sum(), rtol=1e-9
    )


def test_blocks_drawn_are_the_clusters() -> None:
    outcomes = parallel(n=80, blocks=20)
    effects = effects_of(outcomes)
    estimates = estimate(effects)
    frame = outcomes["outcome"].isel(task=0).to_dataframe()
    means = frame.groupby(["block", "assigned"])["outcome"].mean().unstack()
    theirs = stats.ttest_rel(means["arm1"], means["control"])
    np.testing.assert_allclose(
        estimates["ace"].item(), (means["arm1"] - means["control"]).mean()
    )
    np.testing.assert_allclose(of_t(estimates)[0].item(), theirs.pvalue)
    assert_holds_t(estimates)
    assert (estimates["n_clusters"].item(), estimates["n_units"].item()) == (20, 80)
    assert estimates.attrs["cluster"] == "block"
    same(estimates, estimate(effects.rename(block="cell"), block="cell"))
    same(estimates, estimate(effects, cluster="none"))


def test_blocks_nested_in_parents_are_clustered_by_parent() -> None:
    outcomes = parallel(n=160, blocks=40)
    block = np.arange(160) % 40
    outcomes = outcomes.assign_coords(parent=("unit", block // 2))
    effects = effects_of(outcomes)
    estimates = estimate(effects)
    arm = (outcomes["assigned"] == "arm1").to_numpy().astype(int)
    inside = block_effects(
        outcomes["outcome"].to_numpy(), arm, block, np.array([[-1.0, 1.0]])
    )
    np.testing.assert_allclose(
        estimates["se"], mean_ice(inside, np.arange(40) // 2).se, rtol=1e-9
    )
    assert estimates.attrs["cluster"] == "parent"
    assert (
        estimate(effects.assign_coords(parent=("unit", np.arange(160) % 80))).attrs[
            "cluster"
        ]
        == "block"
    )


def test_parallel_parents_are_blocks() -> None:
    effects = effects_of(parallel(n=120, blocks=15))
    swapped = effects.drop_vars("parent").rename(block="parent")
    of_parents, of_units = (
        estimate(swapped, target="parents"),
        estimate(effects, target="units"),
    )
    for name in ("ace", "se", "df", "skewness", "leverage"):
        np.testing.assert_allclose(of_parents[name], of_units[name], rtol=1e-9)
    # of exactly these units there is no skewness of other samples: t alone
    for found, limit in zip(
        of_t(of_units), (of_units[c] for c in ("p", "lower", "upper")), strict=True
    ):
        np.testing.assert_allclose(limit, found, rtol=1e-9)
    assert of_parents["skewness"].item() != 0
    assert_holds_t(of_parents)


def test_lin_with_clusters_of_one_is_lin_without() -> None:
    effects = effects_of(parallel(n=200, n_arms=3)).assign_coords(
        single=("unit", np.arange(200))
    )
    plain, single = (
        estimate(effects, cluster=c, covariates=("x", "z")) for c in ("none", "single")
    )
    np.testing.assert_allclose(plain["ace"], single["ace"], rtol=1e-9)
    # only the cross term of HC2 weights differs
    np.testing.assert_allclose(plain["se"], single["se"], rtol=0.02)


def test_zero_spread_is_exact() -> None:
    outcomes = crossover(tasks=1)
    outcomes["outcome"][:] = (
        np.array([1.1, 1.1, 1.4])[:, None] + np.arange(40)[:, None, None]
    )
    with pytest.warns(
        DegenerateWarning,
    ):
        estimates = estimate(effects_of(outcomes))
    assert estimates["exact"].all()
    assert (estimates["se"] == 0).all()
    assert estimates["ace"].values[0, 0] == 0.0
    np.testing.assert_allclose(estimates["ace"].values[1, 0], 0.3)
    assert_alike(estimates)
    for name in COLUMNS:
        assert np.isfinite(estimates[name]).all(), name
    assert (covariance(estimates) == 0).all()


@pytest.mark.parametrize(
    "choice", [{}, {"target": "units"}, {"covariates": "x"}, {"cluster": "pair"}]
)
def test_a_constant_predictor_in_a_parallel_trial(choice: dict[str, Any]) -> None:
    effects = effects_of(parallel(seed=4)).assign_coords(
        pair=("unit", np.arange(60) // 2)
    )
    effects["outcome"][:] = 0.1
    with pytest.warns(DegenerateWarning):
        estimates = estimate(effects, **choice)
    assert estimates["exact"].all()
    assert estimates["p"].item() == 1.0
    for name in ("ace", "se", "df", "p", "log_p", "skewness", "leverage"):
        assert np.isfinite(estimates[name]).all(), name
    assert estimates["lower"].item() == estimates["upper"].item() == 0


def test_blocks_and_strata_without_spread() -> None:
    effects = effects_of(parallel(n=80, blocks=20))
    effects["outcome"][:] = 0.1
    for choice in ({}, {"target": "units"}):
        with pytest.warns(DegenerateWarning):
            assert np.isfinite(estimate(effects, **choice)["df"]).all()
    flat = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.full((6, 1, 1), 0.1))},
        {"parent": ("unit", [0, 0, 0, 1, 1, 1])},
    )
    with pytest.warns(DegenerateWarning):
        assert estimate(flat, target="parents")["exact"].all()


def test_a_spread_within_rounding_is_none_but_a_real_one_stays() -> None:
    y = (
        np.random.default_rng(0).normal(size=(50, 1, 1)) * 100
        + np.array([0.0, 0.1])[None, :, None]
    )
    outcomes = crossover(n=50, n_arms=2, tasks=1).assign(
        outcome=(("unit", "arm", "task"), y)
    )
    assert np.ptp(effects_of(outcomes)["ice"].to_numpy()) > 0
    with pytest.warns(DegenerateWarning):
        assert estimate(effects_of(outcomes))["exact"].all()
    outcomes["outcome"][0, 1] += 1e-9  # less than a billionth of the outcomes
    with pytest.warns(DegenerateWarning):
        assert estimate(effects_of(outcomes))["exact"].all()
    outcomes["outcome"][0, 1] += 1e-6
    assert not estimate(effects_of(outcomes))["exact"].any()


def test_one_unit_has_an_effect_and_no_standard_error() -> None:
    effects = effects_of(crossover(n=1))
    with pytest.warns(DegenerateWarning):
        estimates = estimate(effects)
    np.testing.assert_array_equal(estimates["ace"], effects["ice"].isel(unit=0))
    assert set(estimates.data_vars) == {"ace", "n_units", "weight"}


def test_small_p_values_are_kept() -> None:
    ice = 1000 + np.random.default_rng(0).normal(size=(60, 1, 1))
    p = estimate(xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}))["p"].item()
    assert 1e-300 < p < 1e-100


@pytest.mark.simulation
@given(st.integers(2, 6), st.integers(2, 30), st.booleans())
def test_nothing_that_is_not_finite_travels(
    parents: int, n: int, constant: bool
) -> None:
    outcomes = crossover(n=max(n, parents), parents=parents)
    if constant:
        outcomes["outcome"][:] = 1.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cluster in ("auto", "none"):
            estimates = estimate(effects_of(outcomes), cluster=cluster)
            for name in (*COLUMNS, "covariance"):
                assert np.isfinite(estimates[name]).all(), name


def one_outcome(y: np.ndarray, arm: np.ndarray, **coords: Any) -> xr.Dataset:
    coords = {name: ("unit", value) for name, value in coords.items()}
    coords |= {"unit": np.arange(len(y)), "arm": ["control", "arm1"], "task": ["t"]}
    coords["assigned"] = ("unit", np.array(["control", "arm1"])[arm])
    return effects_of(
        xr.Dataset(
            {"outcome": (("unit", "task"), y[:, None])}, coords, {"scale": "counts"}
        )
    )


PARALLEL = np.arange(80) % 2


ROUNDED: dict[str, dict[str, Any]] = {
    "welch": {},
    "these units": {"target": "units"},
    "clusters": {"cluster": "pair"},
    "blocks drawn": {"block": "cell"},
    "blocks fixed": {"block": "cell", "target": "units"},
    "lin": {"covariates": "x"},
    "lin, these units": {"covariates": "x", "target": "units"},
    "lin, clusters": {"covariates": "x", "cluster": "pair"},
}


@pytest.mark.parametrize("choice", ROUNDED.values(), ids=ROUNDED)
@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_one_unit_in_the_last_place_is_no_effect(
    choice: dict[str, Any], effect: float
) -> None:
    rng = np.random.default_rng(0)
    y = (
        np.where((PARALLEL == 1) & (rng.random(80) < 0.9), 0.1 + 0.2, 0.3)
        + effect * PARALLEL
    )
    effects = one_outcome(
        y,
        PARALLEL,
        x=rng.normal(size=80),
        pair=np.arange(80) // 4,
        cell=np.arange(80) // 8,
    )
    with pytest.warns(DegenerateWarning):
        estimates = estimate(effects, **choice)
    assert estimates["exact"].item()
    np.testing.assert_allclose(estimates["ace"].item(), effect, rtol=1e-14, atol=0)
    if effect == 0 or choice.get("target") == "units":
        assert_alike(estimates)
    else:  # .3 and 1.3 are two values, as 0 and 1 are
        with pytest.warns(DegenerateWarning):
            as_0_1 = estimate(
                effects.assign(outcome=effects["outcome"].round()), **choice
            )
        for name in ("lower", "upper"):
            np.testing.assert_allclose(estimates[name], as_0_1[name], rtol=1e-9)
    assert estimates["skewness"].item() == 0
    noisy = effects.assign(
        outcome=effects["outcome"] + 1e-12 * rng.normal(size=(80, 1))
    )
    assert not estimate(noisy, **choice)["exact"].item()


@pytest.mark.parametrize("jitter", [0.0, 1e-9])
def test_arms_of_one_value_each_take_two_in_any_coding(jitter: float) -> None:
    """.3 in every control and 1.3 under every treatment, or a billionth more: 0 and 1."""
    y = 0.3 + PARALLEL + jitter * (np.arange(80) % 3 == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        found = estimate(one_outcome(y, PARALLEL))
        as_0_1 = estimate(one_outcome(1.0 * PARALLEL, PARALLEL))
    for name in ("lower", "upper"):
        np.testing.assert_allclose(found[name], as_0_1[name], atol=1e-8)
    assert found["lower"].item() < 0.95


@pytest.mark.parametrize("target", ["population", "units"])
@pytest.mark.parametrize("effect", [0.0, 0.7])
def test_outcomes_linear_in_a_covariate_are_exact(target: str, effect: float) -> None:
    x = np.random.default_rng(2).normal(size=80)
    effects = one_outcome(0.1 + 2.3 * x + effect * PARALLEL, PARALLEL, x=x)
    with pytest.warns(DegenerateWarning):
        estimates = estimate(effects, covariates="x", target=target)
    np.testing.assert_allclose(estimates["ace"].item(), effect, rtol=1e-13)
    assert_alike(estimates)
    bent = one_outcome(0.1 + 2.3 * x * (1 + PARALLEL), PARALLEL, x=x)
    if (
        target == "population"
    ):  # another sample of units has another mean of x, and the slopes differ
        assert estimate(bent, covariates="x")["se"].item() > 0.1


def test_one_large_outcome_hides_nothing_in_a_parallel_trial() -> None:
    rng = np.random.default_rng(3)
    y = (rng.lognormal(1, 0.1, 80) + PARALLEL).astype(np.float32)
    y[0] = 2e7
    estimates = estimate(one_outcome(y, PARALLEL))
    assert not estimates["exact"].item()
    assert estimates["ace"].item() < 0


def test_one_large_unit_is_analyzed_in_a_crossover() -> None:
    rng = np.random.default_rng(0)
    base = np.append(rng.lognormal(2, 1, 199), 2e7)
    y = np.stack(
        [base, base + np.append(rng.choice([0.0, 0.5, 1.0], 199), 0)], axis=1
    ).astype(np.float32)
    outcomes = crossover(n=200, n_arms=2, tasks=1)
    estimates = estimate(
        effects_of(outcomes.assign(outcome=(outcomes["outcome"].dims, y[..., None])))
    )
    wide = estimate(
        effects_of(
            outcomes.assign(
                outcome=(outcomes["outcome"].dims, y[..., None].astype(float))
            )
        )
    )
    same(estimates, wide)
    assert estimates["p"].item() < 1e-10


def retrained(
    n_contrasts: int, n_models: int = 3, *, n: int = 30, seed: int = 0
) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    ice = rng.normal(size=(n, n_contrasts, 1, n_models)) + rng.normal(
        size=(n, n_contrasts, 1, 1)
    )
    ice += rng.normal(size=(1, n_contrasts, 1, n_models))
    return xr.Dataset({"ice": (("unit", "contrast", "task", "model"), ice)})


def test_a_negative_component_of_units_is_cut_off() -> None:
    z = np.random.default_rng(0).normal(size=30)
    ice = np.stack([1 + z, 1 - z], axis=1)  # every unit's mean is 1
    rest = (
        (ice - ice.mean(axis=1, keepdims=True) - ice.mean(axis=0) + 1) ** 2
    ).sum() / 29
    answer = crossed_mean(ice)
    np.testing.assert_allclose(
        answer.se**2, max(ice.mean(axis=0).var(ddof=1) / 2, rest / 60), rtol=1e-9
    )
    np.testing.assert_allclose((answer.factor**2).sum(axis=0), answer.se**2)
    rng, seen = np.random.default_rng(1), 0
    for _ in range(30):
        ice = rng.normal(size=(10, 3))
        rows, columns = ice.mean(axis=1), ice.mean(axis=0)
        um = ((ice - rows[:, None] - columns + ice.mean()) ** 2).sum() / 18
        u, m = max(rows.var(ddof=1) - um / 3, 0), max(columns.var(ddof=1) - um / 10, 0)
        np.testing.assert_allclose(
            crossed_mean(ice).se ** 2, u / 10 + m / 3 + um / 30, rtol=1e-9
        )
        seen += u == 0
    assert seen


@pytest.mark.parametrize(
    ("size", "shift"),
    [(1e-200, 0), (1e-120, 0), (1e120, 0), (1e-200, 30), (1e-200, -30)],
)
@pytest.mark.parametrize(
    "choice", [{}, {"covariates": "x"}, {"blocks": 20}, {"cluster": "pair"}]
)
def test_the_ends_of_float64(size: float, shift: float, choice: dict[str, Any]) -> None:
    outcomes = parallel(n=80, blocks=choice.get("blocks", 0)).assign_coords(
        pair=("unit", np.arange(80) // 2)
    )
    outcomes["outcome"] = outcomes["outcome"] + shift
    asked = {name: value for name, value in choice.items() if name != "blocks"}
    near = estimate(effects_of(outcomes), **asked)
    far = estimate(
        effects_of(outcomes.assign(outcome=outcomes["outcome"] * size)), **asked
    )
    for name in ("df", "p", "skewness", "leverage"):
        np.testing.assert_allclose(far[name], near[name], rtol=1e-9)
    np.testing.assert_allclose(far["se"] / size, near["se"], rtol=1e-9)
    assert np.isfinite(far["covariance"]).all()


@pytest.mark.parametrize("size", [1e-170, 1e170])
def test_covariates_in_another_unit_adjust_alike(size: float) -> None:
    outcomes = parallel(n=80)
    near = estimate(effects_of(outcomes), covariates="x")
    far = estimate(
        effects_of(outcomes.assign_coords(x=outcomes["x"] * size)), covariates="x"
    )
    for name in ("ace", "se", "df", "p"):
        np.testing.assert_allclose(far[name], near[name], rtol=1e-9)


def test_drawn_blocks_do_not_warn_and_a_lone_one_is_told_its_cure() -> None:
    # t on 5 df is exact for it; warnings are errors here
    estimate(effects_of(parallel(n=48, blocks=6)))
    with pytest.warns(DegenerateWarning):
        estimate(
            effects_of(parallel(n=48, blocks=6))
            .drop_vars("parent")
            .rename(block="parent"),
            block="parent",
        )


def test_blocks_that_cross_parents_name_their_cures() -> None:
    effects = effects_of(parallel(n=160, blocks=40)).assign_coords(
        parent=("unit", np.arange(160) // 2)
    )
    assert estimate(effects.drop_vars("block")).attrs["cluster"] == "parent"
    assert estimate(effects, target="units").attrs["cluster"] == "unit"


@pytest.mark.parametrize("ci_prob", [np.float32(0.9), np.float64(0.9), 0.9])
def test_any_real_number_is_a_probability(ci_prob: Any) -> None:
    estimates = estimate(effects_of(crossover()), ci_prob=ci_prob)
    assert type(estimates.attrs["ci_prob"]) is float


def test_covariates_in_any_list() -> None:
    effects = effects_of(parallel())
    for names in (
        ["x", "z"],
        np.array(["x", "z"]),
        xr.Coordinates({"x": [0], "z": [0]}),
    ):
        same(
            estimate(effects, covariates=names),
            estimate(effects, covariates=("x", "z")),
        )


def test_a_pipe_warns_at_the_users_line() -> None:
    with pytest.warns(DegenerateWarning) as caught:
        crossover(parents=8).pipe(contrast, control="control").pipe(estimate)
    assert caught[0].filename == __file__


def test_control_sd_travels_and_is_one_number_over_drawn_predictors() -> None:
    y = np.random.default_rng(0).normal(size=(12, 2, 1, 3)) * np.array([1.0, 2.0, 3.0])
    coords = {
        "unit": np.arange(12),
        "arm": ["0", "A"],
        "task": ["K562"],
        "model": ["a", "b", "c"],
    }
    effects = contrast(
        xr.Dataset({"outcome": (("unit", "arm", "task", "model"), y)}, coords=coords),
        control="0",
    )
    sds = y[:, 0, 0].std(axis=0, ddof=1)
    with pytest.warns(DegenerateWarning):
        each = estimate(effects.assign_coords(parent=("unit", np.arange(12) // 2)))
    np.testing.assert_allclose(each["control_sd"][0, 0], sds)
    crossed = estimate(effects, target="population x predictors")
    np.testing.assert_allclose(crossed["control_sd"].item(), np.sqrt((sds**2).mean()))


def test_the_skewness_is_that_of_the_error_whatever_the_design() -> None:
    """``skewness / sqrt(n_clusters)`` is the third cumulant of the ACE's error over its
    se cubed.
    """
    rng, n_trials = np.random.default_rng(0), 3000
    tasks = np.arange(n_trials).astype(str)
    y = rng.exponential(size=(400, n_trials))
    y[100:] *= -2
    parallel_trial = xr.Dataset(
        {"outcome": (("unit", "task"), y)},
        coords={
            "arm": ["c", "t"],
            "task": tasks,
            "assigned": ("unit", np.repeat(["c", "t"], [100, 300])),
        },
        attrs={"scale": "log", "assignment": "parallel"},
    )
    shared = np.repeat(rng.exponential(size=(200, n_trials)), 3, axis=0)
    clustered = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), shared[:, None])},
        coords={
            "contrast": ["a"],
            "task": tasks,
            "parent": ("unit", np.repeat(np.arange(200), 3)),
        },
    )
    parallel_truth = (-(2**3) * 2 / 300**2 - 2 / 100**2) / (4 / 300 + 1 / 100) ** 1.5
    for effects, truth in (
        (contrast(parallel_trial, control="c"), parallel_truth),
        (clustered, 2 / np.sqrt(200)),
    ):
        found = estimate(effects)
        coefficient = (
            (found["skewness"] / np.sqrt(found["n_clusters"])).to_numpy().ravel()
        )
        # a sample skewness is drawn to 0
        error = 4 * coefficient.std() / np.sqrt(n_trials) + 0.12 * abs(truth)
        assert abs(coefficient.mean() - truth) < error
    assert (
        estimate(clustered)["largest_ice"].to_numpy().ravel() == shared.max(axis=0)
    ).all()


def test_effects_in_single_precision_are_averaged_in_double() -> None:
    ice = (np.random.default_rng(0).normal(size=(5_000, 1, 1)) + 1e4).astype(np.float32)
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)}, {"contrast": ["c"], "task": ["t"]}
    )
    found = estimate(effects)
    np.testing.assert_allclose(
        found["ace"].item(), ice.mean(dtype=np.float64), rtol=1e-13
    )
    np.testing.assert_allclose(
        found["se"].item(),
        ice.std(ddof=1, dtype=np.float64) / np.sqrt(5_000),
        rtol=1e-10,
    )


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_covariates_are_collinear_or_not_in_any_unit(unit: float) -> None:
    effects = effects_of(parallel())
    rng = np.random.default_rng(0)
    a, b = (("unit", rng.normal(size=effects.sizes["unit"])) for _ in range(2))
    plain = effects.assign_coords(a=a, b=b)
    scaled = plain.assign_coords(
        a=plain["a"] * unit, b=plain["b"] * unit, c=(2 * plain["a"] - plain["b"]) * unit
    )
    np.testing.assert_allclose(
        estimate(scaled, covariates=("a", "b"))["se"],
        estimate(plain, covariates=("a", "b"))["se"],
        rtol=1e-7,
    )
    with pytest.raises(EstimateError):
        estimate(scaled, covariates=("a", "b", "c"))


def test_rounding_counts_in_the_arms_that_a_contrast_has() -> None:
    """Three arms of which the last two are compared: 0.3 written in two ways, in one
    unit of each arm of a block.
    """
    arm, block = np.tile([0, 1, 2], 3), np.repeat([0, 1, 2], 3)
    y = np.array([7.0, 0.3, 0.1 + 0.2, 8.0, 0.1 + 0.2, 0.3, 9.0, 0.3, 0.3])[:, None]
    rounding = np.where(arm[:, None] == 0, 0.0, np.spacing(y))
    for row in ([0.0, -1.0, 1.0], [0.0, 1.0, -1.0]):
        inside = rounded_block_effects(y, arm, block, np.array([row]), rounding)
        np.testing.assert_array_equal(inside[:, 0, 0], np.zeros(3))


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_block_effects_of_weights_that_do_not_cancel_keep_their_level(
    size: float,
) -> None:
    arm, block = np.tile([0, 1], 3), np.repeat([0, 1, 2], 2)
    y = np.array([10.0, 12.0, 20.0, 25.0, 30.0, 31.0])[:, None]
    found = (
        block_effects(y, arm, block, size * np.array([[0.0, 1.0], [-1.0, 1.0]]))[..., 0]
        / size
    )
    np.testing.assert_allclose(
        found, [[12.0, 2.0], [25.0, 5.0], [31.0, 1.0]], rtol=1e-12
    )


@pytest.mark.parametrize("target", ["population x predictors", "next predictor"])
def test_the_largest_ice_is_that_of_any_predictor(target: str) -> None:
    rng = np.random.default_rng(4)
    ice = rng.normal(size=(30, 1, 2, 4))
    ice[7, 0, 0, 2], ice[3, 0, 1, 0] = -50.0, 40.0
    effects = xr.Dataset({"ice": (("unit", "contrast", "task", "model"), ice)})
    assert estimate(effects, target=target)["largest_ice"].values.ravel().tolist() == [
        50,
        40,
    ]


def test_one_outcome_on_the_line_of_its_arm_makes_no_arm_exact() -> None:
    """Residuals of 1, -2 and 1 in both arms but for one unit, which lies on the
    line.
    """
    x = np.array([0.0, 1.0, 2.0, 1.0] * 2)
    y = np.array([1.0, -2.0, 1.0, 0.0, 3.0, 0.0, 3.0, 2.0])
    coords = {
        "arm": ["c", "A"],
        "task": ["K562"],
        "assigned": ("unit", ["c"] * 4 + ["A"] * 4),
        "x": ("unit", x),
    }
    outcomes = xr.Dataset({"outcome": (("unit", "task"), y[:, None])}, coords)
    for covariates in (None, "x"):
        found = estimate(contrast(outcomes, control="c"), covariates=covariates)
        assert not found["exact"].any()
        assert found["se"].item() > 0.5


def test_the_skewness_of_clusters_is_that_of_their_sums_and_of_fixed_parents_that_of_units() -> (
    None
):
    rng = np.random.default_rng(0)
    parent = np.repeat(np.arange(24), [2, 3, 4] * 8)
    ice = (rng.exponential(size=24)[parent] + rng.normal(size=len(parent)))[
        :, None, None
    ]
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": ["a"], "task": ["x"], "parent": ("unit", parent)},
        attrs={"null_kind": "genomic"},
    )
    clustered = estimate(effects, cluster="parent")
    assert clustered["skewness"].item() == pytest.approx(
        skewness(mean_ice(ice, parent).factor).item()
    )
    fixed = estimate(effects, target="parents")
    assert fixed["skewness"].item() == pytest.approx(stats.skew(ice.ravel()))
    assert abs(clustered["skewness"].item() - fixed["skewness"].item()) > 0.1


def test_a_dependence_on_the_size_of_clusters_is_named_over_predictors() -> None:
    rng = np.random.default_rng(0)
    parent = np.repeat(np.arange(40), np.arange(40) % 5 + 1)
    size = (np.arange(40) % 5)[parent]
    ice = rng.normal(size=(len(parent), 2, 2, 3))
    ice[:, 1, 0] += 3.0 * size[:, None]
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        coords={
            "contrast": ["a", "b"],
            "task": ["x", "y"],
            "parent": ("unit", parent),
            "model": ["m", "n", "o"],
        },
    )
    with pytest.warns(DegenerateWarning):
        estimate(effects, cluster="parent", target="population x predictors")


def test_labels_of_a_contrast_in_a_task_stay_with_its_estimate() -> None:
    outcomes = xr.Dataset(
        {
            "outcome": (
                ("unit", "arm", "task"),
                np.random.default_rng(0).normal(size=(30, 3, 2)),
            )
        },
        coords={"arm": ["0", "A", "B"], "task": ["K562", "HepG2"]},
    )
    site = np.array([["a", "b"], ["c", "d"]])
    estimates = estimate(
        contrast(outcomes, control="0").assign_coords(site=(("contrast", "task"), site))
    )
    assert estimates["site"].sel(contrast="B", task="HepG2").item() == "d"
    np.testing.assert_array_equal(estimates["site"], site)


def test_an_offset_that_is_added_without_rounding_changes_no_bit_of_a_parallel_trial() -> (
    None
):
    outcomes = parallel()
    near = outcomes.assign(outcome=np.round(outcomes["outcome"] * 2**10) / 2**10)
    far = near.assign(outcome=near["outcome"] + 2.0**40)
    here, there = (
        estimate(contrast(o, control=str(o["arm"].values[0]))) for o in (near, far)
    )
    for name in ("ace", "se", "df"):
        np.testing.assert_array_equal(there[name], here[name])
