"""The numbers of the library are those that were recorded: tests/golden/README.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "golden"


@pytest.mark.parametrize(
    "group",
    [
        "decisions",
        "commands",
        "estimates",
        "experiments",
        "posterior",
        "outcomes",
        "bench",
        pytest.param("public", marks=pytest.mark.real),
    ],
)
def test_numbers_are_those_that_were_recorded(group):
    compared = subprocess.run(
        [
            sys.executable,
            FOLDER / "golden.py",
            "compare",
            *("--only", group),
            "--across-processors",
        ],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert f"{group}: " in compared.stdout
    assert "MORE THAN" not in compared.stdout  # from the quadrature
