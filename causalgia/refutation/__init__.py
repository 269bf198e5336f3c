"""Checks that can refute a claim: placebos, controls, null models, units, and the
predictor itself.

`causalgia.refute` runs all of them. `CHECKS` has each by its name: a function that takes
a `Claim` and returns its rows of the same Dataset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.refutation._refute import (
        CHECKS,
        null_and_real,
        predictions_needed,
        refute as refute,
    )
    from causalgia.refutation.claim import Claim
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "CHECKS",
    "Claim",
    "null_and_real",
    "predictions_needed",
]
