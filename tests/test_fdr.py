"""Weights, and families of families: against simulated truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from causalgia.errors import EstimateError
from causalgia.multiplicity.adjusted_p import (
    hierarchical_q,
    weighted_bh,
)


def test_what_is_missing_is_no_question() -> None:
    p = np.array([0.001, np.nan, 0.2, 0.9])
    present = ~np.isnan(p)
    for whole, part in (
        (weighted_bh(p, [1, 9, 1, 2]), weighted_bh(p[present], [1, 1, 2])),
        (
            hierarchical_q(p, np.array([0, 0, 1, 1])).q,
            hierarchical_q(p[present], np.array([0, 1, 1])).q,
        ),
    ):
        assert np.isnan(whole[1])
        np.testing.assert_array_equal(whole[present], part)
    lost = hierarchical_q(np.array([0.01, np.nan]), np.array([0, 1]))
    assert lost.selected.tolist() == [True, False]
    assert lost.q[0] == 0.01


def test_the_fdr_is_held_on_independent_p() -> None:
    rng = np.random.default_rng(5)
    false = np.zeros(400)
    codes = np.repeat(np.arange(20), 10)
    for i in range(400):
        p = norm.sf(rng.normal(size=200) + 3.0 * (codes < 4))
        found = hierarchical_q(p, codes, alpha=0.1)
        rejected = found.q <= 0.1
        by_family = [
            (rejected & (codes == f)).sum() for f in np.flatnonzero(found.selected)
        ]
        wrong = np.flatnonzero(found.selected) >= 4
        inside = [
            bool(count and bad) for count, bad in zip(by_family, wrong, strict=True)
        ]
        false[i] = np.mean(inside) if inside else 0.0
    assert false.mean() < 0.1 + 3 * false.std() / 20


def test_bad_input_is_named() -> None:
    with pytest.raises(EstimateError):
        weighted_bh([0.1, 1.2], [1, 1])
    with pytest.raises(EstimateError):
        weighted_bh([0.1, 0.2], [1, -1])
    with pytest.raises(EstimateError):
        weighted_bh([0.1, 0.2], [0, 0])
    for codes in (np.array([-1, 0]), np.array([0.0, 1.0])):
        with pytest.raises(EstimateError):
            hierarchical_q([0.1, 0.2], codes)
    with pytest.raises(EstimateError):
        hierarchical_q([0.1, 0.2], np.array([0]))
    with pytest.raises(EstimateError):
        hierarchical_q([0.1], np.array([0]), within="by")  # type: ignore[arg-type]
    with pytest.raises(EstimateError):
        hierarchical_q([0.1], np.array([0]), alpha=1)


@pytest.mark.parametrize("p", [np.full((2, 2), 0.1), 0.1, [np.nan, np.nan], []])
def test_what_is_no_list_of_p_is_refused(p: Any) -> None:
    with pytest.raises(EstimateError):
        weighted_bh(p, [1.0, 1.0])


def test_a_family_at_the_very_level_is_selected() -> None:
    found = hierarchical_q([0.05, 0.05, 0.5], np.array([0, 0, 1]), alpha=0.05)
    assert found.simes.tolist() == [0.05, 0.5]
    assert found.simes_adjusted.tolist() == [0.1, 0.5]
    assert not found.selected.any()
    assert hierarchical_q(
        [0.05, 0.05], np.array([0, 1]), alpha=0.05
    ).selected.tolist() == [True, True]
