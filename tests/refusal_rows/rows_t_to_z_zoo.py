"""Oracles and trained networks that would answer something else than was asked."""

from __future__ import annotations

from typing import Any

import numpy as np

import causalgia as cg
from causalgia.errors import EstimateError, PredictorError
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair, oracle
from causalgia.zoo.arrangements import Hairpin

from . import Row

DESIGN = cg.Design(
    null=cg.Uniform(length=41),
    arms={
        "none": cg.Untreated(),
        "1": cg.Embed("GCATG", at=9),
        "2": cg.Embed("A", at=4),
    },
    n_units=10,
)


def answer(*terms: Any, length: int = 5, token: int = 0, **options: Any) -> Any:
    return Oracle(*terms, **options).predict(np.full((1, length), token, np.uint8))


ROWS = [
    Row(
        "a trial without a seed",
        lambda: cg.run(DESIGN, oracle("additive"), rng=None),  # type: ignore[arg-type]
        TypeError,
    ),
    Row(
        "a weight of a motif is nan",
        lambda: MotifCount("GA", float("nan")),
        PredictorError,
        "GA",
    ),
    Row(
        "weights of one task for two",
        lambda: Oracle(MotifCount("GA"), tasks=["a", "b"], weights=[[1]]),
        PredictorError,
        "weights",
    ),
    Row(
        "two tasks of one name",
        lambda: Oracle(MotifCount("GA"), tasks=["a", "a"]),
        PredictorError,
        "a",
    ),
    Row(
        "a sequence of another length",
        lambda: Oracle(MotifCount("GA"), length=4).predict(np.zeros((1, 5), np.uint8)),
        PredictorError,
        "4",
    ),
    Row(
        "a sequence shorter than its end",
        lambda: answer(EndGC(1.0, last=6)),
        PredictorError,
        "6",
    ),
    Row(
        "an answer is inf",
        lambda: answer(MotifCount("A", 500.0), length=9, link="exp"),
        PredictorError,
        "inf",
    ),
    Row("a token of 4", lambda: answer(MotifCount("GA"), token=4), PredictorError, "4"),
    Row(
        "clashes fall with their distance",
        lambda: Pair("GA", "TC", clash=((4, -1.0), (3, -0.5)), min_distance=6),
        PredictorError,
        "clash",
    ),
    Row(
        "a clash where pairs are",
        lambda: Pair("GA", "TC", clash=((4, -1.0),), min_distance=4),
        PredictorError,
        "min_distance",
    ),
    Row(
        "a loop shorter than its motif",
        lambda: Hairpin("GCUGG", bonus=1, stem=3, loop=4),
        PredictorError,
        "loop",
    ),
    Row(
        "weights of a truth sum to .5",
        lambda: oracle("additive").true_ace(
            DESIGN, contrasts={"c": {"2": 1, "1": -0.5}}
        ),
        EstimateError,
        "0.5",
    ),
    Row(
        "a control beside contrasts of a truth",
        lambda: oracle("additive").true_ace(
            DESIGN, control="none", contrasts={"c": {"2": 1, "1": -1}}
        ),
        EstimateError,
        "control",
    ),
    Row(
        "a member that was not trained",
        lambda: cg.zoo.load("rbfox1_like", member=5),
        PredictorError,
        "member",
    ),
    Row(
        "a member of an oracle",
        lambda: cg.zoo.load("gata1_like", member=1),
        PredictorError,
        "member",
    ),
]
