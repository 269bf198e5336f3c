"""Sequences that end on the (k-1)-mer they begin with: read as a circle, they may begin elsewhere.

Such a circuit has the same k-lets from wherever it is read. Of these readings, the ones that begin with a
rearrangement of the same (k-1)-mer also have the same letters, so they belong to the rearrangements that keep the
k-let counts. For k = 2 that is the first letter itself; from k = 3 on it can be another word (AC and CA in ACAGTAC).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.sequences.random import random_below
from causalgia.streams import derive
from causalgia.types import Tokens


def beginnings(row: Tokens, k: int) -> NDArray[np.int64]:
    """Return the positions where the circle may be cut without a change in its letters or k-lets.

    Parameters
    ----------
    row
        One sequence (length,), length > k, that ends on the (k-1)-mer it begins with.
    k
        Letters of the words whose counts are kept, at least 2.

    Returns
    -------
    ndarray
        Positions in 0, ..., length - k. A shuffle that starts from the (k-1)-mer at a position drawn uniformly from
        these is uniform over all of them together, since the readings from a (k-1)-mer are as many as its exits
        times a constant (BEST theorem).

    Examples
    --------
    >>> beginnings(np.array([0, 1, 0, 2, 3, 0, 1], np.uint8), 3)
    array([0, 1])
    """
    return np.flatnonzero(_may_begin(row[None], k)[0]).astype(np.int64)


def turned(key: int, units: NDArray[np.uint64], tokens: Tokens, parent: NDArray[np.int64], k: int) -> Tokens | None:
    """Return each unit's parent read from a drawn beginning, (n, length); None where no parent has a choice."""
    if k < 3:
        return None
    used = np.unique(parent)
    circuits = used[(tokens[used, : k - 1] == tokens[used, 1 - k :]).all(axis=1)]
    if not circuits.size:
        return None
    rows = tokens[parent]
    of = np.searchsorted(circuits, parent).clip(max=circuits.size - 1)
    mine = np.flatnonzero(circuits[of] == parent)
    row, position = np.nonzero(_may_begin(tokens[circuits], k))
    first = np.searchsorted(row, np.arange(circuits.size + 1))
    drawn = random_below(derive(key, "beginning"), units[mine], np.diff(first)[of[mine]])
    start = position[first[of[mine]] + drawn]
    around = tokens.shape[1] - k + 1
    rows[mine] = np.take_along_axis(rows[mine], (start[:, None] + np.arange(tokens.shape[1])) % around, axis=1)
    return rows


def _may_begin(circuits: Tokens, k: int) -> NDArray[np.bool_]:
    """Return whether each circuit (n, length) may begin at each position, (n, length - k + 1)."""
    words = np.sort(np.lib.stride_tricks.sliding_window_view(circuits, k - 1, axis=1)[:, :-1], axis=2)
    alike: NDArray[np.bool_] = (words == words[:, :1]).all(axis=2)
    return alike
