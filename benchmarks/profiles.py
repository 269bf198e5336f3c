"""A trial on a network that answers a track: time against bare forward passes, and
memory against the number of units.

Run `python benchmarks/profiles.py` (`--quick` for a fortieth of the units). The network
has the size of a small profile network (four convolutions of 32 channels, 500 bases in,
500 positions of 2 tasks out). Times are processor times of one thread; memory is that
of a process of its own that keeps moments.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

import torch
from timing import tell_ratios

import causalgia as cg

LENGTH, FEW, MANY = 500, 2_000, 20_000
PROGRAM = """
import resource, sys
import numpy as np
import causalgia as cg

oracle = cg.zoo.footprint("AGATAAG", length=500)
arms = {"placebo": cg.Placebo("AGATAAG", at=240), "word": cg.Embed("AGATAAG", at=240)}
design = cg.Design(null=cg.Uniform(length=500), arms=arms, n_units=int(sys.argv[1]), contrasts="placebo")
moments = cg.run(design, oracle, rng=0, keep="moments", progress=False)
cg.simultaneous(cg.estimate(moments), over="position")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def network() -> torch.nn.Module:
    """Return a profile network of the usual kind, with random weights."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = [
        torch.nn.Conv1d(4, 32, 21, padding=10),
        torch.nn.ReLU(),
    ]
    for _ in range(3):
        layers += [torch.nn.Conv1d(32, 32, 9, padding=4), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *layers, torch.nn.Conv1d(32, 2, 1), torch.nn.Softplus()
    ).eval()


def against_bare_forwards(n_units: int) -> list[float]:
    """Return the time of a trial that keeps outcomes over that of the forward passes
    alone, five times.
    """
    net = network()
    predictor = cg.TorchPredictor(
        net, track=cg.Track(origin=250), tasks=["a", "b"], device="cpu"
    )
    arms = {"control": cg.Untreated(), "word": cg.Embed("AGATAAG", at=240)}
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=arms, n_units=n_units, contrasts="control"
    )
    batch = predictor.resolve_batch_size(LENGTH)
    n_batches = max(1, 2 * n_units // batch)
    x = torch.zeros((batch, 4, LENGTH))
    x[:, 0] = 1
    ratios = []
    for _ in range(5):
        start = time.process_time()
        with torch.inference_mode():
            for _ in range(n_batches):
                net(x)
        bare = (time.process_time() - start) / (n_batches * batch)
        start = time.process_time()
        cg.run(design, predictor, rng=0, progress=False)
        ratios.append((time.process_time() - start) / (2 * n_units) / bare)
    return ratios


def peak(n_units: int) -> int:
    """Return the most memory of a trial that keeps moments of 500 positions, with its
    band, in MiB.
    """
    command = [sys.executable, "-c", PROGRAM, str(n_units)]
    return int(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a fortieth of the units")
    less = 40 if parser.parse_args(argv).quick else 1
    torch.set_num_threads(1)
    found = {"run / bare forwards": against_bare_forwards(FEW // less)}
    few, many = (peak(n // less) for n in (FEW, MANY))
    found["memory, ten times the units"] = many / few
    tell_ratios(found)
    print(
        f"  moments {few:,} MiB of {FEW // less:,} units, {many:,} MiB of {MANY // less:,}"
    )
    return found


if __name__ == "__main__":
    main()
