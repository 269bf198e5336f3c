"""The mean individual effect of many units: what a true effect is where no closed form exists."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Genomic, Intervention, KletShuffle, NullModel
from causalgia.sequences.fasta import as_sequences
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array

if TYPE_CHECKING:
    from causalgia.zoo.grammar import Oracle

_UNITS_AT_ONCE, _NUMBERS_AT_ONCE = 8_192, 2**24


class Moments:
    """Mean and variance of individual effects within each parent, added up unit by unit.

    Parameters
    ----------
    parents
        Number of parents, each of equally many units.
    shift
        Numbers near the effects, (contrasts, tasks): sums are of differences from them.
    """

    def __init__(self, parents: int, shift: Array) -> None:
        self.parents, self.shift, self.n = parents, shift, 0
        self.sums, self.squares = (np.zeros((parents, *shift.shape)) for _ in range(2))

    def add(self, ice: Array, parent: NDArray[np.int64]) -> None:
        """Take the effects of some units, (units, contrasts, tasks), and the number of each one's parent, (units,)."""
        np.add.at(self.sums, parent, ice - self.shift)
        np.add.at(self.squares, parent, (ice - self.shift) ** 2)
        self.n += len(ice)

    @property
    def mean(self) -> Array:
        """Mean effect, every parent alike, (contrasts, tasks)."""
        mean: Array = self.shift + self.sums.sum(axis=0) / self.n
        return mean

    @property
    def mcse(self) -> Array:
        """Standard error of that mean from the spread within parents, (contrasts, tasks)."""
        each = self.n // self.parents
        if each == 1:
            return np.zeros(self.shift.shape)
        spread = np.maximum(self.squares - self.sums**2 / each, 0).sum(axis=0) / (each - 1)
        mcse: Array = np.sqrt(spread / each) / self.parents
        return mcse


def simulated_effects(
    oracle: Oracle, null: NullModel, arms: list[Intervention], weights: Any, *, n: int, rng: RNG
) -> Moments:
    """Return the moments of the individual effects, ``sum over arms of weight x Y(arm)``.

    Parameters
    ----------
    oracle
        What is asked.
    null
        What the units are drawn from.
    arms
        What is done to each unit.
    weights
        The weight of each arm in each contrast, (contrasts, arms), sparse.
    n
        Least number of units, where they are drawn.
    rng
        Which units.
    """
    used = np.unique(weights.indices)
    arms, weights = [arms[i] for i in used], weights[:, used]
    turns = math.lcm(*(arm.turns for arm in arms))
    null, parents, each = _population(null, n, turns, random=any(arm.random for arm in arms))
    arms = [arm.for_draws(null.draws) for arm in arms]  # as many as are taken here, whatever the trial has
    key, total = derive(root_key(rng), "true ACE"), parents * each
    size = max(1, min(_UNITS_AT_ONCE, _NUMBERS_AT_ONCE // max(null.length, len(arms) * len(oracle.tasks))))
    moments: Moments | None = None
    for start in range(0, total, size):
        units = np.arange(start, min(start + size, total), dtype=np.uint64)
        tokens = null.draw(units, key=derive(key, "null"), n_units=total)
        answers = np.stack([oracle.predict(arm.apply(tokens, units=units, key=key)) for arm in arms])
        ice = (weights @ answers.reshape(len(arms), -1)).reshape(-1, *answers.shape[1:]).swapaxes(0, 1)
        moments = moments or Moments(parents * turns, ice[0])
        moments.add(ice, _groups(units.astype(np.int64), null, parents, each, turns))
    assert moments is not None
    return moments


def _groups(units: NDArray[np.int64], null: NullModel, parents: int, each: int, turns: int) -> NDArray[np.int64]:
    """Return the parent of each unit, and of parents whose draws take sites in turn the site too, as one number."""
    if not isinstance(null, Genomic):
        return units % parents
    return units // each * turns + units % each % turns


def _population(null: NullModel, n: int, turns: int, *, random: bool) -> tuple[NullModel, int, int]:
    """Return what to draw from, its number of parents (1 where units have none), and the units of each parent."""
    parents = len(as_sequences(null.of)) if isinstance(null, KletShuffle | Genomic) else 1
    each = max(2, -(-n // parents))
    if not isinstance(null, Genomic):
        return null, parents, each
    each = turns * max(2, -(-each // turns)) if random else turns
    return replace(null, draws=each), parents, each
