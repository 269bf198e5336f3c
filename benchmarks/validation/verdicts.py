"""The rule of verdicts on tables of K effects of n units: false, missed and named
verdicts, coverage, and what company changes.

Every table goes through `causalgia.decide`, and every estimate through
`causalgia.estimate`. A mean is equivariant, so that the estimates of one law of numbers
and n are made once, of effects without a mean, and shifted to all truths; tables are the
tasks of one Dataset, each a family of its own. Of 0/1 outcomes equal pairs of counts are
estimated and tested once, and join their tables in
`causalgia.verdicts.verdict_rule.rule`.

Each cell has 40,000 claims, but at least 400 tables (K = 1: 4,000 tables):

* every law at n = 30, 100 and 300: K = 29 with all effects on a bound of the region
  (each verdict is false), just inside, just outside, in a mixture, and without an effect
  where the direction alone is asked for; K = 1 and 100 on the bounds and without effect;
* K = 1,000 at n = 100 of normal, t3, exponential and lognormal effects and 0/1 at 5 %,
  on the bounds and without effect;
* K = 20 and 200 of normal, exponential and lognormal effects without a mean, by Holm;
* floods of easy effects, rows that are all alike, and changes by company.

The regions reach to 6 standard errors (5 in tables for power; of 0/1 outcomes to as many
units as differ without an effect). Cells in which no interval of so few skewed units is
right, or none is far enough out in the tail, are in `impossible`: their rows say so, and
have no promise. Other layouts (0/1 arms, parallel arms, gaps) are in `arms`.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.ropes import Rope
from causalgia.verdicts.evidence import from_estimates
from causalgia.verdicts.verdict_rule import Rows, rule
from validation.binomial_bands import false_claims
from validation.checks import Check, Claim
from validation.draws import Rng
from validation.plain_rule import plain_row, plain_verdicts

Trials = Callable[[Rng, int], np.ndarray]
Columns = dict[str, np.ndarray]
EFFECT = ("contrast", "task")
CI = 0.95
_AT_ONCE = 4_000_000
"""Values drawn at once."""
REGION, REGION_OF_POWER = 6.0, 5.0
"""Half widths of the regions, in standard errors."""
_COLUMNS = ("se", "df", "skewness", "largest_ice", "n_units", "n_clusters")


# laws of effects of one unit, mean 0 and sd 1
DRAWS: dict[str, Callable[[Rng, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3.0),
    "exponential": lambda rng, shape: rng.standard_exponential(shape) - 1,
    "lognormal": lambda rng, shape: (
        (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    ),
}
COUNTS = {"Poisson, mean 0.1": 0.1, "Poisson, mean 1": 1.0}
"""Law -> mean count of both arms without an effect."""
BINARY = {f"0/1 at {x} %": x / 100 for x in (2, 5, 10, 30)}
"""Law -> share of units whose answer differs between the arms, without an effect."""
LAWS = (*DRAWS, *COUNTS, *BINARY)
_STRONG = 0.5
"""Effect of 0/1 outcomes in tables for power."""


def impossible(law: str, n: int, k: int) -> bool:
    """Return whether the rule promises no error rate here: in so few units of so skewed
    a law the far tail of a mean is unknown.
    """
    return (
        law == "lognormal"
        or (law == "exponential" and (n <= 30 or k >= 1_000) and k > 1)
        or law == "exponential clusters"
    )


def quiet(do: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what a verb of the library returns, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        return do(*args, **options)


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
    found = quiet(cg.estimate, effects)
    return {name: found[name].to_numpy()[0] for name in ("ace", *_COLUMNS)}


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _in_parts(draw: Callable[[slice], np.ndarray], n: int, rows: int) -> Columns:
    """Return the estimates of rows of n units whose effects are drawn some at a time."""
    most = max(_AT_ONCE // n, 1)
    starts = range(0, rows, most)
    return _joined([_estimated(draw(slice(s, min(s + most, rows)))) for s in starts])


@lru_cache(maxsize=1)
def noise(law: str, n: int, rows: int) -> Columns:
    """Return the estimates of so many rows of n independent units without an effect."""
    rng = np.random.default_rng(zlib.crc32(f"verdicts, {law}, {n}".encode()))
    return _in_parts(lambda at: DRAWS[law](rng, (n, at.stop - at.start)), n, rows)


def of_counts(mean: float, effect: np.ndarray, n: int, rng: Rng) -> Columns:
    """Return the estimates of n pairs of Poisson counts for each effect; the arm with
    the larger mean has the effect.
    """

    def draw(at: slice) -> np.ndarray:
        by = effect.ravel()[at]
        more = rng.poisson(mean + np.abs(by), (n, len(by)))
        return np.where(by < 0, -1.0, 1.0) * (more - rng.poisson(mean, more.shape))

    found = _in_parts(draw, n, effect.size)
    return {name: x.reshape(effect.shape) for name, x in found.items()}


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


@dataclass(frozen=True)
class Pairs:
    """Tables of effects of pairs of 0/1 outcomes: the estimates of different counts,
    and which of these each effect has, (K, tables).
    """

    estimates: xr.Dataset
    which: np.ndarray


def pairs(rate: float, effect: np.ndarray, n: int, rng: Rng) -> Pairs:
    """Return n pairs of 0/1 outcomes for each effect, of outcomes through `cg.contrast`
    and `cg.estimate`.

    A unit's answer differs with probability `rate`, or with that of the effect if this
    is larger; units that answer alike answer 0.
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
    found = quiet(cg.contrast, crossed(np.stack([control, treated], 1)), control="a0")
    return Pairs(quiet(cg.estimate, found), which.reshape(effect.shape))


def crossed(y: np.ndarray, **attrs: str) -> xr.Dataset:
    """Return outcomes (unit, arm, task) of a crossover as a Dataset, of arms a0, a1,
    ...
    """
    coords = {
        "arm": [f"a{i}" for i in range(y.shape[1])],
        "task": np.arange(y.shape[2]).astype(str),
    }
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y * 1.0)},
        coords,
        attrs={"scale": "identity", "assignment": "crossover"} | attrs,
    )


def table(columns: Columns, **attrs: Any) -> xr.Dataset:
    """Return estimates of (K, tables) as a Dataset; a table is a task."""
    k, tables = columns["ace"].shape
    return xr.Dataset(
        {name: (EFFECT, x) for name, x in columns.items()},
        {
            "contrast": [f"e{i}" for i in range(k)],
            "task": np.arange(tables).astype(str),
        },
        attrs={"target": "population", "ci_prob": CI} | attrs,
    )


def decided(estimates: xr.Dataset, rope: Any, **options: Any) -> xr.Dataset:
    """Decide on tables, each a family."""
    return quiet(
        cg.decide, estimates, rope=rope, **{"family": "task", "shrink": None} | options
    )


def decided_on_pairs(made: Pairs, rope: Any) -> xr.Dataset:
    """Decide on tables of pairs, each a family, by the rule itself: its evidence of
    equal rows is the same, and is made once.
    """
    found = from_estimates(made.estimates, Rope.parse(rope), ci_prob=CI)
    columns = {
        field.name: np.ravel(getattr(found.rows, field.name))[made.which]
        for field in fields(Rows)
        if field.name != "by_rank"
    }
    rows, at = Rows(**columns), np.arange(made.which.size).reshape(made.which.shape)
    said = rule(rows, list(at.T), error="fdr", ci_prob=CI)
    return xr.Dataset(
        {
            name: (EFFECT, x)
            for name, x in {
                "verdict": said.verdict,
                "p_verdict": said.p_verdict,
                "q": said.q,
                "p": found.p.ravel()[made.which],
                "lower": rows.lower,
                "upper": rows.upper,
                "rope_lower": rows.region_lower,
                "rope_upper": rows.region_upper,
            }.items()
        }
    )


def verdicts_of(found: xr.Dataset) -> np.ndarray:
    return found["verdict"].transpose(*EFFECT).to_numpy()


def directions_of(found: xr.Dataset) -> np.ndarray:
    """Return which effects have a direction, (K, tables)."""
    return np.isin(verdicts_of(found), ["increases", "decreases"])


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


def disagreements(found: xr.Dataset, ci_prob: float = CI) -> np.ndarray:
    """Return which rows contradict themselves, (K, tables).

    Their p of no effect and their interval disagree about 0, or the p of the verdict
    and the place of the interval; or a verdict stands beside an interval elsewhere, or
    beside a q that forbids it; or an interval lies somewhere, its q allows the verdict,
    and it is not given.
    """
    p, p_verdict, q, lower, upper, low, high, verdict = (
        found[name].transpose(*EFFECT).to_numpy()
        for name in (
            *("p", "p_verdict", "q", "lower", "upper"),
            *("rope_lower", "rope_upper", "verdict"),
        )
    )
    alpha, slack = 1 - ci_prob, 1e-9

    def below(x: np.ndarray) -> np.ndarray:
        return x <= alpha * (1 - slack)

    def above(x: np.ndarray) -> np.ndarray:
        return x > alpha * (1 + slack)

    up, down = lower > high, upper < low
    inside = (low <= lower) & (upper <= high) & (low < high)
    placed = up | down | inside
    excludes = (lower > 0) | (upper < 0)
    wrong = (below(p) & ~excludes) | (above(p) & excludes)
    wrong |= (placed & above(p_verdict)) | (below(p_verdict) & ~placed)
    said = np.select(
        [up, down, inside], ["increases", "decreases", "negligible"], "undecided"
    )
    wrong |= (verdict != "undecided") & ((verdict != said) | above(q))
    return wrong | ((said != "undecided") & below(q) & (verdict == "undecided"))


# truths, (K, tables) in half widths of the region
def _at(size: float) -> Callable[[Rng, int, int], np.ndarray]:
    return lambda rng, k, tables: size * rng.choice([-1.0, 1.0], (k, tables))


def mixture(rng: Rng, k: int, tables: int) -> np.ndarray:
    """Draw four of ten effects at 0, three at 3 bounds, the rest just inside or just
    outside of a bound.
    """
    size = rng.choice([0.0, 0.999, 1.001, 3.0], p=[0.4, 0.15, 0.15, 0.3], size=k)
    return size[:, None] * rng.choice([-1.0, 1.0], (k, tables))


_TRUTHS = {
    "on": _at(1.0),
    "inside": _at(0.999),
    "outside": _at(1.001),
    "mixture": mixture,
    "none": _at(0.0),
}
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


def _pool(law: str, n: int, rows: int) -> Columns:
    """Return estimates without an effect, the same ones for all tables of a full run
    but the largest.
    """
    most = _POOL if _POOL // 10 <= rows <= _POOL else rows
    if law.endswith(" clusters"):
        return noise_of_clusters(law.removesuffix(" clusters"), n, most)
    return noise(law, n, most)


def _se(law: str, n: int, rows: int) -> float:
    """Return the standard error that regions are measured in."""
    if law in COUNTS:
        return float(np.sqrt(2 * COUNTS[law] / n))
    if law.endswith(" clusters"):
        return float(np.median(_pool(law, n, rows)["se"]))
    return n**-0.5


def _decided_at(
    law: str, n: int, effect: np.ndarray, rope: Any, rng: Rng
) -> xr.Dataset:
    """Return decisions on tables of so large effects, (K, tables)."""
    if law in BINARY:
        return decided_on_pairs(pairs(BINARY[law], effect, n, rng), rope)
    if law in COUNTS:
        return decided(table(of_counts(COUNTS[law], effect, n, rng)), rope)
    columns = _tables(_pool(law, n, effect.size), *effect.shape)
    return decided(table(_shifted(columns, effect)), rope)


@lru_cache(maxsize=8)
def cell(law: str, n: int, k: int, truth: str, tables: int) -> Told:
    """Return what is said of tables of K effects of n units: on the bounds of their
    region ("on"), just "inside" or "outside", a "mixture", or no effects and directions
    alone ("none").
    """
    rng = np.random.default_rng(zlib.crc32(f"{law}, {n}, {k}, {truth}".encode()))
    # of 0/1 as many units as the answer differs in without an effect
    region = BINARY[law] if law in BINARY else REGION * _se(law, n, k * tables)
    effect = region * _TRUTHS[truth](rng, k, tables)
    rope = 0 if truth == "none" else (-region, region)
    return told(_decided_at(law, n, effect, rope, rng), effect)


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
    se = _se(law, n, k * tables)
    bound = REGION_OF_POWER * se
    away = _spread_at(law, n, bound, distance) if law in COUNTS else se
    effect = np.where(distance > 0, bound + distance * away, 0.0)[:, None]
    found = _decided_at(law, n, effect * np.ones(tables), (-bound, bound), rng)
    right = np.where(distance > 0, "increases", "negligible")[:, None]
    right = verdicts_of(found) == right
    return {d: right[distance == d].mean(axis=0) for d in (*_DISTANCES, 0)}


def _spread_at(law: str, n: int, bound: float, distance: np.ndarray) -> np.ndarray:
    """Return the standard errors of effects on counts so many of these beyond a bound:
    s of ``n s^2 = 2 mean + bound + distance s``.
    """
    least = 2 * COUNTS[law] + bound
    return (distance + np.sqrt(distance**2 + 4 * n * least)) / (2 * n)


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
        made = pairs(BINARY[law], effect, n, rng)
        verdict = verdicts_of(decided_on_pairs(made, (-bound, bound)))
        word = "increases" if d else "negligible"
        found[d] = (verdict == word)[distance[kept] == d].mean(axis=0)
    return found


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


@dataclass(frozen=True)
class Named:
    """How many of K effects N(0, ROPE) were named in each table, and which shares of
    these falsely.
    """

    both: np.ndarray
    directions: np.ndarray
    negligibles: np.ndarray
    told: Told


@lru_cache(maxsize=2)
def named(k: int, tables: int) -> Named:
    """Return what is said of tables of K effects N(0, 1) with a region of 1 and a known
    standard error of a third of it.
    """
    rng = np.random.default_rng(k)
    effect = rng.standard_normal((k, tables))
    columns = {
        "ace": effect + rng.standard_normal((k, tables)) / 3,
        "se": np.full((k, tables), 1 / 3),
    }
    found = decided(table(columns), (-1.0, 1.0))
    directions = directions_of(found).sum(axis=0)
    negligibles = (verdicts_of(found) == "negligible").sum(axis=0)
    return Named(directions + negligibles, directions, negligibles, told(found, effect))


def _bounded_share(
    share: float, jump: float, rest: float, spread: float, n: int, rows: int, rng: Rng
) -> Columns:
    """Return estimates of effects that are `jump` in a share of the units, and `rest`
    (with a spread that is uniform within +-spread) in the others.
    """

    def draw(at: slice) -> np.ndarray:
        size = (n, at.stop - at.start)
        ice = np.where(rng.random(size) < share, jump, rest)
        return ice + rng.uniform(-spread, spread, size) if spread else ice

    return _in_parts(draw, n, rows)


@lru_cache(maxsize=4)
def undone(share: float, n: int, k: int, kind: str, stated: bool, tables: int) -> Told:
    """Return what is said of verdicts that effects on a share of units would undo, with
    the size of these stated or not.

    "direction": units have two bounds, and rare opposite effects bring the mean back
    just inside. "negligible": units have none, and rare effects bring it just outside.
    """
    rng = np.random.default_rng(zlib.crc32(f"{kind}, {share}, {n}, {k}".encode()))
    bound = REGION / np.sqrt(n)
    size, rest = (0.999, 2 * bound) if kind == "direction" else (1.001, 0.0)
    jump, spread = (size * bound - rest * (1 - share)) / share, np.sqrt(3.0)
    columns = _tables(
        _bounded_share(share, jump, rest, spread, n, k * tables, rng), k, tables
    )
    largest = {"largest": abs(jump) + rest + spread} if stated else {}
    found = decided(table(columns), (-bound, bound), **largest)
    return told(found, np.full((k, tables), size * bound))


@lru_cache(maxsize=4)
def carried(share: float, n: int, tables: int) -> np.ndarray:
    """Return which 95 % intervals do not hold an effect that a share of the units
    carries alone, of 1 in each, while the others have a noise of .002.

    Where no such unit was drawn, the interval is as narrow as that noise.
    """
    rng = np.random.default_rng(zlib.crc32(f"carried, {share}, {n}".encode()))
    columns = _bounded_share(share, 1.0, 0.0, 0.002, n, tables, rng)
    found = decided(table(_tables(columns, 1, tables)), 0)
    return told(found, np.full((1, tables), share)).covered == 0


def jittered(_: Rng, tables: int) -> np.ndarray:
    """Return in which tables of 29 arms a jitter of units that answer alike changes a
    verdict: none, or one of sd 1e-8 or 1e-3, in an arm that adds .3 to its control and
    in one that adds nothing; 27 have normal effects. 50 units, region +-.1.
    """
    rng, n = np.random.default_rng(29), 50
    control = rng.standard_normal((n, 1, tables))
    others = control + _spread(rng, n, 27, tables)
    still = control + np.array([0.3, 0.0])[:, None]
    wobble = rng.standard_normal(still.shape)
    said = [
        verdicts_of(
            _of_outcomes(
                np.concatenate([control, still + sd * wobble, others], axis=1),
                (-0.1, 0.1),
            )
        )
        for sd in (0.0, 1e-8, 1e-3)
    ]
    return ((said[0] != said[1]) | (said[0] != said[2])).any(axis=0)


def jittered_zeros(_: Rng, tables: int) -> np.ndarray:
    """Return in which tables a jitter of sd 1e-8 changes the verdict on an arm all of
    whose 50 answers, and those of its control, are exactly 0; region +-.05.
    """
    rng = np.random.default_rng(0)
    wobble = 1e-8 * rng.standard_normal((50, 2, tables))
    said = [verdicts_of(_of_outcomes(y, (-0.05, 0.05))) for y in (0 * wobble, wobble)]
    return (said[0] != said[1])[0]


def _spread(rng: Rng, n: int, arms: int, tables: int) -> np.ndarray:
    """Draw effects of units, (n, arms, tables), whose means have an sd of .3."""
    return 0.3 * rng.standard_normal((1, arms, tables)) + rng.standard_normal(
        (n, arms, tables)
    )


def _of_outcomes(y: np.ndarray, rope: Any, **options: Any) -> xr.Dataset:
    effects = quiet(cg.contrast, crossed(y), control="a0")
    return decided(quiet(cg.estimate, effects), rope, **options)


def _spread_effects(rows: int, rng: Rng, bound: float) -> Columns:
    """Return estimates of normal effects of sd two bounds, 100 units each."""
    return _shifted(noise("normal", 100, rows), 2 * bound * rng.standard_normal(rows))


def changed_by_a_contrast(_: Rng, tables: int) -> np.ndarray:
    """Return the share of verdicts on 29 effects that change when a 30th is added."""
    bound = 0.4
    columns = _tables(
        _spread_effects(30 * tables, np.random.default_rng(30), bound), 30, tables
    )
    rope = (-bound, bound)
    every = verdicts_of(decided(table(columns), rope))[:29]
    of_29 = decided(table({name: x[:29] for name, x in columns.items()}), rope)
    return (every != verdicts_of(of_29)).mean(axis=0)


_LAYOUTS = ("crossed", "parallel")
_NUMBERS = ("lower", "upper", "p", "p_verdict", "q", "reversal")


def differ(one: xr.Dataset, other: xr.Dataset, within: float = 0.0) -> float:
    """Return the share of rows in which two decisions differ in any digit, or in any
    number by more than a part `within`, or in the verdict.
    """
    found = verdicts_of(one) != verdicts_of(other)
    for name in _NUMBERS:
        x, y = (d[name].transpose(*EFFECT).to_numpy() for d in (one, other))
        found |= ~np.isclose(x, y, rtol=within, atol=0.0, equal_nan=True)
    return float(found.mean())


def _few_outcomes(rng: Rng, law: str, n: int = 60, arms: int = 4) -> np.ndarray:
    """Draw outcomes of 60 units under 4 arms in 3 tasks, of which none is shrunken."""
    shape, by = (n, arms, 3), 0.6 * rng.choice([0.0, 1.0, 2.0], (arms, 3))
    if law in BINARY:
        return (rng.random(shape) < BINARY[law] + by / 4) * 1.0
    if law in COUNTS:
        return rng.poisson(COUNTS[law] + by, shape) * 1.0
    return DRAWS[law](rng, shape) + by


def parallel(y: np.ndarray, sizes: tuple[int, ...]) -> xr.Dataset:
    """Return outcomes (unit, task) of a parallel trial as a Dataset: the first units
    are those of arm a0, the next those of a1, ...
    """
    arms = [f"a{i}" for i in range(len(sizes))]
    return xr.Dataset(
        {"outcome": (("unit", "task"), y * 1.0)},
        {
            "arm": arms,
            "assigned": ("unit", np.repeat(arms, sizes)),
            "task": np.arange(y.shape[1]).astype(str),
        },
        attrs={"scale": "identity", "assignment": "parallel"},
    )


def _laid_out(y: np.ndarray, layout: str, arms: int) -> xr.Dataset:
    """Return outcomes of the first arms as those of a crossover, or as a parallel trial
    with unequal arms.
    """
    if layout == "crossed":
        return crossed(y[:, :arms])
    sizes = (60, 20, 8, 30)[:arms]
    own = [y[:size, a] for a, size in enumerate(sizes)]
    return parallel(np.concatenate(own), sizes)


def changed_by_an_arm(rng: Rng, tables: int) -> np.ndarray:
    """Return the share of rows, each by itself, in which an arm, or a task, that is not
    theirs changes any number (by more than the rounding of its sums), crossed and
    parallel.
    """
    found = []
    for law in np.resize(LAWS, tables):
        y = _few_outcomes(rng, law)
        y[:, 3] += 5 * rng.random()
        layout = str(rng.choice(_LAYOUTS))

        def of(some: np.ndarray, arms: int, layout: str = layout) -> xr.Dataset:
            effects = quiet(cg.contrast, _laid_out(some, layout, arms), control="a0")
            return decided(quiet(cg.estimate, effects), (-0.6, 0.6), error="each")

        every = of(y, 4)
        fewer = of(y, 3), of(y[..., :2], 4)
        found.append(
            max(
                differ(every.isel(contrast=[0, 1]), fewer[0], 1e-11),
                differ(every.isel(task=[0, 1]), fewer[1], 1e-11),
            )
        )
    return np.array(found)


def changed_by_the_door(door: str, laws: Sequence[str] = LAWS) -> Trials:
    """Return the share of rows in which another door than `decide` of estimates says
    another thing, to the last digit: "effects" or a "table" (of `tidy`) for `decide`,
    outcomes for "analyze"; crossed and parallel.
    """

    def trials(rng: Rng, tables: int) -> np.ndarray:
        rope = (-0.6, 0.6)
        plan = cg.Analysis(control="a0", rope=rope)
        found = []
        for law in np.resize(laws, tables):
            layout = "crossed" if len(laws) < len(LAWS) else str(rng.choice(_LAYOUTS))
            outcomes = _laid_out(_few_outcomes(rng, law), layout, 4)
            effects = quiet(cg.contrast, outcomes, control="a0")
            estimates = quiet(cg.estimate, effects)
            one = quiet(cg.decide, estimates, rope=rope, shrink=None)
            if door == "analyze":
                other = quiet(cg.analyze, outcomes, plan)
            else:
                x = effects if door == "effects" else quiet(cg.tidy, estimates)
                other = quiet(cg.decide, x, rope=rope, shrink=None)
            found.append(differ(one, other))
        return np.array(found)

    return trials


def changed_by_the_form(rng: Rng, tables: int) -> np.ndarray:
    """Return the share of rows in which another form of the same region (a `Rope`, one
    by task, text) changes any number.
    """
    found = []
    for law in np.resize(LAWS, tables):
        effects = quiet(cg.contrast, crossed(_few_outcomes(rng, law)), control="a0")
        estimates = quiet(cg.estimate, effects)
        by_task = dict.fromkeys("012", (-0.6, 0.6))
        forms = (cg.Rope.parse((-0.6, 0.6)), by_task, "-0.6,0.6")
        one = decided(estimates, (-0.6, 0.6))
        found.append(max(differ(one, decided(estimates, form)) for form in forms))
    return np.array(found)


def written_out(_: Rng, tables: int) -> np.ndarray:
    """Return the share of rows in which the library and `plain_rule` differ: limits,
    p-values, q, reversal size or verdict, by more than 1e-8.
    """
    rng = np.random.default_rng(60)
    return np.array([_written_out(rng) for _ in range(tables)])


def _written_out(rng: Rng) -> float:
    """Compare a table of 4 arms in one task: each minus the first, the first minus the
    mean of the others, and the interaction.
    """
    layout = str(rng.choice(_LAYOUTS))
    ci_prob = float(rng.choice([0.8, 0.95, 0.99]))
    error = str(rng.choice(["fdr", "fwer", "each"]))
    low, high = ((0, 0), (-0.6, 0.6), (-0.3, 0.9), (-np.inf, 0.6))[rng.integers(4)]
    outcomes = _laid_out(_few_outcomes(rng, str(rng.choice(LAWS))), layout, 4)
    outcomes = outcomes.isel(task=[0])
    weights = np.array(
        [
            *([-1, *np.eye(3)[i]] for i in range(3)),
            [1, *[-1 / 3] * 3],
            [1, -1, -1, 1],
        ]
    )
    names = outcomes["arm"].to_numpy()
    contrasts = {
        f"c{i}": {a: x for a, x in zip(names, w, strict=True) if x}
        for i, w in enumerate(weights)
    }
    effects = quiet(cg.contrast, outcomes, contrasts=contrasts)
    rope = 0 if low == high else (low, high)
    estimates = quiet(cg.estimate, effects, ci_prob=ci_prob)
    found = decided(estimates, rope, error=error).isel(task=0)
    y = outcomes["outcome"].to_numpy()[..., 0]
    if layout == "parallel":
        own = outcomes["assigned"].to_numpy()[:, None] == names
        y = np.where(own, y[:, None], np.nan)
    rows = [plain_row(y, w, (low, high), ci_prob) for w in weights]
    said = plain_verdicts(rows, (low, high), error, ci_prob)
    ours = np.array(
        [(r.lower, r.upper, r.p, *s[1:]) for r, s in zip(rows, said, strict=True)]
    )
    theirs = np.stack([found[name].to_numpy() for name in _NUMBERS], axis=1)
    for numbers in (ours, theirs):  # the side of an effect of exactly 0 is rounding
        numbers[:, -1] = np.abs(numbers[:, -1])
    equal = np.isclose(theirs, ours, rtol=1e-8, atol=1e-10, equal_nan=True).all(axis=1)
    equal &= found["verdict"].to_numpy() == np.array([s[0] for s in said])
    return float((~equal).mean())


def contradictions(layout: str, ci_prob: float) -> Trials:
    """Return a count of rows whose interval and p-values disagree, over laws."""

    def trials(_: Rng, rows: int) -> np.ndarray:
        rng = np.random.default_rng(int(100 * ci_prob))
        found, laws = [], tuple(BINARY) if layout != "numbers" else tuple(DRAWS)
        for i, law in enumerate(laws):
            tables = len(range(i, rows, len(laws)))
            shape = (40, 2, tables)
            by = rng.choice([0.0, 0.1, 0.5], (2, tables))
            y = (
                (rng.random(shape) < BINARY[law] + by) * 1.0
                if law in BINARY
                else DRAWS[law](rng, shape) + by
            )
            outcomes = (
                parallel(np.concatenate([y[:, 0], y[:13, 1]]), (40, 13))
                if layout == "parallel"
                else crossed(y)
            )
            effects = quiet(cg.contrast, outcomes, control="a0")
            said = decided(
                quiet(cg.estimate, effects, ci_prob=ci_prob), (-0.2, 0.2), error="each"
            )
            found.append(disagreements(said, ci_prob)[0])
        return np.concatenate(found)

    return trials


@lru_cache(maxsize=4)
def beside(strong: int, asked: bool, tables: int) -> np.ndarray:
    """Return the share of false directions among those of ten null effects (the rows of
    the question, `asked`, or of one family with the strong rows).
    """
    rng = np.random.default_rng(strong)
    effect = np.repeat([0.0, 1.0], [10, strong])[:, None]
    columns = _tables(noise("normal", 100, (10 + strong) * tables), 10 + strong, tables)
    rng.shuffle(columns["ace"].T)
    estimates = table(_shifted(columns, effect * np.ones(tables)))
    if asked:
        estimates = estimates.assign_coords(
            of_question=("contrast", np.arange(10 + strong) < 10)
        )
    return directions_of(decided(estimates, 0))[:10].any(axis=0)


@lru_cache(maxsize=1)
def any_false_by_holm(law: str, n: int, k: int, tables: int) -> np.ndarray:
    """Return which tables without an effect have a direction by ``error="fwer"``."""
    made = table(_tables(noise(law, n, k * tables), k, tables))
    return directions_of(decided(made, 0, error="fwer")).any(axis=0)


@lru_cache(maxsize=1)
def found_by_holm(n: int, tables: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of five effects of 3.5 standard errors, among 20 normal rows,
    that have a direction by ``error="fwer"``, and by Bonferroni's t.
    """
    k, true = 20, np.arange(20) < 5
    effect = np.broadcast_to(3.5 / np.sqrt(n) * true[:, None], (k, tables))
    columns = _shifted(_tables(noise("normal", n, k * tables), k, tables), effect)
    said = directions_of(decided(table(columns), 0, error="fwer"))
    t = np.abs(columns["ace"] / columns["se"])
    by_t = 2 * k * stats.t.sf(t, n - 1) <= 1 - CI
    return said[true].mean(axis=0), by_t[true].mean(axis=0)


# rows of the page
_OF_RULE = "The rule of verdicts"
_FALSE = f"{_OF_RULE}: false verdicts, regions of 6 standard errors"
_COVERS = f"{_OF_RULE}: coverage of the printed 95 % intervals"
MISSED = f"{_OF_RULE}: missed verdicts (29 effects: 2 at each distance, the rest none)"
_NAMED = f"{_OF_RULE}: how many of K effects N(0, ROPE) are named, se ROPE/3"
COMPANY = f"{_OF_RULE}: company, doors, and rows that contradict themselves"
_HOLM = f"{_OF_RULE}: Holm, K rows without an effect, tables with any false verdict"
_HOLM_POWER = f"{_OF_RULE}: Holm, what is found of 5 effects of 3.5 se among 20 rows"
_RARE = f"{_OF_RULE}: rare effects, and rows that are all alike"
NO_PROMISE = " (impossible: no promise)"
TABLES = {1: 4_000, 29: 1_380, 100: 400, 1_000: 400}
QUICK = {1: 200, 29: 40, 100: 20, 1_000: 4}
_POOL = 40_020
"""Claims of a full run of K = 29, of which the smaller runs take a part."""
_SAID = {
    "on": (
        ("all on the bounds, directions", "directions"),
        ("all on the bounds, negligibles", "negligibles"),
    ),
    "inside": (("all just inside, directions", "directions"),),
    "outside": (("all just outside, negligibles", "negligibles"),),
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


def covers_at_least(law: str) -> float | None:
    """Return the least coverage of 95 % intervals, None where there is no promise."""
    if law == "exponential clusters":
        return None
    return 0.93 if law == "lognormal" else 0.94


def missed_at_most(law: str, n: int) -> float | None:
    """Return the largest share of verdicts missed at 8 standard errors and 2 bounds."""
    if law in ("normal", *COUNTS, *BINARY):
        return 0.01
    return 0.05 if law == "t3" or (law == "exponential" and n >= 100) else None


def _coverage_row(law: str, n: int, k: int = 29) -> Check:
    least = covers_at_least(law)
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


def _of_cell(law: str, n: int) -> list[Check]:
    """Return all rows of a law and a number of units, which share their estimates."""
    if n == 20:
        return [_coverage_row(law, n)]
    clusters = law.endswith(" clusters")
    truths = ("on", "none") if clusters else tuple(_SAID)
    rows = [row for truth in truths for row in _false_rows(law, n, 29, truth)]
    rows.append(_coverage_row(law, n))
    rows.append(
        Check(
            COMPANY,
            _name(law, n, "rows that contradict themselves, on the bounds"),
            lambda _, tables: cell(law, n, 29, "on", tables).disagree,
            0.0,
            "exact",
            TABLES[29],
            QUICK[29],
        )
    )
    if clusters:
        return rows
    rows += _missed_rows(law, n) if law not in BINARY or n >= 100 else []
    ks = (1, 100, 1_000) if n == 100 and law in _OF_MANY else (1, 100)
    return rows + [
        row
        for k in ks
        for truth in ("on", "none")
        for row in _false_rows(law, n, k, truth)
    ]


_OF_MANY = (*DRAWS, "0/1 at 5 %")


def one(
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


_FLOODS = [
    one(
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
_OF_NAMED = [
    row
    for k, up, inside, tables in ((60, 4.9, 10.2, 2_000), (1_000, 80, 158, 400))
    for row in (
        one(
            _NAMED,
            f"K = {k:,}: verdicts in a table ({up:g} + {inside:g} in other trials)",
            lambda _, n, k=k: named(k, n).both.astype(float),
            0.95 * (up + inside),
            "at least",
            full=tables,
            quick=20,
        ),
        *(
            one(
                _NAMED,
                f"K = {k:,}: {what} in a table",
                lambda _, n, k=k, what=what: getattr(named(k, n), what).astype(float),
                found,
                "reported",
                full=tables,
                quick=20,
            )
            for what, found in (("directions", up), ("negligibles", inside))
        ),
        *(
            one(
                _NAMED,
                f"K = {k:,}: false share of {what}",
                lambda _, n, k=k, what=what: getattr(named(k, n).told, what),
                0.05,
                full=tables,
                quick=20,
            )
            for what in ("directions", "negligibles")
        ),
    )
]
_OF_CARRIED = [
    one(
        _RARE,
        f"an effect that {100 * share:g} % of units carry alone, n = {n}: not covered "
        f"(at most (1 - r)^n = {(1 - share) ** n:.3f}, which draw none, and .05)",
        lambda _, tables, cell=(share, n): carried(*cell, tables),
        (1 - share) ** n + 0.05 * (1 - (1 - share) ** n),
        full=4_000,
        quick=200,
    )
    for share, n in ((0.01, 60), (0.01, 300), (0.03, 100), (0.01, 1_000))
]
_OF_UNDONE = [
    one(
        _RARE,
        f"{kind}s that effects on {100 * share:g} % of units would undo, n = {n}, "
        f"K = 29, false share "
        + ("with largest=" if stated else "without (beside them: reversal)"),
        lambda _, tables, cell=(share, n, 29, kind, stated): getattr(
            undone(*cell, tables), f"{cell[3]}s"
        ),
        0.05,
        "at most" if stated else "reported",
        full=1_380,
        quick=20,
    )
    for kind in ("direction", "negligible")
    for share, n in ((0.01, 60), (0.01, 300), (0.03, 100))
    for stated in (True, False)
]
_OF_COMPANY = [
    one(
        COMPANY,
        f"interval and p at {ci:g}, {layout}: rows in which they disagree",
        contradictions(layout, ci),
        0.0,
        "exact",
        full=40_000 if layout == "numbers" else 4_000,
        quick=400,
    )
    for layout in ("numbers", "pairs of 0/1 by arm", "parallel")
    for ci in (0.8, 0.95, 0.99)
]
_OTHERS = [
    one(
        _RARE,
        "two arms whose 50 units answer alike among 29: tables in which a jitter of "
        "1e-8 or 1e-3 changes a verdict",
        jittered,
        0.0,
        "exact",
        full=200,
        quick=10,
    ),
    one(
        _RARE,
        "arms that answer nothing but 0, 50 units, region +-.05: tables in which a "
        "jitter of 1e-8 changes the verdict (0 is then no 0/1 answer)",
        jittered_zeros,
        0.0,
        "reported",
        full=200,
        quick=10,
    ),
    one(
        COMPANY,
        "rows in which decide(tidy(estimates)) differs from decide(estimates), 0/1, "
        "crossed (the table has no counts by arm)",
        changed_by_the_door("table", tuple(BINARY)),
        0.0,
        "reported",
        full=40,
        quick=10,
    ),
    one(
        COMPANY,
        "verdicts on 29 effects changed by a 30th",
        changed_by_a_contrast,
        0.01,
        full=3_000,
        quick=40,
    ),
    *(
        one(COMPANY, name, trials, 0.0, "exact", full=full, quick=quick)
        for name, trials, full, quick in (
            (
                "rows, each by itself, that an arm or a task of others changes",
                changed_by_an_arm,
                100,
                10,
            ),
            (
                "rows in which decide(effects) differs from decide(estimates)",
                changed_by_the_door("effects"),
                40,
                10,
            ),
            (
                "rows in which analyze(outcomes) differs from decide(estimates)",
                changed_by_the_door("analyze"),
                40,
                10,
            ),
            (
                "rows in which decide(tidy(estimates)) differs from decide(estimates), "
                "numbers, crossed",
                changed_by_the_door("table", tuple(DRAWS)),
                40,
                10,
            ),
            (
                "rows in which another form of the region changes a number",
                changed_by_the_form,
                40,
                10,
            ),
            (
                "rows that differ from the rule written out plainly",
                written_out,
                400,
                10,
            ),
        )
    ),
    *(
        one(
            _FALSE,
            f"ten null interactions beside {strong} strong rows: a false direction "
            + (
                "where they are the question"
                if asked
                else "where all are one family (no promise)"
            ),
            lambda _, n, strong=strong, asked=asked: beside(strong, asked, n),
            0.055,
            "at most" if asked else "reported",
            full=4_000 if strong < 90 else 2_000,
            quick=40,
        )
        for strong in (10, 90)
        for asked in (True, False)
    ),
]
_HOLM_HOLDS_FROM = {20: 100, 200: 300}
"""Rows of a table -> least units at which Holm's rate holds of exponential effects."""


def _of_holm(k: int, n: int, law: str) -> Check:
    held = law == "normal" or (law == "exponential" and n >= _HOLM_HOLDS_FROM[k])
    return one(
        _HOLM,
        f"Holm, K = {k}, n = {n}, {law}: any false verdict{NO_PROMISE * (not held)}",
        lambda _, tables: any_false_by_holm(law, n, k, tables),
        0.05,
        "at most" if held else "reported",
        full=4_000,
        quick=60,
    )


_OF_HOLM = [
    *(
        _of_holm(k, n, law)
        for k in _HOLM_HOLDS_FROM
        for n in (30, 100, 300)
        for law in ("normal", "exponential", "lognormal")
    ),
    *(
        one(
            _HOLM_POWER,
            f"Holm, K = 20, n = {n}, normal, found: {what}",
            lambda _, tables, n=n, of=of: of(*found_by_holm(n, tables)),
            -0.05,
            claim,
            full=4_000,
            quick=60,
        )
        for n in (30, 100, 300)
        for what, of, claim in (
            ("share", lambda ours, _: ours, "reported"),
            ("share less that of Bonferroni's t", lambda x, t: x - t, "at least"),
        )
    ),
]
CHECKS = [
    *(row for law in LAWS for n in (30, 100, 300) for row in _of_cell(law, n)),
    *(row for law in (*DRAWS, "Poisson, mean 1") for row in _of_cell(law, 20)),
    *(
        row
        for law in ("normal clusters", "exponential clusters")
        for n in (30, 100)
        for row in _of_cell(law, n)
    ),
    *(
        row
        for law in ("exponential", "lognormal")
        for truth in ("on", "none")
        for row in _false_rows(law, 30, 1_000, truth)
    ),
    *_FLOODS,
    *_OF_NAMED,
    *_OF_CARRIED,
    *_OF_HOLM,
    *_OF_UNDONE,
    *_OF_COMPANY,
    *_OTHERS,
]
