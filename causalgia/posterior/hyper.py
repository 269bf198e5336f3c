"""Priors of the hyperparameters: log density and tail of tau, and the design of the fixed effects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from causalgia.errors import InferenceError
from causalgia.prior import Prior
from causalgia.types import Array

_HALF_T_DF = 3.0

#: power of the tail: p(tau) falls as tau to minus this; 40 stands for a normal tail
TAIL = {"half_t": _HALF_T_DF + 1, "half_cauchy": 2.0, "half_normal": 40.0, "uniform": 0.0}


def log_prior_tau(prior: Prior, tau: Array) -> Array:
    """Return the log prior density of tau, normalised; a flat prior has density 1.

    Examples
    --------
    >>> log_prior_tau(Prior(tau="uniform", tau_scale=2), np.array([1.0, 3.0]))
    array([-0.69314718,        -inf])
    """
    scaled = tau / prior.tau_scale
    if prior.tau == "half_normal":
        return np.asarray(0.5 * np.log(2 / np.pi) - np.log(prior.tau_scale) - scaled**2 / 2)
    if prior.tau == "uniform":
        level = 0.0 if np.isinf(prior.tau_scale) else -np.log(prior.tau_scale)
        return np.where(scaled <= 1 + 1e-9, level, -np.inf)  # includes the end, within rounding
    df = 1.0 if prior.tau == "half_cauchy" else _HALF_T_DF
    constant = np.log(2) + gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi) - np.log(prior.tau_scale)
    return np.asarray(constant - (df + 1) / 2 * np.log1p(scaled**2 / df))


def has_flat_tau(prior: Prior) -> bool:
    """Return whether the prior of tau is flat on (0, inf)."""
    return prior.tau == "uniform" and bool(np.isinf(prior.tau_scale))


def rescale_prior(prior: Prior, unit: float) -> Prior:
    """Return the prior in multiples of `unit`."""
    return replace(prior, mu_sd=prior.mu_sd / unit, tau_scale=prior.tau_scale / unit)


@dataclass(frozen=True, eq=False)
class Design:
    """Fixed effects of the centre, ``mu + x' beta``, and their normal prior about 0."""

    columns: Array
    """Intercept and centered covariates, (K, 1 + q)."""
    sd: Array
    """Prior sd of mu and of each beta, (1 + q,); ``inf`` is flat."""


def fixed_effects_design(n: int, covariates: Array | None, prior: Prior) -> Design:
    """Return the design of the centre of n effects: covariates centered, so that mu is the effect at their mean.

    The prior of beta is as wide as that of mu per sd of the covariate: ``beta ~ N(0, (mu_sd / sd(x))^2)``.

    Parameters
    ----------
    n
        Number of effects, K.
    covariates
        Of each effect, (K, q); None for none.
    prior
        Prior of mu and tau, in the unit of the effects.

    Raises
    ------
    InferenceError
        If a covariate is not finite or constant, some are sums of others, or there are as many as effects.
    """
    if covariates is None or covariates.shape[1] == 0:
        return Design(np.ones((n, 1)), np.array([prior.mu_sd]))
    if covariates.shape[0] != n or not np.isfinite(covariates).all():
        raise InferenceError(
            f"covariates of shape {covariates.shape} for {n} effects: give one finite number for each effect"
        )
    centered = covariates - covariates.mean(axis=0)
    spread = centered.std(axis=0)
    if (spread <= 1e-12 * np.abs(covariates).max(axis=0)).any():
        raise InferenceError(f"covariate {int(np.argmin(spread))} is constant: it says nothing; leave it out")
    columns = np.column_stack([np.ones(n), centered])
    if np.linalg.matrix_rank(np.column_stack([np.ones(n), centered / spread])) < columns.shape[1]:
        raise InferenceError(
            f"{centered.shape[1]} covariates of {n} effects: some are sums of others, or too many; leave some out"
        )
    return Design(columns, np.concatenate([[prior.mu_sd], prior.mu_sd / spread]))


def check_proper(n: int, center: Design, prior: Prior) -> None:
    """Raise for flat priors under which n effects have no posterior: a flat coefficient needs one, a flat tau two.

    Raises
    ------
    InferenceError
        If tau is flat and there are too few effects; the error gives the number needed.
    """
    lost = int(np.isinf(center.sd).sum())
    if has_flat_tau(prior) and n - lost <= 1:
        raise InferenceError(
            f"{n} effect{'s' * (n > 1)} with a flat prior of tau give no proper posterior: it takes {2 + lost} or "
            "more; give a prior that ends, such as Prior(tau='half_t')"
        )
