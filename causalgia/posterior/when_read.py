"""Variables of a Dataset that are computed when they are read."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from causalgia.types import Array


def when_read(shape: tuple[int, ...], make: Callable[[], Array]) -> Any:
    """Return data of a variable that `make` computes, once, when they are first read:
    xarray treats them as numbers of a file that it has not read yet.

    Examples
    --------
    >>> import xarray as xr
    >>> late = xr.Variable("draw", when_read((3,), lambda: np.arange(3.0)))
    >>> late
    <xarray.Variable (draw: 3)> Size: 24B
    [3 values with dtype=float64]
    >>> float(late[1]), late.values
    (1.0, array([0., 1., 2.]))
    """
    data: Any = indexing.LazilyIndexedArray(_WhenRead(shape, make))
    cached: Any = indexing.MemoryCachedArray
    return cached(_CopyOnWrite(data))


class _WhenRead(BackendArray):
    """Numbers that are made once, whichever part of them is read first."""

    dtype = np.dtype(np.float64)

    def __init__(self, shape: tuple[int, ...], make: Callable[[], Array]) -> None:
        self.shape = shape
        self._make: Callable[[], Array] | None = make
        self._values: Array | None = None

    def __getitem__(self, key: Any, /) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: Any) -> Any:
        make = self._make
        if make is not None:
            self._values = make()
            self._make = None  # what they were made from is not kept
        assert self._values is not None
        return self._values[key]


class _CopyOnWrite(indexing.CopyOnWriteArray):
    """Its deep copy shares no numbers: xarray's is for data in a file."""

    __slots__ = ()

    def __deepcopy__(self, memo: Any) -> _CopyOnWrite:
        return type(self)(deepcopy(self.array, memo))
