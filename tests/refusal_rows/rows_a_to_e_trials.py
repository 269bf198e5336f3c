"""Trials whose failure would come after everything was predicted, and predictors, maps
and confirmations whose numbers would be others.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.errors import (
    DataError,
    DesignError,
    PredictorError,
)

from . import Row

ARMS = {
    "untreated": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA1": cg.Embed("AGATAAG", at=20),
}
PARENTS = {
    f"peak{i}": "".join(np.random.default_rng(i).choice(list("ACGT"), 60))
    for i in range(40)
}
SHARE = cg.FunctionPredictor(
    lambda x: x[:, 1:3].sum((1, 2)), tasks=["GC"], scale="count"
)
WORDS = {f"w{a}{b}{c}": f"GAT{a}{b}{c}" for a in "ACGT" for b in "AC" for c in "ACG"}


def never(x: Any) -> Any:
    raise AssertionError("a sequence was predicted")


NEVER = cg.FunctionPredictor(never, tasks=["GC"], scale="count")
TWO_TASKS = cg.FunctionPredictor(never, tasks=["a", "b"], scale="count")


def design(**changes: Any) -> cg.Design:
    return cg.Design(
        **{
            "null": cg.DinucleotideShuffle(of=PARENTS),
            "arms": ARMS,
            "n_units": 120,
            **changes,
        }
    )


def asked(predictor: Any = NEVER, n_words: int = 0, keep: str = "outcomes", **ask: Any):
    """Run a trial with a plan; nothing is predicted, or the row fails."""
    words = {name: cg.Embed(w, at=30) for name, w in list(WORDS.items())[:n_words]}
    trial = cg.Design(null=cg.Uniform(length=60), arms={**ARMS, **words}, n_units=20)
    plan = cg.Analysis(**{"control": "untreated"} | ask)
    return cg.run(trial, predictor, rng=0, analysis=plan, keep=keep)


def crossed(levels: list[tuple[Any, Any]]) -> Any:
    done = {
        "none": cg.Untreated(),
        "A": cg.Embed("GATA", at=3),
        "B": cg.Embed("CACC", at=20),
        "both": cg.Embed("GATA", at=3) + cg.Embed("CACC", at=20),
    }
    arms = [
        cg.Arm(name, do, {} if of is None else dict(zip("AB", of, strict=True)))
        for (name, do), of in zip(done.items(), levels, strict=True)
    ]
    trial = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=20)
    return cg.run(trial, NEVER, rng=0, analysis=cg.Analysis(interaction=["A", "B"]))


@cache
def screen(**changes: Any) -> xr.Dataset:
    plan = cg.Analysis(control="placebo", rope=0)
    return cg.run(design(**changes), SHARE, rng=0, analysis=plan)


def confirmed(outcomes: xr.Dataset | None = None, **how: Any) -> Any:
    outcomes = screen() if outcomes is None else outcomes
    return cg.confirm(
        outcomes, **{"select": ["GATA1"], "predictor": SHARE, "rng": 0, **how}
    )


def mean_of_the_batch(x: np.ndarray) -> np.ndarray:
    adenines = x[:, 0].mean(1)
    return adenines - adenines.mean()


ROWS = [
    Row(
        "a plan whose control is no arm",
        lambda: asked(control="plcebo"),
        DesignError,
        "plcebo",
    ),
    Row(
        "a plan of clusters by a measurement",
        lambda: asked(cluster="gc"),
        DesignError,
        "cluster",
    ),
    Row(
        "a plan of blocks of a crossover",
        lambda: asked(covariates=["gc"]),
        DesignError,
        "covariates",
    ),
    Row(
        "a plan of a region of no placebos",
        lambda: asked(rope="placebo"),
        DesignError,
        "placebo",
    ),
    Row(
        "a plan of a region of another task",
        lambda: asked(rope={"zz": (-1, 1)}),
        DesignError,
        "zz",
    ),
    Row(
        "a plan of a factorial that lacks a cell",
        lambda: crossed([None, (1, 0), (0, 1), (1, 1)]),
        DesignError,
        "interaction",
    ),
    Row(
        "a plan of a factorial with a cell taken twice",
        lambda: crossed([(0, 0), (0, 0), (0, 1), (1, 1)]),
        DesignError,
        "interaction",
    ),
    Row(
        "a plan that shares 19 contrasts across tasks",
        lambda: asked(TWO_TASKS, n_words=17, across="task"),
        DesignError,
        "across",
    ),
    Row(
        "a plan that shares across tasks of which moments are kept",
        lambda: asked(TWO_TASKS, n_words=20, across="task", keep="moments"),
        DesignError,
        "across",
    ),
    Row(
        "a plan that shares across tasks that follow from each other",
        lambda: asked(TWO_TASKS, n_words=20, across="task", tasks=["*", "a - b"]),
        DesignError,
        "a - b",
    ),
    Row(
        "a plan of verdicts on a track",
        lambda: cg.run(
            cg.Design(null=cg.Uniform(length=200), arms=ARMS, n_units=5),
            cg.zoo.footprint(),
            rng=0,
            analysis=cg.Analysis(control="untreated", rope=(-1, 1)),
        ),
        DesignError,
        "rope",
    ),
    Row(
        "a predictor whose answers depend on the batch",
        lambda: cg.run(
            design(), cg.FunctionPredictor(mean_of_the_batch), rng=0, progress=False
        ),
        PredictorError,
    ),
    Row(
        "a confirmation on the sequences of the screen",
        lambda: confirmed(
            cg.run(
                design(null=cg.Genomic(of=PARENTS), n_units=30),
                SHARE,
                rng=0,
                analysis=cg.Analysis(control="placebo", rope=0),
            )
        ),
        DesignError,
        "reserve",
    ),
    Row(
        "a confirmation of controls alone",
        lambda: confirmed(select=["placebo"]),
        DesignError,
        "select",
    ),
    Row(
        "a confirmation of another design",
        lambda: confirmed(design=design(n_units=7)),
        DesignError,
        "design",
    ),
    Row(
        "a confirmation by another predictor",
        lambda: confirmed(
            predictor=cg.FunctionPredictor(
                lambda x: x[:, 1].sum(1), tasks=["GC"], scale="count"
            )
        ),
        PredictorError,
        "predictor",
    ),
    Row(
        "a confirmation of outcomes without a design",
        lambda: confirmed(screen().drop_attrs()),
        DataError,
        "design",
    ),
    Row(
        "baselines of another length",
        lambda: cg.attribute(
            ["ACGTACGTACGT"],
            SHARE,
            method="shapley",
            baselines=cg.Uniform(length=9),
            rng=0,
        ),
        PredictorError,
    ),
    Row(
        "shuffles of two bases",
        lambda: cg.attribute(["AC"], SHARE, method="shapley", n_baselines=4, rng=0),
        PredictorError,
        "baselines",
    ),
]
