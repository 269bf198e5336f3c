"""The Student-t law: exchangeable effects of which some lie far out, as a scale mixture of normals."""

from __future__ import annotations

import numpy as np

from causalgia.errors import InferenceError, quoted
from causalgia.posterior.averaging import average_below, average_tails, lfsr_of
from causalgia.posterior.conditional_draws import draw_given, window_of
from causalgia.posterior.error_covariance import Noise, checked, in_unit, unit_of
from causalgia.posterior.exact import Draws, Exact, Nodes
from causalgia.posterior.factor_scores import row_nodes, shared_of
from causalgia.posterior.hyper import check_proper, design, is_flat, rescaled
from causalgia.posterior.pointwise import of_mixture
from causalgia.posterior.scale_mixture import Components, Node
from causalgia.posterior.student_hyper import HyperPosterior, StudentModel, hyper_posterior
from causalgia.prior import Prior
from causalgia.types import Array

_BLOCK = 1 << 20
_NEGLIGIBLE = 1e-9


def student(effect: Array, noise: Noise, prior: Prior, *, nu: float = 4.0, covariates: Array | None = None) -> Exact:
    """Return the posterior of exchangeable effects with heavy tails: ``delta_k = mu + x_k' beta + tau z_k``, z of t.

    z is a scale mixture of normals, ``z | lambda ~ N(0, 1/lambda)`` with ``lambda ~ Gamma(nu/2, nu/2)``, and lambda is
    integrated by a trapezoid in log lambda that reaches as far down as the outliers need. (mu, tau) lie on a grid over
    all of their mass that is refined by splines; covariates and factor scores of the noise, where there are any, are
    integrated with mu at each tau by Laplace's method. Draws are independent: (mu, tau), then lambda, then the effects.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,).
    noise
        Their covariance Sigma: independent, or low rank + diagonal.
    prior
        Prior of mu and tau in the unit of the effects; tau is the scale of z, not its sd.
    nu
        Degrees of freedom of z, fixed: 4 has tails heavy enough for outliers and a variance.
    covariates
        Of each effect, (K, q): they are centred, so that mu is the effect at their mean.

    Returns
    -------
    Exact
        In the unit of the effects. ``shrinkage`` is ``E[s^2 / (s^2 + tau^2 / lambda)]``: small for outliers.

    Raises
    ------
    InferenceError
        If the noise is a whole covariance, the posterior is improper (a flat tau with too few effects), or an effect,
        a variance or nu is not usable.

    References
    ----------
    West (1987), doi:10.1093/biomet/74.3.646 (scale mixtures); Trefethen & Weideman (2014), doi:10.1137/130932132 (the
    trapezoid); Tierney & Kadane (1986), doi:10.1080/01621459.1986.10478240 (Laplace).

    Examples
    --------
    >>> effect = np.array([0.1, -0.3, 0.2, 0.0, 6.0, -0.1])
    >>> answer = student(effect, Noise(np.full(6, 0.25)), Prior(tau_scale=1))
    >>> answer.mean.round(1), answer.lfsr.round(1)
    (array([ 0.1, -0.2,  0.2,  0. ,  5.8, -0. ]), array([0.4, 0.3, 0.3, 0.5, 0. , 0.5]))
    """
    checked(effect, noise)
    if not (np.isfinite(nu) and nu > 0):
        raise InferenceError(f"nu={quoted(nu)} is no number of degrees of freedom; for example nu=4, or law='normal'")
    unit = unit_of(noise)
    here, prior_here = in_unit(noise, unit), rescaled(prior, unit)
    centre = design(len(effect), covariates, prior_here)
    n_flat = int(np.isinf(centre.sd).sum())
    check_proper(len(effect), centre, prior)
    model = StudentModel(effect / unit, here.variances, shared_of(centre, here), prior_here, float(nu))
    return _answer(hyper_posterior(model), here, unit, n_flat + int(is_flat(prior)))


def _answer(posterior: HyperPosterior, noise: Noise, unit: float, n_flat: int) -> Exact:
    model = posterior.model
    nodes = _nodes(posterior)
    tails = average_tails(nodes, noise.variances, noise.marginal)
    hyper, n = posterior.nodes(), model.shared.n_centre
    sd = np.sqrt((hyper.root**2).sum(axis=2))

    def below(x: Array) -> Array:
        return average_below(x / unit, nodes, model.noise)

    def sample(n: int, generator: np.random.Generator) -> Draws:
        return _sample(posterior, unit, n, generator)

    return Exact(
        mean=unit * tails.mean,
        sd=unit * np.sqrt(tails.square),
        lfsr=lfsr_of(tails),
        lfdr=np.zeros_like(tails.mean),
        shrinkage=tails.shrinkage,
        nodes=Nodes(hyper.weight, unit * hyper.tau, unit * hyper.coefficients[:, :n], unit * sd[:, :n]),
        log_evidence=posterior.surface.log_total + (n_flat - len(model.effect)) * float(np.log(unit)),
        below=below,
        sample=sample,
    )


def _nodes(posterior: HyperPosterior) -> list[Node]:
    model, hyper = posterior.model, posterior.nodes()
    kept = np.flatnonzero(hyper.weight > _NEGLIGIBLE)
    total = hyper.weight[kept].sum()
    nodes: list[Node] = []
    for i in kept:
        weight, components = hyper.weight[i] / total, model.components(float(hyper.tau[i]))
        nodes += _effect_nodes(model, weight, components, hyper.coefficients[i], hyper.root[i])
    return nodes


def _effect_nodes(model: StudentModel, weight: float, components: Components, value: Array, root: Array) -> list[Node]:
    if len(value) > 1:
        return row_nodes(weight, model.effect, components, model.shared, value, root)
    sd = float(root[0, 0])
    centre = np.full_like(model.effect, value[0])
    return [Node(weight, model.effect - centre, centre, components, sd, sd)]


def _sample(posterior: HyperPosterior, unit: float, n: int, generator: np.random.Generator) -> Draws:
    model = posterior.model
    tau, coefficients = posterior.draw(n, generator)
    components = model.components(1.0, least=float(tau.min()))
    window = window_of(_extremes(model, tau, coefficients), model.noise, components)
    ace = np.empty((n, len(model.effect)))
    rows = max(1, _BLOCK // len(model.effect))
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        centre, linear = model.shared.split(coefficients[part])
        residual = model.effect - linear
        ace[part] = draw_given(residual, centre, model.noise, tau[part], components, window, generator)
    ace *= unit
    beta = coefficients[:, 1 : model.shared.n_centre]
    law = (tau[:, None] ** 2 * components.variance, components.weight)
    known = of_mixture(model.effect, model.noise, model.shared, coefficients, *law, unit)
    return Draws(ace, unit * coefficients[:, 0], unit * tau, unit * beta, log_likelihood=known)


def _extremes(model: StudentModel, tau: Array, coefficients: Array) -> list[tuple[Array, float]]:
    """Return residuals and tau of the draws that lie farthest out, two for each hyperparameter."""
    ends = {int(f(x)) for x in (tau, *coefficients.T) for f in (np.argmin, np.argmax)}
    return [(model.effect - model.shared.split(coefficients[i])[1], float(tau[i])) for i in sorted(ends)]
