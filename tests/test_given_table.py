"""The reader of what is given in place of estimates; its insides, since every verb of
effects stands on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DataError
from causalgia.estimation.given_table import effect_rows, read_given

RNG = np.random.default_rng(0)
EFFECT, SE = RNG.normal(size=(5, 3)), RNG.uniform(0.1, 0.5, (5, 3))
GENES, TASKS = list("abcde"), ["x", "y", "z"]
TABLE = xr.Dataset(
    {"effect": (("gene", "task"), EFFECT), "se": (("gene", "task"), SE)},
    {"gene": GENES, "task": TASKS},
)
LONG = TABLE.to_dataframe().reset_index().rename(columns={"gene": "contrast"})
LAYOUTS: dict[str, Any] = {
    "tasks first": TABLE.transpose("task", "gene"),
    "tasks of another name": TABLE.rename(task="cell"),
    "names of mashr": TABLE.rename(effect="Bhat", se="Shat"),
    "t for an error": TABLE.assign(t=TABLE["effect"] / TABLE["se"]).drop_vars("se"),
    "rows": LONG,
    "rows in another order": LONG.sort_values("se"),
    "matrices": {
        "Bhat": pd.DataFrame(EFFECT, GENES, TASKS),
        "Shat": pd.DataFrame(SE, GENES, TASKS),
    },
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_of_a_table_gives_the_same_estimates(name: str) -> None:
    expected, found = cg.from_effects(TABLE), cg.from_effects(LAYOUTS[name])
    found = found.sel(contrast=GENES, task=TASKS)
    for column in ("ace", "se", "p", "lower", "upper"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-12)


def test_one_error_of_each_contrast_is_that_in_all_tasks() -> None:
    found = cg.from_effects(TABLE.assign(se=("gene", SE[:, 0])))
    np.testing.assert_array_equal(found["se"], np.repeat(SE[:, :1], 3, axis=1))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (TABLE, "table"),
        (LONG, "table"),
        (cg.from_effects(TABLE), "estimates"),
        (xr.Dataset({"ace": (("chain", "draw"), [[1.0]])}), "posterior"),
        ({"posterior": xr.Dataset()}, "posterior"),
        (xr.Dataset({"ice": ("unit", [1.0])}), "effects"),
        (LONG[["contrast"]], "other"),
        ({}, "other"),
        (None, "other"),
    ],
)
def test_what_was_given_is_of_one_kind(given: Any, kind: str) -> None:
    assert read_given(given).kind == kind


def test_results_of_statsmodels_are_told_by_their_classes() -> None:
    import statsmodels.formula.api as smf

    frame = pd.DataFrame({"y": [1.0, 2.5, 2.0, 4.0], "x": [0.0, 1.0, 2.0, 3.0]})
    fit = smf.ols("y ~ x", frame).fit()
    for given in (fit, fit._results, fit.t_test("x = 1")):
        assert read_given(given).kind == "result"
    ridge = smf.ols("y ~ x", frame).fit_regularized(alpha=0.1)
    assert read_given(ridge).kind == "other"  # it has no covariance


def test_a_row_left_out_leaves_the_covariance_as_well() -> None:
    lacks = np.array([1.0, np.nan, 2.0])
    table = xr.Dataset(
        {
            "effect": ("gene", lacks),
            "se": ("gene", lacks),
            "covariance": (("gene", "other"), np.diag([1.0, 9.0, 4.0])),
        },
        {"gene": GENES[:3], "other": GENES[:3]},
    )
    rows = effect_rows(table)
    assert rows.frame.index.tolist() == ["a", "c"]
    assert rows.covariance is not None
    assert rows.covariance["gene"].to_numpy().tolist() == ["a", "c"]
    found = cg.from_effects(table)
    np.testing.assert_array_equal(found["covariance"].squeeze(), np.diag([1.0, 4.0]))


def test_a_table_without_a_row_to_name_is_refused() -> None:
    for given in (TABLE.assign_coords(task=["x", "x", "z"]), TABLE.max()):
        with pytest.raises(DataError):
            cg.from_effects(given)


def test_numbers_of_a_file_are_no_names_of_its_rows() -> None:
    written = {"": ["a", "b"], "baseMean": ["10", "20"], "effect": ["1.5", "0.1"]}
    decided = cg.decide(pd.DataFrame(written | {"se": ["0.2", "0.2"]}), rope=0.2)
    assert decided["contrast"].values.tolist() == ["a", "b"]
