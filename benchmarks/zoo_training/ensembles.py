"""Training of the zoo's networks: simulated data, fitted networks, files of weights and
their cards. Needs torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causalgia.predict import TorchPredictor, save_weights
from causalgia.sequences import one_hot
from causalgia.streams import derive, root_key
from causalgia.types import Tokens
from causalgia.zoo.oracles import oracle
from causalgia.zoo.torch_networks import NETWORKS
from causalgia.zoo.trained import MEMBERS, Card, card_path, file_digest, weights_path

from .simulation import LIBRARIES, Labeled, simulate


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Passes through the data, sequences per step, and the largest learning rate."""

    epochs: int
    batch_size: int
    learning_rate: float

    def describe(self) -> str:
        """Return the optimizer in words."""
        return (
            f"Adam, batches of {self.batch_size}, learning rate up to "
            f"{self.learning_rate} and down (one cycle)"
        )


def fit(
    network: str, tokens: Tokens, labels: NDArray[np.float64], how: Fit, *, seed: int
) -> nn.Module:
    """Return a network fitted by least squares (Adam, a learning rate that rises and
    falls once).

    Labels are standardized for the fit; the last layer of what is returned answers on
    their scale.

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
    made = _initialized(network, seed)
    center, spread = float(labels.mean()), float(labels.std())
    targets = torch.tensor((labels - center) / spread, dtype=torch.float32)
    batches = list(_training_batches(len(labels), how, np.random.default_rng(seed)))
    optimizer = torch.optim.Adam(made.parameters(), lr=how.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, how.learning_rate, total_steps=len(batches)
    )
    made.train()
    for rows in batches:
        _training_step(
            made,
            torch.from_numpy(one_hot(tokens[rows], dtype="float32")),
            targets[rows],
            optimizer,
        )
        schedule.step()
    return _rescale_output(made.eval(), center, spread)


def _training_batches(
    n: int, how: Fit, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each step: in each epoch all in a new order, less what fills no
    batch.
    """
    full = n // how.batch_size
    for _ in range(how.epochs):
        yield from rng.permutation(n)[: full * how.batch_size].reshape(
            full, how.batch_size
        )


def _initialized(network: str, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[network]()


def _training_step(
    network: nn.Module, x: Tensor, target: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(network(x)[:, 0], target)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def _rescale_output(network: nn.Module, center: float, spread: float) -> nn.Module:
    last = network.get_submodule("last")
    assert isinstance(last, nn.Linear)
    last.weight *= spread
    last.bias.mul_(spread).add_(center)
    return network


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many sequences, with how much noise (relative to the sd of the oracle's
    answers), fitted how.
    """

    n_train: int
    n_test: int = 10_000
    noise: float = 0.5
    fit: Fit


PLANS = {
    "rbfox1_like": Plan(
        n_train=60_000, fit=Fit(epochs=8, batch_size=256, learning_rate=0.004)
    ),
    "vts1_like": Plan(
        n_train=120_000, fit=Fit(epochs=10, batch_size=256, learning_rate=0.004)
    ),
}


@dataclass(frozen=True, kw_only=True)
class Member:
    """What a card says of one member."""

    parameters: int
    digest: str
    test_r2: float
    test_r2_noise_free: float


def train_ensemble(
    story: str, network: str, folder: Path, say: Callable[[str], object]
) -> Card:
    """Train the five members, write their weights and their card, and return the
    card.
    """
    members = []
    for seed in range(MEMBERS):
        members.append(train_member(story, network, seed, folder))
        say(
            f"{story} {network} {seed}: R2 {members[-1].test_r2_noise_free:.4f} "
            "against the oracle"
        )
    card = _card(story, network, members)
    card_path(folder, story, network).write_text(
        json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8"
    )
    return card


def train_member(story: str, network: str, seed: int, folder: Path) -> Member:
    """Simulate a member's own data, fit it, write its weights and test it."""
    plan, key = PLANS[story], derive(root_key(seed), "zoo training", story, network)
    data = simulate(story, plan.n_train, noise=plan.noise, key=derive(key, "train"))
    with _one_thread():
        fitted = fit(
            network, data.tokens, data.labels, plan.fit, seed=derive(key, "fit") % 2**63
        )
    path = weights_path(folder, story, network, seed)
    save_weights(fitted, path)
    predictor = TorchPredictor(fitted, device="cpu")
    test = test_data(story)
    answers = predictor.predict(test.tokens)[:, 0].astype(np.float64)
    return Member(
        parameters=sum(parameter.numel() for parameter in fitted.parameters()),
        digest=file_digest(path),
        test_r2=r_squared(test.labels, answers),
        test_r2_noise_free=r_squared(test.truth, answers),
    )


def test_data(story: str) -> Labeled:
    """Return the sequences on which every network of a story is tested."""
    plan = PLANS[story]
    return simulate(
        story,
        plan.n_test,
        noise=plan.noise,
        key=derive(root_key(0), "zoo training", story, "test"),
    )


def r_squared(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return ``1 - sum (y - predicted)^2 / sum (y - mean y)^2``.

    Examples
    --------
    >>> r_squared(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0]))
    0.5
    """
    return float(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order, whatever the machine's number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _card(story: str, network: str, members: list[Member]) -> Card:
    plan = PLANS[story]
    return Card(
        name=story,
        network=network,
        parameters=members[0].parameters,
        data=LIBRARIES[story].describe(),
        n_train=plan.n_train,
        n_test=plan.n_test,
        noise=plan.noise,
        loss="mean squared error",
        optimizer=plan.fit.describe(),
        epochs=plan.fit.epochs,
        command=f"python -m benchmarks.zoo_training {story} --network {network}",
        trained_on=repr(oracle(story)),
        seeds=tuple(range(MEMBERS)),
        digests=tuple(member.digest for member in members),
        test_r2=tuple(round(member.test_r2, 4) for member in members),
        test_r2_noise_free=tuple(
            round(member.test_r2_noise_free, 4) for member in members
        ),
    )
