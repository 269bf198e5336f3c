"""Text files of libraries: names that vendors accept, and what each construct is."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.choices import COMPLEMENT
from causalgia.errors import (
    NAMES_SHOWN,
    DesignError,
    first_of,
    quoted,
)
from causalgia.inputs import not_written
from causalgia.schema import validate

NAME = re.compile(r"[A-Za-z][A-Za-z0-9+=_.:-]*")


def check_names(names: Sequence[str], place: str) -> None:
    """Raise DesignError for names that vendors or mappers do not accept, or that
    appear twice.

    Raises
    ------
    DesignError
        If a name does not begin with a letter, has another character than letters,
        digits and ``+ = _ . : -``, or is shared.
    """
    odd = [name for name in dict.fromkeys(names) if NAME.fullmatch(name) is None]
    if odd:
        raise DesignError(
            f"{place}: {first_of(map(quoted, odd), NAMES_SHOWN)}: a name "
            "begins with a letter and has letters, digits and + = _ . : - only; rename it"
        )
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DesignError(
            f"{place}: {quoted(twice)} names two sequences; names are unique: rename "
            "one"
        )


def check_distinguishable(
    sequences: Sequence[str], names: Sequence[str], exempt: Sequence[bool], place: str
) -> None:
    """Raise DesignError for sequences that are equal or reverse complements of each
    other.

    Parameters
    ----------
    sequences, names
        Sequences as ordered, and their names.
    exempt
        Which are declared duplicates, and may repeat another sequence in its own
        orientation.
    place
        Name of the output, for errors.

    Raises
    ------
    DesignError
        With the names of the pairs.
    """
    seen: dict[str, str] = {}
    clashes: list[str] = []
    for sequence, name, declared in zip(sequences, names, exempt, strict=True):
        letters = sequence.upper()
        minus = letters.translate(COMPLEMENT)[::-1]
        if not declared and letters in seen:
            clashes.append(
                f"{quoted(seen[letters])} and {quoted(name)} are one sequence"
            )
        elif minus != letters and minus in seen:
            clashes.append(
                f"{quoted(name)} is the reverse complement of {quoted(seen[minus])}"
            )
        if not declared:
            seen.setdefault(letters, name)
    if clashes:
        shown = first_of(clashes, NAMES_SHOWN, sep="; ", thing="pair")
        raise DesignError(
            f"{place}: {shown}: their reads cannot be "
            "distinguished. Drop the unit in every arm, draw its background anew, or "
            "declare the copies duplicates (group 'duplicate')"
        )


_GZIP_LEVEL = 6


def write_text(
    path: str | PathLike[str], text: str, *, overwrite: bool = False
) -> Path:
    """Write a text file atomically; ``.gz`` is compressed, with no name or time in its
    header.

    Raises
    ------
    DesignError
        If the file exists (without `overwrite`), its folder is absent, or it cannot be
        written.
    """
    target = Path(path)
    check_writable(target, overwrite=overwrite)
    data = text.encode("utf-8")
    if target.suffix == ".gz":
        buffer = BytesIO()
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, buffer, mtime=0) as file:
            file.write(data)
        data = buffer.getvalue()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except OSError as error:
        raise not_written(target, error, DesignError) from error
    finally:
        with suppress(OSError):  # nothing was written, such as for a name too long
            temporary.unlink(missing_ok=True)
    return target


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Raise DesignError where a file exists already, or cannot be created."""
    if not isinstance(overwrite, bool | np.bool_):
        raise TypeError(f"overwrite={quoted(overwrite)} must be True or False")
    if path.is_dir():
        raise DesignError(f"{path} is a folder; give the path of a file")
    if path.exists() and not overwrite:
        raise DesignError(
            f"{path} exists already; choose another place, or overwrite=True to "
            "write over it"
        )
    if not path.parent.is_dir():
        raise DesignError(
            f"{path.parent} is not a folder; make it first, or choose another place"
        )


_OF_CONSTRUCT = ("unit", "element", "arm", "group", "insert")
_OF_OLIGO = ("name", "oligo", "barcode", "pool")


def construct_table(library: xr.Dataset, place: str) -> pd.DataFrame:
    """Return a row for each construct, in order of appearance, with every variable that
    is constant within it.

    Raises
    ------
    DesignError
        If a construct's oligos differ in more than their barcode, a name is invalid, or
        two inserts that are not declared duplicates cannot be distinguished.
    """
    validate(library, "library")
    of, names = pd.factorize(library["oligo_name"].to_numpy())
    first = np.unique(of, return_index=True)[1]
    _check_same_construct(library, of, first, place)
    rowwise = [name for name in library.variables if library[name].dims == ("row",)]
    rows = pd.DataFrame(
        {
            name: library[name].to_numpy()[first]
            for name in rowwise
            if name not in _OF_OLIGO
        }
    )
    check_names(names.tolist(), place)
    with_insert = rows[rows["insert"] != ""]
    declared = (with_insert["group"] == "duplicate").tolist()
    check_distinguishable(
        with_insert["insert"].tolist(),
        with_insert["oligo_name"].tolist(),
        declared,
        place,
    )
    return rows


def _check_same_construct(
    library: xr.Dataset, of: NDArray[np.intp], first: NDArray[np.intp], place: str
) -> None:
    if len(first) == len(of):
        return
    for column in _OF_CONSTRUCT:
        values = library[column].to_numpy()
        differs = values != values[first][of]
        if differs.any():
            name = library["oligo_name"].to_numpy()[int(differs.argmax())]
            raise DesignError(
                f"{place}: oligos of {quoted(name)} differ in their {column}; only the "
                "barcode may: give them constructs of their own"
            )
