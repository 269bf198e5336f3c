"""The log of a trial: a line for each commit, which is only ever added to, and vouches for itself.

A line is written before the files that it tells of take their places. A process that dies between the two leaves files
that an earlier line tells of, and finished ones beside their places; either way what was committed is found again.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from causalgia.trial.archive.chunks import CHUNK_MARK
from causalgia.trial.archive.files import file_to_append, file_to_read, mark_of, parsed, read, replace, write_all
from causalgia.trial.archive.layout import Grid, Slab

_LONGEST = 2**20
"""Bytes of a line; what is longer is none of ours, and is not held as a whole."""
_DONE = re.compile("0x[0-9a-f]+")


@dataclass(frozen=True)
class Record:
    """A commit: which turns of a slab are done, as a set of bits, and the mark of each of its files by path."""

    chunk: int
    model: int | None
    done: int
    files: Mapping[str, str]

    @property
    def slab(self) -> Slab:
        return Slab(self.chunk, self.model)

    def line(self) -> bytes:
        """Return the record as a line, between line ends: the one before ends what a full disk may have torn."""
        text = json.dumps(asdict(self) | {"done": hex(self.done)}, separators=(",", ":"))
        return f"\n{mark_of(text.encode())} {text}\n".encode()

    @classmethod
    def read(cls, line: bytes, grid: Grid) -> Record | None:
        """Return the record of a line; None where it is torn, damaged, or of no slab of the trial."""
        mark, _, text = line.partition(b" ")
        if mark_of(text).encode() != mark:
            return None
        match parsed(text):
            case {"chunk": int(chunk), "model": int() | None as model, "done": str(done), "files": dict(files), **more}:
                slab = Slab(chunk, model)
                if more or bool in (type(chunk), type(model)) or not grid.has(slab) or not _DONE.fullmatch(done):
                    return None
                turns, marked = (
                    int(done, 16),
                    all(isinstance(m, str) and CHUNK_MARK.fullmatch(m) for m in files.values()),
                )
                known = files.keys() == set(grid.files_of(slab)) and not turns & ~grid.whole(chunk)
                return cls(chunk, model, turns, files) if marked and known else None
        return None


def read_log(path: Path, grid: Grid) -> dict[Slab, list[Record]]:
    """Return the records of each slab, oldest first; lines that are torn, damaged or no records tell nothing."""
    found: dict[Slab, list[Record]] = {}
    with file_to_read(path) as raw, io.BufferedReader(raw) as file:
        for line in iter(partial(file.readline, _LONGEST), b""):
            record = Record.read(line.rstrip(b"\n"), grid)
            if record is not None:
                found.setdefault(record.slab, []).append(record)
    return found


class Log:
    """The log of a store that is being written, by any number of threads."""

    def __init__(self, path: Path) -> None:
        self.path, self._turn = path, Lock()

    def append(self, record: Record) -> None:
        """Add a record, and wait until it is on the disk."""
        file = file_to_append(self.path)
        try:
            with self._turn:
                write_all(file, record.line())
            os.fsync(file)
        finally:
            os.close(file)

    def settle(self, grid: Grid) -> None:
        """Write the log of a finished trial anew, a line for each slab in order: the same however it came about."""
        records = read_log(self.path, grid)
        lines = b"".join(records[slab][-1].line() for slab in grid.slabs())
        if read(self.path) != lines:
            replace(self.path, lines)
