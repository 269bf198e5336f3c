"""Times of contestants that take turns in one process, and their ratios: on a machine
with other work, only these hold.

A repeat runs every contestant once. Ratios are taken within a repeat, so that what
slows one repeat slows both sides of it; a figure is their median, told with their range.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Contestant = Callable[[int], object]

Times = dict[str, "NDArray[np.float64]"]
Figure = "float | list[float] | NDArray[np.float64]"
"""What a benchmark returns under a name: a number, or one of each repeat."""


def interleaved(
    contestants: Mapping[str, Contestant],
    repeats: int,
    *,
    clock: Callable[[], float] = time.process_time,
) -> Times:
    """Return the seconds of each contestant in each repeat, after one warm-up.

    Parameters
    ----------
    contestants
        Called with a key that is fresh in every repeat: a branch predictor learns a
        repeated draw.
    repeats
        How often each is timed.
    clock
        The processor's time by default (other work on the machine is not ours);
        `time.perf_counter` where threads or disks are measured.
    """
    times = {name: np.empty(repeats) for name in contestants}
    for run in contestants.values():
        run(17)
    for repeat in range(repeats):
        for name, run in contestants.items():
            start = clock()
            run(1_000_003 * (repeat + 1) + 17)
            times[name][repeat] = clock() - start
    return times


def ratios(times: Times, over: str, under: str) -> NDArray[np.float64]:
    """Return how many times longer one contestant takes than another, in each
    repeat.
    """
    return times[over] / times[under]


def ratio(times: Times, over: str, under: str) -> float:
    """Return the median of these ratios."""
    return float(np.median(ratios(times, over, under)))


def shown(figure: Figure) -> str:
    """Return a figure in three digits, with the range of its repeats."""
    middle, *ends = (_digits(of(figure)) for of in (np.median, np.min, np.max))
    return middle if np.ndim(figure) == 0 else f"{middle} ({' to '.join(ends)})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def tell(times: Times) -> None:
    """Print the median and the least seconds of each contestant."""
    for name, seconds in times.items():
        print(
            f"  {name:<40}{np.median(seconds):10.4f} s   (least {seconds.min():.4f} s)"
        )


def tell_ratios(found: Mapping[str, Figure]) -> None:
    """Print what was found."""
    for name, figure in found.items():
        print(f"  {name:<74}{shown(figure)}")
