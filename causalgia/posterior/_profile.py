"""The labelled verb for effects along a position, spacing or dose: one smooth profile, with a period where asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import InferenceError, quoted
from causalgia.posterior.coords import at_the_door, coordinates, covariates_of, groups_of
from causalgia.posterior.engine_input import Question, questions, sigma_of, unit_in_words
from causalgia.posterior.gaussian_process import Profile, ProfileDraws, gaussian_process
from causalgia.posterior.hyper import log_tau
from causalgia.posterior.nuts import CHAINS
from causalgia.posterior.posterior_tree import Tree, assemble
from causalgia.prior import Prior
from causalgia.streams import RNG, derive, root_key

_BARE = ("chain", "draw")


def profile(
    estimates: Any,
    *,
    along: str,
    periods: npt.ArrayLike | None = None,
    prior: Prior = Prior(),  # noqa: B008  # frozen
    draws: int = 4_000,
    rng: RNG,
) -> Tree:
    """Infer effects that lie on one smooth curve: an exact Gaussian process, with a period whose posterior is a grid.

    Of every task by itself, ``effect | delta ~ N(delta, Sigma)`` and
    ``delta(x) = trend + Matern 5/2 + a cos(2 pi x / P) + b sin(2 pi x / P)``: neighbours lend each other strength. The
    estimand of row k is the ACE that its estimate estimates.

    Parameters
    ----------
    estimates
        As `infer` takes them, 4 to 300 contrasts.
    along
        Name of a numeric coordinate on contrast: position, spacing, dose.
    periods
        Grid of periods in the unit of `along`, each equally likely beforehand, such as ``np.arange(9, 12.1, 0.1)`` for
        the turn of the helix; None: no periodic part.
    prior
        ``mu_sd`` is of the height at the middle and of the rise over the whole range; ``tau`` of the sd of the smooth
        part, and of the sd of the periodic coefficients.
    draws
        In all, over four chains; rounded up to a multiple of four.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    DataTree or InferenceData
        As `infer`: ``posterior`` with ``ace (chain, draw, contrast, task)``, ``mu`` (height at the middle), ``slope``
        (rise over the range), ``tau`` (sd of the smooth part), ``length`` (its length scale, in the unit of `along`),
        and with periods ``period``, ``amplitude`` (``sqrt(a^2 + b^2)``) and ``phase`` (place of the first peak from 0,
        in the unit of `along`), all ``(chain, draw, task)``; ``moments``: ``mean, sd, lfsr (contrast, task)``, and with
        periods ``period_probability (period, task)`` and ``log_bayes_factor (task)`` of having a period against none.

    Raises
    ------
    InferenceError
        If the coordinate is absent or not numeric, contrasts are too few or too many, or a period is not positive.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7 and 5.4.

    Examples
    --------
    >>> import pandas as pd
    >>> at = np.arange(11.0, 61.0)
    >>> effect = 0.3 * np.cos(2 * np.pi * (at - 2) / 10.5) + 0.1 * np.random.default_rng(0).normal(size=50)
    >>> table = pd.DataFrame({"effect": effect, "se": 0.1, "spacing": at})
    >>> found = profile(table, along="spacing", periods=[9.5, 10, 10.5, 11], rng=0)
    >>> found["moments"]["period_probability"].round(2).values.ravel()
    array([0., 0., 1., 0.])
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise InferenceError(f"draws={quoted(draws)} is not a positive whole number; for example draws=4000")
    table = at_the_door(estimates, [along])
    if "model" in table["ace"].dims:
        raise InferenceError("a profile takes one predictor; average the dim 'model', or take one with isel(model=0)")
    x = _along(table, along)
    n, key = -(-int(draws) // CHAINS) * CHAINS, root_key(rng)
    asked = list(questions(table, groups_of(table, None)[1], None, prior))
    found = [_answer(question, x, periods) for question in asked]
    drawn = [p.sample(n, _generator(key, question.task)) for p, question in zip(found, asked, strict=True)]
    coords = coordinates(table, None, ())
    groups = {
        "posterior": _posterior(drawn, coords, has_period=periods is not None),
        "observed_data": xr.Dataset({"effect": table["ace"]}).drop_attrs(),
        "constant_data": _given(asked, coords),
        "moments": _moments(found, coords, periods is not None),
    }
    said = {
        "law": "smooth profile",
        "engine": "exact",
        "along": along,
        "prior": json.dumps(asdict(prior)),
        "prior_unit": unit_in_words(table, prior),
        "sigma": ", ".join(dict.fromkeys(sigma_of(question.noise) for question in asked)),
    }
    for name in ("posterior", "constant_data"):
        groups[name].attrs = dict(table.attrs) | said
    return assemble(groups)


def _along(table: xr.Dataset, name: str) -> npt.NDArray[np.float64]:
    values = covariates_of(table, name)[1]
    assert values is not None
    return values[:, 0]


def _answer(question: Question, x: npt.NDArray[np.float64], periods: npt.ArrayLike | None) -> Profile:
    prior = question.prior
    return gaussian_process(
        question.effect,
        question.noise,
        x,
        log_prior=lambda sd: log_tau(prior, sd),
        mu_sd=prior.mu_sd,
        periods=periods,
    )


def _generator(key: int, task: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(derive(key, "profile", task)))


def _posterior(drawn: Sequence[ProfileDraws], coords: dict[str, Any], *, has_period: bool) -> xr.Dataset:
    columns = {
        "mu": [d.coefficients[:, 0] for d in drawn],
        "slope": [d.coefficients[:, 1] for d in drawn],
        "tau": [d.sd for d in drawn],
        "length": [d.length for d in drawn],
    }
    if has_period:
        waves = [d.coefficients[:, 2:] for d in drawn]
        turn = [np.arctan2(w[:, 1], w[:, 0]) / (2 * np.pi) % 1 for w in waves]
        columns |= {
            "period": [d.period for d in drawn],
            "amplitude": [np.hypot(w[:, 0], w[:, 1]) for w in waves],
            "phase": [t * d.period for t, d in zip(turn, drawn, strict=True)],
        }
    data: dict[str, Any] = {name: ((*_BARE, "task"), _chains(np.stack(v, axis=-1))) for name, v in columns.items()}
    data["ace"] = ((*_BARE, "contrast", "task"), _chains(np.stack([d.ace for d in drawn], axis=-1)))
    size = data["ace"][1].shape[:2]
    return xr.Dataset(data, coords | {name: np.arange(n) for name, n in zip(_BARE, size, strict=True)})


def _chains(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values.reshape(CHAINS, -1, *values.shape[1:])


def _given(asked: Sequence[Question], coords: dict[str, Any]) -> xr.Dataset:
    se = np.stack([np.sqrt(question.noise.marginal) for question in asked], axis=-1)
    return xr.Dataset({"se": (("contrast", "task"), se)}, coords)


def _moments(found: Sequence[Profile], coords: dict[str, Any], has_period: bool) -> xr.Dataset:
    both = ("contrast", "task")
    data: dict[str, Any] = {
        name: (both, np.stack([getattr(p, name) for p in found], axis=-1)) for name in ("mean", "sd", "lfsr")
    }
    if not has_period:
        return xr.Dataset(data, coords)
    data["period_probability"] = (("period", "task"), np.stack([p.period_probability for p in found], axis=-1))
    data["log_bayes_factor"] = ("task", [p.log_evidence - p.log_evidence_without_period for p in found])
    return xr.Dataset(data, coords | {"period": found[0].periods})
