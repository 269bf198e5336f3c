"""Layout of a trial's folder: fields, turns, chunks, and the files that hold them.

::

    trial.zarr/
      zarr.json                      the group, with the metadata of every array (consolidated)
      <variable>/zarr.json           an array, named as in a URL
      <variable>/c/<chunk>/0/...     the units of a chunk: numbers or text, and a checksum
      causalgia-trial/               what makes it resumable; a scalar array to zarr
        manifest.json                identity of the trial, its turns and fields, and hashes of the static files
        copy                         a copy of the static files, to repair them
        log                          a line for each commit: chunk, turns that are done, hashes of its files
        lock                         held by the one process that writes
        state-0, state-1             running sums (keep="moments"), the newest and the one before
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from causalgia.errors import StoreError, quoted

CONTROL = "causalgia-trial"
_TAKEN = ("", ".", "..", "zarr.json", CONTROL)
_STATIC = re.compile(r"(?P<node>[A-Za-z0-9_.~%-]+)/(zarr\.json|c(/0)*)")
_DTYPE = re.compile(r"[<>|=]?[A-Za-z]{1,7}[0-9]{0,6}", re.ASCII)
_MOST_SLABS = 2**24
"""Largest number of files of a variable; a manifest with more is rejected, as counting them would take hours."""


def control(path: Path) -> Path:
    """Return the folder with the files that make a trial resumable."""
    return path / CONTROL


def node(name: object) -> str:
    """Return the folder of a variable, for a name of any letters.

    Examples
    --------
    >>> node("motif / strand")
    'motif%20%2F%20strand'
    """
    if str(name) in _TAKEN:
        raise StoreError(f"a variable cannot be stored as {quoted(str(name))}; rename the factor")
    return quote(str(name), safe="")


def is_static(name: str) -> bool:
    """Say whether a path in a store is that of a static file, which does not grow with the units.

    Examples
    --------
    >>> [is_static(name) for name in ("zarr.json", "arm/c/0", "../arm", "arm/../../c", "causalgia-trial/log")]
    [True, True, False, False, False]
    """
    found = _STATIC.fullmatch(name)
    if found is None or found["node"] == CONTROL:
        return name in ("zarr.json", f"{CONTROL}/zarr.json")
    return found["node"] not in _TAKEN


@dataclass(frozen=True)
class Field:
    """A variable with a value for each unit.

    Parameters
    ----------
    name
        Name of the variable.
    dims
        Its dims, ``"unit"`` first and ``"model"``, where there is one, last. With ``"unit"`` alone it is a coordinate.
    shape
        Sizes of the dims, without the units.
    dtype
        numpy dtype as text: numbers, ``"bool"``, or text of a fixed width such as ``"<U12"``.

    Examples
    --------
    >>> Field("outcome", ("unit", "arm", "task"), (2, 1), "float32").by_model
    False
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    def __post_init__(self) -> None:
        node(self.name)
        if self.dims[:1] != ("unit",) or len(self.dims) != len(self.shape) + 1:
            sizes = f"dims {quoted(self.dims)} and shape {quoted(self.shape)}"
            raise StoreError(f"field {quoted(self.name)}: {sizes}; 'unit' comes first")
        if "model" in self.dims[:-1]:
            raise StoreError(f"field {quoted(self.name)}: dims {quoted(self.dims)}; 'model' comes last")

    @property
    def by_model(self) -> bool:
        """Whether each model has values of its own, in files of their own."""
        return self.dims[-1] == "model"

    @property
    def of_a_file(self) -> tuple[int, ...]:
        """Sizes of the dims beyond the units in one file, which is of one model."""
        return (*self.shape[:-1], 1) if self.by_model else self.shape

    def values_a_file(self, n_units: int) -> int:
        """Return the number of values in a file of `n_units` units."""
        return n_units * math.prod(self.of_a_file)

    @property
    def blank(self) -> Any:
        """Fill value where nothing was written yet: NaN, 0, False, or empty text."""
        return np.nan if np.dtype(self.dtype).kind == "f" else np.zeros((), self.dtype)[()]


UNIT = Field("unit", ("unit",), (), "int64")
"""The unit ids: they are written by the archive itself and never put."""


class Slab(NamedTuple):
    """The files that are committed together: of one chunk of units, and of one model or the fields without models."""

    chunk: int
    model: int | None


@dataclass(frozen=True)
class Grid:
    """The units of each turn, and the files that hold them.

    `turn_ends` (turns,) is the unit after the last of each turn. Every chunk but the last has `turns_a_chunk` turns and
    the same number of units.
    """

    fields: tuple[Field, ...]
    turn_ends: tuple[int, ...]
    turns_a_chunk: int

    def __post_init__(self) -> None:
        ends = np.asarray(self.turn_ends)
        if not len(ends) or (np.diff(ends, prepend=0) <= 0).any() or self.turns_a_chunk < 1:
            raise StoreError("turn_ends must increase, and a chunk has a turn or more; make the plan of the trial anew")
        whole = ends[self.turns_a_chunk - 1 :: self.turns_a_chunk][: self.n_chunks - 1]
        if (np.diff(whole, prepend=0) != self.units_a_chunk).any() or self.n_units > self.n_chunks * self.units_a_chunk:
            raise StoreError("chunks of unequal numbers of units; zarr needs equal ones: make the plan of equal turns")
        if self.n_slabs > _MOST_SLABS:
            raise StoreError(f"more than {_MOST_SLABS:,} files of a variable; make larger turns, or ask fewer models")

    @property
    def n_units(self) -> int:
        return self.turn_ends[-1]

    @property
    def n_turns(self) -> int:
        return len(self.turn_ends)

    @property
    def n_chunks(self) -> int:
        return -(-self.n_turns // self.turns_a_chunk)

    @property
    def units_a_chunk(self) -> int:
        return self.turn_ends[min(self.turns_a_chunk, self.n_turns) - 1]

    @cached_property
    def models(self) -> tuple[int | None, ...]:
        """The kinds of slabs: None for fields without models, and the number of each model."""
        found = {field.shape[-1] for field in self.fields if field.by_model}
        if len(found) > 1:
            raise StoreError(f"fields of {sorted(found)} models; give all of them the same models")
        if max(found, default=0) > _MOST_SLABS:
            raise StoreError(f"fields of more than {_MOST_SLABS:,} models; ask fewer")
        shared: list[int | None] = [None] if any(not field.by_model for field in self.fields) else []
        return (*shared, *range(found.pop() if found else 0))

    def has(self, slab: Slab) -> bool:
        """Say whether a slab belongs to the trial; a trial that stores only sums has none."""
        if not self.models:
            return False
        first, last = self.models[0], self.models[-1]
        known = first is None if slab.model is None else last is not None and 0 <= slab.model <= last
        return known and 0 <= slab.chunk < self.n_chunks

    def slabs(self) -> Iterator[Slab]:
        """Yield every slab of the trial, in order."""
        return (Slab(chunk, model) for chunk in range(self.n_chunks) for model in self.models)

    @property
    def n_slabs(self) -> int:
        return self.n_chunks * len(self.models)

    def fields_of(self, slab: Slab) -> tuple[Field, ...]:
        """Return the fields that a slab holds."""
        return tuple(field for field in self.fields if field.by_model == (slab.model is not None))

    def file_of(self, field: Field, slab: Slab) -> str:
        """Return the path, in the store, of a field's values in a slab."""
        last: Sequence[object] = [0] * len(field.shape)
        if slab.model is not None:
            last = [*last[:-1], slab.model]
        return "/".join(map(str, (node(field.name), "c", slab.chunk, *last)))

    def files_of(self, slab: Slab) -> tuple[str, ...]:
        """Return the paths, in the store, of all files of a slab."""
        return tuple(self.file_of(field, slab) for field in self.fields_of(slab))

    def units(self, turn: int) -> tuple[int, int]:
        """Return the first unit of a turn, and the one after its last."""
        return (self.turn_ends[turn - 1] if turn else 0), self.turn_ends[turn]

    def rows(self, turn: int) -> slice:
        """Return the rows of a turn's units in their chunk."""
        start, stop = self.units(turn)
        first = self.chunk(turn) * self.units_a_chunk
        return slice(start - first, stop - first)

    def chunk(self, turn: int) -> int:
        return turn // self.turns_a_chunk

    def bit(self, turn: int) -> int:
        """Return the bit of a turn in its chunk's bit set of turns."""
        return 1 << turn % self.turns_a_chunk

    def turns(self, chunk: int, among: int) -> list[int]:
        """Return the turns of a chunk that are in a bit set."""
        first = chunk * self.turns_a_chunk
        return [turn for turn in range(first, min(first + self.turns_a_chunk, self.n_turns)) if among & self.bit(turn)]

    def whole(self, chunk: int) -> int:
        """Return the bit set of all turns of a chunk."""
        return (1 << min(self.turns_a_chunk, self.n_turns - chunk * self.turns_a_chunk)) - 1

    def n_units_of(self, chunk: int, among: int) -> int:
        """Count the units of the turns of a chunk that are in a bit set."""
        return sum(stop - start for start, stop in map(self.units, self.turns(chunk, among)))


def as_grid(content: object) -> Grid:
    """Return the grid that a manifest describes.

    Raises
    ------
    StoreError
        If the content does not describe a grid; names the entry.

    Examples
    --------
    >>> as_grid({"fields": [], "turn_ends": [4.0], "turns_a_chunk": 1})
    Traceback (most recent call last):
    ...
    causalgia.errors.StoreError: 'turn_ends' is not a list of whole numbers
    """
    match content:
        case {"fields": list(fields), "turn_ends": ends, "turns_a_chunk": turns, **more} if not more:
            known = tuple(map(_as_field, fields))
            if len({field.name for field in known}) < len(known):
                raise StoreError("'fields' names a variable twice")
            return Grid(known, _as_counts(ends, "turn_ends"), _as_counts([turns], "turns_a_chunk")[0])
    raise StoreError("'grid' is not made of fields, turn_ends and turns_a_chunk")


def as_texts(content: object, name: str) -> dict[str, str]:
    """Return a mapping of text to text from JSON; StoreError if it is something else."""
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise StoreError(f"{quoted(name)} is not a mapping of text to text")
    return content


def as_dtype(text: object) -> np.dtype[Any]:
    """Return the dtype of this name; StoreError unless it is one of the stored kinds (numbers or text)."""
    if isinstance(text, str) and _DTYPE.fullmatch(text):
        try:
            dtype = np.dtype(text)
        except (TypeError, ValueError):
            dtype = np.dtype(object)
        if dtype.kind in "biufU" and (dtype.itemsize <= 8 or dtype.kind == "U"):
            return dtype
    raise StoreError("a dtype is none of numbers or text")


def _as_field(content: object) -> Field:
    match content:
        case {"name": str(name), "dims": list(dims), "shape": shape, "dtype": str(dtype), **more} if not more:
            if not all(isinstance(dim, str) for dim in dims):
                raise StoreError("'dims' is not a list of names")
            as_dtype(dtype)
            return Field(name, tuple(dims), _as_counts(shape, "shape"), dtype)
    raise StoreError("'fields' is not a list of name, dims, shape and dtype")


def _as_counts(content: object, name: str) -> tuple[int, ...]:
    """Return non-negative whole numbers, each of which fits into a machine's integer."""
    if not isinstance(content, list) or not all(type(count) is int and 0 <= count < 2**62 for count in content):
        raise StoreError(f"{quoted(name)} is not a list of whole numbers")
    return tuple(content)
