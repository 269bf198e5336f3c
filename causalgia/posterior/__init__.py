"""Hierarchical effect sizes: shrinkage, posteriors and predictive checks.

`causalgia.infer` draws from the posterior of labeled effects; its DataTree is what ArviZ
reads from 1.0 on, and `as_arviz` gives it to an earlier one. `to_pymc` is its law as a
PyMC model. On arrays: `two_scales`, and `normal` for one scale with a prior.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
