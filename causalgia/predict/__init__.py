"""Predictors: a callable, a PyTorch module or an ONNX file as a function from sequences
to outcomes.

torch and keras are imported when a name that needs them is first used.
"""

from importlib import import_module
from typing import Any

import lazy_loader as lazy

_get, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

_NEEDS = {
    "TorchPredictor": ("torch",),
    "from_keras": ("torch", "causalgia.predict.keras_network"),
    "load_weights": ("torch",),
    "save_weights": ("torch",),
}


def __getattr__(name: str) -> Any:
    for needed in _NEEDS.get(name, ()):
        extra = "torch" if needed == "torch" else "keras"
        try:
            import_module(needed)
        except ImportError as error:
            from causalgia.errors import MissingExtraError, install_command

            why = f"{name} needs {extra}, which cannot be imported here ({error})"
            raise MissingExtraError(f"{why}: {install_command(extra)}") from error
    return _get(name)
