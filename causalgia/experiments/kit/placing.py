"""A shuffled context with a fixed promoter, in which copies of a tile stand where they are put."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from causalgia.design import Copy, Genomic, Intervention, Untreated
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments.kit.settings import positions
from causalgia.experiments.kit.tile_contexts import (
    blocks,
    in_words,
    protected,
    require_shufflable,
    shuffled,
    span_inside,
)

Strand = Literal["+", "-"]


@dataclass(frozen=True)
class Stage:
    """What all arms share: the sequence cut into blocks at every place, so that they shuffle the same blocks.

    Attributes
    ----------
    length
        Of the sequences.
    tile
        What is copied, from each sequence's own bases.
    tss
        What is never shuffled.
    at
        Places, clear of each other and of `tss`; the tile's own may be among them.
    k
        k-let counts that shuffles keep.
    """

    length: int
    tile: Span
    tss: Span
    at: tuple[int, ...]
    k: int

    @property
    def width(self) -> int:
        """Bases of the tile."""
        return self.tile[1] - self.tile[0]

    @cached_property
    def _blocks(self) -> tuple[Span, ...]:
        return blocks(self.length, [self.tile, self.tss, *map(self.place, self.at)])

    def place(self, at: int) -> Span:
        """Return the span of a copy."""
        return at, at + self.width

    def distance(self, at: int) -> float:
        """Return the distance from the middle of a copy to that of the promoter, in bases."""
        return abs(sum(self.place(at)) - sum(self.tss)) / 2

    def with_copies(self, strands: Mapping[int, Strand]) -> Intervention:
        """Return the intervention that leaves copies at these places, on their strands, and shuffles all the rest."""
        done: Intervention = Untreated()
        for at, strand in strands.items():
            if at != self.tile[0]:
                done = done + Copy(self.tile, at=at, strand=strand)
        kept = {self.tss, *map(self.place, strands)}
        return done + shuffled([block for block in self._blocks if block not in kept], self.k)


def stage(null: Genomic, *, tile: Any, at: Any, tss: Any, k: int) -> Stage:
    """Return the context for copies of a tile at given places.

    Raises
    ------
    DesignError
        If the tile or a place leaves the sequence, or overlaps another place, the tile or the promoter.

    Examples
    --------
    >>> made = stage(Genomic(of=["ACGT" * 25]), tile=(0, 10), at=[20, 60], tss=(40, 50), k=2)
    >>> made.distance(20), str(made.with_copies({20: "-"}))[:40]
    (20.0, 'do(x[20:30] = rc(x[0:10]), x[0:10] ~ scr')
    """
    own = span_inside(tile, "tile", null.length)
    if tss is None:
        raise DesignError("tss: give the (start, stop) that the tile acts on; it is kept in every arm")
    require_shufflable([own], k)
    listed, width = positions(at, "at", least=2), own[1] - own[0]
    spans = [span_inside((place, place + width), "at: a copy", null.length) for place in listed]
    apart = sorted([*spans, own] if own not in spans else spans)
    for first, second in pairwise(apart):
        if second[0] < first[1]:
            raise DesignError(
                f"at: a copy of {width} bp at {second[0]} overlaps {in_words(first)} (another copy, or tile="
                f"{in_words(own)} itself); keep places {width} bp or more apart, so that all arms share their context"
            )
    (kept,) = protected(tss, null.length, apart, "tile and copies")
    return Stage(null.length, own, kept, listed, k)
