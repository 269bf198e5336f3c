"""Published networks whose deposit has weights alone, written layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class Exponential(nn.Module):
    """The exponential of each number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return exp(x)."""
        return torch.exp(x)


def explainn(state: Mapping[str, torch.Tensor]) -> nn.Module:
    """Return ExplaiNN of the published names of its tensors: units of one filter, an
    exponential, max pooling and two dense layers each, which are added up linearly.
    """
    units, _, width = state["linears.0.weight"].shape
    hidden, pooled, _ = state["linears.6.weight"].shape
    pool = 7
    network = nn.Sequential(
        nn.Conv1d(4, units, width),
        nn.BatchNorm1d(units),
        Exponential(),
        nn.MaxPool1d(pool),
        nn.Flatten(),
        nn.Unflatten(1, (units * pooled, 1)),
        nn.Conv1d(units * pooled, hidden, 1, groups=units),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Conv1d(hidden, units, 1, groups=units),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(units, len(state["final.bias"])),
    )
    places = {
        "linears.0": 0,
        "linears.1": 1,
        "linears.6": 6,
        "linears.7": 7,
        "linears.10": 9,
        "linears.11": 10,
        "final": 13,
    }
    named = {}
    for name, values in state.items():
        layer, _, kind = name.rpartition(".")
        named[f"{places[layer]}.{kind}"] = values
    network.load_state_dict(named)
    return network.eval()
