"""Every oracle of the zoo, with random sequences in which its motifs are written."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.sequences.alphabet import encode, reverse_complement_iupac
from causalgia.sequences.motif_scores import find_instances
from causalgia.types import Array, Tokens
from causalgia.zoo.arrangements import Hairpin, Pair
from causalgia.zoo.automaton import Reading
from causalgia.zoo.oracles import names
from causalgia.zoo.terms import Gate, MotifCount, Saturating, Term

from .known import Known, Word, counted

NAMES = names()
N = 400
_LENGTHS = {"rbfox1_like": 41, "vts1_like": 41, "additive": 100, "saturating": 100}
_PAIRED = 0.4


def known(name: str, seed: int) -> Known:
    """Return an oracle, and sequences with its motifs: each in half of them, at random
    places and on random strands where the oracle reads both; a pair of motifs of a pair
    term at 2 to 30 bp in two fifths.
    """
    oracle = cg.zoo.oracle(name)
    length = _LENGTHS.get(name, 200)
    rng = np.random.default_rng([67, names().index(name), seed])
    terms = list(oracle.terms)
    counts = [t for t in _flat(terms) if isinstance(t, MotifCount)]
    both = any(t.strand == "both" for t in counts) or name in ("gated", "long_range")
    pairs = [t for t in terms if isinstance(t, Pair)]
    letters = [t.motif for t in counts]
    letters += list(chain(*([p.first, p.second] for p in pairs)))
    letters += list(chain(*(t.motifs for t in terms if isinstance(t, Gate))))
    spelled = [x.upper().replace("U", "T") for x in letters]
    words = list(dict.fromkeys(spelled))
    words = [w for w in words if reverse_complement_iupac(w) not in words[: words.index(w)]]  # fmt: skip
    tokens = rng.integers(0, 4, (N, length)).astype(np.uint8)
    share = min(0.5, length / 8 / sum(map(len, words)))
    for row in tokens:
        free = np.ones(length, bool)
        pieces = [(Word.of(w).letters,) for w in words if rng.random() < share]
        if pairs and rng.random() < _PAIRED:
            pair = pairs[int(rng.integers(len(pairs)))]
            two = [Word.of(x.upper().replace("U", "T")).letters for x in (pair.first, pair.second)]  # fmt: skip
            gap = int(rng.integers(2, 31 if length > 41 else 12))
            pieces.insert(0, (two[0], gap, two[1]))  # type: ignore[arg-type]
        if any(isinstance(t, Hairpin) for t in terms) and rng.random() < _PAIRED:
            stem = "".join(rng.choice(list("ACGT"), 5))
            pieces.insert(0, (stem, 1, "GCTGG", 1, reverse_complement_iupac(stem)))
        for piece in pieces:
            _write(row, free, piece, rng, both=both)

    def features(rows: Tokens) -> dict[str, Array]:
        reading = Reading(rows)
        columns = [_counts(w, rows) for w in words]
        others: list[Any] = [
            t.score(reading)
            for t in terms
            if not isinstance(t, MotifCount | Saturating)
        ]
        if name in ("saturating", "gated"):
            n = [c[:, :2].sum(1) for c in columns]
            others += [
                a * b if j > i else a * (a - 1) / 2
                for i, a in enumerate(n)
                for j, b in enumerate(n)
                if j >= i
            ]
        rules = np.column_stack(others) if others else np.zeros((len(rows), 0))
        return {"motifs": np.column_stack(columns), "rules": rules}

    return Known(
        name, oracle, tokens, {w: Word.of(w) for w in words}, (), features, both_strands=both
    )  # fmt: skip


def _flat(terms: list[Term]) -> list[Term]:
    return [
        part for t in terms for part in (t.terms if isinstance(t, Saturating) else (t,))
    ]


def _counts(word: str, rows: Tokens) -> Array:
    found = find_instances(rows, word, overlapping=True)
    active = np.zeros((2, len(rows), rows.shape[1]))
    active[(found.strand == "-").astype(int), found.row, found.start] = 1
    return counted(active[0], active[1])


def _write(row: Any, free: Any, piece: Any, rng: Any, *, both: bool) -> None:
    """Write words, with random bases at gaps between, where there is room."""
    parts = [
        encode([x])[0] if isinstance(x, str) else rng.integers(0, 4, x) for x in piece
    ]
    letters = np.concatenate(parts)
    if both and rng.random() < 0.5:
        letters = 3 - letters[::-1]
    if len(letters) > len(row):
        return
    at = int(rng.integers(0, len(row) - len(letters) + 1))
    if free[at : at + len(letters)].all():
        row[at : at + len(letters)] = letters
        free[at : at + len(letters)] = False
