"""The only room that knows a network: any callable or PyTorch module as a function from sequences to outcomes.

torch is imported when a name that needs it is first used, and not before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from causalgia.errors import MissingExtraError
from causalgia.predict.batch_mates import check_batch_mates
from causalgia.predict.deviation import ContrastDeviation, contrast_deviation
from causalgia.predict.ensemble import Ensemble
from causalgia.predict.factory import PredictorFactory
from causalgia.predict.function import FunctionPredictor
from causalgia.predict.loading import load_predictor
from causalgia.predict.onnx_exporting import export_onnx
from causalgia.predict.onnx_predictor import OnnxPredictor
from causalgia.predict.predictor import NonFiniteError, Predictor

if TYPE_CHECKING:
    from causalgia.predict.torch_predictor import TorchPredictor
    from causalgia.predict.weights import load_weights, save_weights

__all__ = [
    "ContrastDeviation",
    "Ensemble",
    "FunctionPredictor",
    "NonFiniteError",
    "OnnxPredictor",
    "Predictor",
    "PredictorFactory",
    "TorchPredictor",
    "check_batch_mates",
    "contrast_deviation",
    "export_onnx",
    "load_predictor",
    "load_weights",
    "save_weights",
]

_NEEDS_TORCH = {"TorchPredictor": "torch_predictor", "load_weights": "weights", "save_weights": "weights"}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module 'causalgia.predict' has no attribute {name!r}")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        msg = f"{name} needs PyTorch, which cannot be imported here ({error}); run: pip install 'causalgia[torch]'"
        raise MissingExtraError(msg) from error
    return getattr(importlib.import_module(f"causalgia.predict.{_NEEDS_TORCH[name]}"), name)
