"""Local layers, applied to windows of positions.

Tensors are (positions, rows, channels): a window of positions is one block of memory, read and written without a copy.
A step takes the inputs of a span of its outputs and computes that span.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import torch
from torch.nn import functional

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


class StepRequest(NamedTuple):
    """A span of outputs, its inputs (a tensor for each source), and the tensor to write to, if given."""

    span: Span
    inputs: Sequence[torch.Tensor]
    out: torch.Tensor | None


@dataclass(kw_only=True)
class Step(ABC):
    """A layer whose output at a position depends on inputs nearby.

    `sources` are the numbers of its input values, `length` and `channels` the shape of its output; `relu` says that
    negative outputs become 0.
    """

    sources: tuple[int, ...]
    length: int
    channels: int
    relu: bool = False
    macs: float = 0.0
    """Multiplications per output position."""

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        """Return the outputs that change when spans of the sources do."""
        return hull(spans)

    def needed(self, span: Span) -> tuple[Span, ...]:
        """Return the span of each source that a span of outputs depends on."""
        return (span,) * len(self.sources)

    def compute(self, wanted: StepRequest) -> torch.Tensor:
        """Compute a span of outputs (width, rows, channels)."""
        made, out = self._made(wanted), wanted.out
        if out is None or made is out:
            return made.relu_() if self.relu else made
        return torch.clamp_min(made, 0, out=out) if self.relu else out.copy_(made)

    @abstractmethod
    def _made(self, wanted: StepRequest) -> torch.Tensor:
        """Compute the span before `relu`, in `out` or in a new tensor."""


@dataclass(kw_only=True)
class Pointwise(Step):
    """A function of each number, or of the channels of each position."""

    function: Callable[[torch.Tensor], torch.Tensor]

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        return self.function(wanted.inputs[0])


@dataclass(kw_only=True)
class Rectified(Step):
    """``max(x, 0)``, if it could not be merged into the previous step."""

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        return torch.clamp_min(wanted.inputs[0], 0, out=wanted.out)


@dataclass(kw_only=True)
class Affine(Step):
    """``x * scale + shift``, (channels,) each: batch normalization in eval mode."""

    scale: torch.Tensor
    shift: torch.Tensor

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        return torch.addcmul(self.shift, wanted.inputs[0], self.scale, out=wanted.out)


@dataclass(kw_only=True)
class Combined(Step):
    """Two values of one length, elementwise: a residual sum, a gate."""

    operation: Callable[..., torch.Tensor]

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        made: torch.Tensor = self.operation(*wanted.inputs, out=wanted.out)
        return made


@dataclass(kw_only=True)
class Joined(Step):
    """The concatenated channels of several values."""

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        return torch.cat(list(wanted.inputs), dim=2)


@dataclass(kw_only=True)
class Cut(Step):
    """A slice of positions and channels: output o is input ``o + offset``; positions outside the input are 0."""

    offset: int
    first_channel: int

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        span = spans[0]
        return None if span is None else clipped((span[0] - self.offset, span[1] - self.offset), self.length)

    def needed(self, span: Span) -> tuple[Span, ...]:
        return ((span[0] + self.offset, span[1] + self.offset),)

    def _made(self, wanted: StepRequest) -> torch.Tensor:
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
    """The maximum, or the sum, of each window; positions outside the sequence do not count."""

    largest: bool
    scale: torch.Tensor | None = None
    """(length,): factor of each window's sum."""

    def needed(self, span: Span) -> tuple[Span, ...]:
        inputs = clipped(self.window.needed(span), self.window.n_in)
        assert inputs is not None
        return (inputs,)

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        x, span = wanted.inputs[0], wanted.span
        start, width = self.needed(span)[0][0], span[1] - span[0]
        out = x.new_empty((width, *x.shape[1:])) if wanted.out is None else wanted.out
        slices = [(o, x[i[0] - start : i[1] - start : self.window.stride]) for o, i in self.window.taps(span)]
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
        return out if self.scale is None else out.mul_(self.scale[span[0] : span[1], None, None].to(out.device))


_FEW_OUTPUTS = 4
_MANY_CHANNELS = 32


@dataclass(kw_only=True)
class Convolved(Windowed):
    """A convolution along the positions: weight (filters, channels / groups, kernel), bias (filters,) or None.

    There are three equivalent algorithms. For many channels, one matrix product for each tap of the kernel is
    accumulated in place: it needs no extra memory, and its shorter sums round less. For a wide kernel with few filters,
    one product for all taps is computed and its shifted columns are added. Otherwise conv2d is used, with positions as
    an image's rows and sequences as its columns, which is torch's channels-last layout.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    groups: int = 1
    _image: torch.Tensor = field(init=False)
    _taps: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Lay out the weights again after a change."""
        self._image = self.weight.unsqueeze(3).contiguous(memory_format=torch.channels_last)
        self._taps = self.weight.permute(2, 1, 0).contiguous()
        self.macs = float(self.weight.numel())

    def scaled(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        """Fold in a batch normalization that follows: ``y * scale + shift``, (filters,) each."""
        self.weight = self.weight * scale[:, None, None]
        self.bias = shift if self.bias is None else self.bias * scale + shift
        self.refresh()

    def _made(self, wanted: StepRequest) -> torch.Tensor:
        x, width = wanted.inputs[0], wanted.span[1] - wanted.span[0]
        plain = self.groups == 1 and self.window.stride == 1
        if plain and self.channels <= _FEW_OUTPUTS and self.window.kernel > 1 and x.shape[2] > _FEW_OUTPUTS:
            return self._shifted(x, width)
        if plain and x.shape[2] >= _MANY_CHANNELS:
            made = x.new_empty((width, x.shape[1], self.channels)) if wanted.out is None else wanted.out
            flat = made.view(-1, self.channels)
            for tap in range(self.window.kernel):
                start = tap * self.window.dilation
                part = x[start : start + width].reshape(-1, x.shape[2])
                if tap:
                    flat.addmm_(part, self._taps[tap])
                elif self.bias is None:
                    torch.mm(part, self._taps[0], out=flat)
                else:
                    torch.addmm(self.bias, part, self._taps[0], out=flat)
            return made
        image = x.permute(2, 0, 1).unsqueeze(0)
        stride, dilation = (self.window.stride, 1), (self.window.dilation, 1)
        made = functional.conv2d(image, self._image, self.bias, stride=stride, dilation=dilation, groups=self.groups)
        return made.squeeze(0).permute(1, 2, 0)

    def _shifted(self, x: torch.Tensor, width: int) -> torch.Tensor:
        kernel, rows, filters = self.window.kernel, x.shape[1], self.channels
        columns = self._taps.permute(1, 2, 0).reshape(x.shape[2], -1)
        places = x.reshape(-1, x.shape[2]) @ columns
        step = rows * filters * kernel
        strides = (step, filters * kernel, kernel, self.window.dilation * step + 1)
        summed = places.as_strided((width, rows, filters, kernel), strides).sum(-1)
        return summed if self.bias is None else summed.add_(self.bias)
