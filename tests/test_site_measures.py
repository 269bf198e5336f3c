"""The counts of benchmarks/site_measures.py on a site of three pages, one of each fault."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest

pytest.importorskip("bs4")
pytest.importorskip("sphinx")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import site_measures

PAGE = """<html><head><link rel="stylesheet" href="{style}"></head><body>
<div class="bd-sidebar-primary"><div class="sidebar-primary-items__start">{sidebar}</div></div>
<article>{article}</article></body></html>"""
SIDEBAR = '<a href="a.html">a</a>'
REFERENCE = """<dl class="py"><dt id="causalgia.decide">decide</dt><dd><dl class="field-list">
<dt>Parameters:</dt><dd><dl>
<dt><strong>x</strong><span class="classifier">xr.Dataset</span></dt><dd>Estimates.</dd>
<dt><strong>rope</strong></dt><dd>Region.</dd>
<dt><strong>rng</strong><span class="classifier">Any</span></dt><dd>Seed.</dd>
</dl></dd></dl></dd></dl>"""
GUIDE = """<h1 id="top"><code>cg.decide</code></h1>
<a href="b.html#causalgia.decide"><code>cg.decide(x)</code></a> <code>cg.decide</code> <code>cg.other</code>
<img src="a.png" alt="A forest of two effects"><img src="b.png" alt="b.png">
<a href="b.html#nowhere">x</a> <a href="none.html">y</a> <a href="#top">z</a> <a href="https://example.org">w</a>"""


def page(article: str, *, style: str = "site.css", sidebar: str = SIDEBAR) -> str:
    return PAGE.format(style=style, sidebar=sidebar, article=article)


def site(folder: Path) -> Path:
    """Write a site with each of the faults once."""
    (folder / "a.html").write_text(page(GUIDE))
    (folder / "b.html").write_text(page(REFERENCE, sidebar=""))
    (folder / "index.html").write_text(
        page("", style="https://cdn.example.org/a.css", sidebar="")
    )
    rows = zlib.compress(b"causalgia.decide py:function 1 b.html#$ -\n")
    head = "# Sphinx inventory version 2\n# Project: p\n# Version: 1\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    (folder / "objects.inv").write_bytes(head.encode() + rows)
    (folder / "llms.txt").write_text("- [a](a.html)\n- [gone](gone.html)\n")
    (folder / "README.md").write_text("five words are in here")
    return folder


def test_each_fault_is_counted(tmp_path):
    found = site_measures.measures(site(tmp_path), tmp_path / "README.md")
    short = {name: listed for name, (_, goal, listed) in found.items() if listed}
    assert short == {
        "empty sidebars": ["b"],
        "parameters without a type": ["causalgia.decide(rope)"],
        "parameters of any type, not listed": ["causalgia.decide(rng): Any"],
        "those that are not links": ["a: decide"],
        "images without a text": ["a: b.png"],
        "links within the site that lead nowhere": ["a: b.html#nowhere", "a: none.html"],
        "requests to other hosts": ["index: https://cdn.example.org/a.css"],
        "links of llms.txt that lead nowhere": ["gone.html"],
    }  # fmt: skip
    counts = {name: count for name, (count, _, _) in found.items()}
    assert counts["pages"] == 3
    assert counts["parameters"] == 3
    assert counts["public names in code font that are links"] == 1
    assert counts["words of README"] == 5


def test_a_missed_goal_fails_where_it_is_to_be_checked(tmp_path, capsys):
    assert site_measures.main([str(site(tmp_path))]) == 0
    assert site_measures.main([str(tmp_path), "--check"]) == 1
    assert "causalgia.decide(rope)" in capsys.readouterr().out
