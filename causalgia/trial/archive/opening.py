"""A finished store as the Dataset that it is of, lazily."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import xarray as xr

from causalgia.errors import StoreError
from causalgia.trial.archive.chunks import chunk_mark_at
from causalgia.trial.archive.files import on_disk, size_of
from causalgia.trial.archive.layout import Grid, Slab, control
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
    read = xr.open_zarr(
        path, chunks={}, consolidated=True, mask_and_scale=False, decode_times=False, drop_variables=["unit"]
    )
    read = read.rename({name: unquote(str(name)) for name in {*read.variables, *read.dims}})
    texts = dict(manifest.texts) | {f.name: f.dtype for f in manifest.grid.fields if np.dtype(f.dtype).kind == "U"}
    read = _assigned(read, {name: read[name].astype(dtype) for name, dtype in texts.items()})
    if manifest.grid.fields:
        read = read.assign_coords(unit=np.arange(manifest.grid.n_units))
    return _assigned(read, {name: v.load() for name, v in read.variables.items() if "unit" not in v.dims})


def _assigned(dataset: xr.Dataset, variables: dict[Any, Any]) -> xr.Dataset:
    """Return the Dataset with some of its variables replaced, coordinates as coordinates."""
    coords = {name: v for name, v in variables.items() if name in dataset.coords}
    return dataset.assign_coords(coords).assign({name: v for name, v in variables.items() if name not in coords})
