"""Attribution maps: the contribution of each base to a prediction, as proposals for a
trial to test.

A map has no p-values: scores away from a site rise where a sequence has one, so that
shuffled maps are no null.
"""

from typing import Any

import lazy_loader as lazy

_get, __dir__, __all__ = lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in ("Nullified", "randomized"):  # of TorchPredictor alone
        from causalgia.predict import TorchPredictor  # noqa: F401  # says how to install torch
    return _get(name)
