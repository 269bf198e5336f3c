"""Where a command's predictions are made: in this process, by workers of its own, or by those of a cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from causalgia.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

Dask: TypeAlias = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="A Dask scheduler whose workers predict: tcp://host:8786."),
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Predict in N processes on this machine, at least 1.")
]


def client_of(dask: str | None, workers: int | None) -> AbstractContextManager[Client | None]:
    """Return what gives a client while it is entered, or None where neither workers nor a cluster are asked for.

    Raises
    ------
    ClusterError
        If both are asked for; when entered, if there are no workers to be had.
    MissingExtraError
        When entered, if Dask distributed is not installed.
    """
    if dask is not None and workers is not None:
        raise ClusterError("--dask names a cluster with workers of its own, --workers N starts workers here; give one")
    if dask is None and workers is None:
        return nullcontext()
    from causalgia.workers import connected, local_cluster

    return connected(dask) if dask is not None else local_cluster(workers or 0)
