"""Directions against placebos: new motifs of their own law, and planted effects, in
one screen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from causalgia.verdicts import decide
from validation.checks import Check
from validation.draws import Rng

_SECTION = (
    "False discoveries against placebos: as many effects as there are placebos for, some "
    "planted, the others distributed like placebos"
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
    "The 20 largest of many random sequences: whether any lies beyond the fences of "
    "100 placebos"
)


def screen(rng: Rng, n_placebos: int, share: float) -> float:
    """Return the share of directions given to new placebos, of all directions
    given in a screen of one effect for each 40 placebos.
    """
    K = (n_placebos + 1) // 40
    planted = np.arange(n_placebos + K) >= n_placebos + K - int(share * K)
    true = np.where(
        planted,
        rng.choice([-4.0, 4.0], n_placebos + K),
        0.3 * rng.standard_t(4, n_placebos + K),
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
        is_placebo=("contrast", np.arange(true.size) < n_placebos)
    )
    verdict = (
        decide(table, rope="placebo", shrink=None)["verdict"]
        .to_numpy()
        .ravel()[n_placebos:]
    )
    called = np.isin(verdict, ["increases", "decreases"])
    return float((called & ~planted[n_placebos:]).sum() / max(called.sum(), 1))


def chosen_beyond_fences(rng: Rng, law: str, n_searched: int) -> bool:
    """Return whether one of the 20 largest of many random sequences, either sign turned
    up, is given a direction.
    """
    ace = np.concatenate(
        [np.sort(np.abs(_LAWS[law](rng, n_searched)))[-20:], _LAWS[law](rng, 100)]
    )
    dims = ("contrast", "task")
    table = xr.Dataset(
        {"ace": (dims, ace[:, None]), "se": (dims, np.full((ace.size, 1), 0.05))}
    )
    table = table.assign_coords(contrast=np.arange(ace.size).astype(str), task=["t"])
    table = table.assign_coords(is_placebo=("contrast", np.arange(ace.size) >= 20))
    verdict = (
        decide(table, rope="placebo outliers", ci_prob=0.9, shrink=None)["verdict"]
        .to_numpy()
        .ravel()[:20]
    )
    return bool(np.isin(verdict, ["increases", "decreases"]).any())


CHECKS = [
    Check(
        _SECTION,
        f"{n_placebos:,} placebos, {(n_placebos + 1) // 40} effects, {share:.0%} planted",
        lambda rng, n, n_placebos=n_placebos, share=share: np.array(
            [screen(rng, n_placebos, share) for _ in range(n)]
        ),
        0.05,
        "at most",
        full=1_000,
        quick=60,
    )
    for n_placebos in (399, 1_999, 3_999)
    for share in (0.0, 0.1, 0.5)
] + [
    Check(
        _CHOSEN,
        f"{law}, of {n_searched:,} random sequences",
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
