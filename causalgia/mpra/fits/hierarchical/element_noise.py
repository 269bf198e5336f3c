"""Two layers of noise: exact likelihood of an oligo, prior over elements and posterior of each element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc
from typing import TypeAlias

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from causalgia.compiled import njit
from causalgia.types import Array, Ints

__all__ = ["contrast_mixtures", "element_densities", "precision_sums", "residual_density"]
NEGLIGIBLE, FREE, SINGULAR = 1e-7, 1e12, 1e-7


@njit(nogil=True)
def precision_sums(
    z: Array, precision: Array, k: Array, lo: int, hi: int, t: float, S: Array, s: Array
) -> tuple[float, float]:
    """Fill S (R, R) and s (R,) with the sums of P_b and P_b z_b; return the sum of z' P_b z and of log(1 + T_b a_b)."""
    R = len(s)
    S[:] = 0.0
    s[:] = 0.0
    q, log_det = 0.0, 0.0
    for b in range(lo, hi):
        a, az = 0.0, 0.0
        for r in range(R):
            a += precision[b, r]
            az += precision[b, r] * z[b, r]
        T = t + k[b]
        f = T / (1.0 + T * a)
        log_det += np.log1p(T * a)
        q -= f * az * az
        for r in range(R):
            p = precision[b, r]
            if p == 0.0:
                continue
            q += p * z[b, r] * z[b, r]
            s[r] += p * (z[b, r] - f * az)
            S[r, r] += p
            for c in range(R):
                S[r, c] -= f * p * precision[b, c]
    return q, log_det


@njit(nogil=True)
def _oligo_density(q: float, log_det: float, values: Array, u: Array, g: Array, t: float) -> tuple[float, float, float]:
    """Return the restricted log density of an oligo, its mean and the mean's variance, at one t_r."""
    information, top, quadratic = 0.0, 0.0, q
    for i in range(len(values)):
        shrunk = 1.0 / (1.0 + t * values[i])
        information += u[i] * u[i] * values[i] * shrunk
        top += u[i] * g[i] * shrunk
        quadratic -= t * g[i] * g[i] * shrunk
        log_det -= np.log(shrunk)
    quadratic -= top * top / information
    return -0.5 * (log_det + np.log(information) + quadratic), top / information, 1.0 / information


@njit(nogil=True)
def _eigenbasis(S: Array, s: Array, u: Array, g: Array) -> Array:
    """Return the eigenvalues of S; fill u and g with 1 and s in the basis of its eigenvectors."""
    values, vectors = np.linalg.eigh(S)
    for i in range(len(values)):
        values[i] = max(values[i], 0.0)
        u[i], g[i] = 0.0, 0.0
        for r in range(len(values)):
            u[i] += vectors[r, i]
            g[i] += vectors[r, i] * s[r]
    return values


@njit(nogil=True)
def element_densities(
    z: Array, precision: Array, k: Array, start: Ints, elements: Ints, A: int, tb: Array, tr: Array
) -> Array:
    """Return the restricted log density of each element at each pair of variances, shape ``(n, len(tb), len(tr))``."""
    R = z.shape[1]
    out = np.zeros((len(elements), len(tb), len(tr)))
    S, s, u, g = np.empty((R, R)), np.empty(R), np.empty(R), np.empty(R)
    for n in range(len(elements)):
        for a in range(A):
            o = elements[n] * A + a
            for i in range(len(tb)):
                q, log_det = precision_sums(z, precision, k, start[o], start[o + 1], tb[i], S, s)
                values = _eigenbasis(S, s, u, g)
                for j in range(len(tr)):
                    out[n, i, j] += _oligo_density(q, log_det, values, u, g, tr[j])[0]
    return out


@njit(nogil=True)
def _mixture_quantile(W: Array, d: Array, v: Array, tail: float) -> float:
    """Return the q beyond which, either side, a mixture of N(d, v) has probability `tail`."""
    high = 0.0
    for n in range(len(W)):
        high = max(high, abs(d[n]) + 8.0 * np.sqrt(v[n]))
    low = 0.0
    q = 2.0 * np.sqrt((W * v).sum())
    for _ in range(60):
        if not low < q < high:
            q = (low + high) / 2.0
        beyond, slope = 0.0, 0.0
        for n in range(len(W)):
            for sign in (-1.0, 1.0):
                x = (q + sign * d[n]) / np.sqrt(v[n])
                beyond += 0.5 * W[n] * erfc(x / np.sqrt(2.0))
                slope += W[n] * np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi * v[n])
        if beyond > tail:
            low = q
        else:
            high = q
        step = (beyond - tail) / slope if slope > 0 else np.inf
        q += step
        if abs(step) < 1e-9 * q:
            break
    return float(q)


@njit(nogil=True)
def _normal_components(
    z: Array, precision: Array, k: Array, start: Ints, e: int, weights: Array, tb: Array, tr: Array, W: Array
) -> tuple[Array, Array, Array]:
    """Return the normal components of an element's contrasts: probability (n,), mean and variance (K, n)."""
    R, (K, A), J = z.shape[1], weights.shape, len(tr)
    S, s, u, g = np.empty((R, R)), np.empty(R), np.empty(R), np.empty(R)
    at, variance, share = np.zeros((K, W.size)), np.zeros((K, W.size)), np.zeros(W.size)
    for i in range(len(tb)):
        if W[i].max() < NEGLIGIBLE:
            continue
        share[i * J : i * J + J] = W[i]
        for a in range(A):
            o = e * A + a
            q, log_det = precision_sums(z, precision, k, start[o], start[o + 1], tb[i], S, s)
            values = _eigenbasis(S, s, u, g)
            for j in range(J):
                _, m, v = _oligo_density(q, log_det, values, u, g, tr[j])
                for c in range(K):
                    at[c, i * J + j] += weights[c, a] * m
                    variance[c, i * J + j] += weights[c, a] ** 2 * v
    nodes = np.flatnonzero(share >= NEGLIGIBLE)
    return share[nodes] / share[nodes].sum(), at[:, nodes], variance[:, nodes]


@njit(nogil=True)
def contrast_mixtures(
    z: Array, precision: Array, k: Array, start: Ints, weights: Array, tb: Array, tr: Array, W: Array, tails: Array
) -> tuple[Array, Array]:
    """Return each contrast's mean, (E, K), and the distances at which its tails begin, (E, K, len(tails)).

    `weights` (K, A) are the contrasts, `W` (E, len(tb), len(tr)) the probabilities of the variance pairs by element,
    `tails` the two-sided tail probabilities.
    """
    E, K = len(W), len(weights)
    mean, beyond = np.zeros((E, K)), np.zeros((E, K, len(tails)))
    for e in range(E):
        share, at, variance = _normal_components(z, precision, k, start, e, weights, tb, tr, W[e])
        for c in range(K):
            mean[e, c] = (share * at[c]).sum()
            for i in range(len(tails)):
                beyond[e, c, i] = _mixture_quantile(share, at[c] - mean[e, c], variance[c], tails[i])
    return mean, beyond


@njit(nogil=True)
def residual_density(z: Array, precision: Array, start: Ints) -> float:
    """Return the log density of residuals about barcodes plus replicates, both flat, up to a constant."""
    R = z.shape[1]
    S, s, u, g, none = np.empty((R, R)), np.empty(R), np.empty(R), np.empty(R), np.zeros(len(z))
    total = 0.0
    for o in range(len(start) - 1):
        q, log_det = precision_sums(z, precision, none, start[o], start[o + 1], FREE, S, s)
        values = _eigenbasis(S, s, u, g)
        total += q + log_det
        for i in range(R):
            if values[i] > SINGULAR * values[R - 1]:
                total += np.log(values[i]) - g[i] * g[i] / values[i]
        for p in precision[start[o] : start[o + 1]].ravel():
            total -= np.log(p) if p > 0.0 else 0.0
    return -0.5 * total


LOG2 = float(np.log(2.0))
TYPICAL_BARCODE, TYPICAL_REPLICATE, SPREAD = 2.0 * LOG2, 1.0 * LOG2, 0.5
N_LEARNT, N_DRAWS, LEAST, WIDER, STEP, FLATTEST = 2_000, 96, 1e-3, 1.4, 0.05, 2.0
NARROWEST, WIDEST, STEEPEST = -5.0, 1.0, 3.0
_Loss: TypeAlias = Callable[[Array], float]


@dataclass(frozen=True, eq=False)
class Grid:
    """Log standard deviations (natural logs) of the layers: barcodes (I,) and replicates (J,), evenly spaced."""

    barcode: Array
    replicate: Array


@dataclass(frozen=True, eq=False)
class LearntNoise:
    """Noise layers learned from all elements.

    Attributes
    ----------
    of_elements
        Posterior probability of each pair of standard deviations on the grid, for each element, shape ``(E, I, J)``.
    sd_barcode, sd_replicate
        Of the median element, posterior mean, natural logs.
    spread_barcode, spread_replicate, correlation
        Standard deviations over elements of the logs of the two, and their correlation.
    """

    of_elements: Array
    sd_barcode: float
    sd_replicate: float
    spread_barcode: float
    spread_replicate: float
    correlation: float


def learn_noise(density: Array, grid: Grid) -> LearntNoise:
    """Learn the prior from the log densities (E, I, J) of all elements, and return each element's posterior.

    ``(log sd_barcode, log sd_replicate)`` is bivariate normal over elements. The five parameters have weak priors:
    half-normal medians of scale 2 and 1 (log2), half-normal spreads of scale 1/2, a normal atanh correlation. Their
    posterior is integrated, not maximized, which matters for few elements: importance sampling at fixed points about
    the mode. With more than 2,000 elements the prior is learned from 2,000 of them, evenly over the table.
    """
    E = len(density)
    L = np.exp(density - density.max(axis=(1, 2), keepdims=True)).reshape(E, -1)
    few = L[np.unique(np.linspace(0, E - 1, min(E, N_LEARNT)).astype(int))]

    def loss(x: Array) -> float:
        prior = _log_prior(x)
        if not np.isfinite(prior):
            return 1e10
        return -prior - float(np.log(np.maximum(few @ grid_prior(x, grid).ravel(), 1e-300)).sum())

    draws, weights = _sample_hyperparameters(loss, _initial_guess(L, grid))
    tables = np.stack([grid_prior(x, grid).ravel() for x in draws])
    W = L * ((weights / np.maximum(L @ tables.T, 1e-300)) @ tables)
    W /= W.sum(axis=1, keepdims=True)
    found = weights @ np.column_stack([np.exp(draws[:, :4]), np.tanh(draws[:, 4])])
    return LearntNoise(W.reshape(density.shape), *(float(v) for v in found[[0, 2, 1, 3, 4]]))


def grid_prior(x: Array, grid: Grid) -> Array:
    """Return the prior probability of each pair on the grid, shape ``(I, J)``.

    The normal is interpolated linearly to the nodes, so a prior narrower than the grid moves smoothly over it.
    """
    m_b, s_b, m_r, s_r, rho = x[0], np.exp(x[1]), x[2], np.exp(x[3]), np.tanh(x[4])
    if len(grid.barcode) == 1:
        return _normal_on_grid(grid.replicate, np.array([m_r]), s_r)
    b = _normal_on_grid(grid.barcode, np.array([m_b]), s_b)[0]
    if len(grid.replicate) == 1:
        return np.asarray(b[:, None])
    step = grid.barcode[1] - grid.barcode[0]
    at = m_r + rho * s_r * s_b / (s_b**2 + step**2 / 6) * (grid.barcode - m_b)
    return np.asarray(b[:, None] * _normal_on_grid(grid.replicate, at, s_r * np.sqrt(1 - rho**2)))


def _normal_on_grid(nodes: Array, mean: Array, sd: float) -> Array:
    """Return the mass of N(mean, sd^2) on each node by linear interpolation, shape ``(len(mean), len(nodes))``."""
    if len(nodes) == 1:
        return np.ones((len(mean), 1))
    z = (nodes - mean[:, None]) / sd
    cumulated = sd * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    slopes = np.diff(cumulated, axis=1) / (nodes[1] - nodes[0])
    return np.maximum(
        np.diff(np.concatenate([np.zeros((len(mean), 1)), slopes, np.ones((len(mean), 1))], axis=1), axis=1), 0.0
    )


def _log_prior(x: Array) -> float:
    m_b, l_b, m_r, l_r, a = x
    if not (min(l_b, l_r) > NARROWEST and max(l_b, l_r) < WIDEST and abs(a) < STEEPEST):
        return -np.inf
    medians = m_b + m_r - 0.5 * ((np.exp(m_b) / TYPICAL_BARCODE) ** 2 + (np.exp(m_r) / TYPICAL_REPLICATE) ** 2)
    spreads = l_b + l_r - 0.5 * (np.exp(2 * l_b) + np.exp(2 * l_r)) / SPREAD**2
    return float(medians + spreads - 0.5 * a * a)


def _initial_guess(L: Array, grid: Grid) -> Array:
    """Return a first guess: the pair with the largest total density, one spread, some correlation."""
    total = np.log(np.maximum(L, 1e-300)).sum(0).reshape(len(grid.barcode), len(grid.replicate))
    i, j = np.unravel_index(int(total.argmax()), total.shape)
    at = [max(nodes[k], np.log(LEAST)) for nodes, k in ((grid.barcode, i), (grid.replicate, j))]
    return np.array([at[0], np.log(0.3), at[1], np.log(0.3), 0.5])


def _sample_hyperparameters(loss: _Loss, start: Array) -> tuple[Array, Array]:
    """Return points of the parameters' posterior and their weights."""
    simplex = start + np.vstack([np.zeros(5), np.diag([0.3, 0.5, 0.3, 0.5, 0.5])])
    mode = np.asarray(optimize.fmin(loss, start, initial_simplex=simplex, maxfun=600, xtol=1e-2, ftol=1e-2, disp=False))
    values, vectors = np.linalg.eigh(_curvature(loss, mode))
    scale = vectors / np.sqrt(np.maximum(values, 1 / FLATTEST**2))
    normal = _quasi_normal(N_DRAWS, 5)
    draws = mode + WIDER * normal @ scale.T
    log = np.array([-loss(x) for x in draws]) + 0.5 * (normal**2).sum(1)
    weights = np.exp(log - log.max())
    return draws, weights / weights.sum()


def _curvature(loss: _Loss, at: Array) -> Array:
    """Return the matrix of second differences."""
    steps = STEP * np.eye(len(at))
    up, down = (np.array([loss(at + sign * e) for e in steps]) for sign in (1, -1))
    here, H = loss(at), np.empty((len(at), len(at)))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps[: i + 1]):
            both = loss(at + a + b) + loss(at - a - b) + 2 * here - up[i] - down[i] - up[j] - down[j]
            H[i, j] = H[j, i] = both / (2 * STEP**2) if i != j else (up[i] + down[i] - 2 * here) / STEP**2
    return np.where(np.isfinite(H) & (np.abs(H) < 1e8), H, 0.0)


def _quasi_normal(n: int, d: int) -> Array:
    """Return n quasi-random normal deviates in d dims (an additive recurrence), always the same."""
    root = optimize.brentq(lambda x: x ** (d + 1) - x - 1, 1.0, 2.0)
    steps = root ** -np.arange(1.0, d + 1)
    return np.asarray(ndtri((0.5 + np.arange(1, n + 1)[:, None] * steps) % 1.0))
