"""How many sequences go through a PyTorch network at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from itertools import zip_longest
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from causalgia.errors import CausalgiaWarning, PredictorError
from causalgia.predict.predictor import checked_batch_size

_MIB = 2**20
_MAPPED_FROM = 32 * _MIB
"""glibc maps an allocation of this size afresh each time, and returns the heap's end once twice that is free."""
_CPU_BUDGET = _MAPPED_FROM // 2
"""Keeps the two or three activations that live at once clear of both."""
_CACHED = 64 * _MIB
"""All activations of a pass together, of which a processor's caches hold enough: larger batches were 1.2 x slower."""
_AMPLE = 256
"""From this many rows on a call's own cost is nothing, so that a batch may be kept in the caches."""
_OTHER_BUDGET = 256 * _MIB
_MOST = {"cpu": 1024}
_MOST_ELSEWHERE = 4096


class BatchSizes:
    """The batch size for each length of sequence: as given, or measured once."""

    def __init__(self, given: int | Literal["auto"], device: torch.device) -> None:
        self._given = checked_batch_size(given)
        self._device = device
        self._known: dict[int, int] = {}

    def resolve(self, length: int, trace: Callable[[int, int], None]) -> int:
        """Return the size for sequences of `length`; `trace(n_rows, length)` runs one forward pass."""
        if self._device.type == "cpu":
            settle_allocator()
        if length not in self._known:
            self._known[length] = self._measure(length, trace) if self._given == "auto" else self._given
        return self._known[length]

    @property
    def known(self) -> dict[int, int]:
        """The size settled on for each length so far."""
        return dict(self._known)

    def fix(self, sizes: Mapping[int, int]) -> None:
        """Take sizes by length, as `known` gave them; PredictorError where one is no size."""
        self._known |= {int(length): _whole(size) for length, size in sizes.items()}

    def _measure(self, length: int, trace: Callable[[int, int], None]) -> int:
        """Return the size that suits what a row adds; 1 where not even four rows fit, so that nothing is measured."""
        try:
            added = _added_by_a_row(length, trace)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return 1
        size = rows_that_fit(self._device, largest=max(added, default=0), together=sum(added))
        return 1 << (size.bit_length() - 1)

    def halve(self, length: int, size: int) -> None:
        """Take half of a batch that did not fit into memory, and say so.

        Raises
        ------
        PredictorError
            If it was a single sequence.
        """
        if size == 1:
            cure = "take shorter ones" if self._device.type == "cpu" else "use device='cpu'"
            msg = f"one sequence of length {length} does not fit into the memory of {self._device}; {cure}"
            raise PredictorError(msg)
        self._known[length] = size // 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        what = f"{size} sequences of length {length} at once"
        msg = f"out of memory on {self._device} with {what}; going on with {size // 2}"
        warnings.warn(msg, CausalgiaWarning, stacklevel=2)


def _whole(size: object) -> int:
    checked = checked_batch_size(size)
    if checked == "auto":
        raise PredictorError("a batch size of an earlier run is a whole number of at least 1, not 'auto'")
    return checked


def rows_that_fit(device: torch.device, *, largest: int, together: int) -> int:
    """Return how many rows go at once where each adds so many bytes to the largest activation, and to all together.

    On a CPU, without a clock, so that every run cuts its batches alike: up to 256 rows while the largest activation
    stays under 16 MiB, and up to 1,024 while all of them together stay within 64 MiB besides.
    """
    fitting = (activation_budget(device) - 1) // max(largest, 1)
    if device.type == "cpu":
        fitting = min(fitting, max(_AMPLE, _CACHED // max(together, 1)))
    return min(_MOST.get(device.type, _MOST_ELSEWHERE), max(1, fitting))


@cache
def settle_allocator() -> None:
    """Raise glibc's limits to their ceiling, once in a process, by taking and freeing one untouched block.

    The limits follow the largest mapped block that was freed so far. Until then each layer's output may go back to
    the system and be faulted in anew, which was measured to cost a factor of 1.7 on a convolutional network at any
    batch size. Elsewhere than on glibc this does nothing.
    """
    torch.empty(_MAPPED_FROM - 16_384, dtype=torch.uint8)


def activation_budget(device: torch.device) -> int:
    """Return the bytes that the largest activation of a batch may take on a device.

    On CUDA a tenth of the free memory: a few activations of that size, and their workspaces, live at once.
    """
    if device.type == "cpu":
        return _CPU_BUDGET
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // 10
    return _OTHER_BUDGET


def largest_activation(length: int, trace: Callable[[int, int], None]) -> int:
    """Return the bytes that one more sequence adds to the largest intermediate tensor.

    Every tensor that the forward pass makes is measured with two and with four rows; what does not grow with the
    batch (a transposed weight) does not count.
    """
    return max(_added_by_a_row(length, trace), default=0)


def _added_by_a_row(length: int, trace: Callable[[int, int], None]) -> list[int]:
    """Return the bytes that one more sequence adds to each intermediate tensor that grows with the batch."""
    two, four = (_traced(n_rows, length, trace) for n_rows in (2, 4))
    return [(b - a) // 2 for a, b in zip_longest(two, four, fillvalue=0) if b > a]


def _traced(n_rows: int, length: int, trace: Callable[[int, int], None]) -> list[int]:
    sizes = _Sizes()
    with sizes:
        trace(n_rows, length)
    return sizes.made


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the bytes of the tensors that each operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        parts = result if isinstance(result, tuple | list) else (result,)
        self.made.append(max((t.numel() * t.element_size() for t in parts if isinstance(t, torch.Tensor)), default=0))
        return result


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that a device ran out of memory."""
    text = str(error)
    told = isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    return told or isinstance(error, MemoryError)
