"""Fitting one network to simulated data. Imported on demand: this module needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causalgia.sequences import one_hot
from causalgia.types import Tokens
from causalgia.zoo.torch_networks import NETWORKS


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Passes through the data, sequences per step, and the largest learning rate."""

    epochs: int
    batch_size: int
    learning_rate: float

    def describe(self) -> str:
        """Return the optimiser in words."""
        return f"Adam, batches of {self.batch_size}, learning rate up to {self.learning_rate} and down (one cycle)"


def fit(network: str, tokens: Tokens, labels: NDArray[np.float64], how: Fit, *, seed: int) -> nn.Module:
    """Return a network fitted by least squares (Adam, a learning rate that rises and falls once).

    Labels are standardised for the fit; the last layer of what is returned answers on their scale.

    Parameters
    ----------
    network
        ``"residual"`` or ``"exponential"``.
    tokens, labels
        (n, 41) uint8 and (n,).
    how
        Epochs, batches and learning rate.
    seed
        Of the first weights and of the order of the sequences.
    """
    made = _initialised(network, seed)
    centre, spread = float(labels.mean()), float(labels.std())
    targets = torch.tensor((labels - centre) / spread, dtype=torch.float32)
    batches = list(_batches(len(labels), how, np.random.default_rng(seed)))
    optimiser = torch.optim.Adam(made.parameters(), lr=how.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.learning_rate, total_steps=len(batches))
    made.train()
    for rows in batches:
        _step(made, torch.from_numpy(one_hot(tokens[rows], dtype="float32")), targets[rows], optimiser)
        schedule.step()
    return _rescaled(made.eval(), centre, spread)


def _batches(n: int, how: Fit, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each step: in each epoch all in a new order, less what fills no batch."""
    full = n // how.batch_size
    for _ in range(how.epochs):
        yield from rng.permutation(n)[: full * how.batch_size].reshape(full, how.batch_size)


def _initialised(network: str, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[network]()


def _step(network: nn.Module, x: Tensor, target: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss = nn.functional.mse_loss(network(x)[:, 0], target)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


@torch.no_grad()
def _rescaled(network: nn.Module, centre: float, spread: float) -> nn.Module:
    last = network.get_submodule("last")
    assert isinstance(last, nn.Linear)
    last.weight *= spread
    last.bias.mul_(spread).add_(centre)
    return network
