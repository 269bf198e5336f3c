"""The page of the catalogue: every experiment has its section and figure, nothing on it
fails, and its parts run.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr

import causalgia as cg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import catalogue_page as maker
from catalogued import cases, compared, planted, settings, trained

TEXT = maker.PAGE.read_text(encoding="utf-8")
KEPT = maker.kept()
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")


def test_the_page_is_what_was_found() -> None:
    assert maker.written(KEPT) == TEXT, (
        "run: python benchmarks/catalogue_page.py --write"
    )


def test_nothing_on_the_page_fails() -> None:
    for name, one in KEPT["oracle"].items():
        assert one["n_wrong"] == 0, name
        assert one["n_missed"] == 0, name
        assert one["largest_z"] < one["limit"], name
    # a screen that names nothing has missed what it is for
    named = {row["contrast"]: row for row in KEPT["oracle"]["kmer_screen"]["rows"]}
    assert named["TGCATG"]["verdict"] == "increases"
    assert {
        one["finding"]: one["holds"]
        for one in trained.findings(KEPT)
        if not one["holds"]
    } == {}
    assert {row["verdict"] for row in KEPT["controls"]["no_interaction"][:-1]} == {
        "negligible"
    }
    same = KEPT["controls"]["same_arms"]
    assert same["band"][0] <= same["rejected"] <= same["band"][1]
    words = KEPT["controls"]["random_sequences"]
    assert all(row["inside"] > 0.9 * words["n_placebos"] for row in words["members"])
    assert all(row["wrong"] <= 2 for row in words["members"])


def test_every_entry_finds_what_is_planted_and_nothing_else() -> None:
    assert {*KEPT["planted"]} == {*planted.NAMES}
    failed = {
        n for n, one in KEPT["planted"].items() if not planted.as_promised(n, one)
    }
    assert failed == set()


@pytest.mark.parametrize("name", ["hairpin", "moderation", "variants, own contexts"])
def test_a_planted_grammar_is_found(name: str) -> None:
    one = planted.counts(1, [name])[name]
    assert one["planted"] > 0
    assert one["missed"] == one["false"] == 0


@pytest.mark.parametrize("name", ["copies", "variants"])
def test_a_part_runs(name: str, tmp_path: Path) -> None:
    answer, results = maker.on_oracle(name, quick=True)
    assert results["n_wrong"] == results["n_missed"] == 0
    assert results["n_due"] > 0
    assert 0 < results["largest_z"] < results["limit"]
    assert set(KEPT["oracle"][name]) == set(results)
    maker.save_small(answer, tmp_path / "figure.png", task=answer.tasks[0])
    assert (tmp_path / "figure.png").stat().st_size < maker.MOST_BYTES


def test_a_wrong_truth_is_seen() -> None:
    case = cases.case("copies", quick=True)
    answer = case.experiment.analyze(
        cg.run(case.experiment, case.oracle, rng=0, progress=False), rng=0
    )
    found = compared.against_truth(answer, case.oracle.true_ace(case.experiment) - 10.0)
    assert found["n_wrong"] > 0
    assert found["largest_z"] > found["limit"]


def test_a_missed_verdict_is_seen() -> None:
    case = cases.case("copies", quick=True)
    answer = case.experiment.analyze(
        cg.run(case.experiment, case.oracle, rng=0, progress=False), rng=0
    )
    truth = case.oracle.true_ace(case.experiment)
    found = compared.against_truth(answer, truth)
    assert found["n_due"] > found["n_missed"] == 0
    verdict = answer.decisions["verdict"]
    silent = replace(
        answer,
        decisions=answer.decisions.assign(verdict=xr.full_like(verdict, "undecided")),
    )
    assert compared.against_truth(silent, truth)["n_missed"] == found["n_due"]


@pytest.mark.torch
def test_members_stand_beside_their_mean() -> None:
    story, experiment = trained.asked(60)["spacing"]
    answer, results = trained.of_members(experiment, story)
    assert "model" not in answer.decisions["ace"].dims
    assert {len(row["members"]) for row in results["rows"]} == {5}
    rows = {row["contrast"]: row for row in results["rows"]}
    near = rows[settings.interaction_at(-2)]
    assert near["verdict"] == "decreases"
    assert near["between_sd"] > 0
