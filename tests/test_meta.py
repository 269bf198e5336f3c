"""Imports random_effects from the inside: no verb says all of its numbers.

The mean of effects that differ, against its definitions and at the edges.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from causalgia.errors import EstimateError
from causalgia.estimation._random_effects import random_effects


@given(st.integers(0, 10_000))
def test_every_number_is_that_of_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 30))
    v = np.exp(rng.normal(size=k) * 2) * 10.0 ** rng.integers(-8, 8)
    y = rng.normal(size=k) * np.sqrt(v) * rng.choice([0.2, 1, 5, 50]) + rng.normal()
    found = random_effects(y, v)

    def squares(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(w @ (y - (w @ y) / w.sum()) ** 2)

    w = 1 / (v + found.tau2)
    mean = (w @ y) / w.sum()
    assert found.mean == pytest.approx(mean, rel=1e-9, abs=1e-9 * found.se)
    se = np.sqrt(w @ (y - mean) ** 2 / ((k - 1) * w.sum()))
    assert (found.se, found.df) == pytest.approx((se, k - 1), rel=1e-9)
    assert found.Q_p == pytest.approx(stats.chi2.sf(squares(0.0), k - 1), rel=1e-6)
    for tau2, target in (
        (found.tau2, k - 1),
        (found.tau2_lower, stats.chi2.isf(0.025, k - 1)),
        (found.tau2_upper, stats.chi2.isf(0.975, k - 1)),
    ):
        at = squares(tau2)
        assert at == pytest.approx(target, rel=1e-4) if tau2 else at <= target


@pytest.mark.parametrize("unit", [-1.0, 1e-20, 1e20])
def test_another_unit_of_the_effects_changes_the_unit_alone(unit: float) -> None:
    y, v = np.array([1.0, 3.0, -2.0, 5.0, 0.5]), np.array([0.5, 1.0, 0.7, 0.4, 2.0])
    here, there = (random_effects(y * u, v * u**2) for u in (1.0, unit))
    assert there.mean == pytest.approx(here.mean * unit, rel=1e-9)
    assert there.se == pytest.approx(here.se * abs(unit), rel=1e-9)
    assert there.Q_p == pytest.approx(here.Q_p, rel=1e-9)
    for name in ("tau2", "tau2_lower", "tau2_upper"):
        assert getattr(there, name) == pytest.approx(
            getattr(here, name) * unit**2, rel=1e-9
        )


def test_equal_effects_have_no_spread() -> None:
    found = random_effects([1.0, 1.0, 1.0], [0.5, 1.0, 2.0])
    assert (found.mean, found.tau2, found.Q_p) == pytest.approx((1, 0, 1))
    assert found.se < 1e-15


def test_effects_almost_without_errors_have_their_own_variance() -> None:
    """The floor of effects without an error, a variance of 1e-16 of the largest."""
    y = np.array([1.0, 2.0, 4.0])
    found = random_effects(y, np.full(3, 1.6e-15))
    assert found.tau2 == pytest.approx(y.var(ddof=1), rel=1e-5)
    assert found.se == pytest.approx(y.std(ddof=1) / np.sqrt(3), rel=1e-6)


def test_one_effect_has_no_spread() -> None:
    with pytest.raises(EstimateError):
        random_effects([1.0], [1.0])
