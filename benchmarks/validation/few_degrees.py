"""Simultaneous intervals of effects that were estimated elsewhere with .2 to 3 degrees
of freedom.

The standard errors of all effects share one scale ``sqrt(chi2_df / df)``, as the
multivariate t supposes, so that the intervals are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

import causalgia as cg
from causalgia.estimation import from_effects
from validation.checks import Check
from validation.draws import Rng

K, TRUE = 4, 2
CORRELATION = np.full((K, K), 0.5) + 0.5 * np.eye(K)  # contrasts with one control
SIZE = 20.0
"""Size of the effects that there are, in sd of an estimate."""
EFFECTS = np.where(np.arange(K) < TRUE, SIZE, 0.0)


def estimates(rng: Rng, df: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return estimates with an sd of 1 ``(n, K)``, and the standard error of each trial
    ``(n,)``.
    """
    noise = rng.multivariate_normal(np.zeros(K), CORRELATION, size=n)
    return EFFECTS + noise, np.sqrt(rng.chisquare(df, n) / df)


@cache
def critical(df: float) -> float:
    """Return by how many standard errors a band goes to either side; all trials of one
    df have the same.
    """
    found = from_effects(EFFECTS, covariance=CORRELATION, df=df)
    return float(cg.simultaneous(found, method="dunnett")["critical"][0, 0])


def band_misses(df: float, rng: Rng, n: int) -> np.ndarray:
    """Return whether a band misses any of its effects."""
    found, se = estimates(rng, df, n)
    return np.asarray(abs(found - EFFECTS).max(axis=1) > critical(df) * se)


def bands(df: float) -> Callable[[Rng, int], np.ndarray]:
    return lambda rng, n: band_misses(df, rng, n)


_SECTION = "Simultaneous 95 % intervals at .2 to 3 degrees of freedom"
CHECKS = [
    Check(_SECTION, f"df = {df:g}: any of 4 intervals misses", bands(df), 0.05)
    for df in (0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
]
