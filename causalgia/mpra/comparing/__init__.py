"""Virtual against measured: the same contrasts of a predictor and of the bench, side by side."""

from __future__ import annotations

from causalgia.mpra.comparing.concording import concordance
from causalgia.mpra.comparing.powering import prediction_powered
from causalgia.mpra.comparing.reporting import describe
from causalgia.mpra.comparing.virtual import virtual_trial

__all__ = ["concordance", "describe", "prediction_powered", "virtual_trial"]
