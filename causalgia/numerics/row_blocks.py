"""Rows of units in memory or lazy (dask), read by blocks: sums, extremes and weights of
arms.

Sums are taken over blocks of rows whose size depends only on the shape, added in order.
So arrays in memory and lazy ones in chunks of any size have the same sums to the bit,
and only a few blocks of a lazy array are held.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from causalgia.types import Array, Mask

if TYPE_CHECKING:
    import xarray as xr
    from scipy import sparse

Rows: TypeAlias = Any
"""An array ``(n, ...)``, of numpy or of dask."""

BLOCK = 2**20
"""Numbers in a block: 8 MiB, which fit in a processor's cache."""
LARGE_BLOCK = 2**22
"""Numbers in a block that is read once, by one operation: 32 MiB."""
SMALL_BLOCK = 2**18
"""Numbers in a block from which several arrays of its size are computed: 2 MiB each."""
CACHE_BLOCK = 2**16
"""Numbers in a block that stays in the cache of one core: 512 KiB."""
INNER_BLOCK = 2**14
"""Numbers in a block that stays in the cache of one core with several others: 128 KiB.
"""
HELD = 2**25
"""Bytes up to which a lazy array is loaded, rather than read several times."""
MOST_WEIGHTS = 2**28
"""Bytes up to which the weights of arms are a dense array: 8,192 contrasts of as many
arms.
"""

_EXTREMES: dict[str, tuple[Any, Any]] = {}
"""Name of a lazy array -> its extremes, while the array exists (dask names identify
what is computed).
"""


def is_lazy(rows: Any) -> bool:
    """Return whether an array (of numpy, dask or xarray) is lazy.

    Examples
    --------
    >>> is_lazy(np.zeros(3))
    False
    """
    return getattr(rows, "chunks", None) is not None


def computed_if_small(rows: Rows) -> Rows:
    """Compute a lazy array that is small; return any other as it is."""
    return rows.compute() if is_lazy(rows) and rows.nbytes <= HELD else rows


def by_block(
    rows: Rows,
    function: Callable[..., Any],
    *,
    extremes: tuple[Any, Any] | None = None,
    **given: Any,
) -> Rows:
    """Return ``function(rows, **given)``, lazily for a lazy array; the function keeps
    the numbers of rows and dims.

    Parameters
    ----------
    rows
        Shape ``(n, A, ...)``.
    function
        Maps ``(b, A, ...)`` to ``(b, K, ...)``, row by row.
    extremes
        Those of the result, if known; cached for a lazy result.
    **given
        Other arguments of the function.

    Examples
    --------
    >>> by_block(np.array([[1.0, 2.0]]), np.take, indices=[1], axis=1)
    array([[2.]])
    """
    if not is_lazy(rows):
        return function(rows, **given)
    rows = rows.rechunk(dict.fromkeys(range(1, rows.ndim), -1))
    one = function(np.full((1, *rows.shape[1:]), 0.5, rows.dtype), **given)
    chunks = (rows.chunks[0], *((size,) for size in one.shape[1:]))
    found = rows.map_blocks(
        function, dtype=one.dtype, chunks=chunks, meta=one[:0], **given
    )
    if extremes is not None:
        remember_extremes(found, *extremes)
    return found


def in_memory(dataset: xr.Dataset, *, but: str | None = None) -> xr.Dataset:
    """Load the lazy variables of a Dataset, except those along the dim `but` and the
    weights of very many arms.

    Examples
    --------
    >>> import xarray as xr
    >>> in_memory(xr.Dataset({"ace": ("contrast", [1.0])}))["ace"].item()
    1.0
    """
    lazy = {
        name: v
        for name, v in dataset.variables.items()
        if is_lazy(v) and but not in v.dims
    }
    waiting = [
        name for name, v in lazy.items() if name != "weight" or v.nbytes <= MOST_WEIGHTS
    ]
    return dataset.assign(dataset[waiting].compute().variables) if waiting else dataset


def row_blocks(rows: Rows, width: int = 1) -> Iterator[npt.NDArray[Any]]:
    """Yield blocks of whole rows, about a million numbers each; each row of a lazy
    array is read once.

    Parameters
    ----------
    rows
        Shape ``(n, ...)``.
    width
        Numbers computed from a row, if more than it has.

    Examples
    --------
    >>> [block.shape for block in row_blocks(np.zeros((5, 2**19, 1)))]
    [(2, 524288, 1), (2, 524288, 1), (1, 524288, 1)]
    """
    size = max(1, BLOCK // max(math.prod(rows.shape[1:]), width))
    if not is_lazy(rows):
        yield from (
            np.ascontiguousarray(rows[start : start + size])
            for start in range(0, len(rows), size)
        )
        return
    waiting: list[npt.NDArray[Any]] = []
    for part in _windows(rows, size):
        waiting.append(part)
        if sum(map(len, waiting)) < size:
            continue
        whole = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        cut = len(whole) - len(whole) % size
        yield from (
            np.ascontiguousarray(whole[start : start + size])
            for start in range(0, cut, size)
        )
        waiting = [whole[cut:].copy()]
    left = np.concatenate(waiting) if waiting else np.empty(rows.shape, rows.dtype)
    if len(left):
        yield np.ascontiguousarray(left)


def _windows(rows: Rows, size: int) -> Iterator[npt.NDArray[Any]]:
    """Yield computed chunks of a lazy array, at least `size` rows at a time."""
    start = stop = 0
    for length in rows.chunks[0]:
        stop += length
        if stop - start >= size:
            yield rows[start:stop].compute()
            start = stop
    if stop > start:
        yield rows[start:stop].compute()


def sum_in_order(parts: Iterable[Array]) -> Array:
    """Return the sum of arrays of one shape, added in order.

    Examples
    --------
    >>> sum_in_order([np.array([1.0]), np.array([2.0])])
    array([3.])
    """
    parts = iter(parts)
    total = next(parts)
    for part in parts:
        total = total + part
    return total


def extremes(rows: Rows) -> tuple[Any, Any]:
    """Return the smallest and the largest value of each column, ``(...)`` each, cached
    for lazy arrays.

    Both are NaN where a value is NaN.

    Examples
    --------
    >>> extremes(np.array([[1.0, 5.0], [3.0, 4.0]]))
    (array([1., 4.]), array([3., 5.]))
    """
    if not is_lazy(rows):
        return rows.min(axis=0), rows.max(axis=0)
    if rows.name not in _EXTREMES:
        for _ in _blocks_with_extremes(rows):
            pass
    return _EXTREMES[rows.name]


def is_finite(rows: Rows) -> bool:
    """Return whether all numbers are finite; of a lazy array by the cached extremes of
    its columns.

    Examples
    --------
    >>> is_finite(np.array([1.0, np.inf]))
    False
    """
    found = extremes(rows) if is_lazy(rows) and rows.size else (np.asarray(rows),)
    return all(bool(np.isfinite(values).all()) for values in found)


def _blocks_with_extremes(rows: Rows) -> Iterator[npt.NDArray[Any]]:
    """Yield the blocks of a lazy array, and cache its extremes at the end."""
    low = high = None
    for block in row_blocks(rows):
        least, most = block.min(axis=0), block.max(axis=0)
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
        yield block
    remember_extremes(rows, low, high)


def first_where(
    rows: Rows, test: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]
) -> tuple[Any, tuple[int, ...]]:
    """Return the first number, in the order of the rows, for which a test of blocks is
    true, and its indices.

    Examples
    --------
    >>> first_where(np.array([[1.0, 2.0], [-3.0, 4.0]]), lambda block: block < 0)
    (np.float64(-3.0), (1, 0))
    """
    start = 0
    for block in row_blocks(rows):
        for row, *others in np.argwhere(test(block)):
            return block[row, *others], (start + int(row), *map(int, others))
        start += len(block)
    raise ValueError("the test is true of no number")


def remember_extremes(rows: Rows, low: Any, high: Any) -> None:
    """Cache the extremes of a lazy array that were found otherwise."""
    _EXTREMES[rows.name] = (low, high)
    weakref.finalize(rows, _EXTREMES.pop, rows.name, None)


def first_row(rows: Rows) -> Array:
    """Return the first row in float64, shape ``(1, ...)``."""
    return np.asarray(rows[:1], dtype=np.float64)


def mean_from(rows: Rows, first: Array) -> Array:
    """Return the mean over rows of ``row - first``, shape ``(1, ...)``.

    Examples
    --------
    >>> mean_from(np.array([[1e6 + 1.0], [1e6 + 2.0]]), np.array([[1e6 + 1.0]]))
    array([[0.5]])
    """
    blocks = (
        _blocks_with_extremes(rows)
        if is_lazy(rows) and rows.name not in _EXTREMES
        else row_blocks(rows)
    )
    return np.asarray(
        sum_in_order((block - first).sum(axis=0, keepdims=True) for block in blocks)
        / len(rows)
    )


def agreement(values: Array, bound: Array) -> tuple[Mask, Mask]:
    """Return where the rows are equal within their rounding, and where they may be 0.

    Rows are equal where the intervals ``value +- bound`` of all rows have a common
    point, so that one large row with a wide bound does not hide differences between the
    others.

    Parameters
    ----------
    values, bound
        Shape ``(n, ...)``.

    Returns
    -------
    constant, zero
        Shape ``(...)``; zero only where constant.

    Examples
    --------
    >>> agreement(
    ...     np.array([[0.3, 0.1, 0.0], [0.1 + 0.2, 0.2, 1e-17]]), np.full((2, 3), 1e-16)
    ... )
    (array([ True, False,  True]), array([False, False,  True]))
    """
    return agreement_of_blocks([(values, bound)])


def agreement_of_blocks(parts: Iterable[tuple[Array, Array]]) -> tuple[Mask, Mask]:
    """Return `agreement` of values and bounds given in blocks of rows, of those that
    are no NaN.

    Examples
    --------
    >>> agreement_of_blocks(
    ...     [
    ...         (np.array([[0.3]]), np.array([[1e-16]])),
    ...         (np.array([[0.1 + 0.2]]), np.array([[1e-16]])),
    ...     ]
    ... )
    (array([ True]), array([False]))
    """
    ends = (
        (np.fmax.reduce(values - bound), np.fmin.reduce(values + bound))
        for values, bound in parts
    )
    low, high = reduce(lambda a, b: (np.fmax(a[0], b[0]), np.fmin(a[1], b[1])), ends)
    constant: Any = low <= high
    return constant, constant & (low <= 0) & (high >= 0)


_LEAST_GROUPS = 256
_BYTES_OF_GROUPS = 2**25


def sums_in_random_groups(factor: Rows) -> Array:
    """Return sums of a factor's rows over random groups of clusters, so many that they
    take 32 MiB, and 256 at least.

    Clusters are exchangeable, so that they are dealt out in turn. The sums have the
    covariance of the rows, estimated on fewer degrees of freedom (Wolter 2007, chapter
    2).
    """
    n = max(
        _LEAST_GROUPS, _BYTES_OF_GROUPS // (8 * max(1, int(np.prod(factor.shape[1:]))))
    )
    if len(factor) <= n:
        return np.asarray(factor)
    groups, first = np.zeros((n, *factor.shape[1:])), 0
    for block in row_blocks(factor):
        for row in block:
            groups[first % n] += row
            first += 1
    return groups


def gram(factor: Rows) -> Array:
    """Return factor' factor for each task (and model), summed by blocks of rows: (G, K,
    ...) -> (K, K, ...).
    """
    whole: list[Array] = []
    for block in row_blocks(factor):
        rows = block.reshape(*block.shape[:2], -1)
        for r in range(rows.shape[2]):
            part = rows[..., r].T @ rows[..., r]
            if len(whole) == r:
                whole.append(part)
            else:
                whole[r] += part
    found = np.stack(whole, -1)
    return found.reshape(factor.shape[1], factor.shape[1], *factor.shape[2:])


_WEIGHTS_BLOCK = 2**21
_SPARSE_BY_NAME: dict[str, Any] = {}
"""Name of a live lazy array of weights -> the sparse matrix behind it."""


def as_dense(W: sparse.csr_array) -> Any:
    """Return sparse weights (K, A) as a dense array, in float32 if exact; as a lazy
    dask array if very large.

    Examples
    --------
    >>> from scipy import sparse
    >>> as_dense(sparse.csr_array([[-1.0, 1.0]]))
    array([[-1.,  1.]], dtype=float32)
    """
    narrow = W.astype(np.float32)
    W = narrow if (narrow.data == W.data).all() else W
    if W.shape[0] * W.shape[1] * W.dtype.itemsize <= MOST_WEIGHTS:
        return W.toarray()
    import dask.array as da

    rows = max(1, _WEIGHTS_BLOCK // W.shape[1])
    found = da.from_array(  # type: ignore[no-untyped-call]  # dask is untyped
        _DenseBlocks(W), chunks=(rows, W.shape[1]), name=f"weight-{uuid4().hex}"
    )
    _SPARSE_BY_NAME[found.name] = W
    weakref.finalize(found, _SPARSE_BY_NAME.pop, found.name, None)
    remember_extremes(found, *(end(axis=0).toarray().ravel() for end in (W.min, W.max)))
    return found


def weights_of(dataset: xr.Dataset) -> sparse.csr_array:
    """Return ``weight (contrast, arm)`` of effects or estimates as a sparse matrix,
    without a dense copy.

    Examples
    --------
    >>> import xarray as xr
    >>> weights_of(
    ...     xr.Dataset({"weight": (("contrast", "arm"), [[-1.0, 1.0, 0.0]])})
    ... ).indices
    array([0, 1], dtype=int32)
    """
    from scipy import sparse

    rows = dataset["weight"].transpose("contrast", "arm").data
    if not is_lazy(rows):
        return sparse.csr_array(rows)
    if rows.name in _SPARSE_BY_NAME:
        known: sparse.csr_array = _SPARSE_BY_NAME[rows.name]
        return known
    step = max(1, _WEIGHTS_BLOCK // rows.shape[1])
    parts = [
        sparse.csr_array(rows[start : start + step].compute())
        for start in range(0, len(rows), step)
    ]
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


class _DenseBlocks:
    """A sparse matrix with the array interface of dask: indexing returns a dense
    block.
    """

    ndim = 2

    def __init__(self, W: sparse.csr_array) -> None:
        self.W, self.shape, self.dtype = W, W.shape, W.dtype

    def __getitem__(self, at: tuple[Any, Any]) -> Any:
        rows, columns = at
        places = np.arange(self.shape[0])[rows]
        block = self.W[np.atleast_1d(places)].toarray()
        return (block if places.ndim else block[0])[..., columns]
