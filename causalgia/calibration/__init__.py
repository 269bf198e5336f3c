"""Calibration of an analysis: error rates and coverage over repeated trials of one
design.

`causalgia.calibrate` repeats whole trials on a predictor or a simulator;
`causalgia.calibration.binomial_bands` makes custom tables of observed rates with the
bands of chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.calibration._calibrate import calibrate as calibrate
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__: list[str] = []
