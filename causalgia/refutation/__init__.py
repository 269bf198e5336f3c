"""Checks that can refute a claim: placebo words, controls, null models, units, and the
predictor itself.

`causalgia.refute` runs all of them; each takes a `Claim` and returns its rows of the
same Dataset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.refutation._refute import null_and_real, predictions_needed, refute
    from causalgia.refutation.claim import Claim
    from causalgia.refutation.claim_limits import (
        dose_reversal,
        other_null_models,
        tipping_shift,
    )
    from causalgia.refutation.null_shift import (
        classifier,
        kernel_distance,
        prediction_range,
        reweighted_effect,
        word_composition,
    )
    from causalgia.refutation.placebo_controls import (
        another_control,
        identical_arms,
        placebo_words,
        positive_control,
    )
    from causalgia.refutation.predictor_faults import (
        numerical_floor,
        predictor_disagreement,
        randomized_weights,
        strand,
    )
    from causalgia.refutation.unit_faults import (
        balance,
        degenerate_draws,
        junction_sites,
        subset_of_units,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Claim",
    "another_control",
    "balance",
    "classifier",
    "degenerate_draws",
    "dose_reversal",
    "identical_arms",
    "junction_sites",
    "kernel_distance",
    "null_and_real",
    "numerical_floor",
    "other_null_models",
    "placebo_words",
    "positive_control",
    "prediction_range",
    "predictions_needed",
    "predictor_disagreement",
    "randomized_weights",
    "refute",
    "reweighted_effect",
    "strand",
    "subset_of_units",
    "tipping_shift",
    "word_composition",
]
