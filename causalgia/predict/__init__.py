"""Predictors: a callable, a PyTorch module or an ONNX file as a function from sequences
to outcomes.

torch is imported when a name that needs it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.predict._from_keras_h5 import from_keras_h5
    from causalgia.predict._load_predictor import load_predictor as load_predictor
    from causalgia.predict.answer_comparisons import (
        check_batch_mates as check_batch_mates,
    )
    from causalgia.predict.ensemble import Ensemble as Ensemble
    from causalgia.predict.function_predictor import (
        FunctionPredictor as FunctionPredictor,
        PredictorFactory,
    )
    from causalgia.predict.onnx import OnnxPredictor as OnnxPredictor, export_onnx
    from causalgia.predict.predictor import NonFiniteError as NonFiniteError, Predictor
    from causalgia.predict.torch_exports import (
        load_weights,
        save_weights,
    )
    from causalgia.predict.torch_predictor import TorchPredictor as TorchPredictor
    from causalgia.predict.track import Track as Track, Window as Window
else:
    _get, __dir__ = on_first_use(__name__)

    def __getattr__(name: str) -> Any:
        if name in _NEEDS_TORCH:
            try:
                import torch  # noqa: F401
            except ImportError as error:
                from causalgia.errors import MissingExtraError, install_command

                why = f"{name} needs PyTorch, which cannot be imported here ({error})"
                raise MissingExtraError(f"{why}: {install_command('torch')}") from error
        return _get(name)


__all__ = [
    "Predictor",
    "PredictorFactory",
    "export_onnx",
    "from_keras_h5",
    "load_weights",
    "save_weights",
]

_NEEDS_TORCH = {"TorchPredictor", "from_keras_h5", "load_weights", "save_weights"}
