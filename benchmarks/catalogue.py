"""All 4,096 k-mers of 6 letters on 1,000 backgrounds, kept as moments, against the bare
forwards of the small network.

The floor is as many forwards of the network over one-hot float batches made beforehand
(a pool that is gone through again and again: no embedding, no one-hot, no memory
traffic of their own), at the batch size that turns out fastest.
`cg.run(keep="moments")` draws the backgrounds, embeds every motif in each, makes
one-hot, and turns the answers into estimates with their covariance. The network is the
first of the trained ``rbfox1_like`` ensemble (41 nt). Contenders take turns in one
process, on a sixteenth of the motifs at a time; the sums of their processor seconds are
compared.

    python benchmarks/catalogue.py [--quick] [--network residual|exponential] [--threads 1]

`--pairs` makes the design of 22 x 22 oriented motifs x 150 gaps (72,600
interactions on 1,000-bp backgrounds), runs a part of its units through a network that
hardly computes, and says by proportion what a whole trial of 128 units costs beside the
forwards of the network that is asked. `--memory` prints the peak resident size of the
screen with 200 and with 1,000 backgrounds, each in a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import torch
import xarray as xr
from torch import nn

import causalgia as cg
from causalgia.sequences import one_hot

LENGTH, PAIRS_LENGTH = 41, 1_000
BATCHES = (64, 128, 256, 512, 1_024)
POOL = 8_192


def words(k: int) -> list[str]:
    """Return all k-mers of k letters."""
    return ["".join(letters) for letters in product("ACGU", repeat=k)]


def screen(chosen: list[str], n_units: int) -> cg.Design:
    """Return the screen of some motifs against untreated backgrounds."""
    arms = {
        "untreated": cg.Untreated(),
        **{word: cg.Embed(word, at=17) for word in chosen},
    }
    return cg.Design(
        null=cg.Uniform(length=LENGTH),
        arms=arms,
        n_units=n_units,
        contrasts="untreated",
    )


def forwards(net: nn.Module, pool: torch.Tensor, batch: int, rows: int) -> None:
    """Run so many rows through the network, out of a pool that is gone through again
    and again.
    """
    with torch.inference_mode():
        for batch_of in _batches(pool, batch, rows):
            net(batch_of)


def _batches(pool: torch.Tensor, batch: int, rows: int) -> Iterator[torch.Tensor]:
    for start in range(0, rows, batch):
        at = start % len(pool)
        yield pool[at : at + min(batch, rows - start)]


def timed(job: Callable[[], object]) -> float:
    """Return the processor time of one call, in seconds: other work on the machine is
    not ours.
    """
    start = time.process_time()
    job()
    return time.process_time() - start


def best_batch(net: nn.Module, pool: torch.Tensor) -> int:
    """Return the batch size of the fastest forwards, each timed three times in turn."""
    times = {
        batch: [
            timed(lambda b=batch: forwards(net, pool, b, len(pool))) for _ in range(3)
        ]
        for batch in BATCHES
    }
    return min(times, key=lambda batch: min(times[batch]))


def memory(n_units: int, network: str) -> str:
    """Return the peak resident size of a whole screen in a process of its own, in
    motifs.
    """
    code = (
        f"import sys; sys.argv = ['']; import catalogue; catalogue.peak({n_units}, "
        f"{network!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=sys.path[0],
    )
    return done.stdout.strip()


def peak(n_units: int, network: str) -> None:
    """Run one whole screen and print the peak resident size of this process."""
    torch.set_num_threads(1)
    estimates(
        screen(words(6), n_units),
        cg.zoo.load("rbfox1_like", member=0, architecture=network),
    )
    print(
        f"4,096 k-mers x {n_units:,} units: "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MiB"
    )


def estimates(design: cg.Design, predictor: cg.Predictor) -> xr.Dataset:
    """Run a trial and estimate its contrasts from their moments."""
    return cg.estimate(cg.run(design, predictor, rng=0, progress=False, keep="moments"))


class Share(nn.Module):
    """The square of the share of G and C: as little as a network can do, and motifs
    interact in it.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, length) with (n, 1)."""
        return x[:, 1:3, 480:700].mean((1, 2))[:, None] ** 2


def pairs(n_motifs: int, n_units: int) -> None:
    """Make the design of all pairs of motifs, run some of its units, and say what the
    whole costs.
    """
    letters = np.random.default_rng(0).choice(list("ACGT"), (n_motifs, 9))
    made: list[cg.experiments.Experiment] = []
    words = {f"motif {i}": "".join(row) for i, row in enumerate(letters)}
    null = cg.Uniform(length=PAIRS_LENGTH)
    took = timed(
        lambda: made.append(
            cg.experiments.pairs(null, words, gaps=range(150), with_self=True)
        )
    )
    print(f"{made[0]!r}: made in {took:.1f} s")
    predictor = cg.TorchPredictor(Share(), tasks=["share"], device="cpu")
    found: list[xr.Dataset] = []
    part = replace(made[0], n_units=n_units)
    took = timed(lambda: found.append(estimates(part, predictor)))
    rows = n_units * len(part.arms)
    print(
        f"  {rows:,} sequences of {n_units} units run in {took:.1f} s: "
        f"{took / rows * 1e6:.1f} us each"
    )
    print(
        f"  128 units, by proportion: {took * 128 / n_units:.0f} s beside the "
        "network's own forwards"
    )
    print(
        "  the estimates, with the factor of their covariance, take "
        f"{found[0].nbytes / 2**20:.0f} MiB"
    )
    print(
        "  peak resident size "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MiB"
    )


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Time the trial and bare forwards in turn, print their ratio and return it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument(
        "--network", choices=("residual", "exponential"), default="residual"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    if options.memory:
        for n in (200, 1_000):
            print(memory(n, options.network))
        return {}
    if options.pairs:
        pairs(*((3, 4) if options.quick else (11, 16)))
        return {}
    predictor = cg.zoo.load("rbfox1_like", member=0, architecture=options.network)
    net = predictor.module.eval()
    n_pool = 1_024 if options.quick else POOL
    pool = torch.from_numpy(
        one_hot(cg.Uniform(length=LENGTH).sample(n_pool, rng=0)["sequence"].values)
    )
    n, k = (50, 3) if options.quick else (1_000, 6)
    chosen = words(k)
    estimates(screen(words(2), 50), predictor)  # settles compilers and allocators
    batch = best_batch(net, pool)
    ours, bare = [], []
    for part in np.array_split(np.array(chosen), 2 if options.quick else 16):
        design = screen(part.tolist(), n)
        rows = n * len(design.arms)
        ours.append(timed(lambda d=design: estimates(d, predictor)))
        bare.append(timed(lambda r=rows: forwards(net, pool, batch, r)))
    ratio = sum(ours) / sum(bare)
    own = predictor.resolve_batch_size(LENGTH)
    print(
        f"{len(chosen):,} motifs x {n:,} units, L = {LENGTH}, {options.threads} "
        f"thread(s); ours finds batch {own}"
    )
    print(f"  bare forwards, batch {batch:5d}   {sum(bare):8.2f} s")
    print(
        f"  run, moments, estimates     {sum(ours):8.2f} s   {ratio:5.3f} x the bare "
        "forwards"
    )
    print(
        "  turn by turn: "
        f"{', '.join(f'{a / b:.2f}' for a, b in zip(ours, bare, strict=True))}"
    )
    return {"trial / bare forwards": ratio}


if __name__ == "__main__":
    main()
