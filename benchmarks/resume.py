"""A trial that is killed half-way and resumed, against one that is not: the time of
both parts over that of the whole.

Run `python benchmarks/resume.py` (`--quick` for a shorter one). Each part is a process
of its own that counts the seconds from `cg.run` on; libraries are imported before. The
first is killed (SIGKILL) when half of the whole's time is over. The predictor waits a
fixed time for each batch, so that other work on the machine slows neither.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = """
import sys, time
import causalgia as cg

def slow(x):
    time.sleep(len(x) * 2e-4)
    return x[:, 2].sum(-1)

store, n = sys.argv[1], int(sys.argv[2])
arms = {"control": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=17)}
design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=n, contrasts="control")
predictor = cg.FunctionPredictor(slow, tasks=["y"], scale="s", batch_size=256, fingerprint="1")
cg.run(cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=8), predictor, rng=1, progress=False)
print("begun", flush=True)
start = time.perf_counter()
cg.run(design, predictor, rng=0, store=store, progress=False)
print(time.perf_counter() - start)
"""


def seconds(store: Path, n_units: int, *, kill_after: float | None = None) -> float:
    """Return the seconds of a run, or those after which it was killed."""
    command = [sys.executable, "-c", PROGRAM, str(store), str(n_units)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        start = time.perf_counter()
        if kill_after is None:
            return float(child.stdout.readline())
        time.sleep(kill_after)
        child.send_signal(signal.SIGKILL)
        return time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a thirtieth of the units")
    n_units = 150_000 // (30 if parser.parse_args(argv).quick else 1)
    with tempfile.TemporaryDirectory() as folder:
        whole = seconds(Path(folder) / "whole.zarr", n_units)
        killed = seconds(Path(folder) / "killed.zarr", n_units, kill_after=whole / 2)
        resumed = seconds(Path(folder) / "killed.zarr", n_units)
    ratio = (killed + resumed) / whole
    print(
        f"  uninterrupted {whole:.1f} s; killed after {killed:.1f} s and resumed in "
        f"{resumed:.1f} s: {ratio:.3f} x"
    )
    return {"killed and resumed / uninterrupted": ratio}


if __name__ == "__main__":
    main()
