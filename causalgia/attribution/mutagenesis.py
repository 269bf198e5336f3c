"""Scores from answers alone: mutagenesis of bases and of pairs, and exchanges with a baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.predict import Predictor
from causalgia.sequences.random import random_words
from causalgia.streams import derive
from causalgia.types import Array, Tokens

_ROWS = 4_096


def mutagenesis(
    predictor: Predictor, tokens: Tokens, *, progress: Callable[[int], None], tasks: slice | list[int] = slice(None)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the change of the answer by each base at each position, and the answers.

    Parameters
    ----------
    predictor
        A single predictor, which answers (n, tasks).
    tokens
        Sequences (n, length).
    progress
        Called with the number of answers since its last call.
    tasks
        Places of the tasks to keep.

    Returns
    -------
    tuple
        ``f(x with b at i) - f(x)``, (n, length, 4, tasks), 0 for the observed base; and ``f(x)``, (n, tasks).
    """
    n, length = tokens.shape
    answers = predictor.predict(tokens, progress=progress)[:, tasks].astype(np.float64)
    changes = np.zeros((n, length, 4, answers.shape[1]))
    held = predictor.backgrounds_at_once(length)
    at, step = np.repeat(np.arange(length), 3), np.tile(np.arange(1, 4, dtype=np.uint8), length)
    block = min(max(held, 1), max(1, _ROWS // (3 * length)))
    for start in range(0, n, block):
        base = tokens[start : start + block]
        rows = np.repeat(np.arange(len(base)), 3 * length)
        places, steps = np.tile(at, len(base)), np.tile(step, len(base))
        to = (base[rows, places] + steps) % 4
        edited = base[rows]
        edited[np.arange(len(rows)), places] = to
        made = predictor.edits(base).answers(edited, rows) if held else predictor.predict(edited)
        changes[start + rows, places, to] = made[:, tasks].astype(np.float64) - answers[start + rows]
        progress(len(rows))
    return changes, answers


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


def occlusion(
    predictor: Predictor,
    tokens: Tokens,
    draws: Tokens,
    *,
    width: int,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what an answer loses with the windows that cover a position, by baseline: (draws, length, tasks).

    A window has the letters of the baseline at its place. A position has the mean over the windows that cover it.

    Parameters
    ----------
    predictor
        A single predictor.
    tokens, draws
        The sequence (length,) and its baselines (draws, length).
    width
        Bases of a window.
    progress
        Called with the number of answers since its last call.
    tasks
        Places of the tasks to keep.

    Returns
    -------
    tuple
        The scores; the answer (tasks,); and the answers to the baselines (draws, tasks).
    """
    n, length = draws.shape
    n_windows = length - width + 1
    ends = _answers(predictor, np.concatenate([tokens[None], draws]), progress, tasks)
    scores = np.zeros((n, length, ends.shape[1]))
    covering = np.convolve(np.ones(n_windows), np.ones(width))
    inside = np.arange(length) - np.arange(n_windows)[:, None]
    occluded = (inside >= 0) & (inside < width)
    for row, baseline in enumerate(draws):
        lost = ends[0] - _answers(predictor, np.where(occluded, baseline, tokens), progress, tasks)
        total = np.cumsum(np.concatenate([np.zeros((1, lost.shape[1])), lost]), axis=0)
        last = np.minimum(np.arange(length), n_windows - 1) + 1
        first = np.maximum(np.arange(length) - width + 1, 0)
        scores[row] = (total[last] - total[first]) / covering[:, None]
    return scores, ends[0], ends[1:]


def shapley(
    predictor: Predictor,
    tokens: Tokens,
    draws: Tokens,
    *,
    key: int,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return Shapley values of the positions by random orders, one for each baseline: (draws, length, tasks).

    From the baseline, letters of the sequence are put in one after another, in random order; a position has the change
    that its letter makes (Castro et al. 2009, doi:10.1016/j.cor.2008.04.004). Changes add up to the difference of the
    answers in every order.

    Parameters
    ----------
    predictor
        A single predictor.
    tokens, draws
        The sequence (length,) and its baselines (draws, length).
    key
        Of the random orders.
    progress
        Called with the number of answers since its last call.
    tasks
        Places of the tasks to keep.

    Returns
    -------
    tuple
        As `occlusion`.
    """
    n, length = draws.shape
    words = random_words(derive(key, "orders"), np.arange(n, dtype=np.uint64), length)
    scores: list[NDArray[np.float64]] = []
    first, last = [], []
    for baseline, order in zip(draws, np.argsort(words, axis=1, kind="stable"), strict=True):
        rank = np.argsort(order)
        steps = np.where(rank < np.arange(length + 1)[:, None], tokens, baseline)
        answers = _answers(predictor, steps, progress, tasks)
        scores.append(np.diff(answers, axis=0)[rank])
        first.append(answers[0])
        last.append(answers[-1])
    return np.stack(scores), last[0], np.stack(first)


def _answers(
    predictor: Predictor, rows: Tokens, progress: Callable[[int], None], tasks: slice | list[int]
) -> NDArray[np.float64]:
    parts = [
        predictor.predict(rows[start : start + _ROWS], progress=progress)[:, tasks].astype(np.float64)
        for start in range(0, len(rows), _ROWS)
    ]
    return np.concatenate(parts)
