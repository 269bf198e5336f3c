"""Checks that can refute a claim: placebos, controls, null models, units, and the
predictor itself.

`causalgia.refute` runs all of them. `CHECKS` has each by its name: a function that takes
a `Claim` and returns its rows of the same Dataset.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
