# Imports from the inside: the text for assistants, and the program that installs it.
"""The skill for assistants names only calls and arguments that exist."""

import ast
import contextlib
import inspect
import operator
import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from in_shell import invoke

import causalgia as cg
from causalgia.cli.skill_command import skill_text
from causalgia.sequences.alphabet import decode

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (files("causalgia.cli") / "skill.md").read_text(encoding="utf-8")


def code_in_text():
    """Return each expression in code font outside of the fenced examples."""
    text = re.sub(r"(?s)```.*?```", "", TEXT)
    spans = {" ".join(one.split()) for one in re.findall(r"`([^`]+)`", text)}
    expressions = []
    for span in sorted(spans):
        with contextlib.suppress(SyntaxError):
            tree = ast.parse(span.partition(" = ")[2] or span, mode="eval")
            expressions += [(span, tree)]
    return expressions


def calls_in_text():
    """Return each call of the text, with the calls inside of others."""
    for span, tree in code_in_text():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name.startswith("cg.") or hasattr(cg.experiments, name):
                yield pytest.param(name, node, id=f"{name} of {span}"[:60])


@pytest.mark.parametrize(("name", "node"), list(calls_in_text()))
def test_a_call_of_the_text_takes_what_is_given(name, node):
    place = name.removeprefix("cg.") if "cg." in name else f"experiments.{name}"
    call = operator.attrgetter(place)(cg)
    takes = inspect.signature(call)
    values = [object()] * len(node.args)
    in_order = [
        one.name
        for one in takes.parameters.values()
        if one.kind is not one.KEYWORD_ONLY
    ]
    words = [one.id for one in node.args if isinstance(one, ast.Name)]
    if place.startswith("experiments."):
        assert [one for one in words if one not in in_order] == []
    takes.bind_partial(*values, **{one.arg: object() for one in node.keywords})


@pytest.fixture(scope="module")
def of_the_text(tmp_path_factory):
    """Return what the calls of the table name: an oracle, sequences, a trial."""
    null, oracle = cg.Uniform(length=200), cg.zoo.oracle("gata1_like")
    folder = tmp_path_factory.mktemp("skill")
    sequences = decode(null.sample(40, rng=0)["sequence"].to_numpy())
    (folder / "peaks.fa").write_text(
        "".join(f">p{i}\n{one}\n" for i, one in enumerate(sequences))
    )
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=96),
        "GATA1": cg.Embed("AGATAAG", at=96),
    }
    design = cg.Design(null=null, arms=arms, n_units=100)
    analysis = cg.Analysis(control="placebo", rope=(-0.1, 0.1))
    outcomes = cg.run(design, oracle, rng=0, analysis=analysis)
    estimates = cg.estimate(cg.contrast(outcomes, control="placebo"))
    return folder, {
        "cg": cg,
        "null": null,
        "predictor": oracle,
        "sequences": sequences,
        "motif": "AGATAAG",
        "other": "TGACTCA",
        "outcomes": outcomes,
        "estimates": estimates,
        "decisions": cg.decide(estimates, rope=(-0.1, 0.1)),
        "experiment": cg.experiments.position(
            null, "AGATAAG", at=[20, 60, 96], n_units=20
        ),
        "null_models": cg.experiments.null_models,
        "pair": cg.experiments.pair,
        "spacing": cg.experiments.spacing,
        "tiles": cg.experiments.tiles,
        "context_dependence": cg.experiments.context_dependence,
    }


@pytest.mark.filterwarnings("ignore:.*do(es)? not vary at all")
@pytest.mark.parametrize(
    "start",
    [
        "null_models(",
        "tiles(sequences, tiles=[(20, 60), (100",
        "tiles(sequences, tiles=[(20, 60)], at",
        "context_dependence(",
        "spacing(",
        "pair(",
        "cg.attribute(",
        "cg.mpra.power(",
        "cg.report(cg.sample_size(",
        "cg.tipping_point(",
        "cg.analyze(cg.confirm(",
    ],
)
def test_a_call_of_the_text_runs_as_it_is_written(start, of_the_text, monkeypatch):
    folder, names = of_the_text
    monkeypatch.chdir(folder)
    (tree,) = [tree for span, tree in code_in_text() if span.startswith(start)]
    result = eval(compile(tree, start, "eval"), dict(names))
    if start == "null_models(":
        assert result["null"].to_numpy().tolist() == ["uniform", "peaks"]
    elif start == "cg.attribute(":
        assert result.dims == ("unit", "position", "base", "task")
    elif start == "cg.analyze(cg.confirm(":
        assert "verdict" in result
    else:
        assert result is not None


def test_the_skill_is_printed_and_installed_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("skill").stdout.strip() == skill_text().strip()
    assert invoke("skill", "--install", "skills").exit_code == 0
    path = tmp_path / "skills" / "causalgia" / "SKILL.md"
    assert path.read_text(encoding="utf-8") == skill_text()
    assert invoke("skill", "--install", "skills").exit_code == 0  # the same again
    path.write_text("mine", encoding="utf-8")
    refused = invoke("skill", "--install", "skills")
    assert refused.exit_code == 2
    assert path.read_text(encoding="utf-8") == "mine"
    assert invoke("skill", "--install", "skills", "--force").exit_code == 0
    assert path.read_text(encoding="utf-8") == skill_text()


def test_the_text_of_the_site_is_the_skill_and_its_pages(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(DOCS)])
    import llms_txt

    text = llms_txt.text()
    assert skill_text().partition("\n## ")[2].strip() in text
    pages = re.findall(r"(?m)^- \[[^]]+\]\(([^)]+)\)", text.partition("\n## Pages")[2])
    assert [page for page in pages if not (DOCS / page).is_file()] == []
    assert {"install.md", "tutorial.md", "howto/own_network.md"} <= {*pages}
