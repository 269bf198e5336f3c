"""Oligos of a library that are not units under an arm: scrambles, sequences of one's own, duplicates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from causalgia.errors import LibraryError, SequenceError, quoted
from causalgia.mpra.libraries.judging import Judge
from causalgia.mpra.libraries.rules import duplicates
from causalgia.sequences.fasta import Source, as_sequences
from causalgia.sequences.random import random_words
from causalgia.sequences.shuffles import klet_shuffle
from causalgia.streams import derive
from causalgia.types import Ints, Tokens

_ELEMENT = re.compile(r"u[0-9]+(\.[0-9a-f]{6})?|(aa|scramble)[0-9]+|promoter")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9+=_.:-]*")


@dataclass(frozen=True)
class Given:
    """Sequences that stand in a library as they are.

    Attributes
    ----------
    names
        What the oligos are called, (m,).
    tokens
        Inserts, (m, length).
    """

    names: tuple[str, ...]
    tokens: Tokens

    def __len__(self) -> int:
        return len(self.names)


def given_controls(given: Source, what: str, *, length: int) -> Given:
    """Read controls of one's own: strings (named `what` and a number), names -> strings, or a FASTA path.

    Raises
    ------
    LibraryError
        If they cannot be read, have another length than the inserts, or a name that an order cannot hold.
    """
    if isinstance(given, Sequence | Mapping) and not isinstance(given, str) and not len(given):
        return Given((), np.empty((0, length), np.uint8))
    try:
        read = as_sequences(given)
    except SequenceError as error:
        raise LibraryError(f"{what} controls: {error}") from error
    names = tuple(name if isinstance(name, str) else f"{what}{name}" for name in read.names)
    if read.length != length:
        raise LibraryError(
            f"{what} control {quoted(names[0])} has {read.length} bp and every insert {length}: oligos of one pool "
            "have one length, or PCR prefers the short ones; cut or extend the controls"
        )
    for name in names:
        if not _NAME.fullmatch(name):
            raise LibraryError(
                f"{what} control {quoted(name)}: names begin with a letter and go on with letters, digits or + = _ . : "
                "-, which every vendor's sheet takes; rename it"
            )
    return Given(names, read.tokens)


def scrambles(
    n: int, backgrounds: Tokens, judge: Judge, *, key: int, redraws: int, taken: Tokens
) -> tuple[Tokens, dict[str, int]]:
    """Return dinucleotide shuffles of the backgrounds, taken in turn, that keep the rules and repeat nothing.

    They are of the same population as the units: same composition, same dinucleotides, nothing put in. A shuffle keeps
    the composition of its background: where half the redraws are not good, the rest are of other backgrounds.

    Parameters
    ----------
    n
        How many.
    backgrounds
        Of the units, (u, length).
    judge
        Tells which break a rule.
    key
        Root key of the library.
    redraws
        Draws of a scramble, after the first, before it is given up.
    taken
        Inserts that are in the library, (m, length).

    Returns
    -------
    inserts
        (n, length).
    broken
        Rule -> draws that broke it.

    Raises
    ------
    LibraryError
        If no draw of a scramble is good.
    """
    made = np.empty((n, backgrounds.shape[1]), np.uint8)
    counts: dict[str, int] = {}
    bad = np.arange(n)
    for draw in range(redraws + 1):
        further = max(draw - redraws // 2, 0)
        parent = (bad + further) % len(backgrounds)
        made[bad] = klet_shuffle(derive(key, "scramble", draw), bad.astype(np.uint64), backgrounds, 2, parent=parent)
        broken = _why_bad(made, bad, judge, taken)
        counts |= {rule: counts.get(rule, 0) + int(which.sum()) for rule, which in broken.items() if which.any()}
        bad = np.flatnonzero(np.logical_or.reduce([*broken.values()]))
        if not bad.size:
            return made, counts
    worst = max(counts, key=lambda rule: counts[rule])
    raise LibraryError(
        f"scramble {bad[0]}: not one of {redraws + 1} dinucleotide shuffles of backgrounds was good; broken most "
        f"often: {worst}. Relax the rule, or give negative controls of your own: scrambles=0, negatives="
    )


def _why_bad(made: Tokens, fresh: Ints, judge: Judge, taken: Tokens) -> dict[str, np.ndarray]:
    broken = {rule: np.zeros(len(made), bool) for rule in judge.names}
    for rule, which in zip(judge.names, judge.broken(made[fresh]), strict=True):
        broken[rule][fresh] = which
    first = duplicates(np.concatenate([taken, made]))[len(taken) :]
    return {**broken, "repeated insert": first < len(taken) + np.arange(len(made))}


def chosen_twice(n: int, n_oligos: int, *, key: int) -> Ints:
    """Return which of the units' oligos are ordered as A/A pairs: a random sample, (n,).

    Raises
    ------
    LibraryError
        If there are not that many.
    """
    if n > n_oligos:
        raise LibraryError(
            f"duplicates={n}: the design has {n_oligos} oligos to order twice; ask for at most that many, or for none: "
            "duplicates=0"
        )
    words = random_words(derive(key, "duplicate"), np.arange(n_oligos, dtype=np.uint64), 1)[:, 0]
    return np.sort(np.argsort(words, kind="stable")[:n])


def require_own_names(controls: Sequence[str], arms: Sequence[str], ordered: Mapping[str, int]) -> None:
    """Refuse names that would make a control and a unit, or an arm and the arm of controls, one.

    Parameters
    ----------
    controls
        Names of given controls.
    arms
        Arms of the design.
    ordered
        Arm of the library's own kinds -> how many are ordered.

    Raises
    ------
    LibraryError
        Names the first.
    """
    for name in controls:
        if _ELEMENT.fullmatch(name):
            raise LibraryError(
                f"control {quoted(name)} has the name of an element of the library's own (units u0.3fa2c1, ...; "
                "scramble0, ...; aa0, ...; promoter): both would be one element; rename the control"
            )
    for arm in arms:
        if ordered.get(arm):
            raise LibraryError(
                f"arm {quoted(arm)} has the name under which {ordered[arm]:,} controls are ordered: both would be one "
                "arm; rename the arm, or order none of those"
            )


def require_distinct(tokens: Tokens, names: Sequence[str]) -> None:
    """Refuse controls of which two are one sequence, in either orientation.

    Raises
    ------
    LibraryError
        Names both.
    """
    first = duplicates(tokens)
    again = np.flatnonzero(first < np.arange(len(tokens)))
    if again.size:
        one, other = names[first[again[0]]], names[again[0]]
        raise LibraryError(
            f"controls {quoted(one)} and {quoted(other)} are one sequence (or its reverse complement), which reads "
            "cannot tell apart; leave one out"
        )
