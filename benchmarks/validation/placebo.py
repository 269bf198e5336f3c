"""Directions against placebo words: new words of their own law, and planted effects, in one screen."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.verdicts import decide
from validation.checks import Check
from validation.draws import Rng

_SECTION = "False discoveries against placebo words, among 400 effects of which some are new words of the same law"
K = 400


def screen(rng: Rng, n_words: int, share: float) -> float:
    """Return the share of directions given to new placebo words, of all directions given in a screen."""
    planted = np.arange(n_words + K) >= n_words + K - int(share * K)
    true = np.where(planted, rng.choice([-4.0, 4.0], n_words + K), 0.3 * rng.standard_t(4, n_words + K))
    dims = ("contrast", "task")
    table = xr.Dataset(
        {"ace": (dims, (true + 0.1 * rng.normal(size=true.size))[:, None]), "se": (dims, np.full((true.size, 1), 0.1))},
        coords={"contrast": np.arange(true.size).astype(str), "task": ["t"]},
    )
    table = table.assign_coords(placebo_word=("contrast", np.arange(true.size) < n_words))
    verdict = decide(table, rope="placebo")["verdict"].to_numpy().ravel()[n_words:]
    called = np.isin(verdict, ["increases", "decreases"])
    return float((called & ~planted[n_words:]).sum() / max(called.sum(), 1))


CHECKS = [
    Check(
        _SECTION,
        f"{n_words:,} placebo words, {share:.0%} planted",
        lambda rng, n, n_words=n_words, share=share: np.array([screen(rng, n_words, share) for _ in range(n)]),
        0.05,
        "at most",
        full=1_000,
        quick=60,
    )
    for n_words in (40, 100, 400, 2_000)
    for share in (0.0, 0.05, 0.2)
]
