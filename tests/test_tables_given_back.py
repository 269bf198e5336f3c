"""Tables of effects that are given back: each row is decided as it was, or refused; a row
without an error is named, and the others are as without it; names of ours are refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DataError, DegenerateWarning, EstimateError
from causalgia.variables import RESERVED

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
KEYS = ["ace", "se", "lower", "upper", "p"]
LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(5, 1, shape),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
    "counts": lambda rng, shape: rng.poisson(2, shape) * 1.0,
    "binary": lambda rng, shape: (rng.random(shape) < 0.2) * 1.0,
}
DOORS: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {
    "tidy": cg.tidy,
    "CSV": lambda x: pd.read_csv(io.StringIO(cg.tidy(x).to_csv(index=False))),
    "to_dataframe": lambda x: x.to_dataframe().reset_index(),
}
N = 48


def outcomes(layout: str, law: str) -> xr.Dataset:
    rng = np.random.default_rng(1)
    coords: dict[str, Any] = {"arm": ["c", "w", "v"], "task": ["s", "t"]}
    groups = np.arange(N) // 4
    if "parents" in layout:
        coords["parent"] = "unit", groups
    if "blocks" in layout:
        coords["block"] = "unit", np.arange(N) % 4
    if "crossed" in layout:
        y = (("unit", "arm", "task"), LAWS[law](rng, (N, 3, 2)))
        return xr.Dataset({"outcome": y}, coords, {"scale": "x"})
    coords["assigned"] = "unit", np.repeat(["c", "w", "v"], [24, 16, 8])
    y = (("unit", "task"), LAWS[law](rng, (N, 2)))
    attrs = {"scale": "x", "assignment": "parallel"}
    return xr.Dataset({"outcome": y}, coords, attrs)


def decided(x: Any) -> xr.Dataset:
    return cg.decide(x, rope=(-0.1, 0.1), shrink=None)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("law", ["normal", "lognormal", "counts"])
@pytest.mark.parametrize(
    ("layout", "target"),
    [
        ("crossed", "population"),
        ("crossed, parents", "population"),
        ("parallel", "population"),
        ("parallel", "units"),
        ("parallel, blocks", "population"),
        ("parallel, blocks", "units"),
    ],
)
def test_rows_are_decided_as_the_estimates_are(
    layout: str, target: str, law: str, door: str
) -> None:
    effects = cg.contrast(outcomes(layout, law), control="c")
    estimates = cg.estimate(effects, target=target)
    want = decided(estimates)
    for x in (estimates, want):
        found = decided(DOORS[door](x)).sel(
            contrast=want["contrast"], task=want["task"]
        )
        for name in KEYS:
            np.testing.assert_allclose(found[name], want[name], rtol=1e-9, atol=1e-12)
        assert (found["verdict"] == want["verdict"]).all()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("of", ["estimates", "decisions"])
@pytest.mark.parametrize(
    ("layout", "law", "scale"),
    [
        ("crossed", "binary", "identity"),
        ("parallel", "binary", "identity"),
        ("parallel, blocks", "binary", "identity"),
        ("crossed", "lognormal", "ratio"),
        ("crossed", "lognormal", "log_of_means"),
        ("parallel", "lognormal", "ratio"),
    ],
)
def test_rows_whose_limits_a_table_does_not_hold_are_refused(
    layout: str, law: str, scale: str, of: str, door: str
) -> None:
    effects = cg.contrast(outcomes(layout, law), control="c", scale=scale)
    estimates = cg.estimate(effects)
    x = estimates if of == "estimates" else cg.decide(estimates, rope=0, shrink=None)
    with pytest.raises(EstimateError):
        decided(DOORS[door](x))


def test_the_mark_stands_in_the_rows_that_take_two_values() -> None:
    y = outcomes("crossed", "normal")
    y["outcome"][:, :, 1] = (y["outcome"][:, :, 1] > 6) * 1.0
    table = cg.tidy(cg.estimate(cg.contrast(y, control="c")))
    assert table.groupby("task")["two_valued"].all().to_dict() == {
        "s": False,
        "t": True,
    }
    sound = decided(table[table["task"] == "s"])
    want = decided(cg.estimate(cg.contrast(y.sel(task=["s"]), control="c")))
    np.testing.assert_allclose(sound["upper"], want["upper"], rtol=1e-12)


def table_of(k: int, **without: float) -> pd.DataFrame:
    effect = np.random.default_rng(2).normal(0, 0.5, k)
    names = [f"m{i}" for i in range(k)]
    table = pd.DataFrame({"effect": effect, "se": 0.2, "df": 30.0}, index=names)
    for name, se in without.items():
        table.loc[name, "se"] = se
    return table


@pytest.mark.parametrize("se", [0.0, np.nan])
@pytest.mark.parametrize(
    "door",
    [
        lambda x: x,
        cg.from_effects,
        lambda x: cg.from_effects(x["effect"], x["se"], df=x["df"]),
        lambda x: xr.Dataset.from_dataframe(x.rename_axis("x")),
        lambda x: x.to_dict("list") | {"contrast": x.index.tolist()},
    ],
)
def test_a_row_without_error_is_named_and_the_others_are_as_without_it(
    door: Callable[[pd.DataFrame], Any], se: float
) -> None:
    table = table_of(14, m3=se, m7=se)
    with pytest.warns(DegenerateWarning, match=r"m3.*m7"):
        found = cg.decide(door(table), rope=0)
    want = cg.decide(door(table.drop(index=["m3", "m7"])), rope=0)
    rest = found.sel(contrast=want["contrast"])
    for name in [*KEYS, "q", "shrunken", "lfsr"]:
        np.testing.assert_array_equal(rest[name], want[name])
    assert (rest["verdict"] == want["verdict"]).all()
    bare = found.sel(contrast=["m3", "m7"])
    assert not bare["measured"].any()
    assert (bare["verdict"] == "").all()
    for name in ["ace", "p", "q", "lower", "shrunken"]:
        assert bare[name].isnull().all()
    text = str(cg.report(found, notes=True))
    assert "m3" in text
    assert "nan" not in text


def test_a_row_that_was_not_measured_stays_so_and_keeps_its_number_of_units() -> None:
    table = table_of(5, m1=0.0).assign(n_units=20, measured=True)
    table.loc["m3", "measured"] = False
    found = cg.decide(table, rope=0)
    assert found["measured"].values.ravel().tolist() == [True, False, True, False, True]
    assert (found["n_units"] == 20).all()


def test_nor_has_it_a_size_or_a_part_in_the_prior() -> None:
    table = table_of(14, m3=0.0)
    found = cg.infer(table, rng=1)["moments"].to_dataset()
    want = cg.infer(table.drop(index="m3"), rng=1)["moments"].to_dataset()
    assert found["mean"].sel(contrast="m3").isnull().all()
    rest = found.sel(contrast=want["contrast"])
    np.testing.assert_allclose(rest["mean"], want["mean"], rtol=1e-12)


def test_a_row_without_error_in_one_task_has_one_in_the_others() -> None:
    table = pd.concat([table_of(12).assign(task="a"), table_of(12).assign(task="b")])
    table = table.rename_axis("contrast").reset_index()
    table.loc[15, "se"] = 0.0
    table.loc[17, ["effect", "se"]] = np.nan
    found = cg.decide(table, rope=0)
    lacks = [("m3", "b"), ("m5", "b")]
    assert [~found["measured"].sel(contrast=k, task=t) for k, t in lacks] == [True] * 2
    assert found["measured"].sum() == 22
    whole = cg.decide(table[table["task"] == "a"], rope=0)
    of_a = found["ace"].sel(task="a")
    np.testing.assert_array_equal(of_a, whole["ace"].sel(task="a"))


def test_where_no_row_has_an_error_the_table_is_refused() -> None:
    for se in (0.0, np.nan):
        with pytest.raises(EstimateError):
            cg.from_effects(table_of(3, m0=se, m1=se, m2=se))


def test_a_task_without_spread_is_named_in_a_table_given_back() -> None:
    y = outcomes("crossed", "normal").sel(arm=["c", "w"])
    y["outcome"][:, :, 1] = [0.0, 0.5]
    estimates = cg.estimate(cg.contrast(y, control="c"))
    want = decided(estimates)
    found = decided(cg.tidy(estimates))
    assert found["measured"].sel(task=["s", "t"]).values.tolist() == [[True, False]]
    for name in KEYS:
        np.testing.assert_allclose(
            found[name].sel(task="s"), want[name].sel(task="s"), rtol=1e-12
        )


@pytest.mark.parametrize("value", ["text", "number"])
def test_a_name_of_ours_is_refused_where_it_enters(value: str) -> None:
    y = outcomes("crossed", "normal")
    on_unit = np.arange(N) % 2
    on_unit = np.where(on_unit, "x", "z") if value == "text" else on_unit * 1.0
    plain = y.assign_coords(own=("unit", on_unit))
    assert cg.moderation(cg.contrast(plain, control="c"), by="own")["p"].notnull().all()
    ours = RESERVED - {"parent", "block", "gc", "outcome", *y.dims}
    assert {"kind", "weight", "se", "ice", "assigned"} <= ours
    for name in sorted(ours):
        with pytest.raises(DataError, match=name):
            cg.contrast(y.assign_coords({name: ("unit", on_unit)}), control="c")


def test_so_is_one_that_a_selection_left() -> None:
    y = outcomes("crossed", "normal")
    assert cg.contrast(y.assign_coords(own=3.0), control="c").sizes["unit"] == N
    for name in ("q", "verdict", "weight", "p", "measured"):
        with pytest.raises(DataError, match=name):
            cg.contrast(y.assign_coords({name: 3.0}), control="c")
