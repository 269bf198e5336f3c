"""Benchmarks that cannot rot: a twelfth of them, and those that changed, run small, and
report the finite figures that the page has targets for (`make bench`: all of them).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import pages
import performance_page as maker
import rotation
from performed import writing
from performed.parts import AT_LEAST, AT_MOST, PARTS, Target, measurable
from performed.reasons import REASONS
from rotation import due

pytestmark = pytest.mark.long
HERE = Path(maker.__file__).parent
KEPT = maker.kept()
DUE = due(measurable(), 12, "benchmarks/{}.py".format)
"""Those of this run, one after the other in one process, as in `run.py`: one each would
start Python and import torch as many times.
"""
CODE = """
import json, sys
from performed.parts import measured
found = {name: measured(name, quick=True) for name in sys.argv[1:]}
print(f"\\n{json.dumps(found)}")
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


@pytest.mark.torch
def test_benchmarks_measure_what_the_page_promises():
    found = json.loads(run("-c", CODE, *DUE).splitlines()[-1])
    assert list(found) == DUE
    for name, figures in found.items():
        assert figures, name
        assert all(0 <= value < float("inf") for value in figures.values()), name


@pytest.mark.rotating
def test_benchmarks_run_by_name():
    said = run("run.py", "--quick", "imports", "maxt")
    assert "import causalgia" in said
    assert "== maxt" in said


@pytest.mark.rotating
@pytest.mark.torch
def test_every_benchmark_is_there_to_be_run():
    """Those that this run does not measure can be imported."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    assert callable(importlib.import_module(name).main), name\n"
    )
    run("-c", code, *PARTS, "engines", "posterior")


def test_the_parts_of_all_runs_are_the_table(monkeypatch):
    """Whatever the commit, a twelfth; over all twelve, every one."""
    names, tried = [f"no file {i}" for i in range(27)], []
    for part in range(12):
        monkeypatch.setenv("SUITE_PART", str(part))
        here = due(names, 12, "{}.py".format)
        assert 2 <= len(here) <= 3
        tried += here
    assert sorted(tried) == sorted(names)


def test_a_benchmark_that_changed_is_due(monkeypatch):
    monkeypatch.setenv("SUITE_PART", "0")
    monkeypatch.setattr(rotation, "changed_files", lambda: {"benchmarks/b.py"})
    assert due(["a", "b", "c", "d"], 3, "benchmarks/{}.py".format) == ["a", "b", "d"]
    assert due(["a", "b", "c", "d"], 4, "other/{}.py".format) == ["a"]


def test_the_page_is_what_was_found():
    assert writing.page(KEPT) == maker.PAGE.read_text(encoding="utf-8"), (
        "run: python benchmarks/performance_page.py --write"
    )
    assert set(KEPT) <= set(PARTS)


def test_every_target_that_is_missed_has_a_reason():
    missed = set(writing.missed(KEPT))
    assert missed == set(REASONS), (
        f"say why in benchmarks/performed/reasons.py: {missed ^ set(REASONS)}"
    )


def test_a_miss_is_said(monkeypatch):
    name = next(iter(PARTS))
    target = PARTS[name][0]
    where = {"machine": "2 cores", "versions": "Python 3", "load": "0.1", "seconds": 60}
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
    lines = scale.page(results).splitlines()
    header = next(line for line in lines if line.startswith("| predictions | "))
    row = next(line for line in lines if line.startswith("| 10^12 |"))
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    (disk,) = [line for line in lines if line.startswith("- Disk: ")]
    assert f"{cells['outcomes']} as outcomes" in disk
    assert f"{cells['effects']} as effects" in disk
    assert f"{cells['moments |'].removesuffix(' |')} as moments" in disk
