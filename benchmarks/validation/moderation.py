"""Moderators chosen on half of the units and tested on the other half: how often one is
found where there is none, and how often the planted one is named.

Sequences are uniform, 120 bp; the site is at 56 to 63; six strings of five bases on
either strand, GC and CpG are the candidates. With parents, 80 have five units each,
which share 90 % of their bases and half of the variance of effects.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

import causalgia as cg
from validation.checks import Check
from validation.draws import Draw, Rng, exponential, normal, rare

Trials = Callable[[Rng, int], np.ndarray]
WORDS = ["TGACT", "AGATA", "CAGGT", "CACGT", "TTGCA", "CCGGA"]
_N, _LENGTH, _SITE, _WIDTH = 400, 120, 56, 7
_FIRST, _LAST = 2, 5


def drawn(
    rng: Rng, draw: Draw = normal, *, parents: bool = False, size: float = 0.0
) -> tuple[xr.Dataset, np.ndarray]:
    """Return effects and sequences; effects are larger by `size` sd where the first
    word follows on the same strand at gaps of 2 to 5 bp, as it does in a sixth of the
    units where `size` is not 0.
    """
    tokens = rng.integers(0, 4, (_N, _LENGTH), dtype=np.uint8)
    parent = np.arange(_N) // 5 if parents else np.arange(_N)
    if parents:
        same = rng.random(tokens.shape) < 0.9
        tokens = np.where(same, tokens[::5][parent], tokens)
    effect = draw(rng, (_N, 1))[:, 0]
    if parents:
        shared = draw(rng, (_N, 1))[:, 0][parent]
        effect = np.sqrt(0.5) * (effect + shared)
    if size:
        word = np.array(["ACGT".index(base) for base in WORDS[0]], np.uint8)
        behind = _SITE + _WIDTH
        for unit in np.flatnonzero(rng.random(_N) < 1 / 6):
            at = behind + rng.integers(_FIRST, _LAST + 1)
            tokens[unit, at : at + 5] = word
        near = [
            (tokens[:, behind + gap : behind + gap + 5] == word).all(axis=1)
            for gap in range(_FIRST, _LAST + 1)
        ]
        effect = effect + size * np.any(near, axis=0)
    on_unit = {"site_start": _SITE, "site_stop": _SITE + _WIDTH}
    coords = {name: ("unit", np.full(_N, x)) for name, x in on_unit.items()}
    ice = (("unit", "contrast", "task"), effect[:, None, None])
    effects = xr.Dataset({"ice": ice}, coords | {"parent": ("unit", parent)})
    return effects, tokens


def _moderators(rng: Rng, n: int, **how: object) -> list[xr.Dataset]:
    found = []
    for seed in range(n):
        effects, tokens = drawn(rng, **how)  # type: ignore[arg-type]
        asked = cg.moderation(
            effects, ["gc", "cpg"], motifs=WORDS, sequences=tokens, rng=seed
        )
        found.append(asked.squeeze())
    return found


def is_false(draw: Draw, *, parents: bool = False) -> Trials:
    """Whether p <= .05 for the moderator chosen, where there is none."""
    return lambda rng, n: np.array(
        [bool(x["p"] <= 0.05) for x in _moderators(rng, n, draw=draw, parents=parents)]
    )


def is_named(draw: Draw, *, parents: bool = False) -> Trials:
    """Whether a moderator is named, where there is none."""
    return lambda rng, n: np.array(
        [bool(x["named"]) for x in _moderators(rng, n, draw=draw, parents=parents)]
    )


def is_right(size: float, *, exact: bool, parents: bool = False) -> Trials:
    """Whether the planted moderator is named, on its side and strand; `exact`: at its
    very gaps.
    """

    def right(x: xr.Dataset) -> bool:
        first, last = int(x["gap_from"]), int(x["gap_to"])
        there = (str(x["name"].item()), str(x["side"].item()), str(x["strand"].item()))
        return (
            bool(x["named"])
            and there == (WORDS[0], "downstream", "same")
            and (
                (first, last) == (_FIRST, _LAST)
                if exact
                else first <= _LAST and last >= _FIRST
            )
        )

    return lambda rng, n: np.array(
        [right(x) for x in _moderators(rng, n, draw=normal, parents=parents, size=size)]
    )


_FALSE = (
    "What moves effects: chosen on half of 400 units, p <= .05 or named where nothing "
    "does"
)
_NAMED = "What moves effects: what was planted is named, in a sixth of 400 units"
_RUNS = {"full": 2_000, "quick": 100}
CHECKS = [
    Check(
        _FALSE,
        "moderators: independent units, normal effects",
        is_false(normal),
        0.05,
        **_RUNS,
    ),
    Check(
        _FALSE,
        "moderators: independent units, exponential effects",
        is_false(exponential),
        0.05,
        "reported",
        **_RUNS,
    ),
    Check(
        _FALSE,
        "moderators: effects of 3 % of the units alone",
        is_false(rare),
        0.05,
        "reported",
        **_RUNS,
    ),
    Check(
        _FALSE,
        "moderators: 80 parents of five, normal effects",
        is_false(normal, parents=True),
        0.05,
        **_RUNS,
    ),
    Check(
        _FALSE,
        "moderators: independent units, normal effects, named",
        is_named(normal),
        0.05,
        "at most",
        **_RUNS,
    ),
    Check(
        _FALSE,
        "moderators: effects of 3 % of the units alone, named",
        is_named(rare),
        0.05,
        "at most",
        **_RUNS,
    ),
    *(
        Check(
            _NAMED,
            f"moderators: larger by {size:g} sd{' in 80 parents' * parents}, {how}",
            is_right(size, exact=exact, parents=parents),
            0.8,
            "reported",
            full=500,
            quick=50,
        )
        for size, exact, how, parents in (
            (1.0, False, "its side and strand", False),
            (2.0, False, "its side and strand", False),
            (2.0, True, "its very gaps", False),
            (4.0, True, "its very gaps", False),
            (2.0, False, "its side and strand", True),
        )
    ),
]
