"""What an analysis prints by default: verdicts and intervals, against known truth, from tables and from units.

A trial is one family of K effects, analysed as `causalgia.analyze` does with ``Analysis(rope=...)``: tests of fewer than
30 effects, the posterior of 30 or more. Trials are the tasks of one Dataset, each a family of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from scipy import special

from causalgia.analysis import Analysis
from causalgia.calibration.verdicts import false_claims
from causalgia.errors import CausalgiaWarning
from causalgia.staircase import steps, steps_from
from validation import draws
from validation.checks import Check
from validation.draws import Rng

Truth = Callable[[Rng, int, int], np.ndarray]
EFFECT = ("contrast", "task")
_BLOCK = 200


@dataclass(frozen=True)
class Printed:
    """Of each trial: coverage of the printed intervals less their levels, and shares of the claims that are false."""

    coverage: np.ndarray
    directions: np.ndarray
    negligibles: np.ndarray


def printed(decisions: xr.Dataset, truth: np.ndarray) -> Printed:
    """Count what decisions (K contrasts, n trials as tasks) say against the truth, (K, n)."""
    said = {
        name: decisions[name].transpose(*EFFECT).to_numpy()
        for name in ("verdict", "lower", "upper", "rope_lower", "rope_upper")
    }
    level = (
        decisions["interval_level"].transpose(*EFFECT).to_numpy()
        if "interval_level" in decisions
        else float(decisions.attrs["ci_prob"])
    )
    direction, negligible = false_claims(said["verdict"], truth, said["rope_lower"], said["rope_upper"])
    claimed = np.isin(said["verdict"], ["increases", "decreases"]).sum(axis=0)
    called = (said["verdict"] == "negligible").sum(axis=0)
    covered = (said["lower"] <= truth) & (truth <= said["upper"])
    return Printed(
        (covered - level).mean(axis=0),
        direction.sum(axis=0) / np.maximum(claimed, 1),
        negligible.sum(axis=0) / np.maximum(called, 1),
    )


def from_table(truth: Truth, k: int, rope: float, n: int, seed: int) -> Printed:
    """Print n trials of K effects with standard error 1, half of their errors shared as under one control."""
    rng = np.random.default_rng(seed)
    true = truth(rng, k, n)
    effect = true + (rng.normal(size=(k, n)) + rng.normal(size=n)) / np.sqrt(2)
    names = {"contrast": [f"e{i}" for i in range(k)], "task": [str(i) for i in range(n)]}
    p = 2 * special.ndtr(-np.abs(effect))
    table = xr.Dataset({"ace": (EFFECT, effect), "se": (EFFECT, np.ones((k, n))), "p": (EFFECT, p)}, coords=names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = steps_from(table, Analysis(control="untreated", rope=(-rope, rope)), rng=seed)
    return printed(found.decisions, true)


def from_units(truth: Truth, k: int, rope: float, n: int, seed: int, *, draw: draws.Draw, n_units: int) -> Printed:
    """Print n trials of K arms on the same units under one control: outcomes to decisions, as a predictor answered them.

    Effects and ROPE are in units of the standard error of an effect.
    """
    rng, parts = np.random.default_rng(seed), []
    for start in range(0, n, _BLOCK):
        tasks = min(_BLOCK, n - start)
        true = truth(rng, k, tasks)
        noise = draw(rng, (n_units, k + 1, tasks))
        noise /= draw(np.random.default_rng(0), (200_000,)).std() * np.sqrt(2 / n_units)
        y = noise + np.concatenate([np.zeros((1, tasks)), true])
        outcomes = xr.Dataset(
            {"outcome": (("unit", "arm", "task"), y)},
            coords={"unit": np.arange(n_units), "arm": ["none", *map(str, range(k))], "task": np.arange(tasks).astype(str)},
            attrs={"scale": "log", "assignment": "crossover", "predictor_fingerprint": "simulated"},
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            found = steps(outcomes, Analysis(control="none", rope=(-rope, rope)), rng=int(rng.integers(2**31)))
        parts.append(printed(found.decisions, true))
    return Printed(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("coverage", "directions", "negligibles")))


def normal(sd: float, mean: float = 0.0) -> Truth:
    return lambda rng, k, n: rng.normal(mean, sd, (k, n))


def at_the_bound(rng: Rng, k: int, n: int) -> np.ndarray:
    """Every effect lies on an end of a ROPE of 1, where no verdict is right."""
    return rng.choice([-1.0, 1.0], (k, n))


def one_sixth_large(rng: Rng, k: int, n: int) -> np.ndarray:
    """A sixth of the effects (at least one of two or more) is 50; the others lie at 1.5, outside a ROPE of 1."""
    true = rng.choice([-1.5, 1.5], (k, n))
    true[: -(-k // 6) if k > 1 else 0] = 50.0
    return true


def sparse(rng: Rng, k: int, n: int) -> np.ndarray:
    return np.where(rng.random((k, n)) < 0.05, rng.normal(0, 5, (k, n)), 0.0)


def wide_and_narrow(rng: Rng, k: int, n: int) -> np.ndarray:
    return np.where(rng.random((k, n)) < 0.1, rng.normal(0, 4, (k, n)), rng.normal(0, 0.3, (k, n)))


def one_sided(rng: Rng, k: int, n: int) -> np.ndarray:
    return 2 * rng.exponential(size=(k, n))


TRUTHS: dict[str, Truth] = {
    "N(0, .5)": normal(0.5),
    "N(0, 1)": normal(1.0),
    "N(0, 2)": normal(2.0),
    "on the bounds": at_the_bound,
    "a sixth at 50, the rest +-1.5": one_sixth_large,
    "5 % N(0, 5), the rest 0": sparse,
    "10 % N(0, 4), the rest N(0, .3)": wide_and_narrow,
    "exponential, mean 2": one_sided,
}
ROPES = {"N(0, .5)": 3.0}
"""Where a ROPE of 1 standard error would decide nothing, a wider one."""


@cache
def _of_table(name: str, k: int, n: int) -> Printed:
    return from_table(TRUTHS[name], k, ROPES.get(name, 1.0), n, seed=1000 * k + len(name))


@cache
def _of_units(law: str, n_units: int, k: int, rope: float, n: int) -> Printed:
    bound: Truth = lambda rng, k, n: rope * rng.choice([-1.0, 1.0], (k, n))  # noqa: E731
    return from_units(bound, k, rope, n, 7 * k + n_units, draw=LAWS[law], n_units=n_units)


LAWS: dict[str, draws.Draw] = {"normal": draws.normal, "exponential": draws.exponential, "lognormal": draws.lognormal}
_TABLE = "What is printed by default, K effects with standard error 1 (one control)"
_UNITS = "What is printed by default, from units; every truth on a bound of the ROPE"


def _rows(section: str, of_what: str, count: Callable[[int], Printed], *, by_tests: bool, full: int, quick: int) -> list[Check]:
    """Return three rows on one cell: coverage of what is printed, false directions, false negligibles."""
    promise = "at most" if by_tests else "known"
    size = {"full": full, "quick": quick}
    return [
        Check(section, f"{of_what}: coverage less level", lambda _, n: count(n).coverage, 0.0, "at least", **size),
        Check(section, f"{of_what}: false directions", lambda _, n: count(n).directions, 0.05, promise, **size),
        Check(section, f"{of_what}: false negligibles", lambda _, n: count(n).negligibles, 0.05, promise, **size),
    ]
