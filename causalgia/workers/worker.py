"""The worker's side: work is loaded once in a process, and jobs are done one at a time. Dask calls `dask_setup`."""

from __future__ import annotations

import pickle
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

from causalgia.errors import CausalgiaError, ClusterError, one_line
from causalgia.workers.clusters import keep_freed_memory
from causalgia.workers.serialization import Origin, Work, cloudpickle_bytes, library_versions

Heard: TypeAlias = list[tuple[type[Warning], str]]
_AT_HAND = 2
_LOADED: dict[str, Work] = {}
_OVER: deque[str] = deque(maxlen=1_000)
_ONE_AT_A_TIME = threading.RLock()
"""A predictor is used by one thread at a time, as without workers; other jobs are prepared meanwhile."""


_ENDED = ", which ends a program; let it raise an Exception, which says what is wrong"
_UNSENT = "; the same call without client= raises it here"


class RaisedError(Exception):
    """An error of a worker, as text: Dask hangs on errors that are not an `Exception` or cannot be pickled."""


def do_job(data: bytes, origin: Origin, *job: Any) -> tuple[Any, Heard]:
    """Return the result of a job, and its warnings.

    Raises
    ------
    CausalgiaError
        As the work raises.
    ClusterError
        If the work cannot be loaded here.
    RaisedError
        If the work ends the program (`SystemExit`), or raises another `BaseException`, or an unpicklable error.
    """
    try:
        with _ONE_AT_A_TIME:
            work = _cached_work(data, origin)
        ready = work.prepare(*job)
        with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
            found = work.do(ready)
        return found, [(_importable_category(warning.category), str(warning.message)) for warning in caught]
    except BaseException as error:
        failure = _as_sendable_error(error)
    raise failure  # outside the except block: its context would be pickled with it, and may be unpicklable


def _as_sendable_error(error: BaseException) -> Exception:
    """Return an error that can be sent: itself, or its text if it, or its cause, cannot be pickled."""
    if isinstance(error, Exception) and all(map(_survives_pickling, _exception_chain(error))):
        return error
    if isinstance(error, CausalgiaError):
        return type(error)(str(error))
    cure = _UNSENT if isinstance(error, Exception) else _ENDED
    return RaisedError(f"{one_line(error)}, raised on a worker{cure}")


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


def _survives_pickling(error: BaseException) -> bool:
    try:
        return isinstance(pickle.loads(cloudpickle_bytes(error)), type(error))  # trusted: pickled here
    except Exception:
        return False


def forget_run(run: str) -> None:
    """Drop the work of a finished call, without waiting: this runs in the worker's event loop."""
    _OVER.append(run)
    _LOADED.pop(run, None)


def _cached_work(data: bytes, origin: Origin) -> Work:
    """Return the work, loaded if it is not yet; two are kept, so that two calls may share a cluster."""
    work = _LOADED.get(origin.run)
    if work is None:
        while len(_LOADED) >= _AT_HAND:
            _LOADED.pop(next(iter(_LOADED)), None)
        work = _LOADED[origin.run] = _load_work(data, origin)
    if origin.run in _OVER:
        _LOADED.pop(origin.run, None)
        raise ClusterError("the call that this belongs to is over")
    return work


def _load_work(data: bytes, origin: Origin) -> Work:
    _check_same_versions(origin)
    keep_freed_memory()
    try:
        return pickle.loads(data)  # type: ignore[no-any-return]
    except CausalgiaError:
        raise
    except Exception as error:
        cure = "install there what it needs, or give a factory that finds it: cg.predict.PredictorFactory(build)"
        raise ClusterError(f"a worker could not load {origin.what} ({one_line(error)}); {cure}") from error


def _check_same_versions(origin: Origin) -> None:
    for name, there, mine in zip(
        ("causalgia", "Python"), (origin.causalgia, origin.python), library_versions(), strict=True
    ):
        if there != mine:
            same = "answers are the same numbers only from the same versions"
            raise ClusterError(f"a worker has {name} {mine}, this process {there}: {same}; install {there} there")


def _importable_category(category: type[Warning]) -> type[Warning]:
    """Return the nearest warning category that is importable without the predictor's own packages."""
    return next(c for c in category.__mro__ if c.__module__ in ("builtins", "causalgia.errors"))


def dask_setup(worker: object) -> None:
    """Ignore Ctrl-C, which reaches every process of a terminal: the process that started the workers handles it."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
