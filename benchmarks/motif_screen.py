"""Which of 1,165 motifs a network of fly enhancers reads, 500 backgrounds: processor
time, beside bare forward passes of the same sequences.

The motifs are those of vertebrates (879) and insects (286) of JASPAR 2024, each as its
core on both strands; of an edited sequence what the edit reaches is recomputed
(``TorchPredictor(..., incremental=True)``). Making, running and analyzing count, and
what they import; the network has been loaded. Bare passes are timed on a sample, before
and after, and there are as many as arms times backgrounds: a load of the machine is in
both.

    python benchmarks/motif_screen.py [--quick] [--units 500]

The network is DeepSTARR's, of the folder that ``CAUSALGIA_SHARED`` names; ``--quick``
has one of random weights, and 20 random motifs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from marginalize import fastest, forwards
from networks import SIZES
from shared_folder import SHARED
from torch import nn

import causalgia as cg
from causalgia.sequences import one_hot
from causalgia.sequences.motif_names import core_motifs

FOLDER = SHARED / "data" / "models" / "deepstarr"
LONGEST = 60
"""Seconds of processor time that are promised."""


def fly_network() -> nn.Module:
    """Return the network of fly enhancers with its published weights."""
    spec = importlib.util.spec_from_file_location("arch", FOLDER / "arch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(FOLDER / "model.safetensors")


def motifs(*, quick: bool) -> dict[str, cg.sequences.Motif]:
    """Return the motifs by their identifiers."""
    if quick:
        drawn = np.random.default_rng(0).dirichlet(np.full(4, 0.3), size=(20, 8))
        return {
            f"m{i}": cg.sequences.Motif(f"m{i}", one.tolist())
            for i, one in enumerate(drawn)
        }
    both = (core_motifs(taxon, "JASPAR2024") for taxon in ("vertebrates", "insects"))
    return {str(one.identifier): one for part in both for one in part}


def bare(net: nn.Module, x: torch.Tensor, batch: int) -> float:
    """Return the processor time of a forward pass of each sequence, least of three."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        forwards(net, x, batch)
        spent.append(time.process_time() - start)
    return min(spent)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="20 motifs, 8 backgrounds")
    parser.add_argument("--units", type=int, help="backgrounds; default: 500")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    size = SIZES["DeepSTARR"]
    net = size.load() if options.quick else fly_network()
    n_units = options.units or (8 if options.quick else 500)
    listed, null = motifs(quick=options.quick), cg.Uniform(length=size.length)
    n_sample = 64 if options.quick else 1_024
    tokens = null.sample(n_sample, rng=0)["sequence"].values
    x = torch.from_numpy(one_hot(tokens)).float()
    batch = fastest(lambda one: forwards(net, x[:256], one), size.batches, 1)
    predictor = cg.TorchPredictor(
        net, tasks=["dev", "hk"], device="cpu", incremental=True
    )
    passes = [bare(net, x, batch)]
    load, times = os.getloadavg()[0], [time.process_time()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        experiment = cg.experiments.motif_screen(null, listed, n_units=n_units)
        times.append(time.process_time())
        results = cg.run(experiment, predictor, rng=0, progress=False)
        times.append(time.process_time())
        answer = experiment.analyze(results)
        times.append(time.process_time())
    passes.append(bare(net, x, batch))
    n_arms, seconds = len(experiment.named_arms), times[-1] - times[0]
    forward = n_arms * n_units * float(np.mean(passes)) / n_sample
    make, run, analyze = np.diff(times)
    print(
        f"{len(listed):,} motifs, {n_arms:,} arms, {n_units:,} backgrounds, load of "
        f"the machine at the start {load:.1f}\n"
        f"make {make:.1f} s, run {run:.1f} s, analyze {analyze:.1f} s, total "
        f"{seconds:.1f} s of processor time; bare passes {forward:.0f} s\n"
        + "\n".join(answer.sentences)
    )
    return {
        f"processor time / {LONGEST} s": seconds / LONGEST,
        "screen / bare forwards": seconds / forward,
    }


if __name__ == "__main__":
    main()
