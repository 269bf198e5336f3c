"""Is it calibrated? The same design run again and again, and how often its statements were right.

`calibrate` repeats whole trials on a predictor or a simulator; `share_row`, `mean_row`, `rank_row` and `judged` turn
what happened in them into rows beside the band in which they may fall, for tables of one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.calibration._calibrate import calibrate
    from causalgia.calibration.bands import Row, judged, mean_row, rank_row, share_row
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Row", "calibrate", "judged", "mean_row", "rank_row", "share_row"]
