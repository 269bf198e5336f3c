"""A network whose grammar was planted, and whether the shapes of answers are that
grammar: missed and false, over seeds.

In task ``one``: AP-1 (TGAGTCA) .6; TEAD (CATTCCA) .05, and 1.5 where it follows AP-1 on
the same strand at gaps of 3 to 8; CAGGTG, an inhibitor, -.4 in the middle half of the
sequence and .2 elsewhere; each copy of AP-1 up to three; 2 for GC; and .1 of noise that no
motif explains. Task ``other`` has AP-1, GC and the noise alone.

Run: python -m benchmarks.catalogued.planted [seeds] [names]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import causalgia as cg

LENGTH = 200
AP1, TEAD, INHIBITOR, NOTHING = "TGAGTCA", "CATTCCA", "CAGGTG", "GTACCATG"
GAPS = (3, 8)
MIDDLE = (50, 150)
NAMES = ("motif", "position", "copies", "spacing", "pair", "pairs", "nothing")
"""Entries, the last of them that of a motif on which nothing depends."""
SITE, BONUS, LESS, MORE, MOST = 0.6, 1.5, -0.4, 0.2, 3
_NOISE = np.random.default_rng(7).normal(size=(4, LENGTH)) * 3


def network(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the outcomes (n, 2) of one-hot sequences (n, 4, length)."""
    one_hot = np.asarray(x)
    letters = one_hot.argmax(1)
    ap1, tead, inhibitor = (_found(letters, word) for word in (AP1, TEAD, INHIBITOR))
    rule = np.zeros(len(letters), bool)
    for gap in range(GAPS[0], GAPS[1] + 1):
        apart = len(AP1) + gap
        rule |= (ap1[:, :-apart] & tead[:, apart:]).any(1)
    middle = np.zeros(inhibitor.shape[1], bool)
    middle[MIDDLE[0] : MIDDLE[1]] = True
    gc = 2.0 * one_hot[:, 1:3].mean((1, 2)) * 2
    noise = 0.1 * np.sin(np.tensordot(one_hot, _NOISE, ([1, 2], [0, 1])))
    shared = SITE * np.minimum(ap1.sum(1), MOST) + gc + noise
    one = shared + 0.05 * tead.any(1) + BONUS * rule
    one = one + LESS * inhibitor[:, middle].any(1) + MORE * inhibitor[:, ~middle].any(1)
    return np.c_[one, shared]


def _found(letters: npt.NDArray[np.int64], word: str) -> npt.NDArray[np.bool_]:
    n = letters.shape[1] - len(word) + 1
    at = ["ACGT".index(base) for base in word]
    return np.all([letters[:, i : n + i] == base for i, base in enumerate(at)], 0)


def predictor() -> cg.FunctionPredictor:
    """Return the network as a predictor."""
    return cg.FunctionPredictor(network, tasks=["one", "other"], scale="log counts")


def shapes_of(name: str, rng: int, **settings: Any) -> list[dict[str, Any]]:
    """Return the shapes with a sign of one entry of the catalogue at its defaults."""
    null = cg.Uniform(length=LENGTH)
    motifs = {
        "pair": (AP1, TEAD),
        "pairs": ({"AP-1": AP1, "TEAD": TEAD, "none": NOTHING},),
        "spacing": (AP1, TEAD),
        "position": (INHIBITOR,),
        "copies": (AP1,),
        "motif": (AP1,),
        "nothing": (NOTHING,),
    }[name]
    made = getattr(cg.experiments, "motif" if name == "nothing" else name)
    experiment = made(null, *motifs, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = cg.run(experiment, predictor(), rng=rng, progress=False)
        answer = experiment.analyze(outcomes)
    table = answer.findings["shapes"].to_dataframe()
    return table[table["sign"].isin([1, -1])].to_dict("records")


def is_truth(name: str, shapes: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Return whether a planted shape is missed, and whether one is false."""
    rows = [
        (x["task"], x["group"], x["axis"], x["start"], x["stop"], x["sign"])
        for x in shapes
    ]
    sizes = {row: x["size"] for row, x in zip(rows, shapes, strict=True)}
    if name in ("pair", "pairs", "spacing"):
        label = "AP-1+ then TEAD+" if name == "pairs" else f"{AP1}+ then {TEAD}+"
        stop = 6.0 if name == "pairs" else 8.0
        planted = [("one", label, "gap", 3.0, stop, 1.0)]
        near = abs(sizes.get(planted[0], 0) - BONUS) < 0.1
        return not near, rows != planted
    if name == "position":
        of_one = [row for row in rows if row[0] == "one"]
        inside = [row for row in of_one if row[-1] == -1]
        right = (
            len(inside) == 1
            and abs(inside[0][3] - MIDDLE[0]) <= 8
            and abs(inside[0][4] - MIDDLE[1]) <= 8
        )
        return not right or len(of_one) != 3, len(rows) != len(of_one)
    if name == "copies":
        planted = [(t, "", "copies", 1.0, 3.0, 1.0) for t in ("one", "other")]
        return not {*planted} <= {*rows}, bool({*rows} - {*planted})
    if name == "motif":
        of_place = [row for row in rows if row[2] == "place"]
        letters = [row for row in rows if row[2] == "letter"]
        right = len(of_place) == 2 == len(letters) and all(
            row[3:] == (1.0, 7.0, -1.0) for row in letters
        )
        return not right, False
    return False, bool(rows)


def counts(seeds: int = 20, names: Sequence[str] = NAMES) -> dict[str, dict[str, int]]:
    """Return entry -> of so many seeds, those that missed what is planted and those that
    named what is not.
    """
    found = {}
    for name in names:
        truth = [is_truth(name, shapes_of(name, seed)) for seed in range(seeds)]
        missed, false = map(sum, zip(*truth, strict=True))
        found[name] = {"seeds": seeds, "missed": missed, "false": false}
    return found


if __name__ == "__main__":
    for name in sys.argv[2:] or NAMES:
        print(counts(int(sys.argv[1]) if len(sys.argv) > 1 else 20, [name]), flush=True)
