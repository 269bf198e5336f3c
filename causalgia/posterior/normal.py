"""The normal law, exactly: ``d_hat | delta ~ N(delta, Sigma)``, ``delta_k = mu + x_k' beta + tau z_k``, z normal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from causalgia.posterior.density_grids import HalfLine, resolve_density
from causalgia.posterior.error_covariance import Noise, check_effects, noise_unit, rescale_noise
from causalgia.posterior.exact import Draws, Exact, Nodes
from causalgia.posterior.gaussian import Gaussian, cache_blocks, draw_normal, gaussian
from causalgia.posterior.hyper import (
    TAIL,
    Design,
    check_proper,
    fixed_effects_design,
    has_flat_tau,
    log_prior_tau,
    rescale_prior,
)
from causalgia.posterior.pointwise import normal_log_density
from causalgia.prior import Prior
from causalgia.types import Array

_NATS = 36.0
_CHUNK = 2**16  # effects drawn at a time, to fit the cache


def normal(effect: Array, noise: Noise, prior: Prior, *, covariates: Array | None = None) -> Exact:
    """Return the exact posterior of exchangeable normal effects, with any covariance of their estimates.

    mu and beta are integrated analytically and tau by quadrature with as many nodes as its posterior needs
    (`resolve_density`), so moments and probabilities have no Monte-Carlo error. Draws are independent: tau by
    inversion of its distribution function, then mu and beta, then the effects, each from its exact conditional law.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their covariance Sigma.
    prior
        Prior of mu and tau in the unit of the effects.
    covariates
        Of each effect, (K, q): they are centred, so that mu is the effect at their mean, and
        ``beta ~ N(0, (mu_sd / sd(x))^2)``.

    Returns
    -------
    Exact
        In the unit of the effects; ``shrinkage`` is ``E[s^2 / (tau^2 + s^2)]`` with ``s^2`` the diagonal of Sigma.

    Raises
    ------
    InferenceError
        If the posterior is improper (a flat tau with too few effects), an effect is not finite, or shapes differ.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 5.4, doi:10.1201/b16018; Rubin (1981),
    doi:10.3102/10769986006004377.

    Examples
    --------
    >>> schools = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    >>> noise = Noise(np.array([15.0, 10, 16, 11, 9, 11, 10, 18]) ** 2)
    >>> flat = Prior(mu_sd=np.inf, tau="uniform", tau_scale=np.inf)
    >>> normal(schools, noise, flat).mean.round(2)
    array([11.4 ,  7.89,  6.13,  7.64,  5.13,  6.14, 10.67,  8.46])
    """
    unit, model, tau, n_flat = _scaled_problem(effect, noise, prior, covariates)
    return _normal_posterior(model, tau, unit, noise.marginal, n_flat, (effect, noise, covariates))


def tau_posterior(effect: Array, noise: Noise, prior: Prior, *, covariates: Array | None = None) -> HalfLine:
    """Return the marginal posterior of tau, with its quantiles; arguments and errors as in `normal`.

    Examples
    --------
    >>> tau = tau_posterior(np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), Noise(np.full(8, 144.0)), Prior(tau_scale=20))
    >>> tau.quantile(np.array([0.5])).round(2)
    array([5.01])
    """
    unit, _, tau, _ = _scaled_problem(effect, noise, prior, covariates)
    return replace(tau, value=tau.value * unit, scale=tau.scale * unit)


def _scaled_problem(
    effect: Array, noise: Noise, prior: Prior, covariates: Array | None
) -> tuple[float, Gaussian, HalfLine, int]:
    """Return the unit, the model and the posterior of tau in that unit, and the number of flat parameters."""
    check_effects(effect, noise)
    unit = noise_unit(noise)
    here = rescale_prior(prior, unit)
    center = fixed_effects_design(len(effect), covariates, here)
    check_proper(len(effect), center, prior)
    model = gaussian(effect / unit, rescale_noise(noise, unit), center)
    tau = _resolve_tau(model, effect / unit, noise.marginal / unit**2, center, here)
    return unit, model, tau, int(np.isinf(prior.mu_sd)) * len(center.sd) + has_flat_tau(prior)


def _normal_posterior(
    model: Gaussian,
    tau: HalfLine,
    unit: float,
    marginal: Array,
    n_flat: int,
    data: tuple[Array, Noise, Array | None],
) -> Exact:
    fit = model.fit(tau.value)
    means, sds = model.moments(tau.value, fit)
    np.sqrt(np.maximum(sds, 0, out=sds), out=sds)
    coefficient_sd = np.sqrt(np.maximum(np.diagonal(fit.covariance, axis1=1, axis2=2), 0))
    mean, sd, lfsr, shrinkage = _summaries(tau, means, sds, marginal / unit**2)

    def below(x: Array) -> Array:
        return np.asarray(tau.weight @ ndtr((x / unit - means) / sds))

    def sample(n: int, generator: np.random.Generator) -> Draws:
        drawn = _draw_normal_effects(model, tau, unit, n, generator)
        return replace(drawn, log_likelihood=lambda: normal_log_likelihood(*data, drawn.mu, drawn.beta, drawn.tau))

    return Exact(
        mean=unit * mean,
        sd=unit * sd,
        lfsr=lfsr,
        lfdr=np.zeros(model.size),
        shrinkage=shrinkage,
        nodes=Nodes(tau.weight, unit * tau.value, unit * fit.mean, unit * coefficient_sd),
        log_evidence=tau.log_total + (n_flat - model.size) * float(np.log(unit)),
        below=below,
        sample=sample,
    )


def normal_log_likelihood(
    effect: Array, noise: Noise, covariates: Array | None, mu: Array, beta: Array, tau: Array
) -> Array:
    """Return the log density of each estimate given the others and what all effects share, (n, K).

    Parameters
    ----------
    effect, noise, covariates
        As in `normal`.
    mu, beta, tau
        Centre, coefficients of the covariates and spread in each draw, (n,), (n, q) and (n,).
    """
    columns = fixed_effects_design(len(effect), covariates, Prior()).columns
    center = np.column_stack([mu, beta]) @ columns.T
    return normal_log_density(effect - center, noise, tau)


def _summaries(tau: HalfLine, means: Array, sds: Array, marginal: Array) -> Array:
    """Return posterior mean, sd, lfsr and shrinkage of each effect, (4, K), from its law at each node, (T, K)."""
    out = np.empty((4, len(marginal)))
    for k in cache_blocks(len(marginal), len(tau.weight)):
        mean, m, s = out[0, k], means[:, k], sds[:, k]
        mean[:] = tau.weight @ m
        out[1, k] = np.sqrt(tau.weight @ (s**2 + (m - mean) ** 2))
        wrong = tau.weight @ ndtr(np.where(mean > 0, -m, m) / s)
        out[2, k] = np.minimum(wrong, 1 - wrong)
        out[3, k] = tau.weight @ (marginal[k] / (marginal[k] + tau.value[:, None] ** 2))
    return out


def _draw_normal_effects(model: Gaussian, tau: HalfLine, unit: float, n: int, generator: np.random.Generator) -> Draws:
    spread = tau.draw(n, generator)
    b = _draw_coefficients(model, tau, spread, generator)
    ace = np.empty((n, model.size))
    step = max(1, _CHUNK // model.size)
    for i in range(0, n, step):
        rows = slice(i, i + step)
        np.multiply(model.draw(spread[rows], b[rows], generator), unit, out=ace[rows])
    return Draws(ace, unit * b[:, 0], unit * spread, unit * b[:, 1:])


def _draw_coefficients(model: Gaussian, tau: HalfLine, spread: Array, generator: np.random.Generator) -> Array:
    """Draw b given each tau, (n, p), with moments interpolated in tau, of which they are smooth functions.

    The covariance is interpolated relative to that with errors of 1: under a flat prior tau is large, and a series in
    its square would lose the covariance near 0.
    """

    def unit(at: Array) -> Array:
        precision = (model.design.columns**2).sum(axis=0) / (1 + at[:, None] ** 2)
        root = 1 / np.sqrt(precision + 1 / model.design.sd**2)
        return np.asarray(root[:, :, None] * root[:, None, :])

    def moments(at: Array) -> Array:
        fit = model.fit(at)
        return np.concatenate([fit.mean[:, :, None], fit.covariance / unit(at)], axis=2)

    joint = tau.carry(moments, spread)
    return draw_normal(joint[:, :, 0], joint[:, :, 1:] * unit(spread), generator)


def _resolve_tau(model: Gaussian, effect: Array, marginal: Array, center: Design, prior: Prior) -> HalfLine:
    scale = float(min(np.sqrt(marginal.min()), prior.tau_scale))
    far = float(np.abs(effect).max()) + float(np.sqrt(marginal.max()))
    return resolve_density(
        lambda tau: model.fit(tau).log_density + log_prior_tau(prior, tau),
        scale=scale,
        upper=_tau_upper_bound(far, len(effect), center, prior),
    )


def _tau_upper_bound(far: float, n: int, center: Design, prior: Prior) -> float:
    """Return a tau with negligible mass beyond: past data and prior the density falls as a known power.

    While tau is small compared with mu_sd, mu is effectively flat and reduces the power by one; with too few effects
    for that, the fall begins beyond mu_sd.
    """
    p, fall = len(center.sd), n + TAIL[prior.tau] - 1
    known = prior.tau_scale if np.isfinite(prior.tau_scale) and prior.tau != "uniform" else 0.0
    edge = max(far, known)
    if np.isinf(prior.mu_sd) or fall - p >= 1:
        fall -= p
    else:
        edge = max(edge, float(center.sd.max()))
    if prior.tau == "uniform" and fall < 1:
        return prior.tau_scale
    return float(min(edge * np.exp(2 + _NATS / fall), prior.tau_scale if prior.tau == "uniform" else np.inf))
