"""Matches of filters with the motifs of JASPAR: filters drawn at random, which are none
of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import false_discovery_control

import causalgia as cg
from validation.checks import Check
from validation.draws import Rng

_SECTION = "Random filters that match a JASPAR motif, cg.attribution.match"
_WIDTH, _Q = 19, 0.1
#: of the weights of a filter, whose columns are their softmax; and the mean bits of a
#: position
_STRENGTHS = {0.5: 0.12, 1.0: 0.39, 1.5: 0.66, 2.5: 1.06}


def matches(strength: float) -> Callable[[Rng, int], np.ndarray]:
    """Return the trials of one filter each: whether a motif of the database has a
    q-value of .1 or less.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        weights = np.exp(strength * rng.normal(size=(n, _WIDTH, 4)))
        columns = weights / weights.sum(axis=2, keepdims=True)
        drawn = {
            f"filter {k}": cg.motif(table.tolist()) for k, table in enumerate(columns)
        }
        p = cg.attribution.match(drawn)["match_p"].to_numpy()
        return np.array([false_discovery_control(row).min() <= _Q for row in p])

    return trials


CHECKS = [
    Check(
        _SECTION,
        f"normal weights of sd {strength:g}, {bits:.2g} bits per position: q <= {_Q} "
        "with any motif",
        matches(strength),
        _Q,
        "at most",
        full=400,
        quick=20,
    )
    for strength, bits in _STRENGTHS.items()
]
