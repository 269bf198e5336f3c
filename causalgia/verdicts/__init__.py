"""Verdicts on effect size: increases, decreases, negligible or undecided.

`decide` gives verdicts on labeled estimates, effects or posteriors; `tipping_point`
says how far the null model must move before one turns. Functions of arrays: `rule`
(verdicts from errors), `running_mean` (error rate of a set) and `more_units`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.verdicts._decide import decide
    from causalgia.verdicts._tipping_point import tipping_point
    from causalgia.verdicts.evidence import Verdicts, more_units, rule, running_mean
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Verdicts", "decide", "more_units", "rule", "running_mean", "tipping_point"]
