"""Scores from answers alone: letters exchanged for those of a baseline, by window or one after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from causalgia.predict import Predictor
from causalgia.sequences.random import random_words
from causalgia.streams import derive
from causalgia.types import Tokens

_ROWS = 4_096


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
