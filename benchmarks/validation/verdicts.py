"""The rule of verdicts on tables of K effects of n units: false and missed verdicts,
coverage, and what company changes.

Every table goes through `causalgia.decide`, and every estimate through
`causalgia.estimate` (0/1 outcomes through `causalgia.contrast` as well). A mean is
equivariant, so that the estimates of one law and n are made once, of effects without a
mean, and shifted to all truths; tables are the tasks of one Dataset, each a family of
its own.

Of the product of laws, K, n and truths these are run, each with 40,000 claims, but at
least 400 tables (K = 1: 4,000 tables; K = 1,000: 400 tables, n = 100):

* every law at n = 30, 100, 300 and 1,000 with K = 29: all effects on a bound of the
  region (each verdict is false, which is the worst case of effects just inside and just
  outside), no effect and directions alone, a mixture, and a table for power;
* K = 1 and 100 at n = 30, 100 and 300, and K = 5, 30 at n = 100: on the bounds and no
  effect;
* K = 1,000 at n = 100: normal, t3, exponential and lognormal effects, 0/1 at 5 %;
* floods of easy effects, rare effects, rows that are all alike, a strong arm beside a
  weak one, and changes by company.

The regions reach to 6 standard errors (5 in tables for power). Cells in which no
interval of so few skewed units is right, or none is far enough out in the tail, are in
`impossible`: their rows say so, and have no promise.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.calibration.binomial_bands import false_claims
from causalgia.errors import CausalgiaWarning
from validation.checks import Check, Claim
from validation.draws import Rng

Trials = Callable[[Rng, int], np.ndarray]
Columns = dict[str, np.ndarray]
EFFECT = ("contrast", "task")
CI = 0.95
_AT_ONCE = 4_000_000
"""Values drawn at once."""
REGION, REGION_OF_POWER = 6.0, 5.0
"""Half widths of the regions, in standard errors."""
_COLUMNS = ("se", "df", "skewness", "largest_ice", "n_units", "n_clusters")


# laws of effects of one unit, mean 0 and sd 1 (t2 has no sd)
def _counts(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a geometric count of mean 2 less a Poisson count of mean 2."""
    made = rng.negative_binomial(1, 1 / 3, shape) - rng.poisson(2.0, shape)
    return made / np.sqrt(8.0)


DRAWS: dict[str, Callable[[Rng, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3.0),
    "t2": lambda rng, shape: rng.standard_t(2, shape) / 2.5,
    "exponential": lambda rng, shape: rng.standard_exponential(shape) - 1,
    "lognormal": lambda rng, shape: (
        (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    ),
    "counts": _counts,
}
BINARY = {"0/1 at 2 %": 0.02, "0/1 at 5 %": 0.05, "0/1 at 10 %": 0.1}
"""Law -> share of units whose answer differs between the arms, without an effect."""
LAWS = (*DRAWS, *BINARY)
_STRONG = 0.5
"""Effect of 0/1 outcomes in tables for power."""


def impossible(law: str, n: int, k: int) -> bool:
    """Return whether the rule promises no error rate here: in so few units of so skewed
    a law the far tail of a mean is unknown.
    """
    return (
        (law == "lognormal" and n <= 30)
        or (law == "exponential" and n <= 30 and k >= 29)
        or (law in ("exponential", "lognormal") and k >= 1_000)
        or (law == "exponential clusters" and n < 30)
    )


def _estimated(ice: np.ndarray, parent: np.ndarray | None = None) -> Columns:
    """Return the columns of `cg.estimate` for effects of units (n, rows), each row an
    estimate of its own.
    """
    coords: dict[str, Any] = {
        "contrast": ["e"],
        "task": np.arange(ice.shape[1]).astype(str),
    }
    if parent is not None:
        coords["parent"] = ("unit", parent)
    effects = xr.Dataset({"ice": (("unit", *EFFECT), ice[:, None])}, coords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = cg.estimate(effects)
    return {name: found[name].to_numpy()[0] for name in ("ace", *_COLUMNS)}


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@lru_cache(maxsize=1)
def noise(law: str, n: int, rows: int) -> Columns:
    """Return the estimates of so many rows of n independent units without an effect."""
    rng = np.random.default_rng(zlib.crc32(f"verdicts, {law}, {n}".encode()))
    most = max(_AT_ONCE // n, 1)
    return _joined(
        [
            _estimated(DRAWS[law](rng, (n, min(most, rows - start))))
            for start in range(0, rows, most)
        ]
    )


def _sizes(rng: Rng, n: int) -> np.ndarray:
    """Draw sizes of clusters: 1 to 50 units, their logarithm nearly normal with sd 1."""
    return np.clip(np.ceil(2.5 * rng.lognormal(size=n)), 1, 50).astype(int)


@lru_cache(maxsize=1)
def noise_of_clusters(law: str, n: int, rows: int) -> Columns:
    """Return the estimates of so many rows of n unequal clusters without an effect;
    each 400 rows have sizes of their own.
    """
    rng = np.random.default_rng(zlib.crc32(f"clusters, {law}, {n}".encode()))
    parts = []
    for some in np.array_split(np.arange(rows), -(-rows // 400)):
        parent = np.repeat(np.arange(n), _sizes(rng, n))
        own = DRAWS[law](rng, (n, len(some)))[parent]
        parts.append(
            _estimated(own + rng.standard_normal((len(parent), len(some))), parent)
        )
    return _joined(parts)


def pairs(rate: float, effect: np.ndarray, n: int, rng: Rng) -> Columns:
    """Return the estimates of n pairs of 0/1 outcomes for each effect, of outcomes
    through `cg.contrast` and `cg.estimate`.

    A unit's answer differs with probability `rate`, or with that of the effect if this
    is larger. Rows with the same counts have the same estimate, which is made once.
    """
    differs = np.maximum(rate, np.abs(effect))
    up, down = (differs + effect) / 2, (differs - effect) / 2
    p = np.stack([up, down, 1 - up - down], axis=-1)
    counts = rng.multinomial(n, np.maximum(p, 0.0) / p.sum(-1, keepdims=True))
    different, which = np.unique(
        counts[..., :2].reshape(-1, 2), axis=0, return_inverse=True
    )
    unit = np.arange(n)[:, None]
    treated = unit < different[:, 0]
    control = (unit >= different[:, 0]) & (unit < different.sum(axis=1))
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.stack([control, treated], 1) * 1.0)},
        {"arm": ["none", "e"], "task": np.arange(len(different)).astype(str)},
        attrs={"scale": "identity", "assignment": "crossover"},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = cg.estimate(cg.contrast(outcomes, control="none"))
    columns = {
        name: found[name].to_numpy()[0][which.ravel()].reshape(effect.shape)
        for name in ("ace", *_COLUMNS, "n_up", "n_down")
    }
    return columns | {"outcome_range": np.ones(effect.shape[1:])}


def table(columns: Columns, **attrs: Any) -> xr.Dataset:
    """Return estimates of (K, tables) as a Dataset; a table is a task."""
    k, tables = columns["ace"].shape
    variables = {
        name: (EFFECT if x.ndim == 2 else ("task",), x) for name, x in columns.items()
    }
    return xr.Dataset(
        variables,
        {
            "contrast": [f"e{i}" for i in range(k)],
            "task": np.arange(tables).astype(str),
        },
        attrs={"target": "population", "ci_prob": CI} | attrs,
    )


def decided(estimates: xr.Dataset, rope: Any, **options: Any) -> xr.Dataset:
    """Decide on tables, each a family."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        return cg.decide(
            estimates,
            rope=rope,
            **{"family": "task", "rare": "none", "shrink": None} | options,
        )


@dataclass(frozen=True)
class Told:
    """What was said of tables, of shape (tables,) but for `verdict` (K, tables).

    Attributes
    ----------
    directions, negligibles
        Shares of the directions, and of the negligibles, that are false.
    covered
        Shares of the intervals that hold the truth.
    disagree
        Shares of rows whose interval, p-values, q and verdict disagree.
    verdict
        The verdicts.
    """

    directions: np.ndarray
    negligibles: np.ndarray
    covered: np.ndarray
    disagree: np.ndarray
    verdict: np.ndarray


def told(found: xr.Dataset, truth: np.ndarray) -> Told:
    """Count what decisions say against the truth, (K, tables)."""
    names = ("verdict", "lower", "upper", "rope_lower", "rope_upper")
    verdict, lower, upper, low, high = (
        found[name].transpose(*EFFECT).to_numpy() for name in names
    )
    direction, negligible = false_claims(verdict, truth, low, high)
    claimed = np.isin(verdict, ["increases", "decreases"]).sum(axis=0)
    called = (verdict == "negligible").sum(axis=0)
    return Told(
        direction.sum(axis=0) / np.maximum(claimed, 1),
        negligible.sum(axis=0) / np.maximum(called, 1),
        ((lower <= truth) & (truth <= upper)).mean(axis=0),
        disagreements(found).mean(axis=0),
        verdict,
    )


def disagreements(found: xr.Dataset) -> np.ndarray:
    """Return which rows contradict themselves, (K, tables).

    Their p of no effect and their interval disagree about 0, or the p of the verdict
    and the place of the interval; or a verdict stands beside an interval elsewhere, or
    beside a q that forbids it; or an interval lies in a region, its q allows the
    verdict, and it is not given.
    """
    p, p_verdict, q, lower, upper, low, high, verdict = (
        found[name].transpose(*EFFECT).to_numpy()
        for name in (
            *("p", "p_verdict", "q", "lower", "upper"),
            *("rope_lower", "rope_upper", "verdict"),
        )
    )
    alpha, slack = 1 - CI, 1e-9

    def below(x: np.ndarray) -> np.ndarray:
        return x <= alpha * (1 - slack)

    def above(x: np.ndarray) -> np.ndarray:
        return x > alpha * (1 + slack)

    up, down = lower > high, upper < low
    inside = (low <= lower) & (upper <= high) & (low < high)
    rare = str(found.attrs["rare"]) != "none"
    placed = up | down | (inside & (not rare))
    excludes = (lower > 0) | (upper < 0)
    wrong = (below(p) & ~excludes) | (above(p) & excludes)
    wrong |= placed & above(p_verdict)
    wrong |= below(p_verdict) & ~(up | down | inside)
    said = np.select(
        [up, down, inside], ["increases", "decreases", "negligible"], "undecided"
    )
    wrong |= (verdict != "undecided") & ((verdict != said) | above(q))
    return wrong | ((said != "undecided") & below(q) & (verdict == "undecided"))


# truths, (K, tables) in half widths of the region
def on_the_bounds(rng: Rng, k: int, tables: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], (k, tables))


def mixture(rng: Rng, k: int, tables: int) -> np.ndarray:
    """Draw four of ten effects at 0, three at 3 bounds, the rest just inside or just
    outside of a bound.
    """
    size = rng.choice([0.0, 0.999, 1.001, 3.0], p=[0.4, 0.15, 0.15, 0.3], size=k)
    return size[:, None] * rng.choice([-1.0, 1.0], (k, tables))


_DISTANCES = (8, 6, 4)


def of_power(k: int) -> np.ndarray:
    """Return the distance of each effect from its bound in standard errors, (K,): of a
    few each 8, 6 and 4; the rest have no effect, and 0.
    """
    each = max(k // 10, 1)
    return np.r_[np.repeat(_DISTANCES, each), np.zeros(k, dtype=int)][:k]


def _tables(columns: Columns, k: int, tables: int) -> Columns:
    return {name: x[: k * tables].reshape(tables, k).T for name, x in columns.items()}


def _shifted(columns: Columns, by: np.ndarray) -> Columns:
    """Return the columns of effects whose units all have more of it."""
    return columns | {
        "ace": columns["ace"] + by,
        "largest_ice": columns["largest_ice"] + np.abs(by),
    }


_TRUTHS = {"on": on_the_bounds, "mixture": mixture}


def _pool(law: str, n: int, rows: int) -> Columns:
    """Return estimates without an effect, the same ones for all tables of a full run
    but the largest.
    """
    most = _POOL if _POOL // 10 <= rows <= _POOL else rows
    if law.endswith(" clusters"):
        return noise_of_clusters(law.removesuffix(" clusters"), n, most)
    return noise(law, n, most)


def _se(columns: Columns, law: str, n: int) -> float:
    """Return the standard error that regions are measured in."""
    return float(np.median(columns["se"])) if law.endswith(" clusters") else n**-0.5


@lru_cache(maxsize=8)
def cell(law: str, n: int, k: int, truth: str, tables: int) -> Told:
    """Return what is said of tables of K effects of n units: on the bounds of their
    region ("on"), a "mixture", or no effects and directions alone ("none").
    """
    rng = np.random.default_rng(zlib.crc32(f"{law}, {n}, {k}, {truth}".encode()))
    made = np.zeros((k, tables)) if truth == "none" else _TRUTHS[truth](rng, k, tables)
    if law in BINARY:
        # as many units as the answer differs in without an effect
        region = BINARY[law]
        columns = pairs(BINARY[law], region * made, n, rng)
    else:
        columns = _tables(_pool(law, n, k * tables), k, tables)
        region = REGION * _se(columns, law, n)
        columns = _shifted(columns, region * made)
    rope = 0 if truth == "none" else (-region, region)
    return told(decided(table(columns), rope), region * made)


@lru_cache(maxsize=2)
def power(law: str, n: int, k: int, tables: int) -> dict[int, np.ndarray]:
    """Return the share of right verdicts in each table, by the distance of effects from
    their bound in standard errors (8, 6, 4), and under 0 of no effects whose standard
    error is a fifth of the bound.
    """
    distance = of_power(k)
    rng = np.random.default_rng(zlib.crc32(f"power, {law}, {n}, {k}".encode()))
    if law in BINARY:
        return _power_of_pairs(law, n, distance, tables, rng)
    columns = _tables(_pool(law, n, k * tables), k, tables)
    se = _se(columns, law, n)
    bound = REGION_OF_POWER * se
    effect = np.where(distance > 0, bound + distance * se, 0.0)
    verdict = _verdicts(_shifted(columns, effect[:, None]), bound)
    right = verdict == np.where(distance > 0, "increases", "negligible")[:, None]
    return {d: right[distance == d].mean(axis=0) for d in (*_DISTANCES, 0)}


def _power_of_pairs(
    law: str, n: int, distance: np.ndarray, tables: int, rng: Rng
) -> dict[int, np.ndarray]:
    """Return the power of 0/1 outcomes: their standard error depends on the effect, so
    that each distance has a region, and tables, of its own.
    """
    found = {}
    se = np.sqrt(_STRONG * (1 - _STRONG) / n)
    for d in (*_DISTANCES, 0):
        kept = (distance == d) | (distance == 0)
        effect = np.where(distance[kept] > 0, _STRONG, 0.0)[:, None] * np.ones(tables)
        bound = _STRONG - d * se if d else 5 * np.sqrt(BINARY[law] / n)
        verdict = _verdicts(pairs(BINARY[law], effect, n, rng), bound)
        word = "increases" if d else "negligible"
        found[d] = (verdict == word)[distance[kept] == d].mean(axis=0)
    return found


def _verdicts(columns: Columns, bound: float, **options: Any) -> np.ndarray:
    found = decided(table(columns), (-bound, bound), **options)
    return found["verdict"].transpose(*EFFECT).to_numpy()


@lru_cache(maxsize=2)
def flood(kind: str, tables: int) -> Told:
    """Return what is said of 900 easy effects (of none, or of 3 bounds) with 100 just
    inside, or just outside, of a bound, 100 units each.
    """
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    easy, hard = {"zeros": (0.0, 0.999), "large": (3.0, 1.001)}[kind]
    size = np.repeat([easy, hard], [900, 100])[:, None]
    bound = REGION / 10
    effect = bound * size * rng.choice([-1.0, 1.0], (1_000, tables))
    columns = _tables(_pool("normal", 100, 1_000 * tables), 1_000, tables)
    found = decided(table(_shifted(columns, effect)), (-bound, bound))
    return told(found, effect)


def _with_rare(
    share: float, jump: float, rest: float, spread: float, n: int, rows: int, rng: Rng
) -> Columns:
    """Return estimates of effects that are `jump` in a share of the units, and `rest`
    (with a normal spread) in the others.
    """
    parts, most = [], max(_AT_ONCE // n, 1)
    for start in range(0, rows, most):
        size = (n, min(most, rows - start))
        ice = np.where(rng.random(size) < share, jump, rest)
        ice = ice + spread * rng.standard_normal(size) if spread else ice
        parts.append(_estimated(ice))
    return _joined(parts)


@lru_cache(maxsize=4)
def rare(share: float, n: int, k: int, spread: float, tables: int) -> Told:
    """Return what is said, with `rare` = .01, of tables whose effects are all just
    outside of their region, but present on a share of the units alone; the others have
    none, with a spread of 1 or exactly.
    """
    rng = np.random.default_rng(zlib.crc32(f"{share}, {n}, {k}, {spread}".encode()))
    bound = REGION / np.sqrt(n)
    effect = 1.001 * bound
    columns = _tables(
        _with_rare(share, effect / share, 0.0, spread, n, k * tables, rng), k, tables
    )
    found = decided(table(columns), (-bound, bound), rare=0.01)
    return told(found, np.full((k, tables), effect))


@lru_cache(maxsize=4)
def carried(share: float, n: int, tables: int) -> np.ndarray:
    """Return which 95 % intervals cover effects that a share of the units carries alone,
    of 1 in each, while the others have a noise of .002.

    Where no such unit was drawn, the interval is as narrow as that noise.
    """
    rng = np.random.default_rng(zlib.crc32(f"carried, {share}, {n}".encode()))
    columns = _tables(_with_rare(share, 1.0, 0.0, 0.002, n, tables, rng), 1, tables)
    found = decided(table(columns), (-0.1, 0.1))
    return told(found, np.full((1, tables), share)).covered


@lru_cache(maxsize=4)
def undone(share: float, n: int, k: int, stated: bool, tables: int) -> Told:
    """Return what is said of effects of two bounds that rare opposite ones bring back
    just inside of the bound, with `largest` stated or not.
    """
    rng = np.random.default_rng(zlib.crc32(f"undone, {share}, {n}, {k}".encode()))
    bound = REGION / np.sqrt(n)
    effect = 0.999 * bound
    jump = (effect - 2 * bound * (1 - share)) / share
    columns = _tables(
        _with_rare(share, jump, 2 * bound, 1.0, n, k * tables, rng), k, tables
    )
    # what no unit exceeds, whatever its spread
    most = max(-jump, float(columns["largest_ice"].max())) + 1e-9
    largest = {"largest": most} if stated else {}
    found = decided(table(columns), (-bound, bound), **largest)
    return told(found, np.full((k, tables), effect))


@lru_cache(maxsize=2)
def alike(tables: int) -> tuple[np.ndarray, np.ndarray]:
    """Return in which tables of 29 rows of 50 units the first row is wrongly called a
    direction, and the second wrongly negligible.

    27 rows have normal effects. In the first, all units but 5 % have 1.3 bounds, and
    these undo it; in the second all but 8 % have none, and these bring it outside. Where
    none of those is drawn, all units answer alike.
    """
    rng = np.random.default_rng(50)
    n, bound = 50, REGION / np.sqrt(50)
    undo = (0.999 - 1.3 * 0.95) / 0.05 * bound
    first = _with_rare(0.05, undo, 1.3 * bound, 0.0, n, tables, rng)
    second = _with_rare(0.08, 1.001 / 0.08 * bound, 0.0, 0.0, n, tables, rng)
    others = noise("normal", n, 27 * tables)
    rows = {
        name: np.stack([first[name], second[name], *others[name].reshape(27, tables)])
        for name in others
    }
    # the largest effect that any unit can have is seen in some arm
    rows["largest_ice"][2] = np.maximum(rows["largest_ice"][2], 1.001 / 0.08 * bound)
    verdict = _verdicts(rows, bound)
    return np.isin(verdict[0], ["increases", "decreases"]), verdict[1] == "negligible"


@lru_cache(maxsize=2)
def beside_a_strong_arm(tables: int) -> tuple[np.ndarray, np.ndarray]:
    """Return in which tables of two arms of 50 units the weak one is wrongly called a
    direction, and (40 standard errors from its bound) misses its verdict; the other is
    1,000 times as strong.
    """
    n = 50
    columns = _tables(noise("normal", n, 2 * tables), 2, tables)
    bound = REGION / np.sqrt(n)
    wrong, missed = (
        _verdicts(_shifted(columns, np.array([[size], [1_000.0 * size]])), bound)[0]
        for size in (0.999 * bound, bound + 40 / np.sqrt(n))
    )
    return np.isin(wrong, ["increases", "decreases"]), missed != "increases"


def _spread_effects(rows: int, rng: Rng, bound: float) -> Columns:
    """Return estimates of normal effects of sd two bounds, 100 units each."""
    return _shifted(noise("normal", 100, rows), 2 * bound * rng.standard_normal(rows))


def changed_by_a_contrast(_: Rng, tables: int) -> np.ndarray:
    """Return the share of verdicts on 29 effects that change when a 30th is added."""
    bound = 0.4
    columns = _tables(
        _spread_effects(30 * tables, np.random.default_rng(30), bound), 30, tables
    )
    every = _verdicts(columns, bound)[:29]
    of_29 = _verdicts({name: x[:29] for name, x in columns.items()}, bound)
    return (every != of_29).mean(axis=0)


def changed_by_a_task(_: Rng, tables: int) -> np.ndarray:
    """Return the share of verdicts on 5 effects in each of 19 tasks that change when
    the 20th task is another one.
    """
    bound, shape = 0.4, (5, tables, 21)
    drawn = _spread_effects(105 * tables, np.random.default_rng(21), bound)
    columns = {name: x.reshape(shape) for name, x in drawn.items()}
    found = []
    for last in (19, 20):
        kept = [*range(19), last]
        of = {name: x[..., kept].reshape(5 * tables, 20) for name, x in columns.items()}
        estimates = table(of).assign_coords(
            trial=("contrast", np.tile(np.arange(tables), 5).astype(str))
        )
        said = decided(estimates, (-bound, bound), family="trial")["verdict"]
        found.append(
            said.transpose(*EFFECT).to_numpy().reshape(5, tables, 20)[..., :19]
        )
    return (found[0] != found[1]).mean(axis=(0, 2))


def changed_by_the_door(rng: Rng, tables: int) -> np.ndarray:
    """Return the share of rows in which `analyze` of outcomes says another thing than
    `decide` of their estimates: in a verdict, a limit or a p-value, to the last digit.
    """
    return np.array([_of_doors(rng, law) for law in np.resize(LAWS, tables)])


def _of_doors(rng: Rng, law: str, n: int = 100, k: int = 9) -> float:
    """Compare 9 contrasts in 3 tasks, of which none is shrunken."""
    bound = 0.6
    effect = (
        bound * rng.choice([0.0, 1.0, 2.0], (k + 1, 3)) / (4 if law in BINARY else 1)
    )
    size = (n, k + 1, 3)
    y = (
        (rng.random(size) < BINARY[law] + effect) * 1.0
        if law in BINARY
        else DRAWS[law](rng, size) + effect
    )
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["none", *(f"e{i}" for i in range(k))], "task": ["a", "b", "c"]},
        attrs={"scale": "identity", "assignment": "crossover"},
    )
    rope = (-bound, bound)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        one = cg.analyze(outcomes, cg.Analysis(control="none", rope=rope), rng=0)
        other = cg.decide(cg.estimate(cg.contrast(outcomes, control="none")), rope=rope)
    differ = np.zeros((k, 3), dtype=bool)
    for name in ("verdict", "lower", "upper", "p", "p_verdict", "q"):
        said = (found[name].transpose(*EFFECT).to_numpy() for found in (one, other))
        differ |= np.not_equal(*said)
    return float(differ.mean())


def shrunken_covered(_: Rng, tables: int) -> np.ndarray:
    """Return the share of the intervals of hierarchical effect sizes that hold the
    truth, 40 normal effects of sd two standard errors in a table.
    """
    rng = np.random.default_rng(40)
    columns = _tables(noise("normal", 100, 40 * tables), 40, tables)
    effect = 0.2 * rng.standard_normal((40, tables))
    found = decided(
        table(_shifted(columns, effect)), (-0.1, 0.1), shrink=cg.Analysis().shrink
    )
    lower, upper = (
        found[f"shrunken_{side}"].transpose(*EFFECT).to_numpy()
        for side in ("lower", "upper")
    )
    return ((lower <= effect) & (effect <= upper)).mean(axis=0)


# rows of the page
_OF_RULE = "The rule of verdicts"
_FALSE = f"{_OF_RULE}: false verdicts, regions of 6 standard errors"
_COVERS = f"{_OF_RULE}: coverage of the printed 95 % intervals"
MISSED = f"{_OF_RULE}: missed verdicts (29 effects: 2 at each distance, the rest none)"
_COMPANY = f"{_OF_RULE}: company, doors, and rows that contradict themselves"
_RARE = f"{_OF_RULE}: rare effects, and rows that are all alike"
NO_PROMISE = " (impossible: no promise)"
TABLES = {1: 4_000, 5: 8_000, 29: 1_380, 30: 1_334, 100: 400, 1_000: 400}
QUICK = {1: 200, 5: 100, 29: 40, 30: 40, 100: 20, 1_000: 4}
_POOL = 40_020
"""Claims of a full run of K = 29 or 30, of which the smaller runs take a part."""
_SAID = {
    "on": (
        ("all on the bounds, directions", "directions"),
        ("all on the bounds, negligibles", "negligibles"),
    ),
    "mixture": (
        ("a mixture, false share of directions", "directions"),
        ("a mixture, false share of negligibles", "negligibles"),
    ),
    "none": (("no effects, directions alone, directions", "directions"),),
}
"""Truth -> what is counted; of effects that are all wrong to name, each is false."""


def _name(law: str, n: int, what: str) -> str:
    return f"{law}, n = {n:,}: {what}"


def _false_rows(law: str, n: int, k: int, truth: str) -> list[Check]:
    """Return the rows about false verdicts of one cell."""
    none = impossible(law, n, k)

    def count(figure: str) -> Trials:
        return lambda _, tables: getattr(cell(law, n, k, truth, tables), figure)

    return [
        Check(
            _FALSE,
            _name(law, n, f"K = {k:,}, {what}{NO_PROMISE * none}"),
            count(figure),
            0.05,
            "reported" if none else "at most",
            TABLES[k],
            QUICK[k],
        )
        for what, figure in _SAID[truth]
    ]


def covers_at_least(law: str, n: int) -> float | None:
    """Return the least coverage of 95 % intervals, None where there is no promise."""
    if law == "lognormal":
        return None if impossible(law, n, 29) else 0.93
    return None if law == "exponential clusters" else 0.94


def missed_at_most(law: str, n: int) -> float | None:
    """Return the largest share of verdicts missed at 8 standard errors and 2 bounds."""
    if law in ("normal", "counts"):
        return 0.01
    return 0.05 if law == "t3" or (law == "exponential" and n >= 100) else None


def _coverage_row(law: str, n: int, k: int = 29) -> Check:
    least = covers_at_least(law, n)
    what = "covered, effects on the bounds" + " (no promise)" * (least is None)
    return Check(
        _COVERS,
        _name(law, n, what),
        lambda _, tables: cell(law, n, k, "on", tables).covered,
        0.95 if least is None else least,
        "reported" if least is None else "at least",
        TABLES[k],
        QUICK[k],
    )


def _missed_rows(law: str, n: int, k: int = 29) -> list[Check]:
    most = missed_at_most(law, n)

    def count(distance: int) -> Trials:
        return lambda _, tables: 1 - power(law, n, k, tables)[distance]

    def row(what: str, distance: int, bound: float | None) -> Check:
        return Check(
            MISSED,
            _name(law, n, what),
            count(distance),
            0.05 if bound is None else bound,
            "reported" if bound is None else "at most",
            TABLES[k],
            QUICK[k],
        )

    at = [
        row(f"directions missed at {d} standard errors", d, most if d == 8 else None)
        for d in _DISTANCES
    ]
    return [*at, row("negligibles missed at bound / 5 a standard error", 0, None)]


def _contradictions(law: str, n: int, k: int = 29) -> list[Check]:
    return [
        Check(
            _COMPANY,
            _name(law, n, f"rows that contradict themselves, {words}"),
            lambda _, tables, truth=truth: cell(law, n, k, truth, tables).disagree,
            0.0,
            "exact",
            TABLES[k],
            QUICK[k],
        )
        for truth, words in (("on", "on the bounds"), ("mixture", "a mixture"))
    ]


def _of_cell(law: str, n: int) -> list[Check]:
    """Return all rows of a law and a number of units, which share their estimates."""
    rows = [row for truth in _SAID for row in _false_rows(law, n, 29, truth)]
    rows += [_coverage_row(law, n), *_contradictions(law, n)]
    rows += _missed_rows(law, n) if law not in BINARY or n >= 100 else []
    more = {30: (1, 100), 100: (1, 5, 30, 100), 300: (1, 100)}.get(n, ())
    if law.endswith(" clusters"):
        more = ()
    rows += [
        row
        for k in more
        for truth in ("on", "none")
        for row in _false_rows(law, n, k, truth)
    ]
    if n == 100 and law in ("normal", "t3", "exponential", "lognormal", "0/1 at 5 %"):
        rows += _false_rows(law, n, 1_000, "on")
    return rows


def _one(
    section: str,
    name: str,
    trials: Trials,
    nominal: float,
    claim: Claim = "at most",
    *,
    full: int,
    quick: int,
) -> Check:
    return Check(section, name, trials, nominal, claim, full, quick)


_CLUSTERS = (
    ("normal clusters", (30, 100, 300)),
    ("exponential clusters", (10, 30, 100)),
)
_FLOODS = [
    _one(
        _FALSE,
        f"flood, n = 100: 900 {easy} and 100 just {side} of a bound, false share of "
        f"{figure}",
        lambda _, n, kind=kind, figure=figure: getattr(flood(kind, n), figure),
        0.05,
        full=400,
        quick=4,
    )
    for kind, easy, side, figure in (
        ("zeros", "effects of none", "inside", "directions"),
        ("large", "effects of 3 bounds", "outside", "negligibles"),
    )
]
_OF_RARE = [
    _one(
        _RARE,
        f"effects on {100 * share:g} % of units, n = {n}, K = {k}, the rest "
        f"{'alike' if spread == 0 else 'normal'}: all just outside, negligibles",
        lambda _, tables, cell=(share, n, k, spread): rare(*cell, tables).negligibles,
        0.05,
        full=2_000 if n > 600 else 1_380,
        quick=10,
    )
    for share, n, k, spread in (
        *((s, n, 29, 1.0) for s in (0.01, 0.03) for n in (30, 100, 300, 1_000)),
        *((s, n, 29, 0.0) for s in (0.01, 0.03) for n in (100, 300)),
        *((0.01, n, k, 1.0) for n in (637, 640) for k in (29, 30)),
    )
]
_OF_CARRIED = [
    _one(
        _COVERS,
        f"effects that {100 * share:g} % of units carry alone, n = {n}: covered (no "
        f"promise: {(1 - share) ** n:.2f} draw none of these; by the foot fewer than "
        f"{100 * (1 - 0.05 ** (1 / n)):.2g} % could be missed)",
        lambda _, tables, cell=(share, n): carried(*cell, tables),
        0.95,
        "reported",
        full=4_000,
        quick=200,
    )
    for share, n in ((0.01, 100), (0.03, 100), (0.1, 100), (0.01, 300), (0.01, 1_000))
]
_OF_UNDONE = [
    _one(
        _RARE,
        f"two bounds that {100 * share:g} % of units undo, n = {n}, K = 29: directions "
        + ("with largest=" if stated else "without largest= (the foot says by what)"),
        lambda _, tables, cell=(share, n, 29, stated): undone(*cell, tables).directions,
        0.05,
        "at most" if stated else "reported",
        full=1_380,
        quick=20,
    )
    for share, n in ((0.01, 100), (0.03, 100))
    for stated in (True, False)
]
_OTHERS = [
    _one(
        _RARE,
        "a row all alike among 29, n = 50: called a direction that 5 % of units undo",
        lambda _, n: alike(n)[0],
        0.05,
        full=4_000,
        quick=200,
    ),
    _one(
        _RARE,
        "a row all alike among 29, n = 50: called negligible, but for 8 % of units",
        lambda _, n: alike(n)[1],
        0.05,
        full=4_000,
        quick=200,
    ),
    _one(
        _FALSE,
        "a weak arm beside one 1,000 times as strong, n = 50: a false direction of it",
        lambda _, n: beside_a_strong_arm(n)[0],
        0.05,
        full=4_000,
        quick=200,
    ),
    _one(
        MISSED,
        "a weak arm beside one 1,000 times as strong, n = 50: missed at 40 standard "
        "errors",
        lambda _, n: beside_a_strong_arm(n)[1],
        0.01,
        full=4_000,
        quick=200,
    ),
    _one(
        _COMPANY,
        "verdicts on 29 effects changed by a 30th",
        changed_by_a_contrast,
        0.01,
        full=1_380,
        quick=40,
    ),
    _one(
        _COMPANY,
        "verdicts in 19 tasks of 5 effects changed by another 20th task",
        changed_by_a_task,
        0.01,
        full=420,
        quick=20,
    ),
    _one(
        _COMPANY,
        "rows in which analyze(outcomes) and decide(estimate(contrast(outcomes))) "
        "differ",
        changed_by_the_door,
        0.0,
        "exact",
        full=45,
        quick=3,
    ),
    _one(
        _COVERS,
        "shrunken, 40 normal effects: covered on average",
        shrunken_covered,
        0.93,
        "at least",
        full=60,
        quick=2,
    ),
]
CHECKS = [
    *(row for law in LAWS for n in (30, 100, 300, 1_000) for row in _of_cell(law, n)),
    *(row for law, sizes in _CLUSTERS for n in sizes for row in _of_cell(law, n)),
    *_FLOODS,
    *_OF_RARE,
    *_OF_CARRIED,
    *_OF_UNDONE,
    *_OTHERS,
]
