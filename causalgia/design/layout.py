"""Layout of an arm's edits: checks that every edit fits, before any sequence is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from causalgia.checks import shown
from causalgia.errors import DesignError, quoted


@dataclass(frozen=True)
class WrittenSpan:
    """Bases that an earlier step wrote and a later one must not change."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True)
class Layout:
    """The length of the sequence and the spans written so far, in current coordinates."""

    length: int
    written: tuple[WrittenSpan, ...] = ()

    def write(self, at: int, width: int, label: str) -> Layout:
        """Overwrite `width` bases at `at`.

        Raises
        ------
        DesignError
            If the pattern leaves the sequence or overlaps one written before.

        Examples
        --------
        >>> Layout(200).write(196, 7, "AGATAAG")
        Traceback (most recent call last):
        ...
        causalgia.errors.DesignError: 'AGATAAG' at 196 ends at 203, past the 200-bp background; ...
        """
        if width > self.length:
            raise DesignError(f"{shown(label)} has {width} bases, more than the {self.length}-bp background")
        if at + width > self.length:
            raise DesignError(
                f"{quoted(label)} at {at} ends at {at + width}, past the {self.length}-bp background; "
                f"the last valid start is {self.length - width}"
            )
        self._check_overlap((at, at + width), f"'{label}' at {at}")
        return replace(self, written=(*self.written, WrittenSpan(at, at + width, label)))

    def write_each(self, spans: Iterable[tuple[int, int]], label: str) -> Layout:
        """Overwrite one of several spans in each unit: they may overlap each other, but not earlier ones."""
        laid = [self.write(start, stop - start, label).written[-1] for start, stop in dict.fromkeys(spans)]
        return replace(self, written=(*self.written, *laid))

    def read(self, span: tuple[int, int], verb: str) -> Layout:
        """Read the bases of a span, written or not."""
        if span[1] > self.length:
            raise DesignError(f"{verb} of x[{span[0]}:{span[1]}] ends past the {self.length}-bp background")
        return self

    def disturb(self, span: tuple[int, int], verb: str) -> Layout:
        """Change the bases of a span that no earlier step wrote."""
        self.read(span, verb)
        self._check_overlap(span, f"{verb} of x[{span[0]}:{span[1]}]")
        return self

    def insert(self, at: int, width: int, label: str) -> Layout:
        """Insert `width` bases before the base at `at`; bases to the right are shifted."""
        if at > self.length:
            raise DesignError(f"insert of {quoted(label)} at {at} is past the end of the {self.length}-bp background")
        for w in self.written:
            if w.start < at < w.stop:
                raise DesignError(
                    f"insert of {quoted(label)} at {at} splits {quoted(w.label)} at {w.start}; move one of them"
                )
        moved = tuple(
            replace(w, start=w.start + width, stop=w.stop + width) if w.start >= at else w for w in self.written
        )
        return Layout(self.length + width, (*moved, WrittenSpan(at, at + width, label)))

    def delete(self, span: tuple[int, int]) -> Layout:
        """Remove the bases of a span; bases to the right are shifted."""
        self.disturb(span, "deletion")
        width = span[1] - span[0]
        if width == self.length:
            raise DesignError(f"deletion of x[{span[0]}:{span[1]}] leaves no sequence")
        moved = tuple(
            replace(w, start=w.start - width, stop=w.stop - width) if w.start >= span[1] else w for w in self.written
        )
        return Layout(self.length - width, moved)

    def _check_overlap(self, span: tuple[int, int], what: str) -> None:
        for w in self.written:
            if w.start < span[1] and span[0] < w.stop:
                raise DesignError(f"{what} overlaps {quoted(w.label)} at {w.start} (to {w.stop}); move one of them")
