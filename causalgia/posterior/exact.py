"""Result of the exact engines: moments and probabilities by quadrature, and independent draws.

All laws return an `Exact`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from causalgia.checks import is_whole
from causalgia.errors import InferenceError, quoted
from causalgia.types import Array

_BISECTIONS = 200


@dataclass(frozen=True, eq=False)
class Draws:
    """Independent draws from one joint posterior: row i of every array belongs to draw i."""

    ace: Array
    """Effects, (n, K), in the unit of the effects."""
    mu: Array
    """Centre of the effects, (n,)."""
    tau: Array
    """Spread of the effects about their centre, (n,); scale of z in ``delta = mu + x' beta + tau z``."""
    beta: Array
    """Coefficients of the covariates, (n, q); q = 0 where there are none."""
    law: dict[str, Array] = field(default_factory=dict)
    """Parameters of the law of effects other than tau, by name, (n,) each."""
    slab: Array | None = None
    """Effects given that they are not exactly 0, each by itself, (n, K), under a law with an atom; None without one."""
    log_likelihood: Callable[[], Array] | None = None
    """Computes the log density of each estimate given the shared parameters of each draw, (n, K); see `pointwise`.
    None where the law is not drawn."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Posterior of the hyperparameters on T nodes: at each, the coefficients are normal with these moments."""

    weight: Array
    """Posterior probability of each node, (T,); sums to 1."""
    tau: Array
    """Spread at each node, (T,)."""
    coefficients: Array
    """Mean of (mu, beta) given the node, (T, 1 + q)."""
    coefficients_sd: Array
    """Their sd given the node, (T, 1 + q); 0 where the node determines them."""


@dataclass(frozen=True, eq=False)
class Exact:
    """The posterior of K effects of one task and family: exact moments, and a sampler.

    Everything is in the unit of the effects. ``lfsr`` is P(delta = 0) + min(P(delta < 0), P(delta > 0)), and ``lfdr``
    is P(delta = 0): 0 under a continuous prior.
    """

    mean: Array
    """Posterior mean of each effect, (K,)."""
    sd: Array
    """Posterior sd of each effect, (K,)."""
    lfsr: Array
    """Local false sign rate, (K,)."""
    lfdr: Array
    """Posterior probability that the effect is 0, (K,)."""
    shrinkage: Array
    """Shrinkage factor from the estimate towards the centre, (K,): ``E[s^2 / (tau^2 + s^2)]`` over the posterior of tau
    under a normal law; 0 leaves the estimate, 1 replaces it by the centre."""
    nodes: Nodes
    """Posterior of the hyperparameters."""
    log_evidence: float
    """Log density of the effects under the model, up to the constant of a flat prior."""
    below: Callable[[Array], Array]
    """P(delta_k <= x_k) for x of shape (K,); discontinuous where an effect may be exactly 0."""
    sample: Callable[[int, np.random.Generator], Draws]
    """Independent draws from the joint posterior."""

    def draw(self, n: int, generator: np.random.Generator) -> Draws:
        """Return n independent draws from the joint posterior of effects and hyperparameters.

        Raises
        ------
        InferenceError
            If n is not a positive whole number.
        """
        if not is_whole(n) or n < 1:
            raise InferenceError(f"n_draws={quoted(n)} is not a positive whole number; for example n_draws=4000")
        return self.sample(int(n), generator)

    def quantile(self, probability: float) -> Array:
        """Return the posterior quantile of each effect, (K,), by bisection on `below`.

        Raises
        ------
        InferenceError
            If the probability does not lie strictly between 0 and 1.
        """
        if not 0 < probability < 1:
            raise InferenceError(f"probability {quoted(probability)} does not lie between 0 and 1; for example 0.025")
        reach = 1.01 * np.sqrt(max(probability, 1 - probability) / min(probability, 1 - probability))  # Cantelli
        lower, upper = self.mean - reach * self.sd, self.mean + reach * self.sd
        for _ in range(_BISECTIONS):
            middle = lower + (upper - lower) / 2
            if np.all((middle == lower) | (middle == upper) | (upper - lower <= 1e-15 * self.sd)):
                break
            under = self.below(middle) < probability
            lower, upper = np.where(under, middle, lower), np.where(under, upper, middle)
        return np.where((lower <= 0) & (upper >= 0), 0.0, upper)
