"""Variants in active windows, on a scale of counts, among null variants of several
populations: false discoveries and power of one real variant among 120, and how often it
is said that null variants lie in unlike places.

The law: a genome of 120,000 random bases with 24 active windows, of three sites each.
A network predicts counts that grow 16-fold with each site, and times a random factor of
a few per cent for each base. Of 120 variants in active windows 119 touch no site; one
is real, larger than any site (it makes a motif that adds as much as five of them) or as
large as they are (it breaks one).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

import causalgia as cg
from causalgia.multiplicity.matched_ranks import Strata, unlike_medians
from causalgia.sequences import Variant
from validation.checks import Check
from validation.draws import Rng

LENGTH, PLACES = 200, range(3_000, 120_000, 4_900)
SITE, GAIN = "AGATAAGC", "TGACTCATGC"
Real = Literal["larger than any site", "breaks a site"]
NULLS: dict[str, tuple[cg.MatchedVariants, int]] = {
    "random loci": (cg.MatchedVariants(of="genome", match="length"), 8_000),
    "own windows": (cg.MatchedVariants(of="variants", match="length"), 8_000),
    "random loci matched by the reference's prediction": (
        cg.MatchedVariants(of="genome", match=("length", "reference"), min_nulls=2_500),
        64_000,
    ),
    "not stated": (cg.MatchedVariants(match="length"), 8_000),
}


N_DRAWS = 4
"""Draws of null variants, each of which serves every fourth trial."""


@cache
def experiment_of(name: str, real: Real, seed: int) -> cg.experiments.Experiment:
    """Return the trial of 120 variants, the last one real, among null variants."""
    rng = np.random.default_rng(1)
    letters = rng.choice(list("ACGT"), 120_000)
    taken = set()
    for place in PLACES:
        for at in (place - 40, place, place + 40):
            letters[at : at + len(SITE)] = list(SITE)
            taken |= set(range(at, at + len(SITE)))
    gain = PLACES[3] + 20
    letters[gain : gain + len(GAIN)] = list(GAIN.replace("C", "G", 1))
    taken |= set(range(gain, gain + len(GAIN)))
    idle = [
        x for place in PLACES for x in range(place - 30, place + 31) if x not in taken
    ]
    chosen = [
        Variant("g", x, str(letters[x]), "A" if letters[x] != "A" else "G")
        for x in rng.choice(idle, 119, replace=False).tolist()
    ]
    at = gain + GAIN.index("C") if real == "larger than any site" else PLACES[5] + 3
    chosen.append(Variant("g", at, str(letters[at]), "C"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genome.fa"
        path.write_text(f">g\n{''.join(letters)}\n")
        null, n_null = NULLS[name]
        return cg.experiments.variants(
            chosen,
            path,
            length=LENGTH,
            null=replace(null, seed=seed),
            n_null=n_null,
        )


def network(rng: Rng) -> cg.FunctionPredictor:
    """Return a network of this law with random weights of bases."""
    weights = rng.normal(0, 0.03, (LENGTH, 4)).astype(np.float32)

    def has(tokens: np.ndarray, word: str) -> np.ndarray:
        codes = ["ACGT".index(letter) for letter in word]
        n = LENGTH - len(word) + 1
        found = np.ones((len(tokens), n), bool)
        for k, code in enumerate(codes):
            found &= tokens[:, k : k + n] == code
        return found.sum(axis=1)

    def answer(x: np.ndarray) -> np.ndarray:
        tokens = x.argmax(axis=1)
        sites = has(tokens, SITE) + 5 * has(tokens, GAIN)
        of_bases = weights[np.arange(LENGTH), tokens].sum(axis=1)
        return np.exp(np.log(16) * np.minimum(sites, 8) + of_bases)[:, None]

    return cg.FunctionPredictor(answer, tasks=["y"], scale="counts")


@cache
def found(name: str, real: Real, number: int) -> tuple[float, bool]:
    """Return of one trial the false discovery proportion at q <= .05, and whether the
    real variant is found.
    """
    trial = experiment_of(name, real, number % N_DRAWS)
    predictor = network(np.random.default_rng(number))
    answer = trial.analyze(cg.run(trial, predictor, rng=0, progress=False))
    called = (answer.estimates["q_matched"] <= 0.05).to_numpy().ravel()
    return called[:-1].sum() / max(called.sum(), 1), bool(called[-1])


def said(rng: Rng, k: int, active: float) -> bool:
    """Return whether k variants, of which a share lies where a hundred times as much is
    predicted, are said to lie in places unlike those of 1,000 null variants.
    """
    own = rng.lognormal(0, 0.3, k) * np.where(np.arange(k) < active * k, 100, 1)
    one = Strata(np.zeros(k, np.int64), (np.arange(1_000),), ((),))
    return unlike_medians(one, own, rng.lognormal(0, 0.3, 1_000)) is not None


def _trials(name: str, real: Real, which: int) -> Callable[[Rng, int], np.ndarray]:
    """Return the trials of a row; rows of one law share them, whatever the rng."""
    return lambda _, n: np.array([found(name, real, i)[which] for i in range(n)])


_LAW = (
    "Variants in active windows, counts: 119 of 120 idle and one real, ranked among null "
    "variants at q <= .05"
)
_SAID = "Null variants in unlike places: how often it is said"
_FULL = {"random loci matched by the reference's prediction": 8}
_QUICK = dict.fromkeys(_FULL, 1)

CHECKS = [
    *(
        Check(
            _LAW,
            f"{name}, one larger than any site, mean share of false discoveries",
            _trials(name, "larger than any site", 0),
            0.05,
            "fails" if name == "random loci" else "at most",
            full=_FULL.get(name, 32),
            quick=_QUICK.get(name, 4),
        )
        for name in NULLS
    ),
    *(
        Check(
            _LAW,
            f"{name}, the one larger than any site is found",
            _trials(name, "larger than any site", 1),
            0.8,
            "reported" if name == "random loci" else "at least",
            full=_FULL.get(name, 32),
            quick=_QUICK.get(name, 4),
        )
        for name in NULLS
    ),
    *(
        Check(
            _LAW,
            f"{name}, one that breaks a site, one of three of its window, is found "
            "(not promised)",
            _trials(name, "breaks a site", 1),
            0.0,
            "reported",
            full=32,
            quick=4,
        )
        for name in ("random loci", "own windows")
    ),
    *(
        Check(
            _SAID,
            name,
            lambda rng, n, k=k, active=active, wish=wish: np.array(
                [said(rng, k, active) is wish for _ in range(n)]
            ),
            nominal,
            claim,
            full=10_000,
            quick=500,
        )
        for name, k, active, wish, nominal, claim in (
            (
                "three variants in places like the nulls', said to differ",
                3,
                0.0,
                True,
                0.015,
                "at most",
            ),
            (
                "of 120 variants 60 % in active windows, nothing is said",
                120,
                0.6,
                False,
                0.01,
                "at most",
            ),
            (
                "of 120 variants 40 % in active windows, nothing is said (not promised)",
                120,
                0.4,
                False,
                0.01,
                "fails",
            ),
        )
    ),
]
