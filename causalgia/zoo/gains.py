"""Position gain: how much a window counts by where it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from causalgia.types import Array
from causalgia.zoo.numbers import number, positive


class Gain(ABC):
    """The factor of each window, by its start i = 0, 1, ...; centre c, by default the middle window."""

    centre: float | None

    @abstractmethod
    def along(self, windows: int) -> Array:
        """Return the factor of each of `windows` windows."""

    def _offsets(self, windows: int) -> Array:
        centre = (windows - 1) / 2 if self.centre is None else self.centre
        offsets: Array = np.arange(windows, dtype=np.float64) - centre
        return offsets


@dataclass(frozen=True)
class Slope(Gain):
    """``1 + per_base * (i - c)``: the effect grows or falls along the sequence.

    Examples
    --------
    >>> Slope(0.5).along(3)
    array([0.5, 1. , 1.5])
    """

    per_base: float
    centre: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "per_base", number(self.per_base, "Slope: per_base"))
        if self.centre is not None:
            object.__setattr__(self, "centre", number(self.centre, "Slope: centre"))

    def along(self, windows: int) -> Array:
        return 1 + self.per_base * self._offsets(windows)


@dataclass(frozen=True)
class Bump(Gain):
    """``exp(-(i - c)^2 / (2 sd^2))``: the effect is largest at a centre and fades with distance.

    Examples
    --------
    >>> Bump(1.0, centre=0).along(2).round(3)
    array([1.   , 0.607])
    """

    sd: float
    centre: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sd", positive(self.sd, "Bump: sd"))
        if self.centre is not None:
            object.__setattr__(self, "centre", number(self.centre, "Bump: centre"))

    def along(self, windows: int) -> Array:
        factor: Array = np.exp(-(self._offsets(windows) ** 2) / (2 * self.sd**2))
        return factor
