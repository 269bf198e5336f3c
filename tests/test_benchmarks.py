"""Benchmarks that cannot rot: all can be imported, and run small they report the finite
figures that the page has targets for (in `make validate`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pages
import performance_page as maker
import pytest
from performed import writing
from performed.parts import AT_LEAST, AT_MOST, PARTS, SECTIONS, Target, measurable
from performed.reasons import REASONS

HERE = Path(maker.__file__).parent
KEPT = maker.kept()
CODE = """
import json, sys
from performed.parts import measured
print(f"\\n{json.dumps(measured(sys.argv[1], quick=True))}")
"""


def run(*words: str) -> str:
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE,
        env=one_thread,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.simulation
@pytest.mark.torch
@pytest.mark.parametrize("name", measurable(quick=True))
def test_a_benchmark_measures_what_the_page_promises(name):
    found = json.loads(run("-c", CODE, name).splitlines()[-1])
    assert found
    figures = np.concatenate([np.atleast_1d(figure) for figure in found.values()])
    assert np.isfinite(figures).all()
    assert (figures >= 0).all()


@pytest.mark.simulation
def test_benchmarks_run_by_name():
    said = run("run.py", "--quick", "analyze", "fits")
    assert "contrast, ms" in said
    assert "== fits" in said


@pytest.mark.simulation
@pytest.mark.torch
def test_every_benchmark_is_there_to_be_run():
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    assert callable(importlib.import_module(name).main), name\n"
    )
    run("-c", code, *PARTS, "engines", "posterior")


def test_the_page_is_what_was_found():
    of_scale = json.loads(maker.OF_SCALE.read_text())
    assert writing.page(KEPT, of_scale) == maker.PAGE.read_text(encoding="utf-8"), (
        "run: python benchmarks/performance_page.py --write"
    )
    assert set(KEPT) <= set(PARTS)
    assert set(PARTS) <= {name for of in SECTIONS.values() for name in of}


def test_every_target_that_is_missed_has_a_reason():
    missed = set(writing.missed(KEPT))
    assert missed == set(REASONS), (
        f"say why in benchmarks/performed/reasons.py: {missed ^ set(REASONS)}"
    )


def test_a_miss_is_said(monkeypatch):
    name = next(iter(PARTS))
    target = PARTS[name][0]
    where = {
        "machine": "2 cores",
        "versions": "Python 3",
        "load": "0.1",
        "seconds": 60,
        "on": "2026-11-29",
    }
    bad = {t.key: t.bound * (2 if t.sense == AT_MOST else 0.5) for t in PARTS[name]}
    monkeypatch.setitem(writing.REASONS, f"{name}: {target.key}", "it rained")
    text = writing.page({name: {"found": bad, **where}})
    assert "**missed**" in text
    assert "## What is missed, and why" in text
    assert "it rained" in text
    good = {t.key: t.bound for t in PARTS[name]}
    assert "**missed**" not in writing.page({name: {"found": good, **where}})
    assert Target("", "", "", AT_LEAST, 2.0).holds(2.0)
    assert not target.holds(bad[target.key])


def test_figures_that_moved_are_listed():
    """A rate by its standard error, an effect by a thousandth, a target that is no
    longer reached; times and machines are not compared.
    """
    rows = {"coverage": {"value": 0.95, "mcse": 0.002}, "old": {"value": 1, "mcse": 0}}
    moved = {"coverage": {"value": 0.953, "mcse": 0.002}, "new": rows["old"]}
    assert pages.differences("validation", rows, rows) == []
    assert pages.differences("validation", rows, moved) == [
        "coverage: 0.95 kept, 0.953 found, se 0.002",
        "old: only kept",
        "new: only found",
    ]
    kept = {"gates": {"found": [1.0, "AND"], "seconds": 3.0}}
    alike = {"gates": {"found": [1.0004, "AND"], "seconds": 9.0}}
    other = {"gates": {"found": [1.01, "OR"], "seconds": 3.0}}
    assert pages.differences("interpretation", kept, alike) == []
    assert pages.differences("interpretation", kept, other) == [
        "/gates/found/0: 1.0 kept, 1.01 found",
        "/gates/found/1: AND kept, OR found",
    ]
    name = next(name for name in KEPT if not any(m.startswith(name) for m in REASONS))
    target = PARTS[name][0]
    bad = target.bound * (2 if target.sense == AT_MOST else 0.5)
    found = KEPT[name]["found"] | {target.key: bad}
    slower = KEPT | {name: KEPT[name] | {"found": found}}
    assert pages.differences("performance", KEPT, KEPT) == []
    assert pages.differences("performance", KEPT, slower) == [
        f"{name}: {target.key} misses its target"
    ]


def test_figures_have_names_of_their_own():
    for targets in PARTS.values():
        assert len({target.key for target in targets}) == len(targets)


def test_sizes_on_the_page_of_large_trials_stand_under_their_headers():
    from performed import scale

    results = json.loads((HERE / "performed" / "scale.json").read_text())
    lines = scale.section(results).splitlines()
    header = next(line for line in lines if line.startswith("| predictions | "))
    row = next(line for line in lines if line.startswith("| 10^12 |"))
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    kept = results["on_disk"]
    for keep, cell in (("outcomes", "outcomes"), ("moments", "moments |")):
        whole = kept[keep]["once"] + 1e12 * kept[keep]["a_prediction"]
        assert cells[cell].removesuffix(" |") == scale.size(whole)
