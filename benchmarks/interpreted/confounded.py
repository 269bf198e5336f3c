"""The effect of a word by regression in sequences where words come together, by a
trial, and in truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import causalgia as cg
from causalgia.sequences import decode, encode

WORD, TASK, LENGTH = "AGATAAG", "K562", 200
_OTHERS = ("TGACTCA", "CCGGAAGT", "CAGCTG")
_IN_ENHANCERS, _ELSEWHERE = 0.6, 0.1


def sequences(n: int, *, rng: int) -> list[str]:
    """Return sequences of which half are enhancers: these have each word with
    probability .6, the others with .1.
    """
    generator = np.random.default_rng(rng)
    tokens = generator.integers(0, 4, (n, LENGTH), dtype=np.uint8)
    for unit, row in enumerate(tokens):
        share = _IN_ENHANCERS if unit % 2 else _ELSEWHERE
        # one word in each stretch of 10 bp
        places = generator.permutation(LENGTH // 10) * 10
        for word, start in zip((WORD, *_OTHERS), places, strict=False):
            if generator.random() < share:
                row[start : start + len(word)] = encode(word)[0]
    return list(decode(tokens))


def measured(*, quick: bool = False) -> dict[str, Any]:
    """Return the three estimates of the average effect of the word, each with its
    standard error.
    """
    oracle = cg.zoo.oracle("gata1_like")
    given = sequences(400 if quick else 4_000, rng=1)
    answers = oracle.predict(encode(given))[:, oracle.tasks.index(TASK)]
    present = np.array([WORD in text for text in given], dtype=float)
    observed = _slope(present[:, None], answers)
    with_others = np.array(
        [[word in text for word in (WORD, *_OTHERS)] for text in given], dtype=float
    )
    adjusted = _slope(with_others, answers)
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms={"untreated": cg.Untreated(), "word": cg.Embed(WORD, at=96)},
        n_units=100 if quick else 1_000, contrasts="untreated",
    )  # fmt: skip
    trial = (
        cg.estimate(cg.contrast(cg.run(design, oracle, rng=0, progress=False)))
        .isel(contrast=0)
        .sel(task=TASK)
    )
    truth = float(oracle.true_ace(design).isel(contrast=0).sel(task=TASK))
    return {
        "regression on the word": observed,
        "regression on the word and the others": adjusted,
        "trial": [float(trial["ace"]), float(trial["se"])],
        "truth": [truth, 0.0],
    }


def _slope(columns: Any, answers: Any) -> list[float]:
    """Return the least-squares slope of the first column and its robust (HC1) standard
    error.
    """
    x = np.column_stack([columns, np.ones(len(answers))])
    inverse = np.linalg.inv(x.T @ x)
    slopes = inverse @ x.T @ answers
    residual = answers - x @ slopes
    meat = (x * residual[:, None] ** 2).T @ x * len(x) / (len(x) - x.shape[1])
    return [float(slopes[0]), float(np.sqrt((inverse @ meat @ inverse)[0, 0]))]
