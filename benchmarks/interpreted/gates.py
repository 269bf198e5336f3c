"""Two sites that add up, need each other, or replace each other: maps and a trial of
four arms, oracle and CNN.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

import causalgia as cg
from causalgia.errors import DegenerateWarning
from causalgia.sequences import encode, one_hot
from interpreted.cases import cases as cases_of_the_zoo
from interpreted.interpretation import interpretation
from interpreted.methods import METHODS
from interpreted.zoo import N, as_results

MAPS = ("ISM", "gradient", "integrated gradients", "occlusion")
GATES = ("sum", "AND", "OR", "OR, one site")
LENGTH, WORDS = 60, ("AGATAAGG", "CCACACCC")
_PLACES = 12, 40


class GateNetwork(nn.Module):
    """A small convolutional network with one output for each gate."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.pool = (
            nn.Conv1d(4, 32, 11, padding=5),
            nn.ReLU(),
            nn.MaxPool1d(5),
        )
        self.dense, self.other, self.last = (
            nn.Linear(32 * (LENGTH // 5), 64),
            nn.ReLU(),
            nn.Linear(64, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output for each one-hot sequence."""
        return self.last(
            self.other(self.dense(self.pool(self.relu(self.first(x))).flatten(1)))
        )


def planted(n: int, generator: np.random.Generator) -> Any:
    """Return uniform sequences, tokens (n, 60), which have each motif with probability
    1/2, at a random place.
    """
    tokens = generator.integers(0, 4, (n, LENGTH), dtype=np.uint8)
    for row in tokens:
        places = generator.permutation(LENGTH - 8 + 1)
        second = places[np.abs(places - places[0]) >= 8][0]
        for word, start in zip(WORDS, (places[0], second), strict=True):
            if generator.random() < 0.5:
                row[start : start + 8] = encode(word)[0]
    return tokens


def trained(*, quick: bool = False) -> tuple[GateNetwork, list[float]]:
    """Return a network trained on answers of the oracle `gated`, and its R2 in each
    task on new sequences.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator, oracle, net = (
        np.random.default_rng(0),
        cg.zoo.oracle("gated"),
        GateNetwork(),
    )
    n, epochs = (2_000, 3) if quick else (20_000, 30)
    tokens = planted(n, generator)
    x, y = (
        torch.from_numpy(one_hot(tokens)),
        torch.from_numpy(oracle.predict(tokens)).float(),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 5e-3, total_steps=epochs * (n // 100)
    )
    for _ in range(epochs):
        for batch in torch.randperm(n).split(100):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    new = planted(2_000, generator)
    net.eval()
    truth = oracle.predict(new)
    with torch.no_grad():
        missed = truth - net(torch.from_numpy(one_hot(new))).numpy()
    return net, (1 - (missed**2).mean(0) / truth.var(0)).round(4).tolist()


def measured(*, quick: bool = False) -> dict[str, Any]:
    """Return scores of maps on the four gates, and interactions by four arms of 100
    units, of both networks.
    """
    net, r2 = trained(quick=quick)
    oracle, zoo = (
        cg.zoo.oracle("gated"),
        {case.name: case for case in cases_of_the_zoo(n_sequences=N)},
    )
    cases = []
    for name in GATES:
        task = name.split(",")[0]
        network = cg.TorchPredictor(
            net, heads=oracle.tasks, tasks=[task], scale=oracle.scale, device="cpu"
        )
        cases.append(
            replace(zoo[name], predictors={**zoo[name].predictors, "CNN": network})
        )
    maps = {
        name: as_results(
            interpretation(METHODS[name], cases=cases[2:] if quick else cases)
        )
        for name in (MAPS[:1] if quick else MAPS)
    }
    words = {
        name: cg.Embed(word, at=at)
        for name, word, at in zip(("first", "second"), WORDS, _PLACES, strict=True)
    }
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=cg.factorial(words), n_units=100
    )
    both = {
        "oracle": oracle,
        "CNN": cg.TorchPredictor(
            net, tasks=oracle.tasks, scale=oracle.scale, device="cpu"
        ),
    }
    trial: dict[str, dict[str, list[float]]] = {}
    for name, predictor in both.items():
        outcomes = cg.run(design, predictor, rng=0, progress=False)
        with warnings.catch_warnings():
            # the oracle has no noise
            warnings.simplefilter("ignore", DegenerateWarning)
            between = cg.estimate(
                cg.contrast(outcomes, interaction=["first", "second"])
            ).isel(contrast=0)
            alone = cg.estimate(
                cg.contrast(outcomes, contrasts=["first - untreated"])
            ).isel(contrast=0)
        trial[name] = {task: _figures(between.sel(task=task)) for task in oracle.tasks}
        trial[name]["OR, one site"] = _figures(alone.sel(task="OR"))
    return {
        "r2": dict(zip(oracle.tasks, r2, strict=True)),
        "maps": maps,
        "trial": trial,
    }


def _figures(row: Any) -> list[float]:
    return [round(float(row["ace"]), 4), round(float(row["se"]), 4)]
