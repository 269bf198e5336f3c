"""Validation of the samplers' arguments, and conversion for their kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalgia.errors import SequenceError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ROW_SUM_TOLERANCE = 1e-6


def as_key(key: int) -> np.uint64:
    """Return `key` as uint64; SequenceError unless it is a 64-bit key."""
    if not 0 <= int(key) < 2**64:
        msg = f"key {key} is not a 64-bit key; make one with causalgia.streams.root_key(rng)"
        raise SequenceError(msg)
    return np.uint64(key)


def as_units(units: ArrayLike) -> NDArray[np.uint64]:
    """Return unit ids as a contiguous uint64 vector."""
    ids = np.asarray(units)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        msg = f"units are integer ids on one axis, not {ids.dtype} of shape {ids.shape}; for example np.arange(100)"
        raise SequenceError(msg)
    if ids.dtype.kind == "i" and ids.size and ids.min() < 0:
        msg = f"unit {ids.min()} is negative; unit ids start at 0"
        raise SequenceError(msg)
    return np.array(ids, dtype=np.uint64)  # always a copy: kernels would be compiled again for a read-only array


def as_tokens(tokens: ArrayLike) -> NDArray[np.uint8]:
    """Return tokens as a contiguous uint8 array of 0-3, one row per sequence.

    Raises
    ------
    SequenceError
        If there is no row or no column, or a token is not 0, 1, 2 or 3.
    """
    rows = np.asarray(tokens)
    if rows.ndim != 2 or rows.dtype.kind not in "iu" or rows.size == 0:
        msg = f"tokens are integers 0-3 of shape (n_sequences, length), not {rows.dtype} of shape {rows.shape}"
        raise SequenceError(msg)
    if rows.max() > 3 or (rows.dtype.kind == "i" and rows.min() < 0):
        row, position = np.argwhere((rows > 3) | (rows < 0))[0].tolist()
        msg = f"sequence {row} has token {rows[row, position]} at {position}; tokens are 0-3 = A, C, G, T"
        raise SequenceError(msg)
    return np.ascontiguousarray(rows, dtype=np.uint8)


def as_parents(parent: ArrayLike | None, n_units: int, n_parents: int) -> NDArray[np.int64]:
    """Return the row of each unit's parent; None stands for row i of unit i.

    Raises
    ------
    SequenceError
        If there is not one parent per unit, or a parent is not a row.
    """
    rows = np.arange(n_units) if parent is None else np.asarray(parent)
    if parent is None and n_units != n_parents:
        msg = f"{n_units} units but {n_parents} sequences; give parent=, the row of each unit"
        raise SequenceError(msg)
    if rows.shape != (n_units,) or (n_units and rows.dtype.kind not in "iu"):
        msg = f"parent has one row number for each of the {n_units} units, not {rows.dtype} of shape {rows.shape}"
        raise SequenceError(msg)
    if n_units and (rows.min() < 0 or rows.max() >= n_parents):
        unit = int(np.flatnonzero((rows < 0) | (rows >= n_parents))[0])
        msg = f"the parent of unit number {unit} is row {rows[unit]}; the sequences have rows 0 to {n_parents - 1}"
        raise SequenceError(msg)
    return np.array(rows, dtype=np.int64)


def as_length(length: int) -> int:
    """Return a length of at least 1."""
    if length < 1:
        msg = f"length {length}: a sequence has at least one letter"
        raise SequenceError(msg)
    return int(length)


def as_probabilities(rows: ArrayLike, what: str, *, shape: tuple[int | None, int]) -> NDArray[np.float64]:
    """Return rows of probabilities that sum to 1; SequenceError names the row. `rows` None means one or more."""
    values = np.asarray(rows, dtype=np.float64)
    n_rows, n_columns = shape
    if values.ndim != 2 or values.size == 0 or values.shape != (n_rows or len(values), n_columns):
        msg = f"{what} has shape {values.shape}; it has {n_rows or 'some'} rows of {n_columns} probabilities"
        raise SequenceError(msg)
    wrong = ~(np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1))
    wrong |= ~(np.abs(values.sum(axis=1) - 1) <= _ROW_SUM_TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        msg = f"row {row} of {what} is {values[row].tolist()}: probabilities are at least 0 and sum to 1"
        raise SequenceError(msg)
    return values


def upper_edges(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the upper edge of each letter but the last, on the scale of 53-bit words.

    A letter of probability zero has an empty range: the edges after the last possible letter are 2^53, above every
    word.
    """
    running = np.cumsum(probabilities, axis=1)
    share = running / running[:, -1:]
    width = probabilities.shape[1]
    last_possible = width - 1 - np.argmax(probabilities[:, ::-1] > 0, axis=1)
    share[np.arange(width) >= last_possible[:, None]] = 1.0
    return np.rint(share[:, :-1] * 2.0**53).astype(np.uint64)
