"""The local layers, on windows of positions.

A tensor lies here as (positions, rows, channels): a window of positions is one block of memory, read and written
without a copy. A step is given the inputs of a span of its outputs and makes that span.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from causalgia.predict.incremental.reach import Span, Window, clipped, hull


class Wanted(NamedTuple):
    """A span of outputs, what it is made of (a tensor for each source), and where it goes, if that is given."""

    span: Span
    inputs: Sequence[torch.Tensor]
    out: torch.Tensor | None


@dataclass(kw_only=True)
class Step(ABC):
    """A layer whose output at a position depends on inputs nearby.

    `sources` are the numbers of the values that it is made of, `length` and `channels` what it makes; `relu` says
    that its negative outputs become 0.
    """

    sources: tuple[int, ...]
    length: int
    channels: int
    relu: bool = False
    macs: float = 0.0
    """Multiplications for each output position."""

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        """Return the outputs that change when spans of the sources do."""
        return hull(spans)

    def needed(self, span: Span) -> tuple[Span, ...]:
        """Return the span of each source that a span of outputs is made of."""
        return (span,) * len(self.sources)

    def compute(self, wanted: Wanted) -> torch.Tensor:
        """Make a span of outputs (width, rows, channels)."""
        made, out = self._made(wanted), wanted.out
        if out is None or made is out:
            return made.relu_() if self.relu else made
        return torch.clamp_min(made, 0, out=out) if self.relu else out.copy_(made)

    @abstractmethod
    def _made(self, wanted: Wanted) -> torch.Tensor:
        """Make the span before `relu`, where it goes or in a tensor of its own."""


@dataclass(kw_only=True)
class Pointwise(Step):
    """A function of each number, or of the channels of each position."""

    function: Callable[[torch.Tensor], torch.Tensor]

    def _made(self, wanted: Wanted) -> torch.Tensor:
        return self.function(wanted.inputs[0])


@dataclass(kw_only=True)
class Rectified(Step):
    """``max(x, 0)``, where it could not join the step before it."""

    def _made(self, wanted: Wanted) -> torch.Tensor:
        return torch.clamp_min(wanted.inputs[0], 0, out=wanted.out)


@dataclass(kw_only=True)
class Affine(Step):
    """``x * scale + shift``, (channels,) each: batch normalisation that has learned."""

    scale: torch.Tensor
    shift: torch.Tensor

    def _made(self, wanted: Wanted) -> torch.Tensor:
        return torch.addcmul(self.shift, wanted.inputs[0], self.scale, out=wanted.out)


@dataclass(kw_only=True)
class Combined(Step):
    """Two values of one length, number by number: a residual sum, a gate."""

    operation: Callable[..., torch.Tensor]

    def _made(self, wanted: Wanted) -> torch.Tensor:
        made: torch.Tensor = self.operation(*wanted.inputs, out=wanted.out)
        return made


@dataclass(kw_only=True)
class Joined(Step):
    """The channels of several values, one after the other."""

    def _made(self, wanted: Wanted) -> torch.Tensor:
        return torch.cat(list(wanted.inputs), dim=2)


@dataclass(kw_only=True)
class Cut(Step):
    """Some positions and channels: output o is input ``o + offset``; what lies outside the input is 0."""

    offset: int
    first_channel: int

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        span = spans[0]
        return None if span is None else clipped((span[0] - self.offset, span[1] - self.offset), self.length)

    def needed(self, span: Span) -> tuple[Span, ...]:
        return ((span[0] + self.offset, span[1] + self.offset),)

    def _made(self, wanted: Wanted) -> torch.Tensor:
        part = wanted.inputs[0][:, :, self.first_channel : self.first_channel + self.channels]
        return part.clone() if wanted.out is None else part


@dataclass(kw_only=True)
class Windowed(Step):
    """A layer of sliding windows."""

    window: Window

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        return None if spans[0] is None else self.window.touched(spans[0])

    def needed(self, span: Span) -> tuple[Span, ...]:
        return (self.window.needed(span),)


@dataclass(kw_only=True)
class Pooled(Windowed):
    """The largest number, or the sum, of each window; what lies outside the sequence does not count."""

    largest: bool
    scale: torch.Tensor | None = None
    """(length,): what a window's sum is multiplied by."""

    def needed(self, span: Span) -> tuple[Span, ...]:
        inputs = clipped(self.window.needed(span), self.window.n_in)
        assert inputs is not None
        return (inputs,)

    def _made(self, wanted: Wanted) -> torch.Tensor:
        x, span = wanted.inputs[0], wanted.span
        start, width = self.needed(span)[0][0], span[1] - span[0]
        out = x.new_empty((width, *x.shape[1:])) if wanted.out is None else wanted.out
        slices = [(o, x[i[0] - start : i[1] - start : self.window.stride]) for o, i in self.window.taps(span)]
        self._folded(width, slices, out)
        return out if self.scale is None else out.mul_(self.scale[span[0] : span[1], None, None].to(out.device))

    def _folded(self, width: int, slices: list[tuple[Span, torch.Tensor]], out: torch.Tensor) -> None:
        combine = torch.maximum if self.largest else torch.add
        whole = [x for outputs, x in slices if outputs == (0, width)]
        parts = [(outputs, x) for outputs, x in slices if outputs != (0, width)]
        if len(whole) > 1:
            combine(whole[0], whole[1], out=out)
        elif whole:
            out.copy_(whole[0])
        else:
            out.fill_(-torch.inf if self.largest else 0)
        for x in whole[2:]:
            combine(out, x, out=out)
        for (first, last), x in parts:
            combine(out[first:last], x, out=out[first:last])
