"""Archive of a trial: a zarr group with a checksum on every chunk, which grows turn by
turn, survives a kill, and detects damage.

``done`` (turn, slab) says which turns are stored; a slab is a model, or what all models
share. Values are on the disk (fsync) before their turns are declared done, so that a
process which is killed leaves turns to be predicted again, and none that is half there.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import (
    FallbackWarning,
    StoreError,
    caller_stacklevel,
    first_of,
    first_words,
    quoted,
    quoted_apart,
)
from causalgia.schema import annotate
from causalgia.trial.turn_plan import TurnPlan

FORMAT = 4
"""Version of the layout; raised when an older library could not read what a newer one
writes.
"""
_ABOUT = "causalgia_store"
"""The attribute in which a store describes itself."""
_OWN = "causalgia-store"
"""The folder of the lock, the sums, and the mark of a store that was begun whole; an
empty group to zarr.
"""
_TAKEN = ("", ".", "..", "zarr.json", "done", _OWN)
_SPARING = 20
"""Least pause after a write of incomplete chunks, as a multiple of the time it took."""
_MOST_OPEN = 32


class OtherTrialError(StoreError):
    """A store that holds another trial than the one that is asked for."""


@dataclass(frozen=True)
class Field:
    """A variable with a value for each unit: its dims, ``"unit"`` first and ``"model"``,
    where there is one, last; sizes without the units; dtype. With ``"unit"`` alone it is
    a coordinate.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def by_model(self) -> bool:
        """Whether each model has chunks of its own."""
        return self.dims[-1] == "model"


class Archive:
    """A trial on disk that is being written: turn by turn, in any order, by one process.

    Made by `create` or `resume`. Values that were put are written and declared done when
    `seconds` have passed, and by `flush` and `close`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trial.zarr"
    >>> frame = xr.Dataset(coords={"arm": ["control", "GATA"], "task": ["K562"]})
    >>> fields = [Field("outcome", ("unit", "arm", "task"), (2, 1), "float32")]
    >>> plan = TurnPlan(n_units=5, turn=2, chunk=2)
    >>> with Archive.create(
    ...     path, identity={"seed": "0"}, fields=fields, plan=plan, frame=frame
    ... ) as archive:
    ...     archive.put(1, {"outcome": np.ones((2, 2, 1), np.float32)})
    >>> with Archive.resume(path, identity={"seed": "0"}) as archive:
    ...     archive.missing
    (0, 2)
    """

    seconds = 1.0
    """Seconds between two times that turns are declared done."""

    def __init__(self, path: Path, lock: Any = None) -> None:
        self.path, self._lock = path, lock or locked(path, _OWN, "lock")
        try:
            self._store = _Store(path, "r+")
            try:
                self._done, self._lost = self._store.done(), False
            except StoreError:
                self._done, self._lost = np.zeros(self._store.shape, bool), True
        except BaseException:
            self._lock.release()
            raise
        self._put = self._done.copy()
        self._open: dict[tuple[int, int], dict[int, Mapping[str, Any]]] = {}
        self._written: list[tuple[int, int]] = []  # turn, slab: not yet durable
        self._files: set[Path] = set()
        self._declared, self._cost = time.monotonic(), 0.0

    @property
    def identity(self) -> Mapping[str, str]:
        """Identity of the stored trial."""
        identity: Mapping[str, str] = self._store.about["identity"]
        return identity

    @property
    def settled(self) -> Any:
        """Settings that the trial fixed before its first turn."""
        return self._store.about["settled"]

    @property
    def plan(self) -> TurnPlan:
        """The turns, and how many of them share a chunk."""
        return self._store.plan

    @property
    def fields(self) -> tuple[Field, ...]:
        """The variables with a value for each unit."""
        return self._store.fields

    @property
    def models(self) -> tuple[int | None, ...]:
        """The slabs: None is what all models share."""
        return self._store.models

    @property
    def frame(self) -> xr.Dataset:
        """Every variable without the dim ``unit``, and the attrs."""
        return self._store.frame()

    @staticmethod
    def exists(path: str | Path) -> bool:
        """Say whether there is a store at a path; to be asked before anything is
        predicted.

        Raises
        ------
        StoreError
            If something else is there: a file, a store of another version, or a folder
            that is neither empty nor a store.
        """
        place = Path(path)
        with on_disk(place):
            if is_store(place):
                return True
            names = {one.name for one in place.iterdir()} if place.is_dir() else set()
            # ours that was begun, and killed before it was a store
            begun = names == {_OWN} or (place / _OWN / "lock").is_file()
            if names and not begun:
                raise StoreError(f"{place}: a folder with other things in it")
            there = next(p for p in (place, *place.absolute().parents) if p.exists())
            if not there.is_dir():
                raise StoreError(f"{place}: {there} is a file, and store= is a folder")
            if not os.access(there, os.W_OK | os.X_OK):
                raise StoreError(f"{place}: {there} may not be written to")
        return False

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        identity: Mapping[str, str],
        fields: Sequence[Field],
        plan: TurnPlan,
        frame: xr.Dataset,
        settled: Any = None,
        parts: Mapping[str, str] | None = None,
    ) -> Archive:
        """Begin a store, in a folder that is locked; what describes it is written last.

        Parameters
        ----------
        path
            A folder that does not exist yet, or is empty; its parents are made.
        identity
            Identity of the trial: fingerprints of design and predictor, seed, what is
            kept, plan.
        fields
            The variables with a value for each unit.
        plan
            The turns.
        frame
            Every variable of the finished Dataset without the dim ``unit``, and its
            attrs.
        settled
            Settings that were fixed before the first turn, ready for JSON.
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
        about = {
            "format": FORMAT,
            "identity": dict(identity),
            "fields": [asdict(field) for field in fields],
            "plan": asdict(plan),
            "settled": settled,
            "parts": dict(parts or {}),
            "dtypes": {str(k): v.dtype.str for k, v in frame.variables.items()},
        }
        there = place.exists()
        cls.exists(place)
        with on_disk(place):
            (place / _OWN).mkdir(parents=True, exist_ok=True)
            lock = locked(place, _OWN, "lock")
            try:
                if is_store(place):
                    raise StoreError(f"{place}: holds a trial already")
                _empty(place)
                _write_new(place, frame, about, fields, plan)
                return cls(place, lock)
            except BaseException:
                if not is_store(place):
                    _empty(place)
                lock.release()
                if not there and not is_store(place):
                    shutil.rmtree(place, ignore_errors=True)
                raise

    @classmethod
    def resume(
        cls,
        path: str | Path,
        *,
        identity: Mapping[str, str],
        parts: Mapping[str, str] | None = None,
        but: Collection[str] = (),
    ) -> Archive:
        """Resume a store; turns in damaged chunks count as missing.

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
            version, is being written by another process, or its description is damaged.

        Warns
        -----
        FallbackWarning
            If chunks are damaged; says of which variables, and how many units are
            predicted again.
        """
        place = Path(path)
        with on_disk(place):
            if not is_store(place):
                raise StoreError(f"{place}: no trial was begun there")
            archive = cls(place)
            try:
                archive._check_identity(identity, parts or {}, but=but)
                archive._forget_damaged()
            except BaseException:
                archive.release()
                raise
        return archive

    def _check_identity(
        self,
        identity: Mapping[str, str],
        parts: Mapping[str, str],
        *,
        but: Collection[str],
    ) -> None:
        """Raise OtherTrialError if the trial is another one; says which parts differ,
        and how.
        """
        here = self.identity
        differ = [
            name
            for name in sorted(identity.keys() | here.keys())
            if here.get(name) != identity.get(name)
            and not (name in but and name in here)
        ]
        if differ:
            how = [
                f"{name}: {_there_and_now(here.get(name), identity.get(name))}"
                for name in differ
            ]
            how += [self.moved(parts)] if "predictor" in differ else []
            raise OtherTrialError(
                f"{self.path}: holds another trial, which differs in {', '.join(differ)} "
                f"({'; '.join(filter(None, how))})"
            )

    def moved(self, parts: Mapping[str, str]) -> str:
        """Say which parts of the predictor changed and which did not; "" if that is not
        known.
        """
        there = self._store.about["parts"]
        names = sorted((there.keys() | parts.keys()) - {"versions"})
        others = [name for name in names if there.get(name) != parts.get(name)]
        same = [name for name in names if name not in others]
        found = [f"its {first_of(others, 6)} moved"] if others else []
        found += [f"its {first_of(same, 6)} did not"] if others and same else []
        before, now = there.get("versions"), parts.get("versions")
        found += [f"versions: {_there_and_now(before, now)}"] if before != now else []
        return "; ".join(found)

    def take_over(
        self,
        identity: Mapping[str, str],
        parts: Mapping[str, str],
        attrs: Mapping[str, Any],
    ) -> None:
        """Give the store another identity, and record that in the attrs."""
        with on_disk(self.path):
            self._store.describe(
                self._store.about | {"identity": dict(identity), "parts": dict(parts)},
                attrs,
            )

    @property
    def missing(self) -> tuple[int, ...]:
        """Turns that are missing for any model."""
        return tuple(np.flatnonzero(~self._put.all(axis=1)).tolist())

    def lacks(self, turn: int, *, model: int | None = None) -> bool:
        """Say whether a turn is missing for a model (None: for the fields without
        models, or for any model).
        """
        return any(
            not self._put[turn, slab]
            for slab, m in enumerate(self.models)
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
        chunk, fitting = turn // self.plan.chunk, dict[int, dict[str, NDArray[Any]]]()
        for slab, m in enumerate(self.models):
            own = self._store.fields_of(m)
            asked = m == model or model is None
            if m is None and model is not None:
                asked = any(field.name in values for field in own)
            if not asked or self._put[turn, slab]:
                continue
            fitting[slab] = {f.name: self._values(turn, values, f, m) for f in own}
        for slab, rows in fitting.items():
            held = self._open.setdefault((chunk, slab), {})
            held[turn], self._put[turn, slab] = rows, True
            if len(held) == len(self._turns(chunk)):
                with on_disk(self.path):
                    self._write((chunk, slab))
        passed = time.monotonic() - self._declared
        if passed >= max(self.seconds, _SPARING * self._cost) or len(
            self._open
        ) > _MOST_OPEN + len(self.models):
            self.flush()

    def _values(
        self,
        turn: int,
        values: Mapping[str, NDArray[Any]],
        own: Field,
        model: int | None,
    ) -> NDArray[Any]:
        """Return the values of a field and a model, without that dim."""
        if own.name not in values:
            raise StoreError(
                f"no values of {quoted(own.name)} were put; a turn has "
                f"{', '.join(sorted(values)) or 'none'}"
            )
        given = np.asarray(values[own.name])
        if given.dtype != own.dtype and not np.can_cast(given.dtype, own.dtype, "safe"):
            raise StoreError(
                f"{quoted(own.name)} is {given.dtype} here and was "
                f"{np.dtype(own.dtype)} in the first turn, which the store was made for"
            )
        if model is not None and given.ndim == len(own.dims):
            given = given[..., 0 if given.shape[-1] == 1 else model]
        first, last = self.plan.bounds(turn)
        expected = (last - first, *(own.shape[:-1] if own.by_model else own.shape))
        if given.shape != expected:
            raise StoreError(
                f"{quoted(own.name)} has shape {given.shape}, not {expected}, in a turn "
                f"of {last - first:,} units"
            )
        return given

    def _turns(self, chunk: int) -> range:
        first = chunk * self.plan.chunk
        return range(first, min(first + self.plan.chunk, len(self.plan)))

    def _write(self, key: tuple[int, int]) -> None:
        """Write what was put of a chunk and a slab, in runs of turns."""
        (chunk, slab), model = key, self.models[key[1]]
        held = self._open[key]
        turns = sorted(held)
        runs = np.split(turns, np.flatnonzero(np.diff(turns) > 1) + 1)
        for own in self._store.fields_of(model):
            array = self._store.array(node(own.name))
            for run in runs:
                rows = slice(self.plan.bounds(run[0])[0], self.plan.bounds(run[-1])[1])
                together = np.concatenate([held[turn][own.name] for turn in run])
                array[(rows, ..., model) if own.by_model else rows] = together
            self._files.add(self._store.file(own, chunk, model))
        del self._open[key]
        self._written += [(turn, slab) for turn in turns]

    def flush(self) -> None:
        """Write all that was put, wait until it is on the disk, and declare it done."""
        started = time.monotonic()
        with on_disk(self.path):
            for key in list(self._open):
                self._write(key)
            if self._written:
                for file in self._files:
                    _sync(file)
                done = self._done.copy()
                done[tuple(np.transpose(self._written))] = True
                self._store.declare(done)
                self._done, self._written, self._files = done, [], set()
        self._declared = time.monotonic()
        self._cost = min(self._declared - started, self.seconds)

    def values_of(self, turn: int) -> dict[str, NDArray[Any]]:
        """Return the stored values of a complete turn, by field, (units of the turn,
        ...[, models]).
        """
        self.flush()
        rows = slice(*self.plan.bounds(turn))
        return {f.name: self._store.values(f, rows) for f in self.fields}

    def _forget_damaged(self) -> None:
        """Read every chunk; turns in those that are absent, or whose checksum fails,
        count as missing.
        """
        hurt = ["done"] if self._lost else []
        lost = np.full(len(self.plan), self._lost)
        chunks = range(-(-len(self.plan) // self.plan.chunk))
        for (slab, model), chunk in product(enumerate(self.models), chunks):
            turns = self._turns(chunk)
            done = self._done[turns.start : turns.stop, slab]
            own = self._store.fields_of(model)
            torn = [
                field
                for field in own
                if done.any() and not self._store.is_intact(field, chunk, model)
            ]
            if torn:
                hurt += [str(self._store.file(field, chunk, model)) for field in torn]
                lost[turns.start : turns.stop] |= done
                done[:] = False
            if not done.any():  # what may stand there is no beginning to go on from
                for field in own:
                    self._store.file(field, chunk, model).unlink(missing_ok=True)
        if hurt:
            self._store.declare(self._done)
            self._put = self._done.copy()
            bounds = [self.plan.bounds(int(turn)) for turn in np.flatnonzero(lost)]
            n_units = sum(last - first for first, last in bounds)
            _warn_damaged(self.path, hurt, n_units)

    def put_state(self, arrays: Mapping[str, NDArray[Any]], *, turns: int) -> None:
        """Save running sums over the first turns, in place of the previous ones.

        Raises
        ------
        StoreError
            If the disk refuses; the previous sums are intact.
        """
        made = io.BytesIO()
        np.savez(made, **{**arrays, "turns": np.asarray(turns)})  # type: ignore[arg-type]
        with on_disk(self.path):
            replace(self.path / _OWN / "sums.npz", made.getvalue())

    def state(self) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """Return the number of turns of the saved sums, and the sums; None if there are
        none.

        Warns
        -----
        FallbackWarning
            If the sums are damaged: all turns are run again.
        """
        try:
            found = _sums(self.path)
        except StoreError:
            _warn_damaged(self.path, [f"{_OWN}/sums.npz"], self.plan.n_units)
            return None
        if found is not None and not 0 <= found[0] <= len(self.plan):
            raise StoreError(
                f"{self.path}: sums over {found[0]:,} turns of {len(self.plan):,}"
            )
        return found

    def close(self) -> None:
        """Write all that was put, and release the lock."""
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
        if isinstance(error, StoreError):  # of a disk that is full, or of lost workers
            with suppress(StoreError):
                self.flush()
            self.release()
        else:
            self.close()

    def release(self) -> None:
        """Release the lock; values that were put and not declared done are dropped."""
        self._open.clear()
        self._lock.release()


class _Store:
    """The zarr group of a trial, and what it says about itself."""

    def __init__(self, path: Path, mode: str) -> None:
        import zarr

        self.path, self._arrays = path, dict[str, Any]()
        with _readable(path):
            self.group = zarr.open_group(path, mode=mode, zarr_format=3)  # type: ignore[arg-type]
            about = json.loads(self.group.attrs[_ABOUT])  # type: ignore[arg-type]
            if about["format"] != FORMAT:
                raise StoreError(
                    f"{path}: written in version {about['format']} of the layout, "
                    f"this library reads version {FORMAT}"
                )
            if about.pop("digest") != _digest(path, about, dict(self.group.attrs)):
                raise StoreError(
                    f"{path}: damaged: its description is not what was written"
                )
            self.about: dict[str, Any] = about
            self.plan = TurnPlan(**about["plan"])
            self.fields = tuple(
                Field(f["name"], tuple(f["dims"]), tuple(f["shape"]), f["dtype"])
                for f in about["fields"]
            )

    @property
    def attrs(self) -> dict[str, Any]:
        own = (_ABOUT, "coordinates")
        return {k: v for k, v in self.group.attrs.items() if k not in own}

    def describe(self, about: dict[str, Any], attrs: Mapping[str, Any]) -> None:
        """Write what the store says about itself, and more attrs."""
        self.about = about
        _describe(self.path, self.group, about, attrs)

    @cached_property
    def models(self) -> tuple[int | None, ...]:
        n = max((f.shape[-1] for f in self.fields if f.by_model), default=0)
        shared = [None] if any(not f.by_model for f in self.fields) else []
        return (*shared, *range(n))

    @property
    def shape(self) -> tuple[int, int]:
        """Of what is declared done: turns, slabs."""
        return len(self.plan), len(self.models)

    def fields_of(self, model: int | None) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if f.by_model == (model is not None))

    def array(self, name: str) -> Any:
        """Return an array that writes every chunk, whatever its values."""
        import zarr

        if name not in self._arrays:
            with zarr.config.set({"array.write_empty_chunks": True}):
                self._arrays[name] = self.group[name]
        return self._arrays[name]

    def file(self, own: Field, chunk: int, model: int | None) -> Path:
        """Return the file of a chunk."""
        last = [0] * len(own.shape)
        if model is not None:
            last[-1] = model
        return self.path.joinpath(node(own.name), "c", *map(str, (chunk, *last)))

    def is_intact(self, own: Field, chunk: int, model: int | None) -> bool:
        """Whether a chunk is there and has its checksum."""
        n = self.plan.turn * self.plan.chunk
        rows = slice(chunk * n, min((chunk + 1) * n, self.plan.n_units))
        if not self.file(own, chunk, model).is_file():
            return False
        try:
            self.array(node(own.name))[(rows, ..., model) if own.by_model else rows]
        except Exception:  # what a damaged chunk raises is not documented
            return False
        return True

    def check_there(self, own: Field, rows: Any) -> None:
        """Raise StoreError if a chunk of these units is gone: zarr would answer NaN, 0 or
        nothing for it.
        """
        asked = range(self.plan.n_units)[rows] if isinstance(rows, slice) else rows
        if not np.size(asked):
            return
        first, last = (
            sorted((asked[0], asked[-1]))
            if isinstance(asked, range)
            else (np.min(asked), np.max(asked))
        )
        n = self.plan.turn * self.plan.chunk
        models = [m for m in self.models if own.by_model == (m is not None)]
        for chunk, model in product(range(int(first) // n, int(last) // n + 1), models):
            if not self.file(own, chunk, model).is_file():
                raise StoreError(f"{self.file(own, chunk, model)}: is gone")

    def values(self, own: Field, rows: Any) -> NDArray[Any]:
        with _readable(self.path):
            return np.asarray(self.array(node(own.name))[rows]).astype(
                own.dtype, copy=False
            )

    def done(self) -> NDArray[np.bool_]:
        """Return which turns are stored, (turn, slab)."""
        if not self.fields:
            return np.ones(self.shape, bool)
        with _readable(self.path):
            if not (self.path / "done" / "c" / "0" / "0").is_file():
                raise StoreError(f"{self.path}: damaged: done is gone")
            return np.array(self.array("done")[:], bool)

    def declare(self, done: NDArray[np.bool_]) -> None:
        """Write which turns are stored, and wait until it is on the disk."""
        self.array("done")[:] = done
        _sync(self.path / "done" / "c" / "0" / "0")

    def frame(self) -> xr.Dataset:
        """Return every variable without the dim ``unit``, and the attrs."""
        found = {}
        for name, dtype in self.about["dtypes"].items():
            with _readable(self.path / node(name)):
                array = self.array(node(name))
                values = np.asarray(array[...]).astype(dtype)
                dims = array.metadata.dimension_names or ()
                found[name] = xr.Variable(dims, values, dict(array.attrs))
        named = str(self.group.attrs["coordinates"]).split()
        coords = {k: v for k, v in found.items() if node(k) in named}
        rest = {k: v for k, v in found.items() if k not in coords}
        return xr.Dataset(rest, attrs=self.attrs).assign_coords(coords)

    def lazy(self, own: Field) -> xr.Variable:
        """Return a variable that is read, and its checksums verified, chunk by chunk."""
        import dask.array as da

        array = da.from_array(  # type: ignore[no-untyped-call]
            _Chunks(self, own),
            chunks=self.array(node(own.name)).chunks,
            name=False,
            meta=np.empty(0, own.dtype),
        )
        return annotate(xr.Dataset({own.name: (own.dims, array)}))[own.name].variable


def _describe(
    path: Path, group: Any, about: Mapping[str, Any], attrs: Mapping[str, Any]
) -> None:
    """Write what a store says about itself, and more attrs, with the digest of both."""
    digest = _digest(path, about, {**group.attrs, **attrs})
    text = json.dumps({**about, "digest": digest}, sort_keys=True)
    group.attrs.update({_ABOUT: text, **attrs})
    _sync(path / "zarr.json")


def _digest(path: Path, about: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    """Digest of all that does not grow: attrs, descriptions, variables without units."""
    files = [path / node(field["name"]) / "zarr.json" for field in about["fields"]]
    files += [path / "done" / "zarr.json"] if files else []
    for name in about["dtypes"]:
        files.append(path / node(name) / "zarr.json")
        values = path / node(name) / "c"
        files += [f for f in (values, *values.rglob("*")) if f.is_file()]
    of_user = {k: v for k, v in attrs.items() if k != _ABOUT}
    found = hashlib.blake2b(digest_size=16)
    found.update(json.dumps([about, of_user], sort_keys=True).encode())
    for file in sorted(files):
        found.update(file.read_bytes())
    return found.hexdigest()


class _Chunks:
    """What dask reads of a variable: chunks that are there and intact, in its dtype."""

    def __init__(self, store: _Store, own: Field) -> None:
        self._store, self._own = store, own
        self.shape = (store.plan.n_units, *own.shape)
        self.dtype, self.ndim = np.dtype(own.dtype), len(own.dims)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        self._store.check_there(self._own, key[0] if isinstance(key, tuple) else key)
        return self._store.values(self._own, key)


def _write_new(
    path: Path,
    frame: xr.Dataset,
    about: dict[str, Any],
    fields: Sequence[Field],
    plan: TurnPlan,
) -> None:
    """Write a store without values at a path, durably."""
    import zarr
    from zarr.codecs import Crc32cCodec

    group = zarr.open_group(path, mode="a", zarr_format=3)
    made: dict[str, Any] = {
        "compressors": [Crc32cCodec()],
        "config": {"write_empty_chunks": True},
    }

    def add(
        name: str, dims: Any, shape: Any, chunks: Any, dtype: Any, attrs: Any
    ) -> Any:
        kind = np.dtype(dtype)
        if kind.kind not in "biufU" or (kind.kind != "U" and kind.itemsize > 8):
            raise StoreError(f"{quoted(name)} has dtype {kind}, which cannot be stored")
        return group.create_array(
            node(name),
            shape=shape,
            chunks=tuple(max(1, n) for n in chunks),
            dtype=str if kind.kind == "U" else kind,
            fill_value=np.nan if kind.kind == "f" else "" if kind.kind == "U" else 0,
            dimension_names=[str(dim) for dim in dims],
            attributes=_plain(attrs),
            **made,
        )

    for name, v in frame.variables.items():
        array = add(str(name), v.dims, v.shape, v.shape, v.dtype, v.attrs)
        if v.size:
            array[...] = v.to_numpy().astype(object if v.dtype.kind == "U" else v.dtype)
    for own in fields:
        of_chunk = (*own.shape[:-1], 1) if own.by_model else own.shape
        attrs = annotate(xr.Dataset({own.name: ((), 0)}))[own.name].attrs
        n = min(plan.turn * plan.chunk, plan.n_units)
        shape = (plan.n_units, *own.shape)
        add(own.name, own.dims, shape, (n, *of_chunk), own.dtype, attrs)
    coords = [*frame.coords, *(own.name for own in fields if own.dims == ("unit",))]
    group.attrs.update(
        {
            "coordinates": " ".join(node(str(name)) for name in coords),
            **_plain(frame.attrs),
        }
    )
    if fields:
        n_models = max((f.shape[-1] for f in fields if f.by_model), default=0)
        done = (len(plan), n_models + any(not f.by_model for f in fields))
        group.create_array(
            "done",
            shape=done,
            chunks=done,
            dtype=bool,
            dimension_names=["turn", "slab"],
            **made,
        )[:] = False
    group.require_group(_OWN)
    for file in path.rglob("*"):
        _sync(file)
    _describe(path, group, about, {})
    replace(path / _OWN / "made", b"a trial was begun here\n")


def _empty(path: Path) -> None:
    """Remove all but the lock."""
    for one in path.iterdir():
        if one.name != _OWN:
            shutil.rmtree(one) if one.is_dir() else one.unlink()


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    found = {
        str(k): v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()
    }
    for name, value in found.items():
        plain = isinstance(value, str | bool | int | float) and name != "coordinates"
        if not plain or (isinstance(value, float) and not math.isfinite(value)):
            raise StoreError(
                f"attrs[{quoted(name)}] is {quoted(value)}, not text or a finite number"
            )
    return found


def node(name: str) -> str:
    """Return the folder of a variable, for a name of any letters.

    Examples
    --------
    >>> node("motif / strand")
    'motif%20%2F%20strand'
    """
    if name in _TAKEN:
        raise StoreError(f"a variable cannot be stored as {quoted(name)}")
    return quote(name, safe="")


def is_store(path: Path) -> bool:
    """Say whether there is a store at a path."""
    if (path / _OWN / "made").is_file():
        return True
    about = path / "zarr.json"
    return about.is_file() and _ABOUT.encode() in about.read_bytes()


def open_archive(path: str | Path) -> xr.Dataset:
    """Open a finished store: variables with units lazily (dask), chunk by chunk, all
    others in memory.

    Once loaded it is identical to the Dataset that the same trial returns in memory. The
    checksum of a chunk is verified when it is read.

    Raises
    ------
    StoreError
        If there is no store at the path, it is not finished, is of another version, or
        chunks are absent.

    Examples
    --------
    >>> open_archive("nowhere.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: nowhere.zarr: no trial is stored there
    """
    place = Path(path)
    with on_disk(place):
        if not is_store(place):
            raise StoreError(f"{place}: no trial is stored there")
        store = _Store(place, "r")
        plan, whole = store.plan, store.done().all(axis=1)
        if not whole.all():
            n = sum(
                last - first
                for first, last in map(plan.bounds, np.flatnonzero(whole).tolist())
            )
            raise StoreError(
                f"{place}: not finished ({n:,} of {plan.n_units:,} units); the same "
                "cg.run(..., store=) resumes it"
            )
        chunks = range(-(-len(plan) // plan.chunk))
        files = [
            store.file(own, chunk, model)
            for model, chunk in product(store.models, chunks)
            for own in store.fields_of(model)
        ]
        if gone := [str(file) for file in files if not file.is_file()]:
            raise StoreError(
                f"{place}: damaged: {first_of(gone, 3)} absent; the same "
                "cg.run(..., store=) mends it"
            )
        read, coords = dict[str, xr.Variable](), dict[str, xr.Variable]()
        for own in store.fields:
            (coords if own.dims == ("unit",) else read)[own.name] = store.lazy(own)
        frame = store.frame().assign(read)
        units = {"unit": pd.RangeIndex(plan.n_units)} if store.fields else {}
        return frame.assign_coords({**units, **coords})


def saved_sums(path: Path) -> dict[str, NDArray[Any]]:
    """Return the saved sums of a stored trial by name; none if there are none."""
    found = _sums(path)
    return {} if found is None else found[1]


def _sums(path: Path) -> tuple[int, dict[str, NDArray[Any]]] | None:
    file = path / _OWN / "sums.npz"
    with on_disk(path):
        if not file.is_file():
            return None
        try:
            with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as read:
                found = {name: read[name] for name in read.files}
                return int(found.pop("turns")), found
        except Exception as error:  # what damaged files raise is not documented
            raise StoreError(f"{file}: damaged ({first_words(error)})") from error


@contextmanager
def state_of_trial(store: object) -> Iterator[None]:
    """Name the store where its saved sums turn out not to be those of its own trial."""
    try:
        yield
    except StoreError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{store}: the saved sums do not belong to this trial ({error})"
        ) from error


def place_of(store: object) -> Path:
    """Return the folder given by a user as an absolute path: a predictor may change the
    working folder.

    Raises
    ------
    StoreError
        If it is not a path on this machine.

    Examples
    --------
    >>> place_of("s3://bucket/trial.zarr")
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: store='s3://bucket/trial.zarr': a trial is stored in a folder on this machine
    """
    given = os.fspath(store) if isinstance(store, str | os.PathLike) else None
    if (
        not isinstance(given, str)
        or not given.strip()
        or "://" in given
        or "\0" in given
    ):
        raise StoreError(
            f"store={quoted(store)}: a trial is stored in a folder on this machine",
            argument="store",
        )
    try:
        return Path(given).expanduser().absolute()
    except (RuntimeError, OSError) as error:  # of a user without a home, say
        raise StoreError(
            f"store={quoted(store)}: {first_words(error)}", argument="store"
        ) from error


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a StoreError with the path."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        where = error.filename2 or error.filename or path
        named = where if str(where).startswith(str(path)) else f"{path} ({where})"
        raise StoreError(
            f"{named}: cannot be used ({error.strerror or error})"
        ) from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what zarr raises about a damaged or foreign store into a StoreError."""
    try:
        yield
    except (StoreError, OSError, MemoryError):
        raise
    except Exception as error:  # what damaged files raise is not documented
        raise StoreError(
            f"{path}: damaged, or written by another program ({first_words(error)})"
        ) from error


def replace(path: Path, data: bytes) -> None:
    """Write a file atomically: its old or its new content is there, whatever happens
    meanwhile.
    """
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def locked(path: Path, *file: str) -> Any:
    """Return the exclusive right to write to a folder, by a file in it, held until it is
    released or the process ends in any way.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.joinpath(*file), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(f"{path}: is being written by another run") from error
    return lock


def _warn_damaged(path: Path, damaged: Sequence[str], n_units: int) -> None:
    """Warn of damaged files, and say how many units are predicted again."""
    warnings.warn(
        FallbackWarning(
            f"{path}: damaged, not the bytes that were written: {first_of(damaged, 5)}; "
            f"{n_units:,} units are made again"
        ),
        stacklevel=caller_stacklevel(),
    )


def _there_and_now(there: str | None, now: str | None) -> str:
    """Say two values that differ, in at most 80 characters each."""
    if there is None or now is None:
        values = ["not given" if v is None else quoted(v) for v in (there, now)]
        return f"{values[0]} there, {values[1]} now"
    return "{} there, {} now".format(*quoted_apart(there, now))
