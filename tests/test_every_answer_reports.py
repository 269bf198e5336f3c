"""Every answer that the package gives is reported, whole or in part, or refused with an
error that says what to do.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia._reporting import text_tables
from causalgia._reporting.effect_rows import as_reportable
from causalgia.errors import OutcomesError

ARMS = {
    "untreated": cg.Untreated(),
    "GATA1": cg.Embed("AGATAAG", at=30),
    "core": cg.Embed("AGCTAAG", at=30),
}


@pytest.fixture(scope="module")
def outcomes():
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20)
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, progress=False)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"task": 0}, "outcome     task K562"),
        ({"unit": 3}, "units       1,"),
        ({"arm": 1}, "1 arm:\n  GATA1  do(x[30:37] = AGATAAG)"),
        ({"unit": 3, "task": 1}, "outcome     task HepG2"),
    ],
)
def test_selected_outcomes_are_described(outcomes, chosen, says):
    assert says in cg.report(outcomes.isel(chosen))


@pytest.mark.parametrize(
    "chosen", [{"task": 0}, {"contrast": 0}, {"contrast": 1, "task": 0}]
)
def test_selected_effects_are_described(outcomes, chosen):
    effects = cg.contrast(outcomes, control="untreated")
    text = cg.report(effects.isel(chosen))
    assert ("1 contrast:" in text) == ("contrast" in chosen)
    assert ("task K562" in text) == ("task" in chosen)


def test_rounds_of_a_search_are_contrasts():
    dims = ("round", "contrast", "task")
    ace = np.array([[[-2.0], [-2.0]], [[-1.0], [-3.0]]])
    found = xr.Dataset(
        {"ace": (dims, ace), "lower": (dims, ace - 0.1), "upper": (dims, ace + 0.1)},
        {
            "round": [1, 2],
            "tile": ("round", ["10-40", "60-90"]),
            "contrast": ["added", "total"],
            "task": ["K562"],
        },
    ).assign(choosing=(("round", "task"), [[-1.9], [-0.8]]))
    names = as_reportable(found)["contrast"].to_numpy().tolist()
    assert names == ["10-40, added", "10-40, total", "60-90, added", "60-90, total"]
    assert "60-90, total" in cg.report(found)
    assert cg.tidy(found)["estimate"].tolist() == [-2.0, -2.0, -1.0, -3.0]
    unnamed = as_reportable(found.drop_vars("tile"))
    assert unnamed["contrast"].to_numpy()[2] == "round 2, added"


def test_the_agreement_of_null_models_is_reported():
    tables = {
        null: cg.from_effects([1.0, 0.5 + x, 0.0], 0.05, names=["a", "b", "c"])
        for null, x in (("uniform", 0.0), ("shuffle", 0.1), ("profile", 0.2))
    }
    found = cg.experiments.agreement(tables)
    text = cg.report(found)
    assert "every null model gives the same order" in " ".join(text.split())
    assert text.count(" and ") >= 3  # pairs of null models
    assert "uniform and shuffle" in text
    assert "sd between them" in cg.report(found, notes=True)


@pytest.mark.rotating(6)
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_an_answer_and_a_check_are_reported(outcomes):
    experiment = cg.experiments.position(n_units=20, rope=(-0.1, 0.1))
    network = cg.zoo.oracle("rbfox1_like")
    answer = experiment.analyze(cg.run(experiment, network, rng=0), rng=0)
    assert cg.report(answer) == answer.report()
    assert cg.report(answer, notes=True) == answer.report(notes=True)
    assert cg.report(answer.decisions.squeeze()).startswith("Of 13 contrasts")
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20)
    check = cg.check(design, cg.zoo.oracle("gata1_like"))
    assert cg.report(check) == str(check)
    with pytest.raises(OutcomesError, match="of a predictor; leave it out"):
        cg.report(check, task="K562")


def test_what_is_no_result_is_refused_with_a_cure(outcomes):
    for given, cure in (
        (cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20), "run it first"),
        (cg.experiments.position(), "run it first"),
        (xr.Dataset({"phase": 1.0}), "print it"),
    ):
        with pytest.raises(OutcomesError, match=cure):
            cg.report(given)


def test_columns_give_way_before_names_take_a_line_of_their_own():
    header = ["contrast", "ACE", "95 % interval", "verdict", "q", "shrunken"]
    line = ["GATA1, core broken", "1.4", "[1.3, 1.5]", "increases", "<1e-4", "1.39"]
    shown = {
        width: text_tables.table_within(header, [line], width)[0]
        for width in (80, 60, 50, 40, 20)
    }
    assert shown[80][0].split()[-1] == "shrunken"
    assert [len(shown[width]) for width in (80, 60, 50, 40, 20)] == [2, 2, 2, 4, 4]
    assert " q" not in shown[60][0]
    assert shown[40][2] == "GATA1, core broken"
