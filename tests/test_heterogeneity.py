"""Imports quantile_of, sd_of and share_of from the inside: proofs of the kernels alone.

How individual effects differ: against arithmetic, other libraries and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from causalgia.estimation import modification
from causalgia.estimation._heterogeneity import (
    quantile_of,
    sd_of,
    share_of,
)
from causalgia.estimation.crossover import mean_ice
from causalgia.verdicts import heterogeneity


def effects_of(ice: np.ndarray, **on_unit: Any) -> xr.Dataset:
    ice = ice.reshape(len(ice), -1)
    coords = {"contrast": [f"c{k}" for k in range(ice.shape[1])], "task": ["K562"]}
    coords |= {name: ("unit", values) for name, values in on_unit.items()}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])}, coords=coords
    )


def inside(hits: np.ndarray, level: float, trials: int, chance: float = 1e-4) -> None:
    low, high = stats.binom.ppf([chance / 2, 1 - chance / 2], trials, level) / trials
    assert low <= np.mean(hits) <= high, (np.mean(hits), low, high)


def test_point_estimates_are_the_plain_ones() -> None:
    ice = np.random.default_rng(0).gamma(2, size=(200, 3))
    found = heterogeneity(effects_of(ice), rope=(0.5, 3)).isel(task=0)
    np.testing.assert_allclose(found["sd"], ice.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(
        found["quantiles"],
        np.quantile(ice, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0),
        rtol=1e-12,
    )
    np.testing.assert_allclose(found["above"], (ice > 3).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found["below"], (ice < 0.5).mean(axis=0), rtol=1e-12)
    assert (found["rope_lower"] == 0.5).all()
    either = share_of((ice > 3) | (ice < 0.5), None, 0.95)
    for name, part in zip(
        ("beyond", "beyond_se", "beyond_lower", "beyond_upper"), either, strict=True
    ):
        np.testing.assert_array_equal(found[name], part)
    np.testing.assert_allclose(
        found["beyond"], found["above"] + found["below"], rtol=1e-12
    )


def test_shares_without_clusters_are_clopper_pearson() -> None:
    event = np.arange(40) < 7
    share, se, lower, upper = share_of(event, None, 0.95)
    np.testing.assert_allclose(
        [lower, upper], proportion_confint(7, 40, method="beta"), rtol=1e-9
    )
    np.testing.assert_allclose(se, np.sqrt(share * (1 - share) / 39), rtol=1e-12)


@pytest.mark.parametrize("hits", [0, 40])
def test_a_share_of_none_or_all_has_an_interval(hits: int) -> None:
    share, se, lower, upper = share_of(np.arange(40) < hits, None, 0.95)
    assert (share, se) == (hits / 40, 0)
    np.testing.assert_allclose(
        [lower, upper], proportion_confint(hits, 40, method="beta"), atol=1e-12
    )
    _, _, lower, upper = share_of(np.arange(40) < hits, np.arange(40) // 4, 0.95)
    np.testing.assert_allclose(
        [lower, upper], proportion_confint(hits // 4, 10, method="beta"), atol=1e-12
    )


def test_units_that_repeat_their_parent_count_once() -> None:
    """40 parents with 5 equal units each know what 40 units know."""
    rng = np.random.default_rng(1)
    once, cluster = rng.normal(size=40), np.repeat(np.arange(40), 5)
    often = np.repeat(once, 5)
    for function in (
        lambda x, c: sd_of(x, c, 0.95),
        lambda x, c: share_of(x > 0.3, c, 0.95),
    ):
        few, many = function(once, None), function(often, cluster)
        np.testing.assert_allclose(many[1], few[1], rtol=0.03)
        np.testing.assert_allclose(many[2:], few[2:], rtol=0.08)
    few_q, many_q = (
        np.array(quantile_of(x, 0.5, c, 0.95)[1:3])
        for x, c in ((once, None), (often, cluster))
    )
    ranks = [np.searchsorted(np.sort(once), q) for q in (few_q, many_q)]
    assert np.abs(ranks[0] - ranks[1]).max() <= 1


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover_what_they_say(clustered: bool) -> None:
    """800 trials of 200 units (40 parents of 5, ICC .5): two-sided near 95 %,
    conservative for shares.
    """
    rng, trials, n = np.random.default_rng(2), 800, 200
    cluster = np.repeat(np.arange(40), 5) if clustered else None
    shared = rng.normal(size=(40, trials)).repeat(5, axis=0) if clustered else 0.0
    own = rng.normal(size=(n, trials))
    ice = np.sqrt(0.5) * (shared + own) if clustered else own
    _, _, lower, upper = sd_of(ice, cluster, 0.95)
    assert (
        np.mean((lower <= 1) & (upper >= 1))
        >= stats.binom.ppf(1e-4, trials, 0.925 if clustered else 0.945) / trials
    )
    _, _, lower, upper = share_of(ice > 1.0, cluster, 0.95)
    truth = stats.norm.sf(1.0)
    assert (
        np.mean((lower <= truth) & (upper >= truth))
        >= stats.binom.ppf(1e-4, trials, 0.95) / trials
    )
    for prob in (0.1, 0.5, 0.9):
        _, lower, upper, _ = quantile_of(ice, prob, cluster, 0.95)
        truth = stats.norm.ppf(prob)
        assert (
            np.mean((lower <= truth) & (upper >= truth))
            >= stats.binom.ppf(1e-4, trials, 0.95) / trials
        )


def test_a_spread_that_rests_on_one_unit_is_hardly_known() -> None:
    ice = np.zeros(30)
    ice[3] = 1.0
    sd, se, lower, upper = sd_of(ice, None, 0.95)
    np.testing.assert_allclose(sd, ice.std(ddof=1))
    assert lower < 1e-6 * sd
    assert 1e6 * sd < upper < np.inf
    assert se > sd


def test_extreme_quantiles_of_few_units_say_that_they_are_open() -> None:
    ice = np.random.default_rng(3).normal(size=30)
    found = heterogeneity(effects_of(ice), quantiles=[0.05, 0.5]).squeeze()
    assert found["quantile_open"].values.tolist() == [True, False]
    assert found["quantile_lower"].values[0] == ice.min()


def test_effects_that_do_not_vary_are_points() -> None:
    found = heterogeneity(effects_of(np.full(30, 2.0)), rope=(-1, 1)).squeeze()
    assert [float(found[name]) for name in ("sd", "sd_se", "sd_lower", "sd_upper")] == [
        0,
        0,
        0,
        0,
    ]
    assert not found["quantile_open"].any()
    np.testing.assert_array_equal(found["quantile_lower"], found["quantile_upper"])
    assert found["above"] == 1
    assert 0.85 < found["above_lower"] < 0.95


def test_predictors_keep_their_dim() -> None:
    ice = np.random.default_rng(4).normal(size=(50, 2, 1, 3))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        coords={"model": list("abc")},
    )
    found = heterogeneity(effects)
    assert found["sd"].dims == ("contrast", "task", "model")
    np.testing.assert_allclose(found["sd"], ice.std(axis=0, ddof=1))


def test_slopes_are_least_squares_with_hc2() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(60, 2)) * [1.0, 30.0] + [5.0, 100.0]
    ice = x @ [0.5, 0.01] + rng.normal(size=60) * x[:, 0]
    found = modification(
        effects_of(ice, gc=x[:, 0], activity=x[:, 1]), by=["gc", "activity"]
    ).squeeze()
    fit = sm.OLS(ice, sm.add_constant(x)).fit(cov_type="HC2")
    np.testing.assert_allclose(found["slope"], fit.params[1:], rtol=1e-9)
    np.testing.assert_allclose(found["se"], fit.bse[1:], rtol=1e-9)
    np.testing.assert_allclose(found["mean"], x.mean(axis=0))
    assert (found["df"] < 57).all()


def test_slopes_by_cluster_cover() -> None:
    """600 trials, 30 parents of 4 with shared GC and shared noise: 95 % intervals of a
    slope of 0.
    """
    rng, trials = np.random.default_rng(7), 600
    parent = np.repeat(np.arange(30), 4)
    gc = rng.normal(size=30)[parent]
    ice = rng.normal(size=(30, trials))[parent] + rng.normal(size=(120, trials))
    found = modification(effects_of(ice, gc=gc, parent=parent)).squeeze()
    inside(((found["lower"] <= 0) & (found["upper"] >= 0)).to_numpy(), 0.95, trials)
    naive = modification(
        effects_of(ice, gc=gc, parent=parent), cluster="none"
    ).squeeze()
    assert ((naive["lower"] <= 0) & (naive["upper"] >= 0)).mean() < 0.9


def test_a_mean_ice_is_the_slope_on_nothing() -> None:
    """Centring: the effect at the mean covariate is the mean ICE, whatever the
    slope.
    """
    rng = np.random.default_rng(8)
    x, ice = rng.normal(10, 1, size=40), rng.normal(size=40)
    found = modification(effects_of(ice, gc=x)).squeeze()
    at_mean = ice - found["slope"].item() * (x - found["mean"].item())
    np.testing.assert_allclose(at_mean.mean(), mean_ice(ice).ace, rtol=1e-12)


def test_quantiles_are_an_attribute_and_no_method_of_xarray() -> None:
    found = heterogeneity(effects_of(np.linspace(0, 1, 101)), quantiles=[0.5])
    assert found.quantiles.item() == pytest.approx(0.5)


def test_units_exactly_at_an_end_of_the_region_are_inside() -> None:
    found = heterogeneity(
        effects_of(np.repeat([-2.0, -1.0, 0.0, 1.0, 3.0], [2, 4, 8, 5, 1])),
        rope=(-1, 1),
    ).squeeze()
    assert found["above"].item() == pytest.approx(1 / 20)
    assert found["below"].item() == pytest.approx(2 / 20)
    assert found["beyond"].item() == pytest.approx(3 / 20)


def test_an_interval_of_a_quantile_is_open_where_its_rank_is_below_the_first() -> None:
    n, seen = 100, set()
    for prob in np.linspace(0.02, 0.12, 101):
        share = np.mean(np.arange(n) <= np.quantile(np.arange(n), prob))
        se = max(np.sqrt(share * (1 - share) / (n - 1)), np.sqrt(prob * (1 - prob) / n))
        rank = int(np.floor(n * (prob - stats.t.isf(0.025, n - 1) * se)))
        _, lower, _, is_open = quantile_of(np.arange(float(n)), prob, None, 0.95)
        assert (lower, is_open) == (max(rank, 1) - 1, rank < 1)
        seen.add(rank)
    assert {0, 1, 2} <= seen


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e-150])
def test_the_error_of_the_sd_is_the_jackknife_by_deletion(
    clustered: bool, size: float
) -> None:
    rng = np.random.default_rng(0)
    ice = rng.exponential(size=30) * size
    cluster = np.sort(rng.integers(0, 9, 30)) if clustered else None
    codes = np.unique(cluster, return_inverse=True)[1] if clustered else np.arange(30)
    sd, se, lower, upper = sd_of(ice, codes if clustered else None, 0.9)
    logs = np.array([np.log(ice[codes != g].std()) for g in range(codes.max() + 1)])
    n = len(logs)
    relative = np.sqrt((n - 1) / n * ((logs - logs.mean()) ** 2).sum())
    if not clustered:
        assert sd == pytest.approx(ice.std(ddof=1), rel=1e-12)
    assert se == pytest.approx(sd * relative, rel=1e-9)
    half = np.exp(stats.t.ppf(0.95, n - 1) * relative)
    assert (lower, upper) == pytest.approx((sd / half, sd * half), rel=1e-9)


def test_shares_of_clusters_are_clopper_pearson_at_their_effective_number() -> None:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(12), 5)
    event = (
        rng.random((60, 3))
        < np.array([0.1, 0.5, 0.9])[None] * rng.choice([0.3, 1.0], 12)[cluster][:, None]
    )
    event = np.column_stack([event, np.zeros(60, bool), np.ones(60, bool)])
    share, se, lower, upper = share_of(event, cluster, 0.9)
    answer = mean_ice(event.astype(float), cluster)
    for j in range(5):
        p = event[:, j].mean()
        size = 12.0
        if 0 < p < 1:
            shrink = stats.t.ppf(0.95, 59) / stats.t.ppf(
                0.95, np.broadcast_to(answer.df, 5)[j]
            )
            size = min(p * (1 - p) / answer.se[j] ** 2, 60) * shrink**2
        hits = p * size
        low = stats.beta.ppf(0.05, hits, size - hits + 1) if p > 0 else 0.0
        high = stats.beta.ppf(0.95, hits + 1, size - hits) if p < 1 else 1.0
        assert (share[j], se[j], lower[j], upper[j]) == pytest.approx(
            (p, answer.se[j], low, high), rel=1e-9
        )


@pytest.mark.parametrize("prob", [0.1, 0.5, 0.85])
def test_limits_of_a_quantile_are_those_of_woodruff(prob: float) -> None:
    ice = np.round(np.random.default_rng(2).normal(size=(40, 2)), 1)
    ice[:, 1] = 3.0
    quantile, lower, upper, opened = quantile_of(ice, prob, None, 0.95)
    ordered = np.sort(ice[:, 0])
    assert quantile[0] == pytest.approx(np.quantile(ice[:, 0], prob))
    share = (ice[:, 0] <= quantile[0]).mean()
    se = max(np.sqrt(share * (1 - share) / 39), np.sqrt(prob * (1 - prob) / 40))
    half = stats.t.ppf(0.975, 39) * se
    first, last = (
        int(np.floor(40 * (prob - half))),
        int(np.floor(40 * (1 - prob - half))),
    )
    assert lower[0] == ordered[max(first, 1) - 1]
    assert upper[0] == ordered[40 - max(last, 1)]
    assert opened[0] == (first < 1 or last < 1)
    assert (lower[1], upper[1], opened[1]) == (3.0, 3.0, False)


def test_labels_of_contrasts_and_tasks_are_kept_and_those_of_units_are_not() -> None:
    effects = effects_of(
        np.random.default_rng(0).normal(size=(60, 3)),
        parent=np.repeat(np.arange(20), 3),
    )
    effects = effects.assign_coords(
        site=("contrast", [3, 1, 2]), note=(("contrast", "task"), [["a"], ["b"], ["c"]])
    )
    found = heterogeneity(effects)
    assert set(found.coords) == {"contrast", "task", "prob", "site", "note"}
    assert found["site"].values.tolist() == [3, 1, 2]
    assert found["note"].values.tolist() == [["a"], ["b"], ["c"]]
    assert set(found.sizes) == {"contrast", "task", "prob"}


def test_a_region_of_0_alone_counts_effects_on_either_side() -> None:
    found = heterogeneity(
        effects_of(np.repeat([-1.0, 0.0, 2.0], [3, 5, 12])), rope=0
    ).squeeze()
    assert (found["below"].item(), found["above"].item()) == pytest.approx(
        (3 / 20, 12 / 20)
    )


def test_covariates_are_kept_with_their_mean_and_sd() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(3, 5, (9, 2))
    found = modification(
        effects_of(rng.normal(size=(9, 1)), gc=x[:, 0], cpg=x[:, 1]), by=["gc", "cpg"]
    )
    np.testing.assert_allclose(found["mean"], x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        found["sd"], np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=0) / 8), rtol=1e-12
    )
