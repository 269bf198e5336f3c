"""A library as a folder: the library itself, order files, and files for the analysis of counts."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import xarray as xr

from causalgia import store
from causalgia.errors import LibraryError, OutcomesError
from causalgia.mpra.formats.igvf import to_igvf
from causalgia.mpra.formats.orders import check_orderable, to_csv, to_fasta
from causalgia.mpra.formats.text_files import check_writable

LIBRARY = "library.nc"
_MAPPING = "reporter_barcode_to_element_mapping.tsv.gz"
_WRITERS: dict[str, Callable[[xr.Dataset, Path], Path]] = {
    "oligos.fa": lambda library, path: to_fasta(library, path, overwrite=True),
    "oligos.csv": lambda library, path: to_csv(library, path, overwrite=True),
    "inserts.fa": lambda library, path: to_fasta(library, path, of="insert", overwrite=True),
    "arms.tsv": lambda library, path: to_igvf(library, path, "side_table", overwrite=True),
    "labels.tsv": lambda library, path: to_igvf(library, path, "labels", overwrite=True),
    "reporter_sequence_design.tsv.gz": lambda library, path: to_igvf(
        library, path, "reporter_sequence_design", overwrite=True
    ),
    _MAPPING: lambda library, path: to_igvf(library, path, "reporter_barcode_to_element_mapping", overwrite=True),
}
#: files of a library folder
FILES = (LIBRARY, *_WRITERS)


def write_library(library: xr.Dataset, folder: str | PathLike[str], *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a library as a folder: order files, files for mapping reads, and the library for `read_library`.

    ``oligos.csv`` and ``oligos.fa`` are the whole oligos for the vendor; ``inserts.fa`` is the mapping target of an
    association; ``reporter_barcode_to_element_mapping.tsv.gz`` is the assignment of synthesized barcodes;
    ``labels.tsv`` is for MPRAsnakeflow's plots; ``reporter_sequence_design.tsv.gz`` is IGVF's design; ``arms.tsv`` is
    the side table for `causalgia.mpra.read_counts`. ``library.nc`` is written last: a folder that has it is complete.

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
    LibraryError
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
    check_orderable(library, str(folder))
    place = _make_folder(Path(folder))
    for name in (*_WRITERS, LIBRARY):
        check_writable(place / name, overwrite=overwrite)
    (place / LIBRARY).unlink(missing_ok=True)
    (place / _MAPPING).unlink(missing_ok=True)
    names = [name for name in _WRITERS if name != _MAPPING or "barcode" in library]
    written = [_WRITERS[name](library, place / name) for name in names]
    try:
        return (*written, store.save(library, place / LIBRARY))
    except OutcomesError as error:
        raise LibraryError(str(error)) from error


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
    LibraryError
        If it is absent or damaged.
    """
    place = Path(folder)
    try:
        path = place / LIBRARY if place.is_dir() else place
        there = path.exists()
    except OSError as error:  # name too long, or no permission
        raise LibraryError(f"{place}: cannot be read ({error.strerror}); check the path and its permissions") from error
    if not there:
        raise LibraryError(f"{path}: no such file; cg.mpra.write_library(library, folder) writes it")
    try:
        return store.load(path, "library")
    except OutcomesError as error:
        raise LibraryError(str(error)) from error


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be made a folder ({error.strerror}); choose another place") from error
    return folder
