"""Predictors with known effects: a grammar of words, pairs, hairpins and responses, and
small trained networks.

An `Oracle` is a predictor with ``true_ace(design)``: in closed form where the positions
of the backgrounds are independent, by a large independent sample elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.zoo._true_ace import true_ace
    from causalgia.zoo.arrangements import Hairpin, Pair
    from causalgia.zoo.grammar import Oracle, read_by
    from causalgia.zoo.oracles import (
        Imprint,
        ProfileOracle,
        footprint,
        names,
        oracle,
        promoter,
    )
    from causalgia.zoo.terms import (
        Bump,
        EndGC,
        Exponential,
        Gain,
        Gate,
        Hill,
        Linear,
        Response,
        Saturating,
        Slope,
        Term,
        Word,
    )
    from causalgia.zoo.trained import Card, card, ensemble, load
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Bump",
    "Card",
    "EndGC",
    "Exponential",
    "Gain",
    "Gate",
    "Hairpin",
    "Hill",
    "Imprint",
    "Linear",
    "Oracle",
    "Pair",
    "ProfileOracle",
    "Response",
    "Saturating",
    "Slope",
    "Term",
    "Word",
    "card",
    "ensemble",
    "footprint",
    "load",
    "names",
    "oracle",
    "promoter",
    "read_by",
    "true_ace",
]
