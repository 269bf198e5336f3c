"""Verdicts: their rules, their stated errors against simulated truth, and whatever may
be decided about.
"""

from __future__ import annotations

import importlib
import itertools
import json
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    ConvergenceError,
    DecisionError,
    EstimateError,
    FewClustersWarning,
    InferenceError,
    OutcomesError,
)
from causalgia.multiplicity import equivalence, placebo_region
from causalgia.multiplicity.families import as_joint_estimates
from causalgia.multiplicity.placebo import resolution_note
from causalgia.posterior.posterior_tree import tree_datasets
from causalgia.schema import validate
from causalgia.verdicts import decide, more_units, rule, running_mean
from causalgia.verdicts._decide import band_error
from causalgia.verdicts.evidence import union_interval
from causalgia.verdicts.posterior_evidence import _rhat_by_chance, split_rhat, summarize
from causalgia.verdicts.rare_effects import (
    few_real_sequences,
    independent_draws,
    missed_share,
    unseen,
)
from causalgia.verdicts.rope import (
    Region,
    left_out_sentence,
    rope_region,
    select_tasks,
    tasks_that_vary,
)

EFFECT = ("contrast", "task")
DRAWS = ("chain", "draw", "contrast", "task")


def verdicts(decisions: xr.Dataset) -> list[str]:
    return [str(v) for v in decisions["verdict"].values.ravel()]


def posterior(draws: np.ndarray, **groups: xr.Dataset) -> dict[str, xr.Dataset]:
    """A tree of draws (S, K) in four chains."""
    ace = np.asarray(draws).reshape(4, -1, draws.shape[1], 1)
    names = {"contrast": [f"c{k}" for k in range(draws.shape[1])], "task": ["K562"]}
    return {"posterior": xr.Dataset({"ace": (DRAWS, ace)}, coords=names), **groups}


def conjugate(
    rng: np.random.Generator, n: int, *, spike: float = 0.0, n_draws: int = 1000
) -> tuple[np.ndarray, Any]:
    """Truths from a spike and N(0, 1), estimates with se 1/2, and exact posterior
    draws, shape (n_draws, n).
    """
    truth = np.where(rng.random(n) < spike, 0.0, rng.normal(size=n))
    se = 0.5
    y = truth + se * rng.normal(size=n)
    shrink = 1 / (1 + se**2)
    alive = (1 - spike) * stats.norm.pdf(y, 0, np.sqrt(1 + se**2))
    p_spike = (
        spike * stats.norm.pdf(y, 0, se) / (spike * stats.norm.pdf(y, 0, se) + alive)
    )
    draws = shrink * y + np.sqrt(shrink) * se * rng.normal(size=(n_draws, n))
    return truth, np.where(rng.random((n_draws, n)) < p_spike, 0.0, draws)


def wrong(said: np.ndarray, truth: np.ndarray, low: float, high: float) -> np.ndarray:
    up, down, none = (said == name for name in ("increases", "decreases", "negligible"))
    return (
        (up & (truth <= high))
        | (down & (truth >= low))
        | (none & ((truth < low) | (truth > high)))
    )


# rules


def test_running_means_are_the_q_and_s_values_of_ash() -> None:
    r = json.loads(
        (
            Path(__file__).parent / "reference/adaptive_shrinkage/expected.json"
        ).read_text()
    )
    for fit in (r["null_biased"], r["uniform"]):
        np.testing.assert_allclose(
            running_mean(np.array(fit["lfdr"])), fit["q"], rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            running_mean(np.array(fit["lfsr"])), fit["s_value"], rtol=1e-9, atol=1e-12
        )


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_the_bayesian_set_is_the_largest_of_its_mean(
    cuts: list[tuple[float, float]], alpha: float
) -> None:
    low, high = np.sort(np.array(cuts), axis=1).T
    errors = 1 - np.stack([low, high - low, 1 - high])
    found = rule(errors, alpha=alpha, error="posterior")
    for chosen in (found.best == "negligible", found.best != "negligible"):
        ordered = np.sort(found.local_error[chosen])
        ends = [
            k
            for k in range(1, len(ordered) + 1)
            if k == len(ordered) or ordered[k] > ordered[k - 1]
        ]
        most = max(
            (k for k in ends if ordered[:k].mean() <= alpha * (1 + 1e-9)), default=0
        )
        called = chosen & (found.verdict != "undecided")
        assert called.sum() == most
        assert not called.any() or found.local_error[called].mean() <= alpha * (
            1 + 1e-6
        )
    local = rule(errors, alpha=alpha, error="local")
    assert (
        (local.verdict != "undecided") == (local.local_error <= alpha * (1 + 1e-9))
    ).all()


def test_easy_negligibles_do_not_pay_for_wrong_directions() -> None:
    errors = np.ones((3, 101))
    errors[1, :100], errors[2, 100] = 0.0, 0.4
    found = rule(errors, alpha=0.05, error="posterior")
    assert found.verdict[100] == "undecided"
    assert (found.verdict[:100] == "negligible").all()


def test_bh_adjusts_each_class_over_all_questions() -> None:
    effect, se = (
        np.array([3.0, 1.6, 0.0, 0.1, -2.2]),
        np.array([0.5, 0.5, 0.3, 0.5, 0.5]),
    )
    found = decide(cg.from_effects(effect, se), rope=(-1, 1), error="fdr")
    up, down = stats.norm.sf((effect - 1) / se), stats.norm.cdf((effect + 1) / se)
    inside = np.maximum(
        stats.norm.sf((effect + 1) / se), stats.norm.cdf((effect - 1) / se)
    )
    # .025 a side
    directional = stats.false_discovery_control(np.minimum(2 * np.minimum(up, down), 1))
    negligible = stats.false_discovery_control(inside)
    best = np.stack([2 * down, inside, 2 * up]).argmin(axis=0)
    q = np.where(best == 1, negligible, directional)
    np.testing.assert_allclose(found["q"].values.ravel(), q)
    assert verdicts(found) == [
        "increases",
        "undecided",
        "negligible",
        "undecided",
        "decreases",
    ]
    assert ((q <= 0.05) == [v != "undecided" for v in verdicts(found)]).all()


def test_a_share_at_the_level_is_enough() -> None:
    draws = np.random.default_rng(0).permutation(
        np.r_[np.full(950, 1.0), np.full(50, -1.0)]
    )[:, None]
    assert verdicts(decide(posterior(draws), rope=0)) == ["increases"]
    draws[np.argmax(draws)] = -1.0
    assert verdicts(decide(posterior(draws), rope=0)) == ["undecided"]


# summaries of draws


def test_draws_are_counted() -> None:
    draws = np.array([[-2.0, 0.0], [-0.1, 0.0], [0.1, 0.0], [3.0, 5.0]])
    found = summarize(draws, np.array([-0.1, 0.0]), np.array([0.1, 1.0]), ci_prob=0.5)
    assert found.above.tolist() == [0.25, 0.25]
    assert found.below.tolist() == [0.25, 0.0]
    assert found.lfsr.tolist() == [0.5, 0.75]
    np.testing.assert_allclose(
        [found.lower, found.upper], np.quantile(draws, [0.25, 0.75], axis=0)
    )


def test_blocks_change_nothing() -> None:
    draws = np.random.default_rng(0).normal(size=(40_000, 250))
    rope = np.linspace(-2, 0, 250), np.linspace(0, 2, 250)
    whole = summarize(draws, *rope, ci_prob=0.9)
    for k in (0, 104, 105, 249):
        one = summarize(draws[:, [k]], rope[0][[k]], rope[1][[k]], ci_prob=0.9)
        assert one.above == whole.above[k] == (draws[:, k] > rope[1][k]).mean()
        assert one.lower == whole.lower[k]


def test_draws_are_left_as_they_are() -> None:
    for k in (1, 3):
        draws = np.random.default_rng(0).normal(size=(400, k))
        before = draws.copy()
        decide(posterior(draws), rope=(-1, 1))
        np.testing.assert_array_equal(draws, before)


def test_a_spike_counts_as_no_sign() -> None:
    draws = np.random.default_rng(0).permutation(
        np.r_[np.zeros(300), np.full(600, 0.5), np.full(100, -0.5)]
    )[:, None]
    found = decide(posterior(draws), rope=(-0.1, 0.1))
    assert found["lfsr"].item() == pytest.approx(0.4)
    assert found["p_rope"].item() == pytest.approx(0.3)
    assert found["local_error"].item() == pytest.approx(0.4)


def test_thousands_of_effects_are_small() -> None:
    draws = np.random.default_rng(0).normal(size=(4000, 3_000))
    tracemalloc.start()
    decide(posterior(draws), rope=(-0.1, 0.1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120 * 2**20


# stated errors against truth


@pytest.mark.parametrize("spike", [0.0, 0.6])
def test_a_local_error_is_the_chance_of_being_wrong(spike: float) -> None:
    rng = np.random.default_rng(11)
    truth, draws = conjugate(rng, 8000, spike=spike)
    found = decide(posterior(draws), rope=(-0.3, 0.3))
    best = rule(
        1
        - np.stack([found[n].values.ravel() for n in ("p_below", "p_rope", "p_above")]),
        alpha=1.0,
        error="local",
    )
    error, missed = (
        found["local_error"].values.ravel(),
        wrong(best.verdict, truth, -0.3, 0.3),
    )
    edges = np.quantile(error, np.linspace(0, 1, 9))
    for low, high in itertools.pairwise(edges):
        mine = (error >= low) & (error <= high)
        band = 4 * np.sqrt(np.sum(error[mine] * (1 - error[mine])) + 1) / mine.sum()
        assert abs(missed[mine].mean() - error[mine].mean()) < band + 1e-3


@pytest.mark.parametrize("spike", [0.0, 0.6])
def test_an_lfsr_is_the_chance_of_a_wrong_sign(spike: float) -> None:
    truth, draws = conjugate(np.random.default_rng(12), 8000, spike=spike)
    found = decide(posterior(draws), rope=0)
    lfsr = found["lfsr"].values.ravel()
    sign = np.where((draws > 0).sum(axis=0) > (draws < 0).sum(axis=0), 1, -1)
    missed = np.sign(truth) != sign
    for low in np.arange(0, 1, 0.1):
        mine = (lfsr >= low) & (lfsr < low + 0.1)
        if mine.sum() > 50:
            band = 4 * np.sqrt(np.sum(lfsr[mine] * (1 - lfsr[mine])) + 1) / mine.sum()
            assert abs(missed[mine].mean() - lfsr[mine].mean()) < band


@pytest.mark.once
@pytest.mark.parametrize("spike", [0.0, 0.6])
def test_the_bayesian_fdr_is_its_level_in_each_class(spike: float) -> None:
    truth, draws = conjugate(
        np.random.default_rng(13), 20_000, spike=spike, n_draws=800
    )
    found = decide(posterior(draws), rope=(-0.9, 0.9), ci_prob=0.9, error="posterior")
    said, error = np.array(verdicts(found)), found["local_error"].values.ravel()
    missed = wrong(said, truth, -0.9, 0.9)
    for mine in (np.isin(said, ["increases", "decreases"]), said == "negligible"):
        assert mine.sum() > 300
        assert error[mine].mean() <= 0.1
        band = 4 * np.sqrt(np.sum(error[mine] * (1 - error[mine])))
        assert abs(missed[mine].sum() - error[mine].sum()) < band


def test_tests_are_wrong_as_often_as_they_say_at_the_end_of_the_rope() -> None:
    rng, n = np.random.default_rng(14), 20_000
    for truth in (0.5, -0.5, 0.0):
        x = rng.normal(truth, 1.0, size=(n, 30))
        estimates = cg.from_effects(
            x.mean(axis=1), x.std(axis=1, ddof=1) / np.sqrt(30), df=29
        )
        rope = (-0.5, 0.5) if truth else 0
        said = np.array(verdicts(decide(estimates, rope=rope, error="local")))
        directional = int(np.isin(said, ["increases", "decreases"]).sum())
        rate = 0.025 if truth else 0.05
        assert (
            stats.binom.ppf(0.0005, n, rate)
            <= directional
            <= stats.binom.ppf(0.9995, n, rate)
        )
        if truth:
            assert (said == "negligible").sum() <= stats.binom.ppf(0.9995, n, 0.05)


def test_more_units_decide_with_even_odds() -> None:
    rng, n, reps = np.random.default_rng(15), 100, 4000
    first = decide(
        cg.from_effects([0.4], [0.1]).assign(n_units=(EFFECT, [[n]])), rope=(-0.3, 0.3)
    )
    assert verdicts(first) == ["undecided"]
    larger = n + first["more_units"].item()
    effect = 0.4 + rng.normal(size=reps) * np.sqrt(n / larger) * 0.1
    again = decide(
        cg.from_effects(effect, 0.1 * np.sqrt(n / larger)),
        rope=(-0.3, 0.3),
        error="local",
    )
    assert (
        stats.binom.ppf(0.0005, reps, 0.5)
        <= (again["verdict"] == "increases").sum()
        <= stats.binom.ppf(0.9995, reps, 0.5) + 40
    )


def test_a_prior_does_not_grow_with_units() -> None:
    gap, se, n = np.array([0.1]), np.array([1.0]), np.array([100])
    tau = 0.5
    sd = np.sqrt(1 / (1 / se**2 + 1 / tau**2))
    larger = n + more_units(gap, sd, se, n, z=2.0)
    reached = 1 / np.sqrt(larger / (n * se**2) + 1 / tau**2)
    np.testing.assert_allclose(2.0 * reached, gap, rtol=1e-3)


def test_units_do_not_lessen_what_predictors_disagree_on() -> None:
    distance, sd, se = np.array([3.8, 3.4]), np.ones(2), np.full(2, 0.5)
    more = more_units(distance, sd, se, np.full(2, 100), z=4.0)
    assert more.tolist() == [64, -1]
    later = np.sqrt(1 - 0.25 + 0.25 * 100 / (100 + more[0]))
    assert distance[0] / later == pytest.approx(4.0, rel=1e-3)
    assert distance[1] / np.sqrt(0.75) < 4.0  # nor with units without end


def test_more_units_where_nothing_can_be_said() -> None:
    gap, sd, n = (
        np.array([0.0, 1.0, 1.0, 1e-12]),
        np.array([1.0, 0.0, 1.0, 1.0]),
        np.array([9, 9, 0, 9]),
    )
    assert more_units(gap, sd, sd, n, z=2.0).tolist() == [-1, -1, -1, -1]


# what may be decided about


def test_decisions_are_of_their_kind_and_say_what_they_rest_on() -> None:
    estimates = cg.from_effects(
        [1.38, 0.0, 0.12], [0.02, 0.02, 0.03], names=["up", "none", "open"]
    )
    found = decide(
        estimates.assign(n_units=(EFFECT, [[50], [50], [50]])), rope=(-0.1, 0.1)
    )
    validate(found, "decisions")
    assert verdicts(found) == ["increases", "negligible", "undecided"]
    assert found["more_units"].values.ravel()[:2].tolist() == [-1, -1]
    assert found["more_units"].values.ravel()[2] > 0
    assert {
        "lower",
        "upper",
        "lfsr",
        "p_rope",
        "p_above",
        "p_below",
        "local_error",
        "q",
        "se",
    } <= set(found)
    assert found.attrs["rope"] == "-0.1 to 0.1"
    assert "caution" not in found.attrs
    total = found["p_rope"] + found["p_above"] + found["p_below"]
    np.testing.assert_allclose(total, 1.0)
    assert float(found["rope_upper"][0, 0]) == 0.1


def test_a_flat_prior_and_tests_agree() -> None:
    rng = np.random.default_rng(0)
    effect, se = rng.normal(size=30), 0.4
    by_draws = decide(
        posterior(effect + se * rng.normal(size=(40_000, 30))),
        rope=(-0.5, 0.5),
        ci_prob=0.95,
    )
    by_tests = decide(cg.from_effects(effect, se), rope=(-0.5, 0.5), error="local")
    for name in ("lfsr", "p_rope", "p_above", "p_below"):
        np.testing.assert_allclose(by_draws[name], by_tests[name], atol=0.012)
    for name in ("ace", "lower", "upper"):
        np.testing.assert_allclose(by_draws[name], by_tests[name], atol=0.03)


def test_rope_zero_asks_for_the_direction_alone() -> None:
    estimates = cg.from_effects([0.0, 1.0, -1.0], 0.1)
    found = decide(estimates, rope=0)
    assert verdicts(found) == ["undecided", "increases", "decreases"]
    assert "no effect is called negligible" in found.attrs["caution"]
    np.testing.assert_allclose(found["local_error"], 2 * found["lfsr"])
    drawn = decide(
        posterior(np.random.default_rng(0).normal([0.0, 9.0], 1, size=(400, 2))), rope=0
    )
    assert verdicts(drawn) == ["undecided", "increases"]
    np.testing.assert_allclose(drawn["local_error"], drawn["lfsr"])


def test_rope_in_sd_of_the_control_arm() -> None:
    sd = (EFFECT, [[1.0], [5.0]])
    found = decide(
        cg.from_effects([0.5, 0.5], 0.05).assign(control_sd=sd), rope="0.2 sd"
    )
    assert verdicts(found) == ["increases", "negligible"]
    np.testing.assert_allclose(found["rope_upper"].values.ravel(), [0.2, 1.0])
    np.testing.assert_allclose(found["rope_lower"].values.ravel(), [-0.2, -1.0])
    assert found.attrs["rope"] == "0.2 sd of the control arm = ±0.2 to ±1"


def test_the_direction_of_a_ratio_is_about_1() -> None:
    effect, se = np.array([1.05, 1.5, 0.6]), 0.1
    ratios = cg.from_effects(effect, se).assign_attrs(null_value=1.0)
    found = decide(ratios, rope=0)
    assert verdicts(found) == ["undecided", "increases", "decreases"]
    assert (found["rope_lower"] == 1).all()
    assert (found["rope_upper"] == 1).all()
    lfsr = stats.norm.sf(np.abs(effect - 1) / se)
    np.testing.assert_allclose(found["lfsr"].values.ravel(), lfsr)
    np.testing.assert_allclose(found["local_error"].values.ravel(), 2 * lfsr)
    assert "above or below 1" in found.attrs["caution"]
    assert found.attrs["rope"] == "1"
    np.testing.assert_allclose(
        decide(ratios, rope=(0.9, 1.2))["lfsr"].values.ravel(), lfsr
    )


def test_the_draws_of_a_ratio_have_their_sign_about_1() -> None:
    draws = np.random.default_rng(0).normal([1.05, 1.5, 0.6], 0.1, size=(4000, 3))
    tree = posterior(draws)
    tree["posterior"].attrs["null_value"] = 1.0
    about_0 = np.zeros((3, 1))
    found = decide({**tree, "moments": xr.Dataset({"lfsr": (EFFECT, about_0)})}, rope=0)
    assert verdicts(found) == ["undecided", "increases", "decreases"]
    wrong_side = np.minimum((draws <= 1).mean(axis=0), (draws >= 1).mean(axis=0))
    np.testing.assert_allclose(found["lfsr"].values.ravel(), wrong_side, atol=1e-12)
    np.testing.assert_allclose(found["local_error"], found["lfsr"], atol=1e-12)


def test_the_ratio_of_a_band_is_decided_about_1() -> None:
    rng = np.random.default_rng(0)
    control = rng.gamma(9, size=(60, 1)) + 5
    outcome = np.hstack([control, control * [1.0, 1.5] + rng.normal(size=(60, 2))])[
        :, :, None
    ]
    names = {"unit": np.arange(60), "arm": ["0", "same", "more"], "task": ["y"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), outcome)}, coords=names)
    effects = cg.contrast(outcomes, control="0", scale="ratio")
    assert verdicts(decide(effects, rope=0, error="fwer", rng=0)) == [
        "undecided",
        "increases",
    ]
    in_sd = decide(cg.estimate(effects), rope="0.2 sd")
    half = 0.2 * (control.std(ddof=1) / control.mean())
    np.testing.assert_allclose(in_sd["rope_lower"], 1 - half)
    np.testing.assert_allclose(in_sd["rope_upper"], 1 + half)
    assert (
        in_sd.attrs["rope"]
        == f"0.2 sd of the control arm (relative to its mean) about 1 = ±{half:.4g}"
    )
    assert verdicts(in_sd) == ["negligible", "increases"]
    post = cg.infer(
        cg.estimate(cg.contrast(outcomes, control="0", scale="log_of_means")), rng=0
    )
    # half of p = .048, one-sided
    assert float(post["moments"]["lfsr"][0, 0]) == pytest.approx(0.025, abs=0.002)
    assert verdicts(decide(post, rope=0)) == ["decreases", "increases"]
    assert verdicts(decide(post, rope=0, ci_prob=0.98)) == ["undecided", "increases"]


@pytest.mark.parametrize("scale", ["bpnet", "cooperativity"])
def test_scales_without_an_sd_of_the_control_say_so(scale: Any) -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal([1.0, 2.0, 2.0, 3.0], 0.1, size=(50, 4))[:, :, None]
    names = {"unit": np.arange(50), "arm": ["0", "b", "a", "ab"], "task": ["y"]}
    factors = {"A": ("arm", [0, 0, 1, 1]), "B": ("arm", [0, 1, 0, 1])}
    on = {"scale": "log2 activity"} if scale == "cooperativity" else {}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), cells)}, coords=names | factors, attrs=on
    )
    estimates = cg.estimate(cg.contrast(outcomes, interaction=["A", "B"], scale=scale))
    with pytest.raises(
        DecisionError,
        match=f"scale='{scale}' is a function of four means.*rope=\\(0.9, 1.1\\)",
    ):
        decide(estimates, rope="0.2 sd")
    with pytest.raises(
        DecisionError,
        match=r"rope=\(0.9, 1.1\); rope=0 asks for the direction alone, about 1",
    ):
        decide(estimates, rope=1)
    assert (decide(estimates, rope=0)["rope_lower"] == 1).all()


def test_rope_of_placebo_words_by_estimates_and_by_a_posterior() -> None:
    rng = np.random.default_rng(3)
    # the clearer of two effects takes 79 words
    effect = np.r_[5.0, 0.1, rng.normal(0.5, 1.0, size=80)]
    estimates = cg.from_effects(effect, 0.2, names=[f"c{i}" for i in range(82)])
    estimates = estimates.assign_coords(placebo_word=("contrast", np.arange(82) > 1))
    found = decide(estimates, rope="placebo")
    region = placebo_region(estimates)
    assert found["rope_lower"].values[0] == region["lower"].item()
    assert verdicts(found)[:2] == ["increases", "negligible"]
    assert found.attrs["rope"] == "the central 95 % of 80 placebo words"
    draws = posterior(effect + 0.1 * rng.normal(size=(400, 82)))
    names = {"contrast": estimates["contrast"], "task": ["K562"]}
    draws["observed_data"] = xr.Dataset(
        {"effect": (EFFECT, effect[:, None])}, coords=names
    )
    draws["constant_data"] = xr.Dataset(
        {
            "se": (EFFECT, np.full((82, 1), 0.2)),
            "placebo_word": ("contrast", np.arange(82) > 1),
        },
        coords=names,
    )
    drawn = decide(draws, rope="placebo")
    np.testing.assert_allclose(drawn["rope_upper"], found["rope_upper"])
    assert verdicts(drawn)[:2] == ["increases", "negligible"]
    assert drawn["raw"].values.ravel().tolist() == effect.tolist()


def test_placebo_words_do_not_pay_for_negligible_motifs() -> None:
    rng = np.random.default_rng(5)
    effect = np.r_[rng.normal(0, 2.5, size=60), rng.normal(0, 1.0, size=300)]
    word, names = (
        np.arange(360) >= 60,
        {"contrast": [f"c{i}" for i in range(360)], "task": ["K562"]},
    )
    tree = posterior(effect + 0.4 * rng.normal(size=(2000, 360)))
    tree["observed_data"] = xr.Dataset(
        {"effect": (EFFECT, effect[:, None])}, coords=names
    )
    tree["constant_data"] = xr.Dataset(
        {"se": (EFFECT, np.full((360, 1), 0.1)), "placebo_word": ("contrast", word)},
        coords=names,
    )
    for choice in ({}, {"family": "all"}):
        found = decide(tree, rope="placebo", error="posterior", **choice)
        for part in (found.isel(contrast=~word), found.isel(contrast=word)):
            called = (part["verdict"] == "negligible").values
            assert called.sum() > 10
            assert part["local_error"].values[called].mean() <= 0.05
        assert found.attrs["families"].endswith(", placebo words apart")
    ends = (found["rope_lower"].values[0, 0], found["rope_upper"].values[0, 0])
    # as numbers they are one set
    together = decide(tree, rope=ends, error="posterior").isel(contrast=~word)
    assert (
        together["local_error"]
        .values[(together["verdict"] == "negligible").values]
        .mean()
        > 0.05
    )
    estimates = cg.from_effects(effect, 0.4).assign_coords(
        placebo_word=("contrast", word)
    )
    whole, ours = (
        decide(estimates, rope="placebo", error="fdr"),
        estimates.isel(contrast=~word),
    )
    region = (whole["rope_lower"].values[0, 0], whole["rope_upper"].values[0, 0])
    alone = decide(ours, rope=region, error="fdr")
    inside = (whole["verdict"] == "negligible").values[:60]
    assert inside.sum() > 10
    np.testing.assert_allclose(
        whole["q"].values[:60][inside], alone["q"].values[inside]
    )


def test_a_rope_for_each_task() -> None:
    two = xr.Dataset(
        {"ace": (EFFECT, [[1.0, 1.0]]), "se": (EFFECT, [[0.1, 0.1]])},
        coords={"contrast": ["a"], "task": ["x", "y"]},
    )
    assert verdicts(decide(two, rope={"x": (-0.1, 0.1), "y": (-2, 2)})) == [
        "increases",
        "negligible",
    ]
    with pytest.raises(
        DecisionError, match=r"rope names the tasks \['x'\], and there are \['x', 'y'\]"
    ):
        decide(two, rope={"x": (-0.1, 0.1)})


@pytest.mark.parametrize(
    ("n", "level", "said"),
    [(59, 0.95, False), (60, 0.95, True), (30, 0.9, True), (60, 0.96, False)],
)
def test_an_exact_effect_of_few_units_is_no_evidence(
    n: int, level: float, said: bool
) -> None:
    ace = np.array([[0.3], [0.01]])
    counts = (EFFECT, np.full((2, 1), n))
    exact = xr.Dataset(
        {
            "ace": (EFFECT, ace),
            "se": (EFFECT, 0 * ace),
            "n_units": counts,
            "n_clusters": counts,
        }
    )
    told, nothing = ["increases", "negligible"], ["undecided"] * 2
    for error in ("local", "bh"):
        found = decide(exact, rope=(-0.1, 0.1), ci_prob=level, error=error)
        assert verdicts(found) == (told if said else nothing)
        assert (found["q"] <= 1 - level + 1e-9).all() == said
    assert (
        found["more_units"] == (-1 if said else np.ceil(round(3 / (1 - level), 9)) - n)
    ).all()
    assert equivalence(exact, rope=(-0.1, 0.1), ci_prob=level)[
        "verdict"
    ].values.ravel().tolist() == verdicts(found)
    assert (
        verdicts(
            decide(
                exact.assign(p=0 * exact["ace"]).assign_attrs(target="units"),
                rope=(-0.1, 0.1),
                ci_prob=level,
            )
        )
        == told
    )
    assert verdicts(decide(exact[["ace", "se"]], rope=(-0.1, 0.1), ci_prob=level)) == told
    few = exact.assign(
        n_units=10 * exact["n_units"], n_clusters=(EFFECT, np.full((2, 1), 20))
    )
    assert verdicts(decide(few, rope=(-0.1, 0.1), ci_prob=level)) == nothing


def test_an_exact_effect_is_decided_by_its_point() -> None:
    ace = np.array([[2.0], [0.0], [0.1]])
    exact = xr.Dataset(
        {"ace": (EFFECT, ace), "se": (EFFECT, 0 * ace), "df": (EFFECT, 0 * ace + 9)}
    )
    exact = exact.assign(
        exact=(EFFECT, np.full((3, 1), True)), n_units=(EFFECT, np.full((3, 1), 100))
    )
    found = decide(exact, rope=(-0.1, 0.1))
    assert verdicts(found) == ["increases", "negligible", "undecided"]
    assert found["more_units"].values.ravel().tolist() == [-1, -1, -1]
    assert found["exact"].all()
    assert found["lfsr"].values.ravel().tolist() == [0, 1, 0]


def test_a_ratio_without_bounds_is_undecided() -> None:
    one = cg.from_effects([5.0], [0.1]).assign(unbounded=(EFFECT, [[True]]))
    found = decide(one, rope=(-1, 1))
    assert verdicts(found) == ["undecided"]
    assert [found["lower"].item(), found["upper"].item()] == [-np.inf, np.inf]
    validate(found, "decisions")


def test_an_open_ratio_is_undecided_by_the_band() -> None:
    rng = np.random.default_rng(4)
    y = np.stack([rng.normal(0.05, 1, size=30), rng.normal(3, 1, size=30)], axis=1)[
        :, :, None
    ]
    names = {"unit": np.arange(30), "arm": ["0", "a"], "task": ["y"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords=names)
    effects = cg.contrast(outcomes, control="0", scale="ratio")
    wide = (-1e9, 1e9)
    assert verdicts(decide(effects, rope=wide, error="fwer", rng=0)) == [
        "undecided"
    ]
    assert verdicts(decide(cg.estimate(effects), rope=wide)) == ["undecided"]


def test_moments_take_the_place_of_counted_draws() -> None:
    draws = posterior(np.random.default_rng(0).normal(3, 1, size=(400, 1)))
    moments = {
        "mean": (EFFECT, [[3.0]]),
        "sd": (EFFECT, [[1.0]]),
        "lfsr": (EFFECT, [[0.00135]]),
    }
    found = decide({**draws, "moments": xr.Dataset(moments)}, rope=(-1, 1))
    assert found["lfsr"].item() == 0.00135
    assert found["ace"].item() == 3.0


@pytest.mark.parametrize("law", ["normal", "two_scales", "spike_and_slab"])
def test_the_direction_alone_rests_on_the_exact_sign_rate(law: Any) -> None:
    tree = cg.infer(
        cg.from_effects([0.17, 0.16, -0.6, 0.02, 0.5], 0.1), law=law, n_draws=400, rng=0
    )
    found = decide(tree, rope=0)
    exact = tree["moments"]["lfsr"].to_numpy()
    np.testing.assert_allclose(found["local_error"], exact, atol=1e-12)
    np.testing.assert_allclose(found["p_rope"], tree["moments"]["lfdr"], atol=1e-12)
    np.testing.assert_array_equal(found["verdict"] != "undecided", exact <= 0.05)
    assert verdicts(found)[2] == "decreases"


def test_groups_are_joined_by_names() -> None:
    estimates = cg.from_effects(
        [0.0, 3.0, -3.0, 0.1], [0.1, 0.2, 0.3, 0.4], names=list("abcd")
    )
    estimates = estimates.assign(n_units=(EFFECT, [[50], [60], [70], [80]]))
    tree = tree_datasets(cg.infer(estimates, law="normal", rng=0))
    whole = decide(tree, rope=(-0.3, 0.3))
    for pick in (["d", "c", "b", "a"], ["c", "a"], ["b"]):
        part = decide(
            tree | {"posterior": tree["posterior"].sel(contrast=pick)}, rope=(-0.3, 0.3)
        )
        for name in ("ace", "lfsr", "se", "raw", "n_units", "verdict", "local_error"):
            np.testing.assert_array_equal(
                part[name], whole[name].sel(contrast=pick), err_msg=name
            )
    other = tree | {"posterior": tree["posterior"].assign_coords(contrast=list("abcx"))}
    with pytest.raises(
        DecisionError, match="'observed_data' has no contrast x.*leave the group out"
    ):
        decide(other, rope=0)
    assert verdicts(decide({"posterior": other["posterior"]}, rope=0))[1:3] == [
        "increases",
        "decreases",
    ]
    alike = tree["posterior"].isel(contrast=[1, 0, 2, 3])
    same = {
        name: group.assign_coords(contrast=list("aabc")) for name, group in tree.items()
    }
    with pytest.raises(DecisionError, match="several effects alike"):
        decide(same | {"posterior": alike.assign_coords(contrast=list("abac"))}, rope=0)
    one = tree["posterior"].isel(task=0)
    for group in (one, one.drop_vars("task")):
        xr.testing.assert_allclose(
            decide(tree | {"posterior": group}, rope=(-0.3, 0.3)).drop_vars("task"),
            whole.drop_vars("task"),
        )
    single = {name: group.isel(task=0) for name, group in tree.items()}
    xr.testing.assert_identical(decide(single, rope=(-0.3, 0.3)), whole)
    nameless = tree["posterior"].isel(contrast=[0, 1]).drop_vars("contrast")
    with pytest.raises(
        DecisionError, match="has 2 on 'contrast' and the group 'observed_data' 4"
    ):
        decide(tree | {"posterior": nameless}, rope=0)


def test_what_was_said_of_the_draws_travels() -> None:
    tree = posterior(np.random.default_rng(0).normal(3, 1, size=(400, 1)))
    tree["posterior"].attrs |= {
        "converged": "no",
        "contrast_scale": "log counts",
        "prior": "{}",
        "rng": 3,
    }
    found = decide(tree, rope=(-1, 1))
    assert found.attrs["converged"] == "no"
    assert found.attrs["contrast_scale"] == "log counts"


def test_anybodys_posterior_in_the_container_of_the_installed_arviz() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        az = importlib.import_module("arviz")
    ace = np.random.default_rng(0).normal([0.0, 3.0], 0.5, size=(2, 300, 2))
    coords, dims = {"contrast": ["a", "b"]}, {"ace": ["contrast"]}
    old = int(az.__version__.split(".")[0]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = (
            az.from_dict(posterior={"ace": ace}, coords=coords, dims=dims)
            if old
            else az.from_dict({"posterior": {"ace": ace}}, coords=coords, dims=dims)
        )
    assert verdicts(decide(given, rope=(-1, 1), ci_prob=0.9)) == [
        "negligible",
        "increases",
    ]
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"ace": (DRAWS[:3], ace)}, coords=coords)}
    )
    xr.testing.assert_equal(
        decide(tree, rope=0), decide(tree["posterior"].to_dataset(), rope=0)
    )


def test_chains_that_disagree_are_refused_unless_their_owner_says_so() -> None:
    ace = np.random.default_rng(0).normal(3, 1, size=(4, 100, 2))
    ace[:, :, 1] += np.array([[0.0], [5], [10], [15]])
    tree = posterior(ace.reshape(400, 2))
    with pytest.raises(
        ConvergenceError,
        match=r"R-hat of contrast c1, task K562 is [2-9][.\d]* \(above 1.01\); sample",
    ):
        decide(tree, rope=(-1, 1))
    drift = posterior(
        (np.tile(np.repeat([0.0, 4.0], 50), 4) + ace[:, :, 0].ravel())[:, None]
    )
    with pytest.raises(ConvergenceError, match="contrast c0"):
        decide(drift, rope=(-1, 1))
    stuck = posterior(np.repeat([1.0, 2.0, 3.0, 4.0], 100)[:, None])
    with pytest.raises(ConvergenceError, match="is inf"):
        decide(stuck, rope=(-1, 1))
    tree["posterior"].attrs["converged"] = "no"
    assert verdicts(decide(tree, rope=(-1, 1))) == ["increases", "increases"]


def test_divergent_transitions_are_refused() -> None:
    draws = np.random.default_rng(0).normal(3, 0.5, size=(400, 1))
    diverging = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 100), bool))})
    assert verdicts(decide(posterior(draws, sample_stats=diverging), rope=(-1, 1))) == [
        "increases"
    ]
    with pytest.raises(
        ConvergenceError, match="400 divergent transitions; sample longer"
    ):
        decide(posterior(draws, sample_stats=~diverging), rope=(-1, 1))


@pytest.mark.parametrize(("n", "k"), [(5, 500), (50, 500), (400, 500)])
def test_independent_draws_are_hardly_ever_refused(n: int, k: int) -> None:
    """Over all effects at once, by chance in 1 of 10,000 trials; mixtures with a spike
    and heavy tails too.
    """
    rng = np.random.default_rng(n)
    for draws in (
        rng.normal(size=(4 * n, k)),
        rng.standard_cauchy((4 * n, k)) * (rng.random((4 * n, k)) < 0.5),
    ):
        decide(posterior(draws), rope=(-1, 1), ci_prob=0.9)


def test_the_statistic_is_that_of_arviz() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        az = importlib.import_module("arviz")
    draws = np.random.default_rng(0).normal(size=(4, 60, 3)) + np.arange(4)[
        :, None, None
    ] * [0.0, 0.2, 1.0]
    for k, mine in enumerate(split_rhat(draws)):
        assert mine == pytest.approx(
            float(az.rhat(draws[:, :, k], method="split")), rel=1e-6
        )


def test_a_posterior_that_lacks_something_says_what() -> None:
    theta = np.zeros((2, 100, 3))
    with pytest.raises(InferenceError, match="no variable 'ace', only theta"):
        decide({"posterior": xr.Dataset({"theta": (DRAWS[:3], theta)})}, rope=0)
    with pytest.raises(InferenceError, match="no group 'posterior', only prior"):
        decide({"prior": xr.Dataset()}, rope=0)
    with pytest.raises(
        DecisionError, match="rename the dim of your effects to 'contrast'"
    ):
        decide(
            {"posterior": xr.Dataset({"ace": (("chain", "draw", "school"), theta)})},
            rope=0,
        )
    with pytest.raises(DecisionError, match="cg.decide takes estimates .*, not list"):
        decide([1.0], rope=0)
    hole = np.random.default_rng(0).normal(size=(400, 2))
    hole[7, 1] = np.nan
    with pytest.raises(
        DecisionError, match="contrast c1, task K562: a draw of ace is not finite"
    ):
        decide(posterior(hole), rope=0)
    with pytest.raises(
        DecisionError, match="8 draws cannot resolve an error of 0.05; give more draws"
    ):
        decide(posterior(np.zeros((8, 1))), rope=0)
    few = posterior(np.random.default_rng(0).normal(size=(60, 1)))
    with pytest.raises(
        DecisionError,
        match="60 draws cannot resolve an error of 0.01; give level=0.833 or less",
    ):
        decide(few, rope=0, ci_prob=0.99)
    assert decide(few, rope=0, ci_prob=0.833).sizes["contrast"] == 1


def test_a_frame_is_one_call() -> None:
    frame = pd.DataFrame({"effect": [0.0, 3.0], "se": [0.1, 0.1]}, index=["a", "b"])
    assert verdicts(cg.decide(frame, rope=(-1, 1))) == ["negligible", "increases"]
    noisy = pd.DataFrame(
        {
            "effect": np.random.default_rng(0).normal(size=50),
            "se": 0.1,
            "placebo_word": True,
        }
    )
    assert cg.decide(noisy, rope="placebo").sizes["contrast"] == 50


def test_models_are_families_of_their_own() -> None:
    dims = (*EFFECT, "model")
    two = xr.Dataset(
        {"ace": (dims, [[[0.0, 3.0]]]), "se": (dims, [[[0.1, 0.1]]])},
        coords={"model": ["a", "b"]},
    )
    assert verdicts(decide(two, rope=(-1, 1), error="fdr")) == [
        "negligible",
        "increases",
    ]


def test_saved_decisions_come_back(tmp_path: Path) -> None:
    found = decide(cg.from_effects([0.0, 3.0], 0.1, names=["a", "b"]), rope=(-1, 1))
    cg.store.save(found, tmp_path / "decisions.nc")
    assert verdicts(cg.store.load(tmp_path / "decisions.nc", "decisions")) == [
        "negligible",
        "increases",
    ]


@pytest.mark.parametrize(
    ("rope", "said"),
    [
        (None, r"rope=\(-0.1, 0.1\).*rope='placebo'.*rope=0"),
        ((0.2, -0.2), "reversed"),
        ((0.2, 0.2), "has no width"),
        ((0, 0), "has no width.*rope=0"),
        ((np.nan, 1), "not a finite number"),
        ((-np.inf, 1), "not a finite number"),
        (0.3, r"is one number; a region has two ends: rope=\(-0.3, 0.3\)"),
        (True, "not two numbers"),
        ("tiny", "rope='tiny' is not a region"),
        ("0 sd", "rope='0 sd' is not a region"),
        ("0.2 sd", "needs the sd of the control arm"),
    ],
)
def test_an_impossible_rope_is_refused(rope: Any, said: str) -> None:
    with pytest.raises(DecisionError, match=said):
        decide(cg.from_effects([0.0], [1.0]), rope=rope)


def test_a_control_without_spread_sets_no_rope() -> None:
    flat = cg.from_effects([0.0], [1.0], names=["GATA1"]).assign(
        control_sd=(EFFECT, [[0.0]])
    )
    with pytest.raises(
        DecisionError, match="contrast GATA1: the control arm's outcomes do not vary"
    ):
        decide(flat, rope="0.2 sd")


def test_choices_that_do_not_go_together_are_refused() -> None:
    estimates, tree = cg.from_effects([0.0], [1.0]), posterior(np.zeros((400, 1)))
    for x, choice, said in (
        (estimates, {"error": "bayes_fdr"}, "takes a posterior: cg.decide"),
        (tree, {"error": "bh"}, "use error='bayes_fdr'"),
        (estimates, {"error": "bootstrap_t"}, "resamples units"),
        (tree, {"error": "bootstrap_t"}, "resamples units"),
        (
            estimates,
            {"error": "fdr"},
            "not one of 'auto', 'bh', 'holm', 'bootstrap_t', 'local', 'bayes_fdr'",
        ),
        (tree, {"error": "holm"}, "use error='bayes_fdr'"),
        (estimates, {"rare": 0}, "rare=0 is neither 'auto', 'none' nor a share"),
        (estimates, {"rare": 1.5}, "rare=1.5 is neither"),
        (estimates, {"rare": float("nan")}, "rare=nan is neither"),
        (estimates, {"rare": "some"}, "rare='some' is neither"),
        (estimates, {"level": 1.0}, "level=1.0 is not between 0.5 and 1"),
        (tree, {"ci_prob": "wide"}, "ci_prob='wide' is not between"),
        (
            estimates,
            {"ci_prob": 0.9},
            "a test reports the interval that its level implies; set level=",
        ),
    ):
        with pytest.raises(DecisionError, match=said):
            decide(x, rope=(-1, 1), **choice)
    effects = xr.Dataset({"ice": (("unit", *EFFECT), np.zeros((5, 1, 1)))})
    with pytest.raises(DecisionError, match=r"needs cg.estimate\(effects\)"):
        decide(effects, rope=(-1, 1), error="local")
    with pytest.raises(DecisionError, match="rng=0"):
        decide(effects, rope=(-1, 1), error="fwer")
    with pytest.raises(EstimateError, match="one unit"):
        decide(xr.Dataset({"ace": (EFFECT, [[1.0]])}), rope=(-1, 1))


def clustered_effects(k: int = 4) -> xr.Dataset:
    rng = np.random.default_rng(0)
    ice = (
        rng.exponential(size=(80, k, 2))
        - 1
        + np.linspace(-1, 1, k)[:, None]
        + np.repeat(rng.normal(size=40), 2)[:, None, None] * 0.3
    )
    names = {"contrast": [f"c{i}" for i in range(k)], "task": ["x", "y"]}
    parent = ("unit", np.repeat(np.arange(40), 2))
    return xr.Dataset(
        {"ice": (("unit", *EFFECT), ice)}, coords={**names, "parent": parent}
    ).assign_coords(motif=("contrast", np.arange(k) % 2))


def test_the_band_decides() -> None:
    effects = clustered_effects()
    for choice in ({}, {"cluster": "none"}, {"family": "all"}, {"family": "motif"}):
        band = cg.multiplicity.simultaneous(effects, ci_prob=0.9, rng=3, **choice)
        found = decide(
            effects, rope=(-0.3, 0.3), ci_prob=0.9, error="fwer", rng=3, **choice
        )
        for name in ("lower", "upper", "se", "ace"):
            np.testing.assert_array_equal(found[name], band[name])
        said = found["verdict"]
        assert ((said == "increases") == (band["lower"] > 0.3)).all()
        assert ((said == "decreases") == (band["upper"] < -0.3)).all()
        assert (
            (said == "negligible") == ((band["lower"] > -0.3) & (band["upper"] < 0.3))
        ).all()
        assert {"increases", "decreases", "undecided"} <= set(verdicts(found))
        assert (found["more_units"].where(said == "undecided", 1) > 0).all()
        np.testing.assert_array_equal(said != "undecided", found["q"] <= 0.1)
    assert "caution" in decide(effects, rope=0, error="fwer", rng=0).attrs
    with pytest.raises(DecisionError, match="set level= and leave ci_prob= out"):
        decide(effects, rope=0, error="fwer", rng=0, ci_prob=0.9)


def test_the_q_of_a_band_is_the_least_error_at_which_it_decides() -> None:
    effects = clustered_effects()
    rope = (-0.7, 0.7)
    found = decide(effects, rope=rope, error="fwer", rng=3)
    for k, q in enumerate(found["q"].values[:, 0]):
        if not 0.001 < q < 0.45:
            continue
        for level, decided in ((1 - q * 1.02, True), (1 - q * 0.98, False)):
            again = decide(effects, rope=rope, ci_prob=level, error="fwer", rng=3)
            assert (
                verdicts(again.isel(contrast=k, task=0))[0] != "undecided"
            ) == decided
    assert ((found["q"] > 0.001) & (found["q"] < 0.45)).values[:, 0].sum() == 4
    null = decide(effects, rope=0, error="fwer", rng=3)
    adjusted = cg.adjust(effects, method="bootstrap_t", rng=3)["p_adjusted"]
    np.testing.assert_allclose(null["q"], adjusted)
    twice = [
        decide(effects, rope=0, error="fwer", rng=np.random.default_rng(3))["q"]
        for _ in range(2)
    ]
    xr.testing.assert_identical(*twice)


def test_a_band_decides_where_q_is_at_most_its_error_even_at_that_very_level() -> None:
    """At level 1 - q the band just touches the region: q and verdict say the same,
    whatever the rounding.
    """
    effects = clustered_effects()
    q = decide(effects, rope=0, error="fwer", rng=3)["q"].to_numpy().ravel()
    for level in 1 - q[(q > 0) & (q < 0.45)]:
        again = decide(effects, rope=0, ci_prob=level, error="fwer", rng=3)
        np.testing.assert_array_equal(
            again["verdict"] != "undecided", again["q"] <= 1 - level
        )


def test_a_family_is_decided_by_itself() -> None:
    effect, word = (
        np.r_[np.full(5, 9.0), 2.3, np.zeros(54)],
        ("contrast", np.arange(60) >= 6),
    )
    estimates = cg.from_effects(effect, 1.0).assign_coords(word=word)
    whole, apart = (
        decide(estimates, rope=0, error="fdr", family=family)
        for family in (None, "word")
    )
    alone = decide(estimates.isel(contrast=slice(0, 6)), rope=0, error="fdr")
    assert (verdicts(whole)[5], verdicts(apart)[5]) == ("undecided", "increases")
    np.testing.assert_allclose(apart["q"][:6], alone["q"])
    draws = posterior(effect + np.random.default_rng(0).normal(size=(400, 60)))
    draws["posterior"] = draws["posterior"].assign_coords(word=word)
    apart = decide(draws, rope=0, error="posterior", family="word")
    np.testing.assert_allclose(
        apart["q"].values[6:, 0], running_mean(apart["local_error"].values[6:, 0])
    )
    with pytest.raises(EstimateError, match="nor a coordinate on contrast"):
        decide(estimates, rope=0, error="fdr", family="nobody")


def test_the_whole_way_from_units_to_verdicts() -> None:
    rng = np.random.default_rng(1)
    truth = np.r_[np.zeros(30), 1.0, -1.0]
    estimates = cg.from_effects(truth + 0.1 * rng.normal(size=32), 0.1)
    post = cg.infer(estimates, rng=0)
    found = decide(post, rope=(-0.3, 0.3), error="posterior")
    assert verdicts(found) == ["negligible"] * 30 + ["increases", "decreases"]
    np.testing.assert_array_equal(found["raw"], estimates["ace"])
    assert found.attrs["law"] == "two_scales"
    assert found.attrs["n_draws"] == 4000


def screen_of_words(n_words: int, true: np.ndarray, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    effect = np.concatenate(
        [0.3 * rng.standard_t(4, n_words), true]
    ) + 0.1 * rng.normal(size=n_words + true.size)
    table = cg.from_effects(effect, 0.1)
    return table.assign_coords(
        placebo_word=("contrast", np.arange(effect.size) < n_words)
    )


def test_new_placebo_words_are_not_discovered() -> None:
    """Words of the placebos' own law: 5 % lie outside their region by its making, and
    none is to be discovered.
    """
    rng, false = np.random.default_rng(0), 0
    for seed in range(40):
        new = 0.3 * rng.standard_t(4, 100)
        found = decide(screen_of_words(200, new, seed), rope="placebo")
        false += bool(
            np.isin(
                found["verdict"].values.ravel()[200:], ["increases", "decreases"]
            ).any()
        )
    assert false <= stats.binom.ppf(0.999, 40, 0.05)


def test_planted_effects_are_told_from_words_where_words_are_enough() -> None:
    planted = np.array([4.0] * 5 + [0.0] * 5)
    few = decide(screen_of_words(40, planted), rope="placebo")
    assert set(few["verdict"].values.ravel()[40:45]) == {"undecided"}
    assert (
        "with 40 words no p-value of a direction is below 0.049; 79 words are needed"
        in few.attrs["notes"]
    )
    enough = decide(screen_of_words(79, planted), rope="placebo")
    assert set(enough["verdict"].values.ravel()[79:84]) == {"increases"}
    assert "notes" not in enough.attrs


def test_beside_an_interval_with_an_atom_stands_the_interval_without_it() -> None:
    """Given the data and that it is not 0, an effect lies in its own interval as often
    as that interval says.
    """
    rng = np.random.default_rng(7)
    truth = np.where(rng.random(2_000) < 0.3, rng.normal(0, 2, 2_000), 0.0)
    estimates = cg.from_effects(truth + rng.normal(size=2_000), se=1.0)
    found = cg.decide(
        cg.infer(estimates, law="spike_and_slab", rng=0), rope=(-0.5, 0.5)
    ).isel(task=0)
    real = truth != 0
    inside = (found["lower_slab"] <= truth) & (truth <= found["upper_slab"])
    assert abs(float(inside[real].mean()) - 0.9) < 0.05
    assert abs(float(found["p_zero"].mean()) - 0.7) < 0.15
    with_atom = (found["lower"] <= 0) & (found["upper"] >= 0)
    assert (found["lower_slab"] == found["lower"]).where(~with_atom, True).all()
    assert (found["upper"] > found["lower"]).all()
    assert (found["upper_slab"] > found["lower_slab"]).all()
    said = cg.report(found.isel(contrast=slice(5)).expand_dims("task", axis=1))
    assert "P(0)" in said
    assert "if not 0" in said
    assert "The interval includes the probability P(0)" in said
    plain = cg.decide(
        cg.infer(estimates.isel(contrast=slice(40)), rng=0), rope=(-0.5, 0.5)
    )
    assert "p_zero" not in plain
    assert "P(0)" not in cg.report(plain)


def test_one_effect_is_its_own_estimate_and_carries_no_caution_of_a_law() -> None:
    alone = cg.from_effects([1.2], se=0.3)
    found = cg.decide(cg.infer(alone, rng=0), rope=(-0.2, 0.2))
    assert float(found["ace"].item()) == pytest.approx(1.2, abs=1e-9)
    assert "caution" not in found.attrs
    assert "its posterior is not shrunken" in cg.report(found)
    shrunken = cg.decide(cg.infer(alone, law="normal", rng=0), rope=(-0.2, 0.2))
    assert shrunken.attrs["caution"].startswith(
        "one effect is too few to estimate a distribution; a normal law was assumed"
    )


@pytest.mark.once
@pytest.mark.parametrize(("k", "big"), [(300, 10.0), (12, 8.0)])
def test_no_interval_of_an_effect_with_an_atom_has_zero_width(
    k: int, big: float
) -> None:
    """A single large effect leaves a draw or two off the atom of each other one."""
    rng = np.random.default_rng(0)
    truth = np.zeros(k)
    truth[0] = big
    estimates = cg.from_effects(truth + rng.normal(size=k), se=1.0)
    tree = cg.infer(estimates, law="spike_and_slab", rng=0)
    found = cg.decide(tree, rope=(-0.5, 0.5))
    assert float((found["upper_slab"] - found["lower_slab"]).min()) > 0.1
    assert float((found["upper"] - found["lower"]).min()) > 0.1
    slab = tree["posterior"]["ace_slab"].values
    assert slab.shape == tree["posterior"]["ace"].values.shape
    assert (slab != 0).all()


def test_few_draws_of_another_sampler_off_the_atom_leave_the_unshrunken_interval() -> (
    None
):
    rng = np.random.default_rng(0)
    ace = np.where(
        rng.random((4, 1_000, 2)) < 0.999, 0.0, rng.normal(size=(4, 1_000, 2))
    )
    dims = ("chain", "draw", "contrast")
    constant = xr.Dataset({"se": (("contrast", "task"), [[1.0], [1.0]])})
    observed = xr.Dataset({"effect": (("contrast", "task"), [[0.3], [0.1]])})
    posterior = xr.Dataset({"ace": (dims, ace)}).expand_dims("task", -1)
    tree = {
        "posterior": posterior,
        "constant_data": constant,
        "observed_data": observed,
    }
    found = cg.decide(tree, rope=(-0.5, 0.5))
    np.testing.assert_allclose(
        found["lower"].values.ravel(), np.array([0.3, 0.1]) - 1.6449, atol=1e-3
    )


def test_an_atom_of_draws_alone_gives_way_to_the_quantiles_of_the_others() -> None:
    """99 % of the draws are 0, the others even between -2 and 2: 90 % of these lie
    within 1.8.
    """
    draws = np.zeros((40_000, 1))
    draws[::100, 0] = np.linspace(-2, 2, 400)[np.random.default_rng(0).permutation(400)]
    found = decide(posterior(draws), rope=(-0.5, 0.5))
    np.testing.assert_allclose(
        [found["lower"].item(), found["upper"].item()], [-1.8, 1.8], atol=0.01
    )


def test_three_hundred_real_sequences_are_enough_to_speak_of_rare_ones() -> None:
    for n, few in ((299, 299), (300, 0)):
        taken = xr.Dataset(
            {"ace": ("contrast", [1.0]), "n_units": ("contrast", [n])},
            attrs={"null_kind": "genomic"},
        )
        assert few_real_sequences(taken) == few


def test_negligible_takes_as_many_units_as_meet_a_rare_background() -> None:
    """Of effects on 5 % of backgrounds 60 draws miss all in less than 1 of 20 cases:
    .95^60 = .046, .95^58 = .051.
    """
    counts = (EFFECT, np.full((1, 1), 40))
    near = xr.Dataset(
        {
            "ace": (EFFECT, [[0.0]]),
            "se": (EFFECT, [[1e-3]]),
            "n_units": counts,
            "n_clusters": counts,
        }
    )
    found = decide(near, rope=(-0.1, 0.1), ci_prob=0.95, rare=0.05)
    assert verdicts(found) == ["undecided"]
    assert found["more_units"].item() == 20
    enough = near.assign(n_units=near["n_units"] + 20, n_clusters=near["n_units"] + 20)
    assert verdicts(decide(enough, rope=(-0.1, 0.1), ci_prob=0.95, rare=0.05)) == [
        "negligible"
    ]


def test_a_task_of_which_one_predictor_stands_still_has_no_rope_in_sd() -> None:
    sd = xr.DataArray(
        [[[1.0, 0.0], [1.0, 1.0]]],
        dims=(*EFFECT, "model"),
        coords={"task": ["K562", "HepG2"]},
    )
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), "0.2 sd") == ["HepG2"]


def test_an_exact_effect_of_few_units_leaves_the_others_their_verdicts() -> None:
    counts = (EFFECT, np.full((2, 1), 2))
    table = xr.Dataset(
        {
            "ace": (EFFECT, [[0.3], [5.0]]),
            "se": (EFFECT, [[0.0], [0.1]]),
            "n_units": counts,
        }
    )
    found = decide(table.assign(n_clusters=counts), rope=(-0.1, 0.1))
    assert verdicts(found) == ["undecided", "increases"]


def test_a_task_that_is_left_out_is_left_out_of_the_table() -> None:
    table = xr.Dataset({"ace": (EFFECT, [[1.0, 2.0]])}, {"task": ["K562", "dead"]})
    assert select_tasks(table, ["K562"])["task"].values.tolist() == ["K562"]
    assert select_tasks(table, ["K562", "dead"]) is table


def test_three_claims_of_ten_are_decided_at_their_share() -> None:
    errors = np.ones((3, 10))
    errors[2, :3], errors[1, 3] = 1e-4, 1e-4
    ruled = rule(errors, alpha=0.05, error="fdr")
    assert (ruled.share_directional, ruled.share_negligible) == (0.3, 0.1)  # R / K
    ruled = rule(errors, alpha=0.05, error="fwer")
    # 1 / (K - R + 1)
    assert (ruled.share_directional, ruled.share_negligible) == (1 / 8, 1 / 10)


def test_rhat_beyond_its_limit_is_as_rare_by_chance_as_it_says() -> None:
    """The limit is passed by the worst of so many effects once in 10,000 cases: of
    1/100 effect, once in 100.
    """
    rhat = split_rhat(np.random.default_rng(0).normal(size=(1, 100, 20_000)))
    beyond = (rhat > _rhat_by_chance(2, 50, 0.01)).mean()  # type: ignore[arg-type]
    assert abs(beyond - 0.01) < 4 * np.sqrt(0.01 * 0.99 / 20_000)


def test_a_band_is_held_against_a_region_about_the_value_of_no_effect() -> None:
    ice = np.random.default_rng(0).normal([0.0, 0.4], 1.0, size=(50, 2))[..., None]
    about_0 = xr.Dataset({"ice": (("unit", *EFFECT), ice)})
    about_1 = about_0.assign(ice=about_0["ice"] + 1).assign_attrs(null_value=1.0)
    one, other = (
        band_error(
            as_joint_estimates(e, "none"),
            Region(np.full((2, 1), at - 0.5), np.full((2, 1), at + 0.5), ""),
            level=0.95,
            family=None,
            key=0,
        )
        for e, at in ((about_0, 0.0), (about_1, 1.0))
    )
    np.testing.assert_allclose(one, other, atol=0.01)


def test_a_region_in_numbers_needs_no_control_that_varies() -> None:
    sd = xr.DataArray([[0.0, 1.0]], dims=EFFECT, coords={"task": ["K562", "HepG2"]})
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), (-0.1, 0.1)) == [
        "K562",
        "HepG2",
    ]
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), "0.2 sd") == ["HepG2"]


def test_without_units_no_number_of_more_units_is_known() -> None:
    table = cg.from_effects([1.0, 0.0, 0.1], [0.1, 0.5, 0.5])
    assert decide(table, rope=(-0.1, 0.1))["more_units"].values.ravel().tolist() == [
        -1,
        -1,
        -1,
    ]


@pytest.mark.parametrize("by", ["tests", "posterior"])
def test_rare_effects_ask_for_units_only_where_negligible_is_near(by: str) -> None:
    """Beyond the region, or half beyond it, what is lacking is precision; inside it,
    backgrounds as well.
    """
    counts = (EFFECT, np.full((40, 1), 100))
    ace = np.r_[0.13, -0.14, 0.0, np.random.default_rng(0).normal(0, 0.3, 37)][:, None]
    se = np.full((40, 1), 0.05)
    se[2] = 0.001
    table = xr.Dataset(
        {
            "ace": (EFFECT, ace),
            "se": (EFFECT, se),
            "n_units": counts,
            "n_clusters": counts,
        },
        coords={"contrast": [f"c{i}" for i in range(40)], "task": ["y"]},
        attrs={"errors": "known"},
    )
    given = table if by == "tests" else cg.infer(table, law="normal", rng=0)
    plain, rare = (
        decide(given, rope=(-0.1, 0.1), rare=rare, ci_prob=0.95)
        for rare in ("none", 0.01)
    )
    assert verdicts(plain)[:3] == ["undecided", "undecided", "negligible"]
    assert verdicts(rare)[:3] == ["undecided"] * 3
    np.testing.assert_array_equal(rare["more_units"][:2], plain["more_units"][:2])
    assert rare["more_units"][2].item() == 300 - 100  # 3 / n, more closely ln(20) / n


def test_tasks_without_a_verdict_are_named() -> None:
    table = xr.Dataset(
        {"ace": (EFFECT, np.zeros((1, 3)))},
        coords={"contrast": ["a"], "task": ["x", "y", "z"]},
    )
    assert left_out_sentence(table, ["x", "y", "z"], "0.2 sd") == ""
    one, two = (
        left_out_sentence(table, chosen, "0.2 sd") for chosen in (["x", "z"], ["y"])
    )
    assert one.startswith(
        "no verdict on task 'y': the control's outcomes do not vary there, so that "
        "rope='0.2 sd'"
    )
    assert two.startswith("no verdict on tasks 'x', 'z': ")
    assert "the placebo words there vary no more" in left_out_sentence(
        table, ["x"], "placebo"
    )


def test_one_chain_and_three_draws_have_nothing_to_disagree_with() -> None:
    rng = np.random.default_rng(0)
    drift = np.where(np.arange(400) < 200, 1.0, 5.0) + 0.1 * rng.normal(size=400)
    names = {"contrast": ["a"], "task": ["y"]}

    def tree(draws: np.ndarray) -> dict[str, xr.Dataset]:
        return {
            "posterior": xr.Dataset(
                {"ace": (DRAWS, draws[..., None, None])}, coords=names
            )
        }

    assert verdicts(decide(tree(drift[None]), rope=0)) == ["increases"]
    short = np.arange(1.0, 11.0)[:, None] + [0.0, 0.1, 0.2]
    assert verdicts(decide(tree(short), rope=0)) == ["increases"]
    with pytest.raises(ConvergenceError, match="R-hat of contrast a, task y"):
        decide(tree(drift.reshape(2, 200)), rope=0)
    diverging = xr.Dataset(
        {"diverging": (("chain", "draw"), np.eye(1, 400, dtype=bool))}
    )
    with pytest.raises(ConvergenceError, match="1 divergent transition;"):
        decide(tree(drift[None]) | {"sample_stats": diverging}, rope=0)


def test_backgrounds_not_drawn_narrow_the_region_of_a_skewed_effect_alone() -> None:
    """Where n < 25 skew^2, (3/n) max |ICE| may be missing on either side: .06, of a
    region of .1 or of .05.
    """
    rng, n = np.random.default_rng(0), 40
    counts = (EFFECT, np.full((n, 1), 1_000))
    columns = {
        "ace": np.r_[0.0, 0.0, rng.normal(0, 0.3, n - 2)],
        "se": np.full(n, 0.02),
    }
    columns |= {
        "skewness": np.r_[10.0, np.zeros(n - 1)],
        "largest_ice": np.full(n, 20.0),
    }
    table = xr.Dataset(
        {name: (EFFECT, values[:, None]) for name, values in columns.items()}
        | {"n_units": counts, "n_clusters": counts},
        coords={"contrast": [f"c{i}" for i in range(n)], "task": ["y"]},
        attrs={"errors": "known"},
    )
    given = cg.infer(table, law="normal", rng=0)
    draws = tree_datasets(given)["posterior"]["ace"].to_numpy().reshape(-1, n)[:, :2]
    for half in (0.1, 0.05):
        found = decide(given, rope=(-half, half), rare=0.01, ci_prob=0.95)[
            "local_error"
        ].values.ravel()[:2]
        plain = decide(given, rope=(-half, half), rare="none", ci_prob=0.95)[
            "local_error"
        ].values.ravel()[:2]
        outside = [
            (np.abs(draws[:, 0]) > half - 0.06).mean(),
            (np.abs(draws[:, 1]) > half).mean(),
        ]
        np.testing.assert_allclose(
            plain, (np.abs(draws) > half).mean(axis=0), atol=1e-12
        )
        assert found[1] == pytest.approx(outside[1], abs=1e-12)
        assert (
            found[0] == pytest.approx(outside[0], abs=1e-12)
            if half == 0.1
            else found[0] > 0.4
        )


def test_the_local_error_beside_a_band_is_that_of_each_effect_alone() -> None:
    """By the unadjusted t of the ICE against both ends: twice a side for a direction,
    the larger side for inside.
    """
    away = np.random.default_rng(0).normal(0, 0.5, size=(25, 4))
    # without skewness
    ice = np.array([0.0, 0.4, -0.5, 0.12]) + np.concatenate([away, -away])
    effects = xr.Dataset(
        {"ice": (("unit", *EFFECT), ice[..., None])},
        {"contrast": list("abcd"), "task": ["t"]},
    )
    found = decide(effects, rope=(-0.2, 0.2), error="fwer", rare="none", rng=0)[
        "local_error"
    ].values.ravel()
    alone = decide(cg.estimate(effects), rope=(-0.2, 0.2), error="local", rare="none")[
        "local_error"
    ].values.ravel()
    np.testing.assert_allclose(found, alone)
    assert ((found > 0) & (found < 1)).all()
    mean, se = ice.mean(axis=0), ice.std(axis=0, ddof=1) / np.sqrt(50)
    for k in range(4):
        beyond = [
            2 * stats.t.sf((sign * mean[k] - 0.2) / se[k], 49) for sign in (1, -1)
        ]
        inside = max(stats.t.sf((0.2 - sign * mean[k]) / se[k], 49) for sign in (1, -1))
        assert found[k] == pytest.approx(min(*beyond, inside), rel=1e-6)


def test_half_of_the_units_of_a_parallel_trial_have_the_treatment() -> None:
    table = {
        "ace": ("contrast", [1.0, 2.0]),
        "n_units": ("contrast", [600, 90]),
        "n_clusters": ("contrast", [60, 9]),
    }
    parallel = xr.Dataset(table, attrs={"assignment": "parallel, blocked"})
    assert independent_draws(parallel).tolist() == [30, 4.5]
    assert independent_draws(parallel.drop_vars("n_clusters")).tolist() == [300, 45]
    assert independent_draws(
        parallel.assign_attrs(assignment="crossover")
    ).tolist() == [60, 9]
    assert missed_share(parallel).tolist() == [0.1, 3 / 4.5]
    assert missed_share(parallel.assign(n_clusters=("contrast", [0, 2]))).tolist() == [
        0,
        1,
    ]


@pytest.mark.parametrize(
    ("rope", "null", "ends"),
    [
        (0.3, 0.0, "(-0.3, 0.3)"),
        (-0.3, 0.0, "(-0.3, 0.3)"),
        (1e301, 0.0, "(-0.1, 0.1)"),
        (-1e301, 0.0, "(-0.1, 0.1)"),
        (1.2, 1.0, "(0.8, 1.2); rope=0 asks for the direction alone, about 1"),
        (0.9, 1.0, "(0.9, 1.1); rope=0 asks for the direction alone, about 1"),
        (1, 1.0, "(0.9, 1.1); rope=0 asks for the direction alone, about 1"),
    ],
)
def test_a_region_of_one_number_is_answered_by_its_two_ends(
    rope: float, null: float, ends: str
) -> None:
    effects = xr.Dataset({"ace": (EFFECT, [[0.5]])})
    with pytest.raises(DecisionError) as caught:
        rope_region(rope, effects, null)
    assert str(caught.value).endswith("a region has two ends: rope=" + ends)


def test_a_control_that_varies_in_one_task_alone_sets_no_rope_in_sd() -> None:
    sd = np.array([[1.0, 0.5], [1.0, 0.0]])
    effects = xr.Dataset(
        {"ace": (EFFECT, sd), "control_sd": (EFFECT, sd)},
        {"task": ["x", "y"], "contrast": ["a", "b"]},
    )
    with pytest.raises(
        DecisionError,
        match=r"contrast b: the control arm's outcomes do not vary \(task y\)",
    ):
        rope_region("0.2 sd", effects, 0.0)
    found = rope_region("0.2 sd", effects.isel(contrast=[0]), 1.0)
    np.testing.assert_allclose([found.lower, found.upper], [[[0.8, 0.9]], [[1.2, 1.1]]])
    assert found.label == (
        "0.2 sd of the control arm (relative to its mean) about 1 = ±0.2 (x), ±0.1 (y)"
    )


@pytest.mark.parametrize(
    ("law", "alone"), [("two_scales", None), ("normal", "one effect is too few")]
)
def test_thirty_effects_show_their_law(law: str, alone: str | None) -> None:
    for size, words in (
        (1, alone),
        (29, "29 effects are too few to estimate their distribution"),
        (30, None),
    ):
        draws = posterior(np.random.default_rng(0).normal(size=(400, size)))
        draws["posterior"].attrs |= {"law": law, "converged": "yes"}
        caution = decide(draws, rope=(-0.1, 0.1)).attrs.get("caution", "")
        assert caution.startswith(words) if words else not caution


def test_words_that_are_just_enough_need_no_note() -> None:
    """Two of four effects beyond the region, at .05: 2 / (M + 1) <= .05 * 2 / 4 takes
    79 words.
    """
    for m, noted in ((79, False), (78, True)):
        word = np.arange(m + 4) >= 4
        table = xr.Dataset({"ace": (EFFECT, np.zeros((m + 4, 2)))}).assign_coords(
            placebo_word=("contrast", word)
        )
        could_be = np.zeros((m + 4, 2), dtype=bool)
        could_be[:2, 1] = could_be[4:, 0] = True  # words themselves do not count
        said = resolution_note(table, could_be, 0.05)
        assert (said is not None) == noted
    assert said is not None
    assert "2 of 4 effects" in said
    assert (
        "with 78 words no p-value of a direction is below 0.025; 79 words are needed"
        in said
    )
    assert resolution_note(table, np.zeros_like(could_be), 0.05) is None


def test_the_interval_of_two_claims_is_the_union_of_theirs() -> None:
    one = xr.Dataset(
        {"ace": (EFFECT, [[1.0, -1.0, 0.5, 2.0]]), "se": (EFFECT, np.full((1, 4), 0.5))}
    )
    directional, negligible = (
        np.array([[0.95, 0.8, 0.0, 0.9]]),
        np.array([[0.5, 0.99, 0.9, 0.0]]),
    )
    lower, upper = union_interval(one, directional, negligible, unseen=0.25)
    z = stats.norm.ppf
    half = np.array(
        [z(0.975) * 0.5, 0.25 + z(0.995) * 0.5, 0.25 + z(0.95) * 0.5, z(0.95) * 0.5]
    )
    np.testing.assert_allclose(upper[0] - one["ace"].values[0], half)
    np.testing.assert_allclose(one["ace"].values[0] - lower[0], half)


def test_an_atom_without_estimates_beside_it_stays_a_point() -> None:
    draws = np.zeros((400, 1))
    draws[0] = 1.0
    tree = posterior(draws)
    tree["posterior"].attrs["converged"] = "yes"
    found = decide(tree, rope=(-0.1, 0.1), ci_prob=0.9)
    assert (found["lower"].item(), found["upper"].item()) == (0, 0)


@pytest.mark.parametrize("n", [2, 20, 59, 60])
def test_the_error_of_an_exact_effect_is_the_rule_of_three(n: int) -> None:
    table = {
        "ace": (EFFECT, [[1.0, 2.0]]),
        "se": (EFFECT, [[0.0, 0.3]]),
        "n_units": (EFFECT, [[n, 500]]),
    }
    found = decide(
        xr.Dataset(table, {"contrast": ["a"], "task": ["x", "y"]}), rope=(-0.1, 0.1)
    )
    assert found["local_error"].values[0, 0] == pytest.approx(
        min(3 / n, 1) if n < 60 else 0
    )
    assert found["local_error"].values[0, 1] < 1e-9


def test_decisions_keep_the_coordinates_of_their_own_dims_alone() -> None:
    names = {"contrast": ["a", "b"], "task": ["x"], "arm": ["a", "b", "c"]}
    table = xr.Dataset(
        {"ace": (EFFECT, [[1.0], [0.0]]), "se": (EFFECT, [[0.1], [0.1]])}, names
    )
    table["covariance"] = (
        ("contrast", "contrast_", "task"),
        0.01 * np.eye(2)[:, :, None],
    )
    table = table.assign_coords(
        contrast_=["a", "b"],
        twin=("contrast_", [1, 2]),
        site=("place", [3, 4]),
        motif=("contrast", ["m", "n"]),
    )
    found = decide(table.assign_coords(copies=("arm", [0, 1, 2])), rope=(-0.5, 0.5))
    assert set(found.coords) == {"contrast", "task", "arm", "copies", "motif"}
    assert set(found.dims) == {"contrast", "task", "arm"}


def test_a_posterior_without_spread_needs_no_known_number_of_units() -> None:
    one, n = np.ones(3), np.full(3, 100)
    assert more_units(
        one, np.array([0.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0]), n, z=2.0
    ).tolist() == [-1, -1, 300]


@pytest.mark.parametrize("raw", [2.0, -2.0, 0.3])
def test_an_atom_of_nearly_all_draws_is_widened_by_the_interval_of_the_estimate(
    raw: float,
) -> None:
    draws = np.zeros((400, 1))
    draws[:3] = raw
    names = {"contrast": ["c0"], "task": ["K562"]}
    beside = {"observed_data": xr.Dataset({"effect": (EFFECT, [[raw]])}, names)}
    tree = posterior(
        draws, **beside, constant_data=xr.Dataset({"se": (EFFECT, [[0.5]])}, names)
    )
    tree["posterior"].attrs["converged"] = "yes"
    found, half = (
        decide(tree, rope=(-0.1, 0.1), ci_prob=0.9),
        stats.norm.ppf(0.95) * 0.5,
    )
    assert found["lower"].item() == pytest.approx(min(0, raw - half))
    assert found["upper"].item() == pytest.approx(max(0, raw + half))


@pytest.mark.parametrize(
    "beside", ["nothing", "constant_data", "observed_data", "both"]
)
def test_an_interval_at_an_atom_takes_the_unshrunken_one_where_both_its_parts_are_known(
    beside: str,
) -> None:
    ace = np.zeros((2, 400, 1, 1))
    ace[0, :5] = 1.0
    names = ("contrast", "task")
    tree = {
        "posterior": xr.Dataset(
            {"ace": (("chain", "draw", *names), ace)}, attrs={"converged": "yes"}
        )
    }
    if beside in ("constant_data", "both"):
        tree["constant_data"] = xr.Dataset({"se": (names, [[0.5]])})
    if beside in ("observed_data", "both"):
        tree["observed_data"] = xr.Dataset({"effect": (names, [[0.2]])})
    found = cg.decide(tree, rope=0)
    half = 0.5 * stats.norm.ppf(0.95) if beside == "both" else 0.0
    expected = (0.2 - half, 0.2 + half) if beside == "both" else (0.0, 0.0)
    np.testing.assert_allclose(
        (found["lower"].item(), found["upper"].item()), expected, atol=1e-9
    )


def test_skewed_effects_whose_largest_is_not_known_have_nothing_added() -> None:
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), [[0.0]]),
            "n_units": (("contrast", "task"), [[100]]),
        }
    )
    assert unseen(table, np.array([[0.4]])).item() == 0
    known = table.assign(largest_ice=(("contrast", "task"), [[2.0]]))
    assert unseen(known, np.array([[0.4]])).item() == pytest.approx(0.06)
    assert unseen(known, np.array([[0.0]])).item() == 0


@pytest.mark.parametrize("null", [0.0, 1.0])
def test_every_column_of_a_summary_is_the_count_that_it_says(
    null: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    draws = np.round(rng.normal(0.4, 1, (400, 7)), 1)  # with ties at every end
    low, high = np.linspace(-0.5, 0.3, 7).round(1), np.linspace(0.2, 0.9, 7).round(1)
    # two effects at a time
    monkeypatch.setattr("causalgia.verdicts.posterior_evidence._BLOCK", 900)
    found = summarize(draws, low, high, ci_prob=0.8, null=null)
    np.testing.assert_allclose(found.mean, draws.mean(axis=0))
    np.testing.assert_allclose(found.sd, draws.std(axis=0))
    np.testing.assert_allclose(
        [found.lower, found.upper], np.quantile(draws, [0.1, 0.9], axis=0)
    )
    np.testing.assert_allclose(
        found.above, [(x > h).mean() for x, h in zip(draws.T, high, strict=True)]
    )
    np.testing.assert_allclose(
        found.below, [(x < h).mean() for x, h in zip(draws.T, low, strict=True)]
    )
    wrong = [min((x <= null).mean(), (x >= null).mean()) for x in draws.T]
    np.testing.assert_allclose(found.lfsr, wrong)


def test_rhat_is_that_of_its_formula_with_an_odd_last_draw_and_below_zero() -> None:
    draws = (
        np.random.default_rng(1).normal(-5, 1, (3, 21, 4)) + np.arange(3)[:, None, None]
    )
    halves = draws[:, :20].reshape(6, 10, 4)
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    np.testing.assert_allclose(
        split_rhat(draws), np.sqrt(0.9 + between / within), rtol=1e-12
    )
    still = np.full((2, 4, 1), -3.0)
    assert split_rhat(still).item() == 1
    still[1] = -3.1
    assert split_rhat(still).item() == np.inf
    still[1] = np.nextafter(-3.0, 0)
    assert split_rhat(still).item() == 1  # rounding
    assert split_rhat(-1e6 + draws[:, :4] * 1e-7).min() > 0.5


def test_the_limit_of_rhat_is_the_quantile_of_its_f_distribution() -> None:
    f = stats.f.isf(1e-4 / 30, 7, 8 * 49)
    assert _rhat_by_chance(8, 50, 30) == pytest.approx(np.sqrt(1 + (f - 1) / 50))


@pytest.mark.parametrize(
    ("n", "level"), [(19, 0.95), (20, 0.96), (21, 0.96), (80, 0.99), (400, 0.999)]
)
def test_the_cures_for_few_draws_work(n: int, level: float) -> None:
    """The least number of draws is 1 / (1 - level); both cures of the error are
    tried.
    """
    rng = np.random.default_rng(0)

    def of(n: int) -> dict[str, xr.Dataset]:
        ace = xr.DataArray(rng.normal(size=(1, n, 2, 1)), dims=DRAWS)
        return {"posterior": xr.Dataset({"ace": ace}, attrs={"converged": "yes"})}

    with pytest.raises(DecisionError, match=f"{n} draws cannot resolve") as refused:
        decide(of(n), rope=0, ci_prob=level)
    words = str(refused.value)
    decide(of(int(words.split("n_draws=")[1].rstrip(")"))), rope=0, level=level)
    assert (f"n_draws={max(4_000, round(10 / (1 - level)))})") in words
    assert ("give level=" in words) == (n > 20)
    if n > 20:
        decide(of(n), rope=0, ci_prob=float(words.split("ci_prob=")[1].split(" ")[0]))
    decide(of(round(1 / (1 - level)) + 1), rope=0, ci_prob=level)


@pytest.mark.parametrize("side", [1, -1])
def test_a_floor_as_wide_as_the_region_leaves_room_and_a_wider_one_does_not(
    side: int,
) -> None:
    """Zero within rounding: the region (-a, b) has room for the floor f where f <= a
    and f <= b.
    """
    table = xr.Dataset(
        {
            name: (EFFECT, [[value]])
            for name, value in {"ace": side * 1e-9, "se": 1e-12, "floor": 1e-6}.items()
        }
        | {"n_units": (EFFECT, [[5_000]])},
        coords={"contrast": ["a"], "task": ["y"]},
    )
    for rope, room in (
        ((-1e-6, 1e-6), True),
        ((-9e-7, 1e-5), False),
        ((-1e-5, 9e-7), False),
        ((-1e-5, 1e-5), True),
    ):
        tested = decide(table, rope=rope)
        # ends are 1e-6 away
        assert verdicts(tested) == (
            ["negligible"] if rope == (-1e-5, 1e-5) else ["undecided"]
        )
        assert (tested["lower"].item(), tested["upper"].item()) == pytest.approx(
            (-1e-6, 1e-6), rel=0.01
        )
        draws = np.full((40_000, 1), side * 1e-9) * (
            1 + 1e-6 * np.random.default_rng(0).normal(size=(40_000, 1))
        )
        names = {"contrast": ["c0"], "task": ["K562"]}
        beside = {"floor": (EFFECT, [[1e-6]]), "se": (EFFECT, [[1e-12]])}
        observed = xr.Dataset({"effect": (EFFECT, [[side * 1e-9]])}, coords=names)
        tree = posterior(
            draws,
            constant_data=xr.Dataset(beside, coords=names),
            observed_data=observed,
        )
        drawn = decide(tree, rope=rope)
        assert verdicts(drawn) == (["negligible"] if room else ["undecided"])
        assert drawn["lfsr"].item() == 1


def test_effects_are_estimated_once_for_their_band_and_its_error() -> None:
    """A warning of the estimates comes once, and a Generator goes on as after one draw
    of a key.
    """
    ice = np.random.default_rng(4).exponential(1.0, (60, 3))[..., None]
    effects = xr.Dataset(
        {"ice": (("unit", *EFFECT), ice)},
        coords={"parent": ("unit", np.arange(60) // 4)},
    )
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    with pytest.warns(FewClustersWarning) as caught:
        found = decide(effects, rope=(-0.2, 0.2), error="fwer", rng=rng)
    assert len(caught) == 1
    with pytest.warns(FewClustersWarning):
        band = cg.simultaneous(effects, method="bootstrap_t", rng=other)
    assert rng.integers(2**40) == other.integers(2**40)
    np.testing.assert_array_equal(found["lower"], band["lower"])
    np.testing.assert_array_equal(found["upper"], band["upper"])


def test_curves_have_no_verdicts_and_the_error_says_what_takes_them() -> None:
    ice = np.random.default_rng(4).normal(size=(30, 1, 3, 1))
    curves = xr.Dataset(
        {"ice": (("unit", "contrast", "position", "task"), ice)},
        coords={"position": [0, 1, 2]},
    )
    with pytest.raises(
        OutcomesError,
        match=r"one number for each task .* cg\.simultaneous\(over='position'\)",
    ):
        decide(curves, rope=(-1, 1), error="fwer", rng=0)


def test_both_signs_of_the_nearest_end_give_a_band_its_error() -> None:
    """Mirrored effects have mirrored regions and one error each: what lies above one
    end lies below the other.
    """
    ice = np.random.default_rng(4).exponential(1.0, (60, 3))[..., None] - [
        [0.2],
        [1.0],
        [2.2],
    ]
    one, other = (
        band_error(
            as_joint_estimates(
                xr.Dataset({"ice": (("unit", *EFFECT), sign * ice)}), "none"
            ),
            Region(
                np.full((3, 1), min(sign * -0.3, sign * 0.9)),
                np.full((3, 1), max(sign * -0.3, sign * 0.9)),
                "",
            ),
            level=0.95,
            family=None,
            key=3,
        )
        for sign in (1, -1)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)
    assert len(np.unique(one.round(3))) > 1


def test_words_of_exact_verdicts_of_a_region_by_task_in_an_error() -> None:
    """Errors of a region that is one number propose a region about no effect of that
    half width.
    """
    table = xr.Dataset({"ace": (EFFECT, [[1.0]])}, coords={"task": ["y"]})
    for rope, null, ends in (
        (0.3, 0.0, "(-0.3, 0.3)"),
        (-0.3, 0.0, "(-0.3, 0.3)"),
        (1.5, 1.0, "(0.5, 1.5)"),
    ):
        with pytest.raises(DecisionError) as refused:
            rope_region(rope, table, null)
        assert f"rope={ends}" in str(refused.value)
        low, high = (float(x) for x in ends.strip("()").split(","))
        assert rope_region((low, high), table, null).lower.item() == low


def test_a_task_varies_where_the_control_of_any_contrast_does() -> None:
    sd = xr.DataArray(
        [[0.0, 0.0], [1.0, 0.0]], dims=EFFECT, coords={"task": ["K562", "HepG2"]}
    )
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), "0.2 sd") == ["K562"]


def test_groups_with_a_covariance_are_joined_by_tasks_and_by_contrasts() -> None:
    rng = np.random.default_rng(0)
    names = {"contrast": ["a", "b"], "task": ["x", "y"]}
    ace = rng.normal([[0.0, 3.0], [5.0, 9.0]], 1.0, (1, 400, 2, 2))
    draws = xr.DataArray(ace, dims=DRAWS, coords=names)
    beside = xr.Dataset(
        {
            "se": (EFFECT, [[1.0, 2.0], [3.0, 4.0]]),
            "covariance": (("contrast", "contrast_", "task"), np.ones((2, 2, 2))),
        },
        coords=names | {"contrast_": ["a", "b"]},
    )
    for order in (
        {"task": ["y", "x"]},
        {"contrast": ["b", "a"]},
        {"contrast": ["b"], "task": ["y"]},
    ):
        chosen = draws.sel(order)
        tree = {
            "posterior": xr.Dataset({"ace": chosen}, attrs={"converged": "yes"}),
            "constant_data": beside,
        }
        found = decide(tree, rope=(-1, 1))
        np.testing.assert_array_equal(found["se"], beside["se"].sel(order))
        np.testing.assert_allclose(found["ace"], chosen.mean(("chain", "draw")))


def test_the_slab_stands_beside_every_effect_where_one_is_surely_not_0() -> None:
    """P(0) of a clear effect may be 0 to the last digit; the columns are there for all
    as soon as one may be 0.
    """
    rng = np.random.default_rng(0)
    draws = np.column_stack(
        [
            np.where(rng.random(4_000) < 0.6, 0.0, rng.normal(size=4_000)),
            50 + rng.normal(size=4_000),
        ]
    )
    names = {"contrast": ["c0", "c1"], "task": ["K562"]}
    moments = xr.Dataset(
        {"lfdr": (EFFECT, [[0.6], [0.0]]), "mean": (EFFECT, [[0.0], [50.0]])},
        coords=names,
    )
    tree = posterior(draws, moments=moments)
    tree["posterior"].attrs |= {"law": "spike_and_slab", "converged": "yes"}
    found = decide(tree, rope=(-1, 1))
    assert found["p_zero"].values.ravel().tolist() == [0.6, 0.0]
    assert found["lower_slab"].values[1] == found["lower"].values[1]
    assert found["lower_slab"].values[0] < found["lower"].values[0]
    tree["moments"] = moments.assign(lfdr=0 * moments["lfdr"])
    assert "p_zero" not in decide(tree, rope=(-1, 1))


def test_what_was_not_drawn_is_of_the_largest_effect_of_any_contrast_and_of_skewed_ones_alone() -> (
    None
):
    table = xr.Dataset(
        {
            name: (EFFECT, [[a], [b]])
            for name, (a, b) in {"ace": (0.0, 0.0), "largest_ice": (2.0, 5.0)}.items()
        }
        | {"n_units": (EFFECT, [[100], [300]])}
    )
    np.testing.assert_allclose(
        unseen(table, np.array([[0.4], [0.0]])), [[0.03 * 5], [0.0]]
    )
    np.testing.assert_allclose(
        unseen(table, np.array([[0.4], [-0.4]])), [[0.03 * 5], [0.01 * 5]]
    )
    real = table.assign_attrs(null_kind="genomic")
    assert few_real_sequences(real) == 0  # the contrast with most of them has 300
    assert few_real_sequences(real.isel(contrast=[0])) == 100


@pytest.mark.parametrize(
    ("n", "ends"), [(99, "of the estimate"), (100, "of the draws")]
)
def test_a_hundred_draws_off_an_atom_have_an_interval_of_their_own(
    n: int, ends: str
) -> None:
    draws = np.zeros((40_000, 1))
    draws[np.random.default_rng(0).choice(40_000, n, replace=False), 0] = np.linspace(
        -1, 1, n
    )
    names = {"contrast": ["c0"], "task": ["K562"]}
    beside = {
        "constant_data": xr.Dataset({"se": (EFFECT, [[5.0]])}, coords=names),
        "observed_data": xr.Dataset({"effect": (EFFECT, [[0.0]])}, coords=names),
    }
    tree = posterior(draws, **beside)
    tree["posterior"].attrs["converged"] = "yes"
    width = (lambda x: x["upper"].item() - x["lower"].item())(
        decide(tree, rope=(-0.5, 0.5))
    )
    assert width == pytest.approx(
        2 * 0.9 if ends == "of the draws" else 2 * 1.6448536 * 5, rel=1e-6
    )


def test_what_has_not_converged_is_counted_in_words() -> None:
    rng = np.random.default_rng(0)
    apart = (
        rng.normal(size=(4, 100, 5, 1))
        + np.arange(4)[:, None, None, None] * np.array([1, 2, 0, 3, 4])[:, None]
    )

    def refused(ace: np.ndarray, diverging: int = 0) -> str:
        tree = {"posterior": xr.Dataset({"ace": (DRAWS, ace)})}
        if diverging:
            at = np.arange(400).reshape(4, 100) < diverging
            tree["sample_stats"] = xr.Dataset({"diverging": (("chain", "draw"), at)})
        with pytest.raises(ConvergenceError) as error:
            decide(tree, rope=0)
        return str(error.value)

    assert "and 1 more" in refused(apart)
    assert "more" not in refused(apart[:, :, :4]).split("(above")[0]
    assert (
        refused(apart).index("contrast 4")
        < refused(apart).index("contrast 3")
        < refused(apart).index("contrast 1")
    )
    assert "1 divergent transition;" in refused(apart, 1)
    assert "2 divergent transitions;" in refused(apart, 2)


@pytest.mark.parametrize(
    ("sd", "label"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], "±0.5"),
        ([[1.0, 2.0], [1.0, 2.0]], "±0.5 (t0), ±1 (t1)"),
        ([[1.0, 2.0], [1.0, 3.0]], "±0.5 to ±1.5"),
        ([[1.0, 2.0, 3.0]], "±0.5 (t0), ±1 (t1), ±1.5 (t2)"),
        ([[4.0, 2.0, 3.0, 1.0]], "±0.5 to ±2"),
    ],
)
def test_half_widths_are_listed_up_to_three_tasks(
    sd: list[list[float]], label: str
) -> None:
    values = np.array(sd)
    tasks = [f"t{i}" for i in range(values.shape[1])]
    table = xr.Dataset(
        dict.fromkeys(("ace", "control_sd"), (EFFECT, values)), coords={"task": tasks}
    )
    found = rope_region("0.5 sd", table, 1.0)
    assert (
        found.label
        == f"0.5 sd of the control arm (relative to its mean) about 1 = {label}"
    )
    np.testing.assert_allclose(
        [found.lower, found.upper], [1 - values / 2, 1 + values / 2]
    )


@pytest.mark.parametrize("zero", ["distance", "sd", "se", "n"])
def test_no_number_of_units_is_known_where_one_part_is_nothing(zero: str) -> None:
    given = {"distance": 0.3, "sd": 0.1, "se": 0.1, "n": 100} | {zero: 0}
    found = more_units(
        *(np.array([given[name]]) for name in ("distance", "sd", "se", "n")), z=1.96
    )
    assert found.tolist() == [-1]
    whole = more_units(
        np.array([0.15]), np.array([0.1]), np.array([0.1]), np.array([100]), z=1.96
    )
    assert whole.item() == np.ceil(100 * (1.96 * 0.1 / 0.15) ** 2 - 100)
