"""Whether a network rounds to half precision inside itself. Imported on demand: this module needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from causalgia.errors import PredictorError
from causalgia.predict.torch_device import HALF, NOT_CANCELLED

_PRODUCTS = ("conv", "mm", "linear", "attention", "lstm", "gru")


def require_full_products(forward: Callable[[], object]) -> None:
    """Refuse a forward pass that multiplies in half precision, or rounds to it, be it at its end.

    Raises
    ------
    PredictorError
        If it does, as under an autocast that the network switches on itself, or by a cast that loses digits.
    """
    watch = _Halves()
    with watch:
        forward()
    if watch.half is not None:
        name = str(watch.half).removeprefix("torch.")
        msg = (
            f"the network computes in {name} inside its forward pass (autocast, or .to({name})): {NOT_CANCELLED}; take "
            f"that out, or accept it with dtype='float32' (the dtype of its input) given explicitly"
        )
        raise PredictorError(msg)


class _Halves(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the first half precision that is multiplied in, or that numbers are rounded to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.half: torch.dtype | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if self.half is None and any(word in name for word in _PRODUCTS):
            tensors = (value for value in args if isinstance(value, torch.Tensor))
            self.half = next((tensor.dtype for tensor in tensors if tensor.dtype in HALF), None)
        made = func(*args, **(kwargs or {}))
        if self.half is None and isinstance(made, torch.Tensor) and made.dtype in HALF:
            self.half = made.dtype if any(_rounded(value, made) for value in args) else None
        return made


def _rounded(source: object, made: torch.Tensor) -> bool:
    """Say whether an operation lost digits on its way from a wider floating tensor to one of half precision."""
    if not isinstance(source, torch.Tensor) or not source.is_floating_point() or source.dtype in HALF:
        return False
    return source.shape != made.shape or not torch.equal(made.to(source.dtype), source)
