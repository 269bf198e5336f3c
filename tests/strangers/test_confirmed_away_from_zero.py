# Imports from the inside: the limit of the median network, over all sets of limits.
"""A motif was confirmed with an interval that contains 0, where random sequences have
effects of exactly 0: three networks, of which two read it (issue 44).
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia import _discover

WORD = "TGACTCAT"
DIRECTED = ("increases", "decreases")


def reads(share: float) -> cg.FunctionPredictor:
    spelled = np.eye(4)[["ACGT".index(letter) for letter in WORD]].T

    def answer(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, len(WORD), axis=2)
        exact = (windows * spelled[:, None]).sum((1, 3)) >= len(WORD)
        return share * exact.any(axis=1) + 0.001 * x[:, 1].sum(axis=1)

    return cg.FunctionPredictor(
        answer, tasks=["y"], scale="score", fingerprint=f"share {share}"
    )


def sequences(n: int = 60) -> list[str]:
    rng = np.random.default_rng(0)
    rows = rng.choice(list("ACGT"), (n, 41))
    for row in rows:
        at = int(rng.integers(0, 33))
        row[at : at + len(WORD)] = list(WORD)
    return ["".join(row) for row in rows]


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("shares", [(-1.0, -0.8, 0.0)])
def test_a_confirmed_motif_has_an_interval_on_one_side_of_0(shares):
    found = cg.discover(
        cg.Ensemble([reads(x) for x in shares]),
        sequences(),
        n_units=60,
        method="kmer",
        progress=False,
        rng=0,
    )
    confirmed = found.table[found.table["verdict"].isin(DIRECTED)]
    assert WORD in set(confirmed["consensus"])
    for _, row in confirmed.iterrows():
        assert row["lower"] <= row["ace"] <= row["upper"]
        assert row["lower"] > 0 if row["verdict"] == "increases" else row["upper"] < 0


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_median_limit_decides_as_the_majority_does(n):
    rng = np.random.default_rng(n)
    for _ in range(200):
        center = rng.normal(size=n)
        half = rng.uniform(0.1, 2, size=n)
        lower, upper = center - half, center + half
        most = n // 2 + 1
        above = _discover._median(lower, "increases") > 0
        assert above == ((lower > 0).sum() >= most)
        below = _discover._median(upper, "decreases") < 0
        assert below == ((upper < 0).sum() >= most)
        for verdict in ("increases", "decreases"):
            limits = [_discover._median(x, verdict) for x in (lower, center, upper)]
            assert limits == sorted(limits)
