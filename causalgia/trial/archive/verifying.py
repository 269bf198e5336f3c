"""What a store still holds of what its log says was committed; commits that a kill cut short are completed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from causalgia.trial.archive.chunks import chunk_mark_at
from causalgia.trial.archive.files import part_of, remove, size_of
from causalgia.trial.archive.journal import Record
from causalgia.trial.archive.layout import Grid, Slab


@dataclass(frozen=True)
class Found:
    """What there is of a slab: the turns that are done, those that are lost, and the files that are damaged."""

    slab: Slab
    done: int
    lost: int
    damaged: tuple[str, ...]


def found_in(path: Path, grid: Grid, log: dict[Slab, list[Record]]) -> list[Found]:
    """Hash every file of a store, two or more at once, and say what there is of each slab."""
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        return list(pool.map(lambda slab: _found(path, grid, slab, log.get(slab, ())), grid.slabs()))


def _found(path: Path, grid: Grid, slab: Slab, records: Sequence[Record]) -> Found:
    """Say what there is of a slab.

    A file holds the turns of the newest line that has its hash. Content only grows, so turns that all files of the slab
    hold are done, whichever lines these are of.
    """
    files = grid.files_of(slab)
    if not records:
        stray = tuple(name for name in files if (path / name).exists())
        return Found(slab, 0, grid.whole(slab.chunk) if stray else 0, stray)
    held = {name: _held(path, name, records) for name in files}
    told = records[-1].done
    done = told
    for turns in held.values():
        done &= turns
    return Found(slab, done, told & ~done, tuple(name for name, turns in held.items() if told & ~turns))


def _held(path: Path, name: str, records: Sequence[Record]) -> int:
    """Return the turns that a file holds; a finished one beside its place is moved there."""
    file = path / name
    turns = partial(_turns_of, name=name, records=records)
    sizes = {size_of(record.files[name]) for record in records}
    waiting = chunk_mark_at(part_of(file), sizes)
    if waiting is not None and waiting == records[-1].files.get(name):
        part_of(file).replace(file)
        return records[-1].done
    remove(part_of(file))
    return turns(chunk_mark_at(file, sizes))


def _turns_of(mark: str | None, *, name: str, records: Sequence[Record]) -> int:
    return next((record.done for record in reversed(records) if record.files.get(name) == mark), 0)
