"""Predictors of trial files of this folder that the zoo does not have."""

from __future__ import annotations

from causalgia import networks
from causalgia.predict import Predictor
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair
from causalgia.zoo.terms import Bump


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


def promoter() -> Oracle:
    """Return a promoter that reads its elements at their places alone: what the
    position-aware matrix of the paper is.
    """
    elements = {30: "TTGACA", 53: "TATAAT", 15: "AAAAAARNR", 50: "TGTTGTAAT"}
    weights = (2.0, 3.0, 1.5, 2.0)
    return Oracle(
        *(
            MotifCount(letters, weight, gain=Bump(0.2, center=at))
            for (at, letters), weight in zip(elements.items(), weights, strict=True)
        )
    )


def at_content() -> Oracle:
    """Return a reader of A and T that knows no place."""
    return Oracle(MotifCount("W", 0.5))
