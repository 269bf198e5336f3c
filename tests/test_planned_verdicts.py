"""Verdicts beside the stored analysis: which error rates are those that were planned,
and which are exploratory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.analysis import Analysis
from causalgia.verdicts import decide

EFFECT = ("contrast", "task")


def planned(n: int, **settings: Any) -> xr.Dataset:
    effect = np.random.default_rng(0).normal(size=n)
    analysis = Analysis(control="c", rope=(-1, 1), **settings)
    return cg.from_effects(effect, 0.1).assign_attrs(analysis=analysis.to_json())


def marked(estimates: xr.Dataset, **choices: Any) -> list[str]:
    found = decide(estimates, rope=(-1, 1), **choices)
    return [name for name in found.attrs.get("exploratory", "").split(", ") if name]


@pytest.mark.parametrize(
    ("n", "error", "others"),
    [
        (29, "bh", []),
        (29, "holm", ["error"]),
        (29, "local", ["error"]),
        (30, "bh", ["error"]),
        (30, "holm", ["error"]),
        (30, "local", []),
    ],
)
def test_thirty_effects_were_planned_to_have_a_posterior_and_fewer_to_be_tested(
    n: int, error: Any, others: list[str]
) -> None:
    assert marked(planned(n), error=error) == others


def test_an_error_rate_that_was_stored_is_the_planned_one() -> None:
    assert marked(planned(40, error="fwer"), error="fwer") == []
    assert marked(planned(40, error="fdr"), error="fdr") == []
    assert marked(planned(4, error="fwer"), error="fdr") == ["error"]
    assert marked(planned(40, error="fdr"), error="fdr", family="all") == ["family"]
    # each verdict by itself has no family
    assert marked(planned(40), error="local", family="all") == []
    assert marked(planned(40), error="local", level=0.9, rare=0.02) == ["level", "rare"]


def test_words_and_effects_that_do_not_vary_do_not_count_towards_a_posterior() -> None:
    table = planned(30)
    word = np.arange(30) == 7
    assert (
        marked(table.assign_coords(placebo_word=("contrast", word)), error="fdr") == []
    )
    assert marked(table.assign(exact=(EFFECT, word[:, None])), error="fdr") == []
    assert marked(table.assign(exact=(EFFECT, ~word[:, None])), error="fdr") == []
    assert marked(
        table.assign(exact=(EFFECT, np.zeros((30, 1), bool))), error="fdr"
    ) == ["error"]


def test_an_effect_that_does_not_vary_in_one_task_does_not_count_in_any() -> None:
    effect, one = np.random.default_rng(0).normal(size=(30, 2)), np.zeros((30, 2), bool)
    table = xr.Dataset(
        {"ace": (EFFECT, effect), "se": (EFFECT, np.full((30, 2), 0.1))}
    ).assign_attrs(planned(3).attrs)
    assert marked(table.assign(exact=(EFFECT, one)), error="fdr") == ["error"]
    one[4, 1] = True
    assert marked(table.assign(exact=(EFFECT, one)), error="fdr") == []


def test_where_nothing_varies_no_error_rate_is_exploratory() -> None:
    still = planned(4).assign(se=(EFFECT, np.zeros((4, 1))))
    assert marked(still, error="fwer") == []
    some = planned(4).assign(se=(EFFECT, np.array([[0.0], [0.1], [0.0], [0.0]])))
    assert marked(some, error="fwer") == ["error"]
