"""Maps of one network by captum and tangermeme, for tests/test_maps_of_others.py:
writes expected.npz beside this file.

Made with captum 0.9.0, tangermeme 1.6.0, torch 2.13.0+cpu, numpy 2.4: python
tests/reference/maps/case.py
"""

from pathlib import Path

import numpy as np
import torch
from captum.attr import DeepLift, IntegratedGradients, Saliency
from tangermeme.deep_lift_shap import deep_lift_shap
from tangermeme.saturation_mutagenesis import saturation_mutagenesis
from torch import nn

N, LENGTH, CHANNELS, BASELINES = 4, 24, 6, 5


class Square(nn.Module):
    """Squares: the integral of its gradient along a line is exact with few steps."""

    def forward(self, x):
        """Return the squares."""
        return x * x


def network(weights, activation):
    """Return the network of these weights."""
    net = nn.Sequential(
        nn.Conv1d(4, CHANNELS, 7),
        activation,
        nn.Flatten(),
        nn.Linear(CHANNELS * (LENGTH - 6), 2),
    )
    with torch.no_grad():
        for parameter, values in zip(net.parameters(), weights, strict=True):
            parameter[:] = torch.from_numpy(values)
    return net.double().eval()


def one_hot(tokens):
    """Return (n, 4, length)."""
    return torch.from_numpy(np.eye(4)[tokens].transpose(0, 2, 1).copy())


def main():
    """Write the tokens, baselines, weights and maps."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (N, LENGTH)).astype(np.uint8)
    baselines = rng.integers(0, 4, (N, BASELINES, LENGTH)).astype(np.uint8)
    shapes = (CHANNELS, 4, 7), (CHANNELS,), (2, CHANNELS * (LENGTH - 6)), (2,)
    weights = [rng.normal(size=shape) / 4 for shape in shapes]
    relu, square = network(weights, nn.ReLU()), network(weights, Square())
    x = one_hot(tokens)
    found = {f"weight_{k}": values for k, values in enumerate(weights)} | {
        "tokens": tokens,
        "baselines": baselines,
    }
    for task in range(2):
        found[f"captum gradient {task}"] = (
            Saliency(relu).attribute(x, target=task, abs=False).detach().numpy()
        )
        parts = {"integrated_gradients": [], "deeplift": []}
        for k in range(BASELINES):
            away = one_hot(baselines[:, k])
            path = IntegratedGradients(square).attribute(
                x, away, target=task, n_steps=16
            )
            parts["integrated_gradients"].append(path.sum(1).detach().numpy())
            parts["deeplift"].append(
                DeepLift(relu).attribute(x, away, target=task).sum(1).detach().numpy()
            )
        for method, each in parts.items():
            found[f"captum {method} {task}"] = np.mean(each, axis=0)
        exchanged = saturation_mutagenesis(
            relu, x, target=task, hypothetical=True, dtype="float64", device="cpu"
        )
        found[f"tangermeme ism {task}"] = exchanged.numpy()
        references = torch.stack([one_hot(rows) for rows in baselines])
        found[f"tangermeme deeplift {task}"] = (
            deep_lift_shap(relu, x, target=task, references=references, device="cpu")
            .sum(1)
            .detach()
            .numpy()
        )
    np.savez(Path(__file__).parent / "expected.npz", **found)
    print({name: values.shape for name, values in found.items()})


if __name__ == "__main__":
    main()
