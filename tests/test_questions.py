"""A family is a question: q is over its rows, and every other row is judged by
itself.
"""

from __future__ import annotations

import fnmatch
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import CausalgiaError, DesignError, EstimateError
from causalgia.estimation import from_effects
from causalgia.trial_file.trial_spec import read_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from catalogued import cases

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")


def table(asked, effects=(0.15, 0.16, 0.9, 0.9, 0.12), **coords):
    """Return estimates with the rows of their question marked."""
    found = from_effects(list(effects), se=[0.03] * 5, names=list("abcde"))
    return found.assign_coords(
        of_question=("contrast", np.array(asked)),
        **{name: ("contrast", values) for name, values in coords.items()},
    )


@pytest.mark.parametrize("error", ["fdr", "fwer"])
def test_rows_of_the_question_are_as_without_helpers_and_helpers_as_alone(error):
    estimates = table([True, True, False, False, False])
    how = {"rope": (-0.1, 0.1), "error": error, "shrink": None}
    found = cg.decide(estimates, **how)
    asked = cg.decide(estimates.isel(contrast=[0, 1]).drop_vars("of_question"), **how)
    np.testing.assert_array_equal(found["q"][:2], asked["q"])
    for i in (2, 3, 4):
        alone = estimates.isel(contrast=[i]).drop_vars("of_question")
        assert found["q"][i].item() == found["p_verdict"][i].item()
        own = cg.decide(alone, **(how | {"error": "each"}))
        assert found["verdict"][i].item() == own["verdict"].item()
    assert found["of_question"].to_numpy().tolist() == [True, True, *[False] * 3]


def test_all_rows_are_the_question_where_none_is_marked():
    estimates = table([True] * 5)
    marked, plain = (
        cg.decide(one, rope=(-0.1, 0.1))
        for one in (estimates, estimates.drop_vars("of_question"))
    )
    np.testing.assert_array_equal(marked["q"], plain["q"])
    assert marked.attrs["family_rows"] == plain.attrs["family_rows"] == 5


def test_family_divides_the_rows_of_the_question():
    estimates = table([True, True, True, True, False], of=["x", "x", "y", "y", "x"])
    found = cg.decide(estimates, rope=(-0.1, 0.1), family="of")
    for level in "xy":
        rows = (estimates["of"] == level) & estimates["of_question"]
        own = cg.decide(
            estimates.isel(contrast=rows.to_numpy()).drop_vars("of_question"),
            rope=(-0.1, 0.1),
        )
        np.testing.assert_array_equal(found["q"][rows.to_numpy()], own["q"])
    assert found["q"][4].item() == found["p_verdict"][4].item()


def test_placebos_and_rows_without_a_p_are_not_counted():
    n = 45
    estimates = from_effects(
        np.linspace(-0.1, 0.1, n), se=[0.05] * n, names=[f"w{i}" for i in range(n)]
    ).assign_coords(is_placebo=("contrast", np.arange(n) >= 3))
    found = cg.decide(estimates, rope=(-0.1, 0.1))
    assert (found.attrs["family_rows"], found.attrs["family_without"]) == (
        3,
        "placebos",
    )
    alone = cg.decide(estimates.isel(contrast=slice(0, 3)), rope=(-0.1, 0.1))
    np.testing.assert_array_equal(found["q"][:3], alone["q"])
    rng = np.random.default_rng(0)
    y = np.abs(rng.normal([5.0, 5.5, 6.0, 0.0], 1.0, size=(20, 4)))
    y[:, 3] = rng.normal(0.0, 1.0, size=20)  # a ratio to it is unbounded
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[..., None])},
        {"arm": ["a", "b", "c", "zero"], "task": ["y"]},
    )
    rows = {
        "b to a": {"b": 1, "a": -1},
        "c to a": {"c": 1, "a": -1},
        "a to zero": {"a": 1, "zero": -1},
    }
    ratios = cg.estimate(cg.contrast(outcomes, contrasts=rows, scale="ratio"))
    assert np.isinf(ratios["upper"]).to_numpy().ravel().tolist()[:2] == [False, False]
    found = cg.decide(ratios, rope=(0.9, 1.1))
    n_bounded = int(np.isfinite(found["upper"] - found["lower"]).sum())
    assert n_bounded == 2
    assert found.attrs["family_rows"] == 2


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (
            lambda: cg.decide(
                table([True, False, False, False, False], of=["", *"wxyz"]),
                rope=0,
                family="of",
            ),
            "family",
        ),
        (lambda: cg.decide(table([1, 1, 1, 1, 0]), rope=0), ""),
    ],
    ids=["a coordinate that no row of it has", "numbers"],
)
def test_a_question_without_rows_is_refused(make, argument):
    with pytest.raises(EstimateError) as refused:
        make()
    assert (refused.value.argument or "") == argument


def test_a_column_of_a_table_names_the_rows():
    rows = pd.DataFrame(
        {"effect": [0.15, 0.16, 0.9], "se": 0.03, "of_question": [True, True, False]}
    )
    found = cg.decide(rows, rope=(-0.1, 0.1))
    assert found["of_question"].to_numpy().tolist() == [True, True, False]


def design():
    return cg.Design(
        null=cg.Uniform(length=30),
        arms={
            "untreated": cg.Untreated(),
            **{f"GC at {i}": cg.Embed("GCGC", at=i) for i in (2, 9, 16)},
            "AT": cg.Embed("ATAT", at=12),
        },
        n_units=60,
    )


def share():
    return cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share of GC"
    )


def test_an_analysis_names_the_rows_of_its_question():
    ask = cg.Analysis(control="untreated", rope=0, question="GC at *")
    assert ask.question == ("GC at *",)
    assert cg.Analysis.from_toml(ask.to_toml()) == ask
    outcomes = cg.run(design(), share(), rng=0, analysis=ask, progress=False)
    found = cg.analyze(outcomes)
    assert found["of_question"].to_numpy().tolist() == [True, True, True, False]
    by_verbs = cg.decide(cg.estimate(cg.contrast(outcomes)), rope=0)
    np.testing.assert_array_equal(found["q"], by_verbs["q"])
    for keep in ("effects", "moments"):
        kept = cg.run(design(), share(), rng=0, analysis=ask, progress=False, keep=keep)
        np.testing.assert_allclose(found["q"], cg.analyze(kept)["q"])
        np.testing.assert_allclose(
            found["q"], cg.decide(cg.estimate(kept), rope=0)["q"]
        )
    other = cg.analyze(outcomes, question=["AT"])
    assert other["of_question"].to_numpy().tolist() == [False, False, False, True]
    assert other.attrs["exploratory"] == "question"
    whole = cg.analyze(outcomes, contrasts={"AT": {"AT": 1, "untreated": -1}})
    assert "of_question" not in whole.variables


@pytest.mark.parametrize(
    "make",
    [
        lambda: cg.Analysis(question=[]),
        lambda: cg.Analysis(question=3),
        lambda: cg.run(
            design(),
            share(),
            rng=0,
            analysis=cg.Analysis(control="untreated", rope=0, question="GC at 3"),
        ),
        lambda: cg.run(
            design(),
            share(),
            rng=0,
            analysis=cg.Analysis(contrasts="AT - untreated", question="untreated"),
        ),
    ],
    ids=["empty", "a number", "no arm", "no contrast"],
)
def test_a_name_that_is_no_contrast_is_refused_beforehand(make):
    with pytest.raises(DesignError) as refused:
        make()
    assert refused.value.argument == "question"


def test_a_question_of_outcomes_is_refused_for_a_name_that_is_no_contrast():
    outcomes = cg.run(design(), share(), rng=0, progress=False)
    with pytest.raises(CausalgiaError) as refused:
        cg.analyze(outcomes, control="untreated", rope=0, question="GC in front")
    assert refused.value.argument == "question"


# experiment -> the rows that its question asks for; without an entry all
QUESTIONS = {
    "motif_mutagenesis": ["letter * changed"],
    "motif": ["alone [+-]", "at *", "copy *", "excess *", "letter *"],
    "copies": ["copy *", "excess *"],
    "spacing": ["interaction, *"],
    "tiles": ["* x *"],
    "hairpin": ["motif in the [ol]*p*", "motif in the stem", "motif x *"],
    "composition": ["*GC * to * %"],
    "necessity": ["* shuffled"],
    "sufficiency": ["* alone"],
    "knock_in": ["motif minus placebo"],
    "flanks": ["core", "core, *", "flanks alone, *"],
    "pair": ["interaction, *"],
    "pairs": ["interaction, *"],
}


@pytest.mark.parametrize("name", [*cg.experiments.entries()])
def test_the_rows_of_each_experiments_question(name):
    experiment = cases.case(name, quick=True).experiment
    names = list(experiment.named_contrasts)
    patterns = QUESTIONS.get(name, ["*"])
    expected = {k for k in names if any(fnmatch.fnmatchcase(k, p) for p in patterns)}
    if name == "hairpin":
        expected -= {"motif in the open, where the stem was"}
    asked = experiment.analysis_fields["question"]
    if name not in QUESTIONS:
        assert asked is None
        return
    found = cg.analysis.rows_of_question(asked, names)
    assert {k for k, of in zip(names, found, strict=True) if of} == expected
    assert expected < set(names)


BOTH = "UGCAUG+ then UGCAUG+, gap"


def test_an_experiment_keeps_its_question_under_another_analysis():
    made = cg.experiments.spacing(
        cg.Uniform(length=41), "UGCAUG", gaps=[-2, 0, 3], n_units=40
    )
    experiment = replace(made, analysis=cg.Analysis(rope=0))
    outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0, progress=False)
    answer = experiment.analyze(outcomes)
    names = answer.decisions["contrast"].to_numpy()[answer.decisions["of_question"]]
    assert names.tolist() == [f"interaction, {BOTH} {gap}" for gap in (-2, 0, 3)]
    attrs = answer.decisions.attrs
    assert (attrs["family_rows"], attrs["family_without"]) == (3, "helpers")
    for found in (
        cg.analyze(outcomes),
        cg.analyze(outcomes, cg.Analysis(rope=0)),
        cg.decide(cg.estimate(cg.contrast(outcomes)), rope=0),
    ):
        np.testing.assert_array_equal(found["q"], answer.decisions["q"])
    lines = str(answer).splitlines()
    first = next(
        i for i, line in enumerate(lines) if line.startswith("Not shown: helpers")
    )
    assert all(line.startswith("interaction") for line in lines[first - 3 : first])


@pytest.mark.simulation
@pytest.mark.parametrize("n_helpers", [10, 30, 90])
def test_strong_helpers_buy_no_false_rows_of_the_question(n_helpers):
    rng, n_tables = np.random.default_rng(n_helpers), 10_000  # tables are tasks
    mean = np.r_[np.zeros(10), np.full(n_helpers, 9.0)][:, None]
    ace = mean + rng.normal(size=(len(mean), n_tables))
    dims = ("contrast", "task")
    estimates = xr.Dataset(
        {"ace": (dims, ace), "se": (dims, np.ones(ace.shape))},
        {
            "contrast": [f"r{i}" for i in range(len(mean))],
            "task": [f"t{i}" for i in range(n_tables)],
            "of_question": ("contrast", np.arange(len(mean)) < 10),
        },
    )
    found = cg.decide(estimates, rope=0, family="task", shrink=None)
    verdict = found["verdict"].transpose(*dims).to_numpy()
    assert (verdict[10:] == "increases").all()
    assert (verdict[:10] != "undecided").any(axis=0).mean() <= 0.055
    together = cg.decide(
        estimates.drop_vars("of_question"), rope=0, family="task", shrink=None
    )
    verdict = together["verdict"].transpose(*dims).to_numpy()[:10]
    assert (verdict != "undecided").any(axis=0).mean() > 0.15  # what it keeps out


def test_a_trial_file_names_the_rows_of_its_question(tmp_path):
    text = """
n_units = 40
rng = 0
[experiment]
kind = "spacing"
motif = "UGCAUG"
gaps = [0, 3]
[null]
kind = "uniform"
length = 41
[predictor]
zoo = "rbfox1_like"
"""
    path = tmp_path / "trial.toml"
    asked = {
        "": (f"interaction, {BOTH} 0", f"interaction, {BOTH} 3"),
        '[analysis]\nquestion = ["pair, *"]\n': ("pair, *",),
    }
    for added, question in asked.items():
        path.write_text(text + added, encoding="utf-8")
        spec = read_spec(path)
        whole = spec.analysis.asking(spec.design.analysis_fields)
        assert whole.question == question
    path.write_text(text + '[analysis]\nquestion = ["pair on 6"]\n', encoding="utf-8")
    with pytest.raises(DesignError):
        read_spec(path)
