"""Numba functions compiled at the first call, with numba's disk cache if it is usable;
and those of other packages.
"""

from __future__ import annotations

import functools
import gc
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType
from typing import Any

_LOCK = threading.RLock()
_NO_CACHE = (OSError, EOFError, pickle.UnpicklingError)


class Allowance:
    """Budget of work that a process does in numpy because loading compiled code would
    cost more.

    Parameters
    ----------
    nanoseconds
        Total processor time allowed, approximately.

    Examples
    --------
    >>> allowance = Allowance(1_000)
    >>> allowance.covers(600), allowance.covers(600), allowance.covers(100)
    (True, False, False)
    """

    def __init__(self, nanoseconds: int) -> None:
        self._left = nanoseconds

    def covers(self, nanoseconds: int) -> bool:
        """Return whether the budget covers this much more work, and subtract it; once
        exceeded, always False.
        """
        self._left = max(self._left - nanoseconds, 0)
        return self._left > 0


NUMPY_ALLOWANCE = Allowance(200_000_000)
"""Budget for numpy versions with bit-identical results: a fifth of a second, which a
first trial does not use up; loading numba and its cache takes half a second.
"""


_LONG = 2.0
"""Seconds of compiling after which a line says what the process waits for."""


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator like `numba.njit` that imports numba and compiles at the first
    call, cached if possible.

    Numba caches machine code beside the source, in the user's cache folder or in
    ``NUMBA_CACHE_DIR``. It raises if none of these is writable (a container, another
    user's installation), or if the disk is full, over quota or damaged; the function is
    then compiled without a cache in each process. A process that compiles for more than
    two seconds says so on stderr, once.

    Parameters
    ----------
    **options
        Those of `numba.njit`, without ``cache``.

    Notes
    -----
    None has ``fastmath``: how its sums are ordered depends on where arrays lie in memory,
    and the same call would differ in the last bit. A loop that sums in vector code has
    several sums (`causalgia.posterior.scale_mixture.summed`).

    Examples
    --------
    >>> @njit(nogil=True)
    ... def plus_one(x):
    ...     return x + 1
    >>> plus_one(1.0)
    2.0
    """
    return functools.partial(Compiled, options)


class Compiled:
    """A function that numba compiles at its first call, together with the compiled
    functions it calls.

    Attributes
    ----------
    py_func
        The original Python function.
    """

    def __init__(self, options: dict[str, Any], function: FunctionType) -> None:
        functools.update_wrapper(self, function)
        self.__qualname__ = function.__qualname__
        self.py_func = function
        self._options = options
        self._dispatcher: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        return (self._dispatcher or self.dispatcher())(*arguments)

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled by name, as functions are

    def dispatcher(self) -> Callable[..., Any]:
        """Return numba's dispatcher; names of other compiled functions in the source
        are replaced by theirs.
        """
        with _LOCK:
            if self._dispatcher is None:
                import numba

                _watch_compilation()
                names = self.py_func.__globals__
                for name in self.py_func.__code__.co_names:
                    if isinstance(called := names.get(name), Compiled):
                        names[name] = called.dispatcher()
                with caching_if_possible():
                    # a wrapper for callers in C would be one more copy to compile
                    self._dispatcher = numba.njit(
                        cache=True, no_cfunc_wrapper=True, **self._options
                    )(self.py_func)
            return self._dispatcher


@functools.cache
def _watch_compilation() -> None:
    """Write a line to stderr once this process has compiled functions of ours for two
    seconds together; loading them from numba's cache is no compilation.

    Garbage is not collected meanwhile: searching numba's objects takes a twelfth.
    """
    from numba.core import event
    from numba.core.caching import NullCache

    class Watch(event.Listener):  # type: ignore[misc]  # numba has no types
        outermost: Any = None  # function that is being compiled, with those it calls
        begin = spent = 0.0
        said = collects = False

        def on_start(self, event_: Any) -> None:
            if self.outermost is None and event_.kind == "numba:compile":
                function = event_.data["dispatcher"]
                if function.py_func.__module__.startswith("causalgia."):
                    self.outermost, self.begin = function, time.perf_counter()
                    self.collects = gc.isenabled()
                    gc.disable()
            self._say()

        def on_end(self, event_: Any) -> None:
            self._say()
            if (
                self.outermost is not None
                and event_.kind == "numba:compile"
                and event_.data["dispatcher"] is self.outermost
            ):
                self.spent += time.perf_counter() - self.begin
                self.outermost = None
                if self.collects:
                    gc.enable()

        def _say(self) -> None:
            if self.said or self.outermost is None:
                return
            if self.spent + time.perf_counter() - self.begin < _LONG:
                return
            cached = not isinstance(self.outermost._cache, NullCache)
            rest = (
                "for the first use on this machine: some 10 s; later ones load the "
                "result"
                if cached
                else "some 10 s, in each process: no folder for the result can be "
                "written; set NUMBA_CACHE_DIR to one that can"
            )
            sys.stderr.write(f"causalgia: compiling {rest}\n")
            self.said = True

    listener = Watch()
    # functions, and the passes over each
    for kind in ("numba:compile", "numba:run_pass"):
        event.register(kind, listener)


@contextmanager
def caching_if_possible() -> Iterator[None]:
    """Let functions that numba decorates here go without a cache where none can be
    kept, instead of failing.

    Around the import of a package whose functions are cached: numba raises at its first
    line on a read-only system.
    """
    from numba.core.dispatcher import Dispatcher

    enable_caching = Dispatcher.enable_caching

    def enable_if_possible(dispatcher: Any) -> None:
        try:
            enable_caching(dispatcher)
        except RuntimeError:  # no writable cache location
            pass
        else:
            _disable_cache_on_error(dispatcher._cache)

    with _LOCK:
        Dispatcher.enable_caching = enable_if_possible
        try:
            yield
        finally:
            Dispatcher.enable_caching = enable_caching


def _disable_cache_on_error(cache: Any) -> None:
    """Disable the cache on a disk error instead of failing the call."""
    load, save = cache.load_overload, cache.save_overload

    def load_overload(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except _NO_CACHE:
            cache.disable()
            return None

    def save_overload(*arguments: Any) -> None:
        try:
            save(*arguments)
        except _NO_CACHE:
            cache.disable()
            with suppress(
                OSError
            ):  # numba writes the index first: it may name code of an older source
                Path(cache.cache_path, f"{cache._impl.filename_base}.nbi").unlink()

    cache.load_overload, cache.save_overload = load_overload, save_overload
