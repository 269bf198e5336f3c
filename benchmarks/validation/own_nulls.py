"""A null model of one's own that makes its backgrounds from 20 peaks: intervals of the
mean over new peaks, where the function names the peak of each background and where it
does not.

A word is worth what the other letters of its background are, so that backgrounds of one
peak have effects that are alike. Everything runs through public verbs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import causalgia as cg
from validation.checks import Check
from validation.draws import Rng

Trials = Callable[[Rng, int], np.ndarray]
Law = Callable[[np.ndarray], np.ndarray]
_LENGTH, _AT, _PEAKS, _UNITS, _CHANGED = 60, 30, 20, 300, 0.02
_WEIGHTS = np.random.default_rng(0).normal(size=(4, _LENGTH))
_WEIGHTS -= _WEIGHTS.mean(axis=0)
_WEIGHTS[:, _AT] = 0
_WEIGHTS /= np.sqrt(
    (_WEIGHTS**2).sum() / 4
)  # effects of random letters have an sd of 1
_ARMS = {"A": cg.Embed("A", at=_AT), "G": cg.Embed("G", at=_AT)}
_FAR = 3 / np.sqrt(_PEAKS)
"""An effect of three standard errors."""


def _normal(context: np.ndarray) -> np.ndarray:
    return context


def _skewed(context: np.ndarray) -> np.ndarray:
    """Effects of skewness 1.7, mean 0, sd 1."""
    spread = 0.25
    return (np.exp(spread**0.5 * context) - np.exp(spread / 2)) / np.sqrt(
        np.exp(2 * spread) - np.exp(spread)
    )


def _limits(
    rng: Rng, law: Law, *, named: bool = True, given: bool = False
) -> np.ndarray:
    """Return the 95 % limits of an effect of mean 0: over 300 backgrounds that a
    function draws from 20 peaks, or over 15 mutants of each, as given sequences.
    """
    peaks = rng.integers(0, 4, (_PEAKS, _LENGTH))

    def mutants(rng: Rng, source: np.ndarray) -> np.ndarray:
        shape = (len(source), _LENGTH)
        others, changed = rng.integers(0, 4, shape), rng.random(shape) < _CHANGED
        return np.where(changed, others, peaks[source]).astype(np.uint8)

    def fn(rng: Rng, n: int) -> object:
        source = rng.integers(_PEAKS, size=n)
        return (mutants(rng, source), source) if named else mutants(rng, source)

    if given:
        source = np.repeat(np.arange(_PEAKS), _UNITS // _PEAKS)
        of = cg.sequences.decode(mutants(rng, source))
        null = cg.Genomic(of=of, parent=source.tolist())
    else:
        null = cg.design.Drawn(fn, length=_LENGTH, words="mutants of 20 peaks")
    predictor = cg.FunctionPredictor(
        lambda x: law(np.einsum("nbl,bl->n", x, _WEIGHTS)) * x[:, 2, _AT],
        tasks=["y"],
        dtype="float64",
        fingerprint=law.__name__,
    )
    design = cg.Design(null=null, arms=_ARMS, n_units=_UNITS)
    seed = int(rng.integers(2**31))
    outcomes = cg.run(design, predictor, rng=seed, progress=False)
    with warnings.catch_warnings():  # that 19 clusters are few, or sizes seem to matter
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        found = cg.estimate(cg.contrast(outcomes, control="A"))
    return np.array([found["lower"].item(), found["upper"].item()])


def covers(law: Law, *, named: bool = True) -> Trials:
    """Whether the 95 % interval holds the mean over new peaks."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        limits = np.array([_limits(rng, law, named=named) for _ in range(n)])
        return (limits[:, 0] <= 0) & (limits[:, 1] >= 0)

    return trials


def told(*, given: bool) -> Trials:
    """Whether an effect of three standard errors has a direction."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        limits = np.array([_limits(rng, _normal, given=given) for _ in range(n)])
        return limits[:, 0] + _FAR > 0

    return trials


_WHY = (
    "A null model of one's own: 300 mutants of 20 peaks, 95 % intervals of the mean over "
    "new peaks"
)
CHECKS = [
    Check(
        _WHY, "peaks named, normal effects", covers(_normal), 0.94, "at least", 800, 50
    ),
    Check(
        _WHY,
        "peaks named, effects of skewness 1.7 (few: no promise)",
        covers(_skewed),
        0.95,
        "reported",
        500,
        20,
    ),
    Check(
        _WHY, "peaks not named", covers(_normal, named=False), 0.95, "fails", 300, 100
    ),
    *(
        Check(
            _WHY,
            f"power at an effect of 3 standard errors, {what}",
            told(given=given),
            0.0,
            "reported",
            200,
            20,
        )
        for what, given in (
            ("peaks named", False),
            ("15 mutants of each peak given", True),
        )
    ),
]
