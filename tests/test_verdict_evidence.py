# Imports from the inside: limits and p of verdicts, against the laws they are of.
"""Limits, probabilities and names beside a verdict: against the normal and t laws,
counts and labels by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    EstimateError,
)
from causalgia.ropes import Rope
from causalgia.verdicts import decide
from causalgia.verdicts.evidence import from_estimates
from causalgia.verdicts.posterior_evidence import summarize_posterior

EFFECT = ("contrast", "task")
DRAWS = ("chain", "draw", *EFFECT)


def one_by_one(found: xr.Dataset, *names: str) -> list[Any]:
    return [found[name].to_numpy().ravel() for name in names]


# estimates


def test_p_values_and_limits_are_those_of_the_t_law_by_hand() -> None:
    """Twice the one-sided p beyond the nearer end, twice the larger p of two tests, and
    the 95 % limits.
    """
    ace, se, df = np.array([1.2, -0.3, 0.05, -2.0]), 0.3, np.full(4, 7.0)
    found = from_estimates(
        cg.from_effects(ace, np.full(4, se), df=df),
        Rope.parse((-0.5, 0.4)),
        ci_prob=0.9,
    )
    above, below = stats.t.sf((ace - 0.4) / se, 7), stats.t.cdf((ace + 0.5) / se, 7)
    beyond = np.minimum(2 * np.minimum(above, below), 1)
    np.testing.assert_allclose(found.rows.p_direction.ravel(), beyond)
    outside = np.maximum(1 - above, 1 - below)
    np.testing.assert_allclose(
        found.rows.p_negligible.ravel(), np.minimum(2 * outside, 1)
    )
    np.testing.assert_allclose(found.p.ravel(), 2 * stats.t.sf(np.abs(ace) / se, 7))
    half = stats.t.ppf(0.95, 7) * se
    np.testing.assert_allclose(found.rows.lower.ravel(), ace - half)
    np.testing.assert_allclose(found.rows.upper.ravel(), ace + half)
    assert found.rows.counted.all()


# draws


def draws_of(values: np.ndarray, **groups: Any) -> dict[str, xr.Dataset]:
    """A tree of draws (S, K, T) in one chain, which cannot disagree."""
    _, K, T = values.shape
    names = {
        "contrast": [f"c{k}" for k in range(K)],
        "task": [f"t{t}" for t in range(T)],
    }
    ace = xr.DataArray(values[None], dims=DRAWS, coords=names)
    return {"posterior": xr.Dataset({"ace": ace}), **groups}


def test_probabilities_of_draws_are_of_each_effect_in_each_task() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(
        [[0.0, 0.5], [1.0, -2.0], [0.2, 0.3]],
        [[1.0, 0.5], [2.0, 1.0], [0.1, 0.2]],
        (1_000, 3, 2),
    )
    rope = {"t0": (-0.4, 0.6), "t1": (-1.5, 0.4)}
    found = decide(draws_of(values), rope=rope, ci_prob=0.8)
    low, high = np.array([-0.4, -1.5]), np.array([0.6, 0.4])
    above, below = (values > high).mean(axis=0), (values < low).mean(axis=0)
    inside = 1 - above - below
    near = np.where(np.maximum(above, below) > inside, 1, 0)
    np.testing.assert_allclose(
        found["p_verdict"].values[near == 1], 1 - np.maximum(above, below)[near == 1]
    )
    np.testing.assert_allclose(
        found["p_verdict"].values[near == 0], (above + below)[near == 0]
    )
    np.testing.assert_array_equal(found["q"], found["p_verdict"])
    low_high = np.quantile(values, [0.1, 0.9], axis=0)
    for name, expected in zip(("lower", "upper"), low_high, strict=True):
        np.testing.assert_allclose(found[name], expected)
        np.testing.assert_allclose(found[f"shrunken_{name}"], expected)
    for name in ("ace", "shrunken"):
        np.testing.assert_allclose(found[name], values.mean(axis=0))
    np.testing.assert_allclose(
        found["lfsr"],
        np.minimum((values <= 0).mean(axis=0), (values >= 0).mean(axis=0)),
    )
    summary = summarize_posterior(draws_of(values), Rope.parse(rope), ci_prob=0.8)
    np.testing.assert_allclose(summary.above, above, atol=1e-12)
    np.testing.assert_allclose(summary.below, below, atol=1e-12)
    assert not summary.measured


def test_columns_of_another_law_are_not_those_of_the_spike() -> None:
    """P(0) is a column of the spike and slab alone, the lfsr without the others one of
    effects that share theirs.
    """
    values = np.random.default_rng(0).normal(size=(400, 10, 1))
    names = {"contrast": [f"c{k}" for k in range(10)], "task": ["t0"]}
    share = np.linspace(0.1, 0.4, 10)[:, None]
    moments = xr.Dataset(
        {"lfdr": (EFFECT, share), "lfsr_alone": (EFFECT, 1 - share)}, coords=names
    )
    tree = draws_of(values, moments=moments)
    for law, spike in (("two_scales", False), ("spike_and_slab", True)):
        tree["posterior"].attrs["law"] = law
        found = decide(tree, rope=(-1, 1))
        assert ("p_zero" in found) == spike
        assert "lfsr_alone" not in found
    np.testing.assert_array_equal(found["p_zero"], share)
    tree["posterior"].attrs["sharing_near"] = 1
    alone = decide(tree, rope=(-1, 1))["lfsr_alone"]
    np.testing.assert_array_equal(alone, 1 - share)
    assert "lfsr_alone" not in decide(
        draws_of(values) | {"posterior": tree["posterior"]}, rope=(-1, 1)
    )


def test_the_sides_of_an_exact_sign_rate_are_those_that_draws_are_on() -> None:
    """P(> 0) + P(< 0) + P(0) = 1, and the lfsr is P(0) and the smaller side; draws say
    which side that is.
    """
    values = np.random.default_rng(0).normal([[3.0], [-3.0], [0.4]], 1.0, (400, 3, 1))
    names = {"contrast": ["c0", "c1", "c2"], "task": ["t0"]}
    moments = {
        "lfsr": (EFFECT, [[0.1], [0.2], [0.5]]),
        "lfdr": (EFFECT, [[0.05], [0.2], [0.3]]),
    }
    exact = draws_of(values, moments=xr.Dataset(moments, coords=names))

    def sides(tree: Any, rope: Any) -> tuple[Any, Any]:
        found = summarize_posterior(tree, Rope.parse(rope), ci_prob=0.95)
        return found.above.ravel(), found.below.ravel()

    above, below = sides(exact, 0)
    np.testing.assert_allclose(above, [0.9, 0.0, 0.5])
    np.testing.assert_allclose(below, [0.05, 0.8, 0.2])
    # of another region they are counted
    above, below = sides(exact, (-1, 1))
    np.testing.assert_allclose(above, (values > 1).mean(axis=0).ravel())
    np.testing.assert_allclose(below, (values < -1).mean(axis=0).ravel())
    spiked = np.where(np.arange(400)[:, None, None] < 100, 0.0, values)
    above, below = sides(draws_of(spiked), 0)
    np.testing.assert_allclose(1 - above - below, 0.25)
    np.testing.assert_allclose(below, (spiked < 0).mean(axis=0).ravel())
    plain = xr.Dataset({"lfsr": moments["lfsr"]}, coords=names)
    above, below = sides(draws_of(values, moments=plain), 0)
    np.testing.assert_allclose(below, [0.1, 0.8, 0.5])
    # the error of a direction is the exact sign rate
    decided = decide(exact, rope=0)
    np.testing.assert_allclose(decided["q"].values.ravel(), [0.1, 0.2, 0.5])
    np.testing.assert_allclose(decided["lfsr"].values.ravel(), [0.1, 0.2, 0.5])


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_that_is_an_atom_is_joined_by_that_of_the_slab(
    sign: int,
) -> None:
    """One that has a width is that of its draws alone."""
    rng = np.random.default_rng(0)
    values, slab = (
        np.zeros((4_000, 3, 1)),
        sign * rng.normal([[2.0], [-0.5], [0.3]], 0.5, (4_000, 3, 1)),
    )
    values[:100, 0] = slab[:100, 0]  # nearly all 0: the interval is the point
    values[:3_000, 1] = slab[:3_000, 1]
    values[:, 2] = slab[:, 2] + 0.01
    tree = draws_of(values)
    tree["posterior"]["ace_slab"] = (DRAWS, slab[None])
    found = decide(tree, rope=(-0.1, 0.1), ci_prob=0.9)
    plain, ends = (
        np.quantile(x[:, :, 0], [0.05, 0.95], axis=0) for x in (values, slab)
    )
    plain[:, 0] = min(0, ends[0, 0]), max(0, ends[1, 0])
    limits = one_by_one(found, "shrunken_lower", "shrunken_upper")
    np.testing.assert_allclose(limits, plain)


def test_chains_of_four_draws_can_disagree_and_of_three_cannot() -> None:
    apart = np.arange(10.0)[:, None] * 100 + np.random.default_rng(0).normal(
        size=(10, 4)
    )
    tree = {"posterior": xr.Dataset({"ace": (DRAWS, apart[..., None, None])})}
    with pytest.raises(EstimateError):
        decide(tree, rope=0)
    decide({"posterior": tree["posterior"].isel(draw=slice(3))}, rope=0)


def test_coordinates_of_an_effect_in_a_task_are_kept_by_both_kinds_of_evidence() -> (
    None
):
    values = np.random.default_rng(0).normal(size=(400, 2, 2))
    tree = draws_of(values)
    measured = ("contrast", "task"), np.array([["a", "b"], ["c", "d"]])
    tree["posterior"] = tree["posterior"].assign_coords(batch=measured)
    np.testing.assert_array_equal(decide(tree, rope=(-1, 1))["batch"], measured[1])
    table = xr.Dataset({"ace": (EFFECT, values[0]), "se": (EFFECT, np.ones((2, 2)))})
    table = table.assign_coords(batch=measured, arm=["c0", "c1", "none"])
    table = table.assign_coords(cell=((*EFFECT, "arm"), np.arange(12).reshape(2, 2, 3)))
    found = decide(table, rope=(-1, 1))
    np.testing.assert_array_equal(found["batch"], measured[1])
    assert found["cell"].shape == (2, 2, 3)


@pytest.mark.parametrize("dims", [("contrast", "task"), ("task", "contrast")])
def test_measured_effects_beside_draws_are_taken_in_any_order_of_dims(
    dims: tuple[str, str],
) -> None:
    values = np.random.default_rng(0).normal(size=(400, 3, 2))
    raw = xr.DataArray(
        np.arange(6.0).reshape(3, 2),
        dims=EFFECT,
        coords={"contrast": ["c0", "c1", "c2"]},
    )
    groups = {
        "observed_data": xr.Dataset({"effect": raw.transpose(*dims)}),
        "constant_data": xr.Dataset({"se": 0 * raw + 0.5}),
    }
    found = decide(draws_of(values, **groups), rope=(-1, 1))
    np.testing.assert_array_equal(found["ace"].transpose(*EFFECT), raw)
    half = 0.5 * stats.norm.ppf(0.975)
    np.testing.assert_allclose(found["lower"].transpose(*EFFECT), raw - half)
    np.testing.assert_allclose(found["shrunken"], values.mean(axis=0))
    # without errors the draws speak of the effects
    alone = draws_of(values, observed_data=groups["observed_data"])
    np.testing.assert_allclose(decide(alone, rope=(-1, 1))["ace"], values.mean(axis=0))
