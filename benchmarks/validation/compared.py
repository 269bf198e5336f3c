"""Networks compared by `causalgia.audit`: retrainings of one oracle do not differ, and
half of an interaction is found.

What is repeated is the comparison (`causalgia._audit.compared.compare`), of motifs and a
rule that the audits are given to have found: an audit proposes and tests on other
sequences. Retrainings have the coefficients of an oracle with a relative sd of .1: in
five retrainings of four real networks it is .01 to .06 for the largest effects, and .1
to .2 for those of a tenth of these.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia._audit.candidates import Candidate
from causalgia._audit.compared import _Row, _verdicts, compare
from causalgia.estimation.crossover import difference_of_levels
from causalgia.sequences import Motif
from causalgia.sequences.fasta import Sequences
from validation.checks import Check, Rng

FIRST, SECOND = "TGAGTCA", "CATTCCA"
FEATURES = ("first", "second", "rule", "gc")
ORACLE = np.array([0.6, 0.4, 1.5, 0.4])
"""What a network adds for each feature: either motif, the second 3 to 8 bp behind the
first, the share of G and C."""
_SPREAD, _MEMBERS, _DRAWS = 0.1, 5, 20


@contextmanager
def quiet() -> Iterator[None]:
    """Leave notes out, as an audit does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        yield


def _present(one_hot: np.ndarray, word: str) -> np.ndarray:
    letters = ["ACGT".index(x) for x in word]
    found = np.ones((len(one_hot), one_hot.shape[2] - len(word) + 1), bool)
    for k, letter in enumerate(letters):
        found &= one_hot[:, letter, k : k + found.shape[1]] > 0
    return found


def features(one_hot: np.ndarray) -> np.ndarray:
    """Return the features of sequences, (n, 4)."""
    first, second = _present(one_hot, FIRST), _present(one_hot, SECOND)
    rule = np.zeros(len(one_hot), bool)
    for gap in range(3, 9):
        rule |= (first[:, : -7 - gap] & second[:, 7 + gap :]).any(axis=1)
    gc = one_hot[:, 1:3].sum(axis=1).mean(axis=1)
    return np.stack([first.any(axis=1), second.any(axis=1), rule, gc], axis=1)


@cache
def sequences(seed: int = 0) -> Sequences:
    """Return 160 sequences of 120 bp, of which half have each motif, and two fifths the
    rule.
    """
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (160, 120)).astype(np.uint8)

    def write(row: int, at: int, word: str) -> None:
        tokens[row, at : at + len(word)] = ["ACGT".index(x) for x in word]

    for row in range(len(tokens)):
        for word in (FIRST, SECOND):
            if rng.random() < 0.5:
                write(row, int(rng.integers(5, 50)), word)
        if rng.random() < 0.4:
            at = int(rng.integers(60, 85))
            write(row, at, FIRST)
            write(row, at + 7 + int(rng.integers(3, 9)), SECOND)
    return Sequences(tokens, tuple(f"s{k}" for k in range(len(tokens))))


READER = cg.FunctionPredictor(features, tasks=FEATURES, scale="log counts")


_READ: dict[tuple[str, int], xr.Dataset] = {}


def features_of(what: str, draw: int, design: Any) -> xr.Dataset:
    """Return the features of the units of a trial under its arms, as outcomes of tasks:
    those of a network are their sums with its coefficients.
    """
    if (what, draw) not in _READ:
        with quiet():
            _READ[what, draw] = cg.run(design, READER, rng=draw, progress=False)
    return _READ[what, draw]


def found_by(*, rule: bool) -> Any:
    """Return what an audit found: both motifs and, or not, the rule."""
    candidates = [
        Candidate(Motif.from_iupac(word), 2.5e-4, word, 1.0, 80, 80)
        for word in (FIRST, SECOND)
    ]
    motifs = pd.DataFrame(
        {
            "motif": [FIRST, SECOND],
            "name": "",
            "task": "activity",
            "reads": True,
            "strand": "+",
            "alone": 1.0,
            "region": 0.1,
        }
    )
    rules = pd.DataFrame(
        [
            {
                "first": FIRST,
                "second": SECOND,
                "strands": "++",
                "arrangement": f"{FIRST}+ then {SECOND}+",
                "gap_from": 3,
                "gap_to": 8,
                "n_gaps": 6,
                "both_strands": False,
                "anywhere": False,
                "task": "activity",
                "tested": 1.5,
                "interaction": 1.5,
                "holds": rule,
            }
        ]
    )
    sites = pd.DataFrame({"motif": [FIRST, SECOND], "strand": "-"})
    return SimpleNamespace(
        motifs=motifs,
        rules=rules,
        sites=sites,
        candidates=candidates,
        settings={"strands": "both"},
    )


def compared(
    rng: Rng, first: np.ndarray, second: np.ndarray, *, spread: float = _SPREAD
) -> Any:
    """Return the comparison of two pools of retrainings, whose coefficients are drawn
    about these.
    """
    pools = {
        name: mean * (1 + spread * rng.normal(size=(_MEMBERS, len(mean))))
        for name, mean in (("one", first), ("other", second))
    }
    draw, given = int(rng.integers(_DRAWS)), sequences()

    def run_in(name: str, what: str, design: Any) -> xr.Dataset:
        read = features_of(what, draw, design)
        values = (
            read["outcome"].transpose("unit", "arm", "task").to_numpy() @ pools[name].T
        )
        return (
            read.drop_vars("outcome")
            .drop_dims("task")
            .assign(outcome=(("unit", "arm", "task", "model"), values[:, :, None]))
            .assign_coords(
                task=["activity"], model=[f"retraining {k}" for k in range(_MEMBERS)]
            )
        )

    networks = {
        name: cg.FunctionPredictor(
            lambda x, pool=pool: features(x) @ pool.mean(axis=0),
            tasks=["activity"],
            scale="log counts",
            fingerprint=name,
        )
        for name, pool in pools.items()
    }
    audits = {"one": found_by(rule=True), "other": found_by(rule=False)}
    reserved = Sequences(given.tokens[:40], given.names[:40])
    with quiet():
        return compare(networks, audits, given.tokens, reserved, run_in=run_in)


def any_differs(rng: Rng, n: int) -> np.ndarray:
    """Whether any effect is said to differ between retrainings of one oracle."""
    found = (compared(rng, ORACLE, ORACLE) for _ in range(n))
    return np.array(
        [
            any((table["verdict"] == "differs").any() for table in (x.motifs, x.rules))
            for x in found
        ]
    )


def half_found(spread: float) -> Callable[[Rng, int], np.ndarray]:
    """Whether the rule is said to differ where another oracle has half of it."""
    half = ORACLE * [1, 1, 0.5, 1]

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = (compared(rng, ORACLE, half, spread=spread) for _ in range(n))
        return np.array([x.rules["verdict"].item() == "differs" for x in found])

    return trials


def _pool(
    rng: Rng, shared: np.ndarray, n_levels: int, *, between: float, residual: float
) -> np.ndarray:
    n = len(shared)
    level = between * rng.normal(size=n_levels)
    return shared[:, None] + level + residual * rng.normal(size=(n, n_levels))


def covers(
    n_levels: int, between: float, residual: float = 0.3
) -> Callable[[Rng, int], np.ndarray]:
    """Whether the 95 % interval of a difference of two pools covers it: networks differ
    by sd `between`, units by sd 1 alike in all networks, and by `residual` in each.
    """
    from scipy import stats

    def one(rng: Rng) -> bool:
        shared = rng.normal(size=200)
        first, second = (
            _pool(rng, shared, n_levels, between=between, residual=residual)
            for _ in range(2)
        )
        difference, se, df = difference_of_levels(first, second)
        return bool(abs(difference) <= stats.t.ppf(0.975, df) * se)

    return lambda rng, n: np.array([one(rng) for _ in range(n)])


def selected_differ(rng: Rng, n: int) -> np.ndarray:
    """Return the share of effects said to differ between retrainings of one oracle,
    among those asked: of 40 effects from none to twice the region, where the mean over
    one pool lies beyond the region.
    """
    region, shares = 0.2, []
    for _ in range(n):
        rows = []
        for effect in np.linspace(0, 2 * region, 40):
            shared = effect + rng.normal(size=200)
            pools = [
                _pool(rng, shared, _MEMBERS, between=0.15, residual=0.3)
                for _ in range(2)
            ]
            if max(abs(pool.mean()) for pool in pools) > region:
                arrays = {
                    name: xr.DataArray(pool, dims=("unit", "model"))
                    for name, pool in zip(("one", "other"), pools, strict=True)
                }
                rows.append((_Row({}, {}, arrays, region), "one", "other"))
        verdicts = [row["verdict"] for row in _verdicts(rows)]
        shares.append(np.mean([x == "differs" for x in verdicts]))
    return np.array(shares)


_SECTION = (
    "Two networks compared by an audit, five retrainings of each, on the same shuffles "
    "and sites"
)
CHECKS = [
    Check(
        _SECTION,
        "retrainings of one oracle, comparisons in which any effect is said to differ",
        any_differs,
        0.05,
        "at most",
        full=200,
        quick=15,
    ),
    *(
        Check(
            _SECTION,
            "half of an interaction is found, retrainings with a relative sd of "
            f"{spread:g}",
            half_found(spread),
            0.9,
            claim,
            full=200,
            quick=15,
        )
        for spread, claim in ((_SPREAD, "at least"), (0.2, "reported"))
    ),
    *(
        Check(
            _SECTION,
            f"the interval of a difference, {n} retrainings of each with sd {between:g}",
            covers(n, between),
            0.945,
            "at least",
            full=10_000,
            quick=1_000,
        )
        for n in (2, 3, 5)
        for between in (0.03, 0.3)
    ),
    Check(
        _SECTION,
        "share of effects said to differ between retrainings of one oracle, asked where "
        "one pool exceeds the region",
        selected_differ,
        0.05,
        "at most",
        full=300,
        quick=20,
    ),
]
