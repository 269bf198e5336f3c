"""Hierarchical Bayesian models of effects: shrinkage, posteriors and predictive checks.

`causalgia.infer` and `posterior_predictive` are for labeled data; their DataTree is what
ArviZ reads from 1.0 on, and `as_arviz` gives it to an earlier one. Each law has a module
with an exact engine on arrays: `normal`, `student_t`, `mixture`, `spike_and_slab`,
`two_scales`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
