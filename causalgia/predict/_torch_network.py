"""Whether a predictor is a network in PyTorch, without importing PyTorch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalgia.predict.torch_predictor import TorchPredictor


def torch_network(predictor: object) -> TorchPredictor | None:
    """Return a predictor if it is a `TorchPredictor`, otherwise None; where torch was
    not imported, none is.
    """
    if sys.modules.get("torch") is None:
        return None
    from causalgia.predict.torch_predictor import TorchPredictor

    return predictor if isinstance(predictor, TorchPredictor) else None
