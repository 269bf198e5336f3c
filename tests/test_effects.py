# Imports from the inside: contrasts of means, whose rounding is bounded in 40 digits.
from __future__ import annotations

from decimal import Decimal, localcontext
from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse, stats

import causalgia as cg
from causalgia.effects import contrast
from causalgia.effects.functions_of_means import (
    log_of_means,
    of_four_means,
)
from causalgia.effects.scales import on_scale
from causalgia.errors import DegenerateWarning, EstimateError
from causalgia.numerics.row_blocks import as_dense


def bpnet(none: Any, a: Any, b: Any, both: Any) -> Any:
    return both - a - b + none, a


def excess(none: Any, a: Any, b: Any, both: Any) -> Any:
    return both - a * b / none


ARMS = ["placebo", "GATA1", "TAL1"]


def crossover(values: Any, arms: list[str] = ARMS, scale: str = "counts") -> xr.Dataset:
    values = np.asarray(values)[:, :, None]
    coords = {
        "unit": np.arange(len(values)),
        "arm": arms,
        "task": ["K562"],
        "parent": ("unit", np.arange(len(values)) % 2),
        "gc": ("unit", np.linspace(0.3, 0.6, len(values))),
        "do": ("arm", [f"do({a})" for a in arms]),
        "random": ("arm", [False] * len(arms)),
    }
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), values)},
        coords=coords,
        attrs={"scale": scale, "null": "peaks"},
    )


def parallel() -> xr.Dataset:
    coords = {
        "unit": np.arange(4),
        "task": ["K562"],
        "arm": ARMS,
        "assigned": ("unit", ["placebo", "GATA1", "TAL1", "GATA1"]),
    }
    return xr.Dataset(
        {"outcome": (("unit", "task"), np.arange(4.0)[:, None])},
        coords=coords,
        attrs={"scale": "counts"},
    )


FINITE = st.floats(-1e3, 1e3, allow_subnormal=False)


@given(arrays(float, (5, 3), elements=FINITE))
def test_every_arm_against_the_control(y: np.ndarray) -> None:
    effects = contrast(crossover(y), control="placebo")
    assert effects["contrast"].values.tolist() == ["GATA1", "TAL1"]
    np.testing.assert_array_equal(effects["ice"][:, :, 0], y[:, 1:] - y[:, :1])


@given(arrays(float, (5, 3), elements=FINITE))
def test_relabeling_arms_flips_signs(y: np.ndarray) -> None:
    forward = contrast(crossover(y), contrasts={"c": {"GATA1": 1, "TAL1": -1}})
    swapped = contrast(
        crossover(y, arms=["placebo", "TAL1", "GATA1"]),
        contrasts={"c": {"GATA1": 1, "TAL1": -1}},
    )
    np.testing.assert_array_equal(forward["ice"], -swapped["ice"])


@given(arrays(float, (5, 4), elements=FINITE))
def test_adding_an_arm_changes_no_other_contrast(y: np.ndarray) -> None:
    fewer = contrast(crossover(y[:, :3]), control="placebo")
    more = contrast(crossover(y, arms=[*ARMS, "SPI1"]), control="placebo")
    np.testing.assert_array_equal(
        fewer["ice"], more["ice"].sel(contrast=fewer["contrast"])
    )


def test_a_control_may_be_a_number() -> None:
    effects = contrast(crossover([[1.0, 2.0]], arms=["0", "1"]), control=0)
    assert effects["contrast"].values.tolist() == ["1"]


def test_float32_outcomes_give_float64_effects() -> None:
    y = np.array([[1e7, 1.0, 2.0]], dtype=np.float32)
    effects = contrast(crossover(y), control="placebo")
    assert effects["ice"].dtype == np.float64
    assert effects["ice"].values[0, 0, 0] == 1 - 1e7


def test_what_the_outcomes_said_travels() -> None:
    effects = contrast(crossover(np.ones((3, 3))), control="placebo")
    assert effects.attrs["control"] == "placebo"
    assert effects.attrs["assignment"] == "crossover"
    assert effects.attrs["contrast_scale"] == "counts"
    assert {"parent", "gc", "random"} <= set(effects.coords)
    np.testing.assert_array_equal(effects["weight"], [[-1, 1, 0], [-1, 0, 1]])


def test_custom_weights_in_words_and_numbers() -> None:
    effects = contrast(
        crossover([[1.0, 2.0, 6.0]]),
        contrasts={"mean": {"placebo": -1, "GATA1": 0.5, "TAL1": 0.5}},
    )
    assert effects["ice"].item() == 3.0


def test_models_keep_their_dim() -> None:
    outcomes = crossover(np.arange(6.0).reshape(2, 3)).expand_dims(
        model=["a", "b"], axis=-1
    )
    effects = contrast(outcomes, control="placebo")
    assert effects["ice"].dims == ("unit", "contrast", "task", "model")
    np.testing.assert_array_equal(
        effects["ice"].sel(contrast="TAL1"), np.full((2, 1, 2), 2.0)
    )


def test_parallel_keeps_outcomes_because_no_ice_exists() -> None:
    effects = contrast(parallel(), control="placebo")
    assert "ice" not in effects
    np.testing.assert_array_equal(effects["outcome"][:, 0], np.arange(4.0))
    assert effects["assigned"].values.tolist() == ["placebo", "GATA1", "TAL1", "GATA1"]
    assert effects.attrs["assignment"] == "parallel"


# the control arm's spread


def test_control_sd_is_that_of_the_arm_that_is_subtracted() -> None:
    y = np.array([[1.0, 2.0, 6.0], [4.0, 2.5, 7.0], [3.0, 9.0, 1.0]])
    effects = contrast(crossover(y), control="placebo")
    np.testing.assert_allclose(
        effects["control_sd"][:, 0], np.full(2, y[:, 0].std(ddof=1))
    )
    logs = contrast(
        crossover(y),
        contrasts={"c": {"TAL1": 2, "placebo": -0.5, "GATA1": -1.5}},
        scale="log",
    )
    pooled = np.sqrt([0.25, 0.75] @ np.log(y[:, :2]).var(axis=0, ddof=1))
    np.testing.assert_allclose(logs["control_sd"].item(), pooled)


def test_weighted_contrasts_are_measured_in_the_untreated_arm() -> None:
    """One yardstick for a table: no contrast changes it by its sign, by its company or
    by leaving the arm out.
    """
    y = np.random.default_rng(0).lognormal(size=(30, 4)) * [1.0, 2.0, 3.0, 4.0]
    arms, kinds = ["none", "A", "B", "AB"], ["untreated", "embed", "embed", "embed"]
    factors = {
        "A": ("arm", [False, True, False, True]),
        "B": ("arm", [False, False, True, True]),
    }
    outcomes = crossover(y, arms=arms).assign_coords(kind=("arm", kinds), **factors)
    asked = {
        "up": {"A": 1, "B": -1},
        "down": {"A": -1, "B": 1},
        "both": {"AB": 1, "A": -1, "B": -1, "none": 1},
    }
    for scale, own in (
        ("identity", y),
        ("log", np.log(y)),
        ("log_of_means", y / y.mean(axis=0)),
    ):
        effects = contrast(outcomes, contrasts=asked, scale=scale)
        np.testing.assert_allclose(effects["control_sd"], own[:, 0].std(ddof=1))
        assert effects.attrs["control_sd_of"] == "the untreated arm"
        alone = contrast(outcomes, contrasts={"up": asked["up"]}, scale=scale)
        np.testing.assert_allclose(alone["control_sd"], effects["control_sd"][:1])
        np.testing.assert_allclose(alone["ice"], effects["ice"].sel(contrast=["up"]))
        crossed = contrast(outcomes, interaction=["A", "B"], scale=scale)
        np.testing.assert_allclose(crossed["control_sd"], effects["control_sd"][:1])
    against = contrast(outcomes, control="A")
    np.testing.assert_allclose(against["control_sd"], y[:, 1].std(ddof=1))
    assert "control_sd_of" not in against.attrs
    still = contrast(
        outcomes.assign(
            outcome=outcomes["outcome"].where(outcomes["arm"] != "none", 2.0)
        ),
        contrasts=asked,
    )
    np.testing.assert_allclose(
        still["control_sd"][:2, 0], y[:, [2, 1]].std(axis=0, ddof=1)
    )
    assert "control_sd_of" not in still.attrs
    other = outcomes.assign(
        outcome=outcomes["outcome"].where(outcomes["arm"] != "none", 2.0)
    )
    # a table has one yardstick
    tasks = [outcomes["outcome"], other["outcome"].assign_coords(task=["HepG2"])]
    half = xr.Dataset({"outcome": xr.concat(tasks, "task")}, attrs=outcomes.attrs)
    assert "control_sd_of" not in contrast(half, contrasts=asked).attrs
    twice = outcomes.assign_coords(
        kind=("arm", ["untreated", "embed", "untreated", "embed"])
    )
    np.testing.assert_allclose(
        contrast(twice, contrasts=asked)["control_sd"][:2, 0],
        y[:, [2, 1]].std(axis=0, ddof=1),
    )


@pytest.mark.parametrize("scale", ["identity", "log", "log_of_means", "ratio"])
def test_weighted_contrasts_of_a_parallel_trial_too(scale: str) -> None:
    y, arms = (
        np.random.default_rng(1).lognormal(size=(60, 1)),
        np.repeat(["none", "A", "B"], 20),
    )
    coords = {
        "unit": np.arange(60),
        "task": ["K562"],
        "arm": ["none", "A", "B"],
        "assigned": ("unit", arms),
    }
    trial = xr.Dataset(
        {"outcome": (("unit", "task"), y)}, coords=coords, attrs={"scale": "counts"}
    )
    trial = trial.assign_coords(kind=("arm", ["untreated", "embed", "embed"]))
    one, other = (
        contrast(trial, contrasts={"c": w}, scale=scale)
        for w in ({"A": 1, "B": -1}, {"A": -1, "B": 1})
    )
    own = {"identity": y, "log": np.log(y)}.get(scale, y / y[:20].mean())[:20]
    for effects in (one, other):
        np.testing.assert_allclose(effects["control_sd"].item(), own.std(ddof=1))
    plain = contrast(
        trial.drop_vars("kind"), contrasts={"c": {"A": 1, "B": -1}}, scale=scale
    )
    np.testing.assert_allclose(cg.estimate(one)["ace"], cg.estimate(plain)["ace"])
    np.testing.assert_allclose(cg.estimate(one)["se"], cg.estimate(plain)["se"])


def test_control_sd_is_zero_where_only_rounding_varies() -> None:
    y = np.array([[0.3, 1.0], [0.1 + 0.2, 2.0]])
    assert (
        contrast(crossover(y, arms=["placebo", "A"]), control="placebo")[
            "control_sd"
        ].item()
        == 0
    )


def test_control_sd_of_a_parallel_trial_is_of_the_units_that_got_the_arm() -> None:
    effects = contrast(parallel(), control="GATA1")
    np.testing.assert_allclose(
        effects["control_sd"], np.full((2, 1), np.std([1.0, 3.0], ddof=1))
    )
    assert "control_sd" not in contrast(parallel(), control="placebo")
    one_of_two_arms_is_a_unit = {"half": {"TAL1": 1, "GATA1": -0.5, "placebo": -0.5}}
    assert "control_sd" not in contrast(parallel(), contrasts=one_of_two_arms_is_a_unit)
    assert "control_sd" not in contrast(crossover([[1.0, 2.0, 3.0]]), control="placebo")


# scales


@pytest.mark.parametrize(
    ("scale", "g"),
    [("log", np.log), ("log2", np.log2), ("logit", lambda y: np.log(y / (1 - y)))],
)
def test_scales_transform_the_outcomes_first(scale: Any, g: Any) -> None:
    y = np.array([[0.1, 0.2, 0.4], [0.3, 0.5, 0.7]])
    effects = contrast(crossover(y), control="placebo", scale=scale)
    np.testing.assert_allclose(
        effects["ice"][:, :, 0], g(y[:, 1:]) - g(y[:, :1]), rtol=1e-14
    )


def test_parallel_outcomes_are_transformed_too() -> None:
    outcomes = parallel() + 1
    outcomes.attrs["scale"] = "counts"
    effects = contrast(outcomes, control="placebo", scale="log2")
    np.testing.assert_allclose(effects["outcome"][:, 0], np.log2(np.arange(4.0) + 1))


# interactions


def factorial(k: int, y: np.ndarray) -> xr.Dataset:
    cells = list(product([0, 1], repeat=k))
    outcomes = crossover(y, arms=["".join(map(str, c)) for c in cells])
    return outcomes.assign_coords(
        {f: ("arm", [c[i] for c in cells]) for i, f in enumerate("ABC"[:k])}
    )


@given(arrays(float, (4, 8), elements=FINITE))
def test_interactions_of_two_and_three_factors(y: np.ndarray) -> None:
    two = contrast(factorial(2, y[:, :4]), interaction=["A", "B"])
    assert two["contrast"].item() == "A:B"
    np.testing.assert_allclose(
        two["ice"][:, 0, 0], y[:, 3] - y[:, 2] - y[:, 1] + y[:, 0], atol=1e-9
    )
    three = contrast(factorial(3, y), interaction=["A", "B", "C"])
    at_c = [y[:, 6 + c] - y[:, 4 + c] - y[:, 2 + c] + y[:, c] for c in (0, 1)]
    np.testing.assert_allclose(three["ice"][:, 0, 0], at_c[1] - at_c[0], atol=1e-9)


def test_arms_without_levels_stand_outside() -> None:
    y = np.array([[1.0, 2.0, 4.0, 9.0, 100.0]])
    outcomes = crossover(y, arms=["0", "A", "B", "AB", "placebo"])
    outcomes = outcomes.assign_coords(
        A=("arm", [0, 1, 0, 1, np.nan]), B=("arm", ["", "", "", "", ""])
    )
    outcomes = outcomes.assign_coords(B=("arm", ["no", "no", "yes", "yes", ""]))
    assert contrast(outcomes, interaction=["A", "B"])["ice"].item() == 9 - 4 - 2 + 1


# what is refused


# rounding


def flags(y: np.ndarray) -> tuple[bool, bool]:
    effects = contrast(crossover(y, arms=["placebo", "GATA1"]), control="placebo")
    return effects["constant"].item(), effects["zero"].item()


def test_one_large_unit_hides_no_effect_in_the_others() -> None:
    rng = np.random.default_rng(0)
    base = np.append(rng.lognormal(2, 1, 199), 2e7)
    effect = np.append(rng.choice([0.0, 0.5, 1.0], 199), 0.0)
    assert flags(np.stack([base, base + effect], axis=1).astype(np.float32)) == (
        False,
        False,
    )


def test_several_distinct_effects_at_an_offset_are_a_spread() -> None:
    ice = np.array([-0.125, -0.0625, 0.0, 0.0625, 0.125])
    y = np.stack([np.full(5, 1e6), 1e6 + ice], axis=1).astype(np.float32)
    assert flags(y) == (False, False)
    assert flags(np.full((5, 2), 1e6, dtype=np.float32)) == (True, True)


def test_one_effect_within_rounding_is_constant_and_zero_only_where_it_may_be() -> None:
    base = np.random.default_rng(1).normal(size=50) * 100
    assert np.ptp((base + 0.3) - base) > 0
    assert flags(np.stack([base, base + 0.3], axis=1)) == (True, False)
    assert flags(np.array([[0.3, 0.1 + 0.2], [0.3, 0.3]])) == (True, True)
    # a billionth of the outcomes says nothing either
    assert flags(np.array([[0.3, 0.3 + 1e-12], [0.3, 0.3]])) == (True, True)
    assert flags(np.array([[0.3, 0.3 + 1e-9], [0.3, 0.3]])) == (False, False)


@given(arrays(float, (6, 3), elements=FINITE))
def test_another_arm_changes_no_flag(y: np.ndarray) -> None:
    fewer = contrast(crossover(y[:, :2], arms=ARMS[:2]), control="placebo")
    more = contrast(crossover(y * [1, 1, 1e12]), control="placebo").sel(
        contrast=["GATA1"]
    )
    for name in ("constant", "zero"):
        np.testing.assert_array_equal(fewer[name], more[name])


def test_weights_are_narrow_where_that_is_exact() -> None:
    assert (
        contrast(crossover(np.ones((2, 3))), control="placebo")["weight"].dtype
        == np.float32
    )
    thirds = {"c": {"placebo": -2 / 3, "GATA1": 1 / 3, "TAL1": 1 / 3}}
    weight = contrast(crossover(np.ones((2, 3))), contrasts=thirds)["weight"]
    assert weight.dtype == np.float64
    assert weight.values[0, 1] == 1 / 3


# words, names and types


@pytest.mark.parametrize(
    "measured_on",
    ["biology score", "analog signal", "Logistic prob", "catalog", "dialog"],
)
def test_words_that_hold_log_are_no_logarithm(measured_on: str) -> None:
    assert contrast(
        crossover(np.full((2, 3), 0.5), scale=measured_on),
        control="placebo",
        scale="log",
    )


def test_an_arm_without_weight_is_not_read() -> None:
    y = np.array([[1.0, 2.0, -1.0], [3.0, 4.0, 0.0]])
    effects = contrast(
        crossover(y), contrasts={"c": {"GATA1": 1, "placebo": -1}}, scale="log"
    )
    np.testing.assert_allclose(effects["ice"].values.ravel(), np.log([2, 4 / 3]))
    outcomes = parallel().assign(
        outcome=(("unit", "task"), [[1.0], [2.0], [-1.0], [4.0]])
    )
    effects = contrast(
        outcomes, contrasts={"c": {"GATA1": 1, "placebo": -1}}, scale="log"
    )
    assert effects["unit"].values.tolist() == [0, 1, 3]
    np.testing.assert_allclose(effects["outcome"].values.ravel(), np.log([1, 2, 4]))


@pytest.mark.parametrize(
    "control", [0, 0.0, np.int64(0), np.float64(0), np.float32(0), "0"]
)
def test_numbers_name_arms(control: Any) -> None:
    effects = contrast(crossover([[1.0, 2.0]], arms=["0", "1"]), control=control)
    assert effects["contrast"].values.tolist() == ["1"]
    assert effects.attrs["control"] == "0"
    assert (
        contrast(
            crossover([[1.0, 2.0]], arms=["0", "1"]),
            contrasts={"c": {1.0: 1, control: -1}},
        )["ice"].item()
        == 1
    )


def test_weights_are_dense_in_float32_only_where_all_of_them_are_exact_in_it() -> None:
    thirds = as_dense(
        sparse.csr_array(np.array([[1.0, -1 / 3, -2 / 3], [0.0, 0.5, -0.5]]))
    )
    assert thirds.dtype == np.float64
    np.testing.assert_array_equal(thirds, [[1.0, -1 / 3, -2 / 3], [0.0, 0.5, -0.5]])
    assert as_dense(sparse.csr_array(np.array([[1.0, -0.5, -0.5]]))).dtype == np.float32


@pytest.mark.parametrize("sign", [1.0, 0.0])
def test_an_interaction_that_divides_by_what_is_not_positive_is_refused(
    sign: float,
) -> None:
    y = np.array([[1.0, 1.0], [2.0, 2.0], [-3.0, -5.0], [9.0, 11.0]])
    y[2] *= sign
    with pytest.raises(
        EstimateError,
    ):
        of_four_means(y, np.zeros((4, 2)), bpnet)


def test_what_is_known_of_tasks_stays_with_their_effects() -> None:
    outcomes = crossover(np.ones((2, 3))).assign_coords(
        cell=("task", ["erythroid"]), run=7
    )
    effects = contrast(outcomes, control="placebo")
    assert effects["cell"].dims == ("task",)
    assert effects["cell"].item() == "erythroid"
    assert effects["run"].item() == 7
    assert effects["do"].dims == ("contrast",)


def test_control_sds_of_very_different_sizes_are_pooled() -> None:
    """Squares of 3e200 are not floats, whether the arm beside it varies little or not
    at all.
    """
    rng = np.random.default_rng(0)
    large = 3.0 * rng.normal(size=20)
    y = np.stack(
        [rng.normal(size=20), rng.normal(size=20), large * 1e200, np.ones(20)], axis=1
    )
    asked = {
        "small": {"A": 1, "b": -0.5, "c": -0.5},
        "still": {"A": 1, "c": -0.5, "d": -0.5},
    }
    found = contrast(crossover(y, arms=["A", "b", "c", "d"]), contrasts=asked)[
        "control_sd"
    ].values.ravel()
    np.testing.assert_allclose(found, np.sqrt(0.5) * large.std(ddof=1) * 1e200)


@pytest.mark.parametrize("size", [1e-300, 1e-3, 1.0, 1e3, 1e300])
def test_the_rounding_of_a_logarithm_is_within_its_bound(size: float) -> None:
    """Against logarithms to 40 digits: the bound of log b - log a holds their distance,
    and is above 0.
    """
    mean = np.array([size, 3 * size])
    found = log_of_means(
        mean, np.zeros((2, 1)), np.zeros((2, 1)), sparse.csr_array([[-1.0, 1.0]])
    )
    with localcontext(prec=40):
        exact = Decimal(mean[1].item()).ln() - Decimal(mean[0].item()).ln()
        off = abs(Decimal(found.value.item()) - exact)
    assert off <= Decimal(found.bound.item()) <= Decimal("1e-11")
    assert found.bound.item() >= abs(np.log(size)) * np.finfo(float).eps


@pytest.mark.parametrize("arm", range(4))
def test_rounding_of_one_arm_moves_the_influence_no_further_than_its_bound(
    arm: int,
) -> None:
    """Outcomes of one arm of which the last unit alone is uncertain: the mean moves
    with it, and so does every unit.
    """
    y = np.array(
        [
            [1.0, 1.5, 2.0, 1.2],
            [2.0, 2.1, 2.6, 2.2],
            [3.0, 3.3, 5.0, 2.9],
            [9.0, 9.4, 11.0, 8.0],
        ]
    )
    bound = np.zeros(y.shape)
    bound[arm, -1] = 1e-6
    for parts in (bpnet, excess):
        here, there = (of_four_means(z, bound, parts) for z in (y, y + bound))
        moved = np.abs(there.influence - here.influence)[0]
        slope = np.abs(there.value - here.value).item() / (bound[arm].sum() / 4)
        # what a unit's own and the mean's rounding do together
        linear = slope * (bound[arm] + bound[arm].mean())
        assert (moved <= 1e-11 + 2 * here.bound[0]).all()
        np.testing.assert_allclose(here.bound[0], linear, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_weights_sum_to_zero_relative_to_their_size(size: float) -> None:
    def ask(off: float) -> xr.Dataset:
        return contrast(
            crossover(np.eye(3)),
            contrasts={"c": {"GATA1": size, "placebo": -size * (1 + off)}},
        )

    assert ask(1e-10).sizes["contrast"] == 1


def test_scales_of_four_means_name_what_they_need() -> None:
    y = np.random.default_rng(0).uniform(1, 2, (8, 4))
    shared = crossover(y, arms=["0", "A", "B", "AB"])
    shared = shared.assign_coords(a=("arm", [0, 1, 0, 1]), b=("arm", [0, 0, 1, 1]))
    apart = shared.isel(arm=0, drop=True).drop_vars(["random"], errors="ignore")
    apart = apart.assign_coords(
        arm=shared["arm"],
        a=shared["a"],
        b=shared["b"],
        assigned=("unit", ["0", "A", "B", "AB"] * 2),
    )
    with pytest.raises(
        EstimateError,
    ):
        contrast(apart, interaction=["a", "b"], scale=bpnet)


def test_one_untreated_unit_has_no_spread_to_measure_in() -> None:
    kinds = ("arm", ["untreated", "embed", "embed"])
    asked = {"c": {"GATA1": 1, "TAL1": -1}}
    one = contrast(
        crossover([[1.0, 2.0, 3.0]]).assign_coords(kind=kinds), contrasts=asked
    )
    two = contrast(parallel().assign_coords(kind=kinds), contrasts=asked)
    for effects in (one, two):
        assert not {"control_sd", "control_sd_of"} & {
            *effects.variables,
            *effects.attrs,
        }


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("scale", ["log_of_means", "ratio"])
def test_arms_of_one_number_within_rounding_are_exact_at_any_size(
    size: float, scale: str
) -> None:
    """Three ways to write 0.3 and 0.6: an arm varies by rounding alone, and so does the
    logarithm of its mean.
    """
    y = size * np.array([[0.3, 0.6], [0.1 + 0.2, 0.6], [0.3, 3 * 0.2], [0.1 * 3, 0.6]])
    shared = crossover(y, arms=["c", "A"])
    apart = xr.Dataset(
        {"outcome": (("unit", "task"), y.T.reshape(-1, 1))},
        coords={
            "unit": np.arange(8),
            "arm": ["c", "A"],
            "task": ["K562"],
            "assigned": ("unit", ["c"] * 4 + ["A"] * 4),
        },
        attrs={"scale": "counts"},
    )
    for outcomes in (shared.drop_vars("parent"), apart):
        with pytest.warns(DegenerateWarning):
            found = cg.estimate(contrast(outcomes, control="c", scale=scale))
        assert found["se"].item() == 0
        assert found["ace"].item() == pytest.approx(
            np.log(2) if scale == "log_of_means" else 2
        )


@pytest.mark.parametrize("lazy", [False, True])
def test_outcomes_that_are_all_zero_have_effects_that_are_zero(lazy: bool) -> None:
    y = np.zeros((6, 3))
    y[:, 2] = 1.0
    outcomes = crossover(y).drop_vars("parent")
    found = contrast(outcomes.chunk(unit=2) if lazy else outcomes, control="placebo")
    assert found["constant"].values.ravel().tolist() == [True, True]
    assert found["zero"].values.ravel().tolist() == [True, False]
    with pytest.warns(DegenerateWarning):
        estimates = cg.estimate(found)
    # the limits of 0 and of 6 in 6 pairs, of Wilson's by arm: r of 1 and of -1
    z2 = stats.norm.ppf(0.975) ** 2
    np.testing.assert_allclose(
        estimates["lower"].values.ravel(), [-z2 / (6 + z2), (6 - z2) / (6 + z2)]
    )
    np.testing.assert_allclose(estimates["upper"].values.ravel(), [z2 / (6 + z2), 1.0])
    # z of the limit that reaches 0: 2 z^2 / (6 + z^2) = 1
    p = 2 * stats.norm.sf(np.sqrt(6))
    np.testing.assert_allclose(estimates["p"].values.ravel(), [1.0, p])


def test_rounding_of_the_log_of_a_mean_is_alike_for_large_and_small_outcomes() -> None:
    """Powers of two change no digit of an outcome: the bound depends on the size of the
    logarithm alone.
    """
    arms = ["c", "c", "A", "A"]
    bounds = []
    for size in (2.0**-100, 2.0**100):
        outcomes = xr.Dataset(
            {
                "outcome": (
                    ("unit", "task"),
                    size * np.array([[0.5], [1.5], [0.75], [1.25]]),
                )
            },
            coords={"arm": ["c", "A"], "task": ["K562"], "assigned": ("unit", arms)},
        )
        bounds.append(
            contrast(outcomes, control="c", scale="log_of_means")[
                "rounding"
            ].values.ravel()
        )
    np.testing.assert_allclose(bounds[0], bounds[1], rtol=1e-12)
    assert (bounds[0] > 100 * np.log(2) * np.finfo(float).eps).all()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_rounding_of_a_mean_counts_by_its_size(size: float) -> None:
    """Of exact outcomes eight units of float64 a mean remain, times the slope: A B / 0
    three times, and AB.
    """
    y = size * np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [9.0, 9.0]])
    found = of_four_means(y, np.zeros((4, 2)), excess)
    np.testing.assert_allclose(
        found.bound, 8 * np.finfo(float).eps * size * (3 * 6 + 9), rtol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_half_a_unit_in_the_last_place_whatever_the_sign(
    dtype: Any,
) -> None:
    y = np.array([0.3, 1.0, 1e-20, 1e20, 0.0], dtype=dtype)
    for values in (y, -y):
        bound = on_scale(xr.DataArray(values), "identity", "counts")[1]
        size = np.abs(values.astype(float))
        assert (bound >= np.spacing(np.abs(values)) / 2).all()
        np.testing.assert_allclose(
            bound,
            np.spacing(np.abs(values)) / 2 + 5 * np.finfo(float).eps * size,
            rtol=1e-12,
        )


@pytest.mark.parametrize(
    ("scale", "slope"), [("log", 1.0), ("log2", 1 / np.log(2)), ("logit", None)]
)
@pytest.mark.parametrize("y", [1e-6, 0.25, 0.5, 0.9])
def test_rounding_on_a_scale_is_that_of_the_outcome_times_the_slope(
    scale: Any, slope: float | None, y: float
) -> None:
    put, bound = on_scale(xr.DataArray(np.array([y])), scale, "share")
    of_outcome = np.spacing(y) / 2 + 4 * np.finfo(float).eps * y
    moved = of_outcome * (1 / (y * (1 - y)) if slope is None else slope / y)
    assert bound.item() == pytest.approx(
        moved + np.finfo(float).eps * abs(put.item()), rel=1e-9
    )


def test_what_is_asked_goes_before_what_was_planned() -> None:
    outcomes = crossover(np.random.default_rng(0).normal(size=(5, 3)))
    planned = outcomes.assign_attrs(analysis=cg.Analysis(control="placebo").to_json())
    assert contrast(planned)["contrast"].values.tolist() == ["GATA1", "TAL1"]
    assert "exploratory" not in contrast(planned, control="placebo").attrs
    asked = contrast(planned, control="TAL1")
    assert asked["contrast"].values.tolist() == ["placebo", "GATA1"]
    assert "control" in asked.attrs["exploratory"]
    xr.testing.assert_identical(asked["ice"], contrast(outcomes, control="TAL1")["ice"])
