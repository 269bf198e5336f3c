"""Benchmarks that cannot rot: each runs, small, and reports the finite figures that the
page has targets for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import performance_page as maker
from performed import writing
from performed.parts import AT_LEAST, AT_MOST, PARTS, Target
from performed.reasons import REASONS

pytestmark = pytest.mark.long
HERE = Path(maker.__file__).parent
KEPT = maker.kept()
PROCESSES = 6
"""Benchmarks take turns in so many processes, as in `run.py`: one each would start
Python and import torch 27 times.
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
@pytest.mark.parametrize(
    "names", [list(PARTS)[i::PROCESSES] for i in range(PROCESSES)], ids=" ".join
)
def test_benchmarks_measure_what_the_page_promises(names):
    found = json.loads(run("-c", CODE, *names).splitlines()[-1])
    assert list(found) == names
    for name, figures in found.items():
        assert figures, name
        assert all(0 <= value < float("inf") for value in figures.values()), name


@pytest.mark.torch
def test_benchmarks_run_by_name():
    said = run("run.py", "--quick", "imports", "posterior")
    assert "import causalgia" in said
    assert "== posterior" in said


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
