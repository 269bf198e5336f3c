"""Networks of the sizes that benchmarks name, with random weights: their time does not
depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


class ResidualBindSize(nn.Module):
    """The shapes of ResidualBind (Koo et al. 2021, doi:10.1371/journal.pcbi.1008925) on
    41 letters, or another number.
    """

    def __init__(self, length: int = 41) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv1d(4, 96, 11, padding=5), nn.BatchNorm1d(96), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        for dilation in (1, 2, 4, 8):
            conv = nn.Conv1d(96, 96, 3, padding=dilation, dilation=dilation)
            blocks += (
                [conv, nn.BatchNorm1d(96)]
                if dilation == 8
                else [conv, nn.BatchNorm1d(96), nn.ReLU()]
            )
        self.residual = nn.Sequential(*blocks)
        self.pool = nn.AvgPool1d(10)
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(96 * (length // 10), 256),
            nn.BatchNorm1d(256),
            nn.ReLU(),
        )
        self.head = nn.Linear(256, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, 41) with (n, 1)."""
        x = self.first(x)
        return self.head(self.dense(self.pool(torch.relu(x + self.residual(x)))))


class DeepSTARRSize(nn.Module):
    """The shapes of DeepSTARR (de Almeida et al. 2022,
    doi:10.1038/s41588-022-01048-5) on 249 letters, or another number.
    """

    def __init__(self, length: int = 249) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for c_in, c_out, k in ((4, 256, 7), (256, 60, 3), (60, 60, 5), (60, 120, 3)):
            blocks += [
                nn.Conv1d(c_in, c_out, k, padding=k // 2),
                nn.BatchNorm1d(c_out),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.body = nn.Sequential(*blocks)
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(120 * (length // 16), 256),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
        )
        self.heads = nn.Linear(256, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, 249) with (n, 2)."""
        return self.heads(self.dense(self.body(x)))


class BPNetSize(nn.Module):
    """The shapes of BPNet (Avsec et al. 2021, doi:10.1038/s41588-021-00782-6): eight
    dilated layers of 64 filters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 64, 21, padding=10)
        self.dilated = nn.ModuleList(
            nn.Conv1d(64, 64, 3, padding=2**i, dilation=2**i) for i in range(1, 9)
        )
        self.profile = nn.Conv1d(64, 1, 75, padding=37)
        self.count = nn.Linear(64, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, length) with (n, 2): log count, and mean of the
        profile's logits.
        """
        x = torch.relu(self.first(x))
        for layer in self.dilated:
            x = x + torch.relu(layer(x))
        return torch.cat(
            [self.count(x.mean(dim=2)), self.profile(x).mean(dim=2)], dim=1
        )


@dataclass(frozen=True)
class Sized:
    """A network, the length it reads, and how a benchmark asks it."""

    make: type[nn.Module]
    length: int
    n_units: int
    batches: tuple[int, ...]
    """Among which the fastest is found by hand."""

    def load(self) -> nn.Module:
        """Return the network, in eval mode."""
        torch.manual_seed(0)
        return self.make().eval()


SIZES = {
    "ResidualBind": Sized(ResidualBindSize, 41, 1_000, (32, 64, 128, 256, 512)),
    "DeepSTARR": Sized(DeepSTARRSize, 249, 1_000, (16, 32, 64, 128)),
    "BPNet": Sized(BPNetSize, 2_114, 96, (2, 4, 8, 16)),
}
