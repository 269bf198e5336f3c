"""Individual causal effects with mean 0: normal, skewed, rare, and of units that share
parents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
Draw = Callable[[Rng, tuple[int, ...]], np.ndarray]
RARE = 0.03


def normal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Draw standard normal effects."""
    return rng.standard_normal(shape)


def exponential(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Draw effects of skewness 2, mean 0, sd 1."""
    return rng.standard_exponential(shape) - 1


def lognormal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Draw effects of skewness 6.2, mean 0."""
    return rng.lognormal(size=shape) - np.exp(0.5)


def rare(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Draw an effect of 1 in 3 % of the units, else none; less its mean."""
    return (rng.random(shape) < RARE) - RARE


def parents_of(sizes: list[int]) -> np.ndarray:
    """Return the parent of each unit, for parents with so many units."""
    return np.repeat(np.arange(len(sizes)), sizes)


def clustered(rng: Rng, parent: np.ndarray, draw: Draw, n_trials: int) -> np.ndarray:
    """Draw effects, (unit, trial), with an intraclass correlation of one half; the
    parents' part is normal.
    """
    return (
        draw(rng, (len(parent), n_trials))
        + normal(rng, (int(parent.max()) + 1, n_trials))[parent]
    )
