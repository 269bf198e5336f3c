"""Slabs in memory: the units of a chunk until they are committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import StoreError, quoted
from causalgia.trial.archive.files import (
    checksum,
    chunk_mark,
    decode_values,
    encode_values,
    part_path,
    read_intact_chunk,
    write_files,
)
from causalgia.trial.archive.journal import Log, Record
from causalgia.trial.archive.layout import UNIT, Field, Grid, Slab


@dataclass
class OpenSlab:
    """A slab that is being filled: its turns, those of them that are committed, and its values by field."""

    slab: Slab
    done: int
    committed: int
    values: dict[Field, NDArray[Any]]

    @classmethod
    def begin(cls, path: Path, grid: Grid, slab: Slab, done: int) -> OpenSlab:
        """Return a slab with its contents on disk."""
        put = [own for own in grid.fields_of(slab) if own != UNIT]
        return cls(slab, done, done, {own: _load_values(path, grid, own, slab, done) for own in put})

    def put(self, bit: int, rows: slice, values: Mapping[str, NDArray[Any]]) -> None:
        """Write the values of a turn."""
        for own, array in self.values.items():
            array[rows] = _as_file_values(values, own, rows.stop - rows.start, self.slab.model)
        self.done |= bit

    def payloads(self, grid: Grid) -> dict[str, NDArray[np.uint8]]:
        """Return the bytes of each file, by its path in the store, with fill values where no turn was put."""
        blank = [grid.rows(turn) for turn in grid.turns(self.slab.chunk, ~self.done)]
        blank.append(slice(grid.n_units - self.slab.chunk * grid.units_a_chunk, None))
        for own, array in self.values.items():
            for rows in blank:
                array[rows] = own.blank
        first = self.slab.chunk * grid.units_a_chunk
        known = {UNIT: np.arange(first, first + grid.units_a_chunk)} if self.slab.model is None else {}
        return {grid.file_of(own, self.slab): encode_values(array) for own, array in (known | self.values).items()}


def commit_slab(path: Path, grid: Grid, log: Log, filling: OpenSlab) -> None:
    """Write the files of a slab beside their places, log their hashes, and move them.

    All of it is durable before anything is moved, so that a file always has the bytes of some line of the log. A move
    need not be durable: a file that was not moved is still beside its place. Slabs share no files and may be committed
    at the same time.
    """
    done, payloads = filling.done, filling.payloads(grid)
    sums = {name: checksum(data) for name, data in payloads.items()}
    for name in payloads:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
    write_files({part_path(path / name): [data.data, sums[name]] for name, data in payloads.items()})
    marks = {name: chunk_mark(len(data), sums[name]) for name, data in payloads.items()}
    log.append(Record(*filling.slab, done, marks))
    for name in payloads:
        part_path(path / name).replace(path / name)
    filling.committed = done


def _load_values(path: Path, grid: Grid, own: Field, slab: Slab, done: int) -> NDArray[Any]:
    shape, dtype = (grid.units_a_chunk, *own.of_a_file), np.dtype(own.dtype).newbyteorder("<")
    if not done:
        return np.empty(shape, dtype)
    file = path / grid.file_of(own, slab)
    data = read_intact_chunk(file)
    values = None if data is None else decode_values(data, dtype, own.values_a_file(grid.units_a_chunk))
    if values is None:
        raise StoreError(f"{file}: damaged while the trial was running; the same call goes on from what is whole")
    return values.reshape(shape)


def _as_file_values(values: Mapping[str, NDArray[Any]], own: Field, n: int, model: int | None) -> NDArray[Any]:
    """Return the values of a field in the shape of its file; values of one model have that axis, of length 1."""
    if own.name not in values:
        raise StoreError(f"no values of {quoted(own.name)} were put; a turn has {', '.join(sorted(values)) or 'none'}")
    given = np.asarray(values[own.name])
    if given.dtype != own.dtype and not np.can_cast(given.dtype, own.dtype, "safe"):
        raise StoreError(
            f"{quoted(own.name)} is {given.dtype} here and was {np.dtype(own.dtype)} in the first turn, which the "
            "store was made for; let the predictor answer in one dtype"
        )
    if model is not None and given.ndim == len(own.shape) + 1 and given.shape[-1] == own.shape[-1]:
        given = given[..., [model]] if given.shape[-1] > 1 else given
    expected = (n, *own.of_a_file)
    if given.shape not in (expected, expected[:-1] if own.by_model else expected):
        raise StoreError(f"{quoted(own.name)} has shape {given.shape}, not {expected}, in a turn of {n:,} units")
    return given.reshape(expected)
