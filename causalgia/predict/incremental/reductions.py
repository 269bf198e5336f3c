"""Reductions over all positions, updated for an edit.

Each stores the contribution of the rest of a sequence, so that an update costs only the width of the changed window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from causalgia.predict.incremental.window_steps import Span


@dataclass(frozen=True)
class Part:
    """A span of a value and the positions beside it: `values` at the span, and in `sides` all others."""

    span: Span
    values: torch.Tensor
    sides: tuple[torch.Tensor, ...] = ()


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

    @abstractmethod
    def without(self, whole: torch.Tensor, old: Part) -> torch.Tensor:
        """Return the contribution of all positions but a span to `whole`."""

    @abstractmethod
    def updated(self, rest: torch.Tensor, new: Part) -> torch.Tensor:
        """Return the reduction of sequences with new values at a span, given the contribution of the rest."""


@dataclass(frozen=True)
class Dense(End):
    """The first dense layer after a flattening: weight (positions, channels, outputs)."""

    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        product = self._product(Part((0, len(x)), x))
        return product if self.bias is None else product + self.bias

    def without(self, whole: torch.Tensor, old: Part) -> torch.Tensor:
        return whole - self._product(old)

    def updated(self, rest: torch.Tensor, new: Part) -> torch.Tensor:
        return rest + self._product(new)

    def _product(self, part: Part) -> torch.Tensor:
        assert self.weight is not None
        weight = self.weight[slice(*part.span)].view(-1, self.weight.shape[2])
        return part.values.permute(1, 0, 2).reshape(part.values.shape[1], -1) @ weight


@dataclass(frozen=True)
class Total(End):
    """The sum, or mean, over the positions."""

    factor: float = 1.0

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(0) * self.factor

    def without(self, whole: torch.Tensor, old: Part) -> torch.Tensor:
        return whole - self.whole(old.values)

    def updated(self, rest: torch.Tensor, new: Part) -> torch.Tensor:
        return rest + self.whole(new.values)


@dataclass(frozen=True)
class Largest(End):
    """The maximum over the positions."""

    def whole(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax(0)

    def without(self, whole: torch.Tensor, old: Part) -> torch.Tensor:
        parts = [self.whole(side) for side in old.sides]
        return torch.stack(parts).amax(0) if parts else torch.full_like(whole, -torch.inf)

    def updated(self, rest: torch.Tensor, new: Part) -> torch.Tensor:
        return torch.maximum(rest, self.whole(new.values))
