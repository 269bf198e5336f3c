"""Log of a trial, with a hashed line for each commit; slabs of units that are
committed; and the saved running sums.

Files of a slab are written beside their places and made durable, then a line describes
them; once lines are durable, of many slabs at once, their files are moved to their
places. If the process dies in between, what is in its place is of an earlier line, and
what was finished is still beside it: everything that was committed is found. If the
power fails, that holds of the lines that were durable; the slabs of later ones are made
again.

The hashes of lines and of sums begin with the origin of the trial, a digest of the
identity that it was begun with: those of another trial's store are not taken for its
own.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import StoreError, quoted
from causalgia.trial.archive.files import (
    CHUNK_MARK,
    checksum,
    chunk_mark,
    decode_values,
    encode_values,
    file_to_append,
    file_to_read,
    mark_of,
    parse_json,
    part_path,
    read_intact_chunk,
    read_or_none,
    read_small_file,
    replace,
    seal,
    sync_file,
    unseal,
    unzip_stored,
    write_all,
    write_files,
)
from causalgia.trial.archive.layout import UNIT, Field, Grid, Slab, control

_LONGEST_LINE = 2**20
"""Largest length of a line in bytes; longer ones are not read whole."""
_DONE = re.compile("0x[0-9a-f]+")


@dataclass(frozen=True)
class Record:
    """A commit: the turns of a slab that are done, as a bit set, and the mark of each
    of its files by path.
    """

    chunk: int
    model: int | None
    done: int
    files: Mapping[str, str]

    @property
    def slab(self) -> Slab:
        return Slab(self.chunk, self.model)

    def line(self, origin: str) -> bytes:
        """Return the record as a line; it begins with a line end, which closes a line
        that was cut off.
        """
        text = json.dumps(
            asdict(self) | {"done": hex(self.done)}, separators=(",", ":")
        )
        return f"\n{mark_of(text.encode(), origin)} {text}\n".encode()

    @classmethod
    def read(cls, line: bytes, grid: Grid, origin: str) -> Record | None:
        """Return the record of a line; None if it is cut off, damaged, of another
        trial, or of no slab of this one.
        """
        mark, _, text = line.partition(b" ")
        if mark_of(text, origin).encode() != mark:
            return None
        match parse_json(text):
            case {
                "chunk": int(chunk),
                "model": int() | None as model,
                "done": str(done),
                "files": dict(files),
                **more,
            }:
                slab = Slab(chunk, model)
                if (
                    more
                    or bool in (type(chunk), type(model))
                    or not grid.has(slab)
                    or not _DONE.fullmatch(done)
                ):
                    return None
                turns, marked = (
                    int(done, 16),
                    all(
                        isinstance(m, str) and CHUNK_MARK.fullmatch(m)
                        for m in files.values()
                    ),
                )
                known = files.keys() == set(
                    grid.files_of(slab)
                ) and not turns & ~grid.whole(chunk)
                return cls(chunk, model, turns, files) if marked and known else None
        return None


def read_log(path: Path, grid: Grid, origin: str) -> dict[Slab, list[Record]]:
    """Return the records of each slab, oldest first; damaged lines are skipped."""
    found: dict[Slab, list[Record]] = {}
    with file_to_read(path) as raw, io.BufferedReader(raw) as file:
        for line in iter(partial(file.readline, _LONGEST_LINE), b""):
            record = Record.read(line.rstrip(b"\n"), grid, origin)
            if record is not None:
                found.setdefault(record.slab, []).append(record)
    return found


class Log:
    """The log of a store that is being written, by any number of threads."""

    def __init__(self, store: Path, origin: str) -> None:
        self.path, self._store, self._origin = control(store) / "log", store, origin
        self._waiting, self._turn = list[Path](), Lock()

    def append(self, record: Record) -> None:
        """Append a record; its files wait beside their places until the next `sync`."""
        file = file_to_append(self.path)
        try:
            with self._turn:
                write_all(file, record.line(self._origin))
                self._waiting += [self._store / name for name in record.files]
        finally:
            os.close(file)

    def sync(self) -> None:
        """Wait until every line is on the disk, and move the files that waited for
        that.
        """
        with self._turn:
            if self._waiting:
                sync_file(self.path)
            while self._waiting:
                part_path(self._waiting[-1]).replace(self._waiting[-1])
                self._waiting.pop()

    def compact(self, grid: Grid) -> None:
        """Rewrite the log of a finished trial with one line for each slab in order,
        whatever its history.
        """
        records = read_log(self.path, grid, self._origin)
        lines = b"".join(records[slab][-1].line(self._origin) for slab in grid.slabs())
        if read_small_file(self.path) != lines:
            replace(self.path, lines)


SLOTS = ("state-0", "state-1")
_TURN_NUMBER = re.compile(rb"[0-9]{1,15}")


def write_state(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    *,
    origin: str,
    turns: int,
    last: bool,
) -> None:
    """Write the sums over the first turns in place of the older of two generations; the
    final sums over both.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as whole:
        for name, values in arrays.items():
            with whole.open(f"{name}.npy", "w", force_zip64=True) as one:
                np.lib.format.write_array(one, np.asarray(values), allow_pickle=False)
    data = seal(f"{turns}\n".encode() + made.getvalue(), origin)
    newest, older = sorted(SLOTS, key=lambda slot: -_turns(folder / slot, origin))
    for slot in (older, newest) if last else (older,):
        replace(folder / slot, data)


def _turns(path: Path, origin: str) -> int:
    """Return the number of turns of a state; -1 if it is absent or damaged."""
    state = _parse_state(read_or_none(path) or b"", origin)
    return -1 if state is None else state[0]


def equalize_states(folder: Path, *, origin: str, turns: int) -> None:
    """Give both generations the same bytes if one of them is final: a kill may have
    come between the two writes.
    """
    read = {slot: read_or_none(folder / slot) or b"" for slot in SLOTS}
    whole = [
        data
        for data in read.values()
        if (state := _parse_state(data, origin)) and state[0] == turns
    ]
    for slot, data in read.items():
        if whole and data != whole[0]:
            replace(folder / slot, whole[0])


def read_state(
    folder: Path, origin: str
) -> tuple[tuple[int, dict[str, NDArray[Any]]] | None, list[str]]:
    """Return the newest intact sums of a trial with their number of turns, and the
    names of damaged or other ones.
    """
    there = [slot for slot in SLOTS if (folder / slot).exists()]
    read = {
        slot: _parse_state(read_or_none(folder / slot) or b"", origin) for slot in there
    }
    whole = [state for state in read.values() if state is not None]
    return max(whole, key=lambda state: state[0], default=None), [
        slot for slot in there if read[slot] is None
    ]


@contextmanager
def state_of_trial(store: object) -> Iterator[None]:
    """Name the store, and the cure, where its saved sums turn out not to be those of
    its own trial.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, StoreError) as error:
        raise StoreError(
            f"{store}: the saved sums do not belong to this trial ({error})"
        ) from error


def _parse_state(
    data: bytes, origin: str
) -> tuple[int, dict[str, NDArray[Any]]] | None:
    body = unseal(data, origin)
    if body is None:
        return None
    turns, _, packed = body.partition(b"\n")
    arrays = {
        name.removesuffix(".npy"): _parse_npy(data)
        for name, data in unzip_stored(packed).items()
    }
    whole = {name: array for name, array in arrays.items() if array is not None}
    return (
        (int(turns), whole)
        if _TURN_NUMBER.fullmatch(turns) and whole.keys() == arrays.keys() and whole
        else None
    )


def _parse_npy(data: bytes) -> NDArray[Any] | None:
    """Return the array of a file in numpy's format; None unless it has numbers or text,
    of the stated size.
    """
    stream = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            return None
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception:  # the header is parsed as Python, which may raise anything
        return None
    values = memoryview(data)[stream.tell() :]
    if (
        dtype.kind not in "biufU"
        or any(size < 0 for size in shape)
        or math.prod(shape) * dtype.itemsize != len(values)
    ):
        return None
    flat = np.frombuffer(values, dtype) if len(values) else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if in_columns else "C").copy()


@dataclass
class OpenSlab:
    """A slab that is being filled: its turns, those of them that are committed, and its
    values by field.
    """

    slab: Slab
    done: int
    committed: int
    values: dict[Field, NDArray[Any]]

    @classmethod
    def begin(cls, path: Path, grid: Grid, slab: Slab, done: int) -> OpenSlab:
        """Return a slab with its contents on disk."""
        put = [own for own in grid.fields_of(slab) if own != UNIT]
        return cls(
            slab,
            done,
            done,
            {own: _load_values(path, grid, own, slab, done) for own in put},
        )

    def put(self, bit: int, rows: slice, values: Mapping[str, NDArray[Any]]) -> None:
        """Write the values of a turn."""
        for own, array in self.values.items():
            array[rows] = _as_file_values(
                values, own, rows.stop - rows.start, self.slab.model
            )
        self.done |= bit

    def payloads(self, grid: Grid) -> dict[str, NDArray[np.uint8]]:
        """Return the bytes of each file, by its path in the store, with fill values
        where no turn was put.
        """
        blank = [grid.rows(turn) for turn in grid.turns(self.slab.chunk, ~self.done)]
        blank.append(slice(grid.n_units - self.slab.chunk * grid.units_a_chunk, None))
        for own, array in self.values.items():
            for rows in blank:
                array[rows] = own.blank
        first = self.slab.chunk * grid.units_a_chunk
        known = (
            {UNIT: np.arange(first, first + grid.units_a_chunk)}
            if self.slab.model is None
            else {}
        )
        return {
            grid.file_of(own, self.slab): encode_values(array)
            for own, array in (known | self.values).items()
        }


def commit_slab(path: Path, grid: Grid, log: Log, filling: OpenSlab) -> None:
    """Write the files of a slab beside their places and log their hashes; `Log.sync`
    moves them.

    The files are durable before their line is written, and the line before they are
    moved, so that a file in its place always has the bytes of some line of the log. A
    move need not be durable: a file that was not moved is still beside its place. Slabs
    share no files and may be committed at the same time.
    """
    if filling.committed:
        # moves its earlier files, which may still wait where the new ones are written
        log.sync()
    done, payloads = filling.done, filling.payloads(grid)
    sums = {name: checksum(data) for name, data in payloads.items()}
    for name in payloads:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
    write_files(
        {
            part_path(path / name): [data.data, sums[name]]
            for name, data in payloads.items()
        }
    )
    marks = {name: chunk_mark(len(data), sums[name]) for name, data in payloads.items()}
    log.append(Record(*filling.slab, done, marks))
    filling.committed = done


def _load_values(
    path: Path, grid: Grid, own: Field, slab: Slab, done: int
) -> NDArray[Any]:
    shape, dtype = (
        (grid.units_a_chunk, *own.of_a_file),
        np.dtype(own.dtype).newbyteorder("<"),
    )
    if not done:
        return np.empty(shape, dtype)
    file = path / grid.file_of(own, slab)
    data = read_intact_chunk(file)
    values = (
        None
        if data is None
        else decode_values(data, dtype, own.values_a_file(grid.units_a_chunk))
    )
    if values is None:
        raise StoreError(f"{file}: damaged while the trial was running")
    return values.reshape(shape)


def _as_file_values(
    values: Mapping[str, NDArray[Any]], own: Field, n: int, model: int | None
) -> NDArray[Any]:
    """Return the values of a field in the shape of its file; values of one model have
    that axis, of length 1.
    """
    if own.name not in values:
        raise StoreError(
            f"no values of {quoted(own.name)} were put; a turn has "
            f"{', '.join(sorted(values)) or 'none'}"
        )
    given = np.asarray(values[own.name])
    if given.dtype != own.dtype and not np.can_cast(given.dtype, own.dtype, "safe"):
        raise StoreError(
            f"{quoted(own.name)} is {given.dtype} here and was "
            f"{np.dtype(own.dtype)} in the first turn, which the store was made "
            "for"
        )
    if (
        model is not None
        and given.ndim == len(own.shape) + 1
        and given.shape[-1] == own.shape[-1]
    ):
        given = given[..., [model]] if given.shape[-1] > 1 else given
    expected = (n, *own.of_a_file)
    if given.shape not in (expected, expected[:-1] if own.by_model else expected):
        raise StoreError(
            f"{quoted(own.name)} has shape {given.shape}, not {expected}, in a turn of "
            f"{n:,} units"
        )
    return given.reshape(expected)
