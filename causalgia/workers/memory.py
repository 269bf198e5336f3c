"""Memory on a worker: Dask has its workers give it back at once, which slows a network by a factor of three."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_TO_KEEP, _ONE_BLOCK = 2**26, 2**25
ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(_TO_KEEP),
    "MALLOC_MMAP_THRESHOLD_": str(_ONE_BLOCK),
    "MALLOC_ARENA_MAX": "1",
}
"""What does the same from a worker's start on, and has its one task use the heap that keeps most."""


def keep_freed_memory() -> None:
    """Let glibc keep up to 64 MiB that were freed, and take blocks of up to 32 MiB from them, as it does by itself.

    Dask starts workers with ``MALLOC_TRIM_THRESHOLD_=65536``: the system takes back each layer's activations and gives
    them again, page by page, to the next. (Measured, in sequences per second of one core: a network of DeepSTARR's size
    750 with it and 2,450 without, one of ResidualBind's size 2,900 and 7,000.) Elsewhere than on glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _ONE_BLOCK)
    mallopt(_TRIM_THRESHOLD, _TO_KEEP)
