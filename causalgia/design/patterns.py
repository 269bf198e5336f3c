"""Patterns to write into a sequence: strings, IUPAC strings, and motifs; and merged
strings of overlapping sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from causalgia.checks import as_position
from causalgia.choices import BASES
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.sequences.alphabet import parse_iupac
from causalgia.sequences.motif_names import (
    MotifLike,
    as_string_or_motif,
    is_pattern,
    motif,
    motifs_of_file,
)
from causalgia.sequences.motifs import Motif
from causalgia.types import Tokens, Units

Instance = Literal["sample", "consensus"]
#: strings or motifs, by name or not
Motifs: TypeAlias = Sequence[MotifLike] | Mapping[str, MotifLike] | MotifLike


@dataclass(frozen=True)
class Pattern:
    """A string or a motif, and whether a motif stands for its instances or its
    consensus.

    Two strings are equal where they read the same bases (U is T); `source` keeps the
    spelling, for do-notation.
    """

    source: str | Motif = field(compare=False)
    instance: Instance = "sample"
    reads: str | Motif = field(init=False, repr=False)

    def __post_init__(self) -> None:
        letters = isinstance(self.source, str)
        object.__setattr__(
            self,
            "reads",
            self.source.replace("U", "T")
            if isinstance(self.source, str)
            else self.source,
        )
        if letters:
            object.__setattr__(self, "instance", "sample")

    def __len__(self) -> int:
        return len(self.source)

    @property
    def label(self) -> str:
        """The string itself, or the motif's name (with its consensus if that is
        written).
        """
        if isinstance(self.source, str):
            return self.source
        return (
            self.source.name
            if self.instance == "sample"
            else f"{self.source.name} consensus {self.source.consensus}"
        )

    @property
    def consensus(self) -> str:
        """The string, or the motif's consensus."""
        return self.source if isinstance(self.source, str) else self.source.consensus

    @cached_property
    def random(self) -> bool:
        """Whether instances differ between units."""
        if isinstance(self.reads, str):
            return not set(self.reads) <= set(BASES)
        return self.instance == "sample" and any(
            max(row) < 1 for row in self.reads.probabilities
        )

    @property
    def identity(self) -> str | dict[str, Any]:
        """The content that makes two patterns equal, as plain data."""
        return (
            self.reads
            if isinstance(self.reads, str)
            else {"motif": self.reads.to_dict()}
        )

    @property
    def plain(self) -> str | dict[str, Any]:
        """The pattern as TOML-ready data."""
        return (
            self.source
            if isinstance(self.source, str)
            else {"motif": self.source.to_dict()}
        )

    def instances(self, units: Units, key: int) -> Tokens:
        """Return the written letters: (w,) tokens for all units, or (n, w), drawn from
        each unit's stream.
        """
        if not self.random:
            return self._constant
        from causalgia.sequences.random import random_integers, random_words

        if isinstance(self.source, Motif):
            return self.source.instances(random_words(key, units, len(self)))
        bases = parse_iupac(self.source)[1]
        choice = random_integers(key, units, np.array([len(b) for b in bases]))
        table = np.zeros((len(bases), 4), np.uint8)
        for row, admissible in zip(table, bases, strict=True):
            row[: len(admissible)] = admissible
        return table[np.arange(len(bases)), choice]

    @cached_property
    def _constant(self) -> Tokens:
        tokens = np.array(
            [BASES.index(letter) for letter in self.consensus.replace("U", "T")],
            np.uint8,
        )
        tokens.setflags(write=False)  # shared by all arms with this string
        return tokens


def as_pattern(pattern: object, *, instance: Instance | None = None) -> Pattern:
    """Return the pattern of a string of IUPAC letters, of anything else that
    `causalgia.motif` takes, of what `Pattern.plain` wrote or a trial file has,
    ``{file = "x.meme", motif = "GATA1"}``, or of a Pattern.

    Raises
    ------
    DesignError
        If it is none of these.
    """
    if isinstance(pattern, Pattern):
        return pattern if instance is None else Pattern(pattern.source, instance)
    try:
        if isinstance(pattern, Mapping) and set(pattern) <= {"motif", "file"}:
            source: str | Motif = _from_plain(pattern)
        else:
            source = as_string_or_motif(pattern)  # type: ignore[arg-type]
    except SequenceError as error:
        raise DesignError(str(error)) from error
    return Pattern(source, instance or "sample")


def named_patterns(motifs: Motifs) -> dict[str, str | Motif]:
    """Return strings and motifs by name: of one, a list, a mapping or a file.

    Examples
    --------
    >>> named_patterns(["AGATAAG"]), named_patterns({"E-box": "CACGTG"})
    ({'AGATAAG': 'AGATAAG'}, {'E-box': 'CACGTG'})
    """
    of_file = motifs_of_file(motifs)
    several: Any = motifs if of_file is None else of_file
    if is_pattern(several):
        several = [several]
    if isinstance(several, Mapping):
        found = {str(name): as_pattern(one).source for name, one in several.items()}
    elif isinstance(several, Iterable):
        patterns = [as_pattern(one) for one in several]
        names = [one.label for one in patterns]
        if len(set(names)) < len(names):
            raise DesignError(f"motifs: two of {quoted(names)} are one; give each once")
        found = {one.label: one.source for one in patterns}
    else:
        raise DesignError(
            f"motifs={quoted(motifs)} is no string, motif or list of these"
        )
    if not found:
        raise DesignError("motifs: there is none; give one or more")
    return found


def as_letters(text: object) -> Pattern:
    """Return the pattern of a string of IUPAC letters; DesignError for anything else."""
    try:
        return Pattern(parse_iupac(text)[0])  # type: ignore[arg-type]
    except SequenceError as error:
        raise DesignError(str(error)) from error


def merged_motif(first: str, second: str, distance: int) -> str:
    """Return the one string of two overlapping sites, `second` starting `distance`
    bases after `first`.

    Two embeds of one arm may not overlap, since the later would undo the earlier; sites
    that agree where they overlap are one longer string.

    Parameters
    ----------
    first, second
        Strings of A C G T (U), as they are read on the + strand.
    distance
        Bases from the start of `first` to that of `second`, 0 to the width of `first`
        (then they abut).

    Raises
    ------
    DesignError
        If the letters of an overlap contradict each other, a string has other letters,
        or the sites do not touch.

    Examples
    --------
    >>> merged_motif("UGCAUG", "UGCAUG", 4)
    'UGCAUGCAUG'
    >>> merged_motif("UGCAUG", "UGCAUG", 2)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: sites collide: at distance 2, 'UGCAUG' and 'UGCAUG' overlap ...
    """
    strings = []
    for letters in (first, second):
        pattern = as_letters(letters)
        if pattern.random:
            raise DesignError(
                f"a site is a string of A, C, G, T or U, not {quoted(letters)}"
            )
        strings.append(pattern.consensus)
    left, right = strings
    distance = as_position(distance, "distance")
    if distance > len(left):
        raise DesignError(
            f"{quoted(left)} and {quoted(right)} at distance {distance} do not "
            f"touch: at most {len(left)} makes one string"
        )
    pairs = zip(left[distance:], right, strict=False)
    for offset, (a, b) in enumerate(pairs, start=distance):
        if a.replace("U", "T") != b.replace("U", "T"):
            raise DesignError(
                f"sites collide: at distance {distance}, {quoted(left)} and "
                f"{quoted(right)} overlap and have {a} and {b} at base {offset}"
            )
    merged = left + right[len(left) - distance :]
    return merged if "T" not in merged else merged.replace("U", "T")


def _from_plain(plain: Mapping[str, Any]) -> Motif:
    """Return the motif of a table of a file."""
    if isinstance(plain.get("motif"), Mapping):
        return Motif.from_dict(plain["motif"])
    if {"file", "motif"} != set(plain):
        raise DesignError(
            'a pattern is a string, or {file = "motifs.meme", motif = "GATA1"}, not '
            f"{quoted(plain)}"
        )
    return motif(plain["file"], name=plain["motif"])
