"""Simulation-based calibration of the hierarchical model with the standard errors of a trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.estimation import from_effects
from causalgia.prior import Prior
from causalgia.types import Array

RANKED = 99
_NU = 4.0


def ranks_from_the_prior(estimates: xr.Dataset, prior: Prior, law: str, *, seed: int) -> Array | None:
    """Return the rank of effects drawn from the prior among draws of their posterior, (contrast, task).

    ``(mu, tau, delta)`` are drawn from the prior, and estimates with the standard errors of this trial, taken as known
    and independent. None if the prior is improper, or a standard error is 0.

    Parameters
    ----------
    estimates
        Estimates of a trial: ``se``, and ``control_sd`` if the prior is in its unit.
    prior
        As `causalgia.infer` takes it.
    law
        ``"student_t"``, else the normal law.
    seed
        Seed of truths and draws.

    References
    ----------
    Talts et al. (2018), doi:10.48550/arXiv.1804.06788.

    Examples
    --------
    >>> ranks_from_the_prior(from_effects([0.0, 1.0], se=0.5), Prior(), "normal", seed=0).shape
    (2, 1)
    """
    se = estimates["se"].transpose("contrast", "task").to_numpy()
    if not (se > 0).all() or not np.isfinite([prior.mu_sd, prior.tau_scale]).all():
        return None
    generator = np.random.default_rng(seed)
    columns = [
        _ranks(
            se[:, t], _prior_in_units(estimates, prior, t), "student_t" if law == "student_t" else "normal", generator
        )
        for t in range(se.shape[1])
    ]
    return np.stack(columns, axis=1)


def _prior_in_units(estimates: xr.Dataset, prior: Prior, task: int) -> Prior:
    """Return the prior on the scale of the effects."""
    if not (prior.standardised and "control_sd" in estimates):
        return prior
    unit = float(np.sqrt((estimates["control_sd"].transpose("contrast", "task").to_numpy()[:, task] ** 2).mean()))
    return Prior(mu_sd=unit * prior.mu_sd, tau=prior.tau, tau_scale=unit * prior.tau_scale, standardised=False)


def _ranks(se: Array, prior: Prior, law: Any, generator: np.random.Generator) -> Array:
    from causalgia.posterior import infer

    z = generator.standard_t(_NU, se.size) if law == "student_t" else generator.standard_normal(se.size)
    delta = prior.mu_sd * generator.standard_normal() + _draw_tau(prior, generator) * z
    table = from_effects(delta + se * generator.standard_normal(se.size), se)
    post = infer(table, law=law, prior=prior, draws=RANKED + 1, rng=int(generator.integers(2**62)))
    draws = post["posterior"]["ace"].to_numpy().reshape(-1, se.size)[:RANKED]
    return np.asarray((draws < delta).sum(axis=0))


def _draw_tau(prior: Prior, generator: np.random.Generator) -> float:
    if prior.tau == "uniform":
        return prior.tau_scale * float(generator.random())
    if prior.tau == "half_normal":
        return prior.tau_scale * abs(float(generator.standard_normal()))
    return prior.tau_scale * abs(float(generator.standard_t(3 if prior.tau == "half_t" else 1)))
