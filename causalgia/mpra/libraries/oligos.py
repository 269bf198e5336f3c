"""Inserts of a library before barcodes: units, controls, scrambles and A/A pairs, with
their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design, Genomic
from causalgia.design.arms import assign
from causalgia.design.null_model import gc_content
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.mpra.counts.counts_table import insert_fingerprint
from causalgia.mpra.libraries.order_plan import Blocks
from causalgia.mpra.libraries.rules import RuleChecker, first_duplicates
from causalgia.sequences.alphabet import decode
from causalgia.sequences.fasta import Source, as_sequences
from causalgia.sequences.random import random_words
from causalgia.sequences.shuffles import klet_shuffle
from causalgia.streams import derive
from causalgia.types import Ints, Mask, Tokens

_NAME_LETTERS = 60  # letters of a sequence name that an oligo name may contain
_OTHER = re.compile(r"[^A-Za-z0-9+=.:-]+")


@dataclass(frozen=True)
class InsertList:
    """Inserts to order, a row each; those of one block differ in their arm only.

    Attributes
    ----------
    block
        Block of each row, (n,): a unit's arms, or the two names of an A/A pair.
    unit, draw
        Id of the unit, and its draw; -1 for controls, (n,).
    element, arm, group, oligo_name, parent
        Names, (n,).
    source_name
        Name of the given sequence of the background (`Genomic`), else empty, (n,).
    gc
        Share of G and C of the background (of the insert, for controls), (n,).
    inserts
        (n, length).
    """

    block: Ints
    unit: Ints
    draw: Ints
    element: NDArray[Any]
    arm: NDArray[Any]
    group: NDArray[Any]
    oligo_name: NDArray[Any]
    parent: NDArray[Any]
    source_name: NDArray[Any]
    gc: NDArray[np.float64]
    inserts: Tokens

    def __len__(self) -> int:
        return len(self.unit)

    def and_then(self, other: InsertList) -> InsertList:
        """Return these rows followed by those of `other`, as new blocks."""
        first = int(self.block.max(initial=-1)) + 1
        fields = {
            name: (getattr(self, name), getattr(other, name))
            for name in self.__dataclass_fields__
        }
        fields["block"] = (self.block, other.block + first)
        return InsertList(
            **{name: np.concatenate(pair) for name, pair in fields.items()}
        )

    def taken(self, rows: Ints) -> InsertList:
        """Return some of the rows."""
        return InsertList(
            **{name: getattr(self, name)[rows] for name in self.__dataclass_fields__}
        )


def arm_slugs(arms: list[str]) -> list[str]:
    """Return arms as parts of oligo names: other characters become '_', with a number
    to keep them distinct.

    Examples
    --------
    >>> arm_slugs(["A + B", "A_+_B", "GATA1"])
    ['A_+_B', 'A_+_B.1', 'GATA1']
    """
    found: list[str] = []
    for index, arm in enumerate(arms):
        slug = _OTHER.sub("_", arm)
        found.append(f"{slug}.{index}" if slug in found else slug)
    return found


def unit_oligos(design: Design, blocks: Blocks, *, key: int) -> InsertList:
    """Return the units under their arms: under each that is ordered, in random order; in a parallel
    trial, under the assigned one.

    Oligos adjacent in an order may be synthesized side by side, so the order of arms
    within a unit is random.
    """
    arms, n = len(design.named_arms), len(blocks.units)
    dice = random_words(derive(key, "order"), blocks.units.astype(np.uint64), arms)
    unit, arm = (
        np.repeat(np.arange(n), arms),
        np.argsort(dice, axis=1, kind="stable").ravel(),
    )
    if design.assignment == "parallel":
        # arms as `causalgia.run` assigns them
        labels = design.block_labels(key=derive(key, "null"))
        block = np.zeros(design.n_units, np.int64) if labels is None else labels
        unit, arm = (
            np.arange(n),
            assign(block, n_arms=len(design.named_arms), key=key)[blocks.units],
        )
    ordered = np.array([name not in blocks.dropped_arms for name in design.arm_names])
    unit, arm = unit[ordered[arm]], arm[ordered[arm]]
    names = _source_names(design, blocks, key)
    element = np.array(_element_names(names, blocks, ordered), object)[unit]
    slugs = np.array(arm_slugs(design.arm_names), object)
    return InsertList(
        block=unit,
        unit=blocks.units[unit],
        draw=blocks.draws[unit],
        element=element,
        arm=np.array(design.arm_names, object)[arm],
        group=_constant_column("test", len(unit)),
        oligo_name=element + "_" + slugs[arm],
        parent=blocks.parents.astype(str).astype(object)[unit],
        source_name=names[unit],
        gc=gc_content(blocks.backgrounds)[unit],
        inserts=blocks.inserts[arm, unit],
    )


def _source_names(design: Design, blocks: Blocks, key: int) -> NDArray[Any]:
    """Return the name of the given sequence of each unit; empty without one."""
    if not isinstance(design.drawn, Genomic) or not isinstance(
        design.drawn.parents_given.names[0], str
    ):
        return _constant_column("", len(blocks.units))
    ids = blocks.units.astype(np.uint64)
    return design.drawn.names(ids, key=derive(key, "null"), n_units=design.n_units)


def _element_names(names: NDArray[Any], blocks: Blocks, ordered: Mask) -> list[str]:
    """Return element names: ``u0`` or the name of the sequence, and the fingerprint of
    the inserts.

    Units of two libraries thus share a name only if they are the same sequences under
    the same arms; order files and count tables carry nothing but names.
    """
    found = []
    for i, (unit, name) in enumerate(
        zip(blocks.units.tolist(), names.tolist(), strict=True)
    ):
        digest = insert_fingerprint(decode(blocks.inserts[ordered, i]))
        slug = _OTHER.sub("_", name) if 0 < len(name) <= _NAME_LETTERS else f"u{unit}"
        found.append(f"{slug if slug[0].isalpha() else f'n{slug}'}.{digest}")
    return found


def with_fingerprints(names: Sequence[str], inserts: Tokens) -> tuple[str, ...]:
    """Return names of single inserts with the fingerprint of each, as names of units
    have it.

    Examples
    --------
    >>> with_fingerprints(["scramble0"], np.array([[0, 1, 2, 3]], np.uint8))
    ('scramble0.6380f7',)
    """
    made = zip(names, decode(inserts), strict=True)
    return tuple(f"{name}.{insert_fingerprint([insert])}" for name, insert in made)


def control_oligos(controls: GivenControls, *, arm: str, group: str) -> InsertList:
    """Return controls as rows, each an element of its own."""
    n = len(controls)
    names = np.array(controls.names, object)
    none = np.full(n, -1, np.int64)
    return InsertList(
        block=np.arange(n),
        unit=none,
        draw=none,
        element=names,
        arm=_constant_column(arm, n),
        group=_constant_column(group, n),
        oligo_name=names,
        parent=_constant_column("", n),
        source_name=_constant_column("", n),
        gc=gc_content(controls.tokens),
        inserts=controls.tokens,
    )


def pair_oligos(oligos: InsertList, rows: Ints) -> InsertList:
    """Return A/A pairs: each of these oligos under two more names, as one element in
    two arms.
    """
    twice = oligos.taken(np.repeat(rows, 2))
    pair = np.repeat(np.arange(len(rows)), 2)
    element = np.array(
        with_fingerprints([f"aa{i}" for i in range(len(rows))], oligos.inserts[rows]),
        object,
    )[pair]
    copy = np.tile(np.array(["1", "2"], object), len(rows))
    return InsertList(
        block=pair,
        unit=twice.unit,
        draw=twice.draw,
        element=element,
        arm="duplicate " + copy,
        group=_constant_column("duplicate", len(pair)),
        oligo_name=element + "_" + copy,
        parent=twice.parent,
        source_name=twice.source_name,
        gc=twice.gc,
        inserts=twice.inserts,
    )


def _constant_column(value: str, n: int) -> NDArray[Any]:
    return np.full(n, value, object)


_ELEMENT = re.compile(r"((u|aa|scramble)[0-9]+|promoter)(\.[0-9a-f]{6})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9+=_.:-]*")


@dataclass(frozen=True)
class GivenControls:
    """Given sequences, ordered unchanged.

    Attributes
    ----------
    names
        Names of the oligos, (m,).
    tokens
        Inserts, (m, length).
    """

    names: tuple[str, ...]
    tokens: Tokens

    def __len__(self) -> int:
        return len(self.names)


def read_controls(source: Source, what: str, *, length: int) -> GivenControls:
    """Read given controls: strings (named ``positive0.6380f7``, ...), names -> strings,
    or a FASTA path.

    Raises
    ------
    DesignError
        If they cannot be read, have another length than the inserts, or an invalid
        name.
    """
    if (
        isinstance(source, Sequence | Mapping)
        and not isinstance(source, str)
        and not len(source)
    ):
        return GivenControls((), np.empty((0, length), np.uint8))
    try:
        read = as_sequences(source)
    except SequenceError as error:
        raise DesignError(f"{what} controls: {error}") from error
    printed = with_fingerprints([f"{what}{name}" for name in read.names], read.tokens)
    names = tuple(
        name if isinstance(name, str) else own
        for name, own in zip(read.names, printed, strict=True)
    )
    if read.length != length:
        raise DesignError(
            f"{what} control {quoted(names[0])} has {read.length} bp and every insert "
            f"{length}: oligos of one pool have one length, or PCR prefers the short "
            "ones; cut or extend the controls"
        )
    for name in names:
        if not _NAME.fullmatch(name):
            raise DesignError(
                f"{what} control {quoted(name)}: names begin with a letter and "
                "continue with letters, digits or + = _ . : -, which every vendor's "
                "sheet takes; rename it"
            )
    return GivenControls(names, read.tokens)


def draw_scrambles(
    n: int,
    backgrounds: Tokens,
    checker: RuleChecker,
    *,
    key: int,
    n_redraws: int,
    taken: Tokens,
) -> tuple[Tokens, dict[str, int]]:
    """Return dinucleotide shuffles of the backgrounds, taken in turn, that keep the
    rules and repeat nothing.

    They are from the population of the units: same composition, same dinucleotides,
    nothing embedded. A shuffle keeps the composition of its background, so after half
    of the redraws other backgrounds are used.

    Parameters
    ----------
    n
        Number of scrambles.
    backgrounds
        Backgrounds of the units, (u, length).
    checker
        Checks the rules.
    key
        Root key of the library.
    n_redraws
        Draws of a scramble after the first, before giving up.
    taken
        Inserts already in the library, (m, length).

    Returns
    -------
    inserts
        (n, length).
    broken
        Rule -> draws that broke it.

    Raises
    ------
    DesignError
        If no draw of a scramble meets the rules.
    """
    inserts = np.empty((n, backgrounds.shape[1]), np.uint8)
    counts: dict[str, int] = {}
    bad = np.arange(n)
    for draw in range(n_redraws + 1):
        further = max(draw - n_redraws // 2, 0)
        parent = (bad + further) % len(backgrounds)
        inserts[bad] = klet_shuffle(
            derive(key, "scramble", draw),
            bad.astype(np.uint64),
            backgrounds,
            2,
            parent=parent,
        )
        by_rule = {rule: np.zeros(len(inserts), bool) for rule in checker.names}
        for rule, which in zip(
            checker.names, checker.broken(inserts[bad]), strict=True
        ):
            by_rule[rule][bad] = which
        first = first_duplicates(np.concatenate([taken, inserts]))[len(taken) :]
        broken = {
            **by_rule,
            "repeated insert": first < len(taken) + np.arange(len(inserts)),
        }
        counts |= {
            rule: counts.get(rule, 0) + int(which.sum())
            for rule, which in broken.items()
            if which.any()
        }
        bad = np.flatnonzero(np.logical_or.reduce([*broken.values()]))
        if not bad.size:
            return inserts, counts
    worst = max(counts, key=lambda rule: counts[rule])
    raise DesignError(
        f"scramble {bad[0]}: not one of {n_redraws + 1} dinucleotide shuffles of "
        f"backgrounds was good; broken most often: {worst}. Relax the rule, or give "
        "negative controls of your own: controls=cg.mpra.Controls(n_scrambles=0, "
        "negatives=...)"
    )


def sample_pairs(n: int, n_oligos: int, *, key: int) -> Ints:
    """Return a random sample of the unit oligos to order as A/A pairs, (n,).

    Raises
    ------
    DesignError
        If there are fewer.
    """
    if n > n_oligos:
        raise DesignError(
            f"n_duplicates={n}: the design has {n_oligos} oligos to order twice; "
            "ask for at most that many, or for none: n_duplicates=0"
        )
    words = random_words(
        derive(key, "duplicate"), np.arange(n_oligos, dtype=np.uint64), 1
    )[:, 0]
    return np.sort(np.argsort(words, kind="stable")[:n])


def check_own_names(
    controls: Sequence[str], arms: Sequence[str], ordered: Mapping[str, int]
) -> None:
    """Raise DesignError where a control has the name of a unit, or an arm that of a
    kind of control.

    Parameters
    ----------
    controls
        Names of given controls.
    arms
        Arms of the design.
    ordered
        Arm of each kind of control -> number of oligos.

    Raises
    ------
    DesignError
        With the first such name.
    """
    for name in controls:
        if _ELEMENT.fullmatch(name):
            raise DesignError(
                f"control {quoted(name)} has the name of an element of the library's "
                "own (units u0.3fa2c1, ...; scramble0, ...; aa0, ...; promoter): both "
                "would be one element; rename the control"
            )
    for arm in arms:
        if ordered.get(arm):
            raise DesignError(
                f"arm {quoted(arm)} has the name under which {ordered[arm]:,} controls "
                "are ordered: both would be one arm; rename the arm, or order none of "
                "those"
            )


def check_distinct_controls(tokens: Tokens, names: Sequence[str]) -> None:
    """Raise DesignError where two controls are one sequence, in either orientation.

    Raises
    ------
    DesignError
        With both names.
    """
    first = first_duplicates(tokens)
    again = np.flatnonzero(first < np.arange(len(tokens)))
    if again.size:
        one, other = names[first[again[0]]], names[again[0]]
        raise DesignError(
            f"controls {quoted(one)} and {quoted(other)} are one sequence (or its "
            "reverse complement), which reads cannot tell apart; leave one out"
        )
