"""Shuffles of letters and of dinucleotides: compiled, in registers; and in numpy, equal
bit for bit.

A vertex's remaining exits are an urn of four counts. Their running sums fill three
16-bit fields of one word, so a draw without replacement is a multiplication, a
subtraction and a mask, without branches or tables, and the compiler turns the loop over
walks into vector instructions. The last-exit tree has only 16 shapes and is drawn from
all of them at once.

The shuffles in numpy spare a process that shuffles little the seconds of compilation.
Each numpy step advances all rows by one letter. A row in which a draw may have to be
rejected (one of 500,000 walks of 200 letters) is left to the compiled shuffle, which
draws it again.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.compiled import njit
from causalgia.sequences.composition import count_dinucleotides
from causalgia.sequences.random import (
    LOW,
    STEP,
    bounded,
    half_bounded,
    next_word,
    product_words,
    unit_state,
    unit_states,
    words_from,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 1 << 15  # letters: a running sum fits 15 bits
LANES = 32
_FEW_WALKS = 6  # walks below which lock step costs more than one walk after the other
FIELDS = np.uint64(0x0000_0001_0001_0001)
FIELDS_AND_TOTAL = np.uint64(0x0001_0001_0001_0001)
FLAGS = np.uint64(0x0000_8000_8000_8000)
_LOW = np.uint64(0xFFFFFFFF)
_0, _1, _2, _3, _8, _15, _16, _32, _48, _56, _63 = (
    np.uint64(i) for i in (0, 1, 2, 3, 8, 15, 16, 32, 48, 56, 63)
)


def _reaches_root(exits: tuple[int, ...]) -> bool:
    """Say whether the exits of vertices 1, 2, 3 lead every one of them to vertex 0."""
    step = (0, *exits)
    return all(step[step[step[v]]] == 0 for v in (1, 2, 3))


# (16, 3)
TREES = np.array(
    [exits for exits in product(range(4), repeat=3) if _reaches_root(exits)], np.int64
)


@njit(nogil=True)
def count_pairs(row: Any, counts: Any) -> None:
    """Write the count of letter b after letter a at position 4 a + b."""
    for pair in range(16):
        counts[pair] = 0
    before = np.int64(row[0])
    for i in range(1, row.size):
        letter = np.int64(row[i])
        counts[4 * before + letter] += 1
        before = letter


@njit(nogil=True)
def draw_tree(counts: Any, root: Any, running: Any, state: Any) -> Any:
    """Return (state, last exit of each vertex as 2-bit fields), with weight the product
    of the edge counts.

    Vertices are renamed v ^ root, so that the root is 0. A letter that does not occur
    exits to the root.
    """
    absent = np.zeros(4, np.int64)
    for v in range(1, 4):
        base = 4 * (v ^ root)
        absent[v] = (
            counts[base] + counts[base + 1] + counts[base + 2] + counts[base + 3] == 0
        )
    total = 0
    for t in range(16):
        weight = 1
        for v in range(1, 4):
            to = TREES[t, v - 1]
            weight *= counts[4 * (v ^ root) + (to ^ root)] + (
                absent[v] if to == 0 else 0
            )
        total += weight
        running[t] = total
    state, drawn = bounded(state, np.uint64(total))
    t = 0
    for i in range(15):
        t += running[i] <= np.int64(drawn)
    last = 0
    for v in range(1, 4):
        last |= (TREES[t, v - 1] ^ root) << (2 * (v ^ root))
    return state, last


@njit(nogil=True)
def _load(
    row: Any, key: Any, unit: Any, counts: Any, running: Any, urns: Any, lane: Any
) -> None:
    """Initialize one walk: the four urns, the slot order, the stream, the first letter.

    Slot s of vertex v is the letter s ^ x with x such that slot 3 is the last exit; the
    urn's total excludes the last exit, so it is drawn when nothing else is left.
    """
    count_pairs(row, counts)
    root = np.int64(row[row.size - 1])
    state, last = draw_tree(counts, root, running, unit_state(key, unit))
    order = 0
    for v in range(4):
        x = 0 if v == root else (last >> (2 * v)) & 3 ^ 3
        order |= x << (2 * v)
        first = counts[4 * v + x]
        second = first + counts[4 * v + (1 ^ x)]
        third = second + counts[4 * v + (2 ^ x)]
        total = third + counts[4 * v + (3 ^ x)]
        if v != root and total > 0:
            total -= 1
        urns[v * LANES + lane] = np.uint64(
            first | second << 16 | third << 32 | total << 48
        )
    urns[4 * LANES + lane] = np.uint64(order)
    urns[5 * LANES + lane] = state
    urns[6 * LANES + lane] = np.uint64(row[0])
    urns[7 * LANES + lane] = _0


@njit(inline="always")
def _exit(
    w0: Any, w1: Any, w2: Any, w3: Any, order: Any, v: Any, doubt: Any, half: Any
) -> Any:
    """Leave vertex v by a 32-bit draw; the top bit of `doubt` marks draws that may have
    to be rejected.
    """
    w = w3
    w = w2 if v == _2 else w
    w = w1 if v == _1 else w
    w = w0 if v == _0 else w
    total = w >> _48
    scaled = half * total
    passed = ((((scaled >> _32) * FIELDS | FLAGS) - w) & FLAGS) >> _15
    taken = FIELDS_AND_TOTAL - passed
    w0 -= taken if v == _0 else _0
    w1 -= taken if v == _1 else _0
    w2 -= taken if v == _2 else _0
    w3 -= taken if v == _3 else _0
    doubt |= (scaled & _LOW) - total
    slot = ((passed * FIELDS) >> _32) & _3
    return w0, w1, w2, w3, slot ^ ((order >> (v + v)) & _3), doubt


@njit(nogil=True)
def _walk_together(urns: Any, letters: Any, n_words: Any) -> None:
    """Advance all lanes by 8 * n_words exits; letters packs eight to a word, a lane
    after the other.
    """
    for i in range(n_words):
        for _ in range(4):
            for lane in range(LANES):
                w0, w1, w2, w3 = (
                    urns[lane],
                    urns[LANES + lane],
                    urns[2 * LANES + lane],
                    urns[3 * LANES + lane],
                )
                order, v, doubt = (
                    urns[4 * LANES + lane],
                    urns[6 * LANES + lane],
                    urns[7 * LANES + lane],
                )
                state, word = next_word(urns[5 * LANES + lane])
                w0, w1, w2, w3, v, doubt = _exit(
                    w0, w1, w2, w3, order, v, doubt, word & _LOW
                )
                packed = (urns[8 * LANES + lane] >> _8) | (v << _56)
                w0, w1, w2, w3, v, doubt = _exit(
                    w0, w1, w2, w3, order, v, doubt, word >> _32
                )
                packed = (packed >> _8) | (v << _56)
                (
                    urns[lane],
                    urns[LANES + lane],
                    urns[2 * LANES + lane],
                    urns[3 * LANES + lane],
                ) = w0, w1, w2, w3
                (
                    urns[5 * LANES + lane],
                    urns[6 * LANES + lane],
                    urns[7 * LANES + lane],
                ) = state, v, doubt
                urns[8 * LANES + lane] = packed
        for lane in range(LANES):
            letters[lane * n_words + i] = urns[8 * LANES + lane]


@njit(nogil=True)
def _walk_alone(urns: Any, lane: Any, out: Any) -> None:
    """Write one walk from its start, and redraw every draw that Lemire's method
    rejects.
    """
    w0, w1, w2, w3 = (
        urns[lane],
        urns[LANES + lane],
        urns[2 * LANES + lane],
        urns[3 * LANES + lane],
    )
    order, state, v = (
        urns[4 * LANES + lane],
        urns[5 * LANES + lane],
        urns[6 * LANES + lane],
    )
    out[0] = v
    word, fresh, i = _0, True, 1
    while i < out.size:
        if fresh:
            state, word = next_word(state)
        half = word & _LOW if fresh else word >> _32
        fresh = not fresh
        a0, a1, a2, a3, to, doubt = _exit(w0, w1, w2, w3, order, v, _0, half)
        if doubt >> _63:
            total = (w0 if v == _0 else w1 if v == _1 else w2 if v == _2 else w3) >> _48
            if total > _0 and (half * total) & _LOW < (_1 << _32) % total:
                continue
        w0, w1, w2, w3, v = a0, a1, a2, a3, to
        out[i] = v
        i += 1


@njit(nogil=True)
def shuffle_pairs(
    key: Any, units: Any, tokens: Any, parents: Any, out: Any, together: Any
) -> None:
    """Write the dinucleotide shuffle of each unit's parent row; `together` false runs
    one walk after the other.
    """
    length = tokens.shape[1]
    n_words = (length + 6) // 8
    counts, running = np.empty(16, np.int64), np.empty(16, np.int64)
    urns, letters = np.zeros(9 * LANES, np.uint64), np.empty(LANES * n_words, np.uint64)
    octets = letters.view(np.uint8)
    for first in range(0, units.size, LANES):
        n_lanes = min(LANES, units.size - first)
        for lane in range(n_lanes):
            _load(
                tokens[parents[first + lane]],
                key,
                units[first + lane],
                counts,
                running,
                urns,
                lane,
            )
        if not together or n_lanes < _FEW_WALKS:
            for lane in range(n_lanes):
                _walk_alone(urns, lane, out[first + lane])
            continue
        _walk_together(urns, letters, n_words)
        for lane in range(n_lanes):
            row = out[first + lane]
            row[0] = tokens[parents[first + lane], 0]
            begin = 8 * n_words * lane
            for i in range(length - 1):
                row[i + 1] = octets[begin + i]
            if urns[7 * LANES + lane] >> _63:
                _load(
                    tokens[parents[first + lane]],
                    key,
                    units[first + lane],
                    counts,
                    running,
                    urns,
                    lane,
                )
                _walk_alone(urns, lane, row)


_WALKS = 4
_4, _12 = (np.uint64(i) for i in (4, 12))


@njit(nogil=True)
def _list_exits(exits: Any, counts: Any, last: Any) -> Any:
    """List each letter as often as `counts` says, with `last` at the end; return the
    number before it.
    """
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
def _write_exit_lists(row: Any, key: Any, unit: Any, exits: Any, place: Any) -> None:
    """Write the exits of the four letters one list after the other, in the order of a
    walk.

    `place` has the starts of the lists.

    The root, which is the final letter, has a list in any order; another letter's ends
    with its exit in the tree.
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
def _walk_four_rows(exits: Any, place: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    """Write four walks after their first letters; vertex v of walk w is number 4 w + v.
    Rows may repeat.
    """
    at_a, at_b, at_c, at_d = (
        np.uint64(a[0]),
        np.uint64(b[0]),
        np.uint64(c[0]),
        np.uint64(d[0]),
    )
    for i in range(1, a.size):
        at_a = _leave(place, exits, at_a)
        at_b = _leave(place, exits, at_b + _4)
        at_c = _leave(place, exits, at_c + _8)
        at_d = _leave(place, exits, at_d + _12)
        a[i], b[i], c[i], d[i] = at_a, at_b, at_c, at_d


@njit(nogil=True)
def shuffle_long_pairs(
    key: Any, units: Any, tokens: Any, parents: Any, out: Any
) -> None:
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
                _write_exit_lists(
                    row,
                    key,
                    units[unit],
                    exits[walk * n_edges : (walk + 1) * n_edges],
                    its,
                )
                its += np.uint64(walk * n_edges)
                out[unit, 0] = row[0]
            else:
                its[:] = place[4 * walk - 4 : 4 * walk]
        rows = out[first : first + _WALKS]
        end = rows.shape[0] - 1
        _walk_four_rows(
            exits, place, rows[0], rows[min(1, end)], rows[min(2, end)], rows[end]
        )


_2, _3, _15, _16, _32, _48, _63 = (np.uint64(i) for i in (2, 3, 15, 16, 32, 48, 63))
_A_STEP, _A_LETTER = 20_000, 75


def nanoseconds(n_rows: int, length: int) -> int:
    """Return the approximate time of a shuffle here: a step for each letter, however
    few the rows are.
    """
    return length * (_A_STEP + _A_LETTER * n_rows)


def shuffle_letters(
    key: np.uint64, units: NDArray[np.uint64], rows: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Shuffle the letters of each row in place (n, length); return which rows the
    compiled shuffle has to draw.

    Parameters
    ----------
    key, units
        As in `causalgia.sequences.samplers.shuffle`, one unit a row.
    rows
        Tokens, changed in place where the returned mask is False.
    """
    n, length = rows.shape
    # the last letter is exchanged first
    bounds = np.arange(length, 1, -1, dtype=np.uint64)
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
    key: np.uint64,
    units: NDArray[np.uint64],
    rows: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Write the dinucleotide shuffle of each row (n, length); return which rows the
    compiled one has to draw.

    The urns and the packing of their counts are those of
    `causalgia.sequences.dinucleotide_shuffle`.
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
    """Return the states, the last exit of each vertex as 2-bit fields, and which draws
    may have to be rejected.
    """
    each = np.arange(len(counts))
    exits = counts.reshape(-1, 4, 4)
    vertices = np.arange(4) ^ root[:, None]  # renamed so that the root is 0
    renamed = exits[each[:, None, None], vertices[:, :, None], vertices[:, None, :]]
    # a letter that does not occur exits to the root
    renamed[:, :, 0] += renamed.sum(axis=2) == 0
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
    """Return the packed running sums of each vertex's exits (n, 4), and the order of
    their slots as 2-bit fields.
    """
    each, order = np.arange(len(counts)), np.zeros(len(counts), np.int64)
    urns = np.empty((len(counts), 4), np.uint64)
    for v in range(4):
        x = np.where(root == v, 0, last >> 2 * v & 3 ^ 3)
        order |= x << 2 * v
        first, second, third, total = np.cumsum(
            [counts[each, 4 * v + (slot ^ x)] for slot in range(4)], axis=0
        )
        total = total - ((root != v) & (total > 0))
        urns[:, v] = (first | second << 16 | third << 32 | total << 48).astype(
            np.uint64
        )
    return urns, order.astype(np.uint64)
