"""Reading a finished store as a lazy Dataset, and checking the files of any store."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import StoreError
from causalgia.schema import annotate
from causalgia.trial.archive.files import (
    check_no_folders,
    check_no_links,
    chunk_mark_at,
    decode_values,
    on_disk,
    part_path,
    read_marked_chunk,
    remove,
    size_of,
)
from causalgia.trial.archive.journal import Record, read_log, read_state
from causalgia.trial.archive.layout import UNIT, Field, Grid, Slab, control
from causalgia.trial.archive.manifest import Manifest, damaged_static, frame_of_store, is_store, read_manifest

_AGAIN = "the same cg.run(..., store=) makes again what is damaged, and that alone"


def open_archive(path: str | Path) -> xr.Dataset:
    """Open a finished store: variables with units lazily (dask), a chunk for each file, all others in memory.

    Once loaded it is identical to the Dataset that the same trial returns in memory: names, dims, dtypes, attrs,
    values. The sizes of all files are checked here, and the bytes of a file when it is read: they match the log, or an
    error is raised. `verify` checks the bytes of all files, as does every further run of the trial.

    Raises
    ------
    StoreError
        If there is no store at the path, it is not finished (says how far it is and how to go on), is of another
        version, or files are absent or of another size.

    Examples
    --------
    >>> open_archive("nowhere.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: nowhere.zarr: no trial is stored there; cg.run(..., store=) makes one
    """
    place = Path(path)
    with on_disk(place):
        manifest, log = _read_manifest_and_log(place)
        _check_finished(place, manifest.grid, log)
        marks = {name: mark for record in log.values() for name, mark in record.files.items()}
        files = {name: place / name for name in marks}
        hurt = [n for n, file in files.items() if not file.exists() or file.stat().st_size != size_of(marks[n])]
        hurt += damaged_static(place, manifest)
        check_no_folders(place, hurt)
        if hurt:
            raise StoreError(f"{place}: damaged ({', '.join(hurt[:5])}); {_AGAIN}")
        return _open_lazily(place, manifest, marks)


def saved_sums(path: Path) -> dict[str, NDArray[Any]]:
    """Return the newest intact sums of a stored trial by name; none if there are none of this trial."""
    with on_disk(path):
        state, _ = read_state(control(path), read_manifest(path).origin)
        return {} if state is None else state[1]


def verify(path: str | Path) -> tuple[str, ...]:
    """Hash every file of a store; return the paths, in it, of the damaged ones.

    Nothing is changed. A store that is being written may list a file that is about to be moved.

    Raises
    ------
    StoreError
        If there is no store at the path, or it is of another version.
    """
    place = Path(path)
    with on_disk(place):
        manifest, log = _read_manifest_and_log(place)
        marks = {name: mark for record in log.values() for name, mark in record.files.items()}
        hurt = [name for name, mark in marks.items() if chunk_mark_at(place / name, (size_of(mark),)) != mark]
        return (*damaged_static(place, manifest), *hurt)


def _read_manifest_and_log(path: Path) -> tuple[Manifest, dict[Slab, Record]]:
    """Return the manifest and the newest record of each slab."""
    if not is_store(path):
        raise StoreError(f"{path}: no trial is stored there; cg.run(..., store=) makes one")
    check_no_links(path)
    manifest, log = read_manifest(path), control(path) / "log"
    read = read_log(log, manifest.grid, manifest.origin) if log.exists() else {}
    return manifest, {slab: records[-1] for slab, records in read.items()}


def _check_finished(path: Path, grid: Grid, log: dict[Slab, Record]) -> None:
    whole = sum(record.done == grid.whole(slab.chunk) for slab, record in log.items())
    if whole == grid.n_slabs:
        return
    n_models = Counter(slab.chunk for slab in log)
    shared = {chunk: grid.whole(chunk) for chunk, n in n_models.items() if n * grid.n_chunks == grid.n_slabs}
    for slab, record in log.items():
        if slab.chunk in shared:
            shared[slab.chunk] &= record.done
    n = sum(grid.n_units_of(chunk, turns) for chunk, turns in shared.items())
    raise StoreError(
        f"{path}: not finished, {n:,} of {grid.n_units:,} units are done; the same cg.run(..., store=) resumes it"
    )


def _open_lazily(path: Path, manifest: Manifest, marks: Mapping[str, str]) -> xr.Dataset:
    """Return variables without units in memory, and those with units read file by file."""
    grid = manifest.grid
    frame = frame_of_store(path, manifest)
    growing = {field.name: _lazy_variable(path, grid, field, marks) for field in grid.fields if field != UNIT}
    coords = {name: v for name, v in growing.items() if v.dims == ("unit",)}
    read = frame.assign({name: v for name, v in growing.items() if name not in coords})
    return read.assign_coords({"unit": pd.RangeIndex(grid.n_units), **coords}) if grid.fields else read


def _lazy_variable(path: Path, grid: Grid, field: Field, marks: Mapping[str, str]) -> xr.Variable:
    """Return a field as a dask array, a chunk for each file; damage is reported when a chunk is read."""
    import dask.array
    from dask.base import tokenize

    da: Any = dask.array
    sizes = (grid.n_units, *field.shape)
    chunks = da.core.normalize_chunks((grid.units_a_chunk, *field.of_a_file), sizes)
    name = f"{field.name}-{tokenize(str(path.absolute()), marks, field)}"
    graph = {}
    for numbers in product(*(range(len(along)) for along in chunks)):
        file = grid.file_of(field, Slab(numbers[0], numbers[-1] if field.by_model else None))
        read = partial(_read_chunk, path / file, marks[file], field, grid.units_a_chunk, chunks[0][numbers[0]])
        graph[(name, *numbers)] = (read,)
    lazily = da.Array(graph, name, chunks=chunks, dtype=np.dtype(field.dtype))
    return annotate(xr.Dataset({field.name: (field.dims, lazily)}))[field.name].variable


def _read_chunk(file: Path, mark: str, field: Field, units: int, n: int) -> NDArray[Any]:
    """Return the first n units of a block of a field from its file."""
    with on_disk(file):
        data = read_marked_chunk(file, mark)
    values = None if data is None else decode_values(data, np.dtype(field.dtype), field.values_a_file(units))
    if values is None:
        raise StoreError(f"{file}: damaged, not the bytes that the trial wrote; {_AGAIN}")
    return values.astype(field.dtype, copy=False).reshape(units, *field.of_a_file)[:n]


@dataclass(frozen=True)
class SlabState:
    """State of a slab on disk: turns that are done, turns that are lost, and damaged files."""

    slab: Slab
    done: int
    lost: int
    damaged: tuple[str, ...]


def inspect_slabs(path: Path, grid: Grid, log: dict[Slab, list[Record]]) -> list[SlabState]:
    """Hash every file of a store, two or more at once, and return the state of each slab."""
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        return list(pool.map(lambda slab: _inspect_slab(path, grid, slab, log.get(slab, ())), grid.slabs()))


def _inspect_slab(path: Path, grid: Grid, slab: Slab, records: Sequence[Record]) -> SlabState:
    """Return the state of a slab.

    A file holds the turns of the newest line that has its hash. Content only grows, so turns that all files of the slab
    hold are done, whichever lines these are.
    """
    files = grid.files_of(slab)
    if not records:
        stray = tuple(name for name in files if (path / name).exists())
        return SlabState(slab, 0, grid.whole(slab.chunk) if stray else 0, stray)
    held = {name: _turns_in_file(path, name, records) for name in files}
    recorded = records[-1].done
    done = recorded
    for turns in held.values():
        done &= turns
    return SlabState(slab, done, recorded & ~done, tuple(name for name, turns in held.items() if recorded & ~turns))


def _turns_in_file(path: Path, name: str, records: Sequence[Record]) -> int:
    """Return the turns that a file holds; a finished file beside its place is moved there first."""
    file = path / name
    sizes = {size_of(record.files[name]) for record in records}
    waiting = chunk_mark_at(part_path(file), sizes)
    if waiting is not None and waiting == records[-1].files.get(name):
        part_path(file).replace(file)
        return records[-1].done
    remove(part_path(file))
    mark = chunk_mark_at(file, sizes)
    return next((record.done for record in reversed(records) if record.files.get(name) == mark), 0)
