"""Results of a table of one's own speak of units: nothing there is known to be a
sequence, and no network predicted it.
"""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest

import causalgia as cg

OF_SEQUENCES = re.compile(
    r"\b(sequences?|backgrounds?|bp|motifs?|predictors?|predictions?|null models?)\b",
    re.IGNORECASE,
)
NOT_OF_A_TABLE = "does not apply to a table that no network made"


def mice(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "mouse": [f"m{i}" for i in range(60)],
            "cage": np.repeat([f"c{i}" for i in range(20)], 3),
            "diet": np.tile(["chow", "fat", "keto"], 20),
            "weight": rng.normal(25, 2, 60),
        }
    )
    return table.assign(weight=table["weight"] + 4 * (table["diet"] == "fat"))


def patients(seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{i}", f"clinic{i % 20}", drug, rng.normal(120 - 9 * (drug == "A"), 4))
        for i in range(30)
        for drug in ("none", "A", "B")
    ]
    return pd.DataFrame(rows, columns=["patient", "clinic", "drug", "pressure"])


def outcomes_of(layout: str):
    if layout.startswith("parallel"):
        more = {"parallel": {}, "parallel, cages": {"parent": "cage"}}[layout]
        return "chow", cg.from_frame(
            mice(), outcome="weight", arm="diet", unit="mouse", scale="g", **more
        )
    table = patients().drop(index=[3, 7]) if layout == "gaps" else patients()
    more = {"parent": "clinic"} if layout == "clinics" else {}
    return "none", cg.from_frame(
        table, outcome="pressure", arm="drug", unit="patient", scale="mmHg", **more
    )


def page_text(page: str) -> str:
    page = re.sub(r"(?s)<(script|style)\b.*?</\1>|base64,[^\"']*", " ", page)
    page = re.sub(r"@\w+\{.*?\n\}", " ", page, flags=re.DOTALL)  # BibTeX
    labels = " ".join(re.findall(r'aria-label="([^"]*)"', page))
    return html.unescape(re.sub(r"<[^>]+>", " ", page) + labels)


@pytest.mark.parametrize(
    "layout", ["parallel", "parallel, cages", "crossover", "clinics", "gaps"]
)
def test_no_word_of_sequences(layout, tmp_path):
    control, outcomes = outcomes_of(layout)
    decisions = cg.analyze(outcomes, control=control, rope=(-1, 1), rng=0)
    page = cg.report(decisions, path=tmp_path / "page.html", outcomes=outcomes)
    texts = {
        "outcomes": str(cg.report(outcomes)),
        "answer": str(cg.report(decisions, notes=True, sentences=True)),
        "latex": str(cg.table(decisions, format="latex")),
        "methods": str(cg.methods(decisions)),
        "page": page_text(page.read_text("utf-8")),
        "estimates": str(cg.report(cg.estimate(outcomes, control=control), notes=True)),
    }
    found = {name: OF_SEQUENCES.findall(text) for name, text in texts.items()}
    assert found == {name: [] for name in texts}
    if layout == "parallel":
        assert "40 units, each arm on units of its own" in texts["answer"]
    assert "over units; task" in texts["page"]
    assert "causal where that was at random" in texts["page"]


def test_a_trial_on_sequences_says_so_still():
    design = cg.Design(
        null=cg.Uniform(length=60),
        arms={"none": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)},
        n_units=60,
        assignment="parallel",
    )
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=1)
    text = " ".join(str(cg.report(cg.estimate(outcomes, control="none"))).split())
    assert "60 uniform random sequences of 60 bp in the two arms" in text
    assert "each arm on sequences of its own" in text
    filled = cg.paper.checklist(cg.estimate(outcomes, control="none"))
    assert NOT_OF_A_TABLE not in filled
    assert "the number of backgrounds" in filled


def test_the_checklist_of_a_table_names_what_is_of_networks_alone():
    control, outcomes = outcomes_of("parallel")
    decisions = cg.analyze(outcomes, control=control, rope=(-1, 1), rng=0)
    lines = cg.paper.checklist(decisions).splitlines()
    assert sum(NOT_OF_A_TABLE in line for line in lines) == 9
    assert not [line for line in lines if "backgrounds" in line and "null" not in line]


def test_effects_as_given_claim_no_population(tmp_path):
    table = pd.DataFrame({"effect": [1.0, 0.1, 2.0], "se": [0.1, 0.2, 0.1]})
    decisions = cg.decide(table, rope=(-0.5, 0.5))
    page = cg.report(decisions, path=tmp_path / "page.html")
    assert "drawn from" not in page_text(page.read_text("utf-8"))


def test_what_to_add_of_a_table_is_units():
    _, outcomes = outcomes_of("clinics")
    components = cg.estimation.variance_components(outcomes, control="none")
    assert components.attrs["buy_next"].endswith("measure more units")
    assert "predictor" not in components.attrs.get("not_identified", "")
