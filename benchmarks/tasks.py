"""One contrast in 919 and in 5,313 tasks, from outcomes to verdicts and their report.

Run `python benchmarks/tasks.py` (`--quick` for fewer tasks) with OMP_NUM_THREADS=1 and
OPENBLAS_NUM_THREADS=1. Seconds are the processor's, after a first analysis of two tasks
that loads compiled code. Memory is the peak of what is allocated by `analyze`, in arrays
of the effects, (unit, contrast, task) in float64.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
import warnings
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from timing import tell_ratios

import causalgia as cg

if TYPE_CHECKING:
    from collections.abc import Sequence

N_UNITS = 500
PLAN = cg.Analysis(control="placebo", rope=(-0.1, 0.1))


def outcomes_of(n_tasks: int) -> xr.Dataset:
    """Return outcomes of a placebo and a motif, whose effects differ between tasks, in
    float32.
    """
    rng = np.random.default_rng(n_tasks)
    y = rng.normal(size=(N_UNITS, 1, n_tasks)) + 0.3 * rng.normal(
        size=(N_UNITS, 2, n_tasks)
    )
    y[:, 1] += 0.2 * rng.normal(size=n_tasks)
    names = [f"{'DNASE' if t % 2 else 'CAGE'}:{t}" for t in range(n_tasks)]
    coords = {"unit": np.arange(N_UNITS), "arm": ["placebo", "GATA1"], "task": names}
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y.astype(np.float32))},
        coords,
        {"scale": "log counts"},
    )


def seconds(outcomes: xr.Dataset, repeats: int) -> list[float]:
    """Return the processor time of `analyze` and `report`, in each repeat."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        cg.report(cg.analyze(outcomes, PLAN))
        found.append(time.process_time() - start)
    return found


def peak_arrays(outcomes: xr.Dataset) -> float:
    """Return what an analysis allocates at its peak, in arrays of the effects."""
    tracemalloc.start()
    cg.analyze(outcomes, PLAN)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (8 * N_UNITS * outcomes.sizes["task"])


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return seconds and arrays."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="9 and 53 tasks, once each"
    )
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore", cg.errors.ExploratoryWarning)
    found = {}
    for n_tasks in (919, 5_313):
        outcomes = outcomes_of(n_tasks // 100 if options.quick else n_tasks)
        seconds(outcomes.isel(task=slice(2)), 1)
        found[f"{n_tasks:,} tasks"] = seconds(outcomes, 1 if options.quick else 5)
        found[f"arrays, {n_tasks:,} tasks"] = peak_arrays(outcomes)
    print(f"one contrast of {N_UNITS} units, analyzed and reported")
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
