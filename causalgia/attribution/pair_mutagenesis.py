"""Pair mutagenesis: how far the change by two substitutions is from the sum of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.predict import Predictor
from causalgia.types import Array, Tokens

_ROWS = 4_096
_STEPS = np.arange(1, 4, dtype=np.uint8)


class PairChanges(NamedTuple):
    """What pair mutagenesis found.

    Attributes
    ----------
    interaction
        ``f(x) - mean f(x_i) - mean f(x_j) + mean f(x_ij)`` of each pair, (n, pairs, tasks).
    answers
        ``f(x)``, (n, tasks).
    largest
        Largest absolute answer to a sequence or one of its edits, (n, tasks).
    """

    interaction: Array
    answers: Array
    largest: Array


def pair_mutagenesis(
    predictor: Predictor,
    tokens: Tokens,
    places: NDArray[np.int64],
    pairs: NDArray[np.int64],
    *,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> PairChanges:
    """Return the interaction of the bases at pairs of positions, over the 3 x 3 exchanges of both.

    Double mutants are asked for as single substitutions of single mutants: an edit is then one base wide however far
    apart the two positions are, which is what a session of edits recomputes fastest.

    Parameters
    ----------
    predictor
        A single predictor, which answers (n, tasks).
    tokens
        Sequences (n, length).
    places
        Positions that are exchanged, (n, m); those of a sequence are distinct.
    pairs
        Columns of `places`, (pairs, 2), sorted by the first.
    progress
        Called with the number of answers since its last call.
    tasks
        Columns of the answers to keep.
    """
    (n, m), n_pairs = places.shape, len(pairs)
    answers = predictor.predict(tokens, progress=progress)[:, tasks].astype(np.float64)
    largest = np.abs(answers)
    one, both = np.zeros((n, m, answers.shape[1])), np.zeros((n, n_pairs, answers.shape[1]))
    held = predictor.backgrounds_at_once(tokens.shape[1])

    def add(total: Array, base: Tokens, own: NDArray[np.int64], rows: NDArray[np.int64], to: NDArray[np.int64]) -> None:
        """Add answers to substitutions in `base`, made of the sequences `own`; `to` are columns of `total`."""
        column = to if total is one else pairs[to, 1]
        at, rows = np.repeat(places[own[rows], column], 3), np.repeat(rows, 3)
        edited = base[rows]
        each = np.arange(len(rows))
        edited[each, at] = (edited[each, at] + np.tile(_STEPS, len(to))) % 4
        made = predictor.edits(base).answers(edited, rows) if held else predictor.predict(edited)
        found = made[:, tasks].astype(np.float64)
        np.add.at(total, (own[rows], np.repeat(to, 3)), found)
        np.maximum.at(largest, own[rows], np.abs(found))
        progress(len(rows))

    limit = max(held, 1) if held else _ROWS
    block = max(1, min(limit, _ROWS // (3 * m)))
    for start in range(0, n, block):
        own = np.arange(start, min(start + block, n))
        rows, to = np.divmod(np.arange(len(own) * m), m)
        add(one, tokens[own], own, rows, to)

    firsts, begins, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    width = len(firsts) * 3
    n_edits = np.tile(np.repeat(3 * counts, 3), n)  # of each single mutant: (sequence, first position, base)
    start = 0
    while start < len(n_edits):
        some = np.cumsum(n_edits[start : start + limit])
        stop = start + max(1, int(np.searchsorted(some, _ROWS, side="right")))
        mutant = np.arange(start, stop)
        own, which = mutant // width, mutant % width // 3
        at = places[own, firsts[which]]
        base = tokens[own]
        base[np.arange(len(base)), at] = (base[np.arange(len(base)), at] + _STEPS[mutant % 3]) % 4
        rows = np.repeat(np.arange(len(base)), counts[which])
        to = np.concatenate([np.arange(begins[k], begins[k] + counts[k]) for k in which])
        add(both, base, own, rows, to)
        start = stop
    interaction = answers[:, None] - (one[:, pairs[:, 0]] + one[:, pairs[:, 1]]) / 3 + both / 9
    return PairChanges(interaction, answers, largest)
