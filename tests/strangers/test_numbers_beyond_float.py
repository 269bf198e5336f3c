"""Whole numbers beyond float64, and a sd whose square is: an audit of verdicts and of plans met "int too large to
convert to float" in ropes, quantiles, numbers of units and of rows, and prices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import CausalgiaError
from causalgia.estimation import from_effects
from causalgia.planning import (
    cheapest_split,
    minimal_detectable_effect,
    power,
    sample_size,
)
from causalgia.planning.power_functions import verdict_probability
from causalgia.verdicts import heterogeneity

BEYOND = 10**400
ICE = np.random.default_rng(0).normal(size=(20, 2, 1))
EFFECTS = xr.Dataset({"ice": (("unit", "contrast", "task"), ICE)})
ROW: Any = {"rope": (-1, 1), "true_effect": 0}

CALLS: dict[str, Callable[[], Any]] = {
    "rope of decide": lambda: cg.decide(from_effects([1.0], se=0.1), rope=(-1, BEYOND)),
    "rope by task": lambda: cg.decide(
        from_effects([1.0], se=0.1), rope={"effect": (-BEYOND, 1)}
    ),
    "rope of a plan": lambda: cg.Analysis(rope=(-BEYOND, 1)),
    "rope of heterogeneity": lambda: heterogeneity(EFFECTS, rope=(-1, BEYOND)),
    "rope of a probability": lambda: verdict_probability(0, 1, 1, 5, rope=(-1, BEYOND)),
    "quantiles": lambda: heterogeneity(EFFECTS, quantiles=[BEYOND]),
    "sd": lambda: power(sd=BEYOND, n_units=10, **ROW),
    "half width": lambda: sample_size(sd=1, half_width=BEYOND),
    "units": lambda: power(sd=1, n_units=BEYOND, **ROW),
    "units of the least effect": lambda: minimal_detectable_effect(
        sd=1, n_units=BEYOND
    ),
    "rows": lambda: power(sd=1, n_units=10, n_contrasts=BEYOND, **ROW),
    "true effect": lambda: power(sd=1, n_units=10, rope=(-1, 1), true_effect=BEYOND),
    "price": lambda: cheapest_split(
        EFFECTS, half_width=0.1, price_per_prediction=BEYOND
    ),
    "square of sd": lambda: sample_size(sd=1e300, **ROW),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_number_beyond_float_is_named(call: Callable[[], Any]) -> None:
    with pytest.raises(CausalgiaError, match=r"=.*(000|1e\+300)"):
        call()


def test_numbers_that_a_float_holds_are_numbers() -> None:
    largest = int(np.finfo(float).max)
    found = power(sd=1e150, n_units=np.int64(10), rope=(-1, 1), true_effect=largest)
    assert found["power"] == pytest.approx(1)
