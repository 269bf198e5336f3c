"""A finished store as the Dataset that it is of, lazily."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import StoreError
from causalgia.schema import annotate
from causalgia.trial.archive.chunks import chunk_mark_at, decoded, whole_chunk
from causalgia.trial.archive.files import mark_at, on_disk, size_of
from causalgia.trial.archive.layout import UNIT, Field, Grid, Slab, control, node
from causalgia.trial.archive.log import Record, read_log
from causalgia.trial.archive.manifest import Manifest, damaged_static, is_begun, read_manifest

_AGAIN = "the same cg.run(..., store=) makes again what is damaged, and that alone"


def open_archive(path: str | Path) -> xr.Dataset:
    """Open a finished store: variables of the units lazily (dask), a chunk for each file, and all others in memory.

    Once loaded it is identical to the Dataset that the same trial gives in memory: names, dims, dtypes, attrs, values.
    The sizes of all files are looked at here; their bytes are by `verify`, and whenever the trial is run again.

    Raises
    ------
    StoreError
        If there is no store at the path, it is not finished (says how far it is and how to go on), is of another
        version, or files are absent or not as long as they were.

    Examples
    --------
    >>> open_archive("nowhere.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: nowhere.zarr: no trial is stored there; cg.run(..., store=) makes one
    """
    place = Path(path)
    with on_disk(place):
        manifest, log = _read(place)
        _require_finished(place, manifest.grid, log)
        lengths = {n: size_of(m) for slab in manifest.grid.slabs() for n, m in log[slab].files.items()}
        hurt = [name for name, length in lengths.items() if _length(place / name) != length]
        hurt += damaged_static(place, manifest)
        if hurt:
            raise StoreError(f"{place}: damaged ({', '.join(hurt[:5])}); {_AGAIN}")
        return _opened(place, manifest)


def verify(path: str | Path) -> tuple[str, ...]:
    """Hash every file of a store; return the paths, in it, of those that do not have the bytes that were written.

    Nothing is changed. A store that is being written may show a file that is about to be moved.

    Raises
    ------
    StoreError
        If there is no store at the path, or it is of another version.
    """
    place = Path(path)
    with on_disk(place):
        manifest, log = _read(place)
        marks = {name: mark for record in log.values() for name, mark in record.files.items()}
        hurt = [name for name, mark in marks.items() if chunk_mark_at(place / name) != mark]
        return (*damaged_static(place, manifest), *hurt)


def _read(path: Path) -> tuple[Manifest, dict[Slab, Record]]:
    """Return the manifest and the newest record of each slab."""
    if not is_begun(path):
        raise StoreError(f"{path}: no trial is stored there; cg.run(..., store=) makes one")
    log = control(path) / "log"
    read = read_log(log) if log.exists() else {}
    return read_manifest(path), {slab: records[-1] for slab, records in read.items()}


def _require_finished(path: Path, grid: Grid, log: dict[Slab, Record]) -> None:
    done = {slab: log[slab].done if slab in log else 0 for slab in grid.slabs()}
    if all(turns == grid.whole(slab.chunk) for slab, turns in done.items()):
        return
    shared = [grid.whole(chunk) for chunk in range(grid.n_chunks)]
    for slab, turns in done.items():
        shared[slab.chunk] &= turns
    n = sum(grid.n_units_of(chunk, turns) for chunk, turns in enumerate(shared))
    raise StoreError(
        f"{path}: not finished, {n:,} of {grid.n_units:,} units are done; the same cg.run(..., store=) goes on"
    )


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _opened(path: Path, manifest: Manifest) -> xr.Dataset:
    """Return the variables that do not grow as zarr reads them, and those of the units read file by file."""
    fields = {node(field.name): field for field in manifest.grid.fields}
    frame = xr.open_zarr(
        path, chunks=None, consolidated=True, mask_and_scale=False, decode_times=False, drop_variables=[*fields]
    ).load()
    frame = frame.rename({name: unquote(str(name)) for name in {*frame.variables, *frame.dims}})
    frame = _assigned(frame, {name: frame[name].astype(dtype) for name, dtype in manifest.texts.items()})
    growing = {field.name: _lazily(path, manifest.grid, field) for field in fields.values() if field != UNIT}
    coords = {name: v for name, v in growing.items() if v.dims == ("unit",)}
    read = frame.assign({name: v for name, v in growing.items() if name not in coords})
    return read.assign_coords({"unit": pd.RangeIndex(manifest.grid.n_units), **coords}) if fields else read


def _lazily(path: Path, grid: Grid, field: Field) -> xr.Variable:
    """Return a field as a dask array, a chunk for each file, which says where it is damaged when it is read."""
    import dask.array
    from dask.base import tokenize

    da: Any = dask.array
    sizes = (grid.n_units, *field.shape)
    chunks = da.core.normalize_chunks((grid.units_a_chunk, *field.of_a_file), sizes)
    dtype = np.dtype(field.dtype)
    name = f"{field.name}-{tokenize(str(path.absolute()), mark_at(control(path) / 'log'), field.name)}"
    read = partial(_chunk, path=path, grid=grid, field=field)
    lazily = da.map_blocks(read, chunks=chunks, dtype=dtype, meta=np.empty((0,) * len(sizes), dtype), name=name)
    return annotate(xr.Dataset({field.name: (field.dims, lazily)}))[field.name].variable


def _chunk(path: Path, grid: Grid, field: Field, block_info: Any) -> NDArray[Any]:
    """Return one block of a field from its file."""
    where = block_info[None]
    numbers = where["chunk-location"]
    slab = Slab(numbers[0], numbers[-1] if field.by_model else None)
    file = path / grid.file_of(field, slab)
    with on_disk(path):
        data = whole_chunk(file)
    if data is None:
        raise StoreError(f"{file}: damaged; {_AGAIN}")
    values = decoded(data, np.dtype(field.dtype)).astype(field.dtype, copy=False)
    return values.reshape(grid.units_a_chunk, *field.of_a_file)[: where["chunk-shape"][0]]


def _assigned(dataset: xr.Dataset, variables: dict[Any, Any]) -> xr.Dataset:
    """Return the Dataset with some of its variables replaced, coordinates as coordinates."""
    coords = {name: v for name, v in variables.items() if name in dataset.coords}
    return dataset.assign_coords(coords).assign({name: v for name, v in variables.items() if name not in coords})
