"""What a worker of this machine's own cluster does first; Dask calls `dask_setup`."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the process that started the workers."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
