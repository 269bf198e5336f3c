"""The automatic batch size against the best one found by hand, one thread, processor
time, contestants in turn.

    python benchmarks/batch.py [--quick] [--network DeepSTARR]

A ratio is a throughput over that of the fastest of 8, 16, ..., 1,024 (BPNet-size up to
64), each through `TorchPredictor` with the size given; the target is 0.9 or more.
Nothing is timed to choose the automatic size: it comes from the sizes of the network's
activations, so that every run and every machine cuts its batches alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from networks import SIZES, Sized
from timing import interleaved, ratio

import causalgia as cg


def throughputs(size: Sized, n_rows: int, repeats: int) -> tuple[int, dict[int, float]]:
    """Return the automatic size, and by batch size the throughput relative to the best
    one.
    """
    net = size.load()
    tokens = np.random.default_rng(0).integers(
        0, 4, (n_rows, size.length), dtype=np.uint8
    )
    automatic = cg.TorchPredictor(net, device="cpu").resolve_batch_size(size.length)
    sizes = sorted({automatic, *(2**i for i in range(3, 11) if 2**i <= n_rows)})
    asked = {
        str(batch): cg.TorchPredictor(net, device="cpu", batch_size=batch)
        for batch in sizes
    }
    times = interleaved(
        {name: lambda _, p=p: p.predict(tokens) for name, p in asked.items()}, repeats
    )
    best = min(times, key=lambda name: float(np.median(times[name])))
    return automatic, {int(name): ratio(times, best, name) for name in times}


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Print the throughputs and return that of the automatic size, by network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="a quarter of the sequences, one repeat"
    )
    parser.add_argument("--network", choices=SIZES, action="append")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    found = {}
    for name in options.network or SIZES:
        size = SIZES[name]
        n_rows = 64 if size.length > 1_000 else 1_024
        automatic, relative = throughputs(
            size, n_rows // (4 if options.quick else 1), 1 if options.quick else 7
        )
        found[name] = relative[automatic]
        told = "  ".join(f"{batch}: {value:.2f}" for batch, value in relative.items())
        print(
            f"{name}-size, length {size.length:,}: automatic {automatic}, "
            f"{found[name]:.2f} of the best (>= 0.9)"
        )
        print(f"  {told}")
    return found


if __name__ == "__main__":
    main()
