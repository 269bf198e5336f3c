"""Maps of sequences: which base matters how much to an answer, as a proposal that a trial then tests.

A map has no p-values: scores away from a site rise where a sequence has one, so that shuffled maps are no null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.attribution._attention import attention
    from causalgia.attribution._attribute import attribute
    from causalgia.attribution._contributions import contributions
    from causalgia.attribution._dfim import dfim
    from causalgia.attribution._filters import filters
    from causalgia.attribution._interactions import interactions
    from causalgia.attribution._match import match
    from causalgia.attribution._nullified import Nullified
    from causalgia.attribution._propose import propose
    from causalgia.attribution._randomized import randomized
    from causalgia.attribution.aligned_average import average
    from causalgia.attribution.attribution_files import read_attributions
    from causalgia.attribution.site_flags import against_trial
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
    "attribute",
    "average",
    "contributions",
    "dfim",
    "filters",
    "interactions",
    "match",
    "propose",
    "randomized",
    "read_attributions",
]
