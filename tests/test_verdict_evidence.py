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
from causalgia.ropes import Rope
from causalgia.verdicts import decide
from causalgia.verdicts.evidence import from_estimates

EFFECT = ("contrast", "task")
DRAWS = ("chain", "draw", *EFFECT)


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


def test_coordinates_of_an_effect_in_a_task_are_kept_by_both_kinds_of_evidence() -> (
    None
):
    values = np.random.default_rng(0).normal(size=(400, 2, 2))
    measured = ("contrast", "task"), np.array([["a", "b"], ["c", "d"]])
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
