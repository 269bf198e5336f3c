"""Values that the answers of experiments state."""

from __future__ import annotations

import math
from dataclasses import dataclass

GROUP = "arrangement"
"""Label of rows that are one curve each."""
KINDS = {
    "place": "place",
    "tile": "place",
    "gap": "run",
    "copies": "curve",
    "gc_percent": "slope",
    "log10_kd": "slope",
}
"""Axis -> kind of its shapes."""
NAMED_SHARE = 0.25
"""A run is named from this share of the largest one on; weaker ones are counted."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Neighboring settings of one verdict.

    Attributes
    ----------
    axis, group
        The setting (place, gap, copies), and the curve that it is part of.
    start, stop, n
        First and last setting, and how many were asked.
    sign
        1, -1; 0 inside of the region; None undecided.
    size, weakest, strongest
        Mean effect of the settings, that nearest to 0, and that farthest.
    first, last
        Effects at the first setting and the last.
    groups
        The curves that it is alike in, where these are most.
    period, length
        Of a wave, whose size is its amplitude.
    """

    axis: str
    group: str = ""
    start: float
    stop: float
    n: int = 1
    sign: int | None
    size: float
    weakest: float
    strongest: float
    first: float = math.nan
    last: float = math.nan
    groups: tuple[str, ...] = ()
    period: float = math.nan
    length: float = math.nan

    @property
    def kind(self) -> str:
        return KINDS.get(self.axis, "run")


@dataclass(frozen=True, kw_only=True)
class Acting:
    """A motif that leads its family: its effect on the strand that acts, and that on the
    other (NaN where there is one), and the other members, the largest effect first.
    """

    name: str
    core: str
    strand: str
    effect: float
    lower: float
    upper: float
    other_strand: float = math.nan
    members: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Screened:
    """What a screen found in one task."""

    noun: str
    n_asked: int
    n_acting: int
    families: tuple[Acting, ...]
    largest: Acting
    n_inside: int
    n_random: int
    n_random_acting: int
    range_lower: float
    range_upper: float


def wave_in_words(period: float, length: float, last: float) -> str:
    """Return a wave in words.

    Examples
    --------
    >>> wave_in_words(10.5, 60.0, 40), wave_in_words(10.5, math.inf, 40)
    ('a wave with a period of 10.5 bp, dying over 60 bp', 'a wave with a period of 10.5 bp, to 40 bp')
    """
    how = f"dying over {length:.0f}" if math.isfinite(length) else f"to {last:.0f}"
    return f"a wave with a period of {period:g} bp, {how} bp"
