"""Zarr metadata of a trial's store, and its variables without the dim ``unit``.

`static_files` writes them and `read_frame` reads them back. The reader accepts only what the writer produces; other
codecs, shapes or dtypes count as damage.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np
import xarray as xr

from causalgia.errors import StoreError, quoted
from causalgia.schema import annotate
from causalgia.trial.archive.files import decode_values, encode_values, parse_json
from causalgia.trial.archive.layout import CONTROL, Field, Grid, as_dtype, node

FORMAT = 2
"""Version of the layout; raised when an older library could not read what a newer one writes."""


def static_files(grid: Grid, frame: xr.Dataset) -> dict[str, bytes]:
    """Return every static file (metadata and variables without units), by its path in the store.

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
    arrays = {node(field.name): _unit_array_metadata(field, grid) for field in grid.fields}
    files: dict[str, bytes] = {}
    for name, array in frame.variables.items():
        values = np.asarray(array.values)
        arrays[node(name)] = _array_metadata(
            values.shape, values.shape, _kind(values.dtype, name), array.dims, array.attrs
        )
        if values.size:
            files[_values_path(node(name), values.ndim)] = encode_values(values).tobytes()
    coords = sorted({node(name) for name in frame.coords} | {node(f.name) for f in grid.fields if f.dims == ("unit",)})
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": _plain_attrs(dict(frame.attrs) | {"coordinates": " ".join(coords)}),
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(sorted(arrays.items()))},
    }
    scalar = _array_metadata((), (), np.dtype(np.int64), (), {"meaning": "version of the layout of a causalgia trial"})
    arrays[CONTROL] = scalar | {"fill_value": FORMAT}
    metadata = {f"{name}/zarr.json": as_json(document) for name, document in arrays.items()}
    return dict(sorted((files | metadata | {"zarr.json": as_json(group)}).items()))


def read_frame(grid: Grid, files: Mapping[str, bytes], texts: Mapping[str, str]) -> xr.Dataset:
    """Return every variable without the dim ``unit``, and the attrs: the `frame` that `static_files` was given.

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
        case {"attributes": {"coordinates": str(coords), **attrs}, "consolidated_metadata": {"metadata": dict(arrays)}}:
            for field in grid.fields:
                _check_array(arrays.pop(node(field.name), None), _unit_array_metadata(field, grid))
            frame = _assemble_dataset(
                {name: _variable(name, array, files, texts) for name, array in arrays.items()}, coords
            )
            if texts == texts_of(frame):
                return frame.assign_attrs(_plain_attrs(attrs))
    raise StoreError("zarr.json is none that this library wrote")


def texts_of(frame: xr.Dataset) -> dict[str, str]:
    """Return the dtypes of the text variables."""
    return {str(name): str(v.dtype) for name, v in frame.variables.items() if v.dtype.kind == "U"}


def _assemble_dataset(variables: Mapping[str, xr.Variable], coords: str) -> xr.Dataset:
    """Return a Dataset of variables by the names of their arrays; `coords` lists the coordinates."""
    named = set(coords.split())
    try:
        data = xr.Dataset({unquote(name): v for name, v in variables.items() if name not in named})
        return data.assign_coords({unquote(name): v for name, v in variables.items() if name in named})
    except (ValueError, TypeError) as error:
        raise StoreError(f"zarr.json does not describe one trial ({error})") from error


def _variable(name: str, array: object, files: Mapping[str, bytes], texts: Mapping[str, str]) -> xr.Variable:
    """Return a variable without units, from its metadata and its file."""
    match array:
        case {"shape": list(shape), "dimension_names": list(dims), "data_type": str(kind), "attributes": dict(attrs)}:
            if all(type(size) is int and 0 <= size < 2**48 for size in shape) and all(isinstance(d, str) for d in dims):
                dtype = as_dtype(texts.get(unquote(name)) if kind == "string" else kind)
                names, n = tuple(map(unquote, dims)), math.prod(shape)
                _check_array(array, _array_metadata(tuple(shape), tuple(shape), dtype, names, attrs))
                data = np.frombuffer(files.get(_values_path(name, len(shape)), b""), np.uint8)
                values = decode_values(data, dtype, n) if n else np.empty(0, dtype)
                if values is not None:
                    return xr.Variable(names, values.astype(dtype).reshape(shape), attrs)
    raise StoreError(f"{quoted(name)} is not an array that this library wrote")


def _check_array(array: object, expected: Mapping[str, Any]) -> None:
    """Raise StoreError if the metadata of an array differ from those that are written, attributes apart."""
    attrs = array.get("attributes") if isinstance(array, dict) else None
    if not isinstance(attrs, dict) or array != json.loads(as_json({**expected, "attributes": _plain_attrs(attrs)})):
        raise StoreError("zarr.json describes an array in a way that this library does not")


def _values_path(name: str, n_dims: int) -> str:
    """Return the path of the values of a variable without units."""
    return "/".join([name, "c", *["0"] * n_dims])


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document).encode()


def _unit_array_metadata(field: Field, grid: Grid) -> dict[str, Any]:
    shape, chunks = (grid.n_units, *field.shape), (grid.units_a_chunk, *field.of_a_file)
    attrs = annotate(xr.Dataset({field.name: ((), 0)}))[field.name].attrs
    array = _array_metadata(shape, chunks, _kind(np.dtype(field.dtype), field.name), field.dims, attrs)
    return array | {"codecs": [*array["codecs"], {"name": "crc32c"}]}


def _kind(dtype: np.dtype[Any], name: object) -> np.dtype[Any]:
    if dtype.kind not in "biufU" or (dtype.itemsize > 8 and dtype.kind != "U"):
        raise StoreError(f"{quoted(name)} has dtype {dtype}, which cannot be stored; make it text or numbers")
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
    raw = {"name": "bytes"} | ({"configuration": {"endian": "little"}} if dtype.itemsize > 1 else {})
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "string" if text else dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [max(1, size) for size in chunks]}},
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
        if not (isinstance(plain, str | bool | int) or (isinstance(plain, float) and math.isfinite(plain))):
            what = "attributes are text or finite numbers: convert it"
            raise StoreError(f"attrs[{quoted(name)}] is {quoted(value)}; {what}")
        found[str(name)] = plain
    return found
