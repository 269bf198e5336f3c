"""Hierarchical effect sizes of a screen: `decide` beside bare normal densities.

The bare densities are those of 2,500 laws of two scales, which the posterior of a task
is summed over, at all estimates, in numpy: what brute force would take for one moment.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd
from timing import Figure, interleaved, ratios, tell, tell_ratios

import causalgia as cg

LAWS = 2_500
HOW = cg.Shrinkage(all_rows=True)


def table(arms: int, tasks: int) -> pd.DataFrame:
    """Return effects of arms in tasks: two in three are small, errors differ."""
    rng = np.random.default_rng(tasks)
    sd = np.where(rng.random(arms * tasks) < 1 / 3, 1.0, 0.1)
    se = rng.uniform(0.2, 0.5, arms * tasks)
    names = {
        "contrast": np.repeat([f"c{i}" for i in range(arms)], tasks),
        "task": np.tile([f"t{i}" for i in range(tasks)], arms),
    }
    effect = sd * rng.normal(size=arms * tasks) + se * rng.normal(size=arms * tasks)
    return pd.DataFrame(names).assign(effect=effect, se=se)


def densities(frame: pd.DataFrame) -> float:
    """Return the sum of log densities of all estimates under the laws."""
    total = 0.0
    narrow, wide = np.geomspace([0.01, 0.1], [1.0, 10.0], LAWS).T[:, :, None]
    for _, task in frame.groupby("task"):
        effect, noise = task["effect"].to_numpy(), task["se"].to_numpy() ** 2
        mixed = np.zeros((LAWS, len(task)))
        for scale in (narrow, wide):
            variance = noise + scale**2
            mixed += np.exp(-(effect**2) / (2 * variance)) / np.sqrt(variance)
        total += float(np.log(mixed).sum())
    return total


def main(argv: Sequence[str] | None = None) -> dict[str, Figure]:
    """Run the benchmark, print it and return its ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="two tasks")
    quick = parser.parse_args(argv).quick
    found: dict[str, Figure] = {}
    for arms, tasks in ((100, 100), (50, 300)):
        frame = table(arms, 2 if quick else tasks)
        estimates = cg.from_effects(frame)
        times = interleaved(
            {
                "decide": lambda _, e=estimates: cg.decide(e, rope=0, shrink=HOW),
                "densities": lambda _, f=frame: densities(f),
            },
            1 if quick else 5,
        )
        tell(times)
        found[f"{arms} x {tasks}"] = ratios(times, "decide", "densities")
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
