"""Exact samplers of background sequences: uniform, profile, Markov chain, and the mononucleotide shuffle.

Every sampler takes the key of its purpose and the ids of its units, and gives one row of tokens (uint8, 0-3 = A, C, G,
T) per unit. A row is a function of (key, unit, model) alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from causalgia.errors import SequenceError
from causalgia.sequences.random import as_key, as_units, half_bounded, next_word, unit_state
from causalgia.sequences.threads import over_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MarkovChain",
    "fit_markov",
    "fit_profile",
    "sample_markov",
    "sample_profile",
    "sample_uniform",
    "shuffle",
]

_LANES = 8
_HIGHEST_ORDER = 11  # 4**11 contexts of four float64: 128 MiB
_ROW_SUM_TOLERANCE = 1e-6
_1, _2, _3, _11 = (np.uint64(i) for i in (1, 2, 3, 11))


@dataclass(frozen=True, eq=False)
class MarkovChain:
    """A stationary-start Markov chain over the four letters.

    Attributes
    ----------
    order
        Letters of context, 0 or more.
    initial
        Probability of each starting context, one per word of `order` letters in alphabetical order (the first
        letter is the most significant); the single value 1 at order 0.
    transition
        Probability of the next letter, one row of A, C, G, T per context.
    """

    order: int
    initial: NDArray[np.float64]
    transition: NDArray[np.float64]


@njit(nogil=True, cache=True)
def _uniform(key: Any, units: Any, out: Any) -> None:
    for i in range(units.size):
        state = unit_state(key, units[i])
        for start in range(0, out.shape[1], 32):
            state, word = next_word(state)
            for j in range(start, min(start + 32, out.shape[1])):
                out[i, j] = word & _3
                word >>= _2


@njit(nogil=True, cache=True)
def _profile(key: Any, units: Any, below: Any, out: Any) -> None:
    for i in range(units.size):
        state = unit_state(key, units[i])
        for j in range(out.shape[1]):
            state, word = next_word(state)
            word >>= _11
            out[i, j] = (word >= below[0, j]) + (word >= below[1, j]) + (word >= below[2, j])


@njit(nogil=True, cache=True)
def _markov(key: Any, units: Any, order: Any, start_below: Any, below: Any, out: Any) -> None:
    states, contexts = np.empty(_LANES, np.uint64), np.empty(_LANES, np.int64)
    length, mask = out.shape[1], below.shape[0] - 1
    head = min(order, length)
    for first in range(0, units.size, _LANES):
        n_lanes = min(_LANES, units.size - first)
        for lane in range(n_lanes):
            state, word = next_word(unit_state(key, units[first + lane]))
            context = np.searchsorted(start_below, word >> _11, side="right")
            states[lane], contexts[lane] = state, context
            for j in range(head):
                out[first + lane, j] = context >> (2 * (order - 1 - j)) & 3
        for j in range(head, length):
            for lane in range(n_lanes):
                state, word = next_word(states[lane])
                word >>= _11
                row = below[contexts[lane]]
                letter = np.int64(word >= row[0]) + np.int64(word >= row[1]) + np.int64(word >= row[2])
                states[lane], contexts[lane] = state, (contexts[lane] << 2 | letter) & mask
                out[first + lane, j] = letter


@njit(nogil=True, cache=True)
def _shuffle(key: Any, units: Any, tokens: Any, parents: Any, out: Any) -> None:
    for i in range(units.size):
        row, parent = out[i], parents[i]
        for j in range(row.size):
            row[j] = tokens[parent, j]
        state = unit_state(key, units[i])
        for last in range(row.size - 1, 0, -1):
            state, j = half_bounded(state, np.uint64(last + 1))
            row[last], row[j] = row[j], row[last]


def as_tokens(tokens: ArrayLike) -> NDArray[np.uint8]:
    """Return tokens as the kernels take them: uint8 0-3, one row per sequence, contiguous.

    Raises
    ------
    SequenceError
        If there is no row or no column, or a token is not 0, 1, 2 or 3.
    """
    rows = np.asarray(tokens)
    if rows.ndim != 2 or rows.dtype.kind not in "iu" or rows.size == 0:
        msg = f"tokens are integers 0-3 of shape (n_sequences, length), not {rows.dtype} of shape {rows.shape}"
        raise SequenceError(msg)
    if rows.max() > 3 or rows.min() < 0:
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
    return np.ascontiguousarray(rows, dtype=np.int64)


def _as_length(length: int) -> int:
    if length < 1:
        msg = f"length {length}: a sequence has at least one letter"
        raise SequenceError(msg)
    return int(length)


def _as_probabilities(rows: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return rows of probabilities that sum to 1, refusing others by row."""
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        msg = f"{what} has shape {values.shape}; it is (rows, letters) with at least one row"
        raise SequenceError(msg)
    wrong = ~(np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1))
    wrong |= ~(np.abs(values.sum(axis=1) - 1) <= _ROW_SUM_TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        msg = f"row {row} of {what} is {values[row].tolist()}: probabilities are at least 0 and sum to 1"
        raise SequenceError(msg)
    return values


def _upper_edges(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return where each letter but the last ends on the scale of 53-bit words.

    A letter of probability zero has an empty range: the edges after the last possible letter are 2^53, past every
    word.
    """
    running = np.cumsum(probabilities, axis=1)
    share = running / running[:, -1:]
    width = probabilities.shape[1]
    last_possible = width - 1 - np.argmax(probabilities[:, ::-1] > 0, axis=1)
    share[np.arange(width) >= last_possible[:, None]] = 1.0
    return np.rint(share[:, :-1] * 2.0**53).astype(np.uint64)


def sample_uniform(key: int, units: ArrayLike, length: int, *, threads: int | None = None) -> NDArray[np.uint8]:
    """Return sequences of independent letters, each A, C, G or T with probability 1/4.

    Parameters
    ----------
    key
        64-bit key of the purpose, from `causalgia.streams`.
    units
        Ids of the units, non-negative integers, one axis.
    length
        Letters in each sequence.
    threads
        Threads at most; all available cores by default. The sequences do not depend on it.

    Returns
    -------
    tokens
        One row per unit, `length` columns, values 0-3.

    Raises
    ------
    SequenceError
        If the length is below 1, or a unit or the key is not one.

    Examples
    --------
    >>> sample_uniform(7, np.arange(1_000), 41).shape
    (1000, 41)
    """
    ids, word_key = as_units(units), as_key(key)
    out = np.empty((ids.size, _as_length(length)), np.uint8)
    over_rows(lambda rows: _uniform(word_key, ids[rows], out[rows]), ids.size, length, threads=threads)
    return out


def sample_profile(key: int, units: ArrayLike, profile: ArrayLike, *, threads: int | None = None) -> NDArray[np.uint8]:
    """Return sequences of independent letters, position j from row j of a profile.

    The inverse distribution function of a 53-bit uniform; a letter of probability zero is never drawn.

    Parameters
    ----------
    key, units, threads
        As in `sample_uniform`.
    profile
        Probabilities of A, C, G, T, one row per position, each row summing to 1.

    Returns
    -------
    tokens
        One row per unit, one column per row of the profile, values 0-3.

    Raises
    ------
    SequenceError
        If a row of the profile is not a distribution; it is named.

    Examples
    --------
    >>> sample_profile(7, [0], [[0, 1, 0, 0], [0, 0, 0.0, 1]]).tolist()
    [[1, 3]]
    """
    ids, word_key = as_units(units), as_key(key)
    rows_of_four = _four_letters(_as_probabilities(profile, "the profile"), "the profile")
    below = np.ascontiguousarray(_upper_edges(rows_of_four).T)
    out = np.empty((ids.size, below.shape[1]), np.uint8)
    over_rows(lambda rows: _profile(word_key, ids[rows], below, out[rows]), ids.size, out.shape[1], threads=threads)
    return out


def _four_letters(rows: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    if rows.shape[1] != 4:
        msg = f"{what} has shape {rows.shape}; it has one column for each of A, C, G, T"
        raise SequenceError(msg)
    return rows


def sample_markov(
    key: int, units: ArrayLike, chain: MarkovChain, length: int, *, threads: int | None = None
) -> NDArray[np.uint8]:
    """Return sequences of a Markov chain: a context from `chain.initial`, then letter after letter.

    Parameters
    ----------
    key, units, length, threads
        As in `sample_uniform`. A length below the order gives the first letters of a starting context.
    chain
        The chain, from `fit_markov` or your own.

    Returns
    -------
    tokens
        One row per unit, `length` columns, values 0-3.

    Raises
    ------
    SequenceError
        If the chain's arrays do not fit its order, or a row is not a distribution.

    Examples
    --------
    >>> chain = MarkovChain(1, np.array([1.0, 0, 0, 0]), np.eye(4)[[1, 2, 3, 0]])
    >>> sample_markov(7, [0], chain, 6).tolist()
    [[0, 1, 2, 3, 0, 1]]
    """
    ids, word_key = as_units(units), as_key(key)
    _check_order(chain.order)
    transition = _four_letters(_as_probabilities(chain.transition, "the transition"), "the transition")
    initial = _as_probabilities(np.atleast_2d(chain.initial), "the initial distribution")
    if transition.shape[0] != 4**chain.order or initial.shape != (1, 4**chain.order):
        n = 4**chain.order
        msg = f"order {chain.order} has {n} contexts, not {transition.shape[0]} rows and {initial.shape[1]} starts"
        raise SequenceError(msg)
    below, start_below = _upper_edges(transition), _upper_edges(initial)[0]
    out = np.empty((ids.size, _as_length(length)), np.uint8)
    over_rows(
        lambda rows: _markov(word_key, ids[rows], chain.order, start_below, below, out[rows]),
        ids.size,
        length,
        threads=threads,
    )
    return out


def _check_order(order: int) -> None:
    if not 0 <= order <= _HIGHEST_ORDER:
        msg = f"order {order}: a Markov chain here has 0 to {_HIGHEST_ORDER} letters of context (4**order rows)"
        raise SequenceError(msg)


def fit_profile(tokens: ArrayLike) -> NDArray[np.float64]:
    """Return the share of A, C, G, T at each position: the maximum-likelihood profile.

    Parameters
    ----------
    tokens
        Sequences, one row each, values 0-3.

    Returns
    -------
    profile
        One row of four probabilities per position.

    Raises
    ------
    SequenceError
        If there is no sequence, or a token is not 0-3.

    Examples
    --------
    >>> fit_profile(np.array([[0, 3], [1, 3]])).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    rows = as_tokens(tokens)
    return np.stack([(rows == letter).mean(axis=0) for letter in range(4)], axis=1)


def fit_markov(tokens: ArrayLike, order: int) -> MarkovChain:
    """Return the maximum-likelihood Markov chain of some sequences.

    A transition row is the share of each letter after that context. The starting context has the shares of all
    windows, wherever they lie, so that a sampled sequence looks the same at every position. A context that no letter
    ever follows gets the marginal shares of the letters.

    Parameters
    ----------
    tokens
        Sequences, one row each, values 0-3.
    order
        Letters of context; 0 gives independent letters.

    Returns
    -------
    chain
        The chain, with 4**order contexts.

    Raises
    ------
    SequenceError
        If the sequences are not longer than the order, or the order is out of range.

    Examples
    --------
    >>> fit_markov(np.array([[0, 1, 0, 1, 0]]), 1).transition[:2].tolist()
    [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    rows = as_tokens(tokens)
    _check_order(order)
    if rows.shape[1] <= order:
        msg = f"sequences of {rows.shape[1]} letters are not longer than order {order}; lower the order"
        raise SequenceError(msg)
    context = np.zeros((rows.shape[0], rows.shape[1] - order + 1), np.int64)
    for j in range(order):
        context = context << 2 | rows[:, j : j + context.shape[1]]
    starts = np.bincount(context.ravel(), minlength=4**order)
    followed = context[:, :-1] << 2 | rows[:, order:]
    counts = np.bincount(followed.ravel(), minlength=4 ** (order + 1)).reshape(-1, 4)
    total = counts.sum(axis=1, keepdims=True)
    marginal = np.bincount(rows.ravel(), minlength=4) / rows.size
    transition = np.where(total > 0, counts / np.maximum(total, 1), marginal)
    return MarkovChain(order, starts / starts.sum(), transition)


def shuffle(
    key: int,
    units: ArrayLike,
    tokens: ArrayLike,
    *,
    parent: ArrayLike | None = None,
    threads: int | None = None,
) -> NDArray[np.uint8]:
    """Return a uniform permutation of the letters of each unit's parent (Fisher-Yates).

    Parameters
    ----------
    key, units, threads
        As in `sample_uniform`.
    tokens
        Parents, one row each, values 0-3.
    parent
        Row of each unit's parent; row i for unit number i by default.

    Returns
    -------
    shuffled
        One row per unit, with the letter counts of its parent.

    Raises
    ------
    SequenceError
        If a token is not 0-3, or a parent is not a row.

    References
    ----------
    Durstenfeld (1964) Algorithm 235: Random permutation. doi:10.1145/364520.364540

    Examples
    --------
    >>> rows = shuffle(7, np.arange(5), [[0, 0, 1, 2]], parent=np.zeros(5, int))
    >>> np.sort(rows).tolist() == [[0, 0, 1, 2]] * 5
    True
    """
    ids, word_key, rows = as_units(units), as_key(key), as_tokens(tokens)
    parents = as_parents(parent, ids.size, rows.shape[0])
    out = np.empty((ids.size, rows.shape[1]), np.uint8)
    over_rows(
        lambda part: _shuffle(word_key, ids[part], rows, parents[part], out[part]),
        ids.size,
        rows.shape[1],
        threads=threads,
    )
    return out
