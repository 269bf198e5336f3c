"""One process writes a store: a lock that dies with its holder."""

from __future__ import annotations

import os
from pathlib import Path

from causalgia.errors import StoreError
from causalgia.trial.archive.files import file_to_append
from causalgia.trial.archive.layout import control


class Lock:
    """The right to write a store, held until it is given back or the process ends, by whatever end.

    Raises
    ------
    StoreError
        If another process holds it, or the system has no such locks.
    """

    def __init__(self, path: Path) -> None:
        self._file: int | None = file_to_append(control(path) / "lock", os.O_RDWR | os.O_CREAT)
        try:
            _take(self._file, path)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the right back; twice does no harm."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _take(file: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError as error:
        raise StoreError(f"{path}: a store is written on Linux or macOS only; leave out store=") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreError(
            f"{path}: is being written by another run; wait until it ends, or give another path as store="
        ) from error
