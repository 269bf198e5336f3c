"""Imports pointwise_likelihood from the inside: densities and draws against dense matrices.

The pointwise log likelihood: ArviZ's leave-one-out against families from which an
estimate was truly left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal, norm

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError
from causalgia.posterior import _infer
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.mixture import null_biased_counts, scale_grid
from causalgia.posterior.normal import normal
from causalgia.posterior.pointwise_likelihood import (
    _draw_components,
    _draw_in_turn,
    draw_weights,
    left_out_log_density,
    normal_log_density,
)
from causalgia.posterior.posterior_tree import as_tree, import_quietly, tree_datasets
from causalgia.posterior.spike_and_slab import spike_and_slab
from causalgia.posterior.student_t import student
from causalgia.posterior.two_scales import two_scales

PRIOR = Prior(standardized=False)
EFFECT = np.random.default_rng(0).normal(0.5, 1.5, 14) + np.r_[np.zeros(13), 4.0]
SE = np.full(14, 1.0)
SHARED = Noise(np.full(14, 0.6), np.sqrt(0.4) * np.ones((14, 1)))
WHOLE = Noise(
    np.ones(14),
    whole=0.5 * np.eye(14)
    + 0.5 * 0.6 ** np.abs(np.subtract.outer(np.arange(14), np.arange(14))),
)
FITS: dict[str, Callable[[np.ndarray, Noise], Exact]] = {
    "normal": lambda d, noise: normal(d, noise, PRIOR),
    "student_t": lambda d, noise: student(d, noise, PRIOR),
    "two_scales": lambda d, noise: two_scales(d, noise, unit=1.0),
    "spike_and_slab": lambda d, noise: spike_and_slab(d, noise, PRIOR),
}


def without(noise: Noise, k: int) -> Noise:
    rest = np.delete(np.arange(len(noise.variances)), k)
    loadings = None if noise.loadings is None else noise.loadings[rest]
    return Noise(
        noise.variances[rest],
        loadings,
        None if noise.whole is None else noise.whole[np.ix_(rest, rest)],
    )


def left_out(law: str, noise: Noise) -> np.ndarray:
    """Return ``log p(d_k | others)`` of each estimate: evidence of all less that of the
    others, by quadrature.
    """
    whole = FITS[law](EFFECT, noise).log_evidence
    rest = [
        FITS[law](np.delete(EFFECT, k), without(noise, k)).log_evidence
        for k in range(len(EFFECT))
    ]
    return whole - np.array(rest)


def loo(posterior: Any) -> Any:
    """Return ArviZ's pointwise answer, whichever ArviZ is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_quietly("arviz").loo(
            cg.posterior.as_arviz(posterior), pointwise=True
        )


@pytest.mark.simulation
@pytest.mark.parametrize(
    "law",
    [
        "normal",
        *(pytest.param(law) for law in FITS if law != "normal"),
    ],
)
def test_loo_is_what_leaving_out_gives(law: Any) -> None:
    posterior = cg.infer(
        cg.from_effects(EFFECT, SE), law=law, prior=PRIOR, n_draws=20_000, rng=1
    )
    found = loo(posterior)
    elpd = np.asarray(found.elpd_i if hasattr(found, "elpd_i") else found.loo_i).ravel()
    np.testing.assert_allclose(elpd, left_out(law, Noise(SE**2)), atol=0.06)
    assert (np.asarray(found.pareto_k) < 0.7).mean() > 0.9


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("law", "noise"),
    [
        ("normal", WHOLE),
        ("normal", SHARED),
        ("student_t", SHARED),
        ("two_scales", SHARED),
        ("spike_and_slab", SHARED),
    ],
)
def test_shared_errors_are_part_of_what_is_left_out(law: str, noise: Noise) -> None:
    draws = FITS[law](EFFECT, noise).draw(40_000, np.random.default_rng(2))
    assert draws.log_likelihood is not None
    inverse = np.exp(-draws.log_likelihood())
    # the outlier alone shows the law its tail: plain importance weights are rough there
    others = slice(0, 13)
    np.testing.assert_allclose(
        -np.log(inverse.mean(axis=0))[others], left_out(law, noise)[others], atol=0.06
    )


@pytest.mark.parametrize("law", FITS)
def test_another_unit_moves_the_log_density_by_its_log(law: str) -> None:
    fit: Any = {
        "normal": normal,
        "student_t": student,
        "spike_and_slab": spike_and_slab,
    }.get(law)
    noise, other = Noise(np.ones(14)), Noise(np.full(14, 100.0))
    if fit is None:
        answers = two_scales(EFFECT, noise), two_scales(10 * EFFECT, other)
    else:
        wider = Prior(mu_sd=100, tau_scale=50, standardized=False)
        answers = fit(EFFECT, noise, PRIOR), fit(10 * EFFECT, other, wider)
    calls = [
        answer.draw(4_000, np.random.default_rng(0)).log_likelihood
        for answer in answers
    ]
    one, ten = (call().mean(axis=0) for call in calls if call is not None)
    np.testing.assert_allclose(ten, one - np.log(10), atol=0.1)


def test_given_the_effect_itself_pareto_k_is_high() -> None:
    """Why the effect is integrated: effects of sd 3 and errors of 1."""
    effect = np.random.default_rng(3).normal(0, 3, 40)
    posterior = cg.infer(cg.from_effects(effect, np.ones(40)), rng=0)
    groups = tree_datasets(posterior)
    integrated = np.asarray(loo(posterior).pareto_k)
    conditional = groups["log_likelihood"].copy()
    conditional["effect"] = (
        -0.5 * (groups["observed_data"]["effect"] - groups["posterior"]["ace"]) ** 2
    )
    plain = np.asarray(loo(as_tree(groups | {"log_likelihood": conditional})).pareto_k)
    assert (integrated < 0.7).all()  # what ArviZ calls good
    assert (plain > 0.7).mean() > 0.5


@pytest.mark.simulation
def test_loo_prefers_the_law_that_the_effects_have() -> None:
    rng = np.random.default_rng(4)
    truth = np.where(
        rng.random(200) < 0.1, rng.normal(0, 8, 200), rng.normal(0, 0.3, 200)
    )
    table = cg.from_effects(truth + rng.normal(size=200), np.ones(200))
    names = ("normal", "two_scales", "student_t")
    fits = [loo(cg.infer(table, law=law, n_draws=2_000, rng=0)) for law in names]  # type: ignore[arg-type]
    elpd = [float(fit.elpd if hasattr(fit, "elpd") else fit.elpd_loo) for fit in fits]
    assert elpd[1] > elpd[0] + 10
    assert elpd[1] > elpd[2] - 2


def test_groups_tasks_and_covariates_have_their_rows() -> None:
    rng = np.random.default_rng(5)
    tasks = [
        cg.from_effects(rng.normal(size=20), np.ones(20)).assign_coords(task=[name])
        for name in "xy"
    ]
    table = xr.concat(tasks, "task", combine_attrs="override")
    table = table.assign_coords(
        word=("contrast", list("ab") * 10), place=("contrast", rng.normal(size=20))
    )
    found = tree_datasets(
        cg.infer(
            table,
            law="two_scales",
            family="word",
            covariates="place",
            n_draws=400,
            rng=0,
        )
    )
    values = found["log_likelihood"]["effect"]
    assert values.dims == ("chain", "draw", "contrast", "task")
    assert values.shape == found["posterior"]["ace"].shape
    assert np.isfinite(values).all()


def test_it_is_left_out_where_it_is_large_and_added_where_it_is_wanted() -> None:
    table = cg.from_effects(np.random.default_rng(6).normal(size=1_001), np.ones(1_001))
    assert "log_likelihood" not in tree_datasets(cg.infer(table, law="normal", rng=0))
    assert "log_likelihood" in tree_datasets(
        cg.infer(table, law="normal", log_likelihood=True, rng=0)
    )
    assert "log_likelihood" not in tree_datasets(
        cg.infer(table, law="normal", log_likelihood=False, n_draws=40, rng=0)
    )


MANY = np.r_[np.random.default_rng(7).normal(size=36), 5.0, -4.0, 3.0, 2.5]
NO_COLUMNS = np.empty((40, 0)), np.empty(0)


def atom_without(
    k: int,
    noise: np.ndarray,
    columns: np.ndarray,
    precision: np.ndarray,
    n: int = 10_000,
) -> Any:
    """Return draws of the law of `MANY` without effect k: variances, weights and what
    estimates share.
    """
    rest = np.delete(np.arange(40), k)
    variance = scale_grid(MANY, np.ones(40)) ** 2
    law = columns[rest], precision, variance, null_biased_counts(np.sqrt(variance))
    start = np.full(len(variance), 1 / len(variance)), np.zeros(columns.shape[1])
    return variance, *draw_weights(
        MANY[rest], noise[rest], *law, start, n, np.random.default_rng(k)
    )


def density(residual: np.ndarray, variance: np.ndarray, weight: np.ndarray) -> float:
    normal_density = np.exp(-0.5 * residual[:, None] ** 2 / variance) / np.sqrt(
        2 * np.pi * variance
    )
    return float(np.log((weight * normal_density).sum(axis=1).mean()))


def elpd_of(found: Any) -> np.ndarray:
    return np.asarray(found.elpd_i if hasattr(found, "elpd_i") else found.loo_i).ravel()


@pytest.mark.simulation
def test_leave_one_out_of_many_effects_under_an_atom_is_what_leaving_out_gives() -> (
    None
):
    table = cg.from_effects(MANY, np.ones(40))
    posterior = cg.infer(table, law="spike_and_slab", n_draws=20_000, rng=1)
    found = loo(posterior)
    for k in (0, 11, 36, 37, 39):
        variance, weight, _ = atom_without(k, np.ones(40), *NO_COLUMNS)
        assert elpd_of(found)[k] == pytest.approx(
            density(np.full(10_000, MANY[k]), 1 + variance, weight), abs=0.06
        )
    assert (np.asarray(found.pareto_k) < 0.7).all()
    plain = cg.infer(
        table, law="spike_and_slab", n_draws=20_000, rng=1, log_likelihood=False
    )
    np.testing.assert_array_equal(
        posterior["posterior"]["ace"], plain["posterior"]["ace"]
    )


@pytest.mark.simulation
def test_under_an_atom_a_covariate_is_drawn_with_the_weights() -> None:
    x = np.linspace(-2, 2, 40)
    table = cg.from_effects(MANY, np.ones(40)).assign_coords(x=("contrast", x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = loo(
            cg.infer(
                table,
                law="spike_and_slab",
                covariates="x",
                prior=PRIOR,
                n_draws=10_000,
                rng=1,
            )
        )
    columns, precision = (
        np.column_stack([np.ones(40), x]),
        (np.array([1, x.std()]) / PRIOR.mu_sd) ** 2,
    )
    for k in (0, 20, 36, 39):
        variance, weight, beta = atom_without(k, np.ones(40), columns, precision)
        left = density(MANY[k] - beta @ columns[k], 1 + variance, weight)
        assert elpd_of(found)[k] == pytest.approx(left, abs=0.08)
    assert (np.asarray(found.pareto_k) < 0.7).all()


@pytest.mark.simulation
def test_under_an_atom_a_shared_error_is_drawn_with_the_weights() -> None:
    own, loading = np.full(40, 0.5), np.full((40, 1), np.sqrt(0.5))
    table = cg.from_effects(
        MANY, np.ones(40), covariance=np.diag(own) + loading @ loading.T
    )
    found = loo(cg.infer(table, law="spike_and_slab", n_draws=10_000, rng=1))
    for k in (0, 11, 36, 39):
        variance, weight, score = atom_without(k, own, loading, np.ones(1))
        left = density(MANY[k] - score[:, 0] * loading[k], own[k] + variance, weight)
        assert elpd_of(found)[k] == pytest.approx(left, abs=0.08)
    assert (np.asarray(found.pareto_k) < 0.7).all()


@pytest.mark.simulation
def test_under_an_atom_a_whole_covariance_conditions_on_the_other_estimates() -> None:
    """Against the density of one estimate under draws from the 39 others."""
    lag = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    whole, variance = 0.6**lag, scale_grid(MANY, np.ones(40)) ** 2
    counts = null_biased_counts(np.sqrt(variance))
    start, n = np.full(len(variance), 1 / len(variance)), 20_000
    law = (*NO_COLUMNS, variance, counts, start, n)
    every = left_out_log_density(MANY, whole, *law, np.random.default_rng(0))
    elpd = -np.log(np.exp(-every).mean(axis=0))
    for k in (11, 36):
        # the estimate is given no say: an error of its own so large that it tells
        # nothing
        mute, covariance = MANY.copy(), whole.copy()
        mute[k], covariance[k, k] = 0.0, 1e9
        weight, component = _by_effects(
            mute, covariance, variance, counts, np.random.default_rng(k), 2_000
        )
        rest = np.delete(np.arange(40), k)
        terms = []
        for w, z in zip(weight, component, strict=True):
            across = np.linalg.solve(
                whole[np.ix_(rest, rest)] + np.diag(variance[z[rest]]), whole[rest, k]
            )
            terms.append((w / np.sqrt(v := 1 - whole[rest, k] @ across + variance)).dot(
                np.exp(-0.5 * (MANY[k] - across @ MANY[rest]) ** 2 / v)
            ))  # fmt: skip
        assert elpd[k] == pytest.approx(
            np.log(np.mean(terms) / np.sqrt(2 * np.pi)), abs=0.1
        )


def _by_effects(
    effect: Any, whole: Any, variance: Any, counts: Any, rng: Any, n: int
) -> Any:
    """Draw weights and components one by one with a plain inverse of each covariance:
    slow, and short to read.
    """
    z, w = np.zeros(len(effect), dtype=int), np.full(len(variance), 1 / len(variance))
    out = []
    for turn in range(n + 100):
        precision = np.linalg.inv(whole + np.diag(variance[z]))
        for k in range(len(effect)):
            mean, spread = (
                (precision @ effect)[k] / precision[k, k],
                1 / precision[k, k] - variance[z[k]],
            )
            p = (
                w
                * np.exp(-0.5 * mean**2 / (spread + variance))
                / np.sqrt(spread + variance)
            )
            new = rng.choice(len(variance), p=p / p.sum())
            if new != z[k]:
                z[k] = new
                precision = np.linalg.inv(whole + np.diag(variance[z]))
        w = rng.dirichlet(counts + np.bincount(z, minlength=len(w)))
        out += [(w, z.copy())] if turn >= 100 else []
    return zip(*out, strict=True)


@pytest.mark.simulation
def test_weights_are_drawn_from_their_posterior() -> None:
    """Of components known apart but for their shares the posterior is Dirichlet."""
    counts, n = np.array([2.0, 1.0, 1.0]), np.array([20, 10, 0])
    effect, variance = np.repeat([0.0, 1.0], n[:2]), np.array([0.0, 1.0, 1e40])
    start = np.full(3, 1 / 3), np.empty(0)
    law = np.empty((30, 0)), np.empty(0), variance, counts
    draws, _ = draw_weights(
        effect, np.full(30, 1e-12), *law, start, 40_000, np.random.default_rng(0)
    )
    alpha = counts + n
    np.testing.assert_allclose(draws.mean(axis=0), alpha / alpha.sum(), atol=0.002)
    sd = np.sqrt(alpha * (alpha.sum() - alpha) / (alpha.sum() ** 2 * (alpha.sum() + 1)))
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.03)


@pytest.mark.parametrize(
    "law",
    ["spike_and_slab", "student_t"],
)
def test_where_shared_errors_are_sampled_leave_one_out_is_refused_before(
    monkeypatch: pytest.MonkeyPatch, law: str
) -> None:
    def sampled(*_: Any, **__: Any) -> None:
        raise AssertionError("sampled, and then refused")

    monkeypatch.setattr(_infer, "fit_family", sampled)
    table = cg.from_effects(EFFECT, SE, covariance=WHOLE.whole)
    with pytest.raises(EstimateError):
        cg.infer(table, law=law, log_likelihood=True, rng=0)  # type: ignore[arg-type]


def test_left_out_densities_of_correlated_errors_are_those_of_all_components_enumerated() -> (
    None
):
    """At fixed weights ``E[1 / p(d_k | others)] = p(others) / p(d)``, a sum over 2^3
    components each.
    """
    effect, variance, weight = (
        np.array([0.4, -1.5, 2.5]),
        np.array([0.0, 4.0]),
        np.array([0.6, 0.4]),
    )
    whole = np.array([[1.0, 0.4, 0.2], [0.4, 0.8, 0.0], [0.2, 0.0, 0.5]])
    column, precision = np.array([[1.0], [0.5], [1.0]]), np.array([2.0])
    marginal = whole + column @ column.T / precision

    def evidence(rows: list[int]) -> float:
        total = 0.0
        for component in product((0, 1), repeat=len(rows)):
            covariance = marginal[np.ix_(rows, rows)] + np.diag(
                variance[list(component)]
            )
            of_these = multivariate_normal.pdf(
                effect[rows], np.zeros(len(rows)), covariance
            )
            total += weight[list(component)].prod() * float(of_these)
        return total

    counts, n = 1e9 * weight, 6_000  # so many pseudo-counts hold the weights
    given = (effect, whole, column, precision, variance, counts, weight)
    inverse = np.exp(-left_out_log_density(*given, n, np.random.default_rng(0)))
    expected = [
        evidence([i for i in range(3) if i != k]) / evidence([0, 1, 2])
        for k in range(3)
    ]
    # of batches
    error = inverse.reshape(100, -1, 3).mean(axis=1).std(axis=0, ddof=1) / 10
    assert (np.abs(inverse.mean(axis=0) - expected) < 4 * error).all()
    assert (error < 0.04 * np.array(expected)).all()


def test_left_out_densities_do_not_depend_on_how_often_the_inverse_is_computed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    law = *NO_COLUMNS, np.array([0.0, 1.0, 9.0]), np.ones(3), np.full(3, 1 / 3)
    whole = 0.6 ** np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    found = []
    for anew in (1, 50):
        monkeypatch.setattr("causalgia.posterior.pointwise_likelihood._ANEW", anew)
        found.append(
            left_out_log_density(MANY, whole, *law, 20, np.random.default_rng(0))
        )
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


@pytest.mark.parametrize("residual", [0.2, -4.0, 300.0])
def test_weights_given_one_estimate_are_those_of_its_two_components(
    residual: float,
) -> None:
    """Of a flat prior and one estimate:
    ``E[w_1 | d] = (2 f_1 + f_2) / (3 (f_1 + f_2))``.
    """
    variance, noise, n = np.array([0.0, 9.0]), np.array([0.7]), 3_000
    law = np.empty((1, 0)), np.empty(0), variance, np.ones(2)
    start = np.full(2, 0.5), np.empty(0)
    drawn, _ = draw_weights(
        np.array([residual]), noise, *law, start, n, np.random.default_rng(1)
    )
    heights = norm.logpdf(residual, 0, np.sqrt(noise + variance))
    first, second = np.exp(heights - heights.max())
    # of batches
    error = drawn[:, 0].reshape(50, -1).mean(axis=1).std(ddof=1) / np.sqrt(50)
    assert error < 0.01
    assert (
        abs(drawn[:, 0].mean() - (2 * first + second) / (3 * (first + second)))
        < 4 * error
    )


def test_components_are_drawn_by_inversion() -> None:
    rng = np.random.default_rng(0)
    residual, noise = rng.normal(0, 3, 40), rng.uniform(0.3, 2, 40)
    variance, weight, u = (
        np.array([0.0, 0.5, 9.0]),
        np.array([0.5, 0.3, 0.2]),
        rng.random(40),
    )
    found = np.empty(40, np.intp)
    _draw_components(residual, noise, variance, weight, u, found)
    height = weight * norm.pdf(residual[:, None], 0, np.sqrt(noise[:, None] + variance))
    ends = np.cumsum(height, axis=1) / height.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(found, (ends[:, :2] <= u[:, None]).sum(axis=1))
    assert len(set(found)) == 3


def test_a_turn_of_components_leaves_the_inverse_of_the_new_covariance() -> None:
    rng = np.random.default_rng(1)
    k = 7
    root = rng.normal(size=(k, k)) * 0.3
    whole = np.eye(k) + root @ root.T
    effect, u = rng.normal(0, 3, k), rng.random(k)
    variance, weight = np.array([0.0, 0.5, 9.0]), np.array([0.4, 0.4, 0.2])
    component = np.array([0, 1, 2, 0, 1, 2, 0], dtype=np.intp)
    inverse = np.linalg.inv(whole + np.diag(variance[component]))
    product, density = inverse @ effect, np.empty(k)
    now, expected, moved = component.copy(), np.empty(k), 0
    for i in range(k):
        others = np.arange(k) != i
        S = (whole + np.diag(variance[now]))[np.ix_(others, others)]
        gain = np.linalg.solve(S, whole[others, i])
        mean, own = gain @ effect[others], whole[i, i] - gain @ whole[others, i]
        height = weight * norm.pdf(effect[i], mean, np.sqrt(own + variance))
        expected[i] = np.log(height.sum())
        drawn = int((np.cumsum(height)[:2] / height.sum() <= u[i]).sum())
        moved += drawn != now[i]
        now[i] = drawn
    _draw_in_turn(inverse, product, variance, weight, u, component, density)
    assert moved >= 3
    np.testing.assert_array_equal(component, now)
    np.testing.assert_allclose(density, expected, rtol=1e-9)
    np.testing.assert_allclose(
        inverse, np.linalg.inv(whole + np.diag(variance[now])), atol=1e-10
    )
    np.testing.assert_allclose(product, inverse @ effect, atol=1e-10)


@pytest.mark.parametrize("factors", [0, 1, 3])
@pytest.mark.parametrize("whole", [False, True])
def test_the_density_of_an_estimate_given_the_others_is_that_of_dense_matrices(
    factors: int, whole: bool
) -> None:
    generator = np.random.default_rng(4)
    loadings, own = generator.normal(size=(5, factors)), generator.uniform(0.3, 2, 5)
    sigma, tau = np.diag(own) + loadings @ loadings.T, np.array([0.0, 0.7, 3.0])
    residual = generator.normal(size=(3, 5))
    noise = (
        Noise(np.diagonal(sigma).copy(), whole=sigma)
        if whole
        else Noise(own, loadings if factors else None)
    )
    found = normal_log_density(residual, noise, tau)
    for row, t, r in zip(found, tau, residual, strict=True):
        law = multivariate_normal(np.zeros(5), sigma + t**2 * np.eye(5))
        for k in range(5):
            others = np.arange(5) != k
            rest = multivariate_normal(np.zeros(4), law.cov[np.ix_(others, others)])
            np.testing.assert_allclose(
                row[k], law.logpdf(r) - rest.logpdf(r[others]), atol=1e-10
            )
