"""The two rules: stop when intervals are short (`Precision`), or when verdicts are clear (`Decided`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.analysis import Analysis, Contrasts
from causalgia.errors import DecisionError, DesignError, EstimateError
from causalgia.stopping.seen import Seen, seen
from causalgia.stopping.sequence import START, least_clusters, sequence_critical

_GROWTH = 1.25


@dataclass(frozen=True)
class Look:
    """What one look found: whether to stop, why in words, and ``n_units, n_clusters, lower, upper`` for the record."""

    stop: bool
    words: str
    record: xr.Dataset


@dataclass(frozen=True, kw_only=True, repr=False)
class Rule:
    """What both rules have: which contrasts are watched, and when.

    Parameters
    ----------
    control, contrasts
        What is watched; left out, what the analysis kept with the outcomes asks (``cg.run(..., analysis=)``), and
        without one every arm minus the first arm of the design. Fixed placebo words are not waited for.
    start
        Independent clusters (parents, where units share them) before a look may stop the trial; 100 or more.
    every
        Units between looks; None: each look has a quarter more units than the one before.
    """

    control: str | None = None
    contrasts: Contrasts | None = None
    start: int = START
    every: int | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        try:
            asked = Analysis(control=self.control, contrasts=self.contrasts)
        except DesignError as error:
            raise EstimateError(str(error).replace("Analysis", name, 1)) from error
        object.__setattr__(self, "contrasts", asked.contrasts)
        if not _is_count(self.start) or self.start < START:
            raise EstimateError(
                f"{name}: start={self.start!r} must be {START} clusters or more; earlier looks raise false alarms"
            )
        if self.every is not None and not _is_count(self.every):
            raise EstimateError(f"{name}: every={self.every!r} must be a number of units, or None")

    def schedule(self, n_units: int) -> list[int]:
        """Return the numbers of units at which to look, the last of them all there can be.

        Examples
        --------
        >>> Precision(halfwidth=0.1).schedule(200)
        [100, 125, 157, 197, 200]
        """
        looks, n = [], self.start
        while n < n_units:
            looks.append(n)
            n = int(np.ceil(n * _GROWTH)) if self.every is None else n + self.every
        return [*looks, n_units]

    def _seen(self, outcomes: xr.Dataset) -> Seen:
        contrasts = None if self.contrasts is None else {name: dict(row) for name, row in dict(self.contrasts).items()}
        return seen(outcomes, control=self.control, contrasts=contrasts, start=self.start)

    def _needed(self, now: Seen) -> int:
        """Return how many clusters effects need that are as skewed as the most skewed one."""
        return int(np.ceil(least_clusters(now.skewness, start=self.start)[now.awaited].max()))

    def __repr__(self) -> str:
        said = [(f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in said)})"


@dataclass(frozen=True, kw_only=True, repr=False)
class Precision(Rule):
    """Stop once every interval is short: fixed-width stopping on the plain t interval.

    It ends at the first look at which ``t se <= halfwidth`` for every contrast and task, from `start` independent
    clusters on. What is reported is the plain interval, as `causalgia.estimate` gives it: its width, not its place,
    decides when to stop, and its coverage tends to `ci_prob` as the halfwidth shrinks; slowly where effects are skewed,
    for an underestimated spread ends the trial early (.80 for an effect that 3 % of units have, stopped at 170 units),
    and ``attrs["stopped"]`` says so. It says nothing of verdicts.

    Parameters
    ----------
    halfwidth
        Half the width of the longest interval, on the scale of the contrasts.
    ci_prob
        Probability of the intervals.
    control, contrasts
        What is watched; left out, what the analysis kept with the outcomes asks (``cg.run(..., analysis=)``), and
        without one every arm minus the first arm of the design. Fixed placebo words are not waited for.
    start
        Independent clusters (parents, where units share them) before a look may stop the trial; 100 or more.
    every
        Units between looks; None: each look has a quarter more units than the one before.

    Raises
    ------
    EstimateError
        If `halfwidth` is not positive, or `start` is below 100.

    References
    ----------
    Chow & Robbins (1965), doi:10.1214/aoms/1177700156.

    Examples
    --------
    >>> Precision(halfwidth=0.05)
    Precision(halfwidth=0.05)
    """

    halfwidth: float
    ci_prob: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _is_number(self.halfwidth) or not 0 < self.halfwidth < np.inf:
            raise EstimateError(
                f"Precision: halfwidth={self.halfwidth!r} must be a positive number, on the outcome's scale"
            )
        if not _is_number(self.ci_prob) or not 0 < self.ci_prob < 1:
            raise EstimateError(f"Precision: ci_prob={self.ci_prob!r} is not between 0 and 1; for example ci_prob=0.95")

    def look(self, outcomes: xr.Dataset) -> Look:
        """Look at the outcomes of the units so far."""
        now = self._seen(outcomes)
        half = special.stdtrit(now.df, 0.5 + self.ci_prob / 2) * now.se
        record = now.record(now.ace - half, now.ace + half)
        if now.n_clusters < self.start:
            return Look(False, f"undecided: {now.n_clusters:,} clusters, of the {self.start:,} that are needed", record)
        if (wide := (half > self.halfwidth) & now.awaited).any():
            return Look(
                False, f"intervals wider than {self.halfwidth:g} to each side are left: {now.named(wide)}", record
            )
        said = f"every interval {now.against}is at most {self.halfwidth:g} to each side"
        if now.n_clusters < self._needed(now):
            said += "; effects are so skewed that intervals of this many clusters may cover less than they say"
        return Look(True, said, record)


@dataclass(frozen=True, kw_only=True, repr=False)
class Decided(Rule):
    """Stop once every verdict is clear: a confidence sequence, which holds at all looks together.

    At each look the interval of every contrast and task is that of an asymptotic confidence sequence over the sums of
    independent clusters; the trial stops when each lies above, below or inside the ROPE. The chance that any interval
    ever misses its effect is at most ``1 - level`` (asymptotically), shared equally over contrasts and tasks, so that
    looking often raises no false alarm. The price: intervals 1.55 to 1.65 times the t interval's (for one contrast),
    and they are the ones to report (``look_lower, look_upper`` of the last look). A trial that reaches its ``n_units``
    undecided says so; to extend it then is a new look that nobody paid for: run a new one, or `causalgia.confirm`.

    Parameters
    ----------
    rope
        (lower, upper) on the scale of the contrasts, or 0 for direction alone: the side of no effect, which is 1 where
        the analysis kept with the outcomes asks for ratios.
    level
        Probability that no interval ever misses.
    control, contrasts
        What is watched, as in `Precision`.
    start
        Independent clusters before a look may stop the trial: 100 or more, and in any case 25 skewness^2 of the sums
        over clusters.
    every
        Units between looks; None: each look has a quarter more units than the one before.

    Raises
    ------
    DecisionError
        If the ROPE is none, reversed, or known only from the outcomes themselves (``"placebo"``, sd).
    EstimateError
        If `level` is not between 0 and 1, or `start` is below 100.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), doi:10.1214/24-AOS2408.

    Examples
    --------
    >>> Decided(rope=(-0.1, 0.1), control="placebo")
    Decided(control='placebo', rope=(-0.1, 0.1))
    """

    rope: tuple[float, float] | int
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rope is None or isinstance(self.rope, str | Mapping):
            raise DecisionError(
                f"Decided: rope={self.rope!r} is not fixed beforehand for all effects; say two numbers, or 0"
            )
        try:
            object.__setattr__(self, "rope", Analysis(rope=self.rope).rope)
        except DesignError as error:
            raise DecisionError(str(error).replace("Analysis", "Decided", 1)) from error
        if not _is_number(self.level) or not 0 < self.level < 1:
            raise EstimateError(f"Decided: level={self.level!r} is not between 0 and 1; for example level=0.95")

    def look(self, outcomes: xr.Dataset) -> Look:
        """Look at the outcomes of the units so far."""
        now = self._seen(outcomes)
        half = self._critical(now) * now.se
        lower, upper = now.ace - half, now.ace + half
        low, high = self.rope if isinstance(self.rope, tuple) else (now.null_value, now.null_value)
        clear = (lower > high) | (upper < low) | ((lower > low) & (upper < high))
        record = now.record(lower, upper)
        if now.n_clusters < (needed := self._needed(now)):
            why = "are needed" if needed == self.start else f"the skewness of {now.most_skewed()} needs"
            return Look(False, f"undecided: {now.n_clusters:,} clusters, of the {needed:,} that {why}", record)
        if (left := ~clear & now.awaited).any():
            return Look(False, f"undecided: {now.named(left)}", record)
        return Look(True, f"every contrast {now.against}is above, below or inside the ROPE", record)

    def _critical(self, now: Seen) -> npt.NDArray[np.float64]:
        """Return the sequence's critical value, with the error shared over the questions.

        Its clock is the units, and starts with as many as gave `start` clusters: information on a mean of clusters
        grows at most as fast as the units do, and a clock that runs too fast only widens the interval.
        """
        clock = max(now.n_units / now.units_at_start, 1.0) * self.start
        return sequence_critical(clock, alpha=(1 - self.level) / int(now.awaited.sum()), start=self.start)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)
