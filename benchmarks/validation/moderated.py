"""Moderated variances: 1,000 rows of few units, a tenth of which have an effect, through
`estimate` and `decide`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg
from validation.checks import Check
from validation.draws import Rng

ROWS, WITH_EFFECT, D0 = 1_000, 100, 4.0
LAWS = {
    "variances as limma takes them": (1.0, 1.0),
    "one variance": (1.0, 1.0),
    "a tenth hardly varies": (1.0, 1.0),
    "exponential outcomes": (1.0, 1.0),
    "the sd of the first arm is three times the other's": (3.0, 1.0),
}
"""Law of the outcomes -> sd of the two arms, in that of the row."""


def _outcomes(rng: Rng, law: str, n: tuple[int, int], effect: float) -> xr.Dataset:
    sd = 0.7 * np.sqrt(D0 / rng.chisquare(D0, ROWS))
    if law == "one variance":
        sd[:] = 0.7
    if law == "a tenth hardly varies":
        sd[rng.random(ROWS) < 0.1] /= 20
    shape = sum(n), ROWS
    z = rng.exponential(size=shape) if "exp" in law else rng.normal(size=shape)
    y = z * np.repeat(LAWS[law], n)[:, None] * sd
    y[n[0] :, :WITH_EFFECT] += effect
    names = {
        "unit": np.arange(sum(n)),
        "task": [f"e{i:04d}" for i in range(ROWS)],
        "arm": ["ref", "alt"],
        "assigned": ("unit", np.repeat(["ref", "alt"], n)),
    }
    attrs = {"assignment": "parallel", "scale": "log2"}
    return xr.Dataset({"outcome": (("unit", "task"), y)}, names, attrs).assign(
        sd=("task", sd)
    )


@cache
def cell(
    law: str, n: tuple[int, int], effect: float, trials: int
) -> dict[str, np.ndarray]:
    """Return for each trial the share of false directions, of intervals that cover, those
    of the noisiest tenth, and the number of effects found, moderated and not.
    """
    rng = np.random.default_rng(zlib.crc32(f"{law} {n}".encode()))
    truth = np.where(np.arange(ROWS) < WITH_EFFECT, effect, 0.0)
    found: dict[str, list[float]] = {}
    for _ in range(trials):
        outcomes = _outcomes(rng, law, n, effect)
        noisy = outcomes["sd"].to_numpy() >= np.quantile(outcomes["sd"], 0.9)
        effects = cg.contrast(outcomes.drop_vars("sd"), control="ref")
        for name, variances in (("", True), ("unmoderated ", False)):
            estimates = cg.estimate(effects, variances=variances)
            decided = cg.decide(estimates, rope=0, shrink=None)
            by_t = stats.false_discovery_control(estimates["p_t"].to_numpy()[0]) <= 0.05
            verdict, lower, upper = (
                decided[x].to_numpy()[0] for x in ("verdict", "lower", "upper")
            )
            named = verdict != "undecided"
            false = named & ~((verdict == "increases") & (truth > 0))
            covered = (lower <= truth) & (truth <= upper)
            for what, value in (
                ("false", false.sum() / max(named.sum(), 1)),
                ("covered", covered.mean()),
                ("noisiest", covered[noisy].mean()),
                ("hits", float((named & ~false).sum())),
                ("hits by t", by_t[:WITH_EFFECT].sum()),
            ):
                found.setdefault(f"{name}{what}", []).append(float(value))
    return {name: np.array(values) for name, values in found.items()}


def column(
    law: str, n: tuple[int, int], effect: float, what: str
) -> Callable[[Rng, int], np.ndarray]:
    """Return one column of a cell, whose trials all its rows share."""
    return lambda _, trials: cell(law, n, effect, trials)[what]


_SECTION = (
    "Moderated variances, 1,000 rows, an effect in a tenth: means of independent arms"
)
CHECKS: list[Check] = []
for _law, _n, _effect in (
    ("variances as limma takes them", (3, 5), 1.8),
    ("variances as limma takes them", (4, 4), 1.8),
    ("variances as limma takes them", (8, 8), 1.3),
    ("one variance", (4, 4), 1.8),
    ("a tenth hardly varies", (4, 4), 1.8),
    ("exponential outcomes", (4, 4), 1.8),
    ("the sd of the first arm is three times the other's", (5, 80), 3.0),
):
    _where = f"{_n[0]} v {_n[1]}, {_law}"
    for _name, _what, _nominal, _claim in (
        ("share of false directions", "false", 0.05, "at most"),
        ("coverage", "covered", 0.945, "at least"),
        ("coverage of the noisiest tenth", "noisiest", 0.945, "reported"),
        ("effects found", "hits", 0.0, "reported"),
        ("effects found, unmoderated", "unmoderated hits", 0.0, "reported"),
        *[("effects found by limma", "hits by t", 0.0, "reported")] * ("limma" in _law),
    ):
        CHECKS.append(
            Check(
                _SECTION,
                f"{_where}: {_name}",
                column(_law, _n, _effect, _what),
                _nominal,
                _claim,
                300 if "limma" in _law else 100,
                10,
            )
        )
