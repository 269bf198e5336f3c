"""Audits of networks whose motifs and rules are known, written to docs/audit.md:
`python benchmarks/audit_page.py`.

Results are kept in `benchmarks/audited/results.json`, a run a line; a run that is there
is not made again. ``--only`` names kinds of networks, ``--seeds`` their seeds, ``--write``
writes the page alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent))
from audited import grammars, long, nothing, oracles, public
from audited.judged import judged

PAGE = Path(__file__).resolve().parents[1] / "docs" / "audit.md"
RESULTS = Path(__file__).resolve().parent / "audited" / "results.json"
Results = dict[str, Any]
CASES: dict[str, list[str]] = {
    "grammars": [str(k) for k in range(len(grammars.KINDS))],
    "oracles": list(oracles.NAMES),
    "nothing": list(nothing.NAMES),
    "public": list(public.NAMES),
    "long": list(long.NAMES),
}
_ROOMS = {"oracles": oracles, "nothing": nothing, "public": public, "long": long}


def one_run(family: str, name: str, seed: int) -> tuple[Results, str]:
    """Audit one network and judge the answer; return the figures, and the answer."""
    known = (
        grammars.known(int(name), seed)
        if family == "grammars"
        else _ROOMS[family].known(name, seed)
    )
    found, answer = judged(known, seed)
    run = {"family": family, "name": name, "kind": known.kind, "seed": seed}
    return run | found, str(answer)


def kept(path: Path = RESULTS) -> list[Results]:
    """Return the runs that are kept."""
    return json.loads(path.read_text()) if path.exists() else []


def keep(runs: list[Results], path: Path = RESULTS) -> None:
    """Keep runs, one a line."""
    lines = ",\n".join(json.dumps(run) for run in runs)
    path.write_text(f"[\n{lines}\n]\n")


def written(runs: list[Results]) -> str:
    """Return the page, runs in the order of their names and seeds."""
    from audited import writing

    order = {
        (family, name): k
        for k, (family, name) in enumerate(
            (family, name) for family, names in CASES.items() for name in names
        )
    }
    return writing.page(
        sorted(runs, key=lambda x: (order[x["family"], x["name"]], x["seed"]))
    )


def main(argv: list[str]) -> None:
    """Run what is asked and not kept, and write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", nargs="*", help="families, or family/name")
    asked.add_argument("--seeds", nargs="*", type=int, default=[0])
    asked.add_argument("--results", type=Path, default=RESULTS)
    asked.add_argument("--answers", action="store_true", help="print each answer")
    asked.add_argument("--write", action="store_true")
    said = asked.parse_args(argv)
    wanted = [
        (family, name, seed)
        for seed in said.seeds
        for only in said.only or CASES
        for family, names in CASES.items()
        for name in names
        if only in (family, f"{family}/{name}")
    ]
    runs = kept(said.results)
    done = {(run["family"], run["name"], run["seed"]) for run in runs}
    for case in [] if said.write else [x for x in wanted if x not in done]:
        start = time.perf_counter()
        # a process of its own, so that its memory is that of one audit
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
            run, answer = pool.submit(one_run, *case).result()
        runs = [*kept(said.results), run]
        keep(runs, said.results)
        print(f"{time.perf_counter() - start:6.1f} s  {' '.join(map(str, case))}", flush=True)  # fmt: skip
        if said.answers:
            print(json.dumps(run, indent=None), answer, sep="\n", flush=True)
    if said.results == RESULTS:
        PAGE.write_text(written(kept()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
