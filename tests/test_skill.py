"""The skill for assistants names only calls and arguments that exist."""

import inspect
import re
import subprocess
import sys
from importlib.resources import files

import house
import pytest
from typer.testing import CliRunner

import causalgia as cg
from causalgia import cli
from causalgia.cli.skill_command import skill_text


def invoke(*words):
    return CliRunner().invoke(cli.app, list(words))


TEXT = (files("causalgia.cli") / "skill.md").read_text(encoding="utf-8")


def calls_of_the_catalogue():
    """Return each call in code font that has no ``cg.``, and each name alone, of the
    table of questions.
    """
    table = TEXT.partition("## Which question")[2].partition("\n## ")[0]
    return re.findall(r"`([a-z_]+)(\([^`]*\))?`", table)


@pytest.mark.parametrize(("name", "arguments"), calls_of_the_catalogue())
def test_a_call_of_the_table_exists_and_takes_what_is_given(name, arguments):
    if name in ("q", "verdict"):
        return
    takes = inspect.signature(getattr(cg.experiments, name)).parameters
    assert set(re.findall(r"[(,]\s*(\w+)=", arguments)) <= set(takes)
    in_order = [one.name for one in takes.values() if one.kind is not one.KEYWORD_ONLY]
    words = re.findall(r"[(,] *([a-z_]+)(?=[,)])", arguments)
    assert [one for one in words if one not in in_order] == []


def test_every_experiment_of_the_catalogue_is_in_the_table():
    named = {name for name, _ in calls_of_the_catalogue()}
    missing = {str(entry) for entry in cg.experiments.entries()} - named
    assert missing == {"greedy_round"}  # which `greedy_tiles` repeats


def test_there_are_ten_pitfalls():
    pitfalls = TEXT.partition("## Ten pitfalls")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^(\d+)\. \*\*", pitfalls) == [str(i + 1) for i in range(10)]


def test_the_signatures_are_those_of_this_version():
    text = skill_text()
    for name in ("spacing", "motif_screen", "variant_screen"):
        takes = inspect.signature(getattr(cg.experiments, name)).parameters
        shown = text.rpartition(f"cg.experiments.{name}(")[2].partition("\ncg.")[0]
        assert [one for one in takes if not re.search(rf"\b{one}\b", shown)] == []


@pytest.mark.rotating(3)
def test_without_torch_the_skill_names_the_extra():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from causalgia.cli.skill_command import skill_text; print(skill_text())"
    )
    text = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "cg.TorchPredictor: needs pip install 'causalgia[torch]'" in text
    assert "cg.FunctionPredictor(fn, *," in text


def test_the_skill_is_printed_and_installed_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("skill").stdout.strip() == skill_text().strip()
    assert "Wrote" in invoke("skill", "--install", "skills").stdout
    path = tmp_path / "skills" / "causalgia" / "SKILL.md"
    assert path.read_text(encoding="utf-8") == skill_text()
    assert invoke("skill", "--install", "skills").exit_code == 0  # the same again
    path.write_text("mine", encoding="utf-8")
    refused = invoke("skill", "--install", "skills")
    assert refused.exit_code == 2
    assert "write over it with --force" in refused.stderr
    assert path.read_text(encoding="utf-8") == "mine"
    assert invoke("skill", "--install", "skills", "--force").exit_code == 0
    assert path.read_text(encoding="utf-8") == skill_text()


def test_llms_txt_has_every_page_of_the_site():
    """https://llmstxt.org: a title, a summary, and lists of links."""
    sys.path.insert(0, str(house.ROOT / "docs"))
    import llms_txt

    text = (house.ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
    assert text == llms_txt.text(), "write it again: python docs/llms_txt.py"
    assert text.startswith("# causalgia\n\n> ")
    linked = re.findall(r"(?m)^- \[[^]]+\]\(([^)]+)\): \S", text)
    pages = house.ROOT / "docs"
    assert [one for one in linked if not (pages / one).is_file()] == []
    sections = ("start", "guides", "experiments", "reference", "why_it_holds")
    listed = {
        link
        for section in sections
        for link in re.findall(
            r"(?m)^- \[[^]]+\]\(([^)]+\.md)\)", (pages / f"{section}.md").read_text()
        )
    }
    assert listed <= set(linked)
