"""What a report notes of a design by itself: controls that differ in place or length, sites too near, words again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.design import Arm, Design, Embed, EmbedEach, Insert
from causalgia.design.control_notes import Pair, notes_of_controls, pairs_of, some_of, steps_of
from causalgia.design.layout import Layout, Written
from causalgia.design.patterned import PlaceboWord
from causalgia.sequences.alphabet import Tokens, encode
from causalgia.sequences.scanning import find_instances
from causalgia.trial.describing import applied
from causalgia.trial.turns import Drawn, backgrounds

NEAR = 5
"""Bases between two sites below which their junction is scanned."""
OFTEN = 0.1
"""Share of the units from which a word in the flanks is noted."""
_UNITS, _WORDS, _SHORTEST, _NAMED, _SELDOM, _MOST_ARMS = 256, 8, 4, 3, 0.01, 100


def notes_of_design(design: Design, analysis: Analysis | None, *, key: int) -> list[str]:
    """Return what a reader must know of a design beside its results, a sentence each; none where all is as it should.

    Looked at are contrasts of one arm minus one other (those that the design or the analysis names), whose only
    difference is one written pattern: a control at another place, of another length or another composition, and a
    placebo that is a rearrangement of another word. And arms, on up to 256 units of the trial: two sites with fewer
    than 5 bases between them, with what words of the design arise at the junction; and an embedded word that at least a
    tenth of the units have elsewhere too.

    Parameters
    ----------
    design, analysis
        What is asked of which arms.
    key
        Root key of the trial.
    """
    arms = {arm.name: arm for arm in design.named_arms}
    pairs = list(pairs_of(_contrasts(design, analysis), arms))
    sentences = notes_of_controls(pairs)
    words = _words(design)
    near = {name: spans for name, arm in arms.items() if (spans := _near(arm, design.null.length))}
    if not (near or words):
        return sentences
    units, rna = backgrounds(design, 0, min(_UNITS, design.n_units), key=key), _is_rna(design)
    if near:
        sentences.append(_at_junctions(near, arms, units, words, key, rna))
    again = [text for word in words[:_WORDS] if (text := _again(word, design, pairs, units, key, rna))]
    cure = "the effect there is that of one more copy; a longer word, or a null model that lacks it, asks for the first"
    return sentences + ([f"{some_of(again, 'words')}: {cure}"] if again else [])


def notes_of_each_control(design: Design) -> dict[str, list[str]]:
    """Return what would be noted of each arm as the control of all others, for whoever names it after the trial.

    Of designs of more than 100 arms nothing is worked out: these have a question of their own.
    """
    arms = {arm.name: arm for arm in design.named_arms}
    if len(arms) > _MOST_ARMS:
        return {}
    of_each = {
        control: notes_of_controls(list(pairs_of({a: {a: 1.0, control: -1.0} for a in arms if a != control}, arms)))
        for control in arms
    }
    return {control: notes for control, notes in of_each.items() if notes}


def _contrasts(design: Design, analysis: Analysis | None) -> Mapping[str, Mapping[str, float]]:
    asked = (analysis or Analysis()).asking(design.asked)
    if asked.control is not None:
        control = str(asked.control)
        return {arm: {arm: 1.0, control: -1.0} for arm in design.arm_names if arm != control}
    return {} if asked.interaction else asked.weights_by_contrast or {}


def _words(design: Design) -> list[str]:
    """Return the words of at least 4 fixed bases that arms embed, placebo words left out."""
    steps = (step for arm in design.named_arms for step in steps_of(arm.intervention))
    words = (
        step.written.reads
        for step in steps
        if isinstance(step, Embed | Insert) and not isinstance(step, PlaceboWord) and not step.random
    )
    return [word for word in dict.fromkeys(words) if isinstance(word, str) and len(word) >= _SHORTEST]


def _is_rna(design: Design) -> bool:
    """Say whether a word is written with U: of a single strand, whose reverse complement is no word."""
    steps = (step for arm in design.named_arms for step in steps_of(arm.intervention))
    return any(isinstance(step, Embed | Insert) and "U" in step.written.label.upper() for step in steps)


def _places(tokens: Tokens, word: str, rna: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return rows and starts of a word, on both strands or, of RNA, on the one there is; and its width."""
    found = find_instances(tokens, word, overlapping=True)
    kept = found.strand == "+" if rna else np.ones(len(found), bool)
    return found.row[kept], found.start[kept], found.width


def _as_read(word: str, rna: bool) -> str:
    return word.replace("T", "U") if rna else word


def _written(arm: Arm, length: int) -> tuple[Written, ...]:
    if any(isinstance(step, EmbedEach) for step in steps_of(arm.intervention)):
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
    rna: bool,
) -> str:
    """Say which arms have sites that near, and which words of the design arise there, in what share of the units."""
    arising: list[tuple[float, str]] = []
    for name, junctions in near.items():
        after = applied(arms[name], units.tokens, units.ids, key)
        for word in words:
            share = float(np.mean(_across(after, word, junctions, rna)))
            if share >= _SELDOM:
                arising.append((share, f"{_as_read(word, rna)} arises in {share:.0%} of the units of '{name}'"))
    gaps = [b.start - a.stop for junctions in near.values() for a, b in junctions]
    some = ", ".join(f"'{name}'" for name in list(near)[:_NAMED])
    more = f" and {len(near) - _NAMED} more arms" if len(near) > _NAMED else ""
    apart = f"{min(gaps)}" if min(gaps) == max(gaps) else f"{min(gaps)} to {max(gaps)}"
    head = f"two sites lie {apart} base{'' if apart == '1' else 's'} apart in {some}{more}"
    if not arising:
        return f"{head}; at the junction every word of the design arises in less than 1 % of {len(units.ids):,} units"
    worst = "; ".join(text for _, text in sorted(arising, reverse=True)[:_NAMED])
    return f"{head}: at the junction {worst}; put them further apart, or cg.experiments.junctions says where"


def _across(after: Tokens, word: str, junctions: list[tuple[Written, Written]], rna: bool) -> NDArray[np.bool_]:
    """Return in which sequences a word reads across a junction, and not wholly inside one of its sites."""
    flags = np.zeros(len(after), bool)
    for a, b in junctions:
        first = max(0, a.start - len(word) + 1)
        window = after[:, first : b.stop + len(word) - 1]
        if window.shape[1] < len(word):
            continue
        row, start, width = _places(window, word, rna)
        start, stop = start + first, start + first + width
        across = (start < b.start) & (stop > a.stop)
        inside = ((start >= a.start) & (stop <= a.stop)) | ((start >= b.start) & (stop <= b.stop))
        flags[row[across & ~inside]] = True
    return flags


def _again(word: str, design: Design, pairs: list[Pair], units: Drawn, key: int, rna: bool) -> str:
    """Say that units have an embedded word elsewhere too, under the arm and under its control."""
    arms = {arm.name: arm for arm in design.named_arms}
    treated = next(
        arm
        for arm in design.named_arms
        if any(isinstance(step, Embed | Insert) and step.written.reads == word for step in steps_of(arm.intervention))
    )
    share = _elsewhere(treated, word, units, design.null.length, key, rna)
    if share < OFTEN:
        return ""
    control = next((pair.control for pair in pairs if pair.treated == treated.name), None)
    beside = ""
    if control is not None:
        beside = f" (under '{control}' {_elsewhere(arms[control], word, units, design.null.length, key, rna):.0%})"
    return f"{_as_read(word, rna)} is in the flanks too, in {share:.0%} of the units under '{treated.name}'{beside}"


def _elsewhere(arm: Arm, word: str, units: Drawn, length: int, key: int, rna: bool) -> float:
    """Return the share of units with a word that overlaps nothing that the arm wrote."""
    after = applied(arm, units.tokens, units.ids, key)
    if len(encode([word])[0]) > after.shape[1]:
        return 0.0
    row, start, width = _places(after, word, rna)
    free = np.ones(len(row), bool)
    for span in _written(arm, length):
        free &= (start >= span.stop) | (start + width <= span.start)
    return len(np.unique(row[free])) / len(after)
