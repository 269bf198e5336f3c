"""The law of two scales by NUTS: scales, share, centre and factor scores sampled, the effects drawn given them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from causalgia.posterior.exact import Array
from causalgia.posterior.factor_scores import Shared, shared_of
from causalgia.posterior.hyper import design
from causalgia.posterior.models import as_factors
from causalgia.posterior.noise import Noise, in_unit
from causalgia.posterior.nuts import Sampled, sample
from causalgia.posterior.pointwise import mixture_log_density, of_mixture
from causalgia.posterior.tree import library
from causalgia.posterior.two_scales import effects_given, median_se, tails_given
from causalgia.posterior.two_scales_hyper import LEAST_RATIO, ONE_SCALE, WIDE, LawModel
from causalgia.prior import Prior
from causalgia.streams import derive

__all__ = ["sample_two_scales", "two_scales_model"]


def two_scales_model(effect: Array, noise: Array, shared: Shared) -> Any:
    """Return the model of scales, share, centre and factor scores, the effects and the number of scales summed out.

    Estimates are in units of their median standard error, and priors are those of `two_scales`. Where one scale is
    enough, tau2 and the share keep their prior, so that the density is one sum of two products.

    Parameters
    ----------
    effect, noise
        Estimates and their independent noise variances, (K,).
    shared
        Linear part of the estimates; mu comes first and is flat.

    Returns
    -------
    pymc.Model
        Parameters ``log_narrow``, ``log_excess`` (of tau2 over 2 tau1, in units of the scale of its prior),
        ``logit_share`` and ``b (m,)``, the coefficients as they differ from a first fit, in units of its errors.
        ``narrow, wide, share, coefficients (m,)`` are deterministic.

    Examples
    --------
    >>> shared = Shared(np.ones((3, 1)), np.zeros(1), 1)
    >>> model = two_scales_model(np.array([0.0, 1.0, 5.0]), np.ones(3), shared)
    >>> [variable.name for variable in model.free_RVs]
    ['log_narrow', 'log_excess', 'logit_share', 'b']
    """
    pm, pt = library("pymc"), library("pytensor.tensor")
    first, root = _first_fit(effect, noise, shared)
    with pm.Model() as model:
        at = {name: pm.Flat(name, initval=start) for name, start in (("log_narrow", 0.0), ("log_excess", 0.0))}
        logit, b = pm.Flat("logit_share", initval=1.0), pm.Flat("b", shape=len(first), initval=np.zeros(len(first)))
        narrow = pm.Deterministic("narrow", pt.exp(at["log_narrow"]))
        scale = WIDE * pt.maximum(1.0, narrow)
        excess = scale * pt.exp(at["log_excess"])
        wide = pm.Deterministic("wide", LEAST_RATIO * narrow + excess)
        share = pm.Deterministic("share", pt.sigmoid(logit))
        coefficients = pm.Deterministic("coefficients", first + pt.dot(root, b))
        prior = 2 * at["log_narrow"] - 1.5 * pt.log1p(narrow**2)
        prior += pt.log(excess / scale) - pt.log1p((wide / scale) ** 2)
        prior -= pt.log(pt.arctan(scale / (LEAST_RATIO * narrow)))
        prior += pt.log(share) + pt.log1p(-share) - 0.5 * (shared.precision * coefficients**2).sum()
        pm.Potential("prior", prior)
        rest = effect - pt.dot(shared.columns, coefficients)
        one, other = (-0.5 * (pt.log(v) + rest**2 / v) for v in (noise + narrow**2, noise + wide**2))
        two = pt.logaddexp(pt.log(share) + one, pt.log1p(-share) + other).sum()
        pm.Potential("effect", pt.logaddexp(np.log(ONE_SCALE) + one.sum(), np.log1p(-ONE_SCALE) + two))
    return model


def _first_fit(effect: Array, noise: Array, shared: Shared) -> tuple[Array, Array]:
    """Return coefficients by regression about the median with its spread for the errors, and a root of their errors."""
    spread = float(np.median(np.abs(effect - np.median(effect)))) ** 2
    weighted = shared.columns / (noise + spread)[:, None]
    covariance = np.linalg.inv(shared.columns.T @ weighted + np.diag(shared.precision))
    start = np.zeros(len(shared.precision))
    start[0] = np.median(effect)
    rest = effect - shared.columns @ start
    robust = np.clip(rest, -3 * np.sqrt(spread + noise), 3 * np.sqrt(spread + noise))
    return start + covariance @ (weighted.T @ robust), np.linalg.cholesky(covariance)


def sample_two_scales(
    effect: Array, noise: Noise, covariates: Array | None, *, draws: int, key: int
) -> tuple[Sampled, dict[str, Array], Any]:
    """Sample effects of two scales under any covariance of their errors.

    Parameters
    ----------
    effect, noise, covariates
        As in `two_scales`; a whole covariance is written as factors first.
    draws, key
        As in `nuts.sample`.

    Returns
    -------
    sampled, moments, log_likelihood
        ``ace, mu, tau, tau_narrow, tau_wide, share_narrow`` and maybe ``beta``, (chain, draw, ...); the moments of each
        effect, averaged over what was sampled instead of counted; and the call for `Draws.log_likelihood`.
    """
    unit, n_effects = median_se(noise), len(effect)
    centre = design(n_effects, covariates, Prior(mu_sd=np.inf, tau_scale=1))
    split = noise if noise.whole is None else as_factors(noise)
    here = in_unit(split, unit)
    shared = shared_of(centre, here)
    model = LawModel(effect / unit, here.variances, shared, np.ones(n_effects))
    names = ("narrow", "wide", "share", "coefficients")
    found = sample(two_scales_model(model.effect, model.noise, shared), names, draws=draws, key=key)
    shape, size = found.values["narrow"].shape, len(shared.precision)
    generator = np.random.default_rng(derive(key, "effects given the law"))
    coefficients = found.values["coefficients"].reshape(-1, size)
    law = np.stack([found.values[name].ravel() for name in names[:3]])
    law = _with_one_scale(model, coefficients, law, generator)
    ace = unit * effects_given(model, coefficients, law, generator)
    moments = tails_given(model, coefficients, law, here.marginal)
    moments |= {"mean": unit * moments["mean"], "sd": unit * moments["sd"]}
    tau = np.sqrt(law[2] * law[0] ** 2 + (1 - law[2]) * law[1] ** 2)
    values = {"ace": ace, "mu": unit * coefficients[:, 0], "tau": unit * tau, "share_narrow": law[2]}
    values |= {"tau_narrow": unit * law[0], "tau_wide": unit * law[1]}
    if covariates is not None:
        values["beta"] = unit * coefficients[:, 1 : shared.n_centre]
    known = of_mixture(model.effect, model.noise, shared, coefficients, law[:2].T ** 2, _shares(law), unit)
    dealt = {name: value.reshape(*shape, *value.shape[1:]) for name, value in values.items()}
    return replace(found, values=dealt), moments, known


def _shares(law: Array) -> Array:
    return np.column_stack([law[2], 1 - law[2]])


def _with_one_scale(model: LawModel, coefficients: Array, law: Array, generator: np.random.Generator) -> Array:
    """Draw, given the other parameters, whether there is one scale: then tau2 is tau1 and the share 1."""
    log_odds = np.empty(law.shape[1])
    for i, (c, (narrow, wide, share)) in enumerate(zip(coefficients, law.T, strict=True)):
        rest = (model.effect - model.shared.split(c)[1])[None]
        variance, weight = np.array([[narrow**2, wide**2]]), np.array([[share, 1 - share]])
        two = mixture_log_density(rest, model.noise, variance, weight).sum()
        one = mixture_log_density(rest, model.noise, variance[:, :1], np.ones((1, 1))).sum()
        log_odds[i] = one - two
    odds = np.exp(np.clip(log_odds, -700, 700)) * ONE_SCALE / (1 - ONE_SCALE)
    one_scale = generator.random(len(odds)) < odds / (1 + odds)
    return np.where(one_scale, np.stack([law[0], law[0], np.ones(len(odds))]), law)
