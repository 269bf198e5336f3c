"""The log of a trial: a line for each commit, which is only ever added to, and vouches for itself.

A line is written before the files that it tells of take their places. A process that dies between the two leaves files
that an earlier line tells of, and finished ones beside their places; either way what was committed is found again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from causalgia.trial.archive.files import mark_of, replace, write_all
from causalgia.trial.archive.layout import Slab


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
    def read(cls, line: bytes) -> Record | None:
        """Return the record of a line; None where it is torn or damaged."""
        mark, _, text = line.partition(b" ")
        if mark_of(text).encode() != mark:
            return None
        told = json.loads(text)
        return cls(**(told | {"done": int(told["done"], 16)}))


def read_log(path: Path) -> dict[Slab, list[Record]]:
    """Return the records of each slab, oldest first; lines that are torn or damaged tell nothing."""
    found: dict[Slab, list[Record]] = {}
    with path.open("rb") as file:
        for line in file:
            record = Record.read(line.rstrip(b"\n"))
            if record is not None:
                found.setdefault(record.slab, []).append(record)
    return found


class Log:
    """The log of a store that is being written, by any number of threads."""

    def __init__(self, path: Path) -> None:
        self.path, self._turn = path, Lock()

    def append(self, record: Record) -> None:
        """Add a record, and wait until it is on the disk."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            with self._turn:
                write_all(file, record.line())
            os.fsync(file)
        finally:
            os.close(file)

    def settle(self, slabs: Iterable[Slab]) -> None:
        """Write the log of a finished trial anew, a line for each slab in order: the same however it came about."""
        records = read_log(self.path)
        lines = b"".join(records[slab][-1].line() for slab in slabs)
        if self.path.read_bytes() != lines:
            replace(self.path, lines)
