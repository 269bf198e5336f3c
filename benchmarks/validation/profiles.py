"""Bands of curves: how often a 95 % band misses the true effect on a profile at any
position.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check
from validation.draws import Rng

Trials = Callable[[Rng, int], np.ndarray]
_ORACLES = {
    "smooth footprint": ("footprint", "CCACTAGGTGGC"),
    "spiky promoter": ("promoter", "CTATAAAAGGCC"),
    "smooth footprint of 7 letters, which 1 unit in 100 has by accident": (
        "footprint",
        "AGATAAG",
    ),
    "smooth footprint of 7 letters": ("footprint", "AGATAAG"),
    "spiky promoter of 6 letters": ("promoter", "TATAAA"),
}
_POOL, _AT_ONCE = 10_000, 50
_RUNS = 4
"""Trials of a row without a promise in the gate, which asks only whether it runs: the
page has all of them.
"""


@cache
def pool(name: str) -> xr.DataArray:
    """ICE of an oracle's first track in 10,000 units, (unit, position): the population
    of the trials.
    """
    oracle, word = _ORACLES[name]
    arms = {"placebo": cg.Placebo(word, at=90), "motif": cg.Embed(word, at=90)}
    design = cg.Design(
        null=cg.Uniform(length=200), arms=arms, n_units=_POOL, contrasts="placebo"
    )
    with warnings.catch_warnings():  # of a promoter the other strand, which is not used
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        effects = cg.run(design, getattr(cg.zoo, oracle)(word), rng=1, keep="effects")
    return effects["ice"].isel(contrast=0, task=0, drop=True)


def misses(name: str, n: int, *, parents: int = 0) -> Trials:
    """Whether the band of n units misses; units of a parent have an amplitude in
    common, of sd .4.
    """

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        everything = pool(name)
        values, truth = everything.to_numpy(), everything.to_numpy().mean(axis=0)
        parent = np.arange(n) % parents if parents else np.arange(n)

        def some(k: int) -> np.ndarray:
            """Return k trials, a contrast each: every curve is a family of its own."""
            ice = values[rng.integers(0, len(values), (n, k))]
            if parents:
                ice = (
                    ice
                    * (1 + 0.4 * rng.standard_normal((parents, k))[parent])[:, :, None]
                )
            effects = xr.Dataset(
                {"ice": (("unit", "contrast", "position", "task"), ice[..., None])},
                coords={
                    "contrast": np.arange(k).astype(str),
                    "position": everything["position"],
                    "task": ["track"],
                },
            ).assign_coords(parent=("unit", parent))
            band = cg.simultaneous(
                effects, over="position", family="contrast", n_draws=999, rng=rng
            )
            missed = (band["lower"] > truth[:, None]) | (band["upper"] < truth[:, None])
            return np.asarray(missed.any(["position", "task"]))

        return np.concatenate(
            [some(min(_AT_ONCE, n_trials - i)) for i in range(0, n_trials, _AT_ONCE)]
        )

    return trials


def rare(name: str, n: int, counted: str) -> Trials:
    """What is `counted` of a band of n units: whether it says that few units carry it,
    or whether wider limits miss.
    """

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        everything = pool(name)
        values, truth = everything.to_numpy(), everything.to_numpy().mean(axis=0)

        def some(k: int) -> np.ndarray:
            """Return k trials, a task each, so that no trial knows the largest effect
            of another.
            """
            ice = np.moveaxis(values[rng.integers(0, len(values), (n, k))], 1, 2)
            effects = xr.Dataset(
                {"ice": (("unit", "contrast", "position", "task"), ice[:, None])},
                coords={
                    "contrast": ["motif"],
                    "position": everything["position"],
                    "task": np.arange(k).astype(str),
                },
            )
            n_draws = 199 if counted == "flag" else 999
            band = cg.simultaneous(
                effects, over="position", n_draws=n_draws, rng=rng
            ).isel(contrast=0)
            wider = band["unseen"] if counted == "beyond" else 0.0
            missed = (band["lower"] - wider > truth[:, None]) | (
                band["upper"] + wider < truth[:, None]
            )
            return np.asarray(
                (band["few_units"] if counted == "flag" else missed).any("position")
            )

        return np.concatenate(
            [some(min(_AT_ONCE, n_trials - i)) for i in range(0, n_trials, _AT_ONCE)]
        )

    return trials


def misses_of_mean(n_predictors: int) -> Trials:
    """Whether the band of the mean curve over predictors misses it: 40 units of sd .1,
    predictors of sd 1.
    """
    at = np.arange(60)
    smooth = np.linalg.cholesky(
        np.exp(-((np.subtract.outer(at, at) / 8) ** 2)) + 1e-8 * np.eye(60)
    ).T

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        def one() -> bool:
            of_units, of_both = (
                0.1 * rng.standard_normal((40, 60)) @ smooth,
                rng.standard_normal((40, n_predictors, 60)),
            )
            ice = (
                of_units[:, None]
                + rng.standard_normal((n_predictors, 60)) @ smooth
                + 0.1 * of_both
            )
            effects = xr.Dataset(
                {
                    "ice": (
                        ("unit", "contrast", "position", "task", "model"),
                        np.moveaxis(ice, 1, 2)[:, None, :, None],
                    )
                },
                coords={
                    "contrast": ["motif"],
                    "position": at,
                    "task": ["track"],
                    "model": np.arange(n_predictors),
                },
            )
            estimates = cg.estimate(effects, target="population x predictors")
            band = cg.simultaneous(estimates, over="position", rng=rng)
            return bool(((band["lower"] > 0) | (band["upper"] < 0)).any())

        return np.array([one() for _ in range(n_trials)])

    return trials


_BAND = "95 % bands of curves: truth outside the band at any of 200 positions"
_CASES = {"n = 200": {"n": 200}, "40 parents of 5": {"n": 200, "parents": 40}}
_LONG, _SHORT, _ACCIDENTAL = list(_ORACLES)[:2], list(_ORACLES)[2], list(_ORACLES)[3:]
_RARE = "95 % bands of curves with rare effects"
CHECKS = [
    *(
        Check(
            _BAND,
            f"sup-t, {name}, {case}",
            misses(name, **options),
            0.05,
            "exact",
            full=2_000,
            quick=100,
        )
        for name in _LONG
        for case, options in _CASES.items()
    ),
    Check(
        _BAND,
        f"sup-t, {_SHORT}, n = 200",
        misses(_SHORT, 200),
        0.05,
        "reported",
        full=2_000,
        quick=_RUNS,
    ),
    *(
        Check(
            _RARE,
            f"note that few units carry a position, {name}, n = {n}",
            rare(name, n, "flag"),
            0.05,
            "at most" if name in _LONG else "reported",
            full=400,
            quick=50 if name in _LONG else _RUNS,
        )
        for name in (*_LONG, *_ACCIDENTAL)
        for n in (80, 300, 1_000)
    ),
    *(
        Check(
            _RARE,
            f"truth outside the band{how}, {name}, n = {n}",
            rare(name, n, counted),
            0.05,
            "reported" if counted == "band" else "at most",
            full=400,
            quick=_RUNS if counted == "band" else 50,
        )
        for name in _ACCIDENTAL
        for n in (80, 300, 1_000)
        for how, counted in (("", "band"), (" widened for unseen effects", "beyond"))
    ),
    *(
        Check(
            _BAND,
            f"mean over {n} predictors, Bonferroni",
            misses_of_mean(n),
            0.05,
            "at most",
            full=1_000,
            quick=60,
        )
        for n in (3, 5)
    ),
]
