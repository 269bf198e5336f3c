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
from student import assert_holds_t, of_t

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
    if target == "population":
        table = cg.estimation.hypotheses(
            cg.estimate(effects_of(ice, ["a", "b", "c"], parent=parent)),
            "a - 2*b = 0.5",
        )
        for name in ("ace", "se", "df"):
            np.testing.assert_allclose(
                table[name], direct[name], rtol=1e-10, err_msg=name
            )
        # a table of estimates has no units, whose skewness Hall's interval needs
        for name, of in zip(("p", "lower", "upper"), of_t(direct), strict=True):
            np.testing.assert_allclose(table[name], of, rtol=1e-10, err_msg=name)
        assert_holds_t(direct)


def test_lazy_effects_stay_lazy_and_give_the_same() -> None:
    ice = np.random.default_rng(1).normal(size=(50, 3))
    whole = effects_of(ice, ["a", "b", "c"])
    mine = cg.estimation.hypotheses(whole.chunk(unit=7), "pairwise")
    assert mine["ice"].chunks is not None
    np.testing.assert_array_equal(
        mine["ice"], cg.estimation.hypotheses(whole, "pairwise")["ice"]
    )


def test_beyond_512_contrasts_the_factor_is_taken() -> None:
    ice = np.random.default_rng(2).normal(size=(30, 600))
    names = [f"w{i}" for i in range(600)]
    mine = cg.estimation.hypotheses(cg.estimate(effects_of(ice, names)), "w7 - w599")
    np.testing.assert_allclose(
        mine["se"].item(),
        (ice[:, 7] - ice[:, 599]).std(ddof=1) / np.sqrt(30),
        rtol=1e-10,
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
    found = cg.estimation.hypotheses(cg.estimate(effects), ["a - b = 0", "a - b = 0.5"])
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
    estimates = cg.estimation.hypotheses(
        cg.estimate(cg.contrast(crossover(), control="none")), "pairwise"
    )
    decided = cg.decide(estimates, rope=(-0.1, 0.1))
    assert decided["contrast"].values.tolist() == ["B - A", "AB - A", "AB - B"]
    simultaneous = cg.multiplicity.simultaneous(estimates, method="dunnett")
    assert (simultaneous["lower"] < estimates["lower"]).all()


def test_a_joint_test_takes_hypotheses() -> None:
    estimates = cg.estimate(cg.contrast(crossover(), control="none"))
    assert (
        0
        < cg.estimation.joint_test(cg.estimation.hypotheses(estimates, "sequential"))[
            "p"
        ].item()
        < 1
    )


def test_what_was_asked_after_an_analysis_was_fixed_is_marked() -> None:
    outcomes = crossover().assign_attrs(analysis=cg.Analysis(control="none").to_json())
    estimates = cg.estimate(cg.contrast(outcomes, control="none"))
    assert (
        "contrasts" in cg.estimation.hypotheses(estimates, "A - B").attrs["exploratory"]
    )


def test_weights_and_sd_are_those_of_the_combination() -> None:
    found = cg.estimation.hypotheses(
        cg.estimate(cg.contrast(crossover(), control="none")), "AB - A - B"
    )
    assert found["weight"].sel(contrast="AB - A - B").to_series().to_dict() == {
        "none": 1,
        "A": -1,
        "B": -1,
        "AB": 1,
    }
    one = cg.estimate(cg.contrast(crossover(), control="none"))["control_sd"][0, 0]
    np.testing.assert_allclose(found["control_sd"].item(), one)


def test_one_contrast_needs_no_covariance() -> None:
    table = cg.from_effects([1.0, 0.4], se=[0.2, 0.1], names=["a", "b"])
    found = cg.estimation.hypotheses(table, ["a = 0.5", "2*b"])
    np.testing.assert_allclose(found["ace"][:, 0], [0.5, 0.8])
    np.testing.assert_allclose(found["se"][:, 0], [0.2, 0.2])
    assert "covariance" not in found


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
    table = cg.from_effects(
        [1.0, 0.4, 2.0], covariance=np.diag([1.0, 2.0, 3.0]), names=["a", "b", "c"]
    )
    first = cg.estimation.hypotheses(table, "a - b")
    for other in (
        {"a - b": {"a": 1, "b": -1}},
        {"a - b": "a = b"},
        [[1, -1, 0]],
        np.array([1.0, -1.0, 0.0]),
        pd.DataFrame([[-1, 1]], index=["a - b"], columns=["b", "a"]),
    ):
        xr.testing.assert_allclose(cg.estimation.hypotheses(table, other), first)
    assert cg.estimation.hypotheses(table, "reference")["contrast"].values.tolist() == [
        "b - a",
        "c - a",
    ]
    assert cg.estimation.hypotheses(table, "sequential")[
        "contrast"
    ].values.tolist() == ["b - a", "c - b"]
    numbered = cg.from_effects([1.0, 2.0], covariance=np.eye(2))
    assert cg.estimation.hypotheses(numbered, "b2 - b1")["ace"].item() == 1
    assert cg.estimation.hypotheses(numbered, "pairwise")[
        "contrast"
    ].values.tolist() == ["`1` - `0`"]


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


TABLE = cg.from_effects(
    [1.0, 0.4], covariance=[[0.04, 0.02], [0.02, 0.05]], names=["kozak", "scrambled"]
)


def test_hypotheses_of_logs_of_means_and_of_second_populations() -> None:
    outcomes = crossover()
    outcomes["outcome"] = np.exp(outcomes["outcome"])
    logs = cg.contrast(outcomes, control="none", scale="log_of_means")
    mean = outcomes["outcome"].mean("unit").squeeze()
    expected = np.log(mean.sel(arm="A") / mean.sel(arm="B")).item()
    np.testing.assert_allclose(
        cg.estimation.hypotheses(cg.estimate(logs), "A - B")["ace"].item(), expected
    )
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


def test_a_parallel_trial_has_no_effect_of_a_unit_to_subtract_from() -> None:
    effects = cg.contrast(parallel(), control="none")
    shifted = cg.estimation.hypotheses(cg.estimate(effects), "A - B = 1")["ace"].item()
    assert shifted == pytest.approx(
        cg.estimate(cg.estimation.hypotheses(effects, "A - B"))["ace"].item() - 1
    )


def test_ci_prob_is_of_estimates() -> None:
    ninety = cg.estimation.hypotheses(TABLE, "kozak - scrambled", ci_prob=0.9)
    assert ninety.attrs["ci_prob"] == 0.9
    assert (
        ninety["lower"].item()
        > cg.estimation.hypotheses(TABLE, "kozak - scrambled")["lower"].item()
    )


def test_a_covariance_takes_512_hypotheses() -> None:
    table = cg.from_effects([1.0, 2.0], covariance=np.eye(2))
    rows = np.column_stack([np.ones(513), np.arange(1.0, 514.0)])
    assert cg.estimation.hypotheses(table, rows[:512]).sizes["contrast"] == 512


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
    np.testing.assert_allclose(
        cg.estimation.hypotheses(cg.estimate(effects), asked)["floor"].values.ravel(),
        of_units,
    )


def test_a_combination_counts_the_units_of_its_smallest_contrast() -> None:
    table = cg.from_effects(
        [1.0, 2.0, 3.0],
        covariance=np.diag([1.0, 2.0, 3.0]),
        df=[9.0, 19.0, 29.0],
        names=list("abc"),
    )
    table["n_units"] = ("contrast", "task"), [[10], [20], [30]]
    found = cg.estimation.hypotheses(table, ["b - c", "c - a", "a + b - 2*c"])
    assert found["n_units"].values.ravel().tolist() == [20, 10, 10]
    assert found["df"].values.ravel().tolist() == [19.0, 9.0, 9.0]
