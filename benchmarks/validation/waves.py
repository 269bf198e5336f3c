"""Waves in the interaction of two motifs by their gap: curves that are none, and waves of
known period, in networks written out as formulas.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import causalgia as cg
from causalgia.types import Array
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import each

_SECTION = (
    "Waves of interactions by gap, `cg.experiments.spacing`: 60 units, irregularities of "
    "a tenth of the size"
)
_LENGTH, _UNITS, _WIDTH, _MOST = 110, 60, 8, 102
_ORIENTATIONS = ("++", "+-", "-+", "--")


def _window(rng: Rng, gaps: Array) -> Array:
    start = rng.integers(0, 26)
    return ((gaps >= start) & (gaps <= start + rng.integers(3, 20))).astype(float)


def _gap(rng: Rng, gaps: Array) -> Array:
    return (gaps == rng.integers(0, 31)).astype(float)


def _decay(rng: Rng, gaps: Array) -> Array:
    return np.exp(-gaps / rng.uniform(3, 60))


def _bump(rng: Rng, gaps: Array) -> Array:
    return np.exp(-(((gaps - rng.uniform(0, 30)) / rng.uniform(1, 8)) ** 2) / 2)


NO_WAVES = {
    "a window of 4 to 20 bp": _window,
    "one gap": _gap,
    "a decay": _decay,
    "a bump": _bump,
}


def told(rng: Rng, curve: Array) -> list[float]:
    """Return the periods that are told of an interaction of a curve by gap."""
    words = rng.permuted(np.tile([0, 1, 2, 3], (2, 2)), axis=1)
    strands = str(rng.choice(_ORIENTATIONS))
    ways = [x if s == "+" else 3 - x[::-1] for x, s in zip(words, strands, strict=True)]
    law = rng.choice([-1.0, 1.0]) * (curve + 0.1 * rng.normal(size=len(curve)))

    def answer(one_hot: Array) -> Array:
        tokens = one_hot.argmax(axis=1)
        n = tokens.shape[1] - _WIDTH + 1
        first, second = (
            np.all([tokens[:, k : n + k] == letter for k, letter in enumerate(word)], 0)
            for word in ways
        )
        both = np.zeros(len(tokens))
        for at in np.flatnonzero(first.any(axis=0)):
            rest = second[:, at + _WIDTH :]
            both += first[:, at] * (rest @ law[: rest.shape[1]])
        uneven = 1 + 0.3 * ((tokens[:, 0] == 0) * 1.0 - (tokens[:, 0] == 1))
        return (0.5 * (first.sum(1) + second.sum(1)) + uneven * both)[:, None]

    network = cg.FunctionPredictor(answer, tasks=["y"], scale="y")
    experiment = cg.experiments.spacing(
        cg.Uniform(length=_LENGTH),
        *cg.sequences.decode(words.astype(np.uint8)),
        strands=strands,
        n_units=_UNITS,
        rope=(-0.1, 0.1),
    )
    seed = int(rng.integers(2**31))
    outcomes = cg.run(experiment, network, rng=seed, progress=False)
    with warnings.catch_warnings():  # of gaps at which no unit differs
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        findings = experiment.analyze(outcomes, rng=seed).findings
    return (
        findings["waves"]["period"].to_numpy().tolist() if "waves" in findings else []
    )


def none_of(name: str) -> Callable[[Rng], bool]:
    """Return one trial of a curve that is no wave: whether it is told as one."""
    return lambda rng: bool(told(rng, NO_WAVES[name](rng, np.arange(_MOST * 1.0))))


def of_wave(rng: Rng) -> bool:
    """Return whether a wave is told with its period: of 9 to 12 bp, dying over 20 bp or
    more or not at all, about 0 or on one side.
    """
    gaps, period = np.arange(_MOST * 1.0), rng.uniform(9, 12)
    dying = np.exp(-gaps / rng.choice([rng.uniform(20, 80), np.inf]))
    turn = np.cos(2 * np.pi * (gaps - rng.uniform(0, period)) / period)
    curve = dying * (rng.choice([0.0, 1.2]) + turn)
    return any(abs(found - period) <= 0.3 for found in told(rng, curve))


CHECKS = [
    *(
        Check(
            _SECTION,
            f"spacing, {name}: told as a wave",
            each(none_of(name)),
            0.05,
            "at most",
            full=100,
            quick=4,
        )
        for name in NO_WAVES
    ),
    Check(
        _SECTION,
        "spacing, a wave of 9 to 12 bp: told with its period within .3 bp",
        each(of_wave),
        0.9,
        "at least",
        full=100,
        quick=4,
    ),
]
