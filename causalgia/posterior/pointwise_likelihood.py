"""Pointwise log likelihood for leave-one-out, given the shared parameters, and draws of
mixture weights for it.

The effect is integrated. Given its effect, an estimate has the density
``N(d_k; delta_k, s_k^2)``; but each effect has a single estimate, and importance
weights of that density under the full posterior have infinite variance once effects
vary more than their errors. With the effect integrated, ``p(d_k | law)``, one estimate
changes the posterior little. The left-out density is the same in both.
"""

from __future__ import annotations

import numpy as np

from causalgia.compiled import njit
from causalgia.numerics.row_blocks import SMALL_BLOCK
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import LinearPart
from causalgia.posterior.scale_mixture import LN2, LOG2E, exp2, inverse_root
from causalgia.types import Array

_SWEEPS, _BURN_IN, _ANEW = 3, 100, 50


def independent_log_density(
    effect: Array,
    noise: Array,
    shared: LinearPart,
    coefficients: Array,
    variance: Array,
    weight: Array,
    unit: float,
) -> Array:
    """Return log densities, (n, K), of estimates independent given coefficients, (n,
    m).

    Arguments are in multiples of `unit`, as in `mixture_log_density`; the densities are
    in the original unit.
    """
    out = np.empty((len(coefficients), len(effect)))
    v, w = (
        np.array(np.broadcast_to(x, (len(out), np.shape(x)[-1])))
        for x in (variance, weight)
    )
    for start in range(0, len(out), max(1, SMALL_BLOCK // len(effect))):
        part = slice(start, start + max(1, SMALL_BLOCK // len(effect)))
        residual = effect - shared.split(coefficients[part])[1]
        _mixture_kernel(residual, noise, v[part], w[part], out[part])
    out -= np.log(unit)
    return out


def normal_log_density(residual: Array, noise: Noise, tau: Array) -> Array:
    """Return ``log p(d_k | all other estimates, center, tau)`` under the normal law,
    (n, K).

    Estimates that share errors are not independent given the law; the density of
    estimate k is then conditional on the others. With ``Q = (Sigma + tau^2 I)^-1`` and
    residuals r it is normal with variance ``1 / Q_kk``, and r_k lies ``(Q r)_k / Q_kk``
    from its mean.

    Parameters
    ----------
    residual
        Estimates minus their center in each draw, (n, K).
    noise
        Sigma.
    tau
        Sd of the effects about their center in each draw, (n,).

    References
    ----------
    Sundararajan & Keerthi (2001), doi:10.1162/08997660151134343; Buerkner, Gabry &
    Vehtari (2021), doi:10.1007/s00180-020-01045-4.

    Examples
    --------
    >>> whole = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> normal_log_density(
    ...     np.array([[1.0, 1.0]]), Noise(np.ones(2), whole=whole), np.zeros(1)
    ... ).round(3)
    array([[-0.942, -0.942]])
    """
    diagonal, product = _precision_terms(residual, noise, tau)
    return np.asarray(0.5 * (np.log(diagonal / (2 * np.pi)) - product**2 / diagonal))


def _precision_terms(residual: Array, noise: Noise, tau: Array) -> tuple[Array, Array]:
    """Return the diagonal of Q and Q r, (n, K) each."""
    square = tau[:, None] ** 2
    if noise.whole is not None:
        values, vectors = np.linalg.eigh(noise.whole)
        inverse = 1 / (values + square)
        return inverse @ (vectors**2).T, ((residual @ vectors) * inverse) @ vectors.T
    own = 1 / (noise.variances + square)
    if noise.loadings is None:
        return own, own * residual
    loadings = noise.loadings
    products = (loadings[:, :, None] * loadings[:, None, :]).reshape(len(loadings), -1)
    information = np.eye(loadings.shape[1]) + (own @ products).reshape(
        len(own), *2 * (loadings.shape[1],)
    )
    inside = np.linalg.inv(information)
    scores = np.einsum("nrs,ns->nr", inside, (own * residual) @ loadings)
    taken = inside.reshape(len(own), -1) @ products.T
    return own - own**2 * taken, own * (residual - scores @ loadings.T)


@njit(nogil=True, error_model="numpy")
def _mixture_kernel(residual, noise, variance, weight, out):  # type: ignore[no-untyped-def]
    n, last = out.shape[1], variance.shape[1] - 1
    half, least, total = np.empty(n), np.empty(n), np.empty(n)
    for i in range(out.shape[0]):
        for k in range(n):
            half[k] = 0.5 * LOG2E * residual[i, k] ** 2
            # exponent of the widest component, the largest
            least[k] = half[k] / (noise[k] + variance[i, last])
            total[k] = 0.0
        for j in range(last + 1):
            v, share = variance[i, j], weight[i, j]
            for k in range(n):
                y = inverse_root(noise[k] + v)
                exponent = min(max(least[k] - half[k] * y * y, -1000.0), 0.0)
                total[k] += share * y * exp2(exponent)
        for k in range(n):
            # log sqrt(2 pi)
            out[i, k] = np.log(total[k]) - least[k] * LN2 - 0.9189385332046727
