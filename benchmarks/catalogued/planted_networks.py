"""Networks whose grammar was planted, as exact functions, and sequences that hold it.

In task ``one``: AP-1 (TGAGTCA) .6; TEAD (CATTCCA) .05, and 1.5 where it follows AP-1 on
the same strand at gaps of 3 to 8; CAGGTG, an inhibitor, -.4 in the middle half of the
sequence and .2 elsewhere; each copy of AP-1 up to three; 2 for GC; and .1 of noise that no
motif explains. Task ``other`` has AP-1, GC and the noise alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

import causalgia as cg
from causalgia.sequences import decode
from causalgia.sequences.alphabet import reverse_complement_iupac

LENGTH = 200
AP1, TEAD, INHIBITOR, NOTHING = "TGAGTCA", "CATTCCA", "CAGGTG", "GTACCATG"
GAPS = (3, 8)
MIDDLE = (50, 150)
SITE, BONUS, LESS, MORE, MOST = 0.6, 1.5, -0.4, 0.2, 3
FOLDED = "GCTGG"
KD = {
    "TGCATGT": 0.83,
    "AGCATGT": 4.8,
    "CGCATGT": 6.1,
    "TGTATGT": 280.0,
    "TACATGT": 350.0,
    "TGCACGT": 4.9,
    "TGCATAT": 1830.0,
}
_NOISE = np.random.default_rng(7).normal(size=(4, LENGTH)) * 3

Array = npt.NDArray[np.float64]
Letters = npt.NDArray[np.int64]


def network(x: npt.ArrayLike) -> Array:
    """Return the outcomes (n, 2) of one-hot sequences (n, 4, length)."""
    letters = np.asarray(x).argmax(1)
    ap1, tead, inhibitor = (found(letters, word) for word in (AP1, TEAD, INHIBITOR))
    rule = np.zeros(len(letters), bool)
    for gap in range(GAPS[0], GAPS[1] + 1):
        apart = len(AP1) + gap
        rule |= (ap1[:, :-apart] & tead[:, apart:]).any(1)
    middle = np.zeros(inhibitor.shape[1], bool)
    middle[MIDDLE[0] : MIDDLE[1]] = True
    shared = SITE * np.minimum(ap1.sum(1), MOST) + 2.0 * gc(letters) + noise(letters)
    one = shared + 0.05 * tead.any(1) + BONUS * rule
    one = one + LESS * inhibitor[:, middle].any(1) + MORE * inhibitor[:, ~middle].any(1)
    return np.c_[one, shared]


def found(letters: Letters, word: str) -> npt.NDArray[np.bool_]:
    """Return where a word starts, (n, starts)."""
    n = letters.shape[1] - len(word) + 1
    at = ["ACGT".index(base) for base in word]
    return np.all([letters[:, i : n + i] == base for i, base in enumerate(at)], 0)


def gc(letters: Letters) -> Array:
    """Return the share of G and C of each sequence."""
    return ((letters == 1) | (letters == 2)).mean(1)


def noise(letters: Letters, size: float = 0.1) -> Array:
    """Return what no motif explains: a sine of a random sum over all letters."""
    weights = _NOISE[:, : letters.shape[1]]
    return size * np.sin(weights[letters, np.arange(letters.shape[1])].sum(1))


def predictor() -> cg.FunctionPredictor:
    """Return the network as a predictor."""
    return cg.FunctionPredictor(network, tasks=["one", "other"], scale="log counts")


def of_letters(
    tasks: Mapping[str, Callable[[Letters], Array]], *, scale: str = "log counts"
) -> cg.FunctionPredictor:
    """Return the predictor whose tasks are functions of letters (n, length)."""

    def outcomes(x: npt.ArrayLike) -> Array:
        letters = np.asarray(x).argmax(1)
        return np.column_stack([of(letters) for of in tasks.values()])

    return cg.FunctionPredictor(outcomes, tasks=list(tasks), scale=scale)


def folding() -> cg.FunctionPredictor:
    """Return a network that reads GCTGG: 1 in the open, .8 more in the loop of a hairpin
    and nothing in its stem (task ``fold``); 1 anywhere (``alike``); and -1, of which half
    is left in a loop (``less``), on 41 bp.
    """

    def parts(letters: Letters) -> tuple[npt.NDArray[np.bool_], ...]:
        site = found(letters, FOLDED)
        fold = (letters[:, 8:17] + letters[:, 24:33][:, ::-1] == 3).all(1)
        paired = np.zeros(site.shape, bool)
        paired[:, 8:13] = fold[:, None]
        return site.any(1), (site & ~paired).any(1), site[:, 17:20].any(1) & fold

    def fold(letters: Letters) -> Array:
        _, free, loop = parts(letters)
        return free + 0.8 * loop + noise(letters)

    def less(letters: Letters) -> Array:
        some, _, loop = parts(letters)
        return -1.0 * some + 0.5 * loop + noise(letters)

    return of_letters(
        {"fold": fold, "alike": lambda x: parts(x)[0] + noise(x), "less": less}
    )


def beside_core() -> cg.FunctionPredictor:
    """Return a network in which AP-1 is worth .6, in task ``flanks`` .9 before G, and CC
    before the center lowers the outcome by .3.
    """
    at = (LENGTH - len(AP1)) // 2

    def flanks(letters: Letters) -> Array:
        two = found(letters, "CC")[:, at - 2]
        more = 0.3 * found(letters, AP1 + "G").any(1)
        return core(letters) + more - 0.3 * two

    def core(letters: Letters) -> Array:
        return SITE * found(letters, AP1).any(1) + noise(letters)

    return of_letters({"core": core, "flanks": flanks})


def along_gc() -> cg.FunctionPredictor:
    """Return a network whose outcome and AP-1 change along GC: +.8 and 0, -.8 and +.4, 0
    and 0 from 30 to 70 %.
    """

    def of(slope: float, more: float) -> Callable[[Letters], Array]:
        def task(letters: Letters) -> Array:
            share, site = gc(letters), found(letters, AP1).any(1)
            return slope * share + site * (SITE + more * (share - 0.5)) + noise(letters)

        return task

    return of_letters({"rises": of(2, 0), "falls": of(-2, 1), "flat": of(0, 0)})


def by_affinity() -> cg.FunctionPredictor:
    """Return a network whose effects fall along log10 K_D, rise along it, or do not
    depend on it.
    """
    lines = {"falls": (1.2, -0.3), "rises": (0.2, 0.3), "flat": (0.6, 0.0)}

    def of(intercept: float, slope: float) -> Callable[[Letters], Array]:
        def task(letters: Letters) -> Array:
            total = noise(letters)
            for word, kd in KD.items():
                effect = intercept + slope * np.log10(kd)
                total = total + effect * found(letters, word).any(1)
            return total

        return task

    return of_letters({task: of(*line) for task, line in lines.items()})


def in_context() -> cg.FunctionPredictor:
    """Return a network in which AP-1 needs TEAD, does not, or is inhibited by it."""

    def of(alone: float, together: float) -> Callable[[Letters], Array]:
        def task(letters: Letters) -> Array:
            one, two = (found(letters, word).any(1) for word in (AP1, TEAD))
            return np.where(two, together, alone) * one + noise(letters)

        return task

    return of_letters(
        {"dependent": of(0, 4), "neutral": of(4, 4), "inhibited": of(4, 1)},
        scale="activity",
    )


def swapped() -> cg.FunctionPredictor:
    """Return a network that reads AP-1, TEAD, or needs both."""
    return of_letters(
        {
            "element": lambda x: 4.0 * found(x, AP1).any(1) + noise(x),
            "context": lambda x: 4.0 * found(x, TEAD).any(1) + noise(x),
            "both": lambda x: (
                4.0 * (found(x, AP1).any(1) & found(x, TEAD).any(1)) + noise(x)
            ),
        }
    )


def by_null(words: list[str]) -> cg.FunctionPredictor:
    """Return a network in which the order of words is the same on all backgrounds, or is
    reversed from AT-rich to GC-rich ones.
    """

    def same(letters: Letters) -> Array:
        each = [found(letters, word).any(1) for word in words]
        return noise(letters) + sum(0.3 * (i + 1) * one for i, one in enumerate(each))

    def differs(letters: Letters) -> Array:
        tilt = 2 * (gc(letters) - 0.5)
        each = [found(letters, word).any(1) for word in words]
        middle = (len(words) - 1) / 2
        return noise(letters) + sum(
            (0.5 + (i - middle) * tilt) * one for i, one in enumerate(each)
        )

    return of_letters({"same": same, "differs": differs})


def worth(effect: float) -> cg.FunctionPredictor:
    """Return a network that reads AP-1 alone."""
    return of_letters({"y": lambda x: effect * found(x, AP1).any(1) + noise(x)})


def backgrounds(
    n: int, seed: int, *, length: int = LENGTH, share: float = 0.5
) -> list[str]:
    """Return random sequences of one expected GC without any planted word."""
    rng = np.random.default_rng(seed)
    p = np.array([1 - share, share, share, 1 - share]) / 2
    words = [*(AP1, TEAD, INHIBITOR, NOTHING)]
    words += [reverse_complement_iupac(word) for word in words]
    made: list[str] = []
    while len(made) < n:
        letters = rng.choice(4, size=(n, length), p=p).astype(np.uint8)
        texts = decode(letters)
        made += [text for text in texts if not any(word in text for word in words)]
    return made[:n]


def with_words(text: str, *written: tuple[str, int]) -> str:
    """Return a sequence with words written at places."""
    for word, at in written:
        text = text[:at] + word + text[at + len(word) :]
    return text
