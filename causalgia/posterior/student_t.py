"""The Student-t law: exchangeable effects with heavy tails, as a scale mixture of
normals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import logsumexp

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.row_blocks import BLOCK
from causalgia.posterior.density_grids import (
    Surface,
    gauss_rule,
    refine_by_spline,
    support_grid,
)
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
    LinearPart,
    Nodes,
    SharedMode,
    check_proper,
    fixed_effects_design,
    has_flat_tau,
    linear_part,
    log_prior_tau,
    rescale_prior,
    row_nodes,
    shared_mode,
)
from causalgia.posterior.mixture import average_below, average_summaries, lfsr_of
from causalgia.posterior.pointwise_likelihood import independent_log_density
from causalgia.posterior.scale_mixture import (
    Components,
    Node,
    draw_effects,
    residual_rows,
    window_of,
)
from causalgia.types import Array

_LEAST_WEIGHT = 1e-9


def student(
    effect: Array,
    noise: Noise,
    prior: Prior,
    *,
    nu: float = 4.0,
    covariates: Array | None = None,
) -> Exact:
    """Return the posterior of exchangeable effects with heavy tails:
    ``delta_k = mu + x_k' beta + tau z_k``, z of t.

    z is a scale mixture of normals, ``z | lambda ~ N(0, 1/lambda)`` with
    ``lambda ~ Gamma(nu/2, nu/2)``, and lambda is integrated by a trapezoid in log
    lambda that extends as far down as the outliers need. (mu, tau) are on a grid over
    all of their mass, refined by splines; covariates and factor scores of the noise are
    integrated with mu at each tau by Laplace's method. Draws are independent: (mu,
    tau), then lambda, then the effects.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their covariance Sigma: independent, or low rank + diagonal.
    prior
        Prior of mu and tau in the unit of the effects; tau is the scale of z, not its
        sd.
    nu
        Degrees of freedom of z, fixed: 4 has tails heavy enough for outliers and a
        variance.
    covariates
        Of each effect, (K, q): they are centered, so that mu is the effect at their
        mean.

    Returns
    -------
    Exact
        In the unit of the effects. ``shrinkage`` is
        ``E[s^2 / (s^2 + tau^2 / lambda)]``: small for outliers.

    Raises
    ------
    EstimateError
        If the noise is a whole covariance, the posterior is improper (a flat tau with
        too few effects), or an effect, a variance or nu is not usable.

    References
    ----------
    West (1987), doi:10.1093/biomet/74.3.646 (scale mixtures); Trefethen & Weideman
    (2014), doi:10.1137/130932132 (the trapezoid); Tierney & Kadane (1986),
    doi:10.1080/01621459.1986.10478240 (Laplace).

    Examples
    --------
    >>> effect = np.array([0.1, -0.3, 0.2, 0.0, 6.0, -0.1])
    >>> answer = student(effect, Noise(np.full(6, 0.25)), Prior(tau_scale=1))
    >>> answer.mean.round(1), answer.lfsr.round(1)
    (array([ 0.1, -0.2,  0.2,  0. ,  5.8, -0. ]), array([0.4, 0.3, 0.3, 0.5, 0. , 0.5]))
    """
    check_effects(effect, noise)
    if not (np.isfinite(nu) and nu > 0):
        raise EstimateError(f"nu={quoted(nu)} is not a number of degrees of freedom")
    unit = noise_unit(noise)
    here, prior_here = rescale_noise(noise, unit), rescale_prior(prior, unit)
    center = fixed_effects_design(len(effect), covariates, prior_here)
    n_flat = int(np.isinf(center.sd).sum())
    check_proper(len(effect), center, prior)
    model = StudentModel(
        effect / unit, here.variances, linear_part(center, here), prior_here, float(nu)
    )
    return _student_posterior(
        hyper_posterior(model), here, unit, n_flat + int(has_flat_tau(prior))
    )


def _student_posterior(
    posterior: HyperPosterior, noise: Noise, unit: float, n_flat: int
) -> Exact:
    model = posterior.model
    nodes = _student_nodes(posterior)
    tails = average_summaries(nodes, noise.variances, noise.marginal)
    hyper, n = posterior.nodes(), model.shared.n_center
    sd = np.sqrt((hyper.root**2).sum(axis=2))

    def below(x: Array) -> Array:
        return average_below(x / unit, nodes, model.noise)

    def sample(n: int, generator: np.random.Generator) -> Draws:
        return _draw_student(posterior, unit, n, generator)

    return Exact(
        mean=unit * tails.mean,
        sd=unit * np.sqrt(tails.square),
        lfsr=lfsr_of(tails),
        lfdr=np.zeros_like(tails.mean),
        shrinkage=tails.shrinkage,
        nodes=Nodes(
            hyper.weight,
            unit * hyper.tau,
            unit * hyper.coefficients[:, :n],
            unit * sd[:, :n],
        ),
        log_evidence=posterior.surface.log_total
        + (n_flat - len(model.effect)) * float(np.log(unit)),
        below=below,
        sample=sample,
    )


def _student_nodes(posterior: HyperPosterior) -> list[Node]:
    model, hyper = posterior.model, posterior.nodes()
    used = np.flatnonzero(hyper.weight > _LEAST_WEIGHT)
    total = hyper.weight[used].sum()
    nodes: list[Node] = []
    for i in used:
        weight, components = (
            hyper.weight[i] / total,
            model.components(float(hyper.tau[i])),
        )
        nodes += _effect_nodes(
            model, weight, components, hyper.coefficients[i], hyper.root[i]
        )
    return nodes


def _effect_nodes(
    model: StudentModel,
    weight: float,
    components: Components,
    value: Array,
    root: Array,
) -> list[Node]:
    if len(value) > 1:
        return row_nodes(weight, model.effect, components, model.shared, value, root)
    sd = float(root[0, 0])
    center = np.full_like(model.effect, value[0])
    return [Node(weight, model.effect - center, center, components, sd, sd)]


def _draw_student(
    posterior: HyperPosterior, unit: float, n: int, generator: np.random.Generator
) -> Draws:
    model = posterior.model
    tau, coefficients = posterior.draw(n, generator)
    components = model.components(1.0, least=float(tau.min()))
    extremes = sorted(
        {int(f(x)) for x in (tau, *coefficients.T) for f in (np.argmin, np.argmax)}
    )
    places = [
        (model.effect - model.shared.split(coefficients[i])[1], float(tau[i]))
        for i in extremes
    ]
    window = window_of(places, model.noise, components)
    ace = np.empty((n, len(model.effect)))
    rows = max(1, BLOCK // len(model.effect))
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        center, linear = model.shared.split(coefficients[part])
        residual = model.effect - linear
        ace[part] = draw_effects(
            residual, center, model.noise, tau[part], components, window, generator
        )
    ace *= unit
    beta = coefficients[:, 1 : model.shared.n_center]
    law = (tau[:, None] ** 2 * components.variance, components.weight)
    known = partial(
        independent_log_density,
        model.effect,
        model.noise,
        model.shared,
        coefficients,
        *law,
        unit,
    )
    return Draws(
        ace, unit * coefficients[:, 0], unit * tau, unit * beta, log_likelihood=known
    )


_NATS_OF_SUPPORT = 20.0
_SPACING = 0.75  # of the width of log lambda's posterior: a relative error of 5e-7
_WIDEST_SPACING = 0.5  # the tail of lambda is exponential for any nu
_DEEPEST = 60.0
# up to so many effects mu may have several modes, and has its own mesh
_FEW_EFFECTS = 25
_STEPS_U, _STEPS_Y = 25, 21
_CORE_END = float(np.arcsinh(7.0))
_FAR_END = 30.0
_EDGE_NATS = 16.0
#: up to so many effects: numbers of nodes of u and of strata of mu
_RULES = ((_FEW_EFFECTS, (31, 41)), (200, (11, 21)), (1_000, (11, 7)), (np.inf, (7, 5)))
_RULE_U = 11
_FLAT = 1e-6


def t_components(nu: float, farthest: float) -> Components:
    """Return the standard Student-t as normals on nodes of its mixing distribution,
    equally spaced in log lambda.

    Parameters
    ----------
    nu
        Degrees of freedom.
    farthest
        Largest distance from the center at which the density is needed, in units of the
        scale: nodes extend to the lambda of a value there.

    References
    ----------
    West (1987), doi:10.1093/biomet/74.3.646; Trefethen & Weideman (2014),
    doi:10.1137/130932132.

    Examples
    --------
    >>> heavy = t_components(4.0, 100.0)
    >>> density = heavy.weight @ (
    ...     np.exp(-(100.0**2) / heavy.variance / 2)
    ...     / np.sqrt(2 * np.pi * heavy.variance)
    ... )
    >>> round(float(density) * 1e9, 4)  # 12 (4 + 100^2)^-2.5
    1.1988
    """
    lower, upper = _ends_of_mixing(nu)
    lower -= min(float(np.log1p(farthest**2 / nu)), _DEEPEST)
    spacing = min(_SPACING * float(np.sqrt(2 / (nu + 1))), _WIDEST_SPACING)
    n = max(24, int(np.ceil((upper - lower) / spacing)) + 1)
    x = np.linspace(upper, lower, n)
    weight = np.exp(nu / 2 * (x - np.expm1(x)))
    return Components(np.exp(-x), weight / weight.sum())


@lru_cache(maxsize=64)
def _ends_of_mixing(nu: float) -> tuple[float, float]:
    """Return the log lambda below and above the peak of its density where it has fallen
    by exp(-20).
    """
    depth = 2 * _NATS_OF_SUPPORT / nu
    lower = brentq(lambda x: np.expm1(x) - x - depth, -depth - 2, 0)
    upper = brentq(lambda x: np.expm1(x) - x - depth, 0, np.log(depth + 1) + 2)
    return lower, upper


@dataclass(frozen=True, eq=False)
class StudentModel:
    """The model in units of the typical standard error, with
    ``u = asinh(tau / grain)``.
    """

    effect: Array
    """Estimates, (K,)."""
    noise: Array
    """Their independent noise variances, (K,)."""
    shared: LinearPart
    """Linear part of the estimates; mu comes first."""
    prior: Prior
    """Of mu and tau."""
    nu: float
    """Degrees of freedom."""

    @property
    def grain(self) -> float:
        """Scale below which the estimates do not distinguish tau from 0, or the scale
        of its prior.
        """
        return float(min(1 / np.sqrt(np.mean(1 / self.noise)), self.prior.tau_scale))

    def tau(self, u: Array | float) -> Array:
        """Return tau at u: linear near 0 and exponential beyond."""
        return np.asarray(self.grain * np.sinh(u))

    def components(self, tau: float, least: float | None = None) -> Components:
        """Return the prior of effects about their center, with nodes for the outliers
        at the smallest tau.
        """
        excess = np.sqrt(max(float((self.effect**2 - self.noise).max()), 0.0))
        unit = t_components(self.nu, excess / max(least or tau, 1e-30 * (1 + excess)))
        return Components(tau**2 * unit.variance, unit.weight)

    def mode(self, u: float, start: Array) -> SharedMode:
        """Return the mode of the coefficients given u."""
        return shared_mode(
            self.effect,
            self.noise,
            self.components(float(self.tau(u))),
            self.shared,
            start,
        )

    def log_prior(self, u: float) -> float:
        """Return the log prior density of u."""
        return float(
            log_prior_tau(self.prior, self.tau(u)) + np.log(self.grain * np.cosh(u))
        )

    def log_joint(self, u: float, mu: Array) -> Array:
        """Return the log density of the estimates and (u, mu), (M,), at M values of mu,
        the only coefficient.
        """
        precision, n = float(self.shared.precision[0]), len(self.effect)
        residual, noise = (
            (self.effect - mu[:, None]).ravel(),
            np.tile(self.noise, len(mu)),
        )
        rows = (
            residual_rows(residual, noise, self.components(float(self.tau(u))))
            .log_density.reshape(-1, n)
            .sum(axis=1)
        )
        level = 0.5 * np.log(precision / (2 * np.pi)) if precision else 0.0
        return np.asarray(rows + level - 0.5 * precision * mu**2 + self.log_prior(u))

    @property
    def upper(self) -> float:
        """A u beyond which less than exp(-20) of the mass lies: the density falls there
        as a known power of tau.
        """
        if self.prior.tau == "uniform" and np.isfinite(self.prior.tau_scale):
            return float(np.arcsinh(self.prior.tau_scale / self.grain))
        scales = [float(np.abs(self.effect).max()) + float(np.sqrt(self.noise.max()))]
        scales += [
            s for s in (self.prior.tau_scale, self.prior.mu_sd) if np.isfinite(s)
        ]
        power = (
            len(self.effect)
            - int((self.shared.precision == 0).sum())
            + TAIL[self.prior.tau]
            - 1
        )
        return float(
            np.arcsinh(max(scales) / self.grain) + 2 + _NATS_OF_SUPPORT / power
        )


@dataclass(frozen=True, eq=False)
class HyperNodes:
    """The hyperparameters on T nodes."""

    weight: Array
    """Posterior probabilities, (T,)."""
    tau: Array
    """Scale, (T,)."""
    coefficients: Array
    """Mean of coefficients and factor scores given the node, (T, m)."""
    root: Array
    """Root of their covariance given the node, (T, m, m)."""


@dataclass(frozen=True, eq=False)
class HyperPosterior:
    """Joint posterior of u and the coefficients: a surface of u and one more variable,
    the rest normal given u.

    With few effects and no coefficient but mu, the second variable is mu; else it is y,
    where sinh(y) is the distance of the first coefficient from its mode given u, in sd.
    Where mu is alone the surface is exact, else Laplace's.
    """

    model: StudentModel
    surface: Surface
    modes: CubicSpline | None
    """Modes and roots of covariances, (m + m * m,), as functions of u; None where the
    surface is of mu itself.
    """

    def coefficients(self, u: Array, second: Array, normal: Array) -> Array:
        """Return coefficients, (n, m), at points (u, second), (n,) each, and standard
        normals (n, m - 1).
        """
        if self.modes is None:
            return second[:, None]
        scores = np.column_stack([np.sinh(second), normal])
        size, both = scores.shape[1], self.modes(u)
        return np.asarray(
            both[:, :size]
            + np.einsum("nij,nj->ni", both[:, size:].reshape(-1, size, size), scores)
        )

    def draw(self, n: int, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return n independent draws of tau, (n,), and of the coefficients, (n, m)."""
        u, second = self.surface.draw(n, generator)
        normal = generator.standard_normal((n, len(self.model.shared.precision) - 1))
        return self.model.tau(u), self.coefficients(u, second, normal)

    def nodes(self) -> HyperNodes:
        """Return nodes of tau, and of the coefficients about each: mu in small strata,
        or all of them as normal.
        """
        size = len(self.model.shared.precision)
        if size == 1:
            rule = next(rule for most, rule in _RULES if len(self.model.effect) <= most)
            weight, u, second, sd = self.surface.strata(*rule)
            coefficients = self.coefficients(u, second, np.empty((len(u), 0)))
            if self.modes is not None:
                sd = sd * self.modes(u)[:, 1] * np.cosh(second)
            return HyperNodes(
                weight, self.model.tau(u), coefficients, sd[:, None, None]
            )
        middle = (self.surface.a[1:] + self.surface.a[:-1]) / 2
        u, weight = gauss_rule(middle, self.surface.probability.sum(axis=1), _RULE_U)
        assert self.modes is not None  # more than one coefficient
        both = self.modes(u)
        return HyperNodes(
            weight,
            self.model.tau(u),
            both[:, :size],
            both[:, size:].reshape(-1, size, size),
        )


def hyper_posterior(model: StudentModel) -> HyperPosterior:
    """Return the posterior of tau and the coefficients.

    Raises
    ------
    EstimateError
        If the coefficients have no single peak, or mu has no end.
    """
    if len(model.shared.precision) == 1 and len(model.effect) <= _FEW_EFFECTS:
        return _hyper_posterior_on_mesh(model)
    u, modes = _modes_along_tau(model)
    heights = np.array(
        [
            mode.log_integral + model.log_prior(x)
            for x, mode in zip(u, modes, strict=True)
        ]
    )
    both = CubicSpline(
        u, np.array([np.concatenate([m.value, m.root.ravel()]) for m in modes])
    )
    reach_y, steps = _CORE_END, _STEPS_Y
    while reach_y < _FAR_END:
        y = np.linspace(-reach_y, reach_y, steps)
        density = (
            heights[:, None]
            - np.sinh(y) ** 2 / 2
            - 0.5 * np.log(2 * np.pi)
            + np.log(np.cosh(y))
        )
        if len(model.shared.precision) == 1:
            _replace_laplace(density, y, u, modes, model)
        else:
            share = np.exp(heights - logsumexp(heights))
            if any(
                s > _FLAT and not mode.peaked
                for s, mode in zip(share, modes, strict=True)
            ):
                raise EstimateError(
                    "the effects do not settle a coefficient or factor score: its "
                    "posterior is not peaked"
                )
        if density[:, [0, -1]].max() < density.max() - _EDGE_NATS:
            return HyperPosterior(model, refine_by_spline(u, y, density), both)
        reach_y, steps = 1.5 * reach_y, steps + 10
    raise EstimateError(
        "the posterior of mu has no end: give a prior of mu that ends, such as mu_sd=10"
    )


def _hyper_posterior_on_mesh(model: StudentModel) -> HyperPosterior:
    """Evaluate (u, mu) on a mesh adapted to the local information: with few effects mu
    may have many modes.
    """
    mu = _mu_mesh(model)
    width = np.log(np.gradient(mu))
    points, _ = support_grid(
        lambda u: float(logsumexp(model.log_joint(u, mu) + width)), 0.0, model.upper
    )
    u = np.linspace(points[0], points[-1], 2 * _STEPS_U - 1)
    heights = np.array([model.log_joint(x, mu) for x in u])
    return HyperPosterior(model, refine_by_spline(u, mu, heights), None)


def _mu_mesh(model: StudentModel) -> Array:
    """Return points of mu half a local sd apart; a row at distance r counts as one of
    variance s^2 + (r / 3)^2.

    Within 8 sd of the prior they are at most half its sd apart; beyond, that limit
    grows by a fifth.
    """
    tau = float(model.tau(model.upper))
    sd = (
        1 / np.sqrt(model.shared.precision[0])
        if model.shared.precision[0]
        else 10 * tau
    )
    data = model.effect.min(), model.effect.max()
    end = min(
        max(7 * sd, -data[0], data[1]), max(-data[0], data[1]) + 10 * tau
    ) + 8 * np.sqrt(model.noise.max())

    def outwards(sign: float) -> list[float]:
        points = [0.0]
        while points[-1] < end:
            row = 0.5 / np.sqrt(
                (1 / (model.noise + (sign * points[-1] - model.effect) ** 2 / 9)).sum()
            )
            points.append(
                points[-1] + min(row, 0.5 * sd + 0.2 * max(points[-1] - 8 * sd, 0.0))
            )
        return points

    return np.array([-x for x in reversed(outwards(-1.0))] + outwards(1.0)[1:])


def _modes_along_tau(model: StudentModel) -> tuple[Array, list[SharedMode]]:
    """Return an even grid over u where it has mass, and the mode of the coefficients at
    each.
    """
    start = np.zeros(len(model.shared.precision))
    start[0] = np.median(model.effect)
    last = [start]

    def at(u: float) -> SharedMode:
        mode = model.mode(u, last[0])
        last[0] = mode.value
        return mode

    points, _ = support_grid(
        lambda u: at(u).log_integral + model.log_prior(u), 0.0, model.upper
    )
    u = np.linspace(points[0], points[-1], _STEPS_U)
    return u, [at(x) for x in u]


def _replace_laplace(
    density: Array, y: Array, u: Array, modes: list[SharedMode], model: StudentModel
) -> None:
    """Replace Laplace's log density of (u, y), (U, Y), by the exact one where u has
    mass.
    """
    for i in np.flatnonzero(density.max(axis=1) > density.max() - 2 * _NATS_OF_SUPPORT):
        sd = float(modes[i].root[0, 0])
        for j, place in enumerate(y):
            mu = np.array([modes[i].value[0] + sd * np.sinh(place)])
            density[i, j] = model.log_joint(u[i], mu)[0] + np.log(sd * np.cosh(place))
