"""Predictors of trial files of this folder that the zoo does not have."""

from __future__ import annotations

from causalgia import networks
from causalgia.predict import Predictor
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair


def synergy() -> Oracle:
    """Return what the plots show of one of the three proteins: GC at the 3' end raises
    the outcome, and together with the motif by more than both.
    """
    return Oracle(
        MotifCount("UUAUUU", 0.7),
        EndGC(1.6, last=8),
        Pair("UUAUUU", "GCGCGC", bonus=3.1, direction="forward"),
        scale="log intensity",
    )


def enhancers() -> Predictor:
    """Return the published network of fly enhancers."""
    return networks.load("deepstarr")
