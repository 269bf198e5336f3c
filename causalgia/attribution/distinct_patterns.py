"""Patterns of distinct motifs: trimmed by average mutagenesis, and merged where they
are one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.seqlets import NO_LETTER, Group, Windows
from causalgia.predict import Predictor
from causalgia.sequences.alphabet import decode, reverse_complement_iupac
from causalgia.sequences.motifs import NARROWEST_MOTIF
from causalgia.types import Tokens

_LETTER_SHARE = 0.2  # of the effect of a motif, that a letter carries
_LETTER_STANDARD_ERRORS = 4.0  # standard errors, of what such a letter carries


@dataclass(frozen=True)
class Trimmed:
    """A motif cut to, or lengthened by, the positions on which its average effect
    depends.

    Attributes
    ----------
    motif
        Its tokens, (width,).
    start
        Its first position in the frame that was given.
    effect
        Mean answer with the motif minus that of the backgrounds.
    """

    consensus: Tokens
    start: int
    effect: float


class EditedBackgrounds:
    """Mean answers over backgrounds with motifs put into them, through edit sessions
    where a predictor has some.

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
            self._sessions.append(
                (
                    part,
                    [part.edits(backgrounds[start : start + held]) for start in starts],
                    held,
                )
            )
        answers = (
            predictor.predict(backgrounds)
            .astype(np.float64)
            .reshape(n, -1, len(predictor.parts))
        )
        self.untreated = answers.mean(axis=(0, 2))

    def answers(self, strings: Tokens, *, at: int, task: int) -> NDArray[np.float64]:
        """Return the answer to each background with each motif (m, width) at a place:
        (m, n).

        Backgrounds keep their own letters where a motif has `NO_LETTER`.
        """
        n, stop = len(self.backgrounds), at + strings.shape[1]
        rows = np.broadcast_to(
            self.backgrounds, (len(strings), *self.backgrounds.shape)
        ).copy()
        own = self.backgrounds[:, at:stop]
        rows[:, :, at:stop] = np.where(
            strings[:, None] == NO_LETTER, own, strings[:, None]
        )
        total = np.zeros((len(strings), n))
        for part, sessions, held in self._sessions:
            for k, session in enumerate(sessions):
                units = slice(k * held, (k + 1) * held)
                block = rows[:, units]
                places = np.tile(np.arange(block.shape[1]), len(strings))
                answers = session.answers(block.reshape(-1, rows.shape[2]), places)
                total[:, units] += (
                    answers[:, task].astype(np.float64).reshape(len(strings), -1)
                )
            if not sessions:
                answers = part.predict(rows.reshape(-1, rows.shape[2]))
                total += answers[:, task].astype(np.float64).reshape(len(strings), n)
        return total / len(self._sessions)


def trimmed(
    frame: Tokens, edited: EditedBackgrounds, *, inside: tuple[int, int], task: int
) -> Trimmed:
    """Return the part of a motif on which its average effect depends, by mutagenesis in
    the middle of backgrounds.

    Outer positions stay where their letter carries a fifth of the motif's effect
    (against the mean of the other three), or where the answers of the four bases differ
    by a fifth of the most that they do at any position. Then up to two letters on
    either side are added, from the sequences that propose the motif, if they carry a
    fifth of its effect: so ``GCAUGU``, which backgrounds complete to ``UGCAUG`` now and
    then, becomes ``UGCAUG``. Beside such letters two more are added, and so on, if they
    carry as much, and four times their standard error: the motif was a part of a long
    one.

    Parameters
    ----------
    frame
        Tokens of the motif and of the positions beside it in the sequences that propose
        it, (w,).
    edited
        The backgrounds, with their predictor.
    inside
        First position of the motif in the frame, and one past its last.
    task
        Column of the answers.
    """
    left, right = inside
    letters, length = frame[left:right], edited.backgrounds.shape[1]
    at, width, without = (
        (length - len(letters)) // 2,
        len(letters),
        float(edited.untreated[task]),
    )
    answer = _by_base(edited, letters, at, at + np.arange(width), task).mean(axis=2)
    effect, spread = float(answer[0, letters[0]]) - without, np.ptp(answer, axis=1)
    carried = np.sign(effect) * _carried(answer, letters)
    belongs = np.flatnonzero(
        (spread >= _LETTER_SHARE * spread.max())
        | (carried >= _LETTER_SHARE * abs(effect))
    )
    start, stop = int(belongs[0]), int(belongs[-1]) + 1
    while stop - start < min(NARROWEST_MOTIF, width):
        before, after = (
            (spread[start - 1] if start > 0 else -1.0),
            (spread[stop] if stop < width else -1.0),
        )
        start, stop = (start - 1, stop) if before >= after else (start, stop + 1)

    first, last, least_t = start, stop, 0.0
    while True:
        beside = [
            k
            for k in (first - 2, first - 1, last, last + 1)
            if 0 <= at + k < length and 0 <= left + k < len(frame)
        ]
        places = np.array([k for k in beside if frame[left + k] < 4], dtype=np.int64)
        final = frame[left + first : left + last]
        answers = _by_base(edited, final, at + first, at + places, task)
        each = np.sign(effect) * _carried(answers, frame[left + places])
        mean, se = each.mean(axis=1), each.std(axis=1) / np.sqrt(each.shape[1])
        retained = (
            (mean >= _LETTER_SHARE * abs(effect))
            & (mean >= least_t * se)
            & (effect != 0)
        )
        added = set(places[retained].tolist())
        while first - 1 in added:
            first -= 1
        while last in added:
            last += 1
        grown = frame[left + first : left + last]
        effect = (
            float(edited.answers(grown[None], at=at + first, task=task).mean())
            - without
        )
        if len(grown) == len(final):
            return Trimmed(grown, left + first, effect)
        least_t = _LETTER_STANDARD_ERRORS


def _carried(answer: NDArray[np.float64], letters: Tokens) -> NDArray[np.float64]:
    """Return the answer with a letter at each position minus the mean of the other
    three bases: (positions, ...).
    """
    own = answer[np.arange(len(letters)), letters]
    carried: NDArray[np.float64] = own - (answer.sum(axis=1) - own) / 3
    return carried


def _by_base(
    edited: EditedBackgrounds,
    letters: Tokens,
    at: int,
    positions: NDArray[np.int64],
    task: int,
) -> NDArray[np.float64]:
    """Return the answer with each base at positions of each background, a motif at a
    place: (positions, 4, n).
    """
    n = len(edited.backgrounds)
    if not len(positions):
        return np.zeros((0, 4, n))
    first = min(at, int(positions.min()))
    template = np.full(
        max(at + len(letters), int(positions.max()) + 1) - first,
        NO_LETTER,
        dtype=np.uint8,
    )
    template[at - first : at - first + len(letters)] = letters
    strings = np.broadcast_to(template, (len(positions), 4, len(template))).copy()
    strings[np.arange(len(positions)), :, positions - first] = np.arange(
        4, dtype=np.uint8
    )
    distinct, row = np.unique(
        strings.reshape(-1, len(template)), axis=0, return_inverse=True
    )
    return edited.answers(distinct, at=first, task=task)[row].reshape(
        len(positions), 4, n
    )


@dataclass(frozen=True)
class Pattern:
    """A pattern: its motif, base frequencies, task, windows (unit, start, stop),
    and average effect.
    """

    consensus: str
    motif: NDArray[np.float64]
    task: int
    windows: NDArray[np.int64]
    effect: float


def distinct_patterns(
    listed: list[tuple[Windows, Group]],
    edited: EditedBackgrounds,
    most: int,
    both_strands: bool,
    columns: list[int],
    done: Callable[[int], None] = lambda _n: None,
) -> list[Pattern]:
    """Return trimmed patterns of distinct motifs, at most so many; motifs inside each
    other are one. `done` is called for each that was trimmed.
    """
    found: list[Pattern] = []
    for of, group in listed:
        if len(found) == most:
            break
        pattern = trimmed_pattern(of, group, edited, columns)
        done(1)
        for k, other in enumerate(found):
            first = _shared(other, pattern, both_strands)
            if first is not None:
                both = np.concatenate([other.windows, pattern.windows])
                found[k] = replace(first, task=other.task, windows=both)
                break
        else:
            found.append(pattern)
    return found


def each_motif_once(patterns: list[Pattern], *, both_strands: bool) -> list[Pattern]:
    """Return patterns of different motifs: later ones of a motif, shortened or
    lengthened to it, add to the first.
    """
    found: dict[str, Pattern] = {}
    for pattern in patterns:
        other = reverse_complement_iupac(pattern.consensus)
        letters = other if both_strands and other in found else pattern.consensus
        if letters not in found:
            found[letters] = pattern
            continue
        one = found[letters]
        both = np.concatenate([one.windows, pattern.windows])
        found[letters] = replace(one, windows=both)
    return list(found.values())


def _shared(one: Pattern, other: Pattern, both_strands: bool) -> Pattern | None:
    """Return which of two patterns stands for both; None if they are two, or of two
    tasks and not the same motif.
    """
    spelled = (
        {other.consensus, reverse_complement_iupac(other.consensus)}
        if both_strands
        else {other.consensus}
    )
    if one.consensus in spelled:
        return one
    return _one_of(one, other, both_strands) if one.task == other.task else None


def _one_of(one: Pattern, other: Pattern, both_strands: bool) -> Pattern | None:
    """Return which of two patterns stands for both, None if they are two.

    A motif with half of the effect of a longer one that holds it is its core. A motif
    that has all letters of another one but the first or last two, and no more than
    twice the effect that random letters there would give it, is half of that one. Other
    motifs are two, as those of overlapping sites are.
    """
    if one.effect * other.effect < 0:
        return None
    short, long = sorted((one, other), key=lambda pattern: len(pattern.consensus))
    weak, strong = sorted((one, other), key=lambda pattern: abs(pattern.effect))
    strands = [short.consensus] + (
        [reverse_complement_iupac(short.consensus)] if both_strands else []
    )
    if any(letters in long.consensus for letters in strands) and 2 * abs(
        short.effect
    ) >= abs(long.effect):
        return short
    strands = [weak.consensus] + (
        [reverse_complement_iupac(weak.consensus)] if both_strands else []
    )
    for missing in (1, 2):
        parts = strong.consensus[:-missing], strong.consensus[missing:]
        has = any(
            letters.endswith(parts[0]) or letters.startswith(parts[1])
            for letters in strands
        )
        if has and abs(weak.effect) <= 2 * 0.25**missing * abs(strong.effect):
            return strong
    return None


def trimmed_pattern(
    of: Windows,
    group: Group,
    edited: EditedBackgrounds,
    columns: list[int],
) -> Pattern:
    """Return windows as a pattern, its motif trimmed by average mutagenesis; `columns`
    are those of the tasks.
    """
    covered = of.flank + np.flatnonzero(
        group.counts[of.flank : of.flank + of.width].any(axis=1)
    )
    inside = int(covered[0]), int(covered[-1]) + 1
    task = int(of.task[group.members[0]])
    cut = trimmed(group.consensus, edited, inside=inside, task=columns[task])
    rows = group.counts[cut.start : cut.start + len(cut.consensus)].astype(np.float64)
    unit, start = of.unit[group.members], of.start[group.members]
    places = np.stack([unit, start, start + of.width], axis=1)
    share = rows / rows.sum(axis=1, keepdims=True)
    return Pattern(decode(cut.consensus)[0], share, task, places, cut.effect)
