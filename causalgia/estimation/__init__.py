"""Design-based estimation of average causal effects, with standard errors, tests and
intervals.

Functions of arrays are in modules: `own_arms` (one estimator for every layout), its
closed forms `crossover` and `parallel`, `standard_errors` (regression, small-sample
tests, moderated variances) and `lines`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
