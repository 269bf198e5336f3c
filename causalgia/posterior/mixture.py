"""The mixture law (ash): a spike at 0 and normals on a grid of scales, with weights
estimated from the effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from causalgia.errors import EstimateError
from causalgia.posterior.error_covariance import (
    Noise,
    check_effects,
    noise_unit,
    rescale_noise,
)
from causalgia.posterior.scale_mixture import (
    Components,
    Node,
    draw_mixtures,
    effect_summary,
    log_component_densities,
    posterior_normals,
)
from causalgia.types import Array


@dataclass(frozen=True, eq=False)
class Mixture:
    """The posterior of effects with independent errors under an adaptive mixture of
    normals about 0.
    """

    mean: Array
    """Posterior mean of each effect, (K,)."""
    sd: Array
    """Posterior sd, (K,)."""
    lfsr: Array
    """``P(0) + min(P(< 0), P(> 0))``, (K,)."""
    lfdr: Array
    """P(0), (K,)."""
    draw: Callable[[int, np.random.Generator], Array]
    """Independent draws of the effects, (n, K)."""


def mixture(effect: Array, variance: Array) -> Mixture:
    """Return the posterior of effects under an adaptive mixture of normals with a spike
    at 0: ash.

    ``delta_k ~ sum_j w_j N(0, scale_j^2)``, scale_0 = 0 the spike. The scales are a
    grid, and the weights are set at their penalized maximum (a convex problem, solved
    to its optimum), whose uncertainty is not included.

    Parameters
    ----------
    effect, variance
        Estimates of K effects and their error variances, (K,) each.

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> effect = np.array([0.1, -0.2, 0.1, 0.0, 3.0, -0.1])
    >>> answer = mixture(effect, np.full(6, 0.04))
    >>> answer.mean.round(2), answer.lfsr.round(2)
    (array([ 0.  , -0.  ,  0.  ,  0.  ,  2.99, -0.  ]), array([1.  , 0.99, 1.  , 1.  , 0.  , 1.  ]))
    """
    noise = Noise(variance)
    check_effects(effect, noise)
    unit = noise_unit(noise)
    scaled, here = effect / unit, rescale_noise(noise, unit).variances
    sd = scale_grid(scaled, np.sqrt(here))
    terms = log_component_densities(scaled, here, _unweighted(sd**2))
    weight = mixture_weights(terms, null_biased_counts(sd)).weight
    used = weight > 0
    law = Node(
        1.0, scaled, np.zeros_like(scaled), Components(sd[used] ** 2, weight[used])
    )
    found = effect_summary(law, here)

    def draw(n: int, generator: np.random.Generator) -> Array:
        return unit * draw_mixtures(n, *posterior_normals(law, here), generator)

    return Mixture(
        unit * found.mean,
        unit * np.sqrt(found.square),
        np.asarray(found.zero + np.minimum(found.below, found.above)),
        found.zero,
        draw,
    )


def null_biased_counts(scales: Array) -> Array:
    """Return null-biased prior counts: 10 where the scale is 0, else 1; (J,).

    Examples
    --------
    >>> null_biased_counts(np.array([0.0, 0.5, 1.0]))
    array([10.,  1.,  1.])
    """
    return np.where(scales == 0, 10.0, 1.0)


@dataclass(frozen=True)
class Dependence:
    """Comparison of the mixtures of effects and of effect / se: whether effects grow
    with their standard errors.
    """

    alpha: int
    """0 if effects are exchangeable, 1 if effect / se is: the likelier of the two."""
    gain: float
    """Penalized log likelihood of alpha = 1 less that of alpha = 0, in nats."""


def effect_se_dependence(effect: Array, se: Array) -> Dependence:
    """Return whether the mixture fits effects (alpha 0) or effect / se (alpha 1)
    better.

    Parameters
    ----------
    effect, se
        Estimates and their standard errors, (K,), in the same unit.

    References
    ----------
    Stephens (2017), section 2.3, doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> se = np.exp(generator.normal(size=500))
    >>> delta = se * generator.normal(0, 3, size=500)
    >>> effect_se_dependence(generator.normal(delta, se), se).alpha
    1
    """
    plain, ratio = (
        _penalized_likelihood(effect, se),
        _penalized_likelihood(effect / se, np.ones_like(se)) - float(np.log(se).sum()),
    )
    return Dependence(int(ratio > plain), ratio - plain)


def _penalized_likelihood(effect: Array, se: Array) -> float:
    sd = scale_grid(effect, se)
    return mixture_weights(
        log_component_densities(effect, se**2, _unweighted(sd**2)),
        null_biased_counts(sd),
        _RIGHT / len(effect),
    ).penalized


def _unweighted(variance: Array) -> Components:
    """Return components whose densities are still to be weighted."""
    return Components(variance, np.ones(len(variance)))


_GAP, _FEASIBLE = 1e-14, 1e-12  # per observation: tolerances of the log likelihood
_RIGHT = 1e-4  # nats, where it is compared with another
_NEAR = 1e-11  # gap below which a step that gains less than a tenth is rounding
_INTERIOR_STEPS = 300
_CENTERING = 0.1
_SHORTEST_STEP = 1e-12


@dataclass(frozen=True, eq=False)
class MixtureWeights:
    """The weights at the penalized maximum, and a bound on their distance from it."""

    weight: Array
    """Weights, (J,); they sum to 1."""
    log_likelihood: float
    """``sum_k log sum_j w_j f_kj``."""
    penalized: float
    """The objective: log likelihood plus ``sum_j (a_j - 1) log w_j``."""
    kkt_excess: float
    """Largest component of the gradient over its bound, less 1: at most 0 at the
    maximum.
    """


def scale_grid(effect: Array, se: Array) -> Array:
    """Return the prior sd of the components, the spike (0) first: a tenth of the
    smallest se to beyond all effects.

    The rule of Stephens (2017): upwards in steps of sqrt(2) to
    ``2 sqrt(max(effect^2 - se^2))``, or to 0.8 of the smallest se where no effect
    exceeds its se.

    Parameters
    ----------
    effect
        Effects about their mode, (K,).
    se
        Their standard errors, (K,), in the same unit.

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> scale_grid(np.array([0.0, 3.0]), np.array([1.0, 1.0])).round(2)
    array([0.  , 0.09, 0.13, 0.18, 0.25, 0.35, 0.5 , 0.71, 1.  , 1.41, 2.  , 2.83, 4.  , 5.66])
    """
    smallest = se.min() / 10
    excess = (np.abs(effect) - se).max()
    largest = (
        8 * smallest
        if excess <= 0
        else 2 * np.sqrt(((np.abs(effect) - se) * (np.abs(effect) + se)).max())
    )
    steps = max(int(np.ceil(2 * np.log2(largest / smallest))), 1)
    return np.concatenate([[0.0], largest * 2.0 ** (np.arange(-steps, 1) / 2)])


def mixture_weights(
    log_density: Array, prior_count: Array, gap: float = _GAP
) -> MixtureWeights:
    """Return the weights that maximize
    ``sum_k log sum_j w_j f_kj + sum_j (a_j - 1) log w_j``.

    Interior point on the scaled problem
    ``min -sum_i c_i log (A x)_i + N sum x, x >= 0``, whose solution sums to 1: Newton
    steps on the conditions of optimality, the complementarity driven to a gap of 1e-14
    an observation, or another.

    Parameters
    ----------
    log_density
        ``log f_kj``, (K, J): log density of observation k under component j. The
        weights depend on differences within rows only.
    prior_count
        ``a_j >= 1``, (J,): 10 for the spike and 1 elsewhere is the null-biased choice,
        1 everywhere maximum likelihood.
    gap
        How far the log likelihood may be from its maximum, an observation.

    Raises
    ------
    EstimateError
        If a prior count is below 1: the problem is then not convex.

    References
    ----------
    Kim, Carbonetto, Stephens & Anitescu (2020), doi:10.1080/10618600.2019.1689985 (the
    problem and its scaling); Koenker & Mizera (2014), doi:10.1080/01621459.2013.869224
    (interior point).

    Examples
    --------
    >>> fit = mixture_weights(np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]), np.ones(2))
    >>> fit.weight.round(4), round(fit.kkt_excess, 9) <= 0
    (array([0.7083, 0.2917]), True)
    """
    if not (prior_count >= 1).all():
        raise EstimateError(
            f"prior_count={prior_count.tolist()} holds a count below 1; 1 leaves a "
            "weight alone"
        )
    row_top = log_density.max(axis=1)
    penalized = np.flatnonzero(prior_count > 1)
    rows = np.vstack(
        [
            np.exp(log_density - row_top[:, None]),
            np.eye(log_density.shape[1])[penalized],
        ]
    )
    counts = np.concatenate([np.ones(len(row_top)), prior_count[penalized] - 1])
    weight = _interior_point(rows, counts, gap)
    log_mixture = np.log(rows @ weight)
    log_likelihood = float((log_mixture[: len(row_top)] + row_top).sum())
    penalty = float(counts[len(row_top) :] @ log_mixture[len(row_top) :])
    excess = float((rows.T @ (counts / (rows @ weight))).max() / counts.sum() - 1)
    return MixtureWeights(weight, log_likelihood, log_likelihood + penalty, excess)


def _interior_point(rows: Array, counts: Array, enough: float) -> Array:
    """Minimize ``-sum_i counts_i log (rows x)_i + sum x sum counts`` over x >= 0; the
    minimizer sums to 1.
    """
    counts = counts / counts.sum()
    size = rows.shape[1]
    weight, slack, columns = (
        np.full(size, 1 / size),
        np.ones(size),
        np.ascontiguousarray(rows.T),
    )
    mixture, residual, reached = _optimality_residuals(columns, counts, weight, slack)
    before = np.inf
    for _ in range(_INTERIOR_STEPS):
        gap = float(weight @ slack)
        if np.abs(residual).max() < max(_FEASIBLE, enough) and (
            gap < enough or (gap < _NEAR and reached > 0.9 * before)
        ):
            break
        step = _newton_step(columns, counts, mixture, weight, slack, residual)
        before = reached
        weight, slack, mixture, residual, reached = _backtrack(
            columns, counts, weight, slack, *step, before
        )
    # dropping a weight costs weight times slack
    used = np.where(weight > 1e-6 * slack, weight, 0.0)
    return np.asarray(used / used.sum())


def _optimality_residuals(
    columns: Array, counts: Array, weight: Array, slack: Array
) -> tuple[Array, Array, float]:
    """Return the mixture, the residual of stationarity, and the joint norm of it and
    complementarity.
    """
    mixture = weight @ columns
    residual = 1 - columns @ (counts / mixture) - slack
    return (
        mixture,
        residual,
        float(np.sqrt((residual**2).sum() + ((weight * slack) ** 2).sum())),
    )


def _newton_step(
    columns: Array,
    counts: Array,
    mixture: Array,
    weight: Array,
    slack: Array,
    residual: Array,
) -> tuple[Array, Array]:
    """Return the primal-dual step, solved in units of the weights so that tiny ones
    stay well conditioned.
    """
    root = np.sqrt(weight)
    scaled = columns * (np.sqrt(counts) / mixture) * root[:, None]
    system = scaled @ scaled.T
    system[np.diag_indices_from(system)] += slack + 1e-15 * system.trace()
    target = _CENTERING * float(weight @ slack) / len(weight) / weight - slack
    step = root * np.linalg.solve(system, root * (target - residual))
    return step, target - slack / weight * step


def _backtrack(
    columns: Array,
    counts: Array,
    weight: Array,
    slack: Array,
    d_weight: Array,
    d_slack: Array,
    before: float,
) -> tuple[Array, Array, Array, Array, float]:
    """Take the longest step that keeps both positive, halved until the residuals
    decrease; return the new point.
    """
    length = min(
        1.0,
        0.99 * _step_to_boundary(weight, d_weight),
        0.99 * _step_to_boundary(slack, d_slack),
    )
    while True:
        ahead, left = weight + length * d_weight, slack + length * d_slack
        mixture, residual, reached = _optimality_residuals(columns, counts, ahead, left)
        if reached <= (1 - 0.01 * length) * before or length <= _SHORTEST_STEP:
            return ahead, left, mixture, residual, reached
        length /= 2


def _step_to_boundary(value: Array, step: Array) -> float:
    falling = step < 0
    return float((value[falling] / -step[falling]).min()) if falling.any() else np.inf
