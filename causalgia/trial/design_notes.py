"""Notes on a design: unequal controls, sites that are too close, words that occur in the flanks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.control_notes import edits_to_json, first_findings, notes_of_controls
from causalgia.design import Arm, Design, Embed, EmbedEach, Insert
from causalgia.design.edited_sites import edits_of_arms
from causalgia.design.intervention import steps_of
from causalgia.design.layout import Layout, WrittenSpan
from causalgia.design.pattern_interventions import PlaceboWord
from causalgia.long_text import LONGEST_ATTRIBUTE
from causalgia.sequences.alphabet import parse_word, reverse_complement_word
from causalgia.trial.attributes import apply_arm
from causalgia.trial.turns import DrawnUnits, draw_backgrounds
from causalgia.types import Tokens

NEAR = 5
"""Bases between two sites below which their junction is scanned."""
OFTEN = 0.1
"""Share of the units from which a word in the flanks is noted."""
_ALWAYS = 0.95
"""Share of the units from which the mean number of copies is given, since nearly all have one."""
_SHORTEST = 4.0
"""Information of the shortest word that is searched for, in bits: two fixed bases."""
_UNITS, _SCANNED, _WORDS, _NAMED, _SELDOM = 256, 2**20, 16, 3, 0.01


def notes_of_design(design: Design, analysis: Analysis | None, *, key: int) -> list[str]:
    """Return notes on a design that a reader of its results needs, a sentence each; empty if there are none.

    Checked are the contrasts that the design or the analysis names: arms that differ in the place, number or length of
    their edits, or in composition, and placebos of another word (`causalgia.control_notes.notes_of_controls`). On up to
    256 units of the trial (fewer of long backgrounds, a million bases in all, at least 16) two more are checked: sites
    with fewer than 5 bases between them, with the words of the design that arise at the junction; and embedded words
    that at least a tenth of the units have elsewhere too, with the share of these units or, where all but a twentieth
    have one, the mean number of further copies. Searched for are the first 16 words that arms embed, if they carry at
    least the information of two fixed bases (IUPAC letters count as the bases that they admit); motifs are not.

    Parameters
    ----------
    design, analysis
        The arms and their contrasts.
    key
        Root key of the trial.
    """
    arms = {arm.name: arm for arm in design.named_arms}
    contrasts = _requested_weights(design, analysis)
    sentences = notes_of_controls(contrasts, edits_of_arms(design.named_arms))
    words = _words(design)
    near = {name: spans for name, arm in arms.items() if (spans := _close_sites(arm, design.null.length))}
    if not (near or words):
        return sentences
    n_units = min(design.n_units, _UNITS, max(16, _SCANNED // design.null.length))
    units, rna = draw_backgrounds(design, 0, n_units, key=key), _is_rna(design)
    if near:
        sentences.append(_junction_note(near, arms, units, words, key, rna))
    again = [text for word in words[:_WORDS] if (text := _flank_note(word, design, contrasts, units, key, rna))]
    cure = "the effect there is that of one more copy; a longer word, or a null model that lacks it, asks for the first"
    return sentences + ([f"{first_findings(again, 'words')}: {cure}"] if again else [])


def edits_attribute(design: Design) -> dict[str, str]:
    """Return the edits of each arm as an attribute of the outcomes, for contrasts that are named after the trial.

    It is empty for designs of hundreds of arms, whose text is too long for an attribute.
    """
    text = edits_to_json(edits_of_arms(design.named_arms))
    return {"edits": text} if len(text) <= LONGEST_ATTRIBUTE else {}


def _requested_weights(design: Design, analysis: Analysis | None) -> Mapping[str, Mapping[str, float]]:
    request = (analysis or Analysis()).asking(design.asked)
    if request.control is not None:
        control = str(request.control)
        return {arm: {arm: 1.0, control: -1.0} for arm in design.arm_names if arm != control}
    return {} if request.interaction else request.weights_by_contrast or {}


def _words(design: Design) -> list[str]:
    """Return the words that arms embed, IUPAC words among them, without placebo words and very short ones."""
    steps = (step for arm in design.named_arms for step in steps_of(arm.intervention))
    words = (
        step.written.reads for step in steps if isinstance(step, Embed | Insert) and not isinstance(step, PlaceboWord)
    )
    return [word for word in dict.fromkeys(words) if isinstance(word, str) and _bits(word) >= _SHORTEST]


def _bits(word: str) -> float:
    return float(sum(2 - np.log2(len(bases)) for bases in parse_word(word)[1]))


def _is_rna(design: Design) -> bool:
    """Say whether a word is written with U: single-stranded, so that its reverse complement does not count."""
    steps = (step for arm in design.named_arms for step in steps_of(arm.intervention))
    return any(isinstance(step, Embed | Insert) and "U" in step.written.label.upper() for step in steps)


def _word_instances(tokens: Tokens, word: str, rna: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and starts of a word, on both strands or, for RNA, on the given one."""
    bits = np.left_shift(np.uint8(1), tokens, dtype=np.uint8)
    found = _word_matches(bits, word)
    if not rna:
        found |= _word_matches(bits, reverse_complement_word(word))
    row, start = np.nonzero(found)
    return row, start


def _word_matches(bits: NDArray[np.uint8], word: str) -> NDArray[np.bool_]:
    """Return the starts, (n, length - width + 1), where the word's letters admit every base."""
    n_starts = bits.shape[1] - len(word) + 1
    found = np.ones((len(bits), n_starts), bool)
    for i, bases in enumerate(parse_word(word)[1]):
        found &= (bits[:, i : i + n_starts] & np.uint8(sum(1 << base for base in bases))) != 0
    return found


def _spelled(word: str, rna: bool) -> str:
    return word.replace("T", "U") if rna else word


def _written_spans(arm: Arm, length: int) -> tuple[WrittenSpan, ...]:
    if any(isinstance(step, EmbedEach) for step in steps_of(arm.intervention)):
        return ()
    return tuple(sorted(arm.intervention.lay(Layout(length)).written, key=lambda w: w.start))


def _close_sites(arm: Arm, length: int) -> list[tuple[WrittenSpan, WrittenSpan]]:
    """Return neighboring sites of an arm with fewer than 5 bases between them; single bases count as mutations."""
    spans = [span for span in _written_spans(arm, length) if span.stop - span.start > 1]
    return [(a, b) for a, b in pairwise(spans) if 0 <= b.start - a.stop < NEAR]


def _junction_note(
    near: Mapping[str, list[tuple[WrittenSpan, WrittenSpan]]],
    arms: Mapping[str, Arm],
    units: DrawnUnits,
    words: list[str],
    key: int,
    rna: bool,
) -> str:
    """Say which arms have such close sites, and which words of the design arise there in what share of the units."""
    arising: list[tuple[float, str]] = []
    for name, junctions in near.items():
        after = apply_arm(arms[name], units.tokens, units.ids, key)
        for word in words:
            share = float(np.mean(_spans_junction(after, word, junctions, rna)))
            if share >= _SELDOM:
                arising.append((share, f"{_spelled(word, rna)} arises in {share:.0%} of the units of '{name}'"))
    gaps = [b.start - a.stop for junctions in near.values() for a, b in junctions]
    some = ", ".join(f"'{name}'" for name in list(near)[:_NAMED])
    more = f" and {len(near) - _NAMED} more arms" if len(near) > _NAMED else ""
    apart = f"{min(gaps)}" if min(gaps) == max(gaps) else f"{min(gaps)} to {max(gaps)}"
    head = f"two sites lie {apart} base{'' if apart == '1' else 's'} apart in {some}{more}"
    if not arising:
        return f"{head}; at the junction every word of the design arises in less than 1 % of {len(units.ids):,} units"
    worst = "; ".join(text for _, text in sorted(arising, reverse=True)[:_NAMED])
    return f"{head}: at the junction {worst}; put them further apart, or cg.experiments.junctions says where"


def _spans_junction(
    after: Tokens, word: str, junctions: list[tuple[WrittenSpan, WrittenSpan]], rna: bool
) -> NDArray[np.bool_]:
    """Return in which sequences a word spans a junction and does not lie inside one of its sites."""
    flags = np.zeros(len(after), bool)
    for a, b in junctions:
        first = max(0, a.start - len(word) + 1)
        window = after[:, first : b.stop + len(word) - 1]
        if window.shape[1] < len(word):
            continue
        row, start = _word_instances(window, word, rna)
        start, stop = start + first, start + first + len(word)
        across = (start < b.start) & (stop > a.stop)
        inside = ((start >= a.start) & (stop <= a.stop)) | ((start >= b.start) & (stop <= b.stop))
        flags[row[across & ~inside]] = True
    return flags


def _flank_note(
    word: str, design: Design, contrasts: Mapping[str, Mapping[str, float]], units: DrawnUnits, key: int, rna: bool
) -> str:
    """Say in how many units an embedded word occurs elsewhere, under the arm and under its control."""
    arms = {arm.name: arm for arm in design.named_arms}
    treated = next(
        arm
        for arm in design.named_arms
        if any(isinstance(step, Embed | Insert) and step.written.reads == word for step in steps_of(arm.intervention))
    )
    copies = _copies_elsewhere(treated, word, units, design.null.length, key, rna)
    share = float(np.mean(copies > 0))
    if share < OFTEN:
        return ""

    nearly_all = share >= _ALWAYS
    found = f"in {share:.0%} of the units{_mean_copies(copies) if nearly_all else ''} under '{treated.name}'"
    control = _control_of(treated.name, contrasts)
    if control is not None:
        there = _copies_elsewhere(arms[control], word, units, design.null.length, key, rna)
        found += f" (under '{control}' {np.mean(there > 0):.0%}{_mean_copies(there) if nearly_all else ''})"
    return f"{_spelled(word, rna)} is in the flanks too, {found}"


def _mean_copies(copies: NDArray[np.int64]) -> str:
    """Return the mean number of copies of a unit, as text."""
    return f", on average {np.mean(copies):.1f} times"


def _control_of(treated: str, contrasts: Mapping[str, Mapping[str, float]]) -> str | None:
    """Return the first arm with which an arm is compared."""
    of = (weights for weights in contrasts.values() if weights.get(treated, 0) > 0)
    return next((arm for weights in of for arm, weight in weights.items() if weight < 0), None)


def _copies_elsewhere(arm: Arm, word: str, units: DrawnUnits, length: int, key: int, rna: bool) -> NDArray[np.int64]:
    """Return the number of instances of a word in each unit that overlap nothing the arm wrote, (n,)."""
    after = apply_arm(arm, units.tokens, units.ids, key)
    if len(word) > after.shape[1]:
        return np.zeros(len(after), np.int64)
    row, start = _word_instances(after, word, rna)
    free = np.ones(len(row), bool)
    for span in _written_spans(arm, length):
        free &= (start >= span.stop) | (start + len(word) <= span.start)
    return np.bincount(row[free], minlength=len(after))
