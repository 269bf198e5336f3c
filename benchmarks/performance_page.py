"""Speed and size against what was promised, written to docs/performance.md:
`python benchmarks/performance_page.py`.

Results are kept in `benchmarks/performed/results.json`, so that a part can be run again
by itself (``--only NAME``) and the page be written again from them (``--write``).
``--quick`` runs small versions, writes nothing and judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent))
from performed import writing
from performed.machine import described
from performed.parts import PARTS, measurable, measured

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
RESULTS = Path(__file__).resolve().parent / "performed" / "results.json"
OF_SCALE = RESULTS.with_name("scale.json")


def kept() -> dict[str, Any]:
    """Return the results of earlier runs."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def measure(name: str, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark; return its figures, and where, when and for how long it ran."""
    where, start, today = described(), time.perf_counter(), str(date.today())
    found = measured(name, quick=quick)
    seconds = round(time.perf_counter() - start)
    return {"found": found, **where, "on": today, "seconds": seconds}


def main(argv: list[str]) -> None:
    """Measure, keep the results, and write the page of all that are kept."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument(
        "--quick", action="store_true", help="small versions; writes and judges nothing"
    )
    asked.add_argument(
        "--only", nargs="*", choices=tuple(PARTS), help="names of benchmarks"
    )
    asked.add_argument(
        "--write", action="store_true", help="write the page from the kept results"
    )
    said = asked.parse_args(argv)
    results = kept()
    for name in [] if said.write else said.only or measurable():
        results[name] = measure(name, quick=said.quick)
        if not said.quick:
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    if not said.quick:
        of_scale = json.loads(OF_SCALE.read_text())
        PAGE.write_text(writing.page(results, of_scale), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
