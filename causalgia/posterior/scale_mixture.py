"""Mixtures of centred normals as prior of effects about a location: likelihood, posterior, derivatives.

``effect_k = location_k + delta'_k + noise_k``, ``delta'_k ~ sum_j w_j N(0, v_j)``, ``noise_k ~ N(0, s_k^2)``: the ash
mixture, where the v_j are a grid and v_0 = 0 the spike, and the Student-t, where they are tau^2 over the nodes of
its mixing distribution. Everything is closed form given (w, v).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from causalgia.compiled import njit
from causalgia.posterior.vector_math import LOG2E, exp2, inverse_root
from causalgia.types import Array

__all__ = [
    "Components",
    "EffectSummary",
    "Node",
    "ResidualRows",
    "effect_summary",
    "log_component_densities",
    "posterior_normals",
    "probability_below",
    "residual_rows",
]


@dataclass(frozen=True, eq=False)
class Components:
    """Prior of an effect about its location: J normals centred there."""

    variance: Array
    """Their variances, (J,), ascending; 0 is a point mass."""
    weight: Array
    """Their weights, (J,); they sum to 1."""


@dataclass(frozen=True, eq=False)
class ResidualRows:
    """Log density of each residual under the mixture, and its derivatives; K rows."""

    log_density: Array
    """Log density of each residual, effect less location, (K,)."""
    precision: Array
    """``sum_j r_kj / (s_k^2 + v_j)``, (K,): the log density falls as residual times this."""
    curvature: Array
    """Minus the second derivative of the log density in the residual, (K,); negative between modes."""


@dataclass(frozen=True, eq=False)
class Node:
    """A value of the shared parameters, or a small normal region about one; given it, effects are independent."""

    weight: float
    """Its posterior probability."""
    residual: Array
    """Estimate minus the linear part, (K,)."""
    location: Array
    """Centre of the effects, (K,)."""
    components: Components
    """Their prior about it."""
    residual_sd: Array | float = 0.0
    """Change of the linear part for one sd within the region, (K,)."""
    location_sd: Array | float = 0.0
    """Change of the centre with it, (K,)."""
    location_rest: Array | float = 0.0
    """Sd of the centre within the region given the linear part, (K,)."""


@dataclass(frozen=True, eq=False)
class EffectSummary:
    """Posterior of each effect given the location and the components; K rows."""

    mean: Array
    """Posterior mean, (K,)."""
    square: Array
    """Posterior variance, (K,)."""
    below: Array
    """P(effect < 0), (K,)."""
    above: Array
    """P(effect > 0), (K,)."""
    zero: Array
    """P(effect = 0), (K,)."""
    shrinkage: Array
    """Shrinkage factor towards the location, (K,): ``E[s^2 / (s^2 + v)]``, s the standard error."""


def log_component_densities(residual: Array, noise: Array, components: Components) -> Array:
    """Return ``log w_j N(residual_k; 0, s_k^2 + v_j)``, (K, J); noise is s^2, (K,)."""
    total = noise[:, None] + components.variance
    with np.errstate(divide="ignore"):
        constant = np.log(components.weight) - 0.5 * np.log(2 * np.pi * total)
    return np.asarray(constant - 0.5 * (residual / np.sqrt(total.T)).T ** 2)


def residual_rows(residual: Array, noise: Array, components: Components) -> ResidualRows:
    """Return log densities and derivatives of residuals (K,) with noise variances (K,)."""
    out = np.empty((3, len(noise)))
    _residual_rows_kernel(residual, noise, components.variance, components.weight, out)
    return ResidualRows(out[0] - 0.5 * np.log(2 * np.pi), out[1], out[2])


def effect_summary(node: Node, noise: Array, marginal: Array | None = None) -> EffectSummary:
    """Return the posterior of the effects at a node; noise variances are (K,).

    Marginal variances, (K,), are for the shrinkage where factors add to the noise.
    """
    mean, sd, weight = posterior_normals(node, noise)
    average = (weight * mean).sum(axis=1)
    spread = (weight * (sd**2 + (mean - average[:, None]) ** 2)).sum(axis=1)
    atom = sd == 0
    minor = np.where(atom, 0.0, ndtr(-np.abs(mean) / np.where(atom, 1.0, sd)))
    at_zero = atom & (mean == 0)
    below = (weight * np.where(at_zero, 0.0, np.where(mean > 0, minor, 1 - minor))).sum(axis=1)
    above = (weight * np.where(at_zero, 0.0, np.where(mean > 0, 1 - minor, minor))).sum(axis=1)
    whole = (noise if marginal is None else marginal)[:, None]
    shrinkage = (weight * (whole / (whole + node.components.variance))).sum(axis=1)
    return EffectSummary(average, spread, below, above, (weight * at_zero).sum(axis=1), shrinkage)


def probability_below(x: Array, node: Node, noise: Array) -> Array:
    """Return P(effect_k <= x_k), (K,), at a node; noise variances are (K,)."""
    mean, sd, weight = posterior_normals(node, noise)
    atom, distance = sd == 0, x[:, None] - mean
    under = np.where(atom, distance >= 0, ndtr(distance / np.where(atom, 1.0, sd)))
    return np.asarray((weight * under).sum(axis=1))


def posterior_normals(node: Node, noise: Array) -> tuple[Array, Array, Array]:
    """Return the posterior of each effect as a mixture of normals: mean, sd and probability, (K, J) each."""
    _, weight = _normalize_rows(log_component_densities(node.residual, noise, node.components))
    gain = node.components.variance / (noise[:, None] + node.components.variance)
    moved, fixed, rest = (np.reshape(x, (-1, 1)) for x in (node.residual_sd, node.location_sd, node.location_rest))
    sd = np.sqrt(gain * noise[:, None] + (fixed - gain * moved) ** 2 + rest**2)
    return node.location[:, None] + gain * node.residual[:, None], sd, weight


def _normalize_rows(terms: Array) -> tuple[Array, Array]:
    """Return log sums of rows and their normalised exponentials."""
    top = terms.max(axis=1)
    weight = np.exp(terms - top[:, None])
    total = weight.sum(axis=1)
    weight /= total[:, None]
    return top + np.log(total), weight


@njit(nogil=True, fastmath=True)
def _residual_rows_kernel(residual, noise, variance, weight, out):  # type: ignore[no-untyped-def]
    size = len(weight)
    term, inverse = np.empty(size), np.empty(size)
    for k in range(len(noise)):
        half = 0.5 * LOG2E * residual[k] ** 2
        least = half / (noise[k] + variance[size - 1])  # exponent of the widest component, the largest
        for j in range(size):
            y = inverse_root(noise[k] + variance[j])
            exponent = least - half * y * y
            inverse[j] = y * y
            term[j] = weight[j] * y * exp2(min(max(exponent, -1000.0), 0.0))
        total = precision = scatter = 0.0
        for j in range(size):
            total += term[j]
            precision += term[j] * inverse[j]
        precision /= total
        for j in range(size):
            scatter += term[j] * (inverse[j] - precision) ** 2
        out[0, k] = np.log(total) - least / LOG2E
        out[1, k] = precision
        out[2, k] = precision - residual[k] ** 2 * scatter / total
