"""README is read where no file of the repository is beside it: its links, and the table
of a network that is not here.
"""

import re
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import deepstarr
import home_page

ROOT = home_page.ROOT
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "deepstarr.md").read_text(encoding="utf-8")


def test_every_link_is_absolute_and_those_to_the_repository_lead_to_its_files():
    links = re.findall(r"\]\(([^)]+)\)", README)
    runs = [one for one in links if "/actions/" in one]  # of the badge
    links = [one for one in links if one not in runs]
    assert [one for one in links if not re.match(r"https://|#", one)] == []
    ours = [
        one.removeprefix(root)
        for one in links
        for root in home_page.roots()
        if one.startswith(root)
    ]
    assert len(ours) == sum(
        home_page.repository().rpartition("/")[2] in x for x in links
    )
    assert [one for one in ours if not (ROOT / one).is_file()] == []


def test_the_home_page_has_no_address_of_the_docs_and_one_repository_is_named():
    links = re.findall(r"\]\(([^)]+)\)", home_page.text())
    ours = [one for one in links if one.startswith(home_page.roots())]
    assert not [one for one in ours if re.search(r"/docs/.*\.(md|png)", one)]
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]["urls"]
    assert all(one.startswith(home_page.repository()) for one in urls.values())
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nrepository-code: {home_page.repository()}\n" in cited


@pytest.mark.real
@pytest.mark.torch
def test_the_table_of_deepstarr_is_what_its_script_prints(shared, monkeypatch):
    monkeypatch.setenv("CAUSALGIA_NETWORKS", str(shared / "data" / "networks"))
    decisions = deepstarr.screen(deepstarr.N, rng=0).decisions
    rows = deepstarr.largest(deepstarr.better_strands(decisions))
    table = deepstarr.printed(rows)
    for line in table.splitlines()[1:]:
        assert any(line.split() == row.split()[:-1] for row in PAGE.splitlines())
