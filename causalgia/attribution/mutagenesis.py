"""In-silico mutagenesis: the exact change of an answer by each substitution of one base."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from causalgia.predict import Predictor
from causalgia.types import Tokens

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
