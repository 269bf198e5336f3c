"""Verdicts on effect size: increases, decreases, negligible or undecided.

`causalgia.decide` gives verdicts on labeled estimates, effects or posteriors;
`causalgia.tipping_point` says how far the null model must move before one turns, and
`heterogeneity` how individual effects differ between contexts. The rule itself, a
function of arrays, is `causalgia.verdicts.verdict_rule.rule`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.verdicts._decide import decide as decide
    from causalgia.verdicts._heterogeneity import heterogeneity
    from causalgia.verdicts._tipping_point import tipping_point as tipping_point
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["heterogeneity"]
