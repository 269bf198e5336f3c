"""The rule of verdicts where limits belong to arms: 0/1 outcomes in every layout,
parallel arms of unequal size, and tables with gaps.

A trial is a task of one Dataset. Of 0/1 outcomes of two arms there are few tables: each
is estimated and decided once, and trials draw from them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import xarray as xr
from scipy import special, stats

import causalgia as cg
from validation.checks import Check
from validation.draws import Rng
from validation.verdicts import (
    DRAWS,
    Trials,
    crossed,
    decided,
    directions_of,
    one,
    parallel,
    quiet,
    told,
    verdicts_of,
)

Contrasts = dict[str, dict[str, float]]
Draw = Callable[[Rng, int], np.ndarray]
"""Draws outcomes (unit, arm, task) of so many trials."""
PAIR: Contrasts = {"c": {"a0": -1.0, "a1": 1.0}}
INTERACTION: Contrasts = {"c": {"a0": 1.0, "a1": -1.0, "a2": -1.0, "a3": 1.0}}


def minus_mean_of(m: int) -> Contrasts:
    """Return the contrast of the first arm minus the mean of m others."""
    return {"c": {"a0": 1.0} | {f"a{i}": -1 / m for i in range(1, m + 1)}}


def _seed(*what: object) -> Rng:
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


def answered(outcomes: xr.Dataset, contrasts: Contrasts) -> xr.Dataset:
    """Return the directions of each trial, a task, by itself."""
    effects = quiet(cg.contrast, outcomes, contrasts=contrasts)
    return decided(quiet(cg.estimate, effects), 0, error="each")


# 0/1 outcomes of two arms
@lru_cache(maxsize=2)
def parallel_tables(sizes: tuple[int, int]) -> np.ndarray:
    """Return the verdict on every table of two parallel arms, by how many units of each
    answer 1.
    """
    control, treated = (np.arange(n + 1) for n in sizes)
    x0, x1 = (x.ravel() for x in np.meshgrid(control, treated, indexing="ij"))
    y = [np.arange(n)[:, None] < x for n, x in zip(sizes, (x0, x1), strict=True)]
    found = answered(parallel(np.concatenate(y), sizes), PAIR)
    return verdicts_of(found)[0].reshape(len(control), len(treated))


def of_parallel(sizes: tuple[int, int], p: float, side: str) -> Trials:
    def trials(_: Rng, n: int) -> np.ndarray:
        rng, said = _seed(sizes, p), parallel_tables(sizes)
        counts = (rng.binomial(size, p, n) for size in sizes)
        return said[tuple(counts)] == side

    return trials


@lru_cache(maxsize=8)
def tables_of_pairs(
    n: int, p: float, effect: float, trials: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many of n pairs answer 1 in the control alone, and in the treated
    alone, in each trial, and what is said of these; both arms answer independently.
    """
    rng, both = _seed(n, p, effect), p * (p + effect)
    cells = [both, p - both, p + effect - both, 1 - 2 * p - effect + both]
    counts = rng.multinomial(n, cells, trials)
    different, which = np.unique(counts, axis=0, return_inverse=True)
    ends = np.cumsum(different, axis=1)
    unit = np.arange(n)[:, None]
    control = unit < ends[:, 1]
    treated = (unit < ends[:, 0]) | ((unit >= ends[:, 1]) & (unit < ends[:, 2]))
    found = answered(crossed(np.stack([control, treated], 1)), PAIR)
    return counts[:, 1:3], verdicts_of(found)[0][which.ravel()]


def increases_by_version_1(down: np.ndarray, up: np.ndarray, n: int) -> np.ndarray:
    """Return which pairs increase by the t test, Tango's score test and McNemar's exact
    conditional test together.
    """
    gap, differ = up - down, np.maximum(up + down, 1)
    variance = (differ - gap**2 / n) / (n - 1)
    t = gap / np.sqrt(np.maximum(variance, 1e-300) * n)
    by_t = stats.t.sf(t, n - 1)
    by_score = stats.norm.sf(gap / np.sqrt(differ))
    exact = special.betainc(np.maximum(up, 1), down + 1, 0.5)
    return (gap > 0) & (np.max([by_t, by_score, exact], axis=0) <= 0.025)


def gained(n: int, p: float, effect: float) -> Trials:
    """Return how much power pairs gain over version 1 of the rule, trial by trial."""

    def trials(_: Rng, many: int) -> np.ndarray:
        counts, said = tables_of_pairs(n, p, effect, many)
        before = increases_by_version_1(counts[:, 0], counts[:, 1], n)
        return (said == "increases") * 1.0 - before

    return trials


# 0/1 outcomes of more arms, and with gaps
@lru_cache(maxsize=2)
def of_shares(n: int, p: float, arms: int, kind: str, trials: int) -> np.ndarray:
    """Return the verdicts on trials of 0/1 outcomes without an effect: an "average" (an
    arm minus the mean of the others), an "interaction", or a pair with "gaps", a fifth
    of all cells.
    """
    rng = _seed(n, p, arms, kind)
    y = (rng.random((n, arms, trials)) < p) * 1.0
    if kind == "gaps":
        y[np.arange(n) % 5 < 2, np.arange(n)[np.arange(n) % 5 < 2] % 2] = np.nan
        return verdicts_of(answered(crossed(y, assignment="incomplete"), PAIR))[0]
    contrasts = INTERACTION if kind == "interaction" else minus_mean_of(arms - 1)
    return verdicts_of(answered(crossed(y), contrasts))[0]


# numbers in parallel arms
def _sparse(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Draw outcomes of which nine of ten are 0, the others exponential."""
    return (rng.random(shape) < 0.1) * rng.standard_exponential(shape)


SKEWED = {
    "exponential": DRAWS["exponential"],
    "lognormal": DRAWS["lognormal"],
    "90 % zeros": _sparse,
}


@lru_cache(maxsize=2)
def skewed_arms(
    law: str, sizes: tuple[int, int], times: float, trials: int
) -> np.ndarray:
    """Return on which side of the effect the interval lies in each trial: 1 above, -1
    below, 0 if it holds it. Outcomes of the treated arm are so many times as large.
    """
    rng = _seed(law, sizes, times)
    draw, shift = SKEWED[law], 1.0 if times != 1 and law != "90 % zeros" else 0.0
    y = [draw(rng, (size, trials)) + shift for size in sizes]
    # exponential: the draws have mean 0, and 1 after the shift
    mean = {"exponential": 1.0, "90 % zeros": 0.1}.get(law, 1.0)
    found = answered(parallel(np.concatenate([y[0], times * y[1]]), sizes), PAIR)
    effect = (times - 1) * mean
    return _side(found, effect)


def _side(found: xr.Dataset, effect: float) -> np.ndarray:
    """Return 1 where the interval lies above the effect, -1 below, 0 elsewhere."""
    lower, upper = (found[name].to_numpy().ravel() for name in ("lower", "upper"))
    return (lower > effect) * 1 - (upper < effect)


@lru_cache(maxsize=2)
def many_arms(law: str, control: int, size: int, trials: int) -> np.ndarray:
    """Return in which tables of 29 small arms without an effect one has a direction."""
    rng, sizes = _seed(law, control, size), (control, *[size] * 29)
    y = np.concatenate([SKEWED[law](rng, (m, trials)) for m in sizes])
    effects = quiet(cg.contrast, parallel(y, sizes), control="a0")
    return directions_of(decided(quiet(cg.estimate, effects), 0)).any(axis=0)


@lru_cache(maxsize=4)
def parallel_power(
    sizes: tuple[int, int], sd: float, away: float, trials: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which effects between normal arms, so many standard errors away, are found
    by the rule, and by Welch's t; the treated arm has an sd of `sd` times that of the
    control.
    """
    rng, se = _seed(sizes, sd), np.sqrt(1 / sizes[0] + sd**2 / sizes[1])
    control = rng.standard_normal((sizes[0], trials))
    treated = away * se + sd * rng.standard_normal((sizes[1], trials))
    found = answered(parallel(np.concatenate([control, treated]), sizes), PAIR)
    welch = stats.ttest_ind(treated, control, equal_var=False, alternative="greater")
    return verdicts_of(found)[0] == "increases", welch.pvalue <= 0.025


@lru_cache(maxsize=2)
def sparse_average(trials: int) -> np.ndarray:
    """Return on which side of no effect the interval of an arm minus the mean of ten
    lies, 50 units, nine of ten outcomes 0.
    """
    y = _sparse(_seed("average"), (50, 11, trials))
    return _side(answered(crossed(y), minus_mean_of(10)), 0.0)


@lru_cache(maxsize=4)
def with_gaps(missing: float, trials: int) -> np.ndarray:
    """Return which intervals hold the effect between two of three arms of 40 units,
    with a share of the cells missing at random; units have levels of their own.

    40 trials share their gaps.
    """
    rng, found, n = _seed("gaps", missing), [], 40
    for start in range(0, trials, 40):
        some = min(40, trials - start)
        y = rng.standard_normal((n, 1, some)) + rng.standard_normal((n, 3, some))
        y[rng.random((n, 3)) < missing] = np.nan
        y[:, 1] += 0.5
        outcomes = crossed(y, assignment="incomplete")
        effects = quiet(cg.contrast, outcomes, contrasts=PAIR)
        made = decided(quiet(cg.estimate, effects), 0, error="each")
        found.append(told(made, np.full((1, some), 0.5)).covered == 1)
    return np.concatenate(found)


# rows of the page
_SHARES = (
    "The rule of verdicts: 0/1 outcomes without an effect, false verdicts, one side"
)
_POWER = "The rule of verdicts: power of pairs of 0/1 outcomes, less that of version 1"
_PARALLEL = "The rule of verdicts: parallel arms of unequal size"
_GAPS = "The rule of verdicts: coverage with missing cells"
_SIDES = ("increases", "decreases")


def _of_shares() -> list[Check]:
    rows = [
        one(
            _SHARES,
            f"{n} pairs, both arms 1 with probability {p:g}, {side}",
            lambda _, m, n=n, p=p, side=side: tables_of_pairs(n, p, 0.0, m)[1] == side,
            0.035,
            full=40_000,
            quick=400,
        )
        for n in (20, 50, 200)
        for p in (0.02, 0.1, 0.3)
        for side in _SIDES[:1]
    ]
    rows += [
        one(
            _SHARES,
            f"parallel, {sizes[0]} v {sizes[1]}, both arms 1 with probability {p:g}, "
            f"{side}",
            of_parallel(sizes, p, side),
            0.035,
            full=40_000,
            quick=400,
        )
        for sizes in ((30, 30), (80, 20), (80, 8))
        for p in (0.02, 0.1, 0.3, 0.5)
        for side in (_SIDES if p < 0.5 and sizes[0] != sizes[1] else _SIDES[:1])
    ]
    more = [
        (f"an arm minus the mean of {m}", n, p, m + 1, "average")
        for m, n in ((5, 50), (10, 50), (10, 20))
        for p in (0.02, 0.1)
    ]
    more += [
        ("interaction", n, p, 4, "interaction")
        for n in (20, 50)
        for p in (0.02, 0.1, 0.5)
    ]
    more += [
        ("pairs, a fifth of the cells missing", 50, p, 2, "gaps")
        for p in (0.02, 0.1, 0.5)
    ]
    return rows + [
        one(
            _SHARES,
            f"{what}, {n} units, all arms 1 with probability {p:g}, {side}",
            lambda _, m, cell=(n, p, arms, kind), side=side: (
                of_shares(*cell, m) == side
            ),
            0.035,
            full=3_000,
            quick=200,
        )
        for what, n, p, arms, kind in more
        for side in (_SIDES if kind == "average" else _SIDES[:1])
    ]


_OF_POWER = [
    one(
        _POWER,
        f"{n} pairs, {p:g} against {p + effect:g}",
        gained(n, p, effect),
        0.0,
        "at least",
        full=6_000,
        quick=400,
    )
    for n, p, effect in (
        *((20, 0.1, 0.4), (50, 0.02, 0.2), (50, 0.1, 0.2), (50, 0.3, 0.3)),
        *((100, 0.02, 0.08), (300, 0.01, 0.05), (300, 0.3, 0.1)),
    )
]
_OF_ARMS = [
    *(
        one(
            _PARALLEL,
            f"{law}, {sizes[0]} v {sizes[1]}, no effect: {side}",
            lambda _, n, law=law, sizes=sizes, sign=sign: (
                skewed_arms(law, sizes, 1.0, n) == sign
            ),
            0.025,
            full=4_000,
            quick=200,
        )
        for law in SKEWED
        for sizes in ((80, 5), (80, 20), (200, 20))
        for side, sign in (("increases", 1), ("decreases", -1))
    ),
    *(
        one(
            _PARALLEL,
            f"29 arms of {size} against one of {control}, {law}, no effect: false "
            "directions",
            lambda _, n, cell=(law, control, size): many_arms(*cell, n),
            0.05,
            full=400,
            quick=20,
        )
        for law in SKEWED
        for control, size in ((80, 8), (200, 20))
    ),
    *(
        one(
            _PARALLEL,
            f"power at 4 standard errors, {sizes[0]} v {sizes[1]}, sd of the second "
            f"{sd:.3g} times the first's",
            lambda _, n, sizes=sizes, sd=sd: parallel_power(sizes, sd, 4.0, n)[0],
            0.95,
            "reported",
            full=4_000,
            quick=200,
        )
        for sizes in ((30, 30), (80, 20), (80, 8), (80, 5))
        for sd in (1.0, 1 / 3)
    ),
    *(
        one(
            _PARALLEL,
            f"power at 3 standard errors, {sizes[0]} v {sizes[1]}, sd of the second "
            f"{sd:.3g} times the first's: {whose}",
            lambda _, n, sizes=sizes, sd=sd, at=at: parallel_power(sizes, sd, 3.0, n)[
                at
            ],
            0.8,
            "reported",
            full=4_000,
            quick=200,
        )
        for sizes, sd in (
            *(((30, 30), 1 / 3), ((80, 8), 1.0)),
            *(((80, 8), 1 / 3), ((200, 8), 1 / 3)),
        )
        for at, whose in enumerate(("the rule", "Welch's t"))
    ),
    *(
        one(
            _PARALLEL,
            f"{law}, {sizes[0]} v {sizes[1]}, the second {times} times as large: the "
            "interval lies below its effect",
            lambda _, n, cell=(law, sizes, float(times)): skewed_arms(*cell, n) < 0,
            0.025,
            "reported",
            full=5_000,
            quick=200,
        )
        for law in ("exponential", "90 % zeros")
        for sizes in ((30, 30), (80, 8))
        for times in (2, 4)
    ),
    one(
        _PARALLEL,
        "crossed, an arm minus the mean of ten, 90 % zeros, 50 units, no effect: "
        "decreases",
        lambda _, n: sparse_average(n) < 0,
        0.025,
        "reported",
        full=5_000,
        quick=200,
    ),
]
_OF_GAPS = [
    one(
        _GAPS,
        f"{100 * missing:g} % of the cells of three arms of 40 units missing",
        lambda _, n, missing=missing: with_gaps(missing, n),
        0.94 if missing <= 0.4 else 0.95,
        "at least" if missing <= 0.4 else "reported",
        full=2_000,
        quick=80,
    )
    for missing in (0.05, 0.2, 0.4, 0.7)
]
CHECKS = [*_of_shares(), *_OF_POWER, *_OF_ARMS, *_OF_GAPS]
