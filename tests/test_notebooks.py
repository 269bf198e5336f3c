"""Notebooks run without a connection and without any folder of ours: no error, and no
section without output. The one on a published network finds its files in a mirror.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from notebook_sections import sections

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
PUBLISHED = "03_published_network.py"


def sections_without_output(notebook, folder, mirror):
    """Run a notebook in a folder, and return the headings that show nothing."""
    named = {"CAUSALGIA_NETWORKS": str(mirror), "PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        [sys.executable, ROOT / "tests" / "notebook_sections.py", notebook],
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


@pytest.mark.simulation  # minutes; `make docs` runs them, too
@pytest.mark.parametrize(
    "notebook",
    [path for path in NOTEBOOKS if path.name != PUBLISHED],
    ids=lambda path: path.name,
)
def test_every_section_shows_something(notebook, tmp_path):
    assert sections_without_output(notebook, tmp_path, tmp_path / "nowhere") == []


@pytest.mark.real
def test_every_section_on_a_published_network_shows_something(shared, tmp_path):
    mirror = tmp_path / "mirror" / "deepstarr"
    shutil.copytree(shared / "data" / "networks" / "deepstarr", mirror)
    packed = shared / "data" / "sequences" / "fly_249" / "enhancers.fasta.gz"
    (mirror / "Sequences_example.fa").write_bytes(gzip.decompress(packed.read_bytes()))
    at = ROOT / "notebooks" / PUBLISHED
    assert sections_without_output(at, tmp_path, mirror.parent) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_look_for_no_folder_of_ours(notebook):
    text = notebook.read_text("utf-8")
    assert not re.search("CAUSALGIA_|os[.]environ|[.][.]/shared", text)
    assert ("cg.networks" in text) == (notebook.name == PUBLISHED)


def test_a_section_without_output_is_noticed():
    text = "# %% [markdown]\n# ## A\n\n# %%\nif 0:\n    print(1)\n\n# %% [markdown]\n# ## B\n\n# %%\n1 + 1\n"
    assert sections(text) == {"## A": False, "## B": True}
