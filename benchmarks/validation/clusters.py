"""Clusters of very unequal sizes: intervals of the mean over units and over clusters,
and the warning that they differ.

Sizes are Pareto with index 1.5, rounded up, 500 at most. Cluster g has mean ICE
``slope log n_g + e_g``; both means of the population are sums over the law of the
sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalgia.estimation._estimate import LEVEL, size_dependence
from causalgia.estimation.crossover import Estimate, mean_ice, mean_of_cluster_means
from causalgia.numerics.moments import p_and_limits
from validation.checks import Check
from validation.draws import Draw, Rng, exponential, normal, rare

Trials = Callable[[Rng, int], np.ndarray]
_INDEX, _MOST = 1.5, 500


def _sizes(rng: Rng, n: int) -> np.ndarray:
    return np.minimum(np.ceil((1 - rng.random(n)) ** (-1 / _INDEX)), _MOST).astype(int)


def means(slope: float) -> tuple[float, float]:
    """Return the mean over units and the mean over clusters of the population."""
    size = np.arange(1, _MOST + 1)
    at_least = np.maximum(size - 1, 1.0) ** -_INDEX
    share = at_least - np.append(at_least[1:], 0.0)
    effect = slope * np.log(size)
    return float((share * size * effect).sum() / (share * size).sum()), float(
        (share * effect).sum()
    )


def _drawn(
    rng: Rng, draw: Draw, slope: float, n_clusters: int, k: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    sizes = _sizes(rng, n_clusters)
    own = slope * np.log(sizes)[:, None] + draw(rng, (n_clusters, k))
    cluster = np.repeat(np.arange(n_clusters), sizes)
    return own[cluster] + normal(rng, (len(cluster), k)), cluster


def covers(
    over: str, slope: float, n_clusters: int = 40, draw: Draw = normal
) -> Trials:
    """Whether the 95 % interval holds the mean over units, or over clusters, of the
    population.
    """
    truth = means(slope)[over == "clusters"]
    estimator: Callable[..., Estimate] = (
        mean_of_cluster_means if over == "clusters" else mean_ice
    )

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = []
        for _ in range(n):
            ice, cluster = _drawn(rng, draw, slope, n_clusters)
            answer = estimator(ice, cluster)
            _, lower, upper = p_and_limits(answer.ace, answer.se, answer.df, 0.95)
            found.append(lower[0] <= truth <= upper[0])
        return np.array(found)

    return trials


def warned(
    slope: float, n_clusters: int = 40, draw: Draw = normal, k: int = 1
) -> Trials:
    """Whether effects are said to depend on cluster size, in k contrasts."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        return np.array(
            [
                size_dependence(*_drawn(rng, draw, slope, n_clusters, k))[1] <= LEVEL
                for _ in range(n)
            ]
        )

    return trials


def _own(draw: Draw) -> Trials:
    """False alarms among six contrasts whose clusters have effects of their own, and
    units within a cluster agree.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = []
        for _ in range(n):
            cluster = np.repeat(np.arange(40), _sizes(rng, 40))
            found.append(
                size_dependence(draw(rng, (40, 6))[cluster], cluster)[1] <= LEVEL
            )
        return np.array(found)

    return trials


_WHY = (
    "Means over units and over clusters, 40 clusters of Pareto sizes (index 1.5): 95 % "
    "intervals"
)
_WARNS = "The warning that effects depend on cluster size: Pareto sizes"
# known: 40,000 other trials
CHECKS = [
    Check(
        _WHY,
        "over units, effects unrelated to size (approximate)",
        covers("units", 0.0),
        0.9455,
        "known",
    ),
    Check(
        _WHY, "over clusters, effects unrelated to size", covers("clusters", 0.0), 0.95
    ),
    Check(
        _WHY,
        "over clusters, effects rise by one sd per unit of log size (approximate)",
        covers("clusters", 1.0),
        0.9525,
        "known",
    ),
    Check(
        _WHY,
        "over clusters, effects rise by one sd per unit of log size, exponential "
        "(approximate)",
        covers("clusters", 1.0, draw=exponential),
        0.9465,
        "known",
    ),
    Check(
        _WHY,
        "over units, effects rise by half an sd per unit of log size",
        covers("units", 0.5),
        0.95,
        "fails",
    ),
    Check(
        _WHY,
        "over units, effects rise by one sd per unit of log size",
        covers("units", 1.0),
        0.95,
        "fails",
    ),
    Check(
        _WHY,
        "over units, effects rise by one sd per unit of log size, 100 clusters",
        covers("units", 1.0, 100),
        0.95,
        "fails",
    ),
    Check(
        _WARNS,
        "false alarms, 40 clusters, 6 normal contrasts",
        _own(normal),
        LEVEL,
        "at most",
    ),
    Check(
        _WARNS,
        "false alarms, 40 clusters, 6 exponential contrasts",
        _own(exponential),
        LEVEL,
        "at most",
    ),
    Check(
        _WARNS,
        "false alarms, 40 clusters, 6 contrasts with rare effects",
        _own(rare),
        LEVEL,
        "at most",
    ),
    Check(
        _WARNS,
        "false alarms, 40 clusters, 6 contrasts that vary within clusters",
        warned(0.0, k=6),
        LEVEL,
        "at most",
    ),
    *(
        Check(
            _WARNS,
            f"true alarms, effects rise by one sd per unit of log size, {g} clusters",
            warned(1.0, g),
            0.5,
            "reported",
            2_000,
            300,
        )
        for g in (20, 40, 100)
    ),
]
