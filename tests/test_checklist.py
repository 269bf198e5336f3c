# Imports from the inside: the empty checklist, which a page of the docs has.
"""The checklist of a paper: the page of the docs is that of the code, and every line is
filled in from the result.
"""

from pathlib import Path

import pytest
import xarray as xr

import causalgia as cg
from causalgia.tell._checklist import checklist

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "for_a_paper.md"


@pytest.fixture(scope="module")
def decisions():
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=400)
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    return cg.analyze(cg.run(design, cg.zoo.oracle("gata1_like"), rng=4, analysis=plan))


def filled(text, what):
    row = next(line for line in text.splitlines() if what in line)
    return row.split(" | ")[2]


def test_the_page_of_the_docs_is_the_empty_checklist():
    assert PAGE.read_text(encoding="utf-8").endswith(checklist())


def test_a_result_fills_in_what_it_knows_and_marks_what_it_does_not(decisions):
    text = checklist(decisions)
    assert filled(text, "number of backgrounds") == "400 units"
    assert filled(text, "every deviation") == "none"
    assert filled(text, "which are undecided").startswith("2 increases")
    assert filled(text, "placebos") == "missing"
    assert "rng 4" in filled(text, "versions and seed")


def test_deviations_and_the_lock_are_said(decisions):
    text = checklist(decisions.assign_attrs(exploratory="rope", protocol="9f86d081"))
    assert filled(text, "every deviation") == "rope"
    assert filled(text, "fixed before") == "locked: 9f86d081"


def test_without_a_plan_no_deviation_is_claimed_absent(decisions):
    attrs = {
        name: value for name, value in decisions.attrs.items() if name != "analysis"
    }
    bare = decisions.drop_attrs(deep=False).assign_attrs(attrs)
    assert filled(checklist(bare), "every deviation") == "missing"
    assert filled(checklist(bare), "fixed before") == "missing"


def test_each_check_of_a_refutation_has_a_line(decisions):
    refutation = xr.Dataset(
        {
            "status": ("check", ["pass", "fail"]),
            "reason": ("check", ["as large as | chance", "shifted"]),
        },
        {"check": ["placebos", "null shift"]},
    )
    text = cg.report(decisions, as_="methods", refutations=refutation)
    assert r"pass: as large as \| chance" in text
    assert filled(text, "| null shift") == "fail: shifted"


def test_an_error_rate_is_no_level_and_a_share_of_variance_is_of_one_effect(decisions):
    text = cg.report(decisions, as_="methods")
    assert "fdr at 0.05, over these 2 rows" in text
