"""The mixture law (ash): a spike at 0 and normals on a grid of scales, with weights
estimated from the effects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.row_blocks import BLOCK
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
    LinearPart,
    Nodes,
    SharedMode,
    fixed_effects_design,
    linear_part,
    rescale_prior,
    row_nodes,
    shared_mode,
)
from causalgia.posterior.pointwise_likelihood import (
    draw_weights,
    independent_log_density,
)
from causalgia.posterior.scale_mixture import (
    Components,
    EffectSummary,
    Node,
    draw_effects,
    draw_mixtures,
    effect_summary,
    log_component_densities,
    posterior_normals,
    probability_below,
    whole_window,
)
from causalgia.types import Array

LEAST_FOR_DEPENDENCE = 20
"""Effects from which on it is tested whether they grow with their standard errors."""
_EM_ROUNDS = 1_000
_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class _Fit:
    components: Components
    weights: MixtureWeights
    mode: SharedMode


def mixture(
    effect: Array,
    noise: Noise,
    prior: Prior,
    *,
    mode: Literal["zero", "estimate"] = "zero",
    covariates: Array | None = None,
    scales: Array | None = None,
    prior_count: Array | None = None,
) -> Exact:
    """Return the posterior of effects under an adaptive mixture of normals with a
    spike: ash.

    ``delta_k ~ center_k + sum_j w_j N(0, scale_j^2)``, scale_0 = 0 the spike. The
    scales are a grid, and the weights are set at their penalized maximum (a convex
    problem, solved to its optimum). Given them the posterior is closed form and draws
    are independent. The center is 0, "no effect" (``mode="zero"``), or ``mu``
    (``mode="estimate"``), plus ``x' beta``; center and factor scores of the noise are
    found together with the weights, by turns, at the joint maximum, and are then normal
    about it (Laplace). The uncertainty of the weights is not included: with few effects
    use `spike_and_slab`.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their covariance Sigma: independent, or low rank + diagonal.
    prior
        Prior of mu and, through it, of beta, in the unit of the effects; its tau is not
        used.
    mode
        Location of the spike.
    covariates
        Of each effect, (K, q): centered, so that the spike is at the center of an
        effect with mean covariates.
    scales
        Prior sd of the components, (J,), ascending, 0 the spike, in the unit of the
        effects; None: `scale_grid`.
    prior_count
        ``a_j >= 1`` of the penalty ``sum_j (a_j - 1) log w_j``, (J,); None: 10 for the
        spike and 1 elsewhere.

    Returns
    -------
    Exact
        ``nodes`` is the one fitted mixture, its tau the sd of an effect about its
        center; ``log_evidence`` is the log likelihood at the weights, with center and
        scores integrated.

    Raises
    ------
    EstimateError
        If the noise is a whole covariance, an effect or variance is not usable, or
        scales or counts do not fit.

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> effect = np.array([0.1, -0.2, 0.1, 0.0, 3.0, -0.1])
    >>> answer = mixture(effect, Noise(np.full(6, 0.04)), Prior())
    >>> answer.mean.round(2), answer.lfsr.round(2)
    (array([ 0.  , -0.  ,  0.  ,  0.  ,  2.99, -0.  ]), array([1.  , 0.99, 1.  , 1.  , 0.  , 1.  ]))
    """
    check_effects(effect, noise)
    unit = noise_unit(noise)
    here = rescale_noise(noise, unit)
    shared = linear_part(
        _center_design(len(effect), mode, covariates, rescale_prior(prior, unit)), here
    )
    if scales is None:
        sd = scale_grid(effect / unit, np.sqrt(here.marginal))
    elif (
        scales.ndim == 1
        and np.isfinite(scales).all()
        and (scales >= 0).all()
        and (np.diff(scales) > 0).all()
    ):
        sd = scales / unit
    else:
        raise EstimateError(f"scales {scales.tolist()} do not ascend from 0 or above")
    counts = null_biased_counts(sd) if prior_count is None else prior_count
    if counts.shape != sd.shape:
        raise EstimateError(
            f"prior_count of shape {counts.shape} for {len(sd)} scales: give one count "
            "for each scale"
        )
    fit = _fit_mixture(effect / unit, here.variances, sd**2, counts, shared)
    pointwise = _Pointwise(
        effect / unit, here.variances, shared, fit, sd**2, counts, unit
    )
    return _mixture_posterior(
        effect / unit,
        here,
        fit,
        shared,
        unit,
        n_mu=int(mode == "estimate"),
        pointwise=pointwise,
    )


@dataclass(frozen=True, eq=False)
class _Pointwise:
    """Log densities of estimates with drawn weights, center and scores: the fitted ones
    depend on each estimate.
    """

    effect: Array
    noise: Array
    shared: LinearPart
    fit: _Fit
    variance: Array
    counts: Array
    unit: float

    def log_likelihood(self, n: int) -> Array:
        # separate, so that draws of the effects do not depend on it
        generator = np.random.default_rng(0)
        start = self.fit.weights.weight, self.fit.mode.value
        law = self.shared.columns, self.shared.precision, self.variance, self.counts
        weight, coefficients = draw_weights(
            self.effect, self.noise, *law, start, n, generator
        )
        variance = np.broadcast_to(self.variance, weight.shape)
        return independent_log_density(
            self.effect,
            self.noise,
            self.shared,
            coefficients,
            variance,
            weight,
            self.unit,
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
    ).penalized


def _unweighted(variance: Array) -> Components:
    """Return components whose densities are still to be weighted."""
    return Components(variance, np.ones(len(variance)))


def _center_design(
    n: int, mode: str, covariates: Array | None, prior: Prior
) -> Design | None:
    if mode not in ("zero", "estimate"):
        raise EstimateError(f"mode={quoted(mode)} is neither 'zero' nor 'estimate'")
    whole = fixed_effects_design(n, covariates, prior)
    if mode == "estimate":
        return whole
    return Design(whole.columns[:, 1:], whole.sd[1:]) if len(whole.sd) > 1 else None


def _fit_mixture(
    effect: Array, noise: Array, variance: Array, counts: Array, shared: LinearPart
) -> _Fit:
    """Return the better of two maxima, started from coefficients that explain much and
    little of the effects.
    """
    spread = max(float((effect**2 - noise).mean()), 0.0)
    starts = (0.0, spread) if shared.columns.shape[1] else (0.0,)
    fits = [
        _alternate_maxima(
            effect,
            noise,
            variance,
            counts,
            shared,
            _starting_coefficients(effect, noise, v, shared),
        )
        for v in starts
    ]
    return max(
        fits,
        key=lambda fit: (
            fit.weights.penalized - _coefficient_penalty(fit.mode.value, shared)
        ),
    )


def _coefficient_penalty(coefficients: Array, shared: LinearPart) -> float:
    return float(0.5 * (shared.precision * coefficients**2).sum())


def _starting_coefficients(
    effect: Array, noise: Array, variance: float, shared: LinearPart
) -> Array:
    return shared_mode(
        effect,
        noise,
        _unweighted(np.array([variance])),
        shared,
        np.zeros(shared.columns.shape[1]),
    ).value


def _alternate_maxima(
    effect: Array,
    noise: Array,
    variance: Array,
    counts: Array,
    shared: LinearPart,
    coefficients: Array,
) -> _Fit:
    """Maximize the joint density over weights and coefficients in turn until it
    converges.
    """
    reached = -np.inf
    for _ in range(_EM_ROUNDS):
        residual = effect - shared.columns @ coefficients
        weights = mixture_weights(
            log_component_densities(residual, noise, _unweighted(variance)), counts
        )
        used = weights.weight > 0
        components = Components(variance[used], weights.weight[used])
        mode = shared_mode(effect, noise, components, shared, coefficients)
        height = weights.penalized - _coefficient_penalty(coefficients, shared)
        if not len(coefficients) or height - reached < _GAIN * (1 + abs(height)):
            if not mode.peaked:
                raise EstimateError(
                    "the effects do not settle the center or a factor score: its "
                    "posterior is not peaked"
                )
            return _Fit(components, weights, mode)
        reached, coefficients = height, mode.value
    raise EstimateError(
        f"weights and center did not converge in {_EM_ROUNDS:,} iterations"
    )


def _mixture_posterior(
    effect: Array,
    noise: Noise,
    fit: _Fit,
    shared: LinearPart,
    unit: float,
    *,
    n_mu: int,
    pointwise: _Pointwise,
) -> Exact:
    nodes = row_nodes(
        1.0, effect, fit.components, shared, fit.mode.value, fit.mode.root
    )
    tails = average_summaries(nodes, noise.variances, noise.marginal)
    tau = unit * float(np.sqrt(fit.components.weight @ fit.components.variance))

    value, sd = fit.mode.value, np.sqrt((fit.mode.root**2).sum(axis=1))
    center, center_sd = (
        unit * _prepend_fixed_mu(x[None, : shared.n_center], n_mu) for x in (value, sd)
    )
    nodes_of_fit = Nodes(np.ones(1), np.array([tau]), center, center_sd)

    def below(x: Array) -> Array:
        return average_below(x / unit, nodes, noise.variances)

    def sample(n: int, generator: np.random.Generator) -> Draws:
        coefficients = fit.mode.at(generator.standard_normal((n, len(fit.mode.value))))
        ace = _draw_mixture_effects(
            n, effect, noise.variances, fit, shared, coefficients, generator
        )
        ace *= unit
        slab = unit * _draw_slab_effects(
            n, effect, noise.variances, fit, shared, coefficients, generator
        )
        named = unit * _prepend_fixed_mu(coefficients[:, : shared.n_center], n_mu)
        known = partial(pointwise.log_likelihood, n)
        return Draws(
            ace,
            named[:, 0],
            np.full(n, tau),
            named[:, 1:],
            slab=slab,
            log_likelihood=known,
        )

    return Exact(
        mean=unit * tails.mean,
        sd=unit * np.sqrt(tails.square),
        lfsr=lfsr_of(tails),
        lfdr=tails.zero,
        shrinkage=tails.shrinkage,
        nodes=nodes_of_fit,
        log_evidence=fit.mode.log_integral - len(effect) * float(np.log(unit)),
        below=below,
        sample=sample,
    )


def _draw_mixture_effects(
    n: int,
    effect: Array,
    noise: Array,
    fit: _Fit,
    shared: LinearPart,
    coefficients: Array,
    generator: np.random.Generator,
) -> Array:
    if not coefficients.shape[1]:
        alone = Node(1.0, effect, np.zeros_like(effect), fit.components)
        return draw_mixtures(n, *posterior_normals(alone, noise), generator)
    out = np.empty((n, len(effect)))
    rows, window = (
        max(1, BLOCK // len(effect)),
        whole_window(len(effect), fit.components),
    )
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        center, linear = shared.split(coefficients[part])
        out[part] = draw_effects(
            effect - linear,
            center,
            noise,
            np.ones(len(center)),
            fit.components,
            window,
            generator,
        )
    return out


def _draw_slab_effects(
    n: int,
    effect: Array,
    noise: Array,
    fit: _Fit,
    shared: LinearPart,
    coefficients: Array,
    generator: np.random.Generator,
) -> Array:
    """Draw effects given that they are not 0; if all weight is on the atom, they are
    not shrunken.
    """
    wide = fit.components.variance > 0
    if not wide.any():
        return np.asarray(
            effect + np.sqrt(noise) * generator.standard_normal((n, len(effect)))
        )
    weight = fit.components.weight[wide]
    slab = replace(
        fit, components=Components(fit.components.variance[wide], weight / weight.sum())
    )
    return _draw_mixture_effects(
        n, effect, noise, slab, shared, coefficients, generator
    )


def _prepend_fixed_mu(coefficients: Array, n_mu: int) -> Array:
    """Prepend the 0 of a fixed center to the other coefficients."""
    return (
        coefficients
        if n_mu
        else np.hstack([np.zeros((len(coefficients), 1)), coefficients])
    )


_GAP, _FEASIBLE = 1e-14, 1e-12  # per observation: tolerances of the log likelihood
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


def mixture_weights(log_density: Array, prior_count: Array) -> MixtureWeights:
    """Return the weights that maximize
    ``sum_k log sum_j w_j f_kj + sum_j (a_j - 1) log w_j``.

    Interior point on the scaled problem
    ``min -sum_i c_i log (A x)_i + N sum x, x >= 0``, whose solution sums to 1: Newton
    steps on the conditions of optimality, the complementarity driven to a gap of 1e-14
    an observation.

    Parameters
    ----------
    log_density
        ``log f_kj``, (K, J): log density of observation k under component j. The
        weights depend on differences within rows only.
    prior_count
        ``a_j >= 1``, (J,): 10 for the spike and 1 elsewhere is the null-biased choice,
        1 everywhere maximum likelihood.

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
    weight = _interior_point(rows, counts)
    log_mixture = np.log(rows @ weight)
    log_likelihood = float((log_mixture[: len(row_top)] + row_top).sum())
    penalty = float(counts[len(row_top) :] @ log_mixture[len(row_top) :])
    excess = float((rows.T @ (counts / (rows @ weight))).max() / counts.sum() - 1)
    return MixtureWeights(weight, log_likelihood, log_likelihood + penalty, excess)


def _interior_point(rows: Array, counts: Array) -> Array:
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
        if np.abs(residual).max() < _FEASIBLE and (
            gap < _GAP or (gap < _NEAR and reached > 0.9 * before)
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


def average_summaries(
    nodes: Iterable[Node], noise: Array, marginal: Array | None = None
) -> EffectSummary:
    """Return the posterior of the effects, averaged over nodes; noise and marginal
    variances as in `effect_summary`.
    """
    return pool_summaries(
        (node.weight, effect_summary(node, noise, marginal)) for node in nodes
    )


def pool_summaries(parts: Iterable[tuple[float, EffectSummary]]) -> EffectSummary:
    """Return the average of weighted posteriors.

    A running mean and sum of squares about it include the variance between their means
    exactly.
    """
    total, mean, square, sums = 0.0, np.zeros(()), np.zeros(()), np.zeros(())
    for weight, tails in parts:
        total += weight
        move = tails.mean - mean
        mean = mean + weight / total * move
        square = square + weight * (tails.square + move * (tails.mean - mean))
        sums = sums + weight * np.array(
            [tails.below, tails.above, tails.zero, tails.shrinkage]
        )
    return EffectSummary(mean, square / total, *(sums / total))


def average_below(x: Array, nodes: Iterable[Node], noise: Array) -> Array:
    """Return P(effect_k <= x_k), (K,), averaged over nodes whose weights sum to 1."""
    terms = (node.weight * probability_below(x, node, noise) for node in nodes)
    return np.asarray(sum(terms))


def lfsr_of(tails: EffectSummary) -> Array:
    """Return the local false sign rate, P(= 0) + min(P(< 0), P(> 0)), (K,)."""
    return np.asarray(tails.zero + np.minimum(tails.below, tails.above))
