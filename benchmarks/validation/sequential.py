"""Trials that stop themselves: false alarms over all looks, and intervals at the place where precision was reached."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from causalgia.stopping import least_clusters, sequence_critical
from validation.checks import Check
from validation.draws import Draw, Rng, exponential, lognormal, normal, rare

Trials = Callable[[Rng, int], np.ndarray]
LOOKS = np.unique(np.geomspace(100, 4_000, 18).astype(int))


def looks(ice: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, sd and skewness of the first n of each trial at every look, each (look, trial)."""
    sums = [np.cumsum(ice**k, axis=0)[LOOKS - 1] / LOOKS[:, None] for k in (1, 2, 3)]
    mean, variance = sums[0], sums[1] - sums[0] ** 2
    third = sums[2] - 3 * sums[0] * sums[1] + 2 * sums[0] ** 3
    return mean, np.sqrt(variance * (LOOKS / (LOOKS - 1))[:, None]), third / np.maximum(variance, 1e-12) ** 1.5


def alarms(draw: Draw, *, sequence: bool) -> Trials:
    """The effect lies on the bound: whether any look puts the interval beyond it."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        out = []
        for size in np.diff(np.append(np.arange(0, n_trials, 200), n_trials)):
            mean, sd, skewness = looks(draw(rng, (int(LOOKS[-1]), int(size))))
            n = LOOKS[:, None]
            if sequence:
                beyond = (np.abs(mean) > sd / np.sqrt(n) * sequence_critical(n, alpha=0.05)) & (
                    n >= least_clusters(skewness)
                )
            else:
                beyond = np.abs(mean) > sd / np.sqrt(n) * stats.t.ppf(0.975, n - 1)
            out.append(beyond.any(axis=0))
        return np.concatenate(out)

    return trials


def covered_when_short(draw: Draw, halfwidth: float) -> Trials:
    """Whether the interval at the first look that is short enough covers the effect."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        out = []
        for size in np.diff(np.append(np.arange(0, n_trials, 200), n_trials)):
            mean, sd, _ = looks(draw(rng, (int(LOOKS[-1]), int(size))))
            half = sd / np.sqrt(LOOKS)[:, None] * stats.t.ppf(0.975, LOOKS - 1)[:, None]
            stop = np.argmax((half <= halfwidth) | (LOOKS[-1] == LOOKS)[:, None], axis=0)
            where = (stop, np.arange(int(size)))
            out.append(np.abs(mean[where]) <= half[where])
        return np.concatenate(out)

    return trials


_LOOK = "Eighteen looks from 100 to 4,000 clusters"
_KINDS: dict[str, Draw] = {"normal": normal, "exponential": exponential, "lognormal": lognormal, "3 % rare": rare}
CHECKS = [
    *(
        Check(
            _LOOK, f"confidence sequence, {name}: false alarms", alarms(draw, sequence=True), 0.05, "at most", quick=400
        )
        for name, draw in _KINDS.items()
    ),
    Check(
        _LOOK, "t interval at each look, normal: false alarms", alarms(normal, sequence=False), 0.05, "fails", quick=400
    ),
    Check(_LOOK, "stop at a half-width of .08, normal: coverage", covered_when_short(normal, 0.08), 0.95, quick=400),
    Check(
        _LOOK,
        "stop at a half-width of .08, lognormal: coverage",
        covered_when_short(lognormal, 0.08 * 2.16),
        0.95,
        "reported",
        quick=400,
    ),
]
