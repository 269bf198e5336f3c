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
    found = decide(estimates, rope=(-1, 1), shrink=None, **choices)
    return [name for name in found.attrs.get("exploratory", "").split(", ") if name]


@pytest.mark.parametrize("n", [9, 29, 30, 40])
def test_the_planned_error_rate_does_not_depend_on_the_number_of_effects(
    n: int,
) -> None:
    assert marked(planned(n)) == marked(planned(n), error="fdr") == []
    assert marked(planned(n), error="fwer") == ["error"]
    assert marked(planned(n), error="each") == ["error"]


def test_an_error_rate_that_was_stored_is_the_planned_one() -> None:
    for n in (4, 40):
        assert marked(planned(n, error="fwer"), error="fwer") == []
        assert marked(planned(n, error="fwer"), error="fdr") == ["error"]
    assert marked(planned(40), family="task") == ["family"]
    assert marked(planned(40, family="task"), family="task") == []
    assert marked(planned(40), ci_prob=0.9) == ["ci_prob"]
    assert marked(planned(40, ci_prob=0.9), ci_prob=0.9) == []
    assert marked(planned(40), largest=9.0) == ["largest"]
    assert marked(planned(40, largest=9.0), largest=9.0) == []


def test_which_contrasts_vary_does_not_change_what_was_planned() -> None:
    table = planned(30)
    word = np.arange(30) == 7
    for other in (
        table.assign_coords(is_placebo=("contrast", word)),
        table.assign(exact=(EFFECT, word[:, None])),
        table.assign(exact=(EFFECT, ~word[:, None])),
    ):
        assert marked(other) == []
        assert marked(other, error="fwer") == ["error"]


def test_where_nothing_varies_another_error_rate_is_exploratory_too() -> None:
    still = planned(4).assign(se=(EFFECT, np.zeros((4, 1))))
    assert marked(still) == []
    assert marked(still, error="fwer") == ["error"]
