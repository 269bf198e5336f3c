"""What can be written into a sequence: a word, an IUPAC word, or a motif; and the rearrangements of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import DesignError, SequenceError
from causalgia.sequences.alphabet import encode, parse_word
from causalgia.sequences.motifs import Motif

Tokens = NDArray[np.uint8]
Units = NDArray[np.uint64]
Instance = Literal["sample", "consensus"]


@dataclass(frozen=True)
class Pattern:
    """A word or a motif, and whether a motif stands for its instances or its consensus.

    Two words are equal where they read the same bases (U is T); `source` keeps the spelling, for do-notation.
    """

    source: str | Motif = field(compare=False)
    instance: Instance = "sample"
    reads: str | Motif = field(init=False, repr=False)

    def __post_init__(self) -> None:
        word = isinstance(self.source, str)
        object.__setattr__(
            self, "reads", self.source.replace("U", "T") if isinstance(self.source, str) else self.source
        )
        if word:
            object.__setattr__(self, "instance", "sample")

    def __len__(self) -> int:
        return len(self.source)

    @property
    def label(self) -> str:
        """The word itself, or the motif's name (with its consensus where that is what is written)."""
        if isinstance(self.source, str):
            return self.source
        return (
            self.source.name if self.instance == "sample" else f"{self.source.name} consensus {self.source.consensus}"
        )

    @property
    def word(self) -> str:
        """The word, or the motif's consensus."""
        return self.source if isinstance(self.source, str) else self.source.consensus

    @property
    def random(self) -> bool:
        """Whether instances differ between units."""
        if isinstance(self.source, str):
            return any(len(bases) > 1 for bases in parse_word(self.source)[1])
        return self.instance == "sample" and any(max(row) < 1 for row in self.source.probabilities)

    @property
    def identity(self) -> str | dict[str, Any]:
        """What makes two patterns the same, as plain data."""
        return self.reads if isinstance(self.reads, str) else {"motif": self.reads.to_dict()}

    @property
    def plain(self) -> str | dict[str, Any]:
        """The pattern as TOML-ready data."""
        return self.source if isinstance(self.source, str) else {"motif": self.source.to_dict()}

    def instances(self, units: Units, key: int) -> Tokens:
        """Return what is written: (w,) tokens for all units, or (n, w), drawn from each unit's stream."""
        if not self.random:
            constant: Tokens = encode(self.word)[0]
            return constant
        if isinstance(self.source, Motif):
            from causalgia.sequences.random import random_words

            return self.source.instances(random_words(key, units, len(self)))
        return _iupac_instances(parse_word(self.source)[1], units, key)


def as_pattern(pattern: object, *, instance: Instance | None = None) -> Pattern:
    """Return the pattern for a word, a Motif or a Pattern; DesignError says what is wrong with anything else."""
    if isinstance(pattern, Pattern):
        return pattern if instance is None else Pattern(pattern.source, instance)
    if isinstance(pattern, Motif):
        return Pattern(pattern, instance or "sample")
    if not isinstance(pattern, str):
        raise DesignError(f"a pattern is a word or a Motif, not {type(pattern).__name__}")
    try:
        return Pattern(parse_word(pattern)[0])
    except SequenceError as error:
        raise DesignError(str(error)) from error


def pattern_from_plain(plain: object) -> str | Motif:
    """Return the word or Motif that `Pattern.plain` wrote, or ``{file = "x.meme", motif = "GATA1"}``."""
    if isinstance(plain, str):
        return plain
    if isinstance(plain, dict) and isinstance(plain.get("motif"), dict):
        return Motif.from_dict(plain["motif"])
    if isinstance(plain, dict) and {"file", "motif"} == set(plain):
        return _motif_from_file(plain["file"], plain["motif"])
    raise DesignError(f'a pattern is a word, or {{file = "motifs.meme", motif = "GATA1"}}, not {plain!r}')


def _motif_from_file(path: str, name: str) -> Motif:
    from causalgia.sequences.motifs import read_motifs

    try:
        motifs = read_motifs(path)
    except SequenceError as error:
        raise DesignError(str(error)) from error
    if name not in motifs:
        raise DesignError(f"{path} has no motif '{name}'; it has {', '.join(list(motifs)[:8])}")
    return motifs[name]


def _iupac_instances(bases: tuple[tuple[int, ...], ...], units: Units, key: int) -> Tokens:
    from causalgia.sequences.random import random_integers

    choice = random_integers(key, units, np.array([len(b) for b in bases]))
    table = np.zeros((len(bases), 4), np.uint8)
    for row, admissible in zip(table, bases, strict=True):
        row[: len(admissible)] = admissible
    return table[np.arange(len(bases)), choice]
