"""The normal law, exactly: ``d_hat | delta ~ N(delta, Sigma)``,
``delta_k = mu + x_k' beta + tau z_k``, z normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from scipy.special import ndtr

from causalgia.analysis_values import Prior
from causalgia.numerics.row_blocks import CACHE_BLOCK, INNER_BLOCK
from causalgia.posterior.density_grids import HalfLine, resolve_density
from causalgia.posterior.error_covariance import (
    Noise,
    check_effects,
    noise_unit,
    rescale_noise,
)
from causalgia.posterior.exact import (
    Design,
    Draws,
    Exact,
    Nodes,
    fixed_effects_design,
    log_prior_tau,
    rescale_prior,
)
from causalgia.posterior.pointwise_likelihood import normal_log_density
from causalgia.types import Array, Codes

_MOST_LOADING_PRODUCTS = 2**22


@dataclass(frozen=True, eq=False)
class Fit:
    """The coefficients b at each of T values of tau, and the marginal likelihood."""

    log_density: Array
    """Log p(d | tau), b integrated out, (T,); a flat prior of b has density 1."""
    mean: Array
    """Mean of b, (T, p)."""
    covariance: Array
    """Covariance of b, (T, p, p)."""


class Gaussian(Protocol):
    """Interface of the forms of Sigma under the normal law."""

    @property
    def effect(self) -> Array:
        """Effects, up to a rotation, (K,)."""

    @property
    def design(self) -> Design:
        """Columns of the center, (K, p), up to a rotation, and the prior sd of b."""

    def fit(self, tau: Array) -> Fit:
        """Integrate b out at each tau, (T,)."""

    def moments(self, tau: Array, fit: Fit) -> tuple[Array, Array]:
        """Return mean and variance of each effect at each tau, (T, K) both, b
        integrated out.
        """

    def draw(self, tau: Array, b: Array, generator: np.random.Generator) -> Array:
        """Return one draw of the effects for each tau, (n,), and b, (n, p): (n, K)."""


def weighted_regression(effect: Array, columns: Array, variances: Array) -> Array:
    """Return coefficients of the weighted regression at tau = 0, (p,), to be subtracted
    first to avoid cancellation.
    """
    root = 1 / np.sqrt(variances)
    return np.asarray(
        np.linalg.lstsq(columns * root[:, None], effect * root, rcond=None)[0]
    )


def fit_coefficients(
    log_det: Array, products: Array, origin: Array, sd: Array, n: int
) -> Fit:
    """Fit b from the products of (X, y) under the inverse covariance at each tau.

    With ``V = (X' S^-1 X)^-1`` and the generalized least squares b_w, the prior N(0,
    diag(sd^2)) leaves ``b_w ~ N(0, V + diag(sd^2))`` as evidence: no difference of
    large numbers, however far the prior lies.

    Parameters
    ----------
    log_det
        Log determinant of S = Sigma + tau^2 I, (T,).
    products
        ``[X y]' S^-1 [X y]``, (T, p + 1, p + 1), y being the effects minus the fit of
        `origin`.
    origin, sd
        Coefficients subtracted beforehand, and prior sd, (p,) both; all sd infinite is
        flat.
    n
        Number of effects.
    """
    p = len(sd)
    xx, xy, yy = products[:, :p, :p], products[:, :p, p], products[:, p, p]
    v = np.asarray(np.linalg.inv(xx), dtype=np.float64)
    shift = (v @ xy[:, :, None])[:, :, 0]
    quadratic = np.maximum(yy - (xy * shift).sum(axis=1), 0)
    log_density = -0.5 * (
        log_det + quadratic + np.linalg.slogdet(xx)[1] + (n - p) * np.log(2 * np.pi)
    )
    mean = origin + shift
    if np.isinf(sd).all():
        return Fit(log_density, mean, v)
    prior = np.diag(sd**2)
    total = v + prior
    # total^-1 V, so that prior @ gain is the posterior covariance
    gain = np.linalg.solve(total, v)
    fit = np.linalg.solve(total, mean[:, :, None])[:, :, 0]
    log_density = log_density - 0.5 * (
        np.linalg.slogdet(total)[1] + (mean * fit).sum(axis=1) + p * np.log(2 * np.pi)
    )
    return Fit(log_density, fit @ prior, prior @ gain)


def draw_shrunken(
    effect: Array,
    center: Array,
    pull: Array,
    tau: Array,
    generator: np.random.Generator,
) -> Array:
    """Return one draw of independent effects, (n, K):
    ``d - pull (d - center) + tau sqrt(pull) z``.

    Parameters
    ----------
    effect
        Estimates d, (K,) or (n, K).
    center
        X b, (n, K); overwritten.
    pull
        ``s^2 / (s^2 + tau^2)``, (n, K); overwritten.
    tau
        (n,).
    generator
        Source of z.
    """
    np.subtract(effect, center, out=center)
    center *= pull
    out = generator.standard_normal(pull.shape)
    pull *= tau[:, None] ** 2
    out *= np.sqrt(pull, out=pull)
    out += effect
    out -= center
    return out


@dataclass(frozen=True, eq=False)
class Rotated:
    """Diagonal Sigma, or a whole one in the basis of its eigenvectors, in which
    ``tau^2 I`` is unchanged.
    """

    values: Array
    """Diagonal of Sigma in the basis, (K,)."""
    basis: Array | None
    """Eigenvectors in columns, (K, K); None where Sigma is diagonal."""
    effect: Array
    """Effects in the basis, (K,)."""
    design: Design
    """Its columns in the basis."""
    origin: Array
    pairs: Array
    """Products of the columns of (X, y), (K, (p + 1)^2)."""

    @classmethod
    def of(cls, effect: Array, noise: Noise, design: Design) -> Rotated:
        """Rotate effects and design once."""
        values, basis, columns = noise.variances, None, design.columns
        if noise.whole is not None:
            values, basis = np.linalg.eigh(noise.whole)
            effect, columns = basis.T @ effect, basis.T @ columns
        origin = weighted_regression(effect, columns, values)
        joint = np.column_stack([columns, effect - columns @ origin])
        pairs = (joint[:, :, None] * joint[:, None, :]).reshape(len(effect), -1)
        return cls(values, basis, effect, Design(columns, design.sd), origin, pairs)

    def fit(self, tau: Array) -> Fit:
        """Integrate b out at each tau, (T,): sums over effects as one matrix
        product.
        """
        log_det, products = (
            np.empty(len(tau)),
            np.empty((len(tau), self.pairs.shape[1])),
        )
        for rows in cache_blocks(len(tau), len(self.values)):
            total = self.values + tau[rows, None] ** 2
            products[rows] = (1 / total) @ self.pairs
            log_det[rows] = np.log(total, out=total).sum(axis=1)
        side = len(self.origin) + 1
        return fit_coefficients(
            log_det,
            products.reshape(-1, side, side),
            self.origin,
            self.design.sd,
            len(self.values),
        )

    def moments(self, tau: Array, fit: Fit) -> tuple[Array, Array]:
        """Return mean and variance of each effect at each tau, (T, K) both."""
        mean, variance = np.empty((2, len(tau), len(self.effect)))
        x = self.design.columns
        pairs = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1).T
        for rows in cache_blocks(len(tau), len(self.effect)):
            square = tau[rows, None] ** 2
            pull = self.values / (self.values + square)
            mean[rows] = self.effect - pull * (self.effect - fit.mean[rows] @ x.T)
            variance[rows] = square * pull
            if self.basis is None:
                variance[rows] += pull**2 * (
                    fit.covariance[rows].reshape(len(pull), -1) @ pairs
                )
        return (
            (mean, variance)
            if self.basis is None
            else self._back(tau, fit, mean, variance)
        )

    def _back(
        self, tau: Array, fit: Fit, mean: Array, variance: Array
    ) -> tuple[Array, Array]:
        """Rotate means and variances (given b) back, and add the uncertainty of b."""
        assert self.basis is not None
        variance = variance @ (self.basis**2).T
        for t, covariance in enumerate(fit.covariance):
            pull = self.values / (self.values + tau[t] ** 2)
            back = self.basis @ (pull[:, None] * self.design.columns)
            variance[t] += np.einsum("ki,ij,kj->k", back, covariance, back)
        return mean @ self.basis.T, variance

    def draw(self, tau: Array, b: Array, generator: np.random.Generator) -> Array:
        """Return one draw of the effects for each tau and b, (n, K): independent in the
        basis, then rotated back.
        """
        pull = self.values + tau[:, None] ** 2
        np.divide(self.values, pull, out=pull)
        out = draw_shrunken(
            self.effect, b @ self.design.columns.T, pull, tau, generator
        )
        return out if self.basis is None else out @ self.basis.T


@dataclass(frozen=True, eq=False)
class Spiked:
    """Sigma = L L' + D: each tau costs r^2 K, by Woodbury's identity."""

    noise: Noise
    loadings: Array
    effect: Array
    design: Design
    origin: Array
    joint: Array
    """(X, y) with y the effects minus the fit of `origin`, (K, p + 1)."""

    @classmethod
    def of(cls, effect: Array, noise: Noise, design: Design) -> Spiked:
        """Subtract the fit of the coefficients at tau = 0."""
        loadings = (
            np.zeros((len(effect), 0)) if noise.loadings is None else noise.loadings
        )
        origin = weighted_regression(effect, design.columns, noise.variances)
        joint = np.column_stack([design.columns, effect - design.columns @ origin])
        return cls(noise, loadings, effect, design, origin, joint)

    def fit(self, tau: Array) -> Fit:
        """Integrate b out at each tau, (T,)."""
        side = self.joint.shape[1]
        log_det, products = np.empty(len(tau)), np.empty((len(tau), side, side))
        for t, spread in enumerate(tau):
            weight, root = self._inverse(spread)
            along = np.linalg.solve(
                root, (self.loadings * weight[:, None]).T @ self.joint
            )
            log_det[t] = -np.log(weight).sum() + 2 * np.log(np.diagonal(root)).sum()
            products[t] = (
                self.joint * weight[:, None]
            ).T @ self.joint - along.T @ along
        return fit_coefficients(
            log_det, products, self.origin, self.design.sd, len(self.effect)
        )

    def moments(self, tau: Array, fit: Fit) -> tuple[Array, Array]:
        """Return mean and variance of each effect at each tau, (T, K) both."""
        mean, variance = (
            np.empty((len(tau), len(self.effect))),
            np.empty((len(tau), len(self.effect))),
        )
        x = self.design.columns
        for t, spread in enumerate(tau):
            weight, root = self._inverse(spread)
            # S^-1 = W - scaled' scaled
            scaled = np.linalg.solve(root, (self.loadings * weight[:, None]).T)
            joint = np.column_stack([self.effect - x @ fit.mean[t], x])
            inverse = weight[:, None] * joint - scaled.T @ (scaled @ joint)
            # (I - tau^2 S^-1) of the residual and of X
            pulled = joint - spread**2 * inverse
            own = np.asarray(
                spread**2 * self.noise.variances * weight
                + spread**4 * (scaled**2).sum(axis=0)
            )
            mean[t] = x @ fit.mean[t] + spread**2 * inverse[:, 0]
            variance[t] = own + np.einsum(
                "ki,ij,kj->k", pulled[:, 1:], fit.covariance[t], pulled[:, 1:]
            )
        return mean, variance

    def draw(self, tau: Array, b: Array, generator: np.random.Generator) -> Array:
        """Return one draw of the effects for each tau and b, (n, K): first the scores
        of the components, then each.
        """
        center = b @ self.design.columns.T
        weight = 1 / (self.noise.variances + tau[:, None] ** 2)
        root = np.linalg.cholesky(np.eye(self.loadings.shape[1]) + self._inner(weight))
        projected = ((self.effect - center) * weight) @ self.loadings
        along = np.linalg.solve(
            root, projected[:, :, None]
        ) + generator.standard_normal((*projected.shape, 1))
        scores = np.linalg.solve(np.swapaxes(root, 1, 2), along)[:, :, 0]
        own = self.effect - scores @ self.loadings.T
        weight *= self.noise.variances
        return draw_shrunken(own, center, weight, tau, generator)

    def _inner(self, weight: Array) -> Array:
        """Return L' W L for each row of weights, (n, r, r), as one product unless that
        needs too much memory.
        """
        k, r = self.loadings.shape
        if k * r * r > _MOST_LOADING_PRODUCTS:
            return np.stack(
                [self.loadings.T @ (self.loadings * w[:, None]) for w in weight]
            )
        return (
            weight
            @ (self.loadings[:, :, None] * self.loadings[:, None, :]).reshape(k, -1)
        ).reshape(-1, r, r)

    def _inverse(self, spread: float) -> tuple[Array, Array]:
        """Return W = (D + tau^2)^-1, (K,), and the Cholesky root of I + L' W L, (r,
        r).
        """
        weight = 1 / (self.noise.variances + spread**2)
        inner = self.loadings.T @ (self.loadings * weight[:, None])
        return weight, np.asarray(
            np.linalg.cholesky(np.eye(len(inner)) + inner), dtype=np.float64
        )


def cache_blocks(n: int, width: int) -> list[slice]:
    """Return slices of n rows (or columns) of `width` numbers each, small enough for
    the cache.
    """
    step = max(1, INNER_BLOCK // max(width, 1))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


_NATS_OF_EDGE = 36.0
_NORMAL_TAIL = 40  # power of tau that stands for the tail of its prior


def normal(
    effect: Array, noise: Noise, prior: Prior, *, covariates: Array | None = None
) -> Exact:
    """Return the exact posterior of exchangeable normal effects, with any covariance of
    their estimates.

    mu and beta are integrated analytically and tau by quadrature with as many nodes as
    its posterior needs (`resolve_density`), so moments and probabilities have no
    Monte-Carlo error. Draws are independent: tau by inversion of its distribution
    function, then mu and beta, then the effects, each from its exact conditional law.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their covariance Sigma.
    prior
        Prior of mu and tau in the unit of the effects.
    covariates
        Of each effect, (K, q): they are centered, so that mu is the effect at their
        mean, and ``beta ~ N(0, (mu_sd / sd(x))^2)``.

    Returns
    -------
    Exact
        In the unit of the effects; ``shrinkage`` is ``E[s^2 / (tau^2 + s^2)]`` with
        ``s^2`` the diagonal of Sigma.

    Raises
    ------
    EstimateError
        If an effect is not finite, or shapes differ.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 5.4, doi:10.1201/b16018; Rubin
    (1981), doi:10.3102/10769986006004377.

    Examples
    --------
    >>> schools = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    >>> noise = Noise(np.array([15.0, 10, 16, 11, 9, 11, 10, 18]) ** 2)
    >>> normal(schools, noise, Prior(mu_sd=np.inf, tau_scale=10)).mean.round(2)
    array([10.18,  7.85,  6.69,  7.67,  5.8 ,  6.6 ,  9.87,  8.21])
    """
    unit, model, tau, n_flat = _scaled_problem(effect, noise, prior, covariates)
    data = (effect, noise, covariates)
    fit = model.fit(tau.value)
    means, sds = model.moments(tau.value, fit)
    np.sqrt(np.maximum(sds, 0, out=sds), out=sds)
    coefficient_sd = np.sqrt(
        np.maximum(np.diagonal(fit.covariance, axis1=1, axis2=2), 0)
    )
    mean, sd, lfsr, shrinkage = _summaries(tau, means, sds, noise.marginal / unit**2)

    def below(x: Array) -> Array:
        return np.asarray(tau.weight @ ndtr((x / unit - means) / sds))

    def look(x: Array, rows: Codes) -> tuple[Array, Array]:
        sd = sds[:, rows]
        z = (x / unit - means[:, rows]) / sd
        height = np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * unit * sd)
        return tau.weight @ ndtr(z), tau.weight @ height

    def sample(n: int, generator: np.random.Generator) -> Draws:
        spread = tau.draw(n, generator)
        b = _draw_coefficients(model, tau, spread, generator)
        effects = partial(_draw_effects, model, spread, b, unit, generator)
        shared = unit * b[:, 0], unit * spread, unit * b[:, 1:]
        known = partial(normal_log_likelihood, *data, *shared)
        return Draws(effects, *shared, log_likelihood=known)

    return Exact(
        mean=unit * mean,
        sd=unit * sd,
        lfsr=lfsr,
        shrinkage=shrinkage,
        nodes=Nodes(
            tau.weight, unit * tau.value, unit * fit.mean, unit * coefficient_sd
        ),
        log_evidence=tau.log_total + (n_flat - len(model.effect)) * float(np.log(unit)),
        below=below,
        sample=sample,
        looks=(look,),
    )


def _scaled_problem(
    effect: Array, noise: Noise, prior: Prior, covariates: Array | None
) -> tuple[float, Gaussian, HalfLine, int]:
    """Return the unit, the model and the marginal posterior of tau in that unit, and
    the number of flat parameters.
    """
    check_effects(effect, noise)
    unit = noise_unit(noise)
    here = rescale_prior(prior, unit)
    center = fixed_effects_design(len(effect), covariates, here)
    scaled = rescale_noise(noise, unit)
    form = Rotated if scaled.loadings is None else Spiked
    model = form.of(effect / unit, scaled, center)
    tau = _resolve_tau(model, effect / unit, noise.marginal / unit**2, center, here)
    return (
        unit,
        model,
        tau,
        int(np.isinf(prior.mu_sd)) * len(center.sd),
    )


def normal_log_likelihood(
    effect: Array,
    noise: Noise,
    covariates: Array | None,
    mu: Array,
    tau: Array,
    beta: Array,
) -> Array:
    """Return the log density of each estimate given the others and what all effects
    share, (n, K).

    Parameters
    ----------
    effect, noise, covariates
        As in `normal`.
    mu, tau, beta
        Center, spread and coefficients of the covariates in each draw, (n,), (n,) and
        (n, q).
    """
    columns = fixed_effects_design(len(effect), covariates, Prior()).columns
    center = np.column_stack([mu, beta]) @ columns.T
    return normal_log_density(effect - center, noise, tau)


def _draw_effects(
    model: Gaussian,
    tau: Array,
    b: Array,
    unit: float,
    generator: np.random.Generator,
) -> Array:
    ace = np.empty((len(tau), len(model.effect)))
    step = max(1, CACHE_BLOCK // len(model.effect))
    for i in range(0, len(tau), step):
        rows = slice(i, i + step)
        np.multiply(model.draw(tau[rows], b[rows], generator), unit, out=ace[rows])
    return ace


def _summaries(tau: HalfLine, means: Array, sds: Array, marginal: Array) -> Array:
    """Return posterior mean, sd, lfsr and shrinkage of each effect, (4, K), from its
    law at each node, (T, K).
    """
    out = np.empty((4, len(marginal)))
    for k in cache_blocks(len(marginal), len(tau.weight)):
        mean, m, s = out[0, k], means[:, k], sds[:, k]
        mean[:] = tau.weight @ m
        out[1, k] = np.sqrt(tau.weight @ (s**2 + (m - mean) ** 2))
        wrong = tau.weight @ ndtr(np.where(mean > 0, -m, m) / s)
        out[2, k] = np.minimum(wrong, 1 - wrong)
        out[3, k] = tau.weight @ (marginal[k] / (marginal[k] + tau.value[:, None] ** 2))
    return out


def _draw_coefficients(
    model: Gaussian, tau: HalfLine, spread: Array, generator: np.random.Generator
) -> Array:
    """Draw b given each tau, (n, p), with moments interpolated in tau, of which they
    are smooth functions.

    The covariance is interpolated relative to that with errors of 1: under a flat prior
    tau is large, and a series in its square would lose the covariance near 0.
    """

    def unit(at: Array) -> Array:
        precision = (model.design.columns**2).sum(axis=0) / (1 + at[:, None] ** 2)
        root = 1 / np.sqrt(precision + 1 / model.design.sd**2)
        return np.asarray(root[:, :, None] * root[:, None, :])

    def moments(at: Array) -> Array:
        fit = model.fit(at)
        return np.concatenate([fit.mean[:, :, None], fit.covariance / unit(at)], axis=2)

    joint = tau.carry(moments, spread)
    mean = joint[:, :, 0]
    root = np.linalg.cholesky(joint[:, :, 1:] * unit(spread))
    return np.asarray(
        mean + (root @ generator.standard_normal(mean.shape)[:, :, None])[:, :, 0]
    )


def _resolve_tau(
    model: Gaussian, effect: Array, marginal: Array, center: Design, prior: Prior
) -> HalfLine:
    scale = float(min(np.sqrt(marginal.min()), prior.tau_scale))
    far = float(np.abs(effect).max()) + float(np.sqrt(marginal.max()))
    return resolve_density(
        lambda tau: model.fit(tau).log_density + log_prior_tau(prior, tau),
        scale=scale,
        upper=_tau_upper_bound(far, len(effect), center, prior),
    )


def _tau_upper_bound(far: float, n: int, center: Design, prior: Prior) -> float:
    """Return a tau with negligible mass beyond: past data and prior the density falls
    as a known power.

    While tau is small compared with mu_sd, mu is effectively flat and reduces the power
    by one; with too few effects for that, the fall begins beyond mu_sd.
    """
    p, fall = len(center.sd), n + _NORMAL_TAIL - 1
    edge = max(far, prior.tau_scale)
    if np.isinf(prior.mu_sd) or fall - p >= 1:
        fall -= p
    else:
        edge = max(edge, float(center.sd.max()))
    return float(edge * np.exp(2 + _NATS_OF_EDGE / fall))
