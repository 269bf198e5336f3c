"""Reach of an edit: the outputs of a layer that it changes, and the inputs that they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""Positions from the first up to, but not including, the second; never empty."""


def hull(spans: Iterable[Span | None]) -> Span | None:
    """Return the shortest span that contains some spans; None if there are none.

    Examples
    --------
    >>> hull([(3, 5), None, (9, 10)]), hull([None])
    ((3, 10), None)
    """
    known = [span for span in spans if span is not None]
    return (min(a for a, _ in known), max(b for _, b in known)) if known else None


def clipped(span: Span | None, length: int) -> Span | None:
    """Return the part of a span inside a sequence; None if there is none.

    Examples
    --------
    >>> clipped((-2, 4), 10), clipped((12, 14), 10)
    ((0, 4), None)
    """
    if span is None:
        return None
    start, stop = max(span[0], 0), min(span[1], length)
    return (start, stop) if start < stop else None


def outside(span: Span, inner: Span) -> list[Span]:
    """Return the parts of a span on both sides of another.

    Examples
    --------
    >>> outside((0, 10), (3, 5)), outside((0, 10), (0, 10)), outside((0, 4), (6, 8))
    ([(0, 3), (5, 10)], [], [(0, 4)])
    """
    sides = ((span[0], min(inner[0], span[1])), (max(inner[1], span[0]), span[1]))
    return [side for side in sides if side[0] < side[1]]


@dataclass(frozen=True)
class Window:
    """A layer whose output o depends on the inputs ``o * stride - pad + j * dilation``, j = 0 ... kernel - 1.

    Examples
    --------
    >>> pool = Window(kernel=2, stride=2, dilation=1, pad=0, n_in=9, n_out=4)
    >>> pool.touched((3, 6)), pool.needed((1, 3)), pool.touched((8, 9))
    ((1, 3), (2, 6), None)
    """

    kernel: int
    stride: int
    dilation: int
    pad: int
    n_in: int
    n_out: int

    @property
    def extent(self) -> int:
        """Number of positions from a window's first input to its last."""
        return (self.kernel - 1) * self.dilation + 1

    def touched(self, span: Span) -> Span | None:
        """Return the outputs whose window overlaps a span of inputs; with dilation the overlap may be a gap."""
        first = -((self.extent - 1 - span[0] - self.pad) // self.stride)
        last = (span[1] - 1 + self.pad) // self.stride
        return clipped((first, last + 1), self.n_out)

    def needed(self, span: Span) -> Span:
        """Return the inputs of a span of outputs; padding lies before 0 and from `n_in` on."""
        start = span[0] * self.stride - self.pad
        return start, (span[1] - 1) * self.stride - self.pad + self.extent

    def taps(self, span: Span) -> list[tuple[Span, Span]]:
        """Return, for each input j of a window, the outputs of `span` that have it, and their first and last input."""
        found = []
        for shift in range(-self.pad, self.extent - self.pad, self.dilation):
            first = max(span[0], -(shift // self.stride))
            last = min(span[1] - 1, (self.n_in - 1 - shift) // self.stride)
            if first <= last:
                outputs = (first - span[0], last + 1 - span[0])
                found.append((outputs, (first * self.stride + shift, last * self.stride + shift + 1)))
        return found


def same_padding(kernel: int, dilation: int) -> int:
    """Return the part of ``padding="same"`` on the left.

    Examples
    --------
    >>> same_padding(3, 1), same_padding(4, 1), same_padding(2, 3)
    (1, 1, 1)
    """
    return dilation * (kernel - 1) // 2


def total(spans: Sequence[Span | None]) -> int:
    """Return the total number of positions of spans.

    Examples
    --------
    >>> total([(0, 3), None, (5, 6)])
    4
    """
    return sum(span[1] - span[0] for span in spans if span is not None)
