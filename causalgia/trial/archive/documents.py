"""What zarr reads of a trial, but for its units: the metadata of the group, and the variables that do not grow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import StoreError
from causalgia.schema import annotate
from causalgia.trial.archive.chunks import encoded
from causalgia.trial.archive.layout import CONTROL, Field, Grid, node

FORMAT = 1
"""Version of the layout; raised when an older library could not read what a newer one writes."""


def documents(grid: Grid, frame: xr.Dataset) -> dict[str, bytes]:
    """Return every file that does not grow, by its path in the store.

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
    arrays = {node(field.name): _growing(field, grid) for field in grid.fields}
    files: dict[str, bytes] = {}
    for name, array in frame.variables.items():
        values = np.asarray(array.values)
        arrays[node(name)] = _array(values.shape, values.shape, _kind(values.dtype, name), array.dims, array.attrs)
        if values.size:
            files["/".join([node(name), "c", *["0"] * values.ndim])] = encoded(values).tobytes()
    coords = sorted({node(name) for name in frame.coords} | {node(f.name) for f in grid.fields if f.dims == ("unit",)})
    group = _group(arrays, dict(frame.attrs) | {"coordinates": " ".join(coords)})
    scalar = _array((), (), np.dtype(np.int64), (), {"meaning": "version of the layout of a causalgia trial"})
    arrays[CONTROL] = scalar | {"fill_value": FORMAT}
    metadata = {f"{name}/zarr.json": as_json(document) for name, document in arrays.items()}
    return dict(sorted((files | metadata | {"zarr.json": as_json(group)}).items()))


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document).encode()


def _growing(field: Field, grid: Grid) -> dict[str, Any]:
    shape, chunks = (grid.n_units, *field.shape), (grid.units_a_chunk, *field.of_a_file)
    attrs = annotate(xr.Dataset({field.name: ((), 0)}))[field.name].attrs
    array = _array(shape, chunks, _kind(np.dtype(field.dtype), field.name), field.dims, attrs)
    return array | {"codecs": [*array["codecs"], {"name": "crc32c"}]}


def _kind(dtype: np.dtype[Any], name: object) -> np.dtype[Any]:
    if dtype.kind not in "biufU" or (dtype.itemsize > 8 and dtype.kind != "U"):
        raise StoreError(f"'{name}' has dtype {dtype}, which cannot be stored; make it text or numbers")
    return dtype


def _array(
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
        "attributes": _plain(attrs),
        "dimension_names": [node(dim) for dim in dims],
    }


def _group(arrays: Mapping[str, Any], attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the metadata of the group, with that of its arrays."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": _plain(attrs),
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(sorted(arrays.items()))},
    }


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _plain_value(value, name) for name, value in attrs.items()}


def _plain_value(value: object, name: object) -> object:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str | bool | int) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    raise StoreError(f"attrs[{name!r}] is {value!r}; attributes are text or finite numbers: convert it")
