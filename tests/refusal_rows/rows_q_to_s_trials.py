"""Imports rules of stopping of arrays from the inside: `Decided` checks what it gives them.

Trials that would have wrong answers, or would fail after an hour."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia import store
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    PredictorError,
    StoreError,
)
from causalgia.stopping._confidence_sequence import sequence_critical
from causalgia.zoo.oracles import Imprint, ProfileOracle
from refusal_rows import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")
ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=10)}
PARENTS = [
    "ACGTACCGTTAGCATGACTGACCATGACTG",
    "GATTACAGATTACACCATGGTTCAAGGCTA",
    "CCGTATTGCAACGTATGCCATTAGGACATC",
]
WEIGHTS = np.linspace(1, 2, 30)
AT_41 = cg.Uniform(length=41)


def place(name: str = "trial.zarr") -> Path:
    """Return a path in a folder of its own, which ends with the tests."""
    return Path(tempfile.mkdtemp(dir=FOLDER.name)) / name


def design(**changes: Any) -> cg.Design:
    given = {"null": cg.Uniform(length=30), "arms": ARMS, "n_units": 400}
    return cg.Design(**(given | changes))


def gc(x: np.ndarray) -> np.ndarray:
    return x[:, 1:3].sum((1, 2)) + 1.0


def never(x: np.ndarray) -> np.ndarray:
    raise AssertionError("predicted")


def predictor(fn: Callable[..., Any] = gc, **options: Any) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(fn, **({"tasks": ["GC"], "scale": "counts"} | options))


def run(trial: Any = None, by: Any = gc, **options: Any) -> Any:
    by = predictor(by) if callable(by) else by
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cg.run(
            design() if trial is None else trial,
            by,
            **({"rng": 0, "progress": False} | options),
        )


def planned(trial: Any = None, by: Any = never, until: Any = None, **plan: Any) -> Any:
    """Ask for an analysis before anything is predicted."""
    analysis = cg.Analysis(control="none", **plan)
    return run(trial, by, analysis=analysis, until=until)


def of_length(x: np.ndarray) -> np.ndarray:
    if x.shape[2] != 30:
        raise ValueError(f"expected 30 positions, got {x.shape[2]}")
    return gc(x)


def broken(x: np.ndarray) -> np.ndarray:
    """Answer nan to one sequence, wherever it is."""
    marked = np.eye(4)[cg.Uniform(length=30).sample(30, rng=0)["sequence"].values[5]].T
    return np.where((x == marked).all((1, 2)), np.nan, gc(x))


def changing(change: Callable[[np.ndarray], np.ndarray], after: int = 100) -> Any:
    """Return a predictor whose answers change after so many sequences."""
    answered = 0

    def answer(x: np.ndarray) -> np.ndarray:
        nonlocal answered
        answered += len(x)
        share = gc(x).astype(np.float64)
        return share if answered <= after else change(share)

    return predictor(answer)


def one_sequence() -> Any:
    return run(design(null=cg.Markov(of=["AAAAAAAA"], order=1), arms=SHORT, n_units=4))


SHORT = {"control": cg.Untreated(), "treated": cg.Embed("GG", at=2)}
KEPT = design(
    arms={"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    contrasts="control",
)


def share(x: np.ndarray) -> np.ndarray:
    return (x[:, 1:3].sum(1) * WEIGHTS).sum(1)


def mended(x: np.ndarray) -> np.ndarray:
    """The same answers by other code."""
    return x[:, [1, 2]].sum(axis=1) @ WEIGHTS


def taken_over(by: Any, *, first: Any = share, rng: int = 3, **more: Any) -> Any:
    """Keep a trial, and go on with it by a predictor that gives the same answers."""
    path = place()
    run(KEPT, first, rng=3, store=path, **more)
    return run(KEPT, by, rng=rng, store=path, same_answers=True, **more)


def two_tasks(fn: Callable[..., Any], shift: float) -> cg.FunctionPredictor:
    return predictor(
        lambda x: np.stack([fn(x) + shift, fn(x) * 1e6], 1), tasks=["small", "large"]
    )


def file_of_outcomes() -> Path:
    return store.save(run(design(n_units=4)), place("o.nc"))


def cut_file() -> Any:
    path = file_of_outcomes()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return store.load(path, "outcomes")


def refuted(by: Any = None, control: str | None = "control", **choices: Any) -> Any:
    arms = {"control": cg.Placebo("UGCAUG", at=17), "site": cg.Embed("UGCAUG", at=17)}
    null, oracle = cg.Uniform(length=41), cg.zoo.oracle("additive")
    trial = cg.Design(null=null, arms=arms, n_units=50, contrasts=control)
    return cg.refute(run(trial, oracle), oracle if by is None else by, rng=0, **choices)


def table(**columns: Any) -> xr.Dataset:
    return cg.from_effects([1.4, 0.2], se=[0.1, 0.1]).assign(columns)


def decided() -> xr.Dataset:
    return cg.decide(cg.from_effects([1.4, 0.2], se=[0.1, 0.1]), rope=(-0.1, 0.1))


def exchanged() -> xr.Dataset:
    found = decided().copy(deep=True)
    found["lower"][0, 0] = 50.0
    return found


def page(x: Any, **parts: Any) -> Any:
    return cg.report(x, path=place("report.html"), **parts)


def of_another_trial() -> Any:
    outcomes = run(design(n_units=20))
    found = cg.decide(
        cg.estimate(cg.contrast(outcomes, control="none")), rope=(-0.1, 0.1)
    )
    return page(found, outcomes=outcomes.assign_attrs(design_fingerprint="another"))


OUTSIDE = cg.Decided(rope=(-9, 9), min_clusters=100)
ROWS = [
    # plans that no outcomes could answer: nothing is predicted
    Row(
        "a ratio of logarithms",
        lambda: planned(by=predictor(never, scale="log2 counts"), scale="ratio"),
        EstimateError,
        "log2 counts",
    ),
    Row(
        "the next of one predictor",
        lambda: planned(target="next predictor"),
        DesignError,
        "predictor",
    ),
    Row(
        "parents of units that have none",
        lambda: planned(target="parents"),
        DesignError,
        "400",
    ),
    Row(
        "one unit of a parent",
        lambda: planned(
            design(null=cg.DinucleotideShuffle(of=PARENTS), n_units=5), target="parents"
        ),
        DesignError,
        "parent",
    ),
    Row(
        "a region of ratios without 1",
        lambda: planned(scale="ratio", until=cg.Decided(rope=(-0.1, 0.1))),
        EstimateError,
        "1",
    ),
    Row(
        "units that can decide nothing",
        lambda: run(
            design(n_units=299),
            never,
            until=cg.Decided(rope=(-1, 1)),
        ),
        EstimateError,
        "300",
    ),
    Row(
        "a parallel trial with a rule",
        lambda: run(design(assignment="parallel"), never, until=OUTSIDE),
        DesignError,
    ),
    Row(
        "a rule about an arm that is not there",
        lambda: run(until=cg.Decided(rope=(-9, 9), min_clusters=100, control="TAL1")),
        EstimateError,
        "TAL1",
    ),
    Row(
        "a rule without a region for each task",
        lambda: run(
            until=cg.Decided(
                rope={"K562": (-0.1, 0.1)}, min_clusters=100, control="none"
            )
        ),
        EstimateError,
        "GC",
    ),
    Row(
        "an analysis without contrasts",
        lambda: cg.analyze(run(design(n_units=20)), cg.Analysis(rope=0)),
        EstimateError,
        "control",
    ),
    Row(
        "an analysis without a region",
        lambda: cg.analyze(run(design(n_units=20)), cg.Analysis(control="none")),
        EstimateError,
        "rope",
    ),
    # rules
    Row(
        "a rule in percent",
        lambda: cg.Decided(rope=0, ci_prob=95),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "a first look at ten clusters",
        lambda: cg.Decided(rope=0, min_clusters=10),
        EstimateError,
        "min_clusters",
    ),
    Row(
        "a look at every 0 units",
        lambda: cg.Decided(rope=0, every=0),
        EstimateError,
        "every",
    ),
    Row(
        "a region of placebos, as a rule",
        lambda: cg.Decided(rope="placebo"),
        EstimateError,
        "rope",
    ),
    Row(
        "a reversed region, as a rule",
        lambda: cg.Decided(rope=(0.1, -0.1)),
        EstimateError,
        "rope",
    ),
    Row(
        "a largest effect of 0, as a rule",
        lambda: cg.Decided(rope=0, largest=0),
        EstimateError,
        "largest",
    ),
    Row(
        "a look at no cluster", lambda: sequence_critical(0, alpha=0.05), EstimateError
    ),
    Row(
        "a sequence of error 0",
        lambda: sequence_critical(10, alpha=0),
        EstimateError,
        "alpha",
    ),
    # predictors
    Row(
        "an answer of nan",
        lambda: run(design(n_units=30), broken),
        PredictorError,
        "unit 5",
    ),
    Row(
        "answers that depend on batch mates",
        lambda: run(by=lambda x: gc(x) - gc(x).mean()),
        PredictorError,
    ),
    Row(
        "a network of another length",
        lambda: run(design(arms=ARMS | {"long": cg.Insert("A", at=0)}), of_length),
        PredictorError,
        "long",
    ),
    Row(
        "answers of another number of tasks",
        lambda: run(by=predictor(tasks=["GC", "AT"])),
        PredictorError,
    ),
    Row(
        "answers that change midway",
        lambda: run(by=changing(lambda y: y + 1)),
        PredictorError,
    ),
    Row(
        "answers that become float32 midway",
        lambda: run(by=changing(lambda y: y.astype(np.float32), after=500)),
        PredictorError,
        "float32",
    ),
    Row(
        "answers that become nan midway",
        lambda: run(by=changing(lambda y: y + np.nan)),
        PredictorError,
    ),
    Row(
        "answers in another order midway",
        lambda: run(by=changing(lambda y: y[::-1], after=400)),
        PredictorError,
    ),
    Row(
        "imprints without heights",
        lambda: Imprint("a", "GATA", heights=()),
        PredictorError,
    ),
    Row(
        "an imprint of bases on a track of bins",
        lambda: ProfileOracle(Imprint("a", "GA", (1.0,)), track=cg.Track(bin=2)),
        PredictorError,
    ),
    # designs
    Row("one sequence for all units", one_sequence, DesignError),
    Row(
        "more units than memory holds",
        lambda: run(design(n_units=10**13)),
        DesignError,
        "GiB",
    ),
    Row(
        "a placebo of one letter",
        lambda: cg.experiments.position(AT_41, "AAAAAA", control="placebo"),
        DesignError,
    ),
    Row(
        "placebos of sites that overlap",
        lambda: cg.experiments.spacing(
            AT_41, "UGCAUG", gaps=[0, -2], control="placebo"
        ),
        DesignError,
    ),
    # stores
    Row(
        "answers of other tasks are taken over",
        lambda: taken_over(predictor(share, tasks=["AT"])),
        StoreError,
        "AT",
    ),
    Row(
        "answers on another scale are taken over",
        lambda: taken_over(predictor(share, scale="log counts")),
        StoreError,
        "log counts",
    ),
    Row(
        "answers of another seed are taken over",
        lambda: taken_over(mended, rng=4),
        StoreError,
        "rng",
    ),
    Row(
        "answers beyond the rounding of their task are taken over",
        lambda: taken_over(two_tasks(mended, 0.01), first=two_tasks(share, 0)),
        StoreError,
        "small",
    ),
    Row("sums are taken over", lambda: taken_over(mended, keep="moments"), StoreError),
    Row(
        "answers are taken over without a store",
        lambda: run(KEPT, mended, same_answers=True),
        DesignError,
        "same_answers",
    ),
    Row("a file of outcomes that is cut", cut_file, DataError, "o.nc"),
    Row(
        "outcomes as estimates",
        lambda: store.load(file_of_outcomes(), "estimates"),
        DataError,
        "o.nc",
    ),
    Row(
        "a folder that is not there",
        lambda: store.save(run(design(n_units=4)), place() / "none" / "o.nc"),
        DataError,
        "o.nc",
    ),
    # real sequences beside the backgrounds
    Row(
        "real sequences of another length beside backgrounds",
        lambda: run(real=["ACGTACGTGCATGCATCGATGACTGACTG"] * 20),
        DesignError,
        "29",
    ),
    Row(
        "two real sequences beside backgrounds",
        lambda: run(real=2),
        DesignError,
        "real",
    ),
    # refutations
    Row(
        "a check that is none",
        lambda: refuted(checks="is_placebo"),
        DesignError,
        "is_placebo",
    ),
    Row("no check", lambda: refuted(checks=[]), DesignError, "checks"),
    Row(
        "a positive control that is longer than its sequences",
        lambda: refuted(positive="ACGT" * 11),
        DesignError,
        "positive",
    ),
    Row(
        "real sequences of another length",
        lambda: refuted(real=["ACGT" * 5] * 30),
        DesignError,
        "real",
    ),
    Row(
        "a refutation by another predictor",
        lambda: refuted(cg.zoo.oracle("saturating")),
        PredictorError,
    ),
    Row(
        "a refutation without contrasts",
        lambda: refuted(control=None),
        EstimateError,
        "control",
    ),
    # what is printed
    Row(
        "an error below 0 is printed",
        lambda: cg.report(table(se=(("contrast", "task"), [[-1.0], [0.1]]))),
        DataError,
        "se",
    ),
    Row(
        "a reversed interval is printed",
        lambda: page(exchanged()),
        DataError,
        "lower",
    ),
    Row(
        "a level of 2 is printed",
        lambda: cg.report(decided().assign_attrs(ci_prob=2)),
        DataError,
        "ci_prob",
    ),
    Row(
        "a task that is not there is printed",
        lambda: page(decided(), task="HeLa"),
        EstimateError,
        "HeLa",
    ),
    Row(
        "outcomes of another trial beside a page",
        of_another_trial,
        DataError,
        "outcomes",
    ),
    Row(
        "a page that is no HTML",
        lambda: cg.report(decided(), path="report.pdf"),
        DataError,
        "report.pdf",
    ),
    # saturation
    Row(
        "an element with an N is saturated",
        lambda: cg.experiments.saturation("ACGTNACGT"),
        DesignError,
        "position 4",
    ),
    Row(
        "elements of two lengths are saturated",
        lambda: cg.experiments.saturation(["ACGTACGT", "ACGTACG"]),
        DesignError,
        "record 1",
    ),
    Row(
        "nothing is saturated",
        lambda: cg.experiments.saturation([]),
        DesignError,
        "sequences",
    ),
    Row(
        "places outside the element are saturated",
        lambda: cg.experiments.saturation("ACGTACGT", span=(4, 9)),
        DesignError,
        "span",
    ),
    Row(
        "deletions are longer than the span",
        lambda: cg.experiments.saturation("ACGTACGT", span=(2, 5), deletions=4),
        DesignError,
        "deletions",
    ),
]
