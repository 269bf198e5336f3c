"""A page of effects: its size, the time to write it, and the time in which a browser
opens it.

Run `python benchmarks/report_page.py` (`--quick` for fewer effects) with
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1. A usual trial has three arms in two tasks,
with the distributions of its units; 10,000 effects have verdicts. Writing is in
processor time; opening is all of what headless Chromium needs to lay a page out, less
the same for an empty page. Without a Chromium there is no time of opening.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from timing import tell_ratios

import causalgia as cg

if TYPE_CHECKING:
    from collections.abc import Sequence

CHROMIUM = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--dump-dom",
)


def usual_trial(path: Path) -> Path:
    """Write the page of a trial of three arms in two tasks."""
    arms = {
        "untreated": cg.Untreated(),
        "GATA1": cg.Embed("AGATAAG", at=96),
        "mutant": cg.Embed("AGCGAAG", at=96),
    }
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=1_000)
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    outcomes = cg.run(
        design, cg.zoo.oracle("gata1_like"), rng=0, analysis=plan, progress=False
    )
    return cg.report(cg.analyze(outcomes), path=path, outcomes=outcomes)


def many_effects(path: Path, n: int) -> Path:
    """Write the page of verdicts on `n` effects."""
    ace = np.random.default_rng(0).normal(size=n)
    names = [f"motif {i}" for i in range(n)]
    return cg.report(
        cg.decide(
            cg.from_effects(ace, se=np.full(n, 0.3), names=names), rope=(-0.1, 0.1)
        ),
        path=path,
    )


def opened(path: Path, browser: str, repeats: int) -> float:
    """Return the seconds in which a browser lays a page out and ends, the least of
    repeats.
    """
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(
            [browser, *CHROMIUM, path.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
        found.append(time.perf_counter() - start)
    return min(found)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return sizes and seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="500 effects, once")
    options = parser.parse_args(argv)
    repeats = 1 if options.quick else 3
    with tempfile.TemporaryDirectory() as folder:
        usual = usual_trial(Path(folder) / "usual.html")
        start = time.process_time()
        many = many_effects(
            Path(folder) / "many.html", 500 if options.quick else 10_000
        )
        written = time.process_time() - start
        empty = Path(folder) / "empty.html"
        empty.write_text("<!DOCTYPE html><title>empty</title>")
        found = {
            "usual trial, MB": usual.stat().st_size / 1e6,
            "10,000 effects, MB": many.stat().st_size / 1e6,
            "10,000 effects, written": written,
        }
        if browser := shutil.which("chromium"):
            beyond = opened(many, browser, repeats) - opened(empty, browser, repeats)
            found["10,000 effects, opened"] = max(beyond, 0.0)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
