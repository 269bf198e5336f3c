"""Many questions: how often any band misses, and how often discoveries are false."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from causalgia.estimation.crossover import mean_ice
from causalgia.multiplicity.multivariate_t import correlation_factor, equicoordinate
from validation.checks import Check
from validation.draws import Rng, normal

Trials = Callable[[Rng, int], np.ndarray]
K = 200
LEVEL = 0.05


def each(one: Callable[[Rng], float]) -> Trials:
    """Return the trials of a function that carries out one."""
    return lambda rng, n: np.array([one(rng) for _ in range(n)])


def with_one_control(rng: Rng, n: int) -> np.ndarray:
    """ICE of K null contrasts that share a control: correlation one half."""
    return normal(rng, (n, K)) - normal(rng, (n, 1))


def bands_of_one_control(critical: Callable[[int], float], n: int) -> Trials:
    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        c = critical(n)

        def one() -> bool:
            answer = mean_ice(with_one_control(rng, n))
            return bool((np.abs(answer.ace / answer.se) > c).any())

        return np.array([one() for _ in range(n_trials)])

    return trials


def dunnett(n: int) -> float:
    """Return the critical value at the correlation of contrasts with one control, one
    half.
    """
    factor = correlation_factor(np.full((K, K), 0.5) + 0.5 * np.eye(K))
    return equicoordinate(factor, n - 1.0, ci_prob=1 - LEVEL)


def as_if_independent(n: int) -> float:
    return float(stats.t.isf((1 - (1 - LEVEL) ** (1 / K)) / 2, n - 1))


def p_values(
    rng: Rng, *, shared: bool, n: int = 200, true: int = 40, size: float = 0.35
) -> np.ndarray:
    """p-values of K contrasts of which the first `true` have an effect."""
    ice = with_one_control(rng, n) / np.sqrt(2) if shared else normal(rng, (n, K))
    ice[:, :true] += size
    answer = mean_ice(ice)
    return np.asarray(2 * stats.t.sf(np.abs(answer.ace / answer.se), n - 1))


def proportion(found: np.ndarray, true: int = 40) -> float:
    return float(found[true:].sum() / max(found.sum(), 1))


def false_discoveries(
    adjusted: Callable[[np.ndarray], np.ndarray], *, shared: bool
) -> Trials:
    return each(lambda rng: proportion(adjusted(p_values(rng, shared=shared)) <= LEVEL))


def bh(p: np.ndarray) -> np.ndarray:
    return np.asarray(stats.false_discovery_control(p))


_BAND, _FDR = "Family-wise error of 95 % bands", "False discovery rate at 5 %"
CHECKS = [
    Check(
        _BAND,
        "multivariate t, one control, n = 1,000",
        bands_of_one_control(dunnett, 1_000),
        LEVEL,
        quick=300,
    ),
    Check(
        _BAND,
        "multivariate t, one control, n = 60 (assumes a common variance)",
        bands_of_one_control(dunnett, 60),
        LEVEL,
        "reported",
        quick=300,
    ),
    Check(
        _BAND,
        "one control, taken as independent, n = 200",
        bands_of_one_control(as_if_independent, 200),
        LEVEL,
        "fails",
        quick=4_000,
    ),
    Check(
        _FDR, "BH, independent", false_discoveries(bh, shared=False), LEVEL, "at most"
    ),
    Check(
        _FDR, "BH, one control", false_discoveries(bh, shared=True), LEVEL, "at most"
    ),
]
