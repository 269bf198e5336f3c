"""Verbs over two workers against the same work in two bare processes, half of it each,
measured in one run.

Run `python benchmarks/verbs.py` (`--quick` for a smaller one; needs two free cores and
causalgia[dask]). The bare processes are the workers of the same cluster, each of which
does half of the pieces by itself, with nothing sent or brought back: what they take is
what two processes take on this machine, with other work on it and one memory for both.
The two take turns. The share of linear is the smallest time of the bare processes over
that of the workers, start of a call, sending, and bringing results back included.

The hierarchical model of barcode counts stays below the others: what all elements share
(the silent cells and barcodes, and the noise of barcodes and replicates) is learned
from all of them at once by the process that asks. The rest, which workers do, is .52 of
the processor time at 5 barcodes an oligo, .39 at 10, .31 at 20 and .24 at 50, where
each bare process fits a model of its own to half of the elements.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from timing import interleaved, ratios, tell, tell_ratios

import causalgia as cg
from causalgia import mpra
from causalgia.experiments import across_predictors
from causalgia.workers import local_cluster
from causalgia.zoo import EndGC, MotifCount, Oracle

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

Verb = Callable[[int, int, "Client | None"], object]
"""From the number of pieces, a seed, and a client or None."""


@cache
def effects(n: int) -> xr.Dataset:
    """Return estimates of 100 contrasts in n tasks."""
    rng = np.random.default_rng(n)
    columns = {
        "contrast": np.repeat([f"c{i}" for i in range(100)], n),
        "task": np.tile([f"t{i}" for i in range(n)], 100),
    }
    return cg.from_effects(
        pd.DataFrame(
            {
                **columns,
                "effect": rng.normal(size=100 * n),
                "se": rng.uniform(0.1, 0.4, 100 * n),
            }
        )
    )


def tasks(n: int, seed: int, client: Client | None) -> object:
    """Infer 100 effects in each of n tasks."""
    return cg.infer(effects(n), rng=seed, client=client)


@cache
def outcomes(n: int) -> dict[str, xr.Dataset]:
    """Return the outcomes of n predictors, each on 20,000 units of its own."""
    experiment = cg.experiments.position(
        cg.Uniform(length=41), "GCGCGC", at=[2, 34], n_units=20_000
    )
    oracles = {
        f"RBP{k}": Oracle(MotifCount("UGCAUG", 1.0), EndGC(-0.01 * k, last=8))
        for k in range(n)
    }
    return {
        name: cg.run(experiment, one, rng=k, progress=False)
        for k, (name, one) in enumerate(oracles.items())
    }


def predictors(n: int, seed: int, client: Client | None) -> object:
    """Compare n predictors."""
    del seed
    return across_predictors(outcomes(n), contrast="at 34", client=client)


@cache
def counts(n: int) -> xr.Dataset:
    """Return counts of n elements under two arms, 10 barcodes each, 4 replicates."""
    elements = [f"e{i}" for i in range(n)]
    arms = {
        "element": np.repeat(elements, 2),
        "arm": ["scramble", "GATA1"] * n,
        "log2": [0.0, 1.0] * n,
    }
    return mpra.simulate(pd.DataFrame(arms), n_barcodes=10, n_replicates=4, rng=1)


def elements_together(n: int, seed: int, client: Client | None) -> object:
    """Fit n elements by the hierarchical model."""
    del seed
    return mpra.fit(counts(n), control="scramble", client=client)


VERBS: dict[str, tuple[Verb, int]] = {
    "infer, tasks": (tasks, 100),
    "across_predictors, predictors": (predictors, 160),
    "mpra.fit hierarchical, elements": (elements_together, 1_500),
}


def bare(client: Client, verb: Verb, n: int, seed: int) -> None:
    """Have every worker do half of the pieces by itself, side by side, and send nothing
    back.
    """
    client.run(_alone, verb, n // 2, seed)


def _alone(verb: Verb, n: int, seed: int) -> None:
    verb(n, seed, None)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measure, print, and return the share of linear of each verb."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    quick = asked.parse_args(argv).quick
    found = {}
    with local_cluster(2) as client:
        for name, (verb, n) in VERBS.items():
            size = max(4, n // 40) if quick else n
            times = interleaved(
                {
                    f"{name}: 2 bare processes": lambda seed, verb=verb, n=size: bare(
                        client, verb, n, seed
                    ),
                    f"{name}: 2 workers": lambda seed, verb=verb, n=size: verb(
                        n, seed, client
                    ),
                },
                1 if quick else 5,
                clock=time.perf_counter,
            )
            tell(times)
            found[f"{name}, share of linear"] = ratios(times, *times)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
