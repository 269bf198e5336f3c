"""What a batch takes of the machine: memory, and cores."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Use:
    """Memory of one call.

    Attributes
    ----------
    peak
        Bytes taken at once: of arrays as Python's own count has them, and of torch's tensors.
    largest
        Bytes of the largest tensor; 0 without torch.
    torch
        Whether torch did the work.
    on_cpu
        Whether in the host's memory.
    """

    peak: int
    largest: int
    torch: bool
    on_cpu: bool

    def times(self, share: float) -> Use:
        """Return what so many times as many rows take."""
        return replace(self, peak=round(self.peak * share), largest=round(self.largest * share))


def memory_of(do: Callable[[], object]) -> Use:
    """Return the memory that a call takes at its peak."""
    if "torch" not in sys.modules:
        return Use(_traced(do), 0, False, True)
    from causalgia.predict.torch_usage import cuda_peak, tensors_used

    used = tensors_used(do)
    host = _traced(do)
    peak = used.peak if used.on_cpu else max(used.peak, cuda_peak(do))
    return Use(host + peak, used.largest, used.operations > 0, used.on_cpu)


def _traced(do: Callable[[], object]) -> int:
    """Return the bytes that Python's allocators, and numpy's, hand out at once; a trace of the user's own goes on."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        do()
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if ours:
            tracemalloc.stop()


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
