"""Answers of networks that are taken as they are: whole numbers, shares, and sums that
are constant, with a warning.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DegenerateWarning

torch = pytest.importorskip("torch")


pytestmark = pytest.mark.torch


nn = torch.nn


LENGTH = 40


ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}


class Net(nn.Module):
    """A convolution with a read-out."""

    def __init__(self, read=lambda y: y.mean((1, 2)), layout="NCL"):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.read, self.layout = nn.Conv1d(4, 8, 5), read, layout

    def forward(self, x):
        return self.read(self.layer(x if self.layout == "NCL" else x.transpose(1, 2)))


def run(predictor, arms=ARMS):
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=arms, n_units=12, contrasts="none"
    )
    return cg.run(design, predictor, rng=0, progress=False)


SOFTMAX = Net(lambda y: y.mean(2).softmax(1))


def test_whole_numbers_are_answers():
    """They become float64, as the docstring of predict says: labels of classes are the
    user's own choice.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(
            cg.TorchPredictor(
                Net(lambda y: (y.amax(2) > 0.6).sum(1)), tasks=["channels"]
            )
        )
    assert found["outcome"].dtype == np.float64


@pytest.mark.parametrize(
    "reduce",
    [
        lambda y: y[:, 0],
        lambda y: y[:, :3].sum(1),
        lambda y: y.log().sum(1),
        lambda y: y.amax(1),
        lambda y: y.argmax(1),
    ],
)
def test_read_outs_of_a_softmax_that_vary_are_fine(reduce):
    assert (
        np.ptp(
            run(cg.TorchPredictor(SOFTMAX, reduce=reduce, tasks=["y"]))[
                "outcome"
            ].values
        )
        >= 0
    )


@pytest.mark.simulation
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_a_softmax_that_is_summed_inside_the_network_is_said(noise):
    """The sum is 1 but for rounding, so no effect can be seen; answering one class is
    the cure.
    """
    summed = cg.TorchPredictor(
        Net(lambda y: y.mean(2).softmax(1).sum(1) + noise * y.mean((1, 2)).sign()),
        tasks=["all"],
        device="cpu",
    )
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=ARMS, n_units=12, contrasts="none"
    )
    with pytest.warns(DegenerateWarning):
        cg.run(design, summed, rng=0, progress=False)
    found = cg.check(design, summed)
    answers = next(one for one in found.findings if one.name == "answers")
    assert answers.state == "warn"
    cured = cg.TorchPredictor(
        Net(lambda y: y.mean(2).softmax(1)[:, 0]), tasks=["one"], device="cpu"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            np.ptp(cg.run(design, cured, rng=0, progress=False)["outcome"].to_numpy())
            > 0
        )
    assert (
        next(
            one for one in cg.check(design, cured).findings if one.name == "answers"
        ).state
        == "ok"
    )
