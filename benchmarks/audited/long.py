"""Networks of 2,114 bp, as those of chromatin accessibility: two grammars, and a network of
convolutions that predicts about as slowly as those do.
"""

from __future__ import annotations

import numpy as np

from .grammars import known as grammar
from .known import Known

LENGTH = 2_114
NAMES = ("words", "spacing, both strands", "dilated convolutions")
_NUMBERS = (3, 14, 3)
_WIDTH, _CHANNELS, _LAYERS, _TRUNK = 13, 64, 9, 0.3


def known(name: str, seed: int) -> Known:
    """Return a network of long sequences and what it reads."""
    of = grammar(_NUMBERS[NAMES.index(name)], seed, length=LENGTH)
    return _convolutional(of, seed) if name == NAMES[2] else of


def _convolutional(of: Known, seed: int) -> Known:
    """Return a network of filters that are the words of a grammar, summed, beside a trunk
    of dilated convolutions with random weights.
    """
    import torch

    from causalgia.predict import TorchPredictor

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    words = [word.admits for word in of.words.values()]
    rng = np.random.default_rng([69, seed])
    weights = torch.from_numpy(rng.uniform(0.6, 1.5, len(words))).float()
    readers = torch.nn.Conv1d(4, 2 * len(words), _WIDTH, padding=_WIDTH // 2)
    with torch.no_grad():
        readers.weight.zero_()
        for k, word in enumerate((*words, *(x[::-1, ::-1] for x in words))):
            letters = torch.from_numpy(np.ascontiguousarray(word.T)).float()
            readers.weight[k, :, : len(word)] = letters
            readers.bias[k] = 1.0 - len(word)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.readers = readers
            self.first = torch.nn.Conv1d(4, _CHANNELS, 21, padding=10)
            self.dilated = torch.nn.ModuleList(
                torch.nn.Conv1d(_CHANNELS, _CHANNELS, 3, padding=2**k, dilation=2**k)
                for k in range(1, _LAYERS)
            )
            self.last = torch.nn.Linear(_CHANNELS, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            read = torch.relu(self.readers(x)).sum(dim=2)
            hidden = torch.relu(self.first(x))
            for layer in self.dilated:
                hidden = hidden + torch.relu(layer(hidden))
            trunk = _TRUNK * self.last(hidden.mean(dim=2))
            return read @ weights.repeat(2)[:, None] + trunk

    predictor = TorchPredictor(
        Network().eval(), tasks=["y"], scale="log activity", device="cpu"
    )
    return Known(of.kind, predictor, of.sequences, of.words)
