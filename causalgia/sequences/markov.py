"""Markov chains over the four letters: fitted by maximum likelihood, sampled exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.compiled import njit
from causalgia.errors import SequenceError
from causalgia.sequences.random import next_word, unit_state
from causalgia.sequences.sampler_arguments import as_key, as_length, as_probabilities, as_tokens, as_units, upper_edges
from causalgia.sequences.threads import over_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MarkovChain", "fit_markov", "sample_markov"]

_LANES = 8
_HIGHEST_ORDER = 11  # 4**11 contexts of four float64: 128 MiB
_11 = np.uint64(11)


@dataclass(frozen=True, eq=False)
class MarkovChain:
    """A Markov chain over the four letters: probabilities of starting contexts, and of the next letter.

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


@njit(nogil=True)
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
    contexts = 4**chain.order
    transition = as_probabilities(chain.transition, "the transition", shape=(contexts, 4))
    initial = as_probabilities(np.atleast_2d(chain.initial), "the initial distribution", shape=(1, contexts))
    below, start_below = upper_edges(transition), upper_edges(initial)[0]
    out = np.empty((ids.size, as_length(length)), np.uint8)
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


def fit_markov(tokens: ArrayLike, order: int) -> MarkovChain:
    """Return the maximum-likelihood Markov chain of some sequences.

    A transition row is the share of each letter after that context: n(context, letter) / n(context followed by any).
    A context that is never followed by a letter gets the marginal shares of the letters. Starting contexts have the
    shares of all windows of `order` letters, at every position of the sequences. Since sequences have ends, the chain
    is not stationary in general: shares in the samples can change along the sequence, most if the parents are few and
    short.

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
