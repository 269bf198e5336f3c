"""The engine for what has no exact path: PyMC's NUTS (nutpie's where it is installed), and effects drawn given it."""

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

from causalgia.posterior.conditional_draws import draw_given
from causalgia.posterior.exact import Array
from causalgia.posterior.hyper import design, rescaled
from causalgia.posterior.models import as_factors, hierarchy, mixture_given_factors
from causalgia.posterior.noise import Noise
from causalgia.posterior.scale_mixture import Components, Tails, tails_of
from causalgia.posterior.tree import datasets, library
from causalgia.prior import Prior
from causalgia.streams import derive

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
_BLOCK = 2_000_000


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws of four chains and what the sampler said of each."""

    values: dict[str, Array]
    """Variables, (chain, draw, ...)."""
    stats: dict[str, Array]
    """Sampler statistics by the names of PyMC, (chain, draw)."""
    sampler: str
    """Which program drew, with its version."""


def sample(model: Any, names: tuple[str, ...], *, draws: int, key: int) -> Sampled:
    """Sample a model by NUTS: four chains of ``draws / 4`` after 1,000 steps of warm-up each, one after the other.

    Parameters
    ----------
    model
        A PyMC model, from `models`.
    names
        Variables to keep.
    draws
        In all; a multiple of four.
    key
        Seed; equal keys give equal draws with the same sampler.

    References
    ----------
    Hoffman & Gelman (2014), jmlr.org/papers/v15/hoffman14a.html.
    """
    sampler = "nutpie" if importlib.util.find_spec("nutpie") else "pymc"
    with _silent("pymc", "nutpie", "pytensor"):
        found = library("pymc").sample(
            draws // CHAINS,
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
    groups = datasets(found)
    stats = {
        ours: np.asarray(groups["sample_stats"][theirs].to_numpy())
        for ours, both in _STATS.items()
        for theirs in both
        if theirs in groups["sample_stats"]
    }
    values = {name: np.asarray(groups["posterior"][name].to_numpy(), dtype=np.float64) for name in names}
    return Sampled(values, stats, f"{sampler} {library(sampler).__version__}")


@contextmanager
def _silent(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]  # whether draws have converged is judged by `convergence` alone
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
    effect: Array, noise: Noise, prior: Prior, covariates: Array | None, *, nu: float | None, draws: int, key: int
) -> Sampled:
    """Sample ``ace, mu, tau[, beta]`` of the normal (nu None) or Student-t family; see `models.hierarchy`.

    The chains run in units of the typical standard error, so that the scale of the outcomes does not matter to them.

    Parameters
    ----------
    effect, noise
        As in `models.hierarchy`.
    prior, covariates
        As in `hyper.design`.
    nu
        Degrees of freedom of the effects about their centre; None: normal.
    draws, key
        As in `sample`.
    """
    unit = float(np.median(np.sqrt(noise.marginal)))
    scaled = rescaled(prior, unit)
    fixed = design(len(effect), covariates, scaled)
    model = hierarchy(effect / unit, in_unit(noise, unit), scaled, fixed, nu)
    names = ("ace", "mu", "tau", *(("beta",) if len(fixed.sd) > 1 else ()))
    found = sample(model, names, draws=draws, key=key)
    return replace(found, values={name: value * unit for name, value in found.values.items()})


def in_unit(noise: Noise, unit: float) -> Noise:
    """Return the noise of ``effect / unit``.

    Examples
    --------
    >>> in_unit(Noise(np.array([4.0])), 2.0).variances
    array([1.])
    """
    return Noise(
        noise.variances / unit**2,
        None if noise.loadings is None else noise.loadings / unit,
        None if noise.whole is None else noise.whole / unit**2,
    )


def sample_mixture(
    effect: Array, noise: Noise, components: Components, *, draws: int, key: int
) -> tuple[Sampled, Tails]:
    """Sample the effects of a mixture with given weights under dependent errors, a spike at exactly 0 included.

    NUTS draws the factor scores of ``Sigma = L L' + D`` with the effects integrated out; given them the effects are
    independent, and each is drawn exactly.

    Parameters
    ----------
    effect, noise, components
        As in `models.mixture_given_factors`; a whole covariance is written as factors first.
    draws, key
        As in `sample`.

    Returns
    -------
    sampled, tails
        ``ace (chain, draw, K)`` and ``factor (chain, draw, r)``; and the moments of each effect, averaged over the
        scores instead of counted.
    """
    split = as_factors(noise)
    loadings = np.zeros((len(effect), 0)) if split.loadings is None else split.loadings
    unit = float(np.median(np.sqrt(noise.marginal)))
    scaled = Components(components.variance / unit**2, components.weight)
    model = mixture_given_factors(effect / unit, in_unit(split, unit), scaled)
    found = sample(model, ("factor",), draws=draws, key=key)
    scores = found.values["factor"]
    rest = effect - scores.reshape(-1, scores.shape[2]) @ loadings.T
    generator = np.random.default_rng(derive(key, "effects given factors"))
    ace = draw_given(rest, np.zeros_like(rest), split.variances, np.ones(len(rest)), components, generator)
    values = found.values | {"ace": ace.reshape(*scores.shape[:2], -1)}
    return replace(found, values=values), average_tails(rest, split.variances, components)


def average_tails(rest: Array, variances: Array, components: Components) -> Tails:
    """Average the moments of effects over draws of what they were given.

    Parameters
    ----------
    rest
        Estimates less their share of the factors, shape ``(n, K)``: one row per draw of the scores.
    variances
        D of ``Sigma = L L' + D``, shape ``(K,)``.
    components
        The mixture about 0.

    Examples
    --------
    >>> spike = average_tails(np.ones((2, 1)), np.ones(1), Components(np.zeros(1), np.ones(1)))
    >>> spike.mean, spike.zero
    (array([0.]), array([1.]))
    """
    n, k = rest.shape
    rows = max(1, _BLOCK // (k * len(components.weight)))
    sums = np.zeros((5, k))
    for start in range(0, n, rows):
        block = rest[start : start + rows]
        flat = tails_of(block.ravel(), np.zeros(block.size), np.tile(variances, len(block)), components)
        parts = (flat.mean, flat.square + flat.mean**2, flat.below, flat.zero, flat.shrinkage)
        sums += np.stack([part.reshape(block.shape).sum(axis=0) for part in parts])
    mean, square, below, zero, shrinkage = sums / n
    return Tails(mean, np.maximum(square - mean**2, 0.0), below, zero, shrinkage)
