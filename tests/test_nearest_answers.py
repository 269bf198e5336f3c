# Imports from the inside: rules of p and of quadrature, where little is left to work on.
"""At the edge of what is refused: the nearest input that has an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import (
    DesignError,
    EstimateError,
)
from causalgia.estimation import from_effects
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.multiplicity.adjusted_p import (
    hierarchical_p,
)

TREE = np.array([-1, 0, 0, 1])
ESTIMATES = from_effects([0.1, 0.4, -0.3, 0.2], se=0.2, names=["a", "b", "c", "d"])


def test_parts_as_large_as_their_whole_and_certain_p_values_are_taken() -> None:
    found = hierarchical_p([0.0, 0.5, np.nan, 1.0], TREE, [4, 2, 2, 2])
    np.testing.assert_array_equal(found, [0.0, 1.0, np.nan, 1.0])
    two = hierarchical_p(
        np.array([[0.001, 0.2], [0.01, 0.1]]), np.array([-1, 0]), [4, 2]
    )
    np.testing.assert_allclose(two, [[0.001, 0.2], [0.02, 0.2]])
    # two wholes: the sizes of both count
    apart = hierarchical_p([0.01, 0.01], np.array([-1, -1]), [1, 3])
    np.testing.assert_allclose(apart, [0.04, 0.04 / 3])


def test_one_known_variance_has_nothing_to_be_moderated_by() -> None:
    found = moderate_variances(np.array([4.0, 0.0, 0.0]), np.array([3.0, 0.0, 0.0]))
    assert found.variance.tolist() == [4.0, 4.0, 4.0]
    assert found.df.tolist() == [3.0, 0.0, 0.0]
    assert found.prior_variance.tolist() == [4.0, 4.0, 4.0]
    assert found.prior_df == 0


def _gc(x: np.ndarray) -> np.ndarray:
    return x[:, 1:3].sum((1, 2))[:, None] + 1.0


PREDICTOR = cg.FunctionPredictor(_gc, tasks=["GC"], scale="counts")
ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=10)}
PARENTS = [
    "ACGTACCGTTAGCATGACTGACCATGACTG",
    "GATTACAGATTACACCATGGTTCAAGGCTA",
    "CCGTATTGCAACGTATGCCATTAGGACATC",
]


def test_two_units_of_each_parent_are_enough_for_new_shuffles_of_them() -> None:
    design = cg.Design(null=cg.DinucleotideShuffle(of=PARENTS), arms=ARMS, n_units=6)
    outcomes = cg.run(
        design, PREDICTOR, rng=0, analysis=cg.Analysis(control="none", target="parents")
    )
    assert (
        cg.estimate(cg.contrast(outcomes, control="none"), target="parents").sizes[
            "contrast"
        ]
        == 1
    )


RATIOS = ESTIMATES.assign(ace=ESTIMATES["ace"] + 1).assign_attrs(
    transform="ratio", null_value=1.0
)


@pytest.mark.parametrize("rope", [(-0.1, 0.1), {"effect": (-0.1, 0.1)}, (1.2, 1.4)])
def test_a_region_of_ratios_contains_1(rope: Any) -> None:
    with pytest.raises(EstimateError):
        cg.decide(RATIOS, rope=rope)
    with pytest.raises(DesignError):
        cg.Analysis(control="none", scale="ratio", rope=rope)
    inside = {"effect": (0.9, 1.1)} if isinstance(rope, dict) else (0.9, 1.1)
    assert cg.decide(RATIOS, rope=inside)["verdict"].size == 4
    assert cg.Analysis(control="none", scale="ratio", rope=inside).scale == "ratio"


def test_a_region_on_one_side_of_0_is_a_region() -> None:
    with pytest.raises(EstimateError):
        cg.decide(RATIOS, rope=(-0.1, 0.1))
    assert cg.decide(ESTIMATES, rope=(0.1, 0.5))["verdict"].size == 4


@pytest.mark.parametrize("size", [1e15, 1e30, 1e100, 1e-150])
def test_effects_far_from_the_scale_of_the_prior_have_no_posterior(size: float) -> None:
    estimates = from_effects(np.array([10.0, 11.0, 9.0]) * size, se=size)
    with pytest.raises(EstimateError):
        cg.infer(estimates, prior=Prior(), rng=0)
    if 1 < size < 1e50:
        for prior in (None, Prior(mu_sd=20 * size, tau_scale=10 * size)):
            found = cg.infer(estimates, prior=prior, rng=0)["moments"]["mean"]
            assert float(found[0, 0]) / size == pytest.approx(10, abs=0.5)


@pytest.mark.filterwarnings("error")
def test_effects_without_a_square_have_no_verdict() -> None:
    for effects, se, rope in (
        ([1e155, 2e155], 1e154, (-1e154, 1e154)),
        ([1.0, 2.0], 1.0, (-1e155, 1e155)),
    ):
        with pytest.raises(EstimateError):
            cg.decide(from_effects(effects, se=se), rope=rope)
    found = cg.decide(from_effects([1e153, 0.0], se=1e152), rope=(-5e152, 5e152))
    assert found["verdict"].values.ravel().tolist() == ["increases", "negligible"]


def test_errors_and_covariance_are_given_together_only_where_they_agree() -> None:
    both, one = (
        from_effects([1.0, 2.0], covariance=np.eye(2), **se)
        for se in ({"se": [1.0, 1.0]}, {})
    )
    assert both.identical(one)
    with pytest.raises(EstimateError):
        from_effects([1.0, 2.0], se=[1.0, 2.0], covariance=np.eye(2))


def test_terms_of_broom_name_the_contrasts() -> None:
    broom = pd.DataFrame(
        {"term": ["GATA1", "TAL1"], "estimate": [1.0, 0.0], "std.error": [0.1, 0.1]}
    )
    assert cg.decide(broom, rope=(-0.5, 0.5))["contrast"].values.tolist() == [
        "GATA1",
        "TAL1",
    ]
    named = broom.set_index(pd.Index(["a", "b"]))
    assert cg.decide(named, rope=(-0.5, 0.5))["contrast"].values.tolist() == ["a", "b"]
    assert from_effects(broom.assign(contrast=["x", "y"]))[
        "contrast"
    ].values.tolist() == ["x", "y"]
