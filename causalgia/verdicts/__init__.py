"""Verdicts on effect size: increases, decreases, negligible or undecided.

`decide` gives verdicts on labeled estimates, effects or posteriors; `tipping_point`
says how far the null model must move before one turns, and `heterogeneity` how
individual effects differ between contexts. Functions of arrays: `rule`, the
verdicts from intervals and p-values (`Rows`), `more_units` and `reversal_size`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.verdicts._decide import decide
    from causalgia.verdicts._heterogeneity import heterogeneity
    from causalgia.verdicts._tipping_point import tipping_point
    from causalgia.verdicts.evidence import more_units
    from causalgia.verdicts.verdict_rule import Rows, Verdicts, reversal_size, rule
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Rows",
    "Verdicts",
    "decide",
    "heterogeneity",
    "more_units",
    "reversal_size",
    "rule",
    "tipping_point",
]
