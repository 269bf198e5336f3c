"""Intervals of every layout by one rule: blocks, covariates, parents, and categories of
units, where one arm or side has few units, and what this costs beside textbook t tests.

A trial is a task of one Dataset. Outcomes of both arms are of one law, so that there is
no effect. Half of the units of a parent have one outcome in common. A covariate is drawn
anew for each 100 trials.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg
from validation.arms import PAIR
from validation.checks import Check, Claim
from validation.draws import Draw, Rng, clustered, lognormal, normal
from validation.verdicts import Trials, one, parallel, quiet

LAWS: dict[str, Draw] = {
    "0/1 at 2 %": lambda rng, shape: (rng.random(shape) < 0.02) * 1.0,
    "Poisson, mean 0.2": lambda rng, shape: rng.poisson(0.2, shape) * 1.0,
    "70 % zeros": lambda rng, shape: (
        (rng.random(shape) < 0.3) * rng.standard_exponential(shape)
    ),
    "lognormal": lognormal,
    "normal": normal,
}
_EACH, _ALIKE, _AT_ONCE, _AWAY = 4, 0.5, 100, 3.0
"""Units of a parent that is whole in an arm, share of a parent's units that are alike,
trials that share a covariate, and an effect in standard errors."""


@dataclass(frozen=True)
class Layout:
    """Units of two arms, or of two sides of a category, and what is known of them.

    Attributes
    ----------
    sizes
        Units of either arm, or of each category.
    by
        What is known: "block", "parent", "covariate" or nothing.
    dealt
        Number of blocks, or of parents, with the same share of each arm; 0 for parents
        of four units, whole in an arm.
    target
        Of `cg.estimate`; "category" for `cg.moderation`.
    """

    sizes: tuple[int, ...]
    by: str = ""
    dealt: int = 0
    target: str = "population"

    @property
    def arm(self) -> np.ndarray:
        return np.repeat(range(len(self.sizes)), self.sizes)

    @property
    def group(self) -> np.ndarray:
        """Block or parent of each unit; units are their own where there is none."""
        n = np.arange(sum(self.sizes))
        if self.dealt:
            return np.where(self.arm, n - self.sizes[0], n) % self.dealt
        return n // _EACH if self.by == "parent" else n

    @property
    def are_drawn(self) -> bool:
        """Whether effects inside groups are what varies."""
        return self.dealt > 0 and self.target == "population"

    @property
    def se(self) -> float:
        """Standard error of the effect in `power`."""
        of_units = sum(1 / n for n in self.sizes)
        whole = self.by == "parent" and not self.dealt
        return float(np.sqrt(of_units * (_EACH + 1 if whole else 1)))


def _estimated(layout: Layout, y: np.ndarray, x: np.ndarray) -> xr.Dataset:
    """Return limits and p of the second arm, or side, less the first, of each trial."""
    known = x if layout.by == "covariate" else layout.group
    coords = {layout.by: ("unit", known)} if layout.by else {}
    found: xr.Dataset
    if layout.target == "category":
        side = np.array(["enhancer", "promoter", "silencer"])[layout.arm]
        ice = {"ice": (("unit", "contrast", "task"), y[:, None])}
        effects = xr.Dataset(ice, {"region": ("unit", side)} | coords)
        found = quiet(cg.moderation, effects, by="region")
    else:
        outcomes = parallel(y, layout.sizes).assign_coords(coords)
        effects = quiet(cg.contrast, outcomes, contrasts=PAIR)
        given = "covariate" if layout.by == "covariate" else None
        found = quiet(cg.estimate, effects, target=layout.target, covariates=given)
    return found


@lru_cache(maxsize=2)
def without_effect(layout: Layout, law: str, trials: int) -> np.ndarray:
    """Return on which side of no effect the interval of each trial lies: 1 above, -1
    below, 0 if it holds it; of a category, whether p <= .05.
    """
    rng, found = _rng(layout, law), []
    for n in _parts(layout, trials):
        y = LAWS[law](rng, (len(layout.arm), n))
        if layout.by == "parent" and layout.target != "parents":
            shared = LAWS[law](rng, (layout.group.max() + 1, n))[layout.group]
            y = np.where(rng.random(y.shape) < _ALIKE, shared, y)
        made = _estimated(layout, y, rng.standard_normal(len(y)))
        is_category = layout.target == "category"
        side = made["p"] <= 0.05 if is_category else _side(made)
        # of several categories, the first beside the one that others are compared with
        found.append(side.to_numpy().reshape(-1, n)[0] * 1)
    return np.concatenate(found)


def _side(found: xr.Dataset) -> xr.DataArray:
    return (found["lower"] > 0) * 1 - (found["upper"] < 0)


@lru_cache(maxsize=2)
def power(layout: Layout, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Return in which trials the direction of an effect of three standard errors is
    told: by its interval, and by a textbook t test at .05.

    Outcomes are normal. Blocks and parents have levels of their own, as large as what
    is left; a covariate explains four fifths of the variance.
    """
    rng, rule, textbook = _rng(layout), [], []
    for n in _parts(layout, trials):
        x = rng.standard_normal(len(layout.arm))
        y = normal(rng, (len(x), n))
        if layout.by in ("block", "parent"):
            y = clustered(rng, layout.group, normal, n)
        elif layout.by:
            y += 2 * x[:, None]
        y += _AWAY * layout.se * layout.arm[:, None]
        rule.append((_side(_estimated(layout, y, x)) == 1).to_numpy().ravel())
        textbook.append(_by_textbook(layout, y, x))
    return np.concatenate(rule), np.concatenate(textbook)


def _by_textbook(layout: Layout, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return which directions a t test tells: of the means of parents that are whole in
    an arm, of the differences inside groups that are drawn, else of the arm in least
    squares beside a level for each block, or the covariate.
    """
    arm, group = layout.arm, layout.group
    if layout.are_drawn:
        means = [_means(y[arm == a], group[arm == a]) for a in (0, 1)]
        y, design = means[1] - means[0], np.ones((layout.dealt, 1))
    elif layout.dealt:
        design = np.column_stack([np.eye(layout.dealt)[group], arm])
    elif layout.by == "covariate":
        design = np.column_stack([np.ones(len(x)), x, arm])
    else:
        y, arm = _means(y, group), _means(arm[:, None], group)[:, 0]
        design = np.column_stack([np.ones(len(arm)), arm])
    inverse = np.linalg.inv(design.T @ design)
    found = inverse @ design.T @ y
    df = len(y) - design.shape[1]
    variance = ((y - design @ found) ** 2).sum(axis=0) / df * inverse[-1, -1]
    told: np.ndarray = found[-1] > stats.t(df).ppf(0.975) * np.sqrt(variance)
    return told


def _means(y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the mean of each group, (group, trial)."""
    of = np.eye(group.max() + 1)[:, group]
    means: np.ndarray = of @ y / of.sum(axis=1, keepdims=True)
    return means


def _rng(*what: object) -> Rng:
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


def _parts(layout: Layout, trials: int) -> list[int]:
    """Return how many trials are estimated at once."""
    most = _AT_ONCE if layout.by == "covariate" else trials
    return [min(most, trials - start) for start in range(0, trials, most)]


# rows of the page
_FALSE = (
    "Layouts with a small arm, blocks, a covariate or parents, no effect: 95 % intervals "
    "wholly on one side of it"
)
_CATEGORY = "Layouts with a category of units, no effect: p <= .05 by cg.moderation"
_POWER = (
    "Layouts, normal outcomes: power at 3 standard errors, and less that of the textbook's "
    "t test"
)


def _layouts(sizes: tuple[int, int]) -> dict[str, Layout]:
    """Return blocks and covariates of arms, by what the rows say of them."""
    said = "{} v {}".format(*sizes)
    return {
        f"{said} in four blocks that are drawn": Layout(sizes, "block", 4),
        f"{said} in four blocks, these units": Layout(sizes, "block", 4, "units"),
        f"{said}, new draws from four parents": Layout(sizes, "parent", 4, "parents"),
        f"{said}, a covariate": Layout(sizes, "covariate"),
        f"{said}, a covariate, these units": Layout(sizes, "covariate", 0, "units"),
    }


def _parents(sizes: tuple[int, int]) -> dict[str, Layout]:
    said = "{} v {}".format(*sizes)
    return {
        f"{said}, parents of four whole in an arm": Layout(sizes, "parent"),
        f"{said}, 20 parents in both arms": Layout(sizes, "parent", 20),
    }


def _categories(few: int) -> dict[str, Layout]:
    sizes, said = (200 - few, few), f"a category of {few} of 200 units"
    return {
        said: Layout(sizes, target="category"),
        f"{said}, in parents of four": Layout(sizes, "parent", 0, "category"),
    }


_THREE = {
    "one of three categories of 80, each in 60 parents of four": Layout(
        (80, 80, 80), "parent", 60, "category"
    )
}
_EQUAL = {
    "80 v 80": Layout((80, 80)),
    **_layouts((80, 80)),
    **_parents((80, 80)),
    **_categories(100),
}
_UNEQUAL = {
    "120 v 12": Layout((120, 12)),
    **_layouts((120, 12)),
    **_parents((160, 20)),
    **_categories(20),
}


def _promise(layout: Layout) -> Claim:
    """Return what is promised of power beside t: of unequal arms, and of effects of few
    groups that are drawn, nothing, since the rule does not trust their spread.
    """
    is_equal = layout.sizes[0] == layout.sizes[1]
    return "at least" if is_equal and not layout.are_drawn else "reported"


def _on_side(layout: Layout, law: str, side: int) -> Trials:
    return lambda _, n: without_effect(layout, law, n) == side


def _told(layout: Layout) -> Trials:
    return lambda _, n: power(layout, n)[0]


def _gained(layout: Layout) -> Trials:
    return lambda _, n: np.subtract(*power(layout, n), dtype=float)


def _row(
    section: str, name: str, trials: Trials, nominal: float, claim: Claim = "at most"
) -> Check:
    return one(section, name, trials, nominal, claim, full=4_000, quick=200)


CHECKS = [
    *(
        _row(
            _FALSE,
            f"{law}, {said}, no effect: {word}",
            _on_side(layout, law, side),
            0.025,
        )
        for said, layout in (_layouts((120, 12)) | _parents((160, 20))).items()
        for law in LAWS
        for word, side in (("increases", 1), ("decreases", -1))
    ),
    *(
        _row(
            _CATEGORY,
            f"{law}, {said}, no effect: p <= .05",
            _on_side(layout, law, 1),
            0.05,
        )
        for said, layout in (_categories(20) | _THREE).items()
        for law in LAWS
    ),
    *(
        row
        for said, layout in (_EQUAL | _UNEQUAL).items()
        for row in (
            _row(
                _POWER,
                f"{said}, 3 standard errors: the direction is told",
                _told(layout),
                0.0,
                "reported",
            ),
            _row(
                _POWER,
                f"{said}, 3 standard errors: power less that of t",
                _gained(layout),
                -0.02,
                _promise(layout),
            ),
        )
    ),
]
