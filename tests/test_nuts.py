# Imports from the inside: the densities that are sampled and what becomes of exact draws,
# against normals and the rule of Bayes.
"""The NUTS engine: the graphs it samples, its agreement with the exact engine, and what
it says of itself.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causalgia.analysis_values import Prior
from causalgia.errors import DegenerateWarning
from causalgia.estimation import from_effects
from causalgia.posterior import infer
from causalgia.posterior.engines import fit_family, has_log_likelihood
from causalgia.posterior.error_covariance import Noise, noise_unit
from causalgia.posterior.exact import fixed_effects_design
from causalgia.posterior.labeled_data import (
    FamilyData,
    MergedDraws,
    family_data,
    group_rows,
    posterior_groups,
    result_coordinates,
)
from causalgia.posterior.mixture import mixture
from causalgia.posterior.nuts import (
    Sampled,
    as_factors,
    draw_given_slab,
    hierarchical_model,
    mixture_given_factors,
    sample_mixture,
    sample_slab,
    slab_given_factors,
)
from causalgia.posterior.posterior_tree import tree_datasets
from causalgia.posterior.scale_mixture import Components

CASE = Path(__file__).parent / "reference" / "eight_schools"
SCHOOLS = pd.read_csv(CASE / "input.csv")
Y, SE = SCHOOLS["y"].to_numpy(float), SCHOOLS["sigma"].to_numpy(float)


def free(model: Any) -> list[str]:
    return [variable.name for variable in model.free_RVs]


def graph(
    effect: np.ndarray,
    noise: Noise,
    prior: Prior = Prior(),  # noqa: B008
    nu: float | None = None,
) -> Any:
    return hierarchical_model(
        effect, noise, prior, fixed_effects_design(len(effect), None, prior), nu
    )


# ---------------------------------------------------------------- models are built, not sampled


def center_and_effects(model: Any, **point: Any) -> tuple[float, np.ndarray]:
    """Evaluate mu and the effects of a model at a point of its parameters."""
    inputs = list(model.free_RVs)
    outs = [model["mu"], model["ace"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTensor on a machine without a BLAS to link
        evaluate = model.compile_fn(
            outs, inputs=inputs, on_unused_input="ignore", point_fn=False
        )
    mu, ace = evaluate(*[np.asarray(point[v.name]) for v in inputs])
    return float(mu), np.ravel(ace)


@pytest.mark.simulation
def test_a_spike_and_slab_given_factors_has_the_density_of_two_normals() -> None:
    effect, loadings, d = (
        np.array([3.0, -1.0, 0.5]),
        np.array([[1.0], [0.5], [-0.3]]),
        np.array([1.0, 0.5, 2.0]),
    )
    model = slab_given_factors(
        effect, Noise(d, loadings), Prior(tau="uniform", tau_scale=4)
    )
    point = {"w": 0.3, "tau": 1.7, "factor": np.array([0.8])}
    inputs = list(model.free_RVs)
    potential = model.compile_fn(
        [model["effect"]], inputs=inputs, mode="FAST_COMPILE", point_fn=False
    )
    (found,) = potential(*[np.asarray(point[v.name]) for v in inputs])
    rest = effect - 0.8 * loadings[:, 0]
    density = 0.7 * stats.norm.pdf(rest, 0, np.sqrt(d)) + 0.3 * stats.norm.pdf(
        rest, 0, np.sqrt(d + 1.7**2)
    )
    assert float(found) == pytest.approx(
        (np.log(density) + 0.5 * np.log(2 * np.pi)).sum(), rel=1e-10
    )


def test_effects_given_weight_and_slab_are_those_of_two_normals() -> None:
    """By the rule of Bayes, and draws within 4.5 standard errors of it."""
    rest, d = np.array([3.0, -1.0, 0.4]), np.array([1.0, 0.5, 2.0])
    n = 20_000
    ace, found = draw_given_slab(
        np.tile(rest, (n, 1)),
        d,
        np.full((n, 1), 0.3),
        np.full((n, 1), 1.7),
        np.random.default_rng(0),
    )
    inside = 0.3 * stats.norm.pdf(rest, 0, np.sqrt(d + 1.7**2))
    inside /= inside + 0.7 * stats.norm.pdf(rest, 0, np.sqrt(d))
    variance = 1 / (1 / d + 1 / 1.7**2)
    center = variance / d * rest
    mean = inside * center
    square = inside * (variance + center**2) - mean**2
    below = inside * stats.norm.cdf(-center / np.sqrt(variance))
    for name, expected in (
        ("mean", mean),
        ("square", square),
        ("below", below),
        ("zero", 1 - inside),
    ):
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-9)
    np.testing.assert_allclose(found.above, inside - below, rtol=1e-9)
    np.testing.assert_allclose(
        found.shrinkage, 1 - inside * 1.7**2 / (d + 1.7**2), rtol=1e-9
    )
    assert (np.abs(ace.mean(axis=0) - mean) < 4.5 * np.sqrt(square / n)).all()
    drawn = np.where(ace == 0, np.nan, ace)
    assert (
        np.abs(np.isnan(drawn).mean(axis=0) - (1 - inside))
        < 4.5 * np.sqrt(inside * (1 - inside) / n)
    ).all()
    for k in range(3):
        some = drawn[~np.isnan(drawn[:, k]), k]
        assert (
            stats.kstest(some, stats.norm(center[k], np.sqrt(variance[k])).cdf).pvalue
            > 1e-4
        )


@pytest.mark.simulation
def test_strong_data_are_centered_and_weak_are_not() -> None:
    effect, noise, z = (
        np.array([5.0, -5.0]),
        Noise(np.array([1e-8, 1e8])),
        np.array([2.0, 0.5]),
    )
    model = graph(effect, noise)
    assert free(model) == ["tau", "b", "z"]
    assert [v.name for v in model.deterministics] == ["mu", "ace"]
    mu, ace = center_and_effects(model, b=np.zeros(1), tau=2.0, z=z)
    assert abs(ace[0] - (5.0 + 1e-4 * 2.0)) < 1e-6  # the estimate, in its own se
    assert abs(ace[1] - (mu + 2.0 * 0.5)) < 1e-5  # the center, in tau


def test_correlated_errors_are_parameterized_on_the_axes_of_sigma() -> None:
    sigma, effect = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([1.0, 3.0])
    model = graph(effect, Noise(np.diag(sigma), whole=sigma))
    mu, ace = center_and_effects(model, b=np.zeros(1), tau=1.5, z=np.zeros(2))
    precision = np.linalg.inv(sigma + 1.5**2 * np.eye(2))
    # the mean given tau
    assert abs(mu - (precision @ effect).sum() / (precision.sum() + 1 / 10**2)) < 1e-12
    # the mean given mu and tau
    np.testing.assert_allclose(ace, mu + 1.5**2 * precision @ (effect - mu))


def test_the_density_is_that_of_the_model_and_its_jacobian() -> None:
    sigma, effect, nu = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([1.0, 3.0]), 4.0
    model = graph(effect, Noise(np.diag(sigma), whole=sigma), nu=nu)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logp, z = model.compile_logp(), np.array([0.3, -1.2])
    variances = np.linalg.eigvalsh(sigma)

    def both(b: float, tau: float) -> tuple[float, float]:
        mu, ace = center_and_effects(model, b=np.array([b]), tau=tau, z=z)
        by_hand = (
            stats.norm(0, 10).logpdf(mu)
            + stats.t(3, scale=5).logpdf(tau)
            + np.log(2)
            + np.log(tau)
        )
        by_hand += stats.t(nu, mu, tau).logpdf(ace).sum() + stats.multivariate_normal(
            ace, sigma
        ).logpdf(effect)
        by_hand += 0.5 * np.log(tau**2 * variances / (tau**2 + variances)).sum()
        by_hand -= 0.5 * np.log(
            np.linalg.inv(sigma + tau**2 * np.eye(2)).sum() + 1 / 10**2
        )
        return float(
            logp({"b": np.array([b]), "tau_log__": np.log(tau), "z": z})
        ), float(by_hand)

    found, expected = zip(
        *[both(*at) for at in ((0.5, 1.5), (-2.0, 0.1), (0.0, 20.0))], strict=True
    )
    # up to a constant
    np.testing.assert_allclose(np.diff(found), np.diff(expected), atol=1e-6)


def test_the_density_under_shared_errors_is_that_of_the_model_given_their_scores() -> (
    None
):
    loadings, d, effect = (
        np.array([[1.0], [-0.5]]),
        np.array([1.5, 0.6]),
        np.array([1.0, 3.0]),
    )
    model = graph(effect, Noise(d, loadings))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logp, z = model.compile_logp(mode="FAST_COMPILE"), np.array([0.3, -1.2])
        inputs = list(model.free_RVs)
        outs = model.compile_fn(
            [model["mu"], model["ace"]],
            inputs=inputs,
            mode="FAST_COMPILE",
            point_fn=False,
        )

    def both(b: float, tau: float, f: float) -> tuple[float, float]:
        at = {"b": np.array([b]), "tau": np.array(tau), "factor": np.array([f]), "z": z}
        mu, ace = outs(*[at[v.name] for v in inputs])
        by_hand = (
            stats.norm(0, 10).logpdf(mu)
            + stats.t(3, scale=5).logpdf(tau)
            + np.log(tau)
            + stats.norm.logpdf(f)
        )
        by_hand += stats.norm(mu, tau).logpdf(ace).sum()
        by_hand += stats.norm(ace + f * loadings[:, 0], np.sqrt(d)).logpdf(effect).sum()
        by_hand += 0.5 * np.log(tau**2 * d / (tau**2 + d)).sum()
        by_hand -= 0.5 * np.log((1 / (d + tau**2)).sum() + 1 / 10**2)
        found = logp(
            {"b": at["b"], "tau_log__": np.log(tau), "factor": at["factor"], "z": z}
        )
        return float(found), float(by_hand)

    points = ((0.5, 1.5, 0.4), (-2.0, 0.1, -1.0), (0.0, 20.0, 2.0))
    found, expected = zip(*[both(*at) for at in points], strict=True)
    # up to a constant
    np.testing.assert_allclose(np.diff(found), np.diff(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("prior", "name"),
    [
        (Prior(tau="half_t"), "halfstudentt"),
        (Prior(tau="half_normal"), "halfnormal"),
        (Prior(tau="half_cauchy"), "halfcauchy"),
        (Prior(tau="uniform", tau_scale=3), "uniform"),
        (Prior(tau="uniform", tau_scale=np.inf), "halfflat"),
    ],
)
def test_tau_has_the_law_of_its_prior(prior: Prior, name: str) -> None:
    model = graph(Y, Noise(SE**2), prior)
    assert name in str(model["tau"].owner.op).lower().replace("_", "")


@pytest.mark.parametrize(
    "whole", [None, np.array([[2.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 3.0]])]
)
def test_any_covariance_is_factors_and_a_diagonal(whole: np.ndarray | None) -> None:
    variances = np.array([2.0, 1.0, 3.0])
    split = as_factors(Noise(variances, whole=whole))
    assert split.loadings is not None
    assert (split.variances > 0).all()
    expected = np.diag(variances) if whole is None else whole
    least = np.linalg.eigvalsh(expected / np.sqrt(np.outer(variances, variances)))[0]
    np.testing.assert_allclose(split.variances, 0.95 * least * variances)
    np.testing.assert_allclose(
        split.loadings @ split.loadings.T + np.diag(split.variances),
        expected,
        atol=1e-12,
    )


# ---------------------------------------------------------------- what becomes of draws, given exact ones


def many_effects(*, correlation: float = 0.0, covariates: int = 1) -> FamilyData:
    """Return forty estimates on a line in the first covariate, four of them far from
    it, with errors far from 1.
    """
    rng = np.random.default_rng(12)
    x, se = np.linspace(-1, 2, 40), 8.0 * rng.uniform(0.6, 1.4, 40)
    effect = (
        16.0 * x
        + np.where(np.arange(40) % 10 == 3, 40.0, 0.0)
        + se * rng.normal(size=40)
    )
    near = correlation ** np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    table = (
        from_effects(effect, covariance=np.outer(se, se) * near)
        if correlation
        else from_effects(effect, se=se)
    )
    prior = Prior(mu_sd=80, tau_scale=40, standardized=False)
    columns = np.column_stack([x, np.sin(5 * x), np.abs(x)])[:, :covariates]
    return next(family_data(table, [np.arange(40)], columns, prior))


def with_draws(monkeypatch: pytest.MonkeyPatch, values: dict[str, np.ndarray]) -> None:
    """Let a sampler of the tests stand in for NUTS, in its unit: the median standard
    error.
    """

    def sample(
        model: Any, names: tuple[str, ...], *, n_draws: int, key: int
    ) -> Sampled:
        return Sampled({name: values[name] for name in names}, {}, "exact")

    monkeypatch.setattr("causalgia.posterior.nuts.sample_nuts", sample)


@pytest.mark.parametrize("covariates", [1, 3])
@pytest.mark.parametrize("law", ["normal", "student_t"])
def test_of_exact_draws_the_moments_and_densities_are_those_of_the_exact_engine(
    law: str, covariates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = many_effects(covariates=covariates)
    exact = fit_family(family, law, "exact", n_draws=4_000, key=0)
    values = {
        name: exact.draws[name] / noise_unit(family.noise)
        for name in ("ace", "mu", "tau", "beta")
    }
    with_draws(monkeypatch, values)
    found = fit_family(family, law, "nuts", n_draws=4_000, key=1)
    for name in ("ace", "mu", "tau", "beta"):
        np.testing.assert_allclose(
            found.draws[name], exact.draws[name], rtol=1e-12, err_msg=name
        )
    sd = exact.moments["sd"]
    np.testing.assert_allclose(
        found.moments["mean"], exact.moments["mean"], atol=0.1 * sd.max()
    )
    np.testing.assert_allclose(found.moments["sd"], sd, rtol=0.1)
    for name in ("lfsr", "lfdr", "shrinkage"):
        np.testing.assert_allclose(
            found.moments[name], exact.moments[name], atol=0.03, err_msg=name
        )
    assert found.log_likelihood is not None
    assert exact.log_likelihood is not None
    np.testing.assert_allclose(
        found.log_likelihood(), exact.log_likelihood(), atol=0.02
    )


def test_of_a_whole_covariance_the_student_law_has_no_density_of_one_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draws = {
        "ace": np.ones((4, 100, 40)),
        **{name: np.ones((4, 100)) for name in ("mu", "tau")},
    }
    with_draws(monkeypatch, draws | {"beta": np.ones((4, 100, 1))})
    assert (
        fit_family(
            many_effects(correlation=0.5), "student_t", "nuts", n_draws=400, key=0
        ).log_likelihood
        is None
    )
    assert (
        fit_family(
            many_effects(correlation=0.5), "normal", "nuts", n_draws=400, key=0
        ).log_likelihood
        is not None
    )
    assert not has_log_likelihood(many_effects(correlation=0.5), "student_t", "nuts")
    assert has_log_likelihood(many_effects(correlation=0.5), "normal", "nuts")


def test_few_effects_of_a_normal_law_have_densities_by_either_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an atom and one normal NUTS has none."""
    few = next(
        family_data(
            from_effects(np.arange(5.0), se=np.ones(5)), [np.arange(5)], None, Prior()
        )
    )
    with_draws(
        monkeypatch,
        {
            "ace": np.ones((4, 100, 5)),
            **{name: np.ones((4, 100)) for name in ("mu", "tau")},
        },
    )
    assert (
        fit_family(few, "normal", "nuts", n_draws=400, key=0).log_likelihood is not None
    )
    for law, engine, has in [
        ("normal", "nuts", True),
        ("spike_and_slab", "exact", True),
        ("spike_and_slab", "nuts", False),
    ]:
        assert has_log_likelihood(few, law, engine) == has


@pytest.mark.simulation
@pytest.mark.parametrize("covariates", [1, 2])
def test_of_exact_draws_a_mixture_about_a_line_has_the_moments_of_the_exact_engine(
    covariates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = many_effects(covariates=covariates)
    exact = mixture(
        family.effect, family.noise, family.prior, covariates=family.covariates
    )
    unit, variances, generator = (
        noise_unit(family.noise),
        family.noise.variances,
        np.random.default_rng(2),
    )
    drawn = exact.draw(4_000, generator)
    # of the errors of these draws a twentieth is that of the factor scores
    score = (0.05 * (family.effect - drawn.ace)) / np.sqrt(0.05 * variances)
    score += np.sqrt(0.95) * generator.normal(size=score.shape)
    values = {"beta": drawn.beta / unit, "factor": score}
    values = {name: value.reshape(4, 1_000, -1) for name, value in values.items()}
    with_draws(monkeypatch, values)
    found = fit_family(family, "spike_and_slab", "nuts", n_draws=4_000, key=1)
    np.testing.assert_allclose(
        found.draws["beta"].ravel(), drawn.beta.ravel(), rtol=1e-12
    )
    np.testing.assert_allclose(
        found.draws["ace"].mean((0, 1)), exact.mean, atol=0.1 * exact.sd.max()
    )
    np.testing.assert_allclose(found.draws["tau"], exact.nodes.tau[0], rtol=0.1)
    np.testing.assert_allclose(
        found.moments["mean"], exact.mean, atol=0.1 * exact.sd.max()
    )
    np.testing.assert_allclose(found.moments["sd"], exact.sd, rtol=0.1)
    for name in ("lfsr", "lfdr", "shrinkage"):  # the grids of scales differ a little
        np.testing.assert_allclose(
            found.moments[name], getattr(exact, name), atol=0.05, err_msg=name
        )
    near = many_effects(correlation=1e-7, covariates=covariates)
    assert near.noise.whole is not None
    with_draws(monkeypatch, {name: value[:, :200] for name, value in values.items()})
    again = fit_family(near, "spike_and_slab", "nuts", n_draws=800, key=1)
    left_out = []
    for density in (found.log_likelihood, again.log_likelihood, drawn.log_likelihood):
        assert density is not None
        left_out.append(-np.log(np.exp(-density()).mean(axis=0)))
    np.testing.assert_allclose(left_out[:2], [left_out[2]] * 2, atol=0.1)


# ---------------------------------------------------------------- sampled


def mcse(sd: Any, ess: Any) -> Any:
    return np.asarray(sd) / np.sqrt(np.asarray(ess))


def random_table(seed: int) -> Any:
    generator = np.random.default_rng(seed)
    k = 6
    root = generator.normal(size=(k, k)) + 2 * np.eye(k)
    sigma = 0.1 * root @ root.T
    effect = generator.multivariate_normal(
        generator.normal() + generator.standard_t(4, k), sigma
    )
    return from_effects(effect, covariance=sigma), from_effects(
        effect, se=np.sqrt(np.diag(sigma))
    )


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("seed", "law"), [(0, "normal"), (1, "student_t"), (2, "spike_and_slab")]
)
def test_engines_agree(seed: int, law: Any) -> None:
    table = random_table(seed)[0 if law == "normal" else 1]
    exact, nuts = (
        tree_datasets(infer(table, law=law, engine=e, rng=seed))
        for e in ("exact", "nuts")
    )
    for name in ("ace", "mu", "tau"):
        a, b = (
            g["posterior"][name].to_numpy().reshape(4_000, -1) for g in (exact, nuts)
        )
        ess = nuts["diagnostics"][f"ess_bulk_{name}"].to_numpy().ravel()
        error = np.hypot(mcse(a.std(axis=0), 4_000), mcse(b.std(axis=0), ess))
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4 * error + 1e-12).all(), (
            name
        )
    for name in ("lfsr", "lfdr", "shrinkage"):
        np.testing.assert_allclose(
            nuts["moments"][name], exact["moments"][name], atol=0.03
        )


@pytest.mark.simulation
def test_few_effects_under_a_whole_covariance_are_a_spike_and_a_slab() -> None:
    shared = np.outer(SE, SE) * (0.5 + 0.5 * np.eye(8))  # contrasts with one control
    table = from_effects(Y, covariance=shared)
    groups = tree_datasets(
        infer(
            table, law="spike_and_slab", prior=Prior(tau_scale=10), engine="nuts", rng=1
        )
    )
    attrs, moments = groups["posterior"].attrs, groups["moments"]
    assert (attrs["engine"], attrs["sigma"], attrs["atom"]) == (
        "nuts",
        "whole",
        "spike and slab, integrated",
    )
    assert ((moments["lfdr"] > 0) & (moments["lfdr"] < 1)).all()
    zero = (groups["posterior"]["ace"] == 0).mean(("chain", "draw"))
    np.testing.assert_allclose(zero, moments["lfdr"], atol=0.05)
    exact = tree_datasets(
        infer(table, law="spike_and_slab", prior=Prior(tau_scale=10), rng=1)
    )
    assert exact["posterior"].attrs["sigma"] == "low rank + diagonal (r=1)"
    for name in ("lfsr", "lfdr"):
        np.testing.assert_allclose(moments[name], exact["moments"][name], atol=0.03)
    np.testing.assert_allclose(
        moments["mean"], exact["moments"]["mean"], atol=0.1 * SE.min()
    )


@pytest.mark.simulation
def test_a_mixture_under_a_whole_covariance_by_enumeration() -> None:
    effect, prior = (
        np.array([1.2, 2.5, -0.3]),
        Components(np.array([0.0, 0.5, 4.0]), np.array([0.5, 0.3, 0.2])),
    )
    sigma = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.2], [0.3, 0.2, 0.8]])
    total, mean, zero = 0.0, np.zeros(3), np.zeros(3)
    for which in itertools.product(range(3), repeat=3):
        v = np.diag(prior.variance[list(which)])
        weight = prior.weight[list(which)].prod() * stats.multivariate_normal(
            cov=sigma + v
        ).pdf(effect)
        total, mean = (
            total + weight,
            mean + weight * (v @ np.linalg.solve(sigma + v, effect)),
        )
        zero += weight * (np.array(which) == 0)
    noise = Noise(np.diag(sigma).copy(), whole=sigma)
    sampled, tails = sample_mixture(
        effect, noise, Prior(), None, prior, n_draws=8_000, key=3
    )
    ace = sampled.values["ace"].reshape(-1, 3)
    assert (
        np.abs(ace.mean(axis=0) - mean / total) < 4 * ace.std(axis=0) / np.sqrt(4_000)
    ).all()
    np.testing.assert_allclose(tails.zero, zero / total, atol=0.02)
    np.testing.assert_allclose((ace == 0).mean(axis=0), zero / total, atol=0.03)


@pytest.mark.simulation
def test_unconverged_draws_can_be_accepted() -> None:
    with pytest.warns(DegenerateWarning):
        tree = infer(
            from_effects(Y, se=SE),
            law="normal",
            engine="nuts",
            n_draws=200,
            rng=0,
            accept_unconverged=True,
        )
    attrs = tree_datasets(tree)["posterior"].attrs
    assert (attrs["converged"], attrs["divergences"]) == ("no", 0)


def test_sampler_statistics_of_several_families_are_named() -> None:
    table = random_table(3)[0].assign_coords(g=("contrast", list("aaabbb")))
    labels, rows = group_rows(table, "g")
    asked = list(family_data(table, rows, None, Prior()))
    exact = [
        fit_family(question, "normal", "exact", n_draws=8, key=0) for question in asked
    ]
    answers = [
        replace(a, stats={"diverging": np.zeros((4, 2), dtype=bool)}) for a in exact
    ]
    coords = result_coordinates(table, labels, ())
    draws = MergedDraws(asked, coords)
    kept = [draws.take(i, answer) for i, answer in enumerate(answers)]
    found = posterior_groups(table, asked, kept, draws, coords)["sample_stats"]
    assert found["diverging"].dims == ("chain", "draw", "family")
    assert list(found["family"].to_numpy()) == ["effect, a", "effect, b"]


def test_a_mixture_given_scores_and_a_slope_has_the_density_of_its_normals() -> None:
    effect, loadings, d = (
        np.array([3.0, -1.0, 0.5]),
        np.array([[1.0], [0.5], [-0.3]]),
        np.array([1.0, 0.5, 2.0]),
    )
    law = Components(np.array([0.0, 4.0, 9.0]), np.array([0.3, 0.7, 0.0]))
    fixed = fixed_effects_design(3, np.array([[-1.0], [0.0], [2.5]]), Prior(mu_sd=2))
    model = mixture_given_factors(effect, Noise(d, loadings), law, fixed)
    point = {"factor": np.array([0.8]), "beta": np.array([0.4])}
    potential = model.compile_fn(
        [model["effect"]], inputs=model.free_RVs, mode="FAST_COMPILE", point_fn=False
    )
    (found,) = potential(*[point[v.name] for v in model.free_RVs])
    rest = effect - 0.8 * loadings[:, 0] - 0.4 * fixed.columns[:, 1]
    density = 0.3 * stats.norm.pdf(rest, 0, np.sqrt(d)) + 0.7 * stats.norm.pdf(
        rest, 0, np.sqrt(d + 4)
    )
    assert float(found) == pytest.approx(
        (np.log(density) + 0.5 * np.log(2 * np.pi)).sum(), rel=1e-10
    )


@pytest.mark.parametrize("line", [False, True])
def test_effects_of_a_mixture_given_scores_are_those_of_bayes(
    line: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Averaged over the draws of scores and slope; each drawn effect about its own
    mean.
    """
    rng = np.random.default_rng(0)
    effect, loadings, d = (
        np.array([30.0, -9.0, 4.0]),
        np.array([[8.0], [4.0], [-3.0]]),
        np.array([90.0, 40.0, 160.0]),
    )
    noise, x = Noise(d, loadings), np.array([[-1.0], [0.0], [2.5]])
    unit = noise_unit(noise)
    draws = {
        "factor": 0.5 * rng.normal(size=(4, 400, 1)),
        "beta": 0.2 + 0.1 * rng.normal(size=(4, 400, 1)),
    }
    with_draws(monkeypatch, draws)
    law = Components(np.array([0.0, 400.0]), np.array([0.4, 0.6]))
    covariates = x if line else None
    found, tails = sample_mixture(
        effect, noise, Prior(mu_sd=80), covariates, law, n_draws=1_600, key=1
    )
    assert ("beta" in found.values) == line
    center = np.zeros((1_600, 3))
    if line:
        np.testing.assert_allclose(found.values["beta"], draws["beta"] * unit)
        center = unit * draws["beta"].reshape(-1, 1) * (x - x.mean()).T
    rest = effect - center - draws["factor"].reshape(-1, 1) * loadings.T
    inside = 0.6 * stats.norm.pdf(rest, 0, np.sqrt(d + 400))
    inside /= inside + 0.4 * stats.norm.pdf(rest, 0, np.sqrt(d))
    gain = 400 / (400 + d)
    each = center + inside * gain * rest
    second = (1 - inside) * center**2 + inside * (
        (center + gain * rest) ** 2 + gain * d
    )
    sd = np.sqrt(second.mean(axis=0) - each.mean(axis=0) ** 2)
    np.testing.assert_allclose(tails.mean, each.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(tails.square), sd, rtol=1e-9)
    ace = found.values["ace"].reshape(-1, 3)
    assert (
        np.abs(ace.mean(axis=0) - each.mean(axis=0)) < 4.5 * sd / np.sqrt(1_600)
    ).all()
    # of draws about the mean given its scores
    own = np.abs(((ace - each) * (each - each.mean(axis=0))).mean(axis=0))
    assert (own < 4.5 * sd * each.std(axis=0) / np.sqrt(1_600)).all()


def test_a_chain_starts_where_a_uniform_prior_ends_before_the_effects_do() -> None:
    model = graph(
        np.array([50.0, -40.0, 9.0]),
        Noise(np.ones(3)),
        Prior(tau="uniform", tau_scale=0.5),
    )
    start = model.initial_point()
    assert np.isfinite(start["tau_interval__"]).all()


def test_effects_of_a_slab_given_scores_are_those_of_bayes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two scores, weight and sd that were drawn in the unit of the errors; tau is
    that of an effect.
    """
    rng = np.random.default_rng(1)
    effect, d = np.array([30.0, -9.0, 4.0]), np.array([90.0, 40.0, 160.0])
    noise = Noise(d, np.array([[8.0, 1.0], [4.0, -2.0], [-3.0, 5.0]]))
    draws = {
        "factor": 0.5 * rng.normal(size=(4, 200, 2)),
        "w": rng.uniform(0.2, 0.8, (4, 200)),
        "tau": rng.uniform(0.5, 3.0, (4, 200)),
    }
    with_draws(monkeypatch, draws)
    found, tails = sample_slab(effect, noise, Prior(tau_scale=40), n_draws=800, key=1)
    w, tau = draws["w"].reshape(-1, 1), noise_unit(noise) * draws["tau"].reshape(-1, 1)
    np.testing.assert_allclose(found.values["tau"].reshape(-1, 1), np.sqrt(w) * tau)
    assert noise.loadings is not None
    rest = effect - draws["factor"].reshape(-1, 2) @ noise.loadings.T
    inside = w * stats.norm.pdf(rest, 0, np.sqrt(d + tau**2))
    inside /= inside + (1 - w) * stats.norm.pdf(rest, 0, np.sqrt(d))
    np.testing.assert_allclose(
        tails.mean, (inside * tau**2 / (d + tau**2) * rest).mean(axis=0), rtol=1e-9
    )
    np.testing.assert_allclose(tails.zero, 1 - inside.mean(axis=0), rtol=1e-9)
    assert found.values["ace"].shape == (4, 200, 3)
