"""Predictors: a callable, a PyTorch module or an ONNX file as a function from sequences
to outcomes.

torch is imported when a name that needs it is first used.
"""

from typing import Any

import lazy_loader as lazy

_get, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

_NEEDS_TORCH = {"TorchPredictor", "from_keras_h5", "load_weights", "save_weights"}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TORCH:
        try:
            import torch  # noqa: F401
        except ImportError as error:
            from causalgia.errors import MissingExtraError, install_command

            why = f"{name} needs PyTorch, which cannot be imported here ({error})"
            raise MissingExtraError(f"{why}: {install_command('torch')}") from error
    return _get(name)
