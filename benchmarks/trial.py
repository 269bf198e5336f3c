"""A trial of 10 motifs x 1,000 units against the bare forwards it needs, and against tangermeme's `marginalize`.

The floor is 11 forwards of all units (one control, ten motifs) over one-hot arrays made beforehand, at the batch size
that turns out fastest among five, each timed in turn with the others. `cg.run` finds its own batch size, draws
nothing twice, and makes one-hot on the device. The network is DeepSTARR-sized; its weights do not matter for the time
(random here, unless --weights names real ones for an `arch.py:load`). Ratios come from interleaved repeats in one
process; the minimum of each is compared.

    python benchmarks/trial.py [--quick] [--factory path/arch.py:load --weights path/model.safetensors]

tangermeme is a peer and no dependency of ours: `pip install tangermeme==1.6.0` beside causalgia to include it.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

import causalgia as cg
from causalgia.sequences import one_hot

LENGTH = 249
BATCHES = (16, 32, 64, 128, 256)
MOTIFS = ["ATGACTCAT", "AGATAAGA", "TATCGATA", "CACGTG", "GGAATG", "TGACGTCA", "CCGGAAGT", "GATTA", "AACAATGG", "CACCC"]


class DeepSTARRSize(nn.Module):
    """Four convolutions and two dense layers, the shapes of DeepSTARR (de Almeida et al. 2022)."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for c_in, c_out, k in ((4, 256, 7), (256, 60, 3), (60, 60, 5), (60, 120, 3)):
            blocks += [nn.Conv1d(c_in, c_out, k, padding=k // 2), nn.BatchNorm1d(c_out), nn.ReLU(), nn.MaxPool1d(2)]
        self.body = nn.Sequential(*blocks)
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(1_800, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()
        )
        self.heads = nn.Linear(256, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, 249) with (n, 2)."""
        return self.heads(self.dense(self.body(x)))


def forwards(net: nn.Module, x: torch.Tensor, batch: int) -> None:
    """Run every row of x through the network once."""
    with torch.inference_mode():
        for start in range(0, len(x), batch):
            net(x[start : start + batch])


def timed(job: Callable[[], object]) -> float:
    """Return the wall time of one call, in seconds."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def marginalize(net: nn.Module, x: torch.Tensor, batch: int) -> None:
    """Do what a user of tangermeme does: ten calls, the control predicted again in each."""
    from tangermeme.marginalize import marginalize as peer

    for motif in MOTIFS:
        peer(net, x, motif, batch_size=batch, device="cpu")


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Time the contenders in turn and print their ratios to the floor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--factory")
    parser.add_argument("--weights")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    n, repeats = (128, 2) if options.quick else (1_000, 5)

    if options.factory:
        predictor = cg.load_predictor(options.factory, weights=options.weights, scale="log2", announce=None)
        net = predictor.module
    else:
        net = DeepSTARRSize().eval()
        predictor = cg.TorchPredictor(net, tasks=["dev", "hk"], scale="log2")
    arms = {"untreated": cg.Untreated(), **{word: cg.Embed(word, at=120) for word in MOTIFS}}
    design = cg.Design(null=cg.Uniform(length=LENGTH), arms=arms, n_units=n)
    x = torch.from_numpy(one_hot(design.null.sample(n, rng=0)["sequence"].values))
    cg.run(design, predictor, rng=0, progress=False)  # compiles the samplers, settles the allocator for everybody

    jobs: dict[str, Callable[[], object]] = {"causalgia.run": lambda: cg.run(design, predictor, rng=0, progress=False)}
    for batch in BATCHES:
        jobs[f"11 bare forwards, batch {batch}"] = lambda batch=batch: [forwards(net, x, batch) for _ in design.arms]
    if importlib.util.find_spec("tangermeme"):
        for batch in (32, 64):
            jobs[f"tangermeme marginalize, batch {batch}"] = lambda batch=batch: marginalize(net, x, batch)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            times[name].append(timed(job))
    best = {name: min(seconds) for name, seconds in times.items()}
    floor = min(seconds for name, seconds in best.items() if "bare" in name)
    own = predictor.resolve_batch_size(LENGTH)
    print(f"10 motifs x {n:,} units, L = {LENGTH}, {options.threads} thread(s); ours finds batch {own}")
    for name, seconds in sorted(best.items(), key=lambda item: item[1]):
        middle = np.median(times[name])
        print(f"  {name:34s} {seconds:8.3f} s   {seconds / floor:5.2f} x the best floor   (median {middle:.3f} s)")
    return {name: seconds / floor for name, seconds in best.items()}


if __name__ == "__main__":
    main()
