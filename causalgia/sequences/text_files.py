"""Reading of text files, plain or gzip-compressed, with errors that name the file and
the cure.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from os import PathLike

from causalgia.errors import SequenceError
from causalgia.inputs import (
    check_size,
    open_regular_file,
    read_bytes,
)

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def read_text(path: str | PathLike[str]) -> bytes:
    r"""Return a text file's bytes, uncompressed, with every line end as ``\n`` and no
    byte-order mark.

    Compression is recognized by the first two bytes, not by the name.

    Raises
    ------
    SequenceError
        If the file is missing, unreadable, no regular file, too large (see
        `causalgia.inputs.read_bytes`), cut short, or not text.
    """
    return as_text(read_bytes(path, SequenceError, unpack=True), path)


def as_text(data: bytes, path: str | PathLike[str]) -> bytes:
    """Return the bytes of a text file as `read_text` does."""
    check_text(data, path)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.removeprefix(_BOM)


def text_head(path: str | PathLike[str], most: int = 100_000) -> bytes:
    """Return the first bytes of a text file, as `read_text`, to tell its format; the
    rest is not read.

    Raises
    ------
    SequenceError
        As `read_text`.
    """
    with open_regular_file(path, SequenceError) as file:
        check_size(file, path, SequenceError)
        packed = file.read(2) == _GZIP
        file.seek(0)
        try:
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(most)
        except (OSError, EOFError, zlib.error):
            return read_text(path)[:most]  # whose error names the damage
    check_text(data, path)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(_BOM)


def is_gzip(path: str | PathLike[str]) -> bool:
    """Say whether a file begins like a gzip file; raises as `read_text`."""
    with open_regular_file(path, SequenceError) as file:
        return file.read(2) == _GZIP


def numbered_lines(text: bytes) -> Iterator[tuple[int, str]]:
    """Yield each non-blank line, stripped, with its number counted from 1."""
    for number, line in enumerate(text.decode("utf-8", "replace").split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def check_not_fasta(text: bytes, path: str | PathLike[str], cure: str) -> None:
    """Raise SequenceError with the cure if the first line that is not blank begins as
    that of a FASTA file.
    """
    if text.lstrip().startswith(b">"):
        raise SequenceError(f"{path}: this is FASTA; {cure}")


def check_text(data: bytes, path: str | PathLike[str]) -> None:
    """Raise SequenceError if the file is not text, which a NUL byte tells."""
    if b"\0" in data:
        raise SequenceError(
            f"{path}: has a NUL byte, as binary files do and text does not; give the text "
            "that it was made from"
        )
