"""Audits: motifs and rules that are none, networks that read nothing, and the interval of
the share of variance explained.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd
from audited.judged import is_named
from audited.known import Word

import causalgia as cg
from causalgia._audit.explained import variance_explained
from causalgia.errors import CausalgiaWarning
from causalgia.types import Tokens
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import each

_LENGTH, _N, _WIDE = 60, 160, 5
_WORDS = ("TGCATG", "AGAATG", "GCTGG", "ACTAAC")
_ORACLE = cg.zoo.oracle("additive")
_FRESH = 20_000


def _sequences(rng: Rng) -> Tokens:
    """Return random sequences, each word in two fifths of them."""
    tokens = rng.integers(0, 4, (_N, _LENGTH)).astype(np.uint8)
    for row in tokens:
        for part, word in enumerate(_WORDS):
            if rng.random() < 0.4:
                at = 15 * part + int(rng.integers(0, 9))
                row[at : at + len(word)] = cg.sequences.encode([word])[0]
    return tokens


def _audit(predictor: cg.predict.Predictor, rng: Rng) -> cg.Audit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        return cg.audit(
            predictor,
            cg.sequences.decode(_sequences(rng)),
            progress=False,
            rng=int(rng.integers(2**62)),
        )


@lru_cache(maxsize=256)
def _additive(seed: int) -> tuple[float, bool]:
    """Return the share of the motifs named by an audit of the additive oracle that are no
    word of it, and whether a rule holds.
    """
    found = _audit(_ORACLE, np.random.default_rng(seed))
    read = set(found.motifs.loc[found.motifs["reads"].astype(bool), "motif"])
    none = [
        not any(is_named(one, Word.of(word)) for word in _WORDS)
        for one in found.candidates
        if one.label in read
    ]
    return sum(none) / max(len(none), 1), bool(found.rules["holds"].any())


def _of_additive(which: int) -> Callable[[Rng, int], np.ndarray]:
    """Return the trials; those of both rows are the same."""
    return lambda _, n: np.array([_additive(seed)[which] for seed in range(n)])


def something_holds(rng: Rng) -> bool:
    """Return whether anything holds in an audit of a network that is a table of all words
    of five letters, drawn at random.
    """
    weights = rng.normal(size=(4**_WIDE, 1))
    powers = 4 ** np.arange(_WIDE)

    def answer(one_hot: np.ndarray) -> np.ndarray:
        tokens = one_hot.argmax(axis=1)
        words = np.lib.stride_tricks.sliding_window_view(tokens, _WIDE, axis=1)
        mean: np.ndarray = weights[words @ powers].mean(axis=1)
        return mean

    network = cg.FunctionPredictor(answer, tasks=["y"], scale="y")
    found = _audit(network, rng)
    return bool(found.motifs["reads"].any() or found.rules["holds"].any())


def covers(n_held: int, *, skewed: bool = False) -> Callable[[Rng], bool]:
    """Return a function that tells whether the interval of the share explained contains
    that of the same coefficients in 20,000 further sequences: six motifs, composition,
    and an interaction that the list lacks; motifs are there or not, or in numbers that
    have a long tail.
    """

    def draw(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray]:
        gc = rng.normal(size=n)
        rates = np.array([0.2, 0.3, 0.5, 0.5, 0.8, 1.0])
        x = rng.random((n, 6)) < rates / 2
        if skewed:
            x = rng.poisson(rates * np.exp(0.5 * gc[:, None]))
        x = x.astype(float)
        y = x @ np.array([1.0, -0.8, 1.2, 0.5, 0.7, 0.3]) + x[:, 0] * x[:, 2] + 0.5 * gc
        return x, y[:, None]

    def one(rng: Rng) -> bool:
        x, y = draw(rng, 3 * n_held)

        def row(n: int) -> pd.Series:
            features, y_of = draw(rng, n)
            steps = {"motifs": (x, features)}
            return variance_explained(y, y_of, steps, ["y"], np.arange(n)).iloc[0]

        found, truth = row(n_held), row(_FRESH)
        return bool(found["lower"] <= truth["share"] <= found["upper"])

    return one


def cost_of_fitting(rng: Rng) -> float:
    """Return how much less than the right coefficients those fitted on 90 sequences
    explain of 30 others: eight motifs, of each its sites on both strands, whether there
    are any and their scores, and noise of the same variance.
    """
    sites = rng.poisson(0.35, (120, 8, 2)).astype(float)
    n = sites.sum(axis=2)
    scores = n + 0.3 * np.sqrt(n) * rng.normal(size=n.shape)
    x = np.dstack([sites, n > 0, scores]).reshape(120, -1)
    signal = n @ rng.choice([-1.0, 1.0], 8)
    y = signal + np.sqrt(5.6) * rng.normal(size=120)
    y_of, best = y[90:], ((y - signal)[90:] ** 2).sum()
    of = ((y_of - y_of.mean()) ** 2).sum()
    steps = {"motifs": (x[:90], x[90:])}
    found = variance_explained(y[:90, None], y_of[:, None], steps, ["y"], np.arange(30))
    return float(1 - best / of - found["share"].iloc[0])


_SECTION = "Audits: what is named that is not so, and the share of variance explained"
CHECKS = [
    Check(
        _SECTION,
        "audit, four additive words: share of the motifs named that are none of them",
        _of_additive(0),
        0.05,
        "at most",
        full=20,
        quick=1,
    ),
    Check(
        _SECTION,
        "audit, four additive words: a rule of two holds",
        _of_additive(1),
        0.05,
        "at most",
        full=20,
        quick=1,
    ),
    Check(
        _SECTION,
        "audit, a random table of words of five letters: a motif or a rule holds",
        each(something_holds),
        0.05,
        "at most",
        full=20,
        quick=1,
    ),
    *(
        Check(
            _SECTION,
            f"audit, share explained, {n} held-out sequences{', motifs in skewed numbers' * skewed}: interval",
            each(covers(n, skewed=skewed)),
            0.95,
            "reported" if skewed else "at least",
            full=1_000,
            quick=100,
        )
        for n in (75, 250)
        for skewed in (False, True)
    ),
    Check(
        _SECTION,
        "audit, share explained, eight motifs, 90 fitted sequences: less than the right coefficients have",
        each(cost_of_fitting),
        0.15,
        "at most",
        full=1_000,
        quick=100,
    ),
]
