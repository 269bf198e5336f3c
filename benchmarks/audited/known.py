"""`Known`: a network, sequences to audit it on, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from causalgia.predict.predictor import Predictor
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import encode
from causalgia.types import Array, Tokens

MASK = {
    **{"A": 1, "C": 2, "G": 4, "T": 8, "U": 8, "R": 5, "Y": 10, "S": 6, "W": 9},
    **{"K": 12, "M": 3, "B": 14, "D": 13, "H": 11, "V": 7, "N": 15},
}


@dataclass(frozen=True)
class Word:
    """A motif that a network reads: its best letters, and which letters it admits,
    (width, 4).
    """

    letters: str
    admits: Array
    at: int | None = None
    """Start at which its own effect is measured; None: the middle."""

    @classmethod
    def of(cls, iupac: str) -> Word:
        """Return the word of IUPAC letters; its best letters are the first admitted."""
        admits = np.array([[MASK[x] >> k & 1 for k in range(4)] for x in iupac], float)
        return cls("".join("ACGT"[k] for k in admits.argmax(axis=1)), admits)

    @property
    def tokens(self) -> Tokens:
        """Its best letters as tokens."""
        found: Tokens = encode([self.letters])[0]
        return found


@dataclass(frozen=True)
class Planted:
    """A rule that a network reads: two words in an arrangement at a run of gaps."""

    first: str
    second: str
    strands: str
    gap_from: int
    gap_to: int
    task: str


@dataclass(frozen=True)
class Known:
    """A network of known words and rules.

    `features` returns, for tokens, what the true words, composition and rules are, step
    by step, as an audit counts them: the share that these explain is the one that an
    audit can reach.
    """

    kind: str
    predictor: Predictor
    sequences: Tokens
    words: Mapping[str, Word] = field(default_factory=dict)
    rules: tuple[Planted, ...] = ()
    features: Callable[[Tokens], dict[str, Array]] | None = None
    both_strands: bool = True
    motifs: str | None = None
    """A file of known motifs, by which candidates are named."""
    published: bool = False
    """Whether its words are only known from experiments, and more may be true."""


def counted(plus: Array, minus: Array) -> Array:
    """Return counts on each strand and whether any, from activities (n, places)."""
    columns = [plus.sum(1), minus.sum(1), plus.max(1), minus.max(1)]
    return np.column_stack(columns).astype(float)


def aligned(motif: Motif, word: Word) -> tuple[int, int, bool] | None:
    """Return how well a word stands in a motif, where, from the motif's first base, and
    whether it is turned; None where they are not one motif.

    They are one where, over three fifths of the shorter, the motif's letters are admitted
    by the word at five positions or more and at no other, or at six or more and not at
    one.
    """
    own = np.asarray(motif.probabilities)
    best: tuple[int, int, bool] | None = None
    for minus in (False, True):
        admits = word.admits[::-1, ::-1] if minus else word.admits
        says = admits.sum(axis=1) < 4
        for at in range(1 - len(admits), len(own)):
            rows = np.arange(max(0, at), min(len(own), at + len(admits)))
            if 5 * len(rows) < 3 * min(len(own), len(admits)):
                continue
            mass = (own[rows] * admits[rows - at]).sum(axis=1)
            sharp = (own[rows].max(axis=1) >= 0.5) & says[rows - at]
            good = int((sharp & (mass >= 0.5)).sum())
            bad = int((sharp & (mass < 0.5)).sum())
            is_one = (good >= 5 and bad == 0) or (good >= 6 and bad == 1)
            if is_one and (best is None or good - 2 * bad > best[0]):
                best = (good - 2 * bad, at, minus)
    return best
