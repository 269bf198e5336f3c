"""Text files of libraries: written atomically; names and constructs that vendors and mappers accept."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import CausalgiaError, LibraryError, SequenceError, quoted
from causalgia.schema import validate
from causalgia.sequences.text_files import read_text

NAME = re.compile(r"[A-Za-z][A-Za-z0-9+=_.:-]*")
_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")
_SHOWN = 3


def check_names(names: Sequence[str], place: str) -> None:
    """Raise LibraryError for names that vendors or mappers do not accept, or that appear twice.

    Raises
    ------
    LibraryError
        If a name does not begin with a letter, has another character than letters, digits and ``+ = _ . : -``, or is
        shared.
    """
    odd = [name for name in dict.fromkeys(names) if NAME.fullmatch(name) is None]
    if odd:
        more = f" and {len(odd) - _SHOWN:,} more" if len(odd) > _SHOWN else ""
        raise LibraryError(
            f"{place}: {', '.join(map(quoted, odd[:_SHOWN]))}{more}: a name begins with a letter and has letters, "
            "digits and + = _ . : - only; rename (vendor_name() writes other characters as =HH, and given_name() reads "
            "them back)"
        )
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise LibraryError(f"{place}: {quoted(twice)} names two sequences; names are unique: rename one")


def vendor_name(name: str) -> str:
    """Return a text as a name that vendors and mappers accept; `given_name` inverts it.

    Characters other than letters, digits and ``+ _ . : -`` become ``=HH``, two hexadecimal digits a byte of UTF-8, and
    names that do not start with a letter get the prefix ``n==``; distinct texts get distinct names.

    Examples
    --------
    >>> vendor_name("chr1:5-11(+)"), given_name("chr1:5-11=28+=29")
    ('chr1:5-11=28+=29', 'chr1:5-11(+)')
    >>> vendor_name("7 copies")
    'n==7=20copies'
    """
    text = "".join(
        c if NAME.fullmatch("n" + c) and c != "=" else "".join(f"={byte:02X}" for byte in c.encode()) for c in name
    )
    return text if NAME.fullmatch(text) else f"n=={text}"


def given_name(name: str) -> str:
    """Return the text from which `vendor_name` made a name.

    Raises
    ------
    LibraryError
        If the name is not one of `vendor_name`.
    """
    body = name.removeprefix("n==")
    raw = re.sub(rb"=([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), body.encode())
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LibraryError(
            f"{quoted(name)} is not a name that vendor_name() wrote ({error.reason}); it is as it was given"
        ) from error


def check_distinguishable(sequences: Sequence[str], names: Sequence[str], exempt: Sequence[bool], place: str) -> None:
    """Raise LibraryError for sequences that are equal or reverse complements of each other.

    Parameters
    ----------
    sequences, names
        Sequences as ordered, and their names.
    exempt
        Which are declared duplicates, and may repeat another sequence in its own orientation.
    place
        Name of the output, for errors.

    Raises
    ------
    LibraryError
        With the names of the pairs.
    """
    seen: dict[str, str] = {}
    clashes: list[str] = []
    for sequence, name, declared in zip(sequences, names, exempt, strict=True):
        letters = sequence.upper()
        minus = letters.translate(_COMPLEMENT)[::-1]
        if not declared and letters in seen:
            clashes.append(f"{quoted(seen[letters])} and {quoted(name)} are one sequence")
        elif minus != letters and minus in seen:
            clashes.append(f"{quoted(name)} is the reverse complement of {quoted(seen[minus])}")
        if not declared:
            seen.setdefault(letters, name)
    if clashes:
        more = f", and {len(clashes) - _SHOWN:,} more pairs" if len(clashes) > _SHOWN else ""
        raise LibraryError(
            f"{place}: {'; '.join(clashes[:_SHOWN])}{more}: their reads cannot be distinguished. Drop the unit in "
            "every arm, draw its background anew, or declare the copies duplicates (group 'duplicate')"
        )


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
        raise LibraryError(f"{path} exists already; choose another place, or overwrite=True to write over it")
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
        If a construct's oligos differ in more than their barcode, a name is invalid, or two inserts that are not
        declared duplicates cannot be distinguished.
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
