"""Answers rounded to 8 bits: whether `causalgia.check` notes them, and whether it notes
answers that have all digits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from validation.checks import Check
from validation.draws import Rng

_LENGTH, _WIDTH, _FILTERS = 60, 7, 8
_DESIGN = cg.Design(
    null=cg.Uniform(length=_LENGTH),
    arms={"p": cg.Placebo("AGATAAG", at=20), "w": cg.Embed("AGATAAG", at=20)},
    n_units=128,
)
Answers = Callable[[np.ndarray], np.ndarray]


def network(rng: Rng, log2_sd: tuple[float, float] = (-2, 2)) -> Answers:
    """Return a network of random weights, one convolution, ReLU and a dense layer, whose
    answers have a mean of 0 and an sd between .25 and 4, or other powers of 2.
    """
    filters = rng.normal(size=(_FILTERS, 4, _WIDTH)).astype(np.float32)
    weights = rng.normal(size=_FILTERS).astype(np.float32)

    def dense(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, _WIDTH, axis=2)
        hidden = np.maximum(np.einsum("nctw,fcw->nft", windows, filters), 0)
        return hidden.sum(axis=2) @ weights

    some = np.eye(4, dtype=np.float32)[rng.integers(4, size=(200, _LENGTH))]
    usual = dense(some.transpose(0, 2, 1))
    scale = np.float32(2 ** rng.uniform(*log2_sd) / usual.std())
    return lambda x: ((dense(x) - usual.mean()) * scale).astype(np.float32)


def _bfloat16(y: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(y, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)


def _in_levels(y: np.ndarray, step: float) -> np.ndarray:
    return (np.rint(y / step) * step).astype(np.float32)


def _float8(y: np.ndarray, n_bits: int, least: int) -> np.ndarray:
    """Return numbers with `n_bits` after the first, or fewer below 2^least."""
    exponent = np.maximum(np.frexp(y)[1] - 1, least)
    step = np.ldexp(1.0, exponent - n_bits)
    return (np.rint(y / step) * step).astype(np.float32)


#: as torch.float8_e4m3fn and torch.float8_e5m2 are
COARSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rounded to float8 (e4m3)": lambda y: _float8(y, 3, -6),
    "rounded to float8 (e5m2)": lambda y: _float8(y, 2, -14),
}
#: the finest steps are at 0, and with larger answers too few of 256 lie near it
SPREADS = {"sd .25 to 1": (-2.0, 0.0), "sd 1 to 4": (0.0, 2.0)}


def _relu(rng: Rng) -> Answers:
    of = network(rng)
    return lambda x: np.maximum(of(x), 0)


def _base_count(rng: Rng) -> Answers:
    base = int(rng.integers(4))
    return lambda x: x[:, base].sum(axis=1)


def _base_share(rng: Rng) -> Answers:
    base, width = int(rng.integers(4)), int(rng.integers(10, _LENGTH + 1))
    return lambda x: x[:, base, :width].mean(axis=1)


EXACT: dict[str, Callable[[Rng], Answers]] = {
    "networks": network,
    "networks that end in a ReLU": _relu,
    "counts of a base": _base_count,
    "shares of a base in a window": _base_share,
}
_ORACLES = ("gata1_like", "additive", "saturating", "pairs_like", "gated")


def noted(predictor: cg.predict.Predictor, rng: Rng) -> bool:
    """Return whether the answers to 256 sequences are such that `causalgia.check` has
    a remark on their digits.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        cg.run(_DESIGN, predictor, rng=int(rng.integers(2**31)), progress=False)
    return bool(predictor.rounded_to)


def of_function(answers: Answers) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(answers, tasks=["a"], scale="z")


def coarse(name: str, spread: str) -> Callable[[Rng, int], np.ndarray]:
    """Whether the coarse answers of a network of random weights are noted."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        rows = []
        for _ in range(n_trials):
            of = network(rng, SPREADS[spread])
            rows.append(noted(of_function(lambda x, of=of: COARSE[name](of(x))), rng))
        return np.array(rows, dtype=bool)

    return trials


def _sum_of_shares(rng: Rng) -> Answers:
    """Return shares of two bases in windows of a power of 2, of 8 to 32 bases, added
    with weights of 1, 2 or 4.
    """
    widths, weights = 2 ** rng.integers(3, 6, size=2), 2 ** rng.integers(3, size=2)
    bases = rng.integers(4, size=2)

    def of(x: np.ndarray) -> np.ndarray:
        parts = [
            w * x[:, b, :n].mean(axis=1)
            for w, b, n in zip(weights, bases, widths, strict=True)
        ]
        return np.asarray(parts[0] + parts[1])

    return of


def _exact_heads(rng: Rng) -> Answers:
    some = [network(rng) for _ in range(int(rng.integers(2, 9)))]
    return lambda x: np.mean([of(x) for of in some], axis=0)


EXACT["means of 2 to 8 networks"] = _exact_heads
EXACT["shares in windows of a power of 2, weighted and added"] = _sum_of_shares


def exact(name: str) -> Callable[[Rng, int], np.ndarray]:
    """Whether the answers of a predictor with all of its digits are noted."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        rows = [noted(of_function(EXACT[name](rng)), rng) for _ in range(n_trials)]
        return np.array(rows, dtype=bool)

    return trials


def oracles(rng: Rng, n_trials: int) -> np.ndarray:
    """Whether the answers of an oracle of the zoo are noted."""
    names = rng.choice(_ORACLES, n_trials)
    return np.array([noted(cg.zoo.oracle(str(name)), rng) for name in names])


_SECTION = "Answers of few digits, as `check` notes them: 256 sequences of 60 bases"
CHECKS = [
    *(
        Check(
            _SECTION,
            f"networks of random weights, {spread}, {name}: noted",
            coarse(name, spread),
            0.95,
            "at least",
            full=100,
            quick=20,
        )
        for spread in SPREADS
        for name in COARSE
    ),
    *(
        Check(
            _SECTION,
            f"{name}, all digits: noted",
            exact(name),
            0.01,
            "at most",
            full=200,
            quick=20,
        )
        for name in EXACT
    ),
    Check(
        _SECTION,
        "oracles of the zoo, all digits: noted",
        oracles,
        0.01,
        "at most",
        full=200,
        quick=20,
    ),
]
