"""Imports read_hypothesis from the inside: the weights that a text means, in one table.

Linear hypotheses of contrasts: against R (multcomp, emmeans, t.test), from units, by
text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.expressions import read_hypothesis

HERE = Path(__file__).parent / "reference" / "linear_hypotheses"


ARMS = ["none", "A", "B", "AB"]


def crossover() -> xr.Dataset:
    long = pd.read_csv(HERE / "input_crossover.csv").melt("unit", ARMS, "arm", "y")
    return cg.from_frame(long, outcome="y", arm="arm", unit="unit")


def parallel() -> xr.Dataset:
    return cg.from_frame(
        pd.read_csv(HERE / "input_parallel.csv"), outcome="y", arm="arm", unit="unit"
    )


def effects_of(ice: np.ndarray, names: list[str], **coords: Any) -> xr.Dataset:
    return xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task"),
                ice if ice.ndim == 3 else ice[..., None],
            )
        },
        coords={
            "contrast": names,
            **{name: ("unit", values) for name, values in coords.items()},
        },
    )


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("target", ["population", "parents"])
def test_units_give_the_error_of_their_combination(target: str) -> None:
    rng = np.random.default_rng(0)
    parent = np.repeat(np.arange(12), rng.integers(2, 7, 12))
    ice = (
        rng.normal(size=(len(parent), 3))
        + rng.normal(size=(12, 3))[parent]
        + rng.normal(size=(len(parent), 1))
    )
    combined = (ice[:, 0] - 2 * ice[:, 1] - 0.5)[:, None]
    mine = cg.estimate(
        cg.estimation.hypotheses(
            effects_of(ice, ["a", "b", "c"], parent=parent), "a - 2*b = 0.5"
        ),
        target=target,
    )
    direct = cg.estimate(effects_of(combined, ["x"], parent=parent), target=target)
    for name in (
        "ace",
        "se",
        "df",
        "p",
        "lower",
        "upper",
        "skewness",
        "leverage",
        "n_clusters",
    ):
        np.testing.assert_allclose(
            mine[name], direct[name], rtol=1e-10, atol=1e-14, err_msg=name
        )


def test_lazy_effects_stay_lazy_and_give_the_same() -> None:
    ice = np.random.default_rng(1).normal(size=(50, 3))
    whole = effects_of(ice, ["a", "b", "c"])
    mine = cg.estimation.hypotheses(whole.chunk(unit=7), "pairwise")
    assert mine["ice"].chunks is not None
    np.testing.assert_array_equal(
        mine["ice"], cg.estimation.hypotheses(whole, "pairwise")["ice"]
    )


def test_intervals_and_p_of_a_difference_hold_at_its_truth() -> None:
    """Two effects of .7 and .2 on shared units, correlated .8: 4,000 trials of 20
    units, a task a trial.
    """
    rng, trials = np.random.default_rng(3), 4_000
    shared = rng.normal(size=(20, 1, trials))
    ice = (
        np.sqrt(0.8) * shared
        + np.sqrt(0.2) * rng.normal(size=(20, 2, trials))
        + np.array([0.7, 0.2])[:, None]
    )
    effects = effects_of(ice, ["a", "b"])
    found = cg.estimate(cg.estimation.hypotheses(effects, ["a - b = 0", "a - b = 0.5"]))
    lower, upper = stats.binom.ppf([0.0005, 0.9995], trials, 0.95) / trials
    covered = (
        ((found["lower"] <= 0.5) & (found["upper"] >= 0.5))
        .sel(contrast="a - b = 0")
        .mean()
        .item()
    )
    assert lower <= covered <= upper
    assert (
        lower <= (found["p"].sel(contrast="a - b = 0.5") > 0.05).mean().item() <= upper
    )


def test_effects_that_are_alike_in_every_unit_are_exact() -> None:
    ice = np.random.default_rng(4).normal(size=(40, 1)) + np.array([0.0, 0.3])
    found = cg.estimation.hypotheses(effects_of(ice, ["a", "b"]), "b - a = 0")
    assert found["constant"].all()
    assert not found["zero"].any()
    with pytest.warns(cg.errors.DegenerateWarning):
        assert cg.estimate(found)["se"].item() == 0


def test_decide_and_bands_take_hypotheses() -> None:
    estimates = cg.estimate(
        cg.estimation.hypotheses(crossover(), "pairwise", control="none")
    )
    decided = cg.decide(estimates, rope=(-0.1, 0.1))
    assert decided["contrast"].values.tolist() == ["B - A", "AB - A", "AB - B"]
    simultaneous = cg.multiplicity.simultaneous(estimates, method="dunnett")
    assert (simultaneous["lower"] < estimates["lower"]).all()


def test_what_was_asked_after_an_analysis_was_fixed_is_marked() -> None:
    outcomes = crossover().assign_attrs(analysis=cg.Analysis(control="none").to_json())
    effects = cg.contrast(outcomes, control="none")
    assert (
        "contrasts" in cg.estimation.hypotheses(effects, "A - B").attrs["exploratory"]
    )


def test_weights_and_sd_are_those_of_the_combination() -> None:
    found = cg.estimation.hypotheses(crossover(), "AB - A - B", control="none")
    assert found["weight"].sel(contrast="AB - A - B").to_series().to_dict() == {
        "none": 1,
        "A": -1,
        "B": -1,
        "AB": 1,
    }
    one = cg.estimate(cg.contrast(crossover(), control="none"))["control_sd"][0, 0]
    np.testing.assert_allclose(found["control_sd"].item(), one)


@pytest.mark.parametrize(
    ("text", "terms", "constant"),
    [
        ("a - b = 0", {"a": 1, "b": -1}, 0),
        ("a = b", {"a": 1, "b": -1}, 0),
        ("a == b", {"a": 1, "b": -1}, 0),
        ("2*a - b = .5", {"a": 2, "b": -1}, -0.5),
        ("-(a - 3*`x y`)/4 + 1e-1", {"a": -0.25, "x y": 0.75}, 0.1),
        ("'x y' - \"a\"", {"x y": 1, "a": -1}, 0),
        ("b3 = b1", {"x y": 1, "a": -1}, 0),
        ("b*2 = 1/4 - -a", {"b": 2, "a": -1}, -0.25),
        ("a \N{MINUS SIGN} b", {"a": 1, "b": -1}, 0),
        ("a + b - a", {"b": 1}, 0),
    ],
)
def test_text_is_linear(text: str, terms: dict[str, float], constant: float) -> None:
    found = read_hypothesis(text, ["a", "b", "x y"])
    assert found.terms == terms
    assert found.constant == pytest.approx(constant)


def test_ways_to_ask_the_same() -> None:
    ice = np.random.default_rng(8).normal(size=(9, 3))
    table = effects_of(ice, ["a", "b", "c"])
    first = cg.estimation.hypotheses(table, "a - b")
    xr.testing.assert_allclose(
        cg.estimation.hypotheses(table, {"a - b": "a = b"}), first
    )
    for keyword, names in (
        ("reference", ["b - a", "c - a"]),
        ("sequential", ["b - a", "c - b"]),
    ):
        found = cg.estimation.hypotheses(table, keyword)
        assert found["contrast"].values.tolist() == names
    numbered = table.isel(contrast=[0, 1]).assign_coords(contrast=["0", "1"])
    assert cg.estimation.hypotheses(numbered, "pairwise")[
        "contrast"
    ].values.tolist() == ["`1` - `0`"]
    found = cg.estimation.hypotheses(numbered, "b2 - b1")
    np.testing.assert_array_equal(found["ice"].values.ravel(), ice[:, 1] - ice[:, 0])


LAWS = {
    "binary": lambda rng, shape: (rng.random(shape) < 0.15) * 1.0,
    "two values": lambda rng, shape: np.where(rng.random(shape) < 0.4, -2.0, 3.5),
    "constant": lambda rng, shape: np.zeros(shape),
    "skewed": lambda rng, shape: np.exp(rng.normal(size=shape)),
}


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("layout", ["crossed", "parents", "models", "parallel", "gaps"])
def test_one_question_has_one_answer(law: str, layout: str) -> None:
    """By names of contrasts or by weights of arms, whatever the outcomes are."""
    rng = np.random.default_rng(9)
    arms, n = ["c", "a", "b", "d"], 60
    coords: dict[str, Any] = {"arm": arms, "task": ["s", "t"], "unit": np.arange(n)}
    shape = (n, 4, 2, 3) if layout == "models" else (n, 4, 2)
    y = LAWS[law](rng, shape)
    dims = ("unit", "arm", "task", "model")[: len(shape)]
    attrs = {"scale": "x"}
    if layout == "parents":
        coords["parent"] = "unit", np.arange(n) // 4
    if layout == "gaps":
        y[rng.random(shape[:2]) < 0.1] = np.nan
        attrs["assignment"] = "incomplete"
    if layout == "parallel":
        y, dims = y[:, 0], ("unit", "task")
        coords["assigned"] = "unit", np.resize(arms, n)
        attrs["assignment"] = "parallel"
    outcomes = xr.Dataset({"outcome": (dims, y)}, coords, attrs)
    asked = {"one": "a - b", "two": "a = (b + d)/2", "three": "2*a - b"}
    direct = cg.contrast(
        outcomes,
        contrasts={"one": "a - b", "two": "a - (b + d)/2", "three": "2*a - b - c"},
    )
    effects = cg.contrast(outcomes, control="c")
    for found in (
        cg.estimation.hypotheses(effects, asked),
        cg.estimation.hypotheses(outcomes, asked, control="c"),
    ):
        mine, right = cg.estimate(found), cg.estimate(direct)
        assert ("two_valued_counts" in mine) == (law != "skewed")
        for name in ("ace", "se", "df", "p", "lower", "upper"):
            if name in right:
                np.testing.assert_allclose(
                    mine[name], right[name], rtol=1e-9, atol=1e-12, err_msg=name
                )


def test_a_right_side_shifts_the_interval_of_two_values() -> None:
    y = (np.random.default_rng(10).random((50, 3, 1)) < 0.3) * 1.0
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["c", "a", "b"], "task": ["t"]},
        {"scale": "x"},
    )
    found = cg.estimate(
        cg.estimation.hypotheses(outcomes, ["a - b", "a - b = 0.25"], control="c")
    )
    for name in ("lower", "upper"):
        at_0, at_quarter = found[name].values.ravel()
        assert at_quarter == pytest.approx(at_0 - 0.25, abs=1e-12)


def test_contrasts_of_arms_are_read_from_text() -> None:
    ice = cg.contrast(
        crossover(),
        contrasts={"excess": "(AB - A) - (B - none)", "A": {"A": 1, "none": -1}},
    )["ice"]
    y = crossover()["outcome"].sel(
        task="y" if "y" in crossover()["task"] else crossover()["task"][0]
    )
    np.testing.assert_allclose(
        ice.sel(contrast="excess").squeeze(),
        y.sel(arm="AB") - y.sel(arm="A") - y.sel(arm="B") + y.sel(arm="none"),
    )
    assert cg.contrast(crossover(), contrasts="A = none")[
        "contrast"
    ].values.tolist() == ["A = none"]
    assert cg.contrast(crossover(), contrasts="reference").sizes["contrast"] == 3


def test_hypotheses_of_second_populations() -> None:
    ice = np.random.default_rng(5).normal(size=(9, 2, 1, 4))
    crossed = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)}, {"contrast": ["a", "b"]}
    )
    mine = cg.estimate(
        cg.estimation.hypotheses(crossed, "a - b"), target="population x predictors"
    )
    direct = cg.estimate(
        crossed.isel(contrast=[0]).copy(data={"ice": ice[:, :1] - ice[:, 1:]}),
        target=mine.attrs["target"],
    )
    np.testing.assert_allclose(mine["se"], direct["se"], rtol=1e-12)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_differences_that_vary_by_rounding_alone_are_exact_on_either_side_of_0(
    side: float,
) -> None:
    ice = side * np.random.default_rng(0).exponential(1e3, (40, 1)) + side * np.array(
        [0.1, 0.4]
    )
    found = cg.estimation.hypotheses(
        effects_of(ice, ["a", "b"]), ["b - a = 0", "a + b = 0"]
    )
    assert found["constant"].values.ravel().tolist() == [True, False]


def test_effects_that_are_all_zero_have_a_difference_that_is() -> None:
    ice = np.zeros((6, 4))
    ice[:, 2], ice[:, 3] = np.arange(6.0), 2.0
    effects = effects_of(ice, ["a", "b", "c", "d"])
    found = cg.estimation.hypotheses(effects, ["a - b", "a - c", "a - b = 1", "a - d"])
    assert found["zero"].values.ravel().tolist() == [True, False, False, False]
    assert found["constant"].values.ravel().tolist() == [True, False, True, True]


def test_what_effects_say_of_their_own_rounding_holds_for_their_difference() -> None:
    """Effects within rounding of one number, by the outcomes that they were subtracted
    from.
    """
    ice = np.array([[0.0, 2.0, 0.0], [1e-9, 2.0, 1e-9], [0.0, 2.0 + 1e-9, 0.0]])
    effects = effects_of(ice, ["a", "b", "c"])
    dims = ("contrast", "task")
    said = {
        "constant": (dims, [[True], [True], [True]]),
        "zero": (dims, [[True], [False], [True]]),
    }
    found = cg.estimation.hypotheses(
        effects.assign(said), ["b - a", "a + c", "a + c = 1", "a - c"]
    )
    assert found["constant"].values.ravel().tolist() == [True] * 4
    assert found["zero"].values.ravel().tolist() == [False, True, False, True]


def test_the_floor_of_a_combination_is_the_sum_of_floors() -> None:
    """The worst case of rounding: each contrast off by its floor in the direction that
    adds up.
    """
    effects = effects_of(np.random.default_rng(0).normal(size=(9, 3)), ["a", "b", "c"])
    effects["floor"] = ("contrast", "task"), [[1e-7], [2e-7], [4e-7]]
    asked = {"one": "a - b", "two": "2*c - 0.5*a - 1.5*b"}
    of_units = cg.estimation.hypotheses(effects, asked)["floor"].values.ravel()
    np.testing.assert_allclose(of_units, [3e-7, 8e-7 + 0.5e-7 + 3e-7])
    np.testing.assert_allclose(
        cg.estimate(cg.estimation.hypotheses(effects, asked))["floor"].values.ravel(),
        of_units,
    )
