"""Export of PyTorch networks to ONNX files."""

from __future__ import annotations

import importlib.util
from os import PathLike
from typing import TYPE_CHECKING

from causalgia.errors import MissingExtraError

if TYPE_CHECKING:
    import torch

    from causalgia.predict.onnx import OnnxPredictor
    from causalgia.predict.torch_predictor import TorchPredictor


def export_onnx(network: torch.nn.Module | TorchPredictor, path: str | PathLike[str], *, length: int) -> OnnxPredictor:
    """Write a PyTorch network to an ONNX file of any batch size, and return it as a predictor.

    The file holds the network and `reduce`. The names, the scale, the alphabet and the other options of a
    `TorchPredictor` go to the returned predictor (give them again when the file is opened later). Before the file gets
    its name it must reproduce the network's answers to 12 random sequences, in batches of 5.

    Parameters
    ----------
    network
        A predictor, or a module that takes one-hot (n, 4, length).
    path
        The file; weights are inside.
    length
        Length of sequence; the file accepts this length only.

    Raises
    ------
    PredictorError
        If torch cannot export the network, the file cannot be written, or its answers differ from the network's
        by more than 1e-4 (float32) or 1e-9 (float64) of the largest answer.
    MissingExtraError
        If torch, onnx, onnxscript or onnxruntime is not installed.

    Examples
    --------
    >>> import numpy as np, tempfile, torch
    >>> net = torch.nn.Sequential(torch.nn.Conv1d(4, 2, 3), torch.nn.Flatten(), torch.nn.Linear(12, 1))
    >>> predictor = export_onnx(net, tempfile.mkdtemp() + "/net.onnx", length=8)
    >>> predictor.predict(np.zeros((3, 8), np.uint8)).shape
    (3, 1)
    """
    absent = [name for name in ("torch", "onnx", "onnxscript", "onnxruntime") if not _is_installed(name)]
    if absent:
        msg = f"export_onnx needs {', '.join(absent)}; run: pip install 'causalgia[torch,onnx]' onnx onnxscript"
        raise MissingExtraError(msg)
    from causalgia.predict.torch_exports import write_network

    return write_network(network, path, length=length)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
