"""Multiple testing: adjusted p-values, simultaneous bands and selective intervals
within declared families.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.multiplicity._adjust import adjust as adjust
    from causalgia.multiplicity.adjusted_p import (
        hierarchical_p as hierarchical_p,
        hierarchical_q,
        weighted_bh as weighted_bh,
    )
    from causalgia.multiplicity.bands import (
        selected_intervals,
        simultaneous as simultaneous,
    )
    from causalgia.multiplicity.placebo import placebo_rank
    from causalgia.multiplicity.rank_sets import rank_intervals
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "hierarchical_q",
    "placebo_rank",
    "rank_intervals",
    "selected_intervals",
]
