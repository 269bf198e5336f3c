"""Imports pickle_with_code from the inside: workers are not started for it.

Networks whose answers or layers are not what was meant; none where torch is absent."""

from __future__ import annotations

import importlib.util
import threading

import numpy as np

import causalgia as cg
from causalgia.errors import PredictorError, StoreError
from causalgia.trial.setup import set_up_trial
from causalgia.workers.jobs import pickle_with_code
from refusal_rows import Row

LENGTH = 12
LOCK = threading.Lock()


def of_torch(read, layout: str = "NCL", **more: object) -> cg.TorchPredictor:
    """A convolution of three filters, and a function of what it answers."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scan = torch.nn.Conv1d(4, 3, 4)
            self.act = torch.nn.ReLU()
            self.spare = torch.nn.Linear(3, 3)
            self.dense = torch.nn.Linear(9, 1)

        def forward(self, x):
            return read(self, self.act(self.scan(x)))

    torch.manual_seed(0)
    return cg.TorchPredictor(Net(), layout=layout, **more)


def scan() -> cg.TorchPredictor:
    return of_torch(lambda net, y: net.dense(y.mean(1)))


def design() -> cg.Design:
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=4)}
    return cg.Design(null=cg.Uniform(length=LENGTH), arms=arms, n_units=12)


def run(predictor: cg.predict.Predictor) -> object:
    return cg.run(design(), predictor, rng=0, progress=False)


def sequences() -> object:
    return cg.Uniform(length=LENGTH).sample(8, rng=0)


def tokens(length: int = LENGTH) -> np.ndarray:
    return np.zeros((1, length), np.uint8)


def nullified(*given: object, **more: object) -> object:
    return cg.attribution.Nullified(scan(), *given, **more)


def for_workers() -> None:
    held = of_torch(
        lambda net, y: net.dense(y.mean(1)), reduce=lambda y, lock=LOCK: y[:, 0]
    )
    pickle_with_code(
        set_up_trial(design(), held, rng=0, analysis=None).trial, "the trial"
    )


OF_TORCH = [
    Row(
        "a batch of one without its axis",
        lambda: run(of_torch(lambda _, y: y.mean((1, 2)).squeeze())),
        PredictorError,
    ),
    Row(
        "answers of three axes",
        lambda: run(of_torch(lambda _, y: y.mean(2, keepdim=True).expand(-1, -1, 2))),
        PredictorError,
    ),
    Row(
        "several answers",
        lambda: run(of_torch(lambda _, y: (y, y.mean((1, 2))))),
        PredictorError,
    ),
    Row(
        "a softmax summed over its classes",
        lambda: run(
            of_torch(lambda _, y: y.mean(2).softmax(1), reduce=lambda y: y.sum(1))
        ),
        PredictorError,
    ),
    Row(
        "filters of a layer that reads the whole sequence",
        lambda: cg.attribution.filters(scan(), "dense", sequences()),
        PredictorError,
        "dense",
    ),
    Row(
        "filters of a layer that takes no part",
        lambda: cg.attribution.filters(scan(), "spare", sequences()),
        PredictorError,
        "spare",
    ),
    Row("a channel that there is not", lambda: nullified("scan", 3), PredictorError),
    Row("a channel twice", lambda: nullified("scan", [1, 1]), PredictorError),
    Row(
        "names for other channels",
        lambda: nullified("scan", "a", names=["a", "b"]),
        PredictorError,
        "names",
    ),
    Row(
        "a mean over no sequences",
        lambda: nullified("scan", 0, ablation="mean"),
        PredictorError,
        "sequences",
    ),
    Row(
        "donors of another length",
        lambda: cg.attribution.Nullified(
            of_torch(lambda _, y: y.mean((1, 2))),
            "scan",
            0,
            ablation="resample",
            sequences=["ACGTACGT"],
        ).predict(tokens()),
        PredictorError,
    ),
    Row("an answer that holds a lock, for workers", for_workers, StoreError),
]
ROWS = [
    *(OF_TORCH if importlib.util.find_spec("torch") else []),
    Row(
        "one number for all sequences",
        lambda: run(cg.FunctionPredictor(lambda x: float(x[:, 1].mean()))),
        PredictorError,
    ),
    Row(
        "answers with tasks before sequences",
        lambda: run(cg.FunctionPredictor(lambda x: [x[:, 1].mean(1), x[:, 2].mean(1)])),
        PredictorError,
    ),
]
