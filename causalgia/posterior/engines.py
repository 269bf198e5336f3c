"""Choice of the engine for each family, exact where one exists, otherwise NUTS; and
predictors as a level.

With predictors as a level, ``effect_km = delta_k + gamma_km + error_k`` with
``gamma_km ~ N(0, tau_gamma^2)``, m one of M predictors. All of them predicted the same
units and share the error of the units; only gamma differs between predictors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from scipy import special

from causalgia.analysis_values import Prior
from causalgia.checks import nearest
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.posterior.error_covariance import Noise, add_variances
from causalgia.posterior.exact import (
    Design,
    Draws,
    Exact,
    fixed_effects_design,
    has_flat_tau,
    linear_part,
    log_prior_tau,
)
from causalgia.posterior.labeled_data import FamilyData
from causalgia.posterior.mixture import (
    LEAST_FOR_DEPENDENCE,
    effect_se_dependence,
    lfsr_of,
    mixture,
    mixture_weights,
    null_biased_counts,
    scale_grid,
)
from causalgia.posterior.normal import normal, normal_log_likelihood
from causalgia.posterior.nuts import (
    CHAINS,
    Sampled,
    sample_hierarchy,
    sample_mixture,
    sample_slab,
)
from causalgia.posterior.pointwise_likelihood import (
    draw_weights,
    independent_log_density,
    left_out_log_density,
)
from causalgia.posterior.scale_mixture import (
    Components,
    EffectSummary,
    log_component_densities,
)
from causalgia.posterior.spike_and_slab import spike_and_slab
from causalgia.posterior.student_t import StudentModel, student
from causalgia.posterior.two_scales import two_scales
from causalgia.streams import derive
from causalgia.types import Array, Codes

FEW = 30
NU = 4.0  # of the Student-t law: tails heavy enough for outliers, and a variance
ENGINES = ("auto", "exact", "nuts")
_NODES = 25
_NATS_BELOW_MODE = 16.0
_GRID = 4_000


@dataclass(frozen=True, eq=False)
class FamilyPosterior:
    """The posterior of one family, from either engine."""

    draws: dict[str, Array]
    """``ace (chain, draw, K)``, ``mu, tau (chain, draw)``, maybe
    ``beta (chain, draw, q)``, under a law with an atom ``ace_slab`` like ace, and with
    several predictors ``tau_gamma (chain, draw)`` and
    ``ace_model (chain, draw, K, M)``.
    """
    moments: dict[str, Array]
    """``mean, sd, lfsr, lfdr, shrinkage``, (K,) each."""
    stats: dict[str, Array]
    """Sampler statistics, (chain, draw); empty from the exact engine."""
    engine: str
    """``"exact"`` or ``"nuts"``."""
    sampler: str
    """Program that sampled."""
    log_likelihood: Callable[[], Array] | None = None
    """Computes the log density of each estimate given what all effects share, (n, K);
    None for predictors as a level, and for the Student-t, or an atom among few effects,
    where shared errors were sampled.
    """
    dependence_gain: float | None = None
    """Gain, in nats, of exchangeable effect / se over exchangeable effects
    (`effect_se_dependence`); None for fewer than `LEAST_FOR_DEPENDENCE` effects.
    """


def check_choice(value: object, known: tuple[str, ...], name: str) -> None:
    """Raise unless the value is one of the known; the error names the nearest.

    Examples
    --------
    >>> check_choice("normals", ("student_t", "normal"), "law")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: law='normals' is not one of student_t, normal; did you mean 'normal'?
    """
    if not isinstance(value, str) or value not in known:
        hint = nearest(quoted(value), known)
        raise EstimateError(
            f"{name}={quoted(value)} is not one of {', '.join(known)}{hint}"
        )


def n_factors_for(
    law: str, engine: str, *, covariates: bool
) -> Callable[[int], int | None]:
    """Return the number of factor scores of estimated noise to integrate for K effects;
    None: any covariance is whole.

    The normal law and NUTS accept any covariance. The Student-t, two scales and the
    spike and slab of many effects integrate all scores (Laplace). Few effects under a
    spike at 0 integrate none: the scores would be estimated from effects assumed to be
    exactly 0, and a small shift of all of these would enter every other effect.

    Examples
    --------
    >>> with_a_spike = n_factors_for("spike_and_slab", "auto", covariates=False)
    >>> (
    ...     with_a_spike(5),
    ...     with_a_spike(1000),
    ...     n_factors_for("normal", "auto", covariates=False)(5),
    ... )
    (0, 1000, None)
    """
    if law == "normal" or engine == "nuts":
        return lambda _: None
    at_0 = law == "spike_and_slab" and not covariates
    return lambda size: 0 if at_0 and size < FEW else size


def resolve_law(law: str, sizes: Sequence[int]) -> str:
    """Return the law of families of these sizes; ``"auto"`` depends on the smallest.

    Thirty effects or more can show two scales. Fewer cannot show any law, and the
    normal one is assumed. The posterior of a single effect does not depend on the law,
    since mu is flat.

    Examples
    --------
    >>> (
    ...     [resolve_law("auto", sizes) for sizes in ([1], [29, 400], [30])],
    ...     resolve_law("student_t", [5]),
    ... )
    (['two_scales', 'normal', 'two_scales'], 'student_t')
    """
    if law != "auto":
        return law
    return "two_scales" if min(sizes) >= FEW or max(sizes) == 1 else "normal"


def choose_engine(engine: str, law: str, noise: Noise) -> str:
    """Return the engine to use; raise for one that does not support the law and noise.

    Raises
    ------
    EstimateError
        If ``engine="exact"`` and there is no exact path.
    """
    if law == "two_scales" and (engine == "nuts" or noise.whole is not None):
        raise EstimateError(
            "law='two_scales' has the exact engine alone, with independent errors or "
            "shared factors",
            argument="law",
        )
    has_exact = law == "normal" or noise.whole is None
    if engine == "exact" and not has_exact:
        raise EstimateError(
            f"engine='exact': law={quoted(law)} has no exact path with a known "
            "covariance of more than one factor"
        )
    return ("exact" if has_exact else "nuts") if engine == "auto" else engine


def has_log_likelihood(family: FamilyData, law: str, engine: str) -> bool:
    """Return whether `fit_family` will give the log densities of estimates given the
    shared parameters.

    Not of predictors as a level; nor from NUTS of the Student-t with shared errors, and
    of an atom and one normal.

    Parameters
    ----------
    family, law, engine
        As of `fit_family`.
    """
    if family.by_predictor is not None:
        return False
    if choose_engine(engine, law, family.noise) == "exact" or law == "normal":
        return True
    if law == "student_t":
        return family.noise.whole is None and family.noise.loadings is None
    return not has_few_effects(family)


def _run_exact_engine(
    family: FamilyData, law: str, effect: Array, noise: Noise
) -> Exact:
    prior, covariates = family.prior, family.center
    if law == "spike_and_slab" and has_few_effects(family):
        return spike_and_slab(effect, noise, prior)
    if law == "spike_and_slab":
        mode: Literal["zero", "estimate"] = (
            "zero" if noise.loadings is None and covariates is None else "estimate"
        )
        return mixture(effect, noise, prior, mode=mode, covariates=covariates)
    if law == "two_scales":
        return two_scales(effect, noise, covariates=covariates)
    return (normal if law == "normal" else student)(
        effect, noise, prior, covariates=covariates
    )


def has_few_effects(family: FamilyData) -> bool:
    """Return whether a spike and slab is an atom and one normal, both integrated: below
    30 exchangeable effects.
    """
    return len(family.effect) < FEW and family.covariates is None


def _named_draws(drawn: Draws, family: FamilyData) -> dict[str, Array]:
    """Return draws by name; of the coefficients only those of the user's covariates."""
    values = {"ace": drawn.ace, "mu": drawn.mu, "tau": drawn.tau, **drawn.law}
    values |= {} if drawn.slab is None else {"ace_slab": drawn.slab}
    if family.covariates is None:
        return values
    return values | {"beta": drawn.beta[:, : family.covariates.shape[1]]}


def _fit_over_predictors(
    family: FamilyData, effect: Array, law: str, *, n_draws: int, key: int
) -> FamilyPosterior:
    level = over_predictors(
        effect,
        family.noise,
        family.prior,
        lambda mean, noise: _run_exact_engine(family, law, mean, noise),
    )
    drawn = level.draw(n_draws, np.random.default_rng(derive(key, "exact")))
    values = _named_draws(drawn.shared, family) | {
        "tau_gamma": drawn.tau_gamma,
        "ace_model": drawn.ace_model,
    }
    return FamilyPosterior(
        split_into_chains(values), moments_of(level), {}, "exact", ""
    )


def split_into_chains(values: dict[str, Array]) -> dict[str, Array]:
    """Split independent draws (n, ...) into four chains: (4, n / 4, ...)."""
    return {
        name: value.reshape(CHAINS, -1, *value.shape[1:])
        for name, value in values.items()
    }


def moments_of(exact: Exact | PredictorLevel) -> dict[str, Array]:
    """Return the exact moments by name: mean, sd, lfsr, lfdr and shrinkage, (K,)
    each.
    """
    return {
        name: getattr(exact, name)
        for name in ("mean", "sd", "lfsr", "lfdr", "shrinkage")
    }


def fit_by_nuts(
    family: FamilyData, law: str, *, n_draws: int, key: int
) -> FamilyPosterior:
    """Return the posterior of a family by NUTS.

    Weights of the mixture are at their penalized maximum, as in the exact engine; for
    dependent errors they are estimated from marginal errors.

    Parameters
    ----------
    family, law
        The data, and the law of its effects.
    n_draws
        In all; split into four chains.
    key
        Seed.
    """
    if law == "spike_and_slab":
        return _fit_mixture_by_nuts(family, n_draws=n_draws, key=key)
    nu = NU if law == "student_t" else None
    data = (family.effect, family.noise, family.prior, family.covariates)
    found = sample_hierarchy(*data, nu=nu, n_draws=n_draws, key=key)
    ace = found.values["ace"].reshape(-1, len(family.effect))
    below, above = (ace < 0).mean(axis=0), (ace > 0).mean(axis=0)
    moments = {
        "mean": ace.mean(axis=0),
        "sd": ace.std(axis=0),
        "lfsr": np.asarray(1 - below - above + np.minimum(below, above)),
    }
    # `E[s^2 / (s^2 + tau^2 / lambda)]`, lambda the latent precision of a Student-t
    # effect (normal: 1)
    values = found.values
    s2, tau2, lam = family.noise.marginal, values["tau"].reshape(-1, 1) ** 2, np.ones(1)
    if nu is not None:
        center = values["mu"].reshape(-1, 1)
        if "beta" in values:
            x = fixed_effects_design(len(s2), family.covariates, family.prior).columns[
                :, 1:
            ]
            center = center + values["beta"].reshape(len(center), -1) @ x.T
        square = (values["ace"].reshape(len(center), -1) - center) ** 2 / tau2
        lam = np.random.default_rng(derive(key, "lambda")).gamma(
            (nu + 1) / 2, 2 / (nu + square)
        )
    moments |= {
        "lfdr": np.zeros(ace.shape[1]),
        "shrinkage": np.asarray((s2 / (s2 + tau2 / lam)).mean(axis=0)),
    }
    known = _nuts_log_likelihood(family, found.values, nu)
    return FamilyPosterior(
        found.values, moments, found.stats, "nuts", found.sampler, known
    )


def _nuts_log_likelihood(
    family: FamilyData, values: dict[str, Array], nu: float | None
) -> Callable[[], Array] | None:
    """Return a function for log densities of estimates under draws of NUTS, which have
    no factor scores.
    """
    effect, noise, x = family.effect, family.noise, family.covariates
    mu, tau = values["mu"].ravel(), values["tau"].ravel()
    beta = (
        values["beta"].reshape(len(mu), -1)
        if "beta" in values
        else np.empty((len(mu), 0))
    )
    if nu is None:
        return lambda: normal_log_likelihood(effect, noise, x, mu, beta, tau)
    if noise.whole is not None or noise.loadings is not None:
        return None
    shared = linear_part(fixed_effects_design(len(effect), x, family.prior), noise)
    law = StudentModel(effect, noise.variances, shared, family.prior, nu).components(
        1.0, least=float(tau.min())
    )
    coefficients, variance = (
        np.column_stack([mu, beta]),
        tau[:, None] ** 2 * law.variance,
    )
    arguments = effect, noise.variances, shared, coefficients, variance, law.weight, 1.0
    return partial(independent_log_density, *arguments)


def _fit_mixture_by_nuts(
    family: FamilyData, *, n_draws: int, key: int
) -> FamilyPosterior:
    effect, noise = family.effect, family.noise
    if has_few_effects(family):
        found, tails = sample_slab(
            effect, noise, family.prior, n_draws=n_draws, key=key
        )
        return _from_summary(found, dict(found.values), tails)
    components = _marginal_components(family)
    data = (effect, noise, family.prior, family.covariates, components)
    found, tails = sample_mixture(*data, n_draws=n_draws, key=key)
    shape = found.values["ace"].shape[:2]
    tau = float(np.sqrt(components.weight @ components.variance))
    values = {name: v for name, v in found.values.items() if name != "factor"}
    known = partial(_mixture_log_likelihood, family, components, shape[0] * shape[1])
    return replace(
        _from_summary(found, values | {"tau": np.full(shape, tau)}, tails),
        log_likelihood=known,
    )


def _mixture_log_likelihood(
    family: FamilyData, components: Components, n: int
) -> Array:
    """Return log densities of estimates with drawn weights, (n, K); in NUTS the weights
    are at their maximum.
    """
    effect, noise, variance = family.effect, family.noise, components.variance
    whole = fixed_effects_design(len(effect), family.covariates, family.prior)
    center = Design(whole.columns[:, 1:], whole.sd[1:])
    counts, generator = null_biased_counts(np.sqrt(variance)), np.random.default_rng(0)
    if noise.whole is not None:
        law = center.columns, 1 / center.sd**2, variance, counts
        return left_out_log_density(
            effect, noise.whole, *law, components.weight, n, generator
        )
    shared = linear_part(center, noise)
    start = components.weight, np.zeros(shared.columns.shape[1])
    law = shared.columns, shared.precision, variance, counts
    weight, coefficients = draw_weights(
        effect, noise.variances, *law, start, n, generator
    )
    return independent_log_density(
        effect, noise.variances, shared, coefficients, variance, weight, 1.0
    )


def _from_summary(
    found: Sampled, values: dict[str, Array], tails: EffectSummary
) -> FamilyPosterior:
    values |= {"mu": np.zeros(values["tau"].shape)}
    moments = {
        "mean": tails.mean,
        "sd": np.sqrt(tails.square),
        "lfsr": lfsr_of(tails),
        "lfdr": tails.zero,
    }
    return FamilyPosterior(
        values,
        moments | {"shrinkage": tails.shrinkage},
        found.stats,
        "nuts",
        found.sampler,
    )


def _marginal_components(family: FamilyData) -> Components:
    """Return the mixture of the effects about their center, as if errors were
    independent.
    """
    marginal, effect = family.noise.marginal, family.effect
    if family.covariates is not None:
        fit = mixture(
            effect, Noise(marginal), family.prior, covariates=family.covariates
        )
        centered = family.covariates - family.covariates.mean(axis=0)
        effect = effect - centered @ fit.nodes.coefficients[0, 1:]
    sd = scale_grid(effect, np.sqrt(marginal))
    terms = log_component_densities(
        effect, marginal, Components(sd**2, np.ones(len(sd)))
    )
    return Components(sd**2, mixture_weights(terms, null_biased_counts(sd)).weight)


def fit_family(
    family: FamilyData,
    law: str,
    engine: str,
    *,
    n_draws: int,
    key: int,
    with_log_likelihood: bool = True,
) -> FamilyPosterior:
    """Return the posterior of a family by the requested engine or, for ``"auto"``, by
    the exact one if it exists.

    Parameters
    ----------
    family, law, engine
        The data, the law of its effects and the engine.
    n_draws
        In all; a multiple of four.
    key
        Seed of this call; that of each family is derived from it.
    with_log_likelihood
        Keep what computes it, which has arrays of n draws.
    """
    found = _fit_family(family, law, engine, n_draws=n_draws, key=key)
    if not with_log_likelihood:
        found = replace(found, log_likelihood=None)
    if len(family.rows) < LEAST_FOR_DEPENDENCE:
        return found
    centered = family.effect - float(found.draws["mu"].mean())
    return replace(
        found,
        dependence_gain=effect_se_dependence(
            centered, np.sqrt(family.noise.marginal)
        ).gain,
    )


def _fit_family(
    family: FamilyData, law: str, engine: str, *, n_draws: int, key: int
) -> FamilyPosterior:
    own = derive(key, "infer", family.task, family.group)
    if choose_engine(engine, law, family.noise) == "exact":
        return _fit_exactly(family, law, n_draws=n_draws, key=own)
    if family.by_predictor is not None:
        raise EstimateError(
            f"predictors as a level of law={quoted(law)} need the exact engine, which "
            "a whole covariance has for law='normal' alone"
        )
    return fit_by_nuts(family, law, n_draws=n_draws, key=own)


def _fit_exactly(
    family: FamilyData, law: str, *, n_draws: int, key: int
) -> FamilyPosterior:
    """Return the posterior of a family by quadrature and independent draws."""
    if family.by_predictor is not None:
        return _fit_over_predictors(
            family, family.by_predictor, law, n_draws=n_draws, key=key
        )
    exact = _run_exact_engine(family, law, family.effect, family.noise)
    drawn = exact.draw(n_draws, np.random.default_rng(derive(key, "exact")))
    values = split_into_chains(_named_draws(drawn, family))
    return FamilyPosterior(
        values, moments_of(exact), {}, "exact", "", drawn.log_likelihood
    )


@dataclass(frozen=True, eq=False)
class LevelDraws:
    """Independent draws from the joint posterior of shared effects and those of each
    predictor.
    """

    shared: Draws
    """Mean effects over retrainings, and their hyperparameters."""
    tau_gamma: Array
    """Sd of an effect between retrainings, (n,)."""
    ace_model: Array
    """``delta_k + gamma_km``, (n, K, M)."""


@dataclass(frozen=True, eq=False)
class PredictorLevel:
    """The posterior of effects that predictors share, averaged over nodes of
    tau_gamma.
    """

    mean: Array
    """Posterior mean of each effect, (K,)."""
    sd: Array
    """Posterior sd, (K,)."""
    lfsr: Array
    """Local false sign rate, (K,)."""
    lfdr: Array
    """P(delta = 0), (K,)."""
    shrinkage: Array
    """Shrinkage factor towards the center, (K,)."""
    tau_gamma: Array
    """Nodes, (T,)."""
    weight: Array
    """Their posterior probabilities, (T,)."""
    draw: Callable[[int, np.random.Generator], LevelDraws]
    """Independent draws."""


def over_predictors(
    effect: Array, noise: Noise, prior: Prior, build: Callable[[Array, Noise], Exact]
) -> PredictorLevel:
    """Return the exact posterior of effects shared by M predictors, and of those of
    each predictor.

    Given tau_gamma, the mean over predictors is the estimate of delta with noise
    ``Sigma + tau_gamma^2 / M``, and the deviations from it give ``K (M - 1)`` degrees
    of freedom for tau_gamma. tau_gamma is integrated over nodes (trapezoid in its
    logarithm, where its posterior lies), each weighted by the evidence of both parts.

    Parameters
    ----------
    effect
        Estimates of each predictor, shape ``(K, M)``, M >= 2.
    noise
        Sampling covariance of the mean over predictors.
    prior
        Prior of tau_gamma: that of tau, in the unit of the effects.
    build
        ``build(mean (K,), noise)``: the exact posterior under the law.

    Raises
    ------
    EstimateError
        If the predictors agree exactly.

    References
    ----------
    Gelman & Hill (2006), doi:10.1017/CBO9780511790942, chapter 12.

    Examples
    --------
    >>> from causalgia.posterior.normal import normal
    >>> effect = np.array([[1.0, 1.2, 0.8], [0.1, -0.1, 0.0], [2.0, 2.4, 2.5]])
    >>> level = over_predictors(
    ...     effect, Noise(np.full(3, 0.01)), Prior(), lambda x, s: normal(x, s, Prior())
    ... )
    >>> level.mean.round(1), round(float(level.weight @ level.tau_gamma), 2)
    (array([1. , 0. , 2.3]), 0.26)
    """
    center = effect.mean(axis=1)
    tau, log_within = _tau_gamma_nodes(effect - center[:, None], prior)
    m = effect.shape[1]
    exact = [
        build(center, add_variances(noise, np.full(len(center), t**2 / m))) for t in tau
    ]
    log_weight = log_within + np.array([e.log_evidence for e in exact])
    weight = special.softmax(log_weight)
    mean = np.stack([e.mean for e in exact])
    average = weight @ mean
    below = weight @ np.stack([e.below(np.zeros(len(center))) - e.lfdr for e in exact])
    zero = weight @ np.stack([e.lfdr for e in exact])
    square = np.stack([e.sd**2 for e in exact]) + (mean - average) ** 2

    def draw(n: int, generator: np.random.Generator) -> LevelDraws:
        node = generator.choice(len(tau), size=n, p=weight)
        parts = list(_draw_at_nodes(effect, noise, tau, exact, node, generator))
        order = np.argsort(np.concatenate([where for where, _, _ in parts]))
        ace, mu, spread, beta = (
            np.concatenate([getattr(d, name) for _, d, _ in parts])[order]
            for name in ("ace", "mu", "tau", "beta")
        )
        law = {
            name: np.concatenate([d.law[name] for _, d, _ in parts])[order]
            for name in parts[0][1].law
        }
        ace_model = np.concatenate([ace for _, _, ace in parts])[order]
        return LevelDraws(Draws(ace, mu, spread, beta, law=law), tau[node], ace_model)

    return PredictorLevel(
        mean=average,
        sd=np.sqrt(weight @ square),
        lfsr=zero + np.clip(np.minimum(below, 1 - zero - below), 0, None),
        lfdr=zero,
        shrinkage=weight @ np.stack([e.shrinkage for e in exact]),
        tau_gamma=tau,
        weight=weight,
        draw=draw,
    )


def _tau_gamma_nodes(deviation: Array, prior: Prior) -> tuple[Array, Array]:
    """Return nodes of tau_gamma, (T,), and the log density of log tau_gamma at each,
    given the deviations.
    """
    k, m = deviation.shape
    df, total = k * (m - 1), float((deviation**2).sum())
    if not total > 0:
        raise EstimateError(
            "the predictors agree exactly in every contrast: they are one predictor"
        )
    if has_flat_tau(prior) and df <= 1:
        raise EstimateError(
            "one contrast of two predictors and a flat prior of tau give no proper "
            "posterior of the spread between predictors"
        )
    fine = np.sqrt(total / df) * np.geomspace(1e-3, 1e6, _GRID)
    density = _tau_gamma_log_density(fine, df, total, prior)
    inside = fine[density > density.max() - _NATS_BELOW_MODE]
    tau = np.geomspace(inside[0], inside[-1], _NODES)
    return tau, _tau_gamma_log_density(tau, df, total, prior)


def _tau_gamma_log_density(tau: Array, df: int, total: float, prior: Prior) -> Array:
    return np.asarray(
        -df * np.log(tau)
        - total / (2 * tau**2)
        + log_prior_tau(prior, tau)
        + np.log(tau)
    )


def _draw_at_nodes(
    effect: Array,
    noise: Noise,
    tau: Array,
    exact: list[Exact],
    node: Codes,
    generator: np.random.Generator,
) -> Iterator[tuple[Codes, Draws, Array]]:
    for t in np.unique(node):
        where: Codes = np.flatnonzero(node == t)
        draws = exact[t].draw(len(where), generator)
        # errors of the units (n, K) given that their sum with the mean of gamma, of
        # variance `extra`, is `rest`
        rest = effect.mean(axis=1) - draws.ace
        extra = tau[t] ** 2 / effect.shape[1]
        error = draw_errors(noise, len(rest), generator)
        missing = rest - error - np.sqrt(extra) * generator.normal(size=rest.shape)
        # Matheron's rule, doi:10.48550/arXiv.2002.09309
        error = error + _regress_on_sum(missing, noise, extra)
        yield where, draws, effect - error[..., None]


def _regress_on_sum(missing: Array, noise: Noise, extra: float) -> Array:
    """Return ``missing (Sigma + extra I)^-1 Sigma``, (n, K)."""
    if noise.whole is not None:
        total = noise.whole + extra * np.eye(len(noise.whole))
        return np.asarray(np.linalg.solve(total, missing.T).T @ noise.whole)
    diagonal = noise.variances + extra
    if noise.loadings is None:
        return missing * noise.variances / diagonal
    scaled = noise.loadings / diagonal[:, None]
    inner = np.eye(scaled.shape[1]) + noise.loadings.T @ scaled
    solved = missing / diagonal - (
        np.linalg.solve(inner, scaled.T @ missing.T).T @ scaled.T
    )
    return np.asarray(missing - extra * solved)


def draw_errors(noise: Noise, n: int, generator: np.random.Generator) -> Array:
    """Draw errors ``N(0, Sigma)``, (n, K).

    Examples
    --------
    >>> draw_errors(Noise(np.ones(2)), 3, np.random.default_rng(0)).shape
    (3, 2)
    """
    k = len(noise.variances)
    if noise.whole is not None:
        return np.asarray(
            generator.normal(size=(n, k)) @ np.linalg.cholesky(noise.whole).T
        )
    out = generator.normal(size=(n, k)) * np.sqrt(noise.variances)
    if noise.loadings is not None:
        out += generator.normal(size=(n, noise.loadings.shape[1])) @ noise.loadings.T
    return out
