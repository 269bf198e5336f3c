"""Verdicts on effect size: increases, decreases, negligible or undecided.

`causalgia.decide` gives verdicts on labeled estimates, effects or posteriors;
`causalgia.tipping_point` says how far the null model must move before one turns. The
rule itself, a function of arrays, is `causalgia.verdicts.verdict_rule.rule`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
