# Imports from the inside: the Student law, proved against fine grids.
"""The exact Student-t law: against fine quadrature, the normal law, outliers, and where
it is degenerate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kurtosis, norm, t as t_law

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError
from causalgia.posterior import student_t
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import (
    Exact,
    SharedMode,
    fixed_effects_design,
    linear_part,
    log_prior_tau,
)
from causalgia.posterior.normal import normal
from causalgia.posterior.scale_mixture import Components, residual_rows
from causalgia.posterior.student_t import (
    StudentModel,
    _mu_mesh,
    hyper_posterior,
    student,
    t_components,
)
from causalgia.types import Array

PRIOR = Prior(mu_sd=3, tau="half_normal", tau_scale=1)
TINY = 1e-290


def heavy(n: int, seed: int, outliers: int = 0) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    se = generator.uniform(0.1, 0.6, n)
    effect = 0.3 + 0.5 * generator.standard_t(4, n) + se * generator.normal(size=n)
    effect[:outliers] += 50 * generator.standard_normal(outliers) ** 3
    return effect, se


def convolved(residual: Array, se: Array, tau: float, nu: float) -> Array:
    """Log density of tau t_nu + N(0, se^2) at each residual: a fine trapezoid over the
    noise, per row.
    """
    x = np.linspace(-9, 9, 20_001)
    weight = norm.pdf(x) * (x[1] - x[0])
    return np.array(
        [
            np.log(t_law.pdf((r - s * x) / tau, nu) @ weight / tau)
            for r, s in zip(residual, se, strict=True)
        ]
    )


@pytest.mark.parametrize("nu", [1.0, 2.5, 4.0, 30.0])
@pytest.mark.parametrize("tau", [0.1, 0.5, 3.0])
def test_rows_are_right_to_seven_millionths_with_outliers(
    nu: float, tau: float
) -> None:
    residual = np.array([0.0, 0.1, -0.5, 1.0, 3.0, -10.0, 40.0, 300.0, -4_000.0])
    se = np.array([0.5, 0.05, 0.3, 0.5, 0.2, 0.5, 0.3, 0.5, 0.5])
    unit = t_components(nu, 4_000 / tau)
    mine = residual_rows(
        residual, se**2, Components(tau**2 * unit.variance, unit.weight)
    ).log_density
    np.testing.assert_allclose(mine, convolved(residual, se, tau, nu), atol=7e-6)


def test_there_are_at_least_24_nodes_and_they_reach_the_outliers() -> None:
    assert len(t_components(4, 0).weight) >= 24
    assert len(t_components(200, 0).weight) >= 24
    far = t_components(4, 1e4)
    assert far.variance.max() > 1e8 / 5
    assert far.weight.sum() == pytest.approx(1)


@pytest.mark.simulation
def test_hyperparameters_at_10_000_with_outliers() -> None:
    """tau is seen to 1 %: rows a little wrong add up to many posterior sd here, and
    hide in small problems.
    """
    effect, se = heavy(10_000, 1, outliers=30)
    answer = student(effect, Noise(se**2), PRIOR)
    tau, mu, weight = (
        answer.nodes.tau,
        answer.nodes.coefficients[:, 0],
        answer.nodes.weight,
    )
    mean, sd = weight @ tau, np.sqrt(weight @ (tau - weight @ tau) ** 2)
    x = np.linspace(-7, 7, 71)
    rule = norm.pdf(x) * (x[1] - x[0])
    places = effect[:, None] - weight @ mu - se[:, None] * x

    def height(t: float) -> float:
        """Profile of tau at the mean of mu; rows by a trapezoid over their noise."""
        density = (1 + (places / t) ** 2 / 4) ** -2.5 * 0.375 / t
        return float(
            np.log(density @ rule).sum() + log_prior_tau(PRIOR, np.array([t]))[0]
        )

    grid = mean + sd * np.linspace(-3, 3, 5)
    curve = np.polynomial.Polynomial.fit(grid, [height(t) for t in grid], 4)
    fine = np.linspace(grid[0] - sd, grid[-1] + sd, 801)
    density = np.exp(curve(fine) - curve(fine).max())
    center = density @ fine / density.sum()
    assert abs(center - mean) < 0.05 * sd
    assert np.sqrt(density @ (fine - center) ** 2 / density.sum()) == pytest.approx(
        sd, rel=0.05
    )


def small_by_grid(
    effect: Array, se: Array, prior: Prior
) -> tuple[Array, Array, float, float, float]:
    """Means and sd of effects, log evidence, means of tau and mu: one grid over (tau,
    mu, delta), nothing clever; scipy's densities take ten times as long.
    """

    def bell(x: Array) -> Array:
        return np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)

    def student_of_4(x: Array) -> Array:
        return 0.375 * (1 + x**2 / 4) ** -2.5

    x, mu = np.linspace(-9, 7, 161), np.linspace(-18, 18, 361)
    np.testing.assert_allclose(student_of_4(mu), t_law.pdf(mu, 4), rtol=1e-12)
    np.testing.assert_allclose(bell(mu), norm.pdf(mu), rtol=1e-12)
    tau, top = np.exp(x), np.zeros((161, 361))
    first, second = np.zeros((2, len(effect), 161, 361))
    z = np.sinh(np.linspace(-6, 6, 241))
    rule = t_law.pdf(z, 4) * np.cosh(np.linspace(-6, 6, 241)) * 0.05
    for k in range(len(effect)):
        for i, t in enumerate(tau):
            if t < 2 * se[k]:  # over z, where the noise is the wider
                delta = mu[:, None] + t * z
                f = bell((effect[k] - delta) / se[k]) / se[k] * rule
            else:
                delta = np.broadcast_to(
                    effect[k] + se[k] * np.linspace(-8, 8, 161), (361, 161)
                )
                f = (
                    student_of_4((delta - mu[:, None]) / t)
                    / t
                    * bell((effect[k] - delta) / se[k])
                    * 0.1
                )
            total = f.sum(axis=1)
            top[i] += np.log(total)
            first[k, i], second[k, i] = (
                (f * delta).sum(axis=1) / total,
                (f * delta**2).sum(axis=1) / total,
            )
    top += (log_prior_tau(prior, tau) + x)[:, None] + norm.logpdf(mu, 0, prior.mu_sd)
    mass = np.exp(top - top.max())
    evidence = np.log(mass.sum() * 0.1 * 0.1) + top.max()
    mass /= mass.sum()
    mean = (mass * first).sum(axis=(1, 2))
    return (
        mean,
        np.sqrt((mass * second).sum(axis=(1, 2)) - mean**2),
        evidence,
        mass.sum(1) @ tau,
        mass.sum(0) @ mu,
    )


@pytest.mark.parametrize(
    "effect", [[3.0], [-8.0, 8.0], [0.1, -0.3, 0.2, 0.0, 6.0, -0.1]]
)
def test_few_effects_against_a_plain_grid(effect: list[float]) -> None:
    values, se = np.array(effect), np.full(len(effect), 0.7)
    answer = student(values, Noise(se**2), PRIOR)
    mean, sd, evidence, tau, mu = small_by_grid(values, se, PRIOR)
    np.testing.assert_allclose(answer.mean, mean, atol=4e-3)
    np.testing.assert_allclose(answer.sd, sd, rtol=1e-2)
    assert answer.log_evidence == pytest.approx(evidence, abs=5e-3)
    assert answer.nodes.weight @ answer.nodes.tau == pytest.approx(tau, rel=5e-3)
    assert answer.nodes.weight @ answer.nodes.coefficients[:, 0] == pytest.approx(
        mu, abs=1e-2
    )


def hyper_by_grid(effect: Array, se: float, prior: Prior) -> tuple[float, float, float]:
    """Log evidence, mean of tau and sd of mu: the mean of any one effect has heavier
    tails, and is not asked.
    """
    x, mu = (
        np.linspace(
            np.log(1e-5 * prior.tau_scale), np.log(1e5 * (se + prior.tau_scale)), 161
        ),
        prior.mu_sd * np.linspace(-8, 8, 321),
    )
    top = (log_prior_tau(prior, np.exp(x)) + x)[:, None] + norm.logpdf(
        mu, 0, prior.mu_sd
    )
    y = np.linspace(-6, 6, 241)
    z, rule = np.sinh(y), t_law.pdf(np.sinh(y), 4) * np.cosh(y) * 0.05
    noise = np.linspace(-8, 8, 161)
    for row, tau in zip(top, np.exp(x), strict=True):
        far = (effect[:, None] - mu)[:, :, None]
        if tau < 2 * se:  # over z, where the noise is the wider
            row += np.log(norm.pdf(far, tau * z, se) @ rule + TINY).sum(axis=0)
        else:
            row += np.log(
                t_law.pdf((far - se * noise) / tau, 4) / tau @ norm.pdf(noise) * 0.1
            ).sum(axis=0)
    mass = np.exp(top - top.max())
    evidence = np.log(mass.sum() * (x[1] - x[0]) * (mu[1] - mu[0])) + top.max()
    mass /= mass.sum()
    return (
        evidence,
        mass.sum(1) @ np.exp(x),
        np.sqrt(mass.sum(0) @ mu**2 - (mass.sum(0) @ mu) ** 2),
    )


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("effect", "se", "prior"),
    [
        ([2.0], 0.5, Prior()),  # a thin ridge of mu at tau = 0, and far tails
        ([2.0, -1.0], 0.5, Prior()),
        ([2.0, 2.1, 30.0], 0.5, Prior(tau_scale=1)),
        (
            [150.0, -80.0, 300.0],
            500.0,
            Prior(),
        ),  # the prior tells all, of mu and of tau
        ([150.0, -80.0, 300.0], 500.0, Prior(mu_sd=1e-4, tau_scale=5)),
        ([150.0, -80.0, 300.0], 500.0, Prior(mu_sd=300, tau_scale=0.01)),
    ],
)
def test_few_effects_with_a_prior_far_wider_or_narrower_than_their_noise(
    effect: list[float], se: float, prior: Prior
) -> None:
    answer = student(np.array(effect), Noise(np.full(len(effect), se**2)), prior)
    evidence, tau, sd = hyper_by_grid(np.array(effect), se, prior)
    assert answer.log_evidence == pytest.approx(evidence, abs=5e-3)
    assert answer.nodes.weight @ answer.nodes.tau == pytest.approx(tau, rel=1e-2)
    mu, spread = answer.nodes.coefficients[:, 0], answer.nodes.coefficients_sd[:, 0]
    mean = answer.nodes.weight @ mu
    assert np.sqrt(
        answer.nodes.weight @ ((mu - mean) ** 2 + spread**2)
    ) == pytest.approx(sd, rel=1e-2)
    draws = answer.draw(20_000, np.random.default_rng(3))
    assert draws.mu.std() == pytest.approx(sd, rel=0.05)


@pytest.mark.parametrize("factors", [0, 2])
@pytest.mark.parametrize("covariates", [0, 1])
def test_many_degrees_of_freedom_are_the_normal_family(
    factors: int, covariates: int
) -> None:
    generator = np.random.default_rng(3)
    loadings = generator.normal(0, 0.4, size=(60, factors)) if factors else None
    noise = Noise(generator.uniform(0.1, 1, 60), loadings)
    x = generator.normal(size=(60, covariates)) if covariates else None
    effect = generator.normal(0.5, np.sqrt(noise.marginal + 0.4))
    mine = student(effect, noise, PRIOR, nu=1e6, covariates=x)
    other = normal(effect, noise, PRIOR, covariates=x)
    np.testing.assert_allclose(mine.mean, other.mean, atol=3e-4)
    np.testing.assert_allclose(mine.sd, other.sd, rtol=2e-3)
    np.testing.assert_allclose(mine.lfsr, other.lfsr, atol=1e-3)
    np.testing.assert_allclose(mine.shrinkage, other.shrinkage, atol=1e-3)
    assert mine.log_evidence == pytest.approx(other.log_evidence, abs=1e-3)
    draws = mine.draw(4_000, np.random.default_rng(0))
    assert np.abs(
        (draws.ace.mean(axis=0) - other.mean) / other.sd
    ).max() < 4.5 / np.sqrt(4_000)
    theirs = other.draw(4_000, np.random.default_rng(1))
    assert np.abs(
        np.corrcoef(draws.ace.T) - np.corrcoef(theirs.ace.T)
    ).max() < 6.5 / np.sqrt(4_000)
    assert draws.mu.std() == pytest.approx(theirs.mu.std(), rel=0.07)
    np.testing.assert_allclose(
        draws.beta.std(axis=0), theirs.beta.std(axis=0), rtol=0.07
    )


@pytest.mark.simulation
def test_factor_scores_against_quadrature() -> None:
    effect, se = heavy(60, 4)
    generator = np.random.default_rng(5)
    loadings = generator.normal(0, 0.5, size=(60, 1))
    effect = effect + 1.3 * loadings[:, 0]
    answer = student(effect, Noise(se**2, loadings), PRIOR)
    scores = np.linspace(0.3, 2.3, 21)
    given = [student(effect - loadings[:, 0] * f, Noise(se**2), PRIOR) for f in scores]
    height = np.array([g.log_evidence for g in given]) + norm.logpdf(scores)
    weight = np.exp(height - height.max())
    evidence = np.log(weight.sum() * (scores[1] - scores[0])) + height.max()
    weight /= weight.sum()
    mean = weight @ np.array([g.mean for g in given])
    sd = np.sqrt(weight @ np.array([g.sd**2 + (g.mean - mean) ** 2 for g in given]))
    np.testing.assert_allclose((answer.mean - mean) / sd, 0, atol=0.01)
    np.testing.assert_allclose(answer.sd, sd, rtol=0.01)
    assert answer.log_evidence == pytest.approx(evidence, abs=0.02)


@pytest.mark.simulation
@pytest.mark.parametrize("n", [12, 200])
def test_draws_are_those_of_the_posterior(n: int) -> None:
    effect, se = heavy(n, 6)
    answer = student(effect, Noise(se**2), PRIOR)
    draws = answer.draw(4_000, np.random.default_rng(1))
    root = np.sqrt(4_000)
    assert np.abs((draws.ace.mean(axis=0) - answer.mean) / answer.sd).max() < 4.5 / root
    assert (
        np.abs((draws.ace < 0).mean(axis=0) - answer.below(np.zeros(n))).max()
        < 4.5 * 0.5 / root
    )
    np.testing.assert_allclose(draws.ace.std(axis=0), answer.sd, rtol=0.1)
    tau, mu = (
        answer.nodes.weight @ answer.nodes.tau,
        answer.nodes.weight @ answer.nodes.coefficients[:, 0],
    )
    assert abs(draws.tau.mean() - tau) < 4.5 * draws.tau.std() / root
    assert abs(draws.mu.mean() - mu) < 4.5 * draws.mu.std() / root
    assert abs(np.corrcoef(draws.tau[1:], draws.tau[:-1])[0, 1]) < 4.5 / root
    np.testing.assert_array_equal(
        draws.ace, answer.draw(4_000, np.random.default_rng(1)).ace
    )


def test_an_outlier_is_shrunk_less_than_by_the_normal_family() -> None:
    effect = np.append(np.linspace(-0.3, 0.3, 40), 8.0)
    noise = Noise(np.full(41, 0.25))
    mine, other = student(effect, noise, PRIOR), normal(effect, noise, PRIOR)
    assert mine.mean[-1] > other.mean[-1]
    assert mine.shrinkage[-1] < 0.1 < mine.shrinkage[0]


DEGENERATE = {
    "one": ([3.0], [1.0]),
    "one at 0": ([0.0], [1.0]),
    "all 0": ([0.0] * 200, [0.3] * 200),
    "all equal": ([2.0] * 20, [0.5] * 20),
    "outlier": ([*np.linspace(-1, 1, 50), 1e4], [1.0] * 51),
    "outlier of few": ([*np.linspace(-1, 1, 7), 1e4], [1.0] * 8),
    "six decades of se": (
        list(np.linspace(-1, 1, 61)),
        list(10 ** np.linspace(-3, 3, 61)),
    ),
    "far apart": ([-60.0, 60.0], [1.0, 1.0]),
}


def is_finite(answer: Exact) -> None:
    draws = answer.draw(50, np.random.default_rng(0))
    for values in (
        answer.mean,
        answer.sd,
        answer.lfsr,
        answer.shrinkage,
        draws.ace,
        draws.mu,
        draws.tau,
    ):
        assert np.isfinite(values).all()
    assert (answer.sd > 0).all()
    assert (answer.lfdr == 0).all()


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize(
    "prior",
    [PRIOR, Prior(tau="uniform")],
)
def test_degenerate_input_is_answered(case: str, prior: Prior) -> None:
    effect, se = (np.array(x) for x in DEGENERATE[case])
    is_finite(student(effect, Noise(se**2), prior))


@pytest.mark.parametrize("factor", [1e-8, 3.7, 1e8])
@pytest.mark.parametrize("n", [10, 60])
def test_another_unit_gives_the_same_answer(factor: float, n: int) -> None:
    effect, se = heavy(n, 7)
    here = student(effect, Noise(se**2), Prior(mu_sd=2, tau_scale=1))
    there = student(
        factor * effect,
        Noise((factor * se) ** 2),
        Prior(mu_sd=2 * factor, tau_scale=factor),
    )
    np.testing.assert_allclose(there.mean, factor * here.mean, atol=1e-6 * factor)
    np.testing.assert_allclose(there.sd, factor * here.sd, rtol=1e-6)
    assert there.log_evidence + n * np.log(factor) == pytest.approx(
        here.log_evidence, abs=1e-6
    )


def test_a_flat_prior_needs_enough_effects() -> None:
    flat = Prior(mu_sd=np.inf, tau="uniform", tau_scale=np.inf)
    is_finite(student(np.array([1.0, 2.0, 5.0, 3.0]), Noise(np.ones(4)), flat))


def test_draws_about_a_far_center_have_the_moments_that_are_exact() -> None:
    """An effect at 0 is the outlier among effects of 10: which scales may hold it is
    read about their center.
    """
    effect = np.r_[10 + np.random.default_rng(0).normal(0, 0.5, 30), 0.0]
    answer = student(effect, Noise(np.full(31, 0.25)), Prior(mu_sd=20, tau_scale=1))
    ace = answer.draw(20_000, np.random.default_rng(1)).ace
    np.testing.assert_allclose(ace.mean(axis=0), answer.mean, atol=0.02)
    np.testing.assert_allclose(ace.std(axis=0), answer.sd, rtol=0.05)


@pytest.mark.parametrize("n", [4, 10, 60])
def test_effects_far_within_their_noise_have_the_normal_posterior(n: int) -> None:
    """Under flat priors nothing but the noise says how far tau and mu reach; with a df
    of 1e6 the law is normal.
    """
    effect, noise = 0.05 * np.cos(np.arange(n)), Noise(np.linspace(0.8, 1.3, n))
    flat = Prior(mu_sd=np.inf, tau="uniform", tau_scale=np.inf)
    mine, other = student(effect, noise, flat, nu=1e6), normal(effect, noise, flat)
    np.testing.assert_allclose(mine.mean, other.mean, atol=2e-3)
    np.testing.assert_allclose(mine.sd, other.sd, rtol=5e-3)
    np.testing.assert_allclose(mine.lfsr, other.lfsr, atol=2e-3)
    tau = [answer.nodes.weight @ answer.nodes.tau for answer in (mine, other)]
    assert tau[0] == pytest.approx(tau[1], rel=0.02)


def test_two_groups_of_effects_are_both_in_reach_of_the_center() -> None:
    """Heavy tails, 14 effects about 0 and 12 about 3: the center has mass far on one
    side of its mode.
    """
    rng = np.random.default_rng(0)
    effect, noise, prior = (
        np.r_[rng.normal(0, 0.5, 14), rng.normal(3, 0.5, 12)],
        Noise(np.full(26, 0.1)),
        Prior(tau_scale=0.01),
    )
    shared = linear_part(fixed_effects_design(26, None, prior), noise)
    here, there = (
        hyper_posterior(StudentModel(s * effect, noise.variances, shared, prior, 1.0))
        for s in (1, -1)
    )
    assert there.surface.log_total == pytest.approx(here.surface.log_total, abs=1e-9)


@pytest.mark.parametrize("nu", [1.5, 4.0, 30.0])
def test_nodes_of_the_law_give_its_density_out_to_the_farthest(nu: float) -> None:
    law = t_components(nu, 100.0)
    assert (np.diff(law.variance) > 0).all()
    assert law.weight.sum() == pytest.approx(1, abs=1e-14)
    x = np.array([0.0, 0.3, 2.0, 10.0, 100.0])
    density = norm.pdf(x[:, None], 0, np.sqrt(law.variance)) @ law.weight
    np.testing.assert_allclose(density, t_law.pdf(x, nu), rtol=3e-6)
    gaps = np.diff(np.log(law.variance))
    np.testing.assert_allclose(gaps, gaps[0])
    assert gaps[0] <= min(0.75 * np.sqrt(2 / (nu + 1)), 0.5) + 1e-12
    for side in (
        1,
        -1,
    ):  # the ends: 20 nats below the peak of the mixing density, and beyond for what is far
        end = -side * np.log(law.variance)[0 if side > 0 else -1]
        depth = nu / 2 * (np.expm1(end * side) - end * side)
        assert depth == pytest.approx(20, rel=1e-6) if side > 0 else depth > 20


def test_the_joint_density_of_tau_and_mu_is_that_of_convolutions() -> None:
    effect, se, prior = (
        np.array([0.3, -1.0, 5.0]),
        np.array([0.5, 1.0, 0.7]),
        Prior(mu_sd=2, tau_scale=1),
    )
    model = StudentModel(
        effect,
        se**2,
        linear_part(fixed_effects_design(3, None, prior), Noise(se**2)),
        prior,
        4.0,
    )
    mu = np.array([-0.5, 0.0, 2.0])
    for u in (0.4, 2.0):
        tau = float(model.tau(u))
        assert tau == pytest.approx(
            min(1 / np.sqrt(np.mean(1 / se**2)), 1.0) * np.sinh(u)
        )
        h = 1e-5
        jacobian = float(model.tau(u + h) - model.tau(u - h)) / (2 * h)
        assert model.log_prior(u) == pytest.approx(
            float(log_prior_tau(prior, np.array([tau]))[0]) + np.log(jacobian), abs=1e-8
        )
        rows = [convolved(effect - m, se, tau, 4.0).sum() for m in mu]
        expected = np.array(rows) + norm.logpdf(mu, 0, 2) + model.log_prior(u)
        np.testing.assert_allclose(model.log_joint(u, mu), expected, atol=5e-5)
    flat = Prior(mu_sd=np.inf, tau_scale=1)
    other = StudentModel(
        effect,
        se**2,
        linear_part(fixed_effects_design(3, None, flat), Noise(se**2)),
        flat,
        4.0,
    )
    np.testing.assert_allclose(
        model.log_joint(1.0, mu) - other.log_joint(1.0, mu),
        norm.logpdf(mu, 0, 2),
        atol=1e-9,
    )


@pytest.mark.parametrize("mu_sd", [0.5, 3.0, np.inf])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("least", [-2.0, 0.7])
def test_the_mesh_of_the_center_is_half_a_local_sd_apart_and_reaches_beyond_the_effects(
    mu_sd: float, sign: int, least: float
) -> None:
    effect, noise, prior = (
        sign * np.array([least, 0.5, 9.0]),
        np.array([0.3, 4.0, 0.5]),
        Prior(mu_sd=mu_sd, tau_scale=0.5),
    )
    model = StudentModel(
        effect,
        noise,
        linear_part(fixed_effects_design(3, None, prior), Noise(noise)),
        prior,
        4.0,
    )
    mesh, tau = _mu_mesh(model), float(model.tau(model.upper))
    sd = mu_sd if np.isfinite(mu_sd) else 10 * tau
    end = min(max(7 * sd, 9.0), 9 + 10 * tau) + 8 * 2
    assert mesh[0] <= -end < mesh[1]
    assert mesh[-2] < end <= mesh[-1]
    assert 0 in mesh
    # the end of each gap that is nearer to 0
    inner = np.where(mesh[:-1] >= 0, mesh[:-1], mesh[1:])
    local = 0.5 / np.sqrt(
        (1 / (noise + (inner[:, None] - effect) ** 2 / 9)).sum(axis=1)
    )
    gaps = np.minimum(local, 0.5 * sd + 0.2 * np.maximum(np.abs(inner) - 8 * sd, 0))
    np.testing.assert_allclose(np.diff(mesh), gaps, rtol=1e-9)


@pytest.mark.parametrize("mu_sd", [0.5, np.inf])
def test_the_mesh_of_effects_with_other_signs_is_its_mirror_image(mu_sd: float) -> None:
    prior, noise = Prior(mu_sd=mu_sd, tau_scale=0.5), np.array([0.3, 4.0, 0.5])
    shared = linear_part(fixed_effects_design(3, None, prior), Noise(noise))
    effect = np.array([40.0, 50.0, 90.0])
    there, mirrored = (
        _mu_mesh(StudentModel(sign * effect, noise, shared, prior, 4.0))
        for sign in (1, -1)
    )
    np.testing.assert_allclose(mirrored[::-1], -there, rtol=1e-12)
    assert there[-1] > 90


def test_beyond_the_upper_end_tau_has_next_to_no_mass() -> None:
    effect, noise = np.array([3.0, -7.0, 1.0]), np.array([0.3, 4.0, 0.5])
    for prior, power in (
        (Prior(mu_sd=2, tau_scale=1), 6),
        (Prior(mu_sd=np.inf, tau="half_cauchy", tau_scale=50), 3),
    ):
        model = StudentModel(
            effect,
            noise,
            linear_part(fixed_effects_design(3, None, prior), Noise(noise)),
            prior,
            4.0,
        )
        farthest = max(
            7 + 2, prior.tau_scale, prior.mu_sd if np.isfinite(prior.mu_sd) else 0
        )
        assert model.upper == pytest.approx(
            np.arcsinh(farthest / model.grain) + 2 + 20 / power
        )
    ends = Prior(mu_sd=2, tau="uniform", tau_scale=3)
    model = StudentModel(
        effect,
        noise,
        linear_part(fixed_effects_design(3, None, ends), Noise(noise)),
        ends,
        4.0,
    )
    assert float(model.tau(model.upper)) == pytest.approx(3)


def test_two_groups_of_many_effects_are_both_in_reach_whichever_side_they_lie() -> None:
    """Answers to effects and to their opposites are opposite; the smaller group lies 60
    sd from the mode.
    """
    generator = np.random.default_rng(5)
    effect = np.concatenate([generator.normal(0, 1, 15), generator.normal(20, 1, 13)])
    one, other = (
        student(sign * effect, Noise(np.ones(28)), Prior(tau="uniform", tau_scale=0.5))
        for sign in (1, -1)
    )
    np.testing.assert_allclose(one.mean, -other.mean, atol=1e-3)
    np.testing.assert_allclose(one.sd, other.sd, rtol=1e-3)
    drawn = one.draw(4_000, generator).ace
    assert (np.abs(drawn.mean(axis=0) - one.mean) < 4.5 * one.sd / np.sqrt(4_000)).all()
    assert one.log_evidence == pytest.approx(other.log_evidence, abs=1e-3)


def laplace_of(n: int) -> tuple[StudentModel, Array, list[SharedMode], Array, Array]:
    generator = np.random.default_rng(6)
    noise, prior = Noise(generator.uniform(0.5, 2, n)), Prior(tau_scale=1.0)
    effect = 0.5 + generator.standard_t(3, n)
    model = StudentModel(
        effect,
        noise.variances,
        linear_part(fixed_effects_design(n, None, prior), noise),
        prior,
        4.0,
    )
    u, modes = student_t._modes_along_tau(model)
    heights = np.array(
        [
            mode.log_integral + model.log_prior(x)
            for x, mode in zip(u, modes, strict=True)
        ]
    )
    y = np.linspace(-2.6, 2.6, 9)
    return model, u, modes, heights, y


def test_where_tau_has_mass_the_density_of_mu_is_the_exact_one() -> None:
    """At each distance sinh(y) sd of mu from its mode; where tau has next to none it
    stays as it was.
    """
    model, u, modes, heights, y = laplace_of(30)
    before = heights[:, None] - np.sinh(y) ** 2 / 2
    before[3] -= 100.0
    density = before.copy()
    student_t._replace_laplace(density, y, u, modes, model)
    for i, mode in enumerate(modes):
        sd = float(mode.root[0, 0])
        exact = model.log_joint(u[i], mode.value[0] + sd * np.sinh(y)) + np.log(
            sd * np.cosh(y)
        )
        far = before[i].max() < before.max() - 40
        np.testing.assert_allclose(density[i], before[i] if far else exact, rtol=1e-9)
    assert (density[3] == before[3]).all()


def test_modes_that_are_not_peaked_are_refused_where_tau_has_mass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(7)
    noise, prior = (
        Noise(np.ones(30), generator.normal(0, 0.5, (30, 1))),
        Prior(tau_scale=1.0),
    )
    design = fixed_effects_design(30, None, prior)
    model = StudentModel(
        generator.standard_t(3, 30),
        noise.variances,
        linear_part(design, noise),
        prior,
        4.0,
    )
    u, modes = student_t._modes_along_tau(model)
    height = np.array(
        [
            mode.log_integral + model.log_prior(x)
            for x, mode in zip(u, modes, strict=True)
        ]
    )
    share = np.exp(height - height.max()) / np.exp(height - height.max()).sum()
    assert share.min() < 1e-7
    for place, refused in (
        (share.argmin(), False),
        (share.argmax(), True),
        (np.abs(share - 1e-4).argmin(), True),
    ):
        some = [replace(mode, peaked=i != place) for i, mode in enumerate(modes)]
        monkeypatch.setattr(
            student_t, "_modes_along_tau", lambda _, some=some: (u, some)
        )
        if refused:
            with pytest.raises(EstimateError):
                hyper_posterior(model)
        else:
            hyper_posterior(model)


def test_components_reach_the_effect_that_lies_farthest() -> None:
    noise, prior = np.array([0.25, 0.04, 1.0]), Prior(tau_scale=1.0)
    effect = np.array([0.1, -300.0, 2.0])
    model = StudentModel(
        effect,
        noise,
        linear_part(fixed_effects_design(3, None, prior), Noise(noise)),
        prior,
        4.0,
    )
    found = residual_rows(effect, noise, model.components(0.3)).log_density
    np.testing.assert_allclose(
        found, convolved(effect, np.sqrt(noise), 0.3, 4.0), atol=7e-6
    )


def test_nodes_have_the_variance_of_mu_within_their_strata_too() -> None:
    """Of 30 effects on strata of mu: together with the variance between them, that of
    draws.
    """
    posterior = hyper_posterior(laplace_of(30)[0])
    nodes = posterior.nodes()
    mu = nodes.coefficients[:, 0]
    mean = nodes.weight @ mu
    variance = nodes.weight @ (nodes.root[:, 0, 0] ** 2 + (mu - mean) ** 2)
    drawn = posterior.draw(200_000, np.random.default_rng(0))[1][:, 0]
    assert abs(mean - drawn.mean()) < 4.5 * drawn.std() / np.sqrt(200_000)
    assert abs(variance / drawn.var() - 1) < 4.5 * np.sqrt(
        (kurtosis(drawn) + 2) / 200_000
    )


def test_draws_say_the_density_of_each_effect_at_their_tau_and_mu() -> None:
    """Of an outlier too, at the least tau that was drawn."""
    se = np.array([0.5, 0.2, 1.0, 0.3])
    effect = np.array([0.1, -300.0, 2.0, 0.4])
    draws = student(effect, Noise(se**2), Prior(tau_scale=2.0)).draw(
        40, np.random.default_rng(0)
    )
    assert draws.log_likelihood is not None
    found = draws.log_likelihood()
    at = [int(draws.tau.argmin()), 3, 17]
    expected = [
        convolved(effect - draws.mu[i], se, float(draws.tau[i]), 4.0) for i in at
    ]
    np.testing.assert_allclose(found[at], expected, atol=2e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_center_of_many_effects_ends_where_next_to_nothing_is_left_on_either_side(
    sign: int,
) -> None:
    """A second group of effects holds the density of mu up on one side alone, farther
    out than 7 sd of its mode.
    """
    effect, noise = (
        sign
        * np.append(np.linspace(-0.03, 0.03, 14), 8 + np.linspace(-0.03, 0.03, 12)),
        np.full(26, 0.01),
    )
    prior = Prior(mu_sd=3, tau="half_normal", tau_scale=0.3)
    shared = linear_part(fixed_effects_design(26, None, prior), Noise(noise))
    surface = hyper_posterior(StudentModel(effect, noise, shared, prior, 4.0)).surface
    density = surface.probability / np.outer(np.diff(surface.a), np.diff(surface.b))
    # 16 nats at the points, and cells lie within
    assert density[:, [0, -1]].max() < np.exp(-15.5) * density.max()
    assert surface.b[-1] == pytest.approx(-surface.b[0])
    assert surface.b[-1] > np.arcsinh(7.0)
