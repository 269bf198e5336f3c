"""What hierarchical effect sizes need: standard errors unrelated to the effects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.model_checks import errors_grow_with_effects
from causalgia.posterior.two_scales import two_scales
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import each

Trials = Callable[[Rng, int], np.ndarray]
_K = 100


def growing_errors(slope: float, k: int = _K) -> Trials:
    """Whether standard errors of .2 and `slope` of the effect, measured with 40 degrees
    of freedom, are noticed.
    """

    def one(rng: Rng) -> bool:
        true = rng.normal(size=k)
        se = 0.2 + slope * np.abs(true) if slope else np.exp(rng.normal(-0.7, 0.5, k))
        return errors_grow_with_effects(
            true + se * rng.normal(size=k), se * np.sqrt(rng.chisquare(40, k) / 40)
        )

    return each(one)


def coverage_where_errors_grow(slope: float, k: int = _K) -> Trials:
    """Share of effects inside of their shrunken interval, standard errors .2 and
    `slope` of the effect.
    """

    def one(rng: Rng) -> float:
        true = rng.normal(size=k)
        se = 0.2 + slope * np.abs(true)
        post = two_scales(true + se * rng.normal(size=k), Noise(se**2))
        return float((np.abs(post.below(true) - 0.5) <= 0.475).mean())

    return each(one)


_KNOWN = "Standard errors that hierarchical effect sizes take as known"
CHECKS = [
    *(
        Check(
            _KNOWN,
            f"standard errors of .2 plus {slope:g} times the effect's size, K = {k}: "
            "noticed",
            growing_errors(slope, k),
            promised,
            claim,
            full=2_000,
            quick=60,
        )
        for slope, k, promised, claim in (
            (0.5, 100, 0.95, "at least"),
            (0.5, 40, 0.5, "reported"),
            (1.0, 100, 0.2, "reported"),
        )
    ),
    Check(
        _KNOWN,
        "standard errors unrelated to the effects, K = 100: noticed (a false alarm)",
        growing_errors(0.0),
        0.02,
        "at most",
        full=2_000,
        quick=200,
    ),
    Check(
        _KNOWN,
        "standard errors of .2 plus 1 times the effect's size, K = 100: coverage of "
        "shrunken 95 % intervals",
        coverage_where_errors_grow(1.0),
        0.95,
        "fails",
        full=200,
        quick=40,
    ),
]
