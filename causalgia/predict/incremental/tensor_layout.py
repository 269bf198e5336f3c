"""Layout of a network's tensors as (positions, rows, channels), found by tracking where each number goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from causalgia.predict.incremental.trace import NotLocalError
from causalgia.predict.incremental.window_steps import Stretch, clipped
from causalgia.types import Ints


@dataclass(frozen=True)
class TensorLayout:
    """A tensor (rows, ...) with the positions on dim `axis`; the other dims `rest` together are the channels.

    Examples
    --------
    >>> laid = TensorLayout(axis=2, length=3, rest=(2,))
    >>> laid.original(torch.zeros(3, 5, 2)).shape, laid.shape
    (torch.Size([5, 2, 3]), (2, 3))
    """

    axis: int
    length: int
    rest: tuple[int, ...]

    @property
    def channels(self) -> int:
        return prod(self.rest)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return (*self.rest[: self.axis - 1], self.length, *self.rest[self.axis - 1 :])

    def original(self, x: torch.Tensor) -> torch.Tensor:
        """Return a copy of (positions, rows, channels) in the network's layout, (rows, ...)."""
        moved = x.reshape(len(x), x.shape[1], *self.rest).movedim(0, self.axis)
        return moved.clone(memory_format=torch.contiguous_format)

    def canonical(self, x: torch.Tensor) -> torch.Tensor:
        """Return (rows, ...) as (positions, rows, channels)."""
        return x.movedim(self.axis, 0).reshape(x.shape[self.axis], x.shape[0], -1)


@dataclass(frozen=True)
class FlatLayout:
    """A tensor (rows, features); `order` (features,) is the index of each feature in (positions, channels)."""

    order: torch.Tensor


@dataclass(frozen=True)
class LayoutSlice:
    """Positions from `offset` on and channels from `first_channel` on, in the layout `laid`."""

    laid: TensorLayout
    offset: int
    first_channel: int


def layout_after(laid: TensorLayout, change: Callable[[torch.Tensor], torch.Tensor]) -> LayoutSlice | FlatLayout:
    """Return the layout after a function that only moves numbers (a view, a transposition, a slice).

    Raises
    ------
    NotLocalError
        If the result is neither positions with channels nor a flat row.

    Examples
    --------
    >>> layout_after(TensorLayout(2, 9, (4,)), lambda x: x[:, 1:3, 2:-2].transpose(1, 2))
    LayoutSlice(laid=TensorLayout(axis=1, length=5, rest=(2,)), offset=2, first_channel=1)
    """
    numbers = torch.arange(2 * prod(laid.shape)).view(2, *laid.shape)
    moved = change(numbers)
    if not isinstance(moved, torch.Tensor) or moved.ndim < 2 or len(moved) != 2 or not moved.numel():
        raise NotLocalError("rows are mixed with other dims")
    before = laid.canonical(numbers)
    for axis in range(1, moved.ndim):
        taken = _match_slice(moved, before, axis)
        if taken is not None:
            return taken
    if moved.ndim == 2 and moved.shape[1] == before[:, 0].numel():
        return _flat(moved, before)
    raise NotLocalError("positions are mixed with channels, or some are left out")


def _match_slice(moved: torch.Tensor, before: torch.Tensor, axis: int) -> LayoutSlice | None:
    rest = tuple(size for dim, size in enumerate(moved.shape[1:], 1) if dim != axis)
    after = TensorLayout(axis, moved.shape[axis], rest).canonical(moved)
    found = (before[:, 0] == after[0, 0, 0]).nonzero()
    if not len(found):
        return None
    offset, channel = map(int, found[0])
    part = before[offset : offset + len(after), :, channel : channel + after.shape[2]]
    if part.shape != after.shape or not torch.equal(part, after):
        return None
    return LayoutSlice(TensorLayout(axis, len(after), rest), offset, channel)


def _flat(moved: torch.Tensor, before: torch.Tensor) -> FlatLayout:
    place = torch.empty(before[:, 0].numel(), dtype=torch.int64)
    first = before[:, 0].reshape(-1)
    place[first] = torch.arange(len(first))
    if int(moved[0].max()) >= len(first) or not torch.equal(moved[1] - moved[0], torch.full_like(moved[0], len(first))):
        raise NotLocalError("rows are mixed with other dims")
    return FlatLayout(place[moved[0]])


@dataclass(frozen=True)
class End(ABC):
    """A reduction of the value `source`, (positions, rows, channels), to (rows, outputs).

    `shape` is the shape of one row as the network has it, `macs` the multiplications for each position.
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
    def add(self, out: torch.Tensor, change: Stretch, shifts: Ints, length: int) -> None:
        """Add to reductions (rows, outputs) what changes of a window change there.

        The window of a row is that of `change`, moved by its shift; `shifts` (rows,) are sorted. What lies outside the
        sequence is zero.
        """


@dataclass(frozen=True)
class Dense(Additive):
    """The first dense layer after a flattening: weight (positions, channels, outputs)."""

    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        assert self.weight is not None
        n = x.shape[1]
        # a product of one row adds up all positions in turn; one of two rows rounds less
        rows = x.permute(1, 0, 2).reshape(n, -1).expand(max(n, 2), -1)
        product = (rows @ self.weight.view(-1, self.weight.shape[2]))[:n]
        return product if self.bias is None else product + self.bias

    def add(self, out: torch.Tensor, change: Stretch, shifts: Ints, length: int) -> None:
        assert self.weight is not None
        firsts = np.flatnonzero(np.diff(shifts, prepend=shifts[0] - 1)).tolist()
        by_row = change.values.transpose(0, 1).contiguous()
        for first, last in zip(firsts, [*firsts[1:], len(shifts)], strict=True):
            shift = int(shifts[first])
            inside = clipped((change.span[0] + shift, change.span[1] + shift), (0, length))
            if inside is not None:
                place = change.span[0] + shift
                part = by_row[first:last, inside[0] - place : inside[1] - place].reshape(last - first, -1)
                out[first:last].addmm_(part, self.weight[slice(*inside)].view(-1, self.weight.shape[2]))


@dataclass(frozen=True)
class Total(Additive):
    """The sum, or mean, over the positions."""

    factor: float = 1.0

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(0) * self.factor

    def add(self, out: torch.Tensor, change: Stretch, shifts: Ints, length: int) -> None:  # noqa: ARG002
        out.add_(change.values.sum(0), alpha=self.factor)


@dataclass(frozen=True)
class Greatest(End):
    """The maximum over the positions."""

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax(0)
