"""Random words for each unit: counter-based SplitMix64, with exact bounded integers.

Draw number `c` of unit `u` under `key` is a function of (key, u, c) alone, so a unit's
draws do not depend on other units, on their order, on the batch or on the number of
threads. The arguments of all samplers are validated here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.compiled import njit
from causalgia.errors import SequenceError, quoted
from causalgia.numerics.row_blocks import INNER_BLOCK
from causalgia.workers.clusters import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

STEP = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio
# the step's mix: Stafford's variant 13
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
# sqrt(2): unit 0 under key 0 does not start at the fixed point 0
_START = np.uint64(0x6A09E667F3BCC909)
# the start's mix: MurmurHash3
_START_1, _START_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
LOW = np.uint64(0xFFFFFFFF)
LETTERS_A_WORD = 32
"""Letters of two bits in a word of 64 bits."""
_0, _1, _27, _30, _31, _32, _33 = (np.uint64(i) for i in (0, 1, 27, 30, 31, 32, 33))


@njit(inline="always")
def mix(z: Any) -> Any:
    """Return the SplitMix64 output of a counter value: a bijection of 64-bit words."""
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@njit(forceinline=True)
def _scatter(z: Any) -> Any:
    z = (z ^ (z >> _33)) * _START_1
    z = (z ^ (z >> _33)) * _START_2
    return z ^ (z >> _33)


@njit(forceinline=True)
def unit_state(key: Any, unit: Any) -> Any:
    """Return the initial state of the stream of `unit` under `key`; units of a key have
    different states.
    """
    return _scatter(_scatter(unit + _START) ^ key)


@njit(inline="always")
def next_word(state: Any) -> Any:
    """Return (the advanced state, a uniform 64-bit word)."""
    state += STEP
    return state, mix(state)


@njit(forceinline=True)
def half_bounded(state: Any, bound: Any) -> Any:
    """Return (state, an exact uniform integer in [0, bound)) for a bound below 2^32; 0
    for bound 0 or 1.
    """
    state, word = next_word(state)
    product = (word >> _32) * bound
    if product & LOW < bound:
        while product & LOW < (_1 << _32) % bound:
            state, word = next_word(state)
            product = (word >> _32) * bound
    return state, product >> _32


@njit(forceinline=True)
def product_words(a: Any, b: Any) -> Any:
    """Return the high and the low word of the 128-bit product."""
    low, middle, cross = (
        (a & LOW) * (b & LOW),
        (a >> _32) * (b & LOW),
        (a & LOW) * (b >> _32),
    )
    carry = (low >> _32) + (middle & LOW) + (cross & LOW)
    return (a >> _32) * (b >> _32) + (middle >> _32) + (cross >> _32) + (
        carry >> _32
    ), a * b


@njit(forceinline=True)
def bounded(state: Any, bound: Any) -> Any:
    """Return (state, an exact uniform integer in [0, bound)) for any 64-bit bound
    above 0.
    """
    state, word = next_word(state)
    high, low = product_words(word, bound)
    if low < bound:
        threshold = (_0 - bound) % bound
        while low < threshold:
            state, word = next_word(state)
            high, low = product_words(word, bound)
    return state, high


def unit_states(key: np.uint64, units: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the initial state of each unit's stream, (n,), as `unit_state` does for
    one.
    """
    scatter = _scatter.py_func
    states: NDArray[np.uint64] = scatter(scatter(units + _START) ^ key)
    return states


def words_from(states: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """Return the next n words of each stream, (states, n), as `next_word` does one by
    one.
    """
    words: NDArray[np.uint64] = mix.py_func(
        states[:, None] + STEP * np.arange(1, n + 1, dtype=np.uint64)
    )
    return words


@njit(nogil=True)
def _integers(key: Any, units: Any, bounds: Any, out: Any) -> None:
    for i in range(units.size):
        state = unit_state(key, units[i])
        for j in range(bounds.size):
            state, value = bounded(state, bounds[j])
            out[i, j] = value


def random_words(
    key: int, units: ArrayLike, n: int, *, threads: int | None = None
) -> NDArray[np.uint64]:
    """Return the first `n` 64-bit words of each unit's stream.

    Parameters
    ----------
    key
        64-bit key of the purpose, from `causalgia.streams`.
    units
        Ids of the units, non-negative integers, one axis.
    n
        Words for each unit.
    threads
        Threads at most; all available cores by default. The words do not depend on it.

    Returns
    -------
    words
        One row per unit, `n` columns.

    References
    ----------
    Steele, Lea, Flood (2014) Fast splittable pseudorandom number generators.
    doi:10.1145/2660193.2660195

    Examples
    --------
    >>> words = random_words(7, np.arange(3), 2)
    >>> bool((words[1] == random_words(7, [1], 2)[0]).all())
    True
    """
    ids, word_key = as_units(units), as_key(key)
    out = np.empty((ids.size, n), np.uint64)

    def write(rows: slice) -> None:
        step = max(1, INNER_BLOCK // max(n, 1))
        for start in range(rows.start, rows.stop, step):
            some = slice(start, min(start + step, rows.stop))
            out[some] = words_from(unit_states(word_key, ids[some]), n)

    over_rows(write, ids.size, n, threads=threads)
    return out


def random_integers(
    key: int, units: ArrayLike, bounds: ArrayLike, *, threads: int | None = None
) -> NDArray[np.int64]:
    """Return exactly uniform integers: column j of each unit is uniform on 0, ...,
    bounds[j] - 1.

    Words that would favor some values are rejected (Lemire), so there is no bias for
    any bound.

    Parameters
    ----------
    key, units, threads
        As in `random_words`.
    bounds
        Positive integers below 2^63, one per column.

    Returns
    -------
    integers
        One row per unit, one column per bound.

    Raises
    ------
    SequenceError
        If a bound is not a positive integer.

    References
    ----------
    Lemire (2019) Fast random integer generation in an interval. doi:10.1145/3230636

    Examples
    --------
    >>> dice = random_integers(7, np.arange(1_000), [6, 20])
    >>> dice.min(axis=0).tolist(), dice.max(axis=0).tolist()
    ([0, 0], [5, 19])
    """
    ids, word_key, limits = as_units(units), as_key(key), np.asarray(bounds)
    if limits.ndim != 1 or (
        limits.size and (limits.dtype.kind not in "iu" or limits.min() < 1)
    ):
        msg = (
            f"bounds are positive integers on one axis, not {quoted(bounds)}; for "
            "example [6, 20]"
        )
        raise SequenceError(msg)
    if limits.size and int(limits.max()) >= 2**63:
        msg = (
            f"bound {limits.max()} does not fit a 64-bit integer; bounds are below "
            "2**63"
        )
        raise SequenceError(msg)
    out = np.empty((ids.size, limits.size), np.int64)
    ceilings = limits.astype(np.uint64)
    over_rows(
        lambda rows: _integers(word_key, ids[rows], ceilings, out[rows]),
        ids.size,
        limits.size,
        threads=threads,
    )
    return out


@njit(nogil=True)
def _below(key: Any, units: Any, bounds: Any, out: Any) -> None:
    for i in range(units.size):
        _, drawn = bounded(unit_state(key, units[i]), bounds[i])
        out[i] = drawn


def random_below(key: int, units: ArrayLike, bounds: ArrayLike) -> NDArray[np.int64]:
    """Return one exactly uniform integer for each unit, on 0, ..., bounds[i] - 1 for
    unit i.

    Parameters
    ----------
    key, units
        As in `random_words`.
    bounds
        Positive integers below 2^63, one per unit.

    Returns
    -------
    integers
        One per unit.

    Examples
    --------
    >>> bool(
    ...     (random_below(7, np.arange(100), np.arange(1, 101)) <= np.arange(100)).all()
    ... )
    True
    """
    ids = as_units(units)
    out = np.empty(ids.size, np.int64)
    _below(as_key(key), ids, np.asarray(bounds, np.uint64), out)
    return out


_ROW_SUM_TOLERANCE = 1e-6


def as_key(key: int) -> np.uint64:
    """Return `key` as uint64; SequenceError unless it is a 64-bit key."""
    if not 0 <= int(key) < 2**64:
        msg = (
            f"key {key} is not a 64-bit key; make one with "
            "causalgia.streams.root_key(rng)"
        )
        raise SequenceError(msg)
    return np.uint64(key)


def as_units(units: ArrayLike) -> NDArray[np.uint64]:
    """Return unit ids as a contiguous uint64 vector."""
    ids = np.asarray(units)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        msg = (
            f"units are integer ids on one axis, not {ids.dtype} of shape {ids.shape}; "
            "for example np.arange(100)"
        )
        raise SequenceError(msg)
    if ids.dtype.kind == "i" and ids.size and ids.min() < 0:
        msg = f"unit {ids.min()} is negative; unit ids start at 0"
        raise SequenceError(msg)
    # always a copy: kernels would be compiled again for a read-only array
    return np.array(ids, dtype=np.uint64)


def as_tokens(tokens: ArrayLike) -> NDArray[np.uint8]:
    """Return tokens as a contiguous uint8 array of 0-3, one row per sequence.

    Raises
    ------
    SequenceError
        If there is no row or no column, or a token is not 0, 1, 2 or 3.
    """
    rows = np.asarray(tokens)
    if rows.ndim != 2 or rows.dtype.kind not in "iu" or rows.size == 0:
        msg = (
            f"tokens are integers 0-3 of shape (n_sequences, length), not {rows.dtype} "
            f"of shape {rows.shape}"
        )
        raise SequenceError(msg)
    if rows.max() > 3 or (rows.dtype.kind == "i" and rows.min() < 0):
        row, position = np.argwhere((rows > 3) | (rows < 0))[0].tolist()
        msg = (
            f"sequence {row} has token {rows[row, position]} at {position}; tokens are "
            "0-3 = A, C, G, T"
        )
        raise SequenceError(msg)
    return np.ascontiguousarray(rows, dtype=np.uint8)


def as_parents(
    parent: ArrayLike | None, n_units: int, n_parents: int
) -> NDArray[np.int64]:
    """Return the row of each unit's parent; None stands for row i of unit i.

    Raises
    ------
    SequenceError
        If there is not one parent per unit, or a parent is not a row.
    """
    rows = np.arange(n_units) if parent is None else np.asarray(parent)
    if parent is None and n_units != n_parents:
        msg = (
            f"{n_units} units but {n_parents} sequences; give parent=, the row of "
            "each unit"
        )
        raise SequenceError(msg)
    if rows.shape != (n_units,) or (n_units and rows.dtype.kind not in "iu"):
        msg = (
            f"parent has one row number for each of the {n_units} units, not "
            f"{rows.dtype} of shape {rows.shape}"
        )
        raise SequenceError(msg)
    if n_units and (rows.min() < 0 or rows.max() >= n_parents):
        unit = int(np.flatnonzero((rows < 0) | (rows >= n_parents))[0])
        msg = (
            f"the parent of unit number {unit} is row {rows[unit]}; the sequences have "
            f"rows 0 to {n_parents - 1}"
        )
        raise SequenceError(msg)
    return np.array(rows, dtype=np.int64)


def as_length(length: int) -> int:
    """Return a length of at least 1."""
    if length < 1:
        msg = f"length {length}: a sequence has at least one letter"
        raise SequenceError(msg)
    return int(length)


def as_probabilities(
    rows: ArrayLike, what: str, *, shape: tuple[int | None, int]
) -> NDArray[np.float64]:
    """Return rows of probabilities that sum to 1; SequenceError names the row. `rows`
    None means one or more.
    """
    values = np.asarray(rows, dtype=np.float64)
    n_rows, n_columns = shape
    if (
        values.ndim != 2
        or values.size == 0
        or values.shape != (n_rows or len(values), n_columns)
    ):
        msg = (
            f"{what} has shape {values.shape}; it has {n_rows or 'some'} rows of "
            f"{n_columns} probabilities"
        )
        raise SequenceError(msg)
    wrong = ~(np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1))
    wrong |= ~(np.abs(values.sum(axis=1) - 1) <= _ROW_SUM_TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        msg = (
            f"row {row} of {what} is {values[row].tolist()}: probabilities are at "
            "least 0 and sum to 1"
        )
        raise SequenceError(msg)
    return values


def upper_edges(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the upper edge of each letter but the last, on the scale of 53-bit words.

    A letter of probability zero has an empty range: the edges after the last possible
    letter are 2^53, above every word.
    """
    running = np.cumsum(probabilities, axis=1)
    share = running / running[:, -1:]
    width = probabilities.shape[1]
    last_possible = width - 1 - np.argmax(probabilities[:, ::-1] > 0, axis=1)
    share[np.arange(width) >= last_possible[:, None]] = 1.0
    return np.rint(share[:, :-1] * 2.0**53).astype(np.uint64)


_WORTH_A_THREAD = 1 << 17  # letters: a quarter of a millisecond of work


def over_rows(
    run: Callable[[slice], object], n_rows: int, width: int, *, threads: int | None
) -> None:
    """Call `run` on slices that cover the rows, on at most `threads` threads (None: all
    available cores).

    Raises
    ------
    SequenceError
        If `threads` is below 1.

    Examples
    --------
    >>> seen = []
    >>> over_rows(seen.append, 10, 4, threads=2)
    >>> seen
    [slice(0, 10, None)]
    """
    if threads is not None and threads < 1:
        msg = (
            f"threads={threads}: at least one thread does the work; leave it out "
            "to use every core"
        )
        raise SequenceError(msg)
    wanted = threads if threads is not None else available_cores()
    workers = max(1, min(wanted, n_rows * width // _WORTH_A_THREAD))
    chunk = max(1, -(-n_rows // workers))
    slices = [
        slice(start, min(start + chunk, n_rows)) for start in range(0, n_rows, chunk)
    ]
    if len(slices) < 2:
        for rows in slices:
            run(rows)
        return
    with ThreadPoolExecutor(len(slices) - 1) as pool:
        others = [pool.submit(run, rows) for rows in slices[1:]]
        run(slices[0])
        for other in others:
            other.result()
