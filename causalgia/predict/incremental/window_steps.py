"""Local layers, applied to windows of positions, and the reductions over positions that
end them.

Tensors are (positions, rows, channels): a window of positions is one block of memory,
read and written without a copy. A linear step adds to its output what a change of its
input changes; any other step computes a window anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from causalgia.types import Ints

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


def clipped(span: Span | None, bounds: Span) -> Span | None:
    """Return the part of a span inside another; None if there is none.

    Examples
    --------
    >>> clipped((-2, 4), (0, 10)), clipped((12, 14), (0, 10))
    ((0, 4), None)
    """
    if span is None:
        return None
    start, stop = max(span[0], bounds[0]), min(span[1], bounds[1])
    return (start, stop) if start < stop else None


class Stretch(NamedTuple):
    """Values (positions, rows, channels) of a span of positions."""

    values: torch.Tensor
    span: Span

    def at(self, span: Span) -> torch.Tensor:
        """Return the values of a span inside, as a view."""
        return self.values[span[0] - self.span[0] : span[1] - self.span[0]]


@dataclass(frozen=True)
class Window:
    """A layer whose output o depends on the inputs ``o * stride - pad + j * dilation``,
    j = 0 ... kernel - 1.

    Examples
    --------
    >>> pool = Window(kernel=2, stride=2, dilation=1, pad=0, n_in=9, n_out=4)
    >>> pool.touched((3, 6)), pool.needed((1, 3)), pool.touched((-1, 9))
    ((1, 3), (2, 6), (-1, 5))
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
        """Return the outputs whose window overlaps a span of inputs, also outside the
        sequence.

        With dilation the overlap may be a gap.
        """
        first = -((self.extent - 1 - span[0] - self.pad) // self.stride)
        last = (span[1] - 1 + self.pad) // self.stride
        return (first, last + 1) if first <= last else None

    def needed(self, span: Span) -> Span:
        """Return the inputs of a span of outputs, also outside the sequence."""
        start = span[0] * self.stride - self.pad
        return start, (span[1] - 1) * self.stride - self.pad + self.extent

    def taps(self, outputs: Span, inputs: Span) -> Iterator[tuple[int, slice, slice]]:
        """Yield each input j of a window, the places in a span of outputs that have it,
        and in the span of inputs.

        Examples
        --------
        >>> list(Window(2, 2, 1, 0, 9, 4).taps((1, 3), (3, 6)))
        [(0, slice(1, 2, None), slice(1, 2, 2)), (1, slice(0, 2, None), slice(0, 3, 2))]
        """
        for tap in range(self.kernel):
            shift = tap * self.dilation - self.pad
            first = max(outputs[0], -((shift - inputs[0]) // self.stride))
            last = min(outputs[1] - 1, (inputs[1] - 1 - shift) // self.stride)
            if first <= last:
                start = first * self.stride + shift - inputs[0]
                stop = last * self.stride + shift - inputs[0] + 1
                yield (
                    tap,
                    slice(first - outputs[0], last + 1 - outputs[0]),
                    slice(start, stop, self.stride),
                )


@dataclass(kw_only=True)
class Step:
    """A layer whose output at a position depends on inputs nearby.

    `sources` are the numbers of its input values, `length` and `channels` the shape of
    its output; `stride` is the number of input positions from one output to the next.
    """

    sources: tuple[int, ...]
    length: int
    channels: int
    macs: float = 0.0
    """Multiplications per input position."""

    @property
    def stride(self) -> int:
        """Number of input positions from one output to the next."""
        return 1

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        """Return the outputs that change when spans of the sources do, also outside the
        sequence.
        """
        return hull(spans)

    def needed(self, span: Span) -> Span:
        """Return the inputs that a span of outputs depends on, also outside the
        sequence.
        """
        return span


@dataclass(kw_only=True)
class Linear(Step):
    """A layer whose output changes by a linear function of the change of its inputs."""

    @abstractmethod
    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        """Add to `out` what changes of the sources change there; None: this source does
        not change.
        """

    def whole(self, sources: Sequence[Stretch]) -> torch.Tensor:
        """Return the output for whole sequences, (length, rows, channels)."""
        x = sources[0].values
        made = torch.empty(
            (self.length, x.shape[1], self.channels), dtype=x.dtype, device=x.device
        )
        made.copy_(torch.as_tensor(self.constant(), device=x.device))
        self.add(Stretch(made, (0, self.length)), sources)
        return made

    def constant(self) -> torch.Tensor | float:
        """Return the output for inputs that are zero, (channels,) or a number."""
        return 0.0


@dataclass(kw_only=True)
class Nonlinear(Step):
    """A layer that computes a window from its inputs there."""

    border: float | None = None
    """What stands for inputs outside the sequence; None if there are none."""

    @abstractmethod
    def compute(self, span: Span, inputs: Sequence[Stretch]) -> torch.Tensor:
        """Return a span of outputs, (width, rows, channels), of inputs of at least
        their needed spans.
        """


@dataclass(kw_only=True)
class Pointwise(Nonlinear):
    """A function of each number, or of the channels of each position."""

    function: Callable[[torch.Tensor], torch.Tensor]

    def compute(self, span: Span, inputs: Sequence[Stretch]) -> torch.Tensor:
        return self.function(inputs[0].at(span))


@dataclass(kw_only=True)
class Rectified(Nonlinear):
    """``max(x, 0)``; in place where nothing else takes the input."""

    in_place: bool = False

    def compute(self, span: Span, inputs: Sequence[Stretch]) -> torch.Tensor:
        x = inputs[0].at(span)
        return x.clamp_min_(0) if self.in_place else x.clamp_min(0)


@dataclass(kw_only=True)
class Combined(Nonlinear):
    """Two values of one length, elementwise: a gate, a maximum."""

    operation: Callable[..., torch.Tensor]

    def compute(self, span: Span, inputs: Sequence[Stretch]) -> torch.Tensor:
        return self.operation(*(x.at(span) for x in inputs))


@dataclass(kw_only=True)
class Summed(Linear):
    """The sum of two values of one length, or their difference: a residual
    connection.
    """

    signs: tuple[int, int]

    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        for change, sign in zip(changes, self.signs, strict=True):
            if change is not None:
                out.at(change.span).add_(change.values, alpha=sign)


@dataclass(kw_only=True)
class Affine(Linear):
    """``x * scale + shift``, (channels,) each: batch normalization in eval mode."""

    factor: torch.Tensor
    shift: torch.Tensor

    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        if changes[0] is not None:
            out.at(changes[0].span).addcmul_(changes[0].values, self.factor)

    def constant(self) -> torch.Tensor | float:
        return self.shift


@dataclass(kw_only=True)
class Joined(Linear):
    """The concatenated channels of several values."""

    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        first = 0
        for change, width in zip(changes, self.widths, strict=True):
            if change is not None:
                out.at(change.span)[:, :, first : first + width].add_(change.values)
            first += width

    widths: tuple[int, ...]
    """Channels of each source."""


@dataclass(kw_only=True)
class Cut(Linear):
    """A slice of positions and channels: output o is input ``o + offset``; positions
    outside the input are 0.
    """

    offset: int
    first_channel: int

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        span = spans[0]
        return None if span is None else (span[0] - self.offset, span[1] - self.offset)

    def needed(self, span: Span) -> Span:
        return span[0] + self.offset, span[1] + self.offset

    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        if changes[0] is None:
            return
        span = clipped(self.touched([changes[0].span]), out.span)
        if span is not None:
            part = changes[0].at(self.needed(span))
            out.at(span).add_(
                part[:, :, self.first_channel : self.first_channel + self.channels]
            )


@dataclass(kw_only=True)
class Windowed(Step):
    """A layer of sliding windows."""

    window: Window

    @property
    def stride(self) -> int:
        return self.window.stride

    def touched(self, spans: Sequence[Span | None]) -> Span | None:
        return None if spans[0] is None else self.window.touched(spans[0])

    def needed(self, span: Span) -> Span:
        return self.window.needed(span)


@dataclass(kw_only=True)
class Largest(Windowed, Nonlinear):
    """The maximum of each window; positions outside the sequence do not count."""

    def __post_init__(self) -> None:
        window = self.window
        if window.pad or window.needed((0, window.n_out))[1] > window.n_in:
            self.border = -torch.inf

    def compute(self, span: Span, inputs: Sequence[Stretch]) -> torch.Tensor:
        x = inputs[0]
        width = span[1] - span[0]
        parts = [
            (outputs, x.values[places])
            for _, outputs, places in self.window.taps(span, x.span)
        ]
        whole = [values for outputs, values in parts if outputs == slice(0, width)]
        if len(whole) > 1:
            made = torch.maximum(whole[0], whole[1])
        elif whole:
            made = whole[0].clone()
        else:
            made = x.values.new_full((width, *x.values.shape[1:]), -torch.inf)
        for values in whole[2:]:
            torch.maximum(made, values, out=made)
        for outputs, values in parts:
            if outputs != slice(0, width):
                torch.maximum(made[outputs], values, out=made[outputs])
        return made


@dataclass(kw_only=True)
class Averaged(Windowed, Linear):
    """The sum of each window; positions outside the sequence do not count."""

    factors: torch.Tensor
    """(length,): what each window's sum is still to be multiplied by."""

    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        if changes[0] is not None:
            for _, outputs, places in self.window.taps(out.span, changes[0].span):
                out.values[outputs].add_(changes[0].values[places])

    def whole(self, sources: Sequence[Stretch]) -> torch.Tensor:
        return (
            super()
            .whole(sources)
            .mul_(self.factors[:, None, None].to(sources[0].values))
        )


_FEW_OUTPUTS = 4
_FEW_COLUMNS = 128


@dataclass(kw_only=True)
class Convolved(Windowed, Linear):
    """A convolution along the positions: weight (filters, channels / groups, kernel),
    bias (filters,) or None.

    Several whole sequences and groups are left to conv2d, with positions as an image's
    rows and sequences as its columns. Of few channels, such as letters, the inputs of
    all taps are laid side by side and one product is added in place. Else one matrix
    product for each tap of the kernel is added in place: it multiplies no zeros and
    needs no extra memory. For a wide kernel with few filters, one product is computed
    for all taps and its shifted parts are added.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    groups: int = 1
    _taps: torch.Tensor = field(init=False)
    _of_image: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Lay out the weights again after a change: (kernel, channels, filters), and as
        conv2d takes them.
        """
        self._taps = self.weight.permute(2, 1, 0).contiguous()
        self._of_image = self.weight.unsqueeze(3).contiguous(
            memory_format=torch.channels_last
        )
        self.macs = float(self.weight.numel()) / self.window.stride

    def scaled(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        """Fold in a batch normalization that follows: ``y * scale + shift``, (filters,)
        each.
        """
        self.weight = self.weight * scale[:, None, None]
        self.bias = shift if self.bias is None else self.bias * scale + shift
        self.refresh()

    def constant(self) -> torch.Tensor | float:
        return 0.0 if self.bias is None else self.bias

    def whole(self, sources: Sequence[Stretch]) -> torch.Tensor:
        if (
            self._by_filter or sources[0].values.shape[1] == 1
        ):  # conv2d rounds more for one sequence
            return super().whole(sources)
        return self._convolved(sources[0], (0, self.length), self.bias).contiguous()

    def add(self, out: Stretch, changes: Sequence[Stretch | None]) -> None:
        x = changes[0]
        span = None if x is None else clipped(self.window.touched(x.span), out.span)
        if x is None or span is None:
            return
        kernel, channels, rows = (
            self.window.kernel,
            x.values.shape[2],
            x.values.shape[1],
        )
        if self._by_filter:
            columns = self._taps.transpose(1, 2).reshape(-1, channels)
            parts = (columns @ x.values.view(-1, channels).t()).view(
                kernel, self.channels, -1, rows
            )
            for tap, outputs, places in self.window.taps(out.span, x.span):
                out.values[outputs].add_(parts[tap][:, places].permute(1, 2, 0))
        elif self.groups > 1:
            out.at(span).add_(self._convolved(x, span))
        elif kernel * channels <= _FEW_COLUMNS:
            out.at(span).view(-1, self.channels).addmm_(
                self._side_by_side(x, span), self._taps.view(-1, self.channels)
            )
        else:
            for tap, outputs, places in self.window.taps(out.span, x.span):
                part = x.values[places].reshape(-1, channels)
                out.values[outputs].view(-1, self.channels).addmm_(
                    part, self._taps[tap]
                )

    def _side_by_side(self, x: Stretch, span: Span) -> torch.Tensor:
        """Return the inputs of each output of a span, (outputs, taps * channels), zero
        beside a stretch.
        """
        need, window = self.window.needed(span), self.window
        values = x.values.new_zeros((need[1] - need[0], *x.values.shape[1:]))
        inside = clipped(x.span, need)
        assert inside is not None
        Stretch(values, need).at(inside).copy_(x.at(inside))
        reach = window.dilation * (window.kernel - 1) + 1
        taps = values.unfold(0, reach, window.stride)[..., :: window.dilation]
        return taps.transpose(2, 3).reshape(-1, window.kernel * values.shape[2])

    @property
    def _by_filter(self) -> bool:
        return (
            self.groups == 1
            and self.channels <= _FEW_OUTPUTS
            and self.window.kernel > 1
        )

    def _convolved(
        self, x: Stretch, span: Span, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return a span of outputs for inputs that are zero beside a stretch."""
        need, pad = self.window.needed(span), 0
        if 0 <= x.span[0] - need[0] >= need[1] - x.span[1]:
            values, pad = x.values, x.span[0] - need[0]
        else:
            values = x.values.new_zeros((need[1] - need[0], *x.values.shape[1:]))
            inside = clipped(x.span, need)
            assert inside is not None
            Stretch(values, need).at(inside).copy_(x.at(inside))
        image, stride, dilation = (
            values.permute(2, 0, 1).unsqueeze(0),
            self.window.stride,
            self.window.dilation,
        )
        made = functional.conv2d(
            image,
            self._of_image,
            bias,
            (stride, 1),
            (pad, 0),
            (dilation, 1),
            self.groups,
        )
        return made.squeeze(0).permute(1, 2, 0)[: span[1] - span[0]]


@dataclass(frozen=True)
class End(ABC):
    """A reduction of the value `source`, (positions, rows, channels), to (rows,
    outputs).

    `shape` is the shape of one row as the network has it, `macs` the multiplications
    for each position.
    """

    source: int
    shape: tuple[int, ...]
    macs: float = 0.0

    @abstractmethod
    def whole(self, x: torch.Tensor) -> torch.Tensor:
        """Return the reduction of whole sequences."""


class Additive(End):
    """A reduction that is linear."""

    @abstractmethod
    def add(
        self, out: torch.Tensor, change: Stretch, shifts: Ints, length: int
    ) -> None:
        """Add to reductions (rows, outputs) what changes of a window change there.

        The window of a row is that of `change`, moved by its shift; `shifts` (rows,)
        are sorted. What lies outside the sequence is zero.
        """


@dataclass(frozen=True)
class Dense(Additive):
    """The first dense layer after a flattening: weight (positions, channels,
    outputs).
    """

    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        assert self.weight is not None
        n = x.shape[1]
        # a product of one row adds up all positions in turn; one of two rows rounds
        # less
        rows = x.permute(1, 0, 2).reshape(n, -1).expand(max(n, 2), -1)
        product = (rows @ self.weight.view(-1, self.weight.shape[2]))[:n]
        return product if self.bias is None else product + self.bias

    def add(
        self, out: torch.Tensor, change: Stretch, shifts: Ints, length: int
    ) -> None:
        assert self.weight is not None
        firsts = np.flatnonzero(np.diff(shifts, prepend=shifts[0] - 1)).tolist()
        by_row = change.values.transpose(0, 1).contiguous()
        for first, last in zip(firsts, [*firsts[1:], len(shifts)], strict=True):
            shift = int(shifts[first])
            inside = clipped(
                (change.span[0] + shift, change.span[1] + shift), (0, length)
            )
            if inside is not None:
                place = change.span[0] + shift
                part = by_row[
                    first:last, inside[0] - place : inside[1] - place
                ].reshape(last - first, -1)
                out[first:last].addmm_(
                    part, self.weight[slice(*inside)].view(-1, self.weight.shape[2])
                )


@dataclass(frozen=True)
class Total(Additive):
    """The sum, or mean, over the positions."""

    factor: float = 1.0

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(0) * self.factor

    def add(
        self,
        out: torch.Tensor,
        change: Stretch,
        shifts: Ints,  # noqa: ARG002
        length: int,  # noqa: ARG002
    ) -> None:
        out.add_(change.values.sum(0), alpha=self.factor)


@dataclass(frozen=True)
class Greatest(End):
    """The maximum over the positions."""

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax(0)
