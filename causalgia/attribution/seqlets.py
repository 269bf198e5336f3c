"""Seqlets, windows of a sequence with a large part of an answer, and the patterns that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from causalgia.types import Tokens

_AT_LEAST = 5
_SHARE = 0.25
NO_LETTER = 9


@dataclass(frozen=True)
class Windows:
    """Windows of equal width in sequences, with the contributions inside them.

    Attributes
    ----------
    unit, start, task
        Of each window, (n,): the row of its sequence, its first position, and the task of the map.
    total
        Sum of its contributions, (n,).
    letters
        Its tokens with `flank` positions on either side, (n, width + 2 flank); 9 outside of the sequence.
    contributions
        Of its positions, (n, width).
    """

    unit: NDArray[np.int64]
    start: NDArray[np.int64]
    task: NDArray[np.int64]
    total: NDArray[np.float64]
    letters: Tokens
    contributions: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Positions of a window."""
        return int(self.contributions.shape[1])

    @property
    def flank(self) -> int:
        """Positions on either side of a window of which the letters are held."""
        return (int(self.letters.shape[1]) - self.width) // 2


@dataclass(frozen=True)
class Group:
    """Windows of one pattern.

    Attributes
    ----------
    members
        Rows of the windows, (m,); the first is the one with the largest contributions.
    counts
        Letters of the aligned windows with their flanks, (width + 2 flank, 4).
    consensus
        The most frequent letter at each of these positions, (width + 2 flank,); 9 where no window reaches.
    """

    members: NDArray[np.int64]
    counts: NDArray[np.int64]
    consensus: Tokens


def window_sums(contributions: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the sums of contributions (n, length, ...) in all windows: (n, length - width + 1, ...)."""
    total = np.cumsum(np.concatenate([np.zeros_like(contributions[:, :1]), contributions], axis=1), axis=1)
    sums: NDArray[np.float64] = total[:, width:] - total[:, :-width]
    return sums


def windows(
    tokens: Tokens,
    contributions: NDArray[np.float64],
    *,
    width: int,
    below: NDArray[np.float64],
    above: NDArray[np.float64],
) -> Windows:
    """Return the windows whose summed contributions lie beyond two limits, the largest first, without overlaps.

    Parameters
    ----------
    tokens
        Sequences (n, length).
    contributions
        Of the observed bases, (n, length, tasks).
    width
        Positions of a window.
    below, above
        Limits of each task, (tasks,).
    """
    found = []
    for task in range(contributions.shape[2]):
        sums = window_sums(contributions[:, :, task], width)
        size = np.where((sums > above[task]) | (sums < below[task]), np.abs(sums), 0.0)
        place = np.arange(size.shape[1])
        while (size > 0).any():
            best = size.argmax(axis=1)
            rows = np.flatnonzero(size[np.arange(len(size)), best] > 0)
            found.append(np.stack([rows, best[rows], np.full(len(rows), task)]))
            size[np.abs(place - best[:, None]) < width] = 0.0
    unit, start, of_task = np.concatenate([np.zeros((3, 0), np.int64), *found], axis=1)
    return windows_at(tokens, contributions, unit, start, of_task, width)


def all_windows(tokens: Tokens, contributions: NDArray[np.float64], *, width: int) -> Windows:
    """Return every window of every sequence, with the contributions of each task (n, length, tasks)."""
    shape = len(tokens), tokens.shape[1] - width + 1, contributions.shape[2]
    unit, start, task = (index.ravel() for index in np.indices(shape))
    return windows_at(tokens, contributions, unit, start, task, width)


def windows_at(
    tokens: Tokens,
    contributions: NDArray[np.float64],
    unit: NDArray[np.int64],
    start: NDArray[np.int64],
    task: NDArray[np.int64],
    width: int,
) -> Windows:
    """Return the windows of a width at places (m,), the largest first.

    Parameters
    ----------
    tokens
        Sequences (n, length).
    contributions
        Of the observed bases, (n, length, tasks).
    unit, start, task
        Row of the sequence, first position and task of each window, (m,).
    width
        Positions of a window.
    """
    flank = width // 2
    padded = np.pad(tokens, ((0, 0), (flank, flank)), constant_values=NO_LETTER)
    letters = sliding_window_view(padded, width + 2 * flank, axis=1)[unit, start]
    inside = sliding_window_view(contributions, width, axis=1)[unit, start, task]
    total = inside.sum(axis=1)
    order = np.lexsort((start, unit, task, -np.abs(total)))
    return Windows(unit[order], start[order], task[order], total[order], letters[order], inside[order])


def groups(of: Windows, *, both_strands: bool) -> list[Group]:
    """Return windows of equal words as groups, each around the one with the largest contributions left.

    The word of a group is the letters of that window with a contribution of a quarter of its largest or more (five at
    the least). Windows of the same sign that have the word, up to half a width away, are of the group. Letters are
    compared, not contributions: words of one motif that differ at a single base may differ in effect, and are proposed
    one by one.

    Parameters
    ----------
    of
        Windows, the largest first.
    both_strands
        Whether a word and its reverse complement are one.
    """
    flank, width = of.flank, of.width
    opposite = np.where(of.letters == NO_LETTER, NO_LETTER, 3 - of.letters)[:, ::-1]
    strands = [of.letters, opposite] if both_strands else [of.letters]
    shifts = np.array(sorted(range(-flank, flank + 1), key=abs))
    free = np.ones(len(of.total), dtype=bool)
    found = []
    for leader in range(len(of.total)):
        if not free[leader]:
            continue
        size = np.abs(of.contributions[leader])
        least = min(np.sort(size)[-min(_AT_LEAST, width)], _SHARE * size.max())
        at = np.flatnonzero(size >= least)
        word = of.letters[leader, flank + at]
        rows = np.flatnonzero(free & (np.sign(of.total) == np.sign(of.total[leader])))
        aligned = np.full((len(rows), width + 2 * flank), NO_LETTER, dtype=np.uint8)
        is_member = np.zeros(len(rows), dtype=bool)
        for letters in strands:
            for shift in shifts:
                left = np.flatnonzero(~is_member)
                have = left[(letters[rows[left][:, None], flank + shift + at] == word).all(axis=1)]
                is_member[have] = True
                to = slice(max(0, -shift), width + 2 * flank - max(0, shift))
                source = slice(max(0, shift), width + 2 * flank - max(0, -shift))
                aligned[have, to] = letters[rows[have], source]
        found.append(group_of(rows[is_member], aligned[is_member]))
        free[found[-1].members] = False
    return found


def groups_of_words(of: Windows) -> list[Group]:
    """Return windows of a task grouped by their whole words, in the order of their first windows."""
    words = of.letters[:, of.flank : of.flank + of.width]
    codes = words.astype(np.int64) @ 4 ** np.arange(of.width, dtype=np.int64) + of.task * 4**of.width
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    return [group_of(parts[k], of.letters[parts[k]]) for k in np.argsort(first)]


def group_of(members: NDArray[np.int64], aligned: Tokens) -> Group:
    """Return windows as a group, with their aligned letters (m, width + 2 flank)."""
    counts = (aligned[:, :, None] == np.arange(4)).sum(axis=0)
    consensus = np.where(counts.any(axis=1), counts.argmax(axis=1), NO_LETTER).astype(np.uint8)
    return Group(members, counts, consensus)
