"""Default verdicts of thirty contrasts or more, of which some do not vary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")


def outcomes(k: int, still: int) -> xr.Dataset:
    rng = np.random.default_rng(0)
    ice = rng.normal(size=k) * 0.2 + rng.normal(size=(50, k))
    ice[:, :still] = 0
    y = np.column_stack([np.zeros(50), ice]) + rng.normal(size=(50, 1))
    arms = ["control", *[f"word{i}" for i in range(k)]]
    table = (
        pd.DataFrame(y, columns=arms)
        .rename_axis("unit")
        .reset_index()
        .melt("unit", var_name="arm", value_name="y")
    )
    found: xr.Dataset = cg.from_frame(
        table, outcome="y", arm="arm", unit="unit", scale="log2"
    )
    return found.assign_attrs(
        analysis=cg.Analysis(control="control", rope=(-0.3, 0.3)).to_json()
    )


@pytest.mark.parametrize(
    ("k", "still", "error"),
    [(30, 1, "bh"), (31, 1, "local"), (40, 20, "bh"), (40, 5, "local")],
)
def test_contrasts_that_do_not_vary_are_decided_by_no_law(
    k: int, still: int, error: str
) -> None:
    decisions = cg.analyze(outcomes(k, still), rng=0)
    assert decisions.attrs["error"] == error
    assert not decisions.attrs.get("exploratory")
    assert "no covariance is known" not in decisions.attrs.get("notes", "")


@pytest.mark.parametrize("text", ["", " ", "-", "= 0", "1 - 1"])
def test_an_analysis_of_a_text_without_arms_is_refused_with_an_example(
    text: str,
) -> None:
    with pytest.raises(cg.errors.DesignError, match="for example 'A - B'"):
        cg.Analysis(contrasts=[text])
