"""Saturating responses g to a summed score, with their exact expectations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from causalgia.types import Array
from causalgia.zoo.automaton import WeightedSite, distribution, expected_exp
from causalgia.zoo.numbers import number, positive


class Response(ABC):
    """A function g of a score."""

    @abstractmethod
    def of(self, score: Array) -> Array:
        """Return g(score), elementwise."""

    def expected(self, columns: Array, sites: Sequence[WeightedSite]) -> Array:
        """Return E[g(sum of the windows' weights)], (m,), from the exact distribution of the sum."""
        values, probabilities = distribution(columns, sites)
        expected: Array = probabilities @ self.of(values)
        return expected


@dataclass(frozen=True)
class Hill(Response):
    """``top * x^power / (half^power + x^power)`` for x = max(score, 0); power 1 is Michaelis-Menten.

    Examples
    --------
    >>> Hill(top=2, half=1).of(np.array([0.0, 1.0, 3.0]))
    array([0. , 1. , 1.5])
    """

    top: float = field(kw_only=True)
    half: float = field(kw_only=True)
    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", number(self.top, "Hill: top"))
        object.__setattr__(self, "half", positive(self.half, "Hill: half"))
        object.__setattr__(self, "power", positive(self.power, "Hill: power"))

    def of(self, score: Array) -> Array:
        x = np.maximum(score, 0.0) ** self.power
        answer: Array = self.top * x / (self.half**self.power + x)
        return answer


@dataclass(frozen=True)
class Exponential(Response):
    """``top * (1 - exp(-score / scale))``.

    Examples
    --------
    >>> Exponential(top=1, scale=1).of(np.array([0.0, np.log(2)]))
    array([0. , 0.5])
    """

    top: float = field(kw_only=True)
    scale: float = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", number(self.top, "Exponential: top"))
        object.__setattr__(self, "scale", positive(self.scale, "Exponential: scale"))

    def of(self, score: Array) -> Array:
        return self.top * -np.expm1(-score / self.scale)

    def expected(self, columns: Array, sites: Sequence[WeightedSite]) -> Array:
        return self.top * (1 - expected_exp(columns, [(site, -weights / self.scale) for site, weights in sites]))
