"""Manifest of a store (its trial, turns, fields, static files, in two copies); stores
read and checked by it.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import first_of
from causalgia.errors import StoreError, quoted, quoted_apart
from causalgia.schema import annotate
from causalgia.trial.archive.files import (
    FILE_MARK,
    check_no_folders,
    chunk_mark_at,
    decode_values,
    mark_of,
    on_disk,
    parse_json,
    part_path,
    read_marked_chunk,
    read_or_none,
    read_small_file,
    remove,
    replace,
    replace_all,
    seal,
    size_of,
    unseal,
    unzip_stored,
)
from causalgia.trial.archive.journal import SLOTS, Record, read_log, read_state
from causalgia.trial.archive.layout import (
    CONTROL,
    FORMAT,
    UNIT,
    Field,
    Grid,
    Slab,
    as_grid,
    as_json,
    as_texts,
    control,
    is_static,
    node,
    read_frame,
)

_NAME, _COPY = "manifest.json", "copy"
_KIND = "causalgia trial"


class OtherTrialError(StoreError):
    """A store that holds another trial than the one that is asked for."""


@dataclass(frozen=True)
class Manifest:
    """The content of a store's manifest.

    `identity` names the trial (design, predictor, seed, ...); `texts` has the dtypes of
    the text variables without units; `static` the marks of the static files, by path;
    `settled` the settings that the trial fixed when it began, as JSON, for a resumed
    run; `origin` is the digest of the identity at that time; `parts` has digests (and
    versions) of the parts of an identity, by name: they do not distinguish trials, but
    let an error say which part changed.
    """

    identity: Mapping[str, str]
    grid: Grid
    texts: Mapping[str, str]
    static: Mapping[str, str]
    origin: str
    settled: Any = None
    parts: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON with its own hash."""
        grid = {
            "fields": [asdict(field) for field in self.grid.fields],
            "turn_ends": self.grid.turn_ends,
            "turns_a_chunk": self.grid.turns_a_chunk,
        }
        fields: dict[str, Any] = {
            "identity": self.identity,
            "grid": grid,
            "texts": self.texts,
            "static": self.static,
        }
        fields |= {"origin": self.origin, "settled": self.settled, "parts": self.parts}
        content = {"kind": _KIND, "version": FORMAT, **fields}
        return as_json(content | {"hash": content_hash(content)})

    @classmethod
    def from_bytes(cls, data: bytes | None, path: Path) -> Manifest | None:
        """Read a manifest; None if it is damaged.

        Raises
        ------
        StoreError
            If it was written by another version of the layout, or its hash is right and
            its content is not one that this library writes.
        """
        content = None if data is None else parse_json(data)
        if not isinstance(content, dict) or "version" not in content:
            return None
        mark = content.pop("hash", None)
        if content["version"] != FORMAT:
            raise StoreError(
                f"{path}: written in version {quoted(content['version'])} of the "
                f"layout, this library reads version {FORMAT}"
            )
        if mark != content_hash(content):
            return None
        try:
            return cls._of(content)
        except StoreError as error:
            raise StoreError(
                f"{path}: the manifest was not written by this library ({error})"
            ) from error

    @classmethod
    def _of(cls, content: dict[str, Any]) -> Manifest:
        names = {"identity", "grid", "texts", "static", "origin", "settled", "parts"}
        if content.keys() != {"kind", "version", *names} or content["kind"] != _KIND:
            raise StoreError(f"it is not a {_KIND} of {', '.join(sorted(names))}")
        identity, texts, static, parts = (
            as_texts(content[n], n) for n in ("identity", "texts", "static", "parts")
        )
        grid = as_grid(content["grid"])
        growing = {node(field.name) for field in grid.fields}
        for name, mark in static.items():
            if not is_static(name) or (
                name.partition("/")[0] in growing and not name.endswith("/zarr.json")
            ):
                raise StoreError(
                    f"'static' lists {quoted(name)}, which is not a file of a store"
                )
            if not FILE_MARK.fullmatch(mark):
                raise StoreError(
                    f"'static' has {quoted(mark)} for {quoted(name)}, which is not a "
                    "mark of a file"
                )
        if not isinstance(origin := content["origin"], str) or not FILE_MARK.fullmatch(
            origin
        ):
            raise StoreError(
                f"'origin' is {quoted(origin)}, which is not a digest of an identity"
            )
        return cls(identity, grid, texts, static, origin, content["settled"], parts)

    def check_identity(
        self,
        identity: Mapping[str, str],
        parts: Mapping[str, str],
        path: Path,
        *,
        but: Collection[str] = (),
    ) -> None:
        """Raise OtherTrialError if the trial is another one; says which parts differ, and
        how. Names in `but` may differ.
        """
        if strange := self.identity.keys() - identity.keys():
            raise OtherTrialError(
                f"{path}: holds another trial, which has {quoted(min(strange))} "
                "and this one has not"
            )
        allowed = self.identity.keys() & but
        differ = [
            name
            for name in sorted(identity.keys() - allowed)
            if self.identity.get(name) != identity[name]
        ]
        if differ:
            differences = "; ".join(
                f"{name}: {_there_and_now(self.identity.get(name), identity[name])}"
                for name in differ
            )
            moved = self.moved(parts) if "predictor" in differ else ""
            raise OtherTrialError(
                f"{path}: holds another trial, which differs in {', '.join(differ)} "
                f"({differences}{moved and '; '}{moved})"
            )

    def moved(self, parts: Mapping[str, str]) -> str:
        """Say which parts of the predictor changed and which did not; "" if that is not
        known.
        """
        names = sorted(self.parts.keys() | parts.keys() - {"versions"})
        others = [
            name
            for name in names
            if self.parts.get(name) != parts.get(name) and name != "versions"
        ]
        same = [name for name in names if name not in others and name != "versions"]
        changes = [f"its {_name_list(others)} moved"] if others else []
        changes += [f"its {_name_list(same)} did not"] if others and same else []
        before, now = self.parts.get("versions"), parts.get("versions")
        return "; ".join(
            [
                *changes,
                *(
                    [f"versions: {_there_and_now(before, now)}"]
                    if before != now
                    else []
                ),
            ]
        )


def _name_list(names: Sequence[str]) -> str:
    return first_of((quoted(name)[1:-1] for name in names), 6)


def write_manifest(path: Path, manifest: Manifest, static: Mapping[str, bytes]) -> None:
    """Write the copy of the static files, and then the manifest, which marks the store
    as begun.
    """
    folder = control(path)
    data = manifest.to_bytes()
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {_NAME: data, **static}.items():
            # without a time: the bytes depend on the content only
            archive.writestr(zipfile.ZipInfo(name), content)
    replace_all({folder / _COPY: seal(copy.getvalue()), folder / _NAME: data})


def is_store(path: Path) -> bool:
    """Say whether there is a store at a path: a manifest, or commits (or sums) and the
    copy of a manifest.
    """
    folder = control(path)
    log = folder / "log"
    committed = (log.exists() and log.stat().st_size > 0) or any(
        (folder / slot).exists() for slot in SLOTS
    )
    return (folder / _NAME).exists() or ((folder / _COPY).exists() and committed)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest, or where it is damaged its copy.

    Raises
    ------
    StoreError
        If both are damaged, or of another version.
    """
    found = Manifest.from_bytes(read_or_none(control(path) / _NAME), path)
    found = found or Manifest.from_bytes(_copies(path).get(_NAME), path)
    if found is None:
        raise StoreError(f"{path}: the manifest and its copy are damaged")
    return found


def intact_static(path: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the static files that are intact, by their path in the store."""
    read = {name: read_or_none(path / name) for name in manifest.static}
    return {
        name: data
        for name, data in read.items()
        if data is not None and mark_of(data) == manifest.static[name]
    }


def damaged_static(path: Path, manifest: Manifest) -> list[str]:
    """Return the paths of the static files that are damaged."""
    whole = intact_static(path, manifest)
    hurt = [name for name in manifest.static if name not in whole]
    if read_or_none(control(path) / _NAME) != manifest.to_bytes():
        hurt.append(f"{CONTROL}/{_NAME}")
    copies, marks = (
        _copies(path),
        {_NAME: mark_of(manifest.to_bytes()), **manifest.static},
    )
    if {name: mark_of(data) for name, data in copies.items()} != marks:
        hurt.append(f"{CONTROL}/{_COPY}")
    return hurt


def frame_of_store(path: Path, manifest: Manifest) -> xr.Dataset:
    """Return the variables without units, and the attrs.

    Raises
    ------
    StoreError
        If one of their files is damaged, or was not written by this library.
    """
    try:
        return read_frame(manifest.grid, intact_static(path, manifest), manifest.texts)
    except StoreError as error:
        raise type(error)(f"{path}: {error}") from error


def repair_static(path: Path, manifest: Manifest) -> list[str]:
    """Restore damaged static files from their copy; return their paths.

    Raises
    ------
    StoreError
        If a file and its copy are both damaged.
    """
    hurt, copies = damaged_static(path, manifest), _copies(path)
    check_has_copies(path, manifest, hurt)
    for name in manifest.static.keys() & set(hurt):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        replace(path / name, copies[name])
    if hurt:
        write_manifest(
            path,
            manifest,
            {name: read_small_file(path / name) for name in manifest.static},
        )
    return hurt


def check_has_copies(path: Path, manifest: Manifest, hurt: list[str]) -> None:
    """Raise StoreError where a file is damaged and its copy as well: no run repairs
    it.
    """
    copies = _copies(path)
    for name in sorted(manifest.static.keys() & set(hurt)):
        if name not in copies or mark_of(copies[name]) != manifest.static[name]:
            raise StoreError(f"{path / name}: damaged, as is its copy")


def _copies(path: Path) -> dict[str, bytes]:
    """Return the files of the copy; an empty dict if it is damaged or packed in another
    way.
    """
    data = unseal(read_or_none(control(path) / _COPY) or b"")
    return {} if data is None else unzip_stored(data)


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the mark of a mapping, whatever the order of its names."""
    return mark_of(json.dumps(content, sort_keys=True).encode())


def _there_and_now(there: str | None, now: str | None) -> str:
    """Say two values that differ, in at most 80 characters each."""
    if there is None or now is None:
        values = [
            "not given" if value is None else quoted(value) for value in (there, now)
        ]
        return f"{values[0]} there, {values[1]} now"
    return "{} there, {} now".format(*quoted_apart(there, now))


def open_archive(path: str | Path) -> xr.Dataset:
    """Open a finished store: variables with units lazily (dask), a chunk for each file,
    all others in memory.

    Once loaded it is identical to the Dataset that the same trial returns in memory:
    names, dims, dtypes, attrs, values. The sizes of all files are checked here, and the
    bytes of a file when it is read: they match the log, or an error is raised. `verify`
    checks the bytes of all files, as does every further run of the trial.

    Raises
    ------
    StoreError
        If there is no store at the path, it is not finished (says how far it is and how
        to go on), is of another version, or files are absent or of another size.

    Examples
    --------
    >>> open_archive("nowhere.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: nowhere.zarr: no trial is stored there
    """
    place = Path(path)
    with on_disk(place):
        manifest, log = _read_manifest_and_log(place)
        _check_finished(place, manifest.grid, log)
        marks = {
            name: mark for record in log.values() for name, mark in record.files.items()
        }
        files = {name: place / name for name in marks}
        hurt = [
            n
            for n, file in files.items()
            if not file.exists() or file.stat().st_size != size_of(marks[n])
        ]
        hurt += damaged_static(place, manifest)
        check_no_folders(place, hurt)
        check_has_copies(place, manifest, hurt)
        if hurt:
            raise StoreError(f"{place}: damaged ({', '.join(hurt[:5])})")
        grid, frame = manifest.grid, frame_of_store(place, manifest)
        growing = {
            field.name: _lazy_variable(place, grid, field, marks)
            for field in grid.fields
            if field != UNIT
        }
        coords = {name: v for name, v in growing.items() if v.dims == ("unit",)}
        read = frame.assign(
            {name: v for name, v in growing.items() if name not in coords}
        )
        return (
            read.assign_coords({"unit": pd.RangeIndex(grid.n_units), **coords})
            if grid.fields
            else read
        )


def saved_sums(path: Path) -> dict[str, NDArray[Any]]:
    """Return the newest intact sums of a stored trial by name; none if there are none
    of this trial.
    """
    with on_disk(path):
        state, _ = read_state(control(path), read_manifest(path).origin)
        return {} if state is None else state[1]


def verify(path: str | Path) -> tuple[str, ...]:
    """Hash every file of a store; return the paths, in it, of the damaged ones.

    Nothing is changed. A store that is being written may list a file that is about to
    be moved.

    Raises
    ------
    StoreError
        If there is no store at the path, or it is of another version.
    """
    place = Path(path)
    with on_disk(place):
        manifest, log = _read_manifest_and_log(place)
        marks = {
            name: mark for record in log.values() for name, mark in record.files.items()
        }
        hurt = [
            name
            for name, mark in marks.items()
            if chunk_mark_at(place / name, (size_of(mark),)) != mark
        ]
        return (*damaged_static(place, manifest), *hurt)


def _read_manifest_and_log(path: Path) -> tuple[Manifest, dict[Slab, Record]]:
    """Return the manifest and the newest record of each slab."""
    if not is_store(path):
        raise StoreError(f"{path}: no trial is stored there")
    manifest, log = read_manifest(path), control(path) / "log"
    read = read_log(log, manifest.grid, manifest.origin) if log.exists() else {}
    return manifest, {slab: records[-1] for slab, records in read.items()}


def _check_finished(path: Path, grid: Grid, log: dict[Slab, Record]) -> None:
    whole = sum(record.done == grid.whole(slab.chunk) for slab, record in log.items())
    if whole == grid.n_slabs:
        return
    n_models = Counter(slab.chunk for slab in log)
    shared = {
        chunk: grid.whole(chunk)
        for chunk, n in n_models.items()
        if n * grid.n_chunks == grid.n_slabs
    }
    for slab, record in log.items():
        if slab.chunk in shared:
            shared[slab.chunk] &= record.done
    n = sum(grid.n_units_of(chunk, turns) for chunk, turns in shared.items())
    raise StoreError(
        f"{path}: not finished, {n:,} of {grid.n_units:,} units are done; the same "
        "cg.run(..., store=) resumes it"
    )


def _lazy_variable(
    path: Path, grid: Grid, field: Field, marks: Mapping[str, str]
) -> xr.Variable:
    """Return a field as a dask array, a chunk for each file; damage is reported when a
    chunk is read.
    """
    import dask.array
    from dask.base import tokenize

    da: Any = dask.array
    sizes = (grid.n_units, *field.shape)
    chunks = da.core.normalize_chunks((grid.units_a_chunk, *field.of_a_file), sizes)
    name = f"{field.name}-{tokenize(str(path.absolute()), marks, field)}"
    graph = {}
    for numbers in product(*(range(len(along)) for along in chunks)):
        file = grid.file_of(
            field, Slab(numbers[0], numbers[-1] if field.by_model else None)
        )
        read = partial(
            _read_chunk,
            path / file,
            marks[file],
            field,
            grid.units_a_chunk,
            chunks[0][numbers[0]],
        )
        graph[(name, *numbers)] = (read,)
    lazily = da.Array(graph, name, chunks=chunks, dtype=np.dtype(field.dtype))
    return annotate(xr.Dataset({field.name: (field.dims, lazily)}))[field.name].variable


def _read_chunk(
    file: Path, mark: str, field: Field, units: int, n: int
) -> NDArray[Any]:
    """Return the first n units of a block of a field from its file."""
    with on_disk(file):
        data = read_marked_chunk(file, mark)
    values = (
        None
        if data is None
        else decode_values(data, np.dtype(field.dtype), field.values_a_file(units))
    )
    if values is None:
        raise StoreError(f"{file}: damaged, not the bytes that the trial wrote")
    return values.astype(field.dtype, copy=False).reshape(units, *field.of_a_file)[:n]


@dataclass(frozen=True)
class SlabState:
    """State of a slab on disk: turns that are done, turns that are lost, and damaged
    files.
    """

    slab: Slab
    done: int
    lost: int
    damaged: tuple[str, ...]


def inspect_slabs(
    path: Path, grid: Grid, log: dict[Slab, list[Record]]
) -> list[SlabState]:
    """Hash every file of a store, two or more at once, and return the state of each
    slab.
    """
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        return list(
            pool.map(
                lambda slab: _inspect_slab(path, grid, slab, log.get(slab, ())),
                grid.slabs(),
            )
        )


def _inspect_slab(
    path: Path, grid: Grid, slab: Slab, records: Sequence[Record]
) -> SlabState:
    """Return the state of a slab.

    A file holds the turns of the newest line that has its hash. Content only grows, so
    turns that all files of the slab hold are done, whichever lines these are.
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
    return SlabState(
        slab,
        done,
        recorded & ~done,
        tuple(name for name, turns in held.items() if recorded & ~turns),
    )


def _turns_in_file(path: Path, name: str, records: Sequence[Record]) -> int:
    """Return the turns that a file holds; a finished file beside its place is moved
    there first.
    """
    file = path / name
    sizes = {size_of(record.files[name]) for record in records}
    waiting = chunk_mark_at(part_path(file), sizes)
    if waiting is not None and waiting == records[-1].files.get(name):
        part_path(file).replace(file)
        return records[-1].done
    remove(part_path(file))
    mark = chunk_mark_at(file, sizes)
    return next(
        (record.done for record in reversed(records) if record.files.get(name) == mark),
        0,
    )
