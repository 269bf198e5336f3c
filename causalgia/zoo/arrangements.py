"""Terms for arrangements of motifs: pairs at a distance, and motifs in a hairpin."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_int, as_number, as_positive
from causalgia.errors import PredictorError, quoted
from causalgia.types import Array, Ints
from causalgia.zoo.automaton import (
    Places,
    Reading,
    Site,
    Strand,
    merged_pattern,
    n_windows,
    pattern_probability,
    site_probability,
    total,
)
from causalgia.zoo.terms import Term


@dataclass(frozen=True)
class Pair(Term):
    """Two motifs and the distance d between their starts:
    ``sum over pairs of windows h(d)``, d >= 1.

    ``h(d) = clash(d)`` below `min_distance` (steric exclusion), else ``bonus * exp(-d /
    decay) * (1 + phase * cos(2 pi d / period))``, and 0 beyond `reach`.

    Parameters
    ----------
    first, second
        The motifs. A pair of equal motifs is counted once.
    bonus
        Effect of a pair at `min_distance` or more.
    clash
        Effect of a pair below `min_distance`: one number, or (distance, effect) pairs
        in order of distance, which are interpolated linearly (to 0 at `min_distance`,
        constant before the first).
    min_distance
        Least distance between starts without a clash.
    decay
        Distance at which the bonus has fallen to 1/e; None: no decay.
    phase, period
        Depth and period (bases) of the helical phase.
    reach
        Largest distance that counts.
    direction
        ``"forward"``: only `first` upstream of `second`.
    strand
        As for `MotifCount`, for both motifs.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> Pair("GATA", "CACG", bonus=2.0, decay=None).score(
    ...     Reading(encode(["GATACACG", "CACGGATA", "GATAAAAA"]))
    ... )
    array([2., 2., 0.])
    """

    first: str
    second: str
    bonus: float = field(default=0.0, kw_only=True)
    clash: float | tuple[tuple[int, float], ...] = field(default=0.0, kw_only=True)
    min_distance: int = field(default=1, kw_only=True)
    decay: float | None = field(default=None, kw_only=True)
    phase: float = field(default=0.0, kw_only=True)
    period: float = field(default=10.5, kw_only=True)
    reach: int | None = field(default=None, kw_only=True)
    direction: Literal["either", "forward"] = field(default="either", kw_only=True)
    strand: Strand = field(default="+", kw_only=True)

    def __post_init__(self) -> None:
        Site.of(self.first, self.strand), Site.of(self.second, self.strand)
        for name in ("bonus", "phase"):
            object.__setattr__(
                self, name, as_number(getattr(self, name), f"{self._label}: {name}")
            )
        object.__setattr__(
            self, "period", as_positive(self.period, f"{self._label}: period")
        )
        object.__setattr__(
            self,
            "min_distance",
            as_int(self.min_distance, f"{self._label}: min_distance"),
        )
        object.__setattr__(self, "clash", self._as_clash())
        if self.decay is not None:
            object.__setattr__(
                self, "decay", as_positive(self.decay, f"{self._label}: decay")
            )
        if self.reach is not None:
            object.__setattr__(
                self, "reach", as_int(self.reach, f"{self._label}: reach")
            )
        if self.direction not in ("either", "forward"):
            raise PredictorError(
                f"{self._label}: direction={quoted(self.direction)} must be "
                "'either' or 'forward'"
            )

    @property
    def _label(self) -> str:
        return f"pair '{self.first}', '{self.second}'"

    def _as_clash(self) -> float | tuple[tuple[int, float], ...]:
        """Return the validated clash: a number, or (distance, effect) with rising
        distances below `min_distance`.
        """
        if not isinstance(self.clash, tuple | list):
            return as_number(self.clash, f"{self._label}: clash")
        knots = tuple(
            tuple(knot) if isinstance(knot, tuple | list) else () for knot in self.clash
        )
        ends = [-1, *(knot[0] for knot in knots if len(knot) == 2), self.min_distance]
        if (
            not knots
            or len(ends) != len(knots) + 2
            or any(a >= b for a, b in pairwise(ends))
        ):
            raise PredictorError(
                f"{self._label}: clash={quoted(self.clash)} must be a number, or "
                "(distance, effect) by rising distance, all below "
                f"min_distance={self.min_distance}"
            )
        label = f"{self._label}: clash"
        return tuple(
            (as_int(d, f"{label}: distance"), as_number(effect, f"{label} at {d}"))
            for d, effect in knots
        )

    def by_distance(self, length: int) -> Array:
        """Return h(d) for d = 0, ..., length - 1; h(0) is 0."""
        return _distance_profile(self, length)

    def orders(self) -> tuple[tuple[Site, Site], ...]:
        """Return the (upstream, downstream) sites of the pair in each admitted
        order.
        """
        one, two = Site.of(self.first, self.strand), Site.of(self.second, self.strand)
        return (
            ((one, two),)
            if self.direction == "forward" or one == two
            else ((one, two), (two, one))
        )

    def score(self, reading: Reading) -> Array:
        h = self.by_distance(reading.length)
        return total(
            [
                _pair_sums(reading.places(a), reading.places(b), h, reading.n)
                for a, b in self.orders()
            ]
        )

    def expected(self, columns: Array) -> Array:
        h = self.by_distance(columns.shape[1])
        return total([_expected_pairs(columns, a, b, h) for a, b in self.orders()])


@lru_cache(maxsize=64)
def _distance_profile(pair: Pair, length: int) -> Array:
    d = np.arange(length, dtype=float)
    wave = 1 + pair.phase * np.cos(2 * np.pi * d / pair.period)
    h = pair.bonus * wave * (1.0 if pair.decay is None else np.exp(-d / pair.decay))
    clash: Array | float
    if isinstance(pair.clash, tuple):
        at, effects = zip(*pair.clash, (pair.min_distance, 0.0), strict=True)
        clash = np.interp(d, at, effects)
    else:
        clash = pair.clash
    h = np.where(d < pair.min_distance, clash, h)
    h = np.where(
        (d == 0) | (d > (length if pair.reach is None else pair.reach)), 0.0, h
    )
    h.flags.writeable = False
    return h


def _pair_sums(upstream: Places, downstream: Places, h: Array, n: int) -> Array:
    """Return the sum of h over pairs of places for each of n rows, by a join of the two
    lists of places.
    """
    (rows, at), (rows_, at_) = upstream, downstream
    begin = np.searchsorted(rows_, rows, "left")
    partners = np.searchsorted(rows_, rows, "right") - begin
    which = np.repeat(np.arange(len(rows)), partners)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(partners) - partners, partners)
    distance = at_[begin[which] + nth] - at[which]
    sums = np.bincount(
        rows[which], weights=np.where(distance > 0, h[distance], 0.0), minlength=n
    )
    return sums.astype(np.float64, copy=False)


def _expected_pairs(columns: Array, a: Site, b: Site, h: Array) -> Array:
    """Return the expected sum of h over pairs, (m,): a convolution for disjoint
    windows, which are independent.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    first, second = site_probability(columns, a), site_probability(columns, b)
    near = np.flatnonzero(h[: a.width]).tolist()
    apart = np.where(np.arange(len(h)) < a.width, 0.0, h)
    # sum_i first[i] apart[j - i], by the fast Fourier transform
    n = next_fast_len(first.shape[1] + len(apart), real=True)
    convolved: Array = irfft(rfft(first, n) * rfft(apart, n), n)[:, : len(apart)]
    expected: Array = (convolved[:, : second.shape[1]] * second[:, : len(h)]).sum(
        axis=1
    )
    return total(
        [
            expected,
            *(h[d] * _expected_overlapping_pairs(columns, a, b, d) for d in near),
        ]
    )


def _expected_overlapping_pairs(columns: Array, a: Site, b: Site, d: int) -> Array:
    """Return the expected number of pairs at a distance where the two windows
    overlap.
    """
    expected = np.zeros(len(columns))
    for sign, pattern in a.signed:
        for sign_, pattern_ in b.signed:
            both = merged_pattern(pattern, pattern_, d)
            if both is not None:
                expected += (
                    sign * sign_ * pattern_probability(columns, both).sum(axis=1)
                )
    return expected


@dataclass(frozen=True)
class Hairpin(Term):
    """A motif in the loop between two complementary arms.

    ``bonus * sum over starts a, loop lengths l and places o in the loop of 1{motif at
    a + stem + o} * prod_k 1{base a + k pairs with base a + 2 stem + l - 1 - k}``, k =
    0, ..., stem - 1.

    Parameters
    ----------
    motif
        The motif in the loop.
    bonus
        Effect of one motif in one hairpin.
    stem
        Base pairs that close the loop.
    loop
        Bases between the arms: one length, or several.
    wobble
        Whether G pairs with U (T) as well.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> hairpin = Hairpin("GCUGG", bonus=1.5, stem=4, loop=5)
    >>> hairpin.score(Reading(encode(["ACGUGCUGGACGU", "AAAAGCUGGAAAA"])))
    array([1.5, 0. ])
    """

    motif: str
    bonus: float = field(kw_only=True)
    stem: int = field(kw_only=True)
    loop: int | tuple[int, ...] = field(kw_only=True)
    wobble: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        label = f"hairpin '{self.motif}'"
        width = Site.of(self.motif).width
        object.__setattr__(self, "bonus", as_number(self.bonus, f"{label}: bonus"))
        object.__setattr__(self, "stem", as_int(self.stem, f"{label}: stem"))
        loops = (
            self.loop if isinstance(self.loop, tuple | list | range) else (self.loop,)
        )
        object.__setattr__(
            self, "loop", tuple(as_int(x, f"{label}: loop", least=width) for x in loops)
        )
        if not self.loops or len(set(self.loops)) < len(self.loops):
            raise PredictorError(
                f"{label}: loop={quoted(self.loop)} must be one length or several "
                "different ones"
            )

    @property
    def loops(self) -> tuple[int, ...]:
        """The loop lengths, as a tuple."""
        return self.loop  # type: ignore[return-value]

    @property
    def pairing(self) -> NDArray[np.float64]:
        """Base pairs, (4, 4) of 0 and 1."""
        pairs = np.eye(4)[::-1].copy()
        if self.wobble:
            pairs[2, 3] = pairs[3, 2] = 1
        return pairs

    def score(self, reading: Reading) -> Array:
        rows, at = reading.places(Site.of(self.motif))
        counts = []
        for loop in self.loops:
            closed = [
                rows[self.closed(reading, rows, at - place, loop)]
                for place in self.places(loop)
            ]
            counts.append(
                np.bincount(np.concatenate(closed), minlength=reading.n).astype(
                    np.float64
                )
            )
        return self.bonus * total(counts)

    def closed(
        self, reading: Reading, rows: Ints, starts: Ints, loop: int
    ) -> NDArray[np.bool_]:
        """Return whether a hairpin starts at each of these places, (hits,)."""
        closed = (starts >= 0) & (
            starts < n_windows(reading.length, 2 * self.stem + loop)
        )
        pairs = self.pairing.astype(bool)
        for left, right in self.stem_pairs(loop):
            row, start = rows[closed], starts[closed]
            closed[closed] = pairs[
                reading.tokens[row, start + left], reading.tokens[row, start + right]
            ]
        return closed

    def places(self, loop: int) -> range:
        """Return the possible starts of the motif, counted from the start of the 5'
        arm.
        """
        return range(self.stem, self.stem + loop - Site.of(self.motif).width + 1)

    def stem_pairs(self, loop: int) -> list[tuple[int, int]]:
        """Return the positions of each base pair, counted from the start of the 5'
        arm.
        """
        return [(k, 2 * self.stem + loop - 1 - k) for k in range(self.stem)]

    def expected(self, columns: Array) -> Array:
        motif = site_probability(columns, Site.of(self.motif))
        expected = []
        for loop in self.loops:
            windows = n_windows(columns.shape[1], 2 * self.stem + loop)
            closed = np.ones((len(columns), windows))
            for left, right in self.stem_pairs(loop):
                partner = columns[:, right : right + windows] @ self.pairing
                closed *= (columns[:, left : left + windows] * partner).sum(axis=-1)
            inside = total(
                [motif[:, place : place + windows] for place in self.places(loop)]
            )
            expected.append((closed * inside).sum(axis=1))
        return self.bonus * total(expected)
