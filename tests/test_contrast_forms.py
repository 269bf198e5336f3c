"""Questions in other forms: text in an analysis, one contrast under two names,
estimates as a written table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import ContrastError, DesignError
from causalgia.expressions import names_in


@pytest.fixture(scope="module")
def outcomes() -> Any:
    predictor = cg.FunctionPredictor(
        lambda x: np.stack([x[:, 0].mean(-1), x[:, 1].mean(-1)], axis=1),
        tasks=["a", "c"],
    )
    arms = {
        "none": cg.Untreated(),
        "w 1": cg.Embed("ACAGA", at=10),
        "v": cg.Embed("CCCCC", at=10),
    }
    return cg.run(
        cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=60),
        predictor,
        rng=0,
        progress=False,
    )


# --- text in an analysis --------------------------------------------------------------


@pytest.mark.parametrize(
    ("contrasts", "rows"),
    [
        ("`w 1` - none", {"`w 1` - none": {"w 1": 1.0, "none": -1.0}}),
        (
            ["v - none", "v = `w 1`"],
            {
                "v - none": {"v": 1.0, "none": -1.0},
                "v = `w 1`": {"v": 1.0, "w 1": -1.0},
            },
        ),
        (
            {"mean": "(v + `w 1`) / 2 - none"},
            {"mean": {"v": 0.5, "w 1": 0.5, "none": -1.0}},
        ),
    ],
)
def test_an_analysis_takes_text_as_contrast_does(
    outcomes: Any, contrasts: Any, rows: Any
) -> None:
    analysis = cg.Analysis(contrasts=contrasts, rope=(-0.01, 0.01))
    assert analysis.weights_by_contrast == rows
    assert cg.Analysis.from_toml(analysis.to_toml()) == analysis
    assert (
        cg.Analysis.from_dict({"contrasts": contrasts, "rope": [-0.01, 0.01]})
        == analysis
    )
    asked, written = (
        cg.contrast(outcomes, **analysis.contrasting),
        cg.contrast(outcomes, contrasts=contrasts),
    )
    np.testing.assert_array_equal(asked["ice"], written["ice"])
    assert (
        asked["contrast"].values.tolist()
        == written["contrast"].values.tolist()
        == list(rows)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pairwise", "takes all arms, which are not known to an analysis"),
        ("v - none = 1", "the right side must be 0"),
        ("v * none", "a product of two arms is not linear"),
        ("v +", "it ends too early"),
        ("v + none", "weights that sum to 0"),
    ],
)
def test_text_that_is_no_contrast_is_refused(text: str, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        cg.Analysis(contrasts=text)


@pytest.mark.parametrize(
    ("contrasts", "cure"),
    [
        (
            "(A + B - A) - (B - none)",
            r"the name 'A \+ B' stands in backticks, `A \+ B`$",
        ),
        ({"x": "A + B - none"}, r"the name 'A \+ B' stands in backticks, `A \+ B`$"),
        ("`A + B`", r"such as '`A \+ B` - none'$"),
        ({"A + B": {"A": 1, "B": 1}}, "weights that sum to 0$"),
    ],
)
def test_the_cure_of_a_sum_can_be_typed(contrasts: Any, cure: str) -> None:
    frame = pd.DataFrame(
        {
            "unit": np.repeat([0, 1], 4),
            "arm": ["none", "A", "B", "A + B"] * 2,
            "y": np.arange(8.0),
        }
    )
    factorial = cg.from_frame(frame, outcome="y", arm="arm", unit="unit")
    with pytest.raises(ContrastError, match=cure):
        cg.contrast(factorial, contrasts=contrasts)


def test_an_arm_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(DesignError, match=r"'w - none' names 'w'"):
        cg.Analysis(contrasts="w - none").check(["none", "v"], [])
    assert names_in("`w 1` - none + 'w 1'") == ["w 1", "none"]


# --- one contrast twice ---------------------------------------------------------------


@pytest.mark.parametrize(
    "other", [{"v": 1, "none": -1.0}, {"none": -1, "v": 1.0, "w 1": 0}]
)
def test_one_contrast_under_two_names_is_noted(outcomes: Any, other: Any) -> None:
    rows = {"first": {"v": 1.0, "none": -1.0}, "second": other}
    note = (
        "Note: Contrasts 'first' and 'second' have the same weights: one question "
        "counts twice in its family"
    )
    assert note in " ".join(
        cg.report(
            cg.estimate(cg.contrast(outcomes, contrasts=rows)), notes=True
        ).split()
    )
    mirrored = rows | {"second": {"v": -1.0, "none": 1.0}}
    assert "same weights" not in cg.report(
        cg.estimate(cg.contrast(outcomes, contrasts=mirrored)), notes=True
    )
    with pytest.raises(ContrastError, match="'one' and 'two' are one"):
        cg.contrast(outcomes, contrasts={"one": "v - none", "two": "none - v"})


# --- estimates as a table -------------------------------------------------------------


def test_estimates_written_as_a_table_are_read_again(outcomes: Any) -> None:
    estimates = cg.estimate(cg.contrast(outcomes, control="none"))
    frame = estimates.to_dataframe()
    for table in (frame, frame.reset_index()):
        decided = cg.decide(table, rope=(-0.02, 0.02))
        expected = cg.decide(estimates, rope=(-0.02, 0.02), rare=None)
        assert (decided["verdict"] == expected["verdict"]).all()
        assert cg.adjust(table)["p_adjusted"].values == pytest.approx(
            cg.adjust(estimates)["p_adjusted"].values
        )
        again = cg.from_effects(table)
        for name in ("ace", "se", "df", "p", "log_p", "lower", "upper"):
            np.testing.assert_allclose(again[name], estimates[name])
        assert cg.infer(table, law="normal", n_draws=40, rng=0)["moments"][
            "mean"
        ].shape == (2, 2)


@pytest.mark.parametrize("empty", ["", " ", [""], ["A - B", ""], {"one": ""}])
def test_an_empty_text_of_a_contrast_is_named_as_such(empty):
    outcomes = cg.run(
        cg.Design(
            null=cg.Uniform(length=30),
            arms={"A": cg.Untreated(), "B": cg.Embed("GC", at=3)},
            n_units=4,
        ),
        cg.zoo.oracle("rbfox1_like"),
        rng=0,
    )
    with pytest.raises(
        ContrastError, match=r"contrast '.?': the text is empty; for example 'A - B'"
    ):
        cg.contrast(outcomes, contrasts=empty)
    with pytest.raises(
        DesignError, match=r"contrast '.?': the text is empty; for example"
    ):
        cg.Analysis(contrasts=empty)


@pytest.mark.parametrize(
    "weights",
    [
        5,
        {},
        {"v": 0},
        {"v": 1},
        {"v": "1", "none": -1},
        {"v": float("nan")},
        {"v": 1e300},
    ],
)
def test_a_plan_says_of_weights_what_contrast_says(outcomes: Any, weights: Any) -> None:
    contrasts = {"x": weights}
    with pytest.raises(DesignError) as of_plan:
        cg.Analysis(contrasts=contrasts)
    with pytest.raises(ContrastError) as of_verb:
        cg.contrast(outcomes, contrasts=contrasts)
    with pytest.raises(DesignError) as of_design:
        cg.Design(
            null=cg.Uniform(length=9),
            arms={"none": cg.Untreated(), "v": cg.Embed("CC", at=1)},
            n_units=4,
            contrasts=contrasts,
        )
    said = str(of_plan.value).removeprefix("Analysis: ").partition("; ")[0]
    assert str(of_verb.value).startswith(said)
    assert str(of_design.value).startswith(said)


def test_a_contrast_without_a_name_is_refused():
    weights = {"": {"A": 1, "B": -1}}
    outcomes = cg.run(
        cg.Design(
            null=cg.Uniform(length=30),
            arms={"A": cg.Untreated(), "B": cg.Embed("GC", at=3)},
            n_units=4,
        ),
        cg.zoo.oracle("rbfox1_like"),
        rng=0,
    )
    with pytest.raises(
        ContrastError, match="a contrast has an empty name; give each a name"
    ):
        cg.contrast(outcomes, contrasts=weights)
    with pytest.raises(DesignError, match="a contrast has an empty name"):
        cg.Analysis(contrasts=weights)


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("contrasts", ["v - none", "v  -  none"]),
        ("tasks", ["a - c", "a - c"]),
        ("tasks", ["a", "`a`"]),
    ],
)
def test_a_contrast_that_an_analysis_lists_twice_is_refused(key, texts):
    """One was dropped without a word; cg.contrast and the command line refuse it."""
    question = {key: texts} | ({"control": "none"} if key == "tasks" else {})
    with pytest.raises(DesignError, match=f"{key}= names '.*' twice; leave one out"):
        cg.Analysis(**question)
