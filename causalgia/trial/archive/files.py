"""Files written atomically (to a temporary name, made durable, then renamed), and their
hashes.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import StoreError, quoted
from causalgia.inputs import check_depth

Data: TypeAlias = "bytes | memoryview"

FILE_MARK = re.compile(r"[0-9]{1,15}:[0-9a-f]{64}", re.ASCII)
_LARGEST_WHOLE_FILE = 2**30
"""Largest size of a file that is read whole; a store's own files of this kind have a
hundredth of it.
"""
FILE_SUFFIXES = frozenset(
    [
        ".zip",
        ".tar",
        ".gz",
        ".tgz",
        ".bz2",
        ".xz",
        ".7z",
        ".h5",
        ".hdf5",
        ".h5ad",
        ".nc",
        ".npz",
        ".npy",
        ".csv",
        ".tsv",
        ".txt",
        ".json",
        ".toml",
        ".pkl",
        ".parquet",
        ".xlsx",
        ".html",
        ".htm",
        ".md",
        ".tex",
        ".png",
        ".svg",
        ".pdf",
        ".py",
        ".pt",
        ".safetensors",
        ".onnx",
        ".keras",
        ".fa",
        ".fasta",
        ".meme",
        ".vcf",
        ".bed",
    ]
)
"""Suffixes that name a file, which a folder is not called by intent."""
_OPEN = getattr(os, "O_CLOEXEC", 0)


def place_of(store: object) -> Path:
    """Return the folder given by a user as an absolute path: a predictor may change the
    working folder.

    Raises
    ------
    StoreError
        If it is not a path on this machine.

    Examples
    --------
    >>> place_of("s3://bucket/trial.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: store='s3://bucket/trial.zarr': a trial is stored in a folder on this machine, ...
    """
    given = os.fspath(store) if isinstance(store, str | os.PathLike) else None
    if (
        not isinstance(given, str)
        or not given.strip()
        or "://" in given
        or "\0" in given
    ):
        raise StoreError(
            f"store={quoted(store)}: a trial is stored in a folder on this machine, "
            "such as 'trial.zarr'",
            argument="store",
        )
    try:
        path = Path(given).expanduser().absolute()
        os.fsencode(path)
        there = path.exists()
    except (
        RuntimeError,
        OSError,
        UnicodeError,
    ) as error:  # such as a name too long, or half a surrogate pair
        why = (
            getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        )
        raise StoreError(
            f"store={quoted(store)}: is not a valid path on this machine ({why})",
            argument="store",
        ) from error
    if not there and path.suffix.lower() in FILE_SUFFIXES:
        raise StoreError(
            f"store={quoted(store)}: a trial is stored in a folder, and "
            f"{path.suffix} is the ending of a file",
            argument="store",
        )
    return path


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a StoreError with the path and the
    cure.
    """
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        where = error.filename2 or error.filename or path
        named = where if str(where).startswith(str(path)) else f"{path} ({where})"
        raise StoreError(
            f"{named}: cannot be used ({error.strerror or error})"
        ) from error


def check_no_folders(path: Path, names: Iterable[str]) -> None:
    """Raise IsADirectoryError where a folder stands in place of a file: its contents
    are not ours to remove.
    """
    for name in names:
        if (path / name).is_dir():
            raise IsADirectoryError(
                errno.EISDIR, os.strerror(errno.EISDIR), str(path / name)
            )


def part_path(path: Path) -> Path:
    """Return the path where a file is written before it is moved to its place."""
    return path.with_name(f"{path.name}.part")


def write_files(files: Mapping[Path, Sequence[Data]]) -> None:
    """Write files piece by piece, then wait until all of them are on the disk."""
    with ExitStack() as stack:
        opened = []
        for path, pieces in files.items():
            file = new_file(path)
            stack.callback(os.close, file)
            opened.append(file)
            for piece in pieces:
                write_all(file, piece)
        for file in opened:
            os.fsync(file)


def new_file(path: Path) -> int:
    """Return a new, empty file to write to; an old file of the name keeps its bytes
    under its other names.
    """
    remove(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o666)


def file_to_append(path: Path, flags: int = os.O_WRONLY | os.O_APPEND) -> int:
    """Open a file to append to."""
    return os.open(path, flags | _OPEN, 0o666)


def file_to_read(path: Path) -> io.FileIO:
    """Open a file to read."""
    return io.FileIO(path, "rb")


def read_small_file(path: Path) -> bytes:
    """Return the bytes of a file whose size does not grow with the units."""
    with file_to_read(path) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST_WHOLE_FILE:
            raise StoreError(f"{path}: longer than any file of its kind")
        return file.readall()


def read_or_none(path: Path) -> bytes | None:
    """Return the bytes of a file; None if it cannot be read."""
    try:
        return read_small_file(path)
    except PermissionError:
        raise
    except OSError:
        return None


def parse_json(data: bytes) -> Any:
    """Return the content of JSON; None if it is invalid, nested too deep, or has huge
    numbers.
    """
    try:
        check_depth(data)
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def write_all(file: int, data: Data) -> None:
    """Write all bytes, however few the system takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def replace(path: Path, data: Data) -> None:
    """Write a file atomically: its old or its new content is there, whatever happens
    meanwhile.
    """
    replace_all({path: data})


def replace_all(files: Mapping[Path, Data]) -> None:
    """Write files of one folder one after the other, each of them atomically."""
    for path, data in files.items():
        write_files({part_path(path): [data]})
        part_path(path).replace(path)
    for folder in {path.parent for path in files}:
        sync_folder(folder)


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    file = file_to_append(path)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def mark_of(data: Data, of: str = "") -> str:
    """Return the mark of some bytes: their number, and their SHA-256 after that of the
    trial that they are of, if any.

    Examples
    --------
    >>> mark_of(b"GATA")[:20]
    '4:bb021db64a05488bb5'
    """
    found = hashlib.sha256(of.encode())
    found.update(data)
    return f"{len(memoryview(data))}:{found.hexdigest()}"


def seal(data: bytes, of: str = "") -> bytes:
    """Return bytes preceded by their mark, which may be that of one trial's bytes.

    Examples
    --------
    >>> (
    ...     unseal(seal(b"GATA")),
    ...     unseal(seal(b"GATA")[:-1]),
    ...     unseal(seal(b"GATA", "one trial"), "another"),
    ... )
    (b'GATA', None, None)
    """
    return f"{mark_of(data, of)}\n".encode() + data


def unseal(data: bytes, of: str = "") -> bytes | None:
    """Return the bytes that were sealed; None if they are damaged, or of another
    trial.
    """
    mark, _, rest = data.partition(b"\n")
    return rest if mark == mark_of(rest, of).encode() else None


def unzip_stored(data: bytes) -> dict[str, bytes]:
    """Return the files of an uncompressed zip archive by name; an empty dict for
    anything else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            plain = all(one.compress_type == zipfile.ZIP_STORED for one in members)
            if not plain or sum(one.file_size for one in members) > len(data):
                return {}
            return {one.filename: archive.read(one) for one in members}
    except Exception:  # the errors of zipfile for arbitrary bytes are not documented
        return {}


def size_of(mark: str) -> int:
    """Return the number of bytes that a mark states."""
    return int(mark.partition(":")[0])


def remove(path: Path) -> None:
    """Remove a file if it exists."""
    with suppress(FileNotFoundError):
        path.unlink()


CHUNK_MARK = re.compile(r"[0-9]{1,15}:[0-9a-f]{8}", re.ASCII)
_CHECKSUM_BYTES = 4
_LENGTH_BYTES = 4


def encode_values(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes (b,) of an array of any shape.

    Examples
    --------
    >>> encode_values(np.array([[1], [2]], np.int16))
    array([1, 0, 2, 0], dtype=uint8)
    """
    if values.dtype.kind == "U":
        try:
            return np.frombuffer(
                _vlen().encode(values.reshape(-1).astype(object)), np.uint8
            )
        except UnicodeEncodeError as error:
            raise StoreError(
                f"{quoted(error.object)} holds half a surrogate pair, which "
                "cannot be stored"
            ) from error
    return (
        np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        .reshape(-1)
        .view(np.uint8)
    )


def decode_values(
    data: NDArray[np.uint8], dtype: np.dtype[Any], n: int
) -> NDArray[Any] | None:
    """Return the values (n,) that `encode_values` wrote; None if the bytes are not n
    values of the dtype.

    Examples
    --------
    >>> decode_values(encode_values(np.array([1, 2], np.int16)), np.dtype(np.int16), 2)
    array([1, 2], dtype=int16)
    >>> decode_values(
    ...     encode_values(np.array(["a", "motif"])), np.dtype("<U4"), 2
    ... ) is None
    True
    """
    if dtype.kind != "U":
        return (
            data.view(dtype.newbyteorder("<"))
            if len(data) == n * dtype.itemsize
            else None
        )
    n_stored = int.from_bytes(data[:_LENGTH_BYTES].tobytes(), "little")
    if n_stored != n or len(data) < _LENGTH_BYTES * (1 + n):
        return None
    try:
        texts = np.asarray(_vlen().decode(data), object)
    except ValueError:
        return None
    longest = max(map(len, texts), default=0)
    return (
        texts.astype(dtype)
        if longest * np.dtype("U1").itemsize <= dtype.itemsize
        else None
    )


def checksum(data: NDArray[np.uint8]) -> bytes:
    """Return the checksum that follows the bytes of a chunk in its file."""
    import crc32c

    return crc32c.crc32c(data.data).to_bytes(_CHECKSUM_BYTES, "little")


def chunk_mark(n_bytes: int, checksum: bytes) -> str:
    """Return the mark of a chunk: the length of its file, and its checksum."""
    return f"{n_bytes + _CHECKSUM_BYTES}:{checksum.hex()}"


def chunk_mark_at(path: Path, sizes: Collection[int]) -> str | None:
    """Return the mark of the chunk in a file; None if it is absent, damaged, or of none
    of these sizes.
    """
    try:
        body = read_intact_chunk(path, sizes)
    except PermissionError:
        raise
    except OSError:
        return None
    return None if body is None else chunk_mark(len(body), checksum(body))


def read_intact_chunk(
    path: Path, sizes: Collection[int] | None = None
) -> NDArray[np.uint8] | None:
    """Return the bytes of the chunk in a file; None if its size is not one of `sizes`
    or its checksum differs.
    """
    with file_to_read(path) as file:
        if sizes is not None and os.fstat(file.fileno()).st_size not in sizes:
            return None
        data = np.fromfile(file, np.uint8)
    body, tail = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    return body if tail.tobytes() == checksum(body) else None


def read_marked_chunk(path: Path, mark: str) -> NDArray[np.uint8] | None:
    """Return the bytes of the chunk in a file; None if they do not have the mark."""
    body = read_intact_chunk(path, (size_of(mark),))
    return (
        body
        if body is not None and chunk_mark(len(body), checksum(body)) == mark
        else None
    )


def _vlen() -> Any:
    # numcodecs adds a filter that shows its warning of crc32c, which it does not use
    # for these arrays; a filter of ours before the import would not hold
    with warnings.catch_warnings(record=True) as raised:
        from numcodecs.vlen import VLenUTF8  # type: ignore[import-untyped]

    for one in raised:
        if not str(one.message).startswith("crc32c usage is deprecated"):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return VLenUTF8()
