"""Resamples of a real network's individual causal effects: DeepSTARR (de Almeida et al.
2022).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats
from shared_folder import SHARED

import causalgia as cg
from causalgia.estimation.crossover import mean_ice
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import LEVEL, each

FOLDER = SHARED / "data" / "models" / "deepstarr"
WORDS = {"AP-1": "ATGACTCAT", "GATA": "AGATAAGA", "Dref": "TATCGATA"}


@cache
def population() -> np.ndarray:
    """Return the ICE of 2,000 random backgrounds, (unit, contrast): 10 motifs, two
    tasks.
    """
    predictor = cg.load_predictor(
        f"{FOLDER / 'arch.py'}:load",
        weights=FOLDER / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )
    arms = {
        "untreated": cg.Untreated(),
        **{name: cg.Embed(word, at=100) for name, word in WORDS.items()},
        **cg.placebos("ATGACTCAT", at=100, n_placebos=7),
    }
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=249), arms=arms, n_units=2_000),
        predictor,
        rng=0,
        progress=False,
    )
    ice = cg.contrast(outcomes, control="untreated")["ice"].transpose(
        "unit", "contrast", "task"
    )
    return ice.to_numpy().reshape(2_000, -1).astype(np.float64)


def resampled(rng: Rng, n: int = 100) -> np.ndarray:
    """Draw n units from the population, and measure from its mean: all effects
    are 0.
    """
    ice = population()
    return ice[rng.integers(0, len(ice), n)] - ice.mean(axis=0)


def one_is_covered(rng: Rng) -> bool:
    ice = resampled(rng)
    answer = mean_ice(ice[:, rng.integers(ice.shape[1])])
    return bool(
        np.abs(answer.ace) <= stats.t.ppf(1 - LEVEL / 2, len(ice) - 1) * answer.se
    )


_REAL = (
    "Resampled individual effects of a real network (DeepSTARR, 10 motifs, 2 tasks), "
    "100 units"
)
CHECKS = [
    Check(
        _REAL,
        "paired t, one of the 20 contrasts",
        each(one_is_covered),
        0.95,
        quick=500,
        real=True,
    ),
]
