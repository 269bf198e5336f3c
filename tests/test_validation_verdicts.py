"""The trials behind the rows about the rule of verdicts: estimates are those of the
real verb, and what is counted can be seen.
"""

from __future__ import annotations

import numpy as np
import pytest
import validate
import xarray as xr
from validation import verdicts
from validation.binomial_bands import Row

import causalgia as cg

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
COLUMNS = ("ace", "se", "df", "skewness", "n_units", "lower", "upper", "p")


def estimated(ice: np.ndarray) -> xr.Dataset:
    """Estimate effects of units (n, K, tables)."""
    coords = {
        "contrast": [f"e{i}" for i in range(ice.shape[1])],
        "task": np.arange(ice.shape[2]).astype(str),
    }
    return cg.estimate(xr.Dataset({"ice": (("unit", *verdicts.EFFECT), ice)}, coords))


def test_shifted_estimates_are_those_of_shifted_effects() -> None:
    rng = np.random.default_rng(0)
    ice, by = rng.standard_exponential((40, 3, 5)) - 1, rng.normal(size=(3, 5))
    alone = verdicts._estimated(ice.reshape(40, 15))
    made = verdicts._shifted({n: x.reshape(3, 5) for n, x in alone.items()}, by)
    real = estimated(ice + by)
    ours = verdicts.decided(verdicts.table(made), (-0.3, 0.3))
    theirs = verdicts.decided(real, (-0.3, 0.3))
    for name in ("ace", "se", "lower", "upper", "p", "p_verdict", "q"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-12, err_msg=name)
    assert (ours["verdict"] == theirs["verdict"]).all()


def test_tables_of_pairs_are_those_that_decide_makes_of_their_outcomes() -> None:
    rng, effect = (
        np.random.default_rng(1),
        np.array([[0.0, 0.3, 0.0], [-0.3, 0.1, 0.5]]),
    )
    made = verdicts.pairs(0.1, effect, 50, rng)
    found = made.estimates
    np.testing.assert_allclose(
        found["ace"].to_numpy()[0][made.which], effect, atol=0.25
    )
    columns = {
        name: x.isel(contrast=0).isel(task=made.which.T.ravel())
        for name, x in found.data_vars.items()
        if x.dims[:2] == verdicts.EFFECT and "contrast_" not in x.dims
    }
    for table in range(3):  # a table as one of its own
        own = xr.Dataset(
            {
                name: x.isel(task=slice(2 * table, 2 * table + 2))
                .drop_vars(["task", "contrast"], errors="ignore")
                .rename(task="contrast")
                .expand_dims("task", axis=1)
                for name, x in columns.items()
            },
            {"contrast": ["a", "b"], "task": ["t"]},
            attrs=found.attrs,
        )
        for rope in (0, (-0.15, 0.15)):
            ours = verdicts.decided_on_pairs(made, rope).isel(task=table)
            theirs = verdicts.decided(own, rope).isel(task=0)
            for name in ("verdict", "q", "p", "p_verdict", "lower", "upper"):
                assert (
                    ours[name].to_numpy().tolist() == theirs[name].to_numpy().tolist()
                )


def test_tables_of_a_cell_are_the_same_with_every_number_of_rows() -> None:
    """Rows of a table are next to each other in the pool, as those of one trial are."""
    found = verdicts._tables({"ace": np.arange(12.0)}, 3, 2)["ace"]
    np.testing.assert_array_equal(found, [[0, 3], [1, 4], [2, 5]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "negligible"),
        ("verdict", "undecided"),
        ("q", 0.2),
        ("p", 0.5),
        ("p_verdict", 0.2),
        ("lower", -5.0),
    ],
)
def test_a_row_that_contradicts_itself_is_seen(name: str, value: object) -> None:
    ice = np.random.default_rng(2).normal(size=(30, 4, 6))
    ice[:, 0, 0] += 3.0  # a clear direction
    found = verdicts.decided(estimated(ice), (-0.3, 0.3))
    assert found["verdict"][0, 0] == "increases"
    assert not verdicts.disagreements(found).any()
    other = found[name].to_numpy().copy()
    other[0, 0] = value
    wrong = verdicts.disagreements(found.assign({name: (verdicts.EFFECT, other)}))
    assert np.argwhere(wrong).tolist() == [[0, 0]]


def test_false_and_missed_verdicts_are_counted() -> None:
    """A rule without company would have more false directions on the bounds, and an
    effect that is on the bound cannot be missed or right.
    """
    told = verdicts.cell("normal", 30, 29, "on", 60)
    directions = np.isin(told.verdict, ["increases", "decreases"])
    np.testing.assert_array_equal(told.directions, directions.any(axis=0))
    power = verdicts.power("normal", 100, 29, 20)
    assert power[8].min() == 1.0
    assert power[4].mean() <= power[6].mean() <= power[8].mean()
    assert not verdicts.disagreements(
        verdicts.decided(estimated(np.random.default_rng(3).normal(size=(30, 2, 2))), 0)
    ).any()


@pytest.mark.parametrize(
    ("claim", "value", "nominal", "over"),
    [
        ("at most", 0.08, 0.05, 0.03),
        ("at least", 0.90, 0.94, 0.04),
        ("at most", 1.2, 1.0, np.nan),
        ("reported", 0.4, 0.05, np.nan),
    ],
)
def test_how_far_a_row_is_past_its_bound(claim, value, nominal, over) -> None:
    row = Row("a row", value, nominal, 1_000, claim, "mean", 0.001)
    found = validate.excess(validate.table([row]).isel(row=0))
    assert found == pytest.approx(over, nan_ok=True)


def test_the_page_opens_with_what_failed() -> None:
    rows = [
        Row("good: one", 0.04, 0.05, 1_000, "at most", "mean", 0.001),
        Row("bad: two", 0.30, 0.05, 1_000, "at most", "mean", 0.001),
        Row("normal: at 8 standard errors", 0.2, 0.01, 99, "at most", "mean", 0.1),
        Row(f"odd: x{verdicts.NO_PROMISE}", 0.7, 0.05, 99, "reported", "mean", 0.1),
    ]
    sections = ["A", "A", verdicts.MISSED, "B"]
    places = {
        row.name: ("a room", section)
        for row, section in zip(rows, sections, strict=True)
    }
    text = validate.page(validate.table(rows), places)
    opening = text[: text.index("## How to read")]
    assert (
        "3 promises were counted. 2 held, as far as chance allows to tell; 1 did not"
        in opening
    )
    assert "2 rates are past their bound, 1 of these by no more than chance" in opening
    assert "1. bad: two: 0.3000, promised at most 0.05 (**missed**)" in opening
    assert "20 % in the worst (normal)" in opening
    assert "the worst 0.7 (odd: x" in opening
    assert "| A | 2 | **1 of 2** | 0.3000, at most 0.05 |" in text
