"""Words that `cg.discover` finds in the ten networks of RBFOX1, beside their effects in
many backgrounds.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.types import Tokens

#: the words of the oracle, by falling effect: 3.6, 3.2, 2.8, 2.0, 1.5, .4, .3, -.1
WORDS = ("TGCATG", "AGCATG", "CGCATG", "TGCACG", "AGAATG", "TGTATG", "TGCATA", "TACATG")
ACTIVE = 0.3
LEAST_PRECISION = 0.9
_LENGTH, _SEQUENCES, _BACKGROUNDS, _RANDOM = 41, 400, 2_000, 100
_COLUMNS = (
    *(
        "active",
        "active proposed",
        "found",
        "proposed",
        "proposed active",
        "confirmed",
        "confirmed active",
    ),
    *("fence below", "fence above"),
)


def measured(*, quick: bool = False) -> dict[str, Any]:
    """Return a row a network: what it reads, what was proposed, what holds, and which
    of it has an effect.
    """
    networks = ["residual"] if quick else ["residual", "exponential"]
    rows, missed = [], {}
    for network in networks:
        for member in range(1 if quick else 5):
            row, lost = of_network(network, member, n=80 if quick else _SEQUENCES)
            rows.append([f"{network}, {member}", *row])
            missed[f"{network}, {member}"] = lost
    return {"columns": list(_COLUMNS), "rows": rows, "missed": missed}


def of_network(
    network: str, member: int, *, n: int = _SEQUENCES
) -> tuple[list[float], dict[str, float]]:
    """Return the figures of one network, and the words that it reads and that were not
    found, with their effects.

    A word is found if one that holds contains it: words that share five letters are not
    taken for each other.
    """
    predictor = cg.zoo.load("rbfox1_like", architecture=network, member=member)
    generator = np.random.default_rng(member)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = cg.discover(predictor, planted(n, generator), n_units=200, rng=member)
    own = OwnEffects(predictor, generator)
    proposed, held = set(found.table["consensus"]), set(found.confirmed["consensus"])
    active = [word for word in WORDS if abs(own.of(word)) >= ACTIVE]
    suggested = [word for word in active if any(word in one for one in proposed)]
    whole = [word for word in active if any(word in one for one in held)]
    acting = {word for word in proposed if abs(own.of(word)) >= ACTIVE}
    counts = [
        len(one)
        for one in (active, suggested, whole, proposed, acting, held, held & acting)
    ]
    lost = {word: round(own.of(word), 3) for word in active if word not in whole}
    narrow = found.decisions.sel(contrast=found.decisions["placebo_class"] == 6)
    ends = [round(float(narrow[end].mean()), 3) for end in ("rope_lower", "rope_upper")]
    return [*counts, *ends], lost


def planted(n: int, generator: np.random.Generator) -> Tokens:
    """Return random sequences with one of the words each."""
    tokens = generator.integers(0, 4, (n, _LENGTH)).astype(np.uint8)
    for row, letters in enumerate(tokens):
        at = int(generator.integers(0, _LENGTH - 6))
        letters[at : at + 6] = cg.sequences.encode([WORDS[row % len(WORDS)]])[0]
    return tokens


class OwnEffects:
    """Average effects of words in the middle of random sequences, beyond those of
    random words of the same width.
    """

    def __init__(self, predictor: cg.Predictor, generator: np.random.Generator) -> None:
        self.predictor = predictor
        self.backgrounds = generator.integers(0, 4, (_BACKGROUNDS, _LENGTH)).astype(
            np.uint8
        )
        self.before = predictor.predict(self.backgrounds)
        self.generator = generator
        self.random: dict[int, float] = {}

    def of(self, word: str) -> float:
        """Return the effect of a word."""
        if len(word) not in self.random:
            words = self.generator.integers(0, 4, (_RANDOM, len(word))).astype(np.uint8)
            self.random[len(word)] = float(
                np.mean([self._change(one, slice(200)) for one in words])
            )
        return (
            self._change(cg.sequences.encode([word])[0], slice(None))
            - self.random[len(word)]
        )

    def _change(self, word: Tokens, rows: slice) -> float:
        made, at = self.backgrounds[rows].copy(), (_LENGTH - len(word)) // 2
        made[:, at : at + len(word)] = word
        return float(np.mean(self.predictor.predict(made) - self.before[rows]))
