# Imports from the inside: the layer whose filters are read.
"""Where the filters of a network are read."""

from __future__ import annotations

import pytest
import torch
from test_proposals import planted
from torch import nn

import causalgia as cg
from causalgia.attribution.layers import first_activation
from causalgia.sequences import encode

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:.*not vary at all")]
WORD = "TGACTCAT"


class Read(nn.Module):
    """A convolution with a filter of one word, a weak one and a silent one; activation
    and pooling as given.
    """

    def __init__(self, *behind, functional=False):
        super().__init__()
        self.first = nn.Conv1d(4, 3, 8)
        self.behind = nn.Sequential(*behind)
        self.last = nn.LazyLinear(1)
        self.functional = functional
        with torch.no_grad():
            self.first.weight[:] = 0.0
            for position, letter in enumerate(encode([WORD])[0]):
                self.first.weight[0, letter, position] = 1.0
            self.first.weight[1, :, 3] = torch.tensor([0.01, 0.0, 0.0, 0.0])
            self.first.bias[:] = torch.tensor([-5.0, 0.0, -1.0])
            self(torch.zeros(1, 4, 41))
            self.last.weight[:] = 1.0

    def forward(self, x):
        x = self.first(x)
        x = x.relu() if self.functional else x
        return self.last(self.behind(x).flatten(1))


def predictor(*behind, functional=False):
    torch.manual_seed(0)
    return cg.TorchPredictor(
        Read(*behind, functional=functional).eval(), tasks=["a"], device="cpu"
    )


@pytest.mark.parametrize(
    ("network", "at"),
    [
        (predictor(nn.ReLU()), ("behind.0", "output")),
        (
            predictor(nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout(), nn.MaxPool1d(2)),
            ("behind.3", "input"),
        ),
        (
            predictor(nn.Conv1d(3, 3, 1), nn.ReLU(), functional=True),
            ("behind.0", "input"),
        ),
    ],
)
def test_filters_are_read_behind_their_activation(network, at):
    assert first_activation(network, planted(1, WORD)) == at
