"""Average mutagenesis of a word: the mean answer with each base at each of its positions, over backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.predict import Predictor
from causalgia.sequences.edits import overwrite
from causalgia.types import Tokens

_SHARE = 0.2
_NARROWEST = 4


@dataclass(frozen=True)
class Trimmed:
    """A word cut to, or lengthened by, the positions on which its average effect depends.

    Attributes
    ----------
    word
        Its tokens, (width,).
    start
        Its first position in the frame that was given.
    effect
        Mean answer with the word minus that of the backgrounds.
    """

    word: Tokens
    start: int
    effect: float


def mean_answers(predictor: Predictor, rows: Tokens, *, task: int) -> NDArray[np.float64]:
    """Return the answers of one task, (n,), of an ensemble the mean over its members."""
    answers = predictor.predict(rows).astype(np.float64)[:, task]
    return answers if predictor.models is None else answers.mean(axis=-1)


def trimmed(predictor: Predictor, frame: Tokens, backgrounds: Tokens, *, inside: tuple[int, int], task: int) -> Trimmed:
    """Return the part of a word on which its average effect depends, by mutagenesis in the middle of backgrounds.

    Outer positions stay where their letter carries a fifth of the word's effect (against the mean of the other three),
    or where the answers of the four bases differ by a fifth of the most that they do at any position. Then up to two
    letters on either side are added, from the sequences that propose the word, if they carry a fifth of its effect: so
    ``GCAUGU``, which backgrounds complete to ``UGCAUG`` now and then, becomes ``UGCAUG``.

    Parameters
    ----------
    predictor
        The predictor.
    frame
        Tokens of the word and of the positions beside it in the sequences that propose it, (w,).
    backgrounds
        Tokens (n, length).
    inside
        First position of the word in the frame, and one past its last.
    task
        Column of the answers.
    """
    left, right = inside
    word, length = frame[left:right], backgrounds.shape[1]
    at, width = (length - len(word)) // 2, len(word)
    without = float(mean_answers(predictor, backgrounds, task=task).mean())
    answer = _by_base(predictor, backgrounds, word, at, range(width), task)
    effect, spread = float(answer[0, word[0]]) - without, np.ptp(answer, axis=1)
    carried = np.sign(effect) * _carried(answer, word)
    belongs = np.flatnonzero((spread >= _SHARE * spread.max()) | (carried >= _SHARE * abs(effect)))
    start, stop = int(belongs[0]), int(belongs[-1]) + 1
    while stop - start < min(_NARROWEST, width):
        before, after = (spread[start - 1] if start > 0 else -1.0), (spread[stop] if stop < width else -1.0)
        start, stop = (start - 1, stop) if before >= after else (start, stop + 1)

    beside = [
        k
        for k in (start - 2, start - 1, stop, stop + 1)
        if 0 <= at + k < length and 0 <= left + k < len(frame) and frame[left + k] < 4
    ]
    answer = _by_base(predictor, backgrounds, word[start:stop], at + start, [k - start for k in beside], task)
    kept = np.sign(effect) * _carried(answer, frame[[left + k for k in beside]]) >= _SHARE * abs(effect)
    added = {k for k, keep in zip(beside, kept.tolist(), strict=True) if keep and effect != 0}
    first, last = start, stop
    while first - 1 in added:
        first -= 1
    while last in added:
        last += 1
    final = frame[left + first : left + last]
    rows = overwrite(backgrounds, final, at=at + first)
    return Trimmed(final, left + first, float(mean_answers(predictor, rows, task=task).mean()) - without)


def _carried(answer: NDArray[np.float64], letters: Tokens) -> NDArray[np.float64]:
    """Return the answer with a letter at each position minus the mean of the other three bases: (positions,)."""
    own = answer[np.arange(len(letters)), letters]
    carried: NDArray[np.float64] = own - (answer.sum(axis=1) - own) / 3
    return carried


def _by_base(
    predictor: Predictor, backgrounds: Tokens, word: Tokens, at: int, positions: Sequence[int], task: int
) -> NDArray[np.float64]:
    """Return the mean answer with each base at positions of a word, counted from its start: (positions, 4)."""
    with_word = overwrite(backgrounds, word, at=at)
    rows = np.broadcast_to(with_word, (len(positions), 4, *with_word.shape)).copy()
    for row, position in zip(rows, positions, strict=True):
        row[:, :, at + position] = np.arange(4, dtype=np.uint8)[:, None]
    answers = mean_answers(predictor, rows.reshape(-1, with_word.shape[1]), task=task)
    mean: NDArray[np.float64] = answers.reshape(len(positions), 4, -1).mean(axis=2)
    return mean
