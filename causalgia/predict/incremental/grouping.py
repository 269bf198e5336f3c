"""Which positions edits change, and which edits are recomputed together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.predict.incremental.reach import Span
from causalgia.types import Ints, Tokens

_AT_ONCE = 2**22


def changed(base: Tokens, edited: Tokens, rows: Ints) -> tuple[Ints, Ints]:
    """Return the first changed position of each edited sequence (m, length), and the one after the last.

    Row i is compared with ``base[rows[i]]``; both are -1 where nothing differs.

    Examples
    --------
    >>> base = np.zeros((2, 6), np.uint8)
    >>> edited = np.array([[0, 1, 0, 2, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8)
    >>> changed(base, edited, np.array([0, 1]))
    (array([ 1, -1]), array([ 4, -1]))
    """
    starts, stops = (np.full(len(rows), -1, np.int64) for _ in range(2))
    length = base.shape[1]
    for first in range(0, len(rows), step := max(1, _AT_ONCE // length)):
        part = slice(first, first + step)
        differs = edited[part] != base[rows[part]]
        some = differs.any(axis=1)
        starts[part][some] = differs[some].argmax(axis=1)
        stops[part][some] = length - differs[some, ::-1].argmax(axis=1)
    return starts, stops


def grouped(starts: Ints, stops: Ints, *, length: int, n_base: int) -> list[tuple[Span, Ints]]:
    """Return spans, and the rows that are recomputed on each, in the order of the spans; rows without edit in none.

    Edits at one place (those that lie within twice the widest of them) are taken together: outer letters may have
    been there already. Else a span that half of the units have is taken as it is, with those inside it that are at
    least half as wide, and the rest, such as words at random places, goes to spans of a grid, half as wide again as
    the next power of two, so that few of them occur.

    Examples
    --------
    >>> starts, stops = np.array([4, 4, 5, -1, 19]), np.array([8, 8, 8, -1, 21])
    >>> [(span, rows.tolist()) for span, rows in grouped(starts, stops, length=30, n_base=4)]
    [((4, 8), [0, 1, 2]), ((19, 22), [4])]
    >>> [(span, rows.tolist()) for span, rows in grouped(starts[:4], stops[:4], length=30, n_base=4)]
    [((4, 8), [0, 1, 2])]
    """
    edits = np.flatnonzero(starts >= 0)
    if not edits.size:
        return []
    whole = int(starts[edits].min()), int(stops[edits].max())
    if whole[1] - whole[0] <= 2 * int((stops - starts).max()):
        return [(whole, edits)]
    pairs, place, counts = np.unique(np.stack([starts, stops], 1), axis=0, return_inverse=True, return_counts=True)
    owners = _owners([(int(a), int(b)) for a, b in pairs], counts, length, n_base)
    place = place.reshape(-1)
    found: dict[Span, list[int]] = {}
    for number, span in enumerate(owners):
        if span is not None:
            found.setdefault(span, []).append(number)
    return [(span, np.flatnonzero(np.isin(place, found[span]))) for span in sorted(found)]


def _owners(pairs: list[Span], counts: NDArray[np.int64], length: int, n_base: int) -> list[Span | None]:
    """Return the span on which each distinct span of edits is recomputed; None for no edit."""
    frequent = [pair for pair, n in zip(pairs, counts, strict=True) if pair[0] >= 0 and 2 * n >= n_base]
    return [None if pair[0] < 0 else _owner(pair, frequent, length) for pair in pairs]


def _owner(pair: Span, frequent: list[Span], length: int) -> Span:
    holding = [s for s in frequent if s[0] <= pair[0] and pair[1] <= s[1] <= s[0] + 2 * (pair[1] - pair[0])]
    return max(holding, key=lambda s: (s[1] - s[0], s)) if holding else _on_grid(pair, length)


def _on_grid(pair: Span, length: int) -> Span:
    """Return a span of a coarse grid that holds another one.

    Examples
    --------
    >>> _on_grid((13, 19), 100), _on_grid((97, 99), 100), _on_grid((5, 95), 100), _on_grid((7, 8), 100)
    ((12, 24), (97, 100), (0, 100), (7, 8))
    """
    size = 1 << (pair[1] - pair[0] - 1).bit_length()
    step = max(size // 2, 1)
    start = pair[0] // step * step
    width = size + step if size > 1 else 1
    if width >= length:
        return 0, length
    start = min(start, length - width)
    return start, start + width


def layered(rows: Ints, n: int) -> tuple[Ints, Ints]:
    """Arrange edits of n units in layers of whole sets of units.

    Returns the layers (layers, n) of indices into `rows`, -1 where a unit has no such edit, and the indices of the
    edits that are left, because fewer than half of the units have that many.

    Examples
    --------
    >>> layers, left = layered(np.array([0, 1, 2, 0, 2, 0]), 3)
    >>> layers.tolist(), left.tolist()
    ([[0, 1, 2], [3, -1, 4]], [5])
    """
    order = np.argsort(rows, kind="stable")
    sorted_rows = rows[order]
    counts = np.bincount(rows, minlength=n)
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((int(counts.max(initial=0)), n), -1, np.int64)
    table[rank, sorted_rows] = order
    full = 2 * (table >= 0).sum(axis=1) >= n
    left = table[~full]
    return table[full], left[left >= 0]


def other_strand(tokens: Tokens) -> Tokens:
    """Return the reverse complements of sequences (m, length)."""
    return np.ascontiguousarray((3 - tokens)[:, ::-1])
