"""The bytes of a chunk: raw little-endian numbers or vlen-utf8 text, and then zarr's own checksum of them.

The checksum is CRC-32C, which whatever reads zarr compares on reading. It finds every damage of up to 32 bits in a row,
and all others but one in 2**32. The log has it too, so that a whole file that is not the one it tells of is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHECKSUM = 4


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


def decoded(data: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values (n,) that `encoded` made bytes of."""
    if dtype.kind == "U":
        return np.asarray(_vlen().decode(data)).astype(dtype)
    return data.view(dtype.newbyteorder("<"))


def checksum(data: NDArray[np.uint8]) -> bytes:
    """Return what follows the bytes of a chunk in its file."""
    import google_crc32c

    return int(google_crc32c.value(data)).to_bytes(_CHECKSUM, "little")


def chunk_mark(n_bytes: int, checksum: bytes) -> str:
    """Return what tells a chunk from any other: the length of its file, and its checksum."""
    return f"{n_bytes + _CHECKSUM}:{checksum.hex()}"


def chunk_mark_at(path: Path) -> str | None:
    """Return the mark of the chunk in a file; None where there is none that is whole."""
    try:
        body = whole_chunk(path)
    except PermissionError:
        raise
    except OSError:
        return None
    return None if body is None else chunk_mark(len(body), checksum(body))


def whole_chunk(path: Path) -> NDArray[np.uint8] | None:
    """Return the bytes of the chunk in a file; None where they are not those that were written."""
    data = np.fromfile(path, np.uint8)
    body, tail = data[:-_CHECKSUM], data[-_CHECKSUM:]
    return body if tail.tobytes() == checksum(body) else None


def read_chunk(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of the chunk in a file, which is whole."""
    return np.fromfile(path, np.uint8)[:-_CHECKSUM]


def _vlen() -> Any:
    from numcodecs.vlen import VLenUTF8  # type: ignore[import-untyped]

    return VLenUTF8()
