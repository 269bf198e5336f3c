"""Text files: written whole or not at all, never over what is there unless asked, gzip-compressed by their name."""

from __future__ import annotations

import gzip
import os
from io import BytesIO
from os import PathLike
from pathlib import Path

from causalgia.errors import CausalgiaError, LibraryError, SequenceError
from causalgia.sequences.text_files import read_text

_LEVEL = 6


def write_text(path: str | PathLike[str], text: str, *, overwrite: bool = False) -> Path:
    """Write a text beside its place and move it there; ``.gz`` is compressed, with no name or time in its header.

    Raises
    ------
    LibraryError
        If the file is there and is not to be written over, its folder is absent, or it cannot be written.
    """
    target = Path(path)
    refuse_taken(target, overwrite=overwrite)
    data = text.encode("utf-8")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(_compressed(data) if target.suffix == ".gz" else data)
        temporary.replace(target)
    except OSError as error:
        raise LibraryError(f"{target}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Refuse a place where something stands already."""
    if path.is_dir():
        raise LibraryError(f"{path} is a folder; give the path of a file")
    if path.exists() and not overwrite:
        raise LibraryError(f"{path} is there already; choose another place, or overwrite=True to write over it")
    if not path.parent.is_dir():
        raise LibraryError(f"{path.parent} is no folder; make it first, or choose another place")


def read_lines(path: str | PathLike[str], error: type[CausalgiaError]) -> list[str]:
    r"""Return the lines of a text file, plain or gzip-compressed, with the tabs and blanks that end them."""
    try:
        text = read_text(path).decode("utf-8")
    except SequenceError as reason:
        raise error(str(reason)) from reason
    except UnicodeDecodeError as reason:
        raise error(f"{path}: is no UTF-8 text (byte {reason.start}); save it as UTF-8") from reason
    lines = text.split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise error(f"{path}: the file is empty; it was cut short, or is another file")
    return lines


def _compressed(data: bytes) -> bytes:
    buffer = BytesIO()
    with gzip.GzipFile("", "wb", _LEVEL, buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()
