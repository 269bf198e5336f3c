"""The normal law, exactly: against brute force, and at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from causalgia.analysis_values import Prior
from causalgia.posterior.density_grids import (
    _has_converged,
    _level_crossings,
    _narrow_support,
    resolve_density,
)
from causalgia.posterior.error_covariance import Noise, spiked_noise
from causalgia.posterior.exact import Design, Exact, log_prior_tau
from causalgia.posterior.normal import (
    _tau_upper_bound,
    cache_blocks,
    normal,
    weighted_regression,
)
from causalgia.posterior.predictor_level import (
    _regress_on_sum,
    draw_errors,
    over_predictors,
)

PRIORS = [
    Prior(),
    Prior(mu_sd=np.inf, tau_scale=2),
    Prior(mu_sd=0.3, tau_scale=1),
]


def brute_force(
    y: np.ndarray, s: np.ndarray, x: np.ndarray, prior: Prior, mu_sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray, np.ndarray]:
    """Mean and sd of effects, log evidence, lfsr and shrinkage from dense matrices at
    400 values of tau.
    """
    upper = 10 * prior.tau_scale
    z, w = np.polynomial.legendre.leggauss(400)
    scale = 1.0
    v, wv = (z + 1) / 2 * np.arcsinh(upper / scale), w / 2 * np.arcsinh(upper / scale)
    tau, jac = scale * np.sinh(v), scale * np.cosh(v)
    k, rows = len(y), []
    precision = np.diag(1 / mu_sd**2)
    for t in tau:
        inverse = np.linalg.inv(s + t**2 * np.eye(k))
        a = x.T @ inverse @ x + precision
        b = np.linalg.solve(a, x.T @ inverse @ y)
        quadratic = y @ inverse @ y - b @ a @ b
        log = 0.5 * (
            np.linalg.slogdet(inverse)[1] - np.linalg.slogdet(a)[1] - quadratic
        )
        if np.isfinite(mu_sd).all():
            log -= np.log(mu_sd).sum() + k / 2 * np.log(2 * np.pi)
        else:
            log -= (k - len(b)) / 2 * np.log(2 * np.pi)
        gain = t**2 * inverse
        left = x - gain @ x
        rows.append(
            (
                log,
                x @ b + gain @ (y - x @ b),
                t**2 * np.diag(np.eye(k) - gain)
                + np.einsum("ki,ij,kj->k", left, np.linalg.inv(a), left),
            )
        )
    logs = np.array([row[0] for row in rows]) + log_prior_tau(prior, tau)
    mass = np.exp(logs - logs.max()) * jac * wv
    evidence = logs.max() + np.log(mass.sum())
    mass /= mass.sum()
    means, variances = (np.array([row[i] for row in rows]) for i in (1, 2))
    mean = mass @ means
    below = mass @ stats.norm.cdf(-means / np.sqrt(variances))
    shrinkage = mass @ (np.diag(s) / (np.diag(s) + tau[:, None] ** 2))
    sd = np.sqrt(mass @ (variances + (means - mean) ** 2))
    return mean, sd, evidence, np.minimum(below, 1 - below), shrinkage


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: f"{p.tau_scale}-{p.mu_sd}")
@pytest.mark.parametrize("form", ["diagonal", "low rank", "whole"])
def test_against_dense_matrices(form: str, prior: Prior):
    rng = np.random.default_rng(11)
    k = 9
    d, loadings, x = (
        rng.uniform(0.3, 2, k),
        rng.normal(size=(k, 2)),
        rng.normal(size=(k, 1)) + 5,
    )
    y = rng.normal(size=k) * 2 + 1 + 0.5 * x[:, 0]
    sigma = np.diag(d) if form == "diagonal" else np.diag(d) + loadings @ loadings.T
    noise = {
        "diagonal": Noise(d),
        "low rank": Noise(d, loadings),
        "whole": Noise(np.diag(sigma).copy(), whole=sigma),
    }[form]
    post = normal(y, noise, prior, covariates=x)
    centered = np.column_stack([np.ones(k), x - x.mean(axis=0)])
    sds = prior.mu_sd / np.array([1.0, x.std()])
    mean, sd, evidence, lfsr, shrinkage = brute_force(y, sigma, centered, prior, sds)
    np.testing.assert_allclose(post.mean, mean, atol=1e-8)
    np.testing.assert_allclose(post.sd, sd, atol=1e-8)
    np.testing.assert_allclose(post.lfsr, lfsr, atol=1e-8)
    np.testing.assert_allclose(post.shrinkage, shrinkage, atol=1e-8)
    assert post.log_evidence == pytest.approx(evidence, abs=1e-7)
    n = 10_000
    draws = post.draw(n, np.random.default_rng(2))
    assert draws.beta.shape == (n, 1)
    assert (np.abs(draws.ace.mean(axis=0) - mean) < 4.5 * sd / np.sqrt(n)).all()
    assert (np.abs(draws.ace.std(axis=0) / sd - 1) < 0.06).all()
    under = (draws.ace < 0).mean(axis=0)
    wrong = np.minimum(under, 1 - under)
    assert (
        np.abs(wrong - post.lfsr)
        < 4.5 * np.sqrt(post.lfsr * (1 - post.lfsr) / n) + 2 / n
    ).all()


def test_draws_of_low_rank_noise_have_the_covariance_of_the_whole():
    rng = np.random.default_rng(12)
    k, n = 6, 30_000
    d, loadings = rng.uniform(0.3, 1, k), rng.normal(size=(k, 2))
    sigma = np.diag(d) + loadings @ loadings.T
    y = rng.normal(size=k)
    prior = Prior(tau_scale=1)
    one = normal(y, Noise(d, loadings), prior).draw(n, np.random.default_rng(1)).ace
    two = (
        normal(y, Noise(np.diag(sigma).copy(), whole=sigma), prior)
        .draw(n, np.random.default_rng(2))
        .ace
    )
    sd = one.std(axis=0)
    assert (np.abs(np.cov(one.T) - np.cov(two.T)) < 0.06 * np.outer(sd, sd)).all()


@given(st.floats(-8, 8), st.integers(0, 2), st.integers(1, 30))
@settings(max_examples=settings.default.max_examples * 2 // 3)
def test_any_scale_is_the_same_problem(exponent: float, which: int, k: int):
    unit = 10**exponent
    rng = np.random.default_rng(k)
    y, s = rng.normal(size=k) * 3, rng.uniform(0.5, 2, k)
    prior = PRIORS[which]
    other = Prior(mu_sd=prior.mu_sd * unit, tau_scale=prior.tau_scale * unit)
    a, b = (
        normal(y, Noise(s**2), prior),
        normal(y * unit, Noise((s * unit) ** 2), other),
    )
    np.testing.assert_allclose(b.mean / unit, a.mean, atol=1e-7)
    np.testing.assert_allclose(b.sd / unit, a.sd, rtol=1e-7)
    np.testing.assert_allclose(b.lfsr, a.lfsr, atol=1e-8)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: f"{p.tau_scale}-{p.mu_sd}")
@pytest.mark.parametrize(
    ("effect", "se"),
    [
        ([2.0], [1.0]),
        ([2.0, 2.0], [1.0, 1.0]),
        ([0.0, 0.0, 0.0], [1.0, 1e-8, 1e8]),
        ([1e8, 2e8, -1e8], [1e-4, 1.0, 1e4]),
        ([1e-300, 0.0], [1.0, 1.0]),
    ],
    ids=["one", "equal", "zero, uneven", "far", "tiny"],
)
def test_degenerate_input_is_answered(
    effect: list[float], se: list[float], prior: Prior
):
    post = normal(np.array(effect), Noise(np.array(se) ** 2), prior)
    draws = post.draw(50, np.random.default_rng(0))
    for values in (
        post.mean,
        post.sd,
        post.lfsr,
        post.shrinkage,
        draws.ace,
        draws.mu,
        draws.tau,
        np.array(post.log_evidence),
    ):
        assert np.isfinite(values).all()
    assert (post.sd >= 0).all()
    assert (post.lfsr <= 0.5).all()
    assert (draws.tau > 0).all()


def test_ten_thousand_zeros():
    post = normal(np.zeros(10_000), Noise(np.ones(10_000)), Prior())
    assert not post.mean.any()
    np.testing.assert_allclose(post.lfsr, 0.5)
    assert (post.sd < 0.03).all()
    assert (post.shrinkage > 0.999).all()


def test_equal_effects_are_pooled():
    post = normal(np.full(50, 3.0), Noise(np.ones(50)), Prior(mu_sd=np.inf))
    np.testing.assert_allclose(post.mean, 3.0)
    assert (post.sd < 0.3).all()


def test_large_screens_agree_with_dense_quadrature():
    """Many effects make the posterior of tau narrow: the few nodes that are left must
    still be enough.
    """
    rng = np.random.default_rng(6)
    k = 3_000
    s = rng.uniform(0.1, 0.6, k)
    y = 0.3 + 0.5 * rng.normal(size=k) + s * rng.normal(size=k)
    y[:20] += 6
    post = normal(y, Noise(s**2), Prior(mu_sd=2, tau_scale=1))
    tau = np.linspace(0.4, 0.9, 1001)
    w = 1 / (s**2 + tau[:, None] ** 2)
    a = w.sum(axis=1) + 1 / 4
    m = w @ y / a
    log = 0.5 * (np.log(w).sum(axis=1) - np.log(a) - w @ y**2 + a * m**2) - tau**2 / 2
    mass = np.exp(log - log.max())
    mass /= mass.sum()
    assert post.nodes.weight @ post.nodes.tau == pytest.approx(mass @ tau, rel=1e-9)
    shrink = (s**2)[:, None] * w.T
    mean = (y[:, None] - shrink * (y[:, None] - m)) @ mass
    np.testing.assert_allclose(post.mean, mean, atol=1e-9)


LAWS: list[tuple[Callable[[np.ndarray], np.ndarray], Any, float]] = [
    (lambda x: -(x**2) / 2, stats.halfnorm(), 40.0),
    (lambda x: -np.log1p(x**2), stats.halfcauchy(), 1e15),
    (lambda x: -x * 1e6, stats.expon(scale=1e-6), 1.0),
    (lambda x: 99 * np.log(np.maximum(x, 1e-300)) - x, stats.gamma(100), 1e4),
    (lambda x: -((np.maximum(x, 1e-300) - 7) ** 2) / 2e-8, stats.norm(7, 1e-4), 1e9),
]


@pytest.mark.parametrize(
    ("log_density", "law", "upper"),
    LAWS,
    ids=lambda x: getattr(getattr(x, "dist", x), "name", ""),
)
def test_a_density_is_resolved_whatever_its_shape(
    log_density: Any, law: Any, upper: float
):
    line = resolve_density(log_density, scale=1.0, upper=upper)
    p = np.array([1e-6, 0.01, 0.3, 0.5, 0.9, 0.9999])
    np.testing.assert_allclose(line.quantile(p), law.ppf(p), rtol=2e-7)
    draws = line.draw(20_000, np.random.default_rng(0))
    assert stats.kstest(draws, law.cdf).pvalue > 1e-3


def covered(k: int, n: int, seeds: range) -> dict[str, tuple[float, float, float]]:
    """Coverage of 90 % intervals of the top 2 % of effects, and their RMSE: shrunken,
    and raw.
    """
    found: dict[str, list[tuple[float, float, float]]] = {
        "oracle": [],
        "low rank": [],
        "whole": [],
    }
    for seed in seeds:
        rng = np.random.default_rng(seed)
        own = rng.uniform(0.5, 1, k)
        delta = 1.2 / np.sqrt(n) * rng.normal(size=k)
        ice = delta + rng.normal(size=(n, 1)) + own * rng.normal(size=(n, k))
        effect = ice.mean(axis=0)
        factor = (ice - effect) / np.sqrt(n * (n - 1))
        se = np.sqrt((factor**2).sum(axis=0))
        whole = factor.T @ factor + np.diag(1e-9 * se**2)
        noises = {
            "oracle": Noise(own**2 / n, np.full((k, 1), 1 / np.sqrt(n))),
            "low rank": spiked_noise(factor / se, n - 1, se**2),
            "whole": Noise(np.diag(whole).copy(), whole=whole),
        }
        top = np.argsort(-np.abs(effect))[: k // 50]
        for name, noise in noises.items():
            post = normal(effect, noise, Prior())
            inside = np.abs(post.below(delta) - 0.5) <= 0.45
            errors = [
                float(np.sqrt(((guess - delta)[top] ** 2).mean()))
                for guess in (post.mean, effect)
            ]
            found[name].append((float(inside[top].mean()), *errors))
    return {name: tuple(np.mean(rows, axis=0)) for name, rows in found.items()}


@pytest.mark.simulation
def test_selected_effects_are_covered_as_the_oracle_covers_them():
    """K > n with a shared control: low rank + diagonal covers; the whole estimated
    covariance does not.
    """
    found = covered(400, 100, range(20))
    assert found["oracle"][0] > 0.75
    assert abs(found["low rank"][0] - found["oracle"][0]) < 0.05
    assert found["whole"][0] < 0.65
    assert found["low rank"][1] < 0.75 * found["low rank"][2]


def test_loadings_too_many_for_one_product_have_the_same_posterior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    effect, noise = (
        rng.normal(size=12),
        Noise(rng.uniform(0.2, 1, 12), rng.normal(0, 0.6, (12, 2))),
    )
    whole = normal(effect, noise, Prior())
    drawn = whole.draw(5, np.random.default_rng(0)).ace
    monkeypatch.setattr("causalgia.posterior.normal._MOST_LOADING_PRODUCTS", 0)
    one_by_one = normal(effect, noise, Prior())
    np.testing.assert_allclose(one_by_one.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(one_by_one.sd, whole.sd, rtol=1e-12)
    np.testing.assert_allclose(
        one_by_one.draw(5, np.random.default_rng(0)).ace, drawn, rtol=1e-9
    )


@pytest.mark.parametrize("turned", [False, True])
def test_a_narrow_peak_between_the_first_points_is_found_beside_a_wide_one(
    turned: bool,
) -> None:
    """Half of the mass lies in a peak 20 times narrower than the steps of the first
    search, on either side.
    """
    places = (18.0, 6.5) if turned else (6.0, 17.5)
    peaks = [stats.norm(places[0], 0.3), stats.norm(places[1], 0.05)]
    found = resolve_density(
        lambda x: np.logaddexp(peaks[0].logpdf(x), peaks[1].logpdf(x)) - np.log(2),
        scale=1e5,
        upper=24.0,
    )
    assert found.log_total == pytest.approx(0, abs=1e-7)
    for power in (1, 2):
        assert found.weight @ found.value**power == pytest.approx(
            sum(p.moment(power) for p in peaks) / 2, rel=1e-7
        )


def test_a_level_is_crossed_where_a_line_crosses_it() -> None:
    v = np.arange(9.0)
    above = np.array([-3.0, -1.0, 1.0, 4.0, 5.0, 4.0, 3.0, -1.0, -9.0])
    assert _level_crossings(v, above) == (1.5, 6.75)
    assert _level_crossings(v, above + 3) == (0.0, pytest.approx(7 + 2 / 8))
    assert _level_crossings(v, above + 9) == (0.0, 8.0)
    # of 4 points within, one counts as a peak between points
    few = np.array([-9.0, -9, -1, 1, 2, 1, 0, -1, -9])
    assert _level_crossings(v, few - 0.5) == (0.0, 8.0)
    assert _level_crossings(v, few + 1) == (pytest.approx(2.0), pytest.approx(7.0))


DENSITIES: dict[str, tuple[Any, Any, float, float]] = {
    "half-normal": (
        lambda x: -(x**2) / 2,
        stats.halfnorm(),
        0.5 * np.log(np.pi / 2),
        40.0,
    ),
    "at an edge": (lambda x: -x / 0.03, stats.expon(scale=0.03), np.log(0.03), 40.0),
    "far and narrow": (
        lambda x: -(((x - 20) / 0.01) ** 2) / 2,
        stats.norm(20, 0.01),
        0.5 * np.log(2e-4 * np.pi),
        40.0,
    ),
    "from 0 up": (
        lambda x: 11 * np.log(x) - x,
        stats.gamma(12),
        np.log(39_916_800),
        200.0,
    ),
}


@pytest.mark.parametrize(
    "shape", ["half-normal", "at an edge", "far and narrow", "from 0 up"]
)
def test_a_density_on_the_half_line_has_its_integral_quantiles_and_moments(
    shape: str,
) -> None:
    log_density, law, log_total, upper = DENSITIES[shape]
    with np.errstate(divide="ignore"):
        found = resolve_density(lambda x: 2.5 + log_density(x), scale=1.0, upper=upper)
    p = np.array([1e-6, 0.001, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6])
    assert found.log_total == pytest.approx(2.5 + log_total, abs=1e-8)
    np.testing.assert_allclose(found.quantile(p), law.ppf(p), rtol=1e-6, atol=1e-9)
    for power in (0, 1, 2):
        assert found.weight @ found.value**power == pytest.approx(
            law.moment(power), rel=1e-8
        )
    assert (np.diff(found.value) > 0).all()
    np.testing.assert_array_equal(
        found.draw(5, np.random.default_rng(0)),
        found.quantile(np.random.default_rng(0).random(5)),
    )


def test_a_smooth_function_is_carried_to_many_places_and_a_rough_one_is_asked() -> None:
    found = resolve_density(lambda x: -((x - 3) ** 2) / 2, scale=1.0, upper=40.0)
    x = found.quantile(np.random.default_rng(0).random(2_000))
    asked = []

    def smooth(x: np.ndarray) -> np.ndarray:
        asked.append(len(x))
        return np.column_stack([np.sin(x), 1e-6 * x**2])

    carried = found.carry(smooth, x)
    assert max(asked) < 600
    np.testing.assert_allclose(carried, smooth(x), rtol=1e-8, atol=1e-13)
    rough = found.carry(lambda x: np.column_stack([np.sin(x), np.abs(x - 3)]), x)
    np.testing.assert_array_equal(rough, np.column_stack([np.sin(x), np.abs(x - 3)]))


@pytest.mark.parametrize("kind", ["even", "below 0"])
def test_a_function_is_carried_once_the_whole_tail_of_its_series_is_small(
    kind: str,
) -> None:
    """Every other coefficient of one series is 0, all of the other's are negative."""
    found = resolve_density(lambda x: -((x - 20) ** 2) / 2, scale=1e8, upper=40.0)
    lower, upper = found.scale * np.sinh(found.start), found.scale * np.sinh(found.stop)
    x, asked = found.quantile(np.random.default_rng(0).random(2_000)), []

    def function(x: np.ndarray) -> np.ndarray:
        asked.append(len(x))
        at = (2 * x - lower - upper) / (upper - lower)
        return (np.cos(60 * at) if kind == "even" else -1 / (1.05 - at))[:, None]

    carried = found.carry(function, x)
    assert max(asked) < 600
    np.testing.assert_allclose(carried, function(x), atol=1e-8)


def test_a_weighted_regression_is_that_of_the_normal_equations() -> None:
    rng = np.random.default_rng(0)
    x, y, v = rng.normal(size=(9, 2)), rng.normal(size=9), rng.uniform(0.1, 5, 9)
    expected = np.linalg.inv((x.T / v) @ x) @ (x.T / v) @ y
    np.testing.assert_allclose(weighted_regression(y, x, v), expected)


def test_a_series_has_converged_where_its_tail_is_small_on_either_side() -> None:
    series = np.r_[1.0, np.full(28, 1e-3), np.zeros(4)]
    assert _has_converged(series, 0.0)
    for far in (1e-6, -1e-6):
        for place in (-1, -4):  # the last eighth
            assert not _has_converged(
                np.r_[series[:place], far, series[place + 1 :] if place < -1 else []],
                0.0,
            )
    # of a height of which rounding leaves no more
    assert _has_converged(np.r_[series[:-1], -1e-6], 1e10)


@pytest.mark.parametrize("form", ["independent", "factors", "whole"])
def test_errors_given_their_sum_are_the_regression_on_it(form: str) -> None:
    rng = np.random.default_rng(0)
    variances, loadings = rng.uniform(0.5, 2, 5), rng.normal(size=(5, 2))
    sigma = np.diag(variances) + (
        loadings @ loadings.T if form != "independent" else 0.0
    )
    noise = {
        "independent": Noise(variances),
        "factors": Noise(variances, loadings),
        "whole": Noise(np.diagonal(sigma).copy(), whole=sigma),
    }[form]
    missing = rng.normal(size=(3, 5))
    expected = missing @ np.linalg.inv(sigma + 0.7 * np.eye(5)) @ sigma
    np.testing.assert_allclose(
        _regress_on_sum(missing, noise, 0.7), expected, rtol=1e-9
    )
    drawn = draw_errors(noise, 40_000, rng)
    mcse = np.sqrt(
        (np.outer(np.diagonal(sigma), np.diagonal(sigma)) + sigma**2) / 40_000
    )
    assert (np.abs(np.cov(drawn.T) - sigma) < 5 * mcse).all()


def test_the_spread_between_predictors_is_weighed_by_both_parts() -> None:
    """Nodes of tau_gamma against a fine sum: the deviations, the prior, and the
    evidence of the mean.
    """
    rng = np.random.default_rng(1)
    effect = rng.normal(size=(4, 1)) + rng.normal(0, 0.5, (4, 3))
    noise, prior = Noise(np.full(4, 0.04)), Prior(mu_sd=1.0, tau_scale=1.0)

    def build(mean: np.ndarray, noise: Noise) -> Exact:
        return normal(mean, noise, prior)

    found = over_predictors(effect, noise, prior, build)
    tau = np.geomspace(0.05, 10, 90)
    away = effect - effect.mean(axis=1, keepdims=True)
    height = stats.norm.logpdf(away[:, :, None], 0, tau).sum(axis=(0, 1)) + 4 * np.log(
        tau
    )  # 8 degrees of freedom of 12
    height += log_prior_tau(prior, tau) + np.log(tau)
    height += [
        build(effect.mean(axis=1), Noise(0.04 + np.full(4, t**2 / 3))).log_evidence
        for t in tau
    ]
    weight = np.exp(height - height.max())
    weight /= weight.sum()
    mean, second = (found.weight @ found.tau_gamma**p for p in (1, 2))
    assert mean == pytest.approx(weight @ tau, rel=1e-3)
    assert second == pytest.approx(weight @ tau**2, rel=5e-3)
    parts = [
        build(effect.mean(axis=1), Noise(0.04 + np.full(4, t**2 / 3))) for t in tau
    ]
    means = np.stack([part.mean for part in parts])
    np.testing.assert_allclose(found.mean, weight @ means, rtol=1e-3, atol=1e-4)
    square = (
        weight @ np.stack([p.sd**2 + m**2 for p, m in zip(parts, means, strict=True)])
        - (weight @ means) ** 2
    )
    np.testing.assert_allclose(found.sd, np.sqrt(square), rtol=2e-3)
    below = weight @ np.stack([part.below(np.zeros(4)) for part in parts])
    np.testing.assert_allclose(
        found.lfsr, np.minimum(below, 1 - below), rtol=5e-3, atol=1e-6
    )


def test_tau_is_searched_beyond_the_effects_and_their_priors() -> None:
    """Where too few effects are left beside a flat center, the widest prior of a
    coefficient is an end, too.
    """
    center = Design(np.ones((2, 2)), np.array([2.0, 50.0]))
    many = Prior(mu_sd=2, tau_scale=1)
    assert _tau_upper_bound(3.0, 9, center, many) == pytest.approx(
        3 * np.exp(2 + 36.0 / 46)
    )
    assert _tau_upper_bound(0.3, 9, center, many) == pytest.approx(
        1 * np.exp(2 + 36.0 / 46)
    )


@pytest.mark.parametrize(
    ("n", "width"), [(1, 1), (1000, 700), (5, 10**9), (100_000, 3), (7, 0)]
)
def test_blocks_hold_each_row_once(n: int, width: int) -> None:
    blocks = cache_blocks(n, width)
    np.testing.assert_array_equal(
        np.concatenate([np.arange(n)[part] for part in blocks]), np.arange(n)
    )
    assert all(part.stop - part.start == blocks[0].stop for part in blocks[:-1])


@pytest.mark.parametrize("sd", [0.3, 1.0, 7.0])
@pytest.mark.parametrize("middle", [0.0, 2.0, 15.0])
def test_quantiles_of_0_and_1_are_the_ends_of_the_support(
    sd: float, middle: float
) -> None:
    line = resolve_density(
        lambda x: -(((x - middle) / sd) ** 2) / 2, scale=1.0, upper=100.0
    )
    ends = np.sinh([line.start, line.stop])
    law = stats.truncnorm(-middle / sd, np.inf, middle, sd)
    found = line.quantile(np.array([0.0, 1.0, np.nextafter(1.0, 2.0), 1e-6, 1 - 1e-6]))
    assert ends[0] <= found.min()
    assert found.max() <= ends[1] * (1 + 1e-12)
    assert law.cdf(found[0]) < 1e-11
    assert law.sf(found[1:3]).max() < 1e-11
    np.testing.assert_allclose(found[3:], law.ppf([1e-6, 1 - 1e-6]), rtol=1e-5)


@pytest.mark.parametrize("at", [0.3, 2.0, 40.0])
def test_a_density_as_narrow_as_rounding_has_a_support_all_the_same(at: float) -> None:
    start, stop = _narrow_support(
        lambda v: -(((v - at) / (1e-14 * at)) ** 2), 0.0, 50.0
    )
    assert start <= at <= stop
    assert stop - start <= 1e-11 * at
