"""Writing a store: turns are added, slabs of files are committed, and nothing that was
committed is lost.
"""

from __future__ import annotations

import errno
import os
import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import first_of
from causalgia.errors import (
    FallbackWarning,
    StoreError,
    caller_stacklevel,
)
from causalgia.trial.archive.files import (
    check_no_folders,
    file_to_append,
    mark_of,
    new_file,
    on_disk,
    read_small_file,
    remove,
    replace,
    sync_folder,
    write_all,
)
from causalgia.trial.archive.journal import (
    SLOTS,
    Log,
    OpenSlab,
    commit_slab,
    equalize_states,
    read_log,
    read_state,
    write_state,
)
from causalgia.trial.archive.layout import (
    UNIT,
    Field,
    Grid,
    Slab,
    control,
    static_files,
    texts_of,
)
from causalgia.trial.archive.manifest import (
    Manifest,
    SlabState,
    content_hash,
    damaged_static,
    frame_of_store,
    inspect_slabs,
    is_store,
    read_manifest,
    repair_static,
    write_manifest,
)

_MOST_OPEN = 32
_COMMITS_AT_ONCE = 4
_SPARING = 20
"""Least pause after a commit of incomplete chunks, as a multiple of the time that it
took.
"""


class Archive:
    """A trial on disk that is being written: turn by turn, in any order, by one
    process.

    Made by `create` or `resume`. Values that were put are committed when a chunk is
    full, every `seconds`, and by `flush` and `close`: files are written beside their
    places and made durable, their hashes are logged, and they are moved. A process may
    be killed at any moment; `resume` finds what was committed. A finished store has the
    same bytes in the same files however often it was resumed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "trial.zarr"
    >>> frame = xr.Dataset(
    ...     coords={"arm": ["control", "GATA"], "task": ["K562"]},
    ...     attrs={"scale": "log counts"},
    ... )
    >>> fields = [Field("outcome", ("unit", "arm", "task"), (2, 1), "float32")]
    >>> plan = {"turn_ends": [2, 4, 5], "turns_a_chunk": 2}
    >>> with Archive.create(
    ...     path, identity={"seed": "0"}, fields=fields, frame=frame, **plan
    ... ) as archive:
    ...     archive.put(1, {"outcome": np.ones((2, 2, 1), np.float32)})
    >>> with Archive.resume(path, identity={"seed": "0"}) as archive:
    ...     archive.missing
    (0, 2)
    """

    seconds = 1.0
    """Seconds between commits of incomplete chunks."""

    def __init__(
        self, path: Path, manifest: Manifest, lock: Lock, done: dict[Slab, int]
    ) -> None:
        self.path, self.grid, self.settled = path, manifest.grid, manifest.settled
        self._manifest = manifest
        self._lock, self._done = lock, done
        self._open: dict[Slab, OpenSlab] = {}
        self._spent: list[OpenSlab] = []
        self._log = Log(path, manifest.origin)
        self._pool, self._busy = (
            ThreadPoolExecutor(_COMMITS_AT_ONCE),
            dict[Slab, Future[None]](),
        )
        self._committed, self._cost = time.monotonic(), 0.0

    @staticmethod
    def exists(path: str | Path) -> bool:
        """Say whether there is a store at a path; to be asked before anything is
        predicted.

        Raises
        ------
        StoreError
            If something else is there: a file, or a folder that is not empty and not a
            store.
        """
        place = Path(path)
        with on_disk(place):
            return _store_exists(place)

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        identity: Mapping[str, str],
        fields: Sequence[Field],
        turn_ends: Sequence[int],
        turns_a_chunk: int,
        frame: xr.Dataset,
        settled: Any = None,
        parts: Mapping[str, str] | None = None,
    ) -> Archive:
        """Begin a store.

        Parameters
        ----------
        path
            A folder that does not exist yet, or is empty; its parents are made.
        identity
            Identity of the trial: fingerprints of design and predictor, seed, what is
            kept, plan.
        fields
            The variables with a value for each unit; ``unit`` itself is added.
        turn_ends
            The unit after the last of each turn.
        turns_a_chunk
            Turns in a file; every chunk but the last has the same number of units.
        frame
            Every variable of the finished Dataset without the dim ``unit``, and its
            attrs.
        settled
            Settings that were fixed before the first turn, ready for JSON: `settled`
            returns them.
        parts
            Digests and versions of the predictor's parts, so that an error can say
            which of them changed.

        Raises
        ------
        StoreError
            If there is something else at the path, it cannot be written, or the trial
            cannot be stored.
        """
        place = Path(path)
        grid = Grid(
            (UNIT, *fields) if fields else (), tuple(map(int, turn_ends)), turns_a_chunk
        )
        static = static_files(grid, frame)
        with on_disk(place):
            _store_exists(place)
            control(place).mkdir(parents=True, exist_ok=True)
            lock = Lock(place)
            try:
                if _store_exists(place):
                    raise StoreError(f"{place}: holds a trial already")
                marks = {name: mark_of(data) for name, data in static.items()}
                texts, origin = texts_of(frame), content_hash(identity)
                manifest = Manifest(
                    dict(identity),
                    grid,
                    texts,
                    marks,
                    origin,
                    settled,
                    dict(parts or {}),
                )
                _write_new_store(place, manifest, static)
            except BaseException:
                lock.release()
                raise
        return cls(place, manifest, lock, {})

    @classmethod
    def resume(
        cls,
        path: str | Path,
        *,
        identity: Mapping[str, str],
        parts: Mapping[str, str] | None = None,
        but: Collection[str] = (),
    ) -> Archive:
        """Resume a store; its files are verified by hash, and turns in damaged files
        count as missing.

        Parameters
        ----------
        path
            Of the store.
        identity, parts
            As `create`.
        but
            Names in the identity that may differ: the caller compares the stored values
            and calls `take_over`.

        Raises
        ------
        StoreError
            If the store belongs to another trial (says in which part), has another
            version, is being written by another process, or is damaged beyond repair.

        Warns
        -----
        FallbackWarning
            If files are damaged; says which, and how many units are predicted again.
        """
        place = Path(path)
        with on_disk(place):
            if not _store_exists(place):
                raise StoreError(f"{place}: no trial was begun there")
            lock = Lock(place)
            try:
                manifest = read_manifest(place)
                manifest.check_identity(identity, parts or {}, place, but=but)
                done = _verify_and_repair(place, manifest)
            except BaseException:
                lock.release()
                raise
        return cls(place, manifest, lock, {found.slab: found.done for found in done})

    @property
    def identity(self) -> Mapping[str, str]:
        """Identity of the stored trial."""
        return self._manifest.identity

    @property
    def frame(self) -> xr.Dataset:
        """Every variable without the dim ``unit``, and the attrs."""
        return frame_of_store(self.path, self._manifest)

    def moved(self, parts: Mapping[str, str]) -> str:
        """Say which parts of the predictor differ from these, and which do not."""
        return self._manifest.moved(parts)

    def take_over(
        self,
        identity: Mapping[str, str],
        parts: Mapping[str, str],
        attrs: Mapping[str, Any],
    ) -> None:
        """Give the store another identity, and record that in the attrs; the manifest
        is written first.
        """
        old = self.frame
        frame = old.assign_attrs(attrs)
        static = static_files(self.grid, frame)
        marks = {name: mark_of(data) for name, data in static.items()}
        texts, origin = texts_of(frame), self._manifest.origin
        made = Manifest(
            dict(identity), self.grid, texts, marks, origin, self.settled, dict(parts)
        )
        with on_disk(self.path):
            write_manifest(self.path, made, static)
            for name, data in static.items():
                if self._manifest.static.get(name) != marks[name]:
                    replace(self.path / name, data)
        self._manifest = made

    def values_of(self, turn: int) -> dict[str, NDArray[Any]]:
        """Return the stored values of a complete turn, by field, (units of the turn,
        ...[, models]).
        """
        grid, rows, found = (
            self.grid,
            self.grid.rows(turn),
            dict[str, list[NDArray[Any]]](),
        )
        for model in grid.models:
            slab = Slab(grid.chunk(turn), model)
            with on_disk(self.path):
                self._log.sync()
                filling = OpenSlab.begin(self.path, grid, slab, self._done.get(slab, 0))
            for own, values in filling.values.items():
                found.setdefault(own.name, []).append(values[rows])
        return {
            name: np.concatenate(parts, axis=-1) if parts[1:] else parts[0]
            for name, parts in found.items()
        }

    @property
    def missing(self) -> tuple[int, ...]:
        """Turns that are missing for any model."""
        lacking = [0] * self.grid.n_chunks
        for slab in self.grid.slabs():
            lacking[slab.chunk] |= self.grid.whole(slab.chunk) & ~self._done.get(
                slab, 0
            )
        return tuple(
            turn
            for chunk, among in enumerate(lacking)
            for turn in self.grid.turns(chunk, among)
        )

    def lacks(self, turn: int, *, model: int | None = None) -> bool:
        """Say whether a turn is missing for a model (None: for the fields without
        models, or for any model).
        """
        chunk, bit = self.grid.chunk(turn), self.grid.bit(turn)
        return any(
            not self._done.get(Slab(chunk, m), 0) & bit
            for m in self.grid.models
            if model is None or m == model
        )

    def put(
        self, turn: int, values: Mapping[str, NDArray[Any]], *, model: int | None = None
    ) -> None:
        """Store the values of a turn; those that are stored already are not written
        again.

        Parameters
        ----------
        turn
            Its number.
        values
            By field, (units of the turn, ...). With `model`, the fields that have the
            dim ``model`` lack it; the other fields may be left out where another model
            brings them.
        model
            Number of the one model that these values are of; None: all.

        Raises
        ------
        StoreError
            If values are absent, of another shape or of a wider dtype than the store
            was made for, or the disk refuses.
        """
        chunk, bit = self.grid.chunk(turn), self.grid.bit(turn)
        shared = any(
            field.name in values for field in self.grid.fields if not field.by_model
        )
        models = [
            m
            for m in self.grid.models
            if model is None or m == model or (m is None and shared)
        ]
        lacking = [
            slab for m in models if not self._done.get(slab := Slab(chunk, m), 0) & bit
        ]
        fillings = [self._filling(slab) for slab in lacking]
        for filling in fillings:
            filling.put(bit, self.grid.rows(turn), values)
            self._done[filling.slab] = filling.done
        # slabs that are full are committed while the trial goes on, and all slabs from
        # time to time
        crowded = len(self._open) > _MOST_OPEN + len(self.grid.models)
        if crowded or time.monotonic() - self._committed >= max(
            self.seconds, _SPARING * self._cost
        ):
            self._commit_all()
        else:
            self._commit(
                [f for f in fillings if f.done == self.grid.whole(f.slab.chunk)],
                ahead=_COMMITS_AT_ONCE,
            )
        if crowded:
            self._open.clear()

    def flush(self) -> None:
        """Commit all that was put."""
        self._commit_all()
        with on_disk(self.path):
            if self.grid.fields and not self.missing:
                self._log.compact(self.grid)
            equalize_states(
                control(self.path),
                origin=self._manifest.origin,
                turns=self.grid.n_turns,
            )

    def put_state(self, arrays: Mapping[str, NDArray[Any]], *, turns: int) -> None:
        """Save running sums over the first turns; the previous ones are kept as well.

        Raises
        ------
        StoreError
            If the disk refuses; the previous sums are intact.
        """
        with on_disk(self.path):
            origin, last = self._manifest.origin, turns == self.grid.n_turns
            write_state(
                control(self.path), arrays, origin=origin, turns=turns, last=last
            )

    def state(self) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """Return the number of turns of the newest intact sums, and the sums; None if
        there are none.

        Warns
        -----
        FallbackWarning
            If the newest sums are damaged; the previous ones are returned.
        """
        with on_disk(self.path):
            state, damaged = read_state(control(self.path), self._manifest.origin)
        if damaged:
            first = (
                0
                if state is None or not state[0]
                else self.grid.turn_ends[min(state[0], self.grid.n_turns) - 1]
            )
            _warn_damaged(self.path, damaged, self.grid.n_units - first)
        if state is not None and state[0] > self.grid.n_turns:
            raise StoreError(
                f"{self.path}: sums over {state[0]:,} turns of {self.grid.n_turns:,}"
            )
        return state

    def close(self) -> None:
        """Commit all that was put, and release the lock."""
        try:
            self.flush()
        finally:
            self.release()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, StoreError):
            self.release()
        else:
            self.close()

    def release(self) -> None:
        """Release the lock; values that were put and not committed are dropped."""
        self._pool.shutdown()
        self._open.clear()
        self._spent.clear()
        self._lock.release()

    def _filling(self, slab: Slab) -> OpenSlab:
        if slab not in self._open:
            with on_disk(self.path):
                done = self._done.get(slab, 0)
                self._open[slab] = (not done and self._again(slab)) or OpenSlab.begin(
                    self.path, self.grid, slab, done
                )
        return self._open[slab]

    def _again(self, slab: Slab) -> OpenSlab | None:
        """Return an empty slab in the memory of a committed one: allocating fresh
        memory takes longer than the copy.

        Its old content is overwritten, or set to fill values at the commit. Slabs of
        all models have the same shape.
        """
        for place, spent in enumerate(self._spent):
            if (spent.slab.model is None) == (slab.model is None):
                return OpenSlab(slab, 0, 0, self._spent.pop(place).values)
        return None

    def _commit_all(self) -> None:
        start = time.monotonic()
        self._commit(
            [
                filling
                for filling in self._open.values()
                if filling.committed != filling.done
            ]
        )
        with on_disk(self.path):
            self._log.sync()
        self._committed = time.monotonic()
        self._cost = min(self._committed - start, self.seconds)

    def _commit(self, fillings: Sequence[OpenSlab], *, ahead: int = 0) -> None:
        """Commit slabs; wait until at most `ahead` of them are pending, and raise any
        error of theirs.
        """
        for filling in (
            filling for filling in fillings if filling.slab not in self._busy
        ):
            self._busy[filling.slab] = self._pool.submit(
                commit_slab, self.path, self.grid, self._log, filling
            )
        with on_disk(self.path):
            while len(self._busy) > ahead:
                wait(self._busy.values(), return_when=FIRST_COMPLETED)
                self._collect()

    def _collect(self) -> None:
        """Drop slabs that are committed whole; those that failed are kept, to be tried
        again.
        """
        done = {slab: job for slab, job in self._busy.items() if job.done()}
        if any(job.exception() for job in done.values()):
            wait(self._busy.values())
            done = dict(self._busy)
        for slab in done:
            del self._busy[slab]
            if self._open[slab].committed == self.grid.whole(slab.chunk):
                self._spent = [self._open.pop(slab), *self._spent[:_COMMITS_AT_ONCE]]
        for job in done.values():
            job.result()


def _store_exists(path: Path) -> bool:
    """Say whether there is a store; raise if the path cannot hold one."""
    if is_store(path):
        return True
    if path.is_dir() and any(path.iterdir()) and not control(path).is_dir():
        raise StoreError(f"{path}: a folder with other things in it")
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise StoreError(f"{path}: {there} is a file, and store= is a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))
    return False


def _write_new_store(
    path: Path, manifest: Manifest, static: Mapping[str, bytes]
) -> None:
    """Write the static files, an empty log, and finally the manifest, which marks the
    store as begun.

    The copy is made durable; it can repair the static files if these are not.
    """
    for name, data in static.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        _write_new_file(path / name, data)
    for slot in SLOTS:
        remove(control(path) / slot)
    _write_new_file(control(path) / "log", b"")
    write_manifest(path, manifest, static)
    for folder in (path, path.parent):
        sync_folder(folder)


def _write_new_file(path: Path, data: bytes) -> None:
    """Write a new file without waiting for the disk."""
    file = new_file(path)
    try:
        write_all(file, data)
    finally:
        os.close(file)


def _verify_and_repair(path: Path, manifest: Manifest) -> list[SlabState]:
    """Repair static files, hash all others, and warn of damage; return the state of
    each slab.
    """
    check_no_folders(path, damaged_static(path, manifest))
    repaired = repair_static(path, manifest)
    log = control(path) / "log"
    if not log.exists():
        repaired.append(f"{control(path).name}/log")
        _write_new_file(log, b"")
    elif log.stat().st_nlink > 1:
        # a hard link, such as a backup, keeps its bytes
        replace(log, read_small_file(log))
    frame_of_store(path, manifest)
    found = inspect_slabs(
        path, manifest.grid, read_log(log, manifest.grid, manifest.origin)
    )
    damaged = [*repaired, *(name for one in found for name in one.damaged)]
    check_no_folders(path, damaged)
    if damaged:
        lost: dict[int, int] = {}
        for one in found:
            lost[one.slab.chunk] = lost.get(one.slab.chunk, 0) | one.lost
        _warn_damaged(
            path,
            damaged,
            sum(
                manifest.grid.n_units_of(chunk, among) for chunk, among in lost.items()
            ),
        )
    return found


def _warn_damaged(path: Path, damaged: Sequence[str], n_units: int) -> None:
    """Warn of damaged files, and say how many units are predicted again."""
    named = first_of(damaged, 5)
    text = (
        f"{path}: damaged, not the bytes that were written: {named}; {n_units:,} units "
        "are made again"
    )
    warnings.warn(FallbackWarning(text), stacklevel=caller_stacklevel())


class Lock:
    """The exclusive right to write a store, held until it is released or the process
    ends in any way.

    Raises
    ------
    StoreError
        If another process holds it, or the system has no such locks.
    """

    def __init__(self, path: Path) -> None:
        self._file: int | None = file_to_append(
            control(path) / "lock", os.O_RDWR | os.O_CREAT
        )
        try:
            _lock_file(self._file, path)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Release the lock; releasing twice is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock_file(file: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError as error:
        raise StoreError(
            f"{path}: a store is written on Linux or macOS only"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreError(f"{path}: is being written by another run") from error
