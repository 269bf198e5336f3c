"""Exact engines: their common posterior, the design of the center, and errors that
effects share.

All laws return an `Exact`. What all effects share is integrated by Laplace's method:
with noise ``Sigma = L L' + D`` an estimate is ``x_k' b + L_k f + delta'_k + noise_k``,
``f ~ N(0, I)`` and the noise independent. Given c = (b, f) the rows are independent,
and the posterior of c is nearly normal about its mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from scipy.special import ndtri

from causalgia.analysis_values import Prior
from causalgia.checks import check_draws
from causalgia.errors import EstimateError, quoted
from causalgia.posterior.error_covariance import Noise
from causalgia.types import Array, Codes

_BRACKET_STEPS = 200
_ROUGH = 0.01
# a Newton step leaves at most this times the square of the distance, in normal scores;
# of effects among spikes and heavy tails one in a hundred comes near
_BENT = 20.0
Look: TypeAlias = Callable[[Array, Codes], tuple[Array, Array]]
"""P(delta_k <= x_k) of these effects, and the density there."""
# least singular value of the covariates, of the largest: sums of their squares lose its
# square
_COLLINEAR = 1e-6


@dataclass(frozen=True, eq=False)
class Draws:
    """Independent draws from one joint posterior: row i of every array belongs to draw
    i.
    """

    effects: Callable[[], Array]
    """Draws the effects given the rest, (n, K), in the unit of the effects."""
    mu: Array
    """Center of the effects, (n,)."""
    tau: Array
    """Spread of the effects about their center, (n,); scale of z in
    ``delta = mu + x' beta + tau z``.
    """
    beta: Array
    """Coefficients of the covariates, (n, q); q = 0 where there are none."""
    law: dict[str, Array] = field(default_factory=dict)
    """Parameters of the law of effects other than tau, by name, (n,) each."""
    log_likelihood: Callable[[], Array] | None = None
    """Computes the log density of each estimate given the shared parameters of each
    draw, (n, K). None where the law is not drawn.
    """

    @cached_property
    def ace(self) -> Array:
        """Effects, (n, K), drawn when they are first read."""
        return self.effects()


@dataclass(frozen=True, eq=False)
class Nodes:
    """Posterior of the hyperparameters on T nodes: at each, the coefficients are normal
    with these moments.
    """

    weight: Array
    """Posterior probability of each node, (T,); sums to 1."""
    tau: Array
    """Spread at each node, (T,)."""
    coefficients: Array
    """Mean of (mu, beta) given the node, (T, 1 + q)."""
    coefficients_sd: Array
    """Their sd given the node, (T, 1 + q); 0 where the node determines them."""


@dataclass(frozen=True, eq=False)
class Exact:
    """The posterior of K effects of one task and family: exact moments, and a sampler.

    Everything is in the unit of the effects. ``lfsr`` is min(P(delta < 0), P(delta >
    0)).
    """

    mean: Array
    """Posterior mean of each effect, (K,)."""
    sd: Array
    """Posterior sd of each effect, (K,)."""
    lfsr: Array
    """Local false sign rate, (K,)."""
    shrinkage: Array
    """Shrinkage factor from the estimate towards the center, (K,):
    ``E[s^2 / (tau^2 + s^2)]`` over the posterior of tau under a normal law; 0 leaves
    the estimate, 1 replaces it by the center.
    """
    nodes: Nodes
    """Posterior of the hyperparameters."""
    log_evidence: float
    """Log density of the effects under the model, up to the constant of a flat
    prior.
    """
    below: Callable[[Array], Array]
    """P(delta_k <= x_k) for x of shape (K,)."""
    sample: Callable[[int, np.random.Generator], Draws]
    """Independent draws from the joint posterior; the effects of a draw take the
    generator when they are read.
    """
    looks: tuple[Look, ...]
    """`below` of some of the effects, with the density: cheaper approximations, where
    quantiles are first looked for, and last the exact one.
    """

    def draw(self, n: int, generator: np.random.Generator) -> Draws:
        """Return n independent draws from the joint posterior of effects and
        hyperparameters.

        Raises
        ------
        EstimateError
            If n is not a positive whole number.
        """
        check_draws(n, usual=4000)
        drawn = self.sample(int(n), generator)
        drawn.ace  # noqa: B018  # before anything else takes the generator
        return drawn

    def quantile(self, probability: float, *, tolerance: float = 1e-9) -> Array:
        """Return the posterior quantile of each effect, (K,), to `tolerance` in its
        normal score.

        Newton steps on the probit scale, on which `below` is nearly straight, kept
        inside of a bracket.

        Raises
        ------
        EstimateError
            If the probability does not lie strictly between 0 and 1.
        """
        if not 0 < probability < 1:
            raise EstimateError(
                f"probability {quoted(probability)} does not lie between 0 and 1"
            )
        # Cantelli
        reach = 1.01 * np.sqrt(
            max(probability, 1 - probability) / min(probability, 1 - probability)
        )
        ends = self.mean - reach * self.sd, self.mean + reach * self.sd
        goal = float(ndtri(probability))
        x = np.clip(self.mean + goal * self.sd, *ends)
        for rough in self.looks[:-1]:
            x = _newton(rough, goal, x, ends, _ROUGH)
        return _newton(self.looks[-1], goal, x, ends, tolerance)


def _newton(
    look: Look, goal: float, x: Array, ends: tuple[Array, Array], tolerance: float
) -> Array:
    """Return where the normal score of `look` is `goal`, to this tolerance; effects
    that are near are not looked at again.
    """
    found, rows = x.copy(), np.arange(len(x))
    lower, upper = ends
    least = 1e-15 * (upper - lower)
    for _ in range(_BRACKET_STEPS):
        mass, density = look(x, rows)
        score = _probit(mass)
        lower = np.where(score < goal, x, lower)
        upper = np.where(score < goal, upper, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = x + (goal - score) * _height(score) / density
        inside = (ahead > lower) & (ahead < upper)
        # so near that the next step is near enough, without another look
        off = np.abs(score - goal)
        last = inside & (_BENT * off**2 <= tolerance)
        found[rows] = np.where(last, ahead, x)
        far = ~last & (off > tolerance) & (upper - lower > least)
        if not far.any():
            break
        x = np.where(inside, ahead, lower + (upper - lower) / 2)[far]
        rows, least, lower, upper = rows[far], least[far], lower[far], upper[far]
    return found


def _probit(mass: Array) -> Array:
    return np.asarray(ndtri(np.clip(mass, 1e-300, 1 - 1e-16)))


def _height(score: Array) -> Array:
    """Return the standard normal density."""
    return np.asarray(np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi))


def log_prior_tau(prior: Prior, tau: Array) -> Array:
    """Return the log prior density of tau, half-normal.

    Examples
    --------
    >>> log_prior_tau(Prior(tau_scale=2), np.array([0.0])).round(3)
    array([-0.919])
    """
    scale = prior.tau_scale
    return np.asarray(0.5 * np.log(2 / np.pi) - np.log(scale) - (tau / scale) ** 2 / 2)


def rescale_prior(prior: Prior, unit: float) -> Prior:
    """Return the prior in multiples of `unit`."""
    return replace(prior, mu_sd=prior.mu_sd / unit, tau_scale=prior.tau_scale / unit)


@dataclass(frozen=True, eq=False)
class Design:
    """Fixed effects of the center, ``mu + x' beta``, and their normal prior about 0."""

    columns: Array
    """Intercept and centered covariates, (K, 1 + q)."""
    sd: Array
    """Prior sd of mu and of each beta, (1 + q,); ``inf`` is flat."""


def fixed_effects_design(n: int, covariates: Array | None, prior: Prior) -> Design:
    """Return the design of the center of n effects: covariates centered, so that mu is
    the effect at their mean.

    The prior of beta is as wide as that of mu per sd of the covariate:
    ``beta ~ N(0, (mu_sd / sd(x))^2)``.

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
    EstimateError
        If a covariate is not finite or constant, some are sums of others, or there are
        as many as effects.
    """
    if covariates is None or covariates.shape[1] == 0:
        return Design(np.ones((n, 1)), np.array([prior.mu_sd]))
    if covariates.shape[0] != n or not np.isfinite(covariates).all():
        raise EstimateError(
            f"covariates of shape {covariates.shape} for {n} effects: give one finite "
            "number for each effect"
        )
    centered = covariates - covariates.mean(axis=0)
    spread = centered.std(axis=0)
    if (spread <= 1e-12 * np.abs(covariates).max(axis=0)).any():
        raise EstimateError(
            f"covariate {int(np.argmin(spread))} is constant and carries no information"
        )
    columns = np.column_stack([np.ones(n), centered])
    if (
        np.linalg.matrix_rank(
            np.column_stack([np.ones(n), centered / spread]), rtol=_COLLINEAR
        )
        < columns.shape[1]
    ):
        raise EstimateError(
            f"{centered.shape[1]} covariates of {n} effects: some are sums of others, "
            "or too many"
        )
    return Design(columns, np.concatenate([[prior.mu_sd], prior.mu_sd / spread]))


@dataclass(frozen=True, eq=False)
class LinearPart:
    """The linear part of the estimates: ``columns @ (b, f)``, and the normal prior of
    (b, f) about 0.
    """

    columns: Array
    """``[X | L]``, (K, m)."""
    precision: Array
    """Prior precision of each coefficient, (m,); 0 is flat, 1 a factor score."""
    n_center: int
    """Number of columns of the center of the effects; the others are factors of the
    noise.
    """

    def split(self, coefficients: Array) -> tuple[Array, Array]:
        """Return the center of the effects and the whole linear part, (..., K) each, at
        coefficients (..., m).
        """
        center = coefficients[..., : self.n_center] @ self.columns[:, : self.n_center].T
        return center, center + coefficients[..., self.n_center :] @ self.columns[
            :, self.n_center :
        ].T


def linear_part(design: Design | None, noise: Noise) -> LinearPart:
    """Return the linear part of a center (None: the center is 0) and the noise's
    factors.

    Raises
    ------
    EstimateError
        If the noise is a whole covariance, which has no factors.
    """
    if noise.whole is not None:
        raise EstimateError(
            "a whole covariance has no factors: one normal scale takes it"
        )
    size = len(noise.variances)
    center = np.empty((size, 0)) if design is None else design.columns
    loadings = np.empty((size, 0)) if noise.loadings is None else noise.loadings
    precision = np.empty(0) if design is None else 1 / design.sd**2
    return LinearPart(
        np.hstack([center, loadings]),
        np.append(precision, np.ones(loadings.shape[1])),
        center.shape[1],
    )


def normal_strata(n: int) -> tuple[Array, Array]:
    """Return mean and sd of the standard normal within n equally likely intervals, (n,)
    each.

    Examples
    --------
    >>> mean, sd = normal_strata(1)
    >>> mean.item(), sd.item()
    (-0.0, 1.0)
    """
    edges = ndtri(np.arange(1, n) / n)
    height = np.concatenate(
        [[0.0], np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), [0.0]]
    )
    product = np.concatenate([[0.0], edges, [0.0]]) * height
    mean = -n * np.diff(height)
    return mean, np.sqrt(1 - n * np.diff(product) - mean**2)
