"""Notebooks where no published network or data is found: no error, no download, and no
section without output. With them they run in `make docs`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from notebook_sections import sections
from rotation import ROOT, changed_files

NOTEBOOKS = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "notebooks").glob("*.py"))
    if re.search('"shared|networks[.]load[(]', path.read_text("utf-8"))
]


@pytest.mark.parametrize(
    "notebook",
    [
        pytest.param(
            name, marks=[] if name in changed_files() else pytest.mark.rotating
        )
        for name in NOTEBOOKS
    ],
)
def test_every_section_shows_something_where_all_is_absent(notebook, tmp_path):
    made = subprocess.run(
        [sys.executable, ROOT / "tests" / "notebook_sections.py", ROOT / notebook],
        cwd=tmp_path,  # notebooks look for the data in the folders above
        env=os.environ
        | {
            "MPLBACKEND": "Agg",
            "CAUSALGIA_NETWORKS": str(tmp_path / "nowhere"),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3_000:]
    shows = json.loads(made.stdout.splitlines()[-1])
    assert len(shows) > 1
    assert [heading for heading, any_output in shows.items() if not any_output] == []


def test_those_that_look_for_data_are_tried():
    assert len(NOTEBOOKS) >= 7
    assert all((ROOT / name).is_file() for name in NOTEBOOKS)


def test_a_section_without_output_is_noticed():
    text = "# %% [markdown]\n# ## A\n\n# %%\nif 0:\n    print(1)\n\n# %% [markdown]\n# ## B\n\n# %%\n1 + 1\n"
    assert sections(text) == {"## A": False, "## B": True}
