"""Tasks and tracks of a predictor: which are added, subtracted, reduced and compared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.effects.scales import stored_task_weights
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    PredictorError,
)
from causalgia.posterior import shared_effects
from causalgia.posterior.task_covariances import _check_tasks_differ

from . import Row

TASKS = ["K562", "HepG2"]
DESIGN = cg.Design(
    null=cg.Uniform(length=24),
    arms={"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=10)},
    n_units=40,
    contrasts="none",
)
PLAN = cg.Analysis(control="none", tasks="K562 - HepG2", rope=0)


def share(x: Any) -> Any:
    return np.stack([x[:, 1:3].sum((1, 2)), x[:, 0].sum(1) + x[:, 1, 4]], 1)


def network(fn: Any = share, **options: Any) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(fn, **({"tasks": TASKS, "scale": "share"} | options))


def run(plan: cg.Analysis = PLAN, **options: Any) -> xr.Dataset:
    return cg.run(DESIGN, network(), rng=0, analysis=plan, **options)


@cache
def outcomes() -> xr.Dataset:
    return cg.run(DESIGN, network(), rng=0)


def of_tasks(tasks: Any, **options: Any) -> xr.Dataset:
    return cg.contrast(outcomes(), control="none", tasks=tasks, **options)


def tracks(x: Any) -> Any:
    """Answer (n, 2 tasks, 24 positions)."""
    return x[:, :2] + 0.5 * x[:, 2:] + 0.1


def track(
    fn: Any = tracks,
    bin: int = 1,
    origin: int = 10,
    tasks: Any = ("a", "b"),
    **options: Any,
) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        fn, track=cg.Track(axis=-1, origin=origin, bin=bin), tasks=tasks, **options
    )


def answer(predictor: cg.FunctionPredictor) -> Any:
    return predictor.predict(np.zeros((5, 24), np.uint8))


def of_track(fn: Any) -> xr.Dataset:
    return cg.run(DESIGN, track(fn), rng=0)


def with_nan(x: Any) -> Any:
    y = tracks(x)
    y[(x[:, 2, 10] == 1) & (x[:, 0, 11] == 1) & (x[:, 3, 12] == 1), 1, 3] = np.nan
    return y


def of_the_batch(x: Any) -> Any:
    y = tracks(x)
    y[:, 0, 5] += y[:, 0, 5].mean() + x[:, 0].sum() / 1e3
    return y


def softmax(x: Any) -> Any:
    y = np.exp(x[:, 0] + 0.5 * x[:, 1])
    return y / y.sum(1, keepdims=True)


@cache
def curves() -> xr.Dataset:
    return cg.estimate(cg.contrast(cg.run(DESIGN, track(), rng=0)))


REPEATED = np.random.default_rng(0).normal(size=(50, 4))
REPEATED[:, 3] = REPEATED[:, 1]

ROWS = [
    Row(
        "a plan of tasks whose right side is 1",
        lambda: cg.Analysis(control="none", tasks="K562 - HepG2 = 1"),
        DesignError,
        "tasks",
    ),
    Row(
        "a plan of tasks of no weight",
        lambda: cg.Analysis(control="none", tasks={"none": {"K562": 0}}),
        DesignError,
        "none",
    ),
    Row(
        "a plan of a task that is none",
        lambda: run(replace(PLAN, tasks="K562 - Hepg2")),
        DesignError,
        "Hepg2",
    ),
    Row(
        "a plan of a pattern of no task",
        lambda: run(replace(PLAN, tasks="RNA:*")),
        DesignError,
        "RNA:*",
    ),
    Row(
        "a region of a task that is not asked for",
        lambda: run(replace(PLAN, rope={"K562": (-0.1, 0.1)})),
        DesignError,
        "K562",
    ),
    Row(
        "no region of a task",
        lambda: run(replace(PLAN, tasks="[KH]*", rope={"K562": (-0.1, 0.1)})),
        DesignError,
        "HepG2",
    ),
    Row(
        "a rule that watches each task beside a plan of their difference",
        lambda: cg.run(
            replace(DESIGN, n_units=2_000),
            network(),
            rng=0,
            analysis=PLAN,
            until=cg.Decided(rope=(-0.1, 0.1), min_clusters=100),
        ),
        DesignError,
        "until",
    ),
    Row(
        "kept effects are asked for another difference",
        lambda: cg.analyze(run(keep="effects"), replace(PLAN, tasks="HepG2 - K562")),
        EstimateError,
        "tasks",
    ),
    Row(
        "effects of each task are asked for their difference",
        lambda: cg.contrast(of_tasks(None), tasks="K562 - HepG2"),
        DataError,
    ),
    Row(
        "a weight of a task is nan",
        lambda: of_tasks({"a": {"K562": np.nan}}),
        EstimateError,
        "a",
    ),
    Row(
        "ratios of tasks are subtracted",
        lambda: of_tasks("K562 - HepG2", scale="ratio"),
        EstimateError,
        "scale",
    ),
    Row(
        "a sum has the name of a task",
        lambda: of_tasks({"K562": {"K562": 1.0, "HepG2": -1.0}}),
        EstimateError,
        "K562",
    ),
    Row(
        "patterns of one sum cancel",
        lambda: of_tasks({"none": {"K*": 1, "K5*": -1}}),
        EstimateError,
        "none",
    ),
    Row(
        "tasks on two scales are subtracted",
        lambda: cg.contrast(
            cg.run(DESIGN, network(scale=["counts", "log counts"]), rng=0),
            control="none",
            tasks="K562 - HepG2",
        ),
        EstimateError,
        "log counts",
    ),
    Row(
        "the sd of a control that does not vary",
        lambda: cg.contrast(
            outcomes().assign(outcome=outcomes()["outcome"] * [1, 0]),
            control="none",
            scale="sd",
        ),
        EstimateError,
        "HepG2",
    ),
    Row(
        "the sd of two units",
        lambda: cg.contrast(outcomes().isel(unit=[0, 1]), control="none", scale="sd"),
        EstimateError,
        "sd",
    ),
    Row(
        "stored weights of tasks are texts",
        lambda: stored_task_weights(
            xr.Dataset(attrs={"task_weights": '{"a": {"K562": "1"}}'})
        ),
        EstimateError,
        "a",
    ),
    Row(
        "stored weights of tasks end early",
        lambda: stored_task_weights(xr.Dataset(attrs={"task_weights": '{"a"'})),
        EstimateError,
        "task_weights",
    ),
    Row(
        "tasks that repeat each other",
        lambda: _check_tasks_differ(
            np.corrcoef(REPEATED.T), np.array(["t0", "t1", "t2", "t3"])
        ),
        EstimateError,
        "t1",
    ),
    Row(
        "draws that memory has no room for",
        lambda: shared_effects._check_sizes(
            xr.Dataset(
                {"ace": (("contrast", "task"), np.broadcast_to(0.0, (1 << 20, 128)))}
            ),
            8,
        ),
        EstimateError,
        "n_draws",
    ),
    Row(
        "scales of two tasks for one",
        lambda: network(scale=["counts"]),
        PredictorError,
        "scale",
    ),
    Row(
        "a scale of one task alone",
        lambda: network(scale={"K562": "share"}),
        PredictorError,
        "HepG2",
    ),
    Row(
        "members on two scales",
        lambda: cg.Ensemble([network(), network(scale="counts", fingerprint="v2")]),
        PredictorError,
        "scale",
    ),
    Row("a window is empty", lambda: cg.Window("w", 5, 5), PredictorError, "w"),
    Row(
        "two windows have one name",
        lambda: track(reduce=[cg.Window("w", 0, 5), cg.Window("w", 5, 9)]),
        PredictorError,
        "w",
    ),
    Row(
        "windows of two reductions",
        lambda: track(reduce=[cg.Window("w", 0, 5), cg.Window("v", 5, 9, "max")]),
        PredictorError,
    ),
    Row(
        "positions lie on the other axis",
        lambda: answer(track(lambda x: tracks(x).swapaxes(1, 2))),
        PredictorError,
        "axis",
    ),
    Row(
        "a track has two tasks for three names",
        lambda: answer(track(tasks=["a", "b", "c"])),
        PredictorError,
        "3",
    ),
    Row(
        "a window leaves the track",
        lambda: answer(track(reduce=cg.Window("w", -11, 0))),
        PredictorError,
        "w",
    ),
    Row(
        "a window ends inside a bin",
        lambda: answer(
            track(lambda x: tracks(x)[:, :, ::4], bin=4, reduce=cg.Window("w", -10, 3))
        ),
        PredictorError,
        "w",
    ),
    Row(
        "a position is nan",
        lambda: of_track(with_nan),
        PredictorError,
        "arm 'GATA'",
    ),
    Row(
        "a logarithm of no counts",
        lambda: answer(
            track(
                lambda x: np.zeros((len(x), 2, 24)),
                reduce=cg.Window("w", 0, 5, "log sum"),
            )
        ),
        PredictorError,
        "w: a",
    ),
    Row(
        "a window over a whole softmax",
        lambda: answer(
            cg.FunctionPredictor(
                softmax, track=cg.Track(origin=12), reduce=[cg.Window("all", -12, 12)]
            )
        ),
        PredictorError,
        "all",
    ),
    Row(
        "a position answers for its batch",
        lambda: of_track(of_the_batch),
        PredictorError,
        "position -5",
    ),
    Row(
        "arms of two lengths on a track",
        lambda: cg.run(
            replace(
                DESIGN, arms={"none": cg.Untreated(), "GATA": cg.Insert("GATA", at=10)}
            ),
            track(),
            rng=0,
        ),
        PredictorError,
        "28",
    ),
    Row(
        "members with other positions",
        lambda: answer(cg.Ensemble({"one": track(), "two": track(origin=0)})),
        PredictorError,
        "two",
    ),
    Row(
        "a rule that watches a track",
        lambda: cg.run(
            replace(DESIGN, n_units=2_000),
            track(),
            rng=0,
            until=cg.Decided(rope=(-9, 9), min_clusters=100),
        ),
        DesignError,
    ),
    Row("curves are decided", lambda: cg.decide(curves(), rope=0), DataError),
]
