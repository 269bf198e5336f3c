"""The law of `infer` as a PyMC model, for other samplers and changes of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from causalgia.analysis_values import Prior
from causalgia.errors import EstimateError
from causalgia.posterior.labeled_data import (
    FamilyData,
    as_labeled_estimates,
    covariate_values,
    family_data,
)
from causalgia.posterior.posterior_tree import import_quietly
from causalgia.posterior.two_scales_hyper import LEAST_RATIO, ONE_SCALE, WIDE
from causalgia.types import GivenTable

_LEAST_SHARE = 1e-12


def to_pymc(
    estimates: GivenTable,
    *,
    prior: Prior | None = None,
    covariates: str | Sequence[str] | None = None,
) -> Any:
    """Return the model of `infer` for the effects of one task, as a ``pymc.Model``.

    With s the median standard error, ``tau_narrow / s`` has the density
    ``t (1 + t^2)^(-3/2)``; ``tau_wide / s >= 2 tau_narrow / s`` is half-Cauchy with
    scale ``max(3, 3 tau_narrow / s)``; the share of the narrow scale is 1 with
    probability .1 (there is no second scale), else uniform; mu and beta are flat.
    Effects are integrated in the likelihood and drawn given it, so that ``pm.sample``
    moves in the few parameters of the law. With `prior`, or fewer than ten effects,
    the law is one normal scale, as in `infer`.

    Parameters
    ----------
    estimates, prior, covariates
        As `infer` takes them, of one task and one predictor.

    Returns
    -------
    pymc.Model
        Variables ``mu, tau_narrow, tau_wide, share_narrow, ace`` (two scales) or
        ``mu, tau, ace``, maybe ``beta``; observed ``effect``; data ``se``. The
        posterior that ``pm.sample`` returns is what `causalgia.decide` takes.

    Raises
    ------
    EstimateError
        As `infer`; or if there are several tasks or predictors.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"effect": [2.0, 0.1] * 6, "se": 0.5})
    >>> sorted(v.name for v in to_pymc(table).free_RVs)[:2]
    ['beside', 'mu']
    """
    names = () if covariates is None else covariates
    names = (names,) if isinstance(names, str) else tuple(names)
    table = as_labeled_estimates(estimates, names)
    if "model" in table["ace"].dims or table.sizes["task"] > 1:
        raise EstimateError(
            f"a model is of one task and one predictor, and there are "
            f"{table.sizes['task']} tasks"
            + (" of several predictors" if "model" in table["ace"].dims else "")
        )
    names_of_x, x = covariate_values(table, names or None)
    (family,) = family_data(table, x, prior)
    pm = import_quietly("pymc")
    labels = table["contrast"].to_numpy()[family.rows].astype(str)
    with pm.Model(coords={"contrast": labels, "covariate": list(names_of_x)}) as model:
        center = _center(pm, family)
        se = np.sqrt(family.noise.marginal)
        pm.Data("se", se, dims="contrast")
        build = _two_scales if family.law == "two_scales" else _one_scale
        build(pm, family, center)
    return model


def _center(pm: Any, family: FamilyData) -> Any:
    """Return mu, plus covariates and patterns of shared errors, as `infer` has them."""
    two = family.law == "two_scales"
    sd = np.inf if two else family.unit * family.prior.mu_sd

    def location(name: str, spread: Any, **dims: Any) -> Any:
        if np.isinf(sd):
            start = np.median(family.effect) if name == "mu" else 0.0
            return pm.Flat(
                name, initval=np.broadcast_to(start, np.shape(spread)), **dims
            )
        return pm.Normal(name, 0.0, spread, **dims)

    center = location("mu", sd)
    for name, x in (("beta", family.covariates), ("pattern", family.patterns)):
        if x is not None:
            each = x - x.mean(axis=0)
            dims = {"dims": "covariate"} if name == "beta" else {"shape": x.shape[1]}
            center = center + pm.math.dot(
                each, location(name, sd / each.std(axis=0), **dims)
            )
    return center


def _two_scales(pm: Any, family: FamilyData, center: Any) -> None:
    unit, effect = family.unit, family.effect
    # P(t > x) = (1 + x^2)^(-1/2)
    beyond = pm.Uniform("narrow_tail", 0.0, 1.0)
    narrow = pm.math.sqrt(beyond**-2.0 - 1)
    scale = WIDE * pm.math.maximum(1.0, narrow)
    least = pm.math.arctan(LEAST_RATIO * narrow / scale)
    place = pm.Uniform("wide_place", 0.0, 1.0)
    wide = scale * pm.math.tan(least + place * (np.pi / 2 - least))
    whole = pm.Uniform("share_place", 0.0, 1.0)
    share = pm.math.minimum(whole / (1 - ONE_SCALE), 1.0)
    for name, value in (("tau_narrow", unit * narrow), ("tau_wide", unit * wide)):
        pm.Deterministic(name, value)
    pm.Deterministic("share_narrow", share)
    # no constant: equal ones become a condition that PyTensor's rewriting trips over
    own = import_quietly("pytensor").shared(family.noise.variances)
    loadings = family.noise.loadings
    errors = 0.0
    if loadings is not None:
        scores = pm.Normal("score", shape=loadings.shape[1])
        errors = pm.math.dot(loadings, scores)
    taus = pm.math.stack([unit * narrow, unit * wide])
    total = own[:, None] + taus[None, :] ** 2
    weight = pm.math.stack([share, 1 - share])
    weight = pm.math.clip(weight, _LEAST_SHARE, 1.0)
    location = center + errors + np.zeros(len(effect))
    pm.NormalMixture(
        "effect",
        w=weight[None, :] * np.ones((len(effect), 2)),
        mu=location[:, None] + np.zeros(2),
        sigma=pm.math.sqrt(total),
        observed=effect,
        dims="contrast",
    )
    # given the law, an effect is a mixture of two normals: drawn by what is beside it
    residual = (effect - location)[:, None]
    terms = pm.math.log(weight) - 0.5 * (pm.math.log(total) + residual**2 / total)
    is_narrow = pm.math.sigmoid(terms[:, 0] - terms[:, 1])
    gain = taus[None, :] ** 2 / total
    u = pm.Uniform("which", 0.0, 1.0, dims="contrast")
    z = pm.Normal("beside", dims="contrast")
    first = u < is_narrow
    own_gain = pm.math.switch(first, gain[:, 0], gain[:, 1])
    moved = center + own_gain * residual[:, 0]
    pm.Deterministic("ace", moved + pm.math.sqrt(own_gain * own) * z, dims="contrast")


def _one_scale(pm: Any, family: FamilyData, center: Any) -> None:
    tau = pm.HalfNormal("tau", family.unit * family.prior.tau_scale)
    z = pm.Normal("beside", dims="contrast")
    ace = pm.Deterministic("ace", center + tau * z, dims="contrast")
    noise = family.noise
    if noise.whole is None and noise.loadings is None:
        pm.Normal(
            "effect",
            ace,
            np.sqrt(noise.variances),
            observed=family.effect,
            dims="contrast",
        )
        return
    whole = noise.whole
    if noise.loadings is not None:
        whole = np.diag(noise.variances) + noise.loadings @ noise.loadings.T
    pm.MvNormal("effect", ace, cov=whole, observed=family.effect, dims="contrast")
