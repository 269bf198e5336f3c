"""Clusters of workers, on this machine or at an address, and checks of a client."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from causalgia.checks import is_whole
from causalgia.errors import (
    MissingExtraError,
    StoreError,
    install_command,
    quoted,
    type_in_words,
)

if TYPE_CHECKING:
    from distributed import Client

TO_START = 5.0
"""Seconds to wait for the first worker of a cluster that has none and plans none."""
TO_COME = 60.0
"""Seconds to wait for workers that are planned, or were lost."""
_TO_CONNECT = 10.0
_ADDRESS = re.compile(r"(\w+://)?[^\s/]+:\d+(/.*)?|inproc://\S+")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def import_distributed() -> ModuleType:
    """Return the module distributed.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            f"workers need Dask distributed, which cannot be imported here ({error}): "
            + install_command("dask")
        ) from error
    return distributed


def check_client(client: object) -> None:
    """Raise StoreError unless a value is the client of a running cluster with at
    least one worker.

    Parameters
    ----------
    client
        A `distributed.Client`.

    Raises
    ------
    StoreError
        If it is not a client, asynchronous or closed, or there is no worker and none
        starts on request.
    MissingExtraError
        If Dask distributed is not installed.

    Examples
    --------
    >>> check_client("tcp://127.0.0.1:8786")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: client= takes a distributed.Client, not a str
    """
    distributed = import_distributed()
    if not isinstance(client, distributed.Client):
        raise StoreError(
            f"client= takes a distributed.Client, not {type_in_words(client)}"
        )
    if client.asynchronous:
        raise StoreError(
            "client= is asynchronous, and a synchronous distributed.Client is needed"
        )
    if client.status != "running":
        raise StoreError(f"client= is {client.status}, not connected to a cluster")
    _check_workers(client)


def _check_workers(client: Any) -> None:
    if threads_by_worker(client):
        return
    # an adaptive cluster starts workers on demand
    wanted = client.submit(int, pure=False)
    start = time.monotonic()
    while not threads_by_worker(client):
        planned = len(getattr(client.cluster, "plan", ()))
        if time.monotonic() - start > (TO_COME if planned else TO_START):
            raise StoreError(f"the cluster has no workers ({planned} are planned)")
        time.sleep(0.1)
    wanted.release()


def threads_by_worker(client: Any) -> dict[str, int]:
    """Return the current number of threads of each worker, by its address.

    Raises
    ------
    StoreError
        If the cluster cannot be reached.
    """
    if client.status == "running":
        try:
            return dict(client.nthreads())
        except (OSError, AttributeError):  # it was lost meanwhile
            pass
    raise lost_cluster_error()


def lost_cluster_error() -> StoreError:
    """Return the error for a cluster that was lost during use."""
    return StoreError("the connection to the Dask scheduler is lost")


@contextmanager
def local_cluster(n_workers: int) -> Iterator[Client]:
    """Start `n_workers` workers on this machine, each a process with one task at a
    time; stop them at the end.

    Each worker has ``cores // n`` threads, at least one. (The number of threads changed
    no bit of the answers of tested networks of 41 to 2,114 letters.) On a machine with
    GPUs worker k takes GPU k modulo their number. There is no dashboard, and nothing is
    recorded for one. Workers end with this process, however it ends.

    Parameters
    ----------
    n_workers
        Workers, at least one.

    Raises
    ------
    StoreError
        If `n_workers` is not a valid number of workers.
    MissingExtraError
        If Dask distributed is not installed.

    Examples
    --------
    >>> with local_cluster(0) as client:
    ...     pass
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: 0 workers: at least 1 is needed
    """
    if not is_whole(n_workers) or n_workers < 1:
        raise StoreError(f"{quoted(n_workers)} workers: at least 1 is needed")
    distributed = import_distributed()
    from dask import config

    with (
        config.set(_UNWATCHED),
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            scheduler_kwargs={"dashboard": False},
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload=["causalgia.workers.jobs"],
            env={
                **ENVIRONMENT,
                **dict.fromkeys(_THREADS, str(max(1, available_cores() // n_workers))),
            },
        ) as cluster,
        distributed.Client(
            cluster, set_as_default=False, direct_to_workers=True
        ) as client,
    ):
        yield client


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to the scheduler at an address, such as ``tcp://10.0.0.1:8786``; it keeps
    running at the end.

    Raises
    ------
    StoreError
        If no scheduler answers there.
    MissingExtraError
        If Dask distributed is not installed.
    """
    distributed = import_distributed()
    if not _ADDRESS.fullmatch(address):
        raise StoreError(
            f"no Dask scheduler answers at {quoted(address)}, which is not an address "
            "such as tcp://10.0.0.1:8786"
        )
    try:
        client = distributed.Client(address, timeout=_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"no Dask scheduler answers at {quoted(address)}") from error
    with client:
        yield client


_UNWATCHED = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}
"""What Dask records for its dashboard, which a `local_cluster` does not have: up to 100
times a second, each time with a turn of the interpreter lock.
"""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_TO_KEEP, _ONE_BLOCK = 2**26, 2**25
ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(_TO_KEEP),
    "MALLOC_MMAP_THRESHOLD_": str(_ONE_BLOCK),
    "MALLOC_ARENA_MAX": "1",
}
"""Environment of a worker with the same effect from its start, and a single heap, which
keeps the most memory.
"""


def keep_freed_memory() -> None:
    """Let glibc keep up to 64 MiB of freed memory, and serve blocks of up to 32 MiB
    from it, as by default.

    Dask starts workers with ``MALLOC_TRIM_THRESHOLD_=65536``: each layer's activations
    are returned to the system and faulted in again for the next. (Sequences per second
    of one core: a network of DeepSTARR's size 750 with it and 2,450 without, one of
    ResidualBind's size 2,900 and 7,000.) Without glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _ONE_BLOCK)
    mallopt(_TRIM_THRESHOLD, _TO_KEEP)
