"""What trials of a million to 10^12 predictions take, a section of docs/performance.md:
`python benchmarks/scale_page.py`.

Figures are measured over the workers of a local cluster and kept in
`benchmarks/performed/scale.json`, from which ``performance_page.py --write`` writes the
page. ``--quick`` measures little, and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import networks
import performance_page
import workers
from performed import machine, scale

import causalgia as cg
from causalgia._check.cost import store_bytes
from causalgia.trial.setup import set_up_trial

RESULTS = Path(__file__).resolve().parent / "performed" / "scale.json"
_UNITS = 1_000_000


def measured(*, quick: bool = False) -> dict[str, Any]:
    """Return what a worker does in a second, and the bytes that move for each
    prediction.
    """
    seconds, n_units = (1.0, 2_000) if quick else (8.0, 30_000)
    with workers.clusters(1) as (one,):
        rates = {
            name: workers.rate_of_a_worker(one, name, seconds=seconds)
            for name in networks.SIZES
        }
        spent = {
            keep: workers.a_prediction(one, keep, n_units=n_units)
            for keep in workers.KEEPS
        }
    found = {
        "rates": rates,
        "lengths": {name: networks.SIZES[name].length for name in rates},
        "moved": {keep: each.bytes_ for keep, each in spent.items()},
        "client": {keep: each.seconds for keep, each in spent.items()},
    }
    return {
        **machine.described(),
        **found,
        "on_disk": on_disk(),
        "arms": 1 + len(workers.MOTIFS),
    }


def on_disk() -> dict[str, dict[str, float]]:
    """Return the bytes of a store for each prediction, and those that it has however
    long the trial is.
    """
    found = {}
    few, many = (_disk(n) for n in (_UNITS, 2 * _UNITS))
    for keep in workers.KEEPS:
        a_prediction = (many[keep] - few[keep]) / (_UNITS * (1 + len(workers.MOTIFS)))
        found[keep] = {"a_prediction": a_prediction, "once": 2 * few[keep] - many[keep]}
    return found


def _disk(n_units: int) -> dict[str, int]:
    predictor = cg.FunctionPredictor(lambda x: x[:, 1:3].sum(2), tasks=["C", "G"])
    begun = set_up_trial(
        workers.design_of(41, n_units), predictor, rng=0, analysis=None
    )
    begun.probe()
    return store_bytes(begun)


def main(argv: list[str]) -> None:
    """Measure, keep the figures, and write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--quick", action="store_true", help="measures little; keeps nothing"
    )
    said = asked.parse_args(argv)
    results = measured(quick=said.quick)
    if said.quick:
        print(scale.section(results))
        return
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    performance_page.main(["--write"])


if __name__ == "__main__":
    main(sys.argv[1:])
