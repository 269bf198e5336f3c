"""What was tried and chosen: where recomputing in part is right and faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-5
_ULPS = 16


@dataclass(frozen=True)
class Tried:
    """What was found for edits of one width in sequences of one length.

    `deviation` is the largest difference from the full pass, in units of the output's sd (or largest magnitude, where
    the sd is 0), and `tolerated` how large it may be; `share` the part of the network's multiplications that is done
    again; `speed` the time of a full pass over that of a recomputation, None where it was not measured.
    """

    length: int
    width: int
    deviation: float
    tolerated: float
    share: float
    speed: float | None
    chosen: bool

    @property
    def exact(self) -> bool:
        """Whether the deviation is tolerated."""
        return self.deviation <= self.tolerated

    def __str__(self) -> str:
        speed = "not timed" if self.speed is None else f"{self.speed:.2f} x the full pass's speed"
        return (
            f"{self.width} of {self.length} positions: {100 * self.share:.1f} % of the multiplications, {speed}, "
            f"deviation {self.deviation:.1e} sd; {'recomputed in part' if self.chosen else 'full pass'}"
        )


def deviation(made: NDArray[Any], full: NDArray[Any], spread: NDArray[Any]) -> tuple[float, float]:
    """Return the largest deviation of answers (m, tasks) in units of each task's sd, and the one that is tolerated.

    The sd is over the rows of `spread` (rows, tasks); where it is 0 the unit is the largest magnitude. Tolerated is
    1e-5, or sixteen times the rounding of the largest answer where that is more: the full pass knows an answer no
    better.

    Examples
    --------
    >>> full = np.array([[1.0], [3.0]])
    >>> deviation(full + 1e-9, full, full)[0] < 2e-9
    True
    """
    exact, rows = full.astype(np.float64), spread.astype(np.float64)
    sd, largest = rows.std(axis=0), np.abs(rows).max(axis=0)
    unit = np.where(sd > 0, sd, np.where(largest > 0, largest, 1))
    found = np.abs(made.astype(np.float64) - exact).max(axis=0) / unit
    floor = _ULPS * np.finfo(full.dtype).eps * largest / unit
    worst = int((found / np.maximum(floor, TOLERANCE)).argmax())
    return float(found[worst]), float(max(floor[worst], TOLERANCE))


def width_class(width: int) -> int:
    """Return the widest edit for which the choice made for a width holds: 1, 2, 3, 4, 6, 8, 12, 16, 24, ...

    Examples
    --------
    >>> [width_class(width) for width in (1, 5, 8, 10, 13, 17, 40)]
    [1, 6, 8, 12, 16, 24, 48]
    """
    power = 1 << max(width - 1, 0).bit_length()
    return power * 3 // 4 if power >= 4 and width <= power * 3 // 4 else power
