"""Whether a network is still the one that was read."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch

from causalgia.predict.fingerprint import structure_of


class Seen:
    """A network as it is at one moment: its code and attributes, the hooks on it, and a copy of every tensor.

    Tensors are compared by value: their version counters do not count what is written through ``.data``.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._structure = structure_of(module)
        self._parts = _parts(module)
        self._tensors = _tensors(module)
        self._copies = [tensor.clone() for tensor in self._tensors]

    def is_still(self, module: torch.nn.Module) -> bool:
        """Say whether a network is what it was then."""
        if not _same(self._parts, _parts(module)) or self._structure != structure_of(module):
            return False
        now = _tensors(module)
        return len(now) == len(self._copies) and all(map(_equal, self._copies, now))


def _parts(module: torch.nn.Module) -> list[object]:
    """Return the layers and the hooks on them; they are kept, so that none is taken for a later one."""
    hooks = (chain(part._forward_pre_hooks.values(), part._forward_hooks.values()) for part in module.modules())
    return [*module.modules(), *chain.from_iterable(hooks)]


def _same(one: list[object], other: list[object]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in chain[Any](module.parameters(), module.buffers())]


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    alike = (one.dtype, one.shape, one.device, one.layout) == (other.dtype, other.shape, other.device, other.layout)
    if not alike:
        return False
    if one.layout is not torch.strided:
        one, other = one.to_dense(), other.to_dense()
    return torch.equal(one, other)
