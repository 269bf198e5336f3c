"""Edits of each arm, step by step: their sites, widths and letters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import singledispatch

from causalgia.checks import Span
from causalgia.design.arms import Arm
from causalgia.design.intervention import Intervention, steps_of
from causalgia.design.pattern_interventions import Insert, Patterned, Placebo, PlaceboWord
from causalgia.design.span_interventions import Ablate, Copy, Delete, Mutate, Scramble
from causalgia.notes import Edit
from causalgia.sequences.alphabet import BASES, IUPAC, reverse_complement_word
from causalgia.sequences.motifs import Motif


def edits_of_arms(arms: Iterable[Arm]) -> dict[str, tuple[Edit, ...]]:
    """Return the edits of each arm: arm -> its edits, in coordinates of the background.

    Examples
    --------
    >>> from causalgia.design import Delete, Embed
    >>> arm = Arm("shorter", Delete((10, 20)) + Embed("GATA", at=50))
    >>> [(edit.does, edit.sites, edit.grows) for edit in edits_of_arms([arm])["shorter"]]
    [('delete', ((10, 10),), -10), ('word', ((60, 4),), 0)]
    """
    return {arm.name: _edits_of(arm.intervention) for arm in arms}


def _edits_of(done: Intervention) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    moved: list[tuple[int, int]] = []
    for step in steps_of(done):
        edit = _edit(step)
        edits.append(_in_background_coordinates(edit, moved))
        if edit.grows and edit.sites:
            moved.append((edit.sites[0][0], edit.grows))
    return tuple(edits)


def _in_background_coordinates(edit: Edit, moved: list[tuple[int, int]]) -> Edit:
    """Return an edit with its sites as they were before earlier steps inserted or deleted bases."""
    if not moved or edit.sites is None:
        return edit
    return edit.moved_to(tuple((_before_shifts(start, moved), width) for start, width in edit.sites))


def _before_shifts(start: int, moved: list[tuple[int, int]]) -> int:
    for at, grown in reversed(moved):
        if start >= at + max(grown, 0):
            start -= grown
        elif start > at:  # inside an insertion
            start = at
    return start


@singledispatch
def _edit(step: Intervention) -> Edit:
    """Return the edit of a step; one with a site of its own in each sequence has no known site."""
    return Edit(step.kind, sites=None)


@_edit.register
def _(step: Patterned) -> Edit:
    source, strand = step.written, step.strand
    sampled = isinstance(source.reads, Motif) and source.random
    word = source.word if strand == "+" else reverse_complement_word(source.word)
    return Edit(
        "placebo" if isinstance(step, Placebo) else "placebo word" if isinstance(step, PlaceboWord) else "word",
        sites=((step.at, step.width),),
        grows=step.width if isinstance(step, Insert) else 0,
        pattern=source.reads if isinstance(source.reads, str) else f"{source.instance} of {_digest(source.reads)}",
        label=source.label,
        letters="" if sampled else word.replace("U", "T"),
        bases=_bases(word),
        one_strand="U" in source.word,
    )


@_edit.register
def _(step: Delete) -> Edit:
    return Edit(step.kind, sites=_site(step.span), grows=step.span[0] - step.span[1])


@_edit.register
def _(step: Scramble) -> Edit:
    return Edit(f"{step.kind} {step.k}", sites=_site(step.span))


@_edit.register
def _(step: Ablate) -> Edit:
    return Edit(f"{step.kind} {step.fill}", sites=_site(step.span))


@_edit.register
def _(step: Copy) -> Edit:
    return Edit(f"{step.kind} {step.strand}", sites=((step.at, step.width),))


@_edit.register
def _(step: Mutate) -> Edit:
    return Edit(step.kind, sites=tuple((at, 1) for at in step.positions))


def _site(span: Span) -> tuple[tuple[int, int]]:
    return ((span[0], span[1] - span[0]),)


def _digest(motif: Motif) -> str:
    return hashlib.blake2b(json.dumps(motif.to_dict()).encode(), digest_size=8).hexdigest()


def _bases(word: str) -> tuple[float, ...]:
    """Return the counts of A, C, G and T in a word; expected counts for IUPAC letters."""
    admitted = [IUPAC[letter] for letter in word]
    return tuple(sum((base in bases) / len(bases) for bases in admitted) for base in BASES)
