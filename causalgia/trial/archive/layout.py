"""Layout of a trial's folder: fields, turns, chunks and their files, and the metadata
of zarr.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
import xarray as xr

from causalgia.errors import StoreError, quoted
from causalgia.schema import annotate
from causalgia.trial.archive.files import decode_values, encode_values, parse_json

CONTROL = "causalgia-trial"
_TAKEN = ("", ".", "..", "zarr.json", CONTROL)
_STATIC = re.compile(r"(?P<node>[A-Za-z0-9_.~%-]+)/(zarr\.json|c(/0)*)")
_DTYPE = re.compile(r"[<>|=]?[A-Za-z]{1,7}[0-9]{0,6}", re.ASCII)
_MOST_SLABS = 2**24
"""Largest number of files of a variable; a manifest with more is rejected, as counting
them would take hours.
"""


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
        raise StoreError(f"a variable cannot be stored as {quoted(str(name))}")
    try:
        return quote(str(name), safe="")
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise StoreError(
            f"a variable cannot be stored as {quoted(str(name))}"
        ) from error


def is_static(name: str) -> bool:
    """Say whether a path in a store is that of a static file, which does not grow with
    the units.

    Examples
    --------
    >>> [
    ...     is_static(name)
    ...     for name in (
    ...         "zarr.json",
    ...         "arm/c/0",
    ...         "../arm",
    ...         "arm/../../c",
    ...         "causalgia-trial/log",
    ...     )
    ... ]
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
        Its dims, ``"unit"`` first and ``"model"``, where there is one, last. With
        ``"unit"`` alone it is a coordinate.
    shape
        Sizes of the dims, without the units.
    dtype
        numpy dtype as text: numbers, ``"bool"``, or text of a fixed width such as
        ``"<U12"``.

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
            raise StoreError(
                f"field {quoted(self.name)}: dims {quoted(self.dims)} and shape "
                f"{quoted(self.shape)}; 'unit' comes first"
            )
        if "model" in self.dims[:-1]:
            raise StoreError(
                f"field {quoted(self.name)}: dims {quoted(self.dims)}; 'model' comes "
                "last"
            )

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
        return (
            np.nan if np.dtype(self.dtype).kind == "f" else np.zeros((), self.dtype)[()]
        )


UNIT = Field("unit", ("unit",), (), "int64")
"""The unit ids: they are written by the archive itself and never put."""


class Slab(NamedTuple):
    """The files that are committed together: of one chunk of units, and of one model or
    the fields without models.
    """

    chunk: int
    model: int | None


@dataclass(frozen=True)
class Grid:
    """The units of each turn, and the files that hold them.

    `turn_ends` (turns,) is the unit after the last of each turn. Every chunk but the
    last has `turns_a_chunk` turns and the same number of units.
    """

    fields: tuple[Field, ...]
    turn_ends: tuple[int, ...]
    turns_a_chunk: int

    def __post_init__(self) -> None:
        ends = np.asarray(self.turn_ends)
        if (
            not len(ends)
            or (np.diff(ends, prepend=0) <= 0).any()
            or self.turns_a_chunk < 1
        ):
            raise StoreError("turn_ends must increase, and a chunk has a turn or more")
        whole = ends[self.turns_a_chunk - 1 :: self.turns_a_chunk][: self.n_chunks - 1]
        if (
            np.diff(whole, prepend=0) != self.units_a_chunk
        ).any() or self.n_units > self.n_chunks * self.units_a_chunk:
            raise StoreError(
                "chunks of unequal numbers of units; zarr needs equal ones"
            )
        if self.n_slabs > _MOST_SLABS:
            raise StoreError(f"more than {_MOST_SLABS:,} files of a variable")

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
        """The kinds of slabs: None for fields without models, and the number of each
        model.
        """
        found = {field.shape[-1] for field in self.fields if field.by_model}
        if len(found) > 1:
            raise StoreError(
                f"fields of {sorted(found)} models, and all must have the same"
            )
        if max(found, default=0) > _MOST_SLABS:
            raise StoreError(f"fields of more than {_MOST_SLABS:,} models")
        shared: list[int | None] = (
            [None] if any(not field.by_model for field in self.fields) else []
        )
        return (*shared, *range(found.pop() if found else 0))

    def has(self, slab: Slab) -> bool:
        """Say whether a slab belongs to the trial; a trial that stores only sums has
        none.
        """
        if not self.models:
            return False
        first, last = self.models[0], self.models[-1]
        known = (
            first is None
            if slab.model is None
            else last is not None and 0 <= slab.model <= last
        )
        return known and 0 <= slab.chunk < self.n_chunks

    def slabs(self) -> Iterator[Slab]:
        """Yield every slab of the trial, in order."""
        return (
            Slab(chunk, model)
            for chunk in range(self.n_chunks)
            for model in self.models
        )

    @property
    def n_slabs(self) -> int:
        return self.n_chunks * len(self.models)

    def fields_of(self, slab: Slab) -> tuple[Field, ...]:
        """Return the fields that a slab holds."""
        return tuple(
            field for field in self.fields if field.by_model == (slab.model is not None)
        )

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
        return [
            turn
            for turn in range(first, min(first + self.turns_a_chunk, self.n_turns))
            if among & self.bit(turn)
        ]

    def whole(self, chunk: int) -> int:
        """Return the bit set of all turns of a chunk."""
        return (
            1 << min(self.turns_a_chunk, self.n_turns - chunk * self.turns_a_chunk)
        ) - 1

    def n_units_of(self, chunk: int, among: int) -> int:
        """Count the units of the turns of a chunk that are in a bit set."""
        return sum(
            stop - start for start, stop in map(self.units, self.turns(chunk, among))
        )


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
        case {
            "fields": list(fields),
            "turn_ends": ends,
            "turns_a_chunk": turns,
            **more,
        } if not more:
            known = tuple(map(_as_field, fields))
            if len({field.name for field in known}) < len(known):
                raise StoreError("'fields' names a variable twice")
            return Grid(
                known,
                _as_counts(ends, "turn_ends"),
                _as_counts([turns], "turns_a_chunk")[0],
            )
    raise StoreError("'grid' is not made of fields, turn_ends and turns_a_chunk")


def as_texts(content: object, name: str) -> dict[str, str]:
    """Return a mapping of text to text from JSON; StoreError if it is something
    else.
    """
    if not isinstance(content, dict) or not all(
        isinstance(text, str) for text in content.values()
    ):
        raise StoreError(f"{quoted(name)} is not a mapping of text to text")
    return content


def as_dtype(text: object) -> np.dtype[Any]:
    """Return the dtype of this name; StoreError unless it is one of the stored kinds
    (numbers or text).
    """
    if isinstance(text, str) and _DTYPE.fullmatch(text):
        try:
            dtype = np.dtype(text)
        except (TypeError, ValueError):
            dtype = np.dtype(object)
        if dtype.kind in "biufU" and (dtype.itemsize <= 8 or dtype.kind == "U"):
            return dtype
    raise StoreError("a dtype is neither numeric nor text")


def _as_field(content: object) -> Field:
    match content:
        case {
            "name": str(name),
            "dims": list(dims),
            "shape": shape,
            "dtype": str(dtype),
            **more,
        } if not more:
            if not all(isinstance(dim, str) for dim in dims):
                raise StoreError("'dims' is not a list of names")
            as_dtype(dtype)
            return Field(name, tuple(dims), _as_counts(shape, "shape"), dtype)
    raise StoreError("'fields' is not a list of name, dims, shape and dtype")


def _as_counts(content: object, name: str) -> tuple[int, ...]:
    """Return non-negative whole numbers, each of which fits into a machine's
    integer.
    """
    if not isinstance(content, list) or not all(
        type(count) is int and 0 <= count < 2**62 for count in content
    ):
        raise StoreError(f"{quoted(name)} is not a list of whole numbers")
    return tuple(content)


FORMAT = 3
"""Version of the layout; raised when an older library could not read what a newer one
writes.
"""


def static_files(grid: Grid, frame: xr.Dataset) -> dict[str, bytes]:
    """Return every static file (metadata and variables without units), by its path in
    the store.

    Parameters
    ----------
    grid
        The fields and their chunks.
    frame
        Every variable without the dim ``unit``, and the attrs.

    Raises
    ------
    StoreError
        If a variable or an attribute cannot be stored.
    """
    arrays = {
        node(field.name): _unit_array_metadata(field, grid) for field in grid.fields
    }
    files: dict[str, bytes] = {}
    for name, array in frame.variables.items():
        values = np.asarray(array.values)
        arrays[node(name)] = _array_metadata(
            values.shape,
            values.shape,
            _kind(values.dtype, name),
            array.dims,
            array.attrs,
        )
        if values.size:
            files[_values_path(node(name), values.ndim)] = encode_values(
                values
            ).tobytes()
    coords = sorted(
        {node(name) for name in frame.coords}
        | {node(f.name) for f in grid.fields if f.dims == ("unit",)}
    )
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": _plain_attrs(
            dict(frame.attrs) | {"coordinates": " ".join(coords)}
        ),
        "consolidated_metadata": {
            "kind": "inline",
            "must_understand": False,
            "metadata": dict(sorted(arrays.items())),
        },
    }
    scalar = _array_metadata(
        (),
        (),
        np.dtype(np.int64),
        (),
        {"meaning": "version of the layout of a causalgia trial"},
    )
    arrays[CONTROL] = scalar | {"fill_value": FORMAT}
    metadata = {
        f"{name}/zarr.json": as_json(document) for name, document in arrays.items()
    }
    return dict(sorted((files | metadata | {"zarr.json": as_json(group)}).items()))


def read_frame(
    grid: Grid, files: Mapping[str, bytes], texts: Mapping[str, str]
) -> xr.Dataset:
    """Return every variable without the dim ``unit``, and the attrs: the `frame` that
    `static_files` was given.

    Parameters
    ----------
    grid
        The fields and their chunks.
    files
        The static files, by path in the store.
    texts
        The dtypes of text variables, which the metadata do not contain.

    Raises
    ------
    StoreError
        If a file is not one that `static_files` writes; names it.
    """
    match parse_json(files.get("zarr.json", b"")):
        case {
            "attributes": {"coordinates": str(coords), **attrs},
            "consolidated_metadata": {"metadata": dict(arrays)},
        }:
            for field in grid.fields:
                _check_array(
                    arrays.pop(node(field.name), None),
                    _unit_array_metadata(field, grid),
                )
            variables = {
                name: _variable(name, array, files, texts)
                for name, array in arrays.items()
            }
            named = set(coords.split())
            try:
                frame = xr.Dataset(
                    {
                        unquote(name): v
                        for name, v in variables.items()
                        if name not in named
                    }
                )
                frame = frame.assign_coords(
                    {unquote(name): v for name, v in variables.items() if name in named}
                )
            except (ValueError, TypeError) as error:
                raise StoreError(
                    f"zarr.json does not describe one trial ({error})"
                ) from error
            if texts == texts_of(frame):
                return frame.assign_attrs(_plain_attrs(attrs))
    raise StoreError("zarr.json was not written by this library")


def texts_of(frame: xr.Dataset) -> dict[str, str]:
    """Return the dtypes of the text variables."""
    return {
        str(name): str(v.dtype)
        for name, v in frame.variables.items()
        if v.dtype.kind == "U"
    }


def _variable(
    name: str, array: object, files: Mapping[str, bytes], texts: Mapping[str, str]
) -> xr.Variable:
    """Return a variable without units, from its metadata and its file."""
    match array:
        case {
            "shape": list(shape),
            "dimension_names": list(dims),
            "data_type": str(kind),
            "attributes": dict(attrs),
        }:
            if all(type(size) is int and 0 <= size < 2**48 for size in shape) and all(
                isinstance(d, str) for d in dims
            ):
                dtype = as_dtype(texts.get(unquote(name)) if kind == "string" else kind)
                names, n = tuple(map(unquote, dims)), math.prod(shape)
                _check_array(
                    array,
                    _array_metadata(tuple(shape), tuple(shape), dtype, names, attrs),
                )
                data = np.frombuffer(
                    files.get(_values_path(name, len(shape)), b""), np.uint8
                )
                values = decode_values(data, dtype, n) if n else np.empty(0, dtype)
                if values is not None:
                    return xr.Variable(
                        names, values.astype(dtype).reshape(shape), attrs
                    )
    raise StoreError(f"{quoted(name)} is not an array that this library wrote")


def _check_array(array: object, expected: Mapping[str, Any]) -> None:
    """Raise StoreError if the metadata of an array differ from those that are written,
    attributes apart.
    """
    attrs = array.get("attributes") if isinstance(array, dict) else None
    if not isinstance(attrs, dict) or array != json.loads(
        as_json({**expected, "attributes": _plain_attrs(attrs)})
    ):
        raise StoreError(
            "zarr.json describes an array in a way that this library does not"
        )


def _values_path(name: str, n_dims: int) -> str:
    """Return the path of the values of a variable without units."""
    return "/".join([name, "c", *["0"] * n_dims])


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document).encode()


def _unit_array_metadata(field: Field, grid: Grid) -> dict[str, Any]:
    shape, chunks = (grid.n_units, *field.shape), (grid.units_a_chunk, *field.of_a_file)
    attrs = annotate(xr.Dataset({field.name: ((), 0)}))[field.name].attrs
    array = _array_metadata(
        shape, chunks, _kind(np.dtype(field.dtype), field.name), field.dims, attrs
    )
    return array | {"codecs": [*array["codecs"], {"name": "crc32c"}]}


def _kind(dtype: np.dtype[Any], name: object) -> np.dtype[Any]:
    if dtype.kind not in "biufU" or (dtype.itemsize > 8 and dtype.kind != "U"):
        raise StoreError(
            f"{quoted(name)} has dtype {dtype}, which cannot be stored (text and "
            "numbers can)"
        )
    return dtype


def _array_metadata(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: np.dtype[Any],
    dims: Iterable[object],
    attrs: Mapping[Any, Any],
) -> dict[str, Any]:
    """Return the metadata of a zarr v3 array without compression."""
    text = dtype.kind == "U"
    raw = {"name": "bytes"} | (
        {"configuration": {"endian": "little"}} if dtype.itemsize > 1 else {}
    )
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "string" if text else dtype.name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [max(1, size) for size in chunks]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": {"U": "", "f": "NaN", "b": False}.get(dtype.kind, 0),
        "codecs": [{"name": "vlen-utf8"} if text else raw],
        "attributes": _plain_attrs(attrs),
        "dimension_names": [node(dim) for dim in dims],
    }


def _plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in attrs.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if not (
            isinstance(plain, str | bool | int)
            or (isinstance(plain, float) and math.isfinite(plain))
        ):
            raise StoreError(
                f"attrs[{quoted(name)}] is {quoted(value)}, not text or a finite number"
            )
        found[str(name)] = plain
    return found
