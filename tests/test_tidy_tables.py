# Imports from the inside: text of a table as a command writes it.
"""`cg.tidy` and tables in print: every number is that of the Dataset, and every name is
escaped for its format.
"""

import io
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DegenerateWarning
from causalgia.inputs import to_csv

HOSTILE = "=1+1|<script>alert('x')</script> & 50%_{a}\\"


@pytest.fixture(scope="module")
def outcomes():
    design = cg.Design(
        null=cg.Uniform(length=200),
        arms={"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)},
        n_units=60,
    )
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=0)


@pytest.fixture(scope="module")
def estimates(outcomes):
    return cg.estimate(cg.contrast(outcomes, control="untreated"))


def hostile_estimates():
    return cg.from_effects(
        [1.0, -0.5], se=[0.1, 0.1], df=[30, 30], names=[HOSTILE, "GATA1"]
    )


def test_estimates_have_the_columns_of_broom_in_order(estimates):
    frame = cg.tidy(estimates)
    assert list(frame.columns[:2]) == ["term", "task"]
    assert len(frame) == estimates["ace"].size
    for column, name in {
        "estimate": "ace",
        "std_error": "se",
        "p_value": "p",
        "conf_low": "lower",
    }.items():
        wanted = [
            estimates[name].sel(contrast=r.term, task=r.task).item()
            for r in frame.itertuples()
        ]
        np.testing.assert_array_equal(frame[column], wanted)
    np.testing.assert_allclose(
        frame["statistic"], frame["estimate"] / frame["std_error"], rtol=1e-15
    )
    assert (frame["conf_level"] == 0.95).all()
    assert frame.attrs["control"] == "untreated"


def test_what_was_asked_afterwards_is_called_exploratory_in_each_row(estimates):
    assert "exploratory" not in cg.tidy(estimates)
    later = cg.tidy(estimates.assign_attrs(exploratory="rope; control"))
    assert set(later["exploratory"]) == {"rope; control"}


def test_the_statistic_of_a_ratio_is_its_distance_from_1(outcomes):
    shifted = outcomes.assign(outcome=outcomes["outcome"] + 5.0).assign_attrs(
        scale="counts"
    )
    frame = cg.tidy(
        cg.estimate(cg.contrast(shifted, control="untreated", scale="ratio"))
    )
    np.testing.assert_allclose(
        frame["statistic"], (frame["estimate"] - 1) / frame["std_error"], rtol=1e-14
    )


def test_decisions_by_tests_have_the_two_sided_p_of_their_own_test():
    given = hostile_estimates()
    frame, of_estimates = cg.tidy(cg.decide(given, rope=(-0.1, 0.1))), cg.tidy(given)
    np.testing.assert_allclose(frame["p_value"], of_estimates["p_value"], rtol=1e-12)
    assert frame["verdict"].tolist() == ["increases", "decreases"]
    assert "raw_estimate" not in frame


def test_decisions_by_a_posterior_keep_the_estimates_beside_what_was_shrunken():
    given = cg.from_effects(
        np.linspace(-1, 1, 40), se=np.full(40, 0.1), names=[f"w{i}" for i in range(40)]
    )
    posterior = cg.infer(given, rng=0)
    frame = cg.tidy(cg.decide(posterior, rope=(-0.1, 0.1)))
    of_estimates = cg.tidy(given)
    for name in ("estimate", "std_error", "statistic", "p_value", "conf_low"):
        np.testing.assert_allclose(frame[name], of_estimates[name], rtol=1e-9)
    assert (frame["conf_level"] == 0.95).all()
    of_posterior = cg.tidy(posterior)
    np.testing.assert_allclose(of_posterior["estimate"], frame["shrunken"], rtol=1e-12)
    np.testing.assert_allclose(of_posterior["lfsr"], frame["lfsr"], rtol=1e-12)
    assert (frame["shrunken_low"] < frame["shrunken"]).all()
    assert (frame["shrunken"] < frame["shrunken_high"]).all()
    assert (of_posterior["std_error"] > 0).all()
    assert of_posterior["p_value"].isna().all()
    assert of_posterior["statistic"].isna().all()


def test_verdicts_have_their_errors_and_the_number_of_independent_units(estimates):
    frame = cg.tidy(cg.decide(estimates, rope=(-0.1, 0.1)))
    first = ["conf_level", "verdict", "q", "p_verdict"]
    at = frame.columns.get_loc("conf_high")
    assert frame.columns[at + 1 : at + 5].tolist() == first
    assert (frame["n"] == estimates["n_clusters"].to_numpy().ravel()).all()
    # q is made of one-sided p where a false verdict lies on one side
    assert (frame["q"] >= frame["p_verdict"] / 2 * (1 - 1e-12)).all()


def test_draws_without_a_task_are_summarized_by_mean_sd_and_quantiles():
    draws = np.random.default_rng(0).normal([0.0, 3.0], size=(2, 500, 2))
    tree = {
        "posterior": xr.Dataset(
            {"ace": (("chain", "draw", "contrast"), draws)}, {"contrast": ["a", "b"]}
        )
    }
    frame = cg.tidy(tree)
    flat = draws.reshape(-1, 2)
    np.testing.assert_allclose(frame["estimate"], flat.mean(axis=0))
    np.testing.assert_allclose(frame["std_error"], flat.std(axis=0, ddof=1))
    np.testing.assert_allclose(frame["conf_low"], np.quantile(flat, 0.025, axis=0))
    assert frame["p_value"].isna().all()


def test_exact_effects_have_no_statistic():
    ice = xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task"),
                np.array([[[1.0], [1.0]], [[1.0], [3.0]], [[1.0], [2.0]]]),
            )
        },
        {"unit": range(3), "contrast": ["exact", "noisy"], "task": ["t"]},
    )
    with pytest.warns(DegenerateWarning):
        frame = cg.tidy(cg.estimate(ice)).set_index("term")
    assert np.isnan(frame.loc["exact", "statistic"])
    np.testing.assert_allclose(frame.loc["noisy", "statistic"], 2 / np.sqrt(1 / 3))
    assert frame.loc["exact", "p_value"] == 0  # 1 in each of three units


def test_a_curve_has_a_row_for_each_position():
    ace = np.arange(6.0).reshape(1, 3, 2)
    curve = xr.Dataset(
        {
            "ace": (("contrast", "position", "task"), ace),
            "se": (("contrast", "position", "task"), ace * 0 + 1),
        },
        {"contrast": ["a"], "position": [-1, 0, 1], "task": ["x", "y"]},
    )
    frame = cg.tidy(curve)
    assert frame.columns[:4].tolist() == ["term", "task", "position", "estimate"]
    assert frame["estimate"].tolist() == list(range(6))
    assert frame["position"].tolist() == [-1, -1, 0, 0, 1, 1]


def test_an_ensemble_has_a_row_for_each_model():
    ace = np.arange(4.0).reshape(1, 2, 2)
    dims = ("contrast", "task", "model")
    given = xr.Dataset(
        {"ace": (dims, ace), "se": (dims, ace * 0 + 1)},
        {"contrast": ["a"], "task": ["x", "y"], "model": ["m", "n"]},
    )
    frame = cg.tidy(given)
    assert frame[["task", "model", "estimate"]].to_numpy().tolist() == [
        ["x", "m", 0.0],
        ["x", "n", 1.0],
        ["y", "m", 2.0],
        ["y", "n", 3.0],
    ]


def test_a_fit_has_a_row_for_each_element_and_contrast():
    dims = ("element", "contrast")
    given = xr.Dataset(
        {"ace": (dims, [[0.5], [1.0]]), "se": (dims, [[0.1], [0.2]])},
        {"element": ["u1", "u2"], "contrast": ["GATA1"]},
    )
    frame = cg.tidy(given)
    assert frame[["term", "task", "estimate"]].to_numpy().tolist() == [
        ["u1", "GATA1", 0.5],
        ["u2", "GATA1", 1.0],
    ]


def test_an_answer_is_tidied_by_its_decisions():
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="UGCAUG", at=[5, 25], n_units=30
    )
    with pytest.warns(DegenerateWarning):
        answer = experiment.analyze(
            cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
        )
    pd.testing.assert_frame_equal(cg.tidy(answer), cg.tidy(answer.decisions))
    assert "verdict" in cg.tidy(answer)
    assert cg.table(answer) == cg.report(answer, as_="md")


def test_a_file_has_every_digit_and_names_as_they_are():
    given = hostile_estimates()
    frame = pd.read_csv(io.StringIO(to_csv(cg.tidy(given), index=False)))
    np.testing.assert_allclose(frame["p_value"], cg.tidy(given)["p_value"], rtol=1e-15)
    assert frame["term"][0] == HOSTILE


def test_names_are_escaped_for_each_format():
    decided = cg.decide(hostile_estimates(), rope=(-0.1, 0.1))
    page = cg.report(decided, as_="html")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    latex = cg.report(decided, as_="latex")
    assert r"=1+1\textbar{}\textless{}script\textgreater{}" in latex
    assert r"\& 50\%\_\{a\}\textbackslash{}" in latex
    markdown = cg.report(decided, as_="md")
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    # no cell breaks its row
    assert {line.replace(r"\|", "").count("|") for line in lines} == {6}
    assert r"\<script\>" in markdown


def test_names_with_line_ends_and_signs_of_formulas_are_one_cell():
    estimates = hostile_estimates()[{"contrast": [0]}].assign_coords(
        contrast=["$x$ &lt;\nb\t\x1b[31m\u202e"]
    )
    shown = {
        "md": r"| \$x\$ \&lt;\\nb\\t\\x1b\[31m\\u202e |",
        "latex": (
            r"\$x\$ "
            r"\&lt;\textbackslash{}nb\textbackslash{}t\textbackslash{}x1b{[}31m\textbackslash{}u202e "
            r"&"
        ),
        "html": r">$x$ &amp;lt;\nb\t\x1b[31m\u202e</td>",
    }
    for to, cell in shown.items():
        assert cell in cg.report(estimates, as_=to)


@pytest.mark.parametrize("to", ["md", "html", "latex"])
def test_numbers_are_those_of_the_report(to, estimates):
    decided = cg.decide(estimates, rope=(-0.1, 0.1))
    text, report = cg.report(decided, as_=to), cg.report(decided)
    rows = [line for line in report.splitlines() if line.startswith("GATA1   ")]
    assert len(rows) == 1  # with the tasks beside each other
    numbers = re.findall(r"\d+\.\d+", rows[0])
    assert len(numbers) >= 6
    assert all(number in text for number in numbers)


def test_negative_numbers_have_the_sign_for_minus_and_names_keep_their_hyphens():
    given = cg.from_effects([-1.5], se=[0.1], names=["HLA-A -1"])
    for to, sign in (("md", "−"), ("html", "−"), ("latex", "$-$")):
        text = cg.report(given, as_=to)
        assert f"{sign}1.5" in text
        assert "HLA-A -1" in text


def test_of_many_tasks_the_largest_are_shown():
    ace = np.arange(40.0)[None, :]
    names = {"contrast": ["a"], "task": [f"t{i}" for i in range(40)]}
    given = xr.Dataset(
        {"ace": (("contrast", "task"), ace), "se": (("contrast", "task"), ace * 0 + 1)},
        names,
    )
    text = cg.table(given)
    assert len([line for line in text.splitlines() if line.startswith("| a")]) == 20
    assert (
        len(
            [
                line
                for line in cg.table(given, rows="all").splitlines()
                if line.startswith("| a")
            ]
        )
        == 40
    )
