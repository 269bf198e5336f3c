"""Datasets on disk: netCDF files with a checksum, and curves for genome browsers."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import numpy as np
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import positions_of
from causalgia.errors import (
    CausalgiaError,
    DataError,
    EstimateError,
    MissingExtraError,
    first_line,
    first_words,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.inputs import (
    BYTES_A_READ,
    open_regular_file,
)
from causalgia.numerics.row_blocks import is_lazy
from causalgia.schema import Kind, validate

__all__ = [
    "load",
    "read_netcdf",
    "read_tree",
    "save",
    "write_bigwig",
    "write_netcdf",
]

_SEAL_MARK = b"\ncausalgia blake2b-256\n"
SEAL = len(_SEAL_MARK) + 32
_PADDING = 2**16
_READING: dict[str, Any] = {
    "engine": "h5netcdf",
    "decode_times": False,
    "phony_dims": "access",
}


def write_netcdf(
    path: Path, fill: Callable[[Any], object], *, in_memory: bool = True
) -> Path:
    """Write a netCDF file with a checksum at its end, atomically (by a temporary file
    in the same folder), and first in memory: HDF5 does not survive a full disk.

    Parameters
    ----------
    path
        Target file, in an existing folder.
    fill
        Function that writes the netCDF file into a given file, or to a path.
    in_memory
        False for what does not fit into it, and is written to the disk at once.

    Raises
    ------
    DataError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.nc"
    >>> dataset = xr.Dataset({"x": ("unit", [1.0, 2.0])})
    >>> write_netcdf(path, lambda file: dataset.to_netcdf(file, engine="h5netcdf")).name
    'x.nc'
    """
    check_hdf5_installed()
    if not path.name or "\0" in path.name:
        raise DataError(f"{quoted(str(path))} is not a name of a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if in_memory:
            made = io.BytesIO()
            fill(made)
            temporary.write_bytes(made.getbuffer())
        else:
            fill(temporary)
        with temporary.open("r+b") as file:
            digest = _digest(file, temporary.stat().st_size)
            file.seek(0, os.SEEK_END)
            file.write(_SEAL_MARK + digest)
        temporary.replace(path)
    except OSError as error:
        # HDF5's message names the temporary file
        what = os.strerror(error.errno) if error.errno else str(error)
        raise DataError(f"{path}: cannot be written ({what})") from error
    finally:
        with suppress(OSError):  # nothing was written, such as for a name too long
            temporary.unlink(missing_ok=True)
    return path


def read_netcdf(path: str | Path) -> xr.Dataset:
    """Read a Dataset into memory after `check_file`, without decoding times.

    Raises
    ------
    DataError
        As `check_file`; or if it is not a netCDF file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.nc"
    >>> dataset = xr.Dataset({"x": ("unit", [1.0, 2.0])})
    >>> read_netcdf(
    ...     write_netcdf(
    ...         path, lambda place: dataset.to_netcdf(place, engine="h5netcdf")
    ...     )
    ... ).identical(dataset)
    True
    >>> _ = path.write_bytes(path.read_bytes().replace(b"unit", b"Unit"))
    >>> read_netcdf(path)
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: ...x.nc: damaged: its bytes are not those that were written
    """
    place = Path(path)
    check_file(place)
    with as_damage_error(place, "netCDF", DataError):
        return xr.load_dataset(place, **_READING)


def read_tree(path: str | Path) -> xr.DataTree:
    """Read a tree of Datasets into memory, after `check_file`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tree.nc"
    >>> tree = xr.DataTree.from_dict({"/a": xr.Dataset({"x": ("unit", [1.0, 2.0])})})
    >>> _ = write_netcdf(path, lambda file: tree.to_netcdf(file, engine="h5netcdf"))
    >>> read_tree(path)["a/x"].values
    array([1., 2.])
    """
    place = Path(path)
    check_file(place)
    with as_damage_error(place, "netCDF", DataError):
        return xr.load_datatree(place, **_READING)


def check_hdf5_installed() -> None:
    """Raise MissingExtraError unless HDF5 files can be read and written here: the
    packages come with causalgia, but may be gone, or broken.
    """
    for name in ("h5py", "h5netcdf"):
        try:
            import_module(name)
        except ImportError as error:
            raise MissingExtraError(
                f"netCDF and HDF5 files need {name}, which cannot be imported here ({error}); "
                "pip install h5py h5netcdf",
            ) from error


def check_file(path: Path) -> None:
    """Raise if a file of `write_netcdf` is not as it was written, by the checksum at its
    end (or before the padding of a copy). A file of another program has none.

    Raises
    ------
    DataError
        If the file cannot be read, or changed since it was written.
    """
    check_hdf5_installed()
    with open_regular_file(path, DataError) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - SEAL - _PADDING, 0))
        end = file.read()
        at = _begin_of_seal(end)
        if (
            at is not None
            and _digest(file, size - len(end) + at)
            != end[at + len(_SEAL_MARK) : at + SEAL]
        ):
            raise DataError(
                f"{path}: damaged: its bytes are not those that were written"
            )


def _begin_of_seal(end: bytes) -> int | None:
    """Return where the checksum begins in the last bytes of a file, cut short or padded
    as it may be; else None.
    """
    cut = next(
        (
            n
            for n in range(len(_SEAL_MARK) - 1, len(_SEAL_MARK) // 2, -1)
            if end.endswith(_SEAL_MARK[:n])
        ),
        0,
    )
    at = len(end) - cut if cut else end.rfind(_SEAL_MARK)
    return at if at >= 0 and not end[at + SEAL :].strip(b"\0\r\n") else None


@contextmanager
def as_damage_error(
    path: Path, kind: str, error: type[CausalgiaError]
) -> Iterator[None]:
    """Raise what h5py, h5netcdf or xarray raises about a file as an error that names
    it.
    """
    try:
        yield
    except CausalgiaError:
        raise
    except Exception as reason:  # damaged files raise any exception
        raise error(
            f"{path}: damaged or no {kind} file ({first_words(reason)})"
        ) from reason


def _digest(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    found = blake2b(digest_size=32)
    while size > 0 and (block := file.read(min(BYTES_A_READ, size))):
        found.update(block)
        size -= len(block)
    return found.digest()


_OF_OTHER_FORMATS = (".csv", ".tsv", ".txt", ".xlsx", ".json", ".zip", ".zarr", ".npz")


def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write a Dataset as netCDF-4, atomically.

    An interrupted write leaves the previous file unchanged. The file ends in a
    checksum, which `load` verifies.

    Parameters
    ----------
    dataset
        Sequences, outcomes, effects or estimates; its attrs are text or numbers.
    path
        Target file, in an existing folder.

    Raises
    ------
    DataError
        If it is not a Dataset, the path has the ending of another format, an attribute
        or a name cannot be stored, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> dataset = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5]])},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ... )
    >>> load(save(dataset, folder / "estimates.nc"), "estimates").identical(dataset)
    True
    """
    if not isinstance(dataset, xr.Dataset):
        raise DataError(
            f"save writes an xarray Dataset, and this is {type_in_words(dataset)}"
        )
    target = Path(path)
    if target.suffix.lower() in _OF_OTHER_FORMATS:
        raise DataError(
            f"{path}: save writes netCDF, and {target.suffix} is the ending of "
            "another format"
        )
    levels = next((n for n, i in dataset.indexes.items() if i.nlevels > 1), None)
    if levels is not None:
        name = quoted(str(dataset.indexes[levels].name or levels))
        raise DataError(f"{path}: HDF5 cannot store {name}, an index of several levels")
    _check_attrs(dataset, target)
    try:
        plain = dataset.rename(
            {name: quote(str(name), safe="") for name in _all_names(dataset)}
        )
        lazy = any(is_lazy(variable) for variable in plain.variables.values())
        return write_netcdf(
            target, lambda place: _fill_netcdf(plain, place), in_memory=not lazy
        )
    except (CausalgiaError, OSError, MemoryError):
        raise
    except Exception as error:  # xarray, h5netcdf and h5py each have kinds of their own
        raise _storage_error(target, error) from error


def _fill_netcdf(dataset: xr.Dataset, path: Any) -> None:
    """Write what ``to_netcdf`` does, without loading `distributed` for a lock that
    numbers in memory do not need.
    """
    if any(is_lazy(variable) for variable in dataset.variables.values()):
        dataset.to_netcdf(path, engine="h5netcdf", format="NETCDF4")
        return
    target = xr.backends.H5NetCDFStore.open(
        path, mode="w", format="NETCDF4", lock=False
    )
    try:
        dataset.dump_to_store(target)
    finally:
        target.close()


def _storage_error(path: str | Path, error: Exception) -> DataError:
    """Return the error for what HDF5 cannot store: a zero byte, half a surrogate pair,
    names that differ in a slash.
    """
    return DataError(
        f"{path}: HDF5 cannot store a name or a value of it ({first_line(error)})"
    )


def load(path: str | Path, kind: Kind) -> xr.Dataset:
    """Read a Dataset written by `save` into memory and check it against the schema.

    Parameters
    ----------
    path
        The file.
    kind
        Expected kind: ``"sequences"``, ``"outcomes"``, ``"effects"`` or
        ``"estimates"``.

    Raises
    ------
    DataError
        If the file is absent, damaged or not a Dataset of this kind; the message begins
        with the path.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> table = cg.estimation.from_effects([0.5, 1.0], se=[0.1, 0.2])
    >>> path = save(table, Path(tempfile.mkdtemp()) / "table.nc")
    >>> load(path, "estimates")["ace"].values.ravel()
    array([0.5, 1. ])
    """
    source = Path(path)
    read = read_netcdf(source)
    names = {name: unquote(str(name)) for name in _all_names(read)}
    if twice := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise DataError(
            f"{source}: two variables or dims are both named {quoted(min(twice))}"
        )
    read = read.rename(names)
    read.attrs = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in read.attrs.items()
    }
    objects = [array for array in read.coords.values() if array.dtype.kind == "O"]
    read = read.assign_coords(
        {
            array.name: array.copy(data=array.to_numpy().astype(np.str_))
            for array in objects
        }
    )
    try:
        return validate(read, kind, positions=True, gaps=True)
    except DataError as error:
        raise type(error)(f"{source}: {error}") from error


def _all_names(dataset: xr.Dataset) -> list[Any]:
    return list({*dataset.variables, *dataset.dims})


def _check_attrs(dataset: xr.Dataset, target: Path) -> None:
    for name, value in dataset.attrs.items():
        if "\0" in str(name):  # after which HDF5 would cut it
            raise _storage_error(
                target, ValueError(f"a zero byte in attrs[{quoted(name)}]")
            )
        if isinstance(value, bool | np.bool_) or not isinstance(
            value, str | int | float | np.number
        ):
            raise DataError(
                f"{target}: attrs[{quoted(name)}] is {type_in_words(value)}, not text or "
                "a number"
            )
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise DataError(
                f"{target}: attrs[{quoted(name)}] = {quoted(value)} is beyond 64 "
                "bits, which no file holds"
            )


def write_bigwig(
    curves: xr.Dataset,
    path: str | Path,
    *,
    chromosome: str,
    origin: int,
    chrom_sizes: Mapping[str, int],
    contrast: str | None = None,
    task: str | None = None,
    column: str = "ace",
) -> Path:
    """Write one curve to a bigWig file, for a genome browser.

    Parameters
    ----------
    curves
        From `causalgia.estimate` or `causalgia.simultaneous`, with a dim position.
    path
        The file.
    chromosome
        Name of the chromosome.
    origin
        Base of the chromosome, counted from 0, that is position 0.
    chrom_sizes
        Chromosome -> length, of the genome.
    contrast, task
        The curve; may be left out where there is one.
    column
        ``"ace"``, ``"lower"``, ``"upper"`` or ``"se"``.

    Raises
    ------
    DataError
        If this is not one curve whose positions increase, or the file cannot be
        written.
    EstimateError
        If the curve leaves the chromosome.
    MissingExtraError
        If pyBigWig is not installed: ``pip install '.[bigwig]'``.

    Examples
    --------
    >>> import tempfile
    >>> means = xr.DataArray(
    ...     [[[0.1], [0.9], [0.2]]], dims=("contrast", "position", "task")
    ... )
    >>> curve = xr.Dataset({"ace": means}, {"position": [0, 4, 8]}, {"bin": 4})
    >>> path = write_bigwig(
    ...     curve,
    ...     Path(tempfile.mkdtemp()) / "effect.bw",
    ...     chromosome="chr1",
    ...     origin=1_000,
    ...     chrom_sizes={"chr1": 5_000},
    ... )
    >>> import pyBigWig
    >>> with pyBigWig.open(str(path)) as file:
    ...     file.values("chr1", 1_003, 1_005)
    [0.10000000149011612, 0.8999999761581421]
    """
    names = {"contrast": contrast, "task": task}
    chosen = {dim: name for dim, name in names.items() if name is not None}
    try:
        values = (
            curves[column].sel(chosen).squeeze([d for d in names if d not in chosen])
        )
    except (KeyError, ValueError) as error:
        raise DataError(f"there is not one such curve: {first_line(error)}") from error
    starts, width = positions_of(curves).astype(np.int64) + origin, about(curves, 1).bin
    if values.dims != ("position",) or (np.diff(starts) <= 0).any():
        raise DataError(f"no curve along increasing positions, but dims {values.dims}")
    size = chrom_sizes.get(chromosome, 0)
    if starts[0] < 0 or starts[-1] + width > size:
        raise EstimateError(
            f"origin={origin:,}: the curve goes from {starts[0]:,} to "
            f"{starts[-1] + width:,}, and {quoted(chromosome)} has {size:,} bp"
        )
    target = Path(path)
    # pyBigWig would end the process
    if target.is_dir() or not os.access(
        target if target.exists() else target.parent, os.W_OK
    ):
        raise DataError(f"{target} cannot be written")
    try:
        import pyBigWig
    except ImportError as error:
        raise MissingExtraError(
            f"bigWig files need pyBigWig ({error}): {install_command('bigwig')}"
        ) from error
    file = pyBigWig.open(str(target), "w")
    try:
        file.addHeader(list(chrom_sizes.items()))
        file.addEntries(
            [chromosome] * len(starts),
            starts.tolist(),
            ends=(starts + width).tolist(),
            values=values.to_numpy().astype(np.float64).tolist(),
        )
    finally:
        file.close()
    return target
