"""The trial of `marginalize.py` where of an edited sequence only what the edit reaches
is recomputed.

The same contestants: 11 bare forwards at the batch size that is fastest by hand,
tangermeme's `marginalize` at its own, and `cg.run`, here with
``TorchPredictor(..., incremental=True)``. Every repeat has a new predictor: the network
is read, each width of edits is verified against full passes, the control pass
is run and kept, all inside the time of `cg.run`. One thread, processor time,
contestants in turn.

    python benchmarks/incremental.py [--quick] [--network DeepSTARR] [--units 256]

tangermeme is a peer and no dependency of ours: `pip install tangermeme==1.6.0` beside
causalgia to include it.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence

import numpy as np
import torch
from marginalize import MOTIFS, fastest, forwards, marginalize, trial
from networks import SIZES
from timing import interleaved, ratio, tell, tell_ratios
from torch import nn

import causalgia as cg
from causalgia.sequences import one_hot

NAMES = ("DeepSTARR", "BPNet")


def incremental(net: nn.Module) -> cg.TorchPredictor:
    """Return a predictor that nothing is known of yet."""
    return cg.TorchPredictor(net, device="cpu", incremental=True)


def deviation(net: nn.Module, design: cg.Design) -> float:
    """Return the largest difference of the outcomes from those of full passes, in their
    sd.
    """
    part, full = (
        cg.run(design, predictor, rng=17, progress=False)["outcome"].values
        for predictor in (incremental(net), cg.TorchPredictor(net, device="cpu"))
    )
    return float((np.abs(part - full).max(axis=(0, 1)) / full.std(axis=(0, 1))).max())


def compared(name: str, *, quick: bool, n_units: int | None = None) -> dict[str, float]:
    """Time the contestants on one network, print them and return the ratios."""
    size = SIZES[name]
    repeats, turns = (1, 1) if quick else (5, 3)
    n_units = n_units or (2 if quick else size.n_units)
    net, design = size.load(), trial(size, n_units)
    x = torch.from_numpy(
        one_hot(design.null.sample(n_units, rng=0)["sequence"].values)
    ).float()
    some = x[: max(n_units // 4, size.batches[-1])]  # for batches to be compared on
    batch = fastest(lambda batch: forwards(net, some, batch), size.batches, turns)
    contestants = {
        f"11 bare forwards, batch {batch}": lambda _: forwards(
            net, x, batch, 1 + len(MOTIFS)
        ),
        "causalgia.run, incremental": lambda key: cg.run(
            design, incremental(net), rng=key, progress=False
        ),
    }
    if importlib.util.find_spec("tangermeme"):
        its = fastest(
            lambda batch: marginalize(net, some, batch, MOTIFS[:2]), size.batches, turns
        )
        contestants[f"tangermeme marginalize, batch {its}"] = lambda _: marginalize(
            net, x, its
        )
    times = interleaved(contestants, repeats)
    print(f"\n10 motifs x {n_units:,} units, {name} size, L = {size.length}")
    tell(times)
    floor, ours, *peers = times
    found = {f"incremental run / bare forwards, {name}": ratio(times, ours, floor)}
    for peer in peers:
        found[f"tangermeme / incremental run, {name}"] = ratio(times, peer, ours)
    tell_ratios(found)
    if not quick or name == NAMES[0]:
        print(
            "  largest deviation from full passes: "
            f"{deviation(net, trial(size, min(n_units, 64))):.1e} sd"
        )
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two units, once")
    parser.add_argument(
        "--network", choices=NAMES, action="append", help="only this one"
    )
    parser.add_argument("--units", type=int, help="so many units")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    for name in options.network or NAMES:
        found |= compared(name, quick=options.quick, n_units=options.units)
    return found


if __name__ == "__main__":
    main()
