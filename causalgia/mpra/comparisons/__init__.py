"""Virtual against measured effects: concordance, virtual trials of libraries,
prediction-powered averages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.comparisons._concordance import concordance
    from causalgia.mpra.comparisons._prediction_powered import prediction_powered
    from causalgia.mpra.comparisons._virtual_trial import virtual_trial
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["concordance", "prediction_powered", "virtual_trial"]
