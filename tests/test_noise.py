# Imports from the inside: scores and the covariance of errors, against scipy, quadrature
# and simulation.
"""Level 1: scores of few degrees of freedom, and the rule for Sigma."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st
from scipy import integrate, stats

from causalgia.errors import EstimateError
from causalgia.estimation import estimate, from_effects
from causalgia.numerics.moments import log_sf_t
from causalgia.posterior.error_covariance import (
    Noise,
    _shrink_loadings,
    as_one_factor,
    noise_unit,
    noises_of,
    normal_scores,
    rescale_noise,
    spiked_noise,
)


def noise_of(estimates: xr.Dataset, task: str, *, factors: int | None = None) -> Noise:
    return noises_of(estimates.sel(task=[task]), factors=factors)[0]


def screen(
    n: int, k: int, *, shared: float = 1.0, own: float = 1.0, seed: int = 0
) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    ice = shared * rng.normal(size=(n, 1)) + own * rng.normal(size=(n, k))
    names = [f"w{i}" for i in range(k)]
    return estimate(
        xr.Dataset(
            {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
            {"contrast": names, "task": ["a"]},
        )
    )


@pytest.mark.parametrize("df", [1.0, 2.5, 9.0, 99.0, 1e4])
def test_scores_are_those_of_scipy(df: float):
    t = np.array([0.002, 0.3, 1.0, 4.0, 12.0, 30.0])
    z = stats.norm.isf(stats.t.sf(t, df))
    known = z < 5
    score = normal_scores(t, np.ones(6), np.full(6, df))
    np.testing.assert_allclose((t / score)[known], z[known], rtol=1e-10)
    at_5 = stats.t.isf(stats.norm.sf(5), df) / 5
    np.testing.assert_allclose(score[~known], at_5, rtol=1e-6)


def test_scores_meet_their_limit_at_0_without_a_step():
    t = np.array([0.0, 1e-300, 1e-9, 9.99999e-4, 1.000001e-3])
    score = normal_scores(-t, np.ones(5), np.full(5, 7.0))
    np.testing.assert_allclose(
        score[:3], stats.norm.pdf(0) / stats.t.pdf(0, 7), rtol=1e-13
    )
    assert abs(score[4] / score[3] - 1) < 1e-10


def test_known_errors_stay():
    se = np.array([0.5, 2.0])
    assert np.array_equal(
        normal_scores(np.array([1.0, -80.0]), se, np.full(2, np.inf)), se
    )


@pytest.mark.parametrize(
    ("t", "df"),
    [
        (1e3, 150.0),
        (1e10, 40.0),
        (1e100, 4.0),
        (60.0, 999.0),
        (45.0, 1e5),
        (50.0, 2400.0),
    ],
)
def test_tails_below_the_least_float(t: float, df: float):
    """By quadrature of the density beyond t, in units of the density at t and of log of
    the variable.
    """

    def relative(w: float) -> float:
        return float(
            np.exp(stats.t.logpdf(t * np.exp(w), df) - stats.t.logpdf(t, df) + w)
        )

    beyond = integrate.quad(
        relative, 0, 60 / min(df, t**2), epsabs=0, epsrel=1e-11, limit=500
    )[0]
    expected = stats.t.logpdf(t, df) + np.log(t) + np.log(beyond)
    assert log_sf_t(np.array([t]), np.array([df]))[0] == pytest.approx(
        expected, rel=1e-11
    )


@given(st.floats(1e-8, 1e8), st.floats(0.5, 1e6), st.floats(1e-8, 1e8))
@settings(max_examples=settings.default.max_examples * 3)
def test_scores_are_finite_no_smaller_and_of_any_scale(
    t: float, df: float, scale: float
):
    one = normal_scores(np.array([t]), np.ones(1), np.array([df]))[0]
    other = normal_scores(np.array([-t * scale]), np.array([scale]), np.array([df]))[0]
    assert 1 <= one < np.inf
    assert other == pytest.approx(one * scale, rel=1e-9)


def test_a_spike_is_debiased_and_the_diagonal_kept():
    rng = np.random.default_rng(3)
    n, k = 100, 2_000
    ice = rng.normal(size=(n, 1)) + rng.normal(size=(n, k))
    factor = ice - ice.mean(axis=0)
    variances = rng.uniform(0.5, 2, k)
    noise = spiked_noise(factor / np.sqrt((factor**2).sum(axis=0)), n - 1, variances)
    assert noise.loadings is not None
    assert noise.loadings.shape == (k, 1)
    np.testing.assert_allclose(noise.marginal, variances, rtol=1e-12)
    shares = (noise.loadings[:, 0] ** 2 / variances).mean()
    # the sample variance of one shared score, n times
    assert abs(shares - 0.5) < 4 * 0.5 * np.sqrt(2 / n)
    assert (noise.variances > 0).all()


def test_wide_and_narrow_factors_agree():
    rng = np.random.default_rng(4)
    factor = rng.normal(size=(60, 1)) * 2 + rng.normal(size=(60, 59))
    factor /= np.sqrt((factor**2).sum(axis=0))
    tall = spiked_noise(factor, 59, np.ones(59))
    values, vectors = np.linalg.eigh(factor.T @ factor)
    square = spiked_noise((vectors * np.sqrt(np.maximum(values, 0))).T, 59, np.ones(59))
    assert tall.loadings is not None
    assert square.loadings is not None
    np.testing.assert_allclose(
        tall.loadings @ tall.loadings.T, square.loadings @ square.loadings.T, atol=1e-10
    )


def test_unrelated_contrasts_are_nearly_independent():
    rng = np.random.default_rng(5)
    factor = rng.normal(size=(100, 500))
    noise = spiked_noise(factor / np.sqrt((factor**2).sum(axis=0)), 99, np.ones(500))
    assert noise.loadings is None or (noise.loadings**2).sum(axis=1).mean() < 0.05


def test_rule_whole_where_well_estimated_or_known():
    few = noise_of(screen(101, 10), "a")
    assert few.whole is not None
    many = noise_of(screen(100, 10), "a")
    assert many.whole is None
    assert many.loadings is not None
    known = noise_of(from_effects(np.ones(4), covariance=np.eye(4) + 0.5), "effect")
    assert known.whole is not None
    np.testing.assert_allclose(known.whole, np.eye(4) + 0.5)
    alone = noise_of(from_effects([1.0, 2.0], se=[1.0, 2.0]), "effect")
    assert alone.whole is None
    assert alone.loadings is None
    np.testing.assert_array_equal(alone.variances, [1.0, 4.0])


def test_whole_is_the_covariance_of_scores():
    table = screen(101, 10)
    noise = noise_of(table, "a")
    assert noise.whole is not None
    score = normal_scores(
        *(table[name].to_numpy()[:, 0] for name in ("ace", "se", "df"))
    )
    np.testing.assert_allclose(np.sqrt(noise.marginal), score)
    # every df is 100
    common = normal_scores(np.zeros(1), np.ones(1), np.array([100.0]))[0] ** 2
    own = np.diag(score**2 - common * table["se"].to_numpy()[:, 0] ** 2)
    np.testing.assert_allclose(
        noise.whole, common * table["covariance"].to_numpy()[:, :, 0] + own
    )


@pytest.mark.parametrize("factors", [None, 2])
def test_a_huge_effect_is_not_corrected_for_the_control_more_than_the_others(
    factors: int | None,
):
    table = screen(301, 12)
    clear = table.assign(
        ace=table["ace"].where(table["contrast"] != "w0", 128 * table["se"])
    )
    plain, noise = (
        noise_of(table, "a", factors=factors),
        noise_of(clear, "a", factors=factors),
    )
    inflated = np.sqrt(noise.marginal[0] / plain.marginal[0])
    assert 1.01 < inflated < 1.05
    if factors is None:
        np.testing.assert_allclose(noise.whole[0, 1:], plain.whole[0, 1:])
        np.testing.assert_allclose(noise.whole[1:, 1:], plain.whole[1:, 1:])
    else:
        np.testing.assert_allclose(noise.loadings, plain.loadings)


def test_effects_given_scores_see_a_control_as_one_factor():
    """Whatever the df, an estimated covariance is low rank + diagonal; a known one only
    where that is exact.
    """
    noise = noise_of(screen(1_000, 5), "a", factors=2)
    assert noise.whole is None
    assert noise.loadings.shape == (5, 1)
    own, shared = np.arange(1.0, 6), 0.5 * np.arange(2.0, 7)
    exact = np.diag(own) + np.outer(shared, shared)
    known = noise_of(from_effects(np.ones(5), covariance=exact), "effect", factors=5)
    np.testing.assert_allclose(known.variances, own, rtol=1e-9)
    np.testing.assert_allclose(
        known.loadings @ known.loadings.T, np.outer(shared, shared), rtol=1e-9
    )
    other = exact.copy()
    other[0, 1] = other[1, 0] = 0
    assert (
        noise_of(from_effects(np.ones(5), covariance=other), "effect", factors=5).whole
        is not None
    )


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_one_factor_is_found_whatever_its_signs(k: int, seed: int):
    rng = np.random.default_rng(seed)
    column, own = rng.normal(size=k), rng.uniform(0.3, 3, k)
    covariance = np.outer(column, column) + np.diag(own)
    found = as_one_factor(covariance)
    if found is None:
        assert (column**2 / (column**2 + own)).max() > 0.94
    else:
        both = np.diag(found.variances) + (
            0 if found.loadings is None else found.loadings @ found.loadings.T
        )
        np.testing.assert_allclose(both, covariance, atol=1e-6)


def test_negative_correlation_of_two_is_one_factor():
    found = as_one_factor(np.array([[1.0, -0.6], [-0.6, 4.0]]))
    np.testing.assert_allclose(
        found.loadings @ found.loadings.T + np.diag(found.variances),
        [[1, -0.6], [-0.6, 4]],
    )


def sums(n: int) -> xr.Dataset:
    """Effects of two words and of both together, which are the sum on an additive
    predictor.
    """
    ice = np.random.default_rng(1).normal(size=(n, 2))
    ice = np.column_stack([ice, ice.sum(axis=1)])
    return estimate(
        xr.Dataset(
            {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
            {"contrast": ["a", "b", "ab"], "task": ["x"]},
        )
    )


def test_an_estimated_covariance_of_sums_is_low_rank_and_diagonal():
    noise = noise_of(sums(200), "x")
    assert noise.whole is None
    assert noise.loadings is not None
    assert (noise.variances > 0).all()
    known = sums(200).assign_attrs(errors="known")
    with pytest.raises(EstimateError):
        noise_of(known, "x")


def test_no_more_components_are_kept_than_can_be_integrated():
    rng = np.random.default_rng(2)
    ice = rng.normal(size=(60, 4)) @ (3 * rng.normal(size=(4, 20))) + rng.normal(
        size=(60, 20)
    )
    factor = (ice - ice.mean(axis=0)) / np.sqrt(
        ((ice - ice.mean(axis=0)) ** 2).sum(axis=0)
    )
    free, held = (
        spiked_noise(factor, 59, np.ones(20)),
        spiked_noise(factor, 59, np.ones(20), most=2),
    )
    assert free.loadings.shape[1] >= 3
    assert held.loadings.shape[1] == 2
    np.testing.assert_allclose(held.marginal, 1)


def test_a_family_is_a_part_of_the_contrasts():
    table = screen(400, 30)
    part = noise_of(table.isel(contrast=slice(3, 9)), "a")
    whole = noise_of(
        screen(400, 30).isel(contrast=slice(3, 9), contrast_=slice(3, 9)), "a"
    )
    assert part.whole is not None
    assert whole.whole is not None
    np.testing.assert_array_equal(part.whole, whole.whole)


def test_a_factor_gives_what_its_covariance_gives():
    table = screen(80, 40)
    ice = np.random.default_rng(0)
    raw = ice.normal(size=(80, 1)) + ice.normal(size=(80, 40))
    factor = (raw - raw.mean(axis=0)) / np.sqrt(80 * 79)
    by_factor = table.drop_vars(["covariance", "contrast_"]).assign(
        factor=(("cluster", "contrast", "task"), factor[:, :, None])
    )
    one, two = noise_of(table, "a"), noise_of(by_factor, "a")
    assert one.loadings is not None
    assert two.loadings is not None
    np.testing.assert_allclose(
        one.loadings @ one.loadings.T, two.loadings @ two.loadings.T, atol=1e-10
    )
    np.testing.assert_allclose(one.variances, two.variances, rtol=1e-8)


@pytest.mark.parametrize("n", [2, 6])
def test_contrasts_are_sums_of_others_below_an_eigenvalue_of_a_trillionth_for_each(n):
    for least, whole in ((0.8e-12 * n, False), (1.2e-12 * n, True)):
        correlation = np.eye(n)
        correlation[0, 1] = correlation[1, 0] = 1 - least
        table = from_effects(np.ones(n), covariance=np.eye(n)).assign(
            covariance=(("contrast", "contrast_"), correlation)
        )
        if whole:
            assert noise_of(table, "effect").whole is not None
        else:
            with pytest.raises(EstimateError):
                noise_of(table, "effect")


def test_one_contrast_needs_no_covariance():
    noise = noise_of(screen(50, 1), "a")
    assert noise.variances.shape == (1,)
    assert isinstance(noise, Noise)
    assert noise.whole is None


def test_own_estimates_that_tell_no_degrees_of_freedom_are_known():
    sigma = np.array([[0.25, 0.1], [0.1, 0.36]])
    own = xr.Dataset(
        {
            "ace": (("contrast", "task"), np.array([[1.0], [2.0]])),
            "se": (("contrast", "task"), np.sqrt(np.diagonal(sigma))[:, None]),
            "covariance": (("contrast", "contrast_", "task"), sigma[:, :, None]),
        },
        {"contrast": ["a", "b"], "contrast_": ["a", "b"], "task": ["t"]},
    )
    noise = noise_of(own, "t")
    assert noise.whole is not None
    np.testing.assert_allclose(noise.whole, sigma)


@pytest.mark.parametrize(("k", "share"), [(20, 0.15), (20, 0.4), (200, 0.15)])
def test_spikes_have_their_share_of_the_variance(k: int, share: float):
    """Contrasts that share a part of their variance: its mean over 20 trials."""
    rng = np.random.default_rng(6)
    n, found = 201, []
    for _ in range(20):
        ice = np.sqrt(share) * rng.normal(size=(n, 1)) + np.sqrt(
            1 - share
        ) * rng.normal(size=(n, k))
        factor = ice - ice.mean(axis=0)
        noise = spiked_noise(
            factor / np.sqrt((factor**2).sum(axis=0)), n - 1, np.ones(k), most=1
        )
        found.append(0.0 if noise.loadings is None else (noise.loadings**2).mean())
    # of the sample variance of one shared score, as a share of all
    sd = share * np.sqrt(2 / n)
    assert np.mean(found) == pytest.approx(
        share, abs=4.5 * sd / np.sqrt(20) + 0.05 * share
    )


def test_loadings_that_differ_go_to_the_contrasts_that_have_them():
    rng = np.random.default_rng(7)
    n, k = 301, 60
    loading = np.where(np.arange(k) % 2, 0.8, 0.1)
    ice = loading * rng.normal(size=(n, 1)) + np.sqrt(1 - loading**2) * rng.normal(
        size=(n, k)
    )
    factor = ice - ice.mean(axis=0)
    noise = spiked_noise(factor / np.sqrt((factor**2).sum(axis=0)), n - 1, np.ones(k))
    assert noise.loadings is not None
    shared = noise.loadings @ noise.loadings.T
    np.testing.assert_allclose(shared - np.outer(loading, loading), 0, atol=0.16)
    assert shared[1::2, 1::2].min() > 0.4 > 0.2 > shared[::2, ::2].max()


def test_loadings_are_drawn_towards_equal_ones_by_their_sampling_noise() -> None:
    rng = np.random.default_rng(0)
    loadings, variances, df = rng.normal(0, 0.3, (12, 2)), rng.uniform(0.5, 2, 12), 40.0
    found = _shrink_loadings(loadings, variances, df)
    equal = 1 / np.sqrt(variances)
    equal = equal / np.linalg.norm(equal)
    left = (1 - (loadings**2).sum(axis=1)).clip(0).sum() / df
    for j in range(2):
        fit = equal * (equal @ loadings[:, j])
        rest = loadings[:, j] - fit
        np.testing.assert_allclose(
            found[:, j], fit + max(1 - left / (rest @ rest), 0) * rest, rtol=1e-12
        )
    np.testing.assert_allclose(
        _shrink_loadings(1e-4 * loadings, variances, 2.0),
        np.outer(equal, equal @ loadings) * 1e-4,
    )


@pytest.mark.parametrize("signs", [[1, 1, 1, 1], [1, -1, 1, -1], [-1, 1, 1, 1]])
@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_one_shared_error_of_any_signs_is_one_factor(
    signs: list[int], size: float
) -> None:
    column = np.array([0.9, 0.5, 1.2, 0.3]) * signs * size
    own = np.array([1.0, 0.6, 0.5, 2.0]) * size**2
    found = as_one_factor(np.diag(own) + np.outer(column, column))
    assert found is not None
    np.testing.assert_allclose(found.variances, own, rtol=1e-6)
    np.testing.assert_allclose(
        np.outer(found.loadings, found.loadings), np.outer(column, column), rtol=1e-6
    )


def test_what_is_no_factor_or_leaves_nothing_is_none() -> None:
    assert (
        as_one_factor(np.array([[1.0, 0.3, 0.3], [0.3, 1.0, -0.3], [0.3, -0.3, 1.0]]))
        is None
    )
    for share, kept in (
        (0.94, True),
        (0.96, False),
    ):  # a twentieth of a variance remains
        column = np.sqrt([share, 0.3, 0.3])
        matrix = np.outer(column, column)
        np.fill_diagonal(matrix, 1.0)
        assert (as_one_factor(matrix) is not None) == kept
    two = as_one_factor(np.array([[4.0, -1.0], [-1.0, 9.0]]))
    assert two is not None
    np.testing.assert_allclose(
        two.loadings @ two.loadings.T + np.diag(two.variances),
        [[4.0, -1.0], [-1.0, 9.0]],
    )
    alone = as_one_factor(np.diag([1.0, 2.0, 3.0]))
    assert alone is not None
    assert alone.loadings is None
    np.testing.assert_allclose(alone.variances, [1, 2, 3])


@pytest.mark.parametrize("wide", [False, True])
def test_spikes_keep_every_variance_and_are_corrected_for_their_bias(
    wide: bool,
) -> None:
    rng = np.random.default_rng(1)
    rows, k = (60, 150) if wide else (200, 80)
    column = np.full(k, np.sqrt(0.5))
    data = rng.normal(size=(rows, 1)) * column + np.sqrt(0.5) * rng.normal(
        size=(rows, k)
    )
    factor = data - data.mean(axis=0)
    factor /= np.sqrt((factor**2).sum(axis=0))
    variances = rng.uniform(0.5, 2, k)
    noise = spiked_noise(factor, rows - 1.0, variances)
    assert noise.loadings is not None
    assert noise.loadings.shape == (k, 1)
    np.testing.assert_allclose(noise.marginal, variances)
    largest = np.linalg.eigvalsh(factor.T @ factor)[-1]
    level, ratio = 1.0, k / (rows - 1)
    for _ in range(200):
        half = largest + level - ratio * level
        spike = (half + np.sqrt(half**2 - 4 * largest * level)) / 2
        level = (k - (spike - level)) / k
    assert largest == pytest.approx(
        spike * (1 + ratio * level / (spike - level)), rel=1e-9
    )
    vector = np.linalg.eigh(factor.T @ factor)[1][:, -1:]
    expected = _shrink_loadings(vector * np.sqrt(spike - level), variances, rows - 1.0)
    scaled = noise.loadings / np.sqrt(variances)[:, None]
    np.testing.assert_allclose(np.abs(scaled), np.abs(expected), rtol=1e-6)
    pure = rng.normal(size=(rows, k))
    pure /= np.sqrt((pure**2).sum(axis=0))
    assert spiked_noise(pure * 0.9, rows - 1.0, variances).loadings is None


def test_the_unit_is_a_power_of_2_near_the_median_error() -> None:
    assert noise_unit(Noise(np.array([1 / 64, 1 / 64, 9.0]))) == 1 / 8
    assert noise_unit(Noise(np.array([40.0, 50.0]), np.array([[3.0], [4.0]]))) == 8.0


@pytest.mark.parametrize(("r", "df"), [(1, 20.0), (2, 30.0), (1, 3.0)])
def test_of_each_variance_a_part_is_left_that_grows_with_the_spikes(
    r: int, df: float
) -> None:
    """(r + 1) / df of it, at most half, where the spikes would take everything."""
    n = 40
    columns = np.zeros((r + 1, n))
    for k in range(r):
        columns[k, k::r] = 1.0
    found = spiked_noise(columns, df, np.full(n, 4.0))
    assert found.loadings is not None
    assert found.loadings.shape == (n, r)
    np.testing.assert_allclose(found.variances, 4 * min((r + 1) / df, 0.5), rtol=1e-6)
    np.testing.assert_allclose(found.marginal, 4.0, rtol=1e-12)


def test_noise_in_another_unit_has_its_variances_divided_by_the_square() -> None:
    whole = np.array([[4.0, 1.0], [1.0, 9.0]])
    one, other = (
        rescale_noise(Noise(np.diagonal(whole), whole=whole), 0.5),
        rescale_noise(Noise(np.array([4.0, 9.0]), np.array([[1.0], [-2.0]])), 0.5),
    )
    assert one.whole is not None
    assert other.loadings is not None
    np.testing.assert_array_equal(one.whole, 4 * whole)
    np.testing.assert_array_equal(one.variances, [16.0, 36.0])
    np.testing.assert_array_equal(other.loadings, [[2.0], [-4.0]])
    np.testing.assert_array_equal(other.marginal, [20.0, 52.0])


def test_scores_do_not_depend_on_the_sign_of_an_effect() -> None:
    effect, df = np.array([0.01, 1.0, 3.0, 40.0]), np.array([2.0, 5.0, 9.0, 3.0])
    up, down = (normal_scores(sign * effect, np.ones(4), df) for sign in (1, -1))
    np.testing.assert_array_equal(up, down)
    z = stats.norm.isf(stats.t.sf(effect[:3], df[:3]))
    np.testing.assert_allclose(up[:3], effect[:3] / z, rtol=1e-9)


@pytest.mark.parametrize(
    ("clusters", "whole"), [((20, 500), False), ((500, 21), True), ((21, 500), True)]
)
def test_a_covariance_is_whole_where_the_contrast_of_fewest_clusters_allows_it(
    clusters: tuple[int, int], whole: bool
) -> None:
    """Of two contrasts: from 20 degrees of freedom on."""
    names, correlation = ["a", "b"], np.array([[1.0, 0.3], [0.3, 1.0]])
    estimates = xr.Dataset(
        {
            "ace": (("contrast", "task"), [[1.0], [2.0]]),
            "se": (("contrast", "task"), [[1.0], [1.0]]),
            "covariance": (("task", "contrast", "contrast_"), correlation[None]),
            "n_clusters": ("contrast", list(clusters)),
        },
        {"contrast": names, "contrast_": names, "task": ["t"]},
    )
    assert (noise_of(estimates, "t").whole is not None) == whole
