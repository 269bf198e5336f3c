"""Average mutagenesis of a word: the mean answer with each base at each of its positions, over backgrounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.seqlets import NO_LETTER
from causalgia.predict import Predictor
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


class EditedBackgrounds:
    """Mean answers over backgrounds with words put into them, through edit sessions where a predictor has some.

    Parameters
    ----------
    predictor
        The predictor; of an ensemble, answers are averaged over its members.
    backgrounds
        Tokens (n, length).
    """

    def __init__(self, predictor: Predictor, backgrounds: Tokens) -> None:
        self.backgrounds = backgrounds
        n = len(backgrounds)
        self._sessions = []
        for part in predictor.parts:
            held = part.backgrounds_at_once(backgrounds.shape[1])
            starts = range(0, n, held) if held else ()
            self._sessions.append((part, [part.edits(backgrounds[start : start + held]) for start in starts], held))
        answers = predictor.predict(backgrounds).astype(np.float64).reshape(n, -1, len(predictor.parts))
        self.untreated = answers.mean(axis=(0, 2))

    def mean_answers(self, words: Tokens, *, at: int, task: int) -> NDArray[np.float64]:
        """Return the mean answer with each word (m, width) at a place of the backgrounds: (m,).

        Backgrounds keep their own letters where a word has `NO_LETTER`.
        """
        n, stop = len(self.backgrounds), at + words.shape[1]
        rows = np.broadcast_to(self.backgrounds, (len(words), *self.backgrounds.shape)).copy()
        own = self.backgrounds[:, at:stop]
        rows[:, :, at:stop] = np.where(words[:, None] == NO_LETTER, own, words[:, None])
        mean = np.zeros(len(words))
        for part, sessions, held in self._sessions:
            for k, session in enumerate(sessions):
                block = rows[:, k * held : (k + 1) * held]
                places = np.tile(np.arange(block.shape[1]), len(words))
                answers = session.answers(block.reshape(-1, rows.shape[2]), places)
                mean += answers[:, task].astype(np.float64).reshape(len(words), -1).sum(axis=1)
            if not sessions:
                answers = part.predict(rows.reshape(-1, rows.shape[2]))
                mean += answers[:, task].astype(np.float64).reshape(len(words), n).sum(axis=1)
        return mean / (n * len(self._sessions))


def trimmed(frame: Tokens, edited: EditedBackgrounds, *, inside: tuple[int, int], task: int) -> Trimmed:
    """Return the part of a word on which its average effect depends, by mutagenesis in the middle of backgrounds.

    Outer positions stay where their letter carries a fifth of the word's effect (against the mean of the other three),
    or where the answers of the four bases differ by a fifth of the most that they do at any position. Then up to two
    letters on either side are added, from the sequences that propose the word, if they carry a fifth of its effect: so
    ``GCAUGU``, which backgrounds complete to ``UGCAUG`` now and then, becomes ``UGCAUG``.

    Parameters
    ----------
    frame
        Tokens of the word and of the positions beside it in the sequences that propose it, (w,).
    edited
        The backgrounds, with their predictor.
    inside
        First position of the word in the frame, and one past its last.
    task
        Column of the answers.
    """
    left, right = inside
    word, length = frame[left:right], edited.backgrounds.shape[1]
    at, width, without = (length - len(word)) // 2, len(word), float(edited.untreated[task])
    answer = _by_base(edited, word, at, at + np.arange(width), task)
    effect, spread = float(answer[0, word[0]]) - without, np.ptp(answer, axis=1)
    carried = np.sign(effect) * _carried(answer, word)
    belongs = np.flatnonzero((spread >= _SHARE * spread.max()) | (carried >= _SHARE * abs(effect)))
    start, stop = int(belongs[0]), int(belongs[-1]) + 1
    while stop - start < min(_NARROWEST, width):
        before, after = (spread[start - 1] if start > 0 else -1.0), (spread[stop] if stop < width else -1.0)
        start, stop = (start - 1, stop) if before >= after else (start, stop + 1)

    beside = np.array(
        [
            k
            for k in (start - 2, start - 1, stop, stop + 1)
            if 0 <= at + k < length and 0 <= left + k < len(frame) and frame[left + k] < 4
        ],
        dtype=np.int64,
    )
    answer = _by_base(edited, word[start:stop], at + start, at + beside, task)
    kept = np.sign(effect) * _carried(answer, frame[left + beside]) >= _SHARE * abs(effect)
    added = {k for k, keep in zip(beside.tolist(), kept.tolist(), strict=True) if keep and effect != 0}
    first, last = start, stop
    while first - 1 in added:
        first -= 1
    while last in added:
        last += 1
    final = frame[left + first : left + last]
    answers = edited.mean_answers(final[None], at=at + first, task=task)
    return Trimmed(final, left + first, float(answers[0]) - without)


def _carried(answer: NDArray[np.float64], letters: Tokens) -> NDArray[np.float64]:
    """Return the answer with a letter at each position minus the mean of the other three bases: (positions,)."""
    own = answer[np.arange(len(letters)), letters]
    carried: NDArray[np.float64] = own - (answer.sum(axis=1) - own) / 3
    return carried


def _by_base(
    edited: EditedBackgrounds, word: Tokens, at: int, positions: NDArray[np.int64], task: int
) -> NDArray[np.float64]:
    """Return the mean answer with each base at positions of the backgrounds, a word at a place: (positions, 4)."""
    if not len(positions):
        return np.zeros((0, 4))
    first = min(at, int(positions.min()))
    template = np.full(max(at + len(word), int(positions.max()) + 1) - first, NO_LETTER, dtype=np.uint8)
    template[at - first : at - first + len(word)] = word
    words = np.broadcast_to(template, (len(positions), 4, len(template))).copy()
    words[np.arange(len(positions)), :, positions - first] = np.arange(4, dtype=np.uint8)
    distinct, row = np.unique(words.reshape(-1, len(template)), axis=0, return_inverse=True)
    return edited.mean_answers(distinct, at=first, task=task)[row].reshape(len(positions), 4)
