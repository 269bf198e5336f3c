"""Sparse weights of arms in contrasts, ``weight (contrast, arm)``."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from causalgia.numerics import row_blocks
from causalgia.numerics.row_blocks import is_lazy, remember_extremes

if TYPE_CHECKING:
    import xarray as xr
    from scipy import sparse

_BLOCK = 2**21
_SPARSE_BY_NAME: dict[str, Any] = {}
"""Name of a live lazy array of weights -> the sparse matrix behind it."""


def as_dense(W: sparse.csr_array) -> Any:
    """Return sparse weights (K, A) as a dense array, in float32 if exact; as a lazy dask array if very large.

    Examples
    --------
    >>> from scipy import sparse
    >>> as_dense(sparse.csr_array([[-1.0, 1.0]]))
    array([[-1.,  1.]], dtype=float32)
    """
    narrow = W.astype(np.float32)
    W = narrow if (narrow.data == W.data).all() else W
    if W.shape[0] * W.shape[1] * W.dtype.itemsize <= row_blocks.MOST_WEIGHTS:
        return W.toarray()
    import dask.array as da

    rows = max(1, _BLOCK // W.shape[1])
    found = da.from_array(  # type: ignore[no-untyped-call]  # dask is untyped
        _DenseBlocks(W), chunks=(rows, W.shape[1]), name=f"weight-{uuid4().hex}"
    )
    _SPARSE_BY_NAME[found.name] = W
    weakref.finalize(found, _SPARSE_BY_NAME.pop, found.name, None)
    remember_extremes(found, *(end(axis=0).toarray().ravel() for end in (W.min, W.max)))
    return found


def weights_of(dataset: xr.Dataset) -> sparse.csr_array:
    """Return ``weight (contrast, arm)`` of effects or estimates as a sparse matrix, without a dense copy.

    Examples
    --------
    >>> import xarray as xr
    >>> weights_of(xr.Dataset({"weight": (("contrast", "arm"), [[-1.0, 1.0, 0.0]])})).indices
    array([0, 1], dtype=int32)
    """
    from scipy import sparse

    rows = dataset["weight"].transpose("contrast", "arm").data
    if not is_lazy(rows):
        return sparse.csr_array(rows)
    if rows.name in _SPARSE_BY_NAME:
        known: sparse.csr_array = _SPARSE_BY_NAME[rows.name]
        return known
    step = max(1, _BLOCK // rows.shape[1])
    parts = [sparse.csr_array(rows[start : start + step].compute()) for start in range(0, len(rows), step)]
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


class _DenseBlocks:
    """A sparse matrix with the array interface of dask: indexing returns a dense block."""

    ndim = 2

    def __init__(self, W: sparse.csr_array) -> None:
        self.W, self.shape, self.dtype = W, W.shape, W.dtype

    def __getitem__(self, at: tuple[Any, Any]) -> Any:
        rows, columns = at
        places = np.arange(self.shape[0])[rows]
        block = self.W[np.atleast_1d(places)].toarray()
        return (block if places.ndim else block[0])[..., columns]
