"""The stopping rule of sequential trials, ``cg.run(design, predictor, rng=, until=)``,
and its confidence sequences: `causalgia.Decided` stops once verdicts are clear.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
