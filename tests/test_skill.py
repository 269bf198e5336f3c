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

import numpy as np
import pandas as pd
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
    (folder / "hg38.fa").write_text(f">chr1\n{'ACGTTGCAAC' * 500}\n")
    (folder / "calls.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "chr1\t2502\trs1\tC\tT\t.\t.\t.\n"
    )
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"well": np.repeat(range(12), 2), "arm": ["wild type", "mutant"] * 12}
    ).assign(y=rng.normal(size=24))
    second = cg.FunctionPredictor(
        lambda x: 0.9 * oracle.predict(x.argmax(1).astype(np.uint8)),
        **{"tasks": oracle.tasks, "scale": oracle.scale},
    )
    ensemble = cg.Ensemble([oracle, second])
    return folder, {
        **{name: getattr(cg.experiments, name) for name in cg.experiments.__all__},
        **{"cg": cg, "null": null, "predictor": oracle, "sequences": sequences},
        **{"motif": "AGATAAG", "other": "TGACTCA", "motifs": ["AGATAAG", "TGACTCA"]},
        **{"negatives": sequences, "design": design, "outcomes": outcomes},
        "ensemble": ensemble,
        "effects": cg.contrast(outcomes, control="placebo"),
        "estimates": estimates,
        "decisions": cg.decide(estimates, rope=(-0.1, 0.1)),
        "experiment": cg.experiments.position(
            null, "AGATAAG", at=[20, 60, 96], n_units=20
        ),
        **{"frame": frame, "names": ["a", "b"], "se": [0.1, 0.1]},
        **{"scores": rng.normal(size=5), "null_scores": rng.normal(size=99)},
    }


def rows_of_the_table():
    """Return the calls of each row of the table of questions, in order; without those
    of which a part is left to the reader (``...``), and what another test runs.
    """
    table = TEXT.partition("## Which question")[2].partition("## On the bench")[0]
    for row in re.findall(r"(?m)^\| (.+?) \| (.+) \|$", table)[1:]:
        calls = []
        for span in re.findall(r"`([^`]+)`", row[1]):
            with contextlib.suppress(SyntaxError):
                nodes = list(ast.walk(ast.parse(span)))
                if any(isinstance(node, ast.Call) for node in nodes) and not any(
                    isinstance(node, ast.Constant) and node.value is ...
                    for node in nodes
                ):
                    calls.append(span)
        if calls:
            yield pytest.param(calls, id=row[0][:50])


OF_MINUTES = ("found", "print(found)", "cg.audit(", "cg.account(")
OF_NAMES_OF_ONES_OWN = ("trial.", "answer.findings")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("calls", list(rows_of_the_table()))
def test_the_calls_of_a_row_run_as_they_are_written(calls, of_the_text, monkeypatch):
    folder, names = of_the_text
    monkeypatch.chdir(folder)
    names = dict(names)
    for call in calls:
        if call.startswith((*OF_MINUTES, *OF_NAMES_OF_ONES_OWN)):
            continue
        if '"46 less 0"' in call:
            names["outcomes"] = cg.run(
                names["position"](names["null"], "AGATAAG", at=[0, 46], n_units=20),
                names["predictor"],
                rng=0,
            )
        if call.startswith("motif("):
            names["motif"] = cg.experiments.motif
        if "from_effects(" in call:
            names["effects"] = [1.0, 0.05]
        if "cg.decide(frame" in call:
            names["frame"] = pd.DataFrame(
                {"contrast": ["a", "b"], "effect": [1.0, 0.05], "se": [0.1, 0.1]}
            )
        if "next predictor" in call:
            of_both = cg.run(names["design"], names["ensemble"], rng=0)
            names["effects"] = cg.contrast(of_both, control="placebo")
        exec(call, names)


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
