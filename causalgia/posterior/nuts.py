"""NUTS for models without an exact engine, by PyMC or (where installed) nutpie."""

from __future__ import annotations

import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from causalgia.errors import InferenceError
from causalgia.posterior.error_covariance import Noise, noise_unit, rescale_noise
from causalgia.posterior.exact import check_proper, fixed_effects_design, has_flat_tau, rescale_prior
from causalgia.posterior.mixture import average_summaries
from causalgia.posterior.models import as_factors, hierarchical_model, mixture_given_factors, slab_given_factors
from causalgia.posterior.posterior_tree import import_quietly, tree_datasets
from causalgia.posterior.scale_mixture import Components, EffectSummary, Node, draw_effects, whole_window
from causalgia.prior import Prior
from causalgia.streams import derive
from causalgia.types import Array

CHAINS = 4
_TUNE = 1_000
_ACCEPT = 0.95
_STATS = {  # ours: PyMC's, nutpie's
    "diverging": ("diverging", "diverging"),
    "energy": ("energy", "energy"),
    "tree_depth": ("tree_depth", "depth"),
    "acceptance_rate": ("acceptance_rate", "mean_tree_accept"),
    "n_steps": ("n_steps", "n_steps"),
    "lp": ("lp", "logp"),
    "step_size": ("step_size", "step_size"),
}


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws of four chains and their sampler statistics."""

    values: dict[str, Array]
    """Variables, (chain, draw, ...)."""
    stats: dict[str, Array]
    """Sampler statistics by the names of PyMC, (chain, draw)."""
    sampler: str
    """Program that sampled, with its version."""


def sample_nuts(model: Any, names: tuple[str, ...], *, n_draws: int, key: int) -> Sampled:
    """Sample a model by NUTS: four chains of ``draws / 4`` after 1,000 steps of warm-up each, one after the other.

    Parameters
    ----------
    model
        A PyMC model, from `models`.
    names
        Variables to keep.
    n_draws
        In all; a multiple of four.
    key
        Seed; equal keys give equal draws with the same sampler.

    References
    ----------
    Hoffman & Gelman (2014), jmlr.org/papers/v15/hoffman14a.html.
    """
    sampler = "nutpie" if importlib.util.find_spec("nutpie") else "pymc"
    with _quiet_loggers("pymc", "nutpie", "pytensor"):
        found = import_quietly("pymc").sample(
            n_draws // CHAINS,
            tune=_TUNE,
            chains=CHAINS,
            cores=1 if sampler == "pymc" else min(CHAINS, os.cpu_count() or 1),  # nutpie's are threads, not forks
            random_seed=derive(key, "nuts") % 2**31,
            target_accept=_ACCEPT,
            nuts_sampler=sampler,
            model=model,
            progressbar=False,
            compute_convergence_checks=False,
        )
    groups = tree_datasets(found)
    stats = {
        ours: np.asarray(groups["sample_stats"][theirs].to_numpy())
        for ours, both in _STATS.items()
        for theirs in both
        if theirs in groups["sample_stats"]
    }
    values = {name: np.asarray(groups["posterior"][name].to_numpy(), dtype=np.float64) for name in names}
    return Sampled(values, stats, f"{sampler} {import_quietly(sampler).__version__}")


@contextmanager
def _quiet_loggers(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]  # `convergence` checks the draws instead
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def sample_hierarchy(
    effect: Array, noise: Noise, prior: Prior, covariates: Array | None, *, nu: float | None, n_draws: int, key: int
) -> Sampled:
    """Sample ``ace, mu, tau[, beta]`` of the normal (nu None) or Student-t law; see `models.hierarchical_model`.

    The chains run in units of the typical standard error, so that they do not depend on the scale of the outcomes.

    Parameters
    ----------
    effect, noise
        As in `models.hierarchical_model`.
    prior, covariates
        As in `hyper.fixed_effects_design`.
    nu
        Degrees of freedom of the effects about their center; None: normal.
    draws, key
        As in `sample_nuts`.
    """
    unit = noise_unit(noise)
    scaled = rescale_prior(prior, unit)
    fixed = fixed_effects_design(len(effect), covariates, scaled)
    check_proper(len(effect), fixed, prior)
    model = hierarchical_model(effect / unit, rescale_noise(noise, unit), scaled, fixed, nu)
    names = ("ace", "mu", "tau", *(("beta",) if len(fixed.sd) > 1 else ()))
    found = sample_nuts(model, names, n_draws=n_draws, key=key)
    return replace(found, values={name: value * unit for name, value in found.values.items()})


def sample_mixture(
    effect: Array,
    noise: Noise,
    prior: Prior,
    covariates: Array | None,
    components: Components,
    *,
    n_draws: int,
    key: int,
) -> tuple[Sampled, EffectSummary]:
    """Sample the effects of a mixture with given weights under dependent errors, a spike at exactly 0 included.

    NUTS draws beta and the factor scores of ``Sigma = L L' + D`` with the effects integrated out; given them the
    effects are independent, and each is drawn exactly.

    Parameters
    ----------
    effect, noise, components
        As in `models.mixture_given_factors`; a whole or independent covariance is written as factors first.
    prior, covariates
        As in `hyper.fixed_effects_design`.
    draws, key
        As in `sample_nuts`.

    Returns
    -------
    sampled, tails
        ``ace (chain, draw, K)``, ``factor (chain, draw, r)``, maybe ``beta (chain, draw, q)``; and the moments of each
        effect, averaged over the conditional moments given the scores.
    """
    split = as_factors(noise)
    unit = noise_unit(noise)
    fixed = fixed_effects_design(len(effect), covariates, rescale_prior(prior, unit))
    here = Components(components.variance / unit**2, components.weight)
    model = mixture_given_factors(effect / unit, rescale_noise(split, unit), here, fixed)
    found = sample_nuts(model, ("factor", *(("beta",) if len(fixed.sd) > 1 else ())), n_draws=n_draws, key=key)
    values = dict(found.values)
    if "beta" in values:
        values["beta"] = values["beta"] * unit
    assert split.loadings is not None  # for mypy: `as_factors` made them
    shape = values["factor"].shape[:2]
    center = np.zeros((shape[0] * shape[1], len(effect)))
    if "beta" in values:
        center += values["beta"].reshape(len(center), -1) @ fixed.columns[:, 1:].T
    residual = effect - center - values["factor"].reshape(len(center), -1) @ split.loadings.T
    generator = np.random.default_rng(derive(key, "effects given factors"))
    window = whole_window(len(effect), components)
    ace = draw_effects(residual, center, split.variances, np.ones(len(center)), components, window, generator)
    nodes = [Node(1 / len(center), r, c, components) for r, c in zip(residual, center, strict=True)]
    ace, tails = ace.reshape(*shape, -1), average_summaries(nodes, split.variances)
    return replace(found, values=values | {"ace": ace}), tails


def sample_slab(effect: Array, noise: Noise, prior: Prior, *, n_draws: int, key: int) -> tuple[Sampled, EffectSummary]:
    """Sample effects that are 0, or normal about 0, with weight and sd of the slab integrated, under dependent errors.

    Parameters
    ----------
    effect, noise, prior
        As in `models.slab_given_factors`; a whole or independent covariance is written as factors first.
    draws, key
        As in `sample_nuts`.

    Returns
    -------
    sampled, tails
        ``ace (chain, draw, K)``, ``tau (chain, draw)``, the sd of an effect, sqrt(w) times that of the slab; and the
        moments of each effect, averaged over the conditional moments given the scores.
    """
    if has_flat_tau(prior):
        raise InferenceError(
            "a slab with a flat prior of tau has no posterior: it may be empty; give one that ends, such as "
            "Prior(tau='half_t')"
        )
    split, unit = as_factors(noise), noise_unit(noise)
    assert split.loadings is not None  # for mypy: `as_factors` made them
    model = slab_given_factors(effect / unit, rescale_noise(split, unit), rescale_prior(prior, unit))
    found = sample_nuts(model, ("factor", "w", "tau"), n_draws=n_draws, key=key)
    shape, scores = found.values["w"].shape, found.values["factor"].reshape(-1, split.loadings.shape[1])
    w, slab = found.values["w"].reshape(-1, 1), unit * found.values["tau"].reshape(-1, 1)
    generator = np.random.default_rng(derive(key, "effects given factors"))
    ace, tails = draw_given_slab(effect - scores @ split.loadings.T, split.variances, w, slab, generator)
    tau = (np.sqrt(w) * slab).reshape(shape)
    return replace(found, values={"ace": ace.reshape(*shape, -1), "tau": tau}), tails


def draw_given_slab(
    rest: Array, variances: Array, w: Array, slab: Array, generator: np.random.Generator
) -> tuple[Array, EffectSummary]:
    """Draw each effect exactly given weight and sd of the slab, and average its moments over them.

    Parameters
    ----------
    rest
        Estimates minus the contribution of the factors, shape ``(n, K)``.
    variances
        D of ``Sigma = L L' + D``, shape ``(K,)``.
    w, slab
        Weight and sd of the slab, shape ``(n, 1)``.
    generator
        Source of randomness.

    Examples
    --------
    >>> w = np.zeros((2, 1))
    >>> ace, tails = draw_given_slab(np.ones((2, 1)), np.ones(1), w, w + 1, np.random.default_rng(0))
    >>> ace.ravel(), tails.zero
    (array([0., 0.]), array([1.]))
    """
    total = variances + slab**2
    gain = slab**2 / total
    with np.errstate(divide="ignore"):
        odds = np.log(w) - np.log1p(-w) + 0.5 * (np.log(variances / total) + rest**2 * gain / variances)
    in_slab, center, sd = special.expit(odds), gain * rest, np.sqrt(gain * variances)
    ace = np.where(generator.random(rest.shape) < in_slab, center + sd * generator.normal(size=rest.shape), 0.0)
    mean, below = (in_slab * center).mean(axis=0), (in_slab * special.ndtr(-center / sd)).mean(axis=0)
    square = (in_slab * (sd**2 + center**2)).mean(axis=0) - mean**2
    zero, shrinkage = 1 - in_slab.mean(axis=0), 1 - (in_slab * gain).mean(axis=0)
    return ace, EffectSummary(mean, np.maximum(square, 0.0), below, 1 - zero - below, zero, shrinkage)
