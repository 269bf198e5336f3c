"""Which networks read UGCAUG at all: screens of all 4,096 k-mers by the oracle, trained
and random networks.

``python benchmarks/catalogued/words_read.py 20 200`` prints a line for each network and
number of units: motifs named, whether UGCAUG is one of them, how many of the named lie
inside the fences by the truth of the oracle, and seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
import torch

import causalgia as cg
from causalgia.zoo.trained import ARCHITECTURES, MEMBERS

WORD = "UGCAUG"


def untrained(seed: int) -> cg.TorchPredictor:
    """Return a network of the zoo with random weights in place of the trained ones."""
    trained = cg.zoo.load("rbfox1_like", member=0)
    torch.manual_seed(seed)
    for module in trained.module.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return cg.TorchPredictor(trained.module, tasks=["RBFOX1"], scale="score")


def networks(which: str) -> Iterator[tuple[str, object]]:
    """Return the networks of a kind: oracle, rbfox1_like, vts1_like or random."""
    if which == "oracle":
        yield "oracle", cg.zoo.oracle("rbfox1_like")
    elif which == "random":
        yield from ((f"random weights {seed}", untrained(seed)) for seed in range(3))
    else:
        for architecture in ARCHITECTURES:
            for member in range(MEMBERS):
                network = cg.zoo.load(which, member=member, architecture=architecture)
                yield f"{which}, {architecture} {member}", network


def screened(predictor: object, n_units: int) -> str:
    """Return the line of one screen."""
    began = time.perf_counter()
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41), letters="ACGU", n_units=n_units
    )
    moments = cg.run(experiment, predictor, rng=0, progress=False, keep="moments")
    rows = experiment.analyze(moments, rng=0).decisions.isel(task=0)
    rows = rows.sel(contrast=~rows["is_placebo"])
    named = np.isin(rows["verdict"].to_numpy(), ("increases", "decreases"))
    one = rows.sel(contrast=WORD)
    return (
        f"{int(named.sum())} named; {WORD} {one['verdict'].item()}, "
        f"{one['ace'].item():.3f} [{one['lower'].item():.3f}, "
        f"{one['upper'].item():.3f}] beyond {one['rope_upper'].item():.3f}, q "
        f"{one['q'].item():.2g}; {time.perf_counter() - began:.0f} s"
    )


def main(*units: str) -> None:
    """Print a line for each network and number of units."""
    for n_units in map(int, units or ("20",)):
        for kind in ("oracle", "random", "rbfox1_like", "vts1_like"):
            for name, predictor in networks(kind):
                print(
                    f"{n_units} units, {name}: {screened(predictor, n_units)}",
                    flush=True,
                )


if __name__ == "__main__":
    main(*sys.argv[1:])
