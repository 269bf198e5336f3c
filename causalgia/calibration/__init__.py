"""Calibration of an analysis: error rates and coverage over repeated trials of one
design.

`calibrate` repeats whole trials on a predictor or a simulator; `share_row`, `mean_row`,
`rank_row` and `rate_table` make custom tables of observed rates with the bands of
chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.calibration._calibrate import calibrate
    from causalgia.calibration.binomial_bands import (
        Row,
        mean_row,
        rank_row,
        rate_table,
        share_row,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Row", "calibrate", "mean_row", "rank_row", "rate_table", "share_row"]
