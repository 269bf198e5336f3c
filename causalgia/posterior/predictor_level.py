"""Predictors as a level: effects that they share, and those of each.

``effect_km = delta_k + gamma_km + error_k`` with ``gamma_km ~ N(0, tau_gamma^2)``, m
one of M predictors. All of them predicted the same units and share the error of the
units; only gamma differs between predictors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError
from causalgia.posterior.error_covariance import Noise, add_variances
from causalgia.posterior.exact import Draws, Exact, log_prior_tau
from causalgia.types import Array, Codes

_NODES = 25
_NATS_BELOW_MODE = 16.0
_GRID = 4_000


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
    below = weight @ np.stack([e.below(np.zeros(len(center))) for e in exact])
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
        shared = Draws(lambda: ace, mu, spread, beta, law=law)
        return LevelDraws(shared, tau[node], ace_model)

    return PredictorLevel(
        mean=average,
        sd=np.sqrt(weight @ square),
        lfsr=np.clip(np.minimum(below, 1 - below), 0, None),
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
