"""Networks compared by `causalgia.audit`: retrainings of one oracle do not differ, and
half of an interaction is found; differences of any law have their intervals.

What is repeated is the comparison (`causalgia._audit.compared.compare`), of motifs and a
rule that the audits are given to have found: an audit proposes and tests on other
sequences. Retrainings have the coefficients of an oracle with a relative sd of .1: in
five retrainings of four real networks it is .01 to .06 for the largest effects, and .1
to .2 for those of a tenth of these.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
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
from causalgia.sequences import Motif
from causalgia.sequences.fasta import Sequences
from validation.checks import Check, Claim, Rng
from validation.verdicts import DRAWS, NO_PROMISE

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
                **dict.fromkeys(("period", "phase", "length"), np.nan),
                "further": "",
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


def _asked(one: np.ndarray, other: np.ndarray, region: float) -> tuple[_Row, str, str]:
    """Return the question whether effects of units (and retrainings) differ."""
    dims = ("unit", "model")[: one.ndim]
    unit = {"unit": np.arange(len(one))}
    arrays = {
        name: xr.DataArray(x, unit, dims)
        for name, x in (("one", one), ("other", other))
    }
    return _Row({}, {}, arrays, region), "one", "other"


def _answers(asked: Iterable[tuple[_Row, str, str]]) -> pd.DataFrame:
    """Return what a comparison says of questions, a family."""
    with quiet():
        return pd.DataFrame(_verdicts(list(asked)))


def _limits(one: Callable[[], tuple[_Row, str, str]], n: int) -> np.ndarray:
    """Return lower and upper limits of so many differences, (2, n)."""
    parts = [_answers(one() for _ in range(min(250, n - k))) for k in range(0, n, 250)]
    return pd.concat(parts)[["lower", "upper"]].to_numpy().T


def covers(
    sizes: tuple[int, int], between: float, *, residual: float = 0.3
) -> Callable[[Rng, int], np.ndarray]:
    """Whether the 95 % interval of a difference of two pools covers it: networks differ
    by sd `between`, units by sd 1 alike in all networks, and by `residual` in each.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        def one() -> tuple[_Row, str, str]:
            shared = rng.normal(size=200)
            pools = (
                _pool(rng, shared, m, between=between, residual=residual) for m in sizes
            )
            return _asked(*pools, 1.0)

        lower, upper = _limits(one, n)
        return (lower <= 0) & (upper >= 0)

    return trials


RARE, _RARE = "one unit in twenty, exponential", 0.05
LAWS: dict[str, Callable[[Rng, tuple[int, ...]], np.ndarray]] = {
    **DRAWS,
    RARE: lambda rng, shape: (
        ((rng.random(shape) < _RARE) * rng.exponential(size=shape) - _RARE)
        / np.sqrt(2 * _RARE - _RARE**2)
    ),
}
"""Laws of the difference of the effects of a unit, of mean 0 and sd 1."""
_NONE = ("lognormal", RARE)
"""Laws so skewed that no rate is promised of them (`validation.verdicts.impossible`)."""
_N = 200
_BOUND = 5 / np.sqrt(_N)
"""The region, in tables of verdicts: five standard errors."""


def beyond(
    law: str, side: str, *, retrained: bool = False
) -> Callable[[Rng, int], np.ndarray]:
    """Whether the interval of a difference of two networks lies wholly on one side of
    it; of single ones, or of five retrainings of each, which vary little.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        def one() -> tuple[_Row, str, str]:
            shared = rng.normal(size=_N)
            both = shared + LAWS[law](rng, (_N,)), shared
            if retrained:
                both = tuple(
                    _pool(rng, own, _MEMBERS, between=0.03, residual=0.3)
                    for own in both
                )
            return _asked(*both, 1.0)

        lower, upper = _limits(one, n)
        return upper < 0 if side == "below" else lower > 0

    return trials


def _table(rng: Rng, law: str, truth: np.ndarray) -> np.ndarray:
    """Return the verdicts on a table of differences, in regions."""
    rows = []
    for at in truth:
        shared = rng.normal(size=_N)
        ice = shared + LAWS[law](rng, (_N,)) + at * _BOUND
        rows.append(_asked(ice, shared, _BOUND))
    return _answers(rows)["verdict"].to_numpy()


def false_negligible(law: str) -> Callable[[Rng, int], np.ndarray]:
    """Whether any of 20 differences on a bound of their region is called negligible."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        truths = rng.choice([-1.0, 1.0], size=(n, 20))
        return np.array([(_table(rng, law, x) == "negligible").any() for x in truths])

    return trials


def found(law: str, word: str) -> Callable[[Rng, int], np.ndarray]:
    """Return the share of rows with their verdict, in tables of ten differences eight
    standard errors beyond their region ("differs") and ten of none ("negligible").
    """
    truth = np.repeat([1 + 8 / 5, 0.0], 10)
    own = truth > 0 if word == "differs" else truth == 0

    def trials(rng: Rng, n: int) -> np.ndarray:
        tables = (_table(rng, law, truth)[own] == word for _ in range(n))
        return np.array([said.mean() for said in tables])

    return trials


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
                rows.append(_asked(*pools, region))
        shares.append((_answers(rows)["verdict"] == "differs").mean())
    return np.array(shares)


_SECTION = (
    "Two networks compared by an audit, five retrainings of each, on the same shuffles "
    "and sites"
)
_SINGLE = "Two networks compared by an audit, one training of each, 200 units"


def _of_law(law: str) -> list[Check]:
    """Return the rows of single networks whose units differ by a law."""
    none = law in _NONE
    claim: Claim = "reported" if none else "at most"
    why = NO_PROMISE * none
    return [
        *(
            Check(
                _SINGLE,
                f"differences {law}: intervals wholly {side} the difference{why}",
                beyond(law, side),
                0.025,
                claim,
                full=10_000,
                quick=1_000,
            )
            for side in ("below", "above")
        ),
        Check(
            _SINGLE,
            f"differences {law}: tables with a negligible, of 20 on a bound{why}",
            false_negligible(law),
            0.05,
            claim,
            full=2_000,
            quick=100,
        ),
        *(
            Check(
                _SINGLE,
                f"differences {law}: {what}",
                found(law, word),
                0.9,
                "reported" if none else "at least",
                full=400,
                quick=20,
            )
            for word, what in (
                ("differs", "found, eight standard errors beyond the region"),
                ("negligible", "none is called negligible, region of five"),
            )
        ),
    ]


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
            covers((n, n), between),
            0.945,
            "at least",
            full=10_000,
            quick=1_000,
        )
        for n in (2, 3, 5)
        for between in (0.03, 0.3)
    ),
    *(
        Check(
            _SECTION,
            f"the interval of a difference, {n} retrainings against {m} with sd "
            f"{between:g}",
            covers((n, m), between),
            0.945,
            "at least",
            full=10_000,
            quick=1_000,
        )
        for n, m in ((2, 20), (3, 10))
        for between in (0.03, 0.3)
    ),
    *(
        Check(
            _SECTION,
            f"differences {law}: intervals wholly {side} the difference, five retrainings "
            f"of each with sd 0.03{NO_PROMISE * (law in _NONE)}",
            beyond(law, side, retrained=True),
            0.025,
            "reported" if law in _NONE else "at most",
            full=10_000,
            quick=1_000,
        )
        for law in ("exponential", RARE)
        for side in ("below", "above")
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
    *(row for law in LAWS for row in _of_law(law)),
]
