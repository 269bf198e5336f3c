"""Weights of catalogue contrasts are exact: an arm that cancels has none, and no
rounding noise is left.
"""

from __future__ import annotations

import pytest

import causalgia as cg


@pytest.mark.parametrize(
    "make",
    [
        cg.experiments.spacing,
        cg.experiments.copies,
        cg.experiments.position,
        lambda: cg.experiments.motif_pair(
            cg.Uniform(length=200), distances=range(15, 22), n_units=20
        ),
    ],
)
def test_no_weight_is_rounding_noise(make):
    rows = make().named_contrasts
    assert min(abs(weight) for row in rows.values() for weight in row.values()) > 1e-3


def test_weights_that_are_decimals_are_the_nearest_floats():
    assert sorted(cg.experiments.copies().named_contrasts["linear trend"].values()) == [
        -0.9,
        -0.3,
        0.3,
        0.9,
    ]
    assert "untreated" not in cg.experiments.spacing().named_contrasts["linear trend"]
