"""Weights of catalogue contrasts are exact: an arm that cancels has none, and no
rounding noise is left.
"""

from __future__ import annotations

import pytest

import causalgia as cg

NULL = cg.Uniform(length=100)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cg.experiments.spacing(NULL, "UGCAUG"),
        lambda: cg.experiments.copies(NULL, "UGCAUG"),
        lambda: cg.experiments.motif(NULL, "UGCAUG"),
        lambda: cg.experiments.pair(NULL, "UGCAUG", "GCACGA", gaps=range(7)),
    ],
)
def test_no_weight_is_rounding_noise(make):
    rows = make().named_contrasts
    assert min(abs(weight) for row in rows.values() for weight in row.values()) > 1e-3
