# Imports from the inside: the law of two scales: each of its parts proved against
# brute force.
"""The law of two scales: against brute force, its limits, and what it promises at
truths of many kinds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, ndtr
from scipy.stats import norm

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.posterior import two_scales as law_of_effects, two_scales_hyper
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import LinearPart, fixed_effects_design, linear_part
from causalgia.posterior.lattice import (
    Lattice,
    _replace_nonfinite,
    adaptive_cells,
    bin_estimates,
    build_lattice,
    sharpen_cells,
    tilted_quantile,
)
from causalgia.posterior.two_scales import two_scales
from causalgia.posterior.two_scales_hyper import TwoScaleModel, log_prior


def by_brute_force(
    effect: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Posterior mean, sd and P(< 0) by a sum over a grid of (mu, tau1, tau2, share);
    the median se is 1.
    """
    mu = np.linspace(-12, 14, 53)
    t1, excess, w = (
        np.geomspace(0.02, 40, 34),
        np.geomspace(0.02, 300, 34),
        (np.arange(16) + 0.5) / 16,
    )
    total, first, second, below = 0.0, 0.0, 0.0, 0.0
    for one in (False, True):
        narrow, gap = np.meshgrid(t1, excess[:1] if one else excess, indexing="ij")
        narrow, wide = narrow.ravel(), (narrow + 0 if one else 2 * narrow + gap).ravel()
        density = (
            np.exp(log_prior(narrow, wide, one=one))
            * narrow
            * (1 if one else gap.ravel())
        )
        density *= np.log(t1[1] / t1[0]) * (1 if one else np.log(excess[1] / excess[0]))
        for share in np.ones(1) if one else w:
            scales = np.stack([narrow, wide])[:, :, None, None] ** 2
            away = effect - mu[:, None]
            height = np.exp(-0.5 * away**2 / (noise + scales)) / np.sqrt(noise + scales)
            height *= np.array([share, 1 - share])[:, None, None, None]
            both = height.sum(axis=0)
            weight = density[:, None] * both.prod(axis=2) / (1 if one else len(w))
            part = height / both * weight[None, :, :, None]
            kept = scales / (scales + noise)
            mean, variance = mu[:, None] + kept * away, kept * noise
            total += weight.sum()
            first += (part * mean).sum(axis=(0, 1, 2))
            second += (part * (mean**2 + variance)).sum(axis=(0, 1, 2))
            below += (part * ndtr(-mean / np.sqrt(variance))).sum(axis=(0, 1, 2))
    mean = first / total
    return mean, np.sqrt(second / total - mean**2), below / total


@pytest.mark.parametrize(
    "effect",
    [
        [-0.3, 0.2, 0.5, 0.1, 8.0],
        [0.1, -0.2, 0.3, 0.0, 0.4],
        [-3.0, 3.0, 2.5, -2.0, 1.0, 0.0],
    ],
)
def test_it_is_what_a_sum_over_a_grid_is(effect: list[float]) -> None:
    noise = np.ones(len(effect))
    mean, sd, below = by_brute_force(np.array(effect), noise)
    found = two_scales(np.array(effect), Noise(noise))
    np.testing.assert_allclose(found.mean, mean, atol=0.04)
    np.testing.assert_allclose(found.sd, sd, rtol=0.04)
    np.testing.assert_allclose(found.lfsr, np.minimum(below, 1 - below), atol=0.015)


@pytest.mark.parametrize("size", [60, 100, 400, 3_000])
def test_many_large_effects_do_not_hide_the_small_ones(size: int) -> None:
    """Given scales the density has a mode about the mean of all effects too; most of
    them lie about the median.
    """
    rng = np.random.default_rng(size)
    truth = np.where(np.arange(size) < size / 6, 50.0, rng.normal(0, 0.5, size))
    law = (
        two_scales(truth + rng.normal(size=size), Noise(np.ones(size)))
        .draw(4_000, rng)
        .law
    )
    assert abs(np.median(law["share_narrow"]) - 5 / 6) < 0.1
    assert np.median(law["tau_narrow"]) < 1.5
    assert abs(np.median(law["tau_wide"]) / 50 - 1) < 0.3


def law_of_log_density(effect: np.ndarray, noise: np.ndarray) -> float:
    """Return the log evidence of two scales by a sum over a fine lattice of (mu, tau1,
    tau2, share).
    """
    mu = np.median(effect) + np.linspace(-1.5, 1.5, 31)
    t1, gap, w = (
        np.geomspace(0.02, 5, 30),
        np.geomspace(5, 400, 40),
        (np.arange(40) + 0.5) / 40,
    )
    total = []
    for narrow in t1:
        wide = 2 * narrow + gap
        first = np.exp(
            -0.5 * (effect - mu[:, None]) ** 2 / (noise + narrow**2)
        ) / np.sqrt(noise + narrow**2)
        scale = noise + wide[:, None, None] ** 2
        second = np.exp(-0.5 * (effect - mu[:, None]) ** 2 / scale) / np.sqrt(scale)
        rows = w[:, None, None, None] * first + (1 - w)[:, None, None, None] * second
        height = np.log(rows + 1e-300).sum(axis=-1)
        prior = log_prior(np.full(len(wide), narrow), wide, one=False) + np.log(
            narrow * gap
        )
        total.append(height + prior[None, :, None])
    cell = (mu[1] - mu[0]) * np.log(t1[1] / t1[0]) * np.log(gap[1] / gap[0]) / len(w)
    return float(
        logsumexp(total) + np.log(cell) - 0.5 * len(effect) * np.log(2 * np.pi)
    )


def test_the_evidence_is_that_of_a_sum_where_a_sixth_is_large() -> None:
    rng = np.random.default_rng(8)
    effect = np.where(np.arange(30) < 5, 50.0, rng.normal(0, 0.5, 30)) + rng.normal(
        size=30
    )
    assert two_scales(effect, Noise(np.ones(30))).log_evidence == pytest.approx(
        law_of_log_density(effect, np.ones(30)), abs=0.25
    )


@pytest.mark.parametrize("alike", [True, False])
def test_points_of_a_lattice_stand_for_thousands_of_effects(
    alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(9)
    noise = np.ones(4_000) if alike else rng.uniform(0.5, 1.5, 4_000) ** 2
    truth = np.where(
        rng.random(4_000) < 0.1, rng.normal(0, 4, 4_000), rng.normal(0, 0.3, 4_000)
    )
    effect = truth + np.sqrt(noise) * rng.normal(size=4_000)
    lattice = build_lattice(effect, noise)
    assert lattice is not None
    np.testing.assert_allclose(
        lattice.read(np.log1p(lattice.effect**2)), np.log1p(effect**2), atol=2e-3
    )
    monkeypatch.setattr("causalgia.posterior.two_scales._WORK", 10**12)
    quick = two_scales(effect, Noise(noise))
    monkeypatch.setattr("causalgia.posterior.two_scales.build_lattice", lambda *_: None)
    slow = two_scales(effect, Noise(noise))
    assert np.abs((quick.mean - slow.mean) / slow.sd).max() < 1e-3
    np.testing.assert_allclose(quick.sd, slow.sd, rtol=1e-3)
    np.testing.assert_allclose(quick.lfsr, slow.lfsr, atol=1e-3)
    np.testing.assert_allclose(quick.shrinkage, slow.shrinkage, atol=1e-3)
    assert quick.log_evidence == pytest.approx(slow.log_evidence, abs=0.02)


@pytest.mark.parametrize("alike", [True, False])
def test_the_law_of_thousands_of_effects_takes_few_densities(
    alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(10_000)
    noise = np.full(10_000, 0.09) if alike else rng.uniform(0.1, 0.6, 10_000) ** 2
    wide = rng.random(10_000) < 0.01
    effect = (
        0.3
        + np.where(wide, 2, 0.5) * rng.normal(size=10_000)
        + np.sqrt(noise) * rng.normal(size=10_000)
    )
    work, inner = [], two_scales_hyper._integrate_share_kernel

    def counted(*given: Any) -> None:
        # rows, points of the scales and of the share
        work.append(len(given[0]) * len(given[5]) * len(given[7]))
        inner(*given)

    monkeypatch.setattr(two_scales_hyper, "_integrate_share_kernel", counted)
    two_scales(effect, Noise(noise))
    # 4.2e6 and 72e6 where every point of the scales had nine of the share
    assert sum(work) < (1e6 if alike else 5e6)


def test_moments_are_read_well_where_most_effects_are_far_from_0(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Points of a lattice lie far apart there, and on them the probability of a sign
    jumps.
    """
    rng = np.random.default_rng(11)
    noise = np.exp(rng.uniform(np.log(0.3), np.log(3), 4_000)) ** 2
    effect = rng.exponential(4, 4_000) + np.sqrt(noise) * rng.normal(size=4_000)
    monkeypatch.setattr("causalgia.posterior.two_scales._WORK", 10**12)
    quick, read = two_scales(effect, Noise(noise)), []
    monkeypatch.setattr(Lattice, "read", lambda *given: read.append(given))
    monkeypatch.setattr("causalgia.posterior.two_scales.build_lattice", lambda *_: None)
    slow = two_scales(effect, Noise(noise))
    assert not read
    np.testing.assert_allclose(quick.lfsr, slow.lfsr, atol=5e-4)
    assert np.abs((quick.mean - slow.mean) / slow.sd).max() < 2e-3


@pytest.mark.parametrize("one", [False, True])
def test_slopes_are_those_of_the_log_density_of_the_scales(one: bool) -> None:
    rng = np.random.default_rng(2)
    effect = np.where(
        np.arange(60) % 5 == 0, rng.normal(0, 6, 60), rng.normal(0, 0.5, 60)
    ) + rng.normal(size=60)
    center = fixed_effects_design(60, None, Prior(mu_sd=np.inf))
    model = TwoScaleModel(
        effect, np.ones(60), linear_part(center, Noise(np.ones(60))), np.ones(60)
    )
    points = np.array([[-0.5, 0.3], [0.4, 0.8], [0.9, -0.6], [-1.0, 1.4]])[
        :, : 1 if one else 2
    ]

    def height(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.zeros(1) if one else two_scales_hyper.X
        found = two_scales_hyper.integrate_share(
            model, points, np.zeros((len(points), 2)), x, one=one
        )
        return two_scales_hyper._scales_log_density(found, points, one=one)

    slope = height(points)[1]
    for axis, step in enumerate(1e-3 * np.eye(points.shape[1])):
        by_differences = (height(points + step)[0] - height(points - step)[0]) / 2e-3
        # Laplace's factor is left out
        np.testing.assert_allclose(slope[:, axis], by_differences, rtol=0.05, atol=1)


def test_bins_in_another_unit_are_in_that_unit() -> None:
    rng = np.random.default_rng(4)
    noise = rng.uniform(0.5, 1.5, 600) ** 2
    effect = rng.normal(0, 3, 600) + np.sqrt(noise) * rng.normal(size=600)
    (mean, variance, count), other = (
        bin_estimates(effect, noise),
        bin_estimates(8 * effect, 64 * noise),
    )
    np.testing.assert_allclose(other, [8 * mean, 64 * variance, count], rtol=1e-12)
    assert count.sum() == 600
    assert count @ mean == pytest.approx(effect.sum())


def test_few_effects_are_not_put_on_a_lattice() -> None:
    assert build_lattice(np.arange(30.0), np.ones(30)) is None


def test_draws_agree_with_the_moments() -> None:
    rng = np.random.default_rng(0)
    effect = np.r_[rng.normal(0, 1.1, 50), 9.0, -12.0]
    found = two_scales(effect, Noise(np.full(52, 0.8)))
    draws = found.draw(40_000, rng)
    np.testing.assert_allclose(draws.ace.mean(axis=0), found.mean, atol=0.04)
    np.testing.assert_allclose(draws.ace.std(axis=0), found.sd, rtol=0.05)
    assert set(draws.law) == {"tau_narrow", "tau_wide", "share_narrow"}
    assert (draws.law["tau_wide"] >= 2 * draws.law["tau_narrow"] - 1e-9).mean() > 0.5


def test_another_unit_and_another_place_change_nothing_else() -> None:
    effect, noise = np.random.default_rng(1).normal(0, 2, 40), np.full(40, 0.5)
    one = two_scales(effect, Noise(noise))
    other = two_scales(-100 * effect + 7, Noise(100**2 * noise))
    np.testing.assert_allclose(other.mean, -100 * one.mean + 7, atol=2.0)
    np.testing.assert_allclose(other.sd, 100 * one.sd, rtol=0.02)


def test_which_law_is_the_default() -> None:
    rng = np.random.default_rng(2)
    for size, law in ((1, "normal"), (9, "normal"), (10, "two_scales")):
        posterior = cg.infer(
            cg.from_effects(rng.normal(0, 1, size), np.full(size, 0.5)), rng=0
        )
        assert posterior["posterior"].attrs["law"] == law
        moments = posterior["moments"]
        width = (moments["upper_unshrunken"] - moments["lower_unshrunken"]).values
        np.testing.assert_allclose(width, 2 * 1.959964 * 0.5, rtol=1e-6)


def test_one_effect_is_its_unshrunken_answer() -> None:
    posterior = cg.infer(cg.from_effects([3.0], [0.5]), rng=0)
    assert posterior["moments"]["mean"].item() == pytest.approx(3.0, abs=1e-6)
    assert posterior["moments"]["sd"].item() == pytest.approx(0.5, rel=2e-3)


def test_no_interval_has_zero_width() -> None:
    rng = np.random.default_rng(3)
    estimates = cg.from_effects(np.r_[rng.normal(0, 0.5, 60), 5.0], np.full(61, 0.5))
    decisions = cg.decide(cg.infer(estimates, rng=0), rope=(-0.5, 0.5))
    assert (decisions["shrunken_upper"] > decisions["shrunken_lower"]).all()


TRUTHS = {
    "N(0, .5)": lambda rng, k: rng.normal(0, 0.5, k),
    "N(0, 2)": lambda rng, k: rng.normal(0, 2, k),
    "a sixth at 50": lambda rng, k: np.where(
        np.arange(k) < k / 6, 50.0, rng.normal(0, 0.5, k)
    ),
    "10 % wide": lambda rng, k: np.where(
        rng.random(k) < 0.1, rng.normal(0, 4, k), rng.normal(0, 0.3, k)
    ),
    "sparse": lambda rng, k: np.where(rng.random(k) < 0.05, rng.normal(0, 5, k), 0.0),
    "one-sided": lambda rng, k: rng.exponential(2, k),
}


@pytest.mark.simulation
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize(("size", "n_trials"), [(30, 80), (100, 30)])
def test_intervals_and_negligibles_hold_at_truths_of_many_kinds(
    truth: str, size: int, n_trials: int
) -> None:
    rng, covered, wrong = np.random.default_rng(len(truth) + size), [], []
    for _ in range(n_trials):
        true = TRUTHS[truth](rng, size)
        draws = (
            two_scales(true + rng.normal(size=size), Noise(np.ones(size)))
            .draw(1_000, rng)
            .ace
        )
        lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
        covered.append(((lower <= true) & (true <= upper)).mean())
        negligible = (np.abs(draws) < 1).mean(axis=0) >= 0.95
        wrong.append(
            (negligible & (np.abs(true) >= 1)).sum() / max(negligible.sum(), 1)
        )
    error = np.std(covered) / np.sqrt(n_trials)
    assert np.mean(covered) > 0.85 - 4 * error
    assert np.mean(wrong) < 0.05 + 4 * np.std(wrong) / np.sqrt(n_trials)


def test_nodes_and_draws_have_one_center() -> None:
    """The sd of mu by its nodes, spread and sd within each together, is that of its
    draws, in any unit.
    """
    rng = np.random.default_rng(4)
    effect = 20 * (
        np.where(rng.random(60) < 0.2, rng.normal(0, 6, 60), rng.normal(0, 0.4, 60))
        + rng.normal(size=60)
    )
    answer = two_scales(effect, Noise(np.full(60, 400.0)))
    mu, sd, w = (
        answer.nodes.coefficients[:, 0],
        answer.nodes.coefficients_sd[:, 0],
        answer.nodes.weight,
    )
    mean = w @ mu
    draws = answer.draw(20_000, rng).mu
    assert draws.mean() == pytest.approx(mean, abs=4 * draws.std() / np.sqrt(20_000))
    assert draws.std() == pytest.approx(
        np.sqrt(w @ (sd**2 + (mu - mean) ** 2)), rel=0.03
    )


def test_probabilities_below_any_number_are_shares_of_draws() -> None:
    rng = np.random.default_rng(5)
    effect = 20 * np.array([-0.3, 0.2, 0.5, 0.1, 8.0, -2.0])
    answer = two_scales(effect, Noise(np.full(6, 400.0)))
    draws = answer.draw(20_000, rng).ace
    for x in (np.full(6, -10.0), np.full(6, 15.0), effect):
        np.testing.assert_allclose(
            answer.below(x), (draws <= x).mean(axis=0), atol=4.5 * 0.5 / np.sqrt(20_000)
        )


def test_a_smaller_model_with_covariates_has_effects_evenly_spaced_by_rank() -> None:
    rng = np.random.default_rng(2)
    effect, columns = (
        rng.normal(size=1_000),
        np.column_stack([np.ones(1_000), rng.normal(size=1_000)]),
    )
    shared = LinearPart(columns, np.array([0.0, 1.0]), 2)
    fewer = TwoScaleModel(effect, 1 + effect**2, shared, np.ones(1_000)).fewer()
    assert len(fewer.effect) == 500
    assert (np.diff(fewer.effect) > 0).all()
    assert (fewer.effect[0], fewer.effect[-1]) == (effect.min(), effect.max())
    np.testing.assert_array_equal(fewer.noise, 1 + fewer.effect**2)
    rows = [int(np.flatnonzero(effect == e)[0]) for e in fewer.effect]
    np.testing.assert_array_equal(fewer.shared.columns, columns[rows])
    assert np.diff(np.searchsorted(np.sort(effect), fewer.effect)).max() <= 3


def test_the_evidence_in_another_unit_is_that_of_a_flat_center() -> None:
    """Each of K estimates has a density, and the flat mu takes one of the K units
    back.
    """
    effect = np.array([-0.3, 0.2, 0.5, 0.1, 8.0])
    here, there = (
        two_scales(size * effect, Noise(np.full(5, size**2))).log_evidence
        for size in (1.0, 32.0)
    )
    assert there - here == pytest.approx(-4 * np.log(32), abs=1e-6)


# --- kernels, each against the same sums in numpy -------------------------------------


def rows_of(n: int, *, alike: bool, m: int = 2) -> tuple[np.ndarray, ...]:
    """Estimates, noise variances, counts and columns (m, n): more rows than a kernel
    takes at a time.
    """
    rng = np.random.default_rng(n + m)
    columns = np.vstack([np.ones(n), rng.normal(size=(m - 1, n))])
    return (
        rng.normal(1, 2, n),
        rng.uniform(0.5, 2, n),
        np.ones(n) if alike else rng.uniform(0.2, 3, n),
        columns,
    )


def log_joint(
    data: tuple[np.ndarray, ...],
    precision: np.ndarray,
    v: np.ndarray,
    p: float,
    b: np.ndarray,
) -> float:
    effect, noise, count, columns = data
    rest = effect - b @ columns
    both = sum(
        w * norm.pdf(rest, 0, np.sqrt(noise + scale))
        for w, scale in zip((p, 1 - p), v, strict=True)
    )
    return float(count @ np.log(both) - 0.5 * precision @ b**2)


@pytest.mark.parametrize(("alike", "m"), [(True, 2), (False, 1)])
def test_the_share_and_the_coefficients_are_integrated(alike: bool, m: int) -> None:
    """Against a fine sum over the share, the coefficients by Laplace about a mode that
    scipy finds.
    """
    data = rows_of(300, alike=alike, m=m)
    effect, noise, count, columns = data
    precision = np.array([0.0, 2.0])[:m]
    model = TwoScaleModel(
        effect, noise, LinearPart(columns.T.copy(), precision, 1), count
    )
    points = np.array([[-0.5, 0.3], [0.4, -0.6]])
    narrow, wide, _ = two_scales_hyper.scales_at(points, one=False)
    found, before, after = (
        two_scales_hyper.integrate_share(
            model, points, np.zeros((2, 1 + m)), two_scales_hyper.X + h, one=False
        )
        for h in (0.0, -0.01, 0.01)
    )
    slope = (after.log_terms - before.log_terms) / 0.02
    # Laplace's factor is left out
    np.testing.assert_allclose(found.slope, slope, rtol=0.05, atol=0.1)
    constant = 0.5 * np.log(precision[precision > 0]).sum() + 0.5 * (
        precision == 0
    ).sum() * np.log(2 * np.pi)
    for i in range(2):
        v = np.array([narrow[i], wide[i]]) ** 2

        def given_share(
            p: float, v: np.ndarray = v
        ) -> tuple[float, np.ndarray, np.ndarray]:
            best = minimize(
                lambda b: -log_joint(data, precision, v, p, b), np.ones(m), tol=1e-10
            )
            step = 1e-3 * np.eye(m)
            near = [
                [
                    [log_joint(data, precision, v, p, best.x + a + c) for c in (b, -b)]
                    for b in step
                ]
                for a in step
            ]
            far = [
                [
                    [log_joint(data, precision, v, p, best.x - a + c) for c in (b, -b)]
                    for b in step
                ]
                for a in step
            ]
            bend = -(np.array(near) - np.array(far)) @ [1, -1] / 4e-6
            return -best.fun - 0.5 * np.linalg.slogdet(bend)[1], best.x, bend

        logits = found.logit[i, 0] + found.logit[i, 1] * np.sinh(two_scales_hyper.X)
        for s in (0, 4, 8):  # both ends of the share, and its mode
            height, value, bend = given_share(float(expit(logits[s])))
            np.testing.assert_allclose(found.value[i, s], value, atol=0.02)
            stretch = found.logit[i, 1] * np.cosh(two_scales_hyper.X[s])
            height += (
                np.log(stretch * expit(logits[s]) * expit(-logits[s]) * 0.6) + constant
            )
            assert found.log_terms[i, s] == pytest.approx(height, abs=5e-3)
            if s == 4:
                np.testing.assert_allclose(
                    found.root[i] @ found.root[i].T,
                    np.linalg.inv(bend),
                    rtol=0.02,
                    atol=1e-4,
                )
        nodes, weights = np.polynomial.legendre.leggauss(25)
        total = (
            logsumexp([given_share((x + 1) / 2)[0] for x in nodes], b=weights / 2)
            + constant
        )
        assert found.log_integral[i] == pytest.approx(total, abs=5e-3)
        assert found.state[i, 0] == found.logit[i, 0]


def test_one_scale_has_no_share_to_integrate() -> None:
    effect, noise, count, columns = rows_of(40, alike=True)
    model = TwoScaleModel(
        effect, noise, LinearPart(columns.T.copy(), np.array([0.0, 2.0]), 1), count
    )
    found = two_scales_hyper.integrate_share(
        model, np.array([[0.3], [-1.0]]), np.zeros((2, 3)), np.zeros(1), one=True
    )
    for i, tau in enumerate(np.exp([0.3, -1.0])):
        weight = 1 / (noise + tau**2)
        information = np.diag([0.0, 2.0]) + columns * weight @ columns.T
        value = np.linalg.solve(information, columns @ (weight * effect))
        height = log_joint(
            (effect, noise, count, columns),
            np.array([0.0, 2.0]),
            np.full(2, tau**2),
            1.0,
            value,
        )
        height += (
            0.5 * np.log(2.0)
            + 0.5 * np.log(2 * np.pi)
            - 0.5 * np.linalg.slogdet(information)[1]
        )
        np.testing.assert_allclose(found.value[i, 0], value, rtol=1e-6)
        np.testing.assert_allclose(
            found.root[i] @ found.root[i].T,
            np.linalg.inv(information),
            rtol=1e-6,
            atol=1e-12,
        )
        assert found.log_integral[i] == pytest.approx(height, abs=1e-6)


@pytest.mark.parametrize("one", [True, False])
def test_the_prior_of_the_scales_has_the_mass_that_it_says(one: bool) -> None:
    def density(x: float, narrow: float) -> float:
        return float(np.exp(log_prior(np.array([narrow]), np.array([x]), one=False))[0])

    for narrow in (0.2, 1.0, 4.0):
        first = narrow * (1 + narrow**2) ** -1.5
        if one:
            assert np.exp(log_prior(np.array([narrow]), np.array([narrow]), one=True))[
                0
            ] == pytest.approx(0.1 * first)
        else:
            mass = quad(density, 2 * narrow, np.inf, args=(narrow,))[0]
            assert mass == pytest.approx(0.9 * first, rel=1e-6)
            ratio = density(10.0, narrow) / density(20.0, narrow)
            c = max(3.0, 3 * narrow)
            assert ratio == pytest.approx((1 + (20 / c) ** 2) / (1 + (10 / c) ** 2))


@pytest.mark.parametrize("one", [True, False])
def test_coordinates_of_the_scales_have_the_jacobian_they_say(one: bool) -> None:
    for point in ([-0.7, 0.4], [0.9, -0.3]):
        here = np.array([point])[:, : 1 if one else 2]

        def scales(x: np.ndarray) -> np.ndarray:
            narrow, wide, _ = two_scales_hyper.scales_at(x, one=one)
            return np.concatenate([narrow] if one else [narrow, wide])

        narrow, wide, log_jacobian = two_scales_hyper.scales_at(here, one=one)
        steps = 1e-6 * np.eye(here.shape[1])
        jacobian = np.array(
            [(scales(here + e) - scales(here - e)) / 2e-6 for e in steps]
        )
        assert log_jacobian[0] == pytest.approx(
            np.log(np.linalg.det(jacobian)), abs=1e-6
        )
        assert narrow[0] == pytest.approx(np.exp(point[0]))
        c = 3 * max(1.0, narrow[0])
        assert wide[0] == (
            narrow[0] if one else pytest.approx(2 * narrow[0] + c * np.exp(point[1]))
        )


@pytest.mark.parametrize("n_nodes", [1, 9])
def test_a_cell_and_a_place_in_it_are_drawn_by_inversion(n_nodes: int) -> None:
    rng = np.random.default_rng(3)
    nodes = np.zeros(1) if n_nodes == 1 else two_scales_hyper.X
    weight = rng.random((5, n_nodes))
    ends, center, size = (
        np.cumsum(weight),
        rng.normal(size=(5, 2)),
        rng.uniform(0.2, 1, (5, 2)),
    )
    slope, along = rng.normal(0, 4, (5, 2)), rng.normal(0, 4, (5, n_nodes))
    u, places = np.append(rng.random(40), 1.0), rng.random((41, 3))
    cell, at, points, x = (
        np.empty(41, np.intp),
        np.empty(41, np.intp),
        np.empty((41, 2)),
        np.empty(41),
    )
    given = (ends, center, size, slope, along, nodes, u, places, cell, at, points, x)
    two_scales_hyper._draw_cells_kernel(*given)

    def quantile(rise: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Of the density exp(rise x) on (-1/2, 1/2), from its higher end."""
        u = np.where(rise > 0, 1 - u, u)
        return (
            np.log(np.exp(-rise / 2) + u * (np.exp(rise / 2) - np.exp(-rise / 2)))
            / rise
        )

    place = np.minimum(np.searchsorted(ends, u * ends[-1], side="right"), len(ends) - 1)
    np.testing.assert_array_equal([cell, at], np.divmod(place, n_nodes))
    rise = slope[cell] * size[cell]
    np.testing.assert_allclose(
        points, center[cell] + size[cell] * quantile(rise, places[:, :2]), atol=1e-9
    )
    step = 0.6 if n_nodes > 1 else 0.0
    away = quantile(0.5 * step * along[cell, at] if step else np.ones(41), places[:, 2])
    np.testing.assert_allclose(x, nodes[at] + step * away, atol=1e-9)


def test_moments_are_sums_over_nodes_strata_and_scales() -> None:
    rng = np.random.default_rng(5)
    effect, noise, _, columns = rows_of(9, alike=True, m=3)
    marginal, x = noise + 0.3, rng.normal(size=9)
    n, n_center = 4, 2
    value, root = rng.normal(size=(n, 3)), np.tril(rng.normal(0, 0.3, (n, 3, 3)))
    weight, narrow = np.array([0.1, 0.4, 0.3, 0.2]), rng.uniform(0.1, 1, n)
    wide, share = narrow * 5, np.array([0.2, 0.7, 1.0, 0.5])
    place, width = np.array([-1.1, 0.0, 1.1]), np.array([0.5, 0.3, 0.5])
    sums = np.zeros((2, 6, 9))
    given = (
        effect,
        noise,
        marginal,
        x,
        columns,
        n_center,
        value,
        root,
        weight,
        narrow,
        wide,
        share,
        place,
        width,
    )
    law_of_effects._add_moments_kernel(*given, sums)
    expected = np.zeros((2, 6, 9))
    for i in range(n):
        a = columns[:n_center].T @ root[i][:n_center]
        b = columns.T @ root[i]
        sd = np.sqrt((b**2).sum(axis=1))
        slope = (a * b).sum(axis=1) / sd
        rest = (a**2).sum(axis=1) - slope**2
        center, linear = (
            columns[:n_center].T @ value[i][:n_center],
            columns.T @ value[i],
        )
        for h in range(3):
            r = effect - linear - sd * place[h]
            v = np.array([narrow[i], wide[i]])[:, None] ** 2
            density = np.array([share[i], 1 - share[i]])[:, None] * norm.pdf(
                r, 0, np.sqrt(noise + v)
            )
            own = weight[i] / 3 * density / density.sum(axis=0)
            gain = v / (v + noise)
            mean = center + slope * place[h] + gain * r
            variance = gain * noise + (width[h] * (slope - gain * sd)) ** 2 + rest
            below = norm.cdf((x - mean) / np.sqrt(variance))
            off = mean - effect
            each = (
                off,
                variance + off**2,
                below,
                1 - below,
                marginal / (marginal + v),
                np.ones_like(v),
            )
            expected += np.stack([own * part for part in each], axis=1)
    np.testing.assert_allclose(sums, expected, rtol=1e-8, atol=1e-10)


def test_draws_of_effects_are_those_of_their_numbers() -> None:
    rng = np.random.default_rng(6)
    n, size = 50, 8
    residual, location, noise = (
        rng.normal(0, 3, (n, size)),
        rng.normal(size=(n, size)),
        rng.uniform(0.3, 2, size),
    )
    narrow, wide, share = (
        rng.uniform(0.1, 1, n) ** 2,
        rng.uniform(2, 5, n) ** 2,
        rng.random(n),
    )
    u, z, out = rng.random((n, size)), rng.normal(size=(n, size)), np.empty((n, size))
    law_of_effects._draw_two_scales_kernel(
        residual, location, noise, narrow, wide, share, u, z, out
    )
    first, second = (
        norm.pdf(residual, 0, np.sqrt(noise + v[:, None])) for v in (narrow, wide)
    )
    likely = (
        share[:, None]
        * first
        / (share[:, None] * first + (1 - share[:, None]) * second)
    )
    v = np.where(u < likely, narrow[:, None], wide[:, None])
    gain = v / (v + noise)
    np.testing.assert_allclose(
        out, location + gain * residual + np.sqrt(gain * noise) * z, atol=1e-8
    )


def test_scales_are_searched_where_the_effects_reach() -> None:
    effect, noise, count, columns = rows_of(40, alike=True, m=1)
    model = TwoScaleModel(
        effect, noise, LinearPart(columns.T.copy(), np.zeros(1), 1), count
    )
    span = np.ptp(effect) + 3
    for one in (True, False):
        low, high, n = two_scales_hyper._scale_box(model, one=one)
        np.testing.assert_allclose(low, [np.log(0.01), -7][: len(low)])
        np.testing.assert_allclose(
            high, [np.log(30 * span), max(7.0, np.log(span) + 4)][: len(high)]
        )
        np.testing.assert_array_equal(n, np.ceil((high - low) / 0.7))
        assert len(low) == (1 if one else 2)


def test_a_bin_holds_neighbors_alone() -> None:
    """Estimates of two and of many sizes of error, and no bin wider than its rule: no
    two bins share a place.
    """
    rng = np.random.default_rng(7)
    for noise in (rng.choice([0.25, 4.0], 500), np.exp(rng.uniform(-3, 3, 500))):
        effect = rng.normal(0, 3, 500)
        u = 3 * np.arcsinh((effect - np.median(effect)) / np.sqrt(noise) / 3)
        v = 0.5 * np.log(noise)
        places = np.stack([np.rint(u / 0.4), np.rint((v - v.min()) / 0.3)])
        mean, variance, count = bin_estimates(effect, noise)
        assert len(mean) == len(np.unique(places, axis=1).T)
        expected = sorted(
            (
                float(effect[here].mean()),
                float(np.exp(2 * v[here].mean())),
                int(here.sum()),
            )
            for here in (
                (places == place[:, None]).all(axis=0)
                for place in np.unique(places, axis=1).T
            )
        )
        np.testing.assert_allclose(
            sorted(zip(mean, variance, count, strict=True)), expected, rtol=1e-10
        )


@pytest.mark.parametrize("rise", [-30.0, -2.0, -1e-9, 0.0, 1e-9, 2.0, 30.0, 1e3])
def test_places_in_a_cell_follow_its_slope(rise: float) -> None:
    small = abs(rise) < 1e-4
    for u in (0.0, 0.2, 0.9, 1 - 1e-16):
        place = tilted_quantile(rise, u)
        assert -0.5 - 1e-9 <= place <= 0.5 + 1e-9
        if abs(rise) < 500 and not small:
            share = np.expm1(rise * (place + 0.5)) / np.expm1(rise)
            assert share == pytest.approx(1 - u if rise > 0 else u, abs=1e-6)


def test_cells_hold_a_correlated_normal_whatever_the_place_of_its_box() -> None:
    precision = np.linalg.inv([[0.5, 0.3], [0.3, 0.9]])

    def density(
        x: np.ndarray, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        away = (x - [1.0, -1.0]) @ precision
        return 7 - (away * (x - [1.0, -1.0])).sum(axis=1) / 2, -away, state

    total = 7 + np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(precision)[1]
    cells = adaptive_cells(
        density, np.array([-6.0, -9.0]), np.array([9.0, 6.0]), np.array([5, 6])
    )
    assert cells.weight.sum() == pytest.approx(1)
    assert cells.log_total == pytest.approx(total, abs=0.15)
    np.testing.assert_allclose(cells.weight @ cells.points, [1, -1], atol=0.15)
    sharp = sharpen_cells(density, cells, 1.0, 0.05)
    assert len(sharp.weight) > 3 * len(cells.weight)
    assert sharp.log_total == pytest.approx(total, abs=0.01)
    np.testing.assert_allclose(sharp.weight @ sharp.points, [1, -1], atol=0.02)
    np.testing.assert_allclose(
        sharp.bend.mean(axis=0), -np.diagonal(precision), rtol=0.2
    )
    height, slope, _ = density(cells.points, cells.state)
    again = cells.under(height, slope)
    np.testing.assert_allclose(again.weight, cells.weight)
    assert again.log_total == pytest.approx(cells.log_total)


def test_a_point_counts_where_its_height_and_all_its_slopes_are_finite() -> None:
    height, slope = (
        np.array([1.0, 2.0, np.nan, 4.0]),
        np.array([[1.0, 2.0], [np.nan, 3.0], [1.0, 1.0], [0.0, np.inf]]),
    )
    state = np.arange(4.0)[:, None]
    found, rises, same = _replace_nonfinite(height, slope, state)
    assert found.tolist() == [1.0, -1e300, -1e300, -1e300]
    assert rises.tolist() == [[1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert same is state


def test_a_lattice_reads_polynomials_exactly() -> None:
    """A polynomial in asinh(u) and log s of degree below the order of both
    interpolations, and its sum by counts.
    """
    rng = np.random.default_rng(8)
    effect, noise = rng.normal(1, 3, 6_000), np.exp(rng.uniform(-1, 1, 6_000))
    center = float(np.median(effect))

    def polynomial(effect: np.ndarray, noise: np.ndarray) -> np.ndarray:
        u, v = np.arcsinh((effect - center) / np.sqrt(noise) / 4), 0.5 * np.log(noise)
        return 1 + u - 2 * u**7 / 300 + u**2 * v**5 - v**3

    lattice = build_lattice(effect, noise)
    assert lattice is not None
    values = polynomial(lattice.effect, lattice.noise)
    np.testing.assert_allclose(
        lattice.read(values), polynomial(effect, noise), atol=1e-8
    )
    assert lattice.count.sum() == pytest.approx(6_000)
    assert lattice.count @ values == pytest.approx(
        polynomial(effect, noise).sum(), rel=1e-8
    )
    stacked = lattice.read(np.stack([values, 2 * values])[None])
    assert stacked.shape == (1, 2, 6_000)
    np.testing.assert_allclose(stacked[0, 1], 2 * stacked[0, 0])


@pytest.mark.parametrize("start", [-4.0, -1.0, 2.0, 5.0])
def test_the_mode_of_the_share_is_where_the_joint_density_is_largest_from_any_start(
    start: float,
) -> None:
    data, precision = rows_of(600, alike=True, m=1), np.zeros(1)
    effect, noise, count, columns = data
    model = TwoScaleModel(
        effect, noise, LinearPart(columns.T.copy(), precision, 1), count
    )
    points = np.array([[-0.5, 0.3], [0.4, -0.6], [-1.0, 1.0]])
    narrow, wide, _ = two_scales_hyper.scales_at(points, one=False)
    state = np.tile([start, 0.0], (3, 1))
    found = two_scales_hyper.integrate_share(
        model, points, state, two_scales_hyper.X, one=False
    )
    for i in range(3):
        v = np.array([narrow[i], wide[i]]) ** 2

        def fall(x: np.ndarray, v: np.ndarray = v) -> float:
            p = float(expit(x[0]))
            return -log_joint(data, precision, v, p, x[1:]) - np.log(p * (1 - p))

        best = min(
            (minimize(fall, [logit, 1.0], tol=1e-8) for logit in (-2.0, 0.0, 2.0)),
            key=lambda found: found.fun,
        )
        assert found.logit[i, 0] == pytest.approx(best.x[0], abs=0.045)


def test_nodes_and_draws_have_one_law_beside_a_covariate() -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(2, 4, 40)
    effect = 10 * (
        1
        + 0.5 * x
        + np.where(rng.random(40) < 0.2, rng.normal(0, 6, 40), rng.normal(0, 0.5, 40))
    )
    answer = two_scales(
        effect + 10 * rng.normal(size=40),
        Noise(np.full(40, 100.0)),
        covariates=x[:, None],
    )
    nodes, n = answer.nodes, 20_000
    draws = answer.draw(n, rng)
    drawn = np.column_stack([draws.mu, draws.beta])
    mean = nodes.weight @ nodes.coefficients
    sd = np.sqrt(
        nodes.weight @ (nodes.coefficients_sd**2 + (nodes.coefficients - mean) ** 2)
    )
    assert (np.abs(drawn.mean(axis=0) - mean) < 4 * sd / np.sqrt(n)).all()
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.03)
    tau = nodes.weight @ nodes.tau
    assert draws.tau.mean() == pytest.approx(tau, abs=4 * draws.tau.std() / np.sqrt(n))


def test_the_spread_at_the_nodes_is_that_of_many_effects() -> None:
    rng = np.random.default_rng(6)
    effect = 40 * (
        2
        + np.where(rng.random(600) < 0.3, rng.normal(0, 6, 600), rng.normal(0, 1, 600))
    )
    nodes = two_scales(
        effect + 40 * rng.normal(size=600), Noise(np.full(600, 1600.0))
    ).nodes
    assert nodes.weight @ nodes.tau == pytest.approx(effect.std(), rel=0.05)


@pytest.mark.parametrize("far", [0.0, 40.0])
def test_cells_screened_by_fewer_effects_are_those_of_all(
    far: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    noise = Noise(rng.uniform(0.5, 2, 800), rng.normal(size=(800, 1)) * 0.3)
    effect = rng.normal(0, np.where(np.arange(800) < 300, 6.0, 0.4))
    effect[:2] += far
    evaluated = list[int]()
    integrate = two_scales_hyper.integrate_share

    def counted(model: TwoScaleModel, points: Any, *rest: Any, one: bool) -> Any:
        if len(model.effect) == len(effect):
            evaluated.append(len(points))
        return integrate(model, points, *rest, one=one)

    monkeypatch.setattr(two_scales_hyper, "integrate_share", counted)
    screened = two_scales(effect, noise)
    n_screened = sum(evaluated)
    evaluated.clear()
    monkeypatch.setattr(two_scales_hyper, "_SCREENED", np.inf)
    whole = two_scales(effect, noise)
    # Newton's steps start elsewhere, and stop within their tolerance
    np.testing.assert_allclose(screened.mean, whole.mean, atol=1e-6)
    assert screened.log_evidence == pytest.approx(whole.log_evidence, abs=1e-6)
    assert n_screened < sum(evaluated) / 2
