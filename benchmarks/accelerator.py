"""A trial of 10 motifs on a GPU against the bare forwards it needs, and the share of
its time in which the GPU idles.

The floor is 11 forwards of all units over one-hot float32 that lies on the GPU
beforehand, at the batch size that is fastest when tried by hand; answers are brought
back once. `cg.run` is timed from end to end: it draws the backgrounds, sends them as
bytes, embeds and makes one-hot on the GPU, and returns a Dataset. Wall time, the GPU
waited for. The idle share is one minus the time in which some kernel or copy ran
(torch's profiler) over the time of the run. A random network of each size; float32 with
TF32 off, as `TorchPredictor` has it.

    python benchmarks/accelerator.py [--quick] [--network DeepSTARR]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
from marginalize import MOTIFS, trial
from networks import SIZES
from timing import interleaved, ratio, tell, tell_ratios
from torch import nn
from torch.profiler import ProfilerActivity, profile

import causalgia as cg
from causalgia.sequences import one_hot

UNITS = {"ResidualBind": 200_000, "DeepSTARR": 60_000, "BPNet": 4_000}
BATCHES = {
    "ResidualBind": (4_096, 16_384, 65_536),
    "DeepSTARR": (1_024, 4_096, 16_384),
    "BPNet": (128, 512, 2_048),
}


def forwards(net: nn.Module, x: torch.Tensor, batch: int, times: int = 1) -> None:
    """Run every row of x through the network, so many times, and wait for the
    answers.
    """
    with torch.inference_mode():
        for _ in range(times):
            torch.cat(
                [net(x[start : start + batch]) for start in range(0, len(x), batch)]
            ).cpu()


def fastest(net: nn.Module, x: torch.Tensor, batches: Sequence[int]) -> int:
    """Return the batch size with the least wall time of three turns."""
    spent = dict.fromkeys(batches, np.inf)
    for _ in range(3):
        for batch in batches:
            start = time.perf_counter()
            forwards(net, x, batch)
            spent[batch] = min(spent[batch], time.perf_counter() - start)
    return min(spent, key=lambda batch: spent[batch])


def idle(design: cg.Design, predictor: cg.TorchPredictor) -> float:
    """Return the share of a run's time in which nothing ran on the GPU."""
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        start = time.perf_counter()
        cg.run(design, predictor, rng=29, progress=False)
        seconds = time.perf_counter() - start
    spans = sorted(
        (e.time_range.start, e.time_range.end)
        for e in seen.events()
        if e.device_type.name == "CUDA"
    )
    busy, until = 0.0, 0.0
    for first, last in spans:
        busy += max(0.0, last - max(first, until))
        until = max(until, last)
    return 1 - busy / 1e6 / seconds


def compared(name: str, *, quick: bool) -> dict[str, float]:
    """Time both on one network, print them and return the ratio, predictions a second
    and the idle share.
    """
    size, n_units = SIZES[name], 64 if quick else UNITS[name]
    net, design = size.load().cuda(), trial(size, n_units)
    predictor = cg.TorchPredictor(net, device="cuda")
    x = (
        torch.from_numpy(one_hot(design.null.sample(n_units, rng=0)["sequence"].values))
        .float()
        .cuda()
    )
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    batch = fastest(net, x, BATCHES[name])
    contestants = {
        f"11 bare forwards, batch {batch}": lambda _: forwards(
            net, x, batch, 1 + len(MOTIFS)
        ),
        "causalgia.run": lambda key: cg.run(design, predictor, rng=key, progress=False),
    }
    times = interleaved(contestants, 1 if quick else 5, clock=time.perf_counter)
    own, n = predictor.resolve_batch_size(size.length), n_units * (1 + len(MOTIFS))
    print(
        "\n"
        f"10 motifs x {n_units:,} units, {name} size, L = {size.length}; cg.run finds "
        f"batch {own}"
    )
    tell(times)
    floor, ours = times
    found = {
        f"run / bare forwards on the GPU, {name}": ratio(times, ours, floor),
        f"predictions a second on the GPU, {name}": n / float(np.median(times[ours])),
        f"share of the time in which the GPU idles, {name}": idle(design, predictor),
    }
    tell_ratios(found)
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="64 units, once")
    parser.add_argument(
        "--network", choices=tuple(SIZES), action="append", help="only this one"
    )
    options = parser.parse_args(argv)
    if not torch.cuda.is_available():
        raise SystemExit("no GPU is here; this benchmark is about one")
    print(torch.cuda.get_device_name())
    return {
        k: v
        for name in options.network or SIZES
        for k, v in compared(name, quick=options.quick).items()
    }


if __name__ == "__main__":
    main()
