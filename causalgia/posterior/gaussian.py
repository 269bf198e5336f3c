"""Normal effects under normal errors, at given tau: ``d | tau ~ N(X b, Sigma + tau^2 I)`` and ``b ~ N(0, sd^2)``.

The linear algebra is done at each of several values of tau. A whole Sigma is rotated once to be diagonal (`Rotated`);
low rank + diagonal uses Woodbury's identity (`Spiked`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.hyper import Design
from causalgia.types import Array

_PAIRS = 2**22
_BLOCK = 2**14  # numbers that fit the cache


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
    def size(self) -> int:
        """Number of effects, K."""

    @property
    def design(self) -> Design:
        """Columns of the centre, (K, p), up to a rotation, and the prior sd of b."""

    def fit(self, tau: Array) -> Fit:
        """Integrate b out at each tau, (T,)."""

    def moments(self, tau: Array, fit: Fit) -> tuple[Array, Array]:
        """Return mean and variance of each effect at each tau, (T, K) both, b integrated out."""

    def draw(self, tau: Array, b: Array, generator: np.random.Generator) -> Array:
        """Return one draw of the effects for each tau, (n,), and b, (n, p): (n, K)."""


def gaussian(effect: Array, noise: Noise, design: Design) -> Gaussian:
    """Return the form for the noise: rotated (independent or whole), or low rank + diagonal."""
    return Rotated.of(effect, noise, design) if noise.loadings is None else Spiked.of(effect, noise, design)


def weighted_regression(effect: Array, columns: Array, variances: Array) -> Array:
    """Return coefficients of the weighted regression at tau = 0, (p,), to be subtracted first to avoid cancellation."""
    root = 1 / np.sqrt(variances)
    return np.asarray(np.linalg.lstsq(columns * root[:, None], effect * root, rcond=None)[0])


def fit_coefficients(log_det: Array, products: Array, origin: Array, sd: Array, n: int) -> Fit:
    """Fit b from the products of (X, y) under the inverse covariance at each tau.

    With ``V = (X' S^-1 X)^-1`` and the generalised least squares b_w, the prior N(0, diag(sd^2)) leaves
    ``b_w ~ N(0, V + diag(sd^2))`` as evidence: no difference of large numbers, however far the prior lies.

    Parameters
    ----------
    log_det
        Log determinant of S = Sigma + tau^2 I, (T,).
    products
        ``[X y]' S^-1 [X y]``, (T, p + 1, p + 1), y being the effects minus the fit of `origin`.
    origin, sd
        Coefficients subtracted beforehand, and prior sd, (p,) both; all sd infinite is flat.
    n
        Number of effects.
    """
    p = len(sd)
    xx, xy, yy = products[:, :p, :p], products[:, :p, p], products[:, p, p]
    v = np.asarray(np.linalg.inv(xx), dtype=np.float64)
    shift = (v @ xy[:, :, None])[:, :, 0]
    quadratic = np.maximum(yy - (xy * shift).sum(axis=1), 0)
    log_density = -0.5 * (log_det + quadratic + np.linalg.slogdet(xx)[1] + (n - p) * np.log(2 * np.pi))
    mean = origin + shift
    if np.isinf(sd).all():
        return Fit(log_density, mean, v)
    prior = np.diag(sd**2)
    total = v + prior
    gain = np.linalg.solve(total, v)  # total^-1 V, so that prior @ gain is the posterior covariance
    fit = np.linalg.solve(total, mean[:, :, None])[:, :, 0]
    log_density = log_density - 0.5 * (np.linalg.slogdet(total)[1] + (mean * fit).sum(axis=1) + p * np.log(2 * np.pi))
    return Fit(log_density, fit @ prior, prior @ gain)


def draw_normal(mean: Array, covariance: Array, generator: np.random.Generator) -> Array:
    """Return one draw for each of n normal laws: mean (n, p), covariance (n, p, p)."""
    root = np.linalg.cholesky(covariance)
    return np.asarray(mean + (root @ generator.standard_normal(mean.shape)[:, :, None])[:, :, 0])


def draw_shrunken(effect: Array, center: Array, pull: Array, tau: Array, generator: np.random.Generator) -> Array:
    """Return one draw of independent effects, (n, K): ``d - pull (d - centre) + tau sqrt(pull) z``.

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
    """Diagonal Sigma, or a whole one in the basis of its eigenvectors, in which ``tau^2 I`` is unchanged."""

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

    @property
    def size(self) -> int:
        """Number of effects, K."""
        return len(self.effect)

    def fit(self, tau: Array) -> Fit:
        """Integrate b out at each tau, (T,): sums over effects as one matrix product."""
        log_det, products = np.empty(len(tau)), np.empty((len(tau), self.pairs.shape[1]))
        for rows in cache_blocks(len(tau), len(self.values)):
            total = self.values + tau[rows, None] ** 2
            products[rows] = (1 / total) @ self.pairs
            log_det[rows] = np.log(total, out=total).sum(axis=1)
        side = len(self.origin) + 1
        return fit_coefficients(
            log_det, products.reshape(-1, side, side), self.origin, self.design.sd, len(self.values)
        )

    def moments(self, tau: Array, fit: Fit) -> tuple[Array, Array]:
        """Return mean and variance of each effect at each tau, (T, K) both."""
        mean, variance = np.empty((2, len(tau), self.size))
        x = self.design.columns
        pairs = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1).T
        for rows in cache_blocks(len(tau), self.size):
            square = tau[rows, None] ** 2
            pull = self.values / (self.values + square)
            mean[rows] = self.effect - pull * (self.effect - fit.mean[rows] @ x.T)
            variance[rows] = square * pull
            if self.basis is None:
                variance[rows] += pull**2 * (fit.covariance[rows].reshape(len(pull), -1) @ pairs)
        return (mean, variance) if self.basis is None else self._back(tau, fit, mean, variance)

    def _back(self, tau: Array, fit: Fit, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Rotate means and variances (given b) back, and add the uncertainty of b."""
        assert self.basis is not None
        variance = variance @ (self.basis**2).T
        for t, covariance in enumerate(fit.covariance):
            pull = self.values / (self.values + tau[t] ** 2)
            back = self.basis @ (pull[:, None] * self.design.columns)
            variance[t] += np.einsum("ki,ij,kj->k", back, covariance, back)
        return mean @ self.basis.T, variance

    def draw(self, tau: Array, b: Array, generator: np.random.Generator) -> Array:
        """Return one draw of the effects for each tau and b, (n, K): independent in the basis, then rotated back."""
        pull = self.values + tau[:, None] ** 2
        np.divide(self.values, pull, out=pull)
        out = draw_shrunken(self.effect, b @ self.design.columns.T, pull, tau, generator)
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
        loadings = np.zeros((len(effect), 0)) if noise.loadings is None else noise.loadings
        origin = weighted_regression(effect, design.columns, noise.variances)
        joint = np.column_stack([design.columns, effect - design.columns @ origin])
        return cls(noise, loadings, effect, design, origin, joint)

    @property
    def size(self) -> int:
        """Number of effects, K."""
        return len(self.effect)

    def fit(self, tau: Array) -> Fit:
        """Integrate b out at each tau, (T,)."""
        side = self.joint.shape[1]
        log_det, products = np.empty(len(tau)), np.empty((len(tau), side, side))
        for t, spread in enumerate(tau):
            weight, root = self._inverse(spread)
            along = np.linalg.solve(root, (self.loadings * weight[:, None]).T @ self.joint)
            log_det[t] = -np.log(weight).sum() + 2 * np.log(np.diagonal(root)).sum()
            products[t] = (self.joint * weight[:, None]).T @ self.joint - along.T @ along
        return fit_coefficients(log_det, products, self.origin, self.design.sd, len(self.effect))

    def moments(self, tau: Array, fit: Fit) -> tuple[Array, Array]:
        """Return mean and variance of each effect at each tau, (T, K) both."""
        mean, variance = np.empty((len(tau), self.size)), np.empty((len(tau), self.size))
        x = self.design.columns
        for t, spread in enumerate(tau):
            weight, root = self._inverse(spread)
            scaled = np.linalg.solve(root, (self.loadings * weight[:, None]).T)  # S^-1 = W - scaled' scaled
            joint = np.column_stack([self.effect - x @ fit.mean[t], x])
            inverse = weight[:, None] * joint - scaled.T @ (scaled @ joint)
            pulled = joint - spread**2 * inverse  # (I - tau^2 S^-1) of the residual and of X
            own = np.asarray(spread**2 * self.noise.variances * weight + spread**4 * (scaled**2).sum(axis=0))
            mean[t] = x @ fit.mean[t] + spread**2 * inverse[:, 0]
            variance[t] = own + np.einsum("ki,ij,kj->k", pulled[:, 1:], fit.covariance[t], pulled[:, 1:])
        return mean, variance

    def draw(self, tau: Array, b: Array, generator: np.random.Generator) -> Array:
        """Return one draw of the effects for each tau and b, (n, K): first the scores of the components, then each."""
        center = b @ self.design.columns.T
        weight = 1 / (self.noise.variances + tau[:, None] ** 2)
        root = np.linalg.cholesky(np.eye(self.loadings.shape[1]) + self._inner(weight))
        projected = ((self.effect - center) * weight) @ self.loadings
        along = np.linalg.solve(root, projected[:, :, None]) + generator.standard_normal((*projected.shape, 1))
        scores = np.linalg.solve(np.swapaxes(root, 1, 2), along)[:, :, 0]
        own = self.effect - scores @ self.loadings.T
        weight *= self.noise.variances
        return draw_shrunken(own, center, weight, tau, generator)

    def _inner(self, weight: Array) -> Array:
        """Return L' W L for each row of weights, (n, r, r), as one product unless that needs too much memory."""
        k, r = self.loadings.shape
        if k * r * r > _PAIRS:
            return np.stack([self.loadings.T @ (self.loadings * w[:, None]) for w in weight])
        return (weight @ (self.loadings[:, :, None] * self.loadings[:, None, :]).reshape(k, -1)).reshape(-1, r, r)

    def _inverse(self, spread: float) -> tuple[Array, Array]:
        """Return W = (D + tau^2)^-1, (K,), and the Cholesky root of I + L' W L, (r, r)."""
        weight = 1 / (self.noise.variances + spread**2)
        inner = self.loadings.T @ (self.loadings * weight[:, None])
        return weight, np.asarray(np.linalg.cholesky(np.eye(len(inner)) + inner), dtype=np.float64)


def cache_blocks(n: int, width: int) -> list[slice]:
    """Return slices of n rows (or columns) of `width` numbers each, small enough for the cache."""
    step = max(1, _BLOCK // max(width, 1))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]
