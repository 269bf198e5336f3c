"""Windows that overlap: intervals of the mean over new loci, from 15 loci listed once
for each summit, in tiles, or on both strands.

The effect of a word on a window is .2 for each G of it, so that windows of one locus
have effects that are alike. Everything runs through public verbs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import causalgia as cg
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.fasta import Sequences
from validation.checks import Check
from validation.draws import Rng

Trials = Callable[[Rng, int], np.ndarray]
_WORD, _AT, _LENGTH, _A_G = "AGATAAG", 96, 200, 0.2
_TOKENS = np.array(["ACGT".index(letter) for letter in _WORD])
TRUTH = _A_G * ((_LENGTH - len(_WORD)) / 4 + _WORD.count("G"))
_LOCI = 15


def _answer(x: np.ndarray) -> np.ndarray:
    at = slice(_AT, _AT + len(_WORD))
    word = (x[:, :, at].argmax(axis=1) == _TOKENS).all(axis=1)
    return np.asarray(_A_G * x[:, 2].sum(axis=1) * word)


_PREDICTOR = cg.FunctionPredictor(
    _answer, tasks=["y"], scale="log", fingerprint="G beside a word"
)
_ARMS = {"placebo": cg.Placebo(_WORD, at=_AT), "word": cg.Embed(_WORD, at=_AT)}


def _starts(rng: Rng, listed: str) -> np.ndarray:
    """Return where the windows of a locus start: one or three summits, or tiles."""
    if listed == "tiles":
        return np.arange(0, 100, 5)
    return rng.choice(100, 3 if listed == "three summits" else 1, replace=False)


def _windows(rng: Rng, listed: str, *, places: bool) -> Sequences:
    tokens, names = list[np.ndarray](), list[str]()
    for locus in range(_LOCI):
        letters = rng.integers(0, 4, 2 * _LENGTH).astype(np.uint8)
        for start in _starts(rng, listed).tolist():
            window = letters[start : start + _LENGTH]
            first = 1_000 * locus + start
            tokens.append(window)
            names.append(f"chr1:{first}-{first + _LENGTH}")
            if listed == "both strands":
                names[-1] += "(+)"
                tokens.append(reverse_complement(window[None])[0])
                names.append(names[-1].replace("+", "-"))
    numbers = tuple(range(len(names)))
    return Sequences(np.stack(tokens), tuple(names) if places else numbers)


def _limits(rng: Rng, of: Sequences, *, own: bool) -> tuple[float, float]:
    null = cg.Genomic(of=of, parent=range(len(of)) if own else None)
    design = cg.Design(null=null, arms=_ARMS, n_units=len(of), contrasts="placebo")
    seed = int(rng.integers(2**31))
    outcomes = cg.run(design, _PREDICTOR, rng=seed, progress=False)
    with warnings.catch_warnings():  # that 15 clusters are few
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        found = cg.estimate(cg.contrast(outcomes))
    return found["lower"].item(), found["upper"].item()


def covers(listed: str, *, places: bool = True, own: bool = False) -> Trials:
    """Whether the 95 % interval holds the mean over new loci."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = []
        for _ in range(n):
            of = _windows(rng, listed, places=places)
            lower, upper = _limits(rng, of, own=own)
            found.append(lower <= TRUTH <= upper)
        return np.array(found)

    return trials


def width(listed: str) -> Trials:
    """Width of the 95 % interval."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = []
        for _ in range(n):
            of = _windows(rng, listed, places=True)
            lower, upper = _limits(rng, of, own=False)
            found.append(upper - lower)
        return np.array(found)

    return trials


def _unchanged(rng: Rng, n: int) -> np.ndarray:
    """Whether loci that are listed once have the interval of parents of their own."""
    found = []
    for _ in range(n):
        of = _windows(rng, "one window", places=False)
        again = np.random.default_rng(int(rng.integers(2**31)))
        state = again.bit_generator.state
        one = _limits(again, of, own=False)
        again.bit_generator.state = state
        found.append(one == _limits(again, of, own=True))
    return np.array(found)


_WHY = "Windows that overlap: 15 loci, 95 % intervals of the mean over new loci"
_LISTED = ("one window", "three summits", "tiles", "both strands")
_SAID = {
    "one window": "one window a locus",
    "three summits": "three summits a locus",
    "tiles": "20 tiles of 5 bp a locus",
    "both strands": "both strands listed",
}
CHECKS = [
    *(
        Check(
            _WHY,
            f"{_SAID[listed]}, parents by {'places' if places else 'letters'}",
            covers(listed, places=places),
            0.94,
            "at least",
            1_000,
            50,
        )
        for listed in _LISTED
        for places in (True, False)
    ),
    *(
        Check(
            _WHY,
            f"{_SAID[listed]}, each window a parent of its own",
            covers(listed, own=True),
            0.95,
            "fails",
            500,
            150,
        )
        for listed in ("three summits", "tiles")
    ),
    *(
        Check(
            _WHY,
            f"{_SAID[listed]}, reported: width of the interval",
            width(listed),
            0.0,
            "reported",
            200,
            20,
        )
        for listed in _LISTED
    ),
    Check(
        _WHY,
        "one window a locus, the same interval as with parents by name",
        _unchanged,
        1.0,
        "at least",
        200,
        20,
    ),
]
