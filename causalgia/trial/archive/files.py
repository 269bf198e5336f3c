"""Files that are whole or not there: written beside their place, made durable, then moved; and hashed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from causalgia.errors import StoreError

Data: TypeAlias = "bytes | memoryview"

_KEPT = "what was committed before is kept, and the same call goes on from there"
_FULL = f"free some space, or raise the quota: {_KEPT}"
_CLOSED = "make it readable and writable (to read it alone, cg.open), or give another path as store="
_CURES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _CLOSED),
    **dict.fromkeys((errno.ENOTDIR, errno.ENAMETOOLONG), "give another path as store="),
}


def place_of(store: object) -> Path:
    """Return the folder that a user names.

    Raises
    ------
    StoreError
        If it is no path of this machine.

    Examples
    --------
    >>> place_of("s3://bucket/trial.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: store='s3://bucket/trial.zarr': a trial is kept in a folder of this machine, ...
    """
    given = os.fspath(store) if isinstance(store, str | os.PathLike) else None
    if not isinstance(given, str) or not given.strip() or "://" in given or "\0" in given:
        raise StoreError(f"store={store!r}: a trial is kept in a folder of this machine, such as 'trial.zarr'")
    return Path(given).expanduser()


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error that names the path and the cure."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        cure = _CURES.get(error.errno or 0, f"see to the disk: {_KEPT}")
        where = error.filename2 or error.filename
        named = path if where is None or str(where).startswith(str(path)) else f"{path} ({where})"
        raise StoreError(f"{named}: cannot be used ({error.strerror or error}); {cure}") from error


def part_of(path: Path) -> Path:
    """Return where a file is written before it is moved to its place."""
    return path.with_name(f"{path.name}.part")


def write(path: Path, *data: Data) -> None:
    """Write a file, one piece after the other, and wait until it is on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        for piece in data:
            write_all(file, piece)
        os.fsync(file)
    finally:
        os.close(file)


def write_all(file: int, data: Data) -> None:
    """Write all bytes, however few the system takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def replace(path: Path, data: Data) -> None:
    """Put a file in its place, whole or not at all, whatever happens meanwhile."""
    replace_all({path: data})


def replace_all(files: Mapping[Path, Data]) -> None:
    """Put files of one folder in their places, one after the other, each of them whole or not at all."""
    for path, data in files.items():
        write(part_of(path), data)
        part_of(path).replace(path)
    for folder in {path.parent for path in files}:
        sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def mark_of(data: Data) -> str:
    """Return what tells these bytes from any others: their number and their SHA-256.

    Examples
    --------
    >>> mark_of(b"GATA")[:20]
    '4:bb021db64a05488bb5'
    """
    return f"{len(memoryview(data))}:{hashlib.sha256(data).hexdigest()}"


def mark_at(path: Path) -> str | None:
    """Return the mark of a file; None where there is none that can be read."""
    try:
        with path.open("rb", buffering=0) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return f"{file.tell()}:{digest}"
    except PermissionError:
        raise
    except OSError:
        return None


def sealed(data: bytes) -> bytes:
    """Return bytes with their mark before them.

    Examples
    --------
    >>> unsealed(sealed(b"GATA")), unsealed(sealed(b"GATA")[:-1])
    (b'GATA', None)
    """
    return f"{mark_of(data)}\n".encode() + data


def unsealed(data: bytes) -> bytes | None:
    """Return the bytes that were sealed; None where they are not whole."""
    mark, _, rest = data.partition(b"\n")
    return rest if mark == mark_of(rest).encode() else None


def size_of(mark: str) -> int:
    """Return the number of bytes that a mark tells."""
    return int(mark.partition(":")[0])


def remove(path: Path) -> None:
    """Remove a file, where there is one."""
    with suppress(FileNotFoundError):
        path.unlink()
