"""One-sided tests at the ends of a region: degenerate errors, and floors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.estimation.effect_intervals import ace_se_df, one_sided_p
from causalgia.ropes import rope_ends

EFFECT = ("contrast", "task")


@pytest.mark.parametrize("rope", [("-0.1", 0.1), (-0.1, "0.1"), (b"-0.1", 0.1), "12"])
def test_ends_of_a_rope_are_numbers_and_not_text(rope: Any) -> None:
    with pytest.raises(EstimateError):
        rope_ends(rope)


def test_one_standard_error_that_makes_no_sense_is_named() -> None:
    dims = ("contrast", "task")
    table = xr.Dataset(
        {"ace": (dims, [[0.0], [1.0]]), "se": (dims, [[1.0], [-1.0]])},
        {"contrast": ["a", "b"]},
    )
    with pytest.raises(EstimateError):
        ace_se_df(table)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_within_its_floor_of_an_end_no_effect_is_told_from_it(sign: float) -> None:
    """Effects just inside and outside both ends of a region to one side of 0, as exact
    as rounding allows.
    """
    low, high, off = 2.0, 5.0, 0.5e-3
    ace = sign * np.array([low - off, low + off, high - off, high + off, 3.0, 8.0])
    table = cg.from_effects(ace, np.full(6, 1e-6)).assign(
        floor=(EFFECT, np.full((6, 1), 1e-3))
    )
    ends = (low, high) if sign > 0 else (-high, -low)
    for given, at_end in ((table, True), (table.drop_vars("floor"), False)):
        found = one_sided_p(given, *ends)
        clear = {
            name: np.ravel(getattr(found, name))
            for name in ("not_below", "not_above", "above", "below")
        }
        mirrored = {
            "not_below": "not_above",
            "not_above": "not_below",
            "above": "below",
            "below": "above",
        }
        clear = (
            clear
            if sign > 0
            else {name: clear[other] for name, other in mirrored.items()}
        )
        close = 1.0 if at_end else 0.0
        np.testing.assert_allclose(
            clear["not_below"], [1, close, 0, 0, 0, 0], atol=1e-12
        )
        np.testing.assert_allclose(
            clear["not_above"], [0, 0, close, 1, 0, 1], atol=1e-12
        )
        np.testing.assert_allclose(clear["above"], [1, 1, 1, close, 1, 0], atol=1e-12)
        np.testing.assert_allclose(clear["below"], [close, 1, 1, 1, 1, 1], atol=1e-12)
