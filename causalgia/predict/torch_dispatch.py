"""Watching the operations of a forward pass, without loading torch's compiler for it."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from torch.utils._python_dispatch import TorchDispatchMode


class OperationWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A `TorchDispatchMode` that loads ``torch._dynamo`` in no process that compiles nothing.

    Recent versions of torch shield ``__torch_dispatch__`` from their compiler, and import it for that: 2 s of processor
    time. Where nothing has loaded the compiler, there is nothing to shield from.
    """

    _shielded: ClassVar[Any]
    _unshielded: ClassVar[Any]

    def __init_subclass__(cls, **options: Any) -> None:
        cls._unshielded = cls.__dict__["__torch_dispatch__"]
        super().__init_subclass__(**options)  # type: ignore[no-untyped-call]
        cls._shielded = cls.__torch_dispatch__

    def __enter__(self) -> Any:
        kind: Any = type(self)
        kind.__torch_dispatch__ = kind._shielded if "torch._dynamo" in sys.modules else kind._unshielded
        return super().__enter__()  # type: ignore[no-untyped-call]
