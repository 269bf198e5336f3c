# Imports from the inside: the gain of pairing, which rounding must not make.
"""Weights of catalogue contrasts are exact: an arm that cancels has none, and no
rounding noise is left.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.experiments.kit.variance import pairing_gain


@pytest.mark.parametrize(
    "make",
    [
        cg.experiments.spacing,
        cg.experiments.copies,
        cg.experiments.position,
        lambda: cg.experiments.motif_pair(
            cg.Uniform(length=200), distances=range(15, 22), n_units=20
        ),
        cg.experiments.dose_response,
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


def test_contrasts_that_vary_by_rounding_alone_have_no_gain_of_pairing():
    experiment = cg.experiments.copies(n_units=50)
    outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    whole = pairing_gain(outcomes, experiment)
    names = outcomes["arm"].to_numpy().astype(str).tolist()
    y, rng = outcomes["outcome"].to_numpy().copy(), np.random.default_rng(0)
    y[:, names.index("1 copy")] = (
        y[:, names.index("untreated")] + 1 + 1e-9 * rng.normal(size=y[:, 0].shape)
    )
    outcomes = outcomes.drop_vars("first_outcome")  # which tells a change
    rounded = outcomes.assign(outcome=(outcomes["outcome"].dims, y))
    noisy = pairing_gain(
        rounded.assign(answer_floor=outcomes["answer_floor"] * 0 + 1e-7), experiment
    )
    assert "1 copy" in whole["contrast"]
    assert "1 copy" not in noisy["contrast"]
    assert float(noisy["gain"].max()) < 100
