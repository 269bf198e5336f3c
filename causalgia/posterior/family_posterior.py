"""The posterior of the effects of one task, and predictors as a level above it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import numpy as np

from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Draws, Exact
from causalgia.posterior.labeled_data import FamilyData
from causalgia.posterior.normal import normal
from causalgia.posterior.posterior_tree import CHAINS
from causalgia.posterior.predictor_level import PredictorLevel, over_predictors
from causalgia.posterior.two_scales import two_scales
from causalgia.streams import derive
from causalgia.types import Array


@dataclass(frozen=True, eq=False)
class FamilyPosterior:
    """The posterior of the effects of one task."""

    draws: dict[str, Array]
    """Parameters of the law ``(chain, draw)``, maybe ``beta (chain, draw, q)``, and with
    several predictors ``tau_gamma (chain, draw)``, ``ace (chain, draw, K)`` and
    ``ace_model (chain, draw, K, M)``.
    """
    moments: dict[str, Array]
    """``mean, sd, lfsr, shrinkage``, (K,) each."""
    effects: Callable[[], Array] | None = None
    """Draws the effects, (n, K), the same at every call; None where they are drawn."""
    log_likelihood: Callable[[], Array] | None = None
    """Computes the log density of each estimate given what all effects share, (n, K);
    None for predictors as a level.
    """


def fit_family(family: FamilyData, *, n_draws: int, key: int) -> FamilyPosterior:
    """Return moments by quadrature and independent draws, by four chains.

    Parameters
    ----------
    family
        The data and the law of its effects.
    n_draws
        In all; a multiple of four.
    key
        Seed of this call; that of each task is derived from it.
    """
    own = derive(derive(key, "infer", family.task, 0), "exact")
    generator = np.random.default_rng(own)
    if family.by_predictor is not None:
        level = over_predictors(
            family.by_predictor,
            family.noise,
            family.prior,
            lambda mean, noise: law_posterior(family, mean, noise),
        )
        drawn = level.draw(n_draws, generator)
        values = {"ace": drawn.shared.ace} | _named(drawn.shared, family)
        values |= {
            "tau_gamma": drawn.tau_gamma,
            "ace_model": drawn.ace_model,
        }
        return FamilyPosterior(_in_chains(values), _moments(level))
    exact = law_posterior(family, family.effect, family.noise)
    one = exact.sample(n_draws, generator)
    return FamilyPosterior(
        _in_chains(_named(one, family)),
        _moments(exact),
        partial(_effects, one),
        one.log_likelihood,
    )


def _effects(drawn: Draws) -> Array:
    """Draw the effects by a copy of the generator, which stays where it is."""
    return deepcopy(drawn).ace


def law_posterior(family: FamilyData, effect: Array, noise: Noise) -> Exact:
    """Return the posterior of effects under the law of their family."""
    if family.law == "two_scales":
        return two_scales(effect, noise, covariates=family.center)
    return normal(effect, noise, family.prior, covariates=family.center)


def _named(drawn: Draws, family: FamilyData) -> dict[str, Array]:
    """Return draws by name; of the coefficients only those of the user's covariates."""
    values = {"mu": drawn.mu, "tau": drawn.tau, **drawn.law}
    if family.covariates is None:
        return values
    return values | {"beta": drawn.beta[:, : family.covariates.shape[1]]}


def _in_chains(values: dict[str, Array]) -> dict[str, Array]:
    """Split independent draws (n, ...) into four chains: (4, n / 4, ...)."""
    return {
        name: value.reshape(CHAINS, -1, *value.shape[1:])
        for name, value in values.items()
    }


def _moments(found: Exact | PredictorLevel) -> dict[str, Array]:
    return {name: getattr(found, name) for name in ("mean", "sd", "lfsr", "shrinkage")}
