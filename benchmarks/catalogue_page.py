"""The catalogue on oracles and trained networks, written to docs/catalogue.md:
`python benchmarks/catalogue_page.py`.

Results are kept in `benchmarks/catalogued/results.json`, so that a part can be run
again by itself (``--only``) and the page be written again from them (``--write``).
``--quick`` runs all of it with a fifth of the units, writes nothing and judges nothing:
rare effects have no normal errors in so few.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent))
from catalogued import (
    cases,
    compared,
    controls,
    planted,
    trained,
    writing,
)

from causalgia.experiments import Answer, entries

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURES = DOCS / "catalogue.md", DOCS / "catalogue"
RESULTS = Path(__file__).resolve().parent / "catalogued" / "results.json"
REAL = RESULTS.with_name("real_networks.md")
MOST_BYTES = 60_000
Results = dict[str, Any]
_PLANTED = [f"planted: {name}" for name in planted.NAMES]


def on_oracle(name: str, *, quick: bool = False) -> tuple[Answer, Results]:
    """Ask an oracle of known truth; return the answer and what the page says of it."""
    case = cases.case(name, quick=quick)
    answer, results = compared.found(case, n=1_000 if quick else 8_000)
    # of which the title of its figure says
    answer.decisions.attrs["predictor"] = case.spelled.replace("`", "")
    return answer, results


def on_networks(*, quick: bool = False) -> Results:
    """Ask the trained networks; return their part of the results."""
    answers = {}
    for name, (story, experiment) in trained.asked(100 if quick else 1_000).items():
        answers[name] = trained.of_members(experiment, story)[1]
        _tell(name)
    answers[trained.SCREEN] = trained.screen(10 if quick else 200)[1]
    _tell(trained.SCREEN)
    return {"experiments": answers, "nulls": trained.nulls(100 if quick else 1_000)}


def control_tests(*, quick: bool = False) -> Results:
    """Ask what must be nothing; return its part of the results."""
    return {
        "random_sequences": controls.random_sequences(50 if quick else 500),
        "same_arms": controls.same_arms(20 if quick else 1_000),
        "no_interaction": controls.no_interaction(200 if quick else 4_000),
    }


def _most_in(answer: Answer) -> str:
    """Return the task with the largest effect that answers the question."""
    rows = answer.decisions
    if "of_question" in rows.coords:
        rows = rows.isel(contrast=rows["of_question"].to_numpy())
    return str(abs(rows["ace"]).max("contrast").idxmax("task").item())


def save_small(answer: Answer, path: Path, *, task: str) -> None:
    """Write the figure of an answer as a PNG that a page can afford."""
    from PIL import Image

    answer.save(path, task=task)
    image = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
    for width in (1_000, 850, 700, 550):
        size = min(width, image.width)
        small = image.resize(
            (size, round(image.height * size / image.width)), Image.Resampling.LANCZOS
        )
        small.quantize(256, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            return
    raise SystemExit(
        f"{path.name} has {path.stat().st_size:,} bytes; {MOST_BYTES:,} are too many"
    )


def main(argv: list[str]) -> None:
    """Ask, keep the results, and write the page of all that are kept."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--quick", action="store_true", help="few units; writes and judges nothing"
    )
    asked.add_argument(
        "--only",
        nargs="*",
        help="names of experiments, 'planted' (or 'planted: <entry>'), 'trained' or 'controls'",
    )
    asked.add_argument(
        "--write", action="store_true", help="write the page from the kept results"
    )
    said = asked.parse_args(argv)
    wanted = (
        []
        if said.write
        else [*entries(), *_PLANTED, "trained", "controls"]
        if said.only is None
        else said.only
    )
    results = kept()
    for name in wanted if "planted" not in wanted else [*wanted, *_PLANTED]:
        _ask(name, results, quick=said.quick)
        if not said.quick:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if not said.quick:
        PAGE.write_text(written(results), encoding="utf-8")
        sys.exit(_failed(results))


def written(results: Results) -> str:
    """Return the page, with the section about real networks where
    `catalogued/real_networks.md` has one.
    """
    return writing.page(
        results, real=REAL.read_text(encoding="utf-8") if REAL.exists() else ""
    )


def _ask(name: str, results: Results, *, quick: bool) -> None:
    if name == "planted":
        return  # each of its entries is asked by itself
    if name in _PLANTED:
        entry = name.removeprefix("planted: ")
        found = planted.counts(1 if quick else None, [entry])
        kept_of = results.get("planted", {}) | found
        results["planted"] = {n: kept_of[n] for n in planted.NAMES if n in kept_of}
    elif name == "trained":
        results["trained"] = on_networks(quick=quick)
    elif name == "controls":
        results["controls"] = control_tests(quick=quick)
    else:
        answer, results["oracle"][name] = on_oracle(name, quick=quick)
        if not quick:
            FIGURES.mkdir(exist_ok=True)
            save_small(
                answer,
                FIGURES / f"{name}.png",
                task=_most_in(answer),
            )
    _tell(name)


def kept() -> Results:
    """Return the results of earlier runs."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"oracle": {}}


def _failed(results: Results) -> str | int:
    """Return which experiments missed a truth or a verdict, or were wrong, in words; 0
    where none.
    """
    missed = [
        n
        for n, one in results["oracle"].items()
        if one["n_wrong"] or one["n_missed"] or one["largest_z"] >= one["limit"]
    ]
    missed += [
        f"planted {n}"
        for n, one in results.get("planted", {}).items()
        if not planted.as_promised(n, one)
    ]
    missed += [one["finding"] for one in trained.findings(results) if not one["holds"]]
    return f"not as promised: {', '.join(missed)}" if missed else 0


_START = time.perf_counter()


def _tell(name: str) -> None:
    print(f"{time.perf_counter() - _START:7.1f} s  {name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
