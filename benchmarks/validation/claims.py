"""What an analysis prints by default: verdicts and intervals, against known truth, from
tables and from units.

A trial is one family of K effects, analyzed as `causalgia.analyze` does with
``Analysis(rope=...)``: by the same rule whatever K is. Trials are the tasks of one
Dataset, each a family of its own.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from scipy import special

from causalgia._analyze import steps, steps_from
from causalgia.analysis import Analysis
from causalgia.errors import CausalgiaWarning
from validation import draws
from validation.binomial_bands import false_claims
from validation.checks import Check, Claim
from validation.draws import Rng

Truth = Callable[[Rng, int, int], np.ndarray]
EFFECT = ("contrast", "task")
_BLOCK = 200
_SHRINKS = 5_000  # rows of an analysis that shrinks without being asked


@dataclass(frozen=True)
class Printed:
    """Of each trial: the share of printed intervals that hold the truth, and the shares
    of claims that are false.
    """

    coverage: np.ndarray
    directions: np.ndarray
    negligibles: np.ndarray
    shrunken: np.ndarray
    """The share of the intervals of hierarchical effect sizes that hold the truth; NaN
    without any.
    """


def printed(decisions: xr.Dataset, truth: np.ndarray) -> Printed:
    """Count what decisions (K contrasts, n trials as tasks) say against the truth, (K,
    n).
    """
    columns = ("verdict", "lower", "upper", "rope_lower", "rope_upper")
    verdict, lower, upper, *region = (
        decisions[name].transpose(*EFFECT).to_numpy() for name in columns
    )
    direction, negligible = false_claims(verdict, truth, *region)
    claimed = np.isin(verdict, ["increases", "decreases"]).sum(axis=0)
    called = (verdict == "negligible").sum(axis=0)
    shrunken = np.full(truth.shape[1], np.nan)
    if "shrunken_lower" in decisions:
        low, high = (
            decisions[f"shrunken_{side}"].transpose(*EFFECT).to_numpy()
            for side in ("lower", "upper")
        )
        shrunken = ((low <= truth) & (truth <= high)).mean(axis=0)
    return Printed(
        ((lower <= truth) & (truth <= upper)).mean(axis=0),
        direction.sum(axis=0) / np.maximum(claimed, 1),
        negligible.sum(axis=0) / np.maximum(called, 1),
        shrunken,
    )


def _together(parts: list[Printed]) -> Printed:
    return Printed(
        *(
            np.concatenate([getattr(p, f) for p in parts])
            for f in ("coverage", "directions", "negligibles", "shrunken")
        )
    )


def _analysis(control: str, rope: float) -> Analysis:
    return Analysis(control=control, rope=(-rope, rope), family="task")


def from_table(
    truth: Truth,
    k: int,
    rope: float,
    n: int,
    seed: int,
    *,
    shared: float = 0.5,
    shrinks: bool = False,
) -> Printed:
    """Print n trials of K effects with standard error 1, of whose variance a part is
    shared, as under one control.
    """
    rng = np.random.default_rng(seed)
    true = truth(rng, k, n)
    effect = (
        true
        + np.sqrt(1 - shared) * rng.normal(size=(k, n))
        + np.sqrt(shared) * rng.normal(size=n)
    )
    names = {
        "contrast": [f"e{i}" for i in range(k)],
        "task": [str(i) for i in range(n)],
    }
    p = 2 * special.ndtr(-np.abs(effect))
    table = xr.Dataset(
        {"ace": (EFFECT, effect), "se": (EFFECT, np.ones((k, n))), "p": (EFFECT, p)},
        coords=names,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = steps_from(
            table,
            _analysis("untreated", rope),
            shrinks=shrinks,
        )
    return printed(found.decisions, true)


def from_units(
    truth: Truth,
    k: int,
    rope: float,
    n: int,
    seed: int,
    *,
    draw: draws.Draw,
    n_units: int,
    shrinks: bool = False,
) -> Printed:
    """Print n trials of K arms on the same units under one control: outcomes of a
    predictor to decisions.

    Effects and ROPE are in units of the standard error of an effect.
    """
    rng, parts = np.random.default_rng(seed), []
    block = min(_BLOCK, _SHRINKS // k) if shrinks else _BLOCK
    for start in range(0, n, block):
        tasks = min(block, n - start)
        true = truth(rng, k, tasks)
        noise = draw(rng, (n_units, k + 1, tasks))
        noise /= draw(np.random.default_rng(0), (200_000,)).std() * np.sqrt(2 / n_units)
        y = noise + np.concatenate([np.zeros((1, tasks)), true])
        outcomes = xr.Dataset(
            {"outcome": (("unit", "arm", "task"), y)},
            coords={
                "unit": np.arange(n_units),
                "arm": ["none", *map(str, range(k))],
                "task": np.arange(tasks).astype(str),
            },
            attrs=_ATTRS,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            found = steps(
                outcomes,
                _analysis("none", rope),
                shrinks=shrinks,
            )
        parts.append(printed(found.decisions, true))
    return _together(parts)


def normal(sd: float, mean: float = 0.0) -> Truth:
    return lambda rng, k, n: rng.normal(mean, sd, (k, n))


def at_the_bound(rng: Rng, k: int, n: int) -> np.ndarray:
    """Every effect lies on an end of a ROPE of 1, where no verdict is right."""
    return rng.choice([-1.0, 1.0], (k, n))


def one_sixth_large(rng: Rng, k: int, n: int) -> np.ndarray:
    """A sixth of the effects (at least one of two or more) is 50; the others lie at
    1.5, outside a ROPE of 1.
    """
    true = rng.choice([-1.5, 1.5], (k, n))
    true[: -(-k // 6) if k > 1 else 0] = 50.0
    return true


def sparse(rng: Rng, k: int, n: int) -> np.ndarray:
    return np.where(rng.random((k, n)) < 0.05, rng.normal(0, 5, (k, n)), 0.0)


def wide_and_narrow(rng: Rng, k: int, n: int) -> np.ndarray:
    return np.where(
        rng.random((k, n)) < 0.1, rng.normal(0, 4, (k, n)), rng.normal(0, 0.3, (k, n))
    )


TRUTHS: dict[str, tuple[Truth, float]] = {
    "N(0, 2), ROPE 4": (normal(2.0), 4.0),
    "all at +-1, ROPE 1": (at_the_bound, 1.0),
    "all at +-4, ROPE 4": (lambda rng, k, n: 4 * at_the_bound(rng, k, n), 4.0),
    "a sixth at 50, the rest +-1.5, ROPE 1": (one_sixth_large, 1.0),
    "10 % N(0, 4), the rest N(0, .3), ROPE 3": (wide_and_narrow, 3.0),
}
LAWS: dict[str, draws.Draw] = {
    "normal": draws.normal,
    "exponential": draws.exponential,
    "lognormal": draws.lognormal,
}
_TABLE = (
    "Default analysis of tables: K effects with a known standard error of 1, correlated "
    "by r"
)
_SHRUNKEN = (
    "Hierarchical effect sizes of an analysis: coverage of shrunken 95 % intervals"
)
_RARE_OR_SKEWED = "Default analysis of units: 40 arms with rare or skewed effects"
_ATTRS = {
    "scale": "log",
    "assignment": "crossover",
    "predictor_fingerprint": "simulated",
}
_UNITS = (
    "Default analysis of units: K arms under one control, every true effect on a bound "
    "of the ROPE"
)


@cache
def _of_table(name: str, k: int, shared: float, n: int) -> Printed:
    (truth, rope), seed = TRUTHS[name], zlib.crc32(f"{name}, {k}".encode())
    return from_table(truth, k, rope, n, seed, shared=shared)


@cache
def _of_units(law: str, n_units: int, k: int, n: int) -> Printed:
    rope = 8.0
    return from_units(
        lambda rng, k, n: rope * at_the_bound(rng, k, n),
        k,
        rope,
        n,
        7 * k + n_units,
        draw=LAWS[law],
        n_units=n_units,
    )


def _rows(
    section: str,
    cell: str,
    count: Callable[[int], Printed],
    *,
    covers: float,
    false: Claim,
    full: int,
    quick: int,
) -> list[Check]:
    """Return three rows on one cell: coverage of intervals, false directions, false
    negligible verdicts.
    """
    return [
        Check(
            section,
            f"{cell}: coverage of 95 % intervals",
            lambda _, n: count(n).coverage,
            covers,
            "at least",
            full,
            quick,
        ),
        Check(
            section,
            f"{cell}: false share of directions",
            lambda _, n: count(n).directions,
            0.05,
            false,
            full,
            quick,
        ),
        Check(
            section,
            f"{cell}: false share of negligible verdicts",
            lambda _, n: count(n).negligibles,
            0.05,
            false,
            full,
            quick,
        ),
    ]


def _table_rows(name: str, k: int, shared: float) -> list[Check]:
    return _rows(
        _TABLE,
        f"K = {k}, r = {shared:g}, {name}",
        lambda n: _of_table(name, k, shared, n),
        covers=0.94,
        false="at most",
        full=2_000,
        quick=200 if k < 40 else 50,
    )


def _unit_rows(law: str, n_units: int, k: int, false: Claim) -> list[Check]:
    return _rows(
        _UNITS,
        f"{law}, n = {n_units:,}, K = {k}",
        lambda n: _of_units(law, n_units, k, n),
        covers=0.93 if law == "lognormal" else 0.94,
        false=false,
        full=2_000,
        quick=200,
    )


SPREADS: dict[str, Truth] = {
    "N(0, .5)": normal(0.5),
    "N(0, 2)": normal(2.0),
    "a sixth at 50, the rest N(0, .5)": lambda rng, k, n: np.where(
        np.arange(k)[:, None] < -(-k // 6), 50.0, rng.normal(0, 0.5, (k, n))
    ),
    "5 % N(0, 5), the rest 0": sparse,
}


def _shared_spread(_: Rng, n: int) -> np.ndarray:
    parts = [
        from_table(SPREADS["N(0, .5)"], 100, 1.0, 50, seed, shared=0.5, shrinks=True)
        for seed in range(-(-n // 50))
    ]
    return np.concatenate([part.shrunken for part in parts])[:n]


def _of_spread_units(name: str, k: int) -> Callable[[Rng, int], np.ndarray]:
    def trials(_: Rng, n: int) -> np.ndarray:
        seed = zlib.crc32(f"units, {name}, {k}".encode())
        given = {"draw": draws.normal, "n_units": 400, "shrinks": True}
        return from_units(SPREADS[name], k, 1.0, n, seed, **given).shrunken

    return trials


@cache
def _of_rare_words(law: str, n: int) -> Printed:
    """Print n trials of 40 arms on 800 units, of which 20 do nothing and 20 have rare
    or skewed effects of mean 1.
    """
    rng, parts = np.random.default_rng(zlib.crc32(law.encode())), []
    true = np.repeat([1.0, 0.0], 20)[:, None]
    for _ in range(n):
        size = (800, 20)
        effect = (
            100.0 * (rng.random(size) < 0.01)
            if law == "rare"
            else rng.lognormal(size=size) / np.exp(0.5)
        )
        y = 0.1 * rng.normal(size=(800, 41, 1))
        y[:, 0] = 0
        y[:, 1:21, 0] += effect
        coords = {
            "unit": np.arange(800),
            "arm": ["none", *map(str, range(40))],
            "task": ["y"],
        }
        outcomes = xr.Dataset(
            {"outcome": (("unit", "arm", "task"), y)}, coords, attrs=_ATTRS
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            found = steps(
                outcomes,
                _analysis("none", 0.9),
                shrinks=False,
            )
        parts.append(printed(found.decisions, true))
    return _together(parts)


def _rare_word_rows(law: str) -> list[Check]:
    cell, count = (
        f"20 of 40 effects {law}, mean 1, the rest 0, 800 units, ROPE 0.9",
        lambda n: _of_rare_words(law, n),
    )
    return _rows(
        _RARE_OR_SKEWED, cell, count, covers=0.90, false="at most", full=400, quick=20
    )


CHECKS = [
    *(
        row
        for shared in (0.0, 0.5)
        for k in (1, 29, 100)
        for name in TRUTHS
        for row in _table_rows(name, k, shared)
    ),
    *(
        Check(
            _SHRUNKEN,
            f"400 units, one control, K = {k}, {name}",
            _of_spread_units(name, k),
            0.93,
            "at least",
            full=200,
            quick=8,
        )
        for k in (10, 40, 100)
        for name in SPREADS
    ),
    Check(
        _SHRUNKEN,
        "table, K = 100, N(0, .5), half of the error variance shared, no covariance "
        "given",
        _shared_spread,
        0.95,
        "fails",
        full=300,
        quick=60,
    ),
    *(row for law in ("rare", "skewed") for row in _rare_word_rows(law)),
    *(
        row
        for law in LAWS
        for n in (300, 1_000)
        for k in (1, 6)
        for row in _unit_rows(law, n, k, "at most")
    ),
]
