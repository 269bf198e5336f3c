"""The multiplications of a network's pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def multiplications(run: Callable[[], object]) -> float:
    """Return the multiplications of the layers that are called, by torch's own counts
    of each.

    A fused transformer layer is run unfused, as torch does not count it.

    Examples
    --------
    >>> multiplications(
    ...     lambda: torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3))
    ... )
    24.0
    """
    counter = _Counter()
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter.flops / 2


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up flops, as `torch.utils.flop_counter.FlopCounterMode` does.

    That one imports the compiler of torch, which takes a second.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        layer = getattr(func, "_overloadpacket", None)
        if layer is None:  # control flow, of which no layer inside is counted
            return func(*args, **given)
        with self:
            made = func.decompose(*args, **given)
        if made is not NotImplemented:
            return made
        out = func(*args, **given)
        if layer is torch.ops.aten.mkldnn_rnn_layer:
            self.flops += _rnn_flops(*(tuple(x.shape) for x in args[:3]))
        elif layer in flop_registry:
            self.flops += flop_registry[layer](*args, **given, out_val=out)
        return out


def _rnn_flops(
    x: Sequence[int], input_weight: Sequence[int], own_weight: Sequence[int]
) -> int:
    """Return the flops of one layer and direction of a recurrent network, from
    shapes.
    """
    steps_and_rows = prod(x[:2])
    return 2 * steps_and_rows * (prod(input_weight) + prod(own_weight))
