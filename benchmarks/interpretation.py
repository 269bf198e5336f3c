"""Methods of interpretation against known truth, written to docs/interpretation.md.

    python benchmarks/interpretation.py [--grammars FOLDER] [--workers 4]

Results are kept in `benchmarks/interpreted/results.json`, so that parts can be run
again by themselves (``--only gates "zoo: ISM"``) and the page be written again
(``--write``). ``--quick`` runs every part small, and writes nothing. The simulated
grammars are read from ``--grammars``, the folder of the networks; without it that part
is left as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent))
from interpreted import confounded, gates, grammars, writing, zoo
from interpreted.methods import METHODS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "interpretation.md"
RESULTS = Path(__file__).resolve().parent / "interpreted" / "results.json"
Results = dict[str, Any]


def parts() -> list[str]:
    """Return the names of the parts."""
    of_zoo = [f"zoo: {name}" for name in METHODS]
    return [
        "gates",
        "confounded",
        "motifs",
        *of_zoo,
        *[f"grammars: {name}" for name in grammars.METHODS],
    ]


def measured(name: str, *, quick: bool = False, folder: Path | None = None) -> Results:
    """Run one part; return its results and the processor seconds that it took."""
    start = time.process_time()
    kind, _, method = name.partition(": ")
    if kind == "gates":
        found = gates.measured(quick=quick)
    elif kind == "confounded":
        found = confounded.measured(quick=quick)
    elif kind == "motifs":
        found = zoo.words(quick=quick)
    elif kind == "zoo":
        found = zoo.measured(method, quick=quick)
    elif folder is None:
        raise SystemExit(f"{name}: give the folder of the networks, --grammars FOLDER")
    else:
        found = grammars.measured(method, folder, quick=quick)
    return {"found": found, "seconds": round(time.process_time() - start, 1)}


def measured_by(
    workers: int, names: list[str], *, quick: bool, folder: Path | None
) -> Iterator[tuple[str, Results]]:
    """Run parts in processes of one thread each, those that took longest first; yield
    each as it ends.
    """
    seconds = {name: float(one["seconds"]) for name, one in kept().items()}
    first = sorted(names, key=lambda name: -seconds.get(name, 0.0))
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_use_one_thread
    ) as pool:
        running = {
            pool.submit(measured, name, quick=quick, folder=folder): name
            for name in first
        }
        for done in as_completed(running):
            yield running[done], done.result()


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def main(argv: list[str]) -> None:
    """Run what is asked for, keep the results, and write the page of all that are
    kept.
    """
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    asked.add_argument("--quick", action="store_true", help="small; writes nothing")
    asked.add_argument(
        "--only", nargs="*", help=f"names of parts: {', '.join(parts())}"
    )
    asked.add_argument(
        "--grammars", type=Path, help="folder of the networks of simulated grammars"
    )
    asked.add_argument("--workers", type=int, default=4, help="processes, a core each")
    asked.add_argument(
        "--write", action="store_true", help="write the page from the kept results"
    )
    said = asked.parse_args(argv)
    wanted = (
        []
        if said.write
        else said.only
        or [n for n in parts() if said.grammars or not n.startswith("grammars")]
    )
    results = kept()
    for name, found in measured_by(
        said.workers, wanted, quick=said.quick, folder=said.grammars
    ):
        results[name] = found
        print(f"{found['seconds']:7.1f} s  {name}", flush=True)
        if not said.quick:
            # a row a line
            RESULTS.write_text(json.dumps(results).replace("], [", "],\n[") + "\n")
    if not said.quick:
        PAGE.write_text(writing.page(results), encoding="utf-8")


def kept() -> Results:
    """Return the results of earlier runs."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


if __name__ == "__main__":
    main(sys.argv[1:])
