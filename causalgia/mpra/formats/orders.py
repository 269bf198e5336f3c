"""A library on disk: order files, FASTA and CSV, and the folder of all its files; a
small library for examples.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from causalgia import store
from causalgia.attributes import attributes
from causalgia.errors import (
    DataError,
    DesignError,
    quoted,
    reason_of,
)
from causalgia.mpra.counts.counts_table import check_fingerprints, design_arms
from causalgia.mpra.formats.igvf import to_igvf
from causalgia.mpra.formats.text_tables import (
    check_distinguishable,
    check_names,
    check_writable,
    construct_table,
    write_text,
)
from causalgia.notes import unpack_text
from causalgia.schema import validate

_HEADER = "name,oligo"
# of the longest oligo; a few bases from indels do not matter in PCR
_LEAST_LENGTH_SHARE = 0.9


def to_fasta(
    library: xr.Dataset,
    path: str | PathLike[str],
    *,
    sequence: Literal["oligo", "insert"] = "oligo",
    overwrite: bool = False,
) -> Path:
    """Write a library as FASTA: whole oligos for the order, or inserts for mapping
    reads.

    Parameters
    ----------
    library
        From `causalgia.mpra.library`.
    path
        Output file; ``.gz`` is compressed. One line of sequence a record.
    sequence
        ``"oligo"``: a record for each oligo with adapters and barcode, under its name,
        for the vendor. ``"insert"``: a record for each construct without adapters,
        under its ``oligo_name``: the design file of an association (MPRAsnakeflow).
        Declared duplicates (repeated inserts) and promoters alone (no insert) have no
        record.
    overwrite
        Whether to overwrite an existing file.

    Raises
    ------
    DesignError
        If a vendor does not take a name, two sequences are equal or reverse complements
        of each other without being declared duplicates, two oligos share a barcode (the
        message names them), one is more than a tenth shorter than the longest, there is
        no oligo, or the file exists.

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> path = to_fasta(two_arms(), Path(tempfile.mkdtemp()) / "oligos.fa")
    >>> print(path.read_text().splitlines()[0])
    >u1:control
    """
    if sequence == "oligo":
        names, sequences = _names_and_oligos(library, path)
    else:
        if sequence != "insert":
            raise DesignError(
                f"sequence={quoted(sequence)}: a FASTA is of 'oligo' (to order) or "
                "'insert' (to map reads to)"
            )
        rows = construct_table(library, str(path))
        rows = rows[(rows["group"] != "duplicate") & (rows["insert"] != "")]
        names, sequences = rows["oligo_name"].tolist(), rows["insert"].tolist()
    text = "".join(
        f">{name}\n{letters}\n" for name, letters in zip(names, sequences, strict=True)
    )
    return write_text(path, text, overwrite=overwrite)


def to_csv(
    library: xr.Dataset, path: str | PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a library as a vendor's order sheet: ``name,oligo``, a line an oligo as
    synthesized, 5' to 3'.

    Parameters
    ----------
    library
        From `causalgia.mpra.library`.
    path
        Output file; ``.gz`` is compressed.
    overwrite
        Whether to overwrite an existing file.

    Raises
    ------
    DesignError
        As `to_fasta`.

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> path = to_csv(two_arms(), Path(tempfile.mkdtemp()) / "order.csv")
    >>> print(path.read_text().splitlines()[0])
    name,oligo
    """
    names, oligos = _names_and_oligos(library, path)
    lines = [f"{name},{oligo}" for name, oligo in zip(names, oligos, strict=True)]
    return write_text(path, "\n".join([_HEADER, *lines]) + "\n", overwrite=overwrite)


def check_orderable(library: xr.Dataset, place: str) -> None:
    """Raise DesignError for a library that cannot be ordered or whose reads could not
    be distinguished.

    Raises
    ------
    DesignError
        As `to_fasta`, for oligos and inserts; or if an oligo does not contain its
        insert and its barcode, or a unit has other inserts than those of which its name
        has the fingerprint.
    """
    names, oligos = _names_and_oligos(library, place)
    construct_table(library, place)
    if unpack_text(library, "design") is not None:
        check_fingerprints(library, [arm.name for arm in design_arms(library)])
    for part in ("insert", "barcode"):
        carried = library[part].to_numpy().tolist() if part in library else []
        lacks = next(
            (i for i, letters in enumerate(carried) if letters not in oligos[i]), None
        )
        if lacks is not None:
            raise DesignError(
                f"{place}: oligo {quoted(names[lacks])} does not carry its {part} "
                f"{carried[lacks]}; a row that is changed by hand is changed in "
                "insert, barcode and oligo alike"
            )


def _names_and_oligos(
    library: xr.Dataset, path: str | PathLike[str]
) -> tuple[list[str], list[str]]:
    validate(library, "library")
    if "pool" in library and len(set(library["pool"].to_numpy().tolist())) > 1:
        raise DesignError(
            f"{path}: the library has several pools, each an order of its own: "
            "library.isel(row=library['pool'] == 1)"
        )
    names, oligos = (
        library[column].to_numpy().tolist() for column in ("name", "oligo")
    )
    check_names(names, str(path))
    check_distinguishable(
        oligos, names, (library["group"].to_numpy() == "duplicate").tolist(), str(path)
    )
    if not names:
        raise DesignError(f"{path}: the library has no oligo; select rows that it has")
    place = str(path)
    shortest, longest = (
        min(range(len(oligos)), key=lambda i: len(oligos[i])),
        max(map(len, oligos)),
    )
    if len(oligos[shortest]) < _LEAST_LENGTH_SHARE * longest:
        raise DesignError(
            f"{place}: {quoted(names[shortest])} has {len(oligos[shortest])} nt in a "
            f"pool whose longest oligo has {longest}: PCR prefers the short ones; "
            "order each length as a pool of its own, or put a filler in"
        )
    if "barcode" in library:
        barcodes = library["barcode"].to_numpy()
        first = (
            pd.Series(np.arange(len(names)))
            .groupby(barcodes)
            .transform("min")
            .to_numpy()
        )
        again = np.flatnonzero(first < np.arange(len(names)))
        if again.size:
            one, other = names[first[again[0]]], names[again[0]]
            raise DesignError(
                f"{path}: {quoted(one)} and {quoted(other)} have one barcode, "
                f"{barcodes[again[0]]} ({again.size:,} are given again): their counts "
                "cannot be distinguished. Give each oligo its own barcode; "
                "cg.mpra.library assigns them"
            )
    return names, oligos


LIBRARY = "library.nc"
_TEXT = (".tsv", ".csv", ".txt", ".fa", ".gz")
_MAPPING = "reporter_barcode_to_element_mapping.tsv.gz"
_WRITERS: dict[str, Callable[[xr.Dataset, Path], Path]] = {
    "oligos.fa": lambda library, path: to_fasta(library, path, overwrite=True),
    "oligos.csv": lambda library, path: to_csv(library, path, overwrite=True),
    "inserts.fa": lambda library, path: to_fasta(
        library, path, sequence="insert", overwrite=True
    ),
    "arms.tsv": lambda library, path: to_igvf(
        library, path, "side_table", overwrite=True
    ),
    "labels.tsv": lambda library, path: to_igvf(
        library, path, "labels", overwrite=True
    ),
    "reporter_sequence_design.tsv.gz": lambda library, path: to_igvf(
        library, path, "reporter_sequence_design", overwrite=True
    ),
    _MAPPING: lambda library, path: to_igvf(
        library, path, "reporter_barcode_to_element_mapping", overwrite=True
    ),
}
#: files of a library folder
FILES = (LIBRARY, *_WRITERS)


def write_library(
    library: xr.Dataset, folder: str | PathLike[str], *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write a library as a folder: order files, files for mapping reads, and the
    library for `read_library`.

    ``oligos.csv`` and ``oligos.fa`` are the whole oligos for the vendor; ``inserts.fa``
    is the mapping target of an association;
    ``reporter_barcode_to_element_mapping.tsv.gz`` is the assignment of synthesized
    barcodes; ``labels.tsv`` is for MPRAsnakeflow's plots;
    ``reporter_sequence_design.tsv.gz`` is IGVF's design; ``arms.tsv`` is the side table
    for `causalgia.mpra.read_counts`. ``library.nc`` is written last: a folder that has
    it is complete. Of several pools each has a folder of its own, ``pool_1``, ..., with
    all of these, and ``library.nc`` beside them is of all pools.

    Parameters
    ----------
    library
        From `causalgia.mpra.library`.
    folder
        Output folder; created if absent.
    overwrite
        Whether to overwrite existing files.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    DesignError
        If a file exists, or the library cannot be ordered (see `to_fasta`).

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> folder = Path(tempfile.mkdtemp())
    >>> [path.name for path in write_library(two_arms(), folder)][:3]
    ['oligos.fa', 'oligos.csv', 'inserts.fa']
    >>> read_library(folder).identical(two_arms())
    True
    """
    place = Path(folder)
    parts = {place: library}
    if "pool" in library:
        pool = library["pool"].to_numpy()
        parts = {
            place / f"pool_{n}": library.isel(row=pool == n).drop_vars("pool")
            for n in np.unique(pool).tolist()
        }
    for where, part in parts.items():
        check_orderable(part, str(where))
    try:
        for where in (place, *parts):
            where.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise DesignError(
            f"{where}: cannot be made a folder ({reason_of(error)}); choose another "
            "place"
        ) from error
    there = [place / name for name in library_files(place)]
    for path in there:
        check_writable(path, overwrite=overwrite)
    for path in there:
        path.unlink(missing_ok=True)
    written = list[Path]()
    for where, part in parts.items():
        names = [name for name in _WRITERS if name != _MAPPING or "barcode" in part]
        written += [_WRITERS[name](part, where / name) for name in names]
        written.append(_save(part, where))
    return (*written, *([_save(library, place)] if "pool" in library else []))


def library_files(folder: Path) -> list[str]:
    """Return the names of the files of a library in a folder, also those that are not
    there, and those of its pools that are.
    """
    pools = [path.name for path in sorted(folder.glob("pool_*"))]
    of_pools = [f"{pool}/{name}" for pool in pools for name in FILES]
    return [*FILES, *(name for name in of_pools if (folder / name).exists())]


def _save(library: xr.Dataset, place: Path) -> Path:
    try:
        return store.save(library, place / LIBRARY)
    except DataError as error:
        raise DesignError(str(error)) from error


def read_library(folder: str | PathLike[str]) -> xr.Dataset:
    """Read a library written by `write_library`.

    Parameters
    ----------
    folder
        The folder, or its ``library.nc``.

    Returns
    -------
    Dataset
        Identical to what was written.

    Raises
    ------
    DesignError
        If it is absent or damaged, or a table.

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = write_library(two_arms(), folder)
    >>> read_library(folder).sizes["row"] == two_arms().sizes["row"]
    True
    """
    place = Path(folder)
    try:
        path = place / LIBRARY if place.is_dir() else place
        there = path.exists()
    except OSError as error:  # name too long, or no permission
        raise DesignError(
            f"{place}: cannot be read ({error.strerror}); check the path and its "
            "permissions"
        ) from error
    if not there:
        raise DesignError(
            f"{path}: no such file",
        )
    if path.name != LIBRARY and path.suffix in _TEXT:
        raise DesignError(
            f"{path}: is a table, and a library is read from its folder",
        )
    try:
        return store.load(path, "library")
    except DataError as error:
        raise DesignError(str(error)) from error


def two_arms() -> xr.Dataset:
    """Return two units under two arms, a scramble and a declared duplicate, without
    barcodes.

    Examples
    --------
    >>> two_arms().sizes["row"]
    6
    """
    inserts = ["ACGTTGCA", "ACGATACA", "GGCATTAC", "GGGATAAC", "TTGACCAG", "ACGTTGCA"]
    elements = ["u1", "u1", "u2", "u2", "scramble0", "u1=again"]
    arms = ["control", "GATA1", "control", "GATA1", "scramble", "control"]
    names = [f"{element}:{arm}" for element, arm in zip(elements, arms, strict=True)]
    groups = ["test"] * 4 + ["negative", "duplicate"]
    columns = {
        "element": elements,
        "arm": arms,
        "group": groups,
        "name": names,
        "oligo_name": names,
        "insert": inserts,
    }
    columns["oligo"] = [f"AGGA{insert}CATT" for insert in inserts]
    return xr.Dataset(
        {
            "unit": ("row", np.array([0, 0, 1, 1, -1, 0])),
            **{name: ("row", cells) for name, cells in columns.items()},
        },
        attrs=attributes(design_fingerprint="0123456789abcdef"),
    )
