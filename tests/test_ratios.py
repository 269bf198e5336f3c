# Imports from the inside: limits of ratios of arrays, against arithmetic and simulation.
"""Functions of the arms' means: against arithmetic and simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from scipy import stats

import causalgia as cg
from causalgia.effects import contrast
from causalgia.effects._from_frame import from_frame
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    EstimateError,
)
from causalgia.estimation import estimate
from causalgia.estimation.ratios import fieller, working_scale
from causalgia.schema import validate

HERE = Path(__file__).parent / "reference"


def expected(case: str) -> Any:
    return json.loads((HERE / case / "expected.json").read_text())


def factorial(case: str, file: str = "input") -> xr.Dataset:
    """Arms named by their digits, with a coordinate for each factor."""
    y = pd.read_csv(HERE / case / f"{file}.csv")
    arms = [a for a in y.columns if a.startswith("y")]
    levels = {
        f: ("arm", [int(a[1 + i]) for a in arms])
        for i, f in enumerate("ABC"[: len(arms[0]) - 1])
    }
    coords = {
        "unit": y["unit"].to_numpy(),
        "arm": [a[1:] for a in arms],
        "task": ["K562"],
        **levels,
    }
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[arms].to_numpy()[:, :, None])},
        coords=coords,
    )


# a ratio of means, and its logarithm: the delta method where the means are clear of 0,
# Fieller's limits where one is not


def two_arms(control: np.ndarray, treated: np.ndarray, **on_unit: Any) -> xr.Dataset:
    y = np.stack([control, treated], axis=1)[:, :, None]
    coords = {"unit": np.arange(len(y)), "arm": ["0", "A"], "task": ["K562"]}
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords=coords | {k: ("unit", v) for k, v in on_unit.items()},
    )


def one_each(frame: pd.DataFrame) -> xr.Dataset:
    return from_frame(frame, outcome="y", arm="arm", unit="unit")


def ratio_of(outcomes: xr.Dataset, **options: Any) -> xr.Dataset:
    return estimate(contrast(outcomes, control="0", scale="ratio"), **options).isel(
        contrast=0, task=0
    )


def test_a_clear_denominator_takes_the_limits_of_the_logarithm() -> None:
    rng = np.random.default_rng(1)
    control = rng.normal(10, 1, size=40)
    treated = 1.5 * control + rng.normal(0, 1, size=40)
    found, log = (
        ratio_of(two_arms(control, treated)),
        contrast(two_arms(control, treated), control="0", scale="log_of_means"),
    )
    on_log = estimate(log).isel(contrast=0, task=0)
    np.testing.assert_allclose(
        found["ace"], treated.mean() / control.mean(), rtol=1e-12
    )
    np.testing.assert_allclose(found["se"], on_log["se"] * found["ace"], rtol=1e-10)
    np.testing.assert_allclose(
        [found["lower"], found["upper"]],
        np.exp([on_log["lower"], on_log["upper"]]),
        rtol=1e-10,
    )
    np.testing.assert_allclose(found["p"], on_log["p"], rtol=1e-7)
    assert not found["unbounded"]


def test_fieller_limits_are_where_the_paired_t_test_rejects() -> None:
    rng = np.random.default_rng(2)
    control = rng.normal(1, 1, size=20)
    treated = 2 + 0.5 * control + rng.normal(size=20)
    found = ratio_of(two_arms(control, treated))
    assert not found["unbounded"]
    for limit in (found["lower"].item(), found["upper"].item()):
        np.testing.assert_allclose(
            stats.ttest_1samp(treated - limit * control, 0).pvalue, 0.05, rtol=1e-6
        )
    np.testing.assert_allclose(
        found["p"], stats.ttest_rel(treated, control).pvalue, rtol=1e-8
    )


@pytest.mark.parametrize("arms", [["0", "A"], ["A", "0"], ["A", "B", "0"]])
def test_fieller_limits_of_parallel_arms(arms: list[str]) -> None:
    rng = np.random.default_rng(3)
    n = 30 * len(arms)
    frame = pd.DataFrame(
        {
            "unit": np.arange(n),
            "arm": np.repeat(arms, 30),
            "y": rng.normal(0.8, 1, size=n),
        }
    )
    frame.loc[frame["arm"] == "A", "y"] += 1
    effects = contrast(one_each(frame), control="0", scale="ratio")
    found = estimate(effects).sel(contrast="A").isel(task=0)
    y0, y1 = (frame.loc[frame["arm"] == a, "y"].to_numpy() for a in ("0", "A"))
    v0, v1 = y0.var(ddof=1) / 30, y1.var(ddof=1) / 30
    t = stats.t.ppf(0.975, found["df"].item())
    for limit in (found["lower"].item(), found["upper"].item()):
        np.testing.assert_allclose(
            (y1.mean() - limit * y0.mean()) ** 2, t**2 * (v1 + limit**2 * v0), rtol=1e-6
        )
    np.testing.assert_allclose(found["ace"], y1.mean() / y0.mean(), rtol=1e-10)


def test_a_mean_that_may_be_0_opens_the_end_that_it_makes() -> None:
    """A control that may be 0 leaves the ratio a lower limit, and a p; a treatment that
    may be 0 an upper one.
    """
    rng = np.random.default_rng(4)
    low, high = rng.normal(0.3, 1, size=30), rng.normal(3, 1, size=30)
    p = stats.ttest_rel(high, low).pvalue
    whole = estimate(contrast(two_arms(low, high), control="0", scale="ratio"))
    found, back = whole.isel(contrast=0, task=0), ratio_of(two_arms(high, low))
    assert found["unbounded"]
    assert back["unbounded"]
    assert found["upper"].item() == np.inf
    assert back["lower"].item() == 0
    limit = found["lower"].item()
    np.testing.assert_allclose(back["upper"].item(), 1 / limit, rtol=1e-9)
    np.testing.assert_allclose(
        stats.ttest_1samp(high - limit * low, 0).pvalue, 0.05, rtol=1e-6
    )
    np.testing.assert_allclose([found["p"], back["p"]], [p, p], rtol=1e-7)
    assert whole.attrs["null_value"] == 1
    other = contrast(two_arms(high, low), control="0", scale="ratio")
    for effects, word in ((whole, "increases"), (other, "decreases")):
        decided = cg.decide(effects, rope=(0.8, 1.25))
        assert decided["verdict"].item() == word
    with pytest.raises(DataError):
        validate(whole.assign(unbounded=~whole["unbounded"]), "estimates")


def test_two_means_that_may_be_0_say_nothing_of_their_ratio() -> None:
    """Though their difference is significant."""
    rng = np.random.default_rng(8)
    control = rng.normal(0.1, 1, size=30)
    treated = control + rng.normal(0.2, 0.1, size=30)
    assert stats.ttest_rel(treated, control).pvalue < 1e-6
    for scale, least in (("ratio", 0.0), ("log_of_means", -np.inf)):
        effects = contrast(two_arms(control, treated), control="0", scale=scale)
        found = estimate(effects).squeeze()
        assert found["unbounded"]
        assert [found["lower"].item(), found["upper"].item()] == [least, np.inf]
        assert found["p"] == 1
        assert found["log_p"] == 0
        assert cg.decide(effects, rope=0)["verdict"].item() == "undecided"


def test_fieller_covers_where_the_delta_method_does_not() -> None:
    """Denominator 2 se from 0 on average, n = 20, ratio 2: 4,000 trials; Fieller's test
    is exact for normal means.
    """
    n, trials, truth = 20, 4_000, 2.0
    rng = np.random.default_rng(5)
    d_mean = 2 / np.sqrt(n)
    units = rng.normal(size=(2, trials, n))
    num, den = truth * d_mean + units[0].mean(axis=1), d_mean + units[1].mean(axis=1)
    cov = (
        (units[0] - units[0].mean(1, keepdims=True))
        * (units[1] - units[1].mean(1, keepdims=True))
    ).sum(1)
    v = (
        units[0].var(axis=1, ddof=1) / n,
        cov / n / (n - 1),
        units[1].var(axis=1, ddof=1) / n,
    )
    lower, upper, _ = fieller(num, den, v, np.full(trials, n - 1.0), 0.95)
    band = stats.binom.ppf([5e-4, 1 - 5e-4], trials, 0.95) / trials
    assert ((lower <= truth) & (truth <= upper)).mean() >= band[0]
    r = num / den
    se = np.sqrt(v[0] - 2 * r * v[1] + r**2 * v[2]) / np.abs(den)
    delta = np.abs(r - truth) <= stats.t.ppf(0.975, n - 1) * se
    assert delta.mean() < band[0]


def test_clusters_reach_the_ratio() -> None:
    rng = np.random.default_rng(6)
    parent = np.repeat(np.arange(30), 4)
    shared = rng.normal(size=30)[parent]
    control, treated = (
        10 + shared + rng.normal(size=120),
        12 + 3 * shared + rng.normal(size=120),
    )
    clustered = ratio_of(two_arms(control, treated, parent=parent))
    alone = ratio_of(two_arms(control, treated, parent=parent), cluster="none")
    assert clustered["se"] > 1.5 * alone["se"]
    assert clustered["n_clusters"] == 30


def test_a_ratio_on_predictors_each_and_drawn() -> None:
    rng = np.random.default_rng(7)
    y = (
        rng.normal(10, 1, size=(30, 2, 1, 4))
        * np.array([1.0, 1.2])[None, :, None, None]
    )
    coords = {
        "unit": np.arange(30),
        "arm": ["0", "A"],
        "task": ["K562"],
        "model": list("abcd"),
    }
    effects = contrast(
        xr.Dataset({"outcome": (("unit", "arm", "task", "model"), y)}, coords=coords),
        control="0",
        scale="ratio",
    )
    ratios = (y[:, 1].mean(axis=0) / y[:, 0].mean(axis=0))[0]
    np.testing.assert_allclose(estimate(effects)["ace"][0, 0], ratios, rtol=1e-12)
    drawn = estimate(effects, target="population x predictors")
    np.testing.assert_allclose(drawn["ace"].item(), ratios.mean(), rtol=1e-12)
    assert drawn["lower"].item() < ratios.mean() < drawn["upper"].item()


def test_equal_outcomes_are_a_ratio_of_exactly_one() -> None:
    control = np.array([0.1, 0.2, 0.7])
    with pytest.warns(DegenerateWarning):
        found = ratio_of(two_arms(control, control * (1 + 1e-16)))
    assert found["exact"]
    assert found["ace"] == 1
    assert found["p"] == 1
    assert [found["lower"].item(), found["upper"].item()] == [1, 1]
    with pytest.warns(DegenerateWarning):
        twice = ratio_of(two_arms(control, 2 * control))
    assert twice["exact"]
    assert twice["p"] == 0
    np.testing.assert_allclose(twice["ace"], 2, rtol=1e-14)


@pytest.mark.parametrize("scale", ["log_of_means", "ratio"])
def test_parallel_arms_agree_with_the_delta_method(scale: Any) -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "unit": np.arange(90),
            "arm": np.repeat(["0", "A", "B"], 30),
            "y": rng.gamma(20, 0.5, size=90),
        }
    )
    weights = {"c": {"A": 1, "B": 1, "0": -2}}
    found = estimate(contrast(one_each(frame), contrasts=weights, scale=scale)).isel(
        contrast=0, task=0
    )
    by_arm = frame.groupby("arm")["y"]
    m, v = by_arm.mean().to_numpy(), by_arm.var().to_numpy() / 30
    log = np.log(m) @ [-2, 1, 1]
    se = np.sqrt((v / m**2) @ [4, 1, 1])
    value = log if scale == "log_of_means" else np.exp(log)
    np.testing.assert_allclose(found["ace"], value, rtol=1e-9)
    np.testing.assert_allclose(
        found["se"], se * (1 if scale == "log_of_means" else value), rtol=1e-9
    )


def bpnet(none: Any, a: Any, b: Any, both: Any) -> Any:
    return both - a - b + none, a


def excess(none: Any, a: Any, b: Any, both: Any) -> Any:
    return both * none - a * b, none


def bliss(none: Any, a: Any, b: Any, both: Any) -> Any:
    e_a, e_b, e_both = ((m - none) / (30 - none) for m in (a, b, both))
    return e_both - e_a - e_b + e_a * e_b


def cooperativity(none: Any, a: Any, b: Any, both: Any) -> Any:
    below = np.exp2(a) + np.exp2(b) - np.exp2(none)
    return np.exp2(both) - below, below


def by_hand(name: str, m: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient, by the means of none, a, b and both."""
    none, a, b, both = m
    if name == "bpnet":
        value = (both - (b - none)) / a
        return value - 1, np.array([1, -value, -1, 1]) / a
    if name == "excess":
        value = both - a * b / none
        return value, np.array([a * b / none**2, -b / none, -a / none, 1])
    if name == "bliss":
        room = 30 - none
        e_a, e_b, e = (a - none) / room, (b - none) / room, (both - none) / room
        by_none = (e - 1 - (e_a - 1) * (1 - e_b) - (e_b - 1) * (1 - e_a)) / room
        slopes = [by_none, -(1 - e_b) / room, -(1 - e_a) / room, 1 / room]
        return e - e_a - e_b + e_a * e_b, np.array(slopes)
    x = np.exp2(m)
    below = x[1] + x[2] - x[0]
    slopes = np.array([x[0] / below, -x[1] / below, -x[2] / below, 1])
    return x[3] / below - 1, np.log(2) * x[3] / below * slopes


@pytest.mark.parametrize("function", [bpnet, excess, bliss, cooperativity])
@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_a_function_of_four_means_has_the_numbers_of_its_gradient(
    function: Any, size: float
) -> None:
    """Interactions of other papers, which were scales by name: their gradients by
    hand.
    """
    outcomes = factorial("factorial_2x2")
    if function is cooperativity:
        outcomes = outcomes.assign(outcome=np.log2(outcomes["outcome"]))
    outcomes = outcomes.assign(outcome=size * outcomes["outcome"])
    y = outcomes.sel(arm=["00", "10", "01", "11"])["outcome"].to_numpy()[..., 0]
    value, gradient = by_hand(function.__name__, y.mean(axis=0))
    found = estimate(contrast(outcomes, interaction=["A", "B"], scale=function))
    se = np.sqrt(gradient @ (np.cov(y, rowvar=False) / len(y)) @ gradient)
    np.testing.assert_allclose(found["ace"].item(), value, rtol=1e-10)
    np.testing.assert_allclose(found["se"].item(), se, rtol=1e-9)
    t = found["ace"].item() / found["se"].item()
    np.testing.assert_allclose(found["p"].item(), 2 * stats.t.sf(abs(t), 49), rtol=1e-7)
    assert ("divisor_variance" in found) == (function is not bliss)


def test_a_function_that_effects_obey_is_0() -> None:
    """Effects that add, with noise that all arms share: 0 but for rounding."""
    shared = np.random.default_rng(0).normal(size=(30, 1))
    y = np.array([1.0, 3.0, 4.0, 6.0]) + shared
    coords = {"arm": ["0", "B", "A", "AB"], "task": ["y"]}
    factors = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords | factors
    )
    effects = contrast(
        outcomes,
        interaction=["a", "b"],
        scale=lambda none, a, b, both: both - a - b + none,
    )
    assert effects["zero"].item()


# what is refused


def test_estimators_of_other_means_are_refused() -> None:
    rng = np.random.default_rng(10)
    frame = pd.DataFrame(
        {"unit": np.arange(40), "arm": ["0", "A"] * 20, "y": rng.gamma(9, size=40)}
    )
    frame["gc"], frame["block"] = rng.uniform(size=40), np.repeat([0, 1, 1, 1], 10)
    outcomes = from_frame(
        frame, outcome="y", arm="arm", unit="unit", block="block", covariates=["gc"]
    )
    effects = contrast(outcomes, control="0", scale="ratio")
    with pytest.raises(EstimateError):
        estimate(effects)
    with pytest.raises(EstimateError):
        estimate(effects, covariates="gc")
    even = effects.assign_coords(block=("unit", np.repeat(np.arange(10), 4)))
    found = estimate(even).isel(contrast=0, task=0)
    y = frame.groupby("arm")["y"].mean()
    np.testing.assert_allclose(found["ace"], y["A"] / y["0"], rtol=1e-9)
    crossed = two_arms(
        rng.gamma(9, size=9),
        rng.gamma(9, size=9),
        parent=np.array([0, 0, 0, 1, 1, 2, 2, 3, 3]),
    )
    with pytest.raises(EstimateError):
        ratio_of(crossed, weights="clusters")


@pytest.mark.simulation
@given(st.integers(0, 10_000), st.floats(0.5, 20))
def test_swapping_the_arms_inverts_ratio_and_limits(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    control, treated = (
        rng.normal(offset, 1, size=15),
        rng.normal(2 * offset, 1, size=15),
    )
    there, back = (
        ratio_of(two_arms(control, treated)),
        ratio_of(two_arms(treated, control)),
    )
    np.testing.assert_allclose(there["ace"], 1 / back["ace"], rtol=1e-8)
    np.testing.assert_allclose(there["p"], back["p"], rtol=1e-6, atol=1e-12)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(
            [there["lower"], there["upper"]],
            [1 / back["upper"], 1 / back["lower"]],
            rtol=1e-6,
        )


@pytest.mark.parametrize("target", ["units", "parents", "population"])
def test_every_target_has_its_ratio(target: str) -> None:
    rng = np.random.default_rng(13)
    control, treated = rng.gamma(50, size=60), 2 * rng.gamma(50, size=60)
    found = ratio_of(
        two_arms(control, treated, parent=np.repeat(np.arange(30), 2)), target=target
    )
    np.testing.assert_allclose(
        found["ace"], treated.mean() / control.mean(), rtol=1e-12
    )
    assert (found["se"] == 0) == (target == "units")
    assert target == "units" or found["p"] < 1e-6


def factorial_of(
    means: float,
    *,
    n: int,
    n_tasks: int,
    shared: float,
    seed: int,
    parallel: bool = False,
) -> xr.Dataset:
    """Arms 0, A, B and AB of equal means, in units of one standard error each; `shared`
    is how they correlate.
    """
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(n, 1, n_tasks)), rng.normal(size=(n, 4, n_tasks))
    y = means + np.sqrt(n) * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
    names = {
        "unit": np.arange(n),
        "arm": ["0", "A", "B", "AB"],
        "task": [f"t{t}" for t in range(n_tasks)],
    }
    factors = {"a": ("arm", [0, 1, 0, 1]), "b": ("arm", [0, 0, 1, 1])}
    if not parallel:
        return xr.Dataset(
            {"outcome": (("unit", "arm", "task"), y)}, coords=names | factors
        )
    arm = np.arange(n) % 4
    y = means + np.sqrt(n / 4) * rng.normal(size=(n, n_tasks))
    coords = names | factors | {"assigned": ("unit", np.array(names["arm"])[arm])}
    return xr.Dataset({"outcome": (("unit", "task"), y)}, coords=coords)


@pytest.mark.parametrize("parallel", [False, True])
def test_ratios_of_four_means_that_are_clear_of_zero_cover(parallel: bool) -> None:
    # each mean lies 11 standard errors from 0, and the product of two that correlate
    # only 5.6
    outcomes = factorial_of(
        11.0, n=200, n_tasks=1_000, shared=0.9, seed=3, parallel=parallel
    )
    found = estimate(contrast(outcomes, interaction=["a", "b"], scale="ratio"))
    covered = float(((found["lower"] <= 1) & (found["upper"] >= 1)).mean())
    assert abs(covered - 0.95) < 3.3 * np.sqrt(0.95 * 0.05 / 1_000)
    logs = estimate(contrast(outcomes, interaction=["a", "b"], scale="log_of_means"))
    np.testing.assert_allclose(np.log(found["lower"]), logs["lower"], rtol=1e-9)
    np.testing.assert_allclose(found["p"], logs["p"], rtol=1e-9)


@pytest.mark.parametrize("ratio", [0.05, 1.0, 20.0])
def test_limits_of_a_ratio_of_ratios_are_those_of_its_log_however_rough(
    ratio: float,
) -> None:
    y = (
        np.random.default_rng(0).gamma(2.2, 1.0, (40, 4, 1))
        * np.array([1.0, 2.0, 3.0, 6.0 * ratio])[:, None]
    )
    coords = {
        "arm": list("cdef"),
        "task": ["K562"],
        "a": ("arm", [0, 0, 1, 1]),
        "b": ("arm", [0, 1, 0, 1]),
    }
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords)
    found = estimate(
        contrast(outcomes, interaction=["a", "b"], scale="ratio")
    ).squeeze()
    width = stats.t.ppf(0.975, found["df"]) * found["se"] / found["ace"]
    assert width > 0.33
    np.testing.assert_allclose(found["lower"], found["ace"] * np.exp(-width), rtol=1e-9)
    np.testing.assert_allclose(found["upper"], found["ace"] * np.exp(width), rtol=1e-9)


@pytest.mark.parametrize("scale", ["log_of_means", "ratio"])
def test_an_arm_in_proportion_to_the_control_has_one_ratio_within_rounding(
    scale: Any,
) -> None:
    y = np.random.default_rng(0).lognormal(size=50)
    coords = {"unit": np.arange(50), "arm": ["a", "b"], "task": ["t"]}
    outcomes = xr.Dataset(
        {
            "outcome": (
                ("unit", "arm", "task"),
                np.column_stack([y, 1.1 * y])[..., None],
            )
        },
        coords,
    )
    assert contrast(outcomes, control="a", scale=scale)["constant"].all()


def test_outcomes_of_a_parallel_ratio_are_in_units_of_their_arms_mean() -> None:
    frame = pd.DataFrame({"y": [1.0, 3.0, 4.0, 8.0], "arm": ["c", "c", "A", "A"]})
    effects = contrast(
        from_frame(frame.assign(unit=range(4)), outcome="y", arm="arm", unit="unit"),
        control="c",
        scale="ratio",
    )
    np.testing.assert_allclose(
        effects["outcome"].values.ravel(), [0.5, 1.5, 4 / 6, 8 / 6]
    )
    assert effects["ratio"].item() == pytest.approx(3.0)


def test_a_ratio_of_arms_within_rounding_is_exact() -> None:
    y = np.array([[0.3, 0.6], [0.1 + 0.2, 0.6], [0.3, 3 * 0.2], [0.1 * 3, 0.6]])
    coords = {"unit": np.arange(4), "arm": ["c", "A"], "task": ["t"]}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[..., None])}, coords=coords
    )
    with pytest.warns(DegenerateWarning):
        found = estimate(contrast(outcomes, control="c", scale="ratio"))
    assert found["se"].item() == 0
    assert found["ace"].item() == pytest.approx(2)


@pytest.mark.parametrize("control", [(1.0, 3.0), (2.0, 2.0)])
def test_parallel_arms_whose_means_differ_by_rounding_have_the_ratio_one(
    control: tuple[float, float],
) -> None:
    """The control varies, so that its mean is less certain than that of the treatment,
    or as certain.
    """
    y = np.array([*control, 2.0, 2.0 + 4 * np.spacing(2.0)])
    coords = {
        "arm": ["c", "A"],
        "task": ["K562"],
        "assigned": ("unit", ["c", "c", "A", "A"]),
    }
    outcomes = xr.Dataset({"outcome": (("unit", "task"), y[:, None])}, coords)
    assert contrast(outcomes, control="c", scale="ratio")["ratio"].item() == 1


def test_denominators_are_relative_changes_of_the_divisor() -> None:
    """Each unit's divisor relative to its mean: exactly that where the divisor is
    linear in an outcome.
    """
    y = np.random.default_rng(1).uniform(2, 3, (9, 4)) + np.array([0, 0, 0.5, 1.5])
    coords = {
        "arm": ["0", "B", "A", "AB"],
        "a": ("arm", [0, 0, 1, 1]),
        "b": ("arm", [0, 1, 0, 1]),
    }
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[:, :, None])},
        coords | {"task": ["K562"]},
    )
    rate = np.exp2(y.mean(axis=0)) * np.log(2)
    below = np.exp2(y.mean(axis=0)) @ [-1, 1, 1, 0]
    away = y - y.mean(axis=0)
    expected = {
        bpnet: y[:, 2] / y[:, 2].mean(),
        excess: y[:, 0] / y[:, 0].mean(),
        cooperativity: 1 + away @ (rate * [-1, 1, 1, 0]) / below,
    }
    for scale, divisor in expected.items():
        found = contrast(outcomes, interaction=["a", "b"], scale=scale)
        np.testing.assert_allclose(
            found["denominator"].values.ravel(), divisor, rtol=1e-9
        )


@pytest.mark.parametrize(("scale", "null"), [("ratio", 1), ("log_of_means", 0)])
def test_arms_that_differ_by_rounding_have_exactly_no_effect(
    scale: Any, null: float
) -> None:
    y = np.array([0.3, 0.6, 0.7])[:, None] * (
        1 + np.array([0.0, 3 * np.finfo(float).eps])
    )
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[:, :, None])},
        {"arm": ["c", "A"], "task": ["K562"]},
    )
    effects = contrast(outcomes, control="c", scale=scale)
    assert (effects["zero"].item(), effects["constant"].item()) == (null == 0, True)
    np.testing.assert_array_equal(effects["ice"].mean("unit"), null)
    with pytest.warns(DegenerateWarning):
        found = cg.estimate(effects)
    assert found["ace"].item() == null
    assert found["p"].item() == 1


@pytest.mark.parametrize("covariance", [-0.01, 0.0, 0.02])
@pytest.mark.parametrize("df", [4.0, np.inf])
def test_the_t_test_of_a_ratio_does_not_reject_its_limits_by_a_hair(
    df: float, covariance: float
) -> None:
    n, d = np.array([2.0, -2.0, 0.1]), np.array([1.0, 1.5, -3.0])
    variances = np.full(3, 0.05), np.full(3, covariance), np.full(3, 0.04)
    lower, upper, unbounded = fieller(n, d, variances, np.array(df), 0.9)
    assert (lower < n / d).all()
    assert (upper > n / d).all()
    assert not unbounded.any()
    t = stats.t.ppf(0.95, df)
    for theta in (lower, upper):
        spread = np.sqrt(0.05 - 2 * theta * covariance + theta**2 * 0.04)
        np.testing.assert_allclose(np.abs(n - theta * d) / spread, t, rtol=1e-9)
    # not significant, and significant by a hair
    edge = np.array([0.999, 1.001, -0.999, -1.001]) * t * 0.2
    opened = fieller(
        np.ones(4),
        edge,
        (np.full(4, 0.05), np.zeros(4), np.full(4, 0.04)),
        np.array(df),
        0.9,
    )[2]
    assert opened.tolist() == [True, False, True, False]


def test_a_mean_is_clear_of_zero_from_where_it_says() -> None:
    need = stats.norm.ppf(0.975) / np.sqrt(0.1)
    one = np.ones(1)
    for scale in ("ratio", "log_of_means", "function"):
        for away, clear in ((need * 1.01, True), (need * 0.99, False)):
            divisor = 0 * one, 1e-3 * one, one / away**2
            found = working_scale(
                scale, 2 * one, 0.2 * one, np.inf * one, divisor, 0.95
            )
            assert bool(found.unclear[0]) == (not clear)
    unknown = working_scale("ratio", 2 * one, one, np.inf * one, None, 0.95)
    assert not unknown.unclear.any()
    with pytest.raises(EstimateError):
        working_scale("ratio", -2 * one, one, np.inf * one, None, 0.95)


@pytest.mark.parametrize("parallel", [False, True])
def test_the_least_clear_mean_is_the_one_nearest_to_0_in_its_errors(
    parallel: bool,
) -> None:
    """Of two means; of the four of an interaction, of which each side has two that do
    not correlate, the average of a side.
    """
    rng = np.random.default_rng(2)
    m, n = np.array([4.0, 8.0, 6.0, 5.0]), 100_000
    y = m + np.array([1.0, 3.0, 1.0, 2.0]) * rng.normal(size=(n, 4))
    coords = {
        "arm": ["0", "B", "A", "AB"],
        "task": ["y"],
        "a": ("arm", [0, 0, 1, 1]),
        "b": ("arm", [0, 1, 0, 1]),
    }
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords)
    if parallel:
        arm = np.arange(n) % 4
        outcomes = xr.Dataset(
            {"outcome": (("unit", "task"), y[np.arange(n), arm, None])},
            coords | {"assigned": ("unit", np.array(coords["arm"])[arm])},
        )
    g = (np.array([1.0, 3.0, 1.0, 2.0]) / m) ** 2 * (4 if parallel else 1) / n
    for scale in ("ratio", "log_of_means"):
        two = estimate(contrast(outcomes, control="0", scale=scale))
        np.testing.assert_allclose(
            two["mean_variance"].squeeze(), np.maximum(g[1:], g[0]), rtol=0.02
        )
        four = estimate(contrast(outcomes, interaction=["a", "b"], scale=scale))
        np.testing.assert_allclose(
            four["mean_variance"].item(),
            max(g[0] + g[3], g[1] + g[2]) / 2,
            rtol=0.02,
        )


def test_distances_and_limits_of_ratios_that_are_clear_and_not() -> None:
    ace, se, df = np.array([2.0, 2.0]), np.array([0.1, 0.9]), np.full(2, 12.0)
    both, own = np.array([0.001, 0.1]), np.array([0.002, 0.09])
    divisor = both, own, np.array([0.002, 0.09])
    found = working_scale("ratio", ace, se, df, divisor, 0.95)
    assert found.unclear.tolist() == [False, True]
    np.testing.assert_allclose(found.center, np.log([2, 2]))
    np.testing.assert_allclose(found.error, [0.05, 0.45])
    np.testing.assert_allclose(found.back(found.put(1.7)), [1.7, 1.7])
    assert found.put(np.array([0.0, -1.0])).tolist() == [-np.inf, -np.inf]
    for value in (1.5, 2.5):
        gap, spread = found.against(value)
        np.testing.assert_allclose(gap[0] / spread[0], np.log(2 / value) / 0.05)
        away = 2 - value
        np.testing.assert_allclose(
            gap[1] / spread[1],
            away / np.sqrt(0.81 + 2 * away * 0.1 + away**2 * 0.09),
        )
    t = stats.t.ppf(0.975, 12)
    lower, upper = found.limits(0.95)
    np.testing.assert_allclose(
        [lower[0], upper[0]], [2 * np.exp(-t * 0.05), 2 * np.exp(t * 0.05)]
    )
    variances = (se**2 + 2 * ace * both + ace**2 * own, both + ace * own, own)
    low, high, _ = fieller(ace, np.ones(2), variances, df, 0.95)
    assert low[1] < 0
    assert (lower[1], upper[1]) == pytest.approx((0.0, high[1]))
    np.testing.assert_allclose(found.around(t * found.error, t), [lower, upper])


# both scales are one question


def same_answers(outcomes: xr.Dataset, how: Any, **options: Any) -> xr.Dataset:
    """Estimates on the scale of the ratio, whose p, limits and verdicts are those of the
    logarithm.
    """
    ratio, log = (
        estimate(contrast(outcomes, **how, scale=scale), **options)
        for scale in ("ratio", "log_of_means")
    )
    for name in ("p", "log_p"):
        np.testing.assert_allclose(ratio[name], log[name], rtol=1e-10)
    with np.errstate(divide="ignore"):
        for name in ("ace", "lower", "upper"):
            np.testing.assert_allclose(
                np.log(ratio[name]), log[name], rtol=1e-10, atol=1e-12
            )
    np.testing.assert_array_equal(ratio["unbounded"], log["unbounded"])
    for end in (1.05, 1.5, 3.0):
        mine = cg.decide(ratio, rope=(1 / end, end), shrink=None)
        theirs = cg.decide(log, rope=(-np.log(end), np.log(end)), shrink=None)
        for name in ("p", "p_verdict", "q"):
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-9, atol=1e-14)
        np.testing.assert_array_equal(mine["verdict"], theirs["verdict"])
    return ratio


LAYOUTS = {
    "units": {},
    "parents": {"parent": ("unit", np.repeat(np.arange(10), 4))},
    "models": {"model": list("xyz")},
}


def positive_arms(**coords: Any) -> xr.Dataset:
    """Arms of four to one and a half standard errors and more from 0, in eight tasks."""
    rng = np.random.default_rng(11)
    far = np.linspace(1.5, 14, 8)[:, None] + np.array([0.0, 3.0, 1.0, 8.0])
    shape = (40, 8, 4) + ((3,) if "model" in coords else ())
    own = rng.normal(size=shape) + 0.5 * rng.normal(size=(40, 8, 1, *shape[3:]))
    y = (far / np.sqrt(40)).reshape(8, 4, *[1] * (len(shape) - 3)) + own
    levels = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    names = {"arm": ["0", "B", "A", "AB"], "task": [f"t{k}" for k in range(8)]}
    dims = ("unit", "arm", "task", "model")[: len(shape)]
    return xr.Dataset(
        {"outcome": (dims, np.moveaxis(y, 2, 1))}, names | levels | coords
    )


HOW = {
    "control": {"control": "0"},
    "last": {"control": "AB"},
    "four": {"interaction": ["a", "b"]},
    "average": {"contrasts": {"k": {"AB": 1, "A": -0.5, "B": -0.5}}},
}


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_ratio_has_the_p_limits_and_verdicts_of_its_logarithm(
    layout: Any, how: Any
) -> None:
    found = same_answers(positive_arms(**layout), how)
    assert "Fieller" in found.attrs["method"]
    assert not found["unbounded"].all()


PARALLEL = {
    "units": ({}, {}),
    "parents": ({"parent": ("unit", np.repeat(np.arange(10), 4))}, {}),
    "blocks": ({"block": ("unit", np.repeat(np.arange(10), 4))}, {}),
    "fixed blocks": (
        {"block": ("unit", np.repeat(np.arange(5), 8))},
        {"target": "units"},
    ),
}


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize(("coords", "options"), PARALLEL.values(), ids=PARALLEL)
def test_a_parallel_ratio_has_the_p_limits_and_verdicts_of_its_logarithm(
    coords: Any, options: Any, how: Any
) -> None:
    whole = positive_arms()
    arm = np.arange(40) % 4
    y = whole["outcome"].to_numpy()[np.arange(40), arm]
    names = whole["arm"].to_numpy()
    outcomes = xr.Dataset(
        {"outcome": (("unit", "task"), y + 0.3)},
        dict(whole.coords) | {"assigned": ("unit", names[arm])} | coords,
    )
    found = same_answers(outcomes, how, **options)
    assert "Fieller" in found.attrs["method"]


def test_limits_of_a_ratio_of_four_means_that_may_be_0_are_those_of_two_products() -> (
    None
):
    rng = np.random.default_rng(9)
    y = rng.normal([1.0, 1.0, 1.5, 2.0], 1.0, size=(20, 4))
    levels = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[:, :, None])},
        {"arm": ["0", "B", "A", "AB"], "task": ["y"]} | levels,
    )
    found = same_answers(outcomes, {"interaction": ["a", "b"]}).squeeze()
    change = y / y.mean(axis=0) - 1
    above, below = 1 + change[:, [0, 3]].sum(axis=1), 1 + change[:, 1:3].sum(axis=1)
    for limit in (found["lower"].item(), found["upper"].item()):
        np.testing.assert_allclose(
            stats.ttest_1samp(above - limit / found["ace"].item() * below, 0).pvalue,
            0.05,
            rtol=1e-6,
        )


# rows without a ratio


@pytest.mark.parametrize("scale", ["ratio", "log_of_means"])
@pytest.mark.parametrize("parallel", [False, True])
def test_a_row_with_a_mean_not_above_0_is_named_and_the_others_are_answered(
    scale: Any, parallel: bool
) -> None:
    whole = positive_arms().isel(task=slice(4, 8))
    if parallel:
        arm = np.arange(40) % 4
        whole = xr.Dataset(
            {
                "outcome": (
                    ("unit", "task"),
                    whole["outcome"].to_numpy()[np.arange(40), arm],
                )
            },
            dict(whole.coords) | {"assigned": ("unit", whole["arm"].to_numpy()[arm])},
        )
    lost = xr.where(whole["task"] == "t5", -1.0, 0.0)
    at = (whole["assigned"] if parallel else whole["arm"]) == "A"
    holed = whole.assign(outcome=whole["outcome"] + 9 * lost * at)
    with pytest.warns(DegenerateWarning):
        effects = contrast(holed, control="0", scale=scale)
    found, before = (
        estimate(effects),
        estimate(contrast(whole, control="0", scale=scale)),
    )
    assert any("'A' in 't5'" in note for note in cg.notes.notes_of(found))
    there = found["measured"]
    assert there.sum() == there.size - 1
    assert not there.sel(contrast="A", task="t5")
    for name in ("ace", "se", "p", "lower", "upper", "df"):
        assert np.isnan(found[name].sel(contrast="A", task="t5"))
        known = there.to_numpy()
        np.testing.assert_allclose(
            found[name].values[known], before[name].values[known], rtol=1e-9
        )
    rope = (0.8, 1.25) if scale == "ratio" else (-0.2, 0.2)
    for shrink in (None, cg.Shrinkage()) if scale != "ratio" else (None,):
        one, other = (cg.decide(x, rope=rope, shrink=shrink) for x in (found, before))
        assert one["verdict"].sel(contrast="A", task="t5") == ""
        np.testing.assert_array_equal(one["p"].values[known], other["p"].values[known])
    assert "'A' in 't5'" in str(cg.report(one, notes=True))
    band = cg.multiplicity.simultaneous(found, family="task")
    assert np.isnan(band["lower"].sel(contrast="A", task="t5"))
    assert np.isfinite(band["lower"].sel(contrast="A", task="t6"))


def test_a_contrast_of_tasks_needs_all_its_means() -> None:
    whole = positive_arms().isel(task=slice(4, 8))
    lost = 9 * (whole["task"] == "t5") * (whole["arm"] == "A")
    holed = whole.assign(outcome=whole["outcome"] - lost)
    tasks = {"first": {"t4": 1, "t5": -1}, "second": {"t6": 1, "t7": -1}}
    with pytest.warns(DegenerateWarning):
        effects = contrast(holed, control="0", scale="log_of_means", tasks=tasks)
    found = estimate(effects)["measured"].sel(contrast="A")
    assert found.to_numpy().tolist() == [False, True]
