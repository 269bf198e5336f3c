"""Text files, written atomically and never over existing files unless asked; construct tables of libraries."""

from __future__ import annotations

import gzip
import os
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import CausalgiaError, LibraryError, SequenceError, quoted
from causalgia.mpra.formats.names import check_distinguishable, check_names
from causalgia.schema import validate
from causalgia.sequences.text_files import read_text

_LEVEL = 6


def write_text(path: str | PathLike[str], text: str, *, overwrite: bool = False) -> Path:
    """Write a text file atomically; ``.gz`` is compressed, with no name or time in its header.

    Raises
    ------
    LibraryError
        If the file exists (without `overwrite`), its folder is absent, or it cannot be written.
    """
    target = Path(path)
    check_writable(target, overwrite=overwrite)
    data = text.encode("utf-8")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(_gzip_bytes(data) if target.suffix == ".gz" else data)
        temporary.replace(target)
    except OSError as error:
        raise LibraryError(f"{target}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Raise LibraryError where a file exists already, or cannot be created."""
    if path.is_dir():
        raise LibraryError(f"{path} is a folder; give the path of a file")
    if path.exists() and not overwrite:
        raise LibraryError(f"{path} is there already; choose another place, or overwrite=True to write over it")
    if not path.parent.is_dir():
        raise LibraryError(f"{path.parent} is not a folder; make it first, or choose another place")


def read_lines(path: str | PathLike[str], error: type[CausalgiaError]) -> list[str]:
    r"""Return the lines of a text file, plain or gzip-compressed, with trailing tabs and blanks."""
    try:
        text = read_text(path).decode("utf-8")
    except SequenceError as reason:
        raise error(str(reason)) from reason
    except UnicodeDecodeError as reason:
        raise error(f"{path}: is not UTF-8 text (byte {reason.start}); save it as UTF-8") from reason
    lines = text.split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise error(f"{path}: the file is empty; it was cut short, or is another file")
    return lines


def _gzip_bytes(data: bytes) -> bytes:
    buffer = BytesIO()
    with gzip.GzipFile("", "wb", _LEVEL, buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


_OF_CONSTRUCT = ("unit", "element", "arm", "group", "insert")
_OF_OLIGO = ("name", "oligo", "barcode")


def construct_table(library: xr.Dataset, place: str) -> pd.DataFrame:
    """Return a row for each construct, in order of appearance, with every variable that is constant within it.

    Raises
    ------
    LibraryError
        If a construct's oligos differ in more than their barcode, a name is invalid, or two inserts cannot be told
        apart and are not declared duplicates.
    """
    validate(library, "library")
    of, names = pd.factorize(library["oligo_name"].to_numpy())
    first = np.unique(of, return_index=True)[1]
    _check_same_construct(library, of, first, place)
    rowwise = [name for name in library.variables if library[name].dims == ("row",)]
    rows = pd.DataFrame({name: library[name].to_numpy()[first] for name in rowwise if name not in _OF_OLIGO})
    check_names(names.tolist(), place)
    with_insert = rows[rows["insert"] != ""]
    declared = (with_insert["group"] == "duplicate").tolist()
    check_distinguishable(with_insert["insert"].tolist(), with_insert["oligo_name"].tolist(), declared, place)
    return rows


def _check_same_construct(library: xr.Dataset, of: NDArray[np.intp], first: NDArray[np.intp], place: str) -> None:
    if len(first) == len(of):
        return
    for column in _OF_CONSTRUCT:
        values = library[column].to_numpy()
        differs = values != values[first][of]
        if differs.any():
            name = library["oligo_name"].to_numpy()[int(differs.argmax())]
            raise LibraryError(
                f"{place}: oligos of {quoted(name)} differ in their {column}; only the barcode may: give them "
                "constructs of their own"
            )
