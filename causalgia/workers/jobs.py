"""Jobs on a cluster, read as they finish, and the pickling of their work."""

from __future__ import annotations

import pickle
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import uuid4

import causalgia
from causalgia.checks import is_installed
from causalgia.errors import (
    NAMES_SHOWN,
    CausalgiaError,
    StoreError,
    caller_stacklevel,
    first_line,
    one_line,
    quoted,
)
from causalgia.workers.clusters import (
    TO_COME,
    keep_freed_memory,
    lost_cluster_error,
    threads_by_worker,
)

if TYPE_CHECKING:
    from distributed import Client


_USER_MODULE = "causalgia_user_"


class Work(Protocol):
    """Work that is sent to workers once and applied to each job: prepared by any
    thread, done by one at a time.
    """

    def prepare(self, *job: Any) -> Any:
        """Return the prepared input of a job."""

    def do(self, ready: Any) -> Any:
        """Return the result of a job."""


@dataclass(frozen=True)
class Origin:
    """Origin of the work that was sent: equal versions are needed for equal answers.

    Attributes
    ----------
    what
        Name of the work.
    run
        Unique id of the call.
    causalgia, python
        Versions on the sending side.
    """

    what: str
    run: str
    causalgia: str
    python: str

    @classmethod
    def of(cls, what: str) -> Origin:
        """Return the origin of work that is sent from here, now."""
        return cls(what, uuid4().hex, *library_versions())


def library_versions() -> tuple[str, str]:
    """Return the versions of causalgia and Python."""
    return causalgia.__version__, "{}.{}".format(*sys.version_info)


def pickle_with_code(value: object, what: str) -> bytes:
    """Pickle a value, with code that a worker could not import.

    Raises
    ------
    StoreError
        If it cannot be pickled; `what` names it.
    """
    try:
        with shipping_user_code():
            return cloudpickle_bytes(value)
    except Exception as error:
        raise StoreError(
            f"{what} cannot be sent to workers ({first_line(error)})"
        ) from error


def cloudpickle_bytes(value: object, **buffers: Any) -> bytes:
    """Pickle a value; code of the user's own files is included within
    `shipping_user_code`.

    With ``buffer_callback=`` large arrays are kept apart, as by ``pickle.dumps``.
    """
    import cloudpickle  # type: ignore[import-untyped]  # it has no stubs

    return bytes(cloudpickle.dumps(value, **buffers))


@contextmanager
def shipping_user_code() -> Iterator[None]:
    """Pickle code of files loaded by path, and of their neighbors, by value: workers
    cannot import it.
    """
    import cloudpickle

    registered = cloudpickle.list_registry_pickle_by_value()
    with ExitStack() as stack:
        for module in _own_files():
            if module.__name__ not in registered:
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _own_files() -> list[ModuleType]:
    """Return the modules in the folders of files that were loaded by their path,
    without installed ones.
    """
    loaded = [
        module
        for module in list(sys.modules.values())
        if getattr(module, "__file__", None)
    ]
    folders = {
        Path(str(module.__file__)).parent
        for module in loaded
        if module.__name__.startswith(_USER_MODULE)
    }
    return [
        module
        for module in loaded
        if folders
        and module.__name__ != "__main__"
        and not is_installed(module.__name__)
        and not folders.isdisjoint(Path(str(module.__file__)).resolve().parents)
    ]


Job: TypeAlias = tuple[Any, ...]
"""Arguments of `Work.prepare`."""
Key: TypeAlias = tuple[str | int, ...]
"""Prefix of keys; Dask schedules a group of keys where there is room, not where their
input is.
"""
Future: TypeAlias = Any
"""A distributed.Future, which has no type hints."""
_TO_READ = 60.0
_A_LOOK = 1.0
_A_THREAD = 2
TIME_LIMIT = "causalgia.time-limit"
"""Key of Dask's configuration: time limit of a job, such as "10 minutes";
DASK_CAUSALGIA__TIME_LIMIT.
"""


def run_jobs(
    client: Client,
    data: bytes,
    origin: Origin,
    jobs: Iterable[Job],
    *,
    named: Callable[..., str],
) -> Generator[tuple[Job, Any], None, None]:
    """Yield each job and its result, as workers finish.

    The work is sent once and loaded once by each worker. Jobs of a worker that dies go
    to another, a worker that joins gets its share, and at most two jobs per thread are
    pending; `jobs` is consumed as there is room.

    If nothing comes back within ``causalgia.time-limit`` of Dask's configuration
    (`TIME_LIMIT`; none by default), an error says that the predictor hangs, or is
    slower than that.

    Parameters
    ----------
    client
        A client that `check_client` accepts.
    data, origin
        A pickled `Work`, and its origin.
    jobs
        The arguments of each job.
    named
        Returns the name of a job, as text.

    Raises
    ------
    StoreError
        If all workers are lost and none comes back within a minute, the scheduler is
        lost, a job kills every worker that takes it, raises something that is not an
        `Exception` or cannot be sent back, the work cannot be loaded, or nothing came
        back within the time limit.
    CausalgiaError
        Errors of workers are raised here.

    Warns
    -----
    UserWarning
        Warnings of workers, once each.
    """
    return _results(_JobQueue(client, data, origin, named), iter(jobs))


def _results(
    sending: _JobQueue, jobs: Iterator[Job]
) -> Generator[tuple[Job, Any], None, None]:
    heard: set[tuple[type[Warning], str]] = set()
    try:
        sending.fill(jobs)
        while sending.n_waiting:
            job, (found, given) = sending.next_one()
            sending.fill(jobs)
            for category, text in dict.fromkeys(given):
                if (category, text) not in heard:
                    heard.add((category, text))
                    warnings.warn(category(text), stacklevel=caller_stacklevel())
            yield job, found
    finally:
        sending.end()


class _JobQueue:
    """The pending jobs."""

    def __init__(
        self, client: Client, data: bytes, origin: Origin, named: Callable[..., str]
    ) -> None:
        self._client: Any = client
        self._origin, self._named = origin, named
        self._jobs: dict[Key, Job] = {}
        self._futures: dict[Key, Future] = {}
        self._done: SimpleQueue[Key] = SimpleQueue()
        self._n, self._looked, self._alive = 0, -_A_LOOK, time.monotonic()
        self._threads = list[str]()
        self._limit, self._heard = _time_limit(), time.monotonic()
        self._sent = self._submit(_echo_bytes, data, key=f"causalgia-sent-{origin.run}")

    def _submit(
        self, function: Callable[..., Any], *given: Any, key: str | Key, **where: Any
    ) -> Future:
        from dask import config

        with config.set({"distributed.admin.large-graph-warning-threshold": "1 PiB"}):
            return self._client.submit(function, *given, key=key, **where)

    @property
    def n_waiting(self) -> int:
        """Number of jobs whose results are not read yet."""
        return len(self._futures)

    def fill(self, jobs: Iterator[Job]) -> None:
        """Submit jobs while the current workers have room for them."""
        self._look()
        while (
            len(self._futures) < max(_A_THREAD * len(self._threads), 1)
            and (job := next(jobs, None)) is not None
        ):
            self._send(job)

    def _send(self, job: Job) -> None:
        key: Key = (f"causalgia-job-{self._origin.run}", self._n)
        where: dict[str, Any] = {}
        if self._n < _A_THREAD * len(
            self._threads
        ):  # Dask would give all of them to the worker that has the work
            where = {
                "workers": [self._threads[self._n % len(self._threads)]],
                "allow_other_workers": True,
            }
        self._n += 1
        with _explain_failures(self._client, self._named(*job)):
            future = self._submit(
                do_job, self._sent, self._origin, *job, key=key, **where
            )
        self._jobs[key], self._futures[key] = job, future
        self._tell(future)

    def _tell(self, future: Future) -> None:
        done = self._done
        future.add_done_callback(lambda one: done.put(one.key))

    def next_one(self) -> tuple[Job, tuple[Any, Heard]]:
        """Return the next finished job and its result, which is dropped from the
        cluster.
        """
        while True:
            key = self._next_key()
            job, future = self._jobs[key], self._futures[key]
            lost = (
                future.status == "lost"
            )  # with its worker; made again where there is one, until then Dask says "done"
            try:
                with _explain_failures(self._client, self._named(*job)):
                    found = future.result(timeout=_A_LOOK if lost else _TO_READ)
            except TimeoutError:
                if future.status == "error":
                    raise
                self._look()
                self._tell(future)
                continue
            del self._jobs[key], self._futures[key]
            future.release()
            self._heard = time.monotonic()
            return job, found

    def _next_key(self) -> Key:
        while True:
            with suppress(Empty):
                return self._done.get(timeout=min(_A_LOOK, self._limit))
            self._look()
            if time.monotonic() - self._heard > self._limit:
                waiting = "; ".join(
                    self._named(*job) for job in list(self._jobs.values())[:NAMES_SHOWN]
                )
                raise StoreError(
                    f"nothing came back within the {self._limit:g} s of {TIME_LIMIT}; waiting "
                    f"for {waiting}: it hangs there, or takes longer",
                )

    def _look(self) -> None:
        """Count the threads, at most once a second; raise if there are none for too
        long.
        """
        now = time.monotonic()
        if now - self._looked < _A_LOOK:
            return
        threads = threads_by_worker(self._client)
        self._looked, self._threads = (
            now,
            [worker for worker, n in threads.items() for _ in range(n)],
        )
        if threads:
            self._alive = now
        elif now - self._alive > TO_COME:
            raise StoreError(
                f"all workers are lost, and none came back within {TO_COME:.0f} s"
            )

    def end(self) -> None:
        """Cancel pending jobs, and let the workers drop the work."""
        if self._client.status != "running":
            return
        with suppress(
            Exception
        ):  # errors of the cluster were reported, or no longer matter
            self._client.cancel(list(self._futures.values()), force=True)
            self._sent.release()
            # a worker that is stopped, or held by its predictor, does not answer
            within = min(self._limit, _TO_READ)
            self._client.run(
                forget_run, self._origin.run, on_error="ignore", callback_timeout=within
            )


def _time_limit() -> float:
    """Return the time limit of a job in seconds; infinity if none is set.

    Raises
    ------
    StoreError
        If the setting is not a time.
    """
    from dask import config
    from dask.utils import parse_timedelta

    setting = config.get(TIME_LIMIT, None)
    if setting is None:
        return float("inf")
    try:
        limit = float(parse_timedelta(setting, default="seconds"))
    except (TypeError, ValueError, KeyError, AttributeError):
        limit = float("nan")
    if not limit > 0:
        raise StoreError(
            f"{TIME_LIMIT}={quoted(setting)} in Dask's configuration is not a "
            "time, such as '10 minutes'"
        )
    return limit


def _echo_bytes(data: bytes) -> bytes:
    return data


@contextmanager
def _explain_failures(client: Client, name: str) -> Iterator[None]:
    """Turn failures of the cluster into a StoreError; errors of our own code on a
    worker pass unchanged.
    """
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CausalgiaError, TimeoutError):
        raise
    except RaisedError as error:
        raise StoreError(f"{name}: {error}") from error
    except KilledWorker as error:
        raise StoreError(
            f"{name}: every worker that took it died ({error.allowed_failures + 1} in "
            "all); most likely memory was too small"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise lost_cluster_error() from error
    except MemoryError as error:
        raise StoreError(
            f"{name}: a worker ran out of memory ({one_line(error)})"
        ) from error
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "causalgia":
            raise StoreError("causalgia cannot be imported on the workers") from error
        if client.status != "running":
            raise lost_cluster_error() from error
        raise


Heard: TypeAlias = list[tuple[type[Warning], str]]
_AT_HAND = 2
_LOADED: dict[str, Work] = {}
_OVER: deque[str] = deque(maxlen=1_000)
_ONE_AT_A_TIME = threading.RLock()
"""A predictor is used by one thread at a time, as without workers; other jobs are
prepared meanwhile.
"""


class RaisedError(Exception):
    """An error of a worker, as text: Dask hangs on errors that are not an `Exception`
    or cannot be pickled.
    """


def do_job(data: bytes, origin: Origin, *job: Any) -> tuple[Any, Heard]:
    """Return the result of a job, and its warnings.

    Raises
    ------
    CausalgiaError
        As the work raises.
    StoreError
        If the work cannot be loaded here.
    RaisedError
        If the work ends the program (`SystemExit`), or raises another `BaseException`,
        or an unpicklable error.
    """
    try:
        with _ONE_AT_A_TIME:
            work = _cached_work(data, origin)
        ready = work.prepare(*job)
        with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
            found = work.do(ready)
        # the nearest warning category that is importable without the predictor's own
        # packages
        known = [
            next(
                c
                for c in warning.category.__mro__
                if c.__module__ in ("builtins", "causalgia.errors")
            )
            for warning in caught
        ]
        return found, [
            (category, str(warning.message))
            for category, warning in zip(known, caught, strict=True)
        ]
    except BaseException as error:
        failure = _as_sendable_error(error)
    # outside the except block: its context would be pickled with it, and may be
    # unpicklable
    raise failure


def _as_sendable_error(error: BaseException) -> Exception:
    """Return an error that can be sent: itself, or its text if it, or its cause, cannot
    be pickled.
    """
    if isinstance(error, Exception):
        with suppress(Exception):
            # what is unpickled is trusted: it was pickled here
            if all(
                isinstance(pickle.loads(cloudpickle_bytes(one)), type(one))
                for one in _exception_chain(error)
            ):
                return error
    if isinstance(error, CausalgiaError):
        return type(error)(str(error))
    return RaisedError(f"{one_line(error)}, raised on a worker")


def _exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception with its causes and contexts, which are pickled with it."""
    seen = list[BaseException]()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and not any(one is other for other in seen):
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
            yield one


def forget_run(run: str) -> None:
    """Drop the work of a finished call, without waiting: this runs in the worker's
    event loop.
    """
    _OVER.append(run)
    _LOADED.pop(run, None)


def _cached_work(data: bytes, origin: Origin) -> Work:
    """Return the work, loaded if it is not yet; two are kept, so that two calls may
    share a cluster.
    """
    work = _LOADED.get(origin.run)
    if work is None:
        while len(_LOADED) >= _AT_HAND:
            _LOADED.pop(next(iter(_LOADED)), None)
        work = _LOADED[origin.run] = _load_work(data, origin)
    if origin.run in _OVER:
        _LOADED.pop(origin.run, None)
        raise StoreError("the call that this belongs to is over")
    return work


def _load_work(data: bytes, origin: Origin) -> Work:
    for name, there, mine in zip(
        ("causalgia", "Python"),
        (origin.causalgia, origin.python),
        library_versions(),
        strict=True,
    ):
        if there != mine:
            raise StoreError(
                f"a worker has {name} {mine}, this process {there}, and answers "
                "are the same numbers only from the same versions"
            )
    keep_freed_memory()
    try:
        return pickle.loads(data)  # type: ignore[no-any-return]
    except CausalgiaError:
        raise
    except Exception as error:
        raise StoreError(
            f"a worker could not load {origin.what} ({one_line(error)})"
        ) from error


def dask_setup(worker: object) -> None:
    """Ignore Ctrl-C, which reaches every process of a terminal: the process that
    started the workers handles it.
    """
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
