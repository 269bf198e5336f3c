"""Datasets on disk, as netCDF files."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import xarray as xr

from causalgia import netcdf
from causalgia.errors import OutcomesError, quoted
from causalgia.schema import Kind, validate


def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write a Dataset as netCDF-4, atomically.

    An interrupted write leaves the previous file unchanged. The file ends in a checksum, which `load` verifies.

    Parameters
    ----------
    dataset
        Sequences, outcomes, effects or estimates; its attrs are text or numbers.
    path
        Target file, in an existing folder.

    Raises
    ------
    OutcomesError
        If an attribute cannot be stored, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> dataset = xr.Dataset({"ace": (("contrast", "task"), [[1.5]])}, coords={"contrast": ["GATA1"], "task": ["K562"]})
    >>> load(save(dataset, folder / "estimates.nc"), "estimates").identical(dataset)
    True
    """
    target = Path(path)
    _check_attrs(dataset, target)
    plain = dataset.rename({name: quote(str(name), safe="") for name in _all_names(dataset)})
    return netcdf.write_netcdf(target, lambda place: plain.to_netcdf(place, engine="h5netcdf", format="NETCDF4"))


def load(path: str | Path, kind: Kind) -> xr.Dataset:
    """Read a Dataset written by `save` into memory and check it against the schema.

    Other netCDF files are first read by a child process with limits on time and memory; a file that refers to other
    files raises an error.

    Parameters
    ----------
    path
        The file.
    kind
        Expected kind: ``"sequences"``, ``"outcomes"``, ``"effects"`` or ``"estimates"``.

    Raises
    ------
    OutcomesError
        If the file is absent, damaged or not a Dataset of this kind; the message begins with the path.
    """
    source = Path(path)
    try:
        read = netcdf.read_netcdf(source)
    except OutcomesError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        msg = f"{source}: no such file; causalgia.store.save writes it, as does `causalgia run`"
        raise OutcomesError(msg) from error
    read = read.rename({name: unquote(str(name)) for name in _all_names(read)})
    read.attrs = {name: _as_python(value) for name, value in read.attrs.items()}
    read = read.assign_coords({name: _as_text(read[name]) for name in read.coords if read[name].dtype.kind == "O"})
    try:
        return validate(read, kind)
    except OutcomesError as error:
        raise OutcomesError(f"{source}: {error}") from error


def _all_names(dataset: xr.Dataset) -> list[Any]:
    return list({*dataset.variables, *dataset.dims})


def _check_attrs(dataset: xr.Dataset, target: Path) -> None:
    for name, value in dataset.attrs.items():
        if isinstance(value, bool | np.bool_) or not isinstance(value, str | int | float | np.number):
            kind = type(value).__name__
            raise OutcomesError(
                f"{target}: attrs[{quoted(name)}] is a {kind}; attributes are text or numbers: convert it"
            )


def _as_python(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _as_text(array: xr.DataArray) -> xr.DataArray:
    return array.copy(data=array.to_numpy().astype(np.str_))
