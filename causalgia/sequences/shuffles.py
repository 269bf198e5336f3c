"""Shuffles that keep every k-let count, exactly uniform, and the number of such
sequences.

A sequence is a trail over its (k-1)-mers, each k-let an edge, and every sequence with
the same k-let counts and the same first (k-1)-mer is another trail over the same edges.
Draw the last exit of every (k-1)-mer but the final one as a random tree towards the
final one, put the other exits in random order, walk: all trails are equally likely.
"""

from __future__ import annotations

import math
from math import lgamma
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia import compiled
from causalgia.compiled import njit
from causalgia.errors import SequenceError
from causalgia.sequences.alphabet import CODES, DIE, encode
from causalgia.sequences.dinucleotide_shuffle import (
    LONGEST,
    nanoseconds,
    shuffle_long_pairs,
    shuffle_pairs,
    shuffle_pairs_of,
)
from causalgia.sequences.random import (
    as_key,
    as_parents,
    as_tokens,
    as_units,
    half_bounded,
    over_rows,
    random_below,
    random_integers,
    unit_state,
)
from causalgia.sequences.samplers import shuffle
from causalgia.streams import derive
from causalgia.types import Tokens

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["klet_shuffle", "log_degeneracy"]

_LANES = 8
_LARGEST_KLET = 32  # letters of a k-let: its (k-1)-mer fits a 64-bit code
_MOST_VERTICES = 8192  # of a dense determinant: 512 MiB
_HASH = np.uint64(0x9E3779B97F4A7C15)
_0, _1, _2, _4, _20 = (np.uint64(i) for i in (0, 1, 2, 4, 20))
_NOWHERE = np.uint64(2**64 - 1)


@njit(forceinline=True)
def _vertex(
    code: Any, direct: Any, table: Any, codes: Any, found: Any, counts: Any, onward: Any
) -> Any:
    """Return (the number of the (k-1)-mer `code`, the count of numbers so far); a new
    (k-1)-mer gets the next number.

    `table` is an open-addressing hash of vertex numbers from 1, 0 where empty; `codes`
    has each vertex's (k-1)-mer. A table with a place for every (k-1)-mer is addressed
    by it (`direct`).
    """
    wrap = np.uint64(table.size) - _1
    slot = (code if direct else (code * _HASH) >> _20) & wrap
    while table[slot] != _0 and codes[table[slot] - _1] != code:
        slot = (slot + _1) & wrap
    if table[slot] == _0:
        codes[found] = code
        for letter in range(4):
            (
                counts[_4 * found + np.uint64(letter)],
                onward[_4 * found + np.uint64(letter)],
            ) = _0, _NOWHERE
        found += _1
        table[slot] = found
    return table[slot] - _1, found


@njit(nogil=True)
def _read_exits(
    row: Any, k: Any, table: Any, codes: Any, counts: Any, onward: Any
) -> Any:
    """Read the graph of a row; return its first vertex, its final one, and the number
    of vertices.

    Exit 4 v + a is letter a after vertex v: `counts` has its count, `onward` the vertex
    that it leads to.
    """
    for slot in range(table.size):
        table[slot] = _0
    mask = (_1 << np.uint64(2 * (k - 1))) - _1
    code, direct = _0, mask < np.uint64(table.size)
    for i in range(k - 1):
        code = code << _2 | np.uint64(row[i])
    start, found = _vertex(code, direct, table, codes, _0, counts, onward)
    here = start
    for i in range(k - 1, row.size):
        letter = np.uint64(row[i])
        code = (code << _2 | letter) & mask
        to, found = _vertex(code, direct, table, codes, found, counts, onward)
        counts[_4 * here + letter] += _1
        onward[_4 * here + letter] = to
        here = to
    return start, here, np.int64(found)


@njit(nogil=True)
def _list_exits(
    n_vertices: Any,
    counts: Any,
    onward: Any,
    first: Any,
    stop: Any,
    exits: Any,
    moves: Any,
) -> None:
    """List the letters that leave vertex v at first[v] : stop[v]; `moves` counts those
    to another vertex.

    The letters stand in the order 0 ^ x, 1 ^ x, 2 ^ x, 3 ^ x, with x such that a letter
    that stays at v is the last.
    """
    end = _0
    for v in range(n_vertices):
        base, x = 4 * v, 0
        for letter in range(4):
            if onward[base + letter] == np.uint64(v):
                x = letter ^ 3
        begin = end
        one = begin + counts[base + x]
        two = one + counts[base + (1 ^ x)]
        three = two + counts[base + (2 ^ x)]
        end = three + counts[base + (3 ^ x)]
        for place in range(begin, end):
            exits[place] = ((place >= one) + (place >= two) + (place >= three)) ^ x
        stays = onward[base + (3 ^ x)] == np.uint64(v)
        first[v], stop[v], moves[v] = begin, end, (three if stays else end) - begin


@njit(nogil=True)
def _draw_last_exits(
    root: Any,
    n_vertices: Any,
    first: Any,
    stop: Any,
    exits: Any,
    onward: Any,
    moves: Any,
    choice: Any,
    state: Any,
) -> Any:
    """Move each vertex's last exit to the end of its list and return the state.

    Wilson's loop-erased walk gives a uniform tree of edges towards the root. Afterwards
    stop[v] is the place of the last exit, which for the root is one past its list;
    moves[v] is 0 for a vertex that has joined the tree.
    """
    moves[root] = _0
    for v in range(n_vertices):
        at = np.uint64(v)
        while moves[at] > _0:
            state, drawn = half_bounded(state, moves[at])
            choice[at] = first[at] + drawn
            at = onward[_4 * at + np.uint64(exits[choice[at]])]
        at = np.uint64(v)
        while moves[at] > _0:
            moves[at] = _0
            stop[at] -= _1
            letter = exits[choice[at]]
            exits[choice[at]] = exits[stop[at]]
            exits[stop[at]] = letter
            at = onward[_4 * at + np.uint64(letter)]
    return state


@njit(nogil=True)
def _walk_rows(
    at: Any,
    states: Any,
    first: Any,
    stop: Any,
    exits: Any,
    onward: Any,
    begin: Any,
    out: Any,
) -> None:
    """Walk all rows of `out` from column `begin` on, one exit of each in turn, drawing
    each list without replacement.

    The lists of all walks lie one after the other, so a vertex number belongs to one
    walk.
    """
    for i in range(begin, out.shape[1]):
        for lane in range(out.shape[0]):
            v = at[lane]
            place = first[v]
            states[lane], drawn = half_bounded(states[lane], stop[v] - place)
            letter = exits[place + drawn]
            exits[place + drawn] = exits[place]
            first[v] = place + _1
            out[lane, i] = letter
            at[lane] = onward[_4 * v + np.uint64(letter)]


@njit(nogil=True)
def _shuffle_klets(
    key: Any, units: Any, tokens: Any, parents: Any, k: Any, out: Any
) -> None:
    """Write the k-let shuffle of each unit's parent row, eight walks at a time."""
    n_edges = tokens.shape[1] - k + 1
    width = min(n_edges + 1, 1 << min(2 * (k - 1), 62))
    size = 4
    while size < 2 * width:
        size *= 2
    table, codes, counts = (
        np.empty(size, np.uint64),
        np.empty(width, np.uint64),
        np.empty(4 * width, np.uint64),
    )
    first, stop = (
        np.empty(_LANES * width, np.uint64),
        np.empty(_LANES * width, np.uint64),
    )
    exits, onward = (
        np.empty(_LANES * n_edges, np.uint8),
        np.empty(4 * _LANES * width, np.uint64),
    )
    moves, choice = np.empty(width, np.uint64), np.empty(width, np.uint64)
    states, at = np.empty(_LANES, np.uint64), np.empty(_LANES, np.uint64)
    for begin in range(0, units.size, _LANES):
        n_lanes = min(_LANES, units.size - begin)
        for lane in range(n_lanes):
            row, v0, e0 = tokens[parents[begin + lane]], lane * width, lane * n_edges
            its_first, its_stop = first[v0 : v0 + width], stop[v0 : v0 + width]
            its_exits, its_onward = (
                exits[e0 : e0 + n_edges],
                onward[4 * v0 : 4 * (v0 + width)],
            )
            start, root, found = _read_exits(row, k, table, codes, counts, its_onward)
            _list_exits(
                found, counts, its_onward, its_first, its_stop, its_exits, moves
            )
            state = unit_state(key, units[begin + lane])
            states[lane] = _draw_last_exits(
                root,
                found,
                its_first,
                its_stop,
                its_exits,
                its_onward,
                moves,
                choice,
                state,
            )
            for v in range(found):
                its_first[v] += np.uint64(e0)
                its_stop[v] += np.uint64(e0)
            for exit_ in range(4 * found):
                its_onward[exit_] += np.uint64(v0)
            at[lane] = start + np.uint64(v0)
            for i in range(k - 1):
                out[begin + lane, i] = row[i]
        _walk_rows(
            at, states, first, stop, exits, onward, k - 1, out[begin : begin + n_lanes]
        )


def _as_k(k: int) -> int:
    if not 1 <= k <= _LARGEST_KLET:
        msg = f"k={k}: a k-let here has 1 to {_LARGEST_KLET} letters"
        raise SequenceError(msg)
    return int(k)


def klet_shuffle(
    key: int,
    units: ArrayLike,
    tokens: ArrayLike,
    k: int,
    *,
    parent: ArrayLike | None = None,
    threads: int | None = None,
) -> NDArray[np.uint8]:
    """Return a rearrangement of each unit's parent, uniform over all that keep its
    k-let counts.

    Each of the distinct rearrangements of the parent's letters with the same k-let
    counts is equally likely. The k-lets leave the first and the last (k-1)-mer no
    choice, so these do not move, unless the sequence runs from a (k-1)-mer back to
    itself: then it may also begin with another (k-1)-mer of the same letters
    (`circuits`).

    Parameters
    ----------
    key
        64-bit key of the purpose, from `causalgia.streams`.
    units
        Ids of the units, non-negative integers, one axis.
    tokens
        Parents, one row each, values 0-3.
    k
        Letters of the k-mers whose counts are kept, 1 to 32; 1 is `shuffle`, 2 the
        dinucleotide shuffle.
    parent
        Row of each unit's parent; row i for unit number i by default.
    threads
        Threads at most; all available cores by default. The sequences do not depend on
        it.

    Returns
    -------
    shuffled
        One row per unit. A sequence of at most k letters is the only one with its
        counts, and returns itself.

    Raises
    ------
    SequenceError
        If a token is not 0-3, a parent is not a row, or k is out of range.

    References
    ----------
    Altschul, Erickson (1985) Significance of nucleotide sequence alignments.
    doi:10.1093/oxfordjournals.molbev.a040370 Kandel, Matias, Unger, Winkler (1996)
    Shuffling biological sequences. doi:10.1016/S0166-218X(97)81456-4 Wilson (1996)
    Generating random spanning trees more quickly than the cover time.
    doi:10.1145/237814.237880

    Examples
    --------
    >>> gattacacat = np.array([[2, 0, 3, 3, 0, 1, 0, 1, 0, 3]])
    >>> draws = klet_shuffle(
    ...     7, np.arange(1_000), gattacacat, 2, parent=np.zeros(1_000, int)
    ... )
    >>> len(np.unique(draws, axis=0))
    6
    """
    if _as_k(k) == 1:
        return shuffle(key, units, tokens, parent=parent, threads=threads)
    ids, word_key, rows = as_units(units), as_key(key), as_tokens(tokens)
    parents = as_parents(parent, ids.size, rows.shape[0])
    length = rows.shape[1]
    if length <= k:
        return rows[parents]
    if (begun := rotated_parents(int(word_key), ids, rows, parents, k)) is not None:
        rows, parents = begun, np.arange(ids.size)
    out = np.empty((ids.size, length), np.uint8)

    def write(part: slice) -> None:
        units, own, found = ids[part], parents[part], out[part]
        if k > 2:
            _shuffle_klets(word_key, units, rows, own, k, found)
        elif length > LONGEST:
            shuffle_long_pairs(word_key, units, rows, own, found)
        elif not compiled.NUMPY_ALLOWANCE.covers(nanoseconds(*found.shape)):
            shuffle_pairs(word_key, units, rows, own, found, True)
        elif (
            doubt := shuffle_pairs_of(word_key, units, rows[own], found)
        ).any():  # in numpy, as there are few
            drawn = np.empty((np.count_nonzero(doubt), length), np.uint8)
            shuffle_pairs(word_key, units[doubt], rows, own[doubt], drawn, True)
            found[doubt] = drawn

    over_rows(write, ids.size, length, threads=threads)
    return out


def klet_shuffle_between(
    key: int,
    units: NDArray[np.uint64],
    tokens: Tokens,
    ambiguous: Tokens,
    k: int,
    *,
    parent: NDArray[np.int64],
) -> Tokens:
    """Return a rearrangement of each unit's parent whose ambiguous letters keep their
    places.

    Each stretch between them is shuffled by itself (`klet_shuffle`); the letters are
    drawn anew for each unit, uniformly from the bases that they admit.

    Parameters
    ----------
    key, units, tokens, k, parent
        As in `klet_shuffle`.
    ambiguous
        (n, length) bytes, the letter where it is not a base, else 0.

    Examples
    --------
    >>> parent = np.array([[0, 1, 0, 3, 2, 2]], np.uint8)
    >>> odd = np.array([[0, 0, 0, ord("N"), 0, 0]], np.uint8)
    >>> made = klet_shuffle_between(
    ...     7, np.arange(50), parent, odd, 1, parent=np.zeros(50, int)
    ... )
    >>> np.unique(np.sort(made[:, :3]), axis=0).tolist(), np.unique(made[:, 3]).tolist()
    ([[0, 0, 1]], [0, 1, 2, 3])
    """
    out = tokens[parent]
    whole = np.flatnonzero(~(ambiguous > 0).any(axis=1))
    plain = np.flatnonzero(np.isin(parent, whole))
    if len(plain):
        out[plain] = klet_shuffle(key, units[plain], tokens, k, parent=parent[plain])
    for row in np.flatnonzero((ambiguous > 0).any(axis=1)).tolist():
        mine = np.flatnonzero(parent == row)
        if not len(mine):
            continue
        for start, stop in _stretches(ambiguous[row]):
            out[mine, start:stop] = klet_shuffle(
                derive(key, "stretch", start),
                units[mine],
                tokens[row : row + 1, start:stop],
                k,
                parent=np.zeros(len(mine), np.int64),
            )
        at = np.flatnonzero(ambiguous[row])
        die = random_integers(
            derive(key, "ambiguous"), units[mine], np.full(len(at), DIE.shape[1])
        )
        out[mine[:, None], at] = DIE[CODES[ambiguous[row, at]] - 4, die]
    return out


def _stretches(ambiguous: Tokens) -> list[tuple[int, int]]:
    """Return the stretches ``[start, stop)`` of bases between ambiguous letters."""
    edges = np.diff(np.concatenate([[1], ambiguous > 0, [1]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == -1), np.flatnonzero(edges == 1)
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def log_reachable_between(tokens: Tokens, ambiguous: Tokens, k: int) -> float:
    """Return the natural log of the number of sequences that `klet_shuffle_between`
    draws from, for one parent.

    Examples
    --------
    >>> odd = np.array([0, 0, 0, ord("N")], np.uint8)
    >>> round(np.exp(log_reachable_between(np.array([0, 1, 0, 2]), odd, 1)))
    12
    """
    letters = ambiguous[ambiguous > 0]
    admitted = sum(math.log(len(set(DIE[CODES[x] - 4].tolist()))) for x in letters)
    stretches = [tokens[start:stop] for start, stop in _stretches(ambiguous)]
    return admitted + sum(log_degeneracy(x, k) for x in stretches if len(x) > 1)


def log_degeneracy(tokens: str | ArrayLike, k: int) -> float:
    r"""Return the natural log of the number of sequences that `klet_shuffle` draws
    from; 0 means only the parent.

    For k = 1 the multinomial coefficient. For k >= 2 the BEST theorem, with equal edges
    not distinguished,

    .. math:: \log t + \log d_r! + \sum_{v \neq r} \log (d_v - 1)! - \sum_{u, v} \log n_{uv}!

    with :math:`n_{uv}` the k-lets from (k-1)-mer u to v, :math:`d_v` the exits of v, r
    the final (k-1)-mer and t the number of trees of last exits towards r, a
    determinant. A circuit that may begin elsewhere (see `klet_shuffle`) has more, in
    the ratio of the places where it may begin to those where it does.

    Parameters
    ----------
    tokens
        One sequence: a string, or tokens (length,) of 0-3.
    k
        Letters of the k-mers whose counts are kept, 1 to 32.

    Returns
    -------
    log_count
        Natural log of the number of distinct sequences, the parent included.

    Raises
    ------
    SequenceError
        If a token is not 0-3, k is out of range, or the sequence has more than 8192
        distinct (k-1)-mers.

    References
    ----------
    van Aardenne-Ehrenfest, de Bruijn (1951) Circuits and trees in oriented linear
    graphs. Simon Stevin 28, 203-217. Tutte (1948) The dissection of equilateral
    triangles into equilateral triangles. doi:10.1017/S030500410002449X

    Examples
    --------
    >>> round(float(np.exp(log_degeneracy("GATTACACAT", 2))), 9)
    6.0
    """
    row = (
        encode(tokens)[0]
        if isinstance(tokens, str)
        else as_tokens(np.asarray(tokens)[None])[0]
    )
    if _as_k(k) == 1:
        return _log_of_count(
            lgamma(row.size + 1) - _log_factorials(np.bincount(row, minlength=4))
        )
    if row.size <= k:
        return 0.0
    # the number of the (k-1)-mer at each position, and the number of distinct ones
    codes = np.zeros(row.size - k + 2, np.uint64)
    for j in range(k - 1):
        codes = codes << np.uint64(2) | row[j : j + codes.size]
    vertices, inverse = np.unique(codes, return_inverse=True)
    path, n_vertices = inverse.astype(np.int64), vertices.size
    if n_vertices > _MOST_VERTICES:
        msg = (
            f"{n_vertices} distinct {k - 1}-mers are past the {_MOST_VERTICES} of a "
            "dense determinant; lower k"
        )
        raise SequenceError(msg)
    counts = np.bincount(
        path[:-1] * n_vertices + path[1:], minlength=n_vertices**2
    ).reshape(n_vertices, n_vertices)
    exits, root = counts.sum(axis=1), path[-1]
    others = np.arange(n_vertices) != root
    orders = _log_factorials(exits[others] - 1) + lgamma(int(exits[root]) + 1)
    if k > 2 and path[0] == root:
        orders += np.log(len(circle_cuts(row, k)) / int(exits[root]))
    # the log of the number of trees that lead `others` to the remaining vertex
    # (matrix-tree theorem)
    moves = counts.astype(np.float64)
    np.fill_diagonal(moves, 0.0)
    laplacian = np.diag(moves.sum(axis=1)) - moves
    log_trees = float(np.linalg.slogdet(laplacian[np.ix_(others, others)])[1])
    return _log_of_count(log_trees + orders - _log_factorials(counts[counts > 1]))


def _log_factorials(values: NDArray[np.int64]) -> float:
    return sum(lgamma(value + 1) for value in values.tolist())


def _log_of_count(value: float) -> float:
    """Return the log of a count without rounding error at a count of 1."""
    return 0.0 if value < 0.5 else float(value)


def circle_cuts(row: Tokens, k: int) -> NDArray[np.int64]:
    """Return the positions where a circular sequence can be cut without changing its
    letters or k-lets.

    Parameters
    ----------
    row
        One sequence (length,), length > k, that ends on the (k-1)-mer it begins with.
    k
        Letters of the k-mers whose counts are kept, at least 2.

    Returns
    -------
    ndarray
        Positions in 0, ..., length - k. A shuffle that starts from the (k-1)-mer at a
        position drawn uniformly from these is uniform over all of them together, since
        the number of trails from a (k-1)-mer is proportional to its exits (BEST
        theorem).

    Examples
    --------
    >>> circle_cuts(np.array([0, 1, 0, 2, 3, 0, 1], np.uint8), 3)
    array([0, 1])
    """
    return np.flatnonzero(_may_cut(row[None], k)[0]).astype(np.int64)


def rotated_parents(
    key: int,
    units: NDArray[np.uint64],
    tokens: Tokens,
    parent: NDArray[np.int64],
    k: int,
) -> Tokens | None:
    """Return each unit's parent from a drawn start, (n, length); None if no parent has
    a choice.
    """
    if k < 3:
        return None
    used = np.unique(parent)
    circuits = used[(tokens[used, : k - 1] == tokens[used, 1 - k :]).all(axis=1)]
    if not circuits.size:
        return None
    rows = tokens[parent]
    of = np.searchsorted(circuits, parent).clip(max=circuits.size - 1)
    mine = np.flatnonzero(circuits[of] == parent)
    row, position = np.nonzero(_may_cut(tokens[circuits], k))
    first = np.searchsorted(row, np.arange(circuits.size + 1))
    drawn = random_below(
        derive(key, "beginning"), units[mine], np.diff(first)[of[mine]]
    )
    start = position[first[of[mine]] + drawn]
    around = tokens.shape[1] - k + 1
    rows[mine] = np.take_along_axis(
        rows[mine], (start[:, None] + np.arange(tokens.shape[1])) % around, axis=1
    )
    return rows


def _may_cut(circuits: Tokens, k: int) -> NDArray[np.bool_]:
    """Say whether each circuit (n, length) may start at each position, (n, length - k +
    1).
    """
    kmers = np.sort(
        np.lib.stride_tricks.sliding_window_view(circuits, k - 1, axis=1)[:, :-1],
        axis=2,
    )
    alike: NDArray[np.bool_] = (kmers == kmers[:, :1]).all(axis=2)
    return alike
