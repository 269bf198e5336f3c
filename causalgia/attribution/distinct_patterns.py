"""Patterns of distinct words: trimmed by average mutagenesis, and merged where they are one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.average_mutagenesis import EditedBackgrounds, trimmed
from causalgia.attribution.seqlets import Group, Windows
from causalgia.sequences.alphabet import decode, reverse_complement_word


@dataclass(frozen=True)
class Pattern:
    """A pattern: its word, base frequencies, task, windows (unit, start, stop), average effect, and its methods."""

    word: str
    motif: NDArray[np.float64]
    task: int
    windows: NDArray[np.int64]
    effect: float
    methods: frozenset[str]


def distinct_patterns(
    method: str,
    listed: list[tuple[Windows, Group]],
    edited: EditedBackgrounds,
    most: int,
    both_strands: bool,
    columns: list[int],
) -> list[Pattern]:
    """Return trimmed patterns of distinct words, at most so many; words inside each other are one."""
    found: list[Pattern] = []
    for of, group in listed:
        if len(found) == most:
            break
        pattern = trimmed_pattern(method, of, group, edited, columns)
        for k, other in enumerate(found):
            first = _shared(other, pattern, both_strands)
            if first is not None:
                both = np.concatenate([other.windows, pattern.windows])
                found[k] = replace(first, task=other.task, windows=both)
                break
        else:
            found.append(pattern)
    return found


def with_others(
    found: list[Pattern],
    method: str,
    listed: list[tuple[Windows, Group]],
    edited: EditedBackgrounds,
    most: int,
    both_strands: bool,
    columns: list[int],
) -> list[Pattern]:
    """Return patterns with those that another method adds, at most so many.

    What is in an earlier pattern, holds it or is a near copy of it (`is_near_copy`) with an effect of the same sign
    adds its windows to that one, which keeps its word. Words of k letters, of which there are many, are compared before
    they are trimmed as well.
    """
    merged, n_found = list(found), len(found)
    for of, group in listed:
        if len(merged) == n_found + most:
            break
        if method == "kmer":
            spelled = decode(group.consensus[of.flank : of.flank + of.width])[0]
            sign, task = float(np.sign(of.total[group.members].sum())), int(of.task[group.members[0]])
            windows = np.stack([of.unit, of.start, of.start + of.width], axis=1)[group.members]
            whole = Pattern(spelled, np.zeros((0, 4)), task, windows, sign, frozenset([method]))
            if _added(merged, whole, both_strands):
                continue
        pattern = trimmed_pattern(method, of, group, edited, columns)
        if not _added(merged, pattern, both_strands):
            merged.append(pattern)
    return merged


def _added(merged: list[Pattern], pattern: Pattern, both_strands: bool) -> bool:
    """Add a pattern to one that it is a copy of, in place; return whether there is one."""
    for k, one in enumerate(merged):
        same = one.task == pattern.task and one.effect * pattern.effect > 0
        near = same and is_near_copy(pattern.word, one.word, both_strands=both_strands)
        if near or (len(pattern.motif) and _shared(one, pattern, both_strands) is not None):
            both = np.concatenate([one.windows, pattern.windows])
            merged[k] = replace(one, windows=both, methods=one.methods | pattern.methods)
            return True
    return False


def _shared(one: Pattern, other: Pattern, both_strands: bool) -> Pattern | None:
    """Return which of two patterns stands for both; None if they are two, or of two tasks and not the same word."""
    spelled = {other.word, reverse_complement_word(other.word)} if both_strands else {other.word}
    if one.word in spelled:
        return one
    return _one_of(one, other, both_strands) if one.task == other.task else None


def _one_of(one: Pattern, other: Pattern, both_strands: bool) -> Pattern | None:
    """Return which of two patterns stands for both, None if they are two.

    A word with half of the effect of a longer one that holds it is its core. A word that has all letters of another one
    but the first or last two, and no more than twice the effect that random letters there would give it, is half of
    that one. Other words are two, as those of overlapping sites are.
    """
    if one.effect * other.effect < 0:
        return None
    short, long = sorted((one, other), key=lambda pattern: len(pattern.word))
    weak, strong = sorted((one, other), key=lambda pattern: abs(pattern.effect))
    strands = [short.word] + ([reverse_complement_word(short.word)] if both_strands else [])
    if any(word in long.word for word in strands) and 2 * abs(short.effect) >= abs(long.effect):
        return short
    strands = [weak.word] + ([reverse_complement_word(weak.word)] if both_strands else [])
    for missing in (1, 2):
        parts = strong.word[:-missing], strong.word[missing:]
        has = any(word.endswith(parts[0]) or word.startswith(parts[1]) for word in strands)
        if has and abs(weak.effect) <= 2 * 0.25**missing * abs(strong.effect):
            return strong
    return None


def trimmed_pattern(method: str, of: Windows, group: Group, edited: EditedBackgrounds, columns: list[int]) -> Pattern:
    """Return windows as a pattern, its word trimmed by average mutagenesis; `columns` are those of the tasks."""
    covered = of.flank + np.flatnonzero(group.counts[of.flank : of.flank + of.width].any(axis=1))
    inside = int(covered[0]), int(covered[-1]) + 1
    task = int(of.task[group.members[0]])
    cut = trimmed(group.consensus, edited, inside=inside, task=columns[task])
    rows = group.counts[cut.start : cut.start + len(cut.word)].astype(np.float64)
    unit, start = of.unit[group.members], of.start[group.members]
    places = np.stack([unit, start, start + of.width], axis=1)
    share = rows / rows.sum(axis=1, keepdims=True)
    return Pattern(decode(cut.word)[0], share, task, places, cut.effect, frozenset([method]))


def is_near_copy(word: str, other: str, *, both_strands: bool) -> bool:
    """Whether two words are one, shifted: they share a run of five letters, and of all but two of the shorter.

    Words of one length that differ at their ends, without a shift, are variants and no copies.

    Examples
    --------
    >>> is_near_copy("GTGACTCA", "TGACTCAC", both_strands=False)
    True
    >>> is_near_copy("TGCATG", "AGCATG", both_strands=False), is_near_copy("TGAGTCA", "GTGACTC", both_strands=True)
    (False, True)
    """
    shorter = min(len(word), len(other))
    least = min(max(shorter - 2, 5), shorter)
    for one in [word, reverse_complement_word(word)] if both_strands else [word]:
        runs = ((i, j) for i in range(len(one) - least + 1) for j in range(len(other) - least + 1))
        shifted = ((i, j) for i, j in runs if i != j or len(one) != len(other))
        if one == other or any(one[i : i + least] == other[j : j + least] for i, j in shifted):
            return True
    return False
