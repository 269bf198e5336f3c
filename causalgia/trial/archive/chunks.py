"""The bytes of a chunk: raw little-endian numbers or vlen-utf8 text, and then zarr's own checksum of them.

The checksum is CRC-32C, which whatever reads zarr compares on reading. It finds every damage of up to 32 bits in a row,
and all others but one in 2**32. The log has it too, so that a whole file that is not the one it tells of is found: the
chunk of another trial has a right checksum of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.trial.archive.files import file_to_read, size_of

CHUNK_MARK = re.compile(r"[0-9]{1,15}:[0-9a-f]{8}", re.ASCII)
_CHECKSUM, _LENGTH = 4, 4


def encoded(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes (b,) of values of any shape.

    Examples
    --------
    >>> encoded(np.array([[1], [2]], np.int16))
    array([1, 0, 2, 0], dtype=uint8)
    """
    if values.dtype.kind == "U":
        return np.frombuffer(_vlen().encode(values.reshape(-1).astype(object)), np.uint8)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)


def decoded(data: NDArray[np.uint8], dtype: np.dtype[Any], n: int) -> NDArray[Any] | None:
    """Return the values (n,) that `encoded` made bytes of; None where these are not n values of the dtype.

    Examples
    --------
    >>> decoded(encoded(np.array([1, 2], np.int16)), np.dtype(np.int16), 2)
    array([1, 2], dtype=int16)
    >>> decoded(encoded(np.array(["a", "motif"])), np.dtype("<U4"), 2) is None
    True
    """
    if dtype.kind != "U":
        return data.view(dtype.newbyteorder("<")) if len(data) == n * dtype.itemsize else None
    told = int.from_bytes(data[:_LENGTH].tobytes(), "little")
    if told != n or len(data) < _LENGTH * (1 + n):
        return None
    try:
        texts = np.asarray(_vlen().decode(data), object)
    except ValueError:
        return None
    longest = max(map(len, texts), default=0)
    return texts.astype(dtype) if longest * np.dtype("U1").itemsize <= dtype.itemsize else None


def checksum(data: NDArray[np.uint8]) -> bytes:
    """Return what follows the bytes of a chunk in its file."""
    import crc32c

    return crc32c.crc32c(data.data).to_bytes(_CHECKSUM, "little")


def chunk_mark(n_bytes: int, checksum: bytes) -> str:
    """Return what tells a chunk from any other: the length of its file, and its checksum."""
    return f"{n_bytes + _CHECKSUM}:{checksum.hex()}"


def chunk_mark_at(path: Path, sizes: Collection[int]) -> str | None:
    """Return the mark of the chunk in a file; None where there is none that is whole and has one of these sizes."""
    try:
        body = whole_chunk(path, sizes)
    except PermissionError:
        raise
    except OSError:
        return None
    return None if body is None else chunk_mark(len(body), checksum(body))


def whole_chunk(path: Path, sizes: Collection[int] | None = None) -> NDArray[np.uint8] | None:
    """Return the bytes of the chunk in a file; None where the file has none of the sizes, or another checksum."""
    with file_to_read(path) as file:
        if sizes is not None and os.fstat(file.fileno()).st_size not in sizes:
            return None
        data = np.fromfile(file, np.uint8)
    body, tail = data[:-_CHECKSUM], data[-_CHECKSUM:]
    return body if tail.tobytes() == checksum(body) else None


def marked_chunk(path: Path, mark: str) -> NDArray[np.uint8] | None:
    """Return the bytes of the chunk in a file; None where they are not those that the log tells of."""
    body = whole_chunk(path, (size_of(mark),))
    return body if body is not None and chunk_mark(len(body), checksum(body)) == mark else None


def _vlen() -> Any:
    from numcodecs.vlen import VLenUTF8  # type: ignore[import-untyped]

    return VLenUTF8()
