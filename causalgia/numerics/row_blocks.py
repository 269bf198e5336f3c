"""Block-wise column statistics of arrays with a row for each unit, in memory or lazy (dask).

Sums are taken over blocks of rows whose size depends only on the shape, added in order. So arrays in memory and lazy
ones in chunks of any size have the same sums to the bit, and only a few blocks of a lazy array are held.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr

Rows: TypeAlias = Any
"""An array ``(n, ...)``, of numpy or of dask."""

BLOCK = 2**20
"""Numbers in a block: 8 MiB, which fit in a processor's cache."""
HELD = 2**25
"""Bytes up to which a lazy array is loaded, rather than read several times."""
MOST_WEIGHTS = 2**28
"""Bytes up to which the weights of arms are a dense array: 8,192 contrasts of as many arms."""

_EXTREMES: dict[str, tuple[Any, Any]] = {}
"""Name of a lazy array -> its extremes, while the array exists (dask names identify what is computed)."""


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
    rows: Rows, function: Callable[..., Any], *, extremes: tuple[Any, Any] | None = None, **given: Any
) -> Rows:
    """Return ``function(rows, **given)``, lazily for a lazy array; the function keeps the numbers of rows and dims.

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
    found = rows.map_blocks(function, dtype=one.dtype, chunks=chunks, meta=one[:0], **given)
    if extremes is not None:
        remember_extremes(found, *extremes)
    return found


def in_memory(dataset: xr.Dataset, *, but: str | None = None) -> xr.Dataset:
    """Load the lazy variables of a Dataset, except those along the dim `but` and the weights of very many arms.

    Examples
    --------
    >>> import xarray as xr
    >>> in_memory(xr.Dataset({"ace": ("contrast", [1.0])}))["ace"].item()
    1.0
    """
    lazy = {name: v for name, v in dataset.variables.items() if is_lazy(v) and but not in v.dims}
    waiting = [name for name, v in lazy.items() if name != "weight" or v.nbytes <= MOST_WEIGHTS]
    return dataset.assign(dataset[waiting].compute().variables) if waiting else dataset


def row_blocks(rows: Rows, width: int = 1) -> Iterator[npt.NDArray[Any]]:
    """Yield blocks of whole rows, about a million numbers each; each row of a lazy array is read once.

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
        yield from (np.ascontiguousarray(rows[start : start + size]) for start in range(0, len(rows), size))
        return
    waiting: list[npt.NDArray[Any]] = []
    for part in _windows(rows, size):
        waiting.append(part)
        if sum(map(len, waiting)) < size:
            continue
        whole = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        cut = len(whole) - len(whole) % size
        yield from (np.ascontiguousarray(whole[start : start + size]) for start in range(0, cut, size))
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
    """Return the smallest and the largest value of each column, ``(...)`` each, cached for lazy arrays.

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


def _blocks_with_extremes(rows: Rows) -> Iterator[npt.NDArray[Any]]:
    """Yield the blocks of a lazy array, and cache its extremes at the end."""
    low = high = None
    for block in row_blocks(rows):
        least, most = block.min(axis=0), block.max(axis=0)
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
        yield block
    remember_extremes(rows, low, high)


def first_where(rows: Rows, test: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]) -> tuple[Any, tuple[int, ...]]:
    """Return the first number, in the order of the rows, for which a test of blocks is true, and its indices.

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
    blocks = _blocks_with_extremes(rows) if is_lazy(rows) and rows.name not in _EXTREMES else row_blocks(rows)
    return np.asarray(sum_in_order((block - first).sum(axis=0, keepdims=True) for block in blocks) / len(rows))


def shifted_rows(rows: Rows, *, first: Array, shift: Array, scale: float = 1.0) -> Array:
    """Return ``((row - first) - shift) * scale``, in float64.

    Examples
    --------
    >>> shifted_rows(np.array([[5.0], [9.0]]), first=np.array([[5.0]]), shift=np.array([[2.0]]))
    array([[-2.],
           [ 2.]])
    """
    out = np.asarray(rows, dtype=np.float64) - first
    out -= shift
    if scale != 1.0:
        out *= scale
    return out


@dataclass(frozen=True)
class ColumnMoments:
    """Mean and central moments of the columns of n rows; every array but the first two has the shape of a row.

    Attributes
    ----------
    n
        Number of rows.
    first, shift
        First row, and the mean less it, shape ``(1, ...)``.
    peak
        Largest distance from the mean.
    squares, cubes
        Sums over rows of squares and cubes of ``(row - mean) / peak``, 0 where the peak is 0.
    largest
        Largest absolute value.
    """

    n: int
    first: Array
    shift: Array
    peak: Array
    squares: Array
    cubes: Array
    largest: Array

    @property
    def mean(self) -> Array:
        """Mean of each column."""
        mean: Array = (self.first + self.shift)[0]
        return mean

    @property
    def sd(self) -> Array:
        """Standard deviation of each column, over n - 1."""
        return np.asarray(self.peak * np.sqrt(self.squares / (self.n - 1)))[()]

    @property
    def skewness(self) -> Array:
        """``m3 / m2^1.5`` of each column, 0 where it does not vary."""
        spread = (self.squares / self.n) ** 1.5
        return np.asarray(np.divide(self.cubes / self.n, spread, out=np.zeros_like(spread), where=spread > 0))[()]

    @property
    def leverage(self) -> Array:
        """Share in the sum of squares of the row farthest from the mean, 0 where a column does not vary."""
        return np.asarray(np.divide(1.0, self.squares, out=np.zeros_like(self.squares), where=self.squares > 0))[()]


def column_moments(rows: Rows) -> ColumnMoments:
    """Return mean, extremes and central moments of each column, by two passes over the rows.

    Rows are shifted by the first, so that an offset costs no digits and moments of a constant column are exactly 0, and
    divided by the peak before they are squared, so that nothing overflows.

    Parameters
    ----------
    rows
        Shape ``(n, ...)``, in memory or lazy.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115.

    Examples
    --------
    >>> found = column_moments(np.array([[1.0], [2.0], [4.0], [9.0]]))
    >>> found.mean, found.sd.round(4), found.skewness.round(4)
    (array([4.]), array([3.559]), array([0.7684]))
    """
    first = first_row(rows)
    shift = mean_from(rows, first)
    least, most = extremes(rows)
    low, high = (shifted_rows(end[None], first=first, shift=shift)[0] for end in (least, most))
    peak = np.maximum(high, -low)
    size = np.where(peak > 0, peak, 1.0)
    sums = sum_in_order(_power_sums(shifted_rows(block, first=first, shift=shift), size) for block in row_blocks(rows))
    largest = np.maximum(np.asarray(most), -np.asarray(least))
    return ColumnMoments(len(rows), first, shift, peak, sums[0], sums[1], largest)


def _power_sums(away: Array, size: Array) -> Array:
    """Return sums over rows of squares and cubes of ``away / size``, shape ``(2, ...)``."""
    away /= size
    power = away * away
    squares = power.sum(axis=0)
    power *= away
    return np.stack([squares, power.sum(axis=0)])
