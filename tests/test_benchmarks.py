"""Benchmarks that cannot rot: each runs, small, and reports finite ratios. Nothing here asserts a time."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.torch
def test_all_benchmarks_run():
    done = subprocess.run(
        [sys.executable, HERE / "run.py", "--quick"], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    for word in ("import causalgia", "dinucleotide", "causalgia.run", "bare forwards"):
        assert word in done.stdout


def test_a_ratio_is_a_number(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import imports

    assert math.isfinite(imports.main(["--quick"]))
