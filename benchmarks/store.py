"""Writing a trial to its store against a raw file write of the same bytes, fsync in
both, measured in one run.

Run `python benchmarks/store.py` (`--quick` for a smaller one). Ten million float32
outcomes, 2,441 units under 4,096 arms, go to the store turn by turn, with gc and parent
of each unit, in chunks of about 4 MiB. Nothing is predicted: what is left is copying,
checksums, writing, fsync and the log. The raw write takes the same turns, one after the
other, to one file, and syncs it once, at the end. The repeats are interleaved, and the
smallest of them counts. Verification is what `Archive.resume` does before it goes on;
its bytes are in the page cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from causalgia.trial.archive import Archive, Field
from causalgia.trial.turn_plan import TurnPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

N_ARMS, UNITS_A_TURN, TURNS_A_CHUNK = 4_096, 4, 64
IDENTITY = {"design": "benchmark", "predictor": "none", "seed": "0"}


@dataclass(frozen=True)
class Trial:
    """Answers (units, arms, 1) as they would come, and the folder that they go to."""

    answers: NDArray[np.float32]
    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "trial.zarr"

    def turns(self) -> Iterator[NDArray[np.float32]]:
        """Yield the answers of each turn."""
        return (
            self.answers[start : start + UNITS_A_TURN]
            for start in range(0, len(self.answers), UNITS_A_TURN)
        )


def write_raw(trial: Trial) -> None:
    """Write the turns to one file, and sync it."""
    with (trial.folder / "raw").open("wb", buffering=0) as file:
        for answers in trial.turns():
            file.write(answers.data)
        os.fsync(file.fileno())


def write_store(trial: Trial) -> None:
    """Put the turns into a new store, and close it."""
    n = len(trial.answers)
    fields = [
        Field("outcome", ("unit", "arm", "task"), (N_ARMS, 1), "float32"),
        Field("gc", ("unit",), (), "float64"),
        Field("parent", ("unit",), (), "int64"),
    ]
    frame = xr.Dataset(
        coords={"arm": [f"word {i}" for i in range(N_ARMS)], "task": ["task"]}
    )
    plan = TurnPlan(n, UNITS_A_TURN, TURNS_A_CHUNK)
    with Archive.create(
        trial.store, identity=IDENTITY, fields=fields, frame=frame, plan=plan
    ) as archive:
        for turn, answers in enumerate(trial.turns()):
            units = np.arange(len(answers)) + turn * UNITS_A_TURN
            archive.put(turn, {"outcome": answers, "gc": units / n, "parent": units})


def verify(trial: Trial) -> None:
    """Resume the store: every file is hashed."""
    with Archive.resume(trial.store, identity=IDENTITY) as archive:
        assert not archive.missing


def seconds(run: Callable[[Trial], None], trial: Trial) -> float:
    """Return the wall time of one run."""
    start = time.perf_counter()
    run(trial)
    return time.perf_counter() - start


def smallest_times(trial: Trial, repeats: int) -> dict[str, float]:
    """Return each contestant's smallest wall time over interleaved repeats, after one
    warm-up.
    """
    best = dict.fromkeys(("raw", "store", "verify"), np.inf)
    for repeat in range(repeats + 1):
        for path in (trial.store, trial.folder / "raw"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        os.sync()
        found = {"raw": seconds(write_raw, trial), "store": seconds(write_store, trial)}
        found["verify"] = seconds(verify, trial)
        if repeat:
            best = {name: min(best[name], found[name]) for name in best}
    return best


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratio and the rates in GB a second."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a quarter of the units, five repeats"
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=None,
        help="interleaved repeats (default 25; 5 when quick)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="on the disk to measure (default: a temporary one)",
    )
    options = parser.parse_args(argv)
    repeats, n = (
        options.repeats or (5 if options.quick else 25),
        2_441 // (4 if options.quick else 1),
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        answers = np.random.default_rng(0).random((n, N_ARMS, 1), np.float32)
        best = smallest_times(Trial(answers, Path(folder)), repeats)
    rates = {name: answers.nbytes / 1e9 / best[name] for name in best}
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; smallest of "
        f"{repeats} interleaved repeats"
    )
    for name, rate in rates.items():
        print(f"  {name:<8}{best[name] * 1e3:8.1f} ms{rate:8.2f} GB/s")
    ratio = best["store"] / best["raw"]
    print(
        f"  store / raw file write, {answers.size:,} float32 (target <= 2){ratio:8.2f} "
        "x"
    )
    return {"store / raw": ratio, **rates}


if __name__ == "__main__":
    main()
