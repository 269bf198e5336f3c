"""Ways to carry out a forward pass: speed against eager, and how far outputs and
contrasts deviate from float64.

    python benchmarks/engines.py [--quick] [--network DeepSTARR]

One thread, processor time, contestants in turn, each at its automatic batch size. A
deviation of the output is the largest, in standard deviations of the output over
sequences. That of a contrast (a 10-letter word in the middle, minus untreated), against
the network in float64, is the root mean square in standard deviations of the contrast,
and the bias in standard errors at 1,000 units.
The line "eager" is the numerical floor of float32. bfloat16, which is refused unless it
is accepted by name, is there to show why. TF32 is a GPU's: its rounding (both factors
of a product to 10 bits, sums in float32) is imitated here, so that line has a deviation
and no speed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from networks import SIZES, Sized
from timing import interleaved, ratio
from torch.overrides import TorchFunctionMode

import causalgia as cg
from causalgia.predict import Predictor

WORD = np.array([2, 1, 3, 2, 0, 1, 2, 3, 1, 0], np.uint8)


class Tf32Rounding(TorchFunctionMode):
    """Rounds both factors of convolutions and dense layers to TF32's 10 bits."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Carry out one function."""
        if func in (torch.conv1d, torch.nn.functional.linear):
            args = (self.rounded(args[0]), self.rounded(args[1]), *args[2:])
        return func(*args, **(kwargs or {}))

    @staticmethod
    def rounded(x: torch.Tensor) -> torch.Tensor:
        """Return x rounded to the nearest TF32, halves away from zero."""
        return ((x.contiguous().view(torch.int32) + (1 << 12)) & ~((1 << 13) - 1)).view(
            torch.float32
        )


class InTf32(torch.nn.Module):
    """A network under that rounding."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot x."""
        with Tf32Rounding():
            return self.net(x)


def engines(size: Sized, folder: Path) -> dict[str, Predictor]:
    """Return the same network, by the way in which it is run."""
    net = size.load()
    torch.onnx.export(
        net.eval(),
        (torch.zeros(2, 4, size.length),),
        str(folder / "net.onnx"),
        dynamo=True,
        external_data=False,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
    )
    ways: dict[str, Predictor] = {
        "eager": cg.TorchPredictor(net, device="cpu"),
        "ONNX Runtime": cg.OnnxPredictor(folder / "net.onnx", n_threads=1),
        "bfloat16": cg.TorchPredictor(
            size.load().bfloat16(), device="cpu", dtype="bfloat16"
        ),
    }
    ways["TF32, imitated"] = cg.TorchPredictor(InTf32(net), device="cpu")
    return ways


def measured(size: Sized, n_rows: int, repeats: int) -> dict[str, tuple[float, ...]]:
    """Return speed over eager's, output deviation, contrast rms and bias in standard
    errors, by way.
    """
    control = np.random.default_rng(0).integers(
        0, 4, (n_rows, size.length), dtype=np.uint8
    )
    treated = control.copy()
    treated[:, size.length // 2 - 5 : size.length // 2 + 5] = WORD
    with tempfile.TemporaryDirectory() as folder:
        ways = engines(size, Path(folder))
        times = interleaved(
            {name: lambda _, p=p: p.predict(control) for name, p in ways.items()},
            repeats,
        )
    exact = ways["eager"].reference()
    truth = exact.predict(control)

    def contrasts(predictor: Predictor) -> np.ndarray:
        one, other = predictor.predict(treated), predictor.predict(control)
        return one.astype(np.float64) - other.astype(np.float64)

    effects, found = contrasts(exact), {}
    for name, way in ways.items():
        off = np.abs(way.predict(control) - truth).max(axis=0) / truth.std(
            axis=0, ddof=1
        )
        error = (contrasts(way) - effects) / effects.std(axis=0, ddof=1)
        rms = np.sqrt((error**2).mean(axis=0)).max()
        bias_in_se = np.abs(error.mean(axis=0)).max() * np.sqrt(1_000)
        numbers = (off.max(), rms, bias_in_se)
        speed = np.nan if name == "TF32, imitated" else ratio(times, "eager", name)
        found[name] = (speed, *map(float, numbers))
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, dict[str, tuple[float, ...]]]:
    """Print and return what was measured, by network and way."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="few sequences, three repeats"
    )
    parser.add_argument("--network", choices=SIZES, action="append")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    found = {}
    for name in options.network or SIZES:
        size = SIZES[name]
        n_rows = max(16, 2**17 // size.length // (16 if options.quick else 2))
        found[name] = measured(size, n_rows, 3 if options.quick else 7)
        print(f"{name}-size, length {size.length:,}, {n_rows:,} sequences")
        print(
            "  "
            f"{'':<16}{'speed':>8}{'output, sd':>13}{'contrast rms, sd':>18}{'bias in SE at 1,000':>21}"
        )
        for way, (speed, output, rms, bias) in found[name].items():
            told = "" if np.isnan(speed) else f"{speed:.2f}"
            print(f"  {way:<16}{told:>8}{output:>13.1e}{rms:>18.1e}{bias:>21.1e}")
    return found


if __name__ == "__main__":
    main()
