"""Spike and slab: an atom at 0 and a normal slab, with weight and scale integrated."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, expit, logsumexp

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.row_blocks import BLOCK
from causalgia.posterior.density_grids import Surface, refine_by_spline, support_grid
from causalgia.posterior.error_covariance import (
    Noise,
    check_effects,
    noise_unit,
    rescale_noise,
)
from causalgia.posterior.exact import (
    TAIL,
    Draws,
    Exact,
    Nodes,
    has_flat_tau,
    log_prior_tau,
    rescale_prior,
)
from causalgia.posterior.mixture import lfsr_of, pool_summaries
from causalgia.posterior.pointwise_likelihood import mixture_log_density
from causalgia.posterior.scale_mixture import (
    Components,
    EffectSummary,
    Node,
    effect_summary,
    probability_below,
)
from causalgia.types import Array

MOST_FACTORS = 2  # most factor scores on a grid

_NATS_OF_SUPPORT = 20.0
_COARSE_POINTS = 65
_RULE = (15, 15)
_LEAST_WEIGHT = 1e-9
_SCORE_SDS = 8.0  # sd of a factor score
# of its least possible sd: the error of the trapezoid is then below 1e-12
_SPACING = 0.8
_PROBES_AN_AXIS = 13
_PRODUCT = 16  # likelihood ratios multiplied before a logarithm is taken


def spike_and_slab(
    effect: Array,
    noise: Noise,
    prior: Prior,
    *,
    weight: tuple[float, float] = (1.0, 1.0),
) -> Exact:
    """Return the posterior of effects that are 0, or normal about 0:
    ``delta ~ (1 - w) 0 + w N(0, tau^2)``.

    Unlike the weights of `mixture`, w and tau are integrated: with few effects their
    uncertainty matters. Both are on a grid over all of their mass, refined by splines;
    draws are independent. Where errors share one or two factors (a control), the scores
    are integrated by a trapezoid, since a score may have a mode for each set of effects
    that are 0.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their covariance Sigma: independent, or diagonal + at most two loadings.
    prior
        Its tau is the prior of the slab's sd, in the unit of the effects; it must be
        proper, since w may be 0.
    weight
        Parameters of the Beta prior of w, both at least 1; (1, 1) is flat.

    Returns
    -------
    Exact
        ``lfdr`` is the posterior probability of the spike, and tau in nodes and draws
        the sd of an effect: sqrt(w) times that of the slab.

    Raises
    ------
    EstimateError
        If the noise is whole or of more factors, the prior of tau is flat, a weight is
        below 1, or a number is not usable.

    References
    ----------
    Mitchell & Beauchamp (1988), doi:10.1080/01621459.1988.10478694.

    Examples
    --------
    >>> answer = spike_and_slab(
    ...     np.array([0.1, -0.4, 5.0]), Noise(np.ones(3)), Prior(tau_scale=2)
    ... )
    >>> answer.lfdr.round(2)
    array([0.69, 0.68, 0.  ])
    """
    check_effects(effect, noise)
    if noise.whole is not None or (
        noise.loadings is not None and noise.loadings.shape[1] > MOST_FACTORS
    ):
        raise EstimateError(
            f"spike_and_slab takes independent noise or at most {MOST_FACTORS} loadings"
        )
    if has_flat_tau(prior):
        raise EstimateError(
            "a slab with a flat prior of tau has no posterior: it may be empty"
        )
    if not (np.isfinite(weight).all() and min(weight) >= 1):
        raise EstimateError(
            f"weight={quoted(weight)}: both parameters of the Beta prior are at "
            "least 1; (1, 1) is flat"
        )
    unit = noise_unit(noise)
    model = _scaled_model(
        effect / unit, rescale_noise(noise, unit), rescale_prior(prior, unit), weight
    )
    far = _NATS_OF_SUPPORT + np.log(len(model.effect))
    ends = np.linspace(-far, far, 2 * _COARSE_POINTS)
    u, _ = support_grid(
        lambda x: float(logsumexp(model.log_joint(np.array([x]), ends))),
        0.0,
        model.upper,
    )
    u = np.linspace(u[0], u[-1], _COARSE_POINTS)
    coarse = u[::4]
    v, _ = support_grid(
        lambda x: float(logsumexp(model.log_joint(coarse, np.array([x])))), -far, far
    )
    v = np.linspace(v[0], v[-1], _COARSE_POINTS)
    return _spike_slab_posterior(
        model, refine_by_spline(u, v, model.log_joint(u, v)), unit
    )


@dataclass(frozen=True, eq=False)
class _SpikeSlabModel:
    """In units of the typical standard error; ``tau = grain sinh(u)`` and
    ``w = 1 / (1 + exp(-v))``.

    Factor scores are on F points; without factors there is one empty point.
    """

    effect: Array
    variances: Array
    """Of the independent noise, (K,)."""
    loadings: Array
    """(K, r)."""
    marginal: Array
    """Variances with what the factors add, (K,)."""
    prior: Prior
    weight: tuple[float, float]
    scores: Array
    """(F, r)."""

    @property
    def grain(self) -> float:
        return float(1 / np.sqrt(np.mean(1 / self.marginal)))

    @property
    def upper(self) -> float:
        """A u beyond which less than exp(-20) of the prior mass lies; an empty slab
        does not inform tau.
        """
        if self.prior.tau == "uniform":
            return float(np.arcsinh(self.prior.tau_scale / self.grain))
        return float(
            np.arcsinh(self.prior.tau_scale / self.grain)
            + 2
            + _NATS_OF_SUPPORT / (TAIL[self.prior.tau] - 1)
        )

    @property
    def residual(self) -> Array:
        """Estimates minus the shared part at each score, (F, K)."""
        return np.asarray(self.effect - self.scores @ self.loadings.T)

    def tau(self, u: Array | float) -> Array:
        return np.asarray(self.grain * np.sinh(u))

    def share(self, v: Array | float) -> Array:
        return np.asarray(expit(v))

    def log_rows(self, tau: Array | float) -> Array:
        """Log density of each residual where effects have sd tau, (F, K), or (V, F, K)
        at V tau of (V, 1, 1).
        """
        variance = tau**2 + self.variances
        return np.asarray(
            -0.5 * (self.residual**2 / variance + np.log(2 * np.pi * variance))
        )

    def log_ratio(self, residual: Array, tau: Array | float) -> Array:
        """Log density of each residual under the slab less that under the spike; of the
        shape of both together.
        """
        gain = tau**2 / (tau**2 + self.variances)
        return np.asarray(
            0.5 * gain * residual**2 / self.variances
            - 0.5 * np.log1p(tau**2 / self.variances)
        )

    def log_scores(self, tau: Array | float, share: Array, rest: Array) -> Array:
        """Log density of the estimates and each score, (V, F): at V weights of the
        slab, share = 1 - rest, (V,).

        There is one tau, or one for each weight, (V, 1, 1).
        """
        # `sum_k log((1 - w) exp(spike_k) + w exp(slab_k))`, (V, F): of (F, K), slab
        # maybe (V, F, K); w (V,)
        spike = self.log_rows(0.0)
        slab = self.log_rows(tau)
        top = np.maximum(spike, slab)
        terms = rest[:, None, None] * np.exp(spike - top) + share[
            :, None, None
        ] * np.exp(slab - top)
        starts = np.arange(0, top.shape[-1], _PRODUCT)
        likelihood = np.asarray(
            np.log(np.multiply.reduceat(terms, starts, axis=-1)).sum(axis=-1)
            + top.sum(axis=-1)
        )
        return likelihood - 0.5 * np.asarray((self.scores**2).sum(axis=1))

    def log_joint(self, u: Array, v: Array) -> Array:
        """Log density of the estimates, u and v on a tensor grid, (U, V), up to a
        constant of the scores' grid.
        """
        a, b = self.weight
        prior_u = log_prior_tau(self.prior, self.tau(u)) + np.log(
            self.grain * np.cosh(u)
        )
        prior_v = a * np.log(expit(v)) + b * np.log(expit(-v)) - betaln(a, b)
        rows = [
            logsumexp(self.log_scores(float(tau), expit(v), expit(-v)), axis=1)
            for tau in self.tau(u)
        ]
        return np.asarray(np.array(rows) + prior_u[:, None] + prior_v)


def _scaled_model(
    effect: Array, noise: Noise, prior: Prior, weight: tuple[float, float]
) -> _SpikeSlabModel:
    loadings = np.empty((len(effect), 0)) if noise.loadings is None else noise.loadings
    model = _SpikeSlabModel(
        effect,
        noise.variances,
        loadings,
        noise.marginal,
        prior,
        weight,
        _score_points(loadings, noise.variances),
    )
    return replace(model, scores=model.scores[_relevant_scores(model)])


def _score_points(loadings: Array, variances: Array) -> Array:
    """Return points over the range of the factor scores, (F, r), along the principal
    axes of their information.
    """
    if not loadings.shape[1]:
        return np.empty((1, 0))
    values, axes = np.linalg.eigh(_score_precision(loadings, variances))
    counts = [int(np.ceil(_SCORE_SDS * np.sqrt(value) / _SPACING)) for value in values]
    ticks = [np.linspace(-_SCORE_SDS, _SCORE_SDS, 2 * n + 1) for n in counts]
    tensor = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1)
    return np.asarray(tensor.reshape(-1, loadings.shape[1]) @ axes.T)


def _score_precision(loadings: Array, variances: Array) -> Array:
    """Return the precision of the scores where no effect varies, (r, r), the largest
    possible.
    """
    return np.asarray(np.eye(loadings.shape[1]) + (loadings.T / variances) @ loadings)


def _relevant_scores(model: _SpikeSlabModel) -> npt.NDArray[np.bool_]:
    """Return which scores are within exp(-30) of the likeliest at any tau and w,
    (F,).
    """
    if len(model.scores) == 1:
        return np.ones(1, dtype=bool)
    far = _NATS_OF_SUPPORT + np.log(len(model.effect))
    v, u = (
        np.linspace(-far, far, _PROBES_AN_AXIS),
        np.linspace(0, model.upper, _PROBES_AN_AXIS),
    )
    a, b = model.weight
    prior = a * np.log(expit(v)) + b * np.log(expit(-v))
    best = np.full(len(model.scores), -np.inf)
    for x in u:
        level = float(
            log_prior_tau(model.prior, model.tau(x)) + np.log(model.grain * np.cosh(x))
        )
        heights = (
            model.log_scores(float(model.tau(x)), expit(v), expit(-v))
            + prior[:, None]
            + level
        )
        best = np.maximum(best, heights.max(axis=0))
    return np.asarray(best > best.max() - 1.5 * _NATS_OF_SUPPORT)


def _spike_slab_posterior(
    model: _SpikeSlabModel, surface: Surface, unit: float
) -> Exact:
    share, u, v = surface.nodes(*_RULE)
    weight, tau = model.share(v), model.tau(u)
    used = share > _LEAST_WEIGHT
    total = share[used].sum()
    nodes = [
        _score_node(model, float(p / total), float(w), float(t))
        for p, w, t in zip(share[used], weight[used], tau[used], strict=True)
    ]
    tails = pool_summaries((node.weight, node.tails()) for node in nodes)

    def below(x: Array) -> Array:
        return np.asarray(sum(node.weight * node.below(x / unit) for node in nodes))

    def sample(n: int, generator: np.random.Generator) -> Draws:
        return _draw_spike_slab(model, surface, unit, n, generator)

    nothing = np.zeros((len(share), 1))
    # the log of the volume of a point of the scores times the constant of their normal
    # prior
    size = model.loadings.shape[1]
    values = np.linalg.eigvalsh(_score_precision(model.loadings, model.variances))
    steps = _SCORE_SDS / np.ceil(_SCORE_SDS * np.sqrt(values) / _SPACING)
    return Exact(
        mean=unit * tails.mean,
        sd=unit * np.sqrt(tails.square),
        lfsr=lfsr_of(tails),
        lfdr=tails.zero,
        shrinkage=tails.shrinkage,
        nodes=Nodes(share, unit * tau * np.sqrt(weight), nothing, nothing),
        log_evidence=surface.log_total
        + float(np.log(steps).sum() - 0.5 * size * np.log(2 * np.pi))
        - len(model.effect) * float(np.log(unit)),
        below=below,
        sample=sample,
    )


@dataclass(frozen=True, eq=False)
class _ScoreNode:
    """A value of (w, tau), and the S scores that matter there: given both, effects are
    independent.
    """

    weight: float
    shares: Array
    """Of the scores, (S,); they sum to 1."""
    rows: Node
    """S x K rows."""
    noise: Array
    marginal: Array
    """(S K,) each."""

    def tails(self) -> EffectSummary:
        """Return the posterior of the effects, averaged over the scores; K rows."""
        tails, n = (
            effect_summary(self.rows, self.noise, self.marginal),
            len(self.shares),
        )
        mean, square, below, above, zero, shrinkage = (
            getattr(tails, f.name).reshape(n, -1) for f in fields(EffectSummary)
        )
        center = self.shares @ mean
        spread = self.shares @ (square + (mean - center) ** 2)
        return EffectSummary(
            center, spread, *(self.shares @ x for x in (below, above, zero, shrinkage))
        )

    def below(self, x: Array) -> Array:
        """Return P(effect_k <= x_k), (K,)."""
        n = len(self.shares)
        return np.asarray(
            self.shares
            @ probability_below(np.tile(x, n), self.rows, self.noise).reshape(n, -1)
        )


def _score_node(
    model: _SpikeSlabModel, weight: float, w: float, tau: float
) -> _ScoreNode:
    heights = model.log_scores(tau, np.array([w]), np.array([1 - w]))[0]
    shares = np.exp(heights - logsumexp(heights))
    used = shares > _LEAST_WEIGHT
    residual = model.residual[used]
    components = Components(np.array([0.0, tau**2]), np.array([1 - w, w]))
    rows = Node(1.0, residual.ravel(), np.zeros(residual.size), components)
    noise, marginal = (
        np.tile(x, len(residual)) for x in (model.variances, model.marginal)
    )
    return _ScoreNode(weight, shares[used] / shares[used].sum(), rows, noise, marginal)


def _draw_spike_slab(
    model: _SpikeSlabModel,
    surface: Surface,
    unit: float,
    n: int,
    generator: np.random.Generator,
) -> Draws:
    u, v = surface.draw(n, generator)
    weight, tau = model.share(v), model.tau(u)
    # P(effect not 0), and effects given that they are not 0
    present, normal = np.empty((2, n, len(model.effect)))
    ace = np.empty_like(normal)
    rows = max(1, BLOCK // model.residual.size)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        ace[part], normal[part], present[part] = _draw_effects_and_scores(
            model, weight[part], tau[part], generator
        )
    # draw each effect given that it is not 0, by resampling its draws with the
    # probability of that, (n, K)
    place = np.cumsum(present, axis=0)
    slab = np.empty_like(normal)
    for k in range(normal.shape[1]):
        at = generator.random(len(normal)) * place[-1, k]
        slab[:, k] = normal[
            np.minimum(np.searchsorted(place[:, k], at, side="right"), len(normal) - 1),
            k,
        ]

    def log_likelihood() -> Array:
        scores = _draw_scores(model, weight, tau, np.random.default_rng(0))
        variance, share = (
            np.column_stack([np.zeros(n), tau**2]),
            np.column_stack([1 - weight, weight]),
        )
        return np.asarray(
            mixture_log_density(
                model.residual[scores], model.variances, variance, share
            )
            - np.log(unit)
        )

    named = (np.zeros(n), unit * tau * np.sqrt(weight), np.empty((n, 0)))
    return Draws(unit * ace, *named, slab=unit * slab, log_likelihood=log_likelihood)


def _draw_effects_and_scores(
    model: _SpikeSlabModel, weight: Array, tau: Array, generator: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw which effects are 0 given a point of the scores, then scores and effects
    together given that.

    Returns effects, effects given that they are not 0, and the probability of that, (n,
    K) each.
    """
    residual, t = (
        model.residual[_draw_scores(model, weight, tau, generator)],
        tau[:, None],
    )
    with np.errstate(divide="ignore"):
        odds = (np.log(weight) - np.log1p(-weight))[:, None]
    probability = expit(odds + model.log_ratio(residual, t))
    present = generator.random(probability.shape) < probability
    if model.loadings.shape[1]:
        residual = (
            model.effect
            - _draw_scores_given_effects(model, present * t**2, generator)
            @ model.loadings.T
        )
        # given the scores with which effects are drawn
        probability = expit(odds + model.log_ratio(residual, t))
    gain = t**2 / (t**2 + model.variances)
    normal = gain * residual + np.sqrt(
        gain * model.variances
    ) * generator.standard_normal(present.shape)
    return np.where(present, normal, 0.0), normal, probability


def _draw_scores(
    model: _SpikeSlabModel, weight: Array, tau: Array, generator: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Draw a point of the scores given w and tau, (n,)."""
    if len(model.scores) == 1:
        return np.zeros(len(tau), dtype=np.intp)
    heights = model.log_scores(tau[:, None, None], weight, 1 - weight)
    cumulative = np.cumsum(np.exp(heights - heights.max(axis=1, keepdims=True)), axis=1)
    place = generator.random((len(tau), 1)) * cumulative[:, -1:]
    return np.asarray((cumulative < place).sum(axis=1))


def _draw_scores_given_effects(
    model: _SpikeSlabModel, variance: Array, generator: np.random.Generator
) -> Array:
    """Draw factor scores, (n, r), where effects are normal with these variances, (n,
    K).
    """
    loadings = model.loadings
    precision = 1 / (model.variances + variance)
    information = np.eye(loadings.shape[1]) + np.einsum(
        "nk,kr,ks->nrs", precision, loadings, loadings
    )
    root = np.linalg.cholesky(np.linalg.inv(information))
    mean = np.linalg.solve(
        information, ((precision * model.effect) @ loadings)[:, :, None]
    )[:, :, 0]
    return np.asarray(
        mean + np.einsum("nrs,ns->nr", root, generator.standard_normal(mean.shape))
    )
