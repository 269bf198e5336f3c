"""Coverage of intervals of an ACE under a tilted null model, down to 50 effective
units.

The covariate is normal, so that the truth under a shift of s sd is known: s for an
effect linear in it, and ``exp(.7 s + .245)`` for one that grows exponentially. Limits
are those of `causalgia.tipping_point`, by Hall's transformed t. Rows are held at the
coverage that was found in 40,000 other trials.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from causalgia.numerics.moments import skewness, untransformed
from causalgia.verdicts._tipping_point import standardized, tilt, tilted_mean
from validation.checks import Check
from validation.draws import Draw, Rng, exponential, normal, parents_of

Trials = Callable[[Rng, int], np.ndarray]
_GROWS = 0.7


def tilted(
    n: int,
    shift: float,
    draw: Draw,
    effect: str = "linear",
    *,
    ratio_alone: bool = False,
) -> Trials:
    """Whether the interval of independent units covers; `ratio_alone` takes the tilt as
    if it were known.
    """
    mean, truth = _EFFECTS[effect]

    def one(rng: Rng) -> bool:
        x = normal(rng, (n,))
        y = mean(x) + draw(rng, (n,))
        z = standardized(x)[0]
        moved = tilt(z, shift)
        if ratio_alone:
            off = moved.weights * (y - moved.weights @ y)
            return bool(
                abs(moved.weights @ y - truth(shift))
                <= stats.norm.ppf(0.975) * np.sqrt((off**2).sum())
            )
        return _covers(y, z, shift, truth(shift), None)

    return lambda rng, n_trials: np.array([one(rng) for _ in range(n_trials)])


def tilted_parents(n_parents: int, shift: float) -> Trials:
    """Whether it does where units share parents, who differ in the covariate (as
    shuffles' parents do in GC).
    """
    parent = parents_of([3, 5, 7] * (n_parents // 3))

    def one(rng: Rng) -> bool:
        x = normal(rng, (n_parents,))[parent]
        y = x + 0.7 * normal(rng, (n_parents,))[parent] + normal(rng, (len(parent),))
        # mean and sd of the null model that was run, in which a parent weighs as many
        # units as it has
        return _covers(y, standardized(x)[0], shift, shift, parent)

    return lambda rng, n_trials: np.array([one(rng) for _ in range(n_trials)])


def _covers(
    y: np.ndarray, z: np.ndarray, shift: float, truth: float, parent: np.ndarray | None
) -> bool:
    found = tilted_mean(y, z, tilt(z, shift), parent)
    hall = skewness(found.factor) / np.sqrt(len(found.factor))
    quantile = stats.t.ppf(0.975, found.df)
    low, high = untransformed(np.array([-quantile, quantile]), hall)
    return bool(low * found.se <= found.ace - truth <= high * found.se)


_EFFECTS: dict[
    str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[float], float]]
] = {
    "none": (lambda x: 0 * x, lambda s: 0.0),  # noqa: ARG005
    "linear": (lambda x: x, lambda s: s),
    "exponential": (
        lambda x: np.exp(_GROWS * x),
        lambda s: float(np.exp(_GROWS * s + _GROWS**2 / 2)),
    ),
}
AS_FOUND: dict[str, tuple[float, Trials]] = {
    "no dependence, 400 units, 1 sd (147 effective)": (
        0.9402,
        tilted(400, 1.0, normal, "none"),
    ),
    "no dependence, exponential units, 400, 1 sd": (
        0.94,
        tilted(400, 1.0, exponential, "none"),
    ),
    "linear, 400 units, 0.5 sd (311 effective)": (0.9508, tilted(400, 0.5, normal)),
    "linear, 400 units, 1 sd (147 effective)": (0.954, tilted(400, 1.0, normal)),
    "linear, exponential units, 400, 1 sd": (0.9517, tilted(400, 1.0, exponential)),
    "linear, 400 units, 1.4 sd (56 effective)": (0.962, tilted(400, 1.4, normal)),
    "growing exponentially, 400 units, 1 sd": (
        0.9249,
        tilted(400, 1.0, normal, "exponential"),
    ),
    "growing exponentially, 400 units, 1.4 sd (56 effective)": (
        0.9244,
        tilted(400, 1.4, normal, "exponential"),
    ),
    "linear, 150 unequal parents, 0.5 sd": (0.9511, tilted_parents(150, 0.5)),
}
_SECTION = "Coverage of 95 % intervals under a tilted null model"
CHECKS = [
    *(
        Check(
            _SECTION, f"tilt: {name} (approximate)", trials, level, "known", quick=1_000
        )
        for name, (level, trials) in AS_FOUND.items()
    ),
    Check(
        f"{_SECTION}: methods that fail",
        "tilt: linear, 400 units, 1 sd, weights taken as known",
        tilted(400, 1.0, normal, ratio_alone=True),
        0.95,
        "fails",
        quick=2_000,
    ),
]
