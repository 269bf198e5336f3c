"""A check: trials drawn from known truth, what is counted in them, and what is promised
of the count.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from validation.binomial_bands import Row, mean_row, rank_row, share_row

Rng = np.random.Generator
Claim = Literal["exact", "known", "at most", "at least", "fails", "reported"]
SEEDS: dict[str, int] = json.loads(
    Path(__file__).with_name("seeds.json").read_text(encoding="utf-8")
)
"""Name -> seed of rows that were renamed after their trials were run, so that their
trials stay the same.
"""


@dataclass(frozen=True)
class Check:
    """One row of the table.

    `trials(rng, n)` returns what happened in n independent trials: whether (bool, a
    share), how much (float, a mean), or the rank of the truth among `n_draws` draws
    (int). `full` and `quick` are the trials of the page and of the tests. Those of `real`
    need the networks in the folder of `shared_folder`.
    """

    section: str
    name: str
    trials: Callable[[Rng, int], np.ndarray]
    nominal: float
    claim: Claim = "exact"
    full: int = 10_000
    quick: int = 1_000
    n_draws: int = 0
    real: bool = False

    def row(self, n: int) -> Row:
        """Return the row of n trials, the same in every process."""
        seed = SEEDS.get(self.name, zlib.crc32(self.name.encode()))
        happened = np.asarray(self.trials(np.random.default_rng(seed), n))
        if self.n_draws:
            return rank_row(self.name, happened, self.n_draws, self.claim)
        make = share_row if happened.dtype == bool else mean_row
        return make(self.name, happened, self.nominal, self.claim)
