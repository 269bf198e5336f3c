"""Bytes of a text file, plain or gzip-compressed, with errors that name the file and say the cure."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from causalgia.errors import SequenceError

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def read_text(path: str | PathLike[str]) -> bytes:
    r"""Return a text file's bytes, uncompressed, with every line end as ``\n`` and no byte-order mark.

    Whether a file is compressed is decided by its first two bytes, not by its name.

    Raises
    ------
    SequenceError
        If the file is missing, unreadable, a folder, cut short, or not text.
    """
    data = _uncompressed(_raw(path), path)
    refuse_binary(data, path)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.removeprefix(_BOM)


def is_gzip(path: str | PathLike[str]) -> bool:
    """Say whether a file begins as gzip files do; see `read_text` for what it raises."""
    return _raw(path, limit=2) == _GZIP


def numbered_lines(text: bytes) -> Iterator[tuple[int, str]]:
    """Give each line that is not blank, stripped, with its number counted from 1."""
    for number, line in enumerate(text.decode("utf-8", "replace").split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def refuse_binary(data: bytes, path: str | PathLike[str]) -> None:
    """Raise a SequenceError if there is a NUL byte: text has none."""
    if b"\0" in data:
        msg = f"{path}: is a binary file, not text; convert it first (a .2bit genome with twoBitToFa)"
        raise SequenceError(msg)


def _raw(path: str | PathLike[str], *, limit: int = -1) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(limit)
    except FileNotFoundError as error:
        msg = f"{path}: no such file; check the path (the working folder is {Path.cwd()})"
        raise SequenceError(msg) from error
    except IsADirectoryError as error:
        msg = f"{path}: is a folder; give the path of one file"
        raise SequenceError(msg) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"{str(path)[:200]}: cannot be read ({reason}); check the path and its permissions"
        raise SequenceError(msg) from error


def _uncompressed(data: bytes, path: str | PathLike[str]) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: the gzip file is cut short or damaged ({error}); fetch it again (gzip -t checks it)"
        raise SequenceError(msg) from error
