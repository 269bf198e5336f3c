"""Independent pieces of work, done here or by workers, with the same results in the
same order.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from causalgia.errors import CausalgiaError, StoreError, one_line
from causalgia.workers.jobs import (
    Origin,
    cloudpickle_bytes,
    pickle_with_code,
    shipping_user_code,
)

if TYPE_CHECKING:
    from distributed import Client

P = TypeVar("P")
R = TypeVar("R")
_A_JOB = 0.25
"""Seconds of work per job: sending takes a few milliseconds, and canceling waits for
running jobs.
"""
_JOBS_A_THREAD = 2
"""Towards the end, jobs for each thread in what is left."""
_LARGE_ARRAY_BYTES = 1 << 16
"""Bytes from which on an array is sent apart."""


def mapped(
    work: Callable[[P], R],
    pieces: Iterable[P],
    *,
    what: str,
    names: Sequence[str],
    client: Client | None,
    keep: Callable[[int, R], R] = lambda _, found: found,
) -> list[R]:
    """Return the result of a function for each piece: here, one after the other, or by
    the workers of a cluster.

    A result depends on its piece alone (random pieces have a key of their own), so that
    results are the same, bit for bit on equal hardware, with and without a client and
    for any number of workers. Small pieces are sent together, as many as take a quarter
    of a second, and fewer towards the end.

    Parameters
    ----------
    work
        The function; sent once to each worker. It and the pieces must be picklable.
    pieces
        Its arguments; consumed as there is room for them.
    what
        Name of `work`, for errors.
    names
        Name of each piece, for errors.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process.
    keep
        Called here with the index and the result of each piece as it comes, in any
        order; returns what is kept of it.

    Raises
    ------
    CausalgiaError
        As `work` raises, with a note that names the piece.
    StoreError
        If a worker raises anything else (names the piece), `work` cannot be sent, or as
        `causalgia.workers.jobs.run_jobs`.

    Examples
    --------
    >>> mapped(abs, [-1, 2, -3], what="abs", names="abc", client=None)
    [1, 2, 3]
    """
    if client is None:
        each = zip(pieces, names, strict=True)
        return [
            keep(i, _do_piece(work, piece, name))
            for i, (piece, name) in enumerate(each)
        ]
    from causalgia.workers.clusters import check_client, threads_by_worker
    from causalgia.workers.jobs import run_jobs

    check_client(client)
    found: dict[int, R] = {}
    bundles = _Bundles(
        iter(pieces), names, n_threads=sum(threads_by_worker(client).values())
    )
    with shipping_user_code():
        data = pickle_with_code(_Pieces(work), what)
        with closing(
            run_jobs(client, data, Origin.of(what), bundles.jobs(), named=bundles.named)
        ) as sent:
            for (first, _, _), (packed, seconds) in sent:
                results = packed.unpack()
                bundles.seconds_each = seconds / len(results)
                found |= {i: keep(i, result) for i, result in enumerate(results, first)}
    return [found[i] for i in range(len(names))]


@dataclass(frozen=True)
class _Packed:
    """Pieces, or results, as Dask sends them fastest: pickled once, with large arrays
    apart, which are not copied.
    """

    data: bytes
    arrays: list[npt.NDArray[np.uint8]]

    @classmethod
    def of(cls, values: list[Any]) -> _Packed:
        """Pack values."""
        arrays = list[npt.NDArray[np.uint8]]()

        def keep_together(buffer: pickle.PickleBuffer) -> bool:
            raw = np.frombuffer(buffer.raw(), np.uint8)
            if raw.nbytes < _LARGE_ARRAY_BYTES:
                return True
            arrays.append(raw)
            return False

        return cls(cloudpickle_bytes(values, buffer_callback=keep_together), arrays)

    def unpack(self) -> list[Any]:
        """Return the values."""
        # trusted: packed here, or by a worker of ours
        return list(pickle.loads(self.data, buffers=self.arrays))


class _Bundles:
    """Groups pieces into jobs: the first piece alone, later ones by the time that a job
    should take.

    Towards the end a job takes its share of what is left, so that no thread waits long
    for the last one.
    """

    def __init__(
        self, pieces: Iterator[Any], names: Sequence[str], *, n_threads: int
    ) -> None:
        self._pieces, self._names, self._n_shares = (
            pieces,
            names,
            _JOBS_A_THREAD * max(n_threads, 1),
        )
        self.seconds_each = _A_JOB

    def jobs(self) -> Iterator[tuple[int, list[str], _Packed]]:
        """Yield the first piece of each job, the names of its pieces, and the
        pieces.
        """
        first = 0
        while first < len(self._names):
            n = min(
                int(_A_JOB / max(self.seconds_each, 1e-6)),
                (len(self._names) - first) // self._n_shares,
            )
            names = list(self._names[first : first + max(1, n)])
            yield first, names, _Packed.of(list(islice(self._pieces, len(names))))
            first += len(names)

    def named(self, _first: int, names: list[str], _pieces: object) -> str:
        """Return the name of a job."""
        return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


@dataclass(frozen=True)
class _Pieces:
    """The work that is loaded on a worker: the function."""

    work: Callable[[Any], Any]

    def prepare(
        self, _first: int, names: list[str], pieces: _Packed
    ) -> list[tuple[str, Any]]:
        """Return the pieces of a job by name."""
        return list(zip(names, pieces.unpack(), strict=True))

    def do(self, ready: list[tuple[str, Any]]) -> tuple[_Packed, float]:
        """Return the results of the pieces, and the seconds that they took."""
        start = time.perf_counter()
        try:
            found = [_do_piece(self.work, piece, name) for name, piece in ready]
        except (CausalgiaError, MemoryError):
            raise
        except BaseException as error:
            name, raised = error.__notes__[-1], one_line(error)
            raise StoreError(f"{name}: {raised}, raised on a worker") from error
        return _Packed.of(found), time.perf_counter() - start


def _do_piece(work: Callable[[P], R], piece: P, name: str) -> R:
    try:
        return work(piece)
    except BaseException as error:
        error.add_note(name)
        raise
