"""The page of interpretation methods: it is what was found, it says what is not
reached, and its parts run (in `make validate`).
"""

from __future__ import annotations

import json
import math

import interpretation as maker
import pytest
from interpreted import confounded, grammars, writing
from interpreted.methods import METHODS

KEPT = maker.kept()
TEXT = maker.PAGE.read_text(encoding="utf-8")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning"),
]


def test_the_page_is_what_was_found():
    assert set(KEPT) == set(maker.parts()), (
        "run: python benchmarks/interpretation.py --grammars FOLDER"
    )
    assert writing.page(KEPT) == TEXT, (
        "run: python benchmarks/interpretation.py --write"
    )


def test_every_method_has_a_row_and_every_figure_is_finite():
    for name in METHODS:
        assert f"| {name} |" in TEXT
    for one in KEPT.values():
        for row in one["found"].get("rows", ()):
            assert math.isfinite(row[3])
            assert row[4] >= 0


def test_what_is_promised_of_words_holds_or_is_said_to_be_missed():
    missed = TEXT.split("## What is not reached")[1]
    for method, network, auroc, least, precision, least_precision in writing.promised(
        KEPT["motifs"]["found"]
    ):
        said = f"{method} of UGCAUG, {network}: " in missed
        assert said == (auroc < least or precision < least_precision), (method, network)


def test_a_miss_is_said():
    results = json.loads(json.dumps({"motifs": KEPT["motifs"]}))
    for rows in results["motifs"]["found"].values():
        for row in rows:
            row[3] = 0.5
    page = writing.page(results)
    assert "**0 of 5**" in page
    assert "ISM of UGCAUG, residual, member 0: AUROC 0.500 (at least 0.98)" in page


def test_four_arms_tell_gates_apart_and_single_substitutions_do_not():
    found = KEPT["gates"]["found"]
    assert min(found["r2"].values()) > 0.98
    auroc = {
        (row[0], row[1]): row[3]
        for row in found["maps"]["ISM"]["rows"]
        if row[2] == "auroc"
    }
    assert auroc["OR", "oracle"] == 0.5
    for network in ("oracle", "CNN"):
        trial = found["trial"][network]
        assert [round(trial[gate][0]) for gate in ("sum", "AND", "OR")] == [0, 2, -2]


def test_regression_is_confounded_and_the_trial_is_not():
    found = KEPT["confounded"]["found"]
    truth = found["truth"][0]
    assert (
        found["regression on the motif"][0] - truth
        > 10 * found["regression on the motif"][1]
    )
    assert (
        truth - found["regression on the motif and the others"][0]
        > 4 * found["regression on the motif"][1]
    )
    assert abs(found["trial"][0] - truth) < 4 * found["trial"][1]


def test_the_confounded_part_runs():
    found = confounded.measured(quick=True)
    assert abs(found["trial"][0] - found["truth"][0]) < 4 * found["trial"][1]
    assert found["regression on the motif"][0] > found["truth"][0] + 0.1


PARTS = ["gates", "motifs", *(f"zoo: {name}" for name in METHODS)]


@pytest.mark.simulation
@pytest.mark.parametrize("name", PARTS)
def test_a_part_runs(name):
    found = maker.measured(name, quick=True)["found"]
    assert set(found) == set(KEPT[name]["found"])
    assert "| " in writing.page({name: {"found": found, "seconds": 1.0}})


@pytest.mark.real
def test_maps_of_simulated_grammars_find_their_motifs(shared):
    folder = shared / "data" / "models" / "dragonn_simulated"
    made = grammars.cases(folder)
    assert len(made) == 10
    assert {case.name for case in made if not case.read.any()} == {
        "single: TAL1, not learned", "counting: count, not learned", "heterodimer: spaced_pair, not learned"
    }  # fmt: skip
    found = grammars.measured("gradient", folder, quick=True)["rows"]
    auroc = {row[1]: row[3] for row in found if row[2] == "auroc"}
    assert all(value > 0.97 for value in auroc.values())


def test_a_folder_without_the_networks_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"no truth\.json; give the folder"):
        grammars.cases(tmp_path)
