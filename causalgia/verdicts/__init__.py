"""Verdicts about size: an effect increases the outcome by more than matters, decreases it, is negligible, or undecided.

The labelled verb `decide` over functions of arrays: `rule` (who is called what), `running_mean` (the error rate of a
set), `summarise` (what draws say of regions), and `more_units`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.verdicts._decide import decide
    from causalgia.verdicts.error_rates import Ruled, more_units, rule, running_mean
    from causalgia.verdicts.evidence import Summary, summarise
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Ruled", "Summary", "decide", "more_units", "rule", "running_mean", "summarise"]
