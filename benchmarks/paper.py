"""The statements of the founding paper on oracles and trained networks, written to
docs/paper.md: `python benchmarks/paper.py`.

Results are stored in `benchmarks/published/results.json`, so that a part can be run
again by itself (``--only``) and the page be written from them (``--write``). ``--data``
names the folder of real networks and sequences (by default ``data`` in the folder that
``CAUSALGIA_SHARED`` names), whose parts are left as they are without it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent))
from published import measured, page
from shared_folder import IS_NAMED, SHARED

import causalgia as cg

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "paper.md"
RESULTS = Path(__file__).resolve().parent / "published" / "results.json"
DATA = SHARED / "data" if IS_NAMED else None
Results = dict[str, Any]


def parts(data: Path | None) -> dict[str, Callable[[], Results]]:
    """Return name -> what measures it."""
    found: dict[str, Callable[[], Results]] = {}
    for name in measured.PARTS:
        found[f"oracle/{name}"] = _fixed(measured.on_oracle, name)
        for architecture in measured.ARCHITECTURES:
            found[f"{architecture}/{name}"] = _fixed(
                measured.on_networks, name, architecture
            )
    found |= {
        "oracle/definition": measured.definition,
        "oracle/synergy": measured.synergy,
        "oracle/invariance": measured.invariance,
        "oracle/factors": measured.factors,
        "oracle/helix": measured.helix,
        "residual/null models": measured.orders_of_null_models,
    }
    if data is not None:
        found["real/null models"] = lambda: measured.where_null_models_differ(
            data, enhancer_network(data)
        )
        found["real/pairs"] = lambda: measured.pairs_on_enhancers(
            enhancer_network(data)
        )
    return found


def _fixed(measure: Callable[..., Results], *given: Any) -> Callable[[], Results]:
    return lambda: measure(*given)


def enhancer_network(data: Path) -> Any:
    """Return the published network of fly enhancers, from a folder of real networks."""
    folder = data / "models" / "deepstarr"
    return cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )


def stored() -> Results:
    """Return the results of earlier runs."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main(argv: list[str]) -> None:
    """Measure, store the results, and write the page of all that are stored."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="*", help="names of parts, as in the file")
    arguments.add_argument(
        "--write", action="store_true", help="write the page from the stored results"
    )
    arguments.add_argument("--data", type=Path, default=DATA)
    given = arguments.parse_args(argv)
    known = parts(given.data)
    wanted = [] if given.write else known if given.only is None else given.only
    results, start = stored(), time.perf_counter()
    for name in wanted:
        results[name] = known[name]()
        print(f"{time.perf_counter() - start:7.1f} s  {name}", flush=True)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page.written(results), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
