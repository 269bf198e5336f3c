"""Do 95 % intervals cover 95 %? Each row: 10,000 trials of an array function, the trial being the replicate.

Rows that claim their level are held inside a two-sided binomial band, rows that claim at least their level above a
one-sided one; the error rate .001 is shared by all rows. Rows that are approximate, because few clusters or
predictors or skewed effects make them so, are held at the coverage that they were found to have in 60,000 other trials,
or, for rare effects, that a sum over the binomial gives: .80 with 100 units, .93 with 1,000. The naive rows
show what goes wrong without the design. Type-I error at 5 % is one minus these numbers: p and interval are one t.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from causalgia.estimation import (
    Estimate,
    add_covariate_sampling,
    block_effects,
    clustered,
    crossed_mean,
    fit_arms,
    fit_arms_by_stratum,
    mean_ice,
    mean_of_cluster_means,
    residual_df,
    stratified_mean,
    welch,
)
from causalgia.estimation.moments import p_and_limits

TRIALS = 10_000
RARE = 0.03
Rng = np.random.Generator
Draw = Callable[[Rng, tuple[int, ...]], np.ndarray]


def normal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def exponential(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Skewness 2, mean 0, sd 1."""
    return rng.standard_exponential(shape) - 1


def lognormal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Skewness 6.2, mean 0."""
    return rng.lognormal(size=shape) - np.exp(0.5)


def rare(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Effect 1 in 3 % of the units, else none; less its mean."""
    return (rng.random(shape) < RARE) - RARE


def rare_coverage(n: int) -> float:
    """Coverage of the t interval for such effects, summed over every count that n units can give."""
    k = np.arange(n + 1)
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(k * (n - k) / (n - 1)) / n
    return float(stats.binom.pmf(k, n, RARE)[np.abs(k / n - RARE) <= half].sum())


def covered(answer: Estimate, truth: float = 0.0) -> np.ndarray:
    p, lower, upper = p_and_limits(answer.ace, answer.se, answer.df, 0.95)
    inside = (lower <= truth) & (truth <= upper)
    if truth == 0:
        np.testing.assert_array_equal(inside, p >= 0.05)
    return inside.ravel()


def paired(draw: Draw, n: int) -> Callable[[Rng], np.ndarray]:
    return lambda rng: covered(mean_ice(draw(rng, (n, TRIALS))))


def parents_of(sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def clustered_ice(rng: Rng, parent: np.ndarray, draw: Draw) -> np.ndarray:
    """ICE with an intraclass correlation of one half; the parents' part is normal."""
    return draw(rng, (len(parent), TRIALS)) + normal(rng, (parent.max() + 1, TRIALS))[parent]


def cr2(
    sizes: list[int], draw: Draw, *, naive: bool = False, weigh_parents: bool = False
) -> Callable[[Rng], np.ndarray]:
    parent = parents_of(sizes)

    def trials(rng: Rng) -> np.ndarray:
        ice = clustered_ice(rng, parent, draw)
        if weigh_parents:
            return covered(mean_of_cluster_means(ice, parent))
        return covered(mean_ice(ice, None if naive else parent))

    return trials


def these_parents(rng: Rng) -> np.ndarray:
    parent, fixed = parents_of([5] * 10), normal(rng, (10, 1))
    y = fixed[parent] + normal(rng, (50, TRIALS))
    return covered(stratified_mean(y - fixed.mean(), parent, np.full(10, 0.1)))


def two_arms(draw: Draw, n0: int, n1: int, sd: float) -> Callable[[Rng], np.ndarray]:
    arm = np.repeat([0, 1], [n0, n1])

    def trials(rng: Rng) -> np.ndarray:
        y = draw(rng, (n0 + n1, TRIALS)) * np.where(arm == 1, sd, 1.0)[:, None]
        return covered(welch(fit_arms(y, arm, [0, 1]), np.array([[-1.0, 1.0]])))

    return trials


def arms_inside_parents(n_parents: int) -> Callable[[Rng], np.ndarray]:
    """Parallel arms, two to seven units a parent, the parents' effects vary; a parent may have unequal arms."""
    parent = parents_of([2 + p % 6 for p in range(n_parents)])
    arm, W = np.arange(len(parent)) * 7 % 3 % 2, np.array([[-1.0, 1.0]])

    def trials(rng: Rng) -> np.ndarray:
        y = normal(rng, (len(parent), TRIALS)) + normal(rng, (n_parents, TRIALS))[parent]
        y += (arm == 1)[:, None] * normal(rng, (n_parents, TRIALS))[parent]
        return covered(clustered(fit_arms(y, arm, [0, 1], cluster=parent), W, n_parents))

    return trials


def blocks(draw: Draw, n_blocks: int, *, naive: bool = False) -> Callable[[Rng], np.ndarray]:
    """Blocks drawn from a population in which the effect varies, two units an arm in each."""
    block, arm, W = (
        np.arange(4 * n_blocks) % n_blocks,
        np.arange(4 * n_blocks) // (2 * n_blocks),
        np.array([[-1.0, 1.0]]),
    )

    def trials(rng: Rng) -> np.ndarray:
        y = normal(rng, (4 * n_blocks, TRIALS)) + normal(rng, (n_blocks, TRIALS))[block]
        y += (arm == 1)[:, None] * 1.5 * draw(rng, (n_blocks, TRIALS))[block]
        if naive:
            return covered(residual_df(fit_arms_by_stratum(y, arm, [0, 1], block), W))
        return covered(mean_ice(block_effects(y, arm, block, W)))

    return trials


def lin(rng: Rng, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A covariate whose slope differs between arms: intervals for these units, for the population; truth 0."""
    arm, W = np.arange(n) % 2, np.array([[-1.0, 1.0]])

    def one() -> tuple[Estimate, Estimate]:
        x = normal(rng, (n, 1))
        y = x * np.where(arm == 1, 2.0, -0.5)[:, None] + normal(rng, (n, 1))
        x -= x.mean(axis=0)
        fits = fit_arms(y, arm, [0, 1], covariates=x)
        units = residual_df(fits, W)
        return units, add_covariate_sampling(units, fits, W, x, None)

    trials = [one() for _ in range(TRIALS)]
    return tuple(covered(_stacked([t[i] for t in trials])) for i in (0, 1))  # type: ignore[return-value]


def _stacked(answers: list[Estimate]) -> Estimate:
    ace, se, df = (np.concatenate([getattr(a, name) for a in answers]) for name in ("ace", "se", "df"))
    return Estimate(ace, se, df, np.empty((0, len(ace))), np.zeros_like(ace))


def retrainings(n: int, n_predictors: int, *, naive: bool = False) -> Callable[[Rng], np.ndarray]:
    def trials(rng: Rng) -> np.ndarray:
        ice = normal(rng, (n, n_predictors, TRIALS)) + normal(rng, (n, 1, TRIALS))
        ice += normal(rng, (1, n_predictors, TRIALS))
        return covered(mean_ice(ice.mean(axis=1)) if naive else crossed_mean(ice))

    return trials


UNEQUAL = [2, 3, 3, 4, 4, 5, 5, 6, 6, 8, 10, 14]
CLAIMED: dict[str, Callable[[Rng], np.ndarray]] = {
    "paired t, normal, n = 10": paired(normal, 10),
    "paired t, exponential, n = 400": paired(exponential, 400),
    "CR2, 12 equal parents, normal": cr2([6] * 12, normal),
    "CR2, 40 unequal parents, normal": cr2([3, 5, 7, 9] * 10, normal),
    "CR2, 40 unequal parents, exponential units": cr2([3, 5, 7, 9] * 10, exponential),
    "mean of 40 unequal parents' means": cr2([3, 5, 7, 9] * 10, exponential, weigh_parents=True),
    "these parents, 10 of 5 shuffles": these_parents,
    "Welch, 12 and 25, sd 1 and 3": two_arms(normal, 12, 25, 3.0),
    "Welch, 200 and 150, exponential": two_arms(exponential, 200, 150, 2.0),
    "CR2, arms inside 40 parents": arms_inside_parents(40),
    "20 blocks drawn": blocks(normal, 20),
    "150 blocks drawn, exponential effects": blocks(exponential, 150),
    "8 predictors crossed with 30 units": retrainings(30, 8),
}
APPROXIMATE: dict[str, tuple[float, Callable[[Rng], np.ndarray]]] = {  # few levels or skewed effects, as measured
    "paired t, lognormal, n = 100": (0.9147, paired(lognormal, 100)),
    "paired t, lognormal, n = 400": (0.9383, paired(lognormal, 400)),
    "paired t, 3 % rare, n = 100": (rare_coverage(100), paired(rare, 100)),
    "paired t, 3 % rare, n = 1,000": (rare_coverage(1000), paired(rare, 1000)),
    "CR2, 12 unequal parents, normal": (0.944, cr2(UNEQUAL, normal)),
    "5 predictors crossed with 30 units": (0.944, retrainings(30, 5)),
    "3 predictors crossed with 30 units": (0.925, retrainings(30, 3)),
}
CONSERVATIVE: dict[str, Callable[[Rng], np.ndarray]] = {
    "5 predictors, no variance between them": lambda rng: covered(crossed_mean(normal(rng, (30, 5, TRIALS)))),
    "Neyman for these units, effects vary": lambda rng: these_units(rng),
}
NAIVE: dict[str, tuple[float, Callable[[Rng], np.ndarray]]] = {
    "units of 12 parents as if independent": (0.75, cr2([6] * 12, normal, naive=True)),
    "blocks drawn as if fixed": (0.80, blocks(normal, 20, naive=True)),
    "one predictor's units for all retrainings": (0.70, retrainings(30, 5, naive=True)),
    "paired t, exponential, n = 20": (0.94, paired(exponential, 20)),
}
ROWS = len(CLAIMED) + len(APPROXIMATE) + len(CONSERVATIVE) + len(NAIVE) + 2


def these_units(rng: Rng) -> np.ndarray:
    """Potential outcomes are fixed, the effect varies, and only the assignment is drawn: Neyman covers more."""
    y0 = normal(rng, (40,))
    y1 = y0 * -0.5
    arm = rng.permuted(np.tile(np.arange(40) % 2, (TRIALS, 1)), axis=1).T
    W, one = np.array([[-1.0, 1.0]]), []
    for treated in arm.T[:2000]:
        y = np.where(treated == 1, y1, y0)[:, None]
        one.append(welch(fit_arms(y, treated, [0, 1]), W))
    return covered(_stacked(one), truth=float((y1 - y0).mean()))


def seed(name: str) -> Rng:
    return np.random.default_rng(zlib.crc32(name.encode()))


def inside_band(hits: np.ndarray, level: float = 0.95) -> bool:
    low, high = stats.binom.ppf([0.0005 / ROWS, 1 - 0.0005 / ROWS], hits.size, level)
    return bool(low <= hits.sum() <= high)


@pytest.mark.parametrize("name", CLAIMED)
def test_intervals_cover_what_they_say(name: str) -> None:
    hits = CLAIMED[name](seed(name))
    assert hits.size == TRIALS
    assert inside_band(hits), f"{name}: {hits.mean():.4f}"


@pytest.mark.parametrize("name", APPROXIMATE)
def test_approximate_intervals_cover_as_documented(name: str) -> None:
    level, trials = APPROXIMATE[name]
    hits = trials(seed(name))
    assert inside_band(hits, level), f"{name}: {hits.mean():.4f}"


@pytest.mark.parametrize("name", CONSERVATIVE)
def test_conservative_intervals_cover_at_least_what_they_say(name: str) -> None:
    hits = CONSERVATIVE[name](seed(name))
    assert hits.sum() >= stats.binom.ppf(0.001 / ROWS, hits.size, 0.95), f"{name}: {hits.mean():.4f}"


@pytest.mark.parametrize("name", NAIVE)
def test_naive_intervals_miss(name: str) -> None:
    at_most, trials = NAIVE[name]
    hits = trials(seed(name))
    assert hits.sum() < stats.binom.ppf(0.001 / ROWS, hits.size, at_most), f"{name}: {hits.mean():.4f}"


def test_lin_covers_the_population_only_with_the_sampling_of_its_covariate() -> None:
    units, population = lin(seed("lin"))
    assert inside_band(population), f"{population.mean():.4f}"
    assert units.sum() < stats.binom.ppf(0.001 / ROWS, units.size, 0.85), f"{units.mean():.4f}"
