"""Many questions: p-values, bands and intervals that hold together, within families declared beforehand."""

from __future__ import annotations

from causalgia.multiplicity.adjusting import adjust
from causalgia.multiplicity.fdr import (
    Hierarchical,
    fcr_level,
    hierarchical_q,
    pi0_by_lambda,
    storey_q,
    weighted_bh,
    weighted_bonferroni,
)
from causalgia.multiplicity.placebo import placebo_rank, placebo_region
from causalgia.multiplicity.selecting import selected_intervals
from causalgia.multiplicity.tost import equivalence

__all__ = [
    "Hierarchical",
    "adjust",
    "equivalence",
    "fcr_level",
    "hierarchical_q",
    "pi0_by_lambda",
    "placebo_rank",
    "placebo_region",
    "selected_intervals",
    "storey_q",
    "weighted_bh",
    "weighted_bonferroni",
]
