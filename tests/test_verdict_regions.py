# Imports from the inside: regions, ranks among placebos and tilts, against brute force.
"""Regions of verdicts by task, class of words and predictor, and
where a tilted verdict turns.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize

import causalgia as cg
from causalgia.multiplicity.placebo import (
    placebo_region,
    rank_errors,
)
from causalgia.multiplicity.regions import (
    rope_region,
    select_tasks,
    tasks_that_vary,
)
from causalgia.ropes import Rope
from causalgia.verdicts import decide
from causalgia.verdicts._tipping_point import _cube_over_square

EFFECT = ("contrast", "task")


# regions


def test_regions_by_task_hold_for_every_contrast_and_predictor() -> None:
    shape = (3, 2, 4)
    names = {"contrast": list("abc"), "task": ["x", "y"], "model": list("wxyz")}
    effects = xr.Dataset({"ace": ((*EFFECT, "model"), np.zeros(shape))}, coords=names)
    for table in (effects, effects.isel(model=0), effects.isel(contrast=[1])):
        found = rope_region(Rope.parse({"y": (-2, 3), "x": (-0.1, 0.25)}), table, 0.0)
        for t, (low, high) in enumerate([(-0.1, 0.25), (-2.0, 3.0)]):
            assert found.lower.shape == table["ace"].shape
            assert (found.lower[:, t] == low).all()
            assert (found.upper[:, t] == high).all()
        assert not found.direction_only.any()


def test_a_region_in_sd_is_a_number_of_them() -> None:
    table = xr.Dataset({"ace": (EFFECT, [[0.0]]), "control_sd": (EFFECT, [[2.0]])})
    assert rope_region(Rope.parse(" .25sd "), table, 0.0).upper.item() == 0.5


def words_of(n: int, wide: np.ndarray | None = None, se: float = 0.1) -> xr.Dataset:
    rng = np.random.default_rng(0)
    table = xr.Dataset(
        {"ace": (EFFECT, rng.normal(size=(n, 2))), "se": (EFFECT, np.full((n, 2), se))}
    )
    table = table.assign_coords(
        contrast=[f"c{i}" for i in range(n)],
        task=["x", "y"],
        is_placebo=("contrast", np.arange(n) % 10 > 0),
    )
    return (
        table if wide is None else table.assign_coords(placebo_class=("contrast", wide))
    )


def test_the_class_with_fewest_words_is_counted() -> None:
    """All but the first of 50 contrasts of 6 bases and 70 of 8 are words, in either
    order.
    """
    word = ("contrast", np.arange(120) > 0)
    for wide, fewest in (
        (np.repeat([6, 8], [50, 70]), 49),
        (np.repeat([8, 6], [70, 50]), 50),
    ):
        table = words_of(120, wide).assign_coords(is_placebo=word)
        found = rope_region(Rope.parse("placebo"), table, 0.0)
        assert f" {fewest} " in found.label
        assert (found.of_placebos, found.by_rank) == (True, True)
    fences = rope_region(Rope.parse(" placebo outliers "), words_of(100), 0.0)
    assert (fences.of_placebos, fences.by_rank) == (True, False)
    assert " 90 " in fences.label


def test_words_of_a_posterior_have_the_errors_of_their_covariance() -> None:
    """Its standard errors are of normal scores; those of the words are the roots of the
    diagonal.
    """
    table = words_of(60, se=0.4)
    table = table.assign_coords(is_placebo=("contrast", np.arange(60) > 0))
    matrix = np.stack([0.16 * np.eye(60), 0.09 * np.eye(60)], axis=-1)
    given = table.assign(
        se=0 * table["se"] + 9, covariance=(("contrast", "contrast_", "task"), matrix)
    )
    given = given.assign_coords(contrast_=table["contrast"].to_numpy())
    known = table.assign(se=(EFFECT, np.tile([0.4, 0.3], (60, 1))))
    found, expected = (
        rope_region(Rope.parse("placebo"), x, 0.0) for x in (given, known)
    )
    np.testing.assert_allclose(found.upper, expected.upper)
    np.testing.assert_allclose(found.lower, expected.lower)
    np.testing.assert_allclose(expected.upper[0], placebo_region(known)["upper"])
    rough = rope_region(
        Rope.parse("placebo"), table.assign(se=0 * table["se"] + 0.01), 0.0
    )
    assert (np.abs(rough.upper - expected.upper) > 0.01).all()


def test_tasks_without_a_scale_are_left_out_unless_all_are() -> None:
    sd = xr.DataArray(
        [[0.0, 0.0], [0.0, 0.0]], dims=EFFECT, coords={"task": ["x", "y"]}
    )
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse("0.2 sd")) == [
        "x",
        "y",
    ]
    assert tasks_that_vary(
        xr.Dataset({"control_sd": sd.copy(data=[[0.0, 1.0], [0.0, 0.0]])}),
        Rope.parse("0.2 sd"),
    ) == ["y"]
    words = words_of(60)
    still = words.assign(ace=words["ace"] * [1.0, 1e-6])
    assert tasks_that_vary(still, Rope.parse("placebo")) == ["x"]
    assert tasks_that_vary(still, Rope.parse((-1, 1))) == ["x", "y"]
    assert select_tasks(still, ["y"])["task"].values.tolist() == ["y"]
    assert select_tasks(still.isel(task=0), ["y"]).identical(still.isel(task=0))


# placebos


def test_ranks_are_of_the_words_of_one_class_in_one_task() -> None:
    rng = np.random.default_rng(1)
    wide = np.tile([6, 8, 8], 40)
    table = words_of(120, wide)
    ace = table["ace"].to_numpy() * np.where(wide == 8, 3.0, 1.0)[:, None]
    # effects, some beyond every word on either side
    ace[::10] = rng.normal(size=(12, 2)) * 12
    table = table.assign(ace=(EFFECT, ace))
    whole = np.stack(rank_errors(table))
    for width, t in itertools.product((6, 8), (0, 1)):
        rows = np.flatnonzero(wide == width)
        alone = table.isel(contrast=rows, task=[t]).drop_vars("placebo_class")
        np.testing.assert_allclose(
            whole[:, rows, t], np.stack(rank_errors(alone))[..., 0]
        )
    mirrored = np.stack(rank_errors(table.assign(ace=-table["ace"])))
    np.testing.assert_allclose(mirrored, whole[::-1])


def test_an_effect_as_large_as_the_largest_word_is_ranked() -> None:
    words = np.r_[np.linspace(-1, 1, 39), np.full(41, 0.99)]
    table = xr.Dataset({"ace": (EFFECT, np.r_[1.0, 1.0001, words][:, None])})
    above, _ = rank_errors(
        table.assign_coords(is_placebo=("contrast", np.arange(82) > 1))
    )
    assert above[0, 0] == 2 * 2 / 81
    assert above[1, 0] <= 2 / 81


# tilted null models


def trial(n: int = 600, seed: int = 0, **on_unit: Any) -> xr.Dataset:
    """Two words and two tasks, the effects of which depend on x in four ways."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(4.0, size=n)
    slope = np.array([[0.5, -0.5], [0.0, 1.0]])
    ice = 1 + slope * (x[:, None, None] - 4) / 2 + rng.normal(0, 0.4, (n, 2, 2))
    control = rng.normal(size=(n, 1, 2))
    coords: dict[str, Any] = {
        "unit": np.arange(n),
        "arm": ["none", "a", "b"],
        "task": ["s", "t"],
        "x": ("unit", x),
    }
    y = np.concatenate([control, control + ice], axis=1)
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)}, coords=coords | on_unit
    )


@pytest.mark.parametrize("clustered", [False, True])
def test_the_curve_is_the_mean_of_units_weighted_by_a_tilt(clustered: bool) -> None:
    parent = np.random.default_rng(5).integers(0, 200, 600)
    outcomes = trial(parent=("unit", parent)) if clustered else trial()
    found = cg.tipping_point(outcomes, control="none", by="x", rope=(-0.3, 0.7))
    x, y = outcomes["x"].to_numpy(), outcomes["outcome"].to_numpy()
    ice, codes = y[:, 1:] - y[:, :1], parent if clustered else np.arange(600)
    assert found["tilted_ace"].dims == ("shift", *EFFECT)
    for k in range(0, found.sizes["shift"], 7):
        shift = found["shift"].values[k]
        z = (x - x.mean()) / x.std()

        def moved(exponent: float, z: np.ndarray = z, shift: float = shift) -> float:
            w = np.exp(exponent * z)
            return float(w @ z / w.sum() - shift)

        exponent = optimize.brentq(moved, -20, 20, xtol=1e-13)
        w = np.exp(exponent * z) / np.exp(exponent * z).sum()
        at = found.isel(shift=k)
        np.testing.assert_allclose(
            at["tilted_ace"], np.einsum("u,ukt->kt", w, ice), atol=1e-8
        )
        np.testing.assert_allclose(at["covariate_mean"], w @ x, rtol=1e-9)
        np.testing.assert_allclose(at["tilt"], exponent / x.std(), atol=1e-8)
        np.testing.assert_allclose(at["odds"], np.exp(exponent), rtol=1e-7)
        np.testing.assert_allclose(
            at["ess"], 1 / (np.bincount(codes, w) ** 2).sum(), rtol=1e-8
        )
    assert found.attrs["n_units"] == 600
    assert found.attrs["n_clusters"] == (len(np.unique(parent)) if clustered else 600)


def test_where_it_turns_and_leaves_is_where_the_curve_does() -> None:
    found = cg.tipping_point(trial(), control="none", by="x", rope=(-0.3, 0.7))
    shift = found["shift"].to_numpy()
    start = int(np.flatnonzero(shift == 0)[0])
    verdict, ace = found["tilted_verdict"].to_numpy(), found["tilted_ace"].to_numpy()
    place = np.where(ace > 0.7, 1, np.where(ace < -0.3, -1, 0))
    for side, order in (
        ("down", range(start, -1, -1)),
        ("up", range(start, len(shift))),
    ):
        for k, t in itertools.product(range(2), range(2)):
            at = found.sel(side=side).isel(contrast=k, task=t)
            last = order[-1]
            turn = next(
                (i for i in order if verdict[i, k, t] != verdict[start, k, t]), None
            )
            leave = next(
                (i for i in order if place[i, k, t] != place[start, k, t]), None
            )
            assert (at["turns"].item(), at["leaves"].item()) == (
                turn is not None,
                leave is not None,
            )
            assert at["turns_to"].item() == (
                "" if turn is None else verdict[turn, k, t]
            )
            assert at["tipping_shift"].item() == shift[last if turn is None else turn]
            assert at["leaving_shift"].item() == shift[last if leave is None else leave]
            assert (
                at["tipping_odds"].item()
                == found["odds"].values[last if turn is None else turn]
            )
            assert (
                at["tipping_covariate"].item()
                == found["covariate_mean"].values[last if turn is None else turn]
            )
    assert found["turns"].any()
    assert found["leaves"].any()
    assert not found["leaves"].all()


def test_the_other_sign_of_the_covariate_exchanges_the_sides() -> None:
    one, other = (
        cg.tipping_point(
            trial(), control="none", by=sign * trial()["x"].to_numpy(), rope=(-0.3, 0.7)
        )
        for sign in (1, -1)
    )
    turned = other.isel(side=[1, 0]).assign_coords(side=["down", "up"])
    for name, sign in (
        ("tipping_shift", -1),
        ("leaving_shift", -1),
        ("tipping_covariate", -1),
        ("turns", 1),
    ):
        np.testing.assert_allclose(sign * turned[name], one[name], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        1 / turned["tipping_odds"], one["tipping_odds"], rtol=1e-6
    )
    np.testing.assert_allclose(other["tilted_se"][::-1], one["tilted_se"], rtol=1e-7)


def test_limits_without_a_shift_allow_for_skewness_as_verdicts_do() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros((80, 2, 1))
    y[:, 1, 0] = 1 + rng.exponential(size=80)
    coords = {
        "unit": np.arange(80),
        "arm": ["none", "a"],
        "task": ["t"],
        "x": ("unit", rng.normal(size=80)),
    }
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords=coords)
    found = cg.tipping_point(outcomes, control="none", by="x", rope=(-0.5, 0.5)).sel(
        shift=0
    )
    alone = decide(
        cg.estimate(cg.contrast(outcomes, control="none")),
        rope=(-0.5, 0.5),
        error="each",
    )
    assert alone["verdict"].item() == "increases"
    for name in ("lower", "upper"):
        np.testing.assert_allclose(found[f"tilted_{name}"], alone[name], rtol=1e-9)
    assert alone["upper"].item() - alone["ace"].item() > 1.1 * (
        alone["ace"].item() - alone["lower"].item()
    )


def test_settings_that_were_stored_decide_the_curve() -> None:
    outcomes = trial()
    for error in ("fwer", "fdr", "each"):
        stored = cg.Analysis(control="none", rope=(-0.3, 0.7), ci_prob=0.9, error=error)
        kept = outcomes.assign_attrs(analysis=stored.to_json())
        found = cg.tipping_point(kept, by="x")
        assert (found.attrs["error"], found.attrs["ci_prob"]) == (error, 0.9)
        asked = cg.tipping_point(kept, by="x", ci_prob=0.99, rope=(-0.2, 0.2))
        assert asked.attrs["ci_prob"] == 0.99
        assert (asked["rope_upper"] == 0.2).all()
        plain = decide(
            cg.estimate(cg.contrast(kept)), rope=(-0.3, 0.7), ci_prob=0.9, error=error
        )
        np.testing.assert_array_equal(
            found["tilted_verdict"].sel(shift=0), plain["verdict"]
        )


def test_contrasts_are_named_in_any_number_and_order() -> None:
    effects = cg.contrast(trial(), control="none")
    effects = effects.assign_coords(
        batch=(EFFECT, [[1, 2], [3, 4]]), plate=("place", [1])
    )
    whole = cg.tipping_point(effects, by="x", rope=(-0.3, 0.7))
    assert whole["batch"].values.tolist() == [[1, 2], [3, 4]]
    assert "plate" not in whole.coords
    assert whole["contrast"].values.tolist() == ["a", "b"]
    both = cg.tipping_point(effects, contrast=["b", "a"], by="x", rope=(-0.3, 0.7))
    assert both["contrast"].values.tolist() == ["b", "a"]
    np.testing.assert_allclose(
        both["tilted_ace"], whole["tilted_ace"].sel(contrast=["b", "a"])
    )
    stored = cg.Analysis(control="none", rope=(-0.3, 0.7)).to_json()
    kept = trial().assign_attrs(analysis=stored)
    assert cg.tipping_point(kept, contrast="b", by="x")["contrast"].values.tolist() == [
        "b"
    ]
    assert cg.tipping_point(kept, contrast=["b", "a"], by="x")[
        "contrast"
    ].values.tolist() == ["b", "a"]
    assert cg.tipping_point(kept, contrast="b - a", by="x")[
        "contrast"
    ].values.tolist() == ["b - a"]


def test_the_skewness_of_tiny_pieces_is_that_of_any_and_one_piece_may_be_nothing() -> (
    None
):
    factor = np.r_[0.0, np.random.default_rng(0).exponential(size=30)][:, None]
    expected = (factor**3).sum() / (factor**2).sum() ** 1.5
    np.testing.assert_allclose(
        _cube_over_square(factor * [1e-170, 1.0, -1e150]).ravel(),
        expected * np.array([1, 1, -1]),
    )


def test_values_by_unit_are_taken_by_place_where_units_have_no_names() -> None:
    outcomes = trial(200)
    x = outcomes["x"].to_numpy()
    plain = cg.tipping_point(outcomes, control="none", by=x, rope=(-0.3, 0.7))[
        "tilted_ace"
    ]
    bare = outcomes.drop_vars("unit")
    turned = pd.Series(x, index=np.arange(200)[::-1])
    np.testing.assert_array_equal(
        cg.tipping_point(bare, control="none", by=turned, rope=(-0.3, 0.7))[
            "tilted_ace"
        ],
        plain,
    )
    # labels that are not those of the units
    some = pd.Series(x, index=np.arange(1, 201))
    np.testing.assert_array_equal(
        cg.tipping_point(outcomes, control="none", by=some, rope=(-0.3, 0.7))[
            "tilted_ace"
        ],
        plain,
    )


@pytest.mark.parametrize("rope", [(-1, 1), 0, {"K562": (-1, 1), "dead": (-1, 1)}])
def test_a_region_in_numbers_leaves_out_no_task_whose_control_is_constant(rope) -> None:
    sd = xr.DataArray(
        [[1.0, 0.0]], dims=("contrast", "task"), coords={"task": ["K562", "dead"]}
    )
    found = tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse(rope))
    assert found == ["K562", "dead"]
    found = tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse("0.2 sd"))
    assert found == ["K562"]
