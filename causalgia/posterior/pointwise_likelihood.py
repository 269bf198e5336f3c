"""Pointwise log likelihood for leave-one-out, given the shared parameters, and draws of
mixture weights for it.

The effect is integrated. Given its effect, an estimate has the density
``N(d_k; delta_k, s_k^2)``; but each effect has a single estimate, and importance
weights of that density under the full posterior have infinite variance once effects
vary more than their errors. With the effect integrated, ``p(d_k | law)``, one estimate
changes the posterior little. The left-out density is the same in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalgia.compiled import njit
from causalgia.numerics.row_blocks import SMALL_BLOCK
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import LinearPart
from causalgia.posterior.scale_mixture import LOG2E, exp2, inverse_root
from causalgia.types import Array

__all__ = ["independent_log_density", "mixture_log_density", "normal_log_density"]

_SWEEPS, _BURN_IN, _ANEW = 3, 100, 50


def mixture_log_density(
    residual: Array, noise: Array, variance: Array, weight: Array
) -> Array:
    """Return ``log sum_j w_ij N(r_ik; 0, s_k^2 + v_ij)``, (n, K).

    Parameters
    ----------
    residual
        Estimates minus their linear part in each draw, (n, K).
    noise
        Independent noise variances, (K,).
    variance, weight
        Variances and weights of the J normals of the law in each draw, (n, J);
        variances ascend.

    Examples
    --------
    >>> residual, one = np.array([[0.0, 2.0]]), np.ones((1, 1))
    >>> mixture_log_density(residual, np.array([1.0, 3.0]), one, one).round(3)
    array([[-1.266, -2.112]])
    """
    out = np.empty(residual.shape)
    _mixture_kernel(residual, noise, variance, weight, out)
    return out


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


@njit(nogil=True, fastmath=True)
def _mixture_kernel(residual, noise, variance, weight, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        widest = variance[i, variance.shape[1] - 1]
        for k in range(out.shape[1]):
            s2 = noise[k]
            half = 0.5 * LOG2E * residual[i, k] ** 2
            # exponent of the widest component, the largest
            least = half / (s2 + widest)
            total = 0.0
            for j in range(variance.shape[1]):
                y = inverse_root(s2 + variance[i, j])
                total += (
                    weight[i, j]
                    * y
                    * exp2(min(max(least - half * y * y, -1000.0), 0.0))
                )
            # log sqrt(2 pi)
            out[i, k] = np.log(total) - least / LOG2E - 0.9189385332046727


def draw_weights(
    effect: Array,
    noise: Array,
    columns: Array,
    precision: Array,
    variance: Array,
    counts: Array,
    start: tuple[Array, Array],
    n: int,
    generator: np.random.Generator,
) -> tuple[Array, Array]:
    """Return n draws of weights ``w ~ Dirichlet(counts)``, (n, J), and of shared
    coefficients c, (n, m).

    Given c the estimates are independent: ``d_k ~ sum_j w_j N(x_k' c, s_k^2 + v_j)``,
    with c normal about 0. The mode of the weights is the penalized maximum with penalty
    ``sum_j (counts_j - 1) log w_j``. Components of the estimates, weights and c are
    drawn in turn, three sweeps a draw, after 100 sweeps of burn-in.

    Parameters
    ----------
    effect, noise
        Estimates and their independent noise variances, (K,).
    columns, precision
        X, (K, m), and the prior precision of c, (m,), 0 where it is flat; as in
        `exact.LinearPart`.
    variance, counts
        Variances of the J normals, ascending, and counts of the Dirichlet prior, each
        positive.
    start
        Weights and c to start from.
    n
        Number of draws.
    generator
        Source of randomness.

    References
    ----------
    Diebolt & Robert (1994), doi:10.1111/j.2517-6161.1994.tb01985.x.

    Examples
    --------
    >>> none, rng = np.empty((40, 0)), np.random.default_rng(0)
    >>> start = np.full(2, 0.5), np.empty(0)
    >>> effect = np.repeat([0.0, 50.0], [30, 10])
    >>> v, counts = np.array([0.0, 900.0]), np.ones(2)
    >>> weights, _ = draw_weights(
    ...     effect, np.full(40, 0.01), none, np.empty(0), v, counts, start, 2_000, rng
    ... )
    >>> weights.mean(axis=0).round(1)
    array([0.7, 0.3])
    """
    weight, c = (x.astype(np.float64) for x in start)
    weights, coefficients = np.empty((n, len(counts))), np.empty((n, len(c)))
    component, residual = np.empty(len(effect), dtype=np.intp), effect - columns @ c
    for turn in range(-_BURN_IN, n * _SWEEPS):
        _draw_components(
            residual, noise, variance, weight, generator.random(len(effect)), component
        )
        weight = _draw_dirichlet(component, counts, generator)
        if len(c):
            scaled = columns / (noise + variance[component])[:, None]
            root = np.linalg.cholesky(np.diag(precision) + columns.T @ scaled)
            half = np.linalg.solve(root, scaled.T @ effect) + generator.standard_normal(
                len(c)
            )
            c = np.linalg.solve(root.T, half)
            residual = effect - columns @ c
        if turn >= 0:
            weights[turn // _SWEEPS], coefficients[turn // _SWEEPS] = weight, c
    return weights, coefficients


def left_out_log_density(
    effect: Array,
    whole: Array,
    columns: Array,
    precision: Array,
    variance: Array,
    counts: Array,
    start: Array,
    n: int,
    generator: np.random.Generator,
) -> Array:
    """Return ``log p(d_k | other estimates, their components, w)`` for correlated
    errors in n draws, (n, K).

    Given the components of all effects the estimates are normal with
    ``Q^-1 = Sigma + X P^-1 X' + diag(v)``, and estimate k given the others lies
    ``(Q d)_k / Q_kk`` from its mean with variance ``1 / Q_kk``; with the variance of
    each component in turn for v_k this is a mixture with weights w, from which
    component k is drawn as well.

    Parameters
    ----------
    effect, whole
        Estimates, (K,), and the covariance of their errors, (K, K).
    columns, precision, variance, counts, n
        As in `draw_weights`; c is integrated.
    start
        Weights to start from.
    generator
        Source of randomness.

    References
    ----------
    Buerkner, Gabry & Vehtari (2021), doi:10.1007/s00180-020-01045-4.

    Examples
    --------
    >>> effect, none, rng = np.zeros(3), np.empty((3, 0)), np.random.default_rng(0)
    >>> spike = np.zeros(1), np.ones(1), np.ones(1)
    >>> (
    ...     left_out_log_density(
    ...         effect, np.eye(3) / (2 * np.pi), none, np.empty(0), *spike, 1, rng
    ...     ).round(9)
    ...     + 0
    ... )
    array([[0., 0., 0.]])
    """
    weight, out = start.astype(np.float64), np.empty((n, len(effect)))
    component, density = np.zeros(len(effect), dtype=np.intp), np.empty(len(effect))
    component[:] = np.searchsorted(
        variance, np.maximum(effect**2 - np.diag(whole), 0.0)
    ).clip(max=len(variance) - 1)
    for turn in range(-_BURN_IN, n):
        if turn % _ANEW == 0:  # against accumulated rounding
            own: Array = np.linalg.inv(whole + np.diag(variance[component])).astype(
                np.float64
            )
            scaled = own @ columns
            inverse = np.asarray(
                own
                - scaled
                @ np.linalg.solve(np.diag(precision) + columns.T @ scaled, scaled.T)
            )
            product = inverse @ effect
        u = generator.random(len(effect))
        _draw_in_turn(inverse, product, variance, weight, u, component, density)
        weight = _draw_dirichlet(component, counts, generator)
        if turn >= 0:
            out[turn] = density
    return out


def _draw_dirichlet(
    component: Any, counts: Array, generator: np.random.Generator
) -> Array:
    gamma = generator.standard_gamma(
        counts + np.bincount(component, minlength=len(counts))
    )
    return np.asarray(gamma / gamma.sum())


@njit(nogil=True)
def _draw_components(residual, noise, variance, weight, u, component):  # type: ignore[no-untyped-def]
    """Draw the component of each independent estimate."""
    height = np.empty(len(weight))
    for k in range(len(residual)):
        total, least = 0.0, 0.5 * residual[k] ** 2 / (noise[k] + variance[-1])
        for j in range(len(weight)):
            v = noise[k] + variance[j]
            height[j] = (
                weight[j] * np.exp(least - 0.5 * residual[k] ** 2 / v) / np.sqrt(v)
            )
            total += height[j]
        at, j = u[k] * total, 0
        while j < len(weight) - 1 and at >= height[j]:
            at -= height[j]
            j += 1
        component[k] = j


@njit(nogil=True)
def _draw_in_turn(inverse, product, variance, weight, u, component, density):  # type: ignore[no-untyped-def]
    """Draw the component of each estimate given those of the others, and store its log
    density given them.

    `inverse` (Q) and `product` (Q d) are updated by rank one after each change.
    """
    height = np.empty(len(weight))
    for k in range(len(product)):
        own = variance[component[k]]
        residual, error = product[k] / inverse[k, k], 1 / inverse[k, k] - own
        total, least = 0.0, 0.5 * residual**2 / (error + variance[-1])
        for j in range(len(weight)):
            v = error + variance[j]
            height[j] = weight[j] * np.exp(least - 0.5 * residual**2 / v) / np.sqrt(v)
            total += height[j]
        density[k] = np.log(total) - least - 0.9189385332046727  # log sqrt(2 pi)
        at, j = u[k] * total, 0
        while j < len(weight) - 1 and at >= height[j]:
            at -= height[j]
            j += 1
        if j != component[k]:
            more = variance[j] - own
            step = more / (1 + more * inverse[k, k])
            row, moved = inverse[k].copy(), product[k]
            for i in range(len(row)):
                product[i] -= step * row[i] * moved
                for m in range(len(row)):
                    inverse[i, m] -= step * row[i] * row[m]
            component[k] = j
