"""Sequences that end on the (k-1)-mer they begin with: read as a circle, they may begin elsewhere.

Such a circuit has the same k-lets from wherever it is read. Of these readings, the ones that begin with a
rearrangement of the same (k-1)-mer also have the same letters, so they belong to the rearrangements that keep the
k-let counts. For k = 2 that is the first letter itself; from k = 3 on it can be another word (AC and CA in ACAGTAC).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.sequences.random import random_integers
from causalgia.streams import derive

Tokens = NDArray[np.uint8]


def beginnings(row: Tokens, k: int) -> NDArray[np.int64]:
    """Return the positions where the circle may be cut without a change in its letters or k-lets.

    Parameters
    ----------
    row
        One sequence (length,), length > k.
    k
        Letters of the words whose counts are kept, at least 2.

    Returns
    -------
    ndarray
        Positions in 0, ..., length - k; 0 alone where the sequence is no circuit. A shuffle that starts from the
        (k-1)-mer at a position drawn uniformly from these is uniform over all of them together, since the readings
        from a (k-1)-mer are as many as its exits times a constant (BEST theorem).

    Examples
    --------
    >>> beginnings(np.array([0, 1, 0, 2, 3, 0, 1], np.uint8), 3)
    array([0, 1])
    """
    if k < 3 or (row[: k - 1] != row[1 - k :]).any():
        return np.zeros(1, np.int64)
    words = np.lib.stride_tricks.sliding_window_view(row, k - 1)[:-1]
    return np.flatnonzero((np.sort(words, axis=1) == np.sort(row[: k - 1])).all(axis=1)).astype(np.int64)


def read_from(row: Tokens, start: int, k: int) -> Tokens:
    """Return the circuit (length,) as it reads from a position."""
    around = row.size - k + 1
    return row[(start + np.arange(row.size)) % around]


def turned(key: int, units: NDArray[np.uint64], tokens: Tokens, parent: NDArray[np.int64], k: int) -> Tokens | None:
    """Return each unit's parent read from a drawn beginning, (n, length); None where no parent has a choice."""
    choices = {int(p): beginnings(tokens[p], k) for p in np.unique(parent[_circuits(tokens, k)[parent]])}
    if all(len(starts) == 1 for starts in choices.values()):
        return None
    rows = tokens[parent]
    for p, starts in choices.items():
        mine = np.flatnonzero(parent == p)
        drawn = random_integers(derive(key, "beginning"), units[mine], np.array([len(starts)]))[:, 0]
        rows[mine] = np.stack([read_from(tokens[p], int(start), k) for start in starts])[drawn]
    return rows


def _circuits(tokens: Tokens, k: int) -> NDArray[np.bool_]:
    closed: NDArray[np.bool_] = (tokens[:, : k - 1] == tokens[:, 1 - k :]).all(axis=1)
    return closed & (k > 2)
