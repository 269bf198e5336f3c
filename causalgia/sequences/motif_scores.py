"""Words of a motif from weak to strong, in even steps of score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import BASES
from causalgia.sequences.motifs import Motif
from causalgia.sequences.scoring import PER_BIT, step_scores

_NEAR = 0.05
_IMPOSSIBLE = np.iinfo(np.int16).max // 2


def strength_ladder(motif: Motif, n_steps: int, *, weakest: float = 0.0) -> tuple[tuple[str, float], ...]:
    """Return `n_steps` words of a motif, from weak to strong in even steps of score, the consensus last.

    The score of a word is its log-odds against uniform bases in bits (a word of 0 bits is as likely without the motif
    as with it); each row of the motif first gets 1 % of uniform bases, so that no base is impossible. The rungs aim at
    ``weakest``, then even steps up to the consensus. A rung is the word that differs from the consensus at the fewest
    positions, among those within a twentieth of a step of its aim, or if there are none the word nearest its aim.
    Exact, by dynamic programming over all words: the fewest differences for each score that can be reached.

    Parameters
    ----------
    motif
        Whose words.
    n_steps
        How many, at least 2.
    weakest
        Aim of the first, in bits.

    Returns
    -------
    tuple
        Pairs of a word and its score in bits, rounded at each position to 0.001; scores increase.

    Raises
    ------
    SequenceError
        If `n_steps` is not a whole number of at least 2, `weakest` is not below the consensus, or no word is within
        half a step of a rung, so that words would repeat or the steps be far from even.

    Examples
    --------
    >>> toy = Motif("toy", ((0.1, 0.1, 0.7, 0.1), (0.6, 0.2, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7)))
    >>> strength_ladder(toy, 3, weakest=-1.0)
    (('GGA', -1.126), ('GGT', 1.651), ('GAT', 4.207))
    """
    steps = step_scores(motif)
    best = int(steps.max(axis=1).sum())
    _check_rungs(motif, n_steps, weakest, best)
    aims = np.linspace(weakest * PER_BIT, best, n_steps)
    fewest = _fewest_changes(steps)
    lowest = int(steps.min(axis=1).sum())
    apart = (best - weakest * PER_BIT) / (n_steps - 1)
    scores = [_reached(fewest[-1], aim - lowest, apart) + lowest for aim in aims]
    for rung, (aim, score) in enumerate(zip(aims, scores, strict=True)):
        _check_near(motif, rung, aim, score, apart)
    return tuple((_spell(steps, fewest, score - lowest), score / PER_BIT) for score in scores)


def _check_rungs(motif: Motif, n_steps: int, weakest: float, best: int) -> None:
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 2:
        msg = f"n_steps={quoted(n_steps)}; a ladder has a whole number of words, at least 2"
        raise SequenceError(msg)
    if not np.isfinite(weakest) or weakest * PER_BIT >= best:
        msg = (
            f"motif {quoted(motif.name)}: weakest={quoted(weakest)} bits, and its consensus has {best / PER_BIT:g}; "
            "give a number below that"
        )
        raise SequenceError(msg)


def _check_near(motif: Motif, rung: int, aim: float, score: int, apart: float) -> None:
    if abs(score - aim) >= apart / 2:
        msg = (
            f"motif {quoted(motif.name)}: no word scores within half a step ({apart / 2 / PER_BIT:.3g} bits) of rung "
            f"{rung}, which aims at {aim / PER_BIT:.3g} bits; the nearest scores {score / PER_BIT:.3g}: ask for fewer "
            "words, or change weakest="
        )
        raise SequenceError(msg)


def _fewest_changes(steps: NDArray[np.int64]) -> list[NDArray[np.int16]]:
    """Return, for the first 0 to w positions, the fewest differences from the consensus at each score.

    Scores are counted from the lowest that those positions can have; one that cannot be reached has a number that no
    word has.
    """
    above = steps - steps.min(axis=1, keepdims=True)
    tables = [np.zeros(1, np.int16)]
    for shifts in above:
        before = tables[-1]
        after = np.full(before.size + int(shifts.max()), _IMPOSSIBLE, np.int16)
        for base, shift in enumerate(shifts.tolist()):
            changed = before + np.int16(base != int(shifts.argmax()))
            here = after[shift : shift + before.size]
            np.minimum(here, changed, out=here)
        tables.append(np.minimum(after, _IMPOSSIBLE))
    return tables


def _reached(fewest: NDArray[np.int16], aim: float, apart: float) -> int:
    """Return the score to take for an aim: fewest differences nearby, or else the nearest."""
    scores = np.flatnonzero(fewest < _IMPOSSIBLE)
    far = np.abs(scores - aim)
    near = far <= _NEAR * apart
    if near.any():
        scores, far = scores[near], far[near]
        return int(scores[np.lexsort((scores, far, fewest[scores]))[0]])
    return int(scores[np.lexsort((scores, far))[0]])


def _spell(steps: NDArray[np.int64], fewest: list[NDArray[np.int16]], score: int) -> str:
    """Return the word of a score with the fewest differences; the first base of A, C, G, T where several do."""
    above = steps - steps.min(axis=1, keepdims=True)
    word = ""
    for i in range(len(above) - 1, -1, -1):
        left = int(fewest[i + 1][score])
        for base, shift in enumerate(above[i].tolist()):
            rest, cost = score - shift, int(base != int(above[i].argmax()))
            if 0 <= rest < fewest[i].size and int(fewest[i][rest]) + cost == left:
                word, score = BASES[base] + word, rest
                break
    return word
