"""The mixture of two components with nothing fixed: a spike at 0 and a normal slab, weight and scale integrated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, expit, log_expit, logsumexp

from causalgia.errors import InferenceError
from causalgia.posterior.averaging import average_below, average_tails, checked, lfsr_of, unit_of
from causalgia.posterior.exact import Array, Draws, Exact, Nodes
from causalgia.posterior.hyper import TAIL, is_flat, log_tau, rescaled
from causalgia.posterior.noise import Noise
from causalgia.posterior.scale_mixture import Components, Node
from causalgia.posterior.surface import Surface, reach, refined
from causalgia.prior import Prior

__all__ = ["spike_and_slab"]

_NATS = 20.0
_STEPS = 65
_RULE = (15, 15)
_BLOCK = 1 << 20
_NEGLIGIBLE = 1e-9


def spike_and_slab(effect: Array, noise: Noise, prior: Prior, *, weight: tuple[float, float] = (1.0, 1.0)) -> Exact:
    """Return the posterior of effects that are 0, or normal about 0: ``delta ~ (1 - w) 0 + w N(0, tau^2)``.

    Unlike the weights of `mixture`, w and tau are integrated: with few effects their uncertainty matters. Both lie on a
    grid over all of their mass that is refined by splines; draws are independent.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their independent noise.
    prior
        Its tau is the prior of the slab's sd, in the unit of the effects, and must be proper: w may be 0.
    weight
        Parameters of the Beta prior of w, both at least 1; (1, 1) is flat.

    Returns
    -------
    Exact
        ``lfdr`` is the posterior probability of the spike, and tau in nodes and draws the sd of an effect: sqrt(w)
        times that of the slab.

    Raises
    ------
    InferenceError
        If the noise is not independent, the prior of tau is flat, a weight is below 1, or a number is not usable.

    References
    ----------
    Mitchell & Beauchamp (1988), doi:10.1080/01621459.1988.10478694.

    Examples
    --------
    >>> answer = spike_and_slab(np.array([0.1, -0.4, 5.0]), Noise(np.ones(3)), Prior(tau_scale=2))
    >>> answer.lfdr.round(2)
    array([0.69, 0.68, 0.  ])
    """
    checked(effect, noise)
    _check(noise, prior, weight)
    unit = unit_of(noise)
    model = _Model(effect / unit, noise.variances / unit**2, rescaled(prior, unit), weight)
    return _answer(model, _surface(model), unit)


def _check(noise: Noise, prior: Prior, weight: tuple[float, float]) -> None:
    if noise.whole is not None or noise.loadings is not None:
        raise InferenceError("spike_and_slab takes independent noise; for correlated estimates take mixture or normal")
    if is_flat(prior):
        raise InferenceError(
            "a slab with a flat prior of tau has no posterior: it may be empty; give one that ends, such as "
            "Prior(tau='half_t')"
        )
    if not (np.isfinite(weight).all() and min(weight) >= 1):
        raise InferenceError(f"weight={weight!r}: both parameters of the Beta prior are at least 1; (1, 1) is flat")


@dataclass(frozen=True, eq=False)
class _Model:
    """In units of the typical standard error; ``tau = grain sinh(u)`` and ``w = 1 / (1 + exp(-v))``."""

    effect: Array
    noise: Array
    prior: Prior
    weight: tuple[float, float]

    @property
    def grain(self) -> float:
        return float(1 / np.sqrt(np.mean(1 / self.noise)))

    @property
    def upper(self) -> float:
        """A u past which less than exp(-20) of the prior is left: an empty slab tells nothing of tau."""
        if self.prior.tau == "uniform":
            return float(np.arcsinh(self.prior.tau_scale / self.grain))
        return float(np.arcsinh(self.prior.tau_scale / self.grain) + 2 + _NATS / (TAIL[self.prior.tau] - 1))

    def tau(self, u: Array | float) -> Array:
        return np.asarray(self.grain * np.sinh(u))

    def share(self, v: Array | float) -> Array:
        return np.asarray(expit(v))

    def log_ratio(self, tau: Array) -> Array:
        """Log density of each estimate under the slab less that under the spike, (T, K)."""
        kept = tau[:, None] ** 2 / (tau[:, None] ** 2 + self.noise)
        return np.asarray(0.5 * np.log1p(-kept) + 0.5 * kept * self.effect**2 / self.noise)

    def log_joint(self, u: Array, v: Array) -> Array:
        """Log density of the estimates, u and v on a tensor grid, (U, V)."""
        a, b = self.weight
        spike = -0.5 * (self.effect**2 / self.noise + np.log(2 * np.pi * self.noise)).sum()
        prior_u = log_tau(self.prior, self.tau(u)) + np.log(self.grain * np.cosh(u))
        log_w, log_rest = log_expit(v), log_expit(-v)
        prior_v = a * log_w + b * log_rest - betaln(a, b)
        rows = [_summed(ratio, log_w, log_rest) for ratio in self.log_ratio(self.tau(u))]
        return np.asarray(spike + np.array(rows) + prior_u[:, None] + prior_v)


def _summed(ratio: Array, log_w: Array, log_rest: Array) -> Array:
    """Return ``sum_k log(1 - w + w exp(ratio_k))``, (V,)."""
    return np.array([np.logaddexp(rest, w + ratio).sum() for w, rest in zip(log_w, log_rest, strict=True)])


def _surface(model: _Model) -> Surface:
    far = _NATS + np.log(len(model.effect))
    ends = np.linspace(-far, far, 2 * _STEPS)
    u, _ = reach(lambda x: float(logsumexp(model.log_joint(np.array([x]), ends))), 0.0, model.upper)
    u = np.linspace(u[0], u[-1], _STEPS)
    coarse = u[::4]
    v, _ = reach(lambda x: float(logsumexp(model.log_joint(coarse, np.array([x])))), -far, far)
    v = np.linspace(v[0], v[-1], _STEPS)
    return refined(u, v, model.log_joint(u, v))


def _answer(model: _Model, surface: Surface, unit: float) -> Exact:
    share, u, v = surface.nodes(*_RULE)
    weight, tau = model.share(v), model.tau(u)
    nodes = list(_nodes(model, share, weight, tau))
    tails = average_tails(nodes, model.noise)

    def below(x: Array) -> Array:
        return average_below(x / unit, nodes, model.noise)

    def sample(n: int, generator: np.random.Generator) -> Draws:
        return _sample(model, surface, unit, n, generator)

    nothing = np.zeros((len(share), 1))
    return Exact(
        mean=unit * tails.mean,
        sd=unit * np.sqrt(tails.square),
        lfsr=lfsr_of(tails),
        lfdr=tails.zero,
        shrinkage=tails.shrinkage,
        nodes=Nodes(share, unit * tau * np.sqrt(weight), nothing, nothing),
        log_evidence=surface.log_total - len(model.effect) * float(np.log(unit)),
        below=below,
        sample=sample,
    )


def _nodes(model: _Model, share: Array, weight: Array, tau: Array) -> Iterator[Node]:
    centre, kept = np.zeros_like(model.effect), share > _NEGLIGIBLE
    total = share[kept].sum()
    for p, w, t in zip(share[kept], weight[kept], tau[kept], strict=True):
        yield Node(p / total, model.effect, centre, Components(np.array([0.0, t**2]), np.array([1 - w, w])))


def _sample(model: _Model, surface: Surface, unit: float, n: int, generator: np.random.Generator) -> Draws:
    u, v = surface.draw(n, generator)
    weight, tau = model.share(v), model.tau(u)
    ace = np.empty((n, len(model.effect)))
    rows = max(1, _BLOCK // len(model.effect))
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        ace[part] = unit * _effects(model, weight[part], tau[part], generator)
    return Draws(ace, np.zeros(n), unit * tau * np.sqrt(weight), np.empty((n, 0)))


def _effects(model: _Model, weight: Array, tau: Array, generator: np.random.Generator) -> Array:
    with np.errstate(divide="ignore"):
        odds = (np.log(weight) - np.log1p(-weight))[:, None] + model.log_ratio(tau)
    kept = tau[:, None] ** 2 / (tau[:, None] ** 2 + model.noise)
    normal = kept * model.effect + np.sqrt(kept * model.noise) * generator.standard_normal(odds.shape)
    return np.where(generator.random(odds.shape) < expit(odds), normal, 0.0)
