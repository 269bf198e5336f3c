"""Exact Gaussian likelihood of an oligo with two layers of noise, barcodes crossed with replicates.

For the barcodes b of one oligo in replicates r, ``z_br = mu + w_r + v_b + e_br`` with ``w_r ~ N(0, t_r)``,
``v_b ~ N(0, t_b + k_b)`` and ``e_br ~ N(0, 1 / precision_br)``. Each barcode leaves an R x R precision (Sherman and
Morrison); their sum S suffices for the replicates, so one pass over the barcodes serves every t_r.
"""

from __future__ import annotations

from math import erfc

import numpy as np

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
    kept = np.flatnonzero(share >= NEGLIGIBLE)
    return share[kept] / share[kept].sum(), at[:, kept], variance[:, kept]


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
