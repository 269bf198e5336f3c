"""Predictors with known effects: a grammar of motifs, pairs, hairpins and responses,
and small trained networks.

An `Oracle` is a predictor with ``true_ace(design)``: in closed form where the positions
of the backgrounds are independent, by a large independent sample elsewhere. Its other
terms and responses (``Gate``, ``Slope``, ``Hill``, ...) are in `causalgia.zoo.terms` and
`causalgia.zoo.arrangements`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.zoo.arrangements import Pair
    from causalgia.zoo.grammar import Oracle, read_by
    from causalgia.zoo.oracles import footprint, oracle, promoter
    from causalgia.zoo.terms import (
        EndGC,
        Linear as Linear,
        MotifCount,
        Saturating as Saturating,
        Term as Term,
    )
    from causalgia.zoo.trained import card, ensemble, load
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "EndGC",
    "MotifCount",
    "Oracle",
    "Pair",
    "card",
    "ensemble",
    "footprint",
    "load",
    "oracle",
    "promoter",
    "read_by",
]
