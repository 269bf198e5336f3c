"""Imports WORKS, CHECKS and the list of assumptions from the inside: every work that is cited,
once, and what a page has, too.

What `cg.methods` rests on: units that more would take, and the works that it cites."""

import re
import warnings
from pathlib import Path

import pytest

import causalgia as cg
from causalgia.tell._assumptions import assumptions
from causalgia.tell.checks import CHECKS
from causalgia.tell.citations import WORKS, works

PAGE = Path(__file__).parents[1] / "docs" / "estimand.md"

ARMS = {
    "untreated": cg.Untreated(),
    "GATA1": cg.Embed("AGATAAG", at=96),
    "mutant": cg.Embed("AGCGAAG", at=96),
}


ORACLE = cg.zoo.oracle("gata1_like")


def trial(**options):
    settings = {"null": cg.Uniform(length=200), "arms": ARMS, "n_units": 90} | options
    return cg.run(cg.Design(**settings), ORACLE, rng=3)


@pytest.fixture(scope="module")
def crossover():
    return trial()


def estimates(outcomes, **options):
    scale = options.pop("scale", "identity")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        return cg.estimate(
            cg.contrast(outcomes, control="untreated", scale=scale), **options
        )


def test_bibtex_has_balanced_braces_and_the_dois_that_docstrings_cite(crossover):
    decided = cg.decide(estimates(crossover), rope=(-0.1, 0.1))
    for work in (*WORKS.values(), *works(decided)):
        text = work.bibtex()
        assert text.count("{") == text.count("}")
        assert re.fullmatch(r"@(article|software)\{\w+,\n(  \w+ = \{.*\},?\n)+\}", text)
    assert len({work.fields.get("doi", work.key) for work in WORKS.values()}) == len(
        WORKS
    )


def test_a_trial_says_what_it_assumes_as_the_page_does_and_a_table_does_not(crossover):
    said = cg.report(estimates(crossover), as_="methods")
    assert assumptions() in said
    assert assumptions() in PAGE.read_text(encoding="utf-8")
    given = cg.from_effects([1.4], se=[0.1])
    assert "Positivity" not in cg.report(given, as_="methods")


def test_every_check_that_an_assumption_names_is_one_of_refute():
    checks = {
        name.strip()
        for line in assumptions().splitlines()
        if "; " in line.partition("To check")[2]
        for name in line.rpartition("; ")[2].rstrip(".").split(",")
    } - {"of parallel groups"}
    assert [name for name in checks if name not in CHECKS] == []


def test_more_units_are_not_promised_where_placebo_words_are_lacking():
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    outcomes = trial(
        arms=arms | cg.placebos("AGATAAG", at=96, n_placebos=40, rng=0), n_units=60
    )
    decided = cg.decide(estimates(outcomes), rope="placebo", ci_prob=0.99)
    found = decided.sel(contrast="GATA1", task="K562")
    assert found["verdict"] == "undecided"
    assert found["lower"] > found["rope_upper"]
    assert found["more_units"] == -1


def test_no_new_trial_is_promised_where_this_one_is_as_large():
    few = cg.run(
        cg.Design(
            null=cg.Uniform(length=200), arms=ARMS, n_units=12, assignment="parallel"
        ),
        ORACLE,
        rng=3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        decided = cg.decide(
            cg.estimate(cg.contrast(few, control="untreated")),
            rope=(-0.1, 0.1),
            ci_prob=0.999,
        )
    open_ = decided["verdict"] == "undecided"
    assert bool(open_.any())
    assert not bool((decided["more_units"] == 1).any())
