"""Attribution maps: the contribution of each base to a prediction, as proposals for a
trial to test.

A map has no p-values: scores away from a site rise where a sequence has one, so that
shuffled maps are no null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.attribution._attribute import attribute as attribute
    from causalgia.attribution._interactions import dfim, interactions
    from causalgia.attribution._propose import propose as propose
    from causalgia.attribution.altered_networks import Nullified, randomized
    from causalgia.attribution.attribution_maps import (
        against_trial,
        average,
        contributions,
        read_attributions,
    )
    from causalgia.attribution.layer_responses import attention, filters, match
else:
    _get, __dir__ = on_first_use(__name__)

    def __getattr__(name: str) -> Any:
        if name in ("Nullified", "randomized"):  # of TorchPredictor alone
            from causalgia.predict import TorchPredictor  # noqa: F401  # says how to install torch
        return _get(name)


__all__ = [
    "Nullified",
    "against_trial",
    "attention",
    "average",
    "contributions",
    "dfim",
    "filters",
    "interactions",
    "match",
    "randomized",
    "read_attributions",
]
