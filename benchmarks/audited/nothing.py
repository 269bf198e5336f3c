"""Networks that learned nothing: of random weights, and trained on shuffled labels."""

from __future__ import annotations

import numpy as np

from .grammars import KINDS, known as grammar
from .known import Known

NAMES = ("random weights", "shuffled labels")
_EPOCHS, _N = 15, 1_000
_SEQUENCES = 400


def known(name: str, seed: int) -> Known:
    """Return a small convolutional network and sequences with motifs, which it has no
    reason to read.
    """
    import torch

    from causalgia.predict import TorchPredictor

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    number = 2 * (seed % (len(KINDS) // 2)) + 1
    of = grammar(number, 1_000 + seed)
    network = torch.nn.Sequential(
        torch.nn.Conv1d(4, 16, 11, padding=5), torch.nn.ReLU(), torch.nn.MaxPool1d(4),
        torch.nn.Conv1d(16, 24, 5, padding=2), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(10), torch.nn.Flatten(),
        torch.nn.Linear(240, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1),
    )  # fmt: skip
    if name == "shuffled labels":
        rng = np.random.default_rng([68, seed])
        tokens = np.concatenate(
            [grammar(number, 2_000 + k).sequences for k in range(4)]
        )
        tokens = tokens[:_N]
        y = rng.permutation(of.predictor.predict(tokens)[:, 0])
        labels = torch.from_numpy((y - y.mean()) / y.std()).float()[:, None]
        x = torch.nn.functional.one_hot(torch.from_numpy(tokens).long(), 4)
        x = x.transpose(1, 2).float()
        steps = torch.optim.Adam(network.parameters(), lr=2e-3)
        for _ in range(_EPOCHS):
            for rows in torch.randperm(len(x)).split(64):
                steps.zero_grad()
                torch.nn.functional.mse_loss(network(x[rows]), labels[rows]).backward()
                steps.step()
    predictor = TorchPredictor(
        network.eval(), tasks=["y"], scale="log activity", device="cpu"
    )
    return Known(name, predictor, of.sequences[:_SEQUENCES])
