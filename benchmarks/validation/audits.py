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
        if not np.isfinite(found["lower"]):  # has no interval: another audit is asked
            return one(rng)
        return bool(found["lower"] <= truth["share"] <= found["upper"])

    return one


def _heavy(rng: Rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return three counts, and what adds them with lognormal errors of the same variance."""
    x = rng.poisson(0.5, (n, 3)).astype(float)
    error = np.exp(rng.normal(size=n)) - np.exp(0.5)
    y = (x - 0.5).sum(axis=1) / np.sqrt(3) + np.sqrt(0.5 / (np.e - 1) / np.e) * error
    return x, y[:, None]


def covers_under_heavy_errors(rng: Rng) -> bool:
    """Return the same where errors are lognormal, 150 sequences fitted and 50 held out."""
    (x, y), (x_of, y_of), (x_more, y_more) = (_heavy(rng, n) for n in (150, 50, _FRESH))
    found, truth = (
        variance_explained(y, y_, {"x": (x, x_)}, ["y"], np.arange(len(y_))).iloc[0]
        for x_, y_ in ((x_of, y_of), (x_more, y_more))
    )
    if not np.isfinite(found["lower"]):
        return covers_under_heavy_errors(rng)
    return bool(found["lower"] <= truth["share"] <= found["upper"])


def account_covers(n: int) -> Callable[[Rng, int], np.ndarray]:
    """Return how often the interval of what a tenth of the length carries contains what it
    does, of n uniform sequences whose bases have one weight each.
    """
    length = 40

    def one(rng: Rng) -> np.ndarray:
        weights = rng.normal(size=(length, 4))
        parts = (
            weights.var(axis=1).reshape(10, -1).sum(axis=1) / weights.var(axis=1).sum()
        )
        network = cg.FunctionPredictor(
            lambda x: np.einsum("ncl,lc->n", x, weights)[:, None],
            tasks=["y"],
            scale="y",
        )
        tokens = rng.integers(0, 4, (n, length))
        found = cg.account(
            network, cg.sequences.decode(tokens), rng=int(rng.integers(2**62))
        )
        rows = found.table[found.table["line"].str.startswith("bases")]
        inside = (rows["lower"] <= parts) & (parts <= rows["upper"])
        return inside.to_numpy()

    return lambda rng, trials: np.concatenate([one(rng) for _ in range(trials // 10)])


def account_of_sites_covers(n: int) -> Callable[[Rng, int], np.ndarray]:
    """Return how often the interval of what the sites of two additive motifs carry contains
    what it does by 4,000 pairs of sequences, made by code of its own.
    """
    words = [
        np.array(["ACGT".index(x) for x in word]) for word in ("TGACTCA", "CCGGAAGT")
    ]
    length = 80

    def hits(tokens: np.ndarray, word: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(tokens, len(word), axis=1)
        found: np.ndarray = (windows == word).all(axis=2)
        return found

    def draw(rng: Rng, n: int) -> np.ndarray:
        tokens = rng.integers(0, 4, (n, length))
        for row in tokens:
            for word in words:
                if rng.random() < 0.5:
                    at = int(rng.integers(0, length - len(word)))
                    row[at : at + len(word)] = word
        return tokens

    def answer(tokens: np.ndarray) -> np.ndarray:
        first, second = (hits(tokens, word).sum(axis=1) for word in words)
        gc = np.isin(tokens, (1, 2)).mean(axis=1)
        mean: np.ndarray = first + 0.7 * second + 6 * gc
        return mean

    network = cg.FunctionPredictor(
        lambda x: answer(x.argmax(axis=1))[:, None].astype(float),
        tasks=["y"],
        scale="y",
    )
    rng = np.random.default_rng(0)
    mothers, fathers = draw(rng, 20_000), draw(rng, 20_000)
    hybrids = fathers.copy()
    for word in words:
        for row, at in zip(*np.nonzero(hits(hybrids, word)), strict=True):
            part = slice(at, at + len(word))
            hybrids[row, part] = rng.permutation(hybrids[row, part])
    for word in words:
        for row, at in zip(*np.nonzero(hits(mothers, word)), strict=True):
            hybrids[row, at : at + len(word)] = word
    y = answer(mothers)
    truth = float(np.cov(y, answer(hybrids))[0, 1] / y.var())

    def one(rng: Rng) -> bool:
        found = cg.account(
            network,
            cg.sequences.decode(draw(rng, n)),
            motifs=["TGACTCA", "CCGGAAGT"],
            rng=int(rng.integers(2**62)),
        )
        row = found.table.set_index("line").loc["sites"]
        return bool(row["lower"] <= truth <= row["upper"])

    return each(one)


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
        "audit, share explained, 50 held-out sequences, lognormal errors: interval",
        each(covers_under_heavy_errors),
        0.95,
        "reported",
        full=1_000,
        quick=100,
    ),
    *(
        Check(
            _SECTION,
            f"account, one weight a base, {n} sequences: interval of a tenth of the length",
            account_covers(n),
            0.95,
            "at least",
            full=2_000,
            quick=100,
        )
        for n in (60, 150, 600)
    ),
    Check(
        _SECTION,
        "account, two additive motifs and GC, 60 sequences: interval of the sites",
        account_of_sites_covers(60),
        0.95,
        "at least",
        full=200,
        quick=20,
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
