"""Notebooks that can use networks and data of others: without them, as most users have
it, and with them. No error, no download, and no section without output.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from notebook_sections import sections

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [
    path.name
    for path in sorted((ROOT / "notebooks").glob("*.py"))
    if re.search("CAUSALGIA_SHARED|networks[.]load[(]", path.read_text("utf-8"))
]


def sections_without_output(notebook, folder, copies, networks):
    """Run a notebook in a folder, and return the headings that show nothing."""
    named = {"CAUSALGIA_NETWORKS": str(networks), "PYTHONPATH": str(ROOT)}
    if copies:
        named["CAUSALGIA_SHARED"] = str(copies)
    made = subprocess.run(
        [
            sys.executable,
            ROOT / "tests" / "notebook_sections.py",
            ROOT / "notebooks" / notebook,
        ],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "CAUSALGIA_SHARED"}
        | {"MPLBACKEND": "Agg"}
        | named,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3_000:]
    shows = json.loads(made.stdout.splitlines()[-1])
    assert len(shows) > 1
    return [heading for heading, any_output in shows.items() if not any_output]


@pytest.mark.simulation  # minutes; `make docs` runs them in the gate, too
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_section_shows_something_where_all_is_absent(notebook, tmp_path):
    nowhere = tmp_path / "nowhere"
    assert sections_without_output(notebook, tmp_path, None, nowhere) == []


@pytest.mark.real
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_section_shows_something_where_all_is_there(notebook, shared, tmp_path):
    networks = shared / "data" / "networks"
    assert sections_without_output(notebook, tmp_path, shared, networks) == []


def test_those_that_look_for_data_are_tried():
    assert len(NOTEBOOKS) >= 7


def test_a_section_without_output_is_noticed():
    text = "# %% [markdown]\n# ## A\n\n# %%\nif 0:\n    print(1)\n\n# %% [markdown]\n# ## B\n\n# %%\n1 + 1\n"
    assert sections(text) == {"## A": False, "## B": True}
