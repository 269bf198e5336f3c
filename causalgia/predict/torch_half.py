"""Whether a network multiplies in half precision inside itself. Imported on demand: this module needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from causalgia.errors import PredictorError
from causalgia.predict.torch_device import HALF, NOT_CANCELLED

_PRODUCTS = ("conv", "mm", "linear", "attention", "lstm", "gru")


def require_full_products(forward: Callable[[], object]) -> None:
    """Refuse a forward pass whose convolutions or matrix products run in half precision.

    Raises
    ------
    PredictorError
        If one does, as under an autocast that the network switches on itself.
    """
    watch = _Products()
    with watch:
        forward()
    if watch.half is not None:
        name = str(watch.half).removeprefix("torch.")
        msg = (
            f"the network computes in {name} inside its forward pass (autocast, or .to({name})): {NOT_CANCELLED}; take "
            f"that out, or accept it with dtype='float32' (the dtype of its input) given explicitly"
        )
        raise PredictorError(msg)


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the first half precision that is multiplied in."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.half: torch.dtype | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if self.half is None and any(word in name for word in _PRODUCTS):
            tensors = (value for value in args if isinstance(value, torch.Tensor))
            self.half = next((tensor.dtype for tensor in tensors if tensor.dtype in HALF), None)
        return func(*args, **(kwargs or {}))
