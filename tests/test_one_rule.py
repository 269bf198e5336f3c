"""Interval and p of every layout are by one rule: what a small arm, or a small side of a
category, happens not to show is no certainty, and strong blocks, covariates and parents
widen nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
TABLES = 400
MOST = 0.025 + 4 * np.sqrt(0.025 * 0.975 / TABLES)
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
LAWS: dict[str, Draw] = {
    "binary": lambda rng, shape: (rng.random(shape) < 0.02) * 1.0,
    "counts": lambda rng, shape: rng.poisson(0.2, shape) * 1.0,
    "zeros": lambda rng, shape: (rng.random(shape) < 0.3) * rng.exponential(size=shape),
    "normal": lambda rng, shape: rng.normal(size=shape),
}


def parallel(y: np.ndarray, arm: np.ndarray, **coords: np.ndarray) -> xr.Dataset:
    on_unit = {name: ("unit", values) for name, values in coords.items()}
    return xr.Dataset(
        {"outcome": (("unit", "task"), y)},
        {"arm": ["c", "w"], "assigned": ("unit", arm), **on_unit},
        {"scale": "x", "assignment": "parallel"},
    )


def estimated(outcomes: xr.Dataset, **settings: Any) -> xr.Dataset:
    return cg.estimate(cg.contrast(outcomes, control="c"), **settings)


def sides(found: xr.Dataset) -> float:
    """The larger share of intervals wholly above, or wholly below, the truth 0."""
    return max((found["lower"] > 0).mean().item(), (found["upper"] < 0).mean().item())


def widths(found: xr.Dataset) -> float:
    return float((found["upper"] - found["lower"]).median())


def unequal(many: int, few: int) -> tuple[np.ndarray, np.ndarray]:
    """Arms, and four blocks with the same share of each."""
    block = np.r_[np.arange(many) % 4, np.arange(few) % 4]
    return np.repeat(["c", "w"], [many, few]), block


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("target", ["population", "units"])
@pytest.mark.parametrize("by", ["block", "covariate"])
def test_zeros_of_a_small_arm_are_no_certainty(by: str, target: str, law: str) -> None:
    rng = np.random.default_rng(1)
    arm, block = unequal(120, 12)
    y = LAWS[law](rng, (132, TABLES))
    if by == "block":
        found = estimated(parallel(y, arm, block=block), target=target)
    else:
        outcomes = parallel(y, arm, x=rng.normal(size=132))
        found = estimated(outcomes, target=target, covariates="x")
    assert sides(found) <= MOST


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("layout", ["whole", "mixed"])
def test_nor_are_those_of_parents(layout: str, law: str) -> None:
    rng = np.random.default_rng(2)
    if layout == "whole":  # 40 parents in one arm, 5 in the other
        arm, parent = np.repeat(["c", "w"], [160, 20]), np.arange(180) // 4
    else:  # 20 parents, each with eight units of one arm and one of the other
        arm, parent = np.tile(np.repeat(["c", "w"], [8, 1]), 20), np.arange(180) // 9
    y = LAWS[law](rng, (180, TABLES))
    found = estimated(parallel(y, arm, parent=parent))
    assert sides(found) <= MOST


def test_eight_of_200_beside_none_of_20_is_undecided() -> None:
    y = np.zeros((220, 1))
    y[[0, 20, 41, 60, 81, 100, 120, 140]] = 1
    block = np.r_[np.repeat(np.arange(10), 20), np.repeat(np.arange(10), 2)]
    outcomes = parallel(y, np.repeat(["c", "w"], [200, 20]), block=block)
    analysis = cg.Analysis(control="c", rope=0, target="units")
    assert cg.analyze(outcomes, analysis)["verdict"].item() == "undecided"


@pytest.mark.parametrize("target", ["population", "units"])
def test_strong_blocks_and_covariates_widen_nothing(target: str) -> None:
    """Ten times the residuals: as wide as without them, but for degrees of freedom."""
    rng = np.random.default_rng(3)
    arm, block = unequal(80, 80)
    y = rng.normal(size=(160, TABLES))
    x = rng.normal(size=160)
    strong = 10 * rng.normal(size=(4, TABLES))[block]
    by_block = [
        widths(estimated(parallel(z, arm, block=block), target=target))
        for z in (y, y + strong)
    ]
    by_covariate = [
        widths(estimated(parallel(z, arm, x=x), target=target, covariates="x"))
        for z in (y, y + 10 * x[:, None])
    ]
    assert by_block[1] == pytest.approx(by_block[0], rel=1e-9)
    assert by_covariate[1] == pytest.approx(by_covariate[0], rel=1e-9)
    plain = 2 * stats.t(158).ppf(0.975) * np.sqrt(2 / 80)
    assert by_covariate[0] == pytest.approx(plain, rel=0.05)
    if target == "units":
        assert by_block[0] == pytest.approx(plain, rel=0.05)


def test_blocks_have_the_pooled_t_of_their_residuals() -> None:
    """Beside Neyman's: that of least squares with a level for each block and arm."""
    rng = np.random.default_rng(4)
    arm, block = unequal(40, 8)
    y = rng.normal(size=48)
    found = estimated(parallel(y[:, None], arm, block=block), target="units").squeeze()
    cell = block * 2 + (arm == "w")
    n = np.bincount(cell)
    rest = y - (np.bincount(cell, y) / n)[cell]
    share = np.bincount(block) / 48
    error = np.sqrt((rest**2).sum() / 40 * (share[block] / n[cell]) ** 2 @ np.ones(48))
    assert found["se_pooled"].item() == pytest.approx(error, rel=1e-12)
    assert found["df_pooled"].item() == 40


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("parents", [False, True])
def test_few_units_on_one_side_of_a_category_are_no_certainty(
    law: str, parents: bool
) -> None:
    rng, n, few = np.random.default_rng(5), 200, 20
    ice = LAWS[law](rng, (n, 1, TABLES))
    region = np.where(np.arange(n) < few, "enhancer", "promoter")
    coords: dict[str, Any] = {"region": ("unit", region)}
    if parents:
        coords["parent"] = "unit", np.arange(n) // 4
    effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)
    p = cg.moderation(effects, by="region")["p"]
    assert (p <= 0.05).mean() <= 2 * MOST


def test_a_moderator_of_normal_effects_is_found_as_by_t() -> None:
    rng = np.random.default_rng(6)
    y = rng.normal(size=(200, TABLES))
    y[:100] += 0.42
    region = np.repeat(["a", "b"], 100)
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), y[:, None])},
        {"region": ("unit", region)},
    )
    power = (cg.moderation(effects, by="region")["p"] <= 0.05).mean().item()
    by_t = (stats.ttest_ind(y[:100], y[100:]).pvalue <= 0.05).mean()
    assert power >= by_t - 0.02
