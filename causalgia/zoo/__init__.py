"""Predictors with known effects: a grammar of motifs, pairs, hairpins and responses,
and small trained networks.

An `Oracle` is a predictor with ``true_ace(design)``: in closed form where the positions
of the backgrounds are independent, by a large independent sample elsewhere. Its other
terms and responses (``Gate``, ``Slope``, ``Hill``, ...) are in `causalgia.zoo.terms` and
`causalgia.zoo.arrangements`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
