"""Mononucleotide and dinucleotide shuffles in numpy, equal to the compiled ones bit for bit.

They spare a process that shuffles little the seconds of compilation. Each numpy step advances all rows by one letter. A
row in which a draw may have to be rejected (one of 500,000 walks of 200 letters) is left to the compiled shuffle, which
draws it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalgia.sequences.composition import count_dinucleotides
from causalgia.sequences.dinucleotide_shuffle import FIELDS, FIELDS_AND_TOTAL, FLAGS, TREES
from causalgia.sequences.random import LOW, STEP, product_words, unit_states, words_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nanoseconds", "shuffle_letters", "shuffle_pairs_of"]

_2, _3, _15, _16, _32, _48, _63 = (np.uint64(i) for i in (2, 3, 15, 16, 32, 48, 63))
_A_STEP, _A_LETTER = 20_000, 75


def nanoseconds(n_rows: int, length: int) -> int:
    """Return the approximate time of a shuffle here: a step for each letter, however few the rows are."""
    return length * (_A_STEP + _A_LETTER * n_rows)


def shuffle_letters(key: np.uint64, units: NDArray[np.uint64], rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Shuffle the letters of each row in place (n, length); return which rows the compiled shuffle has to draw.

    Parameters
    ----------
    key, units
        As in `causalgia.sequences.samplers.shuffle`, one unit a row.
    rows
        Tokens, changed in place where the returned mask is False.
    """
    n, length = rows.shape
    bounds = np.arange(length, 1, -1, dtype=np.uint64)  # the last letter is exchanged first
    products = (words_from(unit_states(key, units), len(bounds)) >> _32) * bounds
    doubt = ((products & LOW) < bounds).any(axis=1)
    drawn = (products >> _32).astype(np.intp)
    each, shuffled = np.arange(n), rows.copy()
    for step, last in enumerate(range(length - 1, 0, -1)):
        there = shuffled[each, drawn[:, step]]
        shuffled[each, drawn[:, step]] = shuffled[:, last]
        shuffled[:, last] = there
    rows[~doubt] = shuffled[~doubt]
    return np.asarray(doubt)


def shuffle_pairs_of(
    key: np.uint64, units: NDArray[np.uint64], rows: NDArray[np.uint8], out: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Write the dinucleotide shuffle of each row (n, length); return which rows the compiled one has to draw.

    The urns and the packing of their counts are those of `causalgia.sequences.dinucleotide_shuffle`.
    """
    n, length = rows.shape
    each, root = np.arange(n), rows[:, -1].astype(np.int64)
    counts = count_dinucleotides(rows).astype(np.int64)
    states, last, doubt = _trees(counts, root, unit_states(key, units))
    urns, order = _urns(counts, root, last)
    words = words_from(states, length // 2)
    halves = np.stack([words & LOW, words >> _32], axis=2).reshape(n, -1)
    v, doubts = rows[:, 0].astype(np.uint64), np.zeros(n, np.uint64)
    out[:, 0] = rows[:, 0]
    flat, at = urns.ravel(), (4 * each).astype(np.uint64)
    for i in range(length - 1):
        here = at + v
        urn = flat[here]
        total = urn >> _48
        scaled = halves[:, i] * total
        passed = ((((scaled >> _32) * FIELDS | FLAGS) - urn) & FLAGS) >> _15
        flat[here] = urn - (FIELDS_AND_TOTAL - passed)
        doubts |= (scaled & LOW) - total
        v = ((passed * FIELDS) >> _32 & _3) ^ (order >> (v + v) & _3)
        out[:, i + 1] = v
    return np.asarray(doubt | (doubts >> _63 > 0))


def _trees(
    counts: NDArray[np.int64], root: NDArray[np.int64], states: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the states, the last exit of each vertex as 2-bit fields, and which draws may have to be rejected."""
    each = np.arange(len(counts))
    exits = counts.reshape(-1, 4, 4)
    vertices = np.arange(4) ^ root[:, None]  # renamed so that the root is 0
    renamed = exits[each[:, None, None], vertices[:, :, None], vertices[:, None, :]]
    renamed[:, :, 0] += renamed.sum(axis=2) == 0  # a letter that does not occur exits to the root
    weights = np.prod([renamed[:, v, TREES[:, v - 1]] for v in (1, 2, 3)], axis=0)
    running = weights.cumsum(axis=1)
    bound = running[:, -1].astype(np.uint64)
    word = words_from(states, 1)[:, 0]
    high, low = product_words.py_func(word, bound)
    drawn = (running[:, :15] <= high.astype(np.int64)[:, None]).sum(axis=1)
    last = np.zeros(len(counts), np.int64)
    for v in (1, 2, 3):
        last |= (TREES[drawn, v - 1] ^ root) << 2 * (v ^ root)
    return states + STEP, last, low < bound


def _urns(
    counts: NDArray[np.int64], root: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the packed running sums of each vertex's exits (n, 4), and the order of their slots as 2-bit fields."""
    each, order = np.arange(len(counts)), np.zeros(len(counts), np.int64)
    urns = np.empty((len(counts), 4), np.uint64)
    for v in range(4):
        x = np.where(root == v, 0, last >> 2 * v & 3 ^ 3)
        order |= x << 2 * v
        first, second, third, total = np.cumsum([counts[each, 4 * v + (slot ^ x)] for slot in range(4)], axis=0)
        total = total - ((root != v) & (total > 0))
        urns[:, v] = (first | second << 16 | third << 32 | total << 48).astype(np.uint64)
    return urns, order.astype(np.uint64)
