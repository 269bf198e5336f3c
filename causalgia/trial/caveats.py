"""What a report notes of a design by itself: controls that differ in place or length, sites too near, words again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.design import Arm, Design, Embed, EmbedEach, Insert, Intervention, Placebo, Sequential
from causalgia.design.layout import Layout, Written
from causalgia.design.patterned import Patterned, PlaceboWord
from causalgia.sequences.alphabet import Tokens, encode
from causalgia.sequences.scanning import find_instances
from causalgia.trial.describing import applied
from causalgia.trial.turns import Drawn, backgrounds

NEAR = 5
"""Bases between two sites below which their junction is scanned."""
OFTEN = 0.1
"""Share of the units from which a word in the flanks is noted."""
_UNITS, _WORDS, _SHORTEST, _NAMED, _SELDOM = 256, 8, 4, 3, 0.01


def notes_of_design(design: Design, analysis: Analysis | None, *, key: int) -> list[str]:
    """Return what a reader must know of a design beside its results, a sentence each; none where all is as it should.

    Looked at are contrasts of one arm minus one other (those that the design or the analysis names), whose only
    difference is one written pattern: a control at another place or of another length, and a placebo that is a
    rearrangement of another word. And arms, on up to 256 units of the trial: two sites with fewer than 5 bases between
    them, with what words of the design arise at the junction; and an embedded word that at least a tenth of the units
    have elsewhere too.

    Parameters
    ----------
    design, analysis
        What is asked of which arms.
    key
        Root key of the trial.
    """
    arms = {arm.name: arm for arm in design.named_arms}
    pairs = list(_pairs(design, analysis, arms))
    sentences = [*_mismatches(pairs), *_other_placebos(pairs)]
    words = _words(design)
    near = {name: spans for name, arm in arms.items() if (spans := _near(arm, design.null.length))}
    if not (near or words):
        return sentences
    units = backgrounds(design, 0, min(_UNITS, design.n_units), key=key)
    if near:
        sentences.append(_at_junctions(near, arms, units, words, key))
    again = [text for word in words[:_WORDS] if (text := _again(word, design, pairs, units, key))]
    cure = "the effect there is that of one more copy; a longer word, or a null model that lacks it, asks for the first"
    return sentences + ([f"{_some(again, 'words')}: {cure}"] if again else [])


@dataclass(frozen=True)
class _Pair:
    """A contrast of two arms that differ in one written pattern."""

    contrast: str
    treated: str
    control: str
    one: Patterned
    other: Patterned


def _pairs(design: Design, analysis: Analysis | None, arms: Mapping[str, Arm]) -> Iterator[_Pair]:
    for contrast, weights in _contrasts(design, analysis).items():
        plus = [name for name, weight in weights.items() if weight > 0]
        minus = [name for name, weight in weights.items() if weight < 0]
        if len(plus) != 1 or len(minus) != 1 or not {plus[0], minus[0]} <= arms.keys():
            continue
        one, other = _apart(arms[plus[0]].intervention, arms[minus[0]].intervention)
        if len(one) == len(other) == 1 and isinstance(one[0], Patterned) and isinstance(other[0], Patterned):
            yield _Pair(contrast, plus[0], minus[0], one[0], other[0])


def _contrasts(design: Design, analysis: Analysis | None) -> Mapping[str, Mapping[str, float]]:
    asked = (analysis or Analysis()).asking(design.asked)
    if asked.control is not None:
        control = str(asked.control)
        return {arm: {arm: 1.0, control: -1.0} for arm in design.arm_names if arm != control}
    return {} if asked.interaction else asked.weights_by_contrast or {}


def _steps(done: Intervention) -> tuple[Intervention, ...]:
    return done.steps if isinstance(done, Sequential) else () if done.kind == "untreated" else (done,)


def _apart(one: Intervention, other: Intervention) -> tuple[list[Intervention], list[Intervention]]:
    """Return the steps that two arms do not share."""
    first, second = list(_steps(one)), list(_steps(other))
    for step in list(first):
        if step in second:
            first.remove(step)
            second.remove(step)
    return first, second


def _is_placebo(step: Patterned) -> bool:
    return isinstance(step, Placebo | PlaceboWord)


def _mismatches(pairs: list[_Pair]) -> list[str]:
    """Note controls at another place, or of another length."""
    found = []
    for pair in pairs:
        one, other = pair.one, pair.other
        moved = one.at != other.at and not _same_word(one, other)
        what = [f"at {one.at} against {other.at}"] if moved else []
        what += [f"{one.width} bases against {other.width}"] if one.width != other.width else []
        if what:
            found.append(f"'{pair.treated}' and its control '{pair.control}' differ in {_kinds(moved, what)}")
    cure = "write both over the same bases, or part of the effect is of the place or the length and not of the word"
    return [f"{_some(found)}; {cure}"] if found else []


def _same_word(one: Patterned, other: Patterned) -> bool:
    """Say whether place is the question: the same pattern, not a placebo of it."""
    return one.written == other.written and _is_placebo(one) == _is_placebo(other)


def _kinds(moved: bool, what: list[str]) -> str:
    kinds = [*(["place"] if moved else []), *(["length"] if len(what) > moved else [])]
    return f"{' and '.join(kinds)} ({', '.join(what)})"


def _other_placebos(pairs: list[_Pair]) -> list[str]:
    """Note placebos that are rearrangements of another word, with the composition that differs."""
    found = []
    for pair in pairs:
        if _is_placebo(pair.other) and not _belongs(pair.one, pair.other):
            one, other = pair.one.written, pair.other.written
            share = f"GC {_gc(one.word):.2f} against {_gc(other.word):.2f}"
            found.append(
                f"the control '{pair.control}' of '{pair.treated}' rearranges {other.label}, not {one.label} ({share})"
            )
    cure = "a placebo of its own word keeps the composition: cg.Placebo of the same pattern at the same place"
    return [f"{_some(found)}; {cure}"] if found else []


def _belongs(one: Patterned, placebo: Patterned) -> bool:
    """Say whether a placebo may be a rearrangement of what the other arm writes."""
    word, other = one.written, placebo.written
    if word == other:
        return True
    if word.random or other.random or not (isinstance(word.reads, str) and isinstance(other.reads, str)):
        return isinstance(placebo, PlaceboWord) and len(word) == len(other)  # of an instance that is not known here
    return sorted(word.reads) == sorted(other.reads)


def _gc(word: str) -> float:
    return sum(letter in "GCS" for letter in word) / len(word)


def _words(design: Design) -> list[str]:
    """Return the words of at least 4 fixed bases that arms embed, placebo words left out."""
    steps = (step for arm in design.named_arms for step in _steps(arm.intervention))
    words = (
        step.written.reads
        for step in steps
        if isinstance(step, Embed | Insert) and not isinstance(step, PlaceboWord) and not step.random
    )
    return [word for word in dict.fromkeys(words) if isinstance(word, str) and len(word) >= _SHORTEST]


def _written(arm: Arm, length: int) -> tuple[Written, ...]:
    if any(isinstance(step, EmbedEach) for step in _steps(arm.intervention)):
        return ()
    return tuple(sorted(arm.intervention.lay(Layout(length)).written, key=lambda w: w.start))


def _near(arm: Arm, length: int) -> list[tuple[Written, Written]]:
    """Return neighboring sites of an arm with fewer than 5 bases between them."""
    spans = _written(arm, length)
    return [(a, b) for a, b in pairwise(spans) if 0 <= b.start - a.stop < NEAR]


def _at_junctions(
    near: Mapping[str, list[tuple[Written, Written]]],
    arms: Mapping[str, Arm],
    units: Drawn,
    words: list[str],
    key: int,
) -> str:
    """Say which arms have sites that near, and which words of the design arise there, in what share of the units."""
    arising: list[tuple[float, str]] = []
    for name, junctions in near.items():
        after = applied(arms[name], units.tokens, units.ids, key)
        for word in words:
            share = float(np.mean(_across(after, word, junctions)))
            if share >= _SELDOM:
                arising.append((share, f"{word} arises in {share:.0%} of the units of '{name}'"))
    gaps = [b.start - a.stop for junctions in near.values() for a, b in junctions]
    some = ", ".join(f"'{name}'" for name in list(near)[:_NAMED])
    more = f" and {len(near) - _NAMED} more arms" if len(near) > _NAMED else ""
    apart = f"{min(gaps)}" if min(gaps) == max(gaps) else f"{min(gaps)} to {max(gaps)}"
    head = f"two sites lie {apart} base{'' if apart == '1' else 's'} apart in {some}{more}"
    if not arising:
        return f"{head}; at the junction no word of the design arises in 1 % of {len(units.ids):,} units"
    worst = "; ".join(text for _, text in sorted(arising, reverse=True)[:_NAMED])
    return f"{head}: at the junction {worst}; put them further apart, or cg.experiments.junctions says where"


def _across(after: Tokens, word: str, junctions: list[tuple[Written, Written]]) -> NDArray[np.bool_]:
    """Return in which sequences a word reads across a junction, and not wholly inside one of its sites."""
    flags = np.zeros(len(after), bool)
    for a, b in junctions:
        first = max(0, a.start - len(word) + 1)
        window = after[:, first : b.stop + len(word) - 1]
        if window.shape[1] < len(word):
            continue
        found = find_instances(window, word, overlapping=True)
        start, stop = found.start + first, found.start + first + found.width
        across = (start < b.start) & (stop > a.stop)
        inside = ((start >= a.start) & (stop <= a.stop)) | ((start >= b.start) & (stop <= b.stop))
        flags[found.row[across & ~inside]] = True
    return flags


def _again(word: str, design: Design, pairs: list[_Pair], units: Drawn, key: int) -> str:
    """Say that units have an embedded word elsewhere too, under the arm and under its control."""
    arms = {arm.name: arm for arm in design.named_arms}
    treated = next(
        arm
        for arm in design.named_arms
        if any(isinstance(step, Embed | Insert) and step.written.reads == word for step in _steps(arm.intervention))
    )
    share = _elsewhere(treated, word, units, design.null.length, key)
    if share < OFTEN:
        return ""
    control = next((pair.control for pair in pairs if pair.treated == treated.name), None)
    beside = ""
    if control is not None:
        beside = f" (under '{control}' {_elsewhere(arms[control], word, units, design.null.length, key):.0%})"
    return f"{word} is in the flanks too, in {share:.0%} of the units under '{treated.name}'{beside}"


def _elsewhere(arm: Arm, word: str, units: Drawn, length: int, key: int) -> float:
    """Return the share of units with a word that overlaps nothing that the arm wrote."""
    after = applied(arm, units.tokens, units.ids, key)
    if len(encode([word])[0]) > after.shape[1]:
        return 0.0
    found = find_instances(after, word, overlapping=True)
    free = np.ones(len(found), bool)
    for span in _written(arm, length):
        free &= (found.start >= span.stop) | (found.start + found.width <= span.start)
    return len(np.unique(found.row[free])) / len(after)


def _some(found: list[str], things: str = "contrasts") -> str:
    """Return the first of several findings, and how many more there are."""
    more = f"; and {len(found) - _NAMED} more {things}" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more
