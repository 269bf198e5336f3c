"""Exact samplers of background sequences: uniform, profile, Markov chain, and the
mononucleotide shuffle.

Every sampler takes the key of its purpose and the ids of its units, and returns one row
of tokens (uint8, 0-3 = A, C, G, T) per unit. A row is a function of (key, unit, model)
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia import compiled
from causalgia.compiled import njit
from causalgia.errors import SequenceError
from causalgia.sequences.dinucleotide_shuffle import nanoseconds, shuffle_letters
from causalgia.sequences.random import (
    LETTERS_A_WORD,
    as_key,
    as_length,
    as_parents,
    as_probabilities,
    as_tokens,
    as_units,
    half_bounded,
    next_word,
    over_rows,
    unit_state,
    unit_states,
    upper_edges,
    words_from,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


_11 = np.uint64(11)
_WORDS_AT_ONCE = 1 << 12  # 128 KiB of letters
_SPREAD = [(24, 0x000000FF000000FF), (12, 0x000F000F000F000F), (6, 0x0303030303030303)]
"""Shifts and masks that spread the eight pairs of 16 bits, one pair to a byte."""


@njit(nogil=True)
def _sample_profile(key: Any, units: Any, below: Any, out: Any) -> None:
    for i in range(units.size):
        state = unit_state(key, units[i])
        for j in range(out.shape[1]):
            state, word = next_word(state)
            word >>= _11
            out[i, j] = (
                (word >= below[0, j]) + (word >= below[1, j]) + (word >= below[2, j])
            )


@njit(nogil=True)
def _shuffle(key: Any, units: Any, tokens: Any, parents: Any, out: Any) -> None:
    for i in range(units.size):
        row, parent = out[i], parents[i]
        for j in range(row.size):
            row[j] = tokens[parent, j]
        state = unit_state(key, units[i])
        for last in range(row.size - 1, 0, -1):
            state, j = half_bounded(state, np.uint64(last + 1))
            row[last], row[j] = row[j], row[last]


def _letters_of(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the 32 letters of each word, the lowest bits first, (n, 32 words)."""
    eights = words.astype("<u8", copy=False).view("<u2").astype("<u8")
    for shift, mask in _SPREAD:
        eights |= eights << np.uint64(shift)
        eights &= np.uint64(mask)
    return eights.view(np.uint8)


def sample_uniform(
    key: int, units: ArrayLike, length: int, *, threads: int | None = None
) -> NDArray[np.uint8]:
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
        Threads at most; all available cores by default. The sequences do not depend on
        it.

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
    out = np.empty((ids.size, as_length(length)), np.uint8)
    n_words = -(-length // LETTERS_A_WORD)

    def write(rows: slice) -> None:
        step = max(1, _WORDS_AT_ONCE // n_words)
        for start in range(rows.start, rows.stop, step):
            some = slice(start, min(start + step, rows.stop))
            out[some] = _letters_of(
                words_from(unit_states(word_key, ids[some]), n_words)
            )[:, :length]

    over_rows(write, ids.size, length, threads=threads)
    return out


def sample_profile(
    key: int, units: ArrayLike, profile: ArrayLike, *, threads: int | None = None
) -> NDArray[np.uint8]:
    """Return sequences of independent letters, position j from row j of a profile.

    The inverse distribution function of a 53-bit uniform; a letter of probability zero
    is never drawn.

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
    below = np.ascontiguousarray(
        upper_edges(as_probabilities(profile, "the profile", shape=(None, 4))).T
    )
    out = np.empty((ids.size, below.shape[1]), np.uint8)
    over_rows(
        lambda rows: _sample_profile(word_key, ids[rows], below, out[rows]),
        ids.size,
        out.shape[1],
        threads=threads,
    )
    return out


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
    length = rows.shape[1]
    if compiled.NUMPY_ALLOWANCE.covers(nanoseconds(ids.size, length)):
        out = rows[parents]
        if (doubt := shuffle_letters(word_key, ids, out)).any():
            drawn = np.empty((np.count_nonzero(doubt), length), np.uint8)
            _shuffle(word_key, ids[doubt], rows, parents[doubt], drawn)
            out[doubt] = drawn
        return out
    out = np.empty((ids.size, length), np.uint8)
    over_rows(
        lambda part: _shuffle(word_key, ids[part], rows, parents[part], out[part]),
        ids.size,
        length,
        threads=threads,
    )
    return out


__all__ = ["MarkovChain", "fit_markov", "sample_markov"]

_LANES = 8
_HIGHEST_ORDER = 11  # 4**11 contexts of four float64: 128 MiB


@dataclass(frozen=True, eq=False)
class MarkovChain:
    """A Markov chain over the four letters: probabilities of starting contexts, and of
    the next letter.

    Attributes
    ----------
    order
        Letters of context, 0 or more.
    initial
        Probability of each starting context, one per word of `order` letters in
        alphabetical order (the first letter is the most significant); the single value
        1 at order 0.
    transition
        Probability of the next letter, one row of A, C, G, T per context.
    """

    order: int
    initial: NDArray[np.float64]
    transition: NDArray[np.float64]


@njit(nogil=True)
def _markov(
    key: Any, units: Any, order: Any, start_below: Any, below: Any, out: Any
) -> None:
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
                letter = (
                    np.int64(word >= row[0])
                    + np.int64(word >= row[1])
                    + np.int64(word >= row[2])
                )
                states[lane], contexts[lane] = (
                    state,
                    (contexts[lane] << 2 | letter) & mask,
                )
                out[first + lane, j] = letter


def sample_markov(
    key: int,
    units: ArrayLike,
    chain: MarkovChain,
    length: int,
    *,
    threads: int | None = None,
) -> NDArray[np.uint8]:
    """Return sequences of a Markov chain: a context from `chain.initial`, then letter
    after letter.

    Parameters
    ----------
    key, units, length, threads
        As in `sample_uniform`. A length below the order gives the first letters of a
        starting context.
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
    contexts = 4**chain.order
    transition = as_probabilities(
        chain.transition, "the transition", shape=(contexts, 4)
    )
    initial = as_probabilities(
        np.atleast_2d(chain.initial), "the initial distribution", shape=(1, contexts)
    )
    below, start_below = upper_edges(transition), upper_edges(initial)[0]
    out = np.empty((ids.size, as_length(length)), np.uint8)
    over_rows(
        lambda rows: _markov(
            word_key, ids[rows], chain.order, start_below, below, out[rows]
        ),
        ids.size,
        length,
        threads=threads,
    )
    return out


def _check_order(order: int) -> None:
    if not 0 <= order <= _HIGHEST_ORDER:
        msg = (
            f"order {order}: a Markov chain here has 0 to {_HIGHEST_ORDER} letters of "
            "context (4**order rows)"
        )
        raise SequenceError(msg)


def fit_markov(tokens: ArrayLike, order: int) -> MarkovChain:
    """Return the maximum-likelihood Markov chain of some sequences.

    A transition row is the share of each letter after that context: n(context, letter)
    / n(context followed by any). A context that is never followed by a letter gets the
    marginal shares of the letters. Starting contexts have the shares of all windows of
    `order` letters, at every position of the sequences. Since sequences have ends, the
    chain is not stationary in general: shares in the samples can change along the
    sequence, most if the parents are few and short.

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
        msg = (
            f"sequences of {rows.shape[1]} letters are not longer than order {order}; "
            "lower the order"
        )
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
