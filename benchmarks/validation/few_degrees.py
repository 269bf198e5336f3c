"""Simultaneous intervals and adjusted p of effects that were estimated elsewhere with .2
to 3 degrees of freedom: error and power.

The standard errors of all effects share one scale ``sqrt(chi2_df / df)``, as the
multivariate t supposes, so that the intervals are exact.
"""

from __future__ import annotations

import zlib
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


@cache
def of_steps(df: float, n: int) -> np.ndarray:
    """Return of each trial whether any of two effects of 0 has an adjusted p of 5 % or
    less, and the share of the two others that have.
    """
    rng, found = np.random.default_rng(zlib.crc32(f"steps {df}".encode())), []
    for effect, se in zip(*estimates(rng, df, n), strict=True):
        given = from_effects(effect, covariance=CORRELATION * se**2, df=df)
        adjusted = cg.adjust(given, method="dunnett")["p_step_down"].to_numpy() <= 0.05
        found.append((adjusted[TRUE:].any(), adjusted[:TRUE].mean()))
    return np.array(found)


def steps(df: float, column: int) -> Callable[[Rng, int], np.ndarray]:
    def trials(_: Rng, n: int) -> np.ndarray:
        found = of_steps(df, n)[:, column]
        return found if column else found.astype(bool)

    return trials


def bands(df: float) -> Callable[[Rng, int], np.ndarray]:
    return lambda rng, n: band_misses(df, rng, n)


_SECTION = "Simultaneous 95 % intervals and adjusted p at .2 to 3 degrees of freedom"
CHECKS = [
    check
    for df in (0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
    for check in (
        Check(_SECTION, f"df = {df:g}: any of 4 intervals misses", bands(df), 0.05),
        Check(
            _SECTION,
            f"df = {df:g}: any of 2 effects of 0 with a step-down p of 5 % or less",
            steps(df, 0),
            0.05,
            "at most",
            full=200 if df < 1 else 400,
            quick=8,
        ),
        Check(
            _SECTION,
            f"df = {df:g}: share of 2 effects of {SIZE:g} sd that are found so",
            steps(df, 1),
            0.0,
            "reported",
            full=200 if df < 1 else 400,
            quick=8,
        ),
    )
]
