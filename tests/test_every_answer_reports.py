# Imports from the inside: tables of text, whose width no public call sets.
"""Every answer that the package gives is reported, whole or in part, or refused with an
error that says what to do.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.tell import text_tables
from causalgia.tell.effect_rows import as_reportable

ARMS = {
    "untreated": cg.Untreated(),
    "GATA1": cg.Embed("AGATAAG", at=30),
    "core": cg.Embed("AGCTAAG", at=30),
}


@pytest.fixture(scope="module")
def outcomes():
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20)
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, progress=False)


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
    assert cg.tidy(found)["estimate"].tolist() == [-2.0, -2.0, -1.0, -3.0]
    unnamed = as_reportable(found.drop_vars("tile"))
    assert unnamed["contrast"].to_numpy()[2] == "round 2, added"


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_an_answer_and_a_check_are_reported(outcomes):
    experiment = cg.experiments.position(n_units=20, rope=(-0.1, 0.1))
    network = cg.zoo.oracle("rbfox1_like")
    answer = experiment.analyze(cg.run(experiment, network, rng=0), rng=0)
    assert cg.report(answer) == answer.report()
    assert cg.report(answer, notes=True) == answer.report(notes=True)
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20)
    check = cg.check(design, cg.zoo.oracle("gata1_like"))
    assert cg.report(check) == str(check)


def test_a_posterior_and_the_spread_of_effects_are_reported(outcomes):
    table = cg.from_effects(np.linspace(-1, 2, 14), se=np.full(14, 0.3))
    tree = cg.infer(table, n_draws=400, rng=0)
    lines = str(cg.report(tree, rows="all")).splitlines()
    assert len([line for line in lines if line[:1].isdigit()]) == 14
    tau = tree["posterior"]["tau"].quantile([0.5, 0.025, 0.975]).values
    assert f"sd of {tau[0]:.2f} [{tau[1]:.2f}, {tau[2]:.2f}]" in lines[0]
    for alone in (tree["posterior"], tree["posterior"].to_dataset()):
        assert "credible" in cg.report(alone)
    spread = cg.verdicts.heterogeneity(cg.contrast(outcomes, control="untreated"))
    assert "GATA1" in cg.report(spread, task="K562")


def test_columns_give_way_to_names():
    header = ["contrast", "ACE", "95 % interval", "verdict", "q", "shrunken"]
    line = ["GATA1, core broken", "1.4", "[1.3, 1.5]", "increases", "<1e-4", "1.39"]
    shown = {
        width: text_tables.table_within(header, [line], width)[0]
        for width in (80, 60, 50)
    }
    assert shown[80][0].split()[-1] == "shrunken"
    assert " q" not in shown[60][0]
    assert shown[50][0].split()[-1] == "verdict"
    assert shown[50][1].startswith("GATA1, core broken ")
