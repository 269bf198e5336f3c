"""Design-based estimation of average causal effects, with standard errors, tests and
intervals.

Functions of arrays are in modules: `crossover` and `parallel` (means and their
variances), `standard_errors` (regression, small-sample tests, moderated variances),
`incomplete_estimates` (tables with gaps), `mixed_model` (variance components),
`joint_tests` and `lines`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
