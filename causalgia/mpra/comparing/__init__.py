"""Virtual against measured: the same contrasts of a predictor and of the bench, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.comparing.concording import concordance
    from causalgia.mpra.comparing.powering import prediction_powered
    from causalgia.mpra.comparing.reporting import describe
    from causalgia.mpra.comparing.virtual import virtual_trial
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["concordance", "describe", "prediction_powered", "virtual_trial"]
