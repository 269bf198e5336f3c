"""Effects shared across tasks, 10,000 contrasts in 56 tasks, against the eigenvectors
of their error covariances.

Run `python benchmarks/across_tasks.py` (`--quick` for a fiftieth of the contrasts) with
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1. The promise is 20 s on two cores, so that
the processor time is stated over 40 s (over a fiftieth of that for a fiftieth of the
contrasts, where learning the patterns costs the same: a run that is there to show that
the benchmark works). The bare eigenvectors are what no exact posterior with a
covariance for each contrast can do without.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

import causalgia as cg

if TYPE_CHECKING:
    from collections.abc import Sequence

TASKS, DRAWS = 56, 20


def trial(n: int) -> xr.Dataset:
    """Return estimates of n contrasts of which a fifth have shared effects;
    correlations are those of 300 units.
    """
    rng = np.random.default_rng(0)
    some = rng.random((n, 1)) < 0.2
    truth = np.where(
        some, 3 * rng.normal(size=(n, 1)) + 0.9 * rng.normal(size=(n, TASKS)), 0
    )
    root = np.linalg.cholesky(0.6 + 0.4 * np.eye(TASKS)).T
    se = rng.uniform(0.8, 1.2, truth.shape)
    dims = ("contrast", "task")
    coords = {"contrast": np.arange(n), "task": [f"t{t}" for t in range(TASKS)]}
    effect = truth + se * (rng.normal(size=truth.shape) @ root)
    table = xr.Dataset({"effect": (dims, effect), "se": (dims, se)}, coords)
    each = np.stack(
        [np.corrcoef((rng.normal(size=(300, TASKS)) @ root).T) for _ in range(n)]
    )
    return cg.from_effects(table, task_correlation=each).assign_attrs(
        task_correlation_df=299
    )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="200 contrasts instead of 10,000"
    )
    n = 200 if parser.parse_args(argv).quick else 10_000
    estimates = trial(n)
    # compiles
    cg.infer(estimates.isel(contrast=slice(0, 100)), across="task", rng=1, n_draws=4)
    start, cpu = time.perf_counter(), time.process_time()
    cg.infer(estimates, across="task", rng=1, n_draws=DRAWS)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    matrices, before = estimates["task_correlation"].to_numpy(), time.process_time()
    np.linalg.eigh(matrices)
    bare = time.process_time() - before
    found = {
        "processor time / 40 s": cpu / (40 * n / 10_000),
        "infer / eigenvectors": cpu / bare,
    }
    print(
        f"{n:,} contrasts in {TASKS} tasks, {DRAWS} draws: {wall:.1f} s, {cpu:.1f} s "
        f"of CPU; eigenvectors {bare:.1f} s"
    )
    return found


if __name__ == "__main__":
    main()
