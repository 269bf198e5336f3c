"""Stopping rules of sequential trials, for ``cg.run(design, predictor, rng=, until=)``,
and their confidence sequences.

`causalgia.Precision` stops once intervals are short, `causalgia.Decided` once verdicts
are clear; do not combine them. `confidence_sequence` is a function of arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.stopping._confidence_sequence import (
        by_sequence as by_sequence,
        confidence_sequence,
        is_monitored as is_monitored,
    )
    from causalgia.stopping.stopping_rules import (
        Decided as Decided,
        Precision as Precision,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["confidence_sequence"]
