"""Sums over rows of barcodes, by oligo or by element and arm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.types import Array, Ints


def group_sums(values: NDArray[Any], group: Ints, shape: tuple[int, ...]) -> Array:
    """Sum values, shape ``(B, ...)``, within groups 0 to G - 1 of their rows, to ``(*shape, ...)`` with G entries.

    Examples
    --------
    >>> group_sums(np.array([1.0, 2.0, 4.0]), np.array([1, 1, 0]), (2, 1)).ravel()
    array([4., 3.])
    """
    columns = values.reshape(len(values), -1)
    size = int(np.prod(shape))
    found = [np.bincount(group, column, size) for column in columns.T]
    return np.stack(found, axis=-1).reshape(*shape, *values.shape[1:]).astype(np.float64, copy=False)
