"""Stopping rules of sequential trials, for ``cg.run(design, predictor, rng=, until=)``,
and their confidence sequences.

`Precision` stops once intervals are short, `Decided` once verdicts are clear; do not
combine them. Functions of arrays: `confidence_sequence`, `sequence_critical`,
`least_clusters`, `clusters_for_rare`, `unseen_share`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.stopping._confidence_sequence import (
        by_sequence,
        clusters_for_rare,
        confidence_sequence,
        is_monitored,
        least_clusters,
        sequence_critical,
        unseen_share,
    )
    from causalgia.stopping.stopping_rules import Decided, Precision
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Decided",
    "Precision",
    "by_sequence",
    "clusters_for_rare",
    "confidence_sequence",
    "is_monitored",
    "least_clusters",
    "sequence_critical",
    "unseen_share",
]
