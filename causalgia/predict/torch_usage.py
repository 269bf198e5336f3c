"""What a predictor uses of the machine through PyTorch: threads and memory. Imported on demand: needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class TensorUse:
    """Bytes of tensors while something was carried out.

    Attributes
    ----------
    operations
        How many were carried out; 0 where torch was not used (or by another thread).
    peak
        Of all tensors made and alive at once.
    largest
        Of the largest of them.
    on_cpu
        Whether they were in the host's memory.
    """

    operations: int
    peak: int
    largest: int
    on_cpu: bool


def tensors_used(do: Callable[[], object]) -> TensorUse:
    """Return the bytes of the tensors that a call makes, without the scratch memory inside single operations.

    Examples
    --------
    >>> tensors_used(lambda: torch.zeros(1_000) + 1).peak
    8000
    """
    alive = _Alive()
    with alive:
        do()
    return TensorUse(alive.operations, alive.peak, alive.largest, alive.on_cpu)


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages of the tensors that operations return until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = self.peak = self.largest = 0
        self.on_cpu = True
        self._alive: dict[int, tuple[Any, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        parts = result if isinstance(result, tuple | list) else (result,)
        for tensor in parts:
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor)
        self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        self.operations += 1
        return result

    def _follow(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())  # type: ignore[no-untyped-call]
        self.largest = max(self.largest, storage.nbytes())
        self.on_cpu = self.on_cpu and tensor.device.type == "cpu"


@contextmanager
def with_threads(n: int) -> Iterator[None]:
    """Let torch's operations use n threads for a while.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with with_threads(1):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_in_use() -> int:
    """Return how many threads torch's operations use."""
    return torch.get_num_threads()


def cuda_peak(do: Callable[[], object]) -> int:
    """Return the bytes that a call takes of the memory of the current CUDA device, at its peak; 0 without one."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    do()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated()) - before
