"""Preload script for workers of this machine's own cluster; Dask calls `dask_setup`."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Ignore Ctrl-C, which reaches every process of a terminal: the process that started the workers handles it."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
