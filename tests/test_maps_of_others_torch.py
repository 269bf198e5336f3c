"""Imports _attribute from the inside: the other programs were given baselines, and no
public verb takes any.

Maps beside those of captum and tangermeme, where they compute the same
(tests/reference/maps/case.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import causalgia as cg
from causalgia.attribution import _attribute

pytestmark = pytest.mark.torch
HERE = Path(__file__).parent / "reference" / "maps" / "expected.npz"


class Square(nn.Module):
    def forward(self, x):
        return x * x


@pytest.fixture(scope="module")
def expected():
    with np.load(HERE) as found:
        return dict(found)


def predictor(expected, activation):
    channels, length = len(expected["weight_1"]), expected["tokens"].shape[1]
    net = nn.Sequential(
        nn.Conv1d(4, channels, 7),
        activation,
        nn.Flatten(),
        nn.Linear(channels * (length - 6), 2),
    )
    with torch.no_grad():
        for k, parameter in enumerate(net.parameters()):
            parameter[:] = torch.from_numpy(expected[f"weight_{k}"])
    return cg.TorchPredictor(net.double().eval(), tasks=["0", "1"], device="cpu")


@pytest.fixture
def baselines_of_the_file(expected, monkeypatch):
    """The baselines that the other programs were given, in place of drawn ones."""
    drawn = expected["baselines"]
    monkeypatch.setattr(
        _attribute, "draws_of", lambda *_: lambda rows, numbers: drawn[rows, numbers]
    )
    return drawn.shape[1]


def close(found, expected, of):
    for task in ("0", "1"):
        np.testing.assert_allclose(
            found.sel(task=task), expected[f"{of} {task}"], rtol=0, atol=1e-5
        )
        assert np.abs(expected[f"{of} {task}"]).max() > 0.05


def test_gradients_are_those_of_captum_centered_over_the_bases(expected):
    maps = cg.attribute(
        cg.sequences.decode(expected["tokens"]),
        predictor(expected, nn.ReLU()),
        method="gradient",
    )
    raw = {
        name: values - values.mean(1, keepdims=True)
        for name, values in expected.items()
        if "gradient " in name
    }
    close(
        maps["score"].transpose("unit", "base", "position", "task"),
        raw,
        "captum gradient",
    )


def test_mutagenesis_is_that_of_tangermeme_centered_over_the_bases(expected):
    maps = cg.attribute(
        cg.sequences.decode(expected["tokens"]), predictor(expected, nn.ReLU())
    )
    score = maps["score"].transpose("unit", "base", "position", "task")
    close(score - score.mean("base"), expected, "tangermeme ism")


@pytest.mark.parametrize(
    "of", ["captum integrated_gradients", "captum deeplift", "tangermeme deeplift"]
)
def test_contributions_against_baselines_are_those_of_others(
    expected, baselines_of_the_file, of
):
    if "deeplift" in of:
        pytest.importorskip("tangermeme")
    method = of.split()[1]
    network = predictor(
        expected, Square() if method == "integrated_gradients" else nn.ReLU()
    )
    letters = cg.sequences.decode(expected["tokens"])
    maps = cg.attribute(
        letters, network, method=method, n_baselines=baselines_of_the_file, rng=0
    )
    close(cg.attribution.contributions(maps), expected, of)
