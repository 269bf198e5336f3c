"""Moderated variances: limma's numbers, one answer at every door, and what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.estimation.moderated_variances import (
    _dependence,
    moderate,
    moderate_variances,
)
from causalgia.notes import MODERATION_OFFERED, notes_of
from causalgia.numerics.moments import transformed, untransformed

HERE = Path(__file__).parent / "reference" / "moderated_rows"
VARIANCES = cg.Shrinkage(variances=True)
COLUMNS = ("ace", "se", "df", "p", "lower", "upper")


def long(Y: Any, n: tuple[int, int], *, paired: bool = False) -> xr.Dataset:
    """Rows by columns of two arms, a row a task."""
    Y = np.asarray(Y)
    unit = np.r_[: n[0], : n[1]] if paired else np.arange(sum(n))
    arm = np.repeat(["ref", "alt"], n)
    T = len(Y)
    frame = pd.DataFrame(
        {
            "unit": np.tile(unit, T),
            "arm": np.tile(arm, T),
            "row": np.repeat([f"r{i:04d}" for i in range(T)], sum(n)),
            "y": Y.ravel(),
        }
    )
    return cg.from_frame(frame, outcome="y", arm="arm", unit="unit", task="row")


def simulated(n: tuple[int, int], T: int = 60, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(T, sum(n))) * np.sqrt(4 / rng.chisquare(4, T))[:, None]


@pytest.fixture(scope="module")
def theirs() -> Any:
    return json.loads((HERE / "expected.json").read_text())


@pytest.fixture(scope="module")
def bench() -> xr.Dataset:
    return long(simulated((4, 4)), (4, 4))


def agrees(found: xr.Dataset, theirs: Any) -> None:
    """Effect, error and df are limma's, and ours hold its interval."""
    mine = {name: found[name].to_numpy().ravel() for name in COLUMNS}
    for name in ("ace", "se", "df"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.attrs["prior_df"], theirs["prior_df"], rtol=1e-9)
    assert (mine["lower"] <= np.array(theirs["lower"]) + 1e-9).all()
    assert (mine["upper"] >= np.array(theirs["upper"]) - 1e-9).all()
    assert (mine["p"] >= np.array(theirs["p"]) * (1 - 1e-9)).all()


def test_rows_of_4_v_5_units_are_limmas_also_one_that_does_not_vary(
    theirs: Any,
) -> None:
    outcomes = long(pd.read_csv(HERE / "input.csv"), (4, 5))
    effects = cg.contrast(outcomes, control="ref")
    with pytest.warns(cg.errors.DegenerateWarning):
        found = cg.estimate(effects, variances=True)
    agrees(found, theirs["parallel"])
    np.testing.assert_allclose(found["p_t"].values[0], theirs["parallel"]["p"])
    assert not found["exact"].any()
    np.testing.assert_allclose(found["covariance"].values[0, 0], found["se"][0] ** 2)


def test_given_effects_with_unequal_df_are_limmas(theirs: Any) -> None:
    d = pd.read_csv(HERE / "input_table.csv")
    found = moderate(cg.from_effects(d["effect"], se=d["se"], df=d["df"]))
    agrees(found, theirs["given"])
    np.testing.assert_allclose(found["p"].values[:, 0], theirs["given"]["p"], rtol=1e-9)


def test_every_door_gives_one_answer(bench: xr.Dataset) -> None:
    ask = {"control": "ref", "rope": (-1, 1)}
    whole = cg.analyze(bench, **ask, shrink=VARIANCES)
    effects = cg.contrast(bench, control="ref")
    plain, moderated = (cg.estimate(effects, variances=v) for v in (False, True))
    others = [
        cg.decide(plain, rope=(-1, 1), shrink=VARIANCES),
        cg.decide(moderated, rope=(-1, 1), shrink=VARIANCES),
        cg.decide(moderated, rope=(-1, 1)),
        cg.analyze(
            bench,
            cg.Analysis.from_toml(cg.Analysis(**ask, shrink=VARIANCES).to_toml()),
        ),
    ]
    for other in others:
        for name in ("ace", "se", "df", "p", "q", "lower", "upper", "verdict"):
            np.testing.assert_array_equal(whole[name], other[name])
        assert other.attrs["moderated_rows"] == 60
    xr.testing.assert_identical(moderate(moderated), moderated)
    assert "variances moderated over 60 rows" in cg.report(whole)
    assert "variances moderated" not in cg.report(cg.decide(plain, rope=(-1, 1)))
    assert "moderated over 60 rows" in cg.methods(whole)


def test_rows_are_offered_moderation_once(bench: xr.Dataset) -> None:
    assert notes_of(bench) == [MODERATION_OFFERED]
    assert not notes_of(long(simulated((4, 4), T=29), (4, 4)))
    assert not notes_of(long(simulated((9, 4)), (9, 4)))
    assert notes_of(long(simulated((11, 11)), (11, 11), paired=True))
    found = cg.analyze(bench, control="ref", rope=0, shrink=VARIANCES)
    assert MODERATION_OFFERED not in notes_of(found)


@pytest.mark.parametrize("unit", [1e-170, 1e-9, 1e9, 1e150])
def test_a_unit_of_measurement_changes_nothing(unit: float) -> None:
    Y = simulated((3, 7), T=30)
    found, scaled = (
        cg.estimate(cg.contrast(long(y, (3, 7)), control="ref"), variances=True)
        for y in (Y, Y * unit)
    )
    for name in ("se", "se_welch", "lower"):
        np.testing.assert_allclose(scaled[name], found[name] * unit, rtol=1e-9)
    for name in ("df", "df_welch", "variance_share", "p"):
        np.testing.assert_allclose(scaled[name], found[name], rtol=1e-9)


def test_an_arm_that_varies_more_is_not_taken_for_the_others() -> None:
    """limma's t of 5 v 80, the 5 with three times the sd, covers .57."""
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(1000, 85)) * np.repeat([3.0, 1.0], [5, 80])
    found = cg.estimate(cg.contrast(long(Y, (5, 80)), control="ref"), variances=True)
    limma = np.abs(found["ace"] / found["se"]) < 2
    assert limma.mean() < 0.65
    assert 0.93 < ((found["lower"] <= 0) & (found["upper"] >= 0)).mean() < 0.97


def test_tasks_of_many_contrasts_have_a_prior_each() -> None:
    rng = np.random.default_rng(1)
    ice = rng.normal(size=(5, 12, 2)) * [1.0, 1000.0]
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        {"contrast": [f"c{i}" for i in range(12)], "task": ["small", "large"]},
    )
    found = cg.estimate(effects, variances=True)
    other = cg.estimate(
        effects.assign(ice=effects["ice"] * [1.0, 1e-6]), variances=True
    )
    np.testing.assert_allclose(
        found["se"].sel(task="large") * 1e-6, other["se"].sel(task="large"), rtol=1e-9
    )
    assert float(found["se"].sel(task="small").max()) < 2


def test_correlated_contrasts_lend_each_other_less() -> None:
    rng = np.random.default_rng(2)
    own, shared = rng.normal(size=(4, 200, 1)), rng.normal(size=(4, 1, 1))
    df = []
    for weight in (0.0, 0.95):
        ice = np.sqrt(1 - weight) * own + np.sqrt(weight) * shared
        effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)})
        df.append(float(cg.estimate(effects, variances=True)["df"].max()))
    assert df[1] < 6 < 15 < df[0]


def test_the_dependence_is_the_mean_squared_correlation_of_all_pairs_less_chance() -> (
    None
):
    rng, n = np.random.default_rng(0), 6
    ice = rng.normal(size=(n, 5)) + 1.5 * rng.normal(size=(n, 1))
    ice[:, 3] = 1.0  # does not vary
    squares = np.mean(
        [
            np.corrcoef(ice[:, i], ice[:, j])[0, 1] ** 2
            for i, j in itertools.combinations((0, 1, 2, 4), 2)
        ]
    )
    effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice[:, :, None])})
    with pytest.warns(cg.errors.DegenerateWarning):
        found = _dependence(cg.estimate(effects), np.ones((5, 1), dtype=bool))
    chance = 1 / (n - 1)
    assert found == pytest.approx((squares - chance) / (1 - chance))


def test_a_group_of_one_lends_and_borrows_nothing() -> None:
    s2 = np.array([1.0, 2.0, 0.5, 4.0, 7.0])
    found = moderate_variances(s2, np.full(5, 3.0), group=np.array([0, 0, 0, 0, 1]))
    assert (found.variance[4], found.df[4], found.share[4]) == (7.0, 3.0, 1.0)
    alone = moderate_variances(s2[:4], np.full(4, 3.0))
    np.testing.assert_allclose(found.variance[:4], alone.variance)


@pytest.mark.parametrize("share", [0.0, 1 / 3, 0.5, 1.0])
def test_the_transform_of_a_part_of_the_variance_is_increasing_and_inverted(
    share: float,
) -> None:
    t = np.linspace(-9, 9, 181)
    for a in (-0.9, 0.3, 1.5):
        g = transformed(t, a, share)
        assert (np.diff(g) > 0).all()
        np.testing.assert_allclose(untransformed(g, a, share), t, atol=1e-7)
    slope = (transformed(1e-4, 0.3, share) - transformed(-1e-4, 0.3, share)) / 2e-4
    np.testing.assert_allclose(slope, 1, atol=1e-6)


def given(**columns: Any) -> xr.Dataset:
    return cg.from_effects(np.arange(12.0), **columns)


@pytest.mark.parametrize(
    "estimates",
    [
        given(se=1.0),  # errors known
        given(se=1.0, df=3.0).pipe(lambda e: e.assign(se=0 * e["se"])),  # none varies
        cg.from_effects([1.0], se=[1.0], df=[3]),
        cg.from_effects(np.arange(9.0), se=np.ones(9), df=np.full(9, 3)),
    ],
)
def test_nothing_to_moderate_is_refused(estimates: xr.Dataset) -> None:
    with pytest.raises(EstimateError, match="variances=True"):
        cg.decide(estimates, rope=0, shrink=VARIANCES)


def test_functions_of_means_and_effects_without_errors_are_refused(
    bench: xr.Dataset,
) -> None:
    positive = bench.assign(outcome=np.exp(bench["outcome"]))
    with pytest.raises(EstimateError, match="ratio"):
        cg.estimate(cg.contrast(positive, control="ref", scale="ratio"), variances=True)
    with pytest.raises(EstimateError):
        moderate(cg.estimate(cg.contrast(bench, control="ref")).drop_vars("se"))


def test_rows_that_do_not_vary_are_not_shrunken_with_those_that_do() -> None:
    rng = np.random.default_rng(2)
    se = 0.2 * np.sqrt(rng.chisquare(4, 24) / 4)
    estimates = cg.from_effects(
        pd.DataFrame({"effect": rng.normal(0.8, 0.2, 24), "se": se, "df": 4.0})
    )
    for name in ("ace", "se"):
        estimates[name][12:] = 0.0
    found = cg.decide(estimates, rope=(-0.1, 0.1), shrink=cg.Shrinkage(variances=True))[
        "shrunken"
    ].to_numpy()
    assert (found[:12] > 0.5).all()
    assert np.isnan(found[12:]).all()
