"""The dinucleotide shuffle of long sequences: the exits of each letter in a list, shuffled, then four walks in turn.

The walk that follows the lists waits for memory at every step and draws nothing, so four of them cost hardly more than
one. Lists have no limit of length, as the urns in registers of `causalgia.sequences.dinucleotide_shuffle` have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalgia.compiled import njit
from causalgia.sequences.dinucleotide_shuffle import count_pairs, draw_tree
from causalgia.sequences.random import half_bounded, unit_state

_WALKS = 4
_4, _12 = (np.uint64(i) for i in (4, 12))


@njit(nogil=True)
def _list_exits(exits: Any, counts: Any, last: Any) -> Any:
    """List the letters that `counts` says, `last` at the end if it is one; return how many stand before it."""
    stop = 0
    for letter in range(4):
        count = counts[letter] - (letter == last)
        exits[stop : stop + count] = letter
        stop += count
    if last >= 0:
        exits[stop] = last
    return stop


@njit(nogil=True)
def _shuffle(letters: Any, state: Any) -> Any:
    for i in range(letters.size - 1, 0, -1):
        place = np.uint64(i)
        state, j = half_bounded(state, place + _1)
        letters[place], letters[j] = letters[j], letters[place]
    return state


@njit(nogil=True)
def _lay_out(row: Any, key: Any, unit: Any, exits: Any, place: Any) -> None:
    """Write the exits of the four letters one list after the other, in the order of a walk; `place` has their starts.

    The root, which is the final letter, has a list in any order; another letter's ends with its exit in the tree.
    """
    counts, running = np.empty(16, np.int64), np.empty(16, np.int64)
    count_pairs(row, counts)
    root, begin = np.int64(row[row.size - 1]), 0
    state, tree = draw_tree(counts, root, running, unit_state(key, unit))
    for v in range(4):
        ours = counts[4 * v : 4 * v + 4]
        total = ours.sum()
        last = -1 if v == root or total == 0 else (tree >> (2 * v)) & 3
        of_v = exits[begin : begin + total]
        state = _shuffle(of_v[: _list_exits(of_v, ours, last)], state)
        place[v] = begin
        begin += total


@njit(forceinline=True)
def _leave(place: Any, exits: Any, vertex: Any) -> Any:
    at = place[vertex]
    place[vertex] = at + _1
    return np.uint64(exits[at])


@njit(nogil=True)
def _walk(exits: Any, place: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    """Write four walks after their first letters; vertex v of walk w is number 4 w + v. A row may be there twice."""
    at_a, at_b, at_c, at_d = np.uint64(a[0]), np.uint64(b[0]), np.uint64(c[0]), np.uint64(d[0])
    for i in range(1, a.size):
        at_a = _leave(place, exits, at_a)
        at_b = _leave(place, exits, at_b + _4)
        at_c = _leave(place, exits, at_c + _8)
        at_d = _leave(place, exits, at_d + _12)
        a[i], b[i], c[i], d[i] = at_a, at_b, at_c, at_d


@njit(nogil=True)
def shuffle_long_pairs(key: Any, units: Any, tokens: Any, parents: Any, out: Any) -> None:
    """Write the dinucleotide shuffle of each unit's parent row."""
    n_edges = tokens.shape[1] - 1
    exits, place = np.empty(_WALKS * n_edges, np.uint8), np.empty(4 * _WALKS, np.uint64)
    for first in range(0, units.size, _WALKS):
        last = units.size - 1
        for walk in range(_WALKS):
            unit = min(first + walk, last)
            row = tokens[parents[unit]]
            its = place[4 * walk : 4 * walk + 4]
            if first + walk <= last:
                _lay_out(row, key, units[unit], exits[walk * n_edges : (walk + 1) * n_edges], its)
                its += np.uint64(walk * n_edges)
                out[unit, 0] = row[0]
            else:
                its[:] = place[4 * walk - 4 : 4 * walk]
        rows = out[first : first + _WALKS]
        end = rows.shape[0] - 1
        _walk(exits, place, rows[0], rows[min(1, end)], rows[min(2, end)], rows[end])
