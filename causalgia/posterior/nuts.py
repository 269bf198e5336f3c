"""The hierarchical models in PyMC, sampled by NUTS of PyMC or (where installed) nutpie.

An effect is parameterized by its standard score under its conditional normal law given
tau and its estimate. This interpolates between the centered form (informative data) and
the non-centered form (weak data).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError
from causalgia.posterior.error_covariance import Noise, noise_unit, rescale_noise
from causalgia.posterior.exact import (
    Design,
    check_proper,
    fixed_effects_design,
    has_flat_tau,
    rescale_prior,
)
from causalgia.posterior.mixture import average_summaries
from causalgia.posterior.posterior_tree import import_quietly, tree_datasets
from causalgia.posterior.scale_mixture import (
    Components,
    EffectSummary,
    Node,
    draw_effects,
    whole_window,
)
from causalgia.streams import derive
from causalgia.types import Array

T_DF = 3  # of Prior(tau="half_t")
CHAINS = 4
_TUNE = 1_000
_ACCEPT = 0.95
_STATS = {  # ours: PyMC's, nutpie's
    "diverging": ("diverging", "diverging"),
    "energy": ("energy", "energy"),
    "tree_depth": ("tree_depth", "depth"),
    "acceptance_rate": ("acceptance_rate", "mean_tree_accept"),
    "n_steps": ("n_steps", "n_steps"),
    "lp": ("lp", "logp"),
    "step_size": ("step_size", "step_size"),
}


def moment_tau(effect: Array, noise: Noise) -> float:
    """Return the moment estimate of tau: ``tau^2 = var(effect) - mean(se^2)``, 0 where
    that is negative.

    Parameters
    ----------
    effect
        Estimates, shape ``(K,)``.
    noise
        Their covariance about the effects.

    References
    ----------
    Hedges (1983), doi:10.1037/0033-2909.93.2.388.

    Examples
    --------
    >>> moment_tau(np.array([0.0, 2.0, 4.0]), Noise(np.ones(3)))
    1.7320508075688772
    """
    excess = (
        float(effect.var(ddof=1)) - float(noise.marginal.mean())
        if len(effect) > 1
        else 0.0
    )
    return float(np.sqrt(max(excess, 0.0)))


def hierarchical_model(
    effect: Array, noise: Noise, prior: Prior, fixed: Design, nu: float | None = None
) -> Any:
    """Return the model ``effect ~ N(ace, Sigma), ace = mu + x' beta + tau z`` with z
    normal or Student-t.

    Parameters
    ----------
    effect
        Estimates, shape ``(K,)``, in the unit of the prior.
    noise
        Their covariance: independent, ``L L' + D`` (the factors are parameters), or
        whole.
    prior
        Of tau; an infinite scale is flat.
    fixed
        Intercept and covariates of the center, with the prior sd of mu and beta.
    nu
        Degrees of freedom of z; None: normal.

    Returns
    -------
    pymc.Model
        Parameters ``tau``, ``b (1 + q,)``, ``z (K,)``, and ``factor (r,)`` where the
        noise has them. ``mu`` and ``beta (q,)`` are their conditional mean given tau
        under a normal prior plus b conditional sd; effect k, on the axes of Sigma, its
        conditional mean given tau, mu and beta plus ``z_k`` conditional sd. Of the
        normal law b and z are independent of tau: there is no funnel. ``ace (K,)`` are
        the effects.

    References
    ----------
    Papaspiliopoulos, Roberts & Skoeld (2007), doi:10.1214/088342307000000014:
    data-based partial non-centring.

    Examples
    --------
    >>> from causalgia.posterior.exact import fixed_effects_design
    >>> effect, noise = np.array([28.0, 8.0]), Noise(np.array([225.0, 100.0]))
    >>> model = hierarchical_model(
    ...     effect, noise, Prior(), fixed_effects_design(2, None, Prior())
    ... )
    >>> [variable.name for variable in model.free_RVs]
    ['tau', 'b', 'z']
    """
    pm = import_quietly("pymc")
    with pm.Model() as model:
        tau = _tau_variable(
            prior,
            max(moment_tau(effect, noise), 0.3 * float(np.sqrt(noise.marginal).mean())),
        )
        shared = _factor_variable(noise)
        center = _center_variable(effect - shared, tau, noise, fixed)
        deviation = _deviation_variable(effect - shared - center, tau, noise, nu)
        ace = pm.Deterministic("ace", center + tau * deviation)
        expected = ace + shared
        if noise.whole is not None:
            pm.MvNormal(
                "effect",
                mu=expected,
                chol=np.linalg.cholesky(noise.whole),
                observed=effect,
            )
        else:
            pm.Normal(
                "effect", mu=expected, sigma=np.sqrt(noise.variances), observed=effect
            )
    return model


def _noise_axes(noise: Noise) -> tuple[Array, Any]:
    """Return the variances along the principal axes of Sigma, and the axes; None where
    they are the contrasts.
    """
    if noise.whole is None:
        return noise.variances, None
    values, vectors = np.linalg.eigh(noise.whole)
    return values, vectors


def _center_variable(estimate: Any, tau: Any, noise: Noise, fixed: Design) -> Any:
    """Return ``mu + x' beta`` with (mu, beta) b conditional sd from their conditional
    mean given tau.
    """
    pm, pt = import_quietly("pymc"), import_quietly("pytensor.tensor")
    solve, cholesky = (
        getattr(import_quietly("pytensor.tensor.linalg"), n)
        for n in ("solve_triangular", "cholesky")
    )
    variances, axes = _noise_axes(noise)
    x = fixed.columns if axes is None else axes.T @ fixed.columns
    weighted = x / (tau**2 + variances)[:, None]
    root = cholesky(pt.dot(x.T, weighted) + np.diag(1 / fixed.sd**2))
    b = pm.Flat("b", shape=len(fixed.sd), initval=np.zeros(len(fixed.sd)))
    rest = estimate if axes is None else pt.dot(axes.T, estimate)
    coefficients = solve(
        root.T, solve(root, pt.dot(weighted.T, rest), lower=True) + b, lower=False
    )
    pm.Potential(
        "coefficients",
        -0.5 * ((coefficients / fixed.sd) ** 2).sum() - pt.log(pt.diag(root)).sum(),
    )
    pm.Deterministic("mu", coefficients[0])
    if len(fixed.sd) > 1:
        pm.Deterministic("beta", coefficients[1:])
    return pt.dot(fixed.columns, coefficients)


def _tau_variable(prior: Prior, start: float) -> Any:
    pm = import_quietly("pymc")

    if prior.tau == "half_t":
        return pm.HalfStudentT("tau", nu=T_DF, sigma=prior.tau_scale, initval=start)
    if prior.tau == "half_normal":
        return pm.HalfNormal("tau", sigma=prior.tau_scale, initval=start)
    if prior.tau == "half_cauchy":
        return pm.HalfCauchy("tau", beta=prior.tau_scale, initval=start)
    if np.isinf(prior.tau_scale):
        return pm.HalfFlat("tau", initval=start)
    return pm.Uniform(
        "tau", 0.0, prior.tau_scale, initval=min(start, prior.tau_scale / 2)
    )


def _factor_variable(noise: Noise) -> Any:
    """Return the contribution of the factors to the estimates, (K,)."""
    if noise.loadings is None or not noise.loadings.shape[1]:
        return np.zeros(len(noise.variances))
    factor = import_quietly("pymc").Normal("factor", shape=noise.loadings.shape[1])
    return import_quietly("pytensor.tensor").dot(noise.loadings, factor)


def _deviation_variable(rest: Any, tau: Any, noise: Noise, nu: float | None) -> Any:
    """Return ``(ace - center) / tau`` at z, and add its prior and the Jacobian of z to
    the model.
    """
    pm, pt = import_quietly("pymc"), import_quietly("pytensor.tensor")
    variances, axes = _noise_axes(noise)
    total = tau**2 + variances
    sd = pt.sqrt(variances / total)
    z = pm.Flat("z", shape=len(variances), initval=np.zeros(len(variances)))
    deviation = tau / total * (rest if axes is None else pt.dot(axes.T, rest)) + sd * z
    deviation = deviation if axes is None else pt.dot(axes, deviation)
    law = (
        pm.Normal.dist(0.0, 1.0)
        if nu is None
        else pm.StudentT.dist(nu=nu, mu=0.0, sigma=1.0)
    )
    pm.Potential("deviation", pm.logp(law, deviation).sum() + pt.log(sd).sum())
    return deviation


def mixture_given_factors(
    effect: Array, noise: Noise, components: Components, fixed: Design
) -> Any:
    """Return the model of the factor scores with the effects integrated out, so that an
    atom at 0 needs no gradient.

    Given the scores f of ``Sigma = L L' + D`` the effects are independent, and each
    estimate less its ``(L f)_k`` is ``sum_j w_j N(0, s_j^2 + D_k)``. The effects are
    drawn exactly given f afterward.

    Parameters
    ----------
    effect
        Estimates, shape ``(K,)``.
    noise
        Their covariance as ``L L' + D``.
    components
        The mixture about ``x' beta``; the variance of the spike is 0.
    fixed
        Covariates, with the prior sd of beta; its intercept is not used: the mixture is
        about no effect.

    Returns
    -------
    pymc.Model
        Parameters ``factor (r,)`` and, where there are covariates, ``beta (q,)``.

    Examples
    --------
    >>> from causalgia.posterior.exact import fixed_effects_design
    >>> noise = Noise(np.ones(2), loadings=np.array([[1.0], [0.5]]))
    >>> components = Components(np.array([0.0, 4.0]), np.array([0.5, 0.5]))
    >>> model = mixture_given_factors(
    ...     np.array([3.0, 1.0]),
    ...     noise,
    ...     components,
    ...     fixed_effects_design(2, None, Prior()),
    ... )
    >>> [variable.name for variable in model.free_RVs]
    ['factor']
    """
    pm, pt = import_quietly("pymc"), import_quietly("pytensor.tensor")

    loadings = np.zeros((len(effect), 0)) if noise.loadings is None else noise.loadings
    used = components.weight > 0
    sd = np.sqrt(components.variance[used] + noise.variances[:, None])
    offset = np.log(components.weight[used]) - np.log(sd)
    with pm.Model() as model:
        factor = pm.Normal("factor", shape=loadings.shape[1])
        rest = (effect - pt.dot(loadings, factor))[:, None]
        if len(fixed.sd) > 1:
            sds, start = fixed.sd[1:], np.zeros(len(fixed.sd) - 1)
            flat = np.isinf(sds).all()
            shape = {"shape": start.shape, "initval": start}
            beta = (
                pm.Flat("beta", **shape)
                if flat
                else pm.Normal("beta", 0.0, sds, **shape)
            )
            rest -= pt.dot(fixed.columns[:, 1:], beta)[:, None]
        pm.Potential(
            "effect", pt.logsumexp(offset - 0.5 * (rest / sd) ** 2, axis=1).sum()
        )
    return model


def slab_given_factors(effect: Array, noise: Noise, prior: Prior) -> Any:
    """Return the model of a spike at 0 and a normal slab, weight and sd integrated, the
    effects integrated out.

    As `mixture_given_factors`, with ``delta ~ (1 - w) 0 + w N(0, tau^2)`` and w
    uniform.

    Parameters
    ----------
    effect
        Estimates, shape ``(K,)``, in the unit of the prior.
    noise
        Their covariance as ``L L' + D``.
    prior
        Of tau, the sd of the slab.

    Returns
    -------
    pymc.Model
        Parameters ``w``, ``tau`` and ``factor (r,)``.

    Examples
    --------
    >>> noise = Noise(np.ones(2), loadings=np.array([[1.0], [0.5]]))
    >>> [
    ...     variable.name
    ...     for variable in slab_given_factors(
    ...         np.array([3.0, 1.0]), noise, Prior()
    ...     ).free_RVs
    ... ]
    ['w', 'tau', 'factor']
    """
    pm, pt = import_quietly("pymc"), import_quietly("pytensor.tensor")
    with pm.Model() as model:
        w = pm.Beta("w", 1.0, 1.0)
        tau = _tau_variable(
            prior,
            max(moment_tau(effect, noise), 0.3 * float(np.sqrt(noise.marginal).mean())),
        )
        rest = effect - _factor_variable(noise)
        spike, slab = (
            -0.5 * (pt.log(v) + rest**2 / v)
            for v in (noise.variances, noise.variances + tau**2)
        )
        pm.Potential(
            "effect", pt.logaddexp(pt.log1p(-w) + spike, pt.log(w) + slab).sum()
        )
    return model


def as_factors(noise: Noise, share: float = 0.95) -> Noise:
    """Return any covariance as ``L L' + D``; of a whole one D is the largest multiple
    of the variances, less 5 %.

    Parameters
    ----------
    noise
        Low rank + diagonal is returned unchanged; independent errors get factors with 5
        % of the variance each.
    share
        Share of the least eigenvalue of the correlation that goes to D.

    Examples
    --------
    >>> split = as_factors(Noise(np.ones(2), whole=np.array([[1.0, 0.5], [0.5, 1.0]])))
    >>> np.allclose(
    ...     split.loadings @ split.loadings.T + np.diag(split.variances),
    ...     [[1.0, 0.5], [0.5, 1.0]],
    ... )
    True
    """
    if noise.loadings is not None:
        return noise
    if noise.whole is None:
        return Noise(
            share * noise.variances,
            loadings=np.diag(np.sqrt((1 - share) * noise.variances)),
        )
    sd = np.sqrt(np.diagonal(noise.whole))
    values, vectors = np.linalg.eigh(noise.whole / np.outer(sd, sd))
    least = share * float(values[0])
    return Noise(
        least * sd**2, loadings=sd[:, None] * vectors * np.sqrt(values - least)
    )


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws of four chains and their sampler statistics."""

    values: dict[str, Array]
    """Variables, (chain, draw, ...)."""
    stats: dict[str, Array]
    """Sampler statistics by the names of PyMC, (chain, draw)."""
    sampler: str
    """Program that sampled, with its version."""


def sample_nuts(
    model: Any, names: tuple[str, ...], *, n_draws: int, key: int
) -> Sampled:
    """Sample a model by NUTS: four chains of ``draws / 4`` after 1,000 steps of warm-up
    each, one after the other.

    Parameters
    ----------
    model
        A PyMC model, such as `hierarchical_model`.
    names
        Variables to keep.
    n_draws
        In all; a multiple of four.
    key
        Seed; equal keys give equal draws with the same sampler.

    References
    ----------
    Hoffman & Gelman (2014), jmlr.org/papers/v15/hoffman14a.html.
    """
    sampler = "nutpie" if importlib.util.find_spec("nutpie") else "pymc"
    with _quiet_loggers("pymc", "nutpie", "pytensor"):
        found = import_quietly("pymc").sample(
            n_draws // CHAINS,
            tune=_TUNE,
            chains=CHAINS,
            # nutpie's are threads, not forks
            cores=1 if sampler == "pymc" else min(CHAINS, os.cpu_count() or 1),
            random_seed=derive(key, "nuts") % 2**31,
            target_accept=_ACCEPT,
            nuts_sampler=sampler,
            model=model,
            progressbar=False,
            compute_convergence_checks=False,
        )
    groups = tree_datasets(found)
    stats = {
        ours: np.asarray(groups["sample_stats"][theirs].to_numpy())
        for ours, both in _STATS.items()
        for theirs in both
        if theirs in groups["sample_stats"]
    }
    values = {
        name: np.asarray(groups["posterior"][name].to_numpy(), dtype=np.float64)
        for name in names
    }
    return Sampled(values, stats, f"{sampler} {import_quietly(sampler).__version__}")


@contextmanager
def _quiet_loggers(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    # `convergence` checks the draws instead
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def sample_hierarchy(
    effect: Array,
    noise: Noise,
    prior: Prior,
    covariates: Array | None,
    *,
    nu: float | None,
    n_draws: int,
    key: int,
) -> Sampled:
    """Sample ``ace, mu, tau[, beta]`` of the normal (nu None) or Student-t law; see
    `hierarchical_model`.

    The chains run in units of the typical standard error, so that they do not depend on
    the scale of the outcomes.

    Parameters
    ----------
    effect, noise
        As in `hierarchical_model`.
    prior, covariates
        As in `exact.fixed_effects_design`.
    nu
        Degrees of freedom of the effects about their center; None: normal.
    n_draws, key
        As in `sample_nuts`.
    """
    unit = noise_unit(noise)
    scaled = rescale_prior(prior, unit)
    fixed = fixed_effects_design(len(effect), covariates, scaled)
    check_proper(len(effect), fixed, prior)
    model = hierarchical_model(
        effect / unit, rescale_noise(noise, unit), scaled, fixed, nu
    )
    names = ("ace", "mu", "tau", *(("beta",) if len(fixed.sd) > 1 else ()))
    found = sample_nuts(model, names, n_draws=n_draws, key=key)
    return replace(
        found, values={name: value * unit for name, value in found.values.items()}
    )


def sample_mixture(
    effect: Array,
    noise: Noise,
    prior: Prior,
    covariates: Array | None,
    components: Components,
    *,
    n_draws: int,
    key: int,
) -> tuple[Sampled, EffectSummary]:
    """Sample the effects of a mixture with given weights under dependent errors, a
    spike at exactly 0 included.

    NUTS draws beta and the factor scores of ``Sigma = L L' + D`` with the effects
    integrated out; given them the effects are independent, and each is drawn exactly.

    Parameters
    ----------
    effect, noise, components
        As in `mixture_given_factors`; a whole or independent covariance is written as
        factors first.
    prior, covariates
        As in `exact.fixed_effects_design`.
    n_draws, key
        As in `sample_nuts`.

    Returns
    -------
    sampled, tails
        ``ace (chain, draw, K)``, ``factor (chain, draw, r)``, maybe
        ``beta (chain, draw, q)``; and the moments of each effect, averaged over the
        conditional moments given the scores.
    """
    split = as_factors(noise)
    unit = noise_unit(noise)
    fixed = fixed_effects_design(len(effect), covariates, rescale_prior(prior, unit))
    here = Components(components.variance / unit**2, components.weight)
    model = mixture_given_factors(
        effect / unit, rescale_noise(split, unit), here, fixed
    )
    found = sample_nuts(
        model,
        ("factor", *(("beta",) if len(fixed.sd) > 1 else ())),
        n_draws=n_draws,
        key=key,
    )
    values = dict(found.values)
    if "beta" in values:
        values["beta"] = values["beta"] * unit
    assert split.loadings is not None  # for mypy: `as_factors` made them
    shape = values["factor"].shape[:2]
    center = np.zeros((shape[0] * shape[1], len(effect)))
    if "beta" in values:
        center += values["beta"].reshape(len(center), -1) @ fixed.columns[:, 1:].T
    residual = (
        effect - center - values["factor"].reshape(len(center), -1) @ split.loadings.T
    )
    generator = np.random.default_rng(derive(key, "effects given factors"))
    window = whole_window(len(effect), components)
    ace = draw_effects(
        residual,
        center,
        split.variances,
        np.ones(len(center)),
        components,
        window,
        generator,
    )
    nodes = [
        Node(1 / len(center), r, c, components)
        for r, c in zip(residual, center, strict=True)
    ]
    ace, tails = ace.reshape(*shape, -1), average_summaries(nodes, split.variances)
    return replace(found, values=values | {"ace": ace}), tails


def sample_slab(
    effect: Array, noise: Noise, prior: Prior, *, n_draws: int, key: int
) -> tuple[Sampled, EffectSummary]:
    """Sample effects that are 0, or normal about 0, with weight and sd of the slab
    integrated, under dependent errors.

    Parameters
    ----------
    effect, noise, prior
        As in `slab_given_factors`; a whole or independent covariance is written as
        factors first.
    n_draws, key
        As in `sample_nuts`.

    Returns
    -------
    sampled, tails
        ``ace (chain, draw, K)``, ``tau (chain, draw)``, the sd of an effect, sqrt(w)
        times that of the slab; and the moments of each effect, averaged over the
        conditional moments given the scores.
    """
    if has_flat_tau(prior):
        raise EstimateError(
            "a slab with a flat prior of tau has no posterior: it may be empty"
        )
    split, unit = as_factors(noise), noise_unit(noise)
    assert split.loadings is not None  # for mypy: `as_factors` made them
    model = slab_given_factors(
        effect / unit, rescale_noise(split, unit), rescale_prior(prior, unit)
    )
    found = sample_nuts(model, ("factor", "w", "tau"), n_draws=n_draws, key=key)
    shape, scores = (
        found.values["w"].shape,
        found.values["factor"].reshape(-1, split.loadings.shape[1]),
    )
    w, slab = (
        found.values["w"].reshape(-1, 1),
        unit * found.values["tau"].reshape(-1, 1),
    )
    generator = np.random.default_rng(derive(key, "effects given factors"))
    ace, tails = draw_given_slab(
        effect - scores @ split.loadings.T, split.variances, w, slab, generator
    )
    tau = (np.sqrt(w) * slab).reshape(shape)
    return replace(found, values={"ace": ace.reshape(*shape, -1), "tau": tau}), tails


def draw_given_slab(
    rest: Array, variances: Array, w: Array, slab: Array, generator: np.random.Generator
) -> tuple[Array, EffectSummary]:
    """Draw each effect exactly given weight and sd of the slab, and average its moments
    over them.

    Parameters
    ----------
    rest
        Estimates minus the contribution of the factors, shape ``(n, K)``.
    variances
        D of ``Sigma = L L' + D``, shape ``(K,)``.
    w, slab
        Weight and sd of the slab, shape ``(n, 1)``.
    generator
        Source of randomness.

    Examples
    --------
    >>> w = np.zeros((2, 1))
    >>> ace, tails = draw_given_slab(
    ...     np.ones((2, 1)), np.ones(1), w, w + 1, np.random.default_rng(0)
    ... )
    >>> ace.ravel(), tails.zero
    (array([0., 0.]), array([1.]))
    """
    total = variances + slab**2
    gain = slab**2 / total
    with np.errstate(divide="ignore"):
        odds = (
            np.log(w)
            - np.log1p(-w)
            + 0.5 * (np.log(variances / total) + rest**2 * gain / variances)
        )
    in_slab, center, sd = special.expit(odds), gain * rest, np.sqrt(gain * variances)
    ace = np.where(
        generator.random(rest.shape) < in_slab,
        center + sd * generator.normal(size=rest.shape),
        0.0,
    )
    mean, below = (
        (in_slab * center).mean(axis=0),
        (in_slab * special.ndtr(-center / sd)).mean(axis=0),
    )
    square = (in_slab * (sd**2 + center**2)).mean(axis=0) - mean**2
    zero, shrinkage = 1 - in_slab.mean(axis=0), 1 - (in_slab * gain).mean(axis=0)
    return ace, EffectSummary(
        mean, np.maximum(square, 0.0), below, 1 - zero - below, zero, shrinkage
    )
