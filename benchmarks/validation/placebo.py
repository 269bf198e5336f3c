"""Directions against placebo words: new words of their own law, and planted effects, in
one screen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.stats import false_discovery_control

from causalgia.multiplicity.placebo import tail_errors
from causalgia.verdicts import decide
from validation.checks import Check
from validation.draws import Rng

_SECTION = (
    "False discoveries against placebo words: 400 effects, some planted, the others "
    "distributed like placebo words"
)
K = 400

_TAIL = (
    "False discoveries by a Student t tail fitted to placebo words, among effects of "
    "which some are planted"
)
_LAWS: dict[str, Callable[[Rng, int], np.ndarray]] = {  # each of sd 1
    "normal": lambda rng, n: rng.normal(size=n),
    "t5": lambda rng, n: rng.standard_t(5, n) / np.sqrt(5 / 3),
    "t3": lambda rng, n: rng.standard_t(3, n) / np.sqrt(3),
    "exponential": lambda rng, n: rng.exponential(size=n) - 1,
    "5 % with sd 4": lambda rng, n: (
        np.where(rng.random(n) < 0.05, 4, 1) * rng.normal(size=n) / np.sqrt(1.75)
    ),
}
_CHOSEN = (
    "The 20 largest of many random words: whether any lies beyond the fences of 100 "
    "placebo words"
)
_RARE = "5 % with sd 4"  # a t fitted to the bulk is no bound on such a tail


def tail_screen(
    rng: Rng, law: str, n_words: int, k: int, share: float, size: float
) -> float:
    """Return the share of new placebo words among the directions of one screen of `k`
    effects, without a region.
    """
    n = n_words + k
    planted = np.arange(n) >= n - round(share * k)
    effect = np.where(planted, size * rng.choice([-1.0, 1.0], n), _LAWS[law](rng, n))
    table = xr.Dataset({"ace": (("contrast", "task"), effect[:, None])})
    table = table.assign_coords(placebo_word=("contrast", np.arange(n) < n_words))
    p = np.minimum(*tail_errors(table)).ravel()[n_words:]
    called = false_discovery_control(np.minimum(p, 1.0)) <= 0.05
    return float((called & ~planted[n_words:]).sum() / max(called.sum(), 1))


def screen(rng: Rng, n_words: int, share: float) -> float:
    """Return the share of directions given to new placebo words, of all directions
    given in a screen.
    """
    planted = np.arange(n_words + K) >= n_words + K - int(share * K)
    true = np.where(
        planted,
        rng.choice([-4.0, 4.0], n_words + K),
        0.3 * rng.standard_t(4, n_words + K),
    )
    dims = ("contrast", "task")
    table = xr.Dataset(
        {
            "ace": (dims, (true + 0.1 * rng.normal(size=true.size))[:, None]),
            "se": (dims, np.full((true.size, 1), 0.1)),
        },
        coords={"contrast": np.arange(true.size).astype(str), "task": ["t"]},
    )
    table = table.assign_coords(
        placebo_word=("contrast", np.arange(true.size) < n_words)
    )
    verdict = decide(table, rope="placebo")["verdict"].to_numpy().ravel()[n_words:]
    called = np.isin(verdict, ["increases", "decreases"])
    return float((called & ~planted[n_words:]).sum() / max(called.sum(), 1))


def chosen_beyond_fences(rng: Rng, law: str, n_searched: int) -> bool:
    """Return whether one of the 20 largest of many random words, either sign turned up,
    is given a direction.
    """
    ace = np.concatenate(
        [np.sort(np.abs(_LAWS[law](rng, n_searched)))[-20:], _LAWS[law](rng, 100)]
    )
    dims = ("contrast", "task")
    table = xr.Dataset(
        {"ace": (dims, ace[:, None]), "se": (dims, np.full((ace.size, 1), 0.05))}
    )
    table = table.assign_coords(contrast=np.arange(ace.size).astype(str), task=["t"])
    table = table.assign_coords(placebo_word=("contrast", np.arange(ace.size) >= 20))
    verdict = (
        decide(table, rope="placebo outliers", ci_prob=0.9)["verdict"]
        .to_numpy()
        .ravel()[:20]
    )
    return bool(np.isin(verdict, ["increases", "decreases"]).any())


CHECKS = (
    [
        Check(
            _SECTION,
            f"{n_words:,} placebo words, {share:.0%} planted",
            lambda rng, n, n_words=n_words, share=share: np.array(
                [screen(rng, n_words, share) for _ in range(n)]
            ),
            0.05,
            "at most",
            full=1_000,
            quick=60,
        )
        for n_words in (40, 100, 400, 2_000)
        for share in (0.0, 0.05, 0.2)
    ]
    + [
        Check(
            _TAIL,
            f"{law}, {m} placebo words, {share:.1%} of {k:,} planted at {size} sd",
            lambda rng, n, law=law, m=m, k=k, share=share, size=size: np.array(
                [tail_screen(rng, law, m, k, share, size) for _ in range(n)]
            ),
            0.05,
            "reported" if law == _RARE else "at most",
            full=200,
            quick=10,
        )
        for law in _LAWS
        for m in (40, 100, 400)
        for k, share, size in (
            (400, 0.0, 8),
            (4_096, 0.0, 8),
            (4_096, 0.003, 40),
            (4_096, 0.05, 8),
            (400, 0.05, 40),
        )
    ]
    + [
        Check(
            _CHOSEN,
            f"{law}, of {n_searched:,} random words",
            lambda rng, n, law=law, n_searched=n_searched: np.array(
                [chosen_beyond_fences(rng, law, n_searched) for _ in range(n)]
            ),
            0.05 if n_searched == 1_000 else 0.1,
            "at most" if law == "normal" else "reported",
            full=400,
            quick=40,
        )
        for law in _LAWS
        for n_searched in (1_000, 10_000)
    ]
)
